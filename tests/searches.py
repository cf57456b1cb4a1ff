"""What the tests of the line search share: losses of which all is known, and searches."""

from typing import Any

import pytest
import torch

from lightning_warmup import LearningRateWarmup, LineSearchWarmup
from lightning_warmup.critical.line_search import _LineSearch
from runs import Line, RecordingSGD

given_up = pytest.mark.filterwarnings("ignore:.*the target was not reached in")


class Descent(torch.optim.Optimizer):
    """θ ← θ − lr · gradient, no kin of SGD's: what it steps over, it may step over again."""

    def __init__(self, parameters: Any, lr: float) -> None:
        super().__init__(parameters, {"lr": lr})
        self.used: list[list[dict[str, Any]]] = []
        self.register_step_post_hook(lambda *_: self.used.append([{"lr": group["lr"]} for group in self.param_groups]))

    lrs = RecordingSGD.lrs

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.sub_(self.direction(parameter), alpha=group["lr"])
        return loss

    def direction(self, parameter: Any) -> torch.Tensor:
        """What a step at lr 1 takes away."""
        gradient: torch.Tensor = parameter.grad
        return gradient


class Bowl(Line):
    """θ²/2: a step of gradient descent at lr makes the loss (1 − lr)² times as large, so all that it does is known."""

    def __init__(self, lr: float, optimizer: Any = Descent) -> None:
        super().__init__(lambda m: optimizer([m.theta], lr=lr))
        del self.weight, self.bias
        self.theta = torch.nn.Parameter(torch.tensor(1.0, dtype=torch.float64))

    def loss(self, batch: Any) -> torch.Tensor:
        return self.theta.square() / 2


class Valley(Line):
    """A product of two weights, the smallest net that stabilises itself: too long a step lowers its curvature."""

    def __init__(self, lr: float = 3.0) -> None:
        super().__init__(lambda m: RecordingSGD(m.parameters(), lr=lr))
        self.weight.data = torch.tensor([2.0, 0.6])

    def loss(self, batch: Any) -> torch.Tensor:
        return (self.weight[0] * self.weight[1] - 0.2) ** 2 / 2 + 0 * self.bias.sum()


def search(duration: Any = 8, decay: Any = "linear", **kwargs: Any) -> LearningRateWarmup:
    return LearningRateWarmup(LineSearchWarmup(duration, **kwargs), decay)


def at_work(duration: int = 9, max_rise: float | None = 0.1, max_steps: int = 36, state: Any = None) -> _LineSearch:
    return _LineSearch(LineSearchWarmup(duration, max_rise), duration, max_steps, state)
