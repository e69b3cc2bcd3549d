"""A phrase of melody in musical terms: its notes, the spelling of its pitches, and its ABC text.

Time is counted in ticks, 24 to the quarter note; pitches are MIDI numbers (60 is middle C).
ABC follows the standard 2.1, https://abcnotation.com/wiki/abc:standard:v2.1.
"""

from __future__ import annotations

import functools
import itertools
from fractions import Fraction
from typing import NamedTuple

TICKS_PER_QUARTER = 24
TICKS_PER_WHOLE = 4 * TICKS_PER_QUARTER
UNIT = TICKS_PER_WHOLE // 8  # ABC lengths are written in eighths

MODES = {"lydian": 1, "major": 0, "mixolydian": -1, "dorian": -2, "minor": -3, "phrygian": -4, "locrian": -5}
"""Sharps of the key signature of each mode on C, on the line of fifths (flats are negative)."""
ABC_MODES = {"lydian": "lyd", "major": "", "mixolydian": "mix", "dorian": "dor", "minor": "m", "phrygian": "phr"}
SIGNS = {"pppp": 10, "ppp": 16, "pp": 33, "p": 49, "mp": 64, "mf": 80, "f": 96, "ff": 112, "fff": 126}
"""MIDI velocities of dynamic signs, those of MuseScore (https://musescore.org/en/handbook/4/dynamics)."""
LETTERS = "FCGDAEB"  # in order of fifths
SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
ACCIDENTALS = {-2: "♭♭", -1: "♭", 0: "", 1: "♯", 2: "♯♯"}
ASCII_ACCIDENTALS = {-1: "b", 0: "", 1: "#"}
ABC_ACCIDENTALS = {-2: "__", -1: "_", 0: "=", 1: "^", 2: "^^"}


class Spelled(NamedTuple):
    """A pitch as it is written: ``letter`` A to G, ``accidental`` in semitones, ``octave`` (4 starts at middle C)."""

    letter: str
    accidental: int
    octave: int

    def __str__(self) -> str:
        return f"{self.letter}{ACCIDENTALS[self.accidental]}{self.octave}"


class Key(NamedTuple):
    """A key: pitch class of the tonic (0 is C) and mode, one of ``MODES``."""

    tonic: int
    mode: str

    @property
    def fifths(self) -> int:
        """The tonic's place on the line of fifths (C is 0), spelled so that the signature has 5 flats to 6 sharps."""
        offset = MODES[self.mode]
        return (7 * self.tonic + offset + 5) % 12 - 5 - offset

    @property
    def signature(self) -> int:
        """Sharps of the key signature; flats are negative."""
        return self.fifths + MODES[self.mode]

    @property
    def scale(self) -> tuple[int, ...]:
        """The seven pitch classes in order from the tonic."""
        steps = sorted((7 * place - self.tonic) % 12 for place in range(self.signature - 1, self.signature + 6))
        return tuple((self.tonic + step) % 12 for step in steps)

    def degree(self, pitch: int) -> int:
        """Returns the scale degree 1 to 7 of a pitch, 0 for one outside the scale."""
        return self.scale.index(pitch % 12) + 1 if pitch % 12 in self.scale else 0

    def spell(self, pitch: int) -> Spelled:
        """Spells a pitch by its nearest place on the line of fifths: C-E-flat in minor, C-sharp in major."""
        offset = MODES[self.mode]
        lowest = self.fifths + max(offset - 3, min(offset - 1, -5))
        place = lowest + (7 * pitch - lowest) % 12
        letter, accidental = LETTERS[(place + 1) % 7], (place + 1) // 7
        return Spelled(letter, accidental, (pitch - accidental - SEMITONES[letter]) // 12 - 1)

    @property
    def ascii(self) -> str:
        """Its name in plain letters, as in "Bb minor"."""
        tonic = self.spell(self.tonic)
        return f"{tonic.letter}{ASCII_ACCIDENTALS[tonic.accidental]} {self.mode}"

    def __str__(self) -> str:
        tonic = self.spell(self.tonic)
        return f"{tonic.letter}{ACCIDENTALS[tonic.accidental]} {self.mode}"


class Note(NamedTuple):
    """One note: onset and length in ticks (0 while undecided) and MIDI pitch, None for a rest."""

    onset: int
    ticks: int
    pitch: int | None


class Phrase(NamedTuple):
    """A melody as far as it is written.

    Attributes:
        notes: In order, without gaps; only the last may be undecided in length.
        metre: (numerator, denominator).
        key: Tonic and mode.
        upbeat: Ticks before the first bar line, 0 for none.
        length: Ticks of the finished phrase.
        closing: True where a section ends with it.
        pace: Seconds that a quarter note lasts; 0 for those usual in the metre.
        velocities: MIDI velocity of each note, 0 for rests and while undecided; None where nothing says how loud it is.
    """

    notes: tuple[Note, ...]
    metre: tuple[int, int]
    key: Key
    upbeat: int
    length: int
    closing: bool = False
    pace: float = 0.0
    velocities: tuple[int, ...] | None = None

    @property
    def bar(self) -> int:
        """Ticks of a bar."""
        return TICKS_PER_WHOLE * self.metre[0] // self.metre[1]

    @property
    def compound(self) -> bool:
        """True where three eighths make a beat, as in 6/8."""
        return self.metre[1] >= 8 and self.metre[0] % 3 == 0

    @property
    def beat(self) -> int:
        """Ticks of a beat as it is felt."""
        return (3 if self.compound else 1) * TICKS_PER_WHOLE // self.metre[1]

    @property
    def quarter_seconds(self) -> float:
        """Seconds of a quarter note: ``pace``, else 0.5 (120 a minute), 0.4 in compound metres (100 dotted ones)."""
        return self.pace or (0.4 if self.compound else 0.5)

    @property
    def bar_lines(self) -> list[int]:
        """Ticks at which bars start, the first one of a phrase without upbeat included."""
        return list(range(self.upbeat, self.length, self.bar))

    @property
    def written(self) -> int:
        """Ticks written so far."""
        return sum(note.ticks for note in self.notes)

    @property
    def new_rests(self) -> list[int]:
        """Ticks at which a rest follows a rest."""
        pairs = itertools.pairwise(self.notes)
        return [note.onset for before, note in pairs if before.pitch is None and note.pitch is None]

    @property
    def signs(self) -> list[str]:
        """The dynamic sign of each note: the nearest to its velocity where that is another than before, else ""."""
        signs, now = list[str](), ""
        for velocity in self.velocities or len(self.notes) * (0,):
            sign = min(SIGNS, key=lambda name: abs(SIGNS[name] - velocity)) if velocity else now
            signs.append(sign if sign != now else "")
            now = sign
        return signs

    @property
    def pending(self) -> Note | None:
        """The last note while its length is undecided."""
        return self.notes[-1] if self.notes and not self.notes[-1].ticks else None

    @property
    def title(self) -> str:
        """Metre, key, upbeat and close, as in "6/8 C major, upbeat 1/8, closing"."""
        upbeat = f", upbeat {fraction(self.upbeat)}" if self.upbeat else ""
        return f"{self.metre[0]}/{self.metre[1]} {self.key}{upbeat}{', closing' if self.closing else ''}"

    def seconds(self, ticks: int) -> float:
        """Converts ticks to seconds."""
        return ticks * self.quarter_seconds / TICKS_PER_QUARTER


def fraction(ticks: int) -> str:
    """Returns a length as a fraction of a whole note: ``"1/8"`` for 12 ticks."""
    value = Fraction(ticks, TICKS_PER_WHOLE)
    return f"{value.numerator}/{value.denominator}"


def to_abc(phrase: Phrase) -> str:
    """Writes a phrase as an ABC tune that any ABC program reads; an undecided last note becomes a comment.

    Notes are beamed by beats, notes across a bar line are tied, lengths off the binary grid stand in triplets. Of rests
    in a row a spacer, ``zyz``, tells where the next one begins.
    """
    beats = Fraction(phrase.beat, TICKS_PER_WHOLE)
    tempo = round(60 / phrase.seconds(phrase.beat))
    tonic = phrase.key.spell(phrase.key.tonic)
    accidental = ASCII_ACCIDENTALS[tonic.accidental]
    mode = ABC_MODES.get(phrase.key.mode, phrase.key.mode[:3])
    header = f"X:1\nT:{phrase.title}\nM:{phrase.metre[0]}/{phrase.metre[1]}\nL:1/8\n"
    header += f"Q:{beats.numerator}/{beats.denominator}={tempo}\nK:{tonic.letter}{accidental}{mode}\n"
    bars = [_abc_bar(phrase, pieces) for pieces in _split_at_bars(phrase)]
    body = " | ".join(bars) + (" |]" if phrase.written >= phrase.length else "")
    if phrase.written < phrase.length:
        undecided = phrase.pending
        head = "" if undecided is None else f", next {_name(phrase.key, undecided.pitch)}"
        body += f" % unfinished{head}"
    return header + body.strip() + "\n"


def _name(key: Key, pitch: int | None) -> str:
    return "rest" if pitch is None else str(key.spell(pitch))


class _Piece(NamedTuple):
    """The part of a note that falls into one bar; ``place`` is its tick in the bar, counted from the bar line.

    A spaced one is the beginning of a rest after a rest. ``sign`` is the dynamic that begins with it, "" for none.
    """

    place: int
    ticks: int
    pitch: int | None
    tied: bool
    spaced: bool
    sign: str


def _split_at_bars(phrase: Phrase) -> list[list[_Piece]]:
    bars: dict[int, list[_Piece]] = {}
    new_rests = phrase.new_rests
    for (onset, ticks, pitch), sign in zip(phrase.notes, phrase.signs, strict=True):
        end, spaced = onset + ticks, onset in new_rests
        while onset < end:
            bar, place = divmod(onset - phrase.upbeat, phrase.bar)
            stop = min(end, onset - place + phrase.bar)
            tied = stop < end and pitch is not None
            bars.setdefault(bar, []).append(_Piece(place, stop - onset, pitch, tied, spaced, sign))
            onset, spaced, sign = stop, False, ""
    return list(bars.values())


def _abc_bar(phrase: Phrase, pieces: list[_Piece]) -> str:
    text, altered = "", set[str]()
    triplet, ticks = list[str](), 0
    for piece, after in itertools.zip_longest(pieces, pieces[1:]):
        if text and not triplet and piece.place % phrase.beat == 0:
            text += " "
        if piece.ticks % 3 == 0:
            text += "".join(_abc_notes(phrase.key, piece, Fraction(1), altered))
            continue
        # Lengths that are no multiple of 3 ticks stand in triplets: gathered until a binary length is full.
        triplet += _abc_notes(phrase.key, piece, Fraction(3, 2), altered)
        ticks += piece.ticks
        if ticks % 3 == 0 or after is None or after.ticks % 3 == 0:
            while triplet:
                some, triplet = triplet[:9], triplet[9:]
                text += ("(3" if len(some) == 3 else f"(3:2:{len(some)}") + "".join(some)
            ticks = 0
    return text


def _abc_notes(key: Key, piece: _Piece, stretch: Fraction, altered: set[str]) -> list[str]:
    """Writes a note, in several tied ones where no dotted or plain note value is as long."""
    left, notes, space = piece.ticks * stretch / UNIT, list[str](), "y" if piece.spaced else ""
    space += f"!{piece.sign}!" if piece.sign else ""
    while left:
        length = Fraction(1, 256)
        while 2 * length <= left:
            length *= 2
        length = length * 3 / 2 if left >= length * 3 / 2 else length
        left -= length
        suffix = str(length.numerator) if length.numerator > 1 else ""
        suffix += f"/{length.denominator}" if length.denominator > 1 else ""
        tie = "-" if piece.pitch is not None and (left or piece.tied) else ""
        notes.append(space + _abc_pitch(key, piece.pitch, altered) + suffix + tie)
        space = ""
    return notes


def _abc_pitch(key: Key, pitch: int | None, altered: set[str]) -> str:
    if pitch is None:
        return "z"
    letter, accidental, octave = key.spell(pitch)
    sign = ""
    if accidental != _signature(key)[letter] or letter in altered:
        # Programs disagree whether an accidental holds in other octaves, so it is repeated wherever that matters.
        sign = ABC_ACCIDENTALS[accidental]
        altered.add(letter)
    return sign + (letter + "," * max(0, 4 - octave) if octave < 5 else letter.lower() + "'" * (octave - 5))


@functools.lru_cache
def _signature(key: Key) -> dict[str, int]:
    """The accidental that the key signature gives each letter, in semitones."""
    places = range(key.signature - 1, key.signature + 6)
    return {LETTERS[(place + 1) % 7]: (place + 1) // 7 for place in places}
