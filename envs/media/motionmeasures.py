"""Measures of populations of animations: how much changes from frame to frame, and how."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import spritemeasures
from .spritemeasures import Counts, divergence

Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]

BLOCK = 4  # pixels of a block's side
REACH = 2  # pixels that a block may have come from, at most
OF_FRAMES = ("covered", "colours", "outline", "even", "pixel_distance")


def measure(animations: Ints, palette: NDArray[np.uint8]) -> dict[str, float]:
    """Measures animations [N, T, H, W] by themselves; see ``Animation.metrics``."""
    before, after = animations[:, :-1], animations[:, 1:]
    different = before != after
    either = ((before > 0) | (after > 0)).sum((2, 3))
    moving = different.any((2, 3))
    again = different[:, :-1] & (animations[:, :-2] == animations[:, 2:])
    returning = different[:, :-1].sum()
    number = (animations > 0).sum((2, 3))
    least = np.maximum(np.maximum(number[:, :-1], number[:, 1:]), 1)
    frames = spritemeasures.measure(animations.reshape(-1, *animations.shape[2:]), palette)
    return {
        "changed": _mean(different.sum((2, 3)) / np.maximum(either, 1)),
        "held": float(1 - moving.mean()),
        "flicker": float(again.sum() / returning) if returning else 0.0,
        "unmoved": _unmoved(before[moving], after[moving]),
        "travel": _travel(animations),
        "swell": _mean(np.abs(np.diff(number, axis=1)) / least),
        **{name: frames[name] for name in OF_FRAMES},
    }


def compare(animations: Ints, real: Sequence[Counts], values: int) -> dict[str, float]:
    """Compares animations [N, T, H, W] with ``counts`` of real ones; see ``Animation.metrics``."""
    ours = counts(animations, values)
    names = ("palette_kl", "change_kl")
    return {name: divergence(own, theirs) for name, own, theirs in zip(names, ours, real, strict=True)}


def counts(animations: Ints, values: int) -> tuple[Counts, Counts]:
    """Returns how often colours occur, float64 [values - 1], and pairs of values in time, float64 [values^2]."""
    wide = animations.astype(np.int64)
    colours = np.bincount(wide[wide > 0], minlength=values)[1:]
    pairs = np.bincount((wide[:, :-1] * values + wide[:, 1:]).ravel(), minlength=values**2)
    return colours.astype(np.float64), pairs.astype(np.float64)


def _unmoved(before: Ints, after: Ints) -> float:
    """Returns the share of covered pixels that differ from the best block of the frame before; of frames [M, H, W]."""
    M, height, width = after.shape
    covered = (after > 0).sum()
    if not covered:
        return 0.0
    padded = np.pad(before, ((0, 0), (REACH, REACH), (REACH, REACH)))
    least = np.full((M, height // BLOCK, width // BLOCK), BLOCK * BLOCK)
    for down in range(2 * REACH + 1):
        for across in range(2 * REACH + 1):
            wrong = (padded[:, down : down + height, across : across + width] != after) & (after > 0)
            blocks = wrong.reshape(M, height // BLOCK, BLOCK, width // BLOCK, BLOCK).sum((2, 4))
            least = np.minimum(least, blocks)
    return float(least.sum() / covered)


def _travel(animations: Ints) -> float:
    """Returns the mean distance between the middles of neighbouring frames that both show something, pixels."""
    covered = animations > 0
    number = covered.sum((2, 3))
    middles = [
        (covered * np.arange(size).reshape(shape)).sum((2, 3)) / np.maximum(number, 1)
        for size, shape in ((covered.shape[2], (-1, 1)), (covered.shape[3], (1, -1)))
    ]
    away = np.hypot(*(np.diff(middle, axis=1) for middle in middles))
    both = (number[:, :-1] > 0) & (number[:, 1:] > 0)
    return _mean(away[both])


def _mean(values: Floats) -> float:
    return float(values.mean()) if values.size else 0.0
