"""Learning in timed turns: what all measurements of its speed share.

A process of another version of musegym runs this file too (``loop.learning``), with its own agents: only what every
version has can stand here.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from .. import agents
from ..agents import AdversarialDQN, DiscriminatorCallback, make_sb3_env

ROWS = 1024
"""Contents that ``AdversarialDQN`` builds in a round where ``musegym train`` is told nothing else."""
STEPS = 500
"""Environment steps between two looks at the clock, at least."""


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Lets torch use one thread, and what else ``musegym train`` chooses."""
    threads = torch.get_num_threads()
    with contextlib.suppress(ImportError):  # the first version left the rest as it is
        from ..training import processor

        processor.configure_torch()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def learner(
    env_id: str, rows: int, wrapper: Callable[[VecEnv], VecEnv] | None = None, **kwargs: Any
) -> tuple[AdversarialDQN, DiscriminatorCallback]:
    """Makes an agent and what trains its discriminator, both at their defaults.

    Args:
        env_id: a registered id.
        rows: contents built in a round.
        wrapper: goes around the environment.
        **kwargs: arguments of the environment.
    """
    env: VecEnv = make_sb3_env(env_id, rows, 0, discriminator="none", **kwargs)
    env = env if wrapper is None else wrapper(env)
    model = AdversarialDQN("auto", env, seed=0, schedule=(0.0, 0.0))
    # The learning rate falls to zero over a call of learn(): in one as short as a turn's, nothing would be learned.
    model.budget = lambda: 0.0
    return model, DiscriminatorCallback()


def learn(model: OffPolicyAlgorithm, callback: DiscriminatorCallback, steps: int) -> int:
    """Learns for at least so many environment steps, and without reports; returns how many there were.

    An ``AdversarialDQN`` ends with a whole round: for ``steps=1`` it learns for one.
    """
    before = model.num_timesteps
    model.learn(steps, callback=callback, reset_num_timesteps=False, log_interval=10**9)
    return model.num_timesteps - before


class Rate(NamedTuple):
    """Environment steps learned per second, and per second of the processor, which hangs less on who else uses it."""

    per_second: float
    per_cpu_second: float


def turn(model: OffPolicyAlgorithm, callback: DiscriminatorCallback, seconds: float) -> Rate:
    """Learns for at least so many seconds."""
    steps, start, cpu = 0, time.perf_counter(), time.process_time()
    while (elapsed := time.perf_counter() - start) < seconds or not steps:
        steps += learn(model, callback, STEPS)
    return Rate(steps / elapsed, steps / (time.process_time() - cpu))


def serve(env_id: str, rows: str) -> None:
    """Takes a turn for each line of standard input, its seconds; answers with a line of JSON, its ``Rate``.

    Before it says where its agents come from.
    """
    answers, sys.stdout = sys.stdout, sys.stderr  # so that nothing else can be taken for an answer
    with one_thread():
        model, callback = learner(env_id, int(rows))
        print(json.dumps(agents.__file__), file=answers, flush=True)
        for line in sys.stdin:
            print(json.dumps(turn(model, callback, json.loads(line))), file=answers, flush=True)
