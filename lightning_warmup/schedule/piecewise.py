"""Decays given by points."""

import itertools
from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import ClassVar, cast

from lightning_warmup.schedule.checks import Factor, as_factor, plain
from lightning_warmup.schedule.decays import Decay, DecayContext
from lightning_warmup.schedule.durations import Duration, parse_duration


class _PiecewiseDecay(Decay):
    """A factor given at points of the run."""

    ends: ClassVar[bool] = False

    points: dict[Duration, Factor]
    _at: list[int]
    """Where the points are, counted from the start of the decay."""
    _factors: list[float]

    def __post_init__(self) -> None:
        owner, points = type(self).__name__, self.points
        if not isinstance(points, Mapping) or not points:
            raise ValueError(
                f"{owner}(points={points!r}): expected a mapping from one duration or more to a factor of the target,"
                " for example {0: 1.0, '30%': 0.5, '60 epochs': '10%'}."
            )
        checked: dict[Duration, Factor] = {}
        for written, factor in points.items():
            # A key of JSON, or of a command line, is a string.
            point = int(written) if isinstance(written, str) and written.strip().isdecimal() else plain(written)
            parse_duration(owner, "points", point)
            checked[point] = as_factor(owner, f"points[{written!r}]", factor)
        if len(checked) < len(points):
            raise ValueError(f"{owner}(points={points!r}): the points must increase, and two are the same.")
        object.__setattr__(self, "points", checked)
        object.__setattr__(self, "_factors", list(checked.values()))
        if all(isinstance(point, int) for point in checked):
            self._put(cast(Sequence[int], list(checked)), 0)

    def _put(self, positions: Sequence[int], start: int) -> None:
        """Have the points at these intervals of the run, and the decay begin at ``start``."""
        if any(a >= b for a, b in itertools.pairwise(positions)):
            here = "" if list(positions) == list(self.points) else f" (here at {list(positions)})"
            raise ValueError(
                f"{type(self).__name__}(points={self.points!r}){here}: the points must increase, sort them."
            )
        object.__setattr__(self, "_at", [position - start for position in positions])

    def factor_at(self, tau: float, length: float) -> float:
        return self._between(bisect_right(self._at, tau), tau)

    @abstractmethod
    def _between(self, i: int, tau: float) -> float:
        """Factor at ``tau``, with ``i`` points behind it."""

    def unreached(self, last: float) -> list[int]:
        """Which of the points come after ``last``, by their index."""
        return [i for i, position in enumerate(self._at) if position > last]

    def resolved(self, context: DecayContext) -> Decay:
        owner = type(self).__name__
        resolved = copy(self)
        resolved._put([context.position(owner, "points", point) for point in self.points], context.start)
        if context.start and (factor := resolved.factor_at(0, 0)) != 1:
            raise ValueError(
                f"{owner}(points={self.points!r}): the factor is {factor:.4g} at {context.start:,}, where it begins"
                " after a warmup, a hold or another part, and must be 1 there (points count from the start of the run)."
                " Put a point of factor 1 there, or let the warmup be a factor on the points: decay_from='start'."
            )
        return resolved


@dataclass(frozen=True)
class PiecewiseLinearDecay(_PiecewiseDecay):
    r"""Straight lines between points.

    .. math:: f_i + (f_{i+1} - f_i) \frac{t - m_i}{m_{i+1} - m_i}

    Where :math:`m_i \le t < m_{i+1}` are points, :math:`f_i` their factors, and t counts from the start of the run.
    Before the first point its factor is held, after the last point that one's.

    Args:
        points: Mapping from durations ≥ 0, counted from the start of the run as milestones are, to factors of the
            target, finite and ≥ 0, or "10%". The durations must increase; a bare int counts steps, or epochs with
            ``interval="epoch"``. After a warmup or hold the factor must be 1 where they end: there is the target. A
            point that the run does not reach is told by a warning.

    Raises:
        ValueError: If ``points`` is empty, does not increase, or a factor is out of range; at fit start, if the factor
            after a warmup or hold is not 1.

    >>> from lightning_warmup import LearningRateWarmup
    >>> LearningRateWarmup(0, PiecewiseLinearDecay({0: 1.0, "50%": 0.5, 6: "10%"})).values(1.0, total_steps=8)
    [1.0, 0.875, 0.75, 0.625, 0.5, 0.3, 0.1, 0.1]
    """

    points: dict[Duration, Factor]

    def _between(self, i: int, tau: float) -> float:
        at, factors = self._at, self._factors
        if i == 0 or i == len(at):
            return factors[0] if i == 0 else factors[-1]
        return factors[i - 1] + (factors[i] - factors[i - 1]) * (tau - at[i - 1]) / (at[i] - at[i - 1])


@dataclass(frozen=True)
class PiecewiseConstantDecay(_PiecewiseDecay):
    r"""Steps to given factors.

    .. math:: f_i

    Where :math:`m_i \le t < m_{i+1}` are points, :math:`f_i` their factors, and t counts from the start of the run. The
    interval of a point is the first with its factor; before the first point the factor is 1.

    Args:
        points: Mapping from durations ≥ 0, counted from the start of the run as milestones are, to factors of the
            target, finite and ≥ 0, or "10%". The durations must increase; a bare int counts steps, or epochs with
            ``interval="epoch"``. After a warmup or hold the factor must be 1 where they end: there is the target. A
            point that the run does not reach is told by a warning.

    Raises:
        ValueError: If ``points`` is empty, does not increase, or a factor is out of range; at fit start, if the factor
            after a warmup or hold is not 1.

    >>> from lightning_warmup import LearningRateWarmup
    >>> LearningRateWarmup(0, PiecewiseConstantDecay({2: 0.316, 4: "10%"})).values(1.0, total_steps=6)
    [1.0, 1.0, 0.316, 0.316, 0.1, 0.1]
    """

    points: dict[Duration, Factor]

    def _between(self, i: int, tau: float) -> float:
        return self._factors[i - 1] if i else 1.0

    def settles(self, last: float) -> float:
        factor, jumps = 1.0, [0]
        for position, following in zip(self._at, self._factors, strict=True):
            if position <= last and following != factor:
                jumps.append(max(0, position))
            factor = following if position <= last else factor
        return jumps[-1]
