"""transformers' TrainingArguments as ours."""

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
    ratio,
    shape,
)
from lightning_warmup.converters.torch_scheduler import plateau

CALL = "transformers"

DEFAULTS: dict[str, Any] = {
    "learning_rate": 5e-5,
    "lr_scheduler_type": "linear",
    "lr_scheduler_kwargs": {},
    "warmup_steps": 0,
    "warmup_ratio": 0.0,
    "num_train_epochs": 3.0,
    "max_steps": -1,
    "gradient_accumulation_steps": 1,
    "metric_for_best_model": None,
}

_KWARGS: dict[str, tuple[str, ...]] = {
    "linear": (),
    "cosine": ("num_cycles",),
    "cosine_with_restarts": ("num_cycles",),
    "polynomial": ("lr_end", "power"),
    "constant": (),
    "constant_with_warmup": (),
    "inverse_sqrt": ("timescale",),
    "reduce_lr_on_plateau": (
        "mode",
        "factor",
        "patience",
        "threshold",
        "threshold_mode",
        "cooldown",
        "min_lr",
        "verbose",
    ),
    "cosine_with_min_lr": ("num_cycles", "min_lr", "min_lr_rate"),
    "cosine_warmup_with_min_lr": ("num_cycles", "min_lr", "min_lr_rate", "warmup_lr_rate"),
    "warmup_stable_decay": (
        "num_decay_steps",
        "num_stable_steps",
        "warmup_type",
        "decay_type",
        "min_lr_ratio",
        "num_cycles",
    ),
}
"""What lr_scheduler_kwargs may hold, by lr_scheduler_type."""


def conversion(training_arguments: Mapping[str, Any]) -> Conversion:
    """What TrainingArguments say of the learning rate.

    Raises:
        ValueError: If a key is not known, or a value is wrong or missing.
    """
    return _Arguments(arguments(CALL, training_arguments, DEFAULTS)).conversion()


class _Arguments:
    """The arguments, checked, and what becomes of them."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given
        self.lr = number(CALL, "learning_rate", given["learning_rate"])
        self.max_steps = count(CALL, "max_steps", given["max_steps"], -1)
        self.epochs = number(CALL, "num_train_epochs", given["num_train_epochs"])
        kind = given["lr_scheduler_type"]
        self.kind = getattr(kind, "value", kind)
        if self.kind == "greedy":
            raise ValueError(
                f"{CALL}: lr_scheduler_type='greedy' goes up and down with a metric, as no shape of ours does: return"
                " GreedyLR from configure_optimizers, and put a LearningRateWarmup without a decay over it."
            )
        if self.kind not in _KWARGS:
            raise one_of(CALL, "lr_scheduler_type", self.kind, list(_KWARGS))
        self.kwargs = given["lr_scheduler_kwargs"]
        if not isinstance(self.kwargs, Mapping):
            raise ValueError(f"{CALL}: lr_scheduler_kwargs={self.kwargs!r}: expected a mapping.")
        if unknown := [key for key in self.kwargs if key not in _KWARGS[self.kind]]:
            told = ", ".join(f"{key}={self.kwargs[key]!r}" for key in unknown)
            raise ValueError(
                f"{CALL}: lr_scheduler_type={self.kind!r} has no lr_scheduler_kwargs {told}. Take them out"
                f"{', or write: ' if _KWARGS[self.kind] else ''}{', '.join(_KWARGS[self.kind])}."
            )
        self.parameters: dict[str, Any] = {}
        self.notes: list[str] = []
        self.warmup = self._warmup()

    def conversion(self) -> Conversion:
        if self.kind not in ("constant", "reduce_lr_on_plateau"):
            self._warm_up()
        elif self.warmup:
            self.notes.append(
                f"lr_scheduler_type {self.kind!r} has no warmup in transformers: warmup_steps is left out."
            )
        getattr(self, f"_{self.kind}")()
        self.parameters = {**self.parameters, "target_lr": self.lr}
        trainer: dict[str, Any] = {}
        if self.max_steps > 0:
            trainer["max_steps"] = self.max_steps
            self.parameters.setdefault("total", f"{self.max_steps} steps")
        else:
            trainer["max_epochs"] = math.ceil(self.epochs)
            self.parameters.setdefault("total", epochs(self.epochs))
        accumulate = count(CALL, "gradient_accumulation_steps", self.given["gradient_accumulation_steps"], 1)
        if accumulate > 1:
            trainer["accumulate_grad_batches"] = accumulate
        return Conversion(self.parameters, trainer, tuple(self.notes))

    def _warmup(self) -> int | float:
        """Steps of the warmup, or, where the length of the run is unknown, its share."""
        steps = number(CALL, "warmup_steps", self.given["warmup_steps"])
        share = number(CALL, "warmup_ratio", self.given["warmup_ratio"])
        if share > 1:
            raise ValueError(f"{CALL}: warmup_ratio={share!r}: expected a share of the run, in [0, 1].")
        if steps and share:
            self.notes.append(f"warmup_ratio={share:g} has no effect beside warmup_steps.")
        if steps >= 1:
            if steps != int(steps):
                self.notes.append(f"transformers cuts warmup_steps={steps} to {int(steps)}.")
            return int(steps)
        share = steps or share
        if self.max_steps > 0:
            return math.ceil(self.max_steps * share)
        if share == 1:
            raise ValueError(f"{CALL}: a warmup of the whole run leaves nothing of it to decay in.")
        if share:
            self.notes.append(
                f"transformers rounds a warmup of {share * 100:g}% of the run up to whole steps, ours to the nearest:"
                " it may be one step longer there. With max_steps given it is the same."
            )
        return share if share else 0

    def _warm_up(self, shape_name: str | None = None, formula: str | None = None, low: float = 0.0) -> None:
        if not self.warmup:
            return
        warmup: Any = self.warmup
        if shape_name:
            warmup = shape(shape_name, duration=warmup, **({"formula": formula} if formula else {}))
        self.parameters |= {"warmup": warmup, "warmup_initial_lr": low}

    def _number(self, name: str, default: float) -> float:
        value = self.kwargs.get(name)
        return number(CALL, f"lr_scheduler_kwargs[{name!r}]", default if value is None else value)

    def _cosine_to(self, final: float) -> Any:
        cycles = self._number("num_cycles", 0.5)
        if cycles == 0.5:
            return shape("CosineDecay", final=final)
        wave = f"0.5 * (1 + cos(2 * pi * {cycles!r} * u))"
        return shape("FormulaDecay", formula=f"{final!r} + {1 - final!r} * {wave}" if final else wave)

    def _min_lr_rate(self) -> float:
        low, share = self.kwargs.get("min_lr"), self.kwargs.get("min_lr_rate")
        if (low is None) == (share is None):
            raise ValueError(f"{CALL}: lr_scheduler_type={self.kind!r} needs one of min_lr and min_lr_rate.")
        if low is not None:
            return ratio(CALL, "min_lr", number(CALL, "min_lr", low), self.lr)
        return number(CALL, "min_lr_rate", share)

    def _linear(self) -> None:
        self.parameters["decay"] = "linear"

    def _constant(self) -> None:
        pass

    _constant_with_warmup = _constant

    def _cosine(self) -> None:
        self.parameters["decay"] = self._cosine_to(0.0)

    def _cosine_with_min_lr(self) -> None:
        self.parameters["decay"] = self._cosine_to(self._min_lr_rate())

    def _cosine_with_restarts(self) -> None:
        cycles = count(CALL, "num_cycles", self._number("num_cycles", 1), 1)
        self.parameters["decay"] = shape("RestartsDecay", decay="cosine", cycles=cycles) if cycles > 1 else "cosine"

    def _polynomial(self) -> None:
        final = ratio(CALL, "lr_end", self._number("lr_end", 1e-7), self.lr)
        if final >= 1:
            raise ValueError(f"{CALL}: lr_end must be smaller than learning_rate={self.lr!r}.")
        self.parameters["decay"] = shape("PolynomialDecay", power=self._number("power", 1.0), final=final)
        self.notes.append(
            f"In transformers' run a param group of another lr ends at {final:.4g} of its own lr, not at lr_end."
        )

    def _inverse_sqrt(self) -> None:
        timescale = self.kwargs.get("timescale")
        if timescale is None and self.warmup:
            self.parameters["decay"] = "inverse_sqrt"
            return
        scale = count(CALL, "timescale", 10_000 if timescale is None else timescale, 1)
        self.parameters["decay"] = shape("InverseSqrtDecay", timescale=scale)

    def _cosine_warmup_with_min_lr(self) -> None:
        """Theirs is a step ahead: at the target at N − 1, and at the end of the cosine at T − 1."""
        final, first = self._min_lr_rate(), self.kwargs.get("warmup_lr_rate")
        if isinstance(self.warmup, float):
            raise ValueError(
                f"{CALL}: lr_scheduler_type={self.kind!r} with a share of the run as its warmup: give max_steps, or"
                " warmup_steps as a whole number."
            )
        steps, gone = self.warmup, "tau / (T - N - 1)"
        for name in ("warmup", "warmup_initial_lr"):
            self.parameters.pop(name, None)
        if steps > 1:
            self.parameters["warmup"] = steps - 1
            if first is not None:
                self.parameters["warmup_initial_lr"] = self.lr * number(CALL, "warmup_lr_rate", first)
        elif steps == 1 and first is not None:
            self.parameters |= {"warmup": 1, "warmup_initial_lr": self.lr * number(CALL, "warmup_lr_rate", first)}
            gone = "(tau + 1) / (T - N)"
        elif steps == 0:
            gone = "(tau + 1) / T"
        wave = f"0.5 * (1 + cos(2 * pi * {self._number('num_cycles', 0.5)!r} * min(1, {gone})))"
        self.parameters["decay"] = shape("FormulaDecay", formula=f"{final!r} + {1 - final!r} * {wave}")

    def _warmup_stable_decay(self) -> None:
        final = self._number("min_lr_ratio", 0.0)
        if self.kwargs.get("num_decay_steps") is None:
            raise ValueError(f"{CALL}: lr_scheduler_type={self.kind!r} needs num_decay_steps.")
        steps = count(CALL, "num_decay_steps", self.kwargs["num_decay_steps"], 1)
        warmup_type = self.kwargs.get("warmup_type") or "linear"
        warmups: dict[str, tuple[str | None, str | None]] = {
            "linear": (None, None),
            "cosine": ("CosineWarmup", None),
            "1-sqrt": ("FormulaWarmup", "1 - sqrt(1 - u)"),
        }
        if warmup_type not in warmups:
            raise one_of(CALL, "warmup_type", warmup_type, list(warmups))
        self._warm_up(*warmups[warmup_type], low=self.lr * final)
        decay_type = self.kwargs.get("decay_type") or "cosine"
        decays = {
            "linear": shape("LinearDecay", final=final),
            "cosine": self._cosine_to(final),
            "1-sqrt": shape("OneMinusSqrtDecay", final=final),
        }
        if decay_type not in decays:
            raise one_of(CALL, "decay_type", decay_type, list(decays))
        stable = self.kwargs.get("num_stable_steps")
        if stable is None:
            self.parameters |= {"decay": decays[decay_type], "decay_duration": steps}
            return
        hold = count(CALL, "num_stable_steps", stable)
        # Past its parts the decay stays where it is, and so does theirs.
        parts = [{"decay": decays[decay_type], "duration": steps}]
        self.parameters |= {"decay": parts, "hold": hold}

    def _reduce_lr_on_plateau(self) -> None:
        metric = self.given["metric_for_best_model"] or "loss"
        self.parameters["decay"] = plateau(CALL, metric, self.kwargs, self.lr)
        self.notes.append(
            f"monitor is transformers' {metric!r} on the evaluation set: write the name that your module logs it under."
        )
