"""Chinese writing as a picture: ink on paper in columns from the right, a mount of silk, a seal.

Where no font has a character, its place shows a box with its pinyin.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .fonts import font, latin
from .pictures import Colour

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

Picture = NDArray[np.uint8]

SILK: Colour = (62, 72, 66)
THREAD: Colour = (70, 81, 74)
EDGE: Colour = (120, 104, 70)
PAPER: Colour = (243, 234, 214)
RULE: Colour = (219, 190, 164)
INK: Colour = (30, 26, 24)
FAINT: Colour = (150, 132, 112)
VERMILION: Colour = (186, 50, 38)
TRAY: Colour = (52, 61, 56)
LIGHT: Colour = (236, 230, 214)
MARKED: Colour = (214, 176, 92)
MOUNT = 16  # pixels of silk around the paper


@functools.lru_cache(maxsize=8)
def ground(width: int, height: int, strip: int) -> Image:
    """Returns a sheet of paper on silk, with a strip of silk below it; ``height`` is that of both, pixels."""
    from PIL import Image, ImageDraw

    rng = np.random.default_rng(0)
    picture = np.empty((height, width, 3), np.float32)
    picture[:] = SILK
    rows, columns = np.indices((height, width))
    picture[((rows + columns) // 3 % 4 == 0) & ((rows - columns) // 3 % 4 == 0)] = THREAD
    top, bottom, left, right = MOUNT, height - strip, MOUNT, width - MOUNT
    clouds = rng.normal(size=((bottom - top) // 24 + 2, (right - left) // 24 + 2)).astype(np.float32)
    smooth = np.array(Image.fromarray(clouds).resize((right - left, bottom - top), Image.Resampling.BICUBIC))
    fibres = rng.normal(size=smooth.shape).astype(np.float32) > 2.2
    picture[top:bottom, left:right] = np.array(PAPER) + 2.5 * smooth[..., None] - 7 * fibres[..., None]
    image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    ImageDraw.Draw(image).rectangle((left - 3, top - 3, right + 2, bottom + 2), outline=EDGE, width=2)
    return image


def character(canvas: ImageDraw, centre: tuple[float, float], text: str, reading: str, size: int, ink: Colour) -> None:
    """Draws a character of a size in pixels around a point; a box with its reading where no font has it."""
    written = font(text, size)
    if written is not None:
        canvas.text(centre, text, ink, written, anchor="mm")
        return
    x, y, half = *centre, 0.42 * size
    canvas.rounded_rectangle((x - half, y - half, x + half, y + half), size / 10, outline=ink, width=max(1, size // 32))
    label = reading or f"{ord(text):X}"
    small = latin(max(7, int(1.35 * size / max(3, len(label)))))
    canvas.text(centre, label, ink, small, anchor="mm")


def seal(canvas: ImageDraw, box: tuple[float, float, float, float], text: str) -> None:
    """Stamps a red seal with two characters, from top to bottom, in light."""
    left, top, right, bottom = box
    canvas.rounded_rectangle(box, (right - left) / 8, VERMILION)
    size = int(0.46 * (bottom - top))
    for number, each in enumerate(text):
        centre = ((left + right) / 2, top + (bottom - top) * (2 * number + 1) / (2 * len(text)))
        character(canvas, centre, each, "", size, PAPER)


def tone_mark(canvas: ImageDraw, centre: tuple[float, float], oblique: bool, colour: Colour) -> None:
    """Draws the mark of a tone, as prosodists do: a ring for a level one, a dot for an oblique one."""
    x, y, radius = *centre, 3.0
    box = (x - radius, y - radius, x + radius, y + radius)
    canvas.ellipse(box, fill=colour if oblique else None, outline=colour)
