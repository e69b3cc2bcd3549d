"""Scenes as squares of 16 x 16 cells with a height and a material each: cut from maps, turned, split, cached.

See ``docs/environments/scene.md``.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..task import Condition
from . import files, sources
from .cache import Arrays, cache_folder, cached
from .figures import Figure, Figures
from .gallery import Gallery, layout, packed, unpacked
from .images import kins_of, opened
from .placing import SIDE, TURNS, hot, turned
from .splitting import held_out_copies, split_figures
from .subfolders import conditions_of, folder_of
from .wads import read_maps

PARSER_VERSION = 1  # raise it whenever a scene or its part may come out differently: older caches are then ignored
LEVELS = 8
MATERIALS = {
    "stone": (138, 140, 150),
    "earth": (150, 108, 66),
    "grass": (96, 148, 72),
    "water": (58, 118, 196),
    "slime": (134, 186, 48),
    "lava": (228, 92, 36),
}
"""Red, green and blue of each material, in pictures and in a user's files."""
STONE, EARTH, GRASS, WATER, SLIME, LAVA = range(len(MATERIALS))
LIQUIDS = {"FWATER": WATER, "NUKAGE": SLIME, "SLIME0": SLIME, "BLOOD": LAVA, "LAVA": LAVA}
"""Beginnings of the names of pictures of liquids."""
CELL, STEP = 32, 24  # units of a cell's side, and of a level: as high as a player climbs
STRIDE = 8  # cells between neighbouring scenes of a map
OPEN = 0.4  # least share of open cells
FEWEST_LEVELS = 3  # least number of heights
TOGETHER = 0.5  # least share of open cells in the largest part to walk in
MOST = 40  # scenes of a map that count for the shares of the splits
POSITIONS = 4  # in which a scene is a work
ALIKE = 0.8  # likeness from which on a held-out scene is a near copy of an earlier split's
HELD_OUT = 0.1  # share of the maps' scenes in validation, and in test
SOLID = -(2**20)  # units, below all floors
TINGE = 0.08  # share by which green exceeds red and blue in grass
GREY = 12  # difference of red, green and blue up to which a colour is grey
SUFFIXES = (".png",)
BESIDE = (MATERIALS_FOLDER, VIEW_FOLDER) = ("materials", "view")
"""Folders of a scene's other pictures, beside that of its heights: its materials, and how it looks."""
GROUND = Condition("ground", tuple(MATERIALS))

Cells = NDArray[np.uint8]
Heights = NDArray[np.int64]
Walker = Callable[[Heights], NDArray[np.float64]]
"""Returns the share of open cells in the largest part to walk in, of scenes of levels int [N, H, W], -1 for solid."""


class Plan(NamedTuple):
    """Cells that scenes are cut from.

    Attributes:
        name: of the map or file.
        kin: equal for plans whose scenes belong in one split.
        style: a value of each condition but the ground.
        levels: int [H, W], from any ground on; -1 for solid cells alone.
        materials: int [H, W].
    """

    name: str
    kin: str
    style: tuple[str, ...]
    levels: Heights
    materials: Heights


class Collection(NamedTuple):
    """Maps that a source has.

    Attributes:
        themes: the theme of a map, by the beginning of its name; none where there is one theme.
        conditions: of scenes.
    """

    themes: Mapping[str, str]
    conditions: tuple[Condition, ...]


_THEMES = {
    "E1": "outpost",
    "E2": "labs",
    "E3": "horizon",
    "E4": "impact",
    "MAP0": "early",
    "MAP1": "middle",
    "MAP2": "late",
    "MAP3": "late",
}
COLLECTIONS = {
    "freedoom": Collection(_THEMES, (Condition("theme", tuple(dict.fromkeys(_THEMES.values()))), GROUND)),
    "freedm": Collection({}, (GROUND,)),
}
"""By the name of their source; the first is the default."""


def values_of(levels: Heights, materials: Heights) -> Cells:
    """Returns cells as numbers: 0 for solid ones, of level -1; else 1 + 8 * material + level."""
    return np.where(levels < 0, 0, 1 + LEVELS * materials + levels).astype(np.uint8)


def levels_of(contents: NDArray[np.integer[Any]]) -> Heights:
    """Returns the level of each cell, -1 for solid ones: inverts ``values_of``."""
    return np.where(contents > 0, (contents.astype(np.int64) - 1) % LEVELS, -1)


def load_collection(data: str, walker: Walker) -> Gallery:
    """Returns the scenes of a source, a name of ``COLLECTIONS``, from the cache where they are there.

    Raises:
        CorpusMissingError: The source is not on this machine.
        ValueError: It is damaged.
    """
    known, root = COLLECTIONS[data], sources.find(data)
    cache = cache_folder() / f"scenes-{sources.version(data, root)}-v{PARSER_VERSION}.npz"

    def build() -> Arrays:
        plans = [plan for file in sources.files(data, root) for plan in _plans(file, known.themes)]
        if not plans:
            raise ValueError(f"{root} holds no maps: get them again with {sources.SOURCES[data].command} --force")
        return _build(plans, known.conditions, len(plans), (), walker)

    return cached(
        cache, layout((SIDE, SIDE), known.conditions), build, lambda arrays: _gallery(arrays, str(root), False)
    )


class Folder(NamedTuple):
    """The pictures of a user.

    Attributes:
        conditions: the folder, where there are several, and the ground.
        found: the files.
    """

    conditions: tuple[Condition, ...]
    found: files.Found

    def load(self) -> Gallery:
        """Returns the scenes; ``works.usable`` raises where they are too few."""
        plans, skipped = read_pictures(self.found)
        count = len(self.found.files) + len(self.found.skipped)
        arrays = _build(plans, self.conditions, count, skipped, None)
        return _gallery(arrays, files.printable(str(self.found.root)), True)


def find_folder(corpus: str) -> Folder:
    """Returns the pictures of heights in a user's folder: all PNG files but those of materials and views.

    Raises:
        ValueError: There is no such folder.
    """
    found = files.find(Path(corpus), SUFFIXES)
    heights = [file for file in found.files if not {*file.relative_to(found.root).parts[:-1][-1:]} & {*BESIDE}]
    own = dataclasses.replace(found, files=heights)
    return Folder((*conditions_of(own), GROUND), own)


def read_pictures(found: files.Found) -> tuple[list[Plan], tuple[tuple[str, str], ...]]:
    """Returns the plans of PNG files, and (name, reason) of those that give none.

    A pixel is a cell. Its shade of grey, from 0 to 255, is its height: rounded to eighths, 0 is solid, 1 to 8 are the
    levels 0 to 7. ``materials/NAME.png`` beside, where it is there, gives the material of each cell by the nearest
    colour of ``MATERIALS``; without it all is stone.
    """
    folders = bool(conditions_of(found))

    def read(data: bytes, name: str) -> list[tuple[str, Heights, Heights]]:
        levels = _heights(data)
        file = found.root / name
        beside = file.parent / MATERIALS_FOLDER / file.name
        materials = _materials(beside, levels.shape) if beside.is_file() else np.zeros_like(levels)
        return [(name, levels, materials)]

    items, skipped = files.read_files(found, read)
    kins = kins_of([name for name, _, _ in items])
    plans = [
        Plan(name, kin, (folder_of(name),) if folders else (), levels, materials)
        for (name, levels, materials), kin in zip(items, kins, strict=True)
    ]
    return plans, skipped


def _heights(data: bytes) -> Heights:
    """Returns the levels of a picture's pixels, -1 for black ones.

    Raises:
        ValueError: It is no PNG, too small, or has colours.
    """
    with opened(data, ("PNG",)) as image:
        if min(image.size) < SIDE:
            raise ValueError(f"{image.width} x {image.height} pixels, smaller than a scene of {SIDE} x {SIDE} cells")
        pixels = np.array(image.convert("RGB")).astype(np.int64)
    if np.ptp(pixels, axis=2).max() > GREY:
        raise ValueError("it has colours, and heights are shades of grey")
    levels: Heights = np.rint(pixels.mean(2) * LEVELS / 255).astype(np.int64) - 1
    return levels


def _materials(path: Path, shape: tuple[int, ...]) -> Heights:
    """Returns the materials of a picture's pixels; raises ValueError where it is none of this shape."""
    with opened(path.read_bytes(), ("PNG",)) as image:
        pixels = np.array(image.convert("RGB")).astype(np.int64)
    if pixels.shape[:2] != shape:
        raise ValueError(f"{path.parent.name}/{path.name} is of another size")
    distance = ((pixels[:, :, None] - np.array(list(MATERIALS.values()))) ** 2).sum(-1)
    nearest: Heights = distance.argmin(-1)
    return nearest


def _plans(file: Path, themes: Mapping[str, str]) -> list[Plan]:
    """Returns the maps of a WAD file, in levels from 0 units on."""
    maps, colours = read_maps(file, CELL)
    plans = list[Plan]()
    for found in maps:
        materials = np.array([*(_material(flat, colours.get(flat)) for flat in found.flats), 0])[found.flat]
        theme = next((theme for start, theme in themes.items() if found.name.startswith(start)), "")
        name = f"{file.stem}/{found.name}"
        units = np.where(found.flat >= 0, found.floor.astype(np.int64), SOLID)
        plans.append(Plan(name, name, (theme,) * bool(theme), units, materials))
    return plans


def _material(flat: str, colour: NDArray[np.float64] | None) -> int:
    """Returns the material of a picture of a floor: liquids by name, others by their mean colour."""
    for start, liquid in LIQUIDS.items():
        if flat.startswith(start):
            return liquid
    if colour is None:
        return STONE
    red, green, blue = colour
    if green >= max(red, blue) + TINGE * green:
        return GRASS
    return EARTH if red > blue + 4 * TINGE * red and green > blue else STONE


def _windows(plan: Plan) -> tuple[Heights, Heights]:
    """Returns levels and materials of all squares of a plan, int [N, 16, 16] each."""
    height, width = plan.levels.shape
    rows, columns = (sorted({*range(0, size - SIDE, STRIDE), size - SIDE}) for size in (height, width))
    both = np.stack([plan.levels, plan.materials])
    cut = [
        both[:, row : row + SIDE, column : column + SIDE] for row in rows for column in columns if row >= 0 <= column
    ]
    levels, materials = np.array(cut, np.int64).reshape(-1, 2, SIDE, SIDE).transpose(1, 0, 2, 3)
    return levels, materials


def _walkable(units: Heights, walker: Walker) -> tuple[Heights, list[str]]:
    """Returns levels int [N, 16, 16] of squares of a map, and why squares are left out, "" for those that are not.

    The lowest open cell of a square is at level 0.
    """
    free = units != SOLID
    lowest = np.where(free, units, np.iinfo(np.int64).max).min((1, 2), keepdims=True, initial=2**31)
    levels = np.where(free, np.rint((units - lowest) / STEP), -1).astype(np.int64)
    together, reasons = walker(levels), list[str]()
    for square, share in zip(levels, together, strict=True):
        found = set(square[square >= 0].tolist())
        if (square >= 0).mean() < OPEN:
            reasons.append("mostly solid")
        elif max(found) >= LEVELS:
            reasons.append(f"higher than {LEVELS} levels")
        elif len(found) < FEWEST_LEVELS:
            reasons.append("nearly flat")
        else:
            reasons.append("" if share >= TOGETHER else "in parts that no step joins")
    return levels, reasons


def _build(
    plans: Sequence[Plan],
    conditions: Sequence[Condition],
    count: int,
    skipped: tuple[tuple[str, str], ...],
    walker: Walker | None,
) -> Arrays:
    """Returns the arrays of a corpus: each different scene in several positions, in the split of its map.

    Args:
        plans: cut into scenes.
        conditions: of the scenes, the ground last.
        count: number of files, or maps.
        skipped: files that gave no plan.
        walker: for maps in units, whose squares are scenes where they can be walked in; None for levels, all of them.
    """
    scenes, read, left_out = dict[bytes, Figure](), list[Figure](), Counter[str]()
    for plan in plans:
        levels, materials = _windows(plan)
        if walker is None:
            reasons = ["" if each.max() >= 0 else "solid" for each in levels]
        else:
            levels, reasons = _walkable(levels, walker)
        contents, found = values_of(levels, materials), list[Figure]()
        for content, reason in zip(contents, reasons, strict=True):
            known = min(turned(content, turn).tobytes() for turn in range(TURNS)) if not reason else b""
            if reason or known in scenes:
                left_out[reason or "equal to another, turned or mirrored"] += 1
                continue
            style = (*plan.style, GROUND.values[ground_of(content)])
            scenes[known] = Figure(plan.name, plan.kin, style, content)
            found.append(scenes[known])
        read += found[:1]
    figures = list(scenes.values())
    parts = split_figures(figures, MOST, HELD_OUT)
    if walker is not None:
        kept = ~near_copies(np.array([each.pixels for each in figures], np.uint8), parts)
        left_out["near copy of a scene of another split"] += int((~kept).sum())
        figures, parts = [each for each, keep in zip(figures, kept, strict=True) if keep], parts[kept]
    positions = [(_positions(each.pixels) if walker else [each.pixels]) for each in figures]
    rows = np.repeat(np.arange(len(figures)), [len(each) for each in positions])
    return packed(
        Figures(read, count, left_out, skipped),
        (),
        np.array([content for each in positions for content in each], np.uint8).reshape(-1, SIDE, SIDE),
        [figures[row].kin for row in rows],
        [figures[row].style for row in rows],
        parts[rows],
        np.array(list(MATERIALS.values()), np.uint8),
        conditions,
    )


def ground_of(content: Cells) -> int:
    """Returns the material of most open cells of a scene; -1 where none is open."""
    materials = (content[content > 0].astype(np.int64) - 1) // LEVELS
    return int(np.bincount(materials).argmax()) if len(materials) else -1


def _positions(content: Cells) -> list[Cells]:
    """Returns different positions of a scene: its own, and others in an order of their own, ``POSITIONS`` at most."""
    known = content.tobytes()
    order = sorted(range(1, TURNS), key=lambda turn: hashlib.sha256(known + bytes([turn])).digest())
    found = {each.tobytes(): each for each in (turned(content, turn) for turn in (0, *order))}
    return list(found.values())[:POSITIONS]


def near_copies(contents: Cells, parts: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Returns which scenes are, in some position, near copies of one of an earlier split, bool [N].

    Near copies are equal in at least ``ALIKE`` of the cells that are open in either (Jaccard 1912).
    """

    def copies(ours: Cells, earlier: Cells) -> NDArray[np.bool_]:
        near, known = np.zeros(len(ours), np.bool_), hot(earlier, 0)
        for turn in range(TURNS):
            own = np.array([turned(each, turn) for each in ours], np.uint8)
            same = (hot(own, 0) @ known.T).toarray()
            either = (own > 0).sum((1, 2))[:, None] + (earlier > 0).sum((1, 2)) - same
            near |= (same / np.maximum(either, 1)).max(1) >= ALIKE
        return near

    return held_out_copies(contents, parts, copies)


def _gallery(arrays: Arrays, named: str, own: bool) -> Gallery:
    return unpacked(arrays, "scenes", named, SUFFIXES, own, unit="unrelated picture")
