"""Pictures of any size made into small square ones, in whole numbers, so that every processor gives the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIDE = 32
FINEST = 8  # samples of a picture to one pixel of its thumbnail, along each side, at most

Pixels = NDArray[np.uint8]


def laid_on(pixels: Pixels, ground: tuple[int, int, int]) -> Pixels:
    """Returns a picture uint8 [H, W, 4] laid on a ground, opaque, uint8 [H, W, 4]."""
    alpha = pixels[..., 3:].astype(np.int64)
    mixed = (pixels[..., :3] * alpha + np.array(ground) * (255 - alpha) + 127) // 255
    return np.concatenate([mixed, np.full_like(alpha, 255)], -1).astype(np.uint8)


def shrunk(pixels: Pixels, side: int = SIDE) -> Pixels:
    """Returns the square in the middle of an opaque picture uint8 [H, W, 4], uint8 [side, side, 4].

    Pixels are means of up to 8 x 8 samples, so that the time does not grow with the picture. Small pictures are
    enlarged: each pixel is that of the picture at its place.
    """
    height, width = pixels.shape[:2]
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    fine = min(FINEST, max(1, edge // side))
    places = (2 * np.arange(side * fine) + 1) * edge // (2 * side * fine)
    seen = pixels[top + places[:, None], left + places]
    parts = seen.reshape(side, fine, side, fine, 4).astype(np.int64)
    means: Pixels = ((parts.sum((1, 3)) + fine * fine // 2) // (fine * fine)).astype(np.uint8)
    return means
