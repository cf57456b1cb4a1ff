"""The gallery is what the preview says today."""

import re
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "docs"))
import make_gallery


@pytest.mark.parametrize("path", make_gallery.configs(), ids=lambda path: path.stem)
def test_every_recipe_has_its_picture(path: Path) -> None:
    assert (make_gallery.IMAGES / f"gallery_{path.stem}.png").exists()


@pytest.mark.parametrize("recipe", make_gallery.IN_PYTHON, ids=lambda recipe: recipe.name)
def test_the_rates_are_the_examples(recipe: make_gallery.InPython) -> None:
    code, previews = make_gallery.in_python(recipe)
    assert re.findall(r"\blr=([\d.]+)", code) == [str(lr) for lr in recipe.lrs.values()]
    assert [max(curve.values) for preview in previews for curve in preview.curves] == list(recipe.lrs.values())
    assert (make_gallery.IMAGES / f"gallery_{recipe.name}.png").exists()


def test_no_number_is_stale() -> None:
    """If this fails: make gallery, and look at what has changed."""
    assert make_gallery.PAGE.read_text(encoding="utf-8") == "".join(make_gallery.sections())
