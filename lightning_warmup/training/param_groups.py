"""Read and write one hyper-parameter of an optimizer's param groups: floats and tensors."""

from collections.abc import Callable, Sequence
from numbers import Real
from operator import itemgetter
from typing import Any

import numpy as np
import torch
from torch.optim import Optimizer

from lightning_warmup.schedule.config import ScheduleConfig
from lightning_warmup.training import lightning_names as pl
from lightning_warmup.training.lightning_names import MisconfigurationException

ParamGroup = dict[str, Any]


def optimizers_of(trainer: pl.Trainer, config: ScheduleConfig) -> list[tuple[int, Optimizer]]:
    """The optimizers to act on, with their index; one without param groups has nothing to act on.

    Raises:
        MisconfigurationException: If there is none of the configured index.
    """
    optimizers: list[Optimizer] = trainer.optimizers
    if config.optimizer is not None and config.optimizer >= len(optimizers):
        raise MisconfigurationException(
            f"{config.owner}(optimizer={config.optimizer}): the module has {len(optimizers)} optimizer(s), counted"
            " from 0."
        )
    return [
        (index, optimizer)
        for index, optimizer in enumerate(optimizers)
        if config.optimizer in (None, index) and optimizer.param_groups
    ]


def key_of(config: ScheduleConfig, optimizer: Optimizer) -> str:
    """Entry of the optimizer's param groups that the schedule sets."""
    return _key_of(config.owner, config.parameter, optimizer.param_groups[0])


def _key_of(owner: str, parameter: str, group: ParamGroup) -> str:
    """The group's key for ``parameter``: on Adam-likes ``"momentum"`` is ``betas[0]``, and ``"beta2"`` ``betas[1]``.

    Raises:
        ValueError: If the group has no such numeric entry.
    """
    if parameter == "momentum" and "momentum" not in group and "betas" in group:
        return "betas"
    if parameter == "beta2" and "beta2" not in group and len(group.get("betas", ())) > 1:
        return "betas[1]"
    value = group.get(parameter)
    if _is_numeric(value):
        return parameter
    numeric = {name for name, entry in group.items() if _is_numeric(entry)}
    numeric |= {"momentum", "beta2"} if len(group.get("betas", ())) > 1 else set()
    state = f"is a {type(value).__name__}, no number" if parameter in group else "is not there"
    raise ValueError(
        f"{owner}(parameter={parameter!r}): this entry of the optimizer's param groups {state}."
        f" Numeric entries: {', '.join(sorted(numeric))}."
    )


def _is_numeric(value: object) -> bool:
    if isinstance(value, torch.Tensor):
        return value.numel() == 1
    return isinstance(value, Real) and not isinstance(value, bool)


def entry_of(key: str) -> Callable[[ParamGroup], Any]:
    """What gets a group's entry as it is, a float or a tensor."""
    return {"betas": _first_beta, "betas[1]": _second_beta}.get(key) or itemgetter(key)


def _first_beta(group: ParamGroup) -> Any:
    return group["betas"][0]


def _second_beta(group: ParamGroup) -> Any:
    return group["betas"][1]


def entries(groups: Sequence[ParamGroup], key: str) -> list[Any]:
    """The entry of each group as it is, a float or a tensor."""
    return list(map(entry_of(key), groups))


def read(groups: Sequence[ParamGroup], key: str) -> list[float]:
    """The value of each group."""
    return [float(entry) for entry in entries(groups, key)]


Writer = Callable[[Sequence[ParamGroup], str, Sequence[float]], None]
"""Sets the value of each group."""


def write(groups: Sequence[ParamGroup], key: str, values: Sequence[float]) -> None:
    """Set the value of each group. A tensor is filled in place: it keeps its type, its device and its identity."""
    for group, entry, value in zip(groups, entries(groups, key), values, strict=True):
        if isinstance(entry, torch.Tensor):
            entry.fill_(value)
        elif key == "betas":
            group["betas"] = (value, *group["betas"][1:])
        elif key == "betas[1]":
            group["betas"] = (group["betas"][0], value, *group["betas"][2:])
        else:
            group[key] = value


class ForeachWriter:
    """Sets the value of each group, whose entry is a tensor, for all groups in one call.

    Args:
        like: One of the tensors: they are scalars of one type on one device.
        count: How many there are.
    """

    def __init__(self, like: torch.Tensor, count: int) -> None:
        self._values = torch.empty(count, dtype=like.dtype, device=like.device)
        self._each = list(self._values.unbind())

    def __call__(self, groups: Sequence[ParamGroup], key: str, values: Sequence[float]) -> None:
        """Set the values."""
        # By way of numpy, which reads a list in a third of the time.
        self._values.copy_(torch.from_numpy(np.array(values)), non_blocking=True)
        try:
            torch._foreach_copy_(entries(groups, key), self._each)
        except TypeError:  # somebody has put a number in the place of a tensor
            write(groups, key, values)


def hold_floats(groups: Sequence[ParamGroup], key: str) -> bool:
    """Whether all that there is to a value is one float in each group."""
    return not key.startswith("betas") and all(type(entry) is float for entry in entries(groups, key))


def fastest_writer(groups: Sequence[ParamGroup], key: str) -> Writer:
    """What does as :func:`write` does for these groups, in less time; several times less for a hundred tensors."""
    present = entries(groups, key)
    first = present[0]
    if len(present) >= 100 and all(
        isinstance(entry, torch.Tensor)
        and (entry.shape, entry.dtype, entry.device) == (torch.Size(()), first.dtype, first.device)
        for entry in present
    ):
        return ForeachWriter(first, len(present))
    return write
