"""Decay shapes: a factor of the target that is exactly 1 where the decay begins, ``final`` where it ends."""

import itertools
import math
from dataclasses import FrozenInstanceError, dataclass, replace
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_warmup import (
    CosineDecay,
    CosineRestartsDecay,
    Decay,
    ExponentialDecay,
    FunctionDecay,
    InverseSqrtDecay,
    LearningRateWarmup,
    MultiStepDecay,
    StepDecay,
)
from lightning_warmup.schedule.decays import DecayName
from refusals import refused
from shapes import DECAYS, FALLING, FALLING_TO_FINAL, shape_id, with_fields


def lines(interval):
    """Decay, time and factor, of every decay that can be run by this interval."""
    return [
        (shape, t, expected)
        for row in DECAYS
        if interval in row.intervals
        for shape, factors in [*row.values, *row.values_of_the_run]
        for t, expected in enumerate(factors)
    ]


# What is planned for 8 intervals is asked for 11: the end is held.
@pytest.mark.parametrize(("shape", "step", "expected"), lines("step"), ids=shape_id)
def test_factor_at_step(shape, step, expected):
    lrs = LearningRateWarmup(0, shape, total=8).values(1.0, total_steps=11, steps_per_epoch=4)
    assert lrs[step] == pytest.approx(expected, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(("shape", "epoch", "expected"), lines("epoch"), ids=shape_id)
def test_factor_in_epoch(shape, epoch, expected):
    callback = LearningRateWarmup(0, shape, total=8, interval="epoch")
    lrs = callback.values(1.0, total_steps=22, steps_per_epoch=2)
    assert lrs[2 * epoch : 2 * epoch + 2] == [pytest.approx(expected, rel=1e-12, abs=1e-15)] * 2


@pytest.mark.parametrize(("shape", "values"), [line for row in DECAYS for line in row.values], ids=shape_id)
def test_the_clock_starts_where_the_decay_does(shape, values):
    """After a warmup of 3 and a hold of 2 the same factors follow, of twice the target."""
    lrs = LearningRateWarmup(3, shape, hold=2, total=13).values(2.0, total_steps=16, steps_per_epoch=4)
    assert lrs[:5] == pytest.approx([0.5, 1.0, 1.5, 2.0, 2.0], rel=1e-15)
    expected = [2 * value for value in values]
    assert lrs[5 : 5 + len(values)] == pytest.approx(expected, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(
    ("decay", "step", "expected"),
    [
        # Milestones count from the start of the run; step m is the first with the lower value.
        (MultiStepDecay([6, 9]), 4, 1.0),
        (MultiStepDecay([6, 9]), 5, 1.0),
        (MultiStepDecay([6, 9]), 6, 0.1),
        (MultiStepDecay([6, 9]), 8, 0.1),
        (MultiStepDecay([6, 9]), 9, 0.01),
        (MultiStepDecay(["6 steps", "50%"]), 7, 0.1),
        (MultiStepDecay(["6 steps", "50%"]), 8, 0.01),
        (MultiStepDecay(["1.5 epochs", "3 epochs"]), 5, 1.0),
        (MultiStepDecay(["1.5 epochs", "3 epochs"]), 6, 0.1),
        (MultiStepDecay(["1.5 epochs", "3 epochs"]), 12, 0.01),
        (MultiStepDecay((6, 9)), 9, 0.01),
        # The timescale of 1/√t is the warmup's length: √(N/t) after it, Vaswani et al.
        (InverseSqrtDecay(), 4, 1.0),
        (InverseSqrtDecay(), 9, 2 / 3),
        (InverseSqrtDecay(), 15, (4 / 15) ** 0.5),
        (InverseSqrtDecay(timescale=3), 5, (3 / 4) ** 0.5),
        (InverseSqrtDecay(timescale="0.25 epochs"), 7, 0.5),
        (StepDecay("1 epoch"), 7, 1.0),
        (StepDecay("1 epoch"), 8, 0.1),
        (ExponentialDecay(0.25, every="2 epochs"), 8, 0.5),
        (CosineRestartsDecay("0.5 epochs"), 5, 0.5),
        (CosineRestartsDecay("0.5 epochs"), 6, 1.0),
    ],
    ids=shape_id,
)
def test_after_a_warmup_of_four(decay, step, expected):
    lrs = LearningRateWarmup(4, decay).values(1.0, total_steps=16, steps_per_epoch=4)
    assert lrs[step] == pytest.approx(expected, rel=1e-14)


def test_inverse_sqrt_goes_on_from_the_hold():
    lrs = LearningRateWarmup(4, "inverse_sqrt", hold=3).values(1.0, total_steps=20, steps_per_epoch=4)
    assert lrs[4:8] == [1.0] * 4
    assert lrs[7 + 12] == 0.5


def test_a_step_decay_keeps_its_floor_and_no_more():
    lrs = LearningRateWarmup(0, StepDecay(1, gamma=0.5, final=0.3)).values(8.0, total_steps=4, steps_per_epoch=1)
    assert lrs == pytest.approx([8, 4, 2.4, 2.4])


@pytest.mark.parametrize(
    ("name", "shape"),
    [(row.name, row.shape) for row in DECAYS if row.name is not None],
)
@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_short_names(name, shape, interval):
    named, built = (
        LearningRateWarmup(2, decay, interval=interval).values(0.1, total_steps=20, steps_per_epoch=2)
        for decay in (name, shape())
    )
    assert named == built


def test_these_are_all_short_names():
    assert {row.name for row in DECAYS if row.name is not None} == set(get_args(DecayName))


def test_a_shape_of_ones_own():
    @dataclass(frozen=True)
    class Halve(Decay):
        def factor_at(self, tau, length):
            return 0.5**tau

    lrs = LearningRateWarmup(0, Halve()).values(1.0, total_steps=4, steps_per_epoch=4)
    assert lrs == [1.0, 0.5, 0.25, 0.125]


def test_shapes_are_values_and_change_nothing_of_theirs():
    milestones = ["1 epoch", 9]
    decay = MultiStepDecay(milestones)
    LearningRateWarmup(2, decay).values(1.0, total_steps=16, steps_per_epoch=4)
    assert decay == MultiStepDecay(["1 epoch", 9])
    assert milestones == ["1 epoch", 9]
    assert CosineDecay() == CosineDecay(final=0.0)
    with pytest.raises(FrozenInstanceError):
        CosineDecay().final = 0.1


# --- properties ------------------------------------------------------------------------------------------------------

every_falling_to_final = pytest.mark.parametrize("shape", FALLING_TO_FINAL, ids=shape_id)
rates = st.floats(1e-8, 1e3)
finals = st.floats(0, 4)


@every_falling_to_final
@settings(deadline=None, max_examples=40)
@given(
    warmup=st.integers(0, 9),
    hold=st.integers(0, 9),
    length=st.integers(1, 40),
    cooldown=st.integers(0, 9),
    final=finals,
    target=rates,
)
def test_exactly_the_target_then_exactly_final(shape, warmup, hold, length, cooldown, final, target):
    start, end = warmup + hold, warmup + hold + length
    callback = LearningRateWarmup(
        warmup, replace(shape, final=final), hold=hold, cooldown=cooldown, total=end + cooldown
    )
    lrs = callback.values(target, total_steps=end + cooldown + 5, steps_per_epoch=1)
    assert lrs[start] == target
    assert lrs[end:] == [final * target] * (cooldown + 5)
    way = 1 if final >= 1 else -1
    decay = lrs[start : end + 1]
    assert all(way * (b - a) >= -1e-12 * max(a, b) for a, b in itertools.pairwise(decay))
    low, high = sorted((target, final * target))
    assert all(low * (1 - 1e-12) <= lr <= high * (1 + 1e-12) for lr in decay)


@pytest.mark.parametrize("decay", [shape for shape in FALLING if not shape.ends], ids=shape_id)
@settings(deadline=None, max_examples=40)
@given(warmup=st.integers(0, 6), hold=st.integers(0, 5), cooldown=st.integers(0, 9), target=rates)
def test_decays_that_do_not_end_are_frozen_by_the_cooldown(decay, warmup, hold, cooldown, target):
    total = 60
    callback = LearningRateWarmup(warmup, decay, hold=hold, cooldown=cooldown, total=total)
    lrs = callback.values(target, total_steps=total + 20, steps_per_epoch=1)
    without = LearningRateWarmup(warmup, decay, hold=hold).values(target, total_steps=total + 20, steps_per_epoch=1)
    end = total - cooldown
    assert lrs[warmup + hold] == target
    assert lrs[: end + 1] == without[: end + 1]
    assert lrs[end:] == [without[end]] * (cooldown + 20)
    assert all(b <= a for a, b in itertools.pairwise(lrs[warmup:]))
    assert all(math.isfinite(lr) and lr >= 0 for lr in lrs)


@every_falling_to_final
def test_no_jump_at_either_end(shape):
    callback = LearningRateWarmup(1000, replace(shape, final=0.1), hold=500, cooldown=500, total=7000)
    lrs = callback.values(1.0, total_steps=7100, steps_per_epoch=100)
    biggest = max(abs(b - a) for a, b in itertools.pairwise(lrs))
    assert biggest < 0.02


@settings(deadline=None, max_examples=60)
@given(
    period=st.integers(1, 12),
    multiplier=st.sampled_from([1, 2, 3, 1.5, 1.1]),
    gamma=st.floats(0.3, 1.5),
    final=finals,
    target=rates,
)
def test_restarts_begin_high_and_stay_between(period, multiplier, gamma, final, target):
    decay = CosineRestartsDecay(period, multiplier, gamma, final)
    lrs = LearningRateWarmup(0, decay).values(target, total_steps=60, steps_per_epoch=1)
    assert lrs[0] == target
    start, cycle = 0.0, 0
    for t, lr in enumerate(lrs):
        while t >= start + period * multiplier**cycle - 1e-9:
            start += period * multiplier**cycle
            cycle += 1
        top, floor = target * max(gamma**cycle, final), target * min(gamma**cycle, final)
        assert floor - 1e-12 * target <= lr <= top + 1e-12 * target
        if abs(t - start) < 1e-9:
            assert lr == pytest.approx(target * gamma**cycle, abs=1e-12 * target)


@settings(deadline=None, max_examples=60)
@given(period=st.integers(1, 9), multiplier=st.integers(2, 5), cycle=st.integers(0, 5))
def test_growing_cycles_begin_on_their_step(period, multiplier, cycle):
    """The borders of cycles are exact: the step before one is near the floor, the border itself at the top."""
    border = sum(period * multiplier**k for k in range(cycle))
    if border > 2000:
        border = 0
    lrs = LearningRateWarmup(0, CosineRestartsDecay(period, multiplier)).values(
        1.0, total_steps=border + 1, steps_per_epoch=1
    )
    assert lrs[border] == 1.0
    if border > 0:
        assert lrs[border - 1] < 1.0 or period == 1


@pytest.mark.parametrize(
    ("period", "multiplier", "border"),
    [(43, 1.1, 43), (10, 1.1, 21), (30, 1.1, 63), (10, 1.2, 22), (100, 1.1, 331), (20, 1.5, 50), (8, 1.25, 18)],
)
def test_cycles_of_decimal_growth_begin_on_their_step(period, multiplier, border):
    """Where a border falls on a whole step, rounding must not give that step to the cycle before: to the floor."""
    decay = CosineRestartsDecay(period, multiplier)
    lrs = LearningRateWarmup(0, decay).values(1.0, total_steps=border + 1, steps_per_epoch=1)
    assert lrs[border] == pytest.approx(1.0)


@settings(deadline=None)
@given(every=st.integers(1, 20), gamma=st.floats(0.1, 1.0))
def test_exponential_is_step_decay_at_every_step(every, gamma):
    smooth, steps = (
        LearningRateWarmup(0, decay).values(1.0, total_steps=60, steps_per_epoch=1)
        for decay in (ExponentialDecay(gamma, every), StepDecay(every, gamma))
    )
    assert smooth[::every] == pytest.approx(steps[::every])


@settings(deadline=None)
@given(every=st.integers(1, 20), gamma=st.floats(0.1, 1.0), target=rates)
def test_step_decay_is_multistep_at_equal_milestones(every, gamma, target):
    milestones = list(range(every, 80, every))
    steps, multi = (
        LearningRateWarmup(0, decay).values(target, total_steps=60, steps_per_epoch=1)
        for decay in (StepDecay(every, gamma), MultiStepDecay(milestones, gamma))
    )
    assert steps == pytest.approx(multi)


# --- bad input -------------------------------------------------------------------------------------------------------

NO_FINAL = [-0.1, math.nan, math.inf, -math.inf, True, "0.1", None]
NO_POSITIVE = [0, 0.0, -1, math.nan, math.inf, True, "0.1", None]


@pytest.mark.parametrize("decay", [decay for decay, _ in with_fields("final")], ids=shape_id)
@pytest.mark.parametrize("final", NO_FINAL, ids=repr)
def test_final_out_of_range(decay, final):
    with refused(f"{type(decay).__name__}(final={final!r})", "finite number ≥ 0"):
        replace(decay, final=final)


@pytest.mark.parametrize(("decay", "field"), with_fields("power", "gamma", "multiplier"), ids=shape_id)
@pytest.mark.parametrize("value", NO_POSITIVE, ids=repr)
def test_power_and_gamma_out_of_range(decay, field, value):
    with refused(f"{type(decay).__name__}({field}={value!r})", "finite number > 0"):
        replace(decay, **{field: value})


def test_cycles_that_shrink():
    with refused("CosineRestartsDecay(multiplier=0.5)", "≥ 1"):
        CosineRestartsDecay(5, multiplier=0.5)


@pytest.mark.parametrize(("decay", "field"), with_fields("every", "period", "timescale"), ids=shape_id)
@pytest.mark.parametrize("value", [0, 0.0, "0%", "0 epochs"], ids=repr)
def test_no_time_at_all_inside_a_shape(decay, field, value):
    with refused(f"{type(decay).__name__}({field}={value!r})", "expected a duration > 0"):
        replace(decay, **{field: value})


@pytest.mark.parametrize(
    ("decay", "quoted"),
    [
        (ExponentialDecay(0.9, every="0.001 epochs"), "ExponentialDecay(every='0.001 epochs')"),
        (StepDecay(0.001), "StepDecay(every=0.001)"),
        (CosineRestartsDecay("0.1%"), "CosineRestartsDecay(period='0.1%')"),
        (InverseSqrtDecay("1 sample"), "InverseSqrtDecay(timescale='1 sample')"),
        (MultiStepDecay(["0.1%", 50]), "MultiStepDecay(milestones='0.1%')"),
    ],
    ids=shape_id,
)
def test_a_time_inside_a_shape_that_rounds_to_nothing(decay, quoted):
    with refused(quoted, "at least one step"):
        LearningRateWarmup(0, decay).values(1.0, total_steps=100, steps_per_epoch=100, batch_size=32)


@pytest.mark.parametrize(
    ("decay", "quoted"),
    [
        (ExponentialDecay(0.9, every="50 steps"), "ExponentialDecay(every='50 steps')"),
        (StepDecay(0.05), "StepDecay(every=0.05)"),
        (CosineRestartsDecay("0.5 epochs"), "CosineRestartsDecay(period='0.5 epochs')"),
        (MultiStepDecay(["0.5 epochs", 5]), "MultiStepDecay(milestones='0.5 epochs')"),
    ],
    ids=shape_id,
)
def test_a_time_inside_a_shape_under_one_epoch(decay, quoted):
    with refused(quoted, "at least one epoch", "interval='step'"):
        LearningRateWarmup(0, decay, interval="epoch").values(1.0, total_steps=1000, steps_per_epoch=100)


@pytest.mark.parametrize("milestones", [[], (), "30", 30, None, {30, 60}], ids=repr)
def test_no_milestones(milestones):
    with refused(f"MultiStepDecay(milestones={milestones!r})", "[30, 60, 80]"):
        MultiStepDecay(milestones)


@pytest.mark.parametrize("milestones", [[60, 30], [10, 30, 20], (5, 4)], ids=repr)
def test_milestones_that_do_not_increase(milestones):
    with refused(f"MultiStepDecay(milestones={milestones!r})", "must increase", "sort them"):
        MultiStepDecay(milestones)


@pytest.mark.parametrize("milestones", [["50%", 10], [51, "50%"], ["1 epoch", "24 steps"]], ids=repr)
def test_milestones_that_do_not_increase_in_this_run(milestones):
    callback = LearningRateWarmup(0, MultiStepDecay(milestones))
    with refused(f"MultiStepDecay(milestones={milestones!r})", "must increase", "sort them"):
        callback.values(1.0, total_steps=100, steps_per_epoch=25)


@pytest.mark.parametrize("parameters", [{"warmup": 10}, {"hold": 10}, {"warmup": 5, "hold": 5}], ids=repr)
@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_a_milestone_inside_the_warmup_or_hold(parameters, interval):
    callback = LearningRateWarmup(**parameters, decay=MultiStepDecay([9, 30]), interval=interval)
    with refused("MultiStepDecay(milestones=[9, 30])", "9 lies inside the warmup and hold", "10", "Move it"):
        callback.values(1.0, total_steps=100, steps_per_epoch=1)


def test_a_milestone_inside_a_staircase_warmup():
    callback = LearningRateWarmup(2, MultiStepDecay([19, 30]), warmup_interval="epoch")
    with refused("MultiStepDecay(milestones=[19, 30])", "19 lies inside the warmup", "20"):
        callback.values(1.0, total_steps=100, steps_per_epoch=10)


@pytest.mark.parametrize("function", [None, "math.cos", 0.5], ids=repr)
def test_no_function(function):
    with refused(f"FunctionDecay(function={function!r})", "give a function of the share u"):
        FunctionDecay(function)


@pytest.mark.parametrize(
    ("decay", "given"),
    [
        (FunctionDecay(lambda u: math.nan), "nan"),
        (FunctionDecay(lambda u: math.inf if u > 0.98 else 1.0), "inf"),
        (FunctionDecay(lambda u: 1 - 1.2 * u), "-"),
        (FunctionDecay(lambda u: -1.0), "-0.1"),
        (ExponentialDecay(10.0), "inf"),
        (StepDecay(1, gamma=10.0), "inf"),
        (CosineRestartsDecay(1, gamma=10.0), "inf"),
    ],
    ids=["nan", "inf near the end", "negative at the end", "negative", "exponential", "step", "restarts"],
)
@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_a_decay_that_makes_no_learning_rate(decay, given, interval):
    callback = LearningRateWarmup(10, decay, interval=interval)
    with refused(f"decay={type(decay).__name__}", f"gives {given}", f"at {interval} ", "finite and ≥ 0"):
        callback.values(0.1, total_steps=1000, steps_per_epoch=1)


@pytest.mark.parametrize("name", ["cosin", "Cosine", "step", "none", ""], ids=repr)
def test_unknown_name(name):
    with refused(f"decay={name!r}", "'constant', 'linear', 'cosine', 'inverse_sqrt', 'one_minus_sqrt'"):
        LearningRateWarmup(0, name)


@pytest.mark.parametrize("decay", [5, CosineDecay, True, {"final": 0.1}, math.cos], ids=repr)
def test_no_decay(decay):
    with refused(f"LearningRateWarmup(decay={decay!r})", "'cosine'", "CosineDecay(final=0.1)"):
        LearningRateWarmup(0, decay)
