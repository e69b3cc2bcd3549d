"""Levels of games as grids of tiles: drawn as a game shows them, as text, and measured as populations."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..task import Array, Ints, Medium
from .patterns import Patterns, divergence, patterns
from .pictures import BACKGROUND, Colour, save_png
from .tileart import SIDE, Theme, themes, unknown

SCALE = 2  # pixels of the picture to a pixel of a tile
GRID = (38, 42, 58)
NEXT = (255, 255, 255)
WINDOWS = (2, 3, 4)
SHADOW = (0.45, 0.55, 0.68, 0.82, 0.92)
"""Light of the rows of pixels below a wall."""
Measures = Callable[[Array], Mapping[str, float]]


class Tiles(Medium):
    """Levels as arrays [H, W] of tile numbers.

    Args:
        alphabet: the symbol of each tile; the first is air.
        theme: the theme that draws them, or its name; symbols it has no tile for get one of their own.
        reference: returns the real contents that patterns of tiles are compared with; called when first needed.
        measures: further measures of contents [N, H, W], by name.
        by_rows: True where levels are built row by row from the top, False where column by column from the left.
    """

    def __init__(
        self,
        alphabet: str,
        theme: str | Theme = "platform",
        reference: Callable[[], Array] | None = None,
        measures: Measures | None = None,
        by_rows: bool = False,
    ) -> None:
        self.alphabet = alphabet
        self._theme = themes()[theme] if isinstance(theme, str) else theme
        self._reference, self._measures, self._by_rows = reference, measures, by_rows

    def render(self, content: Array, condition: Ints | None = None, upto: int | None = None) -> NDArray[np.uint8]:
        """Draws a level, 32 pixels a tile; cells that are not built yet are an empty grid, the next one framed."""
        content = self._read(content, 2)
        height, width = content.shape
        built = height * width if upto is None else min(upto, height * width)
        sky = _sky(self._theme.top, self._theme.bottom, height)[:, None]  # [16 H, 1, 3]
        below = np.pad(content[1:], ((0, 1), (0, 0)))
        tiles = np.where((content != below)[..., None, None, None], self._fronts[content], self._art[content])
        tiles = tiles.transpose(0, 2, 1, 3, 4).reshape(SIDE * height, SIDE * width, 4)
        frame = np.where(tiles[..., 3:] > 0, tiles[..., :3], sky)
        self._shade(frame, content)
        if built < height * width:
            if self._by_rows:
                order, cell = np.arange(height * width).reshape(height, width), divmod(built, width)
            else:
                order, cell = np.arange(height * width).reshape(width, height).T, divmod(built, height)[::-1]
            _cover(frame, order >= built, cell)
        return np.ascontiguousarray(frame.repeat(SCALE, 0).repeat(SCALE, 1))

    def cells(self, content: Array) -> Ints | None:
        """Maps the pixels of ``render``'s picture to tiles, int [H, W]: row-major index."""
        content = np.asarray(content)
        return np.arange(content.size).reshape(content.shape).repeat(SIDE * SCALE, 0).repeat(SIDE * SCALE, 1)

    def value_name(self, value: int) -> str:
        """Returns the name of a tile: air, ground, brick ...; its symbol where the theme has no such tile."""
        symbol = self.alphabet[value]
        return self._theme.names.get(symbol, symbol) if value else self._theme.empty

    def describe(self, content: Array, condition: Ints | None = None) -> str:
        """Returns a line of symbols for each row."""
        symbols = np.array(list(self.alphabet))
        return "\n".join("".join(row) for row in symbols[self._read(content, 2)])

    def export(self, content: Array, path: Path, condition: Ints | None = None) -> list[Path]:
        """Writes .txt, which ``corpus=`` reads again, and .png."""
        txt, png = Path(path).with_suffix(".txt"), Path(path).with_suffix(".png")
        txt.parent.mkdir(parents=True, exist_ok=True)
        txt.write_text(self.describe(content) + "\n", encoding="utf-8", newline="\n")
        save_png(self.render(content), png)
        return [txt, png]

    def metrics(self, contents: Array, conditions: Ints | None = None) -> dict[str, float]:
        """Measures a population [N, H, W].

        ``tpkldiv``: Kullback-Leibler divergence of the patterns of 2 x 2, 3 x 3 and 4 x 4 tiles from those of real
        levels, the mean of both directions and of the sizes (TPKLDiv with w = 0.5: Lucas & Volz 2019, "Tile Pattern
        KL-Divergence for Analysing and Evolving Game Levels", arXiv:1905.05077), nats; 0 where all patterns are as
        frequent. ``tpkldiv_missing`` is the direction in which real patterns that are missing weigh, ``tpkldiv_novel``
        the one in which patterns weigh that no real level has. All fall as N grows: compare populations of one size.
        ``distinct``: share of different levels. Further keys are those of ``measures``.

        Raises:
            ValueError: there are no levels, or they have another shape or unknown tiles.
        """
        contents = self._read(contents, 3)
        if not len(contents):
            raise ValueError("metrics need levels: there are none")
        result = {"distinct": len(np.unique(contents.reshape(len(contents), -1), axis=0)) / len(contents)}
        if self._reference is not None:
            found = [patterns(contents, side) for side in WINDOWS]
            missing = [divergence(real, ours) for real, ours in zip(self._real, found, strict=True)]
            novel = [divergence(ours, real) for real, ours in zip(self._real, found, strict=True)]
            result["tpkldiv_missing"], result["tpkldiv_novel"] = float(np.mean(missing)), float(np.mean(novel))
            result["tpkldiv"] = (result["tpkldiv_missing"] + result["tpkldiv_novel"]) / 2
        return result | dict(self._measures(contents) if self._measures else {})

    @functools.cached_property
    def _real(self) -> list[Patterns]:
        assert self._reference is not None
        return [patterns(self._reference(), side) for side in WINDOWS]

    @functools.cached_property
    def _art(self) -> NDArray[np.uint8]:
        """The tile of each symbol, uint8 [A, 16, 16, 4]; air is empty."""
        empty = np.zeros((SIDE, SIDE, 4), np.uint8)
        known = self._theme.tiles
        return np.stack([empty, *(known[s] if s in known else unknown(s) for s in self.alphabet[1:])])

    @functools.cached_property
    def _fronts(self) -> NDArray[np.uint8]:
        """The tile of each symbol above another one, uint8 [A, 16, 16, 4]."""
        fronts = self._theme.fronts
        return np.stack([fronts.get(symbol, tile) for symbol, tile in zip(self.alphabet, self._art, strict=True)])

    def _shade(self, frame: NDArray[np.uint8], content: NDArray[np.int64]) -> None:
        """Darkens the upper edge of the cells below those that cast shadows."""
        casts = np.isin(np.array(list(self.alphabet)), list(self._theme.shadows))[content]
        cells = np.zeros(content.shape, np.bool_)
        cells[1:] = casts[:-1] & ~casts[1:] & (content[1:] > 0)
        for row, share in enumerate(SHADOW):
            part = frame[row::SIDE]
            part[:] = np.where(cells.repeat(SIDE, 1)[..., None], (part * share).astype(np.uint8), part)

    def _read(self, contents: Array, ndim: int) -> NDArray[np.int64]:
        contents = np.asarray(contents)
        if contents.ndim != ndim:
            raise ValueError(f"levels have {ndim} axes here, not {list(contents.shape)}")
        if contents.size and not 0 <= contents.min() <= contents.max() < len(self.alphabet):
            raise ValueError(f"tiles are numbers from 0 to {len(self.alphabet) - 1}")
        return contents.astype(np.int64)


@functools.cache
def _sky(top: Colour, bottom: Colour, height: int) -> NDArray[np.uint8]:
    """Returns the colours of the rows of the sky, uint8 [16 H, 3]."""
    share = np.linspace(0, 1, SIDE * height)[:, None]
    sky: NDArray[np.uint8] = (np.array(top) * (1 - share) + np.array(bottom) * share).astype(np.uint8)
    return sky


def _cover(frame: NDArray[np.uint8], to_come: NDArray[np.bool_], cell: tuple[int, int]) -> None:
    """Covers cells bool [H, W] with an empty grid, and frames one."""
    hidden = to_come.repeat(SIDE, 0).repeat(SIDE, 1)
    frame[hidden] = BACKGROUND
    lines = np.zeros_like(hidden)
    lines[::SIDE] = lines[:, ::SIDE] = True
    frame[hidden & lines] = GRID
    row, column = (SIDE * place for place in cell)
    frame[row : row + SIDE, [column, column + SIDE - 1]] = NEXT
    frame[[row, row + SIDE - 1], column : column + SIDE] = NEXT
