"""The preview shows what training will use, of the YAML that it will use, and says what is missing."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lightning_warmup import (
    CosineDecay,
    CriticalLearningRate,
    DecayPart,
    ExponentialDecay,
    HyperparameterWarmup,
    LearningRateWarmup,
    ReduceOnPlateauDecay,
    preview,
)
from lightning_warmup.__main__ import main

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
RUN = ["--max-epochs=10", "--steps-per-epoch=38"]


def config(tmp_path: Path, text: str) -> str:
    path = tmp_path / "run.yaml"
    path.write_text(text)
    return str(path)


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(["preview", *arguments, "--json=-"]) == 0
    (shown,) = json.loads(capsys.readouterr().out)
    return shown


KEY = "lr_warmup: {warmup: 5%, decay: cosine}\n"
POLYNOMIAL = "{class_path: PolynomialDecay, init_args: {power: 2, final: 0.1}}"
LIST = """
trainer:
  max_epochs: 10
  callbacks:
    - class_path: lightning_warmup.LearningRateWarmup
      init_args: {warmup: 5%, decay: {class_path: CosineDecay, init_args: {final: 0.1}}}
optimizer: {class_path: torch.optim.SGD, init_args: {lr: 2e-1}}
"""


def test_a_key_is_what_the_callback_says(tmp_path: Path, capsys: Any) -> None:
    shown = as_json(capsys, config(tmp_path, KEY), "--lr=0.1", *RUN)
    expected = LearningRateWarmup("5%", "cosine").values(0.1, total_steps=380, steps_per_epoch=38)
    assert [curve["values"] for curve in shown["curves"]] == [expected]
    assert shown["phases"]["lr"] == [
        {"name": "linear warmup", "start": 0, "end": 19},
        {"name": "cosine", "start": 19, "end": 380},
    ]


def test_a_list_with_its_optimizer(tmp_path: Path, capsys: Any) -> None:
    shown = as_json(capsys, config(tmp_path, LIST), "--steps-per-epoch=38")
    callback = LearningRateWarmup("5%", CosineDecay(final=0.1))
    assert shown["curves"][0]["values"] == callback.values(0.2, total_steps=380, steps_per_epoch=38)


@pytest.mark.parametrize(
    ("option", "callback", "steps"),
    [
        ("--trainer.max_epochs=5", LearningRateWarmup("5%", CosineDecay(final=0.1)), 190),
        ("--trainer.callbacks.warmup=50 steps", LearningRateWarmup(50, CosineDecay(final=0.1)), 380),
        ("--trainer.callbacks.decay.final=0.5", LearningRateWarmup("5%", CosineDecay(final=0.5)), 380),
        ("--trainer.callbacks.decay=linear", LearningRateWarmup("5%", "linear"), 380),
    ],
)
def test_dotted_options_override(option: str, callback: Any, steps: int, tmp_path: Path, capsys: Any) -> None:
    shown = as_json(capsys, config(tmp_path, LIST), "--steps-per-epoch=38", option)
    assert shown["curves"][0]["values"] == callback.values(0.2, total_steps=steps, steps_per_epoch=38)


@pytest.mark.parametrize(
    ("decay", "options", "used"),
    [
        ("cosine", ["decay=CosineDecay", "decay.final=0.1"], CosineDecay(final=0.1)),
        ("CosineDecay", [], CosineDecay()),
        ("lightning_warmup.CosineDecay", ["decay.final=0.1"], CosineDecay(final=0.1)),
        ("[{decay: CosineDecay}]", [], [DecayPart(CosineDecay())]),
        (POLYNOMIAL, ["decay=CosineDecay"], CosineDecay(final=0.1)),
        (POLYNOMIAL, ["decay.class_path=CosineDecay"], CosineDecay(final=0.1)),
        (POLYNOMIAL, ["decay=cosine"], CosineDecay()),
    ],
)
def test_the_name_of_a_class_is_a_decay(decay: str, options: list[str], used: Any, tmp_path: Path, capsys: Any) -> None:
    """As in a LightningCLI, which also keeps the arguments that the class in another one's place has too."""
    path = config(tmp_path, f"lr_warmup: {{decay: {decay}}}")
    arguments = [f"--lr_warmup.{option}" for option in options]
    shown = as_json(capsys, path, "--lr=0.1", "--max-steps=50", *arguments)
    assert shown["curves"][0]["values"] == LearningRateWarmup(decay=used).values(0.1, total_steps=50)


@pytest.mark.parametrize(
    ("options", "callback"),
    [
        (["--lr_warmup.warmup=2 epochs"], LearningRateWarmup(76, "cosine")),
        (
            ["--lr_warmup.decay={class_path: CosineDecay, init_args: {final: 0.1}}"],
            LearningRateWarmup("5%", CosineDecay(0.1)),
        ),
        (["--lr_warmup={warmup: 3, decay: linear}", "--lr_warmup.warmup=9 steps"], LearningRateWarmup(9, "linear")),
        (
            ["decay=TorchDecay", "decay.scheduler=ExponentialLR", "decay.scheduler.gamma=0.9"],
            LearningRateWarmup("5%", ExponentialDecay(0.9)),
        ),
    ],
)
def test_options_as_the_documents_write_them(options: list[str], callback: Any, tmp_path: Path, capsys: Any) -> None:
    """With a space in them, too, and torch's schedulers by their names."""
    options = [option if option.startswith("--") else f"--lr_warmup.{option}" for option in options]
    shown = as_json(capsys, config(tmp_path, KEY), *options, "--lr=0.1", *RUN)
    expected = callback.values(0.1, total_steps=380, steps_per_epoch=38)
    assert shown["curves"][0]["values"] == pytest.approx(expected)


def test_what_decides_on_the_length_of_the_run_is_heard(tmp_path: Path, capsys: Any) -> None:
    for trainer, steps in (
        ("max_epochs: 10, limit_train_batches: 20, max_steps: '100'", 100),  # which LightningCLI takes
        ("max_epochs: '10', limit_train_batches: 20, accumulate_grad_batches: '4'", 50),
        ("max_epochs: 10, limit_train_batches: 20, overfit_batches: 5", 50),
    ):
        path = config(tmp_path, f"{KEY}trainer: {{{trainer}}}")
        assert as_json(capsys, path, "--lr=0.1")["total_steps"] == steps


def test_a_short_name_takes_arguments(tmp_path: Path, capsys: Any) -> None:
    shown = as_json(capsys, config(tmp_path, KEY), "--lr=0.1", *RUN, "--lr_warmup.decay.final=0.1")
    expected = LearningRateWarmup("5%", CosineDecay(final=0.1)).values(0.1, total_steps=380, steps_per_epoch=38)
    assert shown["curves"][0]["values"] == expected


@pytest.mark.parametrize("path", CONFIGS, ids=[path.stem for path in CONFIGS])
def test_every_config_of_ours(path: Path, capsys: Any) -> None:
    pace = ["--steps-per-second=19"] if path.stem == "end_with_the_clock" else []
    assert main(["preview", str(path), "--lr=0.1", *RUN, *pace, "--batch-size=32", "--width=80"]) == 0
    out = capsys.readouterr().out
    assert "first steps" in out
    assert max(map(len, out.splitlines()[:18])) <= 80


def test_batches_accumulation_and_devices_are_the_files(tmp_path: Path, capsys: Any) -> None:
    text = KEY + "trainer: {max_epochs: 4, limit_train_batches: 11, accumulate_grad_batches: 2, devices: 3}\n"
    path = config(tmp_path, text)
    shown = as_json(capsys, path, "--lr=0.1")
    assert (shown["total_steps"], shown["steps_per_epoch"]) == (24, 6)
    shown = as_json(capsys, path, "--lr=0.1", "--batch-size=5", "--lr_warmup.warmup=120 samples")
    assert shown["phases"]["lr"][0]["end"] == 4  # 120 samples of 5 · 2 · 3


def test_groups_are_lines_of_their_own(tmp_path: Path, capsys: Any) -> None:
    text = "lr_warmup: {warmup: 10, target_lr: {backbone: 0.01, head: null}}\n"
    shown = as_json(capsys, config(tmp_path, text), "--lr=0.1", "--max-steps=20")
    assert {curve["group"]: curve["values"][-1] for curve in shown["curves"]} == {"backbone": 0.01, "head": 0.1}
    shown = as_json(capsys, config(tmp_path, KEY), "--lr=backbone=0.01,head=0.1", "--max-steps=40")
    assert {curve["group"]: curve["values"][2] for curve in shown["curves"]} == {"backbone": 0.01, "head": 0.1}


COMPOSED = """
lr_scheduler: {class_path: torch.optim.lr_scheduler.StepLR, init_args: {step_size: 2}}
lr_warmup: {warmup: 4}
"""


@pytest.mark.parametrize(
    ("options", "highest"),
    [
        ([], 0.1),
        (["--lr_scheduler=OneCycleLR", "--lr_scheduler.max_lr=0.3"], 0.3),
        (["--lr_scheduler=ReduceLROnPlateau", "--lr_scheduler.monitor=val_loss"], 0.1),
        (["--lr_scheduler=null", "--model.scheduler.class_path=torch.optim.lr_scheduler.StepLR"], 0.1),
    ],
)
def test_before_the_modules_own_scheduler_it_is_a_range(
    options: list[str], highest: float, tmp_path: Path, capsys: Any
) -> None:
    path, run = config(tmp_path, COMPOSED), ["--lr=0.1", "--max-steps=10"]
    (curve,) = as_json(capsys, path, *run, *options)["curves"]
    assert curve["lowest"] == [0] * 10
    warmup = LearningRateWarmup(4).values(0.1, total_steps=10, steps_per_epoch=10)
    assert curve["highest"] == pytest.approx([lr * highest / 0.1 for lr in warmup])
    assert main(["preview", path, *run, *options, "--output", str(tmp_path / "lr.svg")]) == 0
    assert "× what the module's own " in capsys.readouterr().out


def test_a_scheduler_without_effect_leaves_no_range(tmp_path: Path, capsys: Any) -> None:
    override = ["--lr_warmup.override_module_scheduler=true", "--lr_warmup.decay=cosine"]
    (curve,) = as_json(capsys, config(tmp_path, COMPOSED), "--lr=0.1", "--max-steps=10", *override)["curves"]
    assert curve["values"] == LearningRateWarmup(4, "cosine").values(0.1, total_steps=10, steps_per_epoch=10)
    torchs = "{class_path: torch.optim.lr_scheduler.StepLR, init_args: {step_size: 2}}"
    decay = f"--lr_warmup.decay={{class_path: TorchDecay, init_args: {{scheduler: {torchs}}}}}"
    (curve,) = as_json(capsys, config(tmp_path, KEY), "--lr=0.1", "--max-steps=10", decay, "--lr_warmup.warmup=2")[
        "curves"
    ]
    assert curve["values"][:5] == pytest.approx([0.1 / 3, 0.2 / 3, 0.1, 0.1, 0.01])


@pytest.mark.parametrize("width", [80, 120])
def test_the_chart_is_as_wide_as_was_asked_for(width: int, tmp_path: Path, capsys: Any) -> None:
    """Also where there is no terminal, and with the names beneath, where they hide nothing."""
    rates = "--lr=backbone=0.01,head=0.1,neck=0.01"
    assert main(["preview", config(tmp_path, KEY), rates, *RUN, f"--width={width}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines[:18])) == width
    assert lines[18:20] == [" " * 6 + "▞ backbone, neck   o head", ""]
    assert "\x1b" not in "".join(lines)
    at = lines.index("  linear warmup             0       18      19")
    assert [line.split() for line in lines[at + 1 : at + 3]] == [
        ["backbone,", "neck", "0.0005", "→", "0.0095"],
        ["head", "0.005", "→", "0.095"],
    ]


def test_the_stairs_of_a_warmup_by_epochs_are_no_jumps(capsys: Any) -> None:
    path = str(ROOT / "configs" / "supergradients.yaml")
    shown = as_json(capsys, path, "--lr=0.1", *RUN)
    assert not [said for said in shown["findings"]["lr"] if "jump" in said]


def test_options_of_the_config_with_a_space(tmp_path: Path, capsys: Any) -> None:
    """As training takes them too, before the file and after it."""
    path = config(tmp_path, KEY)
    whole = as_json(capsys, path, "--lr_warmup.warmup=5", "--lr_warmup.decay=linear", "--lr=0.1", "--max-steps=50")
    spaced = ["--lr_warmup.warmup", "5", path, "--lr", "0.1", "--max-steps", "50", "--lr_warmup.decay", "linear"]
    assert as_json(capsys, *spaced) == whole


ACCUMULATION = """
trainer:
  max_epochs: 9
  limit_train_batches: 8
  callbacks: [{class_path: GradientAccumulationScheduler, init_args: {scheduling: {0: 4}}}]
"""

MISSING = [
    (COMPOSED, ["--lr=0.1", "--max-steps=50", "--lr_warmup.decay=cosine"], "StepLR, would decay the learning rate too"),
    (COMPOSED, ["--lr=0.1", "--max-steps=50", "--lr_warmup.target_lr=1"], "StepLR, says where the warmup leads"),
    (KEY, ["--max-steps=10"], "LearningRateWarmup: the optimizer's own lr is not known: give --lr."),
    (KEY, ["--lr=0.1"], "the file does not say how long the run is: give --max-epochs or --max-steps."),
    (KEY, ["--lr=0.1", "--max-epochs=2"], "give --steps-per-epoch"),
    (KEY + "trainer: {max_time: {hours: 8}}\n", ["--lr=0.1"], "ends the run by its max_time: give --steps-per-second"),
    ("lr_warmup: {warmup: 2 epochs}\n", ["--lr=0.1", "--max-steps=50"], "give --steps-per-epoch"),
    ("lr_warmup: {warmup: 99 samples}\n", ["--lr=0.1", "--max-steps=50"], "give --batch-size"),
    ("lr_warmup: {warmup: 5, decay: cosin}\n", ["--lr=0.1", "--max-steps=50"], "LearningRateWarmup(decay='cosin')"),
    ("lr_warmup: {warmup: -1}\n", ["--lr=0.1", "--max-steps=50"], "LearningRateWarmup(warmup=-1)"),
    ("lr_warmup: {dekay: cosine}\n", ["--lr=0.1", "--max-steps=50"], "Did you mean 'decay'?"),
    (
        "lr_warmup: {warmup: 5, decay: {class_path: CosineDecay, final: 0.1}}\n",
        ["--lr=0.1", "--max-steps=50"],
        "write 'final' under init_args",
    ),
    (
        "lr_warmup: {warmup: 5, decay: {class_path: CosinDecay}}\n",
        ["--lr=0.1", "--max-steps=50"],
        "Did you mean 'CosineDecay'?",
    ),
    ("lr_warmup: {warmup: 60, decay: cosine}\n", ["--lr=0.1", "--max-steps=50"], "60 steps is more than the 50"),
    ("trainer: {max_epochs: 3}\n", [], "configures no schedule"),
    ("- 1\n", [], "holds a list"),
    ("a: [\n", [], "is no YAML"),
    (KEY, ["--lr=0.1", "--max-steps=50", "--step-per-epoch=5"], "Did you mean '--steps-per-epoch'?"),
    (KEY, ["--lr=0.1", "--max-step", "50"], "Did you mean '--max-steps'?"),
    (KEY, ["--lr=0.1", "--max-steps=50", "--lr_warmpu.warmup=3"], "Did you mean '--lr_warmup'?"),
    (KEY, ["--lr=0.1", "--steps-per-epoch=5", "--trainer.max_epoch=3"], "trainer.max_epoch: the Trainer has no such"),
    (KEY + "trainer: 3\n", ["--lr=0.1", "--max-steps=50"], "trainer: 3 is no mapping"),
    (KEY, ["--lr=0.1", "--max-steps=10000001"], "10,000,001 steps are too many to draw"),
    (KEY, ["--lr=0.1", "--max-steps=50", "--output=lr.gif"], "--output lr.gif: write .png"),
    (KEY, ["--lr=0.1", "--max-steps=50", "lr_warmup.warmup=5"], "write --lr_warmup.warmup=value"),
    (KEY, ["--lr=0.1", "--max-steps=50", "--lr_warmup.warmup"], "'--lr_warmup.warmup' is no option of the config"),
    (KEY, ["--lr=0.1", "--max-steps=50", "--lr_warmup.decay+={decay: linear}"], "decay is 'cosine', no list"),
    (KEY + LIST, ["--steps-per-epoch=5"], "both write 'lr' of the same optimizer"),
    (
        KEY + "trainer: {max_epochs: 9, max_steps: 1e2}\n",
        ["--lr=0.1", "--steps-per-epoch=5"],
        "trainer.max_steps: 100.0:",
    ),
    (
        KEY + "trainer: {max_epochs: 0}\n",
        ["--lr=0.1", "--steps-per-epoch=5"],
        "trainer.max_epochs: 0: expected an int ≥ 1",
    ),
    (KEY + "trainer: {callbacks: [null]}\n", ["--lr=0.1", "--max-steps=50"], "trainer.callbacks: None is no callback"),
    (KEY + ACCUMULATION, ["--lr=0.1"], "give --steps-per-epoch (optimizer steps), or --max-steps"),
    (
        "lr_warmup: {warmup: {class_path: CosineWarmup, init_args: 5}}\n",
        ["--lr=0.1", "--max-steps=50"],
        "5 is no mapping: write the arguments by their names",
    ),
]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND (see lightning-warmup --help)"),
        (["preview"], "the following arguments are required: CONFIG.yaml (see lightning-warmup preview --help)"),
        (["preview", "run.yaml", "--lr=x"], "argument --lr: 'x': expected a number ≥ 0"),
        (["preview", "run.yaml", "--betas=0.9,1"], "argument --betas: '0.9,1': expected two numbers ≥ 0 and < 1"),
        (["convert", "tmm", "run.yaml"], "argument FORMAT: invalid choice: 'tmm'"),
    ],
)
def test_no_usage_dump(arguments: list[str], message: str, capsys: Any) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    err = capsys.readouterr().err
    assert err.startswith(f"error: {message}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("option", ["--csv", "--json", "--output"])
def test_what_cannot_be_written(option: str, tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "nowhere" / "lr.svg"
    assert main(["preview", config(tmp_path, KEY), "--lr=0.1", "--max-steps=50", option, str(file)]) == 2
    assert capsys.readouterr().err == f"error: {file}: No such file or directory\n"


@pytest.mark.parametrize("name", ["min_epochs", "max_time", "limit_val_batches", "limit_test_batches", "min_steps"])
def test_what_the_trainer_has_besides_is_not_mistaken(name: str, tmp_path: Path) -> None:
    assert main(["preview", config(tmp_path, KEY), "--lr=0.1", "--max-steps=50", f"--trainer.{name}=3"]) == 0


@pytest.mark.parametrize(("text", "options", "message"), MISSING)
def test_one_message_and_status_2(text: str, options: list[str], message: str, tmp_path: Path, capsys: Any) -> None:
    assert main(["preview", config(tmp_path, text), *options]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err


def test_decays_in_a_list(tmp_path: Path, capsys: Any) -> None:
    text = """
lr_warmup:
  warmup: 10
  decay:
    - {decay: constant, duration: 20}
    - decay: {class_path: CosineDecay, init_args: {final: 10%}}
      duration: 30
    - {decay: constant, start: 5%}
"""
    shown = as_json(capsys, config(tmp_path, text), "--lr=0.1", "--max-steps=80")
    parts = [DecayPart("constant", 20), DecayPart(CosineDecay(0.1), 30), DecayPart("constant", start="5%")]
    expected = LearningRateWarmup(10, parts).values(0.1, total_steps=80)
    assert shown["curves"][0]["values"] == expected


def test_several_files_are_compared(capsys: Any) -> None:
    files = [str(ROOT / "configs" / f"{name}.yaml") for name in ("warmup_cosine", "warmup_stable_decay")]
    assert main(["preview", *files, "--lr=0.1", *RUN]) == 0
    out = capsys.readouterr().out
    assert "o warmup_stable_decay" in out
    assert "differences\n" in out
    assert "  warmup_cosine            38" in out


def test_neither_torch_nor_lightning_is_needed(tmp_path: Path) -> None:
    code = (
        "import sys; from lightning_warmup.__main__ import main;"
        f"assert main(['preview', {config(tmp_path, KEY)!r}, '--lr=0.1', '--max-steps=99', '--json=-']) == 0;"
        "assert not {'torch', 'lightning', 'pytorch_lightning', 'matplotlib', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=ROOT)


def test_files_are_written(tmp_path: Path, capsys: Any) -> None:
    path = config(tmp_path, KEY)
    for kind in ("png", "svg", "html"):
        assert main(["preview", path, "--lr=0.1", "--max-steps=60", f"--output={tmp_path}/lr.{kind}"]) == 0
        assert (tmp_path / f"lr.{kind}").stat().st_size > 1000
    assert "linear warmup" in (tmp_path / "lr.html").read_text()
    assert main(["preview", path, "--lr=0.1", "--max-steps=60", f"--csv={tmp_path}/lr.csv"]) == 0
    with (tmp_path / "lr.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    expected = LearningRateWarmup("5%", "cosine").values(0.1, total_steps=60, steps_per_epoch=60)
    assert [float(row["lr"]) for row in rows] == expected


FINDINGS = [
    (LearningRateWarmup(10, warmup_initial_lr=0.0), "step 0 trains at 0"),
    (LearningRateWarmup("30%", "cosine"), "the warmup takes 30% of the run"),
    (LearningRateWarmup(10, "cosine", total=60), "the plan ends at step 60 of 100: 40 steps stay at 0"),
    (LearningRateWarmup(10, "inverse_sqrt"), "the decay has no end of its own: the last step is at"),
    (LearningRateWarmup(100), "the peak 0.1 is never reached: the highest is 0.099"),
]


@pytest.mark.parametrize(("callback", "finding"), FINDINGS)
def test_what_stands_out_is_said(callback: LearningRateWarmup, finding: str) -> None:
    said = preview(callback, lr=0.1, total_steps=100).findings["lr"]
    assert any(line.startswith(finding) for line in said), said


def test_nothing_stands_out() -> None:
    assert preview(LearningRateWarmup("5%", "cosine"), lr=0.1, total_steps=400).findings["lr"] == []


def test_what_depends_on_the_run_is_a_range() -> None:
    shown = preview(LearningRateWarmup(20, "cosine", warmup_initial_lr=CriticalLearningRate()), lr=0.1, total_steps=100)
    (curve,) = shown.curves
    unmeasured = LearningRateWarmup(20, "cosine").values(0.1, total_steps=100, steps_per_epoch=100)
    assert curve.values[:10] == pytest.approx(unmeasured[:10])
    assert curve.highest[0] == 0.1
    assert all(low <= high for low, high in zip(curve.values, curve.highest, strict=True))
    assert "depends on the run itself" in shown.ranges["lr"]
    (curve,) = preview(LearningRateWarmup(5, ReduceOnPlateauDecay("loss")), lr=0.1, total_steps=50).curves
    assert (curve.values[-1], curve.highest[-1]) == (0.0, 0.1)


def test_in_a_notebook() -> None:
    shown = preview(
        [LearningRateWarmup(5, "cosine"), HyperparameterWarmup("momentum", target_value=0.9)], lr=0.1, total_steps=50
    )
    assert [curve.parameter for curve in shown.curves] == ["lr", "momentum"]
    assert shown._repr_png_().startswith(b"\x89PNG")
    assert "linear warmup" in str(shown)
    with pytest.raises(ValueError, match=r"Give total_steps="):
        preview(LearningRateWarmup(5), lr=0.1)
    with pytest.raises(ValueError, match=r"preview\('cosine', .*|cannot be read"):
        preview("cosine", lr=0.1)
