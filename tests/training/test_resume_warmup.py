"""``resume_warmup``: from what the checkpoint would have used to the new plan, and exactly so when resumed again.

Nothing is resumed twice at an epoch's last batch: Lightning takes some steps again there, or leaves some out.
"""

import math
import pickle
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from checkpoints import SaveEveryBatch
from lightning_warmup import (
    ConstantWarmup,
    CosineDecay,
    CosineWarmup,
    ExponentialWarmup,
    HyperparameterWarmup,
    LearningRateWarmup,
    PersistentCatapultWarmup,
    RAdamWarmup,
)
from lightning_warmup.schedule.resumed import Ramp
from lightning_warmup.schedule.warmups import LinearWarmup, Warmup
from runs import Line, RecordingSGD, fit

pytestmark = [
    pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended"),
    # A warning that a ramp should have taken the place of is a failure.
    pytest.mark.filterwarnings("error:.*where the (checkpoint's )?plan had"),
]

BATCHES = 5


def momentum(module: Line) -> Any:
    return RecordingSGD(module.parameters(), lr=module.lr, momentum=0.9)


def callback(**kwargs: Any) -> LearningRateWarmup:
    return LearningRateWarmup(**{"warmup": 3, "decay": "cosine", "resume_warmup": 6, **kwargs})


def run(
    callbacks: Any, folder: Path | None, epochs: int, ckpt_path: Path | None = None, configure: Any = momentum
) -> list[float]:
    ours = callbacks if isinstance(callbacks, list) else [callbacks]
    saves = [] if folder is None else [SaveEveryBatch(folder)]
    module = Line(configure)
    settings = {"max_epochs": epochs, "batches": BATCHES, "ckpt_path": ckpt_path}
    return fit([*ours, *saves], module, **settings).used


def ramped(then: float, new: list[float], s: int, length: int, shape: Warmup | None = None) -> list[float]:
    """The formula, step by step: what the steps from s on use."""
    weight = (shape or LinearWarmup(length)).weight
    return [then + (new[t] - then) * weight((t - s) / length) if t < s + length else new[t] for t in range(s, len(new))]


@pytest.mark.parametrize(
    "changed",
    [
        {},
        *(
            pytest.param(other, marks=pytest.mark.slow)
            for other in (
                {"target_lr": 0.1},
                {"decay": "linear"},
                {"resume_warmup": CosineWarmup(4)},
                {"resume_warmup": "10%"},
            )
        ),
    ],
    ids=str,
)
def test_from_every_step_and_again_from_every_step_of_that(changed: dict[str, Any], tmp_path: Path) -> None:
    """Steps of 4 epochs, resumed into 6, and each of those resumed again, unchanged: in the ramp, before and after."""
    old = callback().values(0.1, total_steps=20)
    assert run(callback(), tmp_path, 4) == old
    now = callback(**changed)
    new = now.values(0.1, total_steps=30)
    length = {"10%": 3}.get(str(now.config.resume_warmup), getattr(now.config.resume_warmup, "duration", 6))
    shape = now.config.resume_warmup if isinstance(now.config.resume_warmup, Warmup) else None
    for s in range(1, 20):
        used = run(now, tmp_path / "again", 6, tmp_path / f"{s}.ckpt")
        expected = new[s:] if math.isclose(new[s], old[s], rel_tol=1e-9) else ramped(old[s], new, s, length, shape)
        assert used == expected, s
        if s in (1, 6, 11, 16, 19):
            for more in range(1, 30 - s):
                again = run(now, None, 6, tmp_path / "again" / f"{more}.ckpt")
                assert again == used[more:], (s, more)


@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_an_unchanged_plan_is_what_it_was(interval: Any, tmp_path: Path) -> None:
    whole = run(callback(interval=interval, resume_warmup=1), tmp_path, 5)
    assert whole == run(callback(interval=interval, resume_warmup=0), None, 5)
    for s in range(1, 25):  # from every step, and near the end too, where a ramp would have no room
        assert run(callback(interval=interval, resume_warmup=3), None, 5, tmp_path / f"{s}.ckpt") == whole[s:]


def test_by_epoch_from_every_step(tmp_path: Path) -> None:
    """What is left of the epoch under way stays as it was; each epoch from there on is a step of the ramp."""
    old = run(callback(interval="epoch", warmup=1), tmp_path, 4)
    now = callback(interval="epoch", warmup=1, resume_warmup=3)
    new = now.values(0.1, total_steps=40, steps_per_epoch=BATCHES)
    for s in range(1, 20):
        used = run(now, tmp_path / "again", 8, tmp_path / f"{s}.ckpt")
        epoch, then = s // BATCHES, old[s]
        expected = new[s:]
        if then != new[s]:
            weights = [min(1, (t // BATCHES - epoch) / 3) for t in range(s, 40)]
            expected = [
                then + (value - then) * weight if weight < 1 else value
                for value, weight in zip(new[s:], weights, strict=True)
            ]
        assert used == expected, s
        if s in (7, 12):
            for more in range(1, 40 - s):
                assert run(now, None, 8, tmp_path / "again" / f"{more}.ckpt") == used[more:], (s, more)


def test_again_into_another_run_starts_from_the_value_then(tmp_path: Path) -> None:
    old = run(callback(), tmp_path, 4)
    first = run(callback(), tmp_path / "again", 6, tmp_path / "11.ckpt")
    new = callback().values(0.1, total_steps=45)
    for more in range(1, 6):
        third = run(callback(), None, 9, tmp_path / "again" / f"{more}.ckpt")
        assert third == ramped(first[more], new, 11 + more, 6)
    assert first == ramped(old[11], callback().values(0.1, total_steps=30), 11, 6)


def test_one_line_in_place_of_the_warning(tmp_path: Path, messages: list[str]) -> None:
    old = run(callback(), tmp_path, 4)
    new = callback().values(0.1, total_steps=30)
    messages.clear()
    run(callback(), tmp_path / "again", 6, tmp_path / "11.ckpt")
    told = [line for line in messages if "resume_warmup" in line]
    assert told == [
        f"LearningRateWarmup(resume_warmup=6): lr goes from {old[11]:.4g} at step 11, the checkpoint's plan, to"
        f" {new[17]:.4g} at step 17, over 6 steps."
    ]
    messages.clear()
    run(callback(), None, 6, tmp_path / "again" / "2.ckpt")
    assert [line for line in messages if "resume_warmup" in line] == told
    messages.clear()
    run(callback(), None, 6, tmp_path / "again" / "6.ckpt")
    assert not [line for line in messages if "resume_warmup" in line]


@pytest.mark.filterwarnings("default:.*where the checkpoint's plan had")
def test_a_ramp_that_is_given_up_is_told(tmp_path: Path) -> None:
    run(callback(), tmp_path, 4)
    used = run(callback(), tmp_path / "again", 6, tmp_path / "11.ckpt")
    new = callback().values(0.1, total_steps=30)
    match = f"lr is {new[13]:.4g} at step 13, where the checkpoint's plan had {used[2]:.4g}"
    with pytest.warns(UserWarning, match=match):
        rest = run(callback(resume_warmup=0), None, 6, tmp_path / "again" / "2.ckpt")
    assert rest == new[13:]


# --- what the checkpoint lacks ---------------------------------------------------------------------------------------


def edited(path: Path, edit: Any) -> Path:
    checkpoint = torch.load(path, weights_only=False)
    edit(checkpoint)
    torch.save(checkpoint, path.with_suffix(".edited"))
    return path.with_suffix(".edited")


class Adam(torch.optim.Adam):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.used: list[float] = []

    def step(self, closure: Any = None) -> Any:
        result = super().step(closure)
        self.used.append(self.param_groups[0]["lr"])
        return result

    def lrs(self) -> list[float]:
        return self.used


def adam(module: Line) -> Any:
    return Adam(module.parameters(), lr=module.lr)


def no_states(checkpoint: dict[str, Any]) -> None:
    checkpoint["optimizer_states"] = []


def empty_states(checkpoint: dict[str, Any]) -> None:
    for state in checkpoint["optimizer_states"]:
        state["state"] = {}


@pytest.mark.parametrize("lose", [no_states, empty_states])
@pytest.mark.parametrize("epochs", [4, 6])
def test_a_fresh_adam_is_warmed_up(lose: Any, epochs: int, tmp_path: Path) -> None:
    run(callback(), tmp_path, 4, configure=adam)
    path = edited(tmp_path / "8.ckpt", lose)
    new = callback().values(0.1, total_steps=5 * epochs)
    used = run(callback(), tmp_path / "again", epochs, path, adam)
    assert used == ramped(new[8] / 7, new, 8, 6)
    for more in range(1, 5 * epochs - 8):
        assert run(callback(), None, epochs, tmp_path / "again" / f"{more}.ckpt", adam) == used[more:], more


@pytest.mark.filterwarnings("default:.*where the checkpoint's plan had")
def test_without_resume_warmup_a_fresh_adam_is_as_ever(tmp_path: Path) -> None:
    whole = run(callback(resume_warmup=0), tmp_path, 4, configure=adam)
    assert run(callback(resume_warmup=0), None, 4, edited(tmp_path / "8.ckpt", no_states), adam) == whole[8:]


def test_a_checkpoint_without_the_callback(tmp_path: Path, messages: list[str]) -> None:
    run([], tmp_path, 4)
    new = callback().values(0.1, total_steps=20)
    messages.clear()
    used = run(callback(), tmp_path / "again", 4, tmp_path / "8.ckpt")
    assert used == ramped(new[8] / 7, new, 8, 6)
    assert f"lr goes from {new[8] / 7:.4g} at step 8, 1/7 of this plan, to" in "".join(messages)
    for more in range(1, 12):
        assert run(callback(), None, 4, tmp_path / "again" / f"{more}.ckpt") == used[more:]


def test_a_state_that_has_the_first_groups_value_only(tmp_path: Path) -> None:
    """As versions have it that were before this one."""
    old = run(callback(), tmp_path, 4, configure=groups)
    path = edited(tmp_path / "8.ckpt", lambda c: c["callbacks"][callback().state_key].pop("plans"))
    new = callback().values(0.1, total_steps=30)
    used = every_group(callback(), 6, path)
    assert [row[0] for row in used] == pytest.approx(ramped(old[8], new, 8, 6))
    assert [row[1] for row in used] == pytest.approx(ramped(old[8] / 10, [value / 10 for value in new], 8, 6))


def test_nothing_but_a_ramp(tmp_path: Path) -> None:
    """A constant rate, and an Adam that has lost its state."""
    run([], tmp_path, 4, configure=adam)
    path = edited(tmp_path / "8.ckpt", no_states)
    assert run(LearningRateWarmup(resume_warmup=4), None, 4, path, adam) == ramped(0.1 / 5, [0.1] * 20, 8, 4)


# --- groups, optimizers, other parameters ----------------------------------------------------------------------------


def groups(module: Line) -> Any:
    both = [{"params": [module.weight], "name": "a"}, {"params": [module.bias], "lr": module.lr / 10, "name": "b"}]
    return RecordingSGD(both, lr=module.lr, momentum=0.9)


def every_group(ours: Any, epochs: int, ckpt_path: Path | None, folder: Path | None = None) -> list[list[float]]:
    saves = [] if folder is None else [SaveEveryBatch(folder)]
    module = fit([ours, *saves], Line(groups), max_epochs=epochs, batches=BATCHES, ckpt_path=ckpt_path)
    return [[group["lr"] for group in step] for step in module.trainer.optimizers[0].used]


def test_each_group_comes_from_its_own_value(tmp_path: Path) -> None:
    old_start = {"a": 0.0, "b": 0.05}
    old = every_group(callback(warmup=10, warmup_initial_lr=old_start), 4, None, tmp_path)
    now = callback(warmup=2)
    new = now.values({"a": 0.1, "b": 0.01}, total_steps=30)
    for s in (3, 5, 8):
        used = every_group(now, 6, tmp_path / f"{s}.ckpt")
        for i, name in enumerate(("a", "b")):
            assert [row[i] for row in used] == ramped(old[s][i], new[name], s, 6)


class Manual(Line):
    def __init__(self) -> None:
        super().__init__(lambda module: [momentum_of(module.weight), momentum_of(module.bias)])
        self.automatic_optimization = False

    def training_step(self, batch: Any, batch_idx: int) -> None:
        first, second = self.optimizers()
        for optimizer in (first, second, second):
            optimizer.zero_grad()
            self.manual_backward(self.loss(batch))
            optimizer.step()


def momentum_of(parameter: torch.nn.Parameter) -> RecordingSGD:
    return RecordingSGD([parameter], lr=0.1, momentum=0.9)


def manual(ours: Any, epochs: int, ckpt_path: Path | None, folder: Path | None = None) -> list[list[float]]:
    saves = [] if folder is None else [SaveEveryBatch(folder)]
    module = fit([ours, *saves], Manual(), max_epochs=epochs, batches=BATCHES, ckpt_path=ckpt_path)
    return [optimizer.lrs() for optimizer in module.trainer.optimizers]


@pytest.mark.filterwarnings("ignore:.*the run goes on past the")
def test_several_optimizers_each_by_its_own_count(tmp_path: Path) -> None:
    old = manual(callback(total=20), 4, None, tmp_path)
    new = callback().values(0.1, total_steps=60)
    for batch in range(1, 8):
        used = manual(callback(total=60), 6, tmp_path / f"{batch}.ckpt")
        for i, s in enumerate((batch, 2 * batch)):
            expected = new[s:] if old[i][s] == new[s] else ramped(old[i][s], new, s, 6)
            assert used[i] == expected[: len(used[i])]


@pytest.mark.parametrize("batch", [11, 14, 15, 16])
def test_manual_optimization_by_epoch(batch: int, tmp_path: Path) -> None:
    """Nobody knows how many steps an epoch has, nor to which epoch the next one belongs."""
    now = callback(interval="epoch", warmup=1, resume_warmup=2)
    whole = manual(now, 4, None, tmp_path)
    assert manual(now, 4, tmp_path / f"{batch}.ckpt") == [lrs[k * batch :] for k, lrs in enumerate(whole, 1)]
    new = callback(interval="epoch", warmup=1).values(0.1, total_steps=8, steps_per_epoch=1)
    used = manual(now, 8, tmp_path / f"{batch}.ckpt")[0]
    epoch, then = batch // BATCHES, whole[0][batch]
    values = {t: then + (new[t] - then) * (t - epoch) / 2 if t < epoch + 2 else new[t] for t in range(epoch, 8)}
    assert used == [values[t // BATCHES] for t in range(batch, 40)]


def test_momentum(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"warmup": 2, "initial_value": 0.5, "decay": "linear", "resume_warmup": 4}

    def used(epochs: int, ckpt_path: Path | None = None) -> list[float]:
        callbacks = [HyperparameterWarmup("momentum", **settings), SaveEveryBatch(tmp_path / str(epochs))]
        module = fit(callbacks, Line(momentum), max_epochs=epochs, batches=BATCHES, ckpt_path=ckpt_path)
        return [step[0]["momentum"] for step in module.trainer.optimizers[0].used]

    old = used(2)
    new = HyperparameterWarmup("momentum", **settings).values(0.9, total_steps=20)
    assert used(4, tmp_path / "2" / "7.ckpt") == ramped(old[7], new, 7, 4)


def test_momentum_has_nowhere_to_come_from_without_a_state(tmp_path: Path) -> None:
    run([], tmp_path, 4)
    settings: dict[str, Any] = {"decay": "linear", "resume_warmup": 4}
    callbacks = [HyperparameterWarmup("momentum", **settings)]
    module = fit(callbacks, Line(momentum), max_epochs=4, batches=BATCHES, ckpt_path=tmp_path / "8.ckpt")
    new = HyperparameterWarmup("momentum", decay="linear").values(0.9, total_steps=20)
    assert [step[0]["momentum"] for step in module.trainer.optimizers[0].used] == new[8:]


def test_a_group_that_comes_in_mid_ramp_follows_in_proportion(tmp_path: Path) -> None:
    import lightning.pytorch as pl

    class Adds(pl.Callback):
        def on_train_batch_end(
            self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int
        ) -> None:
            optimizer = trainer.optimizers[0]
            if trainer.global_step == 12 and len(optimizer.param_groups) == 1:
                lr = optimizer.param_groups[0]["lr"] / 4
                optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr})

    run(callback(), tmp_path, 4)
    with pytest.warns(UserWarning, match="came after training began"):
        module = fit([Adds(), callback()], Line(momentum), max_epochs=6, batches=5, ckpt_path=tmp_path / "10.ckpt")
    rows = [[group["lr"] for group in step] for step in module.trainer.optimizers[0].used]
    assert [row[0] for row in rows] == run(callback(), None, 6, tmp_path / "10.ckpt")
    assert [row[1] for row in rows[3:]] == pytest.approx([row[0] / 4 for row in rows[3:]])


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (-1, r"resume_warmup=-1\) is not a duration"),
        (1.5, r"resume_warmup=1.5\): a float is a share"),
        (True, r"resume_warmup=True\) is not a duration"),
        ("5 bananas", r"resume_warmup='5 bananas'\) is not a duration"),
        (None, r"resume_warmup=None\) is not a duration"),
        ("radam", r"resume_warmup='radam'\): that warmup has no length of its own. Give a duration"),
        ("catapult", r"resume_warmup='catapult'\): that warmup has no length of its own"),
        (RAdamWarmup(), r"resume_warmup=RAdamWarmup\(\)\): that warmup has no length of its own"),
        ("2 minutes", r"resume_warmup='2 minutes'\) is a time, and this run is not planned by the clock"),
        (CosineWarmup("2 minutes"), r"resume_warmup=CosineWarmup\(duration='2 minutes'\)\) is a time"),
        (PersistentCatapultWarmup(), r"resume_warmup=PersistentCatapultWarmup\(.*\): that warmup has no length"),
    ],
)
def test_what_is_no_length(value: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        LearningRateWarmup(5, resume_warmup=value)
    with pytest.raises(ValueError, match=says.replace("LearningRate", "Hyperparameter")):
        HyperparameterWarmup("momentum", decay="cosine", resume_warmup=value)


def test_a_warmup_that_is_measured_has_none() -> None:
    with pytest.raises(ValueError, match="a warmup that is measured goes on measuring on a resume"):
        LearningRateWarmup("catapult", resume_warmup=5)


def test_longer_than_what_is_left(tmp_path: Path) -> None:
    run(callback(), tmp_path, 4)
    match = (
        r"LearningRateWarmup\(resume_warmup=25\): 25 steps from step 10 on are more than the 20 that are left of this"
        r" run's 30. Shorten resume_warmup, train longer"
    )
    with pytest.raises(ValueError, match=match):
        run(callback(resume_warmup=25), None, 6, tmp_path / "10.ckpt")
    assert len(run(callback(resume_warmup=20), None, 6, tmp_path / "10.ckpt")) == 20


def test_equal_ratios_need_a_value(tmp_path: Path) -> None:
    run(callback(), tmp_path, 4)
    now = callback(resume_warmup=ExponentialWarmup(6))
    used = run(now, None, 6, tmp_path / "10.ckpt")
    old, new = callback().values(0.1, total_steps=20), callback().values(0.1, total_steps=30)
    assert used[3] == pytest.approx(math.sqrt(old[10] * new[13]))
    run(callback(decay="constant"), tmp_path, 4)
    with pytest.raises(ValueError, match="by equal ratios"):
        run(callback(resume_warmup=ExponentialWarmup(20)), None, 6, tmp_path / "10.ckpt")


def test_a_module_with_its_own_scheduler() -> None:
    def configure(module: Line) -> Any:
        optimizer = momentum(module)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1)]

    with pytest.raises(
        MisconfigurationException, match=r"resume_warmup=6\): the module's own StepLR goes on as it was"
    ):
        run(LearningRateWarmup(3, resume_warmup=6), None, 4, configure=configure)


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda plan: plan.pop("next"), r"\['plans'\]\[0\]\['next'\] is missing"),
        (lambda plan: plan.update(next=[[1, 1.0, ["a"]]]), r"\['next'\] is .*expected lists of an int"),
        (lambda plan: plan.update(next=[[1, 1.0, [0.1, 0.1]]]), r"expected as many values as 'own' has, 1"),
        (lambda plan: plan.update(ramp=[1, 2]), r"\['ramp'\] is \[1, 2\], expected two ints"),
        (lambda plan: plan.update(rest=[1, -2, 1.0]), r"\['rest'\] is .*expected two ints"),
        (lambda plan: plan.update(warmup=0.5), r"\['warmup'\] is 0.5, expected an int"),
    ],
)
def test_a_state_that_is_none(edit: Any, says: str, tmp_path: Path) -> None:
    run(callback(), tmp_path, 1)
    path = edited(tmp_path / "4.ckpt", lambda c: edit(c["callbacks"][callback().state_key]["plans"][0]))
    with pytest.raises(ValueError, match=says):
        run(callback(), None, 1, path)


# --- plain facts -----------------------------------------------------------------------------------------------------


def test_repr_and_pickle() -> None:
    ours = callback(resume_warmup=CosineWarmup("2%"))
    assert repr(ours) == "LearningRateWarmup(3, 'cosine', resume_warmup=CosineWarmup(duration='2%'))"
    assert repr(pickle.loads(pickle.dumps(ours))) == repr(ours)
    assert ours.values(0.1, total_steps=20) == callback(resume_warmup=0).values(0.1, total_steps=20)


@given(
    origin=st.floats(0, 10),
    new=st.lists(st.floats(0, 10), min_size=2, max_size=30),
    shape=st.sampled_from([LinearWarmup, CosineWarmup]),
)
def test_it_begins_where_it_was_and_ends_on_the_plan(origin: float, new: list[float], shape: Any) -> None:
    length = len(new) - 1
    ramp = Ramp(7, length, [origin], shape(length))
    assert ramp.values(7, [new[0]])[0] == origin
    assert ramp.values(7 + length, [new[-1]])[0] == new[-1]
    for t, value in enumerate(new[:-1], 7):
        low, high = sorted([origin, value])
        assert low - 1e-9 <= ramp.values(t, [value])[0] <= high + 1e-9


@given(then=st.floats(1e-6, 10), length=st.integers(1, 50), total=st.integers(60, 200))
def test_no_step_is_larger_than_the_ramps_and_the_plans(then: float, length: int, total: int) -> None:
    """Continuous: each step changes by no more than the plan does, and its part of the way."""
    plan = LearningRateWarmup(5, CosineDecay(0.1)).values(1.0, total_steps=total)
    ramp = Ramp(10, length, [then], LinearWarmup(length))
    values = [then, *(ramp.values(t, [plan[t]])[0] for t in range(11, total))]
    way = max(abs(value - then) for value in plan[10 : 11 + length]) / length
    for t, (before, after) in enumerate(pairwise(values), 10):
        assert abs(after - before) <= abs(plan[t + 1] - plan[t]) + way + 1e-9


def test_a_jump_that_is_asked_for(tmp_path: Path) -> None:
    old = run(callback(), tmp_path, 4)
    new = callback().values(0.1, total_steps=30)
    used = run(callback(resume_warmup=ConstantWarmup(4)), None, 6, tmp_path / "10.ckpt")
    assert used == [old[10]] * 4 + new[14:]
