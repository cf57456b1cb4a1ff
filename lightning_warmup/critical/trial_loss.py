"""The loss that a step would lead to, asked of a real Trainer, model and optimizer without leaving a trace."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.optim import LBFGS, Optimizer

from lightning_warmup.critical.search import CriticalLearningRateResult, critical_learning_rate
from lightning_warmup.critical.snapshot import RandomState, Snapshot
from lightning_warmup.critical.trial_step import gradients_are_finite, parameters, trial_step
from lightning_warmup.training import lightning_names as pl
from lightning_warmup.training import param_groups
from lightning_warmup.training.lightning_names import (
    DDPStrategy,
    DummyLogger,
    MisconfigurationException,
    SingleDeviceStrategy,
    is_param_in_hook_signature,
)


@dataclass(frozen=True)
class LiveBatch:
    """The batch of the step under way, as it was before ``training_step`` had it.

    Args:
        batch: The batch, on its device.
        batch_idx: Its index.
        content: What it held: a ``training_step`` may pop entries from it or change it in place.
        random_state: What ``training_step`` begins with. Dropout must be as in the live forward: with any other mask
            the live gradient may point uphill.
    """

    batch: Any
    batch_idx: int
    content: Snapshot
    random_state: RandomState

    @classmethod
    def capture(cls, trainer: pl.Trainer, batch: Any, batch_idx: int) -> "LiveBatch":
        """To be called in ``on_train_batch_start``."""
        return cls(batch, batch_idx, Snapshot(batch), RandomState.capture(trainer.strategy.root_device))


def check_supported(owner: str, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer) -> None:
    """Check that a step of this run can be tried out, as soon as the optimizers exist.

    Args:
        owner: What the user configured, quoted in errors.
        trainer: The Trainer.
        pl_module: Its module.
        optimizer: The optimizer whose step is to be tried.

    Raises:
        MisconfigurationException: If it cannot, with the reason and the way out.
    """
    reason = why_unsupported(trainer, pl_module, optimizer)
    if reason is not None:
        raise MisconfigurationException(
            f"{owner} cannot measure a critical learning rate here: {reason}. Measure it in a short run without that"
            " (one device, or DDP; no accumulation) and give the number: warmup_initial_lr=<number>. Or leave it out."
        )


def why_unsupported(trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer) -> str | None:
    """Why a step of this run cannot be tried out; None if it can."""
    reason = None
    if not pl_module.automatic_optimization:
        reason = "under manual optimization nobody but training_step knows which loss belongs to which optimizer"
    elif trainer.accumulate_grad_batches != 1:
        reason = (
            f"with accumulate_grad_batches={trainer.accumulate_grad_batches} the step follows several micro-batches, of"
            " which only the last is at hand to measure the loss on"
        )
    elif isinstance(optimizer, LBFGS):
        reason = "LBFGS evaluates the loss several times within one step, so no single direction is its step's"
    elif not isinstance(trainer.strategy, (SingleDeviceStrategy, DDPStrategy)):
        reason = (
            f"{type(trainer.strategy).__name__} shards or hides weights and optimizer state, and a step tried out there"
            " could not be taken back"
        )
    elif is_param_in_hook_signature(pl_module.training_step, "dataloader_iter", explicit=True):
        reason = "training_step(dataloader_iter) fetches its own batch, so the same one cannot be seen twice"
    return reason


def search(
    trainer: pl.Trainer,
    pl_module: pl.LightningModule,
    optimizer: Optimizer,
    live: LiveBatch,
    rates: Sequence[float],
    *,
    start: float,
    stop: float | None = None,
    tolerance: float = 1 / 16,
    max_forwards: int = 24,
) -> CriticalLearningRateResult | None:
    """The critical multiplier c of all groups' learning rates, for the step under way.

    To be called in ``on_before_optimizer_step``, on all ranks. Everything is as it was afterwards.

    Args:
        trainer: The Trainer.
        pl_module: Its module.
        optimizer: The optimizer that is about to step.
        live: The step's batch, captured in ``on_train_batch_start``.
        rates: Learning rate of each group at c = 1: the targets, or the current ones.
        start: First multiplier to try, > 0.
        stop: Largest multiplier to try, or None.
        tolerance: As in :func:`critical_learning_rate`.
        max_forwards: As in :func:`critical_learning_rate`.

    Returns:
        The result, ``lr`` being the multiplier c. None where gradients or loss are not finite: a GradScaler will skip
        this step, and the next may do.

    Raises:
        MisconfigurationException: If this run's step cannot be tried out, see :func:`check_supported`.
    """
    check_supported("critical_learning_rate", trainer, pl_module, optimizer)
    if not gradients_are_finite(trainer, optimizer):
        return None
    with step_losses(trainer, pl_module, optimizer, live, rates) as loss_at:
        now = loss_at(0.0)
        if not math.isfinite(now):
            return None
        return critical_learning_rate(
            lambda c: loss_at(c) if c else now, start=start, stop=stop, tolerance=tolerance, max_forwards=max_forwards
        )


@contextmanager
def step_losses(
    trainer: pl.Trainer,
    pl_module: pl.LightningModule,
    optimizer: Optimizer,
    live: LiveBatch,
    rates: Sequence[float],
) -> Iterator[Callable[[float], float]]:
    """Yield ``loss_at(c)``: the live batch's loss after the optimizer's step with every group at c times its rate.

    Each call takes the optimizer's real step from the same weights, state and gradients, so that optimizers whose step
    is not linear in the learning rate (ASGD, Adafactor, Rprop) are measured as they are; c = 0 is the loss now, without
    a step. The loss is in fp32 or better, and the mean over all ranks: they all see the same numbers, and must all make
    the same calls.

    Inside the context a copy of the weights and of the optimizer's state is held. What ``training_step`` does to the
    outside world (files, objects of its own) is not undone. It runs without gradients: one that differentiates must
    switch them on itself.
    """
    weights = parameters(optimizer)
    entry = RandomState.capture(trainer.strategy.root_device)
    state = Snapshot(optimizer, without=weights)
    with _unlogged(trainer, pl_module):
        before = Snapshot(trainer.strategy.model, pl_module, weights, live.batch)

        def loss_at(c: float) -> float:
            try:
                if c:
                    _step(trainer, pl_module, optimizer, live, [c * rate for rate in rates], state)
                live.content.restore()
                live.random_state.restore()
                return _loss(trainer, pl_module, live)
            finally:
                before.restore()

        try:
            yield loss_at
        finally:
            entry.restore()


def _step(
    trainer: pl.Trainer,
    pl_module: pl.LightningModule,
    optimizer: Optimizer,
    live: LiveBatch,
    lrs: Sequence[float],
    state: Snapshot,
) -> None:
    """Take the real step with these learning rates; of the optimizer only the weights are changed afterwards."""
    try:
        live.random_state.restore()  # some optimizers add noise
        param_groups.write(optimizer.param_groups, "lr", lrs)
        trial_step(trainer, pl_module, optimizer)
    finally:
        state.restore()


@torch.no_grad()
def _loss(trainer: pl.Trainer, pl_module: pl.LightningModule, live: LiveBatch) -> float:
    arguments = [live.batch]
    # As Lightning does it: with two arguments, whatever their names, the second is the index.
    if is_param_in_hook_signature(pl_module.training_step, "batch_idx", min_args=2):
        arguments.append(live.batch_idx)
    try:
        output = trainer.strategy.training_step(*arguments)
    except RuntimeError as error:
        if "does not require grad" not in str(error):
            raise
        raise MisconfigurationException(
            "A critical learning rate is measured without gradients, and this training_step takes some of its own (a"
            " gradient penalty, say). Put `with torch.enable_grad():` around that, or give warmup_initial_lr=<number>,"
            " or a warmup that tries no steps."
        ) from error
    loss = output["loss"] if isinstance(output, Mapping) else output
    if loss is None:
        return math.nan  # training_step skipped this batch
    loss = loss.detach().clone().to(torch.promote_types(loss.dtype, torch.float32))
    return float(trainer.strategy.reduce(loss, reduce_op="mean"))


@contextmanager
def _unlogged(trainer: pl.Trainer, pl_module: pl.LightningModule) -> Iterator[None]:
    """``self.log`` and the loggers do nothing inside."""
    attributes = vars(pl_module)
    own = attributes.get("log")
    loggers = trainer.loggers
    try:
        attributes["log"] = _ignore
        trainer.loggers = [DummyLogger() for _ in loggers]  # type: ignore[assignment]
        yield
    finally:
        trainer.loggers = loggers
        if own is None:
            del attributes["log"]
        else:
            attributes["log"] = own


def _ignore(*args: object, **kwargs: object) -> None:
    """Stands in for ``LightningModule.log``."""
