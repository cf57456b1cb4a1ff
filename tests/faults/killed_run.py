"""A run to be killed: it writes down every step that it takes, saves as it goes, and takes up where it finds itself.

python killed_run.py FOLDER [DEVICES]
"""

import json
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch

from lightning_warmup import HyperparameterWarmup, LearningRateWarmup

EPOCHS, BATCHES, BATCH_SIZE = 6, 20, 4
STEPS = EPOCHS * BATCHES


class ShuffledLoader:
    """Shuffled batches of sample numbers, in another order every epoch; it knows its place, and takes it up again."""

    batch_size = BATCH_SIZE

    def __init__(self, world_size: int = 1, rank: int = 0) -> None:
        self.world_size, self.rank = world_size, rank
        self.generator = torch.Generator().manual_seed(3)
        self.order: list[int] = []
        self.position = 0

    def __len__(self) -> int:
        return BATCHES

    def __iter__(self) -> Iterator[torch.Tensor]:
        if self.position in (0, BATCHES):
            self.position = 0
            self.order = torch.randperm(BATCHES * BATCH_SIZE, generator=self.generator).tolist()
        while self.position < BATCHES:
            batch = self.order[self.position * BATCH_SIZE : (self.position + 1) * BATCH_SIZE]
            self.position += 1
            yield torch.tensor(batch[self.rank :: self.world_size])

    def state_dict(self) -> dict[str, Any]:
        return {"order": self.order, "position": self.position, "generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.order, self.position = state["order"], state["position"]
        self.generator.set_state(state["generator"])


class Net(pl.LightningModule):
    """Two param groups, and a loss that no two batches share."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body, self.head = torch.nn.Linear(3, 8), torch.nn.Linear(8, 1)

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        x = torch.stack([batch.sin(), batch.cos(), (batch / 10).sin()], dim=1)
        return (self.head(torch.tanh(self.body(x))).squeeze(1) - (batch / 7).sin()).square().mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        groups = [{"params": self.body.parameters(), "lr": 0.05}, {"params": self.head.parameters(), "lr": 0.2}]
        return torch.optim.SGD(groups, momentum=0.9)


class WriteDown(pl.Callback):
    """Every step as it is taken: its number, what each group used, and the samples it saw."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.batch: list[int] = []

    def on_train_batch_start(self, trainer: pl.Trainer, module: Any, batch: torch.Tensor, batch_idx: int) -> None:
        self.batch = batch.tolist()

    def on_before_optimizer_step(self, trainer: pl.Trainer, module: Any, optimizer: Any) -> None:
        used = [[group["lr"], group["momentum"]] for group in optimizer.param_groups]
        with self.path.with_suffix(f".{trainer.global_rank}.jsonl").open("a") as file:
            file.write(json.dumps([trainer.global_step, used, self.batch]) + "\n")

    def on_train_batch_end(self, *_: Any) -> None:
        time.sleep(0.004)  # a step is to be long enough to be killed in


class SaveOften(pl.Callback):
    """A checkpoint after every third step, whole or not there at all.

    Not after an epoch's last batch: what Lightning has resumed from there it does not resume exactly a second time,
    with a schedule or without.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step % 3 == 0 and not trainer.is_last_batch:
            path = self.folder / f"{trainer.global_step:04}.ckpt"
            trainer.save_checkpoint(path.with_suffix(".part"))
            if trainer.is_global_zero:
                path.with_suffix(".part").replace(path)


def callbacks() -> list[pl.Callback]:
    return [LearningRateWarmup("10%", "cosine"), HyperparameterWarmup("momentum", warmup=30, initial_value=0.5)]


def train(folder: Path, devices: int = 1, ckpt_path: Path | None = None) -> Net:
    """Train to the end, from a checkpoint if there is one."""
    warnings.simplefilter("ignore")
    folder.mkdir(parents=True, exist_ok=True)
    module = Net()

    class Loads(pl.LightningDataModule):
        def train_dataloader(self) -> Any:
            assert self.trainer is not None
            return ShuffledLoader(self.trainer.world_size, self.trainer.global_rank)

    trainer = pl.Trainer(
        accelerator="cpu",
        devices=devices,
        strategy="ddp_fork" if devices > 1 else "auto",
        max_epochs=EPOCHS,
        callbacks=[*callbacks(), WriteDown(folder / "steps"), SaveOften(folder)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    trainer.fit(module, datamodule=Loads(), ckpt_path=ckpt_path)
    return module


def steps_of(folder: Path, rank: int = 0) -> list[list[Any]]:
    """Every step that was begun, in the order of their beginning; the last line may be torn."""
    path = folder / f"steps.{rank}.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    steps = []
    for line in lines:
        try:
            steps.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return steps


def newest(folder: Path) -> Path | None:
    """The last checkpoint that is whole."""
    return max(folder.glob("*.ckpt"), default=None)


if __name__ == "__main__":
    where = Path(sys.argv[1])
    net = train(where, int(sys.argv[2]) if len(sys.argv) > 2 else 1, newest(where))
    weights = {name: tensor.tolist() for name, tensor in net.state_dict().items()}
    (where / "weights.json").write_text(json.dumps(weights))
