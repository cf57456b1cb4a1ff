"""Our curves against those of other libraries: torch's schedulers are run, of the others the published formulas are.

Our time: value(t) is what optimizer step t (counted from 0) uses; with a warmup of N, value(0) is the initial value and
value(N) is the target. Each test says how far its peer's time is shifted against that.
"""

import math

import pytest
import torch
from torch.optim import lr_scheduler

from lightning_warmup import (
    ConstantWarmup,
    CosineDecay,
    CosineRestartsDecay,
    CosineWarmup,
    ExponentialDecay,
    InverseSqrtDecay,
    LearningRateWarmup,
    LinearDecay,
    LinearScaling,
    LinearWarmup,
    MultiStepDecay,
    OneMinusSqrtDecay,
    PolynomialDecay,
    StepDecay,
)

LR = 0.3


def ours(steps, *args, steps_per_epoch=1, batch_size=None, lr=LR, **parameters):
    callback = LearningRateWarmup(*args, **parameters)
    return callback.values(lr, total_steps=steps, steps_per_epoch=steps_per_epoch, batch_size=batch_size)


def formula(steps, function):
    return [function(t) for t in range(steps)]


def same(values):
    return pytest.approx(values, rel=1e-9, abs=1e-15)


def torchs(steps, make):
    """The learning rate that each step uses under one of torch's schedulers, stepped after every optimizer step."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=LR)
    scheduler = make(optimizer)
    used = []
    for t in range(steps):
        used.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if t < steps - 1:  # OneCycleLR counts
            scheduler.step()
    return used


# --- torch: its schedulers run ---

TORCH = {
    # Steps, torch's scheduler and its arguments, our callback.
    # No shift: torch's value after t calls of scheduler.step() is our value(t).
    "LinearLR up": (
        *(15, lr_scheduler.LinearLR, {"start_factor": 0.2, "total_iters": 10}),
        LearningRateWarmup(10, warmup_initial_lr="20%"),
    ),
    "LinearLR from its default of a third": (
        *(9, lr_scheduler.LinearLR, {}),
        LearningRateWarmup(LinearWarmup(5), warmup_initial_lr=LR / 3),
    ),
    "LinearLR down": (
        *(15, lr_scheduler.LinearLR, {"start_factor": 1.0, "end_factor": 0.25, "total_iters": 10}),
        LearningRateWarmup(0, LinearDecay(0.25), total=10),
    ),
    "ConstantLR": (
        *(9, lr_scheduler.ConstantLR, {"factor": 0.1, "total_iters": 4}),
        LearningRateWarmup(ConstantWarmup(4), warmup_initial_lr="10%"),
    ),
    "ExponentialLR": (
        *(15, lr_scheduler.ExponentialLR, {"gamma": 0.9}),
        LearningRateWarmup(0, ExponentialDecay(0.9)),
    ),
    "StepLR": (
        *(15, lr_scheduler.StepLR, {"step_size": 4}),
        LearningRateWarmup(0, StepDecay(4)),
    ),
    "MultiStepLR": (
        *(15, lr_scheduler.MultiStepLR, {"milestones": [3, 4, 11], "gamma": 0.5}),
        LearningRateWarmup(0, MultiStepDecay([3, 4, 11], gamma=0.5)),
    ),
    "PolynomialLR": (
        *(15, lr_scheduler.PolynomialLR, {"total_iters": 10, "power": 0.9}),
        LearningRateWarmup(0, PolynomialDecay(0.9), total=10),
    ),
    "CosineAnnealingLR, up to T_max where it climbs again and ours is held": (
        *(11, lr_scheduler.CosineAnnealingLR, {"T_max": 10, "eta_min": 0.03}),
        LearningRateWarmup(0, CosineDecay(0.1), total=10),
    ),
    "CosineAnnealingWarmRestarts": (
        *(30, lr_scheduler.CosineAnnealingWarmRestarts, {"T_0": 4, "eta_min": 0.03}),
        LearningRateWarmup(0, CosineRestartsDecay(4, final=0.1)),
    ),
    "CosineAnnealingWarmRestarts, growing": (
        *(70, lr_scheduler.CosineAnnealingWarmRestarts, {"T_0": 3, "T_mult": 2}),
        LearningRateWarmup(0, CosineRestartsDecay(3, multiplier=2)),
    ),
}


@pytest.mark.parametrize(("steps", "scheduler", "arguments", "mine"), TORCH.values(), ids=TORCH)
def test_torch(steps, scheduler, arguments, mine):
    theirs = torchs(steps, lambda optimizer: scheduler(optimizer, **arguments))
    assert mine.values(LR, total_steps=steps, steps_per_epoch=5) == same(theirs)


def test_torch_warmup_and_cosine_in_sequence():
    """No shift: SequentialLR's milestone is our N."""

    def both(optimizer):
        up = lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=5)
        down = lr_scheduler.CosineAnnealingLR(optimizer, T_max=15, eta_min=0.003)
        return lr_scheduler.SequentialLR(optimizer, [up, down], milestones=[5])

    assert ours(21, 5, CosineDecay(0.01), warmup_initial_lr="10%", total=20) == same(torchs(21, both))


def one_cycle(total_steps, **arguments):
    return torchs(
        total_steps,
        lambda optimizer: lr_scheduler.OneCycleLR(
            optimizer, max_lr=LR, total_steps=total_steps, cycle_momentum=False, **arguments
        ),
    )


def test_torch_one_cycle():
    """Torch's cycle of T steps is ours of T - 1: its last step has the floor, and its peak is step 0.3 T - 1."""
    cycle = {"decay": CosineDecay(final=4e-6), "warmup_initial_lr": "4%", "total": 109}
    assert ours(110, CosineWarmup(32), **cycle) == same(one_cycle(110))


def test_torch_one_cycle_linear():
    """Shifted like the cosine one."""
    cycle = {"decay": LinearDecay(final=4e-6), "warmup_initial_lr": "4%", "total": 109}
    assert ours(110, 32, **cycle) == same(one_cycle(110, anneal_strategy="linear"))


def test_torch_one_cycle_by_its_default_share():
    """design.md's recipe: the same curve but for that one step, by which torch's rise and run are shorter."""
    mine = ours(1000, CosineWarmup("30%"), CosineDecay(final=4e-6), warmup_initial_lr="4%")
    theirs = one_cycle(1000)
    assert mine[0] == same(theirs[0])
    assert mine[300] == LR == same(theirs[299])
    assert theirs[999] == same(LR * 4e-6)
    assert mine == pytest.approx(theirs, abs=0.006 * LR)


# --- transformers: no shift, and its first step is at 0, which ours is only when asked to ---

W, T = 20, 100  # warmup and training steps


def warm(t, after):
    return LR * (t / W if t < W else after)


def left(t, start=W, end=T):
    return (end - t) / (end - start)


TRANSFORMERS = {
    "constant with warmup": (lambda t: warm(t, 1.0), {}),
    "linear": (lambda t: warm(t, max(0.0, left(t))), {"decay": "linear"}),
    "cosine": (lambda t: warm(t, 0.5 * (1 + math.cos(math.pi * (1 - left(t))))), {"decay": "cosine"}),
    "cosine with a floor": (
        lambda t: warm(t, 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * (1 - left(t))))),
        {"decay": CosineDecay(0.1)},
    ),
    "cosine with 4 hard restarts": (
        lambda t: warm(t, 0.5 * (1 + math.cos(math.pi * ((4 * (t - W) / (T - W)) % 1)))),
        {"decay": CosineRestartsDecay((T - W) // 4)},
    ),
    "polynomial to an absolute 1e-7": (
        lambda t: warm(t, ((LR - 1e-7) * left(t) ** 2 + 1e-7) / LR),
        {"decay": PolynomialDecay(power=2, final=1e-7 / LR)},
    ),
    "inverse sqrt of the warmup": (lambda t: warm(t, 1 / math.sqrt(max(t, 1) / W)), {"decay": "inverse_sqrt"}),
    "inverse sqrt of 50": (
        lambda t: warm(t, 1 / math.sqrt((t + 50 - W) / 50) if t >= W else 0.0),
        {"decay": InverseSqrtDecay(timescale=50)},
    ),
}


@pytest.mark.parametrize(("theirs", "parameters"), TRANSFORMERS.values(), ids=TRANSFORMERS)
def test_transformers(theirs, parameters):
    assert ours(T, W, **parameters, warmup_initial_lr=0.0) == same(formula(T, theirs))


WSD = {
    "linear": (lambda u: 1 - u, LinearDecay(0.1)),
    "cosine": (lambda u: 0.5 * (1 + math.cos(math.pi * u)), CosineDecay(0.1)),
    "1-sqrt": (lambda u: 1 - math.sqrt(u), OneMinusSqrtDecay(0.1)),
}


@pytest.mark.parametrize(("left", "decay"), WSD.values(), ids=WSD)
def test_transformers_warmup_stable_decay(left, decay):
    """No shift. Its three lengths are our warmup, hold and the rest, or decay_duration; past them, the floor."""
    stable, decaying = 50, 30

    def theirs(t):
        begun = t - W - stable
        if begun <= 0:
            return warm(t, 1.0)
        return LR * (0.1 + 0.9 * left(begun / decaying) if begun < decaying else 0.1)

    expected = same(formula(T + 10, theirs))
    assert ours(T + 10, W, decay, hold=stable, warmup_initial_lr=0.0, total=T) == expected
    assert ours(T + 10, W, decay, decay_duration=decaying, warmup_initial_lr=0.0, total=T) == expected


def test_warmup_stable_decay_of_its_paper():
    """Hägele et al. 2024: 1 - √((n - (N - N_decay)) / N_decay) in the last fifth. No shift."""
    expected = formula(T, lambda n: LR * (1.0 if n < 80 else 1 - math.sqrt((n - 80) / 20)))
    assert ours(T, 0, "one_minus_sqrt", decay_duration="20%") == same(expected)


# --- SuperGradients: its published formulas. What it does differs, by its bugs, wherever a docstring says so ---

W_EPOCHS, C_EPOCHS, E, L = 3, 2, 12, 10  # lr_warmup_epochs, lr_cooldown_epochs, max_epochs, batches per epoch


@pytest.mark.parametrize("w0", [None, 0.06])
def test_supergradients_linear_epoch_warmup(w0):
    """No shift."""
    first = LR / (W_EPOCHS + 1) if w0 is None else w0
    expected = formula(E * L, lambda t: first + min(t // L, W_EPOCHS) * (LR - first) / W_EPOCHS)
    parameters = {"warmup_initial_lr": w0, "steps_per_epoch": L}
    assert ours(E * L, W_EPOCHS, interval="epoch", **parameters) == same(expected)
    assert ours(E * L, W_EPOCHS, warmup_interval="epoch", **parameters) == same(expected)


def test_supergradients_linear_batch_warmup():
    """Its N values include both ends, so that its warmup of N steps is ours of N - 1."""
    n, w0 = 8, 0.02
    theirs = torch.linspace(w0, LR, n, dtype=torch.float64).tolist()
    assert ours(n, n - 1, warmup_initial_lr=w0) == same(theirs)


@pytest.mark.parametrize("updates", [[4, 8], [3, 5, 11]])
def test_supergradients_step(updates):
    """No shift in the formula; written at an epoch's end, it acts one epoch late."""
    expected = formula(E * L, lambda t: LR * 0.1 ** sum(u <= t // L for u in updates))
    assert ours(E * L, 0, MultiStepDecay(updates), interval="epoch", steps_per_epoch=L) == same(expected)


def test_supergradients_exponential():
    """f^(e - W + i/L) after step i of epoch e: written after the step it is computed at, it acts one step late."""
    expected = formula(E * L, lambda t: LR * 0.8 ** (t // L - W_EPOCHS + t % L / L))
    decay = ExponentialDecay(0.8, every="1 epoch")
    mine = ours(E * L, W_EPOCHS, decay, warmup_interval="epoch", steps_per_epoch=L)
    assert mine[W_EPOCHS * L :] == same(expected[W_EPOCHS * L :])


@pytest.mark.parametrize("cooldown", [0, C_EPOCHS])
def test_supergradients_poly(cooldown):
    """(1 - k/K)^0.9, k = L(e - W) + i, K = L(E - W - C), written after step k: it acts one step late."""
    start, steps = W_EPOCHS * L, L * (E - W_EPOCHS - cooldown)
    expected = formula(E * L, lambda t: LR * max(0, 1 - max(0, t - start) / steps) ** 0.9)
    decay = PolynomialDecay(power=0.9)
    mine = ours(E * L, W_EPOCHS, decay, cooldown=f"{cooldown} epochs", warmup_interval="epoch", steps_per_epoch=L)
    assert mine[start:] == same(expected[start:])


@pytest.mark.parametrize("cooldown", [0, C_EPOCHS])
def test_supergradients_cosine(cooldown):
    """Its cosine ends at K + 1, one step later than ours, and is frozen a step before it reaches the final ratio.

    Written after step k, it acts one step late: its first two steps sit at b.
    """
    ratio, start, steps = 0.01, W_EPOCHS * L, L * (E - W_EPOCHS - cooldown)

    def theirs(t):
        k = t - start
        return LR * ((1 - ratio) * 0.5 * (1 + math.cos(math.pi * k / (steps + 1))) + ratio)

    mine = ours(
        start + steps + 1,
        W_EPOCHS,
        CosineDecay(ratio),
        cooldown=f"{cooldown} epochs",
        warmup_interval="epoch",
        steps_per_epoch=L,
        total=E * L + 1,
    )
    assert mine[start:] == same([theirs(t) for t in range(start, start + steps + 1)])


def test_supergradients_default_without_its_shifts():
    """What its default configuration means to do: a staircase by epochs, then a cosine per step to 1 %."""
    mine = ours(E * L, W_EPOCHS, CosineDecay(0.01), warmup_interval="epoch", steps_per_epoch=L)
    assert mine[0:30:10] == same([LR / 4, LR / 2, LR * 3 / 4])
    assert mine[30] == LR
    assert mine[75] == same(LR * (0.01 + 0.99 / 2))


# --- one formula each ---


def test_nanogpt():
    """No shift: its warmup of N counts (it + 1) / (N + 1), which is our default start."""
    warmup, decay, floor = 20, 90, 0.03

    def get_lr(it):
        if it < warmup:
            return LR * (it + 1) / (warmup + 1)
        if it > decay:
            return floor
        return floor + 0.5 * (1 + math.cos(math.pi * (it - warmup) / (decay - warmup))) * (LR - floor)

    assert ours(100, warmup, CosineDecay(floor / LR), total=decay) == same(formula(100, get_lr))


def test_noam():
    """Vaswani et al. count steps s from 1, and their warmup of W peaks at s = W.

    Step s is our step t = s if we start at 0 (and never use it), or our t = s - 1 with a warmup of W - 1, whose default
    start is the same line.
    """
    d, warmup = 512, 40
    theirs = [d**-0.5 * min(s**-0.5, s * warmup**-1.5) for s in range(1, 201)]
    peak = (d * warmup) ** -0.5
    assert ours(201, warmup, "inverse_sqrt", target_lr=peak, warmup_initial_lr=0.0)[1:] == same(theirs)
    assert ours(200, warmup - 1, InverseSqrtDecay(timescale=warmup), target_lr=peak) == same(theirs)


def test_textbook_inverse_sqrt():
    """η0 / √t, t from 1, is our step t - 1."""
    assert ours(50, 0, "inverse_sqrt") == same([LR / math.sqrt(t) for t in range(1, 51)])


def test_goyal_imagenet_in_an_hour():
    """Goyal et al. 2017: 0.1 · kn / 256 by a warmup per step over 5 epochs from 0.1, then / 10 at epochs 30, 60, 80."""
    mine = ours(
        90 * 10,
        "5 epochs",
        MultiStepDecay(["30 epochs", "60 epochs", "80 epochs"]),
        target_lr=LinearScaling(256),
        lr=0.1,
        steps_per_epoch=10,
        batch_size=8192,
    )
    expected = {
        0: 0.1,
        25: 1.65,
        49: 0.1 + 3.1 * 0.98,
        50: 3.2,
        299: 3.2,
        300: 0.32,
        600: 0.032,
        800: 0.0032,
        899: 0.0032,
    }
    assert {t: mine[t] for t in expected} == same(expected)  # fmt: skip


@pytest.mark.parametrize(
    ("first_five", "warmup", "initial"),
    [
        # "A linear warmup of 4", as each library has it, is in our time:
        pytest.param([0, 1 / 4, 2 / 4, 3 / 4, 1], 4, 0.0, id="transformers, timm, litgpt: 4, from 0"),
        pytest.param([1 / 4, 2 / 4, 3 / 4, 1, 1], 3, None, id="pytorch_warmup, torchtitan: 3"),
        pytest.param([1 / 5, 2 / 5, 3 / 5, 4 / 5, 1], 4, None, id="nanoGPT: 4"),
        pytest.param([0, 1 / 3, 2 / 3, 1, 1], 3, 0.0, id="bolts: 3, from 0"),
    ],
)
def test_everybodys_warmup_of_four(first_five, warmup, initial):
    assert ours(5, warmup, warmup_initial_lr=initial, lr=1.0) == same(first_five)


def test_pytorch_warmup():
    """Its period of N is ours of N - 1, run on its source: min(1, (t + 1) / N)."""
    library = pytest.importorskip("pytorch_warmup")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=LR)
    warmup = library.LinearWarmup(optimizer, warmup_period=8)
    theirs = []
    for _ in range(12):
        theirs.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        with warmup.dampening():
            pass
    assert ours(12, 7) == same(theirs)
