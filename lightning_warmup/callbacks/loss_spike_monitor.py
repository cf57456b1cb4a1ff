"""Does the loss spike?"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from lightning_utilities.core.rank_zero import rank_zero_warn
from torch import Tensor
from torchmetrics.aggregation import RunningMean
from typing_extensions import override

from lightning_warmup.callbacks.learning_rate_warmup import LearningRateWarmup
from lightning_warmup.callbacks.letting_go import _LetsGo
from lightning_warmup.schedule.checks import is_count, is_number, plain
from lightning_warmup.training import lightning_names as pl


class LossSpikeMonitor(_LetsGo):
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
        >>> from lightning_warmup import LossSpikeMonitor
        >>> callbacks = [LearningRateWarmup(100), LossSpikeMonitor(window=20, threshold=2.0)]
        >>> trainer = Trainer(max_steps=1000, callbacks=callbacks, logger=False, enable_checkpointing=False)
    """

    def __init__(self, window: int = 20, threshold: float = 2.0) -> None:
        window, threshold = plain(window), plain(threshold)
        if not is_count(window, 1):
            raise ValueError(f"LossSpikeMonitor(window={window!r}): expected a number of batches, an int ≥ 1.")
        if not is_number(threshold) or threshold <= 1:
            raise ValueError(f"LossSpikeMonitor(threshold={threshold!r}): expected a finite number > 1, such as 2.0.")
        self.window = window
        self.threshold = threshold
        self._reset()

    def __repr__(self) -> str:
        parts = [] if self.window == 20 else [f"window={self.window}"]
        parts += [] if self.threshold == 2.0 else [f"threshold={self.threshold}"]
        return f"LossSpikeMonitor({', '.join(parts)})"

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
        for callback in trainer.callbacks:  # type: ignore[union-attr]
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
