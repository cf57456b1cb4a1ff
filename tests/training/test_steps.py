"""Steps are optimizer steps: what each one used equals ``values()``, whatever the Trainer does around it."""

import warnings
from dataclasses import dataclass
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import GradientAccumulationScheduler
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from lightning_warmup import (
    ConstantWarmup,
    CosineDecay,
    Decay,
    FunctionWarmup,
    LearningRateWarmup,
    LinearScaling,
    RestartsDecay,
    StepDecay,
    Warmup,
)
from runs import Line, RecordingSGD, fit, fit_stream, loader, trainer
from shapes import DECAYS, WARMUPS
from summary import count


def check(callback: LearningRateWarmup, used: list[float], *, steps_per_epoch: int, lr: float = 0.1) -> None:
    """What the steps of a run used is what the callback foretold."""
    assert used == callback.values(lr, total_steps=len(used), steps_per_epoch=steps_per_epoch)
    count("configurations compared with values()", 1)


@pytest.mark.parametrize("interval", ["step", "epoch"])
@pytest.mark.parametrize("warmup", [row.trained for row in WARMUPS], ids=lambda shape: type(shape).__name__)
def test_every_warmup(warmup: Warmup, interval: Any) -> None:
    callback = LearningRateWarmup(warmup, "linear", interval=interval)
    check(callback, fit(callback, max_epochs=8, batches=2).used, steps_per_epoch=2)


@pytest.mark.parametrize(
    ("decay", "interval"),
    [
        pytest.param(row.trained, interval, id=f"{row.shape.__name__}-{interval}")
        for row in DECAYS
        for interval in row.intervals
    ],
)
def test_every_decay(decay: Decay, interval: Any) -> None:
    callback = LearningRateWarmup(2, decay, interval=interval, cooldown=1)
    check(callback, fit(callback, max_epochs=8, batches=2).used, steps_per_epoch=2)


@pytest.mark.parametrize(
    ("settings", "steps", "steps_per_epoch"),
    [
        ({"accumulate_grad_batches": 2}, 20, 5),
        # An epoch's last step takes what is left: 10 batches by 3 are 4 steps.
        ({"accumulate_grad_batches": 3}, 16, 4),
        ({"accumulate_grad_batches": 20}, 4, 1),
        ({"limit_train_batches": 7}, 28, 7),
        ({"limit_train_batches": 0.5}, 20, 5),
        ({"max_steps": 17}, 17, 10),
        ({"max_steps": 400}, 40, 10),
        ({"max_steps": 17, "max_epochs": -1}, 17, 10),
        ({"max_steps": 17, "max_epochs": None}, 17, 10),
        ({"max_steps": 5, "accumulate_grad_batches": 3}, 5, 4),
        ({"overfit_batches": 3}, 12, 3),
    ],
)
@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_every_length(settings: dict[str, Any], steps: int, steps_per_epoch: int, interval: Any) -> None:
    callback = LearningRateWarmup(1, "linear", warmup_initial_lr=0.0, interval=interval)
    used = fit(callback, **{"max_epochs": 4, **settings}).used
    assert len(used) == steps
    check(callback, used, steps_per_epoch=steps_per_epoch)


@pytest.mark.parametrize(
    "callback",
    [
        LearningRateWarmup("2 epochs", "cosine"),
        LearningRateWarmup("10%", "cosine", hold="0.5 epochs", cooldown=0.1),
        LearningRateWarmup("12 samples", "one_minus_sqrt", decay_duration="50%"),
        LearningRateWarmup(2, CosineDecay(0.01), warmup_interval="epoch", cooldown=5),
        LearningRateWarmup(7, StepDecay(1), interval="epoch", warmup_interval="step"),
        LearningRateWarmup(4, "linear", total=20),
        LearningRateWarmup(4, "linear", total="8 epochs"),
        LearningRateWarmup("100%"),
        LearningRateWarmup(ConstantWarmup(5), warmup_initial_lr="4%", target_lr=0.3),
        LearningRateWarmup(4, target_lr=LinearScaling(1)),
    ],
)
def test_every_duration(callback: LearningRateWarmup) -> None:
    used = fit(callback, max_epochs=4, batches=5).used
    assert used == callback.values(0.1, total_steps=20, steps_per_epoch=5, batch_size=2)
    count("configurations compared with values()", 1)


def test_gradient_accumulation_scheduler() -> None:
    # Lightning estimates 10 steps; there are 5 in the first epoch and 2 in the second.
    callback = LearningRateWarmup(2, "linear")
    used = fit([callback, GradientAccumulationScheduler({0: 1, 1: 3})], batches=5, max_epochs=2).used
    assert len(used) == 7
    check(callback, used, steps_per_epoch=7)


def test_gradient_accumulation_scheduler_counts_epochs() -> None:
    callback = LearningRateWarmup(2, "linear", interval="epoch")
    used = fit([callback, GradientAccumulationScheduler({0: 1, 1: 3})], batches=5, max_epochs=4).used
    by_epoch = callback.values(0.1, total_steps=4, steps_per_epoch=1)
    assert used == [by_epoch[0]] * 5 + [by_epoch[1]] * 2 + [by_epoch[2]] * 2 + [by_epoch[3]] * 2


@pytest.mark.parametrize("warmup", ["1 epoch", "20 samples"])
def test_gradient_accumulation_scheduler_refuses_what_changes_between_epochs(warmup: str) -> None:
    with pytest.raises(ValueError, match=rf"warmup='{warmup}'.*GradientAccumulationScheduler changes it.*steps"):
        fit([LearningRateWarmup(warmup), GradientAccumulationScheduler({0: 1, 1: 3})], batches=5, max_epochs=2)


class Skips(Line):
    """Has no loss in every third batch."""

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        return None if batch_idx % 3 == 0 else self.loss(batch)


@pytest.mark.filterwarnings("ignore:.*training_step.* returned .None.")
@pytest.mark.parametrize("accumulation", [1, 2])
def test_training_step_returns_none(accumulation: int) -> None:
    # Lightning steps the optimizer all the same, without gradients, and so it is a step.
    callback = LearningRateWarmup(5, "cosine")
    used = fit(callback, Skips(), max_epochs=2, accumulate_grad_batches=accumulation).used
    assert len(used) == 20 // accumulation
    check(callback, used, steps_per_epoch=10 // accumulation)


class Raw(Line):
    """Steps behind Lightning's back."""

    def optimizer_step(self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None) -> None:
        optimizer_closure()
        optimizer.optimizer.step()


def test_steps_behind_lightnings_back_are_noticed() -> None:
    with pytest.warns(UserWarning, match="stepped without Lightning knowing.*optimizer_step") as caught:
        fit(LearningRateWarmup(5), Raw(), max_epochs=2)
    assert len([w for w in caught if "without Lightning" in str(w.message)]) == 1


class EveryOther(Line):
    """Updates in every other batch only."""

    def optimizer_step(self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None) -> None:
        if batch_idx % 2:
            optimizer.step(closure=optimizer_closure)
        else:
            optimizer_closure()


def test_steps_that_the_module_leaves_out_are_none() -> None:
    callback = LearningRateWarmup(5, "linear")
    used = fit(callback, EveryOther(), max_epochs=2).used
    assert used == callback.values(0.1, total_steps=20, steps_per_epoch=10)[:10]


class Closures(Line):
    """LBFGS, which calls its closure several times in one step."""

    def __init__(self) -> None:
        super().__init__(lambda module: torch.optim.LBFGS(module.parameters(), lr=0.1, max_iter=5))
        self.seen: list[float] = []

    def on_train_batch_end(self, *_: Any) -> None:
        self.seen.append(self.trainer.optimizers[0].param_groups[0]["lr"])


def test_lbfgs() -> None:
    callback = LearningRateWarmup(5, "cosine")
    seen = fit(callback, Closures(), max_epochs=2, batches=5).seen
    assert seen[:-1] == callback.values(0.1, total_steps=10, steps_per_epoch=5)[1:]


def test_an_endless_stream_just_runs() -> None:
    callback = LearningRateWarmup(500)
    used = fit_stream(callback, max_epochs=-1, max_time={"seconds": 1})
    assert used == callback.values(0.1, total_steps=max(501, len(used)), steps_per_epoch=10)[: len(used)]


def test_a_stream_with_max_steps_has_a_length() -> None:
    callback = LearningRateWarmup(3, "cosine")
    check(callback, fit_stream(callback, max_steps=25, max_epochs=-1), steps_per_epoch=10)


def test_a_stream_knows_its_epochs() -> None:
    callback = LearningRateWarmup(2, "cosine", interval="epoch")
    check(callback, fit_stream(callback, max_epochs=4), steps_per_epoch=10)


@pytest.mark.parametrize(
    "settings",
    [
        {"decay": "linear"},
        {"decay": CosineDecay()},
        {"decay": "inverse_sqrt", "cooldown": 3},
        {"decay": "constant", "decay_duration": 3},
    ],
)
def test_a_phase_that_needs_the_length_says_so(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"LearningRateWarmup\((decay|cooldown|decay_duration)=.*give total=\.\.\."):
        fit_stream(LearningRateWarmup(3, **settings), max_epochs=2)


@dataclass(frozen=True)
class Ramp(Decay):
    """A user's own shape, which says nothing of ``ends``: divided by an endless length, it would stay at its start."""

    def factor_at(self, tau: float, length: float) -> float:
        return 1 - tau / length


@pytest.mark.parametrize("settings", [{"max_epochs": 2}, {"max_epochs": -1, "max_time": {"seconds": 1}}])
def test_a_shape_of_ones_own_on_a_stream_is_refused_rather_than_never_decaying(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"decay=Ramp\(\)\) needs the length of the run.*give total=\.\.\."):
        fit_stream(LearningRateWarmup(3, Ramp()), **settings)


def test_a_shape_of_ones_own_decays_where_the_length_is_known() -> None:
    callback = LearningRateWarmup(2, Ramp(), total=12)
    used = fit_stream(callback, max_epochs=2)
    check(callback, used, steps_per_epoch=10)
    assert used[2:] == pytest.approx([0.1 * (10 - tau) / 10 for tau in range(11)] + [0.0] * 7)


def test_a_share_of_an_unknown_length_says_so() -> None:
    with pytest.raises(ValueError, match=r"warmup='5%'\).*give total=\.\.\."):
        fit_stream(LearningRateWarmup("5%"), max_epochs=2)


def test_epochs_of_a_stream_say_so() -> None:
    with pytest.raises(ValueError, match=r"warmup='2 epochs'\).*give it in steps"):
        fit_stream(LearningRateWarmup("2 epochs"), max_epochs=2)


def test_total_serves_a_stream() -> None:
    callback = LearningRateWarmup("10%", "cosine", total=20)
    check(callback, fit_stream(callback, max_epochs=2), steps_per_epoch=10)


def test_phases_longer_than_the_run() -> None:
    with pytest.raises(ValueError, match=r"warmup=30, hold=5\): warmup 30 \+ hold 5 = 35 steps is more than the 20"):
        fit(LearningRateWarmup(30, "cosine", hold=5), max_epochs=2)


def test_fast_dev_run_is_no_reason_to_fail(messages: list[str]) -> None:
    used = fit(LearningRateWarmup(30, "cosine"), fast_dev_run=3).used
    assert used == [0.1] * 3
    assert any("fast_dev_run is too short" in line for line in messages)


@pytest.mark.parametrize("warmup", [0, 2])
def test_cycles_are_none_in_a_fast_dev_run_either(warmup: int, messages: list[str]) -> None:
    used = fit(LearningRateWarmup(0, RestartsDecay("cosine", cycles=3, warmup=warmup)), fast_dev_run=True).used
    assert used == [0.1]
    assert any("fast_dev_run is too short" in line for line in messages)


def test_nothing_configured_changes_nothing(messages: list[str]) -> None:
    callback = LearningRateWarmup()
    assert fit(callback, max_epochs=1).used == [0.1] * 10
    assert callback.state_dict() == {}
    assert not [line for line in messages if "LearningRateWarmup" in line]


def test_twice_on_one_optimizer() -> None:
    with pytest.raises(MisconfigurationException, match="both write 'lr' of the same optimizer"):
        fit([LearningRateWarmup(3), LearningRateWarmup(5, optimizer=0)], max_epochs=1)
    with pytest.raises(MisconfigurationException, match=r"warmup=3, .* and .*warmup=5, .* both write 'lr'"):
        fit([LearningRateWarmup(3), LearningRateWarmup(5)], max_epochs=1)


def test_an_idle_one_beside_another() -> None:
    callback = LearningRateWarmup(3)
    used = fit([LearningRateWarmup(), callback], max_epochs=1).used
    check(callback, used, steps_per_epoch=10)


def test_an_optimizer_that_is_not_there() -> None:
    with pytest.raises(MisconfigurationException, match=r"optimizer=1\): the module has 1 optimizer"):
        fit(LearningRateWarmup(3, optimizer=1), max_epochs=1)


def named(module: Line) -> RecordingSGD:
    groups = [
        {"params": [module.weight], "lr": 0.1, "name": "backbone"},
        {"params": [module.bias], "lr": 0.4, "name": "head"},
    ]
    return RecordingSGD(groups, lr=0.1)


def test_groups_by_name() -> None:
    callback = LearningRateWarmup(
        4, "cosine", warmup_initial_lr={"head": 0.0, "default": "10%"}, target_lr={"backbone": 0.2, "head": None}
    )
    module = fit(callback, Line(named), max_epochs=2)
    expected = callback.values({"backbone": 0.1, "head": 0.4}, total_steps=20, steps_per_epoch=10)
    optimizer = module.trainer.optimizers[0]
    assert {"backbone": optimizer.lrs(0), "head": optimizer.lrs(1)} == expected
    assert expected["head"][0] == 0.0
    assert expected["backbone"][0] == 0.2 * 10 / 100


def test_an_unknown_group() -> None:
    with pytest.raises(
        ValueError, match="names the group 'hed', which the optimizer does not have.*'backbone', 'head'"
    ):
        fit(LearningRateWarmup(4, warmup_initial_lr={"hed": 0.0, "default": 0.1}), Line(named), max_epochs=2)


def test_linear_scaling_takes_the_global_batch() -> None:
    # 2 per batch × 3 micro-batches = 6 samples per step.
    callback = LearningRateWarmup(2, target_lr=LinearScaling(2))
    used = fit(callback, max_epochs=1, accumulate_grad_batches=3).used
    assert used == pytest.approx([0.1, 0.2, 0.3, 0.3])


def test_the_line_says_what_will_happen(messages: list[str]) -> None:
    fit(LearningRateWarmup(5, CosineDecay(0.01), warmup_initial_lr="20%"), max_epochs=2)
    assert "LearningRateWarmup: lr 0.02 → 0.1 over 5 steps, cosine to 0.001 at step 20" in messages


def test_total_that_differs_is_said(messages: list[str]) -> None:
    fit(LearningRateWarmup(5, "cosine", total=30), max_epochs=2)
    assert "LearningRateWarmup: planned over total=30 steps, while the Trainer runs for 20." in messages


def test_max_time_with_a_curve_over_epochs_warns_once() -> None:
    with pytest.warns(UserWarning, match="max_time may end the run before a curve planned over 20 steps") as caught:
        fit(LearningRateWarmup(5, "cosine"), max_epochs=2, max_time={"hours": 1})
    assert len([w for w in caught if "max_time" in str(w.message)]) == 1


def test_evaluation_is_left_alone() -> None:
    callback = LearningRateWarmup(5, "cosine")
    module = Line()
    module.validation_step = module.test_step = lambda batch, batch_idx: module.loss(batch)  # type: ignore[method-assign]
    module.predict_step = lambda batch, batch_idx: module.loss(batch)  # type: ignore[method-assign]
    ours = trainer(callback, max_epochs=2)
    for run in (ours.validate, ours.test, ours.predict):
        run(module, loader(3))
    assert callback.state_dict() == {}
    ours.fit(module, loader(10), loader(2))
    check(callback, module.used, steps_per_epoch=10)


def test_the_same_object_twice() -> None:
    callback = LearningRateWarmup(3)
    with pytest.raises(MisconfigurationException, match="both write 'lr' of the same optimizer"):
        fit([callback, callback], max_epochs=1)


def test_fast_dev_run_still_refuses_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="names the group 'hed'"):
        fit(LearningRateWarmup(1, target_lr={"hed": 0.3, "default": 0.1}), fast_dev_run=5)


class Wrapped:
    """An optimizer that is none of torch's, as DeepSpeed's."""

    def __init__(self, optimizer: RecordingSGD) -> None:
        self.optimizer = optimizer
        self.defaults, self.state = optimizer.defaults, optimizer.state

    @property
    def param_groups(self) -> Any:
        return self.optimizer.param_groups

    def step(self, closure: Any = None) -> Any:
        return self.optimizer.step(closure)

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.optimizer.zero_grad(set_to_none)

    def state_dict(self) -> Any:
        return self.optimizer.state_dict()

    def load_state_dict(self, state_dict: Any) -> None:
        self.optimizer.load_state_dict(state_dict)


def test_an_optimizer_that_is_none_of_torchs() -> None:
    callback = LearningRateWarmup(3, "linear")
    module = Line(lambda m: Wrapped(RecordingSGD(m.parameters(), lr=0.1)))
    fit(callback, module, max_epochs=1)
    check(callback, module.trainer.optimizers[0].optimizer.lrs(), steps_per_epoch=10)


def test_a_function_that_fails_is_named() -> None:
    with pytest.raises(ValueError, match=r"FunctionWarmup\(duration=5, function=.*fails at u = 0.0: TypeError: float"):
        fit(LearningRateWarmup(FunctionWarmup(5, lambda u: None)), max_epochs=1)  # type: ignore[arg-type, return-value]


@pytest.mark.filterwarnings("ignore:.*max_time may end the run")
@pytest.mark.parametrize(("decay", "warns"), [("cosine", True), ("inverse_sqrt", False), ("constant", False)])
def test_max_time_concerns_decays_that_end(decay: Any, warns: bool) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(LearningRateWarmup(5, decay), max_epochs=2, max_time={"hours": 1})
    assert any("max_time" in str(w.message) for w in caught) == warns


class StepsAgain(pl.Callback):
    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        trainer.optimizers[0].step()


def test_a_callback_that_steps_the_optimizer_is_noticed() -> None:
    with pytest.warns(UserWarning, match="stepped without Lightning knowing") as caught:
        fit([LearningRateWarmup(5), StepsAgain()], max_epochs=1)
    assert len([w for w in caught if "without Lightning" in str(w.message)]) == 1
