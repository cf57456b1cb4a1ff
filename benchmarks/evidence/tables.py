"""The tables of docs/evidence.md, from the raw results alone."""

import math
from collections.abc import Iterable, Sequence

from evidence.analysis import (
    DECAYED,
    TOOLS,
    WITHOUT_A_LENGTH,
    Interval,
    Runs,
    Study,
    compare,
    correlation,
    shape,
)
from evidence.bound import at_best_scale
from evidence.cells import DECAYS, LOSS_GAPS, SEEDS
from evidence.intervals import mean


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown."""
    lines = [list(head), ["---"] * len(head), *map(list, rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def between(value: float, interval: Interval, digits: int = 2, *, sign: bool = False) -> str:
    """A number and its interval; a diverged run has made it infinite."""
    if not math.isfinite(value):
        return "diverges"
    plus = "+" if sign else ""
    told = [f"{x:{plus}.{digits}f}" if math.isfinite(x) else "∞" for x in (value, *interval)]
    return f"{told[0]} [{told[1]}, {told[2]}]".replace("-", "−")


def loss_of(runs: Runs) -> str:
    """The mean held-out loss; and how many came to anything, if not all."""
    came = sum(runs.trained)
    return between(runs.loss, runs.loss_interval) + ("" if came == len(SEEDS) else f", {came}/{len(SEEDS)}")


def post_ln(study: Study) -> str:
    """The Transformers, AdamW, by learning rate and warmup."""
    rows = []
    for net, title in (("post-ln", "Post-LN"), ("pre-ln", "Pre-LN")):
        for lr in study.lrs(net, "adamw"):
            told = [
                loss_of(study.of(net, "adamw", warmup, lr)) if warmup in study.warmups(net, "adamw") else ""
                for warmup in ("none", "5%", "20%")
            ]
            rows.append([title, f"{lr:g}", *told])
    return table(["net", "peak lr", "no warmup", "5%", "20%"], rows)


def pre_ln_difference(study: Study) -> str:
    """What the Pre-LN net has of its warmup."""
    none, warm = (study.of("pre-ln", "adamw", warmup, 0.006) for warmup in ("none", "20%"))
    return between(*loss_difference(none, warm), sign=True)


def post_ln_tools(study: Study) -> str:
    """What each tool does where a warmup decides."""
    rows = []
    best = study.of("post-ln", "adamw", "20%", 0.006)
    for warmup, title in {"5%": TOOLS["5%"], **TOOLS}.items():
        if warmup not in study.warmups("post-ln", "adamw"):
            continue
        runs = study.of("post-ln", "adamw", warmup, 0.006)
        forwards = mean([outcome.forwards for outcome in runs.outcomes])
        steps = [outcome.warmup_steps for outcome in runs.outcomes if outcome.warmup_steps is not None]
        compared = "" if runs is best else between(*loss_difference(runs, best), sign=True)
        length = f"{min(steps)}" if len(set(steps)) == 1 else f"{min(steps)} to {max(steps)}" if steps else ""
        rows.append([title, loss_of(runs), compared, length, f"{forwards:.0f}", mean_lr(runs)])
    head = ["warmup", "held-out loss", "more than with linear, 20%", "steps it took", "forwards beside"]
    return table([*head, "mean lr / peak"], rows)


def loss_difference(one: Runs, other: Runs) -> tuple[float, Interval]:
    """Of the means, paired by seed."""
    found = compare(one, other)
    return found.loss, found.loss_interval


def boundaries(study: Study) -> str:
    """How far each tool moves the failure boundary, in every setting."""
    rows = []
    for tool, title in TOOLS.items():
        row = [title, mean_lr_of_tool(study, tool)]
        for net, optimizer, _ in study.settings:
            if tool not in study.warmups(net, optimizer):
                row.append("")
            elif tool == "none":
                found = [lr for lr in study.boundaries(net, optimizer, "none") if lr is not None]
                row.append(f"lr {2 ** mean([math.log2(lr) for lr in found]):.2g}")
            else:
                row.append(times(study.boundary_factor(net, optimizer, tool)))
        rows.append(row)
    return table(["", "mean lr / peak, MLP", *(title for *_, title in study.settings)], rows)


def mean_lr(runs: Runs) -> str:
    """Over the whole run, in units of the peak."""
    return f"{mean([outcome.mean_lr for outcome in runs.outcomes]):.2f}"


def mean_lr_of_tool(study: Study, tool: str) -> str:
    """The same on the MLP, at all its rates: what a tool moves by training lower, it has not moved."""
    net, optimizer, _ = study.settings[0]
    runs = [study.of(net, optimizer, tool, lr) for lr in study.lrs(net, optimizer, tool)]
    return f"{mean([outcome.mean_lr for run in runs for outcome in run.outcomes if not outcome.failure]):.2f}"


def times(found: tuple[float, Interval, bool] | None) -> str:
    """A factor, its interval, and ≥ where the grid ends."""
    if found is None:
        return "fails everywhere"
    factor, (low, high), cut = found
    return f"{'≥ ' if cut else ''}{factor:.1f}× [{low:.1f}, {high:.1f}]"


def line_search(study: Study) -> str:
    """The steps and forwards that the line search took."""
    rows = []
    for net, optimizer, title in study.settings:
        for lr in study.lrs(net, optimizer, "line search 20%"):
            searched, linear = (study.of(net, optimizer, warmup, lr) for warmup in ("line search 20%", "20%"))
            steps = [outcome.warmup_steps or 0 for outcome in searched.outcomes]
            forwards = mean([outcome.forwards for outcome in searched.outcomes])
            taken = f"{min(steps)} to {max(steps)}" if min(steps) < max(steps) else f"{min(steps)}"
            rows.append([title, f"{lr:g}", taken, f"{forwards:.0f}", loss_of(searched), loss_of(linear)])
    return table(["", "peak lr", "steps", "forwards", "held-out loss", "of linear, 20%"], rows)


def zero_tuning(study: Study) -> str:
    """Each tool without a length against the best cell of the tuned grid."""
    rows = []
    head = [""]
    for tool in WITHOUT_A_LENGTH:
        row = [TOOLS[tool]]
        for net, optimizer, _ in study.settings:
            if tool not in study.warmups(net, optimizer):
                row.append("")
                continue
            runs = study.of(net, optimizer, *study.best(net, optimizer, [tool]))
            found = compare(runs, study.of(net, optimizer, *study.tuned(net, optimizer)))
            points = between(
                100 * found.accuracy, (100 * found.accuracy_interval[0], 100 * found.accuracy_interval[1]), 1, sign=True
            )
            row.append(
                f"{found.verdict}: {between(found.loss, found.loss_interval, 3, sign=True)} nats, {points} points"
            )
        rows.append(row)
    best = ["*the best cell*"]
    for net, optimizer, title in study.settings:
        head.append(title)
        warmup, lr = study.tuned(net, optimizer)
        best.append(f"{TOOLS[warmup]}, lr {lr:g}: {study.of(net, optimizer, warmup, lr).loss:.3f}")
    return table(head, [best, *rows])


def critical_start(study: Study) -> str:
    """Steps saved, forwards paid, and the difference in loss, where the whole warmup trains."""
    rows = []
    for net, optimizer, title in study.settings:
        for lr in study.lrs(net, optimizer, "critical 20%"):
            whole, critical = (study.of(net, optimizer, warmup, lr) for warmup in ("20%", "critical 20%"))
            if not all(whole.trained):
                continue
            steps = [
                (a.warmup_steps or 0) - (b.warmup_steps or 0)
                for a, b in zip(whole.outcomes, critical.outcomes, strict=True)
            ]
            length = whole.outcomes[0].warmup_steps
            forwards = mean([outcome.forwards for outcome in critical.outcomes])
            came = "" if all(critical.trained) else f"{sum(critical.trained)}/5 train; "
            difference = came + between(*loss_difference(critical, whole), 3, sign=True)
            rows.append([title, f"{lr:g}", f"{mean(steps):.0f} of {length}", f"{forwards:.0f}", difference])
    return table(["", "peak lr", "steps saved", "forwards", "held-out loss, more than with the whole"], rows)


def decays(study: Study) -> str:
    """Decays by peak learning rate, and what the bound says of them at their best."""
    lrs = study.lrs(*DECAYED)
    (steps,) = {cell.steps for cell in study.of(*DECAYED, lrs[0]).cells}
    rows = []
    for decay in DECAYS:
        runs = [study.of(*DECAYED, lr, decay) for lr in lrs]
        bound = at_best_scale(shape(decay, steps))[1]
        rows.append([decay, *(between(run.loss, run.loss_interval) for run in runs), f"{bound * steps**0.5:.2f}"])
    return table(["decay", *(f"lr {lr:g}" for lr in lrs), "bound at its best, × √T"], rows)


def rank_correlations(study: Study) -> dict[str, tuple[float, Interval]]:
    """How the bound ranks: decays at their best learning rates, all cells, and decays at each learning rate."""
    lrs = study.lrs(*DECAYED)
    (steps,) = {cell.steps for cell in study.of(*DECAYED, lrs[0]).cells}
    best = {decay: min(lrs, key=lambda lr, d=decay: study.of(*DECAYED, lr, d).loss) for decay in DECAYS}
    at_best = [study.of(*DECAYED, best[decay], decay).losses for decay in DECAYS]
    found = {
        "decays, each at its best learning rate": correlation(
            at_best, [at_best_scale(shape(decay, steps))[1] for decay in DECAYS]
        ),
        "all decays at all learning rates": correlation(
            [study.of(*DECAYED, lr, decay).losses for decay in DECAYS for lr in lrs],
            [bound for decay in DECAYS for bound, _ in study.bound_beside(decay)],
        ),
    }
    for i, lr in enumerate(lrs):
        found[f"decays at lr {lr:g}"] = correlation(
            [study.of(*DECAYED, lr, decay).losses for decay in DECAYS],
            [study.bound_beside(decay)[i][0] for decay in DECAYS],
        )
    return found


def ranking(study: Study) -> str:
    """The same as a table."""
    rows = [[title, between(value, interval)] for title, (value, interval) in rank_correlations(study).items()]
    return table(["ranked", "Spearman's ρ of bound and loss"], rows)


def loss_gap(study: Study) -> str:
    """The experiment, by its guess of the final loss."""
    rows = []
    for warmup in ("20%", *LOSS_GAPS):
        runs = study.of("post-ln", "adamw", warmup, 0.006)
        title = TOOLS.get(warmup) or f"loss gap, guess {warmup.rpartition(' ')[2]}"
        rows.append([title, loss_of(runs), mean_lr(runs)])
    return table(["warmup", "held-out loss", "mean lr / peak"], rows)


def muon(study: Study) -> str:
    """Muon, by warmup."""
    rows = []
    for lr in study.lrs("pre-ln-2", "muon"):
        for warmup in ("none", "5%", "20%"):
            rows.append([f"{lr:g}", TOOLS[warmup], loss_of(study.of("pre-ln-2", "muon", warmup, lr))])
    return table(["peak lr", "warmup", "held-out loss"], rows)
