"""Runs under a GradScaler some of whose steps overflow."""

import torch
from lightning.pytorch.plugins import MixedPrecision
from torch.amp import GradScaler

from runs import Line

SKIPPED = (0, 3, 4, 11, 19)


class Overflows(Line):
    """Has infinite gradients in some batches."""

    def on_before_backward(self, loss: torch.Tensor) -> None:
        self.overflow = self.trainer.fit_loop.total_batch_idx in SKIPPED

    def on_after_backward(self) -> None:
        if self.overflow:
            self.weight.grad = torch.full_like(self.weight, torch.inf)


def scaled() -> MixedPrecision:
    return MixedPrecision("16-mixed", "cpu", GradScaler("cpu", init_scale=2.0**10))
