"""`make demo` from its first step to its last line, and what it promises."""

import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lightning_warmup import LearningRateWarmup
from train_digits import ROOT


@pytest.mark.slow
def test_the_demo_trains_and_draws(tmp_path: Path) -> None:
    dry_run = subprocess.run(
        ["make", "--no-print-directory", "-n", "demo"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    _, *arguments = dry_run.stdout.splitlines()[-1].split()
    command = [sys.executable, *(str(ROOT / argument) if "/" in argument else argument for argument in arguments)]
    output = subprocess.run(command, cwd=tmp_path, check=True, stdout=subprocess.PIPE, text=True).stdout

    without, accuracy, picture = output.splitlines()[-3:]
    assert re.fullmatch(r"test accuracy without warmup: 0\.\d{4}", without)
    assert re.fullmatch(r"test accuracy: 0\.\d{4}", accuracy)
    assert float(accuracy.removeprefix("test accuracy: ")) >= 0.95
    drawn = tmp_path / picture.removeprefix("picture: ")
    assert drawn.read_bytes().startswith(b"\x89PNG")
    logs = sorted(tmp_path.glob("runs/digits/*/metrics.csv"))
    assert drawn.parent == logs[1].parent
    for log, warmup in zip(logs, (0, 38), strict=True):
        with log.open(newline="") as file:
            rows = list(csv.DictReader(file))
        for metric in ("lr-AdamW/backbone", "lr-AdamW/head", "train_loss"):
            assert [int(row["step"]) for row in rows if row[metric]] == list(range(380))
        lrs = [float(row["lr-AdamW/head"]) for row in rows if row["lr-AdamW/head"]]
        assert lrs == LearningRateWarmup(warmup, "cosine").values(0.1, total_steps=380, steps_per_epoch=38)
        assert len([row for row in rows if row["val_accuracy"]]) == 10


@pytest.mark.parametrize("target", ["demo", "test"])
def test_before_pip_falls_silent_it_says_what_it_does(target: str) -> None:
    dry_run = subprocess.run(
        ["make", "--no-print-directory", "-n", "-B", target], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert dry_run.stdout.splitlines()[0].startswith('echo "making .venv: pip installs torch')
