"""What the YAML of a LightningCLI says of schedules and of the run, without importing anybody's model."""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from inspect import signature
from pathlib import Path
from typing import Any

from lightning_warmup.schedule.config import ScheduleConfig
from lightning_warmup.view.plain_config import class_named, config_from, names_a_decay, parameters_of

CALLBACKS = ("LearningRateWarmup", "HyperparameterWarmup")

KEYS = ("lr_warmup", "trainer", "model", "data", "optimizer", "lr_scheduler", "seed_everything", "ckpt_path")
"""What a LightningCLI has, whether the file names it or not."""

PREVIEWS = (
    *("lr", "steps-per-epoch", "max-epochs", "max-steps", "accumulate-grad-batches", "devices", "betas", "batch-size"),
    *("width", "output", "csv", "json"),
)
"""The preview's own options."""

OF_THE_TRAINER = (
    *("max_epochs", "max_steps", "accumulate_grad_batches", "limit_train_batches", "overfit_batches"),
    *("devices", "num_nodes", "callbacks"),
)
"""What is read of the Trainer's arguments."""


def load(path: Path) -> dict[str, Any]:
    """The file as a mapping.

    Raises:
        ValueError: If it cannot be read, or is none.
    """
    try:
        content = parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise ValueError(f"{path} is no YAML: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, where a LightningCLI's config is a mapping.")
    return content


def parse(text: str) -> Any:
    """YAML as jsonargparse reads it: 1e-3 is a number, as in YAML 1.2.

    Raises:
        ValueError: If it is none.

    >>> parse("{lr: 1e-3, warmup: 5%}")
    {'lr': 0.001, 'warmup': '5%'}
    """
    import yaml

    class Loader(yaml.SafeLoader):
        """With the floats of YAML 1.2."""

    number = r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)|[-+]?[0-9]*\.[0-9]+|[-+]?[0-9]+\.|[-+]?\.inf|\.nan"
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(f"^(?:{number})$"), list("-+0123456789."))
    try:
        return yaml.load(text, Loader=Loader)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None


def joined(arguments: Sequence[str]) -> list[str]:
    """A command line with ``--a.b=value`` for ``--a.b value``, which training takes too.

    >>> joined(["--lr_warmup.warmup", "5%", "--lr", "0.1", "run.yaml"])
    ['--lr_warmup.warmup=5%', '--lr', '0.1', 'run.yaml']
    """
    together: list[str] = []
    for argument in arguments:
        name = re.fullmatch(r"--([\w.]+)\+?", together[-1]) if together else None
        if name is not None and ("." in name[1] or name[1] in KEYS) and not argument.startswith("--"):
            together[-1] += f"={argument}"
        else:
            together.append(argument)
    return together


def is_of_the_config(argument: str) -> bool:
    """Whether an argument of the command line sets an entry of the config.

    >>> [is_of_the_config(argument) for argument in ("--lr_warmup.warmup=2 epochs", "--lr=0.1", "--max-steps=5")]
    [True, False, False]
    """
    option = re.match(r"--([\w.]+)\+?=", argument)
    return option is not None and option[1] not in PREVIEWS


def override(content: dict[str, Any], option: str) -> None:
    """Set what ``--a.b.c=value`` says, as LightningCLI does.

    In a list it is the last entry, and in an object its ``init_args``; a short name becomes the class it stands for.

    Raises:
        ValueError: If it is no such option.

    >>> content = {"lr_warmup": {"decay": "cosine"}}
    >>> override(content, "--lr_warmup.decay.final=0.1")
    >>> content
    {'lr_warmup': {'decay': {'class_path': 'CosineDecay', 'init_args': {'final': 0.1}}}}
    """
    name, equals, value = option.partition("=")
    first = name[2:].split(".")[0].rstrip("+")
    meant = get_close_matches(first, {*content, *KEYS, *PREVIEWS}, n=1, cutoff=0.8)
    if name.startswith("--") and meant and first not in {*content, *KEYS}:
        raise ValueError(f"{option!r}: neither the file nor the preview has {first!r}. Did you mean '--{meant[0]}'?")
    if not name.startswith("--") or not equals:
        raise ValueError(f"{option!r} is no option of the config: write --{name.lstrip('-')}=value.")
    *path, last = name[2:].split(".")
    appends, last = last.endswith("+"), last.removesuffix("+")
    node: Any = content
    for key in path:
        node = _entered(node, key, option)
    if appends:
        entry = parse(value)
        if not isinstance(node.get(last) or [], list):
            raise ValueError(f"{option}: {last} is {node[last]!r}, no list that can be added to.")
        node[last] = node.get(last) or []
        node[last].append({"class_path": entry} if isinstance(entry, str) else entry)
        return
    if isinstance(node, list):
        node = node[-1]
    if "class_path" in node and last not in ("class_path", "init_args"):
        node = node.setdefault("init_args", {})
    new, before = parse(value), node if last == "class_path" else node.get(last)
    if names_a_decay(new) and isinstance(before, Mapping) and "class_path" in before:
        new = _another_decay(before, new)
        if last == "class_path":
            node.update(new)
            return
    node[last] = new


def _entered(node: Any, key: str, option: str) -> Any:
    """The mapping, or list, under a key, made where there is none."""
    if isinstance(node, list):
        if not node:
            raise ValueError(f"{option}: there is nothing in the list before {key!r}.")
        node = node[-1]
    if "class_path" in node and key not in ("class_path", "init_args"):
        node = node.setdefault("init_args", {})
    if isinstance(node.get(key), str):
        node[key] = {"class_path": _class_of_short_name(key, node[key])}
    if not isinstance(node.get(key), dict | list):
        node[key] = {}
    return node[key]


def _class_of_short_name(key: str, name: str) -> str:
    from lightning_warmup.schedule.decays import decay_named

    if key != "decay" or names_a_decay(name):
        return name
    return type(decay_named(name, "LearningRateWarmup")).__name__


def _another_decay(before: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A decay in another one's place, with the arguments of that which it has too, as LightningCLI keeps them."""
    known = signature(class_named(name, name)).parameters
    kept = {key: value for key, value in (before.get("init_args") or {}).items() if key in known}
    return {"class_path": name, "init_args": kept}


def trainer_of(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """The Trainer's arguments.

    Raises:
        ValueError: If one of them is all but one that decides on the schedule, and would go unheard.
    """
    trainer = content.get("trainer") or {}
    if not isinstance(trainer, Mapping):
        raise ValueError(f"trainer: {trainer!r} is no mapping.")
    for name in trainer:
        # So close that neither min_epochs nor limit_val_batches is taken for another.
        meant = get_close_matches(str(name), OF_THE_TRAINER, n=1, cutoff=0.88)
        if meant and name not in OF_THE_TRAINER:
            raise ValueError(f"trainer.{name}: the Trainer has no such argument. Did you mean {meant[0]!r}?")
    return trainer


def _callbacks(trainer: Mapping[str, Any]) -> Iterator[str | Mapping[str, Any]]:
    callbacks = trainer.get("callbacks") or []
    for entry in callbacks if isinstance(callbacks, list) else [callbacks]:
        if not isinstance(entry, str | Mapping):
            raise ValueError(f"trainer.callbacks: {entry!r} is no callback: write class_path and init_args.")
        yield entry


def accumulation_changes(trainer: Mapping[str, Any]) -> bool:
    """Whether a callback decides on how many batches a step has."""
    paths = [entry if isinstance(entry, str) else entry.get("class_path") for entry in _callbacks(trainer)]
    return any(str(path).rpartition(".")[2] == "GradientAccumulationScheduler" for path in paths)


def schedules(content: Mapping[str, Any]) -> list[ScheduleConfig]:
    """The schedules of our callbacks: in ``trainer.callbacks``, and as keys of their own.

    Raises:
        ValueError: If there is none, or one is wrong: what training would say.
    """
    found = []
    for key, value in content.items():
        if key == "trainer" or not isinstance(value, Mapping):
            continue
        owner = "HyperparameterWarmup" if "parameter" in value else "LearningRateWarmup"
        names = set(parameters_of(owner))
        ours = key.endswith("warmup") or (set(value) <= names and names & set(value) - {"optimizer", "total"})
        if ours and "class_path" not in value:
            found.append(config_from(owner, value))
    for entry in _callbacks(trainer_of(content)):
        path = entry if isinstance(entry, str) else entry.get("class_path", "")
        name = str(path).rpartition(".")[2]
        if name in CALLBACKS:
            found.append(config_from(name, {} if isinstance(entry, str) else entry.get("init_args") or {}))
    found = [config for config in found if not config.idle]
    if not found:
        raise ValueError(
            "the file configures no schedule: give trainer.callbacks a LearningRateWarmup, or a key such as lr_warmup"
            " its parameters."
        )
    return found


def optimizers(node: Any) -> Iterator[Mapping[str, Any]]:
    """The arguments of every optimizer that the file names, wherever it stands."""
    if isinstance(node, Mapping):
        arguments = node.get("init_args")
        path = str(node.get("class_path", ""))
        if path.rpartition(".")[2] not in CALLBACKS:
            if isinstance(arguments, Mapping) and "lr" in arguments and "scheduler" not in path:
                yield {"class_path": path, **arguments}
            for value in node.values():
                yield from optimizers(value)
    elif isinstance(node, list):
        for value in node:
            yield from optimizers(value)


def scheduler(node: Any) -> Mapping[str, Any] | None:
    """The first torch scheduler that the file gives the module, wherever it stands; not that of a TorchDecay.

    >>> scheduler({"lr_scheduler": "StepLR"})
    {'class_path': 'StepLR'}
    """
    if isinstance(node, list):
        return next((found for entry in node if (found := scheduler(entry)) is not None), None)
    if not isinstance(node, Mapping):
        return None
    path = str(node.get("class_path", ""))
    if path.rpartition(".")[2] == "TorchDecay":
        return None
    if path.startswith("torch.optim.lr_scheduler."):
        return node
    own = node.get("lr_scheduler")
    if isinstance(own, str):
        return {"class_path": own}
    if isinstance(own, Mapping) and "class_path" in own:
        return own
    return scheduler(list(node.values()))
