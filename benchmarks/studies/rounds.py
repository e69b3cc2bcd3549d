"""How long is a round of joint training, and how much of it does the discriminator take, for every id?

Agents have all defaults and begin with joint training: the policy is untrained, so that works of no fixed length may be
longer than later ones.
"""

from __future__ import annotations

import sys
import time
from typing import Annotated, Any

import typer

from ...agents.rounds import round_of
from ...envs.registry import BUILT_IN
from ...training.loading import env_task, read_corpus
from ..recorded import JsonFile, Seconds, run, write_result
from .turns import learn, learner, one_thread

TEN_MINUTES = 600.0


def measure(env_id: str, seconds: float) -> dict[str, Any]:
    """Measures rounds of one id.

    Args:
        env_id: a registered id.
        seconds: least length of the measurement.

    Returns:
        Sizes of a round; its seconds; ``discriminator_share`` of them; updates of the policy in ten minutes of rounds.
    """
    sizes = round_of(env_task(env_id, {}))
    model, callback = learner(env_id, sizes.rows)
    learn(model, callback, 1)  # reads data and warms caches
    adversary, rounds, begun, spent = model.adversary, 0, time.perf_counter(), model.adversary.seconds
    updates = model._n_updates
    while (elapsed := time.perf_counter() - begun) < seconds or not rounds:
        learn(model, callback, 1)
        rounds += 1
    return {
        "rows": sizes.rows,
        "minibatch": sizes.minibatch,
        "rounds": rounds,
        "round_seconds": elapsed / rounds,
        "discriminator_share": (adversary.seconds - spent) / elapsed,
        "updates_in_ten_minutes": round((model._n_updates - updates) * TEN_MINUTES / elapsed),
    }


@one_thread()
def main(
    context: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Environment ids, by default all.")] = None,
    seconds: Seconds = 20.0,
    json_file: JsonFile = None,
) -> None:
    """Measures rounds of joint training: their seconds, and the share of the discriminator."""
    found: dict[str, Any] = {}
    for env_id in ids or [env_id for env_id, _ in BUILT_IN]:
        read_corpus(env_task(env_id, {}))
        figures = found[env_id] = measure(env_id, seconds)
        print(
            f"{env_id}: {figures['rows']} works a round, {figures['round_seconds']:.2f} s, "
            f"D {figures['discriminator_share']:.0%}, {figures['updates_in_ten_minutes']:,} updates in ten minutes"
        )
    write_result(context, json_file, {"ids": found})


if __name__ == "__main__":
    sys.exit(run(main))
