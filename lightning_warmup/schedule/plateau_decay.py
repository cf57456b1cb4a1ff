"""A decay that follows a metric, as the user configures it."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from lightning_warmup.schedule.checks import Factor, is_count, is_number, keep_factor, non_negative
from lightning_warmup.schedule.decays import Decay


@dataclass(frozen=True)
class ReduceOnPlateauDecay(Decay):
    r"""A step down whenever a metric has stopped improving.

    .. math:: \max(\mathrm{final}, \mathrm{factor}^{k})

    k is how often ``torch.optim.lr_scheduler.ReduceLROnPlateau``, which is at work inside, has reduced. It looks at
    ``trainer.callback_metrics`` after each validation, or after each training epoch where there is no validation;
    nothing is counted during the warmup and hold, nor in the callback's cooldown. A nan counts as no improvement, with
    a warning. The metric is averaged over the processes.

    Args:
        monitor: Name of a metric that the module logs; where it is missing, an error lists those there are.
        mode: Whether ``"min"`` or ``"max"`` is better.
        factor: Factor of each step, in (0, 1).
        patience: Evaluations without improvement that are let pass before a step, an int ≥ 0.
        threshold: What counts as an improvement, finite and ≥ 0.
        threshold_mode: Whether ``threshold`` is a share of the best value (``"rel"``) or a difference (``"abs"``).
        cooldown: Evaluations after a step that are not counted, an int ≥ 0.
        final: Floor of the factor, finite and ≥ 0, or "10%".

    Raises:
        ValueError: If an argument is out of range; from ``values()``, since the curve depends on the run itself.
        MisconfigurationException: In training, if the metric is not there.

    >>> from lightning_warmup import LearningRateWarmup
    >>> warmup = LearningRateWarmup(500, ReduceOnPlateauDecay("val_loss", factor=0.5, patience=3))
    """

    monitor: str
    mode: Literal["min", "max"] = "min"
    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    threshold_mode: Literal["rel", "abs"] = "rel"
    cooldown: int = 0
    final: Factor = 0.0
    ends: ClassVar[bool] = False
    closed_form: ClassVar[bool] = False
    measured: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        owner = "ReduceOnPlateauDecay"
        if not isinstance(self.monitor, str) or not self.monitor:
            raise ValueError(f"{owner}(monitor={self.monitor!r}): expected the name of a logged metric.")
        for name, value, choices in (
            ("mode", self.mode, ("min", "max")),
            ("threshold_mode", self.threshold_mode, ("rel", "abs")),
        ):
            if value not in choices:
                raise ValueError(f"{owner}({name}={value!r}): expected {' or '.join(map(repr, choices))}.")
        if not is_number(self.factor) or not 0 < self.factor < 1:
            raise ValueError(f"{owner}(factor={self.factor!r}): expected a number in (0, 1).")
        for name, count in (("patience", self.patience), ("cooldown", self.cooldown)):
            if not is_count(count, 0):
                raise ValueError(f"{owner}({name}={count!r}): expected an int ≥ 0, a number of evaluations.")
        non_negative(owner, "threshold", self.threshold)
        keep_factor(self, "final")

    def factor_at(self, tau: float, length: float) -> float:
        raise ValueError(f"{self!r} depends on the run itself: its values cannot be had without a Trainer.")
