"""What a discriminator can see: real sequences of the oracle against a run's own, by how many real ones it learns from.

``python -m musegym.benchmarks.separation RUN --json FILE`` takes a run of ``musegym/Oracle-v0``, whose policy stands
still, and trains judges to tell its sequences, of which there are as many as they want, from the first 10,000 real ones
(the train split) or from 200,000. Each is then asked about held-out sequences:

* ``held_out_loss``: logistic loss of a * logit + b in nats, a (``calibration.calibrate``) and b fitted to the same
  sequences. Where a judge knows nothing it is 2 log 2 = 1.386; half of what it is below that estimates a lower bound of
  the Jensen-Shannon divergence of the two (Goodfellow et al. 2014, theorem 1): what such a judge could teach.
* ``auc``: how often a real sequence has the higher logit of a pair; 0.5 is chance.

``discriminator`` is ours as it ships; ``recurrent`` a GRU whose logit is the sum over steps of an output for the token
that came, the form of a log-likelihood ratio of two language models.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..discriminators import make_trainer
from ..discriminators.calibration import calibrate
from ..envs.oracle import OracleTask
from ..envs.task import Array, Floats
from ..options import load_model
from ..runs import UsageError
from .files import answer, shown, writable, write_result
from .suite import AgentSampler

REAL = (10_000, 200_000)
FAKE, HELD_OUT = 38_000, 2_000
"""Sequences of the run that judges learn from, and that they are asked about."""
BATCH = 128
Logits = Callable[[Array], Floats]


class Recurrent(nn.Module):
    """Tokens int64 [B, T] -> logits float32 [B]: sum over t of g(x_t | x_<t)."""

    def __init__(self, tokens: int, width: int = 128, embedding: int = 64, dropout: float = 0.2) -> None:
        super().__init__()
        self.embedding, self.dropout = nn.Embedding(tokens + 1, embedding), nn.Dropout(dropout)
        self.past, self.out = nn.GRU(embedding, width, batch_first=True), nn.Linear(width, tokens + 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """Scores sequences."""
        past, _ = self.past(self.dropout(self.embedding(F.pad(tokens[:, :-1], (1, 0)))))
        said: Tensor = self.out(self.dropout(past)).gather(2, tokens[..., None])
        return said.sum((1, 2))


def train_ours(task: OracleTask, real: Array, fake: Array, seconds: float, seed: int) -> tuple[Logits, int]:
    """Trains D as it ships on contents; returns its logits and the number of updates."""
    trainer = make_trainer(task, seed=seed, past_share=0.0)
    judge, rng, end = trainer.discriminator, np.random.default_rng(seed), time.perf_counter() + seconds
    while time.perf_counter() < end:
        rows = (real[rng.integers(len(real), size=BATCH)], fake[rng.integers(len(fake), size=BATCH)])
        judge.update(*rows, *map(task.condition, rows))
    return lambda contents: judge.logits(contents, task.condition(contents)), judge.updates


def train_recurrent(task: OracleTask, real: Array, fake: Array, seconds: float, seed: int) -> tuple[Logits, int]:
    """Trains a ``Recurrent`` on contents; returns its logits and the number of updates."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        judge, rng = Recurrent(task.vocabulary), np.random.default_rng(seed)
        optimizer = torch.optim.AdamW(judge.parameters(), 3e-3, betas=(0.9, 0.99), weight_decay=0.1)
        updates, end = 0, time.perf_counter() + seconds
        while time.perf_counter() < end:
            rows = np.concatenate([half[rng.integers(len(half), size=BATCH)] for half in (real, fake)])
            logits = judge(_tokens(rows))
            loss = F.softplus(-logits[:BATCH]).mean() + F.softplus(logits[BATCH:]).mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(judge.parameters(), 1.0)
            optimizer.step()
            updates += 1
    judge.eval()

    @torch.no_grad()
    def logits_of(contents: Array) -> Floats:
        values: Floats = judge(_tokens(contents)).numpy()
        return values

    return logits_of, updates


def _tokens(contents: Array) -> Tensor:
    return torch.from_numpy(np.asarray(contents)[:, 1:].astype(np.int64))


JUDGES = {"discriminator": train_ours, "recurrent": train_recurrent}


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
        for name, train in JUDGES.items():
            logits, updates = train(task, real[:number], fake[:FAKE], given.seconds, given.seed)
            found = separation(logits, task.corpus("test"), fake[FAKE:])
            rows.append({"judge": name, "real": number, "updates": updates, **found})
            print(rows[-1], flush=True)
    said = [shown(given.run), "--real", *given.real, "--seconds", given.seconds, "--seed", given.seed]
    write_result(given.json, "separation", said, {"run": shown(given.run), "seconds": given.seconds, "rows": rows})


if __name__ == "__main__":
    sys.exit(main())
