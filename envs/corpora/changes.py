"""Animations as changes: each frame begins as the one before it, and decisions keep runs of its pixels or paint one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .figures import SIZE

Array = NDArray[Any]
Ints = NDArray[np.int64]

FRAMES = 5
PIXELS = SIZE * SIZE  # of a frame
WHOLE = FRAMES * PIXELS
COLOURS = 16
HORIZON = 640
POWERS = 8
KEEP = COLOURS + 1  # the action that keeps one pixel; the next ones keep 2, 4 ... 128
REST = KEEP + POWERS  # the action that keeps the rest of the frame
ACTIONS = REST + 1
ONES = np.array([number.bit_count() for number in range(PIXELS + 1)])


def decisions(contents: Array) -> Ints:
    """Returns the number of decisions that animations uint8 [N, 5, 16, 16] take, int64 [N]."""
    rows, _, costs = _items(contents)[:3]
    return np.bincount(rows, costs, len(contents)).astype(np.int64)


def encode(contents: Array) -> Ints:
    """Returns the decisions that build animations uint8 [N, 5, 16, 16], int64 [N, 640], padded with 0.

    A run of kept pixels is written as a sum of falling powers of two, the one at a frame's end as ``REST``: each
    animation has one such sequence.

    Raises:
        ValueError: An animation takes more than 640 decisions.
    """
    rows, gaps, costs, values = _items(contents)
    lengths = np.bincount(rows, costs, len(contents))
    if (lengths > HORIZON).any():
        raise ValueError(
            f"{(lengths > HORIZON).sum()} of {len(contents)} animations take more than {HORIZON} decisions "
            f"(first: row {int((lengths > HORIZON).argmax())}): fewer pixels must change"
        )
    actions = np.zeros((len(contents), HORIZON), np.int64)
    places = np.cumsum(costs) - costs
    places -= (np.cumsum(lengths) - lengths).astype(np.int64)[rows]
    for power in reversed(range(POWERS)):
        here = gaps >> power & 1 > 0
        actions[rows[here], places[here]] = KEEP + power
        places[here] += 1
    last = values != REST
    last |= costs > 0  # a frame whose last pixel is painted ends by itself
    actions[rows[last], places[last]] = values[last]
    return actions


def _items(contents: Array) -> tuple[Ints, Ints, Ints, Ints]:
    """Returns each painted pixel and each frame's end in order: its row, pixels kept before, decisions, and action.

    Four arrays int64 [K]. No pixels are kept before an end: ``REST`` is all, or nothing after a painted last pixel.
    """
    pixels = np.asarray(contents).reshape(-1, FRAMES, PIXELS).astype(np.int64)
    before = np.concatenate([np.zeros_like(pixels[:, :1]), pixels[:, :-1]], 1)
    ends = np.ones((*pixels.shape[:2], 1), np.bool_)
    rows, frames, places = np.nonzero(np.concatenate([pixels != before, ends], 2))
    start = np.zeros_like(places)
    start[1:] = np.where(places[:-1] == PIXELS, 0, places[:-1] + 1)  # the first pixel after the item before
    gaps = places - start
    end = places == PIXELS
    values = np.where(end, REST, pixels[rows, frames, np.minimum(places, PIXELS - 1)])
    costs = np.where(end, gaps > 0, ONES[gaps] + 1).astype(np.int64)
    return rows, np.where(end, 0, gaps), costs, values
