"""The study: docs/evidence.md says what its raw results say, and these are of what is here today."""

import doctest
import json
import math
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))
from evidence import bound, intervals, page, pictures, results, run, training
from evidence.analysis import Runs, Study, all_results, compare, trained, whole_parts
from evidence.bound import at_best_scale, schedule_bound
from evidence.cells import PARTS, SEEDS, Cell
from evidence.intervals import interval, mean, mean_interval, rank_correlation, resamples
from evidence.loss_gap import LossGap
from evidence.tools import callbacks, schedule
from evidence.training import OPTIMIZERS, Outcome
from lightning_warmup import LearningRateWarmup

TINY = Cell("mlp", "adam", 0.004, "20%", "linear", 20, 0)
A_RUN = Outcome(
    loss=0.5, accuracy=0.95, spike=1.0, warmup_steps=4, forwards=0, mean_lr=0.5, failure="", curve=None, seconds=1.0
)


def runs(*losses: float, accuracy: float = 0.95) -> Runs:
    """Of five seeds."""
    cells = tuple(Cell("mlp", "adam", 0.1, "none", "linear", 10, seed) for seed in SEEDS)
    outcomes = (Outcome(loss, accuracy, 1.0, 0, 0, 0.5, "", None, 1.0) for loss in losses)
    return Runs(cells, tuple(outcomes))


# --- the page --------------------------------------------------------------------------------------------------------


def test_the_page_is_what_the_results_say() -> None:
    """If this fails: make evidence-pages, and look at what has changed."""
    assert page.PAGE.read_text(encoding="utf-8") == page.page()


def test_nothing_is_left_open_on_the_page() -> None:
    assert not re.search("[{}]|<!-- (needs|end)", page.page())


def test_a_section_is_there_with_its_part_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "## How far each tool" in page.page()
    there = whole_parts()
    without = {part: rows for part, rows in there.items() if part != "post-ln-line-search"}
    monkeypatch.setattr(page, "whole_parts", lambda: without)
    assert "Other warmups at lr 0.006" not in page.page()
    assert f"| post-ln-line-search | {len(PARTS['post-ln-line-search'])} | **not run yet** |" in page.page()


ALL_CELLS = [cell for part in PARTS.values() for cell in part]
DRAWN = [name for name, (_, part) in pictures.DRAWN.items() if part in whole_parts()]


@pytest.mark.parametrize("name", DRAWN)
def test_every_picture_is_there_and_shown(name: str) -> None:
    assert (pictures.IMAGES / f"evidence_{name}.png").stat().st_size < 120_000
    assert f"(images/evidence_{name}.png)" in page.page()


@pytest.mark.parametrize("name", DRAWN)
def test_every_picture_is_drawn_from_the_results(name: str) -> None:
    draw, _ = pictures.DRAWN[name]
    figure = draw(Study(all_results()))
    assert all(axes.lines or axes.images or axes.collections for axes in figure.axes)


def test_what_is_not_run_yet_can_be_told_once_it_is() -> None:
    """The tables and pictures of all parts, of invented runs."""
    rows = {cell: replace(A_RUN, loss=2.4 + 0.01 * i, curve=[3.0] * 30) for i, cell in enumerate(ALL_CELLS)}
    told = page.numbers(Study(rows), dict.fromkeys(PARTS, rows))
    for name in ("decays", "ranking", "loss_gap", "muon", "post_ln_tools"):
        assert told[name]().count("\n") > 3
    assert "CNN with BatchNorm, Adam" in told["boundaries"]()
    for draw, _ in pictures.DRAWN.values():
        assert all(axes.lines or axes.images or axes.collections for axes in draw(Study(rows)).figure.axes)


# --- the raw results -------------------------------------------------------------------------------------------------


RUN = sorted(path.stem for path in results.FOLDER.glob("*.json"))


@pytest.mark.parametrize("part", RUN)
def test_no_part_is_half_and_no_row_is_stale(part: str) -> None:
    """If this fails: make evidence."""
    assert results.missing(PARTS[part], results.read(results.FOLDER / f"{part}.json")) == []


def test_parts_have_nothing_in_common() -> None:
    assert len(ALL_CELLS) == len(set(ALL_CELLS))


@pytest.mark.parametrize("part", RUN)
def test_the_runs_used_the_learning_rates_of_today(part: str) -> None:
    """Every closed form: what values() says now is what the rows say was used."""
    for cell, outcome in results.read(results.FOLDER / f"{part}.json").rows.items():
        tool = callbacks(cell.warmup, cell.decay, cell.steps)[-1]
        if outcome.failure or not isinstance(tool, LearningRateWarmup) or tool.measures:
            continue
        betas = OPTIMIZERS[cell.optimizer].get("betas")
        lrs = tool.values(1.0, total_steps=cell.steps, steps_per_epoch=cell.steps, betas=betas)
        assert outcome.mean_lr == pytest.approx(mean(lrs), abs=2e-6), cell


def test_the_results_are_small() -> None:
    assert sum(path.stat().st_size for path in results.FOLDER.glob("*.json")) < 1_000_000


def test_every_seed_is_run_of_every_setting() -> None:
    assert all(len(group.cells) == len(SEEDS) for group in Study(all_results()).runs.values())


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    written = results.Results(training.setup(), results.machine(), {TINY: A_RUN})
    written.write(tmp_path / "part.json")
    assert results.read(tmp_path / "part.json") == written
    assert len(json.loads((tmp_path / "part.json").read_text(encoding="utf-8"))["rows"]) == 1


def test_rows_of_another_setup_are_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    then = results.Results(training.setup(), results.machine(), {TINY: A_RUN})
    assert results.missing([TINY], then) == []
    monkeypatch.setitem(training.BATCH, "mlp", 64)
    with pytest.raises(ValueError, match=r"mlp is .* batches of 128.* not .* batches of 64"):
        results.missing([TINY], then)


def test_rows_of_cells_that_are_no_more_are_stale() -> None:
    known = results.Results(training.setup(), results.machine(), {TINY: A_RUN})
    with pytest.raises(ValueError, match="1 rows are of cells that no part has"):
        results.missing([], known)


def test_a_part_is_taken_up_where_it_was_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cells = [Cell("mlp", "adam", 0.004, "20%", "linear", 20, seed) for seed in SEEDS]
    ran: list[int] = []

    def run_two(cell: Cell) -> Outcome:
        if len(ran) == 2:
            raise KeyboardInterrupt
        ran.append(cell.seed)
        return A_RUN

    monkeypatch.setattr(results, "FOLDER", tmp_path)
    monkeypatch.setitem(run.PARTS, "tiny", tuple(cells))
    monkeypatch.setattr(run, "run", run_two)
    with pytest.raises(KeyboardInterrupt):
        run.run_part("tiny")
    assert ran == [0, 1]
    monkeypatch.setattr(run, "run", lambda cell: ran.append(cell.seed) or A_RUN)
    run.run_part("tiny")
    run.run_part("tiny")
    assert ran == [0, 1, 2, 3, 4]


# --- a run -----------------------------------------------------------------------------------------------------------


def test_a_tiny_cell_trains() -> None:
    pytest.importorskip("sklearn")
    outcome = training.run(TINY)
    assert outcome.loss < 1.5 < math.log(10)
    assert outcome.accuracy > 0.5
    assert (outcome.warmup_steps, outcome.forwards, outcome.failure) == (4, 0, "")
    lrs = LearningRateWarmup(4, "linear").values(1.0, total_steps=20, steps_per_epoch=20)
    assert outcome.mean_lr == pytest.approx(mean(lrs), abs=1e-6)
    again = training.run(TINY)
    assert (again.loss, again.accuracy) == (outcome.loss, outcome.accuracy)


def test_a_run_that_diverges_is_a_row_like_others() -> None:
    pytest.importorskip("sklearn")
    cell = Cell("mlp", "sgd", 100.0, "none", "linear", 20, 0)
    outcome = training.run(cell)
    assert outcome.failure.startswith("the loss of step ")
    assert (outcome.loss, outcome.spike) == (None, None)
    assert not trained(cell, outcome)


def test_the_forwards_of_a_search_are_counted() -> None:
    pytest.importorskip("sklearn")
    outcome = training.run(Cell("mlp", "sgd", 0.1, "critical 20%", "linear", 20, 0))
    assert 4 <= outcome.forwards <= 24
    assert outcome.warmup_steps < 4


def test_every_cell_has_tools() -> None:
    """A wrong name fails here, and not an hour later."""
    names = {(cell.warmup, cell.decay, cell.steps) for cell in ALL_CELLS}
    assert all(callbacks(*name) for name in names)
    with pytest.raises(ValueError, match="warmup='5 %'"):
        callbacks("5 %", "linear", 100)


def test_the_loss_gap_opens_the_learning_rate() -> None:
    tool = LossGap(guess=1.0, steps=100)
    shares = []
    for loss in (5.0, 3.0, 2.0, 1.2, *[1.0] * 60):
        tool.on_train_batch_end(None, None, {"loss": loss})
        shares.append(tool.share)
    assert shares[0] == pytest.approx(LossGap.START)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.parametrize("module", [bound, intervals], ids=lambda module: module.__name__)
def test_the_examples_of_the_docstrings(module: ModuleType) -> None:
    tried = doctest.testmod(module)
    assert (tried.failed, tried.attempted > 0) == (0, True)


# --- the statistics --------------------------------------------------------------------------------------------------


def test_the_bootstrap_takes_all_samples() -> None:
    assert len(resamples(5)) == 126
    assert sum(weight for _, weight in resamples(5)) == 5**5


def test_an_interval_is_of_the_right_quantiles() -> None:
    # Of two seeds the mean is 0, 0.5 (twice) and 1: a quarter, a half, a quarter.
    assert interval(2, lambda drawn: mean(drawn), level=0.4) == (0.5, 0.5)
    assert interval(2, lambda drawn: mean(drawn), level=0.6) == (0.0, 1.0)
    low, high = mean_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert 1.0 < low < 2.0
    assert low + high == pytest.approx(6.0)
    assert mean_interval([1.0] * 5) == (1.0, 1.0)


def test_ranks_share_what_is_equal() -> None:
    assert rank_correlation([1, 2, 2, 3], [1, 2, 2, 3]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3, 4], [8, 6, 4, 2]) == pytest.approx(-1)
    # Ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4: 4.5 / sqrt(4.5 · 5).
    assert rank_correlation([1, 2, 2, 3], [1, 2, 3, 4]) == pytest.approx(math.sqrt(0.9))


@pytest.mark.parametrize(
    ("losses", "accuracy", "verdict"),
    [
        ((0.5, 0.5, 0.5, 0.5, 0.5), 0.95, "yes"),
        ((0.4, 0.4, 0.4, 0.4, 0.4), 0.95, "yes"),
        ((0.52, 0.53, 0.52, 0.53, 0.52), 0.95, "no"),
        ((0.5, 0.5, 0.5, 0.5, 0.5), 0.94, "no"),
        ((0.45, 0.55, 0.5, 0.49, 0.53), 0.95, "open"),
        ((0.5, 0.5, 0.5, 0.5, math.inf), 0.95, "no"),
    ],
)
def test_what_five_seeds_tell(losses: tuple[float, ...], accuracy: float, verdict: str) -> None:
    assert compare(runs(*losses, accuracy=accuracy), runs(*[0.5] * 5)).verdict == verdict


# --- the bound -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decay", ["linear", "cosine", "wsd", "constant"])
def test_the_bound_is_the_theorem_written_out(decay: str) -> None:
    lrs = schedule("20%", decay).values(0.3, total_steps=40, steps_per_epoch=40)
    steps = range(len(lrs))
    written_out = (1 + sum(lr**2 for lr in lrs)) / (2 * sum(lrs)) + sum(
        lrs[k] / sum(lrs[k + 1 :]) * sum(lr**2 for lr in lrs[k:]) / sum(lrs[k:]) for k in steps[:-1]
    ) / 2
    assert schedule_bound(lrs) == pytest.approx(written_out, rel=1e-12)


def test_the_best_scale_is_the_best() -> None:
    lrs = schedule("5%", "cosine").values(1.0, total_steps=300, steps_per_epoch=300)
    scale, lowest = at_best_scale(lrs)
    around = [schedule_bound([lr * scale * near for lr in lrs]) for near in (0.99, 1.0, 1.01)]
    assert around[1] == pytest.approx(lowest)
    assert around[1] < min(around[0], around[2])


def test_linear_to_zero_has_twice_the_best_rate_there_is() -> None:
    """2 / √T, but for a logarithm over T: Defazio et al. 2023, section 2."""
    lrs = schedule(0, "linear").values(1.0, total_steps=10_000, steps_per_epoch=1)
    assert at_best_scale(lrs)[1] * math.sqrt(10_000) == pytest.approx(2, rel=0.002)
