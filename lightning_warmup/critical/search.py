"""The search for the critical learning rate by forward passes. Knows no model."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from lightning_warmup.schedule.checks import is_count, is_number, positive

Status = Literal["found", "above_stop", "ascent", "exhausted"]
"""How a search ended; see :class:`CriticalLearningRateResult`."""


@dataclass(frozen=True)
class CriticalLearningRateResult:
    """What :func:`critical_learning_rate` found.

    Args:
        lr: Learning rate, in the units of ``start``; what it means is in ``status``.
        forwards: Calls of ``loss_at``, the one at 0 included.
        status: ``"found"``: the bracket is within the tolerance, ``lr`` its mean. ``"above_stop"``: no rise up to and
            at ``stop``; ``lr`` is ``stop``. ``"ascent"``: no learning rate tried was small enough for the loss not to
            rise, as happens when the step does not go downhill; ``lr`` is 0. ``"exhausted"``: the budget ended while
            doubling or bisecting; ``lr`` is the largest tried without a rise.
    """

    lr: float
    forwards: int
    status: Status


def critical_learning_rate(
    loss_at: Callable[[float], float],
    *,
    start: float,
    stop: float | None = None,
    tolerance: float = 1 / 16,
    max_forwards: int = 24,
) -> CriticalLearningRateResult:
    r"""The smallest learning rate at which one step raises the loss of its own batch.

    .. math:: \eta_c = \min \{\eta > 0 : L(\theta_0 - \eta D) > L(\theta_0)\}

    for the direction D of the optimizer's step, so that ``loss_at(lr)`` is :math:`L(\theta_0 - \mathrm{lr} \cdot D)`.
    From ``start`` the learning rate is doubled while the loss does not rise, or halved until it does not; then the
    bracket is bisected. That takes about 2 + log2(η_c / start) + 4 forwards. On a quadratic loss with Hessian H and
    gradient g, :math:`\eta_c = 2 g^T D / D^T H D`.

    Kalra & Barkeshli 2024, appendix B (arXiv 2406.09405); critical sharpness in arXiv 2601.16979.

    Args:
        loss_at: The loss after a step with this learning rate; ``loss_at(0.0)`` is the loss now. An equal loss is no
            rise, one that is not finite is a rise.
        start: First learning rate to try, > 0. Target / warmup length is a good one.
        stop: Largest learning rate to try, ≥ ``start``; None: no limit.
        tolerance: Accuracy: the bracket (low, high) is narrow enough when 1 − low/high ≤ ``tolerance``, in (0, 1).
        max_forwards: Most calls of ``loss_at``, an int ≥ 2.

    Returns:
        The learning rate, the number of forwards, and how the search ended.

    Raises:
        ValueError: If an argument is out of range, or ``loss_at(0.0)`` is not finite.

    Gradient descent on 2 θ², from θ = 1: g = D = H = 4, and η_c = 0.5.

    >>> critical_learning_rate(lambda lr: 2 * (1 - lr * 4) ** 2, start=0.0625)
    CriticalLearningRateResult(lr=0.515625, forwards=10, status='found')
    >>> critical_learning_rate(lambda lr: 2 * (1 - lr * 4) ** 2, start=0.0625, stop=0.3)
    CriticalLearningRateResult(lr=0.3, forwards=5, status='above_stop')
    """
    check_search("critical_learning_rate", tolerance, max_forwards)
    positive("critical_learning_rate", "start", start)
    if stop is not None and (not is_number(stop) or stop < start):
        raise ValueError(
            f"critical_learning_rate(start={start!r}, stop={stop!r}): expected a finite stop ≥ start, or None."
        )
    now = loss_at(0.0)
    if not math.isfinite(now):
        raise ValueError(
            f"critical_learning_rate: loss_at(0.0) is {now!r}. The search needs a finite loss to begin with: look for"
            " what makes it overflow, in the batch or in the weights."
        )
    forwards = 1

    def rises(lr: float) -> bool:
        nonlocal forwards
        forwards += 1
        loss = loss_at(lr)
        return not math.isfinite(loss) or loss > now

    # 1) bracket: double up to the first rise, or halve down to the first learning rate without one
    low, high = 0.0, math.inf
    lr = float(start)
    while True:
        if rises(lr):
            high = lr
        else:
            low = lr
            if lr == stop:
                return CriticalLearningRateResult(lr, forwards, "above_stop")
        if low and high < math.inf:
            break
        lr = high / 2 if not low else low * 2 if stop is None else min(low * 2, stop)
        if forwards == max_forwards or lr in (0.0, math.inf):  # or beyond what a float can hold
            return CriticalLearningRateResult(low, forwards, "exhausted" if low else "ascent")
    # 2) bisect
    while 1 - low / high > tolerance:
        if forwards == max_forwards:
            return CriticalLearningRateResult(low, forwards, "exhausted")
        middle = (low + high) / 2
        if middle in (low, high):  # as narrow as floats are
            break
        if rises(middle):
            high = middle
        else:
            low = middle
    return CriticalLearningRateResult((low + high) / 2, forwards, "found")


def check_search(owner: str, tolerance: object, max_forwards: object) -> None:
    """Raise ValueError if a search cannot be made with these."""
    if not is_number(tolerance) or not 0 < tolerance < 1:  # type: ignore[operator]
        raise ValueError(f"{owner}(tolerance={tolerance!r}): expected a number in (0, 1), such as 1/16.")
    if not is_count(max_forwards, 2):
        raise ValueError(f"{owner}(max_forwards={max_forwards!r}): expected an int ≥ 2, such as 24.")
