"""Animations of five frames of 16 x 16 pixels: found, cut into phases, reduced, filtered, split, cached.

See ``docs/environments/animation.md``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from .changes import COLOURS, FRAMES, HORIZON, decisions
from .collecting import Collection, Folder, Kind
from .figures import SIZE, Figure
from .gallery import Gallery
from .likeness import alike
from .motions import CONDITIONS, MIRRORED, read_motions
from .palettes import reduce
from .reels import SUFFIXES, read_reels
from .sprites import COLLECTIONS as SPRITES

PARSER_VERSION = 1  # raise it whenever a work or its part may come out differently: older caches are then ignored
FEWEST = 24  # covered pixels of the fullest frame
STRIDE = 2  # frames from one phase of a long sequence to the next
PACES = (1, 2)  # long sequences are taken frame by frame, and every second frame

Pixels = NDArray[np.uint8]

COLLECTIONS = {
    "wesnoth-units": Collection(
        "usr/share/games/wesnoth/*/data/core/images/units",
        read_motions,
        CONDITIONS,
        30,
        SPRITES["wesnoth-units"].palette,  # a sprite can begin an animation
        mirrored=MIRRORED,
    ),
}
"""By the name of their source; the first is the default."""


def load_collection(data: str) -> Gallery:
    """Returns the animations of a source, a name of ``COLLECTIONS``, from the cache where they are there.

    Raises:
        CorpusMissingError: The source is not on this machine.
    """
    return ANIMATIONS.load(data, COLLECTIONS[data])


def find_folder(corpus: str) -> Folder:
    """Returns the sprite sheets and GIF files below a folder.

    Raises:
        ValueError: There is no such folder.
    """
    return ANIMATIONS.find(corpus)


def _cut(figures: Sequence[Figure], palette: Pixels) -> tuple[Pixels, list[int]]:
    """Returns the phases of figures, strips of frames."""
    cut = [(phase, row) for row, figure in enumerate(figures) for phase in phases(_frames(figure, palette))]
    contents = np.array([phase for phase, _ in cut], np.uint8).reshape(-1, FRAMES, SIZE, SIZE)
    return contents, [row for _, row in cut]


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


def _faults(contents: Pixels, own: bool) -> list[str]:
    """Returns why animations [N, 5, 16, 16] are left out, "" for those that are not; a user's ``own`` may be small."""
    reasons = list[str]()
    fullest = np.count_nonzero(contents, (2, 3)).max(1, initial=0)
    for content, covered, long in zip(contents, fullest, decisions(contents) > HORIZON, strict=True):
        if covered < (1 if own else FEWEST):
            reasons.append("nearly empty")
        elif (content == content[0]).all():
            reasons.append("nothing moves")
        else:
            reasons.append(f"takes more than {HORIZON} decisions: too much changes" if long else "")
    return reasons


ANIMATIONS = Kind(
    name="animations",
    version=PARSER_VERSION,
    works="animations",
    reading="animations of {}",
    figure="figure",
    shape=(FRAMES, SIZE, SIZE),
    columns=-1,
    colours=COLOURS,
    suffixes=SUFFIXES,
    read=read_reels,
    draw=_cut,
    faults=_faults,
    copies=alike,
)
