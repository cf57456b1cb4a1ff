"""What comes and goes in mid-run: param groups, optimizers, and schedulers of the module's."""

from collections.abc import Callable
from typing import Any

from lightning_utilities.core.rank_zero import rank_zero_warn

from lightning_warmup.schedule.config import ScheduleConfig
from lightning_warmup.schedule.durations import Run
from lightning_warmup.schedule.resumed import of_groups
from lightning_warmup.training import lightning_names as pl
from lightning_warmup.training import param_groups
from lightning_warmup.training.base_values import draw, fresh_base
from lightning_warmup.training.lightning_names import MisconfigurationException
from lightning_warmup.training.module_scheduler import ModuleScheduler, find_module_scheduler
from lightning_warmup.training.scheduled_optimizer import ScheduledOptimizer
from lightning_warmup.training.step_counter import StepCounter


class Changes:
    """Follows the Trainer, its optimizers and their param groups where a run is changed on its way.

    Args:
        config: What the user configured.
        trainer: The Trainer.
        pl_module: Its module.
        optimizers: The optimizers that are scheduled; those that come are put in, those that go are taken out.
        counter: Counts their steps.
        module_scheduler: The module's own schedulers, if it has any.
        rewrite: Writes the value of the next step anew.
    """

    def __init__(
        self,
        config: ScheduleConfig,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        optimizers: list[ScheduledOptimizer],
        counter: StepCounter,
        module_scheduler: ModuleScheduler | None,
        rewrite: Callable[[], None],
    ) -> None:
        self._config = config
        self._trainer = trainer
        self._pl_module = pl_module
        self._optimizers = optimizers
        self._counter = counter
        self.module_scheduler = module_scheduler
        self._rewrite = rewrite
        self.seen_schedulers: list[Any] = list(trainer.strategy.lr_scheduler_configs)
        """What the Trainer had in ``strategy.lr_scheduler_configs`` when it was last looked at."""

    def live_with_schedulers(self, *, resumed: bool = False) -> None:
        """From now on, the module's schedulers are without effect, or what they give is what our factor is of.

        Args:
            resumed: Whether the run is resumed: then all was said when it began.
        """
        scheduler = self.module_scheduler
        if scheduler is None:
            return
        if self._config.override_module_scheduler:
            scheduler.override(self._pl_module, self._optimizers)
            if self._config.target is not None or scheduler.warn_of_replaced_base(self._config.owner, self._optimizers):
                return
            for scheduled in [] if resumed else self._optimizers:
                scheduler.warn_of_lower_target(self._config, scheduled.optimizer, scheduled.schedule.target[0])
        else:
            scheduler.compose(self._pl_module, self._optimizers, self.follow_groups, self._rewrite)

    def remove(self) -> None:
        """Leave the module as it was found."""
        if self.module_scheduler is not None:
            self.module_scheduler.remove()
            self.module_scheduler = None

    # --- param groups ----------------------------------------------------------------------------------------------

    def follow_groups(self, *, thoroughly: bool = False) -> None:
        """Follow param groups that have come or gone.

        Args:
            thoroughly: Whether to look even where there are as many as before.

        Raises:
            MisconfigurationException: If all groups of an optimizer are others.
        """
        for scheduled in self._optimizers:
            if not thoroughly and len(scheduled.optimizer.param_groups) == len(scheduled.own):
                continue
            try:
                changed = scheduled.regroup()
            except ValueError as error:
                raise MisconfigurationException(
                    f"{self._config.owner}: the optimizer was changed after training began, and {error}: nothing tells"
                    " what they are to start from. Give it to the Trainer as a new optimizer, or freeze parameters"
                    " instead (requires_grad_(False))."
                ) from None
            if changed is None:
                continue
            at = f"at step {scheduled.steps:,}"
            if changed.added:
                values = ", ".join(f"{value:.4g}" for value in changed.added)
                then = "from there on they follow the first group's curve in proportion"
                if scheduled.late_warmup:
                    then += f", warmed up over their own first {scheduled.late_warmup:,} steps"
                rank_zero_warn(
                    f"{self._config.owner}: {len(changed.added)} param group(s) came after training began, with"
                    f" {self._config.parameter}={values} {at}; {then}."
                )
            if changed.gone:
                rank_zero_warn(
                    f"{self._config.owner}: {len(changed.gone)} param group(s) were taken from the optimizer {at}"
                    f" ({', '.join(changed.gone)}); the others go on."
                )

    # --- optimizers ------------------------------------------------------------------------------------------------

    def follow_optimizers(self, run: Run) -> None:
        """Follow optimizers that were put in the place of others, or have come or gone.

        A new one sets out from its own values, at the step that the one before it was at.

        Args:
            run: The run that is planned over.
        """
        there = param_groups.optimizers_of(self._trainer, self._config)
        known = {scheduled.index: scheduled for scheduled in self._optimizers}
        if [(index, id(optimizer)) for index, optimizer in there] == [
            (scheduled.index, id(scheduled.optimizer)) for scheduled in self._optimizers
        ]:
            return
        now = []
        for index, optimizer in there:
            before = known.get(index)
            if before is not None and before.optimizer is optimizer:
                now.append(before)
                continue
            key = param_groups.key_of(self._config, optimizer)
            schedulers = [] if self.module_scheduler is None else self.module_scheduler.schedulers
            base = fresh_base(self._config, optimizer, key, schedulers)
            base.steps = 0 if before is None else before.steps
            base.rest = None if before is None else before.rest
            base.warm_at = None if before is None else before.warm_at
            late_warmup = 0 if before is None else before.late_warmup
            scheduled = ScheduledOptimizer(index, optimizer, key, base, draw(self._config, run, base), late_warmup)
            scheduled.check_shared_tensors(self._config.owner)
            if before is not None and before.ramp is not None:
                high = scheduled.schedule.target
                scheduled.ramp = of_groups(before.ramp, [0, *[None] * (len(high) - 1)], high)
            now.append(scheduled)
            own = ", ".join(f"{value:.4g}" for value in dict.fromkeys(base.own))
            rank_zero_warn(
                f"{self._config.owner}: optimizer {index} is another one from step {base.steps:,} on, with"
                f" {self._config.parameter}={own}; the schedule goes on from where it was, towards"
                f" {', '.join(f'{value:.4g}' for value in dict.fromkeys(scheduled.schedule.target))}."
            )
        self._optimizers[:] = now
        self._counter.watch(now)
        self._rewrite()

    # --- schedulers ------------------------------------------------------------------------------------------------

    def follow_schedulers(self, run: Run) -> None:
        """Live with schedulers that were put into the Trainer in mid-run, or in the place of others.

        Args:
            run: The run that is planned over.

        Raises:
            MisconfigurationException: If there is a decay of ours: nothing tells which of the two is meant.
        """
        now_there = self._trainer.strategy.lr_scheduler_configs
        if now_there == self.seen_schedulers:
            return
        self.seen_schedulers = list(now_there)
        if self._config.parameter != "lr":
            return
        before, now = self.module_scheduler, None
        now = find_module_scheduler(self._trainer, [scheduled.optimizer for scheduled in self._optimizers])
        if now is None or (before is not None and list(map(id, now.schedulers)) == list(map(id, before.schedulers))):
            return
        if not self._config.override_module_scheduler:
            now.check_composes(self._config, automatic=self._pl_module.automatic_optimization)
        self.remove()
        self.module_scheduler = now
        if not self._config.override_module_scheduler:
            for scheduled in self._optimizers:
                self._become_a_factor(scheduled, run)
        self.live_with_schedulers()
        first = self._optimizers[0] if self._optimizers else None
        if first is not None:
            what = "it is without effect"
            if first.undamped is not None:
                what = f"the warmup is a factor on what it gives, {first.undamped[0]:.4g} now"
            rank_zero_warn(f"{self._config.owner}: the module has a {now} from step {first.steps:,} on; {what}.")
        self._rewrite()

    def _become_a_factor(self, scheduled: ScheduledOptimizer, run: Run) -> None:
        """Take what the groups hold, if somebody has written it, or else what they would hold, for the scheduler's."""
        held = param_groups.read(scheduled.optimizer.param_groups, scheduled.key)
        full = scheduled.undamped or list(scheduled.schedule.target)
        written = scheduled.written
        damped = [False] * len(full)
        for scheduler in [] if self.module_scheduler is None else self.module_scheduler.schedulers:
            damped = [a or b for a, b in zip(damped, _correct_base(scheduler, scheduled, full), strict=True)]
        undamped = []
        for theirs, ours, mine, made_in_warmup in zip(held, written, full, damped, strict=True):
            # One made in mid-warmup has stepped from the damped rate.
            stepped = theirs * mine / ours if made_in_warmup else theirs
            undamped.append(mine if theirs == ours else stepped)
        if scheduled.undamped is None:
            base = scheduled.base(0)
            base.undamped, base.target = undamped, None
            base.late_ends = [
                None if ends is None else (ends[0] / ends[1] if ends[1] else 1.0, 1.0) for ends in base.late_ends
            ]
            scheduled.schedule = draw(self._config, run, base)
        scheduled.undamped = undamped


def _correct_base(scheduler: Any, scheduled: ScheduledOptimizer, full: list[float]) -> list[bool]:
    """Give a scheduler that was made in mid-warmup the rates that it would have found without the warmup.

    Returns:
        Of each group, whether the scheduler had taken our damped rate for its own.
    """
    base: Any = getattr(scheduler, "base_lrs", None)
    corrected = [False] * len(full)
    if getattr(scheduler, "optimizer", None) is not scheduled.optimizer or not isinstance(base, list):
        return corrected
    for i, (group, ours, mine) in enumerate(
        zip(scheduled.optimizer.param_groups, scheduled.written, full, strict=True)
    ):
        if i < len(base) and float(base[i]) == ours and 0 < ours != mine:
            base[i], corrected[i] = mine, True
            if "initial_lr" in group and float(group["initial_lr"]) == ours:
                group["initial_lr"] = mine
    return corrected
