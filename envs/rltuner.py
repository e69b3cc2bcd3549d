"""Writing a melody sixteenth by sixteenth, under the music-theory rules of RL Tuner."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, Literal, get_args

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from .corpora.files import absolute
from .corpora.tunes import Strain, load_strains
from .corpora.works import CutWorks, cut_works
from .media.rules import (
    FIRST_NOTE,
    LOWEST,
    NO_EVENT,
    NOTE_OFF,
    NUM_EVENTS,
    STEPS,
    Reading,
    kept,
    read,
    share_kept,
    step_rewards,
)
from .media.steps import TICKS, StepScore, sounding
from .task import Array, Bools, CorpusReport, Floats, Ints, Split, State, Task

METRES = ((4, 4), (2, 2), (2, 4))  # two bars, or four of 2/4: in both 32 sixteenths begin at a bar line
MODE = "major"  # the rules know C major alone
HIGHEST = LOWEST + NUM_EVENTS - FIRST_NOTE - 1  # MIDI
FEWEST = 2  # notes of a melody
GROUP = 8  # steps in half a bar
ECHOES = (8, 16)  # steps back
Counting = Literal["sum", "kept"]
"""What rules are worth: the published sum of their amounts, or how many of them hold."""


@dataclasses.dataclass
class Draft(State):
    """B melodies being written.

    Attributes:
        sheet: int16 [B, 33], what is observed: 1 + event of each step (0 for those to come), the number of steps.
    """

    sheet: NDArray[np.int16]


class RLTunerTask(Task[Draft]):
    """Two bars of melody under rules.

    ### Description
    The task of RL Tuner (Jaques et al. 2017, arXiv 1611.02796, section 5): 32 sixteenths, in each of which a note
    begins, or what sounds goes on, or falls silent. The reward is what the discriminator thinks of the finished
    melody, and, weighted by ``rule_weight``, how well it keeps that paper's rules of music theory. Real works are
    two bars (four of 2/4) of folk tunes in major keys, transposed to C: see ``docs/environments/rl_tuner.md``.

    ### Action Space
    ``Discrete(38)``: 0 note-off, 1 no-event, 2-37 a note from C3 (MIDI 48) to B5. All are legal at every step.

    ### Observation Space
    ``MultiDiscrete``, 33 numbers: 1 + action for each of the 32 steps (0 for those to come), and the number of steps
    taken.

    ### Rewards
    0 until the melody is finished, then what the discriminator thinks of it plus ``rule_weight`` times ``rules``: the
    sum of the music-theory rewards that the paper gives step by step. The paper's c = 0.5 is ``rule_weight=2``.
    With ``counting="kept"`` they are instead the number of the 13 rules that hold, where each counts as one: 13 times
    the share of those that apply (``media.rules.kept``).

    ### Starting State
    An empty melody; nothing sounds. There is no condition.

    ### Episode End
    After 32 steps.

    ### Arguments
    ``corpus``: a folder of your own ABC or MIDI files, or one such file. ``counting``: "sum" or "kept", see Rewards.

    ### Version History
    v0: initial version.
    """

    benchmark = "musegym.benchmarks.domains.rl_tuner"
    horizon = STEPS
    num_actions = NUM_EVENTS
    clock_sizes = (STEPS + 1, GROUP, NUM_EVENTS, *(1 + NUM_EVENTS for _ in ECHOES))
    data_hint = 'pip install "music21==10.5.1"'

    def __init__(self, corpus: str | None = None, counting: Counting = "sum") -> None:
        if counting not in get_args(Counting):
            raise ValueError(f"counting must be one of {', '.join(get_args(Counting))}, not {counting!r}")
        self._corpus, self._counting = absolute(corpus), counting
        self.content_space = gym.spaces.MultiDiscrete(np.array([[1, 1], *STEPS * [[1 + NUM_EVENTS, NUM_EVENTS]]]))
        self.observation_space = gym.spaces.MultiDiscrete(np.array(STEPS * [1 + NUM_EVENTS] + [1 + STEPS]))
        self.medium = StepScore(LOWEST, HIGHEST, reference=lambda: self.corpus("train"))

    def kwargs(self) -> Mapping[str, Any]:
        """Returns the arguments that rebuild this task."""
        return {"corpus": self._corpus, "counting": self._counting}

    def initial(self, draws: NDArray[np.uint64], condition: Ints | None = None) -> Draft:
        """Returns empty melodies."""
        return Draft(np.zeros((len(draws), STEPS + 1), np.int16))

    def step(self, state: Draft, actions: Ints) -> tuple[Draft, Bools]:
        """Writes one step of every unfinished melody."""
        sheet = state.sheet
        step = sheet[:, STEPS]
        live = step < STEPS
        sheet[np.arange(len(sheet)), step] = np.where(live, 1 + actions, STEPS)  # finished rows: their count again
        step += live
        return state, step == STEPS

    def observe(self, state: Draft) -> NDArray[np.int64]:
        """Returns int64 [B, 33]."""
        return state.sheet.astype(np.int64)

    def restore(self, observations: Array) -> Draft:
        """Inverts ``observe``."""
        return Draft(np.array(observations, np.int16))

    def clock(self, state: Draft) -> Ints:
        """Returns int [B, 5]: the step, its place in the half bar, what sounds, and 1 + the events 8 and 16 steps ago.

        What sounds is as in contents, 0 at the start; events before the start are 0. The last two are what the rule
        of repeated motifs compares.
        """
        step, rows = state.sheet[:, STEPS].astype(np.int64), np.arange(len(state))
        heard = sounding(state.sheet[:, :STEPS])[rows, np.maximum(step - 1, 0)]
        echoes = [np.where(step >= back, state.sheet[rows, np.maximum(step - back, 0)], 0) for back in ECHOES]
        return np.stack([step, step % GROUP, heard, *echoes], 1)

    def content(self, state: Draft) -> NDArray[np.int16]:
        """Returns int16 [B, 33, 2]: a header of zeros, then 1 + the event of each step and what is heard in it."""
        events = state.sheet[:, :STEPS]
        works = np.zeros((len(events), 1 + STEPS, 2), np.int16)
        works[:, 1:, 0], works[:, 1:, 1] = events, sounding(events) * (events > 0)
        return works

    def condition(self, contents: Array) -> Ints:
        """Returns conditions without columns, [N, 0]."""
        return np.zeros((len(contents), 0), np.int16)

    def demonstrations(self, contents: Array) -> Ints:
        """Returns the events int16 [N, 32] of melodies."""
        contents = np.asarray(contents)
        written = np.concatenate([contents[:, 1:, 0], np.full((len(contents), 1), STEPS)], 1)
        wrong = (contents[:, 1:, 0] < 1).any(1) | (contents[:, 1:, 0] > NUM_EVENTS).any(1)
        wrong = np.asarray(wrong)
        wrong[~wrong] = (self.content(self.restore(written[~wrong])) != contents[~wrong]).any((1, 2))
        if wrong.any():
            raise ValueError(
                f"{wrong.sum()} of {len(contents)} melodies cannot be written (first: row {wrong.argmax()})"
            )
        return (contents[:, 1:, 0] - 1).astype(np.int16)

    def corpus(self, split: Split) -> NDArray[np.int16]:
        """Returns the melodies of a split, int16 [N, 33, 2]."""
        return self.content(self.restore(_melodies(self._corpus).usable().contents[split]))

    def groups(self, split: Split) -> Ints:
        """Returns the tune of each melody, int [N]."""
        return _melodies(self._corpus).usable().groups[split]

    def corpus_report(self) -> CorpusReport:
        """Returns what was read of the files, and why the rest was not."""
        return _melodies(self._corpus).report

    def rules(self, contents: Array) -> Floats:
        """Returns the sum of the 32 music-theory rewards of RL Tuner, or the number of rules kept, float32 [N]."""
        total: Floats = self.step_rules(contents).sum(1).astype(np.float32)
        return total

    def step_rules(self, contents: Array) -> Floats:
        """Returns the music-theory reward of every step, float64 [N, 32]; rules kept are counted in the last."""
        reading = self.reading(contents)
        if self._counting == "sum":
            return step_rewards(reading)
        counted = np.zeros((len(contents), STEPS))
        counted[:, -1] = len(kept(reading)) * share_kept(reading)
        return counted

    def reading(self, contents: Array) -> Reading:
        """Returns what the rules see in finished melodies [N, 33, 2]."""
        return read(np.asarray(contents)[:, 1:, 0] - 1)


def cut(strain: Strain) -> tuple[list[NDArray[np.int16]], list[str]]:
    """Cuts a strain at its bar lines into sheets of 32 steps.

    Returns:
        The sheets, and why others, which events cannot say, were left out.
    """
    if strain.metre not in METRES:
        supported = ", ".join(f"{beats}/{unit}" for beats, unit in METRES)
        return [], [f"strain: metre {strain.metre[0]}/{strain.metre[1]}, not one of {supported}"]
    if strain.mode != MODE:
        return [], [f"strain: mode {strain.mode}, not {MODE}"]
    pitches = in_c(strain)
    if pitches is None:
        return [], ["strain: out of range"]
    ends = np.cumsum(strain.notes[:, 1])
    starts = ends - strain.notes[:, 1]
    length = STEPS * TICKS
    sheets, left_out = [], []
    if ends[-1] < length:
        left_out.append(f"strain: shorter than {STEPS} sixteenths")
    # Where the upbeat of the repeat would complete the last bar, its last note is held instead.
    for begin in range(strain.upbeat, int(ends[-1]) + strain.upbeat - length + 1, length):
        inside = slice(np.searchsorted(ends, begin, "right"), np.searchsorted(starts, begin + length))
        sounds, onsets = strain.notes[inside, 0] >= 0, starts[inside] - begin
        if sounds.sum() < FEWEST:
            left_out.append(f"melody: fewer than {FEWEST} notes")
            continue
        if (onsets[sounds] < 0).any():
            left_out.append("melody: a note begins before it")
            continue
        if (onsets[onsets > 0] % TICKS).any():
            left_out.append("melody: a note off the sixteenths")
            continue
        sheet = np.full(STEPS + 1, 1 + NO_EVENT, np.int16)
        at = np.maximum(onsets, 0) // TICKS
        events = np.where(sounds, pitches[inside] - LOWEST + FIRST_NOTE, NOTE_OFF)
        events[~sounds & (at == 0)] = NO_EVENT  # nothing sounds that could be turned off
        sheet[at], sheet[STEPS] = 1 + events, STEPS
        sheets.append(sheet)
    return sheets, left_out


def in_c(strain: Strain) -> Ints | None:
    """Returns a strain's pitches (MIDI; of its rests anything) with C for the tonic, in the octave that fits best.

    There all notes are in range, their mean as near its middle as can be. None where there is no such octave: notes
    are never moved one by one.
    """
    pitches = strain.notes[:, 0] + (6 - strain.tonic) % 12 - 6  # the shorter way
    notes = pitches[strain.notes[:, 0] >= 0]
    lowest, mean, highest = notes.min(), notes.mean(), notes.max()
    shifts = [shift for shift in range(-60, 61, 12) if lowest + shift >= LOWEST and highest + shift <= HIGHEST]
    best = min(shifts, key=lambda shift: abs(mean + shift - (LOWEST + HIGHEST) / 2), default=None)
    return None if best is None else pitches + best


@functools.cache
def _melodies(corpus: str | None) -> CutWorks:
    """Returns the sheets of a corpus."""
    return cut_works(load_strains(corpus), cut, f"melodies of {STEPS} sixteenths", corpus or "the corpus")
