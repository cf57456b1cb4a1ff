"""Schedulers, optimizers and param groups that come and go in mid-run are followed, or refused, and always told."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from lightning.pytorch.utilities.types import LRSchedulerConfig
from torch.optim.lr_scheduler import CyclicLR, ExponentialLR, LambdaLR, MultiStepLR, StepLR

from checkpoints import SaveEveryBatch
from lightning_warmup import CosineDecay, LearningRateWarmup
from runs import Line, RecordingSGD, fit

pytestmark = pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended")


class At(pl.Callback):
    """Does something at one point of a run."""

    def __init__(self, hook: str, step: int, act: Callable[[pl.Trainer], None]) -> None:
        self.step, self.act, self.done = step, act, False
        setattr(self, hook, self.look)

    def look(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step and not self.done:
            self.done = True
            self.act(trainer)


def adds(make: Callable[[Any], Any], interval: str) -> Callable[[pl.Trainer], None]:
    """Puts a scheduler into the Trainer, as SWA-like callbacks do."""

    def act(trainer: pl.Trainer) -> None:
        scheduler = make(trainer.optimizers[0])
        trainer.strategy.lr_scheduler_configs.append(LRSchedulerConfig(scheduler, interval=interval))

    return act


def both_orders(ours: pl.Callback, other: pl.Callback, first: bool) -> list[pl.Callback]:
    return [ours, other] if first else [other, ours]


# --- schedulers ------------------------------------------------------------------------------------------------------

NEW = r"the module has a MultiStepLR from step 1[01] on; the warmup is a factor on what it gives, 0.1 now"


@pytest.mark.parametrize("hook", ["on_train_epoch_start", "on_train_batch_start"])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_a_scheduler_that_comes_is_composed_with(hook: str, first: bool, interval: Any) -> None:
    """0.1, 0.01, 0.001 are asked for, and that is what the steps use."""
    warmup = LearningRateWarmup(4 if interval == "step" else 1, interval=interval)
    other = At(hook, 10, adds(lambda optimizer: MultiStepLR(optimizer, [1, 2]), "epoch"))
    with pytest.warns(UserWarning, match=NEW):
        used = fit(both_orders(warmup, other, first), max_epochs=4).used
    start = warmup.values(0.1, total_steps=40, steps_per_epoch=10)[:10]
    assert used == pytest.approx(start + [0.1] * 10 + [0.01] * 10 + [0.001] * 10, rel=1e-12)


@pytest.mark.filterwarnings("ignore:LearningRateWarmup. the module has a")
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    "make", [lambda o: ExponentialLR(o, 0.5), lambda o: LambdaLR(o, lambda epoch: 0.5**epoch)], ids=["chain", "closed"]
)
def test_a_scheduler_that_comes_in_mid_warmup(make: Any, first: bool) -> None:
    """It gives what it would have given without the warmup, and the warmup is a factor on that."""
    warmup = LearningRateWarmup(20, warmup_initial_lr=0.0)
    other = At("on_train_batch_start", 13, adds(make, "epoch"))
    used = fit(both_orders(warmup, other, first), max_epochs=4).used
    alone = [0.1] * 20 + [0.05] * 10 + [0.025] * 10
    assert used == pytest.approx([lr * min(1.0, t / 20) for t, lr in enumerate(alone)], rel=1e-12)


@pytest.mark.parametrize("first", [True, False])
def test_a_scheduler_that_writes_when_it_is_made(first: bool) -> None:
    """CyclicLR puts its base rate into the optimizer at once, in mid-epoch: the step under way uses that already."""
    other = At("on_train_batch_start", 7, adds(lambda optimizer: CyclicLR(optimizer, 0.01, 0.05, 4), "step"))
    with pytest.warns(UserWarning, match="the module has a CyclicLR from step 7 on") as caught:
        used = fit(both_orders(LearningRateWarmup(5), other, first), max_epochs=2).used
    assert sum("LearningRateWarmup" in str(warning.message) for warning in caught) == 1
    assert used[7:] == pytest.approx([0.01, 0.02, 0.03, 0.04, 0.05, 0.04, 0.03, 0.02, 0.01, 0.02, 0.03, 0.04, 0.05])


@pytest.mark.filterwarnings("ignore:LearningRateWarmup. the module has a")
@pytest.mark.parametrize("warmup", [3, 20])
def test_a_scheduler_that_steps_before_it_is_seen(warmup: int) -> None:
    """In mid-epoch, every step: its base is not what it has made of it."""
    make = lambda o: LambdaLR(o, lambda e: 1 / (1 + e))  # noqa: E731
    callback = LearningRateWarmup(warmup, warmup_initial_lr=0.0)
    used = fit([callback, At("on_train_batch_start", 13, adds(make, "step"))], max_epochs=4).used
    alone = [0.1] * 13 + [0.1 / (1 + e) for e in range(27)]
    assert used == pytest.approx([lr * min(1.0, t / warmup) for t, lr in enumerate(alone)], rel=1e-12)


@pytest.mark.filterwarnings("ignore:LearningRateWarmup. the module has a")
def test_a_scheduler_in_the_place_of_another() -> None:
    """As finetuning-scheduler's new_lr_scheduler: from its phase on, what the new one gives."""

    def configure(module: Line) -> Any:
        optimizer = RecordingSGD(module.parameters(), lr=0.1)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": StepLR(optimizer, 1, 0.5), "interval": "epoch"}}

    def replace(trainer: pl.Trainer) -> None:
        trainer.optimizers[0].param_groups[0].update(lr=0.4, initial_lr=0.4)
        new = ExponentialLR(trainer.optimizers[0], 0.1)
        trainer.strategy.lr_scheduler_configs = [LRSchedulerConfig(new, interval="epoch")]

    used = fit([LearningRateWarmup(4), At("on_train_epoch_start", 20, replace)], Line(configure), max_epochs=4).used
    expected = [0.02, 0.04, 0.06, 0.08] + [0.1] * 6 + [0.05] * 10 + [0.4] * 10 + [0.04] * 10
    assert used == pytest.approx(expected, rel=1e-12)


def test_a_scheduler_that_comes_beside_a_decay_is_refused() -> None:
    other = At("on_train_epoch_start", 10, adds(lambda optimizer: StepLR(optimizer, 1), "epoch"))
    with pytest.raises(MisconfigurationException, match="the module's own StepLR would both decay"):
        fit([LearningRateWarmup(4, "cosine"), other], max_epochs=3)


@pytest.mark.parametrize("interval", ["step", "epoch"])
@pytest.mark.parametrize("first", [True, False])
def test_a_scheduler_that_comes_is_overridden(first: bool, interval: str) -> None:
    warmup = LearningRateWarmup(4, "cosine", override_module_scheduler=True)
    other = At("on_train_epoch_start", 10, adds(lambda optimizer: StepLR(optimizer, 1), interval))
    with pytest.warns(UserWarning, match="the module has a StepLR from step 10 on; it is without effect"):
        used = fit(both_orders(warmup, other, first), max_epochs=3).used
    assert used == warmup.values(0.1, total_steps=30, steps_per_epoch=10)


# --- optimizers ------------------------------------------------------------------------------------------------------


def replaces(lr: float) -> Callable[[pl.Trainer], None]:
    """Puts another optimizer in the place of the first, as finetuning-scheduler's new_optimizer does."""

    def act(trainer: pl.Trainer) -> None:
        new = RecordingSGD(trainer.lightning_module.parameters(), lr=lr)
        new.used = trainer.optimizers[0].used  # type: ignore[attr-defined]
        trainer.strategy.optimizers = [new]

    return act


@pytest.mark.parametrize("hook", ["on_train_epoch_start", "on_train_batch_start", "on_train_batch_end"])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_an_optimizer_that_comes_goes_on_where_the_schedule_is(hook: str, first: bool, interval: Any) -> None:
    warmup = LearningRateWarmup(2, "cosine", interval=interval)
    with pytest.warns(UserWarning, match="optimizer 0 is another one from step 10 on, with lr=0.2; the schedule"):
        used = fit(both_orders(warmup, At(hook, 10, replaces(0.2)), first), max_epochs=4).used
    before, after = (warmup.values(lr, total_steps=40, steps_per_epoch=10) for lr in (0.1, 0.2))
    assert used == before[:10] + after[10:]


@pytest.mark.filterwarnings("ignore:LearningRateWarmup. optimizer 0 is another one")
def test_an_optimizer_that_comes_beside_a_scheduler_that_is_overridden() -> None:
    def configure(module: Line) -> Any:
        optimizer = RecordingSGD(module.parameters(), lr=0.1)
        return {"optimizer": optimizer, "lr_scheduler": StepLR(optimizer, 1)}

    def act(trainer: pl.Trainer) -> None:
        replaces(0.2)(trainer)
        new = StepLR(trainer.optimizers[0], 1)
        trainer.strategy.lr_scheduler_configs = [LRSchedulerConfig(new)]

    warmup = LearningRateWarmup(4, "cosine", override_module_scheduler=True)
    with pytest.warns(UserWarning, match="the module has a StepLR"):
        used = fit([warmup, At("on_train_epoch_start", 20, act)], Line(configure), max_epochs=4).used
    before, after = (warmup.values(lr, total_steps=40, steps_per_epoch=10) for lr in (0.1, 0.2))
    assert used == before[:20] + after[20:]


@pytest.mark.filterwarnings("ignore:LearningRateWarmup. optimizer 0 is another one")
@pytest.mark.filterwarnings("ignore:LearningRateWarmup. the module has a")
def test_an_optimizer_that_comes_with_a_scheduler_of_its_own() -> None:
    def configure(module: Line) -> Any:
        optimizer = RecordingSGD(module.parameters(), lr=0.1)
        return {"optimizer": optimizer, "lr_scheduler": StepLR(optimizer, 1, 0.5)}

    def act(trainer: pl.Trainer) -> None:
        replaces(0.8)(trainer)
        new = StepLR(trainer.optimizers[0], 1, 0.1)
        trainer.strategy.lr_scheduler_configs = [LRSchedulerConfig(new)]

    warmup = LearningRateWarmup(4)
    used = fit([warmup, At("on_train_epoch_start", 20, act)], Line(configure), max_epochs=4).used
    expected = [0.02, 0.04, 0.06, 0.08] + [0.1] * 6 + [0.05] * 10 + [0.8] * 10 + [0.08] * 10
    assert used == pytest.approx(expected, rel=1e-12)


class Lookahead(torch.optim.Optimizer):
    """A wrapper that leaves out ``super().__init__()``, as many of its kind do."""

    def __init__(self, inner: RecordingSGD) -> None:
        self.inner = inner
        self.param_groups = inner.param_groups
        self.defaults, self.state = inner.defaults, inner.state

    def step(self, closure: Any = None) -> Any:
        return self.inner.step(closure)

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.inner.zero_grad(set_to_none)

    def state_dict(self) -> Any:
        return self.inner.state_dict()

    def load_state_dict(self, state: Any) -> None:
        self.inner.load_state_dict(state)
        self.param_groups = self.inner.param_groups

    def lrs(self) -> list[float]:
        return self.inner.lrs()


@pytest.mark.parametrize("settings", [{}, {"accumulate_grad_batches": 3}], ids=str)
def test_an_optimizer_that_leaves_its_base_out(settings: dict[str, Any], tmp_path: Path) -> None:
    def module() -> Line:
        return Line(lambda m: Lookahead(RecordingSGD(m.parameters(), lr=0.1)))

    warmup = LearningRateWarmup(4, "cosine")
    whole = fit([warmup, SaveEveryBatch(tmp_path)], module(), max_epochs=2, **settings).used
    assert whole == warmup.values(0.1, total_steps=len(whole), steps_per_epoch=len(whole) // 2)
    resumed = fit(warmup, module(), max_epochs=2, ckpt_path=tmp_path / "12.ckpt", **settings).used
    assert resumed == whole[-len(resumed) :]


# --- param groups ----------------------------------------------------------------------------------------------------


def two_groups(module: Line) -> RecordingSGD:
    return RecordingSGD([{"params": [module.weight], "lr": 0.1}, {"params": [module.bias], "lr": 0.3}])


@pytest.mark.parametrize("gone", [0, 1])
def test_a_group_of_the_checkpoint_that_is_there_no_more(gone: int, tmp_path: Path) -> None:
    """finetuning-scheduler goes back to an earlier phase; the module's names of the parameters tell which it was."""
    warmup = LearningRateWarmup(15, "linear", warmup_initial_lr=0.0)
    fit([warmup, SaveEveryBatch(tmp_path)], Line(two_groups), max_epochs=2)
    path = tmp_path / "5.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    # The optimizer's state cannot be loaded with another number of groups: whoever drops one, drops it there as well.
    checkpoint["optimizer_states"][0]["param_groups"].pop(gone)
    torch.save(checkpoint, path)
    for i, group in enumerate(checkpoint["optimizer_states"][0]["param_groups"]):
        group["params"] = [i]
    torch.save(checkpoint, path)
    lr = (0.3, 0.1)[gone]
    module = Line(lambda m: RecordingSGD([[m.bias, m.weight][gone]], lr=lr))
    name = ("weight", "bias")[gone]
    with pytest.warns(UserWarning, match=rf"1 param group\(s\) of the checkpoint are there no more, with {name}"):
        used = fit(warmup, module, max_epochs=2, ckpt_path=path).used
    assert used == warmup.values(lr, total_steps=20, steps_per_epoch=10)[5:]


@pytest.mark.parametrize("gone", [0, 1])
@pytest.mark.parametrize("hook", ["on_train_epoch_start", "on_train_batch_start", "on_train_batch_end"])
def test_a_group_that_goes_in_mid_run(hook: str, gone: int) -> None:
    warmup = LearningRateWarmup(15, "linear", warmup_initial_lr=0.0)

    def act(trainer: pl.Trainer) -> None:
        del trainer.optimizers[0].param_groups[gone]

    module = Line(two_groups)
    with pytest.warns(UserWarning, match=rf"taken from the optimizer at step 10 \(group {gone}\); the others go on"):
        fit([warmup, At(hook, 10, act)], module, max_epochs=3)
    stays = (0.3, 0.1)[gone]
    lrs = [step[-1 if gone == 0 else 0]["lr"] for step in module.trainer.optimizers[0].used]
    assert lrs == warmup.values(stays, total_steps=30, steps_per_epoch=10)


def test_groups_that_are_all_others_are_refused() -> None:
    def act(trainer: pl.Trainer) -> None:
        trainer.optimizers[0].param_groups[:] = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.5}]

    with pytest.raises(MisconfigurationException, match="all of its param groups are others: nothing tells"):
        fit([LearningRateWarmup(5), At("on_train_epoch_start", 10, act)], max_epochs=2)


def test_a_group_that_moves_keeps_its_values() -> None:
    def act(trainer: pl.Trainer) -> None:
        trainer.optimizers[0].param_groups.reverse()

    warmup = LearningRateWarmup(15, CosineDecay(), warmup_initial_lr=0.0)
    module = Line(two_groups)
    fit([warmup, At("on_train_epoch_start", 10, act)], module, max_epochs=3)
    ideal = {lr: warmup.values(lr, total_steps=30, steps_per_epoch=10) for lr in (0.1, 0.3)}
    used = [[group["lr"] for group in step] for step in module.trainer.optimizers[0].used]
    assert [lrs[0] for lrs in used] == ideal[0.1][:10] + ideal[0.3][10:]
    assert [lrs[1] for lrs in used] == ideal[0.3][:10] + ideal[0.1][10:]


def test_a_group_frozen_by_its_rate_stays_frozen() -> None:
    """0.01 → 0 would train it, in the warmup of all things."""
    warmup = LearningRateWarmup(5, "cosine", warmup_initial_lr=0.01)
    module = Line(lambda m: RecordingSGD([{"params": [m.weight], "lr": 0.0}, {"params": [m.bias], "lr": 0.1}]))
    fit(warmup, module, max_epochs=2)
    assert module.used == [0.0] * 20
    assert module.trainer.optimizers[0].lrs(1) == warmup.values(0.1, total_steps=20, steps_per_epoch=10)


# --- a warmup for groups that come late ------------------------------------------------------------------------------


class Unfreezes(pl.Callback):
    """Adds the bias at some step, at half of the rate of the first group; in a resumed run, before it begins."""

    def __init__(self, step: int) -> None:
        self.step = step

    def add(self, trainer: pl.Trainer, lr: float) -> None:
        module: Any = trainer.lightning_module
        trainer.optimizers[0].add_param_group({"params": [module.bias], "lr": lr})

    def on_fit_start(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.ckpt_path is not None and int(Path(str(trainer.ckpt_path)).stem) > self.step:
            self.add(trainer, 0.1)

    def on_train_batch_start(self, trainer: pl.Trainer, module: Any, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == self.step and len(trainer.optimizers[0].param_groups) == 1:
            self.add(trainer, trainer.optimizers[0].param_groups[0]["lr"] / 2)


def frozen(module: Line) -> RecordingSGD:
    return RecordingSGD([module.weight], lr=0.1)


@pytest.mark.filterwarnings("ignore:LearningRateWarmup. 1 param group")
@pytest.mark.parametrize("duration", [5, "0.5 epochs", "12.5%"])
@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_a_late_group_is_warmed_up_from_its_own_first_step(duration: Any, interval: Any, tmp_path: Path) -> None:
    late: Any = "0.5 epochs" if interval == "epoch" else duration
    if interval == "epoch":
        late = 1 if duration == 5 else "2 epochs"
    steps = {1: 10, "2 epochs": 20}.get(late, 5)

    def warmup(**settings: Any) -> LearningRateWarmup:
        return LearningRateWarmup(2, "linear", interval=interval, **settings)

    plain, warmed = (Line(frozen) for _ in range(2))
    fit([warmup(), Unfreezes(13)], plain, max_epochs=4)
    with pytest.warns(UserWarning, match=f"warmed up over their own first {steps} steps"):
        fit([warmup(late_group_warmup=late), Unfreezes(13), SaveEveryBatch(tmp_path)], warmed, max_epochs=4)
    assert warmed.used == plain.used
    without, with_ = ([step[1]["lr"] for step in m.trainer.optimizers[0].used[13:]] for m in (plain, warmed))
    factors = [min(1.0, (k + 1) / (steps + 1)) for k in range(27)]
    assert with_ == pytest.approx([lr * factor for lr, factor in zip(without, factors, strict=True)], rel=1e-12)
    for batch in (14, 16, 19, 25):
        again = Line(frozen)
        callbacks = [Unfreezes(13), warmup(late_group_warmup=late)]
        fit(callbacks, again, max_epochs=4, ckpt_path=tmp_path / f"{batch}.ckpt")
        assert [step[1]["lr"] for step in again.trainer.optimizers[0].used] == with_[batch - 13 :]
