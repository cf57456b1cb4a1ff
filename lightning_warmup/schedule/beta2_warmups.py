r"""Warmups that need no tuning: their length follows from the optimizer's β2.

They are a weight on whatever decay there is, whose clock starts at 0; t counts the optimizer steps from 1 (the step
being taken), and each param group has its own β2:

.. math:: \mathrm{value} = \mathrm{weight}(t, \beta_2) \cdot \mathrm{target} \cdot \mathrm{factor}(t - 1)
"""

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from lightning_warmup.schedule.durations import Duration
from lightning_warmup.schedule.warmups import Warmup


class Beta2Warmup(Warmup):
    """A weight that rises with the number of steps at the pace of the optimizer's second moment."""

    duration: ClassVar[Duration] = 0  # type: ignore[misc]  # it has no length of its own
    counts_steps: ClassVar[bool] = True

    def length(self, intervals: Callable[[str, str, Duration], int]) -> int:
        return 0

    @abstractmethod
    def weight_at(self, t: int, beta2: float) -> float:
        """Weight in (0, 1] of the t-th step, t ≥ 1."""

    def weight(self, u: float) -> float:
        """A warmup from β2 is no matter of the share done."""
        raise ValueError(f"{type(self).__name__} depends on β2.")

    def check_beta2(self, beta2: float) -> None:
        """Raise ValueError if there is no such warmup for ``beta2``."""
        if not 0 <= beta2 < 1:
            raise ValueError(f"{type(self).__name__} needs 0 ≤ β2 < 1, and a param group has betas[1]={beta2!r}.")


@dataclass(frozen=True)
class UntunedLinearWarmup(Beta2Warmup):
    r"""Linear over :math:`2 / (1 - \beta_2)` steps: :math:`\min(1, t (1 - \beta_2) / 2)`.

    Ma & Yarats 2019 (arXiv 1910.04209).

    Raises:
        ValueError: At fit start, for an optimizer without β2; with ``warmup_initial_lr`` or ``interval="epoch"``.

    >>> from lightning_warmup import LearningRateWarmup
    >>> warmup = LearningRateWarmup(UntunedLinearWarmup())
    >>> lrs = warmup.values(1.0, total_steps=1000, steps_per_epoch=1000, betas=(0.9, 0.999))
    >>> [round(lrs[t - 1], 3) for t in (1, 10, 100, 1000)]
    [0.001, 0.005, 0.05, 0.5]
    """

    def weight_at(self, t: int, beta2: float) -> float:
        return min(1.0, t * (1 - beta2) / 2)


@dataclass(frozen=True)
class UntunedExponentialWarmup(Beta2Warmup):
    r"""Exponential with the time constant :math:`1 / (1 - \beta_2)`: :math:`1 - \exp(-(1 - \beta_2) t)`.

    Ma & Yarats 2019 (arXiv 1910.04209).

    Raises:
        ValueError: At fit start, for an optimizer without β2; with ``warmup_initial_lr`` or ``interval="epoch"``.

    >>> from lightning_warmup import LearningRateWarmup
    >>> warmup = LearningRateWarmup(UntunedExponentialWarmup())
    >>> lrs = warmup.values(1.0, total_steps=1000, steps_per_epoch=1000, betas=(0.9, 0.999))
    >>> [round(lrs[t - 1], 3) for t in (1, 10, 100, 1000)]
    [0.001, 0.01, 0.095, 0.632]
    """

    def weight_at(self, t: int, beta2: float) -> float:
        return 1 - math.exp(-(1 - beta2) * t)


@dataclass(frozen=True)
class RAdamWarmup(Beta2Warmup):
    r"""The variance rectification of RAdam, as a warmup for any Adam-like.

    With :math:`\rho_\infty = 2 / (1 - \beta_2) - 1` and
    :math:`\rho_t = \rho_\infty - 2 t \beta_2^t / (1 - \beta_2^t)`,

    .. math::
        \mathrm{weight} = \sqrt{(\rho_t - 4)(\rho_t - 2) \rho_\infty / ((\rho_\infty - 4)(\rho_\infty - 2) \rho_t)}

    where :math:`\rho_t > 4`. Before that, in the first 4 steps (more where β2 < 0.8), the literature has no weight at
    all; a warmup must not train at 0, and holds the first positive one. Liu et al. 2019 (arXiv 1908.03265); as a
    warmup, Ma & Yarats 2019 (arXiv 1910.04209).

    Raises:
        ValueError: At fit start, for an optimizer without β2, or with β2 ≤ 0.6, where :math:`\rho_t` never exceeds 4;
            with ``warmup_initial_lr`` or ``interval="epoch"``.

    >>> from lightning_warmup import LearningRateWarmup
    >>> warmup = LearningRateWarmup(RAdamWarmup())
    >>> lrs = warmup.values(1.0, total_steps=1000, steps_per_epoch=1000, betas=(0.9, 0.999))
    >>> [round(lrs[t - 1], 3) for t in (1, 6, 100, 1000)]
    [0.017, 0.026, 0.215, 0.645]
    """

    def weight_at(self, t: int, beta2: float) -> float:
        return _rectification(max(t, _first_rectified_step(beta2)), beta2)

    def check_beta2(self, beta2: float) -> None:
        super().check_beta2(beta2)
        if beta2 <= 0.6:
            raise ValueError(
                f"RAdamWarmup needs β2 > 0.6, and a param group has betas[1]={beta2!r}: RAdam never rectifies there."
                " Use UntunedLinearWarmup()."
            )


@dataclass(frozen=True)
class SqrtBeta2Warmup(Beta2Warmup):
    r"""What GI-Adam amounts to under a stationary gradient.

    .. math:: \sqrt{1 - \beta_2^t}

    Kalra & Barkeshli 2024, section 6.2 (arXiv 2406.09405); see :class:`GradientInitializedAdam`.

    Raises:
        ValueError: At fit start, for an optimizer without β2; with ``warmup_initial_lr`` or ``interval="epoch"``.

    >>> from lightning_warmup import LearningRateWarmup
    >>> warmup = LearningRateWarmup(SqrtBeta2Warmup())
    >>> lrs = warmup.values(1.0, total_steps=1000, steps_per_epoch=1000, betas=(0.9, 0.999))
    >>> [round(lrs[t - 1], 3) for t in (1, 10, 100, 1000)]
    [0.032, 0.1, 0.309, 0.795]
    """

    def weight_at(self, t: int, beta2: float) -> float:
        return math.sqrt(1 - beta2**t)


def _rho(t: int, beta2: float) -> float:
    return 2 / (1 - beta2) - 1 - 2 * t * beta2**t / (1 - beta2**t)


def _rectification(t: int, beta2: float) -> float:
    end, now = 2 / (1 - beta2) - 1, _rho(t, beta2)
    return math.sqrt((now - 4) * (now - 2) * end / ((end - 4) * (end - 2) * now))


@lru_cache
def _first_rectified_step(beta2: float) -> int:
    t = 1
    while _rho(t, beta2) <= 4:
        t += 1
    return t
