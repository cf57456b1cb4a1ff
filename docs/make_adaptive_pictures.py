"""Train the small networks of adaptive.md on handwritten digits, and draw them; print what the page says of them.

python docs/make_adaptive_pictures.py

The network: 4 linear layers of width 128, ReLU, He initialisation, on 1,347 of scikit-learn's digits; 450 to test.
"""

import io
import logging
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything
from lightning.pytorch.loggers.logger import DummyLogger
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss, one_hot
from torch.optim import SGD, Adam, Optimizer
from torch.utils.data import DataLoader, TensorDataset

from lightning_warmup import (
    CriticalLearningRateMonitor,
    GradientInitializedAdam,
    LearningRateWarmup,
    LineSearchWarmup,
    LossSpikeMonitor,
    PersistentCatapultWarmup,
    RAdamWarmup,
    SqrtBeta2Warmup,
    UntunedExponentialWarmup,
    UntunedLinearWarmup,
)

IMAGES = Path(__file__).parent / "images"
SEEDS = (0, 1, 2)
# Okabe and Ito's palette, which colour-blind readers can tell apart.
BLUE, ORANGE, GREEN, PURPLE, SKY, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "0.45"


@dataclass
class Told:
    """What a run left behind."""

    losses: list[float] = field(default_factory=list)
    lrs: list[float] = field(default_factory=list)
    logged: dict[str, dict[int, float]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    accuracy: float = math.nan

    @property
    def spike(self) -> float:
        """The highest loss after the first step, in units of the first."""
        return max(loss if math.isfinite(loss) else math.inf for loss in self.losses[1:]) / self.losses[0]

    def __str__(self) -> str:
        return f"spike {self.spike:.2f}, accuracy {self.accuracy:.3f}"


class Memory(DummyLogger):
    """Keeps what is logged."""

    def __init__(self, told: Told) -> None:
        super().__init__()
        self.told = told

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:  # type: ignore[override]
        """By name and step."""
        for name, value in metrics.items():
            self.told.logged.setdefault(name, {})[step or 0] = float(value)


class DigitsMLP(LightningModule):
    """The network.

    Args:
        seed: Of weights, split and order.
        optimizer: Makes the optimizer of the parameters.
        loss: "mse" (half the mean over all outputs) or "cross entropy".
    """

    def __init__(self, seed: int, optimizer: Any, loss: str) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        layers: list[nn.Module] = []
        for i, (fan_in, fan_out) in enumerate(pairwise([64, 128, 128, 128, 10])):
            layer = nn.Linear(fan_in, fan_out)
            nn.init.normal_(layer.weight, 0, math.sqrt((1 if i == 3 else 2) / fan_in), generator=generator)
            nn.init.zeros_(layer.bias)
            layers += [layer, nn.ReLU()]
        self.net = nn.Sequential(*layers[:-1])
        pixels, labels = load_digits(return_X_y=True)
        x, y = torch.tensor(pixels, dtype=torch.float32), torch.tensor(labels)
        x = (x - x.mean(0)) / x.std(0).clamp_min(1e-6)
        order = torch.randperm(len(x), generator=generator)
        self.seen, self.unseen = ((x[part], y[part]) for part in (order[:1347], order[1347:]))
        self.optimizer = optimizer
        self.kind = loss
        self.told = Told()

    def training_step(self, batch: list[Tensor]) -> Tensor:
        """The loss of the batch."""
        x, y = batch
        logits = self.net(x)
        if self.kind == "mse":
            return mse_loss(logits, one_hot(y, 10).float()) / 2
        return cross_entropy(logits, y)

    def on_train_batch_end(self, outputs: Any, *_: Any) -> None:
        """Keep the loss."""
        self.told.losses.append(float(outputs["loss"]))

    def configure_optimizers(self) -> Optimizer:
        """The optimizer, which tells what each step used."""
        optimizer: Optimizer = self.optimizer(self.net.parameters())
        optimizer.register_step_post_hook(lambda o, *_: self.told.lrs.append(float(o.param_groups[0]["lr"])))
        return optimizer


class Keep(logging.Handler):
    """Keeps the messages of our callbacks."""

    def __init__(self, told: Told) -> None:
        super().__init__()
        self.told = told

    def emit(self, record: logging.LogRecord) -> None:
        """One line."""
        self.told.messages.append(record.getMessage())


def train(
    optimizer: Any, *callbacks: Callback, seed: int = 0, steps: int, batch: int | None = None, loss: str = "mse"
) -> Told:
    """One run, in full batches or in shuffled ones."""
    seed_everything(seed, verbose=False)
    module = DigitsMLP(seed, optimizer, loss)
    told = module.told
    x, y = module.seen
    rows: Any = DataLoader([[x, y]] * steps, batch_size=None)
    if batch is not None:
        rows = DataLoader(TensorDataset(x, y), batch, shuffle=True, drop_last=True)
    trainer = Trainer(
        accelerator="cpu",
        max_steps=steps,
        max_epochs=-1,
        callbacks=list(callbacks),
        logger=Memory(told),
        log_every_n_steps=1,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    handler = Keep(told)
    lightning = logging.getLogger("lightning.pytorch")
    lightning.addHandler(handler)
    try:
        # The monitor warns; everything else that Lightning warns of here is about the tiny loaders.
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            trainer.fit(module, rows)
    finally:
        lightning.removeHandler(handler)
    told.messages += [str(warning.message) for warning in caught if "loss rose" in str(warning.message)]
    x, y = module.unseen
    with torch.no_grad():
        told.accuracy = float((module.net(x).argmax(1) == y).float().mean())
    return told


def tidy(axes: Axes, title: str = "", y: str = "", x: str = "") -> None:
    """The same restraint for every picture."""
    axes.set_title(title, fontsize=10, loc="left")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def save(figure: Figure, name: str) -> None:
    """Write the PNG, which is to stay small."""
    path = IMAGES / f"{name}.png"
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=110)
    Image.open(drawn).convert("RGB").quantize(128).save(path, optimize=True)
    size = path.stat().st_size
    assert size < 80_000, f"{path.name} has {size:,} bytes"
    print(f"{path.name}: {size:,} bytes")


def panels(rows: int, columns: int = 1, *, height: float = 1.9, **kwargs: Any) -> tuple[Figure, Any]:
    """A figure of the page's width, and its axes."""
    figure = Figure(figsize=(7, height * rows + 0.4), layout="constrained")
    return figure, figure.subplots(rows, columns, sharex="col", squeeze=False, **kwargs)


def report(name: str, runs: Sequence[Told]) -> None:
    """What the page says in numbers."""
    print(f"  {name}: " + "; ".join(map(str, runs)))


# --- the pictures ----------------------------------------------------------------------------------------------------


def beta2() -> None:
    """Adam at a rate that needs a warmup, with those that follow from β2."""
    shapes = {
        "no warmup": (LearningRateWarmup, GREY, "-"),
        "SqrtBeta2Warmup()": (partial(LearningRateWarmup, SqrtBeta2Warmup()), PURPLE, ":"),
        "RAdamWarmup()": (partial(LearningRateWarmup, RAdamWarmup()), GREEN, "-."),
        "UntunedExponentialWarmup()": (partial(LearningRateWarmup, UntunedExponentialWarmup()), ORANGE, "--"),
        "UntunedLinearWarmup()": (partial(LearningRateWarmup, UntunedLinearWarmup()), BLUE, "-"),
    }
    figure, ((top,), (bottom,)) = panels(2)
    for name, (callback, color, line) in shapes.items():
        runs = [train(partial(Adam, lr=0.1), callback(), seed=seed, steps=300, batch=128) for seed in SEEDS]
        report(name, runs)
        look = {"color": color, "linestyle": line, "linewidth": 1.6}
        top.step(range(300), runs[0].lrs, where="post", label=name, **look)
        bottom.plot(runs[0].losses, **look)
    tidy(top, "Adam, lr 0.1, β2 = 0.999, squared error, batches of 128", "lr")
    top.set_ylim(0, 0.108)
    figure.legend(*top.get_legend_handles_labels(), frameon=False, fontsize=8, loc="outside lower center", ncols=3)
    tidy(bottom, "", "training loss", "optimizer step")
    bottom.set(yscale="log", xlim=(-4, 300))
    save(figure, "adaptive_beta2")


def spikes() -> None:
    """A warmup that is too short, and what the monitor says of it."""
    figure, ((top,), (middle,), (bottom,)) = panels(3, height=1.45)
    for length, color, line in ((4, ORANGE, "--"), (30, BLUE, "-")):
        callbacks = [LearningRateWarmup(length), LossSpikeMonitor(window=5, threshold=2.0)]
        runs = [train(partial(SGD, lr=4.0), *callbacks, seed=seed, steps=100) for seed in SEEDS]
        report(f"LinearWarmup({length})", runs)
        print("   ", [run.messages for run in runs])
        told = runs[1]
        ratio = told.logged["warmup/loss_ratio"]
        look = {"color": color, "linestyle": line, "linewidth": 1.7}
        top.step(range(100), told.lrs, where="post", label=f"LearningRateWarmup({length})", **look)
        middle.plot(told.losses, **look)
        bottom.plot(list(ratio), list(ratio.values()), **look)
    tidy(top, "SGD, lr 4, squared error, full batches", "lr")
    top.legend(frameon=False, fontsize=8)
    tidy(middle, "", "training loss")
    middle.set(yscale="log", ylim=(0.01, 100))
    tidy(bottom, "", "loss_ratio", "optimizer step")
    bottom.axhline(2.0, color=GREY, linewidth=1)
    bottom.annotate("threshold", (50, 2.2), ha="right", va="bottom", fontsize=8, color=GREY)
    bottom.set(yscale="log", xlim=(0, 50), ylim=(0.1, 100))
    save(figure, "adaptive_spikes")


def critical_start() -> None:
    """A warmup of 60 steps, and the same one from half the critical learning rate."""
    figure, ((top,), (bottom,)) = panels(2)
    for name, initial, color, line in (
        ("warmup of 60 steps", None, ORANGE, "--"),
        ('warmup_initial_lr="critical"', "critical", BLUE, "-"),
    ):
        warmup = partial(LearningRateWarmup, 60, "cosine", warmup_initial_lr=initial)
        runs = [train(partial(SGD, lr=1.0), warmup(), seed=seed, steps=200) for seed in SEEDS]
        report(name, runs)
        print("   ", [line for run in runs for line in run.messages if "critical" in line])
        top.step(range(200), runs[0].lrs, where="post", color=color, linestyle=line, linewidth=1.7, label=name)
        bottom.plot(runs[0].losses, color=color, linestyle=line, linewidth=1.7)
    tidy(top, "SGD, lr 1, squared error, full batches", "lr")
    top.set_ylim(0, 1.08)
    top.legend(frameon=False, fontsize=8)
    tidy(bottom, "", "training loss", "optimizer step")
    bottom.set(yscale="log", xlim=(0, 200))
    save(figure, "adaptive_critical_start")


def monitor() -> None:
    """The critical learning rate over training."""
    callbacks = [LearningRateWarmup(100, "cosine"), CriticalLearningRateMonitor(every_n_steps=4)]
    told = train(partial(SGD, lr=2.0), *callbacks, steps=600, batch=128)
    report("monitor", [told])
    critical, ratio = told.logged["warmup/critical_lr"], told.logged["warmup/lr_over_critical_lr"]
    print(f"  {len(critical)} measurements of 150; above 1: {sum(r > 1 for r in ratio.values())}")
    figure, ((top,), (bottom,)) = panels(2)
    top.plot(list(critical), list(critical.values()), ".", color=ORANGE, markersize=3.5, label="critical_lr")
    top.step(range(600), told.lrs, where="post", color=BLUE, linewidth=1.7, label="lr")
    tidy(top, "SGD, lr 2, squared error, batches of 128", "learning rate")
    top.set(yscale="log")
    top.legend(frameon=False, fontsize=8, loc="lower center")
    bottom.plot(list(ratio), list(ratio.values()), ".", color=BLUE, markersize=3.5)
    bottom.axhline(1.0, color=GREY, linewidth=1)
    tidy(bottom, "", "lr_over_critical_lr", "optimizer step")
    bottom.set(xlim=(0, 600), ylim=(0, None))
    save(figure, "adaptive_monitor")


def gi_adam() -> None:
    """The first steps of Adam, with and without."""
    figure, ((axes,),) = panels(1, height=2.6)
    for name, callbacks, color, line in (
        ("Adam", [], ORANGE, "--"),
        ("with GradientInitializedAdam()", [GradientInitializedAdam()], BLUE, "-"),
    ):
        runs = [train(partial(Adam, lr=0.1), *callbacks, seed=seed, steps=100, batch=128) for seed in SEEDS]
        report(name, runs)
        for run in runs:
            label = name if run is runs[0] else None
            losses = [loss / run.losses[0] for loss in run.losses]
            axes.plot(losses, color=color, linestyle=line, linewidth=1.4, label=label)
    tidy(axes, "lr 0.1, squared error, batches of 128; three seeds", "training loss / first", "optimizer step")
    axes.set(yscale="log", xlim=(-1, 100))
    axes.legend(frameon=False, fontsize=8)
    save(figure, "adaptive_gi_adam")


def line_search() -> None:
    """What a linear warmup diverges at."""
    figure, ((left, right), (left_loss, right_loss)) = panels(2, 2)
    for optimizer, lr, top, bottom in ((SGD, 4.0, left, left_loss), (Adam, 0.1, right, right_loss)):
        for name, warmup, color, line in (
            ("LinearWarmup(80)", partial(LearningRateWarmup, 80), ORANGE, "--"),
            ("LineSearchWarmup(80)", partial(LearningRateWarmup, LineSearchWarmup(80)), BLUE, "-"),
        ):
            runs = []
            for seed in SEEDS:
                callback = warmup()
                run = partial(train, partial(optimizer, lr=lr), callback, steps=400, batch=128)
                runs.append(run(seed=seed, loss="cross entropy"))
                print("   ", optimizer.__name__, name, "warmup_steps", callback.warmup_steps)
            report(f"{optimizer.__name__}, {name}", runs)
            look = {"color": color, "linestyle": line, "linewidth": 1.2}
            top.step(range(400), runs[0].lrs, where="post", label=name, **look)
            bottom.plot(runs[0].losses, **look)
        bottom.set(yscale="log", ylim=(1e-4, 1e4))
    tidy(left, "SGD, cross-entropy, lr 4", "lr")
    tidy(left_loss, "", "training loss", "optimizer step")
    tidy(right, "Adam, cross-entropy, lr 0.1")
    tidy(right_loss, "", "", "optimizer step")
    left.legend(frameon=False, fontsize=8, loc="lower right")
    save(figure, "adaptive_line_search")


def catapult() -> None:
    """Where it works, and where it does not."""
    figure, ((left, right), (left_loss, right_loss)) = panels(2, 2)
    for loss, lr, batch, top, bottom in (
        ("mse", 4.0, None, left, left_loss),
        ("cross entropy", 2.0, 128, right, right_loss),
    ):
        for name, warmup, color, line in (
            ("no warmup", LearningRateWarmup, GREY, ":"),
            ("LinearWarmup(16)", partial(LearningRateWarmup, 16), ORANGE, "--"),
            (
                "PersistentCatapultWarmup",
                partial(LearningRateWarmup, PersistentCatapultWarmup(max_steps=20)),
                BLUE,
                "-",
            ),
        ):
            runs = []
            for seed in SEEDS:
                callback = warmup()
                runs.append(train(partial(SGD, lr=lr), callback, seed=seed, steps=150, batch=batch, loss=loss))
                print("   ", loss, name, "warmup_steps", callback.warmup_steps)
            report(f"{loss}, {name}", runs)
            look = {"color": color, "linestyle": line, "linewidth": 1.7}
            top.step(range(60), runs[0].lrs[:60], where="post", label=name, **look)
            bottom.plot(runs[0].losses[:60], **look)
        top.set(ylim=(0, lr * 1.08))
        bottom.set(yscale="log", xlim=(0, 60))
    tidy(left, "works: squared error, lr 4", "lr")
    tidy(left_loss, "", "training loss", "optimizer step")
    tidy(right, "nothing works: cross-entropy, lr 2")
    tidy(right_loss, "", "", "optimizer step")
    for axes in (left_loss, right_loss):
        axes.set_ylim(0.003, 1000)
    left.legend(frameon=False, fontsize=8, loc="lower right")
    save(figure, "adaptive_catapult")


def table() -> None:
    """How many of six runs of SGD train, by loss, learning rate and warmup."""
    warmups = {
        "none": LearningRateWarmup,
        "linear 20": partial(LearningRateWarmup, 20),
        "linear 40": partial(LearningRateWarmup, 40),
        "critical, 40": partial(LearningRateWarmup, 40, warmup_initial_lr="critical"),
        "catapult": partial(LearningRateWarmup, PersistentCatapultWarmup(max_steps=20)),
    }
    print("|".join(["loss, lr", *warmups]))
    for loss, lr in (("mse", 4.0), *(("cross entropy", lr) for lr in (0.5, 1.0, 1.25, 1.5, 2.0))):
        trained = [
            sum(
                train(partial(SGD, lr=lr), warmup(), seed=seed, steps=150, batch=128, loss=loss).accuracy > 0.9
                for seed in range(6)
            )
            for warmup in warmups.values()
        ]
        print(f"{loss}, {lr:g}|" + "|".join(map(str, trained)))


def main() -> None:
    """Draw them all."""
    torch.set_num_threads(1)
    lightning = logging.getLogger("lightning.pytorch")
    lightning.handlers.clear()
    lightning.propagate = False
    rcParams["font.size"] = 9
    IMAGES.mkdir(exist_ok=True)
    for draw in (beta2, spikes, critical_start, monitor, gi_adam, line_search, catapult, table):
        draw()


if __name__ == "__main__":
    main()
