"""Writing a phrase of a folk tune, note by note: pitch, then duration, until four bars are full."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from .building import effective_actions, not_built, refuse
from .corpora.files import absolute
from .corpora.tunes import Strain, load_strains
from .corpora.usable import UsableWorks
from .corpora.works import Cut, cut_works
from .media.score import Score
from .task import Array, Bools, Condition, CorpusReport, Feature, Ints, Sequence, Split, State, Task, Works, parse_style

BARS = 4
NOTES = 36  # 98% of the phrases of four bars have no more
TICKS_PER_WHOLE = 96
METRES = ((2, 4), (3, 4), (4, 4), (6, 8), (9, 8))  # 2/2 counts as 4/4: the sources use C and C| alike
MODES = ("major", "minor", "dorian", "mixolydian")
UPBEATS = (0, 6, 12, 24, 36)  # ticks
CONDITIONS = (
    Condition("metre", tuple(f"{beats}/{unit}" for beats, unit in METRES)),
    Condition("mode", MODES),
    Condition("upbeat", ("no-upbeat", "1/16-upbeat", "1/8-upbeat", "1/4-upbeat", "3/8-upbeat")),
    Condition("phrase", ("opening", "closing")),
)
PITCHES = tuple(range(55, 90))  # MIDI, with the tonic at C
DURATIONS = (2, 3, 4, 6, 8, 9, 12, 18, 24, 36, 48, 60, 72, 96)  # ticks: 99.9% of all notes
WRITABLE = frozenset(DURATIONS)
CHOICES = 2  # per note: pitch, then duration. A velocity would be one more, before the duration
HORIZON = CHOICES * NOTES

BAR_TICKS = np.array([TICKS_PER_WHOLE * beats // unit for beats, unit in METRES], np.int16)
UPBEAT_TICKS = np.array(UPBEATS, np.int16)
NUM_PITCHES = 1 + len(PITCHES)  # the first is a rest
NUM_ACTIONS = NUM_PITCHES + len(DURATIONS)
LONGEST_ECHO, SURE = 7, 2
LONGEST = BARS * int(BAR_TICKS.max())
DONE = CHOICES * (NOTES + 1)  # places below have no tick left
_SHIFTED = np.arange(LONGEST + 1) + BAR_TICKS[:, None, None] - UPBEAT_TICKS[:, None]  # [metres, upbeats, onsets]
PLACES = np.stack(np.divmod(_SHIFTED, BAR_TICKS[:, None, None]), -1).reshape(-1, 2).astype(np.int16)
"""Bar and tick within it by metre, upbeat and onset."""
TICKS = np.array([0, *DURATIONS], np.int16)  # by duration index of a content, 0 for padding


@functools.cache
def _tables() -> tuple[NDArray[np.int32], Bools, NDArray[np.int16], NDArray[np.int32]]:
    """Returns kinds [places], legal [kinds, A], effective actions [kinds * A], the move of a token [1 + A].

    A *place* counts (ticks left, notes left, choices already made for this note); a choice moves it
    by a fixed amount, so that dynamics, masks and legality are look-ups. Places with the same legal
    actions are of one *kind*: the tables of kinds are small enough to stay in the processor's cache.
    A token is 1 + the action, or 0 where the phrase is finished. Effective actions are what ``legalise`` returns.
    """
    # [ticks, notes]: true where exactly so many ticks can be filled with at most so many notes
    feasible = np.zeros((LONGEST + 1, NOTES + 1), bool)
    feasible[0] = True
    for left in range(1, NOTES + 1):
        for ticks in DURATIONS:
            feasible[ticks:, left] |= feasible[:-ticks, left - 1]
    legal = np.zeros((LONGEST + 1, NOTES + 1, CHOICES, NUM_ACTIONS), bool)
    legal[:, :, 0, :NUM_PITCHES] = True
    for i, ticks in enumerate(DURATIONS):
        legal[ticks:, 1:, 1, NUM_PITCHES + i] = feasible[:-ticks, :-1]
    # One legal action in places that no work reaches, and in finished rows
    legal[:, :, 1, NUM_PITCHES] |= ~legal[:, :, 1].any(-1)
    packed = np.packbits(legal.reshape(-1, NUM_ACTIONS), axis=1)
    _, firsts, kinds = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    legal = legal.reshape(-1, NUM_ACTIONS)[firsts]
    effective = effective_actions(legal).astype(np.int16)
    moves = np.ones(1 + NUM_ACTIONS, np.int32)
    moves[0] = 0
    moves[1 + NUM_PITCHES :] = -(CHOICES * (np.array(DURATIONS) * (NOTES + 1) + 1) + CHOICES - 1)
    return kinds.ravel().astype(np.int32), legal, effective.ravel(), moves


@dataclasses.dataclass
class Draft(State):
    """B phrases being written.

    Attributes:
        place: int32 [B], see ``_tables``.
        sheet: int16 [B, T + 5], what is observed: 1 + action for each choice made (0 for those to
            come), the number of choices made, the condition.
    """

    place: NDArray[np.int32]
    sheet: NDArray[np.int16]


class MelodyTask(Task[Draft]):
    """Four bars of a folk tune.

    ### Description
    A phrase is written note by note; each note is a pitch (or a rest) and then a duration, and the
    phrase is finished when its four bars are exactly full. Real works are the phrases of about
    4,000 Irish, Scottish and American tunes, transposed so that the tonic is C: see
    ``docs/environments/melody.md`` for how they were cut and why.

    ### Action Space
    ``Discrete(50)``: 0 is a rest, 1-35 the pitches G3 to F6, 36-49 the durations from a sextuplet
    sixteenth to a whole note (``DURATIONS``, 24 ticks a quarter). Pitches and durations alternate.
    Durations that overshoot the four bars, or leave a rest that the notes still available cannot
    fill, are illegal. An illegal action ``a`` counts as the ``a mod k``-th of the ``k`` legal ones.

    ### Observation Space
    ``MultiDiscrete``, 77 numbers: 1 + action for each of up to 72 choices (0 for those to come),
    the number of choices made, and the condition: metre, mode, upbeat, whether the phrase closes
    its strain.

    ### Rewards
    0 until the phrase is finished, then the discriminator's score of it. No rule reward.

    ### Starting State
    An empty phrase with the condition of a random training phrase.

    ### Episode End
    When four bars are full: 4 to 72 choices.

    ### Arguments
    ``corpus``: a folder of your own ABC or MIDI files, or one such file. ``essen``: adds the Essen folk songs
    (non-commercial licence). ``style``: words that fix the condition, such as ``"6/8 minor"``, ``"closing"`` or
    ``"1/8-upbeat"``.

    ### Version History
    v0: initial version.
    """

    benchmark = "musegym.benchmarks.domains.melody"
    horizon = HORIZON
    num_actions = NUM_ACTIONS
    layout = Sequence((NOTES, 4), (BARS + 1, int(BAR_TICKS.max()), 1 + NUM_PITCHES, len(TICKS)))
    conditions = CONDITIONS
    features = (
        Feature("choice", CHOICES),
        Feature("bar", BARS + 1),
        Feature("tick", int(BAR_TICKS.max())),
        *(
            Feature(f"{name}_{bars}_ago", size)
            for bars in (1, 2)
            for name, size in (
                ("pitch", (1 + SURE) * (1 + NUM_PITCHES)),
                ("duration", (1 + SURE) * len(TICKS)),
                ("same_since", LONGEST_ECHO + 1),
            )
        ),
    )
    skips_finished = True
    data_names = ("tunes",)

    def __init__(self, corpus: str | None = None, style: str | None = None, essen: bool = False) -> None:
        self._corpus, self._style, self._essen = absolute(corpus), style, essen
        self.data_name = "" if corpus else "tunes"
        self._fixed = parse_style(style, CONDITIONS)
        self.observation_space = gym.spaces.MultiDiscrete(
            np.array(HORIZON * [1 + NUM_ACTIONS] + [1 + HORIZON, *self.condition_sizes])
        )
        self.medium = Score(PITCHES, DURATIONS, METRES, MODES, UPBEATS, BARS, reference=lambda: self.works("train"))
        self._kinds, self._legal, self._effective, self._moves = _tables()

    def kwargs(self) -> Mapping[str, Any]:
        """Returns the arguments that rebuild this task."""
        return {"corpus": self._corpus, "style": self._style, "essen": self._essen}

    def initial(self, draws: NDArray[np.uint64], condition: Ints | None = None) -> Draft:
        """Returns empty phrases, with the condition of random training phrases where none is given."""
        if condition is None:
            condition = self.draw_conditions(draws, self._fixed)
        sheet = np.zeros((len(draws), HORIZON + 1 + condition.shape[1]), np.int16)
        sheet[:, HORIZON + 1 :] = condition
        ticks = BARS * BAR_TICKS[condition[:, 0]].astype(np.int32)
        return Draft(CHOICES * (ticks * (NOTES + 1) + NOTES), sheet)

    def advance(self, state: Draft, actions: Ints) -> tuple[Draft, Bools]:
        """Appends one choice to every unfinished phrase."""
        place, sheet = state.place, state.sheet
        going = place >= DONE
        token = (actions + 1) * going  # 0 in finished rows: they stay
        step = sheet[:, HORIZON]
        sheet[np.arange(len(place)), step] = np.where(step < HORIZON, token, HORIZON)  # where the count stands
        step += going
        place += self._moves.take(token)
        return state, place < DONE

    def action_mask(self, state: Draft) -> Bools:
        """Returns the legal actions, bool [B, 50]."""
        return self._legal.take(self._kinds.take(state.place), axis=0)

    def legalise(self, state: Draft, actions: Ints) -> Ints:
        """Returns illegal actions ``a`` as the ``a mod k``-th of the ``k`` legal ones."""
        return self._effective.take(self._kinds.take(state.place) * NUM_ACTIONS + actions)

    def observe(self, state: Draft) -> NDArray[np.int64]:
        """Returns int64 [B, 77]."""
        return state.sheet.astype(np.int64)

    def restore(self, observations: Array) -> Draft:
        """Inverts ``observe``."""
        sheet = np.array(observations, np.int16)
        state = Draft(np.zeros(len(sheet), np.int32), sheet)
        duration = _notes(state)[1]
        ticks_left = BARS * BAR_TICKS[sheet[:, HORIZON + 1]].astype(np.int32) - TICKS[duration].sum(1)
        notes_left = NOTES - (duration > 0).sum(1)
        choice = np.where(ticks_left > 0, sheet[:, HORIZON] % CHOICES, 0)
        state.place[:] = CHOICES * (ticks_left * (NOTES + 1) + notes_left) + choice
        state.done[:] = state.place < DONE
        return state

    def feature_values(self, state: Draft) -> Ints:
        """Returns int [B, 9]: the place of the next choice, and the notes one and two bars before it.

        The choice within the note, the bar, the tick within the bar; then, for one and for two bars ago,
        pitch and duration (as in contents, 0 for none) of the note that began at this tick, and how many
        of the latest notes, up to 7, were the same as then: folk tunes repeat their bars, which a
        recurrent network alone is slow to learn. Pitch and duration are numbers of their own where none,
        one, or more of the latest notes were the same, so that one look-up says how far to trust them.
        """
        B, metre, upbeat = len(state), state.sheet[:, HORIZON + 1], state.sheet[:, HORIZON + 3]
        length = BAR_TICKS[metre].astype(np.int64)
        clock = BARS * length - state.place // DONE
        bar, tick = _position(clock, metre, upbeat).T
        pitch, duration, onset = _notes(state, int(state.sheet[:, HORIZON].max()))
        written = duration > 0
        notes = np.where(written, pitch * len(TICKS) + duration, 0)
        # The note that began at each tick, after two empty bars; the last column holds notes that are not written yet.
        begun = np.zeros((B, 2 * int(BAR_TICKS.max()) + LONGEST + 1), np.int64)
        rows, shift = np.arange(B)[:, None], 2 * int(BAR_TICKS.max())
        begun[rows, np.where(written, onset + shift, -1)] = notes
        begun[:, -1] = 0
        columns = [state.place % CHOICES, np.minimum(bar, BARS), tick]
        for bars in (1, 2):
            back = bars * length[:, None]
            echo = begun[rows, clock[:, None] + shift - back][:, 0]
            differs = written & (begun[rows, onset + shift - back] != notes)
            since = written.sum(1) - (differs * np.arange(1, differs.shape[1] + 1)).max(1, initial=0)
            sure = np.minimum(since, SURE)
            columns += [echo // len(TICKS) + sure * (1 + NUM_PITCHES), echo % len(TICKS) + sure * len(TICKS)]
            columns.append(np.minimum(since, LONGEST_ECHO))
        return np.stack(columns, 1)

    def content(self, state: Draft) -> NDArray[np.int16]:
        """Returns int16 [B, 36, 4]: (bar, tick, pitch, duration) of each note.

        Pitch 0 is padding, 1 a rest, 2 the lowest pitch; duration 0 is padding (or not chosen yet).
        """
        condition, choices = state.sheet[:, HORIZON + 1 :], int(state.sheet[:, HORIZON].max(initial=0))
        pitch, duration, onset = _notes(state, choices + choices % CHOICES)
        works = np.zeros((len(state), NOTES, 4), np.int16)
        written = works[:, : pitch.shape[1]]
        np.multiply(_position(onset, condition[:, :1], condition[:, 2:3]), pitch[..., None] > 0, out=written[..., :2])
        written[..., 2], written[..., 3] = pitch, duration
        return works

    def condition(self, state: Draft) -> Ints:
        """Returns int16 [B, 4]: metre, mode, upbeat, phrase."""
        return state.sheet[:, HORIZON + 1 :].copy()

    def demonstrations(self, contents: Array, conditions: Ints | None = None) -> Ints:
        """Returns the choices int16 [N, 72] that write the phrases."""
        contents = np.asarray(contents)
        if conditions is None:
            raise ValueError("the metre of a phrase is its condition: pass demonstrations(contents, conditions)")
        actions = np.zeros((len(contents), HORIZON), np.int16)
        actions[:, 0::CHOICES] = np.maximum(contents[:, :, 2] - 1, 0)
        actions[:, 1::CHOICES] = np.where(contents[:, :, 3] > 0, contents[:, :, 3] - 1 + NUM_PITCHES, 0)
        refuse(not_built(self, contents, actions, np.asarray(conditions)), "phrases", "written")
        return actions

    def works(self, split: Split) -> Works:
        """Returns the phrases of a split, int16 [N, 36, 4], related by their tune."""
        return _phrases(self._corpus, self._essen).usable(split)

    def corpus_report(self) -> CorpusReport:
        """Returns counts of the files and phrases, and the reasons for leaving parts out."""
        return _phrases(self._corpus, self._essen).report

    def tokens(self, contents: Array) -> Ints:
        """Returns int [N, 36], a number per note (pitch and duration, 0 = padding), the units of counted copies."""
        return np.asarray(contents[:, :, 2], np.int64) * len(TICKS) + contents[:, :, 3]


def _notes(state: Draft, steps: int = HORIZON) -> tuple[Ints, Ints, Ints]:
    """Returns pitch, duration (indices, 0 for none) and onset (ticks) of the notes, each [B, 36].

    Of those whose choices are all among the first ``steps``, each [B, steps // 2].
    """
    choices = state.sheet[:, : steps - steps % CHOICES]
    pitch, duration = choices[:, 0::CHOICES], np.maximum(choices[:, 1::CHOICES] - NUM_PITCHES, 0)
    ticks = TICKS.take(duration)
    return pitch, duration, np.cumsum(ticks, 1, dtype=np.int16) - ticks


def _position(onset: Ints, metre: Ints, upbeat: Ints) -> NDArray[np.int16]:
    """Returns bar and tick within the bar, int16 [..., 2]; bar 0 holds the upbeat, full bars count from 1."""
    return PLACES.take((metre.astype(np.int64) * len(UPBEATS) + upbeat) * (LONGEST + 1) + onset, axis=0)


def _cut(strain: Strain) -> tuple[list[Cut], list[str]]:
    """Cuts a strain into phrases of four bars, at its upbeat.

    Returns:
        The phrases, and why others, which the tables do not hold, were left out.
    """
    metre = (4, 4) if strain.metre == (2, 2) else strain.metre
    if metre not in METRES:
        supported = ", ".join(f"{beats}/{unit}" for beats, unit in METRES)
        return [], [f"strain: metre {metre[0]}/{metre[1]}, not one of {supported}, 2/2"]
    if strain.mode not in MODES:
        return [], [f"strain: mode {strain.mode}, not one of {', '.join(MODES)}"]
    if strain.upbeat not in UPBEATS:
        return [], [f"strain: an upbeat of {strain.upbeat} ticks, not one of {', '.join(map(str, UPBEATS))}"]
    condition = np.array([METRES.index(metre), MODES.index(strain.mode), UPBEATS.index(strain.upbeat), 0], np.int16)
    length = BARS * int(BAR_TICKS[condition[0]])
    ends = np.cumsum(strain.notes[:, 1])
    starts = ends - strain.notes[:, 1]
    to_c = (6 - strain.tonic) % 12 - 6  # the shorter way, so that tunes keep their register
    phrases, left_out = list[Cut](), list[str]()
    if ends[-1] < length:
        left_out.append(f"strain: shorter than {BARS} bars")
    for begin in range(0, int(ends[-1]) - length + 1, length):
        notes = strain.notes[np.searchsorted(ends, begin, "right") : np.searchsorted(starts, begin + length)]
        if notes[:, 1].sum() == length:
            notes = _with_writable_rests(notes)
        midi = notes[:, 0] + to_c
        if reason := _reason(notes, midi, length):
            left_out.append(f"phrase: {reason}")
            continue
        phrase = np.zeros((NOTES, 4), np.int16)
        rows = phrase[: len(notes)]
        bar, tick = _position(np.cumsum(notes[:, 1]) - notes[:, 1], condition[0], condition[2]).T
        rows[:, 0], rows[:, 1] = bar, tick
        rows[:, 2] = np.where(notes[:, 0] < 0, 1, midi - PITCHES[0] + 2)
        rows[:, 3] = np.searchsorted(DURATIONS, notes[:, 1]) + 1
        closing = begin + 2 * length > ends[-1]
        phrases.append(Cut(phrase, np.array([*condition[:3], closing], np.int16)))
    return phrases, left_out


def _with_writable_rests(notes: NDArray[np.int32]) -> NDArray[np.int32]:
    """Returns notes [N, 2] with rests that no action writes, such as 5 / 8, as two or more that actions write."""
    if WRITABLE.issuperset(notes[notes[:, 0] < 0, 1].tolist()):
        return notes
    rows: list[tuple[int, int]] = []
    for pitch, ticks in notes.tolist():
        while pitch < 0 and ticks > 2 * DURATIONS[-1]:
            rows.append((pitch, DURATIONS[-1]))
            ticks -= DURATIONS[-1]
        first = next((first for first in reversed(DURATIONS) if ticks - first in WRITABLE), 0)
        if pitch < 0 and first and ticks not in WRITABLE:
            rows.append((pitch, first))
            ticks -= first
        rows.append((pitch, ticks))
    return np.array(rows, np.int32)


def _reason(notes: NDArray[np.int32], midi: NDArray[np.int32], length: int) -> str:
    """Returns why a phrase is left out, "" if it is not.

    Args:
        notes: [N, 2] pitch (-1 for a rest) and ticks of what sounds in it.
        midi: [N] pitches with the tonic at C, of rests anything.
        length: Ticks of the phrase.
    """
    if notes[:, 1].sum() != length:
        return "a note lasts beyond its ends"
    if not 2 <= len(notes) <= NOTES:
        return f"fewer than 2 notes or more than {NOTES}"
    if not WRITABLE.issuperset(notes[:, 1].tolist()):
        return "a duration that no action writes"
    if ((notes[:, 0] >= 0) & ((midi < PITCHES[0]) | (midi > PITCHES[-1]))).any():
        return "a pitch that no action writes"
    return ""


@functools.cache
def _phrases(corpus: str | None, essen: bool) -> UsableWorks:
    """Returns the phrases of a corpus."""
    return cut_works(load_strains(corpus, essen=essen), _cut, f"phrases of {BARS} bars", corpus or "the corpus")
