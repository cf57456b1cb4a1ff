"""Decays one after the other."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from lightning_warmup.schedule.checks import Factor, keep_factor, keep_plain
from lightning_warmup.schedule.decays import Decay, DecayContext, DecayName, positive_duration, shape_within
from lightning_warmup.schedule.durations import Duration, TooShortError


@dataclass(frozen=True)
class DecayPart:
    """One of the decays of a :class:`SequentialDecay`.

    Args:
        decay: A shape, or its short name: a factor of where the last part ended (of the target, if it is the first).
        duration: Duration > 0 that the part lasts. The last part may go without: it takes the rest.
        start: Factor of the target, finite and ≥ 0, or "10%", that the part jumps to and is a factor of; None: it
            begins where the last one ended.

    Raises:
        ValueError: If an argument is out of range.

    >>> DecayPart("cosine", "30%", start="50%")
    DecayPart(decay='cosine', duration='30%', start=0.5)
    """

    decay: Decay | DecayName
    duration: Duration | None = None
    start: Factor | None = None

    def __post_init__(self) -> None:
        keep_plain(self)
        shape_within("DecayPart", self.decay, "a part")
        if self.duration is not None:
            positive_duration("DecayPart", "duration", self.duration)
        if self.start is not None:
            keep_factor(self, "start")


@dataclass(frozen=True)
class SequentialDecay(Decay):
    r"""Decays one after the other.

    .. math:: \mathrm{start}_k \cdot \mathrm{factor}_k(\tau - \mathrm{begin}_k)

    In part k, which begins when those before it have lasted their durations. Where a part gives no ``start``, that is
    the factor at which the last part ended (1, for the first), so that the parts join. What comes after the last part
    is its end.

    ``decay=[...]`` is short for ``SequentialDecay([...])``.

    Args:
        parts: List of :class:`DecayPart`, one or more. All have a duration but the last, which may have one. A part's
            milestones and points count from the start of the run, as elsewhere.

    Raises:
        ValueError: If ``parts`` is empty, or one but the last has no duration; at fit start, if they are longer than
            the decay.

    >>> from lightning_warmup import LearningRateWarmup
    >>> parts = [DecayPart("constant", 2), DecayPart("linear", 2), DecayPart("constant", start="50%")]
    >>> LearningRateWarmup(0, SequentialDecay(parts)).values(1.0, total_steps=6)
    [1.0, 1.0, 1.0, 0.5, 0.5, 0.5]
    """

    parts: list[DecayPart]

    def __post_init__(self) -> None:
        super().__post_init__()
        parts = self.parts
        if not isinstance(parts, list | tuple) or not parts or not all(isinstance(part, DecayPart) for part in parts):
            raise ValueError(
                f"SequentialDecay(parts={parts!r}): expected a list of one DecayPart or more, for example"
                " [DecayPart('constant', '80%'), DecayPart('linear')]."
            )
        for part in parts[:-1]:
            if part.duration is None:
                raise ValueError(
                    f"SequentialDecay(parts={parts!r}): {part!r} has no duration, and only the last may go without."
                )

    @property
    def ends(self) -> bool:  # type: ignore[override]
        """Whether it looks at the length of the decay: where the last part takes the rest, and that looks at it."""
        last = self.parts[-1]
        return last.duration is None and shape_within("DecayPart", last.decay, "a part").ends

    def factor_at(self, tau: float, length: float) -> float:
        raise ValueError(f"{self!r} has no values before its durations are those of a run: ask a callback's values().")

    def resolved(self, context: DecayContext) -> Decay:
        begins, decays, lengths, starts = [0], [], [], []
        start: float = 1.0
        for i, part in enumerate(self.parts):
            at = context.start + begins[-1]
            decay = context.part(shape_within("DecayPart", part.decay, "a part"), at)
            length = math.inf
            if part.duration is not None:
                length = context.since("DecayPart", "duration", part.duration, at)
                begins.append(begins[-1] + int(length))
            start = start if part.start is None else cast(float, part.start)
            decays.append(decay)
            lengths.append(length)
            starts.append(start)
            if i + 1 < len(self.parts) and self.parts[i + 1].start is None:
                decay.check(length, (1.0,))  # before it is asked for its end
                start *= float(decay.factor_at(length, length))
        return _Sequence(self, begins[: len(decays)], decays, lengths, starts)


class _Sequence(Decay):
    """Parts that know where they begin, how long they are and what they are a factor of.

    Args:
        decay: What was configured.
        begins: Interval at which each part begins.
        decays: What the parts are.
        lengths: How long each is; ``inf`` for one that takes the rest.
        starts: Factor of the target that each is a factor of.
    """

    def __init__(
        self,
        decay: SequentialDecay,
        begins: Sequence[int],
        decays: Sequence[Decay],
        lengths: Sequence[float],
        starts: Sequence[float],
    ) -> None:
        self._written = decay
        self._begins, self._decays, self._lengths, self._starts = begins, decays, lengths, starts
        self.ends = decay.ends  # type: ignore[misc]

    def __repr__(self) -> str:
        return repr(self._written)

    def __str__(self) -> str:
        return ", then ".join(map(str, self._decays))

    def factor_at(self, tau: float, length: float) -> float:
        i = bisect_right(self._begins, tau) - 1
        begin, whole = self._begins[i], self._lengths[i]
        if whole == math.inf:
            whole = length - begin
        return self._starts[i] * self._decays[i].factor_at(min(tau - begin, whole), whole)

    def parts(self) -> list[tuple[object, Decay, int, float, bool]]:
        """Of each part: what was configured, what it is, where it begins, how long it is, and if the next one jumps."""
        parts = self._written.parts
        jumps = [part.start is not None for part in parts[1:]] + [False]
        written = [part.decay for part in parts]
        return list(zip(written, self._decays, self._begins, self._lengths, jumps, strict=True))

    def settles(self, last: float) -> float | None:
        return None

    def check(self, length: float, target: Sequence[float]) -> None:
        last = self._begins[-1] + (self._lengths[-1] if self._lengths[-1] < math.inf else 1)
        if last > length:
            lengths = " + ".join(f"{whole:,.0f}" for whole in self._lengths if whole < math.inf)
            rest = "" if self._lengths[-1] < math.inf else ", and the last part never begins"
            raise TooShortError(
                f"{self!r}: {lengths} intervals are more than the {length:,.0f} of this decay{rest}. Shorten the parts,"
                " train longer, or give total=... if the run is longer than that."
            )
        for decay, whole, begin, start in zip(self._decays, self._lengths, self._begins, self._starts, strict=True):
            whole = length - begin if whole == math.inf else whole
            decay.check(whole, [start * high for high in target])
