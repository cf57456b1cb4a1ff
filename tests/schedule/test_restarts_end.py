"""A decay that ends just where a cycle does ends at the floor: no other cycle begins."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_warmup import CosineRestartsDecay, FunctionDecay, LearningRateWarmup


def test_the_cooldown_is_at_the_floor():
    """Of the issue: 20 steps at 0.1."""
    callback = LearningRateWarmup(5, CosineRestartsDecay(25), cooldown=20)
    values = callback.values(0.1, total_steps=50, steps_per_epoch=50)
    assert values[30:] == [0.0] * 20
    assert 0 < values[29] < 0.001


@settings(deadline=None, max_examples=80)
@given(
    period=st.integers(1, 12),
    multiplier=st.sampled_from([1, 2, 3, 1.5]),
    gamma=st.floats(0.3, 1.5),
    final=st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.0]),
    cycles=st.integers(1, 5),
    warmup=st.integers(0, 4),
    cooldown=st.integers(1, 5),
    interval=st.sampled_from(["step", "epoch"]),
)
def test_every_cycle_that_was_just_finished(period, multiplier, gamma, final, cycles, warmup, cooldown, interval):
    length = sum(period * multiplier**k for k in range(cycles))
    if length != int(length):
        length = period
    decay = CosineRestartsDecay(period, multiplier, gamma, final)
    callback = LearningRateWarmup(warmup, decay, cooldown=cooldown, interval=interval)
    end = warmup + int(length)
    values = callback.values(0.3, total_steps=end + cooldown, steps_per_epoch=1)
    assert values[end:] == [0.3 * final] * cooldown
    without = LearningRateWarmup(warmup, decay, interval=interval)
    assert values[:end] == without.values(0.3, total_steps=end + cooldown, steps_per_epoch=1)[:end]


def test_past_the_end_of_a_plan():
    values = LearningRateWarmup(0, CosineRestartsDecay(4, final=0.1), total=8).values(
        1.0, total_steps=12, steps_per_epoch=4
    )
    assert values[4] == 1.0
    assert values[8:] == [0.1] * 4


def test_a_cycle_that_is_not_over_is_held_where_it_is():
    values = LearningRateWarmup(0, CosineRestartsDecay(6, final=0.1), cooldown=3).values(
        1.0, total_steps=12, steps_per_epoch=12
    )
    assert values[9:] == pytest.approx([0.1 + 0.9 * 0.5] * 3)


def test_a_plan_without_an_end_goes_on():
    """With ``decay_end`` unknown nothing is over: ``factor_at`` is asked with an infinite length."""
    decay = CosineRestartsDecay(4, gamma=0.5)
    assert [decay.factor_at(tau, math.inf) for tau in (0, 4, 8, 12)] == [1.0, 0.5, 0.25, 0.125]
    assert [decay.factor_at(tau, 12) for tau in (0, 4, 8, 12)] == [1.0, 0.5, 0.25, 0.0]


@pytest.mark.parametrize("cycles", [3, 4, 7])
def test_hard_restarts_whose_cycles_do_not_divide_the_decay(cycles):
    """transformers', by the row of docs/migrating.md: it ends at 0, and so does ours."""
    warmup, total = 20, 120

    def theirs(t):
        if t < warmup:
            return t / warmup
        progress = (t - warmup) / (total - warmup)
        return 0.0 if progress >= 1 else 0.5 * (1 + math.cos(math.pi * ((cycles * progress) % 1.0)))

    c = cycles
    decay = FunctionDecay(lambda u: 0.5 * (1 + math.cos(math.pi * (c * u % 1 if u < 1 else 1))))
    callback = LearningRateWarmup(warmup, decay, warmup_initial_lr=0.0, cooldown=5, total=total + 5)
    values = callback.values(1.0, total_steps=total + 5, steps_per_epoch=1)
    assert values == pytest.approx([theirs(t) for t in range(total + 5)], abs=1e-12)
