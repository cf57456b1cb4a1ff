"""Line-search warmup where the run does not go its straight way."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import (
    Callback,
    GradientAccumulationScheduler,
    StochasticWeightAveraging,
)
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from checkpoints import SaveEveryBatch
from lightning_warmup import CriticalLearningRateMonitor, LearningRateWarmup, LineSearchWarmup, PersistentCatapultWarmup
from lightning_warmup.critical.line_search import _LineSearch
from lightning_warmup.training.last_moment import at_the_last_moment
from overflows import Overflows, scaled
from runs import Line, RecordingSGD, fit, loader, trainer
from searches import Bowl, Valley, at_work, given_up, search

pytestmark = [
    pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended"),
    pytest.mark.filterwarnings("ignore:.training_step. returned .None."),
]


def adaptive(path: Path, callback: LearningRateWarmup) -> dict[str, Any]:
    checkpoint: dict[str, Any] = torch.load(path, weights_only=True)
    state: dict[str, Any] = checkpoint["callbacks"][callback.state_key]
    return state


# --- one that has the whole run --------------------------------------------------------------------------------------


@given_up
@pytest.mark.parametrize(
    ("callback", "settings"),
    [
        (search("25%", "cosine"), {"max_epochs": 4}),
        (search(3, "cosine", max_steps=40), {"max_epochs": 4}),
        (LearningRateWarmup(LineSearchWarmup(3), "cosine", total="12 steps"), {"max_epochs": 4}),
        (search(1, "cosine"), {"fast_dev_run": 4}),
    ],
    ids=str,
)
def test_it_may_take_all_of_the_run(callback: LearningRateWarmup, settings: dict[str, Any]) -> None:
    used = fit(callback, Bowl(8.0), **settings).used
    assert len(used) == settings.get("fast_dev_run", 40)
    assert 0 < max(used) < 8


def test_one_that_may_take_all_of_the_run_and_does_not() -> None:
    used = fit(search("25%"), Bowl(0.1), max_epochs=4).used
    assert used[9:] == pytest.approx([0.1 * 10 / 11, *(0.1 * (40 - t) / 30 for t in range(10, 40))])


def test_one_that_may_take_all_of_the_run_can_be_drawn() -> None:
    _, axes = search("25%").plot(1.0, total_steps=40)
    assert "the range it can take" in axes.get_title()


# --- whose batch it is tried on --------------------------------------------------------------------------------------


class Notes:
    """What a trial step leaves alone: it puts back the lists of a module, but looks into no objects."""

    def __init__(self) -> None:
        self.steps: list[list[Any]] = []


class Drawn(Line):
    """Changes its batch and draws random numbers before and in ``training_step``, and keeps what that sees."""

    def __init__(self) -> None:
        super().__init__(lambda m: RecordingSGD(m.parameters(), lr=0.1))
        self.seen = Notes()

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        batch[0].add_(torch.rand(1))

    def loss(self, batch: Any) -> torch.Tensor:
        noise = torch.rand(1)
        self.seen.steps[-1].append(float(batch[0][0, 0] + noise))
        batch[0].mul_(2)
        return super().loss(batch) + noise.sum()


class NewStep(Callback):
    """Comes after ours, changes the batch too, and begins a list of what the step's forwards see."""

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        batch[0].sub_(torch.rand(1) / 2)
        pl_module.seen.steps.append([])


@pytest.mark.parametrize(
    "callbacks",
    [
        [search(3, None, max_rise=99.0)],
        [LearningRateWarmup(PersistentCatapultWarmup(max_steps=4))],
        [LearningRateWarmup(5, warmup_initial_lr="critical")],
        [CriticalLearningRateMonitor(1)],
        [CriticalLearningRateMonitor(1), search(3, None, max_rise=99.0), CriticalLearningRateMonitor(2)],
    ],
    ids=str,
)
def test_every_forward_of_a_step_sees_the_same(callbacks: list[Callback]) -> None:
    module = Drawn()
    run = trainer(*callbacks, NewStep(), max_epochs=2)
    kind = type(run.strategy)
    run.fit(module, loader(10))
    assert any(len(seen) > 1 for seen in module.seen.steps)
    for seen in module.seen.steps:
        assert len(set(seen)) == 1
    assert len({seen[0] for seen in module.seen.steps}) == 20
    assert run.strategy.training_step.__func__ is kind.training_step  # type: ignore[attr-defined]


def test_a_batch_that_is_skipped_leaves_nothing_behind() -> None:
    class Skips(Bowl):
        def on_train_batch_start(self, batch: Any, batch_idx: int) -> int | None:
            return -1 if batch_idx == 4 else None

    module = Skips(0.1)
    callbacks = [search(12), CriticalLearningRateMonitor(1)]
    run = trainer(*callbacks, max_epochs=10)
    run.fit(module, loader(10))
    assert module.used[:40] == pytest.approx(LearningRateWarmup(12, "linear").values(0.1, total_steps=100)[:40])
    assert "training_step" not in vars(run.strategy)


# --- several micro-batches in a step ---------------------------------------------------------------------------------


class Accumulates(Callback):
    """From a batch on, as somebody's own callback may have it."""

    def __init__(self, batch: int) -> None:
        self.batch = batch

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx == self.batch:
            trainer.accumulate_grad_batches = 2


@pytest.mark.parametrize("scheduling", [{0: 2}, {0: 1, 1: 5}, {0: 1, 2: 5}], ids=str)
@pytest.mark.parametrize(
    "callback",
    [search(8, max_steps=22), LearningRateWarmup(PersistentCatapultWarmup(max_steps=21))],
    ids=["search", "catapult"],
)
def test_accumulation_that_begins_in_the_search_is_refused(callback: Any, scheduling: dict[int, int]) -> None:
    with pytest.raises(MisconfigurationException, match=r"with GradientAccumulationScheduler\(\{0: .*micro-batches"):
        fit([callback, GradientAccumulationScheduler(scheduling)], Bowl(0.1), max_epochs=30)


def test_accumulation_that_begins_after_the_search() -> None:
    for callback in (search(2), LearningRateWarmup(PersistentCatapultWarmup(max_steps=9))):
        module = fit([callback, GradientAccumulationScheduler({0: 1, 1: 2})], Bowl(0.1), max_epochs=4)
        assert len(module.used) == 10 + 3 * 5


@pytest.mark.parametrize(
    "callback", [search(3, None, max_steps=20), LearningRateWarmup(PersistentCatapultWarmup(max_steps=20))], ids=str
)
def test_skipped_steps_bring_accumulation_nearer_and_stop_nothing_that_is_over_by_then(callback: Any) -> None:
    """At the start there are 20 batches for 20 steps; then a GradScaler skips some."""
    scheduler = GradientAccumulationScheduler({0: 1, 2: 2})
    module = Overflows(lambda m: RecordingSGD(m.parameters(), lr=1e-3))
    fit([callback, scheduler], module, max_epochs=8, plugins=[scaled()])
    assert callback.warmup_steps < 10


def test_a_monitor_refuses_accumulation_whenever_it_begins() -> None:
    with pytest.raises(MisconfigurationException, match=r"GradientAccumulationScheduler\(\{0: 1, 3: 2\}\)"):
        fit([CriticalLearningRateMonitor(), GradientAccumulationScheduler({0: 1, 3: 2})], Bowl(0.1), max_epochs=4)


def test_accumulation_that_somebody_sets_on_the_way_stops_the_search() -> None:
    message = "cannot try its steps here: with accumulate_grad_batches=2"
    with pytest.raises(MisconfigurationException, match=message):
        fit([search(8, None), Accumulates(3)], Bowl(0.1), max_epochs=8)
    fit([search(2, None), Accumulates(5)], Bowl(0.1), max_epochs=4)  # it is over then


# --- a run that ends within a step -----------------------------------------------------------------------------------


class Dies(Callback):
    """In a step that has been tried, but not taken."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        if trainer.global_step == self.step:
            at_the_last_moment(pl_module, self.die, last=True)

    def die(self) -> None:
        raise RuntimeError("killed")


class SaveOnException(Callback):
    def __init__(self, path: Path) -> None:
        self.path = path

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        trainer.save_checkpoint(self.path)


CATAPULT = LearningRateWarmup(PersistentCatapultWarmup(max_steps=10), "linear")


@given_up
@pytest.mark.parametrize(
    ("callback", "make"),
    [
        (search(3), partial(Bowl, 8.0, RecordingSGD)),
        (search(3), partial(Bowl, 8.0, torch.optim.Adam)),
        (CATAPULT, partial(Valley, 3.0)),
    ],
    ids=["sgd", "adam", "catapult"],
)
@pytest.mark.parametrize(
    ("step", "saved"), [(0, "before ours"), (3, "after ours"), (9, "before ours"), (11, "after ours")]
)
def test_a_kill_within_a_step(callback: Any, make: Any, step: int, saved: str, tmp_path: Path) -> None:
    """Of what was tried before the step that was not taken, nothing counts twice."""

    def at_the_end(path: Path, **arguments: Any) -> tuple[Any, Any]:
        module = make()
        fit([callback, SaveEveryBatch(path)], module, max_epochs=2, **arguments)
        last = max(path.iterdir(), key=lambda saved: int(saved.stem))
        return adaptive(last, callback)["adaptive"], [parameter.tolist() for parameter in module.parameters()]

    whole = at_the_end(tmp_path / "whole")
    path = tmp_path / "killed.ckpt"
    callbacks = [callback, Dies(step)]
    callbacks.insert(0 if saved == "before ours" else 2, SaveOnException(path))
    with pytest.raises(RuntimeError, match="killed"):
        fit(callbacks, make(), max_epochs=2)
    killed = adaptive(path, callback)
    assert killed["optimizers"][0]["steps"] == step
    if step:
        assert killed["adaptive"] == adaptive(tmp_path / "whole" / f"{step}.ckpt", callback)["adaptive"]
    assert at_the_end(tmp_path / "resumed", ckpt_path=path) == whole


def test_a_step_that_comes_to_nothing_and_is_taken_again() -> None:
    run, other = at_work(), at_work()
    for t in (0, 1, 1, 2, 2, 2):
        run.search(t, lambda c: (1 - 8 * c) ** 2, 1.0, momentum=False)
    for t in (0, 1, 2):
        other.search(t, lambda c: (1 - 8 * c) ** 2, 1.0, momentum=False)
    assert run.state(3) == other.state(3)
    assert run.state(2) != run.state(3)


# --- one that could try nothing --------------------------------------------------------------------------------------


class Without(Bowl):
    """Has no loss in the steps of ``without``."""

    def __init__(self, lr: float, without: range) -> None:
        super().__init__(lr, RecordingSGD)
        self.without = without

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        return None if self.global_step in self.without else super().training_step(batch, batch_idx)


def test_no_loss_at_all_is_a_linear_warmup_and_said() -> None:
    with pytest.warns(
        UserWarning, match=r"of the 12 steps of the search none could be tried.*It was LinearWarmup\(3\)"
    ):
        used = fit(search(3), Without(0.8, range(40)), max_epochs=4).used
    assert used == pytest.approx([0.2, 0.4, 0.6, *[0.8] * 9, *(0.8 * (40 - t) / 28 for t in range(12, 40))])


def test_of_a_second_half_without_a_loss_the_last_that_was_tried_is_held() -> None:
    module = Without(8.0, range(5, 12))
    with pytest.warns(UserWarning, match="was not reached in 12 steps"):
        used = fit(search(3, None), module, max_epochs=2).used
    assert used[12:] == pytest.approx([used[4]] * 8)


@given_up
def test_after_a_last_step_without_a_loss_everybody_is_shown_what_is_held(tmp_path: Path) -> None:
    class Shown(Callback):
        def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
            pl_module.shown = [*getattr(pl_module, "shown", []), trainer.optimizers[0].param_groups[0]["lr"]]

    module = Without(8.0, range(11, 12))
    fit([search(3, None), Shown(), SaveEveryBatch(tmp_path)], module, max_epochs=2)
    assert module.shown[11] == module.used[12]
    assert 0 < module.used[12] < module.used[11]
    state = adaptive(tmp_path / "12.ckpt", search(3, None))
    assert state["next"][0] == module.used[12]
    resumed = fit(search(3, None), Without(8.0, range(11, 12)), max_epochs=2, ckpt_path=tmp_path / "12.ckpt")
    assert resumed.used == module.used[12:]


class AtTheStart(Callback):
    """The rate that stands there when training starts, before the first batch."""

    def on_train_start(self, trainer: Any, *_: Any) -> None:
        self.lr = trainer.optimizers[0].param_groups[0]["lr"]


def test_a_checkpoint_without_a_search_that_is_past_it(tmp_path: Path, messages: list[str]) -> None:
    whole = fit([LearningRateWarmup(3, "linear"), SaveEveryBatch(tmp_path)], Bowl(0.1), max_epochs=4).used
    for batch in (12, 20):
        messages.clear()
        start = AtTheStart()
        resumed = fit([search(3), start], Bowl(0.1), max_epochs=4, ckpt_path=tmp_path / f"{batch}.ckpt")
        assert [start.lr, *resumed.used] == [whole[batch], *whole[batch:]]
        assert sum("knows of no line search" in line for line in messages) == 1
    # Where it is not past it, it begins with what a linear warmup has there.
    assert fit(search(3), Bowl(0.1), max_epochs=4, ckpt_path=tmp_path / "2.ckpt").used == pytest.approx(whole[2:])


@pytest.mark.filterwarnings("ignore:Swapping scheduler")
def test_under_swa_nothing_is_tried(messages: list[str]) -> None:
    module = Bowl(8.0)
    fit([search(3), StochasticWeightAveraging(swa_lrs=8.0, swa_epoch_start=1)], module, max_epochs=4)
    assert any("StochasticWeightAveraging sets the lr from epoch" in line for line in messages)
    assert not any("line search reached" in line for line in messages)


# --- a run of another length, and groups that come late --------------------------------------------------------------


def test_the_second_half_of_a_longer_run_is_its_own() -> None:
    def tried(run: _LineSearch, steps: range, highest: float) -> _LineSearch:
        for t in steps:
            if run.due(t):
                run.search(t, lambda c: float(c > highest), 0.5, momentum=True)
        return run

    first = tried(at_work(duration=3, max_steps=12), range(10), 0.8)
    assert first.state(10)["late_steps"] == 4
    longer = tried(at_work(duration=3, max_steps=40, state=first.state(10)), range(10, 40), 0.4)
    assert longer.state(40)["late_steps"] == 20
    assert 0.2 <= longer.held <= 0.4


@pytest.mark.filterwarnings("ignore:.*came after training began")
def test_a_late_group_is_tried_at_what_it_takes() -> None:
    """The second group comes at step 2, and its own warmup is over at step 8."""

    class Late(Bowl):
        def __init__(self) -> None:
            super().__init__(1.5, RecordingSGD)
            self.other = torch.nn.Parameter(torch.tensor(1.0, dtype=torch.float64))

        def loss(self, batch: Any) -> torch.Tensor:
            return (self.theta.square() + self.other.square()) / 2

        def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
            if self.global_step == 2:
                self.trainer.optimizers[0].add_param_group({"params": [self.other], "lr": 1.5})

        def training_step(self, batch: Any, batch_idx: int) -> Any:
            loss = super().training_step(batch, batch_idx)
            if not torch.is_grad_enabled():
                self.tried.steps[-1].append([self.theta.item(), self.other.item()])
            return loss

        def on_train_batch_end(self, *_: Any) -> None:
            self.taken.append([self.theta.item(), self.other.item()])
            self.tried.steps.append([])

    module = Late()
    module.tried, module.taken = Notes(), []
    module.tried.steps.append([])
    shape = LineSearchWarmup(12, max_rise=99.0)
    fit(LearningRateWarmup(shape, None, late_group_warmup=6), module, max_epochs=6)
    tried = [step[-1] for step in module.tried.steps if step]
    assert len(tried) == 13
    for a, b in zip(tried, module.taken, strict=False):
        assert a == pytest.approx(b, rel=1e-12)
