"""Line-search warmup: every step is tried on its own batch first, and halved while the loss would rise."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from lightning_warmup.schedule.checks import is_number, keep_plain
from lightning_warmup.schedule.durations import Duration, TooShortError, parse_duration
from lightning_warmup.schedule.measured import Measured
from lightning_warmup.schedule.warmups import Warmup


@dataclass(frozen=True)
class LineSearchWarmup(Warmup, Measured):
    r"""A linear warmup that tries each of its steps first, and halves it while the loss of its batch would rise.

    With the target :math:`\eta_{trgt}` and N = ``duration``, step t tries

    .. math:: \eta = \min(\eta_{trgt},\ \eta_{t-1} + \eta_{trgt} / (N + 1)), \quad \eta_{-1} = 0

    and, while :math:`L(\theta_t - \eta D) > L + \mathrm{max\_rise} \cdot |L|`, where L is the loss of the step's own
    batch before it and D the optimizer's step, halves it, 10 times at most: at 1/1024 of what was tried first the step
    is taken. The warmup is over at the first step that takes the target without halving; where none is halved, that is
    step N, and every value is that of ``LinearWarmup(N)``. A warmup that took n steps has ``value(n)`` = target, and
    hold and decay begin there. If that has not happened after ``max_steps``, the mean rate of the second half of them
    is held in the target's place, the decay begins from it, and one warning says so.

    With momentum (Adam and its kin, SGD with ``momentum``), whose next steps go the same way, the loss may not rise
    unless ``max_rise`` says so. For SGD without momentum it may by a tenth, and up to 1.5 times the mean of the last
    20, too: there rises are how a net flattens itself.

    The ramp begins at target / (N + 1) where ``target_lr=LinearScaling(…)`` makes the target, too.

    It costs two forward passes per step of the warmup, and one more per halving. On scikit-learn's digits it trains
    where a linear warmup diverges, with SGD and Adam; where it fails is in ``docs/adaptive.md``.

    Backtracking: Armijo 1966; for stochastic gradients Vaswani et al. 2019 (arXiv 1905.09997); a reference that may be
    an earlier loss: Galli et al. 2023 (arXiv 2306.12747).

    Args:
        duration: Length N of the warmup if no step is halved, any duration > 0, in optimizer steps.
        max_rise: Most that a step may raise the loss of its batch by, as a share of that loss, a finite number ≥ 0.
            None: 0.1 for SGD without momentum, 0 for any other optimizer.
        max_steps: Duration of the search, at least ``duration`` + 1 step; None: 4 N. The run must have room for it.

    Raises:
        ValueError: If an argument is out of range; with ``warmup_initial_lr`` or ``interval="epoch"``; from
            ``values()``, since the curve depends on the run itself.

    >>> from lightning_warmup import LearningRateWarmup
    >>> warmup = LearningRateWarmup(LineSearchWarmup(80), "cosine")
    """

    duration: Duration
    max_rise: float | None = None
    max_steps: Duration | None = None
    measured: ClassVar[bool] = True
    counts_steps: ClassVar[bool] = True

    def __post_init__(self) -> None:
        keep_plain(self)
        owner = "LineSearchWarmup"
        duration = parse_duration(owner, "duration", self.duration)
        if duration.amount == 0:
            raise ValueError(f"{owner}(duration={self.duration!r}): expected a duration > 0.")
        if self.max_steps is not None:
            longest = parse_duration(owner, "max_steps", self.max_steps)
            if longest.amount == 0 or (longest.unit == duration.unit and longest.amount <= duration.amount):
                raise ValueError(
                    f"{owner}(duration={self.duration!r}, max_steps={self.max_steps!r}): the target is not tried before"
                    " duration is over. Give max_steps more than duration, or leave it out."
                )
        if self.max_rise is not None and (not is_number(self.max_rise) or self.max_rise < 0):
            raise ValueError(f"{owner}(max_rise={self.max_rise!r}): expected a finite number ≥ 0, such as 0.1.")

    def lengths(self, intervals: Callable[[str, str, Duration], int]) -> tuple[int, int]:
        """N, and the steps after which the search is given up.

        Raises:
            TooShortError: If none of them would try the target.
        """
        duration = intervals("LineSearchWarmup", "duration", self.duration)
        if self.max_steps is None:
            return duration, 4 * duration
        steps = intervals("LineSearchWarmup", "max_steps", self.max_steps)
        if steps <= duration:
            raise TooShortError(
                f"LineSearchWarmup(duration={self.duration!r}, max_steps={self.max_steps!r}): {steps:,} steps are too"
                f" few, for the target is not tried before step {duration:,}. Give max_steps more than duration."
            )
        return duration, steps

    def length(self, intervals: Callable[[str, str, Duration], int]) -> int:
        return self.lengths(intervals)[1]

    def weight(self, u: float) -> float:
        raise ValueError(f"{self!r} depends on the run itself.")


@dataclass(frozen=True)
class _GivenUp(Warmup):
    """What has become of a search that did not reach the target; underscored, or ``--help`` would offer it.

    Args:
        duration: Steps that it took.
        last: The share of the target that the last of them takes: it is still to be taken when this is known.
        reaches: The share that is held from then on.
    """

    duration: Duration
    last: float
    reaches: float
    measured: ClassVar[bool] = True

    def weight(self, u: float) -> float:
        return self.reaches if u >= 1 else self.last

    def values(self, u: float, initial: Sequence[float], target: Sequence[float]) -> list[float]:
        return [high * self.weight(u) for high in target]


class _Progress(NamedTuple):
    """How far a search is: what a resumed run cannot compute again."""

    ramp: int
    """N, in steps."""
    max_steps: int
    position: float = 0.0
    """That of ``step``, from which the ramp goes on."""
    step: int = 0
    losses: tuple[float, ...] = ()
    late_sum: float = 0.0
    """Of the shares that the steps of its second half took."""
    late_steps: int = 0
    halvings: int = 0
    forwards: int = 0
    length: int | None = None
    """Steps that it took, once it is over."""


class _LineSearch(Warmup):
    """A :class:`LineSearchWarmup` at work.

    Where it stands on the ramp is a position: that of a linear warmup at step p is p, so the target is at N, and half
    of what is at p is at (p + 1) / 2 − 1. As long as nothing is halved, positions are whole numbers and values exact.

    Args:
        spec: What the user configured.
        duration: N, in steps.
        max_steps: Its ``max_steps``, in steps.
        state: What :meth:`state` gave in the run that is resumed.
    """

    MOST_HALVINGS = 10
    """Of one step."""
    SGD_RISE = 0.1
    """``max_rise`` of SGD without momentum, unless it is given."""
    RECENT = 20
    """Losses that SGD without momentum is compared with, and what their mean is multiplied by."""
    RECENT_FACTOR = 1.5

    duration: Duration = 1
    measured: ClassVar[bool] = True

    def __init__(
        self, spec: LineSearchWarmup, duration: int, max_steps: int, state: dict[str, Any] | None = None
    ) -> None:
        self._spec = spec
        self.ramp = duration
        self.max_steps = max_steps
        self._begun = state is not None
        self._now = _Progress(duration, max_steps)
        if state is not None:
            was = _Progress(**{name: state[name] for name in _Progress._fields})
            self._now = _in_a_run_of(was._replace(losses=tuple(was.losses)), duration, max_steps)
        self._before = self._now
        self._tried = -1
        """The last step that was tried: before it, the search was as far as ``_before``."""

    def __str__(self) -> str:
        return f"line search; {self.ramp:,} if no step is halved"

    def __repr__(self) -> str:
        return repr(self._spec)

    def length(self, intervals: Callable[[str, str, Duration], int]) -> int:
        return self.max_steps

    def weight(self, u: float) -> float:
        return self.share(round(u * self.max_steps))

    def values(self, u: float, initial: Sequence[float], target: Sequence[float]) -> list[float]:
        # As a linear warmup computes it, to the last bit.
        done = self._position_at(round(u * self.max_steps)) / self.ramp
        lows = [high / (self.ramp + 1) for high in target]
        return [low + (high - low) * done for low, high in zip(lows, target, strict=True)]

    def _position_at(self, t: int) -> float:
        return min(self.ramp, self._now.position + max(0, t - self._now.step))

    def share(self, t: int) -> float:
        """The share of the target that step t takes, or tries first."""
        return (self._position_at(t) + 1) / (self.ramp + 1)

    def due(self, t: int) -> bool:
        """Whether step t is to be tried."""
        self._begun = self._begun or t < self.max_steps
        return self._now.length is None and t < self.max_steps

    def settle(self, t: int) -> None:
        """Notice before step t that the time for it is over: its last step was not tried, or a resumed run has less."""
        if self._now.length is not None or t < self.max_steps:
            return
        if self._now.forwards:
            self._now = self._now._replace(length=self.max_steps)
            return
        # As no step was tried, all were those of a linear warmup; in a run that was resumed too late for it, a longer
        # time ago.
        self._now = self._now._replace(position=self.ramp, length=self.max_steps if self._begun else self.ramp)

    def search(self, t: int, loss_at: Callable[[float], float], loss: float, *, momentum: bool) -> None:
        """Find what step t takes.

        Args:
            t: The step.
            loss_at: The loss of its batch after a step at a share of the target.
            loss: That before it.
            momentum: Whether a step goes on in the steps that follow it.
        """
        if t == self._tried:  # it came to nothing, and is taken again
            self._now = self._before
        self._before, self._tried = self._now, t
        rise = self._spec.max_rise
        if rise is None:
            rise = 0.0 if momentum else self.SGD_RISE
        most, losses = loss + rise * abs(loss), self._now.losses
        if not momentum:
            losses = (*losses, loss)[-self.RECENT :]
            most = max(most, self.RECENT_FACTOR * sum(losses) / len(losses))
        position, halvings = self._position_at(t), 0
        while True:
            share = (position + 1) / (self.ramp + 1)
            if loss_at(share) <= most or halvings == self.MOST_HALVINGS:  # nan is no more than anything
                break
            halvings += 1
            position = (position + 1) / 2 - 1
        late = t >= self.max_steps // 2
        self._now = self._now._replace(
            position=position,
            step=t,
            losses=losses,
            late_sum=self._now.late_sum + share * late,
            late_steps=self._now.late_steps + late,
            halvings=self._now.halvings + halvings,
            forwards=self._now.forwards + 2 + halvings,
            length=t if position == self.ramp else None,
        )
        self.settle(t + 1)

    @property
    def length_taken(self) -> int | None:
        """Steps that it took, once it is over."""
        return self._now.length

    @property
    def begun(self) -> bool:
        """Whether there was a step that it could have tried."""
        return self._begun

    @property
    def halvings(self) -> int:
        """Of all steps together."""
        return self._now.halvings

    @property
    def forwards(self) -> int:
        """Forward passes that it took."""
        return self._now.forwards

    @property
    def reached(self) -> bool:
        """Whether the target has been taken."""
        return self._now.position == self.ramp

    @property
    def held(self) -> float:
        """The share of the target that is held where it has not been reached: one step's may be a poor one."""
        now = self._now
        return now.late_sum / now.late_steps if now.late_steps else self.share(now.step)

    @property
    def taken(self) -> Duration | Warmup:
        """The warmup that it has been, once it is over."""
        length = self._now.length
        assert length is not None
        return length if self.reached else _GivenUp(length, self.share(length - 1), self.held)

    def state(self, t: int) -> dict[str, Any]:
        """What a run that is resumed with step t cannot compute again, in plain Python."""
        progress = self._before if t == self._tried else self._now
        return {**progress._asdict(), "losses": list(progress.losses)}


def _in_a_run_of(was: _Progress, ramp: int, max_steps: int) -> _Progress:
    """As far, in a run that makes the ramp, or the time for it, of another length."""
    now = was._replace(ramp=ramp, max_steps=max_steps)
    if was.ramp != ramp:
        share = (was.position + 1) / (was.ramp + 1)
        now = now._replace(position=ramp if share == 1 else share * (ramp + 1) - 1)
    if was.max_steps != max_steps and was.length is None and was.step < max_steps // 2:
        now = now._replace(late_sum=0.0, late_steps=0)  # that was the second half then
    return now
