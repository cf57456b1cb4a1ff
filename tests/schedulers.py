"""Every scheduler that torch has."""

from collections.abc import Callable
from typing import Any

import torch
from torch.optim import lr_scheduler as torch_schedulers

Build = Callable[[torch.optim.Optimizer], Any]


def sequential(o: torch.optim.Optimizer) -> Any:
    first, then = torch_schedulers.LinearLR(o, 0.5, total_iters=3), torch_schedulers.ExponentialLR(o, 0.9)
    return torch_schedulers.SequentialLR(o, [first, then], milestones=[3])


SCHEDULERS: dict[str, Build] = {
    "LambdaLR": lambda o: torch_schedulers.LambdaLR(o, lambda t: 0.95**t),
    "MultiplicativeLR": lambda o: torch_schedulers.MultiplicativeLR(o, lambda t: 0.95),
    "StepLR": lambda o: torch_schedulers.StepLR(o, 4, 0.5),
    "MultiStepLR": lambda o: torch_schedulers.MultiStepLR(o, [3, 7], 0.5),
    "ConstantLR": lambda o: torch_schedulers.ConstantLR(o, 0.3, 5),
    "LinearLR": lambda o: torch_schedulers.LinearLR(o, 0.3, total_iters=5),
    "ExponentialLR": lambda o: torch_schedulers.ExponentialLR(o, 0.9),
    "PolynomialLR": lambda o: torch_schedulers.PolynomialLR(o, 12, 2.0),
    "CosineAnnealingLR": lambda o: torch_schedulers.CosineAnnealingLR(o, 10, 0.01),
    "CosineAnnealingWarmRestarts": lambda o: torch_schedulers.CosineAnnealingWarmRestarts(o, 3, 2),
    "CyclicLR": lambda o: torch_schedulers.CyclicLR(o, 0.01, 0.2, 3),
    "OneCycleLR": lambda o: torch_schedulers.OneCycleLR(o, 0.2, 40),
    "SequentialLR": sequential,
    "ChainedScheduler": lambda o: torch_schedulers.ChainedScheduler(
        [torch_schedulers.ExponentialLR(o, 0.95), torch_schedulers.StepLR(o, 4, 0.5)], optimizer=o
    ),
}


def sequence(optimizer: torch.optim.Optimizer) -> torch_schedulers.LRScheduler:
    """What YAML cannot say by itself: schedulers made of schedulers."""
    parts = [torch_schedulers.ConstantLR(optimizer, 0.5, 2), torch_schedulers.ExponentialLR(optimizer, 0.9)]
    return torch_schedulers.SequentialLR(optimizer, parts, milestones=[2])
