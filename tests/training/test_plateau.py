"""ReduceLROnPlateau behind the warmup."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch.optim.lr_scheduler import ReduceLROnPlateau

from checkpoints import SaveEveryBatch
from lightning_warmup import LearningRateWarmup, ReduceOnPlateauDecay
from processes import Tell, told
from runs import Line, Logging, fit, loader, trainer

pytestmark = pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended")

LOSSES = [9.0, 8.0, 8.0, 8.0, 7.0, 7.0, 7.0, 7.0, 7.0, 7.0]


class Measured(Logging):
    """Logs these losses, one by one."""

    losses = LOSSES

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        # From the number of steps, so that a resumed run goes on where it was.
        self.log("val_loss", self.losses[self.global_step // 4 - 1])


def run(callback: Any, module: Line | None = None, epochs: int = 10, ckpt_path: Any = None, **kwargs: Any) -> Line:
    module = module or Measured()
    callbacks = callback if isinstance(callback, list) else [callback]
    trainer(*callbacks, max_epochs=epochs, **kwargs).fit(module, loader(4), loader(1), ckpt_path=ckpt_path)
    return module


def torchs(losses: list[float], skip: int, **kwargs: Any) -> list[float]:
    """Factor in each epoch, by torch's own, which sees the losses from epoch ``skip`` on."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    scheduler = ReduceLROnPlateau(optimizer, **kwargs)
    factors = []
    for epoch, loss in enumerate(losses):
        factors.append(optimizer.param_groups[0]["lr"])
        if epoch >= skip:
            scheduler.step(loss)
    return factors


def test_it_is_torchs_after_the_warmup() -> None:
    used = run(LearningRateWarmup(4, ReduceOnPlateauDecay("val_loss", factor=0.5, patience=1))).used
    factors = torchs(LOSSES, skip=0, factor=0.5, patience=1)
    assert used[4:] == [0.1 * factor for factor in factors[1:] for _ in range(4)]
    assert used[-1] < 0.1 / 3


def test_nothing_is_counted_during_the_warmup() -> None:
    decay = ReduceOnPlateauDecay("val_loss", factor=0.5, patience=0)
    used = run(LearningRateWarmup(17, decay, warmup_initial_lr=0.1)).used
    # The warmup ends in epoch 4: the losses of epochs 0 to 3 are not looked at.
    factors = torchs(LOSSES, skip=4, factor=0.5, patience=0)
    assert used == [0.1 * factor for factor in factors for _ in range(4)]


def test_by_epoch_and_cooldown() -> None:
    decay = ReduceOnPlateauDecay("val_loss", factor=0.5, patience=0)
    used = run(LearningRateWarmup(1, decay, interval="epoch", cooldown=3)).used
    factors = torchs(LOSSES[:8], skip=1, factor=0.5, patience=0)
    assert used[4:32] == [0.1 * factor for factor in factors[1:] for _ in range(4)]
    assert used[32:] == [used[31]] * 8


def test_final_is_a_floor() -> None:
    decay = ReduceOnPlateauDecay("val_loss", factor=0.1, patience=0, final=0.05)
    assert run(LearningRateWarmup(0, decay)).used[-1] == pytest.approx(0.005)


def test_without_validation_it_looks_at_the_training_epoch() -> None:
    class Trained(Line):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            self.log("loss", LOSSES[self.current_epoch], on_step=False, on_epoch=True)
            return self.loss(batch)

    decay = ReduceOnPlateauDecay("loss", factor=0.5, patience=1)
    used = fit(LearningRateWarmup(2, decay), Trained(), max_epochs=10, batches=4).used
    factors = torchs(LOSSES, skip=0, factor=0.5, patience=1)
    assert used[4:] == [0.1 * factor for factor in factors[1:] for _ in range(4)]


@pytest.mark.parametrize("ours_first", [True, False])
def test_resume(ours_first: bool, tmp_path: Path) -> None:
    def warmup() -> LearningRateWarmup:
        return LearningRateWarmup(4, ReduceOnPlateauDecay("val_loss", factor=0.5, patience=1))

    callbacks = [warmup(), SaveEveryBatch(tmp_path)]
    whole = run(callbacks if ours_first else callbacks[::-1])
    for batch in range(1, 40):
        # A checkpoint of an epoch's last batch is from before its validation, which Lightning does not repeat.
        if batch % 4:
            resumed = run(warmup(), ckpt_path=tmp_path / f"{batch}.ckpt")
            assert resumed.used == whole.used[batch:]
    state = torch.load(tmp_path / "39.ckpt", weights_only=True)["callbacks"][warmup().state_key]["plateau"]
    assert set(state) == {"factor", "best", "num_bad_epochs", "cooldown_counter", "last_epoch"}


def test_a_missing_metric_lists_those_there_are() -> None:
    with pytest.raises(MisconfigurationException, match=r"monitor='val_los'\).*There are: train_loss, val_loss"):
        run(LearningRateWarmup(2, ReduceOnPlateauDecay("val_los")))


def test_nan_is_no_improvement_and_said() -> None:
    class NotANumber(Measured):
        losses = [float("nan")] * 10

    with pytest.warns(UserWarning, match="val_loss is nan at step 4: no improvement"):
        used = run(LearningRateWarmup(0, ReduceOnPlateauDecay("val_loss", factor=0.5, patience=1)), NotANumber()).used
    assert used[-1] < 0.1


def test_a_reduction_is_said(messages: list[str]) -> None:
    run(LearningRateWarmup(2, ReduceOnPlateauDecay("val_loss", factor=0.5, patience=1)))
    assert "LearningRateWarmup: val_loss has stopped improving, factor 0.5 from now on." in messages
    assert (
        "LearningRateWarmup: lr 0.03333 → 0.1 over 2 steps, reduced on plateaus of val_loss from step 2 on" in messages
    )


@pytest.mark.filterwarnings("ignore:It is recommended to use `self.log")
def test_every_rank_sees_the_mean(tmp_path: Path) -> None:
    class Uneven(Line):
        def validation_step(self, batch: Any, batch_idx: int) -> None:
            # Gets better on rank 0, and faster worse on rank 1.
            self.log("val_loss", (1.0 if self.global_rank else -0.5) * self.current_epoch, sync_dist=False)

    def module() -> Line:
        return Uneven(lambda m: torch.optim.SGD(m.parameters(), lr=0.1))

    warmup = LearningRateWarmup(2, ReduceOnPlateauDecay("val_loss", factor=0.5, patience=0))
    ours = trainer(warmup, Tell(tmp_path), strategy="ddp_fork", devices=2, max_epochs=4)
    ours.fit(module(), loader(4), loader(2))
    first, second = told(tmp_path)
    assert first == second
    assert first["used"][-1] < 0.1
