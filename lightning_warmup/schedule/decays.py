r"""Decay shapes: what becomes of the target after the warmup. Pure floats.

A decay is a factor of the target. It begins at factor 1, ``hold`` after the warmup. With τ the intervals (steps, or
epochs) since it began, D its length and :math:`u = \tau / D` the share of it done,

.. math:: \mathrm{value}(t) = \mathrm{target} \cdot \mathrm{factor}(\tau)
"""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Literal, cast

from lightning_warmup.schedule.checks import Factor, call_function, keep_factor, keep_plain, positive
from lightning_warmup.schedule.durations import Duration, Interval, parse_duration

DecayName = Literal["constant", "linear", "cosine", "inverse_sqrt", "one_minus_sqrt", "polynomial"]


@dataclass(frozen=True)
class DecayContext:
    """Where a decay stands in its run: what its own durations are resolved against.

    Args:
        intervals: Turns a duration into intervals, given the class, the parameter and what the user wrote.
        position: The same for one that counts from the start of the run.
        interval: What an interval is.
        warmup: Length of the warmup, in intervals of the decay.
        start: Interval at which the decay begins, counted from the start of the run.
        total: Length of the run, in intervals; None where it is unknown.
        since: As ``intervals``, of a duration that begins at the interval given last.
        part: Resolves another decay, which begins at the interval given.
        by_clock: Whether the run is planned by the clock: an interval is then a millisecond.
    """

    intervals: Callable[[str, str, Duration], int]
    position: Callable[[str, str, Duration], int]
    interval: Interval
    warmup: int
    start: int
    total: int | None
    since: Callable[[str, str, Duration, int], int]
    part: "Callable[[Decay, int], Decay]"
    by_clock: bool = False


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


class _FallingDecay(Decay):
    """A decay along a shape that falls from 1 to 0, stretched so that it ends at ``final``."""

    final: Factor

    def __post_init__(self) -> None:
        super().__post_init__()
        keep_factor(self, "final")

    @abstractmethod
    def shape(self, u: float) -> float:
        """From 1 to 0 over the share ``u`` in [0, 1] of the decay done."""

    def factor_at(self, tau: float, length: float) -> float:
        final = cast(float, self.final)
        return final + (1 - final) * self.shape(tau / length)


def repr_without_floor(shape: Decay) -> str:
    """The repr of a shape whose ``final`` is a floor: there only if there is one."""
    names = [field.name for field in fields(cast(Any, shape))]
    told = [name for name in names if name != "final" or getattr(shape, name) != 0]
    return f"{type(shape).__name__}({', '.join(f'{name}={getattr(shape, name)!r}' for name in told)})"


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
class LinearDecay(_FallingDecay):
    r"""A straight line.

    .. math:: \mathrm{final} + (1 - \mathrm{final})(1 - u)

    To zero, it is the strongest simple schedule for large language models in Bergsma et al. 2025 (arXiv 2502.15938).

    Args:
        final: Factor at the end, finite and ≥ 0, or "10%".

    Raises:
        ValueError: If ``final`` is out of range.

    >>> from lightning_warmup import LearningRateWarmup
    >>> LearningRateWarmup(0, LinearDecay(final=0.5)).values(1.0, total_steps=4, steps_per_epoch=4)
    [1.0, 0.875, 0.75, 0.625]
    """

    final: Factor = 0.0

    def shape(self, u: float) -> float:
        return 1 - u


@dataclass(frozen=True)
class CosineDecay(_FallingDecay):
    r"""Half a cosine wave.

    .. math:: \mathrm{final} + (1 - \mathrm{final}) \cdot \frac{1}{2}(1 + \cos \pi u)

    Loshchilov & Hutter 2016, without restarts (arXiv 1608.03983).

    Args:
        final: Factor at the end, finite and ≥ 0, or "10%".

    Raises:
        ValueError: If ``final`` is out of range.

    >>> from lightning_warmup import LearningRateWarmup
    >>> lrs = LearningRateWarmup(0, CosineDecay()).values(1.0, total_steps=4, steps_per_epoch=4)
    >>> [round(lr, 3) for lr in lrs]
    [1.0, 0.854, 0.5, 0.146]
    """

    final: Factor = 0.0

    def shape(self, u: float) -> float:
        return 0.5 * (1 + math.cos(math.pi * u))


@dataclass(frozen=True)
class PolynomialDecay(_FallingDecay):
    r"""A power of the share left; without arguments, a straight line.

    .. math:: \mathrm{final} + (1 - \mathrm{final})(1 - u)^{\mathrm{power}}

    Args:
        power: Exponent > 0.
        final: Factor at the end, finite and ≥ 0, or "10%".

    Raises:
        ValueError: If ``power`` or ``final`` is out of range.

    >>> from lightning_warmup import LearningRateWarmup
    >>> LearningRateWarmup(0, PolynomialDecay(power=2)).values(1.0, total_steps=4, steps_per_epoch=4)
    [1.0, 0.5625, 0.25, 0.0625]
    """

    power: float = 1.0
    final: Factor = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        positive("PolynomialDecay", "power", self.power)

    def shape(self, u: float) -> float:
        return math.pow(1 - u, self.power)


@dataclass(frozen=True)
class OneMinusSqrtDecay(_FallingDecay):
    r"""The cooldown of warmup-stable-decay.

    .. math:: \mathrm{final} + (1 - \mathrm{final})(1 - \sqrt{u})

    Hägele et al. 2024 (arXiv 2405.18392); usually over the last tenth or fifth of the run (``decay_duration="20%"``).

    Args:
        final: Factor at the end, finite and ≥ 0, or "10%".

    Raises:
        ValueError: If ``final`` is out of range.

    >>> from lightning_warmup import LearningRateWarmup
    >>> LearningRateWarmup(0, OneMinusSqrtDecay(), decay_duration=4).values(1.0, total_steps=6, steps_per_epoch=6)[:4]
    [1.0, 1.0, 1.0, 0.5]
    """

    final: Factor = 0.0

    def shape(self, u: float) -> float:
        return 1 - math.sqrt(u)


@dataclass(frozen=True, repr=False)
class ExponentialDecay(Decay):
    r"""Equal ratios.

    .. math:: \max(\mathrm{final}, \mathrm{gamma}^{\tau / \mathrm{every}})

    Args:
        gamma: Factor after each ``every``, finite and > 0.
        every: Duration > 0; a bare int counts steps, or epochs with ``interval="epoch"``, where it must be a whole
            number of epochs.
        final: Floor of the factor, finite and ≥ 0, or "10%".

    Raises:
        ValueError: If an argument is out of range.

    >>> from lightning_warmup import LearningRateWarmup
    >>> LearningRateWarmup(0, ExponentialDecay(0.25, every=2, final=0.2)).values(1.0, total_steps=4)
    [1.0, 0.5, 0.25, 0.2]
    """

    gamma: float
    every: Duration = 1
    final: Factor = 0.0
    ends: ClassVar[bool] = False

    __repr__ = repr_without_floor

    def __post_init__(self) -> None:
        super().__post_init__()
        positive("ExponentialDecay", "gamma", self.gamma)
        positive_duration("ExponentialDecay", "every", self.every)
        keep_factor(self, "final")

    def factor_at(self, tau: float, length: float) -> float:
        return max(cast(float, self.final), math.pow(self.gamma, tau / cast(int, self.every)))

    def resolved(self, context: DecayContext) -> "ExponentialDecay":
        return replace(self, every=context.intervals("ExponentialDecay", "every", self.every))


@dataclass(frozen=True, repr=False)
class InverseSqrtDecay(Decay):
    r"""One over the root of time.

    .. math:: \max(\mathrm{final}, \sqrt{s / (s + \tau)})

    Where s = ``timescale``.

    With s the warmup's length and no hold this is the schedule of Vaswani et al. 2017 (arXiv 1706.03762),
    :math:`\mathrm{target} \cdot \sqrt{N / t}`; with s = 1 and no warmup it is the textbook :math:`\eta_0 / \sqrt{t}`, t
    counted from 1.

    Args:
        timescale: Duration s > 0, with ``interval="epoch"`` a whole number of epochs; unset, the warmup's length, or 1
            without a warmup.
        final: Floor of the factor, finite and ≥ 0, or "10%".

    Raises:
        ValueError: If ``timescale`` or ``final`` is out of range.

    >>> from lightning_warmup import LearningRateWarmup
    >>> LearningRateWarmup(0, InverseSqrtDecay()).values(1.0, total_steps=4, steps_per_epoch=4)[::3]
    [1.0, 0.5]
    """

    timescale: Duration | None = None
    final: Factor = 0.0
    ends: ClassVar[bool] = False

    __repr__ = repr_without_floor

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.timescale is not None:
            positive_duration("InverseSqrtDecay", "timescale", self.timescale)
        keep_factor(self, "final")

    def factor_at(self, tau: float, length: float) -> float:
        timescale = cast(float, self.timescale)
        return max(cast(float, self.final), math.sqrt(timescale / (timescale + tau)))

    def resolved(self, context: DecayContext) -> "InverseSqrtDecay":
        if self.timescale is None:
            if context.by_clock and not context.warmup:
                raise ValueError(
                    "InverseSqrtDecay(timescale=None) takes the warmup's length, or one step: in a run by the clock"
                    " without a warmup, write a share, such as timescale='5%', or a time."
                )
            return replace(self, timescale=context.warmup or 1)
        return replace(self, timescale=context.intervals("InverseSqrtDecay", "timescale", self.timescale))


@dataclass(frozen=True)
class InverseTimeDecay(Decay):
    r"""A power of one over time.

    .. math:: \max(\mathrm{final}, (1 + \tau / \mathrm{timescale})^{-\mathrm{power}})

    With a power of 1 this is Keras's schedule of that name: half of the target after ``timescale``, a third after
    twice that.

    Args:
        timescale: Duration > 0, with ``interval="epoch"`` a whole number of epochs.
        power: Exponent > 0.
        final: Floor of the factor, finite and ≥ 0, or "10%".

    Raises:
        ValueError: If an argument is out of range.

    >>> from lightning_warmup import LearningRateWarmup
    >>> LearningRateWarmup(0, InverseTimeDecay(2, final=0.4)).values(1.0, total_steps=7)[::2]
    [1.0, 0.5, 0.4, 0.4]
    """

    timescale: Duration
    power: float = 1.0
    final: Factor = 0.0
    ends: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        positive_duration("InverseTimeDecay", "timescale", self.timescale)
        positive("InverseTimeDecay", "power", self.power)
        keep_factor(self, "final")

    def factor_at(self, tau: float, length: float) -> float:
        return max(cast(float, self.final), math.pow(1 + tau / cast(int, self.timescale), -self.power))

    def resolved(self, context: DecayContext) -> "InverseTimeDecay":
        return replace(self, timescale=context.intervals("InverseTimeDecay", "timescale", self.timescale))


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


SHAPES = (
    "ConstantDecay(), LinearDecay(), CosineDecay(), PolynomialDecay(power), OneMinusSqrtDecay(),"
    " ExponentialDecay(gamma), InverseSqrtDecay(), InverseTimeDecay(timescale), StepDecay(every),"
    " MultiStepDecay(milestones), CosineRestartsDecay(period), RestartsDecay(decay, period),"
    " PiecewiseLinearDecay(points), PiecewiseConstantDecay(points), SequentialDecay(parts), FormulaDecay(formula),"
    " FunctionDecay(function), TorchDecay(scheduler), ReduceOnPlateauDecay(monitor)"
)
"""Every decay with what it must be given, as an error lists them."""


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
        "polynomial": PolynomialDecay,
    }
    if name not in shapes:
        choices = ", ".join(map(repr, shapes))
        raise ValueError(
            f"{owner}(decay={name!r}) is no decay: write one of {choices}, or a shape (in YAML with class_path):"
            f" {SHAPES}. Warmup-stable-decay is decay='one_minus_sqrt' with decay_duration='20%'."
        )
    return shapes[name]()


def shape_within(owner: str, decay: "Decay | str", what: str) -> Decay:
    """A decay that another one is made of.

    Raises:
        ValueError: If it is none, or one that has no value before the run gets there.
    """
    if isinstance(decay, str):
        decay = decay_named(decay, owner)
    if not isinstance(decay, Decay):
        raise ValueError(f"{owner}(decay={decay!r}) is no decay: write 'cosine' or CosineDecay(final=0.1).")
    if not decay.closed_form:
        raise ValueError(f"{owner}(decay={decay!r}): what is not known before the run gets there cannot be {what}.")
    return decay


def _words(decay: Decay) -> str:
    """``OneMinusSqrtDecay()`` → "one minus sqrt"."""
    return re.sub("(?<=[a-z])(?=[A-Z])", " ", type(decay).__name__.removesuffix("Decay")).lower()


def positive_duration(owner: str, name: str, value: Duration) -> None:
    """Raise ValueError unless ``value`` is a duration > 0."""
    if parse_duration(owner, name, value).amount == 0:
        raise ValueError(f"{owner}({name}={value!r}): expected a duration > 0.")
