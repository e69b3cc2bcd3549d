"""Building a screen of a platform game, tile by tile."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from .building import effective_actions, refuse
from .corpora.choice import choose
from .corpora.levels import ALPHABETS, COLUMNS, ROWS, Levels, load, load_files
from .media.platformer import playable
from .media.platforms import platform_measures
from .media.tiles import Tiles
from .task import Array, Bools, CorpusReport, Feature, Floats, Grid, Ints, Split, State, Task, Works

HORIZON = ROWS * COLUMNS
NEIGHBOURS = {
    "left": (0, -1),
    "above": (-1, 0),
    "two_left": (0, -2),
    "two_above": (-2, 0),
    "above_left": (-1, -1),
    "below_left": (1, -1),
    "two_below_left": (2, -1),
    "three_left": (0, -3),
}
"""Rows and columns to cells that the policy sees; all of them are built before."""
PIPE = "<>[]"  # the halves of its rim and of its body


@dataclasses.dataclass
class Draft(State):
    """B screens being built.

    Attributes:
        sheet: uint8 [B, 225], what is observed: 1 + tile of each cell, column by column (0 for those to come), and the
            number of cells built.
    """

    sheet: NDArray[np.uint8]


class LevelTask(Task[Draft]):
    """A screen of a platform game, 14 rows by 16 columns.

    ### Description
    Tiles are placed column by column from the left, each column from its top to the ground. Real works are the
    overlapping screens of Super Mario Bros. levels: see ``docs/environments/level.md``.

    ### Action Space
    ``Discrete(13)``: a tile, ``-XS?QE<>[]oBb`` (air, ground, brick, two question blocks, enemy, four parts of pipes,
    coin, two of cannons). The right half of a pipe's top stands right of its left half only, and the left half of its
    body has its right half beside it: real levels have no exception. All else is legal. An illegal action ``a`` counts
    as the ``a mod k``-th of the ``k`` legal ones. Other data have symbols of their own, all of them legal; so are
    Mario's where a user's levels have pipes of another form.

    ### Observation Space
    ``Box``, uint8, 225 numbers: 1 + tile of each cell in the order of building (0 for those to come), and the number
    of cells built.

    ### Rewards
    0 until the screen is full, then the discriminator's score of it plus ``rule_weight`` times the rule ``playable``: 1
    where a runner can cross the screen (``media.platformer``), else 0. Levels with other symbols than Mario's have no
    rule.

    ### Starting State
    An empty screen.

    ### Episode End
    After 224 tiles.

    ### Arguments
    ``data``: "mario" (the default) or "lode-runner" (parts of levels in the manner of Lode Runner).
    ``corpus``: a folder of your own level text files, or one such file, in place of ``data``.

    ### Version History
    v0: initial version.
    """

    benchmark = "musegym.benchmarks.domains.level"
    horizon = HORIZON
    data_names = tuple(ALPHABETS)

    def __init__(self, data: str | None = None, corpus: str | None = None) -> None:
        self.data_name, self._corpus = choose(data, corpus, ALPHABETS, "levels")
        self.alphabet = ALPHABETS[self.data_name] if self.data_name else _levels("", self._corpus).alphabet
        size = self.num_actions = len(self.alphabet)
        self.layout = Grid((ROWS, COLUMNS), (size,), "uint8")
        self.observation_space = gym.spaces.Box(
            np.zeros(HORIZON + 1, np.uint8), np.array(HORIZON * [size] + [HORIZON], np.uint8), dtype=np.uint8
        )
        self.features = (
            Feature("step", HORIZON + 1),
            Feature("row", ROWS),
            Feature("column", COLUMNS + 1),
            *(Feature(name, 2 + size) for name in NEIGHBOURS),
        )
        platforms = set(self.alphabet) <= set(ALPHABETS["mario"])
        self.rule_names = ("playable",) * platforms
        self.medium: Tiles = Tiles(
            self.alphabet,
            theme="platform" if platforms else "digging",
            reference=lambda: self.corpus("train"),
            measures=functools.partial(platform_measures, alphabet=self.alphabet) if platforms else None,
        )
        self._legal, self._effective = _tables(self.alphabet)
        real = _levels("", self._corpus).works.works.values() if self._corpus else ()
        if not all(self._buildable(works.contents).all() for works in real):
            self._legal, self._effective = _tables(self.alphabet, all_legal=True)

    def kwargs(self) -> Mapping[str, Any]:
        """Returns the arguments that rebuild this task."""
        return {"data": self.data_name or None, "corpus": self._corpus}

    def initial(self, draws: NDArray[np.uint64], condition: Ints | None = None) -> Draft:
        """Returns empty screens."""
        return Draft(np.zeros((len(draws), HORIZON + 1), np.uint8))

    def advance(self, state: Draft, actions: Ints) -> tuple[Draft, Bools]:
        """Places a tile in every screen."""
        step = state.sheet[:, HORIZON]
        state.sheet[np.arange(len(step)), step] = actions + 1
        step += 1
        return state, step == HORIZON

    def _left(self, state: Draft) -> NDArray[np.uint8]:
        """Returns 1 + the tile left of the next cell, uint8 [B]; 0 in the first column, and in finished screens."""
        step = state.sheet[:, HORIZON].astype(np.intp)
        left = state.sheet[np.arange(len(step)), np.maximum(step - ROWS, 0)]
        left[(step < ROWS) | (step == HORIZON)] = 0
        return left

    def action_mask(self, state: Draft) -> Bools:
        """Returns the legal tiles, bool [B, A]."""
        return self._legal.take(self._left(state), axis=0)

    def legalise(self, state: Draft, actions: Ints) -> Ints:
        """Returns illegal actions ``a`` as the ``a mod k``-th of the ``k`` legal ones."""
        legalised: Ints = self._effective[self._left(state), actions]
        return legalised

    def observe(self, state: Draft) -> NDArray[np.uint8]:
        """Returns uint8 [B, 225]."""
        return state.sheet.copy()

    def restore(self, observations: Array) -> Draft:
        """Inverts ``observe``."""
        sheet = np.array(observations, np.uint8)
        return Draft(sheet, done=sheet[:, HORIZON] == HORIZON)

    def feature_values(self, state: Draft) -> Ints:
        """Returns int64 [B, 11]: cells built, row and column of the next one, and its neighbours.

        A neighbour is 2 + its tile, 1 where it lies outside of the screen, 0 in finished screens.
        """
        step = state.sheet[:, HORIZON].astype(np.int64)
        column, row = np.divmod(step, ROWS)
        rows, going = np.arange(len(step)), step < HORIZON
        columns = [step, row * going, column]
        for down, right in NEIGHBOURS.values():
            inside = (row + down >= 0) & (row + down < ROWS) & (column + right >= 0) & going
            at = np.where(inside, step + down + ROWS * right, 0)
            columns.append(np.where(inside, 1 + state.sheet[rows, at].astype(np.int64), going))
        return np.stack(columns, 1)

    def content(self, state: Draft) -> NDArray[np.uint8]:
        """Returns uint8 [B, 14, 16]: tiles, air where there are none yet."""
        cells = np.maximum(state.sheet[:, :HORIZON], 1) - np.uint8(1)
        return np.ascontiguousarray(cells.reshape(-1, COLUMNS, ROWS).transpose(0, 2, 1))

    def demonstrations(self, contents: Array, conditions: Ints | None = None) -> Ints:
        """Returns the tiles uint8 [N, 224] in the order of building.

        Raises:
            ValueError: a screen has another shape, unknown tiles or halves of pipes that are never built.
        """
        contents = self.layout.checked(contents, "levels")
        refuse(~self._buildable(contents), "levels")
        return contents.transpose(0, 2, 1).reshape(-1, HORIZON).astype(np.uint8)

    def _buildable(self, contents: Array) -> Bools:
        """Returns which levels legal actions build, bool [N]."""
        beside = self._legal[contents[:, :, :-1].astype(np.intp) + 1, contents[:, :, 1:]]
        buildable: Bools = np.all(beside, axis=(1, 2))
        return buildable

    def rules(self, contents: Array, conditions: Ints | None = None) -> Floats:
        """Returns 1 for levels that can be crossed, else 0, float32 [N, 1]; [N, 0] where no runner fits the tiles."""
        if not self.rule_names:
            return super().rules(contents)
        return playable(np.asarray(contents), self.alphabet)[:, None].astype(np.float32)

    def works(self, split: Split) -> Works:
        """Returns the screens of a split, uint8 [N, 14, 16], related by the stretch or level that they come from."""
        return _levels(self.data_name, self._corpus).works.usable(split)

    def corpus_report(self) -> CorpusReport:
        """Returns counts of the files and screens, and the reasons for leaving parts out."""
        return _levels(self.data_name, self._corpus).works.report

    def render(self, state: Draft) -> list[NDArray[np.uint8]]:
        """Draws the screens; cells that are not built yet are an empty grid."""
        steps = state.sheet[:, HORIZON].tolist()
        return [self.medium.render(work, upto=step) for work, step in zip(self.content(state), steps, strict=True)]

    def action_name(self, action: int) -> str:
        """Returns the symbol of a tile."""
        return self.alphabet[action]


def _tables(alphabet: str, all_legal: bool = False) -> tuple[Bools, NDArray[np.int16]]:
    """Returns tables by 1 + the tile on the left, 0 for none: legal tiles, bool [1 + A, A], and what actions do."""
    size = len(alphabet)
    legal = np.ones((1 + size, size), np.bool_)
    if not all_legal and set(PIPE) <= set(alphabet):
        rim_left, rim_right, body_left, body_right = (alphabet.index(part) for part in PIPE)
        legal[1:, rim_right] = np.arange(size) == rim_left
        legal[1 + body_left] = np.arange(size) == body_right
    return legal, effective_actions(legal).astype(np.int16)


@functools.cache
def _levels(data: str, corpus: str | None) -> Levels:
    """Returns the screens of a data set or a user's folder."""
    return load(data) if corpus is None else load_files(Path(corpus))
