"""Where each optimizer sets out from: by its param groups, the configuration and the checkpoint."""

from dataclasses import dataclass, field
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning_utilities.core.rank_zero import rank_zero_info, rank_zero_warn
from torch.optim import Optimizer

from lightning_warmup.schedule.config import ScheduleConfig
from lightning_warmup.schedule.durations import Run
from lightning_warmup.training import param_groups
from lightning_warmup.training.module_scheduler import ModuleScheduler, unscheduled
from lightning_warmup.training.scheduled_optimizer import ScheduledOptimizer, State, draw


@dataclass
class BeforeTraining:
    """What a ``fit`` tells before it trains.

    Args:
        max_epochs: Epoch limit as the user gave it: StochasticWeightAveraging adds an epoch without steps in
            ``on_fit_start``.
        state: The callback's state in the checkpoint, empty without one.
        resumed_step: Optimizer steps that the checkpoint had seen, 0 without one.
        fresh: Values of the groups as ``configure_optimizers`` made them, by the index of the optimizer. Even in a
            resumed run the optimizers still have them in ``on_fit_start``.
    """

    max_epochs: int | None = None
    state: State = field(default_factory=dict)
    resumed_step: int = 0
    fresh: dict[int, list[float]] = field(default_factory=dict)


def optimizers_of(trainer: pl.Trainer, config: ScheduleConfig) -> list[tuple[int, Optimizer]]:
    """The optimizers to act on, with their index; one without param groups has nothing to act on.

    Raises:
        MisconfigurationException: If there is none of the configured index.
    """
    optimizers: list[Optimizer] = trainer.optimizers
    if config.optimizer is not None and config.optimizer >= len(optimizers):
        raise MisconfigurationException(
            f"{config.owner}(optimizer={config.optimizer}): the module has {len(optimizers)} optimizer(s), counted"
            " from 0."
        )
    return [
        (index, optimizer)
        for index, optimizer in enumerate(optimizers)
        if config.optimizer in (None, index) and optimizer.param_groups
    ]


def key_of(config: ScheduleConfig, optimizer: Optimizer) -> str:
    """Entry of the optimizer's param groups that the schedule sets."""
    return param_groups.key_of(config.owner, config.parameter, optimizer.param_groups[0])


@dataclass(frozen=True)
class BaseValues:
    """What the optimizers of one ``fit`` set out from.

    Args:
        config: What the user configured.
        run: The run that is planned over.
        before: What the ``fit`` told before training.
        module_scheduler: The module's own schedulers, if it has any.
        several: Whether the Trainer has more than one optimizer.
    """

    config: ScheduleConfig
    run: Run
    before: BeforeTraining
    module_scheduler: ModuleScheduler | None
    several: bool

    def scheduled(self, index: int, optimizer: Optimizer) -> ScheduledOptimizer:
        """One optimizer at the start of training.

        Raises:
            ValueError: If the schedule does not fit the run or the param groups.
            MisconfigurationException: If param groups share a tensor that would have to hold different values.
        """
        config, resumed_step = self.config, self.before.resumed_step
        key = key_of(config, optimizer)
        groups = optimizer.param_groups
        own: list[float] = param_groups.read(groups, key)
        undamped: list[float] | None = own
        if key == "lr" and (config.override_module_scheduler or resumed_step):
            own = unscheduled(groups, self.module_scheduler.schedulers if self.module_scheduler else [])
        if resumed_step and config.resume == "config":
            own = list(self.before.fresh[index])
        steps, late = resumed_step, 0
        target: list[float] | None = None
        loaded: dict[str, Any] | None = self.before.state.get("optimizers", {}).get(index)
        if loaded is None and resumed_step and self.several:
            steps = self._steps_by_its_state(index, optimizer)
        if loaded is not None:
            steps, late = loaded["steps"], loaded.get("late", 0)
            known = len(groups) - late
            # Factors on a scheduler of the module's are no targets. Without one the groups would be at their targets
            # but for the warmup.
            target = None if "undamped" in loaded else loaded["target"]
            undamped = loaded.get("undamped", target)
            if config.resume == "checkpoint":
                own = loaded["own"]
                self._tell_of_other_base(index, own[:known])
            else:
                own, target = self.before.fresh[index][:known] + loaded["own"][known:], None
        schedule = draw(config, self.run, optimizer, own[: len(own) - late], composes=self._composes)
        if target is not None and not self._composes:
            target = target[: len(schedule.target)]
            if target != list(schedule.target):
                rank_zero_warn(
                    f"{config.owner}({config.target_name}={config.target!r}) asks for {list(schedule.target)}, the"
                    f" checkpoint was trained towards {target}, and the checkpoint wins. Give resume='config' to use"
                    " the new one."
                )
                schedule = draw(config, self.run, optimizer, own[: len(own) - late], composes=False, target=target)
        if late and loaded is not None:
            schedule = schedule.extended(*self._late_ends(loaded, late))
        scheduled = ScheduledOptimizer(
            index, optimizer, key, own, schedule, steps, late, undamped if self._composes else None
        )
        self._check_shared_tensors(scheduled)
        return scheduled

    @property
    def _composes(self) -> bool:
        return self.module_scheduler is not None and not self.config.override_module_scheduler

    def _late_ends(self, loaded: State, late: int) -> tuple[list[float], list[float]]:
        """Initial values and targets of the groups that came late; factors, if the module has its own scheduler now."""
        initial, target = loaded["initial"][-late:], loaded["target"][-late:]
        if "undamped" in loaded and not self._composes:
            # Factors on a scheduler that is gone: on what it left.
            target = loaded["undamped"][-late:]
            initial = [low * high for low, high in zip(initial, target, strict=True)]
        elif self._composes and "undamped" not in loaded:
            initial = [low / high if high else 1.0 for low, high in zip(initial, target, strict=True)]
            target = [1.0] * late
        return initial, target

    def _steps_by_its_state(self, index: int, optimizer: Optimizer) -> int:
        """Steps of one of several optimizers, without a state of ours: the Trainer counts them together."""
        taken = [int(state["step"]) for state in optimizer.state.values() if "step" in state]
        if not taken:
            rank_zero_warn(
                f"{self.config.owner}: the checkpoint does not tell how many steps optimizer {index} has taken, so"
                " its schedule starts over."
            )
        return max(taken, default=0)

    def _tell_of_other_base(self, index: int, own: list[float]) -> None:
        fresh = self.before.fresh[index][: len(own)]
        if fresh != own and self.config.target is None:
            rank_zero_info(
                f"{self.config.owner}: the config has {fresh}, the checkpoint {own}, and the checkpoint wins"
                " (resume='config' takes the new one)."
            )

    def _check_shared_tensors(self, scheduled: ScheduledOptimizer) -> None:
        """One tensor in several groups can hold one value only."""
        values: dict[int, list[float]] = {}
        entries = param_groups.entries(scheduled.optimizer.param_groups, scheduled.key)
        for entry, *ends in zip(entries, scheduled.schedule.initial, scheduled.schedule.target, strict=True):
            if isinstance(entry, torch.Tensor) and values.setdefault(id(entry), ends) != ends:
                raise MisconfigurationException(
                    f"{self.config.owner} asks for different values in param groups that share one {scheduled.key!r}"
                    f" tensor. Give each group its own: {{'params': ..., {scheduled.key!r}: torch.tensor(...)}}."
                )
