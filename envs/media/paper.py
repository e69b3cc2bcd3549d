"""A page of verse as a picture: paper, a heading, lines in ink, a quill where the next piece is written."""

from __future__ import annotations

import bisect
import functools
import importlib.util
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pygame
from numpy.typing import NDArray

from .pictures import Colour

WIDTH, HEIGHT = 720, 400  # pixels
SMOOTH = 2
LEFT, RIGHT = 72, 72  # margins of the lines
TOP, STEP = 122, 54  # of the first line, and from line to line
SIZE, HEADING, NOTE = 22, 17, 13  # of fonts
INITIAL = 1.7  # size of the first letter
LEAST = 0.75  # size of long lines; what is longer still is shown in part
SHADES = 8  # of the paper: few, so that animations have colours left for the ink
PAPER: Colour = (246, 239, 222)
EDGE: Colour = (219, 203, 170)
RULE: Colour = (228, 216, 190)
INK: Colour = (46, 36, 32)
RUBRIC: Colour = (150, 42, 36)
FAINT: Colour = (168, 148, 116)
FEATHER: Colour = (252, 251, 246)
SHADE: Colour = (186, 178, 160)
FONTS = {"roman": "DejaVuSerif.ttf", "italic": "DejaVuSerif-Italic.ttf"}


class Sheet(NamedTuple):
    """The contents of a page.

    Attributes:
        heading: names the kind of verse; "" for none.
        lines: that are written, the last one perhaps not to its end.
        total: number of lines of the finished work.
        notes: a short text beside each line, "" for none.
        writing: True while the work is not finished.
    """

    heading: str
    lines: tuple[str, ...]
    total: int
    notes: tuple[str, ...]
    writing: bool


def draw(sheet: Sheet) -> NDArray[np.uint8]:
    """Returns the picture of a page, uint8 [400, 720, 3]."""
    pygame.font.init()
    canvas = pygame.Surface((WIDTH * SMOOTH, HEIGHT * SMOOTH), 0, 32)
    canvas.get_buffer().write(_paper())
    top = TOP + (4 - min(sheet.total, 4)) * STEP // 2
    if sheet.heading:
        _write(canvas, sheet.heading, WIDTH / 2, 46, _font("italic", HEADING), RUBRIC, 0.5)
    _ornament(canvas, 74)
    for number in range(sheet.total):
        y = (top + number * STEP + 16) * SMOOTH
        for x in range(LEFT * SMOOTH, (WIDTH - RIGHT) * SMOOTH, 10):
            pygame.draw.line(canvas, RULE, (x, y), (x + 3, y), SMOOTH)
    pen, size = (float(LEFT), float(top)), _fitting(sheet.lines)
    for number, (line, note) in enumerate(zip(sheet.lines, sheet.notes, strict=True)):
        y = top + number * STEP
        current = sheet.writing and number == len(sheet.lines) - 1
        pen = (_line(canvas, line, y, size, first=number == 0, writing=current), y)
        _write(canvas, note, WIDTH - RIGHT + 14, y + 2, _font("italic", NOTE), FAINT)
    if sheet.writing:
        _quill(canvas, *pen)
    small = pygame.transform.smoothscale(canvas, (WIDTH, HEIGHT))
    return np.frombuffer(bytearray(pygame.image.tobytes(small, "RGB")), np.uint8).reshape(HEIGHT, WIDTH, 3)


@functools.cache
def _folder() -> Path | None:
    """Returns the folder of fonts that matplotlib brings."""
    found = importlib.util.find_spec("matplotlib")
    return None if found is None or found.origin is None else Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"


def _font(style: str, size: float) -> pygame.font.Font:
    """Returns DejaVu Serif, or pygame's own font where it is not found.

    Fonts are not kept: one that outlives somebody's pygame.quit() ends the process when it is next used.
    """
    folder = _folder()
    path = None if folder is None else folder / FONTS[style]
    if path is None or not path.is_file():
        return pygame.font.Font(None, round(1.3 * size * SMOOTH))
    return pygame.font.Font(str(path), round(size * SMOOTH))


def _write(
    canvas: pygame.Surface,
    text: str,
    x: float,
    y: float,
    font: pygame.font.Font,
    colour: Colour,
    align: float = 0.0,
) -> float:
    """Writes text whose baseline is 8 pixels below ``y``; returns where it ends; ``align`` 0.5 centres it at ``x``."""
    if not text:
        return x
    image = font.render(text, True, colour)
    left = x * SMOOTH - align * image.get_width()
    canvas.blit(image, (round(left), round((y + 8) * SMOOTH - font.get_ascent())))
    return (left + image.get_width()) / SMOOTH


def _room() -> float:
    """Returns the pixels that a line has, without the initial's."""
    return WIDTH - RIGHT - LEFT - (INITIAL - 1) * SIZE


def _fitting(lines: tuple[str, ...]) -> float:
    """Returns the size of the font in which all lines fit the page, or the least one."""
    font = _font("roman", SIZE)
    widest = max((font.size(line)[0] / SMOOTH for line in lines), default=0.0)
    return SIZE * max(LEAST, min(1.0, _room() / max(widest, 1.0)))


def _part(line: str, font: pygame.font.Font, *, end: bool) -> str:
    """Returns the part of a line that fits the page, its start or its end, with dots for the rest."""
    fits = bisect.bisect_right(
        range(1, len(line) + 1),
        _room() * SMOOTH,
        key=lambda count: font.size(line)[0] if count == len(line) else font.size(line[:count] + "...")[0],
    )
    if fits == len(line):
        return line
    return "..." + line[-fits:] if end else line[:fits] + "..."


def _line(canvas: pygame.Surface, line: str, y: float, size: float, *, first: bool, writing: bool) -> float:
    """Writes a line of verse; returns where it ends. The first line has a red initial."""
    font = _font("roman", size)
    line = _part(line, font, end=writing)
    if not first:
        return _write(canvas, line, LEFT, y, font, INK)
    x = _write(canvas, line[:1], LEFT, y, _font("roman", INITIAL * size), RUBRIC)
    return _write(canvas, line[1:], x, y, font, INK)


def _ornament(canvas: pygame.Surface, y: float) -> None:
    """Draws a diamond between two thin rules, in the middle of the page."""
    middle, y = WIDTH / 2 * SMOOTH, y * SMOOTH
    for side in (-1, 1):
        pygame.draw.line(canvas, FAINT, (middle + side * 22, y), (middle + side * 120, y), 2)
    pygame.draw.polygon(canvas, RUBRIC, [(middle - 12, y), (middle, y - 7), (middle + 12, y), (middle, y + 7)])


def _quill(canvas: pygame.Surface, x: float, y: float) -> None:
    """Draws a quill whose nib stands behind the text."""
    nib = np.array([x + 4, y + 9])
    along = np.array([0.55, -0.84])
    across = np.array([0.84, 0.55])
    at = [0.0, 0.16, 0.3, 0.5, 0.75, 1.0]  # of the way along the feather
    wide = [0.8, 1.2, 7.5, 10.0, 8.0, 0.0]
    bend = [0.0, 0.4, 1.5, 4.0, 9.0, 17.0]
    spine = [nib + 86 * share * along + curve * across for share, curve in zip(at, bend, strict=True)]
    left = [point - breadth * across for point, breadth in zip(spine, wide, strict=True)]
    right = [point + 0.7 * breadth * across for point, breadth in zip(spine, wide, strict=True)]
    outline = [tuple((point * SMOOTH).tolist()) for point in (*left, *right[::-1])]
    pygame.draw.polygon(canvas, FEATHER, outline)
    pygame.draw.aalines(canvas, SHADE, True, outline)
    for place in (2, 3, 4):  # barbs
        for edge in (left, right):
            tip = edge[place] + 5 * along
            pygame.draw.aaline(canvas, SHADE, (spine[place] * SMOOTH).tolist(), (tip * SMOOTH).tolist())
    pygame.draw.lines(canvas, SHADE, False, [tuple((point * SMOOTH).tolist()) for point in spine], 2)
    pygame.draw.line(canvas, INK, tuple((spine[0] * SMOOTH).tolist()), tuple((spine[1] * SMOOTH).tolist()), 4)


@functools.cache
def _paper() -> bytes:
    """Returns the empty page: paper, darker towards its edges, and a double frame; bytes of a 32-bit surface."""
    shape = (HEIGHT * SMOOTH, WIDTH * SMOOTH)
    rows, columns = (np.abs(np.linspace(-1, 1, side)) for side in shape)
    dark = np.round(SHADES * np.maximum.outer(rows**8, columns**8))[..., None] / SHADES
    colours = np.array(PAPER) * (1 - 0.5 * dark) + np.array(EDGE) * 0.5 * dark
    picture = np.clip(colours, 0, 255).astype(np.uint8)
    for inset in (13, 18):
        low, high, wide = inset * SMOOTH, shape[0] - inset * SMOOTH, shape[1] - inset * SMOOTH
        picture[[low, high], low:wide] = EDGE
        picture[low:high, [low, wide]] = EDGE
    surface = pygame.Surface(shape[::-1], 0, 32)
    surface.blit(pygame.image.frombuffer(picture.tobytes(), shape[::-1], "RGB"), (0, 0))
    return bytes(surface.get_buffer().raw)
