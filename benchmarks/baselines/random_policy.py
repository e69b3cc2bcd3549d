"""The baseline of chance."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...envs.task import Array, Floats, Ints, Task


class RandomPolicy:
    """Chooses evenly among the legal decisions."""

    def __init__(self, task: Task[Any]) -> None:
        self.task = task

    def sample(self, condition: Ints | None, num: int, seed: int) -> Array:
        """Returns ``num`` contents, under the conditions int [num, C] where the task has any."""
        rng = np.random.default_rng(seed)
        state = self.task.initial(rng.integers(2**63, size=num, dtype=np.uint64), condition)
        for _ in range(self.task.horizon):
            mask = self.task.action_mask(state)
            state, done = self.task.step(state, (rng.random(mask.shape) * mask).argmax(1))
            if done.all():
                break
        return self.task.content(state)

    def log_prob(self, contents: Array) -> Floats:
        """Returns log-probabilities given the condition, nats, float64 [N]: -sum of log(legal decisions)."""
        task, nats = self.task, np.zeros(len(contents))
        actions = task.demonstrations(contents)
        condition = None if task.condition_space is None else task.condition(contents)
        state, done = task.initial(np.zeros(len(contents), np.uint64), condition), np.zeros(len(contents), bool)
        for t in range(task.horizon):
            nats -= np.log(task.action_mask(state).sum(1)) * ~done
            state, ended = task.step(state, actions[:, t])
            done = done | ended
        return nats
