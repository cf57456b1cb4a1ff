"""Shapes given as a formula in text: in YAML, without a class or a function of the user's."""

import math
from dataclasses import dataclass

from lightning_warmup.schedule.checks import FunctionError
from lightning_warmup.schedule.decays import Decay, DecayContext
from lightning_warmup.schedule.durations import Duration
from lightning_warmup.schedule.formula import check_formula, formula_function
from lightning_warmup.schedule.warmups import Warmup

_INF = math.inf
_OF_A_DECAY = ("u", "tau", "D", "N", "T")
_OF_A_WARMUP = ("u", "t", "N")


@dataclass(frozen=True)
class FormulaDecay(Decay):
    r"""A factor given as a formula.

    .. math:: \mathrm{factor} = \mathrm{formula}(u, \tau, D, N, T)

    The formula is arithmetic in text, read once and never run as code: numbers, ``+ - * / // % **``, brackets, ``pi``,
    ``e``, ``min``, ``max``, ``abs``, ``floor``, ``ceil``, ``sqrt``, ``exp``, ``expm1``, ``log`` (also to a base:
    ``log(x, 2)``), ``log1p``, ``log2``, ``log10``, the trigonometric and hyperbolic functions and their inverses, and

    * ``u``: the share of the decay done, in [0, 1], and ``tau``: the intervals (steps, or epochs) of it;
    * ``D``: the length of the decay, in intervals;
    * ``N``: the length of the warmup, ``T``: that of the run.

    A step costs about as much as with any other shape.

    Args:
        formula: Factor of the target, finite and ≥ 0, and 1 at the start if the curve is to be continuous. Where it
            uses ``u``, ``D`` or ``T``, the length of the run must be known.

    Raises:
        ValueError: If the formula cannot be read, with the place; at fit start, if a step would have no value, or none
            that is finite and ≥ 0.

    >>> from lightning_warmup import LearningRateWarmup
    >>> LearningRateWarmup(0, FormulaDecay("(1 - u) / (1 - u / 2)")).values(1.0, total_steps=4)[::2]
    [1.0, 0.6666666666666666]

    >>> FormulaDecay("1 - v")
    Traceback (most recent call last):
    ...
    ValueError: FormulaDecay(formula='1 - v'): 'v' is not known, at character 5 ('v'). Write numbers, ...
    """

    formula: str

    def __post_init__(self) -> None:
        super().__post_init__()
        check_formula(repr(self), self.formula, _OF_A_DECAY)

    def __str__(self) -> str:
        return self.formula

    @property
    def _uses(self) -> frozenset[str]:
        return check_formula(repr(self), self.formula, _OF_A_DECAY)

    @property
    def ends(self) -> bool:  # type: ignore[override]
        """Whether the formula looks at the length of the decay or of the run."""
        return bool(self._uses & {"u", "D", "T"})

    def factor_at(self, tau: float, length: float) -> float:
        if self._uses & {"N", "T"}:
            raise ValueError(f"{self!r} has no values before N and T are those of a run: ask a callback's values().")
        return _FormulaInARun(self, 0, None).factor_at(tau, length)

    def resolved(self, context: DecayContext) -> Decay:
        if context.total is None and "T" in self._uses:
            raise ValueError(f"{self!r} needs the length T of the run, which is unknown: give total=...")
        return _FormulaInARun(self, context.warmup, context.total)


class _FormulaInARun(Decay):
    """A formula that knows the lengths of the warmup and of the run."""

    def __init__(self, decay: FormulaDecay, warmup: int, total: int | None) -> None:
        self._written, self._warmup, self._total = decay, float(warmup), math.inf if total is None else float(total)
        self._function = formula_function(decay.formula, _OF_A_DECAY)
        self.ends = decay.ends  # type: ignore[misc]

    def __repr__(self) -> str:
        return repr(self._written)

    def __str__(self) -> str:
        return str(self._written)

    def factor_at(self, tau: float, length: float) -> float:
        u = tau / length
        try:
            # All of them floats: whole numbers of Python's have powers of a million digits.
            factor = self._function(u, tau + 0.0, length + 0.0, self._warmup, self._total)
            if 0.0 <= factor < _INF:
                return factor
        except (ArithmeticError, ValueError, TypeError) as error:
            raise FunctionError(
                f"{self!r} has no value at u = {u!r}, tau = {tau!r}: {type(error).__name__}: {error}."
            ) from error
        raise FunctionError(f"{self!r} gives {factor!r} at u = {u!r}, tau = {tau!r}: a factor must be finite and ≥ 0.")


@dataclass(frozen=True)
class FormulaWarmup(Warmup):
    r"""A weight given as a formula.

    .. math:: \mathrm{weight} = \mathrm{formula}(u, t, N)

    What a formula is made of: see :class:`FormulaDecay`. Its names are ``u``, the share of the warmup done, ``t``, the
    intervals (steps, or epochs) done, and ``N``, the length of the warmup.

    Args:
        duration: Length N of the warmup, any duration ≥ 0.
        formula: Weight of the target in [0, 1): 0 at the start and towards 1 at the end, if the curve is to begin at
            the initial value and to be continuous.

    Raises:
        ValueError: If ``duration`` is not a duration, or the formula cannot be read, with the place; at fit start, if a
            step would have no value, or none that is finite and ≥ 0.

    DeepSpeed's logarithmic warmup:

    >>> from lightning_warmup import LearningRateWarmup
    >>> warmup = FormulaWarmup(3, "log(1 + t) / log(1 + N)")
    >>> LearningRateWarmup(warmup, warmup_initial_lr=0.0).values(1.0, total_steps=5)
    [0.0, 0.5, 0.7924812503605781, 1.0, 1.0]
    """

    duration: Duration
    formula: str

    def __post_init__(self) -> None:
        super().__post_init__()
        check_formula(repr(self), self.formula, _OF_A_WARMUP)

    def __str__(self) -> str:
        return self.formula

    def weight(self, u: float) -> float:
        if check_formula(repr(self), self.formula, _OF_A_WARMUP) & {"t", "N"}:
            raise ValueError(f"{self!r} has no values before N is that of a run: ask a callback's values().")
        return _WarmupInARun(self, 1).weight(u)

    def resolved(self, length: int) -> Warmup:
        return _WarmupInARun(self, length)


class _WarmupInARun(Warmup):
    """A formula that knows the length of the warmup."""

    def __init__(self, warmup: FormulaWarmup, length: int) -> None:
        self.duration, self._written, self._length = warmup.duration, warmup, length
        self._function = formula_function(warmup.formula, _OF_A_WARMUP)

    def __repr__(self) -> str:
        return repr(self._written)

    def __str__(self) -> str:
        return str(self._written)

    def weight(self, u: float) -> float:
        t = float(round(u * self._length))
        try:
            weight = float(self._function(u, t, float(self._length)))
        except (ArithmeticError, ValueError, TypeError) as error:
            raise FunctionError(f"{self!r} has no value at u = {u!r}: {type(error).__name__}: {error}.") from error
        if not math.isfinite(weight):
            raise FunctionError(f"{self!r} gives {weight!r} at u = {u!r}: a weight must be finite.")
        return weight
