"""GI-Adam: Adam whose second moment starts at the first gradient's square."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from lightning_utilities.core.rank_zero import rank_zero_warn
from torch.optim import Adam, AdamW, Optimizer
from typing_extensions import override

from lightning_warmup.callbacks.learning_rate_warmup import LearningRateWarmup
from lightning_warmup.callbacks.letting_go import _LetsGo
from lightning_warmup.critical.trial_step import gradients_are_finite, trial_step
from lightning_warmup.training import lightning_names as pl
from lightning_warmup.training.last_moment import at_the_last_moment
from lightning_warmup.training.lightning_names import MisconfigurationException


class GradientInitializedAdam(_LetsGo):
    r"""Start Adam's second moment at the square of the first gradient: a warmup built into the optimizer.

    .. math:: m_0 = 0, \quad v_0 = g_0^2

    with both bias corrections kept, so that the first update is :math:`\sqrt{1 - \beta_2}` of Adam's, and under a
    constant gradient update t (counted from 1) is :math:`\sqrt{1 - \beta_2^t}` of it. It raises the learning rate at
    which Adam's first step fails by :math:`1/\sqrt{1 - \beta_2}`; it does not make a warmup of the learning rate
    useless.

    :math:`g_0` is what the optimizer sees at its first step: the gradient accumulated over all micro-batches, clipped
    as the Trainer clips it, averaged over the processes, and for :class:`torch.optim.Adam` with the weight decay added
    to it. The state is set before the first optimizer step whose gradients are all finite (in fp16, steps before it are
    skipped anyway). An optimizer that has a state already, as in a resumed run, is left alone; parameters that join
    later start as Adam starts them. Put this callback before one that measures a critical learning rate.

    Kalra & Barkeshli 2024, section 6.2 (arXiv 2406.09405).

    Raises:
        MisconfigurationException: At train start, if an optimizer is neither ``torch.optim.Adam`` nor
            ``torch.optim.AdamW``.

    Example:
        >>> from lightning.pytorch import Trainer
        >>> from lightning_warmup import GradientInitializedAdam, LearningRateWarmup
        >>> callbacks = [GradientInitializedAdam(), LearningRateWarmup(100, "cosine")]
        >>> trainer = Trainer(max_steps=1000, callbacks=callbacks, logger=False, enable_checkpointing=False)
    """

    def __repr__(self) -> str:
        return "GradientInitializedAdam()"

    @override
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for optimizer in trainer.optimizers:
            # Not isinstance: a subclass may do anything with its state.
            if type(optimizer) not in (Adam, AdamW):
                raise MisconfigurationException(
                    f"GradientInitializedAdam() works on torch.optim.Adam and torch.optim.AdamW, not on"
                    f" {type(optimizer).__module__}.{type(optimizer).__qualname__}. Use one of those, or leave this"
                    " callback out."
                )

        callbacks = trainer.callbacks  # type: ignore[union-attr]
        for callback in callbacks[: callbacks.index(self)]:
            if isinstance(callback, LearningRateWarmup) and callback.measures:
                raise MisconfigurationException(
                    "GradientInitializedAdam() comes after a LearningRateWarmup that measures, and would measure plain"
                    " Adam's step. Put GradientInitializedAdam() before it in callbacks."
                )

    @override
    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        if not optimizer.state:
            at_the_last_moment(pl_module, partial(self._initialize, trainer, optimizer))

    def _initialize(self, trainer: pl.Trainer, optimizer: Optimizer) -> None:
        """Set the second moment to the square of the gradient of the step under way."""
        if not gradients_are_finite(trainer, optimizer):
            if getattr(trainer.precision_plugin, "scaler", None) is None:
                rank_zero_warn(
                    f"GradientInitializedAdam(): the gradients of step {trainer.global_step:,} are not finite, so Adam"
                    " starts as it is. Look at the loss of the first batch."
                )
            return
        with _moments_only(optimizer):
            trial_step(trainer, optimizer)
        for state in optimizer.state.values():
            # exp_avg_sq is g0² now, and so is max_exp_avg_sq, if there is one.
            state["step"].zero_()
            state["exp_avg"].zero_()


@contextmanager
def _moments_only(optimizer: Optimizer) -> Iterator[None]:
    """Inside, a step leaves the weights alone, and with β2 = 0 makes exp_avg_sq exactly the gradient's square."""
    betas = (0.0, 0.0)
    before = []
    try:
        for group in optimizer.param_groups:
            # eps = 1: where a gradient is 0, 0/0 would turn a weight into nan even at lr = 0.
            changed = {"lr": 0.0, "betas": betas, "eps": 1.0}
            before.append((group, {key: group[key] for key in changed}))
            group.update(changed)
        with torch.no_grad():
            yield
    finally:
        for group, entries in before:
            group.update(entries)
