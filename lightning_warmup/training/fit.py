"""One schedule in one ``fit``, from the first value that is written to the last."""

from collections.abc import Sequence
from typing import Any

import lightning.pytorch as pl
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, StochasticWeightAveraging
from lightning_utilities.core.rank_zero import rank_zero_info, rank_zero_warn
from torch.optim import Optimizer

from lightning_warmup.schedule.config import ScheduleConfig
from lightning_warmup.schedule.durations import Run
from lightning_warmup.training.base_values import State
from lightning_warmup.training.measurement import Measurement
from lightning_warmup.training.module_scheduler import ModuleScheduler
from lightning_warmup.training.plateau import _PlateauFactor
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
        run: The run that is planned over.
        optimizers: The optimizers, each with its schedule.
        first_epoch: Epoch at which this ``fit``, or the one that it continues, began.
        first_step: ``global_step`` at which it began.
        measurement: What measures the warmup, if anything does.
    """

    def __init__(
        self,
        name: str,
        config: ScheduleConfig,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        run: Run,
        optimizers: Sequence[ScheduledOptimizer],
        first_epoch: int,
        first_step: int,
        measurement: Measurement | None,
    ) -> None:
        self.optimizers = list(optimizers)
        self._name = name
        self._config = config
        self._trainer = trainer
        self._pl_module = pl_module
        self._run = run
        self._first_epoch = first_epoch
        self._first_step = first_step
        self._measurement = measurement
        self.measuring = measurement is not None and not measurement.settled and bool(optimizers)
        self._counter = StepCounter(name, trainer, self.optimizers)
        self._module_scheduler: ModuleScheduler | None = None
        self._handed_over = False  # somebody else sets the values from here on, or training is over
        self._warned_of_writer = False

    def begin(self, module_scheduler: ModuleScheduler | None) -> None:
        """Take the optimizers over, and write the first values."""
        self._module_scheduler = module_scheduler
        if module_scheduler is not None and self._config.override_module_scheduler:
            module_scheduler.override(self._pl_module, self.optimizers)
            if self._config.target is None:
                module_scheduler.warn_of_replaced_base(self._config.owner, self.optimizers)
        elif module_scheduler is not None:
            module_scheduler.compose(
                self._pl_module, self.optimizers, self._adopt_new_groups, lambda: self._write(again=True)
            )
        self._hand_over(self._trainer.current_epoch)
        self._write()

    @property
    def warmup_steps(self) -> int | None:
        """Optimizer steps that the warmup takes, as far as that is known."""
        if not self.optimizers:
            return None
        schedule = self.optimizers[0].schedule
        if schedule.beta2:
            return round(max(2 / (1 - beta2) for beta2 in schedule.beta2))
        length = schedule.warmup_length * schedule.warmup_stride
        if schedule.by_step:
            return length
        per_epoch = self._run.steps_per_epoch
        return None if per_epoch is None else length * per_epoch

    # --- every step ------------------------------------------------------------------------------------------------

    def _write(self, *, epochs_ahead: int = 0, again: bool = False) -> None:
        """Write the value of the next step, unless it stands there already (``again``: even then)."""
        if self._handed_over:
            return
        self._adopt_new_groups()
        for scheduled in self.optimizers:
            t = scheduled.steps
            if not scheduled.schedule.by_step:
                # Step t belongs to epoch t // steps_per_epoch; where that is unknown, to the Trainer's.
                per_epoch = self._run.steps_per_epoch
                t = t // per_epoch if per_epoch else self._trainer.current_epoch + epochs_ahead - self._first_epoch
            if again or t != scheduled.written_at:
                scheduled.write(t)

    def _adopt_new_groups(self) -> None:
        for scheduled in self.optimizers:
            new = len(scheduled.optimizer.param_groups) - len(scheduled.own)
            if new < 0:
                raise MisconfigurationException(
                    f"{self._config.owner}: {-new} param group(s) were taken from the optimizer after training began,"
                    " and nothing tells which. Freeze their parameters instead (requires_grad_(False))."
                )
            if new > 0:
                values = ", ".join(f"{value:.4g}" for value in scheduled.adopt())
                rank_zero_warn(
                    f"{self._config.owner}: {new} param group(s) came after training began, with"
                    f" {self._config.parameter}={values} at step {scheduled.steps:,}; from there on they follow the"
                    " first group's curve in proportion."
                )

    def _hand_over(self, epoch: int) -> None:
        """Leave the learning rate to StochasticWeightAveraging from its start epoch on."""
        if self._config.parameter != "lr" or self._handed_over:
            return
        callbacks: list[Callback] = self._trainer.callbacks  # type: ignore[attr-defined]
        for callback in callbacks:
            if isinstance(callback, StochasticWeightAveraging) and epoch >= callback.swa_start:
                self._handed_over = True
                if self._module_scheduler is not None:
                    self._module_scheduler.remove()
                rank_zero_info(f"{self._config.owner}: StochasticWeightAveraging sets the lr from epoch {epoch} on.")

    def epoch_starts(self) -> None:
        """In ``on_train_epoch_start``."""
        self._hand_over(self._trainer.current_epoch)
        for scheduled in self.optimizers:
            scheduled.look_again()
        self._write()

    def batch_starts(self, batch: Any, batch_idx: int) -> None:
        """In ``on_train_batch_start``, of an epoch's first batch and while something is measured."""
        if batch_idx == 0:
            # Again, because callbacks that come after us may have added param groups in on_train_epoch_start.
            self._write()
        if self.measuring and self._measurement is not None and self._measurement.due(self.optimizers[0].steps):
            self._measurement.see(self._trainer, batch, batch_idx)

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
                counter.begin(scheduled)
                if self.measuring or not scheduled.untouched():
                    self._before_step(scheduled)

    def _before_step(self, scheduled: ScheduledOptimizer) -> None:
        """Take back what somebody else wrote, and measure what is to be measured."""
        self._write()
        if not self._handed_over and not scheduled.untouched():
            what = f"{self._name} wrote its own value over it, and will go on doing so"
            self._tell_of_writer(scheduled, "before", what)
            self._write(again=True)
        if self.measuring and self._measurement is not None:
            self._measure(self._measurement, scheduled)

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
            rates = scheduled.undamped or scheduled.schedule.target
            measurement.measure(self._trainer, self._pl_module, scheduled, rates)
        if measurement.settled:
            scheduled.replan(measurement.config(), self._run)
            self.measuring = False
        self._write(again=True)

    def count_step(self) -> None:
        """Count the step under way, if there is one and it happened, and write the value of the next."""
        if self._counter.under_way is None:
            return
        scheduled = self._counter.settle()
        if scheduled is None or self._handed_over:
            return
        if len(scheduled.optimizer.param_groups) != len(scheduled.own):
            self._adopt_new_groups()
        # Who writes after on_before_optimizer_step is heard of now, the first time and now and then.
        if scheduled.steps % 64 == 1 and not self._warned_of_writer:
            self._tell_of_writer(scheduled, "after", "that step may have used it")
        if scheduled.schedule.by_step:
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
        t = scheduled.steps if schedule.by_step else self._trainer.current_epoch - self._first_epoch
        if not schedule.decay_start <= t // schedule.decay_stride < schedule.decay_end:
            return
        if plateau.evaluate(self._config.owner, self._trainer, self._pl_module, scheduled.steps):
            # By epoch the new factor waits for the next epoch, whose value may be written already.
            per_epoch = self._run.steps_per_epoch
            at_its_end = per_epoch is not None and scheduled.steps % per_epoch == 0
            self._write(again=schedule.by_step or at_its_end)

    # --- checkpoints, and the end ----------------------------------------------------------------------------------

    def state(self) -> State:
        """What a resumed run cannot compute again: where it stands and what it set out from, in plain Python."""
        # A checkpoint may be saved between a step and its on_train_batch_end, and by whoever has just added a group.
        if not self._handed_over:
            self._adopt_new_groups()
        counter = self._counter
        taken = counter.under_way if counter.under_way is not None and counter.happened() else None
        state: State = {
            "optimizers": {each.index: each.state(each.steps + (each is taken)) for each in self.optimizers},
            "first_epoch": self._first_epoch,
            "first_step": self._first_step,
            "total": self._run.total(self._config.interval),
            "interval": self._config.interval,
        }
        if self._measurement is not None:
            state["adaptive"] = self._measurement.state()
        if isinstance(self._config.decay, _PlateauFactor):
            state["plateau"] = self._config.decay.state()
        return state

    def end(self) -> None:
        """Count the last step, and leave the module and its optimizers as they were found."""
        self._counter.settle()
        self._counter.remove()
        self._handed_over = True
        if self._module_scheduler is not None:
            self._module_scheduler.remove()
            self._module_scheduler = None
