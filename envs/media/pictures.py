"""Pictures as arrays uint8 [H, W, 3]: their colours, and how they are written to files."""

from __future__ import annotations

import colorsys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]

BACKGROUND: Colour = (17, 19, 28)
LANE: Colour = (26, 29, 41)
BAR: Colour = (82, 88, 116)
TEXT: Colour = (232, 234, 243)
FAINT: Colour = (128, 135, 162)


def save_png(picture: NDArray[np.uint8], path: Path) -> None:
    """Writes a picture."""
    from PIL import Image

    Image.fromarray(picture).save(path, format="PNG")


def palette_in(pictures: list[NDArray[np.uint8]], colours: int = 64) -> list[int]:
    """Returns a palette for ``save_gif``, chosen for the first picture and the last one."""
    from PIL import Image

    return Image.fromarray(np.vstack([pictures[0], pictures[-1]])).quantize(colours).getpalette() or []


def save_gif(
    pictures: list[NDArray[np.uint8]],
    seconds: list[float],
    path: Path,
    width: int,
    palette: list[int],
    comment: str = "",
) -> None:
    """Writes pictures as an endless GIF.

    Args:
        pictures: of one size.
        seconds: how long each is shown.
        path: where to.
        width: of the GIF, pixels.
        palette: red, green, blue, red, ... of at most 256 colours. One palette for all pictures keeps what
            does not change the same, which then takes no room in the file.
        comment: kept in the file, unseen.
    """
    from PIL import Image

    size = (width, round(pictures[0].shape[0] * width / pictures[0].shape[1]))
    colours = Image.new("P", (1, 1))
    colours.putpalette(palette)
    frames = [
        Image.fromarray(picture)
        .resize(size, Image.Resampling.LANCZOS)
        .quantize(palette=colours, dither=Image.Dither.NONE)
        for picture in pictures
    ]
    milliseconds = [max(20, 10 * round(100 * each)) for each in seconds]  # a GIF counts hundredths of a second
    known = {"comment": comment} if comment else {}
    frames[0].save(
        path, save_all=True, append_images=frames[1:], duration=milliseconds, loop=0, optimize=False, **known
    )


def colour(token: int) -> Colour:
    """Returns the colour of a token.

    Hue and lightness are the fractional parts of its number times powers of the plastic number's inverse (Roberts 2018,
    "The unreasonable effectiveness of quasirandom sequences"): tokens of near numbers differ most, and no vocabulary
    need be known. Thousands of tokens cannot all be told apart by colour.
    """
    hue, light = (token * step % 1.0 for step in (0.7548776662466927, 0.5698402909980532))
    red, green, blue = colorsys.hls_to_rgb(hue, 0.40 + 0.28 * light, 0.62)
    return round(255 * red), round(255 * green), round(255 * blue)
