"""From SuperGradients: its training parameters as our callbacks."""

from collections.abc import Mapping
from typing import Any

from lightning_warmup.callbacks.schedule_callback import ScheduleCallback
from lightning_warmup.converters.callbacks import callbacks_of
from lightning_warmup.converters.supergradients import conversion

__all__ = ["from_training_params"]


def from_training_params(training_params: Mapping[str, Any]) -> list[ScheduleCallback]:
    """The schedule that SuperGradients documents for these parameters.

    ``python -m lightning_warmup convert supergradients FILE`` writes the same as YAML, and says where SuperGradients'
    own run departs from it; here a line is logged for each.

    Args:
        training_params: ``training_hyperparams`` of a recipe: ``lr_mode`` (a class of SuperGradients, its alias, or
            ``{Name: {argument: value}}`` for one of torch's), ``warmup_mode``, ``lr_warmup_epochs``,
            ``lr_warmup_steps``, ``lr_cooldown_epochs``, ``warmup_initial_lr`` and ``initial_lr`` (numbers, or mappings
            by group name), ``cosine_final_lr_ratio``, ``lr_updates``, ``lr_decay_factor``, ``step_lr_update_freq``,
            ``lr_schedule_function``, ``max_epochs``, ``batch_accumulate``. What does not concern the learning rate is
            passed over.

    Returns:
        What to add to the Trainer, which still needs ``max_epochs`` and ``accumulate_grad_batches``.

    Raises:
        ValueError: If a key of the schedule is not known, or a value is wrong or missing.

    >>> from lightning_warmup.supergradients import from_training_params
    >>> (callback,) = from_training_params(
    ...     {"lr_mode": "CosineLRScheduler", "max_epochs": 4, "lr_warmup_epochs": 1, "initial_lr": 0.1}
    ... )
    >>> [round(lr, 4) for lr in callback.values(0.1, total_steps=8, steps_per_epoch=2)]
    [0.05, 0.05, 0.1, 0.0934, 0.0752, 0.0505, 0.0258, 0.0076]
    """
    return callbacks_of("from_training_params", conversion(training_params))
