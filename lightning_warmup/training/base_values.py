"""Where each optimizer sets out from: by its param groups, and by the checkpoint."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lightning_utilities.core.rank_zero import rank_zero_info, rank_zero_warn
from torch.optim import Optimizer

from lightning_warmup.schedule.config import ScheduleConfig
from lightning_warmup.schedule.durations import Run
from lightning_warmup.schedule.resolve import resolve, resolve_factor
from lightning_warmup.schedule.schedule import Schedule
from lightning_warmup.training import param_groups

State = dict[str, Any]
"""What a checkpoint holds of a callback, in plain Python."""


@dataclass
class BeforeTraining:
    """What a ``fit`` tells before it trains.

    Args:
        max_epochs: Epoch limit as the user gave it: StochasticWeightAveraging adds an epoch without steps in
            ``on_fit_start``.
        state: The callback's state in the checkpoint, empty without one.
        resumed_step: Optimizer steps that the checkpoint had seen, 0 without one.
        fresh: Values of the groups as ``configure_optimizers`` made them, by the index of the optimizer. Even in a
            resumed run the optimizers still have them in ``on_fit_start``.
    """

    max_epochs: int | None = None
    state: State = field(default_factory=dict)
    resumed_step: int = 0
    fresh: dict[int, list[float]] = field(default_factory=dict)


@dataclass
class BaseValues:
    """What one optimizer sets out from.

    Args:
        names: Names of the groups, None where a group has none.
        beta2: β2 of each group, None where the optimizer has none.
        own: The groups' own values at the start of training, the base of everything else.
        steps: Optimizer steps taken so far.
        late: How many of the groups came after the start of training.
        target: Targets that the checkpoint was trained towards; None: those of the configuration.
        undamped: Where the module has a scheduler of its own that is not overridden: the groups' values as that alone
            would have them.
        late_ends: Initial values and targets of the late groups.
    """

    names: list[str | None]
    beta2: list[float] | None
    own: list[float]
    steps: int = 0
    late: int = 0
    target: list[float] | None = None
    undamped: list[float] | None = None
    late_ends: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))


def base_values(
    config: ScheduleConfig,
    before: BeforeTraining,
    index: int,
    optimizer: Optimizer,
    key: str,
    *,
    schedulers: Sequence[Any],
    several: bool,
) -> BaseValues:
    """What one optimizer sets out from, in ``on_train_start``.

    Args:
        config: What the user configured.
        before: What the ``fit`` told before training.
        index: Index of the optimizer in the Trainer.
        optimizer: The optimizer.
        key: Entry of its param groups that is scheduled.
        schedulers: The module's own schedulers.
        several: Whether the Trainer has more than one optimizer.
    """
    groups, resumed_step = optimizer.param_groups, before.resumed_step
    composes = bool(schedulers) and not config.override_module_scheduler
    names, beta2 = names_of(optimizer), beta2_of(optimizer)
    own: list[float] = param_groups.read(groups, key)
    undamped = own if composes else None
    if key == "lr" and (config.override_module_scheduler or resumed_step):
        own = _unscheduled(groups, schedulers)
    if resumed_step and config.resume == "config":
        own = list(before.fresh[index])
    loaded: State | None = before.state.get("optimizers", {}).get(index)
    if loaded is None:
        steps = resumed_step
        if resumed_step and several:
            steps = _steps_by_its_state(config.owner, index, optimizer)
        return BaseValues(names, beta2, own, steps, undamped=undamped)

    late = loaded.get("late", 0)
    known = len(groups) - late
    # Factors on a scheduler of the module's are no targets. Without one the groups would be at their targets but for
    # the warmup.
    target = None if "undamped" in loaded else loaded["target"]
    if composes:
        undamped = loaded.get("undamped", target)
    if config.resume == "checkpoint":
        own = loaded["own"]
        _tell_of_other_base(config, before.fresh[index], own[:known])
    else:
        own, target = before.fresh[index][:known] + loaded["own"][known:], None
    late_ends = _late_ends(loaded, late, composes=composes) if late else ([], [])
    return BaseValues(names, beta2, own, loaded["steps"], late, None if composes else target, undamped, late_ends)


def names_of(optimizer: Optimizer) -> list[str | None]:
    """Names of the param groups, None where a group has none."""
    return [group.get("name") for group in optimizer.param_groups]


def beta2_of(optimizer: Optimizer) -> list[float] | None:
    """β2 of each param group, None where the optimizer has none."""
    groups = optimizer.param_groups
    return [float(group["betas"][1]) for group in groups] if all("betas" in group for group in groups) else None


def draw(config: ScheduleConfig, run: Run, base: BaseValues) -> Schedule:
    """The schedule of one optimizer.

    Args:
        config: What the user configured.
        run: The run that is planned over.
        base: What the optimizer sets out from.
    """
    first = min(len(base.own) - base.late, len(base.names))  # groups that there were from the start
    names, own, beta2 = base.names[:first], base.own[:first], base.beta2 and base.beta2[:first]
    if base.undamped is not None:
        schedule = resolve_factor(config, run, names, own, beta2)
    else:
        schedule = resolve(config, run, names, own, beta2)
        target = base.target and base.target[:first]
        if target is not None and target != list(schedule.target):
            rank_zero_warn(
                f"{config.owner}({config.target_name}={config.target!r}) asks for {list(schedule.target)}, the"
                f" checkpoint was trained towards {target}, and the checkpoint wins. Give resume='config' to use the"
                " new one."
            )
            schedule = resolve(config, run, names, own, beta2, target)
    return schedule.extended(*base.late_ends) if base.late else schedule


def _unscheduled(groups: Sequence[param_groups.ParamGroup], schedulers: Sequence[Any]) -> list[float]:
    """The learning rate of each group before any torch scheduler touched it.

    A scheduler keeps it as ``initial_lr``. A ``lr`` that is not what the scheduler last wrote was set since, by a
    learning rate finder, say, and counts.
    """
    last_written = [lr for scheduler in schedulers for lr in getattr(scheduler, "_last_lr", [])]
    base = []
    for group in groups:
        lr = float(group["lr"])
        touched = not schedulers or lr in map(float, last_written)
        base.append(float(group["initial_lr"]) if touched and "initial_lr" in group else lr)
    return base


def _late_ends(loaded: State, late: int, *, composes: bool) -> tuple[list[float], list[float]]:
    """Initial values and targets of the groups that came late; factors, if the module has its own scheduler now."""
    initial, target = loaded["initial"][-late:], loaded["target"][-late:]
    if "undamped" in loaded and not composes:
        # Factors on a scheduler that is gone: on what it left.
        target = loaded["undamped"][-late:]
        initial = [low * high for low, high in zip(initial, target, strict=True)]
    elif composes and "undamped" not in loaded:
        initial = [low / high if high else 1.0 for low, high in zip(initial, target, strict=True)]
        target = [1.0] * late
    return initial, target


def _steps_by_its_state(owner: str, index: int, optimizer: Optimizer) -> int:
    """Steps of one of several optimizers, without a state of ours: the Trainer counts them together."""
    taken = [int(state["step"]) for state in optimizer.state.values() if "step" in state]
    if not taken:
        rank_zero_warn(
            f"{owner}: the checkpoint does not tell how many steps optimizer {index} has taken, so its schedule starts"
            " over."
        )
    return max(taken, default=0)


def _tell_of_other_base(config: ScheduleConfig, fresh: list[float], own: list[float]) -> None:
    fresh = fresh[: len(own)]
    if fresh != own and config.target is None:
        rank_zero_info(
            f"{config.owner}: the config has {fresh}, the checkpoint {own}, and the checkpoint wins (resume='config'"
            " takes the new one)."
        )
