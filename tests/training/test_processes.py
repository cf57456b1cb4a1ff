"""Several processes: the same values on every rank."""

import warnings
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from packaging.version import Version

from lightning_warmup import LearningRateWarmup, LinearScaling
from processes import Save, Tell, shard, told
from runs import Line, loader, trainer

pytestmark = [
    pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended"),
    # torch and Lightning about one another, in the processes they start.
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.distributed.*:UserWarning"),
]


def sgd(module: Line) -> torch.optim.Optimizer:
    return torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)


def fork(*callbacks: pl.Callback, **kwargs: Any) -> pl.Trainer:
    return trainer(*callbacks, strategy="ddp_fork", devices=2, max_epochs=2, **kwargs)


def test_every_rank_uses_the_same_values(tmp_path: Path) -> None:
    warmup = LearningRateWarmup(4, "cosine", target_lr=LinearScaling(2))
    # 20 batches are 10 on each rank; 2 samples × 2 ranks are a global batch of 4.
    fork(warmup, Tell(tmp_path)).fit(Line(sgd), loader(20))
    first, second = told(tmp_path)
    assert first == second
    assert first["used"] == warmup.values(0.1, total_steps=20, steps_per_epoch=10, batch_size=4)


def test_from_one_process_to_two(tmp_path: Path) -> None:
    """20 batches an epoch, and then 10 on each rank: 27 steps alone, 13 batches that are 3 more of the second epoch."""
    callback = LearningRateWarmup("10%", "cosine")
    trainer(callback, Save(tmp_path, 27), max_epochs=4).fit(Line(sgd), loader(20))
    run = trainer(callback, Tell(tmp_path), strategy="ddp_fork", devices=2, max_epochs=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of another plan, told in the child
        run.fit(Line(sgd), loader(20), ckpt_path=tmp_path / "27.ckpt")
    first, second = told(tmp_path)
    assert first == second
    steps = 27 + len(first["used"])
    assert first["used"] == callback.values(0.1, total_steps=steps, steps_per_epoch=steps)[27:]


def test_resume_on_two_ranks(tmp_path: Path) -> None:
    def warmup() -> LearningRateWarmup:
        return LearningRateWarmup(4, "cosine")

    fork(warmup(), Tell(tmp_path), Save(tmp_path, 3, 12)).fit(Line(sgd), loader(20))
    whole, _ = told(tmp_path)
    for step in (3, 12):
        fork(warmup(), Tell(tmp_path)).fit(Line(sgd), loader(20), ckpt_path=tmp_path / f"{step}.ckpt")
        first, second = told(tmp_path)
        assert first == second == {"used": whole["used"][step:], "weights": whole["weights"]}


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"resume_warmup": 5}, {"replan": "rest"}], ids=str)
def test_ramps_and_branches_on_two_ranks(settings: dict[str, Any], tmp_path: Path) -> None:
    """Resumed into a longer run, and that resumed again: both ranks use at every step what one process uses."""

    def warmup() -> LearningRateWarmup:
        return LearningRateWarmup(4, "cosine", **settings)

    def longer(path: Path, *callbacks: pl.Callback) -> Any:
        run = trainer(warmup(), Tell(tmp_path), *callbacks, strategy="ddp_fork", devices=2, max_epochs=3)
        run.fit(Line(sgd), loader(20), ckpt_path=path)
        first, second = told(tmp_path)
        assert first == second
        return first["used"]

    fork(warmup(), Tell(tmp_path), Save(tmp_path, *range(1, 20))).fit(Line(sgd), loader(20))
    for step in range(1, 20):
        used = longer(tmp_path / f"{step}.ckpt", Save(tmp_path / "again", step + 2))
        alone = Line()
        trainer(warmup(), max_epochs=3).fit(alone, loader(10), ckpt_path=tmp_path / f"{step}.ckpt")
        assert used == alone.used
        if step % 10:
            assert longer(tmp_path / "again" / f"{step + 2}.ckpt") == used[2:]


class DieOnOneRank(pl.Callback):
    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_rank == 1 and trainer.global_step == 7:
            raise RuntimeError("rank 1 died")


def test_a_rank_that_dies(tmp_path: Path) -> None:
    fork(LearningRateWarmup(4, "cosine"), Tell(tmp_path)).fit(Line(sgd), loader(20))
    whole, _ = told(tmp_path)
    with pytest.raises(Exception, match="rank 1 died"):
        fork(LearningRateWarmup(4, "cosine"), Save(tmp_path, 5), DieOnOneRank()).fit(Line(sgd), loader(20))
    fork(LearningRateWarmup(4, "cosine"), Tell(tmp_path)).fit(Line(sgd), loader(20), ckpt_path=tmp_path / "5.ckpt")
    first, second = told(tmp_path)
    assert first == second == {"used": whole["used"][5:], "weights": whole["weights"]}


@pytest.mark.skipif(Version(torch.__version__) < Version("2.6"), reason="torch had no fully_shard")
@pytest.mark.skipif(Version(pl.__version__) < Version("2.5"), reason="repeats the batch after which a callback saved")
@pytest.mark.parametrize("distributed", [False, True])
def test_fsdp2_and_its_resume(distributed: bool, tmp_path: Path) -> None:
    # This strategy's own launcher would run the script again, for each process: they are forked here instead.
    for steps, ckpt_path in (((3, 12), None), ((), "3.ckpt"), ((), "12.ckpt")):
        path = None if ckpt_path is None else tmp_path / ckpt_path
        torch.multiprocessing.start_processes(shard, (tmp_path, steps, path, distributed), 2, start_method="fork")
        first, second = told(tmp_path)
        assert first == second
        if ckpt_path is None:
            whole = first
            expected = LearningRateWarmup(4, "cosine").values(0.1, total_steps=20, steps_per_epoch=10)
            assert whole["used"] == expected
        else:
            step = int(ckpt_path.removesuffix(".ckpt"))
            assert first == {"used": whole["used"][step:], "weights": whole["weights"]}
