"""scvi-tools: what train does not know, the Trainer gets; the learning rate and a ReduceLROnPlateau are plan_kwargs."""

import numpy
from anndata import AnnData
from lightning.pytorch.callbacks import ModelCheckpoint
from scvi.model import SCVI

from lightning_warmup import LearningRateWarmup
from steps import compare, recorded

counts = numpy.random.default_rng(0).poisson(2.0, size=(160, 20)).astype(numpy.float32)
data = AnnData(counts)
SCVI.setup_anndata(data)


def train(warmup, ckpt_path=None, **plateau):
    save = ModelCheckpoint(dirpath="scvi", filename="{epoch}", save_top_k=-1)
    model = SCVI(data, n_hidden=8, n_latent=2)
    with recorded() as used:
        model.train(
            max_epochs=2,
            batch_size=16,
            train_size=0.8,
            plan_kwargs={"lr": 0.01, **plateau},
            callbacks=[warmup, save],
            enable_checkpointing=True,
            ckpt_path=ckpt_path,
        )
    return used


warmup = LearningRateWarmup("10%", decay="cosine")
ideal = warmup.values(0.01, total_steps=16, steps_per_epoch=8)
compare(train(warmup), ideal, "run")
compare(train(warmup, "scvi/epoch=0.ckpt"), ideal[8:], "resumed")

# Out of patience from the first, the ReduceLROnPlateau acts after every epoch, and the warmup is a factor on it.
before = LearningRateWarmup(12)
ramp = before.values(0.01, total_steps=16, steps_per_epoch=8)
used = train(before, reduce_lr_on_plateau=True, lr_patience=-1, lr_factor=0.5)
compare(used, [lr * 0.5 ** (t // 8) for t, lr in enumerate(ramp)], "composing")
