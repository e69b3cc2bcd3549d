"""A work built by hand, action by action."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..envs.task import Array, Ints, Task
from .panel import CHIPS
from .works import Work

UNDO, REDO = ("backspace", "u", "ctrl z"), ("ctrl y",)


class Builder:
    """A work built by hand: its state, the legal actions, the marked one, and the past states for undoing.

    Args:
        task: the task.
        rng: draws the start and random actions.
    """

    def __init__(self, task: Task[Any], rng: np.random.Generator) -> None:
        self.task, self._rng = task, rng
        self.types = type(task).typed is not Task.typed
        """True where the work can be typed."""
        self.done = False
        self._choosing = False  # the marked action is shown, of a work that can be typed
        self.chosen = 0
        self._rest: tuple[int, ...] = ()  # further actions of the click under the pointer
        self.new()

    def new(self) -> None:
        """Starts a work."""
        self._state = self.task.initial(self._rng.integers(2**63, size=1, dtype=np.uint64))
        self._past = list[tuple[Any, tuple[int, ...]]]()
        self._undone = list[tuple[int, ...]]()
        self.done = False
        self._update()

    @property
    def count(self) -> int:
        """Number of actions taken."""
        return sum(len(actions) for _, actions in self._past)

    @property
    def marked(self) -> tuple[int, tuple[int, ...]]:
        """The index of the marked action, and further actions of the click that it is part of."""
        return self.chosen, self._rest

    @property
    def work(self) -> Work:
        """The work so far."""
        actions = np.array([action for _, taken in self._past for action in taken], np.int64)
        return Work(self._contents(self._state)[0], self.task.condition(self._state)[0], actions)

    @property
    def preview(self) -> Work:
        """The work after the marked action."""
        return self.work if self.done else self.work._replace(content=self._previews[self.chosen])

    def _contents(self, state: Any) -> Array:
        return self.task.decoded(self.task.content(state), np.random.default_rng(0))

    @property
    def picture(self) -> NDArray[np.uint8]:
        """The picture uint8 [H, W, 3] of the work after the marked action."""
        if self.done:
            return self.task.medium.render(self.work.content, self.work.condition)
        if self.types and not self._choosing:
            return self.task.render(self._state)[0]
        after = self._after.take(np.array([self.chosen]))
        for action in self._rest:
            after, _ = self.task.step(after, np.array([action]))
        return self.task.render(after)[0]

    def caption(self, index: int) -> str:
        """Returns the name of a legal action by its index in ``legal``."""
        caption = self.task.medium.caption(self._previews[index], self.work.condition)
        return caption or self.task.action_name(int(self.legal[index]))

    def press(self, key: str) -> bool:
        """Applies a key; returns whether the work or the marked action changed."""
        before = (self.count, self.marked)
        if key == "n":
            self.new()
            return True
        rest, self._rest = self._rest, ()
        if key in UNDO and self._past:
            self._state, actions = self._past.pop()
            self._undone.append(actions)
            self.done = False
            self._update()
        elif self.done:
            return False
        elif key in REDO and self._undone:
            self._step(*self._undone.pop())
        elif key in {"up", "right", "down", "left", "page up", "page down"}:
            step = {"up": 1, "right": 1, "down": -1, "left": -1, "page up": 5, "page down": -5}[key]
            self.chosen = min(max(self.chosen + step, 0), len(self.legal) - 1)
            self._choosing = True
        elif key.isdigit() and 0 < int(key) <= len(self.shown):
            self.chosen = self.shown[int(key) - 1]
            self._choosing = True
        elif key in {"return", "space"}:
            index = int(self._rng.integers(len(self.legal))) if key == "space" else self.chosen
            self._undone.clear()
            self._step(int(self.legal[index]), *rest * (key == "return"))
        return before != (self.count, self.marked)

    def aim(self, spot: tuple[int, int], shift: bool) -> bool:
        """Marks the action that a click at pixel (x, y) of the picture stands for; returns whether there is one.

        Where a click stands for several, the first one is marked, and "return" takes all.
        """
        at = None if self.done else self.task.action_at(self._state, *spot, shift)
        if at is None:
            return False
        first, *rest = at if isinstance(at, tuple) else (at,)
        found = np.flatnonzero(self.legal == first)
        if not len(found):
            return False
        self.chosen, self._rest = int(found[0]), tuple(rest)
        return True

    def type(self, sign: str) -> bool:
        """Types a character, see ``Task.typed``; returns whether it fits."""
        actions = self.task.typed(self._state, sign)
        if actions is None or (self.done and sign != "\b"):
            return False
        if self._past:
            self._state = self._past[0][0].take(np.zeros(1, np.int64))
        self._past.clear()
        self._undone.clear()
        self.done = False
        for action in actions.tolist():
            self._advance(action)
        self._update()
        return True

    def take(self, actions: Ints) -> None:
        """Takes actions int [L] one after the other, until the work is finished."""
        self._undone.clear()
        for action in actions.tolist():
            if not self.done:
                self._step(action)

    @property
    def shown(self) -> range:
        """Indices of the legal actions around the marked one, at most one for each chip."""
        first = min(max(self.chosen - CHIPS // 2, 0), max(len(self.legal) - CHIPS, 0))
        return range(first, min(first + CHIPS, len(self.legal)))

    def _step(self, *actions: int) -> None:
        self._advance(*actions)
        self._update()

    def _advance(self, *actions: int) -> None:
        """Takes actions one after the other, which are undone together; none after the end."""
        before, taken = self._state.take(np.zeros(1, np.int64)), list[int]()
        for action in actions:
            if not self.done:
                self._state, done = self.task.step(self._state, np.array([action]))
                self.done = bool(done[0])
                taken.append(action)
        self._past.append((before, tuple(taken)))

    def _update(self) -> None:
        """Computes the legal actions and the state after each; marks the task's first choice, or a repetition."""
        self._choosing = False
        self.legal = np.flatnonzero(self.task.action_mask(self._state)[0])
        copies = self._state.take(np.zeros(len(self.legal), np.int64))
        self._after = self.task.step(copies, self.legal)[0]
        self._previews = self._contents(self._after)
        self._rest = ()
        again = (
            int(np.flatnonzero(self.legal == actions[-1])[0])
            for _, actions in reversed(self._past)
            if actions[-1] in self.legal
        )
        wanted = np.flatnonzero(self.legal == self.task.first_choice(self._state))
        self.chosen = int(wanted[0]) if len(wanted) else next(again, len(self.legal) // 2)
