"""What a run was before it was changed: how many epochs, or samples, its first steps were.

A run that is resumed with another batch size, accumulation or number of processes has epochs of one length behind it
and of another ahead. What was run stays what it was: the steps taken keep the epochs that they were in and the samples
that they saw, and those to come are counted as they will be.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

Knots = tuple[tuple[int, int], ...]
"""Pairs (step, epochs or samples by then), both rising; (0, 0) goes without saying."""


@dataclass(frozen=True)
class Pace:
    """How far a run is after so many steps, in another unit: epochs or samples.

    Straight lines between the knots, and ``per_step`` from the last of them on.

    >>> pace = Pace(Fraction(1, 10), ((40, 2), (46, 3)))  # two epochs of 20 steps, one of 6, then epochs of 10
    >>> [float(pace.at(step)) for step in (0, 10, 40, 43, 46, 56)]
    [0.0, 0.5, 2.0, 2.5, 3.0, 4.0]
    >>> [float(pace.step(epoch)) for epoch in (0, 0.5, 2, 2.5, 3, 4)]
    [0.0, 10.0, 40.0, 43.0, 46.0, 56.0]
    """

    per_step: Fraction
    knots: Knots = ()

    def at(self, step: Fraction | int) -> Fraction:
        """How far the run is at ``step``."""
        return _along(((0, 0), *self.knots), step, self.per_step)

    def step(self, amount: Fraction | float) -> Fraction:
        """The step at which the run is as far as ``amount``."""
        return _along(((0, 0), *((y, x) for x, y in self.knots)), Fraction(amount), 1 / self.per_step)

    def first(self, tick: int, stride: int) -> int:
        """The first step of a tick, where a tick is a step, or (``stride`` > 1) an epoch."""
        return tick if stride == 1 else math.ceil(self.step(tick))

    def changed(self, per_step: Fraction, *knots: tuple[int, int]) -> "Pace":
        """This pace up to the first of ``knots``, then through them, and ``per_step`` from the last of them on."""
        line: list[tuple[int, int]] = [knot for knot in self.knots if knot[0] < knots[0][0] and knot[1] < knots[0][1]]
        for step, amount in knots:
            before = line[-1] if line else (0, 0)
            if step > before[0] and amount > before[1]:
                line.append((step, amount))
        return Pace(per_step, tuple(line))


def _along(knots: Sequence[tuple[int, int]], x: Fraction | int, slope: Fraction) -> Fraction:
    """The value at ``x`` of the line through the knots, which goes on with ``slope`` behind the last."""
    i = bisect_right(knots, x, key=lambda knot: knot[0]) - 1
    (x0, y0), behind = knots[i], knots[i + 1 :]
    if behind:
        slope = Fraction(behind[0][1] - y0, behind[0][0] - x0)
    return y0 + (x - x0) * slope
