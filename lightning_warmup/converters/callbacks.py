"""The callbacks that a conversion describes."""

from lightning_utilities.core.rank_zero import rank_zero_info

from lightning_warmup.callbacks.learning_rate_warmup import LearningRateWarmup
from lightning_warmup.callbacks.schedule_callback import ScheduleCallback
from lightning_warmup.converters.conversion import Conversion
from lightning_warmup.view.plain_config import built


def callbacks_of(call: str, conversion: Conversion) -> list[ScheduleCallback]:
    """What the YAML of a conversion would configure; its comments are logged, as of the function ``call``."""
    owner = "LearningRateWarmup"
    values = {name: built(owner, name, value) for name, value in conversion.parameters.items()}
    for note in conversion.notes:
        rank_zero_info(f"{call}: {note}")
    return [LearningRateWarmup(**values)]
