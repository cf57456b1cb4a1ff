"""Any torch scheduler as a decay: a pure function of the time since it began."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from lightning_warmup.schedule.decays import Decay, DecayContext


@dataclass(frozen=True)
class TorchDecay(Decay):
    r"""Any ``torch.optim.lr_scheduler``, beginning when the warmup and hold end.

    .. math:: \mathrm{factor} = \mathrm{lr}_\mathrm{torch}(\tau) / \mathrm{target}

    where :math:`\mathrm{lr}_\mathrm{torch}(\tau)` is what the scheduler gives a param group that starts at the target,
    after :math:`\tau` of its own steps. The scheduler runs beside the training on an optimizer of its own, never on
    yours: resuming and skipped steps cannot confuse it, and its momentum, if it cycles one, is left alone.

    Args:
        scheduler: Given an optimizer, makes the scheduler; each param group has its target as ``lr``. In YAML
            ``{class_path: torch.optim.lr_scheduler.StepLR, init_args: {step_size: 10}}``, without the optimizer.
        unit: What one step of the scheduler is: an optimizer ``"step"`` or an ``"epoch"``.

    Raises:
        ValueError: If ``scheduler`` is not callable, makes something else or a ReduceLROnPlateau (that is
            :class:`ReduceOnPlateauDecay`), or steps per optimizer step where ``interval="epoch"``.

    >>> from functools import partial
    >>> from torch.optim.lr_scheduler import StepLR
    >>> from lightning_warmup import LearningRateWarmup
    >>> decay = TorchDecay(partial(StepLR, step_size=2, gamma=0.5))
    >>> LearningRateWarmup(2, decay, warmup_initial_lr=0.5).values(1.0, total_steps=7, steps_per_epoch=7)
    [0.5, 0.75, 1.0, 1.0, 0.5, 0.5, 0.25]
    """

    scheduler: Callable[[Optimizer], LRScheduler]
    unit: Literal["step", "epoch"] = "step"
    ends: ClassVar[bool] = False
    closed_form: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not callable(self.scheduler):
            raise ValueError(
                f"TorchDecay(scheduler={self.scheduler!r}) is not callable: give a function of the optimizer, such as"
                " functools.partial(torch.optim.lr_scheduler.StepLR, step_size=10)."
            )
        if self.unit not in ("step", "epoch"):
            raise ValueError(f"TorchDecay(unit={self.unit!r}): expected 'step' or 'epoch'.")

    def __repr__(self) -> str:
        # What LightningCLI makes of a class_path has a repr that nobody can read.
        try:
            name = type(self.scheduler(SGD([torch.zeros(1)], momentum=0.9))).__name__
        except Exception:  # made for other param groups: a repr must not fail for that
            name = repr(self.scheduler)
        return f"TorchDecay({name}, unit={self.unit!r})"

    def factor_at(self, tau: float, length: float) -> float:
        return self.values(tau, length, [1.0])[0]

    def values(self, tau: float, length: float, target: Sequence[float]) -> list[float]:
        return _Simulation(self, 1).values(tau, length, target)

    def resolved(self, context: DecayContext) -> Decay:
        if context.by_clock:
            raise ValueError(
                f"{self!r} counts {self.unit}s, and this run is planned by the clock (total=...): use a shape of ours,"
                " whose durations are shares, or leave total to the Trainer."
            )
        if self.unit == "step" and context.interval == "epoch":
            raise ValueError(
                f"{self!r} steps with the optimizer, and the schedule with the epochs: give unit='epoch', or"
                " interval='step'."
            )
        return _Simulation(self, context.intervals("TorchDecay", "unit", f"1 {self.unit}"))


class _Simulation(Decay):
    """The scheduler at work on an optimizer of its own.

    It only ever steps forward, so the next step is cheap; to go back is to start again.
    """

    ends: ClassVar[bool] = False
    closed_form: ClassVar[bool] = False

    def __init__(self, decay: TorchDecay, stride: int) -> None:
        self._decay = decay
        self._stride = stride
        self._target: list[float] = []
        self._started = False
        self._name = "torch scheduler"

    def __str__(self) -> str:
        return self._name

    def factor_at(self, tau: float, length: float) -> float:
        return self.values(tau, length, [1.0])[0]

    def values(self, tau: float, length: float, target: Sequence[float]) -> list[float]:
        steps = int(tau) // self._stride
        # Groups that a fine-tuning callback adds later are none that the scheduler was made for.
        known = list(target[: len(self._target)]) if self._started else list(target)
        if not self._started or known != self._target or steps < self._steps:
            self._start(known)
        while self._steps < steps:
            self._step()
        values = [float(group["lr"]) for group in self._optimizer.param_groups]
        ratio = values[0] / self._target[0] if self._target[0] else 0.0
        return [*values, *(late * ratio for late in target[len(values) :])]

    def _step(self) -> None:
        try:
            self._scheduler.step()
        except Exception as error:
            raise ValueError(
                f"{self._decay!r} fails at its step {self._steps + 1:,}: {error} It must last as long as the decay."
            ) from error
        self._steps += 1
        for group in self._optimizer.param_groups:
            if not 0 <= float(group["lr"]) < math.inf:
                raise ValueError(
                    f"{self._decay!r} gives {float(group['lr'])!r} at its step {self._steps:,}: a learning rate must be"
                    " finite and ≥ 0."
                )

    def check(self, length: float, target: Sequence[float]) -> None:
        """Run through the decay once, as far as that takes a second or so, and go back to its start."""
        steps = int(min(length // self._stride, 200_000 // max(1, len(target))))
        self.values(steps * self._stride, length, target)
        most = getattr(self._scheduler, "total_steps", None)
        if most is not None and math.inf > length // self._stride > most:
            raise ValueError(
                f"{self._decay!r} ends after total_steps={most:,} of its steps, and the decay has"
                f" {int(length // self._stride):,}. Give it so many, or shorten the decay."
            )
        self._start(list(target))

    def _start(self, target: list[float]) -> None:
        self._started = True
        self._target = target
        self._steps = 0
        groups = [{"params": [torch.zeros(1)], "lr": lr} for lr in target]
        # With a momentum, for the schedulers that insist on cycling one.
        self._optimizer = SGD(groups, lr=0.0, momentum=0.9)
        try:
            self._scheduler = self._decay.scheduler(self._optimizer)
        except Exception as error:
            raise ValueError(f"{self._decay!r} cannot be made for {len(target)} param group(s): {error}.") from error
        self._name = type(self._scheduler).__name__
        if isinstance(self._scheduler, ReduceLROnPlateau):
            raise ValueError(f"{self._decay!r} makes a ReduceLROnPlateau: use ReduceOnPlateauDecay(monitor=...).")
        if not isinstance(self._scheduler, LRScheduler):
            raise ValueError(f"{self._decay!r} makes a {self._name}, which is no torch scheduler.")
        self._optimizer.step()  # torch warns of schedulers that step before their optimizer
