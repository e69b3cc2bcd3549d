"""The interface of networks that score contents, and the layers that they share."""

from __future__ import annotations

import abc
from typing import Generic, Protocol, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

GAIN = 0.3
"""Share by which pixels are brighter or darker at full ``Augmentation``."""


HIDDEN = 0.4
"""Share of single cells that ``CellAugmentation`` hides at full strength."""


class Embedded(Protocol):
    """Contents as vectors, between the halves of a network."""

    @property
    def values(self) -> Tensor:
        """The point at which gradients are penalised; every entry belongs to one content."""


E = TypeVar("E", bound=Embedded)


class Network(nn.Module, abc.ABC, Generic[E]):
    """Maps contents to logits in two halves, so that gradients can be penalised in between.

    The logit of a content never depends on its neighbours in the batch.
    """

    @abc.abstractmethod
    def embed(self, contents: Tensor, conditions: Tensor) -> E:
        """Turns contents and conditions int64 [B, K] into vectors of a fixed scale.

        Contents are integers, [B, L, C] for sequences and [B, *shape] for others; or floats, through which gradients
        flow to a generator: pixels from 0 to 1, shares of each value of a cell [B, *shape, size], or shares of each
        value of the columns of a sequence, side by side [B, L, sum of sizes].
        """

    @abc.abstractmethod
    def score(self, embedded: E) -> Tensor:
        """Returns logits float [B], high for real."""

    def forward(self, contents: Tensor, conditions: Tensor) -> Tensor:
        """Returns logits float [B] of contents under conditions, as ``embed`` takes them."""
        return self.score(self.embed(contents, conditions))


class Random(nn.Module):
    """A layer that draws from ``generator``, never from torch's global one."""

    generator: torch.Generator | None = None


class Dropout(Random):
    """Dropout (Srivastava et al. 2014)."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.keep = 1 - rate

    def mask(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Returns 1 / keep with probability keep, else 0."""
        return like.new_empty(shape).bernoulli_(self.keep, generator=self.generator).div_(self.keep)

    def forward(self, x: Tensor) -> Tensor:
        """Drops units of float [B, W]; of float [B, L, W] the same ones in all rows of a content.

        One mask for a whole content is the dropout for sequences of Gal & Ghahramani 2016, and saves most of the
        random draws.
        """
        if not self.training or self.keep == 1:
            return x
        return x * self.mask((len(x), *(1 for _ in x.shape[1:-1]), x.shape[-1]), x)


class Augmentation(Random):
    """Blurs pictures, shifts them by a part of a pixel and changes their brightness, in training only.

    Real pictures and fakes are changed alike, each at random, all frames of a content in the same way (differentiable
    augmentation, Zhao et al. 2020). Sharpness, alignment and full ink then tell D nothing, and it must look at forms.

    Args:
        strength: 0 to 1; at 1 a picture is blurred by up to a binomial kernel of 3 x 3, shifted by up to one pixel each
            way, and its pixels are multiplied by 1 - GAIN to 1 + GAIN.
    """

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = strength

    def forward(self, x: Tensor) -> Tensor:
        """Changes pictures float [B, C, ..., H, W] of 0 to 1."""
        if not self.training or not self.strength:
            return x
        if x.ndim > 4:
            changed: Tensor = self(x.flatten(1, -3))
            return changed.view(x.shape)
        drawn = x.new_empty(4, len(x), 1, 1, 1).uniform_(generator=self.generator) * self.strength
        x = torch.lerp(x, _along(_along(x, 2, 0.25, 0.25), 3, 0.25, 0.25), drawn[0])
        moved = 2 * drawn[1:] - self.strength
        for dim, shift in ((2, moved[0]), (3, moved[1])):
            x = _along(x, dim, shift.clamp_min(0), (-shift).clamp_min(0))
        return (x * (1 + GAIN * moved[2])).clamp(0, 1)


class CellAugmentation(Random):
    """Shifts cells and hides a box of them, in training only: translation and cutout of Zhao et al. 2020, section 3.2.

    Real contents and fakes are changed alike, each at random. D then cannot know the few real works by heart.

    Args:
        largest: 0 to 1; at 1 a content is shifted by up to an eighth of each side, and a box of half of each side,
            anywhere, is hidden, and ``HIDDEN`` of all cells, each by itself.

    Attributes:
        share: of the largest strength, 0 to 1.
    """

    def __init__(self, largest: float) -> None:
        super().__init__()
        self.largest, self.share = largest, 1.0

    @property
    def strength(self) -> float:
        """Strength, 0 to 1."""
        return self.largest * self.share

    def forward(self, cells: Tensor, sides: tuple[int, ...]) -> tuple[Tensor, Tensor | None]:
        """Returns shifted cells [B, *sides, ...], and which of them are shown, bool [B, *sides]; None for all.

        Cells that a shift moves in from beyond the edge are hidden.
        """
        if not self.training or not self.strength:
            return cells, None
        B, axes = len(cells), len(sides)
        drawn = torch.empty(2, axes, B, device=cells.device).uniform_(generator=self.generator)
        shown, hidden = cells.new_ones((), dtype=torch.bool), cells.new_ones((), dtype=torch.bool)
        rows = [torch.arange(B, device=cells.device).view(B, *axes * [1])]
        for axis, side in enumerate(sides):
            shape = B, *(side if axis == other else 1 for other in range(axes))
            places = torch.arange(side, device=cells.device)
            shift = torch.round((2 * drawn[0, axis] - 1) * self.strength * side / 8).long()[:, None]
            source = places - shift  # [B, side]
            shown = shown & ((source >= 0) & (source < side)).view(shape)
            rows.append(source.clamp(0, side - 1).view(shape))
            middle = drawn[1, axis][:, None] * side
            hidden = hidden & ((places + 0.5 - middle).abs() < self.strength * side / 4).view(shape)
        kept = torch.empty(cells.shape[: 1 + axes], device=cells.device).uniform_(generator=self.generator)
        return cells[tuple(rows)], shown & ~hidden & (kept >= HIDDEN * self.strength)


def _along(x: Tensor, dim: int, before: Tensor | float, after: Tensor | float) -> Tensor:
    """Mixes pixels with shares of their neighbours before and after along a dimension; the border is 0."""
    n = x.shape[dim]
    pad = [0, 0, 0, 0]
    pad[2 * (3 - dim)] = pad[2 * (3 - dim) + 1] = 1
    wide = F.pad(x, pad)
    return (1 - before - after) * x + before * wide.narrow(dim, 0, n) + after * wide.narrow(dim, 2, n)


class Noise(Random):
    """Adds Gaussian noise in training only: instance noise (Sonderby et al. 2017, section 3.2).

    It blurs both populations alike, so that D cannot tell them apart by single values that one of them never has.
    """

    def __init__(self, deviation: float) -> None:
        super().__init__()
        self.deviation = deviation

    def forward(self, x: Tensor) -> Tensor:
        """Adds noise to every entry."""
        if not self.training or not self.deviation:
            return x
        return x + x.new_empty(x.shape).normal_(0, self.deviation, generator=self.generator)


def normalise(network: nn.Module) -> None:
    """Applies spectral normalisation (Miyato et al. 2018) to all linear and convolutional layers."""
    for module in list(network.modules()):
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
            spectral_norm(module)
