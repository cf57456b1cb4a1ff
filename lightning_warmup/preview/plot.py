"""A schedule as a picture."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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
