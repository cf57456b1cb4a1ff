"""Where each optimizer stands when training starts: by its param groups, the settings and the checkpoint."""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning_utilities.core.rank_zero import rank_zero_info, rank_zero_warn
from torch.optim import Optimizer

from lightning_warmup import param_groups
from lightning_warmup.curve import Curve
from lightning_warmup.durations import Run
from lightning_warmup.module_scheduler import ModuleScheduler, unscheduled
from lightning_warmup.plateau import _Plateau
from lightning_warmup.settings import Settings
from lightning_warmup.track import State, Track


@dataclass(frozen=True)
class StartingPoint:
    """What the tracks of one ``fit`` set out from.

    Args:
        settings: What the user configured.
        run: The run.
        resume: Whether the base values are those of the ``"checkpoint"`` or of the ``"config"``.
        loaded: State of each track in the checkpoint, by the index of its optimizer.
        resumed_step: Optimizer steps that the checkpoint had seen, 0 without one.
        fresh: Values of the groups as ``configure_optimizers`` made them, by the index of the optimizer.
        module_scheduler: The module's own schedulers, if it has any.
        overrides: Whether they are overridden; else the curve is a factor on what they give.
        several: Whether the Trainer has more than one optimizer.
        plateau: The decay, where that follows a metric.
    """

    settings: Settings
    run: Run
    resume: Literal["checkpoint", "config"]
    loaded: dict[int, State]
    resumed_step: int
    fresh: dict[int, list[float]]
    module_scheduler: ModuleScheduler | None
    overrides: bool
    several: bool
    plateau: _Plateau | None

    def track(self, index: int, optimizer: Optimizer, key: str) -> Track:
        """One optimizer at the start of training.

        Raises:
            ValueError: If the schedule does not fit the run or the param groups.
            MisconfigurationException: If param groups share a tensor that would have to hold different values.
        """
        groups = optimizer.param_groups
        own: list[float] = param_groups.read(groups, key)
        undamped: list[float] | None = own
        if key == "lr" and (self.overrides or self.resumed_step):
            own = unscheduled(groups, self.module_scheduler.schedulers if self.module_scheduler else [])
        if self.resumed_step and self.resume == "config":
            own = list(self.fresh[index])
        steps, late = self.resumed_step, 0
        target: list[float] | None = None
        loaded: dict[str, Any] | None = self.loaded.get(index)
        if loaded is None and self.resumed_step and self.several:
            steps = self._steps_by_its_state(index, optimizer)
        if loaded is not None:
            steps, late = loaded["steps"], loaded.get("late", 0)
            known = len(groups) - late
            # Factors on a scheduler of the module's are no targets. Without one the groups would be at their targets
            # but for the warmup.
            target = None if "undamped" in loaded else loaded["target"]
            undamped = loaded.get("undamped", target)
            if self.resume == "checkpoint":
                own = loaded["own"]
                self._tell_of_other_base(index, own[:known])
            else:
                own, target = self.fresh[index][:known] + loaded["own"][known:], None
        track = Track(
            index,
            optimizer,
            key,
            own,
            self._curve(self.settings, optimizer, own, late, target),
            steps,
            late,
            undamped if self._composes else None,
        )
        if late and loaded is not None:
            track.curve = track.curve.extended(*self._late_ends(loaded, late))
        self._check_shared_tensors(track)
        return track

    def _late_ends(self, loaded: State, late: int) -> tuple[list[float], list[float]]:
        """Initial values and targets of the groups that came late; factors, if the module has its own scheduler now."""
        initial, target = loaded["initial"][-late:], loaded["target"][-late:]
        if "undamped" in loaded and not self._composes:
            # Factors on a scheduler that is gone: on what it left.
            target = loaded["undamped"][-late:]
            initial = [low * high for low, high in zip(initial, target, strict=True)]
        elif self._composes and "undamped" not in loaded:
            initial = [low / high if high else 1.0 for low, high in zip(initial, target, strict=True)]
            target = [1.0] * late
        return initial, target

    def _steps_by_its_state(self, index: int, optimizer: Optimizer) -> int:
        """Steps of one of several optimizers, without a state of ours: the Trainer counts them together."""
        taken = [int(state["step"]) for state in optimizer.state.values() if "step" in state]
        if not taken:
            rank_zero_warn(
                f"{self.settings.owner}: the checkpoint does not tell how many steps optimizer {index} has taken, so"
                " its schedule starts over."
            )
        return max(taken, default=0)

    def replanned(self, track: Track, settings: Settings) -> Curve:
        """The curve of a track by other settings; its targets stay."""
        late = track.late
        initial, target = track.curve.initial, track.curve.target
        curve = self._curve(settings, track.optimizer, track.own, late, None if self._composes else target)
        return curve.extended(initial[-late:], target[-late:]) if late else curve

    @property
    def _composes(self) -> bool:
        return self.module_scheduler is not None and not self.overrides

    def _curve(self, settings: Settings, optimizer: Optimizer, own: list[float], late: int, target: Any) -> Curve:
        """The curve of the groups that were there from the start."""
        groups = optimizer.param_groups[: len(own) - late]
        own = own[: len(groups)]
        names = [group.get("name") for group in groups]
        beta2 = None
        if all("betas" in group for group in groups):
            beta2 = [float(group["betas"][1]) for group in groups]
        if self._composes:
            curve = settings.factor(self.run, names, own, beta2)
        else:
            curve = settings.curve(self.run, names, own, beta2)
            if target is not None and list(target[: len(groups)]) != list(curve.target):
                rank_zero_warn(
                    f"{settings.owner}({settings.target_name}={settings.target!r}) asks for {list(curve.target)}, the"
                    f" checkpoint was trained towards {target[: len(groups)]}, and the checkpoint wins. Give"
                    " resume='config' to use the new one."
                )
                curve = settings.curve(self.run, names, own, beta2, target[: len(groups)])
        return curve if self.plateau is None else curve.decaying_by(self.plateau)

    def _tell_of_other_base(self, index: int, own: list[float]) -> None:
        fresh = self.fresh[index][: len(own)]
        if fresh != own and self.settings.target is None:
            rank_zero_info(
                f"{self.settings.owner}: the config has {fresh}, the checkpoint {own}, and the checkpoint wins"
                " (resume='config' takes the new one)."
            )

    def _check_shared_tensors(self, track: Track) -> None:
        """One tensor in several groups can hold one value only."""
        values: dict[int, list[float]] = {}
        entries = param_groups.entries(track.optimizer.param_groups, track.key)
        for entry, *ends in zip(entries, track.curve.initial, track.curve.target, strict=True):
            if isinstance(entry, torch.Tensor) and values.setdefault(id(entry), ends) != ends:
                raise MisconfigurationException(
                    f"{self.settings.owner} asks for different values in param groups that share one {track.key!r}"
                    f" tensor. Give each group its own: {{'params': ..., {track.key!r}: torch.tensor(...)}}."
                )
