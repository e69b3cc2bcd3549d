"""Connected parts of maps that are built row by row: which of them can still be joined, and which are cut off.

A scan of the map that remembers the parts of its latest cells alone (Rosenfeld & Pfaltz 1966, "Sequential operations in
digital picture processing"; with it Eller's algorithm draws mazes row by row).
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray


@dataclasses.dataclass
class Frontier:
    """The latest cells of B maps of W columns: one of each column.

    Attributes:
        labels: int16 [B, W], equal for cells of one part, 0 for cells that are no part of any.
        corner: int16 [B], that of the cell above the latest one; 0 at the start of a row.
        cut_off: uint8 [B], parts that no cell to come can join.
        cells: int64 [B], cells that were read.
    """

    labels: NDArray[np.int16]
    corner: NDArray[np.int16]
    cut_off: NDArray[np.uint8]
    cells: NDArray[np.int64]

    @classmethod
    def empty(cls, rows: int, width: int) -> Frontier:
        """Returns the frontier of maps without cells."""
        zeros = np.zeros(rows, np.int16)
        return cls(np.zeros((rows, width), np.int16), zeros, zeros.astype(np.uint8), zeros.astype(np.int64))

    def read(
        self,
        rows: NDArray[np.int64],
        inside: NDArray[np.bool_],
        diagonal: bool = False,
        left_joins: NDArray[np.bool_] | bool = True,
        above_joins: NDArray[np.bool_] | bool = True,
    ) -> None:
        """Reads the next cell of some maps.

        Args:
            rows: of the maps, int [N].
            inside: which cells belong to a part, bool [N].
            diagonal: True where cells that touch at a corner are of one part.
            left_joins: False where a cell is of another part than its left neighbour, such as beside a cliff, bool [N].
            above_joins: The same of the cell above it; these two are for maps without diagonals.
        """
        labels, cell = self.labels[rows], self.cells[rows]
        width, each = labels.shape[1], np.arange(len(rows))
        column, corner = cell % width, self.corner[rows] * diagonal
        padded = np.pad(labels, ((0, 0), (1, 1)))
        left, above, right = (padded[each, column + step] for step in range(3))
        lost = self._lost(labels, column, corner, diagonal)
        left, above = np.where(left_joins, left, 0), np.where(above_joins, above, 0)
        joined = (labels == left[:, None]) | (labels == above[:, None])
        if diagonal:
            joined |= (labels == corner[:, None]) | (labels == right[:, None])
        new = (cell + 1).astype(np.int16)
        labels = np.where(joined & (labels > 0) & inside[:, None], new[:, None], labels)
        self.corner[rows] = np.where(column == width - 1, 0, labels[each, column])
        labels[each, column] = np.where(inside, new, 0)
        self.labels[rows], self.cells[rows] = labels, cell + 1
        self.cut_off[rows] += np.where(inside & above_joins, 0, lost).astype(np.uint8)

    def _lost(
        self, labels: NDArray[np.int16], column: NDArray[np.int64], corner: NDArray[np.int16], diagonal: bool
    ) -> NDArray[np.int64]:
        """Returns the number of parts that are cut off unless the next cell joins them, int [N]."""
        each, last = np.arange(len(column)), column == labels.shape[1] - 1
        above, rest = labels[each, column], labels.copy()
        rest[each, column] = 0
        alone: NDArray[np.bool_] = (above > 0) & ~(rest == above[:, None]).any(1)
        if not diagonal:
            return alone.astype(np.int64)
        lost = (corner > 0) & ~(rest == corner[:, None]).any(1) & (last | (above != corner))
        total: NDArray[np.int64] = lost.astype(np.int64) + (last & alone & (above != corner))
        return total

    def parts(self) -> NDArray[np.int64]:
        """Returns the number of parts that cells to come can join, int [B]."""
        ordered = np.sort(self.labels, 1)
        found: NDArray[np.int64] = (ordered[:, 0] > 0) + (np.diff(ordered, axis=1) > 0).sum(1)
        return found

    def last_chance(self, diagonal: bool) -> NDArray[np.int64]:
        """Returns the number of parts, 0 to 2, that are cut off unless the next cell joins them, int [B]."""
        return self._lost(self.labels, self.cells % self.labels.shape[1], self.corner, diagonal)
