"""What LightningCLI does not know of our callbacks by itself.

A key may be off, a short name is a class, and of what is wrong there is one thing to say: ours. Its parser has no hook
for any of it, so what it calls is wrapped, once, when LightningCLI is imported. What is not ours passes through.
"""

import re
from argparse import _SubParsersAction
from collections.abc import Callable
from importlib import import_module
from itertools import takewhile
from traceback import walk_tb
from typing import Any, get_args

from jsonargparse import ArgumentParser, Namespace

from lightning_warmup.callbacks.parser_words import in_our_words
from lightning_warmup.callbacks.schedule_callback import ScheduleCallback
from lightning_warmup.schedule.decays import DecayName, decay_named
from lightning_warmup.view.plain_config import NAMES

try:
    _actions: Any = import_module("jsonargparse._actions")
    _formatters: Any = import_module("jsonargparse._formatters")
    _typehints: Any = import_module("jsonargparse._typehints")
except ImportError:  # a version that is built otherwise keeps its own ways
    _actions = _formatters = _typehints = None


def install() -> None:
    """Teach the parser."""
    # LightningCLI calls the older of the two names, which in newer versions calls the newer one.
    name = "instantiate" if hasattr(ArgumentParser, "instantiate") else "instantiate_classes"
    setattr(ArgumentParser, name, _told(_without_what_is_off(getattr(ArgumentParser, name))))
    if hasattr(_typehints, "subclass_spec_as_namespace"):
        _typehints.subclass_spec_as_namespace = _class_of_a_short_name(_typehints.subclass_spec_as_namespace)
    ArgumentParser.error = _in_our_words(ArgumentParser.error)  # type: ignore[method-assign]
    config_load: Any = getattr(_actions, "_ActionConfigLoad", None)
    if hasattr(config_load, "_load_config"):
        config_load._load_config = _that_may_be_off(config_load._load_config)
    formatter: Any = getattr(_formatters, "DefaultHelpFormatter", None)
    if hasattr(formatter, "_split_lines"):
        formatter._split_lines = _a_line_for_each_name(formatter._split_lines)


def _without_what_is_off(instantiate: Callable[..., Namespace]) -> Callable[..., Namespace]:
    """``lr_warmup: null`` and ``false`` are a callback that changes nothing."""

    def wrapped(self: ArgumentParser, namespace: Namespace, *args: Any, **kwargs: Any) -> Namespace:
        off = [key for key in our_keys(self) if any(namespace.get(key, ...) is value for value in (None, False))]
        if off:
            namespace = namespace.clone()
            for key in off:
                namespace[key] = Namespace()  # type: ignore[no-untyped-call]
        for key in our_keys(self):
            if not isinstance(value := namespace.get(key, {}), Namespace | dict):
                self.error(f'Parser key "{key}": no mapping. Got value: {value!r}')
        return instantiate(self, namespace, *args, **kwargs)

    return wrapped


def _that_may_be_off(load: Callable[..., Any]) -> Callable[..., Any]:
    """``--lr_warmup=null`` and ``--lr_warmup=false`` say the same, and so does an environment variable."""

    def wrapped(self: Any, value: Any, parser: ArgumentParser) -> Any:
        return None if value in ("null", "false") and self.dest in our_keys(parser) else load(self, value, parser)

    return wrapped


def _told(instantiate: Callable[..., Namespace]) -> Callable[..., Namespace]:
    """What a constructor of ours refuses ends the command line as a parser's error does, not in a traceback."""

    def wrapped(self: ArgumentParser, *args: Any, **kwargs: Any) -> Namespace:
        try:
            return instantiate(self, *args, **kwargs)
        except ValueError as error:
            words = _of_ours(error) if self.exit_on_error else None
            if words is not None:
                self.exit(2, f"error: {words}\n")
            raise

    return wrapped


def _of_ours(error: ValueError) -> str | None:
    """What a class of ours has said, if the parser called it, and not the user's own code."""
    names = "|".join(import_module("lightning_warmup").__all__)
    among = re.search(rf"^ *- ((?:{names})\b[^\n]+)", str(error), re.MULTILINE)
    if among and "Does not validate against any of the Union" in str(error):
        return among[1]  # the parser has tried every type of a list's entries
    modules = [frame.f_globals.get("__name__", "") for frame, _ in walk_tb(error.__traceback__)]
    called = [name for name in modules if name != __name__]
    callers = list(takewhile(lambda name: not name.startswith("lightning_warmup."), called))
    directly = callers[-1:] and callers[-1].startswith("jsonargparse.")
    return str(error) if directly and called[-1].startswith("lightning_warmup.") else None


def _in_our_words(error: Callable[..., Any]) -> Callable[..., Any]:
    """No usage, and one message, where the parser refuses something of ours."""

    def wrapped(self: ArgumentParser, message: str, ex: Exception | None = None) -> Any:
        words = in_our_words(message, _owners(self)) if self.exit_on_error else None
        if words is not None:
            self.exit(2, f"error: {words}\n")
        return error(self, message, ex)

    return wrapped


def _owners(parser: ArgumentParser) -> dict[str, str]:
    """The keys that are ours, those of subcommands among them, and the callback of each."""
    # A subclass of the user's may have other parameters.
    classes = {group.dest: group.group_class.__name__ for group in _our_groups(parser)}
    owners = {key: owner for key, owner in classes.items() if owner in NAMES}
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            for name, subparser in action.choices.items():
                of_it = _owners(subparser)
                owners |= of_it | {f"{name}.{key}": owner for key, owner in of_it.items()}
    return owners


def our_keys(parser: ArgumentParser) -> list[str]:
    """The keys under which a parser has our callbacks."""
    return [group.dest for group in _our_groups(parser)]


def _our_groups(parser: ArgumentParser) -> list[Any]:
    groups: list[Any] = list(parser._action_groups)
    return [group for group in groups if issubclass(getattr(group, "group_class", object), ScheduleCallback)]


def _class_of_a_short_name(spec: Callable[..., Any]) -> Callable[..., Any]:
    """``decay: cosine`` in a file and ``--lr_warmup.decay.final=0.1`` are a CosineDecay."""

    def wrapped(val: Any, prev_val: Any = None) -> Any:
        if isinstance(val, _typehints.NestedArg) and prev_val in get_args(DecayName):
            prev_val = f"lightning_warmup.{type(decay_named(prev_val)).__name__}"
        return spec(val, prev_val)

    return wrapped


def _a_line_for_each_name(split: Callable[[Any, str, int], list[str]]) -> Callable[[Any, str, int], list[str]]:
    """In ``--help``, a line that opens with ```name`` (`` stands alone, as it does in the docstring."""

    def wrapped(self: Any, text: str, width: int) -> list[str]:
        paragraphs: list[tuple[bool, str]] = [(False, "")]
        for line in text.splitlines():
            of_a_name = re.match(r"\s*``\w+`` \(", line) is not None
            if of_a_name or paragraphs[-1][0]:
                paragraphs.append((of_a_name, line))
            else:
                paragraphs[-1] = False, f"{paragraphs[-1][1]} {line}"
        return [
            "  " * of_a_name + shown
            for of_a_name, paragraph in paragraphs
            for shown in split(self, paragraph, width - 2 * of_a_name)
        ]

    return wrapped
