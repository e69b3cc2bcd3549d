"""What judges see that learned from the whole train split: ``python -m musegym.benchmarks.taught RUN ... --json FILE``.

The judges of the tables learn from held-out works, of which there are few, and so miss what is rare or subtle. Here
they learn from every training work and as many generated ones (``judges.c2st_taught``), and are asked about the
held-out works and as many generated ones. Runs are compared pair by pair on the same held-out works.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np

from ..agents import AdversarialDQN
from ..envs.task import Floats, Ints, Split
from ..runs import write_atomically
from .judges import c2st_taught
from .stats import mean_by_group, paired_difference
from .suite import AgentSampler, generated
from .work import provenance


def judge(run: Path, split: Split, seed: int) -> tuple[dict[str, Any], Floats, Ints]:
    """Judges the model of a run: figures, how often the judges were right of each held-out pair, and its tune."""
    model = AgentSampler(AdversarialDQN.load(run / "model.zip"))
    task = model.task
    train, real, groups = task.corpus("train"), task.corpus(split), task.groups(split)
    fakes = generated(model, train, len(train), seed), generated(model, real, len(real), seed + 1)
    begun = time.process_time()
    found = c2st_taught((train, fakes[0]), task.groups("train"), (real, fakes[1]), kind=task.medium.kind, seed=seed)
    right = (found.correct_real.astype(float) + found.correct_fake) / 2
    interval = mean_by_group(right, groups, np.random.default_rng(seed))
    return (
        {
            "run": run.name,
            "accuracy": found.accuracy,
            "interval": [interval.low, interval.high],
            "chosen": found.chosen,
            "by_architecture": found.by_architecture,
            "learned_from": len(train),
            "works_a_side": len(real),
            "cpu_seconds": round(time.process_time() - begun, 1),
        },
        right,
        groups,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints one line per run, and the difference of each to the first."""
    parser = argparse.ArgumentParser(prog="python -m musegym.benchmarks.taught")
    parser.add_argument(
        "runs", type=Path, nargs="+", help="folders of finished runs; the others are compared to the first"
    )
    parser.add_argument("--split", choices=get_args(Split), default="validation")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="file for the figures")
    given = parser.parse_args(arguments)
    split = cast("Split", given.split)
    rows: list[dict[str, Any]] = []
    first: Floats | None = None
    for run in given.runs:
        row, right, groups = judge(run, split, given.seed)
        if first is None:
            first = right
        else:
            difference = paired_difference(right, first, groups, np.random.default_rng(given.seed))
            row["minus_first"] = [difference.estimate, difference.low, difference.high]
        rows.append(row)
        print(json.dumps(row), flush=True)
    if given.json is not None:
        command = ["python -m musegym.benchmarks.taught", *(run.name for run in given.runs), "--split", split]
        result = {"command": " ".join(command), "split": split, "seed": given.seed, "rows": rows, **provenance()}
        given.json.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(given.json, json.dumps(result, indent=1, allow_nan=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
