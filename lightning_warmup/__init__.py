"""Learning-rate warmup and decay as one Lightning callback."""

from lightning_warmup.beta2_warmups import (
    RAdamWarmup,
    SqrtBeta2Warmup,
    UntunedExponentialWarmup,
    UntunedLinearWarmup,
)
from lightning_warmup.callbacks import HyperparameterWarmup, LearningRateWarmup
from lightning_warmup.catapult import PersistentCatapultWarmup
from lightning_warmup.critical_lr import CriticalLearningRate, CriticalLearningRateResult, critical_learning_rate
from lightning_warmup.decays import (
    ConstantDecay,
    CosineDecay,
    CosineRestartsDecay,
    Decay,
    ExponentialDecay,
    FunctionDecay,
    InverseSqrtDecay,
    LinearDecay,
    MultiStepDecay,
    OneMinusSqrtDecay,
    PolynomialDecay,
    StepDecay,
)
from lightning_warmup.gi_adam import GradientInitializedAdam
from lightning_warmup.monitors import CriticalLearningRateMonitor, LossSpikeMonitor
from lightning_warmup.plateau import ReduceOnPlateauDecay
from lightning_warmup.scaling import LinearScaling, SquareRootScaling
from lightning_warmup.torch_decay import TorchDecay
from lightning_warmup.warmups import (
    ConstantWarmup,
    CosineWarmup,
    ExponentialWarmup,
    FunctionWarmup,
    LinearWarmup,
    PolynomialWarmup,
    Warmup,
)

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
