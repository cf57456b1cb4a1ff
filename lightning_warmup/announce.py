"""What a callback says when training starts: what will happen, in numbers, and what may not."""

from collections.abc import Sequence

from lightning_utilities.core.rank_zero import rank_zero_info, rank_zero_warn

from lightning_warmup.decays import Decay
from lightning_warmup.describe import describe
from lightning_warmup.durations import Run
from lightning_warmup.module_scheduler import ModuleScheduler
from lightning_warmup.settings import Settings
from lightning_warmup.track import Track


def announce(
    settings: Settings,
    parameter: str,
    tracks: Sequence[Track],
    *,
    trainer_run: Run,
    planned: Run,
    checkpoint_total: int | None,
    module_scheduler: ModuleScheduler | None,
    max_time: bool,
) -> None:
    """Say once, on rank 0, what will happen.

    Args:
        settings: What the user configured.
        parameter: Hyper-parameter that is scheduled.
        tracks: Optimizers that are acted on.
        trainer_run: The run as the Trainer knows it.
        planned: The run that is planned over.
        checkpoint_total: Length that the checkpoint's curve was planned over, None without one.
        module_scheduler: The module's own schedulers, if there are any.
        max_time: Whether the Trainer has a time limit.
    """
    owner, interval = settings.owner, settings.interval
    if not tracks:
        rank_zero_warn(f"{owner} has nothing to act on: configure_optimizers returned no param groups.")
    for track in tracks:
        line = describe(track.curve, track.names, parameter if track.undamped is None else "factor")
        if track.undamped is not None:
            line = f"{line}, times what the module's {module_scheduler} gives"
        elif module_scheduler is not None:
            line = f"{line}; the module's {module_scheduler} is without effect"
        if settings.measured is not None and not isinstance(settings.measured, Decay):
            line = f"{line}; provisional, what follows is measured"
        at = f" (continuing at step {track.steps:,})" if track.steps else ""
        rank_zero_info(f"{owner}: {line}{at}")
        _warn_of_a_long_warmup(settings, track, planned.steps)

    total, trainers = planned.total(interval), trainer_run.total(interval)
    if total is not None and trainers is not None and total != trainers:
        rank_zero_info(f"{owner}: planned over total={total:,} {interval}s, while the Trainer runs for {trainers:,}.")
    if checkpoint_total is not None and checkpoint_total != total:
        now = "an unknown number of" if total is None else f"{total:,}"
        rank_zero_info(f"{owner}: re-planned over {now} {interval}s; the checkpoint's curve had {checkpoint_total:,}.")
    decays = [track.curve.decay for track in tracks]
    ends = settings.decay_duration is not None or any(decay is not None and decay.ends for decay in decays)
    if max_time and ends:
        rank_zero_warn(f"{owner}: max_time may end the run before a curve planned over {total} {interval}s.")


def _warn_of_a_long_warmup(settings: Settings, track: Track, steps: int | None) -> None:
    """Of a warmup whose length nobody chose."""
    period = max((2 / (1 - beta2) for beta2 in track.curve.beta2), default=0.0)
    if steps is not None and period > steps / 10 * (1 + 1e-9):
        rank_zero_warn(
            f"{settings.owner}(warmup={settings.warmup!r}): with β2={max(track.curve.beta2):.4g} the warmup takes about"
            f" {period:,.0f} steps, {period / steps:.0%} of the {steps:,} of this run. Lower β2, or give a warmup with"
            " a length."
        )
