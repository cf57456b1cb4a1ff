"""Remember and put back, bit for bit: random states, and all that a training step can change in what it is given."""

import random
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import Module
from torch.optim import Optimizer


@dataclass(frozen=True)
class RandomState:
    """The global random states: Python's, NumPy's, torch's, and the device's own."""

    of_python: Any
    of_numpy: Any
    of_torch: Tensor
    of_device: Tensor | None
    device_type: str

    @classmethod
    def capture(cls, device: torch.device) -> "RandomState":
        """The states as they are now, ``device`` being the one that the training runs on."""
        on_device = None if device.type == "cpu" else getattr(torch, device.type).get_rng_state()
        return cls(random.getstate(), np.random.get_state(), torch.get_rng_state(), on_device, device.type)

    def restore(self) -> None:
        """Set the states to what they were."""
        random.setstate(self.of_python)
        np.random.set_state(self.of_numpy)
        torch.set_rng_state(self.of_torch)
        if self.of_device is not None:
            getattr(torch, self.device_type).set_rng_state(self.of_device)


class Snapshot:
    """What modules, optimizers, containers and tensors hold now, to be put back later.

    Everything is put back in place: the same tensors with the old numbers, the same lists with the old entries,
    attributes and state entries that were not there are gone. Modules (with their parameters, buffers and plain
    attributes: torchmetrics keeps its states there) and optimizers are followed to the end, and so are lists, dicts,
    sets, tuples and deques; generators of random numbers are set back. Other objects (dataclasses, ``UserDict``, arrays
    of NumPy) are looked into with ``objects`` alone; else they are remembered.

    Args:
        roots: What to remember.
        without: Tensors to leave out.
        objects: Whether to look into objects of any kind. A module may hold a whole data set, or its Trainer; what a
            batch, or an optimizer, holds belongs to it.
    """

    def __init__(self, *roots: object, without: Iterable[Tensor] = (), objects: bool = False) -> None:
        self._tensors: list[tuple[Tensor, Tensor]] = []
        self._arrays: list[tuple[Any, Any]] = []
        self._generators: list[tuple[Callable[[Any], object], Any]] = []
        self._containers: list[tuple[Any, Any]] = []
        self._slots: list[tuple[object, dict[str, Any]]] = []
        seen: dict[int, object] = {id(tensor): tensor for tensor in without}
        todo = list(roots)
        while todo:
            value: Any = todo.pop()
            if isinstance(value, Module | Optimizer):
                value = vars(value)
            if id(value) in seen:
                continue
            seen[id(value)] = value
            if isinstance(value, Tensor):
                if not _is_expanded(value):
                    self._tensors.append((value, value.detach().clone()))
            elif isinstance(value, dict):
                self._containers.append((value, dict(value)))
                todo.extend(value.values())
            elif isinstance(value, list | deque | set):
                self._containers.append((value, list(value)))
                todo.extend(value)
            elif isinstance(value, tuple):
                todo.extend(value)
            elif isinstance(value, torch.Generator):
                self._generators.append((value.set_state, value.get_state()))
            elif isinstance(value, random.Random):
                self._generators.append((value.setstate, value.getstate()))
            elif isinstance(value, np.random.RandomState):
                self._generators.append((value.set_state, value.get_state()))
            elif isinstance(value, np.random.Generator):
                self._generators.append((partial(setattr, value.bit_generator, "state"), value.bit_generator.state))
            elif objects and isinstance(value, np.ndarray):
                self._arrays.append((value, value.copy()))
            if objects and not isinstance(value, (Tensor, np.ndarray, *_NOT_OF_A_RUN)):
                slots = {name: getattr(value, name) for name in _slots_of(value) if hasattr(value, name)}
                if slots:
                    self._slots.append((value, slots))
                    todo.extend(slots.values())
                if hasattr(value, "__dict__"):
                    todo.append(vars(value))

    @torch.no_grad()
    def restore(self) -> None:
        """Put everything back. Can be done again and again."""
        for holder, slots in self._slots:
            for name in _slots_of(holder):
                if name in slots:
                    object.__setattr__(holder, name, slots[name])  # a dataclass may be frozen
                elif hasattr(holder, name):
                    object.__delattr__(holder, name)
        for container, entries in self._containers:
            if isinstance(container, dict):
                if not _same([*container, *container.values()], [*entries, *entries.values()]):
                    # Past what a subclass makes of these.
                    kind = OrderedDict if isinstance(container, OrderedDict) else dict
                    kind.clear(container)
                    kind.update(container, entries)
            elif not _same(list(container), entries):
                container.clear()
                (container.update if isinstance(container, set) else container.extend)(entries)
        for tensor, value in self._tensors:
            tensor.copy_(value)
        for array, value in self._arrays:
            if array.flags.writeable:
                array[...] = value
        for set_state, state in self._generators:
            set_state(state)


_NOT_OF_A_RUN = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType, partial)
"""What has attributes, and is no place for what a step changes; hooks may lead from there to the whole Trainer."""


def _slots_of(value: object) -> list[str]:
    """Names of the attributes that an object keeps elsewhere than in its ``__dict__``."""
    named = [vars(kind).get("__slots__", ()) for kind in type(value).__mro__]
    names = [name for slots in named for name in ([slots] if isinstance(slots, str) else slots)]
    return [name for name in names if not name.startswith("__")]


def _is_expanded(tensor: Tensor) -> bool:
    """Whether numbers share their memory: nobody can write such a tensor in place, so it cannot change."""
    if tensor.layout != torch.strided:
        return False
    return any(stride == 0 and size > 1 for stride, size in zip(tensor.stride(), tensor.shape, strict=True))


def _same(now: list[Any], before: list[Any]) -> bool:
    return len(now) == len(before) and all(a is b for a, b in zip(now, before, strict=True))
