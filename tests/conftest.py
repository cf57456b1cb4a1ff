"""What all tests share: a drawing backend without a screen, Lightning's messages, and the figures at the end."""

import json
import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest

from summary import faults, figures

os.environ["MPLBACKEND"] = "Agg"


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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if faults:
        path = terminalreporter.config.rootpath / "runs" / "faults.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(faults, indent=1))
    for what, number in figures.items():
        terminalreporter.write_line(f"{what}: {number}")
