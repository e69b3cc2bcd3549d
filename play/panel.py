"""The panel below the picture of the play window: choices to pick from, and two lines of text."""

from __future__ import annotations

import bisect
import dataclasses
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..envs.media.fonts import font_file

if TYPE_CHECKING:
    import pygame

Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]
"""Left, top, width and height, pixels."""

TEXT_HEIGHT = 52  # pixels of the two lines
CHIP_HEIGHT = 40  # of the row of chips
SMALL = 28  # size of the font of a line that takes two, at twice its size
CHIPS = 9  # choices shown at once, one for each number key
CELL, SWATCH, GAP = 44, 34, 12  # pixels from swatch to swatch, their side, and the panel's margin
GROUND: Colour = (24, 27, 38)
CHIP: Colour = (44, 48, 66)
MARKED: Colour = (255, 209, 92)
INK: Colour = (18, 20, 30)
TEXT: Colour = (232, 234, 243)
FAINT: Colour = (128, 135, 162)
PATIENCE = "one moment ..."
"""News while a network is loaded or builds."""
KNOWN = "\u017f"
"""Last character up to which the font of pygame is sure to have all."""
HAN = "\u2e80-\U0003ffff"
"""Characters, as in a pattern, of Chinese and its neighbours."""
SIGNS = str.maketrans({"♯": "#", "♭": "b", "♮": ""})
"""Replacements for signs that the font of pygame lacks."""


@dataclasses.dataclass(frozen=True)
class Panel:
    """Contents of the panel.

    Attributes:
        lines: two lines of text.
        chips: names of choices, at most nine.
        swatches: pictures of choices, uint8 [h, w, 3]; shown instead of chips.
        chosen: index of the marked choice.
        also: indices of other marked swatches.
    """

    lines: tuple[str, str]
    chips: Sequence[str] = ()
    swatches: Sequence[NDArray[np.uint8]] = ()
    chosen: int = 0
    also: Sequence[int] = ()

    def height(self, width: int) -> int:
        """Returns the height of the panel at a width, pixels."""
        rows = -(-len(self.swatches) // _columns(width))
        return TEXT_HEIGHT + (rows * CELL + 4 if rows else CHIP_HEIGHT)

    def draw(self, width: int) -> tuple[pygame.Surface, list[Box]]:
        """Returns the panel, drawn at twice its size for smooth scaling, and the box of each choice at its size."""
        import pygame

        height = self.height(width)
        panel = pygame.Surface((2 * width, 2 * height), 0, 32)
        panel.fill(GROUND)
        boxes = self._draw_swatches(panel) if self.swatches else self._draw_chips(panel)
        first = 2 * (height - TEXT_HEIGHT)
        for line, size, colour, top in (
            (self.lines[0], 40, TEXT, first + 12),
            (self.lines[1], 34, FAINT, first + 58),
        ):
            font, texts = _fitted(line.translate(SIGNS), size, panel.get_width() - 48)
            for number, text in enumerate(texts):
                panel.blit(font.render(text, True, colour), (24, top + number * font.get_height()))
        return panel, [(left // 2, top // 2, wide // 2, high // 2) for left, top, wide, high in boxes]

    def _draw_chips(self, panel: pygame.Surface) -> list[Box]:
        import pygame

        plain = pygame.font.Font(None, 34)
        labels = [chip.translate(SIGNS) for chip in self.chips]
        # Chips that do not fit are all drawn at the same smaller size.
        wanted = sum(plain.size("1")[0] + _written(label, 40, TEXT).get_width() + 58 for label in labels)
        scale = min(1.0, (panel.get_width() - 48) / wanted) if labels else 1.0
        small = pygame.font.Font(None, int(34 * scale))
        left, boxes = 24.0, list[Box]()
        for index, label in enumerate(labels):
            marked = index == self.chosen
            text = _written(label, int(40 * scale), INK if marked else TEXT)
            number = small.render(str(index + 1), True, FAINT)
            box = pygame.Rect(int(left), 14, int(number.get_width() + text.get_width() + 44 * scale), 56)
            pygame.draw.rect(panel, MARKED if marked else CHIP, box, border_radius=int(28 * scale))
            edge = int(16 * scale)
            panel.blit(number, (box.left + edge, box.centery - number.get_height() // 2))
            panel.blit(text, (box.right - edge - text.get_width(), box.centery - text.get_height() // 2))
            left = box.right + 14 * scale
            boxes.append((box.left, box.top, box.width, box.height))
        return boxes

    def _draw_swatches(self, panel: pygame.Surface) -> list[Box]:
        import pygame

        columns, side, boxes = _columns(panel.get_width() // 2), 2 * SWATCH, list[Box]()
        small = pygame.font.Font(None, 24)
        for index, picture in enumerate(self.swatches):
            row, column = divmod(index, columns)
            box = pygame.Rect(2 * (GAP + CELL * column), 2 * (8 + CELL * row), side, side)
            marked = index == self.chosen or index in self.also
            frame = box.inflate(16, 16) if marked else box.inflate(4, 4)
            pygame.draw.rect(panel, MARKED if marked else CHIP, frame, border_radius=10)
            height, width, _ = picture.shape
            image = pygame.image.frombuffer(np.ascontiguousarray(picture).tobytes(), (width, height), "RGB")
            panel.blit(pygame.transform.scale(image, box.size), box)
            if index < CHIPS:
                label = small.render(str(index + 1), True, INK if marked else TEXT)
                corner = pygame.Rect(box.left, box.top, label.get_width() + 8, label.get_height() + 2)
                pygame.draw.rect(panel, MARKED if marked else CHIP, corner, border_bottom_right_radius=6)
                panel.blit(label, (corner.left + 4, corner.top + 2))
            boxes.append((box.left, box.top, box.width, box.height))
        return boxes


def _written(label: str, size: int, colour: Colour) -> pygame.Surface:
    """Returns a label; characters that the font of pygame lacks are of a font that has them, where there is one."""
    import pygame

    parts = list[pygame.Surface]()
    for part in re.findall(f"[{HAN}]+|[^{HAN}]+", label) or [""]:
        rarest = max(part, default="")
        file = None if rarest <= KNOWN else font_file(rarest)
        font = pygame.font.Font(None, size) if file is None else pygame.font.Font(file, int(0.72 * size))
        parts.append(font.render(part, True, colour))
    if len(parts) == 1:
        return parts[0]
    extent = (sum(part.get_width() for part in parts), max(part.get_height() for part in parts))
    whole, left = pygame.Surface(extent, pygame.SRCALPHA, 32), 0
    for part in parts:
        whole.blit(part, (left, (whole.get_height() - part.get_height()) // 2))
        left += part.get_width()
    return whole


def _columns(width: int) -> int:
    """Returns the number of swatches in a row."""
    return max(1, (width - 2 * GAP + CELL - SWATCH) // CELL)


def _fitted(line: str, size: int, width: int) -> tuple[pygame.font.Font, list[str]]:
    """Returns a font and the one or two lines of text, at most so many pixels wide, that a line of the panel becomes.

    Two lines are of a smaller font, so that they take no more height than one; words beyond them are left out.
    """
    import pygame

    font = pygame.font.Font(None, size)
    if font.size(line)[0] <= width:
        return font, [line]
    font = pygame.font.Font(None, SMALL)
    start = _cut(font, line, width, at_word=True)
    rest = line[len(start) :].strip()
    if font.size(rest)[0] > width:
        rest = _cut(font, rest, width - font.size("...")[0], at_word=False) + "..."
    return font, [start, rest] if rest else [start]


def _cut(font: pygame.font.Font, line: str, width: int, *, at_word: bool) -> str:
    """Returns the longest start of a line that is at most so many pixels wide; it ends with a word where it can."""
    count = bisect.bisect_right(range(1, len(line) + 1), width, key=lambda end: font.size(line[:end])[0])
    space = line.rfind(" ", 0, count + 1) if at_word and count < len(line) else -1
    return line[: space if space > 0 else count]


def joined(*parts: str) -> str:
    """Returns the parts of a line, without empty ones."""
    return "   ·   ".join(filter(None, parts))
