"""One run as a pure function of its cell: a real Trainer, a real callback, and what came of it."""

import logging
import math
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.utils.data import DataLoader

from evidence import data
from evidence.cells import Cell
from evidence.nets import net
from evidence.tools import DECAYS, callbacks
from lightning_warmup import LearningRateWarmup

BATCH = {"mlp": 128, "cnn": 32, "cnn-bn": 32, "pre-ln": 16, "post-ln": 16, "pre-ln-2": 16}
TEXT = ("pre-ln", "post-ln", "pre-ln-2")
HELD_OUT = {"mlp": 450, "cnn": 1000, "cnn-bn": 1000, "pre-ln": 256, "post-ln": 256, "pre-ln-2": 256}
"""Rows that are not trained on: digits, or windows of 64 bytes."""
CURVE = 30
"""Points of a training curve, each the mean of as many steps as the next."""


OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"momentum": 0.9},
    "adam": {"betas": (0.9, 0.999)},
    "adamw": {"betas": (0.9, 0.98), "weight_decay": 0.01},
    # Scaled so, Muon's updates are as large as AdamW's.
    "muon": {"weight_decay": 0.01, "adjust_lr_fn": "match_rms_adamw"},
}


@cache
def weights(name: str) -> int:
    """How many the net of this name has."""
    return sum(weight.numel() for weight in net(name).parameters())


def setup() -> dict[str, str]:
    """What determines a run beside its cell, in words: rows of another setup are stale."""
    nets = {
        name: f"{weights(name):,} weights, batches of {size}, {HELD_OUT[name]} held out" for name, size in BATCH.items()
    }
    given = {"optimizer": OPTIMIZERS, "decay": DECAYS}
    return {
        **nets,
        **{f"{kind} {name}": repr(settings) for kind, table in given.items() for name, settings in table.items()},
    }


@dataclass(frozen=True)
class Outcome:
    """What came of a run.

    Args:
        loss: Held out, in nats; None if it is no number.
        accuracy: The share of the held-out digits that are told right; of the text, of the bytes.
        spike: The highest training loss in units of the first; None if it was no number at some step.
        warmup_steps: How many the warmup took; None where it has no end of its own.
        forwards: Forward passes beside those of the training steps.
        mean_lr: Of the steps taken, in units of the peak.
        failure: Why the run ended before its last step; empty if it did not.
        curve: Training loss, of the text alone.
        seconds: Of this machine.
    """

    loss: float | None
    accuracy: float
    spike: float | None
    warmup_steps: int | None
    forwards: int
    mean_lr: float
    failure: str
    curve: list[float] | None
    seconds: float


def optimizers(name: str, lr: float, net: nn.Module) -> list[Optimizer]:
    """One; for Muon, which takes the matrices within the layers, an AdamW beside it for the rest."""
    parameters = list(net.parameters())
    given = OPTIMIZERS[name]
    match name:
        case "sgd":
            return [SGD(parameters, lr, **given, fused=True)]
        case "adam":
            return [Adam(parameters, lr, **given, fused=True)]
        case "adamw":
            return [AdamW(parameters, lr, **given, fused=True)]
        case _:
            matrices = [weight for name, weight in net.named_parameters() if weight.ndim == 2 and "layers." in name]
            rest = [weight for weight in parameters if all(weight is not matrix for matrix in matrices)]
            return [torch.optim.Muon(matrices, lr, **given), *optimizers("adamw", lr, nn.ParameterList(rest))]


class Learner(LightningModule):
    """The net in training, which keeps its losses.

    Args:
        cell: What to run.
    """

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.cell = cell
        self.net = net(cell.net)
        self.automatic_optimization = cell.optimizer != "muon"  # two optimizers
        self.losses: list[float] = []
        self.lrs: list[float] = []
        self.failure = ""

    def batch_loss(self, batch: list[Tensor]) -> Tensor:
        """Cross-entropy in nats."""
        x, y = batch
        return cross_entropy(self.net(x).flatten(0, -2), y.flatten())

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        """One step, or two where there are two optimizers."""
        loss = self.batch_loss(batch)
        if not self.automatic_optimization:
            both: Any = self.optimizers()
            for optimizer in both:
                optimizer.zero_grad()
            self.manual_backward(loss)
            for optimizer in both:
                optimizer.step()
        return loss

    def on_train_batch_end(self, outputs: Any, *_: Any) -> None:
        """A loss that is no number ends the run: nothing brings it back."""
        loss = float(outputs["loss"])
        self.losses.append(loss)
        if not math.isfinite(loss):
            self.failure = f"the loss of step {len(self.losses) - 1} is {loss}"
            self.trainer.should_stop = True

    def configure_optimizers(self) -> list[Optimizer]:
        """Those of the cell; the first tells what each step used."""
        made = optimizers(self.cell.optimizer, self.cell.lr, self.net)
        made[0].register_step_post_hook(lambda o, *_: self.lrs.append(float(o.param_groups[0]["lr"])))
        return made


def split(cell: Cell) -> tuple[list[list[Tensor]], list[Tensor]]:
    """The batches of the run in their order, and what is held out."""
    generator = torch.Generator().manual_seed(cell.seed)
    size, held_out = BATCH[cell.net], HELD_OUT[cell.net]
    if cell.net in TEXT:
        windows, unseen = data.text()
        drawn = windows[torch.randint(len(windows), (cell.steps, size), generator=generator)]
        return [[w[:, :-1], w[:, 1:]] for w in drawn], [unseen[:held_out, :-1], unseen[:held_out, 1:]]
    x, y = data.digits() if cell.net == "mlp" else data.mnist()
    order = torch.randperm(len(x), generator=generator)
    seen, unseen = order[held_out:], order[:held_out]
    epochs = -(-cell.steps // (len(seen) // size))
    rows = [
        seen[torch.randperm(len(seen), generator=generator)].split(size)[: len(seen) // size] for _ in range(epochs)
    ]
    batches = [[x[part], y[part]] for epoch in rows for part in epoch]
    return batches[: cell.steps], [x[unseen], y[unseen]]


@contextmanager
def quiet() -> Iterator[None]:
    """One thread, and nothing told: a warmup that is too short is what is measured here."""
    logger, threads = logging.getLogger("lightning.pytorch"), torch.get_num_threads()
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    torch.set_num_threads(1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.set_num_threads(threads)
        logger.setLevel(level)


def run(cell: Cell) -> Outcome:
    """Train, and look at what is held out."""
    start = time.perf_counter()
    with quiet():
        seed_everything(cell.seed, verbose=False)
        learner = Learner(cell)
        forwards: list[int] = []  # not in the module, for what a trial step does to that is taken back
        learner.net.register_forward_hook(lambda *_: forwards.append(1))
        batches, unseen = split(cell)
        tools = callbacks(cell.warmup, cell.decay, cell.steps)
        trainer = Trainer(
            accelerator="cpu",
            max_steps=cell.steps if learner.automatic_optimization else 2 * cell.steps,
            max_epochs=-1,
            callbacks=tools,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(learner, DataLoader(batches, batch_size=None))  # type: ignore[arg-type]
        with torch.no_grad():
            logits = learner.net.eval()(unseen[0]).flatten(0, -2)
            truth = unseen[1].flatten()
            loss = float(cross_entropy(logits, truth))
            accuracy = float((logits.argmax(-1) == truth).float().mean())
    ours = next((tool for tool in tools if isinstance(tool, LearningRateWarmup)), None)
    losses = learner.losses
    return Outcome(
        loss=round(loss, 5) if math.isfinite(loss) else None,
        accuracy=round(accuracy, 5),
        spike=round(max(losses) / losses[0], 3) if all(map(math.isfinite, losses)) else None,
        warmup_steps=ours.warmup_steps if ours else None,
        forwards=len(forwards) - 1 - len(losses),  # nor the one of what is held out
        mean_lr=round(sum(learner.lrs) / len(learner.lrs) / cell.lr, 6),
        failure=learner.failure,
        curve=curve(losses) if cell.net in TEXT else None,
        seconds=round(time.perf_counter() - start, 2),
    )


def curve(losses: list[float]) -> list[float]:
    """Means of equally many steps, up to the first that is no number."""
    size = max(1, len(losses) // CURVE)
    means = [sum(losses[i : i + size]) / size for i in range(0, len(losses) - size + 1, size)]
    return [round(mean, 3) for mean in means if math.isfinite(mean)]
