"""Small real runs for the tests: what did each optimizer step use?"""

from collections.abc import Callable, Iterator
from typing import Any

import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader, IterableDataset, TensorDataset


class RecordingSGD(torch.optim.SGD):
    """SGD that remembers, of every step it really took, what each group held."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.used: list[list[dict[str, Any]]] = []

    def step(self, closure: Any = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self.used.append(
            [
                {k: float(v) if isinstance(v, torch.Tensor) else v for k, v in group.items() if k != "params"}
                for group in self.param_groups
            ]
        )
        super().step()
        return loss

    def lrs(self, group: int = 0) -> list[float]:
        """The learning rate that each step used."""
        return [step[group]["lr"] for step in self.used]


class Line(pl.LightningModule):
    """A line fitted to a point, whose optimizers remember what they used.

    Args:
        configure: Given the module, returns what ``configure_optimizers`` returns.
    """

    def __init__(self, configure: Callable[["Line"], Any] | None = None, lr: float = 0.1) -> None:
        super().__init__()
        self.configure = configure
        self.lr = lr
        self.weight = torch.nn.Parameter(torch.tensor([0.5, -0.5]))
        self.bias = torch.nn.Parameter(torch.tensor([0.1]))

    def configure_optimizers(self) -> Any:
        return self.configure(self) if self.configure else RecordingSGD(self.parameters(), lr=self.lr)

    def loss(self, batch: Any) -> torch.Tensor:
        return ((batch[0] @ self.weight + self.bias - 1) ** 2).mean()

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        return self.loss(batch)

    @property
    def used(self) -> list[float]:
        """The learning rate that each step of the first optimizer's first group used."""
        return self.trainer.optimizers[0].lrs()


class Logging(Line):
    """Logs its loss, for those who look at it: of what a step costs that is a third, so that the others do not."""

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        loss = super().training_step(batch, batch_idx)
        self.log("train_loss", loss)
        return loss


def loader(batches: int, batch_size: int = 2) -> DataLoader:
    """``batches`` equal batches: Lightning starts a plain loader again when it resumes in mid-epoch."""
    return DataLoader(TensorDataset(torch.ones(batches * batch_size, 2)), batch_size=batch_size)


def trainer(*callbacks: pl.Callback, **kwargs: Any) -> pl.Trainer:
    """A quiet Trainer on the CPU."""
    settings: dict[str, Any] = {
        "accelerator": "cpu",
        "devices": 1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "callbacks": list(callbacks),
    }
    return pl.Trainer(**{**settings, **kwargs})


def fit(callback: Any, module: Line | None = None, *, batches: int = 10, ckpt_path: Any = None, **kwargs: Any) -> Line:
    """Fit a module for ``max_epochs`` of ``batches``; returns it."""
    module = module or Line()
    callbacks = callback if isinstance(callback, list) else [callback]
    trainer(*callbacks, **kwargs).fit(module, loader(batches), ckpt_path=ckpt_path)
    return module


class Stream(IterableDataset[Any]):
    """A stream that does not tell its length."""

    def __iter__(self) -> Iterator[list[torch.Tensor]]:
        yield from ([torch.ones(2)] for _ in range(20))


def fit_stream(callback: pl.Callback, **kwargs: Any) -> list[float]:
    """Fit a module on a :class:`Stream`; returns the learning rate that each step used."""
    module = Line()
    trainer(callback, **kwargs).fit(module, DataLoader(Stream(), batch_size=2))
    return module.used
