"""Checks the files and figures of a minute of training: python .ci/check_run.py RUN EVALUATION.json."""

import json
import sys
from pathlib import Path

import pretty_midi

from musegym.benchmarks.baselines.random_policy import RandomPolicy
from musegym.envs import make_task

RANDOM_C2ST = 0.97
"""Below the accuracy of a fresh classifier on melodies of the uniform policy, 0.99 and more."""


def uniform_nll(id: str) -> float:
    """Returns the mean nats per real work under a policy that is uniform over the legal actions."""
    task = make_task(id)
    works = task.works("validation").take(slice(500))
    return -float(RandomPolicy(task).log_prob(works.contents, works.conditions).mean())


def main(run: Path, evaluation: Path) -> None:
    result = json.loads(evaluation.read_text())
    seconds = [json.loads(line)["seconds"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    melodies = sorted((run / "new").glob("*.mid"))
    notes = [len(pretty_midi.PrettyMIDI(str(path)).instruments[0].notes) for path in melodies]
    nll, uniform = result["nll_test"], uniform_nll(json.loads((run / "config.json").read_text())["id"])
    headline = result["headline"]
    c2st = result[headline]
    # A text says why judges, which failed their own test, are not used.
    judged = c2st.startswith("not used: ") if isinstance(c2st, str) else c2st < RANDOM_C2ST
    checks = {
        "the run has a model, a checkpoint, samples and TensorBoard files": all(
            any(run.glob(pattern)) for pattern in ("model.zip", "checkpoint/*", "samples/*.png", "tensorboard/*")
        ),
        "seconds in metrics.jsonl never decrease": len(seconds) > 1 and seconds == sorted(seconds),
        f"16 melodies were written, of {min(notes, default=0)} notes or more": len(notes) == 16 and min(notes) > 1,
        "one picture shows all of them": any((run / "new").glob("*.png")),
        f"held-out NLL {nll:.1f} nats is well below the uniform policy's {uniform:.1f}": 0 < nll < 0.75 * uniform,
        f"{headline} {c2st} is below the uniform policy's {RANDOM_C2ST}, or a reason": judged,
        f"validity {result['validity']:.3f} is 1": result["validity"] == 1.0,
    }
    for name, passed in checks.items():
        print("passed" if passed else "FAILED", name)
    failed = sum(not passed for passed in checks.values())
    print(f"{len(checks) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
