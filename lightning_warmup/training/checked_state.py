"""What a checkpoint holds of a callback, looked at before anything is made of it."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from lightning_warmup.training.base_values import State


def checked_state(owner: str, state: State) -> State:
    """The state, if it is one that a callback has saved; empty, it is none.

    Args:
        owner: The callback, quoted in errors.
        state: What the checkpoint has.

    Raises:
        ValueError: If something is missing in it, or is not what it must be. Nothing is trained then.
    """
    if not state:
        return state

    def look(place: str, holder: Any, key: Any, expected: str, right: Callable[[Any], bool], *, needed: bool) -> Any:
        if not isinstance(holder, Mapping) or key not in holder:
            if not needed:
                return None
            raise wrong_state(owner, f"{place}[{key!r}] is missing", expected)
        if not right(holder[key]):
            raise wrong_state(owner, f"{place}[{key!r}] is {holder[key]!r}", expected)
        return holder[key]

    by_index = "a dict by the optimizers' indices"
    optimizers = look("state", state, "optimizers", "a dict", _is_mapping, needed=True)
    for index, optimizer in optimizers.items():
        if not _is_count(index):
            raise wrong_state(
                owner, f"state['optimizers'] has the key {index!r}", "an int (JSON makes strings of them)"
            )
        place = f"state['optimizers'][{index!r}]"
        look(place, optimizer, "steps", "an int ≥ 0", _is_count, needed=True)
        own = look(place, optimizer, "own", _VALUES, _are_values, needed=True)
        what = "an int ≥ 0, or None"
        look(place, optimizer, "warm_at", what, lambda v: v is None or _is_count(v), needed=False)
        look(place, optimizer, "late", "an int ≥ 0, or a list of such and None", _is_late, needed=False)
        for key in ("target", "initial", "undamped"):
            needed = key == "target" or (key == "initial" and bool(optimizer.get("late")))
            values = look(place, optimizer, key, _VALUES, _are_values, needed=needed)
            if values is not None and len(values) != len(own):
                raise wrong_state(owner, f"{place}[{key!r}] is {values!r}", f"as many values as 'own' has, {len(own)}")
        late = optimizer.get("late", 0)
        if (late if isinstance(late, int) else len(late)) > len(own):
            raise wrong_state(owner, f"{place}['late'] is {late!r}", f"no more than 'own' has, {len(own)}")
    for key in ("first_epoch", "first_step", "milliseconds"):
        look("state", state, key, "an int ≥ 0", _is_count, needed=False)
    for key in ("total", "steps", "epochs", "steps_per_epoch", "batch_size"):
        look("state", state, key, "an int ≥ 0, or None", lambda v: v is None or _is_count(v), needed=False)
    look("state", state, "interval", "'step' or 'epoch'", lambda v: v in ("step", "epoch"), needed=False)
    look("state", state, "facts", "a list of five ints or None, or None", _are_facts, needed=False)
    for key in ("past_epochs", "past_samples"):
        look("state", state, key, "a list of pairs of ints", _are_pairs, needed=False)
    for index, plan in (look("state", state, "plans", by_index, _is_by_index, needed=False) or {}).items():
        place = f"state['plans'][{index!r}]"
        look(
            place,
            plan,
            "warmup_interval",
            "'step', 'epoch' or 'time'",
            lambda v: v in ("step", "epoch", "time"),
            needed=True,
        )
        look(place, plan, "warmup", "an int ≥ 0", _is_count, needed=True)
        look(place, plan, "warming", "True or False", lambda v: isinstance(v, bool), needed=True)
        look(place, plan, "decay_start", "an int ≥ 0, or None", lambda v: v is None or _is_count(v), needed=True)
        look(place, plan, "next", "lists of an int, a factor and values", _are_nexts, needed=True)
        look(place, plan, "rest", "two ints ≥ 0 or None, and a factor", _is_rest, needed=False)
        look(place, plan, "ramp", "two ints ≥ 0, and values", _is_ramp, needed=False)
        here = optimizers[index]["own"] if index in optimizers else []
        for values in (*(each[2] for each in plan["next"]), *([plan["ramp"][2]] if "ramp" in plan else [])):
            if len(values) != len(here):
                raise wrong_state(owner, f"{place} has {values!r}", f"as many values as 'own' has, {len(here)}")
    for key in ("next", "groups"):
        look("state", state, key, by_index, _is_by_index, needed=False)
    if (plateau := look("state", state, "plateau", "a dict", _is_mapping, needed=False)) is not None:
        look("state['plateau']", plateau, "factor", "a finite number ≥ 0", _is_value, needed=True)
        look("state['plateau']", plateau, "best", "a number", _is_no_nan, needed=True)
        for key in ("num_bad_epochs", "cooldown_counter", "last_epoch"):
            look("state['plateau']", plateau, key, "an int ≥ 0", _is_count, needed=True)
    if (adaptive := look("state", state, "adaptive", "a dict", _is_mapping, needed=False)) is not None:
        for key in ("share", "rate", "best", "position"):
            what = "a finite number, or None"
            look("state['adaptive']", adaptive, key, what, lambda v: v is None or _is_finite(v), needed=False)
        what = "an int ≥ 0, or None"
        look("state['adaptive']", adaptive, "length", what, lambda v: v is None or _is_count(v), needed=False)
        if "ramp" in adaptive:
            look("state['adaptive']", adaptive, "length", what, lambda v: v is None or _is_count(v), needed=True)
            for key in ("ramp", "max_steps"):
                look("state['adaptive']", adaptive, key, "an int ≥ 1", lambda v: _is_count(v) and v > 0, needed=True)
            for key in ("position", "late_sum"):
                look("state['adaptive']", adaptive, key, "a finite number", _is_finite, needed=True)
            for key in ("step", "late_steps", "halvings", "forwards"):
                look("state['adaptive']", adaptive, key, "an int ≥ 0", _is_count, needed=True)
            what = "a list of finite numbers"
            look("state['adaptive']", adaptive, "losses", what, _are_finite, needed=True)
    return state


_VALUES = "a list of finite numbers ≥ 0"


def wrong_state(owner: str, what: str, expected: str) -> ValueError:
    """The error of a state that is none."""
    return ValueError(
        f"{owner}: the checkpoint's state is not what this callback saves: {what}, expected {expected}. Take a"
        " checkpoint that nobody has changed, or delete this callback's entry from its 'callbacks' to begin without."
    )


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_no_nan(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def _is_finite(value: Any) -> bool:
    return _is_no_nan(value) and math.isfinite(value)


def _is_value(value: Any) -> bool:
    return _is_finite(value) and value >= 0


def _are_values(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_value, value))


def _are_finite(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_finite, value))


def _is_late(value: Any) -> bool:
    return _is_count(value) or (isinstance(value, list) and all(v is None or _is_count(v) for v in value))


def _are_facts(value: Any) -> bool:
    return value is None or (
        isinstance(value, list)
        and len(value) == 5
        and _is_count(value[0])
        and value[1] != 0
        and all(v is None or _is_count(v) for v in value[1:])
    )


def _are_pairs(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(map(_is_count, pair)) for pair in value
    )


def _are_nexts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_next, value))


def _is_next(value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 3:
        return False
    return _is_count(value[0]) and _is_value(value[1]) and _are_values(value[2])


def _is_rest(value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 3:
        return False
    return all(v is None or _is_count(v) for v in value[:2]) and _is_value(value[2])


def _is_ramp(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(map(_is_count, value[:2])) and _are_values(value[2])


def _is_by_index(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_is_count, value))
