"""Playing a phrase of melody with expression: a tempo, then pitch, duration and velocity of each note."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from .building import effective_actions, not_built, refuse
from .corpora.dealt import phrases_as_works
from .corpora.files import absolute
from .corpora.phrases import (
    BARS,
    COMPOSERS,
    DURATIONS,
    HIGHEST,
    LEVELS,
    LOWEST,
    METRES,
    MODES,
    MOST_NOTES,
    PARTS,
    PER_LEVEL,
    Phrase,
    load_phrases,
)
from .corpora.usable import UsableWorks
from .media.expressive import BASE, DURATION, PITCH, REST, TEMPO, VELOCITY, Expressive
from .task import (
    Array,
    Bools,
    Condition,
    CorpusReport,
    Feature,
    Floats,
    Ints,
    Sequence,
    Split,
    State,
    Task,
    Works,
    parse_style,
)

CONDITIONS = (
    Condition("composer", COMPOSERS),
    Condition("part", PARTS),
    Condition("metre", tuple(f"{beats}/{unit}" for beats, unit in METRES)),
    Condition("mode", MODES),
)
NOTES = MOST_NOTES
CHOICES = 3  # of a note: pitch, duration, velocity; a rest has no velocity
HORIZON = 1 + CHOICES * NOTES
PITCHES = tuple(range(LOWEST, HIGHEST + 1))  # MIDI, with the tonic at C
TEMPI = tuple(30 * 2 ** (step / 8) for step in range(30))  # quarter notes a minute: 30 to 370, 9% apart
NUM_PITCHES = 1 + len(PITCHES)  # the first is a rest
TO_VELOCITY = NUM_PITCHES + len(DURATIONS)  # actions before those of velocity
TO_TEMPO = TO_VELOCITY + LEVELS
NUM_ACTIONS = TO_TEMPO + len(TEMPI)
BAR_TICKS = np.array([96 * beats // unit for beats, unit in METRES])
LONGEST = BARS * int(BAR_TICKS.max())
TICKS = np.array([0, *DURATIONS], np.int16)  # by duration index of a content, 0 for padding
METRE, MODE = HORIZON + 3, HORIZON + 4  # columns of a sheet, which has the number of its next slot at HORIZON
AT_TEMPO, AT_LENGTH, AT_REST_LENGTH, AT_VELOCITY, AT_PITCH = range(5)  # kinds of choices, as ``_tables`` counts them
KINDS, SLOTS = 5, 256
TEMPO_KIND, PITCH_KIND, VELOCITY_KIND, FINISHED = range(4)  # rows of the legal actions; later ones are of durations
SPOTS = np.stack(np.divmod(np.arange(LONGEST + 1), BAR_TICKS[:, None]), -1).reshape(-1, 2).astype(np.uint8)
"""Bar from 0 and tick within it, [metres * onsets, 2]."""
STARTS = KINDS * (BARS * BAR_TICKS * (NOTES + 1) + NOTES) + AT_TEMPO
"""Place of an empty phrase by metre."""
FIRST_BAR = np.array([1, 0], np.uint8)
INDICES = np.zeros(1 + NUM_ACTIONS, np.uint8)
"""Index in a content of pitch, duration, velocity or tempo by token."""
for _first, _last in ((0, NUM_PITCHES), (NUM_PITCHES, TO_VELOCITY), (TO_VELOCITY, TO_TEMPO), (TO_TEMPO, NUM_ACTIONS)):
    INDICES[1 + _first : 1 + _last] = np.arange(1, 1 + _last - _first)

RANGES = ((56, 93), (53, 84), (46, 76), (36, 84), (36, 96))
"""Lowest and highest pitch of each part, the tonic at C: where 98% of the notes of the train split lie."""
OCTAVE = 12
LARGEST_CHANGE = 6
"""Levels between neighbouring notes: 99% of those of the train split are no further apart."""


@dataclasses.dataclass(frozen=True)
class Tables:
    """Dynamics as look-ups.

    A *place* counts (ticks left, notes left, kind of choice); an action moves it by a fixed amount. Places of one
    ``kind`` have the same legal actions. Slots are columns of a sheet: tempo, then pitch, duration and velocity of
    each note.

    Attributes:
        spots: int32 [places], 256 x kind + slot of the next choice.
        legal: bool [kinds, A].
        effective: int16 [kinds * A], what ``legalise`` returns.
        moves: int64 [1 + A], by token: 1 + action, 0 where the phrase is finished.
    """

    spots: NDArray[np.int32]
    legal: Bools
    effective: NDArray[np.int16]
    moves: NDArray[np.int64]


@functools.cache
def _tables() -> Tables:
    # [ticks, notes]: true where exactly so many ticks can be filled with at most so many notes
    feasible = np.zeros((LONGEST + 1, NOTES + 1), np.bool_)
    feasible[0] = True
    for left in range(1, NOTES + 1):
        for ticks in DURATIONS:
            feasible[ticks:, left] |= feasible[:-ticks, left - 1]
    fits = np.zeros((LONGEST + 1, NOTES + 1, len(DURATIONS)), np.bool_)
    for index, ticks in enumerate(DURATIONS):
        fits[ticks:, 1:, index] = feasible[:-ticks, :-1]
    fits[..., 0] |= ~fits.any(-1)  # one legal action in places that no work reaches
    sets, number = np.unique(fits.reshape(-1, len(DURATIONS)), axis=0, return_inverse=True)
    legal = np.zeros((FINISHED + 1 + len(sets), NUM_ACTIONS), np.bool_)
    legal[TEMPO_KIND, TO_TEMPO:] = True
    legal[PITCH_KIND, :NUM_PITCHES] = True
    legal[VELOCITY_KIND, TO_VELOCITY:TO_TEMPO] = True
    legal[FINISHED, 0] = True
    legal[FINISHED + 1 :, NUM_PITCHES:TO_VELOCITY] = sets
    kinds = np.zeros((LONGEST + 1, NOTES + 1, KINDS), np.int32)
    kinds[..., AT_TEMPO], kinds[..., AT_PITCH], kinds[..., AT_VELOCITY] = TEMPO_KIND, PITCH_KIND, VELOCITY_KIND
    kinds[..., AT_LENGTH] = kinds[..., AT_REST_LENGTH] = number.reshape(LONGEST + 1, -1) + FINISHED + 1
    kinds[0, :, AT_PITCH] = FINISHED
    note = CHOICES * (NOTES - np.arange(NOTES + 1))  # slots of the notes that have a duration
    slots = np.zeros(kinds.shape, np.int32)
    slots[..., AT_PITCH], slots[..., AT_VELOCITY] = note + 1, note
    slots[..., AT_LENGTH] = slots[..., AT_REST_LENGTH] = np.minimum(note + 2, HORIZON)
    moves = np.zeros(1 + NUM_ACTIONS, np.int64)
    moves[1] = AT_REST_LENGTH - AT_PITCH
    moves[2 : 1 + NUM_PITCHES] = AT_LENGTH - AT_PITCH
    # A length moves on by two kinds: from that of a note to its velocity, from that of a rest to the next pitch.
    moves[1 + NUM_PITCHES : 1 + TO_VELOCITY] = AT_VELOCITY - AT_LENGTH
    moves[1 + NUM_PITCHES : 1 + TO_VELOCITY] -= KINDS * (np.array(DURATIONS) * (NOTES + 1) + 1)
    moves[1 + TO_VELOCITY : 1 + TO_TEMPO] = AT_PITCH - AT_VELOCITY
    moves[1 + TO_TEMPO :] = AT_PITCH - AT_TEMPO
    return Tables((SLOTS * kinds + slots).ravel(), legal, effective_actions(legal).astype(np.int16).ravel(), moves)


@dataclasses.dataclass
class Draft(State):
    """B phrases being played.

    Attributes:
        place: int64 [B], see ``Tables``.
        kind: int32 [B], the row of the legal actions.
        sheet: uint8 [B, T + 5], what is observed: 1 + action in each slot (0 for those to come), the number of the
            next slot, the condition.
    """

    place: NDArray[np.int64]
    kind: NDArray[np.int32]
    sheet: NDArray[np.uint8]


class PhraseTask(Task[Draft]):
    """A phrase of melody, played with expression.

    ### Description
    A tempo is chosen once; then each note is a pitch, a duration and a velocity, how loud it is played. A rest has no
    velocity. The phrase is finished when its four bars are exactly full. Real works are lines of string quartets by
    Haydn, Mozart, Beethoven and Schumann, played as their printed dynamics, hairpins, accents and tempi say, with the
    tonic at C: see ``docs/environments/phrase.md`` for how they were read, cut and split.

    ### Action Space
    ``Discrete(126)``: 0 is a rest, 1-61 the pitches C2 to C7, 62-79 the durations from a twelfth of a quarter to a
    whole note (``DURATIONS``, 24 ticks a quarter), 80-95 the velocities from soft to loud (16 levels of 8 MIDI
    velocities), 96-125 the tempi from 30 to 370 quarter notes a minute, 9% apart. The tempo comes first; then pitch,
    duration and velocity take turns. Durations that overshoot the four bars, or leave a rest that the notes still
    available cannot fill, are illegal. An illegal action ``a`` counts as the ``a mod k``-th of the ``k`` legal ones.

    ### Observation Space
    ``Box``, uint8, 126 numbers: 1 + action in each of 121 slots (the tempo, then pitch, duration and velocity of up to
    40 notes; 0 for those to come, and for the velocity of a rest), the number of the next slot, and the condition:
    composer, part, metre, mode.

    ### Rewards
    0 until the phrase is finished, then the discriminator's score of it plus ``rule_weight`` times the rules, each the
    share in which the phrase keeps it: ``range`` (notes within the range of their part), ``leaps`` (neighbouring notes
    at most an octave apart), ``dynamics`` (neighbouring notes at most six levels of velocity apart). An octave is the
    widest leap that Gauldin allows (1995, A Practical Approach to Eighteenth-Century Counterpoint), as in RL Tuner
    (Jaques et al. 2017); the other bounds are ours: 98% and 99% of real notes keep within them. Masks keep none.

    ### Starting State
    An empty phrase with the condition of a random training phrase.

    ### Episode End
    When four bars are full: 3 to 121 choices.

    ### Arguments
    ``corpus``: a folder of your own MIDI or MusicXML files, or one such file. ``style``: words that fix the condition,
    such as ``"beethoven violin-1"`` or ``"3/4 minor"``.

    ### Version History
    v0: initial version.
    """

    benchmark = "musegym.benchmarks.domains.phrase"
    horizon, num_actions = HORIZON, NUM_ACTIONS
    layout = Sequence(
        (NOTES, 6), (BARS + 1, int(BAR_TICKS.max()), 1 + NUM_PITCHES, len(TICKS), 1 + LEVELS, 1 + len(TEMPI)), "uint8"
    )
    conditions = CONDITIONS
    rule_names = ("range", "leaps", "dynamics")
    data_names = ("quartets",)
    skips_finished = True
    features = (
        Feature("choice", CHOICES + 1),
        Feature("tempo", 1 + len(TEMPI)),
        Feature("bar", BARS + 1),
        Feature("tick", int(BAR_TICKS.max())),
        Feature("pitch", 1 + NUM_PITCHES),
        Feature("duration", len(TICKS)),
        Feature("last_pitch", 1 + NUM_PITCHES),
        Feature("last_velocity", 1 + LEVELS),
        Feature("velocity_before", 1 + LEVELS),
        *(
            Feature(f"{name}_{bars}_ago", size)
            for bars in (1, 2)
            for name, size in (("pitch", 1 + NUM_PITCHES), ("duration", len(TICKS)), ("velocity", 1 + LEVELS))
        ),
    )

    def __init__(self, corpus: str | None = None, style: str | None = None) -> None:
        self._corpus, self._style = absolute(corpus), style
        self.data_name = "" if corpus else "quartets"
        self._fixed = parse_style(style, CONDITIONS)
        last = [*[NUM_ACTIONS] * HORIZON, HORIZON, *(size - 1 for size in self.condition_sizes)]
        self.observation_space = gym.spaces.Box(0, np.array(last, np.uint8), dtype=np.uint8)
        self.medium: Expressive = Expressive(
            PITCHES, DURATIONS, TEMPI, METRES, MODES, RANGES, BARS, reference=lambda: self.works("train")
        )
        self._tables = _tables()

    def kwargs(self) -> Mapping[str, Any]:
        """Returns the arguments that rebuild this task."""
        return {"corpus": self._corpus, "style": self._style}

    def initial(self, draws: NDArray[np.uint64], condition: Ints | None = None) -> Draft:
        """Returns empty phrases, with the condition of random training phrases where none is given."""
        if condition is None:
            condition = self.draw_conditions(draws, self._fixed)
        sheet = np.zeros((len(draws), HORIZON + 1 + len(CONDITIONS)), np.uint8)
        sheet[:, HORIZON + 1 :] = condition
        return Draft(STARTS.take(sheet[:, METRE]), np.full(len(draws), TEMPO_KIND, np.int32), sheet)

    def advance(self, state: Draft, actions: Ints) -> tuple[Draft, Bools]:
        """Writes one choice into every unfinished phrase."""
        tables, sheet = self._tables, state.sheet
        token = (actions + 1) * ~state.done  # 0 in finished rows: they stay
        sheet.reshape(-1)[_starts(len(sheet)) + sheet[:, HORIZON]] = token
        state.place += tables.moves.take(token)
        spot = tables.spots.take(state.place)
        sheet[:, HORIZON] = spot  # the slot: its lowest eight bits
        state.kind = spot // SLOTS
        return state, state.kind == FINISHED

    def action_mask(self, state: Draft) -> Bools:
        """Returns the legal actions, bool [B, 126]."""
        return self._tables.legal.take(state.kind, axis=0)

    def legalise(self, state: Draft, actions: Ints) -> Ints:
        """Returns illegal actions ``a`` as the ``a mod k``-th of the ``k`` legal ones."""
        return self._tables.effective.take(state.kind * NUM_ACTIONS + actions)

    def observe(self, state: Draft) -> NDArray[np.uint8]:
        """Returns uint8 [B, 126]."""
        return state.sheet.copy()

    def restore(self, observations: Array) -> Draft:
        """Inverts ``observe``."""
        sheet = np.array(observations, np.uint8)
        state = self.initial(np.zeros(len(sheet), np.uint64), sheet[:, HORIZON + 1 :])
        written, slot = _read(sheet), sheet[:, HORIZON].astype(np.int64)
        ticks = BARS * BAR_TICKS.take(sheet[:, METRE]) - TICKS.take(written.duration).sum(1)
        left = NOTES - (written.duration > 0).sum(1)
        rests = sheet[np.arange(len(sheet)), np.maximum(slot - 1, 0)] == 1
        by_slot = np.array([AT_PITCH, AT_LENGTH, AT_VELOCITY]).take((slot - 1) % CHOICES)
        choice = np.where(slot == 0, AT_TEMPO, np.where((by_slot == AT_LENGTH) & rests, AT_REST_LENGTH, by_slot))
        state.place[:] = KINDS * (ticks * (NOTES + 1) + left) + choice
        state.kind, state.sheet = self._tables.spots.take(state.place) // SLOTS, sheet
        state.done = state.kind == FINISHED
        return state

    def feature_values(self, state: Draft) -> Ints:
        """Returns int64 [B, 15], about the next choice.

        The kind of choice (tempo, pitch, duration, velocity), the tempo, bar and tick of the note, its pitch and
        duration where they are chosen, the pitch of the note before it, the velocities of the two before it (rests
        passed over), and for one and two bars ago pitch, duration and velocity of the note that began at this tick.
        """
        B, sheet = len(state), state.sheet
        rows, metre, slot = np.arange(B), sheet[:, METRE].astype(np.int64), sheet[:, HORIZON].astype(np.int64)
        pitch, duration, velocity, tempo = (each.astype(np.int64) for each in _read(sheet))
        choice = np.where(slot == 0, 0, 1 + (slot - 1) % CHOICES)
        note = np.minimum((np.maximum(slot, 1) - 1) // CHOICES, NOTES - 1)  # that the choice is about
        ends = np.cumsum(TICKS.take(duration), 1)
        onsets = ends - TICKS.take(duration)
        clock = np.where(state.kind == FINISHED, ends[:, -1], onsets[rows, note])
        bar, tick = SPOTS.take(metre * (LONGEST + 1) + clock, axis=0).astype(np.int64).T
        numbers = np.arange(NOTES)
        before = (numbers < note[:, None]) & (pitch >= BASE)
        last = np.where(before, numbers, -1).max(1)
        earlier = np.where(before & (numbers < last[:, None]), numbers, -1).max(1)
        columns = [choice, tempo, bar, tick]
        columns += [np.where(choice > 1, pitch[rows, note], 0), np.where(choice > 2, duration[rows, note], 0)]
        columns += [np.where(last >= 0, pitch[rows, last], 0), np.where(last >= 0, velocity[rows, last], 0)]
        columns.append(np.where(earlier >= 0, velocity[rows, earlier], 0))
        # The number of the note that began at each tick, after two empty bars; notes to come are in the last column.
        shift = 2 * int(BAR_TICKS.max())
        begun = np.full((B, shift + LONGEST + 2), NOTES)
        begun[rows[:, None], np.where(duration > 0, onsets + shift, -1)] = numbers
        begun[:, -1] = NOTES
        padded = [np.pad(each, ((0, 0), (0, 1))) for each in (pitch, duration, velocity)]
        for bars in (1, 2):
            then = begun[rows, clock + shift - bars * BAR_TICKS.take(metre)]
            columns += [each[rows, then] for each in padded]
        return np.stack(columns, 1)

    def content(self, state: Draft) -> NDArray[np.uint8]:
        """Returns uint8 [B, 40, 6]: (1 + bar, tick, pitch, duration, velocity, tempo) of each note.

        Pitch 0 is padding, 1 a rest, 2 the lowest pitch; duration, velocity and tempo count from 1, 0 is padding, not
        chosen yet or the velocity of a rest. The first row has the tempo before its note.
        """
        sheet = state.sheet
        used = min(-(-int(sheet[:, HORIZON].max(initial=0)) // CHOICES), NOTES)
        values = INDICES.take(sheet[:, : 1 + CHOICES * used])
        notes, tempo = values[:, 1:].reshape(len(sheet), used, CHOICES), values[:, 0]
        ends = TICKS.take(notes[..., 1]).cumsum(1, dtype=np.int16)
        onsets = np.zeros_like(ends)
        onsets[:, 1:] = ends[:, :-1]
        onsets += (sheet[:, METRE, None] * np.int16(LONGEST + 1)).astype(np.int16)
        works = np.zeros((len(sheet), NOTES, 6), np.uint8)
        rows, there = works[:, :used], notes[..., :1] > 0
        np.multiply(SPOTS.take(onsets, axis=0) + FIRST_BAR, there, out=rows[..., :PITCH])
        rows[..., PITCH:TEMPO] = notes
        np.multiply(tempo[:, None], there[..., 0], out=rows[..., TEMPO])
        works[:, 0, TEMPO] = tempo
        return works

    def condition(self, state: Draft) -> Ints:
        """Returns uint8 [B, 4]: composer, part, metre, mode."""
        return state.sheet[:, HORIZON + 1 :].copy()

    def demonstrations(self, contents: Array, conditions: Ints | None = None) -> Ints:
        """Returns the choices int16 [N, 121] that play the phrases.

        Raises:
            ValueError: a content cannot be played, or conditions, which have the metre, are missing.
        """
        contents = np.asarray(contents).astype(np.int16)
        if conditions is None:
            raise ValueError("the metre of a phrase is its condition: pass demonstrations(contents, conditions)")
        slots = np.zeros((len(contents), HORIZON), np.int16)
        slots[:, 0] = contents[:, 0, TEMPO] - 1 + TO_TEMPO
        slots[:, 1::CHOICES] = contents[..., PITCH] - 1
        slots[:, 2::CHOICES] = contents[..., DURATION] - 1 + NUM_PITCHES
        slots[:, 3::CHOICES] = contents[..., VELOCITY] - 1 + TO_VELOCITY
        used = np.ones(slots.shape, np.bool_)
        used[:, 1::CHOICES] = used[:, 2::CHOICES] = contents[..., PITCH] > 0
        used[:, 3::CHOICES] = contents[..., PITCH] > REST
        order = np.argsort(~used, axis=1, kind="stable")
        actions = np.where(np.take_along_axis(used, order, 1), np.take_along_axis(slots, order, 1), 0)
        actions = np.clip(actions, 0, NUM_ACTIONS - 1)
        refuse(not_built(self, contents, actions, np.asarray(conditions)), "phrases", "played")
        return actions

    def rules(self, contents: Array, conditions: Ints | None = None) -> Floats:
        """Returns the share in which phrases keep each rule, float32 [N, 3]; 1 where a phrase has nothing to judge."""
        contents = np.asarray(contents)
        if conditions is None:
            raise ValueError("the part of a phrase is its condition: pass rules(contents, conditions)")
        low, high = np.array(RANGES)[np.asarray(conditions)[:, 1]].T
        sounding = contents[..., PITCH] >= BASE
        order = np.argsort(~sounding, axis=1, kind="stable")
        there = np.take_along_axis(sounding, order, 1)
        pitch, velocity = (
            np.take_along_axis(contents[..., column].astype(np.int64), order, 1) for column in (PITCH, VELOCITY)
        )
        midi, between = pitch - BASE + LOWEST, there[:, 1:]
        within = (midi >= low[:, None]) & (midi <= high[:, None])
        kept = (
            (within, there),
            (np.abs(np.diff(midi, axis=1)) <= OCTAVE, between),
            (np.abs(np.diff(velocity, axis=1)) <= LARGEST_CHANGE, between),
        )
        shares = [1 - (~good & where).sum(1) / np.maximum(where.sum(1), 1) for good, where in kept]
        return np.stack(shares, 1).astype(np.float32)

    def works(self, split: Split) -> Works:
        """Returns the phrases of a split, uint8 [N, 40, 6], related by their piece."""
        return _works(self._corpus).usable(split)

    def corpus_report(self) -> CorpusReport:
        """Returns counts of the files and phrases, and the reasons for leaving parts out."""
        return _works(self._corpus).report

    def tokens(self, contents: Array) -> Ints:
        """Returns int [N, 40], a number for each note (pitch, duration; 0 = padding), the units of counted copies."""
        return np.asarray(contents[:, :, PITCH], np.int64) * len(TICKS) + contents[:, :, DURATION]

    def first_choice(self, state: Draft) -> int | None:
        """Returns a usual choice, or that of the note before: others are near."""
        pitch, duration, velocity, _ = (each[0].astype(int) for each in _read(state.sheet[:1]))
        sounding = np.flatnonzero((pitch >= BASE) & (velocity > 0))
        kind, last = int(state.kind[0]), int(sounding[-1]) if len(sounding) else -1
        if kind == TEMPO_KIND:
            return TO_TEMPO + TEMPI.index(120.0)
        if kind == PITCH_KIND:
            middle = sum(RANGES[int(state.sheet[0, HORIZON + 2])]) // 2
            return int(pitch[last]) - 1 if last >= 0 else middle - LOWEST + 1
        if kind == VELOCITY_KIND:
            return TO_VELOCITY + (int(velocity[last]) - 1 if last >= 0 else LEVELS // 2)
        return NUM_PITCHES + (int(duration[last]) - 1 if last >= 0 else DURATIONS.index(24))

    def action_name(self, action: int) -> str:
        """Returns "rest", a MIDI pitch above a tonic C, ticks, a velocity or a tempo, as in "120 a minute"."""
        if action < NUM_PITCHES:
            return str(LOWEST + action - 1) if action else "rest"
        if action < TO_VELOCITY:
            return f"{DURATIONS[action - NUM_PITCHES]} ticks"
        if action < TO_TEMPO:
            return f"velocity {self.medium.velocity(action - TO_VELOCITY + 1)}"
        return f"{TEMPI[action - TO_TEMPO]:.0f} a minute"


class _Written(NamedTuple):
    """Indices in sheets: of pitch, duration and velocity as in contents, each [B, 40], and of the tempo [B]."""

    pitch: NDArray[np.uint8]
    duration: NDArray[np.uint8]
    velocity: NDArray[np.uint8]
    tempo: NDArray[np.uint8]


def _read(sheet: NDArray[np.uint8]) -> _Written:
    """Reads the slots of sheets [B, T + 5]."""
    values = INDICES.take(sheet[:, :HORIZON])
    return _Written(values[:, 1::CHOICES], values[:, 2::CHOICES], values[:, 3::CHOICES], values[:, 0])


@functools.lru_cache(maxsize=16)
def _starts(rows: int) -> Ints:
    """Returns where the sheet of each row begins in all of them, int64 [rows]."""
    return (HORIZON + 1 + len(CONDITIONS)) * np.arange(rows)


def encode(phrases: list[Phrase]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Returns phrases as contents uint8 [N, 40, 6] and conditions int64 [N, 4]."""
    contents = np.zeros((len(phrases), NOTES, 6), np.uint8)
    conditions = np.array([(p.composer, p.part, p.metre, p.mode) for p in phrases], np.int64).reshape(-1, 4)
    tempi = np.log([p.tempo for p in phrases])[:, None] - np.log(TEMPI)
    for content, phrase, tempo in zip(contents, phrases, np.abs(tempi).argmin(1), strict=True):
        pitch, ticks, velocity = phrase.notes.T.astype(np.int64)
        rows, rest = content[: len(pitch)], pitch < 0
        rows[:, :PITCH] = SPOTS[phrase.metre * (LONGEST + 1) + np.cumsum(ticks) - ticks] + FIRST_BAR
        rows[:, PITCH] = np.where(rest, REST, pitch - LOWEST + BASE)
        rows[:, DURATION] = np.searchsorted(DURATIONS, ticks) + 1
        rows[:, VELOCITY] = np.where(rest, 0, velocity // PER_LEVEL + 1)
        rows[:, TEMPO] = tempo + 1
    return contents, conditions


@functools.cache
def _works(corpus: str | None) -> UsableWorks:
    """Returns the phrases of a corpus by split; equal ones count once."""
    phrases = load_phrases(corpus)
    contents, conditions = encode(list(phrases.items))
    # The same notes in another part or piece would tell one split about the other.
    keys = [own[2:].tobytes() + content.tobytes() for own, content in zip(conditions, contents, strict=True)]
    pieces = [phrase.piece for phrase in phrases.items]
    return phrases_as_works(phrases, contents, conditions, keys, pieces, "piece", corpus)
