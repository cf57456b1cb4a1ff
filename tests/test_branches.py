"""The recipes of docs/branches.md, one after the other, on unedited checkpoints of the runs before."""

import math
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from train_digits import QUICKLY, ROOT, digits, logged_lrs

pytestmark = [
    pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended"),
    pytest.mark.filterwarnings("ignore:The dirpath has changed"),
]

STABLE, BRANCH = (
    ("--config", str(ROOT / "configs" / "stable.yaml")),
    ("--config", str(ROOT / "configs" / "cooldown_branch.yaml")),
)
QUICK = [option for option in QUICKLY if "checkpointing" not in option]
KEEP = [
    "--trainer.callbacks+=ModelCheckpoint",
    "--trainer.callbacks.save_top_k=-1",
    "--trainer.callbacks.every_n_train_steps=1",
    "--trainer.callbacks.dirpath=kept",
    "--trainer.callbacks.filename={step}",
]


@pytest.fixture
def fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``fit`` in a folder of its own: the learning rates that its steps used, and where its checkpoints are."""

    def fitted(name: str, *options: str) -> tuple[list[float], Path]:
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.chdir(folder)
        digits(monkeypatch, "fit", *options, *QUICK, *KEEP)
        return logged_lrs(folder)["head"], folder / "kept"

    return fitted


def at(path: Path, step: int) -> str:
    return f"--ckpt_path={path / f'step={step}.ckpt'}"


def cooled(s: int, end: int) -> Any:
    return pytest.approx([0.003 * (1 - math.sqrt((t - s) / (end - s))) for t in range(s, end)])


def test_one_stable_run_and_its_branches(fit: Any) -> None:
    stable, kept = fit("stable", *STABLE, "--trainer.max_epochs=8")
    assert stable == pytest.approx([*(0.0006 * (t + 1) for t in range(4)), *[0.003] * 28])
    # Branches from wherever the run stood, each as one command.
    for s, end in ((10, 18), (22, 30), (31, 39)):
        branch, its_own = fit(f"from-{s}", *STABLE, *BRANCH, at(kept, s), f"--trainer.max_steps={end}")
        assert branch == cooled(s, end)
        again, _ = fit(f"again-{s}", *STABLE, *BRANCH, at(its_own, s + 3), f"--trainer.max_steps={end}")
        assert again == branch[3:]
    # The stable run goes on from where it was, as if there had been no branch.
    longer, _ = fit("longer", *STABLE, at(kept, 31), "--trainer.max_epochs=10")
    assert longer == [0.003] * len(longer)


def written(others: dict[str, Any]) -> list[str]:
    """The options of the command in docs/branches.md that has all of these words, with others in their place."""
    page = (ROOT / "docs" / "branches.md").read_text()
    commands = re.findall(r"^python examples/digits\.py fit ((?:.*\\\n)*.*)$", page, re.MULTILINE)
    (command,) = [each for each in commands if all(word in each for word in others)]
    for word, other in others.items():
        command = command.replace(word, f"resume_warmup={other}" if "=" in word else str(other))
    return shlex.split(command.replace("configs/", f"{ROOT}/configs/").replace("\\\n", " "))


def test_a_branch_is_seen_before_it_is_trained(
    fit: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, kept = fit("stable", *STABLE, "--trainer.max_epochs=2")
    capsys.readouterr()
    monkeypatch.chdir(kept)
    preview = "--trainer.callbacks+=lightning_warmup.SchedulePreview"
    digits(monkeypatch, "fit", *STABLE, *BRANCH, at(kept, 8), "--trainer.max_steps=18", *QUICK, *KEEP, preview)
    shown = capsys.readouterr().out
    assert "8 of 18 steps are run; the next one uses 0.003" in shown
    assert "test accuracy" not in shown


def test_again_and_again(fit: Any) -> None:
    """WSD-S: on from the end of a cooldown, back up over so many steps, and down again."""
    _, kept = fit("stable", *STABLE, "--trainer.max_epochs=4")
    first, cold = fit("first", *STABLE, *BRANCH, at(kept, 10), "--trainer.max_steps=18")
    assert first == cooled(10, 18)
    # What the page writes, word by word, but for its numbers and files.
    on, warm = fit("on", *written({"END_OF_COOLDOWN.ckpt": cold / "step=18.ckpt", "1500": 43, "resume_warmup=50": 5}))
    assert on == pytest.approx([0.003 * min(1, (t - 18) / 5) for t in range(18, 43)])
    second, _ = fit("second", *STABLE, *BRANCH, at(warm, 27), "--trainer.max_steps=35")
    assert second == cooled(27, 35)
