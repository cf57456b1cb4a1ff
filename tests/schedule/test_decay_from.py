"""``decay_from="start"``: the decay's clock starts at step 0, and the warmup is a factor on it."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim.lr_scheduler import ChainedScheduler, ConstantLR, CosineAnnealingLR, ExponentialLR, LinearLR

from lightning_warmup import (
    CosineDecay,
    CosineWarmup,
    ExponentialWarmup,
    FunctionDecay,
    FunctionWarmup,
    InverseSqrtDecay,
    LearningRateWarmup,
    LinearDecay,
    MultiStepDecay,
    PersistentCatapultWarmup,
    ReduceOnPlateauDecay,
    StepDecay,
    TorchDecay,
    UntunedLinearWarmup,
)
from refusals import refused
from runs import fit


def values(warmup, decay, steps=40, steps_per_epoch=None, lr=1.0, **parameters):
    callback = LearningRateWarmup(warmup, decay, decay_from="start", **parameters)
    return callback.values(lr, total_steps=steps, steps_per_epoch=steps_per_epoch)


@settings(deadline=None, max_examples=60)
@given(
    decay=st.sampled_from(
        [LinearDecay(), CosineDecay(0.1), StepDecay(7), MultiStepDecay([3, 30]), InverseSqrtDecay(5)]
    ),
    warmup=st.integers(0, 40),
    cooldown=st.integers(0, 10),
    initial=st.floats(0, 2),
    target=st.floats(1e-6, 1e3),
)
def test_it_is_the_product_of_the_two(decay, warmup, cooldown, initial, target) -> None:
    """Of the decay alone, and of the warmup as a share of the target."""
    if warmup + cooldown > 40:
        cooldown = 0
    lrs = values(warmup, decay, lr=target, cooldown=cooldown, warmup_initial_lr=initial)
    alone = LearningRateWarmup(0, decay, cooldown=cooldown).values(target, total_steps=40)
    warming = LearningRateWarmup(warmup, warmup_initial_lr=initial).values(target, total_steps=40)
    assert lrs[warmup:] == alone[warmup:]
    products = [a * b / target for a, b in zip(alone, warming, strict=True)]
    assert lrs == pytest.approx(products, rel=1e-12, abs=1e-15 * target)


def torchs(make, lr=0.5, steps=50):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=lr)
    scheduler, used = make(optimizer), []
    for _ in range(steps):
        used.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return used


def test_torchs_chained_schedulers() -> None:
    """A LinearLR times a CosineAnnealingLR, as MMEngine's overlapping schedulers and YOLO's weights."""
    ours = values(10, "cosine", 50, lr=0.5, warmup_initial_lr="10%")
    theirs = torchs(
        lambda optimizer: ChainedScheduler(
            [LinearLR(optimizer, start_factor=0.1, total_iters=10), CosineAnnealingLR(optimizer, T_max=50)]
        )
    )
    # CosineAnnealingLR's recursion sets out from the damped rate: each alone, and their product, is what is meant.
    line = torchs(lambda optimizer: LinearLR(optimizer, start_factor=0.1, total_iters=10), lr=1.0)
    cosine = torchs(lambda optimizer: CosineAnnealingLR(optimizer, T_max=50))
    assert ours == pytest.approx([a * b for a, b in zip(line, cosine, strict=True)], rel=1e-9)
    assert ours == pytest.approx(theirs, rel=1e-9)


def test_torchs_constant_times_exponential() -> None:
    from lightning_warmup import ConstantWarmup, ExponentialDecay

    ours = values(ConstantWarmup(20), ExponentialDecay(0.97), 50, lr=0.5, warmup_initial_lr="25%")
    theirs = torchs(
        lambda optimizer: ChainedScheduler(
            [ConstantLR(optimizer, factor=0.25, total_iters=20), ExponentialLR(optimizer, gamma=0.97)]
        )
    )
    assert ours == pytest.approx(theirs, rel=1e-9)


def test_pytorch_warmups_dampening() -> None:
    import pytorch_warmup

    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5)
    scheduler = CosineAnnealingLR(optimizer, T_max=50)
    warmup, theirs = pytorch_warmup.LinearWarmup(optimizer, warmup_period=10), []
    for _ in range(50):
        theirs.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        with warmup.dampening():
            scheduler.step()
    assert values(9, "cosine", 50, lr=0.5) == pytest.approx(theirs, rel=1e-9)


def test_any_warmup_and_any_decay() -> None:
    for warmup in (CosineWarmup(10), ExponentialWarmup(10), FunctionWarmup(10, math.sqrt)):
        lrs = values(warmup, "linear", warmup_initial_lr="10%")
        alone = LearningRateWarmup(warmup, warmup_initial_lr="10%").values(1.0, total_steps=40)
        assert lrs == pytest.approx([a * (1 - t / 40) for t, a in enumerate(alone)], rel=1e-12)
    from functools import partial

    lrs = values(10, TorchDecay(partial(ExponentialLR, gamma=0.9)), warmup_initial_lr=0.0)
    assert lrs == pytest.approx([min(1, t / 10) * 0.9**t for t in range(40)], rel=1e-9)


def test_milestones_inside_the_warmup() -> None:
    """Composer's MultiStepWithWarmupScheduler."""
    lrs = values(10, MultiStepDecay([5, 20]), warmup_initial_lr=0.0)
    assert lrs == pytest.approx([min(1, t / 10) * 0.1 ** ((t >= 5) + (t >= 20)) for t in range(40)], rel=1e-12)


@pytest.mark.parametrize("count", [2, 80])
def test_by_group(count) -> None:
    """Few groups are computed one by one, many as arrays."""
    lr = {f"g{i}": 0.1 * (i + 1) for i in range(count)}
    callback = LearningRateWarmup(
        4, "cosine", warmup_initial_lr={"g0": 0.5, "default": 0.0}, target_lr={"g1": 0.0, "default": None},
        decay_from="start",
    )  # fmt: skip
    lrs = callback.values(lr, total_steps=12)
    cosine = [0.5 * (1 + math.cos(math.pi * t / 12)) for t in range(12)]
    assert lrs["g0"] == pytest.approx([c * max(0.5 + (0.1 - 0.5) * t / 4, 0.1) for t, c in enumerate(cosine)])
    assert lrs["g1"] == [0.0] * 12
    last = f"g{count - 1}"
    if count > 2:
        assert lrs[last] == pytest.approx([c * lr[last] * min(1, t / 4) for t, c in enumerate(cosine)])


def test_by_epoch_and_with_stairs() -> None:
    by_epoch = values(3, "linear", 24, 2, interval="epoch", warmup_initial_lr=0.0)
    assert by_epoch == pytest.approx([min(1, e / 3) * (1 - e / 12) for e in range(12) for _ in range(2)])
    stairs = values(3, "linear", 24, 2, warmup_interval="epoch", warmup_initial_lr=0.0)
    assert stairs == pytest.approx([min(1, t // 2 / 3) * (1 - t / 24) for t in range(24)])
    # YOLO's: the warmup moves every step, the decay every epoch.
    yolo = values(6, "linear", 24, 2, interval="epoch", warmup_interval="step", warmup_initial_lr=0.0)
    assert yolo == pytest.approx([min(1, t / 6) * (1 - t // 2 / 12) for t in range(24)])


def test_a_warmup_over_the_whole_run() -> None:
    assert values("100%", "linear", 10, warmup_initial_lr=0.0) == pytest.approx(
        [t / 10 * (1 - t / 10) for t in range(10)]
    )


def test_a_warmup_from_beta2_has_always_been_so() -> None:
    lrs = [
        LearningRateWarmup(UntunedLinearWarmup(), "cosine", decay_from=clock).values(
            0.1, total_steps=40, betas=(0.9, 0.9)
        )
        for clock in ("warmup", "start")
    ]
    assert lrs[0] == lrs[1]


@pytest.mark.parametrize("interval", ["step", "epoch"])
@pytest.mark.parametrize("warmup_interval", ["step", "epoch"])
def test_a_run(interval, warmup_interval) -> None:
    callback = LearningRateWarmup(
        3, CosineDecay(0.1), interval=interval, warmup_interval=warmup_interval, cooldown=1, decay_from="start"
    )
    assert fit(callback, max_epochs=6, batches=4).used == callback.values(0.1, total_steps=24, steps_per_epoch=4)


def test_the_line_at_the_start_says_so(messages: list[str]) -> None:
    fit(LearningRateWarmup(3, CosineDecay(0.1), decay_from="start"), max_epochs=2, batches=5)
    line = "lr 0.025 → 0.1 over 3 steps, as a factor on what decays from step 0 on, cosine to 0.01 at step 10"
    assert any(line in message for message in messages)


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"decay_from": "begin"}, ("decay_from='begin')", "'warmup', 'start'")),
        ({"decay_from": None}, ("decay_from=None)", "'warmup', 'start'")),
        ({"decay": None}, ("decay_from='start') needs a decay",)),
        ({"hold": 5}, ("decay_from='start', hold=5)", "both say when the decay begins")),
        ({"decay_duration": "20%"}, ("decay_from='start', decay_duration='20%')", "both say when")),
        ({"decay": ReduceOnPlateauDecay("val_loss")}, ("decay_from='start', decay=ReduceOn", "measured")),
        ({"warmup": PersistentCatapultWarmup()}, ("decay_from='start', warmup=Persistent", "measured")),
        ({"warmup_initial_lr": "critical"}, ("decay_from='start', warmup_initial_lr=Critical", "measured")),
    ],
    ids=repr,
)
def test_what_does_not_go_with_it(parameters, told) -> None:
    with refused("LearningRateWarmup(decay_from=", *told):
        LearningRateWarmup(**{"warmup": 5, "decay": "cosine", "decay_from": "start", **parameters})


def test_a_decay_that_has_no_value_in_the_warmup() -> None:
    with refused("FunctionDecay(function=", "fails at u = 0.0"):
        values(10, FunctionDecay(lambda u: 1 / u))
