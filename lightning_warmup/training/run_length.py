"""How long a Trainer's run is, counted in optimizer steps: the one place that knows Lightning's limits."""

import math
from collections.abc import Callable
from fractions import Fraction
from numbers import Integral
from typing import Any

from lightning_warmup.schedule.durations import Run
from lightning_warmup.schedule.past import Pace
from lightning_warmup.training import lightning_names as pl
from lightning_warmup.training.base_values import State
from lightning_warmup.training.lightning_names import (
    GradientAccumulationScheduler,
    StochasticWeightAveraging,
    Timer,
)


class RunLength:
    """Looks at the Trainer, and says what the run is: the steps taken, as they were, and those it will still take.

    ``trainer.estimated_stepping_batches`` is not used: it is wrong under a GradientAccumulationScheduler, -1 for
    unsized loaders, counts from the first of several ``fit`` calls, takes a resumed run for one that was always as it
    is now, and loses a stateful loader's place.

    Args:
        trainer: A Trainer whose dataloaders are set up.
        automatic: Whether the module uses automatic optimization. In manual optimization nobody but the module knows
            how many steps an epoch has.
        max_epochs: Epoch limit as the user gave it (StochasticWeightAveraging adds an epoch that takes no steps).
        resumed: Whether the run goes on from a checkpoint.
        state: The callback's state in it. One of version 0.1.0 tells nothing of the epochs behind it, which are then
            taken to have been of one length.
    """

    def __init__(
        self, trainer: pl.Trainer, *, automatic: bool, max_epochs: int | None, resumed: bool, state: State
    ) -> None:
        self._trainer = trainer
        self._automatic = automatic
        # A second fit on one Trainer goes on counting where we begin anew.
        self.first_epoch: int = state.get("first_epoch", 0 if resumed else trainer.current_epoch)
        self.first_step: int = state.get("first_step", 0 if resumed else trainer.global_step)
        swa = any(isinstance(callback, StochasticWeightAveraging) for callback in _callbacks(trainer))
        grown = max_epochs is not None and trainer.max_epochs is not None and trainer.max_epochs > max_epochs
        self._epochs_without_steps = 1 if swa and grown else 0
        self._resumed = self._just_resumed = resumed
        self.replanned: bool = False
        """Whether the run is no longer what it was when this ``fit``, or the one that it continues, began."""
        self.time_limited: bool = False
        """Whether a clock may end the run."""
        self._foreseen: tuple[int, State] = 0, state
        self._beyond = False
        self._load(state)

    def _load(self, state: State) -> None:
        # The plan, and what it was made of: while that stays, so does the plan.
        self._facts: list[Any] | None = state.get("facts")
        self._steps: int | None = state.get("steps")
        self._epochs: int | None = state.get("epochs")
        self._steps_per_epoch: int | None = state.get("steps_per_epoch")
        self._batch_size: int | None = state.get("batch_size")
        self._past_epochs = _knots(state.get("past_epochs", ()))
        self._past_samples = _knots(state.get("past_samples", ()))
        self._missed: int | None = state.get("missing")

    def state(self) -> State:
        """What a resumed run cannot compute again: what this one was."""
        return {
            "first_epoch": self.first_epoch,
            "first_step": self.first_step,
            "facts": self._facts,
            "steps": self._steps,
            "epochs": self._epochs,
            "steps_per_epoch": self._steps_per_epoch,
            "batch_size": self._batch_size,
            "past_epochs": [list(knot) for knot in self._past_epochs],
            "past_samples": [list(knot) for knot in self._past_samples],
            "missing": self._missing(self._batches_done()),
        }

    def at_train_start(self) -> Run:
        """The run in ``on_train_start``, where Lightning has yet to say which batch it will take up."""
        done = self._batches_done() if self._trainer.fit_loop.epoch_loop.restarting else 0
        if done >= self._trainer.num_training_batches and self._batch_ends:
            done = 0
        self._foreseen = done, {**self.state(), "missing": self._missed}
        return self.look(done, resumed=self._resumed)

    def epoch_of(self, run: Run, step: int, epochs_ahead: int = 0) -> int:
        """The epoch that the next step, ``step``, belongs to.

        That is step // steps_per_epoch; where an epoch has no known number of steps, or has not always had the same,
        the Trainer's own.
        """
        if run.steps_per_epoch and not run.past_epochs:
            return step // run.steps_per_epoch
        return self._trainer.current_epoch + epochs_ahead - self.first_epoch

    @property
    def _processed(self) -> int:
        """Epochs that count against ``max_epochs``; in a resumed run it may differ from ``trainer.current_epoch``."""
        epochs: Any = self._trainer.fit_loop.epoch_progress.current
        return int(epochs.processed)

    @property
    def _batch_ends(self) -> bool:
        """Whether the loop is, or is taken up, in ``on_train_batch_end``: the batch is done, and not yet counted."""
        total: Any = self._trainer.fit_loop.epoch_loop.batch_progress.total
        return bool(total.ready == total.started == total.processed == total.completed + 1)

    def _batches_done(self) -> int:
        """Batches of the epoch under way that a run resumed from here takes for done, see the loop's ``reset``."""
        return int(self._trainer.fit_loop.epoch_loop.batch_progress.current.completed) + self._batch_ends

    def _missing(self, done: int) -> int | None:
        """Steps that were planned up to here and were not taken: by batches that were left out, say."""
        if self._facts is None or not self._steps_per_epoch or self._facts[1] is None:
            return None
        epoch = self._trainer.current_epoch - self.first_epoch
        pace = Pace(Fraction(1, self._steps_per_epoch), self._past_epochs)
        # The last batch of an epoch takes a step, whatever has been accumulated.
        batches, accumulation = int(self._facts[0]), int(self._facts[1])
        in_epoch = done // accumulation if done < batches else -(-batches // accumulation)
        planned = math.floor(pace.step(epoch)) + in_epoch
        return planned - (self._trainer.global_step - self.first_step)

    def at_first_batch(self, batch_idx: int) -> Run:
        """The run, at the batch that Lightning has taken up: where that is not the one foreseen, counted anew."""
        done, state = self._foreseen
        # Lightning takes one batch too many where it resumes from the end of an epoch that it does not know to be over.
        self._beyond = batch_idx >= self._trainer.num_training_batches
        if self._resumed and (batch_idx != done or self._beyond):
            self._load(state)
        return self.look(batch_idx, resumed=self._resumed)

    def look(self, done: int, *, resumed: bool = False) -> Run:
        """The run as it is now.

        Args:
            done: Batches of the epoch under way that are done.
            resumed: Whether it is just being resumed.
        """
        self._just_resumed = resumed
        trainer = self._trainer
        epochs = trainer.max_epochs
        if epochs is not None:
            epochs = None if epochs < 0 else max(int(epochs) - self._epochs_without_steps - self.first_epoch, 0)
        max_steps = None if trainer.max_steps < 0 else max(int(trainer.max_steps) - self.first_step, 0)
        self.time_limited = any(
            # max_time is a Timer too.
            isinstance(callback, Timer) and callback.time_remaining() is not None
            for callback in _callbacks(trainer)
        )
        no_limit = "the Trainer is limited by max_time only" if self.time_limited else "the Trainer has no limit"
        if not self._automatic:
            why = "manual optimization takes as many steps as training_step calls for"
            return Run(
                epochs=epochs if max_steps is None else None,
                no_total=f"{why}; give total=... in steps of this optimizer, for example total=10000",
                no_steps_per_epoch=f"{why}; give it in steps, or use interval='epoch'",
                no_batch_size=f"{why}; give it in steps",
            )
        scheduler = next((c for c in _callbacks(trainer) if isinstance(c, GradientAccumulationScheduler)), None)
        batch_size, no_batch_size = _global_batch_size(trainer)
        if trainer.num_training_batches == math.inf:
            unsized, sizes = "the train dataloader has no length", "Trainer(limit_train_batches=N), N batches an epoch"
            return Run(
                steps=max_steps,
                epochs=epochs if max_steps is None else None,
                batch_size=batch_size if scheduler is None else None,
                no_total=f"{no_limit}; give total=..., for example total=10000"
                if epochs is None
                else f"{unsized}; give total=..., for example total=10000, or {sizes}",
                no_steps_per_epoch=f"{unsized}; give it in steps, for example '500 steps', or {sizes}",
                no_batch_size=no_batch_size,
            )
        batches = int(trainer.num_training_batches)
        if scheduler is not None and scheduler.going_to_accumulate_grad_batches():
            factor, here = scheduler.get_accumulate_grad_batches, trainer.current_epoch - self.first_epoch

            def accumulation_of(epoch: int) -> int:
                # The callback acts when an epoch starts: one that is resumed on its way goes on as the Trainer has it.
                if epoch == here and done:
                    return int(trainer.accumulate_grad_batches)
                return int(factor(self.first_epoch + epoch))

            self._plan([batches, None, epochs, max_steps, None], done, accumulation_of)
            changes = "a GradientAccumulationScheduler changes it between epochs"
            return Run(
                steps=self._steps,
                epochs=self._epochs,
                no_steps_per_epoch=f"{changes}; give it in steps, or use interval='epoch'",
                no_batch_size=f"{changes}; give it in steps",
            )
        accumulation = trainer.accumulate_grad_batches
        self._plan([batches, accumulation, epochs, max_steps, batch_size], done, lambda _: accumulation)
        return Run(
            steps=self._steps,
            epochs=self._epochs,
            steps_per_epoch=self._steps_per_epoch,
            batch_size=batch_size,
            past_epochs=self._past_epochs,
            past_samples=self._past_samples,
            no_total=f"{no_limit}; give total=... (for example total=10000), max_epochs or max_steps",
            no_batch_size=no_batch_size,
        )

    def _plan(self, facts: list[Any], done: int, accumulation: Callable[[int], int]) -> None:
        """Count the steps of the run: those taken, and those to come; unless nothing has changed.

        Args:
            facts: Batches of an epoch, accumulation (None: it changes), epochs, ``max_steps`` and batch size.
            done: Batches of the epoch under way that are done.
            accumulation: Micro-batches of a step, by epoch.
        """
        elsewhere = self._just_resumed and (self._missing(done) != self._missed or self._beyond)
        same, before = facts == self._facts and not elsewhere, self._steps
        if same and facts[1] is not None:
            return
        batches, fixed, epochs, max_steps, batch_size = facts
        taken = self._trainer.global_step - self.first_step
        epoch, over = self._trainer.current_epoch - self.first_epoch, self._processed - self.first_epoch
        known = self._facts is not None
        self._facts = facts

        def steps_of(e: int) -> int:
            return -(-int(batches) // accumulation(e))

        if self._resumed and not known and fixed and taken == epoch * steps_of(0) + done // fixed:
            taken = epoch = over = done = 0  # nothing tells that the run has ever been another
        per_epoch = steps_of(epoch)
        rest = per_epoch - done // accumulation(epoch) if done < batches else int(self._beyond)
        if fixed is not None:
            if taken:
                # Where the accumulation changed, nothing tells how long the epochs were.
                counted = known and self._steps_per_epoch is not None
                self._look_back(taken, epoch, done // fixed, rest, per_epoch, batch_size, known=counted)
            self._steps_per_epoch, self._batch_size = per_epoch, batch_size

        # The epoch under way to its end, then whole ones.
        self._steps = max_steps
        if epochs is not None:
            steps = taken
            if over < epochs:
                later = range(epoch + 1, epoch + epochs - over)
                steps += rest + (len(later) * per_epoch if fixed else sum(map(steps_of, later)))
            self._steps = steps if max_steps is None else min(steps, max_steps)
        self._epochs = epochs if max_steps is None else None
        if fixed is not None and self._steps is not None:
            self._epochs = math.ceil(Pace(Fraction(1, per_epoch), self._past_epochs).at(self._steps))
        elif max_steps is not None:
            self._epochs, left = epoch, (self._steps or 0) - taken
            while left > 0:
                left -= rest if self._epochs == epoch else steps_of(self._epochs)
                self._epochs += 1
        self.replanned = known and (not same or self._steps != before)

    def _look_back(
        self, taken: int, epoch: int, in_epoch: int, rest: int, per_epoch: int, batch_size: int | None, *, known: bool
    ) -> None:
        """Keep what the steps taken have been, where those to come will be something else."""
        was = Pace(Fraction(1, self._steps_per_epoch or per_epoch), self._past_epochs)
        begun = was.step(epoch) if known else Fraction(taken - in_epoch)
        if begun > taken or begun.denominator != 1:
            begun = Fraction(taken - in_epoch)
        if not known or was.per_step != Fraction(1, per_epoch) or was.step(epoch + 1) != taken + rest:
            # The epoch under way has the steps that it had, and those that are left of it.
            pace = was.changed(Fraction(1, per_epoch), (int(begun), epoch), (taken + rest, epoch + 1))
            self._past_epochs = pace.knots
        size = self._batch_size or batch_size
        if size is not None and size != batch_size:
            self._past_samples = (*self._past_samples, (taken, int(Pace(Fraction(size), self._past_samples).at(taken))))


def _knots(state: Any) -> tuple[tuple[int, int], ...]:
    return tuple((int(step), int(amount)) for step, amount in state)


def _global_batch_size(trainer: pl.Trainer) -> tuple[int | None, str]:
    """Samples behind one optimizer step, or None and why."""
    loaders: Any = trainer.train_dataloader
    if isinstance(loaders, dict):
        loaders = list(loaders.values())
    if isinstance(loaders, list | tuple):
        if len(loaders) != 1:
            return None, "there are several train dataloaders; give durations in steps and target_lr as a number"
        loaders = loaders[0]
    size = getattr(loaders, "batch_size", None)
    if size is None:
        size = getattr(getattr(loaders, "batch_sampler", None), "batch_size", None)
    if not isinstance(size, Integral):
        return None, "the train dataloader has no batch_size; give durations in steps and target_lr as a number"
    return int(size) * trainer.accumulate_grad_batches * trainer.world_size, ""


def _callbacks(trainer: pl.Trainer) -> list[Any]:
    return trainer.callbacks  # type: ignore[union-attr, no-any-return]
