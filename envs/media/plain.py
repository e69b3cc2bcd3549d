"""Any layout as coloured cells or grey pixels, for domains without a medium of their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..task import Array, Ints, Layout, Medium
from .pictures import BACKGROUND, FAINT, colour, save_gif, save_png

SIDE = 320
"""Pixels of the longer side of a picture, about."""
RAMP = " .:-=+*#%@"
MOST_COLOURS = 256
PAIRS = 1000
"""Pairs of works that the mean distance averages over, at most."""


class Plain(Medium):
    """Contents of a layout, drawn as they are: cells by the colour of their value, pixels by their shade.

    Sequences are a row of cells (a row for each column); the planes of volumes and frames lie side by side.

    Args:
        layout: of the contents.
        symbols: text of each value from 0, for terminals; numbers where None.
        palette: red, green and blue of each value from 0, uint8 [V, 3]; well told apart colours where None.
    """

    def __init__(
        self, layout: Layout, symbols: Sequence[str] | None = None, palette: NDArray[np.uint8] | None = None
    ) -> None:
        self._layout, self._symbols = layout, symbols
        self._palette = palette
        if palette is None and layout.categorical:
            shades = [BACKGROUND, *(colour(value) for value in range(max(layout.sizes) - 1))]
            self._palette = np.array(shades, np.uint8)

    def _planes(self, content: Array) -> list[NDArray[np.uint8]]:
        """Returns the planes of a content, each uint8 [H, W, 3]."""
        content = np.asarray(content)
        if content.shape != self._layout.shape:
            raise ValueError(f"a content has shape {self._layout.shape}, not {content.shape}")
        sides = self._layout.sides
        if len(sides) == 1:
            content = content.reshape(len(content), -1).T
        planes = content if len(sides) == 3 else content[None]
        if self._palette is not None:
            return [self._palette[plane] for plane in planes]
        shades = planes.reshape(len(planes), *sides[-2:], -1) * (255 / (self._layout.sizes[0] - 1))
        channels = np.minimum(np.arange(3), shades.shape[-1] - 1)
        return list(shades[..., channels].round().astype(np.uint8))

    def _large(self, content: Array) -> list[NDArray[np.uint8]]:
        planes = self._planes(content)
        factor = max(1, SIDE // max(len(planes) * planes[0].shape[1], planes[0].shape[0]))
        return [plane.repeat(factor, 0).repeat(factor, 1) for plane in planes]

    def render(self, content: Array, condition: Ints | None = None, upto: int | None = None) -> NDArray[np.uint8]:
        """Draws a content, uint8 [H, W, 3]; ``upto`` 0 is an empty one, any other number all of it."""
        planes = self._large(np.zeros_like(content) if upto == 0 else content)
        gap = np.full((len(planes[0]), 6, 3), FAINT, np.uint8)
        return np.hstack([part for plane in planes for part in (gap, plane)][1:])

    def cells(self, content: Array) -> Ints | None:
        """Maps pixels to the cells of a grid, int [H, W]; None for other layouts."""
        if self._layout.kind != "grid":
            return None
        rows, columns = self._layout.shape
        factor = max(1, SIDE // max(rows, columns))
        return np.arange(rows * columns).reshape(rows, columns).repeat(factor, 0).repeat(factor, 1)

    def value_name(self, value: int) -> str:
        """Returns the symbol of a value; its number where there are no symbols."""
        return str(value) if self._symbols is None else self._symbols[value]

    def describe(self, content: Array, condition: Ints | None = None) -> str:
        """Writes a content in symbols, planes below one another with an empty line between."""
        content, layout = np.asarray(content), self._layout
        if len(layout.sides) == 1:
            rows = content.reshape(len(content), -1)
            rows = rows[: int(np.flatnonzero(rows.any(1)).max(initial=-1)) + 1]
            return " ".join(",".join(map(str, row)) for row in rows.tolist())
        symbols: Sequence[str] = RAMP
        if layout.categorical:
            numbers = [f"{value:>{len(str(layout.sizes[0] - 1))}}" for value in range(layout.sizes[0])]
            symbols = self._symbols or numbers
        else:
            content = content.reshape(*layout.sides, -1).max(-1).astype(np.int64) * len(RAMP) // layout.sizes[0]
        gap = "" if max(map(len, symbols)) == 1 else " "
        planes = content if len(layout.sides) == 3 else content[None]
        return "\n\n".join("\n".join(gap.join(symbols[cell] for cell in row) for row in plane) for plane in planes)

    def export(self, content: Array, path: Path, condition: Ints | None = None) -> list[Path]:
        """Writes .txt, .png and, of frames, .gif."""
        txt, png, gif = (Path(path).with_suffix(suffix) for suffix in (".txt", ".png", ".gif"))
        txt.parent.mkdir(parents=True, exist_ok=True)
        txt.write_text(self.describe(content, condition) + "\n", encoding="utf-8")
        save_png(self.render(content), png)
        if self._layout.kind != "frames":
            return [txt, png]
        planes = self._large(content)
        colours = np.unique(np.concatenate([plane.reshape(-1, 3) for plane in planes]), axis=0)[:MOST_COLOURS]
        save_gif(planes, [0.15] * len(planes), gif, planes[0].shape[1], colours.ravel().tolist())
        return [txt, png, gif]

    def metrics(self, contents: Array, conditions: Ints | None = None) -> dict[str, float]:
        """Measures a population [N, ...].

        ``mean_distance``: mean share of entries in which two contents differ (Hamming), or their mean difference in
        shade, of up to 1,000 random pairs: diversity, 0 where all are one.
        """
        rng, N = np.random.default_rng(0), len(contents)
        left, right = rng.integers(N, size=(2, min(PAIRS, N * N)))
        first, second = contents[left].astype(np.float32), contents[right].astype(np.float32)
        if self._layout.categorical:
            return {"mean_distance": float((first != second).mean())}
        return {"mean_distance": float(np.abs(first - second).mean() / (self._layout.sizes[0] - 1))}
