"""Run examples/digits.py in this process, as if from the command line."""

import csv
import importlib
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))

QUICKLY = [
    "--trainer.limit_train_batches=4",
    "--trainer.limit_val_batches=1",
    "--trainer.num_sanity_val_steps=0",
    "--trainer.enable_checkpointing=false",
    "--trainer.enable_model_summary=false",
    "--trainer.enable_progress_bar=false",
]
"""Four optimizer steps in an epoch, and nothing else that takes time."""


def digits(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    """``python examples/digits.py *arguments``."""
    monkeypatch.syspath_prepend(ROOT / "examples")
    monkeypatch.setattr(sys, "argv", ["digits.py", *arguments])
    importlib.import_module("digits").main()


def logged_lrs(folder: Path) -> dict[str, list[float]]:
    """By group, the learning rate of every step, as LearningRateMonitor logged it."""
    (metrics,) = folder.glob("runs/digits/version_0/metrics.csv")
    with metrics.open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns = {column.rpartition("/")[2]: column for column in rows[0] if column.startswith("lr-")}
    return {group: [float(row[column]) for row in rows if row[column]] for group, column in columns.items()}
