"""The time that a ``fit`` has used, the same on every process."""

import math
import time
from dataclasses import replace
from typing import Any

import torch
from lightning_utilities.core.rank_zero import rank_zero_info
from torch import distributed

from lightning_warmup.schedule.clock import as_seconds
from lightning_warmup.schedule.config import ScheduleConfig
from lightning_warmup.schedule.durations import Run
from lightning_warmup.schedule.time_words import time_words
from lightning_warmup.training import lightning_names as pl
from lightning_warmup.training.lightning_names import MisconfigurationException, Timer


def now() -> float:
    """Seconds of a clock that never goes back: all that is ever read of the time, but for a Timer's own reading."""
    return time.monotonic()


class Clock:
    """Milliseconds of training that are used: from ``on_train_start`` on, validation in it included.

    It never goes back, whatever the clock behind it does.

    Args:
        trainer: The Trainer, in ``on_train_start``.
        timer: The Timer whose time it is; None for a time of our own.
        used: Milliseconds that the checkpoint had used; a Timer keeps its own.
    """

    def __init__(self, trainer: pl.Trainer, timer: Any, used: int) -> None:
        self.used: int = 0
        """Milliseconds used at the last :meth:`read`."""
        self._trainer = trainer
        self._timer = timer
        self._before = used
        self._began = now()
        self._stopped = False
        self._alone = trainer.world_size == 1
        self._message: torch.Tensor | None = None
        self._group: Any = None
        if not self._alone and distributed.is_available() and distributed.is_initialized():
            # Over the CPU, where no process has to wait for its GPU to tell the time.
            self._message = torch.zeros(1, dtype=torch.int64)
            if "gloo" not in distributed.get_backend():
                self._group = distributed.new_group(backend="gloo")
        self.read()

    def read(self) -> None:
        """Look at rank 0's clock. Every process must call it, and as often as all others."""
        used: int = self._reading() if self._trainer.is_global_zero else 0
        if self._message is not None:
            self._message[0] = used
            distributed.broadcast(self._message, 0, group=self._group)
            used = int(self._message[0])
        elif not self._alone:
            used = int(self._trainer.strategy.broadcast(used))
        self.used = max(self.used, used)

    def _reading(self) -> int:
        if self._timer is not None:
            return math.floor(float(self._timer.time_elapsed()) * 1000)
        return self._before + math.floor((now() - self._began) * 1000)

    def state(self) -> int:
        """Milliseconds used by now, for a checkpoint, which is rank 0's: no other process is asked."""
        if self._stopped or not self._trainer.is_global_zero:
            return self.used
        return max(self.used, self._reading())

    def stop(self) -> None:
        """Training is over."""
        if not self._stopped:
            self.used, self._stopped = self.state(), True


def _timers(trainer: pl.Trainer) -> list[Any]:
    """What ends the run by the clock: the Trainer's ``max_time``, which is a Timer too, and others."""
    callbacks: list[Any] = trainer.callbacks  # type: ignore[union-attr]
    return [each for each in callbacks if isinstance(each, Timer) and each.time_remaining() is not None]


def _duration(timer: Any) -> int:
    """How long it lets a run go on, in milliseconds."""
    seconds: float = timer.time_remaining() + timer.time_elapsed()
    return round(seconds * 1000)


def find_timer(owner: str, trainer: pl.Trainer) -> Any:
    """The Timer that ends the run; of several, the first to do so.

    Raises:
        MisconfigurationException: If there is none, or its clock stands still.
    """
    timers = _timers(trainer)
    if not timers:
        raise MisconfigurationException(
            f"{owner}(total='max_time'): this Trainer has no max_time. Give Trainer(max_time={{'hours': 8}}), or here"
            " total='8 hours'."
        )
    timer = min(timers, key=_duration)
    if timer.end_time() is not None:
        raise MisconfigurationException(
            f"{owner}(total='max_time'): the Trainer's Timer has ended with its first fit, and neither tells the time"
            " nor ends a second one. Make a new Trainer, or give total='8 hours'."
        )
    return timer


def begin_clock(
    config: ScheduleConfig, trainer: pl.Trainer, state: dict[str, Any], *, resumed: bool
) -> tuple[ScheduleConfig, Clock]:
    """Start the clock of a run by the clock.

    Args:
        config: What the user configured.
        trainer: The Trainer.
        state: The callback's state in the checkpoint.
        resumed: Whether the run goes on from one.

    Returns:
        The configuration, with ``total`` a time, and the clock.

    Raises:
        MisconfigurationException: If there is no ``max_time`` to take it from.
    """
    timer = None
    if config.total == "max_time":
        timer = find_timer(config.owner, trainer)
        config = replace(config, total=as_seconds(_duration(timer)))
    elif resumed and "milliseconds" not in state:
        rank_zero_info(
            f"{config.owner}: the checkpoint does not tell what time it has used; total={config.total!r} counts from"
            " now on."
        )
    return config, Clock(trainer, timer, state.get("milliseconds", 0))


def tell_of_the_end(config: ScheduleConfig, trainer: pl.Trainer, written: object, planned: Run, trainers: Run) -> None:
    """Say, on rank 0, where the plan and the Trainer do not end together.

    Args:
        config: What the user configured, ``total`` a time.
        trainer: The Trainer.
        written: ``total`` as the user wrote it.
        planned: The run that is planned over.
        trainers: The run as the Trainer knows it.
    """
    assert planned.milliseconds is not None
    call, whole = f"{config.owner}(total={written!r})", time_words(planned.milliseconds)
    limit = None
    if trainers.steps is not None:
        limit = f"{trainers.steps:,} steps"
    elif trainers.epochs is not None:
        limit = f"{trainers.epochs:,} epochs"
    if written == "max_time":
        if limit is not None:
            rank_zero_info(f"{call}: planned over {whole}; the Trainer may end the run before, after {limit}.")
        return
    ends = sorted(map(_duration, _timers(trainer)))
    stops = [time_words(end) for end in ends[:1]] + ([] if limit is None else [limit])
    if limit is None and ends[:1] == [planned.milliseconds]:
        return
    after = f"The Trainer ends it after {' or '.join(stops)}" if stops else "Nothing ends it"
    rank_zero_info(
        f"{call}: planned over {whole}, which does not end the run. {after}: to end both together, give"
        " Trainer(max_time=...) and total='max_time'."
    )
