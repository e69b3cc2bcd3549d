"""Real works as episodes: what the agent imitates, learns from and is held against."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..envs.task import Array, Ints, Task
from .episodes import Episodes, trace

HELD_OUT = 512
"""Validation works whose likelihood is followed."""


class Demonstrations:
    """The episodes that build a task's training works; none where it has no demonstrations.

    Where the task streams fresh works (``Task.stream``), every draw is of new ones.

    Args:
        task: the domain.
    """

    def __init__(self, task: Task[Any]) -> None:
        self.task = task
        self.waiting: list[Episodes] = []
        """Batches of like lengths that were dealt and not yet taken."""

    def __bool__(self) -> bool:
        return self.task.has_demonstrations

    @functools.cached_property
    def _train(self) -> Episodes:
        return trace(self.task, self.task.corpus("train"))

    @functools.cached_property
    def held_out(self) -> Episodes:
        """Episodes that build some validation works, always the same."""
        works = self.task.corpus("validation")
        return trace(self.task, works[np.random.default_rng(0).permutation(len(works))[:HELD_OUT]])

    def sample(self, num: int, rng: np.random.Generator) -> Episodes:
        """Draws episodes, with replacement or, where the task streams, new ones."""
        fresh: Array | None = self.task.stream(num, rng)
        if fresh is not None:
            return trace(self.task, fresh)
        rows: Ints = rng.integers(len(self._train), size=num)
        return self._train.take(rows)

    def like_lengths(self, num: int, rng: np.random.Generator) -> Episodes:
        """Draws episodes of about one length, which saves padding."""
        if not self.waiting:
            drawn = self.sample(4 * num, rng)
            order = np.argsort(drawn.lengths, kind="stable")
            self.waiting = [drawn.take(rows) for rows in rng.permutation(order.reshape(4, -1))]
        return self.waiting.pop()
