"""Animations of small pictures of few colours: played in a loop above the strip of their frames."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..task import Array, Ints, Medium
from . import motionmeasures
from .pictures import BACKGROUND, save_gif
from .spritemeasures import Counts
from .sprites import AHEAD, CURSOR, GROUND, PLAIN, SYMBOLS, Sprite

Picture = NDArray[np.uint8]

MARGIN = 12
GAP = 8  # between the frames of the strip
LARGE, STRIP = 10, 4  # pixels to one of a frame: where it is played, and in the strip
SMALL = (4, 2, 1)
SWATCH = 14
BEAT = 4  # decisions for which a frame is shown while the animation is built
SECONDS, LAST_SECONDS = 0.15, 0.6  # of a frame, and of the last one before the animation begins anew
GHOST = 0.22
"""Share of the frame before in what is transparent: the onion skin of animators."""
EXPORTED = 8  # pixels of a GIF to one of a frame


class Animation(Medium):
    """Contents uint8 [T, H, W]: 0 is transparent, ``1 + i`` the palette's colour ``i``.

    Args:
        palette: returns the colours, uint8 [P, 3], from dark to light; called when first needed.
        reference: returns the real contents [N, T, H, W] that colours and changes are compared with; called when first
            needed. None compares nothing.
    """

    def __init__(self, palette: Callable[[], Picture], reference: Callable[[], Array] | None = None) -> None:
        self._still, self._reference = Sprite(palette), reference

    @property
    def palette(self) -> Picture:
        """The colours, uint8 [P, 3]; content ``1 + i`` is colour ``i``."""
        return self._still.palette

    def render(self, content: Array, condition: Ints | None = None, upto: int | None = None) -> Picture:
        """Draws the first frame large above the strip of all frames, beside itself in small and the palette.

        Args:
            content: uint8 [T, H, W].
            condition: is not shown.
            upto: 0 shows an animation of which nothing is built yet, any other number all of it.

        Returns:
            uint8 [260, 368, 3] for five frames of 16 x 16 pixels.
        """
        return self.picture(content, 0 if upto == 0 else None)

    def picture(self, content: Array, place: int | None = None, time: int = 0) -> Picture:
        """Draws an animation that is being built, or a finished one.

        Args:
            content: uint8 [T, H, W].
            place: number of the pixel that is next, frame by frame; None for a finished animation.
            time: number of decisions so far: those frames that there are are played by it.
        """
        content = self._read(content, 3)
        T, height, width = content.shape
        going = T if place is None else place // (height * width)
        shown = (time // BEAT) % (going + 1) if place is not None else 0
        return self._laid_out(content, shown, place)

    def moments(self, content: Array, condition: Ints | None = None) -> list[tuple[Picture, float]]:
        """Returns the pictures of one turn of an animation, and the seconds that each is shown.

        A last frame that stays is shown once.
        """
        content = self._read(content, 3)
        changes = np.flatnonzero((content[1:] != content[:-1]).any((1, 2)))
        last = int(changes[-1]) + 1 if len(changes) else 0
        pictures = [self._laid_out(content, frame, None) for frame in range(last + 1)]
        return [(picture, LAST_SECONDS if frame == last else SECONDS) for frame, picture in enumerate(pictures)]

    def _laid_out(self, content: Picture, shown: int, place: int | None) -> Picture:
        """Returns the frame that is shown, beside it in small, the palette, and the strip below them."""
        T, height, width = content.shape
        top = LARGE * height
        whole = np.full(
            (self._strip_top(content) + STRIP * height + MARGIN, self._width(content), 3), BACKGROUND, np.uint8
        )
        frame = content[min(shown, T - 1)]
        whole[MARGIN : MARGIN + top, MARGIN : MARGIN + LARGE * width] = _scaled(self._still.flat(frame), LARGE)
        left = 2 * MARGIN + LARGE * width
        field = whole[MARGIN : MARGIN + top, left : left + (SMALL[0] + 1) * width]
        field[:] = GROUND[0]
        down = MARGIN // 2
        for factor in SMALL:
            small = _scaled(self._still.flat(frame, PLAIN), factor)
            across = (field.shape[1] - small.shape[1]) // 2
            field[down : down + len(small), across : across + small.shape[1]] = small
            down += len(small) + MARGIN
        swatches = self._swatches()
        left += field.shape[1] + MARGIN
        whole[MARGIN : MARGIN + len(swatches), left : left + swatches.shape[1]] = swatches[:, : whole.shape[1] - left]
        for number, (row, column) in enumerate(self._corners(content)):
            pixels = None if place is None else int(np.clip(place - number * height * width, 0, height * width))
            tile = self._ghosted(content, number, pixels)
            whole[row : row + STRIP * height, column : column + STRIP * width] = _scaled(tile, STRIP)
            if pixels is not None and number == place // (height * width):
                line, across = divmod(pixels, width)
                _frame(whole, row + STRIP * line - 1, column + STRIP * across - 1, STRIP + 2)
            if number == shown:
                bar = row + STRIP * height + 3
                whole[bar : bar + 3, column : column + STRIP * width] = CURSOR
        return whole

    def _ghosted(self, content: Picture, frame: int, upto: int | None) -> Picture:
        """Returns a frame pixel by pixel; the one before shines through what is transparent.

        Pixels that are yet to be built are dark; of those, the frame before shows which they begin as.
        """
        own = content[frame]
        tile = self._still.flat(own)
        if frame:
            before = self._still.flat(content[frame - 1])
            ghosts = (own == 0) & (content[frame - 1] > 0)
            mixed = ((1 - GHOST) * tile + GHOST * before).astype(np.uint8)
            tile = np.where(ghosts[..., None], mixed, tile)
        if upto is not None:
            built = np.arange(own.size).reshape(own.shape) < upto
            odd = np.indices(own.shape).sum(0) % 2
            dark = AHEAD[odd]
            if upto > 0:
                faint = ((1 - GHOST) * dark + GHOST * self._still.flat(own)).astype(np.uint8)
                dark = np.where((own > 0)[..., None], faint, dark)
            tile = np.where(built[..., None], tile, dark)
        return tile

    @staticmethod
    def _width(content: Picture) -> int:
        T, _, width = (int(side) for side in content.shape)
        beside = (LARGE + SMALL[0] + 1) * width + 4 * MARGIN + 4 * SWATCH
        return max(2 * MARGIN + T * STRIP * width + (T - 1) * GAP, beside)

    @staticmethod
    def _strip_top(content: Picture) -> int:
        return 2 * MARGIN + LARGE * int(content.shape[1])

    def _corners(self, content: Picture) -> list[tuple[int, int]]:
        """Returns row and column of the top left pixel of each frame in the strip."""
        step = STRIP * content.shape[2] + GAP
        return [(self._strip_top(content), MARGIN + number * step) for number in range(len(content))]

    def _swatches(self) -> Picture:
        """Returns the palette in rows of four colours."""
        rows = -(-len(self.palette) // 4)
        squares = np.full((rows * 4, 3), BACKGROUND, np.uint8)
        squares[: len(self.palette)] = self.palette
        return _scaled(squares.reshape(rows, 4, 3), SWATCH)

    def cells(self, content: Array) -> Ints:
        """Maps the pixels of ``render``'s picture to those of the frames, int [H, W]; -1 for none.

        The first frame is there twice: large, and in the strip.
        """
        content = np.asarray(content)
        frame = np.full(
            (self._strip_top(content) + STRIP * content.shape[1] + MARGIN, self._width(content)), -1, np.int64
        )
        numbers = np.arange(content.size).reshape(content.shape)
        large = _scaled(numbers[0], LARGE)
        frame[MARGIN : MARGIN + large.shape[0], MARGIN : MARGIN + large.shape[1]] = large
        for own, (row, column) in zip(numbers, self._corners(content), strict=True):
            tile = _scaled(own, STRIP)
            frame[row : row + tile.shape[0], column : column + tile.shape[1]] = tile
        return frame

    def value_name(self, value: int) -> str:
        """Returns "transparent", or a colour as "#cd5e0d"."""
        return self._still.value_name(value)

    def sheet(self, contents: Array, columns: int | None = None, scale: int = 2) -> Picture:
        """Tiles the strips of contents [N, T, H, W] row by row on one ground, ``scale`` pixels to one of theirs.

        Args:
            contents: [N, T, H, W].
            columns: strips in a row; None makes the sheet about square.
            scale: pixels to one of the frames'.
        """
        contents = self._read(contents, 4)
        N, T, height, width = contents.shape
        columns = columns or max(1, round(np.sqrt(N / T)))
        rows, gap = -(-N // columns), 1
        strips = np.zeros((rows * columns, height + 4 * gap, T * (width + gap) + 6 * gap), np.uint8)
        for frame in range(T):
            left = 3 * gap + frame * (width + gap)
            strips[:N, 2 * gap : 2 * gap + height, left : left + width] = contents[:, frame]
        laid = strips.reshape(rows, columns, *strips.shape[1:]).swapaxes(1, 2).reshape(rows * strips.shape[1], -1)
        return _scaled(self._still.flat(laid, PLAIN), scale)

    def describe(self, content: Array, condition: Ints | None = None) -> str:
        """Writes the frames side by side, a symbol for each pixel: heavier ones for darker colours, "." for none."""
        content = self._read(content, 3)
        places = np.linspace(0, len(SYMBOLS) - 2, len(self.palette)).round().astype(np.int64)
        symbols = np.array([SYMBOLS[-1], *(SYMBOLS[place] for place in places)])
        return "\n".join("  ".join("".join(row) for row in rows) for rows in symbols[content].swapaxes(0, 1))

    def export(self, content: Array, path: Path, condition: Ints | None = None) -> list[Path]:
        """Writes .png, the frames side by side in real size with palette and transparency; and .gif, larger, on ground.

        ``corpus=PATH`` reads the same contents from such .png files.
        """
        from PIL import Image

        content = self._read(content, 3)
        png, gif = (Path(path).with_suffix(suffix) for suffix in (".png", ".gif"))
        png.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(np.concatenate(content, 1)).convert("P")
        image.putpalette([0, 0, 0, *self.palette.ravel().tolist()])
        image.save(png, format="PNG", transparency=0)
        frames = [_scaled(self._still.flat(frame, PLAIN), EXPORTED) for frame in content]
        colours = [*GROUND[0].tolist(), *self.palette.ravel().tolist()]
        seconds = [SECONDS] * (len(frames) - 1) + [LAST_SECONDS]
        save_gif(frames, seconds, gif, frames[0].shape[1], colours)
        return [png, gif]

    def metrics(self, contents: Array, conditions: Ints | None = None) -> dict[str, float]:
        """Measures a population [N, T, H, W].

        ``changed``: mean share of pixels that differ from one frame to the next, over pixels that either covers.
        ``held``: share of frames that equal the one before. ``flicker``: share of changed pixels that return to their
        former value in the next frame, of those that have a next one. ``unmoved``: share of covered pixels whose colour
        no motion explains: each block of 4 x 4 pixels may come from anywhere within two pixels in the frame before
        (block matching: Jain & Jain 1981, "Displacement measurement and its application in interframe image coding");
        of frames that differ from the one before. ``travel``: mean distance, in pixels, that the middle of the covered
        pixels goes from one frame to the next. ``swell``: mean change of the number of covered pixels, as a share.
        ``covered``, ``colours``, ``outline``, ``even``, ``pixel_distance``: of all frames, as ``media.sprites`` has
        them. The first three, ``travel`` and ``swell`` are this project's own.

        Where there is a reference: ``palette_kl``, divergence of the colours of covered pixels from those of real
        animations, and ``change_kl``, the same of pairs of values that a pixel has in a frame and in the next one, in
        nats (after Lucas & Volz 2019); 0 for equal shares.

        Raises:
            ValueError: there are no animations, or they have another shape.
        """
        animations = self._read(contents, 4)
        found = motionmeasures.measure(animations, self.palette)
        if self._reference is not None:
            found |= motionmeasures.compare(animations, self._counts, 1 + len(self.palette))
        return found

    @functools.cached_property
    def _counts(self) -> tuple[Counts, Counts]:
        assert self._reference is not None
        return motionmeasures.counts(self._read(self._reference(), 4), 1 + len(self.palette))

    def _read(self, contents: Array, axes: int) -> Picture:
        """Returns contents with so many axes, uint8.

        Raises:
            ValueError: they are empty, have other axes, or values beyond the palette.
        """
        contents, colours = np.asarray(contents), len(self.palette)
        if contents.ndim != axes or not contents.size or not 0 <= contents.min() <= contents.max() <= colours:
            shape = ("[T, H, W]", "[N, T, H, W]")[axes - 3]
            raise ValueError(
                f"animations are non-empty, {shape} of 0 .. {colours}, not {list(contents.shape)} of other values"
            )
        return contents.astype(np.uint8)


def _scaled(picture: Array, factor: int) -> Array:
    return picture.repeat(factor, 0).repeat(factor, 1)


def _frame(picture: Picture, top: int, left: int, side: int) -> None:
    """Draws the outline of a square, one pixel wide."""
    square = picture[top : top + side, left : left + side]
    square[:1], square[-1:], square[:, :1], square[:, -1:] = CURSOR, CURSOR, CURSOR, CURSOR
