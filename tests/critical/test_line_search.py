"""Line-search warmup, in real runs: LineSearchWarmup."""

import importlib.util
import itertools
import json
import math
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import LearningRateMonitor
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from checkpoints import SaveEveryBatch
from lightning_warmup import HyperparameterWarmup, LearningRateWarmup, LinearScaling, LineSearchWarmup
from lightning_warmup.critical.line_search import _GivenUp
from lightning_warmup.critical.measurements import has_momentum
from processes import Tell, told
from runs import Line, RecordingSGD, fit, loader, trainer
from searches import Bowl, Descent, at_work, given_up, search

pytestmark = pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended")

ROOT = Path(__file__).parents[2]


class Noisy(Line):
    """A net with everything that a trial step could disturb: dropout, BatchNorm, a draw of random numbers."""

    def __init__(self, optimizer: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = torch.nn.Sequential(
            torch.nn.Linear(2, 8),
            torch.nn.BatchNorm1d(8),
            torch.nn.ReLU(),
            torch.nn.Dropout(0.4),
            torch.nn.Linear(8, 1),
        )
        self.optimizer = optimizer
        self.lrs: list[list[float]] = []

    def configure_optimizers(self) -> Any:
        optimizer = self.optimizer(self.net.parameters())
        optimizer.register_step_post_hook(lambda o, *_: self.lrs.append([group["lr"] for group in o.param_groups]))
        return optimizer

    def loss(self, batch: Any) -> torch.Tensor:
        x = batch[0] + torch.randn_like(batch[0])
        return (self.net(x) - x.sum(1, keepdim=True)).square().mean()

    @property
    def everything(self) -> list[torch.Tensor]:
        return [tensor.clone() for tensor in self.net.state_dict().values()]


# --- the rule --------------------------------------------------------------------------------------------------------


def test_halving_on_a_quadratic() -> None:
    """A made-up run, by hand: at the share c of the target, the loss becomes (1 − 8c)² times what it was."""
    run = at_work()
    run.search(0, lambda c: (1 - 8 * c) ** 2, 1.0, momentum=True)
    assert run.share(0) == 0.1
    assert run.share(1) == 0.2
    run.search(1, lambda c: (1 - 8 * c) ** 2, 1.0, momentum=True)  # (1 − 1.6)² = 0.36
    assert run.share(1) == 0.2
    run.search(2, lambda c: (1 - 8 * c) ** 2, 1.0, momentum=True)  # (1 − 2.4)² = 1.96, then (1 − 1.2)²
    assert run.share(2) == pytest.approx(0.15, rel=1e-15)
    assert (run.halvings, run.forwards) == (1, 7)
    # The ramp goes on from there, by 1/10 a step.
    assert run.share(3) == pytest.approx(0.25, rel=1e-15)
    assert run.length_taken is None


@pytest.mark.parametrize(("max_rise", "halvings"), [(0.0, 1), (0.95, 1), (0.97, 0), (10, 0)])
def test_max_rise_is_a_share_of_the_loss(max_rise: float, halvings: int) -> None:
    for loss, after in ((5.0, 5 * 1.96), (-5.0, -5 + 5 * 0.96)):  # a loss may be negative, too
        run = at_work(max_rise=max_rise)
        run.search(0, lambda c: after if c > 0.09 else loss, loss, momentum=True)  # noqa: B023
        assert run.halvings == halvings


@pytest.mark.parametrize("bad", [math.nan, math.inf, 7.0])
def test_no_step_is_halved_more_than_ten_times(bad: float) -> None:
    run = at_work()
    run.search(0, lambda c: bad, 1.0, momentum=True)
    assert run.halvings == 10
    assert run.forwards == 12
    assert run.share(0) == pytest.approx(0.1 / 1024, rel=1e-12)


def test_without_momentum_the_mean_of_the_last_losses_counts_too() -> None:
    run = at_work()
    for t in range(30):
        run.search(t % 9, lambda c: 0.0, 10.0 if t < 10 else 1.0, momentum=False)
    assert run.state(99)["losses"] == [1.0] * 20
    for loss, allowed in ((4.0, 4.4), (0.1, 1.5 * (19 + 0.1) / 20)):
        for after, halved in ((allowed * 0.999, False), (allowed * 1.001, True)):
            other = at_work(state=run.state(99) | {"position": 0.0, "step": 0})
            other.search(1, lambda c: after if c > 0.19 else 0.0, loss, momentum=False)  # noqa: B023
            assert (other.halvings > run.halvings) is halved


def test_which_optimizers_have_momentum() -> None:
    parameters = [torch.nn.Parameter(torch.zeros(1))]
    assert not has_momentum(torch.optim.SGD(parameters, lr=1))
    assert not has_momentum(RecordingSGD(parameters, lr=1))
    assert has_momentum(torch.optim.SGD(parameters, lr=1, momentum=0.9))
    assert has_momentum(torch.optim.AdamW(parameters))
    assert has_momentum(torch.optim.RMSprop(parameters))


# --- a run that needs no halving is a linear warmup, bit for bit -----------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"gradient_clip_val": 0.5}, {"precision": "bf16-mixed"}], ids=str)
@pytest.mark.parametrize(
    "optimizer", [partial(torch.optim.SGD, lr=0.05), partial(torch.optim.AdamW, lr=0.003)], ids=["sgd", "adamw"]
)
def test_nothing_of_the_training_is_changed(optimizer: Any, settings: dict[str, Any]) -> None:
    linear, tried = Noisy(optimizer), Noisy(optimizer)
    for callback, module in ((LearningRateWarmup(7, "cosine"), linear), (search(7, "cosine", max_rise=99.0), tried)):
        torch.manual_seed(1)
        fit(callback, module, max_epochs=4, **settings)
        assert callback.warmup_steps == 7
    assert tried.lrs == linear.lrs
    assert all(map(torch.equal, tried.everything, linear.everything))
    assert tried.trainer.callback_metrics == linear.trainer.callback_metrics


def test_a_step_that_is_halved_is_taken_as_if_it_had_been_so_from_the_start() -> None:
    """What is tried leaves no trace: the same rates, given as numbers, train the same net."""
    tried = Noisy(partial(torch.optim.SGD, lr=3.0))
    torch.manual_seed(1)
    with pytest.warns(UserWarning, match="the target was not reached in 16 steps"):
        fit(search(4, None), tried, max_epochs=2)
    rates = [lr for (lr,) in tried.lrs]
    assert any(b < a for a, b in itertools.pairwise(rates))

    replayed = Noisy(partial(torch.optim.SGD, lr=3.0))
    torch.manual_seed(1)
    replayed.on_before_optimizer_step = lambda optimizer: optimizer.param_groups[0].update(  # type: ignore[method-assign]
        lr=rates[len(replayed.lrs)]
    )
    fit([], replayed, max_epochs=2)
    assert replayed.lrs == tried.lrs
    assert all(map(torch.equal, tried.everything, replayed.everything))


# --- halving, in a run -----------------------------------------------------------------------------------------------


@given_up
@pytest.mark.parametrize("optimizer", [Descent, RecordingSGD])
@pytest.mark.parametrize("max_rise", [0.0, 0.1, None])
def test_a_quadratic(optimizer: Any, max_rise: float | None) -> None:
    """With the target at 7.7, four times what any step can take for good."""
    module = Bowl(7.7, optimizer)
    expected: list[float] = []
    rise = max_rise if max_rise is not None else 0.1 if optimizer is RecordingSGD else 0.0
    lr, theta, losses = 0.0, 1.0, []
    for _ in range(20):
        loss = theta**2 / 2
        losses = [*losses, loss][-20:]
        most = (1 + rise) * loss
        if optimizer is RecordingSGD:
            most = max(most, 1.5 * sum(losses) / len(losses))
        lr = min(7.7, lr + 7.7 / 10)
        while loss * (1 - lr) ** 2 > most:
            lr /= 2
        theta *= 1 - lr
        expected.append(lr)
    used = fit(search(9, None, max_rise=max_rise, max_steps=20), module, max_epochs=3).used
    held = sum(expected[10:]) / 10  # the mean of the second half
    assert used == pytest.approx([*expected, *[held] * 10], rel=1e-9)
    assert sum(b < a for a, b in itertools.pairwise(expected)) > 2
    if optimizer is Descent:
        assert max(used) < 1 + math.sqrt(1 + rise)


def test_it_gets_there_and_then_decays(messages: list[str]) -> None:

    class Softening(Bowl):
        """Its curvature comes down with the steps: too long at first, right in the end."""

        def loss(self, batch: Any) -> torch.Tensor:
            return self.theta.square() / 2 * (4 if self.trainer.global_step < 9 else 0.5)

    callback = search(4, "linear", max_rise=0.0)
    used = fit(callback, Softening(1.5), max_epochs=4).used
    taken = callback.warmup_steps
    assert taken is not None
    assert 4 < taken < 16
    assert all(lr < 1.5 for lr in used[:taken])
    assert all(b - a <= 1.5 / 5 + 1e-12 for a, b in itertools.pairwise([0.0, *used[: taken + 1]]))
    assert used[taken:] == pytest.approx([1.5 * (40 - t) / (40 - taken) for t in range(taken, 40)])
    told = [line for line in messages if "the line search" in line]
    tried = [min(1.5, lr + 1.5 / 5) for lr in [0.0, *used[:taken]]]
    halvings = sum(round(math.log2(first / lr)) for first, lr in zip(tried, used, strict=False))
    assert halvings > 3
    assert len(told) == 1
    assert f"reached the target at step {taken} ({halvings} halvings, {2 * (taken + 1) + halvings} forwards)" in told[0]


def test_a_target_that_no_step_can_take() -> None:
    """The mean of the second half is held in its place, and decays from there; one warning says so."""
    callback = search(4, "linear")
    with pytest.warns(UserWarning, match=r"was not reached in 16 steps .*, and 0\.\d+ of it is held") as caught:
        used = fit(callback, Bowl(8.0), max_epochs=4).used
    assert sum("was not reached" in str(warning.message) for warning in caught) == 1
    assert callback.warmup_steps == 16
    assert all(0 < lr < 2.1 for lr in used[:16])
    held = sum(used[8:16]) / 8
    assert used[16:] == pytest.approx([held * (40 - t) / 24 for t in range(16, 40)])


@pytest.mark.filterwarnings("ignore:.training_step. returned .None.")
def test_a_target_that_is_given_up_at_a_step_without_a_loss() -> None:
    """That step takes what it would have tried; held is the mean of those that were tried, as the warning says."""

    class Gap(Bowl):
        def training_step(self, *arguments: Any) -> Any:
            return None if self.global_step == 15 else super().training_step(*arguments)

    with pytest.warns(UserWarning, match="was not reached in 16 steps") as caught:
        used = fit(search(4, None), Gap(8.0, RecordingSGD), max_epochs=3).used
    assert used[15] > used[14]
    held = sum(used[8:15]) / 7
    assert used[16:] == pytest.approx([held] * 14, rel=1e-12)
    (told,) = (str(warning.message) for warning in caught if "was not reached" in str(warning.message))
    assert f"{held / 8:.3g} of it is held" in told


@given_up
def test_a_target_that_no_step_can_take_without_a_decay() -> None:
    used = fit(search(4, None), Bowl(8.0), max_epochs=3).used
    assert used[16:] == pytest.approx([sum(used[8:16]) / 8] * 14, rel=1e-12)


@given_up
def test_as_a_factor_on_the_modules_own_scheduler() -> None:
    class Scheduled(Bowl):
        def configure_optimizers(self) -> Any:
            optimizer = Descent([self.theta], lr=8.0)
            schedule = torch.optim.lr_scheduler.StepLR(optimizer, 20, gamma=0.5)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    alone = fit(search(4, None), Bowl(8.0), max_epochs=3).used
    used = fit(search(4, None), Scheduled(8.0), max_epochs=3).used
    assert used[:20] == pytest.approx(alone[:20])
    assert used[20:] == pytest.approx([alone[20] / 2] * 10)


@given_up
def test_groups_keep_their_proportions() -> None:
    class Grouped(Noisy):
        def configure_optimizers(self) -> Any:
            first, *rest = self.net.parameters()
            self.optimizer = lambda _: torch.optim.SGD([{"params": [first]}, {"params": rest, "lr": 0.5}], lr=5.0)
            return super().configure_optimizers()

    module = Grouped(None)
    callback = search(4, "cosine")
    fit(callback, module, max_epochs=4)
    assert all(high == pytest.approx(10 * low, rel=1e-12) for high, low in module.lrs)
    assert any(b < a for (a, _), (b, _) in itertools.pairwise(module.lrs[:16]))


def test_a_scaled_target() -> None:
    """It sets out from target / (N + 1) there, too."""
    scaled = LearningRateWarmup(LineSearchWarmup(4), "linear", target_lr=LinearScaling(1))
    used = fit(scaled, Bowl(0.1), max_epochs=3).used
    assert used[:5] == pytest.approx([0.04, 0.08, 0.12, 0.16, 0.2])


# --- resuming, several processes -------------------------------------------------------------------------------------


@given_up
@pytest.mark.parametrize("target", [0.1, 3.0, 8.0])
@pytest.mark.parametrize("optimizer", [Descent, RecordingSGD])
def test_resume_at_every_step(optimizer: Any, target: float, tmp_path: Path) -> None:
    """Where none is halved, where some are, and where the target is never taken."""
    whole = fit([search(3), SaveEveryBatch(tmp_path)], Bowl(target, optimizer), max_epochs=2)
    for batch in range(1, 20):
        callback = search(3)
        resumed = fit(callback, Bowl(target, optimizer), max_epochs=2, ckpt_path=tmp_path / f"{batch}.ckpt")
        assert resumed.used == whole.used[batch:]
        assert torch.equal(resumed.theta, whole.theta)


def test_resume_in_a_run_of_another_length() -> None:
    """Positions are of a ramp of so many steps: half of the target stays half of it."""
    run = at_work(duration=9)
    for t in range(5):
        run.search(t, lambda c: 0.0, 1.0, momentum=True)
    assert run.share(4) == 0.5
    longer = at_work(duration=19, max_steps=76, state=run.state(99))
    assert longer.share(4) == 0.5
    assert longer.share(5) == 0.55


def test_resume_of_one_that_is_over_in_a_run_of_another_length() -> None:
    for highest in (1.0, 0.6):
        run = at_work(duration=3, max_steps=12)
        for t in range(12):
            if run.due(t):
                run.search(t, lambda c: float(c > highest), 0.5, momentum=True)  # noqa: B023
        if highest == 1:
            assert run.taken == 3
        else:
            assert isinstance(run.taken, _GivenUp)
            assert run.taken.duration == 12
            assert 0.3 <= run.taken.reaches <= 0.6
        assert at_work(duration=10, state=run.state(99)).taken == run.taken


def test_state_is_plain(tmp_path: Path) -> None:
    fit([search(), SaveEveryBatch(tmp_path)], Bowl(0.1, RecordingSGD), max_epochs=4)
    state = torch.load(tmp_path / "5.ckpt", weights_only=True)["callbacks"][search().state_key]["adaptive"]
    assert state == {
        "ramp": 8, "max_steps": 32, "position": 4.0, "step": 4, "losses": state["losses"],
        "late_sum": 0.0, "late_steps": 0, "halvings": 0, "forwards": 10, "length": None,
    }  # fmt: skip
    assert len(state["losses"]) == 5


@pytest.mark.parametrize(
    "key", ["max_steps", "position", "step", "losses", "late_sum", "late_steps", "halvings", "forwards", "length"]
)
def test_a_state_that_somebody_has_changed_is_refused(key: str, tmp_path: Path) -> None:
    fit([search(), SaveEveryBatch(tmp_path)], Bowl(0.1), max_epochs=4)
    for wrong in ("missing", "nonsense"):
        checkpoint = torch.load(tmp_path / "5.ckpt", weights_only=True)
        adaptive = checkpoint["callbacks"][search().state_key]["adaptive"]
        if wrong == "missing":
            del adaptive[key]
        else:
            adaptive[key] = wrong
        torch.save(checkpoint, tmp_path / "changed.ckpt")
        with pytest.raises(ValueError, match=rf"the checkpoint's state is not what .*'adaptive'\]\['{key}'\] is"):
            fit(search(), Bowl(0.1), max_epochs=4, ckpt_path=tmp_path / "changed.ckpt")


@pytest.mark.slow
@given_up
def test_two_processes_agree(tmp_path: Path) -> None:
    class Uneven(Bowl):
        def loss(self, batch: Any) -> torch.Tensor:
            return super().loss(batch) * (0.5 + self.global_rank)

    class Logged(Tell):
        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            trainer.optimizers[0].register_step_post_hook(lambda o, *_: self.used.append(o.param_groups[0]["lr"]))

        def on_before_optimizer_step(self, *_: Any) -> None:
            pass

    trainer(search(9, max_steps=20), Logged(tmp_path), strategy="ddp_fork", devices=2, max_epochs=3).fit(
        Uneven(8.0), loader(20)
    )
    first, second = told(tmp_path)
    assert first == second
    # The mean of the two losses is that of one process.
    alone = fit(search(9, max_steps=20), Bowl(8.0), max_epochs=3).used
    assert first["used"] == pytest.approx(alone, rel=1e-9)
    assert any(b < a for a, b in itertools.pairwise(alone[:20]))


# --- what it is beside -----------------------------------------------------------------------------------------------


@given_up
def test_the_monitor_shows_what_is_tried_first(tmp_path: Path) -> None:
    logger = CSVLogger(tmp_path, flush_logs_every_n_steps=1)
    module = Bowl(3.0)
    fit(
        [search(4), LearningRateMonitor("step")], module, max_epochs=3, logger=logger, log_every_n_steps=1
    )  # reached or not, the same is shown
    rows = (Path(logger.log_dir) / "metrics.csv").read_text().splitlines()
    column = rows[0].split(",").index("lr-Descent")
    shown = [float(value) for row in rows[1:] if (value := row.split(",")[column])]
    tried = [min(3.0, lr + 3 / 5) for lr in [0.0, *module.used]]
    assert shown[:8] == pytest.approx(tried[:8])
    assert shown[:8] != pytest.approx(module.used[:8])


def test_the_line_before_training(messages: list[str]) -> None:
    fit(search(9), Bowl(0.1), max_epochs=4)
    assert any("lr 0.01 → 0.1 over 36 steps (line search; 9 if no step is halved)" in line for line in messages)


def test_preview_draws_the_range() -> None:
    _, axes = search(9, None).plot(1.0, total_steps=40)
    assert "the range it can take" in axes.get_title()
    path = axes.collections[0].get_paths()[0].vertices
    by_step = {t: sorted(y for x, y in path if x == t) for t in (0, 8, 9, 39)}
    assert by_step[0][0] == 0
    assert by_step[8][-1] == pytest.approx(0.9)
    assert by_step[9][-1] == by_step[39][-1] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"duration": 0}, r"duration=0\): expected a duration > 0"),
        ({"duration": "0%"}, r"duration='0%'\): expected a duration > 0"),
        ({"duration": "5 bananas"}, r"duration='5 bananas'\) is not a duration"),
        ({"max_rise": -0.1}, r"max_rise=-0\.1\): expected a finite number ≥ 0"),
        ({"max_rise": math.nan}, r"max_rise=nan\)"),
        ({"max_rise": "10%"}, r"max_rise='10%'\)"),
        ({"max_rise": True}, r"max_rise=True\)"),
        ({"max_steps": 0}, r"duration=8, max_steps=0\): the target is not tried before duration is over"),
        ({"max_steps": 8}, r"duration=8, max_steps=8\): the target is not tried"),
        ({"max_steps": "soon"}, r"max_steps='soon'\) is not a duration"),
    ],
)
def test_bad_arguments(kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=rf"LineSearchWarmup\({message}"):
        LineSearchWarmup(**{"duration": 8, **kwargs})


def test_a_search_that_ends_before_the_ramp_does() -> None:
    with pytest.raises(ValueError, match=r"duration=8, max_steps='20%'\): 8 steps are too few, .* before step 8"):
        fit(search(8, max_steps="20%"), max_epochs=4)


def test_a_fast_dev_run(messages: list[str]) -> None:
    fit(search(8, max_steps="20%"), fast_dev_run=2)
    assert any("fast_dev_run is too short for this schedule" in line for line in messages)


def test_a_run_too_short_for_it() -> None:
    with pytest.raises(
        ValueError,
        match=r"LineSearchWarmup\(duration=8, .*warmup 32 at most = 32 steps is more than the 20 .*max_steps",
    ):
        fit(search(8), max_epochs=2)


def test_what_it_cannot_be_combined_with() -> None:
    shape = LineSearchWarmup(8)
    with pytest.raises(ValueError, match=r"warmup_initial_lr=0\.1\) with warmup=LineSearchWarmup"):
        LearningRateWarmup(shape, warmup_initial_lr=0.1)
    with pytest.raises(ValueError, match=r"interval='epoch'\) with warmup=LineSearchWarmup"):
        LearningRateWarmup(shape, interval="epoch")
    with pytest.raises(ValueError, match=r"decay_from='start', warmup=LineSearchWarmup.*measured on the run"):
        LearningRateWarmup(shape, "cosine", decay_from="start")
    with pytest.raises(ValueError, match=r"HyperparameterWarmup\(initial_value=0\.8\) with warmup=LineSearchWarmup"):
        HyperparameterWarmup("momentum", warmup=shape, initial_value=0.8)
    with pytest.raises(ValueError, match="depends on the run itself"):
        search().values(0.1, total_steps=99, steps_per_epoch=9)


class Manual(Bowl):
    def __init__(self) -> None:
        super().__init__(0.1)
        self.automatic_optimization = False


class OwnLoader(Bowl):
    def training_step(self, dataloader_iter: Any) -> Any:  # type: ignore[override]
        return self.loss(next(dataloader_iter))


@pytest.mark.filterwarnings("ignore:.*`dataloader_iter`")
@pytest.mark.parametrize(
    ("module", "settings", "reason"),
    [
        (Manual, {}, "under manual optimization"),
        (partial(Bowl, 0.1), {"accumulate_grad_batches": 2}, "accumulate_grad_batches=2"),
        (partial(Bowl, 0.1, torch.optim.LBFGS), {}, "LBFGS evaluates the loss several times"),
        (partial(OwnLoader, 0.1), {}, r"training_step\(dataloader_iter\)"),
    ],
)
def test_where_it_is_refused(module: Any, settings: dict[str, Any], reason: str) -> None:
    message = rf"warmup=LineSearchWarmup\(.*\)\) cannot try its steps here: .*{reason}.*Use a warmup that tries none"
    with pytest.raises(MisconfigurationException, match=message):
        fit(LearningRateWarmup(LineSearchWarmup(2), total="40 steps"), module(), max_epochs=4, **settings)


# --- what the page says of it ----------------------------------------------------------------------------------------


def test_the_tables_of_the_page_are_those_of_the_results() -> None:
    pytest.importorskip("sklearn")
    spec = importlib.util.spec_from_file_location("line_search", ROOT / "benchmarks" / "line_search.py")
    assert spec is not None
    script = importlib.util.module_from_spec(spec)
    sys.modules["line_search"] = script  # where its dataclass looks for what its annotations mean
    try:
        spec.loader.exec_module(script)
    finally:
        del sys.modules["line_search"]
    results = json.loads(script.RESULTS.read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "adaptive.md").read_text(encoding="utf-8")
    for settings, columns in script.TABLES:
        assert "\n".join(script.table(results, settings, columns)) in page
