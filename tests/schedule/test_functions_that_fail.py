"""A function of the user's is asked for what steps use, and what it raises comes out as one error that quotes it."""

import math
from dataclasses import dataclass

import pytest

from lightning_warmup import Decay, FunctionDecay, FunctionWarmup, LearningRateWarmup, LinearScaling, Warmup
from lightning_warmup.schedule.scaling import BatchSizeScaling
from refusals import refused

RUN = {"total_steps": 10, "steps_per_epoch": 10}


def pole(u):
    """Has no value at u = 1."""
    return 1 / (1 - u) / 10


def below_zero_at_the_end(u):
    return 1 - u if u < 1 else -1e-17


ONLY_AT_THE_END = [
    (pole, "ZeroDivisionError"),
    (lambda u: math.log(1 - u) / math.log(1e-9), "ValueError"),
    (lambda u: [1.0, 0.5][int(u)] if u < 1 else [][0], "IndexError"),
]
NONE_AT_THE_END = [below_zero_at_the_end, lambda u: math.nan if u == 1 else 1.0, lambda u: math.inf if u == 1 else 1.0]


@pytest.mark.parametrize("interval", ["step", "epoch"])
@pytest.mark.parametrize("function", [*(f for f, _ in ONLY_AT_THE_END), *NONE_AT_THE_END])
def test_no_step_asks_for_the_end(function, interval):
    """The last step has u = (D − 1)/D."""
    callback = LearningRateWarmup(2, FunctionDecay(function), interval=interval)
    run = {"total_steps": 10, "steps_per_epoch": 10 if interval == "step" else 1}
    assert callback.values(1.0, **run)[2:] == pytest.approx([function(tau / 8) for tau in range(8)])


@pytest.mark.parametrize("total", [None, 8])
@pytest.mark.parametrize(("function", "raised"), ONLY_AT_THE_END)
def test_a_cooldown_does_and_so_does_a_step_past_the_plan(function, raised, total):
    callback = LearningRateWarmup(2, FunctionDecay(function), cooldown=1)
    if total is not None:
        callback = LearningRateWarmup(2, FunctionDecay(function), total=total)
    with refused("FunctionDecay(function=", f"{function}", "fails at u = 1.0", raised):
        callback.values(1.0, **RUN)


@pytest.mark.parametrize("function", NONE_AT_THE_END)
def test_a_cooldown_needs_a_learning_rate(function):
    callback = LearningRateWarmup(2, FunctionDecay(function), cooldown=1)
    with refused("LearningRateWarmup(decay=FunctionDecay(function=", "at step 9", "finite and ≥ 0"):
        callback.values(1.0, **RUN)


class Odd(Exception):
    pass


def raising(error):
    def function(u):
        if u >= 0.5:
            raise error
        return 1 - u

    return function


ERRORS = [KeyError("rate"), Odd("not today"), OverflowError("math range error"), ValueError("domain"), AssertionError()]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_whatever_it_raises_is_one_error(error):
    function = raising(error)
    warmup, decay = FunctionWarmup(8, function), FunctionDecay(function)
    for callback in (LearningRateWarmup(warmup), LearningRateWarmup(0, decay, total=8)):
        with refused(f"{function}", "fails at u = 0.5: ", type(error).__name__, str(error)):
            callback.values(1.0, **RUN)


@pytest.mark.parametrize("given", [None, "0.5", [0.5], 1j], ids=repr)
def test_what_is_no_number_is_said(given):
    callback = LearningRateWarmup(0, FunctionDecay(lambda u: given))
    if given == "0.5":
        assert callback.values(1.0, **RUN) == [0.5] * 10
        return
    with refused("FunctionDecay(function=", "fails at u = 0.0: TypeError"):
        callback.values(1.0, **RUN)


def test_between_the_values_that_are_looked_at():
    """Out of a million steps not all are tried beforehand; the error is the same one when it comes."""

    def function(u):
        return 1.0 if u != 0.123457 else 1 / 0

    callback = LearningRateWarmup(0, FunctionDecay(function))
    with refused("FunctionDecay(function=", "fails at u = 0.123457: ZeroDivisionError"):
        callback.values(1.0, total_steps=1_000_000, steps_per_epoch=1000)


def test_shapes_and_scalings_of_ones_own():
    @dataclass(frozen=True)
    class OwnDecay(Decay):
        table: tuple = (1.0, 0.5)

        def factor_at(self, tau, length):
            return self.table[int(tau)]

    @dataclass(frozen=True)
    class OwnWarmup(Warmup):
        duration: int

        def weight(self, u):
            return {0.0: 0.0}[u]

    class OwnScaling(LinearScaling):
        def multiplier(self, batch_size):
            return {256: 1.0}[batch_size]

    class Backwards(BatchSizeScaling):
        reference_batch_size = 1

        def multiplier(self, batch_size):
            return -1.0

    with refused("OwnDecay(table=(1.0, 0.5)) fails at step 2: IndexError: tuple index out of range"):
        LearningRateWarmup(0, OwnDecay()).values(1.0, **RUN)
    with refused("OwnWarmup(duration=4) fails at step 1: KeyError: 0.25"):
        LearningRateWarmup(OwnWarmup(4)).values(1.0, **RUN)
    with refused("LearningRateWarmup(target_lr=", "OwnScaling", "fails at a global batch of 64: KeyError: 64"):
        LearningRateWarmup(4, target_lr=OwnScaling(256)).values(1.0, batch_size=64, **RUN)
    with refused("LearningRateWarmup(target_lr=", "gives -1.0 at a global batch of 64"):
        LearningRateWarmup(4, target_lr=Backwards()).values(1.0, batch_size=64, **RUN)
