"""Draw the picture of docs/branches.md: one stable run on handwritten digits, and three branches of its checkpoints.

python docs/make_branch_pictures.py
"""

import logging
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from matplotlib import rcParams
from matplotlib.figure import Figure

from lightning_warmup import LearningRateWarmup

sys.path.append(str(Path(__file__).parent.parent / "examples"))
from make_pictures import BLUE, GREEN, GREY, ORANGE, PURPLE, save, tidy

from digits import DigitClassifier, Digits  # what the recipes are trained on

LR, EPOCHS, COOLDOWN = 0.003, 20, 4
BRANCHES = {4: ORANGE, 10: GREEN, 16: PURPLE}
"""The epochs after which the stable run is cooled down, over COOLDOWN epochs."""


class Seen(Callback):
    """What every step used, and what came of every epoch."""

    def __init__(self) -> None:
        self.lrs: dict[int, float] = {}
        self.losses: dict[int, float] = {}

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Any) -> None:
        """Called last, so it sees what the step will use."""
        self.lrs[trainer.global_step] = optimizer.param_groups[0]["lr"]

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The loss on what is not trained on."""
        self.losses[trainer.global_step] = float(trainer.callback_metrics["val_loss"])


def train(schedule: LearningRateWarmup, folder: Path, epochs: int, ckpt_path: Path | None = None) -> Seen:
    """Train for so many epochs in all, and keep a checkpoint of each."""
    seed_everything(1, verbose=False)
    seen = Seen()
    keep = ModelCheckpoint(folder, filename="{epoch}", save_top_k=-1, auto_insert_metric_name=False)
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        callbacks=[schedule, seen, keep],
        logger=False,
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    module = DigitClassifier(lambda params: torch.optim.AdamW(params, lr=LR))
    trainer.fit(module, Digits(), ckpt_path=ckpt_path)
    return seen


def branches() -> None:
    """The stable run in one colour, each branch in its own."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    rates, losses = figure.subplots(2, sharex=True)
    with tempfile.TemporaryDirectory() as folder:
        stable = train(LearningRateWarmup("1 epoch", "constant"), Path(folder, "stable"), EPOCHS)
        runs = {"constant": (stable, BLUE)}
        for epoch, color in BRANCHES.items():
            cooldown = LearningRateWarmup("1 epoch", "one_minus_sqrt", replan="rest")
            checkpoint = Path(folder, "stable", f"{epoch - 1}.ckpt")
            branch = train(cooldown, Path(folder, str(epoch)), epoch + COOLDOWN, checkpoint)
            runs[f"from step {min(branch.lrs):,}"] = branch, color
    for name, (seen, color) in runs.items():
        style = {"color": color, "linewidth": 1.8, "label": name, "zorder": 2 if seen is stable else 3}
        rates.step(list(seen.lrs), list(seen.lrs.values()), where="post", **style)
        begins = {step: stable.losses[step] for step in [min(seen.lrs)] if step in stable.losses}
        points = {**begins, **seen.losses}
        losses.plot(list(points), list(points.values()), ".-", **style)
        last = max(seen.losses)
        print(f"{name}: val_loss {seen.losses[last]:.4f} at step {last:,}; {stable.losses.get(last, 0):.4f} constant")
    tidy(rates, y="lr")
    tidy(losses, y="val_loss", x="optimizer step")
    losses.set_yscale("log")
    losses.set_ylim(auto=True)
    losses.legend(frameon=False, ncols=2, loc="upper right")
    for epoch in BRANCHES:
        for axes in (rates, losses):
            axes.axvline(epoch * len(stable.lrs) / EPOCHS, color=GREY, linewidth=0.8, zorder=1)
    save(figure, "branches")


def main() -> None:
    """Train, and draw."""
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    rcParams["font.size"] = 9
    branches()


if __name__ == "__main__":
    main()
