"""Which optimizer steps are warmup, hold, decay and cooldown, and what stands out in their values."""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lightning_warmup.schedule.config import ScheduleConfig
from lightning_warmup.schedule.schedule import Schedule
from lightning_warmup.schedule.unreached import never_reached

AT_THE_TARGET = "at the target"
"""What comes after a warmup without a decay."""


@dataclass(frozen=True)
class Phase:
    """A stretch of optimizer steps.

    Args:
        name: ``"warmup"``, ``"hold"``, the decay's name, ``"cooldown"`` or ``"past the end"``.
        start: Its first step, counted from 0.
        end: The step after its last.
    """

    name: str
    start: int
    end: int


def phases(schedule: Schedule, ticks: Sequence[int], planned: int | None) -> list[Phase]:
    """The phases of a run, those without a step left out.

    Args:
        schedule: The schedule of the run.
        ticks: The schedule's t of every optimizer step.
        planned: Steps that are planned over, None if there is no plan: what comes after is past the end.
    """
    total = len(ticks)

    def first_step(reached: Callable[[int], bool]) -> int:
        return bisect_left(range(total), True, key=lambda step: reached(ticks[step]))

    warm = first_step(lambda t: schedule.warmup_tick(t) >= schedule.warmup_length)
    if schedule.beta2:
        warm = min(total, round(max(2 / (1 - beta2) for beta2 in schedule.beta2)))
    found = [Phase(_warmup_name(schedule), 0, warm)]
    end = total if planned is None else min(planned, total)
    if schedule.decay is None:
        found.append(Phase(AT_THE_TARGET, warm, end))
    else:
        decay = max(warm, first_step(lambda t: schedule.decay_tick(t) >= schedule.decay_start))
        last = end
        if schedule.decay_end < math.inf:
            last = max(decay, first_step(lambda t: schedule.decay_tick(t) >= schedule.decay_end))
        found += [
            Phase("hold", warm, decay),
            Phase(str(schedule.decay), decay, min(last, end)),
            Phase("cooldown", last, end),
        ]
    found.append(Phase("past the end", end, total))
    return [phase for phase in found if phase.start < phase.end]


def laid_over(found: Sequence[Phase], over: Phase) -> list[Phase]:
    """Phases, with another one in the place of what it covers.

    >>> [(phase.name, phase.start, phase.end) for phase in laid_over([Phase("hold", 0, 9)], Phase("ramp", 3, 5))]
    [('hold', 0, 3), ('ramp', 3, 5), ('hold', 5, 9)]
    """
    parts = [over]
    for phase in found:
        parts.append(Phase(phase.name, phase.start, min(phase.end, over.start)))
        parts.append(Phase(phase.name, max(phase.start, over.end), phase.end))
    return sorted((part for part in parts if part.start < part.end), key=lambda part: part.start)


def act_on_a_resume(config: ScheduleConfig) -> list[str]:
    """What of a configuration is not shown where nothing is resumed."""
    given = [f"resume_warmup={config.resume_warmup!r}"] if config.resume_ramps else []
    given += [f"replan={config.replan!r}"] if config.replan != "full" else []
    if not given:
        return []
    acts = "acts" if len(given) == 1 else "act"
    return [
        f"{' and '.join(given)} {acts} on a resume only, from what its checkpoint tells: SchedulePreview() in the"
        " Trainer, with ckpt_path, shows that"
    ]


def _warmup_name(schedule: Schedule) -> str:
    return f"{schedule.warmup} warmup"


def findings(config: ScheduleConfig, schedule: Schedule, found: Sequence[Phase], values: Sequence[float]) -> list[str]:
    """What stands out in a schedule, in plain words.

    Args:
        config: What the user configured.
        schedule: The schedule of the run.
        found: Its phases.
        values: What each step of the first param group uses.
    """
    target, total, what = schedule.target[0], len(values), config.parameter
    said = []
    warmup = found[0].end if found and found[0].name.endswith("warmup") else 0
    if what == "lr" and values[0] == 0:
        said.append("step 0 trains at 0")
    peak = max(values)
    if peak < target * (1 - 1e-9):
        said.append(
            f"the peak {target:.4g} is never reached: the highest is {peak:.4g}, at step {values.index(peak):,}"
        )
    if schedule.beta2 and warmup > total / 10:
        said.append(f"β2's warmup takes {warmup / total:.0%} of the run")
    elif warmup > total / 5:
        said.append(f"the warmup takes {warmup / total:.0%} of the run")
    decay = schedule.decay
    late = never_reached(config.decay, decay, schedule.last_tick - schedule.decay_start)
    said += [f"no step reaches the {marks}" for marks, _ in late]
    past = next((phase for phase in found if phase.name == "past the end"), None)
    if past is not None:
        said.append(
            f"the plan ends at step {past.start:,} of {total:,}: {total - past.start:,} steps stay at {values[-1]:.4g}"
        )
    if (
        decay is not None
        and not decay.ends
        and peak > 0
        and decay.settles(math.inf) is None
        and values[-1:] != values[-2:-1]
    ):
        said.append(f"the decay has no end of its own: the last step is at {values[-1] / peak:.0%} of the peak")
    said += _jumps(found, values)
    return said


def _jumps(found: Sequence[Phase], values: Sequence[float]) -> list[str]:
    """Steps at which the value changes by more than a quarter of the highest, but for a linear warmup's first few."""
    highest = max(values)
    jumps = [
        step + 1
        for step, (before, after) in enumerate(pairwise(values))
        if abs(after - before) > highest * (1 + 1e-9) / 4 and not _climbs_fast(found, step + 1)
    ]
    shown = [f"step {step:,}: {values[step - 1]:.4g} → {values[step]:.4g}" for step in jumps[:3]]
    if not jumps:
        return []
    more = f" and {len(jumps) - 3} more" if len(jumps) > 3 else ""
    return [f"a jump at {'; at '.join(shown)}{more}"]


def _climbs_fast(found: Sequence[Phase], step: int) -> bool:
    """Whether the step belongs to a warmup, or decay, so short that each of its steps is a large one."""
    return any(phase.start <= step <= phase.end and phase.end - phase.start < 8 for phase in found)
