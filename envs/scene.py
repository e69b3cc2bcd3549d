"""Building a walkable scene of floors, cell by cell."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .corpora.choice import choose
from .corpora.gallery import Gallery
from .corpora.placing import SIDE
from .corpora.scenes import BESIDE, COLLECTIONS, LEVELS, MATERIALS, find_folder, levels_of, load_collection
from .grids import CUT_OFF, NEIGHBOURS, PARTS, Joined, Square, next_cells, places
from .media.frontier import Frontier
from .media.scenery import Scenery
from .media.walks import CLIMB, largest, walkable
from .task import Array, Bools, CorpusReport, Feature, Floats, Grid, Ints, Split, Task, Works, parse_style

CELLS = SIDE * SIDE
SIZE = 1 + LEVELS * len(MATERIALS)
_HEIGHTS = np.concatenate([[-1], levels_of(np.arange(SIZE))])
"""Level by 1 + value of a cell, -1 for solid cells and those to come."""
_LEVELS = np.concatenate([[0], _HEIGHTS[1:] + 2])  # 0 for those to come, 1 for solid ones
_MATERIALS = np.concatenate([[0, 0], 1 + np.arange(SIZE - 1) // LEVELS])


SQUARE = Square(SIDE, SIZE)
PLACES = places(SIDE, NEIGHBOURS.values())


class SceneTask(Task[Joined]):
    """A walkable scene of 16 x 16 cells and 8 levels.

    ### Description
    Cells are built row by row from the back, each with the height and the material of its floor, or solid. Real works
    are parts of Freedoom's maps, or pictures of heights of your own: see ``docs/environments/scene.md``.

    ### Action Space
    ``Discrete(49)``: 0 is a solid cell, ``1 + 8 * material + level`` a floor; materials are stone, earth, grass, water,
    slime and lava, levels 0 to 7. All are legal.

    ### Observation Space
    ``Box``, uint8: 1 + value of each cell row by row, 0 for those to come; row (16 at the end) and column of the next
    one; the conditions.

    ### Rewards
    0 until the last cell, then the discriminator's score of the scene plus ``rule_weight`` times the rules:
    ``walkable``, 1 where at least 40% of the cells are open and three quarters of these are in one part, whose
    neighbouring cells differ by one level at most, else 0; ``connected``, the share of open cells in the largest part.

    ### Starting State
    No cells; conditions of a random training scene.

    ### Episode End
    After 256 cells.

    ### Arguments
    ``data``: "freedoom", the default, or "freedm". ``corpus``: a folder of your own PNG pictures of heights, in place
    of ``data``. ``style``: words for conditions, such as ``"labs"`` (a theme), ``"lava"`` (the most common material) or
    both; of your own pictures, also the name of a subfolder.

    ### Version History
    v0: initial version.
    """

    horizon, num_actions = CELLS, SIZE
    layout = Grid((SIDE, SIDE), (SIZE,), "uint8")
    data_names = tuple(COLLECTIONS)
    benchmark = "musegym.benchmarks.domains.scene"
    rule_names = ("walkable", "connected")
    skips_finished = True
    features = (
        Feature("row", SIDE + 1),
        Feature("column", SIDE),
        *(Feature(f"{name}_level", LEVELS + 2) for name in NEIGHBOURS),
        *(Feature(f"{name}_material", len(MATERIALS) + 1) for name in NEIGHBOURS),
        Feature("parts", PARTS + 1),
        Feature("last_chance", 2),
        Feature("cut_off", CUT_OFF + 1),
    )

    def __init__(self, data: str | None = None, corpus: str | None = None, style: str | None = None) -> None:
        self.data_name, self._corpus = choose(data, corpus, COLLECTIONS, "scenes", "built")
        self._style = style
        if self._corpus is None:
            self.conditions = COLLECTIONS[self.data_name].conditions
        else:
            self._folder = find_folder(self._corpus)
            self.conditions = self._folder.conditions
        self.medium: Scenery = Scenery(MATERIALS, LEVELS, BESIDE, lambda: self.corpus("train"))
        self._fixed = parse_style(style, self.conditions)
        self.observation_space = SQUARE.space(self.condition_sizes)

    def kwargs(self) -> Mapping[str, Any]:
        """Returns the arguments that rebuild this task."""
        return {"data": self.data_name or None, "corpus": self._corpus, "style": self._style}

    def initial(self, draws: NDArray[np.uint64], condition: Ints | None = None) -> Joined:
        """Returns empty scenes, with the styles of random training scenes where none are given."""
        style = self.draw_conditions(draws, self._fixed) if condition is None else condition
        return Joined.of(SQUARE.empty(style), SIDE)

    def advance(self, state: Joined, actions: Ints) -> tuple[Joined, Bools]:
        """Builds the next cell of every scene."""
        return SQUARE.fill(state, actions)

    def observe(self, state: Joined) -> NDArray[np.uint8]:
        """Returns uint8 [B, 258 + C]: the cells, row and column of the next one, the conditions."""
        return SQUARE.observe(state)

    def restore(self, observations: Array) -> Joined:
        """Inverts ``observe``."""
        return Joined.of(SQUARE.restore(observations), SIDE)

    def feature_values(self, state: Joined) -> Ints:
        """Returns int64 [B, 17]: row and column of the next cell; its neighbours' levels and materials; its parts.

        A level is 2 + that of the floor, 1 of a solid cell, 0 of one that is not there; a material 1 + its number, or
        0. The last three are the number of parts to walk in that cells to come can join (at most 4), whether one of
        them is lost unless the next cell joins it, and the number of those that no cell can join any more (at most 3).
        """
        near = np.take_along_axis(state.sheet, PLACES[state.step], 1)
        columns = [state.step // SIDE, state.step % SIDE, _LEVELS[near], _MATERIALS[near]]
        return np.column_stack([*columns, state.parts(read_cell, diagonal=False)]).astype(np.int64)

    def content(self, state: Joined) -> NDArray[np.uint8]:
        """Returns uint8 [B, 16, 16]: values of cells, solid where there are none yet."""
        return SQUARE.content(state)

    def condition(self, state: Joined) -> Ints:
        """Returns the styles, int64 [B, C]."""
        return state.style.astype(np.int64)

    def demonstrations(self, contents: Array, conditions: Ints | None = None) -> Ints:
        """Returns the values row by row, int64 [N, 256].

        Raises:
            ValueError: a content is no scene.
        """
        return self.layout.checked(contents, "scenes").reshape(-1, CELLS).astype(np.int64)

    def rules(self, contents: Array, conditions: Ints | None = None) -> Floats:
        """Returns ``walkable``, 1 or 0, and ``connected``, from 0 to 1, float32 [N, 2]: ``media.walks``."""
        levels = levels_of(np.asarray(contents))
        return np.stack([walkable(levels), largest(levels)], 1).astype(np.float32)

    def works(self, split: Split) -> Works:
        """Returns the scenes of a split, uint8 [N, 16, 16], related by the map that they come from."""
        return self._scenes.works.usable(split)

    def corpus_report(self) -> CorpusReport:
        """Returns counts of the maps and scenes, and the reasons for leaving some out."""
        return self._scenes.works.report

    def render(self, state: Joined) -> list[NDArray[np.uint8]]:
        """Draws the scenes as they stand; cells that are not built yet are an empty grid."""
        works = zip(self.content(state), state.style, next_cells(state), strict=True)
        return [self.medium.render(*work) for work in works]

    def action_name(self, action: int) -> str:
        """Returns "solid", or a material and a level."""
        return self.medium.value_name(action)

    @functools.cached_property
    def _scenes(self) -> Gallery:
        return load_collection(self.data_name, largest) if self.data_name else self._folder.load()


def read_cell(state: Joined, frontier: Frontier, rows: NDArray[np.int64]) -> None:
    """Reads the next cell of some scenes: neighbours are connected where one can climb from one to the other."""
    cell = frontier.cells[rows]
    here, left, above = (
        _HEIGHTS[state.sheet[rows, np.where(there, cell - back, CELLS)]]
        for back, there in ((0, cell >= 0), (1, cell % SIDE > 0), (SIDE, cell >= SIDE))
    )
    steps = [abs(here - other) <= CLIMB for other in (left, above)]
    frontier.read(rows, here >= 0, left_joins=steps[0], above_joins=steps[1])
