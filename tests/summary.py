"""Figures that the test run prints at its end."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

figures: Counter[str] = Counter()
faults: dict[str, list[dict[str, Any]]] = {}
"""What was done to runs, and what came of it, by its kind: written to ``runs/faults.json``."""


def count(what: str, number: int) -> None:
    """Add to a figure."""
    figures[what] += number


def fault(kind: str, what: dict[str, Any]) -> None:
    """Add to what was done to runs."""
    faults.setdefault(kind, []).append(what)


@contextmanager
def resume_point() -> Iterator[None]:
    """One point to resume from: tried, and exact if nothing inside objects."""
    count("resume points tried", 1)
    yield
    count("resume points exact", 1)
