"""``replan="rest"``: what has begun stays as it was, and a decay is drawn anew from where it stands."""

import math
import pickle
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from checkpoints import SaveEveryBatch
from lightning_warmup import (
    ConstantDecay,
    CosineDecay,
    DecayPart,
    ExponentialDecay,
    FormulaDecay,
    FunctionDecay,
    HyperparameterWarmup,
    InverseSqrtDecay,
    LearningRateWarmup,
    LinearDecay,
    MultiStepDecay,
    OneMinusSqrtDecay,
    PiecewiseLinearDecay,
    PolynomialDecay,
    ReduceOnPlateauDecay,
    RestartsDecay,
    StepDecay,
)
from lightning_warmup.schedule.rest import Rest
from runs import Line, RecordingSGD, fit

pytestmark = [
    pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended"),
    pytest.mark.filterwarnings("error:.*where the (checkpoint's )?plan had"),
]

BATCHES = 5


def momentum(module: Line) -> Any:
    return RecordingSGD(module.parameters(), lr=module.lr, momentum=0.9)


def callback(decay: Any = "cosine", **kwargs: Any) -> LearningRateWarmup:
    return LearningRateWarmup(**{"warmup": 3, "decay": decay, "replan": "rest", **kwargs})


def run(ours: Any, folder: Path | None, epochs: int, ckpt_path: Path | None = None) -> list[float]:
    saves = [] if folder is None else [SaveEveryBatch(folder)]
    callbacks = [] if ours is None else ours if isinstance(ours, list) else [ours]
    settings: dict[str, Any] = {"max_epochs": epochs, "batches": BATCHES, "ckpt_path": ckpt_path}
    return fit([*callbacks, *saves], Line(momentum), **settings).used


class SaveAtTheEnd(pl.Callback):
    """As ModelCheckpoint does: the epoch is over."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_end(self, trainer: pl.Trainer, *_: Any) -> None:
        trainer.save_checkpoint(self.folder / "end.ckpt")


def linear(p: float, final: float, s: int, end: int, total: int) -> list[float]:
    """A line from p at s to the final value at the end, held from there on."""
    return [p + (final - p) * (min(t, end) - s) / (end - s) for t in range(s, total)]


# --- the decay has begun ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("epochs", "cooldown"),
    [(3, 2), (6, 0), pytest.param(3, 0, marks=pytest.mark.slow), pytest.param(6, 2, marks=pytest.mark.slow)],
)
def test_a_line_goes_on_as_a_line_from_every_step(epochs: int, cooldown: int, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"decay": LinearDecay(final=0.1), "cooldown": cooldown}
    old = run(callback(**settings), tmp_path, 4)
    assert old == callback(**settings).values(0.1, total_steps=20)
    total = 5 * epochs
    for s in range(4, total - cooldown if epochs == 3 else 20):
        used = run(callback(**settings), tmp_path / "again", epochs, tmp_path / f"{s}.ckpt")
        assert used == pytest.approx(linear(old[s], 0.01, s, total - cooldown, total)), s
        assert used[0] == pytest.approx(old[s], rel=1e-12)
        if s in (6, 11, 13):
            for more in range(1, total - s):
                assert run(callback(**settings), None, epochs, tmp_path / "again" / f"{more}.ckpt") == used[more:]


def shape_of(decay: Any) -> Any:
    """The factor, from the callback's own values at many steps."""
    return LearningRateWarmup(0, decay).values(1.0, total_steps=1000)


@pytest.mark.parametrize(
    ("decay", "final"),
    [
        (CosineDecay(), 0.0),
        (CosineDecay(0.2), 0.2),
        (OneMinusSqrtDecay("10%"), 0.1),
        (PolynomialDecay(power=2, final=0.1), 0.1),
        (FunctionDecay(lambda u: 1 - 0.7 * u * u), 0.3),
        (FormulaDecay("(1 - u) / (1 - u / 2)"), 0.0),
        (RestartsDecay("linear", cycles=2), 0.0),
    ],
    ids=str,
)
def test_every_shape_by_the_formula(decay: Any, final: float, tmp_path: Path) -> None:
    old = run(callback(decay), tmp_path, 4)
    for s in (4, 9, 16):
        d = LearningRateWarmup(0, decay).values(1.0, total_steps=30 - s)
        p = old[s] / 0.1
        used = run(callback(decay), tmp_path / f"{s}", 6, tmp_path / f"{s}.ckpt")
        assert used == pytest.approx([0.1 * (final + (p - final) * (each - final) / (1 - final)) for each in d]), s
        again = run(callback(decay), None, 6, tmp_path / f"{s}" / "3.ckpt")
        assert again == used[3:]


def test_again_into_another_length_draws_again(tmp_path: Path) -> None:
    old = run(callback("linear"), tmp_path, 4)
    first = run(callback("linear"), tmp_path / "again", 6, tmp_path / "11.ckpt")
    assert first == pytest.approx(linear(old[11], 0, 11, 30, 30))
    for more in (1, 3, 6):
        s = 11 + more
        third = run(callback("linear"), tmp_path / "third", 9, tmp_path / "again" / f"{more}.ckpt")
        assert third == pytest.approx(linear(first[more], 0, s, 45, 45))
        assert run(callback("linear"), None, 9, tmp_path / "third" / "2.ckpt") == third[2:]


def test_an_unchanged_plan_is_what_it_was(tmp_path: Path) -> None:
    for interval in ("step", "epoch"):
        settings: dict[str, Any] = {"interval": interval, "warmup": 1, "cooldown": 1}
        whole = run(callback(**settings), tmp_path / interval, 5)
        assert whole == run(callback(**{**settings, "replan": "full"}), None, 5)
        for s in range(1, 25):
            assert run(callback(**settings), None, 5, tmp_path / interval / f"{s}.ckpt") == whole[s:]


def test_another_decay_goes_on_from_where_the_last_one_stands(tmp_path: Path) -> None:
    """The length is the same, and the value at the resumed step would not be."""
    old = run(callback("cosine"), tmp_path, 4)
    for s in (8, 12):
        used = run(callback("linear"), None, 4, tmp_path / f"{s}.ckpt")
        assert used == pytest.approx(linear(old[s], 0, s, 20, 20))


def test_by_epoch_from_every_step(tmp_path: Path) -> None:
    now = callback("linear", interval="epoch", warmup=1)
    old = run(now, tmp_path, 4)
    for s in range(5, 20):
        used = run(now, tmp_path / "again", 8, tmp_path / f"{s}.ckpt")
        line = linear(old[s], 0, s // BATCHES, 8, 8)
        assert used == pytest.approx([line[t // BATCHES - s // BATCHES] for t in range(s, 40)]), s
        if s in (7, 12):
            for more in range(1, 40 - s):
                assert run(now, None, 8, tmp_path / "again" / f"{more}.ckpt") == used[more:]


def test_by_another_clock(tmp_path: Path) -> None:
    """A decay that has begun by steps goes on by epochs, and the other way round; a warmup that is over stays over."""
    old = run(callback("linear"), tmp_path, 4)
    used = run(callback("linear", interval="epoch", warmup=3), None, 6, tmp_path / "11.ckpt")
    assert used == pytest.approx([old[11] * (1 - (t // BATCHES - 2) / 4) for t in range(11, 30)])
    old = run(callback("linear", interval="epoch", warmup=1), tmp_path / "epochs", 4)
    used = run(callback("linear", warmup=13), None, 6, tmp_path / "epochs" / "11.ckpt")
    assert used == pytest.approx(linear(old[11], 0, 11, 30, 30))
    used = run(callback("linear", warmup=13, warmup_interval="step"), None, 6, tmp_path / "epochs" / "11.ckpt")
    assert used == pytest.approx(linear(old[11], 0, 11, 30, 30))


def test_beside_warmups_that_are_factors(tmp_path: Path) -> None:
    """The decay is drawn anew, and the warmup is what it was."""
    settings: dict[str, Any] = {"warmup": 10, "decay": "linear", "decay_from": "start"}
    old = run(callback(**settings), tmp_path, 4)
    used = run(callback(**settings), tmp_path / "again", 6, tmp_path / "6.ckpt")
    p = 1 - 6 / 20
    weights = [(1 + 10 * min(t, 10) / 10) / 11 for t in range(6, 30)]
    line = linear(0.1 * p, 0, 6, 30, 30)
    assert used == pytest.approx([weight * value for weight, value in zip(weights, line, strict=True)])
    assert used[0] == pytest.approx(old[6])
    assert run(callback(**settings), None, 6, tmp_path / "again" / "2.ckpt") == used[2:]


def test_after_a_scheduler_of_the_modules(tmp_path: Path) -> None:
    """Where that had brought the rates is where the decay stands."""

    def scheduled(module: Line) -> Any:
        optimizer = momentum(module)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)]

    def used(ours: Any, epochs: int, ckpt_path: Path | None = None) -> list[float]:
        callbacks = [ours, SaveEveryBatch(tmp_path / str(epochs))]
        return fit(callbacks, Line(scheduled), max_epochs=epochs, batches=BATCHES, ckpt_path=ckpt_path).used

    old = used(LearningRateWarmup(3), 4)
    now = used(callback("linear", override_module_scheduler=True), 6, tmp_path / "4" / "11.ckpt")
    assert old[11] == 0.025
    assert now == pytest.approx(linear(0.025, 0, 11, 30, 30))


def test_a_state_that_has_the_first_groups_value_only(tmp_path: Path) -> None:
    """As versions have it that were before this one."""
    old = run(callback("linear"), tmp_path, 4)
    for s in (2, 11):
        checkpoint = torch.load(tmp_path / f"{s}.ckpt", weights_only=False)
        del checkpoint["callbacks"][callback().state_key]["plans"]
        torch.save(checkpoint, tmp_path / f"{s}.ckpt")
        now = run(callback("linear"), None, 6, tmp_path / f"{s}.ckpt")
        expected = callback("linear").values(0.1, total_steps=30)[2:] if s == 2 else linear(old[11], 0, 11, 30, 30)
        assert now == pytest.approx(expected)


def test_each_group(tmp_path: Path) -> None:
    def groups(module: Line) -> Any:
        both = [{"params": [module.weight]}, {"params": [module.bias], "lr": 0.01}]
        return RecordingSGD(both, lr=0.1, momentum=0.9)

    def rows(epochs: int, folder: Path | None, ckpt_path: Path | None = None) -> list[list[float]]:
        callbacks = [callback("linear"), *([] if folder is None else [SaveEveryBatch(folder)])]
        module = fit(callbacks, Line(groups), max_epochs=epochs, batches=BATCHES, ckpt_path=ckpt_path)
        return [[group["lr"] for group in step] for step in module.trainer.optimizers[0].used]

    old = rows(4, tmp_path)
    used = rows(6, None, tmp_path / "8.ckpt")
    for i in (0, 1):
        assert [row[i] for row in used] == pytest.approx(linear(old[8][i], 0, 8, 30, 30))


def test_weight_decay(tmp_path: Path) -> None:
    def used(epochs: int, ckpt_path: Path | None = None) -> list[float]:
        ours = HyperparameterWarmup("momentum", decay="linear", replan="rest")
        callbacks = [ours, SaveEveryBatch(tmp_path / str(epochs))]
        module = fit(callbacks, Line(momentum), max_epochs=epochs, batches=BATCHES, ckpt_path=ckpt_path)
        return [step[0]["momentum"] for step in module.trainer.optimizers[0].used]

    old = used(2)
    assert used(4, tmp_path / "2" / "7.ckpt") == pytest.approx(linear(old[7], 0, 7, 20, 20))


@pytest.mark.filterwarnings("ignore:.*the run goes on past the")
def test_several_optimizers_each_by_its_own_count(tmp_path: Path) -> None:
    class Manual(Line):
        def __init__(self) -> None:
            super().__init__(lambda m: [RecordingSGD([m.weight], lr=0.1), RecordingSGD([m.bias], lr=0.1)])
            self.automatic_optimization = False

        def training_step(self, batch: Any, batch_idx: int) -> None:
            first, second = self.optimizers()
            for optimizer in (first, second, second):
                optimizer.zero_grad()
                self.manual_backward(self.loss(batch))
                optimizer.step()

    def used(total: int, epochs: int, ckpt_path: Path | None = None) -> list[list[float]]:
        callbacks = [callback("linear", total=total), SaveEveryBatch(tmp_path / str(total))]
        module = fit(callbacks, Manual(), max_epochs=epochs, batches=BATCHES, ckpt_path=ckpt_path)
        return [optimizer.lrs() for optimizer in module.trainer.optimizers]

    old = used(40, 4)
    for batch in (4, 8):
        now = used(60, 6, tmp_path / "40" / f"{batch}.ckpt")
        for i, s in enumerate((batch, 2 * batch)):
            assert now[i] == pytest.approx(linear(old[i][s], 0, s, 60, 60)[: len(now[i])])


@pytest.mark.filterwarnings("default:.*where the plan had")
def test_in_mid_run_it_is_as_ever(tmp_path: Path) -> None:
    class Longer(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
            if trainer.global_step == 8:
                trainer.fit_loop.max_epochs = 6

    with pytest.warns(UserWarning, match="where the plan had"):
        used = fit([Longer(), callback()], Line(momentum), max_epochs=4, batches=BATCHES).used
    assert used[8:] == callback().values(0.1, total_steps=30)[8:]


# --- the decay has not begun -----------------------------------------------------------------------------------------


def test_in_the_warmup_it_keeps_its_length(tmp_path: Path) -> None:
    """25% of 20 steps is 5; of 40 it is 10. What comes after it is by the new length."""
    settings: dict[str, Any] = {"warmup": "25%", "hold": "10%", "decay": "linear"}
    old = run(callback(**settings), tmp_path, 4)
    new = callback(**{**settings, "warmup": 5}).values(0.1, total_steps=40)
    for s in range(1, 5):
        used = run(callback(**settings), tmp_path / "again", 8, tmp_path / f"{s}.ckpt")
        assert used == new[s:]
        assert used[: 6 - s] == old[s:6]
        for more in (1, 3, 9, 20):
            assert run(callback(**settings), None, 8, tmp_path / "again" / f"{more}.ckpt") == used[more:]


def test_in_the_hold_it_keeps_its_length(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"warmup": "10%", "hold": "50%", "decay": "linear"}
    run(callback(**settings), tmp_path, 4)
    new = callback(**{**settings, "warmup": 2, "hold": 10}).values(0.1, total_steps=40)
    for s in range(2, 12):
        used = run(callback(**settings), tmp_path / "again", 8, tmp_path / f"{s}.ckpt")
        assert used == new[s:], s
    assert run(callback(**settings), None, 8, tmp_path / "again" / "4.ckpt") == used[4:]


def test_a_decay_of_a_given_length_comes_at_the_new_end(tmp_path: Path) -> None:
    """Warmup-stable-decay: it is the stable part that grows."""
    settings: dict[str, Any] = {"decay": "one_minus_sqrt", "decay_duration": "25%"}
    run(callback(**settings), tmp_path, 4)
    new = callback(**settings).values(0.1, total_steps=40)
    for s in range(1, 16):
        assert run(callback(**settings), None, 8, tmp_path / f"{s}.ckpt") == new[s:]
    # It should have begun before, in a run that ends so soon: it begins now.
    short = run(callback(**settings), None, 3, tmp_path / "14.ckpt")
    assert short == [0.1]
    assert run(callback(**{**settings, "decay_duration": "50%"}), None, 3, tmp_path / "13.ckpt") == [
        0.1,
        pytest.approx(0.1 * (1 - math.sqrt(1 / 2))),
    ]


def test_nothing_left_of_the_decay(tmp_path: Path) -> None:
    run(callback("linear", hold=12), tmp_path, 4)
    match = r"from step 15 on, to where it ends at 15, nothing is left of the decay. Train longer"
    with pytest.raises(ValueError, match=match):
        run(callback("linear", hold=12), None, 3, tmp_path / "8.ckpt")


# --- branches --------------------------------------------------------------------------------------------------------


def test_a_stable_run_is_cooled_down_from_every_step(tmp_path: Path) -> None:
    """A checkpoint of a run without a decay: no step number is needed."""
    old = run(LearningRateWarmup(3, "constant"), tmp_path, 4)
    now = callback("one_minus_sqrt")
    for s in range(3, 20):
        used = run(now, tmp_path / "again", 5, tmp_path / f"{s}.ckpt")
        assert used[0] == old[s] == 0.1
        assert used == [0.1 * (1 - math.sqrt((t - s) / (25 - s))) for t in range(s, 25)], s
        if s in (4, 9, 16):
            for more in range(1, 25 - s):
                assert run(now, None, 5, tmp_path / "again" / f"{more}.ckpt") == used[more:], (s, more)
    for s in range(1, 3):  # the warmup goes on first
        assert run(now, None, 5, tmp_path / f"{s}.ckpt") == now.values(0.1, total_steps=25)[s:]


def test_as_long_as_the_stable_run_was(tmp_path: Path) -> None:
    run(LearningRateWarmup(3, "constant"), tmp_path, 4)
    for s in (4, 12, 19):
        used = run(callback("linear"), tmp_path / "again", 4, tmp_path / f"{s}.ckpt")
        assert used == pytest.approx(linear(0.1, 0, s, 20, 20))
        if s < 19:
            assert run(callback("linear"), None, 4, tmp_path / "again" / "2.ckpt") == used[2:]


@pytest.mark.parametrize("stable", [LearningRateWarmup(3), None], ids=["no decay", "no callback"])
def test_other_stable_runs(stable: Any, tmp_path: Path) -> None:
    run(stable, tmp_path, 4)
    used = run(callback("linear"), None, 5, tmp_path / "8.ckpt")
    assert used == pytest.approx(linear(0.1, 0, 8, 25, 25))


def test_with_a_length_of_the_branch_s_own(tmp_path: Path) -> None:
    run(LearningRateWarmup(3, "constant"), tmp_path, 4)
    now = callback("linear", decay_duration=10, cooldown=2)
    used = run(now, None, 6, tmp_path / "8.ckpt")
    assert used == pytest.approx([0.1] * 10 + linear(0.1, 0, 18, 28, 30))
    held = run(callback("linear", hold=9), None, 6, tmp_path / "8.ckpt")
    assert held == pytest.approx([0.1] * 4 + linear(0.1, 0, 12, 30, 30))


def test_again_and_again(tmp_path: Path) -> None:
    """WSD-S: cool down, warm up to where it was, stay, and cool down again."""
    run(LearningRateWarmup(3, "constant"), tmp_path, 2)
    first = run([callback("linear"), SaveAtTheEnd(tmp_path)], None, 3, tmp_path / "9.ckpt")
    assert first == pytest.approx(linear(0.1, 0, 9, 15, 15))
    on = LearningRateWarmup(3, "constant", resume_warmup=4)
    stable = run(on, tmp_path / "two", 6, tmp_path / "end.ckpt")
    assert stable == pytest.approx([0.1 * min(1, (t - 15) / 4) for t in range(15, 30)])
    second = run(callback("linear"), None, 7, tmp_path / "two" / "12.ckpt")
    assert second == pytest.approx(linear(0.1, 0, 27, 35, 35))


def test_a_ramp_and_a_cooldown_in_it(tmp_path: Path) -> None:
    """A cooldown from the middle of a ramp begins at what stands there."""
    run(callback("linear", replan="full"), tmp_path, 2)
    on = LearningRateWarmup(3, "constant", resume_warmup=8)
    ramp = run(on, tmp_path / "two", 6, tmp_path / "8.ckpt")
    used = run(callback("linear", resume_warmup=4), tmp_path / "three", 8, tmp_path / "two" / "4.ckpt")
    plan = linear(0.1, 0, 12, 40, 40)
    way = [ramp[4] + (plan[k] - ramp[4]) * k / 4 if k < 4 else plan[k] for k in range(28)]
    assert used == pytest.approx(way)
    assert run(callback("linear", resume_warmup=4), None, 8, tmp_path / "three" / "2.ckpt") == used[2:]


# --- what is told ----------------------------------------------------------------------------------------------------


def test_one_line(tmp_path: Path, messages: list[str]) -> None:
    old = run(callback(LinearDecay(0.1)), tmp_path, 4)
    messages.clear()
    run(callback(LinearDecay(0.1)), tmp_path / "again", 6, tmp_path / "11.ckpt")
    told = [line for line in messages if "LearningRateWarmup" in line]
    assert told == [
        "LearningRateWarmup: lr 0.025 → 0.1 over 3 steps, as it was until step 11, linear to 0.01 at step 30"
        " (continuing at step 11)",
        f"LearningRateWarmup(replan='rest'): lr was to be {old[11]:.4g} at step 11, is {old[11]:.4g} there, and will be"
        " 0.01 at the end of 30 steps; the linear is drawn anew now.",
    ]
    messages.clear()
    run(callback(LinearDecay(0.1)), None, 6, tmp_path / "again" / "2.ckpt")
    assert not [line for line in messages if "replan" in line or "re-planned" in line]


def test_the_whole_curve_is_told_in_one_line_too(tmp_path: Path) -> None:
    old = run(callback(replan="full"), tmp_path, 4)
    new = callback(CosineDecay(0.1)).values(0.1, total_steps=30)
    match = (
        rf"lr is {new[11]:.4g} at step 11, where the checkpoint's plan had {old[11]:.4g}. It was planned over 20 steps,"
        r" and now is over 30 steps, at whose end it is 0.01\."
    )
    with pytest.warns(UserWarning, match=match):
        assert run(callback(CosineDecay(0.1), replan="full"), None, 6, tmp_path / "11.ckpt") == new[11:]


def test_at_its_end(tmp_path: Path, messages: list[str]) -> None:
    run(callback(LinearDecay(0.1)), tmp_path, 2)
    run(callback("linear"), tmp_path / "zero", 2)
    messages.clear()
    assert run(callback(LinearDecay(0.1)), None, 3, tmp_path / "10.ckpt") == pytest.approx([0.01] * 5)
    assert "the linear was at its end, and stays there" in "".join(messages)
    match = (
        r"replan='rest'\): at step 10 the decay is at its end, at 0, and nothing is left.*replan='full', with resume_"
    )
    with pytest.raises(ValueError, match=match):
        run(callback("linear"), None, 3, tmp_path / "zero" / "10.ckpt")


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("decay", "says"),
    [
        (None, "needs a decay that it can draw anew. Use one that ends with the run"),
        ("constant", "does not end with the run"),
        (ConstantDecay(), "does not end with the run"),
        ("inverse_sqrt", "does not end with the run"),
        (InverseSqrtDecay(10), "does not end with the run"),
        (ExponentialDecay(0.9), "does not end with the run"),
        (StepDecay(3), "does not end with the run"),
        (MultiStepDecay([3, 6]), "does not end with the run"),
        (PiecewiseLinearDecay({5: 1.0, 9: 0.1}), "does not end with the run"),
        (FormulaDecay("1 / (1 + tau)"), "does not end with the run"),
        (ReduceOnPlateauDecay("loss"), "does not end with the run"),
        ([DecayPart("constant", 5), DecayPart("linear")], "decays one after the other have lengths of their own"),
        (LinearDecay(final=1.0), "the same factor, 1, at its end as at its start"),
    ],
    ids=str,
)
def test_decays_that_cannot_be_drawn_anew(decay: Any, says: str) -> None:
    for make in (LearningRateWarmup, lambda **kwargs: HyperparameterWarmup("momentum", **kwargs)):
        with pytest.raises(ValueError, match=rf"Warmup\(replan='rest', decay=.*{says}"):
            make(decay=decay, replan="rest")


def test_other_words() -> None:
    for wrong in ("half", None, True, "Rest"):
        with pytest.raises(ValueError, match=r"replan=.*expected 'full' or 'rest'"):
            LearningRateWarmup(3, "cosine", replan=wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="nobody knows when a warmup that is measured has ended"):
        LearningRateWarmup("catapult", "cosine", replan="rest")


def test_a_function_that_ends_where_it_began(tmp_path: Path) -> None:
    decay = FunctionDecay(lambda u: 1 - u * (1 - u))
    run(callback(decay), tmp_path, 4)
    with pytest.raises(ValueError, match="the same factor, 1, at its end as at its start"):
        run(callback(decay), None, 6, tmp_path / "9.ckpt")


def test_a_function_without_an_end(tmp_path: Path) -> None:
    decay = FunctionDecay(lambda u: 1 / math.sqrt(1 / (1 - u)))
    run(callback(decay), tmp_path, 4)
    with pytest.raises(ValueError, match="with replan='rest' needs a value at its end, and has none"):
        run(callback(decay), None, 6, tmp_path / "9.ckpt")


# --- plain facts -----------------------------------------------------------------------------------------------------


def test_repr_and_pickle() -> None:
    assert repr(callback()) == "LearningRateWarmup(3, 'cosine', replan='rest')"
    assert repr(pickle.loads(pickle.dumps(callback()))) == repr(callback())
    assert callback().values(0.1, total_steps=20) == callback(replan="full").values(0.1, total_steps=20)


SHAPES = st.sampled_from([LinearDecay, CosineDecay, OneMinusSqrtDecay, lambda final: PolynomialDecay(2, final)])


@given(make=SHAPES, p=st.floats(0.01, 2), final=st.floats(0, 0.9), length=st.integers(1, 500))
def test_from_p_to_the_final_value(make: Any, p: float, final: float, length: int) -> None:
    rest = Rest(0, 0, p).of(make(final), length)
    assert rest.factor_at(0, length) == pytest.approx(p)
    assert rest.factor_at(length, length) == pytest.approx(final)
    factors = [rest.factor_at(tau, length) for tau in range(length + 1)]
    assert factors == pytest.approx(sorted(factors, reverse=p > final))
    assert all(min(p, final) - 1e-9 <= factor <= max(p, final) + 1e-9 for factor in factors)
