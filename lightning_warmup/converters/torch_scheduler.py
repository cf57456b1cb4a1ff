"""A torch scheduler by its name and arguments, as another library is given it."""

from collections.abc import Mapping
from typing import Any

from lightning_warmup.converters.conversion import number, one_of, ratio, shape

NAMES = (
    "StepLR",
    "LambdaLR",
    "MultiStepLR",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "ReduceLROnPlateau",
    "LinearLR",
)

_PLATEAU = ("mode", "factor", "patience", "threshold", "threshold_mode", "cooldown")


def torch_decay(call: str, name: str, given: Mapping[str, Any], unit: str, lr: Any) -> dict[str, Any]:
    """The decay that goes as that scheduler does, from the end of the warmup on.

    Args:
        call: Whose argument it is, quoted in errors.
        name: The scheduler's class.
        given: Its arguments, and ``metric_name`` for ReduceLROnPlateau.
        unit: What one step of it is.
        lr: The target.

    Raises:
        ValueError: If it is none of torch's that are known, or an argument of it has no like.
    """
    if name not in NAMES:
        raise one_of(call, "scheduler", name, NAMES)
    kwargs = {key: value for key, value in given.items() if key not in ("metric_name", "verbose")}
    if name == "ReduceLROnPlateau":
        return plateau(call, given.get("metric_name"), kwargs, lr)
    scheduler = {"class_path": f"torch.optim.lr_scheduler.{name}"}
    return shape("TorchDecay", scheduler=scheduler | ({"init_args": kwargs} if kwargs else {}), unit=unit)


def plateau(call: str, metric: Any, kwargs: Mapping[str, Any], lr: Any) -> dict[str, Any]:
    """ReduceLROnPlateau of these arguments as ours.

    Raises:
        ValueError: If there is no metric, or an argument has no like.
    """
    if not metric:
        raise ValueError(f"{call}: ReduceLROnPlateau follows a metric: give metric_name.")
    if unknown := [key for key in kwargs if key not in (*_PLATEAU, "min_lr", "verbose")]:
        told = ", ".join(f"{key}={kwargs[key]!r}" for key in unknown)
        raise ValueError(f"{call}: ReduceOnPlateauDecay has nothing like {told}.")
    taken = {key: kwargs[key] for key in _PLATEAU if key in kwargs}
    if "min_lr" in kwargs:
        taken["final"] = ratio(call, "min_lr", number(call, "min_lr", kwargs["min_lr"]), lr)
    return shape("ReduceOnPlateauDecay", monitor=metric, **taken)
