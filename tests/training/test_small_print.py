"""Single lines that once could be changed without any test noticing, each held by the run that it matters in."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import GradientAccumulationScheduler
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from lightning.pytorch.utilities.types import LRSchedulerConfig
from torch.optim import lr_scheduler

from checkpoints import SaveEveryBatch
from lightning_warmup import (
    ConstantDecay,
    ExponentialDecay,
    LearningRateWarmup,
    LinearScaling,
    MultiStepDecay,
    ReduceOnPlateauDecay,
    UntunedLinearWarmup,
)
from lightning_warmup.training.base_values import _steps_by_its_state
from refusals import refused
from runs import Line, RecordingSGD, Stream, fit, fit_stream, loader, trainer

pytestmark = pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended")


def lrs(module: Line, group: int) -> list[float]:
    return [step[group]["lr"] for step in module.trainer.optimizers[0].used if len(step) > group]


class RecordingAdam(torch.optim.Adam):
    """Adam that remembers what each step used."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.used: list[list[dict[str, Any]]] = []

    def step(self, closure: Any = None) -> Any:
        loss = super().step(closure)
        self.used.append([{"lr": group["lr"]} for group in self.param_groups])
        return loss


class AddsAGroup(pl.Callback):
    """Adds a group at a step, with some learning rate."""

    def __init__(self, step: int, lr: Any) -> None:
        self.step, self.lr = step, lr

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        optimizer = trainer.optimizers[0]
        if trainer.global_step == self.step and len(optimizer.param_groups) < 3:
            optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": self.lr})


# --- param groups ----------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:LearningRateWarmup. 1 param group")
def test_a_late_group_has_the_first_groups_beta2() -> None:
    module = Line(
        lambda m: RecordingAdam(
            [{"params": [m.weight], "betas": (0.9, 0.9)}, {"params": [m.bias], "betas": (0.9, 0.5)}], lr=0.1
        )
    )
    warmup = LearningRateWarmup(UntunedLinearWarmup(), total=1000)
    fit([AddsAGroup(3, 0.02), warmup], module, max_epochs=3)
    first, late = lrs(module, 0), lrs(module, 2)
    assert late == pytest.approx([0.02 / first[3] * lr for lr in first[3:]], rel=1e-12)


@pytest.mark.filterwarnings("ignore:LearningRateWarmup. 1 param group")
def test_a_late_group_whose_rate_is_a_tensor_keeps_it() -> None:
    """Beside groups of floats: all are looked at again once one has come."""
    rate = torch.tensor(0.02)
    module = Line(lambda m: RecordingSGD(m.parameters(), lr=0.1))
    fit([AddsAGroup(3, rate), LearningRateWarmup(8)], module, max_epochs=1)
    assert module.trainer.optimizers[0].param_groups[1]["lr"] is rate
    first, late = lrs(module, 0), lrs(module, 1)
    assert late == pytest.approx([0.02 / first[3] * lr for lr in first[3:]], rel=1e-6)


class WritesTheSame(pl.Callback):
    """Puts into a tensor what is in it already: nobody has written another value."""

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        rate.fill_(rate.item())


def test_the_same_value_in_double_precision_is_no_other_value() -> None:
    module = Line(lambda m: RecordingSGD(m.parameters(), lr=torch.tensor(0.1, dtype=torch.float64)))
    callback = LearningRateWarmup(7, "cosine")
    used = fit([callback, WritesTheSame()], module, max_epochs=2).used  # a warning would be an error here
    assert used == callback.values(0.1, total_steps=20, steps_per_epoch=10)


@pytest.mark.filterwarnings("ignore:LearningRateWarmup. 1 param group")
def test_a_late_group_is_in_the_state(tmp_path: Path) -> None:
    fit([AddsAGroup(3, 0.02), LearningRateWarmup(8), SaveEveryBatch(tmp_path)], max_epochs=1)
    state = torch.load(tmp_path / "6.ckpt", weights_only=True)["callbacks"][LearningRateWarmup(8).state_key]
    optimizer = state["optimizers"][0]
    assert optimizer["own"] == [0.1, 0.02]
    assert optimizer["late"] == [None, 3]
    assert len(optimizer["target"]) == len(optimizer["initial"]) == 2


def test_steps_without_a_state_are_those_of_the_parameter_that_took_most() -> None:
    """One that joined later, or is not always used, has taken fewer."""
    parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in range(3)]
    optimizer = torch.optim.Adam(parameters)
    for taken, parameter in zip((3, 7, 5), parameters, strict=True):
        optimizer.state[parameter]["step"] = torch.tensor(float(taken))
    assert _steps_by_its_state("", 0, optimizer) == 7


# --- what the schedule leads to --------------------------------------------------------------------------------------


class Longer(pl.Callback):
    def on_train_epoch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.current_epoch == 2:
            trainer.fit_loop.max_epochs = 6


@pytest.mark.filterwarnings("ignore:.*the checkpoint wins")
@pytest.mark.filterwarnings("ignore:.*where the plan had")
def test_planning_anew_keeps_the_checkpoints_target(tmp_path: Path) -> None:
    fit([LearningRateWarmup(3, "linear", target_lr=0.2), SaveEveryBatch(tmp_path)], max_epochs=4)
    callback = LearningRateWarmup(3, "linear", target_lr=0.5)
    used = fit([callback, Longer()], max_epochs=4, ckpt_path=tmp_path / "12.ckpt").used
    expected = LearningRateWarmup(3, "linear", target_lr=0.2).values(0.1, total_steps=60, steps_per_epoch=10)
    assert used[18:] == expected[30:]


def test_a_rate_that_somebody_has_found_counts_where_a_scheduler_is_overridden() -> None:
    """As a learning rate finder does, after the schedulers were made."""

    class Finds(pl.Callback):
        def on_fit_start(self, trainer: pl.Trainer, *_: Any) -> None:
            trainer.optimizers[0].param_groups[0]["lr"] = 0.3

    def configure(module: Line) -> Any:
        optimizer = RecordingSGD(module.parameters(), lr=0.1)
        return [optimizer], [lr_scheduler.StepLR(optimizer, 1)]

    callback = LearningRateWarmup(3, "linear", override_module_scheduler=True)
    used = fit([Finds(), callback], Line(configure), max_epochs=2).used
    assert used == callback.values(0.3, total_steps=20, steps_per_epoch=10)


# --- the module's schedulers -----------------------------------------------------------------------------------------


def test_overriding_keeps_a_tensor_the_tensor_it_is() -> None:
    rate = torch.tensor(0.1)

    def configure(module: Line) -> Any:
        optimizer = RecordingSGD(module.parameters(), lr=rate)
        scheduler = lr_scheduler.StepLR(optimizer, 1)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    callback = LearningRateWarmup(3, "linear", override_module_scheduler=True)
    module = fit(callback, Line(configure), max_epochs=2)
    assert module.trainer.optimizers[0].param_groups[0]["lr"] is rate
    expected = callback.values(0.1, total_steps=20, steps_per_epoch=10)
    assert module.used == pytest.approx(expected, rel=1e-6)


class TwoOptimizers(Line):
    """Manual optimization of two optimizers; Lightning steps neither scheduler, the module the second's."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False

    def configure_optimizers(self) -> Any:
        first = RecordingSGD([self.weight], lr=0.1)
        second = RecordingSGD([self.bias], lr=0.1)
        return [first, second], [lr_scheduler.StepLR(second, 1, 0.5)]

    def training_step(self, batch: Any, batch_idx: int) -> None:
        for optimizer in self.optimizers():  # type: ignore[union-attr]
            optimizer.zero_grad()
            self.manual_backward(self.loss(batch))
            optimizer.step()

    def on_train_epoch_end(self) -> None:
        self.lr_scheduler_step(self.lr_schedulers(), None)  # type: ignore[arg-type]


def test_a_scheduler_of_another_optimizer_is_left_alone() -> None:
    callback = LearningRateWarmup(3, "linear", total=20, optimizer=0, override_module_scheduler=True)
    module = fit(callback, TwoOptimizers(), max_epochs=2)
    first, second = module.trainer.optimizers
    assert first.lrs() == callback.values(0.1, total_steps=20, steps_per_epoch=10)
    assert second.lrs() == [0.1] * 10 + [0.05] * 10


class OfNoOptimizer:
    """A scheduler that does not tell its optimizer."""

    def step(self, metrics: Any = None) -> None:
        pass

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


def test_a_scheduler_that_does_not_tell_its_optimizer_counts_as_ours() -> None:
    """Lightning takes none from configure_optimizers, but a callback may put one in."""

    class Puts(pl.Callback):
        def on_train_epoch_start(self, trainer: pl.Trainer, *_: Any) -> None:
            trainer.strategy.lr_scheduler_configs = [LRSchedulerConfig(OfNoOptimizer())]  # type: ignore[arg-type]

    with pytest.raises(MisconfigurationException, match="the module's own OfNoOptimizer would both decay"):
        fit([Puts(), LearningRateWarmup(3, "linear")], max_epochs=1)


class Fails(lr_scheduler.StepLR):
    def step(self, epoch: Any = None) -> None:
        super().step()
        if self.last_epoch == 4:
            raise RuntimeError("it fails")


def test_a_scheduler_that_fails_leaves_the_groups_warmed_up() -> None:
    """Whoever saves a checkpoint then saves what the next step would have used."""

    def configure(module: Line) -> Any:
        optimizer = RecordingSGD(module.parameters(), lr=0.1)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": Fails(optimizer, 3, 0.5), "interval": "step"}}

    module = Line(configure)
    with pytest.raises(RuntimeError, match="it fails"):
        fit(LearningRateWarmup(9), module, max_epochs=1)
    assert module.used == pytest.approx([0.01, 0.02, 0.03, 0.02], rel=1e-12)
    assert module.trainer.optimizers[0].param_groups[0]["lr"] < 0.03


# --- the length of the run -------------------------------------------------------------------------------------------


def test_max_steps_of_a_second_fit_counts_from_its_start() -> None:
    callback = LearningRateWarmup(3, "linear")
    run = trainer(callback, max_epochs=-1, max_steps=20)
    run.fit(Line(), loader(10))
    run.fit_loop.epoch_loop.max_steps = 50
    module = Line()
    run.fit(module, loader(10))
    assert module.used == callback.values(0.1, total_steps=30, steps_per_epoch=10)


def test_a_second_fit_is_resumed_from_its_own_start(tmp_path: Path) -> None:
    class SavesTheSecond(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
            if trainer.global_step == 27:
                trainer.save_checkpoint(tmp_path / "27.ckpt")

    callback = LearningRateWarmup(3, "linear")
    run = trainer(callback, SavesTheSecond(), max_epochs=-1, max_steps=20)
    run.fit(Line(), loader(10))
    run.fit_loop.epoch_loop.max_steps = 50
    module = Line()
    run.fit(module, loader(10))
    state = torch.load(tmp_path / "27.ckpt", weights_only=True)["callbacks"][callback.state_key]
    assert state["first_step"] == 20
    resumed = fit(LearningRateWarmup(3, "linear"), max_epochs=-1, max_steps=50, ckpt_path=tmp_path / "27.ckpt").used
    assert resumed == module.used[7:]


def test_samples_are_refused_where_the_accumulation_changes() -> None:
    """On a stream too: no batch size is the one of the whole run."""
    scheduler = GradientAccumulationScheduler({0: 1, 1: 2})
    with refused("LearningRateWarmup(warmup='8 samples') counts samples, and the global batch size is unknown"):
        fit([LearningRateWarmup("8 samples"), scheduler], max_epochs=2)
    with refused("LearningRateWarmup(warmup='8 samples') counts samples, and the global batch size is unknown"):
        trainer(LearningRateWarmup("8 samples"), scheduler, max_steps=8).fit(
            Line(), torch.utils.data.DataLoader(Stream(), batch_size=2)
        )


@pytest.mark.parametrize("limit", ["epochs", "steps"])
def test_a_second_fit_under_a_changing_accumulation(limit: str) -> None:
    """Epochs 2 and 3 take four and two steps of ten batches."""
    callback = LearningRateWarmup(1, "linear")
    run = trainer(callback, GradientAccumulationScheduler({0: 1, 2: 3, 3: 5}), max_epochs=2)
    run.fit(Line(), loader(10))
    run.fit_loop.max_epochs = 4
    if limit == "steps":
        run.fit_loop.max_epochs = -1
        run.fit_loop.epoch_loop.max_steps = 26
    module = Line()
    run.fit(module, loader(10))
    assert module.used == callback.values(0.1, total_steps=6, steps_per_epoch=6)


def test_a_second_fit_by_epoch_under_a_changing_accumulation() -> None:
    callback = LearningRateWarmup(1, "linear", interval="epoch")
    run = trainer(callback, GradientAccumulationScheduler({0: 1, 2: 3, 3: 5}), max_epochs=2)
    run.fit(Line(), loader(10))
    run.fit_loop.max_epochs = -1
    run.fit_loop.epoch_loop.max_steps = 26
    module = Line()
    run.fit(module, loader(10))
    by_epoch = callback.values(0.1, total_steps=2, steps_per_epoch=1)
    assert module.used == [by_epoch[0]] * 4 + [by_epoch[1]] * 2


def test_a_dict_of_one_loader_has_its_batch_size() -> None:
    class OfADict(Line):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            return super().training_step(batch["a"], batch_idx)

    callback = LearningRateWarmup(2, target_lr=LinearScaling(1))
    module = OfADict()
    trainer(callback, max_epochs=1).fit(module, {"a": loader(10, batch_size=4)})
    assert module.used == callback.values(0.1, total_steps=10, steps_per_epoch=10, batch_size=4)
    assert module.used[-1] == 0.4


# --- shapes ----------------------------------------------------------------------------------------------------------


def test_a_milestone_at_the_end_of_the_warmup_lowers_that_step() -> None:
    used = fit(LearningRateWarmup(4, MultiStepDecay([4])), max_epochs=1).used
    assert used[3] == pytest.approx(0.08)
    assert used[4:] == pytest.approx([0.01] * 6)


class NeverBetter(Line):
    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_loss", 1.0)


def test_a_plateau_reduces_however_little_is_left() -> None:
    """torch's own would stop at a difference of 1e-8."""
    module = NeverBetter()
    decay = ReduceOnPlateauDecay("val_loss", factor=1e-4, patience=0)
    trainer(LearningRateWarmup(0, decay), max_epochs=5).fit(module, loader(1), loader(1))
    assert module.used == pytest.approx([0.1, 0.1, 1e-5, 1e-9, 1e-13], rel=1e-9)


@pytest.mark.parametrize("gamma", [2.0, 1.05])
def test_values_are_looked_at_far_ahead(gamma: float) -> None:
    """What only fails in the thousandth step of a stream, or the ten-thousandth, is refused before the first."""
    with refused(f"LearningRateWarmup(decay=ExponentialDecay(gamma={gamma}, every=1)) gives inf at step"):
        fit_stream(LearningRateWarmup(0, ExponentialDecay(gamma)), max_epochs=1)


@pytest.mark.parametrize("decay", [ConstantDecay(), "constant"], ids=str)
def test_the_line_of_a_stream_without_an_end(decay: Any, messages: list[str]) -> None:
    fit_stream(LearningRateWarmup(4, decay), max_epochs=1)
    assert sum(line.endswith("lr 0.02 → 0.1 over 4 steps, then constant") for line in messages) == 1
