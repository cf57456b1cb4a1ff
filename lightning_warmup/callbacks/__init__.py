"""What users add to a Trainer."""

from lightning_warmup.callbacks.hyperparameter_warmup import HyperparameterWarmup
from lightning_warmup.callbacks.learning_rate_warmup import LearningRateWarmup

__all__ = ["HyperparameterWarmup", "LearningRateWarmup"]  # by these names pickles of 0.1.0 know them
