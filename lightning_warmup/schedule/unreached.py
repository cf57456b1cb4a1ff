"""What was given for later than anything comes to: milestones and points."""

import math

from lightning_warmup.schedule.decays import Decay
from lightning_warmup.schedule.piecewise import _PiecewiseDecay
from lightning_warmup.schedule.sequential import _Sequence
from lightning_warmup.schedule.step_decays import MultiStepDecay


def never_reached(written: object, decay: Decay | None, last: float) -> list[tuple[str, float]]:
    """Which milestones and points of a decay, or of its parts, never come.

    Args:
        written: The decay as it was configured.
        decay: The same, resolved.
        last: τ of the last step, or of the end of the part.

    Returns:
        What they are, as they were written, and τ of the end of the part that they are in; ``inf`` in none.
    """
    if isinstance(decay, _Sequence):
        found = []
        for part, resolved, begin, length, jumps in decay.parts():
            # One just at the end of a part counts where the next goes on from there.
            mine = never_reached(part, resolved, min(last - begin, length - jumps))
            found += [(marks, begin + min(end, length)) for marks, end in mine]
        return found
    if isinstance(decay, MultiStepDecay) and isinstance(written, MultiStepDecay):
        what, marks = "milestone(s)", list(written.milestones)
    elif isinstance(decay, _PiecewiseDecay) and isinstance(written, _PiecewiseDecay):
        what, marks = "point(s)", list(written.points)
    else:
        return []
    unreached = decay.unreached(last)
    return [(f"{what} {', '.join(repr(marks[i]) for i in unreached)}", math.inf)] if unreached else []
