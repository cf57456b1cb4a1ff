"""The nets: a multilayer perceptron, convolutions with and without BatchNorm, Transformers with Pre-LN and Post-LN."""

import math
from itertools import pairwise

from torch import Tensor, nn

from evidence.data import CONTEXT


def mlp() -> nn.Module:
    """4 linear layers of width 128, ReLU, He's initialisation, no normalisation: 64 pixels to 10 digits."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise([64, 128, 128, 128, 10]):
        linear = nn.Linear(fan_in, fan_out)
        nn.init.normal_(linear.weight, 0, math.sqrt((1 if fan_out == 10 else 2) / fan_in))
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def cnn(*, norm: bool) -> nn.Module:
    """3 convolutions of 8, 16 and 32 channels, 14 × 14 pixels to 10 digits."""
    layers: list[nn.Module] = []
    for channels_in, channels in pairwise([1, 8, 16, 32]):
        convolution = nn.Conv2d(channels_in, channels, 3, padding=1)
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
        nn.init.zeros_(convolution.bias)
        layers += [convolution, nn.BatchNorm2d(channels) if norm else nn.Identity(), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(32, 10))


class ByteTransformer(nn.Module):
    """Says, after every byte, what the next one is.

    Args:
        norm_first: Pre-LN; else Post-LN, as in the first Transformer.
        layers: How many.
        width: Of what is known of a byte.
    """

    def __init__(self, *, norm_first: bool, layers: int = 6, width: int = 32) -> None:
        super().__init__()
        self.bytes, self.places = nn.Embedding(256, width), nn.Embedding(CONTEXT, width)
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, 0.0, "gelu", batch_first=True, norm_first=norm_first)
        norm = nn.LayerNorm(width) if norm_first else None
        self.layers = nn.TransformerEncoder(layer, layers, norm, enable_nested_tensor=False)
        self.head = nn.Linear(width, 256)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(CONTEXT), persistent=False)
        for weight in self.parameters():
            if weight.ndim == 2:
                nn.init.xavier_uniform_(weight)

    def forward(self, read: Tensor) -> Tensor:
        """For every byte read, how likely each one is to follow."""
        x = self.layers(self.bytes(read) + self.places.weight, mask=self.mask, is_causal=True)
        logits: Tensor = self.head(x)
        return logits


def net(name: str) -> nn.Module:
    """The net of this name, initialised from torch's random numbers."""
    match name:
        case "mlp":
            return mlp()
        case "cnn" | "cnn-bn":
            return cnn(norm=name == "cnn-bn")
        case "pre-ln" | "post-ln":
            return ByteTransformer(norm_first=name == "pre-ln")
        case "pre-ln-2":
            return ByteTransformer(norm_first=True, layers=2)
    raise ValueError(f"net={name!r}: expected 'mlp', 'cnn', 'cnn-bn', 'pre-ln', 'post-ln' or 'pre-ln-2'.")
