"""Randomness of starts: one stream a row, so that rows never depend on their neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .task import Ints


class Draws:
    """One stream of uniform uint64 for each row, drawn ahead in blocks; row i is its own generator.

    Args:
        num_rows: n.
    """

    BLOCK = 64

    def __init__(self, num_rows: int) -> None:
        self.seeds: list[int | None] = [None] * num_rows
        self.generators: list[np.random.Generator] = []
        self._blocks = np.zeros((num_rows, self.BLOCK), np.uint64)
        self._next = np.full(num_rows, self.BLOCK)  # [n], the column that comes next

    def seed(self, seed: int | Sequence[int | None] | None, rows: Ints) -> None:
        """Starts the streams of some rows anew: row i with ``seed + i`` or ``seed[i]``; None lets them go on."""
        n = len(self._next)
        if not self.generators:
            self.generators = [np.random.default_rng() for _ in range(n)]
        if seed is None:
            return
        if isinstance(seed, int | np.integer):
            seeds: list[int | None] = [int(seed) + i for i in range(n)]
        elif np.asarray(seed, object).ndim == 1:
            seeds = list(seed)
        else:
            raise ValueError(f"seed must be an integer, {n} of them or None, not {seed!r}")
        if len(seeds) != n:
            raise ValueError(f"{n} rows need {n} seeds, not {len(seeds)}")
        for row in rows:
            if (fresh := seeds[row]) is not None:
                self.seeds[row] = int(fresh)
                self.generators[row] = np.random.default_rng(int(fresh))
                self._next[row] = self.BLOCK

    def take(self, rows: Ints) -> NDArray[np.uint64]:
        """Returns the next draw of each of the rows, uint64 [B]."""
        columns = self._next[rows]
        spent = columns == self.BLOCK
        if spent.any():
            for row in rows[spent]:
                self._blocks[row] = self.generators[row].bit_generator.random_raw(self.BLOCK)
            columns[spent] = 0
        self._next[rows] = columns + 1
        drawn: NDArray[np.uint64] = self._blocks.take(rows * self.BLOCK + columns)
        return drawn


def gaussian(draws: NDArray[np.uint64], size: int) -> NDArray[np.float32]:
    """Returns standard normal noise float32 [B, size], each row a function of its own draw uint64 [B]."""
    rows = [np.random.default_rng(int(draw)).standard_normal(size, np.float32) for draw in draws]
    return np.stack(rows) if rows else np.zeros((0, size), np.float32)
