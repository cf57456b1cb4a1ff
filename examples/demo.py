"""What a warmup does: the same network on the same digits, from the same seed, without one and with one.

python examples/demo.py

AdamW at 0.1 is more than this network takes from the first step. At the 0.1 of SGD that the recipes have, it learns as
well without a warmup.
"""

from pathlib import Path

from matplotlib.figure import Figure

from digits import run
from plot_run import read_run

CONFIG = Path(__file__).parent.parent / "configs" / "warmup_cosine.yaml"
SHOWN = 80
"""Steps in which the difference is made."""


def train(*options: str) -> tuple[Path, float]:
    """One run of the recipe: where it was logged, and its accuracy on the test images."""
    cli = run(["fit", f"--config={CONFIG}", "--model.optimizer=AdamW", "--model.optimizer.lr=0.1", *options])
    (metrics,) = cli.trainer.test(cli.model, cli.datamodule, verbose=False)
    return Path(str(cli.trainer.log_dir)), metrics["test_accuracy"]


def plot(runs: dict[str, tuple[Path, float]]) -> Path:
    """The learning rates, the first losses and what came of them; the picture lies beside the log of the last run."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplot_mosaic([["lr", "lr"], ["loss", "accuracy"]])
    for color, (name, (folder, accuracy)) in zip(("C1", "C0"), runs.items(), strict=True):
        logged = read_run(folder)
        # A learning rate holds for a whole step.
        axes["lr"].step(*logged["lr-AdamW/head"], where="post", color=color, label=name)
        axes["loss"].plot(*(column[:SHOWN] for column in logged["train_loss"]), color=color, linewidth=1)
        label = f"{accuracy:.3f} of the test images"
        axes["accuracy"].plot(*logged["val_accuracy"], "o-", color=color, markersize=4, label=label)
    for name, title in {
        "lr": "learning rate",
        "loss": f"training loss of the first {SHOWN} steps",
        "accuracy": "validation accuracy",
    }.items():
        axes[name].set_title(title, fontsize="medium", loc="left")
        axes[name].set_xlabel("optimizer step")
        axes[name].grid(alpha=0.3)
        axes[name].set_xlim(left=0)
        axes[name].spines[["top", "right"]].set_visible(False)
    axes["loss"].set_yscale("log")
    axes["loss"].yaxis.set_major_formatter("{x:g}")
    for name in ("lr", "accuracy"):
        axes[name].legend(frameon=False)
    figure.suptitle("The same network, digits and seed; AdamW, lr 0.1, cosine to 0")
    picture = folder / "lr_and_loss.png"
    figure.savefig(picture, dpi=90)
    return picture


def main() -> None:
    """Train twice, print both accuracies, draw both runs."""
    runs = {"no warmup": train("--lr_warmup.warmup=0"), "warmup over 10% of the run": train()}
    without, with_warmup = (accuracy for _, accuracy in runs.values())
    print(f"test accuracy without warmup: {without:.4f}")
    print(f"test accuracy: {with_warmup:.4f}")
    print(f"picture: {plot(runs)}")


if __name__ == "__main__":
    main()
