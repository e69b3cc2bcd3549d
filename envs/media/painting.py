"""Small pictures in colour: shown on an easel with palette and brush, written to files, measured as populations."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..task import Array, Ints, Medium
from . import colourmeasures
from .brushes import BRUSHES, Brush, cover
from .drawing import mean_distance
from .pictures import BACKGROUND, save_png
from .spritemeasures import divergence

Picture = NDArray[np.uint8]
Floats = NDArray[np.floating[Any]]

SCALE = 8  # pixels to one of the painting
FRAME, GAP = 10, 8  # pixels of the frame, and between it, the edge and the palette
WOOD = np.array([(112, 80, 50), (146, 108, 70), (94, 66, 40)], np.float64)
"""Of the frame: its middle, its light and its shady edge."""
BOARD = np.array((222, 202, 170), np.float64)
"""Of the palette's board."""
INK = np.array((40, 34, 30), np.float64)
MARK = np.array((255, 196, 64), np.float64)
COLUMNS, BLOB = 3, 20  # of blobs of paint on the palette, and pixels from one to the next
SHADES = "@%#*+=-:. "
"""From dark to light, in text."""


class Laid(NamedTuple):
    """The painter's colour and brush, and the stroke just laid.

    Attributes:
        colour: index of the palette; -1 for none.
        brush: in hand; None for none.
        place: float64 [2], row and column of the stroke just laid; None where there is none to show.
    """

    colour: int
    brush: Brush | None
    place: NDArray[np.float64] | None


class Painting(Medium):
    """Contents uint8 [H, W, 3], red, green and blue.

    Args:
        palette: returns the colours of a painter's palette, uint8 [P, 3]; called when first needed.
        reference: returns the real contents that colours are compared with; called when first needed. None compares
            nothing.
        places: float64 [M, 2], rows and columns that strokes may be laid around.
    """

    def __init__(
        self,
        palette: Callable[[], Picture],
        reference: Callable[[], Array] | None = None,
        places: NDArray[np.float64] | None = None,
    ) -> None:
        self._palette, self._reference = palette, reference
        self._places = np.zeros((0, 2)) if places is None else places

    @functools.cached_property
    def palette(self) -> Picture:
        """The colours, uint8 [P, 3]."""
        colours: Picture = self._palette()
        return colours

    def colour_name(self, index: int) -> str:
        """Returns a colour of the palette as "#cd5e0d"."""
        return "#" + bytes(self.palette[index]).hex()

    def render(self, content: Array, condition: Ints | None = None, upto: int | None = None) -> Picture:
        """Draws a painting in its frame, eight times as large, beside the palette.

        A picture does not tell in which order it was painted: ``upto=0`` is the white canvas, all else the whole.

        Args:
            content: uint8 [H, W, 3].
            condition: is not shown.
            upto: 0 or any other number.

        Returns:
            uint8 [H', W', 3].
        """
        content = _read(content, 3)
        return self.at_work(np.full_like(content, 255) if upto == 0 else content, None)

    def at_work(self, content: Array, laid: Laid | None) -> Picture:
        """Draws a painting as ``render`` does; a ring marks the colour in hand, an outline the stroke just laid."""
        content = _read(content, 3)
        shown = enlarged(content, SCALE)
        if laid is not None and laid.brush is not None and laid.place is not None:
            _outline(shown, laid.brush, laid.place, content.shape[0])
        height, width = shown.shape[:2]
        left = width + 2 * (GAP + FRAME)
        board = self._board(height + 2 * FRAME, laid)
        frame = np.empty((height + 2 * (GAP + FRAME), left + board.shape[1] + GAP, 3), np.float64)
        frame[:] = BACKGROUND
        _framed(frame[GAP:-GAP, GAP : left - GAP], shown)
        frame[GAP:-GAP, left:-GAP] = board
        return frame.round().astype(np.uint8)

    def _board(self, height: int, laid: Laid | None) -> Floats:
        """Returns the palette's board, float [height, w, 3]: blobs of paint, and a stroke of the brush in hand."""
        width = COLUMNS * BLOB + GAP
        step = min(BLOB, (height - width) / -(-len(self.palette) // COLUMNS))
        board = np.tile(BOARD, (height, width, 1))
        across, down = (n + 0.5 for n in np.meshgrid(np.arange(width), np.arange(height)))
        for index, colour in enumerate(self.palette):
            row, column = divmod(index, COLUMNS)
            away = np.hypot(across - (GAP / 2 + (column + 0.5) * BLOB), down - (GAP / 2 + (row + 0.5) * step))
            if laid is not None and index == laid.colour:
                _blend(board, away, 0.48 * step, MARK)
            _blend(board, away, 0.4 * step, colour * 0.75)
            _blend(board, away, 0.35 * step, colour)
        if laid is not None and laid.brush is not None:
            icon = self._icon(laid.brush, width - GAP)
            board[-len(icon) - GAP // 2 : -GAP // 2, GAP // 2 : -GAP // 2] = icon
        return board

    def _icon(self, brush: Brush, side: int) -> Floats:
        """Returns a stroke of a brush in ink on the board, float [side, side, 3]; the largest just fits."""
        pixels = 22
        middle = np.full((1, 2), (pixels - 1) / 2)
        fine = -(-side // pixels)
        share = cover(brush, middle, pixels, fine)[0]
        at = (np.arange(side) * len(share)) // side
        icon: Floats = BOARD + share[at[:, None], at][..., None] * (INK - BOARD)
        return icon

    @functools.cached_property
    def swatches(self) -> tuple[Picture, ...]:
        """A picture of each colour, uint8 [34, 34, 3]."""
        return tuple(np.tile(colour, (34, 34, 1)) for colour in self.palette)

    @functools.cached_property
    def brush_pictures(self) -> tuple[Picture, ...]:
        """A picture of each brush's stroke, uint8 [44, 44, 3]."""
        return tuple(self._icon(brush, 44).round().astype(np.uint8) for brush in BRUSHES)

    def nearest(self, x: int, y: int) -> int | None:
        """Returns the place nearest to pixel (x, y) of a rendered picture; None beside the painting."""
        spot = (np.array([y, x]) + 0.5 - GAP - FRAME) / SCALE  # row and column on the canvas
        reach = self._places.max() + self._places.min() + 1 if len(self._places) else 0
        if not ((spot >= 0) & (spot < reach)).all():
            return None
        return int(np.square(self._places + 0.5 - spot).sum(1).argmin())

    def population(self, contents: Array) -> Picture:
        """Draws contents [N, H, W, 3] as ``sheet`` does, in rows that make about a square."""
        return self.sheet(contents, scale=2)

    def sheet(self, contents: Array, columns: int | None = None, scale: int = 3) -> Picture:
        """Tiles contents [N, H, W, 3] row by row, uint8 [H', W', 3].

        Args:
            contents: [N, H, W, 3].
            columns: pictures in a row; None makes the sheet about square.
            scale: pixels to one of the pictures'.
        """
        contents = _read(contents, 4)
        N, height, width, _ = contents.shape
        columns = columns or int(np.ceil(np.sqrt(N)))
        rows = -(-N // columns)
        tiles = np.empty((rows * columns, height * scale + 2 * GAP // 2, width * scale + 2 * GAP // 2, 3), np.uint8)
        tiles[:] = BACKGROUND
        edge = GAP // 2
        tiles[:N, edge:-edge, edge:-edge] = [enlarged(content, scale).round() for content in contents]
        laid: Picture = (
            tiles.reshape(rows, columns, *tiles.shape[1:]).swapaxes(1, 2).reshape(rows * tiles.shape[1], -1, 3)
        )
        return laid

    def describe(self, content: Array, condition: Ints | None = None) -> str:
        """Writes a character for each pixel, two wide, heavier ones for darker colours."""
        grey = colourmeasures.luma(_read(content, 3))
        marks = np.array(list(SHADES))[np.minimum((grey * len(SHADES)).astype(np.int64), len(SHADES) - 1)].repeat(2, 1)
        lines = ["".join(row).rstrip() for row in marks]
        return "\n".join(lines) if any(lines) else "(white)"

    def export(self, content: Array, path: Path, condition: Ints | None = None) -> list[Path]:
        """Writes .png, of the real size, and in a folder ``large`` beside it a larger one.

        ``corpus=PATH`` reads the same contents from the former.
        """
        content, png = _read(content, 3), Path(path).with_suffix(".png")
        large = png.parent / "large" / png.name
        large.parent.mkdir(parents=True, exist_ok=True)
        save_png(content, png)
        save_png(enlarged(content, SCALE).round().astype(np.uint8), large)
        return [png, large]

    def metrics(self, contents: Array, conditions: Ints | None = None) -> dict[str, float]:
        """Measures a population [N, H, W, 3].

        ``brightness``: mean luma (BT.601), 0 to 1. ``colourfulness``: mean colourfulness of Hasler & Suesstrunk 2003,
        0 for greys, above 80 for very colourful pictures. ``edge_density``: mean share of pixels with a steep gradient
        (Sobel & Feldman 1968): clutter (Mack & Oliva 2004). ``spectrum_slope``: mean slope of log power over log
        frequency, about -2 for photographs and paintings (Field 1987; Graham & Field 2007), 0 for white noise.
        ``symmetry``: 1 minus the mean difference to the mirror image about the upright axis (after Zabrodsky et al.
        1995). ``colours``: mean number of the palette's colours that are nearest to one pixel in a hundred or more.
        ``pixel_distance``: mean Euclidean distance of two pictures, bytes from 0 to 1: diversity, 0 where all are one.
        Where there is a reference, ``palette_kl``: divergence of the shares of the palette's colours, each pixel
        counting as the nearest one, from those of real pictures, nats (Kullback & Leibler 1951, smoothed as by Lucas &
        Volz 2019).

        Raises:
            ValueError: there are no pictures, or they have another shape.
        """
        pictures = _read(contents, 4)
        shares = self._shares(pictures)
        found = colourmeasures.measure(pictures)
        found["colours"] = float((shares >= 1 / colourmeasures.PATCHY).sum(1).mean())
        flat = (pictures / np.float32(255)).reshape(len(pictures), -1)
        found["pixel_distance"] = mean_distance(flat)
        if self._reference is not None:
            pixels = pictures[0, ..., 0].size * len(pictures)
            found["palette_kl"] = divergence(shares.mean(0) * pixels, self._counts)
        return found

    def _shares(self, pictures: Picture) -> NDArray[np.float64]:
        """Returns the share of each of the palette's colours in each picture, float64 [N, P]."""
        colours = colourmeasures.nearest_colours(pictures, self.palette).reshape(len(pictures), -1)
        P = len(self.palette)
        counts = np.bincount((np.arange(len(colours))[:, None] * P + colours).ravel(), minlength=len(colours) * P)
        shares: NDArray[np.float64] = counts.reshape(len(colours), P) / colours.shape[1]
        return shares

    @functools.cached_property
    def _counts(self) -> NDArray[np.float64]:
        assert self._reference is not None
        pictures = _read(self._reference(), 4)
        counts: NDArray[np.float64] = self._shares(pictures).mean(0) * pictures[..., 0].size
        return counts


@functools.cache
def _weights(side: int, scale: int) -> NDArray[np.float64]:
    """Returns the weights of ``side`` pixels in ``scale * side`` finer ones, float64 [scale * side, side].

    Cubic convolution (Keys 1981, "Cubic convolution interpolation for digital image processing"), edges repeated.
    """
    at = (np.arange(scale * side) + 0.5) / scale - 0.5
    first = np.floor(at).astype(np.int64)
    weights = np.zeros((len(at), side))
    for step in range(-1, 3):
        away = np.abs(at - first - step)
        near, far = 1.5 * away**3 - 2.5 * away**2 + 1, -0.5 * away**3 + 2.5 * away**2 - 4 * away + 2
        np.add.at(weights, (np.arange(len(at)), np.clip(first + step, 0, side - 1)), np.where(away <= 1, near, far))
    return weights


def enlarged(content: Picture, scale: int) -> NDArray[np.float64]:
    """Returns a picture uint8 [H, W, 3] made larger without steps, float64 [scale H, scale W, 3] of 0 to 255."""
    down, across = (_weights(side, scale) for side in content.shape[:2])
    pixels: NDArray[np.float64] = np.clip(np.einsum("hr,rwc->hwc", down, across @ content.astype(np.float64)), 0, 255)
    return pixels


def _read(contents: Array, axes: int) -> Picture:
    """Returns contents with so many axes, the last one of three channels.

    Raises:
        ValueError: they are empty, no bytes, or have another shape.
    """
    contents = np.asarray(contents)
    if contents.ndim != axes or contents.dtype != np.uint8 or not contents.size or contents.shape[-1] != 3:
        shape = ("[H, W, 3]", "[N, H, W, 3]")[axes - 3]
        raise ValueError(f"paintings are non-empty, uint8 {shape}, not {contents.dtype} {list(contents.shape)}")
    return contents


def _framed(field: Floats, shown: Floats) -> None:
    """Fills a field with a wooden frame, lit from the top left, around a painting."""
    height, width = field.shape[:2]
    rows, columns = np.ogrid[:height, :width]
    inward = np.minimum(np.minimum(rows, columns), np.minimum(height - 1 - rows, width - 1 - columns))
    lit = np.minimum(rows, columns) < np.minimum(height - 1 - rows, width - 1 - columns)
    field[:] = WOOD[0]
    field[(inward < 3) & lit] = WOOD[1]
    field[(inward < 3) & ~lit] = WOOD[2]
    field[(inward >= FRAME - 2) & lit] = WOOD[2]
    field[FRAME:-FRAME, FRAME:-FRAME] = shown


def _blend(board: Floats, away: Floats, radius: float, colour: Floats) -> None:
    """Lays a disc with a smooth edge on a board [h, w, 3], whose pixels are ``away`` [h, w] from its middle."""
    board += np.clip(radius + 0.5 - away, 0, 1)[..., None] * (colour - board)


def _outline(shown: Floats, brush: Brush, place: NDArray[np.float64], side: int) -> None:
    """Draws the outline of a stroke, light within dark, on an enlarged painting [h, w, 3]."""
    for wider, colour, opacity in ((0.4, INK, 0.35), (0.2, MARK, 0.9)):
        outer, inner = (
            cover(brush._replace(radius=brush.radius + grown), place[None], side, SCALE)[0]
            for grown in (wider, 0.0 if colour is MARK else 0.2)
        )
        shown += (opacity * (outer - inner))[..., None] * (colour - shown)
