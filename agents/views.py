"""Encoder of a policy's view: a canvas or picture in bytes to a vector, by a convolution."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PATCHES, CHANNELS = 4, 32
"""Patches along the longest side, and channels of each."""


class Patches(nn.Module):
    """A convolution whose stride is its kernel, and a rectifier, as one matrix product.

    Args:
        sides: of the input.
        channels: of the input.
        wider: channels of the output.
        limit: longest side of the output.
    """

    def __init__(self, sides: tuple[int, ...], channels: int, wider: int, limit: int) -> None:
        super().__init__()
        self.kernel = tuple(math.ceil(side / limit) for side in sides)
        self.sides = tuple(math.ceil(side / edge) for side, edge in zip(sides, self.kernel, strict=True))
        missing = [out * edge - side for out, edge, side in zip(self.sides, self.kernel, sides, strict=True)]
        self.padding = [0, 0, *(size for short in reversed(missing) for size in (short // 2, short - short // 2))]
        self.linear = nn.Linear(math.prod(self.kernel) * channels, wider)

    def forward(self, x: Tensor) -> Tensor:
        """Returns float [N, *smaller sides, wider channels] of float [N, *sides, channels]."""
        axes = len(self.sides)
        split = [size for pair in zip(self.sides, self.kernel, strict=True) for size in pair]
        padded = F.pad(x, self.padding) if any(self.padding) else x
        patches = padded.view(len(x), *split, x.shape[-1])
        order = (0, *range(1, 2 * axes, 2), *range(2, 2 * axes + 1, 2), 2 * axes + 1)
        return F.relu(self.linear(patches.permute(order).reshape(len(x), *self.sides, -1)))


class ViewEncoder(nn.Module):
    """Maps views uint8 [N, *sides, channels] to vectors float [N, width]; those of one side by a dense layer.

    Args:
        shape: of one view, channels last.
        width: of the vectors.
        hidden: units of the dense layer.

    Raises:
        ValueError: there are no channels, or more than three sides.
    """

    def __init__(self, shape: tuple[int, ...], width: int, hidden: int = 128) -> None:
        super().__init__()
        sides, channels = tuple(shape[:-1]), shape[-1] if shape else 0
        if not 1 <= len(sides) <= 3:
            raise ValueError(f"a view has one to three sides, and channels last, not shape {shape}")
        layers: list[nn.Module] = []
        if len(sides) > 1:
            layers.append(patches := Patches(sides, channels, CHANNELS, PATCHES))
            sides, channels = patches.sides, CHANNELS
        self.layers = nn.Sequential(
            *layers, nn.Flatten(), nn.Linear(channels * math.prod(sides), hidden), nn.ReLU(), nn.Linear(hidden, width)
        )

    def forward(self, views: Tensor) -> Tensor:
        """Returns vectors float [N, width] of views uint8 [N, *sides, channels]."""
        pixels: Tensor = self.layers(views.to(torch.float32) / 255)
        return pixels
