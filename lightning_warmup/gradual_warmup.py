"""From pytorch-gradual-warmup-lr: its GradualWarmupScheduler as our callbacks."""

from collections.abc import Mapping
from typing import Any

from lightning_warmup.callbacks.schedule_callback import ScheduleCallback
from lightning_warmup.converters.callbacks import callbacks_of
from lightning_warmup.converters.gradual_warmup import conversion

__all__ = ["from_arguments"]


def from_arguments(args: Mapping[str, Any]) -> list[ScheduleCallback]:
    """The schedule that a GradualWarmupScheduler of these arguments documents.

    ``python -m lightning_warmup convert gradual-warmup FILE`` writes the same as YAML. Where the library's run departs
    from this, a line is logged.

    Args:
        args: ``multiplier``, ``total_epoch``, and ``after_scheduler`` as ``{Name: {argument: value}}``, without the
            optimizer; the optimizer's ``lr``; ``interval``, ``"epoch"`` (the default) or ``"step"``, for how often it
            is stepped; ``metric_name`` for ReduceLROnPlateau.

    Returns:
        What to add to the Trainer.

    Raises:
        ValueError: If a key is not known, or a value is wrong or missing.

    >>> from lightning_warmup.gradual_warmup import from_arguments
    >>> after = {"StepLR": {"step_size": 2, "gamma": 0.5}}
    >>> (callback,) = from_arguments({"lr": 0.1, "multiplier": 2.0, "total_epoch": 2, "after_scheduler": after})
    >>> [round(lr, 4) for lr in callback.values(0.1, total_steps=6, steps_per_epoch=1)]
    [0.1, 0.15, 0.2, 0.2, 0.1, 0.1]
    """
    return callbacks_of("from_arguments", conversion(args))
