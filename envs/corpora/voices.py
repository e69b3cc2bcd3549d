"""Pieces for four voices, soprano to bass: scores in MusicXML and MIDI files."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .abc_fields import read_key
from .midi import OURS, bars_of, declared, estimate_key, key_of, quantised
from .midi_events import Midi, parse
from .musicxml import SUFFIXES as SCORES
from .musicxml import Measure, Part, read_musicxml
from .notation import TICKS_PER_WHOLE

VOICES = ("soprano", "alto", "tenor", "bass")
SUFFIXES = (".mid", ".midi", *SCORES)
TICKS_PER_QUARTER = TICKS_PER_WHOLE // 4
LONGEST = 10_000 * TICKS_PER_WHOLE  # ticks; longer ones are gaps that no notation has
PHRASE = re.compile(r"musegym: (\d{1,2})/(\d{1,2}), upbeat (\d{1,4}) ticks, (opening|inner|closing) phrase")
"""The text event of our own files beside ``midi.OURS``: metre and upbeat, and the phrase's place in its piece."""
FINALS = {0: "major", 9: "minor", 2: "minor"}
"""Modes by the last note of the bass, in semitones above the tonic of the major key with the same signature: minor is
also written with one flat less, in the manner of Dorian pieces."""


@dataclass(frozen=True)
class Piece:
    """A piece for four voices, time in ticks, 24 to the quarter note.

    Attributes:
        source: name of its file.
        voices: of each voice from the soprano down int32 [N, 3]: onset, end and MIDI pitch of its notes in order, none
            of which overlap.
        measures: in order.
        tonic: pitch class, 0 is C.
        mode: "major" or "minor".
        ends: ticks at which phrases end, () where nothing says so.
        place: of a piece that is one phrase of another: "opening", "inner", "closing"; else "".
        ticks: its length, where the last measure may be longer; 0 where it ends with its measures.
    """

    source: str
    voices: tuple[NDArray[np.int32], ...]
    measures: tuple[Measure, ...]
    tonic: int
    mode: str
    ends: tuple[int, ...] = ()
    place: str = ""
    ticks: int = 0

    @property
    def length(self) -> int:
        """Ticks of the whole piece."""
        return self.ticks or self.measures[-1].onset + self.measures[-1].ticks


def read_piece(data: bytes, source: str) -> list[Piece]:
    """Returns the one piece of a file, a score in MusicXML or a MIDI file by its suffix.

    Raises:
        ValueError: it cannot be read, or is not for four voices; the message says why.
    """
    return [(_from_score if Path(source).suffix.lower() in SCORES else _from_midi)(data, source)]


def _from_score(data: bytes, source: str) -> Piece:
    """Returns the piece of a score; phrases end at the fermatas of the soprano."""
    parts = _singers(read_musicxml(data))
    voices = _lines([[(note.onset, note.onset + note.ticks, note.pitch) for note in part.notes] for part in parts])
    tonic, mode = _key(parts[0].fifths, voices)
    ends = tuple(note.onset + note.ticks for note in parts[0].notes if note.fermata)
    return Piece(source, voices, parts[0].measures, tonic, mode, ends)


def _singers(parts: Sequence[Part]) -> list[Part]:
    """Returns the parts named soprano, alto, tenor and bass, else those with notes in their order if they are four."""
    named = [[part for part in parts if part.name.lower().split()[:1] == [voice]] for voice in VOICES]
    if all(len(own) == 1 for own in named):
        return [own[0] for own in named]
    written = [part for part in parts if part.notes]
    if len(written) != len(VOICES):
        raise ValueError(f"parts for {', '.join(VOICES)} are wanted, or four parts; it has {len(written)} with notes")
    return written


def _from_midi(data: bytes, source: str) -> Piece:
    """Returns the piece of a MIDI file, whose four tracks or channels are ordered by their mean pitch."""
    midi = parse(data)
    if len(midi.parts) != len(VOICES):
        raise ValueError(
            f"four voices, each in a track or channel of its own, are wanted; it has {len(midi.parts)} with notes"
        )
    if max(end for part in midi.parts for _, end, _ in part.notes) > LONGEST / TICKS_PER_QUARTER * midi.resolution:
        raise ValueError(f"it lasts more than {LONGEST // TICKS_PER_WHOLE:,} whole notes")
    ours = next((found for _, text in midi.texts if (found := OURS.fullmatch(text))), None)
    phrase = next((found for _, text in midi.texts if (found := PHRASE.fullmatch(text))), None)
    parts = [np.array(part.notes, float) for part in midi.parts]
    if phrase is None:
        parts.sort(key=lambda notes: -notes[:, 2].mean())
    lines = list[list[tuple[int, int, int]]]()
    for notes in parts:
        times = notes[:, :2] / midi.resolution * TICKS_PER_QUARTER
        onsets, ends = quantised(times[:, 0]), np.maximum(times[:, 1].round(), times[:, 0].round() + 1)
        lines.append(list(zip(*(column.astype(int).tolist() for column in (onsets, ends, notes[:, 2])), strict=True)))
    voices = _lines(lines)
    if ours and phrase:
        beats, unit, upbeat = (int(phrase[group]) for group in (1, 2, 3))
        tonic, mode = read_key(ours[1])[:2]
        length = max(1, min(int(ours[2]), LONGEST))
        measures = _measures((beats, unit), upbeat, length)
        return Piece(source, voices, measures, tonic, mode, place=phrase[4], ticks=length)
    return _guessed(midi, source, voices)


def _guessed(midi: Midi, source: str, voices: tuple[NDArray[np.int32], ...]) -> Piece:
    """Returns a piece with metre and key as the file declares them: else 4/4, and the key that fits best."""
    metres = declared(midi.metres, 0, midi.resolution)
    if not metres or metres[0][0] > 0:
        metres.insert(0, (0, (4, 4)))
    keys = [(0, key_of(*value)) for _, value in declared(midi.keys, 0, midi.resolution)[:1]]
    if not keys:
        keys = [(0, estimate_key(_flat(voices)))]
    first, end = min(int(voice[0, 0]) for voice in voices), max(int(voice[-1, 1]) for voice in voices)
    skipped, bars = bars_of(metres, keys, first, end)
    measures = tuple(Measure(bar.start, bar.length, bar.metre) for bar in bars)
    moved = tuple(voice - np.array([skipped, skipped, 0], np.int32) for voice in voices)
    return Piece(source, moved, measures, *keys[0][1])


def _measures(metre: tuple[int, int], upbeat: int, length: int) -> tuple[Measure, ...]:
    """Returns whole measures for so many ticks, the first one an upbeat where there is one."""
    if not metre[0] or not metre[1] or TICKS_PER_WHOLE % metre[1]:
        raise ValueError(f"a metre of {metre[0]}/{metre[1]}, which no notation has")
    full = TICKS_PER_WHOLE * metre[0] // metre[1]
    lines = [0, *range(upbeat or full, length + full, full)]
    return tuple(Measure(start, stop - start, metre) for start, stop in itertools.pairwise(lines))


def _lines(parts: Sequence[Sequence[tuple[int, int, int]]]) -> tuple[NDArray[np.int32], ...]:
    """Returns voices as arrays; notes that overlap by one tick, a matter of rounding, are cut.

    Raises:
        ValueError: a voice has no notes, or two at once.
    """
    voices = list[NDArray[np.int32]]()
    for name, notes in zip(VOICES, parts, strict=True):
        if not notes:
            raise ValueError(f"its {name} has no notes")
        voice = np.array(notes, np.int32)
        if (voice[:-1, 1] - voice[1:, 0] > 1).any() or (voice[:-1, 0] == voice[1:, 0]).any():
            raise ValueError(f"two notes at once in its {name}, and a voice has one")
        voice[:-1, 1] = np.minimum(voice[:-1, 1], voice[1:, 0])
        voices.append(voice)
    return tuple(voices)


def _key(fifths: int | None, voices: tuple[NDArray[np.int32], ...]) -> tuple[int, str]:
    """Returns tonic and mode: those of the signature with the last note of the bass, else of the key that fits best."""
    last = int(voices[-1][-1, 2]) % 12
    if fifths is not None and (last - 7 * fifths) % 12 in FINALS:
        return last, FINALS[(last - 7 * fifths) % 12]
    return estimate_key(_flat(voices))


def _flat(voices: tuple[NDArray[np.int32], ...]) -> NDArray[np.int64]:
    """Returns onset, duration and pitch of all notes, [N, 3]."""
    notes = np.concatenate(voices).astype(np.int64)
    return np.column_stack([notes[:, 0], notes[:, 1] - notes[:, 0], notes[:, 2]])
