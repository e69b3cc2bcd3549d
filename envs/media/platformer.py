"""Playability of platform levels: can a runner get from the left edge to the right one?

The runner moves as Mario does in the Mario AI Framework (Karakovskiy & Togelius 2012, "The Mario AI Benchmark and
Competitions"), whose A* player is the usual judge of generated levels: the constants and the order of operations are
its own. All states that are reached, pixels and speeds rounded, are visited in the order of time, in many levels at
once. Enemies are left out and blocks do not break: a level counts as playable where its tiles are. See
``docs/environments/level.md`` for how often the two judges agree.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Ints = NDArray[np.integer[Any]]
Pixels = NDArray[np.float32]

TILE = 16  # pixels; lengths are in pixels, times in ticks
HALF_WIDTH, HEIGHT = 4, 24  # of the runner, who starts large
PUSH, FRICTION = 1.2, 0.89  # speed that running adds, and share that is kept, each tick
GRAVITY, AIR, LIFT = 3.0, 0.85, 1.9
JUMP = 7  # ticks that holding the button lasts; it lifts less with each
STILL = 0.5  # slower runners stand
STEP = 8  # pixels that are moved before looking for walls again
LOST = 32  # pixels below the level
ACTIONS = tuple(itertools.product((1, 0, -1), (True, False)))  # direction, jump button
TICKS = 2  # that an action is kept
LONGEST = 400  # ticks
TOGETHER = 64  # levels: bounds the memory of visited states to 50 MB
TRIES, TRIAL = 32, 72  # runs to the right that are tried first, and their ticks

SOLID, GROUND, BRITTLE = "XSQ?<>[]Bb", "XSQ?<>[]B", "S"
"""Tiles that block, tiles that a level can start on, and those of them that a large runner breaks from below."""
FLAG = 11  # rows above the ground of the last column, where the goal takes the place of blocks


@dataclasses.dataclass
class Runners:
    """Runners in levels: feet at (x, y), speeds, ticks left of a jump, [N] each."""

    level: NDArray[np.int64]
    x: Pixels
    y: Pixels
    speed: Pixels
    fall: Pixels
    jump: NDArray[np.int8]
    ground: Bools
    ready: Bools  # the jump button was released on the ground

    def take(self, rows: NDArray[Any]) -> Runners:
        """Returns some of them."""
        return Runners(*(getattr(self, field.name)[rows] for field in dataclasses.fields(self)))


class Walls:
    """Blocking tiles of levels, bool [N, H, W]; those of the first and the last column go on beyond them.

    Attributes:
        bumped: blocks that a runner hit from below, bool [N, H, W].
    """

    def __init__(self, solid: Bools) -> None:
        self.levels, self.rows, self.columns = solid.shape
        self._padded = np.pad(solid, ((0, 0), (1, 1), (0, 0))).ravel()  # rows above and below are air
        self._bumped = np.zeros_like(self._padded)

    @property
    def bumped(self) -> Bools:
        """Blocks that runners hit from below, bool [N, H, W]."""
        return self._bumped.reshape(self.levels, self.rows + 2, self.columns)[:, 1:-1]

    def stop(self, runners: Runners, points: Iterator[tuple[Pixels, Pixels]], below: bool = False) -> Bools:
        """Returns whether any of the points is in a block other than the one that the runner is in.

        Args:
            runners: N of them.
            points: x and y [N], each.
            below: notes the blocks as bumped.
        """
        stopped = np.zeros(len(runners.x), np.bool_)
        own_column, own_row = (runners.x / TILE).astype(np.int32), (runners.y / TILE).astype(np.int32)
        for x, y in points:
            column, row = (x / TILE).astype(np.int32), (y / TILE).astype(np.int32)  # towards 0, as in Java
            at = (runners.level * (self.rows + 2) + row.clip(-1, self.rows) + 1) * self.columns
            at += column.clip(0, self.columns - 1)
            hit = self._padded.take(at) & ((column != own_column) | (row != own_row))
            if below:
                self._bumped[at[hit]] = True
            stopped |= hit
        return stopped


def _sideways(runners: Runners, walls: Walls) -> None:
    """Moves runners by their speed, or up to a wall, where they stop."""
    left = runners.speed.copy()
    while len(moving := np.flatnonzero(left)):
        part = runners.take(moving)
        way = np.clip(left[moving], -STEP, STEP)
        side = np.where(way > 0, HALF_WIDTH, -HALF_WIDTH).astype(np.float32)
        front = part.x + way + side
        hit = walls.stop(part, ((front, part.y - up) for up in (HEIGHT, HEIGHT // 2, 0)))
        edge = (part.x + side) / TILE
        right = (edge + 1).astype(np.int64) * TILE - HALF_WIDTH - 1
        stopped = np.where(way > 0, right, edge.astype(np.int64) * TILE + HALF_WIDTH)
        runners.x[moving] = np.where(hit, stopped, part.x + way)
        runners.speed[moving[hit]] = 0
        left[moving] = np.where(hit, 0, left[moving] - way)


def _up_or_down(runners: Runners, walls: Walls) -> None:
    """Moves runners by their fall, or up to a ceiling or a floor."""
    left = runners.fall.copy()
    while len(moving := np.flatnonzero(left > 0)):
        part = runners.take(moving)
        way = np.minimum(left[moving], STEP)
        to, sides = part.y + way, (part.x - HALF_WIDTH, part.x + HALF_WIDTH)
        hit = walls.stop(part, ((x, y) for x in sides for y in (to, to + 1)))
        floor = ((part.y - 1) / TILE + 1).astype(np.int64) * TILE - 1
        runners.y[moving] = np.where(hit, floor, to)
        runners.ground[moving[hit]] = True
        left[moving] = np.where(hit, 0, left[moving] - way)
    while len(moving := np.flatnonzero(left < 0)):
        part = runners.take(moving)
        way = np.maximum(left[moving], -STEP)
        to = part.y + way
        hit = walls.stop(part, ((part.x + side, to - HEIGHT) for side in (0, -HALF_WIDTH, HALF_WIDTH)), below=True)
        ceiling = ((part.y - HEIGHT) / TILE).astype(np.int64) * TILE + HEIGHT
        runners.y[moving] = np.where(hit, ceiling, to)
        runners.jump[moving[hit]] = 0
        runners.fall[moving[hit]] = 0
        left[moving] = np.where(hit, 0, left[moving] - way)


def tick(runners: Runners, direction: Ints, button: Bools, walls: Walls) -> None:
    """Moves runners by one tick, in place.

    Args:
        runners: N of them.
        direction: pressed, int [N]: 1 right, -1 left, 0 none.
        button: whether the jump button is pressed, bool [N].
        walls: of their levels.
    """
    start = button & runners.ground & runners.ready
    rising = start | (button & (runners.jump > 0))
    runners.jump[start] = JUMP
    runners.fall[rising] = -LIFT * runners.jump[rising]
    runners.jump -= rising & ~start
    runners.jump[~button] = 0
    runners.speed += np.float32(PUSH) * direction.astype(np.float32)
    runners.ready = runners.ground & ~start & ~button
    runners.speed[np.abs(runners.speed) < STILL] = 0
    runners.ground = np.zeros_like(runners.ground)
    _sideways(runners, walls)
    _up_or_down(runners, walls)
    outside = runners.x < 0
    runners.x[outside], runners.speed[outside] = 0, 0
    runners.fall *= np.float32(AIR)
    runners.speed *= np.float32(FRICTION)
    runners.fall[~runners.ground] += np.float32(GRAVITY)


ROUNDED = (64, 48, 7, 9)  # values of x, y, speed and the rest of a state


def _rounded(runners: Runners) -> NDArray[np.int64]:
    """Returns a number for each state; states of one number count as one."""
    x = np.clip(runners.x // 4, 0, ROUNDED[0] - 1)
    y = np.clip(runners.y // 8 + 14, 0, ROUNDED[1] - 1)
    speed = np.rint((runners.speed + 10) / 3.4)
    rising = 2 + (runners.jump + 1) // 2
    falling = 6 + (runners.fall > 6).astype(np.int64) + (runners.fall > 11)
    rest = np.where(runners.ground, runners.ready, np.where(runners.jump > 0, rising, falling))
    number = runners.level
    for part, size in zip((x, y, speed, rest), ROUNDED, strict=True):
        number = number * size + np.clip(part, 0, size - 1).astype(np.int64)
    return number


def playable(contents: NDArray[Any], alphabet: str) -> Bools:
    """Returns which levels can be crossed from left to right, bool [N].

    The runner starts on the lowest ground of the first column, or falls in from above where there is none; it arrives
    in the last column, at any height.

    Args:
        contents: tiles [N, H, W].
        alphabet: their symbols, those of Super Mario Bros. in the Video Game Level Corpus and mario-gpt.
    """
    symbols = np.array(list(alphabet))
    solid, ground, brittle = (np.isin(symbols, list(kind))[contents] for kind in (SOLID, GROUND, BRITTLE))
    last, rows = _standing(ground[:, :, -1]), np.arange(solid.shape[1])
    solid[:, :, -1] &= (last < 0)[:, None] | (rows > last[:, None]) | (rows < np.maximum(1, last - FLAG)[:, None])
    starts = _standing(ground[:, :, 0])
    crossed = _tries(Walls(solid), starts)
    left = np.flatnonzero(~crossed)
    while len(left):
        still = list[NDArray[np.int64]]()
        for part in (left[begin : begin + TOGETHER] for begin in range(0, len(left), TOGETHER)):
            walls = Walls(solid[part])
            crossed[part] = _search(walls, starts[part])
            broken = walls.bumped & solid[part] & brittle[part]
            solid[part] &= ~broken
            still.append(part[broken.any((1, 2)) & ~crossed[part]])
        left = np.concatenate(still)  # again, with the bricks broken
    return crossed


def _standing(ground: Bools) -> NDArray[np.int64]:
    """Returns the row above the lowest ground of columns bool [N, H]; -1 for none."""
    rows = np.arange(ground.shape[1])
    lowest = np.where(ground, rows, -1).max(1)
    above: NDArray[np.int64] = np.where(~ground & (rows < lowest[:, None]), rows, -1).max(1)
    return above


def _runners(starts: Ints) -> Runners:
    N = len(starts)
    x, y, speed, fall = np.zeros((4, N), np.float32)
    y[:] = starts * TILE
    return Runners(np.arange(N), x, y, speed, fall, *np.zeros((1, N), np.int8), *np.zeros((2, N), np.bool_))


def _tries(walls: Walls, starts: Ints) -> Bools:
    """Returns which levels are crossed by one of a few random runs to the right, bool [N]: most of them are."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 12, (TRIES, TRIAL)).cumsum(1)
    buttons = (np.arange(TRIAL)[:, None, None] >= lengths).sum(-1) % 2 == 1  # [ticks, tries]
    pushes = np.where(rng.random((TRIAL, TRIES)) < 0.9, 1, 0)
    crossed = np.zeros(walls.levels, np.bool_)
    for tries in np.split(np.arange(TRIES), (4, 12)):  # the first few are enough for most levels
        each = np.repeat(np.flatnonzero(~crossed), len(tries))
        runners, own = _runners(starts).take(each), np.resize(tries, len(each))
        for held, push in zip(buttons, pushes, strict=True):
            tick(runners, push[own], held[own], walls)
            crossed[runners.level[runners.x > (walls.columns - 1) * TILE]] = True
            going = np.flatnonzero(~crossed[runners.level] & (runners.y <= walls.rows * TILE + LOST))
            runners, own = runners.take(going), own[going]
            if not len(own):
                break
    return crossed


def _search(walls: Walls, starts: Ints) -> Bools:
    """Returns which levels are crossed by any of the states that can be reached, bool [N]."""
    N, end = walls.levels, (walls.columns - 1) * TILE
    runners, crossed = _runners(starts), np.zeros(N, np.bool_)
    visited = np.zeros(N * int(np.prod(ROUNDED)), np.int32)  # number of the runner who came first
    directions, buttons = (np.array(each) for each in zip(*ACTIONS, strict=True))
    numbered = 0
    for _ in range(LONGEST // TICKS):
        count = len(runners.x)
        runners = runners.take(np.repeat(np.arange(count), len(ACTIONS)))
        direction, button = np.tile(directions, count), np.tile(buttons, count)
        for _ in range(TICKS):
            tick(runners, direction, button, walls)
            crossed[runners.level[runners.x > end]] = True
        runners = runners.take(~crossed[runners.level] & (runners.y <= walls.rows * TILE + LOST))
        states = _rounded(runners)
        fresh = np.flatnonzero(visited[states] == 0)
        states, names = states[fresh], numbered + 1 + np.arange(len(fresh), dtype=np.int32)
        visited[states] = names
        numbered += len(fresh)
        runners = runners.take(fresh[visited[states] == names])
        if not len(runners.x):
            break
    return crossed
