"""Train a small network on scikit-learn's handwritten digits, set up from YAML by LightningCLI.

python examples/digits.py fit --config configs/warmup_cosine.yaml
python examples/digits.py fit --config configs/warmup_cosine.yaml --lr_warmup.warmup=5% --trainer.max_epochs=20
python examples/digits.py fit --help
"""

import warnings
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.callbacks import LearningRateMonitor
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, OptimizerCallable
from lightning.pytorch.loggers import CSVLogger
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.optim import SGD
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.classification import MulticlassAccuracy

from lightning_warmup import LearningRateWarmup, SchedulePreview
from plot_run import plot_run

Batch = tuple[Tensor, ...]


class Digits(LightningDataModule):
    """1,797 handwritten digits of 8 × 8 pixels: 1,197 to train on, 300 to validate, 300 to test.

    Args:
        batch_size: Images per batch, ≥ 1.
    """

    def __init__(self, batch_size: int = 32) -> None:
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage: str) -> None:
        """Split the images, the same way in every run."""
        images, labels = load_digits(return_X_y=True)
        x = torch.tensor(images, dtype=torch.float32).view(-1, 1, 8, 8) / 16
        y = torch.tensor(labels)
        train, rest = train_test_split(range(len(y)), test_size=600, random_state=0, stratify=y)
        val, test = train_test_split(rest, test_size=300, random_state=0, stratify=y[rest])
        self.train, self.val, self.test = (TensorDataset(x[part], y[part]) for part in (train, val, test))

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled."""
        return DataLoader(self.train, self.batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader[Batch]:
        """All at once."""
        return DataLoader(self.val, len(self.val))

    def test_dataloader(self) -> DataLoader[Batch]:
        """All at once."""
        return DataLoader(self.test, len(self.test))


class DigitClassifier(LightningModule):
    """Two convolutions (the group ``backbone``) and a linear layer (the group ``head``).

    Args:
        optimizer: The optimizer and its settings; its ``lr`` is what the warmup leads to.
        head_lr: Learning rate of the head; None: the optimizer's ``lr``, as for the backbone.
    """

    def __init__(
        self,
        optimizer: OptimizerCallable = lambda params: SGD(params, lr=0.1, momentum=0.9),
        head_lr: float | None = None,
    ) -> None:
        super().__init__()
        self.optimizer = optimizer
        self.head_lr = head_lr
        self.backbone = nn.Sequential(
            nn.Conv2d(1, 16, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, kernel_size=3, padding=1, stride=2),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.head = nn.Linear(32 * 4 * 4, 10)
        self.loss = nn.CrossEntropyLoss()
        # Torchmetrics' own default averages over the classes; the usual accuracy is over the images.
        self.val_accuracy = MulticlassAccuracy(10, average="micro")
        self.test_accuracy = MulticlassAccuracy(10, average="micro")

    def forward(self, x: Tensor) -> Tensor:
        """Ten logits for each image."""
        return self.head(self.backbone(x))  # type: ignore[no-any-return]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Log the loss of every step."""
        x, y = batch
        loss: Tensor = self.loss(self(x), y)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Log loss and accuracy of every epoch."""
        x, y = batch
        logits = self(x)
        self.val_accuracy(logits, y)
        self.log("val_loss", self.loss(logits, y), prog_bar=True, sync_dist=True)
        self.log("val_accuracy", self.val_accuracy, prog_bar=True)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Log the accuracy on images that nothing was chosen by."""
        x, y = batch
        self.test_accuracy(self(x), y)
        self.log("test_accuracy", self.test_accuracy)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Two param groups with names, by which the callback can tell them apart; no scheduler."""
        backbone: dict[str, Any] = {"name": "backbone", "params": self.backbone.parameters()}
        head: dict[str, Any] = {"name": "head", "params": self.head.parameters()}
        if self.head_lr is not None:
            head["lr"] = self.head_lr
        return self.optimizer([backbone, head])


class DigitsCLI(LightningCLI):
    """A command line with the key ``lr_warmup`` beside Lightning's ``trainer``, ``model`` and ``data``."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the callback: this line is all it takes."""
        parser.add_lightning_class_args(LearningRateWarmup, "lr_warmup")


def run(args: list[str] | None = None) -> DigitsCLI:
    """Do what the command line says, or ``args`` in its place; ``fit`` trains."""
    # The images are in memory: a worker process would only copy them. The other is between Lightning 2.6 and torch.
    warnings.filterwarnings("ignore", ".*does not have many workers|.*LeafSpec")
    # So small a network gains nothing from threads, and on a busy machine they wait for each other.
    torch.set_num_threads(1)
    return DigitsCLI(
        DigitClassifier,
        Digits,
        args=args,
        seed_everything_default=1,
        auto_configure_optimizers=False,
        trainer_defaults={
            "accelerator": "cpu",  # for so small a network a GPU is slower
            "max_epochs": 10,
            "log_every_n_steps": 1,
            "logger": {
                "class_path": "lightning.pytorch.loggers.CSVLogger",
                "init_args": {"save_dir": "runs", "name": "digits"},
            },
            "callbacks": [LearningRateMonitor(logging_interval="step")],
        },
    )


def main() -> None:
    """Train (``fit``), then test and draw the run."""
    cli = run()
    callbacks = cli.trainer.callbacks  # type: ignore[attr-defined]
    previewed = any(isinstance(callback, SchedulePreview) for callback in callbacks)  # which ends it before it begins
    if cli.subcommand == "fit" and not previewed:
        (metrics,) = cli.trainer.test(cli.model, cli.datamodule, verbose=False)
        print(f"test accuracy: {metrics['test_accuracy']:.4f}")
        if isinstance(cli.trainer.logger, CSVLogger):
            schedule = next(callback for callback in callbacks if isinstance(callback, LearningRateWarmup))
            print(f"picture: {plot_run(Path(cli.trainer.logger.log_dir), title=repr(schedule))}")


if __name__ == "__main__":
    main()
