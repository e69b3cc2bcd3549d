"""Phrases of melody with velocity and tempo: lines of string quartets, which music21 ships, or of your own files.

Each part of a piece is one line, cut into phrases of four bars; pieces are split as wholes:
``docs/environments/phrase.md``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .abc_fields import read_key
from .cache import Arrays, apart, cache_folder, cached
from .expression import UNKNOWN_TEMPO, tempi, velocities
from .files import Found, read_files
from .midi import LEGATO, OURS, bars_of, declared, estimate_key, on_grid, quantised
from .midi_events import parse
from .musicxml import SUFFIXES as SCORES
from .musicxml import Measure, read_musicxml
from .notation import TICKS_PER_WHOLE
from .phrasing import Phrases, find_scores, joined, phrases_of, text_of
from .strains import deal

SUFFIXES = (".mid", ".midi", *SCORES)
BARS = 4
METRES = ((2, 4), (3, 4), (4, 4), (3, 8), (6, 8))  # 2/2 counts as 4/4
MODES = ("major", "minor")
COMPOSERS = ("haydn", "mozart", "beethoven", "schumann", "other-composer")
PARTS = ("violin-1", "violin-2", "viola", "cello", "other-part")
FOLDERS = {"haydn": 0, "mozart": 1, "beethoven": 2, "schumann": 3, "schumann_robert": 3}
"""Composers by the folder that a file lies in."""
LONGEST = 10_000 * TICKS_PER_WHOLE  # ticks of a piece; longer ones are gaps that no notation has
DURATIONS = (2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 30, 36, 42, 48, 60, 72, 84, 96)  # ticks, 24 a quarter note
FEWEST_NOTES, MOST_NOTES = 6, 40  # notes and rests of a phrase
FEWEST_PITCHES = 4  # different ones: fewer are accompaniment
LOWEST, HIGHEST = 36, 96  # MIDI pitches, the tonic at C
LEVELS = 16  # of velocity
PER_LEVEL = 128 // LEVELS
PARSER_VERSION = 1  # raise it whenever a phrase or a label may come out differently: older caches are then ignored
LAYOUT = {
    "phrases": (np.int32, (None, 7)),
    "tempi": (np.float64, (None,)),
    "notes": (np.int16, (None, 3)),
    "text": (np.uint8, (None,)),
}
WIDEST = 0.12  # of the pieces go to train: whole quartets in one file would fill a held-out split alone
HEADINGS = {
    "beethoven/opus18no1": ("Allegro con brio", "Adagio affettuoso", "Scherzo. Allegro molto", "Allegro"),
    "haydn/opus74no1": ("Allegro moderato", "Andantino grazioso", "Menuetto. Allegretto", "Vivace"),
    "mozart/k155": ("Allegro", "Andante", "Molto Allegro"),
    "mozart/k156": ("Presto", "Adagio", "Tempo di Menuetto", "Adagio"),
    "mozart/k458": ("Allegro vivace assai", "Menuetto moderato", "Adagio", "Allegro assai"),
    "mozart/k80": ("Adagio", "Allegro", "Menuetto", "Allegro"),
}
"""Headings of movements that some files leave out."""


class Line(NamedTuple):
    """One part of a piece: its index in ``PARTS``; notes int32 [N, 4] onset, end, pitch, velocity, none overlapping."""

    part: int
    notes: NDArray[np.int32]


class Piece(NamedTuple):
    """A piece, time in ticks, 24 to the quarter note.

    Attributes:
        source: name of its file.
        composer: index in ``COMPOSERS``.
        lines: its parts.
        measures: in order.
        tempi: (tick, quarter notes a minute) of each tempo, the first one at 0.
        key: tonic (0 is C) and mode of a file of our own; None where each phrase's is estimated.
    """

    source: str
    composer: int
    lines: tuple[Line, ...]
    measures: tuple[Measure, ...]
    tempi: tuple[tuple[int, float], ...]
    key: tuple[int, str] | None = None


class Phrase(NamedTuple):
    """Four bars of a line.

    Attributes:
        piece: number of its piece, of several related ones the first.
        composer, part, metre, mode: indices in ``COMPOSERS``, ``PARTS``, ``METRES``, ``MODES``.
        tonic: pitch class, 0 is C.
        tempo: quarter notes a minute.
        notes: int16 [N, 3], pitch with the tonic at C (-1 for a rest), ticks, MIDI velocity (0 for a rest).
    """

    piece: int
    composer: int
    part: int
    metre: int
    mode: int
    tonic: int
    tempo: float
    notes: NDArray[np.int16]


def load_phrases(corpus: str | None = None) -> Phrases[Phrase]:
    """Returns the phrases of a corpus, from the cache where it is there; there may be none.

    Args:
        corpus: a folder with your own MIDI (``.mid``, ``.midi``) and MusicXML (``.mxl``, ``.musicxml``, ``.xml``)
            files, or one such file; None for the string quartets.

    Raises:
        CorpusMissingError: the quartets are not on this machine.
        ValueError: there is no such folder, or no such file of these kinds.
    """
    found, key = find_scores(corpus, SUFFIXES, "quartets", "music21/corpus")
    path = cache_folder() / f"phrases-{key}-v{PARSER_VERSION}.npz"
    return cached(path, LAYOUT, lambda: _arrays(_build(found)), _phrases)


def _build(found: Found) -> Phrases[Phrase]:
    pieces, skipped = read_files(found, read_piece)
    left_out = Counter[str]()
    kept = [(piece, phrases) for piece in pieces if (phrases := cut(piece, left_out))]
    items = [phrase._replace(piece=number) for number, (_, phrases) in enumerate(kept) for phrase in phrases]
    family = families(items, len(kept))
    items = [phrase._replace(piece=family[phrase.piece]) for phrase in items]
    names = [piece.source for piece, _ in kept]
    parts = [phrase.piece for phrase in items], [phrase.composer for phrase in items], [names[p.piece] for p in items]
    labels = deal(*parts, widest=WIDEST) if kept else []
    return Phrases(tuple(items), tuple(labels), tuple(names), left_out, len(found.files) + len(found.skipped), skipped)


def families(phrases: Sequence[Phrase], pieces: int) -> list[int]:
    """Numbers the families of pieces, each by its first one: two pieces are related if they share a few phrases.

    Phrases are shared that have the same pitches and durations, the tonic at C: a movement in two files, one of which
    repeats the other.
    """
    owners, shared = defaultdict[bytes, set[int]](set), Counter[tuple[int, int]]()
    for phrase in phrases:
        known = owners[phrase.notes[:, :2].tobytes()]
        shared.update((min(other, phrase.piece), max(other, phrase.piece)) for other in known - {phrase.piece})
        known.add(phrase.piece)
    return joined(range(pieces), shared)


def read_piece(data: bytes, source: str) -> list[Piece]:
    """Returns the one piece of a file, a score in MusicXML or a MIDI file by its suffix.

    Raises:
        ValueError: it cannot be read, or has no notes; the message says why.
    """
    return [(_from_score if Path(source).suffix.lower() in SCORES else _from_midi)(data, source)]


def _from_score(data: bytes, source: str) -> Piece:
    """Returns the piece of a score, its velocities from the marks of each part."""
    parts = [part for part in read_musicxml(data) if part.notes]
    if not parts:
        raise ValueError("no notes in this score")
    composer = _composer(source)
    quartet = composer < len(COMPOSERS) - 1 and len(parts) == len(PARTS) - 1
    lines = list[Line]()
    for number, part in enumerate(parts):
        notes = np.array([(note.onset, note.onset + note.ticks, note.pitch) for note in part.notes], np.int32)
        loud = velocities(part.marks, notes[:, 0])
        lines.append(Line(number if quartet else len(PARTS) - 1, top_line(np.column_stack([notes, loud]))))
    folder, _, name = source.rpartition("/")
    movement = "".join(sign for sign in Path(name).stem if sign.isdigit())
    headings = dict(enumerate(HEADINGS.get(folder, ()), 1))
    found = tempi([mark for part in parts for mark in part.marks], headings.get(int(movement or 0), ""))
    return Piece(source, composer, tuple(lines), parts[0].measures, tuple(found))


def _from_midi(data: bytes, source: str) -> Piece:
    """Returns the piece of a MIDI file; a note that lasts for most of the time to the next is taken to fill it."""
    midi = parse(data)
    if not midi.parts:
        raise ValueError("no notes in this MIDI file")
    ticks = TICKS_PER_WHOLE / 4 / midi.resolution
    if max(end for part in midi.parts for _, end, _ in part.notes) * ticks > LONGEST:
        raise ValueError(f"it lasts more than {LONGEST // TICKS_PER_WHOLE:,} whole notes")
    ours = next((found for _, text in midi.texts if (found := OURS.fullmatch(text))), None)
    lines = list[Line]()
    for part in midi.parts:
        notes = np.array(part.notes, float)
        onsets = quantised(notes[:, 0] * ticks)
        ends = np.maximum((notes[:, 1] * ticks).round(), onsets + 1)
        columns = np.column_stack([onsets, ends, notes[:, 2], part.velocities]).astype(np.int32)
        lines.append(Line(len(PARTS) - 1, top_line(columns, LEGATO if ours is None else 1.0)))
    metres = declared(midi.metres, 0, midi.resolution)
    if not metres or metres[0][0] > 0:
        metres.insert(0, (0, (4, 4)))
    first = min(int(line.notes[0, 0]) for line in lines)
    end = max(int(line.notes[-1, 1]) for line in lines)
    if ours:
        end = max(end, min(int(ours[2]), LONGEST))
    skipped, bars = bars_of(metres, [(0, (0, MODES[0]))], first, end)
    changes = {0: UNKNOWN_TEMPO}
    changes |= {max(0, on_grid(tick, midi.resolution) - skipped): tempo for tick, tempo in sorted(midi.tempi)}
    moved = tuple(line._replace(notes=line.notes - np.array([skipped, skipped, 0, 0], np.int32)) for line in lines)
    measures = tuple(Measure(bar.start, bar.length, bar.metre) for bar in bars)
    key = read_key(ours[1])[:2] if ours else None
    return Piece(source, _composer(source), moved, measures, tuple(sorted(changes.items())), key)


def _composer(source: str) -> int:
    return FOLDERS.get(source.partition("/")[0].lower(), len(COMPOSERS) - 1)


def top_line(notes: NDArray[np.int32], legato: float = 1.0) -> NDArray[np.int32]:
    """Returns the highest line of notes int32 [N, 4] of onset, end, pitch, velocity; no two of it overlap.

    Args:
        notes: in any order.
        legato: a note that sounds for more than this share of the time to the next fills it.
    """
    notes = notes[np.lexsort((-notes[:, 2], notes[:, 0]))]
    rows = list[list[int]]()
    for onset, end, pitch, velocity in notes.tolist():
        if rows and (onset == rows[-1][0] or (onset < rows[-1][1] - 1 and pitch <= rows[-1][2])):
            continue  # a lower note under one that still sounds
        if rows and (rows[-1][1] > onset or rows[-1][1] - rows[-1][0] > legato * (onset - rows[-1][0])):
            rows[-1][1] = onset
        rows.append([onset, end, pitch, velocity])
    return np.array(rows, np.int32)


def cut(piece: Piece, left_out: Counter[str]) -> list[Phrase]:
    """Cuts each line of a piece into phrases of four whole bars; counts those that are left out, by reason.

    A phrase begins where a note begins on a bar line and ends on a bar line that no note goes across; the next one
    begins there, or at the next such place.
    """
    found, bars = list[Phrase](), list[tuple[int, int, int]]()  # onset, end, metre; -1 where it has none
    for measure in piece.measures:
        beats, unit = (4, 4) if measure.metre == (2, 2) else measure.metre
        whole = unit and measure.ticks == TICKS_PER_WHOLE * beats // unit and (beats, unit) in METRES
        bars.append((measure.onset, measure.onset + measure.ticks, METRES.index((beats, unit)) if whole else -1))
    every = np.concatenate([line.notes for line in piece.lines])
    every = every[np.argsort(every[:, 0], kind="stable")]
    for line in piece.lines:
        onsets, number = line.notes[:, 0], 0
        while number + BARS <= len(bars):
            begin, end, metre = bars[number][0], bars[number + BARS - 1][1], bars[number][2]
            first, last = np.searchsorted(onsets, [begin, end])
            own = line.notes[first:last]
            one = metre >= 0 and all(bar[2] == metre for bar in bars[number : number + BARS])
            if not one or not len(own) or own[0, 0] != begin or own[-1, 1] > end:
                number += 1
                continue
            number += BARS
            tonic, mode = piece.key or _key(every, begin, end)
            notes = _rows(own, end, (6 - tonic) % 12 - 6)
            if reason := _reason(notes, mode):
                left_out[f"phrase: {reason}"] += 1
                continue
            tempo = next(tempo for tick, tempo in reversed(piece.tempi) if tick <= begin)
            found.append(Phrase(0, piece.composer, line.part, metre, MODES.index(mode), tonic, tempo, notes))
    return found


def _key(every: NDArray[np.int32], begin: int, end: int) -> tuple[int, str]:
    """Returns tonic and mode in which all notes of a piece, sorted, fit best between two ticks."""
    first, last = np.searchsorted(every[:, 0], [begin, end])
    own = every[first:last].astype(np.int64)
    return estimate_key(np.column_stack([own[:, 0], np.minimum(own[:, 1], end) - own[:, 0], own[:, 2]]))


def _rows(own: NDArray[np.int32], end: int, moved: int) -> NDArray[np.int16]:
    """Returns a phrase's pitches, ticks and velocities [N, 3], with rests between its notes."""
    rows, after = list[tuple[int, int, int]](), [*own[1:, 0].tolist(), end]
    for (onset, stop, pitch, velocity), begin in zip(own.tolist(), after, strict=True):
        rows.append((pitch + moved, stop - onset, velocity))
        left = begin - stop
        while left:
            fitting = [ticks for ticks in DURATIONS if ticks <= left and left - ticks != 1]
            ticks = max(fitting, default=left)
            rows.append((-1, ticks, 0))
            left -= ticks
    return np.array(rows, np.int16)


def _reason(notes: NDArray[np.int16], mode: str) -> str:
    """Returns why a phrase is left out, "" if it is not."""
    sounding = notes[notes[:, 0] >= 0]
    if mode not in MODES:
        return f"mode {mode}, not one of {', '.join(MODES)}"
    if len(sounding) < FEWEST_NOTES or len(set(sounding[:, 0].tolist())) < FEWEST_PITCHES:
        return f"accompaniment: fewer than {FEWEST_NOTES} notes or {FEWEST_PITCHES} different pitches"
    if len(set((sounding[:, 2] // PER_LEVEL).tolist())) < 2:
        return "one velocity throughout"
    if len(notes) > MOST_NOTES:
        return f"more than {MOST_NOTES} notes and rests"
    if not set(notes[:, 1].tolist()) <= set(DURATIONS):
        return "a duration that no action writes"
    if sounding[:, 0].min() < LOWEST or sounding[:, 0].max() > HIGHEST:
        return "a pitch that no action writes"
    return ""


def _arrays(phrases: Phrases[Phrase]) -> Arrays:
    rows = [(p.piece, p.composer, p.part, p.metre, p.mode, p.tonic, len(p.notes)) for p in phrases.items]
    return {
        "phrases": np.array(rows, np.int32).reshape(-1, 7),
        "tempi": np.array([p.tempo for p in phrases.items], np.float64),
        "notes": np.concatenate([np.zeros((0, 3), np.int16), *(p.notes for p in phrases.items)]).astype(np.int16),
        "text": text_of(phrases),
    }


def _phrases(arrays: Arrays) -> Phrases[Phrase]:
    rows = arrays["phrases"]
    notes = apart(arrays["notes"], rows[:, 6], "phrases")
    if len(arrays["tempi"]) != len(rows):
        raise ValueError("the tempi of the phrases are not known")
    items = [
        Phrase(piece, composer, part, metre, mode, tonic, tempo, own)
        for (piece, composer, part, metre, mode, tonic, _), tempo, own in zip(
            rows.tolist(), arrays["tempi"].tolist(), notes, strict=True
        )
    ]
    return phrases_of(items, arrays["text"])
