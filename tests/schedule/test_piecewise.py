"""Decays given by points, which count from the start of the run as milestones do."""

import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_warmup import LearningRateWarmup, MultiStepDecay, PiecewiseConstantDecay, PiecewiseLinearDecay
from refusals import refused
from runs import fit

BOTH = [PiecewiseLinearDecay, PiecewiseConstantDecay]
both = pytest.mark.parametrize("shape", BOTH, ids=lambda shape: shape.__name__)


def values(decay, steps, warmup=0, steps_per_epoch=None, **parameters):
    callback = LearningRateWarmup(warmup, decay, **parameters)
    return callback.values(1.0, total_steps=steps, steps_per_epoch=steps_per_epoch)


@pytest.mark.parametrize("interval", ["step", "epoch"])
@both
def test_points_count_from_the_start_of_the_run(shape, interval) -> None:
    """A warmup of 4 does not move them."""
    per_epoch = 1 if interval == "epoch" else 100
    decay = shape({6: 1, 8: 0.5, 9: "10%"})
    lrs = values(decay, 12, 4, per_epoch, interval=interval)
    between = 0.75 if shape is PiecewiseLinearDecay else 1
    assert lrs[4:] == pytest.approx([1, 1, 1, between, 0.5, 0.1, 0.1, 0.1])


@both
def test_units(shape) -> None:
    points = {"25%": 1, "1.5 epochs": 0.5, 9: "10%"}
    assert values(shape(points), 12, 2, 4) == values(shape({3: 1, 6: 0.5, 9: 0.1}), 12, 2)


@both
def test_the_start_of_the_run(shape) -> None:
    """With no warmup nothing has led to the target: the first factor may be any."""
    assert values(shape({0: 0.5, 3: 0.5}), 5) == [0.5] * 5


@settings(deadline=None)
@given(
    steps=st.lists(st.integers(1, 30), min_size=1, max_size=6),
    factors=st.lists(st.floats(0, 3), min_size=6, max_size=6),
    target=st.floats(1e-6, 1e3),
)
def test_lines_are_numpys(steps, factors, target) -> None:
    at = list(itertools.accumulate(steps))
    points = dict(zip(at, factors, strict=False))
    lrs = LearningRateWarmup(0, PiecewiseLinearDecay(points)).values(target, total_steps=at[-1] + 10)
    expected = np.interp(range(at[-1] + 10), at, [target * points[t] for t in at])
    assert lrs == pytest.approx(expected.tolist(), rel=1e-9, abs=1e-12 * target)
    assert [lrs[t] for t in at] == pytest.approx([target * points[t] for t in at], rel=1e-15)


@settings(deadline=None)
@given(milestones=st.lists(st.integers(1, 40), min_size=1, max_size=5, unique=True), gamma=st.floats(0.1, 1))
def test_multistep_is_equal_ratios(milestones, gamma) -> None:
    milestones = sorted(milestones)
    points = {milestone: gamma ** (i + 1) for i, milestone in enumerate(milestones)}
    ours, multi = (values(decay, 60) for decay in (PiecewiseConstantDecay(points), MultiStepDecay(milestones, gamma)))
    assert ours == pytest.approx(multi)


@both
def test_keys_of_json_and_numpy(shape) -> None:
    decay = shape({0: 1, 6: 0.5})
    assert shape({"0": 1, "6": "50%"}) == shape({np.int64(0): np.float64(1), np.int64(6): 0.5}) == decay
    assert pickle.loads(pickle.dumps(decay)) == decay
    assert eval(repr(decay)) == decay


@both
def test_what_was_given_is_not_changed(shape) -> None:
    points = {0: 1, "50%": "50%"}
    values(shape(points), 10)
    assert points == {0: 1, "50%": "50%"}


@both
def test_a_point_that_no_step_reaches_is_warned_of(shape) -> None:
    with pytest.warns(UserWarning, match=r"no step of this run reaches the point\(s\) 25, '300 steps'"):
        fit(LearningRateWarmup(2, shape({5: 1, 10: 0.5, 25: 0.3, "300 steps": 0.1})), max_epochs=2, batches=10)


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("points", [{}, [], None, 5, [(0, 1)], "0: 1"], ids=repr)
@both
def test_no_points(shape, points) -> None:
    with refused(f"{shape.__name__}(points={points!r})", "{0: 1.0, '30%': 0.5"):
        shape(points)


@pytest.mark.parametrize("factor", [-0.1, float("nan"), float("inf"), True, None, "0.1", "-5%", "many"], ids=repr)
@both
def test_no_factor(shape, factor) -> None:
    with refused(f"{shape.__name__}(points['50%']={factor!r})", "finite number ≥ 0", "'10%' of the target"):
        shape({0: 1, "50%": factor})


@pytest.mark.parametrize("point", [-1, 1.5, "5 bananas", None, True], ids=repr)
@both
def test_no_duration(shape, point) -> None:
    with refused(f"{shape.__name__}(points={point!r})", "500 steps"):
        shape({point: 0.5})


@both
def test_points_that_do_not_increase(shape) -> None:
    with refused(f"{shape.__name__}(points={{30: 0.5, 20: 0.1}})", "must increase, sort them"):
        shape({30: 0.5, 20: 0.1})
    with refused(f"{shape.__name__}(points={{'30': 0.5, 30: 0.1}})", "two are the same"):
        shape({"30": 0.5, 30: 0.1})
    with refused(f"{shape.__name__}(points={{'50%': 0.5, 10: 0.1}})", "(here at [10, 10])", "must increase"):
        values(shape({"50%": 0.5, 10: 0.1}), 20)


@pytest.mark.parametrize("phases", [{"warmup": 4}, {"hold": 4}, {"warmup": 2, "hold": 2}], ids=repr)
@both
def test_no_jump_where_the_warmup_has_led_to_the_target(shape, phases) -> None:
    with refused(f"{shape.__name__}(points={{0: 0.5, 6: 0.5}})", "factor is 0.5 at 4", "decay_from='start'"):
        values(shape({0: 0.5, 6: 0.5}), 10, **phases)


def test_a_line_that_has_left_the_target() -> None:
    with refused("PiecewiseLinearDecay(points={0: 1.0, 8: 0.0})", "factor is 0.5 at 4", "must be 1 there"):
        values(PiecewiseLinearDecay({0: 1, 8: 0}), 10, 4)
    lrs = values(PiecewiseLinearDecay({0: 1, 8: 0}), 10, 4, decay_from="start", warmup_initial_lr=0.0)
    assert lrs == pytest.approx([0, 0.25 * 7 / 8, 0.5 * 6 / 8, 0.75 * 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8, 0, 0])
