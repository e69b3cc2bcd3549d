"""Pictures of one kind, such as sprites: read from a source or a user's files, split, filtered, mirrored, cached."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..task import SPLITS, Condition
from . import files, sources
from .cache import Arrays, cache_folder, cached
from .figures import Figure, Figures, colours_in
from .gallery import Gallery, layout, packed, unpacked
from .palettes import colours, palette_of
from .splitting import HELD_OUT, further, held_out_copies, split_figures
from .subfolders import conditions_of

Pixels = NDArray[np.uint8]
logger = logging.getLogger(__name__)


class Collection(NamedTuple):
    """Pictures that a source has.

    Attributes:
        folder: of the pictures, in the source's own.
        read: returns the figures of that folder.
        conditions: of the pictures.
        seconds: that reading takes, about.
        palette: of the pictures, from dark to light. It is ``palette_of`` the train split; being written down, it is
            known before any picture is read.
        most: pictures of one figure in a held-out split; None for all.
        held_out: share of the pictures in validation, and in test; see ``splitting.split``.
        mirrored: values of conditions that a mirrored picture has instead of its original's; others stay.
    """

    folder: str
    read: Callable[[Path], Figures]
    conditions: tuple[Condition, ...]
    seconds: int
    palette: str
    most: int | None = None
    held_out: float = HELD_OUT
    mirrored: Mapping[str, str] = {}


@dataclass(frozen=True)
class Kind:
    """Pictures of one kind.

    Attributes:
        name: begins the names of cache files.
        version: of the parser: caches of another one are ignored.
        works: names the pictures in messages about a corpus.
        reading: names the reading of a source in a message; "{}" stands for the source.
        figure: names what a picture shows, in reports.
        shape: of a picture's content, uint8.
        columns: axis of a content's columns, which mirroring turns round.
        colours: of a palette, at most.
        suffixes: of a user's files.
        read: returns the figures of a user's files.
        draw: returns contents uint8 [N, ...] of figures in a palette, and the row of each one's figure.
        faults: returns why contents are left out, "" for those that are not; the second argument is True for a user's.
        copies: returns which contents are near copies of one of others, bool [N].
    """

    name: str
    version: int
    works: str
    reading: str
    figure: str
    shape: tuple[int, ...]
    columns: int
    colours: int
    suffixes: tuple[str, ...]
    read: Callable[[files.Found], Figures]
    draw: Callable[[Sequence[Figure], Pixels], tuple[Pixels, list[int]]]
    faults: Callable[[Pixels, bool], list[str]]
    copies: Callable[[Pixels, Pixels], NDArray[np.bool_]]

    def load(self, data: str, known: Collection) -> Gallery:
        """Returns the pictures of a source, from the cache where they are there.

        Raises:
            CorpusMissingError: The source is not on this machine, or a library that reading it takes is not.
        """
        root = sources.find(data)
        named = f"the {sources.SOURCES[data].what}"

        def read() -> Figures:
            logger.warning("reading %s: about %d seconds, this once", self.reading.format(named), known.seconds)
            return known.read(next(iter(sorted(root.glob(known.folder)))))

        return self._load(sources.version(data, root), read, known.conditions, named, known)

    def find(self, corpus: str) -> Folder:
        """Returns the pictures below a folder.

        Raises:
            ValueError: There is no such folder.
        """
        found = files.find(Path(corpus), self.suffixes)
        return Folder(self, found, conditions_of(found))

    def load_files(self, found: files.Found, conditions: tuple[Condition, ...]) -> Gallery:
        """Returns the pictures of a user's files, from the cache where they are there."""
        named = files.printable(str(found.root))
        return self._load(found.fingerprint(), lambda: self.read(found), conditions, named, None)

    def _load(
        self,
        key: str,
        read: Callable[[], Figures],
        conditions: tuple[Condition, ...],
        named: str,
        known: Collection | None,
    ) -> Gallery:
        return cached(
            cache_folder() / f"{self.name}-{key}-v{self.version}.npz",
            layout(self.shape, conditions),
            lambda: self._build(read(), conditions, known),
            lambda arrays: unpacked(arrays, self.works, named, self.suffixes, known is None),
        )

    def _build(self, found: Figures, conditions: tuple[Condition, ...], known: Collection | None) -> Arrays:
        """Returns the arrays of a corpus.

        The palette of a user's, which is not ``known``, is its own or chosen for its train split. The train split of a
        known one holds mirrored pictures too.
        """
        most, held_out = (known.most, known.held_out) if known else (None, HELD_OUT)
        by_figure = split_figures(found.figures, most, held_out)
        palette = colours(known.palette) if known else found.palette
        if palette is None or len(palette) > self.colours:
            first = by_figure == by_figure.min(initial=len(SPLITS))
            palette = palette_of(colours_in(found.figures, first), self.colours)
        contents, rows = self.draw(found.figures, palette)
        parts, figures = by_figure[rows], [found.figures[row] for row in rows]
        reasons = self._reasons(contents, parts, own=known is None)
        if most is not None:
            others = [row for row in np.flatnonzero(parts).tolist() if not reasons[row]]
            for row in further(figures, others, most):
                reasons[row] = f"a further picture of a held-out {self.figure}"
        kept = [row for row, reason in enumerate(reasons) if not reason]
        contents, parts, figures = contents[kept], parts[kept], [figures[row] for row in kept]
        styles = [figure.style for figure in figures]
        if known:
            turned = mirrors(contents, parts, self.columns)
            contents = np.concatenate([contents, np.flip(contents[turned], self.columns)])
            parts = np.concatenate([parts, parts[turned]])
            figures += [figures[row] for row in turned]
            styles += [tuple(known.mirrored.get(value, value) for value in styles[row]) for row in turned]
        return packed(found, reasons, contents, [figure.kin for figure in figures], styles, parts, palette, conditions)

    def _reasons(self, contents: Pixels, parts: NDArray[np.uint8], own: bool) -> list[str]:
        """Returns why pictures are left out, "" for those that are not; a user's ``own`` may be mirrored copies."""
        reasons, seen = self.faults(contents, own), set[bytes]()
        for row, content in enumerate(contents):
            if not reasons[row]:
                reasons[row] = "equal to another" if content.tobytes() in seen else ""
                seen.add(content.tobytes())

        def copies(ours: Pixels, earlier: Pixels) -> NDArray[np.bool_]:
            both = earlier if own else np.concatenate([earlier, np.flip(earlier, self.columns)])
            return self.copies(ours, both)

        going = np.flatnonzero([not reason for reason in reasons])
        for row in going[held_out_copies(contents[going], parts[going], copies)]:
            reasons[row] = "nearly equal to one of another split"
        return reasons


class Folder(NamedTuple):
    """The pictures of a user, not yet read."""

    kind: Kind
    found: files.Found
    conditions: tuple[Condition, ...]

    def load(self) -> Gallery:
        """Returns the pictures, from the cache where they are there; ``works.usable`` raises where they are too few."""
        return self.kind.load_files(self.found, self.conditions)


def mirrors(contents: Pixels, parts: NDArray[np.uint8], columns: int = -1) -> list[int]:
    """Returns the rows of the train split whose mirrored pictures are not in it yet; ``columns`` is their axis."""
    seen, rows = {pixels.tobytes() for pixels in contents}, list[int]()
    mirrored = np.flip(contents, columns)
    for row in np.flatnonzero(parts == 0).tolist():
        if (pixels := mirrored[row].tobytes()) not in seen:
            rows.append(row)
            seen.add(pixels)
    return rows
