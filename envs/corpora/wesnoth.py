"""Units of Battle for Wesnoth (GPL-2+): pixel art of 72 x 72 pixels, by faction and direction."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..task import Condition
from .figures import SIZE, Box, Figure, Figures, box_of, stem, window
from .palettes import OPAQUE, codes

SIDE = 72
NEAR, FAR = 3 * SIZE, 4 * SIZE  # windows: three pixels to one of the sprite, or four for large units
LOST = 0.04  # share of a picture's opaque pixels that its unit's window may cut off
OTHER_KINDS = re.compile(r"die|death|dead|mask|shadow|corpse")
"""Names of pictures that show no living figure."""

CONDITIONS = (
    Condition(
        "faction",
        (
            *("drakes", "dunefolk", "dwarves", "elves-wood", "goblins", "human-loyalists", "human-magi"),
            *("human-outlaws", "human-peasants", "merfolk", "monsters", "nagas", "ogres", "orcs", "saurians"),
            *("trolls", "undead", "undead-necromancers", "undead-skeletal", "woses"),
        ),
    ),
    Condition("direction", ("unmarked", "n", "ne", "s", "se", "mirrored", "nw", "sw")),
)
"""Names of files give some directions; most give none: those units look right. The last three are of mirrored ones."""
MIRRORED = {"unmarked": "mirrored", "ne": "nw", "se": "sw"}
"""Directions of mirrored pictures; others stay. The game mirrors units that look left, and so has no files of them."""

TEAM = (
    *("3F0016", "55002A", "690039", "7B0045", "8C0051", "9E005D", "B10069", "C30074", "D6007F", "EC008C", "EE3D96"),
    *("EF5BA1", "F172AC", "F287B6", "F49AC1", "F6ADCD", "F8C1D9", "FAD5E5", "FDE9F1"),
)
"""Shades that the game replaces by those of a team, as its file data/core/team-colors.cfg names them."""
REFERENCE = "F49AC1"
BLUE = (60, 110, 255)


def read_units(folder: Path) -> Figures:
    """Returns the units below a folder ``data/core/images/units``.

    All pictures of a unit are seen from as near as its usual picture allows, each centred.
    """
    from PIL import Image

    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    left_out = Counter[str]()
    pictures = dict[str, NDArray[np.uint8]]()
    boxes = defaultdict[str, dict[str, Box]](dict)
    for name in names:
        faction, _, rest = name.partition("/")
        if faction not in CONDITIONS[0].values:
            left_out["of no faction"] += 1
        elif OTHER_KINDS.search(rest):
            left_out["dying, a mask or a shadow"] += 1
        else:
            with Image.open(folder / name) as image:
                pixels = np.array(image.convert("RGBA")) if image.size == (SIDE, SIDE) else None
            box = None if pixels is None else box_of(pixels)
            if pixels is None:
                left_out[f"not {SIDE} x {SIDE} pixels"] += 1
            elif box is None:
                left_out["empty"] += 1
            else:
                pictures[name], boxes[f"{faction}/{stem(rest)}"][name] = pixels, box
    figures = list[Figure]()
    for unit, own in boxes.items():
        side = NEAR if np.median([box.side for box in own.values()]) <= NEAR else FAR
        for name, box in own.items():
            seen = window(pictures[name], box, side)
            if (seen[..., 3] >= OPAQUE).sum() < (1 - LOST) * (pictures[name][..., 3] >= OPAQUE).sum():
                left_out["larger than its unit's other pictures"] += 1
            else:
                figures.append(Figure(name, unit, (unit.partition("/")[0], direction(name)), recoloured(seen)))
    return Figures(sorted(figures, key=lambda figure: figure.name), len(names), dict(left_out))


def direction(name: str) -> str:
    """Returns the direction that a file's name gives."""
    values = CONDITIONS[1].values
    return next((word for word in reversed(re.split(r"[-+/.0-9_]+", name)) if word in values), values[0])


def recoloured(pixels: NDArray[np.uint8], colour: tuple[int, int, int] = BLUE) -> NDArray[np.uint8]:
    """Returns pixels uint8 [..., 4] with the team's shades replaced by those of a colour, from dark to light."""
    shown, found = pixels.copy(), codes(pixels[..., :3])
    for shade in TEAM:
        shown[found == int(shade, 16), :3] = _shade(shade, colour)
    return shown


def _shade(shade: str, colour: tuple[int, int, int]) -> list[int]:
    """Returns the colour, as much darker or lighter as a shade is than the team's reference."""
    own, reference = (sum(bytes.fromhex(text)) for text in (shade, REFERENCE))
    if own <= reference:
        return [value * own // reference for value in colour]
    return [255 - (255 - value) * (765 - own) // (765 - reference) for value in colour]
