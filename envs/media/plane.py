"""Points of the plane as bits: how they are coded, shown, written to files and measured."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..task import Array, Floats, Ints, Medium
from .pictures import save_png

if TYPE_CHECKING:
    from .planeplot import Plot

BITS = 16
"""Of one coordinate: a sign, then the magnitude, most significant bit first, in Gray code."""
LARGEST = 2 ** (BITS - 1)
UNKNOWN = -1
"""A bit that is not chosen yet."""
CELLS = 16
"""Cells along each side of the square in which coverage is counted."""
FINE_CELLS = 64
"""Cells along each side of the square in which points outside of the density are counted."""
MODE = 0.01
"""Share of the real points that makes a cell count for coverage."""


def to_bits(points: Floats, scale: float) -> NDArray[np.int8]:
    """Codes points [..., 2] as bits int8 [..., 2, 16], as EB-GFN does (``float2bin`` with ``binmode="gray"``).

    Coordinates times ``scale`` are truncated toward zero; the sign (1 for negative, -0 included) comes first, then the
    magnitude m as m XOR m/2, 15 bits. Magnitudes beyond 15 bits, an error there, become the largest one.
    """
    magnitude = np.minimum(np.abs(points) * scale, LARGEST - 1).astype(np.int64)
    gray = magnitude ^ (magnitude >> 1)
    bits = (gray[..., None] >> np.arange(BITS - 2, -1, -1)) & 1
    return np.concatenate([(points < 0)[..., None], bits], -1).astype(np.int8)


def to_ranges(contents: Array, scale: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns the least and the greatest value of each coordinate, [..., 2], that the bits [..., 2, 16] leave possible.

    Unknown bits stand at the end of a coordinate.
    """
    contents = np.asarray(contents)
    known = contents != UNKNOWN
    plain = np.bitwise_xor.accumulate(np.where(known, contents, 0)[..., 1:].astype(np.int64), -1)
    weights = 2 ** np.arange(BITS - 2, -1, -1)
    least = np.where(known[..., 1:], plain, 0) @ weights
    most = least + 2 ** (BITS - 1 - known[..., 1:].sum(-1))
    negative = contents[..., 0] == 1
    low = np.where(known[..., 0], np.where(negative, -most, least), -LARGEST)
    high = np.where(known[..., 0], np.where(negative, -least, most), LARGEST)
    return low / scale, high / scale


def to_points(contents: Array, scale: float) -> NDArray[np.float64]:
    """Returns points [..., 2], the middles of the rectangles that bits [..., 2, 16] leave; ``to_bits`` inverts it.

    EB-GFN's ``bin2float`` returns the end that is nearer to zero, half a quantisation step (about 0.0001) away.
    """
    low, high = to_ranges(contents, scale)
    middle: NDArray[np.float64] = (low + high) / 2
    return middle


class Plane(Medium):
    """Points as int8 [2, 16]: bits of x, bits of y; see ``to_bits``. In unfinished ones, bits to come are -1.

    Args:
        scale: quantisation steps per unit of length.
        reference: returns real points float [N, 2], which are the background of pictures and what populations are
            measured against; called when first needed.
        title: of pictures.
    """

    def __init__(self, scale: float, reference: Callable[[], Floats], title: str = "") -> None:
        self._scale, self._reference, self._title = scale, reference, title
        self._limit = LARGEST / scale
        self._shares: dict[int, NDArray[np.float64]] = {}  # of real points, by number of cells along a side

    def render(self, content: Array, condition: Ints | None = None, upto: int | None = None) -> NDArray[np.uint8]:
        """Draws the point, or the rectangle of points still possible, over the true density."""
        known = _read(content)
        if upto is not None:
            known = np.where(np.arange(2 * BITS) < upto, known.ravel(), UNKNOWN).reshape(2, BITS)
        low, high = to_ranges(known, self._scale)
        return self._plot.draw(low, high, known, self.describe(known))

    def population(self, contents: Array) -> NDArray[np.uint8]:
        """Draws many points [N, 2, 16] over the true density, uint8 [H, W, 3]."""
        points = to_points(_read(contents, many=True), self._scale)
        return self._plot.scatter(points, f"{len(points):,} points")

    def describe(self, content: Array, condition: Ints | None = None) -> str:
        """Writes ``x=+1.234 y=-0.567``, or ranges of what is still possible: ``x=+1.000..+2.000 y=?``."""
        content = _read(content)
        low, high = to_ranges(content, self._scale)
        texts = []
        for name, bits, least, most, middle in zip("xy", content, low, high, (low + high) / 2, strict=True):
            text = f"{middle:+.3f}" if UNKNOWN not in bits else f"{least:+.3f}..{most:+.3f}"
            texts.append(f"{name}={'?' if bits[0] == UNKNOWN else text}")
        return " ".join(texts)

    def caption(self, content: Array, condition: Ints | None = None) -> str:
        """Names the range that the last decision left to its coordinate, ``x=+1.000..+2.000``."""
        known = (np.asarray(content) != UNKNOWN).sum()
        return self.describe(content).split()[int(known > BITS)] if known else "start"

    def export(self, content: Array, path: Path, condition: Ints | None = None) -> list[Path]:
        """Writes .csv (the coordinates), .txt (the same to read, and the bits) and .png."""
        table, text, picture = targets = [Path(path).with_suffix(suffix) for suffix in (".csv", ".txt", ".png")]
        x, y = to_points(_read(content), self._scale).tolist()
        table.parent.mkdir(parents=True, exist_ok=True)
        table.write_text(f"x,y\n{x:.6f},{y:.6f}\n", encoding="utf-8")
        bits = "\n".join("".join("?01"[bit + 1] for bit in row) for row in np.asarray(content).tolist())
        text.write_text(f"{self.describe(content)}\n{bits}\n", encoding="utf-8")
        save_png(self.render(content), picture)
        return targets

    def metrics(self, contents: Array, conditions: Ints | None = None) -> dict[str, float]:
        """Measures a population [N, 2, 16] against real points; the square holds all points that bits can express.

        * ``mean_x``, ``mean_y``, ``std_x``, ``std_y``: moments.
        * ``outside``: share of points in cells (64 x 64 over the square) that hold none of 400,000 real points: there
          the density's mass is below 1e-5 per cell, at 98% confidence.
        * ``coverage``: share of the cells (16 x 16) with at least 1% of the real points that get at least a tenth of
          their due, in the spirit of counting recovered modes (Lin et al. 2018, "PacGAN"). From 1,000 points on, a
          perfect sample has 1, but for one cell in 20,000.

        Raises:
            ValueError: there are no points, or they have another shape.
        """
        points = to_points(_read(contents, many=True), self._scale)
        if not len(points):
            raise ValueError("there are no points to measure")
        real, fine = self._real(CELLS), self._cells(points, FINE_CELLS)
        modes = real >= MODE
        share = np.bincount(self._cells(points, CELLS), minlength=CELLS**2) / len(points)
        mean, std = points.mean(0), points.std(0)
        return {
            "mean_x": float(mean[0]),
            "mean_y": float(mean[1]),
            "std_x": float(std[0]),
            "std_y": float(std[1]),
            "outside": float((self._real(FINE_CELLS)[fine] == 0).mean()),
            "coverage": float((share >= real / 10)[modes].mean()),
        }

    def _cells(self, points: Floats, cells: int) -> NDArray[np.int64]:
        """Returns which of ``cells`` x ``cells`` each point is in, int64 [N]: rows of y, columns of x."""
        at = np.clip((points / self._limit + 1) * (cells / 2), 0, cells - 1).astype(np.int64)
        index: NDArray[np.int64] = at[:, 1] * cells + at[:, 0]
        return index

    @functools.cached_property
    def _points(self) -> Floats:
        return self._reference()

    def _real(self, cells: int) -> NDArray[np.float64]:
        """Returns the share of real points in each cell, float64 [cells^2]."""
        if cells not in self._shares:
            counts = np.bincount(self._cells(self._points, cells), minlength=cells**2)
            self._shares[cells] = counts / len(self._points)
        return self._shares[cells]

    @functools.cached_property
    def _plot(self) -> Plot:
        from .planeplot import SHADES, Plot

        return Plot(self._title, self._limit, self._real(SHADES).reshape(SHADES, SHADES))


def _read(contents: Array, many: bool = False) -> Array:
    """Returns one content, or many, as an array that is one."""
    contents = np.asarray(contents)
    if contents.shape != (*contents.shape[: int(many)], 2, BITS) or not np.isin(contents, (UNKNOWN, 0, 1)).all():
        shape = "(N, 2, 16)" if many else "(2, 16)"
        raise ValueError(f"points are bits, 0 or 1 (-1: not chosen yet), of shape {shape}; got {contents.shape}")
    return contents
