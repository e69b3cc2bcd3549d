"""Statistics for tables of few runs: interquartile means and bootstrap intervals, numpy only."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...envs.task import Bools, Floats, Ints


@dataclasses.dataclass(frozen=True)
class Interval:
    """An estimate with a percentile bootstrap interval around it."""

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.estimate:.3f} [{self.low:.3f}, {self.high:.3f}]"


def iqm(scores: ArrayLike) -> float:
    """Interquartile mean: the mean of the middle half of all scores, runs and tasks pooled.

    Agarwal et al. 2021, "Deep RL at the Edge of the Statistical Precipice". A quarter of the mass is cut at each end;
    where a quarter is no whole number of scores, the ones at the edge count in part (with three scores, the middle one
    counts 2/3 and the outer two 1/6 each). Scores that are no numbers are an error, not a gap.
    """
    values = np.sort(np.asarray(scores, np.float64).ravel())
    if not len(values) or not np.isfinite(values).all():
        raise ValueError("an interquartile mean needs scores, all of them finite")
    weights = _middle(len(values))
    return float(values @ weights)


def _middle(n: int) -> NDArray[np.float64]:
    edges = np.arange(n + 1) / n
    inside = np.clip(edges, 0.25, 0.75)
    weights: NDArray[np.float64] = np.diff(inside) * 2
    return weights


def iqm_interval(
    scores: ArrayLike, rng: np.random.Generator, *, resamples: int = 2000, confidence: float = 0.95
) -> Interval:
    """IQM of scores [runs, tasks] with a stratified bootstrap: runs are resampled within each task (Agarwal 2021)."""
    table = np.asarray(scores, np.float64)
    if table.ndim == 1:
        table = table[:, None]
    estimate = iqm(table)
    runs, tasks = table.shape
    draws = rng.integers(runs, size=(resamples, runs, tasks))
    drawn = np.take_along_axis(np.broadcast_to(table, (resamples, runs, tasks)), draws, 1)
    flat = np.sort(drawn.reshape(resamples, -1), 1)
    return _interval(estimate, flat @ _middle(runs * tasks), confidence)


def mean_by_group(
    values: Floats, groups: Ints, rng: np.random.Generator, *, resamples: int = 2000, confidence: float = 0.95
) -> Interval:
    """Mean over works with a bootstrap over groups (whole tunes are drawn, with all their works)."""
    sums, counts = _per_group(values, groups)
    draws = _group_draws(len(sums), resamples, rng)
    return _interval(float(sums.sum() / counts.sum()), (draws @ sums) / (draws @ counts), confidence)


def paired_difference(
    a: Floats, b: Floats, groups: Ints, rng: np.random.Generator, *, resamples: int = 2000, confidence: float = 0.95
) -> Interval:
    """Mean of a - b over works, with a paired bootstrap over groups.

    Args:
        a: float or bool [n], what one method got on each work (for C2ST: whether its judges were right).
        b: the same for another method, on the same works in the same order.
        groups: int [n]; whole groups are drawn with replacement, the same ones for both methods.
        rng: draws the resamples.
        resamples: how many.
        confidence: of the percentile interval. Below 0 throughout: a is smaller than b beyond the choice of works.
    """
    if not len(a) == len(b) == len(groups):
        raise ValueError(f"a paired bootstrap needs equal lengths; got {len(a)}, {len(b)} and {len(groups)} groups")
    difference = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    return mean_by_group(difference, groups, rng, resamples=resamples, confidence=confidence)


def packed(right: Bools) -> str:
    """Writes bool [n] as hexadecimal, first work in the highest bit: which works judges were right about."""
    return bytes(np.packbits(right)).hex()


def unpacked(text: str, n: int) -> Bools:
    """Reads what ``packed`` wrote of n works, bool [n]."""
    return np.unpackbits(np.frombuffer(bytes.fromhex(text), np.uint8))[:n].astype(bool)


def _per_group(values: Floats, groups: Ints) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    index = np.unique(groups, return_inverse=True)[1]
    sums = np.bincount(index, np.asarray(values, np.float64))
    return sums.astype(np.float64), np.bincount(index).astype(np.float64)


def _group_draws(n: int, resamples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """How often each of n groups is drawn in each resample, float64 [resamples, n]."""
    return rng.multinomial(n, np.full(n, 1 / n), resamples).astype(np.float64)


def _interval(estimate: float, drawn: NDArray[Any], confidence: float) -> Interval:
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(estimate, float(low), float(high))
