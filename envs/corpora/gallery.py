"""Pictures of a corpus with their styles, kin and palette, as arrays of a cache file and as works."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..task import Condition
from . import stored
from .cache import Arrays, Layout
from .figures import Figures
from .usable import UsableWorks


class Gallery(NamedTuple):
    """Pictures of a corpus, ready for use.

    Attributes:
        palette: uint8 [P, 3].
        works: contents uint8 [N, ...]; groups are kin.
    """

    palette: NDArray[np.uint8]
    works: UsableWorks


def layout(shape: tuple[int, ...], conditions: Sequence[Condition]) -> Layout:
    """Returns the layout of ``packed`` arrays, for contents of a shape: see ``cache.cached``."""
    return {**stored.layout(shape, conditions), "palette": (np.uint8, (None, 3))}


def packed(
    found: Figures,
    reasons: Sequence[str],
    contents: NDArray[np.uint8],
    kins: Sequence[str],
    styles: Sequence[tuple[str, ...]],
    parts: NDArray[np.uint8],
    palette: NDArray[np.uint8],
    conditions: Sequence[Condition],
) -> Arrays:
    """Returns the arrays of a gallery.

    Args:
        found: what was read.
        reasons: why figures of ``found`` are left out, "" for those that are not.
        contents: uint8 [N, ...], the pictures.
        kins: of the pictures, equal for those of one figure.
        styles: of the pictures, a value of each condition.
        parts: uint8 [N], indices of ``SPLITS``.
        palette: uint8 [P, 3].
        conditions: of the styles.
    """
    left_out = Counter(found.left_out)
    left_out.update(filter(None, reasons))
    numbers = {kin: number for number, kin in enumerate(sorted(set(kins)))}
    read = len(found.figures) if found.read is None else found.read
    return {
        "contents": contents,
        "conditions": stored.numbered(styles, conditions),
        "groups": np.array([numbers[kin] for kin in kins], np.int32),
        "parts": parts,
        "palette": palette.astype(np.uint8),
        "report": stored.report(found.files, read, left_out, found.skipped),
    }


def unpacked(
    arrays: Arrays, kind: str, named: str, suffixes: Sequence[str], own: bool, unit: str = "figure"
) -> Gallery:
    """Returns the gallery of arrays.

    Args:
        arrays: as ``packed`` returns them.
        kind: names the works.
        named: names the corpus.
        suffixes: of the files that are read.
        own: True for a user's corpus, about which there may be a warning.
        unit: names what is in one split, in the singular.

    Raises:
        ValueError: the arrays are of unequal lengths.
    """
    return Gallery(arrays["palette"], stored.usable_works(arrays, kind, named, suffixes, own, unit))
