"""Patience does not run while a warmup goes on."""

import importlib
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from checkpoints import SaveEveryBatch
from clocks import Ticking
from lightning_warmup import EarlyStoppingAfterWarmup, HyperparameterWarmup, LearningRateWarmup, UntunedLinearWarmup
from runs import Line, RecordingSGD, loader, trainer

pytestmark = pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended")


class Worse(Line):
    """A metric that gets worse and worse: patience runs whenever it is looked at."""

    def __init__(self, configure: Any = None) -> None:
        super().__init__(configure)
        self.epochs = 0

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("worse", float(self.trainer.global_step))

    def on_train_epoch_end(self) -> None:
        self.epochs += 1
        self.log("worse_train", float(self.trainer.global_step))


def epochs(*callbacks: Any, configure: Any = None, ckpt_path: Any = None, **kwargs: Any) -> int:
    """Epochs of 4 steps that a run takes before it is stopped."""
    module = Worse(configure)
    run = trainer(*callbacks, **{"max_epochs": 20, **kwargs})
    run.fit(module, loader(4), loader(1), ckpt_path=ckpt_path)
    return int(run.current_epoch)


def stopping(monitor: str = "worse", **kwargs: Any) -> EarlyStoppingAfterWarmup:
    return EarlyStoppingAfterWarmup(monitor, patience=2, **kwargs)


def adam(module: Line) -> torch.optim.Optimizer:
    return torch.optim.Adam(module.parameters(), lr=0.01, betas=(0.9, 0.9))


@pytest.mark.parametrize("check_on_train_epoch_end", [False, True, None])
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize(
    ("warmups", "behind"),
    [
        ([], 0),
        ([LearningRateWarmup()], 0),
        ([LearningRateWarmup(8)], 1),  # the check after the last of its steps counts
        ([LearningRateWarmup(9)], 2),
        ([LearningRateWarmup("5 epochs", "cosine")], 4),
        ([LearningRateWarmup(5, "cosine", interval="epoch")], 4),
        ([LearningRateWarmup(3, warmup_interval="epoch")], 2),
        ([LearningRateWarmup(2), HyperparameterWarmup("momentum", warmup=16, initial_value=0.1)], 3),
    ],
    ids=str,
)
def test_checks_of_a_warmup_are_left_out(
    warmups: list[Any], behind: int, first: bool, check_on_train_epoch_end: bool | None
) -> None:
    early = stopping(
        "worse_train" if check_on_train_epoch_end else "worse", check_on_train_epoch_end=check_on_train_epoch_end
    )

    def sgd(module: Line) -> torch.optim.Optimizer:
        return RecordingSGD(module.parameters(), lr=0.1, momentum=0.9)

    assert epochs(*([early, *warmups] if first else [*warmups, early]), configure=sgd) == behind + 3


def test_a_warmup_from_beta2() -> None:
    assert (
        epochs(LearningRateWarmup(UntunedLinearWarmup()), stopping(), configure=adam, max_epochs=60) == 4 + 3
    )  # 20 steps


@pytest.mark.filterwarnings("ignore:.*the search")
def test_one_that_measures() -> None:
    warmup = LearningRateWarmup(8, warmup_initial_lr="critical")
    assert epochs(warmup, stopping(), configure=lambda m: RecordingSGD(m.parameters(), lr=1e-3)) >= 3


def test_a_warmup_by_the_clock(monkeypatch: Any) -> None:
    warmup = LearningRateWarmup("10 seconds", "linear", total="1 hour")
    assert epochs(warmup, Ticking(monkeypatch, 1.0), stopping()) == 2 + 3


def test_after_a_resume(tmp_path: Path) -> None:
    epochs(LearningRateWarmup(13), SaveEveryBatch(tmp_path), stopping())
    for step in (6, 12, 18):
        assert epochs(LearningRateWarmup(13), stopping(), ckpt_path=tmp_path / f"{step}.ckpt") == 3 + 3


def test_the_ramp_of_a_resumed_run(tmp_path: Path) -> None:
    epochs(LearningRateWarmup(0, "linear"), SaveEveryBatch(tmp_path), max_epochs=3)
    ramp = LearningRateWarmup(0, "linear", resume_warmup="3 epochs")
    # The checks at 12 and 16 are left out, that at 20 is the first of all, and two are worse.
    assert epochs(ramp, stopping(), ckpt_path=tmp_path / "8.ckpt") == 2 + 2 + 3
    with pytest.warns(UserWarning, match="where the checkpoint's plan had"):
        assert epochs(LearningRateWarmup(0, "linear"), stopping(), ckpt_path=tmp_path / "8.ckpt") == 2 + 3


def test_a_warmup_of_a_resume(tmp_path: Path) -> None:
    """A loss that rises on the way back up is none to stop at."""
    epochs(LearningRateWarmup(0, "linear"), SaveEveryBatch(tmp_path), max_epochs=5)
    longer, saves = LearningRateWarmup(0, "linear", resume_warmup=9), SaveEveryBatch(tmp_path)
    assert epochs(longer, saves, stopping(), ckpt_path=tmp_path / "18.ckpt") == 6 + 3
    # Resumed in the midst of that: from step 22, the fourth of the resumed run.
    assert epochs(longer, stopping(), ckpt_path=tmp_path / "4.ckpt") == 6 + 3


def test_its_state_is_its_parents(tmp_path: Path) -> None:
    epochs(LearningRateWarmup(4), SaveEveryBatch(tmp_path), stopping())
    states = torch.load(tmp_path / "8.ckpt", weights_only=True)["callbacks"]
    (state,) = (state for key, state in states.items() if key.startswith("EarlyStoppingAfterWarmup"))
    assert state["patience"] == 2
    assert pickle.loads(pickle.dumps(stopping())).patience == 2


def test_nothing_is_left_out_when_training_is_over() -> None:
    """Nor does a fit that is over stand in the way of the next."""
    warmup, early = LearningRateWarmup(100, total=200), stopping()
    assert epochs(warmup, early, max_epochs=2) == 2
    assert epochs(early) == 3


def test_of_either_package() -> None:
    """lightning.pytorch and pytorch_lightning, whose Trainers take it alike."""
    other = importlib.import_module("pytorch_lightning")
    assert isinstance(stopping(), other.Callback)
    assert isinstance(stopping(), importlib.import_module("lightning.pytorch").callbacks.EarlyStopping)

    class Module(other.LightningModule):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(2, 1)

        def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
            return self.layer(batch[0]).square().mean()

        def validation_step(self, batch: Any, batch_idx: int) -> None:
            self.log("worse", float(self.trainer.global_step))

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    run = other.Trainer(
        accelerator="cpu",
        max_epochs=20,
        enable_model_summary=False,
        callbacks=[LearningRateWarmup(9), stopping()],
        **quiet,
    )
    run.fit(Module(), loader(4), loader(1))
    assert run.current_epoch == 2 + 3


def test_in_yaml(tmp_path: Path, monkeypatch: Any) -> None:
    from lightning.pytorch.cli import LightningCLI

    monkeypatch.chdir(tmp_path)
    config = tmp_path / "run.yaml"
    config.write_text(
        """
seed_everything: 0
trainer:
  max_epochs: 20
  callbacks:
    - class_path: LearningRateWarmup
      init_args: {warmup: 9}
    - class_path: EarlyStoppingAfterWarmup
      init_args: {monitor: worse, patience: 2}
  accelerator: cpu
  logger: false
  enable_checkpointing: false
  enable_progress_bar: false
"""
    )
    monkeypatch.setattr(sys, "argv", ["run.py", "--config", str(config)])
    cli = LightningCLI(Worse, run=False)
    cli.trainer.fit(Worse(), loader(4), loader(1))
    assert cli.trainer.current_epoch == 2 + 3
