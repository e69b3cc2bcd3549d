"""Networks that score contents, by kind of layout; that of sequences is here, those of planes in ``planes``.

A network works in two halves, so that gradients can be penalised in between: ``embed`` turns integer
contents into normalised vectors, ``score`` turns those into logits. The logit of a content never
depends on its neighbours in the batch: there is no batch normalisation, and no padding is read.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from .architecture import Architecture
from .layers import Dropout, Network
from .planes import CellNetwork, PixelNetwork

NEVER = -1e9
"""Stands for minus infinity, whose products with 0 are no numbers."""


class WrittenRows(NamedTuple):
    """Rows of sequences as they were written."""

    contents: Tensor
    """int64 [B, L, C]; of shares, the largest."""
    shares: Tensor | None
    """float [B, L, sum of sizes], where a row is shares of what its columns may be; None where it is integers."""

    def upto(self, length: int) -> WrittenRows:
        """Returns the first rows."""
        return WrittenRows(self.contents[:, :length], None if self.shares is None else self.shares[:, :length])


class Rows(nn.Module):
    """Looks rows up in tables with an entry for each value of each column, and then for each value of conditions."""

    starts: Tensor

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.sizes = architecture.sizes
        sizes = (*architecture.sizes, *architecture.condition_sizes)
        self.register_buffer("starts", torch.tensor([0, *sizes[:-1]]).cumsum(0), persistent=False)
        self.total = sum(sizes)

    def read(self, contents: Tensor) -> WrittenRows:
        """Reads contents as ``Network.embed`` takes them."""
        if not contents.is_floating_point():
            return WrittenRows(contents, None)
        largest = [part.argmax(-1) for part in contents.split(list(self.sizes), -1)]
        return WrittenRows(torch.stack(largest, -1), contents)

    def sum(self, rows: WrittenRows, part: slice, table: Tensor, dropout: Dropout | None = None) -> Tensor:
        """Returns the sums over columns of a table's entries, float [B, L, width], of part of the rows.

        Args:
            rows: to be looked up.
            part: which of the L.
            table: float [entries, width].
            dropout: hides some columns of some rows, where it is given.
        """
        contents = rows.contents[:, part]
        B, L, C = contents.shape
        if rows.shares is not None:
            return rows.shares[:, part].to(table.dtype) @ table[: sum(self.sizes)]
        entries = (contents + self.starts[:C]).reshape(B * L, C)
        shown = dropout.mask((B * L, C), table) if dropout is not None and dropout.keep < 1 else None
        return F.embedding_bag(entries, table, mode="sum", per_sample_weights=shown).view(B, L, table.shape[1])


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

    Rows that are all zeros, up to the end, are padding.
    Convolutions see local grammar, as a language model does. The likeness of every row to those before it,
    column by column, is a picture in which a repeated motif is a straight line: the global form that a
    language model gets wrong first. Attention layers may compare rows beyond that.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a = architecture
        self.rows = Rows(a)
        scale = 1 / math.sqrt(len(a.sizes) + 2)
        self.table = nn.Parameter(torch.randn(self.rows.total, a.embedding) * scale)
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
        rows = self.rows.read(contents)
        contents, C, K = rows.contents, rows.contents.shape[2], conditions.shape[1]
        lengths, steps = row_counts(contents)
        L = int(lengths.max())
        # Of full length whatever the batch: the pooled picture of a content must not depend on its neighbours.
        alike = self_likeness(contents, steps < lengths[:, None], self.lags).to(self.table.dtype)
        steps = steps[:L]
        valid = steps < lengths[:, None]
        values = self.rows.sum(rows, slice(L), self.table, self.input_dropout if self.training else None)
        values = values + self.from_start[:L] + self.from_end[(lengths[:, None] - 1 - steps).clamp(min=0)]
        if K:
            styles = F.embedding_bag(conditions + self.rows.starts[C:], self.table, mode="sum")
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
    rows: WrittenRows
    """The rows."""
    valid: Tensor
    """bool [B, L]: rows that are no padding."""


class RecurrentNetwork(Network[EmbeddedSteps]):
    """Sequences of rows, read one by one: the logit is a sum over rows of g(row | condition, rows before).

    The log density ratio of two sequences is such a sum. g is linear in what a GRU (Cho et al. 2014) remembers, with
    weights of its own for each value of each column, 0 at first. It sees which token follows which in long pasts, and
    in large vocabularies, where pooled convolutions do not; columns of a row are judged apart.
    Padding is as in ``SequenceNetwork``.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a = architecture
        self.rows = Rows(a)
        self.table = nn.Parameter(torch.randn(self.rows.total, a.embedding))
        self.first = nn.Parameter(torch.randn(a.embedding))
        self.input_dropout, self.dropout = Dropout(a.input_dropout), Dropout(a.dropout)
        self.past = nn.GRU(a.embedding, a.recurrent, batch_first=True)
        self.weights = nn.Parameter(torch.zeros(sum(a.sizes), a.recurrent + 1))

    def embed(self, contents: Tensor, conditions: Tensor) -> EmbeddedSteps:
        """Sums one vector for each column; the first is of the condition."""
        rows = self.rows.read(contents)
        (B, _, C), K = rows.contents.shape, conditions.shape[1]
        lengths, steps = row_counts(rows.contents)
        L = int(lengths.max())
        first = self.first.expand(B, -1)
        if K:
            first = first + F.embedding_bag(conditions + self.rows.starts[C:], self.table, mode="sum")
        before = self.rows.sum(rows, slice(L - 1), self.table, self.input_dropout if self.training else None)
        values = torch.cat((first[:, None], before), 1)
        valid = steps[:L] < lengths[:, None]
        return EmbeddedSteps(F.layer_norm(values, values.shape[2:]), rows.upto(L), valid)

    def score(self, embedded: EmbeddedSteps) -> Tensor:
        """Reads the rows, sums what each one says."""
        values, rows, valid = embedded
        past, _ = self.past(self.dropout(values))
        past = F.pad(self.dropout(past), (0, 1), value=1.0)  # and a bias
        weights = self.rows.sum(rows, slice(None), self.weights)
        logits: Tensor = ((weights * past).sum(2) * valid).sum(1)
        return logits


def row_counts(contents: Tensor) -> tuple[Tensor, Tensor]:
    """Returns how many rows of contents int64 [B, R, C] are no padding, [B], at least 1; and 0 .. R - 1."""
    steps = torch.arange(contents.shape[1], device=contents.device)
    return ((contents != 0).any(-1) * (steps + 1)).amax(1).clamp(min=1), steps


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


def _of_sequence(architecture: Architecture) -> Network[Any]:
    return RecurrentNetwork(architecture) if architecture.recurrent else SequenceNetwork(architecture)


def _of_plane(architecture: Architecture) -> Network[Any]:
    return CellNetwork(architecture) if architecture.categorical else PixelNetwork(architecture)


ENCODERS: dict[str, Callable[[Architecture], Network[Any]]] = {
    "sequence": _of_sequence,
    **dict.fromkeys(("grid", "volume", "image", "frames"), _of_plane),
}
"""The network of a kind of layout: a new kind is a class with ``embed`` and ``score``, and a row here."""


def build_network(architecture: Architecture) -> Network[Any]:
    """Builds the network with weights drawn from torch's global generator.

    Raises:
        ValueError: there is no network for such a layout.
    """
    if architecture.kind not in ENCODERS:
        raise ValueError(f"no network reads a {architecture.kind!r}; there are {', '.join(ENCODERS)}")
    return ENCODERS[architecture.kind](architecture)
