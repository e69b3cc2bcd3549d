"""Pictures of your own to paint: photographs, drawings, paintings in a folder, of any size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .figures import Figure, Figures
from .files import Found, read_files
from .images import kins_of, opened
from .subfolders import conditions_of, folder_of
from .thumbnails import SIDE, laid_on, shrunk

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
FORMATS = ("PNG", "JPEG", "WEBP")
GROUND = (255, 255, 255)


def read_photographs(found: Found, side: int = SIDE) -> Figures:
    """Returns the square in the middle of each picture, ``side`` pixels large; clear parts show a white ground."""
    items, skipped = read_files(found, lambda data, name: [(name, shrunk(laid_on(_read(data), GROUND), side))])
    styled = bool(conditions_of(found))
    figures = [
        Figure(name, kin, (folder_of(name),) if styled else (), pixels)
        for (name, pixels), kin in zip(items, kins_of([name for name, _ in items]), strict=True)
    ]
    return Figures(figures, len(found.files) + len(found.skipped), {}, skipped)


def _read(data: bytes) -> NDArray[np.uint8]:
    """Returns a picture as it is meant to be seen, uint8 [H, W, 4].

    Raises:
        ValueError: It is no picture, or too large.
    """
    from PIL import ImageOps

    with opened(data, FORMATS) as image:
        return np.array(ImageOps.exif_transpose(image).convert("RGBA"))
