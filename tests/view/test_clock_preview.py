"""A run by the clock, drawn before it runs, in YAML and on the command line."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from checkpoints import SaveEveryBatch
from clocks import Ticking
from lightning_warmup import LearningRateWarmup, ReduceOnPlateauDecay, SchedulePreview, preview
from lightning_warmup.__main__ import main
from lightning_warmup.callbacks import schedule_preview
from refusals import refused
from runs import Line, fit, loader

pytestmark = pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended")

CALLBACK = LearningRateWarmup(4, "linear", total="10 seconds", cooldown="20%")


def config(tmp_path: Path, text: str) -> str:
    path = tmp_path / "run.yaml"
    path.write_text(text)
    return str(path)


def test_phases_at_a_pace() -> None:
    shown = preview(CALLBACK, lr=0.1, total_steps=12, steps_per_second=1)
    assert list(shown.curves[0].values) == CALLBACK.values(0.1, total_steps=12, steps_per_second=1)
    assert [(phase.name, phase.start, phase.end) for phase in shown.phases["lr"]] == [
        ("linear warmup", 0, 4),
        ("linear", 4, 8),
        ("cooldown", 8, 10),
        ("past the end", 10, 12),
    ]
    assert any("the plan ends at step 10" in said for said in shown.findings["lr"])


def test_a_range_at_a_pace() -> None:
    callback = LearningRateWarmup("40%", ReduceOnPlateauDecay("val_loss"), total="10 seconds", warmup_initial_lr=0.0)
    (curve,) = preview(callback, lr=0.1, total_steps=10, steps_per_second=1).curves
    assert list(curve.highest) == pytest.approx([0, 0.025, 0.05, 0.075, *[0.1] * 6])
    assert list(curve.values)[4:] == [0.0] * 6


def test_plot() -> None:
    _, axes = CALLBACK.plot(0.1, total_steps=12, steps_per_second=1)
    assert [text.get_text() for text in axes.texts][:1] == ["linear warmup"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give values(..., steps_per_second=...)"),
        ({"steps_per_second": 0}, "values(steps_per_second=0): expected a finite number > 0"),
        ({"steps_per_second": float("nan")}, "values(steps_per_second=nan)"),
        ({"steps_per_second": 0.2}, "at 0.2 steps per second it takes 20 seconds"),
    ],
)
def test_a_pace_that_is_none(arguments: Any, message: str) -> None:
    with refused(message):
        CALLBACK.values(0.1, total_steps=12, **arguments)


def test_previews_that_lack_something() -> None:
    with refused("LearningRateWarmup(total='10 seconds') follows the clock: give steps_per_second=..."):
        preview(CALLBACK, lr=0.1, total_steps=12)
    with refused("max_time, which is not known here"):
        preview(LearningRateWarmup(4, "linear", total="max_time"), lr=0.1, total_steps=12, steps_per_second=1)


@pytest.mark.parametrize("limit", ["00:00:00:10", "{seconds: 10}"])
def test_the_command_takes_the_files_max_time(limit: str, tmp_path: Path, capsys: Any) -> None:
    text = f"trainer: {{max_time: {limit}, max_epochs: -1}}\nlr_warmup: {{warmup: 4, decay: linear, total: max_time}}"
    path = config(tmp_path, text)
    assert main(["preview", path, "--lr=0.1", "--steps-per-second=2", "--json=-"]) == 0
    (shown,) = json.loads(capsys.readouterr().out)
    expected = LearningRateWarmup(4, "linear", total="10 seconds").values(0.1, total_steps=20, steps_per_second=2)
    assert shown["curves"][0]["values"] == expected
    assert main(["preview", path, "--lr=0.1", "--max-steps=20"]) == 2
    assert "follows the clock: give --steps-per-second" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["preview", path, "--steps-per-second=0"])
    assert "'0': expected a number > 0" in capsys.readouterr().err


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    drawn: list[Any] = []
    monkeypatch.setattr(schedule_preview, "terminal", lambda previews: drawn.extend(previews) or "")
    return drawn


@pytest.mark.parametrize(
    "callback",
    [
        CALLBACK,
        LearningRateWarmup("30%", "cosine", total="10 seconds"),
        LearningRateWarmup(4, total="10 seconds"),
    ],
    ids=str,
)
def test_a_real_trainers_preview(
    callback: LearningRateWarmup, shown: list[Any], tmp_path: Path, monkeypatch: Any
) -> None:
    """Of a fresh run, and of one that is resumed: where it stands, and the pace that is given from there on."""
    ticking = Ticking(monkeypatch, 0.5)
    fit([callback, ticking, SaveEveryBatch(tmp_path)], max_epochs=2)
    fit([callback, SchedulePreview(steps_per_second=2)], max_epochs=2)
    assert shown[0].curves[0].values == callback.values(0.1, total_steps=20, steps_per_second=2)
    for step in (2, 4, 7, 15):
        shown.clear()
        ticking = Ticking(monkeypatch, 0.25)
        resumed = {"max_epochs": 2, "ckpt_path": tmp_path / f"{step}.ckpt"}
        fit([callback, SchedulePreview(steps_per_second=4)], **resumed)
        used = fit([callback, ticking], **resumed).used
        assert shown[0].curves[0].values[step:] == used
        assert len(shown) == 1


def test_on_a_stream_it_ends_with_the_time(shown: list[Any], monkeypatch: Any) -> None:
    fit([CALLBACK, SchedulePreview(steps_per_second=3)], max_epochs=-1)
    assert len(shown[0].curves[0].values) == 30


def test_the_preview_needs_a_pace() -> None:
    assert repr(SchedulePreview("lr.png", 2)) == "SchedulePreview(output='lr.png', steps_per_second=2)"
    with refused("SchedulePreview(steps_per_second=-1): expected a finite number > 0"):
        SchedulePreview(steps_per_second=-1)
    with refused("SchedulePreview(): LearningRateWarmup(total='10 seconds') follows the clock: give steps_per_second"):
        fit([CALLBACK, SchedulePreview()], max_epochs=2)


# --- LightningCLI -------------------------------------------------------------------------------------------------


def cli(monkeypatch: Any, *arguments: str) -> Any:
    from lightning.pytorch.cli import LightningCLI

    class WithKey(LightningCLI):
        def add_arguments_to_parser(self, parser: Any) -> None:
            parser.add_lightning_class_args(LearningRateWarmup, "lr_warmup")

    monkeypatch.setattr(sys, "argv", ["run.py", *arguments])
    quiet = {"logger": False, "enable_checkpointing": False, "accelerator": "cpu", "enable_progress_bar": False}
    return WithKey(Line, run=False, save_config_callback=None, seed_everything_default=0, trainer_defaults=quiet)


def test_yaml_and_options(tmp_path: Path, monkeypatch: Any) -> None:
    path = config(tmp_path, "lr_warmup: {warmup: 4, decay: linear, total: 10 seconds, cooldown: 20%}")
    for options in ([f"--config={path}"], ["--lr_warmup.warmup=4", "--lr_warmup.decay=linear",
                    "--lr_warmup.total=10 Seconds", "--lr_warmup.cooldown=2 seconds"]):  # fmt: skip
        ticking = Ticking(monkeypatch, 1.0)
        made = cli(monkeypatch, *options, "--trainer.max_epochs=1")
        made.trainer.callbacks.append(ticking)
        module = Line()
        made.trainer.fit(module, loader(12))
        assert module.used == CALLBACK.values(0.1, total_steps=12, steps_per_second=1)


@pytest.mark.parametrize(
    ("total", "words"),
    [
        ("8 h", "LearningRateWarmup(total='8 h') is not a duration. Expected"),
        ("-1 hours", "LearningRateWarmup(total='-1 hours') is not a duration"),
        ("max time", "'8 hours', '30 minutes', '90 seconds' or 'max_time'"),
        ("0 hours", "LearningRateWarmup(total='0 hours') is no length of a whole run: write"),
        ("1e999 hours", "is not a duration"),
    ],
)
def test_totals_that_are_none(total: str, words: str, monkeypatch: Any, capsys: Any) -> None:
    with refused(words):
        LearningRateWarmup(2, "linear", total=total)
    with pytest.raises(SystemExit):
        cli(monkeypatch, "--lr_warmup.warmup=2", f"--lr_warmup.total={total}")
    assert words in capsys.readouterr().err


def test_one_hour_is_an_hour() -> None:
    """As "1 epoch" and "5 epoch" are durations."""
    LearningRateWarmup(2, "linear", total="8 hour")
    with refused("LearningRateWarmup(total='1e-9 hours') is less than a millisecond"):
        fit(LearningRateWarmup(2, "linear", total="1e-9 hours"), max_epochs=1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"warmup": "10 minutes"}, "warmup='10 minutes') is a time, and this run is not planned by the clock"),
        ({"decay": "linear", "cooldown": "10 minutes"}, "cooldown='10 minutes') is a time"),
        ({"decay": "linear", "hold": "1 second", "total": 100}, "hold='1 second') is a time"),
        ({"warmup": 2, "interval": "epoch", "total": "1 hour"}, "interval='epoch')"),
        ({"warmup": 2, "warmup_interval": "epoch", "total": "1 hour"}, "warmup_interval='epoch')"),
        ({"warmup": "radam", "total": "1 hour"}, "a matter of single optimizer steps"),
        ({"warmup": "catapult", "total": "1 hour"}, "a matter of single optimizer steps"),
        ({"warmup": 5, "warmup_initial_lr": "critical", "total": "max_time"}, "a matter of single optimizer steps"),
        ({"warmup": 5, "decay": "linear", "decay_from": "start", "total": "1 hour"}, "Give the warmup as a share"),
        ({"warmup": 5, "late_group_warmup": "5 minutes", "total": "1 hour"}, "warmed up by its own steps"),
    ],
    ids=str,
)
def test_what_has_no_place_on_a_clock(arguments: Any, words: str) -> None:
    with refused(words):
        LearningRateWarmup(**arguments)
