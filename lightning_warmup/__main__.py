"""``python -m lightning_warmup``, and ``lightning-warmup``."""

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from lightning_warmup.converters import command as convert_command
from lightning_warmup.view import command
from lightning_warmup.view.config_file import is_of_the_config, joined


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as all else here does."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status: 2 where something is missing or wrong."""
    parser: argparse.ArgumentParser = _Parser(
        prog="lightning-warmup", description="Learning-rate schedules for PyTorch Lightning.", allow_abbrev=False
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command.add_parser(commands)
    convert_command.add_parser(commands)
    given = joined(sys.argv[1:] if arguments is None else arguments)
    # What argparse does not know it takes for a file, if there is a space in it: --lr_warmup.warmup="2 epochs".
    of_the_config = [argument for argument in given if is_of_the_config(argument)]
    options, rest = parser.parse_known_args([argument for argument in given if argument not in of_the_config])
    try:
        options.run(options, [*of_the_config, *rest])
    except (ValueError, ModuleNotFoundError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"error: {f'{error.filename}: ' if error.filename else ''}{error.strerror}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
