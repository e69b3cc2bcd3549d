"""Line drawings in ink on paper: shown with the order of their strokes, written to files, measured."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..task import Array, Ints
from .drawing import Drawing, Pen, blend
from .linemeasures import curvature, directions, line_measures
from .measures import hellinger
from .pictures import save_gif

PAPER = np.array((247, 243, 232), np.float32)
DESK = np.array((52, 46, 44), np.float32)
GUIDE = np.array((214, 120, 96), np.float32)
FIRST, LAST = np.array((22, 34, 92), np.float32), np.array((196, 58, 30), np.float32)
"""Colours of the first stroke, and from ``REDDEST`` on: a stroke has the same in all pictures of a drawing."""
REDDEST = 12
PLAIN = np.array((30, 32, 52), np.float32)
"""Colour of ink whose order is not known."""
NIB = np.array((20, 20, 20), np.float32)
STEEP, MIDDLE = 3.5, 0.45
"""Sharpness of enlarged edges, and the share of ink at which they run."""
TICK = 11  # pixels: half the side of the box that ends a drawing
COLOURS = 48  # of an animation
SECONDS, LAST_SECONDS = 4.0, 2.0  # of an animation, and of its last picture

Plane = NDArray[np.floating[Any]]


class Sketch(Drawing):
    """Drawings as arrays uint8 [H, W], 0 for paper and 255 for full ink.

    Args:
        points: float [P, 2], rows and columns that the pen can go to.
        reference: returns the real contents that greys and directions are compared with; called when first needed.
    """

    margin = 16

    def enlarge(self, picture: NDArray[np.uint8], order: Plane | None = None) -> NDArray[np.float32]:
        """Draws a picture as ink on practice paper, with the margin, float32 [H, W, 3] of 0 to 255.

        Args:
            picture: [H, W].
            order: [H, W], number of the stroke on top, from 0; None where it is not known.
        """
        factor = self.factor(max(picture.shape))
        height, width = (side * factor for side in picture.shape)
        paper = np.tile(PAPER, (height, width, 1))
        faint = PAPER + 0.35 * (GUIDE - PAPER)
        paper[np.arange(height) % 10 < 6, width // 2] = faint  # a dashed cross through the middle
        paper[height // 2, np.arange(width) % 10 < 6] = faint
        frame = np.tile(DESK, (height + 2 * self.margin, width + 2 * self.margin, 1))
        frame[self.margin : -self.margin, self.margin : -self.margin] = _inked(paper, picture, factor, order)
        return frame

    def population(self, contents: Array) -> NDArray[np.uint8]:
        """Draws contents [N, H, W] as ``sheet`` does, in rows that make about a square."""
        return self.sheet(contents)

    def sheet(self, contents: Array, columns: int | None = None, scale: int = 3) -> NDArray[np.uint8]:
        """Lays contents [N, H, W] row by row on one paper, ``scale`` pixels to one of theirs, uint8 [H, W, 3].

        Args:
            contents: [N, H, W].
            columns: drawings in a row; None makes the sheet about square.
            scale: pixels to one of the drawings'.
        """
        N, height, width = np.shape(contents)
        columns = columns or int(np.ceil(np.sqrt(N)))
        rows, gap = -(-N // columns), height // 8
        tiles = np.zeros((rows * columns, height + gap, width + gap), np.uint8)
        tiles[:N, gap // 2 : gap // 2 + height, gap // 2 : gap // 2 + width] = contents
        laid = tiles.reshape(rows, columns, *tiles.shape[1:]).swapaxes(1, 2).reshape(rows * tiles.shape[1], -1)
        paper = np.tile(PAPER, (scale * laid.shape[0], scale * laid.shape[1], 1))
        return _inked(paper, laid, scale).round().astype(np.uint8)

    def render_in_order(
        self,
        content: Array,
        order: Plane | None,
        pen: Pen | None = None,
        spent: float = 0.0,
        can_end: bool = False,
    ) -> NDArray[np.uint8]:
        """Draws a picture with its strokes from blue to red, and the pen at work: a disc on paper, else a ring.

        Args:
            content: uint8 [H, W].
            order: see ``enlarge``.
            pen: None before it touched the paper, and for finished drawings.
            spent: share of the decisions that are made: a bar below the paper, as long as what is left.
            can_end: True shows the box that ends the drawing: see ``is_tick``.
        """
        frame = self.enlarge(self.picture(content), order)
        side = frame.shape[0] - 2 * self.margin
        if spent:
            left, row = self.margin, frame.shape[0] - self.margin // 2
            until = left + round((1 - spent) * (side - 3 * TICK))
            frame[row - 1 : row + 2, left:until] = PAPER
        if can_end:
            self._tick(frame)
        if pen is not None:
            factor = self.factor(max(np.shape(content)))
            row_, column = (self.margin + (place + 0.5) * factor for place in pen[:2])
            blend(frame, row_, column, 0.0 if pen.down else 5.0, 8.0, NIB, 0.9)
            blend(frame, row_, column, 0.0 if pen.down else 5.5, 7.0, PAPER, 0.75)
        return frame.round().astype(np.uint8)

    def _tick(self, frame: NDArray[np.float32]) -> None:
        """Draws a tick in the corner below the paper."""
        row, column = (side - self.margin // 2 for side in frame.shape[:2])
        row, column = row - 1, column - TICK
        for step in range(13):
            down, right = (step - 1, step) if step < 5 else (7 - step, step)
            blend(frame, row + 0.9 * (down - 1), column + right - 6, 0.0, 1.6, PAPER, 0.9)

    def is_tick(self, side: int, x: int, y: int) -> bool:
        """Returns whether pixel (x, y) of the picture of a drawing ``side`` pixels wide is in the box that ends it."""
        whole = side * self.factor(side) + 2 * self.margin
        return whole - self.margin <= y < whole and whole - self.margin - 2 * TICK <= x < whole

    def colours(self, num: int) -> list[str]:
        """Returns the colours of strokes in their order, such as "#16225c"."""
        shades = FIRST + np.minimum(np.arange(num) / REDDEST, 1)[:, None] * (LAST - FIRST)
        return [f"#{bytes(shade).hex()}" for shade in np.rint(shades).astype(np.uint8)]

    def animate(self, pictures: Sequence[Array], orders: Sequence[Array], path: Path) -> None:
        """Writes a GIF of a drawing as it grows.

        Args:
            pictures: uint8 [H, W] each, as it stood.
            orders: of their strokes, see ``enlarge``.
            path: where to.
        """
        from PIL import Image

        frames = [self.render_in_order(*pair) for pair in zip(pictures, orders, strict=True)]
        palette = Image.fromarray(frames[-1]).quantize(COLOURS).getpalette()
        assert palette is not None
        seconds = [SECONDS / len(frames)] * (len(frames) - 1) + [LAST_SECONDS]
        save_gif(frames, seconds, path, frames[0].shape[1], palette[: 3 * COLOURS])

    def metrics(self, contents: Array, conditions: Ints | None = None) -> dict[str, float]:
        """Measures a population [N, H, W]: see ``Drawing.metrics``, and those of lines.

        Lines are ink of more than half brightness, thinned (Zhang & Suen 1984). ``length``: mean pixels of them in a
        drawing. ``ends``: mean number of their ends; ``junctions``: mean number of places where three or more meet
        (crossing number of Rutovitz 1966). ``width``: pixels of ink to one of line. ``curvature``: mean bend of the
        edges of ink, radians a pixel (Osher & Sethian 1988). ``horizontal`` and ``vertical``: share of the edges of
        ink within 11.25 degrees of these directions (Dalal & Triggs 2005). ``direction_distance``: Hellinger distance
        of the directions of edges (8 classes) to those of real pictures, where there is a reference.

        Raises:
            ValueError: there are no pictures, or they have another shape.
        """
        result = super().metrics(contents)
        pictures = np.asarray(contents)
        ink, grey = pictures > 127, pictures / np.float32(255)
        result |= line_measures(ink)
        lines = result["length"] * len(ink)
        result["width"] = float(ink.sum() / lines) if lines else 0.0
        result["curvature"] = curvature(grey)
        counts = directions(grey)
        shares = counts / max(counts.sum(), 1e-9)
        result["horizontal"], result["vertical"] = float(shares[0]), float(shares[len(shares) // 2])
        if self._reference is not None:
            result["direction_distance"] = hellinger(counts, self._directions)
        return result

    @functools.cached_property
    def _directions(self) -> NDArray[np.float64]:
        assert self._reference is not None
        return directions(np.asarray(self._reference()) / np.float32(255))


def _inked(
    paper: NDArray[np.float32], picture: NDArray[np.uint8], factor: int, order: Plane | None = None
) -> NDArray[np.float32]:
    """Returns paper float32 [H, W, 3] with a picture in ink, ``factor`` pixels to one of its own.

    Edges are interpolated, and then as sharp as those of a pen.
    """
    share = _grown(picture / np.float32(255), factor)
    ink = np.clip((share - MIDDLE) * STEEP + 0.5, 0, 1)[..., None]
    colour = PLAIN
    if order is not None:
        late = _grown(np.minimum(order / REDDEST, 1) * picture / 255, factor) / np.maximum(share, MIDDLE)
        colour = FIRST + np.clip(late, 0, 1)[..., None] * (LAST - FIRST)
    inked: NDArray[np.float32] = paper + ink * (colour - paper)
    return inked


def _grown(plane: Plane, factor: int) -> NDArray[np.float32]:
    from PIL import Image

    size = plane.shape[1] * factor, plane.shape[0] * factor
    image = Image.fromarray(np.ascontiguousarray(plane, np.float32))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC))
