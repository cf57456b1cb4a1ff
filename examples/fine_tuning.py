"""Fine-tune: a new head alone at first, and from the fourth epoch on the backbone too, with a warmup of its own.

python examples/fine_tuning.py
python examples/fine_tuning.py --unfreeze=5

The network learns the digits 0 to 4, and is then fine-tuned to 5 to 9.
"""

import warnings
from pathlib import Path

import torch
from jsonargparse import auto_cli
from lightning.pytorch import LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import BaseFinetuning, LearningRateMonitor
from lightning.pytorch.loggers import CSVLogger
from torch.optim import SGD, Optimizer
from torch.utils.data import TensorDataset

from digits import DigitClassifier, Digits
from lightning_warmup import LearningRateWarmup
from plot_run import plot_run


class SomeDigits(Digits):
    """Images of a few of the digits.

    Args:
        digits: Which.
    """

    def __init__(self, digits: range) -> None:
        super().__init__()
        self.digits = digits

    def setup(self, stage: str) -> None:
        """Of each part, the images that show them."""
        super().setup(stage)
        self.train, self.val, self.test = map(self.some, (self.train, self.val, self.test))

    def some(self, images: TensorDataset) -> TensorDataset:
        """Those of the images that show them."""
        x, y = images[:]
        shown = torch.isin(y, torch.tensor(self.digits))
        return TensorDataset(x[shown], y[shown])


class HeadFirst(DigitClassifier):
    """Its optimizer has the head alone: the backbone comes when it is unfrozen."""

    def configure_optimizers(self) -> Optimizer:
        """One param group; it may not hold what is frozen."""
        return SGD([{"name": "head", "params": self.head.parameters()}], lr=0.05, momentum=0.9)


class Unfreeze(BaseFinetuning):
    """Let the backbone be trained from an epoch on, at a fifth of the head's learning rate.

    Args:
        epoch: The first, counted from 0.
    """

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.epoch = epoch

    def freeze_before_training(self, pl_module: LightningModule) -> None:
        """The backbone."""
        self.freeze(pl_module.get_submodule("backbone"))

    def finetune_function(self, pl_module: LightningModule, epoch: int, optimizer: Optimizer) -> None:
        """Add it to the optimizer, in a param group of its own."""
        if epoch == self.epoch:
            backbone = pl_module.get_submodule("backbone")
            self.make_trainable(backbone)
            lr = optimizer.param_groups[0]["lr"] / 5
            optimizer.add_param_group({"name": "backbone", "params": backbone.parameters(), "lr": lr})


def main(unfreeze: int = 3, max_epochs: int = 10) -> Path:
    """Train, fine-tune, and draw the second; returns the picture.

    Args:
        unfreeze: The first epoch in which the backbone is trained, counted from 0.
        max_epochs: Of the fine-tuning.
    """
    # The callback says that the group which comes late will follow the first one: that is what we want.
    warnings.filterwarnings("ignore", ".*does not have many workers|.*LeafSpec|.*came after training began")
    torch.set_num_threads(1)
    seed_everything(1, verbose=False)
    model = HeadFirst()
    pre_trained = DigitClassifier()
    trainer = Trainer(accelerator="cpu", max_epochs=3, logger=False, enable_checkpointing=False)
    trainer.fit(pre_trained, SomeDigits(range(5)))
    model.backbone.load_state_dict(pre_trained.backbone.state_dict())

    schedule = LearningRateWarmup("10%", "cosine", late_group_warmup="1 epoch")
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=max_epochs,
        log_every_n_steps=1,
        logger=CSVLogger("runs", name="fine_tuning"),
        callbacks=[Unfreeze(unfreeze), schedule, LearningRateMonitor("step")],
    )
    data = SomeDigits(range(5, 10))
    trainer.fit(model, data)
    (metrics,) = trainer.test(model, data, verbose=False)
    print(f"test accuracy: {metrics['test_accuracy']:.4f}")
    picture = plot_run(Path(str(trainer.log_dir)), title=f"The backbone joins in epoch {unfreeze}\n{schedule!r}")
    print(f"picture: {picture}")
    return picture


if __name__ == "__main__":
    auto_cli(main)
