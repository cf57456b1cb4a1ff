"""What is a number, a duration, a target or a milestone, and what is none: nothing is taken for something else."""

import math
import pickle

import numpy as np
import pytest

from lightning_warmup import (
    CosineRestartsDecay,
    CosineWarmup,
    CriticalLearningRate,
    CriticalLearningRateMonitor,
    Decay,
    ExponentialDecay,
    HyperparameterWarmup,
    InverseSqrtDecay,
    LearningRateWarmup,
    LinearDecay,
    LinearScaling,
    LinearWarmup,
    LossSpikeMonitor,
    MultiStepDecay,
    PersistentCatapultWarmup,
    PolynomialDecay,
    PolynomialWarmup,
    ReduceOnPlateauDecay,
    StepDecay,
    UntunedExponentialWarmup,
    UntunedLinearWarmup,
    Warmup,
    critical_learning_rate,
)
from refusals import refused

RUN = {"total_steps": 1000, "steps_per_epoch": 100}


# --- numpy's numbers are numbers -------------------------------------------------------------------------------------

SAME = [
    (LearningRateWarmup(np.int64(500)), LearningRateWarmup(500)),
    (LearningRateWarmup(np.uint8(50), "cosine", hold=np.int32(7)), LearningRateWarmup(50, "cosine", hold=7)),
    (LearningRateWarmup(np.float64(0.05)), LearningRateWarmup(0.05)),
    (LearningRateWarmup(np.float32(0.29)), LearningRateWarmup(0.29)),
    (LearningRateWarmup(np.float16(0.1)), LearningRateWarmup(0.1)),
    (LearningRateWarmup(5, total=np.int64(800), optimizer=np.int64(0)), LearningRateWarmup(5, total=800, optimizer=0)),
    (LearningRateWarmup(5, "cosine", cooldown=np.float32(0.3)), LearningRateWarmup(5, "cosine", cooldown=0.3)),
    (
        LearningRateWarmup(5, "cosine", decay_duration=np.int64(9), late_group_warmup=np.int64(3)),
        LearningRateWarmup(5, "cosine", decay_duration=9, late_group_warmup=3),
    ),
    (
        LearningRateWarmup(5, warmup_initial_lr=np.float32(0.1), target_lr=np.float64(0.3)),
        LearningRateWarmup(5, warmup_initial_lr=0.1, target_lr=0.3),
    ),
    (
        LearningRateWarmup(5, target_lr={"head": np.int64(2), "default": np.float32(0.3)}),
        LearningRateWarmup(5, target_lr={"head": 2, "default": 0.3}),
    ),
    (LearningRateWarmup(CosineWarmup(np.int64(5))), LearningRateWarmup(CosineWarmup(5))),
    (
        HyperparameterWarmup("momentum", warmup=np.int64(5), initial_value=np.float64(0.5)),
        HyperparameterWarmup("momentum", warmup=5, initial_value=0.5),
    ),
]
SHAPES = [
    (LinearWarmup(np.int64(5)), LinearWarmup(5)),
    (PolynomialWarmup(np.float32(0.3), power=np.int64(2)), PolynomialWarmup(0.3, power=2)),
    (LinearDecay(np.float32(0.1)), LinearDecay(0.1)),
    (PolynomialDecay(np.float64(2.5), np.float16(0.5)), PolynomialDecay(2.5, 0.5)),
    (ExponentialDecay(np.float64(0.9), np.int64(10)), ExponentialDecay(0.9, 10)),
    (StepDecay(np.int64(10), np.float32(0.1), np.float32(0.01)), StepDecay(10, 0.1, 0.01)),
    (MultiStepDecay(list(np.arange(30, 90, 30)), np.float64(0.1)), MultiStepDecay([30, 60], 0.1)),
    (MultiStepDecay((np.float64(0.5), "60%")), MultiStepDecay((0.5, "60%"))),
    (InverseSqrtDecay(np.int64(10)), InverseSqrtDecay(10)),
    (CosineRestartsDecay(np.int64(10), np.int64(2), np.float32(0.5)), CosineRestartsDecay(10, 2, 0.5)),
    (
        ReduceOnPlateauDecay("val_loss", factor=np.float64(0.5), patience=np.int64(3), cooldown=np.int8(1)),
        ReduceOnPlateauDecay("val_loss", factor=0.5, patience=3, cooldown=1),
    ),
    (LinearScaling(np.int64(256)), LinearScaling(256)),
    (
        CriticalLearningRate(safety=np.float64(0.5), max_forwards=np.int64(9)),
        CriticalLearningRate(safety=0.5, max_forwards=9),
    ),
    (
        PersistentCatapultWarmup(max_growth=np.float64(3), max_steps=np.int64(7)),
        PersistentCatapultWarmup(max_growth=3.0, max_steps=7),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("numpys", "plain"), SHAPES, ids=lambda shape: type(shape).__name__)
def test_a_shape_keeps_pythons_own_numbers(numpys, plain):
    assert numpys == plain
    assert repr(numpys) == repr(plain)
    assert pickle.dumps(numpys) == pickle.dumps(plain)


@pytest.mark.parametrize(("numpys", "plain"), SAME, ids=lambda callback: repr(callback._config.warmup))
def test_a_callback_keeps_pythons_own_numbers(numpys, plain):
    assert numpys._config == plain._config
    assert repr(numpys._config) == repr(plain._config)
    assert "numpy" not in str(pickle.dumps(numpys))
    lr = {"head": 0.1, "body": 0.2}
    assert numpys.values(lr, **RUN) == plain.values(lr, **RUN)


def test_what_is_asked_about_may_be_numpys():
    callback = LearningRateWarmup("10 samples", "cosine", target_lr=LinearScaling(2))
    numpys = callback.values(
        np.float32(0.1), total_steps=np.int64(20), steps_per_epoch=np.int32(5), batch_size=np.int64(2)
    )
    assert numpys == callback.values(0.1, total_steps=20, steps_per_epoch=5, batch_size=2)
    assert all(type(value) is float for value in numpys)
    groups = LearningRateWarmup(UntunedLinearWarmup()).values(
        {"a": np.int64(1)}, total_steps=3, steps_per_epoch=3, betas={"a": (np.float64(0.9), np.float64(0.99))}
    )
    assert {name: list(map(type, values)) for name, values in groups.items()} == {"a": [float] * 3}


def test_monitors_and_the_search():
    assert LossSpikeMonitor(np.int64(5), np.float64(3)).state_key == LossSpikeMonitor(5, 3.0).state_key
    assert type(CriticalLearningRateMonitor(np.int64(5)).every_n_steps) is int
    found = critical_learning_rate(lambda lr: (1 - lr) ** 2, start=np.float64(0.1), max_forwards=np.int64(20))
    assert found == critical_learning_rate(lambda lr: (1 - lr) ** 2, start=0.1, max_forwards=20)


def test_mappings_and_lists_are_not_changed():
    mapping, milestones = {"default": np.float64(0.3)}, [np.int64(30), np.int64(60)]
    LearningRateWarmup(5, MultiStepDecay(milestones), target_lr=mapping)
    assert type(mapping["default"]) is np.float64
    assert [type(milestone) for milestone in milestones] == [np.int64, np.int64]


class NumpyDecay(Decay):
    ends = False

    def factor_at(self, tau, length):
        return np.exp2(-tau)


class NumpyWarmup(Warmup):
    duration = 4

    def weight(self, u):
        return np.sqrt(u)


@pytest.mark.parametrize("groups", [1, 60])
def test_what_a_shape_of_ones_own_computes_with_numpy_is_written_as_floats(groups):
    lr = {f"{i}": 0.1 for i in range(groups)}
    values = LearningRateWarmup(NumpyWarmup(), NumpyDecay()).values(lr, total_steps=9, steps_per_epoch=9)
    assert all(type(value) is float for group in values.values() for value in group)


@pytest.mark.parametrize("value", [np.True_, np.False_, True], ids=repr)
def test_a_bool_is_no_number(value):
    with refused(f"warmup={value!r}", "500 steps"):
        LearningRateWarmup(value)
    with refused(f"StepDecay(every={value!r})", "500 steps"):
        StepDecay(value)
    with refused(f"gamma={value!r}", "finite number > 0"):
        StepDecay(5, gamma=value)
    with refused(f"optimizer={value!r}", "the index of an optimizer"):
        LearningRateWarmup(5, optimizer=value)
    with refused(f"target_lr={value!r}", "finite number ≥ 0"):
        LearningRateWarmup(5, target_lr=value)
    with refused(f"values(total_steps={value!r})", "an int ≥ 1"):
        LearningRateWarmup(5).values(0.1, total_steps=value, steps_per_epoch=1)
    with refused(f"values(lr={value!r})", "finite numbers ≥ 0"):
        LearningRateWarmup(5).values(value, **RUN)
    with refused(f"patience={value!r}", "an int ≥ 0"):
        ReduceOnPlateauDecay("val_loss", patience=value)


@pytest.mark.parametrize("value", [np.int64(-1), np.float64(1.5), np.float64("nan"), np.float32("inf")], ids=str)
def test_numpys_numbers_are_refused_like_others(value):
    with refused("LearningRateWarmup(warmup=", "500 steps", "5 epochs"):
        LearningRateWarmup(value)


# --- numbers too large, or too small, for a float --------------------------------------------------------------------


@pytest.mark.parametrize(
    "duration",
    [
        *("1e999 steps", "1e999 epochs", "1e999 samples", "1e999%", "1e-999 steps", "1e-999%"),
        *("1e99999999999 steps", "1e-99999999999 epochs", f"{'9' * 400} steps", 10**400),
    ],
    ids=lambda duration: str(duration)[:20],
)
def test_what_no_float_can_hold(duration):
    for parameter, make in (
        ("LearningRateWarmup(warmup", LearningRateWarmup),
        ("LearningRateWarmup(total", lambda value: LearningRateWarmup(5, total=value)),
        ("StepDecay(every", StepDecay),
        ("MultiStepDecay(milestones", lambda value: MultiStepDecay([value])),
    ):
        with refused(f"{parameter}={duration!r}) is not a duration", "500 steps", "10%"):
            make(duration)


@pytest.mark.parametrize("duration", ["1e300 steps", "1e306 epochs", 10**300])
def test_what_is_huge_and_finite_is_a_duration(duration):
    callback = LearningRateWarmup(duration)
    with refused("is more than the 1,000 steps of this run", "Shorten warmup"):
        callback.values(0.1, **RUN)
    endless = LearningRateWarmup(5, StepDecay(duration), total=duration)
    assert set(endless.values(0.1, **RUN)[5:]) == {0.1}
    assert LearningRateWarmup(5, "linear", total=duration).values(0.1, **RUN)[5:] == [0.1] * 995


def test_what_is_finite_and_whose_steps_are_not():
    with refused("LearningRateWarmup(warmup='1e308 epochs') is more steps than can be counted"):
        LearningRateWarmup("1e308 epochs").values(0.1, **RUN)


@pytest.mark.parametrize("value", [10**400, -(10**400)], ids=["huge", "negative"])
def test_a_value_that_no_float_can_hold(value):
    with refused("LearningRateWarmup(target_lr=", "finite number ≥ 0"):
        LearningRateWarmup(5, target_lr=value)
    with refused("StepDecay(gamma=", "finite number > 0"):
        StepDecay(5, gamma=value)


# --- what a shape counts by, in epochs -------------------------------------------------------------------------------

COUNTED = {
    "StepDecay(every": StepDecay,
    "ExponentialDecay(every": lambda value: ExponentialDecay(0.9, every=value),
    "CosineRestartsDecay(period": CosineRestartsDecay,
    "InverseSqrtDecay(timescale": InverseSqrtDecay,
}
every_counted = pytest.mark.parametrize(
    ("quoted", "make"), COUNTED.items(), ids=[name.split("(")[0] for name in COUNTED]
)


@every_counted
@pytest.mark.parametrize("duration", ["2.4 epochs", "240 steps", "24%", 0.24, "480 samples"])
def test_a_fraction_of_an_epoch_is_not_rounded_away(quoted, make, duration):
    callback = LearningRateWarmup(0, make(duration), interval="epoch")
    with refused(f"{quoted}={duration!r}) is 2.4 epochs", "write a whole number of epochs", "interval='step'"):
        callback.values(0.1, batch_size=2, **RUN)


@every_counted
@pytest.mark.parametrize("duration", ["2 epochs", "2.0 epochs", "200 steps", "20%", 0.2, "400 samples"])
def test_whole_epochs_in_any_unit(quoted, make, duration):
    given, whole = (
        LearningRateWarmup(0, make(every), interval="epoch").values(0.1, batch_size=2, **RUN) for every in (duration, 2)
    )
    assert given == whole


@every_counted
def test_by_step_a_fraction_of_an_epoch_is_so_many_steps(quoted, make):
    by_epoch, by_step = (LearningRateWarmup(0, make(every)).values(0.1, **RUN) for every in ("2.4 epochs", 240))
    assert by_epoch == by_step


def test_milestones_and_phases_are_still_rounded_half_up():
    callback = LearningRateWarmup("1.5 epochs", MultiStepDecay(["3.4 epochs", "4.5 epochs"]), interval="epoch")
    values = callback.values(1.0, **RUN)
    assert [values[100 * epoch] for epoch in range(1, 6)] == pytest.approx([2 / 3, 1, 0.1, 0.1, 0.01])


# --- milestones ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("milestones", [[30, 30, 80], (30, 30, 80), ["30%", 30, "0.8 epochs"], [29.6 / 100, 30, 80]])
@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_a_milestone_that_is_there_twice_is_two_steps_at_once(milestones, interval):
    if interval == "epoch":
        milestones = [80 if value == "0.8 epochs" else value for value in milestones]
    per_epoch = 100 if interval == "step" else 1
    callback = LearningRateWarmup(0, MultiStepDecay(milestones, gamma=0.5), interval=interval)
    values = callback.values(1.0, total_steps=100, steps_per_epoch=per_epoch)
    assert values == [1.0] * 30 + [0.25] * 50 + [0.125] * 20


def test_as_torch_has_it():
    import torch
    from torch.optim.lr_scheduler import MultiStepLR

    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    scheduler, theirs = MultiStepLR(optimizer, [3, 3, 8]), []
    for _ in range(12):
        theirs.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    ours = LearningRateWarmup(0, MultiStepDecay([3, 3, 8])).values(1.0, total_steps=12, steps_per_epoch=12)
    assert ours == pytest.approx(theirs, rel=1e-12)


# --- a target of 0, and a warmup that leaves nothing -----------------------------------------------------------------


@pytest.mark.parametrize("target", [0, 0.0, "0", "0e0", np.float64(0)], ids=repr)
@pytest.mark.parametrize("warmup", [0, 5, CosineWarmup("5%")], ids=repr)
def test_a_target_of_0_trains_nothing(target, warmup):
    with refused("LearningRateWarmup(target_lr=", "nothing would be trained", "'default': None"):
        LearningRateWarmup(warmup, target_lr=target)


def test_a_group_may_be_frozen():
    callback = LearningRateWarmup(2, target_lr={"backbone": 0.0, "default": None})
    values = callback.values({"backbone": 0.1, "head": 0.3}, total_steps=4, steps_per_epoch=4)
    assert values == {"backbone": [0.0] * 4, "head": pytest.approx([0.1, 0.2, 0.3, 0.3])}


def test_other_hyperparameters_may_lead_to_0():
    callback = HyperparameterWarmup("weight_decay", warmup=2, initial_value=0.1, target_value=0)
    assert callback.values(0.1, total_steps=3, steps_per_epoch=3) == [0.1, 0.05, 0.0]


FILLED = [
    ({"warmup": "100%"}, "cosine"),
    ({"warmup": 10}, StepDecay(2)),
    ({"warmup": CosineWarmup("1 epoch")}, "inverse_sqrt"),
]


@pytest.mark.parametrize("interval", ["step", "epoch"])
@pytest.mark.parametrize(("parameters", "decay"), FILLED, ids=repr)
def test_a_warmup_that_leaves_nothing_to_decay_in(parameters, decay, interval):
    if parameters["warmup"] == CosineWarmup("1 epoch") and interval == "epoch":
        parameters = {"warmup": CosineWarmup(10)}
    run = {"total_steps": 10, "steps_per_epoch": 10 if interval == "step" else 1}
    warmup = parameters["warmup"]
    with refused(
        f"LearningRateWarmup(warmup={warmup!r}, decay={decay!r})",
        f"all of the 10 {interval}s of this run, and the decay never begins",
        *("Shorten warmup", "train longer", "leave decay out", "total=..."),
    ):
        LearningRateWarmup(**parameters, decay=decay, interval=interval).values(1.0, **run)
    LearningRateWarmup(**parameters, decay=None, interval=interval).values(1.0, **run)
    LearningRateWarmup(**parameters, decay="constant", interval=interval).values(1.0, **run)
    longer = {**run, "total_steps": 11}
    if warmup != "100%":
        assert LearningRateWarmup(**parameters, decay=decay, interval=interval).values(1.0, **longer)[10] == 1.0


# --- warmups from β2 -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("beta2", [0.0, 0.5, 0.9, 0.95, 0.98, 0.99, 0.999, 0.9999])
def test_the_untuned_warmups_are_their_formulas(beta2):
    run = {"total_steps": 500, "steps_per_epoch": 500, "betas": (0.9, beta2)}
    linear = LearningRateWarmup(UntunedLinearWarmup()).values(1.0, **run)
    exponential = LearningRateWarmup(UntunedExponentialWarmup()).values(1.0, **run)
    assert linear == [min(1.0, t * (1 - beta2) / 2) for t in range(1, 501)]
    assert exponential == [1 - math.exp(-(1 - beta2) * t) for t in range(1, 501)]


def test_half_way_is_half_way():
    """pytorch_warmup has a period of 199 here, and 100/199."""
    values = LearningRateWarmup(UntunedLinearWarmup()).values(
        1.0, total_steps=300, steps_per_epoch=300, betas=(0.9, 0.99)
    )
    assert values[99] == pytest.approx(0.5, rel=1e-12)
    assert values[197] < 1.0
    assert values[199] == pytest.approx(1.0, rel=1e-12)
