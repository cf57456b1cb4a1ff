"""How near is the learning rate to the critical one?"""

import math
from functools import partial
from typing import Any

import torch
from torch.optim import Optimizer
from typing_extensions import override

from lightning_warmup.callbacks.letting_go import _LetsGo
from lightning_warmup.critical.trial_loss import LiveBatch, check_supported, search
from lightning_warmup.schedule.checks import is_count, plain
from lightning_warmup.training import lightning_names as pl
from lightning_warmup.training import param_groups
from lightning_warmup.training.last_moment import at_the_last_moment


class CriticalLearningRateMonitor(_LetsGo):
    r"""Measure the critical learning rate again and again: a curvature meter that needs no Hessian.

    Every so many steps it logs ``warmup/critical_lr``, the smallest learning rate at which the step about to be taken
    would raise its own batch's loss, and ``warmup/lr_over_critical_lr``: above 1, the step does raise it. With several
    param groups one multiplier of all current learning rates is searched, and ``warmup/critical_lr`` is the first
    group's. Where there is none (the step goes uphill, as it can with momentum; the search's budget ends; gradients are
    not finite; the learning rate is 0) nothing is logged for that step.

    The run itself is not changed, bit for bit. A measurement costs about 7 forward passes and trial steps (the first
    one more, by the doublings from the current learning rate) and, while it lasts, the memory of a copy of the weights
    and of the optimizer's state. Both values go to every logger and to ``trainer.callback_metrics``.

    Kalra & Barkeshli 2024, appendix B (arXiv 2406.09405); critical sharpness in arXiv 2601.16979.

    Args:
        every_n_steps: Optimizer steps between measurements, an int ≥ 1; the first is at step 0.

    Raises:
        ValueError: If ``every_n_steps`` is out of range.
        MisconfigurationException: At train start, if this run's steps cannot be measured (accumulated gradients, manual
            optimization, LBFGS, sharded strategies).

    Example:
        >>> from lightning.pytorch import Trainer
        >>> from lightning_warmup import CriticalLearningRateMonitor
        >>> callbacks = [CriticalLearningRateMonitor(every_n_steps=50)]
        >>> trainer = Trainer(max_steps=1000, callbacks=callbacks, logger=False, enable_checkpointing=False)
    """

    def __init__(self, every_n_steps: int = 100) -> None:
        every_n_steps = plain(every_n_steps)
        if not is_count(every_n_steps, 1):
            raise ValueError(f"CriticalLearningRateMonitor(every_n_steps={every_n_steps!r}): expected an int ≥ 1.")
        self.every_n_steps = every_n_steps
        self._live: LiveBatch | None = None
        self._last: float | None = None

    def __repr__(self) -> str:
        return f"CriticalLearningRateMonitor({'' if self.every_n_steps == 100 else self.every_n_steps})"

    @override
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._live = self._last = None
        for optimizer in trainer.optimizers:
            check_supported("CriticalLearningRateMonitor()", trainer, pl_module, optimizer, math.inf)

    @override
    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self._forget()
        if trainer.global_step % self.every_n_steps == 0:
            self._live = LiveBatch(trainer)

    @override
    def _let_go(self) -> None:
        self._forget()
        super()._let_go()

    def _forget(self) -> None:
        if self._live is not None:
            self._live.forget()
        self._live = None

    @override
    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        live, self._live = self._live, None
        if live is not None:
            measure = partial(self._measure, trainer, pl_module, optimizer, live)
            at_the_last_moment(pl_module, measure, last=True)  # a warmup that measures may still write the rate

    def _measure(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer, live: LiveBatch
    ) -> None:
        """Log the distance of the step under way."""
        lrs = param_groups.read(optimizer.param_groups, "lr")
        if not any(lrs):
            return
        # It moves slowly: where it was last time is near where it is.
        start = 1.0 if self._last is None or not lrs[0] else self._last / lrs[0]
        result = search(trainer, pl_module, optimizer, live, lrs, start=start)
        if result is None or result.status != "found":
            return
        self._last = result.lr * lrs[0] or None
        metrics = {"warmup/critical_lr": result.lr * lrs[0], "warmup/lr_over_critical_lr": 1 / result.lr}
        # Not self.log: that writes only where log_every_n_steps falls, with a value of some steps ago.
        trainer.callback_metrics.update({name: torch.tensor(value) for name, value in metrics.items()})
        for logger in trainer.loggers:
            logger.log_metrics(metrics, step=trainer.global_step)
