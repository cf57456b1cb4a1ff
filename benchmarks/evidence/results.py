"""Raw results as they lie in results/: one JSON file for each part, one line for each run."""

import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch

from evidence.cells import Cell
from evidence.training import Outcome, setup

FOLDER = Path(__file__).parent / "results"
CELL, OUTCOME = ([field.name for field in fields(kind)] for kind in (Cell, Outcome))


@dataclass(frozen=True)
class Results:
    """All that is known of a part.

    Args:
        setup: What determines a run beside its cell, as it was then.
        machine: Where it was run.
        rows: What came of each cell.
    """

    setup: dict[str, Any]
    machine: dict[str, str]
    rows: dict[Cell, Outcome]

    def write(self, path: Path) -> None:
        """In one go: a run that is broken off leaves what was there, or this."""
        lines = [json.dumps([*asdict(cell).values(), *asdict(outcome).values()]) for cell, outcome in self.rows.items()]
        head = {"setup": self.setup, "machine": self.machine, "columns": [*CELL, *OUTCOME]}
        text = json.dumps(head, indent=1)[:-2] + ',\n "rows": [\n' + ",\n".join(lines) + "\n ]\n}\n"
        new = path.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        new.replace(path)


def read(path: Path) -> Results:
    """What is in a file; nothing, of this setup and machine, where there is none."""
    if not path.exists():
        return Results(setup(), machine(), {})
    content = json.loads(path.read_text(encoding="utf-8"))
    rows = [dict(zip(content["columns"], row, strict=True)) for row in content["rows"]]
    return Results(
        content["setup"],
        content["machine"],
        {Cell(**{name: row[name] for name in CELL}): Outcome(**{name: row[name] for name in OUTCOME}) for row in rows},
    )


def machine() -> dict[str, str]:
    """What numbers may depend on in their last digits, and seconds altogether."""
    return {"python": platform.python_version(), "torch": torch.__version__, "processor": platform.machine()}


def missing(cells: Iterable[Cell], results: Results) -> list[Cell]:
    """Those that are not run yet.

    Raises:
        ValueError: If the rows are stale: of another setup, or of cells that no longer are.
    """
    cells = list(cells)
    if results.setup != setup():
        raise ValueError(f"The rows are of another setup: {difference(results.setup, setup())}. Delete the file.")
    if strangers := [cell for cell in results.rows if cell not in set(cells)]:
        raise ValueError(f"{len(strangers)} rows are of cells that no part has, such as {strangers[0]}. Delete them.")
    return [cell for cell in cells if cell not in results.rows]


def difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """The first entry that differs."""
    name = next(name for name in sorted({*one, *other}) if one.get(name) != other.get(name))
    return f"{name} is {one.get(name)!r}, not {other.get(name)!r}"
