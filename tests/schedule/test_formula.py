"""Shapes given as a formula: arithmetic of a few names, read once and never run as code."""

import math
import pickle
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_warmup import CosineDecay, FormulaDecay, FormulaWarmup, LearningRateWarmup
from lightning_warmup.schedule.durations import Run
from lightning_warmup.schedule.resolve import resolve
from refusals import refused


def decayed(formula, steps=20, warmup=0, **parameters):
    callback = LearningRateWarmup(warmup, FormulaDecay(formula), **parameters)
    return callback.values(1.0, total_steps=steps)


def warmed(formula, length=10, **parameters):
    callback = LearningRateWarmup(FormulaWarmup(length, formula), warmup_initial_lr=0.0, **parameters)
    return callback.values(1.0, total_steps=length)


@pytest.mark.parametrize(
    ("formula", "function"),
    [
        ("1 - u", lambda u: 1 - u),
        (" 1-u ", lambda u: 1 - u),
        ("(1 - u) / (1 - u / 2)", lambda u: (1 - u) / (1 - u / 2)),
        ("0.5 * (1 + tanh(3 - 6 * u))", lambda u: 0.5 * (1 + math.tanh(3 - 6 * u))),
        ("2 * 0.5**u - 1", lambda u: 2 * 0.5**u - 1),
        ("max(0, cos(3 * pi * u))", lambda u: max(0, math.cos(3 * math.pi * u))),
        ("exp(-u) * min(1, 2 - u, 3)", lambda u: math.exp(-u)),
        ("e**-u", lambda u: math.e**-u),
        ("+u - -u % 0.3 + 7 // 2", lambda u: u - (-u) % 0.3 + 3),
        ("abs(0.5 - u) + floor(4 * u) / 4 + ceil(u)", lambda u: abs(0.5 - u) + math.floor(4 * u) / 4 + math.ceil(u)),
        ("log(2 + u) + log(2 + u, 2) + log1p(u) + log2(1 + u) + log10(1 + u)",
         lambda u: math.log(2 + u) + 2 * math.log2(2 + u) / 2 + math.log1p(u) + math.log2(1 + u) + math.log10(1 + u)),
        ("sqrt(u) + expm1(u) + sin(u) + tan(u)", lambda u: math.sqrt(u) + math.expm1(u) + math.sin(u) + math.tan(u)),
        ("asin(u) + acos(u) + atan(u)", lambda u: math.asin(u) + math.acos(u) + math.atan(u)),
        ("sinh(u) + cosh(u) + asinh(u) + acosh(1 + u) + atanh(u)",
         lambda u: math.sinh(u) + math.cosh(u) + math.asinh(u) + math.acosh(1 + u) + math.atanh(u)),
        ("1e-3 + .5", lambda u: 0.501),
    ],
)  # fmt: skip
def test_of_the_share_done(formula, function) -> None:
    expected = [function(tau / 20) for tau in range(20)]
    assert decayed(formula) == pytest.approx(expected, rel=1e-12)
    assert warmed(formula, 20) == pytest.approx(expected, rel=1e-12)


def test_names_of_a_decay() -> None:
    """After a warmup of 5, held for 5, with a cooldown of 10, in a run of 40: D is 20."""
    run = {"steps": 40, "warmup": 5, "hold": 5, "cooldown": 10}
    for formula, expected in (("D", 20), ("N", 5), ("T", 40)):
        assert decayed(formula, **run)[10:] == [expected] * 30
    assert decayed("tau", **run)[10:] == [*range(20), *[20] * 10]
    assert decayed("u * D", **run)[10:] == pytest.approx(decayed("tau", **run)[10:])


def test_names_of_a_warmup() -> None:
    assert warmed("t") == [*map(float, range(10))]
    assert warmed("N") == [10.0] * 10
    assert warmed("u * N") == pytest.approx(warmed("t"))


@pytest.mark.parametrize("length", [3, 7, 49, 97, 1000])
def test_t_is_whole(length) -> None:
    """Though u is what a shape is told."""
    assert warmed("t - floor(t)", length) == [0.0] * length


def test_by_epoch_it_counts_epochs() -> None:
    callback = LearningRateWarmup(FormulaWarmup(2, "t / N"), FormulaDecay("1 / (1 + tau)"), interval="epoch")
    values = callback.values(1.0, total_steps=15, steps_per_epoch=3)
    assert values == pytest.approx([v for v in (1 / 3, 2 / 3, 1, 1 / 2, 1 / 3) for _ in range(3)])


@pytest.mark.parametrize(
    ("formula", "ends"),
    [("tau", False), ("N", False), ("1", False), ("u", True), ("D", True), ("T", True), ("tau / T", True)],
)
def test_whether_the_length_must_be_known(formula, ends) -> None:
    assert FormulaDecay(formula).ends is ends


def test_it_is_a_value() -> None:
    for shape in (FormulaDecay("1 - u**2"), FormulaWarmup("10%", "sqrt(u)")):
        assert eval(repr(shape)) == shape
        assert pickle.loads(pickle.dumps(shape)) == shape
        assert str(shape) == shape.formula
    assert repr(FormulaDecay("1 - u**2")) == "FormulaDecay(formula='1 - u**2')"


@settings(deadline=None, max_examples=200)
@given(formula=st.text(alphabet="utaD1.9()*+-/% ,_['x:=", max_size=20))
def test_whatever_is_written_is_a_number_or_one_error(formula) -> None:
    told, values = "", []
    try:
        values = decayed(formula, 10)
    except ValueError as error:
        told = str(error)
    assert values or "FormulaDecay(formula=" in told
    assert all(math.isfinite(value) and value >= 0 for value in values)


MISTAKES = [
    # the formula, what is wrong with it, at which character
    ("1 - v", "'v' is not known", 5),
    ("1 - U", "'U' is not known", 5),
    ("  1 - t", "'t' is not known", 7),
    ("1 - sine(u)", "'sine' is no function that is known", 5),
    ("1 - cos", "cos is a function: cos(...)", 5),
    ("1 + cos(u, 2)", "cos takes 1", 5),
    ("max(u)", "max takes 2 or more", 1),
    ("1 - u^2", "a power is **, not ^", 6),
    ("(1 - u", "'(' was never closed", 1),
    ("1 - ", "this cannot be read", 5),
    ("1 − u", "invalid character '−' (U+2212)", 3),
    ("1 - u if u else 0", "this is no arithmetic", 1),
    ("1 - (u < 0.5)", "this is no arithmetic", 6),
    ("1 - 2j", "this is no arithmetic", 5),
    ("1 - 'u'", "this is no arithmetic", 5),
    ("1 - u.real", "this is no arithmetic", 5),
    ("[u][0]", "this is no arithmetic", 1),
    ("lambda: 1", "this is no arithmetic", 1),
    ("(u := 1)", "this is no arithmetic", 2),
    ("__import__('os').system('true')", "this is no arithmetic", 1),
    ("().__class__", "this is no arithmetic", 1),
    ("eval('1')", "'eval' is no function that is known", 1),
    ("min(*u)", "min takes 2", 1),
    ("min(u, *u)", "this is no arithmetic", 8),
    ("round(u, ndigits=2)", "this is no arithmetic", 1),
    ("True", "this is no arithmetic", 1),
    ("1 - 1" + "0" * 400, "this number is too large", 5),
    ("u\n- 1", "a formula is one line", 1),
    ("import os", "this cannot be read", 1),
    ("", "expected a formula, such as '1 - u**2'", 1),
    (None, "expected a formula", 1),
    (1.5, "expected a formula", 1),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "what", "character"), MISTAKES, ids=lambda part: repr(part)[:30])
def test_a_mistake_is_one_error_with_the_formula_and_the_place(formula, what, character) -> None:
    fix = "Write numbers, + - * / // % **, brackets, u, tau, D, N, T, pi, e, and sqrt, exp,"
    with refused(f"FormulaDecay(formula={formula!r}): ", what, f"at character {character}", fix):
        FormulaDecay(formula)


def test_a_mistake_in_a_warmup() -> None:
    with refused("FormulaWarmup(duration=5, formula='tau')", "'tau' is not known", "brackets, u, t, N, pi, e"):
        FormulaWarmup(5, "tau")


@pytest.mark.parametrize("formula", ["-" * 100_000 + "u", "(" * 300 + "u" + ")" * 300, "u" + " + u" * 100_000])
def test_what_is_too_deeply_nested(formula) -> None:
    with refused("FormulaDecay(formula='", "at character"):
        FormulaDecay(formula)


@pytest.mark.parametrize("formula", ["9**9**9**9", "floor(1e300)**floor(1e300)", "exp(1000)", "1 / u", "log(u)"])
def test_what_cannot_be_computed_is_refused_at_once(formula) -> None:
    start = time.perf_counter()
    with refused(f"FormulaDecay(formula={formula!r}) has no value at u = 0.0, tau = 0", "That is step 0."):
        decayed(formula)
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    ("formula", "step"),
    [("0.7 - u", 8), ("1 - 2 * (tau // 7)", 7), ("1 / (tau - 9)", 0), ("sqrt(0.5 - u)", 6), ("(0.5 - u) ** 0.5", 6)],
)
def test_what_is_no_learning_rate_is_refused_at_the_start_with_the_step(formula, step) -> None:
    with refused(f"FormulaDecay(formula={formula!r})", f"That is step {step}."):
        decayed(formula, 10)


def test_one_step_of_many_is_enough_to_be_refused() -> None:
    """A division by 0 at one step that no sample of the run would have met."""
    with refused("FormulaDecay(formula='(54321 - tau) / (54321 - tau)')", "ZeroDivisionError", "That is step 54,321."):
        decayed("(54321 - tau) / (54321 - tau)", 60_000)


def test_a_warmup_below_0() -> None:
    with refused("LearningRateWarmup(warmup=FormulaWarmup(duration=10, formula='u - 0.5')", "at step 0", "≥ 0"):
        warmed("u - 0.5")
    with refused("FormulaWarmup(duration=10, formula='1 / u') has no value at u = 0.0", "ZeroDivisionError", "step 0"):
        warmed("1 / u")


def test_the_end_is_not_asked_for_where_no_step_uses_it() -> None:
    assert decayed("log(1 - u) / log(0.01)", 4)[0] == 0.0
    with refused("FormulaDecay(formula='1 + log(1 - u) / 10') has no value at u = 1.0", "That is step 9."):
        decayed("1 + log(1 - u) / 10", 10, cooldown=1)


def test_a_step_costs_what_another_shape_does() -> None:
    """To within 2 µs, in the best of several rounds: the machine may be busy."""
    run = Run(steps=100_000)
    schedules = [
        resolve(LearningRateWarmup(0, decay)._config, run, [None], [1.0])
        for decay in (CosineDecay(), FormulaDecay("0.5 * (1 + cos(pi * u))"))
    ]
    rounds: list[list[float]] = [[], []]
    for _ in range(15):
        for seconds, schedule in zip(rounds, schedules, strict=True):
            start = time.perf_counter()
            for t in range(5_000):
                schedule.values(t)
            seconds.append((time.perf_counter() - start) / 5_000)
    cosine, formula = map(min, rounds)
    assert formula - cosine < 2e-6
