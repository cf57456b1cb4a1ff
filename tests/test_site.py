"""The site that `make docs` builds: all pages and all public names are in it, and it needs nothing from elsewhere."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import lightning_warmup

ROOT = Path(__file__).parent.parent
REFERENCE = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "reference").glob("*.rst"))


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_every_page_is_in_the_contents(page: Path) -> None:
    assert f"<docs/{page.stem}>" in (ROOT / "docs" / "conf.py").read_text(encoding="utf-8")


def test_every_public_name_is_in_the_reference_once() -> None:
    assert sorted(re.findall(r"^\.\. auto(?:class|function):: (\w+)$", REFERENCE, re.M)) == lightning_warmup.__all__


class Page(HTMLParser):
    """What a page can be linked to by, what it links to, and what a browser loads to show it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.formulas = 0
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.formulas += tag == "math"
        self.anchors.add(values.get("id") or "")
        if tag == "a":
            self.links.append(values.get("href") or "")
        elif "src" in values or tag == "link":
            self.loaded.append(values.get("src") or values.get("href") or "")


@pytest.mark.slow
def test_it_builds_without_a_warning_and_leads_somewhere(tmp_path: Path) -> None:
    for package in ("sphinx", "furo", "myst_parser"):
        pytest.importorskip(package, reason="`make docs` installs it")
    options = ["--fail-on-warning", "--keep-going", "--quiet", "-d", str(tmp_path / "doctrees"), "-c", "docs"]
    site = tmp_path / "site"
    built = subprocess.run([sys.executable, "-m", "sphinx", *options, ".", str(site)], cwd=ROOT, capture_output=True)
    assert not built.returncode, built.stderr.decode()

    pages = {path.resolve(): Page(path) for path in site.rglob("*.html") if "_static" not in path.parts}
    assert {"index.html", "README.html", "shapes.html"} <= {path.name for path in pages}
    assert sum(page.formulas for page in pages.values()) > 50
    links = 0
    for path, page in pages.items():
        assert not [address for address in page.loaded if urlsplit(address).netloc], path.name
        for address in [*page.links, *page.loaded]:
            parts = urlsplit(address)
            if parts.scheme in ("https", "data"):
                continue
            there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert there.exists(), f"{path.name}: {address}"
            assert there not in pages or unquote(parts.fragment) in {"", *pages[there].anchors}, (
                f"{path.name}: {address}"
            )
            links += 1
    assert links > 500
    public = {anchor for page in pages.values() for anchor in page.anchors}
    assert {f"lightning_warmup.{name}" for name in lightning_warmup.__all__} <= public
