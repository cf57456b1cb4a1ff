"""Fair timing on a machine that is never quiet: short rounds in turn, and the median of the rounds."""

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import repeat
from random import Random
from statistics import quantiles
from time import thread_time

ROUND_SECONDS = 2e-3


@dataclass(frozen=True)
class Sample:
    """Median and quartiles."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> "Sample":
        low, median, high = quantiles(values, method="inclusive") if len(values) > 1 else values * 3
        return cls(median, low, high)


def interleaved(steps: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Sample]:
    """Microseconds per call of each step; in every round each has its turn."""
    calls = {name: max(1, int(ROUND_SECONDS / seconds_per_call(step, 1))) for name, step in steps.items()}
    # The first call has caches to fill: the second estimate is the one that counts.
    calls = {name: max(1, int(ROUND_SECONDS / seconds_per_call(step, calls[name]))) for name, step in steps.items()}
    names = list(steps)
    times: dict[str, list[float]] = {name: [] for name in names}
    shuffled = Random(0)
    for _ in range(rounds):
        # In another order each time, or one would always find the caches as its neighbour leaves them.
        for name in shuffled.sample(names, len(names)):
            steps[name]()
            times[name].append(1e6 * seconds_per_call(steps[name], calls[name]))
    return {name: Sample.of(values) for name, values in times.items()}


def seconds_per_call(step: Callable[[], object], calls: int) -> float:
    """Of the processor, not of the clock: other programs on this machine do not count. No garbage collections."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        start = thread_time()
        for _ in repeat(None, calls):
            step()
        return (thread_time() - start) / calls
    finally:
        if collecting:
            gc.enable()
