"""Melodies from a user's MIDI files."""

from __future__ import annotations

import itertools
import re
from bisect import bisect, bisect_left
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .abc_fields import read_key
from .midi_events import FREE, Midi, Part, Signature, parse
from .notation import NEW_REST, PLAIN, REST, STRUCTURAL, TICKS_PER_WHOLE, Bar, Tune

TICKS_PER_QUARTER = TICKS_PER_WHOLE // 4
UNIT = TICKS_PER_WHOLE // 8
TOLERANCE = 0.25  # ticks between an onset and the grid: a hundredth of a quarter note
STRAYS = 0.02  # share of onsets that may be further off
LEGATO = 0.8  # a note that sounds for more of the time to the next onset fills it
GATE = 0.995  # a median share of the time to the next onset below it is how the file plays full lengths
FEWEST = 8  # notes that tell such a share
PLAIN_LENGTHS = (3, 4, 6, 8, 9, 12, 16, 18, 24, 32, 36, 48)  # ticks; longer ones are whole eighths
LONGEST = 10_000  # whole notes of a piece, five hours and a half: longer ones are gaps that no notation has
OURS = re.compile(r"musegym: ([A-G][b#]? [a-z]+), (\d{1,7}) ticks")
"""The text event of our own files: the key, with modes that a key signature cannot say, and the length of the music.
Such files are exact: no note is lengthened, and rests at either end belong to the music."""
OUR_REST = "musegym: rest"
"""The text event of our own files where a rest follows a rest."""

# How well each pitch class fits C major and C minor: Krumhansl, Cognitive Foundations of Musical Pitch, 1990, ch. 2
MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)


def read_midi(data: bytes, name: str = "", source: str = "") -> list[Tune]:
    """Returns the melody of a MIDI file as one tune of one strain.

    The melody is the first part (channel of a track) without overlapping notes, else the highest notes of the first
    part; drums do not count. Times are quantised to ticks of 1/24 quarter note; a note that sounds for more than four
    fifths of the time to the next is taken to fill it, and the last note to be played as much shorter as these are.
    Metre and key are those of any track, the melody's own first; without them the metre is 4/4 and the key is
    estimated. A first measure in a metre of its own, shorter than one of the metre that follows, is an upbeat.

    Args:
        data: The file's contents.
        name: The tune's name.
        source: Name of the file.

    Raises:
        ValueError: If the file is unreadable, holds no notes, lasts for too long, or was played freely: more than 2% of
            the onsets lie further than a quarter tick from the grid.
    """
    midi = parse(data)
    if not midi.parts:
        raise ValueError("no notes in this MIDI file")
    end = max(end for part in midi.parts for _, end, _ in part.notes)
    if end > 4 * LONGEST * midi.resolution:
        raise ValueError(f"it lasts {end // (4 * midi.resolution):,} whole notes, more than {LONGEST:,}")
    ours = next((found for _, text in midi.texts if (found := OURS.fullmatch(text))), None)
    track, notes = _melody(midi, exact=ours is not None)
    keys = [(tick, key_of(*value)) for tick, value in declared(midi.keys, track, midi.resolution)]
    if ours:
        keys = [(0, read_key(ours[1])[:2])]
        notes = _filled(notes, min(int(ours[2]), LONGEST * TICKS_PER_WHOLE))
        notes = _parted(notes, [on_grid(tick, midi.resolution) for tick, text in midi.texts if text == OUR_REST])
    metres = declared(midi.metres, track, midi.resolution)
    if not metres or metres[0][0] > 0:
        metres.insert(0, (0, (4, 4)))
    if not keys:
        keys = [(0, estimate_key(notes))]
    skipped, bars = bars_of(metres, keys, int(notes[0, 0]), int(notes[-1, :2].sum()))
    if notes[0, 0] > skipped:
        notes = np.concatenate([[[skipped, notes[0, 0] - skipped, REST]], notes])
    notes = notes - np.array([skipped, 0, 0])
    return [Tune(name, source, 1, notes.astype(np.int32), bars)]


def declared(signatures: Sequence[Signature], track: int, resolution: int) -> list[tuple[int, tuple[int, int]]]:
    """Returns (1/24 quarter notes, value) of the signatures that change something; at one time a track's own counts."""
    values = {s.tick: s.value for s in sorted(signatures, key=lambda s: (s.tick, s.track == track, -s.track))}
    changes: list[tuple[int, tuple[int, int]]] = []
    for tick, value in values.items():
        if not changes or value != changes[-1][1]:
            changes.append((on_grid(tick, resolution), value))
    return changes


def on_grid(tick: int, resolution: int) -> int:
    """Returns a time of the file in ticks of 1/24 quarter note."""
    return round(tick * TICKS_PER_QUARTER / resolution)


def quantised(onsets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns onsets in ticks of 1/24 quarter note, rounded.

    Raises:
        ValueError: they were played freely: more than 2% lie further than a quarter tick from the grid.
    """
    found = onsets.round()
    if (np.abs(onsets - found) > TOLERANCE).mean() > STRAYS:
        raise ValueError("not on a grid of 1/24 quarter notes: export the notation, not a performance")
    return found


def key_of(sharps: int, minor: int) -> tuple[int, str]:
    """Returns tonic and mode of a key signature."""
    return (7 * sharps + 9 * minor) % 12, "minor" if minor else "major"


def _melody(midi: Midi, exact: bool) -> tuple[int, NDArray[np.int64]]:
    """Returns the melody's track, and [N, 3] onset, duration (ticks) and pitch, with rests between notes."""
    part = next((part for part in midi.parts if _is_one_line(part, midi.resolution)), midi.parts[0])
    chosen = np.array(part.notes, float)
    chosen = chosen[np.lexsort((-chosen[:, 2], chosen[:, 0]))]
    times = chosen[:, :2] / midi.resolution * TICKS_PER_QUARTER
    onsets = quantised(times[:, 0])
    top: list[list[float]] = []  # onset, end, pitch
    for onset, end, pitch in zip(onsets.tolist(), times[:, 1].tolist(), chosen[:, 2].tolist(), strict=True):
        if top and onset < top[-1][1] - 1 and pitch <= top[-1][2]:
            continue  # a lower note under one that still sounds
        if not top or onset > top[-1][0]:
            top.append([onset, end, pitch])
    if not exact:
        top[-1][1] = top[-1][0] + _full_length(top)
    rows: list[tuple[int, int, int]] = []
    for (onset, end, pitch), after in zip(top, [*(note[0] for note in top[1:]), None], strict=True):
        start, stop = int(onset), max(round(end), int(onset) + 1)
        if after is not None and (stop > after or (not exact and end - onset > LEGATO * (after - onset))):
            stop = int(after)
        rows.append((start, stop - start, int(pitch)))
        if after is not None and stop < after:
            rows.append((stop, int(after) - stop, REST))
    return part.track, np.array(rows)


def _full_length(notes: Sequence[Sequence[float]]) -> float:
    """Returns how long the last of the notes (onset, end, ...) was meant to be, ticks.

    Nothing follows for it to fill, and many programs play notes shorter than they are written, all by the same share.
    """
    last = notes[-1][1] - notes[-1][0]
    shares = [(end - onset) / (after[0] - onset) for (onset, end, *_), after in itertools.pairwise(notes)]
    legato = [share for share in shares if LEGATO < share <= 1]
    gate = float(np.median(legato)) if len(legato) >= FEWEST else 1.0
    if gate > GATE:
        return last
    meant = last / gate
    eighths = float(round(meant / UNIT) * UNIT)
    return eighths if meant > PLAIN_LENGTHS[-1] else float(min(PLAIN_LENGTHS, key=lambda length: abs(length - meant)))


def _is_one_line(part: Part, resolution: int) -> bool:
    """Returns whether no note begins more than a tick before the one before it ends."""
    slack = resolution / TICKS_PER_QUARTER
    return all(after[0] >= note[1] - slack for note, after in zip(part.notes, part.notes[1:], strict=False))


def _filled(notes: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Returns notes with rests before the first and after the last, so that they fill so many ticks."""
    begin, end = int(notes[0, 0]), int(notes[-1, :2].sum())
    before = [[0, begin, REST]] if begin else []
    after = [[end, length - end, REST]] if end < length else []
    return np.array([*before, *notes.tolist(), *after])


def _parted(notes: NDArray[np.int64], onsets: Sequence[int]) -> NDArray[np.int64]:
    """Returns notes with new rests where rests are to begin."""
    rows: list[list[int]] = []
    marks = sorted({*onsets})
    for onset, ticks, pitch in notes.tolist():
        inside = marks[bisect(marks, onset) : bisect_left(marks, onset + ticks)] if pitch == REST else []
        for start, stop in itertools.pairwise([onset, *inside, onset + ticks]):
            rows.append([start, stop - start, pitch if start == onset else NEW_REST])
    return np.array(rows)


def bars_of(
    metres: Sequence[tuple[int, tuple[int, int]]], keys: Sequence[tuple[int, tuple[int, str]]], first: int, end: int
) -> tuple[int, tuple[Bar, ...]]:
    """Returns how many ticks of empty measures were skipped, and the measures from there to the end.

    Args:
        metres: (tick, metre) of each change, the first at 0.
        keys: (tick, (tonic, mode)) of each change; the first holds from the beginning.
        first: Onset of the first note.
        end: Of the last.
    """
    bars: list[Bar] = []
    time = skipped = metre = key = 0
    while time < end:
        while metre + 1 < len(metres) and metres[metre + 1][0] <= time:
            metre += 1
        while key + 1 < len(keys) and keys[key + 1][0] <= time:
            key += 1
        beats, unit = metres[metre][1]
        full = max(TICKS_PER_WHOLE * beats // unit, 1) if unit else end - time
        change = metres[metre + 1][0] if metre + 1 < len(metres) else end  # a new metre begins a measure
        length = min(full, change - time, end - time)
        if time + length <= first:
            skipped = time + length
        else:
            left = PLAIN if bars else STRUCTURAL
            right = STRUCTURAL if time + length == end else PLAIN
            bars.append(Bar(time - skipped, length, (beats, unit), *keys[key][1], left, right, True))
        time += length
    if len(bars) > 1 and not skipped and _is_upbeat(bars[0], bars[1]):
        bars[0] = bars[0]._replace(metre=bars[1].metre)
    return skipped, tuple(bars)


def _is_upbeat(bar: Bar, after: Bar) -> bool:
    """Returns whether a first measure in a metre of its own is shorter than one of the metre that follows."""
    return FREE not in (bar.metre, after.metre) and bar.length * after.metre[1] < TICKS_PER_WHOLE * after.metre[0]


def estimate_key(notes: NDArray[np.int64]) -> tuple[int, str]:
    """Returns the tonic (0 is C) and the mode, major or minor, of the key in which the notes fit best.

    Correlates the time spent on each pitch class with the profile of each key (the Krumhansl-Schmuckler algorithm).

    Args:
        notes: [N, 3] onset, duration, MIDI pitch or -1 for a rest.
    """
    sounding = notes[notes[:, 2] != REST]
    spent = np.bincount(sounding[:, 2] % 12, sounding[:, 1], 12)
    profiles = np.array([np.roll(profile, tonic) for profile in (MAJOR, MINOR) for tonic in range(12)])
    spent, profiles = spent - spent.mean(), profiles - profiles.mean(1, keepdims=True)
    best = int(np.argmax(profiles @ spent / np.linalg.norm(profiles, axis=1)))
    return best % 12, "major" if best < 12 else "minor"
