"""Measures of line drawings in grey pictures: their lines, ends, junctions, directions and bends."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .strokes import components

Bools = NDArray[np.bool_]
Greys = NDArray[np.floating[Any]]

DIRECTIONS = 8
"""Classes of direction, of 22.5 degrees each."""
FAINT = 0.05  # change of grey from pixel to pixel below which a place has no direction


def line_measures(ink: Bools) -> dict[str, float]:
    """Returns ``length``, ``ends`` and ``junctions`` of pictures bool [N, H, W]: see ``Sketch.metrics``."""
    thin = thinned(ink)
    branches = crossings(thin) * thin
    return {
        "length": float(thin.sum((1, 2)).mean()),
        "ends": float((branches == 1).sum((1, 2)).mean()),
        "junctions": float(components(branches >= 3).mean()),
    }


def thinned(ink: Bools) -> Bools:
    """Returns the lines of pictures bool [N, H, W], one pixel wide.

    The algorithm of Zhang & Suen 1984, "A fast parallel algorithm for thinning digital patterns".
    """
    thin = np.array(ink)
    going = np.arange(len(thin))
    while len(going):
        before = thin[going].copy()
        for half in (0, 1):
            part = thin[going]
            north, _, east, _, south, _, west, _ = around = _around(part)
            number = sum(neighbour.astype(np.int8) for neighbour in around)
            edge = part & (number >= 2) & (number <= 6) & (crossings(part) == 1)
            if half:
                edge &= ~(north & east & west) & ~(north & south & west)
            else:
                edge &= ~(north & east & south) & ~(east & south & west)
            thin[going] = part & ~edge
        going = going[(thin[going] != before).any((1, 2))]
    return thin


def crossings(ink: Bools) -> NDArray[np.int8]:
    """Returns how often the neighbours of each pixel, in a circle, change from paper to ink, int8 [N, H, W].

    The crossing number of Rutovitz 1966, halved: on thin lines 1 at an end, 2 on a line, 3 and more where lines meet.
    """
    around = _around(ink)
    changes = (~one & other for one, other in zip(around, [*around[1:], around[0]], strict=True))
    number: NDArray[np.int8] = sum((change.astype(np.int8) for change in changes), np.zeros(ink.shape, np.int8))
    return number


def _around(ink: Bools) -> list[Bools]:
    """Returns the neighbours of each pixel, from above it clockwise; paper beyond the edge."""
    padded = np.pad(ink, ((0, 0), (1, 1), (1, 1)))
    height, width = ink.shape[1:]
    steps = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
    return [padded[:, 1 + down : 1 + down + height, 1 + right : 1 + right + width] for down, right in steps]


def curvature(grey: Greys) -> float:
    """Returns the mean bend of the edges of ink in pictures float [N, H, W], radians a pixel: 1/r on a disc.

    ``|div(g / |g|)|`` with the gradient g, weighted by ``|g|``: the curvature of level lines (Osher & Sethian 1988,
    "Fronts propagating with curvature-dependent speed").
    """
    down, right, slope = _gradient(grey)
    unit = slope > FAINT
    scale = np.where(unit, 1 / np.maximum(slope, FAINT), 0)
    bend = np.gradient(down * scale, axis=1) + np.gradient(right * scale, axis=2)
    inner = unit[:, 1:-1, 1:-1] & unit[:, :-2, 1:-1] & unit[:, 2:, 1:-1] & unit[:, 1:-1, :-2] & unit[:, 1:-1, 2:]
    weight = (slope[:, 1:-1, 1:-1] * inner).sum(dtype=np.float64)
    total = (np.abs(bend) * slope)[:, 1:-1, 1:-1][inner].sum(dtype=np.float64)
    return float(total / weight) if weight else 0.0


def directions(grey: Greys) -> NDArray[np.float64]:
    """Returns how much edge runs in each of ``DIRECTIONS`` directions, float64 [8], the horizontal one first.

    The histogram of orientations of Dalal & Triggs 2005, "Histograms of oriented gradients for human detection", over
    whole pictures, without their blocks.
    """
    down, right, slope = _gradient(grey)
    angle = np.arctan2(right, -down) % np.pi  # of the line, which is across the gradient
    classes = np.floor(angle * DIRECTIONS / np.pi + 0.5).astype(np.int64) % DIRECTIONS
    weights = (slope * (slope > FAINT)).astype(np.float64)
    return np.bincount(classes.ravel(), weights.ravel(), DIRECTIONS).astype(np.float64)


def _gradient(grey: Greys) -> tuple[Greys, Greys, Greys]:
    """Returns the changes of grey down and to the right, and their norm."""
    down: Greys = np.gradient(grey, axis=1)
    right: Greys = np.gradient(grey, axis=2)
    slope: Greys = np.hypot(down, right)
    return down, right, slope
