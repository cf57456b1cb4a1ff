"""`make demo` from its first step to its last line, and what it promises."""

import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest

from train_digits import ROOT


@pytest.mark.slow
def test_the_demo_trains_and_draws(tmp_path: Path) -> None:
    dry_run = subprocess.run(
        ["make", "--no-print-directory", "-n", "demo"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    _, *arguments = dry_run.stdout.splitlines()[-1].split()
    command = [sys.executable, *(str(ROOT / argument) if "/" in argument else argument for argument in arguments)]
    output = subprocess.run(command, cwd=tmp_path, check=True, stdout=subprocess.PIPE, text=True).stdout

    accuracy, picture = output.splitlines()[-2:]
    assert re.fullmatch(r"test accuracy: 0\.\d{4}", accuracy)
    assert float(accuracy.removeprefix("test accuracy: ")) >= 0.95
    drawn = tmp_path / picture.removeprefix("picture: ")
    assert drawn.read_bytes().startswith(b"\x89PNG")
    with drawn.with_name("metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for metric in ("lr-SGD/backbone", "lr-SGD/head", "train_loss"):
        assert [int(row["step"]) for row in rows if row[metric]] == list(range(380))
    assert len([row for row in rows if row["val_accuracy"]]) == 10
