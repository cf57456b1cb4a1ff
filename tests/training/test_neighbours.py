"""Beside Lightning's own callbacks."""

from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import (
    BatchSizeFinder,
    EarlyStopping,
    LearningRateFinder,
    LearningRateMonitor,
    StochasticWeightAveraging,
)
from lightning.pytorch.loggers import Logger
from lightning.pytorch.tuner import Tuner
from packaging.version import Version
from torch.utils.data import DataLoader, TensorDataset

from lightning_warmup import LearningRateWarmup
from runs import Line, Logging, RecordingSGD, Stream, fit, loader, trainer


class Memory(Logger):
    """Keeps every metric with the step it was logged at."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[dict[str, float]] = []

    name = version = "memory"

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.rows.append({**metrics, "step": step})

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        pass


@pytest.mark.parametrize("accumulation", [1, 2])
@pytest.mark.parametrize("logging_interval", ["step", "epoch", None])
@pytest.mark.parametrize("interval", ["step", "epoch"])
@pytest.mark.parametrize("ours_first", [True, False])
def test_learning_rate_monitor_logs_what_the_step_uses(
    ours_first: bool, interval: Any, logging_interval: Any, accumulation: int
) -> None:
    warmup = LearningRateWarmup(2, "cosine", interval=interval)
    callbacks = [warmup, LearningRateMonitor(logging_interval)]
    logger = Memory()
    module = fit(
        callbacks if ours_first else callbacks[::-1],
        max_epochs=4,
        logger=logger,
        log_every_n_steps=1,
        accumulate_grad_batches=accumulation,
    )
    used = module.used
    logged = [(row["step"], row["lr-RecordingSGD"]) for row in logger.rows if "lr-RecordingSGD" in row]
    assert len(logged) >= 4
    for step, lr in logged:
        assert lr == used[min(step, len(used) - 1)]


@pytest.mark.parametrize("ours_first", [True, False])
def test_learning_rate_monitor_of_a_stream_by_epoch(ours_first: bool) -> None:
    """Where the steps of an epoch are unknown, the next epoch's value is written at the end of each."""
    warmup = LearningRateWarmup(2, "cosine", interval="epoch")
    callbacks = [warmup, LearningRateMonitor("epoch")]
    logger, module = Memory(), Line()
    ours = trainer(*(callbacks if ours_first else callbacks[::-1]), max_epochs=5, logger=logger, log_every_n_steps=1)
    ours.fit(module, DataLoader(Stream(), batch_size=2))
    logged = [row["lr-RecordingSGD"] for row in logger.rows if "lr-RecordingSGD" in row]
    assert logged == warmup.values(0.1, total_steps=5, steps_per_epoch=1)


class Tuned(Line):
    """Has what the tuner's callbacks set."""

    def __init__(self) -> None:
        super().__init__(lambda m: RecordingSGD(m.parameters(), lr=m.lr))
        self.batch_size = 2
        self.finished = False

    def train_dataloader(self) -> Any:
        return DataLoader(TensorDataset(torch.ones(20, 2)), batch_size=self.batch_size)


@pytest.mark.skipif(Version(pl.__version__) < Version("2.5.5"), reason="fit then trained without the rate it had found")
@pytest.mark.filterwarnings("ignore:.*does not have many workers")
@pytest.mark.parametrize("ours_first", [True, False])
def test_learning_rate_finder(ours_first: bool, tmp_path: Any) -> None:
    warmup = LearningRateWarmup(5, "cosine")
    callbacks = [warmup, LearningRateFinder(num_training_steps=30, early_stop_threshold=None)]
    module = Tuned()
    ours = trainer(*(callbacks if ours_first else callbacks[::-1]), max_epochs=2, default_root_dir=tmp_path)
    ours.fit(module)
    used = ours.optimizers[0].lrs()[-20:]
    assert module.lr != 0.1
    assert used == warmup.values(module.lr, total_steps=20, steps_per_epoch=10)


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
def test_tuner_lr_find(tmp_path: Any) -> None:
    warmup = LearningRateWarmup(5, "cosine")
    module = Tuned()
    ours = trainer(warmup, max_epochs=2, default_root_dir=tmp_path)
    Tuner(ours).lr_find(module, num_training=30, early_stop_threshold=None)
    assert module.lr != 0.1
    ours.fit(module)
    assert module.used == warmup.values(module.lr, total_steps=20, steps_per_epoch=10)


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
def test_batch_size_finder(tmp_path: Any) -> None:
    warmup = LearningRateWarmup("1 epoch", "cosine")
    module = Tuned()
    ours = trainer(warmup, BatchSizeFinder(max_trials=2, steps_per_trial=1), max_epochs=2, default_root_dir=tmp_path)
    ours.fit(module)
    steps = -(-20 // module.batch_size)
    assert module.batch_size > 2
    assert ours.optimizers[0].lrs()[-2 * steps :] == warmup.values(0.1, total_steps=2 * steps, steps_per_epoch=steps)


class Norm(Line):
    def __init__(self) -> None:
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(2)

    def loss(self, batch: Any) -> torch.Tensor:
        return ((self.norm(batch[0]) @ self.weight + self.bias - 1) ** 2).mean()


@pytest.mark.parametrize("module", [Line, Norm])
@pytest.mark.parametrize("ours_first", [True, False])
def test_stochastic_weight_averaging_takes_over(ours_first: bool, module: type[Line], messages: list[str]) -> None:
    warmup = LearningRateWarmup(5, "cosine")
    callbacks: list[pl.Callback] = [warmup, StochasticWeightAveraging(0.03, swa_epoch_start=3, annealing_epochs=1)]
    used = fit(callbacks if ours_first else callbacks[::-1], module(), max_epochs=4).used
    # 4 epochs, and not the fifth that BatchNorm's statistics take.
    assert used[:20] == warmup.values(0.1, total_steps=40, steps_per_epoch=10)[:20]
    # From epoch 2 (its third) on, its own scheduler anneals to swa_lr.
    assert used[-1] == pytest.approx(0.03)
    assert any("StochasticWeightAveraging sets the lr from epoch 2 on" in line for line in messages)


@pytest.mark.skipif(not hasattr(pl.callbacks, "WeightAveraging"), reason="came with Lightning 2.6")
def test_weight_averaging() -> None:
    warmup = LearningRateWarmup(5, "cosine")
    averaging = pl.callbacks.WeightAveraging()
    assert fit([warmup, averaging], max_epochs=2).used == warmup.values(0.1, total_steps=20, steps_per_epoch=10)


def test_early_stopping() -> None:
    warmup = LearningRateWarmup(5, "cosine")
    stop = EarlyStopping("train_loss", patience=1, min_delta=10.0, check_on_train_epoch_end=True)
    used = fit([warmup, stop], Logging(), max_epochs=5).used
    assert len(used) == 20
    assert used == warmup.values(0.1, total_steps=50, steps_per_epoch=10)[:20]


class Writer(pl.Callback):
    """Somebody else with an opinion about the learning rate."""

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        trainer.optimizers[0].param_groups[0]["lr"] = 7.0


@pytest.mark.parametrize("ours_first", [True, False])
def test_another_writer_is_named_once_and_loses(ours_first: bool) -> None:
    warmup = LearningRateWarmup(5, "cosine")
    callbacks = [warmup, Writer()]
    with pytest.warns(UserWarning, match="Something else wrote 'lr' of the param group 'group 0'") as caught:
        used = fit(callbacks if ours_first else callbacks[::-1], max_epochs=2).used
    assert len([w for w in caught if "Something else" in str(w.message)]) == 1
    assert used == warmup.values(0.1, total_steps=20, steps_per_epoch=10)


def test_validation_in_mid_epoch() -> None:
    warmup = LearningRateWarmup(5, "cosine")
    module = Line()
    module.validation_step = lambda batch, batch_idx: module.loss(batch)  # type: ignore[method-assign]
    trainer(warmup, max_epochs=2, val_check_interval=3).fit(module, loader(10), loader(2))
    assert module.used == warmup.values(0.1, total_steps=20, steps_per_epoch=10)


class LateWriter(Line):
    """Writes where nobody comes after it: in the module's hook."""

    def on_before_optimizer_step(self, optimizer: Any) -> None:
        optimizer.param_groups[0]["lr"] = 7.0


class Snippet(Line):
    """The warmup that many copy: it writes after the step."""

    def optimizer_step(self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None) -> None:
        optimizer.step(closure=optimizer_closure)
        for group in optimizer.param_groups:
            group["lr"] = 7.0


@pytest.mark.parametrize("module", [LateWriter, Snippet])
def test_a_writer_after_us_is_named_once(module: type[Line]) -> None:
    with pytest.warns(
        UserWarning, match="Something else wrote 'lr' of the param group 'group 0' after step 1"
    ) as caught:
        used = fit(LearningRateWarmup(5, "cosine"), module(), max_epochs=2).used
    assert len([w for w in caught if "Something else" in str(w.message)]) == 1
    if module is Snippet:
        assert used == LearningRateWarmup(5, "cosine").values(0.1, total_steps=20, steps_per_epoch=10)
