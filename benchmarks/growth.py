"""What must not grow: previews, checkpoints, resuming, the import, and the search for the critical learning rate."""

import gc
import io
import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import lightning.pytorch as pl
import torch

from contenders import OURS, TOTAL, our_step, quiet_trainer, schedule, within_a_fit
from lightning_warmup import CriticalLearningRateResult, LearningRateWarmup, param_groups
from lightning_warmup.critical_lr_probe import LiveBatch, search
from timing import interleaved

LAZY = ("matplotlib", "plotext", "jsonargparse", "sklearn")
"""Not to be imported before they are used."""


def growth(groups: list[int]) -> dict[str, str]:
    """Everything, as a line of text each."""
    answers = {"`values()` of 1,000,000 steps, one group": f"{preview_seconds(1_000_000):.2f} s"}
    for n in groups:
        first, last = state_bytes(n, 0), state_bytes(n, TOTAL - 1)
        answers[f"state in a checkpoint, {n:,} groups"] = f"{first:,} bytes at step 1, {last:,} at step {TOTAL:,}"
    early, late = resume_milliseconds([1, TOTAL - 1])
    answers["taking a run up again, one group"] = f"{early:.2f} ms at step 1, {late:.2f} ms at step {TOTAL - 1:,}"
    milliseconds, modules = import_cost()
    answers["`import lightning_warmup` after `lightning.pytorch`"] = f"{milliseconds:.0f} ms"
    answers[f"of {', '.join(LAZY)} it imports"] = ", ".join(modules) or "none"
    return answers | critical_search()


def preview_seconds(steps: int) -> float:
    start = process_time()
    LearningRateWarmup(0.1, "cosine").values(0.1, total_steps=steps, steps_per_epoch=1000)
    return process_time() - start


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


def resume_milliseconds(steps: list[int]) -> list[float]:
    """From the checkpoint's state to the first value written, for a run saved after so many steps."""
    callback = schedule("decay")
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


def import_cost() -> tuple[float, list[str]]:
    """Milliseconds that this package adds to ``import lightning.pytorch``, and which lazy modules come with it."""
    code = (
        "import json, sys, lightning.pytorch; before = set(sys.modules); import lightning_warmup;"
        f"print(json.dumps([name for name in {LAZY} if name in sys.modules and name not in before]))"
    )
    costs = []
    for _ in range(5):
        run = subprocess.run(
            [sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True, check=True
        )
        # import time: self [us] | cumulative | imported package, indented by depth
        rows = [line.split("|") for line in run.stderr.splitlines() if line.startswith("import time:")]
        costs.append(next(int(row[1]) for row in rows if row[2].rstrip() == f" {OURS}") / 1e3)
    return min(costs), json.loads(run.stdout)


# --- the critical learning rate ------------------------------------------------------------------------------------


def critical_search() -> dict[str, str]:
    """What one search costs in the digits example; needs what that example needs."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))
    try:
        from digits import DigitClassifier, Digits
    except ImportError as error:
        return {"search for the critical learning rate": f"skipped: {error}"}
    pl.seed_everything(1, verbose=False)
    model = DigitClassifier()
    probe = Probe(model)
    quiet_trainer(probe, max_epochs=2, limit_val_batches=0).fit(model, Digits())
    result = probe.result
    assert result is not None
    seconds, epoch = median(probe.search_seconds), probe.epoch_seconds
    weights = sum(parameter.nbytes for parameter in model.parameters())
    momentum, batch = weights, sum(tensor.nbytes for tensor in next(iter(model.trainer.train_dataloader)))
    return {
        "search for the critical learning rate, digits": f"{result.forwards} forwards ({result.status}), "
        f"{1e3 * seconds:.0f} ms: {seconds / epoch:.0%} of an epoch of {probe.steps} steps",
        "memory that it holds, digits with SGD and momentum": f"{probe.extra_bytes / 1e3:.0f} kB; one copy of weights, "
        f"momentum and batch is {(weights + momentum + batch) / 1e3:.0f} kB",
    }


class Probe(pl.Callback):
    """Searches at step 1, the first with a momentum, and times that and an epoch without."""

    def __init__(self, model: pl.LightningModule) -> None:
        self.result: CriticalLearningRateResult | None = None
        self.search_seconds: list[float] = []
        self.epoch_seconds = 0.0
        self.steps = 0
        self.extra_bytes = 0
        self.live: LiveBatch | None = None
        self.watching = False
        self.before = 0
        model.backbone.register_forward_pre_hook(self.on_forward)  # type: ignore[union-attr]

    def on_forward(self, *_: Any) -> None:
        if self.watching:
            self.extra_bytes = max(self.extra_bytes, tensor_bytes() - self.before)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.began = process_time()
        self.steps = int(trainer.num_training_batches)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.epoch_seconds = process_time() - self.began

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self.live = LiveBatch.capture(trainer, batch, batch_idx) if trainer.global_step == 1 else None

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        if self.live is None:
            return
        rates = param_groups.read(optimizer.param_groups, "lr")
        self.before = tensor_bytes()
        # Searches change nothing, so there can be many. The first one's forwards are watched, which takes time.
        for self.watching in (True, False, False, False, False, False):
            start = process_time()
            # As with warmup_initial_lr="critical" after a warmup of 50 steps: from target / N, up to the target.
            self.result = search(trainer, pl_module, optimizer, self.live, rates, start=1 / 50, stop=1.0)
            self.search_seconds.append(process_time() - start)
        del self.search_seconds[0]


def tensor_bytes() -> int:
    """Of all tensors that Python knows, gradients included; one storage counts once."""
    gc.collect()
    tensors = [value for value in gc.get_objects() if isinstance(value, torch.Tensor)]
    tensors += [tensor.grad for tensor in tensors if tensor.is_leaf and tensor.grad is not None]
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
    return sum(storages.values())
