"""What ``replan="rest"`` keeps of a plan: phases that have begun, and a decay drawn anew from where it stands."""

from collections.abc import Sequence
from dataclasses import dataclass

from lightning_warmup.schedule.decays import Decay, _FallingDecay
from lightning_warmup.schedule.sequential import SequentialDecay


@dataclass(frozen=True)
class Rest:
    """What is kept of the plan before.

    Args:
        warmup: N of a warmup that has begun, or is over; None: as configured.
        start: Interval at which the decay begins, or is drawn anew; None: as configured.
        factor: Factor of the target at which the decay stands there.
    """

    warmup: int | None = None
    start: int | None = None
    factor: float = 1.0

    def of(self, decay: Decay, length: float) -> Decay:
        """The decay over ``length`` from where it stands."""
        return decay if self.factor == 1 else _RestOfDecay(decay, self.factor, length)


class _RestOfDecay(Decay):
    """A decay drawn anew from the factor p that it stands at, to its own final factor f.

        f + (p − f) (d(τ, D) − f) / (1 − f)

    Underscored, or ``--help`` would offer it.

    Args:
        decay: d, resolved.
        factor: p.
        length: D.
    """

    def __init__(self, decay: Decay, factor: float, length: float) -> None:
        self._decay, self._factor = decay, factor
        self.closed_form = decay.closed_form  # type: ignore[misc]
        if isinstance(decay, _FallingDecay):
            self._final = float(decay.final)
            return
        decay.check(length, (1.0,))
        try:
            self._final = float(decay.factor_at(length, length))
        except Exception as error:
            raise ValueError(f"{decay!r} with replan='rest' needs a value at its end, and has none: {error}") from error
        if self._final == 1:
            raise ValueError(f"{decay!r} with replan='rest' {_NOTHING_TO_DRAW}")

    def __str__(self) -> str:
        return str(self._decay)

    def __repr__(self) -> str:
        return repr(self._decay)

    def factor_at(self, tau: float, length: float) -> float:
        final, decay = self._final, self._decay
        if isinstance(decay, _FallingDecay):
            return final + (self._factor - final) * decay.shape(tau / length)
        return final + (self._factor - final) * (decay.factor_at(tau, length) - final) / (1 - final)

    def check(self, length: float, target: Sequence[float]) -> None:
        self._decay.check(length, target)


_NOTHING_TO_DRAW = "has the same factor, 1, at its end as at its start: there is nothing to draw. Leave replan out."


def check_can_be_drawn_anew(call: str, decay: Decay | None) -> None:
    """Check that a decay ends with the run, from 1 to somewhere else.

    Args:
        call: Callback and parameters, quoted in errors.
        decay: The decay, None without one.

    Raises:
        ValueError: If it does not.
    """
    instead = "Use one that ends with the run ('linear', 'cosine', 'one_minus_sqrt'), or leave replan out."
    if decay is None:
        raise ValueError(f"{call} needs a decay that it can draw anew. {instead}")
    if isinstance(decay, SequentialDecay):
        raise ValueError(
            f"{call}: decays one after the other have lengths of their own. {instead} What is held"
            " before such a decay is hold=..., or decay_duration=... says how long the decay is."
        )
    if not decay.ends:
        raise ValueError(f"{call}: that decay does not end with the run, whatever its length. {instead}")
    if isinstance(decay, _FallingDecay) and float(decay.final) == 1:
        raise ValueError(f"{call}: that decay {_NOTHING_TO_DRAW}")
