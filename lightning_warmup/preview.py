"""A schedule to look at before the run is paid for."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lightning_warmup.checks import is_number
from lightning_warmup.durations import Run
from lightning_warmup.settings import Settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Previewed:
    """What a schedule will do, without a Trainer."""

    _parameter: str
    _settings: Settings

    def values(
        self,
        lr: float | Mapping[str, float],
        *,
        total_steps: int,
        steps_per_epoch: int,
        betas: tuple[float, float] | Mapping[str, tuple[float, float]] | None = None,
        batch_size: int | None = None,
    ) -> Any:
        """What each of ``total_steps`` optimizer steps would use, without a Trainer.

        Args:
            lr: The optimizer's own value (of a learning rate: its ``lr``), or a mapping from group name to one.
            total_steps: Optimizer steps of the whole run, ≥ 1.
            steps_per_epoch: Optimizer steps of an epoch, ≥ 1.
            betas: The optimizer's ``betas``, or a mapping from group name to them, for warmups that depend on β2.
            batch_size: Global batch size, for durations in samples and targets that scale with it.

        Returns:
            A list of ``total_steps`` values, the one at index t for optimizer step t; for a mapping, one such list by
            group name.

        Raises:
            ValueError: If an argument is out of range, the phases do not fit into the run, or a value depends on the
                run itself or on an argument that was not given.

        >>> from lightning_warmup import LearningRateWarmup
        >>> lrs = LearningRateWarmup(2, "linear").values(0.3, total_steps=6, steps_per_epoch=3)
        >>> [round(lr, 3) for lr in lrs]
        [0.1, 0.2, 0.3, 0.225, 0.15, 0.075]
        """
        return values_of_steps(self._settings, lr, total_steps, steps_per_epoch, betas, batch_size)

    def plot(
        self,
        lr: float | Mapping[str, float],
        *,
        total_steps: int,
        steps_per_epoch: int,
        betas: tuple[float, float] | Mapping[str, tuple[float, float]] | None = None,
        batch_size: int | None = None,
        ax: "Axes | None" = None,
    ) -> "tuple[Figure, Axes]":
        """Plot :meth:`values` over the optimizer steps.

        Args:
            lr: As in :meth:`values`.
            total_steps: As in :meth:`values`.
            steps_per_epoch: As in :meth:`values`.
            betas: As in :meth:`values`.
            batch_size: As in :meth:`values`.
            ax: Axes to draw on; None makes a new figure.

        Returns:
            The figure and the axes, as torchmetrics does.

        Raises:
            ModuleNotFoundError: Without matplotlib (``pip install "lightning_warmup[plot]"``).
            ValueError: As :meth:`values`.

        >>> from lightning_warmup import LearningRateWarmup
        >>> figure, axes = LearningRateWarmup(10, "cosine").plot(0.1, total_steps=100, steps_per_epoch=20)
        >>> axes.get_xlabel(), axes.get_ylabel()
        ('optimizer step', 'lr')
        """
        values = values_of_steps(self._settings, lr, total_steps, steps_per_epoch, betas, batch_size)
        lines = values if isinstance(lr, Mapping) else {None: values}
        return plot_steps(lines, self._parameter, ax)


def values_of_steps(
    settings: Settings,
    lr: float | Mapping[str, float],
    total_steps: int,
    steps_per_epoch: int,
    betas: tuple[float, float] | Mapping[str, tuple[float, float]] | None,
    batch_size: int | None,
) -> Any:
    """What each optimizer step would use; see :meth:`Previewed.values`."""
    owner = settings.owner
    if settings.measured is not None:
        raise ValueError(
            f"{settings.measured!r} depends on the run itself: its values cannot be had without a Trainer."
        )
    for name, count in (
        ("total_steps", total_steps),
        ("steps_per_epoch", steps_per_epoch),
        ("batch_size", 1 if batch_size is None else batch_size),
    ):
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise ValueError(f"{owner}.values({name}={count!r}): expected an int ≥ 1.")
    names: list[str | None] = list(lr) if isinstance(lr, Mapping) else [None]
    own = list(lr.values()) if isinstance(lr, Mapping) else [lr]
    for value in own:
        if not is_number(value) or value < 0:
            raise ValueError(f"{owner}.values(lr={lr!r}): expected finite numbers ≥ 0.")
    run = Run(
        steps=total_steps,
        epochs=math.ceil(total_steps / steps_per_epoch),
        steps_per_epoch=steps_per_epoch,
        batch_size=batch_size,
        no_batch_size="give values(..., batch_size=...)",
    )
    for pair in betas.values() if isinstance(betas, Mapping) else [] if betas is None else [betas]:
        if not isinstance(pair, tuple | list) or len(pair) != 2 or not all(map(is_number, pair)):
            raise ValueError(f"{owner}.values(betas={betas!r}): expected the optimizer's betas, such as (0.9, 0.999).")
    beta2 = None
    if isinstance(betas, Mapping):
        if not isinstance(lr, Mapping):
            raise ValueError(f"{owner}.values(betas={dict(betas)!r}): betas by group name need an lr by group name.")
        if missing := [name for name in names if name not in betas]:
            raise ValueError(f"{owner}.values(betas={dict(betas)!r}) says nothing of group {missing[0]!r}.")
        beta2 = [betas[name][1] for name in names if name is not None]
    elif betas is not None:
        beta2 = [betas[1]] * len(names)
    curve = settings.curve(settings.with_total(run), names, own, beta2)
    by_step = curve.clock == "step"
    ticks: Iterable[int] = range(total_steps) if by_step else (t // steps_per_epoch for t in range(total_steps))
    if not isinstance(lr, Mapping):
        # No list of a million lists: the garbage collector would take as long over it as the values do.
        return [curve.values(t)[0] for t in ticks]
    rows = [curve.values(t) for t in ticks]
    return {name: [row[i] for row in rows] for i, name in enumerate(lr)}


def plot_steps(
    lines: Mapping[str | None, Sequence[float]], label: str, ax: "Axes | None" = None
) -> "tuple[Figure, Axes]":
    """One line per param group over the optimizer steps, on ``ax`` or a new figure."""
    try:
        from matplotlib import pyplot
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError('plot() needs matplotlib: pip install "lightning_warmup[plot]".') from error
    if ax is None:
        _, ax = pyplot.subplots(figsize=(6, 3), layout="constrained")
    for name, values in lines.items():
        # A value holds for a whole step: stairs, not slopes, so that a jump is drawn as one.
        ax.step(range(len(values)), values, where="post", label=name)
    ax.set_xlabel("optimizer step")
    ax.set_ylabel(label)
    ax.set_ylim(bottom=0)
    if any(name is not None for name in lines):
        ax.legend()
    return ax.get_figure(), ax  # type: ignore[return-value]
