"""Several processes, on one machine or on many: the same learning rate in all of them.

Two processes on this machine:

    python examples/ddp.py

Two machines, the same command on both but for --node-rank, which is 0 on the first and 1 on the second:

    torchrun --nnodes=2 --node-rank=0 --nproc-per-node=4 --master-addr=ADDRESS_OF_THE_FIRST --master-port=29500 \
        examples/ddp.py --num_nodes=2 --devices=4
"""

import warnings
from pathlib import Path

import torch
from jsonargparse import auto_cli
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import LearningRateMonitor
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.strategies import DDPStrategy

from digits import DigitClassifier, Digits
from lightning_warmup import LearningRateWarmup, LinearScaling
from plot_run import plot_run


def main(num_nodes: int = 1, devices: int = 2, batch_size: int = 32, max_epochs: int = 10) -> None:
    """Train, and draw the run.

    Args:
        num_nodes: Machines.
        devices: Processes on each of them, on its CPU.
        batch_size: Images in a batch of one process.
        max_epochs: Of the training images once, over all processes.
    """
    # The last: torch's and Lightning's about one another.
    warnings.filterwarnings("ignore", ".*does not have many workers|.*LeafSpec|.*torch.distributed")
    torch.set_num_threads(1)
    seed_everything(1, verbose=False)
    # The optimizer's learning rate is for 32 images in a step. With k times as many, over all processes, the target is
    # k times as high, and the warmup goes there from it. More processes take fewer steps: epochs and shares follow.
    schedule = LearningRateWarmup("2 epochs", "cosine", target_lr=LinearScaling(32))
    trainer = Trainer(
        accelerator="cpu",
        strategy=DDPStrategy(process_group_backend="gloo"),
        num_nodes=num_nodes,
        devices=devices,
        max_epochs=max_epochs,
        log_every_n_steps=1,
        logger=CSVLogger("runs", name="ddp"),
        callbacks=[schedule, LearningRateMonitor("step")],
    )
    trainer.fit(DigitClassifier(), Digits(batch_size))
    folder = Path(str(trainer.log_dir))  # which all processes must ask for, or none
    if trainer.is_global_zero:
        title = f"{trainer.world_size} processes on {num_nodes} machine(s)\n{schedule!r}"
        print(f"picture: {plot_run(folder, title)}")


if __name__ == "__main__":
    auto_cli(main)
