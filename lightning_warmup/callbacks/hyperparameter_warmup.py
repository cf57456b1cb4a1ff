"""The callback of every other hyper-parameter."""

from collections.abc import Mapping
from typing import Literal

from lightning_warmup.callbacks.schedule_callback import ScheduleCallback
from lightning_warmup.schedule.config import ScheduleConfig
from lightning_warmup.schedule.decays import Decay, DecayName
from lightning_warmup.schedule.durations import Duration, Interval
from lightning_warmup.schedule.measured import Measured
from lightning_warmup.schedule.sequential import DecayPart
from lightning_warmup.schedule.warmups import Warmup


class HyperparameterWarmup(ScheduleCallback):
    r"""Warm up, then decay, any other numeric hyper-parameter of the param groups, such as momentum or weight decay.

    The phases, durations and shapes are those of :class:`LearningRateWarmup`. Several may run beside one another and
    beside one :class:`LearningRateWarmup`, each for its own parameter.

    Args:
        parameter: Entry of the optimizer's param groups; on Adam-likes ``"momentum"`` means ``betas[0]``, and
            ``"beta2"`` means ``betas[1]``.
        warmup: How long to go from ``initial_value`` to the target: a duration (then linear), or a shape.
        decay: What follows, a factor of the target: a shape, its short name, a list of ``DecayPart`` (one after the
            other), or None for no decay. ``final`` may be above 1: one-cycle takes the momentum down and up again.
        initial_value: Value at step 0, required where there is a warmup: a number ≥ 0, ``"40%"`` of the target, or a
            mapping from the name of a param group (or ``"default"``) to one of these.
        target_value: Value at the end of the warmup: None for the optimizer's own, a number ≥ 0, or a mapping by group
            name (a null entry: that group's own).
        hold: Duration (as ``warmup``) at the target between warmup and decay.
        decay_duration: Duration (as ``warmup``) of the decay, which then ends where the cooldown begins; instead of
            ``hold``.
        cooldown: Duration (as ``warmup``) at the end of the run for which the decay's last value is held.
        total: Duration (as ``warmup``, but no share) of the whole run. "auto" asks the Trainer; a given one wins over
            it. "8 hours", "30 minutes", "90 seconds": the run ends with the clock, and shares are of the time that
            training takes; "max_time": the Trainer's.
        interval: Whether the schedule moves every optimizer ``"step"`` or every ``"epoch"``.
        warmup_interval: The same for the warmup alone; None: as ``interval``.
        optimizer: Index ≥ 0 of the optimizer to act on; None: all of them.
        resume: On resuming, set out from the values in the ``"checkpoint"``, or from those of the ``"config"``.
        resume_warmup: Duration (as ``warmup``) of a ramp on a resume, or a warmup with a length: as in
            :class:`LearningRateWarmup`, but without a ramp where nothing tells what was planned.
        replan: On a resume with another plan, as in :class:`LearningRateWarmup`.

    Raises:
        ValueError: If a parameter is out of range or contradicts another, or the param groups have no such entry; at
            fit start, if the phases are longer than the run or the run does not tell what a phase needs.
        MisconfigurationException: At fit start, if another callback is to set the same parameter.

    Example:
        >>> from lightning_warmup import CosineDecay, CosineWarmup, HyperparameterWarmup
        >>> momentum = HyperparameterWarmup(
        ...     "momentum", warmup=CosineWarmup(2), decay=CosineDecay(final=1.1), initial_value=0.95, target_value=0.85
        ... )
        >>> [round(value, 3) for value in momentum.values(0.9, total_steps=6, steps_per_epoch=6)]
        [0.95, 0.9, 0.85, 0.862, 0.892, 0.923]
    """

    def __init__(
        self,
        parameter: str,
        *,
        warmup: Duration | Warmup = 0,
        decay: Decay | DecayName | list[DecayPart] | None = None,
        initial_value: float | str | Mapping[str, float | str] | None = None,
        target_value: float | Mapping[str, float | None] | None = None,
        hold: Duration = 0,
        decay_duration: Duration | None = None,
        cooldown: Duration = 0,
        total: Duration | Literal["auto", "max_time"] = "auto",
        interval: Interval = "step",
        warmup_interval: Interval | None = None,
        optimizer: int | None = None,
        resume: Literal["checkpoint", "config"] = "checkpoint",
        resume_warmup: Duration | Warmup = 0,
        replan: Literal["full", "rest"] = "full",
    ) -> None:
        if parameter == "lr":
            raise ValueError("HyperparameterWarmup(parameter='lr'): the learning rate is LearningRateWarmup's.")
        config = ScheduleConfig(
            parameter=parameter,
            warmup=warmup,
            decay=decay,
            initial=initial_value,
            target=target_value,
            hold=hold,
            decay_duration=decay_duration,
            cooldown=cooldown,
            total=total,
            interval=interval,
            warmup_interval=warmup_interval,
            optimizer=optimizer,
            resume=resume,
            override_module_scheduler=False,
            resume_warmup=resume_warmup,
            replan=replan,
        )
        if isinstance(initial_value, Measured):
            raise ValueError(f"HyperparameterWarmup(initial_value={initial_value!r}): that is one of learning rates.")
        if isinstance(config.warmup, Warmup) and config.warmup.counts_steps:
            raise ValueError(f"HyperparameterWarmup(warmup={warmup!r}): that warmup is one of learning rates.")
        nothing = initial_value is None or (isinstance(initial_value, Mapping) and None in initial_value.values())
        if config.warms_up and nothing:
            raise ValueError(
                f"HyperparameterWarmup(parameter={parameter!r}, warmup={warmup!r}) says nothing of where the warmup"
                " starts: give initial_value=..."
            )
        super().__init__(config)
