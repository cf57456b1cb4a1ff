"""A run killed with SIGKILL and taken up by a fresh process goes on as if nothing had been.

The references are Megatron-LM's and NeMo Automodel's tests of resuming: fresh processes, state compared byte for byte,
the identity of every batch, and restores broken on purpose that must change the outcome.
"""

import contextlib
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import killed_run
import pytest
import torch
from killed_run import BATCH_SIZE, BATCHES, EPOCHS, STEPS, Kind, newest, steps_of, train, write_weights

from lightning_warmup import HyperparameterWarmup, LearningRateWarmup
from ports import fresh_port
from summary import count, fault

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # of Lightning's, about loaders of our own and processes it starts
]

SCRIPT = Path(killed_run.__file__)


# Python, torch and Lightning take longer to start than a run takes: each is forked from a process that has imported
# them, and that has run nothing.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["killed_run"])


@pytest.fixture(scope="module", autouse=True)
def _they_find_what_they_import() -> Iterator[None]:
    folders = [str(SCRIPT.parent), str(SCRIPT.parents[2]), os.environ.get("PYTHONPATH", "")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, folders)))
        yield


class Started(NamedTuple):
    """A process that trains."""

    pid: int
    errors: Path
    wait: Callable[[float | None], int | None]
    """For so many seconds, or for its end: what it ended with, and None where it has not."""


def start(folder: Path, kind: Kind, from_nothing: bool = False) -> Started:
    """Train in a process that is forked, or that starts from nothing, as after a crash."""
    folder.mkdir(parents=True, exist_ok=True)
    errors, port = folder.parent / f"{folder.name}.err", fresh_port()
    if not from_nothing:
        process = FORKS.Process(target=killed_run.forked, args=(folder, kind, errors, port))
        process.start()

        def wait(seconds: float | None) -> int | None:
            process.join(seconds)
            return process.exitcode

        assert process.pid is not None
        return Started(process.pid, errors, wait)

    popen = subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder), json.dumps(kind)],
        env={**os.environ, "MASTER_PORT": str(port)},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=errors.open("ab"),
    )

    def wait_for(seconds: float | None) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            popen.wait(seconds)
        return popen.returncode

    return Started(popen.pid, errors, wait_for)


def finish(folder: Path, kind: Kind, from_nothing: bool = False) -> None:
    process = start(folder, kind, from_nothing)
    assert process.wait(240) == 0, process.errors.read_text()[-2000:]


def kill_at(folder: Path, kind: Kind, step: int, delay: float, from_nothing: bool) -> int:
    """Start the run, kill all its processes so long after it begins a step; returns the last step that it began."""
    before = len(steps_of(folder))
    process = start(folder, kind, from_nothing)
    try:
        until = time.monotonic() + 120
        while len(taken := steps_of(folder)) == before or taken[-1][0] < step:
            assert process.wait(0.002) is None, process.errors.read_text()[-2000:]
            assert time.monotonic() < until, "it does not come to the step that it is to be killed at"
        time.sleep(delay)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        ended = process.wait(None)
    assert ended == -signal.SIGKILL, "it ended before it was killed"
    return int(steps_of(folder)[-1][0])


def differences(folder: Path, whole: Path, kind: Kind) -> list[str]:
    """What of a run is not as in the uninterrupted one: a learning rate, a momentum, a batch, or a weight."""
    found = []
    for rank in range(kind.devices):
        expected = {step: rest for step, *rest in steps_of(whole, rank)}
        assert sorted(expected) == list(range(STEPS))
        taken = steps_of(folder, rank)
        found += [f"rank {rank}, step {step}" for step, *rest in taken if rest != expected.get(step)]
        found += [f"rank {rank}, step {step} is missing" for step in expected.keys() - {step for step, *_ in taken}]
    if (folder / "weights.json").read_text() != (whole / "weights.json").read_text():
        found.append("weights")
    return found


def not_taken_up(
    folder: Path, whole: Path, checkpoint: Path | None, parts: list[tuple[int, int]], killed: bool
) -> list[str]:
    """What of one resumption is not as in the uninterrupted run.

    Args:
        folder: Of the run.
        whole: Of the uninterrupted run.
        checkpoint: What there was to take up.
        parts: By rank, where in its steps those of the resumed process begin, and where they end.
        killed: Whether that process was killed too.
    """
    first = int(checkpoint.stem) if checkpoint else 0
    found = []
    if checkpoint and not same(load(checkpoint), load(whole / checkpoint.name)):
        found.append("what is in the checkpoint")
    for rank, (begin, end) in enumerate(parts):
        expected = {step: rest for step, *rest in steps_of(whole, rank)}
        taken = steps_of(folder, rank)[begin:end]
        last = first + len(taken) if killed else STEPS
        if [step for step, *_ in taken] != list(range(first, last)):
            found.append(f"rank {rank}, the numbers of its steps")
        found += [f"rank {rank}, step {step}" for step, *rest in taken if rest != expected.get(step)]
    return found


def load(checkpoint: Path) -> Any:
    return torch.load(checkpoint, weights_only=True)


def same(a: Any, b: Any) -> bool:
    """Whether two checkpoints hold the same: weights, optimizers, callbacks, loader, Lightning's own counters."""
    if type(a) is not type(b):
        return False
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


def killed_again_and_again(
    folder: Path, whole: Path, kind: Kind, kills: int, seed: int, from_nothing: bool = False
) -> list[dict[str, Any]]:
    """Kill one run so many times, each time in a fresh process, and let it end.

    Returns:
        Of each kill when it was, what there was to take up, and what was not as in the whole run from there to the
        next kill, or to the end.
    """
    chance, points = random.Random(seed), []
    found, begins = [], []
    at = BATCHES if kind.at_ends else 0  # from there on there is an end of an epoch to take up
    for i in range(kills):
        # Anywhere in the next stretch of the run, so that all of it is killed in; and anywhere in a step.
        stretch = (STEPS - 10) * (i + 1) // kills
        delay = chance.random() * 0.008
        at = kill_at(folder, kind, chance.randint(min(at + 1, stretch), stretch), delay, from_nothing)
        found.append(newest(folder))
        begins.append([len(steps_of(folder, rank)) for rank in range(kind.devices)])
        saved = int(found[-1].stem) if found[-1] else 0
        points.append(
            {**kind._asdict(), "killed in step": at, "seconds after it was seen": delay, "checkpoint of step": saved}
        )
    finish(folder, kind, from_nothing)
    ends = [*begins[1:], [len(steps_of(folder, rank)) for rank in range(kind.devices)]]
    at_the_end = differences(folder, whole, kind)
    for i, point in enumerate(points):
        parts = list(zip(begins[i], ends[i], strict=True))
        killed = i < kills - 1
        wrong = not_taken_up(folder, whole, found[i], parts, killed) + ([] if killed else at_the_end)
        point.update(exact=not wrong, wrong=wrong[:10])
    return points


def judge(points: list[dict[str, Any]]) -> None:
    for point in points:
        fault("points", point)
    count("kill points tried", len(points))
    count("kill points exact", sum(point["exact"] for point in points))
    assert all(point["exact"] for point in points), [point for point in points if not point["exact"]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Kind], Path]:
    """The uninterrupted run of a kind."""
    made: dict[Kind, Path] = {}

    def of(kind: Kind) -> Path:
        if kind not in made:
            made[kind] = tmp_path_factory.mktemp("whole") / "run"
            finish(made[kind], kind)
        return made[kind]

    return of


@pytest.mark.parametrize("from_nothing", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_killed_twice(from_nothing: bool, whole: Callable[[Kind], Path], tmp_path: Path) -> None:
    judge(killed_again_and_again(tmp_path / "run", whole(Kind()), Kind(), 2, seed=0, from_nothing=from_nothing))


# Of a run that saves at the ends of epochs one kill each: see SaveOften.
RUNS = [
    *[(Kind(plan=plan), 10) for plan in killed_run.PLANS],
    *[(Kind(plan=plan, at_ends=True), 1) for plan in ("cosine", "cosine", "late group", "late group")],
    *[(Kind(devices=2, plan=plan), 5) for plan in ("cosine", "late group")],
]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, len(RUNS) + 1))
def test_killed_again_and_again(seed: int, whole: Callable[[Kind], Path], tmp_path: Path) -> None:
    kind, kills = RUNS[seed - 1]
    judge(killed_again_and_again(tmp_path / "run", whole(kind), kind, kills, seed))


# --- restores that are broken on purpose -----------------------------------------------------------------------------

KEYS = {
    "lr": LearningRateWarmup().state_key,
    "momentum": HyperparameterWarmup("momentum").state_key,
}


def as_it_is(states: dict[str, Any], key: str) -> None:
    pass


def dropped(states: dict[str, Any], key: str) -> None:
    del states[key]


def one_step_ahead(states: dict[str, Any], key: str) -> None:
    states[key]["optimizers"][0]["steps"] += 1


def one_step_behind(states: dict[str, Any], key: str) -> None:
    states[key]["optimizers"][0]["steps"] -= 1


def of_the_other_group(states: dict[str, Any], key: str) -> None:
    for name in ("own", "target"):
        values = states[key]["optimizers"][0][name]
        values[0], values[1] = values[1], values[0]


@pytest.mark.parametrize("breaks", [as_it_is, dropped, one_step_ahead, one_step_behind, of_the_other_group])
@pytest.mark.parametrize(
    ("kind", "parameter", "step"),
    [
        (Kind(), "lr", 45),
        pytest.param(Kind(), "momentum", 15, marks=pytest.mark.slow),
        pytest.param(Kind(plan="plateau"), "lr", 9, marks=pytest.mark.slow),
        pytest.param(Kind(plan="late group"), "lr", 54, marks=pytest.mark.slow),
        pytest.param(Kind(devices=2), "lr", 45, marks=pytest.mark.slow),
    ],
)
def test_the_comparison_notices(
    kind: Kind,
    parameter: str,
    step: int,
    breaks: Callable[[dict[str, Any], str], None],
    whole: Callable[[Kind], Path],
    tmp_path: Path,
) -> None:
    """A control that fails as it must, each but the first, which is the test of the test."""
    folder = tmp_path / "run"
    folder.mkdir()
    for rank in range(kind.devices):
        before = [taken for taken in steps_of(whole(kind), rank) if taken[0] < step]
        (folder / f"steps.{rank}.jsonl").write_text("".join(json.dumps(taken) + "\n" for taken in before))
    checkpoint = load(whole(kind) / f"{step:04}.ckpt")
    breaks(checkpoint["callbacks"], KEYS[parameter])
    torch.save(checkpoint, tmp_path / "broken.ckpt")
    write_weights(folder, train(folder, kind, tmp_path / "broken.ckpt"))
    wrong = differences(folder, whole(kind), kind)
    if breaks is as_it_is:
        assert not wrong
        return
    control = {**kind._asdict(), "parameter": parameter, "state": breaks.__name__, "failed": bool(wrong)}
    fault("controls", control)
    count("controls tried", 1)
    count("controls that failed as they must", bool(wrong))
    # The first step after the resume is wrong already, and so is what comes of it.
    assert f"rank 0, step {step}" in wrong
    assert "weights" in wrong


def test_the_runs_are_what_they_are_to_be(whole: Callable[[Kind], Path]) -> None:
    """All samples in every epoch, in another order each time."""
    batches = [batch for *_, batch in steps_of(whole(Kind()))]
    epochs = [tuple(chain(*batches[i * BATCHES : (i + 1) * BATCHES])) for i in range(EPOCHS)]
    assert all(sorted(epoch) == list(range(BATCHES * BATCH_SIZE)) for epoch in epochs)
    assert len({*epochs}) == EPOCHS
