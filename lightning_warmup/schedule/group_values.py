"""Where each param group's warmup starts and what it leads to: one number for all groups, or one by group name."""

from collections.abc import Mapping, Sequence

from lightning_warmup.schedule.checks import PERCENT, is_number
from lightning_warmup.schedule.scaling import BatchSizeScaling


def check_spec(owner: str, name: str, spec: object, *, relative: bool) -> None:
    """Check the numbers of a group value at construction.

    Args:
        owner: Class, quoted in errors.
        name: Parameter, quoted in errors.
        spec: A number, or a mapping from group name to one; None stands for the default.
        relative: Whether ``"4%"`` (of the target) is a legal value.

    Raises:
        ValueError: If a value is no number, not finite, or negative.
    """
    if isinstance(spec, Mapping):
        if not spec:
            raise ValueError(f"{owner}({name}={{}}) names no group: leave it out, or give {{'default': ...}}.")
        for value in spec.values():
            _check_value(f"{owner}({name}={dict(spec)!r})", value, relative)
    else:
        _check_value(f"{owner}({name}={spec!r})", spec, relative)


def _check_value(call: str, value: object, relative: bool) -> None:
    if value is None or (relative and isinstance(value, str) and PERCENT.fullmatch(value)):
        return
    number = as_number(value)
    if number is None or number < 0:
        forms = "a finite number ≥ 0" + (", '4%' of the target" if relative else "")
        forms += ", 'critical'" if call.startswith("LearningRateWarmup(warmup_initial_lr") else ""
        raise ValueError(f"{call}: {value!r} is no value. Expected {forms}, or a mapping from group name to one.")


def as_number(value: object) -> float | None:
    """The number, also where plain YAML left it a string (it reads ``1e-6`` as one); None if it is none."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    return float(value) if is_number(value) else None  # type: ignore[arg-type]


def by_group(owner: str, name: str, spec: object, names: Sequence[str | None]) -> list[object]:
    """One entry of ``spec`` for each group, ``names`` being the groups' names (None: unnamed).

    Raises:
        ValueError: If a mapping names a group that is not there, or misses one and has no ``default``.
    """
    if not isinstance(spec, Mapping):
        return [spec] * len(names)
    call = f"{owner}({name}={dict(spec)!r})"
    there = ", ".join(sorted({repr(name) for name in names if name is not None})) or "none"
    unknown = [key for key in spec if key != "default" and key not in names]
    if unknown:
        raise ValueError(
            f"{call} names the group {unknown[0]!r}, which the optimizer does not have. Named groups: {there}. Correct"
            " the name, or give the group one: {'params': ..., 'name': " + repr(unknown[0]) + "}."
        )
    missing = [group for group in names if group not in spec]
    if missing and "default" not in spec:
        which = "an unnamed group" if missing[0] is None else f"the group {missing[0]!r}"
        raise ValueError(f"{call} says nothing of {which}: add it, or a 'default'. Named groups: {there}.")
    return [spec[group] if group in spec else spec["default"] for group in names]


def target_values(
    owner: str, name: str, spec: object, names: Sequence[str | None], own: Sequence[float], multiplier: float | None
) -> list[float]:
    """Target of each group.

    Args:
        owner: Class, quoted in errors.
        name: Parameter, quoted in errors.
        spec: None (the group's own value), a number, a mapping, or a batch size scaling.
        names: Names of the groups.
        own: The groups' own values.
        multiplier: Target over own value, where ``spec`` is a batch size scaling.
    """
    if isinstance(spec, BatchSizeScaling):
        assert multiplier is not None
        return [value * multiplier for value in own]
    entries = [as_number(entry) for entry in by_group(owner, name, spec, names)]
    return [mine if entry is None else entry for entry, mine in zip(entries, own, strict=True)]


def initial_values(
    owner: str, name: str, spec: object, names: Sequence[str | None], target: Sequence[float], default: Sequence[float]
) -> list[float]:
    """Initial value of each group: a number, a share of its target, or the default where nothing is given."""
    initial = []
    for entry, high, fallback in zip(by_group(owner, name, spec, names), target, default, strict=True):
        if isinstance(entry, str) and (percent := PERCENT.fullmatch(entry)):
            initial.append(high * float(percent[1]) / 100)
        else:
            number = as_number(entry)
            initial.append(fallback if number is None else number)
    return initial
