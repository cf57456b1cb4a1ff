"""Schedules worked out for a run that is described in numbers: what the terminal and the pictures show."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

from lightning_warmup.critical.line_search import LineSearchWarmup, _GivenUp
from lightning_warmup.schedule.checks import is_number
from lightning_warmup.schedule.clock import as_seconds, at_a_pace
from lightning_warmup.schedule.config import ScheduleConfig, conflict
from lightning_warmup.schedule.decays import Decay
from lightning_warmup.schedule.durations import Run
from lightning_warmup.schedule.plateau_decay import ReduceOnPlateauDecay
from lightning_warmup.schedule.resolve import planned_run, resolve, warmup_length
from lightning_warmup.schedule.schedule import Schedule
from lightning_warmup.schedule.warmups import LinearWarmup, Warmup
from lightning_warmup.view.phases import AT_THE_TARGET, Phase, act_on_a_resume, findings, phases

MOST_STEPS = 10_000_000
"""Of a preview, which holds the value of every step."""


@dataclass(frozen=True)
class RunFacts:
    """What schedules are drawn over.

    Args:
        total_steps: Optimizer steps of the run.
        steps_per_epoch: Optimizer steps of an epoch, None if unknown.
        batch_size: Samples of an optimizer step, over all processes and micro-batches, None if unknown.
        lr: The optimizer's own lr, or a mapping from group name to one; None if unknown.
        entries: Other entries of the optimizer: ``betas``, ``momentum``, ``weight_decay``.
        scheduler: The module's own scheduler, None if there is none: its ``class_path`` and ``init_args``.
        steps_per_second: How fast the run is, None if unknown; needed where the clock ends it.
        max_time: The Trainer's, in milliseconds, None if unknown.
    """

    total_steps: int
    steps_per_epoch: int | None = None
    batch_size: int | None = None
    lr: float | Mapping[str, float] | None = None
    entries: Mapping[str, Any] | None = None
    scheduler: Mapping[str, Any] | None = None
    steps_per_second: float | None = None
    max_time: int | None = None


@dataclass(frozen=True)
class Curve:
    """One param group's values.

    Args:
        parameter: What is scheduled.
        group: The group's name, None if it has none.
        values: What each optimizer step uses; where it depends on the run, the lowest that it can be.
        highest: The highest that it can be; ``values`` itself, where all is known.
    """

    parameter: str
    group: str | None
    values: Sequence[float]
    highest: Sequence[float]


@dataclass(frozen=True)
class Drawn:
    """What schedules will do.

    Args:
        title: What is previewed.
        curves: By parameter and group.
        phases: Of each parameter.
        findings: Of each parameter, what stands out.
        ranges: What of each parameter depends on the run itself, so that its curves are ranges.
        facts: What it is drawn over.
    """

    title: str
    curves: Sequence[Curve]
    phases: Mapping[str, Sequence[Phase]]
    findings: Mapping[str, Sequence[str]]
    ranges: Mapping[str, str]
    facts: RunFacts

    def of(self, parameter: str) -> list[Curve]:
        """The curves of a parameter."""
        return [curve for curve in self.curves if curve.parameter == parameter]


def number_of(name: str, value: Any) -> float:
    """A value that the file gives.

    Raises:
        ValueError: If it is no number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"the file's {name} is {value!r}, no number: give --{name}.")
    return float(value)


def name_of(scheduler: Mapping[str, Any]) -> str:
    """The class of a scheduler."""
    return str(scheduler["class_path"]).rpartition(".")[2]


def composed(name: str, limit: str) -> str:
    """What is said of a warmup before the module's own scheduler."""
    return f"× what the module's own {name} gives: the range it can take, if {name} does not climb above {limit}"


def _climb(scheduler: Mapping[str, Any], own: float) -> float:
    """How far above the optimizer's own lr a scheduler that has a ``max_lr`` goes."""
    highest = (scheduler.get("init_args") or {}).get("max_lr")
    known = isinstance(highest, int | float) and not isinstance(highest, bool) and own > 0
    return max(1.0, highest / own) if known else 1.0  # type: ignore[operator]


def draw(title: str, configs: Sequence[ScheduleConfig], facts: RunFacts, *, python: bool = False) -> Drawn:
    """Work all schedules out.

    Args:
        title: What is previewed.
        configs: What was configured.
        facts: The run.
        python: Whether errors name parameters, or options of the command line.
    """
    curves: list[Curve] = []
    found: dict[str, list[Phase]] = {}
    said: dict[str, list[str]] = {}
    ranges: dict[str, str] = {}

    def option(name: str) -> str:
        return f"{name}=..." if python else f"--{name.replace('_', '-')}"

    for mine, other in permutations(configs, 2):
        if (why := conflict(mine, other)) is not None:
            raise ValueError(why)
    if facts.total_steps > MOST_STEPS:
        raise ValueError(f"{facts.total_steps:,} steps are too many to draw, {MOST_STEPS:,} at most: name fewer.")
    run = Run(
        steps=facts.total_steps,
        epochs=None if facts.steps_per_epoch is None else -(-facts.total_steps // facts.steps_per_epoch),
        steps_per_epoch=facts.steps_per_epoch,
        batch_size=facts.batch_size,
        no_total=f"give {option('steps_per_epoch')}",
        no_steps_per_epoch=f"give {option('steps_per_epoch')}",
        no_batch_size=f"give {option('batch_size')}",
    )
    for config in configs:
        name = config.parameter if config.optimizer is None else f"{config.parameter} (optimizer {config.optimizer})"
        names, own, beta2 = _groups(config, facts, option)
        if config.interval == "epoch" and facts.steps_per_epoch is None:
            raise ValueError(f"{config.owner}(interval='epoch') counts epochs: give {option('steps_per_epoch')}.")
        if config.by_clock:
            config = _timed(config, facts, option)
        planned = planned_run(config, run)
        if isinstance(config.warmup, Warmup) and config.warmup.measured:
            resolve(config, planned, names, own, beta2)  # what is wrong with it is told of it, and not of its ways
        ways = list(_ways(config, planned))
        drawn, end = [], planned.steps
        for way in ways:
            if config.by_clock and facts.steps_per_second is not None:

                def of_groups(part: ScheduleConfig, its_run: Run, groups: Any = (names, own, beta2)) -> Schedule:
                    return resolve(part, its_run, *groups)

                paced = at_a_pace(way, planned, facts.steps_per_second, of_groups)
                steps = range(facts.total_steps)
                end = sum(paced.time(step) < (planned.milliseconds or 0) for step in steps)
                drawn.append((way, paced.named, [paced.tick(t) for t in steps], [paced.values(t) for t in steps]))
                continue
            schedule = resolve(way, planned, names, own, beta2)
            per_epoch = facts.steps_per_epoch or 1
            ticks = [t if schedule.by_step else t // per_epoch for t in range(facts.total_steps)]
            drawn.append((way, schedule, ticks, [schedule.values(t) for t in ticks]))
        way, schedule, ticks, rows = drawn[0]
        found[name] = phases(schedule, ticks, end)
        said[name] = [*findings(way, schedule, found[name], [row[0] for row in rows]), *act_on_a_resume(config)]
        if config.depends_on_the_run is not None:
            ranges[name] = f"{config.depends_on_the_run!r} depends on the run itself: the range it can take"
        scheduler = facts.scheduler if config.parameter == "lr" and config.decay is None else None
        if config.override_module_scheduler:
            scheduler = None
        if scheduler is not None:
            ranges[name] = composed(name_of(scheduler), "the optimizer's lr, or a max_lr of its own")
            found[name] = [
                replace(phase, name=name_of(scheduler)) if phase.name == AT_THE_TARGET else phase
                for phase in found[name]
            ]
        for i, group in enumerate(names):
            lines = [[row[i] for row in rows] for _, _, _, rows in drawn]
            low, high = lines[0], lines[0]
            if len(lines) > 1:
                low, high = [list(map(pick, zip(*lines, strict=True))) for pick in (min, max)]
            if scheduler is not None:
                low, high = [0.0] * len(high), [value * _climb(scheduler, own[i]) for value in high]
            curves.append(Curve(name, group, low, high))
    return Drawn(title, curves, found, said, ranges, facts)


def _timed(config: ScheduleConfig, facts: RunFacts, option: Callable[[str], str]) -> ScheduleConfig:
    """A config by the clock with a time as its ``total``.

    Raises:
        ValueError: If that, or the pace of the run, is not known.
    """
    call = f"{config.owner}(total={config.total!r})"
    if facts.steps_per_second is None:
        raise ValueError(f"{call} follows the clock: give {option('steps_per_second')}.")
    if not is_number(facts.steps_per_second) or facts.steps_per_second <= 0:
        raise ValueError(f"steps_per_second={facts.steps_per_second!r}: expected a finite number > 0.")
    if config.total != "max_time":
        return config
    if facts.max_time is None:
        raise ValueError(f"{call} is the Trainer's max_time, which is not known here: write a time, such as '8 hours'.")
    return replace(config, total=as_seconds(facts.max_time))


def _groups(
    config: ScheduleConfig, facts: RunFacts, option: Callable[[str], str]
) -> tuple[list[str | None], list[float], list[float] | None]:
    """Names of the param groups, as far as they are told, their own values, and their β2."""
    names: list[str | None] = [None]
    entries = facts.entries or {}
    if isinstance(facts.lr, Mapping):
        names = list(facts.lr)
    else:
        mappings = [spec for spec in (config.initial, config.target) if isinstance(spec, Mapping)]
        named = list(dict.fromkeys(name for mapping in mappings for name in mapping if name != "default"))
        names = [*named, *(["default"] if any("default" in mapping for mapping in mappings) else [])] or names
    betas = entries.get("betas")
    beta2 = None if betas is None else [float(betas[1])] * len(names)
    if config.parameter == "lr":
        if isinstance(facts.lr, Mapping):
            return names, [float(rate) for rate in facts.lr.values()], beta2
        own = facts.lr
        if own is None and _needs_no_own(config, names):
            own = 0.0
        missing = f"the optimizer's own lr is not known: give {option('lr')}."
    else:
        own = entries.get(config.parameter)
        if own is None and config.parameter in ("momentum", "beta2") and betas is not None:
            own = betas[config.parameter == "beta2"]
        if own is None and _needs_no_own(config, names):
            own = 0.0
        missing = f"the optimizer's own {config.parameter} is not known: give {config.target_name} in the file."
    if own is None:
        raise ValueError(f"{config.owner}: {missing}")
    return names, [number_of(config.parameter, own)] * len(names), beta2


def _needs_no_own(config: ScheduleConfig, names: Sequence[str | None]) -> bool:
    if isinstance(config.target, Mapping):
        return all(config.target.get(name, config.target.get("default")) is not None for name in names)
    return isinstance(config.target, int | float) and not isinstance(config.target, bool)


def _ways(config: ScheduleConfig, run: Run) -> Iterable[ScheduleConfig]:
    """What can become of a schedule: itself, or, where it depends on the run, the courses that it may take."""
    if isinstance(config.decay, ReduceOnPlateauDecay):
        yield replace(config, decay=_Level(1.0))
        yield replace(config, decay=_Level(0.0))
        return
    if config.measured_warmup is None:
        yield config
        return
    if isinstance(config.warmup, LineSearchWarmup):
        # After N steps, where none is halved, before max_steps at the latest, or never: nobody knows how low it is.
        duration, longest = config.warmup.lengths(
            lambda owner, name, value: run.intervals(owner, name, value, "step", since=0)
        )
        for eighths in range(9):
            yield replace(config, warmup=LinearWarmup(duration + (longest - 1 - duration) * eighths // 8))
        yield replace(config, warmup=_GivenUp(longest, 0.0, 0.0))
        return
    # A start anywhere up to the target, by which the warmup is shorter.
    length = warmup_length(config, run)
    interval = config.warmup_interval or config.interval
    for eighths in range(9):
        share = max(eighths / 8, 1 / (length + 1))
        shorter = max(round((1 - share) * length), 0) if eighths else length
        yield replace(
            config, warmup=LinearWarmup(f"{shorter} {interval}s") if shorter else 0, initial=f"{share * 100}%"
        )


@dataclass(frozen=True)
class _Level(Decay):
    """As high, or as low, as a decay by a metric can be: nobody knows when it comes down, or how far."""

    level: float

    ends = False

    def factor_at(self, tau: float, length: float) -> float:
        return self.level

    def __str__(self) -> str:
        return "reduce on plateau"
