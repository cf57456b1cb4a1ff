"""Every exported shape has its row in the table, and all that is read from there."""

import inspect
from dataclasses import is_dataclass
from pathlib import Path

import pytest

import lightning_warmup
from lightning_warmup import Decay, LearningRateWarmup, Warmup
from shapes import BETA2_WARMUPS, DECAYS, MEASURED, ROWS, WARMUPS

TESTS = Path(__file__).parent
GALLERY = TESTS.parent / "docs" / "shapes.md"
EXPORTED = [
    shape
    for name in lightning_warmup.__all__
    if inspect.isclass(shape := getattr(lightning_warmup, name))
    and issubclass(shape, Warmup | Decay)
    and not inspect.isabstract(shape)
]

every_row = pytest.mark.parametrize("row", [*WARMUPS, *DECAYS], ids=lambda row: row.shape.__name__)


@pytest.mark.parametrize("shape", EXPORTED, ids=lambda shape: shape.__name__)
def test_every_exported_shape_has_a_row(shape: type) -> None:
    assert shape in ROWS, f"{shape.__name__} has no row in tests/shapes.py"


def test_a_row_is_of_an_exported_shape_and_of_one_only() -> None:
    rows = [row.shape for row in (*WARMUPS, *BETA2_WARMUPS, *DECAYS, *MEASURED)]
    assert sorted(shape.__name__ for shape in rows) == sorted(shape.__name__ for shape in EXPORTED)


@every_row
def test_a_row_is_complete(row) -> None:
    """Numbers to hold it to, a run in a Trainer, and a picture: another shape's would show nothing of this one."""
    of_the_run = getattr(row, "values_of_the_run", [])
    shapes = [shape for shape, _ in [*row.values, *of_the_run] if isinstance(shape, Warmup | Decay)]
    assert shapes
    # Schedulers are drawn on a page of their own.
    assert row.drawn or row.shape is lightning_warmup.TorchDecay
    falling = getattr(row, "falling", None)
    for shape in [*shapes, *row.drawn, *(row.rising if falling is None else falling), row.trained]:
        assert type(shape) is row.shape


@pytest.mark.parametrize("shape", EXPORTED, ids=lambda shape: shape.__name__)
def test_a_shape_is_a_value(shape: type) -> None:
    assert is_dataclass(shape)
    assert shape.__dataclass_params__.frozen


@pytest.mark.parametrize("row", [*WARMUPS, *BETA2_WARMUPS, *DECAYS], ids=lambda row: row.shape.__name__)
def test_the_gallery_tells_of_it(row) -> None:
    ways = [f"`{row.shape.__name__}("]
    if getattr(row, "name", None) is not None:
        ways.append(f'`"{row.name}"`')
    text = GALLERY.read_text(encoding="utf-8")
    assert any(way in text for way in ways), f"{row.shape.__name__} has no row in a table of docs/shapes.md"


@pytest.mark.parametrize("row", MEASURED, ids=lambda row: row.shape.__name__)
def test_what_is_measured_has_tests_of_its_own(row) -> None:
    assert row.shape.measured
    part = "warmup" if isinstance(row.example, Warmup) else "decay"
    with pytest.raises(ValueError, match=rf"{row.shape.__name__}.*depends on the run itself"):
        LearningRateWarmup(**{part: row.example}).values(0.1, total_steps=9, steps_per_epoch=9)
    assert row.shape.__name__ in (TESTS / row.tests).read_text(encoding="utf-8")
