"""What belongs to one ``fit`` is one object: nothing of it is left when the ``fit`` is over."""

import gc
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch.optim.lr_scheduler import StepLR

from lightning_warmup import (
    CriticalLearningRateMonitor,
    GradientInitializedAdam,
    HyperparameterWarmup,
    LearningRateWarmup,
    LossSpikeMonitor,
    PersistentCatapultWarmup,
    ReduceOnPlateauDecay,
)
from runs import Line, Logging, fit, loader, trainer


def adam(module: Line) -> torch.optim.Optimizer:
    return torch.optim.Adam(module.parameters(), lr=0.1)


def scheduled(module: Line) -> Any:
    optimizer = adam(module)
    return [optimizer], [{"scheduler": StepLR(optimizer, 5), "interval": "step"}]


CASES: list[tuple[Callable[[], pl.Callback], Callable[[Line], Any]]] = [
    (lambda: LearningRateWarmup("20%", "cosine"), adam),
    (lambda: LearningRateWarmup(5), scheduled),
    (lambda: LearningRateWarmup(5, "linear", override_module_scheduler=True), scheduled),
    (lambda: LearningRateWarmup(5, ReduceOnPlateauDecay("train_loss")), adam),
    (lambda: LearningRateWarmup(5, warmup_initial_lr="critical"), adam),
    (lambda: LearningRateWarmup(PersistentCatapultWarmup(max_steps=5)), adam),
    (lambda: HyperparameterWarmup("momentum", warmup=5, initial_value=0.5), adam),
]
IDS = ["plain", "composing", "overriding", "plateau", "critical", "catapult", "momentum"]
OTHERS: list[tuple[Callable[[], pl.Callback], Callable[[Line], Any]]] = [
    (LossSpikeMonitor, adam),
    (lambda: CriticalLearningRateMonitor(5), adam),
    (GradientInitializedAdam, adam),
]


class Stops(pl.Callback):
    """An exception in the middle of the run."""

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        if trainer.global_step == 7:
            raise RuntimeError("stopped")


@pytest.mark.parametrize("stops", [False, True])
@pytest.mark.parametrize(("make", "configure"), CASES + OTHERS, ids=[*IDS, "spikes", "monitor", "gi_adam"])
def test_nothing_of_a_fit_is_kept_alive(
    make: Callable[[], pl.Callback], configure: Callable[[Line], Any], stops: bool
) -> None:
    callback = make()
    references: list[weakref.ref[Any]] = []

    def run() -> None:
        module = Logging(configure)
        run = trainer(callback, *([Stops()] if stops else []), max_epochs=2)
        if stops:
            with pytest.raises(RuntimeError, match="stopped"):
                run.fit(module, loader(10))
        else:
            run.fit(module, loader(10))
        optimizer = run.optimizers[0]
        moments = [tensor for state in optimizer.state.values() for tensor in state.values()]
        assert moments
        references.extend(map(weakref.ref, [module, run, optimizer, *module.parameters(), *moments]))

    run()
    gc.collect()
    assert [reference() for reference in references if reference() is not None] == []


@pytest.mark.parametrize(("make", "configure"), CASES, ids=IDS)
def test_a_pickle_is_what_was_configured(make: Callable[[], pl.Callback], configure: Callable[[Line], Any]) -> None:
    callback = make()
    before = pickle.dumps(callback)
    fit(callback, Logging(configure), max_epochs=2)
    after = pickle.dumps(callback)
    # None has become the integer behind warmup_steps.
    assert len(after) <= len(before) + len(pickle.dumps(callback._warmup_steps)) - len(pickle.dumps(None))
    assert pickle.loads(after)._config == callback._config


def test_the_length_of_the_warmup_is_told_after_the_fit() -> None:
    callback = LearningRateWarmup("2 epochs", interval="epoch")
    assert callback.warmup_steps is None
    fit(callback, max_epochs=3)
    assert callback.warmup_steps == 20
    assert pickle.loads(pickle.dumps(callback)).warmup_steps == 20


def test_pickled_in_mid_run() -> None:
    callback, copies = LearningRateWarmup(5, "linear"), []

    class Copies(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
            copies.append(pickle.dumps(callback))

    fit([callback, Copies()], Line(adam), max_epochs=1)
    assert len(set(copies)) == 1
    assert fit(pickle.loads(copies[3]), max_epochs=2).used == callback.values(0.1, total_steps=20, steps_per_epoch=10)


@pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended")
def test_a_checkpoint_saved_after_the_fit(tmp_path: Any) -> None:
    """``trainer.save_checkpoint()`` has its place after ``fit``, too."""
    first = trainer(LearningRateWarmup(5, "linear", total=40), max_epochs=2)
    first.fit(Line(), loader(10))
    first.save_checkpoint(tmp_path / "last.ckpt")
    callback = LearningRateWarmup(5, "linear", total=40)
    resumed = fit(callback, max_epochs=4, ckpt_path=tmp_path / "last.ckpt")
    assert resumed.used == callback.values(0.1, total_steps=40, steps_per_epoch=10)[20:]
