"""Co-training for any library that steps Gymnasium environments: wrappers that pass finished works to a trainer."""

from __future__ import annotations

from typing import Any, SupportsFloat, overload

import gymnasium as gym
import numpy as np
from gymnasium.vector import VectorEnv, VectorWrapper

from .discriminator import Array
from .make import make_trainer
from .trainer import DiscriminatorTrainer

Env = gym.Env[Any, Any]
Envs = VectorEnv[Any, Any, Any]


class _Collector:
    """Collects finished works, and passes them to the trainer once there are enough."""

    def __init__(self, trainer: DiscriminatorTrainer, every: int | None) -> None:
        self.trainer = trainer
        self.every = trainer.batch_size if every is None else every
        if self.every < 1:
            raise ValueError(f"every must be a number of contents of at least 1, got {every}")
        self.contents: list[Array] = []
        self.conditions: list[Array] = []

    def add(self, info: dict[str, Any], rows: Any) -> None:
        """Adds the finished works of an ``info``; ``rows`` is an index, or None where it is of a single row."""
        contents = np.asarray(info["content"])[rows]
        none = np.zeros((len(contents), 0), np.int64)
        self.contents.append(contents)
        self.conditions.append(np.asarray(info["condition"])[rows] if "condition" in info else none)
        if sum(map(len, self.contents)) >= self.every:
            gathered = np.concatenate(self.contents), np.concatenate(self.conditions)
            self.contents, self.conditions = [], []
            self.trainer.observe(*gathered)


class CoTrainedEnv(gym.Wrapper[Any, Any, Any, Any]):
    """An environment whose discriminator learns from the contents that are finished in it."""

    def __init__(self, env: Env, trainer: DiscriminatorTrainer, every: int | None = None) -> None:
        super().__init__(env)
        self.trainer = trainer
        self._collector = _Collector(trainer, every)
        _hand_over(env.unwrapped, trainer)

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """Steps; an update of the discriminator changes later rewards only."""
        result = self.env.step(action)
        info = result[-1]
        if "content" in info:
            self._collector.add(info, None)
        return result


class CoTrainedVectorEnv(VectorWrapper):
    """A vector environment whose discriminator learns from the contents that are finished in it."""

    def __init__(self, env: Envs, trainer: DiscriminatorTrainer, every: int | None = None) -> None:
        super().__init__(env)
        self.trainer = trainer
        self._collector = _Collector(trainer, every)
        _hand_over(env.unwrapped, trainer)

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Steps; an update of the discriminator changes later rewards only."""
        result = self.env.step(actions)
        # Under SAME_STEP autoreset a row has already begun its next work; the finished one is in final_info.
        for info in (result[-1], result[-1].get("final_info", {})):
            if "content" in info:
                self._collector.add(info, info["_content"])
        return result


@overload
def co_trained(env: Env, trainer: DiscriminatorTrainer | None = None, **options: Any) -> CoTrainedEnv: ...
@overload
def co_trained(env: Envs, trainer: DiscriminatorTrainer | None = None, **options: Any) -> CoTrainedVectorEnv: ...
def co_trained(
    env: Env | Envs, trainer: DiscriminatorTrainer | None = None, *, every: int | None = None, **options: Any
) -> CoTrainedEnv | CoTrainedVectorEnv:
    """Wraps an environment so that steps of it train its discriminator, in any algorithm.

    A factory, since Gymnasium has one class of wrappers for scalar environments and one for vectors.

    Args:
        env: A musegym environment, scalar or vector, wrapped or not.
        trainer: Trains its discriminator; None makes one with a default discriminator.
        every: Finished contents between two calls of ``trainer.observe``; the trainer's batch size where None.
        **options: Options of ``make_trainer``, where ``trainer`` is None.

    Returns:
        The wrapped environment, with the attribute ``trainer``.

    Raises:
        ValueError: both a trainer and options are given, or the environment is not one of musegym.
    """
    if trainer is None:
        trainer = make_trainer(_task(env.unwrapped), **options)
    elif options:
        raise ValueError(f"give either a trainer or the options {sorted(options)} of a new one")
    if isinstance(env, VectorEnv):
        return CoTrainedVectorEnv(env, trainer, every)
    return CoTrainedEnv(env, trainer, every)


def _task(env: Any) -> Any:
    if hasattr(env, "task"):
        return env.task
    # Gymnasium's vectors of scalar environments.
    if hasattr(env, "get_attr"):
        return env.get_attr("task")[0]
    raise ValueError(f"{env} builds no contents: co_trained needs an environment of musegym")


def _hand_over(env: Any, trainer: DiscriminatorTrainer) -> None:
    if hasattr(env, "set_discriminator"):
        env.set_discriminator(trainer.discriminator)
    elif hasattr(env, "call"):
        env.call("set_discriminator", trainer.discriminator)
    else:
        raise ValueError(f"{env} takes no discriminator: co_trained needs an environment of musegym")
