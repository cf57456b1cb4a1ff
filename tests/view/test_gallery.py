"""The gallery is what the preview says today."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "docs"))
import make_gallery


@pytest.mark.parametrize("path", make_gallery.configs(), ids=lambda path: path.stem)
def test_every_recipe_has_its_picture(path: Path) -> None:
    assert (make_gallery.IMAGES / f"gallery_{path.stem}.png").exists()


def test_no_number_is_stale() -> None:
    """If this fails: make gallery, and look at what has changed."""
    assert make_gallery.PAGE.read_text(encoding="utf-8") == "".join(make_gallery.sections())
