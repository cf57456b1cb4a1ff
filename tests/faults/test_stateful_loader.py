"""A loader that knows its place keeps it: Lightning's estimate of the run's length would lose it (its issue #20550)."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
from killed_run import PLANS, STEPS, Kind, steps_of, train

pytestmark = pytest.mark.filterwarnings("ignore")


class Asks(pl.Callback):
    """Asks Lightning how long the run is before the loader has been told its place, as schedulers do."""

    def on_fit_start(self, trainer: pl.Trainer, *_: Any) -> None:
        assert trainer.estimated_stepping_batches == STEPS


@pytest.mark.parametrize("asks", [True, pytest.param(False, marks=pytest.mark.slow)])
@pytest.mark.parametrize("plan", PLANS)
def test_the_place_of_a_loader(plan: str, asks: bool, tmp_path: Path) -> None:
    train(tmp_path / "whole", Kind(plan=plan))
    whole = {step: batch for step, _, batch in steps_of(tmp_path / "whole")}
    checkpoint = tmp_path / "whole" / "0045.ckpt"
    train(tmp_path / "resumed", Kind(plan=plan), checkpoint, others=[Asks()] if asks else [])
    same = [batch == whole[step] for step, _, batch in steps_of(tmp_path / "resumed")]
    # As long as Lightning's estimate loses the place, ours is not to be built on it.
    assert (same == [True] * (STEPS - 45)) is not asks
