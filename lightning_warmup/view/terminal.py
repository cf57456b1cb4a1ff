"""Previews in a terminal: a chart, the phases, the first and last values, and what stands out."""

import shutil
import textwrap
from collections.abc import Sequence
from dataclasses import replace

from lightning_warmup.view.drawn import Curve, Drawn

MARKERS = ["hd", "o", "x", "+", "*", "#"]
"""Of a chart's lines, which have no colours to be told apart by."""


def terminal(previews: Sequence[Drawn], width: int | None = None) -> str:
    """What the preview command prints.

    Args:
        previews: One for each file.
        width: Columns; None asks the terminal, 80 where there is none.
    """
    width = width or min(shutil.get_terminal_size((80, 24)).columns, 120)
    blocks = []
    for parameter in _parameters(previews):
        blocks.append(_chart(previews, parameter, width))
        blocks += _told_of(previews, parameter)
    if len(previews) > 1:
        blocks.append(differences(previews))
    return "\n\n".join(blocks) + "\n"


def told(previews: Sequence[Drawn]) -> str:
    """The same without the chart."""
    blocks = [block for parameter in _parameters(previews) for block in _told_of(previews, parameter)]
    if len(previews) > 1:
        blocks.append(differences(previews))
    return "\n\n".join(blocks) + "\n"


def _parameters(previews: Sequence[Drawn]) -> list[str]:
    return list(dict.fromkeys(curve.parameter for preview in previews for curve in preview.curves))


def _told_of(previews: Sequence[Drawn], parameter: str) -> list[str]:
    return [_told(preview, parameter, named=len(previews) > 1) for preview in previews if preview.of(parameter)]


def _chart(previews: Sequence[Drawn], parameter: str, width: int) -> str:
    try:
        import plotext
    except ModuleNotFoundError:
        return '(a chart needs plotext: pip install "lightning_warmup[plot]")'
    chart = plotext.figure
    chart.clear()
    chart.theme("colorless")  # as readable on a light terminal as on a dark one, and in a file
    plotext.terminal.limit(False, False)  # a width that was asked for holds in a file too
    chart.plot_size(width, 18)
    lines = [
        (_label(preview, curve, which, many=len(previews) > 1), values)
        for preview in previews
        for curve in _with_all_names(preview.of(parameter))
        for which, values in _lines(curve)
    ]
    for i, (_, values) in enumerate(lines):
        steps = _thinned(len(values), 4 * width)
        marker = MARKERS[i % len(MARKERS)]
        chart.draw(chart.signal(steps, [values[step] for step in steps], marker=marker).lines())
    chart.title(parameter)
    chart.label("optimizer step", "x")
    lowest, highest = min(min(values) for _, values in lines), max(max(values) for _, values in lines)
    bottom, top = 0.98 * lowest if lowest > highest / 2 else 0.0, highest * 1.02 or 1.0
    chart.ruler("y").lim(bottom, top)
    heights = [bottom + (top - bottom) * i / 4 for i in range(5)]
    chart.ruler("y").ticks(heights, [f"{height:.3g}" for height in heights])
    last = max(len(values) for _, values in lines) - 1
    places = sorted({last * i // 4 for i in range(5)})
    chart.ruler("x").ticks(places, [f"{place:,}" for place in places])
    drawn = [line.rstrip() for line in plotext.uncolorize(str(chart.build())).splitlines()]
    if any(label for label, _ in lines):  # beneath, for within it would hide a part of the curves
        shown = [f"{MARKERS[i % len(MARKERS)].replace('hd', '▞')} {label}" for i, (label, _) in enumerate(lines)]
        drawn += textwrap.wrap("   ".join(shown), width - 6, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return "\n".join(drawn)


def _lines(curve: Curve) -> list[tuple[str, Sequence[float]]]:
    if curve.highest is curve.values:
        return [("", curve.values)]
    return [("lowest", curve.values), ("highest", curve.highest)]


def _thinned(total: int, most: int) -> list[int]:
    """So many of the steps at most, the first and last among them."""
    stride = max(1, total // most)
    return sorted({*range(0, total, stride), total - 1})


def _label(preview: Drawn, curve: Curve, which: str, *, many: bool) -> str:
    return " ".join(filter(None, [preview.title if many else "", curve.group, which]))


def _told(preview: Drawn, parameter: str, *, named: bool) -> str:
    lines = [f"{preview.title}: {parameter}" if named else parameter]
    if parameter in preview.ranges:
        lines.append(f"  {preview.ranges[parameter]}")
    curves = _with_all_names(preview.of(parameter))
    header = ["phase", "from step", "to step", "length", "value from → to"]
    rows = []
    for phase in preview.phases[parameter]:
        last = phase.end - 1
        cells = [phase.name, f"{phase.start:,}", f"{last:,}", f"{phase.end - phase.start:,}"]
        ends = [
            f"{_between(curve.values, curve.highest, phase.start)} → {_between(curve.values, curve.highest, last)}"
            for curve in curves
        ]
        if len(curves) == 1:
            rows.append([*cells, *ends])
        else:  # a column for each would not fit into a terminal
            rows.append([*cells, ""])
            rows += [[f"  {curve.group}", "", "", "", value] for curve, value in zip(curves, ends, strict=True)]
    lines += table(header, rows)
    for curve in curves:
        of = f" of {curve.group}" if curve.group else ""
        total = len(curve.values)
        first = ", ".join(_between(curve.values, curve.highest, step) for step in range(min(5, total)))
        last5 = ", ".join(_between(curve.values, curve.highest, step) for step in range(max(total - 5, 0), total))
        lines += [f"  first steps{of}: {first}", f"  last steps{of}:  {last5}"]
    lines += [f"  note: {finding}" for finding in preview.findings[parameter]]
    return "\n".join(lines)


def _with_all_names(curves: Sequence[Curve]) -> list[Curve]:
    """Curves that are the same are one, with the names of all their groups."""
    apart: list[Curve] = []
    for curve in curves:
        same = (i for i, other in enumerate(apart) if (other.values, other.highest) == (curve.values, curve.highest))
        i = next(same, None)
        if i is None:
            apart.append(curve)
        else:
            apart[i] = replace(apart[i], group=f"{apart[i].group}, {curve.group}")
    return apart


def _between(low: Sequence[float], high: Sequence[float], step: int) -> str:
    if low[step] == high[step]:
        return f"{low[step]:.4g}"
    return f"{low[step]:.4g}…{high[step]:.4g}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of columns, the first to the left and the others to the right."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    lines = (
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in (header, *rows)
    )
    return [f"  {line}".rstrip() for line in lines]


def differences(previews: Sequence[Drawn]) -> str:
    """In what the learning rates, or whatever comes first, are not alike; a row for each file."""
    header, rows = ["", "steps", "warmup", "peak", "at step", "last", "mean"], []
    for preview in previews:
        curve = preview.curves[0]
        found = preview.phases[curve.parameter]
        warmup = found[0].end if found and found[0].name.endswith("warmup") else 0
        peak = max(curve.highest)
        rows.append(
            [
                preview.title,
                f"{len(curve.values):,}",
                f"{warmup:,}",
                f"{peak:.4g}",
                f"{list(curve.highest).index(peak):,}",
                f"{curve.values[-1]:.4g}",
                f"{sum(curve.values) / len(curve.values):.4g}",
            ]
        )
    differ = [i for i in range(len(header)) if i == 0 or len({row[i] for row in rows}) > 1]
    if len(differ) == 1:
        return "the files differ in nothing that their steps use"
    picked = table([header[i] for i in differ], [[row[i] for i in differ] for row in rows])
    return "\n".join(["differences", *picked])
