"""Squares that are filled cell by cell, row by row from the top left: their states, observations and neighbours."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection
from typing import Self, TypeVar

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from .media.frontier import Frontier
from .task import Array, Bools, Ints, State

NEIGHBOURS = {
    "left": (0, -1),
    "left2": (0, -2),
    "above_left": (-1, -1),
    "above": (-1, 0),
    "above_right": (-1, 1),
    "above2": (-2, 0),
}
"""Rows and columns to the cells that a policy sees beside its past actions."""
MIRRORS = {"mirror": (1, 0), "mirror_odd": (1, 1), "reflection": (0, 0), "reflection_odd": (0, 1)}
"""Cells opposite to the next one: the axis along which they lie, 0 of rows and 1 of columns, and how many rows or
columns a room of odd length leaves out."""
PARTS, CUT_OFF = 4, 3  # largest values that ``Joined.parts`` counts


def places(
    side: int,
    neighbours: Collection[tuple[int, int]],
    mirrors: Collection[tuple[int, int]] = (),
    to_come: bool = False,
) -> NDArray[np.intp]:
    """Returns the indices of each cell's neighbours and mirror images, ``side ** 2`` where there is none.

    Args:
        side: cells of a row.
        neighbours: rows and columns to them, as in ``NEIGHBOURS``.
        mirrors: axes and rows or columns left out, as in ``MIRRORS``; those that are not filled yet are not there.
        to_come: True where neighbours that are not filled yet are there as well.

    Returns:
        intp [side ** 2 + 1, K]; the last row is that of a full square.
    """
    cells = np.arange(side * side)
    row, column = np.divmod(cells, side)
    found = np.full((len(cells) + 1, len(neighbours) + len(mirrors)), len(cells), np.intp)
    near = [(row + down, column + across, to_come) for down, across in neighbours]
    for axis, short in mirrors:
        opposite = side - 1 - short - (row, column)[axis]
        near.append((opposite, column, False) if axis == 0 else (row, opposite, False))
    for number, (at_row, at_column, later) in enumerate(near):
        at = at_row * side + at_column
        inside = (at_row >= 0) & (at_row < side) & (at_column >= 0) & (at_column < side)
        found[:-1, number] = np.where(inside & (later | (at < cells)), at, len(cells))
    return found


@dataclasses.dataclass
class Draft(State):
    """B squares of N cells being filled.

    Attributes:
        sheet: uint8 [B, N + 1], code of each cell, row by row, 0 for those to come; the last one stands for cells that
            are not there. Codes are those of a ``Square``.
        step: int64 [B], cells filled.
        style: uint8 [B, C], the conditions.
    """

    sheet: NDArray[np.uint8]
    step: NDArray[np.int64]
    style: NDArray[np.uint8]


@dataclasses.dataclass
class Joined(Draft):
    """B squares being filled, whose cells are joined to parts.

    Attributes:
        labels, corner, cut_off, cells: the ``Frontier`` of the cells that were read so far.
    """

    labels: NDArray[np.int16]
    corner: NDArray[np.int16]
    cut_off: NDArray[np.uint8]
    cells: NDArray[np.int64]

    @classmethod
    def of(cls, draft: Draft, side: int) -> Self:
        """Returns squares whose frontier is still to be read."""
        return cls(**vars(draft), **vars(Frontier.empty(len(draft), side)))

    def frontier(self, read: Reader) -> Frontier:
        """Returns the frontier of squares as they stand; cells that were filled since the last call are read."""
        frontier = Frontier(self.labels, self.corner, self.cut_off, self.cells)
        while len(rows := np.flatnonzero(frontier.cells < self.step)):
            read(self, frontier, rows)
        return frontier

    def parts(self, read: Reader, diagonal: bool) -> NDArray[np.int64]:
        """Returns numbers of connected parts, int64 [B, 3].

        Those that cells to come can join (at most ``PARTS``), those that the next cell alone can join (at most 2 with
        diagonals, 1 without), and those that no cell can join any more (at most ``CUT_OFF``).

        Args:
            read: reads the next cell of the frontier in rows int [n].
            diagonal: True where cells that touch at a corner are of one part.
        """
        frontier = self.frontier(read)
        lost = np.where(self.step < self.sheet.shape[1] - 1, frontier.last_chance(diagonal), 0)
        return np.stack([np.minimum(frontier.parts(), PARTS), lost, np.minimum(frontier.cut_off, CUT_OFF)], 1)


Reader = Callable[[Joined, Frontier, NDArray[np.int64]], None]
"""Reads the next cell of the frontier of some squares, whose rows are given."""
D = TypeVar("D", bound=Draft)


@dataclasses.dataclass(frozen=True)
class Square:
    """Dynamics of a square of cells, each of which is one of a number of values.

    Attributes:
        side: cells of a row.
        values: number of values of a cell.
        first: code of value 0; 1 tells it from cells to come, 0 does not.
        outside: code of cells that are not there.
    """

    side: int
    values: int
    first: int = 1
    outside: int = 0

    @property
    def cells(self) -> int:
        """Number of cells, N."""
        return self.side**2

    def space(self, condition_sizes: tuple[int, ...]) -> gym.spaces.Box:
        """Returns the space of observations: see ``observe``."""
        codes = [self.values - 1 + self.first] * self.cells
        last = [*codes, self.side, self.side - 1, *(size - 1 for size in condition_sizes)]
        return gym.spaces.Box(0, np.array(last, np.uint8), dtype=np.uint8)

    def empty(self, style: Ints) -> Draft:
        """Returns empty squares under conditions int [B, C]."""
        B = len(style)
        sheet = np.zeros((B, self.cells + 1), np.uint8)
        sheet[:, -1] = self.outside
        return Draft(sheet, np.zeros(B, np.int64), style.astype(np.uint8))

    def fill(self, state: D, values: Ints) -> tuple[D, Bools]:
        """Fills the next cell of every square that has one; returns the state and which squares are full, bool [B]."""
        rows = np.flatnonzero(state.step < self.cells)
        state.sheet[rows, state.step[rows]] = values[rows] + self.first
        state.step[rows] += 1
        return state, state.step == self.cells

    def observe(self, state: Draft) -> NDArray[np.uint8]:
        """Returns uint8 [B, N + 2 + C]: the codes of the cells, row and column of the next one, the conditions."""
        N = self.cells
        observed = np.empty((len(state), N + 2 + state.style.shape[1]), np.uint8)
        observed[:, :N] = state.sheet[:, :N]
        observed[:, N] = state.step // self.side
        observed[:, N + 1] = state.step % self.side
        observed[:, N + 2 :] = state.style
        return observed

    def restore(self, observations: Array) -> Draft:
        """Inverts ``observe``."""
        N, observations = self.cells, np.asarray(observations).astype(np.uint8)
        step = observations[:, N].astype(np.int64) * self.side + observations[:, N + 1]
        sheet = observations[:, : N + 1].copy()
        sheet[:, -1] = self.outside
        return Draft(sheet, step, observations[:, N + 2 :].copy(), done=step == N)

    def content(self, state: Draft) -> NDArray[np.uint8]:
        """Returns the values of the cells, uint8 [B, side, side]; value 0 where there are none yet."""
        filled = np.maximum(state.sheet[:, : self.cells], self.first) - np.uint8(self.first)
        return filled.reshape(-1, self.side, self.side)


def next_cells(state: Draft) -> list[int | None]:
    """Returns the index of the next cell of each square, None where it is full."""
    return [None if done else int(step) for step, done in zip(state.step, state.done, strict=True)]
