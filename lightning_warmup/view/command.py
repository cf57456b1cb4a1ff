"""``python -m lightning_warmup preview``: see the very YAML that you will train with."""

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from lightning_warmup.view import config_file
from lightning_warmup.view.plot import FORMATS, save_previews
from lightning_warmup.view.preview import Options, Preview, preview_of_file
from lightning_warmup.view.terminal import terminal


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command's options."""
    parser = commands.add_parser(
        "preview",
        help="see what the schedules of a LightningCLI's YAML will do",
        description="See what the schedules of a LightningCLI's YAML will do, without importing your model or data.",
        epilog="Dotted options override the file, as in training: --lr_warmup.warmup=5% --trainer.max_epochs=20.",
        allow_abbrev=False,
    )
    parser.add_argument("configs", nargs="+", type=Path, metavar="CONFIG.yaml", help="one run each; several: compared")
    count = _Count(1)
    parser.add_argument("--lr", type=_rates, help="the optimizer's own lr, or 'backbone=0.01,head=0.1'")
    parser.add_argument("--steps-per-epoch", type=count, metavar="N", help="optimizer steps of an epoch")
    parser.add_argument("--max-epochs", type=count, metavar="N", help="epochs of the run")
    parser.add_argument("--max-steps", type=count, metavar="N", help="optimizer steps of the run")
    parser.add_argument("--accumulate-grad-batches", type=count, metavar="N", help="batches of an optimizer step")
    parser.add_argument("--devices", type=count, metavar="N", help="processes")
    parser.add_argument("--betas", type=_betas, metavar="B1,B2", help="Adam's, for warmups that depend on β2")
    parser.add_argument("--batch-size", type=count, metavar="N", help="samples of a batch of one process")
    parser.add_argument("--steps-per-second", type=_pace, metavar="R", help="how fast it is, where total is a time")
    parser.add_argument("--width", type=_Count(40), metavar="N", help="columns of the chart")
    parser.add_argument("--output", type=Path, metavar="FILE", help="a picture too: .png, .svg, .pdf or .html")
    parser.add_argument("--csv", metavar="FILE", help="the values of every step; - for standard output")
    parser.add_argument("--json", metavar="FILE", help="phases, findings and values; - for standard output")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, rest: Sequence[str]) -> None:
    """Print, and write, what was asked for.

    Raises:
        ValueError: If something is missing or wrong.
    """
    given = Options(**{name: getattr(options, name) for name in Options.__dataclass_fields__ if name in options})
    if options.output is not None and options.output.suffix not in FORMATS:
        raise ValueError(f"--output {options.output}: write {', '.join(FORMATS)}.")
    previews = [_named(path, preview_of_file, rest, given) for path in options.configs]
    if "-" not in (options.csv, options.json):
        sys.stdout.write(terminal(previews, options.width))
    if options.csv is not None:
        _write(options.csv, lambda file: write_csv(previews, file))
    if options.json is not None:
        _write(options.json, lambda file: json.dump([as_plain(p) for p in previews], file, indent=1))
    if options.output is not None:
        save_previews(previews, options.output)
        sys.stderr.write(f"{options.output} is written.\n")


def _named(path: Path, read: Any, rest: Sequence[str], given: Options) -> Preview:
    try:
        return read(path, rest, given)  # type: ignore[no-any-return]
    except ValueError as error:
        text = str(error)
        raise ValueError(text if text.startswith(str(path)) else f"{path}: {text}") from error


def _write(where: str, write: Any) -> None:
    if where == "-":
        write(sys.stdout)
    else:
        with Path(where).open("w", newline="", encoding="utf-8") as file:
            write(file)


def write_csv(previews: Sequence[Preview], file: TextIO) -> None:
    """A row for each optimizer step, a column for each curve."""
    columns = {}
    for preview in previews:
        for curve in preview.curves:
            name = " ".join(filter(None, [preview.title if len(previews) > 1 else "", curve.parameter, curve.group]))
            if curve.highest is curve.values:
                columns[name] = curve.values
            else:
                columns |= {f"{name} lowest": curve.values, f"{name} highest": curve.highest}
    writer = csv.writer(file)
    writer.writerow(["step", *columns])
    for step in range(max(map(len, columns.values()))):
        writer.writerow([step, *(values[step] if step < len(values) else "" for values in columns.values())])


def as_plain(preview: Preview) -> dict[str, Any]:
    """A preview as JSON has it."""
    return {
        "title": preview.title,
        "total_steps": preview.facts.total_steps,
        "steps_per_epoch": preview.facts.steps_per_epoch,
        "curves": [
            {
                "parameter": curve.parameter,
                "group": curve.group,
                **(
                    {"values": list(curve.values)}
                    if curve.highest is curve.values
                    else {"lowest": list(curve.values), "highest": list(curve.highest)}
                ),
            }
            for curve in preview.curves
        ],
        "phases": {
            parameter: [{"name": phase.name, "start": phase.start, "end": phase.end} for phase in found]
            for parameter, found in preview.phases.items()
        },
        "findings": {parameter: list(said) for parameter, said in preview.findings.items()},
    }


class _Count:
    """An int from so much on, for argparse."""

    def __init__(self, least: int) -> None:
        self._least = least

    def __call__(self, text: str) -> int:
        if not text.isdecimal() or int(text) < self._least:
            raise argparse.ArgumentTypeError(f"{text!r}: expected an int ≥ {self._least}")
        return int(text)


def _rates(text: str) -> Any:
    if "=" not in text:
        return _rate(text)
    pairs = (entry.partition("=") for entry in text.split(","))
    return {name.strip(): _rate(value) for name, _, value in pairs}


def _rate(text: str) -> float:
    value = config_file.parse(text) if text.strip() else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number ≥ 0, or 'name=number,name=number'")
    return float(value)


def _pace(text: str) -> float:
    pace = _rate(text)
    if not pace:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number > 0")
    return pace


def _betas(text: str) -> tuple[float, float]:
    parts = text.strip("()[] ").split(",")
    if len(parts) != 2:
        raise argparse.ArgumentTypeError(f"{text!r}: expected two numbers, such as 0.9,0.999")
    first, second = map(_rate, parts)
    if max(first, second) >= 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected two numbers ≥ 0 and < 1, such as 0.9,0.999")
    return first, second
