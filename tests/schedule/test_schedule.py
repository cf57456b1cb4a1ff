"""The phases of a run, warmup → hold → decay → cooldown, in both intervals, and how long the run is."""

import itertools
import math
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_warmup import (
    ConstantWarmup,
    CosineDecay,
    CosineWarmup,
    ExponentialDecay,
    InverseSqrtDecay,
    LearningRateWarmup,
    LinearDecay,
    LinearWarmup,
    MultiStepDecay,
    PiecewiseConstantDecay,
    PiecewiseLinearDecay,
    SequentialDecay,
    StepDecay,
)
from lightning_warmup.schedule.decays import DecayName
from refusals import refused
from shapes import FALLING


def lrs(steps, /, *args, steps_per_epoch=1, batch_size=None, lr=1.0, **parameters):
    callback = LearningRateWarmup(*args, **parameters)
    return callback.values(lr, total_steps=steps, steps_per_epoch=steps_per_epoch, batch_size=batch_size)


def each(count, values):
    return [value for value in values for _ in range(count)]


PHASES = [
    # parameters, value at every step of a run of 10; warmups start at 0
    ({}, [1] * 10),
    ({"warmup": 2}, [0, 0.5, 1, 1, 1, 1, 1, 1, 1, 1]),
    ({"warmup": "100%"}, [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]),
    ({"warmup": ConstantWarmup(3)}, [0, 0, 0, 1, 1, 1, 1, 1, 1, 1]),
    ({"decay": "linear"}, [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]),
    ({"decay": LinearDecay(0.5)}, [1, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55]),
    ({"warmup": 2, "decay": "linear"}, [0, 0.5, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8]),
    ({"warmup": 2, "decay": "linear", "hold": 4}, [0, 0.5, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25]),
    ({"warmup": 2, "decay": "linear", "cooldown": 4}, [0, 0.5, 1, 0.75, 0.5, 0.25, 0, 0, 0, 0]),
    ({"warmup": 2, "decay": LinearDecay(0.2), "cooldown": 4}, [0, 0.5, 1, 0.8, 0.6, 0.4, 0.2, 0.2, 0.2, 0.2]),
    ({"warmup": 2, "decay": "linear", "hold": 2, "cooldown": 2}, [0, 0.5, 1, 1, 1, 0.75, 0.5, 0.25, 0, 0]),
    ({"warmup": 2, "decay": "linear", "hold": 6, "cooldown": 1}, [0, 0.5, 1, 1, 1, 1, 1, 1, 1, 0]),
    ({"decay": "linear", "hold": 8, "cooldown": 1}, [1, 1, 1, 1, 1, 1, 1, 1, 1, 0]),
    ({"decay": "linear", "cooldown": 9}, [1, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    # decay_duration: the last so much before the cooldown
    ({"warmup": 2, "decay": "linear", "decay_duration": 4}, [0, 0.5, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25]),
    ({"warmup": 2, "decay": "linear", "decay_duration": 4, "cooldown": 2}, [0, 0.5, 1, 1, 1, 0.75, 0.5, 0.25, 0, 0]),
    ({"warmup": 6, "decay": "linear", "decay_duration": 4}, [0, *(t / 6 for t in range(1, 6)), 1, 0.75, 0.5, 0.25]),
    ({"warmup": 2, "decay": "linear", "decay_duration": 1}, [0, 0.5, 1, 1, 1, 1, 1, 1, 1, 1]),
    ({"decay": "linear", "decay_duration": "100%"}, [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]),
    # no time left to decay in: the target
    ({"warmup": 2, "decay": "linear", "hold": 8}, [0, 0.5, 1, 1, 1, 1, 1, 1, 1, 1]),
    # decays that do not end freeze where the cooldown begins: at that step's own value
    ({"warmup": 1, "decay": ExponentialDecay(0.5), "cooldown": 5}, [0, 1, 1 / 2, 1 / 4, 1 / 8, *[1 / 16] * 5]),
    ({"decay": StepDecay(3, 0.5), "cooldown": 4}, [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25]),
    ({"decay": StepDecay(3, 0.5), "cooldown": 5}, [1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]),
    ({"decay": MultiStepDecay([2, 6, 7], 0.5), "cooldown": 4}, [1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25]),
    ({"decay": InverseSqrtDecay(1), "hold": 2, "cooldown": 5}, [1, 1, 1, 2**-0.5, 3**-0.5, *[0.5] * 5]),
    ({"warmup": 2, "decay": "constant", "cooldown": 3}, [0, 0.5, 1, 1, 1, 1, 1, 1, 1, 1]),
    ({"decay": "linear", "decay_duration": 4, "cooldown": 2}, [1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0, 0]),
]  # fmt: skip


@pytest.mark.parametrize(("parameters", "expected"), PHASES, ids=str)
def test_phases_in_steps(parameters, expected):
    assert lrs(10, **parameters, warmup_initial_lr=0.0, steps_per_epoch=4) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize(("parameters", "expected"), PHASES, ids=str)
def test_phases_in_epochs(parameters, expected):
    values = lrs(30, **parameters, warmup_initial_lr=0.0, steps_per_epoch=3, interval="epoch")
    assert values == pytest.approx(each(3, expected), abs=1e-15)


@pytest.mark.parametrize(
    ("shares", "steps"),
    [
        ({"warmup": "20%", "hold": 0.2, "cooldown": "20%"}, {"warmup": 2, "hold": 2, "cooldown": 2}),
        ({"warmup": "0.5 epochs", "decay_duration": "1 epoch"}, {"warmup": 2, "decay_duration": 4}),
        ({"warmup": "16 samples", "cooldown": "32 SAMPLES"}, {"warmup": 2, "cooldown": 4}),
        ({"warmup": LinearWarmup("20%"), "hold": "0.25 epochs"}, {"warmup": 2, "hold": 1}),
    ],
    ids=str,
)
def test_phases_in_any_unit(shares, steps):
    run = {"steps_per_epoch": 4, "batch_size": 8, "decay": "cosine"}
    assert lrs(10, **shares, **run) == lrs(10, **steps, **run)


# --- steps and epochs in one schedule --------------------------------------------------------------------------------


def test_a_staircase_warmup_before_a_decay_per_step():
    """SuperGradients' default. N = 2 epochs, so the stairs are 1/3 and 2/3."""
    values = lrs(12, 2, "linear", warmup_interval="epoch", steps_per_epoch=3)
    stairs = each(3, [1 / 3, 2 / 3])
    assert values == pytest.approx([*stairs, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6], abs=1e-15)


def test_a_staircase_then_a_hold_in_steps():
    values = lrs(
        12, 1, "linear", hold=2, cooldown=1, warmup_interval="epoch", steps_per_epoch=3, warmup_initial_lr=0.25
    )
    slope = [5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]
    assert values == pytest.approx([0.25, 0.25, 0.25, 1, 1, 1, *slope, 0], abs=1e-15)


@pytest.mark.parametrize("warmup", ["25%", "2 epochs", "6 steps", 2, 0.25])
def test_a_staircase_of_any_unit(warmup):
    values = lrs(24, warmup, warmup_interval="epoch", steps_per_epoch=3)
    assert values == pytest.approx(each(3, [1 / 3, 2 / 3, 1, 1, 1, 1, 1, 1]), abs=1e-15)


@pytest.mark.parametrize(
    ("warmup", "expected"),
    [
        # The decay over epochs begins with the first epoch that is free of the warmup.
        (4, [0, 1 / 4, 2 / 4, 3 / 4, *each(4, [1, 2 / 3, 1 / 3])]),
        (2, [0, 1 / 2, 1, 1, *each(4, [1, 2 / 3, 1 / 3])]),
        (5, [0, 1 / 5, 2 / 5, 3 / 5, 4 / 5, 1, 1, 1, *each(4, [1, 1 / 2])]),
        ("50%", [t / 8 for t in range(8)] + each(4, [1, 1 / 2])),
        ("1.25 epochs", [0, 1 / 5, 2 / 5, 3 / 5, 4 / 5, 1, 1, 1, *each(4, [1, 1 / 2])]),
    ],
    ids=str,
)
def test_a_warmup_per_step_before_a_decay_per_epoch(warmup, expected):
    parameters = {"interval": "epoch", "warmup_interval": "step", "warmup_initial_lr": 0.0}
    assert lrs(16, warmup, "linear", steps_per_epoch=4, **parameters) == pytest.approx(expected, abs=1e-15)


def test_inverse_sqrt_after_a_staircase_counts_its_steps():
    values = lrs(16, 2, "inverse_sqrt", warmup_interval="epoch", steps_per_epoch=2)
    assert values[4:] == pytest.approx([(4 / t) ** 0.5 for t in range(4, 16)])


def test_inverse_sqrt_in_epochs_after_a_warmup_in_steps():
    """Two epochs of warmup: s = 2 epochs."""
    values = lrs(24, 8, "inverse_sqrt", interval="epoch", warmup_interval="step", steps_per_epoch=4)
    assert values[8:] == pytest.approx(each(4, [(2 / epoch) ** 0.5 for epoch in range(2, 6)]))


@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_the_same_warmup_interval_said_twice(interval):
    once, twice = (
        lrs(24, 2, "cosine", interval=interval, warmup_interval=warmup_interval, steps_per_epoch=3)
        for warmup_interval in (None, interval)
    )
    assert once == twice


def test_a_last_epoch_cut_short_is_an_epoch():
    """T = ceil(10 / 4) = 3 epochs, of which the last has two steps."""
    values = lrs(10, 0, "linear", interval="epoch", steps_per_epoch=4)
    assert values == pytest.approx([*each(4, [1, 2 / 3]), 1 / 3, 1 / 3])


# --- the length of the run -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("total", [6, "6 steps", "1.5 epochs", "12 samples", "11 samples"])
def test_a_total_shorter_than_the_run_wins(total):
    values = lrs(10, 2, "linear", total=total, steps_per_epoch=4, batch_size=2)
    assert values == pytest.approx([1 / 3, 2 / 3, 1, 3 / 4, 2 / 4, 1 / 4, 0, 0, 0, 0], abs=1e-15)


@pytest.mark.parametrize("total", [20, "5 epochs", "40 samples"])
def test_a_total_longer_than_the_run_wins(total):
    values = lrs(10, "20%", "cosine", total=total, steps_per_epoch=4, batch_size=2)
    assert values == lrs(20, "20%", "cosine", steps_per_epoch=4)[:10]


@pytest.mark.parametrize("total", [4, "4 epochs", "8 steps", "7 steps", "16 samples"])
def test_a_total_where_epochs_count(total):
    values = lrs(10, "50%", "linear", interval="epoch", total=total, steps_per_epoch=2, batch_size=2)
    assert values == pytest.approx(each(2, [1 / 3, 2 / 3, 1, 1 / 2, 0]), abs=1e-15)


@pytest.mark.parametrize("total", [3, "9 steps", "18 samples"])
def test_a_total_that_ends_within_an_epoch_has_all_of_it(total):
    values = lrs(16, 0, "linear", interval="epoch", total=total, steps_per_epoch=4, batch_size=2)
    assert values == pytest.approx(each(4, [1, 2 / 3, 1 / 3, 0]), abs=1e-15)


def test_a_total_in_epochs_before_a_warmup_in_steps():
    """Half of two epochs are four steps."""
    values = lrs(16, "50%", "linear", interval="epoch", warmup_interval="step", total=2, steps_per_epoch=4)
    assert values == pytest.approx([1 / 5, 2 / 5, 3 / 5, 4 / 5, *[1] * 4, *[0] * 8])


def test_a_total_in_steps_before_a_staircase():
    """200 steps are two epochs, and half of them is one."""
    values = lrs(400, "50%", total="200 steps", warmup_interval="epoch", steps_per_epoch=100)
    assert values == [0.5] * 100 + [1.0] * 300


def test_auto_is_the_length_of_the_run():
    assert lrs(10, 2, "cosine", total="auto") == lrs(10, 2, "cosine", total=10) == lrs(10, 2, "cosine")


# --- properties ------------------------------------------------------------------------------------------------------

# A milestone or point inside the warmup or hold would be an error, and so would a part longer than the decay.
PLACED = MultiStepDecay, PiecewiseLinearDecay, PiecewiseConstantDecay, SequentialDecay
DECAYS = [None, *get_args(DecayName), *(shape for shape in FALLING if not isinstance(shape, PLACED))]
plans = st.fixed_dictionaries(
    {
        "warmup": st.integers(0, 15),
        "hold": st.integers(0, 10),
        "length": st.integers(1, 30),
        "cooldown": st.integers(0, 10),
    }
)


def planned(plan, decay, **parameters):
    """A callback with these phases and their total length."""
    total = sum(plan.values())
    phases = {"hold": plan["hold"], "cooldown": plan["cooldown"]} if decay is not None else {}
    return LearningRateWarmup(plan["warmup"], decay, total=total, **phases, **parameters), total


@settings(deadline=None, max_examples=300)
@given(plan=plans, decay=st.sampled_from(DECAYS), lr=st.floats(1e-8, 1e3))
def test_every_phase_keeps_its_promise(plan, decay, lr):
    callback, total = planned(plan, decay)
    values = callback.values(lr, total_steps=total + 20, steps_per_epoch=7)
    warmup = plan["warmup"]
    start = warmup + plan["hold"]
    end = start + plan["length"]
    assert values[0] == lr / (warmup + 1)
    assert all(value == lr for value in values[warmup : start + 1])
    assert all(b > a for a, b in itertools.pairwise(values[: warmup + 1]))
    assert all(b <= a * (1 + 1e-12) for a, b in itertools.pairwise(values[warmup:]))
    assert all(math.isfinite(value) and 0 <= value <= lr for value in values)
    if decay is not None:
        assert set(values[end:]) == {values[end]}


@settings(deadline=None, max_examples=200)
@given(plan=plans, decay=st.sampled_from(DECAYS), steps_per_epoch=st.integers(1, 5), short=st.integers(0, 4))
def test_epochs_are_the_same_curve_repeated(plan, decay, steps_per_epoch, short):
    by_step, total = planned(plan, decay)
    by_epoch, _ = planned(plan, decay, interval="epoch")
    curve = by_step.values(0.1, total_steps=total + 3, steps_per_epoch=1)
    steps = (total + 3) * steps_per_epoch - min(short, steps_per_epoch - 1)
    values = by_epoch.values(0.1, total_steps=steps, steps_per_epoch=steps_per_epoch)
    assert values == each(steps_per_epoch, curve)[:steps]


@settings(deadline=None, max_examples=120)
@given(plan=plans, decay=st.sampled_from(DECAYS[1:]))
def test_a_decay_duration_is_a_hold_said_otherwise(plan, decay):
    by_hold, total = planned(plan, decay)
    by_duration = LearningRateWarmup(
        plan["warmup"], decay, decay_duration=plan["length"], cooldown=plan["cooldown"], total=total
    )
    run = {"total_steps": total + 5, "steps_per_epoch": 3}
    assert by_duration.values(0.1, **run) == by_hold.values(0.1, **run)


@settings(deadline=None, max_examples=60)
@given(plan=plans, steps=st.integers(1, 80))
def test_a_part_of_the_run_is_the_start_of_the_whole(plan, steps):
    callback, total = planned(plan, "cosine")
    part = callback.values(0.1, total_steps=steps, steps_per_epoch=2)
    assert part == callback.values(0.1, total_steps=total + 80, steps_per_epoch=2)[:steps]


@settings(deadline=None, max_examples=60)
@given(warmup=st.integers(0, 10), epochs=st.integers(12, 20), steps_per_epoch=st.integers(1, 9))
def test_a_staircase_meets_the_line_where_epochs_begin(warmup, epochs, steps_per_epoch):
    """Where an epoch begins, a staircase and a warmup per step from the same start are one."""
    parameters = {"warmup_initial_lr": "10%", "decay": "cosine"}
    steps = epochs * steps_per_epoch
    stairs = lrs(steps, warmup, warmup_interval="epoch", steps_per_epoch=steps_per_epoch, **parameters)
    line = lrs(steps, f"{warmup} epochs", steps_per_epoch=steps_per_epoch, **parameters)
    n = warmup * steps_per_epoch
    assert stairs[::steps_per_epoch] == pytest.approx(line[::steps_per_epoch])
    assert stairs[n:] == line[n:]
    assert stairs[:n] == each(steps_per_epoch, stairs[:n:steps_per_epoch])


def test_no_jump_at_any_join():
    callback = LearningRateWarmup(CosineWarmup(2000), CosineDecay(0.1), hold=500, cooldown=500, warmup_initial_lr=0.0)
    values = callback.values(1.0, total_steps=6000, steps_per_epoch=10)
    assert max(abs(b - a) for a, b in itertools.pairwise(values)) < 1e-3


def test_nothing_configured_changes_nothing():
    assert lrs(5, lr=0.3) == [0.3] * 5
    assert lrs(5, lr=0.3, interval="epoch", total=3) == [0.3] * 5


# --- bad input -------------------------------------------------------------------------------------------------------

TOO_LONG = [
    # parameters of a run of 10, what the error says
    ({"warmup": 11}, ["warmup=11", "warmup 11 = 11", "Shorten warmup"]),
    ({"warmup": 6, "decay": "cosine", "hold": 5}, ["warmup=6, hold=5", "warmup 6 + hold 5 = 11"]),
    ({"warmup": "60%", "decay": "cosine", "cooldown": 0.5}, ["warmup='60%', cooldown=0.5", "= 11"]),
    ({"decay": "cosine", "hold": 4, "cooldown": 7}, ["hold=4, cooldown=7", "hold 4 + cooldown 7 = 11"]),
    ({"decay": "cosine", "decay_duration": 11}, ["decay_duration=11", "decay_duration 11 = 11"]),
    ({"warmup": 3, "decay": "cosine", "decay_duration": 4, "cooldown": 4}, ["warmup 3", "decay_duration 4", "= 11"]),
    ({"warmup": CosineWarmup(11)}, ["duration=11", "warmup 11 = 11"]),
]


@pytest.mark.parametrize(("parameters", "says"), TOO_LONG, ids=str)
@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_phases_longer_than_the_run(parameters, says, interval):
    with refused(*says, f"more than the 10 {interval}s of this run", "Shorten", "train longer", "total=..."):
        lrs(10, **parameters, interval=interval)


@pytest.mark.parametrize(("parameters", "says"), TOO_LONG, ids=str)
@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_phases_that_just_fit(parameters, says, interval):
    long_enough = parameters != {"warmup": "60%", "decay": "cosine", "cooldown": 0.5}
    if long_enough:
        assert len(lrs(11, **parameters, interval=interval)) == 11


def test_phases_longer_than_the_total():
    with refused("warmup=6", "more than the 5 steps", "total=..."):
        lrs(10, 6, total=5)


def test_a_staircase_longer_than_the_run():
    with refused("warmup=4", "more than the 30 steps"):
        lrs(30, 4, warmup_interval="epoch", steps_per_epoch=10)
    assert lrs(30, 3, warmup_interval="epoch", steps_per_epoch=10) == each(10, [0.25, 0.5, 0.75])


def test_hold_and_decay_duration_say_the_same():
    with refused("LearningRateWarmup(hold=2, decay_duration='20%')", "Give one of them"):
        LearningRateWarmup(0, "cosine", hold=2, decay_duration="20%")
    LearningRateWarmup(0, "cosine", hold="0%", decay_duration="20%")


@pytest.mark.parametrize("parameters", [{"hold": 5}, {"decay_duration": "20%"}, {"cooldown": "1 epoch"}], ids=str)
def test_phases_of_no_decay(parameters):
    ((name, value),) = parameters.items()
    with refused(f"LearningRateWarmup({name}={value!r}) needs a decay", "decay=...", f"leave {name} out"):
        LearningRateWarmup(5, **parameters)


@pytest.mark.parametrize(
    ("parameters", "fix"),
    [
        ({"interval": "steps"}, "'step', 'epoch'"),
        ({"interval": None}, "'step', 'epoch'"),
        ({"warmup_interval": "batch"}, "'step', 'epoch', None"),
        ({"optimizer": -1}, "the index of an optimizer, or None for all"),
        ({"optimizer": True}, "the index of an optimizer, or None for all"),
        ({"optimizer": "0"}, "the index of an optimizer, or None for all"),
        ({"resume": "best"}, "'checkpoint' or 'config'"),
    ],
    ids=str,
)
def test_no_such_choice(parameters, fix):
    ((name, value),) = parameters.items()
    with refused(f"LearningRateWarmup({name}={value!r})", fix):
        LearningRateWarmup(5, **parameters)


def test_a_typo_is_an_error():
    with pytest.raises(TypeError, match="warmup_inital_lr"):
        LearningRateWarmup(5, warmup_inital_lr=0.1)
