"""How many real levels of Sokoban does the search of ``envs.media.warehouse`` solve, and does it ever deny a solution?

The package of the levels has solutions. Each is replayed here move by move; a level with one that the search calls
unsolvable is ``denied``, which must not be. ``given_up`` are those on which the limit ended the search. ``longer`` is
the mean ratio of the pushes of both. About a tenth of a second a level.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import typer

from ...envs.corpora.placing import SIDE
from ...envs.corpora.sokoban import COLLECTIONS, moves, read_levels
from ...envs.corpora.sources import find
from ...envs.media.warehouse import NODES, solve
from ..recorded import JsonFile, run, write_result

STEPS = {"l": (0, -1), "r": (0, 1), "u": (-1, 0), "d": (1, 0)}


def replayed(rows: Sequence[str], letters: str) -> int | None:
    """Returns the pushes of a solution; None where a move is blocked or a box ends off the goals."""
    cells = {(row, column): symbol for row, line in enumerate(rows) for column, symbol in enumerate(line)}
    boxes = {cell for cell, symbol in cells.items() if symbol in "$*"}
    goals = {cell for cell, symbol in cells.items() if symbol in ".*+"}
    player = next(cell for cell, symbol in cells.items() if symbol in "@+")
    pushes = 0
    for letter in letters:
        down, across = STEPS[letter.lower()]
        player, beyond = (player[0] + down, player[1] + across), (player[0] + 2 * down, player[1] + 2 * across)
        if cells.get(player, "#") == "#":
            return None
        if player in boxes:
            if beyond in boxes or cells.get(beyond, "#") == "#":
                return None
            boxes = boxes - {player} | {beyond}
            pushes += 1
    return pushes if boxes == goals else None


def main(
    context: typer.Context,
    nodes: Annotated[int, typer.Option(min=1, help="Positions visited before a search is given up.")] = NODES,
    every: Annotated[int, typer.Option(min=1, help="Takes every so many levels.")] = 1,
    json_file: JsonFile = None,
) -> None:
    """Compares the search for solutions with the solutions of real levels."""
    folder = find("sokoban") / "usr/share/games/cavepacker/maps"
    levels, _, _ = read_levels(folder, SIDE)
    levels = levels[::every]
    began, ends = time.process_time(), [solve(list(level.rows), nodes) for level in levels]
    seconds = time.process_time() - began
    files = [(folder / level.name).with_suffix(".sol") for level in levels]
    known = [
        replayed(level.rows, moves(file.read_text(encoding="ascii", errors="replace"))) if file.exists() else None
        for level, file in zip(levels, files, strict=True)
    ]
    both = [end.pushes / pushes for end, pushes in zip(ends, known, strict=True) if end.solved and pushes]
    found: dict[str, Any] = {
        "nodes": nodes,
        "levels": len(levels),
        "packaged_solutions": sum(pushes is not None for pushes in known),
        "solved": float(np.mean([end.solved for end in ends])),
        "given_up": float(np.mean([end.given_up for end in ends])),
        "denied": [level.name for level, end in zip(levels, ends, strict=True) if not (end.solved or end.given_up)],
        "longer": float(np.mean(both)) if both else None,
        "milliseconds": 1000 * seconds / len(levels),
    }
    for name in COLLECTIONS:
        own = [end.solved for level, end in zip(levels, ends, strict=True) if level.collection == name]
        found[name] = {"levels": len(own), "solved": float(np.mean(own)) if own else None}
    print(json.dumps(found, indent=1))
    write_result(context, json_file, found)


if __name__ == "__main__":
    sys.exit(run(main))
