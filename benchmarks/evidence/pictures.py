"""The pictures of docs/evidence.md, from the raw results alone."""

import io
import math
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from evidence.analysis import TOOLS, Study
from evidence.cells import LINEAR
from evidence.intervals import mean

IMAGES = Path(__file__).parents[2] / "docs" / "images"
# Okabe and Ito's palette, which colour-blind readers can tell apart.
BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "0.45"


def tidy(axes: Axes, title: str = "", y: str = "", x: str = "") -> None:
    """The same restraint for every picture."""
    axes.set_title(title, fontsize=9.5, loc="left")
    axes.set_xlabel(x, fontsize=9)
    axes.set_ylabel(y, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def save(figure: Figure, name: str) -> None:
    """Write the PNG, which is to stay small."""
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=110)
    Image.open(drawn).convert("RGB").quantize(128).save(IMAGES / f"evidence_{name}.png", optimize=True)


def post_ln(study: Study) -> Figure:
    """Where warmup decides: the curves of every seed, and where they end."""
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.25, 1])
    looks = {"none": (ORANGE, "--", "no warmup"), "5%": (GREY, ":", "5%"), "20%": (BLUE, "-", "20% of the run")}
    for warmup, (color, line, label) in looks.items():
        runs = study.of("post-ln", "adamw", warmup, 0.006)
        for seed, outcome in enumerate(runs.outcomes):
            curve = outcome.curve or []
            x = [(i + 0.5) * runs.cells[0].steps / 30 for i in range(len(curve))]
            left.plot(x, curve, line, color=color, linewidth=1.3, label=None if seed else label)
    tidy(left, "Post-LN, AdamW, lr 0.006, five seeds", "training loss, nats for a byte", "optimizer step")
    left.set(xlim=(0, 300))
    left.grid(alpha=0.3)
    left.legend(frameon=False, fontsize=8)
    for net, filled in (("post-ln", True), ("pre-ln", False)):
        for warmup, (color, line, _) in looks.items():
            lrs = study.lrs(net, "adamw", warmup)
            if not lrs:
                continue
            runs = [study.of(net, "adamw", warmup, lr) for lr in lrs]
            low, high = ([run.loss_interval[i] for run in runs] for i in (0, 1))
            losses = [run.loss for run in runs]
            error = [
                [a - b for a, b in zip(losses, low, strict=True)],
                [b - a for a, b in zip(losses, high, strict=True)],
            ]
            right.errorbar(
                lrs, losses, error, color=color, linestyle=line, marker="o" if filled else "s", markersize=5,
                fillstyle="full" if filled else "none", linewidth=1.2, capsize=2,
            )  # fmt: skip
    if study.lrs("pre-ln", "adamw"):
        right.plot([], [], "o", color="0.2", markersize=5, label="Post-LN")
        right.plot([], [], "s", color="0.2", fillstyle="none", markersize=5, label="Pre-LN")
        right.legend(frameon=False, fontsize=8)
    tidy(right, "held out, mean of five seeds", "loss, nats for a byte", "peak learning rate")
    right.set_xscale("log")
    right.set_xticks([0.001, 0.003, 0.006], ["0.001", "0.003", "0.006"])
    right.minorticks_off()
    right.grid(alpha=0.3)
    return figure


def plane(study: Study) -> Figure:
    """Test loss over peak learning rate and warmup length."""
    panels = [
        ("mlp", "sgd", "", "MLP, SGD with momentum"),
        ("mlp", "adam", "", "MLP, Adam"),
        ("mlp", "adam", "gi-adam ", "MLP, GI-Adam"),
        ("cnn", "sgd", "", "CNN, SGD with momentum"),
        ("cnn", "adam", "", "CNN, Adam"),
        ("cnn-bn", "adam", "", "CNN with BatchNorm, Adam"),
    ]
    panels = [panel for panel in panels if study.lrs(*panel[:2])]
    figure = Figure(figsize=(9, 1.3 + 1.8 * len(panels) / 3), layout="constrained")
    for axes, (net, optimizer, prefix, title) in zip(figure.subplots(len(panels) // 3, 3).flat, panels, strict=True):
        names = [prefix + name for name in LINEAR if prefix + name in study.warmups(net, optimizer)]
        lrs = sorted(set.intersection(*(set(study.lrs(net, optimizer, name)) for name in names)))
        shades = [[study.of(net, optimizer, name, lr) for lr in lrs] for name in names]
        # A capped log: what matters is where it is low and where it has failed.
        image = axes.imshow(
            [[math.log10(min(2.5, mean([min(2.5, loss) for loss in run.losses]))) for run in row] for row in shades],
            origin="lower", aspect="auto", cmap="cividis_r", vmin=math.log10(0.07), vmax=math.log10(2.5),
        )  # fmt: skip
        for y, row in enumerate(shades):
            for x, run in enumerate(row):
                if not all(run.trained):
                    dark = "white" if mean([min(2.5, loss) for loss in run.losses]) > 0.5 else "black"
                    axes.text(x, y, f"{sum(run.trained)}/5", ha="center", va="center", fontsize=7, color=dark)
        tidy(axes, title)
        axes.set_xticks(range(len(lrs)), [f"{lr:g}" for lr in lrs], rotation=45)
        axes.set_yticks(range(len(names)), [name.removeprefix(prefix) for name in names])
        axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=figure.axes, shrink=0.8, aspect=30)
    ticks = [0.1, 0.3, 1.0, 2.3]
    bar.set_ticks([math.log10(tick) for tick in ticks], labels=[f"{tick:g}" for tick in ticks])
    bar.set_label("held-out loss, nats", fontsize=9)
    figure.supxlabel("peak learning rate", fontsize=9)
    figure.supylabel("linear warmup, of the run", fontsize=9)
    return figure


def boundary(study: Study) -> Figure:
    """How far each tool moves the failure boundary."""
    figure = Figure(figsize=(2.2 + 1.5 * len(study.settings), 3.6), layout="constrained")
    names = list(TOOLS)
    for axes, (net, optimizer, title) in zip(
        figure.subplots(1, len(study.settings), sharey=True, squeeze=False)[0], study.settings, strict=True
    ):
        for y, name in enumerate(names):
            found = study.boundary_factor(net, optimizer, name)
            if name == "none" or found is None:
                continue
            factor, (low, high), cut = found
            axes.plot([low, high], [y, y], color=BLUE, linewidth=1.5)
            axes.plot(factor, y, ">" if cut else "o", color=BLUE, markersize=6 if cut else 5)
        axes.axvline(1, color=GREY, linewidth=1)
        tidy(axes, title.replace(", ", ",\n").replace(" with ", " with\n").replace("BatchNorm,\n", "BatchNorm, "))
        axes.set_xscale("log", base=2)
        axes.set_xlim(0.5, 40)
        axes.set_xticks([1, 4, 16], ["1×", "4×", "16×"])
        axes.grid(alpha=0.3)
        axes.set_yticks(range(1, len(names)), list(TOOLS.values())[1:])
        axes.set_ylim(len(names) - 0.5, 0.5)
    figure.supxlabel("highest learning rate that trains, in units of the one without a warmup", fontsize=9)
    return figure


def decays(study: Study) -> Figure:
    """The losses of decays over the peak learning rate, and what the bound says."""
    figure = Figure(figsize=(8, 3.3), layout="constrained")
    left, right = figure.subplots(1, 2)
    looks = {
        "linear": (BLUE, "-", "o"),
        "cosine": (ORANGE, "--", "s"),
        "cosine to 10%": (GREEN, (0, (5, 1)), "^"),
        "wsd": (PURPLE, "-.", "D"),
        "constant": (GREY, ":", "x"),
    }
    lrs = study.lrs("pre-ln-2", "adamw", "5%")
    for i, (decay, (color, line, mark)) in enumerate(looks.items()):
        runs = [study.of("pre-ln-2", "adamw", "5%", lr, decay) for lr in lrs]
        x = [lr * 1.04 ** (i - 2) for lr in lrs]
        losses = [run.loss for run in runs]
        low, high = ([run.loss_interval[k] for run in runs] for k in (0, 1))
        error = [[a - b for a, b in zip(losses, low, strict=True)], [b - a for a, b in zip(losses, high, strict=True)]]
        left.errorbar(x, losses, error, color=color, linestyle=line, marker=mark, markersize=4, capsize=2, label=decay)
        predicted, measured = zip(*study.bound_beside(decay), strict=True)
        right.plot(predicted, measured, mark, color=color, markersize=5)
    tidy(left, "held out, mean of five seeds", "loss, nats for a byte", "peak learning rate")
    left.set_xscale("log")
    left.set_xticks(lrs, [f"{lr:g}" for lr in lrs])
    left.minorticks_off()
    left.legend(frameon=False, fontsize=8)
    tidy(right, "the bound, and what was measured", "loss, nats for a byte", "bound of convex theory (no unit)")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    return figure


DRAWN = {
    "post_ln": (post_ln, "post-ln"),
    "plane": (plane, "plane-mlp-adam"),
    "boundary": (boundary, "line-search-mlp"),
    "decays": (decays, "decays"),
}
"""Each picture, and the part without which it is not drawn."""
