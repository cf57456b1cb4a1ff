"""Warmup shapes: value(0) is the initial value, value(N) the target, and in between what the shape says."""

import itertools
import math
from dataclasses import FrozenInstanceError, dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_warmup import (
    ConstantWarmup,
    CosineWarmup,
    ExponentialWarmup,
    FunctionWarmup,
    LearningRateWarmup,
    LinearWarmup,
    PolynomialWarmup,
    Warmup,
)
from refusals import refused
from shapes import RISING, WARMUPS, shape_id


def warmed_up(warmup, initial, target, steps, **parameters):
    callback = LearningRateWarmup(warmup, warmup_initial_lr=initial, **parameters)
    return callback.values(target, total_steps=steps, steps_per_epoch=1)


# From 1 to 17 over N = 4, so that the weights 0, ¼, ½, ¾, 1 are 1, 5, 9, 13, 17.
LINES = [(shape, t, expected) for row in WARMUPS for shape, values in row.values for t, expected in enumerate(values)]


@pytest.mark.parametrize(("shape", "step", "expected"), LINES, ids=str)
def test_value_at_step(shape, step, expected):
    assert warmed_up(shape, 1.0, 17.0, steps=6)[step] == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    ("shape", "epoch", "expected"), [line for line in LINES if line[0] != "4 steps"], ids=lambda value: str(value)
)
def test_value_in_epoch(shape, epoch, expected):
    callback = LearningRateWarmup(shape, warmup_initial_lr=1.0, interval="epoch")
    lrs = callback.values(17.0, total_steps=6 * 3, steps_per_epoch=3)
    assert lrs[3 * epoch : 3 * epoch + 3] == [pytest.approx(expected, rel=1e-15)] * 3


@pytest.mark.parametrize(
    ("warmup", "expected"),
    [
        # SuperGradients' rule: the first step already moves by 1 / (N + 1), and no step trains at 0.
        (0, [1.0, 1.0]),
        (1, [1 / 2, 1.0]),
        (3, [1 / 4, 2 / 4, 3 / 4, 1.0]),
        (4, [1 / 5, 2 / 5, 3 / 5, 4 / 5, 1.0]),
        ("100%", [1 / 7, 2 / 7, 3 / 7, 4 / 7, 5 / 7, 6 / 7]),
        (ConstantWarmup(2), [1 / 3, 1 / 3, 1.0]),
        (ExponentialWarmup(2), [1 / 3, 3**-0.5, 1.0]),
        (CosineWarmup(2), [1 / 3, 2 / 3, 1.0]),
    ],
    ids=str,
)
def test_without_an_initial_value(warmup, expected):
    lrs = LearningRateWarmup(warmup).values(1.0, total_steps=6, steps_per_epoch=6)
    assert lrs[: len(expected)] == pytest.approx(expected, rel=1e-15)
    assert all(lr == 1.0 for lr in lrs[len(expected) :])


def test_the_default_start_counts_epochs_where_the_warmup_does():
    lrs = LearningRateWarmup(3, interval="epoch").values(1.0, total_steps=20, steps_per_epoch=5)
    assert lrs == pytest.approx([0.25] * 5 + [0.5] * 5 + [0.75] * 5 + [1.0] * 5, rel=1e-15)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (LinearWarmup(4), [9, 7, 5, 3, 1, 1]),
        (ConstantWarmup(4), [9, 9, 9, 9, 1, 1]),
        (ExponentialWarmup(4), [9, 9**0.75, 3, 9**0.25, 1, 1]),
        (PolynomialWarmup(4, power=2), [9, 8.5, 7, 4.5, 1, 1]),
    ],
    ids=str,
)
def test_a_start_above_the_target(shape, expected):
    """Ultralytics' bias warmup comes down from 0.1."""
    assert warmed_up(shape, 9.0, 1.0, steps=6) == pytest.approx(expected, rel=1e-15)


def test_a_shape_of_ones_own():
    @dataclass(frozen=True)
    class Late(Warmup):
        duration: int

        def weight(self, u):
            return max(0.0, 2 * u - 1)

    assert warmed_up(Late(4), 0.0, 1.0, steps=6) == [0.0, 0.0, 0.0, 0.5, 1.0, 1.0]


def test_shapes_are_values():
    assert PolynomialWarmup(4, power=2) == PolynomialWarmup(4, 2)
    assert LinearWarmup(4) != LinearWarmup(5)
    with pytest.raises(FrozenInstanceError):
        LinearWarmup(4).duration = 5


# --- properties ------------------------------------------------------------------------------------------------------

every_shape = pytest.mark.parametrize("shape", RISING, ids=shape_id)
smooth_shape = pytest.mark.parametrize(
    "shape", [shape for row in WARMUPS if not row.jumps for shape in row.rising], ids=shape_id
)
rates = st.floats(1e-8, 1e3)


@every_shape
@settings(deadline=None, max_examples=40)
@given(n=st.integers(1, 50), initial=rates, target=rates, more=st.integers(0, 5))
def test_endpoints_are_exact_and_nothing_lies_outside(shape, n, initial, target, more):
    lrs = warmed_up(replace(shape, duration=n), initial, target, steps=n + 1 + more)
    assert lrs[0] == initial
    assert lrs[n:] == [target] * (1 + more)
    low, high = min(initial, target), max(initial, target)
    assert all(low * (1 - 1e-12) <= lr <= high * (1 + 1e-12) for lr in lrs)


@every_shape
@settings(deadline=None, max_examples=40)
@given(n=st.integers(1, 50), initial=rates, target=rates)
def test_monotone(shape, n, initial, target):
    lrs = warmed_up(replace(shape, duration=n), initial, target, steps=n + 2)
    way = 1 if target >= initial else -1
    assert all(way * (b - a) >= -1e-12 * max(a, b) for a, b in itertools.pairwise(lrs))


@every_shape
@settings(deadline=None, max_examples=40)
@given(n=st.integers(1, 50), target=rates, percent=st.floats(1e-3, 300))
def test_a_share_of_the_target_is_the_number_that_it_comes_to(shape, n, target, percent):
    share = f"{percent:f}%"
    number = target * float(share[:-1]) / 100
    lrs = warmed_up(replace(shape, duration=n), share, target, steps=n + 1)
    assert lrs == pytest.approx(warmed_up(replace(shape, duration=n), number, target, steps=n + 1), rel=1e-13)
    assert lrs[0] == number


@every_shape
@settings(deadline=None, max_examples=40)
@given(n=st.integers(0, 50), target=rates)
def test_default_start(shape, n, target):
    lrs = LearningRateWarmup(replace(shape, duration=n)).values(target, total_steps=n + 1, steps_per_epoch=1)
    assert lrs[0] == target / (n + 1)
    assert lrs[n] == target
    assert min(lrs) >= target / (n + 1) * (1 - 1e-12)


@smooth_shape
def test_no_jump_at_either_end(shape):
    lrs = warmed_up(replace(shape, duration=2000), 0.5, 1.0, steps=2003)
    assert lrs[1] - lrs[0] == pytest.approx(0, abs=0.06)  # u**0.3 rises steeply
    assert lrs[2000] - lrs[1999] == pytest.approx(0, abs=1e-3)


@settings(deadline=None)
@given(n=st.integers(1, 100), target=rates)
def test_linear_steps_are_equal_even_the_first_and_the_last(n, target):
    lrs = [0.0, *LearningRateWarmup(n).values(target, total_steps=n + 1, steps_per_epoch=1)]
    assert all(b - a == pytest.approx(target / (n + 1)) for a, b in itertools.pairwise(lrs))


@settings(deadline=None)
@given(n=st.integers(2, 60), initial=rates, target=rates)
def test_exponential_ratios_are_equal(n, initial, target):
    lrs = warmed_up(ExponentialWarmup(n), initial, target, steps=n + 1)
    assert all(b / a == pytest.approx((target / initial) ** (1 / n)) for a, b in itertools.pairwise(lrs))


@settings(deadline=None)
@given(n=st.integers(1, 60), t=st.integers(0, 60))
def test_cosine_is_symmetric(n, t):
    lrs = warmed_up(CosineWarmup(n), 0.0, 1.0, steps=n + 1)
    t = min(t, n)
    assert lrs[t] + lrs[n - t] == pytest.approx(1.0)


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("power", [0, -1, 0.0, math.nan, math.inf, True, "2", None], ids=repr)
def test_power_out_of_range(power):
    with refused(f"PolynomialWarmup(power={power!r})", "finite number > 0"):
        PolynomialWarmup(4, power=power)


@pytest.mark.parametrize("function", [None, "math.sqrt", 0.5], ids=repr)
def test_no_function(function):
    with refused(f"FunctionWarmup(function={function!r})", "give a function of the share u"):
        FunctionWarmup(4, function)


@pytest.mark.parametrize("initial", [0, 0.0, "0%"], ids=repr)
def test_exponential_from_zero(initial):
    with refused("ExponentialWarmup(duration=4)", "from 0", "start above 0", "warmup_initial_lr", "LinearWarmup"):
        warmed_up(ExponentialWarmup(4), initial, 1.0, steps=6)


def test_exponential_to_zero():
    with refused("ExponentialWarmup(duration=4)", "to 0.0", "LinearWarmup"):
        warmed_up(ExponentialWarmup(4), 1.0, 0.0, steps=6)


def test_exponential_from_zero_is_no_matter_without_a_warmup():
    assert warmed_up(ExponentialWarmup(0), 0.0, 1.0, steps=2) == [1.0, 1.0]


def test_exponential_of_a_group_that_stays_at_zero():
    lrs = LearningRateWarmup(ExponentialWarmup(2)).values(
        {"frozen": 0.0, "head": 4.0}, total_steps=3, steps_per_epoch=3
    )
    assert lrs == {"frozen": [0.0] * 3, "head": pytest.approx([4 / 3, 4 / 3**0.5, 4.0])}


@pytest.mark.parametrize(
    ("function", "given"),
    [
        (lambda u: math.nan, "nan"),
        (lambda u: math.inf if u > 0.5 else u, "inf"),
        (lambda u: -1.0, "-1.0"),
        (lambda u: 2 * u if u < 0.9 else -3.0, "-3.0"),
    ],
    ids=["nan", "inf", "negative", "negative at the end"],
)
@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_a_function_that_makes_no_learning_rate(function, given, interval):
    callback = LearningRateWarmup(FunctionWarmup(50, function), warmup_initial_lr=0.0, interval=interval)
    with refused("warmup=FunctionWarmup(duration=50", f"gives {given}", "finite and ≥ 0"):
        callback.values(1.0, total_steps=100, steps_per_epoch=1)


def test_a_short_warmup_of_a_long_run_is_looked_at_too():
    warmup = FunctionWarmup(20, lambda u: -1.0 if u == 0.5 else u)
    with refused("warmup=FunctionWarmup(duration=20", "gives -1.0 at step 10"):
        warmed_up(warmup, 0.0, 1.0, steps=20_000)


@pytest.mark.parametrize("name", ["cosine", "linear", "CosineWarmup"])
def test_a_name_is_no_warmup(name):
    with refused(f"LearningRateWarmup(warmup={name!r})", "500 steps", "CosineWarmup('5%')"):
        LearningRateWarmup(name)


def test_a_shape_of_ones_own_that_overrides_values():
    @dataclass(frozen=True)
    class Geometric(Warmup):
        duration: int
        factor: float = 1.0  # a field may be called anything

        def weight(self, u):
            return u

        def values(self, u, initial, target):
            return [low * (high / low) ** (self.factor * u) for low, high in zip(initial, target, strict=True)]

    for start in (None, "4%", 0.01):
        lrs = warmed_up(Geometric(4), start, 1.0, steps=5)
        assert lrs == pytest.approx(warmed_up(ExponentialWarmup(4), start, 1.0, steps=5), rel=1e-15)
        many = LearningRateWarmup(Geometric(4), warmup_initial_lr=start)
        groups = many.values({f"{i}": 1.0 for i in range(100)}, total_steps=5, steps_per_epoch=5)
        assert groups["99"] == lrs
