"""Where LineSearchWarmup trains, and where not: handwritten digits, four seeds of everything.

    python benchmarks/line_search.py [ROWS]

writes benchmarks/evidence/line_search.json, after each row; rows that are there are not run again. ROWS, if given, is
a part of their names. 4 linear layers of width 128 with ReLU and He's initialisation, 1,347 digits to train on, 450 to
test, 400 steps at a constant rate after the warmup. All of it takes about half an hour of one slow core.
"""

import json
import logging
import math
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lightning_warmup import LearningRateWarmup, LineSearchWarmup
from lightning_warmup.critical import measurements

RESULTS = Path(__file__).parent / "evidence" / "line_search.json"
SEEDS = range(4)
STEPS = 400

OPTIMIZERS: dict[str, Any] = {
    "SGD": torch.optim.SGD,
    "SGD, momentum .9": partial(torch.optim.SGD, momentum=0.9),
    "Adam": torch.optim.Adam,
    "AdamW": torch.optim.AdamW,
    "RMSprop": torch.optim.RMSprop,
}


@dataclass(frozen=True)
class Setting:
    """One row: what is trained, the warmups being the columns."""

    optimizer: str
    loss: str
    lr: float
    norm: str = ""
    dropout: float = 0.0
    batch_size: int = 128
    wrong_labels: float = 0.0

    @property
    def name(self) -> str:
        parts = [self.optimizer, self.loss, f"lr {self.lr:g}", self.norm]
        parts += [f"dropout {self.dropout:g}" if self.dropout else "", f"batches of {self.batch_size}"]
        parts += [f"{self.wrong_labels:.0%} of the labels wrong" if self.wrong_labels else ""]
        return ", ".join(filter(None, parts))


SETTINGS = [
    *(Setting("SGD", "cross-entropy", lr) for lr in (2, 4, 8)),
    *(Setting("SGD", "squared error", lr) for lr in (4, 16)),
    Setting("SGD, momentum .9", "cross-entropy", 0.4),
    Setting("SGD, momentum .9", "squared error", 1.6),
    *(Setting("Adam", "cross-entropy", lr) for lr in (0.03, 0.1)),
    *(Setting("Adam", "squared error", lr) for lr in (0.03, 0.1)),
    Setting("AdamW", "cross-entropy", 0.1),
    Setting("RMSprop", "cross-entropy", 0.03),
]
"""Both losses and both kinds of optimizer, at rates where a warmup of 80 steps matters."""

HARDER = [
    *(Setting(o, "cross-entropy", lr, norm="BatchNorm") for o, lr in (("SGD", 8.0), ("Adam", 0.1))),
    *(Setting(o, "cross-entropy", lr, norm="LayerNorm") for o, lr in (("SGD", 8.0), ("Adam", 0.1))),
    Setting("SGD", "cross-entropy", 100),
    Setting("Adam", "cross-entropy", 0.01, batch_size=4),
    Setting("Adam", "cross-entropy", 0.03, wrong_labels=0.3),
    *(Setting(o, "cross-entropy", lr, dropout=0.3) for o, lr in (("SGD", 4.0), ("Adam", 0.03))),
]
"""Normalised nets, a target that no step can take, tiny batches, noise, dropout."""

RULES = [
    *(Setting("SGD", "squared error", lr) for lr in (4, 16)),
    Setting("SGD, momentum .9", "cross-entropy", 0.4),
    Setting("Adam", "cross-entropy", 0.1),
]
"""Where it matters which loss a step is compared with."""

RISE = [
    *(Setting("Adam", loss, 0.1) for loss in ("cross-entropy", "squared error")),
    Setting("Adam", "cross-entropy", 0.1, norm="BatchNorm"),
    Setting("Adam", "cross-entropy", 0.01, batch_size=4),
]
"""Where it matters whether a step may raise the loss at all."""

WARMUPS: dict[str, Any] = {
    "linear 80": lambda: LearningRateWarmup(80),
    "linear 200": lambda: LearningRateWarmup(200),
    "line search 80": lambda: LearningRateWarmup(LineSearchWarmup(80)),
    "max_rise=0.1": lambda: LearningRateWarmup(LineSearchWarmup(80, max_rise=0.1)),
    "the other rule": lambda: LearningRateWarmup(LineSearchWarmup(80)),
}


TABLES = [
    (SETTINGS, ["linear 80", "linear 200", "line search 80"]),
    (HARDER, ["linear 80", "line search 80"]),
    (RULES, ["the other rule", "line search 80"]),
    (RISE, ["max_rise=0.1", "line search 80"]),
]
"""What is where in docs/adaptive.md."""


class Digits(pl.LightningModule):
    """The net."""

    def __init__(self, setting: Setting, generator: torch.Generator) -> None:
        super().__init__()
        self.setting = setting
        layers: list[nn.Module] = []
        for i, (fan_in, fan_out) in enumerate(pairwise([64, 128, 128, 128, 10])):
            layer = nn.Linear(fan_in, fan_out)
            nn.init.normal_(layer.weight, 0, math.sqrt((1 if i == 3 else 2) / fan_in), generator=generator)
            nn.init.zeros_(layer.bias)
            layers.append(layer)
            if i < 3:
                norm = {"BatchNorm": nn.BatchNorm1d, "LayerNorm": nn.LayerNorm}.get(setting.norm)
                layers += [] if norm is None else [norm(fan_out)]
                layers += [nn.ReLU(), nn.Dropout(setting.dropout)]
        self.net = nn.Sequential(*layers)

    def training_step(self, batch: list[Tensor]) -> Tensor:
        x, y = batch
        if self.setting.loss == "squared error":
            return nn.functional.mse_loss(self.net(x), nn.functional.one_hot(y, 10).float()) / 2
        return nn.functional.cross_entropy(self.net(x), y)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        optimizer: torch.optim.Optimizer = OPTIMIZERS[self.setting.optimizer](self.net.parameters(), lr=self.setting.lr)
        return optimizer

    def accuracy(self, x: Tensor, y: Tensor) -> float:
        self.eval()
        with torch.no_grad():
            return float((self.net(x).argmax(1) == y).float().mean())


def data(setting: Setting, generator: torch.Generator) -> tuple[list[list[Tensor]], tuple[Tensor, Tensor]]:
    """The batches to train on, and the digits to test on."""
    pixels, digits = load_digits(return_X_y=True)
    x, y = torch.tensor(pixels, dtype=torch.float32), torch.tensor(digits)
    x = (x - x.mean(0)) / x.std(0).clamp_min(1e-6)
    order = torch.randperm(len(x), generator=generator)
    (x, unseen_x), (y, unseen_y) = (values[order].split([1347, 450]) for values in (x, y))
    wrong = torch.rand(len(y), generator=generator) < setting.wrong_labels
    y = torch.where(wrong, torch.randint(10, y.shape, generator=generator), y)
    rows = STEPS * setting.batch_size
    order = torch.cat([torch.randperm(len(x), generator=generator) for _ in range(rows // len(x) + 1)])
    return [[x[part], y[part]] for part in order[:rows].split(setting.batch_size)], (unseen_x, unseen_y)


def run(setting: Setting, warmup: LearningRateWarmup, seed: int) -> dict[str, Any]:
    """Train one; what came of it."""
    generator = torch.Generator().manual_seed(seed)
    module = Digits(setting, generator)
    batches, unseen = data(setting, generator)
    torch.manual_seed(seed)
    quiet = dict.fromkeys(["logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"], False)
    trainer = pl.Trainer(accelerator="cpu", devices=1, max_steps=STEPS, callbacks=[warmup], **quiet)
    trainer.fit(module, DataLoader(batches, batch_size=None))  # type: ignore[arg-type]
    result: dict[str, Any] = {"seed": seed, "accuracy": round(module.accuracy(*unseen), 4)}
    search = warmup.loaded_state.get("adaptive")
    if search is not None:
        share = trainer.optimizers[0].param_groups[0]["lr"] / setting.lr
        result |= {"steps": warmup.warmup_steps, "reached": share == 1, "share": share}
        result |= {key: search[key] for key in ("halvings", "forwards")}
    return result


def write(results: dict[str, Any], name: str, column: str, setting: Setting) -> None:
    """Run the seeds of one cell, unless they have been."""
    row = results.setdefault(name, {"setting": asdict(setting), "runs": {}})
    if column in row["runs"]:
        return
    ours = measurements.has_momentum
    if column == "the other rule":  # what is compared with the last losses too, and what with its own alone
        measurements.has_momentum = lambda optimizer: not ours(optimizer)
    row["runs"][column] = [run(setting, WARMUPS[column](), seed) for seed in SEEDS]
    measurements.has_momentum = ours
    accuracies = " ".join(f"{result['accuracy']:.2f}" for result in row["runs"][column])
    lengths = [(result["steps"], result["reached"]) for result in row["runs"][column] if "steps" in result]
    print(f"{name} | {column}: {accuracies} {lengths}")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def cell(runs: list[dict[str, Any]], trained: float = 0.95) -> str:
    """How many train, and their accuracies; of a line search, too, how many took the target, and after how many steps.

    >>> cell([{"accuracy": 0.97}, {"accuracy": 0.1}])
    '1/2 (.10–.97)'
    """
    accuracies = sorted(run["accuracy"] for run in runs)
    low, high = (f"{accuracy:.2f}".removeprefix("0") for accuracy in (accuracies[0], accuracies[-1]))
    text = f"{sum(accuracy >= trained for accuracy in accuracies)}/{len(runs)} ({low}–{high})"
    if "steps" not in runs[0]:
        return text
    steps = sorted(run["steps"] for run in runs if run["reached"])
    if not steps:
        shares = sorted(run["share"] for run in runs)
        return f"{text}; never, at {shares[0]:.2g}–{shares[-1]:.2g} of it"
    when = f"{steps[0]}" if steps[0] == steps[-1] else f"{steps[0]}–{steps[-1]}"
    return f"{text}; {when}" + ("" if len(steps) == len(runs) else f", {len(runs) - len(steps)} never")


def table(results: dict[str, Any], settings: Sequence[Setting], columns: Sequence[str]) -> list[str]:
    """Lines of a Markdown table, as docs/adaptive.md has them."""
    lines = []
    for setting in settings:
        runs = results[setting.name]["runs"]
        lines.append(f"| {setting.name} | " + " | ".join(cell(runs[column]) for column in columns) + " |")
    return lines


def main(part: str = "") -> None:
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for settings, columns in TABLES:
        for setting in settings:
            for column in columns:
                if part in setting.name:
                    write(results, setting.name, column, setting)
    if not part:
        for settings, columns in TABLES:
            print(*table(results, settings, columns), sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
