"""Sprites: game characters of 16 x 16 pixels, painted pixel by pixel with a palette of 16 colours."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .corpora.choice import choose
from .corpora.figures import SIZE
from .corpora.gallery import Gallery
from .corpora.palettes import colours
from .corpora.sprites import COLLECTIONS, COLOURS, find_folder, load_collection
from .grids import MIRRORS, NEIGHBOURS, Draft, Square, next_cells, places
from .media.sprites import Sprite
from .task import Array, Bools, CorpusReport, Feature, Grid, Ints, Split, Task, Works, parse_style

PIXELS = SIZE * SIZE
OUTSIDE = COLOURS + 1  # value of neighbours beyond the edge
SQUARE = Square(SIZE, COLOURS + 1, first=0, outside=OUTSIDE)
PLACES = places(SIZE, NEIGHBOURS.values(), [MIRRORS["mirror"]])


class SpriteTask(Task[Draft]):
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
        self.data_name, self._corpus = choose(data, corpus, COLLECTIONS, "sprites", "drew")
        self._style = style
        palette: NDArray[np.uint8] | None = None  # a folder's is known once its pictures are read
        if self._corpus is None:
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
        self.observation_space = SQUARE.space(self.condition_sizes)

    def kwargs(self) -> Mapping[str, Any]:
        """Returns the arguments that rebuild this task."""
        return {"data": self.data_name or None, "corpus": self._corpus, "style": self._style}

    def initial(self, draws: NDArray[np.uint64], condition: Ints | None = None) -> Draft:
        """Returns empty sprites, with the styles of random training sprites where none are given."""
        style = self.draw_conditions(draws, self._fixed) if condition is None else condition
        return SQUARE.empty(style)

    def advance(self, state: Draft, actions: Ints) -> tuple[Draft, Bools]:
        """Paints the next pixel of every row."""
        return SQUARE.fill(state, actions)

    def action_mask(self, state: Draft) -> Bools:
        """Returns bool [B, 17]: the colours that there are; pictures of your own may have fewer than 16."""
        mask = np.ones((len(state), self.num_actions), np.bool_)
        mask[:, 1 + len(self.medium.palette) :] = False
        return mask

    def legalise(self, state: Draft, actions: Ints) -> Ints:
        """Returns actions as ``Task.legalise`` does, at once where there are 16 colours."""
        return actions if len(self.medium.palette) == COLOURS else super().legalise(state, actions)

    def observe(self, state: Draft) -> NDArray[np.uint8]:
        """Returns uint8 [B, 258 + C]: the pixels, row and column of the next one, the conditions."""
        return SQUARE.observe(state)

    def restore(self, observations: Array) -> Draft:
        """Inverts ``observe``."""
        return SQUARE.restore(observations)

    def feature_values(self, state: Draft) -> Ints:
        """Returns int64 [B, K]: row and column of the next pixel, its neighbours, ``OUTSIDE`` beyond the edge.

        The mirror of a pixel is that of the same row as far from the other edge; ``OUTSIDE`` where it is not painted.
        """
        near = np.take_along_axis(state.sheet, PLACES[state.step], 1)
        return np.column_stack([state.step // SIZE, state.step % SIZE, near]).astype(np.int64)

    def content(self, state: Draft) -> NDArray[np.uint8]:
        """Returns uint8 [B, 16, 16]."""
        return SQUARE.content(state)

    def condition(self, state: Draft) -> Ints:
        """Returns the styles, int64 [B, C]."""
        return state.style.astype(np.int64)

    def demonstrations(self, contents: Array, conditions: Ints | None = None) -> Ints:
        """Returns the pixels row by row, int64 [N, 256].

        Raises:
            ValueError: a content is no sprite.
        """
        return self.layout.checked(contents, "sprites").reshape(-1, PIXELS).astype(np.int64)

    def works(self, split: Split) -> Works:
        """Returns the sprites of a split."""
        return self._sprites.works.usable(split)

    def corpus_report(self) -> CorpusReport:
        """Returns counts of the corpus."""
        return self._sprites.works.report

    def render(self, state: Draft) -> list[NDArray[np.uint8]]:
        """Draws the sprites as they stand, with a frame around the next pixel of those that are not finished."""
        works = zip(self.content(state), state.style, next_cells(state), strict=True)
        return [self.medium.render(*work) for work in works]

    def action_name(self, action: int) -> str:
        """Returns "transparent", or the colour as "#cd5e0d"."""
        return self.medium.value_name(action)

    @functools.cached_property
    def _sprites(self) -> Gallery:
        return load_collection(self.data_name) if self.data_name else self._folder.load()
