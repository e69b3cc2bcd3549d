"""Levels of Sokoban in the usual text format: read, and told apart from the world around them.

A wall is ``#``, a floor `` ``, ``-`` or ``_``, a goal ``.``, a box ``$``, one on a goal ``*``, the player ``@``, one on
a goal ``+`` (the format of XSokoban and http://www.sokobano.de/wiki/index.php?title=Level_format). Here a floor is
``-`` and what lies outside of the walls is blank.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

NAMES = {
    " ": "outside",
    "#": "wall",
    "-": "floor",
    ".": "goal",
    "$": "box",
    "*": "box on a goal",
    "@": "player",
    "+": "player on a goal",
}
"""Symbols of tiles. A tile is an index of them."""
COLLECTIONS = ("gri", "microban", "sasquatch", "xsokoban", "others")
"""Styles: beginnings of the names of files."""
_ROW = re.compile(r"^[#@+$*.\- _]*#[#@+$*.\- _]*$")
_REPEATED = re.compile(r"(\d*)\(([lurdLURD]*)\)|(?:(?<=\D)|^)(\d+)([lurdLURD])")


class Level(NamedTuple):
    """A level.

    Attributes:
        name: of its file.
        collection: one of ``COLLECTIONS``.
        rows: symbols of ``NAMES``, rows of equal length.
    """

    name: str
    collection: str
    rows: tuple[str, ...]


def read_levels(folder: Path, largest: int) -> tuple[list[Level], Counter[str], int]:
    """Returns the levels of a folder of .sok files, the number left out by reason, and the number of files.

    Args:
        folder: of the files.
        largest: rows and columns of a level, at most.
    """
    levels, left_out, files = list[Level](), Counter[str](), sorted(folder.glob("*.sok"))
    for file in files:
        lines = file.read_text(encoding="utf-8", errors="replace").split("\n")
        rows = [line.rstrip() for line in lines if _ROW.match(line.rstrip())]
        if not rows:
            left_out["no level"] += 1
        elif max(len(rows), *map(len, rows)) > largest:
            left_out[f"larger than {largest} x {largest}"] += 1
        elif not is_level(enclosed := enclose(rows)):
            left_out["not one player, or not as many boxes as goals"] += 1
        else:
            collection = next((name for name in COLLECTIONS if file.name.startswith(name)), COLLECTIONS[-1])
            levels.append(Level(file.name, collection, enclosed))
    return levels, left_out, len(files)


def enclose(rows: Sequence[str]) -> tuple[str, ...]:
    """Returns rows of equal length with ``-`` for floors; what can be reached from the edge past no wall is blank.

    Only floors become blank: a goal or box outside of the walls stays.
    """
    width = max(map(len, rows), default=0)
    cells = [list(row.ljust(width).replace("_", "-").replace(" ", "-")) for row in rows]
    open_cells = {(row, column) for row, line in enumerate(cells) for column, each in enumerate(line) if each != "#"}
    waiting = [(row, column) for row, column in open_cells if row in (0, len(cells) - 1) or column in (0, width - 1)]
    outside = set(waiting)
    while waiting:
        row, column = waiting.pop()
        near = {(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)} & open_cells - outside
        outside |= near
        waiting += near
    for row, column in outside:
        if cells[row][column] == "-":
            cells[row][column] = " "
    return tuple("".join(row) for row in cells)


def is_level(rows: Sequence[str]) -> bool:
    """Returns whether there is one player, and at least one box and as many as goals."""
    count = Counter("".join(rows))
    boxes, goals = count["$"] + count["*"], count["."] + count["*"] + count["+"]
    return count["@"] + count["+"] == 1 and 0 < boxes == goals


def moves(text: str) -> str:
    """Returns the letters of a solution, ``l u r d`` and capitals for pushes, from ``3l``, ``2(ld)`` and the like."""
    text = "".join(text.split())
    while (
        shorter := _REPEATED.sub(lambda found: (found[2] or found[4] or "") * int(found[1] or found[3] or 1), text)
    ) != text:
        text = shorter
    return text
