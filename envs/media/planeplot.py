"""Points, and rectangles of points still possible, over a density, drawn at twice the size and smoothed down.

Media import this file on first need: it loads Pillow.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ..task import Array, Floats
from .pictures import BACKGROUND, BAR, FAINT, LANE, TEXT, Colour

WIDTH, HEIGHT = 480, 572  # pixels of the finished picture
LEFT, TOP, SIDE = 28, 44, 440  # of the square that is the plane
STRIP, ROW = 506, 28  # where the bits stand, and the height of a line of them
SMOOTH = 2
SHADES = 176  # cells along each side of the square whose mass is shown
LOW: Colour = (24, 30, 52)
MIDDLE: Colour = (38, 104, 160)
HIGH: Colour = (142, 220, 226)
MARK: Colour = (255, 196, 74)


class Plot:
    """A density, on which to mark points.

    Args:
        title: of the picture.
        limit: largest absolute coordinate that is shown.
        mass: float [SHADES, SHADES], of each cell; the first row is the lowest y.
    """

    def __init__(self, title: str, limit: float, mass: Floats) -> None:
        self._limit = limit
        self._base = Image.new("RGB", (WIDTH * SMOOTH, HEIGHT * SMOOTH), BACKGROUND)
        box = (LEFT * SMOOTH, TOP * SMOOTH, (LEFT + SIDE) * SMOOTH, (TOP + SIDE) * SMOOTH)
        self._base.paste(_shade(mass).resize((SIDE * SMOOTH, SIDE * SMOOTH), Image.Resampling.BICUBIC), box)
        pen = ImageDraw.Draw(self._base)
        _text(pen, title, LEFT, 22, 20, TEXT, "lm")
        values = 2 * np.arange(-int(limit / 2), int(limit / 2) + 1)
        ticks = zip(values.tolist(), self._across(values).tolist(), self._down(values).tolist(), strict=True)
        for value, x, y in ticks:
            _text(pen, str(value), x, TOP + SIDE + 9, 11, FAINT, "mm")
            _text(pen, str(value), LEFT - 6, y, 11, FAINT, "rm")
            for line in ((x, TOP + SIDE, x, TOP + SIDE + 3), (LEFT - 3, y, LEFT, y)):
                pen.line([round(end * SMOOTH) for end in line], FAINT, SMOOTH)

    def draw(self, low: Floats, high: Floats, bits: Array, text: str) -> NDArray[np.uint8]:
        """Draws a point, or the rectangle of points still possible.

        Args:
            low: least x and y still possible, [2].
            high: greatest x and y still possible, [2].
            bits: [2, 16], -1 where not chosen yet.
            text: describes the point.

        Returns:
            uint8 [H, W, 3].
        """
        canvas = self._base.convert("RGBA")
        left, right = self._across(np.array([low[0], high[0]])).tolist()
        top, bottom = self._down(np.array([high[1], low[1]])).tolist()
        finished = bool((bits >= 0).all())
        veil = Image.new("RGBA", canvas.size)
        pen = ImageDraw.Draw(veil)
        if finished:
            for line in ((left, TOP, left, TOP + SIDE), (LEFT, top, LEFT + SIDE, top)):
                pen.line([round(end * SMOOTH) for end in line], (*MARK, 90), SMOOTH)
            for radius, colour in ((9, (*MARK, 80)), (5, (*BACKGROUND, 255)), (4, (*MARK, 255))):
                _disc(pen, left, top, radius, colour)
        else:
            middle, least = ((left + right) / 2, (top + bottom) / 2), 3.0  # a strip of one step would not be seen
            wide, tall = max(right - left, least) / 2, max(bottom - top, least) / 2
            box = (middle[0] - wide, middle[1] - tall, middle[0] + wide, middle[1] + tall)
            square = [round(end * SMOOTH) for end in (LEFT, TOP, LEFT + SIDE, TOP + SIDE)]
            pen.rectangle(square, (*BACKGROUND, 130))
            inner = [round(end * SMOOTH) for end in box]
            pen.rectangle(inner, (0, 0, 0, 0), (*MARK, 255), 2 * SMOOTH if min(wide, tall) > least else SMOOTH)
        canvas.alpha_composite(veil)
        self._write(canvas, text, bits)
        return _small(canvas)

    def scatter(self, points: Floats, text: str) -> NDArray[np.uint8]:
        """Draws many points [N, 2], uint8 [H, W, 3]; the more of them, the smaller and fainter."""
        canvas = self._base.convert("RGBA")
        dots = Image.new("RGBA", canvas.size)
        pen = ImageDraw.Draw(dots)
        radius = float(np.clip(40 / np.sqrt(max(len(points), 1)), 1, 4))
        for x, y in zip(self._across(points[:, 0]).tolist(), self._down(points[:, 1]).tolist(), strict=True):
            _disc(pen, x, y, radius, (*MARK, 210))
        canvas.alpha_composite(dots)
        self._write(canvas, text, np.zeros((0, 1), np.int8))
        return _small(canvas)[:STRIP]

    def _across(self, x: Array) -> Floats:
        """Returns where x lies, pixels."""
        across: Floats = LEFT + (x / self._limit + 1) * (SIDE / 2)
        return across

    def _down(self, y: Array) -> Floats:
        down: Floats = TOP + (1 - y / self._limit) * (SIDE / 2)
        return down

    def _write(self, canvas: Image.Image, text: str, bits: Array) -> None:
        pen = ImageDraw.Draw(canvas)
        _text(pen, text, LEFT + SIDE, 23, 15, TEXT, "rm")
        wide = SIDE / bits.shape[1]
        for row, values in enumerate(bits.tolist()):
            top = STRIP + ROW * row
            _text(pen, "xy"[row], LEFT - 12, top + 12, 15, FAINT, "mm")
            for column, value in enumerate(values):
                left = LEFT + wide * column
                box = [round(end * SMOOTH) for end in (left, top, left + wide - 3, top + ROW - 4)]
                pen.rounded_rectangle(box, 4 * SMOOTH, (LANE, BAR, MARK)[value + 1])
                if value >= 0:
                    sign = ("+-" if column == 0 else "01")[value]
                    _text(pen, sign, left + wide / 2 - 1.5, top + 12, 14, BACKGROUND if value else TEXT, "mm")


def _shade(mass: Floats) -> Image.Image:
    """Colours masses [H, W]: dark for none, by the square root for the others, so that faint parts are seen."""
    padded = np.pad(mass, 1)
    shifted = [padded[i : i + len(mass), j : j + len(mass)] for i in range(3) for j in range(3)]
    blurred = np.mean(shifted, axis=0)
    share = np.sqrt(np.minimum(blurred / np.quantile(blurred[blurred > 0], 0.98), 1))[::-1, :, None]
    low, middle, high = (np.array(colour, float) for colour in (LOW, MIDDLE, HIGH))
    colours = np.where(share < 0.5, low + 2 * share * (middle - low), middle + (2 * share - 1) * (high - middle))
    return Image.fromarray(np.round(colours).astype(np.uint8))


@functools.lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size * SMOOTH)


def _text(pen: ImageDraw.ImageDraw, text: str, x: float, y: float, size: int, colour: Colour, anchor: str) -> None:
    pen.text((x * SMOOTH, y * SMOOTH), text, colour, _font(size), anchor)


def _disc(pen: ImageDraw.ImageDraw, x: float, y: float, radius: float, colour: tuple[int, int, int, int]) -> None:
    left, top = (x - radius) * SMOOTH, (y - radius) * SMOOTH
    pen.ellipse((left, top, left + 2 * radius * SMOOTH, top + 2 * radius * SMOOTH), colour)


def _small(canvas: Image.Image) -> NDArray[np.uint8]:
    return np.array(canvas.convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.BOX))
