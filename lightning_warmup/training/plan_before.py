"""The plan that a checkpoint was on: what is saved of one, and what is read of it."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch.optim import Optimizer

from lightning_warmup.schedule.config import ScheduleConfig
from lightning_warmup.schedule.rest import Rest
from lightning_warmup.schedule.resumed import PlanBefore


def plan_state(
    config: ScheduleConfig,
    schedule: Any,
    ticks: Sequence[int],
    values: Callable[[int], list[float]],
    rest: Any,
    ramp: Any,
) -> dict[str, Any]:
    """What of a plan a run needs that is resumed with another one: the schedule itself is not in the checkpoint.

    Args:
        config: What the user configured.
        schedule: The schedule of the optimizer.
        ticks: What t the next step may have.
        values: The value of each group at t.
        rest: What is kept of the plan before.
        ramp: The ramp, if there is one.
    """
    state: dict[str, Any] = {
        "warmup_interval": "time" if schedule.clock == "time" else config.warmup_interval or config.interval,
        "warmup": schedule.warmup_length,
        "warming": schedule.warmup_tick(ticks[0]) < schedule.warmup_length,
        "decay_start": None if schedule.decay is None or schedule.stays else schedule.decay_start,
        "next": [[t, schedule.factor(t), values(t)] for t in ticks],
    }
    if rest is not None:
        state["rest"] = [rest.warmup, rest.start, rest.factor]
    if ramp is not None and ticks[0] < ramp.end:
        state["ramp"] = [ramp.start, ramp.length, list(ramp.origin)]
    return state


def plan_before(
    config: ScheduleConfig,
    state: dict[str, Any],
    index: int,
    of_groups: Callable[[dict[str, Any]], dict[str, Any]],
    *,
    fresh: bool,
) -> PlanBefore:
    """What a checkpoint tells of the plan of one optimizer.

    Args:
        config: What the user configured.
        state: The callback's state in the checkpoint, empty if it has none.
        index: Index of the optimizer.
        of_groups: Puts the lists in a state into the order of the groups that there are now.
        fresh: Whether the optimizer has lost its own state.
    """
    if index not in state.get("optimizers", {}):
        return PlanBefore(fresh=fresh)
    same_interval = state.get("interval") == config.interval
    total = state.get("total") if same_interval else None
    plan: Mapping[str, Any] | None = state.get("plans", {}).get(index)
    if plan is None:
        return _of_an_older_version(state, index, total, fresh=fresh)
    nexts = [(t, factor, of_groups({"values": values})["values"]) for t, factor, values in plan["next"]]
    start, ramp, rest = plan["decay_start"], plan.get("ramp"), plan.get("rest")
    same_clock = same_interval and plan["warmup_interval"] == (config.warmup_interval or config.interval)
    if (not same_interval or plan["warmup_interval"] == "time") and start is not None:
        # By another clock it has begun, or has yet to.
        start = 0 if nexts[0][1] != 1 else None
    optimizer = state["optimizers"][index]
    if "undamped" in optimizer:
        return _beside_a_scheduler(of_groups(optimizer)["own"], nexts, total, fresh=fresh)
    return PlanBefore(
        total=total,
        warmup=plan["warmup"] if same_clock else None if plan["warming"] else 0,
        decay_start=start,
        nexts=nexts if same_clock else nexts[-1:],
        rest=Rest(*rest) if rest is not None and same_clock else None,
        ramp=(ramp[0], ramp[1], of_groups({"origin": ramp[2]})["origin"]) if ramp is not None and same_clock else None,
        fresh=fresh,
    )


def _beside_a_scheduler(
    own: Sequence[float], nexts: Sequence[tuple[int, float, list[float]]], total: int | None, *, fresh: bool
) -> PlanBefore:
    """What is known of a run that had a scheduler of the module's: how far the rates were from the optimizer's own."""
    first = next((i for i, rate in enumerate(own) if rate), 0)
    nexts = [(t, values[first] / own[first] if own[first] else 1.0, values) for t, _, values in nexts]
    begun = not math.isclose(nexts[0][1], 1, rel_tol=1e-9)
    return PlanBefore(total=total, decay_start=0 if begun else None, nexts=nexts, sure=False, fresh=fresh)


def _of_an_older_version(state: dict[str, Any], index: int, total: int | None, *, fresh: bool) -> PlanBefore:
    """What a state tells that has the first group's next value only: the others are as far from their targets."""
    optimizer, first = state["optimizers"][index], state.get("next", {}).get(index)
    targets = optimizer["target"]
    if first is None or "undamped" in optimizer or not targets[0]:
        return PlanBefore(total=total, fresh=fresh)
    factor = first / targets[0]
    begun = not math.isclose(factor, 1, rel_tol=1e-9)
    nexts = [(0, factor, [factor * target for target in targets])]
    return PlanBefore(total=total, decay_start=0 if begun else None, nexts=nexts, sure=False, fresh=fresh)


def has_lost_its_state(optimizer: Optimizer, index: int, states: int | None) -> bool:
    """Whether an optimizer of a resumed run knows nothing of the steps behind it.

    Args:
        optimizer: The optimizer.
        index: Its index.
        states: How many optimizer states the checkpoint has, None if nothing tells.
    """
    if states is not None and index >= states:
        return True
    group = optimizer.param_groups[0]
    return bool("betas" in group or group.get("momentum")) and not getattr(optimizer, "state", True)
