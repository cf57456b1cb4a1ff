"""Run the parts, or take them up where they were left.

PYTHONPATH=benchmarks python -m evidence.run                       # all; a part takes under ten minutes
PYTHONPATH=benchmarks python -m evidence.run post-ln plane-mlp-sgd  # these
"""

import argparse
import time

from evidence import results
from evidence.cells import PARTS
from evidence.training import run


def run_part(name: str) -> None:
    """What is missing of it; written now and then, so that little is lost."""
    path = results.FOLDER / f"{name}.json"
    known = results.read(path)
    left = results.missing(PARTS[name], known)
    start = written = time.monotonic()
    try:
        for cell in left:
            known.rows[cell] = run(cell)
            if time.monotonic() - written > 20:
                known.write(path)
                written = time.monotonic()
    finally:  # a run that is broken off, too
        known.write(path)
    print(f"{name}: {len(known.rows)} runs, {len(left)} of them now, in {time.monotonic() - start:.0f} s", flush=True)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", choices=[*PARTS, []], help=", ".join(PARTS))
    for name in parser.parse_args().parts or PARTS:
        run_part(name)


if __name__ == "__main__":
    main()
