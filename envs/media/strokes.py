"""Traces of pens: strokes as vector graphics, and measures of the shape of ink."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Polyline = NDArray[np.floating[Any]]
"""The corners of one stroke, float [K, 2]: rows and columns in pixels, whole numbers at the middle of a pixel."""
Bools = NDArray[np.bool_]


def to_svg(
    strokes: Sequence[Polyline], shape: tuple[int, int], width: float, colours: Sequence[str] | None = None
) -> str:
    """Writes strokes as a scalable picture of ``shape`` (rows, columns), one unit a pixel, black on white.

    Args:
        strokes: in the order of drawing.
        shape: of the picture.
        width: of the lines.
        colours: of each stroke, such as "#102030"; None for black.
    """
    height, across = shape
    size = f'viewBox="0 0 {across} {height}" width="{20 * across}" height="{20 * height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<g fill="none" stroke="black" stroke-width="{width:g}" stroke-linecap="round" stroke-linejoin="round">',
    ]
    for number, stroke in enumerate(strokes):
        ends = stroke if len(stroke) > 1 else [*stroke, *stroke]  # a dot
        corners = " ".join(f"{column + 0.5:g},{row + 0.5:g}" for row, column in ends)
        colour = f' stroke="{colours[number]}"' if colours else ""
        lines.append(f'<polyline points="{corners}"{colour}/>')
    return "\n".join([*lines, "</g>", "</svg>", ""])


def ink_shapes(ink: Bools) -> dict[str, float]:
    """Returns ``ink``, ``components``, ``holes`` and ``slant`` of pictures bool [N, H, W]: see ``Drawing.metrics``."""
    pieces = components(ink)
    return {
        "ink": float(ink.mean()),
        "components": float(pieces.mean()),
        "holes": float((pieces - euler_numbers(ink)).mean()),
        "slant": _slant(ink),
    }


def components(ink: Bools) -> NDArray[np.int64]:
    """Returns the number of 8-connected pieces of each picture bool [N, H, W], int64 [N].

    The highest number among a pixel and its neighbours spreads until nothing changes; a piece then holds one pixel
    that still has its own.
    """
    n, height, width = ink.shape
    own = np.arange(1, height * width + 1, dtype=np.int32).reshape(height, width)
    numbers = np.zeros((n, height + 2, width + 2), np.int32)
    inner = numbers[:, 1:-1, 1:-1]
    inner[:] = np.where(ink, own, 0)
    going = np.arange(n)
    while len(going):
        before = numbers[going]
        across = np.maximum(np.maximum(before[:, :, :-2], before[:, :, 1:-1]), before[:, :, 2:])
        spread = np.maximum(np.maximum(across[:, :-2], across[:, 1:-1]), across[:, 2:]) * ink[going]
        changed = (spread != before[:, 1:-1, 1:-1]).any((1, 2))
        inner[going] = spread
        going = going[changed]
    counts: NDArray[np.int64] = (ink & (inner == own)).sum((1, 2))
    return counts


def euler_numbers(ink: Bools) -> NDArray[np.int64]:
    """Returns pieces minus holes of each picture bool [N, H, W], int64 [N], with 8-connected ink.

    ``(Q1 - Q3 - 2 QD) / 4`` over all squares of 2 x 2 pixels, those over the edge included: Q1 have one inked pixel,
    Q3 three, QD two across a diagonal (Gray 1971, "Local properties of binary images in two dimensions").
    """
    padded = np.pad(ink, ((0, 0), (1, 1), (1, 1))).astype(np.int64)
    a, b, c, d = padded[:, :-1, :-1], padded[:, :-1, 1:], padded[:, 1:, :-1], padded[:, 1:, 1:]
    count = a + b + c + d
    diagonal = (count == 2) & (a == d)
    numbers: NDArray[np.int64] = ((count == 1).sum((1, 2)) - (count == 3).sum((1, 2)) - 2 * diagonal.sum((1, 2))) // 4
    return numbers


def _slant(ink: Bools) -> float:
    """Mean of ``-mu_xy / mu_yy`` over pictures whose ink covers several rows; rows count downwards."""
    mass = ink.sum((1, 2)).astype(np.float64)
    rows, columns = np.mgrid[: ink.shape[1], : ink.shape[2]]
    some = mass > 0
    weights, mass = ink[some], mass[some]
    row, column = (weights * rows).sum((1, 2)) / mass, (weights * columns).sum((1, 2)) / mass
    down, right = rows - row[:, None, None], columns - column[:, None, None]
    spread = (weights * down**2).sum((1, 2))
    tall = spread > 0
    shear = (weights * down * right).sum((1, 2))[tall] / spread[tall]
    return -float(shear.mean()) if tall.any() else 0.0
