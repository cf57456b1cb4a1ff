"""values(): what it is asked, and what it answers."""

import math

import pytest

from lightning_warmup import ConstantDecay, LearningRateWarmup, MultiStepDecay, SqrtBeta2Warmup
from refusals import refused


def test_asking_changes_nothing():
    callback = LearningRateWarmup(5, MultiStepDecay(["2 epochs", "4 epochs"]), warmup_initial_lr={"default": 0.0})
    first = callback.values(0.1, total_steps=50, steps_per_epoch=10)
    callback.values(0.7, total_steps=100, steps_per_epoch=20)
    assert callback.values(0.1, total_steps=50, steps_per_epoch=10) == first


def test_values_are_plain_floats():
    callback = LearningRateWarmup(2, "linear", hold=1, cooldown=2, warmup_initial_lr=0)
    assert all(type(value) is float for value in callback.values(1.0, total_steps=9, steps_per_epoch=1))


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, -1, 1.5, True, None, "10"], ids=repr)
@pytest.mark.parametrize("name", ["total_steps", "steps_per_epoch", "batch_size"])
def test_no_run_to_ask_about(name, value):
    if name in ("steps_per_epoch", "batch_size") and value is None:
        return  # not known, and here nothing asks for it
    run = {"total_steps": 10, "steps_per_epoch": 5, "batch_size": 2}
    with refused(f"values({name}={value!r})", "expected an int ≥ 1"):
        LearningRateWarmup(5).values(0.1, **{**run, name: value})


@pytest.mark.parametrize(
    "lr", [-0.1, math.nan, math.inf, True, "0.1", None, {"a": -0.1}, {"a": 0.1, "b": None}], ids=repr
)
def test_no_learning_rate_to_ask_about(lr):  # fmt: skip
    with refused(f"values(lr={lr!r})", "finite numbers ≥ 0"):
        LearningRateWarmup(5).values(lr, total_steps=10, steps_per_epoch=5)


@pytest.mark.parametrize("lr", [0, 0.0, 1])
def test_learning_rates_at_the_edge(lr):
    assert LearningRateWarmup(1, ConstantDecay()).values(lr, total_steps=2, steps_per_epoch=2) == [lr / 2, lr]


def test_values_need_betas_of_every_group() -> None:
    with refused("values(betas={'a': (0.9, 0.99)}) says nothing of group 'b'"):
        LearningRateWarmup(SqrtBeta2Warmup()).values(
            {"a": 0.1, "b": 0.2}, total_steps=10, steps_per_epoch=10, betas={"a": (0.9, 0.99)}
        )
