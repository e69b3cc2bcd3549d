"""Bootstrap intervals over groups of works, and judgements as text."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...envs.task import Bools, Floats, Ints


@dataclasses.dataclass(frozen=True)
class Interval:
    """An estimate with a percentile bootstrap interval around it."""

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.estimate:.3f} [{self.low:.3f}, {self.high:.3f}]"


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
