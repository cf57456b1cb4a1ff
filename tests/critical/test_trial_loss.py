"""What a search on the live batch finds, and that it leaves no trace."""

import copy
import math
import random
from collections.abc import Callable, Iterator
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers.logger import DummyLogger, Logger
from lightning.pytorch.plugins.precision import MixedPrecision
from lightning.pytorch.strategies import FSDPStrategy
from torch import Tensor, nn
from torch.optim import LBFGS, SGD, Adam, AdamW, Optimizer
from torch.utils.data import DataLoader
from torchmetrics.classification import MulticlassAccuracy

from lightning_warmup.critical.search import CriticalLearningRateResult
from lightning_warmup.critical.trial_loss import LiveBatch, check_supported, search, step_losses
from lightning_warmup.training import param_groups
from lightning_warmup.training.last_moment import at_the_last_moment

pytestmark = [
    pytest.mark.filterwarnings("ignore:Trying to infer the `batch_size`"),
    pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step"),
]


def trainer(*callbacks: Callback, **arguments: Any) -> pl.Trainer:
    quiet = {"enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    return pl.Trainer(**{"logger": False, "accelerator": "cpu", **quiet, **arguments}, callbacks=list(callbacks))


class Search(Callback):
    """Searches before each of the given steps, and keeps what it found and what it cost."""

    def __init__(self, *steps: int, **settings: Any) -> None:
        self.steps = steps or tuple(range(1000))
        self.settings = {"start": 1 / 16, "stop": None, **settings}
        self.results: list[CriticalLearningRateResult | None] = []
        self.oracles: list[float] = []
        self.live: LiveBatch | None = None

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self.live = LiveBatch(trainer) if trainer.global_step in self.steps else None

    def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: Any, optimizer: Optimizer) -> None:
        at_the_last_moment(pl_module, lambda: self.look(trainer, pl_module, optimizer))

    def look(self, trainer: pl.Trainer, pl_module: Any, optimizer: Optimizer) -> None:
        if self.live is not None:
            rates = param_groups.read(optimizer.param_groups, "lr")
            if isinstance(pl_module, Quadratic):
                self.oracles.append(pl_module.critical_multiplier(optimizer))
            before = everything(trainer, pl_module, optimizer)
            self.results.append(search(trainer, pl_module, optimizer, self.live, rates, **self.settings))
            assert_identical(everything(trainer, pl_module, optimizer), before)


def everything(trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer) -> dict[str, Any]:
    """A copy of all that a search must leave alone."""
    metrics = [module for module in pl_module.modules() if isinstance(module, MulticlassAccuracy)]
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    return copy.deepcopy(
        {
            "module": pl_module.state_dict(),
            "gradients": [parameter.grad for parameter in parameters],
            "optimizer": dict(optimizer.state_dict()),
            "entries": [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups],
            "metrics": [(m.metric_state, m._update_count, m._computed, m._forward_cache) for m in metrics],
            "random": (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()),
            "results": {key: str(value) for key, value in (trainer._results or {}).items()},
            "logged": (dict(trainer.callback_metrics), dict(trainer.logged_metrics)),
            "seen": getattr(pl_module, "seen", None),
            "own": sorted(vars(pl_module)),
            "fx": pl_module._current_fx_name,
            "progress": (trainer.global_step, str(trainer.fit_loop.state_dict())),
            "loggers": list(map(id, trainer.loggers)),
        }
    )


def assert_identical(now: Any, before: Any, at: str = "") -> None:
    assert type(now) is type(before), at
    if isinstance(now, Tensor):
        torch.testing.assert_close(now, before, rtol=0, atol=0, equal_nan=True, msg=at)
    elif isinstance(now, dict):
        assert list(now) == list(before), at
        for key in now:
            assert_identical(now[key], before[key], f"{at}.{key}")
    elif isinstance(now, list | tuple):
        assert len(now) == len(before), at
        for i, pair in enumerate(zip(now, before, strict=True)):
            assert_identical(*pair, f"{at}.{i}")
    else:
        assert now == before, at


# --- quadratics: the oracle ------------------------------------------------------------------------------------------


class Lion(Optimizer):
    """Not of torch: sign of an average of gradients, decoupled weight decay."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, {"lr": lr, "betas": (0.9, 0.99), "weight_decay": 0.1})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for parameter in group["params"]:
                state = self.state[parameter]
                average = state.setdefault("exp_avg", torch.zeros_like(parameter))
                # As old optimizers do, past the version counter, and with the gradient itself.
                parameter.data.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.data.sub_(group["lr"] * (average * beta1 + parameter.grad * (1 - beta1)).sign())
                average.mul_(beta2).add_(parameter.grad.mul_(1 - beta2))
        return loss


class Quadratic(pl.LightningModule):
    """L = θᵀHθ/2, in two param groups of different learning rates."""

    def __init__(self, optimizer: Callable[..., Optimizer], dtype: torch.dtype = torch.float64, **arguments: Any):
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        root = torch.randn(8, 8, generator=generator, dtype=torch.float64)
        self.hessian = (root @ root.T + 0.1 * torch.eye(8)).to(dtype)
        start = torch.randn(8, generator=generator, dtype=torch.float64).to(dtype)
        self.a = nn.Parameter(start[:3].clone())
        self.b = nn.Parameter(start[3:].clone())
        self.make = optimizer
        self.arguments = arguments

    def loss(self) -> Tensor:
        theta = torch.cat([self.a, self.b])
        return theta @ self.hessian @ theta / 2

    def training_step(self, batch: Any) -> Tensor:
        return self.loss()

    def configure_optimizers(self) -> Optimizer:
        return self.make([{"params": [self.a]}, {"params": [self.b], "lr": 0.002}], lr=0.001, **self.arguments)

    def train_dataloader(self) -> Any:
        return DataLoader(list(range(50)), batch_size=1)

    def critical_multiplier(self, optimizer: Optimizer) -> float:
        """2gᵀD / DᵀHD, D being the step of a copy."""
        twin = copy.deepcopy(optimizer)
        parameters = [p for group in twin.param_groups for p in group["params"]]
        for parameter, live in zip(parameters, (self.a, self.b), strict=True):
            parameter.grad = live.grad.clone()
        theta = torch.cat([self.a, self.b]).detach()
        twin.step()
        direction = theta - torch.cat(parameters).detach()
        slope = (self.hessian @ theta) @ direction
        return float(2 * slope / (direction @ self.hessian @ direction))


LINEAR = {
    "SGD": (SGD, {}),
    "weight decay": (SGD, {"weight_decay": 0.01}),
    "momentum": (SGD, {"momentum": 0.9}),
    "Nesterov": (SGD, {"momentum": 0.9, "nesterov": True}),
    "Adam": (Adam, {}),
    "fused Adam": (Adam, {"fused": True}),
    "amsgrad": (Adam, {"amsgrad": True, "foreach": True}),
    "AdamW": (AdamW, {"weight_decay": 0.1}),
    "RMSprop": (torch.optim.RMSprop, {"momentum": 0.5, "centered": True}),
    "Adagrad": (torch.optim.Adagrad, {}),
    "NAdam": (torch.optim.NAdam, {}),
    "RAdam": (torch.optim.RAdam, {}),
    "Lion": (Lion, {}),
}


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("tolerance", [1 / 16, 1e-8])
def test_quadratic(name: str, tolerance: float) -> None:
    optimizer, arguments = LINEAR[name]
    watch = Search(0, 1, 5, tolerance=tolerance, max_forwards=80)
    trainer(watch, max_steps=6).fit(Quadratic(optimizer, **arguments))
    assert len(watch.results) == 3
    for result, oracle in zip(watch.results, watch.oracles, strict=True):
        assert oracle > 0
        assert result is not None
        assert result.status == "found"
        # The loss itself is known to 1e-16: near its equal the search sees η_c to no better than about 1e-8.
        assert result.lr == pytest.approx(oracle, rel=tolerance if tolerance == 1 / 16 else 1e-6)


@pytest.mark.parametrize(
    ("optimizer", "arguments", "statuses"),
    [
        # Their learning rates count only for the very first step: later, no multiplier is too large.
        (torch.optim.ASGD, {"lambd": 0.1}, ["found", "exhausted"]),
        (torch.optim.Rprop, {}, ["found", "exhausted"]),
        # Never takes more than 1/√t for its learning rate, which is not too much here, and is with a larger unit.
        (torch.optim.Adafactor, {}, ["exhausted", "exhausted"]),
        (torch.optim.Adafactor, {"eps": (None, 100.0)}, ["found", "found"]),
    ],
)
def test_a_step_that_is_not_linear_in_the_lr_is_measured_as_it_is(
    optimizer: Callable[..., Optimizer], arguments: dict[str, Any], statuses: list[str]
) -> None:
    class Check(Search):
        def look(self, trainer: pl.Trainer, pl_module: Any, optimizer: Optimizer) -> None:
            super().look(trainer, pl_module, optimizer)
            result = self.results[-1]
            assert result is not None
            if self.live is not None and result.status == "found":
                now = float(pl_module.loss().detach())
                assert stepped(pl_module, optimizer, result.lr * (1 - 1e-5)) <= now
                assert stepped(pl_module, optimizer, result.lr * (1 + 1e-5)) >= now

    def stepped(module: Quadratic, optimizer: Optimizer, c: float) -> float:
        twin, other = copy.deepcopy((optimizer, module))
        for parameter, live in zip(other.parameters(), module.parameters(), strict=True):
            parameter.grad = live.grad.clone()
        for group in twin.param_groups:
            group["lr"] *= c
        twin.step()
        return float(other.loss().detach())

    watch = Check(0, 3, tolerance=1e-6, max_forwards=80)
    trainer(watch, max_steps=4).fit(Quadratic(optimizer, **arguments))
    assert [result.status for result in watch.results if result is not None] == statuses


def test_momentum_can_point_uphill() -> None:
    class Turned(Quadratic):
        def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
            # As after a sudden change of the task: the old momentum leads away.
            if self.trainer.global_step == 0:
                self.a.grad.mul_(-5)
                self.b.grad.mul_(-5)

    watch = Search(1)
    trainer(watch, max_steps=2).fit(Turned(SGD, momentum=0.9))
    assert watch.oracles[0] < 0
    assert watch.results == [CriticalLearningRateResult(0.0, 24, "ascent")]


def test_forwards_up_to_a_stop() -> None:
    """The multiplier is in units of the targets, and the search ends at them."""
    watch = Search(0, start=1 / 64, stop=1.0)
    trainer(watch, max_steps=1).fit(Quadratic(SGD))
    assert watch.oracles[0] > 1
    assert watch.results == [CriticalLearningRateResult(1.0, 2 + 6, "above_stop")]


def test_tensor_learning_rates() -> None:
    class Tensors(Quadratic):
        def configure_optimizers(self) -> Optimizer:
            optimizer = Adam([{"params": [self.a, self.b]}], lr=torch.tensor(0.001, dtype=torch.float64))
            self.lr = optimizer.param_groups[0]["lr"]
            return optimizer

    watch = Search(0)
    model = Tensors(Adam)
    run = trainer(watch, max_steps=1)
    run.fit(model)
    assert watch.results[0].lr == pytest.approx(watch.oracles[0], rel=1 / 16)  # type: ignore[union-attr]
    assert run.optimizers[0].param_groups[0]["lr"] is model.lr
    assert float(model.lr) == 0.001


@pytest.mark.parametrize("algorithm", ["norm", "value"])
def test_the_step_is_that_of_clipped_gradients(algorithm: str) -> None:
    watch = Search(0, tolerance=1e-6, max_forwards=80)
    model = Quadratic(SGD)
    whole = Quadratic(SGD)
    clipped = {
        "norm": lambda p: torch.nn.utils.clip_grad_norm_(p, 0.5),
        "value": lambda p: nn.utils.clip_grad_value_(p, 0.5),
    }
    trainer(watch, max_steps=1, gradient_clip_val=0.5, gradient_clip_algorithm=algorithm).fit(model)
    twin = Quadratic(SGD)
    twin.loss().backward()
    clipped[algorithm](list(twin.parameters()))
    expected = twin.critical_multiplier(twin.configure_optimizers())
    assert watch.results[0].lr == pytest.approx(expected, rel=1e-5)  # type: ignore[union-attr]
    whole.loss().backward()
    assert abs(whole.critical_multiplier(whole.configure_optimizers()) / expected - 1) > 0.1  # clipping matters


# --- leaving no trace ------------------------------------------------------------------------------------------------


class Messy(pl.LightningModule):
    """Everything a training step may do to its surroundings."""

    def __init__(self, teacher_decay: float = 0.99) -> None:
        super().__init__()
        self.teacher_decay = teacher_decay
        self.net = nn.Sequential(
            nn.Linear(5, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3), nn.Dropout(0.1)
        )
        self.teacher = nn.Linear(5, 3).requires_grad_(False)
        self.accuracy = MulticlassAccuracy(3)
        self.seen: list[float] = []

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        target = batch.pop("y")
        x = batch["x"].add_(0.1 * float(np.random.rand()))
        x = x * (1 + 0.1 * random.random())
        self.teacher.weight.mul_(self.teacher_decay)
        logits = self.net(x) + self.teacher(x)
        loss = nn.functional.cross_entropy(logits, target)
        self.accuracy(logits, target)
        self.seen.append(float(loss.detach()))
        self.log("loss", loss, on_step=True, on_epoch=True, prog_bar=True)
        self.log("accuracy", self.accuracy, on_step=True, on_epoch=True)
        if self.logger is not None:
            self.logger.log_metrics({"own": float(loss.detach())}, step=self.global_step)
        return {"loss": loss, "logits": logits}

    def on_before_zero_grad(self, optimizer: Optimizer) -> None:
        torch.rand(()), random.random(), np.random.rand()  # random numbers after those of training_step

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        self.log("in_hook", 1.0)

    def on_train_batch_end(self, outputs: Any, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.seen.append(float(batch["x"].sum()) + len(batch))

    def configure_optimizers(self) -> Optimizer:
        return Adam(self.net.parameters(), lr=0.05)

    def train_dataloader(self) -> Any:
        generator = torch.Generator().manual_seed(0)
        rows = [
            {"x": torch.randn(5, generator=generator), "y": torch.randint(3, (), generator=generator)}
            for _ in range(48)
        ]
        return DataLoader(rows, batch_size=8, shuffle=True)


class Recorder(DummyLogger):
    def __init__(self) -> None:
        super().__init__()
        self.logged: list[tuple[dict[str, float], int | None]] = []

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:  # type: ignore[override]
        self.logged.append((metrics, step))


def run_messy(*callbacks: Callback, **arguments: Any) -> tuple[Any, ...]:
    pl.seed_everything(7, verbose=False)
    model = Messy()
    logger: Logger = Recorder()
    run = trainer(*callbacks, max_epochs=2, logger=[logger], log_every_n_steps=1, **arguments)
    run.fit(model)
    state = run.optimizers[0].state_dict()
    end = (random.random(), float(np.random.rand()), torch.rand(()))
    return model.state_dict(), state, logger.logged, dict(run.callback_metrics), run.global_step, model.seen, end  # type: ignore[attr-defined]


@pytest.mark.parametrize("arguments", [{}, {"gradient_clip_val": 0.1}, {"precision": "bf16-mixed"}])
def test_a_run_with_the_search_equals_one_without(arguments: dict[str, Any]) -> None:
    plain = run_messy(**arguments)
    watch = Search(0, 1, 4, 9)
    assert_identical(run_messy(watch, **arguments), plain)
    assert len(watch.results) == 4
    assert {result.status for result in watch.results} <= {"found", "ascent"}  # type: ignore[union-attr]
    assert watch.results[0].status == "found"  # type: ignore[union-attr]


def test_dropout_is_that_of_the_live_forward() -> None:
    class Check(Search):
        def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: Any, optimizer: Optimizer) -> None:
            with step_losses(trainer, pl_module, optimizer, self.live, [0.05]) as loss_at:  # type: ignore[arg-type]
                assert loss_at(0.0) == pl_module.seen[-1]
                assert loss_at(1.0) == loss_at(1.0) != loss_at(0.5)
                assert loss_at(0.0) == pl_module.seen[-1]

    pl.seed_everything(7, verbose=False)
    trainer(Check(), max_steps=3).fit(Messy(teacher_decay=1.0))


def test_nothing_is_left_behind_by_a_training_step_that_raises() -> None:
    class Fragile(Messy):
        calls = 0

        def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
            output = super().training_step(batch, batch_idx)
            Fragile.calls += 1
            if Fragile.calls == 5:  # in the middle of the search, after all the harm is done
                raise ArithmeticError("now")
            return output

    class Catch(Search):
        caught = 0

        def look(self, trainer: pl.Trainer, pl_module: Any, optimizer: Optimizer) -> None:
            before = everything(trainer, pl_module, optimizer)
            try:
                super().look(trainer, pl_module, optimizer)
            except ArithmeticError:
                self.caught += 1
                assert_identical(everything(trainer, pl_module, optimizer), before)

    def fit(*callbacks: Callback) -> dict[str, Tensor]:
        pl.seed_everything(7, verbose=False)
        model = Fragile()
        trainer(*callbacks, max_steps=3).fit(model)
        return model.state_dict()

    plain = fit()
    Fragile.calls = 0
    watch = Catch(0)
    assert_identical(fit(watch), plain)
    assert watch.caught == 1


def test_those_who_follow_the_optimizers_steps_hear_only_of_real_ones() -> None:
    heard = []

    class Follow(Callback):
        def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
            self.handle = trainer.optimizers[0].register_step_post_hook(lambda *_: heard.append(trainer.global_step))

        def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
            self.handle.remove()
            assert not trainer.optimizers[0]._optimizer_step_post_hooks

    trainer(Follow(), Search(), max_steps=3).fit(Quadratic(SGD))
    assert heard == [0, 1, 2]


def test_an_optimizer_step_that_raises_leaves_nothing_behind() -> None:
    class Failing(Lion):
        calls = 0

        def step(self, closure: Callable[[], Any] | None = None) -> Any:
            loss = super().step(closure)
            Failing.calls += closure is None  # those of the search
            if closure is None and Failing.calls == 3:
                raise ArithmeticError("now")
            return loss

    class Catch(Search):
        def look(self, trainer: pl.Trainer, pl_module: Any, optimizer: Optimizer) -> None:
            before = everything(trainer, pl_module, optimizer)
            with pytest.raises(ArithmeticError):
                search(trainer, pl_module, optimizer, self.live, [0.1, 0.1], start=0.01)  # type: ignore[arg-type]
            assert_identical(everything(trainer, pl_module, optimizer), before)
            assert not optimizer.state

    trainer(Catch(0), max_steps=1).fit(Quadratic(Failing))


# --- half precision --------------------------------------------------------------------------------------------------


def test_gradients_that_overflow_under_a_grad_scaler() -> None:
    """The first steps are skipped, and cannot be measured; the first that counts can."""

    class Overflowing(Quadratic):
        def on_after_backward(self) -> None:
            if self.trainer.fit_loop.epoch_loop.batch_idx < 2:
                self.a.grad.fill_(math.inf)

    # init_scale: the gradients are scaled, and unscaled again before the search sees them.
    plugin = MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=1024.0))
    watch = Search(0, 1, 2, tolerance=1e-3)
    trainer(watch, max_steps=3, plugins=[plugin]).fit(Overflowing(SGD, torch.float32))
    assert watch.results[:2] == [None, None]
    assert watch.results[2].lr == pytest.approx(watch.oracles[2], rel=2e-2)  # type: ignore[union-attr]


def test_an_optimizer_that_unscales_by_itself() -> None:
    """A fused optimizer's gradients are still scaled in on_before_optimizer_step."""
    plugin = MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=1024.0))
    scaled, plain = Search(0), Search(0)
    # The large eps makes Adam's step depend on the gradient's size.
    trainer(scaled, max_steps=1, plugins=[plugin]).fit(Quadratic(Adam, torch.float32, fused=True, eps=10.0))
    trainer(plain, max_steps=1).fit(Quadratic(Adam, torch.float32, fused=True, eps=10.0))
    assert scaled.results[0].lr == pytest.approx(plain.results[0].lr, rel=1 / 8)  # type: ignore[union-attr]


def test_without_finite_gradients_or_losses_there_is_no_answer() -> None:
    class Broken(Quadratic):
        def training_step(self, batch: Any) -> Tensor:
            return self.loss() * (math.nan if self.trainer.global_step == 0 else 1)

    watch = Search(0)
    trainer(watch, max_steps=1).fit(Broken(SGD))
    assert watch.results == [None]


# --- refusals --------------------------------------------------------------------------------------------------------


class Manual(Quadratic):
    def __init__(self) -> None:
        super().__init__(SGD)
        self.automatic_optimization = False


class FetchesItself(Quadratic):
    def training_step(self, dataloader_iter: Iterator[Any]) -> Tensor:  # type: ignore[override]
        return self.loss()


@pytest.mark.parametrize(
    ("module", "arguments", "optimizer", "reason"),
    [
        (Manual(), {}, SGD, "manual optimization"),
        (Quadratic(SGD), {"accumulate_grad_batches": 4}, SGD, "accumulate_grad_batches=4 .* only the last"),
        (Quadratic(LBFGS), {}, LBFGS, "LBFGS evaluates the loss several times"),
        (FetchesItself(SGD), {}, SGD, "fetches its own batch"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    module: Quadratic, arguments: dict[str, Any], optimizer: Any, reason: str
) -> None:
    message = rf"Mine\(\) cannot measure a critical learning rate here: .*{reason}.*warmup_initial_lr=<number>"
    with pytest.raises(MisconfigurationException, match=message):
        check_supported("Mine()", trainer(**arguments), module, optimizer(module.parameters(), lr=0.1))


def test_sharded_weights_are_refused() -> None:
    class Sharded:
        strategy = object.__new__(FSDPStrategy)
        accumulate_grad_batches = 1

    module = Quadratic(SGD)
    with pytest.raises(MisconfigurationException, match="FSDPStrategy shards or hides weights"):
        check_supported("Mine()", Sharded(), module, module.configure_optimizers())  # type: ignore[arg-type]


# --- several processes -----------------------------------------------------------------------------------------------


class Ranked(Messy):
    """Every process has batches of its own, and rank 1's only see a rise where the mean does not."""

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        batch["x"] *= 1 + 2 * self.trainer.global_rank
        return super().training_step(batch, batch_idx)


class Agree(Search):
    def __init__(self, path: Any, search: bool) -> None:
        super().__init__(*(range(6) if search else [-1]))
        self.path = path

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        kept = {"results": [vars(r) for r in self.results if r is not None], "weights": pl_module.state_dict()}
        torch.save({**kept, "seen": pl_module.seen}, self.path / f"{len(self.results)}-{trainer.global_rank}.pt")


@pytest.mark.filterwarnings("ignore:It is recommended to use `self.log")
def test_two_processes_agree(tmp_path: Any) -> None:
    for searching in (True, False):
        pl.seed_everything(3, verbose=False)
        run = trainer(Agree(tmp_path, searching), max_epochs=2, strategy="ddp_fork", devices=2)
        run.fit(Ranked())
    first, second, plain, other = (torch.load(tmp_path / f"{name}.pt") for name in ("6-0", "6-1", "0-0", "0-1"))
    assert len(first["results"]) == 6
    assert first["results"] == second["results"]
    assert first["seen"] != second["seen"]
    assert_identical(first["weights"], plain["weights"])
    assert_identical(second["weights"], other["weights"])
    assert first["seen"] == plain["seen"]
