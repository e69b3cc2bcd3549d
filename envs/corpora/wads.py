"""Maps of Doom: read from WAD files, and sampled as squares of floors.

Formats after Fell 1994, "The unofficial Doom specs", release 1.666.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

HEADROOM = 56  # units: a player's height
HEADER, ENTRY = "<4sii", 16
NONE = 0xFFFF  # a line without this side
FLAT = 64 * 64  # bytes of a floor's picture
MAP_NAME = re.compile(r"E\dM\d|MAP\d\d")
MANUAL = frozenset((1, 26, 27, 28, 31, 32, 33, 34, 117, 118))
TAGGED = frozenset(
    (2, 4, 29, 46, 61, 63, 86, 90, 99, 103, 105, 106, 108, 109, 111, 112, 114, 115, 133, 134, 135, 136, 137)
)
"""Specials of lines that open a door: that behind them, or those of their tag."""

_VERTEX = np.dtype([("x", "<i2"), ("y", "<i2")])
_LINE = np.dtype([(name, "<u2") for name in ("start", "end", "flags", "special", "tag", "right", "left")])
_SIDE = np.dtype([("x", "<i2"), ("y", "<i2"), ("upper", "S8"), ("lower", "S8"), ("middle", "S8"), ("sector", "<u2")])
_SECTOR = np.dtype(
    [
        ("floor", "<i2"),
        ("ceiling", "<i2"),
        ("flat", "S8"),
        ("above", "S8"),
        *((n, "<i2") for n in ("light", "kind", "tag")),
    ]
)
_PARTS = {"LINEDEFS": _LINE, "SIDEDEFS": _SIDE, "VERTEXES": _VERTEX, "SECTORS": _SECTOR}


class Map(NamedTuple):
    """A map as squares of one size, from its upper left corner.

    Attributes:
        name: such as "E1M1".
        floor: height of each square's middle, units, int16 [H, W]; 0 where there is nothing.
        flat: number of its floor's picture in ``flats``, int16 [H, W]; -1 where nobody can stand: outside, or where
            the ceiling is too low and no door opens.
        flats: names of pictures.
    """

    name: str
    floor: NDArray[np.int16]
    flat: NDArray[np.int16]
    flats: tuple[str, ...]


def read_maps(path: Path, side: int) -> tuple[list[Map], dict[str, NDArray[np.float64]]]:
    """Returns the maps of a WAD file, and the mean colour of each picture of a floor, float [3] from 0 to 255.

    Args:
        path: of the file.
        side: of a square, units.

    Raises:
        ValueError: It is no WAD, or damaged.
    """
    try:
        lumps = _lumps(path.read_bytes())
        maps = [_sampled(name, parts, side) for name, parts in _maps(lumps)]
        return maps, _colours(lumps)
    except (struct.error, IndexError, KeyError) as error:
        raise ValueError(f"{path.name} is damaged ({type(error).__name__}: {error})") from error


def _lumps(data: bytes) -> list[tuple[str, bytes]]:
    """Returns name and content of each part of a WAD, in order."""
    kind, count, start = struct.unpack_from(HEADER, data)
    if kind not in (b"IWAD", b"PWAD"):
        raise ValueError("no WAD: it does not begin as one")
    found = list[tuple[str, bytes]]()
    for number in range(count):
        at, size, name = struct.unpack_from("<ii8s", data, start + ENTRY * number)
        found.append((name.split(b"\0")[0].decode("latin-1"), data[at : at + size]))
    return found


def _maps(lumps: list[tuple[str, bytes]]) -> list[tuple[str, dict[str, NDArray[Any]]]]:
    """Returns the arrays of each map: a marker with its name comes first, its parts follow."""
    found = list[tuple[str, dict[str, NDArray[Any]]]]()
    for name, data in lumps:
        if MAP_NAME.fullmatch(name):
            found.append((name, {}))
        elif found and name in _PARTS and name not in found[-1][1]:
            found[-1][1][name] = np.frombuffer(data, _PARTS[name])
    return found


def _sampled(name: str, parts: Mapping[str, NDArray[Any]], side: int) -> Map:
    """Samples a map at the middle of each square: the sector there is that right of the last line on its left."""
    vertices, lines, sides, sectors = (parts[part] for part in ("VERTEXES", "LINEDEFS", "SIDEDEFS", "SECTORS"))
    x, y = vertices["x"].astype(np.float64), vertices["y"].astype(np.float64)
    start, end = lines["start"].astype(np.intp), lines["end"].astype(np.intp)
    sector_of = np.append(sides["sector"].astype(np.int64), -1)  # the last is that of a side which is not there
    right, left = (sector_of[np.where(lines[at] == NONE, -1, lines[at].astype(np.int64))] for at in ("right", "left"))
    east = np.where(y[end] > y[start], right, left)
    west_edge, north_edge = side * (int(x.min()) // side), side * -(int(-y.max()) // side)
    width, height = int(x.max() - west_edge) // side + 1, int(north_edge - y.min()) // side + 1
    middles = west_edge + side * (np.arange(width) + 0.5)
    grid = np.full((height, width), -1, np.int64)
    for row in range(height):
        at = north_edge - side * (row + 0.5) + 0.25  # whole numbers are where lines begin and end
        crossed = np.flatnonzero((y[start] > at) != (y[end] > at))
        first, second = start[crossed], end[crossed]
        crossing = x[first] + (at - y[first]) * (x[second] - x[first]) / (y[second] - y[first])
        order = np.argsort(crossing, kind="stable")
        last = np.searchsorted(crossing[order], middles) - 1
        grid[row] = np.where(last >= 0, np.append(east[crossed[order]], -1)[last], -1)
    high = sectors["ceiling"].astype(np.int64) - sectors["floor"] >= HEADROOM
    stands = np.append(high | _doors(lines, left, sectors), False)
    names = sorted(set(sectors["flat"].tolist()))
    numbers = np.array([*(names.index(flat) for flat in sectors["flat"].tolist()), -1], np.int16)
    floor = np.append(sectors["floor"], np.int16(0))[grid]
    return Map(
        name, floor, np.where(stands[grid], numbers[grid], np.int16(-1)), tuple(n.decode("latin-1") for n in names)
    )


def _doors(lines: NDArray[Any], left: NDArray[np.int64], sectors: NDArray[Any]) -> NDArray[np.bool_]:
    """Returns which sectors are doors: behind a line that opens by hand, or with the tag of another that opens."""
    found = np.zeros(len(sectors), np.bool_)
    manual = np.isin(lines["special"], list(MANUAL)) & (left >= 0)
    found[left[manual]] = True
    tags = lines["tag"][np.isin(lines["special"], list(TAGGED)) & (lines["tag"] > 0)]
    return found | np.isin(sectors["tag"], tags)


def _colours(lumps: list[tuple[str, bytes]]) -> dict[str, NDArray[np.float64]]:
    """Returns the mean colour of each picture of a floor: 64 x 64 indices of the palette."""
    palette = np.frombuffer(dict(lumps)["PLAYPAL"][: 3 * 256], np.uint8).reshape(256, 3).astype(np.float64)
    found, inside = dict[str, NDArray[np.float64]](), False
    for name, data in lumps:
        if name in ("F_START", "F_END"):
            inside = name == "F_START"
        elif inside and len(data) == FLAT:
            found[name] = palette[np.frombuffer(data, np.uint8)].mean(0)
    return found
