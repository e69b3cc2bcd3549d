"""Melodies with velocity and tempo: piano roll with a strip of velocities, ABC with dynamics, MIDI and bowed sound."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..task import Array, Ints, Works
from .audio import VIOLIN, Sound, synthesise
from .dynamics import Performances, compare, measure
from .measures import Melodies
from .notation import Key, Note, Phrase, fraction
from .score import Melodic

COLUMNS = 6
BAR, TICK, PITCH, DURATION, VELOCITY, TEMPO = range(COLUMNS)
REST, BASE = 1, 2  # pitch indices of a content
CHOICES = 3  # of a note: pitch, duration, velocity; a rest has no velocity
PER_LEVEL = 8  # MIDI velocities of a level; a note is played in the middle of its level's


class Expressive(Melodic):
    """Melodies as arrays int [L, 6] of table indices, the tonic at C.

    A row is a note: bar, tick in the bar, pitch (1 for a rest, 2 the first of ``pitches``), duration (1 the first of
    ``durations``), velocity (1 the softest level), tempo (1 the first of ``tempi``, the same in all rows); all zeros
    where there is none. 0 is undecided, and the velocity of a rest. The first row has the tempo before its note.
    Conditions are int [4]: composer, part, metre, mode.

    Args:
        pitches: MIDI numbers of pitch indices 2, 3, ...
        durations: ticks (24 a quarter note) of duration indices 1, 2, ...
        tempi: quarter notes a minute of tempo indices 1, 2, ...
        metres: (numerator, denominator) of each metre index.
        modes: name of each mode index, of ``notation.MODES``.
        ranges: lowest and highest MIDI pitch of each part, shown in pictures.
        bars: length of a finished phrase.
        reference: as in `Melodic`.
    """

    program = VIOLIN

    def __init__(
        self,
        pitches: Sequence[int],
        durations: Sequence[int],
        tempi: Sequence[float],
        metres: Sequence[tuple[int, int]],
        modes: Sequence[str],
        ranges: Sequence[tuple[int, int]],
        bars: int,
        *,
        reference: Callable[[], Works],
    ) -> None:
        self._pitches, self._durations, self._tempi = tuple(pitches), tuple(durations), tuple(tempi)
        self._metres, self._bars, self._ranges = tuple(metres), bars, tuple(ranges)
        self._keys = tuple(Key(0, mode) for mode in modes)
        super().__init__(min(pitches), max(pitches), reference)

    def phrase(self, content: Array, condition: Ints | None = None, upto: int | None = None) -> Phrase:
        """Reads a content, or only the part that its first ``upto`` decisions wrote.

        Raises:
            ValueError: the content has another shape or indices outside the tables, or there is no condition.
        """
        content = self._checked(np.asarray(content)[None], None if condition is None else np.asarray(condition)[None])[
            0
        ]
        _, _, metre, mode = np.asarray(condition).tolist()
        left = CHOICES * len(content) + 1 if upto is None else upto
        pace = 60 / self._tempi[int(content[0, TEMPO]) - 1] if left and content[0, TEMPO] else 0.5
        notes, velocities, onset, left = list[Note](), list[int](), 0, left - 1
        try:
            for _, _, pitch, duration, velocity, _ in content.tolist():
                if not pitch or left <= 0:
                    break
                ticks = self._durations[duration - 1] if duration and left > 1 else 0
                notes.append(Note(onset, ticks, None if pitch == REST else self._pitches[pitch - BASE]))
                velocities.append(self.velocity(velocity) if velocity and left > CHOICES - 1 else 0)
                onset += ticks
                left -= CHOICES - (pitch == REST)
            numerator, denominator = self._metres[metre]
            length = self._bars * 96 * numerator // denominator
            return Phrase(
                tuple(notes), (numerator, denominator), self._keys[mode], 0, length, False, pace, tuple(velocities)
            )
        except IndexError:
            raise ValueError("this phrase has indices outside its tables") from None

    @staticmethod
    def velocity(level: int) -> int:
        """Returns the MIDI velocity of a velocity index 1, 2, ..."""
        return PER_LEVEL * (level - 1) + PER_LEVEL // 2

    def compass(self, phrase: Phrase, condition: Ints | None = None) -> tuple[int, int]:
        """Returns the range of the part, or more where the phrase goes beyond it."""
        assert condition is not None
        low, high = self._ranges[int(condition[1])]
        pitches = [note.pitch for note in phrase.notes if note.pitch is not None]
        return min([low, *pitches]), max([high, *pitches])

    def caption(self, content: Array, condition: Ints | None = None) -> str:
        """Names the last decision: a tempo ("120 a minute"), a pitch ("E5", "rest"), a length ("1/8"), a velocity."""
        if not content[0, TEMPO]:
            return "start"
        phrase = self.phrase(content, condition)
        if not phrase.notes:
            return f"{60 / phrase.pace:.0f} a minute"
        note, velocity = phrase.notes[-1], (phrase.velocities or (0,))[-1]
        if velocity:
            return f"{phrase._replace(velocities=(velocity,)).signs[0]} ({velocity})"
        if note.ticks:
            return fraction(note.ticks)
        return "rest" if note.pitch is None else str(phrase.key.spell(note.pitch))

    def sound(self, content: Array, condition: Ints | None = None, since: int = 0, upto: int | None = None) -> Sound:
        """Synthesises the notes that decisions ``since`` to ``upto`` completed.

        Without ``upto`` the last note sounds as far as it is decided: short, or at a middle velocity.
        """
        phrase, first = self.phrase(content, condition, upto), _complete(self.phrase(content, condition, since))
        last = len(phrase.notes) if upto is None else _complete(phrase)
        heard = slice(min(first, last), last)
        return synthesise(phrase._replace(notes=phrase.notes[heard], velocities=(phrase.velocities or ())[heard]))

    def melodies(self, contents: Array, conditions: Ints | None = None) -> Melodies:
        """Reads the notes of a population [N, L, 6] under conditions int [N, 4]."""
        contents = self._checked(contents, conditions)
        metre, mode = np.asarray(conditions)[:, 2:].T
        scales = np.array([np.isin(np.arange(12), key.scale) for key in self._keys])
        bars = np.array([96 * numerator // denominator for numerator, denominator in self._metres])
        midi = np.array([0, 0, *self._pitches])[contents[:, :, PITCH]]
        zeros = np.zeros(len(contents), np.int64)
        return Melodies(
            pitch=np.where(contents[:, :, PITCH] >= BASE, midi, -1),
            ticks=np.array([0, *self._durations])[contents[:, :, DURATION]],
            scale=scales[mode],
            bar=bars[metre],
            upbeat=zeros,
            closing=zeros > 0,
        )

    def performances(self, contents: Array, conditions: Ints | None = None) -> Performances:
        """Reads notes, velocities and tempi of a population [N, L, 6] under conditions int [N, 4]."""
        contents = self._checked(contents, conditions)
        tempi = np.array([120.0, *self._tempi])[contents[:, 0, TEMPO]]
        return Performances(self.melodies(contents, conditions), contents[:, :, VELOCITY].astype(np.int64), tempi)

    def metrics(self, contents: Array, conditions: Ints | None = None) -> dict[str, float]:
        """Measures a population [N, L, 6]: see ``measures`` and ``dynamics`` for every key and its source.

        Nothing says which works close a section, so that ``closes_on_tonic`` is left out.
        """
        result = super().metrics(contents, conditions)
        del result["closes_on_tonic"]
        played = self.performances(contents, conditions)
        return result | measure(played) | compare(played, self._performed)

    @functools.cached_property
    def _performed(self) -> Performances:
        assert self._reference is not None
        works = self._reference()
        return self.performances(works.contents, works.conditions)

    def _checked(self, contents: Array, conditions: Ints | None) -> NDArray[np.integer]:
        contents = np.asarray(contents)
        if contents.ndim != 3 or contents.shape[2] != COLUMNS or not contents.size:
            raise ValueError(f"phrases are a non-empty array of shape (N, notes, {COLUMNS}), not {contents.shape}")
        if conditions is None or np.shape(conditions) != (len(contents), 4):
            raise ValueError("composer, part, metre and mode are the condition of a phrase: pass condition=int [4]")
        return contents


def _complete(phrase: Phrase) -> int:
    """Returns the number of notes and rests of which everything is decided."""
    if not phrase.notes or not phrase.velocities:
        return 0
    note, velocity = phrase.notes[-1], phrase.velocities[-1]
    return len(phrase.notes) - (not note.ticks or (note.pitch is not None and not velocity))
