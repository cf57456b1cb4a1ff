"""Warmups from β2: their numbers, and what is refused."""

import math
from itertools import pairwise
from typing import Any

import pytest

from lightning_warmup import (
    HyperparameterWarmup,
    LearningRateWarmup,
    RAdamWarmup,
    SqrtBeta2Warmup,
)
from lightning_warmup.schedule.beta2_warmups import Beta2Warmup
from refusals import refused
from shapes import BETA2_WARMUPS

every_warmup = pytest.mark.parametrize(
    "warmup", [row.shape() for row in BETA2_WARMUPS], ids=lambda shape: type(shape).__name__
)


# --- the numbers -----------------------------------------------------------------------------------------------------


def radam(t: int, beta2: float) -> float:
    """Liu et al. 2019, written as in the paper; 0 where the paper has none."""
    rho_inf = 2 / (1 - beta2) - 1
    rho = rho_inf - 2 * t * beta2**t / (1 - beta2**t)
    if rho <= 4:
        return 0.0
    return math.sqrt(((rho - 4) * (rho - 2) * rho_inf) / ((rho_inf - 4) * (rho_inf - 2) * rho))


@pytest.mark.parametrize(("warmup", "expected"), [(row.shape(), row.published) for row in BETA2_WARMUPS])
def test_published_values(warmup: Beta2Warmup, expected: list[float]) -> None:
    weights = LearningRateWarmup(warmup).values(1.0, total_steps=1000, steps_per_epoch=1000, betas=(0.9, 0.999))
    assert [round(weights[t - 1], 3) for t in (1, 10, 100, 1000)] == expected


@pytest.mark.parametrize("beta2", [0.61, 0.7, 0.8, 0.95, 0.99, 0.999, 0.9999])
def test_radam_by_its_formula(beta2: float) -> None:
    weights = LearningRateWarmup(RAdamWarmup()).values(1.0, total_steps=3000, steps_per_epoch=1, betas=(0.9, beta2))
    formula = [radam(t, beta2) for t in range(1, 3001)]
    start = next(i for i, weight in enumerate(formula) if weight > 0)
    assert weights[start:] == pytest.approx(formula[start:], rel=1e-9)
    assert weights[:start] == [weights[start]] * start


@every_warmup
@pytest.mark.parametrize("beta2", [0.0, 0.5, 0.61, 0.9, 0.95, 0.98, 0.999, 0.99999])
def test_rises_from_above_0_to_1(warmup: Beta2Warmup, beta2: float) -> None:
    if isinstance(warmup, RAdamWarmup) and beta2 <= 0.6:
        return  # there is none
    weights = [warmup.weight_at(t, beta2) for t in [*range(1, 2000), 10**5, 10**7]]
    assert weights[0] > 0
    assert all(a <= b * (1 + 1e-12) for a, b in pairwise(weights))
    assert weights[-1] == pytest.approx(1.0, abs=1e-3)
    assert max(weights) <= 1 + 1e-12


# --- what is refused -------------------------------------------------------------------------------------------------


@every_warmup
def test_values_need_betas(warmup: Beta2Warmup) -> None:
    with refused(f"warmup={warmup!r}) needs the optimizer's β2", "values() takes betas=..."):
        LearningRateWarmup(warmup).values(0.1, total_steps=10, steps_per_epoch=10)


def test_beta2_of_1() -> None:
    with refused("SqrtBeta2Warmup needs 0 ≤ β2 < 1", "betas[1]=1.0"):
        LearningRateWarmup(SqrtBeta2Warmup()).values(0.1, total_steps=10, steps_per_epoch=10, betas=(0.9, 1.0))


@every_warmup
@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"interval": "epoch"}, "interval='epoch'"),
        ({"warmup_initial_lr": 0.01}, "warmup_initial_lr=0.01"),
        ({"warmup_initial_lr": {"default": 0.0}}, "warmup_initial_lr={'default': 0.0}"),
        ({"warmup_interval": "epoch"}, "warmup_interval='epoch'"),
        ({"warmup_interval": "step"}, "warmup_interval='step'"),
    ],
)
def test_it_counts_steps_and_starts_where_it_sees_fit(
    warmup: Beta2Warmup, settings: dict[str, Any], named: str
) -> None:
    with refused(f"{named}) with warmup={warmup!r}"):
        LearningRateWarmup(warmup, **settings)


@every_warmup
def test_it_warms_up_learning_rates_only(warmup: Beta2Warmup) -> None:
    with refused(f"HyperparameterWarmup(warmup={warmup!r})"):
        HyperparameterWarmup("momentum", warmup=warmup)
