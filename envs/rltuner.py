"""Writing a melody sixteenth by sixteenth, under the music-theory rules of RL Tuner."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, Literal, get_args

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from .building import refuse
from .corpora.files import absolute
from .corpora.tunes import Strain, load_strains
from .corpora.usable import UsableWorks
from .corpora.works import Cut, cut_works
from .media.rules import (
    FIRST_NOTE,
    LOWEST,
    NO_EVENT,
    NOTE_OFF,
    NUM_EVENTS,
    RULES,
    STEPS,
    Reading,
    kept,
    read,
    rewards_by_rule,
)
from .media.steps import TICKS, StepScore, sounding
from .task import Array, Bools, CorpusReport, Feature, Floats, Ints, Sequence, Split, State, Task, Works

METRES = ((4, 4), (2, 2), (2, 4))  # two bars, or four of 2/4: in both 32 sixteenths begin at a bar line
MODE = "major"  # the rules know C major alone
KEPT = tuple(kept(read(np.zeros((1, STEPS), np.int64))))
"""Names of the rules that are counted."""
HIGHEST = LOWEST + NUM_EVENTS - FIRST_NOTE - 1  # MIDI
FEWEST = 2  # notes of a melody
GROUP = 8  # steps in half a bar
ECHOES = (8, 16)  # steps back
Counting = Literal["sum", "kept"]
"""Rewards of rules: their published amounts, or 1 for each that holds."""


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
    The task of RL Tuner (Jaques et al. 2017, arXiv 1611.02796, section 5): in each of 32 sixteenths a note begins, goes
    on or ends. The reward is the discriminator's score of the finished melody plus, weighted by ``rule_weight``, the
    rewards of that paper's rules of music theory. Real works are
    two bars (four of 2/4) of folk tunes in major keys, transposed to C: see ``docs/environments/rl_tuner.md``.

    ### Action Space
    ``Discrete(38)``: 0 note-off, 1 no-event, 2-37 a note from C3 (MIDI 48) to B5. All are legal at every step.

    ### Observation Space
    ``MultiDiscrete``, 33 numbers: 1 + action for each of the 32 steps (0 for those to come), and the number of steps
    taken.

    ### Rewards
    0 until the melody is finished, then the discriminator's score of it plus ``rule_weight`` times the sum of the
    ``rules``: the music-theory rewards that the paper gives step by step, one rule for each of ``media.rules.RULES``.
    The paper's c = 0.5 is ``rule_weight=2``. With ``counting="kept"`` there are instead 13 rules
    (``media.rules.kept``), each of which gives 1 where it holds, or 13 over the number of those that apply to the
    melody where some do not.

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
    layout = Sequence((STEPS, 2), (1 + NUM_EVENTS, NUM_EVENTS))
    features = (
        Feature("step", STEPS + 1),
        Feature("place_in_half_bar", GROUP),
        Feature("sounding", NUM_EVENTS),
        *(Feature(f"event_{back}_ago", 1 + NUM_EVENTS) for back in ECHOES),
    )
    data_names = ("tunes",)

    def __init__(self, corpus: str | None = None, counting: Counting = "sum") -> None:
        if counting not in get_args(Counting):
            raise ValueError(f"counting must be one of {', '.join(get_args(Counting))}, not {counting!r}")
        self._corpus, self._counting = absolute(corpus), counting
        self.data_name = "" if corpus else "tunes"
        self.rule_names = RULES if counting == "sum" else KEPT
        self.observation_space = gym.spaces.MultiDiscrete(np.array(STEPS * [1 + NUM_EVENTS] + [1 + STEPS]))
        self.medium = StepScore(LOWEST, HIGHEST, reference=lambda: self.works("train"))

    def kwargs(self) -> Mapping[str, Any]:
        """Returns the arguments that rebuild this task."""
        return {"corpus": self._corpus, "counting": self._counting}

    def initial(self, draws: NDArray[np.uint64], condition: Ints | None = None) -> Draft:
        """Returns empty melodies."""
        return Draft(np.zeros((len(draws), STEPS + 1), np.int16))

    def advance(self, state: Draft, actions: Ints) -> tuple[Draft, Bools]:
        """Writes one step of every melody."""
        step = state.sheet[:, STEPS]
        state.sheet[np.arange(len(step)), step] = 1 + actions
        step += 1
        return state, step == STEPS

    def observe(self, state: Draft) -> NDArray[np.int64]:
        """Returns int64 [B, 33]."""
        return state.sheet.astype(np.int64)

    def restore(self, observations: Array) -> Draft:
        """Inverts ``observe``."""
        sheet = np.array(observations, np.int16)
        return Draft(sheet, done=sheet[:, STEPS] == STEPS)

    def feature_values(self, state: Draft) -> Ints:
        """Returns int [B, 5]: the step, its place in the half bar, the sound, and 1 + the events 8 and 16 steps ago.

        The sound is as in contents, 0 at the start; events before the start are 0. The rule of repeated motifs compares
        the last two.
        """
        step, rows = state.sheet[:, STEPS].astype(np.int64), np.arange(len(state))
        heard = sounding(state.sheet[:, :STEPS])[rows, np.maximum(step - 1, 0)]
        echoes = [np.where(step >= back, state.sheet[rows, np.maximum(step - back, 0)], 0) for back in ECHOES]
        return np.stack([step, step % GROUP, heard, *echoes], 1)

    def content(self, state: Draft) -> NDArray[np.int16]:
        """Returns int16 [B, 32, 2]: 1 + the event of each step, and its sound."""
        return _heard(state.sheet[:, :STEPS])

    def demonstrations(self, contents: Array, conditions: Ints | None = None) -> Ints:
        """Returns the events int16 [N, 32] of melodies."""
        contents = np.asarray(contents)
        events = contents[:, :, 0]
        wrong: Bools = np.any((events < 1) | (events > NUM_EVENTS), axis=1)
        wrong[~wrong] = (_heard(events[~wrong]) != contents[~wrong]).any((1, 2))
        refuse(wrong, "melodies", "written")
        return (events - 1).astype(np.int16)

    def works(self, split: Split) -> Works:
        """Returns the melodies of a split, int16 [N, 32, 2], related by their tune."""
        return _melodies(self._corpus).usable(split)

    def corpus_report(self) -> CorpusReport:
        """Returns counts of the files and melodies, and the reasons for leaving parts out."""
        return _melodies(self._corpus).report

    def rules(self, contents: Array, conditions: Ints | None = None) -> Floats:
        """Returns the music-theory rewards of RL Tuner, or which rules are kept, float64 [N, R]."""
        rewards: Floats = self.step_rules(contents).sum(1)
        return rewards

    def step_rules(self, contents: Array, conditions: Ints | None = None) -> Floats:
        """Returns the music-theory rewards of every step, float64 [N, 32, R]; rules kept are counted in the last."""
        reading = self.reading(contents)
        if self._counting == "sum":
            return np.stack(list(rewards_by_rule(reading).values()), -1)
        applies, holds = (np.stack(flags, 1) for flags in zip(*kept(reading).values(), strict=True))  # [N, R]
        counted = np.zeros((len(contents), STEPS, len(KEPT)))
        counted[:, -1] = (applies & holds) * (len(KEPT) / applies.sum(1, keepdims=True))
        return counted

    def reading(self, contents: Array) -> Reading:
        """Returns the features of finished melodies [N, 32, 2] that the rules are functions of."""
        return read(np.asarray(contents)[:, :, 0] - 1)


def _heard(events: Ints) -> NDArray[np.int16]:
    """Returns the contents of 1 + events int [N, 32], 0 for those to come."""
    return np.stack([events, sounding(events) * (events > 0)], -1).astype(np.int16)


def cut(strain: Strain) -> tuple[list[Cut], list[str]]:
    """Cuts a strain at its bar lines into melodies of 32 steps.

    Returns:
        The melodies, and why others, which events cannot say, were left out.
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
    melodies, left_out = list[Cut](), list[str]()
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
        written = np.full(STEPS, 1 + NO_EVENT, np.int16)
        at = np.maximum(onsets, 0) // TICKS
        events = np.where(sounds, pitches[inside] - LOWEST + FIRST_NOTE, NOTE_OFF)
        events[~sounds & (at == 0)] = NO_EVENT  # nothing sounds that could be turned off
        written[at] = 1 + events
        melodies.append(Cut(_heard(written[None])[0], np.zeros(0, np.int16)))
    return melodies, left_out


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
def _melodies(corpus: str | None) -> UsableWorks:
    """Returns the melodies of a corpus."""
    return cut_works(load_strains(corpus), cut, f"melodies of {STEPS} sixteenths", corpus or "the corpus")
