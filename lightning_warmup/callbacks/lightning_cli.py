"""What LightningCLI does not know of our callbacks by itself: that a key may be off, and which class a short name is.

Its parser has no hook for either, so what it calls is wrapped, once, when LightningCLI is imported. Everything that is
not ours passes through.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any, get_args

from jsonargparse import ArgumentParser, Namespace

from lightning_warmup.callbacks.schedule_callback import ScheduleCallback
from lightning_warmup.schedule.decays import DecayName, decay_named

_actions: Any = import_module("jsonargparse._actions")
_typehints: Any = import_module("jsonargparse._typehints")


def install() -> None:
    """Teach the parser."""
    # LightningCLI calls the older of the two names, which in newer versions calls the newer one.
    name = "instantiate" if hasattr(ArgumentParser, "instantiate") else "instantiate_classes"
    setattr(ArgumentParser, name, _without_what_is_off(getattr(ArgumentParser, name)))
    if hasattr(_typehints, "subclass_spec_as_namespace"):
        _typehints.subclass_spec_as_namespace = _class_of_a_short_name(_typehints.subclass_spec_as_namespace)
    _actions._ActionConfigLoad.__call__ = _that_may_be_off(_actions._ActionConfigLoad.__call__)


def _without_what_is_off(instantiate: Callable[..., Namespace]) -> Callable[..., Namespace]:
    """``lr_warmup: null`` and ``false`` are a callback that changes nothing."""

    def wrapped(self: ArgumentParser, namespace: Namespace, *args: Any, **kwargs: Any) -> Namespace:
        off = [key for key in our_keys(self) if any(namespace.get(key, ...) is value for value in (None, False))]
        if off:
            namespace = namespace.clone()
            for key in off:
                namespace[key] = Namespace()  # type: ignore[no-untyped-call]
        return instantiate(self, namespace, *args, **kwargs)

    return wrapped


def _that_may_be_off(load: Callable[..., Any]) -> Callable[..., Any]:
    """``--lr_warmup=null`` and ``--lr_warmup=false`` say the same."""

    def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
        # Without arguments it is made, not called.
        if args and self.dest in our_keys(args[0]) and args[2] in ("null", "false"):
            args[1][self.dest] = None
            return None
        return load(self, *args, **kwargs)

    return wrapped


def our_keys(parser: ArgumentParser) -> list[str]:
    """The keys under which a parser has our callbacks."""
    groups: list[Any] = list(parser._action_groups)
    return [group.dest for group in groups if issubclass(getattr(group, "group_class", object), ScheduleCallback)]


def _class_of_a_short_name(spec: Callable[..., Any]) -> Callable[..., Any]:
    """``decay: cosine`` in a file and ``--lr_warmup.decay.final=0.1`` are a CosineDecay."""

    def wrapped(val: Any, prev_val: Any = None) -> Any:
        if isinstance(val, _typehints.NestedArg) and prev_val in get_args(DecayName):
            prev_val = f"lightning_warmup.{type(decay_named(prev_val)).__name__}"
        return spec(val, prev_val)

    return wrapped
