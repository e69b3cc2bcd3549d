"""Rules of voice leading, checked in populations of phrases for several voices.

Sources, cited in the docstring of each rule:

- Huron (2001), Tone and voice: a derivation of the rules of voice-leading from perceptual principles, Music Perception
  19(1), which gathers the rules of the treatises.
- Kostka, Payne, Almen, Tonal harmony, ch. 5: ranges of the four voices, spacing, crossing, parallels.
- Fang, Liu, Seetharaman, Pardo (2020), Bach or mock? (arXiv 2006.13329): what counts as an error in a chorale.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer[Any]]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

RANGES = ((60, 79), (55, 74), (48, 67), (40, 62))
"""Lowest and highest MIDI pitch of soprano C4-G5, alto G3-D5, tenor C3-G4 and bass E2-D4 (Kostka & Payne)."""
OCTAVE, FIFTH = 12, 7
RULES = ("crossing", "spacing", "range", "parallels")


class Voicing(NamedTuple):
    """N phrases of at most L steps for four voices, from the soprano down.

    Attributes:
        pitches: int [N, L, 4], MIDI pitch that sounds, -1 for a rest and after the end.
        begins: bool [N, L, 4], True where a note begins.
        tonic: int [N], pitch class of the tonic, 0 is C.
        minor: bool [N].
    """

    pitches: Ints
    begins: Bools
    tonic: Ints
    minor: Bools

    @property
    def sounds(self) -> Bools:
        """True where a voice sounds, bool [N, L, 4]."""
        return self.pitches >= 0

    @property
    def chords(self) -> Bools:
        """True for steps in which a voice sounds, bool [N, L]."""
        return np.asarray(self.sounds.any(2))


class Pairs(NamedTuple):
    """Counts of pairs of voices that move from one step to the next, int [N, L]; 0 in the first step.

    Attributes:
        together: pairs of which both go on to another note at once.
        fifths: those that go on from a perfect fifth to another in the same direction, octaves between them aside.
        octaves: the same of unisons and octaves.
        hidden_fifths: pairs that go in one direction to a fifth from another interval.
        hidden_octaves: the same of unisons and octaves.
        overlaps: pairs of which one goes beyond the note that the other had.
    """

    together: Ints
    fifths: Ints
    octaves: Ints
    hidden_fifths: Ints
    hidden_octaves: Ints
    overlaps: Ints

    @property
    def parallels(self) -> Ints:
        """Parallel fifths and octaves, int [N, L]."""
        return self.fifths + self.octaves


def crossed(voicing: Voicing) -> Bools:
    """Returns the steps in which a voice is below one that should be lower, bool [N, L].

    Huron's part-crossing rule; Kostka & Payne; Fang et al. count the pairs.
    """
    pairs = itertools.combinations(range(voicing.pitches.shape[2]), 2)
    below = [_below(voicing.pitches[..., high], voicing.pitches[..., low]) for high, low in pairs]
    return np.asarray(np.any(below, axis=0))


def wide(voicing: Voicing) -> Bools:
    """Returns the steps with more than an octave between soprano and alto or alto and tenor, bool [N, L].

    Kostka & Payne's spacing; Huron's chord spacing rule: wide intervals are for the lower voices.
    """
    pitches, sounds = voicing.pitches[..., :3], voicing.sounds[..., :3]
    apart = np.abs(np.diff(pitches, axis=2)) > OCTAVE
    return np.asarray((apart & sounds[..., 1:] & sounds[..., :-1]).any(2))


def out_of_range(voicing: Voicing) -> Bools:
    """Returns the steps and voices whose note is outside of ``RANGES``, bool [N, L, 4] (Kostka & Payne).

    Huron's registral compass rule gives F2 to G5 for all voices together.
    """
    low, high = np.array(RANGES).T
    return np.asarray(voicing.sounds & ((voicing.pitches < low) | (voicing.pitches > high)))


def moving_pairs(voicing: Voicing) -> Pairs:
    """Counts the pairs of voices that move together, and their errors.

    Huron's parallel unisons, fifths, and octaves rule; hidden ones and overlaps as Fang et al. count them: in all pairs
    of voices, of which both begin a note at once, right after another note.
    """
    pitches = voicing.pitches.astype(np.int64)
    before = np.concatenate([np.full_like(pitches[:, :1], -1), pitches[:, :-1]], 1)
    moves = voicing.begins & voicing.sounds & (before >= 0)
    counts = np.zeros((len(Pairs._fields), *pitches.shape[:2]), np.int64)
    for high, low in itertools.combinations(range(pitches.shape[2]), 2):
        both = moves[..., high] & moves[..., low]
        steps = pitches - before
        similar = both & (steps[..., high] * steps[..., low] > 0)
        now, then = (each[..., high] - each[..., low] for each in (pitches, before))
        parallel = [similar & (now % OCTAVE == size) & (then % OCTAVE == size) for size in (FIFTH, 0)]
        hidden = [similar & (now % OCTAVE == size) & (then % OCTAVE != size) for size in (FIFTH, 0)]
        overlaps = both & ((pitches[..., high] < before[..., low]) | (pitches[..., low] > before[..., high]))
        counts += np.stack([both, *parallel, *hidden, overlaps])
    return Pairs(*counts)


def kept(voicing: Voicing) -> Floats:
    """Returns the shares in which phrases keep each of ``RULES``, float64 [N, 4]; 1 where there is nothing to keep.

    Of crossing and spacing the share of steps, of range the share of time that voices sound, of parallels the share of
    pairs of voices that move together.
    """
    chords, pairs = voicing.chords.sum(1), moving_pairs(voicing)
    broken = (
        (crossed(voicing).sum(1), chords),
        (wide(voicing).sum(1), chords),
        (out_of_range(voicing).sum((1, 2)), voicing.sounds.sum((1, 2))),
        (pairs.parallels.sum(1), pairs.together.sum(1)),
    )
    return np.stack([1 - count / np.maximum(total, 1) for count, total in broken], 1)


def measure(voicing: Voicing) -> dict[str, float]:
    """Measures a population; all pooled over its phrases.

    ``crossings``, ``wide_spacings``: share of the steps that break the rule, see ``crossed`` and ``wide``.
    ``out_of_range``: share of the time that voices sound outside of their ranges, see ``out_of_range``.
    ``parallels``: parallel fifths and octaves as a share of the pairs of voices that move together, ``moving_pairs``.
    ``triads``: share of the steps in which a voice begins whose notes are a major or minor triad, complete or without
    its fifth.
    ``steps_up_down``: share of the moves of voices to another pitch that are a major second or less (Huron's conjunct
    movement rule).
    ``notes_held``: mean length of notes in eighths.
    ``rests``: share of time that voices are silent.
    ``steps_per_phrase``: mean number of eighths.
    """
    pairs, chords, sounds, begins = moving_pairs(voicing), voicing.chords, voicing.sounds, voicing.begins
    before = np.concatenate([np.full_like(voicing.pitches[:, :1], -1), voicing.pitches[:, :-1]], 1)
    jumps = np.abs(voicing.pitches.astype(np.int64) - before)
    moves = begins & (before >= 0) & (jumps > 0)
    return {
        "crossings": _share(crossed(voicing).sum(), chords.sum()),
        "wide_spacings": _share(wide(voicing).sum(), chords.sum()),
        "out_of_range": _share(out_of_range(voicing).sum(), sounds.sum()),
        "parallels": _share(pairs.parallels.sum(), pairs.together.sum()),
        "triads": _share(_triads(voicing)[begins.any(2)].sum(), begins.any(2).sum()),
        "steps_up_down": _share((jumps[moves] <= 2).sum(), moves.sum()),
        "notes_held": _share(sounds.sum(), begins.sum()),
        "rests": 1 - _share(sounds[chords].sum(), sounds.shape[2] * chords.sum()) if chords.any() else 0.0,
        "steps_per_phrase": float(chords.sum() / len(chords)),
    }


def classes(voicing: Voicing) -> Ints:
    """Returns the set of pitch classes that sound in each step as twelve bits, int64 [N, L]; bit 0 is C."""
    bits = np.where(voicing.sounds, np.int64(1) << (voicing.pitches.astype(np.int64) % OCTAVE), 0)
    found: Ints = np.bitwise_or.reduce(bits, axis=2)
    return found


def _triads(voicing: Voicing) -> Bools:
    shapes = [sum(1 << (root + step) % OCTAVE for step in steps) for root in range(OCTAVE) for steps in TRIADS]
    return np.isin(classes(voicing), shapes)


TRIADS = ((0, 4, 7), (0, 3, 7), (0, 4), (0, 3))
"""Semitones above the root."""


def _below(high: Ints, low: Ints) -> Bools:
    return np.asarray((high < low) & (high >= 0) & (low >= 0))


def _share(count: Any, total: Any) -> float:
    """Returns a share, 0 of nothing."""
    return float(count / total) if total else 0.0
