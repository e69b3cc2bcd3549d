"""Scores in MusicXML: the notes of each part, its fermatas and marks of expression, and the measures.

Read are scores by part (``score-partwise``) of MusicXML 4.0 and before, plain or compressed (``.mxl``):
https://www.w3.org/2021/06/musicxml40/. Time is counted in ticks, 24 to the quarter note.
"""

from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Sequence
from typing import NamedTuple

from .notation import TICKS_PER_WHOLE

SUFFIXES = (".mxl", ".musicxml", ".xml")
TICKS_PER_QUARTER = TICKS_PER_WHOLE // 4
LARGEST = 32 << 20  # bytes of an unpacked score
SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
LONGEST = 10_000 * TICKS_PER_WHOLE  # ticks of a part: longer ones are no music


class Note(NamedTuple):
    """A note of a part.

    Attributes:
        onset: ticks.
        ticks: how long it lasts; tied notes are one note.
        pitch: MIDI number.
        fermata: True where the score marks it with a fermata.
    """

    onset: int
    ticks: int
    pitch: int
    fermata: bool


class Measure(NamedTuple):
    """A measure as written: onset and length in ticks, and its metre; (0, 0) where none is declared."""

    onset: int
    ticks: int
    metre: tuple[int, int]


class Mark(NamedTuple):
    """A mark of expression.

    Attributes:
        tick: where it stands.
        kind: "dynamics", "accent", "wedge" (a hairpin), "words" or "tempo".
        text: the sign ("p", "sf", "strong-accent"), "crescendo", "diminuendo" or "stop" of a hairpin, the words, or
            quarter notes a minute.
    """

    tick: int
    kind: str
    text: str


class Part(NamedTuple):
    """A part of a score.

    Attributes:
        name: as in the score.
        notes: in the order of their onsets; grace notes and cues are left out.
        measures: in order.
        fifths: sharps of the first key signature, flats negative; None without one.
        marks: in the order of the file.
    """

    name: str
    notes: tuple[Note, ...]
    measures: tuple[Measure, ...]
    fifths: int | None
    marks: tuple[Mark, ...] = ()


def read_musicxml(data: bytes) -> list[Part]:
    """Returns the parts of a score in its own order. Repeats are not played.

    Raises:
        ValueError: it is no score by part, or damaged; the message says which.
    """
    try:
        root = ElementTree.fromstring(_unpacked(data))
    except ElementTree.ParseError as error:
        raise ValueError(f"no MusicXML score: {error}") from None
    if root.tag != "score-partwise":
        raise ValueError(f"no MusicXML score by part: its outermost element is {root.tag[:40]}")
    names = {part.get("id"): _text(part, "part-name") for part in root.iter("score-part")}
    return [_read_part(part, names.get(part.get("id"), "")) for part in root.iterfind("part")]


def _unpacked(data: bytes) -> bytes:
    """Returns the score within a compressed file; other files as they are."""
    if not data.startswith(b"PK"):
        return data
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            scores = [
                name
                for name in archive.namelist()
                if name.lower().endswith((".xml", ".musicxml")) and not name.startswith(("META-INF/", "__MACOSX/"))
            ]
            if not scores:
                raise ValueError("a compressed MusicXML file without a score")
            with archive.open(scores[0]) as file:
                unpacked = file.read(LARGEST + 1)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"a damaged compressed MusicXML file ({error})") from None
    if len(unpacked) > LARGEST:
        raise ValueError(f"its score is larger than {LARGEST >> 20} MB")
    return unpacked


def _read_part(part: ElementTree.Element, name: str) -> Part:
    notes, measures, fifths, marks = list[Note](), list[Measure](), list[int](), list[Mark]()
    divisions, metre, begin = 1, (0, 0), 0
    for measure in part.iterfind("measure"):
        place = last = end = 0  # divisions within the measure
        for element in measure:
            if element.tag == "attributes":
                divisions = _number(element, "divisions", divisions)
                if divisions < 1:
                    raise ValueError("a damaged score: its quarter note has no divisions")
                metre = _metre(element, metre)
                fifths += [_number(key, "fifths", 0) for key in element.iterfind("key")]
            elif element.tag == "backup":
                place -= _number(element, "duration", 0)
            elif element.tag == "forward":
                place += _number(element, "duration", 0)
            elif element.tag == "note" and element.find("grace") is None and element.find("cue") is None:
                duration = _number(element, "duration", 0)
                last = last if element.find("chord") is not None else place
                place = max(place, last + duration)
                times = (round(TICKS_PER_QUARTER * time / divisions) for time in (last, last + duration))
                start, stop = (begin + time for time in times)
                _append(notes, element, start, stop)
                marks += _on_note(element, start)
            elif element.tag in ("direction", "sound"):
                offset = _number(element, "offset", 0)
                marks += _direction(element, begin + round(TICKS_PER_QUARTER * (place + offset) / divisions))
            if place < 0:
                raise ValueError("a damaged score: a measure goes back beyond its beginning")
            end = max(end, place)
        measures.append(Measure(begin, round(TICKS_PER_QUARTER * end / divisions), metre))
        begin += measures[-1].ticks
        if begin > LONGEST:
            raise ValueError(f"it lasts more than {LONGEST // TICKS_PER_WHOLE:,} whole notes")
    return Part(name, tuple(sorted(notes)), tuple(measures), fifths[0] if fifths else None, tuple(marks))


def _on_note(element: ElementTree.Element, tick: int) -> list[Mark]:
    """Returns the accents and dynamics that a note itself carries."""
    marks = list[Mark]()
    for notations in element.iterfind("notations"):
        for tag in ("accent", "strong-accent"):
            if notations.find(f"articulations/{tag}") is not None:
                marks.append(Mark(tick, "accent", tag))
        marks += [Mark(tick, "dynamics", _sign(each)) for each in notations.iterfind("dynamics/*")]
    return marks


def _direction(element: ElementTree.Element, tick: int) -> list[Mark]:
    """Returns the marks of a direction, or of a sound that stands alone."""
    marks = [Mark(tick, "dynamics", _sign(each)) for each in element.iterfind("direction-type/dynamics/*")]
    marks += [Mark(tick, "wedge", each.get("type", "")) for each in element.iterfind("direction-type/wedge")]
    for words in element.iterfind("direction-type/words"):
        if text := " ".join((words.text or "").split()):
            marks.append(Mark(tick, "words", text))
    for sound in (element, *element.iterfind("sound")):
        if tempo := sound.get("tempo"):
            marks.append(Mark(tick, "tempo", tempo))
    return marks


def _sign(element: ElementTree.Element) -> str:
    """Returns a dynamic sign: its element's name, or the text of one that has no element of its own."""
    return (element.text or "").strip() if element.tag == "other-dynamics" else element.tag


def _append(notes: list[Note], element: ElementTree.Element, start: int, stop: int) -> None:
    """Appends a note from one tick to another; lengthens the note that a tied one goes on. Rests are passed over."""
    if (pitch := element.find("pitch")) is None or start >= stop:
        return
    note = Note(start, stop - start, _pitch(pitch), element.find("notations/fermata") is not None)
    if any(tie.get("type") == "stop" for tie in element.iterfind("tie")):
        for index in range(len(notes) - 1, -1, -1):
            before = notes[index]
            if before.pitch == note.pitch and before.onset + before.ticks == start:
                fermata = before.fermata or note.fermata
                notes[index] = before._replace(ticks=before.ticks + note.ticks, fermata=fermata)
                return
            if before.onset + before.ticks < start:
                break
    notes.append(note)


def _pitch(pitch: ElementTree.Element) -> int:
    step = _text(pitch, "step").strip()
    if step not in SEMITONES:
        raise ValueError(f"a damaged score: {step[:10]!r} is no note")
    number = 12 * (_number(pitch, "octave", 4) + 1) + SEMITONES[step] + _number(pitch, "alter", 0)
    if not 0 <= number < 128:
        raise ValueError("a damaged score: a pitch that no instrument has")
    return number


def _metre(attributes: ElementTree.Element, metre: tuple[int, int]) -> tuple[int, int]:
    """Returns the metre that attributes declare, else the one before; of sums, such as 3 + 2 / 8, the sum."""
    for time in attributes.iterfind("time"):
        beats, unit = _text(time, "beats").split("+"), _text(time, "beat-type").strip()
        if unit.isdecimal() and all(each.strip().isdecimal() for each in beats):
            metre = min(sum(map(int, beats)), 99), int(unit)
    return metre


def _number(parent: ElementTree.Element, tag: str, default: int) -> int:
    """Returns the whole number in a child element, or a default without one."""
    text = parent.findtext(tag)
    if text is None:
        return default
    try:
        return round(float(text))
    except (ValueError, OverflowError):
        raise ValueError(f"a damaged score: {text.strip()[:20]!r} is no number of {tag}") from None


def _text(parent: ElementTree.Element, tag: str) -> str:
    return parent.findtext(tag) or ""


def places(measures: Sequence[Measure]) -> list[int]:
    """Returns the ticks between the onset of each measure and the bar line that it belongs to.

    A first measure that is too short is an upbeat; later short ones, as around a repeat sign, make a bar together.
    """
    found, place = list[int](), 0
    for number, measure in enumerate(measures):
        beats, unit = measure.metre
        full = TICKS_PER_WHOLE * beats // unit if unit else 0
        if number == 0 and measure.ticks < full:
            place = full - measure.ticks
        found.append(place)
        place = (place + measure.ticks) % full if full else 0
    return found
