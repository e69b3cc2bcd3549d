"""Sequences of frames of Battle for Wesnoth's units (GPL-2+): attacks, defences, deaths and others."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..task import Condition
from .figures import Box, Figure, Figures, box_of, stem, window
from .palettes import OPAQUE
from .wesnoth import CONDITIONS as OF_UNITS
from .wesnoth import FAR, LOST, NEAR, SIDE, recoloured

Pixels = NDArray[np.uint8]

FEWEST = 3  # frames
MOST = 64  # of a sequence that are read
NUMBERED = re.compile(r"(.*?)[-_]?(\d+)\.png")
OTHER_KINDS = re.compile(r"mask|shadow|corpse|halo|dust|missile|projectile")
"""Names of pictures that show no figure."""
ACTIONS: Mapping[str, re.Pattern[str]] = {
    "death": re.compile(r"di(?:e|es|ing)|dying|death|dead|fall|kill"),
    "defend": re.compile(r"defend|defence|defense|block|dodge"),
    "move": re.compile(r"run|move|moving|walk|charge|teleport"),
    "idle": re.compile(r"idle|stand|standing|bob|leading|heal|healing|hover|soar|taunt|victory"),
}
"""Words of names; other words name weapons, with which units attack."""
ATTACK = re.compile("attack|melee|ranged")
DIRECTIONS = ("n", "ne", "nw", "s", "se", "sw")
AWAY = {"n", "ne", "nw"}
"""Directions of units that are seen from behind."""

CONDITIONS = (
    Condition("action", ("attack", "defend", "death", "move", "idle")),
    OF_UNITS[0],
    Condition("facing", ("right", "left")),
)
"""The last one is of mirrored animations: units look right in nearly all files."""
MIRRORED = {"right": "left"}


def read_motions(folder: Path) -> Figures:
    """Returns the sequences of units below a folder ``data/core/images/units``, each as a strip of square frames.

    Files whose names differ in their last number are a sequence. It begins with the still picture that has the name's
    beginning, where there is one and it differs from the first frame. A defence of two frames goes back to its first,
    as the macro DEFENSE_ANIM of the game plays it. All frames of a sequence are seen through one window.
    """
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*.png")}
    numbered = defaultdict[str, dict[int, str]](dict)
    for name in sorted(names):
        if found := NUMBERED.fullmatch(name):
            numbered[found[1]][int(found[2])] = name
    left_out, figures, count = Counter[str](), list[Figure](), 0
    for name, by_number in sorted(numbered.items()):
        faction, _, rest = name.partition("/")
        if faction not in OF_UNITS[0].values or OTHER_KINDS.search(rest) or len(by_number) < 2:
            continue  # variants of still pictures are numbered as well
        count += 1
        frames = [by_number[number] for number in sorted(by_number)]
        action = action_of(rest)
        if action == "defend" and len(frames) == 2:
            frames.append(frames[0])
        pictures = [_picture(folder / frame) for frame in (*still_of(name, names), *frames)]
        strip = _strip(pictures[:MOST])
        if isinstance(strip, str):
            left_out[strip] += 1
        else:
            kin = f"{faction}/{stem(rest.rpartition('/')[2])}"
            figures.append(Figure(name, kin, (action, faction, "right"), strip))
    return Figures(figures, count, dict(left_out))


def action_of(name: str) -> str:
    """Returns the action that a sequence's name gives, a value of the condition; "attack" for names of weapons."""
    words = [word for word in _words(name)[1:] if word not in (*DIRECTIONS, "female")]
    for action, known in ACTIONS.items():
        if any(known.fullmatch(word) for word in (words[-1:] if action == "idle" else words)):
            return action
    return "attack" if words else "idle"


def still_of(name: str, names: set[str]) -> list[str]:
    """Returns the still picture that a sequence starts from: the longest beginning of its name that is one; or none.

    A unit that is seen from behind does not start from a picture of its front.
    """
    parts = re.split(r"(?=-)", name)
    away = AWAY & set(_words(name))
    for number in range(len(parts), 0, -1):
        beginning = "".join(parts[:number])
        words = _words(beginning)
        moving = any(known.fullmatch(word) for known in (*ACTIONS.values(), ATTACK) for word in words[1:])
        if f"{beginning}.png" in names and not moving and away <= set(words):
            return [f"{beginning}.png"]
    return []


def _words(name: str) -> list[str]:
    """Returns the words of a file's name, the unit's first."""
    return [word for word in re.split(r"[-+/._0-9]+", name.rpartition("/")[2]) if word]


def _picture(path: Path) -> Pixels | None:
    """Returns a picture uint8 [72, 72, 4]; None where it is of another size."""
    from PIL import Image

    with Image.open(path) as image:
        return np.array(image.convert("RGBA")) if image.size == (SIDE, SIDE) else None


def _strip(pictures: Sequence[Pixels | None]) -> Pixels | str:
    """Returns frames side by side, uint8 [side, n side, 4], or why they give none."""
    frames = [picture for picture in pictures if picture is not None]
    if len(frames) < len(pictures):
        return f"not {SIDE} x {SIDE} pixels"
    if len(frames) > 1 and np.array_equal(frames[0], frames[1]):
        frames = frames[1:]
    if len(frames) < FEWEST:
        return f"fewer than {FEWEST} frames"
    boxes = [box for box in map(box_of, frames) if box is not None]
    if not boxes:
        return "empty"
    box = Box(
        min(each.top for each in boxes),
        max(each.bottom for each in boxes),
        min(each.left for each in boxes),
        max(each.right for each in boxes),
    )
    side = NEAR if box.side <= NEAR else FAR
    seen = [window(frame, box, side) for frame in frames]
    opaque = [[(picture[..., 3] >= OPAQUE).sum() for picture in each] for each in (seen, frames)]
    if any(inside < (1 - LOST) * whole for inside, whole in zip(*opaque, strict=True)):
        return "larger than its window"
    return recoloured(np.concatenate(seen, 1))
