"""Two processes whose clocks differ follow rank 0's, at every step."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import Timer

from clocks import Ticking
from lightning_warmup import LearningRateWarmup
from lightning_warmup.training import clock
from processes import Save, Tell, told
from runs import Line, loader, trainer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.distributed.*:UserWarning"),
]


class OfItsOwn(Ticking):
    """On rank 1 the time goes ten times as fast, began elsewhere, and goes back now and then."""

    rank = 0

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        self.rank = trainer.global_rank

    def now(self) -> float:
        if self.rank:
            return 10 * self.time + 77 - 40 * (self.step % 5 == 3)
        return self.time


def sgd(module: Line) -> torch.optim.Optimizer:
    return torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)


CALLBACKS = [
    LearningRateWarmup(4, "cosine", total="16 seconds"),
    LearningRateWarmup("25%", "linear", total="16 seconds", cooldown="2 seconds"),
]


def run(callback: LearningRateWarmup, monkeypatch: Any, *others: Any, resume: Path | None = None) -> None:
    ticking = OfItsOwn(monkeypatch, 1.0)
    callbacks = [callback, ticking, *others]
    fork = trainer(*callbacks, strategy="ddp_fork", devices=2, max_epochs=2)
    fork.fit(Line(sgd), loader(20), ckpt_path=resume)


@pytest.mark.parametrize("backend", ["gloo", "nccl"])
@pytest.mark.parametrize("callback", CALLBACKS, ids=str)
def test_by_rank_0s_clock(callback: LearningRateWarmup, backend: str, tmp_path: Path, monkeypatch: Any) -> None:
    """Where the processes speak over GPUs, the time goes over a group of its own, on the CPU."""
    monkeypatch.setattr(clock.distributed, "get_backend", lambda: backend)
    run(callback, monkeypatch, Tell(tmp_path), Save(tmp_path, 3, 12))
    first, second = told(tmp_path)
    assert first == second
    assert first["used"] == callback.values(0.1, total_steps=20, steps_per_second=1)
    for step in (3, 12):
        run(callback, monkeypatch, Tell(tmp_path), resume=tmp_path / f"{step}.ckpt")
        assert told(tmp_path) == ({**first, "used": first["used"][step:]},) * 2


class Differs(Timer):
    """A Timer whose time goes three times as fast on rank 1."""

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        self.trainer = trainer

    def time_elapsed(self, stage: Any = "train") -> float:
        return float(self.trainer.global_step * (1 + 2 * self.trainer.global_rank)) if hasattr(self, "trainer") else 0.0


def test_max_time_by_rank_0s_timer(tmp_path: Path) -> None:
    callback = LearningRateWarmup(4, "linear", total="max_time")
    callbacks = [callback, Differs({"seconds": 15}), Tell(tmp_path)]
    trainer(*callbacks, strategy="ddp_fork", devices=2, max_epochs=2).fit(Line(sgd), loader(20))
    first, second = told(tmp_path)
    assert first == second
    expected = LearningRateWarmup(4, "linear", total="15 seconds").values(0.1, total_steps=15, steps_per_second=1)
    assert first["used"] == expected


class OtherStrategy:
    """One that speaks without torch.distributed."""

    def broadcast(self, used: int) -> int:
        self.asked = used
        return 1234


def test_without_torch_distributed(monkeypatch: Any) -> None:
    class Elsewhere:
        world_size, is_global_zero, strategy = 2, False, OtherStrategy()

    monkeypatch.setattr(clock.distributed, "is_initialized", lambda: False)
    there = clock.Clock(Elsewhere(), None, 0)  # type: ignore[arg-type]
    assert there.used == 1234
    assert there.state() == 1234
