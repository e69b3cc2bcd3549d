"""Measures of populations of melodies; all pooled over notes or averaged over melodies, never sampled.

Sources, cited in the docstring of each measure:

- Jaques, Gu, Turner, Eck (2017), Tuning recurrent neural networks with reinforcement learning (RL Tuner).
- Yang, Lerch (2020), On the evaluation of generative models in music.
- Dong, Hsiao, Yang, Yang (2018), MuseGAN.
- Wu, Yang (2020), The Jazz Transformer on the front line.
- Huron (2006), Sweet anticipation, chapter 5.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer[Any]]
Bools = NDArray[np.bool_]
Histogram = NDArray[np.float64]

LEAP = 7  # semitones, a fifth: from there on RL Tuner asks for a resolution


class Melodies(NamedTuple):
    """N melodies of at most L notes.

    Attributes:
        pitch: int [N, L], MIDI pitch minus the tonic's pitch class, so that multiples of 12 are tonics; -1 for none.
        ticks: int [N, L], 0 where there is no note.
        scale: bool [N, 12], the notes of the mode, counted from the tonic.
        bar: int [N], ticks of a bar.
        upbeat: int [N], ticks before the first bar line.
        closing: bool [N], whether a section ends here.
    """

    pitch: Ints
    ticks: Ints
    scale: Bools
    bar: Ints
    upbeat: Ints
    closing: Bools

    @property
    def sounding(self) -> Bools:
        """True for notes that are no rests, bool [N, L]."""
        return (self.pitch >= 0) & (self.ticks > 0)


def measure(melodies: Melodies) -> dict[str, float]:
    """Measures melodies by themselves.

    ``notes_in_key``: share of notes that belong to the mode's scale (RL Tuner; MuseGAN's scale consistency).
    ``notes_repeated``: share of successive notes, rests between them aside, of the same pitch (RL Tuner).
    ``steps``: share of successive notes a major second or less apart, repeats aside (Huron).
    ``mean_interval``: mean distance of successive notes in semitones (Yang & Lerch, pitch interval).
    ``leaps_resolved``: of the leaps of a fifth or more that another change of pitch follows, the share where it goes
    the other way (RL Tuner; Huron's post-skip reversal).
    ``ends_on_tonic``: share of melodies whose last note is a tonic (RL Tuner).
    ``closes_on_tonic``: the same among those that close a section, where only they need to.
    ``rhythm_repeated``, ``contour_repeated``, ``bars_repeated``: share of full bars, the first aside, that repeat an
    earlier bar's rhythm; its rhythm and intervals, at whatever height; its very notes. This is Wu & Yang's
    structureness, which they find in self-similarity, bar by bar.
    ``notes_per_phrase``: mean number of notes (Yang & Lerch, note count).
    ``rest_share``: share of time that is silent (MuseGAN counts empty bars).
    ``pitch_range``: mean distance of highest and lowest note in semitones (Yang & Lerch).
    ``pitch_class_entropy``: mean entropy of each melody's pitch classes in bits (Wu & Yang, H1).
    """
    pitch, ticks, sounding = melodies.pitch, melodies.ticks, melodies.sounding
    notes, there = _pack(pitch, sounding)
    between: Bools = there[:, 1:]
    jumps = np.diff(notes, axis=1)  # [N, L - 1]
    moves, moved = _pack(jumps, between & (jumps != 0))
    leaps: Bools = moved[:, 1:] & (np.abs(moves[:, :-1]) >= LEAP)
    last = np.take_along_axis(notes, np.maximum(there.sum(1) - 1, 0)[:, None], 1)[:, 0]
    heard: Bools = np.asarray(there.any(1))
    home: Bools = heard & (last % 12 == 0)
    span = np.where(there, notes, -1).max(1) - np.where(there, notes, 128).min(1)
    in_key = np.take_along_axis(melodies.scale, pitch % 12, 1)
    rhythm, contour, same, eligible = _repeated_bars(melodies)
    return {
        "notes_in_key": _share(in_key, sounding),
        "notes_repeated": _share(jumps == 0, between),
        "steps": _share(np.abs(jumps) <= 2, between & (jumps != 0)),
        "mean_interval": _share(np.abs(jumps), between),
        "leaps_resolved": _share(moves[:, :-1] * moves[:, 1:] < 0, leaps),
        "ends_on_tonic": float(home.mean()),
        "closes_on_tonic": _share(home, melodies.closing),
        "rhythm_repeated": _share(rhythm, eligible),
        "contour_repeated": _share(contour, eligible),
        "bars_repeated": _share(same, eligible),
        "notes_per_phrase": float(sounding.sum(1).mean()),
        "rest_share": float(ticks[~sounding].sum() / ticks.sum()) if ticks.any() else 0.0,
        "pitch_range": _share(span, heard),
        "pitch_class_entropy": _share(_entropy(melodies), heard),
    }


def distances(melodies: Melodies, real: Melodies) -> dict[str, float]:
    """Compares histograms of two populations: Hellinger distances, 0 for equal ones, 1 for disjoint ones.

    ``pitch_class_distance``: pitch classes counted from the tonic (Yang & Lerch, pitch class histogram).
    ``duration_distance``: note lengths (Yang & Lerch, note length histogram).
    ``interval_distance``: signed intervals of successive notes (Yang & Lerch compare their means).
    ``transition_distance``: pairs of successive pitch classes (Yang & Lerch, pitch class transition matrix).
    """
    ours, theirs = _histograms(melodies), _histograms(real)
    return {name: hellinger(ours[name], theirs[name]) for name in ours}


def hellinger(first: Histogram, second: Histogram) -> float:
    """Returns sqrt(1 - sum_i sqrt(p_i q_i)) of two histograms, 1 if one is empty."""
    total = first.sum() * second.sum()
    return float(np.sqrt(max(0.0, 1 - np.sqrt(first * second).sum() / np.sqrt(total)))) if total else 1.0


def _histograms(melodies: Melodies) -> dict[str, Histogram]:
    notes, there = _pack(melodies.pitch, melodies.sounding)
    classes, between = notes % 12, there[:, 1:]
    pairs = classes[:, :-1] * 12 + classes[:, 1:]
    counts = {
        "pitch_class_distance": np.bincount(classes[there], minlength=12),
        "duration_distance": np.bincount(melodies.ticks[melodies.sounding], minlength=1024),
        "interval_distance": np.bincount(np.diff(notes, axis=1)[between] + 128, minlength=257),
        "transition_distance": np.bincount(pairs[between], minlength=144),
    }
    return {name: count.astype(np.float64) for name, count in counts.items()}


def _share(values: NDArray[Any], where: Bools) -> float:
    """The mean of values over the given places, 0 over none."""
    return float(values[where].mean()) if where.any() else 0.0


def _pack(values: Ints, where: Bools) -> tuple[Ints, Bools]:
    """Moves the values [N, L] of the given places to the left, in order; returns them and where they are now."""
    order = np.argsort(~where, axis=1, kind="stable")
    return np.take_along_axis(values, order, 1), np.take_along_axis(where, order, 1)


def _entropy(melodies: Melodies) -> Histogram:
    """Entropy of the pitch classes of each melody, bits [N]."""
    rows, columns = np.nonzero(melodies.sounding)
    counts = np.zeros((len(melodies.pitch), 12))
    np.add.at(counts, (rows, melodies.pitch[rows, columns] % 12), 1)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    entropy: Histogram = -np.sum(shares * np.log2(np.where(shares > 0, shares, 1)), 1)
    return entropy


def _repeated_bars(melodies: Melodies) -> tuple[Bools, Bools, Bools, Bools]:
    """Compares each full bar with all earlier ones of its melody.

    Returns:
        Four arrays bool [N, bars - 1]: the rhythm occurred before; rhythm and intervals did; rhythm and pitches did;
        the bar exists and has an earlier one.
    """
    pitch, ticks = melodies.pitch, melodies.ticks
    ends = np.cumsum(ticks, 1)
    length, onsets = ends[:, -1], ends - ticks
    rows, columns = np.nonzero(ticks > 0)
    size = int((melodies.upbeat + melodies.bar + length).max())
    sheet = np.full((len(pitch), size), -2)  # -2 where nothing starts, -1 where a rest does
    sheet[rows, onsets[rows, columns]] = np.where(melodies.sounding, pitch, -1)[rows, columns]
    count = int(((length - melodies.upbeat) // melodies.bar).max())
    widest = int(melodies.bar.max())
    starts = melodies.upbeat[:, None] + np.arange(max(count, 2)) * melodies.bar[:, None]  # [N, bars]
    place = np.arange(widest)
    inside = np.broadcast_to((place < melodies.bar[:, None])[:, None], (*starts.shape, widest))
    full = starts + melodies.bar[:, None] <= length[:, None]
    where = np.where(inside, np.minimum(starts[..., None] + place, size - 1), 0)
    bars = np.where(inside, sheet[np.arange(len(pitch))[:, None, None], where], -2)  # [N, bars, ticks]
    onset = bars >= 0
    first = np.take_along_axis(bars, onset.argmax(-1)[..., None], -1)
    rhythm = np.where(onset, 0, bars)
    contour = np.where(onset, bars - first, -1000 + bars)
    equal = (_matches(rhythm, full), _matches(contour, full), _matches(bars, full))
    return *equal, full[:, 1:]


def _matches(bars: Ints, full: Bools) -> Bools:
    """Returns True for bars that equal an earlier full one, bool [N, bars - 1]."""
    found = [
        np.any([(bars[:, late] == bars[:, early]).all(-1) & full[:, early] for early in range(late)], axis=0)
        for late in range(1, bars.shape[1])
    ]
    return np.stack(found, 1)
