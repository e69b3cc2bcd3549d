"""Ink of a pen that draws straight lines on a canvas of pixels."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.floating[Any]]
"""Rows and columns in pixels, whole numbers at the middle of a pixel."""


def line_ink(start: Places, ends: Places, cells: Places, reach: float) -> NDArray[np.floating[Any]]:
    """Returns the ink that lines leave, 0 to 1 [P, C]: full in the middle, fading over the last pixel of the reach.

    Args:
        start: of all lines, [2].
        ends: [P, 2].
        cells: places of the canvas, [C, 2].
        reach: pixels from the middle of a line to where its ink ends.
    """
    path, away = ends - start, cells - start
    share = np.clip(path @ away.T / np.maximum((path**2).sum(1), 1e-6)[:, None], 0, 1)  # [P, C]
    distance = np.hypot(*(away[None] - share[..., None] * path[:, None]).transpose(2, 0, 1))
    ink: NDArray[np.floating[Any]] = np.clip(reach - distance, 0, 1)
    return ink


class Lines:
    """Draws lines between pixels in many canvases at once, from a table of the ink of each way from pixel to pixel.

    Args:
        side: of the canvases, pixels.
        margin: pixels at the edge that no line comes from or goes to; more than ``reach - 1``.
        reach: see ``line_ink``.
    """

    def __init__(self, side: int, margin: int, reach: float) -> None:
        self.side = side
        span, pixels, pitch = side - 2 * margin - 1, side * side, side * (side + 1)
        inks = [self._way(*way, reach) for way in itertools.product(range(span + 1), range(-span, span + 1))]
        table = np.zeros(len(inks) * pitch + 2 * pixels, np.uint8)
        for number, (places, ink) in enumerate(inks):
            table[number * pitch + pixels + places] = ink
        # A line from pixel p is the part of the table, as long as a canvas, that begins p before the first pixel of its
        # way. No other way's ink is in that part: neighbours lie a pitch apart, and those before it are no longer.
        self._canvases = np.lib.stride_tricks.sliding_window_view(table, pixels)
        # The number of a way is linear in where the line starts and ends, and so is where its part begins.
        pixel = np.arange(pixels)
        self._to = (pixel + pixel // side * (2 * span + 1 - side)) * pitch
        self._from = self._to + pixel - pixels - span * pitch

    def _way(self, down: int, right: int, reach: float) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Returns the pixels, counted from where a line starts, and the ink of a line so many rows and columns long."""
        wide = int(np.ceil(reach))
        rows = np.arange(-wide, down + wide + 1)
        columns = np.arange(min(right, 0) - wide, max(right, 0) + wide + 1)
        cells = np.stack(np.meshgrid(rows, columns, indexing="ij"), -1).reshape(-1, 2).astype(np.float64)
        drawn = line_ink(np.zeros(2), np.array([[down, right]], np.float64), cells, reach)[0]
        ink = np.rint(255 * drawn).astype(np.uint8)
        inked = np.flatnonzero(ink)
        return (cells[inked] @ [self.side, 1]).astype(np.int64), ink[inked]

    def draw(self, canvases: NDArray[np.uint8], rows: NDArray[np.intp], starts: Any, ends: Any) -> None:
        """Draws a line in each of some canvases; the stronger ink stays.

        Args:
            canvases: uint8 [B, W], changed in place: the first side^2 columns are the pixels.
            rows: [k], different ones.
            starts: int [k], pixels: row x side + column.
            ends: int [k], likewise.
        """
        low, high = np.minimum(starts, ends), np.maximum(starts, ends)  # a line is that of the other way
        ink, drawn = self._canvases[self._to.take(high) - self._from.take(low)], canvases[:, : len(self._to)]
        drawn[rows] = np.maximum(ink, drawn[rows], out=ink)
