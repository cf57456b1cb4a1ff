"""What a callback's repr says: all that was set, nothing that was not, as it can be written again."""

from typing import Any

import pytest

import lightning_warmup
from lightning_warmup import (
    CosineDecay,
    CosineWarmup,
    CriticalLearningRate,
    CriticalLearningRateMonitor,
    Decay,
    DecayPart,
    FunctionDecay,
    FunctionWarmup,
    GradientInitializedAdam,
    HyperparameterWarmup,
    LearningRateWarmup,
    LinearScaling,
    LossSpikeMonitor,
    SchedulePreview,
    TorchDecay,
    Warmup,
)
from shapes import BETA2_WARMUPS, DECAYS, MEASURED, WARMUPS, shape_id

WRITTEN = [
    (LearningRateWarmup(), "LearningRateWarmup()"),
    (LearningRateWarmup(500), "LearningRateWarmup(500)"),
    (
        LearningRateWarmup("5%", "cosine", hold=5, interval="epoch"),
        "LearningRateWarmup('5%', 'cosine', hold=5, interval='epoch')",
    ),
    (LearningRateWarmup(decay="cosine"), "LearningRateWarmup(decay='cosine')"),
    (
        LearningRateWarmup(CosineWarmup(5), CosineDecay(0.1), warmup_initial_lr={"head": "4%", "default": None}),
        "LearningRateWarmup(CosineWarmup(duration=5), CosineDecay(final=0.1),"
        " warmup_initial_lr={'head': '4%', 'default': None})",
    ),
    (
        LearningRateWarmup(5, "linear", decay_duration="20%", cooldown=2, total="90 steps", warmup_interval="epoch"),
        "LearningRateWarmup(5, 'linear', decay_duration='20%', cooldown=2, total='90 steps', warmup_interval='epoch')",
    ),
    (
        LearningRateWarmup(
            5,
            target_lr=0.1,
            optimizer=0,
            resume="config",
            override_module_scheduler=True,
            late_group_warmup=3,
            decay="cosine",
            decay_from="start",
        ),
        "LearningRateWarmup(5, 'cosine', target_lr=0.1, optimizer=0, resume='config', override_module_scheduler=True,"
        " late_group_warmup=3, decay_from='start')",
    ),
    (
        HyperparameterWarmup("momentum", warmup=5, decay="cosine", initial_value=0.85, target_value=0.95),
        "HyperparameterWarmup('momentum', warmup=5, decay='cosine', initial_value=0.85, target_value=0.95)",
    ),
    (HyperparameterWarmup("weight_decay", decay="linear"), "HyperparameterWarmup('weight_decay', decay='linear')"),
    (LossSpikeMonitor(), "LossSpikeMonitor()"),
    (LossSpikeMonitor(30, 2.5), "LossSpikeMonitor(window=30, threshold=2.5)"),
    (CriticalLearningRateMonitor(), "CriticalLearningRateMonitor()"),
    (CriticalLearningRateMonitor(50), "CriticalLearningRateMonitor(50)"),
    (GradientInitializedAdam(), "GradientInitializedAdam()"),
    (SchedulePreview(), "SchedulePreview()"),
    (SchedulePreview("lr.png"), "SchedulePreview(output='lr.png')"),
]


@pytest.mark.parametrize(("callback", "text"), WRITTEN, ids=lambda part: part if isinstance(part, str) else "")
def test_repr(callback: Any, text: str) -> None:
    assert repr(callback) == text


def read(text: str) -> Any:
    """What a repr stands for, in Python."""
    return eval(text, {name: getattr(lightning_warmup, name) for name in lightning_warmup.__all__})


OF_A_FUNCTION = (FunctionWarmup, FunctionDecay, TorchDecay)
"""Python's repr of a function is none that can be written."""

SHAPES = [*(row.example for row in MEASURED), *(row.shape() for row in BETA2_WARMUPS)] + [
    shape
    for row in [*WARMUPS, *DECAYS]
    for shape, *_ in row.values
    if isinstance(shape, Warmup | Decay) and not isinstance(shape, OF_A_FUNCTION)
]


@pytest.mark.parametrize("shape", SHAPES, ids=shape_id)
def test_a_repr_read_again_is_the_same_callback(shape: Warmup | Decay) -> None:
    callback = LearningRateWarmup(shape) if isinstance(shape, Warmup) else LearningRateWarmup(2, shape)
    assert read(repr(callback)).config == callback.config


@pytest.mark.parametrize(
    "callback",
    [
        *(callback for callback, _ in WRITTEN if hasattr(callback, "config")),
        LearningRateWarmup("radam"),
        LearningRateWarmup("catapult"),
        LearningRateWarmup(5, warmup_initial_lr="critical"),
        LearningRateWarmup(5, warmup_initial_lr=CriticalLearningRate(safety=0.3)),
        LearningRateWarmup(5, target_lr=LinearScaling(16)),
        LearningRateWarmup(5, [DecayPart("constant", 60), DecayPart("linear")]),
    ],
    ids=repr,
)
def test_so_is_one_of_many_parameters(callback: Any) -> None:
    assert read(repr(callback)).config == callback.config
