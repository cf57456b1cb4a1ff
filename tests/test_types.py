"""What a type checker makes of a user's code: `make lint` has mypy read this file, and `make types` pyright.

basedpyright is pyright with its own node.

A `type: ignore` that is not needed is an error of mypy's, so that each of them says what must be refused.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf
from typing_extensions import assert_type

from lightning_warmup import (
    Decay,
    FunctionDecay,
    HyperparameterWarmup,
    LearningRateWarmup,
    LinearScaling,
    MultiStepDecay,
    UntunedLinearWarmup,
    Warmup,
)
from refusals import refused

RATES = {"head": 0.1, "default": 0.2}


def test_a_number_gives_a_list_and_a_mapping_a_dict() -> None:
    warmup = LearningRateWarmup(2)
    one = assert_type(warmup.values(0.1, total_steps=3, steps_per_epoch=3), list[float])
    groups = assert_type(warmup.values({"head": 0.1}, total_steps=3, steps_per_epoch=3), dict[str, list[float]])
    assert groups == {"head": one}
    momentum = HyperparameterWarmup("momentum", warmup=2, initial_value=0.5)
    assert_type(momentum.values(0.9, total_steps=3, steps_per_epoch=3), list[float])


def test_betas_by_group_need_a_lr_by_group() -> None:
    warmup = LearningRateWarmup(UntunedLinearWarmup())
    betas = {"head": (0.9, 0.99)}
    assert list(warmup.values({"head": 0.1}, total_steps=3, steps_per_epoch=3, betas=betas)) == ["head"]
    with refused("betas by group name need an lr by group name"):
        warmup.values(0.1, total_steps=3, steps_per_epoch=3, betas=betas)  # type: ignore[call-overload]


def test_a_variable_will_do_where_a_literal_does() -> None:
    rates: dict[str, float] = dict(RATES)
    steps: list[int] = [30, 60]
    decay: Decay = MultiStepDecay(steps)
    shape: Warmup | int = 5
    half: Callable[[float], float] = lambda u: 1 - u / 2  # noqa: E731
    LearningRateWarmup(shape, decay, warmup_initial_lr=rates, target_lr=rates)
    LearningRateWarmup(5, FunctionDecay(half), target_lr=LinearScaling(256))
    HyperparameterWarmup("momentum", warmup=5, initial_value=rates, target_value=rates)


def test_what_a_checker_refuses() -> None:
    with refused("decay='cosin'"):
        LearningRateWarmup(5, decay="cosin")  # type: ignore[arg-type]
    with refused("interval='epochs'"):
        LearningRateWarmup(5, interval="epochs")  # type: ignore[arg-type]
    with refused("target_lr='0.1%'"):
        LearningRateWarmup(5, target_lr="0.1%")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "kind", [dict, OrderedDict, MappingProxyType, OmegaConf.create], ids=lambda kind: kind.__name__
)
def test_any_mapping_is_kept_as_plain_data(kind: Callable[[dict[str, float]], Mapping[str, float]]) -> None:
    given = kind(dict(RATES))
    warmup = LearningRateWarmup(2, warmup_initial_lr=given, target_lr=given)
    assert type(warmup._config.initial) is type(warmup._config.target) is dict
    assert repr(warmup._config) == repr(LearningRateWarmup(2, warmup_initial_lr=RATES, target_lr=RATES)._config)
    lr = kind({"head": 0.1, "body": 0.2})
    values = warmup.values(lr, total_steps=3, steps_per_epoch=3)
    assert type(values) is dict
    assert values == {"head": [0.1] * 3, "body": [0.2] * 3}


def test_what_was_given_may_change_afterwards() -> None:
    rates, steps = dict(RATES), [30, 60]
    warmup = LearningRateWarmup(2, MultiStepDecay(steps), target_lr=rates)
    rates["head"] = 7.0
    steps.append(1)
    expected = LearningRateWarmup(2, MultiStepDecay([30, 60]), target_lr=RATES)
    assert warmup._config == expected._config


def test_a_config_of_omegaconfs_is_checked_as_a_dict_is() -> None:
    """Hydra hands such objects over; an entry without a value was taken for one."""
    config = OmegaConf.create({"initial": {"head": None, "default": 0.5}, "milestones": [4, "60%"]})
    assert isinstance(config, DictConfig)
    initial: Any = config.initial
    with refused("says nothing of where the warmup starts: give initial_value"):
        HyperparameterWarmup("momentum", warmup=5, initial_value=initial)
    decay = MultiStepDecay(config.milestones)
    assert decay == MultiStepDecay([4, "60%"])
    assert type(decay.milestones) is list
