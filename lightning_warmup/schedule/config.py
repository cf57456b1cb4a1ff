"""What the user configured, checked at construction."""

from dataclasses import dataclass, field
from typing import Any, Literal, cast

from lightning_warmup.schedule.beta2_warmups import (
    Beta2Warmup,
    RAdamWarmup,
    SqrtBeta2Warmup,
    UntunedExponentialWarmup,
    UntunedLinearWarmup,
)
from lightning_warmup.schedule.checks import is_count, keep_plain
from lightning_warmup.schedule.decays import Decay, DecayName, decay_named
from lightning_warmup.schedule.durations import TIME_NEEDS_A_CLOCK, Duration, Interval, parse_duration
from lightning_warmup.schedule.group_values import as_number, check_spec
from lightning_warmup.schedule.measured import Measured, MeasuredLearningRate
from lightning_warmup.schedule.rest import check_can_be_drawn_anew
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

_TOTALS = ", or where the clock ends the run '8 hours', '30 minutes', '90 seconds' or 'max_time'"


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
    total: Duration | Literal["auto", "max_time"] = "auto"
    interval: Interval = "step"
    warmup_interval: Interval | None = None
    optimizer: int | None = None
    resume: Literal["checkpoint", "config"] = "checkpoint"
    override_module_scheduler: bool = False
    late_group_warmup: Duration = 0
    decay_from: Literal["warmup", "start"] = "warmup"
    resume_warmup: Duration | Warmup = 0
    replan: Literal["full", "rest"] = "full"

    owner: str = field(init=False, repr=False, compare=False)
    """The callback's name, quoted in errors; so are what it calls ``initial`` and ``target``."""
    initial_name: str = field(init=False, repr=False, compare=False)
    target_name: str = field(init=False, repr=False, compare=False)
    warms_up: bool = field(init=False, repr=False, compare=False)
    """Whether there is a warmup."""
    resume_ramps: bool = field(init=False, repr=False, compare=False)
    """Whether a resumed run warms up again."""
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
        if self.total not in ("auto", "max_time"):
            length = parse_duration(owner, "total", self.total, also=_TOTALS)
            if length.unit == "share" or length.amount == 0:
                raise ValueError(
                    f"{owner}(total={self.total!r}) is no length of a whole run: write 10000, '10000 steps',"
                    " '20 epochs', '8 hours', 'max_time' or 'auto'."
                )
        if parse_duration(owner, "late_group_warmup", self.late_group_warmup).unit == "second":
            raise ValueError(
                f"{owner}(late_group_warmup={self.late_group_warmup!r}) is a time, and a group that comes late is"
                " warmed up by its own steps: write steps."
            )
        self._check_clock()
        self._check_choices()
        self._derive("resume_ramps", self._has_a_ramp())
        self._check_replan()
        configured = self.warms_up or self.decay is not None or self.target is not None or self.resume_ramps
        self._derive("idle", not configured and not self.override_module_scheduler)
        measured = (part for part in (self.warmup, self.initial) if isinstance(part, Measured))
        self._derive("measured_warmup", next(measured, None))

    @property
    def quoted(self) -> str:
        """Which callback it is, for messages: with its two main parameters by their names."""
        parts = [] if self.parameter == "lr" else [f"parameter={self.parameter!r}"]
        parts += [f"warmup={self.warmup!r}", f"decay={self.decay!r}"]
        if self.optimizer is not None:
            parts.append(f"optimizer={self.optimizer}")
        return f"{self.owner}({', '.join(parts)})"

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

    def _has_a_ramp(self) -> bool:
        """Whether there is a ``resume_warmup``, checked."""
        ramp, call = self.resume_warmup, f"{self.owner}(resume_warmup={self.resume_warmup!r})"
        if isinstance(ramp, Warmup | Measured) or (isinstance(ramp, str) and ramp in (*WARMUP_NAMES, "catapult")):
            if not isinstance(ramp, Warmup) or ramp.counts_steps or ramp.measured:
                raise ValueError(
                    f"{call}: that warmup has no length of its own. Give a duration, 200 or '2%', or a shape with one,"
                    " CosineWarmup(200)."
                )
            length = parse_duration(type(ramp).__name__, "duration", ramp.duration)
        else:
            also = ", or a shape with a length: CosineWarmup('2%'), in YAML with class_path"
            length = parse_duration(self.owner, "resume_warmup", ramp, also=also)
        if length.unit == "second" and not self.by_clock:
            raise ValueError(f"{call} is a time, {TIME_NEEDS_A_CLOCK}.")
        given = length.amount > 0
        if given and isinstance(self.warmup, Warmup) and self.warmup.measured:
            raise ValueError(
                f"{call} with warmup={self.warmup!r}: a warmup that is measured goes on measuring on a resume. Leave"
                " resume_warmup out, or use another warmup."
            )
        return given

    def _check_replan(self) -> None:
        """``replan``, and what it needs."""
        call = f"{self.owner}(replan={self.replan!r})"
        if self.replan not in ("full", "rest"):
            raise ValueError(f"{call}: expected 'full' or 'rest'.")
        if self.replan == "full":
            return
        if isinstance(self.warmup, Warmup) and self.warmup.measured:
            raise ValueError(
                f"{call} with warmup={self.warmup!r}: nobody knows when a warmup that is measured has ended. Leave"
                " replan out, or use another warmup."
            )
        decay = decay_named(self.decay, self.owner) if isinstance(self.decay, str) else self.decay
        call = f"{self.owner}(replan='rest', decay={self.decay!r})"
        check_can_be_drawn_anew(call, cast(Decay | None, decay))

    @property
    def by_clock(self) -> bool:
        """Whether the run is planned by the clock: ``total`` is a time."""
        if self.total in ("auto", "max_time"):
            return self.total == "max_time"
        return parse_duration(self.owner, "total", self.total).unit == "second"

    @property
    def warms_by_clock(self) -> bool:
        """In a run by the clock, whether the warmup is a time too, or none: it counts no steps."""
        name = "duration" if isinstance(self.warmup, Warmup) else "warmup"
        value = self.warmup.duration if isinstance(self.warmup, Warmup) else self.warmup
        length = parse_duration(self.owner, name, value)
        return length.unit in ("share", "second") or length.amount == 0

    def _check_clock(self) -> None:
        owner = self.owner
        if not self.by_clock:
            for name in ("warmup", "hold", "decay_duration", "cooldown"):
                written = getattr(self, name)
                length = written.duration if isinstance(written, Warmup) and not written.counts_steps else written
                if isinstance(length, str) and parse_duration(owner, name, length).unit == "second":
                    raise ValueError(f"{owner}({name}={written!r}) is a time, {TIME_NEEDS_A_CLOCK}.")
            return
        call = f"{owner}(total={self.total!r}"
        for name, interval in (("interval", self.interval), ("warmup_interval", self.warmup_interval)):
            if interval == "epoch":
                raise ValueError(
                    f"{call}, {name}='epoch'): a run that the clock ends has no known number of epochs, and its values"
                    f" follow the time with every step. Leave {name} out."
                )
        for name, value in (("warmup", self.warmup), (self.initial_name, self.initial)):
            measured = isinstance(value, Measured) or (isinstance(value, Warmup) and value.measured)
            if measured or (isinstance(value, Warmup) and value.counts_steps):
                raise ValueError(
                    f"{call}, {name}={value!r}): that is a matter of single optimizer steps, and has no place on a"
                    f" clock. Use a warmup with a length, and a {self.initial_name} that is a number."
                )
        if self.decay_from == "start" and not self.warms_by_clock:
            raise ValueError(
                f"{call}, warmup={self.warmup!r}, decay_from='start'): the decay's clock counts time, and the warmup"
                " something else. Give the warmup as a share, such as '5%', or a time, such as '10 minutes'."
            )
        for name, value in (("resume_warmup", self.resume_warmup), ("replan", self.replan)):
            if value not in (0, "full"):
                raise ValueError(
                    f"{call}, {name}={value!r}): a run that the clock ends goes on where its time stands, by the curve"
                    f" of its whole time. Leave {name} out, or give total in steps or epochs."
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


def conflict(mine: ScheduleConfig, other: ScheduleConfig) -> str | None:
    """Why two schedules cannot be of one run; None if they can."""
    if mine.idle or other.idle or (None not in (mine.optimizer, other.optimizer) and mine.optimizer != other.optimizer):
        return None
    if mine.parameter == other.parameter:
        return (
            f"{mine.quoted} and {other.quoted} both write {mine.parameter!r} of the same optimizer. Remove one of them"
            " (a LightningCLI key and an entry in trainer.callbacks are two), or give each its own optimizer=."
        )
    if isinstance(mine.warmup, Beta2Warmup) and other.parameter == "beta2":
        return (
            f"{mine.quoted} follows from β2, and {other.quoted} changes that in the run. Use a warmup with a length, or"
            " give each its own optimizer=."
        )
    return None
