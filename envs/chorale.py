"""Composing a phrase of a chorale for four voices, eighth by eighth: soprano, alto, tenor, bass."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from .building import effective_actions, not_built, refuse
from .corpora.chorales import HIGHEST, LOWEST, METRES, MODES, PLACES, STEPS, UPBEATS, Phrase, load_phrases
from .corpora.dealt import phrases_as_works
from .corpora.files import absolute
from .corpora.usable import UsableWorks
from .media import voiceleading
from .media.bachormock import VOICES
from .media.choir import BASE, BEGINS, FIRST, REST, Choir, to_c
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

TONICS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
CONDITIONS = (
    Condition("tonic", TONICS),
    Condition("mode", MODES),
    Condition("metre", tuple(f"{beats}/{unit}" for beats, unit in METRES)),
    Condition("upbeat", ("no-upbeat", "1/4-upbeat", "1/2-upbeat", "3/4-upbeat")),
    Condition("phrase", PLACES),
)
COUNT = len(VOICES)
HORIZON = COUNT * STEPS
HOLD = 0  # actions: go on, rest, the pitches as in contents, end
BOTTOM = LOWEST - 6  # MIDI pitch of BASE, the tonic at C
TOP = HIGHEST + 5
VALUES = BASE + TOP - BOTTOM + 1  # of a voice: none, rest, pitches
END = VALUES
NUM_ACTIONS = END + 1
LONGEST_HELD = 8  # steps since a voice began its note; more count as this
BAR_STEPS = np.array([8 * beats // unit for beats, unit in METRES])
PLACES_IN_BAR = ((np.arange(STEPS + 1) - np.array(UPBEATS)[:, None]) % BAR_STEPS[:, None, None]).astype(np.uint8)
"""Eighths between a step and the bar line before it, by metre, upbeat and step."""
COLUMN = ((PLACES_IN_BAR[:, :, None, :STEPS] + np.uint8(1)) * np.tri(STEPS + 1, STEPS, -1, np.uint8)).astype(np.uint8)
"""First column of contents by metre, upbeat and number of steps."""
TONIC, METRE, UPBEAT = (HORIZON + 1 + column for column in (0, 2, 3))  # columns of a sheet
WIDTH = HORIZON + 2 * COUNT  # of the voices' values: a chord before the first one, and room beyond the last
FIRST_CHORD, SOUNDING, RESTING = range(3)  # kinds of choices; each twice, for other voices and the soprano
OWN = np.array([HOLD < action < END for action in range(NUM_ACTIONS)])
"""Actions that are the value of their voice."""
KINDS = np.array(
    [
        len(TONICS) * (2 * (SOUNDING if count >= COUNT else FIRST_CHORD) + (count % COUNT == 0))
        for count in range(HORIZON + 1)
    ],
    np.int32,
)
"""Kind of the next choice by the number of choices made, for a voice that does not rest and the tonic C."""
TO_RESTING = np.int32(2 * len(TONICS) * (RESTING - SOUNDING))


@functools.cache
def _tables() -> tuple[Bools, NDArray[np.int16]]:
    """Returns legal actions [kinds * 12, A] and effective ones, which ``legalise`` returns, [kinds * 12 * A].

    Kinds are of the first chord, of voices that sound, and of those that rest, each for other voices and the soprano.
    """
    legal = np.zeros((3, 2, len(TONICS), NUM_ACTIONS), np.bool_)
    legal[[SOUNDING, RESTING], :, :, HOLD] = True
    legal[[FIRST_CHORD, SOUNDING], :, :, REST] = True
    legal[[SOUNDING, RESTING], 1, :, END] = True
    for tonic in range(len(TONICS)):
        moved = int(to_c(np.array(tonic))) - BOTTOM + BASE
        legal[:, :, tonic, LOWEST + moved : HIGHEST + moved + 1] = True
    rows = legal.reshape(-1, NUM_ACTIONS)
    return rows, effective_actions(rows).astype(np.int16).ravel()


@dataclasses.dataclass
class Draft(State):
    """B phrases being composed.

    Attributes:
        sheet: uint8 [B, T + 6], what is observed: 1 + action for each choice made (0 for those to come), the number of
            choices made, the condition.
        values: uint8 [B, T + 8], what each voice has after each choice, as in contents; it begins with a chord of 0.
        kind: int32 [B], the row of ``_tables`` for the next choice.
    """

    sheet: NDArray[np.uint8]
    values: NDArray[np.uint8]
    kind: NDArray[np.int32]


class ChoraleTask(Task[Draft]):
    """A phrase of a chorale for four voices.

    ### Description
    A phrase is composed in eighths; in each, soprano, alto, tenor and bass in turn begin a note, go on or rest, and the
    soprano may end the phrase instead. Real works are the phrases of J. S. Bach's chorales, reduced to eighths and
    written with their tonic at C: see ``docs/environments/chorale.md`` for how they were cut and split.

    ### Action Space
    ``Discrete(60)``: 0 goes on with the note or the rest, 1 rests, 2-58 are the pitches F#1 to D6 above a tonic C, 59
    ends the phrase. Legal are the 46 pitches that sound as C2 to A5 in the phrase's own key; going on and the end after
    the first chord, the end for the soprano alone, a rest unless the voice rests. An illegal action ``a`` counts as the
    ``a mod k``-th of the ``k`` legal ones.

    ### Observation Space
    ``Box``, uint8, 134 numbers: 1 + action for each of up to 128 choices (0 for those to come), the number of choices
    made, and the condition: tonic, mode, metre, upbeat, whether the phrase opens or closes its chorale.

    ### Rewards
    0 until the phrase is finished, then the discriminator's score of it plus ``rule_weight`` times the rules, each the
    share in which the phrase keeps it: ``crossing`` (steps without a voice below a lower one), ``spacing`` (steps with
    at most an octave between soprano and alto, alto and tenor), ``range`` (time within the voices' ranges),
    ``parallels`` (pairs of voices that move together without parallel fifths and octaves). ``media.voiceleading`` has
    their sources. Masks keep none of them.

    ### Starting State
    An empty phrase with the condition of a random training phrase.

    ### Episode End
    When the soprano ends it, or after 32 eighths: 5 to 128 choices.

    ### Arguments
    ``corpus``: a folder of your own MIDI or MusicXML files for four voices, or one such file. ``style``: words that fix
    the condition, such as ``"G minor"``, ``"3/4"``, ``"1/4-upbeat"`` or ``"closing"``.

    ### Version History
    v0: initial version.
    """

    benchmark = "musegym.benchmarks.domains.chorale"
    horizon, num_actions = HORIZON, NUM_ACTIONS
    layout = Sequence((STEPS, BEGINS + 1), (1 + int(BAR_STEPS.max()), *[VALUES] * COUNT, 1 << COUNT), "uint8")
    conditions = CONDITIONS
    rule_names = voiceleading.RULES
    data_names = ("chorales",)
    skips_finished = True
    features = (
        Feature("voice", COUNT),
        Feature("step", STEPS + 1),
        Feature("place", len(METRES) * int(BAR_STEPS.max())),
        Feature("own", COUNT * VALUES),
        *(Feature(name, 2 * VALUES) for name in VOICES),
        Feature("begun", 1 << (COUNT - 1)),
        Feature("held", LONGEST_HELD + 1),
        *(Feature(f"parallel_{name}", VALUES) for name in VOICES[:-1]),
    )

    def __init__(self, corpus: str | None = None, style: str | None = None) -> None:
        self._corpus, self._style = absolute(corpus), style
        self.data_name = "" if corpus else "chorales"
        self._fixed = parse_style(style, CONDITIONS)
        last = [*[NUM_ACTIONS] * HORIZON, HORIZON, *(size - 1 for size in self.condition_sizes)]
        self.observation_space = gym.spaces.Box(0, np.array(last, np.uint8), dtype=np.uint8)
        self.medium: Choir = Choir(
            BOTTOM, (LOWEST, HIGHEST), MODES, METRES, UPBEATS, PLACES, reference=lambda: self.works("train")
        )
        self._legal, self._effective = _tables()

    def kwargs(self) -> Mapping[str, Any]:
        """Returns the arguments that rebuild this task."""
        return {"corpus": self._corpus, "style": self._style}

    def initial(self, draws: NDArray[np.uint64], condition: Ints | None = None) -> Draft:
        """Returns empty phrases, with the condition of random training phrases where none is given."""
        if condition is None:
            condition = self.draw_conditions(draws, self._fixed)
        sheet = np.zeros((len(draws), HORIZON + 1 + len(CONDITIONS)), np.uint8)
        sheet[:, HORIZON + 1 :] = condition
        return Draft(sheet, np.zeros((len(draws), WIDTH), np.uint8), KINDS[0] + sheet[:, TONIC].astype(np.int32))

    def advance(self, state: Draft, actions: Ints) -> tuple[Draft, Bools]:
        """Appends one choice to every unfinished phrase."""
        sheet, values, going = state.sheet, state.values.reshape(-1), ~state.done
        choice = actions.astype(np.uint8)
        starts, sheet_starts = _starts(len(sheet))
        count = sheet[:, HORIZON].astype(np.int64)
        at = starts + count
        before = values.take(at)  # modulo 256, the next line adds nothing or what makes it the choice
        values[at + COUNT] = before + (choice - before) * OWN.take(actions)  # read of unfinished rows alone
        sheet.reshape(-1)[sheet_starts + count] = (choice + 1) * going
        count += going
        sheet[:, HORIZON] = count
        kind = KINDS.take(count)
        kind += (values.take(at + going) == REST) * TO_RESTING
        kind += sheet[:, TONIC]
        state.kind = kind
        return state, state.done | (choice == END) | (count == HORIZON)

    def action_mask(self, state: Draft) -> Bools:
        """Returns the legal actions, bool [B, 60]."""
        return self._legal.take(state.kind, axis=0)

    def legalise(self, state: Draft, actions: Ints) -> Ints:
        """Returns illegal actions ``a`` as the ``a mod k``-th of the ``k`` legal ones."""
        return self._effective.take(state.kind * NUM_ACTIONS + actions)

    def observe(self, state: Draft) -> NDArray[np.uint8]:
        """Returns uint8 [B, 134]."""
        return state.sheet.copy()

    def restore(self, observations: Array) -> Draft:
        """Inverts ``observe``."""
        sheet = np.array(observations, np.uint8)
        state = self.initial(np.zeros(len(sheet), np.uint64), sheet[:, HORIZON + 1 :])
        state.done = np.zeros(len(sheet), np.bool_)
        for step in range(int(sheet[:, HORIZON].max(initial=0))):
            state.done = step >= sheet[:, HORIZON]
            state, _ = self.advance(state, np.maximum(sheet[:, step].astype(np.int64) - 1, HOLD))
        state.done = (sheet[:, HORIZON] == HORIZON) | (sheet[:, :HORIZON] == 1 + END).any(1)
        return state

    def feature_values(self, state: Draft) -> Ints:
        """Returns int64 [B, 13], about the next choice.

        The voice, the step, the place in the bar by metre; the value of its voice, by voice; that of each voice,
        ``VALUES`` more where it has chosen in this step; which of the voices above began a note in this step (bits);
        how many choices ago its voice began what it has; and for each voice above the pitch that would make a parallel
        fifth or octave with it, 0 for none.
        """
        sheet, rows = state.sheet, np.arange(len(state))
        count = sheet[:, HORIZON].astype(np.int64)
        step, voice = np.divmod(count, COUNT)
        own = state.values[rows, count].astype(np.int64)
        chosen = np.arange(COUNT) < voice[:, None]
        at = COUNT * step[:, None] + np.arange(COUNT)
        before = np.take_along_axis(state.values, at, 1).astype(np.int64)
        now = np.take_along_axis(state.values, at + COUNT * chosen, 1).astype(np.int64)
        tokens = np.take_along_axis(sheet, at[:, : COUNT - 1], 1)
        begun = ((chosen[:, : COUNT - 1] & (tokens > BASE)) << np.arange(COUNT - 1)).sum(1)
        held, goes_on = np.zeros((2, len(sheet)), np.int64)
        for choices in range(1, LONGEST_HELD + 1):
            back = count - COUNT * choices
            goes_on = (back >= 0) & ((choices == 1) | (goes_on & (sheet[rows, back + COUNT] == 1 + HOLD)))
            held += goes_on
        above, above_before = now[:, : COUNT - 1], before[:, : COUNT - 1]
        moved, apart = above - above_before, (above_before - own[:, None]) % voiceleading.OCTAVE
        perfect = (apart == 0) | (apart == voiceleading.FIFTH)
        sounding = (np.minimum(above, above_before) >= BASE) & (own[:, None] >= BASE)
        errs = chosen[:, : COUNT - 1] & perfect & sounding & (moved != 0)
        risks = np.where(errs, np.clip(own[:, None] + moved, 0, VALUES - 1), 0)
        metre = sheet[:, METRE].astype(np.int64)
        place = metre * int(BAR_STEPS.max()) + PLACES_IN_BAR[metre, sheet[:, UPBEAT], step]
        return np.column_stack(
            [
                voice,
                step,
                place,
                voice * VALUES + own,
                now + VALUES * chosen,
                begun,
                held,
                risks,
            ]
        )

    def content(self, state: Draft) -> NDArray[np.uint8]:
        """Returns uint8 [B, 32, 6]: 1 + place in the bar, the voices' values, which of them begin a note (bits).

        Unfinished phrases have a row, with its place in the bar, for the step that is being written.
        """
        count, used = state.sheet[:, HORIZON].astype(np.int64), -(-int(state.sheet[:, HORIZON].max(initial=0)) // COUNT)
        tokens = state.sheet[:, : used * COUNT].reshape(len(state), used, COUNT)
        written = tokens - np.uint8(1) < END  # 0 becomes 255
        values = state.values[:, COUNT : (used + 1) * COUNT].reshape(tokens.shape)
        works = np.zeros((len(state), STEPS, BEGINS + 1), np.uint8)
        length = np.minimum(count // COUNT + ~state.done, STEPS)
        works[..., 0] = COLUMN[state.sheet[:, METRE], state.sheet[:, UPBEAT], length]
        np.multiply(values, written, out=works[:, :used, FIRST:BEGINS])
        works[:, :used, BEGINS] = np.packbits(written & (tokens > BASE), axis=2, bitorder="little")[..., 0]
        return works

    def condition(self, state: Draft) -> Ints:
        """Returns uint8 [B, 5]: tonic, mode, metre, upbeat, phrase."""
        return state.sheet[:, HORIZON + 1 :].copy()

    def demonstrations(self, contents: Array, conditions: Ints | None = None) -> Ints:
        """Returns the choices int16 [N, 128] that compose the phrases.

        Raises:
            ValueError: a content cannot be composed, or conditions, which have the key, are missing.
        """
        contents = np.asarray(contents)
        if conditions is None:
            raise ValueError("the key of a phrase is its condition: pass demonstrations(contents, conditions)")
        values, begins = contents[..., FIRST:BEGINS], contents[..., BEGINS, None] >> np.arange(COUNT) & 1
        before = np.concatenate([np.zeros_like(values[:, :1]), values[:, :-1]], 1)
        starts = (begins > 0) | ((values == REST) & (before != REST))
        actions = np.where(starts, values, HOLD).reshape(len(contents), -1).astype(np.int16)
        length = (contents[..., 0] > 0).sum(1)
        short = np.flatnonzero(length < STEPS)
        actions[short, COUNT * length[short]] = END
        refuse(not_built(self, contents, actions, np.asarray(conditions)), "phrases", "composed")
        return actions

    def rules(self, contents: Array, conditions: Ints | None = None) -> Floats:
        """Returns the share in which phrases keep each rule, float32 [N, 4]."""
        return voiceleading.kept(self.medium.voicing(contents, conditions)).astype(np.float32)

    def works(self, split: Split) -> Works:
        """Returns the phrases of a split, uint8 [N, 32, 6], related by the family of their melody."""
        return _works(self._corpus).usable(split)

    def corpus_report(self) -> CorpusReport:
        """Returns counts of the files and phrases, and the reasons for leaving parts out."""
        return _works(self._corpus).report

    def tokens(self, contents: Array) -> Ints:
        """Returns int [N, 32], a number for each chord (0 = padding), the units of counted copies."""
        found = np.zeros(contents.shape[:2], np.int64)
        for column in range(FIRST, BEGINS + 1):
            found = found * VALUES + contents[:, :, column]
        return found

    def first_choice(self, state: Draft) -> int | None:
        """Returns the pitch that the voice has, at first the middle of its range: others are near."""
        count = int(state.sheet[0, HORIZON])
        own, voice = int(state.values[0, count]), count % COUNT
        if own >= BASE or count >= COUNT:
            return own if own >= BASE else None
        return sum(voiceleading.RANGES[voice]) // 2 + int(to_c(state.sheet[0, TONIC].astype(np.int64))) - BOTTOM + BASE

    def action_name(self, action: int) -> str:
        """Returns "hold", "rest", "end", or a pitch above a tonic C as its MIDI number."""
        return {HOLD: "hold", REST: "rest", END: "end"}.get(action) or str(action - BASE + BOTTOM)


@functools.lru_cache(maxsize=16)
def _starts(rows: int) -> tuple[Ints, Ints]:
    """Returns where the values and the sheet of each row begin in all of them, int64 [rows] each."""
    return WIDTH * np.arange(rows), (HORIZON + 1 + len(CONDITIONS)) * np.arange(rows)


def encode(phrases: list[Phrase]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Returns phrases as contents uint8 [N, 32, 6] and conditions int64 [N, 5]."""
    contents = np.zeros((len(phrases), STEPS, BEGINS + 1), np.uint8)
    conditions = np.array(
        [
            (p.tonic, MODES.index(p.mode), METRES.index(p.metre), UPBEATS.index(p.upbeat), PLACES.index(p.place))
            for p in phrases
        ],
        np.int64,
    ).reshape(-1, len(CONDITIONS))
    for content, condition, phrase in zip(contents, conditions, phrases, strict=True):
        rows = content[: len(phrase.pitches)]
        moved = phrase.pitches + to_c(condition[0]) - BOTTOM + BASE
        rows[:, 0] = 1 + PLACES_IN_BAR[condition[2], condition[3], : len(rows)]
        rows[:, FIRST:BEGINS] = np.where(phrase.pitches < 0, REST, moved)
        rows[:, BEGINS] = (phrase.begins << np.arange(COUNT)).sum(1)
    return contents, conditions


@functools.cache
def _works(corpus: str | None) -> UsableWorks:
    """Returns the phrases of a corpus by split; equal ones count once."""
    phrases = load_phrases(corpus)
    contents, conditions = encode(list(phrases.items))
    keys = [own.tobytes() + content.tobytes() for own, content in zip(conditions, contents, strict=True)]
    families = [phrase.family for phrase in phrases.items]
    return phrases_as_works(phrases, contents, conditions, keys, families, "unrelated chorale", corpus)
