"""Patterns of tiles: how often each square of a few tiles occurs in a population of levels."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

SMOOTHING = 1e-6  # added to every count, as in the paper


class Patterns(NamedTuple):
    """Different patterns, ascending hashes uint64 [K], and how often each occurs, float64 [K]."""

    hashes: NDArray[np.uint64]
    counts: NDArray[np.float64]


def patterns(contents: NDArray[Any], side: int) -> Patterns:
    """Counts the patterns of ``side`` x ``side`` tiles at all places of levels [N, H, W].

    A pattern is known by a hash of 64 bits: of a million patterns, two share one with a chance of 1 in 40 million.
    """
    tiles = contents.astype(np.uint64) + np.uint64(1)
    factors = _mixed(np.arange(1, side * side + 1, dtype=np.uint64).reshape(side, side)) | np.uint64(1)
    height, width = contents.shape[1] - side + 1, contents.shape[2] - side + 1
    total = np.zeros((len(contents), height, width), np.uint64)
    for row in range(side):
        for column in range(side):
            total += _mixed(tiles[:, row : row + height, column : column + width] * factors[row, column])
    hashes, counts = np.unique(total, return_counts=True)
    return Patterns(hashes, counts.astype(np.float64))


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Returns well spread numbers (the finaliser of SplitMix64: Steele et al. 2014)."""
    numbers = numbers * np.uint64(0x9E3779B97F4A7C15)
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


def divergence(p: Patterns, q: Patterns) -> float:
    """Returns the Kullback-Leibler divergence of the patterns ``p`` from ``q``, nats.

    ``sum P'(x) log(P'(x) / Q'(x))`` over the patterns of both, with ``P'(x) = (C(x) + e) / ((C + e) (1 + e))`` for
    count C(x) of C and e = 1e-6 (Lucas & Volz 2019, arXiv:1905.05077).
    """
    every = np.union1d(p.hashes, q.hashes)
    shares = []
    for each in (p, q):
        counts = np.zeros(len(every))
        counts[np.searchsorted(every, each.hashes)] = each.counts
        shares.append((counts + SMOOTHING) / ((each.counts.sum() + SMOOTHING) * (1 + SMOOTHING)))
    return float((shares[0] * np.log(shares[0] / shares[1])).sum())
