"""Pictures of single figures, cut out and made ready to be reduced to sprites, and the colours of many."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .palettes import OPAQUE

SIZE = 16
FINEST = 4  # pixels of a figure to one of its sprite, along each side, at most

Pixels = NDArray[np.uint8]


class Figure(NamedTuple):
    """A picture of a figure.

    Attributes:
        name: of its file, relative to the corpus.
        kin: equal for pictures of one figure, such as its frames: they belong in one split.
        style: a value of each condition.
        pixels: uint8 [16 k, 16 k, 4] with k from 1 to 4: red, green, blue, alpha.
    """

    name: str
    kin: str
    style: tuple[str, ...]
    pixels: Pixels


class Figures(NamedTuple):
    """Figures of a corpus.

    Attributes:
        figures: in the order of their names.
        files: number of files that were looked at.
        left_out: number of files that gave none, by reason.
        skipped: (name, reason) of files that could not be read.
        palette: colours that all pictures share, uint8 [P, 3]; None where they are to be chosen.
        read: number of files that gave figures; None where each gave one.
    """

    figures: Sequence[Figure]
    files: int
    left_out: Mapping[str, int]
    skipped: tuple[tuple[str, str], ...] = ()
    palette: Pixels | None = None
    read: int | None = None


def stem(name: str) -> str:
    """Returns the first word of a file's name below its folder: "archer" of "elves/archer+female-bow-attack2.png"."""
    return re.split(r"[-+/.0-9_ ()]", name, maxsplit=1)[0]


class Box(NamedTuple):
    """Rows and columns of the opaque pixels of a picture, the ends excluded."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def side(self) -> int:
        """The longer side, pixels."""
        return max(self.bottom - self.top, self.right - self.left)


def box_of(pixels: Pixels) -> Box | None:
    """Returns the box around the opaque pixels of a picture uint8 [H, W, 4]; None where there are none."""
    opaque = pixels[..., 3] >= OPAQUE
    rows, columns = np.flatnonzero(opaque.any(1)), np.flatnonzero(opaque.any(0))
    if not len(rows):
        return None
    return Box(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)


def window(pixels: Pixels, box: Box, side: int) -> Pixels:
    """Returns the square of ``side`` pixels around the middle of a box, uint8 [side, side, 4]; clear beyond edges."""
    top, left = (box.top + box.bottom - side) // 2, (box.left + box.right - side) // 2
    edge = side + max(0, -top, -left)
    padded = np.pad(pixels, ((edge, edge + side), (edge, edge + side), (0, 0)))
    return padded[top + edge : top + edge + side, left + edge : left + edge + side]


def fitted(pixels: Pixels, box: Box) -> Pixels:
    """Returns a figure as large as its sprite can show it, uint8 [16 k, 16 k, 4].

    Each pixel of the sprite stands for ``ceil(side / 16)`` along each side, so that pixel art is not blurred; pictures
    more than four times as fine are sampled.
    """
    side = SIZE * -(-box.side // SIZE)
    square = window(pixels, box, side)
    if side <= FINEST * SIZE:
        return square
    places = (2 * np.arange(FINEST * SIZE) + 1) * side // (2 * FINEST * SIZE)
    return square[places[:, None], places]


def colours_in(figures: Sequence[Figure], chosen: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Returns the opaque pixels of chosen figures, uint8 [N, 3]; of smooth drawings without blended edges.

    Drawings are smooth where most pixels are like their neighbours; those alone are returned. Pixel art is not.
    """
    found, flat = [np.zeros((0, 3), np.uint8)], [np.zeros(0, np.bool_)]
    for figure in itertools.compress(figures, chosen):
        opaque = figure.pixels[..., 3] >= OPAQUE
        same = np.zeros(opaque.shape, np.bool_)
        same[:, :-1] = (figure.pixels[:, :-1] == figure.pixels[:, 1:]).all(-1)
        found.append(figure.pixels[opaque][:, :3])
        flat.append(same[opaque])
    every, smooth = np.concatenate(found), np.concatenate(flat)
    return every[smooth] if 2 * smooth.sum() > len(every) else every
