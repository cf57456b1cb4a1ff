"""See what schedules will do in a run, before it runs."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

from lightning_warmup.schedule.checks import is_count, plain
from lightning_warmup.schedule.config import ScheduleConfig
from lightning_warmup.view import config_file
from lightning_warmup.view.drawn import Drawn, RunFacts, draw, name_of, number_of
from lightning_warmup.view.plot import plot_previews
from lightning_warmup.view.terminal import terminal


@dataclass(frozen=True)
class Preview(Drawn):
    """What schedules will do: ``str(preview)`` is what the terminal shows, and a notebook shows the picture."""

    def __str__(self) -> str:
        return terminal([self])

    def plot(self, *, log: bool = False) -> Any:
        """Draw it.

        Args:
            log: Whether the values are on a logarithmic scale.

        Returns:
            The figure and the axes, a list of them where there are several parameters.

        Raises:
            ModuleNotFoundError: Without matplotlib.
        """
        return plot_previews([self], log=log)

    def _repr_png_(self) -> bytes:
        figure, _ = self.plot()
        data = BytesIO()
        figure.savefig(data, format="png", dpi=120)
        return data.getvalue()


def preview(
    what: Any,
    *,
    lr: float | Mapping[str, float] | None = None,
    total_steps: int | None = None,
    steps_per_epoch: int | None = None,
    betas: tuple[float, float] | None = None,
    batch_size: int | None = None,
    steps_per_second: float | None = None,
) -> Preview:
    """See what schedules will do: the curve, its phases, and what stands out in them.

    It is drawn from the very function that sets the values in training.

    Args:
        what: A callback of ours, a list of them, or the path of a LightningCLI's YAML. A YAML may tell the rest itself.
        lr: The optimizer's own lr, or a mapping from group name to one.
        total_steps: Optimizer steps of the run, ≥ 1.
        steps_per_epoch: Optimizer steps of an epoch, ≥ 1; needed where something counts in epochs.
        betas: The optimizer's betas, for warmups that depend on β2.
        batch_size: Global batch size, for durations in samples and targets that scale with it.
        steps_per_second: How fast the run is, > 0; needed where ``total`` is a time.

    Raises:
        ValueError: If something is missing or wrong; the message says what to give.

    >>> from lightning_warmup import LearningRateWarmup, preview
    >>> shown = preview(LearningRateWarmup("10%", "linear"), lr=0.1, total_steps=100)
    >>> [(phase.name, phase.start, phase.end) for phase in shown.phases["lr"]]
    [('linear warmup', 0, 10), ('linear', 10, 100)]
    >>> shown.curves[0].values[10]
    0.1
    """
    if isinstance(what, str | Path):
        given = {"lr": lr, "max_steps": total_steps, "steps_per_epoch": steps_per_epoch, "betas": betas}
        options = Options(**given, global_batch_size=batch_size, steps_per_second=steps_per_second)  # type: ignore[arg-type]
        return preview_of_file(Path(what), [], options)
    callbacks = what if isinstance(what, list | tuple) else [what]
    configs = []
    for callback in callbacks:
        config = callback if isinstance(callback, ScheduleConfig) else getattr(callback, "_config", None)
        if not isinstance(config, ScheduleConfig):
            raise ValueError(f"preview({callback!r}): expected a LearningRateWarmup, HyperparameterWarmup, or a path.")
        configs.append(config)
    if total_steps is None:
        raise ValueError("preview(): how long is the run? Give total_steps=...")
    entries = {} if betas is None else {"betas": betas}
    facts = RunFacts(total_steps, steps_per_epoch, batch_size, lr, entries, steps_per_second=plain(steps_per_second))
    return Preview(**vars(draw("", configs, facts, python=True)))


@dataclass(frozen=True)
class Options:
    """What the command line says where the file does not."""

    lr: Any = None
    steps_per_epoch: int | None = None
    max_epochs: int | None = None
    max_steps: int | None = None
    accumulate_grad_batches: int | None = None
    devices: int | None = None
    betas: tuple[float, float] | None = None
    batch_size: int | None = None
    global_batch_size: int | None = None
    steps_per_second: float | None = None


def preview_of_file(path: Path, overrides: Iterable[str], options: Options) -> Preview:
    """What a YAML's schedules will do.

    Args:
        path: The file.
        overrides: Dotted options, as training takes them.
        options: What the file does not say.

    Raises:
        ValueError: If something is missing or wrong.
    """
    content = config_file.load(path)
    for option in overrides:
        config_file.override(content, option)
    schedules, facts = config_file.schedules(content), facts_of(content, options)
    if content.get("lr_scheduler") and facts.scheduler is not None:
        for config in schedules:
            check_one_master(config, facts.scheduler)
    return Preview(**vars(draw(path.stem, schedules, facts)))


def check_one_master(config: ScheduleConfig, scheduler: Mapping[str, Any]) -> None:
    """Check that a schedule and the module's own scheduler do not both set the learning rate.

    Raises:
        ValueError: If they do, where training would stop.
    """
    if config.parameter != "lr" or config.override_module_scheduler:
        return
    name = name_of(scheduler)
    if config.decay is not None:
        raise ValueError(
            f"{config.owner}(decay={config.decay!r}): the file's lr_scheduler, {name}, would decay the learning rate"
            " too. Leave decay out for a warmup before it, give override_module_scheduler=True to run it without"
            " effect, or leave lr_scheduler out."
        )
    if config.target is not None:
        raise ValueError(
            f"{config.owner}(target_lr={config.target!r}): without a decay the file's lr_scheduler, {name}, says where"
            " the warmup leads. Leave target_lr out, or give override_module_scheduler=True and a decay."
        )


def facts_of(content: Mapping[str, Any], options: Options) -> RunFacts:
    """The run that a file describes."""
    trainer = config_file.trainer_of(content)
    found = list(config_file.optimizers(content))
    entries = dict(found[0]) if found else {}
    if options.betas is not None:
        entries["betas"] = options.betas
    elif "Adam" in str(entries.get("class_path")) and "betas" not in entries:
        entries["betas"] = (0.9, 0.999)
    lr = options.lr
    if lr is None and found:
        rates = {number_of("lr", entry["lr"]) for entry in found}
        if len(rates) > 1:
            raise ValueError(f"the file has optimizers with lr {', '.join(map(repr, sorted(rates)))}: give --lr.")
        lr = rates.pop()
    accumulation = _limit(options.accumulate_grad_batches, "accumulate_grad_batches", trainer) or 1
    per_epoch, batches = options.steps_per_epoch, trainer.get("overfit_batches") or trainer.get("limit_train_batches")
    if per_epoch is None and isinstance(batches, int) and batches > 1 and not config_file.accumulation_changes(trainer):
        per_epoch = -(-batches // accumulation)
    max_steps = _limit(options.max_steps, "max_steps", trainer)
    max_epochs = _limit(options.max_epochs, "max_epochs", trainer)
    if max_epochs is not None and per_epoch is not None:
        steps = max_epochs * per_epoch
        max_steps = steps if max_steps is None else min(steps, max_steps)
    max_time = _milliseconds(trainer.get("max_time"))
    if max_steps is None and options.steps_per_second and max_time is not None:
        max_steps = max(math.ceil(max_time / 1000 * options.steps_per_second), 1)
    if max_steps is None:
        if max_time is not None and max_epochs is None:
            raise ValueError("the file ends the run by its max_time: give --steps-per-second, or --max-steps.")
        if max_epochs is None:
            raise ValueError("the file does not say how long the run is: give --max-epochs or --max-steps.")
        raise ValueError(
            f"the run has {max_epochs} epochs, and the file does not say how long one is: give --steps-per-epoch"
            " (optimizer steps), or --max-steps."
        )
    size = options.global_batch_size
    if size is None and options.batch_size is not None:
        devices = options.devices or trainer.get("devices") or 1
        if not isinstance(devices, int) or devices < 1:
            raise ValueError(f"the file has devices={devices!r}: give --devices, the number of processes.")
        size = options.batch_size * accumulation * devices * int(trainer.get("num_nodes") or 1)
    return RunFacts(
        max_steps, per_epoch, size, lr, entries, config_file.scheduler(content), options.steps_per_second, max_time
    )


def _milliseconds(max_time: Any) -> int | None:
    """The Trainer's ``max_time`` as a file has it, ``DD:HH:MM:SS`` or a mapping; None if it is neither."""
    if isinstance(max_time, str) and (found := re.fullmatch(r"(\d+):(\d\d):(\d\d):(\d\d)", max_time.strip())):
        max_time = dict(zip(("days", "hours", "minutes", "seconds"), map(int, found.groups()), strict=True))
    try:
        return None if not isinstance(max_time, Mapping) else round(timedelta(**max_time).total_seconds() * 1000)
    except TypeError:
        return None


def _limit(option: int | None, name: str, trainer: Mapping[str, Any]) -> int | None:
    """A count that the command line or the file gives; None if neither does, or it is -1, no limit.

    Raises:
        ValueError: If it is none.
    """
    if option is not None:
        return option
    given = trainer.get(name)
    value = int(given) if isinstance(given, str) and given.strip().isdecimal() else given  # as LightningCLI takes it
    if value is None or value == -1:
        return None
    if not is_count(value, 1):
        raise ValueError(f"trainer.{name}: {given!r}: expected an int ≥ 1; or leave it out.")
    return int(value)
