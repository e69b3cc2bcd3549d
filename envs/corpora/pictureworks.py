"""Small square pictures of several sources in one form: bytes, in grey or in colour, in a split each.

See ``docs/environments/atelier.md``.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..task import SPLITS, Condition, CorpusReport, Works
from . import drawings, paintings, pictures, sprites
from .images import opened
from .palettes import colours
from .thumbnails import SIDE as COLOURED
from .thumbnails import laid_on, shrunk
from .usable import UsableWorks

DIGITS = tuple(map(str, range(10)))
FAINTEST, FULL = 4, 12
"""Steps of ``drawings.trace`` from which on there is ink, and from which on it is full."""
WHITE = 255
FORMATS = ("PNG", "JPEG", "WEBP")
LUMINANCE = np.array((299, 587, 114))
"""Weights of red, green and blue in a grey (ITU-R BT.601)."""
SIDES = (32, 48, 64)
"""Of a user's own pictures."""


class Source(NamedTuple):
    """Pictures that a source has.

    Attributes:
        side: rows and columns of a picture.
        channels: 1 in grey, on black; 3 in colour.
        conditions: of the pictures.
        load: reads the works.
        palette: returns colours by which populations are measured, uint8 [P, 3].
    """

    side: int
    channels: int
    conditions: tuple[Condition, ...]
    load: Callable[[], UsableWorks]
    palette: Callable[[], NDArray[np.uint8]]

    def read(self, path: Path) -> NDArray[np.uint8]:
        """Reads any picture: the square in its middle, in the size and colours of these, uint8 [side, side(, 3)].

        Raises:
            OSError: the file cannot be read.
            ValueError: it is no picture, or all of its pixels are alike.
        """
        from PIL.ImageOps import exif_transpose

        with opened(path.read_bytes(), FORMATS) as image:
            pixels = np.array(exif_transpose(image).convert("RGBA"))  # as a camera was held
        grey = self.channels == 1
        square = shrunk(laid_on(pixels, (0, 0, 0) if grey else (WHITE, WHITE, WHITE)), self.side)[..., :3]
        shades: NDArray[np.uint8] = (square.astype(np.int64) @ LUMINANCE // LUMINANCE.sum()).astype(np.uint8)
        made = shades if grey else square
        if made.min() == made.max():
            raise ValueError(
                "all of its pixels are alike" + (": light lines on a dark ground are read" if grey else "")
            )
        return made

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a picture."""
        return (self.side, self.side) if self.channels == 1 else (self.side, self.side, self.channels)


def _digits() -> UsableWorks:
    works = {
        split: Works(images, labels[:, None].astype(np.int64))
        for split, (images, labels) in pictures.load_digits("mnist").items()
    }
    return UsableWorks(works, CorpusReport({split: len(own) for split, own in works.items()}, 1, 1), "", "")


def _kanji() -> UsableWorks:
    """Returns KanjiVG's characters in ink."""
    drawn = drawings.load_drawings("kanjivg")
    works = {split: _inked(drawn.works[split]) for split in SPLITS}
    return dataclasses.replace(drawn, works=works)


def _inked(works: Works) -> Works:
    traces = np.array([drawings.trace(drawings.decode(actions)) for actions in works.contents])
    side = drawings.SIDE
    ink = 255 * np.clip((traces - FAINTEST) / (FULL - FAINTEST), 0, 1)
    contents = np.rint(ink).astype(np.uint8).reshape(-1, side, side)
    return dataclasses.replace(works, contents=contents)


def _sprites() -> UsableWorks:
    """Returns sprites on white, each pixel twice as large along each side."""
    gallery = sprites.load_collection("wesnoth-units")
    colours = np.concatenate([np.full((1, 3), WHITE, np.uint8), gallery.palette])
    works = {
        split: dataclasses.replace(own, contents=_twice(colours[own.contents]))
        for split, own in gallery.works.works.items()
    }
    return dataclasses.replace(gallery.works, works=works)


def _twice(contents: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return contents.repeat(2, 1).repeat(2, 2)


def _greys() -> NDArray[np.uint8]:
    return np.array([[0] * 3, [WHITE] * 3], np.uint8)


def _painted(data: str) -> Source:
    known = paintings.COLLECTIONS[data]
    palette = colours(known.palette)
    return Source(COLOURED, 3, known.conditions, lambda: paintings.load_collection(data).works, lambda: palette)


_UNITS = sprites.COLLECTIONS["wesnoth-units"]
SOURCES = {
    "mnist": Source(28, 1, (Condition("digit", DIGITS),), _digits, _greys),
    "kanjivg": Source(drawings.SIDE, 1, drawings.CONDITIONS, _kanji, _greys),
    **{data: _painted(data) for data in paintings.COLLECTIONS},
    "wesnoth-units": Source(COLOURED, 3, _UNITS.conditions, _sprites, lambda: colours(_UNITS.palette)),
}
"""By name; the first is the default."""


def read_folder(corpus: str, side: int | None) -> Source:
    """Returns the pictures of a user's folder, in colour; they are read when they are first needed.

    Args:
        corpus: the folder.
        side: one of ``SIDES``; the first where None.

    Raises:
        ValueError: there is no such folder, or the side is another.
    """
    side = SIDES[0] if side is None else side
    if side not in SIDES:
        raise ValueError(f"side must be one of {', '.join(map(str, SIDES))} for your own pictures, not {side!r}")
    folder = paintings.find_folder(corpus, side)
    read = functools.cache(folder.load)
    return Source(side, 3, folder.conditions, lambda: read().works, lambda: read().palette)
