"""The last moment before an optimizer's step: nobody changes its gradients any more."""

from collections.abc import Callable
from typing import Any

from lightning_warmup.training import lightning_names as pl

HOOK = "configure_gradient_clipping"
"""Of the module's hooks the last before a step; it runs after ``on_before_optimizer_step`` of all callbacks and of the
module, which may change gradients, too."""


class _AfterClipping:
    """Stands in for the hook, once, and does what is to be done after it."""

    def __init__(self, pl_module: pl.LightningModule) -> None:
        self._attributes = vars(pl_module)
        self._own = self._attributes.get(HOOK)
        self._clip: Any = getattr(pl_module, HOOK)
        self.actions: list[Callable[[], None]] = []
        self.last_actions: list[Callable[[], None]] = []
        self._attributes[HOOK] = self

    def __call__(self, *arguments: Any, **settings: Any) -> None:
        actions = [*self.actions, *self.last_actions]
        self.remove()
        self._clip(*arguments, **settings)
        for action in actions:
            action()

    def remove(self) -> None:
        """Do nothing any more; whoever has come since calls us, and we pass on."""
        self.actions, self.last_actions = [], []
        if self._attributes.get(HOOK) is not self:
            return
        if self._own is None:
            del self._attributes[HOOK]
        else:
            self._attributes[HOOK] = self._own


def at_the_last_moment(pl_module: pl.LightningModule, action: Callable[[], None], *, last: bool = False) -> None:
    """Do something when the gradients of the step under way are what it will see.

    To be called in a callback's ``on_before_optimizer_step``.

    Args:
        pl_module: The module.
        action: What is to be done.
        last: Whether after all that is done for other callbacks, to see what they have made of the step.
    """
    if not pl_module.automatic_optimization:
        action()  # there Lightning does not clip
        return
    listening = vars(pl_module).get(HOOK)
    if not isinstance(listening, _AfterClipping):
        listening = _AfterClipping(pl_module)
    (listening.last_actions if last else listening.actions).append(action)


def forget_the_last_moment(pl_module: pl.LightningModule) -> None:
    """The step under way has come to nothing."""
    listening = vars(pl_module).get(HOOK)
    if isinstance(listening, _AfterClipping):
        listening.remove()
