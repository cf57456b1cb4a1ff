"""What the Lightning callbacks share: hooks that pass on to the object of the ``fit`` under way."""

from abc import ABCMeta, abstractmethod
from collections.abc import Mapping
from dataclasses import fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

from torch.optim import Optimizer
from typing_extensions import override

from lightning_warmup.callbacks.letting_go import _LetsGo
from lightning_warmup.critical.measurements import measurement_for
from lightning_warmup.schedule.config import ScheduleConfig, conflict
from lightning_warmup.training import lightning_names as pl
from lightning_warmup.training.base_values import BeforeTraining, State
from lightning_warmup.training.begin import begin_fit, fresh_values
from lightning_warmup.training.checked_state import checked_state
from lightning_warmup.training.fit import ScheduledFit
from lightning_warmup.training.lightning_names import Callback, MisconfigurationException
from lightning_warmup.view.drawn import RunFacts, draw
from lightning_warmup.view.plot import plot_steps
from lightning_warmup.view.values import values_of_steps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class ScheduleCallback(_LetsGo, metaclass=ABCMeta):
    """One schedule of one hyper-parameter: what :class:`LearningRateWarmup` and :class:`HyperparameterWarmup` share.

    A callback holds what was configured. What belongs to one ``fit`` is an object of its own, made when training
    starts and dropped when it is over; of it stay a few numbers in plain Python, so that ``trainer.save_checkpoint()``
    still works after ``fit``.
    """

    @abstractmethod
    def __init__(self, config: ScheduleConfig) -> None:
        self._config = config
        self._before = BeforeTraining()
        self._fit: ScheduledFit | None = None
        self._last_warmup_steps: int | None = None

    @property
    def warms_up(self) -> bool:
        """Whether there is a warmup."""
        return self._config.warms_up

    @property
    def measures(self) -> bool:
        """Whether a warmup is configured that looks at the optimizer's step."""
        return self._config.measured_warmup is not None

    def __repr__(self) -> str:
        """What was set, as it can be written again."""
        config = self._config
        parts: list[str] = []
        for entry in fields(config):
            name = {"initial": config.initial_name, "target": config.target_name}.get(entry.name, entry.name)
            value = getattr(config, entry.name)
            if not entry.init or value == entry.default or (name, value) == ("parameter", "lr"):
                continue
            first = name == "parameter" or (config.parameter == "lr" and name == "warmup")
            second = config.parameter == "lr" and name == "decay" and len(parts) == 1
            parts.append(f"{value!r}" if first or second else f"{name}={value!r}")
        return f"{config.owner}({', '.join(parts)})"

    @property
    def config(self) -> ScheduleConfig:
        """What was configured."""
        return self._config

    @property
    def fit_under_way(self) -> ScheduledFit | None:
        """What belongs to the ``fit`` under way, None outside of one."""
        return self._fit

    @property
    def loaded_state(self) -> State:
        """What the checkpoint holds that the run is resumed from, empty without one."""
        return self._before.state

    # --- without a Trainer -----------------------------------------------------------------------------------------

    @overload
    def values(
        self,
        lr: float,
        *,
        total_steps: int,
        steps_per_epoch: int | None = None,
        betas: tuple[float, float] | None = None,
        batch_size: int | None = None,
        steps_per_second: float | None = None,
    ) -> list[float]: ...

    @overload
    def values(
        self,
        lr: Mapping[str, float],
        *,
        total_steps: int,
        steps_per_epoch: int | None = None,
        betas: tuple[float, float] | Mapping[str, tuple[float, float]] | None = None,
        batch_size: int | None = None,
        steps_per_second: float | None = None,
    ) -> dict[str, list[float]]: ...

    def values(
        self,
        lr: float | Mapping[str, float],
        *,
        total_steps: int,
        steps_per_epoch: int | None = None,
        betas: tuple[float, float] | Mapping[str, tuple[float, float]] | None = None,
        batch_size: int | None = None,
        steps_per_second: float | None = None,
    ) -> list[float] | dict[str, list[float]]:
        """What each of ``total_steps`` optimizer steps would use, without a Trainer.

        Args:
            lr: The optimizer's own value (of a learning rate: its ``lr``), or a mapping from group name to one.
            total_steps: Optimizer steps of the whole run, ≥ 1.
            steps_per_epoch: Optimizer steps of an epoch, ≥ 1; None where nothing counts in epochs.
            betas: The optimizer's ``betas``, or a mapping from group name to them, for warmups that depend on β2.
            batch_size: Global batch size, for durations in samples and targets that scale with it.
            steps_per_second: How fast the run is, > 0, where ``total`` is a time: step t begins after t / r seconds.

        Returns:
            A list of ``total_steps`` values, the one at index t for optimizer step t; for a mapping, one such list by
            group name.

        Raises:
            ValueError: If an argument is out of range, the phases do not fit into the run, or a value depends on the
                run itself or on an argument that was not given.

        >>> from lightning_warmup import LearningRateWarmup
        >>> lrs = LearningRateWarmup(2, "linear").values(0.3, total_steps=6)
        >>> [round(lr, 3) for lr in lrs]
        [0.1, 0.2, 0.3, 0.225, 0.15, 0.075]
        """
        return values_of_steps(self._config, lr, total_steps, steps_per_epoch, betas, batch_size, steps_per_second)

    def plot(
        self,
        lr: float | Mapping[str, float],
        *,
        total_steps: int,
        steps_per_epoch: int | None = None,
        betas: tuple[float, float] | Mapping[str, tuple[float, float]] | None = None,
        batch_size: int | None = None,
        steps_per_second: float | None = None,
        ax: "Axes | None" = None,
        log: bool = False,
    ) -> "tuple[Figure, Axes]":
        """Plot :meth:`values` over the optimizer steps, the phases shaded.

        What depends on the run itself is drawn as the range it can take.

        Args:
            lr: As in :meth:`values`.
            total_steps: As in :meth:`values`.
            steps_per_epoch: As in :meth:`values`.
            betas: As in :meth:`values`.
            batch_size: As in :meth:`values`.
            steps_per_second: As in :meth:`values`.
            ax: Axes to draw on; None makes a new figure.
            log: Whether the values are on a logarithmic scale.

        Returns:
            The figure and the axes, as torchmetrics does.

        Raises:
            ModuleNotFoundError: Without matplotlib (``pip install "lightning_warmup[plot]"``).
            ValueError: As :meth:`values`.

        >>> from lightning_warmup import LearningRateWarmup
        >>> figure, axes = LearningRateWarmup(10, "cosine").plot(0.1, total_steps=100)
        >>> axes.get_xlabel(), axes.get_ylabel()
        ('optimizer step', 'lr')
        """
        if self._config.depends_on_the_run is None:
            values_of_steps(  # its errors are ours
                self._config, lr, total_steps, steps_per_epoch, betas, batch_size, steps_per_second
            )
        entries: dict[str, Any] = {} if betas is None else {"betas": betas}
        if self._config.parameter != "lr":
            entries[self._config.parameter] = lr
        facts = RunFacts(total_steps, steps_per_epoch, batch_size, lr, entries, steps_per_second=steps_per_second)
        return plot_steps(draw("", [self._config], facts, python=True), ax, log=log)

    # Python quotes these where an argument is missing: not by the class that users never see.
    values.__qualname__, plot.__qualname__ = "values", "plot"

    # --- hooks -----------------------------------------------------------------------------------------------------

    @override
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        self._before = BeforeTraining(max_epochs=trainer.max_epochs)
        others: list[Callback] = list(trainer.callbacks)  # type: ignore[union-attr]
        others.remove(self)  # once: the same object may be there twice
        for other in others:
            said = conflict(self._config, other._config) if isinstance(other, ScheduleCallback) else None
            if said is not None:
                raise MisconfigurationException(said)

    @override
    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self._before.resumed_step = checkpoint["global_step"]
        optimizers = checkpoint.get("optimizer_states")
        self._before.optimizer_states = None if optimizers is None else len(optimizers)
        states = checkpoint.get("callbacks", {})
        if self.state_key not in states:
            # The same schedule, then of all optimizers, now of one, or the other way round.
            same = self._generate_state_key(parameter=self._config.parameter).removesuffix("}")
            for key, state in states.items():
                ours = isinstance(key, str) and key.startswith(same)
                others = state.get("optimizers", {}) if ours else {}
                if ours and (self._config.optimizer is None or self._config.optimizer in others):
                    state = checked_state(self._config.owner, state)
                    optimizers = {**self._before.state.get("optimizers", {}), **state["optimizers"]}
                    plans = {**self._before.state.get("plans", {}), **state.get("plans", {})}
                    self._before.state = {**state, "optimizers": optimizers, "plans": plans}

    @override
    def load_state_dict(self, state_dict: State) -> None:
        # FSDP and DeepSpeed load after on_fit_start: nothing is made of the state before on_train_start.
        self._before.state = checked_state(self._config.owner, state_dict)

    @override
    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self._config.idle:
            self._before.fresh = fresh_values(trainer, self._config)

    @override
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self._config.idle:
            self._fit = begin_fit(
                self, self._config.quoted, self._config, self._before, trainer, pl_module, measurement_for
            )

    @override
    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._fit is not None:
            self._fit.epoch_starts()

    @override
    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if (fit := self._fit) is not None and (batch_idx == 0 or fit.watching):
            fit.batch_starts(batch_idx)

    @override
    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        if self._fit is not None:
            self._fit.step_begins(optimizer)

    @override
    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._fit is not None:
            self._fit.count_step()

    @override
    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._fit is not None:
            self._fit.epoch_ends()

    @override
    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._fit is not None and not trainer.sanity_checking:
            self._fit.evaluated()

    @override
    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._fit is not None:
            self._fit.end()

    @override
    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        # Checkpoint callbacks come later: what they save holds the step that was under way.
        self._drop()
        super().on_exception(trainer, pl_module, exception)

    @override
    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage == "fit":
            self._drop()
        super().teardown(trainer, pl_module, stage)

    def _drop(self) -> None:
        """Let go of the ``fit``, its optimizers and its module."""
        fit, self._fit = self._fit, None
        if fit is not None:
            fit.end()
            self._before = BeforeTraining(state=fit.state())
            self._last_warmup_steps = fit.warmup_steps

    # --- checkpoints and pickles -----------------------------------------------------------------------------------

    @cached_property  # the Trainer reads it before every hook
    @override
    def state_key(self) -> str:
        # Nothing of the schedule is in the key: an edited schedule still finds its state.
        return self._generate_state_key(parameter=self._config.parameter, optimizer=self._config.optimizer)

    @override
    def state_dict(self) -> State:
        """What a resumed run cannot compute again: where it stands and what it set out from, in plain Python."""
        # A resumed run that fails, or stands aside, before it begins must not lose what it was given.
        return self._before.state if self._fit is None else self._fit.state()

    # Of two stateful callbacks with one key the Trainer says only that they have one key, and says it even if one of
    # them is idle. Its check takes this for Callback's own method, so that setup() can say what to do.
    state_dict.__wrapped__ = Callback.state_dict  # type: ignore[attr-defined]

    @property
    def _warmup_steps(self) -> int | None:
        return self._last_warmup_steps if self._fit is None else self._fit.warmup_steps

    def __getstate__(self) -> dict[str, Any]:
        """A copy, or a pickle, is what was configured; where a run stands is in the run's checkpoint."""
        return {"config": self._config, "warmup_steps": self._warmup_steps}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "_settings" in state:
            state = {"config": _config_of_0_1_0(state), "warmup_steps": None}
        ScheduleCallback.__init__(self, state["config"])
        self._last_warmup_steps = state["warmup_steps"]


def _config_of_0_1_0(state: dict[str, Any]) -> ScheduleConfig:
    """What a callback was configured with that version 0.1.0 has pickled."""
    own = {name: state[f"_{name}"] for name in ("parameter", "optimizer", "resume", "override_module_scheduler")}
    kept = {name: value for name, value in vars(state["_settings"]).items() if name in _FIELDS}
    return ScheduleConfig(**own, **kept)


_FIELDS = {field.name for field in fields(ScheduleConfig) if field.init}
