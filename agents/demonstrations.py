"""Real works as episodes: data for imitation, and held-out works for the likelihood."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch

from ..envs.task import Array, Ints, Task, Works
from .episodes import Episodes, trace

HELD_OUT = 512
"""Validation works, at most, on which the likelihood is measured."""


class Demonstrations:
    """The episodes that build a task's training works; none where it has no demonstrations.

    Where the task streams fresh works (``Task.stream``), every draw is of new ones.

    Args:
        task: the domain.
        augmentation: share of augmented works (``Task.augmented``) in the batches of ``like_lengths``.
    """

    def __init__(self, task: Task[Any], augmentation: float = 0.0) -> None:
        self.task, self.augmentation = task, augmentation
        self._batches: list[Episodes] = []  # of similar lengths, drawn and not yet returned

    def __bool__(self) -> bool:
        return self.task.has_demonstrations

    @functools.cached_property
    def _train(self) -> Episodes:
        return _traced(self.task, self.task.works("train"))

    @functools.cached_property
    def _augmented(self) -> Episodes | None:
        works = self.task.augmented(self.task.works("train")) if self.augmentation else None
        return None if works is None else _traced(self.task, works)

    @functools.cached_property
    def held_out(self) -> Episodes:
        """Episodes that build a fixed sample of the validation works."""
        works = self.task.works("validation")
        return _traced(self.task, works.take(np.random.default_rng(0).permutation(len(works))[:HELD_OUT]))

    @functools.cached_property
    def known(self) -> Episodes | None:
        """Episodes that build a fixed sample of the training works; None where the task streams works."""
        if self.task.stream(1, np.random.default_rng(0)) is not None:
            return None
        return self._train.take(np.sort(np.random.default_rng(0).permutation(len(self._train))[:HELD_OUT]))

    def sample(self, num: int, rng: np.random.Generator) -> Episodes:
        """Returns random episodes: drawn with replacement or, where the task streams, new ones."""
        fresh: Array | None = self.task.stream(num, rng)
        if fresh is not None:
            return trace(self.task, fresh)
        rows: Ints = rng.integers(len(self._train), size=num)
        return self._train.take(rows)

    def _with_augmented(self, num: int, rng: np.random.Generator) -> Episodes:
        """Returns random episodes, some of them of augmented works."""
        others = self._augmented
        if others is None:
            return self.sample(num, rng)
        some = others.take(rng.integers(len(others), size=round(self.augmentation * num)))
        return Episodes.join([self.sample(num - len(some), rng), some]).take(rng.permutation(num))

    def like_lengths(self, num: int, rng: np.random.Generator) -> Episodes:
        """Returns random episodes of similar lengths, which saves padding; some of them of augmented works."""
        if not self._batches:
            drawn = self._with_augmented(4 * num, rng)
            order = np.argsort(drawn.lengths, kind="stable")
            self._batches = [drawn.take(rows) for rows in rng.permutation(order.reshape(4, -1))]
        return self._batches.pop()

    def state_dict(self) -> list[dict[str, torch.Tensor]]:
        """Returns the batches that were drawn and not yet returned."""
        return [batch.state_dict() for batch in self._batches]

    def load_state_dict(self, state: list[dict[str, torch.Tensor]]) -> None:
        """Continues from a ``state_dict``."""
        self._batches = [Episodes.from_state_dict(batch) for batch in state]


def _traced(task: Task[Any], works: Works) -> Episodes:
    return trace(task, works.contents, works.conditions, works.actions)
