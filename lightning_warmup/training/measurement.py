"""What a warmup that measures does in one ``fit``."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from lightning_warmup.schedule.config import ScheduleConfig
from lightning_warmup.schedule.durations import Run
from lightning_warmup.training import lightning_names as pl
from lightning_warmup.training.scheduled_optimizer import ScheduledOptimizer


class Measurement(ABC):
    """Measures before a step, while it is due, and says what the configuration is by what it knows.

    Args:
        config: What the user configured.
    """

    def __init__(self, config: ScheduleConfig) -> None:
        self._given = config

    @property
    @abstractmethod
    def settled(self) -> bool:
        """Whether all is known: :meth:`config` will not change any more."""

    @abstractmethod
    def config(self) -> ScheduleConfig:
        """The configuration by what has been measured so far."""

    @abstractmethod
    def state(self, t: int) -> dict[str, Any]:
        """What a run that is resumed with step t need not measure again, in plain Python."""

    @abstractmethod
    def check(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizers: Sequence[ScheduledOptimizer]
    ) -> None:
        """Raise MisconfigurationException if this run cannot be measured."""

    @abstractmethod
    def due(self, t: int) -> bool:
        """Whether there is something to measure before step t; of a time that is over, it is noticed here."""

    @abstractmethod
    def see(self, trainer: pl.Trainer) -> None:
        """Keep the batch of the step that is due, in ``on_train_batch_start``."""

    @abstractmethod
    def in_run_of(self, run: Run, t: int) -> "Measurement":
        """The same, before step t, in a run that has become another.

        Raises:
            ValueError: If it has no place there.
        """

    @abstractmethod
    def forget(self) -> None:
        """Let go of the Trainer."""

    @abstractmethod
    def measure(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        optimizer: ScheduledOptimizer,
        rates: Sequence[float],
    ) -> None:
        """Measure before the step of ``optimizer`` that is under way.

        Args:
            trainer: The Trainer.
            pl_module: Its module.
            optimizer: The optimizer.
            rates: Learning rate of each group at the end of the warmup.
        """
