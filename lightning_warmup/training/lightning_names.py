"""The names of Lightning, which comes as ``lightning.pytorch`` and as ``pytorch_lightning``, each with its own classes.

No other file imports either. A base class (:class:`Callback`, :class:`MisconfigurationException`) inherits from that of
every package that is there, and a class to ask for by ``isinstance`` is a tuple of them: so a callback is at home in
both. Which of the two somebody trains with cannot be told by what is imported already: sorted imports put us first.
"""

import sys
from functools import reduce
from importlib import import_module
from operator import or_
from types import ModuleType
from typing import TYPE_CHECKING, TypeAlias

from lightning_utilities.core import rank_zero

PACKAGES = ("lightning.pytorch", "pytorch_lightning")


def import_lightning() -> list[ModuleType]:
    """Import every package that is there.

    Each takes the lines of ``rank_zero_info`` for its own logger when it is imported. They stay with the one that was
    there before us, or else with the first.

    Raises:
        ImportError: If there is none.
    """
    there: list[ModuleType] = []
    failures = []
    theirs = None
    for name in PACKAGES:
        if any(map(sys.modules.get, PACKAGES)):
            theirs = theirs or (rank_zero.log, rank_zero.rank_zero_deprecation_category)
        try:
            package = import_module(name)
        # One that does not fit the torch beside it fails in its own way; who trains with it imports it, and is told.
        except Exception as error:
            failures.append(f"{name}: {error!r}")
            continue
        if package.__version__.startswith(("0.", "1.")):
            failures.append(f"{name} is {package.__version__}")
        elif package not in there:
            there.append(package)
    if theirs is not None:
        rank_zero.log, rank_zero.rank_zero_deprecation_category = theirs
    if not there:
        raise ImportError(f"lightning_warmup needs Lightning ≥ 2.4: pip install lightning ({'; '.join(failures)})")
    return there


if TYPE_CHECKING:
    import lightning.pytorch
    import pytorch_lightning
    from lightning.pytorch.callbacks import BaseFinetuning as BaseFinetuning
    from lightning.pytorch.callbacks import EarlyStopping as EarlyStopping
    from lightning.pytorch.callbacks import GradientAccumulationScheduler as GradientAccumulationScheduler
    from lightning.pytorch.callbacks import StochasticWeightAveraging as StochasticWeightAveraging
    from lightning.pytorch.callbacks import Timer as Timer
    from lightning.pytorch.loggers.logger import DummyLogger as DummyLogger
    from lightning.pytorch.strategies import DDPStrategy as DDPStrategy
    from lightning.pytorch.strategies import SingleDeviceStrategy as SingleDeviceStrategy
    from lightning.pytorch.utilities.signature_utils import is_param_in_hook_signature as is_param_in_hook_signature

    Trainer: TypeAlias = lightning.pytorch.Trainer | pytorch_lightning.Trainer
    LightningModule: TypeAlias = lightning.pytorch.LightningModule | pytorch_lightning.LightningModule

    class Callback(lightning.pytorch.Callback, pytorch_lightning.Callback):  # type: ignore[misc]
        """The base of a callback that both Trainers take."""

    class MisconfigurationException(Exception):  # noqa: N818
        """That of either package."""

    class EndOfRun(Exception):  # noqa: N818
        """What Lightning's own tuners end a run with: no hook of an end is called, and no checkpoint is saved."""

else:
    _packages = import_lightning()
    _first = _packages[0]

    class _Callback(*(package.Callback for package in _packages)):
        """The base of a callback that both Trainers take. Underscored, or ``--help`` would offer it."""

    class MisconfigurationException(*(package.utilities.exceptions.MisconfigurationException for package in _packages)):
        """That of either package."""

    class EndOfRun(*(package.utilities.exceptions._TunerExitException for package in _packages)):
        """What Lightning's own tuners end a run with: no hook of an end is called, and no checkpoint is saved."""

    class _EarlyStopping(_first.callbacks.EarlyStopping, *(package.Callback for package in _packages[1:])):
        """The first package's, which both Trainers take: the two are one class, written twice."""

    Callback = _Callback
    EarlyStopping = _EarlyStopping
    Trainer = reduce(or_, [package.Trainer for package in _packages])
    LightningModule = reduce(or_, [package.LightningModule for package in _packages])

    BaseFinetuning = tuple(package.callbacks.BaseFinetuning for package in _packages)
    GradientAccumulationScheduler = tuple(package.callbacks.GradientAccumulationScheduler for package in _packages)
    StochasticWeightAveraging = tuple(package.callbacks.StochasticWeightAveraging for package in _packages)
    Timer = tuple(package.callbacks.Timer for package in _packages)
    DDPStrategy = tuple(package.strategies.DDPStrategy for package in _packages)
    SingleDeviceStrategy = tuple(package.strategies.SingleDeviceStrategy for package in _packages)

    # These are the same in both.
    DummyLogger = _first.loggers.logger.DummyLogger
    is_param_in_hook_signature = _first.utilities.signature_utils.is_param_in_hook_signature
