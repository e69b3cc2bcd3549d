"""A small, fast reader of ABC tunes: one melody line each, on an exact tick grid.

It follows the ABC standard 2.1 (https://abcnotation.com/wiki/abc:standard:v2.1) as far as a single melody needs it: of
a chord the highest note stays, of several voices the first; grace notes are dropped, repeats are not expanded. An
accidental holds to the bar line in every octave, the standard's default (``propagate-accidentals pitch``).

Time is counted in ticks, 24 to the quarter note. A duration off that grid is never rounded silently: its bar says
``exact=False``, and only in such bars onsets and durations are the floor of the true ones.

Text is no music: file headers, fields and their continuations, text blocks, comments, lyrics. A tune that cannot be
read as written says so in its ``problem``. The time a file takes grows with its length alone, whatever the numbers in
it are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import numpy as np

from .abc_fields import (
    NO_KEY,
    SEMITONES,
    SHIFT,
    default_unit,
    read_key,
    read_length,
    read_metre,
    read_number,
    read_unit,
    shortened,
)
from .notation import FIRST_ENDING, NEW_REST, PLAIN, REST, SECOND_ENDING, STRUCTURAL, TICKS_PER_WHOLE, Bar, Tune

Ticks: TypeAlias = int | Fraction  # a Fraction only where the grid is missed

LONGEST_FIELD = 1000  # characters within a line
NOTE = r"(?P<sign>\^\^|\^|__|_|=)?(?P<letter>[A-Ga-g])(?P<octave>[,']*)(?P<length>\d*/*\d*)"
CHORD_NOTE = re.compile(NOTE + "(?P<tie>-?)")
TOKEN = re.compile(
    rf"(?P<note>{NOTE})"
    r"|(?P<bar>(?:\[\|[|\]:]*|:*\|[|\]:]*|::+)(?:(?:\s*\[)?(?P<ending>\d+(?:[,-]\d+)*))?)"
    r"|(?P<broken>>+|<+)"
    r"|(?P<tuplet>\((?P<p>\d)(?::(?P<q>\d*))?(?::(?P<r>\d*))?)"
    r"|(?P<tie>-)"
    r"|(?:H|!fermat[^!]*!)\s*x(?![\d/])"  # a fermata over the bar line: its bearer takes no time in these collections
    r"|(?P<rest>[zx](?P<restlen>\d*/*\d*))"
    r"|(?P<bars>[ZX](?P<count>\d*))"
    r"|(?P<lone>\[(?P<number>\d+(?:[,-]\d+)*))"
    rf"|(?P<field>\[(?P<name>[A-Za-z]):(?P<value>[^\]]{{0,{LONGEST_FIELD}}})\])"
    r"|(?P<chord>\[(?P<inside>[^\]\[|]*)\](?P<chordlen>\d*/*\d*))"
    r"|(?P<old>\+(?P<oldinside>(?=[^+]*[A-G\d])(?:[_^=]*+[A-Ga-g][,']*+\d*+/*+\d*+)++)\+)"  # how ABC 1.5 wrote a chord
    r"""|\{[^{}]*\}|"(?:[^"\\]|\\.)*+"|!(?:D\.[CS]\.[^!|]*|[^!\s|]*)!|\+[^+\s|]*\+|(?P<space>y\d*)|(?P<overlay>&)|(?P<quote>")|(?P<stray>\d)|."""
)
# A letter that may be music, as in A:|, is no field before such a bar line.
FIELD = re.compile(r"([H-Wh-w+]|[A-GX-Za-gx-z](?=:(?![|:]))):(.*)")
COMMENT = re.compile(r"(?<!\\)%")
TEXT_BLOCK = re.compile(r"%%\s*(begin|end)(\w+)")
TEXT_FIELDS = frozenset("ABCDFGHNORSTWZrsw")
OPEN_CHORD = re.compile(r"\[[A-Ga-g,'^_=\d/]*\\?$")
LONGEST = 1000 * TICKS_PER_WHOLE  # of a note or rest, ticks: longer ones are misprints
MOST_NOTES, MOST_MEASURES, MOST_TICKS = 100_000, 10_000, 10_000 * TICKS_PER_WHOLE  # of a tune: more fill the memory
FINEST = 1_000_000  # parts of a tick: lengths that need more are rubbish whose sums take ever longer
MOST_BROKEN = 8  # signs of a broken rhythm
HIGHEST = 127  # MIDI pitch
LONGEST_CHORD = 200  # characters of a chord over several lines
QUOTES = str.maketrans(dict.fromkeys("\u201c\u201d\u201e", '"'))  # as word processors set them
TAG = re.compile(r"</?(?:br|p|pre|tt|html|body|div|span|font\b[^<>]*)\s*/?>", re.IGNORECASE)  # of a web page
# Text without its end may hide music; notes were lost on the way to files with numbers alone, some of them Essen's.
PROBLEMS = {"quote": "a text without its closing quote", "overlay": "several voices", "stray": "numbers without notes"}
MICROTONE = re.compile(r"[_^]\d*/\d*[A-Ga-g]")
CLEF_ONLY = re.compile(r"\s*(?!none)[a-z]{3,}")


def read_abc(text: str, source: str = "") -> list[Tune]:
    """Returns every tune of an ABC file, the unusable ones included: their ``problem`` gives the reason.

    Args:
        text: The file's contents.
        source: Name of the file, kept in each tune.

    Raises:
        ValueError: If the text holds no tune.
    """
    tunes = [_read_tune(block, source, index) for index, block in enumerate(_blocks(text))]
    if not any(len(tune.notes) for tune in tunes):
        what = "a tune starts with 'X:', its header ends with 'K:', notes follow"
        raise ValueError(f"no ABC tune found: {tunes[0].problem if tunes else what}")
    return tunes


def _blocks(text: str) -> Iterator[list[str]]:
    """Yields the lines of each tune: from an ``X:`` field to a blank line or the next ``X:`` field.

    A paragraph without ``X:`` that has a title and then a key is a tune as well. The metre and the unit note length of
    a file's header come before the lines of each tune.
    """
    header: list[str] = []
    first, tune, titled = True, False, False  # true of the lines so far: the first paragraph, a tune, with a title
    block: list[str] = []
    for line in [*_without_text_blocks(_lines(text)), ""]:
        field = FIELD.match(line)
        starts = field is not None and field[1] == "X"
        if starts or not line:
            if tune:
                yield [*header, *block]
            elif first:
                header = [text for text in block if (found := FIELD.match(text)) and found[1] in "ML"]
            first = first and not (tune or any(FIELD.match(text) for text in block))
            block, tune, titled = [], starts, False
        if line:
            block.append(line)
        if field is not None:
            titled = titled or field[1] == "T"
            tune = tune or (titled and field[1] == "K")


def _lines(text: str) -> list[str]:
    """Returns lines without the space around them; other separators than line feed and carriage return are space."""
    text = text.replace("\ufeff", "")  # the mark of a file that was joined to another
    lines = re.split(r"\r{0,2}\n|\r", text)  # two returns: converted to the line ends of Windows twice
    return [line.strip() for line in (text.splitlines() if len(lines) == 1 else lines)]


def _without_text_blocks(lines: list[str]) -> Iterator[str]:
    """Yields the lines outside ``%%begintext`` ... ``%%endtext`` and their like; a beginning without an end stays."""
    marks = [TEXT_BLOCK.match(line) if line.startswith("%%") else None for line in lines]
    ends = {mark[2]: place for place, mark in enumerate(marks) if mark and mark[1] == "end"}
    inside = ""
    for place, (line, mark) in enumerate(zip(lines, marks, strict=True)):
        if inside:
            if mark and mark[1] == "end" and mark[2] == inside:
                inside = ""
        elif mark and mark[1] == "begin" and ends.get(mark[2], -1) > place:
            inside = mark[2]
        else:
            yield line


def _read_tune(lines: list[str], source: str, index: int) -> Tune:
    name, number, metre, problem = "", index + 1, (0, 0), ""
    unit: Fraction | None = None
    reader: _Reader | None = None
    broken, continued = "", False
    for line in lines:
        if (mark := TEXT_BLOCK.match(line)) and mark[1] == "begin":
            problem = problem or f"a text that begins with %%begin{shortened(mark[2])} and has no end"
            break
        line = COMMENT.split(line, maxsplit=1)[0].rstrip()
        if not line:
            continue
        match = FIELD.match(line)
        if match is None:
            if continued:  # the text of a field goes on
                continued = line.endswith("\\")
                continue
            line, broken = broken + line, ""
            cut = OPEN_CHORD.search(line)  # typed before e-mail broke the line
            if cut and len(line) - cut.start() < LONGEST_CHORD:
                line, broken = line[: cut.start()], line[cut.start() :].rstrip("\\")
        field, value = (match[1], match[2].strip()) if match else ("", "")
        continued = value.endswith("\\") and (field in TEXT_FIELDS or (field == "+" and continued))
        try:
            if reader is not None:
                if match:
                    reader.field(field, value)
                else:
                    reader.line(line)
            elif field == "X":
                number = int(value) if re.fullmatch("[0-9]{1,9}", value) else number
            elif field == "T":
                name = name or value
            elif field == "M":
                metre = read_metre(value)
            elif field == "L":
                unit = read_unit(value)
            elif field == "K":
                reader = _Reader(metre, unit or default_unit(metre))
                reader.key = read_key(value)
        except ValueError as error:
            problem = problem or str(error)
            if reader is not None and not (field == "K" and not reader.notes):
                break  # the tune cannot be used: no more of it is read
    if reader is None:
        return Tune(name, source, number, np.empty((0, 3), np.int32), (), problem or "no key field")
    if broken:
        problem = problem or "a chord without its end"
    reader.bar_line(STRUCTURAL)
    notes = np.array([[int(n.onset), int(n.duration), n.pitch] for n in reader.notes], np.int32).reshape(-1, 3)
    if not (notes[:, 2] >= 0).any():
        problem = problem or "no notes"
    return Tune(name, source, number, notes, tuple(reader.bars), problem or reader.problem)


@dataclass(slots=True)
class _Note:
    onset: Ticks
    duration: Ticks
    pitch: int
    spelled: str = ""  # letter and octave marks


class _Reader:
    """The state of reading one tune's music."""

    def __init__(self, metre: tuple[int, int], unit: Fraction) -> None:
        self.notes: list[_Note] = []
        self.bars: list[Bar] = []
        self.problem = ""
        self.metre, self.key = metre, NO_KEY
        self.unit, self.durations = unit * TICKS_PER_WHOLE, dict[str, Ticks]()
        self.clock: Ticks = 0
        self.start: Ticks = 0  # of the current bar
        self.opening = (metre, NO_KEY)  # metre and key where the current bar's first note begins
        self.first = 0  # index of the current bar's first note
        self.left = STRUCTURAL
        self.accidentals: dict[str, int] = {}  # by letter, to the bar line
        self.last = _Note(0, 0, REST)  # as written: before ties
        self.factor: Fraction | None = None  # what a broken rhythm leaves to the next note
        self.tuplet, self.tuplet_left = Fraction(1), 0
        self.spaced = False  # a spacer precedes the next note
        self.tied = False
        self.joins = False  # the tie merges two notes: not across a structural bar line
        self.voice: str | None = None
        self.muted = False

    def field(self, name: str, value: str) -> None:
        """Reads a field inside the music, on a line of its own or in brackets."""
        if name == "V":
            voice = value.split()[0] if value.split() else ""
            self.voice = voice if self.voice is None else self.voice
            self.muted = voice != self.voice
            if self.muted:
                self.problem = self.problem or "several voices"
        elif self.muted:
            pass
        elif name == "M":
            self.metre = read_metre(value)
        elif name == "L":
            self.unit, self.durations = read_unit(value) * TICKS_PER_WHOLE, {}
        elif name == "K" and not CLEF_ONLY.match(value):
            self.key = read_key(value)

    def line(self, text: str) -> None:
        """Reads one line of music."""
        text = re.sub(r"=3D", "=", re.sub(r"=(20|0D)", " ", text))  # left-overs of quoted-printable mail
        text = TAG.sub(" ", text.translate(QUOTES))
        if MICROTONE.search(text):
            self.problem = self.problem or "quarter tones"
        for match in TOKEN.finditer(text):
            kind = match.lastgroup
            if kind == "field":
                self.field(match["name"], match["value"])
            elif kind is None or self.muted:
                continue
            elif kind == "note":
                self.add(self.pitch(match), self.duration(match["length"]), match["letter"] + match["octave"])
            elif kind == "bar":
                mark = match["bar"][: match.start("ending") - match.start() if match["ending"] else None].rstrip("[ \t")
                self.bar_line(PLAIN if mark in ("|", "[|]") else STRUCTURAL, match["ending"])
            elif kind == "broken":
                self.broken(match["broken"])
            elif kind == "tie":
                self.tied = self.joins = self.last.pitch >= 0
            elif kind == "rest":  # so do our own files tell rests in a row apart from a rest over a bar line: zyz
                self.add(NEW_REST if self.spaced else REST, self.duration(match["restlen"]))
            elif kind == "space":
                self.spaced = True
            elif kind == "tuplet":
                self.start_tuplet(match)
            elif kind == "chord":
                self.chord(match["inside"], match["chordlen"])
            elif kind == "old":
                self.chord(match["oldinside"], "")
            elif kind == "lone":  # away from its bar line a first ending changes nothing, a later one cuts
                if self.clock == self.start or not _is_first(match["number"]):
                    self.bar_line(PLAIN, match["number"])
            elif kind == "bars":
                self.rest_bars(match["count"])
            elif kind in PROBLEMS:
                self.problem = self.problem or PROBLEMS[kind]
        if self.metre[1] and (self.clock - self.start) * self.metre[1] == TICKS_PER_WHOLE * self.metre[0]:
            self.bar_line(PLAIN)  # the Essen collection has no bar line at the end of a line

    def duration(self, text: str) -> Ticks:
        found = self.durations.get(text)
        if found is None:
            found = self.durations[text] = _whole(self.unit * read_length(text))
        return found

    def pitch(self, match: re.Match[str]) -> int:
        sign, letter, octave = match["sign"], match["letter"], match["octave"]
        upper = letter.upper()
        if sign:
            self.accidentals[upper] = SHIFT[sign]
        elif self.tied and self.last.spelled == letter + octave:
            return self.last.pitch  # a tie carries the accidental over the bar line
        shift = self.accidentals.get(upper)
        if shift is None:
            shift = self.key.signature.get(upper, 0)
        pitch = (
            SEMITONES[upper] + (60 if letter == upper else 72) + 12 * (octave.count("'") - octave.count(",")) + shift
        )
        if not 0 <= pitch <= HIGHEST:
            raise ValueError(f"a note {octave.count(',') or octave.count(chr(39))} octaves away")
        return pitch

    def add(self, pitch: int, duration: Ticks, spelled: str = "") -> None:
        """Appends a note, or lengthens the one it is tied to."""
        if not 0 < duration <= LONGEST:
            raise ValueError("a note without length" if not duration else "a note of more than 1000 whole notes")
        if len(self.notes) >= MOST_NOTES or len(self.bars) >= MOST_MEASURES or self.clock > MOST_TICKS:
            raise ValueError(f"a tune of more than {MOST_NOTES:,} notes, or {MOST_MEASURES:,} measures or whole notes")
        if self.clock == self.start:
            self.opening = (self.metre, self.key)
        if self.factor is not None:
            duration, self.factor = _whole(duration * self.factor), None
        if self.tuplet_left:
            duration, self.tuplet_left = _whole(duration * self.tuplet), self.tuplet_left - 1
        if self.tied and self.joins and self.last.pitch == pitch:
            self.notes[-1].duration += duration
        else:
            self.notes.append(_Note(self.clock, duration, pitch))
        self.last = _Note(self.clock, duration, pitch, spelled)
        self.tied = self.spaced = False
        self.clock += duration
        if isinstance(self.clock, Fraction) and self.clock.denominator > FINEST:
            raise ValueError(f"lengths that add up to no {FINEST:,}th of a tick")

    def chord(self, inside: str, length: str) -> None:
        """Adds a chord's highest note for as long as its first (ABC 2.1, 4.17)."""
        notes = [(self.pitch(match), match) for match in CHORD_NOTE.finditer(inside)]
        if notes:
            pitch, top = max(notes, key=lambda pair: pair[0])
            duration = _whole(self.duration(notes[0][1]["length"]) * read_length(length))
            self.add(pitch, duration, top["letter"] + top["octave"])
            self.tied = self.joins = bool(top["tie"])

    def broken(self, sign: str) -> None:
        """``>`` dots the last note and cuts the next, ``<`` the reverse; each further sign halves again."""
        if len(sign) > MOST_BROKEN:
            raise ValueError(f"a rhythm broken by {len(sign)} signs")
        if self.factor is not None:
            raise ValueError("a rhythm broken twice between two notes")
        cut = Fraction(1, 2 ** len(sign))
        mine, self.factor = (2 - cut, cut) if sign[0] == ">" else (cut, 2 - cut)
        if self.notes:
            change = _whole(self.last.duration * (mine - 1))
            self.last.duration += change
            self.notes[-1].duration += change
            self.clock += change

    def start_tuplet(self, match: re.Match[str]) -> None:
        p = int(match["p"])
        compound = self.metre[0] % 3 == 0 and self.metre[0] > 3
        q = read_number(match["q"] or "0") or {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}.get(p, 3 if compound else 2)
        if p and q:
            self.tuplet, self.tuplet_left = Fraction(q, p), read_number(match["r"] or match["p"])

    def rest_bars(self, count: str) -> None:
        """Rests for whole bars; inside a bar ``Z`` can only be a slip of the pen for ``z``."""
        if self.clock != self.start or not self.metre[1]:
            return self.add(REST, self.duration(count))
        full = _whole(Fraction(TICKS_PER_WHOLE * self.metre[0], self.metre[1]))
        measures = read_number(count or "1")
        if measures > MOST_MEASURES or measures * full > LONGEST:
            raise ValueError(f"a rest of {count} measures")
        for index in range(measures):
            if index:
                self.bar_line(PLAIN)
            self.add(REST, full)
        return None

    def bar_line(self, kind: int, ending: str | None = None) -> None:
        if self.clock > self.start:
            metre, key = self.opening
            # The first note of this bar may prolong a tied one of the bar before.
            times = [t for note in self.notes[max(self.first - 1, 0) :] for t in (note.onset, note.duration)]
            exact = all(isinstance(_whole(t), int) for t in (*times, self.clock))
            begin = int(self.start)
            self.bars.append(Bar(begin, int(self.clock) - begin, metre, key.tonic, key.mode, self.left, kind, exact))
            self.start, self.first, self.left = self.clock, len(self.notes), PLAIN
        elif kind == STRUCTURAL and self.bars:
            self.bars[-1] = self.bars[-1]._replace(right=STRUCTURAL)
        if ending is not None:
            self.left = FIRST_ENDING if _is_first(ending) else SECOND_ENDING
        elif self.left == PLAIN:
            self.left = kind
        if STRUCTURAL in (kind, self.left) or self.left == SECOND_ENDING:
            self.joins = False
        self.accidentals = {}


def _is_first(ending: str) -> bool:
    return re.match(r"1(?!\d)", ending) is not None


def _whole(ticks: Ticks) -> Ticks:
    """Returns an int where the number is whole."""
    return ticks if isinstance(ticks, int) else ticks.numerator if ticks.denominator == 1 else ticks
