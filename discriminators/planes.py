"""Networks that score planes and volumes, of pixels (grey or coloured) or of categorical cells."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .architecture import Architecture
from .layers import Augmentation, CellAugmentation, Dropout, Network, Noise, normalise

SLOPE = 0.2  # of leaky rectifiers below 0, as in DCGAN (Radford et al. 2016)


class EmbeddedPlane(NamedTuple):
    """Contents as vectors.

    Attributes:
        values: float [B, C, *sides]: pixels from 0 to 1, or vectors of cells, of unit variance.
        conditions: int64 [B, K].
    """

    values: Tensor
    conditions: Tensor


CONVOLUTIONS: dict[int, Callable[..., nn.Module]] = {2: nn.Conv2d, 3: nn.Conv3d}
"""Convolutions by number of sides."""


class Trunk(nn.Sequential):
    """Convolutions; float [B, C, *sides] to features [B, F]."""

    def __init__(self, architecture: Architecture) -> None:
        a = architecture
        convolution = CONVOLUTIONS[len(a.plane)]
        layers: list[nn.Module] = []
        for layer in a.layers:
            layers += [
                convolution(layer.channels, layer.wider, layer.kernels, layer.strides, layer.padding),
                nn.LeakyReLU(SLOPE),
            ]
        super().__init__(*layers, nn.Flatten())
        self.features = layer.wider * math.prod(layer.sides)


class Projection(nn.Module):
    """Features f float [B, F] to logits ``w f + b + sum_k <e_k(c_k), f>`` [B]: a projection discriminator.

    Miyato & Koyama 2018, "cGANs with projection discriminator", equation 3. Where there are no conditions it is linear.
    """

    starts: Tensor

    def __init__(self, features: int, condition_sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.last = nn.Linear(features, 1)
        self.register_buffer("starts", torch.tensor([0, *condition_sizes]).cumsum(0)[:-1], persistent=False)
        if condition_sizes:
            self.styles = nn.Parameter(torch.randn(sum(condition_sizes), features) / math.sqrt(features))

    def forward(self, features: Tensor, conditions: Tensor) -> Tensor:
        """Returns logits float [B] of features float [B, F] under conditions int64 [B, K]."""
        logits: Tensor = self.last(features)[:, 0]
        if conditions.shape[1]:
            styles = F.embedding(conditions + self.starts, self.styles).sum(1)  # [B, F]
            logits = logits + (features * styles).sum(1)
        return logits


class PlaneNetwork(Network[EmbeddedPlane]):
    """The second half of a network of planes: features by a trunk, then a projection on the condition."""

    def __init__(self, architecture: Architecture, trunk: Dense | Trunk) -> None:
        super().__init__()
        a = architecture
        self.trunk = trunk
        self.input_dropout, self.dropout = Dropout(a.input_dropout), Dropout(a.dropout)
        self.projection = Projection(trunk.features, a.condition_sizes)
        if a.spectral_norm:
            normalise(trunk)

    def score(self, embedded: EmbeddedPlane) -> Tensor:
        """Returns logits float [B]: the projection of the features on the condition."""
        logits: Tensor = self.projection(self.dropout(self.trunk(embedded.values)), embedded.conditions)
        return logits


class PixelNetwork(PlaneNetwork):
    """Scores pictures, or frames of them, by convolutions over pixels, as in SN-GAN (Miyato et al. 2018)."""

    def __init__(self, architecture: Architecture) -> None:
        a = architecture
        super().__init__(a, Trunk(a))
        self.top, self.sides = a.sizes[0] - 1, len(a.plane)
        self.augmentation, self.noise = Augmentation(a.augmentation), Noise(a.noise)

    def embed(self, contents: Tensor, conditions: Tensor) -> EmbeddedPlane:
        """Scales pixels to 0 .. 1; in training, augments the pictures, hides some pixels and adds noise."""
        scale = 1 if contents.is_floating_point() else self.top
        pixels = contents.to(self.projection.last.weight.dtype) / scale
        values = pixels.movedim(-1, 1) if pixels.ndim == self.sides + 2 else pixels[:, None]
        values = self.augmentation(values)
        if self.training and self.input_dropout.keep < 1:
            values = values * self.input_dropout.mask((len(values), 1, *values.shape[2:]), values)
        return EmbeddedPlane(self.noise(values), conditions)


class CellNetwork(PlaneNetwork):
    """Scores the cells of a plane or volume, by a dense network where they are few, else by convolutions."""

    def __init__(self, architecture: Architecture) -> None:
        a = architecture
        # Drawn before the trunk: the order is part of what a seed means.
        table = torch.randn(a.sizes[0], a.embedding) / math.sqrt(2)
        places = torch.randn(*a.plane, a.embedding) / math.sqrt(2)
        super().__init__(a, Dense(a) if a.dense else Trunk(a))
        self.table, self.places = nn.Parameter(table), nn.Parameter(places)
        self.sides, self.augmentation = a.plane, CellAugmentation(a.augmentation)

    def embed(self, contents: Tensor, conditions: Tensor) -> EmbeddedPlane:
        """Sums a vector for a cell's value and one for its place; in training, augments, and hides some values."""
        contents, shown = self.augmentation(contents, self.sides)
        shares = contents.is_floating_point()
        cells = contents @ self.table if shares else F.embedding(contents.long(), self.table)  # [B, *sides, E]
        if shown is not None:
            cells = cells * shown[..., None]
        if self.training and self.input_dropout.keep < 1:
            cells = cells * self.input_dropout.mask((*cells.shape[:-1], 1), cells)
        values = F.layer_norm(cells + self.places, cells.shape[-1:])
        return EmbeddedPlane(values.movedim(-1, 1), conditions)


class Dense(nn.Module):
    """Residual layers over all cells at once; float [B, E, *sides] to features [B, F]."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a = architecture
        self.features = a.hidden
        self.widen = nn.Linear(math.prod(a.plane) * a.embedding, a.hidden)
        self.layers = nn.ModuleList(nn.Linear(a.hidden, a.hidden) for _ in range(a.convolutions))
        self.dropouts = nn.ModuleList(Dropout(a.dropout) for _ in range(a.convolutions))

    def forward(self, values: Tensor) -> Tensor:
        """Returns features float [B, F]."""
        x = F.leaky_relu(self.widen(values.flatten(1)), SLOPE)
        for dropout, layer in zip(self.dropouts, self.layers, strict=True):
            x = x + F.leaky_relu(layer(dropout(x)), SLOPE)
        return x
