"""What users import, and which module may know of which."""

import ast
import inspect
from pathlib import Path

import pytest

import lightning_warmup
from shapes import ROWS

PACKAGE = Path(lightning_warmup.__file__).parent
TESTS = Path(__file__).parent

# What a folder may import of this package: itself, and what stands to its right.
FOLDERS = ["converters", "callbacks", "view", "critical", "training", "schedule"]

# A schedule is floats: it does not depend on who follows it.
FOLLOWERS = {"torch", "lightning", "pytorch_lightning", "lightning_utilities", "torchmetrics"}

MODULES = sorted(path.relative_to(PACKAGE).with_suffix("").as_posix() for path in PACKAGE.glob("*/*.py"))


# What is public beside the shapes, each of which has a row in tests/shapes.py.
OTHERS = [
    "CriticalLearningRate",
    "CriticalLearningRateMonitor",
    "CriticalLearningRateResult",
    "Decay",
    "DecayPart",
    "EarlyStoppingAfterWarmup",
    "GradientInitializedAdam",
    "HyperparameterWarmup",
    "LearningRateWarmup",
    "LinearScaling",
    "LossSpikeMonitor",
    "SchedulePreview",
    "SquareRootScaling",
    "Warmup",
    "critical_learning_rate",
    "preview",
]


def test_names():
    assert lightning_warmup.__all__ == sorted([*OTHERS, *(shape.__name__ for shape in ROWS)])


@pytest.mark.parametrize("name", lightning_warmup.__all__)
def test_every_name_is_there_and_documented(name):
    assert inspect.getdoc(getattr(lightning_warmup, name))


def test_is_typed():
    assert (PACKAGE / "py.typed").exists()


def test_the_folders_are_all_there_is():
    assert sorted(path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name[0] != "_") == sorted(FOLDERS)
    assert sorted(path.name for path in PACKAGE.glob("*.py")) == [
        "__init__.py",
        "__main__.py",
        "gradual_warmup.py",
        "moved.py",
        "short_names.py",
        "supergradients.py",
        "timm.py",
        "transformers.py",
    ]


def test_the_tests_are_in_the_same_folders():
    files = list(TESTS.rglob("test_*.py"))
    assert {path.parent.name for path in files} == {TESTS.name, *FOLDERS, "faults"}
    assert len({path.name for path in files}) == len(files), "pytest knows a file by its name alone"


def imports(module):
    """Packages that a module imports, and modules of this one; even for type checking or in a function."""
    outside, inside = set(), set()
    for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}.py imports relatively"
            names = [node.module]
            if (PACKAGE.parent / node.module.replace(".", "/")).is_dir():
                names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            package, _, rest = name.partition(".")
            if package == "lightning_warmup":
                inside.add(rest.replace(".", "/"))
            else:
                outside.add(package)
    return outside, inside


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_one_way(module):
    _, inside = imports(module)
    may = FOLDERS[FOLDERS.index(module.partition("/")[0]) :]
    assert {name.partition("/")[0] for name in inside} <= set(may)
    assert inside <= set(MODULES), "by the file that it is in, so that nothing else is loaded"


def test_no_file_of_a_folder_waits_for_itself():
    seen = set()

    def reached(module, way):
        assert module not in way, f"a circle: {' → '.join([*way, module])}"
        if module not in seen:  # what it leads to has been looked at: there are many ways to each
            for other in imports(module)[1]:
                reached(other, [*way, module])
            seen.add(module)

    for module in MODULES:
        reached(module, [])


@pytest.mark.parametrize("module", [module for module in MODULES if module.startswith("schedule/")])
def test_a_schedule_is_floats(module):
    outside, _ = imports(module)
    # Many param groups are computed as one array, the same floats in less time.
    assert not outside & (FOLLOWERS if module == "schedule/schedule" else FOLLOWERS | {"numpy"})
