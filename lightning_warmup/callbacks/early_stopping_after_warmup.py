"""Early stopping that waits for the warmup."""

from typing_extensions import override

from lightning_warmup.callbacks.schedule_callback import ScheduleCallback
from lightning_warmup.training import lightning_names as pl
from lightning_warmup.training.lightning_names import Callback, EarlyStopping


class EarlyStoppingAfterWarmup(EarlyStopping):
    """Lightning's ``EarlyStopping``, whose patience does not run while a warmup of ours goes on.

    A check that falls into a warmup is left out altogether: nothing is counted, nothing is compared, and what the
    metric was is forgotten. The first check with all warmups of the Trainer's callbacks behind it is the first of all.
    By then the next step is the first that uses the target. That holds for a warmup by steps, epochs, time or β2, one
    that measures, after a resume, and by a ``resume_warmup``; of a hold, and of late groups, it knows nothing.

    Its arguments, and its state in checkpoints, are those of
    `EarlyStopping <https://lightning.ai/docs/pytorch/stable/api/lightning.pytorch.callbacks.EarlyStopping.html>`_. Use
    it in the place of that, beside a :class:`LearningRateWarmup`; without one it is that.

    >>> EarlyStoppingAfterWarmup("val_loss", patience=5).patience
    5
    """

    @override
    def _should_skip_check(self, trainer: pl.Trainer) -> bool:
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[union-attr]
        fits = [each.fit_under_way for each in callbacks if isinstance(each, ScheduleCallback)]
        return super()._should_skip_check(trainer) or any(fit is not None and fit.warming_up for fit in fits)  # type: ignore[arg-type]
