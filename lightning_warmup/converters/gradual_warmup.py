"""pytorch-gradual-warmup-lr's GradualWarmupScheduler as ours."""

from collections.abc import Mapping
from typing import Any

from lightning_warmup.converters.conversion import Conversion, arguments, count, number, one_of, percent
from lightning_warmup.converters.torch_scheduler import torch_decay

CALL = "gradual_warmup"

DEFAULTS: dict[str, Any] = {
    "lr": None,
    "multiplier": None,
    "total_epoch": None,
    "after_scheduler": None,
    "metric_name": None,
    "interval": "epoch",
}
"""GradualWarmupScheduler's arguments, and what it has from elsewhere: lr, the metric, and how often it is stepped."""


def conversion(args: Mapping[str, Any]) -> Conversion:
    """What a GradualWarmupScheduler of these arguments documents.

    Raises:
        ValueError: If a key is not known, or a value is wrong or missing.
    """
    given = arguments(CALL, args, DEFAULTS)
    if missing := [name for name in ("lr", "multiplier", "total_epoch") if given[name] is None]:
        raise ValueError(f"{CALL}: give {', '.join(missing)}.")
    lr, multiplier = number(CALL, "lr", given["lr"]), number(CALL, "multiplier", given["multiplier"], 1)
    interval = given["interval"]
    if interval not in ("step", "epoch"):
        raise one_of(CALL, "interval", interval, ("epoch", "step"))
    parameters: dict[str, Any] = {"warmup": count(CALL, "total_epoch", given["total_epoch"], 1)}
    parameters["warmup_initial_lr"] = lr if multiplier > 1 else 0.0
    notes: list[str] = []
    after = given["after_scheduler"]
    if after is not None:
        name, kwargs = _scheduler(after)
        if given["metric_name"] is not None:
            kwargs["metric_name"] = given["metric_name"]
        parameters["decay"] = torch_decay(CALL, name, kwargs, interval, lr * multiplier)
        if name == "ReduceLROnPlateau" and multiplier == 1:
            notes.append(
                "With ReduceLROnPlateau and a multiplier of 1 its run has no warmup: it trains at lr throughout."
            )
        elif name not in ("ReduceLROnPlateau", "ExponentialLR"):
            notes.append(_late(name, kwargs, interval))
    parameters["target_lr"] = lr * multiplier
    if interval == "epoch":
        parameters["interval"] = "epoch"
    return Conversion(parameters, {}, tuple(notes))


def _scheduler(after: Any) -> tuple[str, dict[str, Any]]:
    """The name of a scheduler and its arguments, from {Name: {argument: value}}."""
    if isinstance(after, str):
        return after, {}
    if not isinstance(after, Mapping) or len(after) != 1 or not isinstance(next(iter(after.values())), Mapping | None):
        raise ValueError(
            f"{CALL}: after_scheduler={after!r}: expected one of torch's, {{StepLR: {{step_size: 10}}}}, without the"
            " optimizer."
        )
    name, kwargs = next(iter(after.items()))
    return str(name), dict(kwargs or {})


def _late(name: str, kwargs: Mapping[str, Any], interval: str) -> str:
    size = f"by what {name} moves in one {interval}"
    if name in ("StepLR", "MultiStepLR"):
        size = f"for one {interval} at each of its steps, {1 / kwargs.get('gamma', 0.1):g} times the rate"
    elif name == "CosineAnnealingLR":
        size = f"by up to about {percent(1.5708 / kwargs['T_max'])} of the target"
    return (
        f"Where it is stepped without an epoch, scheduler.step(), its run has {name} one {interval} late: off {size}."
        " With scheduler.step(epoch) it is as here."
    )
