"""What is wrong with a value of ours, in our own words, where LightningCLI's parser has refused it.

The parser tells of every type that the value is not. In its message are the key and the value: what they configure is
made without the parser, as the preview does, and what that refuses is what there is to say.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import import_module
from typing import Any

from lightning_warmup.view.plain_config import OURS, class_named, config_from, made

_KEY = re.compile(r'Parser key "([^"]+)"')
# The last one: the innermost comes first.
_VALUE = re.compile(r".*(?:Given value type: <class '([\w.]+)'>\s+Given value|Got value): (.*)\Z", re.DOTALL)
_CLASS = re.compile(rf"Problem with given class_path '{OURS}\.(\w+)'")
_NO_OPTION = re.compile(r"(?:Group '([^']+)'|Subcommand '\w+') does not accept option '([^']+)'")
_UNRECOGNIZED = re.compile(r"unrecognized arguments: --(\S+?)=(.*?)(?: --.*)?\Z", re.DOTALL)
_NO_CONFIG = re.compile(r"Unable to load config '([^\n]*)'")
_REQUIRED = re.compile(r"the following arguments are required: ([\w, ]+)")
_CALLBACKS = "trainer.callbacks"


def in_our_words(message: str, owners: Mapping[str, str]) -> str | None:
    """What is wrong, None where it is nothing of ours.

    Args:
        message: The parser's.
        owners: The keys that are ours, and the callback of each.

    >>> in_our_words("unrecognized arguments: --lr_warmup.warmap=5", {"lr_warmup": "LearningRateWarmup"})
    "lr_warmup.warmap: LearningRateWarmup(warmap=5): 'warmap' is no parameter. Did you mean 'warmup'?"
    """
    option = _NO_OPTION.search(message)
    if option is not None:
        key, value = ".".join(filter(None, option.groups())), None
    elif unrecognized := _UNRECOGNIZED.search(message):
        key, value = unrecognized[1], _literal(unrecognized[2])
    else:
        found, given = _KEY.search(message), _VALUE.search(message)
        unread = _NO_CONFIG.search(message)
        if found is None or (given is None and unread is None):
            return None  # older parsers do not tell the value
        key, value = found[1], unread[1] if unread else None
        if given is not None:
            value = given[2] if given[1] == "str" else _literal(given[2])
    if key.endswith(_CALLBACKS):
        return _first(key, _of_callbacks(value, message))
    for ours, owner in owners.items():
        if key.startswith(f"{ours}."):
            name = key.removeprefix(f"{ours}.")
            name, _, rest = name.partition(".")
            value = _NestedArg(rest, value) if rest else value
            words = _first(key, [partial(_check, owner, name, value, message)])
            # What an option adds to may have what it alone lacks.
            if words is None or (isinstance(value, _NestedArg) and re.search(r": \w+ needs \w+; write it", words)):
                words = _refused(key, owner, name, value, message)
            return words.replace(f"({name}=None)", f"({name}=...)", 1) if option else words
        if key == ours:
            return _not_a_mapping(key, value)
    return None


def _not_a_mapping(key: str, value: object) -> str:
    """What is wrong with a key that has no parameters below it."""
    also = ", and no file that can be read" if isinstance(value, str) else ""
    return (
        f"{key}: {value!r} is no mapping{also}: write the parameters of {key} below it, or null where it is to be off."
    )


class _NestedArg:
    """An option of what stands under a key already: ``--lr_warmup.decay.final=0.1``."""

    def __init__(self, key: str, val: Any) -> None:
        self.key = key
        self.val = val


def _check(owner: str, name: str, value: Any, message: str) -> None:
    """Raise what is wrong with one parameter."""
    config_from(owner, {**_needed(owner, name), name: _as_written(value, message)})


def _needed(owner: str, name: str) -> dict[str, Any]:
    return {"parameter": "momentum"} if owner == "HyperparameterWarmup" and name != "parameter" else {}


def _of_callbacks(value: Any, message: str) -> Iterator[Callable[[], object]]:
    """What makes each of our callbacks in a list."""
    written = _as_written(value, message)
    for entry in written if isinstance(written, list) else [written]:
        path = entry.get("class_path") if isinstance(entry, dict) else None
        module, _, name = str(path).rpartition(".")
        if not isinstance(entry, dict) or (module != OURS and (module or name not in import_module(OURS).__all__)):
            continue
        arguments = entry.get("init_args") or {}
        if misplaced := [key for key in entry if key not in ("class_path", "init_args", "dict_kwargs")]:
            yield partial(_raise, f"{name}: write {misplaced[0]!r} under init_args.")
        elif name in ("LearningRateWarmup", "HyperparameterWarmup"):
            yield partial(config_from, name, arguments)
        else:
            yield partial(_made, name, arguments)


def _made(name: str, arguments: Mapping[str, Any]) -> object:
    return made(name, class_named(name, name), arguments)


def _raise(message: str) -> None:
    raise ValueError(message)


def _as_written(value: Any, message: str) -> Any:
    """A value as YAML has it: a nested option below its class, and without what the parser has filled in."""
    if isinstance(value, _NestedArg):
        shape = _CLASS.search(message)
        return {"class_path": shape[1], "init_args": {value.key: value.val}} if shape else {value.key: value.val}
    required = _REQUIRED.search(message)
    return _without(value, required[1].split(", ")) if required else value


def _without(value: Any, missing: list[str]) -> Any:
    """A value without the arguments that are missing, for which the parser has put None."""
    if isinstance(value, list):
        return [_without(entry, missing) for entry in value]
    if not isinstance(value, dict):
        return value
    return {k: _without(v, missing) for k, v in value.items() if v is not None or k not in missing}


def _first(key: str, checks: Any) -> str | None:
    for check in checks:
        try:
            check()
        except (ValueError, TypeError) as error:
            return f"{key}: {error}"
        except Exception:  # a class of the user's, whose words these are not
            return None
    return None


def _refused(key: str, owner: str, name: str, value: Any, message: str) -> str:
    """What is left to say of what the parser alone refuses."""
    if isinstance(value, _NestedArg):
        shape = _CLASS.search(message)
        call = f"{shape[1] if shape else owner}({value.key}={value.val!r})"
        more = f"--{key}.help={shape[1]}" if shape else "--help"
        return f"{key}.{value.key}: {call} is no value for it; {more} says what it takes."
    return f"{key}: {owner}({name}={value!r}) is no value for it; --help says what it takes."


def _literal(text: str) -> Any:
    """What a repr stands for, one of the parser's objects in it as plain data; a str where it is none."""
    try:
        return _plain(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError):
        return text


def _of_text(value: Any) -> Any:
    return _literal(value) if isinstance(value, str) else value


def _plain(node: ast.expr) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        values = {keyword.arg: _plain(keyword.value) for keyword in node.keywords}
        return _NestedArg(values["key"], _of_text(values["val"])) if node.func.id == "NestedArg" else values
    if isinstance(node, ast.Dict):
        return {
            _plain(key): _plain(value) for key, value in zip(node.keys, node.values, strict=True) if key is not None
        }
    if isinstance(node, ast.List):
        return [_plain(entry) for entry in node.elts]
    if isinstance(node, ast.Name) and node.id in ("nan", "inf"):
        return float(node.id)
    return ast.literal_eval(node)
