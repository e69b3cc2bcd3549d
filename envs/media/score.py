"""Melodies: piano roll, ABC, MIDI and sound, and the measures by which populations of them are compared."""

from __future__ import annotations

import abc
import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..task import Array, Ints, Medium, Works
from .audio import FLUTE, Sound, save_wav, synthesise, to_midi
from .measures import Melodies, distances, measure
from .notation import MODES as KNOWN_MODES
from .notation import Key, Note, Phrase, fraction, to_abc
from .pictures import save_png

CHOICES = 2  # per note: pitch, then duration


class Melodic(Medium):
    """Base of all encodings of melodies; an encoding defines how its contents are read and heard.

    Args:
        lowest: MIDI pitch of the lowest lane of the piano roll.
        highest: of the highest.
        reference: returns the real melodies that histograms are compared with; called when first needed.
    """

    program = FLUTE
    """Of General MIDI."""

    def __init__(self, lowest: int, highest: int, reference: Callable[[], Works] | None = None) -> None:
        self._lowest, self._highest, self._reference = lowest, highest, reference

    @abc.abstractmethod
    def phrase(self, content: Array, condition: Ints | None = None, upto: int | None = None) -> Phrase:
        """Reads a content, or only the part that its first ``upto`` decisions wrote.

        Raises:
            ValueError: it is no content of this encoding, or its condition, which has the metre, is missing.
        """

    @abc.abstractmethod
    def melodies(self, contents: Array, conditions: Ints | None = None) -> Melodies:
        """Reads a population of contents [N, ...].

        Raises:
            ValueError: there are none, or they are no contents of this encoding.
        """

    def render(self, content: Array, condition: Ints | None = None, upto: int | None = None) -> NDArray[np.uint8]:
        """Draws a piano roll, uint8 [H, W, 3]; while it is being written, the last note is marked."""
        from . import pianoroll

        phrase = self.phrase(content, condition, upto)
        writing = upto is not None or phrase.written < phrase.length
        return pianoroll.draw(phrase, *self.compass(phrase, condition), highlight=writing)

    def compass(self, phrase: Phrase, condition: Ints | None = None) -> tuple[int, int]:
        """Returns the lowest and the highest MIDI pitch that a picture shows."""
        return self._lowest, self._highest

    def describe(self, content: Array, condition: Ints | None = None) -> str:
        """Writes the melody as an ABC tune, header included."""
        return to_abc(self.phrase(content, condition))

    def export(self, content: Array, path: Path, condition: Ints | None = None) -> list[Path]:
        """Writes .mid, .wav, .png and .abc.

        A quarter note lasts 0.5 s, 0.4 s in compound metres; the WAV rings on for another second.
        """
        phrase = self.phrase(content, condition)
        targets = [Path(path).with_suffix(suffix) for suffix in (".mid", ".wav", ".png", ".abc")]
        midi, wav, png, text = targets
        midi.parent.mkdir(parents=True, exist_ok=True)
        to_midi(phrase, program=self.program).write(str(midi))
        save_wav(synthesise(phrase), wav)
        save_png(self.render(content, condition), png)
        text.write_text(to_abc(phrase), encoding="utf-8")
        return targets

    def metrics(self, contents: Array, conditions: Ints | None = None) -> dict[str, float]:
        """Measures a population [N, ...]; see ``measures`` for every key and its source.

        Shares of nothing (of leaps, where there is no leap) are 0, distances to nothing 1.

        Raises:
            ValueError: there are no melodies, or they have another shape.
        """
        melodies = self.melodies(contents, conditions)
        result = measure(melodies)
        if self._reference is not None:
            result |= distances(melodies, self._real)
        return result

    @functools.cached_property
    def _real(self) -> Melodies:
        assert self._reference is not None
        works = self._reference()
        return self.melodies(works.contents, works.conditions)


class Score(Melodic):
    """Melodies as arrays int [L, 4] of table indices.

    A row is a note (bar, tick in the bar, pitch, duration), all zeros where there is none. Pitch 1 is a rest, 2 the
    first of ``pitches``; duration 1 is the first of ``durations``, 0 is undecided. Notes follow each other without
    gaps, so that bar and tick are never read. Conditions are int [4]: metre, mode, upbeat, and 1 for a phrase that
    closes its strain.

    Args:
        pitches: MIDI numbers of pitch indices 2, 3, ...
        durations: ticks (24 a quarter note) of duration indices 1, 2, ...
        metres: (numerator, denominator) of each metre index.
        modes: name of each mode index, of ``notation.MODES``.
        upbeats: ticks before the first bar line, of each upbeat index.
        bars: length of a finished phrase, upbeat included.
        reference: as in `Melodic`.
    """

    def __init__(
        self,
        pitches: Sequence[int],
        durations: Sequence[int],
        metres: Sequence[tuple[int, int]],
        modes: Sequence[str],
        upbeats: Sequence[int],
        bars: int = 4,
        *,
        reference: Callable[[], Works] | None = None,
    ) -> None:
        unknown = sorted(set(modes) - set(KNOWN_MODES))
        if unknown:
            raise ValueError(f"unknown modes {unknown}: use some of {', '.join(KNOWN_MODES)}")
        self._pitches, self._durations, self._metres = tuple(pitches), tuple(durations), tuple(metres)
        self._upbeats, self._bars = tuple(upbeats), bars
        self._keys = tuple(Key(0, mode) for mode in modes)
        super().__init__(min(pitches), max(pitches), reference)

    def phrase(self, content: Array, condition: Ints | None = None, upto: int | None = None) -> Phrase:
        """Reads a content, or only the part that its first ``upto`` decisions wrote.

        Raises:
            ValueError: the content has another shape or indices outside the tables, or there is no condition.
        """
        content = np.asarray(content)
        if content.ndim != 2 or content.shape[1] != 4 or not len(content):
            raise ValueError(f"a melody is an array of shape (notes, 4), not {content.shape}")
        if condition is None or len(condition) != 4:
            raise ValueError("metre, mode, upbeat and phrase are the condition of a melody: pass condition=int [4]")
        metre, mode, upbeat, closing = np.asarray(condition).tolist()
        rows = content.tolist()
        decisions = CHOICES * len(rows) if upto is None else upto
        notes, onset = list[Note](), 0
        try:
            numerator, denominator = self._metres[metre]
            for row, (_, _, pitch, duration) in enumerate(rows[: -(-decisions // CHOICES)]):
                if not pitch:
                    break
                ticks = self._durations[duration - 1] if duration and decisions > CHOICES * row + 1 else 0
                notes.append(Note(onset, ticks, None if pitch == 1 else self._pitches[pitch - 2]))
                onset += ticks
                if not ticks:
                    break
            length = self._bars * 96 * numerator // denominator
            return Phrase(
                tuple(notes), (numerator, denominator), self._keys[mode], self._upbeats[upbeat], length, bool(closing)
            )
        except IndexError:
            raise ValueError("this melody has indices outside the tables of its score") from None

    def caption(self, content: Array, condition: Ints | None = None) -> str:
        """Names the last decision: a pitch ("E5", "rest") or a length ("1/8")."""
        phrase = self.phrase(content, condition)
        if not phrase.notes:
            return "start"
        note = phrase.notes[-1]
        if note.ticks:
            return fraction(note.ticks)
        return "rest" if note.pitch is None else str(phrase.key.spell(note.pitch))

    def sound(self, content: Array, condition: Ints | None = None, since: int = 0, upto: int | None = None) -> Sound:
        """Synthesises the notes that decisions ``since`` to ``upto`` completed; one of undecided length is short."""
        phrase = self.phrase(content, condition, upto)
        first = min(since // CHOICES, len(phrase.notes))
        return synthesise(phrase._replace(notes=phrase.notes[first:]))

    def melodies(self, contents: Array, conditions: Ints | None = None) -> Melodies:
        """Reads a population [N, L, 4] under conditions int [N, 4]."""
        contents = np.asarray(contents)
        if contents.ndim != 3 or contents.shape[2] != 4 or not len(contents):
            raise ValueError(f"melodies are a non-empty array of shape (N, notes, 4), not {contents.shape}")
        if conditions is None or conditions.shape != (len(contents), 4):
            raise ValueError("metre, mode, upbeat and phrase are conditions of melodies: pass conditions=int [N, 4]")
        scales = np.array([np.isin(np.arange(12), key.scale) for key in self._keys])
        metre, mode, upbeat, closing = np.asarray(conditions).T
        bars = np.array([96 * numerator // denominator for numerator, denominator in self._metres])
        midi = np.array([0, 0, *self._pitches])[contents[:, :, 2]]
        return Melodies(
            pitch=np.where(contents[:, :, 2] >= 2, midi, -1),
            ticks=np.array([0, *self._durations])[contents[:, :, 3]],
            scale=scales[mode],
            bar=bars[metre],
            upbeat=np.array(self._upbeats)[upbeat],
            closing=closing > 0,
        )
