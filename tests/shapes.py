"""The table of shapes: a row for each warmup and each decay that is exported.

What is tested of every shape, in floats and in a Trainer, and what the gallery shows, is read from here. A new shape is
its class, its export, its row, and a line in the changelog.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

from torch.optim.lr_scheduler import ExponentialLR, StepLR

from lightning_warmup import (
    ConstantDecay,
    ConstantWarmup,
    CosineDecay,
    CosineRestartsDecay,
    CosineWarmup,
    Decay,
    DecayPart,
    ExponentialDecay,
    ExponentialWarmup,
    FormulaDecay,
    FormulaWarmup,
    FunctionDecay,
    FunctionWarmup,
    InverseSqrtDecay,
    InverseTimeDecay,
    LinearDecay,
    LinearWarmup,
    LineSearchWarmup,
    MultiStepDecay,
    OneMinusSqrtDecay,
    PersistentCatapultWarmup,
    PiecewiseConstantDecay,
    PiecewiseLinearDecay,
    PolynomialDecay,
    PolynomialWarmup,
    RAdamWarmup,
    ReduceOnPlateauDecay,
    RestartsDecay,
    SequentialDecay,
    SqrtBeta2Warmup,
    StepDecay,
    TorchDecay,
    UntunedExponentialWarmup,
    UntunedLinearWarmup,
    Warmup,
)


def cube(u: float) -> float:
    return u**3


def quarter_sine(u: float) -> float:
    return math.sin(u * math.pi / 2)


def parabola(u: float) -> float:
    return 1 - u * u


def shallow_parabola(u: float) -> float:
    return 1 - 0.9 * u * u


def cosine(u: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * u))


# --- warmups of a given length ---------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class WarmupRow:
    """A warmup.

    Args:
        shape: Its class.
        values: From 1 to 17 over N = 4, so that the weights 0, ¼, ½, ¾, 1 are 1, 5, 9, 13, 17; or over a shorter N.
            What the warmup is, and the value at 0, 1, 2, …; from N on 17 is held.
        rising: Shapes that never turn back on their way, of any ``duration``.
        trained: What is run in a Trainer, of 3 intervals.
        drawn: What the gallery shows, over 20 steps.
        jumps: Whether it does not get to the target little by little.
    """

    shape: type[Warmup]
    values: Sequence[tuple[Any, Sequence[float]]]
    rising: Sequence[Warmup]
    trained: Warmup
    drawn: Sequence[Warmup]
    jumps: bool = False


HALF_COSINE = 0.5 * (1 - math.cos(math.pi / 4))  # 0.146…

# fmt: off
WARMUPS = [
    WarmupRow(
        shape=LinearWarmup, trained=LinearWarmup(3), rising=[LinearWarmup(4)], drawn=[LinearWarmup(20)],
        values=[
            (LinearWarmup(4), [1, 5, 9, 13, 17, 17]),
            (4, [1, 5, 9, 13, 17, 17]),
            ("4 steps", [1, 5, 9, 13, 17, 17]),
            (LinearWarmup(2), [1, 9, 17]),
            (LinearWarmup(1), [1, 17, 17]),
            (LinearWarmup(0), [17, 17]),
            (0, [17, 17]),
        ],
    ),
    WarmupRow(
        shape=CosineWarmup, trained=CosineWarmup(3), rising=[CosineWarmup(4)], drawn=[CosineWarmup(20)],
        values=[
            (CosineWarmup(4), [1, 1 + 16 * HALF_COSINE, 9, 17 - 16 * HALF_COSINE, 17, 17]),
            (CosineWarmup(1), [1, 17, 17]),
        ],
    ),
    WarmupRow(
        shape=PolynomialWarmup, trained=PolynomialWarmup(3, power=2), drawn=[PolynomialWarmup(20, power=2)],
        rising=[PolynomialWarmup(4, power=0.3), PolynomialWarmup(4, power=2.5)],
        values=[
            (PolynomialWarmup(4), [1, 5, 9, 13, 17, 17]),
            (PolynomialWarmup(4, power=2), [1, 2, 5, 10, 17, 17]),
            (PolynomialWarmup(4, power=0.5), [1, 9, 1 + 16 * 0.5**0.5, 1 + 16 * 0.75**0.5, 17, 17]),
            (PolynomialWarmup(1, power=3), [1, 17, 17]),
        ],
    ),
    WarmupRow(
        shape=ExponentialWarmup, trained=ExponentialWarmup(3), rising=[ExponentialWarmup(4)],
        drawn=[ExponentialWarmup(20)],
        values=[
            (ExponentialWarmup(4), [1, 17**0.25, 17**0.5, 17**0.75, 17, 17]),
            (ExponentialWarmup(2), [1, 17**0.5, 17]),
            (ExponentialWarmup(1), [1, 17, 17]),
            (ExponentialWarmup(0), [17, 17]),
        ],
    ),
    WarmupRow(
        shape=ConstantWarmup, trained=ConstantWarmup(3), rising=[ConstantWarmup(4)], drawn=[ConstantWarmup(20)],
        jumps=True,
        values=[
            (ConstantWarmup(4), [1, 1, 1, 1, 17, 17]),
            (ConstantWarmup(1), [1, 17, 17]),
            (ConstantWarmup(0), [17, 17]),
        ],
    ),
    WarmupRow(
        shape=FunctionWarmup, trained=FunctionWarmup(3, cube), rising=[FunctionWarmup(4, quarter_sine)],
        drawn=[FunctionWarmup(20, math.sqrt)],
        values=[
            (FunctionWarmup(4, math.sqrt), [1, 9, 1 + 16 * 0.5**0.5, 1 + 16 * 0.75**0.5, 17, 17]),
            (FunctionWarmup(4, cube), [1, 1.25, 3, 7.75, 17, 17]),
        ],
    ),
    WarmupRow(
        shape=FormulaWarmup, trained=FormulaWarmup(3, "1 - sqrt(1 - u)"),
        rising=[FormulaWarmup(4, "1 - (1 - u)**2")], drawn=[FormulaWarmup(20, "log(1 + t) / log(1 + N)")],
        values=[
            (FormulaWarmup(4, "u"), [1, 5, 9, 13, 17, 17]),
            (FormulaWarmup(4, "t / N"), [1, 5, 9, 13, 17, 17]),
            (FormulaWarmup(4, "u**2"), [1, 2, 5, 10, 17, 17]),
            (FormulaWarmup(3, "log(1 + t, 2) / log2(1 + N)"), [1, 9, 1 + 8 * math.log2(3), 17, 17]),
            (FormulaWarmup(4, "1 - (1 - u)**2"), [1, 8, 13, 16, 17, 17]),
        ],
    ),
]
# fmt: on


# --- warmups from β2 -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Beta2Row:
    """A warmup whose length follows from β2; the gallery shows all of them in one picture.

    Args:
        shape: Its class.
        published: The weight of the steps 1, 10, 100 and 1,000 (t from 1) where β2 is 0.999, to three digits.
    """

    shape: type[Warmup]
    published: Sequence[float]


BETA2_WARMUPS = [
    Beta2Row(shape=UntunedLinearWarmup, published=[0.001, 0.005, 0.050, 0.500]),
    Beta2Row(shape=UntunedExponentialWarmup, published=[0.001, 0.010, 0.095, 0.632]),
    # At t = 1 the first positive one, that of t = 6.
    Beta2Row(shape=RAdamWarmup, published=[0.017, 0.049, 0.215, 0.645]),
    Beta2Row(shape=SqrtBeta2Warmup, published=[0.032, 0.100, 0.309, 0.795]),
]


# --- decays ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class DecayRow:
    """A decay.

    Args:
        shape: Its class.
        name: Its short name, if it has one.
        values: From 1 over D = 8 intervals: the decay, and the factor at 0, 1, 2, …; the end, at 8, is held. Of decays
            that look at nothing of the run but their own length.
        values_of_the_run: The same, of decays that look at more: the length of the run, its start, the warmup.
        falling: Shapes that never rise. Those that have a ``final`` and end fall just there, whatever it is.
        trained: What is run in a Trainer, over 16 steps or 8 epochs, 2 of them warmup.
        drawn: What the gallery shows, over 90 steps after a warmup of 10.
        intervals: What it can be run by.
    """

    shape: type[Decay]
    name: str | None = None
    values: Sequence[tuple[Decay, Sequence[float]]] = ()
    values_of_the_run: Sequence[tuple[Decay, Sequence[float]]] = ()
    falling: Sequence[Decay] = ()
    trained: Decay
    drawn: Sequence[Decay]
    intervals: Sequence[str] = ("step", "epoch")


# fmt: off
DECAYS = [
    DecayRow(
        shape=ConstantDecay, name="constant", trained=ConstantDecay(), falling=[ConstantDecay()],
        drawn=[ConstantDecay()],
        values=[(ConstantDecay(), [1] * 11)],
    ),
    DecayRow(
        shape=LinearDecay, name="linear", trained=LinearDecay(0.1), falling=[LinearDecay(), LinearDecay(0.1)],
        drawn=[LinearDecay(), LinearDecay(final=0.2)],
        values=[
            (LinearDecay(), [1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8, 0, 0, 0]),
            (LinearDecay(final=0.2), [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.2, 0.2]),
            (LinearDecay(final=5), [1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 5, 5]),
            (LinearDecay(final=1), [1] * 11),
        ],
    ),
    DecayRow(
        shape=CosineDecay, name="cosine", trained=CosineDecay(), falling=[CosineDecay(), CosineDecay(0.3)],
        drawn=[CosineDecay()],
        values=[
            (CosineDecay(), [*(cosine(t / 8) for t in range(8)), 0, 0, 0]),
            (CosineDecay(final=0.2), [*(0.2 + 0.8 * cosine(t / 8) for t in range(8)), 0.2, 0.2, 0.2]),
        ],
    ),
    DecayRow(
        shape=PolynomialDecay, name="polynomial", trained=PolynomialDecay(2),
        falling=[PolynomialDecay(0.5), PolynomialDecay(3.0)], drawn=[PolynomialDecay(power=2)],
        values=[
            (PolynomialDecay(), [1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8, 0, 0, 0]),
            (PolynomialDecay(2), [1, 49 / 64, 36 / 64, 25 / 64, 16 / 64, 9 / 64, 4 / 64, 1 / 64, 0, 0, 0]),
            (PolynomialDecay(2, final=0.5), [1, 113 / 128, 0.78125, 89 / 128, 0.625, 73 / 128, 0.53125, 65 / 128, 0.5]),
        ],
    ),
    DecayRow(
        shape=OneMinusSqrtDecay, name="one_minus_sqrt", trained=OneMinusSqrtDecay(),
        falling=[OneMinusSqrtDecay(), OneMinusSqrtDecay(0.05)], drawn=[OneMinusSqrtDecay()],
        values=[
            (OneMinusSqrtDecay(), [1, 1 - 8**-0.5, 0.5, 1 - (3 / 8) ** 0.5, 1 - 0.5**0.5]),
            (OneMinusSqrtDecay(final=0.2), [1, 1 - 0.8 * 8**-0.5, 0.6, 1 - 0.8 * (3 / 8) ** 0.5, 1 - 0.8 * 0.5**0.5]),
        ],
    ),
    DecayRow(
        shape=FunctionDecay, trained=FunctionDecay(parabola), falling=[FunctionDecay(shallow_parabola)],
        drawn=[FunctionDecay(parabola)],
        values=[
            (FunctionDecay(parabola), [1, 63 / 64, 60 / 64, 55 / 64, 48 / 64, 39 / 64, 28 / 64, 15 / 64, 0, 0, 0]),
            (FunctionDecay(cosine), [*(cosine(t / 8) for t in range(8)), 0, 0, 0]),
        ],
    ),
    DecayRow(
        shape=ExponentialDecay, trained=ExponentialDecay(0.9),
        falling=[ExponentialDecay(0.9), ExponentialDecay(0.97, every=2)], drawn=[ExponentialDecay(0.5, every=20)],
        values=[
            (ExponentialDecay(0.5), [2.0**-t for t in range(9)] + [2.0**-8] * 2),
            (ExponentialDecay(0.5, every=2), [2 ** (-t / 2) for t in range(9)] + [2.0**-4] * 2),
            (ExponentialDecay(2.0, every=4), [2 ** (t / 4) for t in range(9)] + [4, 4]),
            (ExponentialDecay(0.5, final=0.1), [1, 0.5, 0.25, 0.125, *[0.1] * 7]),
        ],
    ),
    DecayRow(
        shape=InverseSqrtDecay, name="inverse_sqrt", trained=InverseSqrtDecay(),
        falling=[InverseSqrtDecay(), InverseSqrtDecay(5), InverseSqrtDecay(9)], drawn=[InverseSqrtDecay()],
        values=[(InverseSqrtDecay(timescale=8), [(8 / (8 + t)) ** 0.5 for t in range(9)] + [0.5**0.5] * 2)],
        values_of_the_run=[
            (InverseSqrtDecay(), [(1 + t) ** -0.5 for t in range(9)] + [1 / 3] * 2),
            (InverseSqrtDecay(timescale="25%"), [(2 / (2 + t)) ** 0.5 for t in range(9)]),
            (InverseSqrtDecay(final="50%"), [1, 0.5**0.5, 3**-0.5, *[0.5] * 8]),
        ],
    ),
    DecayRow(
        shape=InverseTimeDecay, trained=InverseTimeDecay(3, power=0.7, final=0.3),
        falling=[InverseTimeDecay(5), InverseTimeDecay(9, power=2.0, final=0.1)], drawn=[InverseTimeDecay(20)],
        values=[
            (InverseTimeDecay(4), [4 / (4 + t) for t in range(9)] + [1 / 3] * 2),
            (InverseTimeDecay(4, power=0.5), [(4 / (4 + t)) ** 0.5 for t in range(9)] + [3**-0.5] * 2),
            (InverseTimeDecay(2, power=2, final="10%"), [1, 4 / 9, 1 / 4, 4 / 25, 1 / 9, *[0.1] * 6]),
        ],
        values_of_the_run=[(InverseTimeDecay("25%"), [2 / (2 + t) for t in range(9)])],
    ),
    DecayRow(
        shape=StepDecay, trained=StepDecay(2), falling=[StepDecay(7, gamma=0.5, final=0.01)],
        drawn=[StepDecay(30, gamma=0.5)],
        values=[
            (StepDecay(3), [1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.01, 0.01]),
            (StepDecay(4, gamma=0.5), [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]),
            (StepDecay(2, gamma=0.5, final=0.2), [1, 1, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2, 0.2, 0.2, 0.2]),
        ],
        values_of_the_run=[(StepDecay("50%", gamma=0.5), [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25])],
    ),
    DecayRow(
        shape=MultiStepDecay, trained=MultiStepDecay([4, 6]), falling=[MultiStepDecay([12, 17, 40], gamma=0.3)],
        drawn=[MultiStepDecay([50, 75])],
        values_of_the_run=[
            (MultiStepDecay([3]), [1, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]),
            (MultiStepDecay([1, 2, 6], gamma=0.5), [1, 0.5, 0.25, 0.25, 0.25, 0.25, 0.125, 0.125, 0.125, 0.125, 0.125]),
            (MultiStepDecay(["25%", 0.5, 7], gamma=0.5), [1, 1, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125, 0.125]),
            (MultiStepDecay([3, 9]), [1, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]),
            (MultiStepDecay([1, 2, 6], gamma=0.5, final=0.2), [1, 0.5, 0.25, 0.25, 0.25, 0.25, *[0.2] * 5]),
        ],
    ),
    DecayRow(
        shape=PiecewiseLinearDecay, trained=PiecewiseLinearDecay({3: 1.0, "50%": 0.5, "75%": "20%"}),
        falling=[PiecewiseLinearDecay({20: 1, 30: 0.4, 50: 0.1})],
        drawn=[PiecewiseLinearDecay({20: 1, 40: 0.3, 60: 0.8, 80: 0.2})],
        values_of_the_run=[
            (PiecewiseLinearDecay({0: 1, 4: 0.5, 8: 0.1}), [1, 0.875, 0.75, 0.625, 0.5, 0.4, 0.3, 0.2, *[0.1] * 3]),
            (PiecewiseLinearDecay({"25%": 0.5, "75%": "10%"}), [0.5, 0.5, 0.5, 0.4, 0.3, 0.2, *[0.1] * 5]),
            (PiecewiseLinearDecay({1: 1, 2: 3, 12: 0}), [1, 1, 3, 2.7, 2.4, 2.1, 1.8, 1.5, *[1.2] * 3]),
            (PiecewiseLinearDecay({5: 0.25}), [0.25] * 11),
        ],
    ),
    DecayRow(
        shape=PiecewiseConstantDecay, trained=PiecewiseConstantDecay({0: 1, 4: 0.5, "75%": "20%"}),
        falling=[PiecewiseConstantDecay({20: 0.4, 30: 0.1})],
        drawn=[PiecewiseConstantDecay({30: 0.6, 50: 0.9, 80: 0.1})],
        values_of_the_run=[
            (PiecewiseConstantDecay({"25%": 0.5, 5: 0.7, 7: 0}), [1, 1, 0.5, 0.5, 0.5, 0.7, 0.7, 0, 0, 0, 0]),
            (PiecewiseConstantDecay({0: 0.5, 6: "10%", 9: 5}), [*[0.5] * 6, *[0.1] * 5]),
        ],
    ),
    DecayRow(
        shape=CosineRestartsDecay, trained=CosineRestartsDecay(2, multiplier=2, gamma=0.9),
        drawn=[CosineRestartsDecay(30)],
        values=[
            (CosineRestartsDecay(4), [1, cosine(1 / 4), 0.5, cosine(3 / 4)] * 2 + [0, 0, 0]),
            (CosineRestartsDecay(1), [1] * 8 + [0] * 3),
            (CosineRestartsDecay(3, final=0.4), [1, 0.85, 0.55, 1, 0.85, 0.55, 1, 0.85, 0.55, 0.55, 0.55]),
            (CosineRestartsDecay(4, gamma=0.5, final=0.2),
             [1, 0.2 + 0.8 * cosine(1 / 4), 0.6, 0.2 + 0.8 * cosine(3 / 4),
              0.5, 0.2 + 0.3 * cosine(1 / 4), 0.35, 0.2 + 0.3 * cosine(3 / 4), 0.2, 0.2, 0.2]),
            (CosineRestartsDecay(3, gamma=0.5), [1, 0.75, 0.25, 0.5, 0.375, 0.125, 0.25, 0.1875, 0.0625]),
            (CosineRestartsDecay(3, gamma=0.5, final=0.1), [1, 0.775, 0.325, 0.5, 0.4, 0.2, 0.25, 0.2125, 0.1375]),
            (CosineRestartsDecay(2, multiplier=2), [1, 0.5, 1, cosine(1 / 4), 0.5, cosine(3 / 4), 1, cosine(1 / 8)]),
            (CosineRestartsDecay(1, multiplier=3, gamma=0.5),
             [1, 0.5, 0.375, 0.125, *(cosine(t / 9) / 4 for t in range(4))]),
            (CosineRestartsDecay(2, multiplier=1.5), [1, 0.5, 1, 0.75, 0.25, 1, cosine(1 / 4.5), cosine(2 / 4.5)]),
        ],
        values_of_the_run=[(CosineRestartsDecay("25%"), [1, 0.5, 1, 0.5, 1, 0.5, 1, 0.5, 0, 0, 0])],
    ),
    DecayRow(
        shape=RestartsDecay, trained=RestartsDecay(LinearDecay(0.1), period=3, warmup=1, gamma=0.8),
        drawn=[RestartsDecay(LinearDecay(0.2), period=40, warmup=10, gamma=0.7), RestartsDecay("cosine", cycles=4)],
        values=[
            (RestartsDecay("linear", 4), [1, 0.75, 0.5, 0.25] * 2 + [0, 0, 0]),
            (RestartsDecay("linear", 2, multiplier=2), [1, 0.5, 1, 0.75, 0.5, 0.25, 1, 7 / 8, *[6 / 8] * 3]),
            (RestartsDecay(LinearDecay("20%"), 4, gamma=0.5),
             [1, 0.8, 0.6, 0.4, 0.5, 0.425, 0.35, 0.275, 0.2, 0.2, 0.2]),
            (RestartsDecay("linear", 4, warmup=2), [1, 0.5, 0, 0.5, 1, 0.5, 0, 0.5, 1, 1, 1]),
            (RestartsDecay("linear", 3, warmup=1), [1, 0.5, 0, 1, 0.5, 0, 1, 0.5, 0, 0, 0]),
            (RestartsDecay(LinearDecay(0.2), 4, gamma=0.5, warmup=2), [1, 0.6, 0.2, 0.35, 0.5, 0.35, 0.2, 0.225, 0.25]),
            (RestartsDecay("linear", 3, multiplier=2, warmup=1), [1, 0.5, 0, 1, 0.75, 0.5, 0.25, 0, 1]),
            (RestartsDecay("linear", cycles=2), [1, 0.75, 0.5, 0.25] * 2 + [0, 0, 0]),
            (RestartsDecay("linear", cycles=3), [1, 5 / 8, 2 / 8, 7 / 8, 4 / 8, 1 / 8, 6 / 8, 3 / 8, 0, 0, 0]),
            (RestartsDecay("cosine", cycles=1), [*(cosine(t / 8) for t in range(8)), 0, 0, 0]),
            (RestartsDecay("linear", cycles=2, warmup=2), [1, 2 / 3, 1 / 3, 0, 0.5, 1, 2 / 3, 1 / 3, 0, 0, 0]),
            (RestartsDecay("linear", cycles=2, multiplier=3), [1, 0.5, *(1 - t / 6 for t in range(6)), 0]),
            (RestartsDecay("linear", cycles=2, multiplier=1 / 3), [*(1 - t / 6 for t in range(6)), 1, 0.5, 0]),
            (RestartsDecay(StepDecay(2, gamma=0.5), 4, gamma=0.5), [1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125]),
            (RestartsDecay(StepDecay(2, gamma=0.5, final=0.3), 4, gamma=0.5),
             [1, 1, 0.5, 0.5, 0.5, 0.5, 0.3, 0.3, 0.3]),
            (RestartsDecay(FormulaDecay("1 - u**2"), 4), [1, 15 / 16, 12 / 16, 7 / 16] * 2 + [0]),
        ],
        values_of_the_run=[(RestartsDecay("cosine", "25%"), [1, 0.5, 1, 0.5, 1, 0.5, 1, 0.5, 0, 0, 0])],
    ),
    DecayRow(
        shape=SequentialDecay,
        trained=SequentialDecay(
            [DecayPart("constant", 2), DecayPart(LinearDecay(0.5), 2), DecayPart("cosine", start=0.3)]
        ),
        falling=[SequentialDecay([DecayPart(InverseTimeDecay(9), 9), DecayPart(ExponentialDecay(0.9, final=0.1))])],
        drawn=[
            SequentialDecay(
                [DecayPart("constant", 20), DecayPart(CosineDecay(0.5), 30), DecayPart("constant", start=0.2)]
            )
        ],
        values=[
            (SequentialDecay([DecayPart("linear")]), [1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8, 0, 0, 0]),
            (SequentialDecay([DecayPart("linear", 4)]), [1, 0.75, 0.5, 0.25, *[0] * 7]),
            (SequentialDecay([DecayPart("constant", 2), DecayPart(LinearDecay("50%"), 2), DecayPart("linear")]),
             [1, 1, 1, 0.75, 0.5, 0.375, 0.25, 0.125, 0, 0, 0]),
            (SequentialDecay([DecayPart("constant", 3), DecayPart("linear", 2, 0.5), DecayPart("constant", 1, "20%")]),
             [1, 1, 1, 0.5, 0.25, *[0.2] * 6]),
            (SequentialDecay([DecayPart(LinearDecay(3), 4), DecayPart(StepDecay(2, gamma=0.5))]),
             [1, 1.5, 2, 2.5, 3, 3, 1.5, 1.5, 0.75, 0.75, 0.75]),
            (SequentialDecay([DecayPart(CosineRestartsDecay(2, final=0.4), 4), DecayPart("linear")]),
             [1, 0.7, 1, 0.7, 0.4, 0.3, 0.2, 0.1, 0]),
            (SequentialDecay([DecayPart("linear", 2), DecayPart(RestartsDecay("linear", cycles=2), 4, start=2)]),
             [1, 0.5, 2, 1, 2, 1, 0, 0, 0, 0, 0]),
        ],
        values_of_the_run=[
            (SequentialDecay([DecayPart("constant", "25%"), DecayPart("linear", 0.5)]),
             [1, 1, 1, 0.75, 0.5, 0.25, 0, 0, 0, 0, 0]),
            (SequentialDecay([DecayPart("constant", 2), DecayPart(MultiStepDecay([4, "75%"], gamma=0.5))]),
             [1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.25]),
        ],
    ),
    DecayRow(
        shape=FormulaDecay, trained=FormulaDecay("(1 - u) / (1 - u / 2)"),
        falling=[FormulaDecay("1 - u**3"), FormulaDecay("(1 + tau / 9) ** -0.7"), FormulaDecay("exp(-3 * u)")],
        drawn=[FormulaDecay("(1 - u) / (1 - u / 2)"), FormulaDecay("(1 + tau / 20) ** -0.7")],
        values=[
            (FormulaDecay("1 - u"), [1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8, 0, 0, 0]),
            (FormulaDecay("1 - tau / D"), [1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8, 0, 0, 0]),
            (FormulaDecay("0.5 * (1 + cos(pi * u))"), [*(cosine(t / 8) for t in range(8)), 0, 0, 0]),
            (FormulaDecay("max(0.2, 2 ** -floor(tau / 2))"), [1, 1, 0.5, 0.5, 0.25, 0.25, *[0.2] * 5]),
            (FormulaDecay("1"), [1] * 11),
            (FormulaDecay("e ** -tau"), [math.exp(-t) for t in range(9)]),
        ],
        values_of_the_run=[
            (FormulaDecay("1 - tau / (2 * T) + N"), [1 - t / 16 for t in range(9)] + [0.5] * 2),
        ],
    ),
    # By epoch it is another one, with unit="epoch": training/test_torch_decay.py; its picture is among the schedulers.
    DecayRow(
        shape=TorchDecay, trained=TorchDecay(partial(StepLR, step_size=3)), drawn=[], intervals=["step"],
        values=[
            (TorchDecay(partial(StepLR, step_size=3)), [1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.01, 0.01]),
            (TorchDecay(partial(ExponentialLR, gamma=0.5)), [2.0**-t for t in range(9)] + [2.0**-8] * 2),
        ],
    ),
]
# fmt: on


# --- shapes that are measured on the run -----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class MeasuredRow:
    """A shape whose values nobody knows before the run: it has tests of its own, and no table.

    Args:
        shape: Its class.
        example: One of it, for which ``values()`` is refused.
        tests: The file that runs it.
    """

    shape: type[Warmup] | type[Decay]
    example: Warmup | Decay
    tests: str


MEASURED = [
    MeasuredRow(shape=LineSearchWarmup, example=LineSearchWarmup(2), tests="critical/test_line_search.py"),
    MeasuredRow(shape=PersistentCatapultWarmup, example=PersistentCatapultWarmup(), tests="critical/test_catapult.py"),
    MeasuredRow(shape=ReduceOnPlateauDecay, example=ReduceOnPlateauDecay("val_loss"), tests="training/test_plateau.py"),
]


# --- what several tests ask of the table -----------------------------------------------------------------------------

ROWS = {row.shape: row for row in [*WARMUPS, *BETA2_WARMUPS, *DECAYS, *MEASURED]}

RISING = [shape for row in WARMUPS for shape in row.rising]

FALLING = [shape for row in DECAYS for shape in row.falling]
FALLING_TO_FINAL = [shape for shape in FALLING if shape.ends and hasattr(shape, "final")]


def with_fields(*names: str) -> list[tuple[Decay, str]]:
    """Of every decay the fields that have one of these names, beside a decay to put another value into."""
    return [(row.trained, field.name) for row in DECAYS for field in fields(row.trained) if field.name in names]


def shape_id(value: object) -> str:
    """A shape as pytest is to show it."""
    return "" if isinstance(value, float) else repr(value).replace("<function ", "").split(" at 0x")[0]
