"""Velocity and tempo from the marks of a printed score: dynamics, hairpins, accents, metronome marks and words.

Velocities of the signs from pppp to ffff are those of MuseScore (https://musescore.org/en/handbook/4/dynamics). Rises
and falls are straight lines, as MuseScore plays them. How far a single note stands out is our choice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from .musicxml import Mark
from .notation import TICKS_PER_WHOLE

LOUDEST = 127  # MIDI velocity
DYNAMICS = {
    "pppp": 10,
    "ppp": 16,
    "pp": 33,
    "p": 49,
    "mp": 64,
    "mf": 80,
    "f": 96,
    "ff": 112,
    "fff": 126,
    "ffff": 127,
}
UNMARKED = DYNAMICS["mf"]
THEN_SOFT = {"fp": ("f", "p"), "ffp": ("ff", "p"), "sfp": ("f", "p"), "sfzp": ("f", "p"), "pf": ("p", "f")}
"""Signs of one note in the first and all that follow in the second dynamic."""
FORCED = frozenset({"sf", "sfz", "sff", "sffz", "fz", "rf", "rfz"})
FORCE = 32
ACCENTS = {"accent": 16, "strong-accent": 24}
STEP = 16  # of a rise or fall that no sign ends: from p to mp, from mf to f
NEAR = TICKS_PER_WHOLE // 4  # ticks after the end of a hairpin within which a sign says how far it goes
REACH, FAR = 2 * TICKS_PER_WHOLE, 8 * TICKS_PER_WHOLE  # ticks that "cresc." lasts, and may last up to the next sign
RISING, FALLING = ("cresc", "rinf"), ("decresc", "dim", "calando", "mancando", "morendo", "smorz", "perdendo")

TEMPI = {
    "larghissimo": 16,
    "grave": 40,
    "molto adagio": 40,
    "largo": 46,
    "lento": 52,
    "adagio": 56,
    "larghetto": 60,
    "andante": 72,
    "andantino": 80,
    "maestoso": 88,
    "moderato": 92,
    "allegretto": 108,
    "menuetto": 108,
    "allegro moderato": 128,
    "allegro": 132,
    "molto allegro": 144,
    "vivace": 160,
    "presto": 184,
    "prestissimo": 208,
}
"""Quarter notes a minute that tempo words stand for, as in music21 (``music21.tempo.defaultTempoValues``); minuets go
like its allegretto."""
UNKNOWN_TEMPO = 120.0  # quarter notes a minute; MIDI's own default


def velocities(marks: Sequence[Mark], onsets: NDArray[np.int32]) -> NDArray[np.int32]:
    """Returns the MIDI velocities of notes of a part, int32 [N].

    Args:
        marks: of the part.
        onsets: of the notes, ticks.
    """
    times, levels = _curve(marks)
    found = np.interp(onsets, times, levels)
    first = np.zeros(len(onsets))
    for mark in marks:
        here = onsets == mark.tick
        if mark.kind == "accent":
            first[here] = np.maximum(first[here], ACCENTS[mark.text])
        elif mark.kind == "dynamics" and mark.text in FORCED:
            first[here] = np.maximum(first[here], FORCE)
        elif mark.kind == "dynamics" and mark.text in THEN_SOFT:
            found[here] = DYNAMICS[THEN_SOFT[mark.text][0]]
    return np.clip((found + first).round(), 1, LOUDEST).astype(np.int32)


def _curve(marks: Sequence[Mark]) -> tuple[list[float], list[float]]:
    """Returns times and velocities between which the loudness of a part goes in straight lines."""
    signs = sorted((mark.tick, level) for mark in marks if (level := _level(mark)))
    events = [(tick, 0, level, 0) for tick, level in signs] + [
        (begin, 1, end, direction) for begin, end, direction in _swells(marks, [tick for tick, _ in signs])
    ]
    times, levels, now = [0.0], [float(UNMARKED)], float(UNMARKED)
    for tick, kind, value, direction in sorted(events):
        if kind == 0:
            now = float(np.interp(tick, times, levels))
            times += [max(tick - 0.5, times[-1]), tick]
            levels += [now, value]
            continue
        if tick < times[-1]:  # within another swell
            continue
        now, end = levels[-1], value
        target = min(max(now + direction * STEP, DYNAMICS["ppp"]), DYNAMICS["fff"])
        sign = next(((at, level) for at, level in signs if tick < at <= end + NEAR), None)
        if sign:
            end = min(end, sign[0]) if (sign[1] - now) * direction <= 0 else sign[0]
            target = sign[1] if (sign[1] - now) * direction > 0 else target
        times += [tick, end - 0.5]
        levels += [now, target]
    return times, levels


def _level(mark: Mark) -> int:
    """Returns the velocity that lasts after a mark; 0 for one that leaves it."""
    if mark.kind != "dynamics":
        return 0
    return DYNAMICS.get(THEN_SOFT.get(mark.text, ("", mark.text))[1], 0)


def _swells(marks: Sequence[Mark], signs: Sequence[int]) -> list[tuple[int, int, int]]:
    """Returns begin, end and direction (1 or -1) of hairpins, and of words such as "cresc."."""
    found, begun = list[tuple[int, int, int]](), None
    for mark in marks:
        if mark.kind == "wedge":
            if mark.text in ("crescendo", "diminuendo"):
                begun = (mark.tick, 1 if mark.text == "crescendo" else -1)
            elif mark.text == "stop" and begun and mark.tick > begun[0]:
                found.append((begun[0], mark.tick, begun[1]))
                begun = None
        elif mark.kind == "words":
            words = mark.text.lower()
            falls = any(word in words for word in FALLING)
            if falls or any(word in words for word in RISING):
                sign = next((tick for tick in signs if tick > mark.tick), mark.tick + FAR + 1)
                end = sign if sign <= mark.tick + FAR else mark.tick + REACH
                found.append((mark.tick, end, -1 if falls else 1))
    return found


def tempi(marks: Iterable[Mark], heading: str = "") -> list[tuple[int, float]]:
    """Returns (tick, quarter notes a minute) of each tempo of a score, the first one at tick 0.

    Marks with a number go before words; without any, the heading of the piece counts, else ``UNKNOWN_TEMPO``.
    """
    found = dict[int, float]()
    for mark in marks:
        if mark.kind == "words" and (tempo := tempo_of(mark.text)):
            found.setdefault(mark.tick, tempo)
    for mark in marks:
        if mark.kind == "tempo" and (number := _number(mark.text)):
            found[mark.tick] = number
    if not found or min(found) > 0:
        found[0] = tempo_of(heading) or (found[min(found)] if found else UNKNOWN_TEMPO)
    return sorted(found.items())


def tempo_of(words: str) -> float:
    """Returns the tempo that words stand for, quarter notes a minute; 0 for none."""
    known = [name for name in TEMPI if name in words.lower()]
    return float(TEMPI[max(known, key=len)]) if known else 0.0


def _number(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        return 0.0
    return found if 0 < found < 1000 else 0.0
