"""Encoder, codebook and decoder of a content generator.

An encoder maps a picture to a small grid of vectors; each is replaced by the nearest entry of a codebook, whose index
is a decision; a decoder maps the grid and noise to a picture. See van den Oord et al. 2017, "Neural discrete
representation learning" (the codebook and its moving averages), and Esser et al. 2021, "Taming transformers for
high-resolution image synthesis" (a GAN loss beside reconstruction, and a policy over codes).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .architecture import GeneratorArchitecture

DECAY = 0.98
"""Share of the moving averages that an update of the codebook keeps."""
DEAD = 0.5
"""Vectors of a batch, as a moving average, under which a code is dead, and revived as one of the batch."""
GROUPS = 8


class Quantised(NamedTuple):
    """Vectors as entries of a codebook.

    Attributes:
        vectors: float [N, width, n, n]: the entries; gradients pass straight to what was quantised.
        plan: int64 [N, n, n], indices of the entries.
        commitment: mean squared distance of what was quantised from its entries.
    """

    vectors: Tensor
    plan: Tensor
    commitment: Tensor


def block(inward: int, outward: int, stride: int = 1) -> nn.Sequential:
    """Returns a convolution of 3 x 3, normalised by groups of channels."""
    return nn.Sequential(nn.Conv2d(inward, outward, 3, stride, 1), nn.GroupNorm(GROUPS, outward), nn.SiLU())


class Codebook(nn.Module):
    """K vectors of length 1, moving averages of the vectors that they stand for.

    Args:
        codes: K.
        width: of a vector.
    """

    def __init__(self, codes: int, width: int) -> None:
        super().__init__()
        self.codes: Tensor
        self.count: Tensor
        self.total: Tensor
        self.register_buffer("codes", F.normalize(torch.randn(codes, width), dim=1))
        self.register_buffer("count", torch.ones(codes))
        self.register_buffer("total", self.codes.clone())

    def embed(self, plans: Tensor) -> Tensor:
        """Returns the entries of plans int64 [N, n, n], float [N, width, n, n]."""
        return self.codes[plans].permute(0, 3, 1, 2)

    def forward(self, vectors: Tensor) -> Quantised:
        """Quantises vectors float [N, width, n, n]."""
        vectors = F.normalize(vectors, dim=1)
        flat = vectors.detach().permute(0, 2, 3, 1)  # [N, n, n, width]
        plan = (flat @ self.codes.t()).argmax(-1)
        entries = self.embed(plan)
        return Quantised(vectors + (entries - vectors).detach(), plan, F.mse_loss(vectors, entries))

    @torch.no_grad()
    def learn(self, vectors: Tensor, plan: Tensor, generator: torch.Generator) -> None:
        """Moves the entries towards the vectors [N, width, n, n] that they stood for, and revives dead ones."""
        flat = F.normalize(vectors.detach(), dim=1).permute(0, 2, 3, 1).reshape(-1, vectors.shape[1])
        indices = plan.reshape(-1)
        self.count.mul_(DECAY).index_add_(0, indices, flat.new_full((len(flat),), 1 - DECAY))
        self.total.mul_(DECAY).index_add_(0, indices, (1 - DECAY) * flat)
        dead = self.count < DEAD
        number = int(dead.sum())
        if number:
            drawn = torch.randint(len(flat), (number,), generator=generator, device=generator.device)
            self.total[dead] = flat[drawn.to(flat.device)]
            self.count[dead] = 1.0
        self.codes.copy_(F.normalize(self.total / self.count[:, None], dim=1))


class GeneratorNetwork(nn.Module):
    """Encoder E, codebook and decoder G.

    Args:
        architecture: the sizes.
    """

    def __init__(self, architecture: GeneratorArchitecture) -> None:
        super().__init__()
        a = architecture
        self.architecture = a
        hidden, self._base = a.hidden, a.side // 4
        first = max(GROUPS, hidden * 3 // 8 // GROUPS * GROUPS)
        self.encoder = nn.Sequential(
            nn.Conv2d(a.channels, first, 4, 2, 1),
            nn.SiLU(),
            nn.Conv2d(first, hidden, 4, 2, 1),
            nn.SiLU(),
            block(hidden, hidden, 2),
            nn.Conv2d(hidden, a.width, 1),
        )
        self.codebook = Codebook(a.codes, a.width)
        self.enter = block(a.width + a.noise, hidden)
        half = max(GROUPS, hidden // 2 // GROUPS * GROUPS)
        self.decoder = nn.Sequential(
            block(hidden, hidden),
            nn.Conv2d(hidden, 4 * half, 3, 1, 1),
            nn.PixelShuffle(2),
            nn.GroupNorm(GROUPS, half),
            nn.SiLU(),
            *self._last(half),
        )

    def _last(self, half: int) -> list[nn.Module]:
        """Returns the layers from half the side of a picture to all of it."""
        a = self.architecture
        if not a.fine:
            return [nn.Conv2d(half, 4 * a.channels, 3, 1, 1), nn.PixelShuffle(2)]
        fine = [nn.Conv2d(half, 4 * a.fine, 3, 1, 1), nn.PixelShuffle(2), nn.GroupNorm(1, a.fine), nn.SiLU()]
        return [*fine, nn.Conv2d(a.fine, a.channels, 3, 1, 1)]

    def encode(self, pictures: Tensor) -> Tensor:
        """Returns the vectors of pictures float [N, side, side(, channels)] from 0 to 1, float [N, width, n, n]."""
        vectors: Tensor = self.encoder(self._channels_first(pictures))
        return vectors

    def decode(self, vectors: Tensor, noise: Tensor) -> Tensor:
        """Returns pictures float [N, *shape] from 0 to 1.

        Args:
            vectors: float [N, width, n, n], entries of the codebook.
            noise: float [N, noise_size], standard normal.
        """
        n = self.architecture.grid
        grid = self.enter(torch.cat([vectors, noise.reshape(len(noise), -1, n, n)], 1))
        grown = F.interpolate(grid, size=self._base, mode="bilinear", align_corners=False)
        made = torch.sigmoid(self.decoder(grown))
        return made[:, 0] if len(self.architecture.shape) == 2 else made.permute(0, 2, 3, 1)

    def _channels_first(self, pictures: Tensor) -> Tensor:
        return pictures[:, None] if pictures.dim() == 3 else pictures.permute(0, 3, 1, 2)
