"""Dungeon rooms: who can walk where, doors, and measures of populations."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

WALKED = ".+,>@^$M_"
"""Symbols of ``corpora.vaults.NAMES`` of tiles to walk on: water that is deep, lava, trees and statues are none."""
ENTRANCES = "@>"
OPEN = " ~&T"
"""Tiles that a door may lead to although nobody walks there: the world outside, and what one sees across."""


def regions(walked: NDArray[np.bool_]) -> tuple[NDArray[np.int64], int]:
    """Returns the connected parts of cells bool [N, H, W], numbered from 1 over all maps, 0 elsewhere; their number.

    Cells that touch at a corner are connected, as characters of the game move.
    """
    from scipy import ndimage

    structure = np.zeros((3, 3, 3), np.bool_)
    structure[1] = True
    labels, count = ndimage.label(walked, structure)
    return labels.astype(np.int64), int(count)


def connected(contents: NDArray[Any], alphabet: str) -> NDArray[np.bool_]:
    """Returns which rooms [N, H, W] have no part to walk in that is shut off, bool [N].

    A part is shut off where it has neither entrance nor stairs and touches neither the edge nor the outside, unless it
    is the only one. (The game itself refuses levels with parts that cannot be reached: ``dgn_count_disconnected_zones``
    of its ``dungeon.cc``, with the same tiles to walk on.) A room without any such tile is not connected.
    """
    symbols = np.array(list(alphabet))[contents]
    walked = np.isin(symbols, list(WALKED))
    labels, count = regions(walked)
    outside = np.pad(symbols == " ", ((0, 0), (1, 1), (1, 1)), constant_values=True)
    height, width = walked.shape[1:]
    near = np.zeros(walked.shape, np.bool_)
    for row in range(3):
        for column in range(3):
            near |= outside[:, row : row + height, column : column + width]
    opened = np.zeros(count + 1, np.bool_)
    opened[labels[walked & (near | np.isin(symbols, list(ENTRANCES)))]] = True
    room = np.zeros(count + 1, np.int64)
    room[labels[walked]] = np.nonzero(walked)[0]
    parts = np.bincount(room[1:], minlength=len(contents))
    shut = np.bincount(room[1:], weights=~opened[1:], minlength=len(contents))
    found: NDArray[np.bool_] = (parts == 1) | ((parts > 0) & (shut == 0))
    return found


def doors(contents: NDArray[Any], alphabet: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns the doors of rooms [N, H, W] and those of them that lead somewhere, int [N] each.

    A door leads somewhere where two opposite sides of it, left and right or above and below, are no wall, window or
    statue; another door counts as a way.
    """
    symbols = np.pad(np.array(list(alphabet))[contents], ((0, 0), (1, 1), (1, 1)), constant_values=" ")
    way = np.isin(symbols, list(WALKED + OPEN))
    is_door = symbols[:, 1:-1, 1:-1] == "+"
    through = (way[:, 1:-1, :-2] & way[:, 1:-1, 2:]) | (way[:, :-2, 1:-1] & way[:, 2:, 1:-1])
    return is_door.sum((1, 2)), (is_door & through).sum((1, 2))


def symmetry(contents: NDArray[Any]) -> NDArray[np.float64]:
    """Returns the share of equal cells of maps [N, 16, 16] and their mirror images, the better of both axes, float [N].

    Cells that are 0 in both are left aside. Maps lie in the middle of their squares: see ``corpora.placing.centred``.
    """
    best = np.zeros(len(contents))
    for axis in (1, 2):
        for shift in (0, 1):  # a centred map of odd length is mirrored about a cell, not a line
            part = contents if not shift else np.delete(contents, -1, axis)
            mirrored = np.flip(part, axis)
            covered = (part > 0) | (mirrored > 0)
            alike = (covered & (part == mirrored)).sum((1, 2)) / np.maximum(covered.sum((1, 2)), 1)
            best = np.maximum(best, alike)
    return best


def dungeon_measures(contents: NDArray[Any], alphabet: str) -> dict[str, float]:
    """Measures a population [N, H, W] of dungeon rooms.

    ``connected``: share of rooms without a part that is shut off. ``doors``: share of doors that lead somewhere, of all
    rooms together, 1 where there are none. ``openness``: share of covered cells to walk on. ``symmetry``: mean share of
    cells equal to their mirror image, the better of both axes (a measure of evaluated dungeons since Liapis, Yannakakis
    & Togelius 2013, "Sentient sketchbook"). ``size``: mean number of covered cells. ``guarded``: monsters per treasure
    and monster, 0.5 where there are as many of each.
    """
    symbols = np.array(list(alphabet))[contents]
    all_doors, leading = doors(contents, alphabet)
    covered = (symbols != " ").sum((1, 2))
    walked = np.isin(symbols, list(WALKED)).sum((1, 2))
    monsters, treasure = (symbols == "M").sum(), (symbols == "$").sum()
    return {
        "connected": float(connected(contents, alphabet).mean()),
        "doors": float(leading.sum() / all_doors.sum()) if all_doors.sum() else 1.0,
        "openness": float((walked / np.maximum(covered, 1)).mean()),
        "symmetry": float(symmetry(contents).mean()),
        "size": float(covered.mean()),
        "guarded": float(monsters / max(1, monsters + treasure)),
    }
