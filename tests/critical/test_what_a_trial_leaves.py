"""What a trial step must put back, and what it must see: batches, optimizers and hooks of every kind."""

from collections import OrderedDict, UserDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback, GradientAccumulationScheduler, ModelCheckpoint
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch.optim.optimizer import register_optimizer_step_post_hook

from lightning_warmup import (
    CriticalLearningRate,
    CriticalLearningRateMonitor,
    GradientInitializedAdam,
    LearningRateWarmup,
    LineSearchWarmup,
    PersistentCatapultWarmup,
)
from lightning_warmup.critical.snapshot import Snapshot
from runs import Line, RecordingSGD, Stream, fit, loader, trainer
from searches import Bowl, Descent, search

# --- batches ---------------------------------------------------------------------------------------------------------


@dataclass
class Plain:
    x: torch.Tensor


@dataclass(slots=True)
class Slotted:
    x: torch.Tensor


class Strict(OrderedDict[str, Any]):
    """As transformers' ModelOutput: some of dict's methods are not to be used."""

    def update(self, *_: Any, **__: Any) -> None:
        raise TypeError("not of this one")


def doubled(batch: Any) -> torch.Tensor:
    """Change the batch, whatever it is, as a training_step may."""
    if isinstance(batch, dict | UserDict):
        batch["x"] = batch["x"] * 2
        batch["new"] = 1
        return batch.pop("x")
    if isinstance(batch, np.ndarray):
        batch *= 2
        return torch.from_numpy(batch)
    batch.x = batch.x * 2
    return batch.x


KINDS: list[Callable[[torch.Tensor], Any]] = [
    Plain,
    Slotted,
    lambda x: {"x": x},
    lambda x: Strict(x=x),
    lambda x: UserDict(x=x),
    lambda x: x.numpy(),
]


class Doubles(Line):
    def __init__(self) -> None:
        super().__init__(lambda m: RecordingSGD(m.parameters(), lr=0.02))

    def loss(self, batch: Any) -> torch.Tensor:
        return super().loss([doubled(batch).float()])


@pytest.mark.parametrize("make", KINDS, ids=["plain", "slots", "dict", "strict", "UserDict", "array"])
def test_a_batch_that_is_changed_is_as_it_was(make: Callable[[torch.Tensor], Any]) -> None:
    module = Doubles()
    batches = torch.utils.data.DataLoader(range(10), collate_fn=lambda _: make(torch.ones(2, 2)))  # type: ignore[arg-type, var-annotated]
    trainer(search(5, None), max_epochs=2).fit(module, batches)
    assert module.used[:6] == pytest.approx([0.02 * (t + 1) / 6 for t in range(6)])


class Notes(Callback):
    """What later callbacks find in the batch."""

    def __init__(self) -> None:
        self.found: list[tuple[float, float]] = []

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.found.append((float(batch["loss"]), float(outputs["loss"])))


def test_what_the_step_has_written_into_its_batch_stays_there() -> None:
    class Writes(Doubles):
        def loss(self, batch: Any) -> torch.Tensor:
            loss = super().loss(batch)
            batch["loss"] = loss.detach()
            return loss

    notes = Notes()
    batches = torch.utils.data.DataLoader(range(10), collate_fn=lambda _: UserDict(x=torch.ones(2, 2)))  # type: ignore[arg-type, var-annotated]
    trainer(search(5, None), notes, max_epochs=2).fit(Writes(), batches)
    assert len(notes.found) == 20
    assert all(found == of_the_step for found, of_the_step in notes.found)


def test_what_is_remembered_of_an_object() -> None:
    class Holder:
        __slots__ = ("a", "b")

    holder, inside = Holder(), UserDict(n=np.arange(3), rest=[1])
    holder.a = inside
    array = inside["n"]
    before = Snapshot(holder, objects=True)
    array += 1
    inside["rest"].append(2)
    inside.other = inside["new"] = 3  # type: ignore[attr-defined]
    holder.a, holder.b = None, 1
    before.restore()
    assert holder.a is inside
    assert not hasattr(holder, "b")
    assert not hasattr(inside, "other")
    assert dict(inside) == {"n": array, "rest": [1]}
    assert array.tolist() == [0, 1, 2]


# --- optimizers ------------------------------------------------------------------------------------------------------


class Average:
    """A plain object, which does the average itself, as preconditioners do."""

    def __init__(self, like: torch.Tensor) -> None:
        self.value, self.steps = torch.zeros_like(like), 0

    def add(self, gradient: torch.Tensor) -> torch.Tensor:
        self.steps += 1
        self.value = self.value * 0.9 + gradient
        return self.value / self.steps


class OfObjects(Descent):
    """Keeps objects in its state."""

    def direction(self, parameter: Any) -> torch.Tensor:
        average: Average = self.state[parameter].setdefault("average", Average(parameter))
        return average.add(parameter.grad)


@pytest.mark.parametrize(
    ("tries", "does_not"),
    [(CriticalLearningRateMonitor(1), []), (search(5, None, max_rise=99.0), LearningRateWarmup(5))],
    ids=["monitor", "search"],
)
def test_an_optimizer_that_keeps_objects_is_put_back(tries: Any, does_not: Any) -> None:
    weights = []
    for callback in (tries, does_not):
        module = Line(lambda m: OfObjects(m.parameters(), lr=0.1))
        fit(callback, module, max_epochs=2)
        weights.append([parameter.tolist() for parameter in module.parameters()])
    assert weights[0] == weights[1]


class NoneOfTorchs:
    """All that Lightning asks of an optimizer."""

    def __init__(self, parameters: Any) -> None:
        self._inner = torch.optim.SGD(parameters, lr=0.1, momentum=0.9)
        self.param_groups, self.defaults, self.state = self._inner.param_groups, {}, self._inner.state

    def step(self, closure: Any = None) -> Any:
        return self._inner.step(closure)

    def state_dict(self) -> Any:
        return self._inner.state_dict()

    def load_state_dict(self, state_dict: Any) -> None:
        self._inner.load_state_dict(state_dict)

    def zero_grad(self, set_to_none: bool = True) -> None:
        self._inner.zero_grad(set_to_none)


class TwoForwards(torch.optim.SGD):
    """As SAM: a step needs its closure."""

    def step(self, closure: Any) -> Any:  # type: ignore[override]
        loss = closure()
        super().step()
        return loss


MEASURES: list[Any] = [
    search(2),
    LearningRateWarmup(PersistentCatapultWarmup(max_steps=5)),
    LearningRateWarmup(5, warmup_initial_lr="critical"),
    CriticalLearningRateMonitor(),
]


@pytest.mark.parametrize("callback", MEASURES, ids=["search", "catapult", "critical", "monitor"])
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (NoneOfTorchs, "NoneOfTorchs is no torch.optim.Optimizer"),
        (lambda p: TwoForwards(p, lr=0.1), "TwoForwards evaluates the loss several times"),
    ],
)
def test_optimizers_that_cannot_be_tried_are_refused(callback: Any, make: Any, reason: str) -> None:
    with pytest.raises(MisconfigurationException, match=reason):
        fit(callback, Line(lambda m: make(m.parameters())), max_epochs=4)


def test_nobody_hears_of_a_trial() -> None:
    heard: list[Any] = []
    handle = register_optimizer_step_post_hook(lambda *_: heard.append(1))
    try:
        fit(CriticalLearningRateMonitor(1), Line(lambda m: torch.optim.SGD(m.parameters(), lr=0.1)), max_epochs=1)
    finally:
        handle.remove()
    assert len(heard) == 10


# --- hooks that change the gradients ---------------------------------------------------------------------------------


class Scales(Bowl):
    """Makes its gradients ten times as large at the last opportunity but clipping, so the target is ten times off."""

    def on_before_optimizer_step(self, optimizer: Any) -> None:
        self.theta.grad.mul_(10)  # type: ignore[union-attr]


class ScalesLater(Callback):
    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        pl_module.theta.grad.mul_(10)


@pytest.mark.filterwarnings("ignore:.*the target was not reached")
def test_gradients_that_hooks_change_are_those_that_are_tried() -> None:
    whole = fit(search(4, None), Bowl(8.0), max_epochs=3)
    module = fit(search(4, None), Scales(0.8), max_epochs=3)
    assert module.used == pytest.approx([lr / 10 for lr in whole.used])
    assert any(b < a for a, b in zip(module.used, module.used[1:], strict=False))
    later = fit([search(4, None), ScalesLater()], Bowl(0.8), max_epochs=3)
    assert later.used == pytest.approx(module.used)


def test_gradients_that_hooks_change_are_gi_adams_first() -> None:
    """After the first step v is g0², where g0 is what the hook has made of the gradient: 10 θ."""

    class Adam(Scales):
        def configure_optimizers(self) -> Any:
            return torch.optim.Adam([self.theta], lr=0.1)

    module = Adam(0.1)
    fit(GradientInitializedAdam(), module, max_steps=1)
    (state,) = module.trainer.optimizers[0].state.values()
    assert state["exp_avg_sq"].item() == pytest.approx(100.0, rel=1e-12)


def test_the_modules_own_clipping_is_called_once_a_step() -> None:
    class Clips(Bowl):
        clipped = 0

        def configure_gradient_clipping(self, optimizer: Any, *_: Any, **__: Any) -> None:
            Clips.clipped += 1

    module = Clips(0.1)
    fit([CriticalLearningRateMonitor(1), search(2)], module, max_epochs=2)
    assert Clips.clipped == 20
    assert "configure_gradient_clipping" not in vars(module)


@pytest.mark.filterwarnings("ignore:.*the target was not reached")
def test_somebody_else_may_stand_in_for_the_same_hook() -> None:
    """A callback after ours that wraps the module's clipping, for good."""

    class Wraps(Callback):
        calls = 0

        def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
            if Wraps.calls:
                return
            inner = pl_module.configure_gradient_clipping

            def outer(*arguments: Any, **settings: Any) -> None:
                Wraps.calls += 1
                inner(*arguments, **settings)

            pl_module.configure_gradient_clipping = outer

    expected = fit(search(4, None, max_rise=0.0), Bowl(3.0), max_epochs=2).used
    assert fit([search(4, None, max_rise=0.0), Wraps()], Bowl(3.0), max_epochs=2).used == expected
    assert Wraps.calls == 20


def test_a_step_that_raises_leaves_nothing_behind() -> None:
    class Raises(Bowl):
        def on_before_optimizer_step(self, optimizer: Any) -> None:
            if self.global_step == 1:
                raise ArithmeticError("now")

    module = Raises(0.1)
    with pytest.raises(ArithmeticError):
        fit([CriticalLearningRateMonitor(1), search(2)], module, max_epochs=2)
    assert "configure_gradient_clipping" not in vars(module)
    assert "training_step" not in vars(module.trainer.strategy)


# --- several who measure, and runs that change -----------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*the target was not reached")
@pytest.mark.parametrize("first", [True, False])
def test_a_monitor_sees_what_a_search_has_found(first: bool) -> None:
    class Keep(Callback):
        ratios: list[float] = []  # noqa: RUF012

        def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
            self.ratios.append(float(trainer.callback_metrics["warmup/lr_over_critical_lr"]))

    keep = Keep()
    Keep.ratios = []
    callbacks = [CriticalLearningRateMonitor(1), search(4, None, max_rise=0.0)]
    fit([*(callbacks if first else reversed(callbacks)), keep], Bowl(8.0), max_epochs=2)
    assert max(Keep.ratios[:16]) <= 1.07  # the search of the monitor is no finer


class Longer(Callback):
    def on_train_epoch_start(self, trainer: Any, *_: Any) -> None:
        if trainer.current_epoch == 1:
            trainer.fit_loop.max_epochs = 10


@pytest.mark.filterwarnings("ignore:.*It was planned over")
def test_a_run_that_becomes_longer_has_a_longer_search() -> None:
    """Its ramp goes on from the rate taken, and is as steep as that of the longer run."""
    used = fit([LearningRateWarmup(LineSearchWarmup("24%")), Longer()], Bowl(0.1), max_epochs=5).used
    assert used[:10] == pytest.approx([0.1 * (t + 1) / 13 for t in range(10)])
    assert used[10:] == pytest.approx([min(0.1, used[9] + 0.1 * (t + 1) / 25) for t in range(90)])


@pytest.mark.filterwarnings("ignore:.*the plan")
def test_a_run_that_becomes_longer_has_a_longer_critical_start() -> None:
    """As one has that is resumed there."""
    warmup = LearningRateWarmup("24%", warmup_initial_lr=CriticalLearningRate(safety=1e-9, fallback=0.2))
    used = fit([warmup, Longer()], Bowl(0.1), max_epochs=5).used
    assert used[11] - used[10] == pytest.approx(0.1 / 24)


@pytest.mark.parametrize("callback", [search(8), *MEASURES[1:3]], ids=["search", "catapult", "critical"])
def test_accumulation_that_somebody_sets_on_the_way_stops_what_measures(callback: Any) -> None:
    class Accumulates(Callback):
        def on_train_batch_start(self, trainer: Any, *_: Any) -> None:
            trainer.accumulate_grad_batches = 2

    with pytest.raises(MisconfigurationException, match="with accumulate_grad_batches=2"):
        fit([callback, Accumulates()], Bowl(0.1), max_epochs=8)


@pytest.mark.filterwarnings("ignore:Checkpoint directory")
def test_accumulation_to_come_is_reckoned_from_where_a_run_is_resumed(tmp_path: Any) -> None:
    def run(**arguments: Any) -> Any:
        keep = ModelCheckpoint(tmp_path, filename="{epoch}", save_top_k=-1)
        callbacks = [search(10), GradientAccumulationScheduler({0: 1, 4: 2}), keep]
        return fit(callbacks, Bowl(0.1), max_epochs=6, enable_checkpointing=True, **arguments).used

    whole = run()
    for epoch in range(4):
        assert run(ckpt_path=tmp_path / f"epoch={epoch}.ckpt") == whole[10 * (epoch + 1) :]
    with pytest.raises(MisconfigurationException, match=r"GradientAccumulationScheduler\(\{0: 1, 3: 2\}\)"):
        fit([search(10), GradientAccumulationScheduler({0: 1, 3: 2})], Bowl(0.1), max_epochs=9)


def test_a_monitor_on_a_stream_refuses_accumulation_to_come() -> None:
    with pytest.raises(MisconfigurationException, match="GradientAccumulationScheduler"):
        run = trainer(CriticalLearningRateMonitor(), GradientAccumulationScheduler({0: 1, 2: 2}), max_steps=9)
        run.fit(Line(), torch.utils.data.DataLoader(Stream(), batch_size=2))


def test_a_search_that_the_run_ends_says_so() -> None:
    with pytest.warns(UserWarning, match=r"not reached in 40 steps .*, and the run is over; 0\.\d+ of it is what"):
        fit(search(4, max_steps=40), Bowl(8.0), max_epochs=4)


@pytest.mark.parametrize(
    ("warmup", "hold", "message"),
    [
        (LineSearchWarmup(10), 0, r"LineSearchWarmup\(duration=10, .*warmup 40 at most = 40 steps is more than the 30"),
        (LineSearchWarmup("30%"), 0, r"LineSearchWarmup\(duration='30%', .*warmup 36 at most"),
        (LineSearchWarmup(5), 11, r"LineSearchWarmup\(duration=5, .*hold=11\): warmup 20 at most \+ hold 11 = 31"),
    ],
)
def test_a_preview_says_what_training_says(warmup: Any, hold: int, message: str) -> None:
    callback = LearningRateWarmup(warmup, "linear", hold=hold)
    with pytest.raises(ValueError, match=message):
        callback.plot(0.1, total_steps=30)
    with pytest.raises(ValueError, match=message):
        trainer(callback, max_epochs=3).fit(Bowl(0.1), loader(10))
