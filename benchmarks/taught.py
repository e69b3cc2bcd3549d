"""What judges see that learned from the whole train split: ``python -m musegym.benchmarks.taught RUN ... --json FILE``.

The judges of the tables learn from held-out works, of which there are few, and so miss what is rare or subtle. Here
they learn from every training work and as many generated ones (``judges.c2st_taught``), and are asked about the
held-out works and as many generated ones. Runs are compared pair by pair on the same held-out works.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from ..agents import AdversarialDQN
from ..envs.task import Floats, Ints, Split
from ..options import load_model, read_corpus
from ..runs import UsageError, write_atomically
from .judges import c2st_taught
from .stats import mean_by_group, paired_difference
from .suite import AgentSampler, generated
from .work import provenance


def judge(model: AdversarialDQN, split: Split, seed: int) -> tuple[dict[str, Any], Floats, Ints]:
    """Judges a model: figures, how often the judges were right of each held-out pair, and its tune."""
    sampler, task = AgentSampler(model), model.task
    train, real, groups = task.corpus("train"), task.corpus(split), task.groups(split)
    fakes = generated(sampler, train, len(train), seed), generated(sampler, real, len(real), seed + 1)
    begun = time.process_time()
    found = c2st_taught((train, fakes[0]), task.groups("train"), (real, fakes[1]), kind=task.medium.kind, seed=seed)
    right = (found.correct_real.astype(float) + found.correct_fake) / 2
    interval = mean_by_group(right, groups, np.random.default_rng(seed))
    return (
        {
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


def models_of(runs: Sequence[Path], split: Split) -> list[AdversarialDQN]:
    """Loads the models of runs, all of them before any is judged.

    Raises:
        UsageError: one cannot be loaded, or has other held-out works than the first.
    """
    models = [load_model(run, None) for run in runs]
    for run, model in zip(runs, models, strict=True):
        read_corpus(model.task)
        if not np.array_equal(model.task.corpus(split), models[0].task.corpus(split)):
            raise UsageError(f"{run} has other {split} works than {runs[0]}; compare runs of one task")
    return models


def writable(file: Path) -> None:
    """Makes the folder of a file, and raises ``UsageError`` where the file could not be written."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=file.parent):
            pass
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from None
    if file.is_dir():
        raise UsageError(f"cannot write {file}: it is a folder")


def shown(path: Path) -> str:
    """Returns a path as it may be published: relative to the working directory, outside of it the name alone."""
    relative = Path(os.path.relpath(path))
    return path.resolve().name if ".." in relative.parts else relative.as_posix()


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints one line per run, and the difference of each to the first; exit code 2 where that cannot be."""
    parser = argparse.ArgumentParser(prog="python -m musegym.benchmarks.taught")
    parser.add_argument(
        "runs", type=Path, nargs="+", help="folders of finished runs; the others are compared to the first"
    )
    parser.add_argument("--split", choices=("validation", "test"), default="validation")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="file for the figures")
    given = parser.parse_args(arguments)
    split = cast("Split", given.split)
    try:
        models = models_of(given.runs, split)
        if given.json is not None:
            writable(given.json)
    except UsageError as error:
        print(f"{parser.prog}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    rows: list[dict[str, Any]] = []
    first: Floats | None = None
    for run, model in zip(given.runs, models, strict=True):
        figures, right, groups = judge(model, split, given.seed)
        row = {"run": shown(run), **figures}
        if first is None:
            first = right
        else:
            difference = paired_difference(right, first, groups, np.random.default_rng(given.seed))
            row["minus_first"] = [difference.estimate, difference.low, difference.high]
        rows.append(row)
        print(json.dumps(row), flush=True)
    if given.json is not None:
        command = ["python", "-m", "musegym.benchmarks.taught", *map(shown, given.runs), "--split", split]
        command += ["--seed", str(given.seed), "--json", shown(given.json)]
        result = {"command": shlex.join(command), "split": split, "seed": given.seed, "rows": rows, **provenance()}
        write_atomically(given.json, json.dumps(result, indent=1, allow_nan=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
