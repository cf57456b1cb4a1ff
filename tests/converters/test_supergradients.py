"""SuperGradients' training parameters as ours, against the curves that it documents."""

import math
import pickle
from typing import Any

import pytest
from torch.optim import lr_scheduler

from lightning_warmup import LearningRateWarmup
from lightning_warmup.converters.supergradients import conversion
from lightning_warmup.supergradients import from_training_params
from runs import fit

L = 10


def curve(**given: Any) -> list[float]:
    """What ours uses in each step of 8 epochs of 10 steps at 0.2, 2 of warmup unless said otherwise."""
    given = {"max_epochs": 8, "initial_lr": 0.2, "lr_warmup_epochs": 2, "warmup_initial_lr": 0.02, **given}
    (callback,) = from_training_params(given)
    assert isinstance(callback, LearningRateWarmup)
    return callback.values(9.0, total_steps=80, steps_per_epoch=L)


def staircase(t: int, low: float = 0.02) -> float:
    """The documented epoch warmup."""
    return low + (t // L) * (0.2 - low) / 2


def documented(factor: Any, end: int = 80) -> list[float]:
    """The epoch warmup, then so many times 0.2, and from ``end`` on what there was at ``end``."""
    return [staircase(t) if t < 20 else 0.2 * factor(min(t, end) - 20, end - 20) for t in range(80)]


@pytest.mark.parametrize("name", ["CosineLRScheduler", "cosine"])
def test_cosine(name):
    expected = documented(lambda k, n: 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * k / n)), end=60)
    assert curve(lr_mode=name, cosine_final_lr_ratio=0.05, lr_cooldown_epochs=2) == pytest.approx(expected)


def test_the_default_final_ratio_of_a_cosine():
    assert curve(lr_mode="cosine", lr_cooldown_epochs=2)[-1] == pytest.approx(0.002)


@pytest.mark.parametrize("name", ["PolyLRScheduler", "poly"])
def test_poly(name):
    assert curve(lr_mode=name) == pytest.approx(documented(lambda k, n: (1 - k / n) ** 0.9))


@pytest.mark.parametrize("name", ["ExponentialLRScheduler", "exp"])
def test_exponential(name):
    expected = documented(lambda k, _: 0.5 ** (k / L), end=70)
    assert curve(lr_mode=name, lr_decay_factor=0.5, lr_cooldown_epochs=1) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["StepLRScheduler", "step"])
@pytest.mark.parametrize(
    "updates", [[4, 6], [4.0, 5.5], {"_target_": "numpy.arange", "start": 4, "stop": 8, "step": 2}]
)
def test_steps(name, updates):
    expected = documented(lambda k, _: 0.1 ** ((k >= 20) + (k >= 40)))
    assert curve(lr_mode=name, lr_updates=updates, lr_decay_factor=0.1) == pytest.approx(expected)


def test_steps_at_a_frequency():
    milestones = [math.ceil(1.4 * k) for k in range(1, 7) if 2 <= math.ceil(1.4 * k) < 7]
    expected = documented(lambda k, _: 0.5 ** sum(m * L <= k + 20 for m in milestones))
    given = {"lr_mode": "step", "step_lr_update_freq": 1.4, "lr_decay_factor": 0.5, "lr_cooldown_epochs": 1}
    assert curve(**given) == pytest.approx(expected)
    assert len(milestones) > 2


def test_a_function():
    calls = []

    def by_epoch(initial_lr: float, epoch: int, iter: int, max_epoch: int, iters_per_epoch: int) -> float:  # noqa: A002
        calls.append((epoch, iter, max_epoch, iters_per_epoch))
        return initial_lr * (1 - (epoch + iter / iters_per_epoch) / max_epoch) ** 2

    values = curve(lr_mode="function", lr_schedule_function=by_epoch, lr_cooldown_epochs=1)
    expected = documented(lambda k, n: (1 - min(k, n - 1) / n) ** 2, end=70)
    assert values == pytest.approx(expected)
    assert {call[2:] for call in calls} == {(5, L)}
    assert (4, 9) in {call[:2] for call in calls}


@pytest.mark.parametrize("mode", ["LinearEpochLRWarmup", "linear_epoch_step", "linear_step"])
def test_epoch_warmup_and_its_default_start(mode):
    values = curve(lr_mode=None, warmup_mode=mode, warmup_initial_lr=None)
    assert values == pytest.approx([min(0.2, 0.2 / 3 * (1 + t // L)) for t in range(80)])


@pytest.mark.parametrize("mode", ["LinearBatchLRWarmup", "linear_batch_step"])
def test_batch_warmup(mode):
    values = curve(lr_mode="poly", warmup_mode=mode, lr_warmup_steps=6, lr_warmup_epochs=0)
    expected = [0.02 + 0.18 * t / 5 if t < 5 else 0.2 * (1 - (t - 5) / 75) ** 0.9 for t in range(80)]
    assert values == pytest.approx(expected)


def test_batch_warmup_within_epochs_that_wait():
    values = curve(lr_mode="poly", warmup_mode="LinearBatchLRWarmup", lr_warmup_steps=6)
    expected = documented(lambda k, n: (1 - k / n) ** 0.9)
    assert values == pytest.approx([min(0.2, 0.02 + 0.18 * t / 5) for t in range(20)] + expected[20:])


def test_no_warmup_waits_all_the_same():
    values = curve(lr_mode="poly", warmup_mode=None)
    assert values == pytest.approx([0.2] * 20 + documented(lambda k, n: (1 - k / n) ** 0.9)[20:])


def test_steps_of_another_warmup_are_told():
    said = conversion({"max_epochs": 8, "lr_mode": "cosine", "lr_warmup_steps": 6})
    assert "warmup" not in said.parameters
    assert any("lr_warmup_steps=6 has no effect" in note for note in said.notes)


def test_groups():
    given = {"max_epochs": 8, "lr_mode": "poly", "lr_warmup_epochs": 2}
    rates = {"initial_lr": {"backbone": 0.02, "default": 0.2}, "warmup_initial_lr": {"backbone": 0.0, "default": 0.1}}
    (callback,) = from_training_params({**given, **rates})
    values = callback.values({"backbone": 1.0, "head": 1.0}, total_steps=80, steps_per_epoch=L)
    assert [round(values["backbone"][t], 9) for t in (0, 10, 20)] == [0.0, 0.01, 0.02]
    assert [round(values["head"][t], 9) for t in (0, 10, 20)] == [0.1, 0.15, 0.2]


TORCH: list[tuple[str, dict[str, Any]]] = [
    ("StepLR", {"step_size": 2, "gamma": 0.5}),
    ("LambdaLR", {"lr_lambda": lambda k: 1 / (1 + k)}),
    ("MultiStepLR", {"milestones": [1, 3]}),
    ("ConstantLR", {"total_iters": 3}),
    ("CosineAnnealingLR", {"T_max": 4}),
    ("CosineAnnealingWarmRestarts", {"T_0": 2}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.2, "step_size_up": 2, "cycle_momentum": False}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("LinearLR", {"total_iters": 4}),
]


@pytest.mark.parametrize(("name", "kwargs"), TORCH, ids=[name for name, _ in TORCH])
def test_schedulers_of_torch(name, kwargs):
    import torch

    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.2)
    scheduler = getattr(lr_scheduler, name)(optimizer, **kwargs)
    expected = []
    for _ in range(6):
        expected += [optimizer.param_groups[0]["lr"]] * L
        optimizer.step()
        scheduler.step()
    values = curve(lr_mode={name: {**kwargs, "phase": "TRAIN_EPOCH_END"}})
    assert values[20:] == pytest.approx(expected)
    assert values[:20] == pytest.approx([staircase(t) for t in range(20)])


def test_plateau():
    kwargs = {"phase": "VALIDATION_EPOCH_END", "metric_name": "val_loss", "patience": 3, "min_lr": 0.02}
    said = conversion({"max_epochs": 8, "initial_lr": 0.2, "lr_mode": {"ReduceLROnPlateau": kwargs}})
    init_args = {"monitor": "val_loss", "patience": 3, "final": pytest.approx(0.1)}
    assert said.parameters["decay"] == {"class_path": "ReduceOnPlateauDecay", "init_args": init_args}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"lr_warmup_epoch": 3, "lr_sched": "x", "loss": "y"}, r"lr_warmup_epoch=3, lr_sched='x'\. Take them out"),
    ({"max_epoch": 3}, "no such schedule arguments: max_epoch=3"),
    ({"lr_mode": "cosin"}, "lr_mode='cosin' is not known: expected one of StepLRScheduler, step,"),
    ({"warmup_mode": "linear"}, "warmup_mode='linear' is not known"),
    ({"lr_mode": "step", "lr_decay_factor": 0.1}, "StepLRScheduler needs one of them"),
    ({"lr_mode": "step", "lr_updates": [1]}, "needs lr_decay_factor"),
    ({"lr_mode": "function"}, "needs lr_schedule_function"),
    ({"lr_mode": "cosine", "lr_cooldown_epochs": 8}, "leave nothing of max_epochs=8"),
    ({"lr_mode": {"StepLR": {"step_size": 1}}}, "phase=None is not known"),
    ({"lr_mode": {"OneCycleLR": {"phase": "TRAIN_EPOCH_END"}}}, "scheduler='OneCycleLR' is not known"),
    ({"lr_warmup_epochs": 2.5}, "expected a whole number"),
    ({"initial_lr": "fast"}, "initial_lr='fast' is no number"),
    ({"finetune": True}, "write initial_lr as a mapping"),
]


@pytest.mark.parametrize(("given", "message"), WRONG, ids=[str(given) for given, _ in WRONG])
def test_what_is_wrong(given, message):
    with pytest.raises(ValueError, match=message):
        from_training_params({"max_epochs": 8, **given})


def test_the_length_of_the_run_is_asked_for():
    with pytest.raises(ValueError, match="Give max_epochs"):
        from_training_params({"lr_mode": "cosine"})


def test_the_size_of_a_departure():
    """SuperGradients' cosine acts one step late and divides by K + 1: both as its users saw it."""
    given = {
        "max_epochs": 3,
        "lr_warmup_epochs": 1,
        "initial_lr": 1.0,
        "lr_mode": "cosine",
        "cosine_final_lr_ratio": 0.0,
    }
    (callback,) = from_training_params(given)
    ours = callback.values(1.0, total_steps=300, steps_per_epoch=100)[100:]
    theirs = [1.0] + [0.5 * (1 + math.cos(math.pi * k / 201)) for k in range(199)]
    apart = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
    (note,) = conversion(given).notes
    assert f"up to {apart * 100:.1f}% of initial_lr" in note
    assert apart > 0.01


def by_epoch(initial_lr: float, epoch: int, iter: int, max_epoch: int, iters_per_epoch: int) -> float:  # noqa: A002
    return initial_lr * (1 - (epoch + iter / iters_per_epoch) / max_epoch)


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize(
    "mode",
    [
        {"lr_mode": "cosine"},
        {"lr_mode": "step", "lr_updates": [3], "lr_decay_factor": 0.1},
        {"lr_mode": "function", "lr_schedule_function": by_epoch},
        {"lr_mode": {"StepLR": {"step_size": 1, "phase": "TRAIN_EPOCH_END"}}},
    ],
    ids=lambda mode: str(mode["lr_mode"]),
)
def test_a_run_uses_the_values(mode, accumulate):
    given = {"max_epochs": 4, "initial_lr": 0.2, "lr_warmup_epochs": 1, "lr_cooldown_epochs": 1, **mode}
    callbacks = from_training_params({**given, "batch_accumulate": accumulate})
    run = conversion({**given, "batch_accumulate": accumulate}).trainer
    module = fit(callbacks, batches=4, **run)
    steps = 4 // accumulate
    assert module.used == callbacks[0].values(9.0, total_steps=4 * steps, steps_per_epoch=steps)


def test_a_function_decay_goes_into_a_pickle():
    (callback,) = from_training_params(
        {"max_epochs": 4, "initial_lr": 0.2, "lr_mode": "function", "lr_schedule_function": by_epoch}
    )
    again = pickle.loads(pickle.dumps(callback))
    run = {"total_steps": 8, "steps_per_epoch": 2}
    assert (
        again.values(9.0, **run) == callback.values(9.0, **run) == pytest.approx([0.2 * (1 - t / 8) for t in range(8)])
    )
