"""The warmups and decays that are compared, by the names that the cells have."""

from lightning.pytorch import Callback

from evidence.loss_gap import LossGap
from lightning_warmup import (
    CosineDecay,
    Decay,
    GradientInitializedAdam,
    LearningRateWarmup,
    LineSearchWarmup,
    PersistentCatapultWarmup,
    RAdamWarmup,
    SqrtBeta2Warmup,
    UntunedLinearWarmup,
)

DECAYS: dict[str, tuple[str | Decay | None, str | None]] = {
    "linear": ("linear", None),
    "cosine": ("cosine", None),
    "cosine to 10%": (CosineDecay(0.1), None),
    "wsd": ("one_minus_sqrt", "20%"),
    "constant": (None, None),
}
"""Shape, and how much of the run it takes at the end; None: all that the warmup leaves."""


def schedule(warmup: object, decay: str, **more: object) -> LearningRateWarmup:
    """The callback; the peak is the optimizer's own learning rate."""
    shape, duration = DECAYS[decay]
    return LearningRateWarmup(warmup, shape, decay_duration=duration, **more)  # type: ignore[arg-type]


def callbacks(warmup: str, decay: str, steps: int) -> list[Callback]:
    """What a Trainer gets for these names.

    Raises:
        ValueError: If there are none of these names.
    """
    name, _, length = warmup.rpartition(" ")
    match name or warmup:
        case "none":
            return [schedule(0, decay, total=steps)]
        case share if share.endswith("%"):
            return [schedule(share, decay, total=steps)]
        case "radam":
            return [schedule(RAdamWarmup(), decay)]
        case "untuned":
            return [schedule(UntunedLinearWarmup(), decay)]
        case "sqrt-beta2":
            return [schedule(SqrtBeta2Warmup(), decay)]
        case "gi-adam":
            return [GradientInitializedAdam(), schedule(0 if length == "none" else length, decay)]
        case "critical":
            return [schedule(length, decay, warmup_initial_lr="critical")]
        case "line search":
            return [schedule(LineSearchWarmup(length), decay)]
        case "catapult":
            return [schedule(PersistentCatapultWarmup(), decay)]
        case "loss gap" if decay == "linear":
            return [LossGap(float(length), steps)]
    raise ValueError(f"warmup={warmup!r}, decay={decay!r}: there are no such tools.")
