"""Sequences, points, cycles, formulas and a decay from the start, resumed at every step; β2 in a run."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from checkpoints import SaveEveryBatch
from lightning_warmup import (
    CosineDecay,
    Decay,
    DecayPart,
    FormulaDecay,
    FormulaWarmup,
    HyperparameterWarmup,
    InverseTimeDecay,
    LearningRateWarmup,
    LinearDecay,
    PiecewiseConstantDecay,
    PiecewiseLinearDecay,
    RAdamWarmup,
    RestartsDecay,
    SequentialDecay,
)
from runs import Line, RecordingSGD, fit
from summary import resume_point

pytestmark = pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended")

NEW = [
    InverseTimeDecay(2, power=0.7, final="30%"),
    PiecewiseLinearDecay({2: 1, "50%": 0.4, 7: "10%"}),
    PiecewiseConstantDecay({3: 0.4, "75%": "10%"}),
    RestartsDecay(LinearDecay(0.1), period=3, gamma=0.8, warmup=1),
    RestartsDecay("cosine", cycles=2, gamma=0.5),
    SequentialDecay([DecayPart("constant", 1), DecayPart(CosineDecay(0.1), 3), DecayPart("linear", start=0.3)]),
    FormulaDecay("(1 - u) / (1 - u / 2)"),
]


def two_groups(module: Line) -> RecordingSGD:
    groups = [{"params": [module.weight], "lr": 0.1}, {"params": [module.bias], "lr": 0.3}]
    return RecordingSGD(groups, lr=0.1, momentum=0.9)


@pytest.mark.parametrize("interval", ["step", "epoch"])
@pytest.mark.parametrize("decay_from", ["warmup", pytest.param("start", marks=pytest.mark.slow)])
@pytest.mark.parametrize("decay", NEW, ids=lambda decay: type(decay).__name__)
def test_resumed_after_every_batch(decay: Decay, decay_from: Any, interval: Any, tmp_path: Path) -> None:
    def callback() -> LearningRateWarmup:
        warmup = FormulaWarmup(2, "log(1 + t) / log(1 + N)")
        return LearningRateWarmup(
            warmup, decay, interval=interval, decay_from=decay_from, warmup_initial_lr="10%", cooldown=1
        )

    # 8 intervals, of which an epoch has two steps.
    settings: dict[str, Any] = {"max_epochs": 8 if interval == "epoch" else 4, "batches": 2}
    whole = fit([callback(), SaveEveryBatch(tmp_path)], Line(two_groups), **settings)
    used = [whole.trainer.optimizers[0].lrs(group) for group in (0, 1)]
    expected = callback().values({"a": 0.1, "b": 0.3}, total_steps=len(used[0]), steps_per_epoch=2)
    assert used == [expected["a"], expected["b"]]
    for batch in range(1, len(used[0])):
        with resume_point():
            resumed = fit(callback(), Line(two_groups), ckpt_path=tmp_path / f"{batch}.ckpt", **settings)
            assert [resumed.trainer.optimizers[0].lrs(group) for group in (0, 1)] == [lrs[batch:] for lrs in used]


def betas(**kwargs: Any) -> tuple[Line, list[Any]]:
    seen: list[Any] = []
    module = Line(lambda m: torch.optim.AdamW(m.parameters(), lr=0.1, betas=(0.8, 0.99), **kwargs))
    module.on_before_optimizer_step = lambda optimizer: seen.append(optimizer.param_groups[0]["betas"])  # type: ignore[method-assign]
    return module, seen


def test_beta2_is_the_second_beta_of_adam() -> None:
    module, seen = betas()
    callback = HyperparameterWarmup("beta2", warmup=5, initial_value=0.9)
    fit(callback, module, max_epochs=1)
    assert seen == [(0.8, beta) for beta in callback.values(0.99, total_steps=10)]


def test_beta2_beside_momentum_and_a_learning_rate() -> None:
    """A higher β2 in the cooldown: arXiv 2508.01483."""
    module, seen = betas()
    beta2 = HyperparameterWarmup("beta2", decay=PiecewiseConstantDecay({"80%": 0.999 / 0.99}))
    momentum = HyperparameterWarmup("momentum", warmup=4, initial_value=0.5)
    fit([LearningRateWarmup(2, "linear"), beta2, momentum], module, max_epochs=1)
    first, second = (c.values(own, total_steps=10) for c, own in ((momentum, 0.8), (beta2, 0.99)))
    assert seen == list(zip(first, second, strict=True))
    assert second == [0.99] * 8 + [pytest.approx(0.999)] * 2


def test_beta2_is_resumed(tmp_path: Path) -> None:
    def callback() -> HyperparameterWarmup:
        return HyperparameterWarmup("beta2", warmup=5, decay=LinearDecay(1.005), initial_value=0.9)

    module, seen = betas()
    fit([callback(), SaveEveryBatch(tmp_path)], module, max_epochs=1)
    for batch in range(1, 10):
        with resume_point():
            module, again = betas()
            fit(callback(), module, max_epochs=1, ckpt_path=tmp_path / f"{batch}.ckpt")
            assert again == seen[batch:]


def test_an_optimizer_without_beta2() -> None:
    with pytest.raises(ValueError, match=r"parameter='beta2'\): this entry .* is not there.*Numeric entries: .*lr"):
        fit(HyperparameterWarmup("beta2", warmup=5, initial_value=0.9), Line(two_groups), max_epochs=1)


@pytest.mark.parametrize("ours_first", [True, False])
def test_a_warmup_that_follows_from_a_beta2_that_changes(ours_first: bool) -> None:
    callbacks = [LearningRateWarmup(RAdamWarmup()), HyperparameterWarmup("beta2", warmup=5, initial_value=0.9)]
    with pytest.raises(
        MisconfigurationException, match=r"follows from β2, and HyperparameterWarmup\(parameter='beta2'"
    ):
        fit(callbacks if ours_first else callbacks[::-1], betas()[0], max_epochs=1)
