"""Where modules of version 0.1.0 went: pickles and YAMLs that name them still load.

Of a pickled callback only what was configured is taken over (``ScheduleCallback.__setstate__``), so of classes that
were of the inside nothing is needed but a name: they load as :class:`Gone`.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

MOVED: dict[str, list[str]] = {
    "adaptive": [],
    "announce": [],
    "beta2_warmups": ["schedule.beta2_warmups"],
    "catapult": ["critical.catapult"],
    "critical_lr": ["critical.search", "critical.critical_start"],
    "critical_lr_probe": [],
    "curve": [],
    "decays": ["schedule.decays", "schedule.step_decays", "schedule.restarts"],
    "durations": ["schedule.durations"],
    "gi_adam": ["callbacks.gradient_initialized_adam"],
    "group_values": ["schedule.group_values"],
    "module_scheduler": [],
    "monitors": ["callbacks.loss_spike_monitor", "callbacks.critical_learning_rate_monitor"],
    "param_groups": [],
    "plateau": ["schedule.plateau_decay"],
    "run_length": [],
    "scaling": ["schedule.scaling"],
    "schedule_callback": [],
    "settings": [],
    "starting_point": [],
    "step_counter": [],
    "torch_decay": ["training.torch_decay"],
    "track": [],
    "warmups": ["schedule.warmups"],
}
"""Modules of 0.1.0, and where the classes are that they had."""


class Gone:
    """What is left of a class that is no more: the attributes of its instances."""

    def __init__(self, *_: object) -> None:
        """Refuse to be used: a pickle does not call this."""
        raise TypeError("This was of the inside of lightning_warmup 0.1.0 and is no more; only its pickles load.")


class _MovedModules(MetaPathFinder, Loader):
    """Finds the modules of 0.1.0."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, name = fullname.partition(".")
        return ModuleSpec(fullname, self) if package == __package__ and name in MOVED else None

    def exec_module(self, module: ModuleType) -> None:
        for new in MOVED[module.__name__.partition(".")[2]]:
            there = import_module(f"{__package__}.{new}")
            vars(module).update({name: value for name, value in vars(there).items() if not name.startswith("__")})
        vars(module)["__getattr__"] = _gone


def _gone(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return Gone


sys.meta_path.append(_MovedModules())
