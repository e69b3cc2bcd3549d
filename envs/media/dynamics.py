"""Measures of velocity and timing: of populations of phrases, and of how far two populations overlap.

Sources: Yang, Lerch (2020), On the evaluation of generative models in music, for the comparison and the features of
pitch and time. Their features have no velocity; ours are made like those of pitch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .measures import Melodies

Floats = NDArray[np.float64]
LEVELS = 16  # of velocity
LONGEST = 97  # ticks; a note length histogram has no longer ones
MOST = 300  # phrases of a population whose distances are taken
POINTS = 512  # of a density
TINY = 1e-9


class Performances(NamedTuple):
    """N phrases: notes, velocity levels int [N, L] (1 the softest, 0 for rests) and tempi [N], quarters a minute."""

    melodies: Melodies
    levels: NDArray[np.int64]
    tempi: Floats


def steps(played: Performances) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Returns changes of level between successive notes, int [N, L - 1], rests passed over, and where there are any."""
    sounding = played.levels > 0
    order = np.argsort(~sounding, axis=1, kind="stable")
    levels = np.take_along_axis(played.levels, order, 1)
    there = np.take_along_axis(sounding, order, 1)
    return np.diff(levels, axis=1), there[:, 1:]


def measure(played: Performances) -> dict[str, float]:
    """Measures velocities and tempi; all are ours.

    ``velocity``: mean level of notes, 1 to 16.
    ``velocity_range``: mean distance of the loudest and the softest note of a phrase, levels.
    ``velocity_changes``: share of successive notes of different level.
    ``velocity_step``: mean distance of successive notes, levels.
    ``velocity_jumps``: share of successive notes four levels or more apart, as an accent or from p to f.
    ``velocity_by_pitch``: mean correlation of level and pitch within phrases, where both vary.
    ``tempo``: geometric mean, quarter notes a minute.
    """
    levels, sounding = played.levels, played.levels > 0
    changes, between = steps(played)
    heard: NDArray[np.bool_] = np.asarray(sounding.any(1))
    span = np.where(sounding, levels, 0).max(1) - np.where(sounding, levels, LEVELS + 1).min(1)
    return {
        "velocity": _mean(levels, sounding),
        "velocity_range": _mean(span, heard),
        "velocity_changes": _mean(changes != 0, between),
        "velocity_step": _mean(np.abs(changes), between),
        "velocity_jumps": _mean(np.abs(changes) >= 4, between),
        "velocity_by_pitch": _correlation(levels, played.melodies.pitch, sounding),
        "tempo": float(np.exp(np.log(played.tempi).mean())),
    }


def compare(played: Performances, real: Performances) -> dict[str, float]:
    """Compares a population with real phrases by Yang & Lerch's method, feature by feature.

    Distances between features of all pairs of real phrases, and of all pairs of a phrase and a real one, are smoothed
    to densities (Gaussian kernels, Scott's rule): ``overlap_NAME`` is the area under both, 1 where they are equal;
    ``divergence_NAME`` the Kullback-Leibler divergence of the second from the first, in nats. At most 300 phrases of
    either population, evenly spaced, are taken. Names: ``pitch_classes`` (their PCH), ``pitch_range`` (PR),
    ``intervals`` (PI), ``lengths`` (NLH), ``onsets`` (IOI, in seconds: the tempo counts), and the same of velocity:
    ``velocities`` (histogram), ``velocity_range``, ``velocity_steps`` (mean distance of successive notes).
    """
    ours, theirs, result = _features(_some(played)), _features(_some(real)), dict[str, float]()
    for name, own in theirs.items():
        within = _distances(own, own)[np.triu_indices(len(own), 1)]
        across = _distances(ours[name], own).ravel()
        if len(within) < 2:
            continue
        grid = np.linspace(0, max(within.max(), across.max(), TINY), POINTS)
        first, second = _density(within, grid), _density(across, grid)
        result[f"overlap_{name}"] = float(np.minimum(first, second).sum())
        result[f"divergence_{name}"] = float((second * np.log((second + TINY) / (first + TINY))).sum())
    return result


def _some(played: Performances) -> Performances:
    """Returns at most ``MOST`` phrases, evenly spaced."""
    rows = np.linspace(0, len(played.levels) - 1, min(MOST, len(played.levels))).round().astype(np.int64)
    m = played.melodies
    melodies = Melodies(m.pitch[rows], m.ticks[rows], m.scale[rows], m.bar[rows], m.upbeat[rows], m.closing[rows])
    return Performances(melodies, played.levels[rows], played.tempi[rows])


def _features(played: Performances) -> dict[str, Floats]:
    """Returns the features of each phrase, each [N, K]."""
    pitch, ticks, levels = played.melodies.pitch, played.melodies.ticks, played.levels
    sounding = played.melodies.sounding
    order = np.argsort(~sounding, axis=1, kind="stable")
    notes, there = np.take_along_axis(pitch, order, 1), np.take_along_axis(sounding, order, 1)
    onsets = np.take_along_axis(np.cumsum(ticks, 1) - ticks, order, 1)
    count = np.maximum(there.sum(1) - 1, 1)
    seconds = 60 / 24 / played.tempi
    level_steps, between = steps(played)
    span = np.where(there, notes, -1).max(1) - np.where(there, notes, 128).min(1)
    loud = np.where(levels > 0, levels, 0).max(1) - np.where(levels > 0, levels, LEVELS + 1).min(1)
    found = {
        "pitch_classes": _histogram(pitch % 12, sounding, 12),
        "pitch_range": np.maximum(span, 0),
        "intervals": (np.abs(np.diff(notes, axis=1)) * there[:, 1:]).sum(1) / count,
        "lengths": _histogram(np.minimum(ticks, LONGEST - 1), sounding, LONGEST),
        "onsets": (np.diff(onsets, axis=1) * there[:, 1:]).sum(1) / count * seconds,
        "velocities": _histogram(levels, levels > 0, LEVELS + 1),
        "velocity_range": np.maximum(loud, 0),
        "velocity_steps": (np.abs(level_steps) * between).sum(1) / np.maximum(between.sum(1), 1),
    }
    return {name: each.reshape(len(levels), -1).astype(np.float64) for name, each in found.items()}


def _histogram(values: NDArray[np.integer], where: NDArray[np.bool_], size: int) -> Floats:
    """Returns the share of each value in each phrase, [N, size]."""
    rows, columns = np.nonzero(where)
    counts = np.bincount(rows * size + values[rows, columns], minlength=len(values) * size).reshape(-1, size)
    shares: Floats = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    return shares


def _distances(first: Floats, second: Floats) -> Floats:
    """Returns Euclidean distances [N, M] of rows [N, K] and [M, K]."""
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1) - 2 * first @ second.T
    found: Floats = np.sqrt(np.maximum(squares, 0))
    return found


def _density(values: Floats, grid: Floats) -> Floats:
    """Returns the shares of a kernel density at evenly spaced points from 0 on, which add up to 1."""
    step = grid[1] - grid[0]
    counts = np.bincount((values / step).round().astype(np.int64), minlength=len(grid))[: len(grid)].astype(np.float64)
    width = max(values.std() * len(values) ** -0.2 / step, 0.5)  # Scott's rule
    reach = np.arange(-int(4 * width) - 1, int(4 * width) + 2)
    smooth = np.convolve(np.pad(counts, len(reach), "constant"), np.exp(-((reach / width) ** 2) / 2), "same")
    inside = smooth[len(reach) : len(reach) + len(grid)]
    shares: Floats = inside / inside.sum()
    return shares


def _mean(values: NDArray[np.generic], where: NDArray[np.bool_]) -> float:
    """The mean of values over the given places, 0 over none."""
    return float(values[where].mean()) if where.any() else 0.0


def _correlation(levels: NDArray[np.int64], pitch: NDArray[np.integer], sounding: NDArray[np.bool_]) -> float:
    """Returns the mean correlation of levels and pitches within phrases; 0 where they never vary together."""
    count = np.maximum(sounding.sum(1, keepdims=True), 1)
    x, y = (np.where(sounding, each - (each * sounding).sum(1, keepdims=True) / count, 0) for each in (levels, pitch))
    spread = np.sqrt((x**2).sum(1) * (y**2).sum(1))
    return _mean((x * y).sum(1)[spread > 0] / spread[spread > 0], spread[spread > 0] > 0)
