"""Emoji of OpenMoji (CC BY-SA 4.0) as small paintings: vector pictures of people, animals, plants, things, by group."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from ..task import Condition
from .figures import Figure, Figures
from .openmoji import COMPANY, MODIFIERS, PEOPLE, draw, needed, points_of
from .thumbnails import SIDE, laid_on

GROUND = (255, 255, 255)
CLOCKS = range(0x1F550, 0x1F568)  # 24 pictures that differ by their hands

_SPANS = {
    "face": "1F600-1F644 1F910-1F917 1F920-1F925 1F927-1F92F 1F970-1F976 1F978-1F97A 1F9D0 1FAE0-1FAE5 1FAE8-1FAEA "
    "2639-263A 1F479-1F47B 1F47D-1F480 1F4A9",
    "person": "1F466-1F469 1F46E 1F470-1F478 1F47C 1F481-1F483 1F486-1F487 1F574-1F575 1F57A 1F645-1F647 1F64B "
    "1F64D-1F64E 1F926 1F930-1F931 1F934-1F937 1F977 1F9B8-1F9B9 1F9CC-1F9CF 1F9D1-1F9DF 1FAC3-1FAC5 1F385 "
    "1F3C2-1F3C4 1F3C7 1F3CA-1F3CC 1F6A3 1F6B4-1F6B6 1F6C0 1F6CC 1F938-1F93A 1F93D-1F93E 26F7 26F9",
    "hand": "1F440-1F450 1F485 1F4AA 1F590 1F595-1F596 1F64C 1F64F 1F90C 1F90F 1F918-1F91C 1F91E-1F91F 1F932-1F933 "
    "1F9B4-1F9B7 1F9BB 1F9BE-1F9BF 1F9E0 1FAC0-1FAC1 1FAF0-1FAF8 261D 270A-270D",
    "animal": "1F400-1F43F 1F54A 1F577 1F648-1F64A 1F980-1F9AE 1FAB0-1FAB3 1FAB6 1FAB8-1FABA 1FABC-1FABD 1FABF "
    "1FACD-1FACF",
    "plant": "1F331-1F335 1F337-1F33C 1F33E-1F344 1F384 1F38B 1F38D 1F490 1F940 1FAB4-1FAB5 1FAB7 1FABB 1FABE 2618",
    "food": "1F32D-1F330 1F336 1F33D 1F345-1F37F 1F382 1F942-1F944 1F950-1F96F 1F9C0-1F9CB 1FAD0-1FADF 2615",
    "place": "1F301 1F303-1F307 1F309 1F30B 1F3A0-1F3A2 1F3AA 1F3D4-1F3DF 1F3E0-1F3F0 1F492 1F54B-1F54D 1F5FB-1F5FD "
    "1F5FF 1F6D5-1F6D6 1F6DD 26E9-26EA 26F0-26F2 26FA",
    "vehicle": "1F3CD-1F3CE 1F680-1F6A2 1F6A4 1F6B2 1F6DE-1F6DF 1F6E5 1F6E9 1F6EB-1F6EC 1F6F0 1F6F3-1F6FC "
    "1F9BC-1F9BD 2693 26F4-26F5 26FD 2708",
    "sky": "1F300 1F308 1F30A 1F30C-1F30F 1F311-1F320 1F324-1F32C 1F4A7 1F525 1FA90 1FAE7 2600-2604 2614 26A1 "
    "26C4-26C5 26C8 2744 2B50",
    "activity": "1F004 1F0CF 1F380-1F381 1F383 1F386-1F38A 1F38E-1F391 1F396-1F397 1F3A3 1F3A8 1F3AB 1F3AD-1F3B4 "
    "1F3B7-1F3BB 1F3BD-1F3C0 1F3C5-1F3C6 1F3C8-1F3C9 1F3CF-1F3D3 1F3F8-1F3F9 1F52E 1F579 1F5BC 1F93F 1F941 1F945 "
    "1F947-1F94F 1F9E7-1F9E9 1F9F5-1F9F6 1F9F8 1FA70 1FA80-1FA89 1FA95 1FA97-1FA98 26BD-26BE 26F3 26F8",
    "object": "1F392-1F393 1F399 1F3A4-1F3A9 1F3AC 1F451-1F462 1F484 1F488-1F48A 1F48C-1F48E 1F4A1 1F4A3 1F4B0-1F4B8 "
    "1F4BA-1F4F1 1F4F7-1F4FF 1F50B-1F514 1F516 1F526-1F52D 1F550-1F567 1F56F-1F570 1F576 1F58A-1F58D 1F5A5-1F5B2 "
    "1F5C2-1F5D3 1F5DD-1F5E1 1F6AA 1F6AC 1F6BD 1F6BF 1F6C1 1F6CB 1F6CD-1F6CF 1F6D2 1F6E0-1F6E2 1F97B-1F97F 1F9AF "
    "1F9BA 1F9E2-1F9E6 1F9EA-1F9F4 1F9F7 1F9F9-1F9FF 1FA71-1FA74 1FA78-1FA7C 1FA91-1FA94 1FA96 1FA99-1FAAA 231A-231B "
    "2328 23F0-23F3 260E 2694-2699 26B0-26B1 26CF 26D1 26D3 2702 2709 270F 2712",
}
"""Code points of each group, after the groups of Unicode's emoji list; flags, letters and signs are in none."""
CONDITIONS = (Condition("group", tuple(_SPANS)),)
GROUPS = points_of(_SPANS)


def read_paintings(folder: Path) -> Figures:
    """Returns the emoji of a group below OpenMoji's folder ``svg``, on a white ground.

    Pictures that differ by tone of skin, hair or gender are kin.

    Raises:
        CorpusMissingError: The library that draws vector pictures is not installed.
    """
    needed()
    left_out, figures = Counter[str](), list[Figure]()
    names = sorted(path.name for path in folder.glob("*.svg"))
    for name in names:
        points = [int(text, 16) for text in name.removesuffix(".svg").split("-")]
        if points[0] not in GROUPS:
            left_out["a sign, a flag or a logo"] += 1
        elif COMPANY.intersection(points[1:]):
            left_out["several people"] += 1
        else:
            pixels = draw((folder / name).read_text(encoding="utf-8"), SIDE)
            base = [point for point in points if point not in MODIFIERS]
            kin = "-".join(f"{0x1F9D1 if point in PEOPLE else point:X}" for point in base)
            kin = "clock" if points[0] in CLOCKS else kin
            figures.append(Figure(name, kin, (GROUPS[points[0]],), laid_on(pixels, GROUND)))
    return Figures(figures, len(names), dict(left_out))
