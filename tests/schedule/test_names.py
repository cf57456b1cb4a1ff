"""Short names of shapes, and the error that lists all shapes where a name is none."""

import inspect
import re

import pytest

import lightning_warmup
from lightning_warmup import (
    HyperparameterWarmup,
    LearningRateWarmup,
    PersistentCatapultWarmup,
    PolynomialDecay,
    RAdamWarmup,
    SqrtBeta2Warmup,
    UntunedExponentialWarmup,
    UntunedLinearWarmup,
)
from refusals import refused
from shapes import ROWS


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("untuned_linear", UntunedLinearWarmup()),
        ("untuned_exponential", UntunedExponentialWarmup()),
        ("radam", RAdamWarmup()),
        ("sqrt_beta2", SqrtBeta2Warmup()),
        ("catapult", PersistentCatapultWarmup()),
    ],
)
def test_warmups_that_need_no_argument(name, shape) -> None:
    assert LearningRateWarmup(name)._config == LearningRateWarmup(shape)._config
    assert LearningRateWarmup(name).warms_up
    assert LearningRateWarmup(name).measures == (name == "catapult")


def test_polynomial() -> None:
    assert LearningRateWarmup(5, "polynomial").values(1.0, total_steps=20) == LearningRateWarmup(
        5, PolynomialDecay()
    ).values(1.0, total_steps=20)


def required(shape: type) -> list[str]:
    """Arguments that a shape must be given."""
    parameters = inspect.signature(shape).parameters.values()
    return [parameter.name for parameter in parameters if parameter.default is parameter.empty]


@pytest.mark.parametrize("name", ["step", "wsd", "cosin", "StepDecay", "exponential", "onecycle", ""])
def test_what_people_try_gets_a_list_of_all_decays(name) -> None:
    with refused(f"LearningRateWarmup(decay={name!r}) is no decay", "'cosine'", "'polynomial'", "'20%'") as _:
        LearningRateWarmup(5, name)
    told = message(lambda: LearningRateWarmup(5, name))
    for shape in (shape for shape in ROWS if shape.__name__.endswith("Decay")):
        (arguments,) = re.findall(rf"\b{shape.__name__}\(([a-z_, ]*)\)", told)
        assert arguments.split(", ")[: len(required(shape))] == (required(shape) or [""])[: len(required(shape))]


@pytest.mark.parametrize("name", ["step", "cosine", "warm", "RAdamWarmup"])
def test_and_of_all_warmups(name) -> None:
    told = message(lambda: LearningRateWarmup(name))
    assert told.startswith(f"LearningRateWarmup(warmup={name!r}) is not a duration")
    for short in ("untuned_linear", "untuned_exponential", "radam", "sqrt_beta2", "catapult"):
        assert repr(short) in told
    for shape in (shape for shape in ROWS if shape.__name__.endswith("Warmup")):
        given = [re.split(", ", found) for found in re.findall(rf"\b{shape.__name__}\(([a-z_, ]*)\)", told)]
        assert [arguments[: len(required(shape))] for arguments in given] == [required(shape)]


def message(call) -> str:
    with pytest.raises(ValueError, match="is no") as caught:
        call()
    return str(caught.value)


@pytest.mark.parametrize("name", ["radam", "catapult"])
def test_other_hyperparameters_have_no_such_warmup(name) -> None:
    with refused(f"HyperparameterWarmup(warmup={name!r})"):
        HyperparameterWarmup("weight_decay", warmup=name)


def test_every_short_name_is_lower_case_and_of_a_shape() -> None:
    for name in ("constant", "linear", "cosine", "inverse_sqrt", "one_minus_sqrt", "polynomial"):
        words = "".join(word.capitalize() for word in name.split("_"))
        assert hasattr(lightning_warmup, f"{words}Decay")
