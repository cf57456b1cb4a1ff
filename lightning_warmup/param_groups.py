"""Read and write one hyper-parameter of an optimizer's param groups: floats and tensors."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

import torch

ParamGroup = dict[str, Any]


def key_of(owner: str, parameter: str, group: ParamGroup) -> str:
    """The group's key for ``parameter``: ``"momentum"`` is ``betas[0]`` on Adam-likes.

    Raises:
        ValueError: If the group has no such numeric entry.
    """
    if parameter == "momentum" and "momentum" not in group and "betas" in group:
        return "betas"
    value = group.get(parameter)
    if isinstance(value, torch.Tensor) and value.numel() == 1:
        return parameter
    if isinstance(value, Real) and not isinstance(value, bool):
        return parameter
    numeric = [k for k, v in group.items() if isinstance(v, Real) and not isinstance(v, bool)]
    numeric += ["momentum"] if "betas" in group else []
    state = f"is {value!r}, no number" if parameter in group else "is not there"
    raise ValueError(
        f"{owner}(parameter={parameter!r}): this entry of the optimizer's param groups {state}."
        f" Numeric entries: {', '.join(sorted(numeric))}."
    )


def read(groups: Sequence[ParamGroup], key: str) -> list[float]:
    """The value of each group."""
    values = [group[key] for group in groups]
    if key == "betas":
        values = [betas[0] for betas in values]
    return [float(value) for value in values]


def write(groups: Sequence[ParamGroup], key: str, values: Sequence[float]) -> None:
    """Set the value of each group. A tensor is filled in place: it keeps its type, its device and its identity."""
    for group, value in zip(groups, values, strict=True):
        if key == "betas":
            first, *rest = group["betas"]
            if isinstance(first, torch.Tensor):
                first.fill_(value)
            else:
                group["betas"] = (value, *rest)
        elif isinstance(group[key], torch.Tensor):
            group[key].fill_(value)
        else:
            group[key] = value
