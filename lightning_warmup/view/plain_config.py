"""A schedule's configuration from the plain data of a YAML, without the callback, and so without Lightning."""

import inspect
from collections.abc import Mapping
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from typing import Any

from lightning_warmup.schedule.config import ScheduleConfig
from lightning_warmup.schedule.sequential import DecayPart

NAMES = {
    "LearningRateWarmup": {"initial": "warmup_initial_lr", "target": "target_lr"},
    "HyperparameterWarmup": {"initial": "initial_value", "target": "target_value"},
}
"""What each callback calls two fields of the configuration; all others have one name."""

OURS = "lightning_warmup"

NOT_OF = {"LearningRateWarmup": {"parameter"}, "HyperparameterWarmup": {"override_module_scheduler"}}


def parameters_of(owner: str) -> dict[str, str]:
    """The parameters of a callback, and the fields of the configuration that they are."""
    fields = [name for name, field in ScheduleConfig.__dataclass_fields__.items() if field.init]
    return {NAMES[owner].get(field, field): field for field in fields if field not in NOT_OF[owner]}


def config_from(owner: str, plain: Mapping[str, Any]) -> ScheduleConfig:
    """What a callback's entry in a YAML configures.

    Args:
        owner: ``"LearningRateWarmup"`` or ``"HyperparameterWarmup"``.
        plain: Its parameters, as YAML has them.

    Raises:
        ValueError: If there is no such parameter, or a value is wrong: what the callback itself would say.
    """
    parameters = parameters_of(owner)
    for name in plain:
        if name not in parameters:
            raise ValueError(f"{owner}({name}={plain[name]!r}): {_unknown(name, list(parameters), 'parameter')}")
    values = {parameters[name]: built(owner, name, value) for name, value in plain.items()}
    if owner == "LearningRateWarmup":
        values["parameter"] = "lr"
        if values.get("initial") == "critical":
            values["initial"] = class_named(owner, "CriticalLearningRate")()
        if values.get("warmup") == "catapult":
            values["warmup"] = class_named(owner, "PersistentCatapultWarmup")()
    elif "parameter" not in values:
        raise ValueError(f"{owner}: which parameter? Give parameter, 'momentum' or 'weight_decay', say.")
    return ScheduleConfig(**values)


def built(owner: str, name: str, value: Any) -> Any:
    """A value of a YAML, ``class_path`` and ``init_args`` in it made what they say."""
    if isinstance(value, Mapping):
        if "class_path" not in value:
            return {key: built(owner, name, entry) for key, entry in value.items()}
        call = f"{owner}({name}={dict(value)!r})"
        if unknown := [key for key in value if key not in ("class_path", "init_args", "dict_kwargs")]:
            raise ValueError(f"{call}: write {unknown[0]!r} under init_args.")
        arguments = [value.get(key) or {} for key in ("init_args", "dict_kwargs")]
        for given in arguments:
            if not isinstance(given, Mapping):
                raise ValueError(f"{call}: {given!r} is no mapping: write the arguments by their names, name: value.")
        return made(call, class_named(call, value["class_path"]), {**arguments[0], **arguments[1]})
    if isinstance(value, list):
        return [_part(owner, entry) if name in ("decay", "parts") else built(owner, name, entry) for entry in value]
    if name == "decay" and names_a_decay(value):
        return built(owner, name, {"class_path": value})
    return value


def names_a_decay(value: Any) -> bool:
    """Whether it is the name of one of our decays, which LightningCLI takes without a ``class_path``."""
    name = str(value).removeprefix(f"{OURS}.")
    return isinstance(value, str) and name.endswith("Decay") and name in import_module(OURS).__all__


def _part(owner: str, entry: Any) -> Any:
    """One of the decays of a list, which YAML may give without a ``class_path``."""
    if isinstance(entry, Mapping) and "class_path" not in entry:
        return made(f"{owner}(decay=[{dict(entry)!r}, ...])", DecayPart, entry)
    return built(owner, "decay", entry)


def made(call: str, shape: Any, arguments: Mapping[str, Any]) -> Any:
    """An object of a class, of arguments as YAML has them."""
    known = inspect.signature(shape).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values())
    values = {}
    for name, value in arguments.items():
        if name not in known and not takes_any:
            raise ValueError(f"{call}: {_unknown(name, list(known), f'argument of {shape.__name__}')}")
        annotation = str(known[name].annotation) if name in known else ""
        module = "torch.optim.lr_scheduler" if "LRScheduler" in annotation else OURS
        values[name] = (
            _callable(call, value, module) if "Callable" in annotation else built(shape.__name__, name, value)
        )
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in values and parameter.kind is not parameter.VAR_KEYWORD:
            raise ValueError(f"{call}: {shape.__name__} needs {name}; write it under init_args.")
    return shape(**values)


def _callable(call: str, value: Any, module: str) -> Any:
    """What a parameter takes that is called: a function by its import path, or a class with arguments for later.

    Args:
        call: What it is an argument of, quoted in errors.
        value: As YAML has it.
        module: Where a name alone is looked up.
    """
    if isinstance(value, str):
        return class_named(call, value if "." in value else f"{module}.{value}")
    if isinstance(value, Mapping) and "class_path" in value:
        return partial(_callable(call, str(value["class_path"]), module), **(value.get("init_args") or {}))
    return value


def class_named(call: str, path: Any) -> Any:
    """The class, or function, with this name of ours or this import path.

    Raises:
        ValueError: If there is none.
    """
    if not isinstance(path, str):
        raise ValueError(f"{call}: class_path is {path!r}; write the name of a class.")
    module, _, name = path.rpartition(".")
    if module in ("", OURS):
        public = import_module(OURS)
        if name not in public.__all__:
            raise ValueError(f"{call}: {_unknown(name, public.__all__, 'class of lightning_warmup')}")
        return getattr(public, name)
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{call}: {path!r} cannot be imported: {error}.") from None


def _unknown(name: str, known: list[str], what: str) -> str:
    close = get_close_matches(str(name), known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else f" There are {', '.join(known)}."
    return f"{name!r} is no {what}.{hint}"
