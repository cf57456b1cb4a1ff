"""A clock of the tests' own: nothing waits for time to go by."""

from typing import Any

import lightning.pytorch as pl
import pytest

from lightning_warmup.training import clock


class Ticking(pl.Callback):
    """Takes the place of the real clock; every optimizer step lasts as long as it says.

    Args:
        monkeypatch: pytest's.
        seconds: Of each step, the last going on for all that follow.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *seconds: float) -> None:
        self.time, self.seconds, self.step = 1000.0, seconds, 0
        self.reads = 0
        monkeypatch.setattr(clock, "now", self.now)

    def now(self) -> float:
        self.reads += 1
        return self.time

    def on_before_optimizer_step(self, *_: Any) -> None:
        self.time += self.seconds[min(self.step, len(self.seconds) - 1)]
        self.step += 1
