"""ReduceLROnPlateau behind the warmup, as it is configured."""

from typing import Any

import pytest

from lightning_warmup import LearningRateWarmup, ReduceOnPlateauDecay


def test_values_cannot_tell() -> None:
    with pytest.raises(ValueError, match=r"ReduceOnPlateauDecay\(monitor='val_loss'.*depends on the run itself"):
        LearningRateWarmup(2, ReduceOnPlateauDecay("val_loss")).values(0.1, total_steps=9, steps_per_epoch=9)


@pytest.mark.parametrize(
    "arguments",
    [
        {"monitor": ""},
        {"mode": "up"},
        {"factor": 1.0},
        {"factor": float("nan")},
        {"patience": -1},
        {"patience": 1.5},
        {"threshold": -1},
        {"threshold_mode": "x"},
        {"cooldown": True},
        {"final": float("inf")},
    ],
)
def test_bad_arguments(arguments: dict[str, Any]) -> None:
    ((name, value),) = arguments.items()
    with pytest.raises(ValueError, match=rf"ReduceOnPlateauDecay\({name}={value!r}\): expected"):
        ReduceOnPlateauDecay(**{"monitor": "val_loss", **arguments})
