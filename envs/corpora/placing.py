"""Small maps of any size in squares of one size: cropped, turned, centred, and found to be near copies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE = 16
TURNS = 8
BLOCK = 1000  # maps that are compared with all others at once

Tiles = NDArray[np.uint8]


def cropped(tiles: Tiles) -> Tiles:
    """Returns a map [H, W] without the empty rows and columns (of 0) at its edges."""
    rows, columns = np.flatnonzero(tiles.any(1)), np.flatnonzero(tiles.any(0))
    return tiles[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) else tiles[:0, :0]


def turned(tiles: Tiles, turn: int) -> Tiles:
    """Returns a map in one of its 8 positions: mirrored left to right from 4 on, then turned by quarters."""
    return np.rot90(tiles[:, ::-1] if turn >= TURNS // 2 else tiles, turn % 4)


def centred(tiles: Tiles) -> Tiles:
    """Returns a map in the middle of a square uint8 [16, 16] of 0; the odd row or column is below or right of it."""
    square = np.zeros((SIDE, SIDE), np.uint8)
    height, width = tiles.shape
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    square[top : top + height, left : left + width] = tiles
    return square


def canonical(tiles: Tiles) -> Tiles:
    """Returns a map in a position that is the same for all of its turns and mirror images, without empty edges."""
    small = cropped(tiles)
    return min((turned(small, turn) for turn in range(TURNS)), key=known_by)


def known_by(tiles: Tiles) -> bytes:
    """Returns a text that is equal for equal maps alone."""
    return bytes(tiles.shape) + tiles.tobytes()


def kins(maps: Sequence[Tiles], ground: int, alike: float, named: Sequence[str]) -> NDArray[np.int64]:
    """Returns a number for each map, int [N]: maps that are related, directly or through others, have the same.

    Related are maps of one name, and near copies: in some position, their equal cells are at least ``alike`` of those
    that either covers (Jaccard 1912), cells of 0 and of ``ground`` left aside.

    Args:
        maps: uint8 [H, W] each, of at most 16 x 16 tiles.
        ground: the tile that most maps have most of.
        alike: from 0 to 1.
        named: a name for each map.
    """
    from scipy import sparse

    N = len(maps)
    small = [cropped(tiles) for tiles in maps]
    upright = hot(np.stack([centred(tiles) for tiles in small]), ground)
    size = np.asarray(upright.sum(1)).ravel()
    numbers = {name: index for index, name in enumerate(dict.fromkeys(named))}
    first, second = [np.arange(N)], [N + np.array([numbers[name] for name in named])]
    for turn in range(TURNS):
        other = hot(np.stack([centred(turned(tiles, turn)) for tiles in small]), ground)
        for start in range(0, N, BLOCK):
            same = (upright[start : start + BLOCK] @ other.T).toarray()
            either = size[start : start + BLOCK, None] + size - same
            rows, columns = np.nonzero(same >= alike * np.maximum(either, 1))
            first.append(start + rows)
            second.append(columns)
    ones = np.concatenate(first), np.concatenate(second)
    links = sparse.coo_array((np.ones(len(ones[0]), np.bool_), ones), shape=(N + len(numbers),) * 2)
    _, labels = sparse.csgraph.connected_components(links, directed=False)
    found: NDArray[np.int64] = labels[:N].astype(np.int64)
    return found


def hot(squares: Tiles, ground: int) -> Any:
    """Returns pairs of place and tile as a sparse matrix float32 [N, 256 * 256], those of 0 and of ``ground`` aside.

    Products of such matrices count the cells that are equal in squares uint8 [N, 16, 16].
    """
    from scipy import sparse

    flat = squares.reshape(len(squares), -1)
    rows, places = np.nonzero((flat > 0) & (flat != ground))
    entries = np.ones(len(rows), np.float32), (rows, places * 256 + flat[rows, places].astype(np.int64))
    return sparse.csr_array(entries, shape=(len(squares), flat.shape[1] * 256))
