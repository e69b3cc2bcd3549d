"""Measures of a population of contents against real works: quality, diversity, novelty, copying.

No number here suffices alone: a single memorised work, repeated, has perfect precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...envs.task import Array, Bools, Floats, Ints, Task, Works


def nearest(x: Floats, k: int) -> Floats:
    """Returns float64 [N]: each point's distance to its k-th nearest other point of x [N, D]."""
    if len(x) <= k:
        raise ValueError(f"{k} nearest neighbours need more than {k} points; got {len(x)}")
    return np.partition(distances(x, x), k, axis=1)[:, k]  # its distance to itself, 0, comes first


def distances(x: Floats, y: Floats) -> Floats:
    """Euclidean distances float64 [N, M] between x [N, D] and y [M, D]."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    squared = (x**2).sum(1)[:, None] + (y**2).sum(1) - 2 * x @ y.T
    # Cancellation leaves about 1e-16 of the squares where points coincide: that is 0.
    squared[squared < 1e-12 * (1 + (x**2).sum(1)[:, None])] = 0
    roots: Floats = np.sqrt(squared)
    return roots


def precision_recall(real: Floats, fake: Floats, k: int = 3) -> dict[str, float]:
    """Improved precision and recall (Kynkaanniemi et al. 2019, "Improved Precision and Recall Metric", k = 3).

    precision: share of generated points within some real point's ball, whose radius is the distance to that real
    point's k-th nearest real neighbour; recall: the same with the sides exchanged. real [N, D], fake [M, D].
    """
    between = distances(real, fake)
    return {
        "precision": float((between <= nearest(real, k)[:, None]).any(0).mean()),
        "recall": float((between <= nearest(fake, k)).any(1).mean()),
    }


def density_coverage(real: Floats, fake: Floats, k: int = 5) -> dict[str, float]:
    """Density and coverage (Naeem et al. 2020, "Reliable Fidelity and Diversity Metrics", k = 5).

    density: how many real balls hold a generated point, on average, over k (1 for equal distributions, may exceed it);
    coverage: share of real balls that hold at least one generated point.
    """
    inside = distances(real, fake) <= nearest(real, k)[:, None]  # [N, M]
    return {"density": float(inside.sum(0).mean() / k), "coverage": float(inside.any(1).mean())}


def keys(contents: Array) -> list[bytes]:
    """Returns one hashable key per content [N, ...], equal for equal contents."""
    flat = np.ascontiguousarray(contents).reshape(len(contents), -1)
    return [row.tobytes() for row in flat]


def unique(contents: Array) -> float:
    """Share of distinct works among the contents: distinct / N."""
    return len(set(keys(contents))) / len(contents)


def novel(contents: Array, train: Array) -> float:
    """Share of contents that equal no work of the train split."""
    known = set(keys(train.astype(contents.dtype, copy=False)))
    return float(np.mean([key not in known for key in keys(contents)]))


def row_tokens(contents: Array) -> Ints:
    """One number per row of contents [N, L, ...]: int64 [N, L], equal for equal rows, 0 for rows of zeros (padding)."""
    rows = np.ascontiguousarray(contents).reshape(len(contents), contents.shape[1], -1).astype(np.uint64)
    factors = np.random.default_rng(1).integers(1, 2**63, rows.shape[2], dtype=np.uint64) | np.uint64(1)
    mixed = (rows * factors).sum(-1, dtype=np.uint64)  # modulo 2^64
    return np.where((rows != 0).any(-1), np.maximum(mixed >> np.uint64(1), 1), 0).astype(np.int64)


def longest_runs(tokens: Ints, train: Ints) -> Ints:
    """Longest run of consecutive tokens shared with any training work: int64 [N].

    Args:
        tokens: int [N, L] of the works, 0 = padding, which belongs to no run.
        train: int [M, K] of the training works, likewise.

    Runs of length n + 1 can only begin where runs of length n begin, so both sides shrink as n grows. Runs are compared
    by 64-bit hashes; with 10^6 training positions a false match has a chance of about 10^-7 per run.
    """
    rng = np.random.default_rng(2)
    values = np.unique(np.concatenate([tokens.ravel(), train.ravel()]))
    salts = rng.integers(1, 2**63, len(values), dtype=np.uint64)
    sides: list[tuple[NDArray[np.uint64], Ints]] = []
    for array in (tokens, train):
        padded = np.pad(np.asarray(array), ((0, 0), (0, 1)))  # a 0 after every row: runs cross no border
        salted = np.where(padded == 0, 0, salts[np.searchsorted(values, padded)]).ravel()
        sides.append((salted, np.flatnonzero(salted)))
    query, query_at = sides[0]
    known, known_at = sides[1]
    query_hash, known_hash = np.zeros(len(query_at), np.uint64), np.zeros(len(known_at), np.uint64)
    runs = np.zeros(len(tokens), np.int64)
    for length in range(1, min(tokens.shape[1], train.shape[1]) + 1):
        query_at, query_hash = _grow(query, query_at, query_hash, length)
        known_at, known_hash = _grow(known, known_at, known_hash, length)
        shared = np.intersect1d(query_hash, known_hash)
        keep = np.isin(query_hash, shared)
        query_at, query_hash = query_at[keep], query_hash[keep]
        if not len(query_at):
            break
        keep = np.isin(known_hash, shared)
        known_at, known_hash = known_at[keep], known_hash[keep]
        runs[np.unique(query_at // (tokens.shape[1] + 1))] = length
    return runs


def _grow(
    flat: NDArray[np.uint64], at: Ints, hashes: NDArray[np.uint64], length: int
) -> tuple[Ints, NDArray[np.uint64]]:
    """Extends the runs that begin at ``at`` by their ``length``-th token; drops those that end there."""
    token = flat[np.minimum(at + length - 1, len(flat) - 1)]
    keep = token != 0
    mixed = hashes[keep] * np.uint64(0x9E3779B97F4A7C15) + token[keep]  # modulo 2^64
    return at[keep], mixed ^ (mixed >> np.uint64(29))


def validity(task: Task[Any], works: Works) -> float:
    """Share of works that are exactly rebuilt from their demonstrations."""
    return float(valid(task, works).mean())


def valid(task: Task[Any], works: Works) -> Bools:
    """Returns whether each work is exactly rebuilt, bool [N]; halves the batch where a demonstration raises."""
    contents, N = works.contents, len(works)
    if not N:
        return np.zeros(0, bool)
    try:
        actions = task.demonstrations(contents, works.conditions)
    except ValueError:
        if N == 1:
            return np.zeros(1, bool)
        return np.concatenate([valid(task, works.take(half)) for half in (slice(N // 2), slice(N // 2, N))])
    state = task.initial(np.zeros(N, np.uint64), works.conditions if task.conditions else None)
    for t in range(task.horizon):
        state, done = task.step(state, actions[:, t])
    built = task.decoded(task.content(state), np.random.default_rng(0))
    same: Bools = done & (built == contents).reshape(N, -1).all(1)
    return same
