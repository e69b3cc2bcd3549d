"""Networks that score contents, one per kind of medium; contents in, one logit each out.

A network works in two halves, so that gradients can be penalised in between: ``embed`` turns integer
contents into normalised vectors, ``score`` turns those into logits. The logit of a content never
depends on its neighbours in the batch: there is no batch normalisation, and no padding is read.
"""

from __future__ import annotations

import abc
import dataclasses
import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.rnn import PackedSequence

MAX_WEIGHTS = 20_000_000
NEVER = -1e9
"""Stands for minus infinity, whose products with 0 are no numbers."""


@dataclasses.dataclass(frozen=True)
class Architecture:
    """What a network is built from: plain data, checked, so that it can be read from untrusted files."""

    kind: str
    """The medium's kind: a key of ``NETWORKS``."""
    shape: tuple[int, ...]
    """Shape of one content: (L, C) or (L,) for sequences."""
    sizes: tuple[int, ...]
    """Number of values of each column of a content."""
    condition_sizes: tuple[int, ...] = ()
    conditions_in_header: bool = False
    """Whether the first row of a content begins with its condition."""
    hidden: int = 96
    """Units of the recurrent network in each direction, and of the layers after it."""
    embedding: int = 64
    attention_layers: int = 1
    heads: int = 4
    dropout: float = 0.1
    """Share of the units dropped before every layer but the first."""
    input_dropout: float = 0.0
    """Share of a content's entries that are hidden from the network in training."""
    spectral_norm: bool = False
    """Bounds the largest singular value of linear layers by 1 (Miyato et al. 2018); recurrent ones are left alone."""

    def __post_init__(self) -> None:
        for name in ("shape", "sizes", "condition_sizes"):
            values = getattr(self, name)
            if not all(type(value) is int and 0 < value <= 1_000_000 for value in values):
                raise ValueError(f"{name} must be positive integers up to 1,000,000, got {values}")
        limits = {"hidden": (1, 1024), "embedding": (1, 1024), "attention_layers": (0, 16), "heads": (1, 64)}
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise ValueError(f"{name} must be an integer from {low} to {high}, got {value!r}")
        for name in ("dropout", "input_dropout"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not 0 <= value < 1:
                raise ValueError(f"{name} must be a number from 0 up to 1, got {value!r}")
        if self.kind not in NETWORKS:
            raise ValueError(f"no discriminator network for contents of kind {self.kind!r}; there is {list(NETWORKS)}")
        columns = self.shape[1] if len(self.shape) == 2 else 1
        if len(self.shape) not in (1, 2) or len(self.sizes) != columns:
            raise ValueError(f"contents of shape {self.shape} do not fit {len(self.sizes)} column sizes")
        if self.hidden % self.heads:
            raise ValueError(f"hidden {self.hidden} must be a multiple of heads {self.heads}")
        tables = self.embedding * (sum(self.sizes) + sum(self.condition_sizes) + self.shape[0])
        weights = tables + self.hidden * (6 * self.embedding + 20 * self.hidden * (1 + self.attention_layers))
        if weights > MAX_WEIGHTS:
            raise ValueError(f"a discriminator of about {weights} weights is refused; {MAX_WEIGHTS} are allowed")


class Embedded(NamedTuple):
    """Contents as vectors, packed: N rows in all, none of them padding.

    First row 0 of every content, the longest content first, then row 1 of those that have one, and so on:
    the layout of ``torch.nn.utils.rnn.PackedSequence``.
    """

    values: Tensor
    """float [N, E], each of unit variance."""
    counts: Tensor
    """int [L], on the CPU: how many contents have a row 0, a row 1, ..."""
    order: Tensor
    """int [B]: the contents, longest first."""
    lengths: Tensor
    """int [B]: rows of the contents, longest first."""
    places: Tensor
    """int [N]: where each row is among all B L rows of the padded contents, longest first."""


class Dropout(nn.Module):
    """Dropout (Srivastava et al. 2014) that draws from a generator of its own, never from torch's global one."""

    generator: torch.Generator | None = None

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.keep = 1 - rate

    def mask(self, shape: tuple[int, int], like: Tensor) -> Tensor:
        """Returns 1 / keep with probability keep, else 0."""
        return like.new_empty(shape).bernoulli_(self.keep, generator=self.generator).div_(self.keep)

    def forward(self, x: Tensor, owners: Tensor | None = None) -> Tensor:
        """Drops units of float [N, W] in training, the same ones in all rows with the same owner [N].

        One mask for a whole content is the dropout for recurrent networks (Gal & Ghahramani 2016), and
        spares most of the drawing.
        """
        if not self.training or self.keep == 1:
            return x
        if owners is None:
            return x * self.mask((len(x), x.shape[1]), x)
        return x * self.mask((int(owners.max()) + 1, x.shape[1]), x)[owners]


class Network(nn.Module, abc.ABC):
    """Contents to logits in two halves."""

    @abc.abstractmethod
    def embed(self, contents: Tensor, conditions: Tensor) -> Embedded:
        """Turns contents int64 [B, L, C] and conditions int64 [B, K] into vectors."""

    @abc.abstractmethod
    def score(self, embedded: Embedded) -> Tensor:
        """Returns logits float [B], high for real."""

    def forward(self, contents: Tensor, conditions: Tensor) -> Tensor:
        """Returns logits float [B] of contents int64 [B, L, C] under conditions int64 [B, K]."""
        return self.score(self.embed(contents, conditions))


class AttentionLayer(nn.Module):
    """Pre-norm self-attention and a feed-forward layer (Vaswani et al. 2017; Xiong et al. 2020).

    Written out, since fused attention has no second derivative, which gradient penalties need.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_mixing = nn.LayerNorm(width), nn.LayerNorm(width)
        self.queries_keys_values, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, embedded: Embedded) -> Tensor:
        """Maps packed rows [N, W] to the same shape."""
        B, L, W = len(embedded.lengths), len(embedded.counts), x.shape[1]
        owners = embedded.places // L
        mixed = unpack(self.queries_keys_values(self.before_attention(x)), embedded, 0.0)
        q, k, v = mixed.view(B, L, 3, self.heads, W // self.heads).permute(2, 0, 3, 1, 4)  # [B, heads, L, W / heads]
        weights = q @ k.transpose(-1, -2) / math.sqrt(W // self.heads)
        padding = torch.arange(L, device=x.device) >= embedded.lengths[:, None]  # [B, L]
        weights = (weights + padding[:, None, None] * NEVER).softmax(-1)  # [B, heads, L, L]
        compared = (weights @ v).transpose(1, 2).reshape(B * L, W).index_select(0, embedded.places)
        x = x + self.dropout(self.out(compared), owners)
        out: Tensor = x + self.dropout(self.down(F.relu(self.up(self.before_mixing(x)))), owners)
        return out


def unpack(rows: Tensor, embedded: Embedded, padding: float) -> Tensor:
    """Lays packed rows [N, W] out as [B, L, W], filled up with a number."""
    B, L = len(embedded.lengths), len(embedded.counts)
    return rows.new_full((B * L, rows.shape[1]), padding).index_copy(0, embedded.places, rows).view(B, L, -1)


class SequenceNetwork(Network):
    """Sequences of rows, such as notes: a recurrent network reads them both ways, attention compares them.

    Row 0 is a header; later rows that are all zeros, up to the end, are padding. The recurrence sees local
    grammar as a language model does; attention sees what that misses: bars that repeat, the form, the close.
    """

    starts: Tensor

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a = architecture
        sizes = (*a.sizes, *a.condition_sizes)
        self.register_buffer("starts", torch.tensor([0, *sizes[:-1]]).cumsum(0), persistent=False)
        self.table = nn.Parameter(torch.randn(sum(sizes), a.embedding) / math.sqrt(len(sizes) + 1))
        self.positions = nn.Parameter(torch.randn(a.shape[0], a.embedding) / math.sqrt(len(sizes) + 1))
        self.input_dropout = Dropout(a.input_dropout)
        self.recurrent = nn.GRU(a.embedding, a.hidden, bidirectional=True)
        self.narrow = nn.Linear(2 * a.hidden, a.hidden)
        self.attention = nn.ModuleList(AttentionLayer(a.hidden, a.heads, a.dropout) for _ in range(a.attention_layers))
        self.dropout = Dropout(a.dropout)
        self.middle, self.last = nn.Linear(4 * a.hidden, a.hidden), nn.Linear(a.hidden, 1)
        if a.spectral_norm:
            for module in [module for module in self.modules() if isinstance(module, nn.Linear)]:
                spectral_norm(module)

    def embed(self, contents: Tensor, conditions: Tensor) -> Embedded:
        """Sums one vector for each column, the row's position and the condition."""
        (B, rows, C), K, device = contents.shape, conditions.shape[1], contents.device
        used = (contents != 0).any(-1) * torch.arange(1, rows + 1, device=device)
        lengths, order = used.amax(1).clamp(min=1).sort(descending=True, stable=True)
        L = int(lengths[0])
        row, owner = (torch.arange(L, device=device)[:, None] < lengths).nonzero(as_tuple=True)  # [N], [N]
        places = owner * L + row
        entries = contents[order, :L].reshape(B * L, C).index_select(0, places) + self.starts[:C]  # [N, C]
        shown = None
        if self.training and self.input_dropout.keep < 1:
            shown = self.input_dropout.mask((len(entries), C), self.table)
        values = F.embedding_bag(entries, self.table, mode="sum", per_sample_weights=shown) + self.positions[row]
        if K:
            values = values + F.embedding_bag(conditions[order] + self.starts[C:], self.table, mode="sum")[owner]
        counts = torch.bincount(row, minlength=L).cpu()
        return Embedded(F.layer_norm(values, values.shape[1:]), counts, order, lengths, places)

    def score(self, embedded: Embedded) -> Tensor:
        """Reads both ways, compares, pools."""
        owners = embedded.places // len(embedded.counts)
        read, last = self.recurrent(PackedSequence(embedded.values, embedded.counts))  # [N, 2 H], [2, B, H]
        x = self.narrow(self.dropout(read.data, owners))
        for layer in self.attention:
            x = layer(x, embedded)
        mean = unpack(x, embedded, 0.0).sum(1) / embedded.lengths[:, None]
        highest = unpack(x, embedded, NEVER).amax(1)
        features = self.dropout(torch.cat((*last, mean, highest), -1))  # [B, 4 H]
        logits = self.last(self.dropout(F.relu(self.middle(features))))[:, 0]
        return torch.empty_like(logits).index_copy(0, embedded.order, logits)


NETWORKS: dict[str, type[SequenceNetwork]] = {"sequence": SequenceNetwork}
"""A kind of medium to its network; a new kind is a class with ``embed`` and ``score``, and a row here."""


def build_network(architecture: Architecture) -> Network:
    """Builds the network with weights drawn from torch's global generator."""
    return NETWORKS[architecture.kind](architecture)
