"""Do the judges give the right accuracy where it is known?

* ``one source``: training works against other training works, tunes drawn at random. 0.5, or the judge is biased.
* ``floor``: training works against test works. An excess over 0.5 is a difference between the splits.
* ``random``: a random policy. 1, or the judge is weak.
* ``fresh judges``, ``taught judges``: their own test (``judges.self_test``).
"""

from __future__ import annotations

import dataclasses
import sys
import time
from typing import Annotated, Any

import numpy as np
import typer

from ...envs.task import Task, Works
from ...errors import UsageError
from ...training.loading import env_kwargs, env_task, read_corpus
from ..baselines.random_policy import RandomPolicy
from ..judges.c2st import c2st
from ..judges.matching import matched_rows
from ..judges.self_test import fresh_judges, taught_judges
from ..judges.surprise import surprise
from ..metrics.features import feature_net, frechet
from ..recorded import Id, JsonFile, print_row, run, write_result
from ..samplers import generated


def floor(task: Task[Any], seed: int) -> tuple[Works, Works]:
    """Returns the test split and training works, drawn by ``matched_rows``."""
    test, train = task.works("test"), task.works("train")
    return test, train.take(matched_rows(test, train, seed, halved=True))


def one_source(task: Task[Any], seed: int) -> tuple[Works, Works]:
    """Returns two sets of training works; the first has as many tunes, drawn at random, as the test split."""
    train, tunes = task.works("train"), len(np.unique(task.works("test").groups))
    drawn = np.random.default_rng([seed, 11]).permutation(np.unique(train.groups))[:tunes]
    held_out = np.isin(train.groups, drawn)
    real, rest = train.take(held_out), train.take(~held_out)
    return real, rest.take(matched_rows(real, rest, seed, halved=True))


def chance(task: Task[Any], seed: int) -> tuple[Works, Works]:
    """Returns the test split and the works of a random policy."""
    test = task.works("test")
    return test, generated(RandomPolicy(task), test, len(test), seed)


CASES = {"one source": one_source, "floor": floor, "random": chance}


def main(
    context: typer.Context,
    env_id: Id = "musegym/Melody-v0",
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Environment argument.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Draws of training works.")] = 4,
    json_file: JsonFile = None,
) -> None:
    """Judges three cases whose accuracy is known."""
    given = env_kwargs(env_id, set_)
    task = env_task(env_id, given)
    net = feature_net(read_corpus(task), task.layout)
    rater = surprise(task)
    runs: list[dict[str, Any]] = []
    for name, draw in CASES.items():
        for seed in range(1 if name == "random" else seeds):
            start = time.process_time()
            try:
                real, other = draw(task, seed)
                judged = c2st(real, other, task.layout, rater=rater, seed=seed).summary()
            except ValueError as error:
                raise UsageError(f"{env_id} cannot be judged: {error}") from None
            row = {"what": name, "seed": seed, "cpu_seconds": round(time.process_time() - start, 1), **judged}
            if name == "floor":
                row["frechet"] = frechet(net(real.contents), net(other.contents))
            runs.append(print_row(row))
    tested = {"fresh judges": fresh_judges(task, task.works("test")), "taught judges": taught_judges(task, "test")}
    for name, found in tested.items():
        runs.append(print_row({"what": name, **dataclasses.asdict(found), "verdict": found.verdict}))
    means = {name: float(np.mean([row["accuracy"] for row in runs if row["what"] == name])) for name in CASES}
    print_row(means)
    write_result(context, json_file, {"env_id": env_id, "env_kwargs": given, "means": means, "runs": runs})


if __name__ == "__main__":
    sys.exit(run(main))
