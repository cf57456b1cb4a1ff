"""``python -m lightning_warmup convert``: what another library was given, as the YAML of a LightningCLI."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from lightning_warmup.view import config_file

FORMATS = ("supergradients", "transformers", "timm", "gradual-warmup")
"""The modules beside this one, which only their own conversion loads."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command's options."""
    parser = commands.add_parser(
        "convert",
        help="turn the schedule of another library into our YAML",
        description="Turn the schedule of another library, by its documentation, into the YAML of a LightningCLI.",
        epilog="Comments say where that library's run departs from its documentation, and by how much.",
    )
    parser.add_argument("format", choices=FORMATS, metavar="FORMAT", help=", ".join(FORMATS))
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="YAML or JSON of its arguments (of SuperGradients a whole recipe too), or a command line: --sched tanh",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, rest: Sequence[str]) -> None:
    """Print the YAML.

    Raises:
        ValueError: If the file cannot be read, or converted.
    """
    if rest:
        raise ValueError(f"convert takes FORMAT and FILE, and not {' '.join(rest)}.")
    library: Any = import_module(f"lightning_warmup.converters.{options.format.replace('-', '_')}")
    given = _read(options.file)
    if options.format == "supergradients" and isinstance(given.get("training_hyperparams"), dict):
        given = given["training_hyperparams"]
    try:
        conversion = library.conversion(given)
        text = conversion.yaml()
    except ValueError as error:
        raise ValueError(f"{options.file}: {error}") from error
    names = [str(key).lstrip("-").replace("-", "_") for key in given]
    others = [name for name in names if name not in library.DEFAULTS]
    if others:
        sys.stdout.write(f"# Not of the schedule, and left out: {', '.join(others)}.\n")
    sys.stdout.write(text)


def _read(path: Path) -> dict[str, Any]:
    """The arguments in a file, which may be a command line too."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    if not text.lstrip().startswith("--"):
        return config_file.load(path)
    given: dict[str, Any] = {}
    name = ""
    for word in shlex.split(text.replace("\\\n", " ")):
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            name = name.replace("-", "_")
            given[name] = config_file.parse(value) if equals else True
        else:
            value, before = config_file.parse(word), given[name]
            given[name] = value if before is True else [*(before if isinstance(before, list) else [before]), value]
    return given
