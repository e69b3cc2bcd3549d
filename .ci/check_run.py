"""Checks what a minute of training left behind: python .ci/check_run.py RUN EVALUATION.json."""

import itertools
import json
import math
import sys
from pathlib import Path

import numpy as np
import pretty_midi

from musegym.envs import make_task

RANDOM_C2ST = 0.97
"""A fresh classifier tells melodies of the uniform policy from real ones better than this (0.99 and more)."""


def uniform_nll(id: str) -> float:
    """Returns the mean nats per real work under a policy that is uniform over the legal actions."""
    task = make_task(id)
    works = task.corpus("validation")[:500]
    actions = task.demonstrations(works)  # [N, T]
    state = task.initial(np.zeros(len(works), np.uint64), task.condition(works))
    done = np.zeros(len(works), bool)
    nats = np.zeros(len(works))
    for step in range(task.horizon):
        nats += np.where(done, 0.0, np.log(task.action_mask(state).sum(1)))
        state, done = task.step(state, actions[:, step])
    return float(nats.mean())


def main(run: Path, evaluation: Path) -> None:
    settings = json.loads((run / "config.json").read_text())
    result = json.loads(evaluation.read_text())
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    melodies = sorted((run / "new").glob("*.mid"))
    notes = [len(pretty_midi.PrettyMIDI(str(path)).instruments[0].notes) for path in melodies]
    uniform = uniform_nll(settings["id"])
    checks = {
        "the run has a model, a checkpoint, samples and TensorBoard files": all(
            any(run.glob(pattern)) for pattern in ("model.zip", "checkpoint/*", "samples/*.png", "tensorboard/*")
        ),
        "metrics.jsonl counts forward": len(lines) > 1
        and all(a["seconds"] <= b["seconds"] for a, b in itertools.pairwise(lines)),
        f"16 melodies were written, {min(notes, default=0)} notes and more": len(notes) == 16 and min(notes) > 1,
        "one picture shows them all": any((run / "new").glob("*.png")),
        f"held-out NLL {result['nll_test']:.1f} nats is well below the uniform policy's {uniform:.1f}": math.isfinite(
            result["nll_test"]
        )
        and result["nll_test"] < 0.75 * uniform,
        f"C2ST {result['c2st']:.3f} is below the uniform policy's {RANDOM_C2ST}": result["c2st"] < RANDOM_C2ST,
        f"validity {result['validity']:.3f} is 1": result["validity"] == 1.0,
    }
    for name, passed in checks.items():
        print("passed" if passed else "FAILED", name)
    failed = sum(not passed for passed in checks.values())
    print(f"{len(checks) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
