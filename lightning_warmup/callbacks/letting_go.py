"""Nothing of a run is kept alive by a callback when the run is over."""

from typing import Any

from lightning_warmup.training import lightning_names as pl
from lightning_warmup.training.last_moment import forget_the_last_moment


class _LetsGo(pl.Callback):
    """Drops, at the end of a ``fit``, the module's ``log`` and ``log_dict``, which Lightning sets on every callback.

    They are bound methods: through them a callback would hold the module, its Trainer and the optimizers, and a pickle
    of it three copies of the model.
    """

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Let go after an exception."""
        forget_the_last_moment(pl_module)
        self._let_go()

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Let go when all is done."""
        forget_the_last_moment(pl_module)
        self._let_go()

    def _let_go(self) -> None:
        attributes: dict[str, Any] = vars(self)
        attributes.pop("log", None)
        attributes.pop("log_dict", None)
