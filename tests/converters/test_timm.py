"""timm's scheduler arguments as ours, against its formulas."""

import bisect
import math
import re
from typing import Any

import pytest

from lightning_warmup.converters.timm import conversion
from lightning_warmup.timm import from_args

LR, FIRST, LOW = 0.4, 0.01, 0.02


def theirs(args: dict[str, Any], epochs: int = 20, warmup: int = 4) -> list[float]:
    """What timm has in each epoch; of ``sched_on_updates`` with one update in each."""
    get = {"sched": "cosine", "min_lr": LOW, "decay_rate": 0.5, **args}.get
    sched, prefix, low = get("sched"), get("warmup_prefix", False), get("min_lr")
    cycles, multiplier, gamma = get("lr_cycle_limit", 1), get("lr_cycle_mul", 1.0), get("lr_cycle_decay", 0.5)
    k = get("lr_k_decay", 1.0)

    def cyclic(t: float) -> float:
        cycle, begin, length = 0, 0.0, float(epochs)
        while t >= begin + length and cycle < cycles:
            cycle, begin, length = cycle + 1, begin + length, length * multiplier
        if cycle >= cycles:
            return low
        u = (t - begin) / length
        wave = {
            "cosine": lambda: 0.5 * (1 + math.cos(math.pi * u**k)),
            "poly": lambda: (1 - u**k) ** get("decay_rate"),
            "tanh": lambda: 0.5 * (1 - math.tanh(-7 * (1 - u) + 3 * u)),
        }[sched]()
        return low + (LR * gamma**cycle - low) * wave

    def stable_then_down(t: float) -> float:
        length = epochs if prefix else epochs - warmup
        last = get("decay_epochs", 0.2)
        last = round(last * length) if last < 1 else last
        scale = get("lr_stable_timescale", warmup)
        stable = max(low, LR * (1 + t / scale) ** -0.5) if sched == "rsqrt" else LR
        u = min(1, max(0, (t - (length - last)) / last))
        name = get("lr_decay_fn") or ("linear" if sched == "rsqrt" else "1-sqrt")
        down = {
            "linear": 1 - u,
            "1-sqrt": 1 - math.sqrt(u),
            "power": 1 - math.sqrt(u),
            "cosine": 0.5 * (1 + math.cos(math.pi * u)),
            "exp": (0.1**u - 0.1) / 0.9,
        }[name]
        return low + (stable - low) * down

    def value(t: int) -> float:
        clock = t - warmup if prefix or sched in ("wsd", "rsqrt") else t
        if sched in ("cosine", "poly", "tanh"):
            return cyclic(clock)
        if sched == "step":
            return LR * get("decay_rate") ** (clock // get("decay_epochs", 90))
        if sched == "multistep":
            return LR * get("decay_rate") ** bisect.bisect_right(get("decay_milestones"), clock + 1)
        return stable_then_down(clock) if sched in ("wsd", "rsqrt") else LR

    top = value(warmup) if sched == "tanh" and not prefix else LR
    length = epochs * (cycles if multiplier == 1 else (multiplier**cycles - 1) / (multiplier - 1))
    total = int(length) + (warmup if prefix else 0) + (get("cooldown_epochs", 0) if sched not in ("step",) else 0)
    return [FIRST + t * (top - FIRST) / warmup if t < warmup else value(t) for t in range(total)]


P = {"warmup_prefix": True}
CASES: list[dict[str, Any]] = [
    {},
    {**P},
    {"cooldown_epochs": 3},
    {**P, "cooldown_epochs": 3},
    {"lr_k_decay": 2.0},
    {**P, "lr_k_decay": 2.0},
    {"lr_cycle_limit": 3},
    {**P, "lr_cycle_limit": 3, "cooldown_epochs": 2},
    {"lr_cycle_limit": 3, "cooldown_epochs": 2, "min_lr": 0.0},
    {**P, "lr_cycle_limit": 3, "lr_cycle_mul": 2.0, "lr_cycle_decay": 0.7},
    {**P, "lr_cycle_limit": 2, "lr_k_decay": 1.5},
    {"sched": "poly"},
    {"sched": "poly", **P, "cooldown_epochs": 2},
    {"sched": "poly", "lr_k_decay": 2.0, "lr_cycle_limit": 2},
    {"sched": "poly", **P, "lr_cycle_limit": 2},
    {"sched": "tanh"},
    {"sched": "tanh", **P, "cooldown_epochs": 2},
    {"sched": "tanh", "lr_cycle_limit": 2, "cooldown_epochs": 2},
    {"sched": "step", "decay_epochs": 3},
    {"sched": "step", "decay_epochs": 3, **P},
    {"sched": "step", "decay_epochs": 2.4},
    {"sched": "step", "decay_epochs": 2.4, **P},
    {"sched": "multistep", "decay_milestones": [3, 10, 15]},
    {"sched": "multistep", "decay_milestones": [10, 15], **P},
    {"sched": "constant"},
    {"sched": "wsd"},
    {"sched": "wsd", **P, "decay_epochs": 6, "cooldown_epochs": 2},
    *(
        {"sched": sched, "lr_decay_fn": name}
        for sched in ("wsd", "rsqrt")
        for name in ("linear", "power", "cosine", "exp")
    ),
    {"sched": "rsqrt"},
    {"sched": "rsqrt", "lr_decay_fn": "1-sqrt", "lr_stable_timescale": 3, "cooldown_epochs": 2},
    {"sched": "rsqrt", **P, "min_lr": 0.25},
]
BASE = {"lr": LR, "epochs": 20, "warmup_epochs": 4, "warmup_lr": FIRST, "min_lr": LOW, "decay_rate": 0.5}


@pytest.mark.parametrize("case", CASES, ids=map(str, CASES))
def test_every_sched(case):
    expected = theirs(case)
    (callback,) = from_args({**BASE, **case, "model": "resnet50"})
    values = callback.values(9.0, total_steps=2 * len(expected), steps_per_epoch=2)
    assert values[::2] == pytest.approx(expected, abs=1e-12)
    assert values[1::2] == values[::2]


# A milestone's one update, and a step within an epoch, are told in notes; a tenth of 6 epochs would be a share.
BY_UPDATES = [case for case in CASES if case.get("sched") != "multistep" and case.get("decay_epochs") not in (2.4, 6)]


@pytest.mark.parametrize("case", BY_UPDATES, ids=str)
def test_by_updates(case):
    """Ten updates in an epoch, so that a tenth of each number of epochs is as many updates."""
    tenth = {
        name: value / 10 if isinstance(value, int | float) and name.endswith("epochs") and value >= 1 else value
        for name, value in {**BASE, **case}.items()
    }
    tenth |= {"epochs": 2, "sched_on_updates": True}
    if "lr_stable_timescale" in tenth:
        tenth["lr_stable_timescale"] = 0.3
    expected = theirs(case)
    (callback,) = from_args(tenth)
    assert callback.values(9.0, total_steps=len(expected), steps_per_epoch=10) == pytest.approx(expected, abs=1e-12)


def test_no_warmup():
    (callback,) = from_args({**BASE, "warmup_epochs": 0, "sched": "cosine"})
    expected = [LOW + (LR - LOW) * 0.5 * (1 + math.cos(math.pi * t / 20)) for t in range(20)]
    assert callback.values(9.0, total_steps=20, steps_per_epoch=1) == pytest.approx(expected)


def test_plateau():
    said = conversion({**BASE, "sched": "plateau", "patience_epochs": 3, "eval_metric": "loss"})
    init_args = {"monitor": "loss", "mode": "min", "factor": 0.5, "patience": 3, "final": pytest.approx(0.05)}
    assert said.parameters["decay"] == {"class_path": "ReduceOnPlateauDecay", "init_args": init_args}
    assert said.parameters["warmup"] == 4


@pytest.mark.parametrize("sched", ["cosine", "poly"])
def test_the_size_of_the_jump_is_told(sched):
    args = {**BASE, "sched": sched}
    said = conversion(args)
    (callback,) = from_args(args)
    values = callback.values(9.0, total_steps=20, steps_per_epoch=1)
    (told,) = re.findall(r"is, ([\d.]+)% of lr lower", said.notes[-1])
    assert float(told) == pytest.approx((LR - values[4]) / LR * 100, rel=0.02)


def test_none():
    assert conversion({**BASE, "sched": "none"}).parameters == {"target_lr": LR}


def test_flags_and_defaults():
    said = conversion({"--lr": 0.4, "--warmup-prefix": True, "--epochs": 10})
    assert said.parameters["warmup"] == 5
    assert said.trainer == {"max_epochs": 15}
    assert "sched=cosine, warmup_epochs=5, warmup_lr=1e-05" in said.notes[0]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"lr_cycle": 3, "warmup_epoch": 2}, "lr_cycle=3, warmup_epoch=2"),
    ({"sched": "cosin"}, "sched='cosin' is not known"),
    ({"lr": None}, "give lr"),
    ({"lr_noise": [0.4, 0.9]}, "no shape of ours has noise"),
    ({"layer_decay": 0.7}, "gives each layer an lr"),
    ({"lr_cycle_limit": 2, "lr_cycle_mul": 2.0}, "with warmup_prefix=True or warmup_epochs=0"),
    ({"warmup_epochs": 20}, "leave nothing of epochs=20"),
    ({"warmup_epochs": 2.5}, "expected a whole number"),
    ({"sched": "wsd", "decay_epochs": 17}, "decay_epochs=17: expected a share"),
    ({"sched": "rsqrt", "warmup_epochs": 0}, "needs lr_stable_timescale"),
]


@pytest.mark.parametrize(("given", "message"), WRONG, ids=[str(given) for given, _ in WRONG])
def test_what_is_wrong(given, message):
    with pytest.raises(ValueError, match=message):
        from_args({**BASE, **given})
