"""What a callback says when training starts: what will happen, in numbers, and what may not."""

import math
from collections.abc import Sequence
from itertools import zip_longest

from lightning_utilities.core.rank_zero import rank_zero_info, rank_zero_warn

from lightning_warmup.schedule.config import ScheduleConfig
from lightning_warmup.schedule.decays import ConstantDecay
from lightning_warmup.schedule.durations import Run
from lightning_warmup.schedule.schedule import Schedule, summary_line
from lightning_warmup.schedule.time_words import at
from lightning_warmup.schedule.unreached import never_reached
from lightning_warmup.training.base_values import BaseValues
from lightning_warmup.training.module_scheduler import ModuleScheduler
from lightning_warmup.training.scheduled_optimizer import ScheduledOptimizer


def log_plan(
    config: ScheduleConfig,
    plans: Sequence[tuple[BaseValues, Schedule]],
    *,
    trainer_run: Run,
    planned: Run,
    checkpoint_total: int | None,
    module_scheduler: ModuleScheduler | None,
    max_time: bool,
    fast_dev_run: bool,
    warming: Sequence[Schedule | None] = (),
) -> None:
    """Say once, on rank 0, what will happen.

    Args:
        config: What the user configured.
        plans: Of each optimizer that is acted on, what it sets out from and its schedule.
        trainer_run: The run as the Trainer knows it.
        planned: The run that is planned over.
        checkpoint_total: Length that the checkpoint's curve was planned over, None without one.
        module_scheduler: The module's own schedulers, if there are any.
        max_time: Whether the Trainer has a time limit.
        fast_dev_run: Whether this is no real run: it is shorter than it was meant to be.
        warming: In a run by the clock, of each optimizer the schedule of a warmup by steps.
    """
    owner, interval = config.owner, config.interval
    if not plans:
        rank_zero_warn(f"{owner} has nothing to act on: configure_optimizers returned no param groups.")
    for (base, schedule), before in zip_longest(plans, warming):
        what = config.parameter if base.undamped is None else "factor"
        line = summary_line(schedule, base.names, what, before)
        if base.undamped is not None:
            line = f"{line}, times what the module's {module_scheduler} gives"
            start = schedule.values(0)[0] * base.undamped[0]
            if module_scheduler is not None and not base.steps and module_scheduler.highest() > base.undamped[0]:
                line = f"{line}, which rises by itself: {config.parameter} starts at {start:.4g}"
        elif module_scheduler is not None:
            line = f"{line}; the module's {module_scheduler} is without effect"
        if config.measured_warmup is not None:
            line = f"{line}; provisional, what follows is measured"
        at = f" (continuing at step {base.steps:,})" if base.steps else ""
        rank_zero_info(f"{owner}: {line}{at}")
        _warn_of_a_long_warmup(config, schedule, planned.steps)

    _warn_of_nothing_to_train(config, plans)
    if plans and not fast_dev_run:
        _warn_of_what_never_comes(config, plans[0][1])
    if config.by_clock:
        return
    total, trainers = planned.total(interval), trainer_run.total(interval)
    if total is not None and trainers is not None and total != trainers:
        rank_zero_info(f"{owner}: planned over total={total:,} {interval}s, while the Trainer runs for {trainers:,}.")
    if checkpoint_total is not None and checkpoint_total != total:
        now = "an unknown number of" if total is None else f"{total:,}"
        rank_zero_info(f"{owner}: re-planned over {now} {interval}s; the checkpoint's curve had {checkpoint_total:,}.")
    decays = [schedule.decay for _, schedule in plans]
    ends = config.decay_duration is not None or any(decay is not None and decay.ends for decay in decays)
    if max_time and ends:
        rank_zero_warn(
            f"{owner}: max_time may end the run before a curve planned over {total} {interval}s. Give"
            " total='max_time' for one that ends with the clock."
        )


def warn_of_other_plan(
    config: ScheduleConfig, whose: str, scheduled: ScheduledOptimizer, expected: float, was: int | None, now: int | None
) -> bool:
    """Warn where the next step uses another value than was planned for it.

    Args:
        config: What the user configured.
        whose: Whose plan that was.
        scheduled: The optimizer, its next value written.
        expected: What the plan had for its first group.
        was: Length of the run that it was planned over, None if unknown.
        now: Length of the run as it is now.

    Returns:
        Whether there was anything to warn of.
    """
    value = scheduled.written[0]
    if math.isclose(value, expected, rel_tol=1e-9):
        return False
    before, after = ("an unknown length" if n is None else f"{n:,} {config.interval}s" for n in (was, now))
    final = scheduled.schedule.final() if scheduled.undamped is None else None
    end = "" if final is None or now is None else f", at whose end it is {final[0]:.4g}"
    rank_zero_warn(
        f"{config.owner}: {config.parameter} is {value:.4g} at step {scheduled.steps:,}, where {whose} had"
        f" {expected:.4g}. It was planned over {before}, and now is over {after}{end}."
    )
    return True


def tell_of_resume(config: ScheduleConfig, scheduled: ScheduledOptimizer, total: int | None) -> None:
    """Say what ``resume_warmup`` and ``replan="rest"`` make of a run that is resumed with another plan.

    Args:
        config: What the user configured.
        scheduled: The optimizer, its next value written.
        total: Length of the run.
    """
    schedule, before, ramp, rest = scheduled.schedule, scheduled.before, scheduled.ramp, scheduled.rest
    if before is None:
        return
    t, value, name = scheduled.written_at, scheduled.written[0], config.parameter
    _, then = before.at(t)
    if rest is not None and rest != before.rest:
        was = "is" if then is None else f"was to be {then[0]:.4g} at step {scheduled.steps:,}, is"
        final = schedule.final()
        line = f"{name} {was} {value:.4g} there" + ("" if final is None else f", and will be {final[0]:.4g}")
        line += "" if total is None else f" at the end of {total:,} {config.interval}s"
        at = "now" if rest.start == schedule.decay_tick(t) else f"at {config.interval} {schedule.decay_start:,}"
        if rest.factor != 1 and final is not None and math.isclose(final[0], value, rel_tol=1e-9):
            what = f"the {schedule.decay} was at its end, and stays there"
        else:
            what = f"the {schedule.decay} {'begins' if rest.factor == 1 else 'is drawn anew'} {at}"
        rank_zero_info(f"{config.owner}(replan='rest'): {line}; {what}.")
    if ramp is not None and t < ramp.end:
        clock, end = schedule.clock, scheduled.planned(ramp.end)[0]
        whence = "the checkpoint's plan" if before.known_at(t) else f"1/{ramp.length + 1} of this plan"
        rank_zero_info(
            f"{config.owner}(resume_warmup={config.resume_warmup!r}): {name} goes from {ramp.origin[0]:.4g} at {clock}"
            f" {ramp.start:,}, {whence}, to {end:.4g} at {clock} {ramp.end:,}, over {ramp.length:,} {clock}s."
        )


def _warn_of_nothing_to_train(config: ScheduleConfig, plans: Sequence[tuple[BaseValues, Schedule]]) -> None:
    """Of learning rates that are 0, all of them."""
    if config.parameter == "lr" and plans and not any(any(schedule.target) for _, schedule in plans):
        rank_zero_warn(
            f"{config.owner}: the lr of every param group is 0, so nothing is trained. Give the optimizer a lr, or"
            f" {config.target_name}=..."
        )


def _warn_of_what_never_comes(config: ScheduleConfig, schedule: Schedule) -> None:
    """Of a decay, or milestones, that the run ends before, as it does where somebody has shortened it."""
    never = schedule.decay is None and config.measured_warmup is None  # one that is measured is as long at most
    if never and config.decay not in (None, "constant", ConstantDecay()):
        rank_zero_warn(
            f"{config.owner}(decay={config.decay!r}): the other phases take all of this run, and the decay never"
            " begins. Shorten them, train longer, or leave decay out."
        )
    last = schedule.last_tick - schedule.decay_start
    for marks, end in never_reached(config.decay, schedule.decay, last):
        whose, end_at = ("the decay", schedule.decay_end) if end > last else ("that part", schedule.decay_start + end)
        rank_zero_warn(
            f"{config.owner}(decay={config.decay!r}): no step of this run reaches the {marks}, for {whose} ends at"
            f" {at(schedule.clock, int(end_at))}. Leave them out, or train longer."
        )


def _warn_of_a_long_warmup(config: ScheduleConfig, schedule: Schedule, steps: int | None) -> None:
    """Of a warmup whose length nobody chose."""
    beta2 = max(schedule.beta2, default=0.0)
    period = 2 / (1 - beta2) if schedule.beta2 else 0.0
    if steps is not None and period > steps / 10 * (1 + 1e-9):
        rank_zero_warn(
            f"{config.owner}(warmup={config.warmup!r}): with β2={beta2:.4g} the warmup takes about"
            f" {period:,.0f} steps, {period / steps:.0%} of the {steps:,} of this run. Lower β2, or give a warmup with"
            " a length."
        )
