"""Painting a grid in the play window: the mouse sets cells, the agent fills in the rest, the discriminator judges."""

from __future__ import annotations

import time
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..envs.task import Array, Ints, Task
from ..errors import UsageError
from .builder import REDO, UNDO
from .canvas import Canvas, box_of, line, swatches
from .panel import CHIPS, MARKED, PATIENCE, Panel, joined
from .stage import HOVER, Event, Stage
from .works import Agent, Saver, Scorer, Work

SHORT = "click  paint    right click  pick    wheel  choose    g  agent    d  D's opinion    s  save    h  help"
HELP = (
    ("click, drag", "paint"),
    ("right click", "pick the value under the pointer"),
    ("wheel, arrows, 1-9", "choose a value"),
    ("enter", "set the framed cell, the next one in building order"),
    ("space", "set it to any legal value"),
    ("ctrl z, u, backspace", "undo"),
    ("ctrl y", "redo"),
    ("g", "the agent fills in all cells that you did not set"),
    ("d", "the discriminator's opinion, after each change"),
    ("p", "play or stop, where works move"),
    ("c", "another style, where there are styles"),
    ("s", "save: picture, text, arrays"),
    ("n", "new"),
    ("q", "quit"),
    ("h", "close this help"),
)
MOST_RULES = 3  # that the line of news has room for
SLOW = {"g", "d"}  # keys that load a network at first
WATCH = ("w", "watch the agent again")


class Workbench(Protocol):
    """A work that a person makes by mouse and keys, and what the window says about it."""

    finished: list[Array]
    """The works that were completed."""
    of_agent: bool
    """True where the work began as one of an agent that is being watched."""

    def open(self, work: Work) -> None:
        """Starts from a work of the agent."""

    def show(self, stage: Stage) -> None:
        """Shows the work."""

    def ask_patience(self) -> None:
        """Announces that the next event takes a while."""

    def handle(self, event: Event) -> bool:
        """Applies an event; returns whether the window is to be shown anew."""

    def tick(self) -> bool:
        """Lets time go on; returns whether the window is to be shown anew."""

    def leave(self) -> None:
        """Notes a work that is complete, before another one takes its place."""


class Painting:
    """A canvas, and what the window says about it.

    Args:
        task: a task whose works are ``paintable``.
        rng: draws conditions and random values.
        saver: saves works.
        scorer: scores works.
        agent: fills works in.
    """

    def __init__(self, task: Task[Any], rng: np.random.Generator, saver: Saver, scorer: Scorer, agent: Agent) -> None:
        self._task, self._saver, self._scorer, self._agent = task, saver, scorer, agent
        self.canvas = Canvas(task, rng)
        self.finished = list[Array]()
        """The works that were saved, filled in by the agent or set in every cell."""
        self.of_agent = False
        """True where the work began as one of an agent that is being watched."""
        self._cells: Ints = self._map()
        self._swatches = swatches(task, self.canvas.condition)
        self._message = self._problem = self._opinion = self._rules = self._hovered = ""
        self._judging = self._help = self._complete = False
        self._under: int | None = None
        self._down = False
        self._playing, self._moment = True, 0
        self._played: tuple[bytes, list[tuple[NDArray[np.uint8], float]]] = (b"", [])
        self._last: tuple[int, int] | None = None
        """Where the pointer was, the button down; None before and beside the picture."""

    def open(self, work: Work) -> None:
        """Starts from a work of the agent."""
        self.canvas.open(work)
        self.of_agent = True
        self._changed()

    def show(self, stage: Stage) -> None:
        """Shows the canvas, its palette and a line of news."""
        marks = [(self.canvas.next_cell, MARKED), (self._under, HOVER)]
        seen = [(cell, colour) for cell, colour in marks if cell is not None and (self._cells == cell).any()]
        boxes = [(box_of(self._cells, cell), colour) for cell, colour in seen]
        style = " ".join(
            condition.values[value]
            for condition, value in zip(self._task.conditions, self.canvas.condition, strict=True)
        )
        line0 = joined(
            self._hovered or f"paints {self._name(self.canvas.brush)}",
            style,
            self._rules,
            self._opinion,
            self._message or self._problem,
        )
        panel = Panel((line0, SHORT), swatches=self._swatches, chosen=self.canvas.brush)
        moments = self._moments
        picture = moments[self._moment % len(moments)][0] if moments and self._plays else self.canvas.picture
        stage.show(picture, panel, boxes, self._help_rows if self._help else ())

    def ask_patience(self) -> None:
        """Announces that the next event takes a while."""
        self._message = PATIENCE

    def handle(self, event: Event) -> bool:
        """Applies an event; returns whether the window is to be shown anew."""
        if event.name == "hover":
            return self._hover(event)
        self._message = ""
        if not event.is_key:
            changed = self._point(event)
        elif event.name in {"return", "space"}:
            changed = self.canvas.place(anything=event.name == "space")
        elif event.name in UNDO or event.name in REDO:
            changed = self.canvas.undo() if event.name in UNDO else self.canvas.redo()
        else:
            changed = self._command(event.name)
        if changed:
            self._changed()
        return True

    @property
    def _help_rows(self) -> tuple[tuple[str, str], ...]:
        return (*HELP[:-2], WATCH, *HELP[-2:]) if self.of_agent else HELP

    def tick(self) -> bool:
        """Plays a work that moves; returns whether another moment is to be shown."""
        moments = self._moments
        if not self._plays or len(moments) < 2:
            return False
        ends = np.cumsum([seconds for _, seconds in moments])
        before, self._moment = self._moment, int((ends <= time.monotonic() % ends[-1]).sum())
        return before != self._moment

    @property
    def _plays(self) -> bool:
        """True where the work plays: it pauses under the brush."""
        return self._playing and not self._down

    @property
    def _moments(self) -> list[tuple[NDArray[np.uint8], float]]:
        """The pictures of a work that moves; they are drawn anew after a change."""
        content = self.canvas.content
        if self._played[0] != content.tobytes():
            self._played = content.tobytes(), self._task.medium.moments(content, self.canvas.condition)
        return self._played[1]

    def leave(self) -> None:
        """Notes a work that the agent completed, before another one takes its place."""
        if self._complete or self.canvas.full:
            self.finished.append(self.canvas.content)
        self._complete = False

    def _hover(self, event: Event) -> bool:
        before = self._under, self._hovered
        self._under = self._cell(event.spot)
        self._hovered = ""
        if event.choice is not None:
            self._hovered = self._name(event.choice)
        elif self._under is not None:
            *frame, row, column = (int(place) for place in np.unravel_index(self._under, self._task.layout.shape))
            named = "".join(f"frame {number + 1}, " for number in frame)
            value = self._name(int(self.canvas.content.flat[self._under]))
            self._hovered = f"{named}row {row + 1}, column {column + 1}: {value}"
        return before != (self._under, self._hovered)

    def _point(self, event: Event) -> bool:
        """Applies an event of the mouse; returns whether the content changed."""
        canvas, cell = self.canvas, self._cell(event.spot)
        if event.name in {"wheel up", "wheel down"}:
            canvas.turn(-1 if event.name == "wheel up" else 1)
        elif event.name == "pick" and cell is not None:
            canvas.pick(cell)
        elif event.name == "press" and event.choice is not None:
            canvas.brush = event.choice
        elif event.name == "press":
            canvas.begin()
            self._down = True
            return self._stroke(event)
        elif event.name == "drag" and self._down:
            return self._stroke(event)
        elif event.name == "lift":
            self._down, self._last = False, None
            self._cells = self._map()
            canvas.begin()
            self._weigh()
        return False

    def _stroke(self, event: Event) -> bool:
        """Paints from where the pointer was last to where it is; returns whether the content changed."""
        start, self._last = self._last or event.spot, event.spot
        if start is None or event.spot is None:  # beside the picture
            return False
        columns, rows = line(start, event.spot)
        cells = np.unique(self._cells[rows, columns])
        changed = self.canvas.paint(cells[cells >= 0])
        self._hover(event)
        return changed

    def _command(self, key: str) -> bool:
        """Applies a key; returns whether the content or its condition changed."""
        canvas = self.canvas
        if key in {"up", "right", "down", "left"}:
            canvas.turn(1 if key in {"right", "down"} else -1)
        elif key.isdigit() and 0 < int(key) <= min(CHIPS, len(self._swatches)):
            canvas.brush = int(key) - 1
        elif key == "h":
            self._help = not self._help
        elif key == "d":
            self._judging = not self._judging
            self._judge()
        elif key == "p":
            self._playing = not self._playing
        elif key == "s":
            self._save()
        elif key == "g":
            return self._fill()
        elif key == "c" and self._task.conditions:
            canvas.restyle()
            return True
        elif key == "n":
            self.leave()
            canvas.new()
            return True
        return False

    def _fill(self) -> bool:
        try:
            work = self._agent.work(self.canvas.prefix(), self.canvas.condition)
        except (UsageError, ValueError) as error:
            self._message = str(error)
            return False
        self.canvas.fill(work)
        self._complete = True
        return True

    def _save(self) -> None:
        try:
            self._message = self._saver.save(self.canvas.work())
        except ValueError as error:
            saved = self._saver.save(Work(self.canvas.content, self.canvas.condition, None))
            self._message = f"{saved}; it cannot be built: {error}"
        self._complete = True

    def _changed(self) -> None:
        """Says whether the content can be built, and judges it, but not in the middle of a stroke."""
        self._problem = ""
        try:
            self.canvas.work()
        except ValueError as error:
            self._problem = f"cannot be built: {error}"
        if not self._down:  # blocks that rise under the pointer are not to catch the rest of a stroke
            self._cells = self._map()
            self._weigh()

    def _map(self) -> Ints:
        """Returns the cell behind each pixel, int [H, W]: blocks hide those behind them."""
        cells = self._task.medium.cells(self.canvas.content)
        assert cells is not None
        return cells

    def _weigh(self) -> None:
        """Computes the rule rewards, and the discriminator's opinion where it is wanted."""
        names = self._task.rule_names
        kept = self._task.rules(self.canvas.content[None], self.canvas.condition[None])[0].tolist()
        self._rules = ", ".join(f"{name} {value:.3g}" for name, value in zip(names[:MOST_RULES], kept, strict=False))
        self._judge()

    def _judge(self) -> None:
        self._opinion = ""
        if self._judging:
            work = Work(self.canvas.content, self.canvas.condition, None)
            self._opinion = self._scorer(work) or "no discriminator ships for this id: play a RUN with --build"

    def _cell(self, spot: tuple[int, int] | None) -> int | None:
        if spot is None or not (spot[1] < self._cells.shape[0] and spot[0] < self._cells.shape[1]):
            return None
        cell = int(self._cells[spot[1], spot[0]])
        return None if cell < 0 else cell

    def _name(self, value: int) -> str:
        return self._task.medium.value_name(value)


def paint(stage: Stage, painting: Workbench) -> list[Array]:
    """Lets a person paint until the window closes or "w" leads back to the agent; returns the works finished here."""
    before = len(painting.finished)
    painting.show(stage)
    while stage.open:
        events = stage.events()
        if painting.of_agent and any(event.name == "w" for event in events):
            break
        changes = list[bool]()
        for event in events:
            if event.name in SLOW:
                painting.ask_patience()
                painting.show(stage)
            changes.append(painting.handle(event))
        if painting.tick() or any(changes):
            painting.show(stage)
    painting.leave()
    return painting.finished[before:]
