"""Warmups that measure: they look at the run before a step, and change its curve."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from lightning_utilities.core.rank_zero import rank_zero_info, rank_zero_warn
from torch.optim import SGD, Optimizer

from lightning_warmup.critical.catapult import PersistentCatapultWarmup, _Catapult
from lightning_warmup.critical.critical_start import CriticalLearningRate
from lightning_warmup.critical.line_search import LineSearchWarmup, _LineSearch
from lightning_warmup.critical.search import critical_learning_rate
from lightning_warmup.critical.trial_loss import LiveBatch, check_supported, search, step_losses, why_unsupported
from lightning_warmup.critical.trial_step import gradients_are_finite
from lightning_warmup.schedule.config import ScheduleConfig
from lightning_warmup.schedule.durations import Duration, Run
from lightning_warmup.schedule.resolve import warmup_length
from lightning_warmup.schedule.warmups import Warmup
from lightning_warmup.training import lightning_names as pl
from lightning_warmup.training.lightning_names import MisconfigurationException
from lightning_warmup.training.measurement import Measurement
from lightning_warmup.training.scheduled_optimizer import ScheduledOptimizer


class _OnLiveBatch(Measurement):
    """A measurement on the batch of the step that is due.

    Args:
        config: What the user configured.
        spec: The part of it that is measured.
        run: The run.
        state: What :meth:`state` gave in the run that is resumed.
    """

    def __init__(self, config: ScheduleConfig, spec: Any, run: Run, state: dict[str, Any] | None = None) -> None:
        super().__init__(config)
        self._spec = spec
        self._live: LiveBatch | None = None

    @abstractmethod
    def steps_left(self, t: int) -> int:
        """Steps that may be measured from step t on."""

    def check(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizers: Sequence[ScheduledOptimizer]
    ) -> None:
        for scheduled in optimizers:
            self.refuse(trainer, pl_module, scheduled.optimizer, self.steps_left(scheduled.steps))

    def refuse(self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer, steps: int = 1) -> None:
        """Raise MisconfigurationException if the next ``steps`` steps cannot be tried."""
        check_supported(self._given.owner, trainer, pl_module, optimizer, steps)

    def see(self, trainer: pl.Trainer) -> None:
        self.forget()
        self._live = LiveBatch(trainer)

    def in_run_of(self, run: Run, t: int) -> Measurement:
        self.forget()
        return type(self)(self._given, self._spec, run, self.state(t))

    def forget(self) -> None:
        if self._live is not None:
            self._live.forget()
        self._live = None


@dataclass(frozen=True)
class _CriticalRamp(Warmup):
    """min(target, share · target + target · t / N): the way of a linear warmup of N, from further up."""

    duration: Duration
    full_length: int
    share: float

    def __str__(self) -> str:
        return f"{self.full_length - int(self.duration):,} fewer from the critical learning rate"

    def weight(self, u: float) -> float:
        return min(1.0, self.share + round(u * int(self.duration)) / self.full_length)

    def values(self, u: float, initial: Sequence[float], target: Sequence[float]) -> list[float]:
        weight = self.weight(u)
        return [high * weight for high in target]


class CriticalStartMeasurement(_OnLiveBatch):
    """Starts a linear warmup at a share of the critical learning rate, measured before the first step.

    Args:
        config: What the user configured.
        spec: The part of it that is measured.
        run: The run.
        state: What :meth:`state` gave in the run that is resumed.
    """

    _TRIES = 16
    """Steps without finite gradients or loss before the search is given up."""

    def __init__(
        self, config: ScheduleConfig, spec: CriticalLearningRate, run: Run, state: dict[str, Any] | None = None
    ) -> None:
        super().__init__(config, spec, run)
        self._spec: CriticalLearningRate = spec
        self._length = warmup_length(config, run)
        self._share: float | None = None if state is None else state["share"]
        self._tries = 0

    def due(self, t: int) -> bool:
        return self._share is None

    def steps_left(self, t: int) -> int:
        return 1

    @property
    def settled(self) -> bool:
        return self._share is not None

    def state(self, t: int) -> dict[str, Any]:
        return {"share": self._share}

    def config(self) -> ScheduleConfig:
        if self._share is None:
            return replace(self._given, initial=None)
        length = self._spec.shortened(self._length, self._share)
        ramp = _CriticalRamp(length, self._length, self._share) if length else 0
        return replace(self._given, warmup=ramp, initial=None)  # the ramp knows where it starts

    def measure(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        optimizer: ScheduledOptimizer,
        rates: Sequence[float],
    ) -> None:
        if self._live is None:
            return
        result = search(
            trainer,
            pl_module,
            optimizer.optimizer,
            self._live,
            rates,
            start=1 / self._length,
            stop=1.0,
            tolerance=self._spec.tolerance,
            max_forwards=self._spec.max_forwards,
        )
        self._live = None
        self._tries += 1
        if result is None and self._tries < self._TRIES:
            return  # a GradScaler skips this step and finds its scale, or training_step had no loss: the next may do
        adam_like = all("betas" in group for group in optimizer.optimizer.param_groups)
        self._share = self._spec.initial_share(result, warmup_length=self._length, adam_like=adam_like)
        owner, length = self._given.owner, self._spec.shortened(self._length, self._share)
        if result is None or self._spec.failed(result):
            why = "gradients or loss are not finite" if result is None else f"the search ended in {result.status!r}"
            rank_zero_warn(
                f"{owner}(warmup_initial_lr={self._spec!r}): {why}, so the warmup starts at {self._share:.4g} of the"
                " target. Look at the loss of the first batch, or give a number."
            )
        else:
            relation = "≥ " if result.status == "above_stop" else ""
            found = ", ".join(f"{result.lr * rate:.4g}" for rate in dict.fromkeys(rates))
            rank_zero_info(
                f"{owner}: critical learning rate {relation}{found} ({result.lr:.3g} of the target, {result.forwards}"
                f" forwards); the warmup starts at {self._share:.3g} of the target and takes {length:,} instead of"
                f" {self._length:,}."
            )


class CatapultMeasurement(_OnLiveBatch):
    """Runs a :class:`PersistentCatapultWarmup`.

    Args:
        config: What the user configured.
        spec: The part of it that is measured.
        run: The run.
        state: What :meth:`state` gave in the run that is resumed.
    """

    def __init__(
        self, config: ScheduleConfig, spec: PersistentCatapultWarmup, run: Run, state: dict[str, Any] | None = None
    ) -> None:
        super().__init__(config, spec, run)
        self._catapult = _Catapult(spec, warmup_length(config, run) // 2, state)

    def due(self, t: int) -> bool:
        self._catapult.settle(t)
        return self._catapult.due(t)

    def steps_left(self, t: int) -> int:
        return max(0, self._catapult.max_steps - t)

    @property
    def settled(self) -> bool:
        return self._catapult.length_taken is not None

    def state(self, t: int) -> dict[str, Any]:
        return self._catapult.state(t)

    def config(self) -> ScheduleConfig:
        taken = self._catapult.length_taken
        return replace(self._given, warmup=self._catapult if taken is None else taken)

    def measure(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        optimizer: ScheduledOptimizer,
        rates: Sequence[float],
    ) -> None:
        live, self._live = self._live, None
        self.refuse(trainer, pl_module, optimizer.optimizer)  # a run may have been changed on its way
        if live is None or not gradients_are_finite(trainer, optimizer.optimizer):
            return
        catapult = self._catapult
        with step_losses(trainer, pl_module, optimizer.optimizer, live, rates) as loss_at:
            now = loss_at(0.0)
            if not (now < float("inf") and catapult.lower(optimizer.steps, now)):
                return
            result = critical_learning_rate(lambda c: loss_at(c) if c else now, start=min(1.0, catapult.rate), stop=1.0)
        catapult.update(optimizer.steps, now, result)
        if catapult.length_taken is not None:
            rank_zero_info(f"{self._given.owner}: the catapult reached the target at step {optimizer.steps:,}.")


class LineSearchMeasurement(_OnLiveBatch):
    """Runs a :class:`LineSearchWarmup`.

    Args:
        config: What the user configured.
        spec: The part of it that is measured.
        run: The run.
        state: What :meth:`state` gave in the run that is resumed.
    """

    def __init__(
        self, config: ScheduleConfig, spec: LineSearchWarmup, run: Run, state: dict[str, Any] | None = None
    ) -> None:
        super().__init__(config, spec, run)
        duration, max_steps = spec.lengths(
            lambda owner, name, value: run.intervals(owner, name, value, "step", since=0)
        )
        self._search = _LineSearch(spec, duration, max_steps, state)
        self._total = run.steps

    def refuse(self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer, steps: int = 1) -> None:
        reason = why_unsupported(trainer, pl_module, optimizer, steps)
        if reason is not None:
            raise MisconfigurationException(
                f"{self._given.owner}(warmup={self._search!r}) cannot try its steps here: {reason}. Use a warmup that"
                " tries none: LinearWarmup('5%'), say."
            )

    def steps_left(self, t: int) -> int:
        return max(1, self._search.max_steps - t)

    def due(self, t: int) -> bool:
        if not self.settled:
            self._search.settle(t)
            self._tell_of_the_end()
        return self._search.due(t)

    @property
    def settled(self) -> bool:
        return self._search.length_taken is not None

    def state(self, t: int) -> dict[str, Any]:
        return self._search.state(t)

    def config(self) -> ScheduleConfig:
        if self.settled:
            return replace(self._given, warmup=self._search.taken)
        # Where it sets out from is that of its ramp, which is shorter than the search may be.
        return replace(self._given, warmup=self._search, initial=f"{100 / (self._search.ramp + 1):.15f}%")

    def measure(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        optimizer: ScheduledOptimizer,
        rates: Sequence[float],
    ) -> None:
        live, self._live = self._live, None
        self.refuse(trainer, pl_module, optimizer.optimizer)  # a run may have been changed on its way
        if live is None or not gradients_are_finite(trainer, optimizer.optimizer):
            return
        with step_losses(trainer, pl_module, optimizer.optimizer, live, rates) as loss_at:
            now = loss_at(0.0)
            if not math.isfinite(now):
                return
            self._search.search(optimizer.steps, loss_at, now, momentum=has_momentum(optimizer.optimizer))
        self._tell_of_the_end()

    def _tell_of_the_end(self) -> None:
        """Say how it went, once it is over."""
        search, taken = self._search, self._search.length_taken
        if taken is None:
            return
        effort = f"{search.halvings:,} halvings, {search.forwards:,} forwards"
        if not search.forwards:
            linear = f"LinearWarmup({search.ramp})"
            if not search.begun:
                rank_zero_info(
                    f"{self._given.owner}(warmup={search!r}): the checkpoint knows of no line search, and its run is"
                    f" past the {search.max_steps:,} steps of one. It goes on as after {linear}."
                )
                return
            rank_zero_warn(
                f"{self._given.owner}(warmup={search!r}): of the {taken:,} steps of the search none could be tried, for"
                f" their loss or their gradients were not finite. It was {linear}. Look at the loss."
            )
        elif search.reached:
            rank_zero_info(f"{self._given.owner}: the line search reached the target at step {taken:,} ({effort}).")
        else:
            held = f"{search.held:.3g} of it is held in its place"
            if taken == self._total:
                held = f"the run is over; {search.held:.3g} of it is what its second half took"
            rank_zero_warn(
                f"{self._given.owner}(warmup={search!r}): the target was not reached in {taken:,} steps ({effort}), and"
                f" {held}. Lower target_lr, raise max_rise, or give max_steps more."
            )


def has_momentum(optimizer: Optimizer) -> bool:
    """Whether a step goes on in those that follow it: all optimizers but SGD without momentum are taken to do so."""
    return not isinstance(optimizer, SGD) or any(group["momentum"] for group in optimizer.param_groups)


def measurement_for(config: ScheduleConfig, run: Run, state: dict[str, Any] | None) -> Measurement | None:
    """What measures in one ``fit``, if the configuration asks for it.

    Args:
        config: What the user configured.
        run: The run that is planned over.
        state: What the measurement's ``state`` gave in the run that is resumed; None without one. That of another kind
            of measurement is of no use: then it is measured anew, and an INFO line says so.
    """
    if isinstance(config.initial, CriticalLearningRate):
        state = _of_its_kind(config, config.initial, state, "share")
        return CriticalStartMeasurement(config, config.initial, run, state)
    if isinstance(config.warmup, PersistentCatapultWarmup):
        return CatapultMeasurement(config, config.warmup, run, _of_its_kind(config, config.warmup, state, "rate"))
    if isinstance(config.warmup, LineSearchWarmup):
        return LineSearchMeasurement(config, config.warmup, run, _of_its_kind(config, config.warmup, state, "ramp"))
    return None


def _of_its_kind(config: ScheduleConfig, spec: object, state: dict[str, Any] | None, key: str) -> dict[str, Any] | None:
    if state is None or key in state:
        return state
    rank_zero_info(f"{config.owner}: the checkpoint knows of another measurement than {spec!r}, which starts anew.")
    return None
