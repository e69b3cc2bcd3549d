"""Works split into train, validation and test by a seeded hash of their kin, which stay together."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..task import SPLITS
from .figures import Figure

HELD_OUT = 0.1  # share of the works in validation, and in test, unless a corpus says otherwise
SEED = b"musegym sprites 1"  # named after the first works that it split: another one would split all of them anew


def split(
    kins: Sequence[str],
    styles: Sequence[tuple[str, ...]] = (),
    most: int | None = None,
    share: float = HELD_OUT,
) -> NDArray[np.uint8]:
    """Returns the part of each work, an index of ``SPLITS``, uint8 [N]: works of one kin are in one part.

    Kins come in the order of a seeded hash, and fill test and validation to a share of the works each, of which those
    beyond the first ``most`` of a kin do not count. A style that the train split would lack gets its largest kin, where
    that does not empty the other part.
    """
    counts = Counter(kins)
    weights = {kin: min(count, most or count) for kin, count in counts.items()}
    parts, part, filled = dict[str, int](), len(SPLITS) - 1, 0
    for kin in sorted(counts, key=drawn_hash):
        parts[kin] = part
        filled += weights[kin]
        if part and filled >= share * sum(weights.values()):
            part, filled = part - 1, 0
    for column in zip(*styles, strict=True):
        for value in sorted(set(column)):
            own = {kin for kin, style in zip(kins, column, strict=True) if style == value}
            if all(parts[kin] for kin in own):
                largest = max(sorted(own), key=counts.__getitem__)
                if list(parts.values()).count(parts[largest]) > 1:
                    parts[largest] = 0
    return np.array([parts[kin] for kin in kins], np.uint8)


def split_figures(figures: Sequence[Figure], most: int | None, share: float) -> NDArray[np.uint8]:
    """Returns the part of each figure: see ``splitting.split``."""
    return split([figure.kin for figure in figures], [figure.style for figure in figures], most, share)


def further(figures: Sequence[Figure], rows: Sequence[int], most: int) -> list[int]:
    """Returns those rows that show a figure more than ``most`` times.

    The picture of the shortest name stays, which has neither skin tone nor hair, and others in the order of a seeded
    hash of their names.
    """
    drawn = {row: drawn_hash(figures[row].name) for row in rows}
    plain = sorted(rows, key=lambda row: (len(figures[row].name), drawn[row]))
    first = {figures[row].kin: row for row in reversed(plain)}
    others = sorted(set(rows) - set(first.values()), key=drawn.__getitem__)
    counts, beyond = Counter[str](), list[int]()
    for row in [*first.values(), *others]:
        counts[figures[row].kin] += 1
        if counts[figures[row].kin] > most:
            beyond.append(row)
    return beyond


def held_out_copies(
    contents: NDArray[np.uint8],
    parts: NDArray[np.uint8],
    copies: Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.bool_]],
) -> NDArray[np.bool_]:
    """Returns which works are near copies of one of an earlier split, bool [N]; later splits pass over these.

    Args:
        contents: uint8 [N, ...].
        parts: indices of ``SPLITS``, uint8 [N].
        copies: returns which contents are near copies of one of others, bool [n]; there are some of both.
    """
    near = np.zeros(len(contents), np.bool_)
    for part in range(1, len(SPLITS)):
        rows, earlier = np.flatnonzero(parts == part), contents[(parts < part) & ~near]
        if len(rows) and len(earlier):
            near[rows] = copies(contents[rows], earlier)
    return near


def drawn_hash(text: str) -> bytes:
    """Returns a seeded hash of a text: the order of hashes is drawn, and the same everywhere."""
    return hashlib.sha256(SEED + text.encode()).digest()
