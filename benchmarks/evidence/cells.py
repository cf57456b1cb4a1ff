"""What is run: a cell is one run, a part is a list of cells that takes under ten minutes."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

SEEDS = (0, 1, 2, 3, 4)

LINEAR = ("none", "1%", "5%", "20%")
"""Linear warmups, by their share of the run."""
FROM_BETA2 = ("radam", "untuned", "sqrt-beta2", "gi-adam none")
MEASURED = ("critical 20%", "catapult")


@dataclass(frozen=True)
class Cell:
    """One run, which these alone determine.

    Args:
        net: A name of nets.py.
        optimizer: A name of training.py.
        lr: The peak learning rate.
        warmup: A name of tools.py.
        decay: A name of tools.py.
        steps: Optimizer steps.
        seed: Of the weights, the split and the order.
    """

    net: str
    optimizer: str
    lr: float
    warmup: str
    decay: str
    steps: int
    seed: int


def grid(
    net: str, optimizer: str, lrs: tuple[float, ...], warmups: tuple[str, ...], decays: tuple[str, ...], steps: int
) -> Iterator[Cell]:
    """Every combination; the seeds last, so that a part that is broken off has whole seeds of what it has."""
    for seed, decay, lr, warmup in product(SEEDS, decays, lrs, warmups):
        yield Cell(net, optimizer, lr, warmup, decay, steps, seed)


def doubled(first: float, count: int) -> tuple[float, ...]:
    """Learning rates, each twice the one before."""
    return tuple(first * 2**i for i in range(count))


LINE_SEARCH = ("line search 20%",)
FOR_SGD, FOR_ADAM = (*LINEAR, *MEASURED), (*LINEAR, *FROM_BETA2, *MEASURED)
LOSS_GAPS = ("loss gap 1.1", "loss gap 2.2", "loss gap 4.4")
"""With guesses of the final loss: half of what is reached, that, and twice that."""
WITH_GI = ("gi-adam 1%", "gi-adam 5%", "gi-adam 20%")
LINEAR_DECAY = ("linear",)
DECAYS = ("linear", "cosine", "cosine to 10%", "wsd", "constant")

PARTS: dict[str, tuple[Cell, ...]] = {
    name: tuple(cells)
    for name, cells in {
        "post-ln": grid("post-ln", "adamw", (0.001, 0.003, 0.006), ("none", "5%", "20%"), LINEAR_DECAY, 300),
        "plane-mlp-adam": grid("mlp", "adam", doubled(0.002, 8), (*FOR_ADAM, *WITH_GI), LINEAR_DECAY, 300),
        "plane-mlp-sgd": grid("mlp", "sgd", doubled(0.05, 5), FOR_SGD, LINEAR_DECAY, 300),
        "line-search-mlp": [
            *grid("mlp", "adam", doubled(0.002, 8), LINE_SEARCH, LINEAR_DECAY, 300),
            *grid("mlp", "sgd", doubled(0.05, 5), LINE_SEARCH, LINEAR_DECAY, 300),
        ],
        # The best of these were at the lowest learning rate.
        "plane-mlp-adam-low": grid(
            "mlp", "adam", (0.0005, 0.001), (*LINEAR, "gi-adam none", "catapult", *LINE_SEARCH), LINEAR_DECAY, 300
        ),
        "plane-mlp-sgd-low": grid("mlp", "sgd", doubled(0.00625, 3), (*FOR_SGD, *LINE_SEARCH), LINEAR_DECAY, 300),
        "post-ln-line-search": grid("post-ln", "adamw", (0.006,), LINE_SEARCH, LINEAR_DECAY, 300),
        "decays": grid("pre-ln-2", "adamw", doubled(0.004, 4), ("5%",), DECAYS, 300),
        "pre-ln": grid("pre-ln", "adamw", (0.006,), ("none", "20%"), LINEAR_DECAY, 300),
        "post-ln-tools": grid("post-ln", "adamw", (0.006,), (*FROM_BETA2, *MEASURED), LINEAR_DECAY, 300),
        "plane-cnn-adam": grid("cnn", "adam", doubled(0.002, 6), (*FOR_ADAM, *LINE_SEARCH), LINEAR_DECAY, 200),
        "plane-cnn-sgd": grid("cnn", "sgd", doubled(0.0125, 6), (*FOR_SGD, *LINE_SEARCH), LINEAR_DECAY, 200),
        "plane-cnn-bn-adam": grid("cnn-bn", "adam", doubled(0.016, 6), (*FOR_ADAM, *LINE_SEARCH), LINEAR_DECAY, 200),
        # Most tools were not at their boundary at the highest learning rate.
        "plane-cnn-adam-high": grid("cnn", "adam", (0.128, 0.256), (*FOR_ADAM, *LINE_SEARCH), LINEAR_DECAY, 200),
        "plane-cnn-bn-adam-high": grid("cnn-bn", "adam", (1.024, 2.048), (*FOR_ADAM, *LINE_SEARCH), LINEAR_DECAY, 200),
        "loss-gap": grid("post-ln", "adamw", (0.006,), LOSS_GAPS, LINEAR_DECAY, 300),
        "muon": grid("pre-ln-2", "muon", (0.008,), ("none", "5%", "20%"), LINEAR_DECAY, 300),
    }.items()
}
