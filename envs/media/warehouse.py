"""Can a level of Sokoban be solved? A search over pushes, with a limit of visited positions.

Sets of cells are bits of Python integers, so that a flood or the test of all boxes at once is a few operations. The
search is best first by the sum of the boxes' distances to their nearest goals, weighed against the pushes so far; it
leaves out cells from which no box reaches a goal and boxes that can never move again, as solvers do (Junghanns &
Schaeffer 2001, "Sokoban: Enhancing general single-agent search methods using domain knowledge").
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

NODES = 2_000
"""Positions that are visited before a search is given up."""
GREED = 4
"""Weight of the distance that remains, against pushes so far: solutions are found soon, and may be long."""
FAR = 1 << 10


class Solution(NamedTuple):
    """The end of a search.

    Attributes:
        solved: True where all boxes came to goals.
        given_up: True where the limit ended it: the level may have a solution.
        pushes: of the solution found; 0 where there is none.
        nodes: positions visited.
    """

    solved: bool
    given_up: bool
    pushes: int
    nodes: int


class _Board(NamedTuple):
    """A level as sets of cells: bits ``row * width + column``, of a board with walls all around."""

    width: int
    free: int
    goals: int
    boxes: int
    player: int


def solve(rows: list[str], nodes: int = NODES) -> Solution:
    """Searches for a solution of a level in symbols of ``corpora.sokoban.NAMES``.

    A level that is none has no solution: without exactly one player, without boxes or with other than as many goals,
    or with a player who can walk out of it.

    Args:
        rows: of equal length.
        nodes: positions visited before giving up.
    """
    board = _read(rows)
    if board is None:
        return Solution(False, False, 0, 0)
    steps = (1, -1, board.width, -board.width)
    distances = _distances(board, steps)
    alive = sum(1 << cell for cell in distances)
    if board.boxes & ~alive:
        return Solution(False, False, 0, 0)

    def remaining(boxes: int) -> int:
        return sum(distances[cell] for cell in _cells(boxes))

    start = (board.boxes, _flood(board.player, board.free & ~board.boxes, board.width))
    queue = [(GREED * remaining(board.boxes), 0, 0, *start)]
    seen, count = {(board.boxes, start[1] & -start[1])}, 0
    while queue:
        _, _, pushes, boxes, reach = heapq.heappop(queue)
        if not boxes & ~board.goals:
            return Solution(True, False, pushes, count)
        if count >= nodes:
            return Solution(False, True, 0, count)
        count += 1
        room = alive & ~boxes
        for step in steps:
            for box in _cells(boxes & _shift(reach, step) & _shift(room, -step)):
                moved = boxes ^ (1 << box) ^ (1 << box + step)
                if _stuck(board, alive, moved):
                    continue
                reached = _flood(1 << box, board.free & ~moved, board.width)
                if (known := (moved, reached & -reached)) not in seen:
                    seen.add(known)
                    value = GREED * remaining(moved) + pushes + 1
                    heapq.heappush(queue, (value, len(seen), pushes + 1, moved, reached))
    return Solution(False, False, 0, count)


def solutions(contents: NDArray[Any], alphabet: str, nodes: int = NODES) -> list[Solution]:
    """Returns the end of the search for each of contents [N, H, W]; turns and mirror images are searched once."""
    symbols = np.array(list(alphabet))
    known = dict[bytes, Solution]()
    found = list[Solution]()
    for content in contents:
        level = _in_one_position(np.asarray(content, np.uint8))
        key = bytes(level.shape) + level.tobytes()
        if key not in known:
            known[key] = solve(["".join(row) for row in symbols[level]], nodes)
        found.append(known[key])
    return found


def _in_one_position(content: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns a level without empty edges, in a position that is the same for all of its turns and mirror images."""
    rows, columns = np.flatnonzero(content.any(1)), np.flatnonzero(content.any(0))
    small = content[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) else content[:0, :0]
    positions = (np.rot90(each, turn) for each in (small, small[:, ::-1]) for turn in range(4))
    return min(positions, key=lambda each: bytes(each.shape) + each.tobytes())


def closed(rows: list[str]) -> bool:
    """Returns whether players in a level cannot leave it: they neither get to the outside nor to the map's edge."""
    board, outside = _cells_of(rows)
    walked = _flood(board.player, board.free, board.width)
    return bool(board.player) and not _flood(outside, board.free | outside, board.width) & walked


def _cells_of(rows: list[str]) -> tuple[_Board, int]:
    """Returns the board of a map, and the cells outside of it, one row and column around it included."""
    width = max(map(len, rows), default=0) + 3  # two between the end of a row and the next
    text = " " * width + "".join(f" {row.ljust(width - 3)}  " for row in rows) + " " * width

    def where(symbols: str) -> int:
        return sum(1 << place for place, symbol in enumerate(text) if symbol in symbols)

    return _Board(width, where("-.$*@+"), where(".*+"), where("$*"), where("@+")), where(" ")


def _read(rows: list[str]) -> _Board | None:
    """Returns the board of a level, the cells that its player gets to alone; None where it is none."""
    board, _ = _cells_of(rows)
    if board.player.bit_count() != 1 or not 0 < board.boxes.bit_count() == board.goals.bit_count():
        return None
    if not closed(rows):
        return None
    walked = _flood(board.player, board.free, board.width)
    boxes, goals = board.boxes & walked, board.goals & walked
    if (board.boxes ^ boxes) & ~board.goals or boxes.bit_count() != goals.bit_count():
        return None  # a box that nobody reaches is not on its goal, or takes the goal of another
    return board._replace(free=walked, boxes=boxes, goals=goals) if boxes else None


def _cells(cells: int) -> Iterator[int]:
    while cells:
        lowest = cells & -cells
        yield lowest.bit_length() - 1
        cells ^= lowest


def _shift(cells: int, step: int) -> int:
    return cells << step if step > 0 else cells >> -step


def _flood(cells: int, free: int, width: int) -> int:
    """Returns the cells of ``free`` that are reached from some of them."""
    while True:
        grown = (cells | cells << 1 | cells >> 1 | cells << width | cells >> width) & free
        if grown == cells:
            return cells
        cells = grown


def _distances(board: _Board, steps: tuple[int, ...]) -> Mapping[int, int]:
    """Returns the fewest pushes from cells to a goal if there were no other boxes; cells without a way are left out."""
    found, front, pushes = dict[int, int](), board.goals, 0
    while front:
        found.update((cell, pushes) for cell in _cells(front))
        reached = 0
        for step in steps:  # a box comes from beyond, pushed by a player one cell further
            reached |= _shift(front, -step) & board.free & _shift(board.free, step)
        front, pushes = reached & ~sum(1 << cell for cell in found), pushes + 1
    return found


def _stuck(board: _Board, alive: int, boxes: int) -> bool:
    """Returns whether a box off the goals can never move again, whatever the others do.

    All boxes are taken as stuck, and those are freed that could be pushed along a row or a column, until none is freed.
    """
    stuck, solid, dead = boxes, ~board.free, ~alive
    while stuck & ~board.goals:
        blocked = solid | stuck
        freed = 0
        for step in (1, board.width):
            walls = (blocked << step) | (blocked >> step) | ((dead << step) & (dead >> step))
            freed |= stuck & ~walls
        if not freed:
            return True
        stuck &= ~freed
    return False
