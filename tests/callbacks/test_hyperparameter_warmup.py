"""Momentum, weight decay and any other numeric entry of the param groups."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from checkpoints import SaveEveryBatch
from lightning_warmup import CosineDecay, CosineWarmup, HyperparameterWarmup, LearningRateWarmup
from runs import Line, RecordingSGD, fit


def sgd(module: Line) -> RecordingSGD:
    return RecordingSGD(module.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)


def used(module: Line, key: str, group: int = 0) -> list[Any]:
    return [step[group][key] for step in module.trainer.optimizers[0].used]


def momentum(**kwargs: Any) -> HyperparameterWarmup:
    return HyperparameterWarmup("momentum", **{"warmup": 5, "initial_value": 0.5, **kwargs})


@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_several_beside_one_another(interval: Any) -> None:
    callbacks = [
        LearningRateWarmup(2, "cosine", interval=interval),
        momentum(warmup=3, decay="linear", interval=interval),
        HyperparameterWarmup("weight_decay", decay="linear", target_value=0.02, interval=interval),
    ]
    module = fit(callbacks, Line(sgd), max_epochs=6, batches=3)
    for callback, key, own in zip(callbacks, ("lr", "momentum", "weight_decay"), (0.1, 0.9, 0.01), strict=True):
        assert used(module, key) == callback.values(own, total_steps=18, steps_per_epoch=3)


def test_momentum_is_the_first_beta_of_adam() -> None:
    seen: list[Any] = []
    module = Line(lambda m: torch.optim.Adam(m.parameters(), lr=0.1, betas=(0.8, 0.99)))
    module.on_before_optimizer_step = lambda optimizer: seen.append(optimizer.param_groups[0]["betas"])  # type: ignore[method-assign]
    callback = momentum()
    fit(callback, module, max_epochs=1)
    assert seen == [(beta, 0.99) for beta in callback.values(0.8, total_steps=10, steps_per_epoch=10)]


def test_one_cycle_is_torchs() -> None:
    lr = LearningRateWarmup(CosineWarmup("30%"), CosineDecay(final=4e-6), warmup_initial_lr="4%")
    mom = HyperparameterWarmup(
        "momentum",
        warmup=CosineWarmup("30%"),
        decay=CosineDecay(final=0.95 / 0.85),
        initial_value=0.95,
        target_value=0.85,
    )
    module = fit([lr, mom], Line(sgd), max_epochs=10)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
    # torch reaches its ends one step earlier than 30% and the last step.
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=101, pct_start=31 / 101)
    for ours_lr, ours_momentum in zip(used(module, "lr"), used(module, "momentum"), strict=True):
        assert ours_lr == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)
        assert ours_momentum == pytest.approx(optimizer.param_groups[0]["momentum"], rel=1e-9)
        optimizer.step()
        scheduler.step()


def test_bias_warmup_by_group_name() -> None:
    """YOLO's: biases start high and come down while the weights warm up."""

    def configure(module: Line) -> RecordingSGD:
        groups = [{"params": [module.weight], "name": "weights"}, {"params": [module.bias], "name": "biases"}]
        return RecordingSGD(groups, lr=0.01, momentum=0.9)

    callback = LearningRateWarmup(5, warmup_initial_lr={"biases": 0.1, "default": 0.0})
    module = fit(callback, Line(configure), max_epochs=1)
    expected = callback.values({"weights": 0.01, "biases": 0.01}, total_steps=10, steps_per_epoch=10)
    assert used(module, "lr", 0) == expected["weights"]
    assert used(module, "lr", 1) == expected["biases"]
    assert expected["biases"][:6] == pytest.approx([0.1, 0.082, 0.064, 0.046, 0.028, 0.01])


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"initial_value": None}, r"parameter='momentum', warmup=5\).*give initial_value"),
        ({"initial_value": -1}, r"initial_value=-1\)"),
        ({"target_value": float("nan")}, r"target_value=nan\)"),
        ({"warmup": 1.5}, r"HyperparameterWarmup\(warmup=1.5\)"),
    ],
)
def test_bad_values(kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        momentum(**kwargs)


def test_the_learning_rate_is_not_its() -> None:
    with pytest.raises(ValueError, match="the learning rate is LearningRateWarmup's"):
        HyperparameterWarmup("lr", warmup=5, initial_value=0.1)


@pytest.mark.parametrize("parameter", ["momentun", "nesterov", "params"])
def test_an_entry_that_is_not_there_or_no_number(parameter: str) -> None:
    with pytest.raises(ValueError, match=rf"parameter='{parameter}'\).*Numeric entries: .*momentum, weight_decay"):
        fit(HyperparameterWarmup(parameter, warmup=5, initial_value=0.1), Line(sgd), max_epochs=1)


def test_two_of_one_parameter() -> None:
    with pytest.raises(MisconfigurationException, match="both write 'momentum'"):
        fit([momentum(), momentum(optimizer=0)], Line(sgd), max_epochs=1)
    with pytest.raises(MisconfigurationException, match="both write 'momentum'"):
        fit([momentum(), momentum()], Line(sgd), max_epochs=1)


@pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended")
def test_resume(tmp_path: Path) -> None:
    whole = fit([momentum(decay="linear"), SaveEveryBatch(tmp_path)], Line(sgd), max_epochs=1)
    for batch in range(1, 10):
        again = fit(momentum(decay="linear"), Line(sgd), max_epochs=1, ckpt_path=tmp_path / f"{batch}.ckpt")
        assert used(again, "momentum") == used(whole, "momentum")[batch:]


def test_the_line_names_the_parameter(messages: list[str]) -> None:
    fit(momentum(), Line(sgd), max_epochs=1)
    assert "HyperparameterWarmup: momentum 0.5 → 0.9 over 5 steps, then constant" in messages


def test_it_can_be_pickled_after_a_run() -> None:
    callback = HyperparameterWarmup("momentum", warmup=5, initial_value=0.5)
    module = fit(callback, Line(lambda m: torch.optim.Adam(m.parameters())), max_epochs=1)
    module.configure = None  # a lambda cannot be
    copy = pickle.loads(pickle.dumps(callback))
    again = fit(copy, Line(sgd), max_epochs=1)
    assert used(again, "momentum") == callback.values(0.9, total_steps=10, steps_per_epoch=10)
