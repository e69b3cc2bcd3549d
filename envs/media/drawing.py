"""Grey pictures as a pen leaves them: shown at work, written to files, and measured as populations."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..task import Array, Ints, Medium
from .measures import hellinger
from .pictures import save_png
from .strokes import ink_shapes

EDGE = np.array((44, 49, 66), np.float32)
GROUND = np.array((21, 24, 34), np.float32)
INK = np.array((247, 243, 232), np.float32)
PEN = np.array((255, 196, 64), np.float32)
SIZE = 280  # pixels: a whole multiple of 8, 14, 20 and 28
RAMP = ".:-=+*#%@"
LEVELS = 16  # of grey, in histograms


class Pen(NamedTuple):
    """Position of a pen: row and column in pixels of the picture, and whether it is on the paper."""

    row: float
    column: float
    down: bool


class Drawing(Medium):
    """Pictures as arrays uint8 [H, W], 0 for paper and 255 for full ink.

    Args:
        points: float [P, 2], rows and columns that the pen can go to; shown, faintly, while it is at work.
        reference: returns the real contents that grey levels are compared with; called when first needed.
    """

    margin = 4
    """Pixels around the paper, so that pictures laid side by side do not run together."""

    def __init__(
        self, *, points: NDArray[np.floating[Any]] | None = None, reference: Callable[[], Array] | None = None
    ) -> None:
        self._points = np.zeros((0, 2)) if points is None else points
        self._reference = reference

    def picture(self, content: Array) -> NDArray[np.uint8]:
        """Returns the picture of a content, uint8 [H, W].

        Raises:
            ValueError: the content is no array of bytes in two dimensions.
        """
        return _read(content, "[H, W]", 2)

    def render(self, content: Array, condition: Ints | None = None, upto: int | None = None) -> NDArray[np.uint8]:
        """Draws light ink on a dark ground, uint8 [H, W, 3], enlarged to about 280 pixels.

        A picture does not tell in which order it was drawn: ``upto=0`` is the empty paper, all else the whole.
        """
        picture = self.picture(content)
        return self.enlarge(picture if upto != 0 else np.zeros_like(picture)).round().astype(np.uint8)

    def render_at_work(self, content: Array, pen: Pen) -> NDArray[np.uint8]:
        """Draws the picture with the points that the pen can go to, and the pen: a disc on paper, else a ring."""
        frame = self.enlarge(self.picture(content))
        factor = (frame.shape[0] - 2 * self.margin) // len(content)
        radius = max(4.0, 0.3 * factor)
        for x, y in (self.margin + (self._points + 0.5) * factor).tolist():
            blend(frame, x, y, 0.0, 1.2, PEN, 0.45)
        inner = 0.0 if pen.down else radius - 2.5
        row, column = (self.margin + (place + 0.5) * factor for place in pen[:2])
        blend(frame, row, column, inner, radius, PEN, 1.0)
        return frame.round().astype(np.uint8)

    @staticmethod
    def factor(side: int) -> int:
        """Returns the pixels of the screen to one of a picture ``side`` pixels wide."""
        return max(1, SIZE // side)

    def nearest(self, side: int, x: int, y: int) -> int | None:
        """Returns the point that the pen can go to nearest to pixel (x, y) of a rendered picture ``side`` pixels wide.

        None on the margin.
        """
        factor = self.factor(side)
        spot = (np.array([y, x]) + 0.5 - self.margin) / factor  # row and column on the paper
        if not ((spot >= 0) & (spot < side)).all():
            return None
        return int(np.square(self._points + 0.5 - spot).sum(1).argmin())

    def enlarge(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns a picture [H, W] at its size on the screen, with the margin, float32 [H, W, 3] of 0 to 255."""
        factor = self.factor(max(picture.shape))
        share = (picture / np.float32(255)).repeat(factor, 0).repeat(factor, 1)[..., None]
        height, width, _ = share.shape
        frame = np.tile(EDGE, (height + 2 * self.margin, width + 2 * self.margin, 1))
        frame[self.margin : -self.margin, self.margin : -self.margin] = GROUND + share * (INK - GROUND)
        return frame

    def describe(self, content: Array, condition: Ints | None = None) -> str:
        """Writes the picture in characters, darker ones for more ink, two a pixel; its class, if any, above."""
        picture = self.picture(content)
        shades = np.array(list(RAMP))[picture.astype(np.int64) * len(RAMP) // 256].repeat(2, 1)
        lines = ["".join(row) for row in shades]
        return "\n".join([f"class {label}" for label in ([] if condition is None else condition)] + lines)

    def export(self, content: Array, path: Path, condition: Ints | None = None) -> list[Path]:
        """Writes .png."""
        png = Path(path).with_suffix(".png")
        png.parent.mkdir(parents=True, exist_ok=True)
        save_png(self.render(content), png)
        return [png]

    def metrics(self, contents: Array, conditions: Ints | None = None) -> dict[str, float]:
        """Measures a population [N, H, W].

        ``brightness``: mean grey, 0 to 1. ``ink``: share of pixels more than half bright (area of Morpho-MNIST: Castro
        et al. 2019, "Morpho-MNIST", section 3). ``components``: mean number of connected pieces of such ink,
        diagonals included (Rosenfeld & Pfaltz 1966). ``holes``: mean number of holes in it, components minus the Euler
        number (Gray 1971): 0, 6 and 9 have one, 8 has two. ``slant``: mean shear of the ink, columns a row, above 0
        where the top leans to the right (Morpho-MNIST). ``symmetry``: mean share of ink that its mirror image about
        the vertical axis covers, 1 for pictures equal to it (after Zabrodsky et al. 1995). ``pixel_distance``: mean
        Euclidean distance of two pictures, ink from 0 to 1: diversity, 0 where all are one. ``grey_distance``:
        Hellinger distance of the histogram of greys (16 levels) to that of real pictures, where there is a reference.

        Raises:
            ValueError: there are no pictures, or they have another shape.
        """
        pictures = _read(contents, "[N, H, W]", 3)
        grey = pictures / np.float32(255)
        result = {"brightness": float(grey.mean()), **ink_shapes(pictures > 127)}
        total = grey.sum((1, 2))
        covered = np.minimum(grey, grey[:, :, ::-1]).sum((1, 2))
        inked = total > 0
        result["symmetry"] = float((covered[inked] / total[inked]).mean()) if inked.any() else 0.0
        result["pixel_distance"] = mean_distance(grey.reshape(len(grey), -1))
        if self._reference is not None:
            result["grey_distance"] = hellinger(_histogram(pictures), self._greys)
        return result

    @functools.cached_property
    def _greys(self) -> NDArray[np.float64]:
        assert self._reference is not None
        return _histogram(_read(self._reference(), "[N, H, W]", 3))


def _read(pictures: Array, shape: str, ndim: int) -> NDArray[np.uint8]:
    """Returns pictures of that shape.

    Raises:
        ValueError: they are empty, no bytes, or have another number of axes.
    """
    pictures = np.asarray(pictures)
    if pictures.ndim != ndim or pictures.dtype != np.uint8 or not pictures.size:
        raise ValueError(f"pictures are non-empty, uint8 {shape}, not {pictures.dtype} {list(pictures.shape)}")
    return pictures


def blend(
    frame: NDArray[np.float32],
    row: float,
    column: float,
    inner: float,
    outer: float,
    colour: NDArray[np.float32],
    opacity: float,
) -> None:
    """Lays a ring, or a disc where ``inner`` is 0, over a frame, with smooth edges."""
    top, left = max(0, int(row - outer) - 1), max(0, int(column - outer) - 1)
    patch = frame[top : int(row + outer) + 2, left : int(column + outer) + 2]
    rows, columns = np.ogrid[: patch.shape[0], : patch.shape[1]]
    away = np.hypot(rows + top + 0.5 - row, columns + left + 0.5 - column)
    cover = np.clip(outer + 0.5 - away, 0, 1) * (np.clip(away - inner + 0.5, 0, 1) if inner else 1)
    patch += (opacity * cover[..., None]).astype(np.float32) * (colour - patch)


def mean_distance(points: NDArray[np.floating[Any]]) -> float:
    """Returns the mean distance of two different points of [N, D]; 0 for one."""
    n = len(points)
    squares = np.square(points).sum(1, dtype=np.float64)
    total = 0.0
    for start in range(0, n, 512):  # bounds memory
        block = points[start : start + 512]
        between = squares[start : start + 512, None] + squares - 2.0 * (block @ points.T)
        np.fill_diagonal(between[:, start:], 0.0)
        total += float(np.sqrt(np.maximum(between, 0)).sum())
    return total / (n * (n - 1)) if n > 1 else 0.0


def _histogram(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.bincount(pictures.ravel() // (256 // LEVELS), minlength=LEVELS).astype(np.float64)
