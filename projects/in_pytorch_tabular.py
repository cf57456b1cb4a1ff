"""pytorch-tabular: callbacks are an argument of fit."""

import numpy
import pandas
from pytorch_tabular import TabularModel
from pytorch_tabular.config import DataConfig, OptimizerConfig, TrainerConfig
from pytorch_tabular.models import CategoryEmbeddingModelConfig

from lightning_warmup import LearningRateWarmup
from steps import compare, recorded

random = numpy.random.default_rng(0)
data = pandas.DataFrame(random.normal(size=(320, 3)), columns=["a", "b", "y"])
model = TabularModel(
    data_config=DataConfig(target=["y"], continuous_cols=["a", "b"]),
    model_config=CategoryEmbeddingModelConfig(task="regression", learning_rate=0.01),
    optimizer_config=OptimizerConfig(),
    trainer_config=TrainerConfig(batch_size=16, max_epochs=2, accelerator="cpu", auto_lr_find=False),
)
warmup = LearningRateWarmup("10%", decay="cosine")
with recorded() as used:
    model.fit(
        train=data[:256],
        validation=data[256:],
        callbacks=[warmup],
    )
compare(used, warmup.values(0.01, total_steps=32, steps_per_epoch=16), "run")
