"""Targets that follow the batch size."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from lightning_warmup.schedule.checks import keep_plain, positive


class BatchSizeScaling(ABC):
    """A target that is the optimizer's own learning rate times a function of the global batch size."""

    reference_batch_size: int

    def __post_init__(self) -> None:
        keep_plain(self)
        positive(type(self).__name__, "reference_batch_size", self.reference_batch_size)

    @abstractmethod
    def multiplier(self, batch_size: int) -> float:
        """Target over own learning rate, at a global batch of ``batch_size`` samples."""


@dataclass(frozen=True)
class LinearScaling(BatchSizeScaling):
    r"""The linear scaling rule.

    .. math:: \mathrm{target} = k \cdot \mathrm{lr}

    Where k = global batch / reference.

    Goyal et al. 2017 (arXiv 1706.02677). The global batch is the loader's batch size × accumulated micro-batches ×
    processes. The warmup starts at the unscaled ``lr`` unless ``warmup_initial_lr`` says otherwise; where k < 1, which
    needs no such care, it starts at target/(N+1).

    Args:
        reference_batch_size: Global batch size, in samples > 0, for which the optimizer's own learning rate was chosen.

    Raises:
        ValueError: If ``reference_batch_size`` is out of range; at fit start, if the batch size cannot be told.

    >>> from lightning_warmup import LearningRateWarmup
    >>> warmup = LearningRateWarmup(2, target_lr=LinearScaling(256))
    >>> warmup.values(0.1, total_steps=4, steps_per_epoch=4, batch_size=1024)
    [0.1, 0.25, 0.4, 0.4]
    """

    reference_batch_size: int

    def multiplier(self, batch_size: int) -> float:
        return batch_size / self.reference_batch_size


@dataclass(frozen=True)
class SquareRootScaling(BatchSizeScaling):
    r"""Square-root scaling.

    .. math:: \mathrm{target} = \sqrt{k} \cdot \mathrm{lr}

    Where k = global batch / reference.

    Krizhevsky 2014 (arXiv 1404.5997); the rule usually preferred with Adam. Otherwise as :class:`LinearScaling`.

    Args:
        reference_batch_size: Global batch size, in samples > 0, for which the optimizer's own learning rate was chosen.

    Raises:
        ValueError: If ``reference_batch_size`` is out of range; at fit start, if the batch size cannot be told.

    >>> from lightning_warmup import LearningRateWarmup
    >>> warmup = LearningRateWarmup(0, target_lr=SquareRootScaling(256))
    >>> warmup.values(0.1, total_steps=2, steps_per_epoch=2, batch_size=1024)
    [0.2, 0.2]
    """

    reference_batch_size: int

    def multiplier(self, batch_size: int) -> float:
        return math.sqrt(batch_size / self.reference_batch_size)
