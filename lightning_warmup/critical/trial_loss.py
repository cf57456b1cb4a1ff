"""The loss that a step would lead to, asked of a real Trainer, model and optimizer without leaving a trace."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from inspect import Parameter, signature
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
    GradientAccumulationScheduler,
    MisconfigurationException,
    SingleDeviceStrategy,
    is_param_in_hook_signature,
)


class LiveBatch:
    """The batch of the step that is to come, as ``training_step`` will be given it.

    That is after every hook that may still change it, or draw random numbers: dropout must be as in the live forward,
    for with any other mask the live gradient may point uphill. So the first call of ``training_step`` is listened to.

    Args:
        trainer: The Trainer, in ``on_train_batch_start``.
    """

    arguments: tuple[Any, ...]
    """What ``training_step`` was given."""
    content: Snapshot
    """What they held: a ``training_step`` may pop entries from its batch or change it in place."""
    random_state: RandomState
    """What ``training_step`` began with."""

    def __init__(self, trainer: pl.Trainer) -> None:
        self._strategy = trainer.strategy
        self._inner = trainer.strategy.training_step
        self._listens = True
        vars(self._strategy)["training_step"] = self._training_step

    def _training_step(self, *arguments: Any) -> Any:
        if self._listens:
            self.forget()
            self.arguments, self.content = arguments, Snapshot(arguments, objects=True)
            self.random_state = RandomState.capture(self._strategy.root_device)
        return self._inner(*arguments)

    def forget(self) -> None:
        """Stop listening, if ``training_step`` has not been called."""
        self._listens = False
        attributes = vars(self._strategy)
        # Whoever has come since calls us, and we pass on.
        if attributes.get("training_step") == self._training_step:
            del attributes["training_step"]
            inner = self._inner
            while isinstance(other := getattr(inner, "__self__", None), LiveBatch) and not other._listens:
                inner = other._inner
            if inner != self._strategy.training_step:
                attributes["training_step"] = inner


def check_supported(
    owner: str, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer, steps: float = 1
) -> None:
    """Check that the next steps of this run can be tried out, as soon as the optimizers exist.

    Args:
        owner: What the user configured, quoted in errors.
        trainer: The Trainer.
        pl_module: Its module.
        optimizer: The optimizer whose steps are to be tried.
        steps: How many, ``inf`` for all.

    Raises:
        MisconfigurationException: If it cannot, with the reason and the way out.
    """
    reason = why_unsupported(trainer, pl_module, optimizer, steps)
    if reason is not None:
        raise MisconfigurationException(
            f"{owner} cannot measure a critical learning rate here: {reason}. Measure it in a short run without that"
            " (one device, or DDP; no accumulation) and give the number: warmup_initial_lr=<number>. Or leave it out."
        )


def why_unsupported(
    trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer, steps: float = 1
) -> str | None:
    """Why the next ``steps`` steps of this run cannot be tried out; None if they can."""
    reason = None
    last_alone = "the step follows several micro-batches, of which only the last is at hand to measure the loss on"
    if not pl_module.automatic_optimization:
        reason = "under manual optimization nobody but training_step knows which loss belongs to which optimizer"
    elif trainer.accumulate_grad_batches != 1:
        reason = f"with accumulate_grad_batches={trainer.accumulate_grad_batches} {last_alone}"
    elif not isinstance(optimizer, Optimizer):
        reason = f"{type(optimizer).__name__} is no torch.optim.Optimizer, and a step tried out could not be taken back"
    elif isinstance(optimizer, LBFGS) or _needs_a_closure(optimizer):
        name = type(optimizer).__name__
        reason = f"{name} evaluates the loss several times within one step, so no single direction is its step's"
    elif not isinstance(trainer.strategy, (SingleDeviceStrategy, DDPStrategy)):
        reason = (
            f"{type(trainer.strategy).__name__} shards or hides weights and optimizer state, and a step tried out there"
            " could not be taken back"
        )
    elif is_param_in_hook_signature(pl_module.training_step, "dataloader_iter", explicit=True):
        reason = "training_step(dataloader_iter) fetches its own batch, so the same one cannot be seen twice"
    elif (scheduler := _accumulates_within(trainer, steps)) is not None:
        reason = f"with GradientAccumulationScheduler({scheduler.scheduling}) {last_alone}"
    return reason


def _needs_a_closure(optimizer: Optimizer) -> bool:
    """Whether its step cannot be had without one, as SAM's."""
    parameter = signature(optimizer.step).parameters.get("closure")
    return parameter is not None and parameter.default is Parameter.empty


def _accumulates_within(trainer: pl.Trainer, steps: float) -> "GradientAccumulationScheduler | None":
    """What makes one of the next steps follow several micro-batches, if anything does."""
    epoch, batches = trainer.current_epoch, trainer.num_training_batches
    done = trainer.fit_loop.epoch_loop.batch_progress.current.completed
    if done >= batches:
        done = 0  # of the epoch before
    for callback in trainer.callbacks:  # type: ignore[union-attr]
        if not isinstance(callback, GradientAccumulationScheduler):
            continue
        # A resumed epoch goes on as the Trainer has it, and is looked at there.
        now = callback.get_accumulate_grad_batches(epoch) > 1 and not done
        later = [e for e, together in callback.scheduling.items() if e > epoch and together > 1]
        if now or any(steps == math.inf or (e - epoch) * batches - done < steps for e in later):
            return callback
    return None


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

    To be called at the last moment before the step, on all ranks. Everything is as it was afterwards.

    Args:
        trainer: The Trainer.
        pl_module: Its module.
        optimizer: The optimizer that is about to step.
        live: The step's batch, made in ``on_train_batch_start``.
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
    state = Snapshot(optimizer, without=weights, objects=True)
    with _unlogged(trainer, pl_module):
        before = Snapshot(trainer.strategy.model, pl_module, weights)
        batch = Snapshot(live.arguments, objects=True)

        def loss_at(c: float) -> float:
            try:
                if c:
                    _step(trainer, optimizer, live, [c * rate for rate in rates], state)
                live.content.restore()
                live.random_state.restore()
                return _loss(trainer, live)
            finally:
                before.restore()
                batch.restore()

        try:
            yield loss_at
        finally:
            entry.restore()


def _step(
    trainer: pl.Trainer,
    optimizer: Optimizer,
    live: LiveBatch,
    lrs: Sequence[float],
    state: Snapshot,
) -> None:
    """Take the real step with these learning rates; of the optimizer only the weights are changed afterwards."""
    try:
        live.random_state.restore()  # some optimizers add noise
        param_groups.write(optimizer.param_groups, "lr", lrs)
        trial_step(trainer, optimizer)
    finally:
        state.restore()


@torch.no_grad()
def _loss(trainer: pl.Trainer, live: LiveBatch) -> float:
    try:
        output = trainer.strategy.training_step(*live.arguments)
    except RuntimeError as error:
        if "does not require grad" not in str(error):
            raise
        raise MisconfigurationException(
            "What a step leads to is tried out without gradients, and this training_step takes some of its own (a"
            " gradient penalty, say). Put `with torch.enable_grad():` around that, or take what tries no steps:"
            " LearningRateWarmup('5%'), say."
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
