"""Isometric pictures of scenes: blocks with light from the left, walls cut low where they would hide what is behind."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .pictures import Colour

HALF = 16  # pixels: half of a cell's width, and its whole height
RISE = 8  # pixels of a level
BASE = 10  # pixels below level 0
MARGIN = 14
HIGH, BETWEEN, LOW = 15, 8, 3  # pixels of walls behind cells, between cells, and in front of them alone
SKY, GLOOM = (30, 35, 54), (13, 15, 24)  # top and bottom of the background
ROCK = (74, 78, 96)
GRID, NEXT = (47, 53, 74), (255, 255, 255)
LEFT, RIGHT = 0.66, 0.44  # light of the sides
VARIANTS = 4

Picture = NDArray[np.uint8]


class Blocks(NamedTuple):
    """Cells as they are drawn.

    Attributes:
        heights: pixels from the base to the top, int [H, W]; 0 for cells that are not drawn.
        materials: int [H, W], one more than there are for walls.
        levels: int [H, W], -1 for solid cells.
    """

    heights: NDArray[np.int64]
    materials: NDArray[np.int64]
    levels: NDArray[np.int64]


def blocks(levels: NDArray[np.int64], materials: NDArray[np.int64], wall: int) -> Blocks:
    """Returns the blocks of a scene; solid cells are walls where they touch open ones.

    Args:
        levels: int [H, W], -1 for solid cells.
        materials: int [H, W].
        wall: the material of walls.
    """
    free = levels >= 0
    around = np.pad(levels, 1, constant_values=-1)
    height, width = levels.shape
    near = {
        (down, across): around[1 + down : 1 + down + height, 1 + across : 1 + across + width]
        for down in (-1, 0, 1)
        for across in (-1, 0, 1)
    }
    front = np.max([near[step] for step in ((1, 0), (0, 1), (1, 1))], 0)
    behind = np.max([near[step] for step in ((-1, 0), (0, -1), (-1, -1), (-1, 1), (1, -1))], 0)
    rim = np.where(behind < 0, HIGH, np.where(front < 0, LOW, BETWEEN))
    floor = np.where(behind < 0, front, np.where(front < 0, behind, np.minimum(front, behind)))
    walls = np.where(floor >= 0, BASE + RISE * floor + rim, 0)
    return Blocks(np.where(free, BASE + RISE * levels, walls), np.where(free, materials, wall), levels)


def size_of(shape: tuple[int, int], levels: int) -> tuple[int, int]:
    """Returns height and width of the picture of a scene of cells [H, W]."""
    rows, columns = shape
    height = (rows + columns) * HALF // 2 + BASE + RISE * (levels - 1) + HIGH + 2 * MARGIN
    return height, (rows + columns) * HALF + 2 * MARGIN


def corner_of(row: int, column: int, rows: int, levels: int) -> tuple[int, int]:
    """Returns top and left of the 16 x 32 pixels of a cell's base."""
    top = MARGIN + HIGH + RISE * (levels - 1) + BASE + (row + column) * HALF // 2
    return top, MARGIN + (rows - 1 - row + column) * HALF


@functools.cache
def diamond() -> NDArray[np.bool_]:
    """Returns the shape of a cell from above, bool [16, 32]: shapes of neighbours fit without gap or overlap."""
    rows, columns = np.mgrid[:HALF, : 2 * HALF]
    half = 1 + 2 * np.minimum(rows, HALF - 1 - rows)
    shape: NDArray[np.bool_] = (columns >= HALF - half) & (columns < HALF + half)
    return shape


@functools.cache
def outline() -> NDArray[np.bool_]:
    """Returns the edge of a cell from above, bool [16, 32]."""
    inner = np.pad(diamond(), 1)
    edge: NDArray[np.bool_] = diamond() & ~(inner[:-2, 1:-1] & inner[2:, 1:-1])
    return edge


@functools.cache
def block(height: int) -> NDArray[np.int64]:
    """Returns the pixels of a block, int [16 + height, 32]: 0 none, 1 top, 2 left side, 3 right side."""
    shape, found = diamond(), np.zeros((HALF + height, 2 * HALF), np.int64)
    for column in range(2 * HALF):
        inside = np.flatnonzero(shape[:, column])
        if len(inside):
            found[inside[-1] + 1 : inside[-1] + 1 + height, column] = 2 if column < HALF else 3
    found[:HALF][shape] = 1
    return found


def draw(
    scene: Blocks, colours: Sequence[Colour], levels: int, built: int, bright: Sequence[int] = ()
) -> tuple[Picture, NDArray[np.int64]]:
    """Draws blocks; returns the picture uint8 [h, w, 3] and the cell of each pixel, int [h, w], -1 for none.

    Args:
        scene: the blocks.
        colours: of the materials, that of walls last.
        levels: number of levels.
        built: cells that are built, row by row; others are an empty grid, the next one framed.
        bright: materials that shine.
    """
    rows, columns = scene.heights.shape
    heights = np.where(np.arange(rows * columns).reshape(rows, columns) < built, scene.heights, 0)
    height, width = size_of((rows, columns), levels)
    shade = np.linspace(0, 1, height)[:, None, None]
    ground = np.array(SKY) * (1 - shade) + np.array(GLOOM) * shade
    picture = np.broadcast_to(ground, (height, width, 3)).astype(np.uint8)
    cells = np.full((height, width), -1, np.int64)
    around = np.pad(heights, 1)
    for cell in sorted(range(rows * columns), key=lambda cell: sum(divmod(cell, columns))):
        row, column = divmod(cell, columns)
        top, left = corner_of(row, column, rows, levels)
        tall = int(heights[row, column])
        part = np.s_[top - tall : top + HALF, left : left + 2 * HALF]
        kinds = block(tall)
        seen = kinds > 0
        cells[part][seen] = cell
        if not tall:
            if cell >= built:
                picture[part][outline()] = NEXT if cell == built else GRID
            continue
        material = int(scene.materials[row, column])
        faces = _faces(colours[material], material, (5 * row + 3 * column) % VARIANTS, tall)
        light = 1.0 if material in bright else 0.74 + 0.26 * max(scene.levels[row, column], 2) / (levels - 1)
        behind = (int(around[row, column + 1]) - tall, int(around[row + 1, column]) - tall)
        before = (int(around[row + 2, column + 1]) - tall, int(around[row + 1, column + 2]) - tall)
        lit = faces * light
        lit[:HALF][diamond()] *= _edges(tuple(np.sign(behind).tolist()), tuple(np.sign(before).tolist()))[diamond()][
            :, None
        ]
        picture[part][seen] = np.clip(lit[seen], 0, 255).astype(np.uint8)
    return picture, cells


@functools.lru_cache(maxsize=4096)
def _faces(colour: Colour, material: int, variant: int, tall: int) -> NDArray[np.float64]:
    """Returns the colours of a block before light, float [16 + tall, 32, 3]."""
    kinds = block(tall)
    from scipy import ndimage

    rng = np.random.default_rng(1000 * material + variant)
    grain = 1 + 0.09 * ndimage.gaussian_filter(rng.standard_normal((HALF, 2 * HALF)), (0.6, 1.2)) / 0.35
    rows, columns = np.mgrid[: HALF + tall, : 2 * HALF]
    light = np.ones(kinds.shape)
    light[:HALF] = np.where(kinds[:HALF] == 1, grain, 1.0)
    depth = rows - (HALF - 1 - abs(columns - HALF + 0.5) / 2)  # pixels below the edge of the top
    layer = np.where(depth.astype(np.int64) % RISE == 0, 0.84, 1.0) * np.clip(1.06 - 0.007 * depth, 0.55, 1.06)
    for kind, side in ((2, LEFT), (3, RIGHT)):
        light = np.where(kinds == kind, side * layer, light)
    return np.array(colour) * light[..., None]


@functools.cache
def _edges(behind: tuple[int, int], before: tuple[int, int]) -> NDArray[np.float64]:
    """Returns the light along the edges of a top, float [16, 32]: dark below higher neighbours, bright above lower.

    Args:
        behind: sign of the heights of the neighbours behind, right and left, less the block's own.
        before: the same of those in front, left and right.
    """
    rows, columns = np.mgrid[:HALF, : 2 * HALF]
    across, down = (columns - HALF + 0.5) / 2, rows - HALF / 2 + 0.5
    right, left = (down - across) + HALF / 2, (down + across) + HALF / 2  # pixels from the edges behind
    light = np.ones((HALF, 2 * HALF))
    for sign, distance in zip(behind, (right, left), strict=True):
        if sign > 0:
            light *= np.clip(0.62 + 0.09 * distance, 0.62, 1)
    for sign, distance in zip(before, (HALF - right, HALF - left), strict=True):
        if sign < 0:
            light = np.where(distance < 1.5, light * 1.16, light)
    return light
