"""What the raw results say, as numbers: of each setting, tool, learning rate and seed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from evidence import results
from evidence.bound import at_best_scale, schedule_bound
from evidence.cells import LINEAR, PARTS, SEEDS, Cell
from evidence.intervals import interval, mean, mean_interval, rank_correlation
from evidence.tools import schedule
from evidence.training import TEXT, Outcome

Interval = tuple[float, float]

TRAINED_ACCURACY = 0.9
TRAINED_LOSS = 2.9
"""Of the text: who knows only how often each byte is has 3.16 nats, and who is above this knows little else."""
SETTINGS = (
    ("mlp", "adam", "MLP, Adam"),
    ("mlp", "sgd", "MLP, SGD"),
    ("cnn", "adam", "CNN, Adam"),
    ("cnn", "sgd", "CNN, SGD"),
    ("cnn-bn", "adam", "CNN with BatchNorm, Adam"),
)
"""Where the plane is swept: net, optimizer, and what the page calls them."""
TOOLS = {
    "none": "no warmup",
    "1%": "linear, 1%",
    "5%": "linear, 5%",
    "20%": "linear, 20%",
    "radam": "RAdam's",
    "untuned": "untuned linear",
    "sqrt-beta2": "√(1 − β2ᵗ)",
    "gi-adam none": "GI-Adam",
    "critical 20%": "critical start, 20%",
    "catapult": "catapult",
    "line search 20%": "line search, 20%",
}
"""The tools, and what the page calls them."""
WITHOUT_A_LENGTH = ("none", "radam", "untuned", "sqrt-beta2", "gi-adam none", "catapult", "line search 20%")
DECAYED = ("pre-ln-2", "adamw", "5%")
"""Where the decays were compared."""
LOSS_MARGIN, ACCURACY_MARGIN = 0.01, 0.003


def trained(cell: Cell, outcome: Outcome) -> bool:
    """Whether a run has come to anything."""
    if outcome.failure or outcome.loss is None:
        return False
    return outcome.loss <= TRAINED_LOSS if cell.net in TEXT else outcome.accuracy >= TRAINED_ACCURACY


@dataclass(frozen=True)
class Runs:
    """The five seeds of a setting, in their order.

    Args:
        cells: The seeds' cells.
        outcomes: What came of them.
    """

    cells: tuple[Cell, ...]
    outcomes: tuple[Outcome, ...]

    @cached_property
    def trained(self) -> list[bool]:
        """Seed by seed."""
        return [trained(cell, outcome) for cell, outcome in zip(self.cells, self.outcomes, strict=True)]

    @property
    def losses(self) -> list[float]:
        """Held out; a run that diverged has lost everything."""
        return [math.inf if outcome.loss is None else outcome.loss for outcome in self.outcomes]

    @property
    def accuracies(self) -> list[float]:
        """Held out."""
        return [outcome.accuracy for outcome in self.outcomes]

    @property
    def loss(self) -> float:
        """Mean over the seeds."""
        return mean(self.losses)

    @property
    def loss_interval(self) -> Interval:
        """Of the mean."""
        return mean_interval(self.losses)


def whole_parts() -> dict[str, dict[Cell, Outcome]]:
    """Those of which every run is there; half a part says nothing."""
    known = {part: results.read(results.FOLDER / f"{part}.json") for part in PARTS}
    return {part: known[part].rows for part, cells in PARTS.items() if not results.missing(cells, known[part])}


def all_results() -> dict[Cell, Outcome]:
    """Of the parts that are whole."""
    return {cell: outcome for rows in whole_parts().values() for cell, outcome in rows.items()}


class Study:
    """All runs, by setting.

    Args:
        rows: What came of each cell.
    """

    def __init__(self, rows: dict[Cell, Outcome]) -> None:
        self.rows = rows
        grouped: dict[tuple[str, str, str, str, float], list[tuple[Cell, Outcome]]] = {}
        for cell, outcome in rows.items():
            key = (cell.net, cell.optimizer, cell.warmup, cell.decay, cell.lr)
            grouped.setdefault(key, []).append((cell, outcome))
        self.runs = {
            key: Runs(*zip(*sorted(pairs, key=lambda pair: pair[0].seed), strict=True))
            for key, pairs in grouped.items()
        }

    def of(self, net: str, optimizer: str, warmup: str, lr: float, decay: str = "linear") -> Runs:
        """The seeds of one setting."""
        return self.runs[net, optimizer, warmup, decay, lr]

    def lrs(self, net: str, optimizer: str, warmup: str = "none", decay: str = "linear") -> list[float]:
        """Those that were tried, upwards."""
        return sorted(key[4] for key in self.runs if key[:4] == (net, optimizer, warmup, decay))

    @property
    def settings(self) -> list[tuple[str, str, str]]:
        """Those of SETTINGS that were run."""
        return [setting for setting in SETTINGS if self.lrs(*setting[:2])]

    def warmups(self, net: str, optimizer: str) -> list[str]:
        """Those that were tried, in the order of the parts."""
        return list(dict.fromkeys(key[2] for key in self.runs if key[:2] == (net, optimizer) and key[3] == "linear"))

    # --- the failure boundary ----------------------------------------------------------------------------------------

    def boundaries(self, net: str, optimizer: str, warmup: str) -> list[float | None]:
        """Of each seed, the highest learning rate that trained; None if none did."""
        tried = [(lr, self.of(net, optimizer, warmup, lr).trained) for lr in self.lrs(net, optimizer, warmup)]
        return [max((lr for lr, good in tried if good[seed]), default=None) for seed in range(len(SEEDS))]

    def boundary_factor(self, net: str, optimizer: str, warmup: str) -> tuple[float, Interval, bool] | None:
        """How far the tool moves it, in geometric means over the seeds; whether the end of the grid is in the way.

        None where the tool was not tried, or some seed trained at no learning rate.
        """
        if warmup not in self.warmups(net, optimizer):
            return None
        with_it, without = (self.boundaries(net, optimizer, name) for name in (warmup, "none"))
        if None in with_it or None in without:
            return None
        logs = [math.log2(a / b) for a, b in zip(with_it, without, strict=True)]  # type: ignore[operator]
        low, high = mean_interval(logs)
        cut = max(self.lrs(net, optimizer, warmup)) in with_it
        return 2 ** mean(logs), (2**low, 2**high), cut

    # --- decays ------------------------------------------------------------------------------------------------------

    def bound_beside(self, decay: str) -> list[tuple[float, float]]:
        """Of every learning rate: the bound, and the mean loss. Linear to 0 gives the unit, at its best."""
        lrs = self.lrs(*DECAYED, decay)
        anchor = min(lrs, key=lambda lr: self.of(*DECAYED, lr).loss)
        (steps,) = {cell.steps for lr in lrs for cell in self.of(*DECAYED, lr, decay).cells}
        bounds = bounds_at([(lr, decay) for lr in lrs], steps, (anchor, "linear"))
        return [(bound, self.of(*DECAYED, lr, decay).loss) for bound, lr in zip(bounds, lrs, strict=True)]

    # --- tuning ------------------------------------------------------------------------------------------------------

    def best(self, net: str, optimizer: str, warmups: Sequence[str]) -> tuple[str, float]:
        """The warmup and learning rate of the lowest mean loss; a diverged seed is an infinite one."""
        tried = [(w, lr) for w in warmups for lr in self.lrs(net, optimizer, w)]
        return min(tried, key=lambda pair: self.of(net, optimizer, *pair).loss)

    def tuned(self, net: str, optimizer: str) -> tuple[str, float]:
        """The best cell of the grid of linear warmups."""
        return self.best(net, optimizer, [w for w in self.warmups(net, optimizer) if w in LINEAR])


@dataclass(frozen=True)
class Compared:
    """One setting against another, seed by seed.

    Args:
        loss: The difference of the mean losses, in nats; what is below 0 is better.
        loss_interval: Of it.
        accuracy: The difference of the mean accuracies.
        accuracy_interval: Of it.
    """

    loss: float
    loss_interval: Interval
    accuracy: float
    accuracy_interval: Interval

    @property
    def verdict(self) -> str:
        """Whether it is within the margins of the other: yes, no, or that five seeds do not tell."""
        if not math.isfinite(self.loss):
            return "no"
        if self.loss_interval[1] <= LOSS_MARGIN and self.accuracy_interval[0] >= -ACCURACY_MARGIN:
            return "yes"
        if self.loss_interval[0] > LOSS_MARGIN or self.accuracy_interval[1] < -ACCURACY_MARGIN:
            return "no"
        return "open"


def compare(one: Runs, other: Runs) -> Compared:
    """Paired by seed, which has the same weights, split and order in both."""
    losses = [a - b for a, b in zip(one.losses, other.losses, strict=True)]
    accuracies = [a - b for a, b in zip(one.accuracies, other.accuracies, strict=True)]
    return Compared(mean(losses), mean_interval(losses), mean(accuracies), mean_interval(accuracies))


# --- the bound of convex theory --------------------------------------------------------------------------------------


def shape(decay: str, steps: int) -> list[float]:
    """The learning rates of a decay after a warmup of 5%, in units of the peak."""
    return schedule("5%", decay).values(1.0, total_steps=steps, steps_per_epoch=steps)


def correlation(measured: Sequence[Sequence[float]], predicted: Sequence[float]) -> tuple[float, Interval]:
    """Of ranks, and how it varies with the seeds.

    Args:
        measured: Of each schedule, the losses of its seeds.
        predicted: Of each schedule, the bound.
    """

    def of(drawn: Sequence[int]) -> float:
        return rank_correlation([mean([losses[i] for i in drawn]) for losses in measured], predicted)

    seeds = range(len(measured[0]))
    return of(seeds), interval(len(seeds), of)


def bounds_at(lrs_and_decays: Sequence[tuple[float, str]], steps: int, anchor: tuple[float, str]) -> list[float]:
    """The bound of each, in a unit of the learning rate such that the anchor is where its decay has its best."""
    scale = at_best_scale(shape(anchor[1], steps))[0] / anchor[0]
    return [schedule_bound([lr * scale * s for s in shape(decay, steps)]) for lr, decay in lrs_and_decays]
