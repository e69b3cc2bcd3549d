"""How fast environments step, beside Gymnasium's CartPole-v1: ``python -m musegym.benchmarks.speed``.

Both run in the same process. Rates are medians over repeats in which the contestants take turns, so
that whatever else the machine does slows both alike. Actions are drawn beforehand and uniformly, legal
or not.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import gymnasium as gym
import numpy as np
import torch
import typer

from ..discriminators import make_discriminator
from ..envs.registry import make_task

REFERENCE = "CartPole-v1"
ROWS = (1, 64, 1024)
CALLS = 32
"""Calls between two looks at the clock, and actions drawn beforehand."""


def environment_speed(
    env_id: str = "musegym/Melody-v0", *, rows: tuple[int, ...] = ROWS, repeats: int = 7, seconds: float = 0.3
) -> dict[str, Any]:
    """Measures environment steps per second with ``discriminator="none"``, and the discriminator's scoring rate apart.

    Args:
        env_id: a registered id.
        rows: sizes of the vector environments.
        repeats: turns of each contestant; the median counts.
        seconds: length of a turn.

    Returns:
        ``scalar`` and ``vector`` (by rows), each with steps per second of both and their ratio;
        ``scoring`` with contents per second of an untrained discriminator, one thread; and where it was measured.
    """
    started = time.perf_counter()
    own = {"discriminator": "none"}
    result: dict[str, Any] = {
        "id": env_id,
        "reference": REFERENCE,
        "scalar": _duel(_scalar(env_id, own), _scalar(REFERENCE, {}), repeats, seconds),
        "vector": {str(n): _duel(_vector(env_id, n, own), _vector(REFERENCE, n, {}), repeats, seconds) for n in rows},
        "scoring": _scoring(env_id, repeats, seconds),
    }
    return {**result, "repeats": repeats, "seconds": time.perf_counter() - started, **place()}


def _duel(ours: Callable[[], int], theirs: Callable[[], int], repeats: int, seconds: float) -> dict[str, float]:
    """Lets both take turns; returns median rates and the median of the ratios of neighbouring turns."""
    for run in (ours, theirs):
        _rate(run, seconds / 3)  # warms caches
    rates = [(_rate(ours, seconds), _rate(theirs, seconds)) for _ in range(repeats)]
    return {
        "steps_per_second": statistics.median(own for own, _ in rates),
        "reference_steps_per_second": statistics.median(other for _, other in rates),
        "ratio": statistics.median(own / other for own, other in rates),
    }


def _rate(run: Callable[[], int], seconds: float) -> float:
    """Calls ``run``, which returns how much it did, for some seconds; returns how much per second."""
    done, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds or not done:
        done += run()
    return done / elapsed


def _scalar(env_id: str, kwargs: dict[str, Any]) -> Callable[[], int]:
    env = gym.make(env_id, **kwargs)
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(CALLS)]

    def run() -> int:
        for action in actions:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()
        return CALLS

    return run


def _vector(env_id: str, rows: int, kwargs: dict[str, Any]) -> Callable[[], int]:
    env = gym.make_vec(env_id, num_envs=rows, vectorization_mode="vector_entry_point", **kwargs)
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(CALLS)]

    def run() -> int:
        for action in actions:
            env.step(action)
        return CALLS * rows

    return run


def _scoring(env_id: str, repeats: int, seconds: float) -> dict[str, float]:
    """Measures how many real works a second an untrained discriminator scores, in batches of up to 1,024."""
    task = make_task(env_id)
    contents = task.corpus("train")[:1024]
    conditions = task.condition(contents)
    discriminator = make_discriminator(task)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)

    def run() -> int:
        return len(discriminator.logits(contents, conditions))

    try:
        rates = [_rate(run, seconds) for _ in range(repeats)]
    finally:
        torch.set_num_threads(threads)
    return {"contents_per_second": statistics.median(rates), "batch": len(contents)}


def place() -> dict[str, Any]:
    """Returns what a published number states about its machine and code."""
    folder = Path(__file__).parent
    git = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--exclude=*", "--abbrev=12"]
    try:
        commit = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        commit = ""
    return {
        "commit": commit or None,
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "machine": platform.machine(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "gymnasium": gym.__version__,
    }


def main(
    env_id: Annotated[str, typer.Argument(help="Environment id.")] = "musegym/Melody-v0",
    out: Annotated[Path | None, typer.Option(help="Writes the result there, as JSON.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Turns of each contestant.")] = 7,
    seconds: Annotated[float, typer.Option(min=0.01, help="Length of a turn.")] = 0.3,
) -> None:
    """Measures how fast an environment steps beside CartPole-v1."""
    text = json.dumps(environment_speed(env_id, repeats=repeats, seconds=seconds), indent=2)
    typer.echo(text)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
