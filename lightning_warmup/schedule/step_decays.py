"""Decays that step down: at regular intervals, or at milestones."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, cast

from lightning_warmup.schedule.checks import Factor, keep_factor, positive
from lightning_warmup.schedule.decays import Decay, DecayContext, positive_duration, repr_without_floor
from lightning_warmup.schedule.durations import Duration, parse_duration


@dataclass(frozen=True)
class StepDecay(Decay):
    r"""A step down at regular intervals.

    .. math:: \max(\mathrm{final}, \mathrm{gamma}^{\lfloor \tau / \mathrm{every} \rfloor})

    Args:
        every: Duration > 0 between steps; a bare int counts steps, or epochs with ``interval="epoch"``, where it must
            be a whole number of epochs.
        gamma: Factor of each step, finite and > 0.
        final: Floor of the factor, finite and ≥ 0, or "10%".

    Raises:
        ValueError: If an argument is out of range.

    >>> from lightning_warmup import LearningRateWarmup
    >>> decay = StepDecay(2, gamma=0.5, final=0.25)
    >>> LearningRateWarmup(0, decay).values(1.0, total_steps=8, steps_per_epoch=8)
    [1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25]
    """

    every: Duration
    gamma: float = 0.1
    final: Factor = 0.0
    ends: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        positive_duration("StepDecay", "every", self.every)
        positive("StepDecay", "gamma", self.gamma)
        keep_factor(self, "final")

    def factor_at(self, tau: float, length: float) -> float:
        return max(cast(float, self.final), math.pow(self.gamma, tau // cast(int, self.every)))

    def settles(self, last: float) -> float | None:
        every = cast(int, self.every)
        if last == math.inf:
            return None
        jumps = last // every if self.gamma != 1 else 0
        return min(jumps, _jumps_to(cast(float, self.final), self.gamma)) * every

    def resolved(self, context: DecayContext) -> "StepDecay":
        return replace(self, every=context.intervals("StepDecay", "every", self.every))


@dataclass(frozen=True, repr=False)
class MultiStepDecay(Decay):
    r"""A step down at each milestone.

    .. math:: \max(\mathrm{final}, \mathrm{gamma}^{\#\{m \le t\}})

    where t is counted from the start of the run.

    Args:
        milestones: Durations from the start of the run that do not decrease, none inside the warmup or hold; one that
            is there twice is two steps at once. Step m is the first with the lower value. A bare int counts steps, or
            epochs with ``interval="epoch"``. One that the run does not reach is told by a warning.
        gamma: Factor of each step, finite and > 0.
        final: Floor of the factor, finite and ≥ 0, or "10%".

    Raises:
        ValueError: If ``milestones`` is empty, decreasing, or one falls inside the warmup or hold; if ``gamma`` or
            ``final`` is out of range.

    >>> from lightning_warmup import LearningRateWarmup
    >>> LearningRateWarmup(0, MultiStepDecay([2, 4], gamma=0.5)).values(1.0, total_steps=5, steps_per_epoch=5)
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    milestones: Sequence[Duration]
    gamma: float = 0.1
    final: Factor = 0.0
    ends: ClassVar[bool] = False

    __repr__ = repr_without_floor

    def __post_init__(self) -> None:
        super().__post_init__()
        call = f"MultiStepDecay(milestones={self.milestones!r})"
        if isinstance(self.milestones, str) or not isinstance(self.milestones, Sequence) or not self.milestones:
            raise ValueError(f"{call}: expected a list of one duration or more, for example [30, 60, 80].")
        for milestone in self.milestones:
            parse_duration("MultiStepDecay", "milestones", milestone)
        positive("MultiStepDecay", "gamma", self.gamma)
        keep_factor(self, "final")
        if all(isinstance(milestone, int) for milestone in self.milestones):
            self._check_increasing(self.milestones)

    def _check_increasing(self, milestones: Sequence[Duration]) -> None:
        if any(a > b for a, b in itertools.pairwise(cast(Sequence[int], milestones))):
            resolved = "" if milestones == self.milestones else f" (here {list(milestones)})"
            raise ValueError(
                f"MultiStepDecay(milestones={self.milestones!r}){resolved} must increase, or stay the same: sort them."
            )

    def factor_at(self, tau: float, length: float) -> float:
        jumps = sum(milestone <= tau for milestone in cast(Sequence[int], self.milestones))
        return max(cast(float, self.final), self.gamma**jumps)

    def settles(self, last: float) -> float:
        reached = [cast(int, milestone) for milestone in self.milestones if cast(int, milestone) <= last]
        jumps = min(len(reached), _jumps_to(cast(float, self.final), self.gamma))
        return reached[int(jumps) - 1] if jumps else 0

    def unreached(self, last: float) -> list[int]:
        """Which of the milestones come after ``last``, by their index."""
        return [i for i, milestone in enumerate(self.milestones) if cast(int, milestone) > last]

    def resolved(self, context: DecayContext) -> "MultiStepDecay":
        milestones = [context.position("MultiStepDecay", "milestones", milestone) for milestone in self.milestones]
        self._check_increasing(milestones)
        if milestones[0] < context.start:
            raise ValueError(
                f"MultiStepDecay(milestones={self.milestones!r}): {milestones[0]} lies inside the warmup and hold,"
                f" which end at {context.start} (milestones count from the start of the run). Move it, or shorten them."
            )
        return replace(self, milestones=[milestone - context.start for milestone in milestones])


def _jumps_to(final: float, gamma: float) -> float:
    """How many jumps there are: the one that gets to the floor, less a rounding error, is the last."""
    if gamma >= 1 or final <= 0:
        return math.inf
    return max(0, math.ceil(math.log(final) / math.log(gamma) - 1e-9))
