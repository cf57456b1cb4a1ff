"""SuperGradients' ``training_hyperparams`` as ours: what its documentation says, not what its run departed to."""

import math
from collections.abc import Mapping
from typing import Any

from lightning_warmup.converters.conversion import (
    Conversion,
    arguments,
    count,
    epochs,
    number,
    one_of,
    percent,
    shape,
)
from lightning_warmup.converters.torch_scheduler import torch_decay

CALL = "supergradients"

DEFAULTS: dict[str, Any] = {
    "lr_mode": None,
    "warmup_mode": "LinearEpochLRWarmup",
    "lr_warmup_epochs": 0,
    "lr_warmup_steps": 0,
    "lr_cooldown_epochs": 0,
    "warmup_initial_lr": None,
    "initial_lr": None,
    "cosine_final_lr_ratio": 0.01,
    "lr_updates": [],
    "lr_decay_factor": None,
    "step_lr_update_freq": None,
    "lr_schedule_function": None,
    "max_epochs": None,
    "batch_accumulate": 1,
    "finetune": False,
}

_MODES = {
    "StepLRScheduler": ("step",),
    "PolyLRScheduler": ("poly",),
    "CosineLRScheduler": ("cosine",),
    "ExponentialLRScheduler": ("exp",),
    "FunctionLRScheduler": ("function",),
}
_WARMUPS = {
    "LinearEpochLRWarmup": ("linear_epoch_step", "linear_step", "warmup_linear_epoch"),
    "LinearBatchLRWarmup": ("linear_batch_step", "warmup_linear_step"),
}
_BATCHES = 100
"""Batches of an epoch for which the notes tell sizes: a recipe does not say how many there are."""


def conversion(training_params: Mapping[str, Any]) -> Conversion:
    """What a recipe's ``training_hyperparams`` say of the learning rate.

    Raises:
        ValueError: If a key is not known, or a value is wrong or missing.
    """
    given = arguments(CALL, training_params, DEFAULTS)
    if training_params.get("warmup_mode", "") is None:
        given["warmup_mode"] = None
    return _Recipe(given).conversion()


class _Recipe:
    """The arguments, checked, and what becomes of them."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given
        if given["max_epochs"] is None:
            raise ValueError(f"{CALL}: how long is the run? Give max_epochs.")
        if given["finetune"]:
            raise ValueError(
                f"{CALL}: finetune={given['finetune']!r} asks the model for its rates: write initial_lr as a"
                " mapping by group name, and take finetune out."
            )
        self.max_epochs = count(CALL, "max_epochs", given["max_epochs"], 1)
        self.accumulate = count(CALL, "batch_accumulate", given["batch_accumulate"], 1)
        self.warmup_epochs = count(CALL, "lr_warmup_epochs", given["lr_warmup_epochs"])
        self.warmup_steps = count(CALL, "lr_warmup_steps", given["lr_warmup_steps"])
        self.cooldown = count(CALL, "lr_cooldown_epochs", given["lr_cooldown_epochs"])
        self.decaying = self.max_epochs - self.warmup_epochs - self.cooldown
        self.initial_lr = _rates("initial_lr", given["initial_lr"])
        self.warmup_mode = _named("warmup_mode", given["warmup_mode"], _WARMUPS)
        self.by_batch = self.warmup_mode == "LinearBatchLRWarmup"
        self.parameters: dict[str, Any] = {}
        self.notes: list[str] = []

    def conversion(self) -> Conversion:
        self._warm_up()
        self._decay()
        if self.initial_lr is not None:
            self.parameters["target_lr"] = self.initial_lr
        self.parameters["total"] = epochs(self.max_epochs)
        trainer: dict[str, Any] = {"max_epochs": self.max_epochs}
        if self.accumulate > 1:
            trainer["accumulate_grad_batches"] = self.accumulate
        return Conversion(self.parameters, trainer, tuple(self.notes))

    def _warm_up(self) -> None:
        low = _rates("warmup_initial_lr", self.given["warmup_initial_lr"])
        epochs_given, steps = self.warmup_epochs, self.warmup_steps
        if self.by_batch and steps:
            self.parameters["warmup"] = max(1, steps - 1)
            self._note_batches(steps)
        elif self.warmup_mode == "LinearEpochLRWarmup" and epochs_given:
            self.parameters |= {"warmup": epochs(epochs_given), "warmup_interval": "epoch"}
        if "warmup" in self.parameters and low is not None:
            self.parameters["warmup_initial_lr"] = low
            if isinstance(self.given["warmup_initial_lr"], int):
                self.notes.append("warmup_initial_lr is a whole number here; SuperGradients raises a TypeError for it.")
        elif low is not None:
            self.notes.append("warmup_initial_lr has no effect: there is no warmup.")
        if steps and not self.by_batch:
            self.notes.append(
                f"lr_warmup_steps={steps} has no effect without warmup_mode LinearBatchLRWarmup, as documented. In"
                f" SuperGradients' run a cosine began {steps} batches late, and no cooldown came."
            )

    def _note_batches(self, steps: int) -> None:
        self.notes.append(
            f"The {steps} values of lr_warmup_steps include both ends, so that ours is a warmup of {max(1, steps - 1)}."
            " SuperGradients cuts it to one epoch where there are fewer batches in one; ours does not."
        )
        if self.accumulate > 1:
            self.notes.append(
                f"It counts batches in SuperGradients' run: with batch_accumulate={self.accumulate} its optimizer saw"
                f" {-(-steps // self.accumulate)} of the {steps} values. Ours are optimizer steps."
            )
        if steps == 1:
            self.notes.append("SuperGradients trains a whole epoch, not one step, at warmup_initial_lr.")
        if self.given["warmup_initial_lr"] is None:
            self.notes.append(
                "Without warmup_initial_lr SuperGradients raises a TypeError; ours starts at its default."
            )

    def _decay(self) -> None:
        mode = self.given["lr_mode"]
        if mode is None or mode == {}:
            if self.cooldown:
                self.notes.append(f"lr_cooldown_epochs={self.cooldown} has no effect: there is no lr_mode.")
            return
        if isinstance(mode, Mapping):
            self._of_torch(mode)
        else:
            name = _named("lr_mode", mode, _MODES)
            if self.decaying < 1:
                raise ValueError(
                    f"{CALL}: lr_warmup_epochs={self.warmup_epochs} and lr_cooldown_epochs={self.cooldown} leave"
                    f" nothing of max_epochs={self.max_epochs} to decay in."
                )
            if name == "StepLRScheduler":
                self._step_down()
                return
            self.parameters["decay"] = {
                "CosineLRScheduler": self._cosine,
                "PolyLRScheduler": self._poly,
                "ExponentialLRScheduler": self._exponential,
                "FunctionLRScheduler": self._function,
            }[name or ""]()
        self._place()

    def _place(self) -> None:
        """Have the decay begin after ``lr_warmup_epochs``, and end where the cooldown begins."""
        if self.warmup_epochs and "warmup_interval" not in self.parameters:
            if "warmup" in self.parameters:
                self.parameters["decay_duration"] = epochs(self.decaying)
            else:
                self.parameters["hold"] = epochs(self.warmup_epochs)
        if self.cooldown:
            self.parameters["cooldown"] = epochs(self.cooldown)

    def _late(self, difference: float, more: str = "") -> None:
        self.notes.append(
            f"SuperGradients writes each value of its decay one step late: with {_BATCHES} batches in an epoch its run"
            f" is off the documented curve, which this is, by up to {percent(difference)} of initial_lr.{more}"
        )
        if self.by_batch and self.warmup_steps and self.given["lr_mode"] not in ("CosineLRScheduler", "cosine"):
            self.notes.append("Its decay began at step 0 beside the warmup, so that it jumped where that ended.")

    def _cosine(self) -> dict[str, Any]:
        final = number(CALL, "cosine_final_lr_ratio", self.given["cosine_final_lr_ratio"])
        late = self.warmup_steps if self.by_batch else 0
        length = self.decaying * _BATCHES - late

        def factor(u: float) -> float:
            return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * u))

        if length > 0:
            apart = max(abs(factor((k - 1) / (length + 1)) - factor(k / length)) for k in range(1, length + 1))
            self._late(apart, " It divides by K + 1 of K steps, and never reaches cosine_final_lr_ratio.")
        if late and self.cooldown and length > 0:
            end = factor((length + self.cooldown * _BATCHES - 1) / (length + 1))
            self.notes.append(
                f"With lr_warmup_steps its run has no cooldown: the cosine rises again, to {percent(end)} of initial_lr"
                " at the last step."
            )
        return shape("CosineDecay", final=final)

    def _poly(self) -> dict[str, Any]:
        length = self.decaying * _BATCHES
        self._late((1 / length) ** 0.9)
        if self.cooldown:
            self.notes.append("The documented curve ends at 0, and is 0 for the whole cooldown.")
        return shape("PolynomialDecay", power=0.9)

    def _factor(self) -> float:
        if self.given["lr_decay_factor"] is None:
            raise ValueError(f"{CALL}: lr_mode={self.given['lr_mode']!r} needs lr_decay_factor.")
        return number(CALL, "lr_decay_factor", self.given["lr_decay_factor"])

    def _exponential(self) -> dict[str, Any]:
        gamma = self._factor()
        if gamma > 0:
            self._late(abs(1 - gamma ** (1 / _BATCHES)))
        return shape("ExponentialDecay", gamma=gamma, every="1 epoch")

    def _function(self) -> dict[str, Any]:
        function = self.given["lr_schedule_function"]
        if function is None:
            raise ValueError(f"{CALL}: lr_mode={self.given['lr_mode']!r} needs lr_schedule_function.")
        if isinstance(self.initial_lr, Mapping) or not self.initial_lr:
            raise ValueError(f"{CALL}: lr_schedule_function is given one initial_lr > 0, not {self.initial_lr!r}.")
        self.notes.append("SuperGradients writes each value of the function one step late.")
        path = "lightning_warmup.converters.epoch_function._EpochFunctionDecay"
        return shape(path, function=function, initial_lr=self.initial_lr, epochs=self.decaying)

    def _step_down(self) -> None:
        gamma, every = self._factor(), self.given["step_lr_update_freq"]
        updates = _updates(self.given["lr_updates"])
        if bool(every) == bool(updates):
            raise ValueError(
                f"{CALL}: lr_updates={updates!r}, step_lr_update_freq={every!r}: StepLRScheduler needs one of them."
            )
        last = self.max_epochs - self.cooldown
        if every:
            every = number(CALL, "step_lr_update_freq", every)
            milestones = [math.ceil(every * k) for k in range(1, last)]
            milestones = [milestone for milestone in milestones if self.warmup_epochs <= milestone < last]
        else:
            milestones = [max(math.ceil(update), self.warmup_epochs) for update in updates]
            if self.cooldown:
                self.notes.append("lr_cooldown_epochs has no effect beside lr_updates, as SuperGradients says itself.")
            if milestones != updates:
                self.notes.append(
                    "An lr_updates within an epoch acts when the next one begins; one in the warmup, where that ends."
                )
        if not milestones:
            self.notes.append(f"step_lr_update_freq={every:g} never comes in the run: there is no step.")
            return
        self.notes.append(
            f"SuperGradients steps one epoch late: for an epoch its rate is {1 / gamma:g} times the documented one."
            if gamma > 0
            else "SuperGradients steps one epoch late."
        )
        self.parameters["decay"] = shape("MultiStepDecay", milestones=list(map(epochs, milestones)), gamma=gamma)

    def _of_torch(self, mode: Mapping[str, Any]) -> None:
        if len(mode) != 1 or not isinstance(next(iter(mode.values())), Mapping | None):
            raise ValueError(f"{CALL}: lr_mode={mode!r}: expected one scheduler, {{Name: {{argument: value}}}}.")
        (name, kwargs) = next(iter(mode.items()))
        kwargs = dict(kwargs or {})
        phase = kwargs.pop("phase", None)
        said = str(getattr(phase, "name", phase)).rpartition(".")[2].upper()
        if said in ("TRAIN_BATCH_END", "TRAIN_BATCH_STEP"):
            unit = "step"
        elif said in ("TRAIN_EPOCH_START", "TRAIN_EPOCH_END", "VALIDATION_EPOCH_END"):
            unit = "epoch"
        else:
            raise one_of(CALL, "phase", phase, ["TRAIN_BATCH_END", "TRAIN_BATCH_STEP", "TRAIN_EPOCH_END"])
        if unit == "step" and self.accumulate > 1:
            self.notes.append(
                f"SuperGradients steps {name} {self.accumulate} times per optimizer step, which batch_accumulate makes"
                " of as many batches; ours once. Divide what it counts in by that."
            )
        if self.cooldown:
            self.notes.append(
                f"SuperGradients steps {name} in the cooldown too; ours keeps still there, as documented."
            )
        self.parameters["decay"] = torch_decay(CALL, str(name), kwargs, unit, self.initial_lr)


def _named(key: str, value: Any, names: Mapping[str, tuple[str, ...]]) -> str | None:
    """The class that a name, an alias or a class of theirs stands for."""
    if value is None:
        return None
    said = value.__name__ if isinstance(value, type) else value
    for name, aliases in names.items():
        if said == name or said in aliases:
            return name
    raise one_of(CALL, key, value, [word for name, aliases in names.items() for word in (name, *aliases)])


def _rates(key: str, value: Any) -> Any:
    """A learning rate, or a mapping from group names to some."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        return {name: number(CALL, f"{key}[{name!r}]", rate) for name, rate in value.items()}
    return number(CALL, key, value)


def _updates(value: Any) -> list[float]:
    """Epochs, also as a recipe has numpy make them."""
    if isinstance(value, Mapping):
        target = value.get("_target_")
        if target == "super_gradients.training.utils.utils.empty_list":
            return []
        if target == "numpy.arange" and {"start", "stop"} <= set(value) <= {"_target_", "start", "stop", "step"}:
            start, step = number(CALL, "start", value["start"]), number(CALL, "step", value.get("step", 1), 1e-9)
            so_many = math.ceil((number(CALL, "stop", value["stop"]) - start) / step)
            return [start + i * step for i in range(so_many)]
        raise ValueError(f"{CALL}: lr_updates={value!r}: write the epochs as a list.")
    values = value.tolist() if hasattr(value, "tolist") else value  # numpy's
    if not isinstance(values, list | tuple):
        raise ValueError(f"{CALL}: lr_updates={value!r}: expected a list of epochs.")
    return [number(CALL, "lr_updates", update) for update in values]
