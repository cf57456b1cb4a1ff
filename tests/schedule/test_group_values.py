"""Starts and targets of param groups: one for all, or by group name; shares of the target; batch size scaling."""

import math
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim.lr_scheduler import StepLR

from lightning_warmup import (
    ConstantWarmup,
    CosineWarmup,
    ExponentialWarmup,
    LearningRateWarmup,
    LinearScaling,
    PolynomialWarmup,
    SquareRootScaling,
    StepDecay,
    TorchDecay,
)
from refusals import refused
from shapes import FALLING_TO_FINAL

GROUPS = {"backbone": 0.1, "head": 1.0}


def start_and_target(lr=GROUPS, *, warmup=4, batch_size=None, **parameters):
    """The first value and the one right after the warmup, of each group."""
    callback = LearningRateWarmup(ConstantWarmup(warmup), **parameters)
    values = callback.values(lr, total_steps=warmup + 1, steps_per_epoch=1, batch_size=batch_size)
    if isinstance(lr, dict):
        assert list(values) == list(lr)
        return {name: (group[0], group[-1]) for name, group in values.items()}
    return values[0], values[-1]


STARTS = [
    # warmup_initial_lr, start of the backbone (target 0.1), start of the head (target 1.0)
    (None, 0.1 / 5, 1.0 / 5),
    (0.05, 0.05, 0.05),
    (0, 0.0, 0.0),
    (2, 2.0, 2.0),
    ("4%", 0.004, 0.04),
    (" 4.5 % ", 0.0045, 0.045),
    (".5%", 0.0005, 0.005),
    ("0%", 0.0, 0.0),
    ("100%", 0.1, 1.0),
    ("150%", 0.15, 1.5),
    ("1e-6", 1e-6, 1e-6),  # plain YAML reads 1e-6 as a string
    ({"default": 0.05}, 0.05, 0.05),
    ({"default": None}, 0.1 / 5, 1.0 / 5),
    ({"default": "4%"}, 0.004, 0.04),
    ({"backbone": 0.0, "head": 0.5}, 0.0, 0.5),
    ({"head": 0.5, "default": 0.01}, 0.01, 0.5),
    ({"head": 0.5, "default": None}, 0.1 / 5, 0.5),
    ({"head": None, "default": 0.01}, 0.01, 1.0 / 5),
    ({"head": "10%", "backbone": 0.03}, 0.03, 0.1),
    ({"head": 0, "default": "50%"}, 0.05, 0.0),
]


@pytest.mark.parametrize(("initial", "backbone", "head"), STARTS, ids=str)
def test_warmup_initial_lr(initial, backbone, head):
    got = start_and_target(warmup_initial_lr=initial)
    assert got == {"backbone": (pytest.approx(backbone, rel=1e-15), 0.1), "head": (pytest.approx(head, rel=1e-15), 1.0)}


TARGETS = [
    # target_lr, target of the backbone (its own lr is 0.1), target of the head (its own lr is 1.0)
    (None, 0.1, 1.0),
    (0.3, 0.3, 0.3),
    ("1e-3", 0.001, 0.001),
    ({"default": 0.3}, 0.3, 0.3),
    ({"default": None}, 0.1, 1.0),
    ({"backbone": 0.01, "head": 0.3}, 0.01, 0.3),
    ({"backbone": 0.01, "head": None}, 0.01, 1.0),
    ({"backbone": 0.01, "default": None}, 0.01, 1.0),
    ({"head": 0.3, "default": 0.2}, 0.2, 0.3),
]


@pytest.mark.parametrize(("target", "backbone", "head"), TARGETS, ids=str)
def test_target_lr(target, backbone, head):
    """The default start is a share of the target, not of the group's own lr."""
    got = start_and_target(target_lr=target)
    assert got == {"backbone": (backbone / 5, backbone), "head": (head / 5, head)}


def test_a_share_is_one_of_the_target():
    got = start_and_target(target_lr={"head": 0.3, "default": None}, warmup_initial_lr="10%")
    assert got == {"backbone": (pytest.approx(0.01), 0.1), "head": (pytest.approx(0.03), 0.3)}


def test_the_order_of_groups_is_theirs():
    got = start_and_target({"z": 3.0, "a": 1.0}, target_lr={"a": 10.0, "z": 30.0}, warmup_initial_lr={"a": 1, "z": 2})
    assert got == {"z": (2.0, 30.0), "a": (1.0, 10.0)}


def test_one_unnamed_group_takes_the_default():
    assert start_and_target(0.1, warmup_initial_lr={"default": 0.01}, target_lr={"default": 0.2}) == (0.01, 0.2)


@pytest.mark.parametrize("name", ["warmup_initial_lr", "target_lr"])
def test_mappings_stay_as_they_were(name):
    mapping = {"head": 0.5, "default": None}
    start_and_target(**{name: mapping})
    assert mapping == {"head": 0.5, "default": None}


@settings(deadline=None, max_examples=60)
@given(
    rates=st.lists(st.floats(1e-8, 1e3), min_size=1, max_size=4),
    final=st.floats(0, 2),
    shape=st.sampled_from(FALLING_TO_FINAL),
    cooldown=st.integers(1, 5),
)
def test_each_group_has_a_floor_of_its_own(rates, final, shape, cooldown):
    lr = {f"group {i}": rate for i, rate in enumerate(rates)}
    callback = LearningRateWarmup(3, replace(shape, final=final), cooldown=cooldown)
    values = callback.values(lr, total_steps=20, steps_per_epoch=5)
    for name, rate in lr.items():
        assert values[name][3] == rate
        assert values[name][20 - cooldown :] == [final * rate] * cooldown
        assert min(values[name][3:]) >= min(1, final) * rate * (1 - 1e-12)


def test_the_floor_of_a_step_decay_is_a_share_of_each_target():
    callback = LearningRateWarmup(0, StepDecay(1, final=0.05))
    values = callback.values({"a": 0.1, "b": 1.0}, total_steps=5, steps_per_epoch=1)
    assert values["a"][2:] == pytest.approx([0.005] * 3)
    assert values["b"][2:] == pytest.approx([0.05] * 3)


@settings(deadline=None, max_examples=60)
@given(
    lr=st.dictionaries(st.sampled_from("abcd"), st.floats(0, 10), min_size=1),
    initial=st.sampled_from([None, 0.5, "4%"]),
    interval=st.sampled_from(["step", "epoch"]),
)
def test_groups_do_not_know_of_each_other(lr, initial, interval):
    callback = LearningRateWarmup(2, "cosine", warmup_initial_lr=initial, interval=interval)
    run = {"total_steps": 12, "steps_per_epoch": 2}
    assert callback.values(lr, **run) == {name: callback.values(rate, **run) for name, rate in lr.items()}


@pytest.mark.parametrize("initial", [None, 0.5, "4%", 0.0])
@pytest.mark.parametrize("warmup", [3, CosineWarmup(3), ExponentialWarmup(3), PolynomialWarmup(3, 0.7)], ids=str)
@pytest.mark.parametrize(
    "decay", ["cosine", "inverse_sqrt", StepDecay(2, 0.3), TorchDecay(partial(StepLR, step_size=2))]
)
def test_many_groups_are_the_same_floats_as_each_alone(warmup, decay, initial):
    if initial == 0.0 and isinstance(warmup, ExponentialWarmup):
        initial = 1e-7
    callback = LearningRateWarmup(warmup, decay, warmup_initial_lr=initial)
    run = {"total_steps": 12, "steps_per_epoch": 2}
    lr = {f"group {i}": 0.1 * 1.07**i for i in range(60)}
    values = callback.values(lr, **run)
    assert values == {name: callback.values(rate, **run) for name, rate in lr.items()}
    assert all(type(value) is float for value in values["group 7"])


# --- the target follows the batch size -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "batch_size", "start", "end"),
    [
        # k = batch / 256; the warmup starts at the unscaled 0.1
        (LinearScaling(256), 1024, 0.1, 0.4),
        (LinearScaling(256), 8192, 0.1, 3.2),
        (LinearScaling(256), 257, 0.1, 0.1 * 257 / 256),
        (LinearScaling(256), 256, 0.1, 0.1),
        (SquareRootScaling(256), 1024, 0.1, 0.2),
        (SquareRootScaling(256), 512, 0.1, 0.1 * 2**0.5),
        (SquareRootScaling(256), 256, 0.1, 0.1),
        # k < 1: from target / (N + 1)
        (LinearScaling(256), 128, 0.05 / 5, 0.05),
        (LinearScaling(256), 255, 0.1 * 255 / 256 / 5, 0.1 * 255 / 256),
        (SquareRootScaling(256), 64, 0.05 / 5, 0.05),
    ],
    ids=str,
)
def test_scaling(target, batch_size, start, end):
    got = start_and_target(0.1, target_lr=target, batch_size=batch_size)
    assert got == pytest.approx((start, end), rel=1e-15)


def test_scaling_scales_every_group():
    got = start_and_target(target_lr=LinearScaling(256), batch_size=1024)
    assert got == {"backbone": (0.1, 0.4), "head": (1.0, 4.0)}


@pytest.mark.parametrize(
    ("initial", "start"), [(0.0, 0.0), ("10%", 0.04), ({"default": 0.01}, 0.01), ({"default": None}, 0.1)], ids=str
)
def test_a_scaled_warmup_told_where_to_start(initial, start):
    got = start_and_target(0.1, target_lr=LinearScaling(256), warmup_initial_lr=initial, batch_size=1024)
    assert got == pytest.approx((start, 0.4))


def test_scaling_without_a_warmup():
    values = LearningRateWarmup(0, "linear", target_lr=LinearScaling(256)).values(
        0.1, total_steps=2, steps_per_epoch=2, batch_size=512
    )
    assert values == [0.2, 0.1]


@pytest.mark.parametrize("scaling", [LinearScaling, SquareRootScaling])
def test_scaling_by_an_unknown_batch(scaling):
    with refused(f"target_lr={scaling(256)!r}", "global batch size", "batch_size=..."):
        start_and_target(0.1, target_lr=scaling(256))


@pytest.mark.parametrize("scaling", [LinearScaling, SquareRootScaling])
@pytest.mark.parametrize("reference", [0, -256, math.nan, math.inf, True, "256", None], ids=repr)
def test_no_reference(scaling, reference):
    with refused(f"{scaling.__name__}(reference_batch_size={reference!r})", "finite number > 0"):
        scaling(reference)


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [-0.1, -1, math.nan, math.inf, True, "low", "nan", "inf", "-4%", "", [0.1]], ids=repr)
@pytest.mark.parametrize("name", ["warmup_initial_lr", "target_lr"])
def test_no_learning_rate(name, value):
    with refused(f"LearningRateWarmup({name}={value!r})", "finite number ≥ 0", "mapping from group name"):
        LearningRateWarmup(5, **{name: value})
    with refused(f"LearningRateWarmup({name}={{'head': {value!r}}})", f"{value!r} is no value", "finite number ≥ 0"):
        LearningRateWarmup(5, **{name: {"head": value}})


def test_a_target_has_no_target_to_be_a_share_of():
    with refused("LearningRateWarmup(target_lr='4%')", "finite number ≥ 0"):
        LearningRateWarmup(5, target_lr="4%")


@pytest.mark.parametrize("name", ["warmup_initial_lr", "target_lr"])
def test_a_mapping_of_nothing(name):
    with refused(f"LearningRateWarmup({name}={{}})", "leave it out", "{'default': ...}"):
        LearningRateWarmup(5, **{name: {}})


@pytest.mark.parametrize("name", ["warmup_initial_lr", "target_lr"])
def test_an_unknown_group(name):
    mapping = {"haed": 0.1, "default": 0.2}
    says = [f"LearningRateWarmup({name}={mapping!r})", "'haed'", "'backbone', 'head'", "Correct the name"]
    with refused(*says):
        start_and_target(**{name: mapping})


@pytest.mark.parametrize("name", ["warmup_initial_lr", "target_lr"])
def test_a_group_that_a_mapping_misses(name):
    mapping = {"head": 0.1}
    with refused(f"LearningRateWarmup({name}={mapping!r})", "'backbone'", "add it, or a 'default'"):
        start_and_target(**{name: mapping})


@pytest.mark.parametrize("name", ["warmup_initial_lr", "target_lr"])
def test_an_unnamed_group_and_a_mapping_of_names(name):
    with refused(f"LearningRateWarmup({name}={{'head': 0.1}})", "'head'", "Named groups: none", "'name': 'head'"):
        start_and_target(0.1, **{name: {"head": 0.1}})


def test_one_group_of_several_that_an_exponential_warmup_cannot_start():
    callback = LearningRateWarmup(ExponentialWarmup(4), warmup_initial_lr={"head": 0.0, "default": None})
    with refused("ExponentialWarmup(duration=4)", "from 0.0 to 1.0", "warmup_initial_lr"):
        callback.values(GROUPS, total_steps=8, steps_per_epoch=4)
