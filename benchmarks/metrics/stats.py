"""Bootstrap intervals over groups of works, and comparisons of two sets of numbers; numpy only."""

from __future__ import annotations

import dataclasses

import numpy as np

from ...envs.task import Bools, Floats, Ints

RESAMPLES = 2000


@dataclasses.dataclass(frozen=True)
class Interval:
    """An estimate with a percentile bootstrap interval around it."""

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.estimate:.3f} [{self.low:.3f}, {self.high:.3f}]"


def mean_by_group(values: Floats, groups: Ints, rng: np.random.Generator, confidence: float = 0.95) -> Interval:
    """Mean over works with a bootstrap over groups (whole tunes are drawn, with all their works); 95% by default."""
    index = np.unique(groups, return_inverse=True)[1]
    sums, counts = np.bincount(index, np.asarray(values, np.float64)), np.bincount(index).astype(np.float64)
    draws = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), RESAMPLES).astype(np.float64)
    low, high = np.quantile((draws @ sums) / (draws @ counts), [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(sums.sum() / counts.sum()), float(low), float(high))


def paired_difference(a: Floats, b: Floats, groups: Ints, rng: np.random.Generator) -> Interval:
    """Mean of a - b over works, with a paired bootstrap over groups.

    An interval below 0 throughout: a is smaller than b beyond the choice of works.

    Args:
        a: float or bool [n], the figure of one method on each work (for C2ST: whether its judges were right).
        b: the same for another method, on the same works in the same order.
        groups: int [n]; whole groups are drawn with replacement, the same ones for both methods.
        rng: draws the resamples.
    """
    if not len(a) == len(b) == len(groups):
        raise ValueError(f"a paired bootstrap needs equal lengths; got {len(a)}, {len(b)} and {len(groups)} groups")
    return mean_by_group(np.asarray(a, np.float64) - np.asarray(b, np.float64), groups, rng)


def packed(right: Bools) -> str:
    """Returns bool [n] as hexadecimal, the first work in the highest bit: whether judges were right about each work."""
    return bytes(np.packbits(right)).hex()


def unpacked(text: str, n: int) -> Bools:
    """Returns bool [n] from the text of ``packed``."""
    return np.unpackbits(np.frombuffer(bytes.fromhex(text), np.uint8))[:n].astype(bool)


def share_above(ones: Floats, others: Floats) -> float:
    """Returns the share of pairs in which the one is larger than the other, ties counted half (Mann & Whitney 1947).

    0.5 where both are alike; the area under the curve of a detector that takes the larger ones.

    Args:
        ones: float [N].
        others: float [M].
    """
    above, equal = (ones[:, None] > others).mean(), (ones[:, None] == others).mean()
    return float(above + equal / 2)
