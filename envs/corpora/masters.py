"""Paintings of masters that GCompris carries as puzzles (GPL-3+), put together again and cut into patches, by painter.

Each puzzle is a board: a text in QML that names the work, its background and the places of its pieces.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..task import Condition
from .figures import Figure, Figures, box_of
from .images import LARGEST_SIDE, opened
from .palettes import OPAQUE
from .qtresources import read_resources
from .sources import SOURCES
from .thumbnails import shrunk

if TYPE_CHECKING:
    from PIL import Image

ARCHIVES = ("paintings.rcc", "details.rcc", "babyshapes.rcc")
PAINTERS = {
    "Arcimboldo": "arcimboldo",
    "Bazille": "bazille",
    "Bellini": "bellini",
    "Bosschaert": "bosschaert",
    "Bruegel": "bruegel",
    "Brugel": "bruegel",
    "Cassatt": "cassatt",
    "Dürer": "duerer",
    "Gauguin": "gauguin",
    "Gogh": "van-gogh",
    "Hiroshige": "hiroshige",
    "Hokusa": "hokusai",
    "Kandinsky": "kandinsky",
    "Leonardo": "leonardo",
    "Renoir": "renoir",
}
"""Styles, by a part of the painter's name as the boards spell it."""
CONDITIONS = (Condition("painter", tuple(sorted(set(PAINTERS.values())))),)

SCALES = (1, 2, 4)
"""Sides of patches: the shorter side of the work, a half and a quarter of it."""
MARGIN = 0.05  # of each side: frames, edges of paper, and pieces that stand out
HOLES = 0.01  # share of a work that may be missing between its pieces
PLAIN = 12.0  # mean difference of bytes from the mean colour, below which a patch is nearly one colour

_INSTRUCTION = re.compile(r'instruction\s*:\s*qsTr\("([^"]*)"\)')
_ITEM = re.compile(r"\{([^{}]*)\}")
_VALUE = re.compile(r'"(\w+)"\s*:\s*"?([^"\n,]*)')

Pixels = NDArray[np.uint8]


class Board(NamedTuple):
    """A puzzle.

    Attributes:
        title: names the work: its painter, title and year.
        items: the background and the pieces, each as a mapping of names to values.
    """

    title: str
    items: list[dict[str, str]]

    @property
    def painter(self) -> str | None:
        """The style of the work, None where no painter whom we know painted it."""
        painter, comma, _ = self.title.partition(",")
        return next((style for name, style in PAINTERS.items() if comma and name in painter), None)


def read_masters(folder: Path) -> Figures:
    """Returns patches of the paintings in the archives of a folder ``usr/share/gcompris-qt/rcc``; a work is a kin.

    Photographs, a sculpture and a tapestry are left out.

    Raises:
        ValueError: An archive is damaged.
    """
    boards, left_out, figures = 0, Counter[str](), list[Figure]()
    for name in ARCHIVES:
        try:
            resources = read_resources((folder / name).read_bytes())
            for path in sorted(path for path in resources if path.endswith(".qml") and "/board/" in path):
                boards += 1
                board = read_board(resources[path].decode())
                if board.painter is None:
                    left_out["no painting"] += 1
                    continue
                picture = trimmed(assembled(board, resources, path.rpartition("/board/")[0]), board.title)
                kin = f"{board.painter}/{board.title.partition(',')[2].strip()}"
                for place, pixels in patches(picture):
                    if nearly_plain(pixels):
                        left_out["nearly one colour"] += 1
                    else:
                        figures.append(Figure(f"{kin}, {place}", kin, (board.painter,), pixels))
        except ValueError as error:
            again = f"{SOURCES['masters'].command} --force"
            raise ValueError(f"cannot read {folder / name} ({error}): get it anew with: {again}") from error
    figures.sort(key=lambda figure: figure.name)
    return Figures(figures, boards, dict(left_out), read=len({figure.kin for figure in figures}))


def read_board(text: str) -> Board:
    """Returns the puzzle that a text in QML describes; its title is "" where it has none."""
    title = _INSTRUCTION.search(text)
    return Board(title[1] if title else "", [dict(_VALUE.findall(item)) for item in _ITEM.findall(text)])


def assembled(board: Board, resources: Mapping[str, bytes], folder: str) -> Pixels:
    """Returns the picture of a puzzle, uint8 [H, W, 4], clear where there is no piece.

    Args:
        board: the puzzle. The middle of a piece lies at its ``x`` and ``y``, shares of the background's sides.
        resources: files by their paths.
        folder: of the pictures' paths.

    Raises:
        ValueError: A picture is missing or damaged.
    """
    from PIL import Image

    def picture(item: Mapping[str, str]) -> Image.Image:
        path = f"{folder}/{item.get('pixmapfile', '')}"
        if path not in resources:
            raise ValueError(f"{path} is missing")
        with opened(resources[path], ("WEBP", "PNG")) as image:
            return image.convert("RGBA")

    backgrounds = [item for item in board.items if item.get("type") == "SHAPE_BACKGROUND_IMAGE"]
    if len(backgrounds) != 1:
        raise ValueError(f"{board.title!r} has {len(backgrounds)} backgrounds, not one")
    (ground,) = backgrounds
    if "width" in ground:  # an empty table, on which the pieces lie
        size = int(ground["width"]), int(ground.get("height", ""))
        if not 0 < min(size) <= max(size) <= LARGEST_SIDE:
            raise ValueError(f"{board.title!r} is {size[0]} x {size[1]} pixels large")
        canvas = Image.new("RGBA", size)
    else:
        canvas = picture(ground)
    for item in board.items:
        if "x" in item and "y" in item and "type" not in item:
            piece, layer = picture(item), Image.new("RGBA", canvas.size)
            middle = float(item["x"]) * canvas.width, float(item["y"]) * canvas.height
            layer.paste(piece, (round(middle[0] - piece.width / 2), round(middle[1] - piece.height / 2)))
            canvas = Image.alpha_composite(canvas, layer)
    return np.array(canvas)


def trimmed(picture: Pixels, title: str) -> Pixels:
    """Returns the inner part of a picture uint8 [H, W, 4], opaque; seams show the nearest pixel.

    Raises:
        ValueError: More than seams is missing.
    """
    from scipy import ndimage

    box = box_of(picture)
    if box is None:
        raise ValueError(f"{title!r} has no pieces")
    high, wide = (round(MARGIN * side) for side in (box.bottom - box.top, box.right - box.left))
    inner = picture[box.top + high : box.bottom - high, box.left + wide : box.right - wide]
    holes = inner[..., 3] < OPAQUE
    if holes.mean() > HOLES:
        raise ValueError(f"pieces of {title!r} are missing")
    if holes.any():
        rows, columns = ndimage.distance_transform_edt(holes, return_distances=False, return_indices=True)
        inner = inner[rows, columns]
    return np.concatenate([inner[..., :3], np.full_like(inner[..., 3:], 255)], -1)


def patches(picture: Pixels) -> Iterator[tuple[str, Pixels]]:
    """Yields squares of a work uint8 [H, W, 4] at each of the scales, made small, with the names of their places.

    They begin a quarter of the work's shorter side apart, and reach from edge to edge.
    """
    shorter = min(picture.shape[:2])
    for scale in SCALES:
        side = shorter // scale
        rows, columns = (_starts(length, side, shorter // max(SCALES)) for length in picture.shape[:2])
        for top in rows:
            for left in columns:
                yield f"1/{scale} {top:04},{left:04}", shrunk(picture[top : top + side, left : left + side])


def _starts(length: int, side: int, step: int) -> list[int]:
    """Returns where stretches of ``side`` begin in one of ``length``, evenly, about ``step`` apart or less."""
    more = -(-(length - side - step // 4) // step)  # what is left over by rounding asks for no stretch of its own
    return [number * (length - side) // max(more, 1) for number in range(more + 1)]


def nearly_plain(pixels: Pixels) -> bool:
    """Returns whether a patch uint8 [H, W, 4] is nearly one colour."""
    colours = pixels[..., :3].reshape(-1, 3).astype(np.int64)
    return bool(np.abs(colours - colours.mean(0)).mean() < PLAIN)
