"""ReduceOnPlateauDecay at work: torch's ReduceLROnPlateau shows what a metric has made of the factor."""

import math
from typing import Any, ClassVar

import torch
from lightning_utilities.core.rank_zero import rank_zero_info, rank_zero_warn
from torch.optim import SGD
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lightning_warmup.schedule.decays import Decay
from lightning_warmup.schedule.plateau_decay import ReduceOnPlateauDecay
from lightning_warmup.training import lightning_names as pl
from lightning_warmup.training.lightning_names import MisconfigurationException


class _PlateauFactor(Decay):
    """A :class:`ReduceOnPlateauDecay` at work: it has seen metrics, and is the decay in one ``fit``.

    Underscored, or ``--help`` would offer it.

    Args:
        spec: What the user configured.
        state: What :meth:`state` gave in the run that is resumed.
    """

    ends: ClassVar[bool] = False
    closed_form: ClassVar[bool] = False

    def __init__(self, spec: ReduceOnPlateauDecay, state: dict[str, Any] | None = None) -> None:
        self.spec = spec
        self._warned_of_nan = False
        # The optimizer's lr is the factor.
        self._optimizer = SGD([torch.zeros(1)], lr=1.0)
        self._scheduler = ReduceLROnPlateau(
            self._optimizer,
            mode=spec.mode,
            factor=spec.factor,
            patience=spec.patience,
            threshold=spec.threshold,
            threshold_mode=spec.threshold_mode,
            cooldown=spec.cooldown,
            min_lr=float(spec.final),
            eps=0.0,
        )
        if state is not None:
            self._optimizer.param_groups[0]["lr"] = state["factor"]
            for name in self._KEPT:
                setattr(self._scheduler, name, state[name])

    _KEPT = ("best", "num_bad_epochs", "cooldown_counter", "last_epoch")

    def __repr__(self) -> str:
        return repr(self.spec)

    def __str__(self) -> str:
        return f"reduced on plateaus of {self.spec.monitor}"

    def evaluate(self, owner: str, trainer: pl.Trainer, pl_module: pl.LightningModule, step: int) -> bool:
        """Look at the metric after an evaluation; True if that reduced the factor."""
        monitor = self.spec.monitor
        metric = _logged_metric(trainer, pl_module, monitor)
        if math.isnan(metric) and not self._warned_of_nan:
            self._warned_of_nan = True
            rank_zero_warn(f"ReduceOnPlateauDecay: {monitor} is nan at step {step:,}: no improvement.")
        before = self.factor_at(0, math.inf)
        self._scheduler.step(metric)
        factor = self.factor_at(0, math.inf)
        if factor != before:
            rank_zero_info(f"{owner}: {monitor} has stopped improving, factor {factor:.4g} from now on.")
        return factor != before

    def factor_at(self, tau: float, length: float) -> float:
        return float(self._optimizer.param_groups[0]["lr"])

    def state(self) -> dict[str, Any]:
        """What a resumed run cannot compute again, in plain Python; the rest is configured."""
        kept = {name: getattr(self._scheduler, name) for name in self._KEPT}
        return {"factor": self.factor_at(0, math.inf), **kept}


def _logged_metric(trainer: pl.Trainer, pl_module: pl.LightningModule, monitor: str) -> float:
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
