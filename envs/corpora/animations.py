"""Animations of five frames of 16 x 16 pixels: found, cut into phases, reduced, filtered, split, cached.

See ``docs/environments/animation.md``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..task import SPLITS, Condition
from . import files, sources
from .cache import Arrays, cache_folder, cached
from .changes import COLOURS, FRAMES, HORIZON, decisions
from .figures import SIZE, Figure, Figures, colours_in
from .gallery import Gallery, layout, packed, unpacked
from .likeness import ALIKE, likeness
from .motions import CONDITIONS, MIRRORED, read_motions
from .palettes import colours, palette_of, reduce
from .reels import SUFFIXES, read_reels
from .splitting import HELD_OUT, split_figures
from .sprites import COLLECTIONS as SPRITES
from .subfolders import conditions_of

PARSER_VERSION = 1  # raise it whenever a work or its part may come out differently: older caches are then ignored
FEWEST = 24  # covered pixels of the fullest frame
STRIDE = 2  # frames from one phase of a long sequence to the next
PACES = (1, 2)  # long sequences are taken frame by frame, and every second frame
SECONDS = 30  # that reading takes, about

Pixels = NDArray[np.uint8]
logger = logging.getLogger(__name__)


class Collection(NamedTuple):
    """Animations that a source has.

    Attributes:
        folder: of the pictures, in the source's own.
        read: returns the sequences of that folder as strips of frames.
        conditions: of the animations; those mirrored have ``MIRRORED`` values.
    """

    folder: str
    read: Callable[[Path], Figures]
    conditions: tuple[Condition, ...]


COLLECTIONS = {
    "wesnoth-units": Collection("usr/share/games/wesnoth/*/data/core/images/units", read_motions, CONDITIONS),
}
"""By the name of their source; the first is the default."""
PALETTES = {name: colours(SPRITES[name].palette) for name in COLLECTIONS}
"""Those of sprites of the same source: a sprite can begin an animation."""


def load_collection(data: str) -> Gallery:
    """Returns the animations of a source, a name of ``COLLECTIONS``, from the cache where they are there.

    Raises:
        CorpusMissingError: The source is not on this machine.
    """
    known, root = COLLECTIONS[data], sources.find(data)
    cache = cache_folder() / f"animations-{sources.version(data, root)}-v{PARSER_VERSION}.npz"
    named = f"the {sources.SOURCES[data].what}"

    def read() -> Figures:
        logger.warning("reading animations of %s: about %d seconds, this once", named, SECONDS)
        return known.read(next(iter(sorted(root.glob(known.folder)))))

    return _load(cache, read, known.conditions, named, PALETTES[data])


class Folder(NamedTuple):
    """The sprite sheets and GIF files of a user, not yet read."""

    found: files.Found
    conditions: tuple[Condition, ...]

    def load(self) -> Gallery:
        """Returns the animations, from the cache where they are there; ``works.usable`` raises where they are few."""
        cache = cache_folder() / f"animations-{self.found.fingerprint()}-v{PARSER_VERSION}.npz"
        named = files.printable(str(self.found.root))
        return _load(cache, lambda: read_reels(self.found), self.conditions, named, None)


def find_folder(corpus: str) -> Folder:
    """Returns the sprite sheets and GIF files below a folder.

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
    known: Pixels | None,
) -> Gallery:
    return cached(
        cache,
        layout((FRAMES, SIZE, SIZE), conditions),
        lambda: _build(read(), conditions, known),
        lambda arrays: unpacked(arrays, "animations", named, SUFFIXES, known is None),
    )


def _build(found: Figures, conditions: tuple[Condition, ...], known: Pixels | None) -> Arrays:
    """Returns the arrays of a corpus; one of a user has no ``known`` palette: it is its own or chosen for it."""
    figures = list(found.figures)
    own = known is None
    by_figure = split_figures(figures, None, HELD_OUT)
    palette = found.palette if own else known
    if palette is None or len(palette) > COLOURS:
        palette = palette_of(colours_in(figures, by_figure == by_figure.min(initial=len(SPLITS))), COLOURS)
    cut = [(row, phase) for row, figure in enumerate(figures) for phase in phases(_frames(figure, palette))]
    rows = [row for row, _ in cut]
    contents = np.array([phase for _, phase in cut], np.uint8).reshape(-1, FRAMES, SIZE, SIZE)
    parts = by_figure[rows]
    reasons = _reasons(contents, parts, own)
    kept = np.flatnonzero([not reason for reason in reasons])
    contents, parts, rows = contents[kept], parts[kept], [rows[number] for number in kept]
    styles = [figures[row].style for row in rows]
    if not own:
        turned = np.flatnonzero(parts == 0)
        contents = np.concatenate([contents, contents[turned, ..., ::-1]])
        parts = np.concatenate([parts, parts[turned]])
        rows += [rows[number] for number in turned]
        styles += [tuple(MIRRORED.get(value, value) for value in styles[number]) for number in turned]
    return packed(found, reasons, contents, [figures[row].kin for row in rows], styles, parts, palette, conditions)


def _frames(figure: Figure, palette: Pixels) -> Pixels:
    """Returns the frames of a strip, reduced, uint8 [n, 16, 16]."""
    strip = reduce(figure.pixels[None], palette, len(figure.pixels) // SIZE)[0]
    frames: Pixels = strip.reshape(SIZE, -1, SIZE).swapaxes(0, 1)
    return frames


def phases(frames: Pixels) -> Iterator[Pixels]:
    """Yields animations uint8 [5, 16, 16] of a sequence uint8 [n, 16, 16].

    One of at most five frames stays on its last one. A longer one is cut into parts, one beginning two frames after
    the other; one of nine or more also gives parts of every second frame, which show more of it.
    """
    if len(frames) <= FRAMES:
        yield np.concatenate([frames, np.repeat(frames[-1:], FRAMES - len(frames), 0)])
        return
    for pace in PACES:
        span = pace * (FRAMES - 1) + 1
        for start in range(0, len(frames) - span + 1, pace * STRIDE):
            yield frames[start : start + span : pace]


def _reasons(contents: Pixels, parts: NDArray[np.uint8], own: bool) -> list[str]:
    """Returns why animations [N, 5, 16, 16] are left out, "" for those that are not; a user's ``own`` may be small."""
    reasons, seen = list[str](), set[bytes]()
    fullest = np.count_nonzero(contents, (2, 3)).max(1, initial=0)
    for content, covered, long in zip(contents, fullest, decisions(contents) > HORIZON, strict=True):
        if covered < (1 if own else FEWEST):
            reasons.append("nearly empty")
        elif (content == content[0]).all():
            reasons.append("nothing moves")
        elif long:
            reasons.append(f"takes more than {HORIZON} decisions: too much changes")
        else:
            reasons.append("equal to another" if content.tobytes() in seen else "")
            seen.add(content.tobytes())
    for part in range(1, len(SPLITS)):
        going = np.array([not reason for reason in reasons], np.bool_)
        before, here = contents[going & (parts < part)], np.flatnonzero(going & (parts == part))
        if not own:
            before = np.concatenate([before, before[..., ::-1]])
        if len(before) and len(here):
            for row in here[likeness(contents[here], before).max(1) >= ALIKE]:
                reasons[row] = "nearly equal to one of another split"
    return reasons
