"""A run that is changed on its way: what was run stays what it was, what is left is what this Trainer will still do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import GradientAccumulationScheduler
from torch.utils.data import DataLoader, TensorDataset

from lightning_warmup import (
    CosineDecay,
    DecayPart,
    ExponentialDecay,
    InverseSqrtDecay,
    InverseTimeDecay,
    LearningRateWarmup,
    LinearDecay,
    MultiStepDecay,
    PiecewiseConstantDecay,
    PiecewiseLinearDecay,
    RestartsDecay,
    StepDecay,
)
from runs import Line, fit, fit_stream, loader, trainer

pytestmark = [
    pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended"),
]

EPOCHS, BATCHES = 4, 22
# Of the original run: the batch after which it is cut, None: at the end of the epoch, when all of that is over.
CUTS = [(0, 3), (0, 21), (1, 10), (1, None), (2, 7)]
CHANGES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "batch size × 2": {"batches": 11},
    "batch size ÷ 2": {"batches": 44},
    "batch size × 1.4": {"batches": 16},
    "accumulation 2": {"accumulate_grad_batches": 2},
    "accumulation 3": {"accumulate_grad_batches": 3},
    "limit_train_batches": {"limit_train_batches": 0.5},
    "longer": {"max_epochs": 7},
    "shorter": {"max_epochs": 3},
    "longer in steps": {"max_epochs": -1, "max_steps": 121},
    "shorter in steps": {"max_steps": 79},
    "all at once": {"batches": 31, "accumulate_grad_batches": 2, "max_epochs": 6},
}


class Cuts(pl.Callback):
    """Saves where runs are to be cut, and keeps the epoch of every step."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.epochs: list[int] = []

    def save(self, trainer: pl.Trainer, name: str) -> None:
        if self.folder is not None:
            trainer.save_checkpoint(self.folder / f"{name}.ckpt")

    def on_before_optimizer_step(self, trainer: pl.Trainer, *_: Any) -> None:
        self.epochs.append(trainer.current_epoch)

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.save(trainer, f"{trainer.current_epoch}-{batch_idx}")

    def on_train_epoch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self.save(trainer, f"{trainer.current_epoch}-None")


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run of each schedule, saved at every batch and epoch end."""
    made: dict[str, tuple[Path, list[float]]] = {}

    def of(callback: LearningRateWarmup) -> tuple[Path, list[float]]:
        key = repr(callback._config)
        if key not in made:
            folder = tmp_path_factory.mktemp("cuts")
            made[key] = folder, fit([callback, Cuts(folder)], max_epochs=EPOCHS, batches=BATCHES).used
        return made[key]

    return of


def taken(cut: tuple[int, int | None]) -> int:
    return cut[0] * BATCHES + (BATCHES if cut[1] is None else cut[1] + 1)


SLOW = pytest.mark.slow
# Under way, over, or about to be over at the cuts; all cuts take a minute or two.
WARMUPS = [("25%", CUTS[1:4]), *(pytest.param(warmup, CUTS, marks=SLOW) for warmup in ("3%", "25%", "60%"))]
# Most of the others are parts of "all at once".
SOME_CHANGES = [
    change if change in ("nothing", "shorter", "all at once") else pytest.param(change, marks=SLOW)
    for change in CHANGES
]
EPOCHS_OF_WARMUP = [(2, CUTS[1:4]), *(pytest.param(warmup, CUTS, marks=SLOW) for warmup in (1, 2, 3))]


@pytest.mark.filterwarnings("ignore:LearningRateWarmup. lr is .* where the (checkpoint's )?plan had")
@pytest.mark.parametrize("change", SOME_CHANGES)
@pytest.mark.parametrize(("warmup", "cuts"), WARMUPS)
def test_by_step(checkpoints: Any, warmup: str, cuts: Any, change: str, tmp_path: Path) -> None:
    """The curve of a run of T steps, T being what was taken and what was still to come."""
    callback = LearningRateWarmup(warmup, CosineDecay())
    folder, before = checkpoints(callback)
    for cut in cuts:
        settings = {"max_epochs": EPOCHS, "batches": BATCHES, **CHANGES[change]}
        saves = Cuts(tmp_path / f"{cut}")
        used = fit([callback, saves], ckpt_path=folder / f"{cut[0]}-{cut[1]}.ckpt", **settings).used
        total = taken(cut) + len(used)
        expected = callback.values(0.1, total_steps=total, steps_per_epoch=total)
        assert used == expected[taken(cut) :], cut
        if change == "nothing":
            assert used == before[taken(cut) :]
        for again in sorted(saves.folder.glob("*.ckpt"))[1::17] if saves.folder else []:
            step = torch.load(again, weights_only=True)["global_step"]
            rest = fit(callback, ckpt_path=again, **settings).used
            # Lightning resumes inexactly what it has resumed from an epoch's last batch, or with max_steps: it takes
            # some steps again, or leaves some out. The schedule is that of the steps it takes.
            inexact = cut[1] == BATCHES - 1 or "max_steps" in settings
            assert len(rest) == total - step or inexact, (cut, again.stem)
            expected = callback.values(0.1, total_steps=step + len(rest), steps_per_epoch=total)
            assert rest == expected[step:], (cut, again.stem)


@pytest.mark.filterwarnings("ignore:LearningRateWarmup. lr is .* where the (checkpoint's )?plan had")
@pytest.mark.parametrize("change", SOME_CHANGES)
@pytest.mark.parametrize(("warmup", "cuts"), EPOCHS_OF_WARMUP)
def test_by_epoch(checkpoints: Any, warmup: int, cuts: Any, change: str, tmp_path: Path) -> None:
    """Every step has the value of the Trainer's own epoch, and the last epoch the last value of the curve."""
    callback = LearningRateWarmup(warmup, CosineDecay(), interval="epoch", warmup_initial_lr=0.01)
    folder, _ = checkpoints(callback)
    for cut in cuts:
        settings = {"max_epochs": EPOCHS, "batches": BATCHES, **CHANGES[change]}
        saves = Cuts(tmp_path / f"{cut}")
        in_steps = "max_steps" in settings
        if settings["max_epochs"] == warmup or (in_steps and cut[1] in (None, BATCHES - 1)):
            continue  # nothing would be left to decay; Lightning numbers the epochs otherwise
        used = fit([callback, saves], ckpt_path=folder / f"{cut[0]}-{cut[1]}.ckpt", **settings).used
        if not used:
            continue
        epochs = max(saves.epochs) + 1
        curve = callback.values(0.1, total_steps=epochs, steps_per_epoch=1)
        assert used == [curve[epoch] for epoch in saves.epochs], cut
        for again in sorted(saves.folder.glob("*.ckpt"))[1::17] if saves.folder and not in_steps else []:
            seen = Cuts()
            rest = fit([callback, seen], ckpt_path=again, **settings).used
            assert rest == [curve[epoch] for epoch in seen.epochs], (cut, again.stem)


def test_both_values_and_both_lengths_are_told(checkpoints: Any) -> None:
    callback = LearningRateWarmup("10%", "cosine")
    folder, before = checkpoints(callback)
    expected = callback.values(0.1, total_steps=110, steps_per_epoch=22)
    message = (
        rf"LearningRateWarmup: lr is {expected[44]:.4g} at step 44, where the checkpoint's plan had {before[44]:.4g}."
        r" It was planned over 88 steps, and now is over 110 steps."
    )
    with pytest.warns(UserWarning, match=message):
        fit(callback, ckpt_path=folder / "1-21.ckpt", max_epochs=5, batches=22)


# --- durations by epochs and by samples ------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:LearningRateWarmup. lr is .* where the (checkpoint's )?plan had")
@pytest.mark.parametrize(
    ("callback", "batches", "cut", "expected"),
    [
        # Epochs of 22 steps and then of 11: epoch 3 begins at step 55, epoch 4 at 66.
        (LearningRateWarmup(0, MultiStepDecay(["3 epochs"])), 11, (1, 21), {54: 0.1, 55: 0.01, 65: 0.01}),
        (LearningRateWarmup(0, StepDecay("1 epoch")), 11, (1, 21), {44: 1e-3, 54: 1e-3, 55: 1e-4, 65: 1e-4}),
        (LearningRateWarmup(0, StepDecay("1 epoch")), 44, (1, None), {44: 1e-3, 87: 1e-3, 88: 1e-4, 131: 1e-4}),
        (LearningRateWarmup(0, ExponentialDecay(0.1, every="2 epochs")), 11, (1, 21), {44: 0.01, 55: 0.1 * 0.1**1.5}),
        (LearningRateWarmup("3 epochs", warmup_initial_lr=0.0), 11, (1, 21), {44: 0.08, 55: 0.1, 65: 0.1}),
        (LearningRateWarmup("1 epoch", "linear", cooldown="1 epoch"), 11, (1, 21), {54: 0.1 / 33, 55: 0.0, 65: 0.0}),
        (LearningRateWarmup("1 epoch", "linear", hold="2 epochs"), 11, (1, 21), {22: 0.1, 55: 0.1, 65: 0.1 / 11}),
        (LearningRateWarmup(0, "linear", decay_duration="1 epoch"), 11, (1, 21), {54: 0.1, 55: 0.1, 65: 0.1 / 11}),
        (LearningRateWarmup(0, "linear", total="3 epochs"), 11, (1, 21), {44: 0.02, 54: 0.1 / 55, 55: 0.0, 65: 0.0}),
        # Cut in mid-epoch: eleven steps of epoch 1, and as many of the new ones as are left of it, 44 − 11.
        (LearningRateWarmup(0, MultiStepDecay(["2 epochs"])), 44, (1, 10), {33: 0.1, 65: 0.1, 66: 0.01}),
        # By the staircase of epochs before a decay by steps.
        (
            LearningRateWarmup(3, CosineDecay(), warmup_interval="epoch", warmup_initial_lr=0.01),
            11,
            (1, 21),
            {44: 0.07, 54: 0.07, 55: 0.1},
        ),
    ],
    ids=repr,
)
def test_durations_by_epochs(
    checkpoints: Any, callback: LearningRateWarmup, batches: int, cut: Any, expected: dict[int, float]
) -> None:
    """The past is counted by the epochs that were, the future by those to come."""
    folder, before = checkpoints(callback)
    used = fit(callback, ckpt_path=folder / f"{cut[0]}-{cut[1]}.ckpt", max_epochs=EPOCHS, batches=batches).used
    lrs = before[: taken(cut)] + used
    assert {step: lrs[step] for step in expected} == pytest.approx(expected, rel=1e-12)


def in_steps(a: int, fa: float, b: int, fb: float, t: int) -> float:
    """A straight line from a step to another, held before and after."""
    return fa + (fb - fa) * (min(max(t, a), b) - a) / (b - a)


# Of the epochs gone, of the step, and of the step at which an epoch begins.
SHAPES: dict[str, tuple[Any, Callable[[float, int, Callable[[int], int]], float]]] = {
    "restarts": (RestartsDecay("linear", "1 epoch"), lambda e, t, at: 1 - e % 1),
    "restarts with a warmup": (
        RestartsDecay("linear", "1 epoch", warmup="0.5 epochs"),
        lambda e, t, at: abs(1 - 2 * (e % 1)) if e >= 0.5 else 1 - 2 * e,
    ),
    "inverse time": (InverseTimeDecay("2 epochs", power=0.7), lambda e, t, at: (1 + e / 2) ** -0.7),
    "inverse square root": (InverseSqrtDecay("1 epoch", final=0.55), lambda e, t, at: max(0.55, (1 + e) ** -0.5)),
    "piecewise linear": (
        PiecewiseLinearDecay({"1 epoch": 1, "3 epochs": 0.2}),
        lambda e, t, at: in_steps(at(1), 1, at(3), 0.2, t),
    ),
    "piecewise constant": (
        PiecewiseConstantDecay({"1 epoch": 0.5, "3 epochs": 0.2}),
        lambda e, t, at: 1.0 if t < at(1) else 0.5 if t < at(3) else 0.2,
    ),
    "sequence": (
        [DecayPart("constant", "1 epoch"), DecayPart(LinearDecay(0.5), "2 epochs"), DecayPart("linear")],
        lambda e, t, at: in_steps(at(1), 1, at(3), 0.5, t) if t < at(3) else in_steps(at(3), 0.5, at(4), 0, t),
    ),
    "restarts in a sequence": (
        [DecayPart("constant", "1 epoch"), DecayPart(RestartsDecay("linear", "1 epoch"), start=0.5)],
        lambda e, t, at: 1.0 if e < 1 else 0.5 * (1 - e % 1),
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:LearningRateWarmup. lr is .* where the (checkpoint's )?plan had")
@pytest.mark.parametrize("batches", [12, 44])
@pytest.mark.parametrize("name", SHAPES)
def test_shapes_by_epochs(name: str, batches: int, tmp_path: Path) -> None:
    """Two epochs of 22 steps, and then two of 12 or 44, against the epochs that are gone at each step."""
    decay, factor = SHAPES[name]
    callback = LearningRateWarmup(0, decay)
    before = fit([callback, Cuts(tmp_path)], max_epochs=4, batches=22).used[:44]
    after = fit(callback, ckpt_path=tmp_path / "1-None.ckpt", max_epochs=4, batches=batches).used

    def at(epoch: int) -> int:
        return 22 * epoch if epoch <= 2 else 44 + batches * (epoch - 2)

    def gone(t: int) -> float:
        return t / 22 if t <= 44 else 2 + (t - 44) / batches

    lrs = before + after
    assert len(lrs) == at(4)
    # What was run was planned by epochs of 22 steps throughout.
    planned = [0.1 * factor(t / 22, t, lambda epoch: 22 * epoch) for t in range(44)]
    assert before == pytest.approx(planned, rel=1e-9, abs=1e-12)
    assert after == pytest.approx([0.1 * factor(gone(t), t, at) for t in range(44, at(4))], rel=1e-9, abs=1e-12)


def samples(batch_size: int) -> DataLoader[Any]:
    return DataLoader(TensorDataset(torch.ones(88, 2)), batch_size=batch_size)


@pytest.mark.filterwarnings("ignore:LearningRateWarmup. lr is .* where the (checkpoint's )?plan had")
def test_durations_by_samples(tmp_path: Path) -> None:
    """88 samples an epoch, 22 steps of 4: after one of them, 11 steps of 8."""

    def callback() -> LearningRateWarmup:
        return LearningRateWarmup(0, MultiStepDecay(["44 samples", "132 samples", "176 samples"]))

    first = Line()
    trainer(callback(), Cuts(tmp_path), max_epochs=3).fit(first, samples(4))
    assert [first.used.index(lr) for lr in sorted(set(first.used), reverse=True)] == [0, 11, 33, 44]
    second = Line()
    trainer(callback(), max_epochs=3).fit(second, samples(8), ckpt_path=tmp_path / "0-21.ckpt")
    lrs = first.used[:22] + second.used
    assert len(lrs) == 44
    # 132 samples are 88 of the first epoch and 44 more, 5.5 steps of 8, half up: 28; 176 are all of the second.
    assert [lrs.index(lr) for lr in sorted(set(lrs), reverse=True)] == [0, 11, 28, 33]


# --- within a run ----------------------------------------------------------------------------------------------------


class Growing(Line):
    """A loader of ten batches more every epoch."""

    def train_dataloader(self) -> DataLoader[Any]:
        return loader(10 * (1 + (self.trainer.current_epoch if self.trainer else 0)))


class Sets(pl.Callback):
    """Changes the Trainer in mid-run."""

    def __init__(self, hook: str, epoch: int, **changes: Any) -> None:
        self.epoch, self.changes = epoch, changes
        setattr(self, hook, self.change)

    def change(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.current_epoch == self.epoch:
            loop = trainer.fit_loop
            for name, value in self.changes.items():
                setattr({"max_epochs": loop, "max_steps": loop.epoch_loop}.get(name, trainer), name, value)


MID_RUN: dict[str, tuple[dict[str, Any], Sets | None, int]] = {
    "growing set": ({"reload_dataloaders_every_n_epochs": 1}, None, 100),
    "max_epochs raised": ({}, Sets("on_train_epoch_end", 1, max_epochs=6), 60),
    "max_epochs raised at the end": ({}, Sets("on_train_epoch_end", 3, max_epochs=6), 60),
    "max_epochs lowered": ({}, Sets("on_train_epoch_start", 1, max_epochs=3), 30),
    "max_epochs raised in mid-epoch": ({}, Sets("on_train_batch_end", 1, max_epochs=6), 60),
    "max_steps lowered in mid-epoch": ({}, Sets("on_train_batch_end", 1, max_steps=27), 27),
    "accumulation by epoch": ({}, Sets("on_train_epoch_start", 1, accumulate_grad_batches=2), 25),
    "accumulation in mid-epoch": ({}, Sets("on_train_batch_end", 1, accumulate_grad_batches=2), 26),
}


@pytest.mark.filterwarnings("ignore:LearningRateWarmup. lr is .* where the plan had")
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("interval", ["step", "epoch"])
@pytest.mark.parametrize("name", MID_RUN)
def test_within_a_run(name: str, interval: Any, first: bool) -> None:
    settings, sets, steps = MID_RUN[name]
    callback, cuts = LearningRateWarmup(1, "cosine", interval=interval), Cuts()
    module = Growing() if name == "growing set" else Line()
    others = [sets] if sets is not None else []
    run = trainer(*([*others, callback] if first else [callback, *others]), cuts, max_epochs=4, **settings)
    run.fit(module, None if name == "growing set" else loader(10))
    assert len(module.used) == steps
    if interval == "epoch":
        # Every epoch its own value, once it is known how many there are.
        known = 4 if "at the end" in name else 2
        epochs = max(cuts.epochs) + 1
        curve = callback.values(0.1, total_steps=epochs, steps_per_epoch=1)
        late = [(lr, epoch) for lr, epoch in zip(module.used, cuts.epochs, strict=True) if epoch >= known]
        assert late
        assert [lr for lr, _ in late] == [curve[epoch] for _, epoch in late]
    else:
        # From when the change was seen, the curve of the run as it then was: its last step uses the curve's last value.
        assert module.used[-3:] == callback.values(0.1, total_steps=steps, steps_per_epoch=steps)[-3:]
    assert all(module.used)


def test_a_limit_set_in_mid_epoch_is_followed_at_once() -> None:
    callback = LearningRateWarmup(1, "cosine")
    module = Line()
    with pytest.warns(
        UserWarning, match=r"lr is .* at step 11, where the plan had .* 20 steps, and now is over 40 steps"
    ):
        trainer(Sets("on_train_batch_end", 1, max_epochs=4), callback, max_epochs=2).fit(module, loader(10))
    before, after = (callback.values(0.1, total_steps=total, steps_per_epoch=10) for total in (20, 40))
    assert module.used == [*before[:11], *after[11:]]


@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_steps_past_a_given_total_are_told_of_once(interval: Any, messages: list[str]) -> None:
    """A stream does not tell that it goes on for 4 epochs of 10 steps."""
    total = 25 if interval == "step" else 3
    callback = LearningRateWarmup(1, "linear", total=total, interval=interval)
    # Limited by what does not tell the length in this interval; what does is a line at the start.
    limits = {"max_epochs": 4} if interval == "step" else {"max_epochs": -1, "max_steps": 40}
    used = fit_stream(callback, **limits)
    what = f"total={total}): the run goes on past the {total} {interval}s that it was planned over, and lr stays at 0"
    assert sum(what in line for line in messages) == 1
    assert used == callback.values(0.1, total_steps=40, steps_per_epoch=10)


@pytest.mark.parametrize("steps", [24, 25])
def test_steps_up_to_a_given_total_are_not(steps: int, messages: list[str]) -> None:
    fit_stream(LearningRateWarmup(1, "linear", total=25), max_epochs=-1, max_steps=steps)
    assert not any("goes on past" in line for line in messages)


def schedules_accumulation(scheduling: dict[int, int] | None) -> list[pl.Callback]:
    return [] if scheduling is None else [GradientAccumulationScheduler(scheduling)]


@pytest.mark.filterwarnings("ignore:LearningRateWarmup. lr is .* where the (checkpoint's )?plan had")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({0: 4}, {0: 4}),
        ({0: 1, 2: 2}, {0: 1, 2: 2}),
        ({0: 2, 2: 1}, {0: 2, 2: 1}),
        ({0: 2}, {0: 4}),
        (None, {0: 4}),
        ({0: 1, 2: 2}, None),
    ],
)
def test_a_scheduled_accumulation(before: Any, after: Any, tmp_path: Path) -> None:
    """Lightning goes on in mid-epoch without it: whatever the steps are, the last one has the curve's last value."""
    callback = LearningRateWarmup(3, "linear")
    fit([callback, *schedules_accumulation(before), Cuts(tmp_path)], batches=8, max_epochs=4)
    for cut in ("0-3", "1-3", "2-3", "3-3", "1-None", "2-None"):
        checkpoint = tmp_path / f"{cut}.ckpt"
        step = torch.load(checkpoint, weights_only=True)["global_step"]
        others = schedules_accumulation(after)
        used = fit([callback, *others], batches=8, max_epochs=4, ckpt_path=checkpoint).used
        total = step + len(used)
        assert used == callback.values(0.1, total_steps=total)[step:], cut


# Chains found by random search: a run, one that takes it up changed, and that one taken up unchanged.
CHAINS: list[tuple[LearningRateWarmup, tuple[int, dict[str, Any]], tuple[int, dict[str, Any]]]] = [
    (
        LearningRateWarmup("1 epoch", StepDecay("1 epoch", 0.5)),
        (5, {"max_epochs": -1, "max_steps": 18}),
        (5, {"max_epochs": 7, "max_steps": 15}),
    ),
    (
        LearningRateWarmup("20%", "cosine"),
        (8, {"max_epochs": 6, "accumulate_grad_batches": 3}),
        (5, {"max_epochs": 8, "max_steps": 33, "accumulate_grad_batches": 2}),
    ),
    (
        LearningRateWarmup(0, "linear", interval="epoch"),
        (11, {"max_epochs": 4, "limit_train_batches": 0.5}),
        (6, {"max_epochs": 8, "max_steps": 25}),
    ),
    (
        LearningRateWarmup(2, "cosine", warmup_interval="epoch"),
        (8, {"max_epochs": 4, "max_steps": 25}),
        (9, {"max_epochs": -1, "max_steps": 45, "accumulate_grad_batches": 2}),
    ),
]


@pytest.mark.filterwarnings("ignore:LearningRateWarmup. lr is .* where the (checkpoint's )?plan had")
@pytest.mark.parametrize("cut", ["0-None", "1-2", pytest.param("1-None", marks=SLOW)])
@pytest.mark.parametrize(("callback", "first", "then"), CHAINS, ids=["1", "2", "3", "4"])
def test_a_second_resume_repeats_the_first(
    callback: LearningRateWarmup, first: Any, then: Any, cut: str, tmp_path: Path
) -> None:
    def saving(name: str) -> Cuts:
        (tmp_path / name).mkdir()
        return Cuts(tmp_path / name)

    fit([callback, saving("first")], batches=first[0], **first[1])
    saves = saving("then")
    settings = {"batches": then[0], **then[1]}
    resumed = fit([callback, saves], ckpt_path=tmp_path / "first" / f"{cut}.ckpt", **settings).used
    compared = 0
    for again in sorted((tmp_path / "then").glob("*.ckpt"))[::2]:
        step, repeats = torch.load(again, weights_only=True)["global_step"], Cuts()
        rest = fit([callback, repeats], ckpt_path=again, **settings)
        left = len(saves.epochs) - len(repeats.epochs)
        # Lightning resumes inexactly with max_steps: where it takes other steps there is nothing to compare.
        if saves.epochs[left:] == repeats.epochs != [] and rest.used:
            assert rest.used == resumed[left:], (again.stem, step)
            compared += 1
    assert compared >= 2


def test_a_changed_plan_is_told_once() -> None:
    run = trainer(LearningRateWarmup(1, "cosine"), max_epochs=4, reload_dataloaders_every_n_epochs=1)
    with pytest.warns(UserWarning, match="where the plan had") as caught:
        run.fit(Growing())
    assert sum("where the plan had" in str(warning.message) for warning in caught) == 1


def test_what_cannot_be_planned_anew_is_told_and_goes_on() -> None:
    """Ten steps of warmup and twenty of cooldown are too much for the two epochs that are left of four."""
    callback = LearningRateWarmup("1 epoch", "cosine", cooldown="2 epochs")
    sets = Sets("on_train_epoch_start", 1, max_epochs=2)
    module = Line()
    what = "not the one that was planned, and that plan goes on: .*warmup 10 . cooldown 20 = 30 steps is more than"
    with pytest.warns(UserWarning, match=what) as caught:
        trainer(sets, callback, max_epochs=4).fit(module, loader(10))
    assert sum("LearningRateWarmup" in str(warning.message) for warning in caught) == 1
    assert module.used == callback.values(0.1, total_steps=40, steps_per_epoch=10)[:20]
