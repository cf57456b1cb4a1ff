"""Schedules as a picture."""

import html
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_warmup.view.drawn import Curve, Drawn
from lightning_warmup.view.terminal import told

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf", ".html")

SHADES = ["#f2e6d8", "#e3eef7", "#e9f3e4", "#eeeeee", "#f6e3e3"]
"""Behind the phases, in turn."""

SHORT_WARMUP = 0.05
"""Share of the run under which a warmup is drawn once more, larger."""


def plot_previews(
    previews: Sequence[Drawn], ax: "Axes | None" = None, *, log: bool = False
) -> "tuple[Figure, Axes | list[Axes]]":
    """A panel for each parameter, a line for each param group; phases are shaded where there is one preview.

    Args:
        previews: What to draw, one over the other.
        ax: Axes to draw on, of one parameter; None makes a new figure.
        log: Whether the values are on a logarithmic scale.

    Returns:
        The figure and the axes: a list of them, if there are several parameters.

    Raises:
        ModuleNotFoundError: Without matplotlib.
    """
    try:
        from matplotlib import pyplot
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError('A picture needs matplotlib: pip install "lightning_warmup[plot]".') from error
    parameters = list(dict.fromkeys(curve.parameter for preview in previews for curve in preview.curves))
    if ax is None:
        figure, grid = pyplot.subplots(
            len(parameters), 1, figsize=(7, 3.2 * len(parameters)), layout="constrained", squeeze=False
        )
        panels: list[Axes] = list(grid[:, 0])
    else:
        figure, panels = ax.get_figure(), [ax]  # type: ignore[assignment]
    for panel, parameter in zip(panels, parameters, strict=True):
        _panel(panel, previews, parameter, log=log)
    return figure, panels[0] if len(panels) == 1 else panels


def _panel(ax: "Axes", previews: Sequence[Drawn], parameter: str, *, log: bool) -> None:
    several = len(previews) > 1
    lines = _lines(ax, previews, parameter)
    ax.set_xlabel("optimizer step")
    ax.set_ylabel(parameter)
    total = max(len(curve.values) for preview in previews for curve in preview.of(parameter))
    ax.set_xlim(0, total)
    highest = max(max(curve.highest) for preview in previews for curve in preview.of(parameter))
    if log:
        ax.set_yscale("log")
    else:
        ax.set_ylim(0, 1.14 * highest or 1)  # with room for the names of the phases
    ax.grid(alpha=0.3)
    ax.set_axisbelow(True)
    title = previews[0].title if not several and previews[0].title else ""
    if parameter in previews[0].ranges and not several:
        title = f"{title}, " if title else ""
        title += "the range it can take: it depends on the run itself"
    ax.set_title(title, fontsize="medium")
    if any(lines):
        ax.legend(fontsize="small")
    if several:
        return
    _shade(ax, previews[0], parameter, total)
    warmup = previews[0].phases[parameter][:1]
    if warmup and warmup[0].name.endswith("warmup") and 1 < warmup[0].end < SHORT_WARMUP * total:
        _inset(ax, previews, parameter, warmup[0].end)


def _lines(ax: "Axes", previews: Sequence[Drawn], parameter: str) -> list[str]:
    """Draw the curves; returns their names."""
    names = []
    for preview in previews:
        for curve in preview.of(parameter):
            name = " ".join(filter(None, [preview.title if len(previews) > 1 else "", curve.group]))
            names.append(name)
            _line(ax, curve, name)
    return names


def _line(ax: "Axes", curve: Curve, name: str) -> None:
    # A value holds for a whole step: stairs, not slopes, so that a jump is drawn as one.
    steps = range(len(curve.values))
    (line,) = ax.step(steps, curve.values, where="post", label=name or None)
    if curve.highest is not curve.values:
        ax.step(steps, curve.highest, where="post", color=line.get_color())
        ax.fill_between(steps, curve.values, curve.highest, step="post", alpha=0.2, color=line.get_color())


def _shade(ax: "Axes", preview: Drawn, parameter: str, total: int) -> None:
    for i, phase in enumerate(preview.phases[parameter]):
        ax.axvspan(phase.start, phase.end, color=SHADES[i % len(SHADES)], zorder=0, linewidth=0)
        width = (phase.end - phase.start) / total
        if width * 80 >= len(phase.name):  # so many letters there is room for
            middle = (phase.start + phase.end) / 2
            above = ax.get_xaxis_transform()
            ax.text(middle, 0.985, phase.name, transform=above, ha="center", va="top", fontsize="x-small")


def _inset(ax: "Axes", previews: Sequence[Drawn], parameter: str, warmup: int) -> None:
    """The warmup once more, over its own steps, where the curve leaves most room."""
    values = previews[0].of(parameter)[0].highest
    stays_high = values[len(values) * 3 // 4] > max(values) / 2
    inset = ax.inset_axes((0.35, 0.14, 0.35, 0.4) if stays_high else (0.62, 0.52, 0.35, 0.4))
    _lines(inset, previews, parameter)
    inset.set_xlim(0, 1.5 * warmup)
    inset.set_ylim(bottom=0)
    inset.tick_params(labelsize="x-small")
    name = previews[0].phases[parameter][0].name
    inset.set_title(f"{name}: the first {1.5 * warmup:,.0f} steps", fontsize="x-small")


def save_previews(previews: Sequence[Drawn], path: Path) -> None:
    """Write a picture; as HTML, with what the terminal shows beneath."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, _ = plot_previews(previews)
    pyplot.close(figure)  # pyplot keeps what is not closed
    if path.suffix != ".html":
        figure.savefig(path, dpi=150)
        return
    picture = io.StringIO()
    figure.savefig(picture, format="svg")
    svg = picture.getvalue()
    text = html.escape(told(previews))
    title = html.escape(", ".join(preview.title for preview in previews))
    path.write_text(
        f'<!doctype html>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f"<style>body {{ font-family: sans-serif; max-width: 60em; margin: auto }} svg {{ width: 100% }}</style>\n"
        f"<h1>{title}</h1>\n{svg[svg.index('<svg') :]}\n<pre>{text}</pre>\n",
        encoding="utf-8",
    )


def plot_steps(preview: Drawn, ax: "Axes | None" = None, *, log: bool = False) -> "tuple[Figure, Axes]":
    """One schedule, on ``ax`` or a new figure."""
    figure, axes = plot_previews([preview], ax, log=log)
    drawn: Any = axes
    return figure, drawn
