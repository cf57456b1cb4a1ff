"""The prose of docs/evidence.md, which is written by hand, held to the raw results.

A row is a quote and what computes it. Numbers in braces (words, too: {four}) are those that are computed, in their
order, and are compared to as many digits as they are written with; a list stands where one number is told of several
things. Without braces the quote as a whole is computed, to be true or not. Other numbers of a quote only say where.
"""

import random
import re
import sys
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from math import inf, log2
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))
from evidence import data, results
from evidence.analysis import DECAYED, TOOLS, WITHOUT_A_LENGTH, Compared, Interval, Runs, Study, all_results, compare
from evidence.cells import DECAYS, LINEAR
from evidence.intervals import mean, mean_interval
from evidence.tables import rank_correlations
from evidence.training import BATCH, HELD_OUT

ROOT = Path(__file__).parent.parent

Setting = tuple[str, str]
MLP_ADAM, MLP_SGD, CNN_ADAM, CNN_SGD, BN_ADAM, POST_LN = (
    ("mlp", "adam"), ("mlp", "sgd"), ("cnn", "adam"), ("cnn", "sgd"), ("cnn-bn", "adam"), ("post-ln", "adamw"),
)  # fmt: skip
MLP, CNNS, ADAM = (MLP_ADAM, MLP_SGD), (CNN_ADAM, CNN_SGD, BN_ADAM), (MLP_ADAM, CNN_ADAM, BN_ADAM)
FROM_BETA2 = ("radam", "untuned", "sqrt-beta2")
SEARCH, CRITICAL, GI = "line search 20%", "critical 20%", "gi-adam none"
TOO_LOW = (0.002, 0.004)
"""On the plain CNN, with Adam: there nothing fails for being too high."""


@cache
def study() -> Study:
    return Study(all_results())


# --- what is computed ------------------------------------------------------------------------------------------------


def holds(interval: Interval, value: float = 0.0) -> bool:
    """Whether the value is left open; the results have five digits."""
    return interval[0] - 1e-5 <= value <= interval[1] + 1e-5


def came(s: Study, at: Setting, warmup: str, lr: float) -> int:
    """Seeds that came to something."""
    return sum(s.of(*at, warmup, lr).trained)


def every_seed_trains(s: Study, at: Setting, warmup: str) -> list[float]:
    """The learning rates where they do, upwards."""
    return [lr for lr in s.lrs(*at, warmup) if all(s.of(*at, warmup, lr).trained)]


def moved(s: Study, at: Setting, one: str, other: str = "none") -> tuple[float, Interval]:
    """How many times as high the boundary is with the one as with the other: geometric means, paired."""
    pairs = zip(s.boundaries(*at, one), s.boundaries(*at, other), strict=True)
    logs = [log2((a or 0) / (b or 0)) for a, b in pairs]
    low, high = mean_interval(logs)
    return 2 ** mean(logs), (2**low, 2**high)


def highest(s: Study, at: Setting, warmups: Sequence[str]) -> float:
    """Learning rate that any seed trains at with any of them."""
    return max(lr or 0 for warmup in warmups for lr in s.boundaries(*at, warmup))


def at_best(s: Study, at: Setting, warmup: str) -> Runs:
    """At the learning rate of its lowest loss."""
    return s.of(*at, *s.best(*at, [warmup]))


def behind(s: Study, at: Setting, warmup: str) -> Compared:
    """At its best, the best cell of the grid."""
    return compare(at_best(s, at, warmup), s.of(*at, *s.tuned(*at)))


def nowhere_told(s: Study, at: Setting, warmup: str) -> bool:
    found = behind(s, at, warmup)
    return holds(found.loss_interval) and holds(found.accuracy_interval)


def steps(runs: Runs) -> list[int]:
    """That the warmup took, seed by seed."""
    return [-1 if outcome.warmup_steps is None else outcome.warmup_steps for outcome in runs.outcomes]


def shares(s: Study, at: Setting, warmups: Sequence[str]) -> list[float]:
    """Mean learning rates, in units of the peak, of the runs that did not fail."""
    runs = [s.of(*at, warmup, lr) for warmup in warmups for lr in s.lrs(*at, warmup)]
    return [outcome.mean_lr for run in runs for outcome in run.outcomes if not outcome.failure]


def less(s: Study, warmup: str) -> float:
    """Percent of learning rate in all that the warmup has less than linear, 20%, on the Post-LN Transformer."""
    return 100 * (1 - at_006(s, warmup).outcomes[0].mean_lr / at_006(s, "20%").outcomes[0].mean_lr)


def at_006(s: Study, warmup: str, net: str = "post-ln") -> Runs:
    """The Transformer at lr 0.006."""
    return s.of(net, "adamw", warmup, 0.006)


def above(s: Study, warmup: str, lr: float, than: str) -> Compared:
    """On the Post-LN Transformer."""
    return compare(s.of(*POST_LN, warmup, lr), s.of(*POST_LN, than, lr))


def too_high(s: Study, settings: Sequence[Setting]) -> list[tuple[Setting, float]]:
    """Where no seed trains with linear, 20%, and the line search was tried."""
    tried = [(at, lr) for at in settings for lr in s.lrs(*at, SEARCH)]
    return [(at, lr) for at, lr in tried if not came(s, at, "20%", lr) and not (at == CNN_ADAM and lr in TOO_LOW)]


def searched(s: Study, at: Setting, lr: float) -> Compared:
    """The line search beside the linear warmup of its length."""
    return compare(s.of(*at, SEARCH, lr), s.of(*at, "20%", lr))


def times_the_best(s: Study, settings: Sequence[Setting]) -> list[float]:
    """The loss of the line search, where the rate is too high, in units of the best of the grid."""
    return [s.of(*at, SEARCH, lr).loss / s.of(*at, *s.tuned(*at)).loss for at, lr in too_high(s, settings)]


def shares_searched(s: Study) -> list[float]:
    """Of the run, by seed, where the rate is too high."""
    runs = [s.of(*at, SEARCH, lr) for at, lr in too_high(s, MLP + CNNS)]
    return [taken / run.cells[0].steps for run in runs for taken in steps(run)]


def halves_no_step(s: Study) -> list[tuple[float, float]]:
    """Losses of the line search and of the linear warmup, of the seeds where both took as long."""
    runs = [(s.of(*at, SEARCH, lr), s.of(*at, "20%", lr)) for at in MLP + CNNS for lr in s.lrs(*at, SEARCH)]
    return [
        (one, other)
        for a, b in runs
        for one, other, taken, planned in zip(a.losses, b.losses, steps(a), steps(b), strict=True)
        if taken == planned
    ]


def open_verdicts(s: Study) -> list[Compared]:
    """Of the table of zero tuning."""
    tried = [(at, tool) for at in MLP + CNNS for tool in WITHOUT_A_LENGTH if tool in s.warmups(*at)]
    return [found for at, tool in tried if (found := behind(s, at, tool)).verdict == "open"]


def by_a_hair(found: Compared) -> bool:
    return found.loss_interval[1] <= 0.0125 and found.accuracy_interval[0] >= -0.004


def shortened(s: Study) -> dict[tuple[Setting, float], Compared]:
    """The critical start beside the whole warmup, where every seed trains with that: the table's rows."""
    tried = [(at, lr) for at in MLP + CNNS for lr in every_seed_trains(s, at, "20%") if lr in s.lrs(*at, CRITICAL)]
    return {(at, lr): compare(s.of(*at, CRITICAL, lr), s.of(*at, "20%", lr)) for at, lr in tried}


def worse(s: Study, at_least: float = 0.0, below: float = inf) -> dict[tuple[Setting, float], float]:
    """Those with the whole interval above 0, by how much; of the differences asked for."""
    told = {row: found.loss for row, found in shortened(s).items() if found.loss_interval[0] > 0}
    return {row: loss for row, loss in told.items() if at_least <= loss < below}


def lost_seeds(s: Study) -> list[tuple[Setting, float]]:
    return [(at, lr) for at, lr in shortened(s) if came(s, at, CRITICAL, lr) < 5]


def saved_half(s: Study, at: Setting) -> list[float]:
    """Forwards that the critical start took at the lowest rate in the table; nothing if it did not save half."""
    runs = s.of(*at, CRITICAL, next(lr for setting, lr in shortened(s) if setting == at))
    half = runs.cells[0].steps // 10
    return [outcome.forwards for outcome in runs.outcomes] if steps(runs) == [half] * 5 else []


def decayed(s: Study, decay: str) -> Runs:
    """At its best learning rate."""
    return min((s.of(*DECAYED, lr, decay) for lr in s.lrs(*DECAYED, decay)), key=lambda runs: runs.loss)


def falls_to_the_end(runs: Runs) -> bool:
    """The training loss: its last sixth is below the one before."""
    curves = [outcome.curve or [] for outcome in runs.outcomes]
    return mean([mean(c[-5:]) for c in curves]) < mean([mean(c[-10:-5]) for c in curves])


def constant_at_the_highest(s: Study, decay: str) -> Compared:
    lr = s.lrs(*DECAYED)[-1]
    return compare(s.of(*DECAYED, lr, "constant"), s.of(*DECAYED, lr, decay))


def muon(s: Study) -> list[float]:
    """What a warmup costs: of each seed, of both lengths."""
    none = s.of("pre-ln-2", "muon", "none", 0.008).losses
    with_one = [s.of("pre-ln-2", "muon", warmup, 0.008).losses for warmup in ("5%", "20%")]
    return [a - b for losses in with_one for a, b in zip(losses, none, strict=True)]


def sizes(s: Study, net: str) -> list[int]:
    """Of a batch, and of every run."""
    (length,) = {cell.steps for cell in s.rows if cell.net == net}
    return [BATCH[net], length]


# --- the claims ------------------------------------------------------------------------------------------------------

Numbers = Sequence[float | Sequence[float]]
CLAIMS: list[tuple[str, Callable[[Study], bool | Numbers]]] = [
    # README.md
    ("without one {none} of five seeds came below 2.9 nats a byte, with 20% {four} did",
     lambda s: [came(s, POST_LN, "none", 0.006), came(s, POST_LN, "20%", 0.006)]),
    ("on a plain MLP at its best rate it changed less than 0.01 nats",
     lambda s: all(max(map(abs, behind(s, at, "none").loss_interval)) < 0.01 for at in MLP)),
    # What to do
    ("no warmup at all was as good as the best of the grid on the MLP",
     lambda s: all(behind(s, at, "none").verdict == "yes" for at in MLP)),
    ("the best itself with SGD on the CNN", lambda s: s.tuned(*CNN_SGD)[0] == "none"),
    ("open on the CNN with BatchNorm", lambda s: behind(s, BN_ADAM, "none").verdict == "open"),
    ("and {0.04} nats worse with Adam on the plain CNN", lambda s: [behind(s, CNN_ADAM, "none").loss]),
    ("The highest rate that trains is {3.5} times as high with 20% (BatchNorm: {7} times), {1.5} ({1.7}) with 1%",
     lambda s: [moved(s, at, warmup)[0] for warmup in ("20%", "1%") for at in (CNN_ADAM, BN_ADAM)]),
    ("on the MLP it does not move, nor with SGD on either",
     lambda s: all(holds(moved(s, at, warmup)[1], 1) for at in (*MLP, CNN_SGD) for warmup in LINEAR)),
    ("At lr 0.006 {no} seed of five came below 2.9 nats without, and {none} with 5%; with 20% {four} did.",
     lambda s: [came(s, POST_LN, warmup, 0.006) for warmup in ("none", "5%", "20%")]),
    ("At 0.003, 20% trained all {five}", lambda s: [came(s, POST_LN, "20%", 0.003)]),
    ("5% was worse than none with every seed",
     lambda s: all(a > b for a, b in zip(*(s.of(*POST_LN, w, 0.003).losses for w in ("5%", "none")), strict=True))),
    ("Pre-LN trained without", lambda s: all(at_006(s, "none", "pre-ln").trained)),
    ("it trained with every seed at {4} times the highest rate that any linear warmup trains at",
     lambda s: [[every_seed_trains(s, at, SEARCH)[-1] / highest(s, at, LINEAR) for at in MLP]]),
    ("{1.7} times as high as without a warmup with SGD", lambda s: [moved(s, CNN_SGD, SEARCH)[0]]),
    ("and as far as with linear 20% with Adam",
     lambda s: all(holds(moved(s, at, SEARCH, "20%")[1], 1) for at in (CNN_ADAM, BN_ADAM))),
    ("A Post-LN Transformer that is stuck it does not help",
     lambda s: at_006(s, SEARCH).trained == at_006(s, "20%").trained and not all(at_006(s, "20%").trained)),
    ("As good as the best of the tuned grid on the MLP",
     lambda s: all(behind(s, MLP_ADAM, warmup).verdict == "yes" for warmup in ("radam", "sqrt-beta2"))),
    ("and nowhere told from it",
     lambda s: all(nowhere_told(s, at, warmup) for at in ADAM for warmup in ("radam", "sqrt-beta2"))),
    ("at {2} to {8} times its rate",
     lambda s: [f(s.best(*at, [w])[1] / s.tuned(*at)[1] for at in ADAM for w in ("radam", "sqrt-beta2"))
                for f in (min, max)]),
    ("On the MLP at lr 0.002 {no} seed trained with it", lambda s: [came(s, MLP_ADAM, "untuned", 0.002)]),
    ("from 0.008 on all did",
     lambda s: every_seed_trains(s, MLP_ADAM, "untuned") == [lr for lr in s.lrs(*MLP_ADAM, "untuned") if lr >= 0.008]),
    ("on the plain CNN it was {0.03} nats behind the best of the grid",
     lambda s: [behind(s, CNN_ADAM, "untuned").loss]),
    ("at its best rate, which was the highest tried",
     lambda s: s.best(*CNN_ADAM, ["untuned"])[1] == max(s.lrs(*CNN_ADAM))),
    ("it trained at {1.7} (MLP), {6} and {8} times (CNN, with BatchNorm) the rate",
     lambda s: [moved(s, at, GI)[0] for at in ADAM]),
    ("it was {0.01} nats behind the best of the grid on the MLP and on the CNN with BatchNorm",
     lambda s: [[behind(s, at, GI).loss for at in (MLP_ADAM, BN_ADAM)]]),
    ("and not told from it on the plain CNN",
     lambda s: [nowhere_told(s, at, GI) for at in (MLP_ADAM, CNN_ADAM, BN_ADAM)] == [False, True, False]),
    ("It halves the warmup for {8} forwards", lambda s: [[n for at in MLP + CNNS for n in saved_half(s, at)]]),
    ("it cost up to {0.15} nats (MLP, SGD)", lambda s: [max(worse(s).values())]),
    ("up to 0.15 nats (MLP, SGD)",
     lambda s: max(worse(s), key=worse(s).__getitem__) == (MLP_SGD, every_seed_trains(s, MLP_SGD, "20%")[-1])),
    ("and seeds (both CNNs, Adam)",
     lambda s: all((at, every_seed_trains(s, at, "20%")[-1]) in lost_seeds(s) for at in (CNN_ADAM, BN_ADAM))),
    ("It moved the boundary in one setting of five (CNN with BatchNorm, Adam)",
     lambda s: [at for at in MLP + CNNS if not holds(moved(s, at, "catapult")[1], 1)] == [BN_ADAM]),
    ("and there less than linear 20%", lambda s: moved(s, BN_ADAM, "catapult")[0] < moved(s, BN_ADAM, "20%")[0]),
    ("`wsd` and constant were {0.07} nats below linear to 0, each at its best rate",
     lambda s: [[compare(decayed(s, "linear"), decayed(s, decay)).loss for decay in ("wsd", "constant")]]),
    # Where warmup decides
    ("at lr 0.006 and without a warmup, {four} of five runs come to that and stay there",
     lambda s: [sum(abs(loss - 3.16) < 0.02 for loss in at_006(s, "none").losses)]),
    ("Seed 3 is stuck at {3.16} at both higher rates",
     lambda s: [[s.of(*POST_LN, w, lr).losses[3] for w in ("none", "5%", "20%") for lr in (0.003, 0.006)
                 if (w, lr) != ("20%", 0.003)]]),
    ("but for 20% at 0.003", lambda s: s.of(*POST_LN, "20%", 0.003).trained[3]),
    ("At lr 0.001, where nothing is stuck",
     lambda s: all(all(s.of(*POST_LN, w, 0.001).trained) for w in ("none", "5%", "20%"))),
    ("the loss is {0.04} nats higher with 5%, and {0.03} with 20%",
     lambda s: [above(s, warmup, 0.001, "none").loss for warmup in ("5%", "20%")]),
    ("the same net at the same learning rate trains with every seed, with a warmup and without",
     lambda s: all(all(at_006(s, warmup, "pre-ln").trained) for warmup in ("none", "20%"))),
    ("RAdam's and the untuned one, which take a third of this run at β2 = 0.98, trained every seed",
     lambda s: all(all(at_006(s, w).trained) and steps(at_006(s, w)) == [100] * 5 for w in ("radam", "untuned"))),
    ("their losses are below those of linear over 20% with the whole interval",
     lambda s: all(above(s, warmup, 0.006, "20%").loss_interval[1] < 0 for warmup in ("radam", "untuned"))),
    ("the {29}% less of learning rate in all", lambda s: [[less(s, warmup) for warmup in ("radam", "untuned")]]),
    ("as long and with {17}% less", lambda s: [less(s, "sqrt-beta2")]),
    ("left seed 3 stuck",
     lambda s: at_006(s, "sqrt-beta2").trained == [True, True, True, False, True]
     and steps(at_006(s, "sqrt-beta2")) == [100] * 5),
    ("GI-Adam, which is no warmup, trained {four} seeds, as 20% did",
     lambda s: [[came(s, POST_LN, warmup, 0.006) for warmup in (GI, "20%")]]),
    ("as 20% did, at a lower loss", lambda s: above(s, GI, 0.006, "20%").loss_interval[1] < 0),
    ("The critical start took half of the warmup away",
     lambda s: [2 * n for n in steps(at_006(s, CRITICAL))] == steps(at_006(s, "20%"))),
    ("and with it {two} more seeds", lambda s: [came(s, POST_LN, "20%", 0.006) - came(s, POST_LN, CRITICAL, 0.006)]),
    ("the catapult took the target at the first step, as if there were none",
     lambda s: steps(at_006(s, "catapult")) == [0] * 5 and at_006(s, "catapult").losses == at_006(s, "none").losses),
    ("The line search halved steps with {two} seeds", lambda s: [sum(n > 60 for n in steps(at_006(s, SEARCH)))]),
    ("and helped one of those, by {0.28} nats",
     lambda s: [max(a - b for a, b in zip(at_006(s, "20%").losses, at_006(s, SEARCH).losses, strict=True))]),
    ("helped one of those",
     lambda s: sum(a - b > 0.01 for a, b in zip(at_006(s, "20%").losses, at_006(s, SEARCH).losses, strict=True)) == 1),
    ("with the others it is the linear warmup, stuck where that is stuck",
     lambda s: all(b == c for n, b, c in zip(steps(at_006(s, SEARCH)), at_006(s, SEARCH).losses,
                                             at_006(s, "20%").losses, strict=True) if n == 60)),
    # How far each tool moves the boundary
    ("On the plain CNN some do not at the lowest rates either",
     lambda s: all(not all(s.of(*CNN_ADAM, warmup, lr).trained) for warmup in LINEAR for lr in TOO_LOW)),
    ("the longer the warmup, the higher the rate that trains",
     lambda s: all(moved(s, at, longer, shorter)[0] > 1 for at in (CNN_ADAM, BN_ADAM)
                   for shorter, longer in pairwise(LINEAR))),
    ("{3.5} times as high with 20% of the run, and {7} times with BatchNorm",
     lambda s: [moved(s, at, "20%")[0] for at in (CNN_ADAM, BN_ADAM)]),
    ("On the MLP length moves nothing.",
     lambda s: all(s.boundaries(*at, warmup) == s.boundaries(*at, "none") for at in MLP for warmup in LINEAR)),
    ("With SGD and momentum no linear warmup moves it, on either net.",
     lambda s: all(holds(moved(s, at, warmup)[1], 1) for at in (MLP_SGD, CNN_SGD) for warmup in LINEAR)),
    ("GI-Adam moves it without any warmup by {1.7} on the MLP, and by {6} and {8} on the CNNs",
     lambda s: [moved(s, at, GI)[0] for at in ADAM]),
    ("on the plain one further than linear 20%, with BatchNorm as far",
     lambda s: moved(s, CNN_ADAM, GI, "20%")[1][0] > 1 and holds(moved(s, BN_ADAM, GI, "20%")[1], 1)),
    ("about 4, which the interval of the plain CNN holds, and the two others do not",
     lambda s: [holds(moved(s, at, GI)[1], 4) for at in (CNN_ADAM, MLP_ADAM, BN_ADAM)] == [True, False, False]),
    ("The line search moves it to the end of the grid on the MLP, with both optimizers",
     lambda s: all(s.boundaries(*at, SEARCH) == [max(s.lrs(*at, SEARCH))] * 5 for at in MLP)),
    ("with Adam on the CNNs as far as linear 20%, of which it is made",
     lambda s: all(holds(moved(s, at, SEARCH, "20%")[1], 1) for at in (CNN_ADAM, BN_ADAM))),
    ("with SGD on the CNN by {1.7}", lambda s: [moved(s, CNN_SGD, SEARCH)[0]]),
    ("The warmups from β2 move it furthest in terms of the peak.",
     lambda s: all(moved(s, at, w)[0] >= max(moved(s, at, other)[0] for other in TOOLS if other not in FROM_BETA2)
                   for at in ADAM for w in FROM_BETA2)),
    ("they have not reached it when the run ends",
     lambda s: all(n > run.cells[0].steps for at in ADAM for w in FROM_BETA2 for lr in s.lrs(*at, w)
                   for run in [s.of(*at, w, lr)] for n in steps(run))),
    ("{0.03} to {0.14} of the peak on the MLP and {0.02} to {0.12} on the CNNs, where linear warmups have {0.50}",
     lambda s: [min(shares(s, MLP_ADAM, FROM_BETA2)), max(shares(s, MLP_ADAM, FROM_BETA2)),
                [min(shares(s, at, FROM_BETA2)) for at in (CNN_ADAM, BN_ADAM)],
                [max(shares(s, at, FROM_BETA2)) for at in (CNN_ADAM, BN_ADAM)],
                [f(shares(s, at, LINEAR)) for at in ADAM for f in (min, max)]]),
    ("no more than 1.2 times the boundary without a warmup on the MLP",
     lambda s: max(s.lrs(*MLP_ADAM, "radam")) * max(shares(s, MLP_ADAM, FROM_BETA2))
     <= 1.2 * highest(s, MLP_ADAM, ["none"]) * min(shares(s, MLP_ADAM, ["none"]))),
    ("on the CNNs not beyond that of linear 20%",
     lambda s: all(max(s.lrs(*at, "radam")) * max(shares(s, at, FROM_BETA2))
                   <= highest(s, at, ["20%"]) * min(shares(s, at, ["20%"])) for at in (CNN_ADAM, BN_ADAM))),
    ("The critical start is no better than the whole warmup",
     lambda s: all(moved(s, at, CRITICAL, "20%")[0] <= 1 for at in MLP + CNNS)),
    ("the catapult moves {one} of five", lambda s: [sum(not holds(moved(s, at, "catapult")[1], 1)
                                                        for at in MLP + CNNS)]),
    # What the line search does there
    ("{240} of {300} on the MLP, {160} of {200} on the CNN",
     lambda s: [x for at, net in ((MLP_ADAM, "mlp"), (CNN_ADAM, "cnn"))
                for x in (max(max(steps(s.of(*at, SEARCH, lr))) for lr in s.lrs(*at, SEARCH)), sizes(s, net)[1])]),
    ("Where the rate is right it is the linear warmup, if a dear one, on the MLP and on the CNN with BatchNorm.",
     lambda s: all(at_best(s, at, SEARCH).losses == at_best(s, at, "20%").losses
                   and all(o.forwards > 2 * n for o, n in zip(at_best(s, at, SEARCH).outcomes,
                                                              steps(at_best(s, at, "20%")), strict=True))
                   for at in (*MLP, BN_ADAM))),
    ("with Adam for {two} seeds, at {+0.005} [{−0.006}, {+0.021}] nats",
     lambda s: [sum(n > 40 for n in steps(at_best(s, CNN_ADAM, SEARCH))), behind(s, CNN_ADAM, SEARCH).loss,
                *behind(s, CNN_ADAM, SEARCH).loss_interval]),
    ("with SGD at every rate", lambda s: all(max(steps(s.of(*CNN_SGD, SEARCH, lr))) > 40 for lr in s.lrs(*CNN_SGD))),
    ("its best is {0.025} [{−0.000}, {+0.047}] nats above the best of the grid",
     lambda s: [behind(s, CNN_SGD, SEARCH).loss, *behind(s, CNN_SGD, SEARCH).loss_interval]),
    ("half of the run or more (more than 44%, but for {two} runs of {55})",
     lambda s: [sum(share <= 0.44 for share in shares_searched(s)), len(shares_searched(s))]),
    ("ends at a loss above the best", lambda s: min(times_the_best(s, MLP + CNNS)) > 1),
    ("on the MLP {1.6} to {3.9} times it", lambda s: [f(times_the_best(s, MLP)) for f in (min, max)]),
    ("{none} of its {90} runs on the MLP failed",
     lambda s: [f(not good for at in MLP for lr in s.lrs(*at, SEARCH) for good in s.of(*at, SEARCH, lr).trained)
                for f in (sum, lambda found: len(list(found)))]),
    ("On the CNNs it does not train to 0.9 accuracy at the highest rates either",
     lambda s: all(came(s, at, w, max(s.lrs(*at))) == 0 for at in CNNS for w in (SEARCH, "20%"))),
    ("wherever the rate is too high its loss is the lower one",
     lambda s: all(searched(s, at, lr).loss < 0 for at, lr in too_high(s, CNNS))),
    ("with the whole interval but for Adam on the plain CNN at 0.128",
     lambda s: [(at, lr) for at, lr in too_high(s, CNNS) if searched(s, at, lr).loss_interval[1] >= 0]
     == [(CNN_ADAM, 0.128)]),
    # Zero tuning
    ("where it halves no step, it is the linear warmup of that length",
     lambda s: len(halves_no_step(s)) > 50 and all(one == other for one, other in halves_no_step(s))),
    ("on the MLP what the tuned grid has at its best is had without tuning the warmup, and without a warmup, too",
     lambda s: all(behind(s, MLP_ADAM, warmup).verdict == "yes" for warmup in ("none", *FROM_BETA2))
     and behind(s, MLP_SGD, "none").verdict == "yes"),
    ("it is far below the boundary", lambda s: all(10 * s.tuned(*at)[1] < highest(s, at, ["none"]) for at in MLP)),
    ("no warmup is {0.04} nats behind", lambda s: [behind(s, CNN_ADAM, "none").loss]),
    ("RAdam's and √(1 − β2ᵗ), which have no length either, are not",
     lambda s: all(behind(s, CNN_ADAM, w).loss_interval[1] < 0.04 and nowhere_told(s, CNN_ADAM, w)
                   for w in ("radam", "sqrt-beta2"))),
    ("Of the {13} that are open, {three} are so by a hair (0.002 nats and 0.1 points at most)",
     lambda s: [len(open_verdicts(s)), sum(map(by_a_hair, open_verdicts(s)))]),
    ("450 held-out digits are {0.2} points each", lambda s: [100 / HELD_OUT["mlp"]]),
    ("0.01 nats is less than the seeds differ by",
     lambda s: all(max(losses) - min(losses) > 0.01
                   for at in MLP + CNNS for losses in [s.of(*at, *s.tuned(*at)).losses])),
    # Steps saved by the critical start
    ("Of the {25} rows the shorter warmup is worse with the whole interval in {eight}",
     lambda s: [len(shortened(s)), len(worse(s))]),
    ("by up to {0.02} nats in {four}",
     lambda s: [max(worse(s, below=0.025).values()), len(worse(s, below=0.025))]),
    ("on the MLP, Adam at 0.004 and SGD at 0.0125 to 0.05",
     lambda s: set(worse(s, below=0.025)) == {(MLP_ADAM, 0.004), *((MLP_SGD, lr) for lr in (0.0125, 0.025, 0.05))}),
    ("by {0.03} to {0.15} in {four} where the rate is high",
     lambda s: [*(f(worse(s, 0.025).values()) for f in (min, max)), len(worse(s, 0.025))]),
    ("SGD on the MLP at 0.2; Adam on the CNN at 0.032 and 0.064, with BatchNorm at 0.128",
     lambda s: set(worse(s, 0.025)) == {(MLP_SGD, 0.2), (CNN_ADAM, 0.032), (CNN_ADAM, 0.064), (BN_ADAM, 0.128)}),
    ("In {two} it is better: with SGD, on the MLP at 0.00625 by {0.001}, on the CNN at 0.05 by {0.03}",
     lambda s: [sum(found.loss_interval[1] < 0 for found in shortened(s).values()),
                -shortened(s)[MLP_SGD, 0.00625].loss, -shortened(s)[CNN_SGD, 0.05].loss]),
    ("In three not all seeds train that do with the whole: at the highest rate with Adam on both CNNs, and at the "
     "lowest with SGD on the CNN",
     lambda s: set(lost_seeds(s)) == {(at, every_seed_trains(s, at, "20%")[place])
                                      for at, place in ((CNN_ADAM, -1), (BN_ADAM, -1), (CNN_SGD, 0))}),
    ("Adam keeps half of the warmup at least",
     lambda s: all(min(steps(s.of(*at, CRITICAL, lr))) >= sizes(s, at[0])[1] / 10
                   for at in ADAM for lr in s.lrs(*at, CRITICAL))),
    # Decays
    ("A budget of 300 steps ends while the loss is falling",
     lambda s: all(falls_to_the_end(decayed(s, decay)) for decay in DECAYS)),
    ("at their best learning rates constant and `wsd` are {0.07} nats below linear to 0",
     lambda s: [[compare(decayed(s, "linear"), decayed(s, decay)).loss for decay in ("constant", "wsd")]]),
    ("and further below cosine", lambda s: decayed(s, "cosine").loss > decayed(s, "linear").loss),
    ("and not told from one another",
     lambda s: holds(compare(decayed(s, "constant"), decayed(s, "wsd")).loss_interval)),
    ("At the highest rate, where a decay is needed, constant is the worst",
     lambda s: all(constant_at_the_highest(s, decay).loss > 0 for decay in DECAYS[:-1])),
    ("told from all but cosine.",
     lambda s: [d for d in DECAYS[:-1] if holds(constant_at_the_highest(s, d).loss_interval)] == ["cosine"]),
    ("upside down (ρ = {−0.5})", lambda s: [rank_correlations(s)["decays, each at its best learning rate"][0]]),
    ("nearly right at the lowest ({0.9}), and at 0.016 rather wrong than right ({−0.6}",
     lambda s: [rank_correlations(s)[f"decays at lr {lr}"][0] for lr in ("0.004", "0.016")]),
    ("which five seeds do not settle", lambda s: holds(rank_correlations(s)["decays at lr 0.016"][1])),
    # Loss-gap warmup, Muon
    ("Guesses are half of about what was reached, that, and twice that",
     lambda s: abs(at_006(s, "loss gap 2.2").loss / 2.2 - 1) < 0.1),
    ("With the right one this was the lowest loss of all warmups at this learning rate, with the whole interval",
     lambda s: all(above(s, "loss gap 2.2", 0.006, w).loss_interval[1] < 0
                   for w in s.warmups(*POST_LN) if w != "loss gap 2.2")),
    ("half of it still trained every seed", lambda s: all(at_006(s, "loss gap 1.1").trained)),
    ("with twice of it {two} of five stayed above 2.9, by {0.01} nats",
     lambda s: [5 - came(s, POST_LN, "loss gap 4.4", 0.006),
                [loss - 2.9 for loss in at_006(s, "loss gap 4.4").losses if loss > 2.9]]),
    ("with every seed the loss was lowest without, by {0.01} to {0.03} nats", lambda s: [min(muon(s)), max(muon(s))]),
    # How it was done
    ("1,347 to train on, {450} held out | {128}, {300}", lambda s: [HELD_OUT["mlp"], *sizes(s, "mlp")]),
    ("{256} of them are looked at | {16}, {300}", lambda s: [HELD_OUT["post-ln"], *sizes(s, "post-ln")]),
    ("4,000 and {1,000} | {32}, {200}", lambda s: [HELD_OUT["cnn"], *sizes(s, "cnn")]),
]  # fmt: skip
BY_QUOTE = dict(CLAIMS)
WITH_NUMBERS = [quote for quote, _ in CLAIMS if "{" in quote]
WITHOUT = [quote for quote, _ in CLAIMS if "{" not in quote]


# --- the tests -------------------------------------------------------------------------------------------------------

IN_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@cache
def words() -> str:
    """The page's, and README.md's, with single spaces."""
    pages = (ROOT / "benchmarks" / "evidence" / "words.md", ROOT / "README.md")
    return " ".join(" ".join(page.read_text(encoding="utf-8") for page in pages).split())


@cache
def computed(quote: str) -> bool | Numbers:
    return BY_QUOTE[quote](study())


def as_told(told: str) -> tuple[float, float]:
    """The number that a text is, and how much half of its last digit is."""
    told = told.replace("none", "no")
    if told in IN_WORDS:
        return IN_WORDS.index(told), 0.5
    told = told.replace(",", "").replace("−", "-")
    return float(told), 0.5 * 10.0 ** -len(told.partition(".")[2])


def agree(told: Sequence[tuple[float, float]], found: Numbers) -> bool:
    """Every number as it was told, to the digits that it was told with."""
    each = [value if isinstance(value, Sequence) else [value] for value in found]
    return all(each) and all(
        abs(value - number) <= half + 1e-9
        for (number, half), values in zip(told, each, strict=True)
        for value in values
    )


def numbers(quote: str) -> list[tuple[float, float]]:
    return [as_told(told) for told in re.findall(r"\{(.+?)\}", quote)]


def true(quote: str, found: bool | Numbers) -> bool:
    return found if isinstance(found, bool) else agree(numbers(quote), found)


@pytest.mark.parametrize("quote", BY_QUOTE)
def test_it_is_said_and_it_is_so(quote: str) -> None:
    """If this fails after new runs: look at what has changed, and say that instead."""
    assert " ".join(re.sub("[{}]", "", quote).split()) in words()
    assert true(quote, computed(quote)), computed(quote)


@pytest.mark.parametrize("quote", WITH_NUMBERS)
def test_another_number_would_not_do(quote: str) -> None:
    found, told = computed(quote), numbers(quote)
    assert not isinstance(found, bool)
    assert agree(told, found)
    for i, (number, half) in enumerate(told):
        for other in (number - 2 * half, number + 2 * half):
            assert not agree([*told[:i], (other, half), *told[i + 1 :]], found)


def test_other_results_would_not_do() -> None:
    """Each claim without a number is false where every run diverged, or of outcomes that are dealt out anew."""

    def true_of(quote: str, other: Study) -> bool:
        try:
            return true(quote, BY_QUOTE[quote](other))
        except (ValueError, ZeroDivisionError, IndexError, StopIteration):
            return False  # there is nothing to compare

    outcomes = list(study().rows.values())
    diverged = next(outcome for outcome in outcomes if outcome.failure)
    dealt = [random.Random(seed).sample(outcomes, len(outcomes)) for seed in range(5)]
    left = list(WITHOUT)
    for others in ([diverged] * len(outcomes), *dealt):
        other = Study(dict(zip(study().rows, others, strict=True)))
        left = [quote for quote in left if true_of(quote, other)]
    assert left == []


def test_no_claim_is_told_twice() -> None:
    assert len(BY_QUOTE) == len(CLAIMS)


MACHINE = results.read(results.FOLDER / "post-ln.json").machine


@pytest.mark.skipif(results.machine()["python"] != MACHINE["python"], reason="the text is that of another Python")
def test_who_knows_only_how_often_each_byte_is() -> None:
    seen, unseen = data.text()
    often = seen[:, 1:].flatten().bincount(minlength=256).double()
    loss = -(often / often.sum())[unseen[: HELD_OUT["post-ln"], 1:].flatten()].log().mean()
    assert "A net that knows only how often each byte is has 3.16 nats" in words()
    assert float(loss) == pytest.approx(3.16, abs=0.005)
