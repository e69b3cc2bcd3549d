"""Networks that score sequences, and the choice of a network by kind of layout.

The logit of a content never depends on its neighbours in the batch: there is no batch normalisation, and no padding is
read.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .architecture import Architecture
from .layers import Dropout, Network, normalise
from .planes import CellNetwork, PixelNetwork

NEVER = -1e9
"""In place of minus infinity, whose product with 0 is NaN."""


class WrittenRows(NamedTuple):
    """The rows of sequences.

    Attributes:
        contents: int64 [B, L, C]; of soft contents the most probable values.
        shares: float [B, L, sum of sizes], shares of the values of each column, side by side; None where contents are
            integers.
    """

    contents: Tensor
    shares: Tensor | None

    def upto(self, length: int) -> WrittenRows:
        """Returns the first rows."""
        return WrittenRows(self.contents[:, :length], None if self.shares is None else self.shares[:, :length])


class Rows(nn.Module):
    """Looks rows up in tables that have an entry for each value of each column, then for each value of conditions."""

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
            part: slice of the L rows.
            table: float [entries, width].
            dropout: hides some columns of some rows; None hides none.
        """
        contents = rows.contents[:, part]
        B, L, C = contents.shape
        if rows.shares is not None:
            return rows.shares[:, part].to(table.dtype) @ table[: sum(self.sizes)]
        entries = (contents + self.starts[:C]).reshape(B * L, C)
        shown = dropout.mask((B * L, C), table) if dropout is not None and dropout.keep < 1 else None
        return F.embedding_bag(entries, table, mode="sum", per_sample_weights=shown).view(B, L, table.shape[1])

    def sum_conditions(self, conditions: Tensor, table: Tensor) -> Tensor:
        """Returns the sums of a table's entries of conditions int64 [B, K], K > 0; float [B, width]."""
        return F.embedding_bag(conditions + self.starts[len(self.sizes) :], table, mode="sum")


class EmbeddedRows(NamedTuple):
    """Sequences as vectors.

    Attributes:
        values: float [B, L, E], every row of unit variance; L is the longest content's length.
        mask: bool [B, L], True for rows that are no padding.
        alike: float [B, C, rows, lags], padded to the full length: see ``self_likeness``.
    """

    values: Tensor
    mask: Tensor
    alike: Tensor


class SequenceNetwork(Network[EmbeddedRows]):
    """Scores sequences of rows, such as notes, by dilated convolutions and by a picture of their repetitions.

    Rows that are all zeros, up to the end, are padding.
    Convolutions see local grammar, as a language model does. The likeness of every row to those before it,
    column by column, is a picture in which a repeated motif is a straight line: the global form that a
    language model gets wrong first.
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
        motif = max(8, a.hidden // 4)
        self.lags = a.lags
        self.motifs = nn.Sequential(
            *(nn.Conv2d(len(a.sizes), motif, (4, 1), padding=(2, 0)), nn.ReLU()),
            *(nn.Conv2d(motif, 2 * motif, 3, stride=(2, 1), padding=1), nn.ReLU()),
        )
        self.dropout = Dropout(a.dropout)
        self.last = nn.Linear(2 * a.hidden + 4 * motif, 1)
        if a.spectral_norm:
            normalise(self)

    def embed(self, contents: Tensor, conditions: Tensor) -> EmbeddedRows:
        """Sums one vector for each column, the row's place from both ends and the condition."""
        rows = self.rows.read(contents)
        lengths, mask = row_counts(rows.contents)
        L = int(lengths.max())
        # Of full length whatever the batch: the pooled picture of a content must not depend on its neighbours.
        alike = self_likeness(rows.contents, mask, self.lags).to(self.table.dtype)
        to_end = lengths[:, None] - 1 - torch.arange(L, device=lengths.device)
        values = self.rows.sum(rows, slice(L), self.table, self.input_dropout if self.training else None)
        values = values + self.from_start[:L] + self.from_end[to_end.clamp(min=0)]
        if conditions.shape[1]:
            values = values + self.rows.sum_conditions(conditions, self.table)[:, None]
        return EmbeddedRows(F.layer_norm(values, values.shape[2:]), mask[:, :L], alike)

    def score(self, embedded: EmbeddedRows) -> Tensor:
        """Pools the convolved rows and the picture, and returns a linear function of both, float [B]."""
        values, mask, alike = embedded
        there = mask[..., None]
        x = F.relu(self.widen(values)) * there
        for convolution in self.convolutions:
            x = x + F.relu(convolve(cast("nn.Conv1d", convolution), self.dropout(x))) * there
        mean = (x * there).sum(1) / there.sum(1)
        highest = (x + ~there * NEVER).max(1).values  # max: the gradient of amax, shared by equals, takes longer
        motifs = self.motifs(alike).permute(0, 2, 3, 1).flatten(1, 2)  # [B, places, M], the order in memory
        features = torch.cat((mean, highest, motifs.mean(1), motifs.max(1).values), -1)
        logits: Tensor = self.last(self.dropout(features))
        return logits[:, 0]


class EmbeddedSteps(NamedTuple):
    """Sequences as vectors of the past, and the rows that follow it.

    Attributes:
        values: float [B, L, E], of unit variance: first the condition, then all rows but the last.
        rows: the rows.
        mask: bool [B, L], True for rows that are no padding.
    """

    values: Tensor
    rows: WrittenRows
    mask: Tensor


class RecurrentNetwork(Network[EmbeddedSteps]):
    """Scores sequences row by row: the logit is a sum over rows of g(row | condition, rows before).

    The log density ratio of two sequences is such a sum. g is linear in the state of a GRU (Cho et al. 2014), with
    separate weights for each value of each column, 0 at first. It learns which token follows which long past, and in
    large vocabularies, where pooled convolutions do not; columns of a row add up.
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
        """Sums one vector for each column of a row; the first vector is the condition's."""
        rows = self.rows.read(contents)
        lengths, mask = row_counts(rows.contents)
        L = int(lengths.max())
        first = self.first.expand(len(contents), -1)
        if conditions.shape[1]:
            first = first + self.rows.sum_conditions(conditions, self.table)
        before = self.rows.sum(rows, slice(L - 1), self.table, self.input_dropout if self.training else None)
        values = torch.cat((first[:, None], before), 1)
        return EmbeddedSteps(F.layer_norm(values, values.shape[2:]), rows.upto(L), mask[:, :L])

    def score(self, embedded: EmbeddedSteps) -> Tensor:
        """Returns the sums of g over rows, float [B]."""
        values, rows, mask = embedded
        past, _ = self.past(self.dropout(values))
        past = F.pad(self.dropout(past), (0, 1), value=1.0)  # and a bias
        weights = self.rows.sum(rows, slice(None), self.weights)
        logits: Tensor = ((weights * past).sum(2) * mask).sum(1)
        return logits


def row_counts(contents: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the lengths int64 [B], at least 1, of contents int64 [B, R, C] without padding, and their mask [B, R]."""
    steps = torch.arange(contents.shape[1], device=contents.device)
    lengths = ((contents != 0).any(-1) * (steps + 1)).amax(1).clamp(min=1)
    return lengths, steps < lengths[:, None]


def convolve(convolution: nn.Conv1d, x: Tensor) -> Tensor:
    """Returns a convolution of width 3 over the rows of float [B, L, W], as one product of matrices.

    ``nn.Conv1d`` needs rows last; the copy and the convolution take more than twice as long.
    """
    reach = convolution.dilation[0]
    L, padded = x.shape[1], F.pad(x, (0, 0, reach, reach))
    around = torch.cat([padded[:, i * reach : i * reach + L] for i in range(3)], -1)  # [B, L, 3 W]
    return F.linear(around, convolution.weight.transpose(1, 2).flatten(1), convolution.bias)


def self_likeness(contents: Tensor, mask: Tensor, lags: int) -> Tensor:
    """Returns float [B, C, L, lags]: 1 where row i and row i - lag agree in a column, for lags 1 ..; 0 at padding."""
    L = contents.shape[1]
    rows = torch.where(mask[..., None], contents, -1)
    earlier = F.pad(rows, (0, 0, lags, 0), value=-2)
    same = [earlier[:, lags - lag : lags - lag + L] == rows for lag in range(1, lags + 1)]
    # Channels last in memory make an update a fifth faster.
    return (torch.stack(same, 2) & mask[..., None, None]).float().permute(0, 3, 1, 2)


def _of_sequence(architecture: Architecture) -> Network[Any]:
    return RecurrentNetwork(architecture) if architecture.recurrent else SequenceNetwork(architecture)


def _of_plane(architecture: Architecture) -> Network[Any]:
    return CellNetwork(architecture) if architecture.categorical else PixelNetwork(architecture)


ENCODERS: dict[str, Callable[[Architecture], Network[Any]]] = {
    "sequence": _of_sequence,
    **dict.fromkeys(("grid", "volume", "image", "frames"), _of_plane),
}
"""Networks by kind of layout. A new kind needs a ``Network`` and an entry here."""


def build_network(architecture: Architecture) -> Network[Any]:
    """Builds a network; its weights are drawn from torch's global generator.

    Raises:
        ValueError: there is no network for the kind of layout.
    """
    if architecture.kind not in ENCODERS:
        raise ValueError(f"no network reads a {architecture.kind!r}; there are {', '.join(ENCODERS)}")
    return ENCODERS[architecture.kind](architecture)
