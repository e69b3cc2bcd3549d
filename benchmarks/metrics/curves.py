"""Points against curves of a trade-off, such as NLL_test and NLL_oracle: lower is better in every coordinate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

TIE = 1e-9
"""Largest rounding error of a coordinate."""
XY = tuple[float, float]


def verdict(point: XY, curve: Sequence[XY]) -> Literal["dominated", "below", "beyond"]:
    """Compares a point with a curve, whose neighbouring points, in their order, are joined by straight lines.

    ``dominated``: somewhere the curve is at least as good in both coordinates. ``below``: nowhere is it, and the point
    is at least as good in both as some part of the curve, so it lies below the whole curve. ``beyond``: neither, past
    an end of the curve, so nothing is known; sweep more temperatures.

    The lines are fair for (NLL_test, NLL_oracle) of one model at two temperatures: a sampler that draws each sequence
    at the one or, with some probability, at the other has an NLL_oracle on the line, and an NLL_test on it or, as log
    is concave, below. A sampler therefore dominates every point that a line dominates.
    """
    if dominated(point, curve):
        return "dominated"
    return "below" if dominated((-point[0], -point[1]), [(-x, -y) for x, y in curve]) else "beyond"


def dominated(point: Sequence[float], curve: Sequence[Sequence[float]]) -> bool:
    """Returns True if some point of a curve is at least as low in all coordinates; ties go to the curve."""
    knots = np.array([*curve, curve[-1]], np.float64)
    spare = np.array(point) + TIE - knots  # [K + 1, D], by how much each knot is lower
    begin, end = spare[:-1], spare[1:]
    # On a line, the spare is begin + t (end - begin) for t in 0..1: it is at least 0 for t from `since` to `until`.
    crossing = begin / np.where(begin == end, 1.0, begin - end)
    since = np.where(begin >= 0, 0.0, np.where(end >= 0, crossing, np.inf))
    until = np.where(end >= 0, 1.0, crossing)
    return bool((since.max(1) <= until.min(1)).any())
