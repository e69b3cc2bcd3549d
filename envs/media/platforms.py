"""Measures of the form of platform levels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .platformer import SOLID, playable

ENEMIES = "EB"  # and cannons, of which the barrel counts


def platform_measures(contents: NDArray[Any], alphabet: str) -> dict[str, float]:
    """Measures a population [N, H, W] of platform levels.

    A place to stand is a free tile above a solid one. ``playable``: share of levels that ``platformer.playable`` can
    cross. ``linearity``: 1 - the mean distance of places to stand from the line fitted to them, in heights of the
    level; 1 where they lie on a line (Smith & Whitehead 2010, "Analyzing the expressive range of a level generator").
    ``leniency``: minus the enemies and cannons, and half of the columns without ground, of a level (after Smith &
    Whitehead 2010). ``density``: places to stand per column (Horn et al. 2014, "A comparative evaluation of procedural
    level generators in the Mario AI framework").
    """
    symbols = np.array(list(alphabet))
    solid = np.isin(symbols, list(SOLID))[contents]
    stand = ~solid[:, :-1] & solid[:, 1:]
    enemies = np.isin(symbols, list(ENEMIES))[contents].sum((1, 2))
    gaps = (~solid.any(1)).sum(1)
    return {
        "playable": float(playable(contents, alphabet).mean()),
        "linearity": float(1 - _distances(stand).mean() / contents.shape[1]),
        "leniency": float(-(enemies + gaps / 2).mean()),
        "density": float(stand.sum(1).mean()),
    }


def _distances(stand: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Returns the mean distance, tiles, of places [N, H, W] from the line fitted by least squares; 0 for none."""
    rows, columns = np.mgrid[: stand.shape[1], : stand.shape[2]].astype(np.float64)
    count = np.maximum(stand.sum((1, 2)), 1)

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        total: NDArray[np.float64] = (stand * values).sum((1, 2)) / count
        return total

    middle_row, middle_column = mean(rows), mean(columns)
    spread = mean(columns**2) - middle_column**2
    together = mean(rows * columns) - middle_row * middle_column
    slope = np.where(spread > 1e-9, together / np.maximum(spread, 1e-9), 0)
    line = middle_row[:, None, None] + slope[:, None, None] * (columns - middle_column[:, None, None])
    return mean(np.abs(rows - line))
