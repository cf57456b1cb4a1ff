"""A step that a GradScaler skips does not advance the schedule."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch

from checkpoints import SaveEveryBatch
from lightning_warmup import LearningRateWarmup
from overflows import SKIPPED, Overflows, scaled
from runs import RecordingSGD, fit, loader, trainer
from summary import resume_point

pytestmark = pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended")


@pytest.mark.parametrize("interval", ["step", "epoch"])
@pytest.mark.parametrize("accumulation", [1, 2])
def test_skipped_steps_are_not_counted(accumulation: int, interval: Any) -> None:
    callback = LearningRateWarmup(6 if interval == "step" else 1, "cosine", interval=interval)
    module = fit(callback, Overflows(), max_epochs=2, plugins=[scaled()], accumulate_grad_batches=accumulation)
    used = module.used
    taken = 20 - len(SKIPPED) if accumulation == 1 else 10 - len({batch // 2 for batch in SKIPPED})
    assert len(used) == taken
    total = 20 // accumulation
    assert used == callback.values(0.1, total_steps=total, steps_per_epoch=total // 2)[:taken]
    assert callback.state_dict()["optimizers"][0]["steps"] == taken


@pytest.mark.parametrize("ours_first", [True, False])
def test_and_that_survives_resume(ours_first: bool, tmp_path: Path) -> None:
    callbacks: list[pl.Callback] = [LearningRateWarmup(6, "cosine"), SaveEveryBatch(tmp_path)]
    settings: dict[str, Any] = {"max_epochs": 2}
    whole = fit(callbacks if ours_first else callbacks[::-1], Overflows(), plugins=[scaled()], **settings)
    for batch in range(1, 20):
        with resume_point():
            path = tmp_path / f"{batch}.ckpt"
            again = LearningRateWarmup(6, "cosine")
            resumed = fit(again, Overflows(), ckpt_path=path, plugins=[scaled()], **settings)
            assert resumed.used == whole.used[len(whole.used) - len(resumed.used) :]
            assert torch.equal(whole.weight, resumed.weight)


class NoLoss(Overflows):
    def training_step(self, batch: Any, batch_idx: int) -> Any:
        return None if batch_idx == 2 else self.loss(batch)


@pytest.mark.filterwarnings("ignore:.*training_step.* returned .None.")
def test_no_loss_under_a_scaler_is_no_step() -> None:
    # With a scaler Lightning does not step the optimizer at all then.
    callback = LearningRateWarmup(6, "cosine")
    module = fit(callback, NoLoss(), max_epochs=2, plugins=[scaled()])
    assert module.used == callback.values(0.1, total_steps=20, steps_per_epoch=10)[: len(module.used)]


class Manual(Overflows):
    """Steps two optimizers, both through the scaler."""

    def __init__(self) -> None:
        super().__init__(lambda m: [RecordingSGD([m.weight], lr=0.1), RecordingSGD([m.bias], lr=0.2)])
        self.automatic_optimization = False

    def training_step(self, batch: Any, batch_idx: int) -> None:
        for optimizer in self.optimizers():
            optimizer.zero_grad()
            loss = self.loss(batch)
            self.overflow = batch_idx % 3 == 0 and optimizer is self.optimizers()[0]
            self.manual_backward(loss)
            optimizer.step()

    def on_before_backward(self, loss: torch.Tensor) -> None:
        pass


def test_manual_optimization_skips_by_optimizer() -> None:
    callback = LearningRateWarmup(6, "linear", total=20)
    module = Manual()
    trainer(callback, max_epochs=2, plugins=[scaled()]).fit(module, loader(10))
    first, second = module.trainer.optimizers
    assert len(first.used) == 12
    assert len(second.used) == 20
    assert first.lrs() == callback.values(0.1, total_steps=20, steps_per_epoch=10)[:12]
    assert second.lrs() == callback.values(0.2, total_steps=20, steps_per_epoch=10)


def test_a_callback_for_each_optimizer() -> None:
    """The second optimizer overflows after the first has stepped."""

    class SecondOverflows(Manual):
        def training_step(self, batch: Any, batch_idx: int) -> None:
            for optimizer in self.optimizers():
                optimizer.zero_grad()
                self.overflow = batch_idx % 3 == 0 and optimizer is self.optimizers()[1]
                self.manual_backward(self.loss(batch))
                if self.overflow:
                    self.bias.grad = torch.full_like(self.bias, torch.inf)
                optimizer.step()

    callbacks = [LearningRateWarmup(6, "linear", total=20, optimizer=index) for index in (0, 1)]
    module = SecondOverflows()
    trainer(*callbacks, max_epochs=2, plugins=[scaled()]).fit(module, loader(10))
    for optimizer, callback, lr, taken in zip(module.trainer.optimizers, callbacks, (0.1, 0.2), (20, 12), strict=True):
        assert optimizer.lrs() == callback.values(lr, total_steps=20, steps_per_epoch=10)[:taken]
        assert len(optimizer.used) == taken


def test_one_optimizer_that_skips_and_steps_in_one_batch() -> None:
    class Twice(Manual):
        def training_step(self, batch: Any, batch_idx: int) -> None:
            optimizer = self.optimizers()[0]
            for self.overflow in (True, False, True, False):
                optimizer.zero_grad()
                self.manual_backward(self.loss(batch))
                optimizer.step()

    callback = LearningRateWarmup(6, "linear", total=40, optimizer=0)
    module = Twice()
    trainer(callback, max_epochs=2, plugins=[scaled()]).fit(module, loader(10))
    used = module.trainer.optimizers[0].lrs()
    assert used == callback.values(0.1, total_steps=40, steps_per_epoch=40)
    assert len(used) == 40


@pytest.mark.filterwarnings("ignore:.*training_step.* returned .None.")
def test_a_checkpoint_of_a_batch_without_a_loss(tmp_path: Path) -> None:
    # Saved by a callback that comes before ours.
    whole = fit([SaveEveryBatch(tmp_path), LearningRateWarmup(6)], NoLoss(), max_epochs=2, plugins=[scaled()])
    again = fit(LearningRateWarmup(6), NoLoss(), max_epochs=2, plugins=[scaled()], ckpt_path=tmp_path / "3.ckpt")
    assert again.used == whole.used[len(whole.used) - len(again.used) :]


def test_a_fused_optimizer_skips_inside_its_step() -> None:
    callback = LearningRateWarmup(6, "cosine")
    module = Overflows(lambda m: torch.optim.Adam(m.parameters(), lr=0.1, fused=True))
    fit(callback, module, max_epochs=2, plugins=[scaled()])
    assert callback.state_dict()["optimizers"][0]["steps"] == 20 - len(SKIPPED)
    taken = [int(state["step"]) for state in module.trainer.optimizers[0].state.values()]
    assert taken == [20 - len(SKIPPED)] * 2  # Adam's own count
