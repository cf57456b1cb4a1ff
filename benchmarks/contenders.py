"""What is compared: each contender as a function that does all it does for one optimizer step, and nothing else."""

import sys
import types
from collections.abc import Callable
from importlib.machinery import PathFinder
from math import cos, pi
from typing import Any, Literal

import lightning.pytorch as pl
import torch
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LinearLR, SequentialLR
from torch.utils.data import DataLoader

from lightning_warmup import LearningRateWarmup

Step = Callable[[], object]
Phase = Literal["warmup", "decay"]
Kind = Literal["float", "tensor"]

LR = 0.1
TOTAL = 10**8
"""Optimizer steps of the run: more than anybody here takes."""

FLOOR = "bare loop"
OURS = "lightning_warmup"
IDLE = "lightning_warmup, no step"
SEQUENTIAL = "torch SequentialLR"


def warmup_steps(phase: Phase) -> int:
    """So many that every measured step is a warmup step, or all but the first are decay steps."""
    return TOTAL // 2 if phase == "warmup" else 1


def optimizer_of(parameters: list[torch.nn.Parameter], kind: Kind) -> SGD:
    """One group for each parameter, each with a learning rate of its own."""
    lrs = [LR * (1 + i / len(parameters)) for i in range(len(parameters))]
    return SGD(
        [
            {"params": [parameter], "lr": lr if kind == "float" else torch.tensor(lr)}
            for parameter, lr in zip(parameters, lrs, strict=True)
        ]
    )


def stepped_optimizer(groups: int, kind: Kind) -> SGD:
    """An optimizer that has taken a step, without gradients: torch's schedulers warn where it has not."""
    optimizer = optimizer_of([torch.nn.Parameter(torch.zeros(())) for _ in range(groups)], kind)
    optimizer.step()
    return optimizer


# --- the floor and the peers -------------------------------------------------------------------------------------


def bare_loop(optimizer: Optimizer, phase: Phase) -> Step:
    """The least that a schedule can do: one factor, and one product and one write for each group."""
    targets = [float(group["lr"]) for group in optimizer.param_groups]
    warmup = warmup_steps(phase)
    t = 0

    def factor() -> float:
        nonlocal t
        t += 1
        return t / warmup if t < warmup else 0.5 * (1 + cos(pi * (t - warmup) / (TOTAL - warmup)))

    def write_floats() -> None:
        now = factor()
        for group, target in zip(optimizer.param_groups, targets):  # noqa: B905  # strict would cost
            group["lr"] = target * now

    def fill_tensors() -> None:
        now = factor()
        for group, target in zip(optimizer.param_groups, targets):  # noqa: B905
            group["lr"].fill_(target * now)

    return fill_tensors if isinstance(optimizer.param_groups[0]["lr"], torch.Tensor) else write_floats


def torch_lambda(optimizer: Optimizer, phase: Phase) -> Step:
    warmup = warmup_steps(phase)

    def factor(t: int) -> float:
        return t / warmup if t < warmup else 0.5 * (1 + cos(pi * (t - warmup) / (TOTAL - warmup)))

    return LambdaLR(optimizer, factor).step


def torch_sequential(optimizer: Optimizer, phase: Phase) -> Step:
    return sequential(optimizer, warmup_steps(phase), TOTAL).step


def sequential(optimizer: Optimizer, warmup: int, total: int) -> SequentialLR:
    """The recipe of torch for a linear warmup and a cosine."""
    up = LinearLR(optimizer, start_factor=1e-4, total_iters=warmup)
    return SequentialLR(optimizer, [up, CosineAnnealingLR(optimizer, total - warmup)], [warmup])


def transformers_cosine(optimizer: Optimizer, phase: Phase) -> Step:
    from transformers import get_cosine_schedule_with_warmup

    scheduler: LambdaLR = get_cosine_schedule_with_warmup(optimizer, warmup_steps(phase), TOTAL)
    return scheduler.step


def timm_cosine(optimizer: Optimizer, phase: Phase) -> Step:
    spec = PathFinder.find_spec("timm")
    if spec is None or spec.submodule_search_locations is None:
        raise ModuleNotFoundError("No module named 'timm'")
    # timm's own __init__ imports its models, and they torchvision, beside which Lightning cannot be imported.
    package = types.ModuleType("timm")
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules.setdefault("timm", package)
    from timm.scheduler.cosine_lr import CosineLRScheduler

    scheduler: Any = CosineLRScheduler(
        optimizer, TOTAL, warmup_t=warmup_steps(phase), warmup_lr_init=1e-6, t_in_epochs=False
    )
    t = 0

    def step() -> None:
        nonlocal t
        t += 1
        scheduler.step_update(t)

    return step


def pytorch_warmup_linear(optimizer: Optimizer, phase: Phase) -> Step:
    from pytorch_warmup import LinearWarmup

    scheduler = CosineAnnealingLR(optimizer, TOTAL)
    warmup: Any = LinearWarmup(optimizer, warmup_steps(phase))

    def step() -> None:
        with warmup.dampening():
            scheduler.step()

    return step


PEERS: dict[str, Callable[[Optimizer, Phase], Step]] = {
    "torch LambdaLR": torch_lambda,
    SEQUENTIAL: torch_sequential,
    "transformers cosine": transformers_cosine,
    "timm cosine": timm_cosine,
    "pytorch_warmup linear": pytorch_warmup_linear,
}


# --- lightning_warmup, in a real fit -----------------------------------------------------------------------------


class Scalars(pl.LightningModule):
    """One parameter for each param group; ``training_step`` uses the first."""

    def __init__(self, groups: int, kind: Kind) -> None:
        super().__init__()
        self.scalars = torch.nn.ParameterList([torch.nn.Parameter(torch.zeros(())) for _ in range(groups)])
        self.kind = kind

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        loss: torch.Tensor = (self.scalars[0] - batch.mean()) ** 2
        return loss

    def configure_optimizers(self) -> Any:
        return optimizer_of(list(self.scalars), self.kind)


def quiet_trainer(*callbacks: pl.Callback, **arguments: Any) -> pl.Trainer:
    """One on the CPU that writes and prints nothing."""
    return pl.Trainer(
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=list(callbacks),
        **arguments,
    )


def batches(number: int) -> DataLoader[torch.Tensor]:
    return DataLoader(torch.ones(number), batch_size=1)  # type: ignore[arg-type]


class FirstBatch(pl.Callback):
    """Calls ``body`` once, in the middle of a fit, then ends the fit."""

    def __init__(self, body: Callable[[pl.Trainer, pl.LightningModule], None]) -> None:
        self.body = body

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        self.body(trainer, pl_module)
        trainer.should_stop = True


def within_a_fit(
    callback: LearningRateWarmup,
    groups: int,
    kind: Kind,
    body: Callable[[pl.Trainer, pl.LightningModule], None],
) -> None:
    """Call ``body`` in a real fit with this callback, at its first batch."""
    quiet_trainer(callback, FirstBatch(body), max_epochs=1).fit(Scalars(groups, kind), batches(2))


def schedule(phase: Phase) -> LearningRateWarmup:
    return LearningRateWarmup(warmup_steps(phase), "cosine", total=TOTAL)


def our_step(callback: LearningRateWarmup, trainer: pl.Trainer, module: pl.LightningModule) -> Step:
    """All that Lightning and torch call for one optimizer step: the hooks (and the key it names each by), in order.

    The Trainer's own counter of optimizer steps advances in between, as it does in a run.
    """
    optimizer = trainer.optimizers[0]
    post_hooks = optimizer._optimizer_step_post_hooks
    taken = trainer.fit_loop.epoch_loop.automatic_optimization.optim_progress.optimizer.step.total
    loss = torch.zeros(())
    outputs, batch = {"loss": loss}, torch.ones(1)

    def step() -> None:
        callback.state_key  # noqa: B018  # Lightning reads it before each hook
        callback.on_train_batch_start(trainer, module, batch, 1)
        callback.state_key  # noqa: B018
        callback.on_before_zero_grad(trainer, module, optimizer)
        callback.state_key  # noqa: B018
        callback.on_before_backward(trainer, module, loss)
        callback.state_key  # noqa: B018
        callback.on_after_backward(trainer, module)
        callback.state_key  # noqa: B018
        callback.on_before_optimizer_step(trainer, module, optimizer)
        for hook in post_hooks.values():
            hook(optimizer, (), {})
        taken.completed += 1
        callback.state_key  # noqa: B018
        callback.on_train_batch_end(trainer, module, outputs, batch, 1)

    return step


def our_idle_batch(callback: LearningRateWarmup, trainer: pl.Trainer, module: pl.LightningModule) -> Step:
    """All that Lightning calls for a batch that only accumulates gradients."""
    loss = torch.zeros(())
    outputs, batch = {"loss": loss}, torch.ones(1)

    def idle() -> None:
        callback.state_key  # noqa: B018
        callback.on_train_batch_start(trainer, module, batch, 1)
        callback.state_key  # noqa: B018
        callback.on_before_backward(trainer, module, loss)
        callback.state_key  # noqa: B018
        callback.on_after_backward(trainer, module)
        callback.state_key  # noqa: B018
        callback.on_train_batch_end(trainer, module, outputs, batch, 1)

    return idle
