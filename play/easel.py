"""Painting stroke by stroke in the play window: tools are kept in hand, the mouse lays strokes, D judges."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..envs.task import Array, Ints, Task
from ..errors import UsageError
from .builder import REDO, UNDO
from .panel import CHIPS, PATIENCE, Panel, joined
from .stage import Event, Stage
from .works import Agent, Saver, Scorer, Work

SHORT = (
    "click, drag  paint    wheel  brush    1-9  colour    u  undo    g  agent    d  D's opinion    s  save    h  help"
)
HELP = (
    ("click, drag", "paint"),
    ("click below", "take a colour or a brush; the first colour covers all"),
    ("wheel, up, down", "another brush"),
    ("1-9, left, right", "another colour"),
    ("space", "a stroke by chance"),
    ("ctrl z, u, backspace", "undo a stroke"),
    ("ctrl y", "redo"),
    ("g", "the agent paints on to the end"),
    ("r", "see it painted again"),
    ("d", "the discriminator's opinion, after each stroke"),
    ("c", "another style, where there are styles"),
    ("s", "save: picture, GIF, arrays"),
    ("n", "new"),
    ("q", "quit"),
    ("h", "close this help"),
)
WATCH = ("w", "watch the agent again")
REPLAY_SECONDS = 0.1  # that each stroke is shown


class Easel:
    """A work being painted by hand, and what the window says about it.

    Args:
        task: a task with ``tools``.
        rng: draws starts and strokes by chance.
        saver: saves works.
        scorer: scores works.
        agent: completes works.

    Attributes:
        held: the value of each tool in hand.
        actions: those taken so far.
        finished: the works that were completed.
        of_agent: True where the work began as one of an agent that is being watched.
    """

    def __init__(self, task: Task[Any], rng: np.random.Generator, saver: Saver, scorer: Scorer, agent: Agent) -> None:
        self._task, self._rng = task, rng
        self._saver, self._scorer, self._agent = saver, scorer, agent
        self.held = [0 for _ in task.tools]
        self.finished = list[Array]()
        self.of_agent = False
        self._firsts = np.cumsum([0, *(len(tool.values) for tool in task.tools)]).tolist()
        self._swatches = [picture for tool in task.tools for picture in tool.pictures]
        self._judging = self._help = self._down = self._replaying = False
        self._message = self._opinion = self._hovered = ""
        self._ghost: NDArray[np.uint8] | None = None
        self._last: int | None = None
        self._restart(None)

    def _restart(self, condition: Ints | None) -> None:
        given = None if condition is None or not self._task.conditions else condition[None]
        draws = self._rng.integers(2**63, size=1, dtype=np.uint64)
        self._state = self._task.initial(draws, given)
        self.actions = list[int]()
        self._past = list[tuple[Any, int]]()
        """State and number of actions before each stroke."""
        self._undone = list[list[int]]()
        self._opinion = ""

    def open(self, work: Work) -> None:
        """Starts from a work of the agent; its strokes can be undone."""
        self._restart(work.condition)
        self.of_agent = True
        self._take([] if work.actions is None else work.actions.tolist())

    @property
    def done(self) -> bool:
        """True where the work is finished."""
        return bool(self._state.done[0])

    @property
    def work(self) -> Work:
        """The work so far."""
        condition = self._task.condition(self._state)[0]
        return Work(self._task.content(self._state)[0], condition, np.array(self.actions, np.int64))

    def show(self, stage: Stage) -> None:
        """Shows the painting, with the stroke under the pointer, above the tools and a line of news."""
        if self._replaying:
            self._replaying = False
            self._replay(stage)
        picture = self._task.render(self._state)[0] if self._ghost is None else self._ghost
        style = " ".join(
            condition.values[value] for condition, value in zip(self._task.conditions, self.work.condition, strict=True)
        )
        left = self._task.horizon - len(self.actions)
        news = "finished" if self.done else f"{left} decisions left" if self.actions else self._first_of_all
        hand = ", ".join(tool.values[value] for tool, value in zip(self._task.tools, self.held, strict=True))
        line = joined(self._hovered or hand, style, news, self._opinion, self._message)
        chosen, *others = (first + value for first, value in zip(self._firsts, self.held, strict=False))
        panel = Panel((line, SHORT), swatches=self._swatches, chosen=chosen, also=others)
        stage.show(picture, panel, (), self._help_rows if self._help else ())

    @property
    def _first_of_all(self) -> str:
        asked = self._task.asks(self._state)
        return f"choose a {self._task.tools[asked].name} to begin" if asked < len(self._task.tools) else ""

    @property
    def _help_rows(self) -> tuple[tuple[str, str], ...]:
        return (*HELP[:-2], WATCH, *HELP[-2:]) if self.of_agent else HELP

    def ask_patience(self) -> None:
        """Announces that the next event takes a while."""
        self._message = PATIENCE

    def tick(self) -> bool:
        """Returns False: paintings stand still."""
        return False

    def leave(self) -> None:
        """Notes a work that is finished, before another one takes its place."""
        if self.done:
            self.finished.append(self.work.content)

    def handle(self, event: Event) -> bool:
        """Applies an event; returns whether the window is to be shown anew."""
        if event.name == "hover":
            return self._hover(event)
        self._message, self._ghost = "", None
        if event.name in {"wheel up", "wheel down"}:
            self._turn(-1, -1 if event.name == "wheel up" else 1)
        elif event.name == "press" and event.choice is not None:
            self._pick(event.choice)
        elif event.name == "press" and event.spot is not None:
            self._down, self._last = True, None
            self._stroke(event.spot)
        elif event.name == "drag" and self._down and event.spot is not None:
            self._stroke(event.spot)
        elif event.name == "lift":
            self._down = False
        elif event.is_key:
            self._command(event.name)
        return True

    def _hover(self, event: Event) -> bool:
        before = self._hovered, self._ghost
        self._hovered, self._ghost = "", None
        if event.choice is not None:
            tool, value = self._tool_at(event.choice)
            self._hovered = self._task.tools[tool].values[value]
        elif event.spot is not None:
            actions = self._stroke_at(event.spot)
            if actions:
                state = self._state.take(np.zeros(1, np.int64))
                for action in actions:
                    state, _ = self._task.step(state, np.array([action]))
                self._ghost = self._task.render(state)[0]
        return before[0] != self._hovered or before[1] is not self._ghost

    def _tool_at(self, choice: int) -> tuple[int, int]:
        """Returns the tool of a picture in the panel, and its value."""
        tool = int(np.searchsorted(self._firsts, choice, "right")) - 1
        return tool, choice - self._firsts[tool]

    def _pick(self, choice: int) -> None:
        """Takes a tool in hand; where such a choice stands by itself, it is taken at once."""
        tool, value = self._tool_at(choice)
        self.held[tool] = value
        if self.done or self._task.asks(self._state) != tool:
            return
        after, _ = self._task.step(self._state.take(np.zeros(1, np.int64)), np.array([value]))
        if self._task.asks(after) == tool and not after.done[0]:
            self._take([value])
            self.held[tool] = 0 if value else len(self._task.tools[tool].values) - 1  # another one can be seen on it

    def _turn(self, tool: int, step: int) -> None:
        self.held[tool] = (self.held[tool] + step) % len(self._task.tools[tool].values)

    def _stroke_at(self, spot: tuple[int, int]) -> list[int]:
        """Returns the actions that paint at a pixel of the picture with the tools in hand; none where they cannot."""
        if self.done or self._stands_alone:
            return []
        state, actions = self._state.take(np.zeros(1, np.int64)), list[int]()
        while (asked := self._task.asks(state)) < len(self.held):
            actions.append(self.held[asked])
            state, done = self._task.step(state, np.array(actions[-1:]))
            if done[0]:
                return actions
        place = self._task.action_at(state, *spot)
        if place is None:
            return []
        return [*actions, *(place if isinstance(place, tuple) else (place,))]

    @property
    def _stands_alone(self) -> bool:
        """True where the next choice is followed by the same question."""
        asked = self._task.asks(self._state)
        after, _ = self._task.step(self._state.take(np.zeros(1, np.int64)), np.zeros(1, np.int64))
        return asked < len(self.held) and self._task.asks(after) == asked

    def _stroke(self, spot: tuple[int, int]) -> None:
        """Paints at a pixel, once at each place as the mouse moves."""
        actions = self._stroke_at(spot)
        if actions and actions[-1] != self._last:
            self._last = actions[-1]
            self._take(actions)
        elif not actions and not self.actions:
            self._message = "the first colour covers the whole canvas: click one below"

    def _take(self, actions: list[int], again: bool = False) -> None:
        """Takes actions stroke by stroke, each of which can be undone; judges the work."""
        if not again:
            self._undone.clear()
        start = True
        for action in actions:
            if self.done:
                break
            if start:
                self._past.append((self._state.take(np.zeros(1, np.int64)), len(self.actions)))
            asked = self._task.asks(self._state)
            self._state, _ = self._task.step(self._state, np.array([action]))
            self.actions.append(action)
            start = asked == len(self.held) or self._task.asks(self._state) == asked
        self._judge()

    def _undo(self) -> None:
        if self._past:
            self._state, count = self._past.pop()
            self._undone.append(self.actions[count:])
            del self.actions[count:]
            self._judge()

    def _command(self, key: str) -> None:
        if key in UNDO:
            self._undo()
        elif key in REDO and self._undone:
            self._take(self._undone.pop(), again=True)
        elif key in {"up", "down"}:
            self._turn(-1, 1 if key == "down" else -1)
        elif key in {"left", "right"}:
            self._turn(0, 1 if key == "right" else -1)
        elif key.isdigit() and 0 < int(key) <= min(CHIPS, len(self._task.tools[0].values)):
            self._pick(int(key) - 1)
        elif key == "space":
            self._take(self._by_chance())
        elif key == "h":
            self._help = not self._help
        elif key == "d":
            self._judging = not self._judging
            self._judge()
        elif key == "s":
            self._message = self._saver.save(self.work)
        elif key == "r":
            self._replaying = True
        elif key == "g":
            self._complete()
        elif key == "c" and self._task.conditions and not self.done:
            self._restyle()
        elif key == "n":
            self.leave()
            self._restart(None)

    def _by_chance(self) -> list[int]:
        """Returns the actions of a stroke, or of a choice that stands by itself, drawn from the legal ones."""
        state, actions = self._state.take(np.zeros(1, np.int64)), list[int]()
        while not state.done[0]:
            asked = self._task.asks(state)
            actions.append(int(self._rng.choice(np.flatnonzero(self._task.action_mask(state)[0]))))
            state, _ = self._task.step(state, np.array(actions[-1:]))
            if asked == len(self.held) or self._task.asks(state) == asked:
                break
        return actions

    def _complete(self) -> None:
        work = self.work
        assert work.actions is not None
        try:
            whole = self._agent.work(work.actions, work.condition)
        except (UsageError, ValueError) as error:
            self._message = str(error)
            return
        assert whole.actions is not None
        self._take(whole.actions[len(self.actions) :].tolist())
        self._replaying = True

    def _restyle(self) -> None:
        """Paints the same strokes under the condition of another training work."""
        actions = self.actions
        self._restart(None)
        self._take(actions)

    def _judge(self) -> None:
        self._opinion = ""
        if self._judging or self.done:
            known = self._scorer(self.work)
            self._opinion = known or ("" if self.done and not self._judging else "no discriminator ships for this id")

    def _replay(self, stage: Stage) -> None:
        """Shows the work as it was painted, from the empty canvas on, until a key is pressed."""
        condition = self.work.condition[None] if self._task.conditions else None
        state = self._task.initial(np.zeros(1, np.uint64), condition)
        panel = Panel(("as it was painted", "any key  stop"))
        for action in self.actions:
            asked = self._task.asks(state)
            state, _ = self._task.step(state, np.array([action]))
            if asked == len(self.held) or self._task.asks(state) == asked:
                stage.show(self._task.render(state)[0], panel)
                if stage.wait(REPLAY_SECONDS) or not stage.open:
                    return
