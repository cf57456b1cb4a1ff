"""SchedulePreview shows the real run, and ends it before its first step."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from packaging.version import Version
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader

from checkpoints import SaveEveryBatch
from lightning_warmup import LearningRateWarmup, SchedulePreview
from lightning_warmup.callbacks import schedule_preview
from runs import Line, RecordingSGD, Stream, fit, loader, trainer
from train_digits import ROOT, digits

pytestmark = pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended")


@pytest.mark.parametrize("first", [True, False])
def test_no_step_no_checkpoint_nothing_logged(first: bool, tmp_path: Path, capsys: Any) -> None:
    callbacks = [LearningRateWarmup("10%", "cosine"), LearningRateMonitor(), ModelCheckpoint(save_last=True)]
    shows = SchedulePreview(tmp_path / "lr.png")
    both = [shows, *callbacks] if first else [*callbacks, shows]
    module = Line()
    run = trainer(
        *both,
        max_epochs=4,
        logger=CSVLogger(tmp_path),
        enable_checkpointing=True,
        default_root_dir=tmp_path,
        log_every_n_steps=1,
    )
    before = module.weight.clone()
    run.fit(module, loader(10))
    out = capsys.readouterr().out
    assert "linear warmup          0        3       4" in out
    assert run.global_step == 0
    assert (module.weight == before).all()
    # Lightning 2.4 ends a logger that has logged nothing with the file of its hyper-parameters.
    old = {"hparams.yaml"} if Version(version("lightning")) < Version("2.5") else set()
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} - old == {"lr.png"}
    assert shows in run.callbacks
    assert isinstance(run.logger, CSVLogger)


def test_old_plan_beside_new(tmp_path: Path, capsys: Any) -> None:
    fit([LearningRateWarmup("10%", "cosine"), SaveEveryBatch(tmp_path)], max_epochs=4)
    with pytest.warns(UserWarning, match="where the checkpoint's plan had"):
        fit([LearningRateWarmup("10%", "cosine"), SchedulePreview()], max_epochs=8, ckpt_path=tmp_path / "14.ckpt")
    out = capsys.readouterr().out
    assert "14 of 80 steps are run; the next one uses 0.0983" in out
    assert "14 of 40 steps are run; the next one uses 0.08214" in out
    capsys.readouterr()
    fit([LearningRateWarmup("10%", "cosine"), SchedulePreview()], max_epochs=4, ckpt_path=tmp_path / "14.ckpt")
    assert "the checkpoint's plan" not in capsys.readouterr().out


def test_the_old_plan_is_by_the_old_epochs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(schedule_preview, "terminal", lambda drawn: shown.extend(drawn) or "")
    callback = LearningRateWarmup(0, "linear", interval="epoch")
    whole = fit([callback, SaveEveryBatch(tmp_path)], max_epochs=4).used
    again = [LearningRateWarmup(0, "linear", interval="epoch"), SchedulePreview()]
    fit(again, batches=5, max_epochs=4, ckpt_path=tmp_path / "20.ckpt")
    assert shown[1].curves[0].values == whole


@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_it_shows_what_training_uses(interval: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(schedule_preview, "terminal", lambda drawn: shown.extend(drawn) or "")
    callback = LearningRateWarmup(2, "cosine", interval=interval)
    used = fit(callback, max_epochs=5).used
    fit([LearningRateWarmup(2, "cosine", interval=interval), SchedulePreview()], max_epochs=5)
    assert shown[0].curves[0].values == used


def test_before_the_modules_own_scheduler_it_is_a_range(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(schedule_preview, "terminal", lambda drawn: shown.extend(drawn) or "")

    def configure(module: Line) -> Any:
        optimizer = RecordingSGD(module.parameters(), lr=0.1)
        return [optimizer], [StepLR(optimizer, step_size=1)]

    fit([LearningRateWarmup(4), SchedulePreview()], Line(configure), max_epochs=2)
    (curve,) = shown[0].curves
    assert (curve.values[2], curve.highest[2], curve.highest[-1]) == (0, pytest.approx(0.06), 0.1)
    assert shown[0].ranges["lr"].startswith("× what the module's own scheduler gives")


def test_in_processes_of_the_trainers_own(tmp_path: Path) -> None:
    """They end as any run does, where an exception would come out of them as a failure."""
    saves = ModelCheckpoint(tmp_path, save_last=True)
    both = [LearningRateWarmup("10%", "cosine"), saves, SchedulePreview(tmp_path / "lr.svg")]
    run = trainer(
        *both, max_epochs=4, min_epochs=2, min_steps=5, strategy="ddp_fork", devices=2, enable_checkpointing=True
    )
    run.fit(Line(), loader(20))
    assert run.state.finished
    assert run.global_step == 0
    assert [path.name for path in tmp_path.iterdir()] == ["lr.svg"]


def test_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    config = str(ROOT / "configs" / "warmup_cosine.yaml")
    digits(monkeypatch, "fit", "--config", config, "--trainer.callbacks+=lightning_warmup.SchedulePreview")
    assert "▞ backbone, head" in capsys.readouterr().out
    assert not list(tmp_path.rglob("*.ckpt"))


def test_a_plan_that_cannot_be_is_its_error() -> None:
    with pytest.raises(ValueError, match="= 60 steps is more than the 20 steps"):
        fit([LearningRateWarmup(30, "cosine", hold=30), SchedulePreview()], max_epochs=2)


def test_a_stream_without_an_end(capsys: Any) -> None:
    module = Line()
    trainer(LearningRateWarmup(5), SchedulePreview(), max_epochs=2).fit(module, DataLoader(Stream(), batch_size=2))
    assert module.trainer.global_step == 0
    assert "the run has no known end: 1,000 steps of it are shown" in capsys.readouterr().out


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(ValueError, match=r"SchedulePreview\(output='lr.gif'\): write the name of a .png"):
        SchedulePreview("lr.gif")
    with pytest.raises(ValueError, match=r"SchedulePreview\(output=5\): write the name of a .png"):
        SchedulePreview(5)  # type: ignore[arg-type]
    with pytest.raises(MisconfigurationException, match="there is no schedule in this Trainer"):
        fit(SchedulePreview(), max_epochs=1)
