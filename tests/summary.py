"""Figures that the test run prints at its end."""

from collections import Counter

figures: Counter[str] = Counter()


def count(what: str, number: int) -> None:
    """Add to a figure."""
    figures[what] += number
