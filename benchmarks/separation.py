"""What a discriminator can see: real sequences of the oracle against a run's own, by how many real ones it learns from.

``python -m musegym.benchmarks.separation RUN --json FILE`` takes a run of ``musegym/Oracle-v0``, whose policy stands
still, and trains judges to tell its sequences, of which there are as many as they want, from the first 10,000 real ones
(the train split) or from 200,000. Each is then asked about held-out sequences:

* ``held_out_loss``: logistic loss of a * logit + b in nats, a (``calibration.calibrate``) and b fitted to the same
  sequences. Where a judge knows nothing it is 2 log 2 = 1.386; half of what it is below that estimates a lower bound of
  the Jensen-Shannon divergence of the two (Goodfellow et al. 2014, theorem 1): what such a judge could teach.
* ``auc``: how often a real sequence has the higher logit of a pair; 0.5 is chance.

``recurrent`` is our discriminator as it ships for tokens: a sum over steps of what the token that came is worth after
those before, the form of a log-likelihood ratio of two language models. ``convolutions`` is the one of other sequences.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..discriminators import make_discriminator
from ..discriminators.calibration import calibrate
from ..envs.oracle import OracleTask
from ..envs.task import Array, Floats
from ..errors import UsageError
from ..training.loading import load_model
from .files import answer, shown, writable, write_result
from .samplers import AgentSampler

REAL = (10_000, 200_000)
FAKE, HELD_OUT = 38_000, 2_000
"""Sequences of the run that judges learn from, and that they are asked about."""
BATCH = 128
Logits = Callable[[Array], Floats]
JUDGES: dict[str, dict[str, Any]] = {
    "recurrent": {},
    "convolutions": {"recurrent": 0, "dropout": 0.2, "learning_rate": 1e-3, "weight_decay": 1e-3},
}
"""Options of ``make_discriminator``."""


def train(task: OracleTask, real: Array, fake: Array, seconds: float, seed: int, **options: Any) -> tuple[Logits, int]:
    """Trains a discriminator with ``options`` on contents; returns its logits and the number of updates."""
    judge = make_discriminator(task, seed=seed, **options)
    rng, end = np.random.default_rng(seed), time.perf_counter() + seconds
    while time.perf_counter() < end:
        rows = (real[rng.integers(len(real), size=BATCH)], fake[rng.integers(len(fake), size=BATCH)])
        judge.update(*rows)
    return judge.logits, judge.updates


def separation(logits: Logits, real: Array, fake: Array) -> dict[str, float]:
    """Returns ``auc``, the calibrated ``held_out_loss``, and the ``slope`` that it took, of contents [N], [M]."""
    high, low = (logits(contents).astype(np.float64) for contents in (real, fake))
    slope, _ = calibrate(high, low)
    high, low = high * slope, low * slope
    shift = _shift(high, low)
    loss = np.logaddexp(0, -high - shift).mean() + np.logaddexp(0, low + shift).mean()
    ordered = np.sort(low)
    below = (np.searchsorted(ordered, high, "left") + np.searchsorted(ordered, high, "right")) / 2  # ties count half
    return {"auc": float(below.mean() / len(low)), "held_out_loss": float(loss), "slope": slope}


def _shift(high: Floats, low: Floats) -> float:
    """Returns what is to be added to logits: the loss is convex in it, its derivative rises from -1 to 1."""
    low_end, high_end = -50.0, 50.0
    for _ in range(60):
        middle = (low_end + high_end) / 2
        slope = (1 / (1 + np.exp(-low - middle))).mean() - (1 / (1 + np.exp(high + middle))).mean()
        low_end, high_end = (low_end, middle) if slope > 0 else (middle, high_end)
    return middle


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints a line for each judge and number of real sequences; exit code 2 for a mistake."""
    parser = argparse.ArgumentParser(prog="python -m musegym.benchmarks.separation")
    parser.add_argument("run", type=Path, help="folder of a finished run of musegym/Oracle-v0")
    parser.add_argument("--real", type=int, nargs="+", default=REAL, help="real sequences to learn from")
    parser.add_argument("--split", choices=("validation", "test"), default="test", help="real sequences asked about")
    parser.add_argument("--seconds", type=float, default=120.0, help="of learning, each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="file for the figures")
    return answer(parser, arguments, _main)


def _main(given: argparse.Namespace) -> None:
    if min(given.real) < 1 or not given.seconds > 0 or given.seed < 0:
        raise UsageError("--real must be at least 1, --seconds above 0 and --seed at least 0")
    model = load_model(given.run, None)
    task = model.task
    if not isinstance(task, OracleTask):
        raise UsageError(f"{given.run} is no run of musegym/Oracle-v0, whose real works have no end")
    writable(given.json)
    fake = AgentSampler(model).sample(None, FAKE + HELD_OUT, given.seed)
    real = task.corpus("train")
    if (more := max(given.real) - len(real)) > 0:
        drawn = task.oracle.sample(more, task.horizon, np.random.default_rng([given.seed, 23]))
        real = np.concatenate([real, task.contents(drawn)])
    rows: list[dict[str, Any]] = []
    for number in given.real:
        for name, options in JUDGES.items():
            logits, updates = train(task, real[:number], fake[:FAKE], given.seconds, given.seed, **options)
            found = separation(logits, task.corpus(given.split), fake[FAKE:])
            rows.append({"judge": name, "real": number, "updates": updates, **found})
            print(rows[-1], flush=True)
    said = [shown(given.run), "--real", *given.real, "--split", given.split]
    said += ["--seconds", given.seconds, "--seed", given.seed]
    result = {"run": shown(given.run), "split": given.split, "seconds": given.seconds, "rows": rows}
    write_result(given.json, "separation", said, result)


if __name__ == "__main__":
    sys.exit(main())
