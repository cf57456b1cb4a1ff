"""What must not grow: previews, checkpoints, resuming, the import, and the search for the critical learning rate."""

import gc
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import lightning.pytorch as pl
import torch
from torch.optim.lr_scheduler import ExponentialLR

from contenders import OURS, TOTAL, our_step, quiet_trainer, schedule, within_a_fit
from lightning_warmup import (
    CosineRestartsDecay,
    CriticalLearningRateResult,
    LearningRateWarmup,
    MultiStepDecay,
    RAdamWarmup,
    TorchDecay,
)
from lightning_warmup.critical.trial_loss import LiveBatch, search
from lightning_warmup.training import param_groups
from lightning_warmup.training.last_moment import at_the_last_moment
from timing import interleaved

LAZY = ("matplotlib", "plotext", "jsonargparse", "sklearn")
"""Not to be imported before they are used."""


@dataclass(frozen=True)
class Figure:
    """What was found, for people and for programs."""

    text: str
    numbers: dict[str, float]


def growth(groups: list[int], long: int, imports: int) -> dict[str, Figure]:
    """Everything, by what it is.

    Args:
        groups: Numbers of param groups whose state is measured.
        long: Steps of a long run: of one that is previewed; a tenth of it, of one with a TorchDecay that is resumed.
        imports: How often Python is started for the cost of an import, after a first time that does not count.
    """
    found = {}
    for name, seconds in preview_seconds(long).items():
        found[f"`values()` of {long:,} steps, one group: {name}"] = Figure(f"{seconds:.2f} s", {"seconds": seconds})
    for n in groups:
        first, last = state_bytes(n, 0), state_bytes(n, TOTAL - 1)
        found[f"state in a checkpoint, {n:,} group{'s' * (n > 1)}"] = Figure(
            f"{first:,} bytes at step 1, {last:,} at step {TOTAL:,}", {"bytes_first": first, "bytes_last": last}
        )
    for name, decay, step in (("cosine", "cosine", long - 1), ("a TorchDecay", by_torch(), max(long // 10, 2))):
        early, late = resume_milliseconds(decay, [1, step], long)
        found[f"taking a run up again, {name}"] = Figure(
            f"{early:.2f} ms at step 1, {late:.2f} ms at step {step:,}", {"ms_first": early, "ms_last": late}
        )
    with TemporaryDirectory() as folder:
        milliseconds, modules = import_cost(folder, imports)
    compiling, _ = import_cost(None, imports)
    found["`from lightning_warmup import LearningRateWarmup` after `lightning.pytorch`"] = Figure(
        f"{milliseconds:.0f} ms, or {compiling:.0f} ms where Python may not keep its bytecode",
        {"ms": milliseconds, "ms_compiling": compiling},
    )
    found[f"of {', '.join(LAZY)} it imports"] = Figure(", ".join(modules) or "none", {"modules": len(modules)})
    return found | critical_search()


def by_torch() -> TorchDecay:
    return TorchDecay(partial(ExponentialLR, gamma=0.999_999))


def preview_seconds(steps: int) -> dict[str, float]:
    """Of the processor, for shapes that have more or less to compute."""
    callbacks = {
        "cosine": LearningRateWarmup(0.1, "cosine"),
        "eight milestones": LearningRateWarmup(0.1, MultiStepDecay([f"{10 * i + 15}%" for i in range(8)])),
        "cosine restarts, each twice as long": LearningRateWarmup(0.1, CosineRestartsDecay(1000, 2)),
        "RAdam's warmup, cosine": LearningRateWarmup(RAdamWarmup(), "cosine"),
        "a TorchDecay": LearningRateWarmup(0.1, by_torch()),
    }
    seconds = {}
    for name, callback in callbacks.items():
        start = process_time()
        callback.values(0.1, total_steps=steps, steps_per_epoch=1000, betas=(0.9, 0.999))
        seconds[name] = process_time() - start
    return seconds


def state_bytes(groups: int, steps: int) -> int:
    """The callback's part of a checkpoint as torch saves it, less what torch needs to save an empty dict."""
    callback = schedule("decay")
    sizes: list[int] = []

    def measure(trainer: pl.Trainer, module: pl.LightningModule) -> None:
        our_step(callback, trainer, module)()
        state = callback.state_dict()
        state["optimizers"][0]["steps"] += steps
        contents: list[dict[str, Any]] = [state, {}]
        for content in contents:
            file = io.BytesIO()
            torch.save(content, file)
            sizes.append(file.tell())

    within_a_fit(callback, groups, "float", measure)
    with_state, without = sizes
    return with_state - without


def resume_milliseconds(decay: Any, steps: list[int], total: int) -> list[float]:
    """From the checkpoint's state to the first value written, for a run saved after so many steps."""
    callback = LearningRateWarmup(1, decay, total=total)
    found: list[float] = []

    def measure(trainer: pl.Trainer, module: pl.LightningModule) -> None:
        state = callback.state_dict()

        def resume_at(step: int) -> None:
            state["optimizers"][0]["steps"] = step
            callback.setup(trainer, module, "fit")
            callback.on_fit_start(trainer, module)
            callback.on_load_checkpoint(trainer, module, {"global_step": step})
            callback.load_state_dict(state)
            callback.on_train_start(trainer, module)

        resumes = {str(step): lambda step=step: resume_at(step) for step in steps}
        found.extend(time.median / 1e3 for time in interleaved(resumes, rounds=15).values())

    within_a_fit(callback, 1, "float", measure)
    return found


def import_cost(folder: str | None, imports: int) -> tuple[float, list[str]]:
    """Milliseconds that this package adds to ``import lightning.pytorch``, and which lazy modules come with it.

    Args:
        folder: Where Python keeps the bytecode of what it has imported once; None to compile every time.
        imports: How often, after a first time that does not count.
    """
    code = (
        "import json, sys, lightning.pytorch; before = set(sys.modules);"
        "from lightning_warmup import LearningRateWarmup;"
        f"print(json.dumps([name for name in {LAZY} if name in sys.modules and name not in before]))"
    )
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "" if folder else "1", "PYTHONPYCACHEPREFIX": folder or ""}
    costs = []
    for _ in range(1 + imports):
        command = [sys.executable, "-X", "importtime", "-c", code]
        run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        # import time: self [us] | cumulative | imported package, indented by depth
        rows = [line.split("|") for line in run.stderr.splitlines() if line.startswith("import time:")]
        costs.append(sum(int(row[1]) for row in rows if row[2].startswith(f" {OURS}")) / 1e3)
    return median(costs[1:]), json.loads(run.stdout)


# --- the critical learning rate ------------------------------------------------------------------------------------


def critical_search() -> dict[str, Figure]:
    """What one search costs in the digits example; needs what that example needs."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))
    try:
        from digits import DigitClassifier, Digits
    except ImportError as error:
        return {"search for the critical learning rate": Figure(f"skipped: {error}", {})}
    pl.seed_everything(1, verbose=False)
    model = DigitClassifier()
    probe = Probe(model)
    quiet_trainer(probe, max_epochs=2, limit_val_batches=0).fit(model, Digits())
    result = probe.result
    assert result is not None
    seconds, epoch = median(probe.search_seconds), probe.epoch_seconds
    weights = sum(parameter.nbytes for parameter in model.parameters())
    momentum, batch = weights, sum(tensor.nbytes for tensor in next(iter(model.trainer.train_dataloader)))
    share, copy = seconds / epoch, weights + momentum + batch
    return {
        "search for the critical learning rate, digits": Figure(
            f"{result.forwards} forwards ({result.status}), {1e3 * seconds:.0f} ms: {share:.0%} of an epoch of"
            f" {probe.steps} steps, as much as {share * probe.steps:.1f} of them",
            {"forwards": result.forwards, "ms": 1e3 * seconds, "share_of_epoch": share, "steps": probe.steps},
        ),
        "memory that it holds, digits with SGD and momentum": Figure(
            f"{probe.held / 1e3:.0f} kB, and {probe.peak / 1e3:.0f} kB while the gradients are copied for a step;"
            f" one copy of weights, momentum and batch is {copy / 1e3:.0f} kB, of the gradients {weights / 1e3:.0f} kB",
            {"bytes_held": probe.held, "bytes_peak": probe.peak, "bytes_copy": copy, "bytes_gradients": weights},
        ),
    }


class Probe(pl.Callback):
    """Searches at step 1, the first with a momentum, and times that and an epoch without."""

    def __init__(self, model: pl.LightningModule) -> None:
        self.result: CriticalLearningRateResult | None = None
        self.search_seconds: list[float] = []
        self.epoch_seconds = 0.0
        self.steps = 0
        self.held = self.peak = 0
        self.live: LiveBatch | None = None
        self.watching = False
        self.before = 0
        model.backbone.register_forward_pre_hook(self.on_forward)  # type: ignore[union-attr]

    def on_forward(self, *_: Any) -> None:
        if self.watching:
            self.held = max(self.held, tensor_bytes() - self.before)

    def on_step(self, *_: Any) -> None:
        if self.watching:
            self.peak = max(self.peak, tensor_bytes() - self.before)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.began = process_time()
        self.steps = int(trainer.num_training_batches)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.epoch_seconds = process_time() - self.began

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self.live = LiveBatch(trainer) if trainer.global_step == 1 else None

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        if self.live is not None:
            at_the_last_moment(pl_module, partial(self.measure, trainer, pl_module, optimizer, self.live))

    def measure(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer, live: LiveBatch
    ) -> None:
        rates = param_groups.read(optimizer.param_groups, "lr")
        optimizer.register_step_pre_hook(self.on_step)
        self.before = tensor_bytes()
        # Searches change nothing, so there can be many. The first one's forwards are watched, which takes time.
        for self.watching in (True, False, False, False, False, False):
            start = process_time()
            # As with warmup_initial_lr="critical" after a warmup of 50 steps: from target / N, up to the target.
            self.result = search(trainer, pl_module, optimizer, live, rates, start=1 / 50, stop=1.0)
            self.search_seconds.append(process_time() - start)
        del self.search_seconds[0]


def tensor_bytes() -> int:
    """Of all tensors that Python knows, gradients included; one storage counts once."""
    gc.collect()
    tensors = [value for value in gc.get_objects() if isinstance(value, torch.Tensor)]
    tensors += [tensor.grad for tensor in tensors if tensor.is_leaf and tensor.grad is not None]
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
    return sum(storages.values())
