"""What is told, warned of or refused when training starts, about values and lengths."""

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Timer

from checkpoints import SaveEveryBatch
from lightning_warmup import (
    CosineDecay,
    CosineRestartsDecay,
    DecayPart,
    FunctionDecay,
    HyperparameterWarmup,
    LearningRateWarmup,
    MultiStepDecay,
    PiecewiseLinearDecay,
    SequentialDecay,
    StepDecay,
)
from refusals import refused
from runs import Line, RecordingSGD, fit, fit_stream

resumes = pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended")


def told(callback: Any, module: Line | None = None, **kwargs: Any) -> list[str]:
    """The warnings of ours that a fit gives."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(callback, module, **kwargs)
    texts = [str(warning.message) for warning in caught]
    return [text for text in texts if text.startswith(("LearningRateWarmup", "HyperparameterWarmup"))]


# --- the start line says when the last value is there ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("callback", "line"),
    [
        # 40 steps, 4 epochs. Milestones and the floor are reached before the end.
        (LearningRateWarmup(0, MultiStepDecay([10, 20])), "multi step to 0.001 at step 20"),
        (LearningRateWarmup(5, MultiStepDecay([20, 20]), cooldown=10), "multi step to 0.001 at step 20"),
        (LearningRateWarmup(0, MultiStepDecay([10, 30]), cooldown=10), "multi step to 0.001 at step 30"),
        (LearningRateWarmup(1, MultiStepDecay([2, 3]), interval="epoch"), "multi step to 0.001 at epoch 3"),
        (LearningRateWarmup(2, MultiStepDecay(["2 epochs"]), hold=5), "multi step to 0.01 at step 20"),
        (LearningRateWarmup(5, StepDecay(10)), "step to 0.0001 at step 35"),
        # Step 40 is never taken: the last step down is at 30; in a cooldown it would be taken.
        (LearningRateWarmup(0, StepDecay(10)), "step to 0.0001 at step 30"),
        (LearningRateWarmup(0, StepDecay(10), cooldown=10), "step to 0.0001 at step 30"),
        (LearningRateWarmup(0, StepDecay(5, final=0.01)), "step to 0.001 at step 10"),
        (LearningRateWarmup(0, StepDecay(5, gamma=0.5, final=0.2)), "step to 0.02 at step 15"),
        (LearningRateWarmup(0, StepDecay(5, final=0.01), interval="epoch"), "then constant"),
        (LearningRateWarmup(0, StepDecay(50)), "no warmup, then constant"),
        (LearningRateWarmup(5, "constant"), "over 5 steps, then constant"),
        # Where it is not jumps that end it, it is the end.
        (LearningRateWarmup(5, CosineDecay(0.01)), "cosine to 0.001 at step 40"),
        (LearningRateWarmup(0, CosineRestartsDecay(10, final=0.1), cooldown=10), "cosine restarts to 0.01 at step 30"),
        (LearningRateWarmup(0, FunctionDecay(lambda u: 1 / (1 - u) / 40)), "function to 0.1 at step 39"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_line(callback: LearningRateWarmup, line: str, messages: list[str]) -> None:
    used = fit(callback, max_epochs=4).used
    (text,) = [message for message in messages if message.startswith("LearningRateWarmup: lr ")]
    assert text.endswith(line)
    if " to " in line and "step " in line.split(" at ")[1]:
        value, at = float(line.split(" to ")[1].split()[0]), int(line.split()[-1])
        if at < len(used):
            assert used[at:] == pytest.approx([value] * (len(used) - at))
            assert at == 0 or used[at - 1] != pytest.approx(value) or "restarts" in line


# --- a function that has no value at the end -------------------------------------------------------------------------


@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_a_function_that_fails_where_no_step_is(interval: Any) -> None:
    function = FunctionDecay(lambda u: 1 / (1 - u) / 100)
    callback = LearningRateWarmup(1, function, interval=interval)
    module = fit(callback, max_epochs=4)
    assert module.used == callback.values(0.1, total_steps=40, steps_per_epoch=10)
    # What is held after the last step is that step's value.
    assert module.trainer.optimizers[0].param_groups[0]["lr"] == module.used[-1]


def test_a_function_that_fails_where_a_step_is() -> None:
    function = FunctionDecay(lambda u: 1 / (1 - u) / 100)
    for callback in (LearningRateWarmup(1, function, cooldown=1), LearningRateWarmup(1, function, total=30)):
        with refused("FunctionDecay(function=", "fails at u = 1.0: ZeroDivisionError: "):
            fit(callback, max_epochs=4)


# --- what never comes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("callback", "names"),
    [
        (LearningRateWarmup(0, MultiStepDecay([10, 40])), "40, for the decay ends at step 40"),
        (LearningRateWarmup(0, MultiStepDecay([10, 50, "6 epochs"])), "50, '6 epochs', for the decay ends at step 40"),
        (LearningRateWarmup(0, MultiStepDecay([10, 35]), cooldown=10), "35, for the decay ends at step 30"),
        (LearningRateWarmup(1, MultiStepDecay([2, 4]), interval="epoch"), "4, for the decay ends at epoch 4"),
        (HyperparameterWarmup("momentum", decay=MultiStepDecay([60])), "60, for the decay ends at step 40"),
        # In a part: past its end, just at its end before a jump, or past the run's.
        (
            LearningRateWarmup(0, [DecayPart(MultiStepDecay([10, 25]), 20), DecayPart("linear")]),
            "25, for that part ends at step 20",
        ),
        (
            LearningRateWarmup(0, [DecayPart(MultiStepDecay([10, 20]), 20), DecayPart("linear", start=0.5)]),
            "20, for that part ends at step 20",
        ),
        (
            LearningRateWarmup(0, [DecayPart("constant", 10), DecayPart(MultiStepDecay([20, 50]))], cooldown=10),
            "50, for the decay ends at step 30",
        ),
        (
            LearningRateWarmup(
                0, [DecayPart("constant", 5), DecayPart(SequentialDecay([DecayPart(MultiStepDecay([30]), 9)]))]
            ),
            "30, for that part ends at step 14",
        ),
    ],
    ids=repr,
)
def test_milestones_past_the_end(callback: Any, names: str) -> None:
    module = Line(lambda m: RecordingSGD(m.parameters(), lr=0.1, momentum=0.9))
    (text,) = told(callback, module, max_epochs=4)
    assert f"no step of this run reaches the milestone(s) {names}" in text
    assert f"(decay={callback._config.decay!r})" in text
    assert "Leave them out, or train longer" in text


@pytest.mark.parametrize(
    "callback",
    [
        LearningRateWarmup(0, MultiStepDecay([10, 39])),
        LearningRateWarmup(0, MultiStepDecay([10, 30]), cooldown=10),
        LearningRateWarmup(0, MultiStepDecay([10, 30]), total=30),
        LearningRateWarmup(0, MultiStepDecay([10, 30]), total="4 epochs"),
        # The next part goes on from there; or the run does.
        LearningRateWarmup(0, [DecayPart(MultiStepDecay([10, 20]), 20), DecayPart("linear")]),
        LearningRateWarmup(0, [DecayPart("constant", 10), DecayPart(PiecewiseLinearDecay({10: 1, 39: 0}))]),
    ],
    ids=repr,
)
def test_milestones_that_are_reached(callback: LearningRateWarmup) -> None:
    assert told(callback, max_epochs=4) == []


def test_nothing_of_it_in_a_fast_dev_run(messages: list[str]) -> None:
    assert told(LearningRateWarmup(0, MultiStepDecay([30, 60])), fast_dev_run=3) == []
    assert told(LearningRateWarmup(2, "cosine", hold=1), fast_dev_run=3) == []
    assert told(LearningRateWarmup(3, "cosine"), fast_dev_run=3) == []
    assert any("fast_dev_run is too short" in line and "the decay never begins" in line for line in messages)


@pytest.mark.parametrize("every", ["25 steps", "50 samples"])
def test_a_fast_dev_run_has_other_epochs(every: str, messages: list[str]) -> None:
    """2.5 epochs are refused; whole ones that an epoch of three steps makes none of are no reason to fail."""
    callback = LearningRateWarmup(0, StepDecay(every), interval="epoch")
    with refused(f"StepDecay(every={every!r}) is 2.5 epochs", "whole number of epochs"):
        fit(callback, max_epochs=4)
    assert fit(callback, fast_dev_run=3).used == [0.1] * 3
    assert any("fast_dev_run is too short" in line for line in messages)
    with refused("StepDecay(every='2.4 epochs')", "whole number of epochs"):
        fit(LearningRateWarmup(0, StepDecay("2.4 epochs"), interval="epoch"), fast_dev_run=3)


def test_a_warmup_that_fills_the_run() -> None:
    with refused(
        "LearningRateWarmup(warmup='100%', decay='cosine')", "40 steps of this run, and the decay never begins"
    ):
        fit(LearningRateWarmup("100%", "cosine"), max_epochs=4)


@pytest.mark.parametrize(
    "callback",
    [
        LearningRateWarmup("50%", "cosine", hold="50%"),
        LearningRateWarmup(1, StepDecay(2), hold=1, cooldown=2, interval="epoch"),
        HyperparameterWarmup("momentum", warmup=10, decay="linear", hold=30, initial_value=0.5),
    ],
    ids=repr,
)
def test_a_hold_or_cooldown_that_leaves_nothing_is_warned_of(callback: Any) -> None:
    module = Line(lambda m: RecordingSGD(m.parameters(), lr=0.1, momentum=0.9))
    (text,) = told(callback, module, max_epochs=4)
    assert f"(decay={callback._config.decay!r}): the other phases take all of this run, and the decay never" in text
    assert "Shorten them" in text


def test_a_constant_decay_loses_nothing() -> None:
    assert told(LearningRateWarmup("100%", "constant"), max_epochs=4) == []
    assert told(LearningRateWarmup("50%", "constant", hold="50%"), max_epochs=4) == []


# --- nothing to train ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [None, {"default": 0}, {"default": None}])
def test_every_group_at_0_is_warned_of(target: Any) -> None:
    (text,) = told(LearningRateWarmup(5, "cosine", target_lr=target), Line(lr=0.0), max_epochs=4)
    assert text == (
        "LearningRateWarmup: the lr of every param group is 0, so nothing is trained. Give the optimizer a lr, or"
        " target_lr=..."
    )


def test_one_group_at_0_is_frozen_and_nothing_is_said() -> None:
    def configure(module: Line) -> Any:
        return RecordingSGD([{"params": [module.weight], "lr": 0.0}, {"params": [module.bias]}], lr=0.1)

    assert told(LearningRateWarmup(5, "cosine"), Line(configure), max_epochs=4) == []


def test_another_hyperparameter_at_0_is_not_said() -> None:
    assert told(HyperparameterWarmup("weight_decay", warmup=5, initial_value=0.1), max_epochs=4) == []


# --- how long the run is ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limits", [{"max_time": {"hours": 1}}, {"max_epochs": -1}])
def test_a_run_that_a_clock_limits_alone(limits: Any) -> None:
    limit = "is limited by max_time only" if "max_time" in limits else "has no limit"
    with refused("LearningRateWarmup(decay='cosine')", f"the Trainer {limit}; give total=..."):
        fit(LearningRateWarmup(5, "cosine"), **limits)
    with refused("LearningRateWarmup(decay='cosine')", f"the Trainer {limit}; give total=..."):
        fit_stream(LearningRateWarmup(5, "cosine"), **limits)


def test_a_timer_is_a_clock() -> None:
    with refused("LearningRateWarmup(warmup='5%')", "the Trainer is limited by max_time only; give total=..."):
        fit([LearningRateWarmup("5%"), Timer(duration="00:01:00:00")], max_epochs=-1)


def test_an_unsized_loader_has_a_way_out() -> None:
    """What the error says is done, and a share works."""
    way = "or Trainer(limit_train_batches=N), N batches an epoch"
    for callback in (LearningRateWarmup("10%"), LearningRateWarmup(5, "cosine"), LearningRateWarmup("1 epoch")):
        with refused("LearningRateWarmup(", "the train dataloader has no length", way):
            fit_stream(callback, max_epochs=4)
        used = fit_stream(callback, max_epochs=4, limit_train_batches=10)
        assert used == callback.values(0.1, total_steps=40, steps_per_epoch=10)


# --- another learning rate in the config -----------------------------------------------------------------------------


@resumes
def test_both_are_warnings_with_both_numbers(tmp_path: Path, messages: list[str]) -> None:
    def run(callback: Any, lr: float = 0.001, **kwargs: Any) -> list[str]:
        module = Line(lambda m: RecordingSGD(m.parameters(), lr=lr, momentum=0.9), lr=lr)
        return told(callback, module, max_epochs=2, **kwargs)

    for callback, changed, lr, says in (
        (LearningRateWarmup(5), LearningRateWarmup(5), 0.005, ": lr 0.005 in the config, 0.001 in the checkpoint"),
        (
            LearningRateWarmup(5, target_lr=0.2),
            LearningRateWarmup(5, target_lr=0.5),
            0.001,
            "(target_lr=0.5) asks for [0.5], the checkpoint was trained towards [0.2]",
        ),
    ):
        run([callback, SaveEveryBatch(tmp_path)])
        messages.clear()
        (text,) = run(changed, lr, ckpt_path=tmp_path / "8.ckpt")
        assert says in text
        assert "the checkpoint wins" in text
        assert "resume='config'" in text
        assert not [line for line in messages if "checkpoint wins" in line]


@resumes
def test_the_noun_is_the_hyperparameters(tmp_path: Path) -> None:
    def module(momentum: float) -> Line:
        return Line(lambda m: RecordingSGD(m.parameters(), lr=0.1, momentum=momentum))

    callback = HyperparameterWarmup("momentum", warmup=5, initial_value=0.5)
    told([callback, SaveEveryBatch(tmp_path)], module(0.9), max_epochs=2)
    (text,) = told(callback, module(0.8), max_epochs=2, ckpt_path=tmp_path / "8.ckpt")
    assert "HyperparameterWarmup: momentum 0.8 in the config, 0.9 in the checkpoint" in text


@resumes
@pytest.mark.parametrize("resume", ["checkpoint", "config"])
def test_a_scheduler_that_is_overridden_is_no_other_config(resume: Any, tmp_path: Path) -> None:
    """Its own warmup has the optimizer at 0.01 before the first step, in the config as in the run before."""

    def configure(module: Line) -> Any:
        optimizer = RecordingSGD(module.parameters(), lr=0.1)
        scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, total_iters=4)
        return [optimizer], [{"scheduler": scheduler, "interval": "step"}]

    def warmup() -> LearningRateWarmup:
        return LearningRateWarmup(5, "cosine", override_module_scheduler=True, resume=resume)

    whole = fit([warmup(), SaveEveryBatch(tmp_path)], Line(configure), max_epochs=2)
    resumed = Line(configure)
    assert told(warmup(), resumed, max_epochs=2, ckpt_path=tmp_path / "8.ckpt") == []
    assert resumed.used == whole.used[8:]


# --- numpy's numbers in a run ----------------------------------------------------------------------------------------


@resumes
def test_a_checkpoint_is_plain_whatever_the_numbers_were(tmp_path: Path) -> None:
    def callback() -> LearningRateWarmup:
        return LearningRateWarmup(np.int64(5), "cosine", target_lr=np.float64(0.3), optimizer=np.int64(0))

    whole = fit([callback(), SaveEveryBatch(tmp_path)], max_epochs=2, max_steps=np.int64(18))
    torch.load(tmp_path / "8.ckpt", weights_only=True)
    resumed = fit(
        LearningRateWarmup(5, "cosine", target_lr=0.3, optimizer=0), ckpt_path=tmp_path / "8.ckpt", max_steps=18
    )
    assert resumed.used == whole.used[8:]
    assert all(type(lr) is float for lr in whole.used)


def test_warnings_are_no_logs(caplog: pytest.LogCaptureFixture) -> None:
    """Each once: one warning, and no line beside it."""
    caplog.set_level(logging.INFO)
    texts = told(LearningRateWarmup(0, MultiStepDecay([10, 80])), Line(lr=0.0), max_epochs=4)
    assert len(texts) == 2
    assert not [record for record in caplog.records if "milestone" in record.getMessage()]
