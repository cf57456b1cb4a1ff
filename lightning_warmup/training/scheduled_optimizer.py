"""One optimizer that follows a schedule: what its param groups hold, and who else wrote there."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch.optim import Optimizer

from lightning_warmup.schedule.config import ScheduleConfig
from lightning_warmup.schedule.durations import Run
from lightning_warmup.schedule.rest import Rest
from lightning_warmup.schedule.resumed import PlanBefore, Ramp, of_groups, ramp_of
from lightning_warmup.schedule.schedule import Schedule
from lightning_warmup.training import param_groups
from lightning_warmup.training.base_values import BaseValues, State, beta2_of, names_of
from lightning_warmup.training.lightning_names import MisconfigurationException


class Regrouped(NamedTuple):
    """What has become of an optimizer's param groups: the values of those that are new, and which are gone."""

    added: list[float]
    gone: list[str]


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
        late_warmup: Optimizer steps over which a group that comes late is warmed up, from its own first step.
    """

    def __init__(
        self, index: int, optimizer: Optimizer, key: str, base: BaseValues, schedule: Schedule, late_warmup: int = 0
    ) -> None:
        self.index = index
        self.optimizer = optimizer
        self.key = key
        self.schedule: Schedule = schedule
        self.own: list[float] = list(base.own)
        self.late: list[int | None] = list(base.late)
        self.undamped: list[float] | None = None if base.undamped is None else list(base.undamped)
        self.steps: int = base.steps
        self.warm_at: int | None = base.warm_at
        self.late_warmup = late_warmup
        self.before: PlanBefore | None = base.before
        """The plan that the run was on before it was resumed, until its first step."""
        self.rest: Rest | None = base.rest
        self.ramp: Ramp | None = None
        self.written: list[float] = []
        self.written_at: int = -1
        self._stamps: Sequence[object] = []
        self._writer: param_groups.Writer | None = None
        self._floats = False
        self._entry = param_groups.entry_of(key)
        self._identities = [_identity(group) for group in optimizer.param_groups[: len(self.own)]]
        self._warming_until = self._end_of_late_warmups()

    @property
    def _known_groups(self) -> list[param_groups.ParamGroup]:
        """The groups that there are values for; those added since are still to be adopted."""
        return self.optimizer.param_groups[: len(self.own)]

    def base(self, epoch: int) -> BaseValues:
        """What the optimizer would set out from, if its schedule were drawn anew in ``epoch``; its targets stay."""
        initial, target = self.schedule.initial, self.schedule.target
        return BaseValues(
            names=names_of(self.optimizer),
            beta2=beta2_of(self.optimizer),
            own=self.own,
            late=self.late,
            late_ends=[
                None if since is None else (low, high)
                for since, low, high in zip(self.late, initial, target, strict=True)
            ],
            steps=self.steps,
            target=None if self.undamped is not None else list(target),
            undamped=self.undamped,
            before=self.before,
            rest=self.rest,
            epoch=epoch,
            warm_at=self.warm_at,
        )

    def ramp_on(self, config: ScheduleConfig, run: Run, base: BaseValues, schedule: Schedule) -> Ramp | None:
        """The ramp of ``resume_warmup`` that leads to ``schedule``, where a run is just being resumed; else what it is.

        Args:
            config: What the user configured.
            run: The run that is planned over.
            base: What the schedule was drawn from.
            schedule: The schedule.
        """
        if base.before is None:
            return self.ramp
        t = self.steps if schedule.by_step else base.epoch
        return ramp_of(
            config, run, schedule, base.before, t, lambda at: self._planned(schedule, at, self.steps + at - t)
        )

    def _end_of_late_warmups(self) -> int:
        """Step from which all groups that came late have what they would have without a warmup of their own."""
        return max((since + self.late_warmup for since in self.late if since is not None), default=0)

    @property
    def warms_late_groups(self) -> bool:
        """Whether a late group is warming up, or has just done so: its value changes with every step."""
        return 0 < self.steps <= self._warming_until

    def values(self, t: int, steps: int) -> list[float]:
        """The value of each group at t, after so many optimizer steps."""
        values = self._planned(self.schedule, t, steps)
        return values if self.ramp is None else self.ramp.values(t, values)

    def planned(self, t: int) -> list[float]:
        """What the schedule alone has for each group at t, were no step taken but those until then."""
        return self._planned(self.schedule, t, self.steps + t - self.written_at)

    def _planned(self, schedule: Schedule, t: int, steps: int) -> list[float]:
        """What ``schedule`` alone has for each group, without a ramp."""
        values = schedule.values(t)
        if self.undamped is not None:
            values = [factor * value for factor, value in zip(values, self.undamped, strict=True)]
        return self._of_late_groups(values, steps)

    def _of_late_groups(self, values: list[float], steps: int) -> list[float]:
        """``values``, but less for groups that came late: value(0) of their own warmup is 1/(N+1), value(N) all."""
        if steps >= self._warming_until:
            return values
        return [
            value if since is None else value * min(1.0, (steps - since + 1) / (self.late_warmup + 1))
            for value, since in zip(values, self.late, strict=True)
        ]

    def rates(self) -> list[float]:
        """What each group would have at the next step, were it to take the target."""
        return self._of_late_groups(list(self.undamped or self.schedule.target), self.steps)

    def write(self, t: int) -> None:
        """Write the value at t."""
        if self.undamped is None and self.ramp is None and self.steps >= self._warming_until:
            values = self.schedule.values(t)
        else:
            values = self.values(t, self.steps)
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

    def regroup(self) -> "Regrouped | None":
        """Follow param groups that were taken away, moved or added; which is which, their parameters tell.

        One that is new follows the first group in proportion, from the value it has.

        Returns:
            What has become of them; None if nothing has.

        Raises:
            ValueError: If none of the groups is one that was there.
        """
        groups = self.optimizer.param_groups
        now = [_identity(group) for group in groups]
        if now == self._identities:
            return None
        places: list[int | None] = []
        for i, identity in enumerate(now):
            there = (j for j, known in enumerate(self._identities) if j not in places and _same(identity, known))
            places.append(i if i < len(self.own) and _same(identity, self._identities[i]) else next(there, None))
        kept = [place for place in places if place is not None]
        if not kept:
            raise ValueError("all of its param groups are others")
        values = param_groups.read(groups, self.key)
        gone = [f"group {j}" for j in range(len(self.own)) if j not in kept]
        added = [value for value, place in zip(values, places, strict=True) if place is None]
        self._identities = now
        if not gone and not added and places == sorted(kept):
            return None  # the same groups, with more parameters or fewer
        first = kept[0]
        low, high = self.schedule.initial[first], self.schedule.target[first]
        reference = high if self.undamped is None else self.undamped[first]
        factor = self.written[first] / reference if reference else 0.0
        initial, target, undamped = [], [], []
        for value, place in zip(values, places, strict=True):
            if place is not None:
                initial.append(self.schedule.initial[place])
                target.append(self.schedule.target[place])
                undamped.append(0.0 if self.undamped is None else self.undamped[place])
                continue
            # At a factor of 0 nothing can be told from the value: it is taken for the target.
            full = value / factor if factor else value
            undamped.append(full)
            target.append(full if self.undamped is None else high)
            initial.append(low if self.undamped is not None else low * full / high if high else full)
        beta2 = (
            [self.schedule.beta2[0 if place is None else place] for place in places] if self.schedule.beta2 else None
        )
        self.schedule = self.schedule.of_groups(initial, target, beta2)
        self.own = [value if place is None else self.own[place] for value, place in zip(values, places, strict=True)]
        self.late = [self.steps if place is None else self.late[place] for place in places]
        self.undamped = None if self.undamped is None else undamped
        self.ramp = None if self.ramp is None else of_groups(self.ramp, places, target, 1 / (self.late_warmup + 1))
        self._warming_until = self._end_of_late_warmups()
        self.look_again()
        self.write(self.written_at)
        return Regrouped(added, gone)

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
        if any(since is not None for since in self.late):
            state["late"] = self.late
            state["initial"] = list(self.schedule.initial)
        if self.undamped is not None:
            state["undamped"] = self.undamped
        if self.warm_at is not None:
            state["warm_at"] = self.warm_at
        return state


def _identity(group: param_groups.ParamGroup) -> frozenset[int]:
    """What tells a group from others while its parameters live."""
    return frozenset(map(id, group["params"]))


def _same(identity: frozenset[int], known: frozenset[int]) -> bool:
    return bool(identity & known) or identity == known


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
