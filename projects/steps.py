"""What the optimizer steps of a run really used, whoever's Trainer it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from math import isclose
from typing import Any

from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook


@contextmanager
def recorded() -> Iterator[list[list[float]]]:
    """A list that grows with every optimizer step: the learning rates of its param groups."""
    used: list[list[float]] = []

    def record(optimizer: Optimizer, *_: Any) -> None:
        used.append([float(group["lr"]) for group in optimizer.param_groups])

    hook = register_optimizer_step_post_hook(record)
    yield used
    hook.remove()


def compare(used: list[list[float]], ideal: list[float], what: str) -> None:
    """Every step's first group is what it should be, to the twelfth digit; say so."""
    first = [lrs[0] for lrs in used]
    assert len(first) == len(ideal), f"{what}: {len(first)} steps, not {len(ideal)}"
    assert all(map(partial(isclose, rel_tol=1e-12), first, ideal)), f"{what}: {first} is not {ideal}"
    print(f"{what}: {len(used)} steps as they should be")
