"""Pictures made small: opaque pixels of few colours, in whole numbers, so that every processor gives the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Ints = NDArray[np.int64]
Pixels = NDArray[np.uint8]

OPAQUE = 192
"""Least alpha of a pixel that counts: shadows and glows are fainter."""
PIXELS_AT_ONCE = 1 << 20  # bounds memory
BIN = 16  # shades of a channel that count as one when a palette is chosen
ROUNDS = 30
MOST = 1024  # bins that are merged, the heaviest ones
NEARNESS = 2700  # distance of colours that weighs as much as all votes of a square
RARE = 2000  # a colour of fewer than one pixel in so many is a blend or a blemish
FLAT = 256  # colours of flat drawings, at most
OPPONENT = np.array([[4, 8, 4], [12, 0, -12], [-6, 12, -6]], np.int64)
"""Lightness and two chromas of red, green and blue (YCoCg: Malvar & Sullivan 2003).

Chroma counts one and a half times, so that a palette spends colours on hues.
"""


def colours(palette: str) -> NDArray[np.uint8]:
    """Returns colours in hexadecimal numbers as uint8 [P, 3]."""
    return np.array([list(bytes.fromhex(colour)) for colour in palette.split()], np.uint8)


def codes(colours: Array) -> Ints:
    """Returns one number for each colour [..., 3]: 65,536 red + 256 green + blue."""
    red, green, blue = np.moveaxis(np.asarray(colours).astype(np.int64), -1, 0)
    numbers: Ints = red << 16 | green << 8 | blue
    return numbers


def colours_of(numbers: Array) -> Pixels:
    """Inverts ``codes``: uint8 [..., 3]."""
    numbers = np.asarray(numbers)
    return np.stack([numbers >> 16, numbers >> 8 & 255, numbers & 255], -1).astype(np.uint8)


def palette_of(colours: Array, size: int) -> Pixels:
    """Returns at most ``size`` colours that stand for many, from dark to light, uint8 [P, 3].

    A colour counts as its number of pixels to the power 3/4: rare hues then get some too. The pair whose merging costs
    least is merged until there are few enough (Ward 1963, "Hierarchical grouping to optimize an objective function").
    Where a few flat colours make up nearly all, the heavier of a pair stays as it is; otherwise colours are means,
    which Lloyd's rounds improve (1982, "Least squares quantization in PCM").

    Args:
        colours: uint8 [N, 3]; none give black.
        size: of the palette.
    """
    numbers, counts = np.unique(codes(colours), return_counts=True)
    if not len(numbers):
        return np.zeros((1, 3), np.uint8)
    if len(numbers) > size:
        common = counts * RARE >= counts.sum()
        if common.sum() <= FLAT and 10 * counts[common].sum() >= 9 * counts.sum():
            points, weights = _opponent(colours_of(numbers[common])), _weights(counts[common])
            numbers = numbers[common][_merge(points, weights, size, flat=True)]
        else:
            numbers = _mixed(colours_of(numbers).astype(np.int64), counts, size)
    found = colours_of(numbers)
    return found[np.argsort(_opponent(found)[:, 0], kind="stable")]


def _opponent(colours: Array) -> Ints:
    axes: Ints = np.asarray(colours).astype(np.int64) @ OPPONENT.T
    return axes


def _weights(counts: Ints) -> Ints:
    roots = np.sqrt(counts)  # correctly rounded on every processor, as no other power is
    powers: Ints = np.floor(4 * roots * np.sqrt(roots)).astype(np.int64)
    return powers


def _mixed(colours: Ints, counts: Ints, size: int) -> Ints:
    """Returns the numbers of at most ``size`` mean colours of int64 [N, 3]."""
    _, bins = np.unique(codes(colours // BIN), return_inverse=True)
    members = np.bincount(bins, counts).astype(np.int64)  # [bins]; sums of whole numbers are exact
    sums = np.stack([np.bincount(bins, counts * colours[:, channel]) for channel in range(3)], -1)
    shades = sums.astype(np.int64) // members[:, None]
    points, weights = _opponent(shades), _weights(members)
    heaviest = np.argsort(-weights, kind="stable")[:MOST]
    centres = points[heaviest][_merge(points[heaviest], weights[heaviest], size)]
    for _ in range(ROUNDS):
        labels = _squared(points, centres).argmin(1)
        centres = _means(points, weights, labels)
    return np.unique(codes(_means(shades, weights, labels)))


def _squared(first: Ints, second: Ints) -> Ints:
    """Returns the squared distances of points [..., 3] to others [P, 3], int64 [..., P]."""
    between: Ints = ((first[..., None, :] - second) ** 2).sum(-1)
    return between


def _means(points: Ints, weights: Ints, labels: Array) -> Ints:
    """Returns the weighted means of the points of each label that has some, int64 [P, 3], rounded down."""
    own = [labels == label for label in np.unique(labels)]
    return np.stack([(points[here] * weights[here, None]).sum(0) // weights[here].sum() for here in own])


def _merge(points: Ints, weights: Ints, size: int, flat: bool = False) -> Ints:
    """Returns the ``size`` rows that stay when points [N, 3] are merged in pairs, the cheapest first.

    The heavier point of a pair stays: where it is if ``flat``, otherwise, until the end, at the mean of both.
    """
    points, weights, far = points.copy(), weights.copy(), np.iinfo(np.int64).max

    def costs(rows: Ints) -> Ints:
        found = _squared(points[rows], points) * weights[rows, None] // (weights[rows, None] + weights) * weights
        found[np.arange(len(rows)), rows] = far
        found[:, weights == 0] = far
        return found

    partners, least = np.empty(len(points), np.int64), np.empty(len(points), np.int64)

    def look(rows: Ints) -> None:
        for part in _parts(rows, 256):
            found = costs(part)
            partners[part] = found.argmin(1)
            least[part] = found[np.arange(len(part)), partners[part]]

    look(np.arange(len(points)))
    for _ in range(len(points) - size):
        first = int(least.argmin())
        pair = first, int(partners[first])
        stays, leaves = pair if weights[pair[0]] >= weights[pair[1]] else pair[::-1]
        total = weights[stays] + weights[leaves]
        if not flat:
            points[stays] = (points[stays] * weights[stays] + points[leaves] * weights[leaves]) // total
        weights[stays], weights[leaves], least[leaves] = total, 0, far
        look(np.flatnonzero((weights > 0) & (np.isin(partners, pair) | (np.arange(len(points)) == stays))))
        own = costs(np.array([stays]))[0]  # the point has moved: it may be the nearest of others now
        nearer = (own < least) & (weights > 0)
        partners[nearer], least[nearer] = stays, own[nearer]
    return np.flatnonzero(weights)


def nearest(colours: Array, palette: Array) -> Pixels:
    """Returns the index of the palette's nearest colour, uint8 [...], of colours uint8 [..., 3]."""
    different, inverse = np.unique(codes(colours), return_inverse=True)
    theirs = _opponent(palette)
    found = np.concatenate(
        [_squared(_opponent(colours_of(part)), theirs).argmin(-1) for part in _parts(different, 1 << 16)]
    )
    return found[inverse].astype(np.uint8).reshape(np.shape(colours)[:-1])


def squares(pictures: Array, factor: int) -> Array:
    """Returns the squares of pictures [N, H, W, ...]: [N, H / factor, W / factor, factor^2, ...]."""
    N, H, W, *rest = pictures.shape
    parts = pictures.reshape(N, H // factor, factor, W // factor, factor, *rest).swapaxes(2, 3)
    return parts.reshape(N, H // factor, W // factor, factor * factor, *rest)


def means(pictures: Pixels, factor: int) -> tuple[Pixels, NDArray[np.bool_]]:
    """Returns the mean colours of squares' opaque pixels, uint8 [N, h, w, 3], and which squares are half opaque."""
    parts = squares(pictures, factor)
    opaque = parts[..., 3] >= OPAQUE
    number = opaque.sum(-1)
    colours = (parts[..., :3] * opaque[..., None]).sum(-2, dtype=np.int64) // np.maximum(number, 1)[..., None]
    return colours.astype(np.uint8), 2 * number >= factor * factor


def reduce(pictures: Pixels, palette: Array, factor: int) -> Pixels:
    """Returns pictures uint8 [N, H, W, 4] made small: uint8 [N, H / factor, W / factor], 0 or 1 + palette index.

    A square is covered where half of its pixels are opaque. Its colour is one of theirs, as the palette has it: that of
    many pixels, near their mean. Means alone are mud; the most frequent colour alone is mostly that of outlines.
    """
    return np.concatenate([_reduce(part, palette, factor) for part in _parts(pictures, PIXELS_AT_ONCE >> 14)])


def _reduce(pictures: Pixels, palette: Array, factor: int) -> Pixels:
    parts = squares(pictures, factor)
    opaque = parts[..., 3] >= OPAQUE
    colours = nearest(parts[..., :3], palette)
    votes = np.stack([(opaque & (colours == value)).sum(-1) for value in range(len(palette))], -1)
    middle, covered = means(pictures, factor)
    away = np.floor(np.sqrt(_squared(_opponent(middle), _opponent(palette)))).astype(np.int64)
    score = NEARNESS * votes // np.maximum(opaque.sum(-1), 1)[..., None] - away
    chosen = np.where(votes > 0, score, np.iinfo(np.int64).min).argmax(-1)
    return np.where(covered, 1 + chosen, 0).astype(np.uint8)


def _parts(array: Array, size: int) -> Iterator[Array]:
    for start in range(0, max(len(array), 1), size):
        yield array[start : start + size]
