"""Parts of a schedule that no float knows beforehand: they are measured on the run itself."""

from abc import ABC, abstractmethod
from typing import Any


class Measured:
    """Part of a configuration that only a ``fit`` can tell the value of."""


class MeasuredLearningRate(Measured, ABC):
    """A learning rate to start a warmup at that is measured on the run itself."""

    @abstractmethod
    def initial_share(self, result: Any, *, warmup_length: int, adam_like: bool) -> float:
        """Where to start, as a share of the target in (0, 1].

        Args:
            result: What the measurement gave, in units of the target; None if it could not be made.
            warmup_length: N, the length of the warmup that was asked for.
            adam_like: Whether the optimizer has ``betas``.
        """
