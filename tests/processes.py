"""Runs of two processes: what each of them tells of itself, and a model that they share out."""

import json
import os
import warnings
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.strategies import ModelParallelStrategy
from torch.utils.data import DataLoader, TensorDataset

from lightning_warmup import LearningRateWarmup
from lightning_warmup.training.last_moment import at_the_last_moment
from runs import trainer


class Tell(pl.Callback):
    """Writes down, on each rank, what every step used and the weights at the end: state changes stay in the child."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.used: list[float] = []

    def on_before_zero_grad(self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Any) -> None:
        pass

    def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Any) -> None:
        at_the_last_moment(pl_module, lambda: self.used.append(float(optimizer.param_groups[0]["lr"])), last=True)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        told = {"used": self.used, "weights": [_full(p).tolist() for p in pl_module.parameters()]}
        (self.folder / f"rank{trainer.global_rank}.json").write_text(json.dumps(told))


def _full(parameter: Any) -> torch.Tensor:
    return (parameter.full_tensor() if hasattr(parameter, "full_tensor") else parameter).detach()


def told(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    return tuple(json.loads((folder / f"rank{rank}.json").read_text()) for rank in (0, 1))  # type: ignore[return-value]


class Save(pl.Callback):
    def __init__(self, folder: Path, *steps: int) -> None:
        self.folder, self.steps = folder, steps

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step in self.steps:
            trainer.save_checkpoint(self.folder / f"{trainer.global_step}.ckpt")


class Sharded(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 4)

    def configure_model(self) -> None:
        from torch.distributed.fsdp import fully_shard

        torch.manual_seed(0)
        torch.nn.init.ones_(self.layer.weight)
        torch.nn.init.zeros_(self.layer.bias)
        fully_shard(self.layer, mesh=self.device_mesh["data_parallel"])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        return ((self.layer(batch[0]) - 1) ** 2).mean()


def shard(rank: int, folder: Path, steps: tuple[int, ...], ckpt_path: Path | None, distributed: bool) -> None:
    """What one of two processes does; they are there before Lightning, which looks up its rank."""
    warnings.simplefilter("ignore")  # torch's and Lightning's, about one another
    os.environ["LOCAL_RANK"] = str(rank)
    strategy = ModelParallelStrategy(
        data_parallel_size=2, tensor_parallel_size=1, save_distributed_checkpoint=distributed
    )
    data = DataLoader(TensorDataset(torch.ones(40, 4)), batch_size=2)
    callbacks = [LearningRateWarmup(4, "cosine"), Tell(folder), Save(folder, *steps)]
    trainer(*callbacks, strategy=strategy, devices=2, max_epochs=2).fit(Sharded(), data, ckpt_path=ckpt_path)
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()  # or torch may abort when the interpreter exits
