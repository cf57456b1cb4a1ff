"""Write docs/evidence.md and its pictures, from the raw results alone.

PYTHONPATH=benchmarks python -m evidence.page
"""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from evidence import pictures, results, tables
from evidence.analysis import Study, all_results, whole_parts
from evidence.cells import PARTS, Cell
from evidence.training import Outcome

PAGE = Path(__file__).parents[2] / "docs" / "evidence.md"
WORDS = Path(__file__).parent / "words.md"
"""The page but for its numbers: what stands in braces is a table or a number of numbers()."""


def numbers(study: Study, rows: dict[str, dict[Cell, Outcome]]) -> dict[str, Callable[[], str]]:
    """What the words name, each worked out where its section is there."""
    outcomes = [outcome for part in rows.values() for outcome in part.values()]
    return {
        "runs": lambda: f"{len(outcomes):,}",
        "failed": lambda: f"{sum(bool(outcome.failure) for outcome in outcomes):,}",
        "post_ln": lambda: tables.post_ln(study),
        "pre_ln_difference": lambda: tables.pre_ln_difference(study),
        "post_ln_tools": lambda: tables.post_ln_tools(study),
        "boundaries": lambda: tables.boundaries(study),
        "line_search": lambda: tables.line_search(study),
        "zero_tuning": lambda: tables.zero_tuning(study),
        "critical_start": lambda: tables.critical_start(study),
        "decays": lambda: tables.decays(study),
        "ranking": lambda: tables.ranking(study),
        "loss_gap": lambda: tables.loss_gap(study),
        "muon": lambda: tables.muon(study),
        "parts": lambda: parts(rows),
        "digest": digest,
    }


def parts(rows: dict[str, dict[Cell, Outcome]]) -> str:
    """What was run, and what was not."""
    told = []
    for part, cells in PARTS.items():
        outcomes = list(rows.get(part, {}).values())
        failed = str(sum(bool(outcome.failure) for outcome in outcomes)) if outcomes else ""
        told.append([part, f"{len(cells)}", failed if outcomes else "**not run yet**"])
    return tables.table(["part", "runs", "of which met a loss that is no number"], told)


def digest() -> str:
    """What changes with any number of the pictures."""
    files = sorted(results.FOLDER.glob("*.json"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


def page() -> str:
    """The words, and the numbers in them; without the sections of parts that were not run."""
    rows = whole_parts()
    section = re.compile(r"<!-- needs ([\w-]+) -->\n(.*?)<!-- end -->\n\n?", re.DOTALL)
    text = section.sub(lambda found: found[2] if found[1] in rows else "", WORDS.read_text(encoding="utf-8"))
    tell = numbers(Study({cell: outcome for part in rows.values() for cell, outcome in part.items()}), rows)
    return re.sub(r"\{(\w+)\}", lambda found: tell[found[1]]().rstrip(), text)


def main() -> None:
    """Write the page and its pictures."""
    PAGE.write_text(page(), encoding="utf-8")
    study = Study(all_results())
    for name, (draw, part) in pictures.DRAWN.items():
        if part in whole_parts():
            pictures.save(draw(study), name)


if __name__ == "__main__":
    main()
