"""A warmup that starts at the critical learning rate: where that is, and what real runs make of it."""

import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jsonargparse import ArgumentParser
from lightning.pytorch import Callback
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from checkpoints import SaveEveryBatch
from lightning_warmup import (
    CosineWarmup,
    CriticalLearningRate,
    CriticalLearningRateMonitor,
    CriticalLearningRateResult,
    GradientInitializedAdam,
    HyperparameterWarmup,
    LearningRateWarmup,
    LinearScaling,
    RAdamWarmup,
)
from lightning_warmup.schedule.measured import MeasuredLearningRate
from overflows import Overflows, scaled
from parsers import instantiated
from processes import Tell, told
from runs import Line, RecordingSGD, fit, loader, trainer
from summary import resume_point

pytestmark = pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended")

# --- where to start --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "result", "adam_like", "share", "length"),
    [
        (CriticalLearningRate(), CriticalLearningRateResult(0.5, 9, "found"), False, 0.25, 75),
        (CriticalLearningRate(), CriticalLearningRateResult(1.0, 9, "above_stop"), False, 0.5, 50),
        (CriticalLearningRate(safety=1.0), CriticalLearningRateResult(1.0, 9, "above_stop"), False, 1.0, 0),
        # Adam keeps half of its warmup, or what it is told.
        (CriticalLearningRate(safety=1.0), CriticalLearningRateResult(1.0, 9, "above_stop"), True, 0.5, 50),
        (CriticalLearningRate(adam_minimum=0.9), CriticalLearningRateResult(0.5, 9, "found"), True, 0.1, 90),
        (CriticalLearningRate(adam_minimum=1), CriticalLearningRateResult(0.5, 9, "found"), True, 1 / 101, 100),
        (CriticalLearningRate(), CriticalLearningRateResult(0.1, 9, "found"), True, 0.05, 95),
        # Failures start where a warmup starts by default, or where they are told.
        (CriticalLearningRate(), CriticalLearningRateResult(0.0, 24, "ascent"), False, 1 / 101, 100),
        (CriticalLearningRate(), CriticalLearningRateResult(0.3, 24, "exhausted"), False, 1 / 101, 100),
        (CriticalLearningRate(), None, False, 1 / 101, 100),
        (CriticalLearningRate(fallback=0.02), None, False, 0.02, 98),
    ],
)
def test_where_a_warmup_of_100_starts(
    settings: CriticalLearningRate,
    result: CriticalLearningRateResult | None,
    adam_like: bool,
    share: float,
    length: int,
) -> None:
    found = settings.initial_share(result, warmup_length=100, adam_like=adam_like)
    assert found == pytest.approx(share, abs=1e-15)
    assert settings.shortened(100, found) == length


@given(length=st.integers(1, 10_000), share=st.floats(1e-6, 1.0))
def test_a_shortened_warmup_ends_with_the_first_step_at_the_target(length: int, share: float) -> None:
    end = CriticalLearningRate.shortened(length, share)
    assert share + end / length == pytest.approx(1) or share + end / length > 1
    assert end == 0 or share + (end - 1) / length < 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"safety": 0}, r"CriticalLearningRate\(safety=0\): expected a number in \(0, 1\]"),
        ({"safety": 1.5}, "safety=1.5"),
        ({"safety": True}, "safety=True"),
        ({"fallback": 0.0}, "fallback=0.0"),
        ({"adam_minimum": -0.1}, r"adam_minimum=-0.1\): expected a number in \[0, 1\]"),
        ({"tolerance": 2}, "tolerance=2"),
        ({"max_forwards": 0}, "max_forwards=0"),
    ],
)
def test_settings_are_checked(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CriticalLearningRate(**arguments)  # type: ignore[arg-type]


class Configured(Callback):
    def __init__(
        self, initial: MeasuredLearningRate | float | str | dict[str, float | str | None] | None = None
    ) -> None:
        self.initial = initial


@pytest.mark.parametrize(
    "written",
    [
        ["--w.initial=CriticalLearningRate", "--w.initial.safety=0.3"],
        ["--w.initial", "{class_path: lightning_warmup.critical_lr.CriticalLearningRate, init_args: {safety: 0.3}}"],
    ],
)
def test_from_the_command_line(written: list[str]) -> None:
    parser = ArgumentParser()
    parser.add_class_arguments(Configured, "w")
    callback = instantiated(parser, parser.parse_args(written)).w
    assert callback.initial == CriticalLearningRate(safety=0.3)


# --- in real runs ----------------------------------------------------------------------------------------------------

# The loss of Line is a quadratic with the Hessian H = 2 x xᵀ, x = (1, 1, 1); its gradient is along x, so η_c is
# 2 gᵀD / DᵀHD = 2 / (2 · 3) = 1/3 for SGD.
CRITICAL = 1 / 3


def sgd(lr: float) -> Line:
    return Line(lambda m: RecordingSGD(m.parameters(), lr=lr))


def ramp(target: float, share: float, length: int, steps: int) -> list[float]:
    return [min(target, share * target + target * t / length) for t in range(steps)]


@pytest.mark.parametrize("safety", [0.25, 0.5, 1.0])
@pytest.mark.parametrize("target", [0.5, 1.0, 4.0])
def test_the_warmup_is_shortened_and_the_decay_comes_earlier(safety: float, target: float) -> None:
    spec = CriticalLearningRate(safety=safety, tolerance=1e-6, max_forwards=40)
    module = sgd(target)
    fit(LearningRateWarmup(13, "linear", warmup_initial_lr=spec), module, max_epochs=4)
    share = safety * CRITICAL / target
    short = math.ceil(13 * (1 - share))
    used = module.used
    assert used[:short] == pytest.approx(ramp(target, share, 13, short), rel=1e-4)
    assert used[short:] == pytest.approx([target * (1 - (t - short) / (40 - short)) for t in range(short, 40)])


def test_critical_is_half_of_it(messages: list[str]) -> None:
    module = sgd(1.0)
    fit(LearningRateWarmup(10, warmup_initial_lr="critical"), module, max_epochs=2)
    assert module.used[0] == pytest.approx(0.5 * CRITICAL, rel=1 / 16)
    assert any("critical learning rate 0.3" in line and "takes 9 instead of 10." in line for line in messages)


def test_a_target_below_it_needs_no_warmup() -> None:
    module = sgd(0.1)
    fit(LearningRateWarmup(10, "linear", warmup_initial_lr=CriticalLearningRate(safety=1.0)), module, max_epochs=2)
    assert module.used == pytest.approx([0.1 * (1 - t / 20) for t in range(20)])


def test_one_multiplier_for_all_groups() -> None:
    def configure(module: Line) -> RecordingSGD:
        return RecordingSGD([{"params": [module.weight], "lr": 1.0}, {"params": [module.bias], "lr": 2.0}], lr=1.0)

    module = Line(configure)
    spec = CriticalLearningRate(safety=1.0, tolerance=1e-6, max_forwards=40)
    fit(LearningRateWarmup(10, warmup_initial_lr=spec), module, max_epochs=2)
    optimizer = module.trainer.optimizers[0]
    # D = (g, g, 2g): gᵀD = 4g², DᵀHD = 2 (g + g + 2g)² = 32 g², c = 2 · 4 / 32.
    assert optimizer.lrs(0)[0] == pytest.approx(0.25, rel=1e-4)
    assert optimizer.lrs(1)[0] == pytest.approx(0.5, rel=1e-4)


def test_resume_does_not_search_again(tmp_path: Path, messages: list[str]) -> None:
    def warmup() -> LearningRateWarmup:
        return LearningRateWarmup(10, "cosine", warmup_initial_lr="critical")

    whole = fit([warmup(), SaveEveryBatch(tmp_path)], sgd(1.0), max_epochs=2)
    for batch in range(1, 20):
        with resume_point():
            messages.clear()
            resumed = fit(warmup(), sgd(1.0), max_epochs=2, ckpt_path=tmp_path / f"{batch}.ckpt")
            assert resumed.used == whole.used[batch:]
            assert torch.equal(resumed.weight, whole.weight)
            assert not [line for line in messages if "forwards" in line]


class Noisy(Line):
    """With dropout and BatchNorm."""

    def __init__(self) -> None:
        super().__init__(lambda m: torch.optim.Adam(m.parameters(), lr=0.01))
        torch.manual_seed(3)
        self.net = torch.nn.Sequential(
            torch.nn.Linear(2, 8), torch.nn.BatchNorm1d(8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1)
        )

    def loss(self, batch: Any) -> torch.Tensor:
        return ((self.net(batch[0]) - 1) ** 2).mean()


def test_a_search_with_the_outcome_known_changes_nothing() -> None:
    """Bit for bit: the search itself leaves no trace."""
    weights = []
    for initial in (0.01 * 0.2, CriticalLearningRate(safety=1e-9, fallback=0.2, max_forwards=2)):
        module = Noisy()
        torch.manual_seed(5)
        warmup = LearningRateWarmup(10, warmup_initial_lr=initial, total=10)
        with pytest.warns() if isinstance(initial, CriticalLearningRate) else _nothing():
            fit(warmup, module, max_steps=1)
        weights.append([p.detach().clone() for p in [*module.parameters(), *module.buffers()]])
    assert all(torch.equal(a, b) for a, b in zip(*weights, strict=True))


def _nothing() -> Any:
    from contextlib import nullcontext

    return nullcontext()


def test_a_failed_search_falls_back_with_a_warning() -> None:
    with pytest.warns(UserWarning, match=r"ended in 'exhausted', so the warmup starts at 0\.2 of the target"):
        module = sgd(100.0)
        spec = CriticalLearningRate(fallback=0.2, max_forwards=2, safety=1.0)
        fit(LearningRateWarmup(1000, warmup_initial_lr=spec, total=2000), module, max_steps=2, max_epochs=-1)
    assert module.used[0] == pytest.approx(20.0)


def test_adam_keeps_half_of_its_warmup() -> None:
    seen: list[float] = []

    def adam(module: Line) -> torch.optim.Optimizer:
        optimizer = torch.optim.Adam(module.parameters(), lr=1e-6)
        optimizer.register_step_post_hook(lambda o, *_: seen.append(o.param_groups[0]["lr"]))
        return optimizer

    fit(LearningRateWarmup(10, warmup_initial_lr=CriticalLearningRate(safety=1.0)), Line(adam), max_epochs=1)
    # Any rate is safe for so small a target, and still the first half is kept.
    assert seen == pytest.approx([1e-6 * min(1.0, 0.5 + t / 10) for t in range(10)])


def test_steps_that_a_scaler_skips_are_waited_for() -> None:
    module = Overflows()
    module.configure = lambda m: RecordingSGD(m.parameters(), lr=1.0)
    spec = CriticalLearningRate(safety=1.0, tolerance=1e-4, max_forwards=40)
    fit(LearningRateWarmup(10, warmup_initial_lr=spec), module, max_epochs=1, plugins=[scaled()])
    assert module.used[0] == pytest.approx(CRITICAL, rel=0.02)


def test_before_the_modules_own_scheduler() -> None:
    def configure(module: Line) -> Any:
        optimizer = RecordingSGD(module.parameters(), lr=1.0)
        scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    spec = CriticalLearningRate(safety=1.0, tolerance=1e-6, max_forwards=40)
    module = Line(configure)
    fit(LearningRateWarmup(10, warmup_initial_lr=spec), module, max_epochs=1)
    expected = [0.9**t * min(1.0, CRITICAL + t / 10) for t in range(10)]
    assert module.used == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"warmup": 0}, r"warmup_initial_lr=CriticalLearningRate\(.*warmup=0 is none"),
        ({"warmup": CosineWarmup(5)}, r"is where a linear warmup starts.*CosineWarmup"),
        ({"warmup": RAdamWarmup()}, r"is where a linear warmup starts"),
    ],
)
def test_it_needs_a_linear_warmup(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LearningRateWarmup(**settings, warmup_initial_lr="critical")


def test_accumulation_is_refused() -> None:
    with pytest.raises(MisconfigurationException, match="accumulate_grad_batches=2.*warmup_initial_lr=<number>"):
        fit(LearningRateWarmup(5, warmup_initial_lr="critical"), max_epochs=1, accumulate_grad_batches=2)


def test_values_cannot_tell() -> None:
    with pytest.raises(ValueError, match=r"CriticalLearningRate\(safety=0.5.*depends on the run itself"):
        LearningRateWarmup(5, warmup_initial_lr="critical").values(0.1, total_steps=9, steps_per_epoch=9)


def test_two_ranks_agree(tmp_path: Path) -> None:
    class Uneven(Line):
        def __init__(self) -> None:
            super().__init__(lambda m: torch.optim.SGD(m.parameters(), lr=1.0))

        def loss(self, batch: Any) -> torch.Tensor:
            return super().loss(batch) * (1 + self.global_rank)

    warmup = LearningRateWarmup(4, warmup_initial_lr=CriticalLearningRate(safety=1.0, tolerance=1e-6, max_forwards=40))
    ours = trainer(warmup, Tell(tmp_path), strategy="ddp_fork", devices=2, max_epochs=1)
    ours.fit(Uneven(), loader(8))
    first, second = told(tmp_path)
    assert first == second
    # The mean loss is 1.5 × as steep.
    assert first["used"][0] == pytest.approx(CRITICAL / 1.5, rel=1e-4)


def test_a_gradient_penalty_says_what_to_do() -> None:
    class Penalty(Line):
        def loss(self, batch: Any) -> torch.Tensor:
            x = batch[0].clone().requires_grad_()
            (slope,) = torch.autograd.grad((x @ self.weight).sum(), x, create_graph=True)
            return super().loss(batch) + slope.square().mean()

    with pytest.raises(MisconfigurationException, match="tried out without gradients.*torch.enable_grad"):
        fit(LearningRateWarmup(5, warmup_initial_lr="critical"), Penalty(), max_epochs=1)


@pytest.mark.filterwarnings("ignore:.*training_step.* returned .None.")
def test_a_batch_without_a_loss_is_waited_for() -> None:
    class Late(Line):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            return self.loss(batch) if batch_idx else None

    module = Late(lambda m: RecordingSGD(m.parameters(), lr=1.0))
    spec = CriticalLearningRate(safety=1.0, tolerance=1e-6, max_forwards=40)
    fit(LearningRateWarmup(10, warmup_initial_lr=spec), module, max_epochs=1)
    assert module.used[1] == pytest.approx(CRITICAL + 0.1, rel=1e-4)


def test_generators_of_the_modules_own_are_set_back() -> None:
    class Mixed(Line):
        def __init__(self) -> None:
            super().__init__(lambda m: torch.optim.SGD(m.parameters(), lr=0.1))
            self.generator = np.random.default_rng(1)
            self.random = random.Random(1)

        def loss(self, batch: Any) -> torch.Tensor:
            return super().loss(batch) * (self.generator.random() + self.random.random())

    weights = []
    for callbacks in ([], [CriticalLearningRateMonitor(2)]):
        module = fit(callbacks, Mixed(), max_epochs=1)
        weights.append(module.weight.detach().clone())
    assert torch.equal(*weights)


def test_gi_adam_after_it_is_refused() -> None:
    module = Line(lambda m: torch.optim.Adam(m.parameters(), lr=0.1))
    with pytest.raises(MisconfigurationException, match=r"Put GradientInitializedAdam\(\) before it"):
        fit([LearningRateWarmup(5, warmup_initial_lr="critical"), GradientInitializedAdam()], module, max_epochs=1)


def test_it_is_no_start_of_another_parameter() -> None:
    with pytest.raises(ValueError, match="that is one of learning rates"):
        HyperparameterWarmup("momentum", warmup=5, initial_value=CriticalLearningRate())  # type: ignore[arg-type]


def test_a_scaled_target_starts_there_too() -> None:
    # By k = 1, so that the target is the optimizer's own lr.
    settings: dict[str, Any] = {"warmup_initial_lr": "critical"}
    scaled_by_one = fit(
        LearningRateWarmup(10, "linear", target_lr=LinearScaling(2), **settings), sgd(1.0), max_epochs=2
    )
    assert scaled_by_one.used == fit(LearningRateWarmup(10, "linear", **settings), sgd(1.0), max_epochs=2).used


@pytest.mark.filterwarnings("ignore:.*configure_optimizers. returned .None.")
def test_nothing_to_measure() -> None:
    with pytest.warns(UserWarning, match="nothing to act on"):
        fit(LearningRateWarmup(10, warmup_initial_lr="critical"), Line(lambda m: None), max_epochs=1)
