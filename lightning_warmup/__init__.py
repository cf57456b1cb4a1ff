"""Learning-rate warmup and decay as one Lightning callback."""

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import lightning_warmup.moved  # noqa: F401  # the names of 0.1.0
from lightning_warmup.short_names import load_with_the_cli

if TYPE_CHECKING:
    from lightning_warmup.callbacks.critical_learning_rate_monitor import CriticalLearningRateMonitor
    from lightning_warmup.callbacks.gradient_initialized_adam import GradientInitializedAdam
    from lightning_warmup.callbacks.hyperparameter_warmup import HyperparameterWarmup
    from lightning_warmup.callbacks.learning_rate_warmup import LearningRateWarmup
    from lightning_warmup.callbacks.loss_spike_monitor import LossSpikeMonitor
    from lightning_warmup.callbacks.schedule_preview import SchedulePreview
    from lightning_warmup.critical.catapult import PersistentCatapultWarmup
    from lightning_warmup.critical.critical_start import CriticalLearningRate
    from lightning_warmup.critical.line_search import LineSearchWarmup
    from lightning_warmup.critical.search import CriticalLearningRateResult, critical_learning_rate
    from lightning_warmup.schedule.beta2_warmups import (
        RAdamWarmup,
        SqrtBeta2Warmup,
        UntunedExponentialWarmup,
        UntunedLinearWarmup,
    )
    from lightning_warmup.schedule.decays import (
        ConstantDecay,
        CosineDecay,
        Decay,
        ExponentialDecay,
        FunctionDecay,
        InverseSqrtDecay,
        InverseTimeDecay,
        LinearDecay,
        OneMinusSqrtDecay,
        PolynomialDecay,
    )
    from lightning_warmup.schedule.formula_shapes import FormulaDecay, FormulaWarmup
    from lightning_warmup.schedule.piecewise import PiecewiseConstantDecay, PiecewiseLinearDecay
    from lightning_warmup.schedule.plateau_decay import ReduceOnPlateauDecay
    from lightning_warmup.schedule.restarts import CosineRestartsDecay, RestartsDecay
    from lightning_warmup.schedule.scaling import LinearScaling, SquareRootScaling
    from lightning_warmup.schedule.sequential import DecayPart, SequentialDecay
    from lightning_warmup.schedule.step_decays import MultiStepDecay, StepDecay
    from lightning_warmup.schedule.warmups import (
        ConstantWarmup,
        CosineWarmup,
        ExponentialWarmup,
        FunctionWarmup,
        LinearWarmup,
        PolynomialWarmup,
        Warmup,
    )
    from lightning_warmup.training.torch_decay import TorchDecay
    from lightning_warmup.view.preview import preview

__version__ = "0.1.0"

__all__ = [
    "ConstantDecay",
    "ConstantWarmup",
    "CosineDecay",
    "CosineRestartsDecay",
    "CosineWarmup",
    "CriticalLearningRate",
    "CriticalLearningRateMonitor",
    "CriticalLearningRateResult",
    "Decay",
    "DecayPart",
    "ExponentialDecay",
    "ExponentialWarmup",
    "FormulaDecay",
    "FormulaWarmup",
    "FunctionDecay",
    "FunctionWarmup",
    "GradientInitializedAdam",
    "HyperparameterWarmup",
    "InverseSqrtDecay",
    "InverseTimeDecay",
    "LearningRateWarmup",
    "LineSearchWarmup",
    "LinearDecay",
    "LinearScaling",
    "LinearWarmup",
    "LossSpikeMonitor",
    "MultiStepDecay",
    "OneMinusSqrtDecay",
    "PersistentCatapultWarmup",
    "PiecewiseConstantDecay",
    "PiecewiseLinearDecay",
    "PolynomialDecay",
    "PolynomialWarmup",
    "RAdamWarmup",
    "ReduceOnPlateauDecay",
    "RestartsDecay",
    "SchedulePreview",
    "SequentialDecay",
    "SqrtBeta2Warmup",
    "SquareRootScaling",
    "StepDecay",
    "TorchDecay",
    "UntunedExponentialWarmup",
    "UntunedLinearWarmup",
    "Warmup",
    "critical_learning_rate",
    "preview",
]

# A schedule is floats: what asks for shapes alone, as the preview does, need not wait for torch and Lightning.
_MODULES = [
    "schedule.decays",
    "schedule.step_decays",
    "schedule.restarts",
    "schedule.piecewise",
    "schedule.sequential",
    "schedule.formula_shapes",
    "schedule.warmups",
    "schedule.beta2_warmups",
    "schedule.plateau_decay",
    "schedule.scaling",
    "critical.search",
    "critical.critical_start",
    "critical.catapult",
    "critical.line_search",
    "view.preview",
    "training.torch_decay",
    "callbacks.learning_rate_warmup",
    "callbacks.hyperparameter_warmup",
    "callbacks.gradient_initialized_adam",
    "callbacks.loss_spike_monitor",
    "callbacks.critical_learning_rate_monitor",
    "callbacks.schedule_preview",
]
"""Where the public names are, the cheapest to import first."""


def __getattr__(name: str) -> Any:
    if name in __all__:
        for module in _MODULES:
            there = import_module(f"{__name__}.{module}")
            if name in vars(there):
                globals()[name] = vars(there)[name]
                return vars(there)[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _load() -> None:
    for name in __all__:
        getattr(sys.modules[__name__], name)
    if find_spec("jsonargparse") is not None:
        import_module(f"{__name__}.callbacks.lightning_cli").install()


load_with_the_cli(_load)
