"""The files in examples/ but digits.py, which test_configs.py runs: the learning rate of every step is known."""

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from lightning_warmup import LearningRateWarmup
from ports import fresh_port
from train_digits import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))

pytestmark = [
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
    pytest.mark.filterwarnings("ignore:The .*'s? .* does not have many workers"),
]


def example(name: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> ModuleType:
    """``examples/<name>.py``, which writes into a folder of this test."""
    monkeypatch.syspath_prepend(ROOT / "examples")
    monkeypatch.chdir(folder)
    return importlib.import_module(name)


def logged(picture: Path) -> dict[str, list[float]]:
    """The learning rates that LearningRateMonitor logged, by its names; the picture beside them is there."""
    assert picture.read_bytes().startswith(b"\x89PNG")
    run = importlib.import_module("plot_run").read_run(picture.parent)
    return {name: values for name, (_, values) in run.items() if name.startswith("lr-")}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_each_is_short_and_told_of(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) < 120 or path.name == "digits.py"
    assert f"examples/{path.name})" in (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="Muon came with torch 2.9")
def test_the_byte_transformer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module = example("byte_transformer", monkeypatch, tmp_path)
    lrs = logged(module.main(steps=16, width=16))
    schedule = LearningRateWarmup(1, "one_minus_sqrt", decay_duration=3)
    assert lrs == {
        "lr-Muon": schedule.values(0.004, total_steps=16, steps_per_epoch=2),
        "lr-AdamW": schedule.values(0.002, total_steps=16, steps_per_epoch=2),
    }


@pytest.mark.parametrize("norm_first", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_post_ln_transformer(norm_first: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module = example("post_ln", monkeypatch, tmp_path)
    lrs = logged(module.main(steps=10, warmup="20%", norm_first=norm_first))
    assert lrs == {"lr-AdamW": LearningRateWarmup(2, "linear").values(0.006, total_steps=10, steps_per_epoch=1)}


def test_the_gan(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lrs = logged(example("gan", monkeypatch, tmp_path).main(max_epochs=2))
    generator = LearningRateWarmup("5%", "cosine").values(0.002, total_steps=28, steps_per_epoch=14)
    discriminator = LearningRateWarmup("20%", "cosine").values(0.001, total_steps=56, steps_per_epoch=28)
    # Logged with every batch, and the generator steps in every second.
    assert lrs == {"lr-Adam": [lr for lr in generator for _ in (1, 2)], "lr-Adam-1": discriminator}


def test_fine_tuning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lrs = logged(example("fine_tuning", monkeypatch, tmp_path).main(unfreeze=1, max_epochs=3))
    head = LearningRateWarmup("10%", "cosine").values(0.05, total_steps=57, steps_per_epoch=19)
    assert lrs["lr-SGD/head"] == head
    backbone = [lr / 5 for lr in head[19:]]
    # The group's own warmup is an epoch, which is 19 steps: of its step k, (k + 1) / 20.
    backbone[:19] = [lr * (k + 1) / 20 for k, lr in enumerate(backbone[:19])]
    assert lrs["lr-SGD/backbone"] == pytest.approx(backbone, rel=1e-12)


def ddp_lrs(folder: Path) -> list[float]:
    """What the one run of examples/ddp.py in this folder used."""
    (picture,) = folder.glob("runs/ddp/version_*/lr_and_loss.png")
    lrs = logged(picture)
    assert lrs["lr-SGD/backbone"] == lrs["lr-SGD/head"]
    return lrs["lr-SGD/head"]


# 1,197 images are 599 for each of two processes, which are 19 batches of 32; a step of 64 has twice the learning rate.
TWO_PROCESSES = LearningRateWarmup(38, "cosine", target_lr=0.2, warmup_initial_lr=0.1)


def finish(commands: list[list[str]], folder: Path) -> None:
    """Run these at once, on the loopback alone; none of them fails."""
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), "GLOO_SOCKET_IFNAME": "lo"}
    started = [
        subprocess.Popen(
            [sys.executable, *command],
            cwd=folder,
            env=surroundings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for command in commands
    ]
    try:
        for process in started:
            output, _ = process.communicate(timeout=300)
            assert process.returncode == 0, output[-3000:]
    finally:
        for process in started:
            process.kill()


@pytest.mark.slow
def test_ddp_on_one_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(ROOT / "examples")
    finish([[str(ROOT / "examples" / "ddp.py"), "--max_epochs=3"]], tmp_path)
    assert ddp_lrs(tmp_path) == TWO_PROCESSES.values(0.1, total_steps=57, steps_per_epoch=19)


@pytest.mark.slow
def test_ddp_on_two_machines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two agents of torchrun, each with one process, on the loopback."""
    monkeypatch.syspath_prepend(ROOT / "examples")
    agent = ["-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1", "--master-addr=127.0.0.1"]
    example = [str(ROOT / "examples" / "ddp.py"), "--num_nodes=2", "--devices=1", "--max_epochs=3"]
    port = fresh_port()
    finish([[*agent, f"--master-port={port}", f"--node-rank={rank}", *example] for rank in (0, 1)], tmp_path)
    assert ddp_lrs(tmp_path) == TWO_PROCESSES.values(0.1, total_steps=57, steps_per_epoch=19)
