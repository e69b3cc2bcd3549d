"""Sprites of 16 x 16 pixels with a fixed palette: found, made small, filtered, split, cached."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..task import SPLITS, Condition, CorpusReport, Split, Works
from .cache import Arrays, cache_folder, cached
from .packages import CorpusMissingError
from .palettes import reduce
from .wesnoth import CROP, DIRECTIONS, SIDE, units

PARSER_VERSION = 1  # raise it whenever a sprite or its part may come out differently: older caches are then ignored
SIZE, COLOURS = 16, 16
FEWEST = 24  # covered pixels of a sprite
HELD_OUT = 0.1  # share of the sprites in validation, and in test

WESNOTH = """000000 151212 192852 2a2c29 4d3022 404e2f 4a505a 2e4ea8 79492a 776a52 5a8a3e 7c8689 b6854d b5b4b4 ddcf77
ecebea"""
FACTIONS = tuple(
    [
        "drakes",
        "dunefolk",
        "dwarves",
        "elves-wood",
        "goblins",
        "human-loyalists",
        "human-magi",
        "human-outlaws",
        "human-peasants",
        "merfolk",
        "monsters",
        "nagas",
        "ogres",
        "orcs",
        "saurians",
        "transport",
        "trolls",
        "undead",
        "undead-necromancers",
        "undead-skeletal",
        "woses",
    ]
)


class Sprites(NamedTuple):
    """Sprites of a corpus.

    Attributes:
        palette: uint8 [16, 3], the colours 1 .. 16; 0 is transparent.
        works: of each split, contents uint8 [N, 16, 16]; groups are units.
        report: counts of the corpus.
    """

    palette: NDArray[np.uint8]
    works: dict[Split, Works]
    report: CorpusReport


def palette_of(colours: str) -> NDArray[np.uint8]:
    """Returns a palette uint8 [P, 3] of hexadecimal colours."""
    return np.array([list(bytes.fromhex(colour)) for colour in colours.split()], np.uint8)


def conditions_of(data: str) -> tuple[Condition, ...]:
    """Returns the styles of a source."""
    return (Condition("faction", FACTIONS), Condition("direction", DIRECTIONS))


def load_sprites(data: str) -> Sprites:
    """Returns the sprites of a source by split, from the cache where they are there."""
    folder = _folder(data)
    layout = {
        "contents": (np.uint8, (None, SIZE, SIZE)),
        "styles": (np.uint8, (None, 2)),
        "groups": (np.int32, (None,)),
        "parts": (np.uint8, (None,)),
    }
    arrays = cached(
        cache_folder() / f"sprites-{data}-v{PARSER_VERSION}.npz", layout, lambda: _build(folder), lambda found: found
    )
    works = {
        name: Works(arrays["contents"][own], arrays["styles"][own].astype(np.int64), arrays["groups"][own])
        for part, name in enumerate(SPLITS)
        for own in [arrays["parts"] == part]
    }
    report = CorpusReport({name: len(works[name]) for name in SPLITS})
    return Sprites(palette_of(WESNOTH), works, report)


def _folder(data: str) -> Path:
    inner = "usr/share/games/wesnoth/1.16/data/core/images/units"
    for root in (Path(os.environ.get("MUSEGYM_DATA", "/nowhere")) / data, Path("/")):
        if (root / inner).is_dir():
            return root / inner
    raise CorpusMissingError(f"{data} are not here: get them with: musegym data get {data}")


def _build(folder: Path) -> Arrays:
    found, _ = units(folder)
    edge = (SIDE - CROP) // 2
    pictures = np.stack([unit.pixels for unit in found])[:, edge : SIDE - edge, edge : SIDE - edge]
    contents = reduce(pictures, palette_of(WESNOTH), CROP // SIZE)
    kept, seen = list[int](), set[bytes]()
    for row, content in enumerate(contents):
        if np.count_nonzero(content) >= FEWEST and content.tobytes() not in seen:
            seen.add(content.tobytes())
            kept.append(row)
    names = [found[row].unit for row in kept]
    numbers = {name: number for number, name in enumerate(sorted(set(names)))}
    styles = [[FACTIONS.index(found[row].faction), DIRECTIONS.index(found[row].direction)] for row in kept]
    return {
        "contents": contents[kept],
        "styles": np.array(styles, np.uint8),
        "groups": np.array([numbers[name] for name in names], np.int32),
        "parts": split(names),
    }


def split(names: list[str]) -> NDArray[np.uint8]:
    """Returns the part of each work, an index of ``SPLITS``, uint8 [N]: works of one name are in one part.

    Names come in the order of a hash; test and validation are filled, one after the other, to a tenth of the works.
    """
    counts = Counter(names)
    parts, each = dict[str, int](), HELD_OUT * len(names)
    part, filled = 2, 0
    for name in sorted(counts, key=lambda name: hashlib.sha256(name.encode()).digest()):
        parts[name] = part
        filled += counts[name]
        if part and filled >= each:
            part, filled = part - 1, 0
    return np.array([parts[name] for name in names], np.uint8)
