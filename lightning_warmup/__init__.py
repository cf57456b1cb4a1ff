"""Learning-rate warmup and decay as one Lightning callback."""

from lightning_warmup.beta2_warmups import (
    RAdamWarmup,
    SqrtBeta2Warmup,
    UntunedExponentialWarmup,
    UntunedLinearWarmup,
)
from lightning_warmup.callbacks import HyperparameterWarmup, LearningRateWarmup
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
    "Decay",
    "ExponentialDecay",
    "ExponentialWarmup",
    "FunctionDecay",
    "FunctionWarmup",
    "HyperparameterWarmup",
    "InverseSqrtDecay",
    "LearningRateWarmup",
    "LinearDecay",
    "LinearScaling",
    "LinearWarmup",
    "MultiStepDecay",
    "OneMinusSqrtDecay",
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
]
