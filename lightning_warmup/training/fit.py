"""One schedule in one ``fit``, from the first value that is written to the last."""

import math
from collections.abc import Sequence
from functools import partial

from lightning_utilities.core.rank_zero import rank_zero_info, rank_zero_warn
from torch.optim import Optimizer

from lightning_warmup.schedule.clock import decay_ends, outlasted
from lightning_warmup.schedule.config import ScheduleConfig
from lightning_warmup.schedule.durations import Run
from lightning_warmup.schedule.resolve import planned_run, warmup_length
from lightning_warmup.schedule.time_words import time_words
from lightning_warmup.training import lightning_names as pl
from lightning_warmup.training.base_values import State, draw, group_names, names_of_parameters
from lightning_warmup.training.changes import Changes
from lightning_warmup.training.clock import Clock
from lightning_warmup.training.last_moment import at_the_last_moment
from lightning_warmup.training.lightning_names import Callback, StochasticWeightAveraging
from lightning_warmup.training.measurement import Measurement
from lightning_warmup.training.messages import tell_of_resume, warn_of_other_plan
from lightning_warmup.training.module_scheduler import ModuleScheduler
from lightning_warmup.training.plan_before import plan_state
from lightning_warmup.training.plateau import _PlateauFactor
from lightning_warmup.training.run_length import RunLength
from lightning_warmup.training.scheduled_optimizer import ScheduledOptimizer
from lightning_warmup.training.step_counter import StepCounter


class ScheduledFit:
    """Counts the optimizer steps of one ``fit`` and writes the value of each, before it is taken.

    Values are absolute and a pure function of the optimizer steps taken. The value of the next step is written as soon
    as a step is done, so that whoever reads the groups before it (LearningRateMonitor, say) sees it in any order of
    callbacks.

    Args:
        name: The callback, quoted in messages.
        config: What the user configured, a decay that follows a metric being the one at work.
        trainer: The Trainer.
        pl_module: Its module.
        length: Tells how long the run is.
        run: The run that is planned over.
        optimizers: The optimizers, each with its schedule.
        measurement: What measures the warmup, if anything does.
        module_scheduler: The module's own schedulers, if it has any.
        clock: The time used, where the clock ends the run.
    """

    def __init__(
        self,
        name: str,
        config: ScheduleConfig,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        length: RunLength,
        run: Run,
        optimizers: Sequence[ScheduledOptimizer],
        measurement: Measurement | None,
        module_scheduler: ModuleScheduler | None,
        clock: Clock | None = None,
    ) -> None:
        self.clock = clock
        self._warned_of_time = False
        self.optimizers: list[ScheduledOptimizer] = list(optimizers)
        self._name = name
        self._config = config
        self._trainer = trainer
        self._strategy = trainer.strategy
        self._pl_module = pl_module
        self._length = length
        self._run = run
        self._fit_loop = trainer.fit_loop
        self._limits: tuple[object, ...] = ()
        self._untold_end = math.inf  # where steps that go on past it have not been told of
        self._measurement = measurement
        self._measuring = measurement is not None and not measurement.settled and bool(optimizers)
        self._first_batch = True
        self.watching: bool = True  # the first batch of all, and every one while something is measured
        self._counter = StepCounter(name, trainer, self.optimizers)
        self._changes = Changes(
            config,
            trainer,
            pl_module,
            self.optimizers,
            self._counter,
            module_scheduler,
            lambda: self._write(again=True),
        )
        self._handed_over = False  # somebody else sets the values from here on, or training is over
        self._warned_of_writer = False
        self._warned_of_plan = False
        self._tells_of_end = config.total != "auto" and clock is None

    def begin(self, loaded: State) -> None:
        """Take the optimizers over, and write the first values.

        Args:
            loaded: The state in the checkpoint, empty without one.
        """
        self._limits = self._limits_now()
        if self._changes.module_scheduler is not None:
            self._changes.live_with_schedulers(resumed=bool(loaded))
        self._hand_over(self._trainer.current_epoch)
        for scheduled in self.optimizers:
            self._turn(scheduled)
        self._write()
        if any(scheduled.before is not None for scheduled in self.optimizers):
            self._tell_of_resume()
        if loaded and self.clock is None:
            self._compare_with(loaded)

    def _tell_of_resume(self) -> None:
        for scheduled in self.optimizers:
            if scheduled.before is not None and scheduled.written:
                tell_of_resume(self._config, scheduled, self._run.total(self._config.interval))

    def _turn(self, scheduled: ScheduledOptimizer) -> None:
        """In a run by the clock, go on in time where a warmup by steps is over; or where there is no time left."""
        clock, schedule = self.clock, scheduled.schedule
        if clock is None or schedule.clock == "time" or self._config.decay is None:
            return
        if scheduled.steps < schedule.warmup_length and clock.used < decay_ends(self._config, self._run):
            return
        scheduled.warm_at = max(clock.used, 1)
        scheduled.schedule = draw(self._config, self._run, scheduled.base(self._epoch_of(scheduled.steps)))
        scheduled.written_at = -1  # what was written is of another count
        if outlasted(scheduled.schedule, scheduled.warm_at) and not self._warned_of_time:
            self._warned_of_time = True
            rank_zero_warn(
                f"{self._config.owner}(warmup={self._config.warmup!r}): after {time_words(scheduled.warm_at)}, at step"
                f" {scheduled.steps:,}, there is no time for it and for what is to follow in the"
                f" {time_words(self._run.milliseconds or 0)} of this run. That goes on as if there had been no warmup."
            )

    def _compare_with(self, loaded: State) -> None:
        """Warn of a run that is not the checkpoint's, where that gives the next step another value."""
        was, now = loaded.get("total"), self._run.total(self._config.interval)
        for scheduled in self.optimizers:
            expected, before = loaded.get("next", {}).get(scheduled.index), scheduled.before
            if scheduled.ramp is not None or scheduled.rest is not None or self._measuring:
                continue  # that is told already
            left = before is not None and (before.ramp is not None or before.rest is not None)
            same = was == now and not self._length.replanned and not left
            if loaded.get("interval") == self._config.interval and not same and expected is not None:
                warn_of_other_plan(self._config, "the checkpoint's plan", scheduled, expected, was, now)

    @property
    def warmup_steps(self) -> int | None:
        """Optimizer steps that the warmup takes, as far as that is known."""
        if not self.optimizers:
            return None
        if self.clock is not None:
            run = self._run.replace_total(None, None)
            return None if self._config.warms_by_clock else warmup_length(self._config, run)
        schedule = self.optimizers[0].schedule
        if schedule.beta2:
            return round(max(2 / (1 - beta2) for beta2 in schedule.beta2))
        if schedule.by_step and schedule.warmup_stride == 1:
            return schedule.warmup_length
        pace = self._run.epochs_pace
        return None if pace is None else math.floor(pace.step(schedule.warmup_length))

    @property
    def config(self) -> ScheduleConfig:
        """What the user configured, a ``max_time`` being a time."""
        return self._config

    @property
    def run(self) -> Run:
        """The run that is planned over."""
        return self._run

    # --- every step ------------------------------------------------------------------------------------------------

    def _write(self, *, epochs_ahead: int = 0, again: bool = False) -> None:
        """Write the value of the next step, unless it stands there already (``again``: even then)."""
        if self._handed_over:
            return
        self._changes.follow_groups()
        for scheduled in self.optimizers:
            t = scheduled.steps
            if not scheduled.schedule.by_step:
                t = self._t_of(scheduled, epochs_ahead)
            if again or t != scheduled.written_at or scheduled.warms_late_groups:
                scheduled.write(t)

    def _t_of(self, scheduled: ScheduledOptimizer, epochs_ahead: int = 0) -> int:
        """What the schedule counts, at the next step: steps, milliseconds or epochs."""
        if scheduled.schedule.by_step:
            return scheduled.steps
        if self.clock is not None:
            # A warmup by steps is over when it is, if the clock has stood still.
            return max(self.clock.used, scheduled.schedule.warmup_length if scheduled.warm_at else 0)
        return self._epoch_of(scheduled.steps, epochs_ahead)

    @property
    def warming_up(self) -> bool:
        """Whether the next step belongs to a warmup, that of a resume included."""
        return not self._handed_over and (self._measuring or any(map(self._warms_up, self.optimizers)))

    def _warms_up(self, scheduled: ScheduledOptimizer) -> bool:
        schedule, ramp = scheduled.schedule, scheduled.ramp
        if ramp is not None and self._t_of(scheduled) < ramp.end:
            return True
        if schedule.beta2:
            return scheduled.steps < round(max(2 / (1 - beta2) for beta2 in schedule.beta2))
        return schedule.warmup_tick(self._t_of(scheduled)) < schedule.warmup_length

    def _rewrite(self) -> None:
        self._write(again=True)

    def _epoch_of(self, step: int, epochs_ahead: int = 0) -> int:
        """The epoch that the next step, ``step``, belongs to."""
        return self._length.epoch_of(self._run, step, epochs_ahead)

    def _plan_anew(self, trainers: Run) -> None:
        """Follow the schedule of a run that is no longer the one that was planned.

        Args:
            trainers: The run as the Trainer has it now.
        """
        before, self._limits = self._run, self._limits_now()
        config, measurement = self._config, self._measurement
        try:
            run = planned_run(self._config, trainers)
            interval = self._config.interval
            if self._tells_of_end and trainers.total(interval) is None:
                end = run.total(interval)
                self._untold_end = math.inf if end is None else end
            if run == before or self._handed_over:
                return
            self._run = run
            if measurement is not None:
                measurement = measurement.in_run_of(run, self.optimizers[0].steps)
                config = measurement.config()
            bases = [scheduled.base(self._epoch_of(scheduled.steps)) for scheduled in self.optimizers]
            schedules = [draw(config, run, base) for base in bases]
            ramps = [
                scheduled.ramp_on(self._config, run, base, schedule)
                for scheduled, base, schedule in zip(self.optimizers, bases, schedules, strict=True)
            ]
        except ValueError as error:
            self._run = before
            if not self._warned_of_plan:
                self._warned_of_plan = True
                rank_zero_warn(
                    f"{self._config.owner}: the run is not the one that was planned, and that plan goes on: {error}"
                )
            return
        self._measurement = measurement
        values_before = [scheduled.written for scheduled in self.optimizers]
        told_before = [(scheduled.rest, scheduled.ramp) for scheduled in self.optimizers]
        for scheduled, base, schedule, ramp in zip(self.optimizers, bases, schedules, ramps, strict=True):
            scheduled.schedule, scheduled.rest, scheduled.ramp = schedule, base.rest, ramp
            self._turn(scheduled)
        self._write(again=True)
        if told_before != [(scheduled.rest, scheduled.ramp) for scheduled in self.optimizers]:
            self._tell_of_resume()
        for scheduled, values in zip(self.optimizers, values_before, strict=True):
            if not self._warned_of_plan and self.clock is None:
                was, now = before.total(interval), run.total(interval)
                self._warned_of_plan = warn_of_other_plan(self._config, "the plan", scheduled, values[0], was, now)

    def _limits_now(self) -> tuple[object, ...]:
        """What may be set in mid-epoch, and changes how long the run is."""
        loop = self._fit_loop
        return self._trainer.accumulate_grad_batches, loop.max_epochs, loop.epoch_loop.max_steps

    def _tell_of_the_end(self, scheduled: ScheduledOptimizer) -> None:
        """Say once that steps are taken past the end of the plan, where the Trainer did not tell of them before."""
        self._tells_of_end, self._untold_end = False, math.inf
        # In manual optimization the given total is all that anybody knows, and has to be right.
        tell = rank_zero_info if self._pl_module.automatic_optimization else rank_zero_warn
        tell(
            f"{self._config.owner}(total={self._config.total!r}): the run goes on past the"
            f" {self._run.total(self._config.interval):,} {self._config.interval}s that it was planned over, and"
            f" {self._config.parameter} stays at {scheduled.written[0]:.4g}. Give total=... the length of this run."
        )

    def _hand_over(self, epoch: int) -> None:
        """Leave the learning rate to StochasticWeightAveraging from its start epoch on."""
        if self._config.parameter != "lr" or self._handed_over:
            return
        callbacks: list[Callback] = self._trainer.callbacks  # type: ignore[union-attr]
        for callback in callbacks:
            if isinstance(callback, StochasticWeightAveraging) and epoch >= callback.swa_start:
                self._handed_over = True
                self._measuring = self.watching = False
                self._changes.remove()
                rank_zero_info(f"{self._config.owner}: StochasticWeightAveraging sets the lr from epoch {epoch} on.")

    def epoch_starts(self) -> None:
        """In ``on_train_epoch_start``."""
        self._hand_over(self._trainer.current_epoch)
        for scheduled in self.optimizers:
            scheduled.look_again()
        self._look_again(0)

    def _look_again(self, done: int) -> None:
        """Look at all that can have changed since it was last looked at, and write the value of the next step.

        Args:
            done: Batches of the epoch under way that are done.
        """
        if self._handed_over:
            return
        self._plan_anew(self._length.look(done))
        self._changes.follow_optimizers(self._run)
        self._changes.follow_groups(thoroughly=True)
        self._changes.follow_schedulers(self._run)
        self._write()

    def batch_starts(self, batch_idx: int) -> None:
        """In ``on_train_batch_start``, of an epoch's first batch and while :attr:`watching`."""
        if self._first_batch:
            self._first_batch = False
            self._plan_anew(self._length.at_first_batch(batch_idx))
            for scheduled in self.optimizers:
                scheduled.before = None  # from here on a change is one in mid-run
        if batch_idx == 0:
            # Again, because callbacks that come after us may have changed the run in on_train_epoch_start.
            self._look_again(0)
        self.watching = self._measuring
        if self._measuring and self._measurement is not None and self._measurement.due(self.optimizers[0].steps):
            self._measurement.see(self._trainer)

    def step_begins(self, optimizer: Optimizer) -> None:
        """In ``on_before_optimizer_step``."""
        counter = self._counter
        if counter.under_way is not None:
            # LBFGS calls its closure several times in one step; manual optimization takes several steps in one batch.
            if counter.repeats(optimizer):
                return
            self.count_step()
        for scheduled in self.optimizers:
            if scheduled.optimizer is optimizer:
                break
        else:
            newcomer = self._newcomer(optimizer)
            if newcomer is None:
                return
            scheduled = newcomer
        counter.begin(scheduled)
        if self._measuring or not scheduled.untouched():
            self._before_step(scheduled)

    def _newcomer(self, optimizer: Optimizer) -> ScheduledOptimizer | None:
        """An optimizer that the Trainer has got since it was last looked at; None if it is none of ours."""
        if self._handed_over:
            return None
        self._changes.follow_optimizers(self._run)
        return next((scheduled for scheduled in self.optimizers if scheduled.optimizer is optimizer), None)

    def _before_step(self, scheduled: ScheduledOptimizer) -> None:
        """Take back what somebody else wrote, and measure what is to be measured."""
        if self._strategy.lr_scheduler_configs != self._changes.seen_schedulers and not self._handed_over:
            # One that has just come has written its first value: it is to be lived with, not written over.
            self._changes.follow_schedulers(self._run)
        self._write()
        if not self._handed_over and not scheduled.untouched():
            what = f"{self._name} wrote its own value over it, and will go on doing so"
            self._tell_of_writer(scheduled, "before", what)
            self._write(again=True)
        if self._measuring and self._measurement is not None:
            at_the_last_moment(self._pl_module, partial(self._measure, self._measurement, scheduled))

    def _tell_of_writer(self, scheduled: ScheduledOptimizer, when: str, what: str) -> None:
        """Say once that somebody else wrote our values."""
        group = scheduled.overwritten()
        if group is None or self._warned_of_writer or self._config.override_module_scheduler:
            return
        self._warned_of_writer = True
        name = scheduled.optimizer.param_groups[group].get("name") or f"group {group}"
        parameter = self._config.parameter
        rank_zero_warn(
            f"Something else wrote {parameter!r} of the param group {name!r} {when} step {scheduled.steps:,}: {what}."
            f" Leave {parameter!r} to {self._config.owner}."
        )

    def _measure(self, measurement: Measurement, scheduled: ScheduledOptimizer) -> None:
        """Let a warmup that measures look at the step, and plan anew once all is known."""
        if measurement.due(scheduled.steps):
            measurement.measure(self._trainer, self._pl_module, scheduled, scheduled.rates())
        self._take_over(measurement, scheduled)
        self._write(again=True)

    def _take_over(self, measurement: Measurement, scheduled: ScheduledOptimizer) -> None:
        """Plan anew by what has been measured, once that is all."""
        if measurement.settled:
            scheduled.schedule = draw(measurement.config(), self._run, scheduled.base(self._epoch_of(scheduled.steps)))
            self._measuring = self.watching = False

    def count_step(self) -> None:
        """Count the step under way, if there is one and it happened, and write the value of the next."""
        if self._counter.under_way is None:
            return
        if self.clock is not None:
            # Even where the step came to nothing, as it may have on some processes only.
            self.clock.read()
        scheduled = self._counter.settle()
        if scheduled is None or self._handed_over:
            return
        if len(scheduled.optimizer.param_groups) != len(scheduled.own):
            self._changes.follow_groups()
        if self._strategy.lr_scheduler_configs != self._changes.seen_schedulers:
            # Before our own write: a scheduler by epochs has just written what it gives.
            self._changes.follow_schedulers(self._run)
        if self._limits_now() != self._limits:
            self._plan_anew(self._length.look(self._fit_loop.epoch_loop.batch_progress.current.ready))
        if self._measuring and self._measurement is not None and not self._measurement.due(scheduled.steps):
            self._take_over(self._measurement, scheduled)
        if scheduled.written_at >= self._untold_end:
            self._tell_of_the_end(scheduled)
        # Who writes after on_before_optimizer_step is heard of now, the first time and now and then.
        if scheduled.steps % 64 == 1 and not self._warned_of_writer:
            self._tell_of_writer(scheduled, "after", "that step may have used it")
        if self.clock is not None:
            self._turn(scheduled)
            self._write()
        elif scheduled.schedule.by_step:
            scheduled.write(scheduled.steps)
        else:
            self._write()

    def epoch_ends(self) -> None:
        """In ``on_train_epoch_end``."""
        if not self._trainer.enable_validation:
            self.evaluated()
        self._hand_over(self._trainer.current_epoch + 1)
        self._write(epochs_ahead=1)

    def evaluated(self) -> None:
        """After each evaluation: show the metric to a decay that follows one."""
        plateau = self._config.decay
        if not isinstance(plateau, _PlateauFactor) or not self.optimizers or self._handed_over:
            return
        scheduled = self.optimizers[0]
        schedule = scheduled.schedule
        t = self._trainer.current_epoch - self._length.first_epoch
        if schedule.by_step or self.clock is not None:
            t = self._t_of(scheduled)
        if not schedule.decay_start <= t // schedule.decay_stride < schedule.decay_end:
            return
        if plateau.evaluate(self._config.owner, self._trainer, self._pl_module, scheduled.steps):
            # By epoch the new factor waits for the next epoch, whose value may be written already.
            at_its_end = schedule.clock == "epoch" and self._epoch_of(scheduled.steps) != self._epoch_of(
                scheduled.steps - 1
            )
            self._write(again=schedule.clock != "epoch" or at_its_end)

    # --- checkpoints, and the end ----------------------------------------------------------------------------------

    def state(self) -> State:
        """What a resumed run cannot compute again: where it stands and what it set out from, in plain Python."""
        # A checkpoint may be saved between a step and its on_train_batch_end, and by whoever has just added a group.
        if not self._handed_over:
            self._changes.follow_groups()
        counter = self._counter
        taken = counter.under_way if counter.under_way is not None and counter.happened() else None
        steps = {scheduled.index: scheduled.steps + (scheduled is taken) for scheduled in self.optimizers}
        state: State = {
            "optimizers": {scheduled.index: scheduled.state(steps[scheduled.index]) for scheduled in self.optimizers},
            **self._length.state(),
            "total": self._run.total(self._config.interval),
            "interval": self._config.interval,
            "next": {},
            "plans": {},
            "groups": {},
        }
        parameter_names = names_of_parameters(self._pl_module)
        if self.clock is not None:
            state["milliseconds"] = self.clock.state()
        for scheduled in self.optimizers:
            t = at = steps[scheduled.index]
            if self.clock is not None:
                at = -1  # nobody knows when it is taken
            elif not scheduled.schedule.by_step:
                pace = self._run.epochs_pace
                at = -1 if pace is None else math.floor(pace.at(t))
            if at >= 0:
                state["next"][scheduled.index] = scheduled.values(at, t)[0]
            ticks = [at] if at >= 0 else [max(0, scheduled.written_at) + ahead for ahead in (0, 1)]
            if self.clock is not None:
                ticks = [self._t_of(scheduled)]
            state["plans"][scheduled.index] = plan_state(
                self._config,
                scheduled.schedule,
                ticks,
                partial(scheduled.values, steps=t),
                scheduled.rest,
                scheduled.ramp,
            )
            if len(scheduled.own) > 1:
                state["groups"][scheduled.index] = group_names(scheduled.optimizer, parameter_names)
        if self._measurement is not None:
            state["adaptive"] = self._measurement.state(steps[self.optimizers[0].index] if self.optimizers else 0)
        if isinstance(self._config.decay, _PlateauFactor):
            state["plateau"] = self._config.decay.state()
        return state

    def end(self) -> None:
        """Count the last step, and leave the module and its optimizers as they were found."""
        self._counter.settle()
        self._counter.remove()
        if self.clock is not None:
            self.clock.stop()
        if self._measurement is not None:
            self._measurement.forget()
        self._handed_over = True
        self._changes.remove()
