"""Grades of chorales: how far the features of each are from those of real ones.

Fang, Liu, Seetharaman, Pardo (2020), Bach or mock? A grading function for chorales in the style of J. S. Bach
(arXiv 2006.13329), with their program, https://github.com/asdfang/constraint-transformer-bach.

A feature of a chorale is a distribution p over some values; its grade is the Wasserstein distance to the distribution
q of real chorales, ``sum_k |P(k) - Q(k)|`` with cumulated P and Q; values are in the order of their frequency in q, one
apart. Lower is better, and the grade of a chorale is the sum of those of its features. All ten of the paper apply:

``note``: pitch classes above the tonic, weighted by duration (the paper's scale degrees with accidentals, and rests).
``rhythm``: durations of notes, in eighths.
``harmonic_quality``: sets of pitch classes that sound wherever a note begins, whatever their root and inversion (the
paper takes names of chords from music21, and one value for those without a name).
``intervals``, ``soprano``, ``alto``, ``tenor``, ``bass``: intervals between successive notes of all voices, and of
each, in semitones with their direction.
``parallel_errors``, ``errors``: parallel fifths and octaves; and hidden ones, overlaps, crossings, spacings wider than
an octave, notes out of range. Distances of the distributions of kinds are multiplied by errors per note over those of
real chorales, as in the program. Errors are counted by step here, by note there; ranges are ``voiceleading.RANGES``,
there those of all chorales; errors at fermatas, which are exempt there, count, for phrases end with them.

``note``, ``harmonic_quality`` and intervals are compared with real chorales in the same mode. Chorales are phrases
here, which have fewer notes than whole ones: distances, those of held-out real phrases included, are larger.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from . import voiceleading
from .voiceleading import OCTAVE, Floats, Ints, Voicing

VOICES = ("soprano", "alto", "tenor", "bass")
WIDEST = 24  # semitones; wider intervals count as this
LONGEST = 32  # eighths of a note; longer ones count as this
BY_MODE = ("note", "harmonic_quality", "intervals", *VOICES)
ERRORS = ("parallel_errors", "errors")
FEATURES = ("note", "rhythm", *ERRORS, "harmonic_quality", "intervals", *VOICES)


class Grader:
    """Grades phrases against real ones.

    Args:
        real: real phrases.
    """

    def __init__(self, real: Voicing) -> None:
        counts = histograms(real)
        modes = [np.ones(len(real.minor), np.bool_), ~real.minor, real.minor]
        modes = [own if own.any() else modes[0] for own in modes]  # without works in a mode: those of the other
        self._real = {
            name: [_normal(count[own].sum(0, keepdims=True))[0] for own in modes] for name, count in counts.items()
        }
        notes = real.begins.sum()
        self._per_note = {name: counts[name].sum() / max(notes, 1) for name in ERRORS}

    def grade(self, voicing: Voicing) -> dict[str, Floats]:
        """Returns the grades of phrases by each feature, float64 [N] each; lower is better."""
        counts, notes, found = histograms(voicing), np.maximum(voicing.begins.sum((1, 2)), 1), dict[str, Floats]()
        for name, count in counts.items():
            every, major, minor = self._real[name]
            if name in BY_MODE:
                found[name] = np.where(voicing.minor, _distance(count, minor), _distance(count, major))
            else:
                found[name] = _distance(count, every)
            if name in ERRORS:
                found[name] *= count.sum(1) / notes / (self._per_note[name] or 1.0)
        return found

    def metrics(self, voicing: Voicing) -> dict[str, float]:
        """Returns medians over phrases, as in the paper: ``grade_`` with the name of each feature, and ``grade``."""
        grades = self.grade(voicing)
        found = {f"grade_{name}": float(np.median(grades[name])) for name in FEATURES if name not in ERRORS}
        return {"grade": float(np.median(sum(grades.values()))), **found}


def histograms(voicing: Voicing) -> dict[str, Floats]:
    """Returns the histograms of the features of each phrase, float64 [N, K] each."""
    pitches, sounds, begins = voicing.pitches.astype(np.int64), voicing.sounds, voicing.begins
    chords = voicing.chords
    degrees = np.where(sounds, (pitches - voicing.tonic[:, None, None]) % OCTAVE, OCTAVE)
    lengths, intervals = _notes(voicing)
    by_voice = [_counts(intervals[..., voice], intervals[..., voice] >= 0, 2 * WIDEST + 1) for voice in range(4)]
    pairs, wide = voiceleading.moving_pairs(voicing), voiceleading.wide(voicing)
    outside = voiceleading.out_of_range(voicing) & begins
    errors = (pairs.hidden_fifths, pairs.hidden_octaves, pairs.overlaps, voiceleading.crossed(voicing), wide, outside)
    return {
        "note": _counts(degrees, np.broadcast_to(chords[..., None], degrees.shape), OCTAVE + 1),
        "rhythm": _counts(lengths, lengths > 0, LONGEST + 1),
        "parallel_errors": np.stack([pairs.fifths.sum(1), pairs.octaves.sum(1)], 1).astype(np.float64),
        "errors": np.stack([each.reshape(len(each), -1).sum(1) for each in errors], 1).astype(np.float64),
        "harmonic_quality": _counts(
            _shapes()[voiceleading.classes(voicing)], np.asarray(begins.any(2)), int(_shapes().max()) + 1
        ),
        "intervals": np.sum(by_voice, axis=0),
        **dict(zip(VOICES, by_voice, strict=True)),
    }


def _notes(voicing: Voicing) -> tuple[Ints, Ints]:
    """Returns the length in steps of the note that begins at each step, 0 for none, and the interval that leads to it.

    Both int64 [N, L, 4]; an interval is ``WIDEST`` for a repetition, more upwards, -1 where no note came before.
    """
    N, L, voices = voicing.pitches.shape
    lengths, intervals = np.zeros((2, N, L, voices), np.int64)
    held, last = np.zeros((N, voices), np.int64), np.full((N, voices), -1, np.int64)
    for step in range(L - 1, -1, -1):  # from the end: the steps for which a note goes on
        held = np.where(voicing.sounds[:, step], held + 1, 0)
        lengths[:, step] = np.where(voicing.begins[:, step], np.minimum(held, LONGEST), 0)
        held = np.where(voicing.begins[:, step], 0, held)
    for step in range(L):
        begins, pitches = voicing.begins[:, step], voicing.pitches[:, step].astype(np.int64)
        jump = np.clip(pitches - last, -WIDEST, WIDEST) + WIDEST
        intervals[:, step] = np.where(begins & (last >= 0), jump, -1)
        last = np.where(begins, pitches, last)
    return lengths, intervals


def _counts(values: Ints, where: NDArray[np.bool_], size: int) -> Floats:
    """Counts values [N, ...] below a size at the given places of each phrase, float64 [N, size]."""
    N = len(values)
    rows = np.broadcast_to(np.arange(N).reshape(N, *[1] * (values.ndim - 1)), values.shape)
    counts = np.bincount(rows[where] * size + values[where], minlength=N * size)
    return counts.reshape(N, size).astype(np.float64)


def _normal(counts: Floats) -> Floats:
    shares: Floats = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    return shares


def _distance(counts: Floats, real: Floats) -> Floats:
    """Returns the distances of the distributions of counts [N, K] from one [K], float64 [N]; 0 for no counts."""
    order = np.argsort(-real, kind="stable")
    gaps = np.abs(np.cumsum(_normal(counts)[:, order], 1) - np.cumsum(real[order]))
    return np.where(counts.any(1), gaps.sum(1), 0.0)


@functools.cache
def _shapes() -> Ints:
    """Returns the number of each set of pitch classes (twelve bits) up to transposition, int64 [4096]."""
    sets = np.arange(1 << OCTAVE)
    turned = [(sets << step | sets >> (OCTAVE - step)) & ((1 << OCTAVE) - 1) for step in range(OCTAVE)]
    shapes: Ints = np.unique(np.min(turned, axis=0), return_inverse=True)[1].astype(np.int64)
    return shapes
