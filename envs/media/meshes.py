"""Scenes as coloured faces: floors, sides of steps, and walls that are seen from inside only."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .pictures import Colour

RISE = 0.75  # height of a level, in sides of a cell: 24 of 32 units of Doom's maps
HEADROOM = 1.75  # of walls above the highest floor: 56 units
BASE = -0.5  # bottom of the blocks
SIDES = {(0, 1): 0.62, (0, -1): 0.78, (1, 0): 0.70, (-1, 0): 0.56}
"""Light of the sides of a cell, by the step in rows and columns to the neighbour that they face."""
CORNER = 0.16  # light that each higher neighbour takes from a corner of a floor
WALL = 0.9
INSTALL = 'GLB files take trimesh: install it with pip install "musegym[scene]"'


class Mesh(NamedTuple):
    """Four-cornered faces, in sides of a cell: x to the right, y up, z to the front.

    Attributes:
        corners: float32 [Q, 4, 3], counter-clockwise as seen from the side that shows.
        colours: uint8 [Q, 4, 3], light included.
    """

    corners: NDArray[np.float32]
    colours: NDArray[np.uint8]


def mesh_of(
    levels: NDArray[np.int64],
    materials: NDArray[np.int64],
    colours: Sequence[Colour],
    bright: Sequence[int] = (),
) -> Mesh:
    """Returns the faces of a scene.

    Args:
        levels: int [H, W], -1 for solid cells.
        materials: int [H, W].
        colours: of the materials, that of walls last.
        bright: materials that shine.
    """
    rows, columns = levels.shape
    top = RISE * max(int(levels.max()), 0) + HEADROOM
    around = np.pad(levels.astype(np.float64), 1, constant_values=np.nan)  # beyond the edge
    found = list[tuple[list[tuple[float, float, float]], list[tuple[float, ...]]]]()
    for row, column in np.argwhere(levels >= 0).tolist():
        level, material = int(levels[row, column]), int(materials[row, column])
        colour, y = np.array(colours[material], np.float64), RISE * level
        x, z = column - columns / 2, row - rows / 2
        shine = material in bright
        floor = [(x, y, z), (x, y, z + 1), (x + 1, y, z + 1), (x + 1, y, z)]
        light = (
            [1.0] * 4
            if shine
            else [_corner(around, row, column, level, *at) for at in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
        )
        found.append((floor, [tuple(colour * each) for each in light]))
        for (down, across), side in SIDES.items():
            beside = around[1 + row + down, 1 + column + across]
            if beside == -1:  # a wall, seen from this cell
                low, high, paint, outward = y, top, np.array(colours[-1]) * WALL, False
                side = SIDES[(-down, -across)]
            elif np.isnan(beside) or beside < level:
                low, high, paint, outward = BASE if np.isnan(beside) else RISE * beside, y, colour, True
            else:
                continue
            found.append(
                (
                    _side(x, z, down, across, low, high, outward),
                    [tuple(paint * side * 0.82)] * 2 + [tuple(paint * side)] * 2,
                )
            )
    corners = np.array([face for face, _ in found], np.float32).reshape(-1, 4, 3)
    lit = np.array([light for _, light in found], np.float64).reshape(-1, 4, 3)
    return Mesh(corners, np.clip(lit, 0, 255).astype(np.uint8))


def _corner(around: NDArray[np.float64], row: int, column: int, level: int, down: int, across: int) -> float:
    """Returns the light of a corner of a floor: each higher cell that touches it takes some."""
    touching = [around[1 + row + d, 1 + column + a] for d, a in ((down, 0), (0, across), (down, across))]
    return 1 - CORNER * sum(bool(each == -1 or each > level) for each in touching)


def _side(
    x: float, z: float, down: int, across: int, low: float, high: float, outward: bool
) -> list[tuple[float, float, float]]:
    """Returns the corners of a side of the cell whose upper left corner is at (x, z): two below, then two above."""
    if down:
        z += down > 0
        first, second = (x, z), (x + 1, z)
    else:
        x += across > 0
        first, second = (x, z + 1), (x, z)
    if (down + across < 0) == outward:
        first, second = second, first
    (a, c), (b, d) = first, second
    return [(a, low, c), (b, low, d), (b, high, d), (a, high, c)]


def save_glb(mesh: Mesh, path: Path) -> None:
    """Writes a mesh as binary glTF 2.0, in metres: a cell is one metre wide.

    Raises:
        ModuleNotFoundError: trimesh is not installed.
    """
    try:
        trimesh: Any = importlib.import_module("trimesh")  # without types
    except ModuleNotFoundError:
        raise ModuleNotFoundError(INSTALL) from None
    triangles = np.array([[0, 1, 2], [0, 2, 3]])
    faces = (4 * np.arange(len(mesh.corners))[:, None, None] + triangles).reshape(-1, 3)
    colours = np.concatenate([mesh.colours.reshape(-1, 3), np.full((4 * len(mesh.corners), 1), 255, np.uint8)], 1)
    solid = trimesh.Trimesh(mesh.corners.reshape(-1, 3), faces, vertex_colors=colours, process=False)
    path.write_bytes(trimesh.Scene(solid).export(file_type="glb"))
