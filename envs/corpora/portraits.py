"""Portraits of Battle for Wesnoth (GPL-2+): painted figures of 400 to 500 pixels, by race."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..task import Condition
from .figures import Box, Figure, Figures, box_of, stem, window
from .palettes import OPAQUE
from .thumbnails import laid_on, shrunk

GROUND = (208, 196, 172)
"""Parchment: figures are mostly dark."""
SEEN, ABOVE, HEAD, NECK = 0.66, 0.06, 0.1, 0.3
"""Sides of the window, of the room above the head, and half-width and height of the head, of the figure's side."""

CONDITIONS = (
    Condition(
        "race",
        (
            *("drakes", "dunefolk", "dwarves", "elves", "goblins", "humans", "merfolk", "monsters", "nagas", "orcs"),
            *("saurians", "trolls", "undead", "wolves", "woses"),
        ),
    ),
)


def read_portraits(folder: Path) -> Figures:
    """Returns head and shoulders of the portraits below a folder ``data/core/images/portraits``, on parchment."""
    from PIL import Image

    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    left_out, figures = Counter[str](), list[Figure]()
    for name in names:
        race, _, rest = name.partition("/")
        if race not in CONDITIONS[0].values:
            left_out["of no race"] += 1
            continue
        with Image.open(folder / name) as image:
            pixels = np.array(image.convert("RGBA"))
        box = box_of(pixels)
        if box is None:
            left_out["empty"] += 1
            continue
        seen = window(pixels, bust(pixels, box), round(SEEN * box.side))
        figures.append(Figure(name, f"{race}/{stem(rest)}", (race,), shrunk(laid_on(seen, GROUND))))
    return Figures(figures, len(names), dict(left_out))


def bust(pixels: NDArray[np.uint8], box: Box) -> Box:
    """Returns the square box of head and shoulders of a figure uint8 [H, W, 4], without arms raised or weapons.

    The head is what is highest near the middle column of the figure's mass.
    """
    opaque, side = pixels[..., 3] >= OPAQUE, box.side
    middle = _middle(opaque[box.top : box.top + round(SEEN * side)])
    near = opaque[:, max(0, middle - round(HEAD * side)) : middle + round(HEAD * side) + 1].any(1)
    top = int(near.argmax())
    reach = round(NECK * side)
    left = max(0, middle - reach)
    middle = left + _middle(opaque[top : top + reach, left : middle + reach])
    top, edge = top - round(ABOVE * side), round(SEEN * side)
    return Box(top, top + edge, middle - edge // 2, middle - edge // 2 + edge)


def _middle(opaque: NDArray[np.bool_]) -> int:
    """Returns the column with as many opaque pixels to its left as to its right."""
    mass = opaque.sum(0).cumsum()
    return int(np.searchsorted(mass, mass[-1] / 2))
