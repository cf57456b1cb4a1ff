"""docs/migrating.md, row by row: what they have, run or by its published formula, against ours, shift included.

A row's shift says by how much their values are late or early against ours, which are those of its code.
"""

import json
import math
import re
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import pytorch_warmup
import torch
from torch.optim import lr_scheduler

import lightning_warmup
from lightning_warmup import LearningRateWarmup

PAGE = Path(__file__).parent.parent / "docs" / "migrating.md"
N, T, L = 20, 100, 10
LR, LOW, W0, R, F, BETAS = 0.3, 0.03, 0.01, 0.02, 0.9, (0.9, 0.96875)  # 2 / (1 - β2) is whole, and a float
W, C = 3, 2
MILESTONES = [40, 60, 80]
NUMBERS: dict[str, Any] = {
    **{"N": N, "T": T, "lr": LR, "max_lr": LR, "eta_min": LOW, "min_lr": LOW, "m": 8, "min": 0.1, "max": LR, "c": 3},
    **{"k": 1.5, "U": 250, "lr_end": LOW, "power": 2, "s": 50, "n": 25, "w0": W0, "r": R, "W": W, "C": C, "f": F},
    **{"lr_updates": [4, 8], "milestones": MILESTONES, "after": partial(lr_scheduler.StepLR, step_size=9)},
    **{"partial": partial, "OneCycleLR": lr_scheduler.OneCycleLR, "StepLR": lr_scheduler.StepLR},
    **{name: getattr(lightning_warmup, name) for name in lightning_warmup.__all__},
}


def cells() -> list[tuple[str, str, str]]:
    """What the first table's rows say: theirs, ours as code, the shift."""
    table = PAGE.read_text(encoding="utf-8").partition("| you have | write | shift |\n|---|---|---|\n")[2]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.partition("\n\n")[0].splitlines()]
    return [(theirs, re.findall("`([^`]+)`", ours)[0], shift) for theirs, ours, shift in rows]


def torchs(make: Callable[[Any], Any], steps: int = T, lr: float = LR) -> list[float]:
    """What one of torch's schedulers has each step use."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr, momentum=0.9)
    scheduler, used = make(optimizer), []
    for t in range(steps):
        used.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if t < steps - 1:
            scheduler.step()
    return used


def sequential(optimizer: Any) -> Any:
    warmup = lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=N)
    cosine = lr_scheduler.CosineAnnealingLR(optimizer, T_max=T - N, eta_min=LOW)
    return lr_scheduler.SequentialLR(optimizer, [warmup, cosine], [N])


def dampened(warmup: Any, *arguments: Any) -> list[float]:
    """What pytorch_warmup has each step use."""
    optimizer = torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=LR, betas=BETAS)
    made, used = warmup(optimizer, *arguments), []
    for _ in range(T):
        used.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        with made.dampening():
            pass
    return used


def formula(factor: Callable[[int], float]) -> list[float]:
    return [LR * factor(t) for t in range(T)]


def after(factor: Callable[[float], float], first: float = 0.0) -> list[float]:
    """A line from a factor up to 1 at N, then a factor of the share of the rest."""
    return formula(lambda t: first + (1 - first) * t / N if t < N else factor((t - N) / (T - N)))


def cosine(u: float, final: float = 0.0) -> float:
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * u))


def to_low(u: float) -> float:
    return cosine(u, LOW / LR)


def stepped(t: int) -> float:
    return 0.1 ** sum(milestone <= t for milestone in MILESTONES)


def supergradients(factor: Callable[[int], float], first: float | None = None, late: int = 1) -> list[float]:
    """The epoch warmup, then what was written after the step before, or after the epoch before."""
    low = 1 / (W + 1) if first is None else first
    return formula(lambda t: low + (1 - low) * (t // L) / W if t < W * L else factor(max(0, t - W * L - late)))


def katsura(t: int) -> float:
    cycle, at = divmod(t, 25)
    low, high = LOW / LR, F**cycle
    return low + (high - low) * at / 5 if at < 5 else low + (high - low) * cosine((at - 5) / 20)


def hyperbola(u: float) -> float:
    """HyperbolicLR's, of an upper bound of 250 (arXiv 2407.15200)."""
    left, gone = (T - N) / 250, u * (T - N) / 250
    return math.sqrt((left - gone) * (2 - (left + gone)))


def points(t: int) -> float:
    for (a, before), (b, behind) in pairwise([(0, 0.2), (10, 1.0), (40, 0.6), (90, 0.0)]):
        if t < b:
            return before + (behind - before) * (t - a) / (b - a)
    return 0.0


THEIRS: dict[str, Callable[[], list[float]]] = {
    "torch `SequentialLR`": lambda: torchs(sequential),
    "torch `OneCycleLR(max_lr": lambda: torchs(partial(lr_scheduler.OneCycleLR, max_lr=LR, total_steps=T)),
    "torch `OneCycleLR` of any": lambda: torchs(partial(lr_scheduler.OneCycleLR, max_lr=LR, total_steps=97), 97),
    "torch `LambdaLR`": lambda: torchs(
        lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda t: (0.1 + (LR - 0.1) * min(1, t / N)) / LR)
    ),
    "any other torch": lambda: (
        [LR / (N + 1) + (LR - LR / (N + 1)) * t / N for t in range(N)]
        + torchs(partial(lr_scheduler.StepLR, step_size=30), T - N)
    ),
    "transformers `get_constant": lambda: after(lambda _: 1),
    "transformers `get_linear": lambda: after(lambda u: 1 - u),
    "transformers `get_cosine_schedule_with_warmup`": lambda: after(cosine),
    "transformers `get_cosine_schedule_with_warmup(num": lambda: after(lambda u: cosine(3 * u)),
    "transformers `get_cosine_with_hard": lambda: after(lambda u: cosine(3 * u % 1)),
    "transformers `get_polynomial": lambda: after(lambda u: LOW / LR + (1 - LOW / LR) * (1 - u) ** 2),
    "transformers `get_inverse_sqrt": lambda: after(lambda u: math.sqrt(50 / (50 + u * (T - N)))),
    "transformers `get_cosine_with_min_lr_schedule_with_warmup(": lambda: after(to_low),
    "transformers `get_cosine_with_min_lr_schedule_with_warmup_lr": lambda: formula(
        lambda t: (t + 1) / N if t < N else to_low((t - N + 1) / (T - N))
    ),
    "transformers `get_wsd": lambda: after(lambda u: 1 - math.sqrt(max(0, u * (T - N) - (T - N - 25)) / 25)),
    "SuperGradients `lr_warmup_epochs": lambda: supergradients(
        lambda k: cosine(min(1, k / (T - W * L - C * L)), R), W0 / LR, late=0
    ),
    "SuperGradients `lr_warmup_steps": lambda: [*torch.linspace(W0, LR, 25, dtype=torch.float64).tolist(), *[LR] * 75],
    "SuperGradients `StepLR": lambda: supergradients(
        lambda k: F ** sum(u * L <= k + W * L for u in (4, 8)), late=L
    ),
    "SuperGradients `Poly": lambda: supergradients(lambda k: (1 - k / (T - W * L)) ** 0.9),
    "SuperGradients `Exponential": lambda: supergradients(lambda k: F ** (k / L)),
    "timm `Cosine": lambda: after(to_low, W0 / LR),
    "timm `MultiStep": lambda: formula(lambda t: stepped(t + 1)),
    "bolts": lambda: formula(
        lambda t: W0 / LR + (1 - W0 / LR) * t / (N - 1) if t < N else to_low((t - N) / (T - N))
    ),
    "pytorch_warmup `LinearWarmup": lambda: dampened(pytorch_warmup.LinearWarmup, N),
    "pytorch_warmup `UntunedLinear": lambda: dampened(pytorch_warmup.UntunedLinearWarmup),
    "pytorch_warmup `UntunedExponential": lambda: dampened(pytorch_warmup.UntunedExponentialWarmup),
    "pytorch_warmup `RAdam": lambda: dampened(pytorch_warmup.RAdamWarmup),
    "pytorch-gradual-warmup-lr": lambda: (
        [LR + (8 - 1) * LR * t / N for t in range(N)]
        + torchs(partial(lr_scheduler.StepLR, step_size=9), T - N, 8 * LR)
    ),
    "nanoGPT": lambda: formula(lambda t: (t + 1) / (N + 1) if t < N else to_low((t - N) / (T - N))),
    "detectron2": lambda: formula(lambda t: (0.001 + 0.999 * t / N if t < N else 1) * stepped(t)),
    "DeepSpeed `WarmupLR": lambda: formula(lambda t: math.log(t) / math.log(N) if 0 < t <= N else min(1, t)),
    "DeepSpeed `WarmupDecayLR": lambda: formula(lambda t: (t - 1) / N if t <= N else (T - (t - 1)) / (T - N)),
    "Megatron-LM `cosine`": lambda: after(to_low),
    "Megatron-LM `inverse": lambda: after(lambda u: max(LOW / LR, math.sqrt(N / (N + u * (T - N))))),
    "NeMo": lambda: formula(lambda t: (t + 1) / (N + 1) if t < N else to_low((t - N) / (T - N))),
    "fairseq": lambda: formula(lambda t: t / N if t < N else math.sqrt(N / t)),
    "optax `warmup": lambda: after(to_low),
    "optax `cosine": lambda: formula(lambda t: cosine(t / T) ** 2),
    "Keras `Cosine": lambda: after(cosine, W0 / LR),
    "Keras `InverseTime": lambda: formula(lambda t: 1 / (1 + t / 50)),
    "Keras `Piecewise": lambda: formula(lambda t: 1 if t <= 30 else 0.5 if t <= 60 else 0.3),
    "katsura": lambda: formula(katsura),
    "MMEngine": lambda: formula(lambda t: (0.1 + 0.9 * t / (N - 1) if t < N else 1) * stepped(t)),
    "ignite `Piecewise": lambda: formula(points),
    "ignite `create": lambda: formula(
        lambda t: W0 / LR + (1 - W0 / LR) * t / (N - 1) if t < N else F ** (t - N + 1)
    ),
    "torchtitan": lambda: formula(lambda t: (t + 1) / N if t < N else 1 - (t - N) / (T - N)),
    "fastai `fit_one": lambda: formula(
        lambda t: 0.04 + 0.96 * (1 - cosine(t / 25)) if t < 25 else cosine((t - 25) / 75, 1e-5)
    ),
    "pytorch-scheduler `CosineWithWarmupScheduler": lambda: after(to_low),
    "pytorch-scheduler `RexScheduler": lambda: formula(lambda t: (1 - t / T) / (1 - t / T / 2)),
    "pytorch-scheduler `KDecayScheduler": lambda: formula(lambda t: cosine((t / T) ** 2)),
    "pytorch-scheduler `TanhDecayScheduler": lambda: formula(lambda t: 0.5 * (1 - math.tanh(3 * (2 * t / T - 1)))),
    "pytorch-scheduler `WSDScheduler": lambda: after(lambda u: 1 - math.sqrt(max(0, u * (T - N) - 25) / (T - N - 25))),
    "pytorch-scheduler `InverseSqrtScheduler": lambda: formula(lambda t: t / N if t < N else math.sqrt(N / t)),
    "pytorch-scheduler `LinearDecayScheduler": lambda: after(lambda u: 1 - (1 - LOW / LR) * u),
    "pytorch-scheduler `TrapezoidalScheduler": lambda: after(
        lambda u: 1 - (1 - LOW / LR) * max(0, u * (T - N) - (T - N - 25)) / 25
    ),
    "pytorch-scheduler `CosineAnnealingWarmupRestarts": lambda: formula(katsura),
    "pytorch-scheduler `SlantedTriangularScheduler": lambda: formula(
        lambda t: (1 + 31 * (t / 10 if t < 10 else (T - t) / 90)) / 32
    ),
    "pytorch-scheduler `FlatCosineScheduler": lambda: formula(lambda t: to_low(max(0, t - 70) / 30)),
    "pytorch-scheduler `HyperbolicLRScheduler": lambda: after(
        lambda u: 1 + (1 - LOW / LR) * (hyperbola(u) - hyperbola(0)), LOW / LR
    ),
    "pytorch-scheduler `ExpHyperbolicLRScheduler": lambda: after(
        lambda u: (LR / LOW) ** (hyperbola(u) - hyperbola(0)), LOW / LR
    ),
    "pytorch-scheduler `PolynomialScheduler": lambda: after(lambda u: LOW / LR + (1 - LOW / LR) * (1 - u) ** 2),
    "pytorch-scheduler `ChebyshevScheduler": lambda: formula(lambda t: to_low((2 * t + 1) / (2 * T))),
    "pytorch-scheduler `PowerDecayScheduler": lambda: formula(
        lambda t: t / N if t < N else max(LOW / LR, (t / N) ** -0.7)
    ),
    "pytorch-scheduler `WarmupHoldCosineScheduler": lambda: after(
        lambda u: to_low(max(0, u * (T - N) - 25) / (T - N - 25))
    ),
    "pytorch-scheduler `IdentityScheduler": lambda: formula(lambda _: 1),
    "fastai `fit_flat": lambda: formula(lambda t: cosine(max(0, t - 75) / 25)),
}  # fmt: skip
"""What each row's first cell begins with, and what that library has each step use."""

ROWS = cells()


def beginning(text: str) -> str:
    """The longest of the beginnings that a row has."""
    return max((name for name in THEIRS if text.startswith(name)), key=len)


def test_every_row_is_compared() -> None:
    assert sorted(beginning(theirs) for theirs, _, _ in ROWS) == sorted(THEIRS)


@pytest.mark.parametrize(("theirs", "ours", "shift"), ROWS, ids=[row[0] for row in ROWS])
def test_a_row(theirs: str, ours: str, shift: str) -> None:
    expected = THEIRS[beginning(theirs)]()
    callback: LearningRateWarmup = eval(ours, NUMBERS)
    values = callback.values(LR, total_steps=len(expected), steps_per_epoch=L, betas=BETAS)
    said = re.match(r"(none)|(\d+) steps? (late|early)", shift)
    assert said, f"the shift begins with none, or with so many steps late or early: {shift}"
    late = 0 if said[1] else int(said[2])
    if late:
        assert values != pytest.approx(expected, rel=1e-9, abs=1e-12)
        epoch_warmup = W * L if "SuperGradients" in theirs else 0  # which is not late
        if said[3] == "late":
            expected, values = expected[epoch_warmup + late :], values[epoch_warmup:-late]
        else:
            expected, values = expected[:-late], values[late:]
    assert values == pytest.approx(expected, rel=1e-9, abs=1e-12)


RAN = {
    name.partition(" | ")[2]: used
    for library in json.loads((Path(__file__).parent / "field.json").read_text(encoding="utf-8")).values()
    for name, used in library["cases"].items()
    if name.startswith("migrating | ")
}
"""What other libraries ran with these numbers (`make field`), by the beginning of the row."""


@pytest.mark.parametrize("row", RAN)
def test_what_is_published_is_what_they_ran(row: str) -> None:
    precision = 1e-7 if row.startswith("Keras") else 1e-11  # some of Keras' is float32
    assert THEIRS[row]() == pytest.approx(RAN[row], rel=1e-9, abs=precision)


def test_how_far_supergradients_cosine_is_from_what_it_documents() -> None:
    """One step late, and over K + 1: up to 2.5 / K of the target, as its row says."""
    for steps in (50, 5000):
        apart = max(abs(cosine((k - 1) / (steps + 1)) - cosine(k / steps)) for k in range(1, steps + 1))
        assert 2.3 / steps < apart < 2.5 / steps
