"""From the Trainer to the first value there is one way, and it does not turn back."""

import sys
from pathlib import Path
from typing import Any

import lightning.pytorch as pl

import lightning_warmup
from lightning_warmup import LearningRateWarmup
from runs import Line, fit

PACKAGE = str(Path(lightning_warmup.__file__).parent)
# What is asked for a number on the way, and knows nothing of it.
VOCABULARY = {"checks", "durations", "warmups", "decays", "scaling", "group_values", "param_groups", "past"}
VOCABULARY |= {"config", "rest", "time_words", "unreached"}


def test_each_stage_is_done_before_the_next_begins(monkeypatch: Any) -> None:
    way: list[str] = []

    def enter(frame: Any, event: str, _: object) -> None:
        file = Path(frame.f_code.co_filename)
        stage = str(file).startswith(PACKAGE) and file.stem not in VOCABULARY
        called = event == "call" and not frame.f_code.co_name.startswith(("<", "__"))
        if stage and called and way[-1:] != [file.stem]:
            way.append(file.stem)

    on_train_start = LearningRateWarmup.on_train_start

    def watched(self: LearningRateWarmup, trainer: pl.Trainer, pl_module: Line) -> None:
        sys.setprofile(enter)
        try:
            on_train_start(self, trainer, pl_module)
        finally:
            sys.setprofile(None)

    monkeypatch.setattr(LearningRateWarmup, "on_train_start", watched)
    fit(LearningRateWarmup("10%", "cosine"), max_epochs=4)
    first = list(dict.fromkeys(way))
    assert first == [
        "schedule_callback",
        "begin",
        "module_scheduler",
        "run_length",
        "base_values",
        "resolve",
        "schedule",
        "scheduled_optimizer",
        "messages",
        "step_counter",
        "fit",
        "changes",
    ]
    # To a file that was left already: for the groups' numbers, for words, and for the first write.
    assert len(way) - len(first) <= 7, way
