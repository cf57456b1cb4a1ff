"""finetuning-scheduler, which unfreezes a layer in its second phase and puts it into the optimizer."""

from math import isclose

from finetuning_scheduler import FinetuningScheduler, FTSCheckpoint
from lightning.pytorch import Trainer
from lightning.pytorch.demos.boring_classes import BoringModel
from torch import nn
from torch.optim import SGD

from lightning_warmup import LearningRateWarmup
from steps import compare, recorded


class TwoLayers(BoringModel):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Linear(32, 32)

    def forward(self, x):
        return self.layer(self.backbone(x))

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self.loss(self(batch)))

    def configure_optimizers(self):
        return SGD([p for p in self.parameters() if p.requires_grad], lr=0.1)


def fit(ckpt_path=None):
    schedule = {
        0: {"params": ["layer.bias", "layer.weight"], "max_transition_epoch": 1},
        1: {"params": ["backbone.bias", "backbone.weight"], "max_transition_epoch": 2, "lr": 0.01},
    }
    checkpoint = FTSCheckpoint(monitor="val_loss", save_top_k=-1, filename="{epoch}")
    trainer = Trainer(
        max_epochs=2,
        callbacks=[
            FinetuningScheduler(ft_schedule=schedule, epoch_transitions_only=True),
            LearningRateWarmup("10%", decay="cosine"),
            checkpoint,
        ],
    )
    with recorded() as used:
        trainer.fit(TwoLayers(), ckpt_path=ckpt_path)
    return used, checkpoint.dirpath


ideal = LearningRateWarmup("10%", decay="cosine").values(0.1, total_steps=128, steps_per_epoch=64)
used, folder = fit()
compare(used, ideal, "run")
late = [lrs[1] for lrs in used[64:]]
assert all(isclose(lr, 0.01 * first / ideal[64]) for lr, first in zip(late, ideal[64:], strict=True))
resumed, _ = fit(f"{folder}/epoch=0.ckpt")
compare(resumed, ideal[64:], "resumed")
assert resumed == used[64:]
