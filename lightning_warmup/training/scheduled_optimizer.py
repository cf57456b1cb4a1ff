"""One optimizer that follows a schedule: what its param groups hold, and who else wrote there."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from torch.optim import Optimizer

from lightning_warmup.schedule.config import ScheduleConfig
from lightning_warmup.schedule.durations import Run
from lightning_warmup.schedule.schedule import Schedule
from lightning_warmup.training import param_groups
from lightning_warmup.training.base_values import BaseValues, State, beta2_of, draw, names_of


class ScheduledOptimizer:
    """Writes a schedule into one hyper-parameter of one optimizer.

    Values are absolute: to write one twice is to write it once. Group objects are never kept, for checkpoints and
    fine-tuning callbacks replace them.

    Args:
        index: Index of the optimizer in the Trainer.
        optimizer: The optimizer.
        key: Entry of its param groups to write.
        base: What it sets out from. With ``base.undamped`` the schedule is a factor on that, and follows it.
        schedule: The schedule.
    """

    def __init__(self, index: int, optimizer: Optimizer, key: str, base: BaseValues, schedule: Schedule) -> None:
        self.index = index
        self.optimizer = optimizer
        self.key = key
        self.schedule = schedule
        self.own = list(base.own)
        self.steps = base.steps
        self.late = base.late
        self.undamped = None if base.undamped is None else list(base.undamped)
        self.written: list[float] = []
        self.written_at = -1
        self._stamps: Sequence[object] = []
        self._writer: param_groups.Writer | None = None
        self._floats = False
        self._entry = param_groups.entry_of(key)

    @property
    def _known_groups(self) -> list[param_groups.ParamGroup]:
        """The groups that there are values for; those added since are still to be adopted."""
        return self.optimizer.param_groups[: len(self.own)]

    def drawn(self, config: ScheduleConfig, run: Run) -> Schedule:
        """The schedule by another configuration, or by the same one over another run; the targets stay."""
        initial, target = list(self.schedule.initial), list(self.schedule.target)
        first = len(self.own) - self.late
        ends = initial[first:], target[first:]
        composes = self.undamped is not None
        base = BaseValues(
            names=names_of(self.optimizer),
            beta2=beta2_of(self.optimizer),
            own=self.own,
            late=self.late,
            target=None if composes else target,
            undamped=self.undamped,
            late_ends=ends,
        )
        return draw(config, run, base)

    def values(self, t: int) -> list[float]:
        """The value of each group at t."""
        values = self.schedule.values(t)
        if self.undamped is not None:
            values = [factor * value for factor, value in zip(values, self.undamped, strict=True)]
        return values

    def write(self, t: int) -> None:
        """Write the value at t."""
        values = self.values(t)
        if self._floats:
            key = self.key
            # zip(strict=True) would take longer than all the rest for one group.
            for group, value in zip(self.optimizer.param_groups, values):  # noqa: B905
                group[key] = value
            self._stamps = values
        else:
            self._write_any(values)
        self.written, self.written_at = values, t

    def _write_any(self, values: list[float]) -> None:
        """Write into groups of which nothing is known, or that hold something else than floats."""
        groups = self._known_groups
        if self._writer is None:
            self._writer = param_groups.fastest_writer(groups, self.key)
            self._floats = param_groups.hold_floats(groups, self.key)
        if len(groups) == len(values):  # else there is nothing right to write, and the next step says so
            self._writer(groups, self.key, values)
        self._stamps = values if self._floats else _stamps(map(self._entry, groups))

    def look_again(self) -> None:
        """Forget whether the groups hold floats or tensors: somebody may have put the one in the place of the other."""
        self._writer, self._floats = None, False

    def untouched(self) -> bool:
        """Whether the groups hold what the last :meth:`write` left there, and there are no others."""
        now = [*map(self._entry, self.optimizer.param_groups)]
        return (now if self._floats else _stamps(now)) == self._stamps

    def overwritten(self) -> int | None:
        """The first group that holds another value than the last :meth:`write` left there, if there is one."""
        if self.untouched():
            return None
        # Whoever was there may have put something else in the place of the entry, if only a tensor of the same value.
        self.look_again()
        entries = map(self._entry, self._known_groups)
        return next((i for i, (a, b) in enumerate(zip(entries, self.written, strict=False)) if _other(a, b)), None)

    def adopt(self) -> list[float]:
        """Take groups in that were added since, each from the value it has: it follows the first group in proportion.

        Returns:
            The values they have now; none if no group is new.
        """
        added = param_groups.read(self.optimizer.param_groups[len(self.own) :], self.key)
        if not added:
            return []
        low, high = self.schedule.initial[0], self.schedule.target[0]
        reference = high if self.undamped is None else self.undamped[0]
        factor = self.written[0] / reference if reference else 0.0
        # At a factor of 0 nothing can be told from the value: it is taken for the target.
        full = [value / factor if factor else value for value in added]
        if self.undamped is None:
            initial, target = [low * value / high if high else value for value in full], full
        else:
            self.undamped += full
            initial, target = [low] * len(full), [high] * len(full)
        self.schedule = self.schedule.extended(initial, target)
        self.own += added
        self.late += len(added)
        self.look_again()
        self.write(self.written_at)
        return added

    def check_shared_tensors(self, owner: str) -> None:
        """One tensor in several groups can hold one value only.

        Raises:
            MisconfigurationException: If it would have to hold different ones.
        """
        values: dict[int, list[float]] = {}
        entries = param_groups.entries(self.optimizer.param_groups, self.key)
        for entry, *ends in zip(entries, self.schedule.initial, self.schedule.target, strict=True):
            if isinstance(entry, torch.Tensor) and values.setdefault(id(entry), ends) != ends:
                raise MisconfigurationException(
                    f"{owner} asks for different values in param groups that share one {self.key!r} tensor. Give each"
                    f" group its own: {{'params': ..., {self.key!r}: torch.tensor(...)}}."
                )

    def state(self, steps: int) -> State:
        """What a resumed run cannot compute again, in plain Python."""
        state: State = {"steps": steps, "own": self.own, "target": list(self.schedule.target)}
        if self.late:
            state["late"] = self.late
            state["initial"] = list(self.schedule.initial)
        if self.undamped is not None:
            state["undamped"] = self.undamped
        return state


def _stamps(entries: Iterable[Any]) -> list[object]:
    """What changes when a group is written: the number itself; of a tensor, its version (reading it would wait).

    The tensor is kept too: while it lives, no other has its id.
    """
    return [(id(entry), entry._version, entry) if isinstance(entry, torch.Tensor) else entry for entry in entries]


def _other(entry: Any, value: float) -> bool:
    """Whether the entry holds another value than this, as its type would have it."""
    if isinstance(entry, torch.Tensor):
        return bool(entry.cpu() != torch.tensor(value, dtype=entry.dtype))
    return bool(entry != value)
