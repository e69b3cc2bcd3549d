"""Choosing a point of the plane, bit by bit: 32 decisions, x before y, the coarsest first."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from .corpora.densities import DENSITIES
from .media.plane import BITS, UNKNOWN, Plane, to_bits
from .task import SPLITS, Array, Bools, Feature, Grid, Ints, Split, State, Task, Works

HORIZON = 2 * BITS
FINE, COARSE = 7, 5  # bits of one coordinate that features tell: of each alone, of both together
SIZES: dict[Split, int] = {"train": 50_000, "validation": 4_000, "test": 4_000}
SHOWN = 400_000  # points behind pictures and metrics
SEED = 220201361  # of all fixed samples; a small seed is what users take for fresh samples


@dataclasses.dataclass
class Bits(State):
    """B points being chosen.

    Attributes:
        sheet: int8 [B, 33], what is observed: 1 + bit for each bit chosen (0 for those to come), their number.
        cell: int32 [B, 2], what was chosen of x and of y in plain binary behind a leading 1, Gray code undone.
    """

    sheet: NDArray[np.int8]
    cell: NDArray[np.int32]


class DensityTask(Task[Bits]):
    """A point of one of seven densities in the plane.

    ### Description
    The two-dimensional densities on which EB-GFN (Zhang et al. 2022) and its relatives are compared. Each coordinate is
    16 bits: its sign, then its magnitude in Gray code. Real works are not a fixed set but a stream: ``stream`` draws
    fresh ones, ``works`` returns fixed samples. See ``docs/environments/density.md``.

    ### Action Space
    ``Discrete(2)``: the next bit, those of x before those of y, each coordinate's sign first (1 for negative), then its
    magnitude from the most significant bit on. Both are always legal.

    ### Observation Space
    ``MultiDiscrete``, 33 numbers: 1 + bit for each of the 32 bits (0 for those to come), and how many were chosen.

    ### Rewards
    0 until the point is chosen, then the discriminator's score of it. No rule reward.

    ### Starting State
    No bit chosen.

    ### Episode End
    After 32 bits.

    ### Arguments
    ``density``: ``"2spirals"`` (default), ``"8gaussians"``, ``"circles"``, ``"moons"``, ``"pinwheel"``, ``"swissroll"``
    or ``"checkerboard"``.

    ### Version History
    v0: initial version.
    """

    benchmark = "musegym.benchmarks.domains.density"
    horizon = HORIZON
    num_actions = 2
    layout = Grid((2, BITS), (2,), "int8")
    features = (
        Feature("step", HORIZON + 1),
        Feature("x", 2 ** (FINE + 1)),
        Feature("y", 2 ** (FINE + 1)),
        Feature("x_and_y", 2 ** (2 * COARSE + 1)),
    )

    def __init__(self, density: str = "2spirals") -> None:
        if density not in tuple(DENSITIES):
            raise ValueError(f"density {density!r} is unknown; choose one of: {', '.join(DENSITIES)}")
        self._name, self._density = density, DENSITIES[density]
        self.observation_space = gym.spaces.MultiDiscrete(np.array(HORIZON * [3] + [HORIZON + 1]))
        self.medium = Plane(self._density.scale, lambda: self._density.sample(SHOWN, _generator(density, 0)), density)

    def kwargs(self) -> Mapping[str, Any]:
        """Returns the arguments that rebuild this task."""
        return {"density": self._name}

    def initial(self, draws: NDArray[np.uint64], condition: Ints | None = None) -> Bits:
        """Returns points without any bit."""
        return Bits(np.zeros((len(draws), HORIZON + 1), np.int8), np.ones((len(draws), 2), np.int32))

    def advance(self, state: Bits, actions: Ints) -> tuple[Bits, Bools]:
        """Chooses one bit of every point."""
        rows, count = np.arange(len(state)), state.sheet[:, HORIZON]
        at = count.astype(np.intp)
        axis = (at >= BITS).astype(np.intp)
        state.sheet[rows, at] = 1 + actions
        state.cell[rows, axis] = _narrow(state.cell[rows, axis], actions)
        count += 1
        return state, count == HORIZON

    def observe(self, state: Bits) -> NDArray[np.int64]:
        """Returns int64 [B, 33]."""
        return state.sheet.astype(np.int64)

    def restore(self, observations: Array) -> Bits:
        """Inverts ``observe``."""
        sheet = np.array(observations, np.int8)
        bits = sheet[:, :HORIZON].reshape(-1, 2, BITS).astype(np.int32) - 1
        cell = np.ones((len(sheet), 2), np.int32)
        for place in range(BITS):
            chosen = bits[..., place]
            cell = np.where(chosen == UNKNOWN, cell, _narrow(cell, chosen))
        return Bits(sheet, cell, done=sheet[:, HORIZON] == HORIZON)

    def feature_values(self, state: Bits) -> Ints:
        """Returns int [B, 4]: how many bits were chosen, and where in the plane they lead, Gray code undone.

        The first 7 bits of x, and of y, as far as they are chosen: bits in plain binary behind a leading 1, so that
        each cell of each size has a number of its own. Then, once x is chosen, the first 5 bits of x with those of y.
        The meaning of a Gray-coded bit depends on the bit before it, and the density of y depends on x.
        """
        count = state.sheet[:, HORIZON].astype(np.int64)
        x, y = state.cell.T
        chosen_y = np.maximum(count - BITS, 0)
        fine_x = x >> np.maximum(np.minimum(count, BITS) - FINE, 0)
        column = (x >> (BITS - COARSE)) - 2**COARSE
        both = (column << (COARSE + 1)) + (y >> np.maximum(chosen_y - COARSE, 0))
        return np.stack(
            [count, fine_x, y >> np.maximum(chosen_y - FINE, 0), np.where(count < BITS, 0, both)], 1, dtype=np.int64
        )

    def content(self, state: Bits) -> NDArray[np.int8]:
        """Returns int8 [B, 2, 16]: the bits of x and of y; -1 for those not chosen yet."""
        return (state.sheet[:, :HORIZON] - 1).astype(np.int8).reshape(-1, 2, BITS)

    def overview(self, state: Bits) -> NDArray[np.uint8] | None:
        """Draws all points over the true density, each in the middle of the rectangle that its bits leave possible."""
        return self.medium.population(self.content(state))

    def demonstrations(self, contents: Array, conditions: Ints | None = None) -> Ints:
        """Returns the bits, int8 [N, 32]."""
        contents = np.asarray(contents)
        if contents.shape[1:] != (2, BITS) or not np.isin(contents, (0, 1)).all():
            raise ValueError(f"points are bits, 0 or 1, of shape (N, 2, {BITS}); got shape {contents.shape}")
        return contents.reshape(-1, HORIZON).astype(np.int8)

    def works(self, split: Split) -> Works:
        """Returns a fixed sample, int8 [N, 2, 16]: 50,000 points to train with, 4,000 each to validate and test."""
        return _works(self._name, split)

    def stream(self, num: int, rng: np.random.Generator) -> NDArray[np.int8]:
        """Returns fresh points, int8 [num, 2, 16]."""
        return to_bits(self._density.sample(num, rng), self._density.scale)


def _narrow(cell: Ints, bits: Ints) -> Ints:
    """Appends a bit each: Gray-coded ones are relative to the one before, but for the sign and the first of them."""
    narrowed: Ints = 2 * cell + (bits ^ (cell & (cell >= 4)))
    return narrowed


def _generator(density: str, sample: int) -> np.random.Generator:
    return np.random.default_rng([SEED, list(DENSITIES).index(density), sample])


@functools.cache
def _works(density: str, split: Split) -> Works:
    drawn = DENSITIES[density].sample(SIZES[split], _generator(density, 1 + SPLITS.index(split)))
    return Works(to_bits(drawn, DENSITIES[density].scale))
