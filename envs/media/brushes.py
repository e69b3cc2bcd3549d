"""Brushes of paint: their strokes as shares of colour, laid on many small canvases at once or on one large canvas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]
Pixels = NDArray[np.uint8]

FULL = 128
"""Share of a stroke's colour where it covers all: products with differences of bytes fit into 16 bits."""
AT_ONCE = 600_000  # bytes of windows that are painted together: they and their products stay in the cache
SIZES = (8, 12, 16, 24)  # of windows, pixels: few of them, since each costs some calls


class Brush(NamedTuple):
    """A round brush, and the straight path that it takes.

    Attributes:
        name: of the stroke.
        radius: of the brush, pixels.
        length: of the path, pixels; 0 leaves a dot.
        down: rows that the path goes down ...
        across: ... for so many columns to the right.
    """

    name: str
    radius: float
    length: float = 0.0
    down: int = 0
    across: int = 1


DIRECTIONS = {"level": (0, 1), "falling": (1, 1), "upright": (1, 0), "rising": (-1, 1)}
"""Rows down and columns across of each direction."""
DOTS = {"point": 0.6, "dot": 1.2, "dab": 2.2, "spot": 4.0, "disc": 6.5, "wash": 10.0}
"""Radii of dots, pixels."""
LINES = {"tick": (0.4, 4.0), "line": (0.4, 10.0), "stroke": (1.5, 6.0), "sweep": (3.0, 9.0)}
"""Radius and length of lines, pixels."""
BRUSHES = (
    *(Brush(name, radius) for name, radius in DOTS.items()),
    *(
        Brush(f"{direction} {name}", radius, length, *DIRECTIONS[direction])
        for name, (radius, length) in LINES.items()
        for direction in DIRECTIONS
    ),
)
"""From small to large: dots, then lines in four directions."""


def cover(brush: Brush, places: Floats, side: int, scale: int = 1) -> Floats:
    """Returns the share that strokes around places cover of each pixel, float64 [N, scale * side, scale * side].

    The share falls from 1 to 0 over the one pixel around the edge. Sums, products and roots alone are used, which every
    processor rounds alike.

    Args:
        brush: of the strokes.
        places: float64 [N, 2], rows and columns of their middles, whole numbers at the middle of a pixel.
        side: of the canvas, pixels.
        scale: pixels to one of the canvas, along each side.
    """
    axis = (np.arange(scale * side) + 0.5) / scale - 0.5
    down, across = (part[:, :, None] if n == 0 else part[:, None] for n, part in enumerate(_away(axis, places)))
    norm = np.sqrt(float(brush.down**2 + brush.across**2))
    share = (down * brush.down + across * brush.across) / norm
    along = np.minimum(np.maximum(share, -brush.length / 2), brush.length / 2)
    aside = down - along * brush.down / norm, across - along * brush.across / norm
    distance = np.sqrt(aside[0] * aside[0] + aside[1] * aside[1])
    covered: Floats = np.minimum(np.maximum(scale * (brush.radius - distance) + 0.5, 0), 1)
    return covered


def _away(axis: Floats, places: Floats) -> tuple[Floats, Floats]:
    """Returns how far rows, and columns, are from places: float64 [N, pixels] each."""
    return axis - places[:, :1], axis - places[:, 1:]


class _Window(NamedTuple):
    """Strokes that are painted in square windows of one size.

    Attributes:
        side: of the windows, pixels.
        shares: uint8 [strokes, 3 * side^2], 0 to ``FULL`` for each byte of a window.
        colours: int16 [P, 3 * side^2], each colour as a window full of it.
    """

    side: int
    shares: Pixels
    colours: NDArray[np.int16]


class Strokes:
    """Every stroke of some brushes at some places, ready to be laid on canvases of bytes.

    A stroke is a square window of a canvas, so that small ones cost little.

    Args:
        brushes: N of them.
        places: float64 [M, 2], rows and columns that strokes are laid around.
        palette: uint8 [P, 3].
        side: of canvases, pixels.
    """

    def __init__(self, brushes: Sequence[Brush], places: Floats, palette: Pixels, side: int) -> None:
        self._side = side
        shares = np.stack([np.rint(FULL * cover(brush, places, side)).astype(np.uint8) for brush in brushes])
        (tops, tall), (lefts, wide) = (_spans(np.asarray(shares.any(axis))) for axis in (3, 2))
        needed = np.maximum(tall, wide).max(1)  # [N]
        fits = np.array([*(size for size in SIZES if size < side), side])
        sizes, self._classes = np.unique(fits[np.searchsorted(fits, needed)], return_inverse=True)
        own_side = sizes[self._classes][:, None]
        tops, lefts = np.minimum(tops, side - own_side), np.minimum(lefts, side - own_side)
        self._starts = tops * side + lefts  # [N, M], pixels
        self._strokes = np.zeros_like(self._starts)
        self._windows = list[_Window]()
        for number, size in enumerate(sizes.tolist()):
            own = np.flatnonzero(self._classes == number)
            self._strokes[own] = np.arange(len(own) * len(places)).reshape(len(own), -1)
            inside = _inside(self._starts[own].ravel(), size, side)  # [strokes, size, size]
            cut = np.take_along_axis(
                shares[own].reshape(len(own) * len(places), -1), inside.reshape(len(inside), size * size), 1
            )
            full = palette.astype(np.int16)[:, None].repeat(size * size, 1).reshape(len(palette), -1)
            self._windows.append(_Window(size, cut.repeat(3, -1), full))

    def lay(self, canvas: Pixels, rows: Ints, colour: Ints, brush: Ints, place: Ints) -> None:
        """Lays one stroke on each of some canvases, in place.

        A pixel c becomes ``c + (k - c) s / 128``, rounded down, where the stroke of colour k has share s of it.

        Args:
            canvas: uint8 [B, 3 * side^2 + K], contiguous; the last K bytes of a row are no pixels.
            rows: int [n], which canvases.
            colour: int [n], indices of the palette.
            brush: int [n].
            place: int [n].
        """
        classes = self._classes.take(brush)
        numbers = brush * self._starts.shape[1] + place
        starts = rows * canvas.shape[1] + 3 * self._starts.take(numbers)
        strokes = self._strokes.take(numbers)
        for number, (size, shares, colours) in enumerate(self._windows):
            every = np.flatnonzero(classes == number)
            lines = _lines(canvas, 3 * size)
            down = 3 * self._side * np.arange(size)
            most = max(1, AT_ONCE // shares.shape[1])
            for first in range(0, len(every), most):
                own = every[first : first + most]
                window = starts.take(own)[:, None] + down
                seen = lines[window]
                pixels = seen.view(np.uint8)  # [n, bytes]
                change = colours.take(colour.take(own), 0)
                change -= pixels
                change *= shares.take(strokes.take(own), 0)
                change >>= 7
                pixels += change.astype(np.uint8)
                lines[window] = seen


def _spans(touched: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Returns the first True of each row bool [..., L], and the number of entries from it to the last one."""
    first = touched.argmax(-1)
    return first, touched.shape[-1] - touched[..., ::-1].argmax(-1) - first


def _inside(starts: Ints, size: int, side: int) -> Ints:
    """Returns the pixels of square windows of canvases, row-major indices int [N, size, size]."""
    steps = np.arange(size)
    pixels: Ints = starts[:, None, None] + side * steps[:, None] + steps
    return pixels


def _lines(canvas: Pixels, length: int) -> NDArray[np.void]:
    """Returns all runs of so many bytes of canvases, one from each byte on, as overlapping views."""
    return np.ndarray((canvas.size - length + 1,), f"V{length}", canvas, strides=(1,))


def repainted(
    ground: Pixels, strokes: Sequence[tuple[Pixels, Brush, Floats]], side: int, scale: int
) -> list[NDArray[np.uint8]]:
    """Paints strokes anew on a large canvas; returns the ground, and the painting after each stroke.

    Args:
        ground: uint8 [3], its colour.
        strokes: colour uint8 [3], brush and place float64 [2] of each.
        side: of the small canvas, pixels.
        scale: pixels to one of its, along each side.

    Returns:
        Pictures uint8 [scale * side, scale * side, 3].
    """
    painting = np.tile(ground.astype(np.float64), (scale * side, scale * side, 1))
    pictures = [painting.round().astype(np.uint8)]
    for colour, brush, place in strokes:
        painting += cover(brush, place[None], side, scale)[0][..., None] * (colour - painting)
        pictures.append(painting.round().astype(np.uint8))
    return pictures
