"""What the user configured, checked at construction and resolved for one run. Knows no Trainer."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from lightning_warmup.beta2_warmups import Beta2Warmup
from lightning_warmup.checks import is_number
from lightning_warmup.critical_lr import MeasuredLearningRate
from lightning_warmup.curve import Curve
from lightning_warmup.decays import Decay, DecayName, Phase, decay_named
from lightning_warmup.durations import Duration, Interval, Run, TooShortError, parse_duration
from lightning_warmup.group_values import check_spec, initial_values, target_values
from lightning_warmup.scaling import BatchSizeScaling
from lightning_warmup.warmups import LinearWarmup, Warmup


@dataclass(frozen=True)
class Settings:
    """The parameters that :class:`LearningRateWarmup` and :class:`HyperparameterWarmup` share.

    Args:
        owner: Name of the callback, quoted in errors.
        warmup: Duration (then linear) or shape.
        decay: Shape, short name, or None.
        initial_name: What the callback calls its initial value, quoted in errors.
        initial: Its value.
        target_name: What the callback calls its target, quoted in errors.
        target: Its value.
        hold: As in the callback, like all that follow.
        decay_duration: See there.
        cooldown: See there.
        total: See there.
        interval: See there.
        warmup_interval: See there.

    Raises:
        ValueError: If a parameter is out of range, or two contradict each other.
    """

    owner: str
    warmup: Duration | Warmup
    decay: Decay | DecayName | None
    initial_name: str
    initial: Any
    target_name: str
    target: Any
    hold: Duration
    decay_duration: Duration | None
    cooldown: Duration
    total: Duration | Literal["auto"]
    interval: Interval
    warmup_interval: Interval | None

    def __post_init__(self) -> None:
        if not isinstance(self.warmup, Warmup):
            parse_duration(
                self.owner, "warmup", self.warmup, also=", or a shape: CosineWarmup('5%'), in YAML with class_path"
            )
        if isinstance(self.decay, str):
            decay_named(self.decay, self.owner)
        elif self.decay is not None and not isinstance(self.decay, Decay):
            raise ValueError(
                f"{self.owner}(decay={self.decay!r}) is no decay: write 'cosine' or CosineDecay(final=0.1)."
            )
        if isinstance(self.initial, MeasuredLearningRate):
            self._check_measured_start()
        else:
            check_spec(self.owner, self.initial_name, self.initial, relative=True)
        if not isinstance(self.target, BatchSizeScaling):
            check_spec(self.owner, self.target_name, self.target, relative=False)
        self._check_phases()
        if isinstance(self.warmup, Warmup) and self.warmup.counts_steps:
            for name, value in ((self.initial_name, self.initial), ("warmup_interval", self.warmup_interval)):
                if value is not None:
                    raise ValueError(
                        f"{self.owner}({name}={value!r}) with warmup={self.warmup!r}: that warmup starts where it sees"
                        f" fit and counts optimizer steps. Leave {name} out, or use another warmup."
                    )
            if self.interval == "epoch":
                raise ValueError(
                    f"{self.owner}(interval='epoch') with warmup={self.warmup!r}: that warmup counts optimizer steps."
                    " Use interval='step' (a decay's durations may be in epochs), or another warmup."
                )
        if self.total != "auto":
            length = parse_duration(self.owner, "total", self.total)
            if length.unit == "share" or length.amount == 0:
                raise ValueError(
                    f"{self.owner}(total={self.total!r}) is no length of a whole run: write 10000, '10000 steps',"
                    " '20 epochs' or 'auto'."
                )
        for name, value, choices in (
            ("interval", self.interval, ("step", "epoch")),
            ("warmup_interval", self.warmup_interval, ("step", "epoch", None)),
        ):
            if value not in choices:
                raise ValueError(f"{self.owner}({name}={value!r}): expected one of {', '.join(map(repr, choices))}.")

    def _check_measured_start(self) -> None:
        if not self.warms_up or not isinstance(self.warmup, int | float | str | LinearWarmup):
            raise ValueError(
                f"{self.owner}({self.initial_name}={self.initial!r}) is where a linear warmup starts, and"
                f" warmup={self.warmup!r} is none: give a duration."
            )

    def _check_phases(self) -> None:
        for name in ("hold", "decay_duration", "cooldown"):
            value = getattr(self, name)
            if value is None and name == "decay_duration":
                continue
            given = name == "decay_duration" or parse_duration(self.owner, name, value).amount > 0
            parse_duration(self.owner, name, value)
            if given and self.decay is None:
                raise ValueError(f"{self.owner}({name}={value!r}) needs a decay: give decay=..., or leave {name} out.")
            if given and name == "hold" and self.decay_duration is not None:
                raise ValueError(
                    f"{self.owner}(hold={value!r}, decay_duration={self.decay_duration!r}): both say when the decay"
                    " begins. Give one of them."
                )

    @property
    def idle(self) -> bool:
        """Nothing is configured, so nothing is changed: what a LightningCLI key has by default."""
        return not self.warms_up and self.decay is None and self.target is None

    @property
    def warms_up(self) -> bool:
        """Whether there is a warmup."""
        if isinstance(self.warmup, Warmup):
            return self.warmup.counts_steps or parse_duration("", "duration", self.warmup.duration).amount > 0
        return parse_duration(self.owner, "warmup", self.warmup).amount > 0

    @property
    def measured(self) -> object | None:
        """What depends on the run itself, if anything does."""
        for part in (self.warmup, self.decay):
            if isinstance(part, Warmup | Decay) and part.measured:
                return part
        return self.initial if isinstance(self.initial, MeasuredLearningRate) else None

    def warmup_length(self, run: Run) -> int:
        """N, in intervals of the warmup."""
        interval = self.warmup_interval or self.interval
        if isinstance(self.warmup, Warmup):
            return self.warmup.length(lambda owner, name, value: run.intervals(owner, name, value, interval))
        return run.intervals(self.owner, "warmup", self.warmup, interval)

    def with_total(self, run: Run) -> Run:
        """The run with the length that the user gave, which wins over the Trainer's own.

        Raises:
            ValueError: If the run does not tell how ``total`` translates into ``interval``.
        """
        if self.total == "auto":
            return run
        per_epoch = run.steps_per_epoch
        steps: int | None
        epochs: int | None
        if self.interval == "step" or parse_duration(self.owner, "total", self.total).unit in ("step", "sample"):
            steps = run.intervals(self.owner, "total", self.total, "step")
            epochs = None if per_epoch is None else math.ceil(steps / per_epoch)
            if epochs is None and self.interval == "epoch":
                raise ValueError(f"{self.owner}(total={self.total!r}) with interval='epoch': give it in epochs.")
        else:
            epochs = run.intervals(self.owner, "total", self.total, "epoch")
            steps = None if per_epoch is None else epochs * per_epoch
        return run.replace_total(steps, epochs)

    def curve(
        self,
        run: Run,
        names: Sequence[str | None],
        own: Sequence[float],
        beta2: Sequence[float] | None = None,
        target: Sequence[float] | None = None,
    ) -> Curve:
        """The schedule of one optimizer in ``run``.

        Args:
            run: The run, ``total`` already in it.
            names: Names of the param groups, None where a group has none.
            own: The groups' own values.
            beta2: The groups' β2, if they have one.
            target: Targets that win over the configured ones.

        Raises:
            ValueError: If the phases do not fit into the run, the run does not tell what a phase needs, or a value
                would be none.
        """
        phases = self._phases(run)
        multiplier = None
        if isinstance(self.target, BatchSizeScaling):
            if run.batch_size is None:
                raise ValueError(
                    f"{self.owner}({self.target_name}={self.target!r}) needs the global batch size:"
                    f" {run.no_batch_size}."
                )
            multiplier = self.target.multiplier(run.batch_size)
        if target is None:
            target = target_values(self.owner, self.target_name, self.target, names, own, multiplier)
        # SuperGradients' rule: no step trains at 0 unless the user asks for it. A scaled target is warmed up to from
        # what it was scaled from (Goyal et al.).
        default = [high / (phases.warmup_length + 1) for high in target]
        if multiplier is not None and multiplier >= 1:
            default = list(own)
        initial = initial_values(self.owner, self.initial_name, self.initial, names, target, default)
        if phases.warmup_length:
            for low, high in zip(initial, target, strict=True):
                phases.warmup.check(low, high)
        curve = replace(phases, initial=initial, target=target)
        if isinstance(phases.warmup, Beta2Warmup):
            if beta2 is None:
                raise ValueError(
                    f"{self.owner}(warmup={self.warmup!r}) needs the optimizer's β2, and it has no betas: use an"
                    " Adam-like (values() takes betas=...), or a warmup with a length of its own."
                )
            for beta in beta2:
                phases.warmup.check_beta2(beta)
            curve = replace(curve, beta2=list(beta2))
        self._check_values(curve)
        return curve

    def factor(
        self, run: Run, names: Sequence[str | None], own: Sequence[float], beta2: Sequence[float] | None = None
    ) -> Curve:
        """The warmup as a factor, 1 at its end, on what a scheduler of the module's gives.

        Args:
            run: The run, ``total`` already in it.
            names: Names of the param groups.
            own: The groups' values when training starts, as that scheduler made them.
            beta2: The groups' β2, if they have one.

        Raises:
            ValueError: If the warmup is to start at a value, and a group's own is 0.
        """
        if self.initial is not None and 0 in own:
            raise ValueError(
                f"{self.owner}({self.initial_name}={self.initial!r}) has nothing to be a factor of: the module's own"
                f" scheduler starts a group at 0. Leave {self.initial_name} out, or start that scheduler above 0."
            )
        base = [value or 1.0 for value in own]
        curve = self.curve(run, names, base, beta2)
        initial = [low / high for low, high in zip(curve.initial, base, strict=True)]
        return replace(curve, initial=initial, target=[1.0] * len(base))

    def _phases(self, run: Run) -> Curve:
        """The curve but for the groups: every duration resolved."""
        interval = self.interval
        warmup_interval = self.warmup_interval or interval
        length = self.warmup_length(run)

        # Where warmup and decay count different things, t counts steps, and the one in epochs moves once per epoch.
        warmup_stride = decay_stride = 1
        if warmup_interval != interval:
            if run.steps_per_epoch is None:
                raise ValueError(
                    f"{self.owner}(warmup_interval={warmup_interval!r}) with interval={interval!r} needs the number of"
                    f" steps in an epoch: {run.no_steps_per_epoch}."
                )
            if warmup_interval == "epoch":
                warmup_stride = run.steps_per_epoch
            else:
                decay_stride = run.steps_per_epoch

        phases = {
            "warmup": math.ceil(length * warmup_stride / decay_stride),
            "hold": run.intervals(self.owner, "hold", self.hold, interval),
            "cooldown": run.intervals(self.owner, "cooldown", self.cooldown, interval),
        }
        decay = decay_named(self.decay) if isinstance(self.decay, str) else self.decay
        total = run.total(interval)
        if total is None:
            needs = None
            if phases["cooldown"]:
                needs = f"cooldown={self.cooldown!r}"
            if self.decay_duration is not None:
                needs = f"decay_duration={self.decay_duration!r}"
            if decay is not None and decay.ends:
                needs = f"decay={self.decay!r}"
            if needs is not None:
                raise ValueError(
                    f"{self.owner}({needs}) needs the length of the run, which is unknown: {run.no_total}."
                )
        if self.decay_duration is not None:
            phases["decay_duration"] = run.intervals(self.owner, "decay_duration", self.decay_duration, interval)
        if total is not None and sum(phases.values()) > total:
            raise TooShortError(self._too_long(phases, total))

        start = phases["warmup"] + phases["hold"]
        end = math.inf
        if total is not None:
            end = total - phases["cooldown"]
            if self.decay_duration is not None:
                start = total - phases["cooldown"] - phases["decay_duration"]
        if decay is not None:

            def intervals(owner: str, name: str, value: Duration) -> int:
                return run.intervals(owner, name, value, interval)

            decay = decay.resolved(Phase(intervals, interval, phases["warmup"], start))
        return Curve(
            warmup=self.warmup if isinstance(self.warmup, Warmup) else LinearWarmup(self.warmup),
            warmup_length=length,
            # Where the other phases fill the run, nothing is left to decay.
            decay=decay if end > start else None,
            decay_start=start,
            decay_end=end,
            clock=interval if warmup_interval == interval else "step",
            warmup_stride=warmup_stride,
            decay_stride=decay_stride,
        )

    def _too_long(self, phases: Mapping[str, int], total: int) -> str:
        there = [name for name, length in phases.items() if length]
        written = [f"{name}={getattr(self, name)!r}" for name in there]
        return (
            f"{self.owner}({', '.join(written)}): {' + '.join(f'{name} {phases[name]:,}' for name in there)} ="
            f" {sum(phases.values()):,} {self.interval}s is more than the {total:,} {self.interval}s of this run."
            f" Shorten {' or '.join(there)}, train longer, or give total=... if the run is longer than that."
        )

    def _check_values(self, curve: Curve) -> None:
        """Look at the curve before the run does: functions and large factors can make anything of a learning rate."""
        if curve.decay is not None:
            curve.decay.check(curve.decay_end - curve.decay_start, curve.target)
        warm = curve.warmup_length * curve.warmup_stride
        last = min(curve.decay_end * curve.decay_stride, warm + 1_000_000)
        if curve.decay is not None and not curve.decay.closed_form:
            last = warm
        sample = {round(warm * i / 64) for i in range(65)} | {round(last * i / 256) for i in range(257)}
        if curve.decay is not None and curve.decay.measured:
            sample = {t for t in sample if t < warm}
        if curve.warmup.measured:
            sample = {t for t in sample if t >= warm}
        for t in sorted(sample):
            try:
                values = curve.values(t)
            except OverflowError:
                values = [math.inf]
            except (TypeError, ZeroDivisionError) as error:
                shape = self.warmup if t < warm else self.decay
                raise ValueError(f"{self.owner}: {shape!r} fails at {curve.clock} {t:,}: {error}.") from error
            for value in values:
                if not is_number(value) or value < 0:
                    shape = self.warmup if t < warm else self.decay
                    name = "warmup" if t < warm else "decay"
                    raise ValueError(
                        f"{self.owner}({name}={shape!r}) gives {value!r} at {curve.clock} {t:,}: a value must be"
                        " finite and ≥ 0. Correct the shape."
                    )
