"""What other libraries' schedulers have each step use, as they run: written to tests/field.json, which our tests read.

python projects/field.py   # makes projects/venvs/field first: minutes, some GB

The cases of tests/test_field.py have T = 100 steps, N = 10 of warmup and a learning rate of 1; those of
docs/migrating.md, the numbers of tests/test_migrating.py.
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
import types
import venv
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
WRITTEN = HERE.parent / "tests" / "field.json"
ENVIRONMENT = HERE / "venvs" / "field"

# timm, ignite and MMEngine without what they ask for (torchvision, OpenCV): a scheduler needs none of it.
ALONE = "timm pytorch-ignite mmengine fvcore warmup-scheduler pytorch-scheduler"
WITH_OTHERS = "transformers optax keras addict termcolor rich yapf pillow pyyaml tqdm"

T, N = 100, 10
Values = dict[str, list[float]]


def optimizer_of(lr: float = 1.0) -> Any:
    import torch

    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr, momentum=0.9)


def stepped(make: Callable[[Any], Any], lr: float = 1.0, steps: int = T, by: str = "") -> list[float]:
    """What each step uses of a scheduler that is stepped after it, ``by="t"`` with the number of steps taken."""
    optimizer, used = optimizer_of(lr), []
    scheduler = make(optimizer)
    for t in range(steps):
        used.append(float(optimizer.param_groups[0]["lr"]))
        if t == steps - 1:
            break
        optimizer.step()
        if by == "update":
            scheduler.step_update(t + 1)
        elif by == "t":
            scheduler.step(t + 1)
        else:
            scheduler.step()
    return used


def alone(package: str) -> None:
    """Have ``package`` import its modules without its ``__init__``, which would import torchvision."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    module = types.ModuleType(package)
    module.__path__ = list(spec.submodule_search_locations)
    sys.modules[package] = module


# --- timm ------------------------------------------------------------------------------------------------------------


def timm() -> Values:
    alone("timm")
    from timm.scheduler.cosine_lr import CosineLRScheduler
    from timm.scheduler.multistep_lr import MultiStepLRScheduler
    from timm.scheduler.poly_lr import PolyLRScheduler
    from timm.scheduler.step_lr import StepLRScheduler
    from timm.scheduler.tanh_lr import TanhLRScheduler
    from timm.scheduler.wsd_lr import WSDLRScheduler

    def run(scheduler: Any, lr: float = 1.0, **arguments: Any) -> list[float]:
        def make(optimizer: Any) -> Any:
            made = scheduler(optimizer, **arguments, t_in_epochs=False)
            # Without this, as in timm's train.py, the first step has the target: of tanh's curve that is 8e-7 too much.
            made.step_update(0)
            return made

        return stepped(make, lr, by="update")

    wsd = partial(run, WSDLRScheduler, t_initial=T - N, decay_t=20, warmup_t=N)
    first = {"warmup_t": N, "warmup_lr_init": 0.0}
    after = {"warmup_t": 20, "warmup_lr_init": 0.01, "warmup_prefix": True}
    return {
        "cosine | warmup_prefix=False (default)": run(CosineLRScheduler, t_initial=T, **first),
        "cosine | cycle_limit=2 then lr_min": run(
            CosineLRScheduler, t_initial=20, lr_min=0.01, cycle_mul=2, cycle_decay=0.5, cycle_limit=2
        ),
        "cosine | k_decay=2": run(CosineLRScheduler, t_initial=T, lr_min=0.1, k_decay=2),
        "tanh | lb, ub, lr_min": run(TanhLRScheduler, t_initial=T, lb=-7.0, ub=3.0, lr_min=0.01),
        "tanh | warmup": run(TanhLRScheduler, t_initial=T, lb=-7.0, ub=3.0, lr_min=0.01, **first),
        "step | decay_t a float (2.4)": run(StepLRScheduler, decay_t=2.4, decay_rate=0.97),
        "poly | cycle_mul/cycle_decay": run(
            PolyLRScheduler, t_initial=25, power=2.0, cycle_decay=0.5, cycle_limit=9
        ),
        "poly | k_decay": run(PolyLRScheduler, t_initial=T, power=0.5, lr_min=0.1, k_decay=2),
        "wsd | decay_fn=power": wsd(decay_fn="power", decay_power=2.0),
        "wsd | decay_fn=exp": wsd(decay_fn="exp"),
        "wsd | stable_fn=rsqrt + linear ('rsqrt')": wsd(stable_fn="rsqrt", decay_fn="linear"),
        "wsd | stable_fn=power": wsd(stable_fn="power", stable_power=0.7, decay_fn="linear"),
        "migrating | timm `Cosine": run(CosineLRScheduler, 0.3, t_initial=80, lr_min=0.03, **after),
        "migrating | timm `MultiStep": run(MultiStepLRScheduler, 0.3, decay_t=[40, 60, 80], decay_rate=0.1),
    }  # fmt: skip


# --- transformers ----------------------------------------------------------------------------------------------------


def transformers() -> Values:
    from transformers import optimization as of

    def wsd(**arguments: Any) -> list[float]:
        make = partial(of.get_wsd_schedule, num_warmup_steps=N, num_decay_steps=40, num_stable_steps=50)
        return stepped(lambda optimizer: make(optimizer, **arguments))

    def run(name: str, lr: float = 1.0, steps: int = T, **arguments: Any) -> list[float]:
        warmup = N if lr == 1 else 20
        if "constant" not in name and "inverse" not in name:
            arguments = {"num_training_steps": T, **arguments}
        return stepped(lambda o: getattr(of, name)(o, num_warmup_steps=warmup, **arguments), lr, steps)

    cosine, restarts = "get_cosine_schedule_with_warmup", "get_cosine_with_hard_restarts_schedule_with_warmup"
    low = "get_cosine_with_min_lr_schedule_with_warmup"
    values = {
        "cosine | num_cycles=2.5": run(cosine, num_cycles=2.5),
        "cosine_with_restarts | num_cycles=4: 90/4 not whole": run(restarts, num_cycles=4),
        "cosine_with_restarts | past the end (run 120, schedule 100)": run(restarts, steps=120, num_cycles=3),
        "cosine_with_min_lr | num_cycles=1.5": run(low, num_cycles=1.5, min_lr_rate=0.1),
        "warmup_stable_decay | warmup_type=1-sqrt, decay_type=cosine": wsd(warmup_type="1-sqrt"),
        "warmup_stable_decay | num_cycles=1.5": wsd(num_cycles=1.5),
    }
    rows = {
        "get_constant": ("get_constant_schedule_with_warmup", {}),
        "get_linear": ("get_linear_schedule_with_warmup", {}),
        "get_cosine_schedule_with_warmup`": (cosine, {}),
        "get_cosine_schedule_with_warmup(num": (cosine, {"num_cycles": 1.5}),
        "get_cosine_with_hard": (restarts, {"num_cycles": 3}),
        "get_polynomial": ("get_polynomial_decay_schedule_with_warmup", {"lr_end": 0.03, "power": 2}),
        "get_inverse_sqrt": ("get_inverse_sqrt_schedule", {"timescale": 50}),
        "get_cosine_with_min_lr_schedule_with_warmup(": (low, {"min_lr": 0.03}),
        "get_cosine_with_min_lr_schedule_with_warmup_lr": (f"{low}_lr_rate", {"min_lr": 0.03}),
        "get_wsd": ("get_wsd_schedule", {"num_decay_steps": 25, "decay_type": "1-sqrt"}),
    }
    for row, (name, arguments) in rows.items():
        values[f"migrating | transformers `{row}"] = run(name, 0.3, **arguments)
    return values


# --- warmup_scheduler, which is pytorch-gradual-warmup-lr ------------------------------------------------------------


def gradual_warmup() -> Values:
    import warnings

    from torch.optim.lr_scheduler import CosineAnnealingLR, StepLR
    from warmup_scheduler import GradualWarmupScheduler

    warnings.simplefilter("ignore")  # torch's, of scheduler.step(epoch)

    def run(by: str) -> list[float]:
        def make(optimizer: Any) -> Any:
            after = CosineAnnealingLR(optimizer, T - N)
            return GradualWarmupScheduler(optimizer, multiplier=8.0, total_epoch=N, after_scheduler=after)

        return [lr / 8 for lr in stepped(make, by=by)]

    def row(optimizer: Any) -> Any:
        after = StepLR(optimizer, step_size=9)
        return GradualWarmupScheduler(optimizer, multiplier=8.0, total_epoch=20, after_scheduler=after)

    return {
        "GradualWarmupScheduler | multiplier=8, cosine": run(""),
        "GradualWarmupScheduler | step(epoch), m=8, cosine": run("t"),
        "migrating | pytorch-gradual-warmup-lr": stepped(row, 0.3, by="t"),
    }


# --- ignite ----------------------------------------------------------------------------------------------------------


def ignite() -> Values:
    from ignite.handlers.param_scheduler import (
        ConcatScheduler,
        CosineAnnealingScheduler,
        LinearCyclicalScheduler,
        PiecewiseLinear,
        create_lr_scheduler_with_warmup,
    )
    from torch.optim.lr_scheduler import ExponentialLR

    def used(make: Callable[[Any], Any], lr: float = 1.0) -> list[float]:
        """Of a handler that is attached to the start of an iteration."""
        optimizer, lrs = optimizer_of(lr), []
        handler = make(optimizer)
        for _ in range(T):
            handler(None)
            lrs.append(float(optimizer.param_groups[0]["lr"]))
            optimizer.step()
        return lrs

    linear, cosine = LinearCyclicalScheduler, CosineAnnealingScheduler

    def three(optimizer: Any) -> Any:
        parts = [
            linear(optimizer, "lr", 0.1, 1.0, cycle_size=40),  # half of its cycle: up
            PiecewiseLinear(optimizer, "lr", [(0, 1.0), (30, 0.5)]),
            cosine(optimizer, "lr", 0.5, 0.1, cycle_size=50),
        ]
        return ConcatScheduler(parts, durations=[20, 30])

    knots = [(0, 0.2), (10, 1.0), (40, 0.6), (70, 0.7), (90, 0.0)]
    mults = {"cycle_mult": 1.5, "start_value_mult": 0.8, "end_value_mult": 0.5}
    return {
        "PiecewiseLinear | any knots": used(lambda o: PiecewiseLinear(o, "lr", knots)),
        "LinearCyclicalScheduler | cycle_mult, start/end_value_mult": used(
            lambda o: linear(o, "lr", 1.0, 0.2, cycle_size=20, **mults)
        ),
        "LinearCyclicalScheduler | monotonic + warmup_duration": used(
            lambda o: linear(o, "lr", 1.0, 0.2, cycle_size=20, warmup_duration=5, monotonic=True)
        ),
        "CosineAnnealingScheduler | end_value_mult=.5": used(
            lambda o: cosine(o, "lr", 1.0, 0.2, cycle_size=25, end_value_mult=0.5)
        ),
        "CosineAnnealingScheduler | warmup_duration (each cycle)": used(
            lambda o: cosine(o, "lr", 1.0, 0.2, cycle_size=40, warmup_duration=5)
        ),
        "ConcatScheduler | three schedulers": used(three),
        "migrating | ignite `Piecewise": used(
            lambda o: PiecewiseLinear(o, "lr", [(0, 0.06), (10, 0.3), (40, 0.18), (90, 0.0)]), 0.3
        ),
        "migrating | ignite `create": used(
            lambda o: create_lr_scheduler_with_warmup(
                ExponentialLR(o, 0.9), warmup_start_value=0.01, warmup_duration=20
            ),
            0.3,
        ),
    }


# --- MMEngine --------------------------------------------------------------------------------------------------------


def mmengine() -> Values:
    from mmengine.optim.scheduler import CosineRestartLR, LinearLR, MultiStepLR

    def together(optimizer: Any) -> Any:
        warmup = LinearLR(optimizer, start_factor=0.1, by_epoch=False, begin=0, end=20)
        steps = MultiStepLR(optimizer, milestones=[40, 60, 80], by_epoch=False)
        return types.SimpleNamespace(step=lambda: (warmup.step(), steps.step()))

    weights = {"periods": [20, 50, 30], "restart_weights": [1, 0.7, 0.3], "eta_min": 0.0, "by_epoch": False}
    return {
        "CosineRestartLR | any periods, any weights": stepped(lambda o: CosineRestartLR(o, **weights)),
        "migrating | MMEngine": stepped(together, 0.3),
    }


# --- optax and Keras, in float64 -------------------------------------------------------------------------------------


def optax() -> Values:
    os.environ["JAX_ENABLE_X64"] = "1"
    import optax as of

    def used(schedule: Callable[[int], Any], steps: int = T) -> list[float]:
        return [float(schedule(t)) for t in range(steps)]

    exponential = partial(of.exponential_decay, 1.0)
    cycles = [
        {"init_value": 0.0, "peak_value": 1.0, "warmup_steps": 10, "decay_steps": 40, "end_value": 0.1},
        {"init_value": 0.05, "peak_value": 0.7, "warmup_steps": 5, "decay_steps": 60, "end_value": 0.0},
    ]
    three = of.join_schedules(
        [of.cosine_decay_schedule(1.0, 40, 0.5), of.constant_schedule(0.5), of.linear_schedule(0.5, 0.0, 30)], [40, 70]
    )
    return {
        "polynomial_schedule | growing from 0: 1-(1-u)^p": used(of.polynomial_schedule(0.0, 1.0, 3, N)),
        "piecewise_constant_schedule | a scale per boundary": used(
            of.piecewise_constant_schedule(1.0, {30: 0.5, 60: 0.2, 80: 3.0})
        ),
        "exponential_decay | end_value": used(exponential(15, 0.5, end_value=0.05)),
        "exponential_decay | growth, end_value cap": used(exponential(20, 2.0, end_value=8.0)),
        "cosine_decay_schedule | exponent=2": used(of.cosine_decay_schedule(1.0, T, 0.1, exponent=2)),
        "piecewise_interpolate_schedule | linear": used(
            of.piecewise_interpolate_schedule("linear", 1.0, {40: 0.5, 100: 0.4})
        ),
        "piecewise_interpolate_schedule | cosine": used(
            of.piecewise_interpolate_schedule("cosine", 1.0, {40: 0.5, 100: 0.4})
        ),
        "linear_onecycle_schedule | pct_final (3 pieces)": used(of.linear_onecycle_schedule(T, 1.0)),
        "warmup_cosine_decay_schedule | exponent": used(
            of.warmup_cosine_decay_schedule(0.0, 1.0, N, T, end_value=0.1, exponent=2)
        ),
        "warmup_exponential_decay_schedule | end_value": used(
            of.warmup_exponential_decay_schedule(0.0, 1.0, N, 20, 0.5, end_value=0.2)
        ),
        "sgdr_schedule | warmup and peak per cycle": used(of.sgdr_schedule(cycles)),
        "join_schedules | cosine, constant, linear": used(three),
        "migrating | optax `warmup": used(of.warmup_cosine_decay_schedule(0.0, 0.3, 20, T, end_value=0.03)),
        "migrating | optax `cosine": used(of.cosine_decay_schedule(0.3, T, exponent=2)),
    }


def keras() -> Values:
    os.environ["KERAS_BACKEND"] = "jax"
    import keras as of

    of.config.set_floatx("float64")
    schedules = of.optimizers.schedules

    def used(schedule: Any) -> list[float]:
        return [float(schedule(t)) for t in range(T)]

    return {
        "PiecewiseConstantDecay | any values": used(schedules.PiecewiseConstantDecay([30, 60], [1.0, 0.5, 0.3])),
        "PolynomialDecay | cycle=True": used(schedules.PolynomialDecay(1.0, 20, 0.1, 2.0, cycle=True)),
        "InverseTimeDecay | ": used(schedules.InverseTimeDecay(1.0, 20, 0.5)),
        "InverseTimeDecay | staircase": used(schedules.InverseTimeDecay(1.0, 20, 0.5, staircase=True)),
        "CosineDecayRestarts | alpha=.1 and m_mul=.5": used(
            schedules.CosineDecayRestarts(1.0, 10, m_mul=0.5, alpha=0.1)
        ),
        "CosineDecayRestarts | t_mul=.8 (shrinking)": used(schedules.CosineDecayRestarts(1.0, 25, t_mul=0.8)),
        "migrating | Keras `Cosine": used(schedules.CosineDecay(0.01, 80, warmup_target=0.3, warmup_steps=20)),
        "migrating | Keras `InverseTime": used(schedules.InverseTimeDecay(0.3, 50, 1.0)),
        "migrating | Keras `Piecewise": used(schedules.PiecewiseConstantDecay([30, 60], [0.3, 0.15, 0.09])),
    }


# --- fvcore ----------------------------------------------------------------------------------------------------------


def fvcore() -> Values:
    from fvcore.common import param_scheduler as of

    def used(schedule: Callable[[float], float]) -> list[float]:
        return [schedule(t / T) for t in range(T)]

    three = of.CompositeParamScheduler(
        [of.LinearParamScheduler(0.1, 1.0), of.ConstantParamScheduler(1.0), of.CosineParamScheduler(1.0, 0.1)],
        lengths=[0.2, 0.3, 0.5],
        interval_scaling=["rescaled", "fixed", "fixed"],
    )
    return {
        "MultiStepParamScheduler | any values": used(
            of.MultiStepParamScheduler([1.0, 0.3, 0.5, 0.1], num_updates=T, milestones=[30, 60, 80])
        ),
        "StepParamScheduler | equal pieces, any values": used(of.StepParamScheduler(T, [1.0, 0.3, 0.5, 0.1])),
        "CompositeParamScheduler | three, fixed interval": used(three),
    }


# --- pytorch-scheduler -----------------------------------------------------------------------------------------------


def pytorch_scheduler() -> Values:
    from pytorch_scheduler import scheduler as of

    lr, low, n = 0.3, 0.03, 20
    runs = {
        "CosineWithWarmupScheduler": {"total_steps": T, "warmup_steps": n, "min_lr": low},
        "RexScheduler": {"total_steps": T},
        "KDecayScheduler": {"total_steps": T, "k": 2},
        "TanhDecayScheduler": {"total_steps": T},
        "WSDScheduler": {"total_steps": T, "warmup_steps": n, "stable_steps": 25, "decay_type": "sqrt"},
        "InverseSqrtScheduler": {"warmup_steps": n},
        "LinearDecayScheduler": {"total_steps": T, "warmup_steps": n, "min_lr": low},
        "TrapezoidalScheduler": {"total_steps": T, "warmup_steps": n, "decay_steps": 25, "min_lr": low},
        "CosineAnnealingWarmupRestarts": {
            "first_cycle_steps": 25, "warmup_steps": 5, "max_lr": lr, "min_lr": low, "gamma": 0.9
        },
        "SlantedTriangularScheduler": {"total_steps": T},
        "FlatCosineScheduler": {"total_steps": T, "min_lr": low},
        "HyperbolicLRScheduler": {"total_steps": T, "upper_bound": 250, "min_lr": low, "warmup_steps": n},
        "ExpHyperbolicLRScheduler": {"total_steps": T, "upper_bound": 250, "min_lr": low, "warmup_steps": n},
        "PolynomialScheduler": {"total_steps": T, "power": 2, "min_lr": low, "warmup_steps": n},
        "ChebyshevScheduler": {"total_steps": T, "min_lr": low},
        "PowerDecayScheduler": {"total_steps": T, "warmup_steps": n, "alpha": 0.7, "min_lr": low},
        "WarmupHoldCosineScheduler": {"total_steps": T, "warmup_steps": n, "hold_steps": 25, "min_lr": low},
        "IdentityScheduler": {},
    }  # fmt: skip
    return {
        f"migrating | pytorch-scheduler `{name}": stepped(partial(getattr(of, name), **arguments), lr)
        for name, arguments in runs.items()
    }


LIBRARIES = {
    "timm": (timm, "timm"),
    "transformers": (transformers, "transformers"),
    "gradual-warmup": (gradual_warmup, "warmup-scheduler"),
    "ignite": (ignite, "pytorch-ignite"),
    "mmengine": (mmengine, "mmengine"),
    "optax": (optax, "optax"),
    "keras": (keras, "keras"),
    "fvcore": (fvcore, "fvcore"),
    "pytorch-scheduler": (pytorch_scheduler, "pytorch-scheduler"),
}


def write() -> None:
    """Run every library, and write what it has each step use, to twelve digits."""
    field = {}
    for library, (run, distribution) in LIBRARIES.items():
        cases = {case: [float(f"{lr:.12g}") for lr in used] for case, used in run().items()}
        field[library] = {"version": version(distribution), "cases": cases}
        print(f"{library} {version(distribution)}: {len(cases)} cases")
    # A case is a line.
    text = json.dumps(field, indent=1)
    WRITTEN.write_text(on_one_line(text) + "\n", encoding="utf-8")


def on_one_line(text: str) -> str:
    """JSON with each list of numbers on one line."""
    return re.sub(r"\[[^\[\]{}]*\]", lambda found: " ".join(found[0].split()), text)


def main() -> None:
    """Make the environment if it is not there, and write with it."""
    if Path(sys.prefix) == ENVIRONMENT:
        write()
        return
    ready, python = ENVIRONMENT / "ready", str(ENVIRONMENT / "bin" / "python")
    if not ready.exists():
        venv.create(ENVIRONMENT, clear=True, with_pip=True)
        pip = [python, "-m", "pip", "install", "-q", "--no-compile", "-c", str(HERE / "constraints.txt")]
        subprocess.run([*pip, "torch", *WITH_OTHERS.split()], check=True)
        subprocess.run([*pip, "--no-deps", *ALONE.split()], check=True)
        ready.touch()  # last: an interrupted installation is made anew
    subprocess.run([python, __file__], check=True)


if __name__ == "__main__":
    main()
