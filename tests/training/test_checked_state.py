"""A state that is not what the callback saved stops before anything is trained, with one error that names the key."""

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from checkpoints import SaveEveryBatch
from lightning_warmup import LearningRateWarmup, LineSearchWarmup, PersistentCatapultWarmup, ReduceOnPlateauDecay
from runs import Line, Logging, RecordingSGD, fit

pytestmark = pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended")


def set_to(*path: Any, value: Any) -> Callable[[dict[Any, Any]], None]:
    def change(state: dict[Any, Any]) -> None:
        for key in path[:-1]:
            state = state[key]
        state[path[-1]] = value

    return change


def removed(*path: Any) -> Callable[[dict[Any, Any]], None]:
    def change(state: dict[Any, Any]) -> None:
        for key in path[:-1]:
            state = state[key]
        del state[path[-1]]

    return change


def through_json(state: dict[Any, Any]) -> None:
    changed = json.loads(json.dumps(state))
    state.clear()
    state.update(changed)


FIRST = ("optimizers", 0)
WRONG: list[tuple[str, Callable[[dict[Any, Any]], None], str]] = [
    ("negative steps", set_to(*FIRST, "steps", value=-3), "['steps'] is -3, expected an int ≥ 0"),
    ("steps as a float", set_to(*FIRST, "steps", value=3.0), "['steps'] is 3.0, expected an int ≥ 0"),
    ("steps as a bool", set_to(*FIRST, "steps", value=True), "['steps'] is True, expected an int ≥ 0"),
    ("no steps", removed(*FIRST, "steps"), "['steps'] is missing, expected an int ≥ 0"),
    ("nan as own", set_to(*FIRST, "own", value=[float("nan")]), "['own'] is [nan], expected a list of finite numbers"),
    ("negative own", set_to(*FIRST, "own", value=[-0.1]), "['own'] is [-0.1], expected a list of finite numbers ≥ 0"),
    ("no own", removed(*FIRST, "own"), "['own'] is missing"),
    ("own as a number", set_to(*FIRST, "own", value=0.1), "['own'] is 0.1"),
    ("infinite target", set_to(*FIRST, "target", value=[float("inf")]), "['target'] is [inf]"),
    ("no target", removed(*FIRST, "target"), "['target'] is missing"),
    ("two targets of one", set_to(*FIRST, "target", value=[0.1, 0.2]), "['target'] is [0.1, 0.2], expected as many"),
    ("late without a start", set_to(*FIRST, "late", value=1), "['initial'] is missing"),
    ("late as text", set_to(*FIRST, "late", value="1"), "['late'] is '1'"),
    ("no dict", set_to("optimizers", value=[1]), "state['optimizers'] is [1], expected a dict"),
    ("an optimizer as text", set_to(*FIRST, value="0.1"), "['steps'] is missing"),
    ("through JSON", through_json, "state['optimizers'] has the key '0', expected an int (JSON makes strings of them)"),
    ("no optimizers", removed("optimizers"), "state['optimizers'] is missing"),
    ("first_epoch", set_to("first_epoch", value=-1), "state['first_epoch'] is -1"),
    ("first_step", set_to("first_step", value=None), "state['first_step'] is None"),
    ("later first_epoch", set_to("first_epoch", value=10**9), "expected no more than the checkpoint's 1."),
    ("later first_step", set_to("first_step", value=10**9), "expected no more than the checkpoint's 12."),
    ("total", set_to("total", value=12.5), "state['total'] is 12.5"),
    ("interval", set_to("interval", value="steps"), "state['interval'] is 'steps', expected 'step' or 'epoch'"),
    ("past", set_to("past_epochs", value=[[1, 2, 3]]), "state['past_epochs'] is [[1, 2, 3]]"),
    ("plateau's factor", set_to("plateau", "factor", value=float("nan")), "state['plateau']['factor'] is nan"),
    ("plateau's best", set_to("plateau", "best", value=float("nan")), "state['plateau']['best'] is nan"),
    ("plateau's count", removed("plateau", "num_bad_epochs"), "state['plateau']['num_bad_epochs'] is missing"),
    ("adaptive", set_to("adaptive", value={"share": float("inf")}), "state['adaptive']['share'] is inf"),
]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    fit([plateau(), SaveEveryBatch(folder)], Logging(), max_epochs=2)
    return folder / "12.ckpt"


def plateau() -> LearningRateWarmup:
    return LearningRateWarmup(4, ReduceOnPlateauDecay("train_loss"))


@pytest.mark.parametrize(("change", "message"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_nothing_is_trained(change: Any, message: str, saved: Path, tmp_path: Path) -> None:
    checkpoint = torch.load(saved, weights_only=True)
    change(checkpoint["callbacks"][plateau().state_key])
    torch.save(checkpoint, tmp_path / "changed.ckpt")
    module = Logging()
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        fit(plateau(), module, max_epochs=2, ckpt_path=tmp_path / "changed.ckpt")
    assert str(caught.value).startswith("LearningRateWarmup: the checkpoint's state is not what this callback saves: ")
    assert not module.trainer.optimizers or not getattr(module.trainer.optimizers[0], "used", [])


def test_more_steps_than_the_checkpoint_knows_of_are_told(saved: Path, tmp_path: Path) -> None:
    checkpoint = torch.load(saved, weights_only=True)
    checkpoint["callbacks"][plateau().state_key]["optimizers"][0]["steps"] = 1000
    torch.save(checkpoint, tmp_path / "changed.ckpt")
    with pytest.warns(
        UserWarning, match="optimizer 0 has taken 1,000 steps, more than the 12 that the checkpoint knows"
    ):
        fit(plateau(), Logging(), max_epochs=2, ckpt_path=tmp_path / "changed.ckpt")


def test_what_a_callback_saves_is_right(saved: Path) -> None:
    state = torch.load(saved, weights_only=True)["callbacks"][plateau().state_key]
    callback = plateau()
    callback.load_state_dict(copy.deepcopy(state))
    assert callback.state_dict() == state


def adam(module: Line) -> torch.optim.Optimizer:
    return RecordingSGD(module.parameters(), lr=0.1)


MEASURED = {
    "critical": lambda: LearningRateWarmup(16, warmup_initial_lr="critical"),
    "catapult": lambda: LearningRateWarmup(PersistentCatapultWarmup(max_steps=8)),
    "line search": lambda: LearningRateWarmup(LineSearchWarmup(4)),
}


@pytest.mark.parametrize(
    ("first", "then"), [("critical", "catapult"), ("catapult", "line search"), ("line search", "critical")]
)
def test_another_measurement_starts_anew(first: str, then: str, tmp_path: Path, messages: list[str]) -> None:
    fit([MEASURED[first](), SaveEveryBatch(tmp_path)], Line(adam), max_epochs=2)
    messages.clear()
    used = fit(MEASURED[then](), Line(adam), max_epochs=2, ckpt_path=tmp_path / "3.ckpt").used
    assert sum("the checkpoint knows of another measurement than" in line for line in messages) == 1
    assert len(used) == 17
    assert all(0 < lr <= 0.1 for lr in used)
