"""Sprites: game characters of 16 x 16 pixels, painted pixel by pixel with a palette of 16 colours."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from .corpora.figures import SIZE
from .corpora.files import absolute
from .corpora.gallery import Gallery
from .corpora.palettes import colours
from .corpora.sprites import COLLECTIONS, COLOURS, find_folder, load_collection
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
    """Returns the indices of each pixel's neighbours and mirror image, ``PIXELS`` where there is none, [257, K]."""
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
    """A game character of 16 x 16 pixels, painted with a palette of 16 colours.

    ### Description
    Each decision paints the next pixel, row by row from the top left: with a colour of the palette, or not at all. Real
    works are people and animals of OpenMoji, units of Battle for Wesnoth, or pictures of your own, reduced to 16 x 16
    pixels.

    ### Action Space
    ``Discrete(17)``: 0 leaves the pixel transparent, 1 .. 16 are the colours of the palette from dark to light. All
    are legal; of your own pictures, those colours that they have.

    ### Observation Space
    ``Box``, uint8: the pixels row by row, 0 .. 16, those to come being 0; row (16 at the end) and column of the next
    one; the conditions.

    ### Rewards
    0 until the last decision, then the discriminator's score of the sprite. No rule reward.

    ### Starting State
    No pixels; conditions of a random training sprite.

    ### Episode End
    After 256 decisions.

    ### Arguments
    ``data``: "openmoji", the default, or "wesnoth-units". ``corpus``: a folder of your own PNG pictures instead.
    ``style``: words for conditions, such as ``"mammal"`` (OpenMoji's groups) or ``"elves-wood se"`` (faction and
    direction of a unit); of your own pictures, the name of a subfolder.

    ### Version History
    v0: initial version.
    """

    horizon, num_actions = PIXELS, COLOURS + 1
    layout = Grid((SIZE, SIZE), (COLOURS + 1,), "uint8")
    data_names = tuple(COLLECTIONS)
    benchmark = "musegym.benchmarks.domains.sprite"
    skips_finished = True
    features = (
        Feature("row", SIZE + 1),
        Feature("column", SIZE),
        *(Feature(name, OUTSIDE + 1) for name in (*NEIGHBOURS, "mirror")),
    )

    def __init__(self, data: str | None = None, corpus: str | None = None, style: str | None = None) -> None:
        if data is not None and corpus is not None:
            raise ValueError("give data or corpus, not both: one names sprites that others drew, one a folder of yours")
        if data is not None and data not in COLLECTIONS:
            raise ValueError(f"no sprites are called {data!r}; choose one of {', '.join(COLLECTIONS)}")
        self._corpus, self._style = absolute(corpus), style
        palette: NDArray[np.uint8] | None = None  # a folder's is known once its pictures are read
        if self._corpus is None:
            self.data_name = data or next(iter(COLLECTIONS))
            self.conditions, palette = (
                COLLECTIONS[self.data_name].conditions,
                colours(COLLECTIONS[self.data_name].palette),
            )
        else:
            self._folder = find_folder(self._corpus)
            self.conditions = self._folder.conditions
        self.medium: Sprite = Sprite(
            lambda: self._sprites.palette if palette is None else palette, lambda: self.corpus("train")
        )
        self._fixed = parse_style(style, self.conditions)
        last = [*[COLOURS] * PIXELS, SIZE, SIZE - 1, *(size - 1 for size in self.condition_sizes)]
        self.observation_space = gym.spaces.Box(0, np.array(last, np.uint8), dtype=np.uint8)

    def kwargs(self) -> Mapping[str, Any]:
        """Returns the arguments that rebuild this task."""
        return {"data": self.data_name or None, "corpus": self._corpus, "style": self._style}

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

    def action_mask(self, state: Canvas) -> Bools:
        """Returns bool [B, 17]: the colours that there are; pictures of your own may have fewer than 16."""
        mask = np.ones((len(state), self.num_actions), np.bool_)
        mask[:, 1 + len(self.medium.palette) :] = False
        return mask

    def legalise(self, state: Canvas, actions: Ints) -> Ints:
        """Returns actions as ``Task.legalise`` does, at once where there are 16 colours."""
        return actions if len(self.medium.palette) == COLOURS else super().legalise(state, actions)

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
        return self._sprites.works.usable(split)

    def corpus_report(self) -> CorpusReport:
        """Returns counts of the corpus."""
        return self._sprites.works.report

    def render(self, state: Canvas) -> list[NDArray[np.uint8]]:
        """Draws the sprites as they stand, with a frame around the next pixel of those that are not finished."""
        steps = [None if done else int(step) for step, done in zip(state.step, state.done, strict=True)]
        return [self.medium.render(*work) for work in zip(self.content(state), state.style, steps, strict=True)]

    def action_name(self, action: int) -> str:
        """Returns "transparent", or the colour as "#cd5e0d"."""
        return self.medium.value_name(action)

    @functools.cached_property
    def _sprites(self) -> Gallery:
        return load_collection(self.data_name) if self.data_name else self._folder.load()
