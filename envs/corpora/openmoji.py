"""People and animals of OpenMoji (CC BY-SA 4.0): vector pictures of emoji, by group."""

from __future__ import annotations

import importlib.util
import io
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..task import Condition
from .figures import Figure, Figures, box_of, fitted
from .packages import CorpusMissingError

SIDE = 144  # pixels at which pictures are drawn: two to each of OpenMoji's units

MODIFIERS = {*range(0x1F3FB, 0x1F400), *range(0x1F9B0, 0x1F9B4), 0x200D, 0x2640, 0x2642, 0x27A1, 0xFE0F}
"""Skin tones, hair, joiners, genders, direction, presentation: pictures that differ by these alone are near copies."""
PEOPLE = {0x1F468, 0x1F469, 0x1F9D1}  # man, woman, adult: with another sign, of a trade
COMPANY = {*PEOPLE, 0x1F466, 0x1F467, 0x1F91D, 0x1F430, 0x1F48B, 0x2764}
"""Signs that make an emoji one of several people."""

_SPANS = {
    "person": "1F466-1F469 1F471 1F474-1F476 1F9D1-1F9D5 1F930-1F931 1FAC3-1FAC4 1F472-1F473",
    "gesture": "1F481 1F486-1F487 1F645-1F647 1F64B 1F64D-1F64E 1F926 1F937 1F9CF",
    "role": "1F46E 1F470 1F477-1F478 1F482 1F575 1F934-1F935 1F977 1FAC5",
    "fantasy": "1F385 1F479-1F47F 1F480 1F916 1F936 1F9B8-1F9B9 1F9CC 1F9D9-1F9DF",
    "active": "1F3C2-1F3C4 1F3C7 1F3CA-1F3CC 1F483 1F574 1F57A 1F6A3 1F6B4-1F6B6 1F938-1F93A 1F93D-1F93E "
    "1F9CD-1F9CE 1F9D6-1F9D8",
    "face": "1F42D-1F439 1F43A-1F43C 1F981 1F984 1F98A",
    "mammal": "1F400-1F408 1F40E-1F412 1F415-1F418 1F428-1F42B 1F43F 1F98C-1F98D 1F98F 1F992-1F994 1F998-1F999 1F99B "
    "1F99D 1F9A1 1F9A3 1F9A5-1F9A8 1F9AB-1F9AC 1F9AE 1F987 1FACE-1FACF",
    "bird": "1F413-1F414 1F423-1F427 1F54A 1F983 1F985-1F986 1F989 1F99A 1F99C 1F9A2 1F9A4 1F9A9 1FABF",
    "reptile": "1F409-1F40A 1F40D 1F422 1F432 1F98E 1F995-1F996",
    "sea": "1F40B 1F419 1F41F-1F421 1F42C 1F433 1F980 1F988 1F990-1F991 1F99E 1F9AD 1FABC",
    "insect": "1F40C 1F41B-1F41E 1F577 1F982 1F98B 1F997 1F99F 1FAB0-1FAB3",
}
"""Code points of each group, after the groups of Unicode's emoji list."""
CONDITIONS = (Condition("group", tuple(_SPANS)),)


def points_of(spans: Mapping[str, str]) -> dict[int, str]:
    """Returns the group of each code point, from spans of hexadecimal numbers such as "1F400-1F408 1F54A"."""
    found = dict[int, str]()
    for group, text in spans.items():
        for span in text.split():
            first, _, last = span.partition("-")
            found.update(dict.fromkeys(range(int(first, 16), int(last or first, 16) + 1), group))
    return found


GROUPS = points_of(_SPANS)


def read_emoji(folder: Path) -> Figures:
    """Returns the single people and animals below OpenMoji's folder ``svg``.

    Raises:
        CorpusMissingError: The library that draws vector pictures is not installed.
    """

    def figure(picture: Picture) -> Figure | str:
        pixels = draw(picture.svg)
        box = box_of(pixels)
        if box is None:
            return "empty"
        trade = picture.base[0] in PEOPLE and len(picture.base) > 1
        group = "role" if trade else GROUPS[picture.points[0]]
        return Figure(picture.name, picture.kin, (group,), fitted(pixels, box))

    return read_pictures(folder, GROUPS, "no person or animal", figure)


class Picture(NamedTuple):
    """An emoji of OpenMoji.

    Attributes:
        name: of its file.
        points: its code points.
        svg: the text of its file.
    """

    name: str
    points: list[int]
    svg: str

    @property
    def base(self) -> list[int]:
        """The code points without modifiers."""
        return [point for point in self.points if point not in MODIFIERS]

    @property
    def kin(self) -> str:
        """A text that is equal for pictures that differ by modifiers or gender alone."""
        return "-".join(f"{0x1F9D1 if point in PEOPLE else point:X}" for point in self.base)


def read_pictures(
    folder: Path, groups: Mapping[int, str], strange: str, figure: Callable[[Picture], Figure | str]
) -> Figures:
    """Returns the emoji of some groups below OpenMoji's folder ``svg``; several people are left out.

    Args:
        folder: holds the pictures, named after their code points.
        groups: the group of each code point that a picture may begin with.
        strange: reason to leave out those that begin with others.
        figure: returns the figure of a picture, or why it gives none.

    Raises:
        CorpusMissingError: The library that draws vector pictures is not installed.
    """
    needed()
    left_out, figures = Counter[str](), list[Figure]()
    names = sorted(path.name for path in folder.glob("*.svg"))
    for name in names:
        points = [int(text, 16) for text in name.removesuffix(".svg").split("-")]
        found: Figure | str
        if points[0] not in groups:
            found = strange
        elif COMPANY.intersection(points[1:]):
            found = "several people"
        else:
            found = figure(Picture(name, points, (folder / name).read_text(encoding="utf-8")))
        if isinstance(found, str):
            left_out[found] += 1
        else:
            figures.append(found)
    return Figures(figures, len(names), dict(left_out))


def needed() -> None:
    """Checks that vector pictures can be drawn.

    Raises:
        CorpusMissingError: The library that draws them is not installed.
    """
    if importlib.util.find_spec("resvg_py") is None:
        raise CorpusMissingError("means to draw OpenMoji's vector pictures", "pip install resvg_py")


def draw(svg: str, side: int = SIDE) -> NDArray[np.uint8]:
    """Returns a vector picture as uint8 [side, side, 4]: red, green, blue, alpha."""
    import resvg_py
    from PIL import Image

    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=side, height=side))
    with Image.open(io.BytesIO(png)) as image:
        return np.array(image.convert("RGBA"))
