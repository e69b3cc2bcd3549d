"""Small pictures of few colours and transparency, as games use them: shown large beside their real size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..task import Array, Ints, Medium
from .pictures import save_png

GROUND = np.array([(86, 104, 78), (90, 109, 82)], np.uint8)
SYMBOLS = ".#@%X8O0&WMBQwmo"


class Sprite(Medium):
    """Contents uint8 [H, W]: 0 is transparent, ``1 + i`` the palette's colour ``i``.

    Args:
        palette: uint8 [P, 3].
    """

    def __init__(self, palette: NDArray[np.uint8]) -> None:
        self.palette = palette

    def render(self, content: Array, condition: Ints | None = None, upto: int | None = None) -> NDArray[np.uint8]:
        """Draws a content, uint8 [288, 288, 3]."""
        content = np.asarray(content)
        if upto is not None:
            content = np.where(np.arange(content.size).reshape(content.shape) < upto, content, 0)
        rows, columns = np.indices(content.shape)
        ground = GROUND[(rows + columns) % 2]
        shown = np.where((content > 0)[..., None], self.palette[np.maximum(content, 1) - 1], ground)
        return shown.repeat(18, 0).repeat(18, 1)

    def describe(self, content: Array, condition: Ints | None = None) -> str:
        """Writes a symbol for each pixel, two wide."""
        return "\n".join("".join((" " + SYMBOLS)[pixel] * 2 for pixel in row).rstrip() for row in np.asarray(content))

    def export(self, content: Array, path: Path, condition: Ints | None = None) -> list[Path]:
        """Writes .png."""
        png = Path(path).with_suffix(".png")
        png.parent.mkdir(parents=True, exist_ok=True)
        save_png(self.render(content), png)
        return [png]

    def metrics(self, contents: Array, conditions: Ints | None = None) -> dict[str, float]:
        """Measures a population [N, H, W].

        ``covered``: mean share of pixels that are not transparent.
        """
        return {"covered": float((np.asarray(contents) > 0).mean())}
