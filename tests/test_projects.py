"""docs/projects.md shows lines that `make projects` runs, and only those."""

import re

from train_digits import ROOT

TEXT = (ROOT / "docs" / "projects.md").read_text(encoding="utf-8")


def test_every_line_of_the_page_is_one_that_is_run() -> None:
    sections = re.findall(r"^## (.+)\n((?:(?!^## ).*\n)+)", TEXT, re.MULTILINE)
    scripts = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "projects").glob("in_*.py")}
    assert {f"in_{name.lower().replace('-', '_')}" for name, _ in sections} == set(scripts)
    for name, section in sections:
        blocks = re.findall(r"^```(?:py|yml)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
        assert blocks, name
        for block in blocks:
            assert block in scripts[f"in_{name.lower().replace('-', '_')}"], block
