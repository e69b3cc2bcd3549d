"""Sprites: game characters of 16 x 16 pixels, painted pixel by pixel with a palette of 16 colours."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from .corpora.sprites import COLOURS, SIZE, WESNOTH, Sprites, conditions_of, load_sprites, palette_of
from .media.sprites import Sprite
from .task import Array, Bools, CorpusReport, Feature, Grid, Ints, Split, State, Task, Works, parse_style

PIXELS = SIZE * SIZE
OUTSIDE = COLOURS + 1  # value of neighbours beyond the edge
NEIGHBOURS = {
    "left": (0, -1),
    "left2": (0, -2),
    "above_left": (-1, -1),
    "above": (-1, 0),
    "above_right": (-1, 1),
    "above2": (-2, 0),
}
"""Rows and columns to the pixels that a policy sees beside its past actions."""


def _places() -> NDArray[np.intp]:
    """Returns the index of each pixel's neighbours and of its mirror image, ``PIXELS`` where there is none, [257, K]."""
    places = np.full((PIXELS + 1, len(NEIGHBOURS) + 1), PIXELS, np.intp)
    for pixel in range(PIXELS):
        row, column = divmod(pixel, SIZE)
        for number, (down, across) in enumerate(NEIGHBOURS.values()):
            if row + down >= 0 and 0 <= column + across < SIZE:
                places[pixel, number] = (row + down) * SIZE + column + across
        if column >= SIZE // 2:
            places[pixel, -1] = row * SIZE + SIZE - 1 - column
    return places


PLACES = _places()


@dataclasses.dataclass
class Canvas(State):
    """B sprites in the making.

    Attributes:
        pixels: uint8 [B, 257], row by row, 0 for transparent ones and those to come; the last is ``OUTSIDE``.
        step: int64 [B], decisions made.
        style: uint8 [B, C], the conditions.
    """

    pixels: NDArray[np.uint8]
    step: NDArray[np.int64]
    style: NDArray[np.uint8]


class SpriteTask(Task[Canvas]):
    """A game character of 16 x 16 pixels."""

    horizon, num_actions = PIXELS, COLOURS + 1
    layout = Grid((SIZE, SIZE), (COLOURS + 1,), "uint8")
    skips_finished = True

    def __init__(self, data: str = "wesnoth-units", style: str | None = None) -> None:
        self._data, self._style = data, style
        self.conditions = conditions_of(data)
        self._fixed = parse_style(style, self.conditions)
        self.data_hint = f"musegym data get {data}"
        high = np.r_[np.full(PIXELS, COLOURS), SIZE, SIZE - 1, np.array(self.condition_sizes, np.int64) - 1]
        self.observation_space = gym.spaces.Box(np.zeros(len(high), np.uint8), high.astype(np.uint8), dtype=np.uint8)
        names = (*NEIGHBOURS, "mirror")
        self.features = (
            Feature("row", SIZE + 1),
            Feature("column", SIZE),
            *(Feature(name, OUTSIDE + 1) for name in names),
        )
        self.medium: Sprite = Sprite(palette_of(WESNOTH))

    def kwargs(self) -> Mapping[str, Any]:
        """Returns the arguments that rebuild this task."""
        return {"data": self._data, "style": self._style}

    def initial(self, draws: NDArray[np.uint64], condition: Ints | None = None) -> Canvas:
        """Returns empty sprites, with the styles of random training sprites where none are given."""
        B = len(draws)
        pixels = np.zeros((B, PIXELS + 1), np.uint8)
        pixels[:, -1] = OUTSIDE
        style = self.draw_conditions(draws, self._fixed) if condition is None else condition
        return Canvas(pixels, np.zeros(B, np.int64), style.astype(np.uint8))

    def advance(self, state: Canvas, actions: Ints) -> tuple[Canvas, Bools]:
        """Paints the next pixel of every row."""
        rows = np.flatnonzero(state.step < PIXELS)
        state.pixels[rows, state.step[rows]] = actions[rows]
        state.step[rows] += 1
        return state, state.step == PIXELS

    def observe(self, state: Canvas) -> NDArray[np.uint8]:
        """Returns uint8 [B, 258 + C]: the pixels, row and column of the next one, the conditions."""
        observed = np.empty((len(state), PIXELS + 2 + state.style.shape[1]), np.uint8)
        observed[:, : PIXELS + 1] = state.pixels
        observed[:, PIXELS] = state.step // SIZE
        observed[:, PIXELS + 1] = state.step % SIZE
        observed[:, PIXELS + 2 :] = state.style
        return observed

    def restore(self, observations: Array) -> Canvas:
        """Inverts ``observe``."""
        observations = np.asarray(observations).astype(np.uint8)
        step = observations[:, PIXELS].astype(np.int64) * SIZE + observations[:, PIXELS + 1]
        pixels = observations[:, : PIXELS + 1].copy()
        pixels[:, -1] = OUTSIDE
        return Canvas(pixels, step, observations[:, PIXELS + 2 :].copy(), done=step == PIXELS)

    def feature_values(self, state: Canvas) -> Ints:
        """Returns int64 [B, K]: row and column of the next pixel, its neighbours, ``OUTSIDE`` beyond the edge.

        The mirror of a pixel is that of the same row as far from the other edge; ``OUTSIDE`` where it is not painted.
        """
        near = np.take_along_axis(state.pixels, PLACES[state.step], 1)
        return np.column_stack([state.step // SIZE, state.step % SIZE, near]).astype(np.int64)

    def content(self, state: Canvas) -> NDArray[np.uint8]:
        """Returns uint8 [B, 16, 16]."""
        return state.pixels[:, :PIXELS].reshape(-1, SIZE, SIZE).copy()

    def condition(self, state: Canvas) -> Ints:
        """Returns the styles, int64 [B, C]."""
        return state.style.astype(np.int64)

    def demonstrations(self, contents: Array, conditions: Ints | None = None) -> Ints:
        """Returns the pixels row by row, int64 [N, 256].

        Raises:
            ValueError: a content is no sprite.
        """
        contents = np.asarray(contents)
        if contents.shape[1:] != (SIZE, SIZE) or (
            contents.size and not 0 <= contents.min() <= contents.max() <= COLOURS
        ):
            raise ValueError(f"sprites are [N, {SIZE}, {SIZE}] of 0 .. {COLOURS}, not {list(contents.shape)}")
        return contents.reshape(-1, PIXELS).astype(np.int64)

    def works(self, split: Split) -> Works:
        """Returns the sprites of a split."""
        return self._sprites.works[split]

    def corpus_report(self) -> CorpusReport:
        """Returns counts of the corpus."""
        return self._sprites.report

    def action_name(self, action: int) -> str:
        """Returns "transparent" or the colour's number."""
        return f"colour {action}" if action else "transparent"

    @functools.cached_property
    def _sprites(self) -> Sprites:
        return load_sprites(self._data)
