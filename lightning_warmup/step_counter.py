"""Counts the optimizer steps that really happened."""

import lightning.pytorch as pl
from torch.optim import Optimizer

from lightning_warmup.track import Track


class StepCounter:
    """Adds each optimizer step to its track's ``steps`` once it is known to have happened.

    A step begins in ``on_before_optimizer_step`` and may come to nothing: a GradScaler skips it, or an exception ends
    it. ``trainer.global_step`` alone does not tell: it counts skipped steps, and those of all optimizers together.

    Args:
        trainer: The Trainer of this ``fit``, once its optimizers are there. Without one there is nothing to count.
    """

    def __init__(self, trainer: pl.Trainer | None = None) -> None:
        self._trainer = trainer
        self._scaler = None if trainer is None else getattr(trainer.precision_plugin, "scaler", None)
        self._track: Track | None = None
        self._global_step = 0
        self._scale = 0.0

    def begin(self, track: Track) -> bool:
        """A step of this track begins; False if it is the one under way (LBFGS calls its closure again)."""
        assert self._trainer is not None
        global_step = self._trainer.global_step
        if self._track is track and self._global_step == global_step:
            return False
        self.settle()
        self._track, self._global_step = track, global_step
        if self._scaler is not None:
            self._scale = self._scaler.get_scale()
        return True

    def under_way(self, track: Track) -> bool:
        """Whether a step of this track was taken that is not in its ``steps`` yet."""
        if self._track is not track or self._trainer is None or self._trainer.global_step == self._global_step:
            return False
        # The scale falls when a step is skipped.
        return self._scaler is None or self._scaler.get_scale() >= self._scale

    def is_stepping(self, optimizer: Optimizer) -> bool:
        """Whether the step under way is one of this optimizer's."""
        return self._track is not None and self._track.optimizer is optimizer

    def settle(self, *, had_loss: bool = True) -> bool:
        """Count the step under way; False if there is none.

        Args:
            had_loss: Whether ``training_step`` returned a loss. Without one Lightning steps the optimizer all the same
                (with no gradients, but a step), except under a GradScaler.
        """
        if self._track is None:
            return False
        if had_loss or self._scaler is None:
            self._track.steps += self.under_way(self._track)
        self._track = None
        return True
