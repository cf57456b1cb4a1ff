"""SchedulePreview of a resumed run: what was run, the ramp, and what is to come are what training uses."""

from pathlib import Path
from typing import Any

import pytest

from checkpoints import SaveEveryBatch
from lightning_warmup import LearningRateWarmup, SchedulePreview, preview
from lightning_warmup.__main__ import main
from lightning_warmup.callbacks import schedule_preview
from runs import Line, RecordingSGD, fit

pytestmark = pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended")


def momentum(module: Line) -> Any:
    return RecordingSGD(module.parameters(), lr=module.lr, momentum=0.9)


def run(*callbacks: Any, epochs: int, ckpt_path: Path | None = None) -> list[float]:
    return fit(list(callbacks), Line(momentum), max_epochs=epochs, batches=5, ckpt_path=ckpt_path).used


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    drawn: list[Any] = []

    def keep(previews: Any) -> str:
        drawn[:] = previews
        return ""

    monkeypatch.setattr(schedule_preview, "terminal", keep)
    return drawn


@pytest.mark.parametrize("interval", ["step", "epoch"])
@pytest.mark.parametrize(
    ("stable", "now"),
    [
        ({"decay": "cosine"}, {"decay": "cosine", "resume_warmup": 2}),
        ({"decay": "cosine"}, {"decay": "cosine", "replan": "rest"}),
        ({"decay": "constant"}, {"decay": "one_minus_sqrt", "replan": "rest"}),
        ({"decay": "constant"}, {"decay": "linear", "resume_warmup": 2}),
    ],
    ids=str,
)
def test_what_was_run_and_what_is_to_come(
    interval: Any, stable: Any, now: Any, tmp_path: Path, shown: list[Any]
) -> None:
    settings: dict[str, Any] = {"warmup": 1, "interval": interval}
    whole = run(LearningRateWarmup(**settings, **stable), SaveEveryBatch(tmp_path), epochs=4)
    ours, again = LearningRateWarmup(**settings, **now), tmp_path / "again"
    for s in (8, 11):
        used = run(ours, SaveEveryBatch(again), epochs=7, ckpt_path=tmp_path / f"{s}.ckpt")
        run(ours, SchedulePreview(), epochs=7, ckpt_path=tmp_path / f"{s}.ckpt")
        new, old = shown
        assert new.curves[0].values == [*whole[:s], *used]
        assert old.curves[0].values == whole
        # and in the middle of it
        run(ours, SchedulePreview(), epochs=7, ckpt_path=again / "1.ckpt")
        assert len(shown) == 1
        assert shown[0].curves[0].values[s:] == used


def test_phases_and_findings(tmp_path: Path, shown: list[Any]) -> None:
    run(LearningRateWarmup(3, "linear"), SaveEveryBatch(tmp_path), epochs=4)
    ours = LearningRateWarmup(3, "linear", resume_warmup=6)
    run(ours, SchedulePreview(), epochs=8, ckpt_path=tmp_path / "11.ckpt")
    phases = [(phase.name, phase.start, phase.end) for phase in shown[0].phases["lr"]]
    assert phases == [("linear warmup", 0, 3), ("linear", 3, 11), ("resume warmup", 11, 17), ("linear", 17, 40)]
    ours = LearningRateWarmup(3, "linear", replan="rest")
    run(ours, SchedulePreview(), epochs=8, ckpt_path=tmp_path / "11.ckpt")
    phases = [(phase.name, phase.start, phase.end) for phase in shown[0].phases["lr"]]
    assert phases == [("run before", 0, 11), ("linear", 11, 40)]
    assert "the linear is drawn anew from step 11" in shown[0].findings["lr"]


def test_a_ramp_that_has_no_room_is_its_error(tmp_path: Path) -> None:
    run(LearningRateWarmup(3, "linear"), SaveEveryBatch(tmp_path), epochs=4)
    with pytest.raises(ValueError, match="are more than the 29 that are left"):
        run(
            LearningRateWarmup(3, "linear", resume_warmup=30),
            SchedulePreview(),
            epochs=8,
            ckpt_path=tmp_path / "11.ckpt",
        )


SAID = (
    "resume_warmup='2%' and replan='rest' act on a resume only, from what its checkpoint tells: SchedulePreview() in"
    " the Trainer, with ckpt_path, shows that"
)


def test_without_a_checkpoint_it_says_that_they_act_on_a_resume() -> None:
    shown = preview(LearningRateWarmup(5, "linear", resume_warmup="2%", replan="rest"), lr=0.1, total_steps=100)
    assert shown.curves[0].values == LearningRateWarmup(5, "linear").values(0.1, total_steps=100)
    assert SAID in shown.findings["lr"]
    assert not preview(LearningRateWarmup(5, "linear"), lr=0.1, total_steps=100).findings["lr"]


def test_in_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "lr_warmup:\n  warmup: 5\n  decay: linear\n  replan: rest\n"
        "  resume_warmup: {class_path: CosineWarmup, init_args: {duration: 2%}}\n"
    )
    assert main(["preview", str(path), "--lr=0.1", "--max-steps=100"]) == 0
    assert "act on a resume only" in " ".join(capsys.readouterr().out.split())
    path.write_text("lr_warmup:\n  warmup: 5\n  decay: constant\n  replan: rest\n")
    assert main(["preview", str(path), "--lr=0.1", "--max-steps=100"]) == 2
    assert "replan='rest', decay='constant'): that decay does not end with the run" in capsys.readouterr().err
