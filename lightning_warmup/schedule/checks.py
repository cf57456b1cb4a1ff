"""Checks of single numbers, each error quoting the parameter, the value and the fix."""

import math
from numbers import Real


def is_number(value: object) -> bool:
    """Whether ``value`` is a finite real number; a bool is not."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def positive(owner: str, name: str, value: object) -> None:
    """Raise ValueError unless ``value`` is a finite number > 0."""
    if not is_number(value) or value <= 0:  # type: ignore[operator]
        raise ValueError(f"{owner}({name}={value!r}): expected a finite number > 0.")


def non_negative(owner: str, name: str, value: object) -> None:
    """Raise ValueError unless ``value`` is a finite number ≥ 0."""
    if not is_number(value) or value < 0:  # type: ignore[operator]
        raise ValueError(f"{owner}({name}={value!r}): expected a finite number ≥ 0.")
