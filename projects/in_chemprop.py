"""chemprop: the Trainer is yours; an MPNN brings a warmup and a decay, from init_lr to max_lr to final_lr."""

from chemprop.data import MoleculeDatapoint, MoleculeDataset, build_dataloader
from chemprop.models import MPNN
from chemprop.nn import BondMessagePassing, MeanAggregation, RegressionFFN
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from lightning_warmup import LearningRateWarmup
from steps import compare, recorded

data = MoleculeDataset([MoleculeDatapoint.from_smi("C" * length + "O", y=[float(length)]) for length in range(1, 65)])
loader = build_dataloader(data, batch_size=8)


def fit(warmup, ckpt_path=None):
    model = MPNN(
        BondMessagePassing(d_h=16), MeanAggregation(), RegressionFFN(input_dim=16, hidden_dim=16), warmup_epochs=1
    )
    save = ModelCheckpoint(dirpath="chemprop", filename="{epoch}", save_top_k=-1)
    trainer = Trainer(max_epochs=2, callbacks=[warmup, save], enable_progress_bar=False)
    with recorded() as used:
        trainer.fit(model, loader, ckpt_path=ckpt_path, weights_only=False)
    return used


warmup = LearningRateWarmup(
    "10%", decay="cosine", warmup_initial_lr=1e-4, target_lr=1e-3, override_module_scheduler=True
)
ideal = warmup.values(1e-4, total_steps=16, steps_per_epoch=8)
assert max(ideal) == 1e-3
compare(fit(warmup), ideal, "overriding")
compare(fit(warmup, "chemprop/epoch=0.ckpt"), ideal[8:], "resumed")

# One epoch up to max_lr, one down to final_lr, which the warmup is a factor on.
before = LearningRateWarmup(12)
ramp = before.values(1, total_steps=16, steps_per_epoch=8)
noam = [1e-4 + t / 8 * 9e-4 if t < 8 else 1e-3 * 0.1 ** (t / 8 - 1) for t in range(16)]
compare(fit(before), [factor * lr for factor, lr in zip(ramp, noam, strict=True)], "composing")
