"""LightningCLI takes a class by its short name once that is imported: ours are, as soon as there is a LightningCLI."""

import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

CLIS = ("lightning.pytorch.cli", "pytorch_lightning.cli")


class _Watch(MetaPathFinder):
    """Finds nothing, and sees that a LightningCLI is about to be imported."""

    def __init__(self, load: Callable[[], None]) -> None:
        self._load = load

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname in CLIS:
            sys.meta_path.remove(self)
            self._load()
        return None


def load_with_the_cli(load: Callable[[], None]) -> None:
    """Call ``load`` now, if there is a LightningCLI, or else when there is one."""
    if any(cli in sys.modules for cli in CLIS):
        load()
    else:
        sys.meta_path.insert(0, _Watch(load))
