"""What reproduces of the papers on handwritten digits; wide margins, three seeds, full batches."""

import math
from itertools import pairwise
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer
from torch.utils.data import DataLoader

from lightning_warmup import LearningRateWarmup, LinearWarmup, PersistentCatapultWarmup
from runs import trainer

pytestmark = pytest.mark.slow

every_seed = pytest.mark.parametrize("seed", [0, 1, 2])


class DigitsMLP(pl.LightningModule):
    """4 linear layers of width 128, ReLU, He initialisation, trained by SGD without momentum.

    Args:
        seed: Of the weights and of the split: 1,347 digits to train on, 450 to test.
        lr: Learning rate.
        loss: "mse" (half the mean over all outputs) or "cross entropy".
        gain: Multiplies the weights of every layer.
    """

    def __init__(self, seed: int, lr: float, loss: str = "mse", gain: float = 1.0) -> None:
        super().__init__()
        datasets = pytest.importorskip("sklearn.datasets")
        generator = torch.Generator().manual_seed(seed)
        widths = [64, 128, 128, 128, 10]
        layers: list[nn.Module] = []
        for i, (fan_in, fan_out) in enumerate(pairwise(widths)):
            layer = nn.Linear(fan_in, fan_out)
            deviation = math.sqrt((1 if i == 3 else 2) / fan_in)
            nn.init.normal_(layer.weight, 0, gain * deviation, generator=generator)
            nn.init.zeros_(layer.bias)
            layers += [layer, nn.ReLU()]
        self.net = nn.Sequential(*layers[:-1])
        pixels, labels = datasets.load_digits(return_X_y=True)
        x, y = torch.tensor(pixels, dtype=torch.float32), torch.tensor(labels)
        x = (x - x.mean(0)) / x.std(0).clamp_min(1e-6)
        order = torch.randperm(len(x), generator=generator)
        self.seen, self.unseen = ((x[part], y[part]) for part in (order[:1347], order[1347:]))
        self.lr = lr
        self.kind = loss
        self.losses: list[float] = []
        self.lrs: list[float] = []

    def training_step(self, batch: list[Tensor]) -> Tensor:
        x, y = batch
        if self.kind == "mse":
            loss = nn.functional.mse_loss(self.net(x), nn.functional.one_hot(y, 10).float()) / 2
        else:
            loss = nn.functional.cross_entropy(self.net(x), y)
        return loss

    def on_train_batch_end(self, outputs: Any, *_: Any) -> None:
        self.losses.append(float(outputs["loss"]))

    def configure_optimizers(self) -> Optimizer:
        optimizer = SGD(self.net.parameters(), lr=self.lr)
        # After the step: before it, the callback may still measure.
        optimizer.register_step_post_hook(lambda o, *_: self.lrs.append(o.param_groups[0]["lr"]))
        return optimizer

    @property
    def accuracy(self) -> float:
        """The share of the 450 unseen digits that are told right."""
        x, y = self.unseen
        with torch.no_grad():
            return float((self.net(x).argmax(1) == y).float().mean())


def train(module: DigitsMLP, warmup: LearningRateWarmup, *, max_steps: int, batch_size: int | None = None) -> DigitsMLP:
    """In full batches, or in shuffled ones."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so small a net gains nothing from more
    x, y = module.seen
    rows = [[x, y]] * max_steps
    if batch_size is not None:
        generator = torch.Generator().manual_seed(0)
        order = torch.cat([torch.randperm(len(x), generator=generator) for _ in range(max_steps)])
        rows = [[x[part], y[part]] for part in order[: max_steps * batch_size].split(batch_size)]
    try:
        trainer(warmup, max_steps=max_steps, max_epochs=-1).fit(module, DataLoader(rows, batch_size=None))
    finally:
        torch.set_num_threads(threads)
    return module


# --- SGD at a learning rate that fails without a warmup --------------------------------------------------------------


@every_seed
def test_without_a_warmup_it_diverges(seed: int) -> None:
    module = train(DigitsMLP(seed, lr=4.0), LearningRateWarmup(), max_steps=60)
    assert not math.isfinite(module.losses[-1])


@every_seed
def test_a_linear_warmup_trains_it(seed: int) -> None:
    module = train(DigitsMLP(seed, lr=4.0), LearningRateWarmup(LinearWarmup(16)), max_steps=150)
    assert module.accuracy > 0.9
    assert module.lrs[-1] == 4.0


@every_seed
def test_the_catapult_trains_it(seed: int) -> None:
    warmup = LearningRateWarmup(PersistentCatapultWarmup(max_steps=50))
    module = train(DigitsMLP(seed, lr=4.0), warmup, max_steps=150)
    assert module.accuracy > 0.9
    assert module.lrs[-1] == 4.0
    # By itself, without the fallback.
    assert warmup.warmup_steps is not None
    assert 1 <= warmup.warmup_steps < 50


# --- the catapult's fallback -----------------------------------------------------------------------------------------


@every_seed
def test_the_fallback_takes_a_stranded_catapult_to_the_target(seed: int) -> None:
    """Cross-entropy without normalisation, on weights twice as large: without a warmup the loss leaps.

    In six small jumps the catapult does not get there. What it does not do is bring back a run that has diverged.
    """
    model = {"lr": 0.3, "loss": "cross entropy", "gain": 2.0}
    constant = train(DigitsMLP(seed, **model), LearningRateWarmup(), max_steps=20, batch_size=128)
    assert max(constant.losses) > 2.5 * constant.losses[0]

    warmup = LearningRateWarmup(PersistentCatapultWarmup(max_growth=1.25, max_steps=6))
    module = train(DigitsMLP(seed, **model), warmup, max_steps=200, batch_size=128)
    rate = module.lrs[5]
    assert 0 < rate < 0.95 * 0.3
    assert module.lrs[6:12] == pytest.approx([rate + (0.3 - rate) * k / 6 for k in range(6)])
    assert module.lrs[12:] == [0.3] * 188
    assert warmup.warmup_steps == 12
    assert max(module.losses) < 2 * module.losses[0]
    assert module.accuracy > 0.85
