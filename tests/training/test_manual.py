"""Manual optimization: each optimizer by its own count."""

import warnings
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch

from lightning_warmup import LearningRateWarmup
from runs import Line, RecordingSGD, fit, loader, trainer


class Adversarial(Line):
    """Two optimizers, the second stepped three times as often, as in a GAN."""

    def __init__(self, raw: bool = False) -> None:
        super().__init__(lambda m: [RecordingSGD([m.weight], lr=0.1), RecordingSGD([m.bias], lr=0.2)])
        self.automatic_optimization = False
        self.raw = raw

    def training_step(self, batch: Any, batch_idx: int) -> None:
        generator, critic = self.optimizers(use_pl_optimizer=not self.raw)
        for optimizer in (critic, critic, critic, generator):
            optimizer.zero_grad()
            self.manual_backward(self.loss(batch))
            optimizer.step()


def values(callback: LearningRateWarmup, lr: float, steps: int) -> list[float]:
    return callback.values(lr, total_steps=steps, steps_per_epoch=steps)


def test_each_optimizer_by_its_own_count() -> None:
    generator = LearningRateWarmup(4, "linear", optimizer=0, total=20)
    critic = LearningRateWarmup(12, "cosine", optimizer=1, total=60)
    module = fit([generator, critic], Adversarial(), max_epochs=2)
    first, second = module.trainer.optimizers
    assert first.lrs() == values(generator, 0.1, 20)
    assert second.lrs() == values(critic, 0.2, 60)


def test_one_callback_for_both() -> None:
    callback = LearningRateWarmup(4, "linear", total=60)
    module = fit(callback, Adversarial(), max_epochs=2)
    first, second = module.trainer.optimizers
    assert first.lrs() == values(callback, 0.1, 60)[:20]
    assert second.lrs() == values(callback, 0.2, 60)


def test_steps_past_the_given_total_are_warned_of() -> None:
    callback = LearningRateWarmup(4, "linear", total=12, optimizer=0)
    what = r"total=12\): the run goes on past the 12 steps that it was planned over, and lr stays at 0"
    with pytest.warns(UserWarning, match=what) as caught:
        module = fit(callback, Adversarial(), max_epochs=2)
    assert sum("LearningRateWarmup" in str(warning.message) for warning in caught) == 1
    assert module.trainer.optimizers[0].lrs() == values(callback, 0.1, 20)


def test_one_of_them_left_alone() -> None:
    callback = LearningRateWarmup(12, optimizer=1)
    module = fit(callback, Adversarial(), max_epochs=2)
    first, second = module.trainer.optimizers
    assert first.lrs() == [0.1] * 20
    assert second.lrs() == values(callback, 0.2, 60)


def test_epochs_are_epochs() -> None:
    callback = LearningRateWarmup(2, "linear", interval="epoch")
    module = fit(callback, Adversarial(), max_epochs=4, batches=2)
    first, second = module.trainer.optimizers
    assert first.lrs() == callback.values(0.1, total_steps=8, steps_per_epoch=2)
    assert second.lrs() == callback.values(0.2, total_steps=24, steps_per_epoch=6)


@pytest.mark.parametrize("settings", [{"warmup": 3, "decay": "linear"}, {"warmup": "10%"}])
def test_total_is_required(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"manual optimization .*total=\.\.\. in steps of this optimizer"):
        fit(LearningRateWarmup(**settings), Adversarial(), max_epochs=2)


def test_epochs_are_no_steps() -> None:
    with pytest.raises(ValueError, match=r"warmup='2 epochs'\).*manual optimization.*steps, or use interval='epoch'"):
        fit(LearningRateWarmup("2 epochs"), Adversarial(), max_epochs=2)


def test_raw_steps_are_noticed() -> None:
    with pytest.warns(UserWarning, match="stepped without Lightning knowing.*self.optimizers") as caught:
        module = fit(LearningRateWarmup(4), Adversarial(raw=True), max_epochs=1)
    assert len([w for w in caught if "without Lightning knowing" in str(w.message)]) == 1
    assert module.trainer.optimizers[1].lrs() == [0.2 / 5] * 30


@pytest.mark.filterwarnings("ignore:.*configure_optimizers. returned .None.")
def test_no_optimizer_is_no_crash() -> None:
    module = Line(lambda m: None)
    module.automatic_optimization = False
    module.training_step = lambda batch, batch_idx: None  # type: ignore[method-assign]
    with pytest.warns(UserWarning, match="nothing to act on"):
        trainer(LearningRateWarmup(4), max_epochs=1).fit(module, loader(2))


def test_manual_lbfgs() -> None:
    class Manual(Line):
        def __init__(self) -> None:
            super().__init__(lambda m: torch.optim.LBFGS(m.parameters(), lr=0.1, max_iter=4))
            self.automatic_optimization = False
            self.seen: list[float] = []

        def training_step(self, batch: Any, batch_idx: int) -> None:
            def closure() -> torch.Tensor:
                optimizer.zero_grad()
                loss = self.loss(batch)
                self.manual_backward(loss)
                return loss

            optimizer = self.optimizers()
            self.seen.append(optimizer.param_groups[0]["lr"])
            optimizer.step(closure)

    callback = LearningRateWarmup(4, "linear", total=10)
    assert fit(callback, Manual(), max_epochs=1).seen == values(callback, 0.1, 10)


@pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended")
@pytest.mark.parametrize("adam", [True, False])
def test_a_checkpoint_without_us_does_not_mix_the_counts(adam: bool, tmp_path: Path) -> None:
    def module() -> Adversarial:
        line = Adversarial()
        if adam:
            line.configure = lambda m: [
                torch.optim.Adam([m.weight], lr=0.1),
                torch.optim.Adam([m.bias], lr=0.2),
            ]
        return line

    class Save(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
            if trainer.global_step == 40:
                trainer.save_checkpoint(tmp_path / "10.ckpt")

    class Seen(pl.Callback):
        def __init__(self) -> None:
            self.lrs: list[list[float]] = [[], []]

        def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: Any, optimizer: Any) -> None:
            index = trainer.optimizers.index(optimizer)
            self.lrs[index].append(optimizer.param_groups[0]["lr"])

    fit([Save()], module(), max_epochs=2)
    callbacks = [LearningRateWarmup(15, optimizer=0), LearningRateWarmup(45, optimizer=1), seen := Seen()]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(callbacks, module(), max_epochs=2, ckpt_path=tmp_path / "10.ckpt")
    start = 10 if adam else 0
    assert any("has taken, so its schedule starts over" in str(w.message) for w in caught) != adam
    assert seen.lrs[0] == values(callbacks[0], 0.1, 40)[start : start + 10]
    assert seen.lrs[1] == values(callbacks[1], 0.2, 90)[3 * start : 3 * start + 30]


@pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended")
@pytest.mark.filterwarnings("ignore:.*has taken, so its schedule starts over")
def test_a_callback_that_is_new_takes_no_other_optimizers_state(tmp_path: Path) -> None:
    class Save(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
            if trainer.global_step == 40:
                trainer.save_checkpoint(tmp_path / "10.ckpt")

    fit([LearningRateWarmup(15, optimizer=0), Save()], Adversarial(), max_epochs=2)
    new, loaded = LearningRateWarmup(45, optimizer=1), []

    class Look(pl.Callback):
        def on_fit_start(self, *_: Any) -> None:
            loaded.append(new.state_dict())

    callbacks = [LearningRateWarmup(15, optimizer=0), new, Look()]
    fit(callbacks, Adversarial(), max_epochs=2, ckpt_path=tmp_path / "10.ckpt")
    assert set(new.state_dict()["optimizers"]) == {1}
    assert loaded == [{}]


@pytest.mark.parametrize("hook", ["on_train_start", "on_train_epoch_start"])
def test_automatic_optimization_switched_off_on_the_way(hook: str) -> None:
    class Switches(Line):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            if self.automatic_optimization:
                return self.loss(batch)
            self.optimizers().zero_grad()
            self.manual_backward(self.loss(batch))
            return self.optimizers().step()

    module = Switches()
    setattr(module, hook, lambda: setattr(module, "automatic_optimization", False))
    callback = LearningRateWarmup(15)
    assert fit(callback, module, max_epochs=2).used == callback.values(0.1, total_steps=20, steps_per_epoch=10)


@pytest.mark.parametrize("hook", ["on_train_batch_start", "on_train_batch_end", "on_train_epoch_end"])
def test_steps_outside_of_training_step(hook: str) -> None:
    class Elsewhere(Line):
        def __init__(self) -> None:
            super().__init__()
            self.automatic_optimization = False

        def training_step(self, batch: Any, batch_idx: int) -> None:
            self.step()

        def step(self, *_: Any) -> None:
            self.optimizers().zero_grad()
            self.manual_backward(self.loss([torch.ones(2, 2)]))
            self.optimizers().step()

    module = Elsewhere()
    setattr(module, hook, module.step)
    callback = LearningRateWarmup(15, "linear", total=60)
    used = fit(callback, module, max_epochs=2).used
    assert len(used) == (22 if hook == "on_train_epoch_end" else 40)
    assert used == values(callback, 0.1, 60)[: len(used)]
    assert callback.state_dict()["optimizers"][0]["steps"] == len(used)
