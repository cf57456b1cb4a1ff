"""The learning rate's callback."""

from collections.abc import Mapping
from typing import Literal

from lightning_warmup.callbacks.schedule_callback import ScheduleCallback
from lightning_warmup.critical.catapult import PersistentCatapultWarmup
from lightning_warmup.critical.critical_start import CriticalLearningRate
from lightning_warmup.schedule.config import ScheduleConfig
from lightning_warmup.schedule.decays import Decay, DecayName
from lightning_warmup.schedule.durations import Duration, Interval
from lightning_warmup.schedule.measured import MeasuredLearningRate
from lightning_warmup.schedule.scaling import BatchSizeScaling
from lightning_warmup.schedule.sequential import DecayPart
from lightning_warmup.schedule.warmups import Warmup


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
        warmup: How long to warm up, linearly: a duration, which is 500 (steps, or epochs with ``interval="epoch"``), a
            share of the run as 0.05 or "5%", or "500 steps", "5 epochs", "50000 samples". What has no length has a
            short name:
            ``untuned_linear`` (from β2, a line),
            ``untuned_exponential`` (from β2, an exponential),
            ``radam`` (from β2, RAdam's factor),
            ``sqrt_beta2`` (from β2, the fastest of them),
            ``catapult`` (measured on the run itself).
            Or a shape: ``CosineWarmup("5%")``, in YAML and as an option
            ``{class_path: CosineWarmup, init_args: {duration: 5%}}``.
        decay: What follows, by its short name:
            ``constant`` (none),
            ``linear`` (a line to 0),
            ``cosine`` (half a cosine to 0),
            ``polynomial`` (that line to a power),
            ``one_minus_sqrt`` (1 − √u, to 0),
            ``inverse_sqrt`` (one over the root of the steps).
            Or a shape: ``CosineDecay(final=0.1)``, in YAML and as an option
            ``{class_path: CosineDecay, init_args: {final: 0.1}}``. Or one after the other, a list of ``DecayPart``:
            ``[{decay: constant, duration: 80%}, {decay: linear}]``. None: no decay.
        warmup_initial_lr: Learning rate at step 0: a number ≥ 0, ``"4%"`` of the target, or a mapping from the name of
            a param group (or ``"default"``) to one of these. None: target / (N + 1). ``"critical"``: half of the
            critical learning rate, measured on the first batch, which makes the warmup so much shorter; another part
            of it is ``CriticalLearningRate(safety=0.3)``, in YAML and as an option
            ``{class_path: CriticalLearningRate, init_args: {safety: 0.3}}``.
        target_lr: Learning rate at the end of the warmup: None for the optimizer's own ``lr``; a number ≥ 0; a mapping
            by group name (a null entry: that group's own ``lr``); or by the batch size,
            ``LinearScaling(reference_batch_size=256)`` or ``SquareRootScaling``, in YAML and as an option
            ``{class_path: LinearScaling, init_args: {reference_batch_size: 256}}``.
        hold: Duration (as ``warmup``) at the target between warmup and decay.
        decay_duration: Duration (as ``warmup``) of the decay, which then ends where the cooldown begins; instead of
            ``hold``.
        cooldown: Duration (as ``warmup``) at the end of the run for which the decay's last value is held.
        total: Duration (as ``warmup``, but no share) of the whole run. "auto" asks the Trainer; a given one wins over
            it. "8 hours", "30 minutes", "90 seconds": the run ends with the clock, and shares are of the time that
            training takes; "max_time": the Trainer's.
        interval: Whether the schedule moves every optimizer ``"step"`` or every ``"epoch"``.
        warmup_interval: The same for the warmup alone; None: as ``interval``. ``"epoch"`` before a per-step decay is
            SuperGradients' default.
        optimizer: Index ≥ 0 of the optimizer to act on, for modules that return several; None: all of them.
        resume: On resuming, set out from the learning rates in the ``"checkpoint"``, or from those of the ``"config"``.
        override_module_scheduler: Whether a scheduler that the module returns itself runs without effect. Without it,
            a warmup with ``decay=None`` is a factor on what that scheduler gives, and a decay beside it is an error.
        late_group_warmup: Duration (as ``warmup``) over which a param group that comes in mid-run, as in fine-tuning,
            is warmed up from its own first step: step k of its N has (k + 1) / (N + 1) of what it would have without.
        decay_from: Whether the decay begins after the ``"warmup"``, at the target, or at the ``"start"`` of the run:
            its clock is then at 0 at step 0, and the warmup is a factor on it, 1 from N on.
        resume_warmup: On a resume with another plan, a warmup (a duration, then linear, or a shape with a length) from
            what the checkpoint's plan would have used to this one: a + (new(t) − a) · weight((t − s) / D), s being the
            resumed step and a what was planned for it. From s + D on it is the new plan. 0: none. An optimizer whose
            state is lost, and a checkpoint without this callback, come from new(s) / (D + 1).
        replan: On a resume with another plan (another length, or another value at the resumed step), take the curve of
            the whole run as it is now, ``"full"``; or ``"rest"``: what has begun stays as it was, and a decay that has
            begun is drawn anew from where it stands, p, to its end, f: f + (p − f) (d(u) − f) / (1 − f) over what is
            left of the run. A constant run that is resumed with a decay stands at p = 1.

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
        decay: Decay | DecayName | list[DecayPart] | None = None,
        *,
        warmup_initial_lr: float | MeasuredLearningRate | str | Mapping[str, float | str | None] | None = None,
        target_lr: float | BatchSizeScaling | Mapping[str, float | None] | None = None,
        hold: Duration = 0,
        decay_duration: Duration | None = None,
        cooldown: Duration = 0,
        total: Duration | Literal["auto", "max_time"] = "auto",
        interval: Interval = "step",
        warmup_interval: Interval | None = None,
        optimizer: int | None = None,
        resume: Literal["checkpoint", "config"] = "checkpoint",
        override_module_scheduler: bool = False,
        late_group_warmup: Duration = 0,
        decay_from: Literal["warmup", "start"] = "warmup",
        resume_warmup: Duration | Warmup = 0,
        replan: Literal["full", "rest"] = "full",
    ) -> None:
        if warmup_initial_lr == "critical":
            warmup_initial_lr = CriticalLearningRate()
        if warmup == "catapult":
            warmup = PersistentCatapultWarmup()
        config = ScheduleConfig(
            parameter="lr",
            warmup=warmup,
            decay=decay,
            initial=warmup_initial_lr,
            target=target_lr,
            hold=hold,
            decay_duration=decay_duration,
            cooldown=cooldown,
            total=total,
            interval=interval,
            warmup_interval=warmup_interval,
            optimizer=optimizer,
            resume=resume,
            override_module_scheduler=override_module_scheduler,
            late_group_warmup=late_group_warmup,
            decay_from=decay_from,
            resume_warmup=resume_warmup,
            replan=replan,
        )
        super().__init__(config)

    @property
    def warmup_steps(self) -> int | None:
        """Optimizer steps that the warmup of the current or last ``fit`` takes.

        None before there was one, and where an epoch has no known number of steps. Of a warmup from β2 it is
        2 / (1 − β2); of one that measures, what is known of it so far.
        """
        return self._warmup_steps
