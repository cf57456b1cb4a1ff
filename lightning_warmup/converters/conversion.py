"""What other libraries' arguments become: the parameters of a LearningRateWarmup, as YAML has them, and remarks."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from textwrap import wrap
from typing import Any

from lightning_warmup.schedule.checks import is_number, plain

_OF_A_SCHEDULE = {"lr", "warmup", "cooldown", "sched", "schedule", "scheduler", "decay", "learning", "epochs"}
_NOT_OF_A_SCHEDULE = {"weight", "ema", "wd", "model", "eval", "save", "run", "logging", "bn", "epoch", "layer"}


@dataclass(frozen=True)
class Conversion:
    """A schedule of another library in ours.

    Args:
        parameters: What ``LearningRateWarmup`` is given, as plain data.
        trainer: What the Trainer is given beside it.
        notes: What a reader should know: where the library's run departed from its documentation, and by how much.
    """

    parameters: dict[str, Any]
    trainer: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def yaml(self) -> str:
        """The YAML of a LightningCLI, with the notes as comments.

        Raises:
            ValueError: If it has no text: it holds a function.
        """
        import yaml

        entry = {"class_path": "lightning_warmup.LearningRateWarmup", "init_args": self.parameters}
        content = {"trainer": {**self.trainer, "callbacks": [entry]}}
        try:
            text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)
        except yaml.YAMLError as error:
            raise ValueError(
                f"what was given has no YAML, it holds a function: {' '.join(str(error).split())}"
            ) from None
        comments = [wrap(note, 117, initial_indent="# ", subsequent_indent="#   ") for note in self.notes]
        return "".join(f"{line}\n" for lines in comments for line in lines) + text


def arguments(call: str, given: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, with the defaults of what was not; numbers and lists are Python's own.

    Args:
        call: Whose argument it is, quoted in errors.
        given: The mapping as the user has it. What does not concern the learning rate is passed over.
        defaults: Every argument that is known, with the library's default.

    Raises:
        ValueError: If it is no mapping, or if keys that look as if they were the schedule's are not known.
    """
    if not isinstance(given, Mapping):
        raise ValueError(f"{call}: expected a mapping from names to values, not {given!r}.")
    unknown = [key for key in given if key not in defaults and _is_of_a_schedule(str(key), list(defaults))]
    if unknown:
        told = ", ".join(f"{key}={given[key]!r}" for key in unknown)
        raise ValueError(f"{call}: no such schedule arguments: {told}. Take them out, or write: {', '.join(defaults)}.")
    return {**defaults, **{key: plain(value) for key, value in given.items() if key in defaults and value is not None}}


def _is_of_a_schedule(key: str, known: list[str]) -> bool:
    words = set(re.split("[_-]", key.lower()))
    return bool((words & _OF_A_SCHEDULE and not words & _NOT_OF_A_SCHEDULE) or get_close_matches(key, known, 1, 0.85))


def number(call: str, name: str, value: Any, least: float = 0.0) -> float:
    """A number ≥ ``least``, also one that YAML 1.1 takes for text, such as 1e-3.

    Raises:
        ValueError: If it is none.
    """
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise ValueError(f"{call}: {name}={value!r} is no number.") from None
    if not is_number(value) or value < least:
        raise ValueError(f"{call}: {name}={value!r}: expected a finite number ≥ {least:g}.")
    return value  # type: ignore[no-any-return]


def count(call: str, name: str, value: Any, least: int = 0) -> int:
    """A whole number ≥ ``least``, also one written as a float.

    Raises:
        ValueError: If it is none.
    """
    amount = number(call, name, value, least)
    if amount != int(amount):
        raise ValueError(f"{call}: {name}={value!r}: expected a whole number.")
    return int(amount)


def one_of(call: str, name: str, value: Any, names: Sequence[str]) -> ValueError:
    """The error for a name that is not known."""
    return ValueError(f"{call}: {name}={value!r} is not known: expected one of {', '.join(names)}.")


def short(amount: float) -> float | int:
    """A number without a fraction of 0."""
    return int(amount) if amount == int(amount) else amount


def epochs(amount: float) -> str:
    """So many epochs, as a duration."""
    return f"{short(amount)} epoch{'' if amount == 1 else 's'}"


def shape(name: str, **init_args: Any) -> dict[str, Any]:
    """A shape of ours, as YAML has it."""
    return {"class_path": name, "init_args": init_args} if init_args else {"class_path": name}


def ratio(call: str, name: str, value: float, lr: Any) -> float:
    """A learning rate as a factor of the target.

    Raises:
        ValueError: If the target is not one number > 0.
    """
    if not value:
        return 0.0
    if not is_number(lr) or lr <= 0:
        raise ValueError(
            f"{call}: {name}={value!r} is a learning rate, and ours a factor of the target: give one lr > 0."
        )
    return value / lr  # type: ignore[no-any-return]


def percent(amount: float) -> str:
    """A size for readers: two digits.

    >>> percent(0.0123), percent(1)
    ('1.2%', '100%')
    """
    digits = max(0, 1 - math.floor(math.log10(amount * 100))) if amount else 0
    return f"{amount * 100:.{digits}f}%"
