"""The benchmark runs, and measures all that it names; how long anything takes is no test."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "overhead.py"


@pytest.mark.slow
def test_the_benchmark_measures_all_it_names(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text("Written by hand.\n", encoding="utf-8")
    options = "--groups 1 3 --rounds 1 --fits 1 --fit-steps 20 --long 1000 --imports 1"
    options += " --json report.json --markdown performance.md"
    command = [sys.executable, str(SCRIPT), *options.split()]
    output = subprocess.run(command, cwd=tmp_path, check=True, stdout=subprocess.PIPE, text=True).stdout

    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    settings = {(row["groups"], row["kind"], row["phase"]) for row in report["steps"]}
    assert settings == {(n, kind, p) for n in (1, 3) for kind in ("float", "tensor") for p in ("warmup", "decay")}
    for setting in settings:
        measured = {
            row["contender"] for row in report["steps"] if (row["groups"], row["kind"], row["phase"]) == setting
        }
        assert {"bare loop", "torch SequentialLR", "lightning_warmup", "lightning_warmup, no step"} <= measured
    assert page.read_text(encoding="utf-8").startswith("Written by hand.\n<!--")
    for contender in {row["contender"] for row in report["steps"]} | set(report["fit"]) | set(report["growth"]):
        assert f"| {contender} |" in output
