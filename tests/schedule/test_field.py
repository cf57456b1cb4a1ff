"""What other libraries schedule, number by number: torch's schedulers are run, of the rest the published formula."""

import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch.optim import lr_scheduler

from lightning_warmup import (
    CosineDecay,
    CosineRestartsDecay,
    CosineWarmup,
    DecayPart,
    ExponentialDecay,
    FormulaDecay,
    FormulaWarmup,
    InverseSqrtDecay,
    InverseTimeDecay,
    LearningRateWarmup,
    LinearDecay,
    MultiStepDecay,
    PiecewiseConstantDecay,
    PiecewiseLinearDecay,
    PolynomialDecay,
    RestartsDecay,
)

N, T = 10, 100

pi, cos = math.pi, math.cos


def torchs(make: Callable[[torch.optim.Optimizer], object], lr: float, steps: int = T) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=lr)
    scheduler, used = make(optimizer), []
    for step in range(steps):
        used.append(optimizer.param_groups[0]["lr"])
        if step < steps - 1:
            optimizer.step()
            scheduler.step()  # type: ignore[attr-defined]
    return used


def W(*args: object, **kwargs: object) -> LearningRateWarmup:
    """What most of them write: a warmup from 0."""
    return LearningRateWarmup(*args, **{"warmup_initial_lr": 0.0, **kwargs})  # type: ignore[arg-type]


# --- torch -----------------------------------------------------------------------------------------------------------

TORCH = {
    "CyclicLR triangular": (
        lambda o: lr_scheduler.CyclicLR(o, 0.02, 0.1, step_size_up=8, cycle_momentum=False),
        LearningRateWarmup(8, RestartsDecay(LinearDecay("20%"), 16, warmup=8), warmup_initial_lr="20%"),
    ),
    "CyclicLR triangular2": (
        lambda o: lr_scheduler.CyclicLR(o, 0.0, 0.1, step_size_up=8, mode="triangular2", cycle_momentum=False),
        W(8, RestartsDecay("linear", 16, gamma=0.5, warmup=8)),
    ),
    "CyclicLR step_size_down": (
        lambda o: lr_scheduler.CyclicLR(o, 0.02, 0.1, step_size_up=5, step_size_down=12, cycle_momentum=False),
        LearningRateWarmup(5, RestartsDecay(LinearDecay("20%"), 17, warmup=5), warmup_initial_lr="20%"),
    ),
    "CosineAnnealingWarmRestarts": (
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=9, T_mult=2, eta_min=0.01),
        LearningRateWarmup(0, RestartsDecay(CosineDecay("10%"), 9, multiplier=2)),
    ),
    "SequentialLR of three": (
        lambda o: lr_scheduler.SequentialLR(
            o,
            [
                lr_scheduler.LinearLR(o, 0.1, total_iters=10),
                lr_scheduler.ConstantLR(o, 1.0, total_iters=1),
                lr_scheduler.ExponentialLR(o, 0.9),
            ],
            [10, 40],
        ),
        LearningRateWarmup(
            10, [DecayPart("constant", 30), DecayPart(ExponentialDecay(0.9))], warmup_initial_lr="10%"
        ),
    ),
    "OneCycleLR three_phase": (
        lambda o: lr_scheduler.OneCycleLR(
            o, 0.1, total_steps=101, three_phase=True, pct_start=31 / 101, anneal_strategy="linear"
        ),
        LearningRateWarmup(
            30, [DecayPart(LinearDecay("4%"), 30), DecayPart(LinearDecay(1e-4))], warmup_initial_lr="4%", total=T
        ),
    ),
    "CosineAnnealingLR that climbs again": (
        lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=20),
        LearningRateWarmup(0, FormulaDecay("0.5 * (1 + cos(pi * tau / 20))")),
    ),
    "MultiStepLR to a floor, by points": (
        lambda o: lr_scheduler.MultiStepLR(o, [30, 80], gamma=0.1),
        LearningRateWarmup(0, PiecewiseConstantDecay({30: "10%", "80%": 0.01})),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("make", "ours"), TORCH.values(), ids=TORCH)
def test_torch(make, ours) -> None:
    assert ours.values(0.1, total_steps=T) == pytest.approx(torchs(make, 0.1), rel=1e-9, abs=1e-12)


# --- published formulas, as factors of the target --------------------------------------------------------------------


def warmup(t: int) -> float:
    return min(1.0, t / N)


def share(t: int) -> float:
    """Of what comes after a warmup of N, in a run of T."""
    return (t - N) / (T - N)


def after(factor: Callable[[float], float]) -> Callable[[int], float]:
    """A warmup from 0, then a factor of the share of the rest."""
    return lambda t: warmup(t) if t < N else factor(share(t))


def katsura(first: int, mult: float, gamma: float, warmup: int, low: float) -> Callable[[int], float]:
    """CosineAnnealingWarmupRestarts, by its own loop."""

    def factor(t: int) -> float:
        cycle, length, at = 0, first, t
        while at >= length:
            at -= length
            length = int((length - warmup) * mult) + warmup
            cycle += 1
        high = gamma**cycle
        if at < warmup:
            return low + (high - low) * at / warmup
        return low + (high - low) * 0.5 * (1 + cos(pi * (at - warmup) / (length - warmup)))

    return factor


def timm_cosine(t_initial: int, mul: float, decay: float, limit: int, low: float) -> Callable[[int], float]:
    """CosineLRScheduler with cycles, t_mul whole."""

    def factor(t: int) -> float:
        cycle, start, length = 0, 0.0, float(t_initial)
        while t >= start + length:
            start, length, cycle = start + length, length * mul, cycle + 1
        if cycle >= limit:
            return low
        return low + 0.5 * (decay**cycle - low) * (1 + cos(pi * (t - start) / length))

    return factor


def triangular(shrink: float) -> Callable[[int], float]:
    """fairseq's TriangularLRSchedule: period 20, min a tenth of max."""

    def factor(t: int) -> float:
        low, high = 0.1, shrink ** (t // 20)
        r = t / 20 - t // 20
        return low + (high - low) * (2 * r if r < 0.5 else 2 * (1 - r))

    return factor


def piecewise(points: dict[int, float]) -> Callable[[int], float]:
    def factor(t: int) -> float:
        for (a, fa), (b, fb) in pairwise(points.items()):
            if a <= t < b:
                return fa + (fb - fa) * (t - a) / (b - a)
        return list(points.values())[0 if t < min(points) else -1]

    return factor


def noam_hold(t: int) -> float:
    """NeMo's NoamHoldAnnealing, warmup 10, hold 20, decay_rate 1 (Squeezeformer)."""
    return t / 10 if t < 10 else 1.0 if t < 30 else 10 / (t - 20)


FIELD: dict[str, tuple[Callable[[int], float], LearningRateWarmup]] = {
    # warmups
    "DeepSpeed WarmupLR, log": (
        lambda t: math.log(t + 1) / math.log(N + 1) if t < N else 1,
        W(FormulaWarmup(N, "log(1 + t) / log(1 + N)")),
    ),
    "transformers wsd, warmup 1-sqrt": (
        lambda t: 1 - math.sqrt(1 - t / N) if t < N else 1,
        W(FormulaWarmup(N, "1 - sqrt(1 - u)")),
    ),
    "optax polynomial growth": (lambda t: 1 - max(0, 1 - t / N) ** 3, W(FormulaWarmup(N, "1 - (1 - u)**3"))),
    "pytorch_warmup ExponentialWarmup": (
        lambda t: 1 - math.exp(-(t + 1) / 5) if t < T else 1,
        W(FormulaWarmup("100%", "1 - exp(-(t + 1) / 5)")),
    ),
    "DeepSpeed OneCycle, a first half in stairs": (
        lambda t: math.floor(t / N * 5) / 5 if t < N else 1,
        W(FormulaWarmup(N, "floor(u * 5) / 5")),
    ),
    # transformers
    "transformers cosine, num_cycles": (
        after(lambda u: max(0.0, 0.5 * (1 + cos(pi * 2.5 * 2 * u)))),
        W(N, FormulaDecay("max(0, 0.5 * (1 + cos(pi * 2.5 * 2 * u)))")),
    ),
    "transformers hard restarts, 4 in 90": (
        after(lambda u: 0.0 if u >= 1 else max(0.0, 0.5 * (1 + cos(pi * ((4 * u) % 1.0))))),
        W(N, RestartsDecay("cosine", cycles=4)),
    ),
    "transformers cosine_with_min_lr, num_cycles": (
        after(lambda u: 0.1 + 0.9 * 0.5 * (1 + cos(pi * 1.5 * 2 * u))),
        W(N, FormulaDecay("0.1 + 0.9 * 0.5 * (1 + cos(pi * 1.5 * 2 * u))")),
    ),
    # timm
    "timm tanh": (
        lambda t: 0.01 + 0.5 * 0.99 * (1 - math.tanh(-7 * (1 - t / T) + 3 * t / T)),
        LearningRateWarmup(0, FormulaDecay("0.01 + 0.5 * 0.99 * (1 - tanh(-7 * (1 - u) + 3 * u))")),
    ),
    "timm k-decay": (
        lambda t: 0.1 + 0.45 * (1 + cos(pi * t**2 / T**2)),
        LearningRateWarmup(0, FormulaDecay("0.1 + 0.45 * (1 + cos(pi * u**2))")),
    ),
    "timm poly, k-decay": (
        lambda t: 0.1 + 0.9 * (1 - t**2 / T**2) ** 0.5,
        LearningRateWarmup(0, FormulaDecay("0.1 + 0.9 * (1 - u**2) ** 0.5")),
    ),
    "timm cycle_limit": (
        timm_cosine(20, 2, 0.5, 2, 0.01),
        LearningRateWarmup(
            0,
            [
                DecayPart(CosineRestartsDecay(20, 2, 0.5, 0.01), 60),
                DecayPart("constant", start="1%"),
            ],
        ),
    ),
    "timm wsd, power": (after(lambda u: 1 - u**2), W(N, FormulaDecay("1 - u**2"))),
    "timm, warmup_prefix=False": (
        lambda t: warmup(t) if t < N else 0.5 * (1 + cos(pi * t / T)),
        W(N, FormulaDecay("0.5 * (1 + cos(pi * (tau + N) / T))")),
    ),
    "detectron2 cosine, rescale_interval=False": (
        # From 0 to the cosine's value at the end of the warmup.
        lambda t: (t / N) * 0.5 * (1 + cos(pi * N / T)) if t < N else 0.5 * (1 + cos(pi * t / T)),
        W(
            N,
            FormulaDecay("(1 + cos(pi * (tau + N) / T)) / (1 + cos(pi * N / T))"),
            target_lr=0.5 * (1 + cos(pi * N / T)),
        ),
    ),
    "detectron2 WarmupCosineLR, a product": (
        lambda t: warmup(t) * 0.5 * (1 + cos(pi * t / T)),
        W(N, "cosine", decay_from="start"),
    ),
    # floors
    "NeMo NoamAnnealing, min_lr": (
        lambda t: warmup(t) if t < N else max(0.5, (N / t) ** 0.5),
        W(N, InverseSqrtDecay(final="50%")),
    ),
    "NeMo NoamHold, decay_rate 1": (noam_hold, W(N, InverseTimeDecay(10), hold=20)),
    "Megatron inverse-square-root, min_lr": (
        lambda t: warmup(t) if t < N else max(0.4, (N / t) ** 0.5),
        W(N, InverseSqrtDecay(final=0.4)),
    ),
    "optax exponential_decay, end_value": (
        lambda t: max(0.05, 0.5 ** (t / 15)),
        LearningRateWarmup(0, ExponentialDecay(0.5, every=15, final="5%")),
    ),
    "Keras InverseTimeDecay": (lambda t: 1 / (1 + 0.5 * t / 20), LearningRateWarmup(0, InverseTimeDecay(40))),
    "Keras InverseTimeDecay, staircase": (
        lambda t: 1 / (1 + 0.5 * (t // 20)),
        LearningRateWarmup(0, FormulaDecay("1 / (1 + 0.5 * floor(tau / 20))")),
    ),
    "PyTorch MultiStep to a floor": (
        lambda t: max(0.03, 0.1 ** ((t >= 30) + (t >= 60) + (t >= 80))),
        LearningRateWarmup(0, MultiStepDecay([30, 60, 80], final="3%")),
    ),
    # values given
    "Keras PiecewiseConstantDecay": (
        lambda t: 1.0 if t <= 30 else 0.5 if t <= 60 else 0.3,
        LearningRateWarmup(0, PiecewiseConstantDecay({31: 0.5, 61: 0.3})),
    ),
    "DeepSeek-LLM": (
        lambda t: warmup(t) if t < 80 else 0.316 if t < 90 else 0.1,
        W(N, PiecewiseConstantDecay({"80%": 0.316, "90%": "10%"})),
    ),
    "ignite PiecewiseLinear": (
        piecewise({0: 0.2, 10: 1.0, 40: 0.6, 70: 0.7, 90: 0.0}),
        LearningRateWarmup(0, PiecewiseLinearDecay({0: 0.2, 10: 1, 40: 0.6, 70: 0.7, 90: 0})),
    ),
    "optax piecewise_interpolate, cosine": (
        lambda t: (
            1 - 0.5 * 0.5 * (1 - cos(pi * t / 40)) if t < 40
            else 0.5 - 0.4 * 0.5 * (1 - cos(pi * min(1, (t - 40) / 60)))
        ),
        LearningRateWarmup(0, [DecayPart(CosineDecay(0.5), 40), DecayPart(CosineDecay("20%"), 60)]),
    ),
    # cycles
    "katsura (25, 1, 1)": (
        katsura(25, 1.0, 1.0, 5, 0.01),
        LearningRateWarmup(5, RestartsDecay(CosineDecay(0.01), 25, warmup=5), warmup_initial_lr=0.01),
    ),
    "katsura (25, 1, 0.5)": (
        katsura(25, 1.0, 0.5, 5, 0.01),
        LearningRateWarmup(5, RestartsDecay(CosineDecay(0.01), 25, gamma=0.5, warmup=5), warmup_initial_lr=0.01),
    ),
    "katsura (15, 2, 0.5)": (
        katsura(15, 2.0, 0.5, 5, 0.01),
        LearningRateWarmup(5, RestartsDecay(CosineDecay(0.01), 15, 2, 0.5, warmup=5), warmup_initial_lr=0.01),
    ),
    "fairseq triangular, lr_shrink": (
        triangular(0.8),
        LearningRateWarmup(10, RestartsDecay(LinearDecay(0.1), 20, gamma=0.8, warmup=10), warmup_initial_lr="10%"),
    ),
    "timm poly cycles": (
        lambda t: 0.5 ** (t // 25) * (1 - t % 25 / 25) ** 2,
        LearningRateWarmup(0, RestartsDecay(PolynomialDecay(2), 25, gamma=0.5)),
    ),
    # in sequence
    "SGDR of MMEngine: any periods, any weights": (
        lambda t: (
            0.5 * (1 + cos(pi * t / 20)) if t < 20 else 0.7 * 0.5 * (1 + cos(pi * (t - 20) / 50))
            if t < 70 else 0.3 * 0.5 * (1 + cos(pi * (t - 70) / 30))
        ),
        LearningRateWarmup(
            0,
            [DecayPart("cosine", 20), DecayPart("cosine", 50, start=0.7), DecayPart("cosine", start="30%")],
        ),
    ),
    "optax linear_onecycle": (
        lambda t: (
            0.04 + 0.96 * t / 30 if t < 30 else 1 - 0.96 * (t - 30) / 55
            if t < 85 else 0.04 - (0.04 - 4e-6) * (t - 85) / 15
        ),
        LearningRateWarmup(
            "30%", [DecayPart(LinearDecay(0.04), "55%"), DecayPart(LinearDecay(1e-4))], warmup_initial_lr="4%"
        ),
    ),
    "OLMo-core cosine, then linear": (
        lambda t: warmup(t) if t < N else 0.1 + 0.45 * (1 + cos(pi * (t - N) / 70)) if t < 80 else 0.1 * (100 - t) / 20,
        W(N, [DecayPart(CosineDecay(0.1), 70), DecayPart("linear")]),
    ),
    "OLMo-core power_lr": (
        lambda t: warmup(t) if t < N else (t / N) ** -0.51 if t < 80 else 8**-0.51 * (100 - t) / 20,
        W(N, [DecayPart(InverseTimeDecay(N, power=0.51), 70), DecayPart("linear")]),
    ),
    "DeepSpeed OneCycle, decay_lr_rate": (
        lambda t: 0.1 + 0.9 * (t / 20 if t < 20 else (40 - t) / 20) if t < 40 else 0.1 / (1 + 0.2 * (t - 40) / 10),
        LearningRateWarmup(
            20, [DecayPart(LinearDecay(0.1), 20), DecayPart(InverseTimeDecay(50))], warmup_initial_lr="10%"
        ),
    ),
    "fastai combine_scheds": (
        lambda t: (
            t / 10 if t < 10 else 1.0 if t < 30 else 0.5 + 0.25 * (1 + cos(pi * (t - 30) / 40)) if t < 70
            else 0.5 * 0.1 ** ((t - 70) / 30)
        ),
        W(10, [DecayPart("constant", 20), DecayPart(CosineDecay(0.5), 40), DecayPart(ExponentialDecay(0.1, every=30))]),
    ),
    # formulas
    "REX": (lambda t: (1 - t / T) / (1 - t / T / 2), LearningRateWarmup(0, FormulaDecay("(1 - u) / (1 - u / 2)"))),
    "Megatron WSD, exponential": (
        lambda t: 1.0 if t < 80 else 2 * 0.5 ** ((t - 80) / 20) - 1,
        LearningRateWarmup(0, FormulaDecay("2 * 0.5**u - 1"), decay_duration=20),
    ),
    "optax cosine_decay, exponent": (
        lambda t: 0.1 + 0.9 * (0.5 * (1 + cos(pi * t / T))) ** 2,
        LearningRateWarmup(0, FormulaDecay("0.1 + 0.9 * (0.5 * (1 + cos(pi * u))) ** 2")),
    ),
    "fastai SchedPoly": (lambda t: 1 - 0.9 * (t / T) ** 3, LearningRateWarmup(0, FormulaDecay("1 - 0.9 * u**3"))),
    "NeMo SquareAnnealing, min_lr clamps": (
        after(lambda u: max(0.2, (1 - u) ** 2)),
        W(N, FormulaDecay("max(0.2, (1 - u)**2)")),
    ),
    "OLMo CosLinearEnvelope": (
        lambda t: 0.5 * (1 + cos(pi * t / T)) * (1 - t / T),
        LearningRateWarmup(0, FormulaDecay("0.5 * (1 + cos(pi * u)) * (1 - u)")),
    ),
    "Chebyshev's steps": (
        lambda t: 2 / (11 - 9 * cos(pi * (2 * t + 1) / (2 * T))),
        LearningRateWarmup(0, FormulaDecay("2 / (11 - 9 * cos(pi * (2 * tau + 1) / (2 * D)))")),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("theirs", "ours"), FIELD.values(), ids=FIELD)
def test_published(theirs: Callable[[int], float], ours: LearningRateWarmup) -> None:
    expected = [theirs(t) for t in range(T)]
    assert ours.values(1.0, total_steps=T) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_one_cycle_with_cosines_in_three_phases() -> None:
    """torch's, the cosine between each two."""
    theirs = torchs(
        lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=101, three_phase=True, pct_start=31 / 101), 0.1
    )
    parts = [DecayPart(CosineDecay("4%"), 30), DecayPart(CosineDecay(1e-4))]
    ours = LearningRateWarmup(CosineWarmup(30), parts, warmup_initial_lr="4%", total=T)
    assert ours.values(0.1, total_steps=T) == pytest.approx(theirs, rel=1e-9, abs=1e-12)
