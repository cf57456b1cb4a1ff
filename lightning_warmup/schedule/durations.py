"""How long a phase lasts: what the user wrote, turned into whole intervals of one run."""

import math
import re
import sys
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from lightning_warmup.schedule.checks import is_count, is_number, plain
from lightning_warmup.schedule.past import Knots, Pace

Duration = int | float | str
"""A length of time: ``500``, ``0.05``, ``"5%"``, ``"500 steps"``, ``"5 epochs"``, ``"50000 samples"``."""

Interval = Literal["step", "epoch"]
"""What one tick of a schedule is: an optimizer step or a training epoch."""

_FORMS = (
    "an int (a number of intervals: steps, or epochs with interval='epoch'), a share of the run as a float in (0, 1)"
    " or '10%', or a string such as '500 steps', '5 epochs' or '50000 samples'"
)
_MAY_BE_LEFT_OUT = ("warmup", "duration", "hold", "decay_duration", "cooldown", "late_group_warmup", "resume_warmup")
_REPEATED = ("every", "period", "timescale")
"""Durations that a shape counts by: one that is rounded is wrong by more with every repetition."""
_UNITS = "%|steps?|epochs?|samples?|seconds?|minutes?|hours?"
_PATTERN = re.compile(rf"\s*(\d+\.?\d*(?:e[+-]?\d+)?|\.\d+)\s*({_UNITS})\s*", re.IGNORECASE)
_SECONDS = {"second": 1, "minute": 60, "hour": 3600}


TIME_NEEDS_A_CLOCK = (
    "and this run is not planned by the clock: give total='8 hours' or total='max_time', or write steps, epochs,"
    " samples or a share"
)


@dataclass(frozen=True)
class Length:
    """A parsed duration: an exact amount of a unit."""

    amount: Fraction
    unit: Literal["interval", "share", "step", "epoch", "sample", "second"]


def parse_duration(owner: str, name: str, value: object, *, also: str = "") -> Length:
    """Parse a duration, exactly.

    Args:
        owner: The class whose parameter this is, quoted in errors.
        name: The parameter as the user wrote it, quoted in errors.
        value: What the user wrote.
        also: What else the parameter may be, for the error.

    Raises:
        ValueError: If ``value`` is none of the accepted forms.

    >>> parse_duration("LearningRateWarmup", "warmup", "2.5 Epochs")
    Length(amount=Fraction(5, 2), unit='epoch')
    >>> parse_duration("LearningRateWarmup", "warmup", 1e3)
    Traceback (most recent call last):
    ...
    ValueError: LearningRateWarmup(warmup=1000.0): a float is a share of the run and lies in (0, 1); write 1000 or \
'1000 steps'. ...
    """
    value = plain(value)
    call = f"{owner}({name}={value!r})"
    if isinstance(value, str) and (match := _PATTERN.fullmatch(value)) and _is_countable(match[1]):
        amount, unit = Fraction(match[1]), match[2].lower().rstrip("s")
        if unit in _SECONDS:
            return Length(amount * _SECONDS[unit], "second")
        if unit != "%":
            return Length(amount, unit)  # type: ignore[arg-type]  # the pattern allows nothing else
        if amount <= 100:
            return Length(amount / 100, "share")
        raise ValueError(f"{call}: a share of the run is at most '100%'. Expected {_FORMS}{also}.")
    if isinstance(value, int) and is_count(value, 0) and is_number(value):
        return Length(Fraction(value), "interval")
    if isinstance(value, float):
        if 0 <= value < 1:
            # The decimal number that was written, not the binary one next to it: 0.29 of 100 is 29.
            return Length(Fraction(repr(value)), "share")
        if value >= 1 and math.isfinite(value):
            whole = math.floor(value + 0.5)
            instead = "1 or '100%'" if value == 1 else f"{whole} or '{whole} steps'"
            raise ValueError(
                f"{call}: a float is a share of the run and lies in (0, 1); write {instead}. Expected {_FORMS}{also}."
            )
    raise ValueError(f"{call} is not a duration. Expected {_FORMS}{also}.")


def _is_countable(number: str) -> bool:
    """Whether a float can hold a number: 1e999 steps are none, and 1e-999 are none but 0."""
    amount = float(number)
    return amount < math.inf and (amount > 0 or not re.search("[1-9]", number.lower().partition("e")[0]))


class TooShortError(ValueError):
    """The run is too short for what is to happen in it."""


@dataclass(frozen=True)
class Run:
    """What a schedule must know of a run: how long it is, in each unit.

    Args:
        steps: Optimizer steps of the whole run, or None if unknown.
        epochs: Epochs of the whole run, or None if unknown.
        steps_per_epoch: Optimizer steps of one epoch, or None if unknown.
        batch_size: Samples behind one optimizer step, over all processes and micro-batches, or None if unknown.
        past_epochs: Where epochs had other lengths: see :class:`Pace`.
        past_samples: Where steps had other batch sizes.
        goes_on: Whether steps may be taken past the end that is planned.
        milliseconds: Length of the whole run, where the clock ends it.
        by_clock: Whether the intervals are milliseconds instead: :mod:`lightning_warmup.schedule.clock` makes such a
            run of one with ``milliseconds``.
        no_total: Why ``steps`` or ``epochs`` is None, and what to do: ends an error message.
        no_steps_per_epoch: The same for ``steps_per_epoch``.
        no_batch_size: The same for ``batch_size``.
    """

    steps: int | None = None
    epochs: int | None = None
    steps_per_epoch: int | None = None
    batch_size: int | None = None
    past_epochs: Knots = ()
    past_samples: Knots = ()
    goes_on: bool = False
    milliseconds: int | None = None
    by_clock: bool = False
    no_total: str = "give total=..., for example total=10000 or total='20 epochs'"
    no_steps_per_epoch: str = "give it in steps"
    no_batch_size: str = "give it in steps"

    def total(self, interval: Interval) -> int | None:
        """Length of the run in ``interval``, or None."""
        return self.steps if interval == "step" else self.epochs

    def replace_total(self, steps: int | None, epochs: int | None, *, goes_on: bool = False) -> "Run":
        """This run with another length."""
        return replace(self, steps=steps, epochs=epochs, goes_on=goes_on)

    @property
    def has_changed(self) -> bool:
        """Whether epochs, or batches, have not always been what they are."""
        return bool(self.past_epochs or self.past_samples)

    @property
    def epochs_pace(self) -> Pace | None:
        """Epochs by steps, None where an epoch has no known number of steps."""
        return None if self.steps_per_epoch is None else Pace(Fraction(1, self.steps_per_epoch), self.past_epochs)

    @property
    def samples_pace(self) -> Pace | None:
        """Samples by steps, None where the batch size is unknown."""
        return None if self.batch_size is None else Pace(Fraction(self.batch_size), self.past_samples)

    def intervals(
        self,
        owner: str,
        name: str,
        value: Duration,
        interval: Interval,
        *,
        since: int | None = None,
        back: bool = False,
    ) -> int:
        """Turn a duration into whole intervals, rounding half up.

        Args:
            owner: The class whose parameter this is, quoted in errors.
            name: The parameter, quoted in errors.
            value: What the user wrote.
            interval: What an interval is.
            since: Interval at which the duration begins. It matters where the run has been another; None: of the run
                as it is now.
            back: Whether it ends there instead.

        Raises:
            ValueError: If the run does not tell what the duration is relative to, if a positive duration would
                round to nothing (with ``interval="epoch"``: is under one epoch), or if what a shape counts by is no
                whole number of epochs with ``interval="epoch"``.

        >>> run = Run(steps=1000, epochs=10, steps_per_epoch=100, batch_size=32)
        >>> [run.intervals("", "warmup", d, "step") for d in (50, 0.05, "5%", "0.5 epochs", "1600 samples")]
        [50, 50, 50, 50, 50]
        >>> [run.intervals("", "warmup", d, "epoch") for d in (2, 0.2, "20%", "200 steps", "6400 samples")]
        [2, 2, 2, 2, 2]
        """
        call = f"{owner}({name}={value!r})"
        exact = self._exact(owner, name, value, interval, since, back)
        if self.by_clock and 0 < exact < Fraction(1, 2):
            raise TooShortError(f"{call} is less than a millisecond of this run: write more.")
        if exact > sys.float_info.max:
            raise ValueError(f"{call} is more {interval}s than can be counted: write fewer.")
        whole = math.floor(exact + Fraction(1, 2))
        if exact > 0 and (whole == 0 or (interval == "epoch" and exact < 1)):
            # Phases may be left out; the durations inside shapes may not.
            none = "0 for none, " if name in _MAY_BE_LEFT_OUT and owner != "DecayPart" else ""
            fix = "write 0 for none, or at least one step" if none else "write at least one step"
            if interval == "epoch":
                fix = f"write {none}at least one epoch, or use interval='step'"
            raise TooShortError(f"{call} is {float(exact):.4g} {interval}s of this run: {fix}.")
        if name in _REPEATED and interval == "epoch" and exact != whole:
            # What is written in epochs is the same in every run; the rest is not, and a fast_dev_run is short.
            kind = ValueError if parse_duration(owner, name, value).unit == "epoch" else TooShortError
            raise kind(
                f"{call} is {float(exact):.4g} epochs of this run, and interval='epoch' counts whole ones: write a"
                " whole number of epochs, or use interval='step'."
            )
        return whole

    def _exact(
        self, owner: str, name: str, value: Duration, interval: Interval, since: int | None, back: bool
    ) -> Fraction:
        call = f"{owner}({name}={value!r})"
        length = parse_duration(owner, name, value)
        if self.by_clock and length.amount and length.unit not in ("share", "second"):
            raise ValueError(
                f"{call} counts {length.unit}s, and this run is planned by the clock: write a share of it, such as"
                " '5%', or a time, such as '10 minutes'."
            )
        if length.unit == "second":
            if not self.by_clock and length.amount:
                raise ValueError(f"{call} is a time, {TIME_NEEDS_A_CLOCK}.")
            return length.amount * 1000
        if length.amount == 0 or length.unit in ("interval", interval):
            return length.amount
        if length.unit == "share":
            total = self.total(interval)
            if total is None:
                raise ValueError(f"{call} is a share of the run, whose length is unknown: {self.no_total}.")
            return length.amount * total
        amount, samples, epochs = -length.amount if back else length.amount, self.samples_pace, self.epochs_pace
        if length.unit == "sample" and samples is None:
            raise ValueError(f"{call} counts samples, and the global batch size is unknown: {self.no_batch_size}.")
        if epochs is None and (length.unit == "epoch" or interval == "epoch"):
            raise ValueError(f"{call} needs the number of steps in an epoch: {self.no_steps_per_epoch}.")
        start = Fraction(max((step for step, _ in (*self.past_epochs, *self.past_samples)), default=0))
        if since is not None:
            start = Fraction(since) if interval == "step" or epochs is None else epochs.step(since)
        end = start + amount
        if length.unit == "sample" and samples is not None:
            end = samples.step(samples.at(start) + amount)
        elif length.unit == "epoch" and epochs is not None:
            end = epochs.step(epochs.at(start) + amount)
        if interval == "epoch" and epochs is not None:
            start, end = epochs.at(start), epochs.at(end)
        return abs(end - start)
