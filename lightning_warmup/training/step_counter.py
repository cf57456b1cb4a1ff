"""Counts the optimizer steps that really happened."""

from collections.abc import Sequence
from typing import Any

from lightning_utilities.core.rank_zero import rank_zero_warn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from lightning_warmup.training import lightning_names as pl
from lightning_warmup.training.scheduled_optimizer import ScheduledOptimizer


class StepCounter:
    """Adds each optimizer step to its ``steps`` once it is known to have happened.

    A step begins in ``on_before_optimizer_step`` and may come to nothing: a GradScaler skips it, or an exception ends
    it. ``trainer.global_step`` alone does not tell: it counts skipped steps, and those of all optimizers together. The
    optimizer itself tells, by torch's step hook; where it is none of torch's, ``global_step`` has to do.

    Args:
        owner: The callback, quoted in the warning.
        trainer: The Trainer of this ``fit``, once its optimizers are there.
        optimizers: The optimizers to count.
    """

    def __init__(self, owner: str, trainer: pl.Trainer, optimizers: Sequence[ScheduledOptimizer]) -> None:
        self.under_way: ScheduledOptimizer | None = None
        """The optimizer whose step is under way."""
        self._owner = owner
        self._stepped = False
        self._before = 0
        self._scale = 0.0
        self._warned = False
        self._hooks: list[RemovableHandle] = []
        self._unwatched: list[Any] = []
        self.watch(optimizers)
        self._scaler = getattr(trainer.precision_plugin, "scaler", None)
        # The two that trainer.global_step chooses from, at a tenth of its price.
        loop = trainer.fit_loop.epoch_loop
        self._automatic = loop.automatic_optimization.optim_progress.optimizer.step.total
        self._manual = loop.manual_optimization.optim_step_progress.total

    def watch(self, optimizers: Sequence[ScheduledOptimizer]) -> None:
        """Count the steps of these optimizers from now on."""
        while self._hooks:
            self._hooks.pop().remove()
        self._unwatched = []
        for optimizer in (scheduled.optimizer for scheduled in optimizers):
            # Lightning takes optimizers that are none of torch's, as DeepSpeed's, and wrappers that leave out
            # super().__init__(), as Lookahead's.
            if isinstance(optimizer, Optimizer) and hasattr(optimizer, "_optimizer_step_post_hooks"):
                self._hooks.append(optimizer.register_step_post_hook(self._after_step))
            else:
                self._unwatched.append(optimizer)

    def begin(self, scheduled: ScheduledOptimizer) -> None:
        """A step of this optimizer begins."""
        self.under_way, self._stepped = scheduled, False
        self._before = self._automatic.completed + self._manual.completed
        if self._scaler is not None:
            self._scale = self._scaler.get_scale()

    def _after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if (scheduled := self.under_way) is not None and scheduled.optimizer is optimizer:
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
        ours = self.under_way is not None and self.under_way.optimizer is optimizer
        return ours and self._scaler is None and not self.happened()

    def happened(self) -> bool:
        """Whether the step under way was taken."""
        if self._scaler is None:
            return self._stepped or self._automatic.completed + self._manual.completed != self._before
        # A fused optimizer skips a step inside of it, and one that is not watched tells nothing; the scale falls then.
        stepped = self._stepped
        if self._unwatched and self.under_way is not None and self.under_way.optimizer in self._unwatched:
            stepped = self._automatic.completed + self._manual.completed != self._before
        return stepped and self._scaler.get_scale() >= self._scale

    def settle(self) -> ScheduledOptimizer | None:
        """Count the step under way.

        Returns:
            The optimizer that has taken a step; None if none was under way, or it came to nothing.
        """
        scheduled, self.under_way = self.under_way, None
        if scheduled is None or not self.happened():
            return None
        scheduled.steps += 1
        return scheduled

    def remove(self) -> None:
        """Leave the optimizers as they were found."""
        self.under_way = None
        self.watch([])
