r"""Warmup shapes: the way from the initial value to the target. Pure floats.

Time, in one sentence: ``value(t)`` is what optimizer step t (counted from 0) uses; with a warmup of N, ``value(0)`` is
the initial value and ``value(N)`` is the target. With :math:`u = t / N`, the share of the warmup done,

.. math:: \mathrm{value}(t) = \mathrm{initial} + (\mathrm{target} - \mathrm{initial}) \cdot \mathrm{weight}(u)
"""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from lightning_warmup.schedule.checks import call_function, keep_plain, positive
from lightning_warmup.schedule.durations import Duration, parse_duration


class Warmup(ABC):
    """A way from an initial value to a target over ``duration``.

    A shape of your own is a frozen dataclass with a ``duration`` and a ``weight``, or a :class:`FunctionWarmup`.
    """

    duration: Duration

    measured: ClassVar[bool] = False
    """Whether the value depends on what the run itself does."""

    counts_steps: ClassVar[bool] = False
    """Whether the shape is a matter of single optimizer steps, and starts where it sees fit."""

    reaches: float = 1.0
    """The share of the target that is held from the end of the warmup on."""

    def __str__(self) -> str:
        return re.sub("(?<=[a-z])(?=[A-Z])", " ", type(self).__name__.removesuffix("Warmup")).lower()

    def __post_init__(self) -> None:
        keep_plain(self)
        parse_duration(type(self).__name__, "duration", self.duration)

    def length(self, intervals: Callable[[str, str, Duration], int]) -> int:
        """Length of the warmup; ``intervals`` turns a duration into intervals, given class, parameter and duration."""
        return intervals(type(self).__name__, "duration", self.duration)

    def resolved(self, length: int) -> "Warmup":
        """This shape where its length is known, in intervals."""
        return self

    @abstractmethod
    def weight(self, u: float) -> float:
        """Weight of the target at the share ``u`` in [0, 1) of the warmup: 0 at its start, 1 at its end."""

    def values(self, u: float, initial: Sequence[float], target: Sequence[float]) -> list[float]:
        """The value of every param group at the share ``u`` in [0, 1) of the warmup."""
        weight = float(self.weight(u))  # numpy's own would end up in checkpoints
        # strict=True would take as long as all the rest for one group.
        return [low + (high - low) * weight for low, high in zip(initial, target)]  # noqa: B905

    def check(self, initial: float, target: float) -> None:  # noqa: B027  # most shapes go anywhere
        """Raise ValueError if this shape has no way from ``initial`` to ``target``."""


@dataclass(frozen=True)
class LinearWarmup(Warmup):
    r"""Equal steps up to the target.

    .. math:: \mathrm{weight}(u) = u

    The gradual warmup of Goyal et al. 2017 (arXiv 1706.02677) and SuperGradients' linear warmup.

    Args:
        duration: Length N of the warmup, any duration ≥ 0.

    Raises:
        ValueError: If ``duration`` is not a duration.

    >>> from lightning_warmup import LearningRateWarmup
    >>> LearningRateWarmup(LinearWarmup(4), warmup_initial_lr=0.0).values(1.0, total_steps=6, steps_per_epoch=6)
    [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]
    """

    duration: Duration

    def weight(self, u: float) -> float:
        return u


@dataclass(frozen=True)
class ConstantWarmup(Warmup):
    r"""The initial value throughout, then a jump to the target.

    .. math:: \mathrm{weight}(u) = 0

    Where for u < 1.

    The constant warmup of Goyal et al. 2017, section 2.2 (arXiv 1706.02677): useful when new layers are trained beside
    pre-trained ones; they found that the jump can make the training error spike.

    Args:
        duration: Length N of the warmup, any duration ≥ 0.

    Raises:
        ValueError: If ``duration`` is not a duration.

    >>> from lightning_warmup import LearningRateWarmup
    >>> LearningRateWarmup(ConstantWarmup(3), warmup_initial_lr=0.1).values(1.0, total_steps=5, steps_per_epoch=5)
    [0.1, 0.1, 0.1, 1.0, 1.0]
    """

    duration: Duration

    def weight(self, u: float) -> float:
        return 0.0


@dataclass(frozen=True)
class ExponentialWarmup(Warmup):
    r"""Equal ratios up to the target.

    .. math:: \mathrm{value} = \mathrm{initial}^{1-u}\,\mathrm{target}^{u}

    Args:
        duration: Length N of the warmup, any duration ≥ 0.

    Raises:
        ValueError: If ``duration`` is not a duration; at fit start, if the initial value or the target is 0.

    >>> from lightning_warmup import LearningRateWarmup
    >>> LearningRateWarmup(ExponentialWarmup(2), warmup_initial_lr=0.01).values(1.0, total_steps=3, steps_per_epoch=3)
    [0.01, 0.1, 1.0]
    """

    duration: Duration

    def weight(self, u: float) -> float:
        """Weight of the target's logarithm."""
        return u

    def values(self, u: float, initial: Sequence[float], target: Sequence[float]) -> list[float]:
        # Equal ends are kept as they are: rounding must not move them, and 0 has no ratio to itself.
        return [low if low == high else low * (high / low) ** u for low, high in zip(initial, target, strict=True)]

    def check(self, initial: float, target: float) -> None:
        if initial != target and (initial <= 0 or target <= 0):
            raise ValueError(
                f"ExponentialWarmup(duration={self.duration!r}) goes from {initial!r} to {target!r} by equal ratios,"
                " and 0 has none: start above 0 (warmup_initial_lr, initial_value), or use LinearWarmup."
            )


@dataclass(frozen=True)
class CosineWarmup(Warmup):
    r"""Half a cosine wave up to the target.

    .. math:: \mathrm{weight}(u) = \frac{1}{2}(1 - \cos \pi u)

    Args:
        duration: Length N of the warmup, any duration ≥ 0.

    Raises:
        ValueError: If ``duration`` is not a duration.

    >>> from lightning_warmup import LearningRateWarmup
    >>> lrs = LearningRateWarmup(CosineWarmup(4), warmup_initial_lr=0.0).values(1.0, total_steps=5, steps_per_epoch=5)
    >>> [round(lr, 3) for lr in lrs]
    [0.0, 0.146, 0.5, 0.854, 1.0]
    """

    duration: Duration

    def weight(self, u: float) -> float:
        return 0.5 * (1 - math.cos(math.pi * u))


@dataclass(frozen=True)
class PolynomialWarmup(Warmup):
    r"""A power of the share done.

    .. math:: \mathrm{weight}(u) = u^{\mathrm{power}}

    Args:
        duration: Length N of the warmup, any duration ≥ 0.
        power: Exponent > 0; 1 is the linear warmup, 2 starts slower.

    Raises:
        ValueError: If ``duration`` is not a duration, or ``power`` is not finite and > 0.

    >>> from lightning_warmup import LearningRateWarmup
    >>> warmup = PolynomialWarmup(4, power=2)
    >>> LearningRateWarmup(warmup, warmup_initial_lr=0.0).values(1.0, total_steps=5, steps_per_epoch=5)
    [0.0, 0.0625, 0.25, 0.5625, 1.0]
    """

    duration: Duration
    power: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        positive("PolynomialWarmup", "power", self.power)

    def weight(self, u: float) -> float:
        return math.pow(u, self.power)


@dataclass(frozen=True)
class FunctionWarmup(Warmup):
    r"""A weight of your own.

    .. math:: \mathrm{weight}(u) = \mathrm{function}(u)

    Args:
        duration: Length N of the warmup, any duration ≥ 0.
        function: Called with u in [0, 1); returns the weight of the target, 0 at u = 0 and towards 1 at u = 1. An
            import path in YAML, for example ``math.sqrt``. The schedule does what the function says: one that is not 0
            at 0 starts elsewhere than at the initial value.

    Raises:
        ValueError: If ``duration`` is not a duration or ``function`` is not callable; at fit start, if it raises an
            exception, or returns what is no learning rate.

    >>> from lightning_warmup import LearningRateWarmup
    >>> warmup = FunctionWarmup(4, math.sqrt)
    >>> LearningRateWarmup(warmup, warmup_initial_lr=0.0).values(1.0, total_steps=5, steps_per_epoch=5)[::4]
    [0.0, 1.0]
    """

    duration: Duration
    function: Callable[[float], float]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not callable(self.function):
            raise ValueError(
                f"FunctionWarmup(function={self.function!r}) is not callable: give a function of the share u in [0, 1]."
            )

    def weight(self, u: float) -> float:
        return call_function(self, self.function, u)
