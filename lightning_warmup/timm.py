"""From timm: its scheduler arguments as our callbacks."""

from collections.abc import Mapping
from typing import Any

from lightning_warmup.callbacks.schedule_callback import ScheduleCallback
from lightning_warmup.converters.callbacks import callbacks_of
from lightning_warmup.converters.timm import conversion

__all__ = ["from_args"]


def from_args(args: Mapping[str, Any]) -> list[ScheduleCallback]:
    """The schedule that timm's ``train.py`` has with these arguments.

    ``python -m lightning_warmup convert timm FILE`` writes the same as YAML. Where the library's run departs
    from this, a line is logged.

    Args:
        args: ``args.yaml`` of a run of timm, or what was given: ``sched``, ``lr``, ``epochs``, ``warmup_epochs``,
            ``warmup_lr``, ``warmup_prefix``, ``cooldown_epochs``, ``min_lr``, ``decay_epochs``, ``decay_milestones``,
            ``decay_rate``, ``patience_epochs``, ``lr_cycle_mul``, ``lr_cycle_decay``, ``lr_cycle_limit``,
            ``lr_k_decay``, ``lr_decay_fn``, ``lr_stable_timescale``, ``sched_on_updates``, ``eval_metric``; also with
            dashes (``"--warmup-lr"``). What is left out has the default of ``train.py``; what does not concern the
            learning rate is passed over.

    Returns:
        What to add to the Trainer, which still needs its epochs: with ``warmup_prefix`` and ``cooldown_epochs`` they
        are more than ``epochs``.

    Raises:
        ValueError: If a key of the schedule is not known, or a value is wrong or missing.

    >>> from lightning_warmup.timm import from_args
    >>> args = {"lr": 0.4, "epochs": 4, "warmup_epochs": 2, "warmup_lr": 0.0, "warmup_prefix": True}
    >>> (callback,) = from_args({"sched": "cosine", **args})
    >>> [round(lr, 3) for lr in callback.values(0.4, total_steps=6, steps_per_epoch=1)]
    [0.0, 0.2, 0.4, 0.341, 0.2, 0.059]
    """
    return callbacks_of("from_args", conversion(args))
