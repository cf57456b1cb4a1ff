"""Where each optimizer sets out from: by its param groups, and by the checkpoint."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lightning_utilities.core.rank_zero import rank_zero_warn
from torch.optim import Optimizer

from lightning_warmup.schedule.clock import draw_by_clock
from lightning_warmup.schedule.config import ScheduleConfig
from lightning_warmup.schedule.durations import Run
from lightning_warmup.schedule.resolve import resolve, resolve_factor
from lightning_warmup.schedule.rest import Rest
from lightning_warmup.schedule.resumed import PlanBefore, rest_of
from lightning_warmup.schedule.schedule import Schedule
from lightning_warmup.training import lightning_names as pl
from lightning_warmup.training import param_groups
from lightning_warmup.training.lightning_names import MisconfigurationException
from lightning_warmup.training.plan_before import has_lost_its_state, plan_before

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
        optimizer_states: How many states of optimizers the checkpoint has; None without one, or if it does not tell.
        fresh: Values of the groups as ``configure_optimizers`` made them, by the index of the optimizer. Even in a
            resumed run the optimizers still have them in ``on_fit_start``; not so where a fine-tuning callback has put
            the checkpoint's in their place.
    """

    max_epochs: int | None = None
    state: State = field(default_factory=dict)
    resumed_step: int = 0
    optimizer_states: int | None = None
    fresh: dict[int, list[float]] = field(default_factory=dict)


@dataclass
class BaseValues:
    """What one optimizer sets out from, by group.

    Args:
        names: Names of the groups, None where a group has none.
        beta2: β2 of each group, None where the optimizer has none.
        own: The groups' own values at the start of training, the base of everything else.
        late: Step at which a group came, None where it was there from the start.
        late_ends: Initial value and target of the groups that came late, None of the others.
        steps: Optimizer steps taken so far.
        target: Targets that the checkpoint was trained towards; None: those of the configuration.
        undamped: Where the module has a scheduler of its own that is not overridden: the groups' values as that alone
            would have them.
        before: The plan that the checkpoint was on; None in a run that is not resumed, or not just now.
        rest: What is kept of that plan.
        epoch: The epoch that the next step belongs to.
        warm_at: In a run by the clock, milliseconds after which a warmup by steps was over; None while it goes on.
    """

    names: list[str | None]
    beta2: list[float] | None
    own: list[float]
    late: list[int | None]
    late_ends: list[tuple[float, float] | None]
    steps: int = 0
    target: list[float] | None = None
    undamped: list[float] | None = None
    before: PlanBefore | None = None
    rest: Rest | None = None
    epoch: int = 0
    warm_at: int | None = None


def base_values(
    config: ScheduleConfig,
    before: BeforeTraining,
    index: int,
    optimizer: Optimizer,
    key: str,
    *,
    schedulers: Sequence[Any],
    several: bool,
    parameter_names: Mapping[int, str],
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
        parameter_names: The module's names of the parameters, by their ids.
    """
    groups, resumed_step = optimizer.param_groups, before.resumed_step
    composes = bool(schedulers) and not config.override_module_scheduler
    base = fresh_base(config, optimizer, key, schedulers, resumed=resumed_step > 0)
    if resumed_step and config.resume == "config":
        base.own = list(before.fresh[index])
    loaded: State | None = before.state.get("optimizers", {}).get(index)

    def of_these_groups(state: State, *, tell: bool = False) -> State:
        then, now = before.state.get("groups", {}).get(index), group_names(optimizer, parameter_names)
        return _of_these_groups(config.owner, state, then, now, tell=tell)

    if resumed_step:
        has_stepped = loaded is None or loaded["steps"] > 0
        lost = has_stepped and has_lost_its_state(optimizer, index, before.optimizer_states)
        base.before = plan_before(config, before.state, index, of_these_groups, fresh=lost)
    if loaded is None:
        base.steps = resumed_step
        if resumed_step and several:
            base.steps = _steps_by_its_state(config.owner, index, optimizer)
        if resumed_step and config.resume == "checkpoint" and config.target is None and base.own != before.fresh[index]:
            rank_zero_warn(
                f"{config.owner}: the checkpoint has no state of this callback, and the {config.parameter} that it was"
                f" at, {base.own}, is taken for the optimizer's own; the config has {before.fresh[index]}. Give"
                " resume='config' to set out from that."
            )
        return base

    loaded = of_these_groups(loaded, tell=True)
    late: list[int | None] = loaded.get("late", [])
    if isinstance(late, int):  # as version 0.1.0 has it: the last so many, since nobody knows when
        late = [None] * (len(loaded["own"]) - late) + [0] * late
    late = late or [None] * len(loaded["own"])
    # Factors on a scheduler of the module's are no targets. Without one the groups would be at their targets but for
    # the warmup.
    target: list[float] | None = None if "undamped" in loaded else loaded["target"]
    base.steps, base.late, base.warm_at = loaded["steps"], late, loaded.get("warm_at")
    base.late_ends = _late_ends(loaded, late, composes=composes)
    if composes:
        base.undamped = loaded.get("undamped", target)
    first = [i for i, since in enumerate(late) if since is None and i < len(groups)]
    if config.resume == "checkpoint":
        base.own, base.target = loaded["own"], None if composes else target
        if index in before.fresh:
            _tell_of_other_base(config, before.fresh[index], base.own, first)
    else:
        fresh = before.fresh[index]
        base.own = [fresh[i] if i in first and i < len(fresh) else own for i, own in enumerate(loaded["own"])]
    return base


def fresh_base(
    config: ScheduleConfig, optimizer: Optimizer, key: str, schedulers: Sequence[Any], *, resumed: bool = False
) -> BaseValues:
    """What an optimizer sets out from that no checkpoint tells of.

    Args:
        config: What the user configured.
        optimizer: The optimizer.
        key: Entry of its param groups that is scheduled.
        schedulers: The module's own schedulers.
        resumed: Whether it has trained before, its rates then being those of the steps it took.
    """
    groups = optimizer.param_groups
    own: list[float] = param_groups.read(groups, key)
    undamped = own if schedulers and not config.override_module_scheduler else None
    if key == "lr" and (config.override_module_scheduler or resumed):
        own = unscheduled(groups, schedulers)
    nothing = [None] * len(groups)
    return BaseValues(names_of(optimizer), beta2_of(optimizer), own, list(nothing), list(nothing), undamped=undamped)


def names_of_parameters(pl_module: pl.LightningModule) -> dict[int, str]:
    """The module's names of its parameters, by their ids."""
    return {id(parameter): name for name, parameter in pl_module.named_parameters()}


def names_of(optimizer: Optimizer) -> list[str | None]:
    """Names of the param groups, None where a group has none."""
    return [group.get("name") for group in optimizer.param_groups]


def beta2_of(optimizer: Optimizer) -> list[float] | None:
    """β2 of each param group, None where the optimizer has none."""
    groups = optimizer.param_groups
    return [float(group["betas"][1]) for group in groups] if all("betas" in group for group in groups) else None


def group_names(optimizer: Optimizer, parameter_names: Mapping[int, str]) -> list[str | None]:
    """What tells the param groups apart in another process: the module's name of the first parameter of each."""
    return [
        parameter_names.get(id(group["params"][0])) if group["params"] else None for group in optimizer.param_groups
    ]


def draw(config: ScheduleConfig, run: Run, base: BaseValues) -> Schedule:
    """The schedule of one optimizer.

    Args:
        config: What the user configured.
        run: The run that is planned over.
        base: What the optimizer sets out from. Where it has just been resumed, ``base.rest`` becomes what
            ``replan="rest"`` keeps of the plan before.
    """
    if run.milliseconds is not None:
        return draw_by_clock(config, run, base.warm_at, lambda part, its_run: draw_part(part, its_run, base))
    if base.before is not None and config.replan == "rest":

        def drawn(rest: Rest | None) -> Schedule:
            return _drawn(config, run, base, rest, tell=False)

        base.rest = rest_of(config, base.before, run.total(config.interval), base.steps, base.epoch, drawn)
    return _drawn(config, run, base, base.rest, tell=True)


def draw_part(config: ScheduleConfig, run: Run, base: BaseValues) -> Schedule:
    """The schedule of one part of a run by the clock."""
    return _drawn(config, run, base, None, tell=True)


def _drawn(config: ScheduleConfig, run: Run, base: BaseValues, rest: Rest | None, *, tell: bool) -> Schedule:
    """The schedule of one optimizer that keeps so much of the plan before."""
    # The groups that were there from the start; one that is there no more has no name.
    first = [i for i, since in enumerate(base.late) if since is None and i < len(base.names)]
    names, own = [base.names[i] for i in first], [base.own[i] for i in first]
    beta2 = None if base.beta2 is None else [base.beta2[i] for i in first]
    if base.undamped is not None:
        schedule = resolve_factor(config, run, names, own, beta2)
    else:
        schedule = resolve(config, run, names, own, beta2, rest=rest)
        target = None if base.target is None else [base.target[i] for i in first]
        if target is not None and target != list(schedule.target):
            if tell:
                rank_zero_warn(
                    f"{config.owner}({config.target_name}={config.target!r}) asks for {list(schedule.target)}, the"
                    f" checkpoint was trained towards {target}, and the checkpoint wins. Give resume='config' to use"
                    " the new one."
                )
            schedule = resolve(config, run, names, own, beta2, target, rest)
    if len(first) == len(base.late):
        return schedule
    ends = iter(zip(schedule.initial, schedule.target, strict=True))
    both = [next(ends, (0.0, 0.0)) if late is None else late for late in base.late_ends]
    return schedule.of_groups([low for low, _ in both], [high for _, high in both])


def unscheduled(groups: Sequence[param_groups.ParamGroup], schedulers: Sequence[Any]) -> list[float]:
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


def _of_these_groups(
    owner: str, loaded: State, then: list[str | None] | None, now: list[str | None], *, tell: bool
) -> State:
    """The state for the groups that there are now, where the checkpoint had others."""
    if then is None or then == now[: len(then)] or None in (*then, *now) or not set(then) & set(now):
        return loaded
    gone = [name for name in then if name not in now]
    if gone and tell:
        rank_zero_warn(
            f"{owner}: {len(gone)} param group(s) of the checkpoint are there no more, with"
            f" {', '.join(map(str, gone))}; the others go on."
        )
    known = [name in then for name in now]
    if known != sorted(known, reverse=True):
        raise MisconfigurationException(
            f"{owner}: the param group with {now[known.index(False)]} is new, and stands before groups of the"
            " checkpoint. Put new groups last."
        )
    places = [then.index(name) for name in now if name in then]
    return {
        key: [value[place] for place in places] if isinstance(value, list) else value for key, value in loaded.items()
    }


def _late_ends(loaded: State, late: list[int | None], *, composes: bool) -> list[tuple[float, float] | None]:
    """Initial value and target of the groups that came late; factors, if the module has its own scheduler now."""
    ends: list[tuple[float, float] | None] = []
    for i, since in enumerate(late):
        if since is None:
            ends.append(None)
            continue
        low, high = loaded["initial"][i], loaded["target"][i]
        if "undamped" in loaded and not composes:
            # Factors on a scheduler that is gone: on what it left.
            high = loaded["undamped"][i]
            low *= high
        elif composes and "undamped" not in loaded:
            low, high = low / high if high else 1.0, 1.0
        ends.append((low, high))
    return ends


def _steps_by_its_state(owner: str, index: int, optimizer: Optimizer) -> int:
    """Steps of one of several optimizers, without a state of ours: the Trainer counts them together."""
    taken = [int(state["step"]) for state in optimizer.state.values() if "step" in state]
    if not taken:
        rank_zero_warn(
            f"{owner}: the checkpoint does not tell how many steps optimizer {index} has taken, so its schedule starts"
            " over."
        )
    return max(taken, default=0)


def _tell_of_other_base(config: ScheduleConfig, fresh: list[float], own: list[float], first: list[int]) -> None:
    before, now = [own[i] for i in first], [fresh[i] for i in first if i < len(fresh)]
    if before != now and config.target is None:
        of_config, of_checkpoint = (", ".join(map(repr, dict.fromkeys(values))) for values in (now, before))
        rank_zero_warn(
            f"{config.owner}: {config.parameter} {of_config} in the config, {of_checkpoint} in the checkpoint, and the"
            " checkpoint wins. Give resume='config' to use the new one."
        )
