"""Units of Battle for Wesnoth, as the Debian package ``wesnoth-1.16-data`` holds them: 72 x 72 pixels each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SIDE, CROP = 72, 64
DIRECTIONS = ("unmarked", "n", "ne", "s", "se")
"""Directions that names of files give; most give none."""

# data/core/team-colors.cfg: the shades that the game replaces by those of a team; the 15th is the team's colour itself.
TEAM = """3F0016 55002A 690039 7B0045 8C0051 9E005D B10069 C30074 D6007F EC008C EE3D96 EF5BA1 F172AC F287B6 F49AC1 F6ADCD
F8C1D9 FAD5E5 FDE9F1"""
REFERENCE = "F49AC1"
BLUE = (60, 110, 255)


class Unit(NamedTuple):
    """A picture of a unit.

    Attributes:
        name: path below ``units``.
        unit: faction and name of the unit, the same for its frames and variants.
        faction: folder of the unit.
        direction: one of ``DIRECTIONS``.
        pixels: uint8 [72, 72, 4].
    """

    name: str
    unit: str
    faction: str
    direction: str
    pixels: NDArray[np.uint8]


def units(folder: Path) -> tuple[list[Unit], dict[str, int]]:
    """Returns the units below a folder ``data/core/images/units``, in order of their names, and counts of others."""
    from PIL import Image

    found, left_out = list[Unit](), {"of another size": 0, "of no faction": 0}
    for path in sorted(folder.rglob("*.png")):
        name = path.relative_to(folder).as_posix()
        if "/" not in name:
            left_out["of no faction"] += 1
            continue
        with Image.open(path) as image:
            if image.size != (SIDE, SIDE):
                left_out["of another size"] += 1
                continue
            pixels = np.array(image.convert("RGBA"))
        found.append(Unit(name, _unit(name), name.partition("/")[0], _direction(name), recoloured(pixels)))
    return found, {reason: count for reason, count in left_out.items() if count}


def _unit(name: str) -> str:
    """Returns ``faction/archer`` of ``faction/archer+female-bow-attack2.png`` and ``faction/archer/archer-2.png``."""
    faction, _, rest = name.partition("/")
    return f"{faction}/{re.split(r'[-+/.0-9_]', rest, maxsplit=1)[0]}"


def _direction(name: str) -> str:
    words = re.split(r"[-+/.0-9_]+", name)
    return next((word for word in reversed(words) if word in DIRECTIONS), DIRECTIONS[0])


def recoloured(pixels: NDArray[np.uint8], colour: tuple[int, int, int] = BLUE) -> NDArray[np.uint8]:
    """Returns pixels uint8 [..., 4] with the shades of the team replaced by those of a colour, dark to light."""
    shown = pixels.copy()
    codes = pixels[..., :3].astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])
    for shade in TEAM.split():
        here = codes == int(shade, 16)
        if here.any():
            shown[here, :3] = _shade(shade, colour)
    return shown


def _shade(shade: str, colour: tuple[int, int, int]) -> list[int]:
    """Returns the colour, darkened or lightened as a shade of the team's differs from the reference."""
    own, reference = (sum(bytes.fromhex(text)) for text in (shade, REFERENCE))
    if own <= reference:
        return [value * own // reference for value in colour]
    return [255 - (255 - value) * (765 - own) // (765 - reference) for value in colour]
