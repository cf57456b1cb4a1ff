"""values() and plot() ask for what something counts in, and for nothing else; errors name the callback."""

import pytest

from lightning_warmup import (
    CosineRestartsDecay,
    DecayPart,
    ExponentialDecay,
    HyperparameterWarmup,
    LearningRateWarmup,
    LinearScaling,
    MultiStepDecay,
    PiecewiseLinearDecay,
    StepDecay,
)
from refusals import refused

NO_EPOCHS = [
    LearningRateWarmup(5, "cosine"),
    LearningRateWarmup("5%", "linear", hold=0.1, cooldown="10 steps"),
    LearningRateWarmup(5, MultiStepDecay([30, "80%"]), total="90 steps"),
    LearningRateWarmup("64 samples", StepDecay("320 samples"), target_lr=LinearScaling(16)),
    LearningRateWarmup(5, [DecayPart("constant", "50%"), DecayPart("linear")]),
    HyperparameterWarmup("momentum", warmup=5, initial_value=0.5),
]


@pytest.mark.parametrize("callback", NO_EPOCHS, ids=repr)
def test_where_nothing_counts_in_epochs(callback) -> None:
    run = {"total_steps": 100, "batch_size": 32}
    assert callback.values(0.1, **run) == callback.values(0.1, steps_per_epoch=7, **run)
    _, axes = callback.plot(0.1, **run)
    assert list(axes.lines[0].get_ydata()) == callback.values(0.1, **run)


IN_EPOCHS = [
    (LearningRateWarmup("2 epochs"), "LearningRateWarmup(warmup='2 epochs')"),
    (LearningRateWarmup(5, "cosine", hold="1 epoch"), "LearningRateWarmup(hold='1 epoch')"),
    (LearningRateWarmup(5, "cosine", cooldown="1 epoch"), "LearningRateWarmup(cooldown='1 epoch')"),
    (LearningRateWarmup(5, total="9 epochs"), "LearningRateWarmup(total='9 epochs')"),
    (LearningRateWarmup(5, warmup_interval="epoch"), "LearningRateWarmup(warmup_interval='epoch')"),
    (LearningRateWarmup(5, interval="epoch"), "LearningRateWarmup(interval='epoch')"),
    (LearningRateWarmup(5, interval="epoch", warmup_interval="step"), "LearningRateWarmup(interval='epoch')"),
    (LearningRateWarmup(5, StepDecay("3 epochs")), "StepDecay(every='3 epochs')"),
    (LearningRateWarmup(5, ExponentialDecay(0.9, "1 epoch")), "ExponentialDecay(every='1 epoch')"),
    (LearningRateWarmup(5, CosineRestartsDecay("1 epoch")), "CosineRestartsDecay(period='1 epoch')"),
    (LearningRateWarmup(0, PiecewiseLinearDecay({"3 epochs": 1})), "PiecewiseLinearDecay(points='3 epochs')"),
    (LearningRateWarmup(5, [DecayPart("linear", "3 epochs")]), "DecayPart(duration='3 epochs')"),
]


@pytest.mark.parametrize(("callback", "quoted"), IN_EPOCHS, ids=lambda part: part if isinstance(part, str) else "")
def test_where_something_does(callback, quoted) -> None:
    with refused(quoted, "give values(..., steps_per_epoch=...)"):
        callback.values(0.1, total_steps=100)
    with refused(quoted, "give values(..., steps_per_epoch=...)"):
        callback.plot(0.1, total_steps=100)
    assert len(callback.values(0.1, total_steps=100, steps_per_epoch=10)) == 100


@pytest.mark.parametrize("method", ["values", "plot"])
def test_a_missing_argument_is_not_told_by_the_name_of_an_inner_class(method) -> None:
    with pytest.raises(TypeError, match=rf"^{method}\(\) missing 1 required keyword-only argument: 'total_steps'"):
        getattr(LearningRateWarmup(5), method)(0.1)
    with pytest.raises(TypeError, match=rf"^{method}\(\) got an unexpected keyword argument 'steps'"):
        getattr(LearningRateWarmup(5), method)(0.1, total_steps=5, steps=3)
