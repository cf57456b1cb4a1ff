"""GradualWarmupScheduler's arguments as ours, by what it documents."""

from functools import partial
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler

from lightning_warmup.converters.gradual_warmup import conversion
from lightning_warmup.gradual_warmup import from_arguments


def torch_alone(scheduler: Any, lr: float, steps: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    made, values = scheduler(optimizer), []
    for _ in range(steps):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        made.step()
    return values


@pytest.mark.parametrize("multiplier", [1.0, 8])
@pytest.mark.parametrize("interval", ["epoch", "step"])
@pytest.mark.parametrize(
    ("after", "scheduler"),
    [
        ({"StepLR": {"step_size": 4, "gamma": 0.5}}, partial(lr_scheduler.StepLR, step_size=4, gamma=0.5)),
        ({"CosineAnnealingLR": {"T_max": 15}}, partial(lr_scheduler.CosineAnnealingLR, T_max=15)),
        (None, partial(lr_scheduler.StepLR, step_size=1, gamma=1.0)),
    ],
    ids=["StepLR", "CosineAnnealingLR", "none"],
)
def test_the_documented_curve(multiplier, interval, after, scheduler):
    given = {"lr": 0.1, "multiplier": multiplier, "total_epoch": 5, "after_scheduler": after, "interval": interval}
    (callback,) = from_arguments(given)
    top, low = 0.1 * multiplier, 0.1 if multiplier > 1 else 0.0
    expected = [low + (top - low) * t / 5 for t in range(5)] + torch_alone(scheduler, top, 15)
    batches = 3 if interval == "epoch" else 1
    values = callback.values(9.0, total_steps=20 * batches, steps_per_epoch=3)
    assert values == pytest.approx([value for value in expected for _ in range(batches)])


def test_plateau():
    after = {"ReduceLROnPlateau": {"patience": 2, "min_lr": 0.02}}
    given = {"lr": 0.1, "multiplier": 2, "total_epoch": 5, "after_scheduler": after, "metric_name": "val_loss"}
    init_args = {"monitor": "val_loss", "patience": 2, "final": pytest.approx(0.1)}
    assert conversion(given).parameters["decay"] == {"class_path": "ReduceOnPlateauDecay", "init_args": init_args}


def test_the_departure_is_told():
    after = {"StepLR": {"step_size": 4, "gamma": 0.5}}
    (note,) = conversion({"lr": 0.1, "multiplier": 2, "total_epoch": 5, "after_scheduler": after}).notes
    assert "one epoch late: off for one epoch at each of its steps, 2 times the rate" in note


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "give lr, multiplier, total_epoch"),
        ({"lr": 0.1, "multiplier": 0.5, "total_epoch": 5}, "multiplier=0.5: expected a finite number ≥ 1"),
        ({"lr": 0.1, "multiplier": 1, "total_epoch": 5, "total_epochs": 3}, "total_epochs=3"),
        ({"lr": 0.1, "multiplier": 1, "total_epoch": 5, "after_scheduler": "Step"}, "scheduler='Step' is not known"),
        ({"lr": 0.1, "multiplier": 1, "total_epoch": 5, "after_scheduler": 3}, "expected one of torch's"),
        ({"lr": 0.1, "multiplier": 1, "total_epoch": 5, "interval": "batch"}, "interval='batch' is not known"),
    ],
)
def test_what_is_wrong(given, message):
    with pytest.raises(ValueError, match=message):
        from_arguments(given)
