"""What the judges say where the answer is known: ``python -m musegym.benchmarks.floors --json FILE``.

* ``one source``: training works against other training works, tunes dealt at random. 0.5, or the judge is biased.
* ``floor``: training works against test works. What exceeds 0.5 here is a difference between the splits.
* ``random``: a random policy. 1, or the judge is weak.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..envs.registry import make_task
from ..envs.task import Task
from ..training.files import write_atomically
from .baselines.random_policy import RandomPolicy
from .judges.c2st import C2ST, c2st
from .metrics.features import feature_net, frechet
from .provenance import provenance
from .samplers import generated
from .suite import matched_groups, matched_rows


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


WHAT = {"one source": one_source, "floor": floor, "random": chance}


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints one line per judgement and writes them all to a file."""
    parser = argparse.ArgumentParser(prog="python -m musegym.benchmarks.floors")
    parser.add_argument("--id", default="musegym/Melody-v0")
    parser.add_argument("--seeds", type=int, default=4, help="draws of training works")
    parser.add_argument("--json", type=Path, help="file for the figures")
    given = parser.parse_args(arguments)
    task = make_task(given.id)
    real, net = task.corpus("test"), feature_net(task.corpus("train"), task.medium.kind)
    runs: list[dict[str, Any]] = []
    for name, judge in WHAT.items():
        for seed in range(1 if name == "random" else given.seeds):
            begun = time.process_time()
            found = judge(task, seed)
            runs.append({"what": name, "seed": seed, "cpu_seconds": round(time.process_time() - begun, 1)})
            runs[-1] |= found.summary()
            if name == "floor":
                runs[-1]["frechet"] = frechet(net(real), net(task.corpus("train")[matched_rows(task, "test", seed)]))
            print(name, seed, f"{found.accuracy:.4f}", runs[-1]["cpu_seconds"], "s", flush=True)
    means = {what: float(np.mean([run["accuracy"] for run in runs if run["what"] == what])) for what in WHAT}
    result = {
        "command": f"python -m musegym.benchmarks.floors --id {given.id} --seeds {given.seeds}",
        "env_id": given.id,
        "means": means,
        "runs": runs,
        **provenance(),
    }
    print(", ".join(f"{what} {mean:.4f}" for what, mean in means.items()))
    if given.json is not None:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(given.json, json.dumps(result, indent=1, allow_nan=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
