"""Monitors: does the loss spike, and how near is the learning rate to the critical one?"""

import math
from collections.abc import Mapping
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from lightning_utilities.core.rank_zero import rank_zero_warn
from torch import Tensor
from torch.optim import Optimizer
from torchmetrics.aggregation import RunningMean
from typing_extensions import override

from lightning_warmup import param_groups
from lightning_warmup.callbacks import LearningRateWarmup
from lightning_warmup.checks import is_number
from lightning_warmup.critical_lr_probe import LiveBatch, check_supported, search


class LossSpikeMonitor(Callback):
    r"""Watch the training loss for spikes, and say what to change when the warmup has one.

    After every training batch it logs ``warmup/loss_ratio``,

    .. math:: r_t = L_t / \min_{s<t} \bar L_s

    for the loss :math:`L_t` and its running mean :math:`\bar L_s` over the last ``window`` batches, both averaged over
    the processes. Where :math:`r_t` exceeds ``threshold`` or the loss is not finite, in the warmup or within as many
    steps again (at least ``window``), one warning says so; without a warmup, it is given at any step. The ratio is nan
    while the best running loss is ≤ 0, where it means nothing. Reading the loss after every batch makes the host wait
    for the device.

    Args:
        window: Batches of the running mean, an int ≥ 1.
        threshold: Ratio above which a loss is a spike, > 1.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> from lightning.pytorch import Trainer
        >>> from lightning_warmup import LearningRateWarmup
        >>> from lightning_warmup.monitors import LossSpikeMonitor
        >>> callbacks = [LearningRateWarmup(100), LossSpikeMonitor(window=20, threshold=2.0)]
        >>> trainer = Trainer(max_steps=1000, callbacks=callbacks, logger=False, enable_checkpointing=False)
    """

    def __init__(self, window: int = 20, threshold: float = 2.0) -> None:
        if not isinstance(window, int) or isinstance(window, bool) or window < 1:
            raise ValueError(f"LossSpikeMonitor(window={window!r}): expected a number of batches, an int ≥ 1.")
        if not is_number(threshold) or threshold <= 1:
            raise ValueError(f"LossSpikeMonitor(threshold={threshold!r}): expected a finite number > 1, such as 2.0.")
        self.window = window
        self.threshold = threshold
        self._reset()

    def _reset(self) -> None:
        # Every rank feeds it the same numbers: there is nothing left to sync.
        self._running = RunningMean(self.window, sync_on_compute=False)
        self._best = math.inf
        self._told = False
        self._first_step: int | None = None
        self._step = 0

    @override
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage == "fit":
            self._reset()

    @override
    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self._first_step = 0  # unless our own state, loaded next, knows better

    @override
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._first_step is None:
            self._first_step = trainer.global_step  # a second fit counts from its own start

    @override
    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self._step = trainer.global_step - (self._first_step or 0)

    @override
    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            return  # the batch was skipped, or manual optimization returns no loss
        value = float(trainer.strategy.reduce(loss.detach().float().reshape(()).clone(), reduce_op="mean"))
        if pl_module.automatic_optimization:
            value *= trainer.accumulate_grad_batches  # Lightning divided it
        ratio = value / self._best if self._best > 0 else math.nan
        if not math.isfinite(value):
            ratio = math.inf
        if self._best < math.inf:
            pl_module.log("warmup/loss_ratio", ratio, on_step=True, on_epoch=False)
        if ratio > self.threshold:
            self._tell(trainer, ratio)
        if math.isfinite(value):
            # On the CPU: the number is here already.
            self._running.update(torch.tensor(value))
            self._best = min(self._best, float(self._running.compute()))

    def _tell(self, trainer: pl.Trainer, ratio: float) -> None:
        """Say once what to change."""
        warms_up, warmup = self._warmup(trainer)
        if self._told or (warmup and self._step >= warmup + max(warmup, self.window)):
            return
        self._told = True
        rose = f"loss rose {ratio:.1f}×" if math.isfinite(ratio) else "loss was not finite"
        advice = "lengthen it, lower target_lr, or try warmup_initial_lr='critical'"
        if not warmup:
            missing = "without a warmup: add LearningRateWarmup(...) or lower the lr"
            rank_zero_warn(f"{rose} at step {self._step:,} {f'beside a warmup: {advice}' if warms_up else missing}.")
            return
        where = f"at step {self._step:,} of a" if self._step < warmup else f"at step {self._step:,}, after a"
        rank_zero_warn(f"{rose} {where} {warmup:,}-step warmup: {advice}")

    @staticmethod
    def _warmup(trainer: pl.Trainer) -> tuple[bool, int | None]:
        """Whether there is a warmup, and its length in steps if that is known."""
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, LearningRateWarmup):
                return callback.warms_up, callback.warmup_steps
        return False, None

    @property
    @override
    def state_key(self) -> str:
        return self._generate_state_key(window=self.window, threshold=self.threshold)

    @override
    def state_dict(self) -> dict[str, Any]:
        # The running mean fills up again within a window.
        if self._first_step is None:
            return {}
        return {"best": self._best, "told": self._told, "first_step": self._first_step}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._best = state_dict["best"]
        self._told = state_dict["told"]
        self._first_step = state_dict["first_step"]


class CriticalLearningRateMonitor(Callback):
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
        >>> from lightning_warmup.monitors import CriticalLearningRateMonitor
        >>> callbacks = [CriticalLearningRateMonitor(every_n_steps=50)]
        >>> trainer = Trainer(max_steps=1000, callbacks=callbacks, logger=False, enable_checkpointing=False)
    """

    def __init__(self, every_n_steps: int = 100) -> None:
        if not isinstance(every_n_steps, int) or isinstance(every_n_steps, bool) or every_n_steps < 1:
            raise ValueError(f"CriticalLearningRateMonitor(every_n_steps={every_n_steps!r}): expected an int ≥ 1.")
        self.every_n_steps = every_n_steps
        self._live: LiveBatch | None = None
        self._last: float | None = None

    @override
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._live = self._last = None
        for optimizer in trainer.optimizers:
            check_supported("CriticalLearningRateMonitor()", trainer, pl_module, optimizer)

    @override
    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        due = trainer.global_step % self.every_n_steps == 0
        self._live = LiveBatch.capture(trainer, batch, batch_idx) if due else None

    @override
    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        live, self._live = self._live, None
        if live is None:
            return
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
