"""Line drawings by the strokes of a pen, from real ones whose strokes are known."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from .corpora.choice import choose
from .corpora.drawings import (
    CONDITIONS,
    DATA,
    END,
    HORIZON,
    LIFT,
    POINTS,
    SIDE,
    Stroke,
    decode,
    find_folder,
    load_drawings,
    load_folder,
)
from .corpora.usable import UsableWorks
from .media.drawing import Pen
from .media.pen import Lines
from .media.sketches import Sketch
from .media.strokes import to_svg
from .task import Array, Bools, CorpusReport, Feature, Image, Ints, Split, State, Task, Works, parse_style

PIXELS = SIDE * SIDE
MARGIN = (SIDE - POINTS) // 2  # pixels at the edge that the pen does not go to, so that its ink stays on the canvas
REACH = 1.2  # pixels from the middle of a line to where its ink ends
NONE = POINTS  # no row, no column
MOST = HORIZON // 3  # strokes, of at least one point each
SQUARES = POINTS // 2  # rows and columns of the squares of 2 x 2 points that a policy sees
START_ROW, START_COLUMN, LINE_ROW, LINE_COLUMN = range(4)
"""Phases: the decision is the row or the column of the first point of a stroke, or of a later one."""
ROW, COLUMN, CHOSEN, PEN, STROKES, STEP, STYLE = range(PIXELS, PIXELS + 7)
"""Columns of observations after those of pixels."""
LIFTED, ON_PAPER, FINISHED = range(3)
"""The pen, in observations."""
FIRST_PIXEL = MARGIN * SIDE + MARGIN  # where point (0, 0) is on the canvas
LEGAL = np.ones((2, POINTS + 2), np.bool_)
"""Legal actions [2, 28]: at other times, and after a point of a begun stroke."""
LEGAL[0, POINTS:] = False


@functools.cache
def _lines() -> Lines:
    return Lines(SIDE, MARGIN, REACH)


@dataclasses.dataclass
class Sheet(State):
    """B drawings in the making.

    Attributes:
        sheet: uint8 [B, 790 + C], what is observed: the pixels of the canvas, row by row; ``ROW`` and ``COLUMN`` of the
            pen's last point, ``NONE`` before the first; ``CHOSEN``, the row of the next point, ``NONE`` where it is not
            chosen yet; ``PEN``; ``STROKES``, their number, the begun one included; ``STEP``, decisions made; from
            ``STYLE`` on the conditions.
        history: uint8 [B, 96], the decisions made. They tell the order of strokes, for pictures and files of it;
            nothing else depends on them.
    """

    sheet: NDArray[np.uint8]
    history: NDArray[np.uint8]

    @property
    def phase(self) -> NDArray[np.int64]:
        """The kind of the next decision, int64 [B]."""
        phase: NDArray[np.int64] = 2 * (self.sheet[:, PEN] == ON_PAPER) + (self.sheet[:, CHOSEN] < NONE)
        return phase

    @property
    def after_point(self) -> Bools:
        """True where a stroke is begun and no row chosen, so that the pen may be lifted, bool [B]."""
        after: Bools = (self.sheet[:, PEN] == ON_PAPER) & (self.sheet[:, CHOSEN] == NONE)
        return after

    @property
    def canvas(self) -> NDArray[np.uint8]:
        """The pictures, uint8 [B, 28, 28]: a view where the state's array allows one."""
        return self.sheet[:, :PIXELS].reshape(-1, SIDE, SIDE)


class SketchTask(Task[Sheet]):
    """A line drawing of 28 x 28 pixels, stroke by stroke.

    ### Description
    A point takes two decisions, its row and then its column. A stroke begins at a point, a dot of ink; each further
    point draws a straight line to it. Ink covers what it falls on (the darker value stays). Real works are characters
    of KanjiVG, or vector drawings of your own, put on the grid of points; their strokes and the order of these are
    known, so that they are demonstrations. The content, which a discriminator judges, is the picture. See
    ``docs/environments/sketch.md``.

    ### Action Space
    ``Discrete(28)``: 0 .. 25, row or column of the next point, one for each pixel but those at the edge; 26 lifts the
    pen, so that the next point begins a stroke; 27 ends the drawing. The last two are legal after a point of a begun
    stroke; an illegal action ``a`` counts as ``a - 26``.

    ### Observation Space
    ``Box``, uint8: the canvas row by row, 0 .. 255; row and column of the pen's last point, and the row of the next
    one, 26 where there is none; the pen (0 lifted, 1 on the paper, 2 where the drawing is finished); the number of
    strokes; decisions made; the condition.

    ### Rewards
    0 until the drawing is finished, then the discriminator's score of the picture. No rule reward.

    ### Starting State
    An empty canvas; the condition of a random training work.

    ### Episode End
    With action 27, and after 96 decisions.

    ### Arguments
    ``data``: "kanjivg". ``corpus``: a folder of your own SVG files instead. ``style``: the number of strokes, one of
    "1-5", "6-8", "9-11", "12-14" and "15-up".

    ### Version History
    v0: initial version.
    """

    horizon, num_actions = HORIZON, POINTS + 2
    layout = Image((SIDE, SIDE))
    conditions = CONDITIONS
    data_names = DATA
    benchmark = "musegym.benchmarks.domains.sketch"
    one_to_one = False
    has_demonstrations = True
    skips_finished = True
    features = (
        Feature("phase", 4),
        Feature("pen_row", NONE + 1),
        Feature("pen_column", NONE + 1),
        Feature("row", NONE + 1),
        Feature("strokes", MOST + 1),
        Feature("step", HORIZON + 1),
    )
    view_shape = (SQUARES * SQUARES, 1)

    def __init__(self, data: str | None = None, corpus: str | None = None, style: str | None = None) -> None:
        self.data_name, self._corpus = choose(data, corpus, DATA, "drawings", "drew")
        self._style = style
        self._folder = find_folder(self._corpus) if self._corpus else None
        self._fixed = parse_style(style, self.conditions)
        last = [
            *[255] * PIXELS,
            NONE,
            NONE,
            NONE,
            FINISHED,
            MOST,
            HORIZON,
            *(size - 1 for size in self.condition_sizes),
        ]
        self.observation_space = gym.spaces.Box(0, np.array(last, np.uint8), dtype=np.uint8)
        axis = np.arange(POINTS) + float(MARGIN)
        points = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
        self.medium: Sketch = Sketch(points=points, reference=lambda: self.corpus("train"))
        self.lines = _lines()
        self._built = dict[Split, Works]()

    def kwargs(self) -> Mapping[str, Any]:
        """Returns the arguments that rebuild this task."""
        return {"data": self.data_name or None, "corpus": self._corpus, "style": self._style}

    def initial(self, draws: NDArray[np.uint64], condition: Ints | None = None) -> Sheet:
        """Returns empty canvases, with the conditions of random training works where none are given."""
        B = len(draws)
        style = self.draw_conditions(draws, self._fixed) if condition is None else condition
        sheet = np.zeros((B, STYLE + len(self.conditions)), np.uint8)
        sheet[:, ROW : CHOSEN + 1] = NONE
        sheet[:, STYLE:] = style
        return Sheet(sheet, np.zeros((B, HORIZON), np.uint8))

    def advance(self, state: Sheet, actions: Ints) -> tuple[Sheet, Bools]:
        """Takes a row, a column, or the pen off the paper, in every unfinished drawing."""
        sheet, going, choice = state.sheet, ~state.done, actions.astype(np.uint8)
        told = sheet[:, ROW:STYLE].copy()  # [B, 6]: a decision changes some of each row's columns
        pen_row, pen_column, row, pen, strokes, step = told.T
        rows = np.flatnonzero(going)
        state.history.reshape(-1)[rows * HORIZON + step.take(rows)] = choice.take(rows)
        ended = going & ((choice == END) | (step == HORIZON - 1))
        step += going
        point, known = (choice < POINTS) & going, row < NONE
        drawn = np.flatnonzero(point & known)
        if len(drawn):
            before, column = told.take(drawn, axis=0).T, choice.take(drawn)
            self._draw(sheet, drawn, before.astype(np.int64), column)
            pen_row[drawn], pen_column[drawn], row[drawn], pen[drawn] = before[2], column, NONE, ON_PAPER
            strokes[drawn] += before[3] != ON_PAPER
        first = np.flatnonzero(point > known)
        row[first] = choice.take(first)
        pen[going & (choice == LIFT)] = LIFTED
        pen[ended] = FINISHED
        sheet[:, ROW:STYLE] = told
        return state, state.done | ended

    def _draw(self, sheet: NDArray[np.uint8], rows: NDArray[np.intp], told: Ints, columns: Ints) -> None:
        """Draws to the points of chosen rows and of ``columns`` [k] in drawings ``rows`` [k].

        ``told`` int64 [6, k] holds their columns of the sheet from ``ROW`` on, as they were.
        """
        before_row, before_column, row, pen, *_ = told
        end = row * SIDE + columns + FIRST_PIXEL
        start = before_row * SIDE + before_column + FIRST_PIXEL
        self.lines.draw(sheet, rows, np.where(pen == ON_PAPER, start, end), end)

    def action_mask(self, state: Sheet) -> Bools:
        """Returns bool [B, 28]: rows and columns always, the others after a point of a begun stroke."""
        return LEGAL.take(state.after_point.astype(np.intp), axis=0)

    def legalise(self, state: Sheet, actions: Ints) -> Ints:
        """Returns actions as ``Task.legalise`` does: at other times than after a point, 26 and 27 are 0 and 1."""
        return actions - POINTS * ((actions >= POINTS) & ~state.after_point)

    def observe(self, state: Sheet) -> NDArray[np.uint8]:
        """Returns uint8 [B, 790 + C]."""
        return state.sheet.copy()

    def restore(self, observations: Array) -> Sheet:
        """Inverts ``observe``, but for the history: pictures of these states do not show the order of strokes."""
        sheet = np.array(observations, np.uint8)
        return Sheet(sheet, np.zeros((len(sheet), HORIZON), np.uint8), done=sheet[:, PEN] == FINISHED)

    def feature_values(self, state: Sheet) -> Ints:
        """Returns int64 [B, 6]: kind of the decision, the pen's last point, the next row, strokes, decisions made."""
        known = state.sheet[:, [ROW, COLUMN, CHOSEN, STROKES, STEP]].astype(np.int64)
        return np.column_stack([state.phase, known])

    def view(self, state: Sheet) -> NDArray[np.uint8]:
        """Returns the darkest ink in squares of 2 x 2 points, row by row, uint8 [B, 169, 1]."""
        inner = state.canvas[:, MARGIN:-MARGIN, MARGIN:-MARGIN]
        rows = np.maximum(inner[:, ::2], inner[:, 1::2])
        return np.maximum(rows[:, :, ::2], rows[:, :, 1::2]).reshape(len(state), -1, 1)

    def content(self, state: Sheet) -> NDArray[np.uint8]:
        """Returns uint8 [B, 28, 28]."""
        return state.canvas.copy()

    def condition(self, state: Sheet) -> Ints:
        """Returns the styles, int64 [B, C]."""
        return state.sheet[:, STYLE:].astype(np.int64)

    def works(self, split: Split) -> Works:
        """Returns the drawings of a split, uint8 [N, 28, 28], with the decisions that draw them."""
        if split not in self._built:
            known = self._drawings.usable(split)
            state = self.initial(np.zeros(len(known), np.uint64), known.conditions)
            for decisions in known.contents.T:
                state, _ = self.step(state, decisions)
            actions = known.contents.astype(np.int64)
            self._built[split] = Works(self.content(state), known.conditions, known.groups, actions)
        return self._built[split]

    @functools.cached_property
    def _training_conditions(self) -> Ints:
        return self._drawings.usable("train").conditions  # to start an episode, no work need be drawn

    @functools.cached_property
    def _drawings(self) -> UsableWorks:
        return load_folder(self._folder) if self._folder else load_drawings(self.data_name)

    def corpus_report(self) -> CorpusReport:
        """Returns counts of the files and drawings, and the reasons for leaving some out."""
        return self._drawings.report

    def render(self, state: Sheet) -> list[NDArray[np.uint8]]:
        """Draws the canvases, strokes from blue to red in their order; unfinished ones with the pen at work.

        Where the order is not known, as of a state from observations, ink is black.
        """
        pictures = list[NDArray[np.uint8]]()
        known = zip(state.canvas, state.sheet[:, ROW:].tolist(), state.history, state.after_point, strict=True)
        for content, (row, column, _, pen, count, step, *_), history, can_end in known:
            strokes = decode(history[:step])
            order = self.order(strokes) if len(strokes) == count else None
            working = pen != FINISHED and row < NONE
            shown = Pen(row + MARGIN, column + MARGIN, pen == ON_PAPER) if working else None
            spent = 0.0 if pen == FINISHED else step / HORIZON
            pictures.append(self.medium.render_in_order(content, order, shown, spent, bool(can_end)))
        return pictures

    def order(self, strokes: Sequence[Stroke]) -> NDArray[np.float32]:
        """Returns the stroke on top in each pixel, float32 [28, 28], as ``Sketch.enlarge`` takes it.

        It is the latest one of the strongest ink. Pixels without ink are 0.
        """
        top, best = np.zeros(PIXELS, np.float32), np.zeros(PIXELS, np.uint8)
        for number, stroke in enumerate(strokes):
            ink = self._ink([stroke])
            over = (ink >= best) & (ink > 0)
            top[over], best[over] = number, ink[over]
        return top.reshape(SIDE, SIDE)

    def _ink(self, strokes: Sequence[Stroke]) -> NDArray[np.uint8]:
        """Returns the ink of strokes, uint8 [784]."""
        canvas: NDArray[np.uint8] = np.zeros((1, PIXELS), np.uint8)
        only = np.zeros(1, np.intp)
        for stroke in strokes:
            pixels = (stroke + MARGIN) @ [SIDE, 1]
            for start, end in zip([pixels[0], *pixels[:-1]], pixels, strict=True):
                self.lines.draw(canvas, only, np.array([start]), np.array([end]))
        ink: NDArray[np.uint8] = canvas[0]
        return ink

    def action_at(self, state: Sheet, x: int, y: int, shift: bool = False) -> tuple[int, ...] | None:
        """Returns the decisions that draw a line to the point nearest to a pixel; with shift, after lifting the pen.

        The tick below the paper ends the drawing. None elsewhere on the margin.
        """
        phase = int(state.phase[0])
        if self.medium.is_tick(SIDE, x, y):
            return (END,) if phase == LINE_ROW else None
        point = self.medium.nearest(SIDE, x, y)
        if point is None:
            return None
        row, column = divmod(point, POINTS)
        if phase in (START_COLUMN, LINE_COLUMN):
            return (column,)
        return (LIFT, row, column) if shift and phase == LINE_ROW else (row, column)

    def action_name(self, action: int) -> str:
        """Returns "row or column 7", counted from 0, "lift" or "end"."""
        return {LIFT: "lift", END: "end"}.get(action, f"row or column {action}")

    def export(
        self, content: Array, path: Path, condition: Ints | None = None, actions: Ints | None = None
    ) -> list[Path]:
        """Writes .png, .npz and, where the actions int [L] that drew it are known, .svg and .gif: the strokes in order.

        ``corpus=PATH`` reads the same drawing from the .svg.
        """
        written = super().export(content, path, condition, actions)
        if actions is not None and (strokes := decode(actions)):
            svg, gif = (Path(path).with_suffix(suffix) for suffix in (".svg", ".gif"))
            svg.write_text(self.svg(strokes), encoding="utf-8")
            self._animate(strokes, gif)
            written += [svg, gif]
        return written

    def svg(self, strokes: Sequence[Stroke]) -> str:
        """Returns strokes as a scalable picture, from blue to red in their order."""
        places = [stroke + float(MARGIN) for stroke in strokes]
        return to_svg(places, (SIDE, SIDE), 2 * REACH - 1, self.medium.colours(len(strokes)))

    def _animate(self, strokes: Sequence[Stroke], path: Path) -> None:
        """Writes a GIF of strokes as they come."""
        drawn = [strokes[:count] for count in range(1, 1 + len(strokes))]
        pictures = [self._ink(part).reshape(SIDE, SIDE) for part in drawn]
        self.medium.animate(pictures, [self.order(part) for part in drawn], path)
