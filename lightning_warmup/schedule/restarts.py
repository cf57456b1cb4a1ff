"""Decays that begin again and again."""

import math
from abc import abstractmethod
from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, NamedTuple, cast

from lightning_warmup.schedule.checks import Factor, is_count, keep_factor, positive
from lightning_warmup.schedule.decays import (
    CosineDecay,
    Decay,
    DecayContext,
    DecayName,
    _FallingDecay,
    positive_duration,
    shape_within,
)
from lightning_warmup.schedule.durations import Duration, TooShortError, parse_duration


class _Cycle(NamedTuple):
    """A cycle: its number, where its peak is and the next one's, how long it falls, and the length of the decay."""

    number: int
    peak: float
    until: float
    fall: float
    length: float


class _Restarts(Decay):
    """Cycles of a decay.

    With P the ``period``, w the ``warmup`` and m the ``multiplier``, cycle k falls for (P − w) mᵏ intervals; before
    each but the first there are w intervals of climbing. The fall of cycle k begins at its peak:

        peak(k) = k w + (P − w) (1 + m + … + m^(k−1))
    """

    period: Duration | None
    multiplier: float
    gamma: float
    warmup: Duration
    cycles: int | None

    @property
    @abstractmethod
    def _shape(self) -> Decay:
        """What each cycle is, resolved."""

    def factor_at(self, tau: float, length: float) -> float:
        warmup, cycle = cast(int, self.warmup), self._at(tau, length)
        k, peak, fall = cycle.number, cycle.peak, cycle.fall
        if tau == length and tau == peak and not warmup:  # the end, and of a cycle too: no other begins
            fall = self._first(length) * self.multiplier ** (k - 1)
            return self._falls(k - 1, fall, fall)
        gone = tau - peak
        if gone < fall or not warmup:
            return self._falls(k, min(gone, fall), fall)
        low, high = self._falls(k, fall, fall), self.gamma ** (k + 1)
        return low + (high - low) * (gone - fall) / warmup

    def _at(self, tau: float, length: float) -> _Cycle:
        """The cycle that ``tau`` is in: most often that of the step before."""
        cycle: _Cycle | None = self.__dict__.get("_latest")
        if cycle is None or cycle.length != length or not cycle.peak <= tau < cycle.until:
            first = self._first(length)
            number = self._cycle(tau, first)
            fall = first * self.multiplier**number
            try:
                until = self._peak(number + 1, first)
            except OverflowError:
                until = math.inf
            cycle = _Cycle(number, self._peak(number, first), until, fall, length)
            object.__setattr__(self, "_latest", cycle)
        return cycle

    def _falls(self, cycle: int, gone: float, fall: float) -> float:
        """Factor in a cycle, where ``gone`` of its ``fall`` intervals are gone."""
        shape, height = self._shape, self.gamma**cycle
        final = cast(float, getattr(shape, "final", 0.0))
        if isinstance(shape, _FallingDecay):
            return final + (height - final) * shape.shape(gone / fall)
        factor = height * shape.factor_at(gone, fall)
        return max(final, factor) if cycle else factor

    def _first(self, length: float) -> float:
        """How long the first cycle falls."""
        warmup = cast(int, self.warmup)
        if self.cycles is None:
            return cast(int, self.period) - warmup
        return (length - (self.cycles - 1) * warmup) / self._so_many(self.cycles)

    def _so_many(self, cycles: int) -> float:
        """How long so many cycles fall, where the first falls for 1."""
        m = self.multiplier
        return cycles if m == 1 else (m**cycles - 1) / (m - 1)

    def _peak(self, cycle: int, first: float) -> float:
        """Where a cycle is at its highest, counted from the first one's."""
        peak = cycle * cast(int, self.warmup) + first * self._so_many(cycle)
        # A border on a whole interval is that interval, not the float a rounding error before or after it.
        return round(peak) if math.isclose(peak, round(peak), rel_tol=1e-9) else peak

    def _cycle(self, tau: float, first: float) -> int:
        """The last cycle whose peak is not after ``tau``."""
        warmup, m = cast(int, self.warmup), self.multiplier
        if m == 1:
            cycle = int(tau // (first + warmup))
            if self.cycles is None:
                return cycle
            most = min(self.cycles, cycle + 1)  # one more: a fraction of a step may be rounded
        elif self.cycles is not None:
            most = self.cycles
        else:
            most = int(math.log1p(tau * (m - 1) / first) / math.log(m)) + 1  # so many if there were no climbing
        if warmup and m != 1:
            return bisect_right(range(1, most + 1), tau, key=lambda cycle: self._peak(cycle, first))
        while self._peak(most, first) > tau:
            most -= 1
        return most


@dataclass(frozen=True)
class RestartsDecay(_Restarts):
    r"""Cycles of any decay.

    In cycle k, with :math:`u_k` the share of it done,

    .. math:: \mathrm{final} + (\mathrm{gamma}^k - \mathrm{final}) \cdot \mathrm{shape}(u_k)

    with ``final`` and the shape, from 1 to 0, those of ``decay``. A decay that does not fall to a ``final`` is
    :math:`\mathrm{gamma}^k` times its own factor, not below its ``final`` if it has one; its τ and D are those of the
    cycle. Where the decay ends just when a cycle does, that is its last value: no other cycle begins.

    Args:
        decay: What a cycle is: a shape, or its short name. What counts from the start of the run (``MultiStepDecay``)
            has no place in a cycle.
        period: Length of the first cycle, a duration > 0, with ``interval="epoch"`` a whole number of epochs; instead
            of ``cycles``.
        multiplier: Each cycle falls for so many times longer than the last, ≥ 1.
        gamma: Each cycle starts so many times higher than the last, > 0.
        warmup: Duration, shorter than ``period``, that is a part of every cycle: it climbs linearly from where the last
            one ended. The first cycle has the callback's own warmup there, and falls for ``period`` less ``warmup``.
        cycles: Number ≥ 1 of cycles that the decay is divided into, fractions of steps included; instead of ``period``.
            With ``multiplier`` each is so many times longer than the last, which here may be < 1.

    Raises:
        ValueError: If an argument is out of range, or not just one of ``period`` and ``cycles`` is given; at fit start,
            if the warmup leaves nothing of a cycle, or a cycle falls for less than one interval.

    >>> from lightning_warmup import LearningRateWarmup
    >>> LearningRateWarmup(0, RestartsDecay("linear", period=4, gamma=0.5)).values(1.0, total_steps=9)
    [1.0, 0.75, 0.5, 0.25, 0.5, 0.375, 0.25, 0.125, 0.25]

    Triangles, as torch's CyclicLR:

    >>> decay = RestartsDecay("linear", period=4, warmup=2)
    >>> LearningRateWarmup(2, decay, warmup_initial_lr=0.0).values(1.0, total_steps=9)
    [0.0, 0.5, 1.0, 0.5, 0.0, 0.5, 1.0, 0.5, 0.0]

    With a last cycle that ends at the floor:

    >>> callback = LearningRateWarmup(0, RestartsDecay("linear", cycles=2), cooldown=2)
    >>> [round(lr, 3) for lr in callback.values(1.0, total_steps=7)]
    [1.0, 0.6, 0.2, 0.8, 0.4, 0.0, 0.0]
    """

    decay: Decay | DecayName
    period: Duration | None = None
    multiplier: float = 1.0
    gamma: float = 1.0
    warmup: Duration = 0
    cycles: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        owner = "RestartsDecay"
        shape_within(owner, self.decay, "a cycle")
        if (self.period is None) == (self.cycles is None):
            raise ValueError(
                f"{owner}(period={self.period!r}, cycles={self.cycles!r}): give one of them, the length of a cycle or"
                " the number of cycles."
            )
        if self.period is not None:
            positive_duration(owner, "period", self.period)
        if self.cycles is not None and not is_count(self.cycles, 1):
            raise ValueError(f"{owner}(cycles={self.cycles!r}): expected an int ≥ 1.")
        _check_growth(owner, self.multiplier, self.cycles)
        positive(owner, "gamma", self.gamma)
        parse_duration(owner, "warmup", self.warmup)

    @property
    def ends(self) -> bool:  # type: ignore[override]
        """Whether it looks at the length of the decay: cycles of a given period do not."""
        return self.cycles is not None

    @property
    def _shape(self) -> Decay:
        return cast(Decay, self.decay)

    def check(self, length: float, target: object) -> None:
        first = self._first(length)
        if first <= 0:
            raise TooShortError(
                f"RestartsDecay(cycles={self.cycles!r}): the warmup of {self.warmup} intervals in each leaves nothing"
                f" of the {length:,.0f} of this decay to fall in. Shorten warmup, or give fewer cycles."
            )
        shortest = first * min(1, self.multiplier ** ((self.cycles or 1) - 1))
        if shortest < 1:
            raise TooShortError(
                f"RestartsDecay(cycles={self.cycles!r}): {shortest:.2g} of the {length:,.0f} intervals of this decay"
                " are too few for a cycle to fall in. Give fewer cycles, or train longer."
            )

    def resolved(self, context: DecayContext) -> "RestartsDecay":
        owner = "RestartsDecay"

        def position(shape: str, name: str, value: Duration) -> int:
            raise ValueError(
                f"{owner}(decay={self.decay!r}): {shape}({name}={value!r}) counts from the start of the run, which"
                " has no place in a cycle. Use SequentialDecay, or a shape with a length of its own."
            )

        warmup = context.intervals(owner, "warmup", self.warmup)
        period = None if self.period is None else context.intervals(owner, "period", self.period)
        if period is not None and warmup >= period:
            raise ValueError(
                f"{owner}(period={self.period!r}, warmup={self.warmup!r}): {warmup:,} of {period:,} intervals leave"
                " nothing of a cycle to fall in. Shorten warmup."
            )
        decay = shape_within(owner, self.decay, "a cycle").resolved(replace(context, position=position))
        return replace(self, decay=decay, period=period, warmup=warmup)


@dataclass(frozen=True)
class CosineRestartsDecay(_Restarts):
    r"""Cosine waves with warm restarts: :class:`RestartsDecay` of a cosine.

    In cycle k, which is :math:`\mathrm{period} \cdot \mathrm{multiplier}^k` long,

    .. math:: \mathrm{final} + (\mathrm{gamma}^k - \mathrm{final}) \cdot \tfrac{1}{2}(1 + \cos \pi u_k)

    with :math:`u_k` the share of the cycle done. Where the decay ends just when a cycle does, ``final`` is held from
    there on, in a cooldown, say: no other cycle begins. SGDR, Loshchilov & Hutter 2016 (arXiv 1608.03983).

    Args:
        period: Length of the first cycle, a duration > 0, with ``interval="epoch"`` a whole number of epochs.
        multiplier: Each cycle is so many times longer than the last, ≥ 1.
        gamma: Each cycle starts so many times higher than the last, > 0.
        final: Factor at the end of every cycle, finite and ≥ 0, or "10%".

    Raises:
        ValueError: If an argument is out of range.

    >>> from lightning_warmup import LearningRateWarmup
    >>> lrs = LearningRateWarmup(0, CosineRestartsDecay(2, gamma=0.5)).values(1.0, total_steps=5, steps_per_epoch=5)
    >>> [round(lr, 3) for lr in lrs]
    [1.0, 0.5, 0.5, 0.25, 0.25]
    """

    period: Duration
    multiplier: float = 1
    gamma: float = 1.0
    final: Factor = 0.0
    ends: ClassVar[bool] = False
    warmup: ClassVar[Duration] = 0  # type: ignore[misc]  # no field of this one
    cycles: ClassVar[int | None] = None  # type: ignore[misc]

    def __post_init__(self) -> None:
        super().__post_init__()
        positive_duration("CosineRestartsDecay", "period", self.period)
        _check_growth("CosineRestartsDecay", self.multiplier, None)
        positive("CosineRestartsDecay", "gamma", self.gamma)
        keep_factor(self, "final")

    @cached_property
    def _shape(self) -> Decay:
        return CosineDecay(self.final)

    def resolved(self, context: DecayContext) -> "CosineRestartsDecay":
        return replace(self, period=context.intervals("CosineRestartsDecay", "period", self.period))


def _check_growth(owner: str, multiplier: float, cycles: int | None) -> None:
    positive(owner, "multiplier", multiplier)
    if multiplier < 1 and cycles is None:
        raise ValueError(
            f"{owner}(multiplier={multiplier!r}): expected ≥ 1, or the cycles would shrink to nothing within the run."
        )
