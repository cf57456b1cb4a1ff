"""What all tests share: a drawing backend without a screen, Lightning's messages, and the figures at the end."""

import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest

from summary import figures

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


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    figures.update(getattr(node, "workeroutput", {}).get("figures", {}))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for what, number in figures.items():
        terminalreporter.write_line(f"{what}: {number}")
