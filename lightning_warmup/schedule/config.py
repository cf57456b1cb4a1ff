"""What the user configured, checked at construction."""

from dataclasses import dataclass, field
from typing import Any, Literal

from lightning_warmup.schedule.beta2_warmups import (
    RAdamWarmup,
    SqrtBeta2Warmup,
    UntunedExponentialWarmup,
    UntunedLinearWarmup,
)
from lightning_warmup.schedule.checks import is_count, keep_plain
from lightning_warmup.schedule.decays import Decay, DecayName, decay_named
from lightning_warmup.schedule.durations import Duration, Interval, parse_duration
from lightning_warmup.schedule.group_values import as_number, check_spec
from lightning_warmup.schedule.measured import Measured, MeasuredLearningRate
from lightning_warmup.schedule.scaling import BatchSizeScaling
from lightning_warmup.schedule.sequential import DecayPart, SequentialDecay
from lightning_warmup.schedule.warmups import LinearWarmup, Warmup

WARMUP_NAMES: dict[str, type[Warmup]] = {
    "untuned_linear": UntunedLinearWarmup,
    "untuned_exponential": UntunedExponentialWarmup,
    "radam": RAdamWarmup,
    "sqrt_beta2": SqrtBeta2Warmup,
}
"""Short names of the warmups that need no argument; ``"catapult"`` is the callback's."""

_WARMUPS = (
    ", one of 'untuned_linear', 'untuned_exponential', 'radam', 'sqrt_beta2', 'catapult', or a shape:"
    " CosineWarmup('5%'), in YAML with class_path. Shapes: LinearWarmup(duration), CosineWarmup(duration),"
    " PolynomialWarmup(duration, power), ExponentialWarmup(duration), ConstantWarmup(duration),"
    " FormulaWarmup(duration, formula), FunctionWarmup(duration, function), UntunedLinearWarmup(),"
    " UntunedExponentialWarmup(), RAdamWarmup(), SqrtBeta2Warmup(), PersistentCatapultWarmup(),"
    " LineSearchWarmup(duration, max_rise)"
)


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """The parameters of :class:`LearningRateWarmup` and :class:`HyperparameterWarmup`.

    Args:
        parameter: Hyper-parameter that is scheduled: ``"lr"`` is :class:`LearningRateWarmup`'s.
        initial: ``warmup_initial_lr``, or ``initial_value``.
        target: ``target_lr``, or ``target_value``.

    All others as in the callbacks.

    Raises:
        ValueError: If a parameter is out of range, or two contradict each other.
    """

    parameter: str
    warmup: Duration | Warmup = 0
    decay: Decay | DecayName | list[DecayPart] | None = None
    initial: Any = None
    target: Any = None
    hold: Duration = 0
    decay_duration: Duration | None = None
    cooldown: Duration = 0
    total: Duration | Literal["auto"] = "auto"
    interval: Interval = "step"
    warmup_interval: Interval | None = None
    optimizer: int | None = None
    resume: Literal["checkpoint", "config"] = "checkpoint"
    override_module_scheduler: bool = False
    late_group_warmup: Duration = 0
    decay_from: Literal["warmup", "start"] = "warmup"

    owner: str = field(init=False, repr=False, compare=False)
    """The callback's name, quoted in errors; so are what it calls ``initial`` and ``target``."""
    initial_name: str = field(init=False, repr=False, compare=False)
    target_name: str = field(init=False, repr=False, compare=False)
    warms_up: bool = field(init=False, repr=False, compare=False)
    """Whether there is a warmup."""
    idle: bool = field(init=False, repr=False, compare=False)
    """Nothing is configured, so nothing is changed: what a LightningCLI key has by default."""
    measured_warmup: Measured | None = field(init=False, repr=False, compare=False)
    """The part of the warmup that the run is asked for, if there is one."""

    def __post_init__(self) -> None:
        keep_plain(self)
        of_lr = self.parameter == "lr"
        owner = "LearningRateWarmup" if of_lr else "HyperparameterWarmup"
        self._derive("owner", owner)
        self._derive("initial_name", "warmup_initial_lr" if of_lr else "initial_value")
        self._derive("target_name", "target_lr" if of_lr else "target_value")
        if isinstance(self.warmup, str) and self.warmup in WARMUP_NAMES:
            self._derive("warmup", WARMUP_NAMES[self.warmup]())
        if not isinstance(self.warmup, Warmup):
            parse_duration(owner, "warmup", self.warmup, also=_WARMUPS)
        if isinstance(self.decay, list | tuple):
            self._derive("decay", SequentialDecay(self.decay))
        self._derive("warms_up", self._has_a_warmup())
        if isinstance(self.decay, str):
            decay_named(self.decay, owner)
        elif self.decay is not None and not isinstance(self.decay, Decay):
            raise ValueError(f"{owner}(decay={self.decay!r}) is no decay: write 'cosine' or CosineDecay(final=0.1).")
        if isinstance(self.initial, MeasuredLearningRate):
            self._check_measured_start()
        else:
            check_spec(owner, self.initial_name, self.initial, relative=True)
        if not isinstance(self.target, BatchSizeScaling):
            check_spec(owner, self.target_name, self.target, relative=False)
        if of_lr and isinstance(self.target, int | float | str) and as_number(self.target) == 0:
            raise ValueError(
                f"{owner}(target_lr={self.target!r}): nothing would be trained. Give a rate > 0, or, to freeze some of"
                " the param groups, a mapping: {'backbone': 0.0, 'default': None}."
            )
        self._check_phases()
        self._check_warmup_that_counts_steps()
        self._check_decay_from_the_start()
        if self.total != "auto":
            length = parse_duration(owner, "total", self.total)
            if length.unit == "share" or length.amount == 0:
                raise ValueError(
                    f"{owner}(total={self.total!r}) is no length of a whole run: write 10000, '10000 steps',"
                    " '20 epochs' or 'auto'."
                )
        parse_duration(owner, "late_group_warmup", self.late_group_warmup)
        self._check_choices()
        configured = self.warms_up or self.decay is not None or self.target is not None
        self._derive("idle", not configured and not self.override_module_scheduler)
        measured = (part for part in (self.warmup, self.initial) if isinstance(part, Measured))
        self._derive("measured_warmup", next(measured, None))

    def _derive(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _has_a_warmup(self) -> bool:
        if isinstance(self.warmup, Warmup):
            return self.warmup.counts_steps or parse_duration("", "duration", self.warmup.duration).amount > 0
        return parse_duration(self.owner, "warmup", self.warmup).amount > 0

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

    def _check_warmup_that_counts_steps(self) -> None:
        if not (isinstance(self.warmup, Warmup) and self.warmup.counts_steps):
            return
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

    def _check_decay_from_the_start(self) -> None:
        if self.decay_from == "warmup":
            return
        call = f"{self.owner}(decay_from={self.decay_from!r}"
        if self.decay_from != "start":
            raise ValueError(f"{call}): expected one of 'warmup', 'start'.")
        if self.decay is None:
            raise ValueError(f"{call}) needs a decay: give decay=..., or leave decay_from out.")
        for name in ("hold", "decay_duration"):
            value = getattr(self, name)
            if value is not None and (name == "decay_duration" or parse_duration(self.owner, name, value).amount > 0):
                raise ValueError(f"{call}, {name}={value!r}): both say when the decay begins. Give one of them.")
        for name, value in (("warmup", self.warmup), (self.initial_name, self.initial), ("decay", self.decay)):
            if isinstance(value, Measured) or (isinstance(value, Warmup | Decay) and value.measured):
                raise ValueError(
                    f"{call}, {name}={value!r}): what is measured on the run itself has no such clock. Leave decay_from"
                    " out."
                )

    def _check_choices(self) -> None:
        owner, optimizer = self.owner, self.optimizer
        for name, value, choices in (
            ("interval", self.interval, ("step", "epoch")),
            ("warmup_interval", self.warmup_interval, ("step", "epoch", None)),
        ):
            if value not in choices:
                raise ValueError(f"{owner}({name}={value!r}): expected one of {', '.join(map(repr, choices))}.")
        if optimizer is not None and not is_count(optimizer, 0):
            raise ValueError(f"{owner}(optimizer={optimizer!r}): expected the index of an optimizer, or None for all.")
        if self.resume not in ("checkpoint", "config"):
            raise ValueError(f"{owner}(resume={self.resume!r}): expected 'checkpoint' or 'config'.")
        override = self.override_module_scheduler
        if not isinstance(override, bool):
            raise ValueError(f"{owner}(override_module_scheduler={override!r}): expected True or False.")

    @property
    def depends_on_the_run(self) -> object | None:
        """What has no value without a Trainer, if anything has none."""
        decay_does = isinstance(self.decay, Decay) and self.decay.measured
        return self.decay if decay_does else self.measured_warmup
