"""Poems in Chinese characters: idioms, quatrains of five or seven characters a line, or other forms of a user's."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from .building import refuse
from .corpora.chinese import COLLECTIONS, Form, Poems, load_collection, load_files
from .corpora.choice import choose
from .corpora.readings import RHYMES, known, read, unread
from .media.regulated import FIRST, NAMES, Letters, due, laid_out
from .media.scroll import Scroll
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

END_OF_LINE = 0
"""Action; others are 1 + the index of a character."""


@dataclasses.dataclass
class Draft(State):
    """B poems in the making.

    Attributes:
        sheet: int16 [B, 2 T + 4]: 1 + each action, 0 for those to come; lines that have ended, characters of the
            present line, index of the form, decisions made; then the characters in their places, line by line,
            1 + index, 0 for none. It begins with what is observed.
    """

    sheet: NDArray[np.int16]


LINE, PLACE, FORM, STEP, GRID = range(5)
"""Columns of ``Draft.sheet``, after those of actions."""


class PoemTask(Task[Draft]):
    """A Chinese poem, character by character: an idiom, or a quatrain of five or seven characters a line.

    ### Description
    Each decision writes a character, or ends the line. Real works are idioms of four characters, quatrains of the
    *Complete Tang Poems*, or poems of your own: see ``docs/environments/poem.md``.

    ### Action Space
    ``Discrete(2801)``, with ``data="tang"`` ``Discrete(3401)``: 0 ends the line, the others are characters, the most
    frequent first. All are legal, always. A line that is as long as the longest of all forms ends by itself.

    ### Observation Space
    ``Box``, int16: 1 + action for each decision (0 for those to come), the lines that have ended, the characters of the
    present line, and the form where there are several.

    ### Rewards
    0 until the poem has the lines of its form, then the discriminator's score of it plus ``rule_weight`` times the
    rules, each the share of places where it holds (``media.regulated``). ``length``: lines have the length of the form.
    Of quatrains and other regulated forms also ``rhyme``: even lines rhyme; ``alternation``, ``opposition`` and
    ``adhesion``: level and oblique tones follow each other as in regulated verse.

    ### Starting State
    No characters; the form of a random training poem.

    ### Episode End
    After the last line: at most 4 decisions for idioms, 28 for quatrains.

    ### Arguments
    ``data``: "idioms", the default, or "tang". ``corpus``: a folder of your own text files, or one such file, in place
    of ``data``. ``style``: the form, ``"five"`` or ``"seven"``.

    ### Version History
    v0: initial version.
    """

    data_names = tuple(COLLECTIONS)
    benchmark = "musegym.benchmarks.domains.poem"
    skips_finished = True

    def __init__(self, data: str | None = None, corpus: str | None = None, style: str | None = None) -> None:
        self.data_name, self._corpus = choose(data, corpus, COLLECTIONS, "poems", "wrote")
        self._style = style
        if self._corpus is None:
            forms, characters = COLLECTIONS[self.data_name].forms, COLLECTIONS[self.data_name].characters
        else:
            forms, characters = self._poems.forms, len(self._poems.alphabet)
        self.forms: tuple[Form, ...] = forms or (Form(1, 1),)  # of a corpus without poems, which cannot be used
        self.lines, self.longest = max(form.lines for form in self.forms), max(form.length for form in self.forms)
        self.horizon, self.num_actions = self.lines * self.longest, 1 + max(characters, 1)
        self.conditions = (Condition("form", tuple(form.name for form in self.forms)),) * (len(self.forms) > 1)
        self.regulated = any(form.regulated for form in self.forms)
        self.rule_names = NAMES if self.regulated else NAMES[:1]
        self.layout = Sequence((self.horizon,), (FIRST + max(characters, 1),))
        high = [1 + max(characters, 1)] * self.horizon + [self.lines, self.longest - 1]
        high += [size - 1 for size in self.condition_sizes]
        self.observation_space = gym.spaces.Box(0, np.array(high, np.int16), dtype=np.int16)
        self.features = (
            Feature("line", 1 + self.lines),
            Feature("place", self.longest),
            *(
                Feature(name, size)
                for name, size in (("tone_due", 3), ("rhyme_due", 1 + len(RHYMES)))
                if self.regulated
            ),
        )
        self.medium: Scroll = Scroll(
            self.forms, lambda: self.letters, self.regulated, reference=lambda: self.corpus("train")
        )
        self._fixed = parse_style(style, self.conditions)
        self._lines, self._lengths = np.array(self.forms).T  # [F]

    def kwargs(self) -> Mapping[str, Any]:
        """Returns the arguments that rebuild this task."""
        return {"data": self.data_name or None, "corpus": self._corpus, "style": self._style}

    @functools.cached_property
    def _poems(self) -> Poems:
        return load_collection(self.data_name) if self._corpus is None else load_files(self._corpus)

    @functools.cached_property
    def letters(self) -> Letters:
        """The characters, their readings, tones and rhymes."""
        alphabet = self._poems.alphabet
        readings = read(alphabet) if self.regulated or known() else unread(alphabet)
        return Letters(
            alphabet, readings.pinyin, np.append(np.uint8(0), readings.tones), np.append(np.uint8(0), readings.rhymes)
        )

    def initial(self, draws: NDArray[np.uint64], condition: Ints | None = None) -> Draft:
        """Returns empty poems, of the forms of random training poems where none are given."""
        B = len(draws)
        form = np.zeros(B, np.int64)
        if self.conditions:
            given = self.draw_conditions(draws, self._fixed) if condition is None else condition
            form = given[:, 0].astype(np.int64)
        draft = self._empty(B)
        draft.sheet[:, self.horizon + FORM] = form
        return draft

    def _empty(self, rows: int) -> Draft:
        """Returns empty poems of the first form."""
        return Draft(np.zeros((rows, 2 * self.horizon + GRID), np.int16))

    def advance(self, state: Draft, actions: Ints) -> tuple[Draft, Bools]:
        """Writes a character, or ends the line, in every row that is not finished."""
        going, sheet = ~state.done, state.sheet.reshape(-1)
        at = state.sheet[:, self.horizon :]
        line, place, step = at[:, LINE], at[:, PLACE], at[:, STEP]
        rows = np.flatnonzero(going)
        first, chosen = state.sheet.shape[1] * rows, actions.take(rows)
        sheet[first + step[rows]] = chosen + 1
        grid = first + self.horizon + GRID
        sheet[grid + (line * self.longest + place)[rows]] = chosen  # an end writes the 0 that is there
        step += going
        written = going & (actions != END_OF_LINE)
        place += written
        ended = going & (~written | (place == self.longest))
        line += ended
        place *= ~ended
        return state, self._ended(state)

    def _ended(self, state: Draft) -> Bools:
        """Returns which poems have the lines of their form, bool [B]."""
        line, form = state.sheet[:, self.horizon + LINE], state.sheet[:, self.horizon + FORM]
        ended: Bools = line >= (self._lines[form] if self.conditions else self.lines)
        return ended

    def observe(self, state: Draft) -> NDArray[np.int16]:
        """Returns int16 [B, T + 2 + C]."""
        return state.sheet[:, : self.horizon + FORM + len(self.conditions)].copy()  # the form where there are several

    def restore(self, observations: Array) -> Draft:
        """Inverts ``observe``."""
        T, observations = self.horizon, np.asarray(observations)
        draft = self._empty(len(observations))
        draft.sheet[:, : observations.shape[1]] = observations
        draft.sheet[:, T + STEP] = (draft.sheet[:, :T] > 0).sum(1)
        draft.sheet[:, T + GRID :] = laid_out(draft.sheet[:, :T], self.lines, self.longest).reshape(-1, T)
        draft.done = self._ended(draft)
        return draft

    def feature_values(self, state: Draft) -> Ints:
        """Returns int64 [B, K]: lines that have ended, characters of the present line; of regulated forms what is due.

        That is the tone and the rhyme that the rules ask of the next character, 0 for none: ``media.regulated.due``.
        """
        line, place, form, _ = state.sheet[:, self.horizon : self.horizon + GRID].astype(np.int64).T
        columns: list[Array] = [line, place]
        if self.regulated:
            grid = state.sheet[:, self.horizon + GRID :].reshape(-1, self.lines, self.longest)
            columns += due(grid, line, place, self._lines[form], self._lengths[form], self.letters)
        return np.stack(columns, 1).astype(np.int64)

    def content(self, state: Draft) -> NDArray[np.int16]:
        """Returns int16 [B, T]: 1 for the end of a line that is not full, 2 + the index of a character, 0 padding."""
        return state.sheet[:, : self.horizon].copy()

    def condition(self, state: Draft) -> Ints:
        """Returns the forms, int64 [B, C]."""
        first = self.horizon + FORM
        return state.sheet[:, first : first + len(self.conditions)].astype(np.int64)

    def demonstrations(self, contents: Array, conditions: Ints | None = None) -> Ints:
        """Returns the actions int64 [N, T] that write the poems.

        Raises:
            ValueError: a content is no poem, or not one that ends as its form does.
        """
        contents = self.layout.checked(contents, "poems")
        form = np.zeros(len(contents), np.int64) if conditions is None or not self.conditions else conditions[:, 0]
        state = self._empty(len(contents))
        state.sheet[:, self.horizon + FORM] = form
        wrong = np.zeros(len(contents), np.bool_)
        for token in contents.T:
            wrong |= (token > 0) == state.done  # a decision after the end, or none before it
            state, _ = self.step(state, np.maximum(token.astype(np.int64) - 1, 0))
        refuse(wrong | ~state.done, "poems", "written")
        return np.maximum(contents.astype(np.int64) - 1, 0)

    def rules(self, contents: Array, conditions: Ints | None = None) -> Floats:
        """Returns the shares of places where each rule holds, float32 [N, R]; 1 for forms that have no such places.

        Raises:
            CorpusMissingError: pypinyin is missing, which tells tones and rhymes.
        """
        return self.medium.rules(contents, conditions)

    def works(self, split: Split) -> Works:
        """Returns the poems of a split."""
        return self._poems.works.usable(split)

    def corpus_report(self) -> CorpusReport:
        """Returns counts of the corpus, and the reasons for leaving parts out."""
        return self._poems.works.report

    def render(self, state: Draft) -> list[NDArray[np.uint8]]:
        """Draws the poems as they stand; those that are not finished with characters to choose from."""
        works = zip(self.content(state), self.condition(state), state.done.tolist(), strict=True)
        return [self.medium.draw(content, form, choices=not done) for content, form, done in works]

    def action_name(self, action: int) -> str:
        """Returns the character and its reading, or "end of line"."""
        if action == END_OF_LINE:
            return "end of line"
        return f"{self.letters.alphabet[action - 1]} {self.letters.pinyin[action - 1]}".rstrip()

    def action_at(self, state: Draft, x: int, y: int, shift: bool = False) -> int | None:
        """Returns the action of the choice at a pixel of ``render``'s picture; None where there is none."""
        if state.done[0]:
            return None
        return self.medium.choice_at(self.content(state)[0], self.condition(state)[0], x, y)
