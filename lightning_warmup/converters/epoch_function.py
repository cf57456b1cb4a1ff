"""A decay by a function of the epoch and the batch, as SuperGradients' users write it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lightning_warmup.schedule.checks import call_function
from lightning_warmup.schedule.decays import Decay, DecayContext


@dataclass(frozen=True)
class _EpochFunctionDecay(Decay):
    """SuperGradients' ``lr_schedule_function``.

    It has a name of the inside so that no LightningCLI offers it as a choice once it is imported; a YAML may name it.

    Args:
        function: Called with the keywords ``initial_lr``, ``epoch`` (since the warmup), ``iter`` (optimizer step of
            the epoch), ``max_epoch`` (of the decay) and ``iters_per_epoch`` (optimizer steps); returns a learning rate.
            An import path in YAML.
        initial_lr: The target.
        epochs: Epochs of the decay.
    """

    function: Callable[..., float]
    initial_lr: float
    epochs: int

    def factor_at(self, tau: float, length: float) -> float:
        """None, before an epoch has a length."""
        raise ValueError(f"{self!r} has no values before it knows the epochs of a run: ask a callback's values().")

    def resolved(self, context: DecayContext) -> Decay:
        """This decay in a run whose epochs have so many steps."""
        return _InARun(self, context.intervals(type(self).__name__, "epochs", "1 epoch"), context.start)


class _InARun(Decay):
    """The function where an epoch has so many steps, and the decay begins at this one."""

    def __init__(self, written: _EpochFunctionDecay, steps_per_epoch: int, start: int) -> None:
        self._written, self._steps, self._start = written, steps_per_epoch, start

    def __repr__(self) -> str:
        return repr(self._written)

    def __str__(self) -> str:
        return "function"

    def factor_at(self, tau: float, length: float) -> float:
        written = self._written
        first = self._start // self._steps
        # The freeze of a cooldown keeps what the last step of the decay had.
        epoch, batch = divmod(int(min(tau, max(0, length - 1))) + self._start, self._steps)

        def factor(_: Any) -> float:
            lr = written.function(
                initial_lr=written.initial_lr,
                epoch=epoch - first,
                iter=batch,
                max_epoch=written.epochs,
                iters_per_epoch=self._steps,
            )
            return lr / written.initial_lr

        return call_function(self, factor, tau)
