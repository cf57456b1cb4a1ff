"""darts: a TCN on a sine, by pl_trainer_kwargs. It pickles the callbacks with the model."""

import numpy
from darts import TimeSeries
from darts.models import TCNModel

from lightning_warmup import LearningRateWarmup
from steps import compare, recorded

series = TimeSeries.from_values(numpy.sin(numpy.arange(200) / 5).astype(numpy.float32))
warmup = LearningRateWarmup("10%", decay="cosine", total="4 epochs")
model = TCNModel(
    input_chunk_length=12,
    output_chunk_length=4,
    n_epochs=2,
    optimizer_kwargs={"lr": 0.01},
    pl_trainer_kwargs={"callbacks": [warmup]},
    model_name="warmed",
    work_dir="darts",
    save_checkpoints=True,
)
with recorded() as used:
    model.fit(series)
steps = len(used) // 2
ideal = warmup.values(0.01, total_steps=4 * steps, steps_per_epoch=steps)
compare(used, ideal[: 2 * steps], "run")

model = TCNModel.load_from_checkpoint("warmed", work_dir="darts", best=False, trusted=True)
with recorded() as used:
    model.fit(series, epochs=4)
compare(used, ideal[2 * steps :], "resumed")
