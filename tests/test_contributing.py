"""CONTRIBUTING.md: its worked example runs, in Python and in YAML, and what it points at is there."""

import contextlib
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from lightning_warmup import LearningRateWarmup
from runs import Line, fit_stream, loader

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


# A block that begins with the name of a file is that file.
FILES = {match[1]: code for code in blocks("python") if (match := re.match(r"# (\w+)\.py\n", code))}
EXAMPLES = [code for code in blocks("python") if code not in FILES.values()]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder outside of the package with the modules of the page, in which one works."""
    for name, code in FILES.items():
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in FILES:
        sys.modules.pop(name, None)


def run_example() -> tuple[dict[str, Any], list[str]]:
    """The names that the page's Python leaves behind, and what it prints."""
    namespace: dict[str, Any] = {}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for code in EXAMPLES:
            exec(code, namespace)
    return namespace, printed.getvalue().splitlines()


def test_the_example_in_python(files: Path) -> None:
    _, printed = run_example()
    shown = re.findall(r"^print\(.*\)\n# (.*)$", "\n".join(EXAMPLES), re.MULTILINE)
    assert printed == shown
    assert len(shown) == 1


def test_the_example_in_yaml(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a LightningCLI that trains: every step uses what Python says of it."""

    class Data(Line):
        def __init__(self) -> None:
            super().__init__()

        def train_dataloader(self) -> Any:
            return loader(5)

    class CLI(LightningCLI):
        def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
            parser.add_lightning_class_args(LearningRateWarmup, "lr_warmup")

    (config,) = blocks("yaml")
    (files / "config.yaml").write_text(config, encoding="utf-8")
    quiet = ["logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"]
    arguments = ["train.py", "fit", "--config=config.yaml", "--trainer.accelerator=cpu", "--trainer.max_epochs=4"]
    arguments += [f"--trainer.{name}=false" for name in quiet]
    monkeypatch.setattr(sys, "argv", arguments)
    cli = CLI(Data, save_config_callback=None, seed_everything_default=1)
    callback = run_example()[0]["callback"]
    assert cli.model.used == callback.values(0.1, total_steps=20, steps_per_epoch=5)


def test_it_is_refused_where_nothing_would_come_of_it(files: Path) -> None:
    (message,) = (block for block in blocks("text") if block.startswith("LearningRateWarmup("))
    pattern = ".*".join(map(re.escape, message.strip().split("…")))
    callback = run_example()[0]["callback"]
    with pytest.raises(ValueError, match=pattern):
        fit_stream(callback, max_epochs=-1, max_time={"seconds": 1})
    with pytest.raises(ValueError, match=pattern):
        fit_stream(callback, max_epochs=2)
    assert len(fit_stream(callback, max_steps=15, max_epochs=-1)) == 15


def test_one_that_never_looks_at_the_length_runs_there(files: Path) -> None:
    from hyperbolic_in_time import HyperbolicInTimeDecay

    callback = LearningRateWarmup(2, HyperbolicInTimeDecay(timescale=4))
    used = fit_stream(callback, max_epochs=-1, max_time={"seconds": 1})
    assert used[2] == 0.1
    assert used[6] == 0.05
    assert used == callback.values(0.1, total_steps=max(7, len(used)), steps_per_epoch=10)[: len(used)]


def test_what_it_points_at_is_there() -> None:
    paths = re.findall(r"\b(?:[a-z_]+/)*[a-z_]+\.(?:py|md)\b", TEXT)
    assert len(paths) > 12
    for path in paths:
        on_the_page = path.removesuffix(".py") in FILES
        assert on_the_page or any((folder / path).exists() for folder in (ROOT, ROOT / "lightning_warmup")), path
    package = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "lightning_warmup").rglob("*.py"))
    for name in re.findall(r"`([A-Z]\w+)`|\b([A-Z]\w+)\.on_train_start|\b(begin_fit)\b", TEXT):
        (name,) = filter(None, name)
        assert re.search(rf"^(class|def) {name}\b", package, re.MULTILINE) or name == "LightningCLI", name


def test_no_test_file_imports_another() -> None:
    for path in (ROOT / "tests").rglob("*.py"):
        assert not re.search(r"^\s*(from|import) test_", path.read_text(encoding="utf-8"), re.MULTILINE), path.name
