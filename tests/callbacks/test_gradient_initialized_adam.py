"""GI-Adam: Adam whose second moment begins with the first gradient."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.plugins.precision import MixedPrecision
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, NAdam, Optimizer
from torch.utils.data import DataLoader, TensorDataset

from lightning_warmup import GradientInitializedAdam
from lightning_warmup.critical.trial_loss import LiveBatch, search
from lightning_warmup.training import param_groups
from lightning_warmup.training.last_moment import at_the_last_moment

BETA2 = 0.999
FLAVOURS: dict[str, tuple[Any, dict[str, Any]]] = {
    "Adam": (Adam, {}),
    "single tensor": (Adam, {"foreach": False}),
    "foreach": (Adam, {"foreach": True}),
    "fused": (Adam, {"fused": True}),
    "amsgrad": (Adam, {"amsgrad": True}),
    "maximize": (Adam, {"maximize": True}),
    "AdamW": (AdamW, {"weight_decay": 0.0}),
    "fused AdamW, amsgrad": (AdamW, {"weight_decay": 0.0, "fused": True, "amsgrad": True}),
}


def trainer(*callbacks: Callback, **arguments: Any) -> pl.Trainer:
    quiet = {"enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    return pl.Trainer(**{"logger": False, "accelerator": "cpu", **quiet, **arguments}, callbacks=list(callbacks))


class Model(pl.LightningModule):
    """L = slope·θ + curvature·θ²/2, and a record of the weights before every step and at the end."""

    def __init__(self, optimizer: Callable[..., Optimizer], curvature: float = 0.0, **arguments: Any) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64))
        self.slope = torch.tensor([0.3, -5.0, 0.002], dtype=torch.float64)
        self.curvature = curvature
        self.make = optimizer
        self.arguments = {"lr": 0.01, "eps": 0.0, "betas": (0.9, BETA2), **arguments}
        self.thetas: list[Tensor] = []

    def training_step(self, batch: Any) -> Tensor:
        self.thetas.append(self.theta.detach().clone())
        return self.slope @ self.theta + self.curvature * (self.theta @ self.theta) / 2

    def on_train_end(self) -> None:
        self.thetas.append(self.theta.detach().clone())

    def configure_optimizers(self) -> Optimizer:
        return self.make([self.theta], **self.arguments)

    def train_dataloader(self) -> Any:
        return DataLoader(list(range(1000)), batch_size=1)


def updates(model: Model, *callbacks: Callback, max_steps: int = 1, **arguments: Any) -> Tensor:
    trainer(*callbacks, max_steps=max_steps, **arguments).fit(model)
    return torch.stack(model.thetas).diff(dim=0)


@pytest.mark.parametrize("name", FLAVOURS)
def test_the_first_update_is_that_share_of_adams(name: str) -> None:
    optimizer, arguments = FLAVOURS[name]
    adam = updates(Model(optimizer, 0.5, **arguments))
    gi = updates(Model(optimizer, 0.5, **arguments), GradientInitializedAdam())
    torch.testing.assert_close(gi / adam, torch.full_like(adam, math.sqrt(1 - BETA2)), rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", FLAVOURS)
def test_a_constant_gradient_makes_it_adam_with_a_warmup(name: str) -> None:
    class Warmup(Callback):
        """Adam(lr · √(1 − β2ᵗ)), t counted from 1."""

        def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
            trainer.optimizers[0].param_groups[0]["lr"] = 0.01 * math.sqrt(1 - BETA2 ** (trainer.global_step + 1))

    optimizer, arguments = FLAVOURS[name]
    adam = updates(Model(optimizer, **arguments), Warmup(), max_steps=200)
    gi = updates(Model(optimizer, **arguments), GradientInitializedAdam(), max_steps=200)
    torch.testing.assert_close(gi, adam, rtol=1e-9, atol=0)


@pytest.mark.parametrize("clip", [{}, {"gradient_clip_val": 1.0}, {"accumulate_grad_batches": 2}])
def test_the_state_is_made_of_the_gradient_that_the_optimizer_sees(clip: dict[str, Any]) -> None:
    seen = {}

    class Watch(Callback):
        def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: Any, optimizer: Optimizer) -> None:
            at_the_last_moment(pl_module, lambda: self.look(trainer, pl_module, optimizer))

        def look(self, trainer: pl.Trainer, pl_module: Any, optimizer: Optimizer) -> None:
            if trainer.global_step == 0:
                (state,) = optimizer.state.values()
                seen.update({key: value.clone() for key, value in state.items()})
                seen["gradient"] = pl_module.theta.grad.clone()
                seen["theta"] = pl_module.theta.detach().clone()
                seen["group"] = dict(optimizer.param_groups[0])

    model = Model(Adam, 0.5, weight_decay=0.1, amsgrad=True)
    before = model.theta.detach().clone()
    trainer(GradientInitializedAdam(), Watch(), max_steps=1, **clip).fit(model)
    # Weights, gradients and settings are untouched.
    gradient = model.slope + 0.5 * before
    torch.testing.assert_close(seen["theta"], before, rtol=0, atol=0)
    expected = gradient / gradient.norm() if "gradient_clip_val" in clip else gradient
    torch.testing.assert_close(seen["gradient"], expected, rtol=1e-5, atol=0)
    assert {key: seen["group"][key] for key in ("lr", "betas", "eps")} == {"lr": 0.01, "betas": (0.9, BETA2), "eps": 0}
    # Adam adds its weight decay after clipping.
    torch.testing.assert_close(seen["exp_avg_sq"], (expected + 0.1 * before) ** 2, rtol=1e-5, atol=0)
    torch.testing.assert_close(seen["max_exp_avg_sq"], seen["exp_avg_sq"], rtol=0, atol=0)
    assert seen["exp_avg"].tolist() == [0, 0, 0]
    assert seen["step"] == 0


def test_a_gradient_of_zero_leaves_its_weight_alone() -> None:
    """0/0 at eps = 0 is Adam's own trouble, not this callback's."""

    class Check(Callback):
        def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: Any, optimizer: Optimizer) -> None:
            assert pl_module.theta.isfinite().all()

    model = Model(Adam)
    model.slope[0] = 0.0
    trainer(GradientInitializedAdam(), Check(), max_steps=1).fit(model)


@pytest.mark.parametrize("rate", [torch.tensor(0.01, dtype=torch.float64), 0.01])
def test_tensor_learning_rates_stay_what_they_are(rate: Any) -> None:
    model = Model(Adam, lr=rate, foreach=False)
    run = trainer(GradientInitializedAdam(), max_steps=2)
    run.fit(model)
    assert type(run.optimizers[0].param_groups[0]["lr"]) is type(rate)
    assert float(run.optimizers[0].param_groups[0]["lr"]) == 0.01


def test_it_raises_the_critical_learning_rate() -> None:
    """η_c(GI) / η_c(Adam) = 1/√(1 − β2)."""
    found = []

    class Measure(Callback):
        def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
            self.live = LiveBatch(trainer)

        def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: Any, optimizer: Optimizer) -> None:
            at_the_last_moment(pl_module, lambda: self.look(trainer, pl_module, optimizer))

        def look(self, trainer: pl.Trainer, pl_module: Any, optimizer: Optimizer) -> None:
            rates = param_groups.read(optimizer.param_groups, "lr")
            result = search(trainer, pl_module, optimizer, self.live, rates, start=1.0, tolerance=1e-6, max_forwards=80)
            assert result is not None
            assert result.status == "found"
            found.append(result.lr)

    for callbacks in ([Measure()], [GradientInitializedAdam(), Measure()]):
        trainer(*callbacks, max_steps=1).fit(Model(Adam, 2.0, eps=1e-8))
    assert found[1] / found[0] == pytest.approx(1 / math.sqrt(1 - BETA2), rel=0.01)


# --- when it does nothing --------------------------------------------------------------------------------------------


class Overflowing(Model):
    """Gradients that are not finite for the first two steps."""

    def on_after_backward(self) -> None:
        if self.trainer.fit_loop.epoch_loop.batch_idx < 2:
            self.theta.grad[1] = math.inf


def test_it_waits_for_a_step_that_is_really_taken() -> None:
    """Under a GradScaler the first steps may overflow and be skipped; they leave no state."""
    states = []

    class Watch(Callback):
        def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: Any, optimizer: Optimizer) -> None:
            at_the_last_moment(pl_module, lambda: states.append(bool(optimizer.state)))

    plugin = MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=4.0))
    model = Overflowing(Adam)
    model.float()
    model.slope = model.slope.float()
    updated = updates(model, GradientInitializedAdam(), Watch(), max_steps=3, plugins=[plugin])
    assert states == [False, False, True]
    assert updated[:2].abs().max() == 0
    expected = -0.01 * math.sqrt(1 - BETA2) * model.slope.sign()
    torch.testing.assert_close(updated[2], expected, rtol=1e-2, atol=0)


def test_a_fused_optimizers_gradients_are_unscaled() -> None:
    plugin = MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=1024.0))
    model = Model(Adam, fused=True)
    model.float()
    model.slope = model.slope.float()
    (updated,) = updates(model, GradientInitializedAdam(), max_steps=1, plugins=[plugin])
    torch.testing.assert_close(updated, -0.01 * math.sqrt(1 - BETA2) * model.slope.sign(), rtol=1e-2, atol=0)


def test_gradients_that_are_not_finite_leave_no_state() -> None:
    class Check(Callback):
        def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: Any, optimizer: Optimizer) -> None:
            assert not optimizer.state

    with pytest.warns(UserWarning, match="gradients of step 0 are not finite, so Adam starts as it is"):
        trainer(GradientInitializedAdam(), Check(), max_steps=1).fit(Overflowing(Adam))


def test_a_resumed_run_goes_on_as_it_was(tmp_path: Any) -> None:
    whole = Model(Adam, 0.5)
    updates(whole, GradientInitializedAdam(), max_steps=6)
    run = trainer(GradientInitializedAdam(), max_steps=3)
    run.fit(Model(Adam, 0.5))
    run.save_checkpoint(tmp_path / "last.ckpt")
    resumed = Model(Adam, 0.5)
    with pytest.warns(UserWarning, match="resuming from a checkpoint that ended before the epoch ended"):
        trainer(GradientInitializedAdam(), max_steps=6).fit(resumed, ckpt_path=tmp_path / "last.ckpt")
    torch.testing.assert_close(resumed.theta, whole.theta, rtol=0, atol=0)


def test_a_second_fit_starts_anew() -> None:
    run = trainer(GradientInitializedAdam(), max_steps=2)
    run.fit(Model(Adam))
    run.fit_loop.epoch_loop.max_steps = 4
    again = Model(Adam)
    run.fit(again)
    share = (again.thetas[1] - again.thetas[0]) / (0.01 * -again.slope.sign())
    torch.testing.assert_close(share, torch.full_like(share, math.sqrt(1 - BETA2)), rtol=1e-9, atol=0)


class Mine(Adam):
    """May do anything with its state."""


@pytest.mark.parametrize("optimizer", [SGD, NAdam, Mine])
def test_other_optimizers_are_refused(optimizer: Any) -> None:
    class Other(Model):
        def configure_optimizers(self) -> Optimizer:
            return optimizer([self.theta], lr=0.1)

    name = rf"not on .*\.{optimizer.__name__}\. Use one of those"
    with pytest.raises(MisconfigurationException, match=rf"torch.optim.Adam and torch.optim.AdamW, {name}"):
        trainer(GradientInitializedAdam(), max_steps=1).fit(Other(Adam))


# --- what it is for --------------------------------------------------------------------------------------------------


class Digits(pl.LightningModule):
    """4 linear layers of width 128, ReLU, He initialisation; half the mean squared error over all outputs."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        from sklearn.datasets import load_digits

        generator = torch.Generator().manual_seed(seed)
        sizes = [64, 128, 128, 128, 10]
        layers = [nn.Linear(a, b) for a, b in pairwise(sizes)]
        for i, layer in enumerate(layers):
            nn.init.normal_(layer.weight, 0, math.sqrt((1 if i == 3 else 2) / layer.in_features), generator=generator)
            nn.init.zeros_(layer.bias)
        first, second, third, last = layers
        self.net = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), third, nn.ReLU(), last)
        digits = load_digits()
        x = torch.tensor(digits.data, dtype=torch.float32)
        x = (x - x.mean(0)) / x.std(0).clamp_min(1e-6)
        y = torch.nn.functional.one_hot(torch.tensor(digits.target), 10).float()
        order = torch.randperm(len(x), generator=generator)[:1347]
        self.rows = TensorDataset(x[order], y[order])
        self.losses: list[float] = []

    def training_step(self, batch: list[Tensor]) -> Tensor:
        loss = nn.functional.mse_loss(self.net(batch[0]), batch[1]) / 2
        self.losses.append(float(loss.detach()))
        return loss

    def configure_optimizers(self) -> Optimizer:
        return Adam(self.net.parameters(), lr=0.1)

    def train_dataloader(self) -> Any:
        return DataLoader(self.rows, batch_size=128, shuffle=True, generator=torch.Generator().manual_seed(0))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_early_spike_of_adam_is_gone(seed: int) -> None:
    pytest.importorskip("sklearn")
    highest = {}
    for name, callbacks in {"Adam": [], "GI-Adam": [GradientInitializedAdam()]}.items():
        model = Digits(seed)
        trainer(*callbacks, max_steps=20).fit(model)
        highest[name] = max(model.losses[1:]) / model.losses[0]
    assert highest["Adam"] > 10
    assert highest["GI-Adam"] < 1.5
