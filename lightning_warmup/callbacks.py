"""The two callbacks that users add to a Trainer."""

from typing import Literal

from lightning_warmup.critical_lr import CriticalLearningRate, MeasuredLearningRate
from lightning_warmup.decays import Decay, DecayName
from lightning_warmup.durations import Duration, Interval
from lightning_warmup.scaling import BatchSizeScaling
from lightning_warmup.schedule_callback import ScheduleCallback
from lightning_warmup.settings import Settings
from lightning_warmup.warmups import Warmup


class LearningRateWarmup(ScheduleCallback):
    r"""Warm the learning rate up, then decay it, per optimizer step or per epoch.

    A run has the phases warmup (N) → hold → decay → cooldown, of total length T. ``value(t)`` is what optimizer step t
    (counted from 0) uses; with a warmup of N, ``value(0)`` is the initial value and ``value(N)`` is the target; past
    the end the final value is held. With ``interval="epoch"`` the same sentence holds with "epoch" for "step". A
    linear warmup is

    .. math:: \mathrm{value}(t) = \mathrm{initial} + (\mathrm{target} - \mathrm{initial}) \cdot t / N

    Micro-batches under gradient accumulation are not steps. Without any argument the callback changes nothing.

    A duration is an int (intervals: steps, or epochs with ``interval="epoch"``), a share of the run as a float in
    (0, 1) or ``"10%"``, or a string: ``"500 steps"``, ``"5 epochs"``, ``"50000 samples"``. It is rounded half up to
    whole intervals. Two of these callbacks on one Trainer need different ``optimizer`` indices.

    Args:
        warmup: How long to warm up: a duration (then linear), or a shape such as ``CosineWarmup("5%")``. A duration is
            500 (steps, or epochs with ``interval="epoch"``), a share of the run as 0.05 or "5%", or "500 steps",
            "5 epochs", "50000 samples".
        decay: What follows: a shape such as ``CosineDecay(final=0.1)``; its short name ``"constant"``, ``"linear"``,
            ``"cosine"``, ``"inverse_sqrt"`` or ``"one_minus_sqrt"``; or None for no decay.
        warmup_initial_lr: Learning rate at step 0: a number ≥ 0, ``"4%"`` of the target, or a mapping from the name of
            a param group (or ``"default"``) to one of these. None: target / (N + 1). ``"critical"``, or
            ``CriticalLearningRate(safety=0.5)``: half of the critical learning rate, measured on the first batch,
            which makes the warmup so much shorter.
        target_lr: Learning rate at the end of the warmup: None for the optimizer's own ``lr``; a number ≥ 0; a mapping
            by group name (a null entry: that group's own ``lr``); or ``LinearScaling(reference_batch_size)`` or
            ``SquareRootScaling(reference_batch_size)``.
        hold: Duration (as ``warmup``) at the target between warmup and decay.
        decay_duration: Duration (as ``warmup``) of the decay, which then ends where the cooldown begins; instead of
            ``hold``.
        cooldown: Duration (as ``warmup``) at the end of the run for which the decay's last value is held.
        total: Duration (as ``warmup``, but no share) of the whole run. "auto" asks the Trainer; a given one wins over
            it.
        interval: Whether the schedule moves every optimizer ``"step"`` or every ``"epoch"``.
        warmup_interval: The same for the warmup alone; None: as ``interval``. ``"epoch"`` before a per-step decay is
            SuperGradients' default.
        optimizer: Index ≥ 0 of the optimizer to act on, for modules that return several; None: all of them.
        resume: On resuming, set out from the learning rates in the ``"checkpoint"``, or from those of the ``"config"``.
        override_module_scheduler: Whether a scheduler that the module returns itself runs without effect. Without it,
            a warmup with ``decay=None`` is a factor on what that scheduler gives, and a decay beside it is an error.

    Raises:
        ValueError: If a parameter is out of range or contradicts another; at fit start, if the phases are longer than
            the run or the run does not tell what a phase needs.
        MisconfigurationException: At fit start, if something else is to set the learning rate too.

    Example:
        >>> from lightning.pytorch import Trainer
        >>> from lightning_warmup import LearningRateWarmup
        >>> warmup = LearningRateWarmup(4, decay="cosine", warmup_initial_lr=0.0)
        >>> trainer = Trainer(max_steps=8, callbacks=[warmup], logger=False, enable_checkpointing=False)
        >>> [round(lr, 3) for lr in warmup.values(0.1, total_steps=8, steps_per_epoch=4)]
        [0.0, 0.025, 0.05, 0.075, 0.1, 0.085, 0.05, 0.015]
    """

    def __init__(
        self,
        warmup: Duration | Warmup = 0,
        decay: Decay | DecayName | None = None,
        *,
        warmup_initial_lr: float | MeasuredLearningRate | str | dict[str, float | str | None] | None = None,
        target_lr: float | BatchSizeScaling | dict[str, float | None] | None = None,
        hold: Duration = 0,
        decay_duration: Duration | None = None,
        cooldown: Duration = 0,
        total: Duration | Literal["auto"] = "auto",
        interval: Interval = "step",
        warmup_interval: Interval | None = None,
        optimizer: int | None = None,
        resume: Literal["checkpoint", "config"] = "checkpoint",
        override_module_scheduler: bool = False,
    ) -> None:
        if warmup_initial_lr == "critical":
            warmup_initial_lr = CriticalLearningRate()
        settings = Settings(
            owner="LearningRateWarmup",
            warmup=warmup,
            decay=decay,
            initial_name="warmup_initial_lr",
            initial=warmup_initial_lr,
            target_name="target_lr",
            target=target_lr,
            hold=hold,
            decay_duration=decay_duration,
            cooldown=cooldown,
            total=total,
            interval=interval,
            warmup_interval=warmup_interval,
        )
        super().__init__(
            "lr", settings, optimizer=optimizer, resume=resume, override_module_scheduler=override_module_scheduler
        )

    @property
    def warmup_steps(self) -> int | None:
        """Optimizer steps that the warmup of the current or last ``fit`` takes.

        None before there was one, and where an epoch has no known number of steps. Of a warmup from β2 it is
        2 / (1 − β2); of one that measures, what is known of it so far.
        """
        if not self._tracks or self._start is None:
            return None
        curve = self._tracks[0].curve
        if curve.beta2:
            return round(max(2 / (1 - beta2) for beta2 in curve.beta2))
        length = curve.warmup_length * curve.warmup_stride
        if curve.clock == "step":
            return length
        per_epoch = self._start.run.steps_per_epoch
        return None if per_epoch is None else length * per_epoch


class HyperparameterWarmup(ScheduleCallback):
    r"""Warm up, then decay, any other numeric hyper-parameter of the param groups, such as momentum or weight decay.

    The phases, durations and shapes are those of :class:`LearningRateWarmup`. Several may run beside one another and
    beside one :class:`LearningRateWarmup`, each for its own parameter.

    Args:
        parameter: Entry of the optimizer's param groups; ``"momentum"`` means ``betas[0]`` on Adam-likes.
        warmup: How long to go from ``initial_value`` to the target: a duration (then linear), or a shape.
        decay: What follows, a factor of the target: a shape, its short name, or None for no decay. ``final`` may be
            above 1: one-cycle takes the momentum down and up again.
        initial_value: Value at step 0, required where there is a warmup: a number ≥ 0, ``"40%"`` of the target, or a
            mapping from the name of a param group (or ``"default"``) to one of these.
        target_value: Value at the end of the warmup: None for the optimizer's own, a number ≥ 0, or a mapping by group
            name (a null entry: that group's own).
        hold: Duration (as ``warmup``) at the target between warmup and decay.
        decay_duration: Duration (as ``warmup``) of the decay, which then ends where the cooldown begins; instead of
            ``hold``.
        cooldown: Duration (as ``warmup``) at the end of the run for which the decay's last value is held.
        total: Duration (as ``warmup``, but no share) of the whole run. "auto" asks the Trainer; a given one wins over
            it.
        interval: Whether the schedule moves every optimizer ``"step"`` or every ``"epoch"``.
        warmup_interval: The same for the warmup alone; None: as ``interval``.
        optimizer: Index ≥ 0 of the optimizer to act on; None: all of them.
        resume: On resuming, set out from the values in the ``"checkpoint"``, or from those of the ``"config"``.

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
        decay: Decay | DecayName | None = None,
        initial_value: float | str | dict[str, float | str] | None = None,
        target_value: float | dict[str, float | None] | None = None,
        hold: Duration = 0,
        decay_duration: Duration | None = None,
        cooldown: Duration = 0,
        total: Duration | Literal["auto"] = "auto",
        interval: Interval = "step",
        warmup_interval: Interval | None = None,
        optimizer: int | None = None,
        resume: Literal["checkpoint", "config"] = "checkpoint",
    ) -> None:
        if parameter == "lr":
            raise ValueError("HyperparameterWarmup(parameter='lr'): the learning rate is LearningRateWarmup's.")
        settings = Settings(
            owner="HyperparameterWarmup",
            warmup=warmup,
            decay=decay,
            initial_name="initial_value",
            initial=initial_value,
            target_name="target_value",
            target=target_value,
            hold=hold,
            decay_duration=decay_duration,
            cooldown=cooldown,
            total=total,
            interval=interval,
            warmup_interval=warmup_interval,
        )
        if isinstance(initial_value, MeasuredLearningRate):
            raise ValueError(f"HyperparameterWarmup(initial_value={initial_value!r}): that is one of learning rates.")
        if isinstance(warmup, Warmup) and warmup.counts_steps:
            raise ValueError(f"HyperparameterWarmup(warmup={warmup!r}): that warmup is one of learning rates.")
        nothing = initial_value is None or (isinstance(initial_value, dict) and None in initial_value.values())
        if settings.warms_up and nothing:
            raise ValueError(
                f"HyperparameterWarmup(parameter={parameter!r}, warmup={warmup!r}) says nothing of where the warmup"
                " starts: give initial_value=..."
            )
        super().__init__(parameter, settings, optimizer=optimizer, resume=resume)
