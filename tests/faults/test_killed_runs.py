"""A run killed with SIGKILL and taken up by a fresh process goes on as if nothing had been.

The references are Megatron-LM's and NeMo Automodel's tests of resuming: fresh processes, state compared byte for byte,
the identity of every batch, and restores broken on purpose that must change the outcome.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import killed_run
import pytest
import torch
from killed_run import STEPS, newest, steps_of, train

from lightning_warmup import LearningRateWarmup
from summary import count

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # of Lightning's, about loaders of our own and processes it starts
]

SCRIPT = Path(killed_run.__file__)
REPORT: list[dict[str, Any]] = []


@pytest.fixture(scope="module", autouse=True)
def report(request: pytest.FixtureRequest) -> Iterator[None]:
    """What was tried, as a table at the end of the tests and as ``runs/faults.json``."""
    yield
    path = request.config.rootpath / "runs" / "faults.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(REPORT, indent=1))


def start(folder: Path, devices: int) -> subprocess.Popen[bytes]:
    path = os.pathsep.join(filter(None, [str(SCRIPT.parents[2]), os.environ.get("PYTHONPATH", "")]))
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder), str(devices)],
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=(folder.parent / f"{folder.name}.err").open("ab"),
    )


def kill_at(folder: Path, devices: int, step: int, delay: float) -> int:
    """Start the run, kill it so long after this many steps; returns the step that it was killed in."""
    process = start(folder, devices)
    try:
        until = time.monotonic() + 120
        while max((s[0] for s in steps_of(folder)[-1:]), default=-1) < step:
            assert process.poll() is None, (folder.parent / f"{folder.name}.err").read_text()[-2000:]
            assert time.monotonic() < until, "it does not come to the step that it is to be killed at"
            time.sleep(0.001)
        time.sleep(delay)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return int(steps_of(folder)[-1][0])


def finish(folder: Path, devices: int) -> None:
    process = start(folder, devices)
    assert process.wait(timeout=240) == 0, (folder.parent / f"{folder.name}.err").read_text()[-2000:]


def differences(folder: Path, whole: Path, ranks: int) -> list[str]:
    """What of a run is not as in the uninterrupted one: a learning rate, a momentum, a batch, or a weight."""
    found = []
    for rank in range(ranks):
        expected = {step: rest for step, *rest in steps_of(whole, rank)}
        assert sorted(expected) == list(range(STEPS))
        taken = steps_of(folder, rank)
        found += [f"rank {rank}, step {step}" for step, *rest in taken if rest != expected[step]]
        found += [f"rank {rank}, step {step} is missing" for step in expected.keys() - {step for step, *_ in taken}]
    if (folder / "weights.json").read_text() != (whole / "weights.json").read_text():
        found.append("weights")
    return found


def killed_again_and_again(folder: Path, whole: Path, kills: int, devices: int, seed: int) -> None:
    """Kill one run so many times, each time in a fresh process, and let it end: all of it is as in the whole run."""
    chance, points = random.Random(seed), []
    at = 0
    for i in range(kills):
        # Anywhere in the next stretch of the run, so that all of it is killed in; and anywhere in a step.
        stretch = (STEPS - 3) * (i + 1) // kills
        at = kill_at(folder, devices, chance.randint(min(at + 1, stretch), stretch), chance.random() * 0.008)
        found = newest(folder)
        points.append({"devices": devices, "killed in step": at, "checkpoint": found and int(found.stem)})
    finish(folder, devices)
    wrong = differences(folder, whole, devices)
    for point in points:
        REPORT.append({**point, "exact": not wrong})
    count("kill points tried", kills)
    assert not wrong, wrong[:10]
    count("kill points exact", kills)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """The uninterrupted run, on so many processes."""
    made: dict[int, Path] = {}

    def of(devices: int) -> Path:
        if devices not in made:
            made[devices] = tmp_path_factory.mktemp(f"whole_{devices}") / "run"
            made[devices].mkdir()
            finish(made[devices], devices)
        return made[devices]

    return of


def test_killed_twice(whole: Callable[[int], Path], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    killed_again_and_again(folder, whole(1), kills=2, devices=1, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_killed_fifteen_times(whole: Callable[[int], Path], seed: int, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    killed_again_and_again(folder, whole(1), kills=15, devices=1, seed=seed)


@pytest.mark.slow
def test_killed_ten_times_on_two_processes(whole: Callable[[int], Path], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    killed_again_and_again(folder, whole(2), kills=10, devices=2, seed=3)


# --- restores that are broken on purpose -----------------------------------------------------------------------------


def dropped(states: dict[str, Any], key: str) -> None:
    del states[key]


def shifted(states: dict[str, Any], key: str) -> None:
    states[key]["optimizers"][0]["steps"] += 1


def of_the_other_group(states: dict[str, Any], key: str) -> None:
    for name in ("own", "target"):
        states[key]["optimizers"][0][name].reverse()


def as_it_is(states: dict[str, Any], key: str) -> None:
    pass


@pytest.mark.parametrize("breaks", [as_it_is, dropped, shifted, of_the_other_group])
def test_the_comparison_notices(breaks: Callable[..., None], whole: Callable[[int], Path], tmp_path: Path) -> None:
    """A control that fails as it must, each but the first, which is the test of the test."""
    folder = tmp_path / "run"
    folder.mkdir()
    for rank in (0,):
        before = [step for step in steps_of(whole(1), rank) if step[0] < 45]
        (folder / f"steps.{rank}.jsonl").write_text("".join(json.dumps(step) + "\n" for step in before))
    checkpoint = torch.load(whole(1) / "0045.ckpt", weights_only=True)
    breaks(checkpoint["callbacks"], LearningRateWarmup("10%", "cosine").state_key)
    torch.save(checkpoint, tmp_path / "broken.ckpt")
    net = train(folder, ckpt_path=tmp_path / "broken.ckpt")
    weights = {name: tensor.tolist() for name, tensor in net.state_dict().items()}
    (folder / "weights.json").write_text(json.dumps(weights))
    wrong = differences(folder, whole(1), 1)
    if breaks is as_it_is:
        assert not wrong
        return
    count("controls that failed as they must", bool(wrong))
    REPORT.append({"control": breaks.__name__, "failed": bool(wrong)})
    assert "weights" in wrong
    assert len(wrong) > 10
