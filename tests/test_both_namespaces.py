"""Lightning has two names, with classes of their own: a run is the same under both, and where one is all there is.

Each test runs under both names, as far as they are installed; `make namespaces` runs this file, and the other on names,
where pytorch-lightning is all there is. So nothing here may import either of them.
"""

import importlib.util
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import lightning_warmup
from lightning_warmup import (
    CriticalLearningRateMonitor,
    GradientInitializedAdam,
    HyperparameterWarmup,
    LearningRateWarmup,
    LossSpikeMonitor,
    ReduceOnPlateauDecay,
)

NAMES = ["lightning.pytorch", "pytorch_lightning"]

pytestmark = [
    pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:pytorch_lightning.cli"),
]


@pytest.fixture(params=NAMES)
def pl(request: pytest.FixtureRequest) -> Any:
    """Lightning, by one of its names."""
    return pytest.importorskip(request.param, reason=f"{request.param} is not installed here")


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """The INFO lines, whichever of the two names they go by."""
    told: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(record.getMessage())

    handler = Keep()
    loggers = [logging.getLogger(name) for name in NAMES]
    for logger in loggers:
        logger.addHandler(handler)
    yield told
    for logger in loggers:
        logger.removeHandler(handler)


def line(pl: Any, lr: float = 0.1, scheduler: Any = None, optimizer: Any = torch.optim.SGD) -> Any:
    """A line fitted to a point, which remembers the learning rate that each step used in its last ``fit``."""

    class Line(pl.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self, lr: float = lr) -> None:
            super().__init__()
            self.lr = lr
            self.used: list[list[float]] = []
            self.backbone = torch.nn.Parameter(torch.tensor([0.5, -0.5]))
            self.head = torch.nn.Parameter(torch.tensor([0.1]))

        def configure_optimizers(self) -> Any:
            self.used.clear()
            ours = optimizer([p for p in self.parameters() if p.requires_grad], lr=self.lr)
            ours.register_step_post_hook(lambda o, *_: self.used.append([float(g["lr"]) for g in o.param_groups]))
            return ours if scheduler is None else {"optimizer": ours, "lr_scheduler": scheduler(ours)}

        def training_step(self, batch: Any, batch_idx: int) -> Any:
            loss = ((batch[0] @ self.backbone + self.head - 1) ** 2).mean()
            self.log("train_loss", loss)
            return loss

        def train_dataloader(self) -> Any:
            return DataLoader(TensorDataset(torch.ones(20, 2)), batch_size=2)

        def lrs(self, group: int = 0) -> list[float]:
            return [step[group] for step in self.used if len(step) > group]

    return Line()


def trainer(pl: Any, callbacks: Any, **settings: Any) -> Any:
    """A quiet Trainer on the CPU."""
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    settings = {"max_epochs": 2, "enable_checkpointing": False, "accelerator": "cpu", "devices": 1, **quiet, **settings}
    return pl.Trainer(callbacks=callbacks, **settings)


def fit(pl: Any, callbacks: Any, module: Any = None, ckpt_path: Any = None, **settings: Any) -> Any:
    """Fit a module for two epochs of ten steps; returns it."""
    module = line(pl) if module is None else module
    trainer(pl, callbacks, **settings).fit(module, ckpt_path=ckpt_path)
    return module


WARMUP = 5, "cosine"
CURVE = LearningRateWarmup(*WARMUP).values(0.1, total_steps=20, steps_per_epoch=10)

# --- where the callback goes -----------------------------------------------------------------------------------------


def test_a_single_object(pl: Any) -> None:
    assert fit(pl, LearningRateWarmup(*WARMUP)).lrs() == CURVE


def test_a_list(pl: Any) -> None:
    momentum = HyperparameterWarmup("momentum", warmup=5, initial_value=0.5, target_value=0.9)
    sgd = lambda parameters, lr: torch.optim.SGD(parameters, lr=lr, momentum=0.9)  # noqa: E731
    module = fit(pl, [LearningRateWarmup(*WARMUP), momentum], line(pl, optimizer=sgd))
    assert module.lrs() == CURVE
    assert module.trainer.optimizers[0].param_groups[0]["momentum"] == 0.9


def test_all_callbacks_are(pl: Any) -> None:
    public = {name: getattr(lightning_warmup, name) for name in lightning_warmup.__all__}
    callbacks = {name for name, it in public.items() if isinstance(it, type) and issubclass(it, pl.Callback)}
    monitors = {name for name in public if name.endswith("Monitor")}
    others = {"GradientInitializedAdam", "HyperparameterWarmup", "LearningRateWarmup", "SchedulePreview"}
    others.add("EarlyStoppingAfterWarmup")
    assert callbacks == monitors | others


def test_a_preview_ends_the_run(pl: Any, capsys: Any) -> None:
    module = fit(pl, [lightning_warmup.SchedulePreview(), LearningRateWarmup(*WARMUP)])
    assert module.trainer.global_step == 0
    assert "linear warmup" in capsys.readouterr().out


def cli(pl: Any, *arguments: str) -> Any:
    """``python train.py fit *arguments``, a LightningCLI with a key of ours."""
    pytest.importorskip("jsonargparse")
    theirs = importlib.import_module(f"{pl.__name__}.cli")

    class CLI(theirs.LightningCLI):  # type: ignore[misc, name-defined]
        def add_arguments_to_parser(self, parser: Any) -> None:
            parser.add_lightning_class_args(LearningRateWarmup, "lr_warmup")

    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    defaults = {"max_epochs": 2, "enable_checkpointing": False, "accelerator": "cpu", "devices": 1, **quiet}
    with patch.object(sys, "argv", ["train.py", "fit", *arguments]):
        return CLI(type(line(pl)), seed_everything_default=1, save_config_callback=None, trainer_defaults=defaults)


def test_a_key_of_the_cli(pl: Any) -> None:
    assert cli(pl, "--lr_warmup.warmup=5", "--lr_warmup.decay=CosineDecay").model.lrs() == CURVE


def test_an_entry_of_the_cli(pl: Any) -> None:
    entry = "--trainer.callbacks=LearningRateWarmup", "--trainer.callbacks.warmup=5", "--trainer.callbacks.decay=cosine"
    assert cli(pl, *entry).model.lrs() == CURVE


def test_a_list_of_the_cli(pl: Any, tmp_path: Path) -> None:
    entry = {"class_path": "lightning_warmup.LearningRateWarmup", "init_args": {"warmup": 5, "decay": "cosine"}}
    monitor = {"class_path": "lightning_warmup.LossSpikeMonitor"}
    (tmp_path / "config.yaml").write_text(json.dumps({"trainer": {"callbacks": [monitor, entry]}}))
    assert cli(pl, f"--config={tmp_path / 'config.yaml'}").model.lrs() == CURVE


def test_a_key_and_an_entry_are_refused(pl: Any) -> None:
    misconfiguration = importlib.import_module(f"{pl.__name__}.utilities.exceptions").MisconfigurationException
    entry = "--trainer.callbacks=LearningRateWarmup", "--trainer.callbacks.warmup=3"
    with pytest.raises(misconfiguration, match=r"(?s)warmup=3.*warmup=2.*Remove one of them"):
        cli(pl, "--lr_warmup.warmup=2", *entry)


def test_help_offers_what_is_public(pl: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli(pl, "--help")
    text = "".join(capsys.readouterr().out.split())
    assert "lightning_warmup.LearningRateWarmup" in text
    inside = [part for part in text.split("lightning_warmup.")[1:] if part[0].islower()]
    assert not inside, "a class of the inside is offered as a choice"


# --- beside Lightning's own callbacks --------------------------------------------------------------------------------


@pytest.fixture(params=[True, False], ids=["ours_first", "ours_last"])
def ours_first(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_stochastic_weight_averaging(pl: Any, ours_first: bool, lines: list[str]) -> None:
    averaging = pl.callbacks.StochasticWeightAveraging(0.03, swa_epoch_start=3, annealing_epochs=1)
    callbacks = [LearningRateWarmup(*WARMUP), averaging]
    lrs = fit(pl, callbacks if ours_first else callbacks[::-1], max_epochs=4).lrs()
    assert lrs[:20] == LearningRateWarmup(*WARMUP).values(0.1, total_steps=40, steps_per_epoch=10)[:20]
    assert lrs[-1] == pytest.approx(0.03)
    assert any("StochasticWeightAveraging sets the lr from epoch 2 on" in told for told in lines)


def test_gradient_accumulation_scheduler(pl: Any, ours_first: bool) -> None:
    callbacks = [LearningRateWarmup(*WARMUP), pl.callbacks.GradientAccumulationScheduler({0: 1, 1: 2, 2: 4})]
    lrs = fit(pl, callbacks if ours_first else callbacks[::-1], max_epochs=4).lrs()
    # 10, 5, and the last step of an epoch comes early: 3 and 3.
    assert lrs == LearningRateWarmup(*WARMUP).values(0.1, total_steps=21, steps_per_epoch=21)


def test_timer(pl: Any) -> None:
    timer = pl.callbacks.Timer(duration="00:01:00:00")
    with pytest.raises(ValueError, match="the Trainer is limited by max_time only; give total="):
        fit(pl, [LearningRateWarmup("5%"), timer], max_epochs=-1)
    with pytest.warns(UserWarning, match="max_time may end the run"):
        assert fit(pl, [timer, LearningRateWarmup(*WARMUP)]).lrs() == CURVE


def unfreeze(pl: Any) -> Any:
    class Unfreeze(pl.callbacks.BaseFinetuning):  # type: ignore[misc, name-defined]
        def freeze_before_training(self, pl_module: Any) -> None:
            pl_module.backbone.requires_grad = False

        def finetune_function(self, pl_module: Any, epoch: int, optimizer: Any) -> None:
            if epoch == 1:
                pl_module.backbone.requires_grad = True
                optimizer.add_param_group({"params": [pl_module.backbone], "lr": 0.02})

    return Unfreeze()


def test_finetuning(pl: Any, ours_first: bool) -> None:
    callbacks = [LearningRateWarmup(15, "cosine"), unfreeze(pl)]
    with pytest.warns(UserWarning, match=r"1 param group\(s\) came after training began, with lr=0.02"):
        module = fit(pl, callbacks if ours_first else callbacks[::-1])
    curve = LearningRateWarmup(15, "cosine").values(0.1, total_steps=20, steps_per_epoch=10)
    assert module.lrs(0) == curve
    assert module.lrs(1) == pytest.approx([0.02 / curve[10] * lr for lr in curve[10:]], rel=1e-12)


def test_finetuning_before_us_leaves_no_config_to_resume_by(pl: Any, tmp_path: Path) -> None:
    misconfiguration = importlib.import_module(f"{pl.__name__}.utilities.exceptions").MisconfigurationException
    fit(pl, [unfreeze(pl), LearningRateWarmup(*WARMUP), save(pl, tmp_path, 5)], max_epochs=1)
    with pytest.raises(misconfiguration, match="comes after a fine-tuning callback"):
        fit(pl, [unfreeze(pl), LearningRateWarmup(*WARMUP, resume="config")], ckpt_path=tmp_path / "5.ckpt")


def recorder(pl: Any) -> Any:
    class Recorder(importlib.import_module(f"{pl.__name__}.loggers.logger").DummyLogger):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.rows: list[tuple[int, dict[str, float]]] = []

        def log_metrics(self, metrics: dict[str, float], step: int) -> None:
            self.rows.append((step, metrics))

        def series(self, name: str) -> dict[int, float]:
            return {step: row[name] for step, row in self.rows if name in row}

    return Recorder()


def test_learning_rate_monitor(pl: Any, ours_first: bool) -> None:
    logger, callbacks = recorder(pl), [LearningRateWarmup(*WARMUP), pl.callbacks.LearningRateMonitor("step")]
    fit(pl, callbacks if ours_first else callbacks[::-1], logger=[logger], log_every_n_steps=1)
    assert logger.series("lr-SGD") == dict(enumerate(CURVE))


def test_learning_rate_finder(pl: Any, ours_first: bool, tmp_path: Path) -> None:
    finder = pl.callbacks.LearningRateFinder(num_training_steps=30, early_stop_threshold=None)
    callbacks = [LearningRateWarmup(*WARMUP), finder]
    module = fit(pl, callbacks if ours_first else callbacks[::-1], default_root_dir=tmp_path)
    assert module.lr != 0.1
    assert module.lrs()[-20:] == LearningRateWarmup(*WARMUP).values(module.lr, total_steps=20, steps_per_epoch=10)


def test_early_stopping(pl: Any) -> None:
    stop = pl.callbacks.EarlyStopping("train_loss", patience=1, min_delta=10.0, check_on_train_epoch_end=True)
    lrs = fit(pl, [LearningRateWarmup(*WARMUP), stop], max_epochs=5).lrs()
    assert lrs == LearningRateWarmup(*WARMUP).values(0.1, total_steps=50, steps_per_epoch=10)[:20]


def test_weight_averaging(pl: Any) -> None:
    if not hasattr(pl.callbacks, "WeightAveraging"):
        pytest.skip(f"{pl.__name__} {pl.__version__} has no WeightAveraging")
    assert fit(pl, [LearningRateWarmup(*WARMUP), pl.callbacks.WeightAveraging()]).lrs() == CURVE


# --- resuming, and a scheduler of the module's -----------------------------------------------------------------------


def save(pl: Any, folder: Path, *steps: int) -> Any:
    class Save(pl.Callback):  # type: ignore[misc, name-defined]
        def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
            if trainer.global_step in steps:
                trainer.save_checkpoint(folder / f"{trainer.global_step}.ckpt")

    return Save()


@pytest.mark.parametrize("step", [3, 10, 17])
def test_resume(pl: Any, step: int, tmp_path: Path) -> None:
    fit(pl, [LearningRateWarmup(*WARMUP), save(pl, tmp_path, step)])
    # An optimizer of another learning rate: the checkpoint's holds.
    resumed = fit(pl, LearningRateWarmup(*WARMUP), line(pl, lr=0.1), ckpt_path=tmp_path / f"{step}.ckpt")
    assert resumed.lrs() == CURVE[step:]


def test_what_the_one_has_saved_the_other_resumes(tmp_path: Path) -> None:
    one, other = (pytest.importorskip(name, reason=f"{name} is not installed here") for name in NAMES)
    for saved, resumed in ((one, other), (other, one)):
        fit(saved, [LearningRateWarmup(*WARMUP), save(saved, tmp_path, 7)])
        assert fit(resumed, LearningRateWarmup(*WARMUP), ckpt_path=tmp_path / "7.ckpt").lrs() == CURVE[7:]


def exponential(optimizer: Any) -> Any:
    return {"scheduler": torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9), "interval": "step"}


def test_a_warmup_is_a_factor_on_a_scheduler_of_the_module(pl: Any) -> None:
    alone = fit(pl, [], line(pl, scheduler=exponential)).lrs()
    warmed = fit(pl, LearningRateWarmup(4, warmup_initial_lr=0.0), line(pl, scheduler=exponential)).lrs()
    assert warmed == pytest.approx([min(1.0, t / 4) * lr for t, lr in enumerate(alone)], rel=1e-12)


def test_a_decay_beside_a_scheduler_of_the_module_is_refused(pl: Any) -> None:
    misconfiguration = importlib.import_module(f"{pl.__name__}.utilities.exceptions").MisconfigurationException
    with pytest.raises(misconfiguration, match="and the module's own ExponentialLR would both decay"):
        fit(pl, LearningRateWarmup(*WARMUP), line(pl, scheduler=exponential))


def test_a_decay_that_follows_a_metric(pl: Any) -> None:
    decay = ReduceOnPlateauDecay("train_loss", threshold=100.0, threshold_mode="abs", patience=0, factor=0.5)
    lrs = fit(pl, LearningRateWarmup(0, decay), max_epochs=3).lrs()
    # The first epoch is the best so far, and no other is better by 100.
    assert lrs == [0.1] * 20 + [0.05] * 10


# --- what measures ---------------------------------------------------------------------------------------------------

# The loss is a quadratic with the Hessian 2 x xᵀ, x = (1, 1, 1), and its gradient is along x: 2 / (2 · 3).
CRITICAL = 1 / 3


def test_critical_start(pl: Any) -> None:
    lrs = fit(pl, LearningRateWarmup(10, "linear", warmup_initial_lr="critical"), line(pl, lr=1.0)).lrs()
    share = lrs[0] / 1.0
    assert share == pytest.approx(0.5 * CRITICAL, rel=1 / 16)
    # Nine steps of ten are left, on the same slope.
    assert lrs[:9] == pytest.approx([share + t / 10 for t in range(9)])
    assert lrs[9] == 1.0


def test_critical_start_in_processes(pl: Any, tmp_path: Path) -> None:
    """A strategy that shards nothing is no reason to refuse."""
    ours = line(pl, lr=1.0)

    class Tell(pl.Callback):  # type: ignore[misc, name-defined]
        def on_train_end(self, *_: Any) -> None:
            (tmp_path / "lrs.json").write_text(json.dumps(ours.lrs()))

    fit(pl, [LearningRateWarmup(10, warmup_initial_lr="critical"), Tell()], ours, strategy="ddp_fork", max_epochs=1)
    assert json.loads((tmp_path / "lrs.json").read_text())[0] == pytest.approx(0.5 * CRITICAL, rel=1 / 16)


def test_what_cannot_be_measured_is_refused(pl: Any) -> None:
    misconfiguration = importlib.import_module(f"{pl.__name__}.utilities.exceptions").MisconfigurationException
    with pytest.raises(misconfiguration, match=r"CriticalLearningRateMonitor\(\) cannot measure"):
        fit(pl, CriticalLearningRateMonitor(), accumulate_grad_batches=2)


def test_critical_learning_rate_monitor(pl: Any) -> None:
    logger, callbacks = recorder(pl), [CriticalLearningRateMonitor(every_n_steps=3), LearningRateWarmup(*WARMUP)]
    lrs = fit(pl, callbacks, logger=[logger], log_every_n_steps=1, max_epochs=1).lrs()
    found = logger.series("warmup/critical_lr")
    assert found == pytest.approx(dict.fromkeys([0, 3, 6, 9], CRITICAL), rel=1 / 16)
    over = logger.series("warmup/lr_over_critical_lr")
    assert over == pytest.approx({step: lrs[step] / found[step] for step in found})


def test_loss_spike_monitor(pl: Any) -> None:
    with pytest.warns(UserWarning, match=r"loss rose .*× at step \d+ of a 20-step warmup"):
        # Above twice the critical learning rate, each step takes it further up.
        fit(pl, [LossSpikeMonitor(window=2), LearningRateWarmup(20)], line(pl, lr=8.0))


def test_gradient_initialized_adam(pl: Any) -> None:
    module = line(pl, optimizer=lambda parameters, lr: torch.optim.Adam(parameters, lr=lr))
    seen = []

    class See(pl.Callback):  # type: ignore[misc, name-defined]
        def on_train_batch_end(self, *_: Any) -> None:
            seen.append(float(module.head.detach()))

    fit(pl, [GradientInitializedAdam(), See()], module, max_epochs=1)
    # Plain Adam's first step is lr, whatever the gradient.
    assert 0 < abs(seen[0] - 0.1) < 0.1 - 1e-3


# --- the two side by side --------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("first", [None, *NAMES])
def test_lines_go_where_they_went(first: str | None) -> None:
    """Each name takes Lightning's INFO lines when it is imported; the one that was there first keeps them."""
    installed = [name for name in NAMES if importlib.util.find_spec(name.partition(".")[0]) is not None]
    if first not in [None, *installed]:
        pytest.skip(f"{first} is not installed here")
    code = f"""
import sys
{f"import {first}" if first else ""}
from lightning_warmup import LearningRateWarmup
from lightning_utilities.core import rank_zero
there = [name for name in {NAMES} if name in sys.modules]
print(*there, rank_zero.log.name, rank_zero.rank_zero_deprecation_category.__module__)
"""
    *there, log, deprecations = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    owner = first or installed[0]
    assert there == installed
    assert log == f"{owner}.utilities.rank_zero"
    fabric = {"lightning.pytorch": "lightning.fabric", "pytorch_lightning": "lightning_fabric"}[owner]
    assert deprecations == f"{fabric}.utilities.rank_zero"
