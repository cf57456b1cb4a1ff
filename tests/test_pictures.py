"""The gallery's pictures have a panel for every shape of the table, however many there are."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from matplotlib.figure import Figure

from lightning_warmup import ExponentialDecay, LinearDecay, StepDecay
from shapes import DECAYS, WARMUPS, DecayRow

SCRIPT = Path(__file__).parent.parent / "docs" / "make_pictures.py"


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """docs/make_pictures.py, which draws into a folder of this test and keeps the figures."""
    spec = importlib.util.spec_from_file_location("make_pictures", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    drawn: dict[str, Figure] = {}
    save = module.save
    monkeypatch.setattr(module, "IMAGES", tmp_path)
    monkeypatch.setattr(module, "save", lambda figure, name: drawn.update({name: figure}) or save(figure, name))
    module.drawn = drawn
    return module


def panels(figure: Figure) -> list[str]:
    """Titles of the panels, which all show something."""
    assert all(axes.lines for axes in figure.axes)
    return [axes.get_title(loc="left") for axes in figure.axes]


def test_every_shape_that_the_table_shows_is_drawn(pictures: ModuleType) -> None:
    pictures.warmups()
    pictures.decays()
    over_the_run, with_a_pace = (panels(pictures.drawn[f"decays_{way}"]) for way in ("over_the_run", "with_a_pace"))
    assert panels(pictures.drawn["warmups"]) == [pictures.call(shape) for row in WARMUPS for shape in row.drawn]
    assert sorted([*over_the_run, *with_a_pace]) == sorted(
        pictures.call(shape) for row in DECAYS for shape in row.drawn
    )
    assert "LinearDecay(final=0.2)" in over_the_run
    assert "StepDecay(30, gamma=0.5)" in with_a_pace


@pytest.mark.parametrize("more", [1, 2, 3, 9])
def test_panels_lay_themselves_out(more: int, pictures: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """New rows take new panels; each column has its time axis under the lowest of them, and the file stays small."""
    paces = [ExponentialDecay(0.5, every=every) for every in range(10, 10 + more)]
    rows = [DecayRow(shape=LinearDecay, trained=LinearDecay(), drawn=[LinearDecay()])]
    rows += [DecayRow(shape=StepDecay, trained=StepDecay(1), drawn=[StepDecay(30)])]
    rows += [DecayRow(shape=ExponentialDecay, trained=decay, drawn=[decay]) for decay in paces]
    monkeypatch.setattr(pictures, "DECAYS", rows)
    pictures.decays()
    figure = pictures.drawn["decays_with_a_pace"]
    assert panels(figure) == ["StepDecay(30)", *map(pictures.call, paces)]
    assert [bool(axes.get_xlabel()) for axes in figure.axes] == [i + 3 > more for i in range(more + 1)]
    assert panels(pictures.drawn["decays_over_the_run"]) == ["LinearDecay()"]
    assert all(path.stat().st_size < pictures.SMALL for path in pictures.IMAGES.iterdir())
