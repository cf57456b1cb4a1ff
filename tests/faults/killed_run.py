"""A run to be killed: it writes down every step that it takes, saves as it goes, and takes up where it finds itself.

python killed_run.py FOLDER KIND, where KIND is a JSON list of the fields of Kind.
"""

import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import lightning.pytorch as pl
import torch

from lightning_warmup import HyperparameterWarmup, LearningRateWarmup, ReduceOnPlateauDecay

EPOCHS, BATCHES, BATCH_SIZE = 6, 20, 4
STEPS = EPOCHS * BATCHES
LATE = 50  # step from which on a late group is trained


class Kind(NamedTuple):
    """What kind of a run: on how many processes, by which of :data:`PLANS`, and when it saves."""

    devices: int = 1
    plan: str = "cosine"
    at_ends: bool = False
    """Save after each epoch's last batch, and only there."""


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
    """Two param groups and parameters for a third, and a loss that no two batches share."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body, self.head, self.late = torch.nn.Linear(3, 8), torch.nn.Linear(8, 1), torch.nn.Linear(8, 1)

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        x = torch.stack([batch.sin(), batch.cos(), (batch / 10).sin()], dim=1)
        hidden = torch.tanh(self.body(x))
        loss = ((self.head(hidden) + self.late(hidden)).squeeze(1) - (batch / 7).sin()).square().mean()
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        groups = [
            {"params": self.body.parameters(), "lr": 0.05, "momentum": 0.9},
            {"params": self.head.parameters(), "lr": 0.2, "momentum": 0.8},
        ]
        return torch.optim.SGD(groups)


class AddsGroup(pl.Callback):
    """Trains a third group from a step on; a resumed run finds it where the checkpoint has it."""

    def __init__(self) -> None:
        self.there = False

    def on_load_checkpoint(self, trainer: pl.Trainer, module: Any, checkpoint: dict[str, Any]) -> None:
        self.there = len(checkpoint["optimizer_states"][0]["param_groups"]) == 3

    def on_fit_start(self, trainer: pl.Trainer, module: Any) -> None:
        if self.there:
            self._add(trainer, module)

    def on_train_batch_start(self, trainer: pl.Trainer, module: Any, batch: Any, batch_idx: int) -> None:
        if not self.there and trainer.global_step == LATE:
            self._add(trainer, module)

    def _add(self, trainer: pl.Trainer, module: Any) -> None:
        self.there = True
        module.late.zero_grad()  # nobody has, so far
        trainer.optimizers[0].add_param_group({"params": module.late.parameters(), "lr": 0.1, "momentum": 0.7})


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
    with a schedule or without. Or there alone, for runs that are killed once.
    """

    def __init__(self, folder: Path, at_ends: bool) -> None:
        self.folder, self.at_ends = folder, at_ends

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.is_last_batch if self.at_ends else trainer.global_step % 3 == 0 and not trainer.is_last_batch:
            path = self.folder / f"{trainer.global_step:04}.ckpt"
            trainer.save_checkpoint(path.with_suffix(".part"))
            if trainer.is_global_zero:
                path.with_suffix(".part").replace(path)


def momentum() -> HyperparameterWarmup:
    return HyperparameterWarmup("momentum", warmup=30, initial_value=0.5)


PLANS: dict[str, Callable[[], list[pl.Callback]]] = {
    "cosine": lambda: [LearningRateWarmup("10%", "cosine"), momentum()],
    "plateau": lambda: [LearningRateWarmup("10%", ReduceOnPlateauDecay("loss", factor=0.5, patience=0)), momentum()],
    "late group": lambda: [LearningRateWarmup("10%", "cosine", late_group_warmup=15), momentum(), AddsGroup()],
}


ONE_PROCESS = Kind()


def train(
    folder: Path, kind: Kind = ONE_PROCESS, ckpt_path: Path | None = None, others: Sequence[pl.Callback] = ()
) -> Net:
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
        devices=kind.devices,
        strategy="ddp_fork" if kind.devices > 1 else "auto",
        max_epochs=EPOCHS,
        callbacks=[*PLANS[kind.plan](), *others, WriteDown(folder / "steps"), SaveOften(folder, kind.at_ends)],
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


def write_weights(folder: Path, net: Net) -> None:
    """What is left at the end, by floats that JSON keeps exactly."""
    (folder / "weights.json").write_text(json.dumps({name: value.tolist() for name, value in net.state_dict().items()}))


def run(folder: Path, kind: Kind) -> None:
    write_weights(folder, train(folder, kind, newest(folder)))


def forked(folder: Path, kind: Kind, errors: Path, port: int) -> None:
    """The same in a process that is forked from one that has imported all this."""
    os.setsid()  # its own processes are killed with it
    os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND), sys.stderr.fileno())
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    os.environ["MASTER_PORT"] = str(port)
    run(folder, kind)


if __name__ == "__main__":
    run(Path(sys.argv[1]), Kind(*json.loads(sys.argv[2])))
