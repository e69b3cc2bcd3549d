"""Networks that score contents, one per kind of medium; that of sequences is here, those of planes in ``planes``.

A network works in two halves, so that gradients can be penalised in between: ``embed`` turns integer
contents into normalised vectors, ``score`` turns those into logits. The logit of a content never
depends on its neighbours in the batch: there is no batch normalisation, and no padding is read.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from .architecture import Architecture
from .layers import Dropout, Network
from .planes import GridNetwork, ImageNetwork

NEVER = -1e9
"""Stands for minus infinity, whose products with 0 are no numbers."""


class EmbeddedRows(NamedTuple):
    """Contents as vectors."""

    values: Tensor
    """float [B, L, E], every row of unit variance; L is the longest content's length."""
    valid: Tensor
    """bool [B, L]: rows that are no padding."""
    alike: Tensor
    """float [B, C, rows, lags], padded to the full length: see ``self_likeness``."""


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

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """Maps float [B, L, W] to the same shape; padding is never attended to."""
        B, L, W = x.shape
        mixed = self.queries_keys_values(self.before_attention(x))
        q, k, v = mixed.view(B, L, 3, self.heads, W // self.heads).permute(2, 0, 3, 1, 4)  # [B, heads, L, W / heads]
        weights = q @ k.transpose(-1, -2) / math.sqrt(W // self.heads)
        weights = (weights + ~valid[:, None, None] * NEVER).softmax(-1)  # [B, heads, L, L]
        x = x + self.dropout(self.out((weights @ v).transpose(1, 2).reshape(B, L, W)))
        out: Tensor = x + self.dropout(self.down(F.relu(self.up(self.before_mixing(x)))))
        return out


class SequenceNetwork(Network[EmbeddedRows]):
    """Sequences of rows, such as notes: dilated convolutions read them, and a picture shows where they repeat.

    Row 0 is a header with tables of its own; later rows that are all zeros, up to the end, are padding.
    Convolutions see local grammar, as a language model does. The likeness of every row to those before it,
    column by column, is a picture in which a repeated motif is a straight line: the global form that a
    language model gets wrong first. Attention layers may compare rows beyond that.
    """

    starts: Tensor

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a = architecture
        sizes = table_sizes(a)
        self.register_buffer("starts", torch.tensor([0, *sizes[:-1]]).cumsum(0), persistent=False)
        scale = 1 / math.sqrt(len(a.sizes) + 2)
        self.table = nn.Parameter(torch.randn(sum(sizes), a.embedding) * scale)
        self.from_start = nn.Parameter(torch.randn(a.shape[0], a.embedding) * scale)
        self.from_end = nn.Parameter(torch.randn(a.shape[0], a.embedding) * scale)
        self.input_dropout = Dropout(a.input_dropout)
        self.widen = nn.Linear(a.embedding, a.hidden)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(a.hidden, a.hidden, 3, padding=2**i, dilation=2**i) for i in range(a.convolutions)
        )
        self.attention = nn.ModuleList(AttentionLayer(a.hidden, a.heads, a.dropout) for _ in range(a.attention_layers))
        motif = max(8, a.hidden // 4)
        self.lags = a.lags
        self.motifs = nn.Sequential(
            *(nn.Conv2d(len(a.sizes), motif, (4, 1), padding=(2, 0)), nn.ReLU()),
            *(nn.Conv2d(motif, 2 * motif, 3, stride=(2, 1), padding=1), nn.ReLU()),
        )
        self.dropout = Dropout(a.dropout)
        self.last = nn.Linear(2 * a.hidden + 4 * motif, 1)
        if a.spectral_norm:
            for module in [m for m in self.modules() if isinstance(m, nn.Linear | nn.Conv1d | nn.Conv2d)]:
                spectral_norm(module)

    def embed(self, contents: Tensor, conditions: Tensor) -> EmbeddedRows:
        """Sums one vector for each column, the row's place from both ends and the condition."""
        (B, _, C), K = contents.shape, conditions.shape[1]
        lengths, steps = row_counts(contents)
        L = int(lengths.max())
        # Of full length whatever the batch: the pooled picture of a content must not depend on its neighbours.
        alike = self_likeness(contents, steps < lengths[:, None], self.lags).to(self.table.dtype)
        contents, steps = contents[:, :L], steps[:L]
        valid = steps < lengths[:, None]
        entries = places(contents, self.starts).reshape(B * L, C)
        shown = None
        if self.training and self.input_dropout.keep < 1:
            shown = self.input_dropout.mask((B * L, C), self.table)
        values = F.embedding_bag(entries, self.table, mode="sum", per_sample_weights=shown).view(B, L, -1)
        values = values + self.from_start[:L] + self.from_end[(lengths[:, None] - 1 - steps).clamp(min=0)]
        if K:
            styles = F.embedding_bag(conditions + self.starts[2 * C :], self.table, mode="sum")
            values = values + styles[:, None]
        return EmbeddedRows(F.layer_norm(values, values.shape[2:]), valid, alike)

    def score(self, embedded: EmbeddedRows) -> Tensor:
        """Reads rows and picture, pools both."""
        values, valid, alike = embedded
        there = valid[..., None]
        x = F.relu(self.widen(values)) * there
        for convolution in self.convolutions:
            x = x + F.relu(convolve(cast("nn.Conv1d", convolution), self.dropout(x))) * there
        for layer in self.attention:
            x = layer(x, valid)
        mean = (x * there).sum(1) / there.sum(1)
        highest = (x + ~there * NEVER).max(1).values  # the gradient of amax, shared by equals, takes longer
        motifs = self.motifs(alike).permute(0, 2, 3, 1).flatten(1, 2)  # [B, places, M], as it lies in memory
        features = torch.cat((mean, highest, motifs.mean(1), motifs.max(1).values), -1)
        logits: Tensor = self.last(self.dropout(features))
        return logits[:, 0]


class EmbeddedSteps(NamedTuple):
    """Contents as what is read before each row, and the row that then comes."""

    values: Tensor
    """float [B, L, E], of unit variance: at first the condition, then the rows but the last."""
    places: Tensor
    """int64 [B, L, C], where each row's columns are in tables."""
    valid: Tensor
    """bool [B, L]: rows that are no padding."""


class RecurrentNetwork(Network[EmbeddedSteps]):
    """Sequences of rows, read one by one: the logit is a sum over rows of g(row | condition, rows before).

    The log density ratio of two sequences is such a sum. g is linear in what a GRU (Cho et al. 2014) remembers, with
    weights of its own for each value of each column, 0 at first. It sees which token follows which in long pasts, and
    in large vocabularies, where pooled convolutions do not; columns of a row are judged apart.
    Padding is as in ``SequenceNetwork``.
    """

    starts: Tensor

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a = architecture
        sizes = table_sizes(a)
        self.register_buffer("starts", torch.tensor([0, *sizes[:-1]]).cumsum(0), persistent=False)
        self.table = nn.Parameter(torch.randn(sum(sizes), a.embedding))
        self.first = nn.Parameter(torch.randn(a.embedding))
        self.input_dropout, self.dropout = Dropout(a.input_dropout), Dropout(a.dropout)
        self.past = nn.GRU(a.embedding, a.recurrent, batch_first=True)
        self.weights = nn.Parameter(torch.zeros(2 * sum(a.sizes), a.recurrent + 1))

    def embed(self, contents: Tensor, conditions: Tensor) -> EmbeddedSteps:
        """Sums one vector for each column; the first is of the condition."""
        (B, _, C), K = contents.shape, conditions.shape[1]
        lengths, steps = row_counts(contents)
        L = int(lengths.max())
        where = places(contents[:, :L], self.starts)
        first = self.first.expand(B, -1)
        if K:
            first = first + F.embedding_bag(conditions + self.starts[2 * C :], self.table, mode="sum")
        before = where[:, :-1].reshape(-1, C)
        shown = None
        if self.training and self.input_dropout.keep < 1:
            shown = self.input_dropout.mask((len(before), C), self.table)
        rows = F.embedding_bag(before, self.table, mode="sum", per_sample_weights=shown).view(
            B, L - 1, self.table.shape[1]
        )
        values = torch.cat((first[:, None], rows), 1)
        return EmbeddedSteps(F.layer_norm(values, values.shape[2:]), where, steps[:L] < lengths[:, None])

    def score(self, embedded: EmbeddedSteps) -> Tensor:
        """Reads the rows, sums what each one says."""
        values, where, valid = embedded
        B, L, C = where.shape
        past, _ = self.past(self.dropout(values))
        past = F.pad(self.dropout(past), (0, 1), value=1.0)  # and a bias
        weights = F.embedding_bag(where.reshape(B * L, C), self.weights, mode="sum").view(B, L, -1)
        logits: Tensor = ((weights * past).sum(2) * valid).sum(1)
        return logits


def table_sizes(architecture: Architecture) -> tuple[int, ...]:
    """Returns how many vectors a table needs for each column, for those of row 0, and for the condition."""
    return (*architecture.sizes, *architecture.sizes, *architecture.condition_sizes)


def row_counts(contents: Tensor) -> tuple[Tensor, Tensor]:
    """Returns how many rows of contents int64 [B, R, C] are no padding, [B], at least 1; and 0 .. R - 1."""
    steps = torch.arange(contents.shape[1], device=contents.device)
    return ((contents != 0).any(-1) * (steps + 1)).amax(1).clamp(min=1), steps


def places(contents: Tensor, starts: Tensor) -> Tensor:
    """Returns where contents int64 [B, L, C] are in tables, of which row 0 has its own; ``starts`` [2 C ...]."""
    C = contents.shape[2]
    out = contents + starts[:C]
    out[:, 0] += starts[C]
    return out


def convolve(convolution: nn.Conv1d, x: Tensor) -> Tensor:
    """Returns a convolution of width 3 over the rows of float [B, L, W], as one product of matrices.

    ``nn.Conv1d`` wants rows last, and takes more than twice as long to copy and convolve.
    """
    reach = convolution.dilation[0]
    L, padded = x.shape[1], F.pad(x, (0, 0, reach, reach))
    around = torch.cat([padded[:, i * reach : i * reach + L] for i in range(3)], -1)  # [B, L, 3 W]
    return F.linear(around, convolution.weight.transpose(1, 2).flatten(1), convolution.bias)


def self_likeness(contents: Tensor, valid: Tensor, lags: int) -> Tensor:
    """Returns float [B, C, L, lags]: 1 where row i and row i - lag agree in a column, for lags 1 ..; 0 at padding."""
    L = contents.shape[1]
    rows = torch.where(valid[..., None], contents, -1)
    earlier = F.pad(rows, (0, 0, lags, 0), value=-2)
    same = [earlier[:, lags - lag : lags - lag + L] == rows for lag in range(1, lags + 1)]
    # Channels last in memory: an update is a fifth faster so.
    return (torch.stack(same, 2) & valid[..., None, None]).float().permute(0, 3, 1, 2)


NETWORKS: dict[str, type[Network[Any]]] = {
    "sequence": SequenceNetwork,
    "grid": GridNetwork,
    "image": ImageNetwork,
}
"""A kind of medium to its network; a new kind is a class with ``embed`` and ``score``, a row here and in ``KINDS``."""


def build_network(architecture: Architecture) -> Network[Any]:
    """Builds the network with weights drawn from torch's global generator."""
    if architecture.recurrent:
        return RecurrentNetwork(architecture)
    return NETWORKS[architecture.kind](architecture)
