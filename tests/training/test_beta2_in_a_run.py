"""Warmups from β2: what real optimizers use of them."""

import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim import Adam, AdamW, NAdam, Optimizer

from checkpoints import SaveEveryBatch
from lightning_warmup import (
    CosineDecay,
    LearningRateWarmup,
    RAdamWarmup,
    UntunedLinearWarmup,
)
from lightning_warmup.schedule.beta2_warmups import Beta2Warmup
from refusals import refused
from runs import Line, fit
from shapes import BETA2_WARMUPS

every_warmup = pytest.mark.parametrize(
    "warmup", [row.shape() for row in BETA2_WARMUPS], ids=lambda shape: type(shape).__name__
)

# The runs here are short, and β2 is what it is: that the callback says so is tested below.
ignore_length = pytest.mark.filterwarnings("ignore:.*the warmup takes about")


class Adams(Line):
    """A line fitted by an Adam-like, with the learning rates that its steps used."""

    def __init__(self, optimizer: Callable[[Line], Optimizer], scheduler: Any = None) -> None:
        self.seen: list[list[float]] = []

        def configure(module: Line) -> Any:
            made = optimizer(module)
            # After the step: before it, the gradients are not there yet, and somebody may still write.
            made.register_step_post_hook(lambda o, *_: self.seen.append([group["lr"] for group in o.param_groups]))
            if scheduler is None:
                return made
            return {"optimizer": made, "lr_scheduler": {"scheduler": scheduler(made), "interval": "step"}}

        super().__init__(configure)

    def lrs(self, group: int = 0) -> list[float]:
        return [row[group] for row in self.seen]


def adam(beta2: float, lr: float = 0.1, **kwargs: Any) -> Adams:
    return Adams(lambda module: Adam(module.parameters(), lr=lr, betas=(0.9, beta2)), **kwargs)


def two_groups(module: Line) -> Adam:
    """Each with its own learning rate and β2."""
    return Adam(
        [
            {"params": [module.weight], "name": "weight", "lr": 0.1, "betas": (0.9, 0.999)},
            {"params": [module.bias], "name": "bias", "lr": 0.3, "betas": (0.8, 0.9)},
        ]
    )


@pytest.mark.parametrize("name", ["UntunedLinearWarmup", "UntunedExponentialWarmup"])
@pytest.mark.parametrize("beta2", [0.0, 0.5, 0.9, 0.95, 0.98, 0.99, 0.999, 0.9999])
@pytest.mark.parametrize("optimizer", [Adam, AdamW, NAdam])
def test_equal_to_pytorch_warmup(name: str, beta2: float, optimizer: Any) -> None:
    """In runs of both, where its rounding does nothing; its step s is our t = s + 1.

    It cuts the period to whole steps in floating point: to 199 where β2 is 0.99, and the formula's is 200. Ours is the
    formula.
    """
    import lightning_warmup

    formula, period = {
        "UntunedLinearWarmup": (lambda t: min(1, t * (1 - beta2) / 2), 2),
        "UntunedExponentialWarmup": (lambda t: 1 - math.exp(-(1 - beta2) * t), 1),
    }[name]
    theirs_of = pytest.importorskip("pytorch_warmup")
    parameter = torch.nn.Parameter(torch.ones(2))
    reference = optimizer([parameter], lr=0.1, betas=(0.9, beta2))
    theirs, used = getattr(theirs_of, name)(reference), []
    for _ in range(40):
        used.append(reference.param_groups[0]["lr"])
        (parameter**2).sum().backward()
        reference.step()
        with theirs.dampening():
            pass

    module = Adams(lambda module: optimizer(module.parameters(), lr=0.1, betas=(0.9, beta2)))
    callback = LearningRateWarmup(getattr(lightning_warmup, name)(), total=10**6)
    fit(callback, module, max_epochs=4)
    assert module.lrs() == [formula(t) * 0.1 for t in range(1, 41)]
    cut = int(period / (1 - beta2)) != period / (1 - Fraction(str(beta2)))
    assert cut == (beta2 in (0.95, 0.98, 0.99, 0.999))
    assert (module.lrs() == pytest.approx(used, rel=1e-12)) != cut


@ignore_length
@every_warmup
def test_each_group_by_its_own_beta2(warmup: Beta2Warmup) -> None:
    module = Adams(two_groups)
    callback = LearningRateWarmup(warmup, CosineDecay(final=0.1))
    fit(callback, module, max_epochs=3)
    betas = {"weight": (0.9, 0.999), "bias": (0.8, 0.9)}
    values = callback.values({"weight": 0.1, "bias": 0.3}, total_steps=30, steps_per_epoch=10, betas=betas)
    assert {"weight": module.lrs(0), "bias": module.lrs(1)} == values
    # A factor on a decay whose clock starts at 0; t counts from 1.
    for group, (lr, beta2) in enumerate([(0.1, 0.999), (0.3, 0.9)]):
        factor = [0.1 + 0.9 * (1 + math.cos(math.pi * t / 30)) / 2 for t in range(30)]
        expected = [warmup.weight_at(t + 1, beta2) * lr * factor[t] for t in range(30)]
        assert module.lrs(group) == pytest.approx(expected, rel=1e-12)


@ignore_length
@every_warmup
def test_before_the_modules_own_scheduler(warmup: Beta2Warmup) -> None:
    module = adam(0.98, scheduler=lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.9))
    fit(LearningRateWarmup(warmup), module, max_epochs=3)
    expected = [warmup.weight_at(t + 1, 0.98) * 0.1 * 0.9**t for t in range(30)]
    assert module.lrs() == pytest.approx(expected, rel=1e-12)


@ignore_length
@every_warmup
def test_accumulation_counts_steps(warmup: Beta2Warmup) -> None:
    module = adam(0.95)
    fit(LearningRateWarmup(warmup), module, max_epochs=3, accumulate_grad_batches=3)
    assert module.lrs() == [warmup.weight_at(t, 0.95) * 0.1 for t in range(1, 13)]


@ignore_length
@pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended")
@every_warmup
def test_resume_at_every_step(warmup: Beta2Warmup, tmp_path: Path) -> None:
    whole = Adams(two_groups)
    fit([LearningRateWarmup(warmup, "cosine"), SaveEveryBatch(tmp_path)], whole, max_epochs=2)
    for batch in range(1, 20, 3):
        resumed = Adams(two_groups)
        fit(LearningRateWarmup(warmup, "cosine"), resumed, max_epochs=2, ckpt_path=tmp_path / f"{batch}.ckpt")
        assert resumed.seen == whole.seen[batch:]
        assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))


def test_one_warning_where_it_takes_much_of_the_run() -> None:
    with pytest.warns(UserWarning, match="the warmup takes about") as caught:
        fit(LearningRateWarmup(UntunedLinearWarmup(), "linear"), adam(0.98), max_epochs=4)
    (told,) = [text for warning in caught if "takes about" in (text := str(warning.message))]
    assert "β2=0.98 the warmup takes about 100 steps, 250% of the 40 of this run. Lower β2, or give" in told
    assert told.startswith("LearningRateWarmup(warmup=UntunedLinearWarmup()")


@pytest.mark.parametrize(("total", "warned"), [(950, True), (1000, False), (1050, False)])
def test_much_of_the_run_is_a_tenth(total: int, warned: bool) -> None:
    module = adam(0.98)
    if warned:
        with pytest.warns(UserWarning, match="about 100 steps, 11% of the 950 of this run"):
            fit(LearningRateWarmup(UntunedLinearWarmup(), total=total), module, max_epochs=1)
    else:
        fit(LearningRateWarmup(UntunedLinearWarmup(), total=total), module, max_epochs=1)  # warnings are errors


@ignore_length
def test_the_largest_beta2_is_told() -> None:
    with pytest.warns(UserWarning, match=r"β2=0\.999 the warmup takes about 2,000 steps"):
        fit(LearningRateWarmup(UntunedLinearWarmup()), Adams(two_groups), max_epochs=1)


def test_the_message_tells_each_groups_beta2(messages: list[str]) -> None:
    fit(LearningRateWarmup(UntunedLinearWarmup(), total=10**6), Adams(two_groups), max_epochs=1)
    assert any("0.1 × untuned linear (β2=0.999) (weight), 0.3 × untuned linear (β2=0.9) (bias)" in m for m in messages)


# --- what is refused -------------------------------------------------------------------------------------------------


@every_warmup
def test_an_optimizer_without_betas(warmup: Beta2Warmup) -> None:
    with refused(f"warmup={warmup!r}) needs the optimizer's β2, and it has no betas", "use an Adam-like"):
        fit(LearningRateWarmup(warmup), Line(), max_epochs=1)


@pytest.mark.parametrize("beta2", [0.0, 0.5, 0.6])
def test_radam_needs_a_beta2_above_0_6(beta2: float) -> None:
    callback = LearningRateWarmup(RAdamWarmup())
    with refused("RAdamWarmup needs β2 > 0.6", f"betas[1]={beta2}", "UntunedLinearWarmup()"):
        callback.values(0.1, total_steps=10, steps_per_epoch=10, betas=(0.9, beta2))
    with refused("RAdamWarmup needs β2 > 0.6"):
        fit(callback, adam(beta2), max_epochs=1)


def test_radam_just_above() -> None:
    module = adam(0.61)
    fit(LearningRateWarmup(RAdamWarmup()), module, max_epochs=6)
    assert len(module.lrs()) == 60
    assert all(0 < lr <= 0.1 * (1 + 1e-12) for lr in module.lrs())
    assert module.lrs()[-1] == pytest.approx(0.1)
