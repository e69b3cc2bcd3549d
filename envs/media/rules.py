"""The music-theory rules of RL Tuner, of many finished melodies at once: one reading for reward, table and shares.

Sources. *Paper*: Jaques, Gu, Turner, Eck (2017), Tuning recurrent neural networks with reinforcement learning,
arXiv 1611.02796: section 3.2 names the rules, section 5 the encoding, table 1 the statistics. *Program*: the authors'
``magenta/models/rl_tuner/`` (``rl_tuner.py``, ``rl_tuner_ops.py``, ``rl_tuner_eval_metrics.py``), read at commit
01b59d352dd2, whose functions are named below. Only the program has the amounts. Where the two differ the
program counts, since it made table 1; ``docs/environments/rl_tuner.md`` lists where.

A melody is int [T] of events, one for each sixteenth: 0 note-off, 1 no-event, 2 C3 (MIDI 48) to 37 B5.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

STEPS = 32
NOTE_OFF, NO_EVENT, FIRST_NOTE = 0, 1, 2
LOWEST = 48  # MIDI, of event 2
NUM_EVENTS = 38
SCALE = (0, 2, 4, 5, 7, 9, 11)  # C major
TONIC = 14  # the event of middle C: of the three Cs only this one counts
FINAL = STEPS - 4  # "the first note of the final bar" of the program
LAGS = (1, 2, 3)
CORRELATED = 0.15
MOTIF_STEPS, MOTIF_NOTES = 8, 3
LEAP = 7  # semitones, a fifth
PATIENCE = 6  # a leap back counts only after more steps than these

KEY, ON_TONIC, REPEATED, CORRELATION = -1.0, 3.0, -100.0, -3.0
MOTIF, MOTIF_MORE, MOTIF_AGAIN, MOTIF_AGAIN_MORE = 3.0, 0.3, 4.0, 1.0
INTERVAL, RESOLVED, UNIQUE = 5.0, 5.0, 3.0
INTERVALS = {2: 0.08, 4: 0.09, 5: 0.07, 7: 0.02, 9: 0.05, 11: -0.3} | dict.fromkeys(range(13, NUM_EVENTS), -1.0)
"""Amounts by semitones, times ``INTERVAL``; ``_tables`` has the exceptions."""


RULES = ("key", "tonic", "repeats", "autocorrelation", "motif", "repeated_motif", "intervals", "leaps", "extremes")
"""Names of the rules of ``rewards_by_rule``, in its order."""


class Reading(NamedTuple):
    """Features of N melodies of T steps that the rules are functions of."""

    events: Ints
    """int64 [N, T]."""
    off_key: Bools
    """[N, T]: a pitch outside C major begins (``reward_key``)."""
    on_tonic: Bools
    """[N, T]: middle C begins at the first step or 4 steps before the end, no-event 3 before, neither note after."""
    repeated: Bools
    """[N, T]: ``detect_repeating_notes``, see ``_repeated``."""
    correlation: Floats
    """[N, T, 3]: autocorrelation of the events up to each step at lags 1, 2, 3; NaN where all are equal."""
    motif: Ints
    """[N, T]: different pitches that begin in the 8 steps that end here; 0 where under 3 (``detect_last_motif``)."""
    again: Bools
    """[N, T]: these 8 steps are a motif and were there before, without overlap (``detect_repeated_motif``)."""
    before: Ints
    """[N, T]: the event of the last note that began before each step, 0 for none."""
    leap: Ints
    """[N, T]: 1 where a leap is resolved, -1 where one follows another the same way, see ``_leaps``."""
    unique: Bools
    """[N, 2]: the highest, the lowest pitch begins exactly once (``detect_high_unique``, ``detect_low_unique``)."""


def read(events: Ints) -> Reading:
    """Reads melodies int [N, 32].

    Raises:
        ValueError: they have another shape or events outside 0..37.
    """
    events = np.asarray(events, np.int64)
    if events.ndim != 2 or events.shape[1] != STEPS:
        raise ValueError(f"the rules read finished melodies of shape (N, {STEPS}), not {events.shape}")
    if events.size and not 0 <= events.min() <= events.max() < NUM_EVENTS:
        raise ValueError(f"the rules read events 0..{NUM_EVENTS - 1}, not {events.min()}..{events.max()}")
    notes: Bools = events >= FIRST_NOTE
    rows, T = np.arange(len(events))[:, None], np.arange(STEPS)
    latest = np.maximum.accumulate(np.where(notes, T, -1), axis=1)
    latest = np.concatenate([np.full((len(events), 1), -1), latest[:, :-1]], 1)
    before = np.where(latest >= 0, events[rows, latest], 0)
    on_tonic = np.zeros(events.shape, np.bool_)
    on_tonic[:, [0, FINAL]] = events[:, [0, FINAL]] == TONIC
    on_tonic[:, FINAL + 1] = events[:, FINAL + 1] == NO_EVENT
    on_tonic[:, FINAL + 2 :] = ~notes[:, FINAL + 2 :]
    motif, again = _motifs(events, notes)
    ends = np.stack([events.max(1), np.where(notes, events, NUM_EVENTS).min(1)], 1)  # highest, lowest
    return Reading(
        events=events,
        off_key=notes & ~np.isin((events - FIRST_NOTE) % 12, SCALE),
        on_tonic=on_tonic,
        repeated=_repeated(events),
        correlation=_correlation(events),
        motif=motif,
        again=again,
        before=before,
        leap=_leaps(events, before),
        unique=((events[:, :, None] == ends[:, None]).sum(1) == 1) & notes.any(1, keepdims=True),
    )


def rewards_by_rule(reading: Reading) -> dict[str, Floats]:
    """Returns the reward of each rule at each step, float64 [N, T]; their sum is r_MT (``reward_music_theory``).

    A step's reward depends on the steps up to it alone, so that the sum is a function of the finished melody.
    """
    correlation = np.abs(np.nan_to_num(reading.correlation))
    more = reading.motif - MOTIF_NOTES
    extremes = np.zeros(reading.events.shape)
    extremes[:, -1] = UNIQUE * reading.unique.sum(1)
    return {
        "key": KEY * reading.off_key,
        "tonic": ON_TONIC * reading.on_tonic,
        "repeats": REPEATED * reading.repeated,
        "autocorrelation": CORRELATION * np.where(correlation > CORRELATED, correlation, 0).sum(-1),
        "motif": np.where(reading.motif > 0, MOTIF + MOTIF_MORE * more, 0),
        "repeated_motif": np.where(reading.again, MOTIF_AGAIN + MOTIF_AGAIN_MORE * more, 0),
        "intervals": INTERVAL * _tables()[0][reading.before, reading.events],
        "leaps": RESOLVED * reading.leap,
        "extremes": extremes,
    }


def rule_table(reading: Reading) -> dict[str, float]:
    """Returns the statistics of the paper's table 1, as shares of 1 (``rl_tuner_eval_metrics``).

    Of all steps, holds and rests among them (``total_notes`` of the program is 32 for each melody):
    ``notes_excessively_repeated``, ``notes_not_in_key``, ``notes_in_motif``, ``notes_in_repeated_motif``: see the
    fields of `Reading`. ``autocorrelation_1``, ``_2``, ``_3``: mean over melodies of the whole melody's
    autocorrelation at that lag, those of one event throughout left out. Of all melodies: ``starts_with_tonic``
    (middle C), ``unique_max_note``, ``unique_min_note``. ``leaps_resolved``: resolved over resolved and doubled leaps,
    of all melodies together. Means of nothing are 0.
    """
    whole = reading.correlation[:, -1]
    defined = np.isfinite(whole[:, 0])
    lags = whole[defined].mean(0) if defined.any() else np.zeros(len(LAGS))
    resolved, doubled = (reading.leap == 1).sum(), (reading.leap == -1).sum()
    table = {
        "notes_excessively_repeated": reading.repeated.mean(),
        **{f"autocorrelation_{lag}": value for lag, value in zip(LAGS, lags, strict=True)},
        "notes_not_in_key": reading.off_key.mean(),
        "starts_with_tonic": reading.on_tonic[:, 0].mean(),
        "leaps_resolved": resolved / max(resolved + doubled, 1),
        "unique_max_note": reading.unique[:, 0].mean(),
        "unique_min_note": reading.unique[:, 1].mean(),
        "notes_in_motif": (reading.motif > 0).mean(),
        "notes_in_repeated_motif": reading.again.mean(),
    }
    return {name: float(value) for name, value in table.items()}


def kept(reading: Reading) -> dict[str, tuple[Bools, Bools]]:
    """Returns for every rule to which melodies it applies and which keep it, bool [N] each.

    One rule for each row of table 1, of whole melodies, and two that it leaves out: the tonic at the end, and
    ``intervals``: no seventh, nothing wider than an octave. Without notes nothing can be in key or highest, without a
    second note there is no interval, and ``leaps`` is about melodies with a resolved or a doubled leap.
    """
    notes = (reading.events >= FIRST_NOTE).sum(1)
    always, whole = np.ones(len(notes), np.bool_), reading.correlation[:, -1]
    awkward = _tables()[2][reading.before, reading.events]
    rules = {
        "repeats": (always, ~reading.repeated.any(1)),
        "key": (notes > 0, ~reading.off_key.any(1)),
        "first_tonic": (always, reading.on_tonic[:, 0]),
        "last_tonic": (always, reading.on_tonic[:, FINAL:].all(1)),
        "leaps": (reading.leap.any(1), (reading.leap >= 0).all(1)),
        "intervals": (notes > 1, ~awkward.any(1)),
        "highest": (notes > 0, reading.unique[:, 0]),
        "lowest": (notes > 0, reading.unique[:, 1]),
        "motif": (always, (reading.motif > 0).any(1)),
        "repeated_motif": (always, reading.again.any(1)),
    }
    for i, lag in enumerate(LAGS):
        rules[f"autocorrelation_{lag}"] = (np.isfinite(whole[:, i]), np.abs(np.nan_to_num(whole[:, i])) <= CORRELATED)
    return {name: (np.asarray(applies), np.asarray(holds)) for name, (applies, holds) in rules.items()}


@functools.cache
def _tables() -> tuple[Floats, Ints, Bools]:
    """Returns by (last note, event), [38, 38] each: the interval's amount, the leap's direction, whether it is awkward.

    ``detect_sequential_interval`` and ``reward_preferred_intervals``. A fifth from C or G and a third from C or E
    count more. A note-off or no-event has a reward too, a higher one after C or G. Row 0 is for no note yet: all zeros.
    """
    before, event = np.indices((NUM_EVENTS, NUM_EVENTS))
    size, degree, note = np.abs(event - before), (before - FIRST_NOTE) % 12, event >= FIRST_NOTE
    by_size = np.zeros(NUM_EVENTS)
    by_size[list(INTERVALS)] = list(INTERVALS.values())
    rests = np.isin(degree, (0, 7))
    amount = by_size[size]
    amount[(size == 7) & rests] = 0.1
    amount[(size == 4) & np.isin(degree, (0, 4))] = 0.15
    amount = np.where(event == NOTE_OFF, np.where(rests, 0.15, 0.05), amount)
    amount = np.where(event == NO_EVENT, np.where(rests, 0.3, 0.075), amount)
    some = before >= FIRST_NOTE
    direction = np.where(some & note & (size >= LEAP), np.sign(event - before), 0)
    return amount * some, direction, some & note & ((size == 11) | (size > 12))


def _repeated(events: Ints) -> Bools:
    """Returns where an event repeats excessively, [N, T] (``detect_repeating_notes``).

    A note: after more than 4 of its pitch since the last other pitch, 6 where a note-off or no-event came since then.
    A note-off: after more than one since the last note. A no-event: after more than 4 since the last note, 6 where a
    note-off came since then: so a note held for seven sixteenths counts as repeated, whatever the paper says.
    """
    N = len(events)
    pitch, times, offs, holds = (np.zeros(N, np.int64) for _ in range(4))  # since the last other pitch; the last note
    broken = np.zeros(N, np.bool_)  # something but notes came since the last other pitch
    found = np.zeros(events.shape, np.bool_)
    for t in range(events.shape[1]):
        event = events[:, t]
        note, same, between = event >= FIRST_NOTE, event == pitch, offs + holds > 0
        broken = np.where(note & ~same, between, broken | between)
        many = np.where(same, times > np.where(broken, 6, 4), False)
        many = np.where(event == NOTE_OFF, offs > 1, many & note)
        found[:, t] = np.where(event == NO_EVENT, holds > np.where(offs > 0, 6, 4), many)
        times = np.where(note, np.where(same, times + 1, 1), times)
        pitch = np.where(note, event, pitch)
        offs = np.where(note, 0, offs + (event == NOTE_OFF))
        holds = np.where(note, 0, holds + (event == NO_EVENT))
    return found


def _correlation(events: Ints) -> Floats:
    """Returns sum_i (x_i - m)(x_{i-lag} - m) / (n var) of the first n events, [N, T, lags] (``autocorrelate``).

    In whole numbers up to the division, so that the threshold cuts alike on every machine. As in the program the
    events are compared as they are numbered, note-off and no-event too.
    """
    n = np.arange(1, events.shape[1] + 1)
    total, squares = np.cumsum(events, 1), np.cumsum(events**2, 1)
    spread = n * squares - total**2
    found = np.full((*events.shape, len(LAGS)), np.nan)
    for i, lag in enumerate(LAGS):
        pad = ((0, 0), (lag, 0))
        products = np.pad(np.cumsum(events[:, lag:] * events[:, :-lag], 1), pad)
        both = total - total[:, [lag - 1]] + np.pad(total[:, :-lag], pad)
        top = np.where(n > lag, n**2 * products - n * total * both + (n - lag) * total**2, 0)
        np.divide(top, n * spread, out=found[..., i], where=spread > 0)
    return found


def _motifs(events: Ints, notes: Bools) -> tuple[Ints, Bools]:
    """Returns ``motif`` and ``again`` of a `Reading`."""
    T, first = events.shape[1], MOTIF_STEPS - 1
    pitches = np.where(notes, np.int64(1) << events, 0)  # a bit for each
    windows = T - first
    union, code = np.zeros((2, len(events), windows), np.int64)
    for i in range(MOTIF_STEPS):
        union |= pitches[:, i : i + windows]
        code = code * NUM_EVENTS + events[:, i : i + windows]  # below 38^8 < 2^63
    motif, again = np.zeros(events.shape, np.int64), np.zeros(events.shape, np.bool_)
    count = np.bitwise_count(union).astype(np.int64)
    motif[:, first:] = np.where(count >= MOTIF_NOTES, count, 0)
    for lag in range(MOTIF_STEPS, windows):
        again[:, first + lag :] |= code[:, lag:] == code[:, :-lag]
    return motif, again & (motif > 0)


def _leaps(events: Ints, before: Ints) -> Ints:
    """Returns 1 where a leap is resolved, -1 where one is doubled, [N, T] (``detect_leap_up_back``).

    A leap is a fifth or more. An open leap is resolved by a note at or beyond where it began, or by a leap back more
    than 6 steps after the last one; a sooner leap back closes it without reward. A leap the same way doubles it.
    """
    N = len(events)
    direction, origin, since = (np.zeros(N, np.int64) for _ in range(3))
    ways = _tables()[1][before, events]
    found = np.zeros(events.shape, np.int64)
    for t in range(1, events.shape[1]):
        event, way = events[:, t], ways[:, t]
        leaps, is_open = way != 0, direction != 0
        back = leaps & is_open & (way != direction)
        home = (event >= FIRST_NOTE) & ~leaps & is_open & (direction * (event - origin) <= 0)
        found[:, t] = ((back & (since > PATIENCE)) | home).astype(np.int64) - (leaps & (way == direction))
        origin = np.where(leaps & ~is_open, before[:, t], origin)
        direction = np.where(back | home, 0, np.where(is_open, direction, way))
        since = np.where(leaps, 0, since + 1)
    return found
