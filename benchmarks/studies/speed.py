"""How fast do environments step, compared with Gymnasium's CartPole-v1?

Both run in the same process and take turns. So does a copy of the observations, which every step returns anew: an
environment is no faster than that. Actions are drawn beforehand and uniformly, legal or not. Environments have
``discriminator="none"``; the scoring rate of an untrained discriminator is measured separately, with one thread.
"""

from __future__ import annotations

import functools
import json
import statistics
import sys
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import typer

from ...discriminators import make_discriminator
from ...training.loading import env_task, read_corpus
from ..recorded import Id, JsonFile, Repeats, Seconds, run, write_result
from .turns import Contestant, contest, one_thread, turn

REFERENCE = "CartPole-v1"
ROWS = (1, 64, 1024)
CALLS = 32
"""Calls between two looks at the clock, and actions drawn beforehand."""


def scalar(env_id: str, **kwargs: Any) -> Contestant:
    """Returns a contestant that steps one environment."""
    env = gym.make(env_id, **kwargs)
    env.reset(seed=0)

    def step(action: Any) -> None:
        _, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            env.reset()

    return _stepping(env.action_space, step, CALLS)


def vector(env_id: str, rows: int, **kwargs: Any) -> Contestant:
    """Returns a contestant that steps a native vector environment."""
    env = gym.make_vec(env_id, num_envs=rows, vectorization_mode="vector_entry_point", **kwargs)
    env.reset(seed=0)
    return _stepping(env.action_space, env.step, CALLS * rows)


def copying(env_id: str, rows: int, **kwargs: Any) -> Contestant:
    """Returns a contestant that copies the observations of a native vector environment once a step, and no more."""
    env = gym.make_vec(env_id, num_envs=rows, vectorization_mode="vector_entry_point", **kwargs)
    observations, _ = env.reset(seed=0)

    def work() -> int:
        for _ in range(CALLS):
            observations.copy()
        return CALLS * rows

    return functools.partial(turn, work)


def _stepping(space: gym.Space[Any], step: Callable[[Any], object], steps: int) -> Contestant:
    space.seed(0)
    actions = [space.sample() for _ in range(CALLS)]

    def work() -> int:
        for action in actions:
            step(action)
        return steps

    return functools.partial(turn, work)


def scoring(env_id: str, repeats: int, seconds: float) -> dict[str, float]:
    """Measures the real works per second that an untrained discriminator scores, in batches of up to 1,024."""
    task = env_task(env_id, {})
    works, discriminator = task.works("train").take(slice(1024)), make_discriminator(task)
    rates = [turn(lambda: len(discriminator.logits(works.contents, works.conditions)), seconds) for _ in range(repeats)]
    return {"contents_per_second": statistics.median(rate.per_second for rate in rates), "batch": len(works)}


@one_thread()
def main(
    context: typer.Context,
    env_id: Id = "musegym/Melody-v0",
    repeats: Repeats = 7,
    seconds: Seconds = 0.3,
    json_file: JsonFile = None,
) -> None:
    """Measures how fast an environment steps, compared with CartPole-v1.

    The result has contests (``turns.contest``) of the scalar environment, of the vector environment by number of rows,
    and of copying the observations of the most rows; and ``scoring``.
    """
    read_corpus(env_task(env_id, {}))
    found: dict[str, Any] = {"id": env_id, "reference": REFERENCE}
    found["scalar"] = contest(scalar(env_id, discriminator="none"), scalar(REFERENCE), repeats, seconds)
    found["vector"] = {
        str(rows): contest(vector(env_id, rows, discriminator="none"), vector(REFERENCE, rows), repeats, seconds)
        for rows in ROWS
    }
    rows = ROWS[-1]
    found["copying"] = {
        str(rows): contest(copying(env_id, rows, discriminator="none"), vector(REFERENCE, rows), repeats, seconds)
    }
    found["scoring"] = scoring(env_id, repeats, seconds)
    print(json.dumps(found, indent=1))
    write_result(context, json_file, found)


if __name__ == "__main__":
    sys.exit(run(main))
