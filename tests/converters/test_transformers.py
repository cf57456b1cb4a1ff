"""transformers' TrainingArguments as ours, against its formulas."""

import math
from typing import Any

import pytest

from lightning_warmup.converters.transformers import conversion
from lightning_warmup.transformers import from_training_arguments

N, T = 10, 100


def curve(kind: str, kwargs: dict[str, Any] | None = None, warmup: float = N, **given: Any) -> list[float]:
    (callback,) = from_training_arguments(
        {
            "learning_rate": 0.2,
            "lr_scheduler_type": kind,
            "lr_scheduler_kwargs": kwargs or {},
            "warmup_steps": warmup,
            "max_steps": T,
            "output_dir": "out",
            **given,
        }
    )
    return callback.values(9.0, total_steps=T, steps_per_epoch=20)


def expected(after: Any, warmup: Any = None, n: int = N) -> list[float]:
    """A warmup, linear from 0 unless given, and a factor of the share of the rest and of the steps in it."""
    rise = warmup or (lambda t: t / n)
    return [0.2 * (rise(t) if t < n else after((t - n) / (T - n), t - n)) for t in range(T)]


def cosine(cycles: float, final: float = 0.0) -> Any:
    return lambda u, _: final + (1 - final) * 0.5 * (1 + math.cos(2 * math.pi * cycles * u))


def wsd(decay: Any, final: float, stable: int, steps: int) -> Any:
    def after(_: float, k: int) -> float:
        if k < stable:
            return 1.0
        return final if k >= stable + steps else final + (1 - final) * decay((k - stable) / steps)

    return after


CURVES: list[tuple[str, dict[str, Any], list[float]]] = [
    ("linear", {}, expected(lambda u, _: 1 - u)),
    ("cosine", {}, expected(cosine(0.5))),
    ("cosine", {"num_cycles": 2.5}, expected(cosine(2.5))),
    ("cosine_with_restarts", {}, expected(cosine(0.5))),
    ("cosine_with_restarts", {"num_cycles": 4}, expected(lambda u, _: 0.5 * (1 + math.cos(math.pi * (4 * u % 1))))),
    ("polynomial", {"lr_end": 0.02, "power": 2}, expected(lambda u, _: 0.1 + 0.9 * (1 - u) ** 2)),
    ("polynomial", {}, expected(lambda u, _: 5e-7 + (1 - 5e-7) * (1 - u))),
    ("constant", {}, [0.2] * T),
    ("constant_with_warmup", {}, expected(lambda u, _: 1.0)),
    ("inverse_sqrt", {}, expected(lambda _, k: math.sqrt(N / (N + k)))),
    ("inverse_sqrt", {"timescale": 25}, expected(lambda _, k: math.sqrt(25 / (25 + k)))),
    ("cosine_with_min_lr", {"min_lr": 0.02}, expected(cosine(0.5, 0.1))),
    ("cosine_with_min_lr", {"min_lr_rate": 0.3, "num_cycles": 1.5}, expected(cosine(1.5, 0.3))),
    (
        "cosine_warmup_with_min_lr",
        {"min_lr_rate": 0.1},
        expected(lambda _, k: cosine(0.5, 0.1)((k + 1) / (T - N), 0), lambda t: (t + 1) / N),
    ),
    (
        "cosine_warmup_with_min_lr",
        {"min_lr_rate": 0.1, "warmup_lr_rate": 0.4},
        expected(lambda _, k: cosine(0.5, 0.1)((k + 1) / (T - N), 0), lambda t: 0.4 + 0.6 * t / (N - 1)),
    ),
    (
        "warmup_stable_decay",
        {"num_decay_steps": 30, "min_lr_ratio": 0.1},
        expected(wsd(lambda u: 0.5 * (1 + math.cos(math.pi * u)), 0.1, 60, 30), lambda t: 0.1 + 0.9 * t / N),
    ),
    (
        "warmup_stable_decay",
        {"num_decay_steps": 30, "num_stable_steps": 20, "decay_type": "linear", "warmup_type": "cosine"},
        expected(wsd(lambda u: 1 - u, 0.0, 20, 30), lambda t: 0.5 * (1 - math.cos(math.pi * t / N))),
    ),
    (
        "warmup_stable_decay",
        {"num_decay_steps": 30, "decay_type": "1-sqrt", "warmup_type": "1-sqrt"},
        expected(wsd(lambda u: 1 - math.sqrt(u), 0.0, 60, 30), lambda t: 1 - math.sqrt(1 - t / N)),
    ),
]


@pytest.mark.parametrize(("kind", "kwargs", "theirs"), CURVES, ids=[f"{kind} {kwargs}" for kind, kwargs, _ in CURVES])
def test_every_type(kind, kwargs, theirs):
    assert curve(kind, kwargs) == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("n", [0, 1, 2])
@pytest.mark.parametrize("first", [None, 0.4])
def test_a_short_warmup_that_is_a_step_ahead(n, first):
    def rise(t: int) -> float:
        return (t + 1) / n if first is None else first + (1 - first) * t / max(1, n - 1)

    theirs = expected(lambda _, k: cosine(0.5, 0.1)((k + 1) / (T - n), 0), rise, n)
    kwargs = {"min_lr_rate": 0.1} | ({} if first is None else {"warmup_lr_rate": first})
    assert curve("cosine_warmup_with_min_lr", kwargs, n) == pytest.approx(theirs)


def test_inverse_sqrt_without_a_warmup():
    assert curve("inverse_sqrt", warmup=0) == pytest.approx([0.2 * math.sqrt(1e4 / (1e4 + t)) for t in range(T)])


@pytest.mark.parametrize("warmup", [{"warmup": 0.095}, {"warmup": 0, "warmup_ratio": 0.095}, {"warmup_ratio": 0.5}])
def test_a_share_is_rounded_up(warmup):
    assert curve("linear", **warmup) == pytest.approx(expected(lambda u, _: 1 - u))


def test_a_share_of_epochs():
    said = conversion({"warmup_ratio": 0.1, "num_train_epochs": 2.5, "gradient_accumulation_steps": 4})
    assert said.parameters == {
        "warmup": 0.1,
        "warmup_initial_lr": 0.0,
        "decay": "linear",
        "target_lr": 5e-5,
        "total": "2.5 epochs",
    }
    assert said.trainer == {"max_epochs": 3, "accumulate_grad_batches": 4}
    assert "one step longer" in said.notes[0]


def test_plateau():
    kwargs = {"patience": 3, "min_lr": 0.02, "mode": "max"}
    said = conversion(
        {"learning_rate": 0.2, "lr_scheduler_type": "reduce_lr_on_plateau", "lr_scheduler_kwargs": kwargs}
    )
    init_args = {"monitor": "loss", "mode": "max", "patience": 3, "final": pytest.approx(0.1)}
    assert said.parameters["decay"] == {"class_path": "ReduceOnPlateauDecay", "init_args": init_args}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"lr_schedular_type": "x", "warmup_step": 3}, "lr_schedular_type='x', warmup_step=3"),
    ({"lr_scheduler_type": "greedy"}, "as no shape of ours does"),
    ({"lr_scheduler_type": "cosin"}, "lr_scheduler_type='cosin' is not known: expected one of linear, cosine"),
    ({"lr_scheduler_kwargs": {"num_cycles": 2}}, "'linear' has no lr_scheduler_kwargs num_cycles=2. Take them out."),
    ({"lr_scheduler_type": "cosine_with_min_lr"}, "needs one of min_lr and min_lr_rate"),
    ({"lr_scheduler_type": "warmup_stable_decay"}, "needs num_decay_steps"),
    ({"warmup_ratio": 5}, "expected a share of the run"),
    ({"warmup_steps": -1}, "expected a finite number ≥ 0"),
]


@pytest.mark.parametrize(("given", "message"), WRONG, ids=[str(given) for given, _ in WRONG])
def test_what_is_wrong(given, message):
    with pytest.raises(ValueError, match=message):
        from_training_arguments(given)
