"""An experiment: the learning rate from the gap between the loss and a guess of what it will be in the end."""

import math
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from lightning_warmup import LearningRateWarmup


class LossGap(Callback):
    r"""Up while the gap :math:`\Delta` closes, then linearly to 0; what is left of arXiv 2602.05813 with K1 = 0.

    .. math:: \eta = \frac{\Delta}{K_0 + K_2 \Delta^2}

    K0 and K2 are such that the first step has ``START`` of the target and the highest is the target. The gap is of a
    running mean of the training loss. The rate never falls on the way up, and once it is at the target (or the run is
    half over) the decay has the rest of the run.

    Args:
        guess: Of the final loss.
        steps: Of the run.
    """

    START = 0.1

    def __init__(self, guess: float, steps: int) -> None:
        self.guess = guess
        self.steps = steps
        self.mean = math.nan
        self.first = math.nan
        self.share = self.START
        self.warmup_steps: int | None = None

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Write the learning rate of this step."""
        (group,) = trainer.optimizers[0].param_groups
        group.setdefault("peak", group["lr"])
        t = trainer.global_step
        if self.warmup_steps is None and (self.share >= 0.999 or t >= self.steps // 2):
            self.warmup_steps = t
            rest = LearningRateWarmup(0, "linear").values(1.0, total_steps=self.steps - t, steps_per_epoch=1)
            self.rest = [value * self.share for value in rest]
        group["lr"] = group["peak"] * (self.share if self.warmup_steps is None else self.rest[t - self.warmup_steps])

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any) -> None:
        """Look at the loss."""
        loss = float(outputs["loss"])
        if math.isnan(self.first):
            self.first = self.mean = loss
        self.mean += 0.1 * (loss - self.mean)
        # At the first gap Δ0 the share is START, at Δ* it is 1: of r = Δ / Δ*, 2 / (r + 1 / r).
        r0 = (1 + math.sqrt(1 - self.START**2)) / self.START
        r = max(1.0, r0 * (self.mean - self.guess) / (self.first - self.guess))
        self.share = max(self.share, 2 / (r + 1 / r))
