"""Callbacks that save, or die, in the middle of a run."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl


class SaveEveryBatch(pl.Callback):
    """Saves a checkpoint after every batch, from its own place among the callbacks."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.seen = folder, 0

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self.seen += 1
        trainer.save_checkpoint(self.folder / f"{self.seen}.ckpt")


class Killed(Exception):
    pass


class KillIn(pl.Callback):
    """Dies when a hook is called for the n-th time."""

    def __init__(self, hook: str, time: int) -> None:
        self.time, self.seen = time, 0
        setattr(self, hook, self._count)

    def _count(self, *_: Any, **__: Any) -> None:
        self.seen += 1
        if self.seen == self.time:
            raise Killed
