"""What the Lightning callbacks share: thin hooks that count optimizer steps and write a schedule into param groups."""

import math
from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any, Literal

import lightning.pytorch as pl
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import BaseFinetuning, Callback, StochasticWeightAveraging, Timer
from lightning_utilities.core.rank_zero import rank_zero_info, rank_zero_warn
from torch.optim import Optimizer
from typing_extensions import override

from lightning_warmup import param_groups
from lightning_warmup.adaptive import AdaptiveStart, adaptive_start
from lightning_warmup.announce import announce
from lightning_warmup.critical_lr import MeasuredLearningRate
from lightning_warmup.durations import TooShortError
from lightning_warmup.logged_metric import logged_metric
from lightning_warmup.module_scheduler import ModuleScheduler, find_module_scheduler
from lightning_warmup.plateau import ReduceOnPlateauDecay, _Plateau
from lightning_warmup.preview import Previewed
from lightning_warmup.run_length import trainer_run
from lightning_warmup.settings import Settings
from lightning_warmup.starting_point import StartingPoint
from lightning_warmup.step_counter import StepCounter
from lightning_warmup.track import State, Track
from lightning_warmup.warmups import Warmup


class ScheduleCallback(Previewed, Callback, ABC):
    """One schedule of one hyper-parameter: what :class:`LearningRateWarmup` and :class:`HyperparameterWarmup` share.

    Values are absolute and a pure function of the optimizer steps taken. The value of the next step is written as soon
    as a step is done, so that whoever reads the groups before it (LearningRateMonitor, say) sees it in any order of
    callbacks.
    """

    @abstractmethod
    def __init__(
        self,
        parameter: str,
        settings: Settings,
        *,
        optimizer: int | None,
        resume: Literal["checkpoint", "config"],
        override_module_scheduler: bool = False,
    ) -> None:
        owner = settings.owner
        if optimizer is not None and (not isinstance(optimizer, int) or isinstance(optimizer, bool) or optimizer < 0):
            raise ValueError(f"{owner}(optimizer={optimizer!r}): expected the index of an optimizer, or None for all.")
        if resume not in ("checkpoint", "config"):
            raise ValueError(f"{owner}(resume={resume!r}): expected 'checkpoint' or 'config'.")
        if not isinstance(override_module_scheduler, bool):
            raise ValueError(
                f"{owner}(override_module_scheduler={override_module_scheduler!r}): expected True or False."
            )
        self._parameter = parameter
        self._settings = settings
        self._optimizer = optimizer
        self._resume = resume
        self._override_module_scheduler = override_module_scheduler
        self._module_scheduler: ModuleScheduler | None = None
        self._counter = StepCounter()
        self._forget()

    @property
    def warms_up(self) -> bool:
        """Whether there is a warmup."""
        return self._settings.warms_up

    @property
    def measures(self) -> bool:
        """Whether a warmup is configured that looks at the optimizer's step."""
        return isinstance(self._settings.measured, Warmup | MeasuredLearningRate)

    @property
    def _idle(self) -> bool:
        """Nothing is configured, so nothing is changed: what a LightningCLI key has by default."""
        return self._settings.idle and not self._override_module_scheduler

    def _forget(self) -> None:
        """Forget the last ``fit``."""
        self._let_go()
        self._tracks: list[Track] = []
        self._loaded: State = {}
        self._resumed_step = 0
        self._fresh: dict[int, list[float]] = {}
        self._max_epochs: int | None = None
        self._first_epoch = 0
        self._first_step = 0
        self._total: int | None = None
        self._plateau: _Plateau | None = None
        self._adaptive: AdaptiveStart | None = None
        self._measuring: AdaptiveStart | None = None  # the same, until all is known
        self._start: StartingPoint | None = None
        self._handed_over = False
        self._warned_of_writer = False
        self._warned_of_nan = False

    def _let_go(self) -> None:
        """Leave the module and its optimizers as they were found."""
        if self._module_scheduler is not None:
            self._module_scheduler.remove()
            self._module_scheduler = None
        self._counter.remove()
        self._counter = StepCounter()

    def __repr__(self) -> str:
        settings = self._settings
        parts = [] if self._parameter == "lr" else [f"parameter={self._parameter!r}"]
        parts += [f"warmup={settings.warmup!r}", f"decay={settings.decay!r}"]
        if self._optimizer is not None:
            parts.append(f"optimizer={self._optimizer}")
        return f"{settings.owner}({', '.join(parts)})"

    # --- before the first step -------------------------------------------------------------------------------------

    @override
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        self._forget()
        # Read here: StochasticWeightAveraging adds an epoch without steps in on_fit_start.
        self._max_epochs = trainer.max_epochs
        others = list(_callbacks(trainer))
        others.remove(self)  # once: the same object may be there twice
        for other in others:
            if isinstance(other, ScheduleCallback) and self._clashes(other):
                raise MisconfigurationException(
                    f"{self!r} and {other!r} both write {self._parameter!r} of the same optimizer. Remove one of them"
                    " (a LightningCLI key and an entry in trainer.callbacks are two), or give each its own optimizer=."
                )

    def _clashes(self, other: "ScheduleCallback") -> bool:
        same_optimizer = None in (self._optimizer, other._optimizer) or self._optimizer == other._optimizer
        idle = self._idle or other._idle
        return self._parameter == other._parameter and same_optimizer and not idle

    @override
    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self._idle:
            # Even in a resumed run the optimizers are still as configure_optimizers made them here.
            self._fresh = {index: self._read(optimizer) for index, optimizer in self._optimizers(trainer)}

    @override
    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self._resumed_step = checkpoint["global_step"]
        states = checkpoint.get("callbacks", {})
        if self.state_key not in states:
            # The same schedule, then of all optimizers, now of one, or the other way round.
            same = self._generate_state_key(parameter=self._parameter).removesuffix("}")
            for key, state in states.items():
                ours = isinstance(key, str) and key.startswith(same)
                if ours and (self._optimizer is None or self._optimizer in state["optimizers"]):
                    self._loaded = {
                        **state,
                        "optimizers": {**self._loaded.get("optimizers", {}), **state["optimizers"]},
                    }

    @override
    def load_state_dict(self, state_dict: State) -> None:
        # FSDP and DeepSpeed load after on_fit_start: nothing is made of the state before on_train_start.
        self._loaded = state_dict

    @override
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._idle:
            return
        optimizers = self._optimizers(trainer)
        self._check_finetuning(trainer)
        module_scheduler = None
        if self._parameter == "lr":
            module_scheduler = find_module_scheduler(trainer, [optimizer for _, optimizer in optimizers])
        if module_scheduler is not None and not self._override_module_scheduler:
            module_scheduler.check_composes(self._settings, automatic=pl_module.automatic_optimization)
        # A second fit on one Trainer goes on counting where we begin anew.
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
        if isinstance(self._settings.decay, ReduceOnPlateauDecay):
            self._plateau = _Plateau(self._settings.decay, self._loaded.get("plateau"))
        try:
            planned = self._settings.with_total(run)
            self._adaptive = adaptive_start(self._settings, planned, self._loaded.get("adaptive"))
            settings = self._settings
            if self._adaptive is not None:
                settings = self._adaptive.settings()
            self._start = StartingPoint(
                settings=settings,
                run=planned,
                resume=self._resume,
                loaded=self._loaded.get("optimizers", {}),
                resumed_step=self._resumed_step,
                fresh=self._fresh,
                module_scheduler=module_scheduler,
                overrides=self._override_module_scheduler,
                several=len(trainer.optimizers) > 1,
                plateau=self._plateau,
            )
            self._tracks = [self._start.track(i, optimizer, self._key(optimizer)) for i, optimizer in optimizers]
        except TooShortError as error:
            if not trainer.fast_dev_run:  # type: ignore[attr-defined]
                raise
            rank_zero_info(f"fast_dev_run is too short for this schedule, which stands aside: {error}")
            self._adaptive = None
            return
        self._counter = StepCounter(repr(self), trainer, self._tracks)
        self._module_scheduler = module_scheduler
        if module_scheduler is not None and self._override_module_scheduler:
            module_scheduler.override(pl_module, self._tracks)
            if self._settings.target is None:
                module_scheduler.warn_of_replaced_base(self._settings.owner, self._tracks)
        elif module_scheduler is not None:
            module_scheduler.compose(
                pl_module, self._tracks, self._adopt_new_groups, lambda: self._write(trainer, again=True)
            )
        if self._adaptive is not None and not self._adaptive.settled and self._tracks:
            self._measuring = self._adaptive
            self._measuring.check(trainer, pl_module, self._tracks)
        interval = self._settings.interval
        self._total = planned.total(interval)
        announce(
            self._settings,
            self._parameter,
            self._tracks,
            trainer_run=run,
            planned=planned,
            checkpoint_total=self._loaded.get("total") if self._loaded.get("interval") == interval else None,
            module_scheduler=module_scheduler,
            max_time=any(isinstance(c, Timer) and c.time_remaining() is not None for c in _callbacks(trainer)),
        )
        self._hand_over(trainer, trainer.current_epoch)
        self._write(trainer)

    def _optimizers(self, trainer: pl.Trainer) -> list[tuple[int, Optimizer]]:
        """The optimizers to act on, with their index; one without param groups has nothing to act on."""
        optimizers: list[Optimizer] = trainer.optimizers
        if self._optimizer is not None and self._optimizer >= len(optimizers):
            raise MisconfigurationException(
                f"{self._settings.owner}(optimizer={self._optimizer}): the module has {len(optimizers)} optimizer(s),"
                " counted from 0."
            )
        return [
            (index, optimizer)
            for index, optimizer in enumerate(optimizers)
            if self._optimizer in (None, index) and optimizer.param_groups
        ]

    def _key(self, optimizer: Optimizer) -> str:
        return param_groups.key_of(self._settings.owner, self._parameter, optimizer.param_groups[0])

    def _read(self, optimizer: Optimizer) -> list[float]:
        return param_groups.read(optimizer.param_groups, self._key(optimizer))

    def _check_finetuning(self, trainer: pl.Trainer) -> None:
        """A fine-tuning callback that resumes before us has replaced the values that the config gave the groups."""
        before = _callbacks(trainer)[: _callbacks(trainer).index(self)]
        if self._resume == "config" and self._loaded and any(isinstance(c, BaseFinetuning) for c in before):
            raise MisconfigurationException(
                f"{self._settings.owner}(resume='config') comes after a fine-tuning callback, which has put the"
                " checkpoint's values in the place of the config's. Put it before that in callbacks."
            )

    # --- every step ------------------------------------------------------------------------------------------------

    def _write(self, trainer: pl.Trainer, *, epochs_ahead: int = 0, again: bool = False) -> None:
        """Write the value of the next step, unless it stands there already (``again``: even then)."""
        if self._handed_over:
            return
        self._adopt_new_groups()
        for track in self._tracks:
            t = track.steps
            if not track.by_step:
                # Step t belongs to epoch t // steps_per_epoch; where that is unknown, to the Trainer's.
                assert self._start is not None
                per_epoch = self._start.run.steps_per_epoch
                t = t // per_epoch if per_epoch else trainer.current_epoch + epochs_ahead - self._first_epoch
            if again or t != track.written_at:
                track.write(t)

    def _adopt_new_groups(self) -> None:
        for track in self._tracks:
            new = len(track.optimizer.param_groups) - len(track.own)
            if new < 0:
                raise MisconfigurationException(
                    f"{self._settings.owner}: {-new} param group(s) were taken from the optimizer after training began,"
                    " and nothing tells which. Freeze their parameters instead (requires_grad_(False))."
                )
            if new > 0:
                values = ", ".join(f"{value:.4g}" for value in track.adopt())
                rank_zero_warn(
                    f"{self._settings.owner}: {new} param group(s) came after training began, with"
                    f" {self._parameter}={values} at step {track.steps:,}; from there on they follow the first group's"
                    " curve in proportion."
                )

    def _hand_over(self, trainer: pl.Trainer, epoch: int) -> None:
        """Leave the learning rate to StochasticWeightAveraging from its start epoch on."""
        if self._parameter != "lr" or self._handed_over:
            return
        for callback in _callbacks(trainer):
            if isinstance(callback, StochasticWeightAveraging) and epoch >= callback.swa_start:
                self._handed_over = True
                if self._module_scheduler is not None:
                    self._module_scheduler.remove()
                rank_zero_info(f"{self._settings.owner}: StochasticWeightAveraging sets the lr from epoch {epoch} on.")

    @override
    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._hand_over(trainer, trainer.current_epoch)
        for track in self._tracks:
            track.look_again()
        self._write(trainer)

    @override
    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if batch_idx == 0:
            # Again, because callbacks that come after us may have added param groups in on_train_epoch_start.
            self._write(trainer)
        if self._measuring is not None and self._measuring.due(self._tracks[0].steps):
            self._measuring.see(trainer, batch, batch_idx)

    @override
    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        if self._counter.track is not None:
            # LBFGS calls its closure several times in one step; manual optimization takes several steps in one batch.
            if self._counter.repeats(optimizer):
                return
            self._count_step(trainer)
        for track in self._tracks:
            if track.optimizer is optimizer:
                self._counter.begin(track)
                if self._measuring is not None or not track.untouched():
                    self._before_step(trainer, pl_module, track)

    def _before_step(self, trainer: pl.Trainer, pl_module: pl.LightningModule, track: Track) -> None:
        """Take back what somebody else wrote, and measure what is to be measured."""
        self._write(trainer)
        if not self._handed_over and not track.untouched():
            self._tell_of_writer(track, "before", f"{self!r} wrote its own value over it, and will go on doing so")
            self._write(trainer, again=True)
        if self._measuring is not None:
            self._measure(self._measuring, trainer, pl_module, track)

    def _tell_of_writer(self, track: Track, when: str, what: str) -> None:
        """Say once that somebody else wrote our values."""
        group = track.overwritten()
        if group is None or self._warned_of_writer or self._override_module_scheduler:
            return
        self._warned_of_writer = True
        name = track.names[group] or f"group {group}"
        rank_zero_warn(
            f"Something else wrote {self._parameter!r} of the param group {name!r} {when} step {track.steps:,}: {what}."
            f" Leave {self._parameter!r} to {self._settings.owner}."
        )

    def _measure(
        self, adaptive: AdaptiveStart, trainer: pl.Trainer, pl_module: pl.LightningModule, track: Track
    ) -> None:
        """Let a warmup that measures look at the step, and plan anew once all is known."""
        if adaptive.due(track.steps):
            adaptive.measure(trainer, pl_module, track, track.undamped or track.curve.target)
        if adaptive.settled:
            assert self._start is not None
            track.curve = self._start.replanned(track, adaptive.settings())
            self._measuring = None
        self._write(trainer, again=True)

    @override
    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._count_step(trainer)

    def _count_step(self, trainer: pl.Trainer) -> None:
        """Count the step under way, if there is one and it happened, and write the value of the next."""
        track = self._counter.settle()
        if track is None or self._handed_over:
            return
        if len(track.optimizer.param_groups) != len(track.own):
            self._adopt_new_groups()
        # Who writes after on_before_optimizer_step is heard of now, the first time and now and then.
        if track.steps % 64 == 1 and not self._warned_of_writer:
            self._tell_of_writer(track, "after", "that step may have used it")
        if track.by_step:
            track.write(track.steps)
        else:
            self._write(trainer)

    @override
    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.enable_validation:
            self._evaluate(trainer, pl_module)
        self._hand_over(trainer, trainer.current_epoch + 1)
        self._write(trainer, epochs_ahead=1)

    # --- every evaluation ------------------------------------------------------------------------------------------

    @override
    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._evaluate(trainer, pl_module)

    def _evaluate(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Show the metric to a decay that follows one."""
        if self._plateau is None or not self._tracks or self._handed_over:
            return
        track = self._tracks[0]
        curve = track.curve
        t = track.steps if track.by_step else trainer.current_epoch - self._first_epoch
        if not curve.decay_start <= t // curve.decay_stride < curve.decay_end:
            return
        monitor = self._plateau.spec.monitor
        value = logged_metric(trainer, pl_module, monitor)
        if math.isnan(value) and not self._warned_of_nan:
            self._warned_of_nan = True
            rank_zero_warn(f"ReduceOnPlateauDecay: {monitor} is nan at step {track.steps:,}: no improvement.")
        if self._plateau.update(value):
            factor = self._plateau.factor_at(0, math.inf)
            rank_zero_info(f"{self._settings.owner}: {monitor} has stopped improving, factor {factor:.4g} from now on.")
            # By epoch the new factor waits for the next epoch, whose value may be written already.
            per_epoch = self._start.run.steps_per_epoch if self._start else None
            self._write(trainer, again=track.by_step or (per_epoch is not None and track.steps % per_epoch == 0))

    # --- after the last step ---------------------------------------------------------------------------------------

    @override
    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._counter.settle()
        self._let_go()

    @override
    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        # Checkpoint callbacks come later: what they save holds the step that was under way.
        self._counter.settle()
        self._let_go()

    @override
    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage == "fit":
            self._let_go()

    # --- checkpoints -----------------------------------------------------------------------------------------------

    @cached_property  # the Trainer reads it before every hook
    @override
    def state_key(self) -> str:
        # Nothing of the schedule is in the key: an edited schedule still finds its state.
        return self._generate_state_key(parameter=self._parameter, optimizer=self._optimizer)

    @override
    def state_dict(self) -> State:
        """What a resumed run cannot compute again: where it stands and what it set out from, in plain Python."""
        if not self._tracks:
            # A resumed run that fails, or stands aside, before it begins must not lose what it was given.
            return self._loaded
        # A checkpoint may be saved between a step and its on_train_batch_end, and by whoever has just added a group.
        if self._counter.counts and not self._handed_over:
            self._adopt_new_groups()
        taken = self._counter.track if self._counter.track is not None and self._counter.happened() else None
        optimizers = {track.index: track.state(track.steps + (track is taken)) for track in self._tracks}
        state = {
            "optimizers": optimizers,
            "first_epoch": self._first_epoch,
            "first_step": self._first_step,
            "total": self._total,
            "interval": self._settings.interval,
        }
        if self._adaptive is not None:
            state["adaptive"] = self._adaptive.state()
        if self._plateau is not None:
            state["plateau"] = self._plateau.state()
        return state

    # Of two stateful callbacks with one key the Trainer says only that they have one key, and says it even if one of
    # them is idle. Its check takes this for Callback's own method, so that setup() can say what to do.
    state_dict.__wrapped__ = Callback.state_dict  # type: ignore[attr-defined]


def _callbacks(trainer: pl.Trainer) -> list[Callback]:
    return trainer.callbacks  # type: ignore[attr-defined, no-any-return]
