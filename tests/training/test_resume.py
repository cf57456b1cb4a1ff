"""A resumed run repeats the uninterrupted one, bit for bit, wherever it was cut."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint, OnExceptionCheckpoint

from checkpoints import Killed, KillIn, SaveEveryBatch
from lightning_warmup import Decay, LearningRateWarmup, TorchDecay
from runs import Line, RecordingSGD, fit, loader, trainer
from shapes import DECAYS
from summary import resume_point

# The loader of these tests gives equal batches, so that starting it again changes nothing.
pytestmark = [
    pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
    # Lightning, of any fit with an OnExceptionCheckpoint.
    pytest.mark.filterwarnings("ignore:.*was called without a model"),
    pytest.mark.filterwarnings("ignore:.*there is no last checkpoint available"),
]

EPOCHS, BATCHES = 4, 15


def momentum(module: Line) -> RecordingSGD:
    return RecordingSGD(module.parameters(), lr=module.lr, momentum=0.9)


def warmup(interval: str = "step", **kwargs: Any) -> LearningRateWarmup:
    length = 7 if interval == "step" else 2
    return LearningRateWarmup(length, "cosine", interval=interval, **kwargs)  # type: ignore[arg-type]


def check_tail(whole: Line, resumed: Line, *, weights: bool = True) -> None:
    """The resumed run did what the whole run did at the same steps, and ended at the same weights."""
    tail = resumed.used
    assert tail == whole.used[len(whole.used) - len(tail) :]
    assert tail
    if weights:
        assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))


@pytest.mark.parametrize("ours_first", [True, pytest.param(False, marks=pytest.mark.slow)])
@pytest.mark.parametrize("accumulation", [1, 3])
@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_after_every_batch(interval: str, accumulation: int, ours_first: bool, tmp_path: Path) -> None:
    settings = {"max_epochs": EPOCHS, "batches": BATCHES, "accumulate_grad_batches": accumulation}
    callbacks = [warmup(interval), SaveEveryBatch(tmp_path)]
    whole = fit(callbacks if ours_first else callbacks[::-1], Line(momentum), **settings)
    total = -(-BATCHES // accumulation) * EPOCHS
    assert whole.used == warmup(interval).values(0.1, total_steps=total, steps_per_epoch=total // EPOCHS)
    for batch in range(1, EPOCHS * BATCHES):
        with resume_point():
            resumed = fit(warmup(interval), Line(momentum), ckpt_path=tmp_path / f"{batch}.ckpt", **settings)
            # Gradients accumulated before a checkpoint between two steps are lost: that is Lightning's, and not exact.
            check_tail(whole, resumed, weights=batch % BATCHES % accumulation == 0)


def two_groups(module: Line) -> RecordingSGD:
    return RecordingSGD([{"params": [module.weight], "lr": 0.1}, {"params": [module.bias], "lr": 0.03}], momentum=0.9)


@pytest.mark.parametrize("interval", ["step", "epoch"])
@pytest.mark.parametrize(
    "decay",
    [row.trained for row in DECAYS if row.shape is not TorchDecay],
    ids=lambda decay: type(decay).__name__,
)
def test_every_shape_at_every_step_and_of_each_group(decay: Decay, interval: Any, tmp_path: Path) -> None:
    def callback() -> LearningRateWarmup:
        return LearningRateWarmup(2, decay, interval=interval, cooldown=1)

    settings = {"max_epochs": 8, "batches": 2 if interval == "step" else 1}
    whole = fit([callback(), SaveEveryBatch(tmp_path)], Line(two_groups), **settings)
    used = [whole.trainer.optimizers[0].lrs(group) for group in (0, 1)]
    assert used[1] == pytest.approx([0.3 * lr for lr in used[0]], rel=1e-12)
    for step in range(1, len(used[0])):
        with resume_point():
            resumed = fit(callback(), Line(two_groups), ckpt_path=tmp_path / f"{step}.ckpt", **settings)
            assert [resumed.trainer.optimizers[0].lrs(group) for group in (0, 1)] == [lrs[step:] for lrs in used]


@pytest.mark.parametrize("interval", ["step", "epoch"])
@pytest.mark.parametrize(
    "hook", ["on_train_batch_start", "on_before_optimizer_step", "on_before_zero_grad", "on_train_batch_end"]
)
@pytest.mark.parametrize("ours_first", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_after_an_exception(hook: str, interval: str, ours_first: bool, tmp_path: Path) -> None:
    settings = {"max_epochs": EPOCHS, "batches": BATCHES}
    whole = fit(warmup(interval), Line(momentum), **settings)
    for time in (1, 2, 7, 8, 15, 16, 30, 59, 60):
        with resume_point():
            callbacks = [warmup(interval), KillIn(hook, time)]
            broken = Line(momentum)
            callbacks = [*(callbacks if ours_first else callbacks[::-1]), OnExceptionCheckpoint(tmp_path)]
            with pytest.raises(Killed):
                fit(callbacks, broken, **settings, enable_checkpointing=True, default_root_dir=tmp_path)
            ckpt_path = tmp_path / "on_exception.ckpt"
            resumed = fit(warmup(interval), Line(momentum), ckpt_path=ckpt_path, **settings)
            ckpt_path.unlink()
            if hook == "on_train_batch_end":
                # Lightning resumes such a batch as done or not, by its own counters: every step is one of ours.
                assert set(resumed.used) <= set(whole.used)
                taken = len(broken.used)
                assert resumed.used[:1] == whole.used[taken : taken + 1]
            elif time > 1 or hook != "on_train_batch_start":
                check_tail(whole, resumed)


@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_from_model_checkpoints(interval: str, tmp_path: Path) -> None:
    settings = {"max_epochs": EPOCHS, "batches": BATCHES, "enable_checkpointing": True, "default_root_dir": tmp_path}
    every = ModelCheckpoint(tmp_path, filename="{epoch}-{step}", save_top_k=-1, every_n_epochs=1)
    whole = fit([every, warmup(interval)], Line(momentum), **settings)
    paths = sorted(tmp_path.glob("*.ckpt"))
    assert len(paths) == EPOCHS
    for path in paths[:-1]:
        with resume_point():
            again = ModelCheckpoint(tmp_path, filename="again-{epoch}", save_top_k=-1)
            check_tail(whole, fit([warmup(interval), again], Line(momentum), ckpt_path=path, **settings))


def saved(tmp_path: Path, *callbacks: pl.Callback, after: int = 20, lr: float = 0.1) -> Path:
    """A checkpoint of a run of 60 steps, after so many."""
    fit([*callbacks, SaveEveryBatch(tmp_path)], Line(momentum, lr=lr), max_epochs=EPOCHS, batches=BATCHES)
    return tmp_path / f"{after}.ckpt"


def resume(path: Path, *callbacks: pl.Callback, lr: float = 0.1, **kwargs: Any) -> list[float]:
    settings = {"max_epochs": EPOCHS, "batches": BATCHES, **kwargs}
    return fit(list(callbacks), Line(momentum, lr=lr), ckpt_path=path, **settings).used


def curve(lr: float = 0.1, **kwargs: Any) -> list[float]:
    return warmup(**kwargs).values(lr, total_steps=60, steps_per_epoch=15)


def test_a_changed_lr_is_the_checkpoints_unless_config_says_otherwise(tmp_path: Path) -> None:
    path = saved(tmp_path, warmup())
    with pytest.warns(UserWarning, match=": lr 0.7 in the config, 0.1 in the checkpoint, .*resume=") as caught:
        assert resume(path, warmup(), lr=0.7) == curve(0.1)[20:]
    assert len([w for w in caught if "in the config" in str(w.message)]) == 1
    assert resume(path, warmup(resume="config"), lr=0.7) == curve(0.7)[20:]


def test_a_changed_target_is_the_checkpoints_with_one_warning(tmp_path: Path) -> None:
    path = saved(tmp_path, warmup(target_lr=0.2))
    with pytest.warns(UserWarning, match=r"target_lr=0\.5\) asks for \[0\.5\].*\[0\.2\].*resume='config'"):
        used = resume(path, warmup(target_lr=0.5))
    assert used == curve(target_lr=0.2)[20:]
    assert resume(path, warmup(target_lr=0.5, resume="config")) == curve(target_lr=0.5)[20:]


def test_a_checkpoint_without_the_callback(tmp_path: Path) -> None:
    path = saved(tmp_path)
    assert resume(path, warmup()) == curve()[20:]


def test_a_checkpoint_of_a_run_with_a_torch_scheduler_is_resumed_from_the_lr_before_it(tmp_path: Path) -> None:
    def configure(module: Line) -> Any:
        optimizer = momentum(module)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1)]

    fit(SaveEveryBatch(tmp_path), Line(configure), max_epochs=EPOCHS, batches=BATCHES)
    assert resume(tmp_path / "20.ckpt", warmup()) == curve()[20:]


def test_without_the_callback_a_checkpoint_of_it_still_loads(tmp_path: Path) -> None:
    path = saved(tmp_path, warmup())
    with pytest.warns(UserWarning, match="add the following callbacks"):
        used = resume(path)
    assert used == [curve()[20]] * 40


def test_state_is_plain_and_small(tmp_path: Path) -> None:
    path = saved(tmp_path, warmup())
    state = torch.load(path, weights_only=True)["callbacks"][warmup().state_key]
    assert state["optimizers"] == {0: {"steps": 20, "own": [0.1], "target": [0.1]}}


def test_state_keys_tell_callbacks_apart_and_nothing_of_the_schedule() -> None:
    keys = {
        LearningRateWarmup(1, optimizer=0).state_key,
        LearningRateWarmup(1, optimizer=1).state_key,
        LearningRateWarmup(1).state_key,
    }
    assert len(keys) == 3
    assert LearningRateWarmup(1).state_key == LearningRateWarmup(9, "cosine", target_lr=3.0).state_key


def test_an_edited_schedule_finds_its_state(tmp_path: Path) -> None:
    path = saved(tmp_path, warmup())
    edited = LearningRateWarmup(30, "linear", warmup_initial_lr=0.0)
    with pytest.warns(UserWarning, match="lr 0.7 in the config, 0.1 in the checkpoint"):
        used = resume(path, edited, lr=0.7)
    assert used == edited.values(0.1, total_steps=60, steps_per_epoch=15)[20:]


def test_a_longer_run_says_that_the_curve_was_replanned(tmp_path: Path, messages: list[str]) -> None:
    path = saved(tmp_path, warmup())
    messages.clear()
    with pytest.warns(UserWarning, match="lr is 0.09407 at step 20, where the checkpoint's plan had 0.08588"):
        used = resume(path, warmup(), max_epochs=6)
    assert used == warmup().values(0.1, total_steps=90, steps_per_epoch=15)[20:]
    assert [m for m in messages if "re-planned" in m] == [
        "LearningRateWarmup: re-planned over 90 steps; the checkpoint's curve had 60."
    ]


def test_a_second_fit_on_one_trainer_starts_over() -> None:
    callback = warmup()
    ours = trainer(callback, max_epochs=EPOCHS)
    for fits in (1, 2):
        ours.fit_loop.max_epochs = EPOCHS * fits
        module = Line(momentum)
        ours.fit(module, loader(BATCHES))
        assert module.used == curve()


def test_a_second_fit_counts_epochs_from_its_start() -> None:
    callback = warmup("epoch")
    ours = trainer(callback, max_epochs=EPOCHS)
    for fits in (1, 2):
        ours.fit_loop.max_epochs = EPOCHS * fits
        module = Line(momentum)
        ours.fit(module, loader(BATCHES))
        assert module.used == curve(interval="epoch")


def test_a_second_fit_resumes(tmp_path: Path) -> None:
    ours = trainer(warmup(), max_epochs=EPOCHS)
    ours.fit(Line(momentum), loader(BATCHES))
    ours.fit_loop.max_epochs = 2 * EPOCHS
    ours.callbacks.append(SaveEveryBatch(tmp_path))
    ours.fit(Line(momentum), loader(BATCHES))
    assert resume(tmp_path / "20.ckpt", warmup(), max_epochs=2 * EPOCHS) == curve()[20:]


def test_one_callback_in_two_trainers() -> None:
    callback = warmup()
    for _ in range(2):
        assert fit(callback, Line(momentum), max_epochs=EPOCHS, batches=BATCHES).used == curve()


def test_a_resumed_run_that_fails_at_once_loses_nothing(tmp_path: Path) -> None:
    path = saved(tmp_path, warmup(), after=5)
    settings = {"enable_checkpointing": True, "default_root_dir": tmp_path, "ckpt_path": path}
    callbacks = [LearningRateWarmup(500, "cosine"), OnExceptionCheckpoint(tmp_path, filename="failed")]
    with pytest.raises(ValueError, match="is more than the 60 steps"):
        fit(callbacks, Line(momentum), max_epochs=EPOCHS, batches=BATCHES, **settings)
    assert resume(tmp_path / "failed.ckpt", warmup()) == curve()[5:]


def test_an_idle_run_between_loses_nothing(tmp_path: Path) -> None:
    path = saved(tmp_path, warmup(), after=5)
    idle = [LearningRateWarmup(), SaveEveryBatch(tmp_path)]
    fit(idle, Line(momentum), max_epochs=EPOCHS, batches=BATCHES, ckpt_path=path)
    assert resume(tmp_path / "1.ckpt", warmup())[0] in curve()


def test_config_wins_without_a_state_too(tmp_path: Path) -> None:
    path = saved(tmp_path, lr=0.3)
    assert resume(path, warmup(resume="config"), lr=0.1) == curve(0.1)[20:]
    message = r"no state of this callback, and the lr that it was at, \[0.3\], is taken .* the config has \[0.1\]"
    with pytest.warns(UserWarning, match=message):
        assert resume(path, warmup(), lr=0.1) == curve(0.3)[20:]


@pytest.mark.filterwarnings("ignore:.*add the following callbacks")
@pytest.mark.parametrize(("before", "now"), [(None, 0), (0, None)])
def test_naming_the_optimizer_finds_the_state(before: int | None, now: int | None, tmp_path: Path) -> None:
    path = saved(tmp_path, warmup(optimizer=before), after=5)
    assert resume(path, warmup(optimizer=now)) == curve()[5:]


def test_interval_changed_is_no_longer_run(tmp_path: Path, messages: list[str]) -> None:
    path = saved(tmp_path, warmup())
    messages.clear()
    resume(path, warmup("epoch"))
    assert not [line for line in messages if "re-planned" in line]
