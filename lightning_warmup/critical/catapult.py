"""Persistent catapult warmup: raise the learning rate to the critical one whenever the loss has come down."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from lightning_warmup.critical.search import CriticalLearningRateResult
from lightning_warmup.schedule.checks import is_number, keep_plain
from lightning_warmup.schedule.durations import Duration, parse_duration
from lightning_warmup.schedule.measured import Measured
from lightning_warmup.schedule.warmups import Warmup


@dataclass(frozen=True)
class PersistentCatapultWarmup(Warmup, Measured):
    r"""Experimental: set the learning rate to the critical one, again and again, until it is the target.

    Algorithm 3 of Kalra & Barkeshli 2024, appendix C (arXiv 2406.09405), which calls it a concept. Before each step, if
    the loss of the batch is below the one at which the learning rate was last set,

    .. math:: \eta \leftarrow \min(\eta_c(\theta_t),\ \mathrm{max\_growth} \cdot \eta)

    so the rate may fall, too; the first estimate has nothing to grow from and is taken as it is. It costs one forward
    pass per step and about ten per estimate. The decay begins when the target is reached. If that has not happened
    after ``max_steps``, the rest of the way is linear, over as many steps again: the run must have room for twice
    ``max_steps``.

    Where it works, measured on scikit-learn's digits: SGD with MSE, and Adam with LayerNorm. Where it diverges: plain
    SGD or Adam with cross-entropy on a net without normalisation (15 of 15 runs); growth capped and a fallback are
    there for that. Minibatch noise is not smoothed: the paper leaves it open.

    Args:
        max_growth: Most that one estimate may multiply the learning rate by, > 1.
        max_steps: Duration of the attempt, > 0, in optimizer steps.
        fallback: What follows an attempt that does not get there: ``"linear"``, from the rate at the time.

    Raises:
        ValueError: If an argument is out of range; with ``warmup_initial_lr`` or ``interval="epoch"``; from
            ``values()``, since the curve depends on the run itself.

    >>> from lightning_warmup import LearningRateWarmup
    >>> warmup = LearningRateWarmup(PersistentCatapultWarmup(max_steps=100), "cosine")
    """

    max_growth: float = 2.0
    max_steps: Duration = "10%"
    fallback: Literal["linear"] = "linear"
    duration: ClassVar[Duration] = 1  # type: ignore[misc]  # its length is max_steps, twice
    measured: ClassVar[bool] = True
    counts_steps: ClassVar[bool] = True

    def __post_init__(self) -> None:
        keep_plain(self)
        owner = "PersistentCatapultWarmup"
        if not is_number(self.max_growth) or self.max_growth <= 1:
            raise ValueError(f"{owner}(max_growth={self.max_growth!r}): expected a finite number > 1.")
        if parse_duration(owner, "max_steps", self.max_steps).amount == 0:
            raise ValueError(f"{owner}(max_steps={self.max_steps!r}): expected a duration > 0.")
        if self.fallback != "linear":
            raise ValueError(f"{owner}(fallback={self.fallback!r}): expected 'linear'.")

    def length(self, intervals: Callable[[str, str, Duration], int]) -> int:
        return 2 * intervals("PersistentCatapultWarmup", "max_steps", self.max_steps)

    def weight(self, u: float) -> float:
        raise ValueError(f"{self!r} depends on the run itself.")


class _Catapult(Warmup):
    """A :class:`PersistentCatapultWarmup` at work; underscored, or ``--help`` would offer it.

    Args:
        spec: What the user configured.
        max_steps: Its ``max_steps``, in steps.
        state: What :meth:`state` gave in the run that is resumed.
    """

    duration: Duration = 1
    measured: ClassVar[bool] = True
    counts_steps: ClassVar[bool] = True

    def __init__(self, spec: PersistentCatapultWarmup, max_steps: int, state: dict[str, Any] | None = None) -> None:
        self._spec = spec
        self.max_steps = max_steps
        state = state or {}
        # Until the first estimate: what a warmup of this length starts at.
        self.rate: float = state.get("rate", 1 / (2 * max_steps + 1))
        self._best: float | None = state.get("best")
        self.length_taken: int | None = state.get("length")
        """Steps that it took to the target, once it is there."""
        self._before: tuple[int, dict[str, Any]] | None = None
        """The last step that was looked at, and the state before it was."""

    def __str__(self) -> str:
        return "persistent catapult"

    def __repr__(self) -> str:
        return repr(self._spec)

    def length(self, intervals: Callable[[str, str, Duration], int]) -> int:
        return 2 * self.max_steps

    def weight(self, u: float) -> float:
        t = round(u * 2 * self.max_steps)
        return self.rate + (1 - self.rate) * max(0, t - self.max_steps) / self.max_steps

    def values(self, u: float, initial: Sequence[float], target: Sequence[float]) -> list[float]:
        weight = self.weight(u)
        return [high * weight for high in target]

    def due(self, t: int) -> bool:
        """Whether step t is to be looked at."""
        return self.length_taken is None and t < self.max_steps

    def lower(self, t: int, loss: float) -> bool:
        """Whether before step t the network has stabilised: the loss is below the one at the last estimate."""
        if self._before is not None and self._before[0] == t:  # a step that came to nothing, and is taken again
            self.rate, self._best = self._before[1]["rate"], self._before[1]["best"]
        self._before = t, self.state(t)
        return self._best is None or loss < self._best

    def update(self, t: int, loss: float, result: CriticalLearningRateResult) -> None:
        """Take an estimate over, in units of the target."""
        first, self._best = self._best is None, loss
        if result.status == "ascent":
            return
        # The first estimate sets out from nothing: there is no growth to cap.
        self.rate = min(result.lr, 1.0) if first else min(result.lr, self._spec.max_growth * self.rate, 1.0)
        if self.rate == 1.0:
            self.length_taken = t

    def settle(self, t: int) -> None:
        """Notice that the fallback has arrived."""
        if self.length_taken is None and t >= 2 * self.max_steps:
            self.length_taken = 2 * self.max_steps

    def state(self, t: int) -> dict[str, Any]:
        """What a run that is resumed with step t cannot compute again, in plain Python."""
        if self._before is not None and self._before[0] == t:
            return self._before[1]
        return {"rate": self.rate, "best": self._best, "length": self.length_taken}
