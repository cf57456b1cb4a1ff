"""pytorch-forecasting: the Trainer is yours; every model brings a ReduceLROnPlateau."""

import numpy
import pandas
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from pytorch_forecasting import NBeats, TimeSeriesDataSet

from lightning_warmup import LearningRateWarmup
from steps import compare, recorded

t = numpy.arange(100)
frames = [pandas.DataFrame({"t": t, "y": numpy.sin(t / (3 + i)), "series": str(i)}) for i in range(4)]
data = pandas.concat(frames, ignore_index=True)
dataset = TimeSeriesDataSet(
    data,
    time_idx="t",
    target="y",
    group_ids=["series"],
    max_encoder_length=12,
    max_prediction_length=4,
    time_varying_unknown_reals=["y"],
)
loader = dataset.to_dataloader(train=True, batch_size=32)


def fit(ckpt_path=None):
    model = NBeats.from_dataset(dataset, learning_rate=0.01, optimizer="adam")
    warmup = LearningRateWarmup("10%", decay="cosine", override_module_scheduler=True)
    save = ModelCheckpoint(dirpath="forecasting", filename="{epoch}", save_top_k=-1)
    trainer = Trainer(max_epochs=2, callbacks=[warmup, save], enable_progress_bar=False)
    with recorded() as used:
        trainer.fit(model, loader, loader, ckpt_path=ckpt_path, weights_only=False)
    return used


steps = len(loader)
ideal = LearningRateWarmup("10%", decay="cosine").values(0.01, total_steps=2 * steps, steps_per_epoch=steps)
compare(fit(), ideal, "run")
compare(fit("forecasting/epoch=0.ckpt"), ideal[steps:], "resumed")
