"""Counts the optimizer steps that really happened."""

import lightning.pytorch as pl

from lightning_warmup.track import Track


class StepCounter:
    """Adds each optimizer step to its track's ``steps`` once it is known to have happened.

    A step begins in ``on_before_optimizer_step`` and may come to nothing: a GradScaler skips it, or an exception ends
    it. ``trainer.global_step`` alone does not tell: it counts skipped steps, and those of all optimizers together.

    Args:
        trainer: The Trainer of this ``fit``, once its optimizers are there. Without one there is nothing to count.
    """

    def __init__(self, trainer: pl.Trainer | None = None) -> None:
        self.track: Track | None = None
        """The track whose step is under way."""
        self._scaler = None
        self._scale = 0.0
        self._before = 0
        if trainer is not None:
            self._scaler = getattr(trainer.precision_plugin, "scaler", None)
            # What trainer.global_step returns, at a tenth of its price: it is read twice a step.
            loop = trainer.fit_loop.epoch_loop
            if trainer.lightning_module.automatic_optimization:
                self._taken = loop.automatic_optimization.optim_progress.optimizer.step.total
            else:
                self._taken = loop.manual_optimization.optim_step_progress.total

    def begin(self, track: Track) -> None:
        """A step of this track begins."""
        self.track, self._before = track, self._taken.completed
        if self._scaler is not None:
            self._scale = self._scaler.get_scale()

    def repeats(self, track: Track) -> bool:
        """Whether this track's step is not done yet: LBFGS calls its closure several times in one step."""
        return self.track is track and self._taken.completed == self._before

    def under_way(self, track: Track) -> bool:
        """Whether a step of this track was taken that is not in its ``steps`` yet."""
        if self.track is not track or self._taken.completed == self._before:
            return False
        # The scale falls when a step is skipped.
        return self._scaler is None or self._scaler.get_scale() >= self._scale

    def settle(self, had_loss: object = True) -> Track | None:
        """Count the step under way.

        Args:
            had_loss: Whether ``training_step`` returned a loss. Without one Lightning steps the optimizer all the same
                (with no gradients, but a step), except under a GradScaler.

        Returns:
            The track that has taken a step; None if there was none under way, or it came to nothing.
        """
        track, self.track = self.track, None
        if track is None or self._taken.completed == self._before:
            return None
        # The scale falls when a step is skipped.
        if self._scaler is not None and (not had_loss or self._scaler.get_scale() < self._scale):
            return None
        track.steps += 1
        return track
