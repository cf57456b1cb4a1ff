"""What a schedule costs: each optimizer step, each whole fit, each checkpoint, import and search.

python benchmarks/overhead.py                       # all of it: a minute or two, a table, runs/overhead.json
python benchmarks/overhead.py --rounds 3 --groups 1 10
python benchmarks/overhead.py --markdown docs/performance.md

Peers that are not installed are skipped by name. All times are medians of short rounds in one process, in turn; look
at the ratios within a table rather than at the microseconds, which are this machine's.
"""

import argparse
import json
import logging
import platform
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from random import Random
from time import process_time
from typing import Any

import lightning.pytorch as pl
import torch

from contenders import (
    FLOOR,
    IDLE,
    OURS,
    PEERS,
    SEQUENTIAL,
    Kind,
    Phase,
    Scalars,
    Step,
    bare_loop,
    batches,
    our_idle_batch,
    our_step,
    quiet_trainer,
    schedule,
    sequential,
    stepped_optimizer,
    within_a_fit,
)
from growth import growth
from lightning_warmup import LearningRateWarmup
from lightning_warmup.training import param_groups
from timing import Sample, interleaved

GENERATED = "<!-- From here on written by `make bench`. -->"


@dataclass(frozen=True)
class Row:
    """One contender in one setting; microseconds per optimizer step."""

    groups: int
    kind: Kind
    phase: Phase
    contender: str
    microseconds: Sample
    to_floor: float
    to_best_peer: float


# --- one optimizer step --------------------------------------------------------------------------------------------


def step_rows(groups: int, kind: Kind, phase: Phase, rounds: int, skipped: dict[str, str]) -> list[Row]:
    """All contenders in one setting, against each other."""
    steps = {FLOOR: bare_loop(stepped_optimizer(groups, kind), phase)}
    steps |= peer_steps(groups, kind, phase, skipped)
    callback = schedule(phase)
    times: dict[str, Sample] = {}

    def measure(trainer: pl.Trainer, module: pl.LightningModule) -> None:
        ours = {OURS: our_step(callback, trainer, module), IDLE: our_idle_batch(callback, trainer, module)}
        before = trainer.global_step
        times.update(interleaved({**steps, **ours}, rounds))
        check_written(callback, trainer, trainer.global_step - before)

    within_a_fit(callback, groups, kind, measure)
    best_peer = min(times[name].median for name in times if name in PEERS)
    return [
        Row(groups, kind, phase, name, time, time.median / times[FLOOR].median, time.median / best_peer)
        for name, time in times.items()
    ]


def check_written(callback: LearningRateWarmup, trainer: pl.Trainer, steps: int) -> None:
    """What was measured did what it is for: it counted every step, and wrote the values of the next."""
    assert callback._fit is not None
    (scheduled,) = callback._fit.optimizers
    written = param_groups.read(trainer.optimizers[0].param_groups, "lr")
    expected = [float(torch.tensor(v)) for v in scheduled.schedule.values(steps)]
    if scheduled.steps != steps or [float(torch.tensor(v)) for v in written] != expected:
        raise AssertionError(
            f"{scheduled.steps} of {steps} steps counted, {written[:3]} … written for {expected[:3]} …"
        )


def peer_steps(groups: int, kind: Kind, phase: Phase, skipped: dict[str, str]) -> dict[str, Step]:
    """The peers that are installed and keep a tensor a tensor."""
    steps = {}
    for name, make in PEERS.items():
        optimizer = stepped_optimizer(groups, kind)
        entry = optimizer.param_groups[0]["lr"]
        try:
            step = make(optimizer, phase)
        except ImportError as error:
            skipped[name] = str(error)
            continue
        step()
        step()
        if kind == "tensor" and optimizer.param_groups[0]["lr"] is not entry:
            skipped[f"{name}, tensors"] = "it puts another object in the place of the tensor"
        else:
            steps[name] = step
    return steps


# --- whole fits ----------------------------------------------------------------------------------------------------


class Timed(Scalars):
    """Notes when each of its batches begins."""

    def __init__(self, configure: Callable[[torch.optim.Optimizer], Any]) -> None:
        super().__init__(1, "float")
        self.configure = configure
        self.begun: list[float] = []

    def configure_optimizers(self) -> Any:
        return self.configure(super().configure_optimizers())

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        self.begun.append(process_time())

    def microseconds(self) -> float:
        """Per step, the median; the first steps are left out, for they have caches to fill."""
        return 1e6 * Sample.of([b - a for a, b in zip(self.begun[10:], self.begun[11:])]).median  # noqa: B905


def fit_rows(rounds: int, steps: int) -> dict[str, dict[str, Sample]]:
    """Whole fits of one parameter, in turn: microseconds per step, and what they are above the fit without schedule."""

    def plain() -> float:
        return fitted(Timed(lambda optimizer: optimizer))

    def ours() -> float:
        return fitted(Timed(lambda optimizer: optimizer), LearningRateWarmup("10%", "cosine"))

    def by_torch() -> float:
        def configure(optimizer: torch.optim.Optimizer) -> Any:
            scheduler = sequential(optimizer, steps // 10, steps)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

        return fitted(Timed(configure))

    def idle_callback() -> float:
        return fitted(Timed(lambda optimizer: optimizer), pl.Callback())

    def fitted(module: Timed, *callbacks: pl.Callback) -> float:
        quiet_trainer(*callbacks, max_epochs=1).fit(module, batches(steps))
        return module.microseconds()

    without = "no schedule"
    arrangements = {
        without: plain,
        f"{without}, again": plain,
        "an empty Callback": idle_callback,
        OURS: ours,
        SEQUENTIAL: by_torch,
    }
    times: dict[str, list[float]] = {name: [] for name in arrangements}
    shuffled = Random(0)
    for _ in range(rounds):
        for name in shuffled.sample(list(arrangements), len(arrangements)):
            times[name].append(arrangements[name]())
    return {
        name: {
            "microseconds": Sample.of(values),
            "above": Sample.of([value - base for value, base in zip(values, times[without], strict=True)]),
        }
        for name, values in times.items()
    }


# --- the report ----------------------------------------------------------------------------------------------------


def machine() -> str:
    """The processor and its cores."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    cores = sum(line.startswith("processor") for line in lines)
    return f"{model or platform.processor()}, {cores or '?'} cores, {platform.system()}"


def versions() -> dict[str, str]:
    """Of Python and of all that is compared."""
    found = {"python": platform.python_version()}
    for name in ("lightning_warmup", "lightning", "torch", "transformers", "timm", "pytorch_warmup"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def as_markdown(report: dict[str, Any]) -> str:
    """The tables, with what they were measured on."""
    found = ", ".join(f"{name} {number}" for name, number in report["versions"].items())
    lines = [f"Measured on {report['machine']}; {found}.", ""]
    for phase in dict.fromkeys(row.phase for row in report["steps"]):
        for kind in dict.fromkeys(row.kind for row in report["steps"]):
            rows = [row for row in report["steps"] if (row.phase, row.kind) == (phase, kind)]
            lines += [f"### One step of the {phase}, learning rates as {kind}s", "", *step_table(rows), ""]
    lines += [f"Skipped: {name} ({why})." for name, why in report["skipped"].items()]
    lines += [
        "",
        "### A step of a whole fit, one parameter",
        "",
        "| | µs a step | above no schedule |",
        "|---|---|---|",
    ]
    for name, fit in report["fit"].items():
        time, above = fit["microseconds"], fit["above"]
        lines.append(f"| {name} | {spread(time)} | {above.median:+.1f} ({above.low:+.1f} to {above.high:+.1f}) |")
    lines += ["", "### Everything else", "", "| | |", "|---|---|"]
    lines += [f"| {what} | {figure.text} |" for what, figure in report["growth"].items()]
    return "\n".join(lines) + "\n"


def step_table(rows: list[Row]) -> list[str]:
    """Contenders down, groups across: microseconds, times the floor, times the best peer."""
    groups = list(dict.fromkeys(row.groups for row in rows))
    lines = [
        "| µs, quartiles; × bare loop; × best peer | "
        + " | ".join(f"{n:,} group{'s' * (n > 1)}" for n in groups)
        + " |",
        "|---" * (1 + len(groups)) + "|",
    ]
    for name in dict.fromkeys(row.contender for row in rows):
        cells = [
            f"{spread(row.microseconds)}; ×{row.to_floor:.1f}; ×{row.to_best_peer:.2f}"
            for row in rows
            if row.contender == name
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def spread(sample: Sample) -> str:
    """The median and the quartiles, to three digits."""
    return f"{short(sample.median)} ({short(sample.low)}–{short(sample.high)})"


def short(number: float) -> str:
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"


def renew(page: Path, tables: str) -> None:
    """Write the tables below the mark, and leave what stands above it."""
    above = page.read_text(encoding="utf-8").partition(GENERATED)[0] if page.exists() else ""
    page.write_text(f"{above}{GENERATED}\n\n{tables}", encoding="utf-8")


def positive(text: str) -> int:
    """A whole number above 0."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--groups", type=positive, nargs="+", default=[1, 10, 100, 1000], help="numbers of param groups"
    )
    parser.add_argument("--rounds", type=positive, default=31, help="turns of each contender")
    parser.add_argument("--fits", type=positive, default=21, help="whole fits of each arrangement")
    parser.add_argument("--fit-steps", type=positive, default=300, help="optimizer steps of such a fit, 20 or more")
    parser.add_argument("--long", type=positive, default=1_000_000, help="steps of a long run")
    parser.add_argument("--imports", type=positive, default=9, help="times that the import is timed")
    parser.add_argument("--json", type=Path, default=Path("runs/overhead.json"), help="where to write the numbers")
    parser.add_argument("--markdown", type=Path, help="a page to renew the tables of")
    options = parser.parse_args()
    if options.fit_steps < 20:
        parser.error("--fit-steps: the first ten are left out, give 20 or more")
    for path in (options.json, options.markdown):
        if path is not None:  # now, rather than when all is measured
            path.parent.mkdir(parents=True, exist_ok=True)
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    torch.set_num_threads(1)

    skipped: dict[str, str] = {}
    phases: tuple[Phase, ...] = ("warmup", "decay")
    kinds: tuple[Kind, ...] = ("float", "tensor")
    report = {
        "machine": machine(),
        "versions": versions(),
        "steps": [
            row
            for phase in phases
            for kind in kinds
            for groups in options.groups
            for row in step_rows(groups, kind, phase, options.rounds, skipped)
        ],
        "fit": fit_rows(options.fits, options.fit_steps),
        "growth": growth(options.groups, options.long, options.imports),
        "skipped": skipped,
    }
    tables = as_markdown(report)
    print(tables)
    options.json.write_text(json.dumps(report, default=asdict, indent=1), encoding="utf-8")
    print(f"written: {options.json}")
    if options.markdown:
        renew(options.markdown, tables)


if __name__ == "__main__":
    main()
