r"""What convex theory says of a schedule: a bound on the loss of the last iterate, for any learning rates."""

from collections.abc import Sequence


def schedule_bound(lrs: Sequence[float]) -> float:
    r"""Theorem 1 of Schaipp et al. 2025 (arXiv 2501.18965), after Defazio et al. 2023, with D = G = 1.

    .. math::
        \Omega = \frac{1 + Q_1}{2 S_1} + \frac12 \sum_{k=1}^{T-1} \frac{\eta_k}{S_{k+1}} \frac{Q_k}{S_k}, \quad
        S_k = \sum_{t=k}^{T} \eta_t, \quad Q_k = \sum_{t=k}^{T} \eta_t^2

    Args:
        lrs: Of every step, the last > 0.

    >>> schedule_bound([1.0])
    1.0
    """
    bound, sums, squares = 0.0, 0.0, 0.0
    for t, lr in enumerate(reversed(lrs)):
        after, sums, squares = sums, sums + lr, squares + lr * lr
        if t:
            bound += lr / after * squares / sums / 2
    return bound + (1 + squares) / (2 * sums)


def at_best_scale(lrs: Sequence[float]) -> tuple[float, float]:
    r"""The scale :math:`\gamma` of the whole schedule at which its bound is lowest, and that bound.

    The bound is :math:`a / \gamma + b \gamma`, so two values tell it all.
    """
    once, twice = schedule_bound(lrs), schedule_bound([2 * lr for lr in lrs])
    b = (2 * twice - once) / 3
    a = once - b
    return (a / b) ** 0.5, 2 * (a * b) ** 0.5
