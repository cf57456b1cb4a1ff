"""What version 0.1.0 has written still loads: pickles, checkpoints, and YAMLs that name its modules.

The files in ``written_by_0_1_0`` were written by the last commit of that layout (5305e75), by this:

* ``callbacks.pickle``: a list of callbacks that have seen no ``fit``;
* ``after_a_fit.pickle``: ``[warmup(), momentum()]`` after a ``fit`` of 2 epochs × 10 batches of :class:`Line` with
  ``SGD(lr=0.1, momentum=0.9)``;
* ``step_7.ckpt``: a checkpoint saved in ``on_train_batch_end`` of that fit's seventh batch.
"""

import pickle
from importlib import import_module
from pathlib import Path

import pytest
import torch

import lightning_warmup
from lightning_warmup import (
    CosineDecay,
    CosineWarmup,
    CriticalLearningRateMonitor,
    GradientInitializedAdam,
    HyperparameterWarmup,
    LearningRateWarmup,
    LinearScaling,
    LossSpikeMonitor,
    MultiStepDecay,
    PersistentCatapultWarmup,
    RAdamWarmup,
    ReduceOnPlateauDecay,
)
from runs import Line, RecordingSGD, fit

FILES = Path(__file__).parent / "written_by_0_1_0"


def warmup() -> LearningRateWarmup:
    return LearningRateWarmup("25%", CosineDecay(0.1), warmup_initial_lr="4%", cooldown=2)


def momentum() -> HyperparameterWarmup:
    return HyperparameterWarmup("momentum", warmup=4, initial_value=0.5)


def sgd(module: Line) -> torch.optim.Optimizer:
    return RecordingSGD(module.parameters(), lr=0.1, momentum=0.9)


def test_pickled_callbacks() -> None:
    loaded = pickle.loads((FILES / "callbacks.pickle").read_bytes())
    torch_decay = loaded.pop(5)
    assert torch_decay.values(1.0, total_steps=12, steps_per_epoch=4)[7:] == [1.0, 0.1, 0.1, 0.1, pytest.approx(0.01)]
    expected = [
        warmup(),
        momentum(),
        LearningRateWarmup(CosineWarmup("5%"), MultiStepDecay([30, 60]), target_lr=LinearScaling(256)),
        LearningRateWarmup(RAdamWarmup(), "linear"),
        LearningRateWarmup(5, ReduceOnPlateauDecay("val_loss")),
        LearningRateWarmup(10, warmup_initial_lr="critical"),
        LearningRateWarmup(PersistentCatapultWarmup()),
        LossSpikeMonitor(),
        CriticalLearningRateMonitor(),
        GradientInitializedAdam(),
        LearningRateWarmup(5, "cosine", optimizer=1, interval="epoch", resume="config", override_module_scheduler=True),
    ]
    assert list(map(type, loaded)) == list(map(type, expected))
    for old, new in zip(loaded, expected, strict=True):
        if hasattr(new, "_config"):
            assert old._config == new._config


def test_pickled_after_a_fit() -> None:
    loaded = pickle.loads((FILES / "after_a_fit.pickle").read_bytes())
    module = fit(loaded, Line(sgd), max_epochs=2)
    assert module.used == warmup().values(0.1, total_steps=20, steps_per_epoch=10)


@pytest.mark.filterwarnings("ignore:You.re resuming from a checkpoint that ended before the epoch ended")
def test_a_checkpoint() -> None:
    whole = fit([warmup(), momentum()], Line(sgd), max_epochs=2)
    resumed = fit([warmup(), momentum()], Line(sgd), max_epochs=2, ckpt_path=FILES / "step_7.ckpt")
    for key in ("lr", "momentum"):
        used = [[step[0][key] for step in module.trainer.optimizers[0].used] for module in (whole, resumed)]
        assert used[1] == used[0][7:]


SINCE = {
    "DecayPart",
    "FormulaDecay",
    "FormulaWarmup",
    "InverseTimeDecay",
    "LineSearchWarmup",
    "PiecewiseConstantDecay",
    "PiecewiseLinearDecay",
    "RestartsDecay",
    "SchedulePreview",
    "SequentialDecay",
    "preview",
}
"""What 0.1.0 did not have."""


@pytest.mark.parametrize("name", [name for name in lightning_warmup.__all__ if name not in SINCE])
def test_the_modules_that_classes_were_in(name: str) -> None:
    """``class_path: lightning_warmup.decays.CosineDecay`` in somebody's YAML, say."""
    now = getattr(lightning_warmup, name)
    was = {
        "CriticalLearningRate": "critical_lr",
        "CriticalLearningRateMonitor": "monitors",
        "CriticalLearningRateResult": "critical_lr",
        "GradientInitializedAdam": "gi_adam",
        "HyperparameterWarmup": "callbacks",
        "LearningRateWarmup": "callbacks",
        "LinearScaling": "scaling",
        "LossSpikeMonitor": "monitors",
        "PersistentCatapultWarmup": "catapult",
        "RAdamWarmup": "beta2_warmups",
        "ReduceOnPlateauDecay": "plateau",
        "SqrtBeta2Warmup": "beta2_warmups",
        "SquareRootScaling": "scaling",
        "TorchDecay": "torch_decay",
        "UntunedExponentialWarmup": "beta2_warmups",
        "UntunedLinearWarmup": "beta2_warmups",
        "critical_learning_rate": "critical_lr",
    }.get(name, "decays" if name.endswith("Decay") else "warmups")
    assert getattr(import_module(f"lightning_warmup.{was}"), name) is now


def test_what_never_was_is_not_there() -> None:
    with pytest.raises(ModuleNotFoundError):
        import_module("lightning_warmup.nothing")
