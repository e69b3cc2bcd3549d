"""Scenes as floors of several heights: the parts that a walker can cross, and measures of populations."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

CLIMB = 1  # levels between neighbouring cells that a walker steps up and down
ROOM = 0.4  # least share of open cells of a scene to walk in
TOGETHER = 0.75  # least share of these in one part


def parts(levels: NDArray[Any]) -> NDArray[np.int64]:
    """Returns the part that each cell belongs to, int [N, H, W]: numbered from 1 over all scenes, 0 for solid cells.

    Neighbours, not at corners, are of one part where a walker steps from each to the other: see ``CLIMB``.

    Args:
        levels: int [N, H, W], -1 for solid cells.
    """
    from scipy import ndimage

    N, H, W = levels.shape
    free, heights = levels >= 0, levels.astype(np.int64)
    fine = np.zeros((N, 2 * H - 1, 2 * W - 1), np.bool_)  # cells, and the steps between them
    fine[:, ::2, ::2] = free
    fine[:, 1::2, ::2] = free[:, :-1] & free[:, 1:] & (abs(np.diff(heights, axis=1)) <= CLIMB)
    fine[:, ::2, 1::2] = free[:, :, :-1] & free[:, :, 1:] & (abs(np.diff(heights, axis=2)) <= CLIMB)
    structure = np.zeros((3, 3, 3), np.bool_)
    structure[1] = ndimage.generate_binary_structure(2, 1)
    labels, _ = ndimage.label(fine, structure)
    found: NDArray[np.int64] = labels[:, ::2, ::2].astype(np.int64)
    return found


def largest(levels: NDArray[Any]) -> NDArray[np.float64]:
    """Returns the share of open cells that are in the largest part of each scene, float [N]; 0 where all is solid."""
    labels = parts(levels).reshape(len(levels), -1)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    share: NDArray[np.float64] = sizes[labels].max(1, initial=0) / np.maximum((labels > 0).sum(1), 1)
    return share


def walkable(levels: NDArray[Any]) -> NDArray[np.bool_]:
    """Returns which scenes are open, and mostly in one part, bool [N]: see ``ROOM`` and ``TOGETHER``."""
    found: NDArray[np.bool_] = ((levels >= 0).mean((1, 2)) >= ROOM) & (largest(levels) >= TOGETHER)
    return found


def walk_measures(levels: NDArray[Any]) -> dict[str, float]:
    """Measures a population of scenes of levels int [N, H, W], -1 for solid cells.

    A walker climbs one level at most between neighbouring cells, as Doom's player climbs 24 units (``P_TryMove`` of its
    ``p_map.c``), and every floor has headroom. ``walkable``: share of scenes of which at least 40% are open and three
    quarters of these in one part. ``connected``: mean share of open cells in the largest part, as the playability of
    generated levels is judged by flood fill (Summerville et al. 2018, "Procedural content generation via machine
    learning"). ``open``: share of open cells. ``heights``: mean number of levels of a scene. ``steps``, ``cliffs``:
    shares of neighbouring open cells that differ by one level, and by more.
    """
    free = levels >= 0
    differences = [
        abs(np.diff(levels, axis=axis))[np.delete(free, 0, axis) & np.delete(free, -1, axis)] for axis in (1, 2)
    ]
    differ = np.concatenate(differences)
    heights = [len(set(each[each >= 0].tolist())) for each in levels]
    return {
        "walkable": float(walkable(levels).mean()),
        "connected": float(largest(levels).mean()),
        "open": float(free.mean()),
        "heights": float(np.mean(heights)),
        "steps": float((differ == CLIMB).sum() / max(1, len(differ))),
        "cliffs": float((differ > CLIMB).sum() / max(1, len(differ))),
    }
