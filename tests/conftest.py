"""What all tests share: a drawing backend without a screen, Lightning's messages, and the figures at the end."""

import functools
import importlib.metadata
import json
import logging
import os
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from packaging.version import Version

from ports import fresh_port
from summary import faults, figures

os.environ["MPLBACKEND"] = "Agg"
# One thread each: what is trained is tiny, and two workers with two threads each wait for one another on two cores.
os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that tests start
torch.set_num_threads(1)
# Every Trainer looks for callbacks of other packages in the metadata of all that is installed, which takes as long as
# a dozen steps: what is there does not change while tests run.
importlib.metadata.entry_points = functools.cache(importlib.metadata.entry_points)


@pytest.fixture(autouse=True)
def _port_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_PORT", str(fresh_port()))


@pytest.fixture
def messages() -> Iterator[list[str]]:
    """The INFO lines that Lightning and its callbacks write during the test."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    handler = Keep()
    logger = logging.getLogger("lightning.pytorch")
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)


# `make namespaces` runs where there is none.
if find_spec("lightning") is not None and Version(version("lightning")) < Version("2.5"):
    import lightning.pytorch as pl

    @pytest.fixture(autouse=True)
    def _no_resume_that_repeats_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
        """Lightning 2.4 repeats the batch after which a callback saved, with us or without: no run is then the same."""
        resumes = pl.Trainer.fit

        def fit(trainer: pl.Trainer, *args: Any, ckpt_path: Any = None, **kwargs: Any) -> None:
            if ckpt_path is not None and Path(ckpt_path).is_file():
                loops = torch.load(ckpt_path, weights_only=False)["loops"]
                batch = loops["fit_loop"]["epoch_loop.batch_progress"]["current"]
                if batch["completed"] < batch["ready"]:
                    pytest.skip("Lightning 2.4 repeats the batch after which a callback saved")
            resumes(trainer, *args, ckpt_path=ckpt_path, **kwargs)

        monkeypatch.setattr(pl.Trainer, "fit", fit)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist hands its figures over."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["figures"] = dict(figures)
        session.config.workeroutput["faults"] = faults


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    output = getattr(node, "workeroutput", {})
    figures.update(output.get("figures", {}))
    for kind, those in output.get("faults", {}).items():
        faults.setdefault(kind, []).extend(those)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if faults:
        path = terminalreporter.config.rootpath / "runs" / "faults.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(faults, indent=1))
    for what, number in figures.items():
        terminalreporter.write_line(f"{what}: {number}")
