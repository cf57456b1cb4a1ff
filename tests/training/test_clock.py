"""A run that ends with the clock: what every step uses follows from the steps taken and the time used."""

import logging
import math
import pickle
import warnings
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import LearningRateMonitor, Timer
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch.optim.lr_scheduler import StepLR

from checkpoints import SaveEveryBatch
from clocks import Ticking
from lightning_warmup import (
    CosineDecay,
    HyperparameterWarmup,
    LearningRateWarmup,
    MultiStepDecay,
    ReduceOnPlateauDecay,
    StepDecay,
    TorchDecay,
)
from overflows import SKIPPED, Overflows, scaled
from recorder import Recorder
from refusals import refused
from runs import Line, RecordingSGD, Stream, fit, fit_stream, loader, trainer

pytestmark = pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended")

PACES = [1.0, 1.0, 2.0, 0.5, 1.0, 0.0, 3.0, 0.25]


def by_hand(
    paces: list[float], total: float, *, warmup: int = 0, hold: float = 0, cooldown: float = 0, steps: int = 20
) -> list[float]:
    """A warmup by steps and a line to 0, at 0.1, of steps that take so long (the last going on)."""
    used, now, warm_at = [], 0.0, None
    for n in range(steps):
        end = total - cooldown
        if n >= warmup and warm_at is None:
            warm_at = now
        if warm_at is None:
            used.append(0.1 / (warmup + 1) * (1 + n))
        else:
            start = warm_at + hold
            used.append(0.1 * (1 - min(max((now - start) / (end - start), 0), 1)))
        now += paces[min(n, len(paces) - 1)]
    return used


@pytest.mark.parametrize(
    "paces", [[0.5], PACES, [0.1] * 6 + [3.0] + [0.01], [0.0]], ids=["even", "any", "slow", "none"]
)
@pytest.mark.parametrize("phases", [{}, {"hold": 2}, {"cooldown": 1}, {"hold": 1.5, "cooldown": 2}], ids=str)
@pytest.mark.parametrize("warmup", [0, 5])
def test_a_line_by_hand(warmup: int, phases: dict[str, float], paces: list[float], monkeypatch: Any) -> None:
    callback = LearningRateWarmup(
        warmup, "linear", total="10 seconds", **{name: f"{value} seconds" for name, value in phases.items()}
    )
    used = fit([callback, Ticking(monkeypatch, *paces)], max_epochs=2).used
    assert used == pytest.approx(by_hand(paces, 10, warmup=warmup, **phases), abs=1e-12)


@pytest.mark.parametrize("total", ["10 seconds", "10 SECOND", "0.1666666666 minutes", ".0027777777777 Hours"])
@pytest.mark.parametrize("warmup", ["20%", 0.2, "2 seconds", "0.0333333333 minutes"])
def test_a_warmup_in_time(warmup: Any, total: str, monkeypatch: Any) -> None:
    callback = LearningRateWarmup(warmup, "linear", total=total, warmup_initial_lr=0.0)
    used = fit([callback, Ticking(monkeypatch, 1.0)], max_epochs=2).used
    rising, falling = [0.0, 0.05], [0.1 * (8 - n) / 8 for n in range(9)]
    assert used == pytest.approx([*rising, *falling, *[0.0] * 9], abs=1e-4)


@pytest.mark.parametrize(
    "callback",
    [
        LearningRateWarmup(5, "linear", total="10 seconds"),
        LearningRateWarmup("0.5 epochs", CosineDecay(0.1), total="10 seconds", decay_duration="30%"),
        LearningRateWarmup("8 samples", StepDecay("20%"), total="10 seconds", cooldown="1 second"),
        LearningRateWarmup("30%", "inverse_sqrt", total="10 seconds"),
        LearningRateWarmup(3, "inverse_sqrt", total="10 seconds"),
        LearningRateWarmup("30%", "linear", total="10 seconds", decay_from="start"),
        LearningRateWarmup(2, MultiStepDecay(["50%", "7 seconds"]), total="10 seconds"),
        LearningRateWarmup(5, total="10 seconds"),
    ],
    ids=str,
)
def test_values_are_those_of_a_run_at_that_pace(callback: LearningRateWarmup, monkeypatch: Any) -> None:
    used = fit([callback, Ticking(monkeypatch, 0.5)], max_epochs=3).used
    expected = callback.values(0.1, total_steps=30, steps_per_epoch=10, batch_size=2, steps_per_second=2)
    assert used == expected
    assert used[20:] == [used[20]] * 10


def test_goes_down_to_its_end_when_the_time_is(monkeypatch: Any) -> None:
    """Ten times slower from its middle on: the rest of the curve takes as many seconds, and fewer steps."""
    ticking = Ticking(monkeypatch, *[0.5] * 10, 1.25)
    used = fit([LearningRateWarmup(0, "linear", total="10 seconds"), ticking], max_epochs=2).used
    assert used[10] == pytest.approx(0.05)
    assert used[14:] == [0.0] * 6
    assert used[13] > 0


def test_a_clock_that_goes_back(monkeypatch: Any) -> None:
    used = fit([LearningRateWarmup(0, "linear", total="10 seconds"), Ticking(monkeypatch, 3, -2, 1, 2)], max_epochs=1)
    assert used.used == pytest.approx([0.1, 0.07, 0.07, 0.07, 0.06, 0.04, 0.02, 0, 0, 0], abs=1e-12)


def test_a_millisecond_is_no_step(monkeypatch: Any) -> None:
    """The fifth step begins when 4 ms are used: the same number, of something else."""
    used = fit([LearningRateWarmup(5, "linear", total="20 seconds"), Ticking(monkeypatch, 0.0008)], max_epochs=1).used
    assert used[4:6] == pytest.approx([0.1 * 5 / 6, 0.1])


def test_read_once_for_each_step(monkeypatch: Any) -> None:
    ticking = Ticking(monkeypatch, 1.0)
    fit([LearningRateWarmup(3, "linear", total="10 seconds"), ticking], max_epochs=2)
    assert ticking.reads == 2 + 20 + 1  # when it begins, and when it ends


def test_no_clock_is_read_where_there_is_none(monkeypatch: Any) -> None:
    ticking = Ticking(monkeypatch, 1.0)
    fit([LearningRateWarmup(3, "linear"), ticking], max_epochs=2)
    assert ticking.reads == 0


def test_validation_counts(monkeypatch: Any) -> None:
    class Validated(Line):
        def validation_step(self, batch: Any, batch_idx: int) -> None:
            if not self.trainer.sanity_checking:
                ticking.time += 4

    ticking = Ticking(monkeypatch, 0.5)
    callback = LearningRateWarmup(0, "linear", total="10 seconds")
    module = Validated()
    trainer(callback, ticking, max_epochs=2).fit(module, loader(4), loader(1))
    # The value of a step is written once, when the one before it is done.
    assert module.used == pytest.approx([0.1, 0.095, 0.09, 0.085, 0.08, 0.035, 0.03, 0.025])


def test_the_monitor_logs_what_is_used(monkeypatch: Any) -> None:
    recorder = Recorder()
    callbacks = [LearningRateMonitor(), LearningRateWarmup(2, "linear", total="10 seconds"), Ticking(monkeypatch, 0.7)]
    module = fit(callbacks, max_epochs=1, logger=recorder, log_every_n_steps=1)
    assert list(recorder.series("lr-RecordingSGD").values()) == module.used


# --- the warmup takes its time ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("phases", [{}, {"cooldown": "20%"}, {"hold": "50%"}, {"decay_duration": "20%"}], ids=str)
def test_a_warmup_that_outlasts_the_time(phases: dict[str, Any], monkeypatch: Any) -> None:
    callback = LearningRateWarmup(15, "linear", total="10 seconds", **phases)
    with pytest.warns(UserWarning, match="there is no time for it and for what is to follow in the 10 seconds") as said:
        used = fit([callback, Ticking(monkeypatch, 1.0)], max_epochs=2).used
    assert len([w for w in said if "no time" in str(w.message)]) == 1
    end = 8 if "cooldown" in phases else 10
    assert used[:end] == pytest.approx([0.1 / 16 * (1 + n) for n in range(end)])
    assert used[end:] == pytest.approx([0.0] * (20 - end), abs=1e-12)


def test_a_warmup_that_reaches_into_the_decay(monkeypatch: Any) -> None:
    """The decay is then where it would be without a warmup, and at its end when the time is."""
    callback = LearningRateWarmup(7, "linear", total="10 seconds", decay_duration="40%")
    with pytest.warns(UserWarning, match="after 7 seconds, at step 7, there is no time"):
        used = fit([callback, Ticking(monkeypatch, 1.0)], max_epochs=1).used
    assert used[7:] == pytest.approx([0.075, 0.05, 0.025])


def test_milestones_that_the_warmup_has_outlasted(monkeypatch: Any) -> None:
    callback = LearningRateWarmup(4, MultiStepDecay(["20%", "60%"]), total="10 seconds")
    with pytest.warns(UserWarning, match="no time for it"):
        used = fit([callback, Ticking(monkeypatch, 1.0)], max_epochs=1).used
    assert used[4:] == pytest.approx([0.01, 0.01, 0.001, 0.001, 0.001, 0.001])


def test_a_warmup_alone_has_no_end_by_the_clock(monkeypatch: Any) -> None:
    used = fit([LearningRateWarmup(15, total="3 seconds"), Ticking(monkeypatch, 1.0)], max_epochs=2).used
    assert used == LearningRateWarmup(15).values(0.1, total_steps=20)


# --- resume ----------------------------------------------------------------------------------------------------------

RESUMED = [
    LearningRateWarmup(5, "linear", total="12 seconds"),
    LearningRateWarmup("25%", "cosine", total="12 seconds", cooldown="10%"),
    LearningRateWarmup("0.7 epochs", "one_minus_sqrt", total="12 seconds", decay_duration="25%"),
    LearningRateWarmup(5, "inverse_sqrt", total="12 seconds"),
]


@pytest.mark.parametrize("callback", RESUMED, ids=str)
def test_resume_at_every_step(callback: LearningRateWarmup, tmp_path: Path, monkeypatch: Any) -> None:
    """Given the same readings of the clock, it is the run that was never stopped."""
    whole = fit([callback, Ticking(monkeypatch, *PACES), SaveEveryBatch(tmp_path)], max_epochs=2).used
    for step in range(1, 20):
        again = fit(
            [pickle.loads(pickle.dumps(callback)), Ticking(monkeypatch, *PACES[step:] or PACES[-1:])],
            max_epochs=2,
            ckpt_path=tmp_path / f"{step}.ckpt",
        )
        assert again.used == whole[step:]


def test_the_time_after_the_last_step_is_kept_too(tmp_path: Path, monkeypatch: Any) -> None:
    """As where a long validation comes before the checkpoint."""

    class SaveLate(pl.Callback):
        def on_train_epoch_end(self, trainer: pl.Trainer, *_: Any) -> None:
            ticking.time += 5
            trainer.save_checkpoint(tmp_path / "late.ckpt")

    ticking = Ticking(monkeypatch, 0.1)
    fit([LearningRateWarmup(0, "linear", total="10 seconds"), ticking, SaveLate()], max_epochs=1)
    again = fit(
        [LearningRateWarmup(0, "linear", total="10 seconds"), Ticking(monkeypatch, 0.1)],
        max_epochs=2,
        ckpt_path=tmp_path / "late.ckpt",
    )
    assert again.used[0] == pytest.approx(0.04)


def test_the_time_is_over_when_it_is_resumed(tmp_path: Path, monkeypatch: Any) -> None:
    fit(
        [LearningRateWarmup(2, "linear", total="10 seconds"), Ticking(monkeypatch, 1.0), SaveEveryBatch(tmp_path)],
        max_epochs=1,
    )
    shorter = LearningRateWarmup(2, CosineDecay(0.5), total="4 seconds")
    used = fit([shorter, Ticking(monkeypatch, 1.0)], max_epochs=2, ckpt_path=tmp_path / "7.ckpt").used
    assert used == [0.05] * 13
    # and so where the warmup is not over
    longer = LearningRateWarmup(12, CosineDecay(0.5), total="4 seconds")
    with pytest.warns(UserWarning, match="no time for it"):
        used = fit([longer, Ticking(monkeypatch, 1.0)], max_epochs=2, ckpt_path=tmp_path / "7.ckpt").used
    assert used == [0.05] * 13


def test_more_time_on_resume(tmp_path: Path, monkeypatch: Any) -> None:
    fit(
        [LearningRateWarmup(2, "linear", total="10 seconds"), Ticking(monkeypatch, 1.0), SaveEveryBatch(tmp_path)],
        max_epochs=1,
    )
    longer = LearningRateWarmup(2, "linear", total="18 seconds")
    used = fit([longer, Ticking(monkeypatch, 1.0)], max_epochs=2, ckpt_path=tmp_path / "6.ckpt").used
    assert used == pytest.approx([0.1 * (18 - t) / 16 for t in range(6, 18)] + [0, 0], abs=1e-12)


def test_a_longer_warmup_on_resume_goes_on(tmp_path: Path, monkeypatch: Any) -> None:
    fit(
        [LearningRateWarmup(2, "linear", total="30 seconds"), Ticking(monkeypatch, 1.0), SaveEveryBatch(tmp_path)],
        max_epochs=1,
    )
    longer = LearningRateWarmup(10, "linear", total="30 seconds")
    used = fit([longer, Ticking(monkeypatch, 1.0)], max_epochs=2, ckpt_path=tmp_path / "6.ckpt").used
    assert used[:5] == pytest.approx([0.1 / 11 * 7, 0.1 / 11 * 8, 0.1 / 11 * 9, 0.1 / 11 * 10, 0.1])


def test_from_steps_to_the_clock_and_back(tmp_path: Path, monkeypatch: Any, caplog: pytest.LogCaptureFixture) -> None:
    fit([LearningRateWarmup(2, "linear"), SaveEveryBatch(tmp_path / "steps")], max_epochs=2)
    timed = [LearningRateWarmup(2, "linear", total="10 seconds"), Ticking(monkeypatch, 1.0)]
    with caplog.at_level(logging.INFO):
        used = fit([*timed, SaveEveryBatch(tmp_path / "clock")], max_epochs=2, ckpt_path=tmp_path / "steps/5.ckpt").used
    assert "does not tell what time it has used; total='10 seconds' counts from now on" in caplog.text
    assert used == pytest.approx([0.1 * max(10 - n, 0) / 10 for n in range(15)], abs=1e-4)
    used = fit(LearningRateWarmup(2, "linear"), max_epochs=2, ckpt_path=tmp_path / "clock/3.ckpt").used
    assert used == LearningRateWarmup(2, "linear").values(0.1, total_steps=20)[8:]


def test_a_second_fit_begins_anew(monkeypatch: Any) -> None:
    callback, ticking = LearningRateWarmup(2, "linear", total="10 seconds"), Ticking(monkeypatch, 1.0)
    run, lrs = trainer(callback, ticking, max_epochs=1), []
    for epochs in (1, 2):
        module = Line()
        run.fit_loop.max_epochs = epochs
        run.fit(module, loader(10))
        lrs.append(module.used)
    assert lrs[0] == lrs[1]


def test_a_state_that_is_none(tmp_path: Path, monkeypatch: Any) -> None:
    fit(
        [LearningRateWarmup(2, "linear", total="10 seconds"), Ticking(monkeypatch, 1.0), SaveEveryBatch(tmp_path)],
        max_epochs=1,
    )
    checkpoint = torch.load(tmp_path / "3.ckpt", weights_only=True)
    (key,) = (key for key in checkpoint["callbacks"] if key.startswith("LearningRateWarmup"))
    assert checkpoint["callbacks"][key]["milliseconds"] == 3000
    assert checkpoint["callbacks"][key]["optimizers"][0]["warm_at"] == 2000
    for change in ({"milliseconds": -1}, {"milliseconds": 1.5}):
        wrong = {**checkpoint, "callbacks": {key: {**checkpoint["callbacks"][key], **change}}}
        torch.save(wrong, tmp_path / "wrong.ckpt")
        with refused("state['milliseconds'] is", "expected an int ≥ 0"):
            fit(LearningRateWarmup(2, "linear", total="10 seconds"), max_epochs=1, ckpt_path=tmp_path / "wrong.ckpt")


# --- max_time --------------------------------------------------------------------------------------------------------


class Seconds(Timer):
    """A Timer by the tests' clock."""

    ticking: Ticking

    def time_elapsed(self, stage: Any = "train") -> float:
        start = self.start_time(stage)
        return self._offset + (0 if start is None else self.ticking.time - 1000)


def timed(monkeypatch: Any, seconds: float, *paces: float) -> list[pl.Callback]:
    timer = Seconds({"seconds": seconds})
    timer.ticking = Ticking(monkeypatch, *paces)
    return [timer, timer.ticking]


def test_max_time_is_the_timers(monkeypatch: Any) -> None:
    callbacks = timed(monkeypatch, 10, 1.0)
    used = fit([LearningRateWarmup(2, "linear", total="max_time"), *callbacks], max_epochs=-1).used
    assert used == pytest.approx([0.1 / 3, 0.2 / 3, *(0.1 * (8 - n) / 8 for n in range(8))])


def test_max_time_resumes_with_the_timer(tmp_path: Path, monkeypatch: Any) -> None:
    callback = LearningRateWarmup(2, "linear", total="max_time")
    whole = fit([callback, *timed(monkeypatch, 10, *PACES), SaveEveryBatch(tmp_path)], max_epochs=-1).used
    for step in range(1, len(whole)):
        callbacks = timed(monkeypatch, 10, *PACES[step:] or PACES[-1:])
        assert fit([callback, *callbacks], max_epochs=-1, ckpt_path=tmp_path / f"{step}.ckpt").used == whole[step:]


def test_max_time_of_the_trainer_itself(monkeypatch: Any) -> None:
    ticking = Ticking(monkeypatch, 1.0)
    monkeypatch.setattr("lightning.pytorch.callbacks.timer.time", SimpleNamespace(monotonic=ticking.now))
    callback = LearningRateWarmup(2, "linear", total="max_time")
    used = fit([callback, ticking], max_epochs=-1, max_time={"seconds": 10}).used
    assert used == pytest.approx([0.1 / 3, 0.2 / 3, *(0.1 * (8 - n) / 8 for n in range(8))])


def test_there_is_no_max_time() -> None:
    with pytest.raises(MisconfigurationException, match=r"this Trainer has no max_time. Give Trainer\(max_time="):
        fit(LearningRateWarmup(2, "linear", total="max_time"), max_epochs=1)


def test_a_second_fit_has_no_timer() -> None:
    run = trainer(LearningRateWarmup(2, total="max_time"), max_epochs=1, max_time={"hours": 1})
    run.fit(Line(), loader(2))
    run.fit_loop.max_epochs = 2
    with pytest.raises(MisconfigurationException, match="Timer has ended with its first fit"):
        run.fit(Line(), loader(2))


# --- what is said ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("callback", "limits", "line", "end"),
    [
        (
            LearningRateWarmup(5, "cosine", total="8 hours"),
            {"max_epochs": 1},
            "lr 0.01667 → 0.1 over 5 steps, cosine to 0 at 8 hours",
            "planned over 8 hours, which does not end the run. The Trainer ends it after 10 steps: to end",
        ),
        (
            LearningRateWarmup("10 minutes", "cosine", total="90 minutes", warmup_initial_lr=0.0, hold="20 minutes"),
            {"max_steps": 3, "max_time": "00:02:00:00"},
            "lr 0 → 0.1 over 10 minutes, held until 30 minutes, cosine to 0 at 1 hour 30 minutes",
            "The Trainer ends it after 2 hours or 3 steps: to end",
        ),
        (
            LearningRateWarmup(0, "one_minus_sqrt", total="max_time", decay_duration="20%", cooldown="90 seconds"),
            {"max_steps": 3, "max_time": {"hours": 1}},
            "lr 0.1, no warmup, held until 46 minutes 30 seconds, one minus sqrt to 0 at 58 minutes 30 seconds",
            "total='max_time'): planned over 1 hour; the Trainer may end the run before, after 3 steps.",
        ),
    ],
    ids=str,
)
def test_the_lines_at_the_start(
    callback: Any, limits: Any, line: str, end: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        fit(callback, **limits)
    assert line in caplog.text
    assert end in caplog.text
    assert "planned over total=" not in caplog.text


def test_nothing_is_said_where_both_end_together(monkeypatch: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        fit([LearningRateWarmup(2, "linear", total="10 seconds"), *timed(monkeypatch, 10, 1.0)], max_epochs=-1)
    assert "does not end the run" not in caplog.text


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("callback", "words"),
    [
        (LearningRateWarmup(2, StepDecay(3), total="8 hours"), "StepDecay(every=3) counts intervals"),
        (LearningRateWarmup(2, StepDecay("3 epochs"), total="8 hours"), "every='3 epochs') counts epochs"),
        (LearningRateWarmup(2, MultiStepDecay(["3 steps"]), total="8 hours"), "'3 steps') counts steps"),
        (LearningRateWarmup(2, "linear", hold=5, total="8 hours"), "LearningRateWarmup(hold=5) counts intervals"),
        (
            LearningRateWarmup(2, "linear", cooldown="9 samples", total="8 hours"),
            "cooldown='9 samples') counts samples",
        ),
        (LearningRateWarmup("5%", "linear", hold="95%", total="8 hours", cooldown="1%"), "more than the 8 hours of"),
        (LearningRateWarmup("100%", "linear", total="8 hours"), "the warmup takes all of the 8 hours of this run"),
        (LearningRateWarmup(2, TorchDecay(partial(StepLR, step_size=3)), total="8 hours"), "TorchDecay(StepLR"),
        (LearningRateWarmup(2, "linear", total="8 hours", late_group_warmup="5%"), "give it in steps"),
    ],
    ids=str,
)
def test_what_a_clock_does_not_count(callback: LearningRateWarmup, words: str) -> None:
    with refused(words):
        fit(callback, max_epochs=1)


# --- in other runs ---------------------------------------------------------------------------------------------------


def test_a_stream_without_an_end(monkeypatch: Any) -> None:
    class Endless(Stream):
        pass

    callback = LearningRateWarmup(2, "linear", total="6 seconds", cooldown="10%")
    ticking = Ticking(monkeypatch, 1.0)
    module = Line()
    trainer(callback, ticking, max_epochs=-1, max_steps=12).fit(module, torch.utils.data.DataLoader(Endless(), 2))
    assert module.used == pytest.approx([0.1 / 3, 0.2 / 3, *(0.1 * max(3.4 - n, 0) / 3.4 for n in range(10))])


def test_two_optimizers_in_manual_optimization(monkeypatch: Any) -> None:
    class Adversarial(Line):
        def __init__(self) -> None:
            super().__init__(lambda m: [RecordingSGD([m.weight], lr=0.1), RecordingSGD([m.bias], lr=0.2)])
            self.automatic_optimization = False

        def training_step(self, batch: Any, batch_idx: int) -> None:
            for optimizer in (self.optimizers()[1], self.optimizers()[1], self.optimizers()[0]):
                optimizer.zero_grad()
                self.manual_backward(self.loss(batch))
                optimizer.step()

    callback = LearningRateWarmup(4, "linear", total="20 seconds")
    module = fit([callback, Ticking(monkeypatch, 1.0)], Adversarial(), max_epochs=1)
    first, second = (optimizer.lrs() for optimizer in module.trainer.optimizers)
    # Step k of the second optimizer comes at second 3 (k // 2) + k % 2, of the first at 3 k + 2.
    assert first[:4] == pytest.approx([0.02, 0.04, 0.06, 0.08])
    assert first[4:] == pytest.approx([0.1 * max(20 - (3 * k + 2), 0) / 8 for k in range(4, 10)])
    assert second[4:] == pytest.approx([0.2 * max(20 - (3 * (k // 2) + k % 2), 0) / 15 for k in range(4, 20)])


def test_another_parameter_and_several_groups(monkeypatch: Any) -> None:
    def groups(module: Line) -> torch.optim.Optimizer:
        return RecordingSGD([{"params": [module.weight]}, {"params": [module.bias], "lr": 0.01}], lr=0.1, momentum=0.9)

    momentum = HyperparameterWarmup(
        "momentum", warmup="2 seconds", decay="linear", initial_value=0.0, total="10 seconds"
    )
    callbacks = [LearningRateWarmup(2, "linear", total="10 seconds"), momentum, Ticking(monkeypatch, 1.0)]
    optimizer = fit(callbacks, Line(groups), max_epochs=1).trainer.optimizers[0]
    assert optimizer.lrs(1) == pytest.approx([lr / 10 for lr in optimizer.lrs(0)])
    assert optimizer.lrs(0)[2:] == pytest.approx([0.1 * (8 - n) / 8 for n in range(8)])
    momenta = [step[0]["momentum"] for step in optimizer.used]
    assert momenta == pytest.approx([0, 0.45, *(0.9 * (8 - n) / 8 for n in range(8))])


def test_a_warmup_before_the_modules_own_scheduler(monkeypatch: Any) -> None:
    def scheduled(module: Line) -> Any:
        optimizer = RecordingSGD(module.parameters(), lr=0.1)
        return [optimizer], [{"scheduler": StepLR(optimizer, 5, 0.5), "interval": "step"}]

    for warmup in ("40%", 4):
        callback = LearningRateWarmup(warmup, total="10 seconds", warmup_initial_lr=0.0)
        used = fit([callback, Ticking(monkeypatch, 1.0)], Line(scheduled), max_epochs=1).used
        assert used == pytest.approx([0, 0.025, 0.05, 0.075, 0.1, *[0.05] * 5])


def test_a_plateau(monkeypatch: Any) -> None:
    class Flat(Line):
        def validation_step(self, batch: Any, batch_idx: int) -> None:
            self.log("flat", 1.0)

    decay = ReduceOnPlateauDecay("flat", mode="min", factor=0.5, patience=0)
    callback, module = LearningRateWarmup(3, decay, total="14 seconds", cooldown="4 seconds"), Flat()
    trainer(callback, Ticking(monkeypatch, 1.0), max_epochs=4).fit(module, loader(4), loader(1))
    # evaluated at seconds 4, 8, 12 and 16; those of the cooldown do not count
    assert module.used[3:] == pytest.approx([*[0.1] * 5, *[0.05] * 8])


def test_steps_that_a_scaler_skips(monkeypatch: Any) -> None:
    """A step that came to nothing is none of the warmup's, and has taken its time."""
    callback = LearningRateWarmup(3, "linear", total="40 seconds", warmup_initial_lr=0.0)
    module = Overflows(lambda m: RecordingSGD(m.parameters(), lr=0.1))
    used = fit([callback, Ticking(monkeypatch, 1.0)], module, max_epochs=2, plugins=[scaled()]).used
    assert used[:3] == pytest.approx([0, 0.1 / 3, 0.2 / 3])
    happened = [t for t in range(20) if t not in SKIPPED]
    warm_at = happened[2] + 1
    before = [max((s for s in happened if s < t), default=0) for t in happened]
    assert used[3:] == pytest.approx([0.1 * (40 - (s + 1)) / (40 - warm_at) for s in before[3:]])


def test_the_last_step_is_the_final_value_forever(monkeypatch: Any) -> None:
    callback = LearningRateWarmup(2, CosineDecay(0.1), total="5 seconds")
    used = fit([callback, Ticking(monkeypatch, 0.9, 0.9, 1e9)], max_epochs=1).used
    assert used[3:] == [pytest.approx(0.01, abs=1e-15)] * 7


@pytest.mark.parametrize("name", ["math.inf", "nan"])
def test_a_clock_that_tells_nonsense_is_an_error(name: str, monkeypatch: Any) -> None:
    with pytest.raises((OverflowError, ValueError)), warnings.catch_warnings():
        fit(
            [
                LearningRateWarmup(2, "linear", total="5 seconds"),
                Ticking(monkeypatch, math.inf if name != "nan" else math.nan),
            ],
            max_epochs=1,
        )


def test_warmup_steps(monkeypatch: Any) -> None:
    by_steps, by_time = (
        LearningRateWarmup("0.5 epochs", "linear", total="5 seconds"),
        LearningRateWarmup("5%", total="1 hour"),
    )
    for callback, steps in ((by_steps, 5), (by_time, None)):
        fit([callback, Ticking(monkeypatch, 0.5)], max_epochs=1)
        assert callback.warmup_steps == steps


def test_repr_and_pickle() -> None:
    callback = LearningRateWarmup(5, "linear", total="8 hours")
    assert repr(callback) == "LearningRateWarmup(5, 'linear', total='8 hours')"
    assert repr(pickle.loads(pickle.dumps(callback))) == repr(callback)


def test_not_only_on_a_stream() -> None:
    assert fit_stream(LearningRateWarmup(2, "linear", total="8 hours"), max_steps=4)[:2] == pytest.approx(
        [0.1 / 3, 0.2 / 3]
    )
