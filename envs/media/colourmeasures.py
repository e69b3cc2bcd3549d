"""Measures of populations of pictures in colour."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pictures = NDArray[np.uint8]
Floats = NDArray[np.float64]

LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue (ITU-R BT.601)."""
STEEP = 0.5  # of the largest gradient that one edge between black and white has
PATCHY = 100  # a colour counts where it covers one pixel in so many


def luma(pictures: Pictures) -> Floats:
    """Returns the luma of pictures uint8 [..., 3], float64 [...], 0 to 1."""
    grey: Floats = pictures @ LUMA / 255
    return grey


def nearest_colours(pictures: Pictures, palette: Pictures) -> NDArray[np.int64]:
    """Returns the colour of a palette uint8 [P, 3] nearest to each pixel, int64 [N, H, W], by red, green and blue."""
    theirs = palette.astype(np.int64)
    squares = (theirs**2).sum(1)
    found = [(squares - 2 * (own.astype(np.int64) @ theirs.T)).argmin(-1) for own in pictures]
    return np.stack(found)


def colourfulness(pictures: Pictures) -> Floats:
    """Returns the colourfulness of each picture uint8 [N, H, W, 3], float64 [N]: 0 for greys, 82 for quite colourful.

    ``sqrt(s_rg^2 + s_yb^2) + 0.3 sqrt(m_rg^2 + m_yb^2)`` of the means m and deviations s of red - green and of
    (red + green) / 2 - blue (Hasler & Suesstrunk 2003, "Measuring colourfulness in natural images", equation 9).
    """
    red, green, blue = np.moveaxis(pictures.reshape(len(pictures), -1, 3).astype(np.float64), -1, 0)
    axes = np.stack([red - green, (red + green) / 2 - blue])
    found: Floats = np.sqrt(axes.var(2).sum(0)) + 0.3 * np.sqrt((axes.mean(2) ** 2).sum(0))
    return found


def edge_density(pictures: Pictures) -> Floats:
    """Returns the share of each picture's inner pixels that are edges, float64 [N].

    An edge has a gradient by Sobel's kernels (Sobel & Feldman 1968) of at least half of what an upright edge between
    black and white has. Its density measures clutter (Mack & Oliva 2004, in Rosenholtz et al. 2007).
    """
    grey = luma(pictures)
    across = grey[:, :, 2:] - grey[:, :, :-2]
    down = grey[:, 2:] - grey[:, :-2]
    across = across[:, :-2] + 2 * across[:, 1:-1] + across[:, 2:]
    down = down[:, :, :-2] + 2 * down[:, :, 1:-1] + down[:, :, 2:]
    density: Floats = (np.hypot(across, down) >= 4 * STEEP).mean((1, 2))
    return density


def spectrum_slope(pictures: Pictures) -> Floats:
    """Returns the slope of each picture's spectrum, float64 [N]; NaN for pictures of one colour.

    Of log power over log frequency, by least squares, over rings of one cycle a picture up to half the sampling rate;
    about -2 for photographs (Field 1987) and for paintings (Graham & Field 2007), nearer to 0 for noise.
    """
    grey = luma(pictures)
    n = grey.shape[1]
    power = np.abs(np.fft.fft2(grey - grey.mean((1, 2), keepdims=True))) ** 2
    axis = np.fft.fftfreq(n, 1 / n)
    ring = np.rint(np.hypot(axis[:, None], axis)).astype(np.int64)
    rings = np.arange(1, n // 2)
    means = np.stack([power[:, ring == own].mean(1) for own in rings], 1)  # [N, rings]
    x = np.log(rings) - np.log(rings).mean()
    slopes = np.full(len(grey), np.nan)
    some = (means > 1e-12).all(1)
    slopes[some] = np.log(means[some]) @ x / (x @ x)
    return slopes


def measure(pictures: Pictures) -> dict[str, float]:
    """Measures pictures uint8 [N, H, W, 3] by themselves: see ``Painting.metrics``."""
    slopes = spectrum_slope(pictures)
    mirrored = np.abs(pictures.astype(np.int16) - pictures[:, :, ::-1])
    return {
        "brightness": float(luma(pictures).mean()),
        "colourfulness": float(colourfulness(pictures).mean()),
        "edge_density": float(edge_density(pictures).mean()),
        "spectrum_slope": float(np.nanmean(slopes)) if np.isfinite(slopes).any() else 0.0,
        "symmetry": float(1 - mirrored.mean() / 255),
    }
