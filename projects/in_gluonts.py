"""gluonts: callbacks in trainer_kwargs; a loader without a length, and in DeepAR a ReduceLROnPlateau."""

import numpy
from gluonts.dataset.common import ListDataset
from gluonts.torch.model.deepar import DeepAREstimator
from lightning.pytorch.callbacks import ModelCheckpoint

from lightning_warmup import LearningRateWarmup
from steps import compare, recorded

series = [{"start": "2020-01-01", "target": numpy.sin(numpy.arange(100) / (3 + i))} for i in range(4)]
data = ListDataset(series, freq="D")


def deepar(warmup, **settings):
    save = ModelCheckpoint(dirpath="gluonts", filename="{epoch}", save_top_k=-1)
    return DeepAREstimator(
        freq="D",
        prediction_length=4,
        lr=0.01,
        num_batches_per_epoch=8,
        trainer_kwargs={"max_epochs": 2, "callbacks": [warmup, save]},
        **settings,
    )


def train(estimator, ckpt_path=None):
    with recorded() as used:
        estimator.train(data, ckpt_path=ckpt_path)
    return used


warmup = LearningRateWarmup("10%", decay="cosine", total="16 steps", override_module_scheduler=True)
ideal = warmup.values(0.01, total_steps=16, steps_per_epoch=8)
estimator = deepar(warmup)
compare(train(estimator), ideal, "run")
assert train(estimator) == [[0.01]] * 16  # the second Trainer of an estimator gets no callbacks at all
compare(train(deepar(warmup), "gluonts/epoch=0.ckpt"), ideal[8:], "resumed")

# Out of patience from the first, the ReduceLROnPlateau halves after every epoch, and the warmup is a factor on that.
before = LearningRateWarmup(12)
ramp = before.values(0.01, total_steps=16, steps_per_epoch=8)
compare(train(deepar(before, patience=-1)), [lr * 0.5 ** (t // 8) for t, lr in enumerate(ramp)], "composing")
