"""Cycles of any decay: by their length or their number, longer, lower, and each with a warmup of its own."""

import itertools
import math
import pickle
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_warmup import (
    ConstantDecay,
    CosineDecay,
    CosineRestartsDecay,
    DecayPart,
    ExponentialDecay,
    FormulaDecay,
    InverseSqrtDecay,
    LearningRateWarmup,
    LinearDecay,
    MultiStepDecay,
    OneMinusSqrtDecay,
    PiecewiseLinearDecay,
    PolynomialDecay,
    ReduceOnPlateauDecay,
    RestartsDecay,
    SequentialDecay,
    StepDecay,
)
from refusals import refused


def values(decay, steps, warmup=0, steps_per_epoch=None, **parameters):
    callback = LearningRateWarmup(warmup, decay, **parameters)
    return callback.values(1.0, total_steps=steps, steps_per_epoch=steps_per_epoch)


finals = st.floats(0, 4)
falling = st.sampled_from([LinearDecay, CosineDecay, OneMinusSqrtDecay, lambda final: PolynomialDecay(2.0, final)])


@settings(deadline=None, max_examples=60)
@given(
    period=st.integers(1, 12),
    multiplier=st.sampled_from([1, 2, 3, 1.5, 1.1]),
    gamma=st.floats(0.3, 1.5),
    final=finals,
)
def test_cosine_restarts_are_restarts_of_a_cosine(period, multiplier, gamma, final) -> None:
    one = values(CosineRestartsDecay(period, multiplier, gamma, final), 60, 3)
    assert one == values(RestartsDecay(CosineDecay(final), period, multiplier, gamma), 60, 3)


@settings(deadline=None, max_examples=100)
@given(
    make=falling,
    final=finals,
    gamma=st.floats(0.3, 1.5),
    multiplier=st.sampled_from([1, 2, 1.5]),
    warmup=st.integers(0, 5),
    fall=st.integers(1, 9),
)
def test_a_cycle_is_final_and_gamma_to_the_k_less_final_times_the_shape(
    make, final, gamma, multiplier, warmup, fall
) -> None:
    decay = RestartsDecay(make(final), warmup + fall, multiplier, gamma, warmup)
    lrs = values(decay, 80)
    shape = make(0.0)
    peak, cycle = 0.0, 0
    for tau in range(79):
        while tau >= peak + warmup + fall * multiplier**cycle - 1e-9:
            peak += warmup + fall * multiplier**cycle
            cycle += 1
        length = fall * multiplier**cycle
        if tau - peak <= length:
            expected = final + (gamma**cycle - final) * shape.factor_at(tau - peak, length)
        else:
            share = (tau - peak - length) / warmup
            expected = final + (gamma ** (cycle + 1) - final) * share
        assert lrs[tau] == pytest.approx(expected, rel=1e-9, abs=1e-9)


@settings(deadline=None, max_examples=80)
@given(cycles=st.integers(1, 9), length=st.integers(10, 90), gamma=st.floats(0.3, 1.2), final=st.floats(0, 1))
def test_cycles_divide_the_decay_evenly(cycles, length, gamma, final) -> None:
    """As transformers' hard restarts do: cycle and share are those of c · u, fractions of steps included."""
    lrs = values(RestartsDecay(LinearDecay(final), cycles=cycles, gamma=gamma), length + 5, total=length)
    for tau in range(length):
        cycle, rest = divmod(cycles * tau, length)
        assert lrs[tau] == pytest.approx(final + (gamma**cycle - final) * (1 - rest / length), rel=1e-9, abs=1e-12)
    assert lrs[length:] == [final] * 5


@settings(deadline=None, max_examples=60)
@given(cycles=st.integers(1, 5), multiplier=st.sampled_from([1, 2, 0.5, 1.3]), warmup=st.integers(0, 4), final=finals)
def test_the_last_of_the_cycles_ends_where_the_decay_does(cycles, multiplier, warmup, final) -> None:
    lrs = values(RestartsDecay(LinearDecay(final), None, multiplier, 0.9, warmup, cycles), 70, total=60)
    assert lrs[0] == 1.0
    assert lrs[60:] == [pytest.approx(final, abs=1e-9)] * 10
    assert all(math.isfinite(lr) for lr in lrs)


@pytest.mark.parametrize("decay", ["linear", "cosine", CosineDecay(0.2), FormulaDecay("1 - u")], ids=repr)
@pytest.mark.parametrize("multiplier", [1, 2])
def test_an_end_that_falls_on_a_restart_is_the_floor(decay, multiplier) -> None:
    floor = getattr(decay, "final", 0.0)
    end = 12
    lrs = values(RestartsDecay(decay, 4, multiplier), end + 6, cooldown=6)
    assert lrs[4] == 1.0  # a restart in mid-run is one
    assert lrs[end:] == [pytest.approx(floor, abs=1e-15)] * 6


@settings(deadline=None, max_examples=20)
@given(warmup=st.integers(1, 6), fall=st.integers(1, 9), multiplier=st.sampled_from([1, 2, 1.5]), make=falling)
def test_with_a_warmup_there_is_no_jump(warmup, fall, multiplier, make) -> None:
    """In finer steps the curve is the same, and joins."""
    fine = 100
    decay = RestartsDecay(make(0.1), fine * (warmup + fall), multiplier, warmup=fine * warmup)
    lrs = values(decay, fine * 60)
    assert max(abs(b - a) for a, b in itertools.pairwise(lrs)) < 0.1


def test_other_shapes_keep_their_floor() -> None:
    """A floor is one in every cycle; what has none is gamma to the k times itself."""
    lrs = values(RestartsDecay(ExponentialDecay(0.5, final=0.2), 4, gamma=0.5), 12)
    assert lrs == pytest.approx([1, 0.5, 0.25, 0.2, 0.5, 0.25, 0.2, 0.2, 0.25, 0.2, 0.2, 0.2])
    assert values(RestartsDecay(ConstantDecay(), 2, gamma=0.5), 6) == [1, 1, 0.5, 0.5, 0.25, 0.25]
    # It climbs from where the last one ended, and so does not jump.
    lrs = values(RestartsDecay(InverseSqrtDecay(1), 5, warmup=2), 8)
    assert lrs == pytest.approx([1, 2**-0.5, 3**-0.5, 0.5, 0.75, 1, 2**-0.5, 3**-0.5])


def test_cycles_of_a_sequence() -> None:
    """WSD-S (arXiv 2410.05192): constant, then down, and up again at once."""
    cycle = SequentialDecay([DecayPart("constant", 3), DecayPart("linear", 2)])
    assert values(RestartsDecay(cycle, 5), 11) == [1, 1, 1, 1, 0.5] * 2 + [1]


def test_durations_and_intervals() -> None:
    decay = RestartsDecay("linear", "1 epoch", warmup="0.5 epochs")
    assert values(decay, 16, 2, 4) == values(RestartsDecay("linear", 4, warmup=2), 16, 2)
    by_epoch = values(RestartsDecay("linear", 4, warmup=2), 32, 2, 2, interval="epoch")
    assert by_epoch[::2] == values(RestartsDecay("linear", 4, warmup=2), 16, 2)


def test_it_is_a_value() -> None:
    decay = RestartsDecay("cosine", cycles=3)
    assert pickle.loads(pickle.dumps(decay)) == decay == eval(repr(decay))
    assert decay.ends
    assert not RestartsDecay("cosine", 3).ends


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({}, ("RestartsDecay(period=None, cycles=None)", "give one of them")),
        ({"period": 5, "cycles": 2}, ("RestartsDecay(period=5, cycles=2)", "give one of them")),
        ({"period": 0}, ("RestartsDecay(period=0)", "a duration > 0")),
        ({"period": "many"}, ("RestartsDecay(period='many')",)),
        ({"cycles": 0}, ("RestartsDecay(cycles=0)", "an int ≥ 1")),
        ({"cycles": 2.5}, ("RestartsDecay(cycles=2.5)", "an int ≥ 1")),
        ({"cycles": True}, ("RestartsDecay(cycles=True)", "an int ≥ 1")),
        ({"period": 5, "multiplier": 0.5}, ("RestartsDecay(multiplier=0.5)", "≥ 1")),
        ({"cycles": 5, "multiplier": 0}, ("RestartsDecay(multiplier=0)", "> 0")),
        ({"period": 5, "gamma": -1}, ("RestartsDecay(gamma=-1)", "> 0")),
        ({"period": 5, "warmup": -1}, ("RestartsDecay(warmup=-1)",)),
        ({"period": 5, "decay": "cosin"}, ("RestartsDecay(decay='cosin') is no decay", "'cosine'")),
        ({"period": 5, "decay": 3}, ("RestartsDecay(decay=3) is no decay",)),
        ({"period": 5, "decay": ReduceOnPlateauDecay("loss")}, ("RestartsDecay(decay=ReduceOn", "cannot be a cycle")),
    ],
    ids=repr,
)
def test_out_of_range(arguments, told) -> None:
    with refused(*told):
        RestartsDecay(**{"decay": "cosine", **arguments})


def test_a_warmup_that_leaves_nothing_of_a_cycle() -> None:
    with refused("RestartsDecay(period=5, warmup='50%')", "10 of 5 intervals leave nothing", "Shorten warmup"):
        values(RestartsDecay("linear", 5, warmup="50%"), 20)
    with refused("RestartsDecay(cycles=6)", "the warmup of 5 intervals in each leaves nothing of the 20"):
        values(RestartsDecay("linear", cycles=6, warmup=5), 20)


def test_a_cycle_shorter_than_an_interval() -> None:
    """Every step would be at a peak."""
    with refused("RestartsDecay(cycles=50)", "0.2 of the 10 intervals", "Give fewer cycles"):
        values(RestartsDecay("linear", cycles=50), 10)
    with refused("RestartsDecay(cycles=4)", "0.8 of the 12 intervals"):
        values(RestartsDecay("linear", cycles=4, multiplier=0.5), 12)
    assert values(RestartsDecay("linear", cycles=10), 10) == [1.0] * 10


@pytest.mark.parametrize("decay", [MultiStepDecay([3]), PiecewiseLinearDecay({0: 1, 5: 0})], ids=repr)
def test_what_counts_from_the_start_of_the_run_has_no_place_in_a_cycle(decay) -> None:
    with refused(f"RestartsDecay(decay={decay!r})", "has no place in a cycle"):
        values(RestartsDecay(decay, 5), 20)


def test_steps_within_a_cycle_count_from_its_start() -> None:
    assert values(RestartsDecay(StepDecay(2, gamma=0.5), 5), 10) == [1, 1, 0.5, 0.5, 0.25] * 2


@pytest.mark.parametrize(
    "decay",
    [
        RestartsDecay(LinearDecay(), period=7, warmup=2, multiplier=1.5, gamma=0.8),
        RestartsDecay(CosineDecay(0.1), cycles=4),
        RestartsDecay(LinearDecay(), cycles=3, warmup=3, multiplier=0.7),
        CosineRestartsDecay(9, multiplier=2),
    ],
    ids=repr,
)
def test_what_was_asked_for_before_is_of_no_matter(decay) -> None:
    """It remembers a cycle: backwards, in a run of another length and after a copy it is what it was."""
    taus = [tau / 2 for tau in range(121)]
    fresh = [replace(decay).factor_at(tau, 60) for tau in taus]
    assert [decay.factor_at(tau, 60) for tau in taus] == fresh
    assert [decay.factor_at(tau, 60) for tau in reversed(taus)] == fresh[::-1]
    for tau, factor in zip(taus, fresh, strict=True):
        decay.factor_at(tau / 2, 47)
        assert decay.factor_at(tau, 60) == factor
    assert [pickle.loads(pickle.dumps(decay)).factor_at(tau, 60) for tau in taus] == fresh
    assert decay == replace(decay)
