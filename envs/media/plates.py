"""Pictures that a network makes of a plan: shown with the plan's grid, written to files, measured as populations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..task import Array, Ints, Medium
from .drawing import Drawing
from .painting import Painting
from .pictures import BACKGROUND

MARK = np.array((255, 196, 64), np.uint8)
"""Of the frame around the place that is decided next."""
FAINT = np.array((84, 90, 112), np.uint8)
"""Of the lines between places."""
EDGE = 12  # pixels around a picture
SIDE = 280  # pixels of a shown picture, about


class Plates(Medium):
    """Square pictures uint8 [side, side] in grey, or [side, side, 3] in colour.

    Text, metrics and populations are those of drawings in grey, of paintings in colour.

    Args:
        channels: 1 or 3.
        grid: rows and columns of a plan.
        palette: returns the colours by which populations in colour are measured, uint8 [P, 3].
        reference: returns the real contents that greys or colours are compared with; called when first needed.
    """

    def __init__(
        self,
        channels: int,
        grid: int,
        palette: Callable[[], NDArray[np.uint8]],
        reference: Callable[[], Array] | None = None,
    ) -> None:
        self._grid = grid
        self._kind = Drawing(reference=reference) if channels == 1 else Painting(palette, reference)

    def render(self, content: Array, condition: Ints | None = None, upto: int | None = None) -> NDArray[np.uint8]:
        """Draws a picture, enlarged, uint8 [H, W, 3]; ``upto=0`` is an empty one, all else the whole."""
        content = np.asarray(content)
        return self.at_work(np.zeros_like(content) if upto == 0 else content, None)

    def at_work(self, content: Array, place: int | None) -> NDArray[np.uint8]:
        """Draws a picture, enlarged, uint8 [H, W, 3].

        Args:
            content: the picture.
            place: of the plan, row by row, that is decided next; None where there is none.
        """
        content = np.asarray(content)
        scale = max(1, SIDE // len(content))
        shown = content.repeat(scale, 0).repeat(scale, 1)
        if shown.ndim == 2:
            shown = shown[..., None].repeat(3, 2)
        side = len(shown)
        frame = np.empty((side + 2 * EDGE, side + 2 * EDGE, 3), np.uint8)
        frame[:] = BACKGROUND
        frame[EDGE:-EDGE, EDGE:-EDGE] = shown
        if place is not None:
            bounds = EDGE + np.arange(self._grid + 1) * side // self._grid
            for bound in bounds:  # ticks beside the picture, which they must not cover
                frame[bound - 1 : bound + 1, : EDGE - 2] = frame[: EDGE - 2, bound - 1 : bound + 1] = FAINT
            row, column = divmod(place, self._grid)
            top, left, bottom, right = bounds[row], bounds[column], bounds[row + 1], bounds[column + 1]
            frame[top:bottom, left - 2 : left + 2] = frame[top:bottom, right - 2 : right + 2] = MARK
            frame[top - 2 : top + 2, left:right] = frame[bottom - 2 : bottom + 2, left:right] = MARK
        return frame

    def describe(self, content: Array, condition: Ints | None = None) -> str:
        """Writes the picture in characters."""
        return self._kind.describe(content)

    def export(self, content: Array, path: Path, condition: Ints | None = None) -> list[Path]:
        """Writes .png files, as drawings and paintings are written."""
        return self._kind.export(content, path)

    def metrics(self, contents: Array, conditions: Ints | None = None) -> dict[str, float]:
        """Measures a population [N, ...]: see ``Drawing.metrics`` and ``Painting.metrics``."""
        return self._kind.metrics(contents)

    def population(self, contents: Array) -> NDArray[np.uint8] | None:
        """Draws contents in one picture, as the kind of pictures does."""
        return self._kind.population(contents)
