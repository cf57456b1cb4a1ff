"""A Transformer that its warmup decides: Post-LN, as the first one was, on the bytes of Python's standard library.

python examples/post_ln.py                 # half a minute; it learns
python examples/post_ln.py --warmup=0      # it learns how often each byte is, and little else
python examples/post_ln.py --warmup=0 --norm_first=true  # Pre-LN: without a warmup, too
"""

import math
import warnings
from pathlib import Path

import torch
from jsonargparse import auto_cli
from lightning.pytorch import LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import LearningRateMonitor
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import AdamW, Optimizer
from torch.utils.data import DataLoader, TensorDataset

from byte_transformer import standard_library
from lightning_warmup import LearningRateWarmup
from plot_run import plot_run

CONTEXT, WIDTH, LAYERS = 64, 32, 6
EPOCHS = 10


class DeepByteTransformer(LightningModule):
    """Six layers that say, after every byte, what the next one is.

    Args:
        norm_first: False: LayerNorm after each sum, Post-LN; True: before each part, Pre-LN.
        lr: What the warmup leads to.
    """

    def __init__(self, norm_first: bool, lr: float) -> None:
        super().__init__()
        self.bytes, self.places = nn.Embedding(256, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        layer = nn.TransformerEncoderLayer(WIDTH, 4, 4 * WIDTH, 0.0, "gelu", batch_first=True, norm_first=norm_first)
        norm = nn.LayerNorm(WIDTH) if norm_first else None
        self.layers = nn.TransformerEncoder(layer, LAYERS, norm, enable_nested_tensor=False)
        self.head = nn.Linear(WIDTH, 256)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(CONTEXT), persistent=False)
        for weight in self.parameters():
            if weight.ndim == 2:
                nn.init.xavier_uniform_(weight)
        self.lr = lr

    def loss(self, windows: Tensor) -> Tensor:
        """Nats for a byte, given those before it."""
        read, following = windows[:, :-1].long(), windows[:, 1:].long()
        x = self.layers(self.bytes(read) + self.places.weight, mask=self.mask, is_causal=True)
        return cross_entropy(self.head(x).flatten(0, 1), following.flatten())

    def training_step(self, batch: list[Tensor]) -> Tensor:
        """One step."""
        loss = self.loss(batch[0])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor]) -> None:
        """On text that is not trained on."""
        self.log("val_loss", self.loss(batch[0]))

    def configure_optimizers(self) -> Optimizer:
        """The optimizer alone."""
        return AdamW(self.parameters(), lr=self.lr, betas=(0.9, 0.98))


def main(warmup: int | str = "20%", lr: float = 0.006, norm_first: bool = False, steps: int = 300) -> Path:
    """Train, and draw the run; returns the picture.

    Args:
        warmup: A duration: "20%", "5%", 0.
        lr: The highest learning rate.
        norm_first: Pre-LN instead of Post-LN.
        steps: A multiple of 10.
    """
    warnings.filterwarnings("ignore", ".*does not have many workers|.*LeafSpec")
    torch.set_num_threads(1)  # so small a network gains nothing from more
    seed_everything(0, verbose=False)
    windows = standard_library(CONTEXT)
    val, train = windows[::400], windows[torch.arange(len(windows)) % 400 != 0]
    schedule = LearningRateWarmup(warmup, "linear")
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=EPOCHS,
        limit_train_batches=steps // EPOCHS,
        log_every_n_steps=1,
        logger=CSVLogger("runs", name="post_ln"),
        callbacks=[schedule, LearningRateMonitor("step")],
    )
    model = DeepByteTransformer(norm_first, lr)
    trainer.fit(model, DataLoader(TensorDataset(train), 16, shuffle=True), DataLoader(TensorDataset(val), 64))
    print(f"bits per byte: {float(trainer.callback_metrics['val_loss']) / math.log(2):.2f}")
    picture = plot_run(
        Path(str(trainer.log_dir)), title=f"A {'Pre' if norm_first else 'Post'}-LN Transformer\n{schedule!r}"
    )
    print(f"picture: {picture}")
    return picture


if __name__ == "__main__":
    auto_cli(main)
