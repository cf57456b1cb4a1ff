"""One line that says what a schedule will do, in numbers."""

import math
from collections.abc import Sequence

from lightning_warmup.schedule.schedule import Schedule
from lightning_warmup.schedule.warmups import LinearWarmup


def summary_line(schedule: Schedule, names: Sequence[str | None], parameter: str = "lr") -> str:
    """What will happen to each group.

    >>> from lightning_warmup import CosineDecay
    >>> schedule = Schedule(LinearWarmup(250), 250, CosineDecay(0.01), 250, 25_000, initial=[0.004], target=[0.02])
    >>> summary_line(schedule, [None])
    'lr 0.004 → 0.02 over 250 steps, cosine to 0.0002 at step 25,000'
    """
    warmup_unit = schedule.clock if schedule.warmup_stride == 1 else "epoch"
    decay_unit = schedule.clock if schedule.decay_stride == 1 else "epoch"
    parts = []
    if schedule.beta2:
        pairs = zip(schedule.target, schedule.beta2, strict=True)
        ways = [f"{high:.4g} × {schedule.warmup} (β2={beta2:.4g})" for high, beta2 in pairs]
        parts.append(_groups(ways, names))
    elif schedule.warmup_length:
        ways = [f"{low:.4g} → {high:.4g}" for low, high in zip(schedule.initial, schedule.target, strict=True)]
        shape = "" if isinstance(schedule.warmup, LinearWarmup) else f" ({schedule.warmup})"
        parts.append(f"{_groups(ways, names)} over {_count(schedule.warmup_length, warmup_unit)}{shape}")
    else:
        parts.append(f"{_groups([f'{high:.4g}' for high in schedule.target], names)}, no warmup")
    if schedule.decay is None:
        parts.append("then constant")
    else:
        warmup_end = math.ceil(schedule.warmup_length * schedule.warmup_stride / schedule.decay_stride)
        if schedule.decay_start > warmup_end:
            parts.append(f"held until {decay_unit} {schedule.decay_start:,}")
        if schedule.decay_end == math.inf or not schedule.decay.closed_form:
            parts.append(f"{schedule.decay} from {decay_unit} {schedule.decay_start:,} on")
        else:
            end = int(schedule.decay_end)
            final = [f"{value:.4g}" for value in schedule.values(end * schedule.decay_stride)]
            parts.append(f"{schedule.decay} to {_groups(final, names)} at {decay_unit} {end:,}")
    return f"{parameter} {', '.join(parts)}"


def _groups(texts: Sequence[str], names: Sequence[str | None]) -> str:
    """One text if all groups share it, else one for each of the first groups."""
    if len(set(texts)) == 1:
        return texts[0]
    shown = [f"{text} ({name or f'group {i}'})" for i, (text, name) in enumerate(zip(texts, names, strict=True))]
    more = f" and {len(shown) - 3} more groups" if len(shown) > 3 else ""
    return ", ".join(shown[:3]) + more


def _count(number: int, unit: str) -> str:
    return f"{number:,} {unit}{'' if number == 1 else 's'}"
