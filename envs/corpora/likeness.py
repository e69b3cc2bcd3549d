"""Likeness of grids of cells, such as sprites and rooms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ALIKE = 0.6  # likeness from which on two sprites, or animations of them, are copies


def likeness(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Returns equal pixels over pixels that either covers, float32 [N, M], of grids [N, H, W] and [M, H, W].

    The Jaccard index of (place, colour) pairs.
    """
    ours, theirs = first.reshape(len(first), -1), second.reshape(len(second), -1)
    same = np.zeros((len(ours), len(theirs)), np.float32)
    for value in np.unique(ours[ours > 0]):
        same += (ours == value).astype(np.float32) @ (theirs == value).astype(np.float32).T
    either = (ours > 0).sum(1)[:, None] + (theirs > 0).sum(1) - same
    ratio: NDArray[np.float32] = same / np.maximum(either, 1)
    return ratio


def alike(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Returns which grids [N, H, W] are copies of one of others [M, H, W], M > 0: ``ALIKE`` or more, bool [N]."""
    copies: NDArray[np.bool_] = likeness(first, second).max(1) >= ALIKE
    return copies
