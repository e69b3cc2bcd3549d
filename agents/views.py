"""The encoder of views, such as a canvas or picture, by convolutions."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

COARSE, FINE = 8, 4
"""Longest side after the first convolution, and after the second."""
CHANNELS = (16, 32)
CONVOLUTIONS: dict[int, Callable[..., nn.Module]] = {2: nn.Conv2d, 3: nn.Conv3d}
"""Convolutions by number of sides."""


class ViewEncoder(nn.Module):
    """Maps views uint8 [N, *sides, channels] to vectors float [N, width]; views with one side by dense layers alone.

    Args:
        shape: of one view, channels last.
        width: of the vectors.
        hidden: units of the dense layer.

    Raises:
        ValueError: there are no channels, or more than three sides.
    """

    def __init__(self, shape: tuple[int, ...], width: int, hidden: int = 128) -> None:
        super().__init__()
        *sides, channels = shape
        if not 1 <= len(sides) <= 3:
            raise ValueError(f"a view has one to three sides, and channels last, not shape {shape}")
        layers: list[nn.Module] = []
        if len(sides) > 1:
            convolution = CONVOLUTIONS[len(sides)]
            for limit, wider in zip((COARSE, FINE), CHANNELS, strict=True):
                # Patches that do not overlap: the cheapest choice, fine enough for a policy that moves a brush.
                strides = tuple(math.ceil(side / limit) for side in sides)
                padding = tuple((-side % stride + 1) // 2 for side, stride in zip(sides, strides, strict=True))
                layers += [convolution(channels, wider, strides, strides, padding), nn.ReLU()]
                sides = [
                    (side + 2 * pad - stride) // stride + 1
                    for side, pad, stride in zip(sides, padding, strides, strict=True)
                ]
                channels = wider
        self.layers = nn.Sequential(
            *layers, nn.Flatten(), nn.Linear(channels * math.prod(sides), hidden), nn.ReLU(), nn.Linear(hidden, width)
        )

    def forward(self, views: Tensor) -> Tensor:
        """Returns vectors float [N, width] of views uint8 [N, *sides, channels]."""
        pixels: Tensor = self.layers(views.movedim(-1, 1).to(torch.float32) / 255)
        return pixels
