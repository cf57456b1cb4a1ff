"""From the Trainer to the first value, in one go: each stage is done before the next begins."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lightning_utilities.core.rank_zero import rank_zero_info, rank_zero_warn

from lightning_warmup.schedule.config import ScheduleConfig
from lightning_warmup.schedule.durations import Run, TooShortError
from lightning_warmup.schedule.plateau_decay import ReduceOnPlateauDecay
from lightning_warmup.schedule.resolve import late_group_steps, planned_run, warmup_length
from lightning_warmup.training import lightning_names as pl
from lightning_warmup.training import param_groups
from lightning_warmup.training.base_values import (
    BaseValues,
    BeforeTraining,
    base_values,
    draw,
    names_of_parameters,
    unscheduled,
)
from lightning_warmup.training.checked_state import wrong_state
from lightning_warmup.training.clock import begin_clock, tell_of_the_end
from lightning_warmup.training.fit import ScheduledFit
from lightning_warmup.training.lightning_names import BaseFinetuning, Callback, MisconfigurationException
from lightning_warmup.training.measurement import Measurement
from lightning_warmup.training.messages import log_plan
from lightning_warmup.training.module_scheduler import find_module_scheduler
from lightning_warmup.training.plateau import _PlateauFactor
from lightning_warmup.training.run_length import RunLength
from lightning_warmup.training.scheduled_optimizer import ScheduledOptimizer


def begin_fit(
    callback: Callback,
    name: str,
    config: ScheduleConfig,
    before: BeforeTraining,
    trainer: pl.Trainer,
    pl_module: pl.LightningModule,
    measurement_for: Callable[[ScheduleConfig, Run, dict[str, Any] | None], Measurement | None],
) -> ScheduledFit | None:
    """Plan one ``fit`` and write its first values, in ``on_train_start``: restored state is there from then on.

    Args:
        callback: Whose schedule it is.
        name: The callback, quoted in messages.
        config: What the user configured.
        before: What the ``fit`` told before training.
        trainer: The Trainer.
        pl_module: Its module.
        measurement_for: Makes what measures the warmup, given configuration, run and its state in the checkpoint.

    Returns:
        None in a ``fast_dev_run`` that is too short for the schedule, which then stands aside.

    Raises:
        ValueError: If the schedule does not fit the run, or the run does not tell what it needs.
        MisconfigurationException: If something else is to set the values too.
    """
    # 1) what is in the Trainer: optimizers, and a scheduler of the module's
    automatic = pl_module.automatic_optimization
    _check_finetuning(callback, config, before, trainer)
    _check_steps(config.owner, before.state, trainer, automatic=automatic)
    optimizers = param_groups.optimizers_of(trainer, config)
    keys = [param_groups.key_of(config, optimizer) for _, optimizer in optimizers]
    module_scheduler = None
    if config.parameter == "lr":
        module_scheduler = find_module_scheduler(trainer, [optimizer for _, optimizer in optimizers])
    if module_scheduler is not None and not config.override_module_scheduler:
        module_scheduler.check_composes(config, automatic=automatic)

    # 2) how long the run is
    state, resumed = before.state, before.resumed_step > 0
    length = RunLength(trainer, automatic=automatic, max_epochs=before.max_epochs, resumed=resumed, state=state)
    trainers = length.at_train_start()

    # 3) what each optimizer sets out from
    schedulers = module_scheduler.schedulers if module_scheduler is not None else []
    several = len(trainer.optimizers) > 1
    parameter_names = names_of_parameters(pl_module)
    bases = [
        base_values(
            config,
            before,
            index,
            optimizer,
            key,
            schedulers=schedulers,
            several=several,
            parameter_names=parameter_names,
        )
        for (index, optimizer), key in zip(optimizers, keys, strict=True)
    ]

    # 4) what was configured, over that run: each optimizer's schedule
    if isinstance(config.decay, ReduceOnPlateauDecay):
        config = replace(config, decay=_PlateauFactor(config.decay, state.get("plateau")))
    written, clock = config.total, None
    if config.by_clock:
        config, clock = begin_clock(config, trainer, state, resumed=resumed)
    try:
        run = planned_run(config, trainers)
        late_warmup = late_group_steps(config, run)
        measurement = None
        if config.measured_warmup is not None:
            measurement = measurement_for(config, run, state.get("adaptive"))
        if measurement is not None and bases:
            measurement.due(bases[0].steps)  # a resumed run may be past it
        now = config if measurement is None else measurement.config()
        if clock is not None and not config.warms_by_clock:
            _check_that_warmups_were_over(config, run, bases)
        for base in bases:
            if base.before is not None:
                base.epoch = length.epoch_of(run, base.steps)
        schedules = [draw(now, run, base) for base in bases]
        scheduled = [
            ScheduledOptimizer(index, optimizer, key, base, schedule, late_warmup)
            for (index, optimizer), key, base, schedule in zip(optimizers, keys, bases, schedules, strict=True)
        ]
        for each, base in zip(scheduled, bases, strict=True):
            each.check_shared_tensors(config.owner)
            each.ramp = each.ramp_on(config, run, base, each.schedule)
        whole = schedules
        if clock is not None and not config.warms_by_clock:
            # What is to come when the warmup is over must be possible, and is told of, now.
            whole = [draw(now, run, replace(base, warm_at=base.warm_at or 1)) for base in bases]
    except TooShortError as error:
        if not trainer.fast_dev_run:  # type: ignore[union-attr]
            raise
        rank_zero_info(f"fast_dev_run is too short for this schedule, which stands aside: {error}")
        return None

    # 5) say what will happen
    log_plan(
        config,
        list(zip(bases, whole, strict=True)),
        trainer_run=trainers,
        planned=run,
        checkpoint_total=state.get("total")
        if state.get("interval") == config.interval and all(base.rest is None for base in bases)
        else None,
        module_scheduler=module_scheduler,
        max_time=length.time_limited,
        fast_dev_run=bool(trainer.fast_dev_run),  # type: ignore[union-attr]
        warming=[None if each is now_drawn else now_drawn for each, now_drawn in zip(whole, schedules, strict=True)],
    )
    if clock is not None:
        tell_of_the_end(config, trainer, written, run, trainers)

    # 6) take the optimizers over, and write
    if measurement is not None and not measurement.settled:
        measurement.check(trainer, pl_module, scheduled)
    fit = ScheduledFit(name, config, trainer, pl_module, length, run, scheduled, measurement, module_scheduler, clock)
    fit.begin(state)
    return fit


def _check_that_warmups_were_over(config: ScheduleConfig, run: Run, bases: list[BaseValues]) -> None:
    """A warmup that was over in the checkpoint is not so where the config has made it longer since."""
    length = warmup_length(config, run.replace_total(None, None))
    for base in bases:
        if base.steps < length:
            base.warm_at = None


def _check_steps(owner: str, state: dict[str, Any], trainer: pl.Trainer, *, automatic: bool) -> None:
    """A state cannot have begun after the checkpoint that it is in; that it has taken more steps is told."""
    for key, there in (("first_step", trainer.global_step), ("first_epoch", trainer.current_epoch)):
        if state.get(key, 0) > there:
            raise wrong_state(owner, f"state[{key!r}] is {state[key]!r}", f"no more than the checkpoint's {there:,}")
    seen = trainer.global_step - state.get("first_step", 0)
    # In manual optimization a module may take steps that the Trainer does not count.
    for index, optimizer in state.get("optimizers", {}).items() if automatic else ():
        if optimizer["steps"] > seen:
            rank_zero_warn(
                f"{owner}: by its state in the checkpoint optimizer {index} has taken {optimizer['steps']:,} steps,"
                f" more than the {seen:,} that the checkpoint knows of. The schedule goes on from there: take a"
                " checkpoint that nobody has changed."
            )


def fresh_values(trainer: pl.Trainer, config: ScheduleConfig) -> dict[int, list[float]]:
    """Values of the param groups, by the index of their optimizer; under an override, those before any scheduler."""
    schedulers = [scheduler.scheduler for scheduler in trainer.strategy.lr_scheduler_configs]
    fresh = {}
    for index, optimizer in param_groups.optimizers_of(trainer, config):
        key, groups = param_groups.key_of(config, optimizer), optimizer.param_groups
        overrides = key == "lr" and config.override_module_scheduler
        fresh[index] = unscheduled(groups, schedulers) if overrides else param_groups.read(groups, key)
    return fresh


def _check_finetuning(callback: Callback, config: ScheduleConfig, before: BeforeTraining, trainer: pl.Trainer) -> None:
    """A fine-tuning callback that resumes before us has replaced the values that the config gave the groups."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[union-attr]
    earlier = callbacks[: callbacks.index(callback)]
    if not (before.state and any(isinstance(c, BaseFinetuning) for c in earlier)):
        return
    before.fresh = {}
    if config.resume == "config":
        raise MisconfigurationException(
            f"{config.owner}(resume='config') comes after a fine-tuning callback, which has put the checkpoint's values"
            " in the place of the config's. Put it before that in callbacks."
        )
