"""Write docs/evidence.md and its pictures, from the raw results alone.

PYTHONPATH=benchmarks python -m evidence.page
"""

import hashlib
from pathlib import Path

from evidence import pictures, results, tables
from evidence.analysis import Study, all_results
from evidence.cells import PARTS

PAGE = Path(__file__).parents[2] / "docs" / "evidence.md"
WORDS = Path(__file__).parent / "words.md"
"""The page but for its numbers: what stands in braces is a table or a number of numbers()."""


def numbers(study: Study) -> dict[str, str]:
    """All that the words name."""
    rows = study.rows
    failed = [outcome for outcome in rows.values() if outcome.failure]
    return {
        "runs": f"{len(rows):,}",
        "failed": f"{len(failed):,}",
        "minutes": f"{sum(outcome.seconds for outcome in rows.values()) / 60:.0f}",
        "post_ln": tables.post_ln(study),
        "post_ln_tools": tables.post_ln_tools(study),
        "boundaries": tables.boundaries(study),
        "zero_tuning": tables.zero_tuning(study),
        "critical_start": tables.critical_start(study),
        "decays": tables.decays(study),
        "ranking": tables.ranking(study),
        "loss_gap": tables.loss_gap(study),
        "muon": tables.muon(study),
        "parts": tables.table(
            ["part", "runs", "not a number before the end", "minutes"],
            [
                [
                    part,
                    str(len(cells)),
                    str(sum(bool(rows[cell].failure) for cell in cells)),
                    f"{sum(rows[cell].seconds for cell in cells) / 60:.0f}",
                ]
                for part, cells in PARTS.items()
            ],
        ),
        "digest": digest(),
    }


def digest() -> str:
    """What changes with any number of the pictures."""
    files = sorted(results.FOLDER.glob("*.json"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


def page() -> str:
    """The words, and the numbers in them."""
    text = WORDS.read_text(encoding="utf-8")
    for name, told in numbers(Study(all_results())).items():
        text = text.replace("{" + name + "}", told.rstrip())
    return text


def main() -> None:
    """Write the page and its pictures."""
    PAGE.write_text(page(), encoding="utf-8")
    study = Study(all_results())
    for name, draw in pictures.DRAWN.items():
        pictures.save(draw(study), name)


if __name__ == "__main__":
    main()
