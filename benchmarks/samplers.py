"""Samplers: the interface through which agents and baselines are measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ..envs.task import Array, Floats, Ints, Task, Works


@runtime_checkable
class Sampler(Protocol):
    """A generator of contents of a task."""

    task: Task[Any]

    def sample(self, condition: Ints | None, num: int, seed: int) -> Array:
        """Returns ``num`` contents; content i under condition i of int [num, C], where the task has conditions."""
        ...


class AgentSampler:
    """A sampler of an ``AdversarialDQN``, or any model of Stable-Baselines3, at a temperature of its policy."""

    log_prob: Callable[[Array, Ints | None, Ints | None], Floats]
    """From contents, conditions and actions to log-probabilities at temperature 1, nats, float [B].

    Samplers of models without log-probabilities lack it.
    """

    def __init__(self, model: Any, temperature: float = 1.0) -> None:
        from ..agents import built_by

        self.model, self.temperature = model, temperature
        self.task: Task[Any] = built_by(model)
        if hasattr(model, "log_prob"):
            self.log_prob = model.log_prob

    def sample(self, condition: Ints | None, num: int, seed: int) -> Array:
        """Returns ``num`` contents."""
        from ..agents import generate

        contents: Array = generate(self.model, num=num, seed=seed, temperature=self.temperature, condition=condition)
        return contents


def generated(sampler: Sampler, real: Works, num: int, seed: int) -> Works:
    """Returns ``num`` generated works; work i has the condition of real work ``i mod N``.

    Raises:
        ValueError: the sampler returned contents of another shape or number.
    """
    task = sampler.task
    conditions = real.conditions[np.arange(num) % len(real)]
    contents = np.asarray(sampler.sample(conditions if task.conditions else None, num, seed))
    if contents.shape != (num, *task.layout.shape):
        raise ValueError(f"the model returned contents {contents.shape}, not {(num, *task.layout.shape)}")
    return Works(contents, conditions)
