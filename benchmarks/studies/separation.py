"""How well can a discriminator tell a run from real works, by the number of real sequences that it learns from?

Judges learn to tell sequences of a fixed policy, a run of ``musegym/Oracle-v0``, from the first 10,000 real ones (the
train split) or from 200,000. Each then scores held-out sequences:

* ``held_out_loss``: logistic loss of a * logit + b in nats, a (``calibration.calibrate``) and b fitted to the same
  sequences. A judge that knows nothing has 2 log 2 = 1.386; half of the difference to that estimates a lower bound of
  the Jensen-Shannon divergence of the two (Goodfellow et al. 2014, theorem 1), the most that a policy could learn.
* ``auc``: how often a real sequence has the higher logit of a pair; 0.5 is chance.

``recurrent`` is our discriminator as it ships for tokens: a sum over steps of a score of each token given those before,
the form of a log-likelihood ratio of two language models. ``convolutions`` is the one of other sequences.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import typer
from scipy.optimize import brentq
from scipy.special import expit

from ...discriminators import make_discriminator
from ...discriminators.calibration import calibrate
from ...envs.oracle import OracleTask
from ...envs.task import Array, Floats
from ..domains.oracle import ID
from ..recorded import HeldOutSplit, JsonFile, Seconds, Seed, load_models, print_row, run, write_result
from ..samplers import AgentSampler

REAL = (10_000, 200_000)
FAKE, HELD_OUT = 38_000, 2_000
"""Sequences of the run for learning, and held-out ones."""
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
    """Returns ``auc``, the calibrated ``held_out_loss``, and the ``slope`` a of contents [N], [M]."""
    high, low = (logits(contents).astype(np.float64) for contents in (real, fake))
    slope, _ = calibrate(high, low)
    high, low = high * slope, low * slope
    shift = _shift(high, low)
    loss = np.logaddexp(0, -high - shift).mean() + np.logaddexp(0, low + shift).mean()
    ordered = np.sort(low)
    below = (np.searchsorted(ordered, high, "left") + np.searchsorted(ordered, high, "right")) / 2  # ties count half
    return {"auc": float(below.mean() / len(low)), "held_out_loss": float(loss), "slope": slope}


def _shift(high: Floats, low: Floats) -> float:
    """Returns the best constant to add to logits: the loss is convex in it, its derivative rises from -1 to 1."""
    return float(brentq(lambda shift: expit(low + shift).mean() - expit(-high - shift).mean(), -50.0, 50.0))


def main(
    context: typer.Context,
    model: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
    real: Annotated[list[int] | None, typer.Option(min=1, help="Real sequences to learn from.")] = None,
    split: HeldOutSplit = "test",
    seconds: Seconds = 120.0,
    seed: Seed = 0,
    json_file: JsonFile = None,
) -> None:
    """Prints a line for each judge and number of real sequences."""
    ((name, agent),) = load_models([model], ID)
    task = cast("OracleTask", agent.task)
    fake = AgentSampler(agent).sample(None, FAKE + HELD_OUT, seed)
    works, numbers = task.corpus("train"), real or REAL
    if (more := max(numbers) - len(works)) > 0:
        drawn = task.oracle.sample(more, task.horizon, np.random.default_rng([seed, 23]))
        works = np.concatenate([works, task.contents(drawn)])
    rows: list[dict[str, Any]] = []
    for number in numbers:
        for judge, options in JUDGES.items():
            logits, updates = train(task, works[:number], fake[:FAKE], seconds, seed, **options)
            figures = separation(logits, task.corpus(split), fake[FAKE:])
            rows.append(print_row({"judge": judge, "real": number, "updates": updates, **figures}))
    write_result(context, json_file, {"run": name, "split": split, "seconds": seconds, "rows": rows})


if __name__ == "__main__":
    sys.exit(run(main))
