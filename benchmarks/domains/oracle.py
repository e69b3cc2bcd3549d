"""Measures and tables of ``musegym/Oracle-v0``: quality and diversity where the true likelihood is known.

A model is measured two ways, both in nats per token, lower is better, as published:

* *NLL_oracle* (Yu et al. 2017, SeqGAN): NLL of the model's samples under the oracle. Quality alone: always taking the
  most probable token scores far better than real works do.
* *NLL_test*: NLL of real held-out works under the model. A model that misses real works scores badly here.

A lower sampling temperature of a maximum-likelihood model buys the one with the other. Caccia et al. (2018), "Language
GANs Falling Short", therefore compare with its whole curve: a method is better where its point (NLL_test, NLL_oracle)
lies *below* that curve (``curves.verdict``), not where one of its numbers is lower.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ...envs.oracle import OracleTask
from ...envs.task import Array, Floats, Split
from ..measures import Column, Domain
from ..metrics.bleu import self_bleu
from ..samplers import AgentSampler, Sampler
from ..tables.rows import DECAYS, DROPOUTS, FIVE, MLE, RANDOM, Plain, Table, unjudged

if TYPE_CHECKING:
    from ...agents import AdversarialDQN

ID = "musegym/Oracle-v0"
SAMPLES = 10_000
"""Sequences over which NLL_oracle is averaged, as published; its standard error is then about 0.005 nats."""
SWEPT = 2000
"""Sequences at each temperature of ``measure``; the standard error of their NLL is about 0.012 nats."""
TEMPERATURES = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25)
CHUNK = 64
"""Works whose distributions are in memory at a time: 64 x 20 x 5,000 numbers."""


class Agent:
    """An ``AdversarialDQN`` as a model for ``sweep``."""

    def __init__(self, model: AdversarialDQN) -> None:
        self.model = model

    def sample(self, num: int, seed: int, temperature: float) -> Array:
        """Returns ``num`` contents."""
        return AgentSampler(self.model, temperature).sample(None, num, seed)

    def log_policy(self, contents: Array) -> Floats:
        """Returns log-probabilities float32 [N, T, A]."""
        import torch

        from ...agents.episodes import trace

        self.model.q_net.eval()
        with torch.no_grad():
            log_policy = trace(self.model.task, contents).log_policy(self.model.q_net, self.model.device)
        values: Floats = log_policy.cpu().numpy()
        return values


class Truth:
    """The oracle itself as a model: at temperature 1 no model can expect a lower NLL_test."""

    def __init__(self, task: OracleTask) -> None:
        self.task = task

    def sample(self, num: int, seed: int, temperature: float) -> Array:
        """Returns ``num`` contents, new draws."""
        rng = np.random.default_rng([seed, 17])
        return self.task.contents(self.task.oracle.sample(num, self.task.horizon, rng, temperature))

    def log_policy(self, contents: Array) -> Floats:
        """Returns log-probabilities float64 [N, T, A]."""
        return self.task.oracle.log_policy(self.task.demonstrations(contents))


Swept = Agent | Truth
"""A model for ``sweep``."""


def nll_oracle(task: OracleTask, contents: Array) -> float:
    """Mean negative log-likelihood of contents [N, L] under the oracle, nats per token."""
    return -float(task.oracle.log_prob(task.demonstrations(contents)).mean())


def nll_test(model: Any, task: OracleTask, split: Split = "test") -> float:
    """Mean negative log-likelihood of held-out real works under a model with ``log_prob``, nats per token."""
    from ..suite import nll

    return nll(model, task.works(split)) / task.horizon


def nll_tempered(model: Swept, task: OracleTask, contents: Array, temperatures: Sequence[float]) -> list[float]:
    """NLL of contents under a model at each temperature tau, nats per token: -mean log softmax(log pi / tau)."""
    actions = task.demonstrations(contents).astype(np.int64)
    totals = np.zeros(len(temperatures))
    for first in range(0, len(contents), CHUNK):
        rows = slice(first, first + CHUNK)
        log_policy = model.log_policy(contents[rows])
        chosen = np.take_along_axis(log_policy, actions[rows, :, None], 2)[..., 0].astype(np.float64)
        best = log_policy.max(2).astype(np.float64)
        for i, temperature in enumerate(temperatures):
            weights = np.exp((log_policy - best[..., None]) / temperature)
            totals[i] -= ((chosen - best) / temperature - np.log(weights.sum(2))).sum()
    return [float(total) for total in totals / actions.size]


def sweep(
    model: Swept,
    task: OracleTask,
    temperatures: Sequence[float] = TEMPERATURES,
    *,
    num: int = SAMPLES,
    seed: int = 0,
    split: Split = "test",
) -> list[dict[str, Any]]:
    """Measures a model at every temperature (above 0, where NLL_test is infinite), in their order.

    Args:
        model: ``Agent(model)`` or ``Truth(task)``.
        task: its task.
        temperatures: rising or falling, since neighbours are joined to a curve.
        num: samples at each.
        seed: of the samples, the same at each.
        split: of the held-out works; "validation" while choosing anything.

    Returns:
        For each its ``temperature``, ``nll_oracle``, ``nll_test`` and ``self_bleu`` (``self_bleu_2`` to ``_5``).

    Raises:
        ValueError: a temperature is not above 0.
    """
    if not min(temperatures) > 0:
        raise ValueError(f"temperatures must be above 0, not {min(temperatures)}")
    held_out = nll_tempered(model, task, task.corpus(split), temperatures)
    points = []
    for temperature, nll in zip(temperatures, held_out, strict=True):
        contents = model.sample(num, seed, temperature)
        quality = {"temperature": temperature, "nll_oracle": nll_oracle(task, contents), "nll_test": nll}
        points.append({**quality, "self_bleu": self_bleu(task.tokens(contents))})
    return points


def references(task: OracleTask, *, num: int = SAMPLES, seed: int = 0, split: Split = "test") -> dict[str, Any]:
    """Returns the figures of real held-out works, uniform tokens, and the oracle's most probable tokens.

    ``real`` is the floor of NLL_test; an NLL_oracle below it comes from a low temperature, or from collapse.
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


def truth(task: Any, split: Split = "test", seed: int = 0) -> dict[str, Any]:
    """Returns ``references``, and as ``sweep`` the figures of the oracle itself over temperatures."""
    points = sweep(Truth(task), task, TEMPERATURES, num=SAMPLES, seed=seed, split=split)
    return {**references(task, num=SAMPLES, seed=seed, split=split), "sweep": points}


def measure(sampler: Sampler, split: Split = "test", seed: int = 0) -> dict[str, Any]:
    """Returns NLL both ways, self-BLEU and, of an agent, its ``sweep`` over temperatures; nats per token."""
    task = cast("OracleTask", sampler.task)
    contents = sampler.sample(None, SAMPLES, seed)
    found: dict[str, Any] = {"nll_oracle": nll_oracle(task, contents), **self_bleu(task.tokens(contents))}
    if hasattr(sampler, "log_prob"):
        found["nll_test"] = nll_test(sampler, task, split)
    real = references(task, num=SWEPT, seed=seed, split=split)["real"]
    found["real"] = {**{name: real[name] for name in ("nll_oracle", "nll_test")}, **real["self_bleu"]}
    if isinstance(sampler, AgentSampler) and hasattr(sampler, "log_prob"):
        found["sweep"] = sweep(Agent(sampler.model), task, num=SWEPT, seed=seed, split=split)
    return found


DECAY = {"weight_decay": 0.3}
"""Chosen for maximum likelihood by validation NLL; ours has the same, so that the two differ in no regulariser."""


def table_of(name: str, env: dict[str, Any]) -> Table:
    """Returns the table of one oracle."""
    choices = (
        Plain(
            name=f"mle-dropout{dropout}-decay{decay}",
            meaning="chooses dropout and weight decay of the row mle by validation NLL",
            params={**MLE, "policy_kwargs": {"dropout": dropout}, "weight_decay": decay},
            env=env,
            seeds=(0,),
            split="validation",
        )
        for dropout in DROPOUTS
        for decay in DECAYS
    )
    rows = (
        Plain(name="mle", meaning="maximum likelihood alone", params={**MLE, **DECAY}, env=env, seeds=FIVE),
        Plain(name="ours", meaning="ours", params=DECAY, env=env, seeds=FIVE),
        unjudged(RANDOM, env=env),
        *choices,
    )
    return Table(name=name, env_id=ID, rows=rows)


TABLES = (table_of("oracle-small", {"vocabulary": 50}), table_of("oracle", {}))
DOMAIN = Domain(
    measure,
    truth,
    (Column("nll_oracle", lower_is_better=True), Column("self_bleu_4"), Column("nll_test", lower_is_better=True)),
    TABLES,
)
