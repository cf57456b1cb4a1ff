"""The search for a critical learning rate, on functions of it."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_warmup import CriticalLearningRateResult, critical_learning_rate
from lightning_warmup.critical.search import Status


class Loss:
    """A loss that falls up to ``critical`` and rises beyond; remembers where it was asked."""

    def __init__(self, critical: float) -> None:
        self.critical = critical
        self.asked: list[float] = []

    def __call__(self, lr: float) -> float:
        self.asked.append(lr)
        return lr * (lr - self.critical)


@pytest.mark.parametrize(
    ("critical", "start", "stop", "status", "asked"),
    [
        # Doubles up to the first rise, then bisects to 1/16.
        (5.0, 1.0, None, "found", [0, 1, 2, 4, 8, 6, 5, 5.5, 5.25]),
        # Halves down to the first learning rate without a rise. At 1/2 the loss is equal: that is none.
        (0.5, 4.0, None, "found", [0, 4, 2, 1, 0.5, 0.75, 0.625, 0.5625, 0.53125]),
        # The last doubling ends at stop.
        (9.0, 1.0, 3.0, "above_stop", [0, 1, 2, 3]),
        (9.0, 1.0, 1.0, "above_stop", [0, 1]),
        (2.5, 1.0, 3.0, "found", [0, 1, 2, 3, 2.5, 2.75, 2.625]),
    ],
)
def test_where_it_looks(critical: float, start: float, stop: float | None, status: Status, asked: list[float]) -> None:
    loss = Loss(critical)
    result = critical_learning_rate(loss, start=start, stop=stop)
    assert loss.asked == asked
    assert result.status == status
    assert result.forwards == len(asked)
    if status == "above_stop":
        assert result.lr == stop
    else:
        assert result.lr == pytest.approx(critical, rel=1 / 16)


@given(
    critical=st.floats(1e-4, 1e4),
    start=st.floats(1e-4, 1e4),
    max_forwards=st.integers(2, 60),
    tolerance=st.sampled_from([0.5, 1 / 16, 1e-8]),
)
def test_any_quadratic(critical: float, start: float, max_forwards: int, tolerance: float) -> None:
    loss = Loss(critical)
    result = critical_learning_rate(loss, start=start, tolerance=tolerance, max_forwards=max_forwards)
    assert result.forwards == len(loss.asked) <= max_forwards
    calm = [lr for lr in loss.asked if 0 < lr <= critical]
    if result.status == "found":
        assert result.lr == pytest.approx(critical, rel=1.01 * tolerance)
    elif result.status == "exhausted":
        assert result.lr == max(calm)
    else:
        assert (result.status, result.lr, calm) == ("ascent", 0.0, [])


@given(critical=st.floats(1e-3, 1e3), start=st.floats(1e-3, 1e3), reach=st.floats(1, 1e6))
def test_the_number_of_forwards_is_bounded(critical: float, start: float, reach: float) -> None:
    result = critical_learning_rate(Loss(critical), start=start, stop=start * reach, max_forwards=99)
    assert result.status in ("found", "above_stop")
    doublings_or_halvings = math.ceil(math.log2(max(reach, start / critical)))
    assert result.forwards <= 2 + doublings_or_halvings + 4


@pytest.mark.parametrize(
    ("max_forwards", "start", "expected"),
    [
        (2, 1.0, CriticalLearningRateResult(1.0, 2, "exhausted")),
        (4, 1.0, CriticalLearningRateResult(4.0, 4, "exhausted")),  # while doubling
        (7, 1.0, CriticalLearningRateResult(5.0, 7, "exhausted")),  # while bisecting
        (2, 64.0, CriticalLearningRateResult(0.0, 2, "ascent")),
        (4, 64.0, CriticalLearningRateResult(0.0, 4, "ascent")),  # while halving
    ],
)
def test_a_budget_that_ends(max_forwards: int, start: float, expected: CriticalLearningRateResult) -> None:
    assert critical_learning_rate(Loss(5.3), start=start, max_forwards=max_forwards) == expected


@pytest.mark.parametrize("rise", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_a_rise(rise: float) -> None:
    result = critical_learning_rate(lambda lr: rise if lr > 3 else -lr, start=1.0)
    assert result.status == "found"
    assert result.lr == pytest.approx(3, rel=1 / 16)


def test_a_constant_loss_never_rises() -> None:
    assert critical_learning_rate(lambda lr: 1.0, start=0.25, stop=1.0).status == "above_stop"
    assert critical_learning_rate(lambda lr: 1.0, start=0.25).status == "exhausted"
    assert critical_learning_rate(lambda lr: 1.0, start=0.25, max_forwards=5000).status == "exhausted"


def test_an_ascent_ends_where_floats_do() -> None:
    result = critical_learning_rate(lambda lr: float(lr > 0), start=1.0, max_forwards=5000)
    assert (result.lr, result.status) == (0.0, "ascent")
    assert result.forwards < 1100


@pytest.mark.parametrize(
    ("loss_at", "arguments", "message"),
    [
        (Loss(1), {"start": 0.0}, r"critical_learning_rate\(start=0.0\): expected a finite number > 0"),
        (Loss(1), {"start": math.nan}, "start=nan"),
        (Loss(1), {"start": 1.0, "stop": 0.5}, r"\(start=1.0, stop=0.5\): expected a finite stop ≥ start, or None"),
        (Loss(1), {"start": 1.0, "stop": math.inf}, "stop=inf"),
        (Loss(1), {"start": 1.0, "tolerance": 0.0}, r"\(tolerance=0.0\): expected a number in \(0, 1\)"),
        (Loss(1), {"start": 1.0, "tolerance": 1}, "tolerance=1"),
        (Loss(1), {"start": 1.0, "max_forwards": 1}, r"\(max_forwards=1\): expected an int ≥ 2"),
        (Loss(1), {"start": 1.0, "max_forwards": 8.0}, "max_forwards=8.0"),
        (lambda lr: math.nan, {"start": 1.0}, r"loss_at\(0.0\) is nan"),
    ],
)
def test_one_clear_error(loss_at: Callable[[float], float], arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        critical_learning_rate(loss_at, **arguments)  # type: ignore[arg-type]
