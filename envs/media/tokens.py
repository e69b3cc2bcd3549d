"""Sequences of tokens, such as letters or numbers: coloured cells, a line of text, how often they repeat."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..task import Array, Ints, Medium
from .pictures import BACKGROUND, Colour, colour, save_png

WIDTH, MARGIN, GAP = 960, 24, 8  # pixels of the finished picture
LEAST_COLUMNS, ONE_ROW = 10, 12
LEGIBLE = 30  # pixels; narrower cells have no number
SMOOTH = 2
EMPTY: Colour = (30, 33, 46)
MARK: Colour = (255, 255, 255)
LIGHT: Colour = (245, 246, 250)
DARK: Colour = (18, 20, 30)


class Tokens(Medium):
    """Sequences as arrays int [L]: 1 + the number of each token, 0 where there is none yet.

    Args:
        vocabulary: number of tokens.
        symbols: text of each token; their numbers from 0, with spaces between, where None.
    """

    def __init__(self, vocabulary: int, symbols: Sequence[str] | None = None) -> None:
        self._vocabulary, self._gap = vocabulary, " " if symbols is None else ""
        self._symbols = tuple(map(str, range(vocabulary)) if symbols is None else symbols)

    def read(self, contents: Array, ndim: int = 2) -> Ints:
        """Returns 1 + the token numbers int [..., L], 0 for none.

        Raises:
            ValueError: another number of axes than ``ndim``, or numbers outside the vocabulary.
        """
        contents = np.asarray(contents)
        if contents.ndim != ndim or not contents.shape[-1]:
            raise ValueError(f"{ndim} axes, the last of the length, are expected, not {list(contents.shape)}")
        tokens: Ints = contents.astype(np.int64)
        if contents.size and (contents.min() < 0 or tokens.max() > self._vocabulary):
            raise ValueError(f"a sequence holds numbers from 0 to {self._vocabulary}")
        return tokens

    def describe(self, content: Array, condition: Ints | None = None) -> str:
        """Returns the symbols of the tokens that are written."""
        tokens = self.read(content, 1)
        return self._gap.join(self._symbols[token - 1] for token in tokens[tokens > 0])

    def render(self, content: Array, condition: Ints | None = None, upto: int | None = None) -> NDArray[np.uint8]:
        """Draws a cell per token, row by row, coloured by ``colour``, with its symbol where there is room.

        The last token of a sequence that is not finished has a white frame.
        """
        from PIL import Image, ImageDraw, ImageFont

        tokens = self.read(content, 1)
        written = int((tokens > 0).sum()) if upto is None else min(upto, int((tokens > 0).sum()))
        columns = len(tokens) if len(tokens) <= ONE_ROW else max(LEAST_COLUMNS, math.isqrt(2 * len(tokens)))
        rows = -(-len(tokens) // columns)
        width = (WIDTH - 2 * MARGIN + GAP) / columns - GAP
        height = 0.75 * min(width, 96)
        whole = (WIDTH, round(2 * MARGIN + rows * (height + GAP) - GAP))
        picture = Image.new("RGB", (SMOOTH * whole[0], SMOOTH * whole[1]), BACKGROUND)
        canvas = ImageDraw.Draw(picture)
        size = min(0.42 * height, 0.9 * width / (0.6 * max(map(len, self._symbols))))
        font = ImageFont.load_default(SMOOTH * size)
        for place, token in enumerate(tokens.tolist()):
            left = SMOOTH * (MARGIN + (place % columns) * (width + GAP))
            top = SMOOTH * (MARGIN + (place // columns) * (height + GAP))
            box = (left, top, left + SMOOTH * width, top + SMOOTH * height)
            radius = SMOOTH * min(8.0, width / 6)
            if place >= written:
                canvas.rounded_rectangle(box, radius, EMPTY)
                continue
            fill = colour(token - 1)
            framed = place == written - 1 and written < len(tokens)
            canvas.rounded_rectangle(box, radius, fill, MARK if framed else None, 3 * SMOOTH if framed else 0)
            if width >= LEGIBLE:
                bright = 0.299 * fill[0] + 0.587 * fill[1] + 0.114 * fill[2] > 140  # luma, ITU-R BT.601
                centre = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
                canvas.text(centre, self._symbols[token - 1], DARK if bright else LIGHT, font, anchor="mm")
        return np.array(picture.resize(whole, Image.Resampling.LANCZOS))

    def export(self, content: Array, path: Path, condition: Ints | None = None) -> list[Path]:
        """Writes .txt, one line of token numbers, and .png."""
        txt, png = Path(path).with_suffix(".txt"), Path(path).with_suffix(".png")
        txt.parent.mkdir(parents=True, exist_ok=True)
        txt.write_text(self.describe(content) + "\n", encoding="utf-8")
        save_png(self.render(content), png)
        return [txt, png]

    def metrics(self, contents: Array, conditions: Ints | None = None) -> dict[str, float]:
        """Measures a population [N, L].

        ``distinct_1``, ``distinct_2``: number of different tokens, and pairs of successive ones, over the number of
        all in the whole population (Li et al. 2016, "A Diversity-Promoting Objective Function"). They fall as N
        grows: compare populations of one size.
        """
        tokens = self.read(contents)
        pairs = tokens[:, :-1] * (self._vocabulary + 1) + tokens[:, 1:]
        return {
            "distinct_1": _distinct(tokens[tokens > 0]),
            "distinct_2": _distinct(pairs[(tokens[:, :-1] > 0) & (tokens[:, 1:] > 0)]),
        }


def _distinct(values: Ints) -> float:
    return len(np.unique(values)) / len(values) if len(values) else 0.0
