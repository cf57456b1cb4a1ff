"""How sure a number of few seeds is: the bootstrap, over all samples that there are."""

import math
from collections.abc import Callable, Sequence
from functools import cache
from itertools import combinations_with_replacement


@cache
def resamples(n: int) -> list[tuple[tuple[int, ...], int]]:
    """All ways to draw n of n with replacement, order aside, and how many orders each has: 126 for n = 5."""
    drawn = combinations_with_replacement(range(n), n)
    return [(d, math.factorial(n) // math.prod(math.factorial(d.count(i)) for i in set(d))) for d in drawn]


def interval(n: int, statistic: Callable[[Sequence[int]], float], level: float = 0.95) -> tuple[float, float]:
    """Percentile bootstrap, exact: of all n^n samples, not of some.

    Args:
        n: Seeds, 6 at most.
        statistic: Of the seeds that were drawn, by their places.
        level: Of confidence.

    >>> interval(2, lambda drawn: sum(drawn) / 2)
    (0.0, 1.0)
    """
    found = sorted((statistic(drawn), weight) for drawn, weight in resamples(n))
    total, tail = sum(weight for _, weight in found), (1 - level) / 2
    seen, low, high = 0, math.nan, math.nan
    for value, weight in found:
        if math.isnan(low) and seen + weight > tail * total:
            low = value
        if math.isnan(high) and seen + weight >= (1 - tail) * total:
            high = value
        seen += weight
    return low, high


def mean(values: Sequence[float]) -> float:
    """Arithmetic."""
    return sum(values) / len(values)


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """Of a mean."""
    return interval(len(values), lambda drawn: mean([values[i] for i in drawn]))


def ranks(values: Sequence[float]) -> list[float]:
    """From 1; equals share the mean of theirs."""
    return [sum(other < value for other in values) + (values.count(value) + 1) / 2 for value in values]


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Spearman's.

    >>> rank_correlation([1, 2, 3], [10, 30, 20])
    0.5
    """
    x, y = ranks(list(one)), ranks(list(other))
    centre = (len(x) + 1) / 2
    covariance = sum((a - centre) * (b - centre) for a, b in zip(x, y, strict=True))
    return covariance / math.sqrt(sum((a - centre) ** 2 for a in x) * sum((b - centre) ** 2 for b in y))
