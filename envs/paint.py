"""Small paintings in colour, stroke by stroke, from pictures alone: how the real ones were painted is not known."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from .corpora.choice import choose
from .corpora.gallery import Gallery
from .corpora.paintings import COLLECTIONS, COLOURS, find_folder, load_collection
from .corpora.palettes import colours
from .corpora.thumbnails import SIDE
from .media.brushes import BRUSHES, Brush, Strokes, repainted
from .media.painting import Laid, Painting
from .media.pictures import palette_in, save_gif, save_png
from .task import (
    Array,
    Bools,
    Condition,
    CorpusReport,
    Feature,
    Image,
    Ints,
    Split,
    State,
    Task,
    Tool,
    Works,
    parse_style,
)

PIXELS = SIDE * SIDE
POINTS, SPACING = 15, 2.0
"""Strokes are laid around the points of a grid, so many pixels apart, with one in the middle of the canvas."""
GROUND, COLOUR, BRUSH, PLACE = range(4)
"""Choices: the ground, then three for each stroke."""
MOST_STROKES = 80  # so that the number of decisions fits into a byte
LARGE = 10  # pixels of an exported picture to one of the canvas
GIF_SECONDS, GIF_LAST = 0.12, 3.0  # that each stroke, and the finished painting, is shown


def _places() -> NDArray[np.float64]:
    """Returns rows and columns of the points, float64 [225, 2]."""
    axis = (SIDE - 1) / 2 + SPACING * (np.arange(POINTS) - (POINTS - 1) / 2)
    return np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)


PLACES = _places()


@dataclasses.dataclass
class Easel(State):
    """B paintings in the making, each as a row of bytes: its observation.

    Attributes:
        sheet: uint8 [B, 3076 + C]: red, green and blue of each pixel, row by row, white before the ground is laid; the
            number of decisions made; 1 + the colour chosen last, 1 + the brush, 1 + the place of the last stroke, each
            0 before the first one; the conditions.
    """

    sheet: NDArray[np.uint8]

    @property
    def canvas(self) -> NDArray[np.uint8]:
        """The pictures, uint8 [B, 3072]; this and the following are views."""
        return self.sheet[:, : 3 * PIXELS]

    @property
    def step(self) -> NDArray[np.uint8]:
        """Decisions made, uint8 [B]."""
        return self.sheet[:, 3 * PIXELS]

    @property
    def colour(self) -> NDArray[np.uint8]:
        """1 + the colour chosen last, uint8 [B]."""
        return self.sheet[:, 3 * PIXELS + 1]

    @property
    def brush(self) -> NDArray[np.uint8]:
        """1 + the brush chosen last, uint8 [B]."""
        return self.sheet[:, 3 * PIXELS + 2]

    @property
    def place(self) -> NDArray[np.uint8]:
        """1 + the place of the last stroke, uint8 [B]."""
        return self.sheet[:, 3 * PIXELS + 3]

    @property
    def style(self) -> NDArray[np.uint8]:
        """The conditions, uint8 [B, C]."""
        return self.sheet[:, 3 * PIXELS + 4 :]


class PaintTask(Task[Easel]):
    """A small painting in colour, 32 x 32 pixels, laid on with brushes stroke by stroke.

    ### Description
    The first decision covers the canvas with a colour, the ground. Each stroke then takes three: a colour of the
    palette, a brush (dots of six sizes, lines of four sizes in four directions) and a place on a grid of 15 x 15. Edges
    of strokes are soft, over one pixel; elsewhere paint covers what was there. Real works are emoji, portraits, patches
    of masters' paintings, or pictures of your own. Nobody wrote down how they were painted, and most of them these
    brushes could not paint exactly: there are no demonstrations, and a discriminator's score of finished pictures is
    the only signal, as in SPIRAL (Ganin et al. 2018, "Synthesizing programs for images using reinforced adversarial
    learning"). See ``docs/environments/paint.md``.

    ### Action Space
    ``Discrete(225)``, of which a decision takes the first ones: as many as there are colours for ground and colour, 22
    for a brush, all 225 for a place, row by row. Others are masked.

    ### Observation Space
    ``Box``, uint8: the picture row by row, three bytes a pixel; the number of decisions made; 1 + the colour and 1 +
    the brush chosen last, 1 + the place of the last stroke, 0 for none; the conditions.

    ### Rewards
    0 until the last decision, then the discriminator's score of the picture. No rule reward.

    ### Starting State
    A white canvas; conditions of a random training picture.

    ### Episode End
    After ``1 + 3 strokes`` decisions. A stroke in a colour that is there already changes nothing: a painting may need
    fewer.

    ### Arguments
    ``data``: "openmoji", the default, "wesnoth-portraits" or "masters". ``corpus``: a folder of your own pictures
    instead (PNG, JPEG or WebP, of any size: the square in the middle is taken). ``strokes``: 32, at most 80.
    ``style``: a word for the condition, such as ``"food"`` (OpenMoji's groups), ``"elves"`` (race of a portrait) or
    ``"van-gogh"`` (painter); of your own pictures, the name of a subfolder.

    ### Version History
    v0: initial version.
    """

    data_names = tuple(COLLECTIONS)
    benchmark = "musegym.benchmarks.domains.paint"
    one_to_one = False
    skips_finished = True
    num_actions = POINTS * POINTS
    layout = Image((SIDE, SIDE, 3))
    view_shape = (SIDE // 2, SIDE // 2, 3)

    def __init__(
        self, data: str | None = None, corpus: str | None = None, strokes: int = 32, style: str | None = None
    ) -> None:
        self.data_name, self._corpus = choose(data, corpus, COLLECTIONS, "paintings")
        if type(strokes) is not int or not 1 <= strokes <= MOST_STROKES:
            raise ValueError(f"strokes must be a whole number from 1 to {MOST_STROKES}, not {strokes!r}")
        self._style, self.strokes = style, strokes
        self.conditions: tuple[Condition, ...]
        palette: NDArray[np.uint8] | None = None  # a folder's is known once its pictures are read
        if self._corpus is None:
            known = COLLECTIONS[self.data_name]
            self.conditions, palette = known.conditions, colours(known.palette)
        else:
            self._folder = find_folder(self._corpus)
            self.conditions = self._folder.conditions
        self._fixed = parse_style(style, self.conditions)
        self.horizon = 1 + 3 * strokes
        self._choices = np.array([GROUND, *strokes * (COLOUR, BRUSH, PLACE), GROUND])
        self.features = (
            Feature("stroke", strokes + 1),
            Feature("choice", 4),
            Feature("colour", COLOURS + 1),
            Feature("brush", len(BRUSHES) + 1),
            Feature("row", POINTS + 1),
            Feature("column", POINTS + 1),
        )
        self.medium: Painting = Painting(
            lambda: self._paintings.palette if palette is None else palette, lambda: self.corpus("train"), PLACES
        )
        last = [*[255] * 3 * PIXELS, self.horizon, COLOURS, len(BRUSHES), len(PLACES)]
        last += [size - 1 for size in self.condition_sizes]
        self.observation_space = gym.spaces.Box(0, np.array(last, np.uint8), dtype=np.uint8)

    def kwargs(self) -> Mapping[str, Any]:
        """Returns the arguments that rebuild this task."""
        arguments = {"data": self.data_name or None, "corpus": self._corpus}
        return {**arguments, "strokes": self.strokes, "style": self._style}

    def initial(self, draws: NDArray[np.uint64], condition: Ints | None = None) -> Easel:
        """Returns white canvases, with the styles of random training pictures where none are given."""
        style = self.draw_conditions(draws, self._fixed) if condition is None else condition
        sheet = np.zeros((len(draws), 3 * PIXELS + 4 + style.shape[1]), np.uint8)
        sheet[:, : 3 * PIXELS] = 255
        sheet[:, 3 * PIXELS + 4 :] = style
        return Easel(sheet)

    def advance(self, state: Easel, actions: Ints) -> tuple[Easel, Bools]:
        """Takes the next choice of every row; a place lays the stroke."""
        going = state.step < self.horizon
        choices = np.where(going, self._choices.take(state.step), -1)
        if (choices == choices[0]).all():  # works that begin together choose together
            self._choose(state, int(choices[0]), np.arange(len(choices)), actions)
        else:
            for choice in (GROUND, COLOUR, BRUSH, PLACE):
                rows = np.flatnonzero(choices == choice)
                if len(rows):
                    self._choose(state, choice, rows, actions.take(rows))
        state.step[:] += going
        return state, state.step == self.horizon

    def _choose(self, state: Easel, choice: int, rows: Ints, chosen: Ints) -> None:
        """Makes one choice, int [n], in rows [n] that all make it next; -1 is none."""
        if choice == GROUND:
            state.canvas[rows] = self._grounds.take(chosen, 0)
        elif choice == COLOUR:
            state.colour[rows] = chosen + 1
        elif choice == BRUSH:
            state.brush[rows] = chosen + 1
        elif choice == PLACE:
            state.place[rows] = chosen + 1
            colour, brush = (values.take(rows).astype(np.int64) - 1 for values in (state.colour, state.brush))
            self._strokes.lay(state.sheet, rows, colour, brush, chosen)

    def action_mask(self, state: Easel) -> Bools:
        """Returns bool [B, 225]: the first ones, as many as the next choice has."""
        return self._legal.take(self._choices.take(state.step), 0)

    def legalise(self, state: Easel, actions: Ints) -> Ints:
        """Returns actions as ``Task.legalise`` does: the legal ones are the first."""
        legal: Ints = actions % self._counts.take(self._choices.take(state.step))
        return legal

    def observe(self, state: Easel) -> NDArray[np.uint8]:
        """Returns uint8 [B, 3076 + C]: the picture, decisions made, colour, brush, place, the conditions."""
        return state.sheet.copy()

    def restore(self, observations: Array) -> Easel:
        """Inverts ``observe``."""
        sheet = np.array(observations, np.uint8, order="C")
        return Easel(sheet, done=sheet[:, 3 * PIXELS] == self.horizon)

    def feature_values(self, state: Easel) -> Ints:
        """Returns int64 [B, 6]: strokes begun, the next choice, colour and brush chosen last, the last stroke's place.

        All but the first two are counted from 1, 0 for none.
        """
        row, column = np.divmod(np.maximum(state.place, 1).astype(np.int64) - 1, POINTS) + (state.place > 0)
        choice = self._choices.take(state.step)
        begun = (state.step.astype(np.int64) + 1) // 3
        return np.stack([begun, choice, state.colour, state.brush, row, column], 1).astype(np.int64)

    def view(self, state: Easel) -> NDArray[np.uint8]:
        """Returns the picture at half its size, uint8 [B, 16, 16, 3]: means of four pixels.

        Where strokes of a few pixels begin and end is seen as well as in the whole, at a quarter of the memory.
        """
        rows = state.canvas.reshape(len(state), SIDE // 2, 2, -1).astype(np.uint16)
        pairs = (rows[:, :, 0] + rows[:, :, 1]).reshape(len(state), SIDE // 2, SIDE // 2, 2, 3)
        return ((pairs[..., 0, :] + pairs[..., 1, :] + 2) >> 2).astype(np.uint8)

    def content(self, state: Easel) -> NDArray[np.uint8]:
        """Returns uint8 [B, 32, 32, 3]: red, green and blue."""
        return state.canvas.copy().reshape(-1, SIDE, SIDE, 3)

    def condition(self, state: Easel) -> Ints:
        """Returns the styles, int64 [B, C]."""
        return state.style.astype(np.int64)

    def works(self, split: Split) -> Works:
        """Returns the pictures of a split."""
        return self._paintings.works.usable(split)

    def corpus_report(self) -> CorpusReport:
        """Returns counts of the corpus."""
        return self._paintings.works.report

    def render(self, state: Easel) -> list[NDArray[np.uint8]]:
        """Draws the paintings on their easels: colour and brush in hand, and an outline of the stroke just laid."""
        paintings = zip(self.content(state), self._laid(state), strict=True)
        return [self.medium.at_work(content, laid) for content, laid in paintings]

    def _laid(self, state: Easel) -> list[Laid | None]:
        rows = zip(state.step, state.colour, state.brush, state.place, state.done, strict=True)
        return [
            None
            if done
            else Laid(
                int(colour) - 1,
                BRUSHES[brush - 1] if brush else None,
                PLACES[place - 1] if place and (step - 1) % 3 == 0 else None,
            )
            for step, colour, brush, place, done in rows
        ]

    @functools.cached_property
    def tools(self) -> tuple[Tool, ...]:
        """Colours and brushes, which a person who paints by hand keeps until she takes others."""
        return (
            Tool("colour", tuple(map(self.medium.colour_name, range(len(self.medium.palette)))), self.medium.swatches),
            Tool("brush", tuple(brush.name for brush in BRUSHES), self.medium.brush_pictures),
        )

    def asks(self, state: Easel) -> int:
        """Returns the number of the tool that row 0 chooses next: 0 for a colour, 1 for a brush, 2 for a place."""
        return {GROUND: 0, COLOUR: 0, BRUSH: 1, PLACE: 2}[int(self._choices[state.step[0]])]

    def action_at(self, state: Easel, x: int, y: int, shift: bool = False) -> int | None:
        """Returns the place nearest to a pixel of the painting; None beside it, and where no place is chosen next."""
        if self.asks(state) < len(self.tools):
            return None
        return self.medium.nearest(x, y)

    def action_name(self, action: int) -> str:
        """Returns the names of what an action chooses: "#fcea2b, level line or 3,7", each where there is such a one."""
        names = [f"{action // POINTS},{action % POINTS}"]
        if action < len(BRUSHES):
            names.insert(0, BRUSHES[action].name)
        if self._corpus is None and action < len(self.medium.palette):
            names.insert(0, self.medium.colour_name(action))
        return " or ".join(names)

    def painted(self, actions: Ints, scale: int = LARGE) -> list[NDArray[np.uint8]]:
        """Paints anew on a large canvas what actions int [L] paint on a small one.

        Args:
            actions: legal ones; an unfinished stroke is left out.
            scale: pixels to one of the small canvas, along each side.

        Returns:
            The ground, and the painting after each stroke, uint8 [32 scale, 32 scale, 3]; none without a ground.
        """
        actions = np.asarray(actions, np.int64)
        if not len(actions):
            return []
        strokes = actions[1 : 1 + (len(actions) - 1) // 3 * 3].reshape(-1, 3).tolist()
        laid: list[tuple[NDArray[np.uint8], Brush, NDArray[np.float64]]] = [
            (self.medium.palette[colour], BRUSHES[brush], PLACES[place]) for colour, brush, place in strokes
        ]
        return repainted(self.medium.palette[actions[0]], laid, SIDE, scale)

    def export(
        self, content: Array, path: Path, condition: Ints | None = None, actions: Ints | None = None
    ) -> list[Path]:
        """Writes .png, .npz and, where the actions int [L] that painted it are known, the painting made larger.

        In a folder ``large`` beside it, .png and .gif show it as its strokes paint it on a larger canvas.
        """
        written = super().export(content, path, condition, actions)
        pictures = [] if actions is None else self.painted(actions)
        if pictures:
            large = Path(path).parent / "large" / Path(path).name
            save_png(pictures[-1], large.with_suffix(".png"))
            seconds = [*[GIF_SECONDS] * (len(pictures) - 1), GIF_LAST]
            save_gif(pictures, seconds, large.with_suffix(".gif"), len(pictures[0]), palette_in(pictures))
            written += [large.with_suffix(".gif")]
        return written

    @functools.cached_property
    def _strokes(self) -> Strokes:
        return Strokes(BRUSHES, PLACES, self.medium.palette, SIDE)

    @functools.cached_property
    def _grounds(self) -> NDArray[np.uint8]:
        """Canvases full of each colour, uint8 [P, 3072]."""
        palette = self.medium.palette
        return palette[:, None].repeat(PIXELS, 1).reshape(len(palette), -1)

    @functools.cached_property
    def _counts(self) -> NDArray[np.int64]:
        """Actions that each choice has, int64 [4]."""
        P = len(self.medium.palette)
        return np.array([P, P, len(BRUSHES), len(PLACES)])

    @functools.cached_property
    def _legal(self) -> Bools:
        """The actions that each choice has, bool [4, 225]."""
        legal: Bools = np.arange(self.num_actions) < self._counts[:, None]
        return legal

    @functools.cached_property
    def _paintings(self) -> Gallery:
        return load_collection(self.data_name) if self.data_name else self._folder.load()
