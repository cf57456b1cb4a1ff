"""``resume_warmup`` and ``replan`` in a LightningCLI: what YAML and command line say is what Python says."""

from pathlib import Path

import pytest
from lightning.pytorch.cli import LightningArgumentParser

from lightning_warmup import CosineWarmup, LearningRateWarmup
from parsers import instantiated
from train_digits import QUICKLY, digits

RAMP = LearningRateWarmup("5%", "cosine", resume_warmup=CosineWarmup("2%"))


def parsed(*arguments: str) -> str:
    parser = LightningArgumentParser(exit_on_error=False)
    parser.add_argument("--config", action="config")
    parser.add_lightning_class_args(LearningRateWarmup, "lr_warmup")
    return repr(instantiated(parser, parser.parse_args(arguments)).lr_warmup)


@pytest.mark.parametrize(
    ("line", "callback"),
    [
        ("--warmup=5% --decay=cosine --resume_warmup=200", LearningRateWarmup("5%", "cosine", resume_warmup=200)),
        ("--warmup=5% --decay=cosine --resume_warmup=2%", LearningRateWarmup("5%", "cosine", resume_warmup="2%")),
        ("--warmup=5% --decay=cosine --replan=rest", LearningRateWarmup("5%", "cosine", replan="rest")),
        ("--warmup=5% --decay=cosine --resume_warmup=CosineWarmup --resume_warmup.duration=2%", RAMP),
    ],
)
def test_on_the_command_line(line: str, callback: LearningRateWarmup) -> None:
    assert parsed(*[f"--lr_warmup.{part}" for part in line.removeprefix("--").split(" --")]) == repr(callback)


def test_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    shape = "{class_path: CosineWarmup, init_args: {duration: 2%}}"
    path.write_text(f"lr_warmup:\n  warmup: 5%\n  decay: cosine\n  resume_warmup: {shape}\n")
    assert parsed(f"--config={path}") == repr(RAMP)
    path.write_text("lr_warmup:\n  warmup: 5%\n  decay: cosine\n  resume_warmup: 2 epochs\n  replan: rest\n")
    expected = LearningRateWarmup("5%", "cosine", resume_warmup="2 epochs", replan="rest")
    assert parsed(f"--config={path}") == repr(expected)


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("--lr_warmup.resume_warmup=radam", "that warmup has no length of its own"),
        ("--lr_warmup.resume_warmup=-3", "resume_warmup=-3) is not a duration"),
        ("--lr_warmup.replan=half", "replan"),
        ("--lr_warmup.replan=rest", "does not end with the run"),
    ],
)
def test_what_is_wrong_is_said_before_training(
    option: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        digits(monkeypatch, "fit", "--lr_warmup.decay=constant", option, *QUICKLY)
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert says in error
    assert "Traceback" not in error
