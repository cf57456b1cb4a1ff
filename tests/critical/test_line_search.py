"""Line-search warmup, in real runs: LineSearchWarmup."""

import itertools
import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import LearningRateMonitor
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from checkpoints import SaveEveryBatch
from lightning_warmup import HyperparameterWarmup, LearningRateWarmup, LinearScaling, LineSearchWarmup, LinearWarmup
from lightning_warmup.critical.line_search import _LineSearch
from lightning_warmup.critical.measurements import has_momentum
from processes import Tell, told
from runs import Line, RecordingSGD, fit, loader, trainer

pytestmark = pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended")

given_up = pytest.mark.filterwarnings("ignore:.*the target was not reached in")


class Bowl(Line):
    """θ²/2 + floor, so a step of SGD at lr makes θ²/2 (1 − lr)² times as large: whatever it takes is known exactly."""

    def __init__(self, lr: float = 1.0, floor: float = 0.0, momentum: float = 0.9, **kwargs: Any) -> None:
        super().__init__(partial(self.sgd, lr=lr, momentum=momentum))
        self.floor = floor
        self.weight.data = torch.tensor([1.0, 0.0], dtype=torch.float64)

    @staticmethod
    def sgd(module: Line, lr: float, momentum: float) -> Any:
        # Without a buffer the first step is the gradient's; dampening 1 keeps what follows at 0.9 of the first one.
        return RecordingSGD([module.weight], lr=lr, momentum=momentum)

    def loss(self, batch: Any) -> torch.Tensor:
        return self.weight.square().sum() / 2 + self.floor + 0 * self.bias.sum()


class Noisy(Line):
    """A net with everything that a trial step could disturb: dropout, BatchNorm, a draw of random numbers."""

    def __init__(self, optimizer: Any = partial(torch.optim.SGD, lr=0.05, momentum=0.9)) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = torch.nn.Sequential(
            torch.nn.Linear(2, 8), torch.nn.BatchNorm1d(8), torch.nn.ReLU(), torch.nn.Dropout(0.4), torch.nn.Linear(8, 1)
        )
        self.optimizer = optimizer
        self.lrs: list[list[float]] = []

    def configure_optimizers(self) -> Any:
        optimizer = self.optimizer(self.net.parameters())
        optimizer.register_step_post_hook(lambda o, *_: self.lrs.append([group["lr"] for group in o.param_groups]))
        return optimizer

    def loss(self, batch: Any) -> torch.Tensor:
        x = batch[0] + torch.randn_like(batch[0])
        return (self.net(x) - x.sum(1, keepdim=True)).square().mean()

    @property
    def everything(self) -> list[torch.Tensor]:
        return [tensor.clone() for tensor in self.net.state_dict().values()]


def search(duration: Any = 8, decay: Any = "linear", **kwargs: Any) -> LearningRateWarmup:
    return LearningRateWarmup(LineSearchWarmup(duration, **kwargs), decay)


# --- the rule ----------------------------------------------------------------------------------------------------------


def at_work(duration: int = 9, max_rise: float = 0.1, max_steps: int = 36, state: Any = None) -> _LineSearch:
    return _LineSearch(LineSearchWarmup(duration, max_rise), duration, max_steps, state)


def test_halving_on_a_quadratic() -> None:
    """A made-up run, by hand: at the share c of the target, the loss becomes (1 − 8c)² times what it was."""
    run = at_work()
    run.search(0, lambda c: (1 - 8 * c) ** 2, 1.0, momentum=True)
    assert run.share(0) == 0.1
    assert run.share(1) == 0.2
    run.search(1, lambda c: (1 - 8 * c) ** 2, 1.0, momentum=True)  # (1 − 1.6)² = 0.36
    assert run.share(1) == 0.2
    run.search(2, lambda c: (1 - 8 * c) ** 2, 1.0, momentum=True)  # (1 − 2.4)² = 1.96, then (1 − 1.2)²
    assert run.share(2) == pytest.approx(0.15, rel=1e-15)
    assert (run.halvings, run.forwards) == (1, 7)
    # The ramp goes on from there, by 1/10 a step.
    assert run.share(3) == pytest.approx(0.25, rel=1e-15)
    assert run.length_taken is None


@pytest.mark.parametrize(("max_rise", "halvings"), [(0.0, 1), (0.95, 1), (0.97, 0), (10, 0)])
def test_max_rise_is_a_share_of_the_loss(max_rise: float, halvings: int) -> None:
    for loss, after in ((5.0, 5 * 1.96), (-5.0, -5 + 5 * 0.96)):  # a loss may be negative, too
        run = at_work(max_rise=max_rise)
        run.search(0, lambda c: after if c > 0.09 else loss, loss, momentum=True)  # noqa: B023
        assert run.halvings == halvings


@pytest.mark.parametrize("bad", [math.nan, math.inf, 7.0])
def test_no_step_is_halved_more_than_ten_times(bad: float) -> None:
    run = at_work()
    run.search(0, lambda c: bad, 1.0, momentum=True)
    assert run.halvings == 10
    assert run.forwards == 12
    assert run.share(0) == pytest.approx(0.1 / 1024, rel=1e-12)


def test_without_momentum_the_mean_of_the_last_losses_counts_too() -> None:
    run = at_work()
    for t in range(30):
        run.search(t % 9, lambda c: 0.0, 10.0 if t < 10 else 1.0, momentum=False)
    assert run.state()["losses"] == [1.0] * 20
    for loss, allowed in ((4.0, 4.4), (0.1, 1.5 * (19 + 0.1) / 20)):
        for after, halved in ((allowed * 0.999, False), (allowed * 1.001, True)):
            other = at_work(state=run.state() | {"position": 0.0, "step": 0})
            other.search(1, lambda c: after if c > 0.19 else 0.0, loss, momentum=False)  # noqa: B023
            assert (other.halvings > run.halvings) is halved


def test_which_optimizers_have_momentum() -> None:
    parameters = [torch.nn.Parameter(torch.zeros(1))]
    assert not has_momentum(torch.optim.SGD(parameters, lr=1))
    assert not has_momentum(RecordingSGD(parameters, lr=1))
    assert has_momentum(torch.optim.SGD(parameters, lr=1, momentum=0.9))
    assert has_momentum(torch.optim.AdamW(parameters))
    assert has_momentum(torch.optim.RMSprop(parameters))


# --- a run that needs no halving is a linear warmup, bit for bit ----------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"gradient_clip_val": 0.5}, {"precision": "bf16-mixed"}], ids=str)
@pytest.mark.parametrize(
    "optimizer", [partial(torch.optim.SGD, lr=0.05), partial(torch.optim.AdamW, lr=0.003)], ids=["sgd", "adamw"]
)
def test_nothing_of_the_training_is_changed(optimizer: Any, settings: dict[str, Any]) -> None:
    linear, tried = Noisy(optimizer), Noisy(optimizer)
    for callback, module in ((LearningRateWarmup(7, "cosine"), linear), (search(7, "cosine", max_rise=99.0), tried)):
        torch.manual_seed(1)
        fit(callback, module, max_epochs=4, **settings)
        assert callback.warmup_steps == 7
    assert tried.lrs == linear.lrs
    assert all(map(torch.equal, tried.everything, linear.everything))
    assert tried.trainer.callback_metrics == linear.trainer.callback_metrics


def test_a_step_that_is_halved_is_taken_as_if_it_had_been_so_from_the_start() -> None:
    """What is tried leaves no trace: the same rates, given as numbers, train the same net."""
    tried = Noisy(partial(torch.optim.SGD, lr=3.0))
    torch.manual_seed(1)
    callback = search(4, None, max_steps=40)
    fit(callback, tried, max_epochs=2)
    rates = [lr for (lr,) in tried.lrs]
    assert any(b < a for a, b in itertools.pairwise(rates))

    replayed = Noisy(partial(torch.optim.SGD, lr=3.0))
    torch.manual_seed(1)
    replayed.on_before_optimizer_step = lambda optimizer: optimizer.param_groups[0].update(  # type: ignore[method-assign]
        lr=rates[len(replayed.lrs)]
    )
    fit([], replayed, max_epochs=2)
    assert replayed.lrs == tried.lrs
    assert all(map(torch.equal, tried.everything, replayed.everything))


# --- halving, in a run ----------------------------------------------------------------------------------------------------


@given_up
def test_a_quadratic_is_never_stepped_over(messages: list[str]) -> None:
    """SGD on θ²/2 at lr multiplies θ² by (1 − lr)²: with a rise of none, no lr above 2 is taken."""
    module = Bowl(lr=8.0, momentum=0.0, floor=1e6)  # so large that the mean of the last losses is not more
    module.loss = lambda batch: (module.weight * 1000).square().sum() / 2e6 + 0 * module.bias.sum()  # type: ignore[method-assign]
    expected, position, theta, losses = [], -1.0, 1.0, []
    for t in range(20):
        position, loss = min(4.0, position + 1), theta * theta / 2
        losses = [*losses, loss][-20:]
        most = max(loss, 1.5 * sum(losses) / len(losses))
        while (theta * (1 - 8 * (position + 1) / 5)) ** 2 / 2 > most * (1 + 1e-9):
            position = (position + 1) / 2 - 1
        lr = 8 * (position + 1) / 5
        theta *= 1 - lr
        expected.append(lr)
    used = fit(search(4, None, max_rise=0.0, max_steps=20), module, max_epochs=2).used
    assert used == pytest.approx(expected, rel=1e-6)
