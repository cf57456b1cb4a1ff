"""What users import, and which module may know of which."""

import ast
import inspect
from pathlib import Path

import pytest

import lightning_warmup

PACKAGE = Path(lightning_warmup.__file__).parent

# A module may import those above it, and no other of this package.
ORDER = [
    "checks",
    "durations",
    "warmups",
    "beta2_warmups",
    "decays",
    "critical_lr",
    "catapult",
    "plateau",
    "torch_decay",
    "curve",
    "scaling",
    "group_values",
    "settings",
    "describe",
    "preview",
    "param_groups",
    "run_length",
    "logged_metric",
    "track",
    "module_scheduler",
    "announce",
    "starting_point",
    "step_counter",
    "snapshot",
    "trial_step",
    "critical_lr_probe",
    "adaptive",
    "schedule_callback",
    "callbacks",
    "gi_adam",
    "monitors",
    "__init__",
]

# Maths: what a schedule is does not depend on who follows it.
PURE = {
    "checks",
    "durations",
    "warmups",
    "beta2_warmups",
    "decays",
    "curve",
    "scaling",
    "group_values",
    "settings",
    "critical_lr",
    "catapult",
}

MODULES = sorted(path.stem for path in PACKAGE.glob("*.py"))


def test_names():
    assert lightning_warmup.__all__ == [
        "ConstantDecay",
        "ConstantWarmup",
        "CosineDecay",
        "CosineRestartsDecay",
        "CosineWarmup",
        "CriticalLearningRate",
        "CriticalLearningRateMonitor",
        "CriticalLearningRateResult",
        "Decay",
        "ExponentialDecay",
        "ExponentialWarmup",
        "FunctionDecay",
        "FunctionWarmup",
        "GradientInitializedAdam",
        "HyperparameterWarmup",
        "InverseSqrtDecay",
        "LearningRateWarmup",
        "LinearDecay",
        "LinearScaling",
        "LinearWarmup",
        "LossSpikeMonitor",
        "MultiStepDecay",
        "OneMinusSqrtDecay",
        "PersistentCatapultWarmup",
        "PolynomialDecay",
        "PolynomialWarmup",
        "RAdamWarmup",
        "ReduceOnPlateauDecay",
        "SqrtBeta2Warmup",
        "SquareRootScaling",
        "StepDecay",
        "TorchDecay",
        "UntunedExponentialWarmup",
        "UntunedLinearWarmup",
        "Warmup",
        "critical_learning_rate",
    ]


@pytest.mark.parametrize("name", lightning_warmup.__all__)
def test_every_name_is_there_and_documented(name):
    assert inspect.getdoc(getattr(lightning_warmup, name))


def test_is_typed():
    assert (PACKAGE / "py.typed").exists()


def imports(module):
    """Packages that a module imports, and modules of this one; even for type checking or in a function."""
    outside, inside = set(), set()
    for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}.py imports relatively"
            names = [node.module]
            if node.module == "lightning_warmup":
                names = [f"lightning_warmup.{alias.name}" for alias in node.names]
        for name in names:
            package, _, rest = name.partition(".")
            if package == "lightning_warmup":
                inside.add(rest or "__init__")
            else:
                outside.add(package)
    return outside, inside


@pytest.mark.parametrize("module", MODULES)
def test_dependencies_point_up_the_list(module):
    assert module in ORDER, "a new module: give it a place"
    _, inside = imports(module)
    assert inside <= set(ORDER[: ORDER.index(module)])


@pytest.mark.parametrize("module", sorted(PURE))
def test_maths_is_pure(module):
    outside, inside = imports(module)
    followers = {"torch", "lightning", "pytorch_lightning", "lightning_utilities", "torchmetrics"}
    # Many param groups are computed as one array, the same floats in less time.
    assert not outside & (followers if module == "curve" else followers | {"numpy"})
    assert inside <= PURE
