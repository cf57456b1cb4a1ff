"""Draw every picture of the documentation but those that a training run draws (`make picture`, `make examples`).

python docs/make_pictures.py

Curves come from the public `plot` and `values`, their shapes from the table in tests/shapes.py; those of the page on
existing schedulers from small training runs.
"""

import itertools
import logging
import math
import sys
import warnings
from collections.abc import Callable
from dataclasses import MISSING, fields
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from torch.optim import SGD, lr_scheduler
from torch.utils.data import DataLoader, TensorDataset

from lightning_warmup import (
    CosineDecay,
    CosineWarmup,
    Decay,
    DecayPart,
    HyperparameterWarmup,
    LearningRateWarmup,
    LinearScaling,
    MultiStepDecay,
    ReduceOnPlateauDecay,
    RestartsDecay,
    TorchDecay,
    Warmup,
)
from lightning_warmup.__main__ import main as command_line
from lightning_warmup.training import clock

sys.path.append(str(Path(__file__).parent.parent / "tests"))
from shapes import BETA2_WARMUPS, DECAYS, WARMUPS  # the one table of shapes, which the tests have too

IMAGES = Path(__file__).parent / "images"
SMALL = 80_000
# Okabe and Ito's palette, which colour-blind readers can tell apart.
BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "0.6"


def tidy(axes: Axes, title: str = "", y: str = "", x: str = "") -> None:
    """The same restraint for every picture."""
    axes.set_title(title, fontsize=10, loc="left")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def save(figure: Figure, name: str) -> None:
    """Write the PNG, which is to stay small."""
    path = IMAGES / f"{name}.png"
    figure.savefig(path, dpi=110)
    if path.stat().st_size >= SMALL:
        # Many panels, but few colours: with a palette they take a third.
        Image.open(path).convert("RGB").quantize(64).save(path, optimize=True)
    size = path.stat().st_size
    assert size < SMALL, f"{path.name} has {size:,} bytes"
    print(f"{path.name}: {size:,} bytes")


def nameless(axes: Axes) -> None:
    """Take away the names of the phases, where the picture says them otherwise."""
    for text in list(axes.texts):
        text.remove()


# --- shapes.md -------------------------------------------------------------------------------------------------------


def phases() -> None:
    """The four phases of a run, on a curve."""
    callback = LearningRateWarmup(20, CosineDecay(final=0.1), hold=20, cooldown=15)
    figure = Figure(figsize=(7, 2.8), layout="constrained")
    axes = figure.subplots()
    callback.plot(1.0, total_steps=100, steps_per_epoch=100, ax=axes)
    nameless(axes)
    axes.lines[0].set(color=BLUE, linewidth=2)
    tidy(axes, y="learning rate / target", x="optimizer step")
    axes.set(xlim=(0, 100), ylim=(0, 1.25), yticks=[0, 0.1, 0.5, 1])
    axes.set_xticks([0, 20, 40, 85, 100], ["0", "N", "N + hold", "T − cooldown", "T"])
    for (start, end), name in zip([(0, 20), (20, 40), (40, 85), (85, 100)], PHASES, strict=True):
        axes.text((start + end) / 2, 1.13, name, ha="center")
    save(figure, "phases")


PHASES = ("warmup", "hold", "decay", "cooldown")


COLUMNS = 3
LONGEST = 32
"""Characters of a title: what does not fit beside the next panel's is told in the table."""


def call(shape: Warmup | Decay) -> str:
    """The shape as one writes it."""
    arguments = []
    for field in fields(shape):
        value = getattr(shape, field.name)
        if callable(value):
            arguments.append(value.__name__ if value.__module__ == "shapes" else f"{value.__module__}.{value.__name__}")
        elif field.default is MISSING:
            arguments.append(repr(value))
        elif value != field.default:
            arguments.append(f"{field.name}={value!r}")
    text = f"{type(shape).__name__}({', '.join(arguments)})"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def grid(name: str, callbacks: dict[str, LearningRateWarmup], steps: int, *, lr: float = 1.0) -> None:
    """Small multiples of the same size and scale, as many as there are."""
    rows = math.ceil(len(callbacks) / COLUMNS)
    figure = Figure(figsize=(8, 1.95 * rows), layout="constrained")
    panels = list(figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False).flat)
    for axes in panels[len(callbacks) :]:
        axes.remove()
    for i, (axes, (title, callback)) in enumerate(zip(panels, callbacks.items(), strict=False)):
        callback.plot(lr, total_steps=steps, steps_per_epoch=steps, ax=axes)
        nameless(axes)
        axes.lines[0].set(color=BLUE, linewidth=1.8)
        lowest = i + COLUMNS >= len(callbacks)
        tidy(axes, title, "lr / target" if i % COLUMNS == 0 else "", "optimizer step" if lowest else "")
        axes.tick_params(labelbottom=lowest)
    save(figure, name)


def warmups() -> None:
    """Every warmup of a given length."""
    drawn = [shape for row in WARMUPS for shape in row.drawn]
    grid("warmups", {call(shape): LearningRateWarmup(shape, warmup_initial_lr="10%") for shape in drawn}, 26)


def warmups_from_beta2() -> None:
    """The warmups whose length is the optimizer's affair."""
    figure = Figure(figsize=(7, 2.8), layout="constrained")
    axes = figure.subplots()
    looks = itertools.cycle([(BLUE, "-"), (ORANGE, "--"), (GREEN, "-."), (PURPLE, ":")])
    for row, (color, line) in zip(BETA2_WARMUPS, looks, strict=False):
        callback = LearningRateWarmup(row.shape())
        values = callback.values(1.0, total_steps=4000, steps_per_epoch=4000, betas=(0.9, 0.999))
        axes.plot(values, color=color, linestyle=line, linewidth=2, label=call(row.shape()))
    tidy(axes, "betas=(0.9, 0.999)", "lr / target", "optimizer step")
    axes.legend(frameon=False)
    save(figure, "warmups_from_beta2")


def decays() -> None:
    """Every decay: those drawn over the length of the run, and those with a pace of their own."""
    for name, ends in (("decays_over_the_run", True), ("decays_with_a_pace", False)):
        drawn = [shape for row in DECAYS for shape in row.drawn if shape.ends == ends]
        grid(name, {call(shape): LearningRateWarmup(10, shape) for shape in drawn}, 100)


def recipe(
    name: str, *rows: tuple[dict[str, Any], str], x: str = "epoch", steps_per_epoch: float = 1, log: bool = False
) -> None:
    """One recipe: a panel for each hyper-parameter, a line for each param group."""
    figure = Figure(figsize=(7, 1.9 * len(rows) + 0.3), layout="constrained")
    panels = figure.subplots(len(rows), sharex=True, squeeze=False)[:, 0]
    for axes, (lines, label) in zip(panels, rows, strict=True):
        for (group, values), (color, style) in zip(lines.items(), [(BLUE, "-"), (ORANGE, "--")], strict=False):
            steps = [t / steps_per_epoch for t in range(len(values))]
            axes.step(steps, values, where="post", color=color, linestyle=style, linewidth=1.8, label=group)
        tidy(axes, y=label, x=x if axes is panels[-1] else "")
        axes.set_xlim(0, len(steps) / steps_per_epoch)
        if log:
            axes.set(yscale="log", ylim=(0.002, 5))
            axes.yaxis.set_major_formatter("{x:g}")
        if label == "momentum":
            axes.set_ylim(0.84, 0.96)
        if len(lines) > 1:
            axes.legend(frameon=False)
    save(figure, name)


def recipes() -> None:
    """Schedules by their names."""
    per_epoch = 100
    values = LearningRateWarmup(
        "3 epochs", CosineDecay(final=0.01), warmup_interval="epoch", cooldown="1 epoch"
    ).values(0.1, total_steps=15 * per_epoch, steps_per_epoch=per_epoch)
    recipe("recipe_supergradients", ({"lr": values}, "lr"), steps_per_epoch=per_epoch)

    milestones = MultiStepDecay(["30 epochs", "60 epochs", "80 epochs"])
    values = LearningRateWarmup("5 epochs", milestones, target_lr=LinearScaling(256)).values(
        0.1, total_steps=90 * 40, steps_per_epoch=40, batch_size=8192
    )
    recipe("recipe_goyal", ({"lr": values}, "lr"), steps_per_epoch=40, log=True)

    values = LearningRateWarmup(4000, "inverse_sqrt", warmup_initial_lr=0.0).values(
        7e-4, total_steps=30_000, steps_per_epoch=1000
    )
    recipe("recipe_noam", ({"lr": values[::25]}, "lr"), x="optimizer step", steps_per_epoch=1 / 25)

    wsd = LearningRateWarmup("2%", "one_minus_sqrt", decay_duration="20%")
    values = wsd.values(3e-4, total_steps=2000, steps_per_epoch=1000)
    recipe("recipe_wsd", ({"lr": values}, "lr"), x="optimizer step")

    parts = [
        DecayPart("constant", "67%"),
        DecayPart(CosineDecay(final="10%"), "29%"),
        DecayPart("constant", "2.2%"),
        DecayPart("constant", start="3.3%"),
    ]
    values = LearningRateWarmup(2000, parts).values(2.2e-4, total_steps=250_000)
    recipe("recipe_sequence", ({"lr": values[::200]}, "lr"), x="optimizer step", steps_per_epoch=1 / 200)

    cycles = RestartsDecay(CosineDecay(final="1%"), period=30, gamma=0.7, warmup=5)
    values = LearningRateWarmup(5, cycles, warmup_initial_lr="1%").values(0.1, total_steps=90)
    recipe("recipe_cycles", ({"lr": values}, "lr"), x="optimizer step")

    both = {
        f'decay_from="{clock}"': LearningRateWarmup(20, "cosine", warmup_initial_lr=0.0, decay_from=clock)
        for clock in ("warmup", "start")
    }
    lines = {name: callback.values(0.1, total_steps=100) for name, callback in both.items()}
    recipe("decay_from", (lines, "lr"), x="optimizer step")

    lr = LearningRateWarmup(CosineWarmup("30%"), CosineDecay(final=4e-6), warmup_initial_lr="4%")
    momentum = HyperparameterWarmup(
        "momentum",
        warmup=CosineWarmup("30%"),
        decay=CosineDecay(final=0.95 / 0.85),
        initial_value=0.95,
        target_value=0.85,
    )
    run = {"total_steps": 1000, "steps_per_epoch": 100}
    figure_rows = (({"lr": lr.values(0.1, **run)}, "lr"), ({"momentum": momentum.values(0.9, **run)}, "momentum"))
    recipe("recipe_one_cycle", *figure_rows, x="optimizer step")

    initial: dict[str, float | str | None] = {"biases": 0.1, "default": 0.0}
    bias = LearningRateWarmup("3 epochs", "linear", warmup_initial_lr=initial, decay_from="start")
    lines = bias.values({"weights": 0.01, "biases": 0.01}, total_steps=20 * per_epoch, steps_per_epoch=per_epoch)
    recipe("recipe_bias_warmup", (lines, "lr"), steps_per_epoch=per_epoch)


# --- existing_scheduler.md -------------------------------------------------------------------------------------------

Build = Callable[[torch.optim.Optimizer], Any]


class Regression(LightningModule):
    """A linear layer on noisy data, with the scheduler that it returns.

    Args:
        scheduler: Given the optimizer, makes what goes into ``lr_scheduler``; None for no scheduler.
    """

    def __init__(self, scheduler: Build | None) -> None:
        super().__init__()
        self.scheduler = scheduler
        self.net = torch.nn.Linear(8, 1)
        self.val_losses: list[float] = []

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        """The squared error."""
        x, y = batch
        return ((self.net(x) - y) ** 2).mean()

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """The squared error on other data."""
        loss = self.training_step(batch, batch_idx)
        self.log("val_loss", loss)
        if not self.trainer.sanity_checking:
            self.val_losses.append(float(loss))

    def configure_optimizers(self) -> Any:
        """SGD, with or without a scheduler."""
        optimizer = SGD(self.parameters(), lr=0.1)
        return (
            optimizer if self.scheduler is None else {"optimizer": optimizer, "lr_scheduler": self.scheduler(optimizer)}
        )


class Used(Callback):
    """Keeps the learning rate of every step."""

    def __init__(self) -> None:
        self.lrs: list[float] = []

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Any) -> None:
        """Called last, so it sees what the step will use."""
        self.lrs.append(optimizer.param_groups[0]["lr"])


def train(scheduler: Build | None, *callbacks: Callback, epochs: int = 20) -> tuple[list[float], list[float]]:
    """What a small run used at every step, and its validation loss after every epoch."""
    torch.manual_seed(0)
    x = torch.randn(256, 8)
    y = x[:, :1] + 0.3 * torch.randn(256, 1)
    train_set, val_set = TensorDataset(x[:128], y[:128]), TensorDataset(x[128:], y[128:])
    used, module = Used(), Regression(scheduler)
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        callbacks=[*callbacks, used],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, DataLoader(train_set, 16, shuffle=True), DataLoader(val_set, 128))
    return used.lrs, module.val_losses


def compare(
    name: str, alone: list[float] | None, ours: list[float], labels: tuple[str, str], losses: list[float] | None = None
) -> None:
    """The run alone and the run with our callback."""
    rows = 1 if losses is None else 2
    figure = Figure(figsize=(7, 2.4 if losses is None else 3.8), layout="constrained")
    panels = figure.subplots(rows, sharex=True, squeeze=False)[:, 0]
    steps = range(len(ours))
    if alone is not None:
        panels[0].step(steps, alone, where="post", color=ORANGE, linestyle="--", linewidth=1.6, label=labels[0])
    panels[0].step(steps, ours, where="post", color=BLUE, linewidth=2, label=labels[1])
    tidy(panels[0], y="lr", x="optimizer step" if losses is None else "")
    panels[0].legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.1)
    if losses is not None:
        per_epoch = len(ours) // len(losses)
        panels[1].plot([per_epoch * (e + 1) for e in range(len(losses))], losses, ".-", color=GREY)
        tidy(panels[1], y="val_loss", x="optimizer step")
    save(figure, name)


def existing() -> None:
    """The four situations."""
    step_lr: Build = lambda optimizer: lr_scheduler.StepLR(optimizer, step_size=6, gamma=0.5)  # noqa: E731
    alone, _ = train(step_lr)
    ours, _ = train(step_lr, LearningRateWarmup(40))
    compare("existing_compose", alone, ours, ("StepLR alone", "with LearningRateWarmup(40)"))

    def plateau(optimizer: torch.optim.Optimizer) -> Any:
        return {"scheduler": lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=2), "monitor": "val_loss"}

    alone, _ = train(plateau, epochs=40)
    ours, losses = train(plateau, LearningRateWarmup(40), epochs=40)
    compare("existing_plateau", alone, ours, ("ReduceLROnPlateau alone", "with LearningRateWarmup(40)"), losses)

    decay = ReduceOnPlateauDecay("val_loss", factor=0.5, patience=2)
    ours, losses = train(None, LearningRateWarmup(40, decay), epochs=40)
    compare("existing_plateau_decay", None, ours, ("", "LearningRateWarmup(40, ReduceOnPlateauDecay(…))"), losses)

    warmup = LearningRateWarmup(40, "cosine", override_module_scheduler=True)
    alone, _ = train(step_lr)
    ours, _ = train(step_lr, warmup)
    compare("existing_override", alone, ours, ("the module's StepLR alone", "override_module_scheduler=True"))

    restarts = partial(lr_scheduler.CosineAnnealingWarmRestarts, T_0=40)
    alone, _ = train(lambda optimizer: {"scheduler": restarts(optimizer), "interval": "step"})
    ours, _ = train(None, LearningRateWarmup(30, TorchDecay(restarts)))
    compare("existing_torch_decay", alone, ours, ("CosineAnnealingWarmRestarts alone", "TorchDecay, after 30 steps"))


def by_the_clock() -> None:
    """A run whose steps take twice as long in its second half, on a clock of this function's."""
    hour, time, before = 3600, [0.0], clock.now

    class Takes(Callback):
        def on_before_optimizer_step(self, *_: Any) -> None:
            times.append(time[0] / hour)
            time[0] += 100 if time[0] < 4 * hour else 200

    clock.now = lambda: time[0]
    drawn = []
    for total in ("8 hours", 288):
        times: list[float] = []
        time[0] = 0
        used, _ = train(None, LearningRateWarmup(20, "cosine", total=total), Takes(), epochs=27)
        drawn.append((list(times), used))
    clock.now = before
    figure = Figure(figsize=(7, 2.4), layout="constrained")
    axes = figure.subplots()
    axes.axvspan(4, 8, color="0.95", linewidth=0)
    axes.step(*drawn[1], where="post", color=ORANGE, linestyle="--", linewidth=1.6, label="planned over 288 steps")
    axes.step(*drawn[0], where="post", color=BLUE, linewidth=2, label='total="8 hours"')
    axes.text(6, 0.085, "every step takes twice as long", ha="center", fontsize="small")
    tidy(axes, y="lr", x="hours of training")
    axes.set_xlim(0, 8.1)
    axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0.08, 0))
    save(figure, "clock")


def preview_of_file(path: Path) -> None:
    """What the preview command writes with --output."""
    command = [path, "--lr=0.1", "--max-epochs=100", "--steps-per-epoch=38", f"--output={IMAGES / 'preview.png'}"]
    assert command_line(["preview", *map(str, command)]) == 0


def main() -> None:
    """Draw them all."""
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    rcParams["font.size"] = 9
    IMAGES.mkdir(exist_ok=True)
    preview_of_file(Path("configs/supergradients.yaml"))
    for draw in (phases, warmups, warmups_from_beta2, decays, recipes, existing, by_the_clock):
        draw()


if __name__ == "__main__":
    main()
