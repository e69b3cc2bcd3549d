"""Small networks of judges and measuring features, chosen by the layout of contents.

They read contents as arrays alone and share nothing with the networks of agents and discriminators, so that tuning
those never changes the measures.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...envs.task import Array, Ints, Layout

AXES = {"sequence": 1, "grid": 2, "image": 2, "volume": 3, "frames": 3}
"""Number of axes of each kind of layout; further axes of a shape are columns or channels.

Contents of one axis are read as sequences, others as planes. A new kind of layout needs a line here to be measured.
"""
CONVOLUTIONS: dict[int, Callable[..., nn.Module]] = {2: nn.Conv2d, 3: nn.Conv3d}
NORMS: dict[int, Callable[..., nn.Module]] = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
"""By number of axes."""
LAGS = 24
WIDTH = 64
EDGES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0)
"""Bounds of the classes of surprise that judges of cells read, nats."""
SURPRISING = 4.0
"""Nats that judges of pixels read as 1."""


def prepare(contents: Array, layout: Layout, conditions: Ints | None = None) -> Tensor:
    """Converts contents for the networks; conditions become constant columns or channels.

    Args:
        contents: [N, ...].
        layout: of the contents.
        conditions: int [N, K] of the contents; None hides them from the networks.

    Returns:
        Sequences: int64 [N, L, C + K], where padding stays zeros; other cells: int64 [N, *axes, C + K], C being 1 but
        for frames with channels. Conditions are counted from 1 in both. Pixels: float32 [N, C + K, *axes], values and
        conditions as shares of the largest.

    Raises:
        ValueError: the kind of the layout is unknown.
    """
    if layout.kind not in AXES:
        raise ValueError(f"judges do not know the layout {layout.kind!r}: add its axes to judges.networks.AXES")
    axes = AXES[layout.kind]
    given = np.asarray(contents).astype(np.int64 if layout.categorical else np.float32)
    cells = torch.from_numpy(given.reshape(*given.shape[: 1 + axes], -1))
    styles = torch.zeros((len(given), 0), dtype=torch.int64)
    if conditions is not None:
        styles = 1 + torch.from_numpy(np.asarray(conditions, np.int64))
    constant = styles.view(len(given), *axes * [1], -1).expand(*cells.shape[:-1], -1)
    if not layout.categorical:
        shades = cells / max(layout.sizes[0] - 1, 1)
        return torch.cat([shades, constant / styles.amax(0)], -1).movedim(-1, 1).contiguous()
    if axes == 1:
        constant = constant * (torch.arange(cells.shape[1]) < lengths(cells)[:, None])[..., None]
    return torch.cat([cells, constant], -1)


def with_surprise(x: Tensor, nats: Tensor) -> Tensor:
    """Adds surprise to works, as ``prepare`` returns them: classes from 1 as columns of cells, channels of pixels.

    Args:
        x: works.
        nats: float32 [N, *axes, C].
    """
    if x.is_floating_point():
        return torch.cat([x, nats.movedim(-1, 1) / SURPRISING], 1)
    classes = 1 + torch.bucketize(nats, torch.tensor(EDGES))
    if is_sequence(x):
        classes = classes * (torch.arange(x.shape[1]) < lengths(x)[:, None])[..., None]
    return torch.cat([x, classes], -1)


def lengths(x: Tensor) -> Tensor:
    """Returns int64 [N]: one past the last row that is not all zeros (padding), of sequences int64 [N, L, C]."""
    used = (x != 0).any(-1)  # [N, L]
    steps = torch.arange(1, x.shape[1] + 1)
    return (used * steps).amax(1).clamp(min=1)


def sizes(x: Tensor) -> tuple[int, ...]:
    """Returns the number of values that each column of int64 [N, ..., C] takes."""
    return tuple(int(column.max()) + 1 for column in x.unbind(-1))


class RowEmbedding(nn.Module):
    """Sequences int64 [B, L, C] -> float32 [B, L, D]; padding becomes zeros.

    Positions from the start and (``ends``) from the end are embedded too: a pooled network would otherwise not see how
    a work begins and ends.
    """

    def __init__(self, columns: tuple[int, ...], rows: int, width: int = WIDTH, ends: bool = True) -> None:
        super().__init__()
        each = max(16, width // len(columns))
        self.tables = nn.ModuleList(nn.Embedding(size, each) for size in columns)
        self.from_start = nn.Embedding(rows + 1, 8)
        self.from_end = nn.Embedding(rows + 1, 8) if ends else None
        self.mix = nn.Linear(each * len(columns) + (16 if ends else 8), width)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the embedded rows and the mask of those that are no padding, bool [B, L]."""
        length = lengths(x)
        steps = torch.arange(x.shape[1])
        valid = steps < length[:, None]
        columns = looked_up(x, self.tables)
        columns.append(self.from_start(steps).expand(len(x), -1, -1))
        if self.from_end is not None:
            columns.append(self.from_end((length[:, None] - 1 - steps).clamp(min=0)))
        out = self.mix(torch.cat(columns, -1))
        return F.relu(out) * valid[..., None], valid


def looked_up(x: Tensor, tables: nn.ModuleList) -> list[Tensor]:
    """Returns the embeddings float32 [B, ..., D] of each column of int64 [B, ..., C]; larger values get the last."""
    columns: list[Any] = list(zip(x.unbind(-1), tables, strict=True))
    return [table(column.clamp(max=table.num_embeddings - 1)) for column, table in columns]


def pool(h: Tensor, valid: Tensor) -> Tensor:
    """Mean and maximum over valid rows: [B, L, D], bool [B, L] -> [B, 2 D]."""
    weight = valid[..., None].float()
    mean = (h * weight).sum(1) / weight.sum(1)
    return torch.cat([mean, h.masked_fill(~valid[..., None], -1e4).amax(1)], -1)


class RecurrentSequence(nn.Module):
    """A bidirectional GRU over rows, pooled: int64 [B, L, C] -> logits [B]."""

    def __init__(self, x: Tensor, dropout: float = 0.2) -> None:
        super().__init__()
        self.embed = RowEmbedding(sizes(x), x.shape[1])
        self.rnn = nn.GRU(WIDTH, WIDTH, batch_first=True, bidirectional=True)
        self.drop_in, self.drop = nn.Dropout(dropout / 2), nn.Dropout(2 * dropout)
        self.head = nn.Linear(4 * WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Returns logits [B], high for real."""
        rows, valid = self.embed(x)
        h, _ = self.rnn(self.drop_in(rows))
        logits: Tensor = self.head(self.drop(pool(h, valid)))
        return logits[:, 0]


class ConvolutionalSequence(nn.Module):
    """Convolutions over rows and over the work's likeness to itself: int64 [B, L, C] -> logits [B].

    The second branch sees whether row i equals row i - lag, column by column, as a picture [C, L, lags] in which a
    repeated motif is a straight line: the global form that a language model gets wrong first.
    """

    def __init__(self, x: Tensor, dropout: float = 0.2) -> None:
        super().__init__()
        self.embed = RowEmbedding(sizes(x), x.shape[1])
        self.near = nn.Conv1d(WIDTH, WIDTH, 3, padding=1)
        self.far = nn.Conv1d(WIDTH, WIDTH, 3, padding=2, dilation=2)
        self.wide = nn.Conv1d(WIDTH, WIDTH, 3, padding=4, dilation=4)
        self.alike = nn.Sequential(
            nn.Conv2d(x.shape[2], 12, (4, 1), padding=(2, 0)), nn.ReLU(),
            nn.Conv2d(12, 24, 3, stride=(2, 1), padding=1), nn.ReLU(),
        )  # fmt: skip
        self.drop_in, self.drop = nn.Dropout(dropout / 2), nn.Dropout(2 * dropout)
        self.head = nn.Linear(2 * WIDTH + 48, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Returns logits [B], high for real."""
        rows, valid = self.embed(x)
        h = self.drop_in(rows).transpose(1, 2)  # [B, D, L]
        h = F.relu(self.near(h)) + h
        h = F.relu(self.far(h)) + h
        h = F.relu(self.wide(h)) + h
        like = self.alike(self_likeness(x, valid))
        pooled = [pool(h.transpose(1, 2), valid), like.mean((2, 3)), like.amax((2, 3))]
        logits: Tensor = self.head(self.drop(torch.cat(pooled, -1)))
        return logits[:, 0]


def self_likeness(x: Tensor, valid: Tensor, lags: int = LAGS) -> Tensor:
    """Returns float32 [B, C, L, lags]: 1 where row i and row i - lag (lag 1 .. lags) agree in a column; no padding."""
    x = torch.where(valid[..., None], x, -1)
    late = x.shape[1]
    padded = F.pad(x, (0, 0, lags, 0), value=-2)
    return (
        torch.stack([(padded[:, lags - k : lags - k + late] == x) for k in range(1, lags + 1)], -1)
        .float()
        .transpose(1, 2)
    )


class Cells(nn.Module):
    """Cells int64 [B, *axes, C] or pixels float32 [B, C, *axes] -> float32 [B, D, *axes]; columns of cells add up."""

    def __init__(self, x: Tensor, width: int = 16) -> None:
        super().__init__()
        columns = () if x.is_floating_point() else sizes(x)
        self.tables = nn.ModuleList(nn.Embedding(size, width) for size in columns)
        self.out = width if columns else x.shape[1]

    def forward(self, x: Tensor) -> Tensor:
        """Returns float32 [B, D, *axes]."""
        return torch.stack(looked_up(x, self.tables)).sum(0).movedim(-1, 1) if len(self.tables) else x


class Plane(nn.Module):
    """Cells or pixels with their place -> float32 [B, D, *axes]: a value may be right here and wrong there."""

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.cells = Cells(x)
        self.out = self.cells.out
        shape = self.cells(x[:1]).shape[2:]
        self.places = nn.ParameterList(
            0.1 * torch.randn(self.out, *(n if i == axis else 1 for i in range(len(shape))))
            for axis, n in enumerate(shape)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Returns float32 [B, D, *axes]."""
        h: Tensor = self.cells(x)
        for place in self.places:
            h = h + place
        return h


def layer(dimensions: int, columns: int, width: int, stride: int = 1) -> nn.Sequential:
    """Returns a convolution over 3 x 3 (x 3) cells, normalised over the batch."""
    convolution, norm = CONVOLUTIONS[dimensions], NORMS[dimensions]
    return nn.Sequential(convolution(columns, width, 3, stride=stride, padding=1), norm(width), nn.ReLU())


def summary(h: Tensor) -> Tensor:
    """Mean and maximum over places: [B, D, ...] -> [B, 2 D]. A rare flaw moves the maximum, a frequent one the mean."""
    h = h.flatten(2)
    return torch.cat([h.mean(2), h.amax(2)], 1)


class RecurrentPlane(nn.Module):
    """Bidirectional GRUs along each axis over local patterns, pooled: cells or pixels -> logits [B]."""

    def __init__(self, x: Tensor, dropout: float = 0.2) -> None:
        super().__init__()
        self.plane, width = Plane(x), 24
        self.near = layer(x.ndim - 2, self.plane.out, width)
        shape = self.plane(x[:1]).shape[2:]
        lines = [width * int(np.prod(shape)) // n for n in shape]
        self.mix = nn.ModuleList(nn.Linear(line, WIDTH) for line in lines)
        self.rnns = nn.ModuleList(nn.GRU(WIDTH, 48, batch_first=True, bidirectional=True) for _ in shape)
        self.drop = nn.Dropout(2 * dropout)
        self.head = nn.Linear(2 * self.plane.out + 2 * width + 192 * len(shape), 1)

    def forward(self, x: Tensor) -> Tensor:
        """Returns logits [B], high for real."""
        h = self.plane(x)
        found = [summary(h)]
        h = self.near(h)
        found.append(summary(h))
        for axis, (mix, rnn) in enumerate(zip(self.mix, self.rnns, strict=True)):
            lines = h.movedim(2 + axis, 1).flatten(2)  # [B, n, D * other axes]
            found.append(summary(rnn(F.relu(mix(lines)))[0].transpose(1, 2)))
        logits: Tensor = self.head(self.drop(torch.cat(found, 1)))
        return logits[:, 0]


class ConvolutionalPlane(nn.Module):
    """Convolutions over the axes of cells or pixels, each pooled -> logits [B].

    The first two are at full resolution, so that local patterns of 3 and 5 cells count as they are: strides blur single
    wrong cells.
    """

    def __init__(self, x: Tensor, dropout: float = 0.2) -> None:
        super().__init__()
        self.plane, n = Plane(x), x.ndim - 2
        widths, strides = (32, 48, 64, 64), (1, 1, 2, 2)
        inputs = (self.plane.out, *widths)
        self.layers = nn.ModuleList(layer(n, inputs[i], widths[i], strides[i]) for i in range(len(widths)))
        self.drop = nn.Dropout(2 * dropout)
        self.head = nn.Linear(2 * sum(inputs), 1)

    def forward(self, x: Tensor) -> Tensor:
        """Returns logits [B], high for real."""
        h = self.plane(x)
        found = [summary(h)]
        for part in self.layers:
            h = part(h)
            found.append(summary(h))
        logits: Tensor = self.head(self.drop(torch.cat(found, 1)))
        return logits[:, 0]


def is_sequence(x: Tensor) -> bool:
    """Returns whether contents, as ``prepare`` returns them, are sequences."""
    return x.ndim == 3


ARCHITECTURES: dict[str, tuple[type[nn.Module], type[nn.Module]]] = {
    "recurrent": (RecurrentPlane, RecurrentSequence),
    "convolutional": (ConvolutionalPlane, ConvolutionalSequence),
}
"""Architectures of judges: networks of planes and of sequences."""
