"""Measures of populations of sprites: their colours and silhouettes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .strokes import components

Ints = NDArray[np.integer[Any]]
Counts = NDArray[np.float64]

DARK = 80  # lightness below which a colour outlines, of 255
EPSILON = 1e-6  # Lucas & Volz 2019
PAIRS = 1000
"""Pairs of sprites that the mean distance averages over, at most."""


def lightness(palette: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Returns the luma of colours uint8 [P, 3], float64 [P], 0 to 255 (ITU-R BT.601)."""
    luma: NDArray[np.float64] = palette @ np.array([0.299, 0.587, 0.114])
    return luma


def measure(sprites: Ints, palette: NDArray[np.uint8]) -> dict[str, float]:
    """Measures sprites [N, H, W] by themselves; see ``Sprite.metrics``."""
    covered = sprites > 0
    number = covered.sum((1, 2))
    edges = _edges(covered)
    border = covered & (edges > 0)
    dark = np.concatenate([[False], lightness(palette) < DARK])
    perimeter = edges.sum((1, 2))
    some = number > 0
    shown = np.stack([(sprites == value).any((1, 2)) for value in range(1, len(palette) + 1)])
    return {
        "covered": float(covered.mean()),
        "colours": float(shown.sum(0).mean()),
        "outline": float(dark[sprites[border]].mean()) if border.any() else 0.0,
        "even": _even(sprites),
        "symmetry": _symmetry(sprites),
        "pieces": float(components(covered).mean()),
        "compactness": float((16 * number[some] / perimeter[some] ** 2).mean()) if some.any() else 0.0,
        "pixel_distance": _distance(sprites),
    }


def compare(sprites: Ints, real: tuple[Counts, Counts], values: int) -> dict[str, float]:
    """Compares sprites [N, H, W] with ``counts`` of real ones; see ``Sprite.metrics``."""
    ours = counts(sprites, values)
    return {
        f"{name}_kl": divergence(*pair)
        for name, pair in zip(("palette", "pattern"), zip(ours, real, strict=True), strict=True)
    }


def counts(sprites: Ints, values: int) -> tuple[Counts, Counts]:
    """Returns how often colours occur, float64 [values - 1], and squares of 2 x 2 pixels, float64 [values^4]."""
    colours = np.bincount(sprites[sprites > 0], minlength=values)[1:]
    wide = sprites.astype(np.int64)
    rows = wide[:, :-1] * values + wide[:, 1:]
    squares = rows[:, :, :-1] * values**2 + rows[:, :, 1:]
    patterns = np.bincount(squares.ravel(), minlength=values**4)
    return colours.astype(np.float64), patterns.astype(np.float64)


def divergence(ours: Counts, real: Counts) -> float:
    """Returns sum_x p(x) ln(p(x) / q(x)) of real counts p and ours q, in nats (Kullback & Leibler 1951).

    Both are smoothed as by Lucas & Volz 2019: (count + e) / ((total + e) (1 + e)) over the entries that either has.
    """
    here = (ours > 0) | (real > 0)
    p, q = ((count[here] + EPSILON) / ((count.sum() + EPSILON) * (1 + EPSILON)) for count in (real, ours))
    return float((p * np.log(p / q)).sum())


def _edges(covered: NDArray[np.bool_]) -> Ints:
    """Returns how many of the four sides of each covered pixel are bare, int [N, H, W]."""
    padded = np.pad(covered, ((0, 0), (1, 1), (1, 1)))
    inner = padded[:, 1:-1, 1:-1]
    sides = (padded[:, :-2, 1:-1], padded[:, 2:, 1:-1], padded[:, 1:-1, :-2], padded[:, 1:-1, 2:])
    found: Ints = np.sum([inner & ~side for side in sides], axis=0, dtype=np.int64)
    return found


def _even(sprites: Ints) -> float:
    """Returns the share of neighbouring pairs of covered pixels that are of one colour."""
    same = pairs = 0
    for first, second in ((sprites[:, 1:], sprites[:, :-1]), (sprites[:, :, 1:], sprites[:, :, :-1])):
        both = (first > 0) & (second > 0)
        pairs += int(both.sum())
        same += int((both & (first == second)).sum())
    return same / pairs if pairs else 0.0


def _symmetry(sprites: Ints) -> float:
    """Returns the mean share of covered pixels that equal their mirror image about the middle of each sprite."""
    shares = []
    for sprite in sprites:
        columns = np.flatnonzero((sprite > 0).any(0))
        if len(columns):
            own = sprite[:, columns[0] : columns[-1] + 1]
            shares.append(((own == own[:, ::-1]) & (own > 0)).sum() / (own > 0).sum())
    return float(np.mean(shares)) if shares else 0.0


def _distance(sprites: Ints) -> float:
    """Returns the mean share of pixels in which two sprites differ, of up to 1,000 random pairs."""
    N = len(sprites)
    if N < 2:
        return 0.0
    rng = np.random.default_rng(0)
    first = rng.integers(N, size=PAIRS)
    second = (first + rng.integers(1, N, size=PAIRS)) % N
    return float((sprites[first] != sprites[second]).mean())
