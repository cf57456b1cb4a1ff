"""What is wrong is told in one message of ours, whichever way it comes: the parameter, the value, the fix.

Each row is tried as a key of a LightningCLI, in its list of callbacks, on its command line, in Python, and in the
preview.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.cli import LightningArgumentParser

import lightning_warmup
from lightning_warmup import DecayPart, LearningRateWarmup
from lightning_warmup.__main__ import main
from lightning_warmup.view.config_file import parse
from parsers import instantiated
from train_digits import digits

INSIDE = ("usage:", "Namespace(", "Union", "Traceback", "Subtypes", "typing.", "<class", "Expected a path")
"""What only the parser's own messages have."""

WRONG = [
    # durations
    ("warmup: -1", "LearningRateWarmup(warmup=-1)", "'5 epochs'"),
    ("warmup: 1.5", "LearningRateWarmup(warmup=1.5)", "write 2 or '2 steps'"),
    ("warmup: 1e3", "LearningRateWarmup(warmup=1000.0)", "write 1000 or '1000 steps'"),
    ("warmup: 1.0", "LearningRateWarmup(warmup=1.0)", "write 1 or '100%'"),
    ("warmup: .nan", "LearningRateWarmup(warmup=nan)", "'5 epochs'"),
    ("warmup: .inf", "LearningRateWarmup(warmup=inf)", "'5 epochs'"),
    ("warmup: -0.1", "LearningRateWarmup(warmup=-0.1)", "'5 epochs'"),
    ("warmup: null", "LearningRateWarmup(warmup=None)", "'5 epochs'"),
    ("warmup: true", "LearningRateWarmup(warmup=True)", "'5 epochs'"),
    ("warmup: 5 bananas", "LearningRateWarmup(warmup='5 bananas')", "'5 epochs'"),
    ("warmup: 101%", "LearningRateWarmup(warmup='101%')", "at most '100%'"),
    ("warmup: '-5%'", "LearningRateWarmup(warmup='-5%')", "'5 epochs'"),
    ("warmup: linear", "LearningRateWarmup(warmup='linear')", "LinearWarmup(duration)"),
    ("warmup: CosinWarmup", "LearningRateWarmup(warmup='CosinWarmup')", "CosineWarmup(duration)"),
    ("warmup: [5]", "LearningRateWarmup(warmup=[5])", "'5 epochs'"),
    ("decay: cosine, hold: -1", "LearningRateWarmup(hold=-1)", "'5 epochs'"),
    ("decay: cosine, hold: 1e2", "LearningRateWarmup(hold=100.0)", "write 100 or '100 steps'"),
    ("decay: cosine, hold: true", "LearningRateWarmup(hold=True)", "'5 epochs'"),
    ("decay: cosine, decay_duration: many", "LearningRateWarmup(decay_duration='many')", "'5 epochs'"),
    ("decay: cosine, cooldown: 200%", "LearningRateWarmup(cooldown='200%')", "at most '100%'"),
    ("decay: cosine, hold: 5, decay_duration: 5", "hold=5, decay_duration=5", "Give one of them"),
    ("hold: 5", "LearningRateWarmup(hold=5)", "give decay=..."),
    ("cooldown: 5", "LearningRateWarmup(cooldown=5)", "give decay=..."),
    ("total: 1e4", "LearningRateWarmup(total=10000.0)", "write 10000 or '10000 steps'"),
    ("total: 50%", "LearningRateWarmup(total='50%')", "'20 epochs', '8 hours', 'max_time' or 'auto'"),
    ("total: 0", "LearningRateWarmup(total=0)", "'20 epochs', '8 hours', 'max_time' or 'auto'"),
    ("late_group_warmup: -1", "LearningRateWarmup(late_group_warmup=-1)", "'5 epochs'"),
    # learning rates
    ("target_lr: -1", "LearningRateWarmup(target_lr=-1", "≥ 0"),
    ("target_lr: high", "LearningRateWarmup(target_lr='high')", "≥ 0"),
    ("target_lr: 0", "LearningRateWarmup(target_lr=0", "freeze"),
    ("target_lr: true", "LearningRateWarmup(target_lr=True)", "≥ 0"),
    ("target_lr: [0.1]", "LearningRateWarmup(target_lr=[0.1])", "≥ 0"),
    ("target_lr: {head: x}", "LearningRateWarmup(target_lr={'head': 'x'})", "≥ 0"),
    ("warmup: 5, warmup_initial_lr: -0.1", "LearningRateWarmup(warmup_initial_lr=-0.1)", "≥ 0"),
    ("warmup: 5, warmup_initial_lr: low", "LearningRateWarmup(warmup_initial_lr='low')", "≥ 0"),
    ("warmup: 5, warmup_initial_lr: {head: -1}", "LearningRateWarmup(warmup_initial_lr={'head': -1", "≥ 0"),
    # choices
    ("interval: steps", "LearningRateWarmup(interval='steps')", "'step', 'epoch'"),
    ("interval: 1", "LearningRateWarmup(interval=1)", "'step', 'epoch'"),
    ("warmup_interval: batch", "LearningRateWarmup(warmup_interval='batch')", "'step', 'epoch'"),
    ("resume: again", "LearningRateWarmup(resume='again')", "'checkpoint' or 'config'"),
    ("decay: cosine, decay_from: begin", "LearningRateWarmup(decay_from='begin')", "'warmup', 'start'"),
    ("decay_from: start", "LearningRateWarmup(decay_from='start')", "needs a decay"),
    ("optimizer: -1", "LearningRateWarmup(optimizer=-1)", "None for all"),
    ("optimizer: 0.5", "LearningRateWarmup(optimizer=0.5)", "None for all"),
    ("optimizer: first", "LearningRateWarmup(optimizer='first')", "None for all"),
    ("override_module_scheduler: maybe", "LearningRateWarmup(override_module_scheduler='maybe')", "True or False"),
    ("interval: epoch, warmup: radam", "LearningRateWarmup(interval='epoch')", "Use interval='step'"),
    (
        "warmup: radam, warmup_initial_lr: 0.1",
        "LearningRateWarmup(warmup_initial_lr=0.1)",
        "Leave warmup_initial_lr out",
    ),
    # decays
    ("decay: cosin", "LearningRateWarmup(decay='cosin')", "'cosine'"),
    ("decay: step", "LearningRateWarmup(decay='step')", "StepDecay(every)"),
    ("decay: 5", "LearningRateWarmup(decay=5)", "CosineDecay("),
    ("decay: {final: 0.1}", "LearningRateWarmup(decay={'final': 0.1})", "CosineDecay(final=0.1)"),
    ("decay: []", "SequentialDecay(parts=[])", "one DecayPart or more"),
    ("decay: {class_path: CosineDecay, final: 0.1}", "'final'", "under init_args"),
    ("decay: {class_path: CosineDecay, init_args: {final: -1}}", "CosineDecay(final=-1", "≥ 0"),
    ("decay: {class_path: CosineDecay, init_args: {final: low}}", "CosineDecay(final='low')", "≥ 0"),
    ("decay: {class_path: CosineDecay, init_args: {finale: 0}}", "'finale' is no argument", "Did you mean 'final'?"),
    ("decay: {class_path: CosinDecay}", "'CosinDecay' is no class", "Did you mean 'CosineDecay'?"),
    ("decay: {class_path: MultiStepDecay}", "MultiStepDecay needs milestones", "write it under init_args"),
    ("decay: {class_path: MultiStepDecay, init_args: {milestones: [5, 3]}}", "MultiStepDecay(milestones=[5, 3])", ""),
    ("decay: [{decay: cosin}]", "DecayPart(decay='cosin')", "'cosine'"),
    ("decay: [{decay: linear, duraton: 5}]", "'duraton' is no argument", "Did you mean 'duration'?"),
    (
        "decay: {class_path: FormulaDecay, init_args: {formula: 1 - v}}",
        "FormulaDecay(formula='1 - v')",
        "Write numbers",
    ),
    ("warmup: {class_path: CosineWarmup, init_args: {duration: 1e3}}", "CosineWarmup(duration=1000.0)", "write 1000"),
    ("warmup: {class_path: CosineWarmup}", "CosineWarmup needs duration", "write it under init_args"),
    # names
    ("warmap: 5", "'warmap' is no parameter", "Did you mean 'warmup'?"),
    ("dekay: cosine", "'dekay' is no parameter", "Did you mean 'decay'?"),
]

AS_TEXT = {
    "warmup: null": "LearningRateWarmup(warmup='null')",
    "warmup: true": "LearningRateWarmup(warmup='true')",
    "warmup: [5]": "LearningRateWarmup(warmup='[5]')",
    "decay: cosine, hold: true": "LearningRateWarmup(hold='true')",
    "target_lr: true": "LearningRateWarmup(target_lr='true')",
    "optimizer: 0.5": "LearningRateWarmup(optimizer='0.5')",
    "decay: 5": "LearningRateWarmup(decay='5')",
}
"""On the command line all is text, and a value that is nothing else stays text: it is quoted as that."""

OF_PYTHON = {
    "warmap: 5": "unexpected keyword argument 'warmap'",
    "dekay: cosine": "unexpected keyword argument 'dekay'",
    "decay: {class_path: CosineDecay, init_args: {finale: 0}}": "unexpected keyword argument 'finale'",
    "decay: {class_path: CosinDecay}": "has no attribute 'CosinDecay'",
    "decay: {class_path: MultiStepDecay}": "missing 1 required positional argument: 'milestones'",
    "decay: [{decay: linear, duraton: 5}]": "unexpected keyword argument 'duraton'",
    "warmup: {class_path: CosineWarmup}": "missing 1 required positional argument: 'duration'",
}
"""What a call or a name lacks or has too much, Python says itself, before anything of ours is called."""

OF_YAML = {"decay: {class_path: CosineDecay, final: 0.1}"}
"""In Python there is no such way to be wrong."""


def as_python(value: Any) -> Any:
    """What YAML has, made as one would in Python."""
    if isinstance(value, list):
        return [DecayPart(**entry) if isinstance(entry, dict) else entry for entry in value]
    if isinstance(value, dict) and "class_path" in value:
        return getattr(lightning_warmup, value["class_path"])(**value.get("init_args", {}))
    return value


OF_THE_PARSER = pytest.mark.skipif(
    not hasattr(LightningArgumentParser, "instantiate"), reason="older jsonargparses do not tell the value"
)


def told_by_the_cli(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What a command line ends in, which has a key of ours and a Trainer's list of callbacks."""
    parser = LightningArgumentParser()
    parser.add_argument("--config", action="config")
    parser.add_argument("--trainer.callbacks", type=list[Callback] | Callback | None)
    parser.add_lightning_class_args(LearningRateWarmup, "lr_warmup")
    with pytest.raises(SystemExit) as ended:
        instantiated(parser, parser.parse_args(arguments))
    assert ended.value.code == 2
    return capsys.readouterr().err


def as_option(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value).replace("NaN", ".nan").replace("Infinity", ".inf")


def told(way: str, text: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    config = folder / "config.yaml"
    in_a_list = f"trainer: {{callbacks: [{{class_path: LearningRateWarmup, init_args: {{{text}}}}}]}}\n"
    config.write_text(in_a_list if way == "list" else f"lr_warmup: {{{text}}}\n")
    values = parse(f"{{{text}}}")
    if way == "python":
        with pytest.raises((ValueError, TypeError, AttributeError)) as caught:
            LearningRateWarmup(**{name: as_python(value) for name, value in values.items()})
        return str(caught.value)
    if way == "preview":
        capsys.readouterr()
        assert main(["preview", str(config), "--lr=0.1", "--max-steps=50"]) == 2
        return capsys.readouterr().err
    if way == "line":
        return told_by_the_cli([f"--lr_warmup.{name}={as_option(value)}" for name, value in values.items()], capsys)
    return told_by_the_cli([f"--config={config}"], capsys)


WAYS = ["key", "list", "line", "python", "preview"]


@OF_THE_PARSER
@pytest.mark.parametrize(
    ("text", "what", "fix", "way"),
    # In Python there is no way to be wrong as some YAML is.
    [(*row, way) for row in WRONG for way in WAYS if not (way == "python" and row[0] in OF_YAML)],
)
def test_one_message_of_ours(
    text: str, what: str, fix: str, way: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = told(way, text, tmp_path, capsys)
    if way == "python" and text in OF_PYTHON:
        assert OF_PYTHON[text] in message
        return
    if way == "line":
        what = AS_TEXT.get(text, what)
    assert len(message.strip().splitlines()) == 1
    assert what in message
    assert fix in message
    assert not [inside for inside in INSIDE if inside in message]


IN_A_LIST = [
    ("{class_path: HyperparameterWarmup, init_args: {parameter: momentum, warmup: 5}}", "give initial_value=..."),
    ("{class_path: HyperparameterWarmup, init_args: {parameter: momentum, decay: cosin}}", "'cosine'"),
    ("{class_path: HyperparameterWarmup, init_args: {parametr: momentum}}", "Did you mean 'parameter'?"),
    ("{class_path: LossSpikeMonitor, init_args: {window: a}}", "an int ≥ 1"),
    ("{class_path: LossSpikeMonitor, init_args: {threshold: 0.5}}", "> 1"),
    ("{class_path: LossSpikeMonitor, init_args: {windw: 5}}", "Did you mean 'window'?"),
    ("{class_path: lightning_warmup.CriticalLearningRateMonitor, init_args: {every_n_steps: 0}}", "an int ≥ 1"),
    ("{class_path: LearningRateWarmup, warmup: 5}", "write 'warmup' under init_args"),
    ("{class_path: lightning_warmup.LearningRateWarmap}", "Did you mean 'LearningRateWarmup'?"),
]


@OF_THE_PARSER
@pytest.mark.parametrize(("entry", "fix"), IN_A_LIST)
def test_so_it_is_in_a_list_for_the_others(
    entry: str, fix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_text(f"trainer: {{callbacks: [LearningRateMonitor, {entry}]}}\n")
    message = told_by_the_cli([f"--config={tmp_path / 'config.yaml'}"], capsys)
    assert len(message.strip().splitlines()) == 1
    assert fix in message
    assert not [inside for inside in INSIDE if inside in message]


OPTIONS = [
    ("--lr_warmup.decay=cosine --lr_warmup.decay.finale=0.1", "Did you mean 'final'?"),
    ("--lr_warmup.decay=cosine --lr_warmup.decay.final=-1", "CosineDecay(final=-1"),
    ("--lr_warmup.decay=MultiStepDecay --lr_warmup.decay.gamma=abc", "MultiStepDecay(gamma='abc')"),
    ("--trainer.callbacks=LearningRateWarmup --trainer.callbacks.dekay=linear", "Did you mean 'decay'?"),
    ("--trainer.callbacks=LearningRateWarmup --trainer.callbacks.decay=cosin", "'cosine'"),
    ("--lr_warmup=5", "lr_warmup: '5' is no mapping"),
    ("--lr_warmup=true", "lr_warmup"),
    ("--lr_warmup=nowhere.yaml", "'nowhere.yaml' is no mapping, and no file that can be read"),
]


@OF_THE_PARSER
@pytest.mark.parametrize(("line", "fix"), OPTIONS)
def test_so_it_is_with_options(line: str, fix: str, capsys: pytest.CaptureFixture[str]) -> None:
    message = told_by_the_cli(line.split(), capsys)
    assert len(message.strip().splitlines()) == 1
    assert fix in message
    assert not [inside for inside in INSIDE if inside in message]


@OF_THE_PARSER
@pytest.mark.parametrize("value", ["true", "5", "[1]", "often"])
def test_a_key_that_is_no_mapping(value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.yaml").write_text(f"lr_warmup: {value}\n")
    message = told_by_the_cli([f"--config={tmp_path / 'config.yaml'}"], capsys)
    assert len(message.strip().splitlines()) == 1
    assert "is no mapping" in message
    assert "null where it is to be off" in message


@OF_THE_PARSER
@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--lr_warmup.decay=cosin"], "lr_warmup.decay: LearningRateWarmup(decay='cosin')"),
        (["--lr_warmup.warmup=1e3"], "write 1000 or '1000 steps'"),
        (["--lr_warmup.warmap=5"], "Did you mean 'warmup'?"),
        (["--config=warmap.yaml"], "Did you mean 'warmup'?"),
        (["--trainer.callbacks=LearningRateWarmup", "--trainer.callbacks.dekay=linear"], "Did you mean 'decay'?"),
    ],
)
def test_a_real_tool_says_the_same(
    arguments: list[str],
    what: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "warmap.yaml").write_text("lr_warmup: {warmap: 5}\n")
    with pytest.raises(SystemExit, match="2"):
        digits(monkeypatch, "fit", *arguments)
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert what in last


@OF_THE_PARSER
def test_what_is_not_ours_is_told_as_ever(capsys: pytest.CaptureFixture[str]) -> None:
    entry = "{class_path: LearningRateMonitor, init_args: {interval: 5}}"
    message = told_by_the_cli([f"--trainer.callbacks=[{entry}]"], capsys)
    assert "usage:" in message
    assert "'interval' is not accepted" in message


class Own(Callback):
    """A user's class that makes one of ours, wrongly."""

    def __init__(self, warmup: int = -1) -> None:
        self.inner = LearningRateWarmup(warmup)


def test_a_users_own_code_keeps_its_traceback() -> None:
    parser = LightningArgumentParser()
    parser.add_lightning_class_args(Own, "own")
    with pytest.raises(ValueError, match="is not a duration"):
        instantiated(parser, parser.parse_args([]))
