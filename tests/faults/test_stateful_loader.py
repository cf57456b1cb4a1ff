"""A loader that knows its place keeps it: Lightning's estimate of the run's length would lose it (its issue #20550)."""

from pathlib import Path
from typing import Any

import killed_run
import lightning.pytorch as pl
import pytest
from killed_run import STEPS, steps_of, train

pytestmark = pytest.mark.filterwarnings("ignore")


class Asks(pl.Callback):
    """Asks Lightning how long the run is, as schedulers do."""

    def on_fit_start(self, trainer: pl.Trainer, *_: Any) -> None:
        assert trainer.estimated_stepping_batches == STEPS


@pytest.mark.parametrize("asks", [False, True])
def test_the_place_of_a_loader(asks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(tmp_path / "whole")
    whole = {step: batch for step, _, batch in steps_of(tmp_path / "whole")}
    if asks:
        ours = killed_run.callbacks
        monkeypatch.setattr(killed_run, "callbacks", lambda: [*ours(), Asks()])
    train(tmp_path / "resumed", ckpt_path=tmp_path / "whole" / "0045.ckpt")
    same = [batch == whole[step] for step, _, batch in steps_of(tmp_path / "resumed")]
    # As long as Lightning's estimate loses the place, ours is not to be built on it.
    assert (same == [True] * (STEPS - 45)) is not asks
