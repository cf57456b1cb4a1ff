"""A warmup before the module's own scheduler: warmup factor × what that scheduler alone would give, at every step."""

import copy
import pickle
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch.optim import lr_scheduler as torch_schedulers

from checkpoints import Killed, KillIn, SaveEveryBatch
from lightning_warmup import (
    LearningRateWarmup,
    LinearWarmup,
    Warmup,
)
from overflows import Overflows, scaled
from runs import Line, Logging, RecordingSGD, fit, loader, trainer
from schedulers import SCHEDULERS, Build
from shapes import WARMUPS
from summary import count, resume_point

pytestmark = [
    pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended"),
    pytest.mark.filterwarnings("ignore:A `OneCycleLR` scheduler is using 'interval'. 'epoch'"),
    # torch, of SequentialLR's own steps.
    pytest.mark.filterwarnings("ignore:The epoch parameter in `scheduler.step..`"),
    # torch, where a scaler skips the first step.
    pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step..` before `optimizer.step..`"),
]


def configured(build: Build, **settings: Any) -> Callable[[Line], Any]:
    def configure(module: Line) -> Any:
        groups = [{"params": [module.weight], "lr": 0.1}, {"params": [module.bias], "lr": 0.3}]
        optimizer = RecordingSGD(groups, lr=0.1, momentum=0.9)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": build(optimizer), **settings}}

    return configure


def check_ideal(alone: Line, ours: Line, warmup: LearningRateWarmup, *, epoch_steps: int) -> None:
    """Warmup factor × alone, of both groups; the momentum is as alone."""
    a, b = alone.trainer.optimizers[0], ours.trainer.optimizers[0]
    assert len(a.used) == len(b.used)
    for group in (0, 1):
        base = a.lrs(group)[0]
        factors = [v / base for v in warmup.values(base, total_steps=len(a.used), steps_per_epoch=epoch_steps)]
        ideal = [lr * factor for lr, factor in zip(a.lrs(group), factors, strict=True)]
        assert b.lrs(group) == pytest.approx(ideal, rel=1e-12, abs=1e-300)
    assert [step[0]["momentum"] for step in a.used] == [step[0]["momentum"] for step in b.used]
    count("compositions equal to the ideal", 1)


@pytest.mark.parametrize("accumulation", [1, 2])
@pytest.mark.parametrize("frequency", [1, 2])
@pytest.mark.parametrize("interval", ["step", "epoch"])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_torch_scheduler(name: str, interval: str, frequency: int, accumulation: int) -> None:
    configure = configured(SCHEDULERS[name], interval=interval, frequency=frequency)
    settings: dict[str, Any] = {"max_epochs": 6, "batches": 4, "accumulate_grad_batches": accumulation}
    warmup = LearningRateWarmup(5)
    alone, ours = fit([], Line(configure), **settings), fit(warmup, Line(configure), **settings)
    check_ideal(alone, ours, warmup, epoch_steps=4 // accumulation)


def test_every_torch_scheduler_is_here() -> None:
    there = {
        name
        for name, item in vars(torch_schedulers).items()
        if isinstance(item, type) and issubclass(item, torch_schedulers.LRScheduler) and not name.startswith("_")
    }
    assert there - set(SCHEDULERS) == {"LRScheduler", "ReduceLROnPlateau"}


@pytest.mark.parametrize(
    "warmup",
    [*(replace(row.trained, duration=5) for row in WARMUPS), LinearWarmup("25%"), LinearWarmup("1 epoch")],
    ids=str,
)
@pytest.mark.parametrize("initial", [None, 0.02, "4%"])
def test_every_warmup(warmup: Warmup, initial: Any) -> None:
    configure = configured(SCHEDULERS["StepLR"], interval="step")
    callback = LearningRateWarmup(warmup, warmup_initial_lr=initial)
    alone, ours = (fit(c, Line(configure), max_epochs=6, batches=4) for c in ([], callback))
    check_ideal(alone, ours, callback, epoch_steps=4)
    if initial == 0.02:
        assert ours.used[0] == pytest.approx(0.02, rel=1e-15)


def test_warmup_by_epoch() -> None:
    configure = configured(SCHEDULERS["StepLR"], interval="step")
    callback = LearningRateWarmup(3, interval="epoch")
    alone, ours = (fit(c, Line(configure), max_epochs=6, batches=4) for c in ([], callback))
    check_ideal(alone, ours, callback, epoch_steps=4)


class Measured(Line):
    """Logs a metric that stops falling."""

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_loss", max(1.0, 5.0 - self.current_epoch))


def plateau(o: torch.optim.Optimizer) -> Any:
    return torch_schedulers.ReduceLROnPlateau(o, factor=0.5, patience=0)


@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_reduce_on_plateau(interval: str) -> None:
    frequency = 4 if interval == "step" else 1
    configure = configured(plateau, interval=interval, frequency=frequency, monitor="val_loss")
    callback = LearningRateWarmup(20)
    modules = []
    for callbacks in ([], [callback]):
        module = Measured(configure)
        trainer(*callbacks, max_epochs=10).fit(module, loader(4), loader(1))
        modules.append(module)
    assert modules[0].used[-1] < 0.05
    check_ideal(*modules, callback, epoch_steps=4)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_steps_that_amp_skips(name: str) -> None:
    configure = configured(SCHEDULERS[name], interval="step")

    class Module(Overflows):
        def __init__(self) -> None:
            super().__init__(configure)

    warmup = LearningRateWarmup(6)
    alone, ours = (fit(c, Module(), max_epochs=2, plugins=[scaled()]) for c in ([], warmup))
    check_ideal(alone, ours, warmup, epoch_steps=10)


@pytest.mark.parametrize("name", ["StepLR", "CosineAnnealingLR", "SequentialLR", "OneCycleLR", "LambdaLR"])
@pytest.mark.parametrize("interval", ["step", "epoch"])
@pytest.mark.parametrize("ours_first", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_resume_from_any_batch(name: str, interval: str, ours_first: bool, tmp_path: Path) -> None:
    configure = configured(SCHEDULERS[name], interval=interval)
    callbacks = [LearningRateWarmup(9), SaveEveryBatch(tmp_path)]
    whole = fit(callbacks if ours_first else callbacks[::-1], Line(configure), max_epochs=5, batches=4)
    for batch in range(1, 20):
        with resume_point():
            path = tmp_path / f"{batch}.ckpt"
            resumed = fit(LearningRateWarmup(9), Line(configure), max_epochs=5, batches=4, ckpt_path=path)
            assert resumed.trainer.optimizers[0].used == whole.trainer.optimizers[0].used[batch:]
            assert torch.equal(resumed.weight, whole.weight)


def test_a_checkpoint_without_the_callback(tmp_path: Path) -> None:
    configure = configured(SCHEDULERS["StepLR"], interval="step")
    alone = fit(SaveEveryBatch(tmp_path), Line(configure), max_epochs=5, batches=4)
    ours = fit(LearningRateWarmup(9), Line(configure), max_epochs=5, batches=4, ckpt_path=tmp_path / "5.ckpt")
    factor = [value / 0.1 for value in LearningRateWarmup(9).values(0.1, total_steps=20, steps_per_epoch=4)]
    assert ours.used == pytest.approx([lr * f for lr, f in zip(alone.used[5:], factor[5:], strict=True)], rel=1e-12)


@pytest.mark.parametrize("hook", [None, "on_before_optimizer_step", "on_train_batch_end"])
def test_the_module_is_left_as_it_was_found(hook: str | None) -> None:
    module = Line(configured(SCHEDULERS["StepLR"], interval="step"))
    callbacks: list[Any] = [LearningRateWarmup(9)]
    if hook is None:
        fit(callbacks, module, max_epochs=2)
    else:
        with pytest.raises(Killed):
            fit([*callbacks, KillIn(hook, 5)], module, max_epochs=2)
    assert "lr_scheduler_step" not in vars(module)
    module.configure = None
    module.trainer = None
    pickle.dumps(module)


def test_a_hook_of_the_modules_own_is_kept() -> None:
    calls: list[Any] = []

    class Own(Line):
        def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
            calls.append(scheduler.get_last_lr()[0])
            super().lr_scheduler_step(scheduler, metric)

    module = Own(configured(SCHEDULERS["StepLR"], interval="step"))
    callback = LearningRateWarmup(9)
    fit(callback, module, max_epochs=2)
    assert len(calls) == 20
    assert calls[0] == 0.1


def test_a_second_fit_is_clean() -> None:
    configure = configured(SCHEDULERS["StepLR"], interval="step")
    callback = LearningRateWarmup(9)
    ours = trainer(callback, max_epochs=2)
    used = []
    for fits in (1, 2):
        ours.fit_loop.max_epochs = 2 * fits
        module = Line(configure)
        ours.fit(module, loader(10))
        used.append(module.used)
    assert used[0] == used[1]


def test_a_decay_of_ours_beside_theirs_names_the_way_out() -> None:
    configure = configured(SCHEDULERS["StepLR"])
    with pytest.raises(MisconfigurationException, match=r"StepLR would both decay.*override_module_scheduler=True"):
        fit(LearningRateWarmup(5, "cosine"), Line(configure), max_epochs=2)


def test_a_target_is_refused() -> None:
    configure = configured(SCHEDULERS["StepLR"])
    with pytest.raises(MisconfigurationException, match=r"target_lr=0\.5\).*StepLR says where the warmup leads"):
        fit(LearningRateWarmup(5, target_lr=0.5), Line(configure), max_epochs=2)


def test_manual_optimization_is_refused() -> None:
    module = Line(configured(SCHEDULERS["StepLR"]))
    module.automatic_optimization = False
    with pytest.raises(MisconfigurationException, match="manual optimization, where the module steps its scheduler"):
        fit(LearningRateWarmup(5), module, max_epochs=2)


def test_nothing_to_be_a_factor_of() -> None:
    from_zero = configured(lambda o: torch_schedulers.LambdaLR(o, lambda t: t / 10), interval="step")
    with pytest.raises(ValueError, match=r"warmup_initial_lr=0\.01\) has nothing to be a factor of"):
        fit(LearningRateWarmup(5, warmup_initial_lr=0.01), Line(from_zero), max_epochs=2)
    used = fit(LearningRateWarmup(4), Line(from_zero), max_epochs=2).used
    factors = [0.2, 0.4, 0.6, 0.8, *[1.0] * 16]
    assert used == pytest.approx([0.1 * t / 10 * factor for t, factor in enumerate(factors)])


def test_nothing_configured_leaves_their_scheduler_alone() -> None:
    configure = configured(SCHEDULERS["StepLR"], interval="step")
    alone, ours = (fit(c, Line(configure), max_epochs=2) for c in ([], LearningRateWarmup()))
    assert alone.used == ours.used


@pytest.mark.filterwarnings("ignore:.*has replaced the optimizer's own lr")
@pytest.mark.parametrize("interval", ["step", "epoch"])
@pytest.mark.parametrize("name", [*SCHEDULERS, "ReduceLROnPlateau"])
def test_override(name: str, interval: str) -> None:
    build = {**SCHEDULERS, "ReduceLROnPlateau": plateau}[name]
    configure = configured(build, interval=interval, monitor="train_loss")
    callback = LearningRateWarmup(5, "cosine", override_module_scheduler=True)
    used = fit(callback, Logging(configure), max_epochs=4, batches=4).trainer.optimizers[0].used
    # The lr of the optimizer, before any scheduler touched it; these two replace it when they are made.
    base = {"CyclicLR": 0.01, "OneCycleLR": 0.2 / 25}.get(name, 0.1)
    assert [step[0]["lr"] for step in used] == callback.values(base, total_steps=16, steps_per_epoch=4)
    assert len({step[0]["momentum"] for step in used}) == 1


def test_override_says_what_is_without_effect(messages: list[str]) -> None:
    configure = configured(SCHEDULERS["StepLR"])
    fit(LearningRateWarmup(5, "cosine", override_module_scheduler=True), Line(configure), max_epochs=2)
    assert any("the module's StepLR is without effect" in line for line in messages)


def test_override_resumes(tmp_path: Path) -> None:
    configure = configured(SCHEDULERS["SequentialLR"], interval="step")

    def warmup() -> LearningRateWarmup:
        return LearningRateWarmup(9, "cosine", override_module_scheduler=True)

    whole = fit([warmup(), SaveEveryBatch(tmp_path)], Line(configure), max_epochs=5, batches=4)
    for batch in (1, 4, 9, 19):
        resumed = fit(warmup(), Line(configure), max_epochs=5, batches=4, ckpt_path=tmp_path / f"{batch}.ckpt")
        assert resumed.used == whole.used[batch:]


def test_the_line_says_what_is_composed(messages: list[str]) -> None:
    fit(LearningRateWarmup(4), Line(configured(SCHEDULERS["StepLR"])), max_epochs=2)
    assert any("times what the module's StepLR gives" in line for line in messages)


def test_a_scheduler_from_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """``--lr_scheduler`` beside our key: LightningCLI steps it once per epoch."""
    from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

    class Plain(Line):
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[float] = []

        def on_before_optimizer_step(self, optimizer: Any) -> None:
            self.seen.append(optimizer.param_groups[0]["lr"])

        def train_dataloader(self) -> Any:
            return loader(4)

    # LightningCLI writes configure_optimizers where the module has none of its own.
    Plain.configure_optimizers = LightningModule.configure_optimizers  # type: ignore[method-assign]

    class CLI(LightningCLI):
        def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
            parser.add_lightning_class_args(LearningRateWarmup, "lr_warmup")

    arguments = ["--optimizer=SGD", "--optimizer.lr=0.1", "--lr_scheduler=StepLR", "--lr_scheduler.step_size=2"]
    quiet = ["logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"]
    arguments += [f"--trainer.{name}=false" for name in quiet]
    arguments += ["--trainer.max_epochs=6", "--trainer.accelerator=cpu", "--lr_warmup.warmup=5"]
    monkeypatch.setattr(sys, "argv", ["train.py", "fit", *arguments])
    cli = CLI(Plain, save_config_callback=None, seed_everything_default=1)
    factors = [value / 0.1 for value in LearningRateWarmup(5).values(0.1, total_steps=24, steps_per_epoch=4)]
    alone = [0.1 * 0.1 ** (step // 4 // 2) for step in range(24)]
    expected = [lr * factor for lr, factor in zip(alone, factors, strict=True)]
    assert cli.model.seen == pytest.approx(expected, rel=1e-12)


class Copied(Line):
    """Pickles and copies itself in mid-run, without its Trainer."""

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_trainer": None, "configure": None}

    def on_train_batch_end(self, *_: Any) -> None:
        if self.global_step == 3:
            self.hook = vars(self)["lr_scheduler_step"]
            self.twins = [copy.deepcopy(self), pickle.loads(pickle.dumps(self))]


@pytest.mark.parametrize("override", [False, True])
def test_a_module_can_be_pickled_and_copied_in_mid_run(override: bool) -> None:
    module = Copied(configured(SCHEDULERS["StepLR"], interval="step"))
    decay = "cosine" if override else None
    fit(LearningRateWarmup(9, decay, override_module_scheduler=override), module, max_epochs=2)
    for twin in module.twins:
        # The twin's hook is its own, and bare.
        assert twin.lr_scheduler_step.__self__ is twin
        assert twin.lr_scheduler_step.__func__ is Line.lr_scheduler_step


def test_override_of_a_scheduler_that_replaced_the_lr_warns() -> None:
    configure = configured(SCHEDULERS["OneCycleLR"], interval="step")
    warmup = LearningRateWarmup(5, "cosine", override_module_scheduler=True)
    with pytest.warns(
        UserWarning,
        match=r"OneCycleLR has replaced the optimizer's own lr.*0\.008 is.* up to 0\.2\. Give target_lr=0\.2",
    ):
        fit(warmup, Line(configure), max_epochs=2)


def test_override_alone_silences_their_scheduler() -> None:
    configure = configured(SCHEDULERS["StepLR"], interval="step")
    assert fit(LearningRateWarmup(override_module_scheduler=True), Line(configure), max_epochs=2).used == [0.1] * 20
    with pytest.raises(ValueError, match=r"override_module_scheduler='yes'\): expected True or False"):
        LearningRateWarmup(override_module_scheduler="yes")  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore:.*add the following callbacks")
def test_resumed_without_the_modules_scheduler_the_target_is_the_base(tmp_path: Path) -> None:
    """The state of a composed run holds factors; none of them may become a learning rate."""
    composed = configured(SCHEDULERS["StepLR"], interval="step")
    fit([LearningRateWarmup(9), SaveEveryBatch(tmp_path)], Line(composed), max_epochs=2)
    groups = [{"lr": 0.1}, {"lr": 0.3}]

    def alone(module: Line) -> RecordingSGD:
        parameters = [[module.weight], [module.bias]]
        return RecordingSGD([{**g, "params": p} for g, p in zip(groups, parameters, strict=True)], lr=0.1, momentum=0.9)

    plain = Line(alone)
    warmup = LearningRateWarmup(9, "cosine")
    used = fit(warmup, plain, max_epochs=2, ckpt_path=tmp_path / "5.ckpt").used
    assert used == warmup.values(0.1, total_steps=20, steps_per_epoch=10)[5:]


def test_a_scheduler_that_is_there_from_a_resume_on(tmp_path: Path) -> None:
    fit([LearningRateWarmup(18), SaveEveryBatch(tmp_path)], max_epochs=2)

    def constant(module: Line) -> Any:
        optimizer = RecordingSGD(module.parameters(), lr=0.1)
        scheduler = torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0, 1)
        return [optimizer], [{"scheduler": scheduler, "interval": "step"}]

    for batch in (3, 13, 19):
        warmup = LearningRateWarmup(18)
        resumed = fit(warmup, Line(constant), max_epochs=2, ckpt_path=tmp_path / f"{batch}.ckpt")
        assert resumed.used == pytest.approx(warmup.values(0.1, total_steps=20, steps_per_epoch=10)[batch:], rel=1e-12)


class LateGroup(pl.Callback):
    def __init__(self, path: Path | None = None) -> None:
        self.path = path

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        if trainer.global_step == 5 and self.path:
            trainer.optimizers[0].add_param_group({"params": [pl_module.extra], "lr": 0.05})
            trainer.save_checkpoint(self.path)


class WithExtra(Logging):
    def __init__(self, scheduler: str | None, two: bool = False) -> None:
        super().__init__()
        self.scheduler, self.two = scheduler, two
        self.extra = torch.nn.Parameter(torch.zeros(1))

    def configure_optimizers(self) -> Any:
        optimizer = RecordingSGD([self.weight, self.bias], lr=0.1)
        if self.two:
            optimizer.add_param_group({"params": [self.extra], "lr": 0.05})
        if self.scheduler is None:
            return optimizer
        if self.scheduler == "plateau":
            plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=99)
            return [optimizer], [{"scheduler": plateau, "interval": "step", "monitor": "train_loss"}]
        step = torch.optim.lr_scheduler.StepLR(optimizer, 99)
        return [optimizer], [{"scheduler": step, "interval": "step"}]


@pytest.mark.filterwarnings("ignore:.*came after training began")
@pytest.mark.parametrize("ours_first", [True, False])
@pytest.mark.parametrize("then", [None, "step", "plateau"])
@pytest.mark.parametrize("first", [None, "step", "plateau"])
def test_a_late_group_with_and_without_a_scheduler(
    first: str | None, then: str | None, ours_first: bool, tmp_path: Path
) -> None:
    """Saved by the very callback that adds the group; the schedulers change nothing, so all runs are alike."""
    path = tmp_path / "late.ckpt"
    callbacks: list[pl.Callback] = [LearningRateWarmup(8), LateGroup(path)]
    whole = fit(callbacks if ours_first else callbacks[::-1], WithExtra(first), max_epochs=1)
    resumed = fit(LearningRateWarmup(8), WithExtra(then, two=True), max_epochs=1, ckpt_path=path)
    for group in (0, 1):
        tail = [step[group]["lr"] for step in whole.trainer.optimizers[0].used[5:]]
        assert resumed.trainer.optimizers[0].lrs(group) == pytest.approx(tail, rel=1e-12)


# --- a scheduler that is not what it seems ---------------------------------------------------------------------------


def rising(module: Line) -> Any:
    """As chemprop's: an optimizer at 0.01, and a scheduler that goes up to ten times that and down again."""
    optimizer = RecordingSGD(module.parameters(), lr=0.01)

    def factor(step: int) -> float:
        return 1 + 9 * step / 5 if step < 5 else 10 * 0.9 ** (step - 5)

    scheduler = torch_schedulers.LambdaLR(optimizer, factor)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def test_overriding_a_scheduler_that_would_have_gone_higher_is_told() -> None:
    message = (
        r"the module's LambdaLR would have gone up to 0.1, and the schedule in its place leads to 0.01, the optimizer's"
        r" own lr. Give target_lr=0.1 to go as high, or target_lr=0.01 if that is meant."
    )
    callback = LearningRateWarmup(3, "cosine", override_module_scheduler=True)
    with pytest.warns(UserWarning, match=message) as caught:
        used = fit(callback, Line(rising), max_epochs=2).used
    assert sum("would have gone up" in str(warning.message) for warning in caught) == 1
    assert used == callback.values(0.01, total_steps=20, steps_per_epoch=10)
    # Told what is meant, nothing is said.
    callback = LearningRateWarmup(3, "cosine", override_module_scheduler=True, target_lr=0.1)
    assert fit(callback, Line(rising), max_epochs=2).used == callback.values(0.01, total_steps=20, steps_per_epoch=10)


def test_overriding_one_that_only_falls_is_not(messages: list[str]) -> None:
    callback = LearningRateWarmup(3, "cosine", override_module_scheduler=True)

    def falling(module: Line) -> Any:
        optimizer = RecordingSGD(module.parameters(), lr=0.01)
        return [optimizer], [torch_schedulers.StepLR(optimizer, 1)]

    fit(callback, Line(falling), max_epochs=2)


def test_two_ramps_are_told(messages: list[str]) -> None:
    fit(LearningRateWarmup(4), Line(rising), max_epochs=1)
    assert [line for line in messages if "times what" in line] == [
        "LearningRateWarmup: factor 0.2 → 1 over 4 steps, then constant, times what the module's LambdaLR gives,"
        " which rises by itself: lr starts at 0.002"
    ]


def test_what_is_tried_on_a_copy_leaves_the_scheduler_as_it_was() -> None:
    module = Line(rising)
    used = fit(LearningRateWarmup(3, "cosine", override_module_scheduler=True, target_lr=0.1), module, max_epochs=1)
    other = Line(rising)
    with pytest.warns(UserWarning, match="would have gone up"):
        fit(LearningRateWarmup(3, "cosine", override_module_scheduler=True), other, max_epochs=1)
    states = [m.trainer.lr_scheduler_configs[0].scheduler.state_dict() for m in (used, other)]
    assert states[0] == states[1]


class StepsItsScheduler(Line):
    """Manual optimization that steps its scheduler itself, after every step."""

    def __init__(self) -> None:
        super().__init__(rising_slowly)
        self.automatic_optimization = False

    def training_step(self, batch: Any, batch_idx: int) -> None:
        optimizer: Any = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(self.loss(batch))
        optimizer.step()
        self.lr_schedulers().step()  # type: ignore[union-attr, call-arg]


def rising_slowly(module: Line) -> Any:
    optimizer = RecordingSGD(module.parameters(), lr=0.1)
    return [optimizer], [torch_schedulers.StepLR(optimizer, 3, 0.5)]


def test_overriding_in_manual_optimization_where_the_module_steps_its_scheduler() -> None:
    callback = LearningRateWarmup(4, "cosine", total=20, override_module_scheduler=True)
    assert fit(callback, StepsItsScheduler(), max_epochs=2).used == callback.values(
        0.1, total_steps=20, steps_per_epoch=10
    )
