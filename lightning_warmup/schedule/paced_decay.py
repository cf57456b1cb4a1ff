"""A decay that counts in epochs or samples, in a run whose epochs or batches have not always been what they are."""

import math
from collections.abc import Sequence
from fractions import Fraction

from lightning_warmup.schedule.decays import Decay
from lightning_warmup.schedule.past import Pace


class _PacedDecay(Decay):
    """A decay by the clock of ``pace``: a step counts as many steps as it would take now to go as far.

    Underscored, or ``--help`` would offer it.

    Args:
        decay: The decay, its durations in steps of the run as it is now.
        pace: What its durations count.
        start: Step at which it begins.
    """

    def __init__(self, decay: Decay, pace: Pace, start: int) -> None:
        self._decay = decay
        self._pace = pace
        self._start = start
        self.ends = decay.ends  # type: ignore[misc]
        self.closed_form = decay.closed_form  # type: ignore[misc]

    def __str__(self) -> str:
        return str(self._decay)

    def __repr__(self) -> str:
        return repr(self._decay)

    def _steps(self, tau: float) -> float:
        if tau == float("inf"):
            return tau
        gone = self._pace.at(self._start + Fraction(tau)) - self._pace.at(self._start)
        return float(gone / self._pace.per_step)

    def factor_at(self, tau: float, length: float) -> float:
        return self._decay.factor_at(self._steps(tau), self._steps(length))

    def values(self, tau: float, length: float, target: Sequence[float]) -> list[float]:
        return self._decay.values(self._steps(tau), self._steps(length), target)

    def settles(self, last: float) -> float | None:
        settled = None if last == float("inf") else self._decay.settles(self._steps(last))
        if settled is None:
            return None
        there = self._pace.at(self._start) + Fraction(settled) * self._pace.per_step
        return math.ceil(self._pace.step(there) - self._start)

    def check(self, length: float, target: Sequence[float]) -> None:
        self._decay.check(self._steps(length), target)
