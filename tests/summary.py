"""Figures that the test run prints at its end."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

figures: Counter[str] = Counter()


def count(what: str, number: int) -> None:
    """Add to a figure."""
    figures[what] += number


@contextmanager
def resume_point() -> Iterator[None]:
    """One point to resume from: tried, and exact if nothing inside objects."""
    count("resume points tried", 1)
    yield
    count("resume points exact", 1)
