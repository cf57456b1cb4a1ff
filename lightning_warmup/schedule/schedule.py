"""The phases of one run, warmup → hold → decay → cooldown, as a pure function of time, and in one line of words."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lightning_warmup.schedule.beta2_warmups import Beta2Warmup
from lightning_warmup.schedule.decays import Decay
from lightning_warmup.schedule.durations import Interval
from lightning_warmup.schedule.past import Pace
from lightning_warmup.schedule.warmups import LinearWarmup, Warmup

MANY_GROUPS = 50
"""So many param groups and more are computed as arrays: the same operations on the same floats, in less time."""


@dataclass(frozen=True)
class Schedule:
    """A schedule resolved for one optimizer in one run.

    ``values(t)`` is what optimizer step t (counted from 0) uses; with a warmup of N, ``values(0)`` are the initial
    values and ``values(N)`` the targets; past the end the final values are held. With ``clock="epoch"`` the same
    sentence holds with "epoch" for "step".

    Args:
        warmup: Shape of the warmup.
        warmup_length: N, in ticks of the warmup.
        decay: Shape of the decay, or None.
        decay_start: First tick of the decay.
        decay_end: Tick from which its last value is held; ``inf`` if the run has no known end.
        on_decay: Whether the warmup is a factor on the decay, whose clock starts at 0, rather than what comes before.
        end_in_use: Whether a step uses the value of ``decay_end``: in a cooldown, or past the end of the plan.
        held_tick: Tick whose value is held, None for ``decay_end``.
        clock: What t counts.
        warmup_stride: t per tick of the warmup: 1, or the steps of an epoch for a staircase in a run counted in steps.
        decay_stride: t per tick of the decay, likewise.
        epochs_pace: Epochs by steps, where a phase counts epochs and they have not always been of one length.
        initial: Where each param group starts.
        target: Where each group's warmup leads.
        beta2: β2 of each group, where the warmup is a matter of that; its length is then 0.
    """

    warmup: Warmup
    warmup_length: int = 0
    decay: Decay | None = None
    decay_start: int = 0
    decay_end: float = math.inf
    on_decay: bool = False
    end_in_use: bool = True
    held_tick: float | None = None
    clock: Interval = "step"
    warmup_stride: int = 1
    decay_stride: int = 1
    epochs_pace: Pace | None = None
    initial: Sequence[float] = ()
    target: Sequence[float] = ()
    beta2: Sequence[float] = ()

    by_step: bool = field(init=False, repr=False, compare=False)
    held: float = field(init=False, repr=False, compare=False)
    last_tick: float = field(init=False, repr=False, compare=False)
    """The last tick of the decay that a step uses the value of."""
    _reached: Sequence[float] = field(init=False, repr=False, compare=False)
    """What the warmup leads to: the targets, but for one that did not get there."""
    _distinct_beta2: "frozenset[float]" = field(init=False, repr=False, compare=False)
    _arrays: "tuple[np.ndarray[Any, Any], ...] | None" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_step", self.clock == "step")
        object.__setattr__(self, "held", self.decay_end if self.held_tick is None else self.held_tick)
        object.__setattr__(self, "last_tick", self.decay_end if self.end_in_use else self.decay_end - 1)
        object.__setattr__(self, "_distinct_beta2", frozenset(self.beta2))
        reaches = self.warmup.reaches
        reached = self.target if reaches == 1 else [high * reaches for high in self.target]
        object.__setattr__(self, "_reached", reached)
        arrays = None
        if len(self.target) >= MANY_GROUPS:
            initial, target = np.array(self.initial, dtype=float), np.array(self.target, dtype=float)
            arrays = initial, target - initial, np.array(reached, dtype=float)
        object.__setattr__(self, "_arrays", arrays)

    def values(self, t: int) -> list[float]:
        """The value of every param group at t."""
        # 1) warm up from the initial value to the target
        tick = t // self.warmup_stride if self.epochs_pace is None else self._tick(t, self.warmup_stride)
        if tick < self.warmup_length:
            values = self._warming(tick / self.warmup_length)
            if not self.on_decay:
                return values
            # as a factor on what there would be without a warmup
            decaying = zip(values, self._decaying(t), self.target, strict=True)
            return [value * (decayed / high) if high else value for value, decayed, high in decaying]
        values = self._decaying(t)
        return self._damped(t, values) if self.beta2 else values

    def _warming(self, u: float) -> list[float]:
        """The value of every group at the share u of the warmup."""
        if self._arrays is not None and type(self.warmup).values is Warmup.values:
            initial, rise, _ = self._arrays
            return (initial + rise * self.warmup.weight(u)).tolist()  # type: ignore[no-any-return]
        return self.warmup.values(u, self.initial, self.target)

    def _decaying(self, t: int) -> list[float]:
        """The value of every group at t, were there no warmup."""
        # 2) hold the target until the decay begins
        tick = t // self.decay_stride if self.epochs_pace is None else self._tick(t, self.decay_stride)
        if self.decay is None or tick < self.decay_start:
            return list(self._reached)
        # 3) decay; 4) from its end on, the cooldown and whatever comes after hold its last value
        tau = (tick if tick < self.held else self.held) - self.decay_start
        length = self.decay_end - self.decay_start
        if self._arrays is not None and type(self.decay).values is Decay.values:
            return (self._arrays[2] * self.decay.factor_at(tau, length)).tolist()  # type: ignore[no-any-return]
        return self.decay.values(tau, length, self._reached)

    def warmup_tick(self, t: int) -> int:
        """The interval of the warmup that t belongs to."""
        return t // self.warmup_stride if self.epochs_pace is None else self._tick(t, self.warmup_stride)

    def decay_tick(self, t: int) -> int:
        """The interval of the decay that t belongs to."""
        return t // self.decay_stride if self.epochs_pace is None else self._tick(t, self.decay_stride)

    def _tick(self, t: int, stride: int) -> int:
        """The tick of a phase that t belongs to."""
        return t if stride == 1 or self.epochs_pace is None else math.floor(self.epochs_pace.at(t))

    def _damped(self, t: int, values: Sequence[float]) -> list[float]:
        """``values`` under a warmup that is a weight on whatever decay there is."""
        assert isinstance(self.warmup, Beta2Warmup)
        # Step t is the (t+1)-th.
        weights = {beta2: self.warmup.weight_at(t + 1, beta2) for beta2 in self._distinct_beta2}
        if len(weights) == 1:
            (weight,) = weights.values()
            return [weight * value for value in values]
        return [weights[beta2] * value for beta2, value in zip(self.beta2, values, strict=True)]

    def of_groups(
        self, initial: Sequence[float], target: Sequence[float], beta2: Sequence[float] | None = None
    ) -> "Schedule":
        """This schedule for other groups; without a β2 of their own they have the first one's."""
        if not self.beta2:
            beta2 = ()
        elif beta2 is None:
            beta2 = [self.beta2[0]] * len(initial)
        return replace(self, initial=list(initial), target=list(target), beta2=list(beta2))


def summary_line(schedule: Schedule, names: Sequence[str | None], parameter: str = "lr") -> str:
    """What will happen to each group.

    >>> from lightning_warmup import CosineDecay, LinearWarmup
    >>> schedule = Schedule(LinearWarmup(250), 250, CosineDecay(0.01), 250, 25_000, initial=[0.004], target=[0.02])
    >>> summary_line(schedule, [None])
    'lr 0.004 → 0.02 over 250 steps, cosine to 0.0002 at step 25,000'
    """
    warmup_unit = schedule.clock if schedule.warmup_stride == 1 else "epoch"
    decay_unit = schedule.clock if schedule.decay_stride == 1 else "epoch"
    parts = []
    if schedule.beta2:
        pairs = zip(schedule.target, schedule.beta2, strict=True)
        ways = [f"{high:.4g} × {schedule.warmup} (β2={beta2:.4g})" for high, beta2 in pairs]
        parts.append(_groups(ways, names))
    elif schedule.warmup_length:
        ways = [f"{low:.4g} → {high:.4g}" for low, high in zip(schedule.initial, schedule.target, strict=True)]
        shape = "" if isinstance(schedule.warmup, LinearWarmup) else f" ({schedule.warmup})"
        parts.append(f"{_groups(ways, names)} over {_count(schedule.warmup_length, warmup_unit)}{shape}")
    else:
        parts.append(f"{_groups([f'{high:.4g}' for high in schedule.target], names)}, no warmup")
    if schedule.decay is None or _stays(schedule, schedule.decay):
        parts.append("then constant")
    else:
        warmup_end = math.ceil(schedule.warmup_length * schedule.warmup_stride / schedule.decay_stride)
        if schedule.on_decay and schedule.warmup_length:
            parts.append(f"as a factor on what decays from {decay_unit} 0 on")
        if schedule.decay_start > warmup_end:
            parts.append(f"held until {decay_unit} {schedule.decay_start:,}")
        if schedule.decay_end == math.inf or not schedule.decay.closed_form:
            parts.append(f"{schedule.decay} from {decay_unit} {schedule.decay_start:,} on")
        else:
            # A shape that only jumps is there with its last jump that a step sees.
            settled = schedule.decay.settles(schedule.last_tick - schedule.decay_start)
            end = int(schedule.held if settled is None else schedule.decay_start + settled)
            pace, stride = schedule.epochs_pace, schedule.decay_stride
            at = end * stride if pace is None else pace.first(end, stride)
            final = [f"{value:.4g}" for value in schedule.values(at)]
            parts.append(f"{schedule.decay} to {_groups(final, names)} at {decay_unit} {end:,}")
    return f"{parameter} {', '.join(parts)}"


def _stays(schedule: Schedule, decay: Decay) -> bool:
    """Whether the decay never leaves the target, as far as that is known."""
    if not decay.closed_form or decay.settles(schedule.last_tick - schedule.decay_start) != 0:
        return False
    return decay.factor_at(0, schedule.decay_end - schedule.decay_start) == 1


def _groups(texts: Sequence[str], names: Sequence[str | None]) -> str:
    """One text if all groups share it, else one for each of the first groups."""
    if len(set(texts)) == 1:
        return texts[0]
    shown = [f"{text} ({name or f'group {i}'})" for i, (text, name) in enumerate(zip(texts, names, strict=True))]
    more = f" and {len(shown) - 3} more groups" if len(shown) > 3 else ""
    return ", ".join(shown[:3]) + more


def _count(number: int, unit: str) -> str:
    return f"{number:,} {unit}{'' if number == 1 else 's'}"
