"""Which of the packages that bring Lightning are taken, and what they leave behind when they are imported."""

import logging
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from lightning_utilities.core import rank_zero

import lightning_warmup
from lightning_warmup.training import lightning_names
from lightning_warmup.training.lightning_names import PACKAGES, import_lightning


def package(name: str, version: str = "2.6.6") -> ModuleType:
    module = ModuleType(name)
    module.__version__ = version  # type: ignore[attr-defined]
    return module


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Stands in for what is installed: a module, or the error of its import, by name."""

    def install(**modules: Any) -> None:
        def import_module(name: str) -> ModuleType:
            found = modules[name.replace(".", "_")]
            if isinstance(found, Exception):
                raise found
            if name not in sys.modules:
                monkeypatch.setitem(sys.modules, name, found)
                rank_zero.log = logging.getLogger(f"{name}.utilities.rank_zero")
            return found

        monkeypatch.setattr(lightning_names, "import_module", import_module)

    monkeypatch.setattr(rank_zero, "log", logging.getLogger("nobody's"))
    for name in PACKAGES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    return install


LIGHTNING, PYTORCH_LIGHTNING = package("lightning.pytorch"), package("pytorch_lightning")
MISSING = ModuleNotFoundError("No module named 'it'")


def test_both_are_taken_and_the_first_keeps_the_lines(imported: Any) -> None:
    imported(lightning_pytorch=LIGHTNING, pytorch_lightning=PYTORCH_LIGHTNING)
    assert import_lightning() == [LIGHTNING, PYTORCH_LIGHTNING]
    assert rank_zero.log.name == "lightning.pytorch.utilities.rank_zero"


def test_the_one_that_was_there_keeps_the_lines(imported: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    imported(lightning_pytorch=LIGHTNING, pytorch_lightning=PYTORCH_LIGHTNING)
    monkeypatch.setitem(sys.modules, "pytorch_lightning", PYTORCH_LIGHTNING)
    rank_zero.log = logging.getLogger("pytorch_lightning.utilities.rank_zero")
    assert import_lightning() == [LIGHTNING, PYTORCH_LIGHTNING]
    assert rank_zero.log.name == "pytorch_lightning.utilities.rank_zero"


@pytest.mark.parametrize(
    "unfit",
    [
        MISSING,
        AttributeError("module 'numpy' has no attribute 'Inf'"),
        package("it", "1.9.5"),
    ],
    ids=["missing", "broken", "old"],
)
@pytest.mark.parametrize("fit", [LIGHTNING, PYTORCH_LIGHTNING])
def test_one_is_enough(imported: Any, unfit: Any, fit: ModuleType) -> None:
    imported(**{"lightning_pytorch": unfit, "pytorch_lightning": unfit, fit.__name__.replace(".", "_"): fit})
    assert import_lightning() == [fit]


def test_one_by_two_names_is_one(imported: Any) -> None:
    """As in ``sys.modules["pytorch_lightning"] = lightning.pytorch``, which makes old code run."""
    imported(lightning_pytorch=LIGHTNING, pytorch_lightning=LIGHTNING)
    assert import_lightning() == [LIGHTNING]


def test_none_is_an_error_that_says_why(imported: Any) -> None:
    imported(lightning_pytorch=MISSING, pytorch_lightning=package("pytorch_lightning", "1.9.5"))
    expected = r"needs Lightning ≥ 2\.4.*lightning\.pytorch: .*No module named.*pytorch_lightning is 1\.9\.5"
    with pytest.raises(ImportError, match=expected):
        import_lightning()


def test_no_other_file_knows_lightnings_names() -> None:
    """Code, that is: the examples in docstrings are the user's own imports."""
    folder = Path(lightning_warmup.__file__).parent
    knowing = [
        path.name
        for path in folder.rglob("*.py")
        if re.search(
            r"^\s*(from|import) (lightning|lightning_fabric|pytorch_lightning)\b", path.read_text("utf-8"), re.MULTILINE
        )
    ]
    assert knowing == ["lightning_names.py"]
