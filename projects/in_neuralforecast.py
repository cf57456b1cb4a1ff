"""neuralforecast: whatever a model does not know, its Trainer gets; every model brings a StepLR."""

import numpy
import pandas
from neuralforecast import NeuralForecast
from neuralforecast.models import NHITS

from lightning_warmup import LearningRateWarmup
from steps import compare, recorded

times = pandas.date_range("2020-01-01", periods=100, freq="D")
frames = [
    pandas.DataFrame({"unique_id": i, "ds": times, "y": numpy.sin(numpy.arange(100) / (3 + i))}) for i in range(4)
]
data = pandas.concat(frames)


def fit(warmup, **settings):
    model = NHITS(
        h=4,
        input_size=12,
        max_steps=20,
        learning_rate=0.01,
        callbacks=[warmup],
        enable_checkpointing=False,
        enable_progress_bar=False,
        **settings,
    )
    with recorded() as used:
        NeuralForecast(models=[model], freq="D").fit(data)
    return used


warmup = LearningRateWarmup("10%", decay="cosine", override_module_scheduler=True)
compare(fit(warmup), warmup.values(0.01, total_steps=20, steps_per_epoch=1), "overriding")

# Four halvings of its own are one every five steps, which the warmup is a factor on.
before = LearningRateWarmup("10%")
ramp = before.values(0.01, total_steps=20, steps_per_epoch=1)
compare(fit(before, num_lr_decays=4), [lr * 0.5 ** (t // 5) for t, lr in enumerate(ramp)], "composing")
