"""Drawing handwritten digits with a pen, from pictures alone: how the real ones were drawn is not known."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from .corpora.pictures import TABLES, Pictures, load_digits
from .media.drawing import Drawing, Pen
from .media.pen import line_ink
from .media.strokes import Polyline, to_svg
from .task import Array, Bools, Condition, CorpusReport, Feature, Image, Ints, Split, State, Task, Works, parse_style

CLASSES = 10
GAIN = 1.3  # halving a picture dims its thin strokes: this makes up for it


@dataclasses.dataclass(frozen=True)
class Paper:
    """A canvas and its pen.

    Attributes:
        side: pixels.
        points: the pen goes to the points of a grid of so many rows and columns, centred on the canvas ...
        spacing: ... so many pixels apart.
        reach: pixels from the middle of a line to where its ink ends; the last one fades.
    """

    side: int
    points: int
    spacing: float
    reach: float

    @property
    def width(self) -> float:
        """Width of the line of full ink that has as much ink, pixels."""
        return 2 * self.reach - 1

    @functools.cached_property
    def places(self) -> NDArray[np.float32]:
        """Rows and columns of the points, float32 [points^2, 2]."""
        axis = (self.side - 1) / 2 + self.spacing * (np.arange(self.points) - (self.points - 1) / 2)
        return np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2).astype(np.float32)


# A grid of 7 x 7 and a wider pen at 14 pixels draw real pictures less well: ``docs/environments/digit.md``.
PAPERS = {8: Paper(8, 5, 1.5, 1.0), 14: Paper(14, 9, 1.5, 1.2), 28: Paper(28, 9, 3.0, 2.2)}
SIDES = {"mnist": (14, 28), "sklearn": (8,)}
"""By data; the first is the default."""


@functools.cache
def _lines(side: int) -> NDArray[np.uint8]:
    """Returns the ink of a line from each point to each, uint8 [points^2, points^2, pixels]; 5 MB at 28 pixels."""
    paper = PAPERS[side]
    places = paper.places
    cells = np.stack(np.meshgrid(*2 * [np.arange(side, dtype=np.float32)], indexing="ij"), -1).reshape(-1, 2)
    lines = np.zeros((len(places), len(places), len(cells)), np.uint8)
    for start, row in zip(places, lines, strict=True):  # one at a time: the whole in floats would take 80 MB
        row[:] = np.rint(255 * line_ink(start, places, cells, paper.reach))
    return lines


@dataclasses.dataclass
class Sheet(State):
    """B drawings in the making.

    Attributes:
        canvas: uint8 [B, pixels].
        pen: int64 [B], the point it is at.
        down: bool [B], whether it came there drawing.
        step: int64 [B], decisions made.
        label: int64 [B], the digit to draw; 0 where there are no classes.
    """

    canvas: NDArray[np.uint8]
    pen: NDArray[np.int64]
    down: Bools
    step: NDArray[np.int64]
    label: NDArray[np.int64]


class DigitTask(Task[Sheet]):
    """A handwritten digit, drawn with straight lines of a pen.

    ### Description
    The pen starts, lifted, in the middle of an empty canvas. Each decision draws a line to a point of a grid, or
    moves there without drawing; ink covers what it falls on (the brighter value stays). Real works are scanned digits
    of MNIST. Nobody wrote down how they were drawn, and most of them no such pen could draw exactly: there are no
    demonstrations, and a discriminator's score of finished pictures is the only signal. Ganin et al. 2018 (SPIRAL) is
    the large version of this task. See ``docs/environments/digit.md``.

    ### Action Space
    ``Discrete(2 P)``: draw to point 0 .. P - 1 (row by row), move to point 0 .. P - 1. All are always legal. Drawing
    to where the pen is leaves a dot; moving to where it is does nothing, so a drawing may need fewer decisions.

    ### Observation Space
    ``Box``, float32, all 0 to 1: the canvas, row by row; row and column of the pen; whether it came there drawing; the
    share of decisions made; with classes, a one-hot vector of ten.

    ### Rewards
    0 until the last decision, then the discriminator's score of the picture. No rule reward.

    ### Starting State
    An empty canvas; with classes, of the class of a random training picture.

    ### Episode End
    After ``strokes`` decisions.

    ### Arguments
    ``data``: "mnist" (5,000 pictures) or "sklearn" (1,797 of 8 x 8). ``side``: 14, the default, or 28 for MNIST, 8
    for sklearn. ``strokes``: the number of decisions, 12. ``classes``: True makes the digit to draw a condition.
    ``style``: with classes, the digit to draw, such as ``"7"``.

    ### Version History
    v0: initial version.
    """

    data_names = tuple(TABLES)
    benchmark = "musegym.benchmarks.domains.digit"
    one_to_one = False

    def __init__(
        self,
        side: int | None = None,
        strokes: int = 12,
        data: str = "mnist",
        classes: bool = False,
        style: str | None = None,
    ) -> None:
        if data not in SIDES:
            raise ValueError(f"no digits are called {data!r}; choose one of {', '.join(SIDES)}")
        side = SIDES[data][0] if side is None else side
        if side not in SIDES[data]:
            raise ValueError(f"side must be one of {list(SIDES[data])} for the {data} digits, not {side!r}")
        if type(strokes) is not int or not 1 <= strokes <= 1000:
            raise ValueError(f"strokes must be a whole number from 1 to 1000, not {strokes!r}")
        self._data, self._classes, self._style = data, bool(classes), style
        self.conditions = (Condition("digit", tuple(map(str, range(CLASSES)))),) if classes else ()
        self._fixed = parse_style(style, self.conditions)
        self.paper = PAPERS[side]
        self.data_name = data
        self.horizon, self._points = strokes, self.paper.points**2
        self.num_actions = 2 * self._points
        self.layout = Image((side, side))
        self.observation_space = gym.spaces.Box(0, 1, (side * side + 4 + CLASSES * self._classes,), np.float32)
        self.features = (
            Feature("step", strokes + 1),
            Feature("pen_row", self.paper.points),
            Feature("pen_column", self.paper.points),
            Feature("pen_down", 2),
        )
        self.view_shape = (side, side, 1)
        self.medium: Drawing = Drawing(points=self.paper.places, reference=lambda: self.corpus("train"))
        self.lines = _lines(side)

    def kwargs(self) -> Mapping[str, Any]:
        """Returns the arguments that rebuild this task."""
        arguments = {"side": self.paper.side, "strokes": self.horizon, "data": self._data, "classes": self._classes}
        return {**arguments, "style": self._style}

    def initial(self, draws: NDArray[np.uint64], condition: Ints | None = None) -> Sheet:
        """Returns empty canvases, with the classes of random training pictures where none are given."""
        B = len(draws)
        label = np.zeros(B, np.int64)
        if self._classes:
            label[:] = (self.draw_conditions(draws, self._fixed) if condition is None else condition)[:, 0]
        canvas = np.zeros((B, self.paper.side**2), np.uint8)
        middle = np.full(B, self._points // 2)
        return Sheet(canvas, middle, np.zeros(B, np.bool_), np.zeros(B, np.int64), label)

    def advance(self, state: Sheet, actions: Ints) -> tuple[Sheet, Bools]:
        """Draws, or moves, to a point in every row."""
        to, down = actions % self._points, actions < self._points
        inked = np.flatnonzero(down)
        if len(inked):
            lines = self.lines.reshape(-1, self.lines.shape[-1])
            line = lines.take(state.pen[inked] * self._points + to[inked], axis=0)
            state.canvas[inked] = np.maximum(state.canvas[inked], line)
        state.pen[:], state.down[:] = to, down
        state.step += 1
        return state, state.step == self.horizon

    def observe(self, state: Sheet) -> NDArray[np.float32]:
        """Returns float32 [B, pixels + 4], or + 14 with classes."""
        n = self.paper.points
        pixels = state.canvas.shape[1]
        observed = np.zeros((len(state), pixels + 4 + CLASSES * self._classes), np.float32)
        np.divide(state.canvas, np.float32(255), out=observed[:, :pixels])
        observed[:, pixels : pixels + 2] = np.stack(np.divmod(state.pen, n), 1) / (n - 1)
        observed[:, pixels + 2] = state.down
        observed[:, pixels + 3] = state.step / self.horizon
        if self._classes:
            observed[np.arange(len(state)), pixels + 4 + state.label] = 1
        return observed

    def restore(self, observations: Array) -> Sheet:
        """Inverts ``observe``."""
        pixels, n = self.paper.side**2, self.paper.points
        canvas = np.rint(observations[:, :pixels] * np.float32(255)).astype(np.uint8)
        row, column = np.rint(observations[:, pixels : pixels + 2] * (n - 1)).astype(np.int64).T
        step = np.rint(observations[:, pixels + 3] * self.horizon).astype(np.int64)
        label = observations[:, pixels + 4 :].argmax(1) if self._classes else np.zeros(len(step), np.int64)
        down, done = observations[:, pixels + 2] > 0.5, step == self.horizon
        return Sheet(canvas, row * n + column, down, step, label.astype(np.int64), done=done)

    def feature_values(self, state: Sheet) -> Ints:
        """Returns int [B, 4]: decisions made, row and column of the pen, whether it came there drawing."""
        row, column = np.divmod(state.pen, self.paper.points)
        return np.stack([state.step, row, column, state.down.astype(np.int64)], 1)

    def view(self, state: Sheet) -> NDArray[np.uint8]:
        """Returns the canvas, uint8 [B, side, side, 1]."""
        return self.content(state)[..., None]

    def content(self, state: Sheet) -> NDArray[np.uint8]:
        """Returns uint8 [B, side, side]."""
        return state.canvas.reshape(len(state), self.paper.side, self.paper.side).copy()

    def condition(self, state: Sheet) -> Ints:
        """Returns the classes, int64 [B, 1]; [B, 0] without classes."""
        return state.label[:, None][:, : int(self._classes)].copy()

    def works(self, split: Split) -> Works:
        """Returns the pictures of a split, laid out as ``content``."""
        images, labels = self._pictures[split]
        return Works(images, labels[:, None][:, : int(self._classes)])

    def corpus_report(self) -> CorpusReport:
        """Returns the number of pictures, which are of one file."""
        return dataclasses.replace(super().corpus_report(), files=1, read=1)

    def render(self, state: Sheet) -> list[NDArray[np.uint8]]:
        """Draws the canvases with the pen at work; finished ones without it."""
        places = self.paper.places[state.pen].tolist()
        pens = [Pen(row, column, bool(down)) for (row, column), down in zip(places, state.down, strict=True)]
        return [
            self.medium.render(content) if done else self.medium.render_at_work(content, pen)
            for content, pen, done in zip(self.content(state), pens, state.done, strict=True)
        ]

    def action_at(self, state: Sheet, x: int, y: int, shift: bool = False) -> int | None:
        """Returns the line to the point nearest to a pixel, or with shift the move there; None on the margin."""
        point = self.medium.nearest(self.paper.side, x, y)
        return None if point is None else point + self._points * shift

    def action_name(self, action: int) -> str:
        """Returns "draw 2,5" or "move 2,5": to row and column of the grid, counted from 0."""
        row, column = divmod(action % self._points, self.paper.points)
        return f"{'draw' if action < self._points else 'move'} {row},{column}"

    def paths(self, actions: Ints) -> list[list[Polyline]]:
        """Returns the strokes that actions int [N, T] draw: for each row the corners of its lines, float [K, 2]."""
        drawings = list[list[Polyline]]()
        for row in np.asarray(actions).tolist():
            strokes, at, lifted = list[list[int]](), self._points // 2, True
            for action in row:
                to = action % self._points
                if action < self._points:
                    if lifted:
                        strokes.append([at])
                    strokes[-1].append(to)
                at, lifted = to, action >= self._points
            drawings.append([self.paper.places[stroke] for stroke in strokes])
        return drawings

    def export(
        self, content: Array, path: Path, condition: Ints | None = None, actions: Ints | None = None
    ) -> list[Path]:
        """Writes .png, .npz and, where the actions int [L] that drew it are known, .svg."""
        written = super().export(content, path, condition, actions)
        if actions is not None:
            written.append(Path(path).with_suffix(".svg"))
            written[-1].write_text(self.svg(actions), encoding="utf-8")
        return written

    def svg(self, actions: Ints) -> str:
        """Returns the drawing that actions int [T] make as a scalable picture."""
        return to_svg(self.paths(np.asarray(actions)[None])[0], 2 * (self.paper.side,), self.paper.width)

    @functools.cached_property
    def _pictures(self) -> dict[Split, Pictures]:
        halve = self.paper.side < TABLES[self._data].side
        return {
            split: Pictures(halved(images) if halve else images, labels)
            for split, (images, labels) in load_digits(self._data).items()
        }


def halved(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns pictures [N, H, W] at half their size: means of 2 x 2 pixels, times ``GAIN``, clipped."""
    n, height, width = images.shape
    means = images.reshape(n, height // 2, 2, width // 2, 2).mean((2, 4), dtype=np.float32)
    pictures: NDArray[np.uint8] = np.rint(np.minimum(GAIN * means, 255)).astype(np.uint8)
    return pictures
