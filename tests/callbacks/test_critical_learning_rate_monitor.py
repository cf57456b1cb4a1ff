"""The critical learning rate, measured as training goes on."""

from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import LearningRateMonitor
from torch import Tensor, nn
from torch.optim import SGD, Optimizer
from torch.utils.data import DataLoader

from lightning_warmup import CriticalLearningRateMonitor, LearningRateWarmup, LossSpikeMonitor
from recorder import Recorder
from runs import trainer


class Bowl(pl.LightningModule):
    """L = 4θ²/2: for gradient descent the critical learning rate is 2/4 everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.ones(3, dtype=torch.float64))

    def training_step(self, batch: Tensor) -> Tensor:
        loss = 2 * (self.theta @ self.theta)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> Optimizer:
        return SGD(self.parameters(), lr=0.125)

    def train_dataloader(self) -> Any:
        return DataLoader(list(range(10)), batch_size=1)


def test_the_critical_learning_rate_over_training() -> None:
    logger = Recorder()
    warmup = LearningRateWarmup(4, warmup_initial_lr=0.0)
    callbacks = [CriticalLearningRateMonitor(every_n_steps=3), warmup, LearningRateMonitor()]
    run = trainer(*callbacks, max_epochs=1, logger=[logger], log_every_n_steps=1)
    run.fit(Bowl())
    # At step 0 the learning rate is 0: no multiple of it is critical.
    assert logger.series("warmup/critical_lr") == pytest.approx({3: 0.5, 6: 0.5, 9: 0.5}, rel=1 / 16)
    lr = {3: 0.75 * 0.125, 6: 0.125, 9: 0.125}
    assert logger.series("warmup/lr_over_critical_lr") == pytest.approx(
        {step: value / 0.5 for step, value in lr.items()}, rel=1 / 16
    )
    assert {step: logger.series("lr-SGD")[step] for step in lr} == pytest.approx(lr)
    assert float(run.callback_metrics["warmup/critical_lr"]) == pytest.approx(0.5, rel=1 / 16)


@pytest.mark.parametrize("arguments", [{}, {"barebones": True, "enable_checkpointing": False}])
def test_monitors_need_no_logger(arguments: dict[str, Any]) -> None:
    plain, watched = Bowl(), Bowl()
    if "barebones" in arguments:
        plain.log = watched.log = lambda *_, **__: None  # type: ignore[method-assign]
        arguments["logger"] = None
    trainer(max_epochs=1, **arguments).fit(plain)
    run = trainer(CriticalLearningRateMonitor(2), LossSpikeMonitor(), max_epochs=1, **arguments)
    run.fit(watched)
    assert torch.equal(plain.theta, watched.theta)
    assert "warmup/lr_over_critical_lr" in run.callback_metrics


def test_what_cannot_be_measured_is_refused_before_training() -> None:
    run = trainer(CriticalLearningRateMonitor(), max_epochs=1, accumulate_grad_batches=2)
    with pytest.raises(MisconfigurationException, match=r"CriticalLearningRateMonitor\(\) cannot measure"):
        run.fit(Bowl())


@pytest.mark.parametrize("every_n_steps", [0, 2.5, True])
def test_critical_arguments_are_checked(every_n_steps: Any) -> None:
    with pytest.raises(ValueError, match=rf"\(every_n_steps={every_n_steps}\): expected an int ≥ 1"):
        CriticalLearningRateMonitor(every_n_steps)
