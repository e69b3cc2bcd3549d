"""How many environment steps an agent learns from in a second: ``python -m musegym.benchmarks.learning_speed``.

``AdversarialDQN`` at the settings of the quality table and SB3's DQN at its defaults, each with
``DiscriminatorCallback`` at its defaults on the same environment, take turns in one process with one torch thread. The
training of the discriminator is included, warm start and the phase in which it leads are not. (SB3's replay is cut from
a million to 100,000 steps, for memory; that does not slow it.)
"""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from stable_baselines3 import DQN

from ..agents import DiscriminatorCallback, make_sb3_env
from .speed import place
from .turns import ROWS, learner, one_thread, turn


def learning_speed(
    env_id: str = "musegym/Melody-v0", *, dqn_rows: int = 1, repeats: int = 5, seconds: float = 6.0
) -> dict[str, Any]:
    """Measures environment steps per second of learning.

    Args:
        env_id: a registered id.
        dqn_rows: environments of SB3's DQN, which by default has one.
        repeats: turns of each contestant; the median counts.
        seconds: least length of a turn.

    Returns:
        Steps per second of both, the median of the ratios of neighbouring turns, and where it was measured.
    """
    started = time.perf_counter()
    with one_thread():
        theirs = DQN("MlpPolicy", make_sb3_env(env_id, dqn_rows, 0), seed=0, buffer_size=100_000)
        contestants = [learner(env_id, ROWS), (theirs, DiscriminatorCallback())]
        for model, callback in contestants:
            turn(model, callback, seconds / 2)  # fills the replay, warms caches
        rates = [[turn(model, callback, seconds).per_second for model, callback in contestants] for _ in range(repeats)]
    return {
        "id": env_id,
        "ours": {"envs": ROWS, "steps_per_second": statistics.median(own for own, _ in rates)},
        "sb3_dqn": {"envs": dqn_rows, "steps_per_second": statistics.median(other for _, other in rates)},
        "ratio": statistics.median(own / other for own, other in rates),
        "threads": 1,
        "repeats": repeats,
        "seconds": time.perf_counter() - started,
        **place(),
    }


def main(
    env_id: Annotated[str, typer.Argument(help="Environment id.")] = "musegym/Melody-v0",
    out: Annotated[Path | None, typer.Option(help="Writes the result there, as JSON.")] = None,
    dqn_rows: Annotated[int, typer.Option(min=1, help="Environments of SB3's DQN.")] = 1,
    repeats: Annotated[int, typer.Option(min=1, help="Turns of each contestant.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.01, help="Least length of a turn.")] = 6.0,
) -> None:
    """Measures learning speed beside SB3's DQN."""
    text = json.dumps(learning_speed(env_id, dqn_rows=dqn_rows, repeats=repeats, seconds=seconds), indent=2)
    typer.echo(text)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
