"""Points against curves of a trade-off, such as NLL_test and NLL_oracle: lower is better in every coordinate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

TIE = 1e-9
"""What rounding may add to a coordinate."""
XY = tuple[float, float]


def verdict(point: XY, curve: Sequence[XY]) -> Literal["dominated", "below", "beyond"]:
    """Holds a point against a curve: neighbouring points of it, in their order, are joined by straight lines.

    ``dominated``: somewhere the curve is at least as good in both. ``below``: nowhere is it, and the point is at least
    as good in both as some of the curve: it lies below the whole of it. ``beyond``: neither, past an end of the curve,
    which says nothing; sweep more temperatures.

    The lines are fair for (NLL_test, NLL_oracle) of one model at two temperatures: who draws every sequence at the one
    or, with some probability, at the other has an NLL_oracle on the line, and an NLL_test on it or (log being concave)
    below. So what a line dominates, a sampler dominates.
    """
    if dominated(point, curve):
        return "dominated"
    return "below" if dominated((-point[0], -point[1]), [(-x, -y) for x, y in curve]) else "beyond"


def dominated(point: Sequence[float], curve: Sequence[Sequence[float]]) -> bool:
    """Whether some point of a curve is at least as low in all coordinates, see ``verdict``; ties go to the curve."""
    knots = np.array([*curve, curve[-1]], np.float64)
    spare = np.array(point) + TIE - knots  # [K + 1, D]: how much lower each knot is
    begin, end = spare[:-1], spare[1:]
    # On a line, the spare is begin + t (end - begin) for t in 0..1: from which t to which is it at least 0?
    crossing = begin / np.where(begin == end, 1.0, begin - end)
    since = np.where(begin >= 0, 0.0, np.where(end >= 0, crossing, np.inf))
    until = np.where(end >= 0, 1.0, crossing)
    return bool((since.max(1) <= until.min(1)).any())
