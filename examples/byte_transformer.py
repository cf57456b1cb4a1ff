"""A byte-level Transformer reads Python's standard library: Muon for its matrices, AdamW for the rest, WSD for both.

python examples/byte_transformer.py
python examples/byte_transformer.py --steps=4000 --width=256

torch.optim.Muon came with torch 2.9.
"""

import math
import sysconfig
import warnings
from pathlib import Path
from typing import Any

import torch
from jsonargparse import auto_cli
from lightning.pytorch import LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import LearningRateMonitor
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import AdamW
from torch.utils.data import DataLoader, TensorDataset

from lightning_warmup import LearningRateWarmup
from plot_run import plot_run

CONTEXT = 128
EPOCHS = 8


class ByteTransformer(LightningModule):
    """Two layers that say, after every byte, what the next one is.

    Args:
        width: Of what is known of a byte, a multiple of 4.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.automatic_optimization = False  # as Lightning has it for two optimizers
        self.bytes, self.places = nn.Embedding(256, width), nn.Embedding(CONTEXT, width)
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, nn.LayerNorm(width), enable_nested_tensor=False)
        self.head = nn.Linear(width, 256)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(CONTEXT), persistent=False)

    def loss(self, windows: Tensor) -> Tensor:
        """Nats for a byte, given those before it."""
        read, following = windows[:, :-1].long(), windows[:, 1:].long()
        x = self.layers(self.bytes(read) + self.places.weight, mask=self.mask, is_causal=True)
        return cross_entropy(self.head(x).flatten(0, 1), following.flatten())

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        """One step of each optimizer."""
        loss = self.loss(batch[0])
        optimizers: Any = self.optimizers()
        for optimizer in optimizers:
            optimizer.zero_grad()
        self.manual_backward(loss)
        for optimizer in optimizers:
            optimizer.step()
        self.log("train_loss", loss)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        """On text that is not trained on."""
        self.log("val_loss", self.loss(batch[0]))

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Each with the learning rate that its warmup leads to."""
        matrices = [p for p in self.layers.parameters() if p.ndim == 2]
        rest = [p for p in self.parameters() if all(p is not matrix for matrix in matrices)]
        # Scaled so, Muon's updates are as large as AdamW's.
        return [torch.optim.Muon(matrices, lr=0.004, adjust_lr_fn="match_rms_adamw"), AdamW(rest, lr=0.002)]


def standard_library(context: int = CONTEXT) -> Tensor:
    """The top modules of the running Python, cut into windows of context + 1 bytes."""
    files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    text = b"".join(file.read_bytes() for file in files)
    size = context + 1
    whole = bytearray(text[: len(text) // size * size])
    return torch.frombuffer(whole, dtype=torch.uint8).view(-1, size)


def main(steps: int = 400, width: int = 64) -> Path:
    """Train, and draw the run; returns the picture.

    Args:
        steps: Of each optimizer; a multiple of 8.
        width: Of the Transformer.
    """
    warnings.filterwarnings("ignore", ".*does not have many workers|.*LeafSpec")
    torch.set_num_threads(1)  # so small a network gains nothing from more
    seed_everything(1, verbose=False)
    windows = standard_library()
    val, train = windows[::400], windows[torch.arange(len(windows)) % 400 != 0]
    # One callback for both optimizers. In manual optimization only you know how many steps there will be.
    schedule = LearningRateWarmup("5%", "one_minus_sqrt", decay_duration="20%", total=steps)
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=EPOCHS,
        limit_train_batches=steps // EPOCHS,
        log_every_n_steps=1,
        logger=CSVLogger("runs", name="byte_transformer"),
        callbacks=[schedule, LearningRateMonitor("step")],
    )
    model = ByteTransformer(width)
    trainer.fit(model, DataLoader(TensorDataset(train), 16, shuffle=True), DataLoader(TensorDataset(val), 64))
    print(f"bits per byte: {float(trainer.callback_metrics['val_loss']) / math.log(2):.2f}")
    picture = plot_run(Path(str(trainer.log_dir)), title=f"A byte-level Transformer\n{schedule!r}")
    print(f"picture: {picture}")
    return picture


if __name__ == "__main__":
    auto_cli(main)
