"""The phases of one run, warmup → hold → decay → cooldown, as a pure function of time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lightning_warmup.decays import Decay
from lightning_warmup.durations import Interval
from lightning_warmup.warmups import Warmup


@dataclass(frozen=True)
class Schedule:
    """A schedule resolved for one run.

    ``values(t)`` is what optimizer step t (counted from 0) uses; with a warmup of N, ``values(0)`` is the initial value
    and ``values(N)`` is the target; past the end the final value is held. With ``clock="epoch"`` the same sentence
    holds with "epoch" for "step".

    Args:
        warmup: Shape of the warmup.
        warmup_length: N, in ticks of the warmup.
        decay: Shape of the decay, or None.
        decay_start: First tick of the decay.
        decay_end: Tick from which its last value is held; ``inf`` if the run has no known end.
        clock: What t counts.
        warmup_stride: t per tick of the warmup: 1, or the steps of an epoch for a staircase in a run counted in steps.
        decay_stride: t per tick of the decay, likewise.
    """

    warmup: Warmup
    warmup_length: int = 0
    decay: Decay | None = None
    decay_start: int = 0
    decay_end: float = math.inf
    clock: Interval = "step"
    warmup_stride: int = 1
    decay_stride: int = 1

    def values(self, t: int, initial: Sequence[float], target: Sequence[float]) -> list[float]:
        """The value of every param group at t."""
        # 1) warm up from the initial value to the target
        tick = t // self.warmup_stride
        if tick < self.warmup_length:
            return self.warmup.values(tick / self.warmup_length, initial, target)
        # 2) hold the target until the decay begins
        tick = t // self.decay_stride
        if self.decay is None or tick < self.decay_start:
            return list(target)
        # 3) decay; 4) from its end on, the cooldown and whatever comes after hold its last value
        tau = min(tick, self.decay_end) - self.decay_start
        return self.decay.values(tau, self.decay_end - self.decay_start, target)
