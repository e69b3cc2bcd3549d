"""Phrases for four voices: piano roll in four colours, table of notes, MIDI, the sound of an organ, and measures."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..task import Array, Ints, Medium, Works
from .audio import ORGAN, Sound, save_wav, synthesise, to_midi
from .bachormock import VOICES, Grader
from .notation import TICKS_PER_WHOLE, Key, Note, Phrase
from .pictures import save_png
from .voiceleading import Voicing, crossed, measure, moving_pairs

STEP = TICKS_PER_WHOLE // 8  # ticks of a step
PACE = 0.8  # seconds of a quarter
PLACE, FIRST, BEGINS = 0, 1, 1 + len(VOICES)  # columns of a content: place in the bar, voices, which of them begin
REST, BASE = 1, 2  # values of a voice: a rest, the lowest pitch; 0 where there is none yet
NARROW = 16  # steps that a picture shows at least
SYSTEM = 2  # bars in a line of text


def to_c(tonic: Ints) -> Ints:
    """Returns the semitones that move a tonic to C, the shorter way: -6 to 5."""
    return (6 - tonic) % 12 - 6


class Choir(Medium):
    """Phrases for soprano, alto, tenor and bass as arrays int [L, 6], a row for each eighth.

    Columns are 1 + the place in the bar (eighths after the bar line), for each voice 0 where nothing is written yet, 1
    for a rest, 2 for the lowest pitch and so on, and which voices begin a note (bits, the soprano's is 1). Pitches are
    moved so that the tonic is C, by ``to_c``. The row that is being written has a place and voices of 0. Conditions
    are int [5]: tonic, mode, metre, upbeat, place of the phrase.

    Args:
        lowest: MIDI pitch of 2, the tonic at C.
        compass: lowest and highest MIDI pitch as it sounds, shown in pictures.
        modes: names of the modes.
        metres: (numerator, denominator) of each metre.
        upbeats: steps before the first bar line.
        places: names of the places of phrases; the last one closes its piece.
        reference: returns the real works that phrases are graded against; called when first needed.
    """

    def __init__(
        self,
        lowest: int,
        compass: tuple[int, int],
        modes: Sequence[str],
        metres: Sequence[tuple[int, int]],
        upbeats: Sequence[int],
        places: Sequence[str],
        reference: Callable[[], Works],
    ) -> None:
        self._lowest, self._compass, self._reference = lowest, compass, reference
        self._modes, self._metres, self._upbeats, self._places = modes, metres, upbeats, places

    def voices(self, content: Array, condition: Ints | None = None, upto: int | None = None) -> tuple[Phrase, ...]:
        """Reads a content, or only the part that its first ``upto`` decisions wrote, as a phrase for each voice.

        Notes that go on are cut where the writing stands.

        Raises:
            ValueError: it is no such content, or its condition is missing.
        """
        content = self._checked(np.asarray(content)[None], condition)[0]
        tonic, mode, metre, upbeat, place = np.asarray(condition).tolist()
        steps = int((content[:, PLACE] > 0).sum())
        done = content[:steps, FIRST:BEGINS] > 0 if upto is None else _first(steps, upto)
        voices = list[Phrase]()
        for voice in range(len(VOICES)):
            notes = list[Note]()
            for step in np.flatnonzero(done[:, voice]).tolist():
                value, begins = int(content[step, FIRST + voice]), content[step, BEGINS] >> voice & 1
                pitch = None if value == REST else value - BASE + self._lowest - int(to_c(np.array(tonic)))
                if begins or not notes or notes[-1].pitch != pitch:
                    notes.append(Note(step * STEP, STEP, pitch))
                else:
                    notes[-1] = notes[-1]._replace(ticks=notes[-1].ticks + STEP)
            key, closing = Key(tonic, self._modes[mode]), place == len(self._places) - 1
            start = STEP * self._upbeats[upbeat]
            voices.append(Phrase(tuple(notes), self._metres[metre], key, start, STEP * steps, closing, PACE))
        return tuple(voices)

    def voicing(self, contents: Array, conditions: Ints | None = None) -> Voicing:
        """Reads a population of contents [N, L, 6] under conditions int [N, 5].

        Raises:
            ValueError: they are no such contents, or conditions are missing.
        """
        contents = self._checked(contents, conditions)
        tonic, mode = np.asarray(conditions, np.int64)[:, :2].T
        values = contents[..., FIRST:BEGINS].astype(np.int64)
        pitches = np.where(values >= BASE, values - BASE + self._lowest - to_c(tonic)[:, None, None], -1)
        begins = (contents[..., BEGINS, None].astype(np.int64) >> np.arange(len(VOICES)) & 1) > 0
        minor = np.array([name == "minor" for name in self._modes])[mode]
        return Voicing(pitches, begins & (pitches >= 0), tonic, minor)

    def render(self, content: Array, condition: Ints | None = None, upto: int | None = None) -> NDArray[np.uint8]:
        """Draws a piano roll, uint8 [H, W, 3]; where voices cross or move in parallels, red dots stand above."""
        from . import pianoroll

        voices = self.voices(content, condition, upto)
        assert condition is not None
        voicing = self.voicing(np.asarray(content)[None], np.asarray(condition)[None])
        faults = crossed(voicing)[0] | (moving_pairs(voicing).parallels[0] > 0)
        written = max((voice.written for voice in voices), default=0)
        marked = [STEP * step for step in np.flatnonzero(faults).tolist() if STEP * step < written]
        bar, writing = voices[0].bar, _open(np.asarray(content))
        shown = max(NARROW * STEP, -(-(written if writing else voices[0].length) // bar) * bar)
        return pianoroll.draw_voices(voices, *self._compass, shown, marked, highlight=writing or upto is not None)

    def describe(self, content: Array, condition: Ints | None = None) -> str:
        """Writes a line for each voice and two bars: the names of notes, "-" where they go on, "." for rests."""
        voices = self.voices(content, condition)
        phrase = voices[0]
        assert condition is not None
        lines = [f"{phrase.title.removesuffix(', closing')}, {self._places[int(condition[4])]}"]
        steps = phrase.length // STEP
        cells = [_cells(voice, steps) for voice in voices]
        bars = sorted({0, steps, *(tick // STEP for tick in phrase.bar_lines if tick < phrase.length)})
        spans = list(itertools.pairwise(bars))
        first = 1 if phrase.upbeat and len(spans) > SYSTEM else 0  # an upbeat and two bars
        systems = [spans[: first + SYSTEM], *(spans[n : n + SYSTEM] for n in range(first + SYSTEM, len(spans), SYSTEM))]
        for system in systems:
            for name, row in zip(VOICES, cells, strict=True):
                text = " | ".join("".join(f"{cell:<4}" for cell in row[begin:end]) for begin, end in system)
                lines.append(f"{name[0].upper()} {text}".rstrip())
            lines.append("")
        return "\n".join(lines).rstrip()

    def export(self, content: Array, path: Path, condition: Ints | None = None) -> list[Path]:
        """Writes .mid (a track for each voice), .wav, .png and .txt; a quarter note lasts 0.8 s."""
        voices = self.voices(content, condition)
        assert condition is not None
        targets = [Path(path).with_suffix(suffix) for suffix in (".mid", ".wav", ".png", ".txt")]
        midi, wav, png, text = targets
        midi.parent.mkdir(parents=True, exist_ok=True)
        phrase, place = voices[0], self._places[int(condition[4])]
        beats, unit = phrase.metre
        remark = f"musegym: {beats}/{unit}, upbeat {phrase.upbeat} ticks, {place} phrase"
        to_midi(*voices, program=ORGAN, names=VOICES, texts=(remark,)).write(str(midi))
        save_wav(synthesise(*voices, organ=True), wav)
        save_png(self.render(content, condition), png)
        text.write_text(self.describe(content, condition) + "\n", encoding="utf-8")
        return targets

    def metrics(self, contents: Array, conditions: Ints | None = None) -> dict[str, float]:
        """Measures a population [N, L, 6]; see ``voiceleading.measure`` and ``bachormock`` for keys and sources."""
        voicing = self.voicing(contents, conditions)
        return measure(voicing) | self._grader.metrics(voicing)

    @functools.cached_property
    def _grader(self) -> Grader:
        works = self._reference()
        return Grader(self.voicing(works.contents, works.conditions))

    def caption(self, content: Array, condition: Ints | None = None) -> str:
        """Names the last decision: a voice and its pitch ("A E4"), "A rest", "A hold", or "end"."""
        written = np.flatnonzero(content[:, FIRST:BEGINS].ravel() > 0)
        if not len(written):
            return "start"
        if not _open(content) and content[-1, PLACE] == 0:
            return "end"
        step, voice = divmod(int(written[-1]), len(VOICES))
        notes = self.voices(content, condition)[voice].notes
        if notes[-1].onset < STEP * step:
            name = "hold"
        else:
            name = "rest" if notes[-1].pitch is None else str(Key(*self._key(condition)).spell(notes[-1].pitch))
        return f"{VOICES[voice][0].upper()} {name}"

    def sound(self, content: Array, condition: Ints | None = None, since: int = 0, upto: int | None = None) -> Sound:
        """Plays the notes of the steps that decisions ``since`` to ``upto`` complete; lasts as long as these steps.

        Without ``upto`` all notes from the step of decision ``since`` on sound, those of its chord that began before
        and those of the chord in the making as well.
        """
        voices, count = self.voices(content, condition), len(VOICES)
        first = since // count * STEP
        if upto is None:
            return synthesise(
                *(voice._replace(notes=_from(voice.notes, first)) for voice in voices), organ=True, start=first
            )
        last = min(upto // count * STEP, voices[0].length)
        begun = [tuple(note for note in voice.notes if first <= note.onset < last) for voice in voices]
        played = [voice._replace(notes=notes) for voice, notes in zip(voices, begun, strict=True)]
        seconds = voices[0].seconds(max(last - first, 0))
        return synthesise(*played, organ=True, start=first)._replace(seconds=seconds)

    def _key(self, condition: Ints | None) -> tuple[int, str]:
        assert condition is not None
        return int(condition[0]), self._modes[int(condition[1])]

    def _checked(self, contents: Array, conditions: Ints | None) -> Array:
        contents = np.asarray(contents)
        if contents.ndim != 3 or contents.shape[2] != BEGINS + 1 or not len(contents):
            raise ValueError(f"chorale phrases are non-empty arrays [N, L, {BEGINS + 1}], not {contents.shape}")
        if conditions is None or np.shape(conditions)[-1:] != (5,):
            raise ValueError("tonic, mode, metre, upbeat and phrase are the condition of a phrase: pass it as int [5]")
        return contents


def _open(content: Array) -> bool:
    """Returns whether a content has a row that is not complete: it is being written."""
    return bool(((content[:, PLACE] > 0) & (content[:, FIRST:BEGINS] == 0).any(1)).any())


def _first(steps: int, upto: int) -> NDArray[np.bool_]:
    """Returns which of the voices of each step the first decisions wrote, bool [steps, 4]."""
    return np.arange(steps * len(VOICES)).reshape(steps, len(VOICES)) < upto


def _from(notes: tuple[Note, ...], tick: int) -> tuple[Note, ...]:
    """Returns the notes that sound after a tick, the first one as if it began there."""
    kept = [note for note in notes if note.onset + note.ticks > tick]
    return tuple(Note(max(onset, tick), onset + ticks - max(onset, tick), pitch) for onset, ticks, pitch in kept)


def _cells(voice: Phrase, steps: int) -> list[str]:
    """Returns the text of each step of a voice."""
    cells = [" "] * steps
    for onset, ticks, pitch in voice.notes:
        first = onset // STEP
        cells[first] = "." if pitch is None else str(voice.key.spell(pitch))
        cells[first + 1 : (onset + ticks) // STEP] = ["." if pitch is None else "-"] * (ticks // STEP - 1)
    return cells
