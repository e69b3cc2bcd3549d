"""The random policy."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...agents.episodes import trace
from ...envs.task import Array, Floats, Ints, Task


class RandomPolicy:
    """Chooses uniformly among the legal actions."""

    def __init__(self, task: Task[Any]) -> None:
        self.task = task

    def sample(self, condition: Ints | None, num: int, seed: int) -> Array:
        """Returns ``num`` contents, under the conditions int [num, C] where the task has any."""
        rng, task = np.random.default_rng(seed), self.task
        state = task.initial(rng.integers(2**63, size=num, dtype=np.uint64), condition)
        while not state.done.all():
            mask = task.action_mask(state)
            state, _ = task.step(state, (rng.random(mask.shape) * mask).argmax(1))
        return task.decoded(task.content(state), rng)

    def log_prob(self, contents: Array, conditions: Ints | None = None, actions: Ints | None = None) -> Floats:
        """Returns log-probabilities given the condition, nats, float64 [N]: -sum of log(number of legal actions)."""
        episodes = trace(self.task, contents, conditions, actions)
        decided = np.arange(self.task.horizon) < episodes.lengths[:, None]  # [N, T]
        legal = np.bitwise_count(episodes.masks).sum(2)
        nats: Floats = -np.log(np.where(decided, legal, 1)).sum(1)
        return nats
