"""Tiles of games as small pictures, drawn here: no game's own art is used.

A tile is uint8 [16, 16, 4]: red, green, blue, and 255 where it covers the sky, else 0. A theme is a sky and the tiles
of symbols; another game is another theme.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .pictures import Colour, colour

SIDE = 16  # pixels of a tile
Tile = NDArray[np.uint8]

COLOURS: Mapping[str, Colour] = {
    "k": (24, 20, 37),
    "w": (255, 250, 240),
    "g": (255, 205, 66),
    "G": (214, 138, 28),
    "y": (255, 238, 150),
    "p": (140, 76, 170),
    "P": (94, 46, 126),
    "r": (226, 74, 62),
    "R": (150, 34, 44),
    "b": (74, 128, 226),
    "B": (38, 66, 150),
    "s": (240, 196, 156),
    "c": (120, 226, 220),
}
"""Colours of the letters of pictures; a dot covers nothing."""

BEETLE = """
................
................
................
................
.....kkkkkk.....
...kkppppppkk...
..kpppppppppPk..
.kppwwppppwwpPk.
.kppwkppppkwpPk.
.kppwkppppkwpPk.
kppppppppppppPPk
kppkkkkkkkkkkPPk
.kPPwkwwwwkwPPk.
..kkPPPPPPPPkk..
..kkk.kkkk.kkk..
.kkkk......kkkk.
"""
COIN = """
................
................
......kkkk......
....kkyyggkk....
....kyggggGk....
...kyggyyggGk...
...kyggygGgGk...
...kyggygGgGk...
...kyggygGgGk...
...kyggygGgGk...
...kyggyGGgGk...
....kyggggGk....
....kkgGGGkk....
......kkkk......
................
................
"""
MARK = """
................
................
................
.....wwwwww.....
....wwwwwwww....
....www..www....
.........www....
........www.....
.......www......
.......www......
................
.......www......
.......www......
................
................
................
"""
SPARK = """
................
................
................
.......ww.......
.......ww.......
......wwww......
......wwww......
...wwwwwwwwww...
...wwwwwwwwww...
......wwww......
......wwww......
.......ww.......
.......ww.......
................
................
................
"""
GOLD = """
................
................
................
................
................
................
................
................
......kkk.......
.....kyygk.kk...
....kyyggGkygk..
...kyygggkyggGk.
..kyyggggGkggGk.
..kyggggGGkgGGk.
..kkGGGGGkkGGkk.
...kkkkkkkkkkk..
"""
RUNNER = """
......kkkk......
.....kbbbbk.....
.....kssssk.....
.....ksksk......
.....kssssk.....
......kssk......
....kkbbbbkk....
...kwkbbbbkwk...
...kskbbbbksk...
....kkbbbbkk....
.....kBBBBk.....
.....kBkkBk.....
....kBBkkBBk....
....kBk..kBk....
...kkkk..kkkk...
................
"""
GUARD = """
......kkkk......
.....krrrrk.....
....kwkrrkwk....
....kwkrrkwk....
....krrrrrrk....
.....kRRRRk.....
...kkrrrrrrkk...
..krrkrrrrkrrk..
..krkkrrrrkkrk..
...kkkrrrrkkk...
....kkRRRRkk....
....kRRkkRRk....
....kRk..kRk....
...kRRk..kRRk...
...kkkk..kkkk...
................
"""


PLATFORM_NAMES = {
    "X": "ground",
    "S": "brick",
    "?": "question block with a power-up",
    "Q": "question block with a coin",
    "E": "enemy",
    "<": "left half of a pipe's rim",
    ">": "right half of a pipe's rim",
    "[": "left half of a pipe's body",
    "]": "right half of a pipe's body",
    "o": "coin",
    "B": "cannon",
    "b": "stand of a cannon",
}
DIGGING_NAMES = {
    "M": "brick",
    "X": "concrete",
    "F": "false brick",
    "H": "ladder",
    "Z": "hidden ladder",
    "T": "bar",
    "N": "gold",
    "E": "guard",
    "R": "runner",
}


class Theme(NamedTuple):
    """A way to draw levels.

    Attributes:
        top: the sky's colour at the top.
        bottom: and at the bottom.
        tiles: of each symbol.
        names: of each symbol.
        empty: the name of tile 0, where the sky is seen.
        fronts: of some symbols, the tile where another symbol is below: a wall seen from the front.
        shadows: symbols that cast a shadow on others below.
    """

    top: Colour
    bottom: Colour
    tiles: Mapping[str, Tile]
    names: Mapping[str, str]
    empty: str = "air"
    fronts: Mapping[str, Tile] = MappingProxyType({})
    shadows: str = ""


def picture(rows: str, inks: Mapping[str, Colour] = COLOURS) -> Tile:
    """Returns the tile of a picture in letters of inks; a dot covers nothing."""
    lines = rows.strip("\n").split("\n")
    if len(lines) != SIDE or any(len(line) != SIDE for line in lines):
        raise ValueError(f"a tile has {SIDE} rows of {SIDE} letters")
    return np.array([[(0, 0, 0, 0) if c == "." else (*inks[c], 255) for c in line] for line in lines], np.uint8)


def _filled(fill: Colour) -> Tile:
    return np.full((SIDE, SIDE, 4), (*fill, 255), np.uint8)


def _shade(tone: Colour, factor: float) -> Colour:
    red, green, blue = (min(255, round(part * factor)) for part in tone)
    return red, green, blue


def block(tone: Colour) -> Tile:
    """Returns a square block with a light and a dark edge."""
    tile = _filled(tone)
    tile[0], tile[:, 0] = (*_shade(tone, 1.35), 255), (*_shade(tone, 1.35), 255)
    tile[-1], tile[:, -1] = (*_shade(tone, 0.5), 255), (*_shade(tone, 0.5), 255)
    tile[-2, 1:-1], tile[1:-1, -2] = (*_shade(tone, 0.78), 255), (*_shade(tone, 0.78), 255)
    return tile


def bricks(tone: Colour) -> Tile:
    """Returns two courses of bricks to a half tile."""
    tile = _filled(tone)
    for course in range(4):
        top, joint = 4 * course, 7 if course % 2 else 15
        tile[top] = (*_shade(tone, 1.25), 255)
        tile[top + 3] = (*_shade(tone, 0.45), 255)
        tile[top : top + 4, joint] = (*_shade(tone, 0.45), 255)
    return tile


def earth(tone: Colour) -> Tile:
    """Returns a block of rough ground."""
    tile = block(tone)
    for row, column, factor in (
        (3, 4, 0.78), (3, 5, 0.78), (4, 10, 1.2), (5, 11, 1.2), (7, 6, 0.78), (8, 7, 0.78), (8, 12, 0.78),
        (10, 3, 1.2), (11, 4, 1.2), (11, 9, 0.78), (12, 10, 0.78), (6, 2, 1.2), (12, 13, 1.2),
    ):  # fmt: skip
        tile[row, column, :3] = _shade(tone, factor)
    return tile


def over(ground: Tile, front: Tile) -> Tile:
    """Returns a tile with another one on top."""
    return np.where(front[..., 3:] > 0, front, ground)


def pipe(tone: Colour, right: bool, top: bool) -> Tile:
    """Returns a quarter of a pipe: one of its halves, of its rim or of its body."""
    across = np.arange(2 * SIDE)
    light = 0.62 + 0.75 * np.exp(-(((across - 9) / 6.0) ** 2))
    dark = (across < 1) | (across > 2 * SIDE - 2)
    if not top:
        light = np.roll(light, 1)
        dark = (across < 3) | (across > 2 * SIDE - 4)
    light = np.where(dark, 0.28, light)
    row = np.minimum(255, np.array(tone) * light[:, None])
    tile = np.zeros((SIDE, 2 * SIDE, 4), np.uint8)
    tile[..., :3], tile[..., 3] = row, 255
    if top:
        tile[0, :, :3] = tile[-1, :, :3] = _shade(tone, 0.28)
        tile[-2, 1:-1, :3] = (tile[-2, 1:-1, :3] * 0.7).astype(np.uint8)
    else:
        tile[:, [0, 1, -1, -2]] = 0
        tile[0, 3:-3, :3] = (tile[0, 3:-3, :3] * 0.6).astype(np.uint8)
    return tile[:, SIDE:] if right else tile[:, :SIDE]


def cannon(top: bool) -> Tile:
    """Returns the barrel of a cannon, or its stand."""
    tone = (66, 70, 88)
    tile = block(tone)
    if top:
        rows, columns = np.mgrid[:SIDE, :SIDE]
        away = np.hypot(rows - 7.5, columns - 7.5)
        tile[(away < 6), :3] = _shade(tone, 1.5)
        tile[(away < 4.2), :3] = COLOURS["k"]
    else:
        tile[:, 5:11, :3] = _shade(tone, 0.7)
        tile[:, 5, :3] = _shade(tone, 1.4)
    return tile


def ladder(tone: Colour) -> Tile:
    """Returns a piece of a ladder."""
    tile = np.zeros((SIDE, SIDE, 4), np.uint8)
    for column in (3, 4, 11, 12):
        tile[:, column] = (*_shade(tone, 0.7 if column in (4, 12) else 1), 255)
    for row in (2, 7, 12):
        tile[row, 3:13], tile[row + 1, 3:13] = (*tone, 255), (*_shade(tone, 0.6), 255)
    return tile


def bar(tone: Colour) -> Tile:
    """Returns a piece of a bar to hang from."""
    tile = np.zeros((SIDE, SIDE, 4), np.uint8)
    tile[2], tile[3], tile[4] = (*_shade(tone, 1.3), 255), (*tone, 255), (*_shade(tone, 0.5), 255)
    return tile


def unknown(symbol: str) -> Tile:
    """Returns the tile of a symbol that no theme has: a block of its own colour, with the symbol on it."""
    from PIL import Image, ImageDraw, ImageFont

    tile = block(colour(ord(symbol)))
    drawn = Image.new("L", (SIDE, SIDE), 0)
    ImageDraw.Draw(drawn).text((SIDE / 2, SIDE / 2), symbol, 255, ImageFont.load_default(12), anchor="mm")
    ink = (np.asarray(drawn) / 255)[..., None]
    tile[..., :3] = (tile[..., :3] * (1 - ink) + np.array(COLOURS["w"]) * ink).round()
    return tile


@functools.cache
def themes() -> Mapping[str, Theme]:
    """Returns the themes by name."""
    green, gold = (70, 184, 74), (240, 166, 40)
    platform = {
        "X": earth((196, 118, 66)),
        "S": bricks((206, 92, 48)),
        "?": over(block(gold), picture(MARK)),
        "Q": over(block(gold), picture(SPARK)),
        "E": picture(BEETLE),
        "o": picture(COIN),
        "B": cannon(True),
        "b": cannon(False),
        **{
            symbol: pipe(green, right, top)
            for symbol, right, top in (("<", False, True), (">", True, True), ("[", False, False), ("]", True, False))
        },
    }
    wood = (214, 168, 98)
    hidden = ladder(wood)
    hidden[(np.indices((SIDE, SIDE)).sum(0) % 2).astype(bool)] = 0
    trap = bricks((164, 74, 58))
    trap[[5, 6, 9, 10], [4, 10, 5, 11], :3] = COLOURS["k"]
    digging = {
        "M": bricks((176, 78, 60)),
        "X": block((112, 118, 140)),
        "F": trap,
        "H": ladder(wood),
        "Z": hidden,
        "T": bar((168, 180, 206)),
        "N": picture(GOLD),
        "E": picture(GUARD),
        "R": picture(RUNNER),
    }
    return {
        "platform": Theme((84, 150, 236), (182, 222, 255), platform, PLATFORM_NAMES),
        "digging": Theme((22, 24, 40), (40, 40, 66), digging, DIGGING_NAMES),
    }
