"""Counts the optimizer steps that really happened."""

from collections.abc import Sequence
from typing import Any

import lightning.pytorch as pl
from lightning_utilities.core.rank_zero import rank_zero_warn
from torch.optim import Optimizer

from lightning_warmup.track import Track


class StepCounter:
    """Adds each optimizer step to its track's ``steps`` once it is known to have happened.

    A step begins in ``on_before_optimizer_step`` and may come to nothing: a GradScaler skips it, or an exception ends
    it. ``trainer.global_step`` alone does not tell: it counts skipped steps, and those of all optimizers together. The
    optimizer itself tells, by torch's step hook; where it is none of torch's, ``global_step`` has to do.

    Args:
        owner: The callback, quoted in the warning.
        trainer: The Trainer of this ``fit``, once its optimizers are there. Without one there is nothing to count.
        tracks: The tracks of the optimizers to count.
    """

    def __init__(self, owner: str = "", trainer: pl.Trainer | None = None, tracks: Sequence[Track] = ()) -> None:
        self.track: Track | None = None
        """The track whose step is under way."""
        self.counts = trainer is not None
        self._owner = owner
        self._stepped = False
        self._before = 0
        self._scaler = None
        self._scale = 0.0
        self._warned = False
        # Lightning takes optimizers that are none of torch's, as DeepSpeed's.
        watched = [track.optimizer for track in tracks if isinstance(track.optimizer, Optimizer)]
        self._hooks = [optimizer.register_step_post_hook(self._after_step) for optimizer in watched]
        if trainer is not None:
            self._scaler = getattr(trainer.precision_plugin, "scaler", None)
            # The two that trainer.global_step chooses from, at a tenth of its price.
            loop = trainer.fit_loop.epoch_loop
            self._automatic = loop.automatic_optimization.optim_progress.optimizer.step.total
            self._manual = loop.manual_optimization.optim_step_progress.total

    def begin(self, track: Track) -> None:
        """A step of this track begins."""
        self.track, self._stepped = track, False
        self._before = self._automatic.completed + self._manual.completed
        if self._scaler is not None:
            self._scale = self._scaler.get_scale()

    def _after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if (track := self.track) is not None and track.optimizer is optimizer:
            self._stepped = True
        elif not self._warned:
            self._warned = True
            rank_zero_warn(
                f"{type(optimizer).__name__} was stepped without Lightning knowing: {self._owner} cannot count such"
                " steps, and its value stays where it is. Step the optimizers that self.optimizers() returns, or"
                " those that optimizer_step() is given."
            )

    def repeats(self, optimizer: Optimizer) -> bool:
        """Whether the step under way is this optimizer's, and not done yet (under a GradScaler it may have skipped)."""
        ours = self.track is not None and self.track.optimizer is optimizer
        return ours and self._scaler is None and not self.happened()

    def happened(self) -> bool:
        """Whether the step under way was taken."""
        if self._scaler is None:
            return self._stepped or self._automatic.completed + self._manual.completed != self._before
        # A fused optimizer skips a step inside of it; the scale falls then.
        return self._stepped and self._scaler.get_scale() >= self._scale

    def settle(self) -> Track | None:
        """Count the step under way.

        Returns:
            The track that has taken a step; None if there was none under way, or it came to nothing.
        """
        track, self.track = self.track, None
        if track is None or not self.happened():
            return None
        track.steps += 1
        return track

    def remove(self) -> None:
        """Leave the optimizers as they were found."""
        self.track = None
        while self._hooks:
            self._hooks.pop().remove()
