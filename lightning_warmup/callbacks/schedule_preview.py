"""The preview of a real run: its own model, loader, optimizer, groups and checkpoint."""

import math
import sys
from bisect import bisect_left
from dataclasses import replace
from pathlib import Path
from typing import Any

from typing_extensions import override

from lightning_warmup.callbacks.schedule_callback import ScheduleCallback
from lightning_warmup.schedule.checks import positive
from lightning_warmup.schedule.clock import at_a_pace
from lightning_warmup.schedule.config import ScheduleConfig
from lightning_warmup.schedule.durations import Run
from lightning_warmup.schedule.resolve import planned_run
from lightning_warmup.schedule.rest import Rest
from lightning_warmup.schedule.resumed import Ramp, ramp_before
from lightning_warmup.schedule.schedule import Schedule
from lightning_warmup.training import lightning_names as pl
from lightning_warmup.training.base_values import draw, draw_part
from lightning_warmup.training.fit import ScheduledFit
from lightning_warmup.training.lightning_names import Callback, DummyLogger, EndOfRun, MisconfigurationException
from lightning_warmup.training.scheduled_optimizer import ScheduledOptimizer
from lightning_warmup.view.drawn import Curve, Drawn, RunFacts, composed
from lightning_warmup.view.phases import Phase, findings, laid_over, phases
from lightning_warmup.view.plot import FORMATS, save_previews
from lightning_warmup.view.terminal import terminal

SHOWN = 1000
"""Steps that are shown of a run without a known end."""


class SchedulePreview(Callback):
    """Show what all schedules in this Trainer will do, and end the run before its first step.

    It takes your own model, data, optimizer, param groups and checkpoint, so T is the real one. With ``ckpt_path`` it
    shows the part already run, the part to come, and the checkpoint's plan beside the new one where they differ; with
    ``resume_warmup`` the ramp between them, with ``replan="rest"`` what is drawn anew. No step is taken, no checkpoint
    saved, nothing logged. A plan that cannot be raises its error. A schedule that depends on the run itself is shown as
    far as it is known: with the start it would have without a measurement, say; before a scheduler of the module's,
    as the range that the warmup leaves it.

    From the command line: ``--trainer.callbacks+=lightning_warmup.SchedulePreview``.

    Args:
        output: A picture to write too: ``.png``, ``.svg``, ``.pdf`` or ``.html``.
        steps_per_second: How fast the run is, > 0: no step is taken, so that it cannot be measured. Needed where
            ``total`` is a time. A part already run is shown as if it had been as fast.

    Raises:
        ValueError: If ``output`` is of another kind, or ``steps_per_second`` is out of range, or missing.
        MisconfigurationException: If there is no schedule of ours in the Trainer.

    >>> SchedulePreview(output="lr.png")
    SchedulePreview(output='lr.png')
    """

    def __init__(self, output: str | Path | None = None, steps_per_second: float | None = None) -> None:
        if output is not None and (not isinstance(output, str | Path) or Path(output).suffix not in FORMATS):
            given = str(output) if isinstance(output, Path) else output
            raise ValueError(f"SchedulePreview(output={given!r}): write the name of a {', '.join(FORMATS)} file.")
        if steps_per_second is not None:
            positive("SchedulePreview", "steps_per_second", steps_per_second)
        self.output = output
        self.steps_per_second = steps_per_second
        self._found: tuple[list[Any], list[Any], Any] | None = None

    def __repr__(self) -> str:
        given = [] if self.output is None else [f"output={str(self.output)!r}"]
        given += [] if self.steps_per_second is None else [f"steps_per_second={self.steps_per_second!r}"]
        return f"SchedulePreview({', '.join(given)})"

    @override
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        self._found = list(trainer.callbacks), list(trainer.loggers), trainer.num_sanity_val_steps  # type: ignore[union-attr]
        others = [callback for callback in self._found[0] if callback is not self]
        if not any(isinstance(callback, ScheduleCallback) for callback in others):
            raise MisconfigurationException(
                "SchedulePreview: there is no schedule in this Trainer. Give callbacks a LearningRateWarmup."
            )
        for callback in others:
            if hasattr(callback, "already_saved"):  # LightningCLI's SaveConfigCallback
                callback.already_saved = True
        # Last, so that all others have begun; and nothing is logged, or tried out, before.
        trainer.callbacks = [*others, self]  # type: ignore[union-attr]
        trainer.loggers = [DummyLogger() for _ in self._found[1]]  # type: ignore[assignment]
        trainer.num_sanity_val_steps = 0

    @override
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[union-attr]
        if trainer.is_global_zero:
            shown = shown_of([c for c in callbacks if isinstance(c, ScheduleCallback)], self.steps_per_second)
            sys.stdout.write("\n" + terminal(shown))
            if self.output is not None:
                save_previews(shown, Path(self.output))
        if hasattr(trainer.strategy.launcher, "_start_method"):
            # In a process that was spawned or forked, out of which an exception would come as a failure. It has a
            # Trainer of its own, whose loop is over before it begins.
            trainer.callbacks = [self]  # type: ignore[union-attr]
            trainer.fit_loop.min_epochs = trainer.fit_loop.epoch_loop.min_steps = None
            trainer.should_stop = True
        else:
            raise EndOfRun

    @override
    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if self._found is not None:
            trainer.callbacks, trainer.loggers, trainer.num_sanity_val_steps = self._found  # type: ignore[union-attr]
            self._found = None


def shown_of(callbacks: list[ScheduleCallback], steps_per_second: float | None = None) -> list[Drawn]:
    """What the schedules of a ``fit`` that has begun will do; beside it, what the checkpoint's plan was."""
    now: list[Drawn] = []
    before: list[Drawn] = []
    for callback in callbacks:
        fit = callback.fit_under_way
        for scheduled in [] if fit is None else fit.optimizers:
            assert fit is not None
            several = len(fit.optimizers) > 1
            if fit.clock is not None:
                now.append(_drawn_by_clock(fit, scheduled, steps_per_second, several=several))
                continue
            old, then = _plan_of_the_checkpoint(callback, scheduled), None
            if old is not None:
                other, run = old
                then = _drawn(callback, run, other, several=several, title="the checkpoint's plan")
            goes_on = scheduled.ramp is not None or scheduled.rest is not None
            done = then if goes_on else None
            now.append(_drawn(callback, fit.run, scheduled, several=several, title="this run", done=done))
            if then is not None and then.curves != now[-1].curves:
                before.append(then)
    shown = [_together("this run", now)]
    return [*shown, _together("the checkpoint's plan", before)] if before else shown


class _Scheduled:
    """An optimizer as another plan would have it."""

    def __init__(self, scheduled: ScheduledOptimizer, schedule: Any, rest: Rest | None, ramp: Ramp | None) -> None:
        self.index, self.optimizer, self.steps = scheduled.index, scheduled.optimizer, scheduled.steps
        self.schedule, self.rest, self.ramp = schedule, rest, ramp
        self.undamped = scheduled.undamped

    def values(self, t: int, steps: int) -> list[float]:
        values: list[float] = self.schedule.values(t)
        if self.undamped is not None:
            values = [factor * value for factor, value in zip(values, self.undamped, strict=True)]
        return values if self.ramp is None else self.ramp.values(t, values)


def _plan_of_the_checkpoint(callback: ScheduleCallback, scheduled: ScheduledOptimizer) -> tuple[_Scheduled, Run] | None:
    """The schedule over the run that the checkpoint was of, if there is one and it tells."""
    state, config = callback.loaded_state, callback.config
    if not state or state.get("steps") is None or callback.measures or "milliseconds" in state:
        return None
    run = Run(
        steps=state["steps"],
        epochs=state.get("epochs"),
        steps_per_epoch=state.get("steps_per_epoch"),
        batch_size=state.get("batch_size"),
        past_epochs=tuple(map(tuple, state.get("past_epochs", ()))),
        past_samples=tuple(map(tuple, state.get("past_samples", ()))),
    )
    try:
        run = planned_run(config, run)
        base, before = scheduled.base(0), scheduled.before
        base.before, base.rest = None, None
        ramp: Ramp | None = None
        if before is not None:
            # By what it had itself, whatever is configured now.
            base.rest = before.rest
            if (config.resume_ramps or config.replan == "rest") and before.rest is None:
                base.rest = Rest(before.warmup, before.decay_start)
                if before.decay_start is None and before.nexts:
                    none: dict[str, Any] = {"decay": None, "decay_duration": None, "decay_from": "warmup"}
                    config = replace(config, **none, hold=0, cooldown=0, replan="full")
            ramp = ramp_before(config, before)
        return _Scheduled(scheduled, draw(config, run, base), base.rest, ramp), run
    except ValueError:  # what is configured now may not fit into that run
        return None


def _drawn(
    callback: ScheduleCallback, run: Run, scheduled: Any, *, several: bool, title: str, done: Drawn | None = None
) -> Drawn:
    """What a schedule will do, the steps that are run being those of ``done``."""
    config = callback.config
    name = f"{config.parameter} (optimizer {scheduled.index})" if several else config.parameter
    total = run.steps or max(SHOWN, 2 * scheduled.steps)
    pace = run.epochs_pace
    by_step = scheduled.schedule.by_step
    ticks = [step if by_step else None if pace is None else math.floor(pace.at(step)) for step in range(total)]
    if None in ticks:
        raise MisconfigurationException(
            f"SchedulePreview: {config.owner}(interval='epoch') on a loader without a length cannot be shown before it"
            " runs. Give Trainer(limit_train_batches=N)."
        )
    known = [tick for tick in ticks if tick is not None]
    rows = [scheduled.values(tick, step) for step, tick in enumerate(known)]
    if done is not None:
        past = zip(*(curve.values[: scheduled.steps] for curve in done.curves), strict=True)
        rows = [[*row] for row in past] + rows[min(scheduled.steps, len(done.curves[0].values)) :]
    found = phases(scheduled.schedule, known, run.steps)
    ramp, rest = scheduled.ramp, scheduled.rest
    if ramp is not None:
        first_step, end = (bisect_left(known, tick) for tick in (ramp.start, ramp.end))
        found = laid_over(found, Phase("resume warmup", max(first_step, scheduled.steps), end))
    if rest is not None and done is not None:
        found = laid_over(found, Phase("run before", 0, scheduled.steps))
    return _told(config, run, scheduled.schedule, scheduled, rows, found, name, title)


def _drawn_by_clock(
    fit: ScheduledFit, scheduled: ScheduledOptimizer, steps_per_second: float | None, *, several: bool
) -> Drawn:
    config, run, clock = fit.config, fit.run, fit.clock
    assert clock is not None
    assert run.milliseconds is not None
    if steps_per_second is None:
        raise ValueError(
            f"SchedulePreview(): {config.owner}(total={config.total!r}) follows the clock: give steps_per_second=..."
        )
    base = scheduled.base(0)
    paced = at_a_pace(
        config,
        run,
        steps_per_second,
        lambda part, its_run: draw_part(part, its_run, base),
        scheduled.steps,
        clock.used,
        scheduled.warm_at,
    )
    left = math.ceil((run.milliseconds - clock.used) * steps_per_second / 1000)
    steps = range(max(scheduled.steps + left, 1) if run.steps is None else run.steps)
    undamped = scheduled.undamped or [1.0] * len(scheduled.own)
    rows = [[factor * value for factor, value in zip(paced.values(step), undamped, strict=True)] for step in steps]
    end = sum(paced.time(step) < run.milliseconds for step in steps)
    found = phases(paced.named, [paced.tick(step) for step in steps], end)
    name = f"{config.parameter} (optimizer {scheduled.index})" if several else config.parameter
    return _told(config, replace(run, steps=len(steps)), paced.named, scheduled, rows, found, name, "this run")


def _told(
    config: ScheduleConfig,
    run: Run,
    schedule: Schedule,
    scheduled: Any,
    rows: list[list[float]],
    found: list[Phase],
    name: str,
    title: str,
) -> Drawn:
    """What is to be said of a schedule's values."""
    total = len(rows)
    first = [row[0] for row in rows]
    said = findings(config, schedule, found, first)
    if scheduled.steps:
        said = [
            f"{scheduled.steps:,} of {total:,} steps are run; the next one uses {_at(first, scheduled.steps)}",
            *said,
        ]
    if (rest := scheduled.rest) is not None and rest.factor != 1:
        said.append(f"the {schedule.decay} is drawn anew from {config.interval} {rest.start:,}")
    if run.steps is None:
        said.append(f"the run has no known end: {total:,} steps of it are shown")
    ranges = {}
    if config.depends_on_the_run is not None:
        ranges[name] = f"{config.depends_on_the_run!r} depends on the run itself: shown is what is known of it"
    if scheduled.undamped is not None:
        ranges[name] = composed("scheduler", "where it stands now")
    groups = [group.get("name") for group in scheduled.optimizer.param_groups]
    if len(groups) > 1:
        groups = [group or f"group {i}" for i, group in enumerate(groups)]
    values = [[row[i] for row in rows] for i in range(len(groups))]
    lowest = [line if scheduled.undamped is None else [0.0] * total for line in values]
    curves = [Curve(name, *curve) for curve in zip(groups, lowest, values, strict=True)]
    return Drawn(title, curves, {name: found}, {name: said}, ranges, RunFacts(total, run.steps_per_epoch))


def _at(values: list[float], step: int) -> str:
    return f"{values[step]:.4g}" if step < len(values) else "the last value"


def _together(title: str, drawn: list[Drawn]) -> Drawn:
    """Several schedules as one preview."""
    merged = Drawn(title, [], {}, {}, {}, drawn[0].facts if drawn else RunFacts(0))
    for each in drawn:
        merged = replace(
            merged,
            curves=[*merged.curves, *each.curves],
            phases={**merged.phases, **each.phases},
            findings={**merged.findings, **each.findings},
            ranges={**merged.ranges, **each.ranges},
        )
    return merged
