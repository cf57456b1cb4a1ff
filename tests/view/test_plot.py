"""plot() draws what values() says: one staircase per param group over the optimizer steps."""

import sys

import matplotlib
import pytest

from lightning_warmup import LearningRateWarmup, LinearScaling

matplotlib.use("Agg")

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

RUN = {"total_steps": 40, "steps_per_epoch": 10}


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    pyplot.close("all")


@pytest.fixture
def callback():
    return LearningRateWarmup(5, "cosine", warmup_initial_lr=0.0)


def test_returns_a_figure_and_its_axes(callback):
    figure, axes = callback.plot(0.1, **RUN)
    assert isinstance(figure, Figure)
    assert isinstance(axes, Axes)
    assert axes.get_figure() is figure
    assert figure.axes == [axes]


def test_draws_on_given_axes_and_opens_nothing(callback):
    figure, (left, right) = pyplot.subplots(1, 2)
    left.plot([0, 1], [2, 3])
    before = pyplot.get_fignums()
    assert callback.plot(0.1, **RUN, ax=right) == (figure, right)
    assert pyplot.get_fignums() == before
    assert len(right.lines) == 1
    assert len(left.lines) == 1


def test_draws_on_the_axes_of_a_subfigure(callback):
    figure = Figure()
    ax = figure.subfigures(1, 2)[0].subplots()
    _, axes = callback.plot(0.1, **RUN, ax=ax)
    assert axes is ax


@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_draws_the_values_of_every_step(interval):
    callback = LearningRateWarmup(2, "cosine", interval=interval)
    _, axes = callback.plot(0.1, **RUN)
    (line,) = axes.lines
    assert list(line.get_xdata()) == list(range(40))
    assert list(line.get_ydata()) == callback.values(0.1, **RUN)
    assert line.get_drawstyle() == "steps-post"  # a value holds for its whole step


def test_draws_one_line_per_group(callback):
    lr = {"backbone": 0.01, "head": 0.1}
    _, axes = callback.plot(lr, **RUN)
    assert {line.get_label(): list(line.get_ydata()) for line in axes.lines} == callback.values(lr, **RUN)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["backbone", "head"]


def test_one_group_needs_no_legend(callback):
    _, axes = callback.plot(0.1, **RUN)
    assert axes.get_legend() is None


def test_says_what_is_drawn_and_begins_at_zero(callback):
    _, axes = callback.plot(0.1, **RUN)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("optimizer step", "lr")
    assert axes.get_ylim()[0] == 0
    assert axes.get_ylim()[1] >= 0.1


def test_saves(callback, tmp_path):
    figure, _ = callback.plot(0.1, **RUN)
    figure.savefig(tmp_path / "lr.png")
    assert (tmp_path / "lr.png").stat().st_size > 1000


def test_bad_input_is_refused_before_a_figure_is_opened():
    with pytest.raises(ValueError, match="warmup=50"):
        LearningRateWarmup(50).plot(0.1, **RUN)
    with pytest.raises(ValueError, match="needs the global batch size"):
        LearningRateWarmup(5, target_lr=LinearScaling(256)).plot(0.1, **RUN)
    assert pyplot.get_fignums() == []


def test_without_matplotlib_says_what_to_install(callback, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "lightning_warmup\[plot\]"'):
        callback.plot(0.1, **RUN)
