"""What each step of a run would use, without a Trainer."""

from collections.abc import Iterable, Mapping

from lightning_warmup.schedule.checks import is_count, is_number, plain, positive
from lightning_warmup.schedule.clock import at_a_pace
from lightning_warmup.schedule.config import ScheduleConfig
from lightning_warmup.schedule.durations import Run
from lightning_warmup.schedule.resolve import planned_run, resolve


def values_of_steps(
    config: ScheduleConfig,
    lr: float | Mapping[str, float],
    total_steps: int,
    steps_per_epoch: int | None,
    betas: tuple[float, float] | Mapping[str, tuple[float, float]] | None,
    batch_size: int | None,
    steps_per_second: float | None = None,
) -> list[float] | dict[str, list[float]]:
    """What each optimizer step would use; see ``values`` of the callbacks."""
    owner = config.owner
    if config.depends_on_the_run is not None:
        raise ValueError(
            f"{config.depends_on_the_run!r} depends on the run itself: its values cannot be had without a Trainer."
        )
    lr, betas, steps_per_second = plain(lr), plain(betas), plain(steps_per_second)
    if steps_per_second is not None:
        positive(f"{owner}.values", "steps_per_second", steps_per_second)
    elif config.by_clock:
        raise ValueError(
            f"{owner}(total={config.total!r}).values() needs to know how fast the run is: give values(...,"
            " steps_per_second=...)."
        )
    total_steps, steps_per_epoch, batch_size = plain(total_steps), plain(steps_per_epoch), plain(batch_size)
    for name, count in (
        ("total_steps", total_steps),
        ("steps_per_epoch", 1 if steps_per_epoch is None else steps_per_epoch),
        ("batch_size", 1 if batch_size is None else batch_size),
    ):
        if not is_count(count, 1):
            raise ValueError(f"{owner}.values({name}={count!r}): expected an int ≥ 1.")
    names: list[str | None] = list(lr) if isinstance(lr, Mapping) else [None]
    own = list(lr.values()) if isinstance(lr, Mapping) else [lr]
    for value in own:
        if not is_number(value) or value < 0:
            raise ValueError(f"{owner}.values(lr={lr!r}): expected finite numbers ≥ 0.")
    own = list(map(float, own))
    run = Run(
        steps=total_steps,
        epochs=None if steps_per_epoch is None else -(-total_steps // steps_per_epoch),
        steps_per_epoch=steps_per_epoch,
        no_total="give values(..., steps_per_epoch=...)",
        no_steps_per_epoch="give values(..., steps_per_epoch=...)",
        batch_size=batch_size,
        no_batch_size="give values(..., batch_size=...)",
    )
    for pair in betas.values() if isinstance(betas, Mapping) else [] if betas is None else [betas]:
        if not isinstance(pair, tuple | list) or len(pair) != 2 or not all(map(is_number, pair)):
            raise ValueError(f"{owner}.values(betas={betas!r}): expected the optimizer's betas, such as (0.9, 0.999).")
    beta2 = None
    if isinstance(betas, Mapping):
        if not isinstance(lr, Mapping):
            raise ValueError(f"{owner}.values(betas={dict(betas)!r}): betas by group name need an lr by group name.")
        if missing := [name for name in names if name not in betas]:
            raise ValueError(f"{owner}.values(betas={dict(betas)!r}) says nothing of group {missing[0]!r}.")
        beta2 = [betas[name][1] for name in names if name is not None]
    elif betas is not None:
        beta2 = [betas[1]] * len(names)
    if config.interval == "epoch" and steps_per_epoch is None:
        raise ValueError(f"{owner}(interval='epoch').values() counts in epochs: give values(..., steps_per_epoch=...).")
    run = planned_run(config, run)
    if steps_per_second is not None and config.by_clock:
        paced = at_a_pace(
            config, run, steps_per_second, lambda part, its_run: resolve(part, its_run, names, own, beta2)
        )
        if not isinstance(lr, Mapping):
            return [paced.values(step)[0] for step in range(total_steps)]
        rows = [paced.values(step) for step in range(total_steps)]
        return {name: [row[i] for row in rows] for i, name in enumerate(lr)}
    schedule = resolve(config, run, names, own, beta2)
    ticks: Iterable[int] = range(total_steps)
    if not schedule.by_step:
        assert steps_per_epoch is not None
        ticks = (t // steps_per_epoch for t in range(total_steps))
    if not isinstance(lr, Mapping):
        # No list of a million lists: the garbage collector would take as long over it as the values do.
        return [schedule.values(t)[0] for t in ticks]
    rows = [schedule.values(t) for t in ticks]
    return {name: [row[i] for row in rows] for i, name in enumerate(lr)}
