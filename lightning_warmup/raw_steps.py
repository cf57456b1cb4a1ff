"""Notices optimizers that the module steps behind Lightning's back."""

from collections.abc import Sequence
from typing import Any

from lightning_utilities.core.rank_zero import rank_zero_warn
from torch.optim import Optimizer

from lightning_warmup.step_counter import StepCounter
from lightning_warmup.track import Track


class RawStepWatch:
    """Says once that an optimizer was stepped without Lightning knowing: such steps cannot be counted.

    Args:
        owner: The callback, quoted in the warning.
        tracks: The tracks of the optimizers to watch.
        counter: Knows which step is under way.
    """

    def __init__(self, owner: str, tracks: Sequence[Track], counter: StepCounter) -> None:
        self._owner = owner
        self._counter = counter
        self._warned = False
        # Lightning takes optimizers that are none of torch's, as DeepSpeed's.
        watched = [track.optimizer for track in tracks if isinstance(track.optimizer, Optimizer)]
        self._hooks = [optimizer.register_step_post_hook(self._stepped) for optimizer in watched]

    def _stepped(self, optimizer: Optimizer, *_: Any) -> None:
        track = self._counter.track
        if (track is None or track.optimizer is not optimizer) and not self._warned:
            self._warned = True
            rank_zero_warn(
                f"{type(optimizer).__name__} was stepped without Lightning knowing: {self._owner} cannot count such"
                " steps, and its value stays where it is. Step the optimizers that self.optimizers() returns, or"
                " those that optimizer_step() is given."
            )

    def remove(self) -> None:
        """Leave the optimizers as they were found."""
        while self._hooks:
            self._hooks.pop().remove()
