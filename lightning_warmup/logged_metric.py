"""A metric that the module has logged, as one number for all processes."""

import lightning.pytorch as pl
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException


def logged_metric(trainer: pl.Trainer, pl_module: pl.LightningModule, monitor: str) -> float:
    """The value that ``monitor`` was logged with, the mean over the processes.

    Raises:
        MisconfigurationException: If nothing was logged by that name.
    """
    if monitor not in trainer.callback_metrics:
        raise MisconfigurationException(
            f"ReduceOnPlateauDecay(monitor={monitor!r}): no such metric was logged. There are:"
            f" {', '.join(sorted(trainer.callback_metrics)) or 'none'}. It must be there after each validation, or"
            " training epoch if there is none; what is logged in on_train_epoch_end comes too late."
        )
    metric = torch.as_tensor(trainer.callback_metrics[monitor], device=pl_module.device)
    return float(trainer.strategy.reduce(metric, reduce_op="mean"))
