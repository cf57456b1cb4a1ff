"""What the Lightning callbacks share: thin hooks that count optimizer steps and write a schedule into param groups."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import lightning.pytorch as pl
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, Timer
from lightning_utilities.core.rank_zero import rank_zero_info, rank_zero_warn
from torch.optim import Optimizer
from typing_extensions import override

from lightning_warmup import param_groups
from lightning_warmup.checks import is_number
from lightning_warmup.describe import describe
from lightning_warmup.durations import Run
from lightning_warmup.preview import plot_steps
from lightning_warmup.run_length import trainer_run
from lightning_warmup.settings import Curve, Settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

State = dict[str, Any]


@dataclass
class _Track:
    """One optimizer's way along its curve."""

    optimizer: Optimizer
    key: str
    """Entry of the param groups that is written."""
    own: list[float]
    """The groups' own values at the start of training: the base of everything else."""
    curve: Curve
    steps: int
    """Optimizer steps taken; those that a GradScaler skipped are not."""
    written: list[float] | None = None
    """What the groups hold if nobody else writes, and the t that it belongs to."""
    written_at: int = -1


@dataclass
class _Pending:
    """An optimizer step between ``on_before_optimizer_step`` and its end."""

    track: _Track
    trainer: pl.Trainer
    global_step: int
    scale: float | None

    def taken(self) -> bool:
        """Whether the step happened: Lightning counted it, and no GradScaler skipped it."""
        if self.trainer.global_step == self.global_step:
            return False
        return self.scale is None or _scale(self.trainer) >= self.scale  # type: ignore[operator]


class ScheduleCallback(Callback):
    """One schedule of one hyper-parameter: what :class:`LearningRateWarmup` and :class:`HyperparameterWarmup` share.

    Values are absolute and a pure function of the optimizer steps taken. The value of the next step is written as soon
    as a step is done, so that whoever reads the groups before it (LearningRateMonitor, say) sees it in any order of
    callbacks.
    """

    def __init__(
        self, parameter: str, settings: Settings, *, optimizer: int | None, resume: Literal["checkpoint", "config"]
    ) -> None:
        owner = settings.owner
        if optimizer is not None and (not isinstance(optimizer, int) or isinstance(optimizer, bool) or optimizer < 0):
            raise ValueError(f"{owner}(optimizer={optimizer!r}): expected the index of an optimizer, or None for all.")
        if resume not in ("checkpoint", "config"):
            raise ValueError(f"{owner}(resume={resume!r}): expected 'checkpoint' or 'config'.")
        self._parameter = parameter
        self._settings = settings
        self._optimizer = optimizer
        self._resume = resume
        self._reset()

    def _reset(self) -> None:
        """Forget the last ``fit``."""
        self._tracks: list[_Track] = []
        self._pending: _Pending | None = None
        self._loaded: State = {}
        self._resumed_step = 0
        self._fresh: list[list[float]] = []
        self._max_epochs: int | None = None
        self._first_epoch = 0
        self._first_step = 0
        self._total: int | None = None
        self._told_of_writer = False

    def __repr__(self) -> str:
        settings = self._settings
        return f"{settings.owner}(warmup={settings.warmup!r}, decay={settings.decay!r}, optimizer={self._optimizer!r})"

    # --- without a Trainer -----------------------------------------------------------------------------------------

    def values(
        self,
        lr: float | Mapping[str, float],
        *,
        total_steps: int,
        steps_per_epoch: int,
        betas: tuple[float, float] | None = None,
        batch_size: int | None = None,
    ) -> Any:
        """What each of ``total_steps`` optimizer steps would use, without a Trainer.

        Args:
            lr: The optimizer's own value (of a learning rate: its ``lr``), or a mapping from group name to one.
            total_steps: Optimizer steps of the whole run, ≥ 1.
            steps_per_epoch: Optimizer steps of an epoch, ≥ 1.
            betas: The optimizer's ``betas``, for warmups that depend on them.
            batch_size: Global batch size, for durations in samples and targets that scale with it.

        Returns:
            A list of ``total_steps`` values, the one at index t for optimizer step t; for a mapping, one such list by
            group name.

        Raises:
            ValueError: If an argument is out of range, the phases do not fit into the run, or a value depends on the
                run itself or on an argument that was not given.

        >>> from lightning_warmup import LearningRateWarmup
        >>> lrs = LearningRateWarmup(2, "linear").values(0.3, total_steps=6, steps_per_epoch=3)
        >>> [round(lr, 3) for lr in lrs]
        [0.1, 0.2, 0.3, 0.225, 0.15, 0.075]
        """
        settings = self._settings
        for name, count in (
            ("total_steps", total_steps),
            ("steps_per_epoch", steps_per_epoch),
            ("batch_size", 1 if batch_size is None else batch_size),
        ):
            if not isinstance(count, int) or isinstance(count, bool) or count < 1:
                raise ValueError(f"{settings.owner}.values({name}={count!r}): expected an int ≥ 1.")
        names: list[str | None] = list(lr) if isinstance(lr, Mapping) else [None]
        own = list(lr.values()) if isinstance(lr, Mapping) else [lr]
        for value in own:
            if not is_number(value) or value < 0:
                raise ValueError(f"{settings.owner}.values(lr={lr!r}): expected finite numbers ≥ 0.")
        run = Run(
            steps=total_steps,
            epochs=math.ceil(total_steps / steps_per_epoch),
            steps_per_epoch=steps_per_epoch,
            batch_size=batch_size,
            no_batch_size="give values(..., batch_size=...)",
        )
        curve = settings.curve(settings.with_total(run), names, own)
        by_step = curve.schedule.clock == "step"
        rows = [curve.values(t if by_step else t // steps_per_epoch) for t in range(total_steps)]
        if isinstance(lr, Mapping):
            return {name: [row[i] for row in rows] for i, name in enumerate(lr)}
        return [row[0] for row in rows]

    def plot(
        self,
        lr: float | Mapping[str, float],
        *,
        total_steps: int,
        steps_per_epoch: int,
        ax: "Axes | None" = None,
    ) -> "tuple[Figure, Axes]":
        """Plot :meth:`values` over the optimizer steps.

        Args:
            lr: As in :meth:`values`.
            total_steps: As in :meth:`values`.
            steps_per_epoch: As in :meth:`values`.
            ax: Axes to draw on; None makes a new figure.

        Returns:
            The figure and the axes, as torchmetrics does.

        Raises:
            ModuleNotFoundError: Without matplotlib (``pip install "lightning_warmup[plot]"``).
            ValueError: As :meth:`values`.

        >>> from lightning_warmup import LearningRateWarmup
        >>> figure, axes = LearningRateWarmup(10, "cosine").plot(0.1, total_steps=100, steps_per_epoch=20)
        >>> axes.get_xlabel(), axes.get_ylabel()
        ('optimizer step', 'lr')
        """
        values = self.values(lr, total_steps=total_steps, steps_per_epoch=steps_per_epoch)
        lines = values if isinstance(lr, Mapping) else {None: values}
        return plot_steps(lines, self._parameter, ax)

    # --- before the first step -------------------------------------------------------------------------------------

    @override
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        self._reset()
        # Read here: StochasticWeightAveraging adds an epoch without steps in on_fit_start.
        self._max_epochs = trainer.max_epochs
        for other in trainer.callbacks:  # type: ignore[attr-defined]
            if other is not self and isinstance(other, ScheduleCallback) and self._clashes(other):
                raise MisconfigurationException(
                    f"{self!r} and {other!r} both write {self._parameter!r} of the same optimizer. Remove one of them"
                    " (a LightningCLI key and an entry in trainer.callbacks are two), or give each its own optimizer=."
                )

    def _clashes(self, other: "ScheduleCallback") -> bool:
        same_optimizer = None in (self._optimizer, other._optimizer) or self._optimizer == other._optimizer
        idle = self._settings.idle or other._settings.idle
        return self._parameter == other._parameter and same_optimizer and not idle

    @override
    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Even in a resumed run the optimizers are still as configure_optimizers made them here.
        if not self._settings.idle:
            self._fresh = [self._read(optimizer) for optimizer in self._optimizers(trainer)]

    @override
    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self._resumed_step = checkpoint["global_step"]

    @override
    def load_state_dict(self, state_dict: State) -> None:
        # FSDP and DeepSpeed load after on_fit_start: nothing is made of the state before on_train_start.
        self._loaded = state_dict

    @override
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._settings.idle:
            return
        self._check_module_scheduler(trainer)
        resumed = self._resumed_step > 0
        self._first_epoch = self._loaded.get("first_epoch", 0 if resumed else trainer.current_epoch)
        self._first_step = self._loaded.get("first_step", 0 if resumed else trainer.global_step)
        run = trainer_run(
            trainer,
            automatic=pl_module.automatic_optimization,
            max_epochs=self._max_epochs,
            first_epoch=self._first_epoch,
            first_step=self._first_step,
        )
        planned = self._settings.with_total(run)
        try:
            for i, optimizer in enumerate(self._optimizers(trainer)):
                if optimizer.param_groups:
                    self._tracks.append(self._track(optimizer, i, planned))
        except ValueError as error:
            if not trainer.fast_dev_run:  # type: ignore[attr-defined]
                raise
            rank_zero_info(f"fast_dev_run is too short for this schedule, which stands aside: {error}")
            self._tracks = []
            return
        self._tell(trainer, run, planned)
        self._apply(trainer.current_epoch)

    def _track(self, optimizer: Optimizer, i: int, run: Run) -> _Track:
        """Where this optimizer stands at the start of training, by its checkpoint if there is one."""
        settings = self._settings
        names = [group.get("name") for group in optimizer.param_groups]
        own = self._read(optimizer)
        steps = self._resumed_step
        target = None
        if self._loaded:
            loaded = self._loaded["optimizers"][i]
            steps = loaded["steps"]
            if self._resume == "checkpoint":
                own, target = loaded["own"], loaded["target"]
            else:
                own = self._fresh[i]
        curve = settings.curve(run, names, own)
        if target is not None and target != curve.target:
            rank_zero_warn(
                f"{settings.owner}({settings.target_name}={settings.target!r}) asks for {curve.target}, the checkpoint"
                f" was trained towards {target}, and the checkpoint wins. Give resume='config' to use the new one."
            )
            curve = settings.curve(run, names, own, target)
        return _Track(optimizer, self._key(optimizer), own, curve, steps)

    def _optimizers(self, trainer: pl.Trainer) -> list[Optimizer]:
        optimizers: list[Optimizer] = trainer.optimizers
        if self._optimizer is None:
            return optimizers
        if self._optimizer >= len(optimizers):
            raise MisconfigurationException(
                f"{self._settings.owner}(optimizer={self._optimizer}): the module has {len(optimizers)} optimizer(s),"
                " counted from 0."
            )
        return [optimizers[self._optimizer]]

    def _key(self, optimizer: Optimizer) -> str:
        return param_groups.key_of(self._settings.owner, self._parameter, optimizer.param_groups[0])

    def _read(self, optimizer: Optimizer) -> list[float]:
        groups = optimizer.param_groups
        return param_groups.read(groups, self._key(optimizer)) if groups else []

    def _check_module_scheduler(self, trainer: pl.Trainer) -> None:
        if self._parameter == "lr" and trainer.lr_scheduler_configs:
            names = ", ".join(type(config.scheduler).__name__ for config in trainer.lr_scheduler_configs)
            raise MisconfigurationException(
                f"{self!r} and the module's own scheduler ({names}) would both set the learning rate. Return only the"
                " optimizer from configure_optimizers."
            )

    def _tell(self, trainer: pl.Trainer, run: Run, planned: Run) -> None:
        """Say once what will happen."""
        owner, interval = self._settings.owner, self._settings.interval
        for track in self._tracks:
            names = [group.get("name") for group in track.optimizer.param_groups]
            at = f" (continuing at step {track.steps:,})" if track.steps else ""
            rank_zero_info(f"{owner}: {describe(track.curve, names, self._parameter)}{at}")
        ours, theirs = planned.total(interval), run.total(interval)
        if ours is not None and theirs is not None and ours != theirs:
            rank_zero_info(f"{owner}: planned over total={ours:,} {interval}s, while the Trainer runs for {theirs:,}.")
        before = self._loaded.get("total")
        if before is not None and before != ours:
            rank_zero_info(
                f"{owner}: the checkpoint's curve was planned over {before:,} {interval}s, this one over {ours}."
            )
        self._total = ours
        has_timer = any(isinstance(callback, Timer) for callback in trainer.callbacks)  # type: ignore[attr-defined]
        if has_timer and any(t.curve.schedule.decay_end < math.inf for t in self._tracks if t.curve.schedule.decay):
            rank_zero_warn(f"{owner}: max_time may end the run before a curve planned over {ours} {interval}s.")

    # --- every step ------------------------------------------------------------------------------------------------

    def _apply(self, epoch: int) -> None:
        """Write the value of the next step, unless it stands there already."""
        for track in self._tracks:
            t = track.steps if track.curve.schedule.clock == "step" else epoch - self._first_epoch
            if t != track.written_at:
                track.written = track.curve.values(t)
                track.written_at = t
                param_groups.write(track.optimizer.param_groups, track.key, track.written)

    @override
    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._apply(trainer.current_epoch)

    @override
    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        # Again, because a run resumed in mid-epoch has no on_train_epoch_start.
        self._apply(trainer.current_epoch)

    @override
    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        for track in self._tracks:
            if track.optimizer is optimizer:
                global_step = trainer.global_step
                pending = self._pending
                if pending is not None and pending.track is track and pending.global_step == global_step:
                    return  # the closure of LBFGS, called again within one step
                self._settle()
                self._apply(trainer.current_epoch)
                self._pending = _Pending(track, trainer, global_step, _scale(trainer))

    @override
    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._pending is not None:
            self._settle()
            self._apply(trainer.current_epoch)

    @override
    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._apply(trainer.current_epoch + 1)

    def _settle(self) -> None:
        """Count the step that was under way."""
        if self._pending is not None:
            self._pending.track.steps += self._pending.taken()
            self._pending = None

    # --- checkpoints -----------------------------------------------------------------------------------------------

    @property
    @override
    def state_key(self) -> str:
        # Nothing of the schedule is in the key: an edited schedule still finds its state.
        return self._generate_state_key(parameter=self._parameter, optimizer=self._optimizer)

    @override
    def state_dict(self) -> State:
        """What a resumed run cannot compute again: where it stands and what it set out from, in plain Python."""
        if not self._tracks:
            return {}
        pending = self._pending
        return {
            "optimizers": [
                {
                    # An exception may be saved between a step and on_train_batch_end.
                    "steps": track.steps + (pending is not None and pending.track is track and pending.taken()),
                    "own": track.own,
                    "target": list(track.curve.target),
                }
                for track in self._tracks
            ],
            "first_epoch": self._first_epoch,
            "first_step": self._first_step,
            "total": self._total,
        }


def _scale(trainer: pl.Trainer) -> float | None:
    """The GradScaler's scale, which falls when it skips a step; None without one."""
    scaler = getattr(trainer.precision_plugin, "scaler", None)
    return None if scaler is None else scaler.get_scale()
