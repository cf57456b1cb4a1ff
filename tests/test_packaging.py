"""What a built package says of itself."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

import lightning_warmup

ROOT = Path(__file__).parents[1]
EXAMPLE = "https://example.org/someone/lightning_warmup"


def metadata(folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "hatchling", "metadata"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return json.loads(result.stdout)


def relative_links(text: str) -> list[str]:
    return re.findall(r"\]\((?!https?:|#)([^)\s]+)\)", text)


def test_there_is_one_version() -> None:
    described = metadata(ROOT)
    assert described["version"] == lightning_warmup.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", lightning_warmup.__version__)
    released = re.findall(r"^## \[(\d.*?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert lightning_warmup.__version__ == released[0]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert lightning_warmup.__version__ == citation["version"]


def test_without_an_address_the_readme_is_as_it_is() -> None:
    described = metadata(ROOT)
    assert described["readme"] == {
        "content-type": "text/markdown",
        "text": (ROOT / "README.md").read_text(encoding="utf-8"),
    }


def test_one_address_makes_every_link_absolute(tmp_path: Path) -> None:
    for name in ("README.md", "LICENSE", "hatch_build.py"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "lightning_warmup").mkdir()
    shutil.copy(ROOT / "lightning_warmup" / "__init__.py", tmp_path / "lightning_warmup")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(f'{project}\n[project.urls]\nSource = "{EXAMPLE}/"\n', encoding="utf-8")
    described = metadata(tmp_path)
    assert described["urls"] == {"Source": f"{EXAMPLE}/"}
    before, after = (ROOT / "README.md").read_text(encoding="utf-8"), described["readme"]["text"]
    assert relative_links(before)
    assert not relative_links(after)
    for link in relative_links(before):
        path = link.partition("#")[0]
        assert (ROOT / path).exists()
        assert f"]({EXAMPLE}/{'raw' if path.endswith('.png') else 'blob'}/HEAD/{link})" in after
    # and nothing else
    assert re.sub(rf"\]\({EXAMPLE}/(raw|blob)/HEAD/", "](", after) == before
