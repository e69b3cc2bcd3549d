"""Small pictures of few colours and transparency, as games use them: shown large beside their real size."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..task import Array, Ints, Medium
from . import spritemeasures
from .pictures import BACKGROUND, save_png

Picture = NDArray[np.uint8]

SIZE = 256  # pixels: of the sprite shown large, about
MARGIN = 12
GROUND = np.array([(92, 98, 88), (97, 103, 93)], np.uint8)
"""Two shades of the checkered ground that transparency shows."""
PLAIN = GROUND[:1].repeat(2, 0)
AHEAD = np.array([(38, 41, 52), (42, 45, 57)], np.uint8)
"""The same where pixels are yet to be painted."""
CURSOR = (255, 196, 64)
SCALES = (4, 2, 1)  # pixels to one of the sprite, beside the large one
SWATCH = 14  # pixels of a colour of the palette
SYMBOLS = "@%&#8XOo*+=~-:,."
"""Of colours from dark to light, in text."""


class Sprite(Medium):
    """Contents uint8 [H, W]: 0 is transparent, ``1 + i`` the palette's colour ``i``.

    Args:
        palette: returns the colours, uint8 [P, 3], from dark to light; called when first needed.
        reference: returns the real contents [N, H, W] that colours and patterns are compared with; called when first
            needed. None compares nothing.
    """

    def __init__(self, palette: Callable[[], Picture], reference: Callable[[], Array] | None = None) -> None:
        self._palette, self._reference = palette, reference

    @functools.cached_property
    def palette(self) -> Picture:
        """The colours, uint8 [P, 3]; content ``1 + i`` is colour ``i``."""
        colours: Picture = self._palette()
        return colours

    def flat(self, content: Array, ground: Picture = GROUND, upto: int | None = None) -> Picture:
        """Returns a content pixel by pixel on a checkered ground, uint8 [H, W, 3].

        Args:
            content: [H, W].
            ground: its two shades, uint8 [2, 3].
            upto: number of pixels painted so far, row by row; None for all.
        """
        content = _read(content, 2, len(self.palette))
        rows, columns = np.indices(content.shape)
        odd = (rows + columns) % 2
        shown: Picture = np.where((content > 0)[..., None], self.palette[np.maximum(content, 1) - 1], ground[odd])
        if upto is not None:
            painted = np.arange(content.size).reshape(content.shape) < upto
            shown = np.where(painted[..., None], shown, AHEAD[odd])
        return shown

    def render(self, content: Array, condition: Ints | None = None, upto: int | None = None) -> Picture:
        """Draws a content large, beside itself at four times, twice and once its real size, above the palette.

        Args:
            content: uint8 [H, W].
            condition: is not shown.
            upto: number of pixels painted so far, row by row; a frame marks the next one.

        Returns:
            uint8 [280, 364, 3] for 16 x 16 pixels.
        """
        large = self.flat(content, upto=upto)
        height, width = large.shape[:2]
        factor = _factor(large.shape)
        shown = _scaled(large, factor)
        if upto is not None and upto < height * width:
            row, column = divmod(upto, width)
            _frame(shown, row * factor, column * factor, factor)
        done = np.arange(height * width).reshape(height, width) < (height * width if upto is None else upto)
        small = self.flat(np.where(done, content, 0), PLAIN)
        return self._laid_out(shown, [_scaled(small, factor) for factor in SCALES])

    def _laid_out(self, shown: Picture, small: list[Picture]) -> Picture:
        """Returns the large sprite, the small ones in a column to its right, and the palette below them."""
        column = max(small[0].shape[1], 4 * SWATCH) + 2 * MARGIN
        swatches = self._swatches()
        needed = sum(len(picture) + MARGIN for picture in small) + len(swatches) + MARGIN
        height = max(len(shown), needed)
        frame = np.full((height + 2 * MARGIN, MARGIN + shown.shape[1] + MARGIN + column, 3), BACKGROUND, np.uint8)
        frame[MARGIN : MARGIN + len(shown), MARGIN : MARGIN + shown.shape[1]] = shown
        left = 2 * MARGIN + shown.shape[1]
        field = frame[MARGIN : MARGIN + height - len(swatches) - MARGIN, left : left + column - MARGIN]
        field[:] = GROUND[0]
        top = MARGIN // 2
        for picture in small:
            across = (field.shape[1] - picture.shape[1]) // 2
            field[top : top + len(picture), across : across + picture.shape[1]] = picture
            top += len(picture) + MARGIN
        middle = left + (column - MARGIN - swatches.shape[1]) // 2
        frame[MARGIN + height - len(swatches) : MARGIN + height, middle : middle + swatches.shape[1]] = swatches
        return frame

    def _swatches(self) -> Picture:
        """Returns the palette in rows of four colours."""
        rows = -(-len(self.palette) // 4)
        squares = np.full((rows * 4, 3), BACKGROUND, np.uint8)
        squares[: len(self.palette)] = self.palette
        return _scaled(squares.reshape(rows, 4, 3), SWATCH)

    def cells(self, content: Array) -> Ints:
        """Maps the pixels of ``render``'s picture to those of the sprite, int [H, W]: row-major index, -1 for none."""
        content = np.asarray(content)
        factor = _factor(content.shape)
        frame = np.full(self.render(content).shape[:2], -1, np.int64)
        large = _scaled(np.arange(content.size).reshape(content.shape), factor)
        frame[MARGIN : MARGIN + large.shape[0], MARGIN : MARGIN + large.shape[1]] = large
        return frame

    def value_name(self, value: int) -> str:
        """Returns "transparent", or a colour as "#cd5e0d"."""
        return "#" + bytes(self.palette[value - 1]).hex() if value else "transparent"

    def population(self, contents: Array) -> Picture:
        """Draws contents [N, H, W] as ``sheet`` does, in rows that make about a square."""
        return self.sheet(contents)

    def sheet(self, contents: Array, columns: int | None = None, scale: int = 4) -> Picture:
        """Tiles contents [N, H, W] row by row on one ground, ``scale`` pixels to one of theirs, uint8 [H, W, 3].

        Args:
            contents: [N, H, W].
            columns: sprites in a row; None makes the sheet about square.
            scale: pixels to one of the sprites'.
        """
        contents = _read(contents, 3, len(self.palette))
        N, height, width = contents.shape
        columns = columns or int(np.ceil(np.sqrt(N)))
        rows, gap = -(-N // columns), max(1, height // 8)
        tiles = np.zeros((rows * columns, height + 2 * gap, width + 2 * gap), np.uint8)
        tiles[:N, gap:-gap, gap:-gap] = contents
        laid = tiles.reshape(rows, columns, *tiles.shape[1:]).swapaxes(1, 2).reshape(rows * tiles.shape[1], -1)
        return _scaled(self.flat(laid, PLAIN), scale)

    def describe(self, content: Array, condition: Ints | None = None) -> str:
        """Writes a symbol for each pixel, two wide, heavier ones for darker colours and none for transparency."""
        content = _read(content, 2, len(self.palette))
        places = np.linspace(0, len(SYMBOLS) - 1, len(self.palette)).round().astype(np.int64)
        symbols = [" ", *(SYMBOLS[place] for place in places)]
        lines = ("".join(2 * symbols[pixel] for pixel in row).rstrip() for row in content.tolist())
        return "\n".join(lines) if content.any() else "(transparent)"

    def export(self, content: Array, path: Path, condition: Ints | None = None) -> list[Path]:
        """Writes .png, of the real size, with palette and transparency; in a folder ``large`` beside it, as rendered.

        ``corpus=PATH`` reads the same contents from such files.
        """
        png = Path(path).with_suffix(".png")
        large = png.parent / "large" / png.name
        large.parent.mkdir(parents=True, exist_ok=True)
        self._save(_read(content, 2, len(self.palette)), png)
        save_png(self.render(content, condition), large)
        return [png, large]

    def _save(self, content: Picture, path: Path) -> None:
        from PIL import Image

        image = Image.fromarray(content).convert("P")
        image.putpalette([0, 0, 0, *self.palette.ravel().tolist()])
        image.save(path, format="PNG", transparency=0)

    def metrics(self, contents: Array, conditions: Ints | None = None) -> dict[str, float]:
        """Measures a population [N, H, W].

        ``covered``: share of pixels that are not transparent. ``colours``: mean number of colours of a sprite.
        ``outline``: share of the silhouettes' border pixels that are dark, a luma below 80 of 255; pixel artists
        outline figures (Silber 2015, "Pixel art for game developers"). ``even``: share of neighbouring covered pixels
        of one colour, low for noise (after the homogeneity of Haralick et al. 1973, for colours that have no order).
        ``symmetry``: mean share of covered pixels that equal their mirror image about the sprite's own middle, 1 for
        sprites equal to it (after Zabrodsky et al. 1995, "Symmetry as a continuous feature"). ``pieces``: mean number
        of connected parts, diagonals included (Rosenfeld & Pfaltz 1966). ``compactness``: mean of 16 area / perimeter^2
        along the sides of pixels, 1 for a square (Cox 1927's isoperimetric quotient, on a grid). ``pixel_distance``:
        mean share of pixels in which two sprites differ (Hamming 1950): diversity, 0 where all are one.

        Where there is a reference: ``palette_kl``, divergence of the colours of covered pixels from those of real
        sprites, and ``pattern_kl``, the same of squares of 2 x 2 pixels, transparency included (Lucas & Volz 2019,
        "Tile pattern KL-divergence for analysing and evolving game levels"), in nats; 0 for equal shares.

        Raises:
            ValueError: there are no sprites, or they have another shape.
        """
        sprites = _read(contents, 3, len(self.palette))
        found = spritemeasures.measure(sprites, self.palette)
        if self._reference is not None:
            found |= spritemeasures.compare(sprites, self._counts, 1 + len(self.palette))
        return found

    @functools.cached_property
    def _counts(self) -> tuple[spritemeasures.Counts, spritemeasures.Counts]:
        assert self._reference is not None
        return spritemeasures.counts(_read(self._reference(), 3, len(self.palette)), 1 + len(self.palette))


def _read(contents: Array, axes: int, colours: int) -> Picture:
    """Returns contents with so many axes, uint8.

    Raises:
        ValueError: they are empty, have other axes, or values beyond the palette.
    """
    contents = np.asarray(contents)
    if contents.ndim != axes or not contents.size or not 0 <= contents.min() <= contents.max() <= colours:
        shape = ("[H, W]", "[N, H, W]")[axes - 2]
        raise ValueError(
            f"sprites are non-empty, {shape} of 0 .. {colours}, not {list(contents.shape)} of other values"
        )
    return contents.astype(np.uint8)


def _factor(shape: tuple[int, ...]) -> int:
    return max(1, SIZE // max(shape[:2]))


def _scaled(picture: Array, factor: int) -> Array:
    return picture.repeat(factor, 0).repeat(factor, 1)


def _frame(picture: Picture, top: int, left: int, side: int) -> None:
    """Draws the outline of a square, two pixels wide."""
    square = picture[top : top + side, left : left + side]
    square[:2], square[-2:], square[:, :2], square[:, -2:] = CURSOR, CURSOR, CURSOR, CURSOR
