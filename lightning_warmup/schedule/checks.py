"""Numbers of whatever library as Python's own, and checks of them, each error quoting parameter, value and fix."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from numbers import Integral, Rational, Real
from typing import Any

Factor = float | str
"""A factor of the target: ``0.1``, or ``"10%"``."""

PERCENT = re.compile(r"\s*(\d+\.?\d*|\.\d+)\s*%\s*")


def is_number(value: object) -> bool:
    """Whether ``value`` is a finite real number; a bool is not."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an int beyond what a float can hold
        return False


def is_count(value: object, least: int) -> bool:
    """Whether ``value`` is a whole number ≥ ``least``, of an integer type; a bool is not."""
    return isinstance(value, Integral) and not isinstance(value, bool) and value >= least  # type: ignore[operator]


def positive(owner: str, name: str, value: object) -> None:
    """Raise ValueError unless ``value`` is a finite number > 0."""
    if not is_number(value) or value <= 0:  # type: ignore[operator]
        raise ValueError(f"{owner}({name}={value!r}): expected a finite number > 0.")


def non_negative(owner: str, name: str, value: object) -> None:
    """Raise ValueError unless ``value`` is a finite number ≥ 0."""
    if not is_number(value) or value < 0:  # type: ignore[operator]
        raise ValueError(f"{owner}({name}={value!r}): expected a finite number ≥ 0.")


def as_factor(owner: str, name: str, value: object) -> float:
    """A factor of the target as a number.

    Raises:
        ValueError: Unless ``value`` is a finite number ≥ 0, or a percentage.

    >>> as_factor("CosineDecay", "final", "10%")
    0.1
    """
    if isinstance(value, str) and (percent := PERCENT.fullmatch(value)):
        return float(percent[1]) / 100
    if not is_number(value) or value < 0:  # type: ignore[operator]
        raise ValueError(f"{owner}({name}={value!r}): expected a finite number ≥ 0, or '10%' of the target.")
    return float(value)  # type: ignore[arg-type]


def keep_factor(shape: object, name: str) -> None:
    """Keep a factor of the target among the fields of a frozen dataclass as a number."""
    value = getattr(shape, name)
    factor = as_factor(type(shape).__name__, name, value)
    if isinstance(value, str):  # a number stays as it was written: an int is one in the repr
        object.__setattr__(shape, name, factor)


def plain(value: Any) -> Any:
    """``value`` with its numbers, mappings and sequences as Python's own; anything else stays what it is.

    numpy's numbers are numbers, but a pickle, a repr or a YAML that holds them is no plain one, and a checkpoint with
    them does not load. The same holds of a mapping or a list of OmegaConf's, which Hydra hands over.

    >>> from fractions import Fraction
    >>> plain([Fraction(1, 4), range(3), "10%", None])
    [0.25, [0, 1, 2], '10%', None]
    """
    if isinstance(value, Mapping):
        return {key: plain(value[key]) for key in value}
    if type(value) is tuple:
        return tuple(map(plain, value))
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | tuple):
        return list(map(plain, value))
    if isinstance(value, bool) or not isinstance(value, Real):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, float | Rational):
        return float(value)
    # The decimal number that was written, not the one next to it that another precision makes of it: 0.1f is 0.1.
    return float(str(value))


def keep_plain(shape: object) -> None:
    """Keep what the fields of a frozen dataclass hold as Python's own; see :func:`plain`."""
    for field in fields(shape):  # type: ignore[arg-type]
        if field.init:
            object.__setattr__(shape, field.name, plain(getattr(shape, field.name)))


class FunctionError(ValueError):
    """A function of the user's has failed; the message says which, where and how."""


def call_function(shape: object, function: Callable[[float], float], u: float) -> float:
    """What a user's function gives, as a float.

    Raises:
        FunctionError: If the function raises anything, or gives no number.
    """
    try:
        return float(function(u))
    except Exception as error:
        raise FunctionError(f"{shape!r} fails at u = {u!r}: {type(error).__name__}: {error}.") from error
