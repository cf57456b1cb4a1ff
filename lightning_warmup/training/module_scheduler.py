"""Living with a scheduler that the LightningModule returns itself."""

import copy
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from lightning_utilities.core.rank_zero import rank_zero_warn
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import CyclicLR, OneCycleLR, ReduceLROnPlateau

from lightning_warmup.schedule.config import ScheduleConfig
from lightning_warmup.training import lightning_names as pl
from lightning_warmup.training import param_groups
from lightning_warmup.training.lightning_names import MisconfigurationException
from lightning_warmup.training.param_groups import ParamGroup
from lightning_warmup.training.scheduled_optimizer import ScheduledOptimizer


class ModuleScheduler:
    """The module's own schedulers of the optimizers that a callback acts on.

    Torch's schedulers compute the next learning rate from the one in the param group, so they must find there what they
    left. Both ways of living with them therefore wrap the module's ``lr_scheduler_step``, the one place that every
    scheduler passes, ReduceLROnPlateau and steps after a skipped AMP step included. (``scheduler.step`` must not be
    wrapped: a scheduler's ``state_dict`` saves whatever is set on it.)

    * :meth:`compose`: they see the groups as if they were alone, and our schedule is a factor on what they leave.
    * :meth:`override`: they run, and whatever they change in the groups is undone.

    Args:
        schedulers: The schedulers.
    """

    def __init__(self, schedulers: Sequence[Any]) -> None:
        self.schedulers: list[Any] = list(schedulers)
        self._pl_module: pl.LightningModule | None = None
        self._own_hook: Any = None

    def __str__(self) -> str:
        return ", ".join(type(scheduler).__name__ for scheduler in self.schedulers)

    def check_composes(self, config: ScheduleConfig, *, automatic: bool) -> None:
        """Check that a warmup by these config can be a factor on what the schedulers give.

        Args:
            config: What the user configured.
            automatic: Whether the module uses automatic optimization.

        Raises:
            MisconfigurationException: If it cannot, with the way out.
        """
        call = f"{config.owner}(warmup={config.warmup!r}, decay={config.decay!r})"
        if config.decay is not None:
            raise MisconfigurationException(
                f"{call} and the module's own {self} would both decay the learning rate. Give decay=None for a warmup"
                " before the module's scheduler, override_module_scheduler=True to run it without effect, or return"
                " only the optimizer from configure_optimizers."
            )
        if config.target is not None:
            raise MisconfigurationException(
                f"{config.owner}(target_lr={config.target!r}): with decay=None the module's own {self} says where"
                " the warmup leads. Leave target_lr out, or give override_module_scheduler=True and a decay."
            )
        if config.resume_ramps:
            raise MisconfigurationException(
                f"{config.owner}(resume_warmup={config.resume_warmup!r}): the module's own {self} goes on as it was,"
                " and is nothing to warm up to again. Leave resume_warmup out, or give override_module_scheduler=True"
                " and a decay."
            )
        if not automatic:
            raise MisconfigurationException(
                f"{call} cannot be put before the module's own {self} in manual optimization, where the module steps"
                " its scheduler itself. Give override_module_scheduler=True and a decay (TorchDecay takes any torch"
                " scheduler)."
            )

    def compose(
        self,
        pl_module: pl.LightningModule,
        optimizers: Sequence[ScheduledOptimizer],
        adopt: Callable[[], None],
        rewrite: Callable[[], None],
    ) -> None:
        """From now on, every optimizer's ``undamped`` is what the schedulers alone would have its groups at.

        Args:
            pl_module: The module, left as it was found by :meth:`remove`.
            optimizers: The optimizers, ``undamped`` set.
            adopt: Takes param groups in that are new.
            rewrite: Writes the optimizers' values anew.
        """

        def before() -> None:
            adopt()
            for scheduled in optimizers:
                assert scheduled.undamped is not None
                param_groups.write(scheduled.optimizer.param_groups, scheduled.key, scheduled.undamped)

        def after() -> None:
            for scheduled in optimizers:
                scheduled.undamped = param_groups.read(scheduled.optimizer.param_groups, scheduled.key)
            rewrite()

        self._wrap(pl_module, before, after)

    def override(self, pl_module: pl.LightningModule, optimizers: Sequence[ScheduledOptimizer]) -> None:
        """From now on, the schedulers are without effect, on the momentum too that some of them cycle.

        Args:
            pl_module: The module, left as it was found by :meth:`remove`.
            optimizers: The optimizers whose param groups are to be kept.
        """
        kept: list[tuple[ParamGroup, ParamGroup]] = []

        def before() -> None:
            for scheduled in optimizers:
                kept.extend((group, _copy(group)) for group in scheduled.optimizer.param_groups)

        def after() -> None:
            while kept:
                group, before_it = kept.pop()
                for key, value in before_it.items():
                    if isinstance(value, torch.Tensor):
                        group[key].copy_(value)
                    else:
                        group[key] = value

        self._wrap(pl_module, before, after)

    def highest(self, optimizer: Any = None) -> float:
        """The highest rate that the schedulers would give a first param group within 10,000 steps of theirs.

        They are tried on copies, with another optimizer in the place of theirs; what cannot be copied tells nothing.

        Args:
            optimizer: Whose scheduler it is to be; None: of any.
        """
        highest = 0.0
        for scheduler in self.schedulers:
            theirs = getattr(scheduler, "optimizer", None)
            if theirs is None or optimizer not in (None, theirs) or isinstance(scheduler, ReduceLROnPlateau):
                continue
            stand_in = SGD([torch.zeros(1)], lr=0.0)
            stand_in.param_groups = [{**_copy(group), "params": []} for group in theirs.param_groups]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of schedulers that step before their optimizer
                try:
                    twin = copy.deepcopy(scheduler, {id(theirs): stand_in})
                    for _ in range(10_000):
                        highest = max(highest, float(stand_in.param_groups[0]["lr"]))
                        twin.step()
                except Exception:  # somebody else's code, asked out of its time: OneCycleLR has an end, say
                    continue
        return highest

    def warn_of_lower_target(self, config: ScheduleConfig, optimizer: Any, target: float) -> None:
        """Of a scheduler without effect that would have gone higher than the schedule in its place."""
        highest = self.highest(optimizer)
        if highest > target * (1 + 1e-9):
            rank_zero_warn(
                f"{config.owner}(override_module_scheduler=True): the module's {self} would have gone up to"
                f" {highest:.4g}, and the schedule in its place leads to {target:.4g}, the optimizer's own lr. Give"
                f" target_lr={highest:.4g} to go as high, or target_lr={target:.4g} if that is meant."
            )

    def warn_of_replaced_base(self, owner: str, optimizers: Sequence[ScheduledOptimizer]) -> bool:
        """Two torch schedulers replace the optimizer's own lr when they are made, and nothing tells what it was.

        Returns:
            Whether one of them is there.
        """
        if any(isinstance(scheduler, OneCycleLR | CyclicLR) for scheduler in self.schedulers):
            own, highest = optimizers[0].own[0], self.highest()
            rank_zero_warn(
                f"{owner}(override_module_scheduler=True): the module's {self} has replaced the optimizer's own lr (and"
                f" momentum, if it cycles that), and {own:.4g} is taken for it, where {self} would have gone up to"
                f" {highest:.4g}. Give target_lr={highest:.4g} to go as high, or the optimizer's own (and"
                " HyperparameterWarmup('momentum', target_value=...))."
            )
            return True
        return False

    def _wrap(self, pl_module: pl.LightningModule, before: Callable[[], None], after: Callable[[], None]) -> None:
        self._pl_module = pl_module
        self._own_hook = vars(pl_module).get("lr_scheduler_step")
        pl_module.lr_scheduler_step = _Around(pl_module.lr_scheduler_step, before, after)  # type: ignore[method-assign]

    def remove(self) -> None:
        """Give the module its own hook back."""
        if self._pl_module is not None:
            if self._own_hook is None:
                vars(self._pl_module).pop("lr_scheduler_step", None)
            else:
                self._pl_module.lr_scheduler_step = self._own_hook  # type: ignore[method-assign]
            self._pl_module = None


class _Around:
    """A module's ``lr_scheduler_step`` with something before and after it; a copy of it is the bare hook again.

    Around every scheduler: one of an optimizer that is not ours finds ours as they were, and leaves them so.
    """

    def __init__(self, hook: Any, before: Callable[[], None], after: Callable[[], None]) -> None:
        self._hook = hook
        self._before = before
        self._after = after

    def __call__(self, scheduler: Any, metric: Any) -> None:
        self._before()
        try:
            self._hook(scheduler, metric)
        finally:
            self._after()

    def __reduce__(self) -> Any:
        # Pickled or copied with its module in mid-run.
        return getattr, (self._hook.__self__, self._hook.__name__)


def find_module_scheduler(trainer: pl.Trainer, optimizers: Sequence[Optimizer]) -> ModuleScheduler | None:
    """The module's schedulers of ``optimizers``; one that does not tell its optimizer counts as theirs."""
    schedulers = [config.scheduler for config in trainer.lr_scheduler_configs]
    concerned = [s for s in schedulers if getattr(s, "optimizer", None) is None or s.optimizer in optimizers]
    return ModuleScheduler(concerned) if concerned else None


def _copy(group: ParamGroup) -> ParamGroup:
    return {
        key: value.clone() if isinstance(value, torch.Tensor) else value
        for key, value in group.items()
        if key != "params"
    }
