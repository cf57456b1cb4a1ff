"""Two networks against each other on handwritten digits: two optimizers, each with a schedule of its own.

python examples/gan.py
python examples/gan.py --max_epochs=200
"""

import warnings
from pathlib import Path

import torch
from jsonargparse import auto_cli
from lightning.pytorch import LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import LearningRateMonitor
from lightning.pytorch.loggers import CSVLogger
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import pad, softplus
from torch.optim import Adam
from torch.utils.data import DataLoader, TensorDataset

from lightning_warmup import LearningRateWarmup
from plot_run import read_run

NOISE = 16


class GAN(LightningModule):
    """One network draws, the other tells its drawings from real ones, and takes two steps for one of the first."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        hidden = nn.Sequential(nn.Linear(NOISE, 256), nn.BatchNorm1d(256), nn.ReLU())
        self.generator = nn.Sequential(hidden, nn.Linear(256, 64), nn.Sigmoid())
        self.discriminator = nn.Sequential(nn.Linear(64, 256), nn.LeakyReLU(0.2), nn.Linear(256, 1))

    def draw(self, number: int) -> Tensor:
        """So many images of 64 pixels."""
        return self.generator(torch.randn(number, NOISE))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        """A step of the discriminator, and with every second batch one of the generator."""
        generator, discriminator = self.optimizers()  # type: ignore[attr-defined]
        # A little noise over both keeps the discriminator from being sure too early.
        real, drawn = (images + 0.2 * torch.randn_like(images) for images in (batch[0], self.draw(len(batch[0]))))
        loss = (softplus(-self.discriminator(real)) + softplus(self.discriminator(drawn.detach()))).mean()
        discriminator.zero_grad()
        self.manual_backward(loss)
        discriminator.step()
        self.log("discriminator", loss)
        if batch_idx % 2 == 1:
            loss = softplus(-self.discriminator(drawn)).mean()
            generator.zero_grad()
            self.manual_backward(loss)
            generator.step()
            self.log("generator", loss)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Optimizer 0 is the generator's, optimizer 1 the discriminator's."""
        generator = Adam(self.generator.parameters(), lr=0.002, betas=(0.5, 0.99))
        return [generator, Adam(self.discriminator.parameters(), lr=0.001, betas=(0.5, 0.99))]


def plot(folder: Path, drawn: Tensor) -> Path:
    """Learning rates, losses, and what the generator draws at the end."""
    figure = Figure(figsize=(8, 6.5), layout="constrained")
    lr_axes, loss_axes, image_axes = figure.subplots(3, height_ratios=[1, 1, 0.5])
    run = read_run(folder)
    for network, column in (("generator", "lr-Adam"), ("discriminator", "lr-Adam-1")):
        lr_axes.step(*run[column], where="post", label=network)
        loss_axes.plot(*run[network], linewidth=0.7, label=network)
    loss_axes.set_xlabel("batch")
    for axes, shown in ((lr_axes, "learning rate"), (loss_axes, "loss")):
        axes.set_ylabel(shown)
        axes.axis(xmin=0, ymin=0)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    rows = pad(drawn.view(2, -1, 8, 8), (1, 1, 1, 1)).permute(0, 2, 1, 3).flatten(2).flatten(0, 1).numpy()
    image_axes.imshow(rows, cmap="gray_r", interpolation="nearest")
    image_axes.set_axis_off()
    figure.suptitle("Two optimizers, each by its own count of steps")
    figure.savefig(folder / "lr_and_loss.png", dpi=80)
    return folder / "lr_and_loss.png"


def main(max_epochs: int = 80) -> Path:
    """Train, and draw the run; returns the picture.

    Args:
        max_epochs: Of 28 batches of 64 images.
    """
    warnings.filterwarnings("ignore", ".*does not have many workers|.*LeafSpec")
    torch.set_num_threads(1)
    seed_everything(1, verbose=False)
    images = torch.tensor(load_digits().data, dtype=torch.float32) / 16
    data = DataLoader(TensorDataset(images), 64, shuffle=True, drop_last=True)
    batches = max_epochs * len(data)
    # In manual optimization only you know how many steps there will be, and the two take different numbers of them.
    generator = LearningRateWarmup("5%", "cosine", total=batches // 2, optimizer=0)
    discriminator = LearningRateWarmup("20%", "cosine", total=batches, optimizer=1)
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=max_epochs,
        log_every_n_steps=1,
        logger=CSVLogger("runs", name="gan"),
        callbacks=[generator, discriminator, LearningRateMonitor("step")],
    )
    gan = GAN()
    trainer.fit(gan, data)
    with torch.no_grad():
        picture = plot(Path(str(trainer.log_dir)), gan.eval().draw(40))
    print(f"picture: {picture}")
    return picture


if __name__ == "__main__":
    auto_cli(main)
