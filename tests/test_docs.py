"""Every code block of the documentation runs, every YAML parses, every link leads somewhere."""

import contextlib
import functools
import io
import math
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.cli import LightningArgumentParser
from torch.optim import lr_scheduler

import lightning_warmup
from lightning_warmup import LearningRateWarmup
from parsers import instantiated

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]


def named(path: Any) -> str | None:
    return path.name if isinstance(path, Path) else None


def blocks(path: Path, language: str) -> list[tuple[int, str]]:
    """Line and text of every block of a language."""
    text = path.read_text(encoding="utf-8")
    found = re.finditer(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [(text[: match.start(1)].count("\n") + 1, match[1]) for match in found]


def cells(path: Path, *columns: str) -> list[tuple[str, ...]]:
    """The code in these columns, of every row of the tables that have them all."""
    rows: list[tuple[str, ...]] = []
    places: list[int] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        parts = [part.strip() for part in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not line.startswith("|"):
            places = []
        elif set(columns) <= set(parts):
            places = [parts.index(column) for column in columns]
        elif places and not set(line) <= set("|- "):
            codes = [re.findall("`([^`]+)`", parts[place]) for place in places]
            if all(codes):
                rows.append(tuple(code[0] for code in codes))
    return rows


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_python_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of a page one after another; comments right below a `print` are what it prints."""
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for line, source in blocks(path, "python"):
        code = compile("\n" * (line - 1) + source, str(path), "exec")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code, namespace)
        expected = re.findall(r"^ *print\(.*\)\n((?: *# .*\n)+)", source, re.MULTILINE)
        shown = [re.sub("^ *# ", "", comment) for group in expected for comment in group.splitlines()]
        assert printed.getvalue().splitlines() == shown, f"{path.name}, line {line}"


@functools.cache  # a second or so, for each row of each table
def parser() -> LightningArgumentParser:
    """What a LightningCLI with our key parses."""
    parser = LightningArgumentParser(exit_on_error=False)
    parser.add_argument("--config", action="config")
    parser.add_lightning_class_args(LearningRateWarmup, "lr_warmup")
    parser.add_lightning_class_args(Trainer, "trainer")
    parser.add_lr_scheduler_args()
    return parser


def callbacks_of(text: str, folder: Path) -> list[Callback]:
    """The callbacks that a YAML asks for."""
    config = folder / "config.yaml"
    config.write_text(text, encoding="utf-8")
    ours = parser()
    built = instantiated(ours, ours.parse_args([f"--config={config}"]))
    return [built.lr_warmup, *(built.trainer.callbacks or [])]


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_yaml_parses(path: Path, tmp_path: Path) -> None:
    for line, text in blocks(path, "yaml"):
        keys = yaml.safe_load(text)
        assert keys.keys() <= {"lr_warmup", "trainer", "lr_scheduler"}, f"{path.name}, line {line}"
        callbacks = callbacks_of(text, tmp_path)
        if keys.keys() & {"lr_warmup", "trainer"}:
            assert [c for c in callbacks if not isinstance(c, LearningRateWarmup) or not c._config.idle]


NAMES = {
    **{name: getattr(lightning_warmup, name) for name in lightning_warmup.__all__},
    **vars(lr_scheduler),
    "math": math,
    "partial": functools.partial,
}


def settings_of(callback: Any) -> Any:
    """What two callbacks must have in common to be the same; a TorchDecay's function is what it does."""
    settings = vars(callback._config).copy()
    decay = settings["decay"]
    if isinstance(decay, lightning_warmup.TorchDecay):
        settings["decay"] = (decay.unit, [decay.factor_at(tau, math.inf) for tau in range(50)])
    return settings


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_python_and_yaml_of_a_table_say_the_same(path: Path, tmp_path: Path) -> None:
    for python, text in cells(path, "Python", "YAML"):
        argument = eval(python, NAMES)
        warms = text.startswith("warmup:")
        expected = LearningRateWarmup(argument) if warms else LearningRateWarmup(decay=argument)
        callback, *_ = callbacks_of(f"lr_warmup: {{{text}}}", tmp_path)
        assert settings_of(callback) == settings_of(expected), python


def test_yaml_and_command_line_of_a_table_say_the_same(tmp_path: Path) -> None:
    rows = cells(ROOT / "docs" / "yaml.md", "YAML", "command line")
    for text, line in rows:
        expected, *_ = callbacks_of(f"lr_warmup: {{{text}}}", tmp_path)
        ours = parser()
        callback = instantiated(ours, ours.parse_args(shlex.split(line))).lr_warmup
        assert settings_of(callback) == settings_of(expected), line
    assert len(rows) > 5


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_what_is_refused_says_so(path: Path) -> None:
    """A call in a table's column "refused" raises the error beside it, … standing for what is left out."""
    for python, error in cells(path, "refused", "error"):
        message = ".*".join(map(re.escape, error.split("…")))
        with pytest.raises(ValueError, match=message):
            eval(python, NAMES)


def anchors(path: Path) -> set[str]:
    """What GitHub calls the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", TEXTS, ids=named)
def test_links_lead_somewhere(path: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if not target.startswith("https://"):
            file, _, anchor = target.partition("#")
            there = (path.parent / file) if file else path
            assert there.exists(), target
            assert not anchor or anchor in anchors(there), target


def test_pictures_are_small_and_shown() -> None:
    shown = "".join(path.read_text(encoding="utf-8") for path in PAGES)
    for picture in (ROOT / "docs" / "images").iterdir():
        assert picture.stat().st_size < 80_000
        assert f"images/{picture.name})" in shown


@pytest.mark.parametrize("name", lightning_warmup.__all__)
def test_every_public_name_is_told_of(name: str) -> None:
    assert any(re.search(rf"\b{name}\b", path.read_text(encoding="utf-8")) for path in PAGES)


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=named)
def test_every_recipe_is_told_of(path: Path) -> None:
    assert any(f"configs/{path.name})" in page.read_text(encoding="utf-8") for page in PAGES)


def test_the_tests_that_are_named_are_there() -> None:
    files = list((ROOT / "tests").rglob("test_*.py"))
    there = "".join(path.read_text(encoding="utf-8") for path in files)
    for path in PAGES:
        for name in re.findall(r"`(test_\w+)(?:\.py)?`", path.read_text(encoding="utf-8")):
            assert name in [file.stem for file in files] or f"def {name}(" in there, f"{path.name}: {name}"


@pytest.mark.parametrize("page", ["README.md", "docs/which_schedule.md"])
def test_which_schedule_to_write(page: str) -> None:
    rows = cells(ROOT / page, "write")
    for (python,) in rows:
        callback = eval(python, NAMES)
        if "Plateau" not in python:  # which has no values without a run
            lrs = callback.values(0.1, total_steps=9000, steps_per_epoch=100, batch_size=1024, betas=(0.9, 0.999))
            assert 0 < lrs[0] < max(lrs), python
    assert len(rows) > 5


def test_what_to_write_in_place_of_others() -> None:
    numbers = {
        "N": 20,
        "T": 100,
        "lr": 0.3,
        "eta_min": 0.01,
        "min": 0.1,
        "max": 0.3,
        "max_lr": 0.3,
        "c": 4,
        "n": 8,
        "m": 2,
    }
    numbers |= {"k": 1.5, "U": 250, "milestones": [30, 60]}
    numbers |= {"partial": functools.partial, "OneCycleLR": lr_scheduler.OneCycleLR}
    numbers |= {"lr_end": 1e-7, "power": 2, "s": 50, "w0": 0.01, "r": 0.01, "W": 3, "C": 2, "f": 0.5, "min_lr": 0.03}
    namespace = {**NAMES, **numbers, "lr_updates": [4, 8], "after": functools.partial(lr_scheduler.StepLR, step_size=9)}
    rows = cells(ROOT / "docs" / "migrating.md", "write")
    for (python,) in rows:
        callback = eval(python, namespace)
        assert len(callback.values(0.3, total_steps=120, steps_per_epoch=10, betas=(0.9, 0.98))) == 120
    assert len(rows) > 15


# --- migrating.md: the two whose formulas no other test has; 20 epochs of warmup and 100 in all ---


def test_migrating_from_timm() -> None:
    w0, low, lr, warmup, t_initial = 0.01, 0.03, 0.3, 20, 80
    theirs = [
        w0 + t * (lr - w0) / warmup
        if t < warmup
        else low + 0.5 * (lr - low) * (1 + math.cos(math.pi * (t - warmup) / t_initial))
        for t in range(100)
    ]
    callback = LearningRateWarmup(20, lightning_warmup.CosineDecay(low / lr), warmup_initial_lr=w0)
    assert callback.values(lr, total_steps=100, steps_per_epoch=100) == pytest.approx(theirs)


def test_migrating_from_bolts() -> None:
    w0, low, lr, warmup, total = 0.01, 0.03, 0.3, 20, 100
    theirs = [
        w0 + t * (lr - w0) / (warmup - 1)
        if t < warmup
        else low + 0.5 * (lr - low) * (1 + math.cos(math.pi * (t - warmup) / (total - warmup)))
        for t in range(total)
    ]
    decay = lightning_warmup.CosineDecay(low / lr)
    callback = LearningRateWarmup(warmup - 1, decay, hold=1, warmup_initial_lr=w0)
    assert callback.values(lr, total_steps=total, steps_per_epoch=total) == pytest.approx(theirs)
