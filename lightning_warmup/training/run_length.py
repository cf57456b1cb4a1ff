"""How long a Trainer's run is, counted in optimizer steps: the one place that knows Lightning's limits."""

import math
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback, GradientAccumulationScheduler

from lightning_warmup.schedule.durations import Run


def trainer_run(
    trainer: pl.Trainer, *, automatic: bool, max_epochs: int | None, first_epoch: int, first_step: int
) -> Run:
    """What the Trainer knows of its run.

    ``trainer.estimated_stepping_batches`` is not used: it is wrong under a GradientAccumulationScheduler, -1 for
    unsized loaders, and counts from the first of several ``fit`` calls.

    Args:
        trainer: A Trainer whose dataloaders are set up.
        automatic: Whether the module uses automatic optimization. In manual optimization nobody but the module knows
            how many steps an epoch has.
        max_epochs: Epoch limit as the user gave it (StochasticWeightAveraging adds an epoch that takes no steps).
        first_epoch: Epoch at which this ``fit`` began.
        first_step: ``global_step`` at which this ``fit`` began.
    """
    epochs = None if max_epochs is None or max_epochs < 0 else max(max_epochs - first_epoch, 0)
    max_steps = None if trainer.max_steps < 0 else max(trainer.max_steps - first_step, 0)
    batches = trainer.num_training_batches
    if not automatic:
        why = "manual optimization takes as many steps as training_step calls for"
        return Run(
            epochs=epochs if max_steps is None else None,
            no_total=f"{why}; give total=... in steps of this optimizer, for example total=10000",
            no_steps_per_epoch=f"{why}; give it in steps, or use interval='epoch'",
            no_batch_size=f"{why}; give it in steps",
        )

    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    accumulation = next((c for c in callbacks if isinstance(c, GradientAccumulationScheduler)), None)
    batch_size, no_batch_size = _global_batch_size(trainer)
    if batches == math.inf:
        sized = "the train dataloader has no length" if epochs is not None else "the Trainer has no limit"
        return Run(
            steps=max_steps,
            epochs=epochs if max_steps is None else None,
            batch_size=batch_size if accumulation is None else None,
            no_total=f"{sized}; give total=..., for example total=10000",
            no_steps_per_epoch="the train dataloader has no length; give it in steps, for example '500 steps'",
            no_batch_size=no_batch_size,
        )
    if accumulation is not None and accumulation.going_to_accumulate_grad_batches():
        steps = max_steps
        if epochs is not None:
            per_epoch = (
                math.ceil(batches / accumulation.get_accumulate_grad_batches(epoch))
                for epoch in range(first_epoch, first_epoch + epochs)
            )
            steps = _shorter(sum(per_epoch), max_steps)
        changes = "a GradientAccumulationScheduler changes it between epochs"
        return Run(
            steps=steps,
            epochs=epochs if max_steps is None else _epochs_of(steps, batches, accumulation, first_epoch),
            no_steps_per_epoch=f"{changes}; give it in steps, or use interval='epoch'",
            no_batch_size=f"{changes}; give it in steps",
        )
    steps_per_epoch = math.ceil(batches / trainer.accumulate_grad_batches)
    steps = _shorter(None if epochs is None else epochs * steps_per_epoch, max_steps)
    return Run(
        steps=steps,
        epochs=None if steps is None else math.ceil(steps / steps_per_epoch),
        steps_per_epoch=steps_per_epoch,
        batch_size=batch_size,
        no_total="the Trainer has no limit; give total=... (for example total=10000), max_epochs or max_steps",
        no_batch_size=no_batch_size,
    )


def _shorter(a: int | None, b: int | None) -> int | None:
    return min((x for x in (a, b) if x is not None), default=None)


def _epochs_of(
    steps: int | None, batches: float, accumulation: GradientAccumulationScheduler, first_epoch: int
) -> int | None:
    """Epochs that ``steps`` reach into."""
    if steps is None:
        return None
    epoch = first_epoch
    while steps > 0:
        steps -= math.ceil(batches / accumulation.get_accumulate_grad_batches(epoch))
        epoch += 1
    return epoch - first_epoch


def _global_batch_size(trainer: pl.Trainer) -> tuple[int | None, str]:
    """Samples behind one optimizer step, or None and why."""
    loaders: Any = trainer.train_dataloader
    if isinstance(loaders, dict):
        loaders = list(loaders.values())
    if isinstance(loaders, list | tuple):
        if len(loaders) != 1:
            return None, "there are several train dataloaders; give durations in steps and target_lr as a number"
        loaders = loaders[0]
    size = getattr(loaders, "batch_size", None)
    if size is None:
        size = getattr(getattr(loaders, "batch_sampler", None), "batch_size", None)
    if not isinstance(size, int):
        return None, "the train dataloader has no batch_size; give durations in steps and target_lr as a number"
    return size * trainer.accumulate_grad_batches * trainer.world_size, ""
