"""What only a GPU can show. Skipped without one; docs/guarantees.md says whether these have been run."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch

from lightning_warmup import LearningRateWarmup
from runs import Line, RecordingSGD, loader, trainer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def test_mixed_precision_with_real_skips() -> None:
    class Overflows(Line):
        def loss(self, batch: Any) -> torch.Tensor:
            # Beyond fp16 until the scale has come down.
            return super().loss(batch) * 30.0

    callback = LearningRateWarmup(6, "cosine")
    module = Overflows(lambda m: RecordingSGD(m.parameters(), lr=1e-4))
    ours = trainer(callback, accelerator="gpu", max_epochs=4, precision="16-mixed")
    ours.precision_plugin.scaler = torch.amp.GradScaler("cuda", init_scale=2.0**24)
    ours.fit(module, loader(10))
    assert 0 < len(module.used) < 40
    assert module.used == callback.values(1e-4, total_steps=40, steps_per_epoch=10)[: len(module.used)]


@pytest.mark.parametrize("settings", [{"capturable": True}, {"fused": True}, {"foreach": True, "capturable": True}])
def test_tensor_learning_rates_on_the_device(settings: dict[str, bool]) -> None:
    rate = torch.tensor(0.1, device="cuda")
    module = Line(lambda m: torch.optim.Adam(m.parameters(), lr=rate, **settings))
    seen: list[float] = []
    module.on_before_optimizer_step = lambda o: seen.append(o.param_groups[0]["lr"].item())  # type: ignore[method-assign]
    callback = LearningRateWarmup(5, "cosine")
    trainer(callback, accelerator="gpu", max_epochs=2).fit(module, loader(10))
    assert module.trainer.optimizers[0].param_groups[0]["lr"] is rate
    assert seen == pytest.approx(callback.values(0.1, total_steps=20, steps_per_epoch=10), rel=1e-6)


def test_fsdp_and_its_resume(tmp_path: Path) -> None:
    class Wide(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(2, 2)
            self.used: list[float] = []

        def configure_optimizers(self) -> Any:
            return torch.optim.AdamW(self.parameters(), lr=0.1)

        def on_before_optimizer_step(self, optimizer: Any) -> None:
            self.used.append(optimizer.param_groups[0]["lr"])

        def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
            return (self.layer(batch[0]) - 1).square().mean()

    class Save(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
            if trainer.global_step == 7:
                trainer.save_checkpoint(tmp_path / "7.ckpt")

    def fit(ckpt_path: Path | None) -> list[float]:
        module = Wide()
        callbacks = [LearningRateWarmup(5, "cosine"), Save()]
        ours = trainer(*callbacks, accelerator="gpu", strategy="fsdp", max_epochs=2)
        ours.fit(module, loader(10), ckpt_path=ckpt_path)
        return module.used

    whole = fit(None)
    assert whole == LearningRateWarmup(5, "cosine").values(0.1, total_steps=20, steps_per_epoch=10)
    assert fit(tmp_path / "7.ckpt") == whole[7:]
