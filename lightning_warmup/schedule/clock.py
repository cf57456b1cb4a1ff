"""A run that ends with the clock: its curve as a pure function of the steps taken and the time used.

The warmup counts what it says. One in steps, epochs or samples follows the steps; when it is over, the rest is drawn in
milliseconds, from then to the end. One that is a share of the run, or a time, is drawn in milliseconds too. So either
way a schedule counts one thing at a time, and ``Schedule`` and the shapes know nothing of clocks.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from lightning_warmup.schedule.config import ScheduleConfig
from lightning_warmup.schedule.decays import InverseSqrtDecay
from lightning_warmup.schedule.durations import Run
from lightning_warmup.schedule.schedule import Schedule
from lightning_warmup.schedule.time_words import time_words

Draw = Callable[[ScheduleConfig, Run], Schedule]
"""Makes the schedule of a config in a run."""


def as_seconds(milliseconds: int) -> str:
    """A duration, exactly.

    >>> as_seconds(1500)
    '1.5 seconds'
    """
    return f"{milliseconds // 1000}.{milliseconds % 1000:03d}".rstrip("0").rstrip(".") + " seconds"


def draw_by_clock(config: ScheduleConfig, run: Run, warm_at: int | None, draw: Draw) -> Schedule:
    """The schedule of a run by the clock.

    Args:
        config: What the user configured.
        run: The run, counted in steps; its ``milliseconds`` are the length that is planned over.
        warm_at: Milliseconds after which a warmup by steps was over; None while it goes on.
        draw: Makes the schedule of each part.

    Returns:
        While a warmup by steps goes on, or nothing comes after it, that warmup alone, in steps; else a schedule in
        milliseconds. A warmup that has taken so long that the phases do not fit behind it is left out of that: see
        :func:`outlasted`.

    Raises:
        ValueError: If the phases do not fit into the run even without a warmup, or one counts what a clock does not.
    """
    time = Run(steps=run.milliseconds, by_clock=True, goes_on=True, batch_size=run.batch_size)
    time = replace(time, no_batch_size=run.no_batch_size)
    if config.warms_by_clock:
        return draw(config, time)
    if warm_at is None or config.decay is None:
        alone = replace(config, decay=None, hold=0, decay_duration=None, cooldown=0)
        return draw(alone, run.replace_total(None, None, goes_on=True))
    try:
        schedule = draw(_after(config, warm_at), time)
        if schedule.decay is not None:
            return schedule
    except ValueError:  # if it is not for the time that the warmup has taken, the next one raises it again
        pass
    if config.decay in ("inverse_sqrt", InverseSqrtDecay()):
        config = replace(config, decay=InverseSqrtDecay(as_seconds(max(warm_at, 1))))
    return draw(_after(config, 1), time)


def _after(config: ScheduleConfig, warm_at: int) -> ScheduleConfig:
    """A config whose warmup has taken so many milliseconds. It is over: how it went matters no more."""
    return replace(config, warmup=as_seconds(max(warm_at, 1)))


def outlasted(schedule: Schedule, warm_at: int) -> bool:
    """Whether a schedule is drawn as if there had been no warmup, for that took longer than there was time for it."""
    return schedule.warmup_length < warm_at


def decay_ends(config: ScheduleConfig, run: Run) -> float:
    """Millisecond at which the decay is at its final value, whatever the warmup does; ``inf`` without a decay."""
    if config.decay is None or run.milliseconds is None:
        return math.inf
    time = Run(steps=run.milliseconds, by_clock=True)
    return run.milliseconds - time.intervals(config.owner, "cooldown", config.cooldown, "step")


@dataclass(frozen=True)
class Paced:
    """A schedule by the clock, at a steady pace: what is known of it before it runs.

    Args:
        warming: The warmup, while it counts steps; None if it does not, or all does.
        timed: The schedule in milliseconds; in steps, where there is nothing but a warmup by steps.
        steps: Steps of the warmup that counts them.
        rate: Steps per second.
        step: A step, and
        used: the milliseconds that were used when it began.
    """

    warming: Schedule | None
    timed: Schedule
    steps: int
    rate: float
    step: int = 0
    used: int = 0

    def time(self, step: int) -> int:
        """Milliseconds used when ``step`` begins."""
        return max(self.used + math.floor(Fraction(step - self.step) * 1000 / Fraction(self.rate)), 0)

    def tick(self, step: int) -> int:
        """What ``timed`` counts at ``step``."""
        return step if self.timed.by_step else self.time(step)

    @property
    def named(self) -> Schedule:
        """All of it in one, with the warmup that it really has, to tell the phases by."""
        return self.timed if self.warming is None else replace(self.timed, warmup=self.warming.warmup)

    def values(self, step: int) -> list[float]:
        """What step ``step`` uses."""
        if self.warming is None:
            return self.timed.values(self.tick(step))
        if step < self.steps:
            return self.warming.values(step)
        return self.timed.values(max(self.tick(step), self.timed.warmup_length))  # even at a pace beyond milliseconds


def at_a_pace(
    config: ScheduleConfig, run: Run, rate: float, draw: Draw, step: int = 0, used: int = 0, warm_at: int | None = None
) -> Paced:
    """The schedule of a run by the clock that takes ``rate`` steps per second.

    Args:
        config: What the user configured.
        run: The run, its ``milliseconds`` being known.
        rate: Steps per second.
        draw: Makes the schedule of each part.
        step: A step, and
        used: the milliseconds that were used when it began.
        warm_at: Milliseconds after which a warmup by steps was over; None if it goes on at ``step``.

    Raises:
        ValueError: As :func:`draw_by_clock`; also if the warmup leaves no time for the rest.
    """
    if config.warms_by_clock or config.decay is None:
        return Paced(None, draw_by_clock(config, run, None, draw), 0, rate, step, used)
    warming = draw_by_clock(config, run, None, draw)
    steps = warming.warmup_length
    if warm_at is None:
        warm_at = Paced(warming, warming, steps, rate, step, used).time(steps)
    timed = draw_by_clock(config, run, warm_at, draw)
    if outlasted(timed, warm_at):
        raise ValueError(
            f"{config.owner}(warmup={config.warmup!r}): at {rate:g} steps per second it takes {time_words(warm_at)},"
            f" and what is to follow does not fit into the {time_words(run.milliseconds or 0)} of this run. Shorten"
            " warmup, or give more time."
        )
    return Paced(warming, timed, steps, rate, step, used)
