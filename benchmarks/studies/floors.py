"""Do the judges give the right answer where it is known?

* ``one source``: training works against other training works, tunes dealt at random. 0.5, or the judge is biased.
* ``floor``: training works against test works. An excess over 0.5 is a difference between the splits.
* ``random``: a random policy. 1, or the judge is weak.
"""

from __future__ import annotations

import sys
import time
from typing import Annotated, Any

import numpy as np
import typer

from ...envs.task import Task
from ...errors import UsageError
from ...training.loading import env_task, read_corpus
from ..baselines.random_policy import RandomPolicy
from ..judges.c2st import C2ST, c2st
from ..metrics.features import feature_net, frechet
from ..recorded import Id, JsonFile, print_row, run, write_result
from ..samplers import generated
from ..suite import matched_groups, matched_rows


def floor(task: Task[Any], seed: int) -> C2ST:
    """Judges training works, drawn by ``matched_rows``, against the test split."""
    fake = task.corpus("train")[matched_rows(task, "test", seed)]
    return c2st(task.corpus("test"), fake, task.groups("test"), kind=task.medium.kind, seed=seed)


def one_source(task: Task[Any], seed: int) -> C2ST:
    """Judges training works against others: as many tunes as the test split has, drawn at random, play the test."""
    works, groups = task.corpus("train"), task.groups("train")
    tunes = np.random.default_rng([seed, 11]).permutation(np.unique(groups))
    held_out = np.isin(groups, tunes[: len(np.unique(task.groups("test")))])
    real, rest = works[held_out], works[~held_out]
    rows = matched_groups(task.condition(real), groups[held_out], task.condition(rest), groups[~held_out], seed)
    return c2st(real, rest[rows], groups[held_out], kind=task.medium.kind, seed=seed)


def chance(task: Task[Any], seed: int) -> C2ST:
    """Judges a random policy."""
    real = task.corpus("test")
    fake = generated(RandomPolicy(task), real, len(real), seed)
    return c2st(real, fake, task.groups("test"), kind=task.medium.kind, seed=seed)


CASES = {"one source": one_source, "floor": floor, "random": chance}


def main(
    context: typer.Context,
    env_id: Id = "musegym/Melody-v0",
    seeds: Annotated[int, typer.Option(min=1, help="Draws of training works.")] = 4,
    json_file: JsonFile = None,
) -> None:
    """Judges three cases whose answer is known."""
    task = env_task(env_id, {})
    net = feature_net(read_corpus(task), task.medium.kind)
    runs: list[dict[str, Any]] = []
    for name, judge in CASES.items():
        for seed in range(1 if name == "random" else seeds):
            start = time.process_time()
            try:
                judged = judge(task, seed)
            except ValueError as error:
                raise UsageError(f"{env_id} cannot be judged: {error}") from None
            row = {"what": name, "seed": seed, "cpu_seconds": round(time.process_time() - start, 1)}
            row |= judged.summary()
            if name == "floor":
                works = task.corpus("train")[matched_rows(task, "test", seed)]
                row["frechet"] = frechet(net(task.corpus("test")), net(works))
            runs.append(print_row(row))
    means = {name: float(np.mean([row["accuracy"] for row in runs if row["what"] == name])) for name in CASES}
    print_row(means)
    write_result(context, json_file, {"env_id": env_id, "means": means, "runs": runs})


if __name__ == "__main__":
    sys.exit(run(main))
