"""A grid that a person paints, cell by cell and in any order."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..envs.task import Array, Bools, Ints, Task
from .works import Work

FREE = -1  # in prefixes: an action that is left to the agent


def paintable(task: Task[Any]) -> bool:
    """Returns whether works of a task are grids, or frames of cells, that are seen in their picture."""
    layout = task.layout
    if layout.kind not in {"grid", "frames"} or not layout.categorical:
        return False
    return task.medium.cells(np.zeros(layout.shape, layout.dtype)) is not None


def building_order(task: Task[Any]) -> Ints | None:
    """Returns the cell that each action writes, int [T], row-major; None where actions do not write one cell each.

    Two legal actions differ in the cell that they write: an episode of first legal actions shows it at every step.
    """
    if task.horizon != np.prod(task.layout.shape):
        return None
    state, order = task.initial(np.zeros(1, np.uint64)), list[int]()
    for _ in range(task.horizon):
        legal = np.flatnonzero(task.action_mask(state)[0])[:2]
        after, _ = task.step(state.take(np.zeros(len(legal), np.int64)), legal)
        contents = task.content(after).reshape(len(legal), -1)
        differ = np.flatnonzero(contents[0] != contents[-1])
        if len(differ) != 1 or differ[0] in order:
            return None
        order.append(int(differ[0]))
        state = after.take(np.zeros(1, np.int64))
    return np.array(order)


class _Moment(NamedTuple):
    """A state that undo restores: the content [H * W], and the mask of cells that a person set, bool [H * W]."""

    content: Array
    touched: Bools


class Canvas:
    """A grid being painted; its content is complete at all times, with 0 in cells that nobody set.

    Args:
        task: a task whose works are ``paintable``.
        rng: draws conditions and random values.

    Attributes:
        brush: the value that is painted.
        condition: int [C].
    """

    def __init__(self, task: Task[Any], rng: np.random.Generator) -> None:
        self.task, self._rng = task, rng
        self.brush = min(1, task.layout.sizes[0] - 1)
        self._order = building_order(task)
        self._stroke = False
        self.new()

    def new(self) -> None:
        """Starts an empty grid, under the condition of a random training work."""
        self.restyle()
        size = int(np.prod(self.task.layout.shape))
        self._now = _Moment(np.zeros(size, self.task.layout.dtype), np.zeros(size, np.bool_))
        self._past, self._undone = list[_Moment](), list[_Moment]()
        self._stroke = False

    def open(self, work: Work) -> None:
        """Starts from a work; its cells count as the agent's."""
        self.new()
        self.condition = work.condition
        self._now = self._now._replace(content=work.content.reshape(-1).copy())

    def restyle(self) -> None:
        """Draws the condition of another training work."""
        start = self.task.initial(self._rng.integers(2**63, size=1, dtype=np.uint64))
        self.condition = self.task.condition(start)[0]

    @property
    def content(self) -> Array:
        """The grid [H, W]."""
        return self._now.content.reshape(self.task.layout.shape).copy()

    @property
    def full(self) -> bool:
        """True where a person set every cell."""
        return bool(self._now.touched.all())

    @property
    def next_cell(self) -> int | None:
        """The first cell in building order that nobody set; None where there is none, or no order."""
        if self._order is None:
            return None
        free = np.flatnonzero(~self._now.touched[self._order])
        return int(self._order[free[0]]) if len(free) else None

    @property
    def picture(self) -> NDArray[np.uint8]:
        """The picture uint8 [H, W, 3] of the grid."""
        return self.task.medium.render(self.content, self.condition)

    def begin(self) -> None:
        """Begins a stroke: all cells painted until the next one are undone together."""
        self._stroke = False

    def paint(self, cells: Ints) -> bool:
        """Paints cells, row-major indices, with the brush; returns whether anything changed."""
        content, touched = self._now
        if (content[cells] == self.brush).all() and touched[cells].all():
            return False
        content, touched = content.copy(), touched.copy()
        content[self._with_later(cells)] = self.brush
        touched[cells] = True
        self._set(_Moment(content, touched), go_on=self._stroke)
        self._stroke = True
        return True

    def _with_later(self, cells: Ints) -> Ints:
        """Returns cells and, of frames, the same cells of later frames for as long as they keep the value."""
        if self.task.layout.kind != "frames":
            return cells
        frames = self._now.content.reshape(self.task.layout.shape[0], -1)
        found = [cells]
        frame, place = np.divmod(cells, frames.shape[1])
        going, value = np.ones(len(cells), np.bool_), self._now.content[cells]
        for later in range(1, len(frames)):
            going = going & (frame + later < len(frames))
            going &= frames[np.minimum(frame + later, len(frames) - 1), place] == value
            found.append(cells[going] + later * frames.shape[1])
        return np.unique(np.concatenate(found))

    def place(self, anything: bool = False) -> bool:
        """Paints the next cell in building order, with the brush or with any legal value; returns whether it did."""
        cell = self.next_cell
        if cell is None:
            return False
        if anything:
            self.brush = int(self._rng.choice(self._legal_values(cell)))
        self.begin()
        return self.paint(np.array([cell]))

    def pick(self, cell: int) -> None:
        """Takes the value of a cell as brush."""
        self.brush = int(self._now.content[cell])

    def turn(self, step: int) -> None:
        """Takes another value as brush, so many further on."""
        self.brush = (self.brush + step) % self.task.layout.sizes[0]

    def undo(self) -> bool:
        """Takes the latest change back; returns whether there was one."""
        return self._swap(self._past, self._undone)

    def redo(self) -> bool:
        """Makes the latest change that was taken back again; returns whether there was one."""
        return self._swap(self._undone, self._past)

    def work(self) -> Work:
        """Returns the grid as a work, with the actions that build it.

        Raises:
            ValueError: no actions build it.
        """
        return Work(self.content, self.condition, self._actions() if self.task.has_demonstrations else None)

    def prefix(self) -> Ints:
        """Returns int [T], the actions that build the cells that a person set; -1 for the others.

        All are -1 where nobody set a cell.

        Raises:
            ValueError: no actions build the grid, or the cells cannot be kept.
        """
        if not self._now.touched.any():
            return np.full(self.task.horizon, FREE)
        if self._order is None:
            shape = self.task.layout.shape
            return self.task.kept(self.content, self._now.touched.reshape(shape), self.condition)
        return np.where(self._now.touched[self._order], self._actions(), FREE)

    def fill(self, work: Work) -> None:
        """Takes over a work that an agent completed; the cells that a person set stay as they are marked."""
        self.begin()
        self.condition = work.condition
        self._set(self._now._replace(content=work.content.reshape(-1).copy()))

    def _actions(self) -> Ints:
        actions: Ints = self.task.demonstrations(self.content[None], self.condition[None])[0].astype(np.int64)
        return actions

    def _legal_values(self, cell: int) -> Ints:
        """Returns the values that the task allows in a cell after those before it; all where these cannot be built."""
        values = np.arange(self.task.layout.sizes[0])
        assert self._order is not None
        try:
            actions = self._actions()
        except ValueError:
            return values
        state = self.task.initial(np.zeros(1, np.uint64), self.condition[None] if self.task.conditions else None)
        for action in actions[: int(np.flatnonzero(self._order == cell)[0])]:
            state, _ = self.task.step(state, action[None])
        legal = np.flatnonzero(self.task.action_mask(state)[0])
        after, _ = self.task.step(state.take(np.zeros(len(legal), np.int64)), legal)
        found: Ints = np.unique(self.task.content(after).reshape(len(legal), -1)[:, cell])
        return found

    def _set(self, moment: _Moment, go_on: bool = False) -> None:
        if not go_on:
            self._past.append(self._now)
        self._undone.clear()
        self._now = moment

    def _swap(self, source: list[_Moment], other: list[_Moment]) -> bool:
        self.begin()
        if not source:
            return False
        other.append(self._now)
        self._now = source.pop()
        return True


def swatches(task: Task[Any], condition: Ints) -> list[NDArray[np.uint8]]:
    """Returns a picture of each value, uint8 [h, w, 3]: the middle cell of a grid that is full of it."""
    shape, pictures = task.layout.shape, []
    for value in range(task.layout.sizes[0]):
        content = np.full(shape, value, task.layout.dtype)
        cells = task.medium.cells(content)
        assert cells is not None
        left, top, width, height = box_of(cells, int(np.ravel_multi_index([side // 2 for side in shape], shape)))
        pictures.append(task.medium.render(content, condition)[top : top + height, left : left + width])
    return pictures


def box_of(cells: Ints, cell: int) -> tuple[int, int, int, int]:
    """Returns left, top, width and height of a cell in a map int [H, W] of pixels to cells; the upper one of two."""
    rows = np.flatnonzero((cells == cell).any(1))
    rows = rows[: np.append(np.flatnonzero(np.diff(rows) > 1), len(rows) - 1)[0] + 1]
    columns = np.flatnonzero((cells[rows] == cell).any(0))
    return int(columns[0]), int(rows[0]), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1


def line(start: tuple[int, int], end: tuple[int, int]) -> tuple[Ints, Ints]:
    """Returns the columns and rows of the pixels on a straight line, so that fast strokes leave no gap."""
    steps = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
    x, y = (np.rint(np.linspace(start[axis], end[axis], steps + 1)).astype(np.int64) for axis in (0, 1))
    return x, y
