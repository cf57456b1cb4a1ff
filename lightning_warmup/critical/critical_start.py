"""Where a warmup starts by the critical learning rate: what to make of the search's answer."""

import math
from dataclasses import dataclass

from lightning_warmup.critical.search import CriticalLearningRateResult, check_search
from lightning_warmup.schedule.checks import is_number, keep_plain
from lightning_warmup.schedule.measured import MeasuredLearningRate


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
        keep_plain(self)
        owner = "CriticalLearningRate"
        shares = (
            {"safety": self.safety} if self.fallback is None else {"safety": self.safety, "fallback": self.fallback}
        )
        for name, share in shares.items():
            if not is_number(share) or not 0 < share <= 1:
                raise ValueError(f"{owner}({name}={share!r}): expected a number in (0, 1].")
        if not is_number(self.adam_minimum) or not 0 <= self.adam_minimum <= 1:
            raise ValueError(f"{owner}(adam_minimum={self.adam_minimum!r}): expected a number in [0, 1].")
        check_search(owner, self.tolerance, self.max_forwards)

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
