"""What was configured, worked out for one run: durations become steps, and every group gets its numbers."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import cast

from lightning_warmup.schedule.beta2_warmups import Beta2Warmup
from lightning_warmup.schedule.checks import FunctionError, is_number
from lightning_warmup.schedule.config import ScheduleConfig
from lightning_warmup.schedule.decays import ConstantDecay, Decay, DecayContext, decay_named
from lightning_warmup.schedule.durations import Duration, Interval, Run, TooShortError, parse_duration
from lightning_warmup.schedule.formula_shapes import FormulaDecay, FormulaWarmup
from lightning_warmup.schedule.group_values import initial_values, target_values
from lightning_warmup.schedule.paced_decay import _PacedDecay
from lightning_warmup.schedule.past import Pace
from lightning_warmup.schedule.rest import Rest
from lightning_warmup.schedule.scaling import BatchSizeScaling
from lightning_warmup.schedule.schedule import Schedule
from lightning_warmup.schedule.time_words import at, time_words
from lightning_warmup.schedule.warmups import LinearWarmup, Warmup


def warmup_length(config: ScheduleConfig, run: Run) -> int:
    """N, in intervals of the warmup."""
    interval = config.warmup_interval or config.interval
    if isinstance(config.warmup, Warmup):
        return config.warmup.length(lambda owner, name, value: run.intervals(owner, name, value, interval, since=0))
    return run.intervals(config.owner, "warmup", config.warmup, interval, since=0)


def late_group_steps(config: ScheduleConfig, run: Run) -> int:
    """Optimizer steps over which a param group that comes late is warmed up."""
    if config.by_clock:
        run = replace(run.replace_total(None, None), no_total="the clock ends this run; give it in steps")
    length = run.intervals(config.owner, "late_group_warmup", config.late_group_warmup, config.interval)
    if config.interval == "step" or not length:
        return length
    if run.steps_per_epoch is None:
        raise ValueError(
            f"{config.owner}(late_group_warmup={config.late_group_warmup!r}) needs the number of steps in an epoch:"
            f" {run.no_steps_per_epoch}."
        )
    return length * run.steps_per_epoch


def planned_run(config: ScheduleConfig, run: Run) -> Run:
    """The run with the length that the user gave, which wins over the Trainer's own.

    Raises:
        ValueError: If the run does not tell how ``total`` translates into ``interval``.
    """
    if config.total == "auto":
        return run
    if config.by_clock:
        if config.total == "max_time":
            raise ValueError(f"{config.owner}(total='max_time') is a limit of the Trainer's: here, write a time.")
        time = Run(by_clock=True).intervals(config.owner, "total", config.total, "step")
        return replace(run, milliseconds=time)
    pace = run.epochs_pace
    steps: int | None
    epochs: int | None
    if config.interval == "step" or parse_duration(config.owner, "total", config.total).unit in ("step", "sample"):
        steps = run.intervals(config.owner, "total", config.total, "step", since=0)
        epochs = None if pace is None else math.ceil(pace.at(steps))
        if epochs is None and config.interval == "epoch":
            raise ValueError(f"{config.owner}(total={config.total!r}) with interval='epoch': give it in epochs.")
    else:
        epochs = run.intervals(config.owner, "total", config.total, "epoch", since=0)
        steps = None if pace is None else math.floor(pace.step(epochs))
    planned, trainers = (steps if config.interval == "step" else epochs), run.total(config.interval)
    goes_on = planned is not None and (trainers is None or trainers > planned)
    return run.replace_total(steps, epochs, goes_on=goes_on)


def resolve(
    config: ScheduleConfig,
    run: Run,
    names: Sequence[str | None],
    own: Sequence[float],
    beta2: Sequence[float] | None = None,
    target: Sequence[float] | None = None,
    rest: Rest | None = None,
) -> Schedule:
    """The schedule of one optimizer in ``run``.

    Args:
        config: What the user configured.
        run: The run, ``total`` already in it.
        names: Names of the param groups, None where a group has none.
        own: The groups' own values.
        beta2: The groups' β2, if they have one.
        target: Targets that win over the configured ones.
        rest: What is kept of the plan that the run was on before it was resumed.

    Raises:
        ValueError: If the phases do not fit into the run, the run does not tell what a phase needs, or a value
            would be none.
    """
    phases = _phases(config, run, rest or Rest())
    multiplier = None
    if isinstance(config.target, BatchSizeScaling):
        if run.batch_size is None:
            raise ValueError(
                f"{config.owner}({config.target_name}={config.target!r}) needs the global batch size:"
                f" {run.no_batch_size}."
            )
        multiplier = _multiplier(config, config.target, run.batch_size)
    if target is None:
        target = target_values(config.owner, config.target_name, config.target, names, own, multiplier)
    # SuperGradients' rule: no step trains at 0 unless the user asks for it. A scaled target is warmed up to from
    # what it was scaled from (Goyal et al.).
    default = [high / (phases.warmup_length + 1) for high in target]
    if multiplier is not None and multiplier >= 1:
        default = list(own)
    initial = initial_values(config.owner, config.initial_name, config.initial, names, target, default)
    asked = initial
    if config.parameter == "lr":
        # A group that is frozen by its rate is not to be trained by the warmup.
        initial = [low if high else 0.0 for low, high in zip(initial, target, strict=True)]
    if phases.warmup_length:
        for low, high in zip(initial if any(target) else asked, target, strict=True):
            phases.warmup.check(low, high)
    schedule = replace(phases, initial=initial, target=target)
    if isinstance(phases.warmup, Beta2Warmup):
        if beta2 is None:
            raise ValueError(
                f"{config.owner}(warmup={config.warmup!r}) needs the optimizer's β2, and it has no betas: use an"
                " Adam-like (values() takes betas=...), or a warmup with a length of its own."
            )
        for beta in beta2:
            phases.warmup.check_beta2(beta)
        schedule = replace(schedule, beta2=list(beta2))
    return _checked(config, schedule)


def resolve_factor(
    config: ScheduleConfig,
    run: Run,
    names: Sequence[str | None],
    own: Sequence[float],
    beta2: Sequence[float] | None = None,
) -> Schedule:
    """The warmup as a factor, 1 at its end, on what a scheduler of the module's gives.

    Args:
        config: What the user configured.
        run: The run, ``total`` already in it.
        names: Names of the param groups.
        own: The groups' values when training starts, as that scheduler made them.
        beta2: The groups' β2, if they have one.

    Raises:
        ValueError: If the warmup is to start at a value, and a group's own is 0.
    """
    if config.initial is not None and 0 in own:
        raise ValueError(
            f"{config.owner}({config.initial_name}={config.initial!r}) has nothing to be a factor of: the module's own"
            f" scheduler starts a group at 0. Leave {config.initial_name} out, or start that scheduler above 0."
        )
    base = [value or 1.0 for value in own]
    schedule = resolve(config, run, names, base, beta2)
    initial = [low / high for low, high in zip(schedule.initial, base, strict=True)]
    return replace(schedule, initial=initial, target=[1.0] * len(base))


def _phases(config: ScheduleConfig, run: Run, rest: Rest) -> Schedule:
    """The curve but for the groups: every duration resolved."""
    interval = config.interval
    warmup_interval = config.warmup_interval or interval
    length = warmup_length(config, run)
    if rest.warmup is not None and not (isinstance(config.warmup, Warmup) and config.warmup.counts_steps):
        length = rest.warmup

    # Where warmup and decay count different things, t counts steps, and the one in epochs moves once per epoch.
    warmup_stride = decay_stride = 1
    if warmup_interval != interval:
        if run.steps_per_epoch is None:
            raise ValueError(
                f"{config.owner}(warmup_interval={warmup_interval!r}) with interval={interval!r} needs the number of"
                f" steps in an epoch: {run.no_steps_per_epoch}."
            )
        if warmup_interval == "epoch":
            warmup_stride = run.steps_per_epoch
        else:
            decay_stride = run.steps_per_epoch

    if run.by_clock and isinstance(config.warmup, Warmup):
        _check_free_of_scale(config.warmup, "u or t / N", [config.warmup.resolved(n).weight for n in (64, 6400)])
    total = run.total(interval)
    warmup = length
    if warmup_interval != interval and run.epochs_pace is not None:
        warmup = math.ceil(run.epochs_pace.step(length) if interval == "step" else run.epochs_pace.at(length))
    phases = {
        "warmup": warmup,
        "hold": 0
        if rest.start is not None
        else run.intervals(config.owner, "hold", config.hold, interval, since=warmup),
        "cooldown": run.intervals(config.owner, "cooldown", config.cooldown, interval, since=total, back=True),
    }
    decay = decay_named(config.decay) if isinstance(config.decay, str) else cast(Decay | None, config.decay)
    if total is None:
        needs = None
        if phases["cooldown"]:
            needs = f"cooldown={config.cooldown!r}"
        if config.decay_duration is not None:
            needs = f"decay_duration={config.decay_duration!r}"
        if decay is not None and decay.ends:
            needs = f"decay={config.decay!r}"
        if needs is not None:
            raise ValueError(f"{config.owner}({needs}) needs the length of the run, which is unknown: {run.no_total}.")
    if config.decay_duration is not None and rest.start is None:
        phases["decay_duration"] = run.intervals(
            config.owner,
            "decay_duration",
            config.decay_duration,
            interval,
            since=None if total is None else total - phases["cooldown"],
            back=True,
        )
    if total is not None and sum(phases.values()) > total:
        raise TooShortError(_too_long(config, phases, total, by_clock=run.by_clock))
    # One that is measured is as long at most.
    fills = (
        total
        and warmup == total
        and config.decay_from == "warmup"
        and not (isinstance(config.warmup, Warmup) and config.warmup.measured)
    )
    if fills and decay is not None and not isinstance(decay, ConstantDecay):
        raise TooShortError(
            f"{config.owner}(warmup={config.warmup!r}, decay={config.decay!r}): the warmup takes all of the"
            f" {_so_many(total or 0, interval, by_clock=run.by_clock)} of this run, and the decay never begins. Shorten"
            " warmup, train longer, leave decay out, or give total=... if the run is longer than that."
        )

    # The clock of the decay, on which the warmup is then a factor.
    start = 0 if config.decay_from == "start" else phases["warmup"] + phases["hold"]
    end = math.inf
    if total is not None:
        end = total - phases["cooldown"]
        if "decay_duration" in phases:
            start = total - phases["cooldown"] - phases["decay_duration"]
    if rest.start is not None:
        start = rest.start
        if end <= start:
            raise TooShortError(
                f"{config.owner}(replan='rest', decay={config.decay!r}): from {interval} {start:,} on, to where it ends"
                f" at {end:,}, nothing is left of the decay. Train longer, shorten the cooldown, or give replan='full'."
            )
    if decay is not None:
        decay = rest.of(_resolved_decay(decay, run, interval, warmup, start), end - start)
    shape = config.warmup if isinstance(config.warmup, Warmup) else LinearWarmup(config.warmup)
    return Schedule(
        warmup=shape.resolved(length),
        warmup_length=length,
        decay=decay if end > start else None,
        decay_start=start,
        decay_end=end,
        on_decay=config.decay_from == "start",
        end_in_use=bool(phases["cooldown"]) or run.goes_on,
        clock="time" if run.by_clock else interval if warmup_interval == interval else "step",
        warmup_stride=warmup_stride,
        decay_stride=decay_stride,
        epochs_pace=run.epochs_pace if warmup_interval != interval and run.has_changed else None,
    )


def _resolved_decay(decay: Decay, run: Run, interval: Interval, warmup: int, start: int) -> Decay:
    """A decay with its durations as whole intervals; those in epochs or samples as they were while they were others."""
    paces: list[Pace | None] = []

    def intervals(owner: str, name: str, value: Duration) -> int:
        unit = parse_duration(owner, name, value).unit
        if unit in ("epoch", "sample") and interval == "step":
            paces.append(run.epochs_pace if unit == "epoch" else run.samples_pace)
        return run.intervals(owner, name, value, interval)

    def position(owner: str, name: str, value: Duration) -> int:
        return run.intervals(owner, name, value, interval, since=0)

    def since(owner: str, name: str, value: Duration, at: int) -> int:
        return run.intervals(owner, name, value, interval, since=at)

    def part(other: Decay, at: int) -> Decay:
        return _resolved_decay(other, run, interval, warmup, at)

    total = run.total(interval)
    context = DecayContext(intervals, position, interval, warmup, start, total, since, part, by_clock=run.by_clock)
    resolved = decay.resolved(context)
    of_no_unit = isinstance(decay, FormulaDecay) or type(decay).resolved is Decay.resolved
    if run.by_clock and of_no_unit and decay.closed_form and total is not None:
        longer = decay.resolved(replace(context, warmup=warmup * 100, total=total * 100, start=start * 100))
        length = float(max(total - start, 1))
        ways = [
            lambda u: resolved.factor_at(u * length, length),
            lambda u: longer.factor_at(u * length * 100, length * 100),
        ]
        _check_free_of_scale(decay, "u or tau / D", ways)
    pace = next((pace for pace in paces if pace is not None and pace.knots), None)
    return resolved if pace is None else _PacedDecay(resolved, pace, start)


def _check_free_of_scale(shape: object, shares: str, ways: Sequence[Callable[[float], float]]) -> None:
    """Refuse a shape without durations that counts intervals all the same: on a clock they are milliseconds.

    Args:
        shape: The shape.
        shares: What it may count instead.
        ways: The shape over a length and over a hundred times that, by the share done: the same, if it counts nothing.

    Raises:
        ValueError: If it does.
    """
    for u in (0.125, 0.5, 0.875):
        try:
            short, long = (way(u) for way in ways)
        except Exception:  # told of with more words when all is looked at
            return
        if not math.isclose(short, long, rel_tol=1e-6, abs_tol=1e-12):
            raise ValueError(
                f"{shape!r} counts intervals, and this run is planned by the clock, where they are milliseconds: make"
                f" it a matter of shares, {shares}, say."
            )


def _multiplier(config: ScheduleConfig, scaling: BatchSizeScaling, batch_size: int) -> float:
    """Target over own value."""
    call = f"{config.owner}({config.target_name}={scaling!r})"
    try:
        multiplier = scaling.multiplier(batch_size)
    except Exception as error:
        raise ValueError(
            f"{call} fails at a global batch of {batch_size:,}: {type(error).__name__}: {error}."
        ) from error
    if not is_number(multiplier) or multiplier < 0:
        raise ValueError(f"{call} gives {multiplier!r} at a global batch of {batch_size:,}: expected a number ≥ 0.")
    return float(multiplier)


def _so_many(number: int, interval: Interval, *, by_clock: bool) -> str:
    return time_words(number) if by_clock else f"{number:,} {interval}s"


def _too_long(config: ScheduleConfig, phases: Mapping[str, int], total: int, *, by_clock: bool) -> str:
    there = [name for name, length in phases.items() if length]
    written = [f"{name}={getattr(config, name)!r}" for name in there]
    lengths = [f"{name} {time_words(phases[name]) if by_clock else format(phases[name], ',')}" for name in there]
    if isinstance(config.warmup, Warmup) and config.warmup.measured and "warmup" in there:
        there[0], lengths[0] = "warmup (or its max_steps)", f"{lengths[0]} at most"
    both, whole = (_so_many(number, config.interval, by_clock=by_clock) for number in (sum(phases.values()), total))
    return (
        f"{config.owner}({', '.join(written)}): {' + '.join(lengths)} = {both} is more than the {whole} of this run."
        f" Shorten {' or '.join(there)}, train longer, or give total=... if the run is longer than that."
    )


def _checked(config: ScheduleConfig, schedule: Schedule) -> Schedule:
    """The schedule, once looked at before the run does: functions and large factors can make anything of a value.

    Only what steps use is looked at. Where none uses the end of the decay, and the shape has no value there, the value
    of the last step is held in its place.

    Raises:
        ValueError: If a step would have no value, or none that is finite and ≥ 0.
    """
    decay, pace, stride = schedule.decay, schedule.epochs_pace, schedule.decay_stride

    def first(tick: float, stride: int) -> int:
        return int(tick) * stride if pace is None else pace.first(int(tick), stride)

    ends = schedule.decay_end < math.inf
    warm = first(schedule.warmup_length, schedule.warmup_stride)
    last = min(first(schedule.last_tick, stride), warm + 1_000_000) if ends else warm + 1_000_000
    if decay is not None:
        decay.check(schedule.decay_end - schedule.decay_start, schedule.target)
        last = last if decay.closed_form else warm
    sample = {(warm * i + 32) // 64 for i in range(65)} | {(last * i + 128) // 256 for i in range(257)}
    every_step = 200_000 // max(1, len(schedule.target))
    if isinstance(config.decay, FormulaDecay) or isinstance(config.warmup, FormulaWarmup):
        # A formula is what is easily wrong at one step only.
        sample |= set(range(min(last, every_step)))
    if decay is not None and decay.measured:
        sample = {t for t in sample if t < warm}
    if schedule.warmup.measured:
        sample = {t for t in sample if t >= warm}
    unused = [first(schedule.decay_end, stride)] if ends and not schedule.end_in_use else []
    for t in [*sorted(sample), *(unused if decay is not None and decay.closed_form else [])]:
        in_warmup = t < warm and (decay is None or not schedule.on_decay)
        name, shape = ("warmup", config.warmup) if in_warmup else ("decay", config.decay)
        cause: BaseException | None = None
        wrong: str | None = None
        try:
            values = schedule.values(t)
        except FunctionError as error:
            cause, wrong = error.__cause__, f"{error} That is {at(schedule.clock, t)}."
        except OverflowError:
            values = [math.inf]
        except Exception as error:
            cause = error
            wrong = f"{config.owner}: {shape!r} fails at {at(schedule.clock, t)}: {type(error).__name__}: {error}."
        if wrong is None:
            none = [value for value in values if not is_number(value) or value < 0]
            if not none:
                continue
            wrong = (
                f"{config.owner}({name}={shape!r}) gives {none[0]!r} at {at(schedule.clock, t)}: a value must be finite"
                " and ≥ 0. Correct the shape."
            )
        if t in unused and t not in sample:
            return replace(schedule, held_tick=schedule.last_tick)
        raise ValueError(wrong) from cause
    return schedule
