"""The critical learning rate: a search by forward passes, and what to make of its answer. Knows no model."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from lightning_warmup.checks import is_number, positive

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
    _check_search("critical_learning_rate", tolerance, max_forwards)
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


class MeasuredLearningRate(ABC):
    """A learning rate to start a warmup at that is measured on the run itself."""

    @abstractmethod
    def initial_share(self, result: CriticalLearningRateResult | None, *, warmup_length: int, adam_like: bool) -> float:
        """Where to start, as a share of the target in (0, 1].

        Args:
            result: What the search found, in units of the target; None if it could not be made.
            warmup_length: N, the length of the warmup that was asked for.
            adam_like: Whether the optimizer has ``betas``.
        """


@dataclass(frozen=True)
class CriticalLearningRate(MeasuredLearningRate):
    r"""Start a linear warmup at a share of the critical learning rate, measured on the first batch.

    With the target :math:`\eta_{trgt}` and a warmup of N,

    .. math:: \eta_t = \min(\eta_{trgt}, \eta_0 + \eta_{trgt} \cdot t / N), \quad
              \eta_0 = \mathrm{safety} \cdot \eta_c

    so the target is reached :math:`N \eta_0 / \eta_{trgt}` steps earlier. With several param groups one multiplier c of
    all their targets is searched, and each starts at safety · c · its target. That a warmup so shortened is stable is
    not guaranteed, for Adam least of all: hence ``safety`` and ``adam_minimum``.

    Kalra & Barkeshli 2024, appendix B (arXiv 2406.09405).

    Args:
        safety: Share of the critical learning rate to start at, in (0, 1].
        adam_minimum: For optimizers with ``betas`` (Adam and its kin): share of the warmup's length N that is kept
            whatever was found, in [0, 1].
        fallback: Share of the target to start at where the search fails, in (0, 1]; None: 1 / (N + 1), which is what a
            warmup starts at when nothing is said.
        tolerance: Accuracy of the search, relative, in (0, 1).
        max_forwards: Most forward passes of the search, an int ≥ 2.

    Raises:
        ValueError: If an argument is out of range.

    >>> found = CriticalLearningRateResult(lr=0.3, forwards=9, status="found")  # in units of the target
    >>> start = CriticalLearningRate(safety=0.5)
    >>> share = start.initial_share(found, warmup_length=100, adam_like=False)
    >>> share, start.shortened(100, share)
    (0.15, 85)
    """

    safety: float = 0.5
    adam_minimum: float = 0.5
    fallback: float | None = None
    tolerance: float = 1 / 16
    max_forwards: int = 24

    def __post_init__(self) -> None:
        owner = "CriticalLearningRate"
        shares = (
            {"safety": self.safety} if self.fallback is None else {"safety": self.safety, "fallback": self.fallback}
        )
        for name, share in shares.items():
            if not is_number(share) or not 0 < share <= 1:
                raise ValueError(f"{owner}({name}={share!r}): expected a number in (0, 1].")
        if not is_number(self.adam_minimum) or not 0 <= self.adam_minimum <= 1:
            raise ValueError(f"{owner}(adam_minimum={self.adam_minimum!r}): expected a number in [0, 1].")
        _check_search(owner, self.tolerance, self.max_forwards)

    @staticmethod
    def failed(result: CriticalLearningRateResult | None) -> bool:
        """Whether a search (None: there was none, for want of finite gradients) gives nothing to start from."""
        return result is None or result.status in ("ascent", "exhausted")

    def initial_share(self, result: CriticalLearningRateResult | None, *, warmup_length: int, adam_like: bool) -> float:
        """Where to start, as a share of the target in (0, 1].

        Args:
            result: What the search found, in units of the target; None if it could not be made.
            warmup_length: N, the length of the warmup that was asked for.
            adam_like: Whether the optimizer has ``betas``.
        """
        default = 1 / (warmup_length + 1)
        if result is None or self.failed(result):
            return default if self.fallback is None else self.fallback
        share = min(1.0, self.safety * result.lr)
        # Keeping this much of the warmup is the same as not starting above the rest; it still has to start above 0.
        return min(share, max(default, 1 - self.adam_minimum)) if adam_like else share

    @staticmethod
    def shortened(warmup_length: int, share: float) -> int:
        """N′ = ⌈N(1 − share)⌉: when a warmup of N that starts at this share of its target is there."""
        # Less a rounding error: 100 · (1 − 0.15) must not become 86.
        return math.ceil(warmup_length * (1 - share) - 1e-9)


def _check_search(owner: str, tolerance: object, max_forwards: object) -> None:
    if not is_number(tolerance) or not 0 < tolerance < 1:  # type: ignore[operator]
        raise ValueError(f"{owner}(tolerance={tolerance!r}): expected a number in (0, 1), such as 1/16.")
    if not isinstance(max_forwards, int) or isinstance(max_forwards, bool) or max_forwards < 2:
        raise ValueError(f"{owner}(max_forwards={max_forwards!r}): expected an int ≥ 2, such as 24.")
