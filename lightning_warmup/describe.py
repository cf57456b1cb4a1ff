"""One line that says what a schedule will do, in numbers."""

import math
from collections.abc import Sequence

from lightning_warmup.curve import Curve
from lightning_warmup.warmups import LinearWarmup


def describe(curve: Curve, names: Sequence[str | None], parameter: str = "lr") -> str:
    """What will happen to each group.

    >>> from lightning_warmup import CosineDecay
    >>> curve = Curve(LinearWarmup(250), 250, CosineDecay(0.01), 250, 25_000, initial=[0.004], target=[0.02])
    >>> describe(curve, [None])
    'lr 0.004 → 0.02 over 250 steps, cosine to 0.0002 at step 25,000'
    """
    warmup_unit = curve.clock if curve.warmup_stride == 1 else "epoch"
    decay_unit = curve.clock if curve.decay_stride == 1 else "epoch"
    parts = []
    if curve.beta2:
        ways = [f"{high:.4g} × {curve.warmup} (β2={b:.4g})" for high, b in zip(curve.target, curve.beta2, strict=True)]
        parts.append(_groups(ways, names))
    elif curve.warmup_length:
        ways = [f"{low:.4g} → {high:.4g}" for low, high in zip(curve.initial, curve.target, strict=True)]
        shape = "" if isinstance(curve.warmup, LinearWarmup) else f" ({curve.warmup})"
        parts.append(f"{_groups(ways, names)} over {_count(curve.warmup_length, warmup_unit)}{shape}")
    else:
        parts.append(f"{_groups([f'{high:.4g}' for high in curve.target], names)}, no warmup")
    if curve.decay is None:
        parts.append("then constant")
    else:
        warmup_end = math.ceil(curve.warmup_length * curve.warmup_stride / curve.decay_stride)
        if curve.decay_start > warmup_end:
            parts.append(f"held until {decay_unit} {curve.decay_start:,}")
        if curve.decay_end == math.inf or not curve.decay.closed_form:
            parts.append(f"{curve.decay} from {decay_unit} {curve.decay_start:,} on")
        else:
            end = int(curve.decay_end)
            final = [f"{value:.4g}" for value in curve.values(end * curve.decay_stride)]
            parts.append(f"{curve.decay} to {_groups(final, names)} at {decay_unit} {end:,}")
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
