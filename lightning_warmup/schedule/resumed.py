"""A plan that a checkpoint was on, and how a run that is resumed with another one gets from there to its own."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast

from lightning_warmup.schedule.config import ScheduleConfig
from lightning_warmup.schedule.durations import Interval, Run, TooShortError
from lightning_warmup.schedule.rest import Rest
from lightning_warmup.schedule.schedule import Schedule
from lightning_warmup.schedule.warmups import LinearWarmup, Warmup


@dataclass(frozen=True)
class Ramp:
    r"""The way of ``resume_warmup`` from what another plan had to this one.

    .. math:: \mathrm{value}(t) = a + (\mathrm{new}(t) - a) \cdot \mathrm{weight}((t - s) / D)

    Args:
        start: s, the t of the schedule at which the run was resumed.
        length: D, in the same.
        origin: a, of each param group.
        shape: Has the weight.

    >>> ramp = Ramp(10, 4, [0.5], LinearWarmup(4))
    >>> [ramp.values(t, [0.1])[0] for t in (10, 12, 14)]
    [0.5, 0.3, 0.1]
    """

    start: int
    length: int
    origin: Sequence[float]
    shape: Warmup

    @property
    def end(self) -> int:
        """The first t that has the new plan's value."""
        return self.start + self.length

    def values(self, t: int, planned: list[float]) -> list[float]:
        """The value of every group at t, where the new plan has ``planned``."""
        if not self.start <= t < self.end:
            return planned
        return self.shape.values((t - self.start) / self.length, self.origin, planned)


@dataclass(frozen=True)
class PlanBefore:
    """What a checkpoint tells of the plan that one optimizer was on, in intervals of the schedule as it is now.

    Args:
        total: T that it was planned over, None if unknown.
        warmup: N of its warmup, None if unknown.
        decay_start: Where its decay began, or would have; None if it had none, or nothing tells.
        nexts: What it had for the next step: t of the schedule, factor of its decay, and value of each group. More than
            one where nobody knew which t the next step would have.
        rest: What it had itself kept of the plan before it.
        ramp: Start, length and origin of a ramp that was under way.
        sure: Whether the factor is known to be the decay's alone, without a warmup.
        fresh: Whether the optimizer has lost what it knew, as an Adam without a state has.
    """

    total: int | None = None
    warmup: int | None = None
    decay_start: int | None = None
    nexts: Sequence[tuple[int, float, list[float]]] = ()
    rest: Rest | None = None
    ramp: tuple[int, int, list[float]] | None = None
    sure: bool = True
    fresh: bool = False

    def at(self, t: int) -> tuple[float, list[float] | None]:
        """Factor of the decay at t, and the value of each group, None if nothing tells."""
        if not self.nexts:
            return 1.0, None
        _, factor, values = next((each for each in reversed(self.nexts) if each[0] <= t), self.nexts[0])
        return factor, values

    def known_at(self, t: int) -> bool:
        """Whether a ramp has somewhere to come from."""
        return not self.fresh and self.at(t)[1] is not None

    def goes_on(self, plan: Schedule, t: int) -> bool:
        """Whether a plan of the same length has at t what this one had."""
        warm = plan.warmup_tick(t)
        if (
            self.warmup is not None
            and self.warmup != plan.warmup_length
            and warm < max(self.warmup, plan.warmup_length)
        ):
            return False
        return math.isclose(plan.factor(t), self.at(t)[0], rel_tol=1e-9)


def rest_of(
    config: ScheduleConfig,
    before: PlanBefore,
    total: int | None,
    step: int,
    epoch: int,
    drawn: Callable[[Rest | None], Schedule],
) -> Rest | None:
    """What ``replan="rest"`` keeps of the plan before, in a run that is resumed.

    Args:
        config: What the user configured.
        before: The plan of the checkpoint.
        total: T of the run as it is now.
        step: The next step of the optimizer.
        epoch: The epoch that it belongs to.
        drawn: Draws a schedule that keeps so much.

    Raises:
        ValueError: If the decay has nothing left to fall from.
    """
    # 1) the same plan goes on
    if before.total == total:
        plan = drawn(before.rest)
        if before.goes_on(plan, step if plan.by_step else epoch):
            return before.rest
    # 2) what has begun stays as it was
    plain = drawn(None)
    t = step if plain.by_step else epoch
    tick, factor = plain.decay_tick(t), before.at(t)[0]
    warming = plain.warmup_tick(t) < (plain.warmup_length if before.warmup is None else before.warmup)
    if warming and not before.sure:
        return Rest()
    if before.decay_start is not None and tick > before.decay_start:
        if factor == 0:
            raise ValueError(
                f"{config.owner}(replan='rest'): at {plain.clock} {t:,} the decay is at its end, at 0, and nothing is"
                " left to be drawn anew. Give replan='full', with resume_warmup='5%', say, to warm up again; or resume"
                " from a checkpoint before the decay."
            )
        return Rest(before.warmup, tick, factor)
    if warming and not plain.on_decay:
        return Rest(before.warmup)
    if before.decay_start is not None and config.decay_duration is None:
        return Rest(before.warmup, before.decay_start)
    # 3) what has not begun is as this run has it; a decay that should have begun begins now
    return Rest(before.warmup, max(tick, drawn(Rest(before.warmup)).decay_start), factor)


def ramp_of(
    config: ScheduleConfig,
    run: Run,
    schedule: Schedule,
    before: PlanBefore,
    t: int,
    planned: Callable[[int], list[float]],
) -> Ramp | None:
    """The ramp of ``resume_warmup`` in a run that is resumed at t; None where there is nothing to smooth.

    Args:
        config: What the user configured.
        run: The run that is planned over.
        schedule: The schedule of the optimizer.
        before: The plan of the checkpoint.
        t: Where the schedule stands.
        planned: What the new plan has for each group at any t.

    Raises:
        ValueError: If the ramp is longer than what is left of the run, or has no value somewhere.
    """
    if not config.resume_ramps:
        return None
    now, (_, then) = planned(t), before.at(t)
    if before.fresh or then is None:
        if config.parameter != "lr":
            return None  # which has no rule of where to start
        length = _length(config, run, schedule, t)
        origin = [value / (length + 1) for value in now]
    else:
        if before.ramp is not None and before.ramp[0] <= t < before.ramp[0] + before.ramp[1]:
            start, length, from_values = before.ramp
            if length == _length(config, run, schedule, start):
                ramp = Ramp(start, length, from_values, _shape(config, length))
                if len(from_values) == len(now) and _close(ramp.values(t, now), then):
                    return _checked(config, run, schedule, ramp, planned)
        if _close(now, then):
            return None
        length, origin = _length(config, run, schedule, t), then
    return _checked(config, run, schedule, Ramp(t, length, origin, _shape(config, length)), planned)


def ramp_before(config: ScheduleConfig, before: PlanBefore) -> Ramp | None:
    """The ramp that the checkpoint was on, by the shape that is configured now."""
    if before.ramp is None or not config.resume_ramps:
        return None
    start, length, origin = before.ramp
    return Ramp(start, length, origin, _shape(config, length))


def _close(values: Sequence[float], others: Sequence[float]) -> bool:
    return all(math.isclose(a, b, rel_tol=1e-9) for a, b in zip(values, others, strict=True))


def _shape(config: ScheduleConfig, length: int) -> Warmup:
    given = config.resume_warmup
    return (given if isinstance(given, Warmup) else LinearWarmup(given)).resolved(length)


def _length(config: ScheduleConfig, run: Run, schedule: Schedule, start: int) -> int:
    """D, in what the schedule counts; it begins at ``start``."""
    interval, given = config.interval, config.resume_warmup
    since = start if interval == schedule.clock else schedule.decay_tick(start)
    if isinstance(given, Warmup):
        length = given.length(lambda owner, name, value: run.intervals(owner, name, value, interval, since=since))
    else:
        length = run.intervals(config.owner, "resume_warmup", given, interval, since=since)
    return length if interval == schedule.clock else length * schedule.decay_stride


def _checked(
    config: ScheduleConfig, run: Run, schedule: Schedule, ramp: Ramp, planned: Callable[[int], list[float]]
) -> Ramp:
    """The ramp, if it fits into the run and has a value everywhere."""
    call, clock = f"{config.owner}(resume_warmup={config.resume_warmup!r})", schedule.clock
    total = run.total(cast(Interval, clock))  # a run by the clock has no ramp
    if total is not None and ramp.end > total:
        raise TooShortError(
            f"{call}: {ramp.length:,} {clock}s from {clock} {ramp.start:,} on are more than the"
            f" {max(total - ramp.start, 0):,} that are left of this run's {total:,}. Shorten resume_warmup, train"
            " longer, or give total=... if the run is longer than that."
        )
    for t in sorted({ramp.start + ramp.length * i // 256 for i in range(257)}):
        new = planned(t)
        if t in (ramp.start, ramp.end):
            for low, high in zip(ramp.origin, new, strict=True):
                ramp.shape.check(low, high)
        try:
            values = ramp.values(t, new)
        except (ArithmeticError, TypeError) as error:
            raise ValueError(f"{call} fails at {clock} {t:,}: {type(error).__name__}: {error}.") from error
        if not all(isinstance(value, float) and 0 <= value < math.inf for value in values):
            raise ValueError(
                f"{call} gives {min(values)!r} at {clock} {t:,}: a value must be finite and ≥ 0. Correct the shape."
            )
    return ramp


def of_groups(ramp: Ramp, places: Sequence[int | None], targets: Sequence[float], newcomers: float = 1.0) -> Ramp:
    """This ramp for other groups; one that is new comes from as far as the first that was there.

    Args:
        ramp: The ramp.
        places: Which group each was, None if it is new.
        targets: Where the warmup of each leads.
        newcomers: Part of it that new ones come from.
    """
    known = next(i for i, place in enumerate(places) if place is not None)
    share = ramp.origin[cast(int, places[known])] / targets[known] if targets[known] else 0.0
    origin = [
        newcomers * share * high if place is None else ramp.origin[place]
        for place, high in zip(places, targets, strict=True)
    ]
    return replace(ramp, origin=origin)
