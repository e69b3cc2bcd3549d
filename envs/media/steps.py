"""Melodies written sixteenth by sixteenth: note-off, no-event, or the beginning of a note, as in RL Tuner."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..task import Array, Ints
from . import rules
from .audio import RATE, Sound, synthesise
from .measures import Melodies
from .notation import TICKS_PER_QUARTER, TICKS_PER_WHOLE, Key, Note, Phrase
from .score import Melodic

TICKS = TICKS_PER_QUARTER // 4  # of a step
KEY = Key(0, "major")
_HEARD = np.array([0, 1, 1, *range(2, rules.NUM_EVENTS)], np.int16)
"""The sound after each stored event: nothing yet, silence, silence (held from the start), the notes."""


def sounding(events: Ints) -> NDArray[np.int16]:
    """Returns the sound of each step, int16 [N, T]: 0 where nothing is written yet, 1 silence, 2 C3, 3 C#3, ...

    Args:
        events: int [N, T], 1 + event of each step (2 is no-event: what sounded goes on), 0 for those to come.
    """
    steps = np.arange(events.shape[1])
    latest = np.maximum.accumulate(np.where(events != 1 + rules.NO_EVENT, steps, 0), axis=1)
    return _HEARD[np.take_along_axis(events, latest, 1)]


class StepScore(Melodic):
    """Melodies as arrays int [T, 2], T = 32 sixteenths in C major.

    A row is a step: 1 + its event (`rules`), and what is heard in it (`sounding`), a function of the events up to it.
    Steps to come are zeros. Bar lines are drawn as in 4/4. There are no conditions.
    """

    def phrase(self, content: Array, condition: Ints | None = None, upto: int | None = None) -> Phrase:
        """Reads a content, or only the part that its first ``upto`` decisions wrote; a note that goes on is cut there.

        Raises:
            ValueError: the content has another shape or unknown events.
        """
        events = self._events(np.asarray(content)[None])
        if upto is not None:
            events = np.where(np.arange(events.shape[1]) < upto, events, 0)
        pitch, ticks = _notes(events)
        notes = [
            Note(TICKS * step, int(ticks[0, step]), None if pitch[0, step] < 0 else int(pitch[0, step]))
            for step in np.flatnonzero(ticks[0]).tolist()
        ]
        return Phrase(tuple(notes), (4, 4), KEY, 0, TICKS * events.shape[1])

    def melodies(self, contents: Array, conditions: Ints | None = None) -> Melodies:
        """Reads a population [N, T, 2]."""
        pitch, ticks = _notes(self._events(contents))
        N, scale = len(pitch), np.isin(np.arange(12), KEY.scale)
        bars, zeros = np.full(N, TICKS_PER_WHOLE), np.zeros(N, np.int64)
        return Melodies(pitch, ticks, np.tile(scale, (N, 1)), bars, upbeat=zeros, closing=zeros > 0)

    def caption(self, content: Array, condition: Ints | None = None) -> str:
        """Names the last event: "C♯4", "hold" or "off"."""
        written = np.flatnonzero(content[:, 0])
        if not len(written):
            return "start"
        event = int(content[written[-1], 0]) - 1
        names = {rules.NOTE_OFF: "off", rules.NO_EVENT: "hold"}
        return names.get(event) or str(KEY.spell(event - rules.FIRST_NOTE + rules.LOWEST))

    def sound(self, content: Array, condition: Ints | None = None, since: int = 0, upto: int | None = None) -> Sound:
        """Synthesises the notes that decisions ``since`` to ``upto`` begin, in full; lasts as long as these steps."""
        phrase = self.phrase(content)
        end = phrase.written // TICKS if upto is None else upto
        seconds = phrase.seconds(TICKS * max(end - since, 0))
        begun = tuple(note for note in phrase.notes if since * TICKS <= note.onset < end * TICKS)
        if all(note.pitch is None for note in begun):
            return Sound(np.zeros(0, np.float32), seconds)
        lead = round(phrase.seconds(begun[0].onset - since * TICKS) * RATE)
        samples = synthesise(phrase._replace(notes=begun)).samples
        return Sound(np.concatenate([np.zeros(lead, np.float32), samples]), seconds)

    def metrics(self, contents: Array, conditions: Ints | None = None) -> dict[str, float]:
        """Measures a population [N, 32, 2]: see ``measures``, and ``rule_`` with the keys of ``rules.rule_table``.

        Nothing says which works close a section, so that ``closes_on_tonic`` is left out.
        """
        result = super().metrics(contents, conditions)
        del result["closes_on_tonic"]
        table = rules.rule_table(rules.read(self._events(contents) - 1))
        return result | {f"rule_{name}": value for name, value in table.items()}

    def _events(self, contents: Array) -> Ints:
        """Returns the events of contents [N, T, 2] as they are stored, int [N, T]."""
        contents = np.asarray(contents)
        if contents.ndim != 3 or contents.shape[1:] != (rules.STEPS, 2) or not len(contents):
            raise ValueError(f"melodies are arrays of shape ({rules.STEPS}, 2), not {contents.shape[1:]}")
        events: Ints = contents[:, :, 0]
        if not 0 <= events.min() <= events.max() <= rules.NUM_EVENTS:
            raise ValueError(f"the events of a melody are 1 to {rules.NUM_EVENTS}, 0 for those to come")
        return events


def _notes(events: Ints) -> tuple[Ints, Ints]:
    """Returns MIDI pitch (-1 for none) and length in ticks (0 for none) of the note that begins at each step, [N, T].

    Events as in `sounding`. Silence begins once, however many note-offs follow each other in it.
    """
    T, heard = events.shape[1], sounding(events)
    earlier = np.pad(heard, ((0, 0), (1, 0)))[:, :T]
    begins = (events > rules.FIRST_NOTE) | ((heard == 1) & (earlier != 1))
    steps = np.arange(T)
    written = (heard > 0).sum(1, keepdims=True)
    later = np.pad(np.where(begins, steps, T)[:, 1:], ((0, 0), (0, 1)), constant_values=T)
    ends = np.minimum(np.minimum.accumulate(later[:, ::-1], axis=1)[:, ::-1], written)
    ticks = np.where(begins, TICKS * (ends - steps), 0)
    return np.where(begins & (heard > 1), heard.astype(np.int64) - 2 + rules.LOWEST, -1), ticks
