"""Draw what CSVLogger and LearningRateMonitor wrote: the learning rate above the loss."""

import csv
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

Series = tuple[list[int], list[float]]


def read_run(folder: Path) -> dict[str, Series]:
    """Steps and values of every metric in ``folder/metrics.csv``."""
    with (folder / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    # Not every row has every metric.
    there = {metric: [row for row in rows if row[metric]] for metric in rows[0]}
    return {
        metric: ([int(row["step"]) for row in there], [float(row[metric]) for row in there])
        for metric, there in there.items()
    }


def plot_run(folder: Path, title: str) -> Path:
    """Draw ``folder/metrics.csv``; return the path of the PNG, which lies beside it.

    Args:
        folder: Where CSVLogger wrote (``trainer.log_dir``).
        title: Of the whole picture.
    """
    run = read_run(folder)
    figure = Figure(figsize=(8, 5), layout="constrained")
    lr_axes, loss_axes = figure.subplots(2, sharex=True)
    lines = {column.rpartition("/")[2].removeprefix("lr-"): run[column] for column in run if column.startswith("lr-")}
    first, *others = lines.values()
    if all(line == first for line in others):
        lines = {"all groups": first}
    for group, line in lines.items():
        # A learning rate holds for a whole step, and a jump is a jump.
        lr_axes.step(*line, where="post", label=group)
    lr_axes.set_ylabel("learning rate")
    lr_axes.set_ylim(bottom=0)
    if len(lines) > 1:
        lr_axes.legend(frameon=False)

    loss_axes.plot(*run["train_loss"], color="0.75", linewidth=1, label="training, every step")
    loss_axes.plot(*run["val_loss"], "o-", color="C1", markersize=4, label="validation, every epoch")
    loss_axes.set_yscale("log")
    loss_axes.yaxis.set_major_formatter("{x:g}")
    loss_axes.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1, 0.4)))  # where there is room
    loss_axes.set_ylabel("loss")
    loss_axes.set_xlabel("optimizer step")
    loss_axes.legend(frameon=False)

    figure.align_ylabels()
    figure.suptitle(title)
    for axes in (lr_axes, loss_axes):
        axes.grid(alpha=0.3)
        axes.set_xlim(left=0)
        axes.spines[["top", "right"]].set_visible(False)
    picture = folder / "lr_and_loss.png"
    figure.savefig(picture, dpi=110)
    return picture
