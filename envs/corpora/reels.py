"""Animations of your own: sprite sheets, whose square frames lie side by side, and GIF files."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from .figures import SIZE, Box, Figure, Figures, box_of, fitted
from .files import Found, read_files
from .images import kins_of, opened, read_png
from .palettes import OPAQUE
from .subfolders import conditions_of, folder_of

SUFFIXES = (".png", ".gif")
MOST = 64  # frames that are read

Pixels = NDArray[np.uint8]


def read_reels(found: Found) -> Figures:
    """Returns the animations of files, each as a strip of square frames side by side.

    Frames of 16 x 16 pixels are taken as they are; larger ones are cut out, all alike, and reduced: they need
    transparency around their figure. Where all files are indexed with one palette whose first entry is transparent, as
    ``Animation.export`` writes them, that is the palette.
    """
    palettes = set[bytes | None]()
    left_out = Counter[str]()

    def read(data: bytes, name: str) -> list[tuple[str, list[Pixels]]]:
        if name.lower().endswith(".gif"):
            frames, palette = _read_gif(data), None
        else:
            sheet, palette = read_png(data)
            frames = _cut(sheet)
        if any((frame[..., 3] < OPAQUE).any() for frame in frames):  # others show no figures
            palettes.add(palette)
        return [(name, frames)]

    items, skipped = read_files(found, read)
    styled = bool(conditions_of(found))
    figures = list[Figure]()
    for (name, frames), kin in zip(items, kins_of([name for name, _ in items]), strict=True):
        boxes = [box for box in map(box_of, frames) if box is not None]
        if not boxes:
            left_out["empty"] += 1
            continue
        if frames[0].shape[:2] != (SIZE, SIZE):
            if all((frame[..., 3] >= OPAQUE).all() for frame in frames):
                left_out["without transparency: no figure can be cut out"] += 1
                continue
            frames = [fitted(frame, _around(boxes)) for frame in frames]
        figures.append(Figure(name, kin, (folder_of(name),) if styled else (), np.concatenate(frames, 1)))
    shared = palettes.pop() if len(palettes) == 1 else None
    palette = None if shared is None else np.frombuffer(shared, np.uint8).reshape(-1, 3)
    return Figures(figures, len(found.files) + len(found.skipped), dict(left_out), skipped, palette)


def _around(boxes: list[Box]) -> Box:
    """Returns the smallest box around all."""
    tops, bottoms, lefts, rights = zip(*boxes, strict=True)
    return Box(min(tops), max(bottoms), min(lefts), max(rights))


def _cut(sheet: Pixels) -> list[Pixels]:
    """Returns the frames of a sheet uint8 [H, n H, 4].

    Raises:
        ValueError: its width is no multiple of its height, or there is one frame only.
    """
    height, width = sheet.shape[:2]
    if width % height or width == height:
        raise ValueError(
            f"{width} x {height} pixels are no sprite sheet: two square frames or more are to lie side by side"
        )
    return [sheet[:, left : left + height] for left in range(0, min(width, MOST * height), height)]


def _read_gif(data: bytes) -> list[Pixels]:
    """Returns the frames of a GIF, uint8 [H, W, 4] each.

    Raises:
        ValueError: it is no GIF, or stands still.
    """
    with opened(data, ("GIF",)) as image:
        number = getattr(image, "n_frames", 1)
        if number < 2:
            raise ValueError("a GIF of one frame: nothing moves")
        frames = list[Pixels]()
        for frame in range(min(number, MOST)):
            image.seek(frame)
            frames.append(np.array(image.convert("RGBA")))
        return frames
