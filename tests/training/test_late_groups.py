"""Param groups that come while training runs."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import BackboneFinetuning, BaseFinetuning
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from checkpoints import SaveEveryBatch
from lightning_warmup import LearningRateWarmup
from runs import Line, RecordingSGD, fit

pytestmark = pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended")


class WithBackbone(Line):
    """A line whose weight is a backbone."""

    def __init__(self) -> None:
        super().__init__(lambda m: RecordingSGD([p for p in m.parameters() if p.requires_grad], lr=0.1, momentum=0.9))
        self.backbone = torch.nn.Linear(2, 2)
        torch.nn.init.ones_(self.backbone.weight)

    def loss(self, batch: Any) -> torch.Tensor:
        return ((self.backbone(batch[0]) @ self.weight + self.bias - 1) ** 2).mean()


class Unfreeze(BaseFinetuning):
    def freeze_before_training(self, pl_module: pl.LightningModule) -> None:
        self.freeze(pl_module.backbone)

    def finetune_function(self, pl_module: pl.LightningModule, epoch: int, optimizer: Any) -> None:
        if epoch == 1:
            self.unfreeze_and_add_param_group(pl_module.backbone, optimizer, lr=0.02)


def lrs(module: Line, group: int) -> list[float]:
    return [step[group]["lr"] for step in module.trainer.optimizers[0].used if len(step) > group]


@pytest.mark.parametrize("ours_first", [True, False])
@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_they_follow_the_first_group_from_where_they_are(ours_first: bool, interval: Any) -> None:
    warmup = LearningRateWarmup(15 if interval == "step" else 2, "cosine", interval=interval)
    callbacks = [warmup, Unfreeze()]
    with pytest.warns(UserWarning, match=r"1 param group\(s\) came after training began, with lr=0.02") as caught:
        module = fit(callbacks if ours_first else callbacks[::-1], WithBackbone(), max_epochs=4)
    assert len([w for w in caught if "came after" in str(w.message)]) == 1
    first, late = lrs(module, 0), lrs(module, 1)
    assert first == warmup.values(0.1, total_steps=40, steps_per_epoch=10)
    assert len(late) == 30
    assert late == pytest.approx([0.02 / first[10] * lr for lr in first[10:]], rel=1e-12)


@pytest.mark.filterwarnings("ignore:.*came after training began")
@pytest.mark.parametrize("ours_first", [True, False])
def test_resume_with_them(ours_first: bool, tmp_path: Path) -> None:
    def callbacks() -> list[pl.Callback]:
        ours: list[pl.Callback] = [LearningRateWarmup(15, "cosine"), Unfreeze()]
        return ours if ours_first else ours[::-1]

    whole = fit([*callbacks(), SaveEveryBatch(tmp_path)], WithBackbone(), max_epochs=4)
    # Learning rates only: Lightning resumes BaseFinetuning with the backbone frozen again, with us or without. And not
    # at 10, the end of epoch 0: it then skips the hook that would unfreeze.
    for batch in (3, 9, 11, 20, 25, 39):
        resumed = fit(callbacks(), WithBackbone(), max_epochs=4, ckpt_path=tmp_path / f"{batch}.ckpt")
        for group in (0, 1):
            tail = lrs(resumed, group)
            assert tail == lrs(whole, group)[len(lrs(whole, group)) - len(tail) :]


def test_backbone_finetuning_writes_too_and_we_win() -> None:
    warmup = LearningRateWarmup(5, "linear")
    finetuning = BackboneFinetuning(1, lambda epoch: 1.5, backbone_initial_ratio_lr=0.1)
    with pytest.warns(UserWarning) as caught:
        module = fit([warmup, finetuning], WithBackbone(), max_epochs=4)
    texts = [str(w.message) for w in caught]
    assert len([t for t in texts if "came after" in t]) == 1
    assert len([t for t in texts if "Something else wrote 'lr' of the param group 'group 1'" in t]) == 1
    first, late = lrs(module, 0), lrs(module, 1)
    assert first == warmup.values(0.1, total_steps=40, steps_per_epoch=10)
    assert late == pytest.approx([0.1 * lr for lr in first[10:]], rel=1e-12)


class AddAtTheEnd(pl.Callback):
    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch == 1:
            extra = torch.nn.Parameter(torch.zeros(1))
            trainer.optimizers[0].add_param_group({"params": [extra], "lr": 0.5})


def test_a_group_that_comes_when_the_first_stands_at_zero() -> None:
    with pytest.warns(UserWarning, match="came after"):
        module = fit([LearningRateWarmup(2, "linear", total=10), AddAtTheEnd()], Line(), max_epochs=2)
    assert lrs(module, 1) == [0.0] * 10


class AddsInMidEpoch(Line):
    def training_step(self, batch: Any, batch_idx: int) -> Any:
        if self.trainer.global_step == 3:
            extra = torch.nn.Parameter(torch.zeros(1))
            self.trainer.optimizers[0].add_param_group({"params": [extra], "lr": 0.05})
        return super().training_step(batch, batch_idx)


def test_a_group_that_the_module_adds_in_mid_epoch() -> None:
    with pytest.warns(UserWarning, match=r"with lr=0.05 at step 3") as caught:
        module = fit(LearningRateWarmup(5), AddsInMidEpoch(), max_epochs=1)
    assert not [w for w in caught if "Something else" in str(w.message)]  # nobody overwrote anything
    first, late = lrs(module, 0), lrs(module, 1)
    assert late == pytest.approx([0.05 / first[3] * lr for lr in first[3:]], rel=1e-12)


class AddsAfterTheFirstStep(pl.Callback):
    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        (optimizer,) = trainer.optimizers
        if len(optimizer.param_groups) == 1:
            lr = optimizer.param_groups[0]["lr"]
            extra = torch.nn.Parameter(torch.zeros(1))
            optimizer.add_param_group({"params": [extra], "lr": lr / 2 if isinstance(lr, float) else lr.clone() / 2})


@pytest.mark.parametrize("lr", [0.1, torch.tensor(0.1, dtype=torch.float64)], ids=["float", "tensor"])
def test_a_group_that_comes_before_our_batch_end(lr: Any) -> None:
    module = Line(lambda m: RecordingSGD(m.parameters(), lr=lr))
    with pytest.warns(UserWarning, match=r"1 param group\(s\) came after") as caught:
        fit([AddsAfterTheFirstStep(), LearningRateWarmup(5)], module, max_epochs=1)
    assert not [w for w in caught if "Something else" in str(w.message)]
    first, late = lrs(module, 0), lrs(module, 1)
    # Halfway up the first step, by the value of the second.
    assert late == pytest.approx([late[0] / first[1] * lr for lr in first[1:]], rel=1e-12)


class Removes(pl.Callback):
    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step == 3:
            del trainer.optimizers[0].param_groups[0]


def test_a_group_that_is_taken_away() -> None:
    groups = [("first", 0.1), ("second", 0.2)]
    module = Line(
        lambda m: RecordingSGD(
            [
                {"params": [parameter], "name": name, "lr": lr}
                for parameter, (name, lr) in zip(m.parameters(), groups, strict=True)
            ],
            lr=0.1,
        )
    )
    callback = LearningRateWarmup(5, warmup_initial_lr={"first": 0.05, "second": 0.01})
    with pytest.warns(UserWarning, match=r"1 param group\(s\) were taken from the optimizer at step 3 \(group 0\)"):
        fit([callback, Removes()], module, max_epochs=1)
    expected = callback.values({"first": 0.1, "second": 0.2}, total_steps=10, steps_per_epoch=10)
    assert lrs(module, 0) == expected["first"][:3] + expected["second"][3:]


@pytest.mark.filterwarnings("ignore:.*came after training began")
def test_the_config_wins_only_before_a_fine_tuning_callback(tmp_path: Path) -> None:
    fit([LearningRateWarmup(15), Unfreeze(), SaveEveryBatch(tmp_path)], WithBackbone(), max_epochs=2)

    def resume(*callbacks: pl.Callback) -> Line:
        module = WithBackbone()
        module.configure = lambda m: RecordingSGD([p for p in m.parameters() if p.requires_grad], lr=0.7)
        return fit(list(callbacks), module, max_epochs=2, ckpt_path=tmp_path / "3.ckpt")

    ours = LearningRateWarmup(15, resume="config")
    assert lrs(resume(ours, Unfreeze()), 0) == ours.values(0.7, total_steps=20, steps_per_epoch=10)[3:]
    with pytest.raises(MisconfigurationException, match=r"resume='config'\) comes after a fine-tuning callback"):
        resume(Unfreeze(), LearningRateWarmup(15, resume="config"))


class AddsIn(Line):
    def on_before_optimizer_step(self, optimizer: Any) -> None:
        if self.trainer.global_step == 2:
            lr = optimizer.param_groups[0]["lr"]
            optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr})


@pytest.mark.filterwarnings("ignore:.*came after training began")
def test_a_group_that_the_module_adds_just_before_the_step() -> None:
    module = fit(LearningRateWarmup(5), AddsIn(), max_epochs=1)
    assert lrs(module, 1) == pytest.approx(lrs(module, 0)[2:], rel=1e-12)
