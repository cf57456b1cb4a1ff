"""Counts the optimizer steps that really happened."""

import lightning.pytorch as pl

from lightning_warmup.track import Track


class StepCounter:
    """Adds each optimizer step to its track's ``steps`` once it is known to have happened.

    A step begins in ``on_before_optimizer_step`` and may come to nothing: a GradScaler skips it, or an exception ends
    it. ``trainer.global_step`` alone does not tell: it counts skipped steps, and those of all optimizers together.
    """

    def __init__(self) -> None:
        self._track: Track | None = None
        self._trainer: pl.Trainer | None = None
        self._global_step = 0
        self._scale: float | None = None

    def begin(self, track: Track, trainer: pl.Trainer) -> bool:
        """A step of this track begins; False if it is the one under way (LBFGS calls its closure again)."""
        if self._track is track and self._global_step == trainer.global_step:
            return False
        self.settle()
        self._track, self._trainer = track, trainer
        self._global_step, self._scale = trainer.global_step, _scale(trainer)
        return True

    def under_way(self, track: Track) -> bool:
        """Whether a step of this track was taken that is not in its ``steps`` yet."""
        if self._track is not track or self._trainer is None or self._trainer.global_step == self._global_step:
            return False
        # The scale falls when a step is skipped.
        return self._scale is None or (_scale(self._trainer) or 0.0) >= self._scale

    def is_of(self, track: Track) -> bool:
        """Whether the step under way is one of this track's."""
        return self._track is track

    def settle(self, *, had_loss: bool = True) -> bool:
        """Count the step under way; False if there is none.

        Args:
            had_loss: Whether ``training_step`` returned a loss. Without one Lightning steps the optimizer all the same
                (with no gradients, but a step), except under a GradScaler.
        """
        if self._track is None:
            return False
        if had_loss or self._scale is None:
            self._track.steps += self.under_way(self._track)
        self._track = self._trainer = None
        return True


def _scale(trainer: pl.Trainer) -> float | None:
    scaler = getattr(trainer.precision_plugin, "scaler", None)
    return None if scaler is None else float(scaler.get_scale())
