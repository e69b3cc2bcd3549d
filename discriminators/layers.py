"""What the networks of all kinds of contents have in common."""

from __future__ import annotations

import abc
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn


class Embedded(Protocol):
    """Contents as vectors, between the halves of a network."""

    @property
    def values(self) -> Tensor:
        """What gradients are penalised at; every entry belongs to one content."""


E = TypeVar("E", bound=Embedded)


class Network(nn.Module, abc.ABC, Generic[E]):
    """Contents to logits in two halves, so that gradients can be penalised in between.

    The logit of a content never depends on its neighbours in the batch.
    """

    @abc.abstractmethod
    def embed(self, contents: Tensor, conditions: Tensor) -> E:
        """Turns contents and conditions int64 [B, K] into vectors of a fixed scale.

        Contents are int64 [B, L, C] for sequences, of the architecture's shape [B, H, W, ...] otherwise.
        """

    @abc.abstractmethod
    def score(self, embedded: E) -> Tensor:
        """Returns logits float [B], high for real."""

    def forward(self, contents: Tensor, conditions: Tensor) -> Tensor:
        """Returns logits float [B] of contents under conditions, as ``embed`` takes them."""
        return self.score(self.embed(contents, conditions))


class Random(nn.Module):
    """A layer that draws from a generator of its own, never from torch's global one."""

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

        One mask for a whole content is the dropout for sequences of Gal & Ghahramani 2016, and spares
        most of the drawing.
        """
        if not self.training or self.keep == 1:
            return x
        return x * self.mask((len(x), *(1 for _ in x.shape[1:-1]), x.shape[-1]), x)


class Noise(Random):
    """Gaussian noise on what is shown, in training only: instance noise (Sonderby et al. 2017, section 3.2).

    It blurs both populations alike, so that D cannot tell them by single values that one of them never takes.
    """

    def __init__(self, deviation: float) -> None:
        super().__init__()
        self.deviation = deviation

    def forward(self, x: Tensor) -> Tensor:
        """Adds noise to every entry."""
        if not self.training or not self.deviation:
            return x
        return x + x.new_empty(x.shape).normal_(0, self.deviation, generator=self.generator)
