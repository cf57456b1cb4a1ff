"""``python -m lightning_warmup convert``: its YAML can be previewed, and has the values of the callbacks."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from lightning.pytorch.cli import LightningArgumentParser

from lightning_warmup import LearningRateWarmup
from lightning_warmup.__main__ import main
from lightning_warmup.converters import gradual_warmup, supergradients, timm, transformers
from lightning_warmup.converters.supergradients import conversion
from lightning_warmup.gradual_warmup import from_arguments
from lightning_warmup.supergradients import from_training_params
from lightning_warmup.timm import from_args
from lightning_warmup.transformers import from_training_arguments
from parsers import instantiated

SG = {"max_epochs": 8, "initial_lr": 0.2, "lr_warmup_epochs": 2, "warmup_initial_lr": 1e-6, "loss": "x"}
HF = {"learning_rate": 1e-3, "max_steps": 80, "warmup_steps": 0.1}
TIMM = {"lr": 0.4, "epochs": 8, "warmup_epochs": 2}
GRADUAL = {"lr": 0.1, "multiplier": 8, "total_epoch": 3}

CASES: list[tuple[str, Any, dict[str, Any]]] = [
    ("supergradients", from_training_params, {**SG, "lr_mode": "CosineLRScheduler", "lr_cooldown_epochs": 1}),
    ("supergradients", from_training_params, {**SG, "lr_mode": "step", "lr_updates": [4, 6], "lr_decay_factor": 0.1}),
    (
        "supergradients",
        from_training_params,
        {**SG, "lr_mode": {"StepLR": {"step_size": 2, "phase": "TRAIN_EPOCH_END"}}, "batch_accumulate": 2},
    ),
    (
        "supergradients",
        from_training_params,
        {**SG, "lr_mode": "poly", "warmup_mode": "LinearBatchLRWarmup", "lr_warmup_steps": 6},
    ),
    (
        "supergradients",
        from_training_params,
        {**SG, "initial_lr": {"backbone": 0.1, "default": 0.2}, "lr_mode": "exp"} | {"lr_decay_factor": 0.5},
    ),
    ("transformers", from_training_arguments, HF),
    (
        "transformers",
        from_training_arguments,
        {**HF, "lr_scheduler_type": "cosine_with_restarts"} | {"lr_scheduler_kwargs": {"num_cycles": 3}},
    ),
    (
        "transformers",
        from_training_arguments,
        {**HF, "lr_scheduler_type": "warmup_stable_decay"}
        | {"lr_scheduler_kwargs": {"num_decay_steps": 20, "num_stable_steps": 30, "warmup_type": "1-sqrt"}},
    ),
    ("timm", from_args, {**TIMM, "sched": "cosine"}),
    ("timm", from_args, {**TIMM, "sched": "poly", "warmup_prefix": True, "lr_cycle_limit": 2}),
    ("gradual-warmup", from_arguments, {**GRADUAL, "after_scheduler": {"StepLR": {"step_size": 2}}}),
]


def converted(capsys: Any, tmp_path: Path, name: str, text: str) -> str:
    file = tmp_path / "given.yaml"
    file.write_text(text, encoding="utf-8")
    assert main(["convert", name, str(file)]) == 0
    return str(capsys.readouterr().out)


@pytest.mark.parametrize(("name", "function", "given"), CASES, ids=[f"{name} {given}" for name, _, given in CASES])
def test_the_yaml_has_the_same_values(capsys, tmp_path, name, function, given):
    text = converted(capsys, tmp_path, name, yaml.safe_dump(given))
    config = tmp_path / "config.yaml"
    config.write_text(text, encoding="utf-8")
    (callback,) = function(given)
    groups = isinstance(given.get("initial_lr"), dict)
    run = ["--steps-per-epoch", "10", "--max-steps", "80", "--max-epochs", "20", "--json", "-"]
    assert main(["preview", str(config), *run, "--lr", "backbone=9,head=9" if groups else "9"]) == 0
    curves = json.loads(capsys.readouterr().out)[0]["curves"]
    lr: Any = {"backbone": 9.0, "head": 9.0} if groups else 9.0
    values = callback.values(lr, total_steps=80, steps_per_epoch=10)
    expected = values if groups else {curves[0]["group"]: values}
    assert {curve["group"]: curve["values"] for curve in curves} == expected


def test_the_length_of_the_run_is_in_the_yaml(capsys, tmp_path):
    text = converted(capsys, tmp_path, "supergradients", json.dumps({**SG, "lr_mode": "poly", "batch_accumulate": 4}))
    assert yaml.safe_load(text)["trainer"] | {"callbacks": 0} == {
        "max_epochs": 8,
        "accumulate_grad_batches": 4,
        "callbacks": 0,
    }


def test_a_whole_recipe_and_its_comments(capsys, tmp_path):
    recipe = {"training_hyperparams": {**SG, "lr_mode": "cosine"}, "architecture": "resnet50"}
    text = converted(capsys, tmp_path, "supergradients", yaml.safe_dump(recipe))
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert comments[0] == "# Not of the schedule, and left out: loss."
    assert "one step late" in comments[1]
    assert "of initial_lr" in " ".join(comments)


def test_a_command_line(capsys, tmp_path):
    flags = (
        "--sched multistep --decay-milestones 4 6 \\\n --lr=4e-1 --epochs 8 --warmup-epochs 2 --warmup-prefix --amp\n"
    )
    text = converted(capsys, tmp_path, "timm", flags)
    parameters = yaml.safe_load(text)["trainer"]["callbacks"][0]["init_args"]
    assert parameters["decay"]["init_args"]["milestones"] == [5, 7]
    assert (parameters["target_lr"], parameters["total"]) == (0.4, "10 epochs")
    assert "left out: amp." in text


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("supergradients", "{max_epochs: 8, lr_warmup_epoch: 2}", "no such schedule arguments: lr_warmup_epoch=2"),
        ("transformers", "{lr_scheduler_type: greedy}", "as no shape of ours does"),
        ("timm", "[1]", "holds a list"),
        ("timm", "{a: b: c}", "is no YAML"),
    ],
)
def test_one_error_line(capsys, tmp_path, name, text, message):
    file = tmp_path / "given.yaml"
    file.write_text(text, encoding="utf-8")
    assert main(["convert", name, str(file)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1


def test_a_file_that_is_not_there(capsys):
    assert main(["convert", "timm", "nowhere.yaml"]) == 2
    assert "nowhere.yaml cannot be read" in capsys.readouterr().err


def test_neither_torch_nor_lightning_is_needed(tmp_path):
    file = tmp_path / "given.yaml"
    file.write_text(yaml.safe_dump({**SG, "lr_mode": "cosine"}), encoding="utf-8")
    code = (
        "import sys; from lightning_warmup.__main__ import main; main(sys.argv[1:]);"
        "assert not {'torch', 'lightning', 'pytorch_lightning', 'matplotlib'} & set(sys.modules)"
    )
    command = [sys.executable, "-c", code, "convert", "supergradients", str(file)]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.startswith("# Not of")


@pytest.mark.parametrize(("name", "function", "given"), CASES, ids=[f"{name} {given}" for name, _, given in CASES])
def test_a_lightning_cli_takes_the_yaml(capsys, tmp_path, name, function, given):
    text = converted(capsys, tmp_path, name, yaml.safe_dump(given))
    parser = LightningArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(LearningRateWarmup, "callback")
    entry = yaml.safe_load(text)["trainer"]["callbacks"][0]
    ours = instantiated(parser, parser.parse_object({"callback": entry})).callback
    lr: Any = {"backbone": 9.0, "head": 9.0} if isinstance(given.get("initial_lr"), dict) else 9.0
    (callback,) = function(given)
    run = {"total_steps": 80, "steps_per_epoch": 10}
    assert ours.values(lr, **run) == callback.values(lr, **run)


def by_epoch(initial_lr: float, epoch: int, iter: int, max_epoch: int, iters_per_epoch: int) -> float:  # noqa: A002
    return initial_lr * (1 - (epoch + iter / iters_per_epoch) / max_epoch)


def test_a_function_by_its_import_path(capsys, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    given = {**SG, "lr_mode": "function", "lr_schedule_function": f"{Path(__file__).stem}.by_epoch"}
    text = converted(capsys, tmp_path, "supergradients", yaml.safe_dump(given))
    parser = LightningArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(LearningRateWarmup, "callback")
    entry = yaml.safe_load(text)["trainer"]["callbacks"][0]
    ours = instantiated(parser, parser.parse_object({"callback": entry})).callback
    (callback,) = from_training_params({**given, "lr_schedule_function": by_epoch})
    run = {"total_steps": 80, "steps_per_epoch": 10}
    assert ours.values(9.0, **run) == callback.values(9.0, **run)
    assert ours.values(9.0, **run)[50] == pytest.approx(0.1)


def test_a_function_has_no_yaml():
    with pytest.raises(ValueError, match="it holds a function"):
        conversion({**SG, "lr_mode": "function", "lr_schedule_function": by_epoch}).yaml()


@pytest.mark.parametrize(
    ("function", "conversion", "given"),
    [
        (from_training_params, supergradients.conversion,
         {"lr_mode": "StepLRScheduler", "lr_updates": [2], "lr_decay_factor": 0.1, "initial_lr": 0.1, "max_epochs": 4}),
        (from_args, timm.conversion,
         {"sched": "cosine", "lr": 0.1, "epochs": 9, "warmup_epochs": 2, "warmup_lr": 1e-5}),
        (from_arguments, gradual_warmup.conversion,
         {"lr": 0.1, "multiplier": 2, "total_epoch": 5, "after_scheduler": {"StepLR": {"step_size": 4}}}),
        (from_training_arguments, transformers.conversion,
         {"warmup_ratio": 0.1, "num_train_epochs": 2.5, "gradient_accumulation_steps": 4}),
    ],
    ids=["supergradients", "timm", "gradual_warmup", "transformers"],
)  # fmt: skip
def test_the_functions_log_what_the_command_writes_as_comments(function, conversion, given, messages) -> None:
    notes = conversion(given).notes
    assert notes
    function(given)
    assert messages == [f"{function.__name__}: {note}" for note in notes]
