"""Hydra: callbacks as one dictionary of nodes with a _target_, each of which hydra.utils.instantiate makes."""

from pathlib import Path

import hydra
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.demos.boring_classes import BoringModel
from omegaconf import OmegaConf
from torch.optim import SGD

from lightning_warmup import LearningRateWarmup
from steps import compare, recorded

config = OmegaConf.create("""
callbacks:
  lr_warmup:
    _target_: lightning_warmup.LearningRateWarmup
    warmup: 10%
    decay:
      _target_: lightning_warmup.CosineDecay
      final: 0.1
    warmup_initial_lr: {default: 0.001}
""")


class Model(BoringModel):
    def configure_optimizers(self):
        return SGD(self.parameters(), lr=0.1)


def fit(ckpt_path=None):
    callbacks = [hydra.utils.instantiate(node) for node in config.callbacks.values()]
    save = ModelCheckpoint(dirpath="hydra", filename="{epoch}", save_top_k=-1)
    trainer = Trainer(max_epochs=2, callbacks=[*callbacks, save], enable_progress_bar=False)
    with recorded() as used:
        trainer.fit(Model(), ckpt_path=ckpt_path)
    return used


warmup: LearningRateWarmup = hydra.utils.instantiate(config.callbacks.lr_warmup)
ideal = warmup.values(0.1, total_steps=128, steps_per_epoch=64)
compare(fit(), ideal, "run")
compare(fit(Path("hydra/epoch=0.ckpt")), ideal[64:], "resumed")
