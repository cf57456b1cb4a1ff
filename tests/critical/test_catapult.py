"""Persistent catapult warmup, in real runs."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from checkpoints import SaveEveryBatch
from lightning_warmup import LearningRateWarmup, LinearScaling, PersistentCatapultWarmup
from lightning_warmup.critical.catapult import _Catapult
from lightning_warmup.critical.search import CriticalLearningRateResult
from processes import Tell, told
from runs import Line, RecordingSGD, fit, loader, trainer
from searches import Valley

pytestmark = pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended")


def catapult(**kwargs: Any) -> LearningRateWarmup:
    return LearningRateWarmup(PersistentCatapultWarmup(**{"max_steps": 10, **kwargs}), "linear")


def test_algorithm_3() -> None:
    """The numbers of a made-up run, by hand."""
    run = _Catapult(PersistentCatapultWarmup(max_growth=2.0), max_steps=10)

    def found(lr: float) -> CriticalLearningRateResult:
        return CriticalLearningRateResult(lr, 9, "found")

    assert run.lower(0, 5.0)
    run.update(0, 5.0, found(0.1))
    assert run.rate == 0.1
    assert not run.lower(1, 5.0)
    assert run.lower(3, 4.0)
    run.update(3, 4.0, found(0.9))
    assert run.rate == 0.2  # capped
    run.update(4, 3.0, found(0.15))
    assert run.rate == 0.15  # and down again
    run.update(5, 2.0, CriticalLearningRateResult(0.0, 24, "ascent"))
    assert run.rate == 0.15
    assert run.due(9)
    assert not run.due(10)
    # The fallback, over as many steps again.
    assert [run.weight(t / 20) for t in (10, 15)] == pytest.approx([0.15, 0.575])
    run.update(9, 1.0, CriticalLearningRateResult(1.0, 9, "above_stop"))
    assert run.rate == 0.3
    assert run.length_taken is None


def test_it_gets_there_and_then_decays(messages: list[str]) -> None:
    callback = catapult(max_steps=20)
    used = fit(callback, Valley(), max_epochs=6).used
    taken = callback.warmup_steps
    assert taken is not None
    assert 1 <= taken < 20
    assert all(lr < 3.0 for lr in used[:taken])
    assert all(b <= 2 * a * (1 + 1e-9) for a, b in itertools.pairwise(used[:taken]))
    assert used[taken:] == pytest.approx([3.0 * (1 - (t - taken) / (60 - taken)) for t in range(taken, 60)])
    assert any(f"the catapult reached the target at step {taken}" in line for line in messages)


def test_the_fallback_is_linear_over_as_many_steps_again() -> None:
    # A quadratic does not stabilise: its critical learning rate is 1/3 of this target for ever.
    callback = catapult(max_steps=5)
    module = Line(lambda m: RecordingSGD(m.parameters(), lr=1.0))
    module.loss = lambda batch: ((batch[0] @ module.weight + module.bias - 1) ** 2).mean() + 1.0  # type: ignore[method-assign]
    used = fit(callback, module, max_epochs=4).used
    rate = used[4]
    assert rate == pytest.approx(1 / 3, rel=0.2)
    assert used[5:10] == pytest.approx([rate + (1 - rate) * k / 5 for k in range(5)])
    assert used[10:] == pytest.approx([1 - (t - 10) / 30 for t in range(10, 40)])


@pytest.mark.parametrize("max_steps", [3, 20])
def test_resume_at_every_step(max_steps: int, tmp_path: Path) -> None:
    whole = fit([catapult(max_steps=max_steps), SaveEveryBatch(tmp_path)], Valley(), max_epochs=5)
    for batch in range(1, 50, 3 if max_steps == 20 else 1):
        ckpt_path = tmp_path / f"{batch}.ckpt"
        resumed = fit(catapult(max_steps=max_steps), Valley(), max_epochs=5, ckpt_path=ckpt_path)
        assert resumed.used == whole.used[batch:]
        assert torch.equal(resumed.weight, whole.weight)


def test_state_is_plain(tmp_path: Path) -> None:
    fit([catapult(), SaveEveryBatch(tmp_path)], Valley(), max_epochs=3)
    state = torch.load(tmp_path / "2.ckpt", weights_only=True)["callbacks"][catapult().state_key]["adaptive"]
    assert set(state) == {"rate", "best", "length"}


def test_two_ranks_agree(tmp_path: Path) -> None:
    class Uneven(Valley):
        def __init__(self) -> None:
            super().__init__()
            self.configure = lambda m: torch.optim.SGD(m.parameters(), lr=3.0)

        def loss(self, batch: Any) -> torch.Tensor:
            return super().loss(batch) * (1 + self.global_rank)

    ours = trainer(catapult(), Tell(tmp_path), strategy="ddp_fork", devices=2, max_epochs=3)
    ours.fit(Uneven(), loader(20))
    first, second = told(tmp_path)
    assert first == second
    assert len(set(first["used"])) > 3


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"max_growth": 1.0}, r"max_growth=1\.0\): expected a finite number > 1"),
        ({"max_growth": float("inf")}, r"max_growth=inf\)"),
        ({"max_steps": 0}, r"max_steps=0\): expected a duration > 0"),
        ({"max_steps": "10 bananas"}, r"max_steps='10 bananas'\) is not a duration"),
        ({"fallback": "none"}, r"fallback='none'\): expected 'linear'"),
    ],
)
def test_bad_arguments(kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PersistentCatapultWarmup(**kwargs)


def test_what_it_cannot_be_combined_with() -> None:
    with pytest.raises(ValueError, match=r"warmup_initial_lr=0\.1\) with warmup=PersistentCatapultWarmup"):
        LearningRateWarmup(PersistentCatapultWarmup(), warmup_initial_lr=0.1)
    with pytest.raises(ValueError, match=r"interval='epoch'\) with warmup=PersistentCatapultWarmup"):
        LearningRateWarmup(PersistentCatapultWarmup(), interval="epoch")
    with pytest.raises(MisconfigurationException, match="cannot measure a critical learning rate here"):
        fit(catapult(), Valley(), max_epochs=4, accumulate_grad_batches=2)
    with pytest.raises(ValueError, match="depends on the run itself"):
        catapult().values(0.1, total_steps=99, steps_per_epoch=9)


def test_a_run_too_short_for_it() -> None:
    with pytest.raises(
        ValueError, match=r"warmup 40 at most = 40 steps is more than the 20 .* Shorten warmup \(or its max_steps\)"
    ):
        fit(catapult(max_steps=20), Valley(), max_epochs=2)


def test_a_scaled_target() -> None:
    scaled = LearningRateWarmup(PersistentCatapultWarmup(max_steps=10), "linear", target_lr=LinearScaling(2))
    assert fit(scaled, Valley(), max_epochs=4).used == fit(catapult(), Valley(), max_epochs=4).used


def test_its_default_can_be_drawn() -> None:
    _, axes = LearningRateWarmup("catapult").plot(1.0, total_steps=100)
    assert "the range it can take" in axes.get_title()
