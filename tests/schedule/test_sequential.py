"""Decays one after the other: each is a factor of where the last one ended, unless it jumps."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_warmup import (
    ConstantDecay,
    CosineDecay,
    DecayPart,
    ExponentialDecay,
    FormulaDecay,
    FunctionDecay,
    InverseSqrtDecay,
    InverseTimeDecay,
    LearningRateWarmup,
    LinearDecay,
    MultiStepDecay,
    OneMinusSqrtDecay,
    PiecewiseLinearDecay,
    PolynomialDecay,
    ReduceOnPlateauDecay,
    RestartsDecay,
    SequentialDecay,
)
from refusals import refused


def values(parts, steps, warmup=0, steps_per_epoch=None, **parameters):
    callback = LearningRateWarmup(warmup, parts, **parameters)
    return callback.values(1.0, total_steps=steps, steps_per_epoch=steps_per_epoch)


def test_a_list_is_short_for_it() -> None:
    parts = [DecayPart("linear", 3), DecayPart("cosine")]
    assert LearningRateWarmup(2, parts)._config == LearningRateWarmup(2, SequentialDecay(parts))._config


def test_one_part_is_that_decay() -> None:
    assert values([DecayPart(CosineDecay(0.1))], 20, 3) == values(CosineDecay(0.1), 20, 3)


def test_the_phases_around_it_are_what_they_were() -> None:
    """Warmup 2, hold 2, the parts over 6, cooldown 2 at the last part's end."""
    lrs = values([DecayPart(LinearDecay(0.5), 2), DecayPart(LinearDecay(0.5))], 12, 2, hold=2, cooldown=2)
    assert lrs == pytest.approx([1 / 3, 2 / 3, 1, 1, 1, 0.75, 0.5, 0.4375, 0.375, 0.3125, 0.25, 0.25])


@pytest.mark.parametrize("duration", ["1.5 epochs", "50%", 0.5, "6 steps", 6])
def test_durations_of_any_unit(duration) -> None:
    parts = [DecayPart("constant", duration), DecayPart("linear")]
    assert values(parts, 12, steps_per_epoch=4) == values([DecayPart("constant", 6), DecayPart("linear")], 12)


def test_milestones_and_points_count_from_the_start_of_the_run() -> None:
    parts = [DecayPart("constant", 4), DecayPart(MultiStepDecay([8, "90%"], gamma=0.5))]
    assert values(parts, 10, 2) == pytest.approx([1 / 3, 2 / 3, *[1] * 6, 0.5, 0.25])
    parts = [DecayPart("constant", 4), DecayPart(PiecewiseLinearDecay({6: 1, 8: 0}))]
    assert values(parts, 10, 2) == pytest.approx([1 / 3, 2 / 3, 1, 1, 1, 1, 1, 0.5, 0, 0])


def test_u_and_D_are_those_of_the_part_and_N_and_T_those_of_the_run() -> None:
    parts = [DecayPart("constant", 4), DecayPart(FormulaDecay("1 - tau / D + 0 * N * T"))]
    assert values(parts, 12, 4) == values([DecayPart("constant", 4), DecayPart("linear")], 12, 4)
    parts = [DecayPart("constant", 4), DecayPart(FormulaDecay("N / (N + T)"))]
    assert values(parts, 12, 4)[8:] == [0.25] * 4


def test_deepseek_v3() -> None:
    """arXiv 2412.19437, section 4.2, by the share of the tokens: constant, cosine to a tenth, constant, a lower one."""
    parts = [
        DecayPart("constant", 674),
        DecayPart(CosineDecay(0.1), 290),
        DecayPart("constant", 23),
        DecayPart("constant", start=7.3 / 220),
    ]
    lrs = values(parts, 1000, 2)
    for t, lr in enumerate(lrs[2:], 2):
        expected = 1.0
        if t >= 989:
            expected = 7.3 / 220
        elif t >= 676:
            expected = 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * min(1, (t - 676) / 290)))
        assert lr == pytest.approx(expected, rel=1e-12)


def test_llama_3() -> None:
    """arXiv 2407.21783, section 3.4: cosine to 1%, and linear to 0 in the last steps of a longer run."""
    parts = [DecayPart(CosineDecay(0.01), 900), DecayPart("linear")]
    lrs = values(parts, 1000)
    assert lrs[450] == pytest.approx(0.505)
    assert lrs[900:] == pytest.approx([0.01 * (1 - k / 100) for k in range(100)])


def test_without_an_end() -> None:
    """Parts of a given length need no length of the run, nor does a last one that has a pace of its own."""
    assert not SequentialDecay([DecayPart("linear", 5)]).ends
    assert not SequentialDecay([DecayPart("linear", 5), DecayPart("inverse_sqrt")]).ends
    assert SequentialDecay([DecayPart("linear", 5), DecayPart("linear")]).ends


SHAPES = [
    LinearDecay(0.3),
    CosineDecay(0.2),
    PolynomialDecay(2, 0.4),
    OneMinusSqrtDecay(0.5),
    ExponentialDecay(0.95, final=0.1),
    InverseSqrtDecay(9, final="20%"),
    InverseTimeDecay(7, power=0.6),
    RestartsDecay(LinearDecay(0.5), period=6, warmup=2),
    FormulaDecay("1 - 0.5 * u"),
    ConstantDecay(),
]


@settings(deadline=None, max_examples=60)
@given(
    parts=st.lists(st.tuples(st.sampled_from(SHAPES), st.integers(40, 80)), min_size=1, max_size=4),
    rest=st.sampled_from(SHAPES),
    warmup=st.integers(0, 9),
    cooldown=st.integers(0, 9),
    target=st.floats(1e-6, 1e3),
)
def test_parts_join_and_stay_finite(parts, rest, warmup, cooldown, target) -> None:
    written = [DecayPart(shape, length) for shape, length in parts] + [DecayPart(rest)]
    total = warmup + sum(length for _, length in parts) + 50 + cooldown
    callback = LearningRateWarmup(warmup, written, cooldown=cooldown, total=total)
    lrs = callback.values(target, total_steps=total + 20)
    assert lrs[warmup] == target
    # A join is a step like any other: none of these shapes moves by more than this within an interval.
    begin = warmup
    for _, length in parts:
        begin += length
        assert abs(lrs[begin] - lrs[begin - 1]) <= target * 0.26
    assert all(0 <= lr <= target * (1 + 1e-12) for lr in lrs)
    assert lrs[total - cooldown :] == [lrs[total - cooldown]] * (cooldown + 20)


@settings(deadline=None, max_examples=80)
@given(
    first=st.sampled_from([shape for shape in SHAPES if not isinstance(shape, ConstantDecay)]),
    second=st.sampled_from(SHAPES),
    length=st.integers(2, 40),
)
def test_a_part_begins_exactly_where_the_last_one_ended(first, second, length) -> None:
    end = LearningRateWarmup(0, [DecayPart(first, length)]).values(1.0, total_steps=length + 1)[-1]
    lrs = LearningRateWarmup(0, [DecayPart(first, length), DecayPart(second, 30)]).values(1.0, total_steps=100)
    assert lrs[length] == pytest.approx(end, rel=1e-12)
    alone = LearningRateWarmup(0, [DecayPart(second, 30)]).values(1.0, total_steps=100)
    assert lrs[length : length + 31] == pytest.approx([end * factor for factor in alone[:31]], rel=1e-12)


@settings(deadline=None)
@given(start=st.floats(0, 3), length=st.integers(1, 20))
def test_a_start_jumps_there(start, length) -> None:
    parts = [DecayPart("constant", length), DecayPart(LinearDecay(0.5), start=start)]
    lrs = LearningRateWarmup(0, parts).values(2.0, total_steps=40)
    assert lrs[length - 1 : length + 1] == [2.0, 2.0 * start]
    assert all(b <= a for a, b in itertools.pairwise(lrs[length:]))


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parts", [[], (), "cosine", None, ["cosine"], [CosineDecay()], [{"decay": "cosine"}]], ids=repr
)
def test_no_parts(parts) -> None:
    with refused(f"SequentialDecay(parts={parts!r})", "a list of one DecayPart or more"):
        SequentialDecay(parts)


def test_a_part_before_the_last_without_a_duration() -> None:
    with refused("SequentialDecay(parts=[", "DecayPart(decay='linear'", "has no duration, and only the last may"):
        SequentialDecay([DecayPart("linear"), DecayPart("linear", 4)])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"decay": "cosin"}, ("DecayPart(decay='cosin') is no decay", "'cosine'", "StepDecay(every)")),
        ({"decay": 5}, ("DecayPart(decay=5) is no decay",)),
        ({"decay": "cosine", "duration": 0}, ("DecayPart(duration=0)", "a duration > 0")),
        ({"decay": "cosine", "duration": "5 bananas"}, ("DecayPart(duration='5 bananas')",)),
        ({"decay": "cosine", "start": -1}, ("DecayPart(start=-1)", "finite number ≥ 0", "'10%'")),
        ({"decay": "cosine", "start": math.nan}, ("DecayPart(start=nan)",)),
        ({"decay": ReduceOnPlateauDecay("val_loss")}, ("DecayPart(decay=ReduceOnPlateauDecay(", "cannot be a part")),
    ],
    ids=repr,
)
def test_a_part_out_of_range(arguments, told) -> None:
    with refused(*told):
        DecayPart(**arguments)


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ([DecayPart("linear", 12)], "12 intervals are more than the 10 of this decay. Shorten"),
        ([DecayPart("linear", 6), DecayPart("linear", 6)], "6 + 6 intervals are more than the 10"),
        ([DecayPart("linear", 10), DecayPart("linear")], "the last part never begins"),
    ],
    ids=repr,
)
def test_parts_longer_than_the_decay(parts, told) -> None:
    with refused("SequentialDecay(parts=[", told):
        LearningRateWarmup(2, parts).values(1.0, total_steps=12)


def test_a_part_that_rounds_to_nothing() -> None:
    with refused("DecayPart(duration='0.1%') is 0.01 steps", "write at least one step"):
        values([DecayPart("linear", "0.1%"), DecayPart("linear")], 10)


def test_a_function_without_a_value_where_it_ends() -> None:
    parts = [DecayPart(FunctionDecay(lambda u: 1 / (1 - u)), 4), DecayPart("linear")]
    with refused("FunctionDecay(", "fails at u = 1.0", "ZeroDivisionError"):
        values(parts, 10)
    parts[1] = DecayPart("linear", start=0.5)
    assert values(parts, 10)[4] == 0.5
