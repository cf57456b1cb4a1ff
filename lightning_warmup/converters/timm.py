"""timm's scheduler arguments, ``--sched`` and its kin, as ours."""

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
    ratio,
    shape,
    short,
)
from lightning_warmup.converters.torch_scheduler import plateau

CALL = "timm"

DEFAULTS: dict[str, Any] = {
    "sched": "cosine",
    "sched_on_updates": False,
    "lr": None,
    "epochs": 300,
    "warmup_epochs": 5,
    "warmup_lr": 1e-5,
    "warmup_prefix": False,
    "cooldown_epochs": 0,
    "min_lr": 0.0,
    "decay_epochs": None,
    "decay_milestones": [90, 180, 270],
    "decay_rate": 0.1,
    "patience_epochs": 10,
    "lr_noise": None,
    "lr_noise_pct": 0.67,
    "lr_noise_std": 1.0,
    "lr_cycle_mul": 1.0,
    "lr_cycle_decay": 0.5,
    "lr_cycle_limit": 1,
    "lr_k_decay": 1.0,
    "lr_decay_fn": None,
    "lr_stable_timescale": None,
    "eval_metric": "top1",
    # What makes an lr where none is given; with one they say nothing.
    "lr_base": None,
    "lr_base_size": None,
    "lr_base_scale": None,
    "layer_decay": None,
}
"""timm's arguments and the defaults of its train.py."""

_SCHEDULES = ("cosine", "tanh", "poly", "step", "multistep", "plateau", "wsd", "rsqrt", "constant", "none")


def conversion(args: Mapping[str, Any]) -> Conversion:
    """What timm's arguments say of the learning rate.

    Raises:
        ValueError: If a key is not known, or a value is wrong or missing.
    """
    if isinstance(args, Mapping):
        args = {str(key).lstrip("-").replace("-", "_"): value for key, value in args.items()}
    return _Arguments(arguments(CALL, args, DEFAULTS), args).conversion()


class _Arguments:
    """The arguments, checked, and what becomes of them.

    ``unit`` turns a number of epochs into a duration: timm steps once per epoch unless told otherwise, and so do ours.
    """

    def __init__(self, given: dict[str, Any], written: Mapping[str, Any]) -> None:
        self.given = given
        self.sched = given["sched"]
        if self.sched not in _SCHEDULES:
            raise one_of(CALL, "sched", self.sched, _SCHEDULES)
        if given["lr"] is None:
            raise ValueError(
                f"{CALL}: give lr; timm's own is lr_base * (batch size / lr_base_size), or of its square root."
            )
        if given["lr_noise"] is not None:
            raise ValueError(f"{CALL}: lr_noise={given['lr_noise']!r}: no shape of ours has noise. Take it out.")
        if given["layer_decay"] is not None:
            raise ValueError(
                f"{CALL}: layer_decay={given['layer_decay']!r} gives each layer an lr: give the param groups"
                " theirs, take it out here, and take target_lr out of what comes."
            )
        self.lr, self.low = self._number("lr"), self._number("min_lr")
        self.final = ratio(CALL, "min_lr", self.low, self.lr)
        self.epochs = count(CALL, "epochs", given["epochs"], 1)
        self.warmup, self.cooldown = self._number("warmup_epochs"), self._number("cooldown_epochs")
        self.prefix, self.by_update = bool(given["warmup_prefix"]), bool(given["sched_on_updates"])
        if not self.by_update:
            self.warmup, self.cooldown = (
                count(CALL, name, given[name]) for name in ("warmup_epochs", "cooldown_epochs")
            )
        if not self.prefix and self.warmup >= self.epochs:
            raise ValueError(f"{CALL}: warmup_epochs={self.warmup} leave nothing of epochs={self.epochs}.")
        if given["decay_epochs"] is None:
            given["decay_epochs"] = 0.2 if self.sched in ("wsd", "rsqrt") else 90
        self.parameters: dict[str, Any] = {}
        self.notes: list[str] = []
        absent = [name for name in ("sched", "epochs", "warmup_epochs", "warmup_lr") if name not in written]
        if absent:
            self.notes.append(
                f"Not given, and so as in timm's train.py: {', '.join(f'{n}={given[n]}' for n in absent)}."
            )

    def conversion(self) -> Conversion:
        if self.sched == "none":
            self.parameters["target_lr"] = self.lr
            return Conversion(self.parameters, {"max_epochs": self.epochs}, tuple(self.notes))
        if self.warmup:
            self.parameters |= {"warmup": self.unit(self.warmup), "warmup_initial_lr": self._number("warmup_lr")}
        length = getattr(self, f"_{self.sched}")()
        self.parameters = {**self.parameters, "target_lr": self.parameters.pop("target_lr", self.lr)}
        total = length + (self.warmup if self.prefix else 0)
        self.parameters["total"] = epochs(total)
        if not self.by_update:
            self.parameters["interval"] = "epoch"
        return Conversion(self.parameters, {"max_epochs": math.ceil(total)}, tuple(self.notes))

    def unit(self, amount: float) -> Any:
        return epochs(amount) if self.by_update else count(CALL, "epochs", amount)

    def _number(self, name: str) -> float:
        return number(CALL, name, self.given[name])

    def _cool_down(self, length: float) -> float:
        """Length of the run without a prefixed warmup, where the schedule without its cooldown has this one."""
        if self.cooldown:
            self.parameters["cooldown"] = self.unit(self.cooldown)
        return length + self.cooldown

    def _cosine(self) -> float:
        power = self._number("lr_k_decay")
        gone = "{x}" if power == 1 else f"{{x}}**{power!r}"
        return self._cycles(shape("CosineDecay", final=self.final), f"0.5 * (1 + cos(pi * {gone}))", power != 1)

    def _poly(self) -> float:
        k, power = self._number("lr_k_decay"), self._number("decay_rate")
        gone = "{x}" if k == 1 else f"{{x}}**{k!r}"
        # Within rounding errors the share may be above 1, and a root has no value there.
        return self._cycles(
            shape("PolynomialDecay", power=power, final=self.final), f"max(0, 1 - {gone})**{power!r}", k != 1
        )

    def _tanh(self) -> float:
        return self._cycles(None, "0.5 * (1 - tanh(10 * {x} - 7))", True)

    def _cycles(self, of_ours: Any, formula: str, needs_formula: bool) -> float:
        """A decay, or several, from the end of a prefixed warmup; else from the start, which the warmup then hides."""
        cycles = count(CALL, "lr_cycle_limit", self.given["lr_cycle_limit"], 1)
        multiplier, gamma = self._number("lr_cycle_mul"), self._number("lr_cycle_decay")
        hidden = bool(self.warmup) and not self.prefix
        length = self.epochs * (cycles if multiplier == 1 else (multiplier**cycles - 1) / (multiplier - 1))
        if not hidden and not needs_formula:
            decay = of_ours
            if cycles > 1:
                if length != int(length):
                    raise ValueError(
                        f"{CALL}: lr_cycle_limit={cycles} with lr_cycle_mul={multiplier:g} ends within an epoch, at"
                        f" {length:g}, where timm cuts it. Choose whole epochs."
                    )
                decay = shape("RestartsDecay", decay=of_ours, cycles=cycles, multiplier=multiplier, gamma=gamma)
            self.parameters["decay"] = decay
            return self._cool_down(length)
        if multiplier != 1 and cycles > 1:
            raise ValueError(
                f"{CALL}: lr_cycle_mul={multiplier:g} is known of sched='cosine' and 'poly' without lr_k_decay, and"
                " with warmup_prefix=True or warmup_epochs=0."
            )
        share = "(tau + N) / (D + N)" if hidden else "u"
        within, height = f"({share})" if hidden else share, ""
        if cycles > 1:
            at = f"({f'(tau + N) * {cycles} / (D + N)' if hidden else f'tau * {cycles} / D'})"
            within, height = f"({at} - floor({at}))", f"{gamma!r}**floor({at})"
        wave = formula.format(x=within)
        span = f"({height or 1} - {self.final!r}) * " if self.final else f"{height} * " if height else ""
        # 1 − floor(u) is 1 until the end, and 0 in the cooldown, where timm has min_lr.
        text = f"{f'{self.final!r} + ' if self.final else ''}{span}{wave} * (1 - floor(u))"
        if hidden:
            at_end = self.warmup / self.epochs
            if self.sched == "tanh":
                self.parameters["target_lr"] = self.low + (self.lr - self.low) * 0.5 * (1 - math.tanh(10 * at_end - 7))
                self.notes.append(
                    "Without warmup_prefix timm's tanh begins at step 0, and the warmup leads to where it then is."
                )
                text = f"({text}) / {self.parameters['target_lr'] / self.lr!r}"
            else:
                self.notes.append(
                    "Without warmup_prefix timm's decay begins at step 0: its warmup leads to lr, and the rate then"
                    f" jumps to where the decay is, {percent((1 - self.final) * (1 - self._wave(at_end)))} of lr lower."
                    " This does the same; lr itself is never reached."
                )
        self.parameters["decay"] = shape("FormulaDecay", formula=text)
        return self._cool_down(length)

    def _wave(self, share: float) -> float:
        """Where timm's cosine or poly is, from 1 to 0, at a share of its first cycle."""
        gone = share ** self._number("lr_k_decay")
        if self.sched == "cosine":
            return 0.5 * (1 + math.cos(math.pi * gone))
        return float((1 - gone) ** self._number("decay_rate"))

    def _step(self) -> float:
        every, gamma = self._number("decay_epochs"), self._number("decay_rate")
        if every <= 0:
            raise ValueError(f"{CALL}: decay_epochs={every!r}: expected a number > 0.")
        if every == int(every) and (self.prefix or not self.warmup):
            self.parameters["decay"] = shape("StepDecay", every=self.unit(every), gamma=gamma)
        else:
            start = self.warmup if self.prefix else 0
            milestones = [start + every * k for k in range(1, math.ceil(self.epochs / every))]
            self._milestones(milestones, gamma)
        return self._without_cooldown()

    def _multistep(self) -> float:
        milestones = self.given["decay_milestones"]
        if not isinstance(milestones, list | tuple):
            raise ValueError(f"{CALL}: decay_milestones={milestones!r}: expected a list of epochs.")
        start = self.warmup if self.prefix else 0
        early = 0 if self.by_update else 1
        self.notes.append(
            "timm steps one update before each milestone, as it documents: ours at it, one update later."
            if self.by_update
            else "timm steps one epoch before each milestone, as it documents, and so does this."
        )
        given = [count(CALL, "decay_milestones", milestone) for milestone in milestones]
        self._milestones([start + milestone - early for milestone in given], self._number("decay_rate"))
        return self._without_cooldown()

    def _milestones(self, at: list[float], gamma: float) -> None:
        """Steps at these epochs, none before the end of the warmup, which hides them."""
        first = self.warmup
        if any(milestone < first for milestone in at):
            self.notes.append("What timm's warmup hides of the steps comes at once where it ends.")
        if not self.by_update:
            at = [math.ceil(milestone - 1e-9) for milestone in at]
        elif any(milestone != int(milestone) for milestone in at):
            self.notes.append("timm rounds a step within an epoch up to whole updates, ours to the nearest: one apart.")
        at = [max(milestone, first) for milestone in at]
        if at:
            milestones = [self.unit(round(milestone, 9)) for milestone in at]
            self.parameters["decay"] = shape("MultiStepDecay", milestones=milestones, gamma=gamma)

    def _without_cooldown(self) -> float:
        if self.cooldown:
            self.notes.append(
                f"cooldown_epochs={short(self.cooldown)} has no effect with sched={self.sched!r} in timm."
            )
        return self.epochs

    def _constant(self) -> float:
        return self._without_cooldown()

    def _plateau(self) -> float:
        if self.by_update:
            raise ValueError(f"{CALL}: sched='plateau' steps by epochs: take sched_on_updates out.")
        metric = str(self.given["eval_metric"])
        mode = "min" if "loss" in metric else "max"
        kwargs = {"mode": mode, "factor": self._number("decay_rate"), "patience": self.given["patience_epochs"]}
        self.parameters["decay"] = plateau(CALL, metric, {**kwargs, "min_lr": self.low}, self.lr)
        self.notes.append(f"monitor is timm's {metric!r}: write the name that your module logs it under.")
        return self._without_cooldown()

    def _wsd(self) -> float:
        length = self.epochs if self.prefix else self.epochs - self.warmup
        last = self._last(length)
        decays = {
            "1-sqrt": shape("OneMinusSqrtDecay", final=self.final),
            "linear": shape("LinearDecay", final=self.final),
            "cosine": shape("CosineDecay", final=self.final),
            "power": shape("OneMinusSqrtDecay", final=self.final),
            "exp": shape("FormulaDecay", formula=f"{self.final!r} + {1 - self.final!r} * (0.1**u - 0.1) / 0.9"),
        }
        name = self.given["lr_decay_fn"] or "1-sqrt"
        if name not in decays:
            raise one_of(CALL, "lr_decay_fn", name, list(decays))
        self.parameters |= {"decay": decays[name], "decay_duration": self.unit(last)}
        return self._cool_down(self.epochs)

    def _rsqrt(self) -> float:
        length = self.epochs if self.prefix else self.epochs - self.warmup
        part = self._last(length) / length
        timescale = self.given["lr_stable_timescale"]
        scale = "N"
        if timescale is not None:
            scale = f"({self._number('lr_stable_timescale') / length!r} * D)"
        elif not self.warmup:
            raise ValueError(f"{CALL}: sched='rsqrt' without a warmup needs lr_stable_timescale.")
        gone = f"max(0, 1 - (D - tau) / floor({part!r} * D + 0.5))"  # timm rounds it to whole updates
        decays = {
            "linear": f"(1 - {gone})",
            "1-sqrt": f"(1 - sqrt({gone}))",
            "power": f"(1 - sqrt({gone}))",
            "cosine": f"0.5 * (1 + cos(pi * {gone}))",
            "exp": f"(0.1**{gone} - 0.1) / 0.9",
        }
        name = self.given["lr_decay_fn"] or "linear"
        if name not in decays:
            raise one_of(CALL, "lr_decay_fn", name, list(decays))
        stable = f"max({self.final!r}, 1 / sqrt(1 + tau / {scale}))"
        text = f"{self.final!r} + ({stable} - {self.final!r}) * {decays[name]}"
        self.parameters["decay"] = shape("FormulaDecay", formula=text)
        return self._cool_down(self.epochs)

    def _last(self, length: float) -> float:
        """Epochs of the decay at the end."""
        last = self._number("decay_epochs")
        if 0 < last < 1:
            last = last * length if self.by_update else round(last * length)
        if not 0 < last <= length:
            raise ValueError(
                f"{CALL}: decay_epochs={self.given['decay_epochs']!r}: expected a share of, or as many as, the"
                f" {length:g} epochs after the warmup."
            )
        return last
