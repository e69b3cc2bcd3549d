"""Comparisons of speed: two contestants take turns, so that other load slows both alike.

A process of another version of musegym runs this file too (``learning_speed.other_version``), with its agents: the file
may use only names that every version has.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from ... import agents
from ...agents import AdversarialDQN, DiscriminatorCallback, make_sb3_env

ROWS = 1024
"""Contents that ``AdversarialDQN`` builds in a round at the defaults of ``musegym train``."""
STEPS = 500
"""Environment steps between two looks at the clock, at least."""


class Rate(NamedTuple):
    """Environment steps per second, and per second of the processor, which other load changes less."""

    per_second: float
    per_cpu_second: float


Contestant = Callable[[float], Rate]
"""Works for at least so many seconds."""


def turn(work: Callable[[], int], seconds: float) -> Rate:
    """Calls ``work``, which returns its number of steps, once at least and until the seconds are over."""
    steps, start, cpu = 0, time.perf_counter(), time.process_time()
    while (elapsed := time.perf_counter() - start) < seconds or not steps:
        steps += work()
    return Rate(steps / elapsed, steps / (time.process_time() - cpu))


def contest(ours: Contestant, reference: Contestant, repeats: int, seconds: float) -> dict[str, Any]:
    """Lets two contestants take turns of so many seconds, after a shorter one each that reads data and warms caches.

    Returns:
        Median steps per second of both; the ratios of neighbouring turns, ours over the reference's, their median
        (``ratio``), and the median ratio by processor time (``cpu_ratio``).
    """
    for contestant in (ours, reference):
        contestant(seconds / 2)
    pairs = [(ours(seconds), reference(seconds)) for _ in range(repeats)]
    ratios = [rate.per_second / other.per_second for rate, other in pairs]
    return {
        "steps_per_second": statistics.median(rate.per_second for rate, _ in pairs),
        "reference_steps_per_second": statistics.median(other.per_second for _, other in pairs),
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "cpu_ratio": statistics.median(rate.per_cpu_second / other.per_cpu_second for rate, other in pairs),
        "repeats": repeats,
    }


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Configures torch as ``musegym train`` does, with one thread."""
    threads = torch.get_num_threads()
    # Earlier versions have the second, or neither.
    for module, function in (("training.processor", "configure_torch"), ("processor", "settle")):
        with contextlib.suppress(ImportError):
            getattr(importlib.import_module(f"...{module}", __package__), function)()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def learner(env_id: str, rows: int) -> tuple[AdversarialDQN, DiscriminatorCallback]:
    """Makes an agent and the callback that trains its discriminator, both at their defaults, without warm start.

    Args:
        env_id: a registered id.
        rows: contents built in a round.
    """
    env = make_sb3_env(env_id, rows, 0, discriminator="none")
    model = AdversarialDQN("auto", env, seed=0, schedule=(0.0, 0.0))
    # The learning rate falls to zero over a call of learn(): in one as short as a turn's, nothing would be learned.
    set_budget = getattr(model, "set_budget", functools.partial(setattr, model, "budget"))  # of an earlier version
    set_budget(lambda: 0.0)
    return model, DiscriminatorCallback()


def learn(model: OffPolicyAlgorithm, callback: DiscriminatorCallback, steps: int) -> int:
    """Learns for at least so many environment steps, without reports; returns their number.

    An ``AdversarialDQN`` ends with a whole round: for ``steps=1`` it learns for one.
    """
    before = model.num_timesteps
    model.learn(steps, callback=callback, reset_num_timesteps=False, log_interval=10**9)
    return model.num_timesteps - before


def learning(model: OffPolicyAlgorithm, callback: DiscriminatorCallback) -> Contestant:
    """Returns a contestant that learns."""
    return lambda seconds: turn(lambda: learn(model, callback, STEPS), seconds)


def serve(env_id: str, rows: str) -> None:
    """Learns for a turn per line of standard input, which holds its seconds; answers with its ``Rate`` as JSON.

    The first answer is the path of the agents.
    """
    answers, sys.stdout = sys.stdout, sys.stderr  # other output must not be read as an answer
    with one_thread():
        contestant = learning(*learner(env_id, int(rows)))
        print(json.dumps(agents.__file__), file=answers, flush=True)
        for line in sys.stdin:
            print(json.dumps(contestant(json.loads(line))), file=answers, flush=True)
