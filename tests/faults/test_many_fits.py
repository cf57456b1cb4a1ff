"""Three hundred fits in one process: neither hooks nor objects nor memory grow."""

import gc
import logging
import tracemalloc
from typing import Any

import pytest
import torch

from lightning_warmup import LearningRateWarmup
from lightning_warmup.training.fit import ScheduledFit
from lightning_warmup.training.scheduled_optimizer import ScheduledOptimizer
from runs import Line, loader, trainer

FITS = 300


def of_ours() -> int:
    """Objects of a fit that are alive."""
    gc.collect()
    return sum(type(value) in (ScheduledFit, ScheduledOptimizer) for value in gc.get_objects())


@pytest.mark.slow
@pytest.mark.parametrize("new", [True, False], ids=["a new callback each", "one callback"])
def test_nothing_grows(new: bool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, logger="lightning.pytorch")  # pytest would keep every line
    parameter = torch.nn.Parameter(torch.zeros(2))
    optimizer = torch.optim.SGD([parameter], lr=0.1)  # one for all: hooks would gather on it
    callback = LearningRateWarmup(2, "cosine")

    def configure(module: Line) -> Any:
        optimizer.param_groups[0]["lr"] = 0.1  # the fit before has taken it to 0
        return optimizer

    class Shared(Line):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            return (batch[0] @ parameter - 1).square().mean()

    sizes = []
    tracemalloc.start()
    try:
        for i in range(FITS):
            trainer(LearningRateWarmup(2, "cosine") if new else callback, max_steps=4).fit(Shared(configure), loader(4))
            assert not optimizer._optimizer_step_post_hooks
            if i % 100 == 99:
                gc.collect()
                ours = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, "*lightning_warmup*")])
                sizes.append(sum(statistic.size for statistic in ours.statistics("filename")))
    finally:
        tracemalloc.stop()
    assert of_ours() == 0
    # Of what our files have allocated, nothing more after three hundred fits than after a hundred; it comes and goes by
    # some fifty bytes, and ten bytes a fit would be noticed.
    assert sizes[-1] <= sizes[0] + 2_000, sizes
