r"""Decay shapes: what becomes of the target after the warmup. Pure floats.

A decay is a factor of the target. It begins at factor 1, ``hold`` after the warmup. With τ the intervals (steps, or
epochs) since it began, D its length and :math:`u = \tau / D` the share of it done,

.. math:: \mathrm{value}(t) = \mathrm{target} \cdot \mathrm{factor}(\tau)
"""

import itertools
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, cast

from lightning_warmup.schedule.checks import call_function, keep_plain, non_negative, positive
from lightning_warmup.schedule.durations import Duration, Interval, parse_duration

DecayName = Literal["constant", "linear", "cosine", "inverse_sqrt", "one_minus_sqrt"]


@dataclass(frozen=True)
class DecayContext:
    """Where a decay stands in its run: what its own durations are resolved against.

    Args:
        intervals: Turns a duration into intervals, given the class, the parameter and what the user wrote.
        position: The same for one that counts from the start of the run.
        interval: What an interval is.
        warmup: Length of the warmup, in intervals of the decay.
        start: Interval at which the decay begins, counted from the start of the run.
    """

    intervals: Callable[[str, str, Duration], int]
    position: Callable[[str, str, Duration], int]
    interval: Interval
    warmup: int
    start: int


class Decay(ABC):
    """A factor of the target over the intervals since the decay began.

    A shape of your own is a frozen dataclass with a ``factor_at``, or a :class:`FunctionDecay`. Durations among its
    fields are turned into whole intervals by ``resolved`` before ``factor_at`` is called. ``ends`` is True unless you
    say otherwise: a run without a known length is then refused.
    """

    ends: ClassVar[bool] = True
    """Whether the factor depends on the length of the decay, so that the length of the run must be known.

    A shape that never looks at ``length`` says ``ends: ClassVar[bool] = False``, and then runs on streams without an
    end as well.
    """

    closed_form: ClassVar[bool] = True
    """Whether the value at any time is cheap to have, before the run gets there."""

    measured: ClassVar[bool] = False
    """Whether the value depends on what the run itself does."""

    def __post_init__(self) -> None:
        keep_plain(self)

    def __str__(self) -> str:
        return _words(self)

    @abstractmethod
    def factor_at(self, tau: float, length: float) -> float:
        """Factor of the target ``tau`` intervals after the decay began; ``length`` is D (``inf``: an endless run)."""

    def values(self, tau: float, length: float, target: Sequence[float]) -> list[float]:
        """The value of every param group."""
        factor = float(self.factor_at(tau, length))  # numpy's own would end up in checkpoints
        return [high * factor for high in target]

    def settles(self, last: float) -> float | None:
        """Of a shape that only jumps, τ of its last jump up to ``last``, 0 if there is none; None of all others."""
        return None

    def check(self, length: float, target: Sequence[float]) -> None:  # noqa: B027  # most are known to be right
        """Raise ValueError if this shape, resolved, cannot run for ``length``."""

    def resolved(self, context: DecayContext) -> "Decay":
        """This shape with its own durations as whole intervals of the run."""
        return self


@dataclass(frozen=True)
class ConstantDecay(Decay):
    r"""No decay.

    .. math:: \mathrm{factor} = 1

    >>> from lightning_warmup import LearningRateWarmup
    >>> LearningRateWarmup(2, ConstantDecay(), warmup_initial_lr=0.5).values(1.0, total_steps=4, steps_per_epoch=4)
    [0.5, 0.75, 1.0, 1.0]
    """

    ends: ClassVar[bool] = False

    def factor_at(self, tau: float, length: float) -> float:
        return 1.0

    def settles(self, last: float) -> float:
        return 0


@dataclass(frozen=True)
class LinearDecay(Decay):
    r"""A straight line.

    .. math:: \mathrm{final} + (1 - \mathrm{final})(1 - u)

    To zero, it is the strongest simple schedule for large language models in Bergsma et al. 2025 (arXiv 2502.15938).

    Args:
        final: Factor at the end, finite and ≥ 0.

    Raises:
        ValueError: If ``final`` is out of range.

    >>> from lightning_warmup import LearningRateWarmup
    >>> LearningRateWarmup(0, LinearDecay(final=0.5)).values(1.0, total_steps=4, steps_per_epoch=4)
    [1.0, 0.875, 0.75, 0.625]
    """

    final: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        non_negative("LinearDecay", "final", self.final)

    def factor_at(self, tau: float, length: float) -> float:
        return self.final + (1 - self.final) * (1 - tau / length)


@dataclass(frozen=True)
class CosineDecay(Decay):
    r"""Half a cosine wave.

    .. math:: \mathrm{final} + (1 - \mathrm{final}) \cdot \frac{1}{2}(1 + \cos \pi u)

    Loshchilov & Hutter 2016, without restarts (arXiv 1608.03983).

    Args:
        final: Factor at the end, finite and ≥ 0.

    Raises:
        ValueError: If ``final`` is out of range.

    >>> from lightning_warmup import LearningRateWarmup
    >>> lrs = LearningRateWarmup(0, CosineDecay()).values(1.0, total_steps=4, steps_per_epoch=4)
    >>> [round(lr, 3) for lr in lrs]
    [1.0, 0.854, 0.5, 0.146]
    """

    final: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        non_negative("CosineDecay", "final", self.final)

    def factor_at(self, tau: float, length: float) -> float:
        return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * tau / length))


@dataclass(frozen=True)
class PolynomialDecay(Decay):
    r"""A power of the share left.

    .. math:: \mathrm{final} + (1 - \mathrm{final})(1 - u)^{\mathrm{power}}

    Args:
        power: Exponent > 0.
        final: Factor at the end, finite and ≥ 0.

    Raises:
        ValueError: If ``power`` or ``final`` is out of range.

    >>> from lightning_warmup import LearningRateWarmup
    >>> LearningRateWarmup(0, PolynomialDecay(power=2)).values(1.0, total_steps=4, steps_per_epoch=4)
    [1.0, 0.5625, 0.25, 0.0625]
    """

    power: float = 1.0
    final: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        positive("PolynomialDecay", "power", self.power)
        non_negative("PolynomialDecay", "final", self.final)

    def factor_at(self, tau: float, length: float) -> float:
        return self.final + (1 - self.final) * math.pow(1 - tau / length, self.power)


@dataclass(frozen=True)
class OneMinusSqrtDecay(Decay):
    r"""The cooldown of warmup-stable-decay.

    .. math:: \mathrm{final} + (1 - \mathrm{final})(1 - \sqrt{u})

    Hägele et al. 2024 (arXiv 2405.18392); usually over the last tenth or fifth of the run (``decay_duration="20%"``).

    Args:
        final: Factor at the end, finite and ≥ 0.

    Raises:
        ValueError: If ``final`` is out of range.

    >>> from lightning_warmup import LearningRateWarmup
    >>> LearningRateWarmup(0, OneMinusSqrtDecay(), decay_duration=4).values(1.0, total_steps=6, steps_per_epoch=6)[:4]
    [1.0, 1.0, 1.0, 0.5]
    """

    final: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        non_negative("OneMinusSqrtDecay", "final", self.final)

    def factor_at(self, tau: float, length: float) -> float:
        return self.final + (1 - self.final) * (1 - math.sqrt(tau / length))


@dataclass(frozen=True)
class ExponentialDecay(Decay):
    r"""Equal ratios.

    .. math:: \mathrm{gamma}^{\tau / \mathrm{every}}

    Args:
        gamma: Factor after each ``every``, finite and > 0.
        every: Duration > 0; a bare int counts steps, or epochs with ``interval="epoch"``, where it must be a whole
            number of epochs.

    Raises:
        ValueError: If ``gamma`` or ``every`` is out of range.

    >>> from lightning_warmup import LearningRateWarmup
    >>> LearningRateWarmup(0, ExponentialDecay(0.25, every=2)).values(1.0, total_steps=4, steps_per_epoch=4)
    [1.0, 0.5, 0.25, 0.125]
    """

    gamma: float
    every: Duration = 1
    ends: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        positive("ExponentialDecay", "gamma", self.gamma)
        _positive_duration("ExponentialDecay", "every", self.every)

    def factor_at(self, tau: float, length: float) -> float:
        return math.pow(self.gamma, tau / cast(int, self.every))

    def resolved(self, context: DecayContext) -> "ExponentialDecay":
        return replace(self, every=context.intervals("ExponentialDecay", "every", self.every))


@dataclass(frozen=True)
class StepDecay(Decay):
    r"""A step down at regular intervals.

    .. math:: \max(\mathrm{final}, \mathrm{gamma}^{\lfloor \tau / \mathrm{every} \rfloor})

    Args:
        every: Duration > 0 between steps; a bare int counts steps, or epochs with ``interval="epoch"``, where it must
            be a whole number of epochs.
        gamma: Factor of each step, finite and > 0.
        final: Floor of the factor, finite and ≥ 0.

    Raises:
        ValueError: If an argument is out of range.

    >>> from lightning_warmup import LearningRateWarmup
    >>> decay = StepDecay(2, gamma=0.5, final=0.25)
    >>> LearningRateWarmup(0, decay).values(1.0, total_steps=8, steps_per_epoch=8)
    [1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25]
    """

    every: Duration
    gamma: float = 0.1
    final: float = 0.0
    ends: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _positive_duration("StepDecay", "every", self.every)
        positive("StepDecay", "gamma", self.gamma)
        non_negative("StepDecay", "final", self.final)

    def factor_at(self, tau: float, length: float) -> float:
        return max(self.final, math.pow(self.gamma, tau // cast(int, self.every)))

    def settles(self, last: float) -> float | None:
        every = cast(int, self.every)
        if last == math.inf:
            return None
        jumps = last // every if self.gamma != 1 else 0
        if self.gamma < 1 and self.final > 0:
            # The jump that gets to the floor, less a rounding error, is the last.
            jumps = min(jumps, max(0, math.ceil(math.log(self.final) / math.log(self.gamma) - 1e-9)))
        return jumps * every

    def resolved(self, context: DecayContext) -> "StepDecay":
        return replace(self, every=context.intervals("StepDecay", "every", self.every))


@dataclass(frozen=True)
class MultiStepDecay(Decay):
    r"""A step down at each milestone.

    .. math:: \mathrm{gamma}^{\#\{m \le t\}}

    where t is counted from the start of the run.

    Args:
        milestones: Durations from the start of the run that do not decrease, none inside the warmup or hold; one that
            is there twice is two steps at once. Step m is the first with the lower value. A bare int counts steps, or
            epochs with ``interval="epoch"``. One that the run does not reach is told by a warning.
        gamma: Factor of each step, finite and > 0.

    Raises:
        ValueError: If ``milestones`` is empty, decreasing, or one falls inside the warmup or hold; if ``gamma`` is out
            of range.

    >>> from lightning_warmup import LearningRateWarmup
    >>> LearningRateWarmup(0, MultiStepDecay([2, 4], gamma=0.5)).values(1.0, total_steps=5, steps_per_epoch=5)
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    milestones: Sequence[Duration]
    gamma: float = 0.1
    ends: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        call = f"MultiStepDecay(milestones={self.milestones!r})"
        if isinstance(self.milestones, str) or not isinstance(self.milestones, Sequence) or not self.milestones:
            raise ValueError(f"{call}: expected a list of one duration or more, for example [30, 60, 80].")
        for milestone in self.milestones:
            parse_duration("MultiStepDecay", "milestones", milestone)
        positive("MultiStepDecay", "gamma", self.gamma)
        if all(isinstance(milestone, int) for milestone in self.milestones):
            self._check_increasing(self.milestones)

    def _check_increasing(self, milestones: Sequence[Duration]) -> None:
        if any(a > b for a, b in itertools.pairwise(cast(Sequence[int], milestones))):
            resolved = "" if milestones == self.milestones else f" (here {list(milestones)})"
            raise ValueError(
                f"MultiStepDecay(milestones={self.milestones!r}){resolved} must increase, or stay the same: sort them."
            )

    def factor_at(self, tau: float, length: float) -> float:
        return self.gamma ** sum(milestone <= tau for milestone in cast(Sequence[int], self.milestones))

    def settles(self, last: float) -> float:
        return max((cast(int, milestone) for milestone in self.milestones if cast(int, milestone) <= last), default=0)

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


@dataclass(frozen=True)
class InverseSqrtDecay(Decay):
    r"""One over the root of time.

    .. math:: \sqrt{s / (s + \tau)}

    Where s = ``timescale``.

    With s the warmup's length and no hold this is the schedule of Vaswani et al. 2017 (arXiv 1706.03762),
    :math:`\mathrm{target} \cdot \sqrt{N / t}`; with s = 1 and no warmup it is the textbook :math:`\eta_0 / \sqrt{t}`, t
    counted from 1.

    Args:
        timescale: Duration s > 0, with ``interval="epoch"`` a whole number of epochs; unset, the warmup's length, or 1
            without a warmup.

    Raises:
        ValueError: If ``timescale`` is out of range.

    >>> from lightning_warmup import LearningRateWarmup
    >>> LearningRateWarmup(0, InverseSqrtDecay()).values(1.0, total_steps=4, steps_per_epoch=4)[::3]
    [1.0, 0.5]
    """

    timescale: Duration | None = None
    ends: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.timescale is not None:
            _positive_duration("InverseSqrtDecay", "timescale", self.timescale)

    def factor_at(self, tau: float, length: float) -> float:
        timescale = cast(float, self.timescale)
        return math.sqrt(timescale / (timescale + tau))

    def resolved(self, context: DecayContext) -> "InverseSqrtDecay":
        if self.timescale is None:
            return replace(self, timescale=context.warmup or 1)
        return replace(self, timescale=context.intervals("InverseSqrtDecay", "timescale", self.timescale))


@dataclass(frozen=True)
class CosineRestartsDecay(Decay):
    r"""Cosine waves with warm restarts.

    In cycle k, which is :math:`\mathrm{period} \cdot \mathrm{multiplier}^k` long,

    .. math:: \mathrm{final} + (\mathrm{gamma}^k - \mathrm{final}) \cdot \tfrac{1}{2}(1 + \cos \pi u_k)

    with :math:`u_k` the share of the cycle done. Where the decay ends just when a cycle does, ``final`` is held from
    there on, in a cooldown, say: no other cycle begins. SGDR, Loshchilov & Hutter 2016 (arXiv 1608.03983).

    Args:
        period: Length of the first cycle, a duration > 0, with ``interval="epoch"`` a whole number of epochs.
        multiplier: Each cycle is so many times longer than the last, ≥ 1.
        gamma: Each cycle starts so many times higher than the last, > 0.
        final: Factor at the end of every cycle, finite and ≥ 0.

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
    final: float = 0.0
    ends: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _positive_duration("CosineRestartsDecay", "period", self.period)
        positive("CosineRestartsDecay", "multiplier", self.multiplier)
        if self.multiplier < 1:
            raise ValueError(
                f"CosineRestartsDecay(multiplier={self.multiplier!r}): expected ≥ 1, or the cycles would shrink to"
                " nothing within the run."
            )
        positive("CosineRestartsDecay", "gamma", self.gamma)
        non_negative("CosineRestartsDecay", "final", self.final)

    def factor_at(self, tau: float, length: float) -> float:
        cycle, start = self._cycle(tau)
        if tau == length and tau == start:  # the end, and of a cycle too: no other begins
            return self.final
        share = (tau - start) / (cast(int, self.period) * self.multiplier**cycle)
        return self.final + (self.gamma**cycle - self.final) * 0.5 * (1 + math.cos(math.pi * share))

    def _cycle(self, tau: float) -> tuple[int, float]:
        """The number of the cycle that holds ``tau``, and where it starts."""
        period, m = cast(int, self.period), self.multiplier
        if m == 1:
            return int(tau // period), tau - tau % period
        cycle = int(math.log1p(tau * (m - 1) / period) / math.log(m))
        # The logarithm may miss by one at a border; the borders themselves are exact for whole multipliers.
        cycle += tau >= self._start(cycle + 1)
        cycle -= tau < self._start(cycle)
        return cycle, self._start(cycle)

    def _start(self, cycle: int) -> float:
        start = cast(int, self.period) * (self.multiplier**cycle - 1) / (self.multiplier - 1)
        # A border on a whole interval is that interval, not the float a rounding error before or after it.
        return round(start) if math.isclose(start, round(start), rel_tol=1e-9) else start

    def resolved(self, context: DecayContext) -> "CosineRestartsDecay":
        return replace(self, period=context.intervals("CosineRestartsDecay", "period", self.period))


@dataclass(frozen=True)
class FunctionDecay(Decay):
    r"""A factor of your own.

    .. math:: \mathrm{factor} = \mathrm{function}(u)

    Args:
        function: Called with the share u in [0, 1] of the decay done; returns the factor of the target, finite and
            ≥ 0, 1 at u = 0 if the curve is to be continuous. It may have no value at u = 1 where no step uses that:
            without a cooldown, the last step has u < 1. An import path in YAML, for example ``my_module.curve``.

    Raises:
        ValueError: If ``function`` is not callable; at fit start, if it raises an exception, or returns what is no
            learning rate.

    >>> from lightning_warmup import LearningRateWarmup
    >>> LearningRateWarmup(0, FunctionDecay(lambda u: 1 - u**2)).values(1.0, total_steps=4, steps_per_epoch=4)
    [1.0, 0.9375, 0.75, 0.4375]
    """

    function: Callable[[float], float]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not callable(self.function):
            raise ValueError(
                f"FunctionDecay(function={self.function!r}) is not callable: give a function of the share u in [0, 1]."
            )

    def factor_at(self, tau: float, length: float) -> float:
        return call_function(self, self.function, tau / length)


def decay_named(name: str, owner: str = "LearningRateWarmup") -> Decay:
    """The decay that a short name stands for, with its defaults.

    >>> decay_named("cosine")
    CosineDecay(final=0.0)
    """
    shapes: dict[str, type[Decay]] = {
        "constant": ConstantDecay,
        "linear": LinearDecay,
        "cosine": CosineDecay,
        "inverse_sqrt": InverseSqrtDecay,
        "one_minus_sqrt": OneMinusSqrtDecay,
    }
    if name not in shapes:
        choices = ", ".join(map(repr, shapes))
        raise ValueError(
            f"{owner}(decay={name!r}) is no decay: write one of {choices}, or a shape such as CosineDecay()."
        )
    return shapes[name]()


def _words(decay: Decay) -> str:
    """``OneMinusSqrtDecay()`` → "one minus sqrt"."""
    return re.sub("(?<=[a-z])(?=[A-Z])", " ", type(decay).__name__.removesuffix("Decay")).lower()


def _positive_duration(owner: str, name: str, value: Duration) -> None:
    if parse_duration(owner, name, value).amount == 0:
        raise ValueError(f"{owner}({name}={value!r}): expected a duration > 0.")
