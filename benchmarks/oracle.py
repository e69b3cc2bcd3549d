"""Quality and diversity where the truth is known: ``python -m musegym.benchmarks.oracle [RUN ...] --json FILE``.

A model of ``musegym/Oracle-v0`` is measured two ways, both in nats per token, lower is better, as published:

* *NLL_oracle* (Yu et al. 2017, SeqGAN): what the oracle thinks of the model's samples. Quality alone: taking the most
  probable token every time scores far better than real works do.
* *NLL_test*: what the model thinks of real held-out works. A model that leaves out what is real pays for it here.

Lowering the sampling temperature of a maximum-likelihood model buys the one with the other. Caccia et al. (2018),
"Language GANs Falling Short", therefore compare with its whole curve: a method has gained something where its point
(NLL_test, NLL_oracle) lies *below* that curve (``curves.verdict``), not where one of its numbers is lower.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import torch

from ..agents import AdversarialDQN
from ..agents.episodes import trace
from ..envs.oracle import OracleTask
from ..envs.task import Array, Floats, Split
from ..errors import UsageError
from .bleu import self_bleu
from .curves import verdict
from .files import answer, models_of, shown, writable, write_result
from .samplers import AgentSampler
from .suite import nll as nll_per_content

SAMPLES = 10_000
"""Sequences that NLL_oracle is a mean over, as published: its standard error is then about 0.005 nats."""
TEMPERATURES = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25)
CHUNK = 64
"""Works whose whole distributions are held at a time: 64 x 20 x 5,000 numbers."""


class Swept(Protocol):
    """What a model must be able to do to be swept over temperatures."""

    def sample(self, num: int, seed: int, temperature: float) -> Array:
        """Returns ``num`` contents, drawn with logits divided by the temperature."""
        ...

    def log_policy(self, contents: Array) -> Floats:
        """Returns log-probabilities [N, T, A] of all choices on the way to contents, at temperature 1."""
        ...


class Agent:
    """An ``AdversarialDQN``, maximum likelihood alone or not, as a model to be swept."""

    def __init__(self, model: AdversarialDQN) -> None:
        self.model = model

    def sample(self, num: int, seed: int, temperature: float) -> Array:
        """Returns ``num`` contents."""
        return AgentSampler(self.model, temperature).sample(None, num, seed)

    @torch.no_grad()
    def log_policy(self, contents: Array) -> Floats:
        """Returns log-probabilities float32 [N, T, A]."""
        self.model.q_net.eval()
        values: Floats = trace(self.model.task, contents).log_policy(self.model.q_net, self.model.device).cpu().numpy()
        return values


class Truth:
    """The oracle as a model of itself: at temperature 1 no model can expect a lower NLL_test."""

    def __init__(self, task: OracleTask) -> None:
        self.task = task

    def sample(self, num: int, seed: int, temperature: float) -> Array:
        """Returns ``num`` contents, new draws."""
        rng = np.random.default_rng([seed, 17])
        return self.task.contents(self.task.oracle.sample(num, self.task.horizon, rng, temperature))

    def log_policy(self, contents: Array) -> Floats:
        """Returns log-probabilities float64 [N, T, A]."""
        return self.task.oracle.log_policy(self.task.demonstrations(contents))


@dataclasses.dataclass(frozen=True)
class Point:
    """A model at one temperature; ``self_bleu`` has ``self_bleu_2`` to ``self_bleu_5``."""

    temperature: float
    nll_oracle: float
    nll_test: float
    self_bleu: dict[str, float]

    @property
    def axes(self) -> tuple[float, float]:
        """Returns (NLL_test, NLL_oracle), what curves are drawn of; lower is better in both."""
        return self.nll_test, self.nll_oracle


def nll_oracle(task: OracleTask, contents: Array) -> float:
    """Mean negative log-likelihood of contents [N, 1 + L] under the oracle, nats per token."""
    return -float(task.oracle.log_prob(task.demonstrations(contents)).mean())


def nll_test(model: Any, task: OracleTask, split: Split = "test") -> float:
    """Mean negative log-likelihood of held-out real works under a model with ``log_prob``, nats per token."""
    return nll_per_content(model, task.corpus(split)) / task.horizon


def nll_tempered(model: Swept, task: OracleTask, contents: Array, temperatures: Sequence[float]) -> list[float]:
    """NLL of contents under a model at each temperature tau, nats per token: -mean log softmax(log pi / tau)."""
    actions = task.demonstrations(contents).astype(np.int64)
    totals = np.zeros(len(temperatures))
    for first in range(0, len(contents), CHUNK):
        rows = slice(first, first + CHUNK)
        log_policy = model.log_policy(contents[rows])
        taken = np.take_along_axis(log_policy, actions[rows, :, None], 2)[..., 0].astype(np.float64)
        best = log_policy.max(2).astype(np.float64)
        for i, temperature in enumerate(temperatures):
            weights = np.exp((log_policy - best[..., None]) / temperature)
            totals[i] -= ((taken - best) / temperature - np.log(weights.sum(2))).sum()
    return [float(total) for total in totals / actions.size]


def sweep(
    model: Swept,
    task: OracleTask,
    temperatures: Sequence[float] = TEMPERATURES,
    *,
    num: int = SAMPLES,
    seed: int = 0,
    split: Split = "test",
) -> list[Point]:
    """Measures a model at every temperature (above 0, where NLL_test is infinite), in their order.

    Args:
        model: what is swept: ``Agent(model)``, ``Truth(task)`` or anything like them.
        task: its task.
        temperatures: rising or falling, since neighbours are joined to a curve.
        num: samples at each.
        seed: of the samples, the same at each.
        split: of the held-out works; "validation" while choosing anything.

    Raises:
        ValueError: a temperature is not above 0.
    """
    if not min(temperatures) > 0:
        raise ValueError(f"temperatures must be above 0, not {min(temperatures)}")
    held_out = nll_tempered(model, task, task.corpus(split), temperatures)
    points = []
    for temperature, nll in zip(temperatures, held_out, strict=True):
        contents = model.sample(num, seed, temperature)
        points.append(Point(temperature, nll_oracle(task, contents), nll, self_bleu(task.tokens(contents))))
    return points


def references(task: OracleTask, *, num: int = SAMPLES, seed: int = 0, split: Split = "test") -> dict[str, Any]:
    """What figures are read beside: real held-out works, uniform tokens, and the oracle's most probable tokens.

    ``real`` is the floor of NLL_test; an NLL_oracle below it is the work of a low temperature, or of collapse.
    """
    rng, tokens = np.random.default_rng(seed), (num, task.horizon)
    populations = {
        "real": task.corpus(split),
        "uniform": task.contents(rng.integers(task.num_actions, size=tokens)),
        "greedy": Truth(task).sample(min(num, 2), seed, 0.0),
    }
    found: dict[str, Any] = {}
    for name, contents in populations.items():
        found[name] = {"nll_oracle": nll_oracle(task, contents), "self_bleu": self_bleu(task.tokens(contents))}
    found["real"]["nll_test"] = found["real"]["nll_oracle"]
    found["uniform"]["nll_test"] = float(np.log(task.num_actions))
    return found


def subjects(given: argparse.Namespace, split: Split) -> tuple[OracleTask, list[tuple[str, Swept]]]:
    """Returns the task and what is to be swept, with names: the runs, or the oracle itself where there are none.

    Raises:
        UsageError: a run cannot be loaded, or is of another task than the first, or there is no such oracle.
    """
    if not given.runs:
        try:
            task = OracleTask(vocabulary=given.vocabulary, oracle_seed=given.oracle_seed)
        except ValueError as error:
            raise UsageError(str(error)) from None
        return task, [("the oracle itself", Truth(task))]
    models = models_of(given.runs, split)
    first = models[0].task
    if not isinstance(first, OracleTask):
        raise UsageError(f"{given.runs[0]} is no run of musegym/Oracle-v0: nobody knows its true likelihoods")
    return first, [(shown(run), Agent(model)) for run, model in zip(given.runs, models, strict=True)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the references and a curve per run, and what each is against the first; exit code 2 for a mistake."""
    parser = argparse.ArgumentParser(prog="python -m musegym.benchmarks.oracle")
    parser.add_argument(
        "runs", type=Path, nargs="*", help="folders of runs, maximum likelihood first; the oracle itself where none"
    )
    parser.add_argument("--vocabulary", type=int, default=5000, help="of the oracle, where there are no runs")
    parser.add_argument("--oracle-seed", type=int, default=2017, help="likewise")
    parser.add_argument("--split", choices=("validation", "test"), default="validation")
    parser.add_argument("--temperatures", type=float, nargs="+", default=TEMPERATURES)
    parser.add_argument("--num", type=int, default=SAMPLES, help="samples at each temperature")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="file for the figures")
    return answer(parser, arguments, _main)


def _main(given: argparse.Namespace) -> None:
    split, how = cast("Split", given.split), {"num": given.num, "seed": given.seed}
    if given.num < 2 or not min(given.temperatures) > 0 or given.seed < 0:
        raise UsageError("--num must be at least 2, --temperatures above 0 and --seed at least 0")
    task, swept = subjects(given, split)
    writable(given.json)
    found: dict[str, Any] = {**task.kwargs(), "split": split, "references": references(task, split=split, **how)}
    print(json.dumps(found), flush=True)
    rows: list[dict[str, Any]] = []
    curve: list[tuple[float, float]] = []
    for name, model in swept:
        points = sweep(model, task, given.temperatures, split=split, **how)
        against = [verdict(point.axes, curve) for point in points] if curve else None
        curve = curve or [point.axes for point in points]
        rows.append({"run": name, "curve": [dataclasses.asdict(point) for point in points], "against_first": against})
        print(json.dumps(rows[-1]), flush=True)
    oracle = ["--vocabulary", task.vocabulary, "--oracle-seed", task.oracle_seed]
    said = [*(map(shown, given.runs) if given.runs else oracle), "--split", split]
    said += ["--temperatures", *given.temperatures, "--num", given.num, "--seed", given.seed]
    write_result(given.json, "oracle", said, {**found, "rows": rows})


if __name__ == "__main__":
    sys.exit(main())
