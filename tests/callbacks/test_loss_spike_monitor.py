"""The loss over its best so far."""

import math
from collections.abc import Sequence
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn
from torch.optim import SGD, Optimizer
from torch.utils.data import DataLoader

from lightning_warmup import LearningRateWarmup, LossSpikeMonitor
from recorder import Recorder
from runs import trainer


class Script(pl.LightningModule):
    """Reports the losses it is told, whatever happens to its weight."""

    def __init__(self, losses: Sequence[float]) -> None:
        super().__init__()
        self.losses = losses
        self.weight = nn.Parameter(torch.zeros(()))

    def loss(self, i: int) -> float:
        return self.losses[i]

    def training_step(self, batch: Tensor) -> Tensor:
        return 0 * self.weight + self.loss(int(batch[0]))

    def configure_optimizers(self) -> Optimizer:
        return SGD([self.weight], lr=0.1)

    def train_dataloader(self) -> Any:
        return DataLoader(list(range(len(self.losses))), batch_size=1)


def test_the_ratio_is_to_the_best_running_loss() -> None:
    logger = Recorder()
    losses = [8.0, 6.0, 2.0, 5.0, 1.0, 1.0]
    run = trainer(LossSpikeMonitor(window=2, threshold=9.0), max_epochs=1, logger=[logger], log_every_n_steps=1)
    run.fit(Script(losses))
    # Running means of 2: 8, 7, 4, 3.5, 3, 1.
    ratios = logger.series("warmup/loss_ratio")
    assert ratios == pytest.approx({1: 6 / 8, 2: 2 / 7, 3: 5 / 4, 4: 1 / 3.5, 5: 1 / 3})
    assert float(run.callback_metrics["warmup/loss_ratio"]) == pytest.approx(1 / 3)


MESSAGE = "lengthen it, lower target_lr, or try warmup_initial_lr='critical'"


@pytest.mark.parametrize(
    ("spike", "message"),
    [
        (41, f"loss rose 8.3× at step 41 of a 100-step warmup: {MESSAGE}"),
        (150, f"loss rose 8.3× at step 150, after a 100-step warmup: {MESSAGE}"),
    ],
)
def test_a_spike_says_what_to_change(spike: int, message: str) -> None:
    losses = [1.0] * 220
    losses[spike] = losses[spike + 1] = 8.3  # one message, not two
    with pytest.warns(UserWarning, match="loss rose") as caught:
        trainer(LearningRateWarmup(100), LossSpikeMonitor(), max_epochs=1).fit(Script(losses))
    assert [str(warning.message) for warning in caught if "loss" in str(warning.message)] == [message]


def test_long_after_the_warmup_a_spike_is_not_the_warmups() -> None:
    losses = [1.0] * 220
    losses[210] = 8.3
    trainer(LossSpikeMonitor(), LearningRateWarmup(100), max_epochs=1).fit(Script(losses))


def test_a_spike_without_a_warmup() -> None:
    losses = [1.0] * 60
    losses[50] = 3.0
    with pytest.warns(UserWarning, match=r"loss rose 3.0× at step 50 without a warmup: add LearningRateWarmup"):
        trainer(LossSpikeMonitor(), max_epochs=1).fit(Script(losses))


def test_a_loss_that_is_not_finite_is_a_spike_and_is_not_averaged() -> None:
    logger = Recorder()
    monitor = LossSpikeMonitor(window=2)
    run = trainer(LearningRateWarmup(4), monitor, max_epochs=1, logger=[logger], log_every_n_steps=1)
    with pytest.warns(UserWarning, match="loss was not finite at step 2 of a 4-step warmup"):
        run.fit(Script([2.0, 2.0, math.nan, 3.0]))
    assert logger.series("warmup/loss_ratio")[3] == 1.5


def test_losses_below_zero_have_no_ratio() -> None:
    logger = Recorder()
    run = trainer(LossSpikeMonitor(window=1), max_epochs=1, logger=[logger], log_every_n_steps=1)
    run.fit(Script([1.0, 0.5, -3.0, -1.0, 2.0]))
    expected = {1: 0.5, 2: -6.0, 3: math.nan, 4: math.nan}
    assert logger.series("warmup/loss_ratio") == pytest.approx(expected, nan_ok=True)


def test_micro_batches_are_not_steps() -> None:
    losses = [1.0] * 20
    losses[13] = 5.0
    with pytest.warns(UserWarning, match=r"loss rose 5.0× at step 3 of a 4-step warmup"):
        trainer(LearningRateWarmup(4), LossSpikeMonitor(), max_epochs=1, accumulate_grad_batches=4).fit(Script(losses))


def test_manual_optimization_may_return_nothing() -> None:
    class Manual(Script):
        def __init__(self) -> None:
            super().__init__([1.0, 9.0])
            self.automatic_optimization = False

        def training_step(self, batch: Tensor) -> None:  # type: ignore[override]
            self.optimizers().step()  # type: ignore[union-attr]

    trainer(LossSpikeMonitor(), max_epochs=1).fit(Manual())


@pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended")
def test_a_resumed_run_remembers_the_best_loss(tmp_path: Any) -> None:
    losses = [1.0] * 8 + [5.0] * 4
    first = trainer(LearningRateWarmup(20, total=40), LossSpikeMonitor(), max_steps=8)
    first.fit(Script(losses))
    first.save_checkpoint(tmp_path / "last.ckpt")
    second = trainer(LearningRateWarmup(20, total=40), LossSpikeMonitor(), max_steps=12)
    with pytest.warns(UserWarning, match=r"loss rose 5.0× at step 8 of a 20-step warmup"):
        second.fit(Script([5.0] * 12), ckpt_path=tmp_path / "last.ckpt")


class Ranked(Script):
    def loss(self, i: int) -> float:
        return self.losses[self.trainer.global_step] * (1 if self.trainer.global_rank == 0 else 3)


class Keep(Callback):
    def __init__(self, path: Any) -> None:
        self.path = path

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        torch.save(dict(trainer.callback_metrics), self.path / f"{trainer.global_rank}.pt")


@pytest.mark.filterwarnings("ignore:It is recommended to use `self.log")
def test_two_processes_see_the_same(tmp_path: Any) -> None:
    run = trainer(LossSpikeMonitor(), Keep(tmp_path), max_epochs=1, strategy="ddp_fork", devices=2)
    run.fit(Ranked([1.0, 1.0, 1.5, 0, 0, 0]))
    kept = [torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1)]
    assert kept[0] == kept[1]
    assert float(kept[0]["warmup/loss_ratio"]) == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"window": 0}, r"LossSpikeMonitor\(window=0\): expected a number of batches, an int ≥ 1"),
        ({"window": 2.0}, "window=2.0"),
        ({"threshold": 1.0}, r"LossSpikeMonitor\(threshold=1.0\): expected a finite number > 1"),
        ({"threshold": math.inf}, "threshold=inf"),
    ],
)
def test_spike_arguments_are_checked(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LossSpikeMonitor(**arguments)
