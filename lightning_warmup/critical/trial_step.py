"""A step of the real optimizer, taken before its time."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import _global_optimizer_post_hooks

from lightning_warmup.training import lightning_names as pl


def parameters(optimizer: Optimizer) -> list[Tensor]:
    """All parameters of all groups."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def gradients_are_finite(trainer: pl.Trainer, optimizer: Optimizer) -> bool:
    """Whether there are gradients and all are finite, on every rank. In fp16 the first steps' may not be."""
    gradients = [parameter.grad for parameter in parameters(optimizer) if parameter.grad is not None]
    values = [gradient.coalesce().values() if gradient.is_sparse else gradient for gradient in gradients]
    finite = bool(values) and all(bool(value.isfinite().all()) for value in values)
    return trainer.strategy.reduce_boolean_decision(finite)


def trial_step(trainer: pl.Trainer, optimizer: Optimizer) -> None:
    """``optimizer.step()`` at the last moment before that, with the gradients as the step to come will see them.

    Optimizers that undo a GradScaler's scale themselves (fused ones) have not done so yet. Weights and state are left
    changed; gradients are as they were. Hooks that run before a step (``register_step_pre_hook``) run here too, for
    they may change it; those that run after one do not.
    """
    with _step_gradients(trainer, optimizer), _unobserved(optimizer):
        optimizer.step()


@contextmanager
def _step_gradients(trainer: pl.Trainer, optimizer: Optimizer) -> Iterator[None]:
    """Inside, every ``grad`` is a copy, unscaled."""
    before = [(parameter, parameter.grad) for parameter in parameters(optimizer)]
    scaler = getattr(trainer.precision_plugin, "scaler", None)
    try:
        for parameter, gradient in before:
            if gradient is not None:
                parameter.grad = gradient.detach().clone()
                if scaler is not None and getattr(optimizer, "_step_supports_amp_scaling", False):
                    parameter.grad.div_(scaler.get_scale())
        yield
    finally:
        for parameter, gradient in before:
            parameter.grad = gradient


@contextmanager
def _unobserved(optimizer: Optimizer) -> Iterator[None]:
    """Nobody who follows the optimizer's steps (weight averaging, step counting) is told of those taken inside."""
    # A wrapper that leaves out super().__init__() has none.
    own: dict[int, Any] = getattr(optimizer, "_optimizer_step_post_hooks", {})
    everyones: dict[int, Any] = _global_optimizer_post_hooks
    before = [(hooks, dict(hooks)) for hooks in (own, everyones)]
    try:
        for hooks, _ in before:
            hooks.clear()
        yield
    finally:
        for hooks, those in before:
            hooks.update(those)
