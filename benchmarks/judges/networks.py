"""Small networks for judges and measuring features, chosen by the kind of a medium.

They read contents as arrays alone and share nothing with the networks of agents and discriminators, so that tuning
those never changes the measures.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

Kind = Literal["sequence", "grid", "image"]
LAGS = 24
WIDTH = 64


def prepare(contents: NDArray[Any], kind: Kind) -> Tensor:
    """Brings contents into the one form that the networks of a kind read.

    Returns:
        sequence: int64 [N, L, C] (the columns of L rows); grid: int64 [N, H, W] (with the cells' columns laid
        side by side where there are several); image: float32 [N, C, H, W] in 0..1 where the contents are bytes.
    """
    array = np.asarray(contents)
    if kind == "sequence":
        return torch.from_numpy(array.reshape(len(array), array.shape[1], -1).astype(np.int64))
    if kind == "grid":
        return torch.from_numpy(array.reshape(len(array), array.shape[1], -1).astype(np.int64))
    scale = 255.0 if array.dtype == np.uint8 else 1.0
    array = array.reshape(*array.shape[:3], -1).transpose(0, 3, 1, 2)
    return torch.from_numpy(np.ascontiguousarray(array, np.float32) / np.float32(scale))


def lengths(x: Tensor) -> Tensor:
    """Returns int64 [N]: one past the last row that is not all zeros (padding), of sequences int64 [N, L, C]."""
    used = (x != 0).any(-1)  # [N, L]
    steps = torch.arange(1, x.shape[1] + 1)
    return (used * steps).amax(1).clamp(min=1)


def sizes(x: Tensor) -> tuple[int, ...]:
    """Returns how many values each column of int64 [N, L, C] takes; one number for grids is ``max(sizes)``."""
    return tuple(int(column.max()) + 1 for column in x.unbind(-1))


class RowEmbedding(nn.Module):
    """Sequences int64 [B, L, C] -> float32 [B, L, D]; padding becomes zeros.

    The first row has tables of its own, since it is a header in some contents. Places from the start and (``ends``)
    from the end are embedded too: how a work begins and closes is what a pooled network would otherwise not see.
    """

    def __init__(self, columns: tuple[int, ...], rows: int, width: int = WIDTH, ends: bool = True) -> None:
        super().__init__()
        self.columns = columns
        each = max(12, width // len(columns))
        self.tables = nn.ModuleList(nn.Embedding(2 * size, each) for size in columns)
        self.from_start = nn.Embedding(rows + 1, 8)
        self.from_end = nn.Embedding(rows + 1, 8) if ends else None
        self.mix = nn.Linear(each * len(columns) + (16 if ends else 8), width)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the embedded rows and which of them are no padding, bool [B, L]."""
        length = lengths(x)
        steps = torch.arange(x.shape[1])
        valid = steps < length[:, None]
        columns = []
        for i, (table, size) in enumerate(zip(self.tables, self.columns, strict=True)):
            values = x[..., i].clamp(max=size - 1)
            columns.append(table(values + size * (steps == 0)))
        columns.append(self.from_start(steps).expand(len(x), -1, -1))
        if self.from_end is not None:
            columns.append(self.from_end((length[:, None] - 1 - steps).clamp(min=0)))
        out = self.mix(torch.cat(columns, -1))
        return F.relu(out) * valid[..., None], valid


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
    """Grids int64 [B, H, W] or images float32 [B, C, H, W] -> float32 [B, D, H, W]."""

    def __init__(self, x: Tensor, width: int = 16) -> None:
        super().__init__()
        self.table = nn.Embedding(int(x.max()) + 1, width) if x.ndim == 3 else None
        self.out = width if x.ndim == 3 else x.shape[1]

    def forward(self, x: Tensor) -> Tensor:
        """Returns float32 [B, D, H, W]."""
        if self.table is None:
            return x
        cells: Tensor = self.table(x.clamp(max=self.table.num_embeddings - 1))
        return cells.permute(0, 3, 1, 2)


class RecurrentPlane(nn.Module):
    """A bidirectional GRU over the lines of a grid or image, pooled -> logits [B]."""

    def __init__(self, x: Tensor, dropout: float = 0.2) -> None:
        super().__init__()
        self.cells = Cells(x)
        self.mix = nn.Linear(self.cells.out * x.shape[-1], WIDTH)
        self.rnn = nn.GRU(WIDTH, WIDTH, batch_first=True, bidirectional=True)
        self.drop = nn.Dropout(2 * dropout)
        self.head = nn.Linear(4 * WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Returns logits [B], high for real."""
        cells = self.cells(x)
        lines = F.relu(self.mix(cells.permute(0, 2, 1, 3).flatten(2)))
        h, _ = self.rnn(lines)
        logits: Tensor = self.head(self.drop(pool(h, torch.ones(h.shape[:2], dtype=torch.bool))))
        return logits[:, 0]


class ConvolutionalPlane(nn.Module):
    """Convolutions over a grid or image, pooled -> logits [B]."""

    def __init__(self, x: Tensor, dropout: float = 0.2) -> None:
        super().__init__()
        self.cells = Cells(x)
        self.body = nn.Sequential(
            nn.Conv2d(self.cells.out, 32, 3, padding=1), nn.ReLU(),
            nn.Conv2d(32, 48, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(48, WIDTH, 3, stride=2, padding=1), nn.ReLU(),
        )  # fmt: skip
        self.drop = nn.Dropout(2 * dropout)
        self.head = nn.Linear(2 * WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Returns logits [B], high for real."""
        h = self.body(self.cells(x))
        logits: Tensor = self.head(self.drop(torch.cat([h.mean((2, 3)), h.amax((2, 3))], -1)))
        return logits[:, 0]


def judge_network(architecture: str, kind: Kind, x: Tensor) -> nn.Module:
    """Builds the judge of an architecture for contents like ``x`` (as ``prepare`` returns them)."""
    table: dict[tuple[str, bool], type[nn.Module]] = {
        ("recurrent", True): RecurrentSequence,
        ("convolutional", True): ConvolutionalSequence,
        ("recurrent", False): RecurrentPlane,
        ("convolutional", False): ConvolutionalPlane,
    }
    if (architecture, True) not in table:
        raise ValueError(f"no judge architecture {architecture!r}: choose 'recurrent' or 'convolutional'")
    return table[architecture, kind == "sequence"](x)
