"""LearningRateWarmup in LightningCLI: what YAML and command line say is what Python says, and mistakes are told."""

import inspect
import math
import re
import textwrap
from pathlib import Path
from typing import get_args

import pytest
from jsonargparse import ArgumentError
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.cli import LightningArgumentParser

import lightning_warmup
from lightning_warmup import (
    ConstantWarmup,
    CosineDecay,
    CosineRestartsDecay,
    CosineWarmup,
    Decay,
    DecayPart,
    EarlyStoppingAfterWarmup,
    ExponentialDecay,
    ExponentialWarmup,
    FormulaDecay,
    FormulaWarmup,
    FunctionDecay,
    FunctionWarmup,
    InverseSqrtDecay,
    InverseTimeDecay,
    LearningRateWarmup,
    LinearDecay,
    LinearScaling,
    MultiStepDecay,
    PiecewiseConstantDecay,
    PiecewiseLinearDecay,
    PolynomialDecay,
    PolynomialWarmup,
    RestartsDecay,
    SequentialDecay,
    SquareRootScaling,
    StepDecay,
    Warmup,
)
from lightning_warmup.schedule.config import WARMUP_NAMES
from lightning_warmup.schedule.decays import DecayName, decay_named
from parsers import instantiated
from train_digits import CONFIGS, QUICKLY, digits, logged_lrs

PUBLIC = [getattr(lightning_warmup, name) for name in lightning_warmup.__all__]
PUBLIC_CLASSES = [public for public in PUBLIC if inspect.isclass(public) and not inspect.isabstract(public)]


def a_parser(**options: bool) -> LightningArgumentParser:
    """The part of a LightningCLI that our key belongs to."""
    parser = LightningArgumentParser(exit_on_error=False, **options)
    parser.add_argument("--config", action="config")
    parser.add_lightning_class_args(LearningRateWarmup, "lr_warmup")
    return parser


def arguments_of(line: str) -> list[str]:
    """``"--warmup=5 --decay=linear"``, which stands for ``--lr_warmup.warmup=5 --lr_warmup.decay=linear``."""
    return [f"--lr_warmup.{part}" for part in line.removeprefix("--").split(" --") if part]


def parsed(*arguments: str) -> LearningRateWarmup:
    """The callback that a command line stands for."""
    parser = a_parser()
    callback = instantiated(parser, parser.parse_args(arguments)).lr_warmup
    assert isinstance(callback, LearningRateWarmup)
    return callback


def parsed_yaml(text: str, tmp_path: Path) -> LearningRateWarmup:
    """The callback that the entries below the key ``lr_warmup`` stand for."""
    file = tmp_path / "config.yaml"
    file.write_text("lr_warmup:\n" + textwrap.indent(textwrap.dedent(text), "  "))
    return parsed(f"--config={file}")


def curves(callback: LearningRateWarmup) -> dict[str, list[float]]:
    """What the callback does to two groups in 100 steps."""
    lrs: dict[str, list[float]] = callback.values(
        {"backbone": 0.1, "head": 0.3}, total_steps=100, steps_per_epoch=10, batch_size=64
    )
    return lrs


COMMAND_LINES = [
    ("", LearningRateWarmup()),
    ("--warmup=20", LearningRateWarmup(20)),
    ("--warmup=0.05", LearningRateWarmup(0.05)),
    ("--warmup=5%", LearningRateWarmup("5%")),
    ("--warmup=20 steps", LearningRateWarmup("20 steps")),
    ("--warmup=2 epochs", LearningRateWarmup("2 epochs")),
    ("--warmup=640 samples", LearningRateWarmup("640 samples")),
    ("--warmup=20 --decay=cosine", LearningRateWarmup(20, "cosine")),
    ("--warmup=20 --decay=inverse_sqrt", LearningRateWarmup(20, "inverse_sqrt")),
    ("--decay=CosineDecay", LearningRateWarmup(0, CosineDecay())),
    ("--decay=null", LearningRateWarmup(decay=None)),
    (
        "--interval=epoch --warmup=2 --decay=CosineDecay --decay.final=0.1",
        LearningRateWarmup(2, CosineDecay(0.1), interval="epoch"),
    ),
    ("--warmup=CosineWarmup --warmup.duration=10%", LearningRateWarmup(CosineWarmup("10%"))),
    (
        "--warmup=lightning_warmup.ConstantWarmup --warmup.duration=3 --decay=lightning_warmup.CosineDecay",
        LearningRateWarmup(ConstantWarmup(3), CosineDecay()),
    ),
    (
        "--decay=MultiStepDecay --decay.milestones=[20,5 epochs,75%]",
        LearningRateWarmup(0, MultiStepDecay([20, 50, 75])),
    ),
    ("--warmup=5 --warmup_initial_lr=1e-6", LearningRateWarmup(5, warmup_initial_lr=1e-6)),
    ("--warmup=5 --warmup_initial_lr=4%", LearningRateWarmup(5, warmup_initial_lr="4%")),
    (
        "--warmup=5 --warmup_initial_lr={backbone: 1e-3, default: null}",
        LearningRateWarmup(5, warmup_initial_lr={"backbone": 1e-3, "default": None}),
    ),
    (
        "--warmup=5 --warmup_initial_lr.backbone=1e-3 --warmup_initial_lr.head=5%",
        LearningRateWarmup(5, warmup_initial_lr={"backbone": 1e-3, "head": "5%"}),
    ),
    ("--target_lr=1e-2", LearningRateWarmup(target_lr=0.01)),
    ("--target_lr={head: 1e-2, default: null}", LearningRateWarmup(target_lr={"head": 0.01, "default": None})),
    (
        "--warmup=5 --target_lr=LinearScaling --target_lr.reference_batch_size=16",
        LearningRateWarmup(5, target_lr=LinearScaling(16)),
    ),
    (
        "--decay=linear --hold=10 --cooldown=0.1 --total=90 steps",
        LearningRateWarmup(0, "linear", hold=10, cooldown=0.1, total="90 steps"),
    ),
    ("--decay=one_minus_sqrt --decay_duration=20%", LearningRateWarmup(0, "one_minus_sqrt", decay_duration="20%")),
    ("--decay=polynomial --warmup=3 --decay_from=start", LearningRateWarmup(3, "polynomial", decay_from="start")),
    ("--decay=CosineDecay --decay.final=10%", LearningRateWarmup(0, CosineDecay(0.1))),
    (
        "--decay=PiecewiseLinearDecay --decay.points={0: 1.0, 30%: 50%, 6 epochs: 0.1}",
        LearningRateWarmup(0, PiecewiseLinearDecay({0: 1.0, "30%": 0.5, "6 epochs": 0.1})),
    ),
    ("--decay=FormulaDecay --decay.formula=1 - u**2", LearningRateWarmup(0, FormulaDecay("1 - u**2"))),
    (
        "--decay=[{decay: constant, duration: 60%}, {decay: linear}]",
        LearningRateWarmup(0, [DecayPart("constant", 60), DecayPart("linear")]),
    ),
    (
        "--decay=RestartsDecay --decay.decay=cosine --decay.cycles=3",
        LearningRateWarmup(0, RestartsDecay("cosine", cycles=3)),
    ),
    (
        "--warmup=3 --decay=cosine --interval=step --warmup_interval=epoch",
        LearningRateWarmup(3, "cosine", warmup_interval="epoch"),
    ),
]


@pytest.mark.parametrize(("line", "expected"), COMMAND_LINES, ids=lambda part: part if isinstance(part, str) else "")
def test_a_command_line_says_what_python_says(line: str, expected: LearningRateWarmup) -> None:
    assert curves(parsed(*arguments_of(line))) == curves(expected)


YAMLS = [
    ("warmup: 20\ndecay: linear", LearningRateWarmup(20, "linear")),
    ("warmup: 5 epochs", LearningRateWarmup("5 epochs")),
    ("warmup: 10%", LearningRateWarmup("10%")),
    ("warmup: 5\nwarmup_initial_lr: 1e-6", LearningRateWarmup(5, warmup_initial_lr=1e-6)),
    (
        "warmup: 5\nwarmup_initial_lr: {backbone: null, head: 4%}",
        LearningRateWarmup(5, warmup_initial_lr={"backbone": None, "head": "4%"}),
    ),
    (
        "warmup: 5\ntarget_lr: {backbone: 1e-3, head: null}",
        LearningRateWarmup(5, target_lr={"backbone": 1e-3, "head": None}),
    ),
    (
        "target_lr: {class_path: lightning_warmup.SquareRootScaling, init_args: {reference_batch_size: 16}}",
        LearningRateWarmup(target_lr=SquareRootScaling(16)),
    ),
    ("decay: {class_path: lightning_warmup.CosineDecay}", LearningRateWarmup(0, CosineDecay())),
    (
        "decay: {class_path: lightning_warmup.CosineDecay, init_args: {final: 1e-6}}",
        LearningRateWarmup(0, CosineDecay(1e-6)),
    ),
    (
        """
        warmup: {class_path: lightning_warmup.ExponentialWarmup, init_args: {duration: 1 epoch}}
        decay: {class_path: lightning_warmup.ExponentialDecay, init_args: {gamma: 0.5, every: 2 epochs}}
        """,
        LearningRateWarmup(ExponentialWarmup("1 epoch"), ExponentialDecay(0.5, every="2 epochs")),
    ),
    (
        """
        warmup: {class_path: lightning_warmup.PolynomialWarmup, init_args: {duration: 8, power: 2}}
        decay: {class_path: lightning_warmup.PolynomialDecay, init_args: {power: 0.9}}
        """,
        LearningRateWarmup(PolynomialWarmup(8, power=2), PolynomialDecay(0.9)),
    ),
    (
        """
        warmup: {class_path: lightning_warmup.FunctionWarmup, init_args: {duration: 8, function: math.sqrt}}
        decay: {class_path: lightning_warmup.FunctionDecay, init_args: {function: math.cos}}
        """,
        LearningRateWarmup(FunctionWarmup(8, math.sqrt), FunctionDecay(math.cos)),
    ),
    (
        "decay: {class_path: lightning_warmup.StepDecay, init_args: {every: 3 epochs, gamma: 0.5, final: 0.2}}",
        LearningRateWarmup(0, StepDecay("3 epochs", gamma=0.5, final=0.2)),
    ),
    (
        "decay: {class_path: lightning_warmup.CosineRestartsDecay, init_args: {period: 10, multiplier: 2}}",
        LearningRateWarmup(0, CosineRestartsDecay(10, multiplier=2)),
    ),
    (
        "decay: {class_path: lightning_warmup.InverseSqrtDecay, init_args: {timescale: 40}}",
        LearningRateWarmup(0, InverseSqrtDecay(40)),
    ),
    (
        """
        decay:
          - {decay: constant, duration: 2 epochs}
          - {decay: {class_path: CosineDecay, init_args: {final: 10%}}, duration: 50%}
          - {decay: constant, duration: 10}
          - {decay: linear, start: 5e-2}
        """,
        LearningRateWarmup(
            0,
            [
                DecayPart("constant", 20),
                DecayPart(CosineDecay(0.1), 50),
                DecayPart("constant", 10),
                DecayPart("linear", start=0.05),
            ],
        ),
    ),
    (
        "decay: {class_path: SequentialDecay, init_args: {parts: [{decay: linear, duration: 30}, {decay: constant}]}}",
        LearningRateWarmup(0, SequentialDecay([DecayPart("linear", 30), DecayPart("constant")])),
    ),
    (
        """
        warmup: 5
        decay: {class_path: RestartsDecay, init_args: {decay: {class_path: LinearDecay, init_args: {final: 20%}},
          period: 20, multiplier: 2, gamma: 0.5, warmup: 5}}
        """,
        LearningRateWarmup(5, RestartsDecay(LinearDecay(0.2), 20, 2, 0.5, 5)),
    ),
    (
        "decay: {class_path: PiecewiseConstantDecay, init_args: {points: {0.3: 0.5, 60: 10%, 8 epochs: 1e-2}}}",
        LearningRateWarmup(0, PiecewiseConstantDecay({30: 0.5, 60: 0.1, 80: 0.01})),
    ),
    (
        "decay: {class_path: InverseTimeDecay, init_args: {timescale: 1 epoch, power: 0.5, final: 10%}}",
        LearningRateWarmup(0, InverseTimeDecay(10, 0.5, 0.1)),
    ),
    (
        """
        warmup: {class_path: FormulaWarmup, init_args: {duration: 5, formula: log(1 + t) / log(1 + N)}}
        decay: {class_path: FormulaDecay, init_args: {formula: "max(0.1, (1 - u) / (1 - u / 2))"}}
        """,
        LearningRateWarmup(
            FormulaWarmup(5, "log(1 + t) / log(1 + N)"), FormulaDecay("max(0.1, (1 - u) / (1 - u / 2))")
        ),
    ),
]


@pytest.mark.parametrize(("text", "expected"), YAMLS)
def test_yaml_says_what_python_says(text: str, expected: LearningRateWarmup, tmp_path: Path) -> None:
    assert curves(parsed_yaml(text, tmp_path)) == curves(expected)


MISTAKES = [
    # of ours: parameter, value and fix
    ("warmup: 1e3", "LearningRateWarmup(warmup=1000.0)", "write 1000 or '1000 steps'"),
    ("warmup: 5 bananas", "LearningRateWarmup(warmup='5 bananas')", "'5 epochs'"),
    ("warmup: -1", "LearningRateWarmup(warmup=-1)", "'5 epochs'"),
    ("warmup: .nan", "LearningRateWarmup(warmup=nan)", "'5 epochs'"),
    ("warmup: null", "LearningRateWarmup(warmup=None)", "'5 epochs'"),
    ("warmup: CosinWarmup", "LearningRateWarmup(warmup='CosinWarmup')", "Expected"),
    ("{decay: cosine, hold: -1}", "LearningRateWarmup(hold=-1)", "'5 epochs'"),
    ("total: 1e4", "LearningRateWarmup(total=10000.0)", "write 10000 or '10000 steps'"),
    ("target_lr: -1", "LearningRateWarmup(target_lr=-1", "≥ 0"),
    (
        "warmup: {class_path: lightning_warmup.CosineWarmup, init_args: {duration: 1e3}}",
        "CosineWarmup(duration=1000.0)",
        "write 1000 or '1000 steps'",
    ),
    (
        "decay: {class_path: lightning_warmup.CosineDecay, init_args: {final: -1}}",
        "CosineDecay(final=-1",
        "≥ 0",
    ),
    ("warmup: linear", "LearningRateWarmup(warmup='linear')", "FormulaWarmup(duration, formula)"),
    ("decay_from: start", "LearningRateWarmup(decay_from='start')", "needs a decay"),
    ("decay: []", "SequentialDecay(parts=[])", "one DecayPart or more"),
    (
        "decay: [{decay: linear}, {decay: linear}]",
        "DecayPart(decay='linear', duration=None, start=None) has no duration",
        "only the last",
    ),
    (
        "decay: {class_path: PiecewiseLinearDecay, init_args: {points: {30: -1}}}",
        "PiecewiseLinearDecay(points[30]=-1",
        "≥ 0",
    ),
    # of jsonargparse's: the key, what was found there, what is possible there
    ("decay: cosin", '"lr_warmup.decay"', "'cosine', 'inverse_sqrt'"),
    ("decay: {class_path: lightning_warmup.CosinDecay}", '"lr_warmup.decay"', "no attribute 'CosinDecay'"),
    ("decay: {class_path: torch.nn.Linear}", '"lr_warmup.decay"', "not correspond to a subclass of Decay"),
    (
        "decay: {class_path: lightning_warmup.CosineDecay, init_args: {finale: 0}}",
        '"lr_warmup.decay"',
        "'finale' is not accepted",
    ),
    ("decay: {class_path: lightning_warmup.MultiStepDecay}", '"lr_warmup.decay"', "required: milestones"),
    ("warmup: {class_path: lightning_warmup.CosineWarmup}", '"lr_warmup.warmup"', "required: duration"),
    ("warmup: {class_path: lightning_warmup.CosinWarmup}", '"lr_warmup.warmup"', "no attribute 'CosinWarmup'"),
    ("warmup: true", '"lr_warmup.warmup"', "True"),
    ("decay: step", '"lr_warmup.decay"', "'polynomial'"),
    ("decay: [{decay: cosin}]", '"lr_warmup.decay"', "'cosine', 'inverse_sqrt'"),
    ("decay: [{decay: linear, duraton: 5}]", '"lr_warmup.decay"', "'duraton' is not accepted"),
    ("decay_from: begin", '"lr_warmup.decay_from"', "['warmup', 'start']"),
    (
        "decay: {class_path: FormulaDecay, init_args: {formula: 1 - v}}",
        "FormulaDecay(formula='1 - v'): 'v' is not known, at character 5",
        "Write numbers",
    ),
    ("interval: steps", '"lr_warmup.interval"', "['step', 'epoch']"),
    ("warmap: 5", "'lr_warmup'", "not accept option 'warmap'"),
]


@pytest.mark.parametrize(("text", "what", "fix"), MISTAKES)
def test_a_mistake_is_told_once_with_its_place_and_the_fix(text: str, what: str, fix: str, tmp_path: Path) -> None:
    with pytest.raises((ValueError, ArgumentError)) as caught:
        parsed_yaml(text, tmp_path)
    if not hasattr(a_parser(), "instantiate"):
        pytest.skip("refused, in the words of an older jsonargparse")
    message = str(caught.value)
    assert what in message
    assert fix in message


def test_a_mistake_ends_the_command_line_tool(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        digits(monkeypatch, "fit", "--lr_warmup.decay=cosin")
    assert "'one_minus_sqrt'" in capsys.readouterr().err


def test_overrides_on_the_command_line_train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    overrides = "interval=epoch", "decay=CosineDecay", "decay.final=0.1"
    digits(monkeypatch, "fit", *QUICKLY, "--lr_warmup.warmup=2", *(f"--lr_warmup.{override}" for override in overrides))
    lrs = LearningRateWarmup(2, CosineDecay(0.1), interval="epoch").values(0.1, total_steps=40, steps_per_epoch=4)
    assert logged_lrs(tmp_path) == {"backbone": pytest.approx(lrs), "head": pytest.approx(lrs)}


def test_an_override_changes_one_entry_of_a_yaml() -> None:
    (config,) = (path for path in CONFIGS if path.stem == "lr_warmup_key")
    callback = parsed(f"--config={config}", "--lr_warmup.decay.final=0.5", "--lr_warmup.warmup.duration=4")
    assert curves(callback) == curves(LearningRateWarmup(4, CosineDecay(0.5), interval="epoch"))


def test_the_key_takes_a_file(tmp_path: Path) -> None:
    (tmp_path / "schedule.yaml").write_text("warmup: 4\ndecay: linear\n")
    callback = parsed(f"--lr_warmup={tmp_path / 'schedule.yaml'}")
    assert curves(callback) == curves(LearningRateWarmup(4, "linear"))


def test_environment_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PL_LR_WARMUP__WARMUP", "2 epochs")
    monkeypatch.setenv("PL_LR_WARMUP__DECAY", "{class_path: CosineDecay, init_args: {final: 0.3}}")
    parser = a_parser(default_env=True)
    callback = instantiated(parser, parser.parse_args([])).lr_warmup
    assert curves(callback) == curves(LearningRateWarmup("2 epochs", CosineDecay(0.3)))


@pytest.mark.parametrize("off", ["null", "false"])
@pytest.mark.parametrize("way", ["file", "file over file", "option", "option over file"])
def test_a_key_that_is_null_or_false_is_off(off: str, way: str, tmp_path: Path) -> None:
    (tmp_path / "on.yaml").write_text("lr_warmup: {warmup: 4, decay: cosine}\n")
    (tmp_path / "off.yaml").write_text(f"lr_warmup: {off}\n")
    last = f"--lr_warmup={off}" if "option" in way else f"--config={tmp_path / 'off.yaml'}"
    callback = parsed(*([f"--config={tmp_path / 'on.yaml'}"] if "over" in way else []), last)
    assert callback._config.idle


def test_what_is_off_goes_on_again_by_an_option(tmp_path: Path) -> None:
    (tmp_path / "off.yaml").write_text("lr_warmup: null\n")
    callback = parsed(f"--config={tmp_path / 'off.yaml'}", "--lr_warmup.warmup=4")
    assert curves(callback) == curves(LearningRateWarmup(4))


def test_a_run_whose_key_is_null_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "off.yaml").write_text("lr_warmup: null\n")
    digits(monkeypatch, "fit", "--config=off.yaml", *QUICKLY, "--trainer.max_epochs=1")
    assert logged_lrs(tmp_path) == {"backbone": [0.1] * 4, "head": [0.1] * 4}


@pytest.mark.parametrize("name", ["linear", "cosine", "one_minus_sqrt", "polynomial"])
def test_an_option_changes_an_entry_of_a_short_name(name: str, tmp_path: Path) -> None:
    (tmp_path / "short.yaml").write_text(f"lr_warmup: {{warmup: 4, decay: {name}}}\n")
    callback = parsed(f"--config={tmp_path / 'short.yaml'}", "--lr_warmup.decay.final=0.1")
    shape = type(decay_named(name))(final=0.1)  # type: ignore[call-arg]
    assert curves(callback) == curves(LearningRateWarmup(4, shape))


def test_an_option_changes_an_entry_of_a_short_name_in_a_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    entry = "{class_path: LearningRateWarmup, init_args: {warmup: 2, decay: linear}}"
    (tmp_path / "list.yaml").write_text(f"trainer: {{callbacks: [{entry}]}}\n")
    option = "--trainer.callbacks.decay.final=0.5"
    digits(monkeypatch, "fit", "--config=list.yaml", *QUICKLY, "--trainer.max_epochs=1", option)
    lrs = LearningRateWarmup(2, LinearDecay(0.5)).values(0.1, total_steps=4)
    assert logged_lrs(tmp_path) == {"backbone": pytest.approx(lrs), "head": pytest.approx(lrs)}


@pytest.mark.parametrize(("line", "expected"), COMMAND_LINES, ids=lambda part: part if isinstance(part, str) else "")
def test_what_is_printed_can_be_fed_back(line: str, expected: LearningRateWarmup, tmp_path: Path) -> None:
    parser = a_parser()
    printed = parser.dump(parser.parse_args(arguments_of(line)))
    (tmp_path / "printed.yaml").write_text(printed)
    again = parser.parse_args([f"--config={tmp_path / 'printed.yaml'}"])
    assert parser.dump(again) == printed
    assert curves(instantiated(parser, again).lr_warmup) == curves(expected)


def test_the_config_that_a_run_saves_repeats_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lrs = []
    for name, source in (("first", CONFIGS[0]), ("second", tmp_path / "first/runs/digits/version_0/config.yaml")):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        digits(monkeypatch, "fit", "--config", str(source), *QUICKLY)
        lrs.append(logged_lrs(tmp_path / name))
    assert lrs[0] == lrs[1]


def test_a_key_that_is_left_out_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    digits(monkeypatch, "fit", *QUICKLY, "--trainer.max_epochs=1", "--model.head_lr=0.2")
    assert logged_lrs(tmp_path) == {"backbone": [0.1] * 4, "head": [0.2] * 4}


def test_a_key_and_an_entry_for_one_optimizer_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    entry = ["--trainer.callbacks=LearningRateWarmup", "--trainer.callbacks.warmup=3"]
    with pytest.raises(MisconfigurationException, match=r"(?s)warmup=3.*warmup=2.*Remove one of them"):
        digits(monkeypatch, "fit", *QUICKLY, "--lr_warmup.warmup=2", *entry)


@pytest.mark.parametrize(
    "explained",
    # The parameters of EarlyStoppingAfterWarmup are Lightning's, and so are the words.
    [c for c in PUBLIC_CLASSES if issubclass(c, (Callback, Warmup, Decay)) and c is not EarlyStoppingAfterWarmup],
)
def test_help_explains_every_parameter_with_unit_and_range(explained: type) -> None:
    parser = LightningArgumentParser()
    parser.add_class_arguments(explained, "it")
    entries = parser.format_help().split("\n  --it.")[1:]
    help_of = {re.split(r"\W", entry)[0]: " ".join(entry.split()) for entry in entries if ".help [" not in entry}
    for parameter, described in inspect.signature(explained).parameters.items():
        explanation = help_of[parameter].partition("(required, ")[0].partition("(type: ")[0]
        annotation = str(described.annotation)
        assert len(explanation.split()) >= 5, parameter
        if re.search(r"int\W+float\W+str", annotation):
            assert "duration" in explanation.lower(), parameter
        elif re.search(r"\b(int|float)\b", annotation) and "Callable" not in annotation:
            assert re.search(r"[≥>] \d|[(\[]0, 1", explanation), parameter


@pytest.mark.parametrize("base", [Warmup, Decay])
def test_help_of_the_tool_lists_every_shape(
    base: type, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="0"):
        digits(monkeypatch, "fit", "--help")
    text = capsys.readouterr().out
    for shape in PUBLIC_CLASSES:
        if issubclass(shape, base):
            assert f"lightning_warmup.{shape.__name__}" in "".join(text.split())
    inside = set(re.findall(r"lightning_warmup\.[a-z]\w*\.\w+", text))
    assert not inside, "a class of the inside is offered as a choice"


def help_of_our_key(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines of ``--help`` that are on the key ``lr_warmup``."""
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit, match="0"):
        digits(monkeypatch, "fit", "--help")
    lines = capsys.readouterr().out.splitlines()
    (first,) = (number for number, line in enumerate(lines) if line.startswith("Warm the learning rate up"))
    return lines[first : lines.index("", first)]


def test_help_on_our_key_is_short(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    lines = help_of_our_key(monkeypatch, capsys)
    assert any("--lr_warmup.decay_from" in line for line in lines)
    assert len(lines) < 200
    named = [match[1] for line in lines if (match := re.fullmatch(r" +``(\w+)`` \(.+\)[,.]", line))]
    assert named == [*WARMUP_NAMES, "catapult", *sorted(get_args(DecayName), key=named.index)], "a line for each"


def test_what_help_shows_as_an_option_is_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = "\n".join(help_of_our_key(monkeypatch, capsys)).split("\n  --lr_warmup.")[1:]
    shown = [
        f"--lr_warmup.{re.split(r'[ ,]', entry)[0]}={value}"
        for entry in entries
        for value in re.findall(r"``([{\[].*?[}\]])``", " ".join(entry.split()))
    ]
    assert len(shown) == 5
    for option in shown:
        parsed("--lr_warmup.warmup=5", option)
    names = re.findall(r"``([a-z_0-9]+)`` \(", " ".join("\n".join(entries).split()))
    assert {*get_args(DecayName), *WARMUP_NAMES} <= set(names)
    for name in names:
        parsed(f"--lr_warmup.{'decay' if name in get_args(DecayName) else 'warmup'}={name}")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PL_FIT__LR_WARMUP__WARMUP", "3", LearningRateWarmup(3)),
        ("PL_FIT__LR_WARMUP", "{warmup: 3, decay: linear}", LearningRateWarmup(3, "linear")),
        (
            "PL_FIT__LR_WARMUP__DECAY",
            "{class_path: CosineDecay, init_args: {final: 0.1}}",
            LearningRateWarmup(decay=CosineDecay(0.1)),
        ),
        ("PL_FIT__LR_WARMUP", "null", LearningRateWarmup()),
    ],
)
def test_environment_variables_of_a_subcommand(
    name: str, value: str, expected: LearningRateWarmup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    tool, fit = LightningArgumentParser(default_env=True), a_parser(default_env=True)
    tool.add_subcommands().add_subcommand("fit", fit)
    callback = instantiated(tool, tool.parse_args(["fit"])).fit.lr_warmup
    assert curves(callback) == curves(expected)


def test_an_option_wins_over_an_environment_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PL_LR_WARMUP__WARMUP", "3")
    parser = a_parser(default_env=True)
    callback = instantiated(parser, parser.parse_args(["--lr_warmup.warmup=7"])).lr_warmup
    assert curves(callback) == curves(LearningRateWarmup(7))


def test_a_file_wins_over_an_environment_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PL_LR_WARMUP__WARMUP", "3")
    (tmp_path / "config.yaml").write_text("lr_warmup: {warmup: 7}\n")
    parser = a_parser(default_env=True)
    callback = instantiated(parser, parser.parse_args([f"--config={tmp_path / 'config.yaml'}"])).lr_warmup
    assert curves(callback) == curves(LearningRateWarmup(7))
