"""Pictures made small: opaque pixels, few colours, all in whole numbers, so that every processor gives the same."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer[Any]]
Bools = NDArray[np.bool_]
Pixels = NDArray[np.uint8]
Array = NDArray[Any]

OPAQUE = 192
"""Least alpha of a pixel that counts: shadows and glows of games are fainter."""


def blocks(pictures: Array, factor: int) -> Array:
    """Returns the squares of pictures [N, H, W, ...]: [N, H / factor, W / factor, factor^2, ...]."""
    N, H, W, *rest = pictures.shape
    parts = pictures.reshape(N, H // factor, factor, W // factor, factor, *rest)
    return parts.swapaxes(2, 3).reshape(N, H // factor, W // factor, factor * factor, *rest)


def nearest(colours: Ints, palette: Ints) -> NDArray[np.uint8]:
    """Returns the index of the palette's nearest colour, uint8 [...], of colours int [..., 3].

    The distance is Riemersma's "redmean" (CompuPhase 2001, "Colour metric"), an approximation of perceived difference in
    whole numbers. Different colours are looked up once.
    """
    codes = np.asarray(colours).astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])
    unique, inverse = np.unique(codes, return_inverse=True)
    found = np.empty(len(unique), np.uint8)
    own = np.stack([unique >> 16, unique >> 8 & 255, unique & 255], -1)
    theirs = np.asarray(palette).astype(np.int64)
    for start in range(0, len(own), 1 << 16):  # bounds memory
        part = own[start : start + (1 << 16), None]
        away = (part - theirs) ** 2  # [n, P, 3]
        red = (part[..., 0] + theirs[:, 0]) // 2
        distance = ((512 + red) * away[..., 0] >> 8) + 4 * away[..., 1] + ((767 - red) * away[..., 2] >> 8)
        found[start : start + (1 << 16)] = distance.argmin(1)
    return found[inverse].reshape(codes.shape)


def reduce(pictures: Pixels, palette: Ints, factor: int) -> NDArray[np.uint8]:
    """Returns pictures uint8 [N, H, W, 4] made small: uint8 [N, H / factor, W / factor], 0 or 1 + palette index.

    A square is covered where at least half of its pixels are opaque; its colour is that of most of them, since means of
    the few pixels of an outline and of what it surrounds are mud.
    """
    small = np.zeros((len(pictures), pictures.shape[1] // factor, pictures.shape[2] // factor), np.uint8)
    for start in range(0, len(pictures), 256):  # bounds memory
        squares = blocks(pictures[start : start + 256], factor)
        opaque = squares[..., 3] >= OPAQUE
        colours = nearest(squares[..., :3], palette)
        votes = np.stack([(opaque & (colours == value)).sum(-1) for value in range(len(palette))], -1)
        covered = 2 * opaque.sum(-1) >= factor * factor
        small[start : start + 256] = np.where(covered, 1 + votes.argmax(-1), 0)
    return small
