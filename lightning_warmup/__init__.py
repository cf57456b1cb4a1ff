"""Learning-rate warmup and decay as one Lightning callback."""

import lightning_warmup.moved  # noqa: F401  # the names of 0.1.0
from lightning_warmup.callbacks.critical_learning_rate_monitor import CriticalLearningRateMonitor
from lightning_warmup.callbacks.gradient_initialized_adam import GradientInitializedAdam
from lightning_warmup.callbacks.hyperparameter_warmup import HyperparameterWarmup
from lightning_warmup.callbacks.learning_rate_warmup import LearningRateWarmup
from lightning_warmup.callbacks.loss_spike_monitor import LossSpikeMonitor
from lightning_warmup.critical.catapult import PersistentCatapultWarmup
from lightning_warmup.critical.critical_start import CriticalLearningRate
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
    "SequentialDecay",
    "SqrtBeta2Warmup",
    "SquareRootScaling",
    "StepDecay",
    "TorchDecay",
    "UntunedExponentialWarmup",
    "UntunedLinearWarmup",
    "Warmup",
    "critical_learning_rate",
]
