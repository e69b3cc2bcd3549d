"""Melodies from a user's MIDI files, through pretty_midi."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .notation import PLAIN, REST, STRUCTURAL, TICKS_PER_WHOLE, Bar, Tune

if TYPE_CHECKING:
    import pretty_midi

TICKS_PER_QUARTER = TICKS_PER_WHOLE // 4
TOLERANCE = 0.25  # ticks between an onset and the grid: a hundredth of a quarter note
STRAYS = 0.02  # share of onsets that may be further off
LEGATO = 0.8  # a note that sounds for more of the time to the next onset fills it

# How well each pitch class fits C major and C minor: Krumhansl, Cognitive Foundations of Musical Pitch, 1990, ch. 2
MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)


def read_midi(path: Path | str, source: str = "") -> list[Tune]:
    """Returns the melody of a MIDI file as one tune of one strain without upbeat.

    The melody is the first instrument without overlapping notes, else the highest notes of the first instrument;
    drums do not count. Times are quantised to ticks of 1/24 quarter note; a note that sounds for more than four fifths
    of the time to the next is taken to fill it. Metre and key come from the file; without them the metre is 4/4 and the
    key is estimated.

    Raises:
        ValueError: If the file is unreadable, holds no notes, or was played freely: more than 2% of the onsets lie
            further than a quarter tick from the grid.
    """
    import mido
    import pretty_midi

    source = source or Path(path).name
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a tempo on a late track is no concern of a melody's
            midi = pretty_midi.PrettyMIDI(str(path))
    except (OSError, EOFError, ValueError, LookupError, TypeError, mido.KeySignatureError) as error:
        raise ValueError(f"unreadable MIDI file ({type(error).__name__}: {error})") from error
    notes = _melody(midi)
    key = midi.key_signature_changes[0].key_number if midi.key_signature_changes else estimate_key(notes)
    changes = [(midi.time_to_tick(c.time), c.numerator, c.denominator) for c in midi.time_signature_changes]
    metres = [(round(time / midi.resolution * TICKS_PER_QUARTER), (top, low)) for time, top, low in changes]
    if not metres or metres[0][0] > 0:
        metres.insert(0, (0, (4, 4)))
    skipped, bars = _bars(metres, int(notes[0, 0]), int(notes[-1, :2].sum()), key)
    if notes[0, 0] > skipped:
        notes = np.concatenate([[[skipped, notes[0, 0] - skipped, REST]], notes])
    notes = notes - np.array([skipped, 0, 0])
    return [Tune(Path(path).stem, source, 1, notes.astype(np.int32), bars)]


def _melody(midi: pretty_midi.PrettyMIDI) -> NDArray[np.int64]:
    """Returns [N, 3] onset, duration (ticks) and pitch of the melody, gaps filled with rests."""
    parts = [
        np.array([[midi.time_to_tick(n.start), midi.time_to_tick(n.end), n.pitch] for n in part.notes], float)
        for part in midi.instruments
        if part.notes and not part.is_drum
    ]
    if not parts:
        raise ValueError("no notes in this MIDI file")
    parts = [part[np.lexsort((-part[:, 2], part[:, 0]))] for part in parts]
    slack = midi.resolution / TICKS_PER_QUARTER
    chosen = next((part for part in parts if (part[1:, 0] >= part[:-1, 1] - slack).all()), parts[0])
    exact = chosen[:, :2] / midi.resolution * TICKS_PER_QUARTER
    onsets = exact[:, 0].round()
    if (np.abs(exact[:, 0] - onsets) > TOLERANCE).mean() > STRAYS:
        raise ValueError("not on a grid of 1/24 quarter notes: export the notation, not a performance")
    top: list[list[float]] = []  # onset, end, pitch
    for onset, end, pitch in zip(onsets.tolist(), exact[:, 1].tolist(), chosen[:, 2].tolist(), strict=True):
        if top and onset < top[-1][1] - 1 and pitch <= top[-1][2]:
            continue  # a lower note under one that still sounds
        if not top or onset > top[-1][0]:
            top.append([onset, end, pitch])
    rows: list[tuple[int, int, int]] = []
    for (onset, end, pitch), after in zip(top, [*(note[0] for note in top[1:]), None], strict=True):
        start, stop = int(onset), max(round(end), int(onset) + 1)
        if after is not None and (stop > after or end - onset > LEGATO * (after - onset)):
            stop = int(after)
        rows.append((start, stop - start, int(pitch)))
        if after is not None and stop < after:
            rows.append((stop, int(after) - stop, REST))
    return np.array(rows)


def _bars(metres: Sequence[tuple[int, tuple[int, int]]], first: int, end: int, key: int) -> tuple[int, tuple[Bar, ...]]:
    """Returns how many ticks of empty measures were skipped, and the measures from there to the end."""
    bars: list[Bar] = []
    time = skipped = 0
    while time < end:
        metre = next(metre for start, metre in reversed(metres) if start <= time)
        full = max(TICKS_PER_WHOLE * metre[0] // metre[1], 1)
        if time + full <= first:
            skipped = time + full
        else:
            length = min(full, end - time)
            left = PLAIN if bars else STRUCTURAL
            mode = "major" if key < 12 else "minor"
            right = STRUCTURAL if time + length == end else PLAIN
            bars.append(Bar(time - skipped, length, metre, key % 12, mode, left, right, True))
        time += full
    return skipped, tuple(bars)


def estimate_key(notes: NDArray[np.int64]) -> int:
    """Returns the key in which the notes fit best: 0-11 C major to B major, 12-23 C minor to B minor.

    Correlates the time spent on each pitch class with the profile of each key (the Krumhansl-Schmuckler algorithm).

    Args:
        notes: [N, 3] onset, duration, MIDI pitch or -1 for a rest.
    """
    sounding = notes[notes[:, 2] != REST]
    spent = np.bincount(sounding[:, 2] % 12, sounding[:, 1], 12)
    profiles = np.array([np.roll(profile, tonic) for profile in (MAJOR, MINOR) for tonic in range(12)])
    spent, profiles = spent - spent.mean(), profiles - profiles.mean(1, keepdims=True)
    return int(np.argmax(profiles @ spent / np.linalg.norm(profiles, axis=1)))
