"""Tiles of dungeons and of Sokoban's warehouse, drawn here: no game's own art is used."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .pictures import Colour
from .tileart import SIDE, Theme, Tile, block, over, picture

TREE = """
......kkkk......
....kkGggGkk....
...kGgggggGGk...
..kGgygggggGGk..
..kgggygggGGGk..
.kGggggggygGGGk.
.kGggygggggGGGk.
.kGGgggggGGgGDk.
..kGGggGGggGDk..
..kDGGGGGGGDDk..
...kDDGGDDDDk...
....kkDDDDkk....
......kuUk......
......kuUk......
.....kuuUUk.....
.....kkkkkk.....
"""
STATUE = """
......kkkk......
.....kwwsSk.....
.....kwssSk.....
.....kssSDk.....
......ksSk......
....kkwssSkk....
...kwskssSksk...
...kssksSSkDk...
...kSkwssSkDk...
....kkwssSkk....
.....kwssSk.....
.....kwsSDk.....
....kkssSSkk....
...kwsssssSSk...
...kSSSSSSDDk...
...kkkkkkkkkk...
"""
ALTAR = """
................
......ryyr......
......yffy......
.......yy.......
...w...kk...w...
...s..k..k..s...
.kkkkkkkkkkkkkk.
.kwwwsssssssSSk.
.kkkkkkkkkkkkkk.
..krrrrrRRRRRk..
..krryrrRRyRRk..
..kryfyrRyfyRk..
..krryrrRRyRRk..
..krrrrrRRRRRk..
..kkkkkkkkkkkk..
................
"""
CHEST = """
................
................
....kkkkkkkk....
...kbbybbbybk...
..kbbbybbbybbk..
..kBBByBBByBBk..
..kkkkykkkykkk..
..kBByyyyyyBBk..
..kkkkkyykkkkk..
..kbbbykkybbbk..
..kbbbyyyybbbk..
..kBBBByyBBBBk..
..kBBBBBBBBBBk..
..kkkkkkkkkkkk..
................
................
"""
GOBLIN = """
................
.....kkkkkk.....
.kk.kgggggGk.kk.
.kgkgggggggGkGk.
..kggkrggkrgGk..
...kggggggggk...
...kgkkkkkkGk...
....kgwgwgGk....
.....kkGGkk.....
....kuuuuUUk....
...kgkuuuUkGk.k.
...kgkuuUUkGkwk.
...kkkuUUUkkwk..
.....kuUkUk.k...
.....kgkkGk.....
.....kkk.kkk....
"""
SPIKES = """
................
................
...w.......w....
...s.......s....
..wsS..w..wsS...
..wsS..s..wsS...
..ksk.wsS.ksk...
......wsS.......
...w..ksk..w....
...s.......s....
..wsS..w..wsS...
..wsS..s..wsS...
..ksk.wsS.ksk...
......wsS.......
......ksk.......
................
"""
KEEPER = """
......kkkk......
....kkrrrRkk....
...krrrrrrRRk...
...kkkkkkkkkk...
....kfkffkfk....
....kfkffkfk....
....kffffFFk....
.....kfkkFk.....
....kkcccCkk....
...kfkcccCkFk...
...kfkcccCkFk...
...kkkcyyCkkk...
.....kcccCk.....
.....kCCCCk.....
....kuuk.kUUk...
....kkkk.kkkk...
"""
INKS: dict[str, Colour] = {
    "k": (20, 16, 28), "w": (246, 244, 250), "s": (182, 184, 204), "S": (124, 126, 152), "D": (58, 78, 60),
    "g": (104, 172, 72), "G": (62, 122, 62), "y": (250, 206, 84), "u": (142, 96, 58), "U": (98, 62, 44),
    "r": (206, 62, 66), "R": (142, 36, 56), "f": (250, 214, 178), "F": (212, 160, 124), "b": (186, 118, 62),
    "B": (134, 80, 46), "c": (72, 128, 214), "C": (46, 84, 158),
}  # fmt: skip
"""Colours of the letters of the pictures above."""


def _inked(rows: str) -> Tile:
    return picture(rows, INKS)


def _texture(low: Colour, high: Colour, values: NDArray[np.float64]) -> Tile:
    """Returns a tile between two colours, by values [16, 16] from 0 to 1."""
    tile = np.full((SIDE, SIDE, 4), 255, np.uint8)
    tile[..., :3] = np.array(low) + (np.array(high) - np.array(low)) * values[..., None]
    return tile


def _grain(seed: int, coarse: int) -> NDArray[np.float64]:
    """Returns random values [16, 16] that join at the edges, smooth over so many pixels."""
    values = np.random.default_rng(seed).random((SIDE, SIDE))
    for _ in range(coarse):
        values = (values + sum(np.roll(values, step, axis) for step in (-1, 1) for axis in (0, 1))) / 5
    spread: NDArray[np.float64] = (values - values.min()) / np.ptp(values)
    return spread


def _slabs(low: Colour, high: Colour, seed: int) -> Tile:
    """Returns a floor of four slabs with dark joints."""
    shade = np.kron(np.array([[0.75, 0.6], [0.6, 0.75]]), np.ones((8, 8))) + 0.25 * _grain(seed, 1)
    shade[[7, 15]] = shade[:, [7, 15]] = 0.12
    shade[[0, 8]] += 0.12
    shade[:, [7, 15]] = 0.12
    return _texture(low, high, np.clip(shade, 0, 1))


def _bricks(low: Colour, high: Colour) -> Tile:
    """Returns a wall of four courses seen from the front, its upper edge lit."""
    shade = 0.55 + 0.25 * _grain(5, 1)
    for course in range(4):
        shade[4 * course] += 0.2
        shade[4 * course + 3] = 0.1
        shade[4 * course : 4 * course + 4, (3, 11) if course % 2 else (7, 15)] = 0.1
    shade[0] = 1
    return _texture(low, high, np.clip(shade, 0, 1))


def _waves(low: Colour, high: Colour, crest: Colour, seed: int) -> Tile:
    tile = _texture(low, high, _grain(seed, 3))
    for row, column, length in ((3, 2, 5), (4, 6, 2), (8, 9, 5), (9, 13, 2), (12, 4, 4), (13, 8, 2)):
        tile[row, (column + np.arange(length)) % SIDE, :3] = crest
    return tile


def _door() -> Tile:
    tile = _texture((104, 62, 36), (176, 112, 62), 0.5 + 0.3 * _grain(7, 1))
    tile[:, [3, 7, 11], :3] = (82, 48, 30)
    tile[[0, 15], :, :3] = tile[:, [0, 15], :3] = (44, 28, 26)
    tile[[3, 12], 1:15, :3] = (96, 98, 112)
    tile[7:10, 12:14, :3] = INKS["y"]
    return tile


def _window() -> Tile:
    rows, columns = np.indices((SIDE, SIDE))
    tile = _texture((86, 148, 176), (176, 226, 238), np.clip((rows + columns) / 30, 0, 1))
    tile[(rows + columns) % 16 < 2, :3] = (226, 248, 252)
    tile[[0, 7, 15], :, :3] = tile[:, [0, 7, 15], :3] = (70, 74, 96)
    return tile


def _stairs() -> Tile:
    tile = np.full((SIDE, SIDE, 4), (16, 13, 22, 255), np.uint8)
    for step in range(4):
        shade = np.array((176, 168, 186)) * (1 - 0.2 * step)
        tile[2 + 3 * step : 5 + 3 * step, 2 + 2 * step : 14, :3] = shade * 0.62
        tile[2 + 3 * step, 2 + 2 * step : 14, :3] = shade
    return tile


def _entrance() -> Tile:
    """Returns a mark on the ground: an arrow on a light plate."""
    tile = np.zeros((SIDE, SIDE, 4), np.uint8)
    tile[2:14, 2:14] = (196, 160, 84, 255)
    tile[3:13, 3:13] = (118, 88, 58, 255)
    for row in range(4):
        tile[4 + row, 8 - row - 1 : 8 + row + 1] = (250, 224, 140, 255)
    tile[8:12, 7:9] = (250, 224, 140, 255)
    return tile


def _crate(dark: Colour, light: Colour) -> Tile:
    tile = block(light)
    tile[[3, 12], 1:15, :3] = tile[1:15, [3, 12], :3] = dark
    for place in range(4, 12):
        tile[place, [place, 15 - place], :3] = dark
    tile[[0, 15], :, :3] = tile[:, [0, 15], :3] = (52, 30, 26)
    return tile


def _target() -> Tile:
    rows, columns = np.indices((SIDE, SIDE))
    away = np.hypot(rows - 7.5, columns - 7.5)
    tile = np.zeros((SIDE, SIDE, 4), np.uint8)
    tile[(away < 6) & (away > 4.2)] = (236, 92, 96, 255)
    tile[away < 2.2] = (236, 92, 96, 255)
    return tile


def dungeon(names: Mapping[str, str]) -> Theme:
    """Returns the theme of dungeons.

    Args:
        names: of the tiles by symbol; a blank is the outside.
    """
    return _theme((13, 12, 20), (20, 18, 30), _dungeon(), names, _bricks((52, 44, 60), (152, 138, 152)), "#%S")


def warehouse(names: Mapping[str, str]) -> Theme:
    """Returns the theme of Sokoban; see ``dungeon``."""
    return _theme((20, 26, 36), (30, 38, 50), _warehouse(), names, _bricks((52, 62, 80), (172, 186, 204)), "#$*")


def _theme(
    top: Colour, bottom: Colour, tiles: Mapping[str, Tile], names: Mapping[str, str], front: Tile, shadows: str
) -> Theme:
    shown = {symbol: names[symbol] for symbol in tiles if symbol in names}
    return Theme(top, bottom, tiles, shown, names.get(" ", "outside"), {"#": front}, shadows)


@functools.cache
def _dungeon() -> Mapping[str, Tile]:
    floor = _slabs((46, 42, 56), (104, 98, 116), 1)
    return {
        "#": _texture((48, 46, 66), (74, 72, 98), _grain(2, 2)),
        ".": floor,
        "+": _door(),
        "%": _window(),
        ",": _waves((64, 132, 168), (92, 164, 188), (170, 214, 222), 11),
        "~": _waves((24, 56, 122), (38, 84, 158), (92, 142, 206), 12),
        "&": _waves((182, 48, 22), (246, 136, 34), (255, 226, 120), 13),
        "T": over(_texture((40, 62, 44), (62, 88, 54), _grain(14, 1)), _inked(TREE)),
        "S": over(floor, _inked(STATUE)),
        "_": over(floor, _inked(ALTAR)),
        ">": over(floor, _stairs()),
        "@": over(floor, _entrance()),
        "^": over(floor, _inked(SPIKES)),
        "$": over(floor, _inked(CHEST)),
        "M": over(floor, _inked(GOBLIN)),
    }


@functools.cache
def _warehouse() -> Mapping[str, Tile]:
    floor = _slabs((150, 136, 116), (214, 200, 172), 3)
    return {
        "#": _texture((66, 82, 104), (92, 110, 134), _grain(2, 2)),
        "-": floor,
        ".": over(floor, _target()),
        "$": _crate((150, 92, 44), (214, 150, 82)),
        "*": _crate((58, 116, 62), (126, 190, 98)),
        "@": over(floor, _inked(KEEPER)),
        "+": over(over(floor, _target()), _inked(KEEPER)),
    }
