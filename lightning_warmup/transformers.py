"""From transformers: its TrainingArguments as our callbacks."""

from collections.abc import Mapping
from typing import Any

from lightning_warmup.callbacks.schedule_callback import ScheduleCallback
from lightning_warmup.converters.callbacks import callbacks_of
from lightning_warmup.converters.transformers import conversion

__all__ = ["from_training_arguments"]


def from_training_arguments(training_arguments: Mapping[str, Any]) -> list[ScheduleCallback]:
    """The schedule that transformers' Trainer has with these arguments.

    ``python -m lightning_warmup convert transformers FILE`` writes the same as YAML. Where the library's run departs
    from this, a line is logged.

    Args:
        training_arguments: ``TrainingArguments.to_dict()``, or what of it was set: ``learning_rate``,
            ``lr_scheduler_type`` (all but ``"greedy"``), ``lr_scheduler_kwargs``, ``warmup_steps`` (steps, or a share
            of the run below 1), ``warmup_ratio``, ``num_train_epochs``, ``max_steps``, ``gradient_accumulation_steps``,
            ``metric_for_best_model``. What is left out has transformers' default; what does not concern the learning
            rate is passed over.

    Returns:
        What to add to the Trainer, which still needs the length of the run.

    Raises:
        ValueError: If a key of the schedule is not known, or a value is wrong or missing.

    >>> from lightning_warmup.transformers import from_training_arguments
    >>> (callback,) = from_training_arguments({"learning_rate": 0.1, "warmup_steps": 2, "max_steps": 6})
    >>> callback.values(0.1, total_steps=6)
    [0.0, 0.05, 0.1, 0.07500000000000001, 0.05, 0.025]
    """
    return callbacks_of("from_training_arguments", conversion(training_arguments))
