"""Building a dungeon room or a level of Sokoban, tile by tile."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .corpora.choice import choose
from .corpora.placing import SIDE
from .corpora.rooms import COLLECTIONS, Rooms, load_collection, read_folder
from .grids import CUT_OFF, MIRRORS, NEIGHBOURS, PARTS, Joined, Square, places
from .media.dungeonart import dungeon, warehouse
from .media.dungeons import WALKED, connected, doors, dungeon_measures
from .media.frontier import Frontier
from .media.sokoban import level_rules, sokoban_measures
from .media.tiles import Tiles
from .task import Array, Bools, CorpusReport, Feature, Floats, Grid, Ints, Split, Task, Works, parse_style

CELLS = SIDE * SIDE
LOST = 2  # parts that one cell alone can join, at most
BALANCE = 6  # largest difference of boxes and goals that the policy sees
REWARDED = 300
"""Positions that the search behind the rule ``solvable`` visits: fewer than a measure allows itself."""
CONNECTED = "connected"
RULES = {
    "crawl": (CONNECTED, "doors"),
    "sokoban": ("one_player", "balanced", "closed", "solvable"),
}
PLACES = places(SIDE, NEIGHBOURS.values(), MIRRORS.values())


class DungeonTask(Task[Joined]):
    """A dungeon room or a level of Sokoban of at most 16 x 16 tiles.

    ### Description
    Tiles are placed row by row from the top left, on a square of 16 x 16 with the room in its middle. Real works are
    vaults of Dungeon Crawl Stone Soup, levels of Sokoban, or text maps of your own: see
    ``docs/environments/dungeon.md``.

    ### Action Space
    ``Discrete(16)``: a tile, `` #.+%,~&TS_>@^$M`` (outside, wall, floor, door, window, shallow and deep water, lava,
    tree, statue or fountain, altar, stairs, entrance, trap, treasure, monster). Of Sokoban ``Discrete(8)``,
    `` #-.$*@+`` (outside, wall, floor, goal, box, box on a goal, player, player on a goal). All are legal.

    ### Observation Space
    ``Box``, uint8: 1 + tile of each cell row by row, 0 for those to come; row (16 at the end) and column of the next
    one; the conditions.

    ### Rewards
    0 until the last tile, then the discriminator's score of the room plus ``rule_weight`` times the rules, each 1 or 0.
    Of dungeons: ``connected``, every place to walk on can be reached from every other; ``doors``, every door leads from
    somewhere to somewhere. Of Sokoban: ``one_player``; ``balanced``, as many boxes as goals; ``closed``, the player
    cannot leave; ``solvable``, a search of limited length finds a solution. Maps with other tiles have no rules.

    ### Starting State
    No tiles; conditions of a random training work.

    ### Episode End
    After 256 tiles.

    ### Arguments
    ``data``: "crawl", the default, or "sokoban". ``corpus``: a folder of your own text maps, or one such file, in place
    of ``data``. ``style``: a word for the condition, such as ``"elf"`` (a branch of the dungeon) or ``"microban"`` (a
    collection of Sokoban); of your own maps, the name of a subfolder.

    ### Version History
    v0: initial version.
    """

    horizon = CELLS
    data_names = tuple(COLLECTIONS)
    benchmark = "musegym.benchmarks.domains.dungeon"
    skips_finished = True

    def __init__(self, data: str | None = None, corpus: str | None = None, style: str | None = None) -> None:
        self.data_name, self._corpus = choose(data, corpus, COLLECTIONS, "rooms")
        self._style = style
        if self._corpus is None:
            self._kind = self.data_name
            self.alphabet, self.conditions = "".join(COLLECTIONS[self._kind].names), COLLECTIONS[self._kind].conditions
        else:
            self._folder = read_folder(self._corpus)
            self.alphabet, self.conditions, self._kind = (
                self._folder.alphabet,
                self._folder.conditions,
                self._folder.data,
            )
        size = self.num_actions = len(self.alphabet)
        self.layout = Grid((SIDE, SIDE), (size,), "uint8")
        self.rule_names = RULES.get(self._kind, ())
        names = COLLECTIONS[self._kind].names if self._kind else {}
        measures = {"crawl": dungeon_measures, "sokoban": sokoban_measures}.get(self._kind)
        self.medium: Tiles = Tiles(
            self.alphabet,
            theme=(warehouse if self._kind == "sokoban" else dungeon)(names),
            reference=lambda: self.corpus("train"),
            measures=functools.partial(measures, alphabet=self.alphabet) if measures else None,
            by_rows=True,
        )
        self._fixed = parse_style(style, self.conditions)
        self._square = Square(SIDE, size)
        self.observation_space = self._square.space(self.condition_sizes)
        inside = {"crawl": WALKED, "sokoban": "-.$*@+"}.get(self._kind, "")
        self._inside = np.array([False, *(symbol in inside for symbol in self.alphabet)])
        self._players, self._balance = (
            np.array([0, *((symbol in plus) - (symbol in minus) for symbol in self.alphabet)], np.int16)
            for plus, minus in (("@+", ""), ("$", ".+"))
        )
        self.features = (
            Feature("row", SIDE + 1),
            Feature("column", SIDE),
            *(Feature(name, size + 1) for name in (*NEIGHBOURS, *MIRRORS)),
        )
        if inside:
            self.features += (
                Feature("parts", PARTS + 1),
                Feature("last_chance", LOST + 1),
                Feature("cut_off", CUT_OFF + 1),
            )
        if self._kind == "sokoban":
            self.features += (Feature("players", 3), Feature("balance", 2 * BALANCE + 1))

    def kwargs(self) -> Mapping[str, Any]:
        """Returns the arguments that rebuild this task."""
        return {"data": self.data_name or None, "corpus": self._corpus, "style": self._style}

    def initial(self, draws: NDArray[np.uint64], condition: Ints | None = None) -> Joined:
        """Returns empty rooms, with the styles of random training works where none are given."""
        style = self.draw_conditions(draws, self._fixed) if condition is None else condition
        return Joined.of(self._square.empty(style), SIDE)

    def advance(self, state: Joined, actions: Ints) -> tuple[Joined, Bools]:
        """Places the next tile of every room."""
        return self._square.fill(state, actions)

    def observe(self, state: Joined) -> NDArray[np.uint8]:
        """Returns uint8 [B, 258 + C]: the tiles, row and column of the next one, the conditions."""
        return self._square.observe(state)

    def restore(self, observations: Array) -> Joined:
        """Inverts ``observe``."""
        return Joined.of(self._square.restore(observations), SIDE)

    def feature_values(self, state: Joined) -> Ints:
        """Returns int64 [B, K]: row and column of the next cell; 1 + tile of its neighbours and mirror images, or 0.

        Of dungeons and Sokoban also the number of connected parts that cells to come can join (at most 4), of those
        that the next cell alone can join, and of those that no cell can join any more (at most 3); of Sokoban the
        players (at most 2), and 6 + boxes - goals, from 0 to 12.
        """
        near = np.take_along_axis(state.sheet, PLACES[state.step], 1)
        columns: list[Array] = [(state.step // SIDE)[:, None], (state.step % SIDE)[:, None], near]
        if self._inside.any():
            columns.append(state.parts(self._read, self._kind == "crawl"))
        if self._kind == "sokoban":
            players = np.minimum(self._players[state.sheet].sum(1), 2)
            balance = np.clip(self._balance[state.sheet].sum(1), -BALANCE, BALANCE) + BALANCE
            columns.append(np.stack([players, balance], 1))
        return np.concatenate(columns, 1).astype(np.int64)

    def content(self, state: Joined) -> NDArray[np.uint8]:
        """Returns uint8 [B, 16, 16]: tiles, outside where there are none yet."""
        return self._square.content(state)

    def condition(self, state: Joined) -> Ints:
        """Returns the styles, int64 [B, C]."""
        return state.style.astype(np.int64)

    def demonstrations(self, contents: Array, conditions: Ints | None = None) -> Ints:
        """Returns the tiles row by row, int64 [N, 256].

        Raises:
            ValueError: a room has another shape or unknown tiles.
        """
        return self.layout.checked(contents, "rooms").reshape(-1, CELLS).astype(np.int64)

    def rules(self, contents: Array, conditions: Ints | None = None) -> Floats:
        """Returns 1 or 0 for each of ``rule_names``, float32 [N, R]."""
        contents = np.asarray(contents)
        if self._kind == "sokoban":
            return level_rules(contents, self.alphabet, REWARDED).astype(np.float32)
        if self._kind == "crawl":
            every, leading = doors(contents, self.alphabet)
            return np.stack([connected(contents, self.alphabet), every == leading], 1).astype(np.float32)
        return super().rules(contents)

    def works(self, split: Split) -> Works:
        """Returns the rooms of a split, uint8 [N, 16, 16], related by their series and likeness."""
        return self._rooms.works.usable(split)

    def corpus_report(self) -> CorpusReport:
        """Returns counts of the files and rooms, and the reasons for leaving some out."""
        return self._rooms.works.report

    def render(self, state: Joined) -> list[NDArray[np.uint8]]:
        """Draws the rooms; cells that are not built yet are an empty grid."""
        steps = state.step.tolist()
        return [self.medium.render(work, upto=step) for work, step in zip(self.content(state), steps, strict=True)]

    def action_name(self, action: int) -> str:
        """Returns the name of a tile."""
        return self.medium.value_name(action)

    @functools.cached_property
    def _rooms(self) -> Rooms:
        return load_collection(self.data_name) if self.data_name else self._folder.load()

    def _read(self, state: Joined, frontier: Frontier, rows: NDArray[np.int64]) -> None:
        """Reads the next cell of some rooms: they are connected where one can walk, or push a box."""
        inside = self._inside[state.sheet[rows, frontier.cells[rows]]]
        frontier.read(rows, inside, self._kind == "crawl")
