"""Any torch scheduler as our decay."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler as torch_schedulers

from checkpoints import SaveEveryBatch
from lightning_warmup import HyperparameterWarmup, LearningRateWarmup, TorchDecay
from lightning_warmup.schedule.durations import Run
from lightning_warmup.schedule.resolve import resolve
from parsers import instantiated
from runs import Line, RecordingSGD, fit
from schedulers import SCHEDULERS, sequence

pytestmark = [
    pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended"),
    pytest.mark.filterwarnings("ignore:The epoch parameter in `scheduler.step..`"),
]


def alone(build: Any, lr: float, steps: int) -> list[float]:
    """What torch gives a group that starts at ``lr``."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr, momentum=0.9)
    scheduler = build(optimizer)
    lrs = []
    for _ in range(steps):
        lrs.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return lrs


@pytest.mark.parametrize("name", SCHEDULERS)
def test_values_are_torchs_after_the_warmup(name: str) -> None:
    callback = LearningRateWarmup(4, TorchDecay(SCHEDULERS[name]), hold=2, warmup_initial_lr=0.0)
    values = callback.values(0.1, total_steps=30, steps_per_epoch=10)
    assert values[:6] == pytest.approx([0, 0.025, 0.05, 0.075, 0.1, 0.1])
    assert values[6:] == alone(SCHEDULERS[name], 0.1, 24)


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_a_run_uses_its_values(name: str, interval: Any) -> None:
    callback = LearningRateWarmup(2, TorchDecay(SCHEDULERS[name], unit=interval), interval=interval, cooldown=1)
    assert fit(callback, max_epochs=6, batches=3).used == callback.values(0.1, total_steps=18, steps_per_epoch=3)


def test_its_own_clock_in_epochs() -> None:
    decay = TorchDecay(partial(torch_schedulers.StepLR, step_size=1, gamma=0.5), unit="epoch")
    values = LearningRateWarmup(2, decay, warmup_initial_lr=1.0).values(1.0, total_steps=12, steps_per_epoch=5)
    assert values == [1.0] * 7 + [0.5] * 5


def test_random_access_is_exact() -> None:
    callback = LearningRateWarmup(4, TorchDecay(SCHEDULERS["CosineAnnealingLR"]))
    curve = resolve(callback._config, *_run(30))
    forwards = [curve.values(t) for t in range(30)]
    assert [curve.values(t) for t in reversed(range(30))] == forwards[::-1]


def _run(steps: int) -> Any:
    return Run(steps=steps, epochs=1, steps_per_epoch=steps), [None], [0.1]


@pytest.mark.parametrize("name", ["StepLR", "CosineAnnealingWarmRestarts", "SequentialLR"])
def test_resume(name: str, tmp_path: Path) -> None:
    def warmup() -> LearningRateWarmup:
        return LearningRateWarmup(4, TorchDecay(SCHEDULERS[name]))

    whole = fit([warmup(), SaveEveryBatch(tmp_path)], max_epochs=2)
    for batch in (2, 5, 10, 19):
        resumed = fit(warmup(), max_epochs=2, ckpt_path=tmp_path / f"{batch}.ckpt")
        assert resumed.used == whole.used[batch:]


def test_each_group_by_its_own_factor() -> None:
    decay = TorchDecay(partial(torch_schedulers.LambdaLR, lr_lambda=[lambda t: 0.5**t, lambda t: 1.0]))
    values = LearningRateWarmup(0, decay).values({"a": 0.1, "b": 0.2}, total_steps=3, steps_per_epoch=3)
    assert values == {"a": [0.1, 0.05, 0.025], "b": [0.2] * 3}


def test_the_optimizers_momentum_is_left_alone() -> None:
    module = Line(lambda m: RecordingSGD(m.parameters(), lr=0.1, momentum=0.7))
    fit(LearningRateWarmup(2, TorchDecay(SCHEDULERS["OneCycleLR"])), module, max_epochs=1)
    assert {step[0]["momentum"] for step in module.trainer.optimizers[0].used} == {0.7}


def test_of_another_parameter() -> None:
    callback = HyperparameterWarmup("momentum", decay=TorchDecay(SCHEDULERS["ExponentialLR"]))
    assert callback.values(0.9, total_steps=3, steps_per_epoch=3) == pytest.approx([0.9, 0.81, 0.729])


def test_gradual_warmups_readme_example() -> None:
    """pytorch-gradual-warmup-lr: multiplier 1, 5 epochs, then StepLR(10, 0.1); prints epochs 1 to 19 from lr 0.1.

    Its epoch e is our value(e): it warms up from 0, which it never trains at only because the example begins at 1.
    """
    decay = TorchDecay(partial(torch_schedulers.StepLR, step_size=10, gamma=0.1), unit="epoch")
    callback = LearningRateWarmup(5, decay, warmup_initial_lr=0.0, interval="epoch")
    values = callback.values(0.1, total_steps=20, steps_per_epoch=1)
    assert values[1:] == pytest.approx([0.02, 0.04, 0.06, 0.08, *[0.1] * 10, *[0.01] * 5])


def test_gradual_warmups_multiplier() -> None:
    """Its multiplier m warms up from the base to m × base: our target, with the base as the start."""
    callback = LearningRateWarmup(5, warmup_initial_lr=0.1, target_lr=8 * 0.1, interval="epoch")
    values = callback.values(0.1, total_steps=7, steps_per_epoch=1)
    assert values == pytest.approx([0.1 * ((8 - 1) * min(e, 5) / 5 + 1) for e in range(7)])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (torch_schedulers.ReduceLROnPlateau, "use ReduceOnPlateauDecay"),
        (lambda optimizer: 3, "makes a int, which is no torch scheduler"),
    ],
)
def test_what_is_no_scheduler(build: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LearningRateWarmup(2, TorchDecay(build)).values(0.1, total_steps=9, steps_per_epoch=9)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match=r"TorchDecay\(scheduler='StepLR'\) is not callable"):
        TorchDecay("StepLR")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"TorchDecay\(unit='batch'\)"):
        TorchDecay(SCHEDULERS["StepLR"], unit="batch")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"unit='step'\) steps with the optimizer.*give unit='epoch'"):
        callback = LearningRateWarmup(2, TorchDecay(SCHEDULERS["StepLR"]), interval="epoch")
        callback.values(0.1, total_steps=9, steps_per_epoch=1)


def test_from_yaml() -> None:
    from jsonargparse import ArgumentParser

    parser = ArgumentParser()
    parser.add_class_arguments(LearningRateWarmup, "lr_warmup")
    args = {
        "warmup": 3,
        "decay": {
            "class_path": "lightning_warmup.TorchDecay",
            "init_args": {
                "scheduler": {
                    "class_path": "torch.optim.lr_scheduler.CosineAnnealingWarmRestarts",
                    "init_args": {"T_0": 10},
                }
            },
        },
    }
    config = parser.parse_object({"lr_warmup": args})
    callback = instantiated(parser, config).lr_warmup
    restarts = partial(torch_schedulers.CosineAnnealingWarmRestarts, T_0=10)
    assert callback.values(0.1, total_steps=20, steps_per_epoch=20)[3:] == alone(restarts, 0.1, 17)
    again = parser.parse_string(parser.dump(config))
    assert parser.dump(again) == parser.dump(config)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            partial(torch_schedulers.OneCycleLR, max_lr=0.3, total_steps=5),
            r"fails at its step 6: Tried to step 6 times",
        ),
        (lambda o: torch_schedulers.LambdaLR(o, lambda t: float("nan") if t > 3 else 1.0), "gives nan at its step 4"),
        (torch_schedulers.StepLR, r"cannot be made for 1 param group\(s\): .*step_size"),
        (lambda o: torch_schedulers.CosineAnnealingLR(o, 0), "fails at its step 1: "),
    ],
)
def test_a_scheduler_that_does_not_last_is_refused_before_the_first_step(build: Any, message: str) -> None:
    module = Line()
    with pytest.raises(ValueError, match=rf"TorchDecay\(.*{message}"):
        fit(LearningRateWarmup(2, TorchDecay(build)), module, max_epochs=2)
    assert module.trainer.global_step == 0


def test_a_scheduler_too_short_for_a_long_run() -> None:
    decay = TorchDecay(partial(torch_schedulers.OneCycleLR, max_lr=0.3, total_steps=900_000))
    with pytest.raises(ValueError, match="ends after total_steps=900,000 of its steps, and the decay has 999,998"):
        LearningRateWarmup(2, decay).values(0.1, total_steps=1_000_000, steps_per_epoch=1000)


def test_a_function_of_ones_own_from_yaml() -> None:
    from jsonargparse import ArgumentParser

    parser = ArgumentParser()
    parser.add_class_arguments(LearningRateWarmup, "lr_warmup")
    decay = {"class_path": "lightning_warmup.TorchDecay", "init_args": {"scheduler": "schedulers.sequence"}}
    config = parser.parse_object({"lr_warmup": {"warmup": 3, "decay": decay}})
    callback = instantiated(parser, config).lr_warmup
    assert callback.values(0.1, total_steps=20, steps_per_epoch=20)[3:] == alone(sequence, 0.1, 17)
