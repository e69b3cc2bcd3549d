"""Table 1 of RL Tuner for real works, a random policy and our agents, and RL Tuner's variants as settings of our agent.

``python -m musegym.benchmarks.rl_tuner [RUN ...] [--json FILE]`` prints the table; each RUN is a finished run of
``musegym train musegym/RLTuner-v0``. The published numbers are in `PUBLISHED`; their models, data and number of
melodies (100,000) are others, so that they say what the method did there, and nothing about which agent is better.

**The variants.** With gamma = 1 and a reward at the end only, r(x) = beta log p(x) + w R(x), where p is the policy of
maximum likelihood (the Note RNN), R the sum of the rule rewards (``task.rules``) and w = 1/c. Our agent maximises
E[r] + tau H(pi), less the Munchausen term alpha tau log pi' of the policy before (``docs/algorithm.md``). So

- *Q* (arXiv 1611.02796, equation 4): beta = 1, alpha = 0, n = 1, and a maximum where we have tau logsumexp(. / tau):
  tau -> 0. The published samples are drawn from softmax(Q) of a Q learned with that maximum; ours come from
  softmax(Q/tau), nearly greedy.
- *Psi* (equations 11 and 12): beta = 1, alpha = 0, tau = 1, n = 1. Equation 9, E[w R] - KL(pi || p), is
  E[r] + H(pi), so that its fixed point is pi(x) proportional to p(x) exp(w R(x)).
- *G* (equations 13 and 14): Psi with Psi(s, a) = log p(a|s) + G(s, a), where the network gives G: the same
  fixed point in another parametrisation.
- *Note RNN*: the warm start alone.
- *ours*: beta = 0, alpha = 1, and logit D = log p_data - log p_pi of a co-trained D in place of log p. The policy rests
  where logit D + w R is constant, at pi(x) proportional to p_data(x) exp(w R(x)): Psi's fixed point with the data
  themselves as the prior, as far as D's clip at 10 nats reaches.

A variant names in ``lacks`` what the agent cannot do yet; as it stands it can then not be trained as published.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..envs.media import rules
from ..envs.registry import make_task
from ..envs.task import Array
from ..options import load_model, read_corpus
from ..runs import UsageError, write_atomically
from .baselines import RandomPolicy
from .files import shown, writable
from .metrics import unique
from .suite import AgentSampler, Sampler
from .tables import MLE
from .work import provenance

ENV_ID = "musegym/RLTuner-v0"
NUM = 10_000

_COLUMNS = ("note_rnn", "q", "psi", "g")
_PUBLISHED = {
    "notes_excessively_repeated": (0.633, 0.0, 0.0002, 0.0003),
    "autocorrelation_1": (-0.16, -0.11, -0.10, 0.55),
    "autocorrelation_2": (0.14, 0.03, -0.01, 0.31),
    "autocorrelation_3": (-0.13, 0.03, 0.01, 0.17),
    "notes_not_in_key": (0.001, 0.01, 0.006, 0.287),
    "starts_with_tonic": (0.009, 0.288, 0.287, 0.0),
    "leaps_resolved": (0.772, 0.911, 0.900, 0.522),
    "unique_max_note": (0.647, 0.564, 0.594, 0.371),
    "unique_min_note": (0.494, 0.519, 0.583, 0.565),
    "notes_in_motif": (0.059, 0.757, 0.738, 0.693),
    "notes_in_repeated_motif": (0.00007, 0.0011, 0.0009, 0.0001),
}
PUBLISHED: Mapping[str, Mapping[str, float]] = {
    column: {name: values[i] for name, values in _PUBLISHED.items()} for i, column in enumerate(_COLUMNS)
}
"""Table 1 of arXiv 1611.02796, as shares of 1, by model; its "17" for G's third lag is read as .17."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Variant:
    """One method of the paper, or ours, as settings."""

    says: str
    agent: Mapping[str, Any]
    """Arguments of ``AdversarialDQN``; ``schedule`` counts where a budget in seconds is given."""
    rule_weight: float = 0.0
    """w, an argument of the environment."""
    prior_weight: float = 0.0
    """beta, the weight of log p(x) in the reward."""
    lacks: tuple[str, ...] = ()
    """What the agent would need for it."""


PRIOR = "log p(x) of a frozen copy of the warm-started policy as a reward, outside of the clip"
DENSE = "rewards for every step and a discount (theirs is 0.5); without them the sum is paid at the end"
ALONE = "learning without a discriminator"
AVERAGE = "a target network that moves by a share of 0.01 in each update; ours is copied"

_TUNED: Mapping[str, Any] = {
    "alpha": 0.0,
    "n_steps": 1,
    "demonstrations": 0,
    "cross_entropy": 0.0,
    "replayed": 128,
    "schedule": (0.5, 0.0),
}
SETTINGS: Mapping[str, Variant] = {
    "note_rnn": Variant(says="maximum likelihood alone: the prior", agent=MLE),
    "q": Variant(
        says="rules and log prior, one step, next to no entropy",
        agent={**_TUNED, "temperature": 0.1},
        rule_weight=2.0,
        prior_weight=1.0,
        lacks=(PRIOR, DENSE, ALONE, AVERAGE, "a maximum in the targets beside a policy at temperature 1"),
    ),
    "psi": Variant(
        says="KL control: soft Q-learning with the log prior as a reward",
        agent={**_TUNED, "temperature": 1.0},
        rule_weight=2.0,
        prior_weight=1.0,
        lacks=(PRIOR, DENSE, ALONE, AVERAGE),
    ),
    "g": Variant(
        says="KL control: soft Q-learning relative to the prior",
        agent={**_TUNED, "temperature": 1.0},
        rule_weight=2.0,
        prior_weight=1.0,
        lacks=(PRIOR, DENSE, ALONE, AVERAGE, "the prior's logits added to those of the network"),
    ),
    "ours": Variant(
        says="rules and discriminator",
        agent={},
        rule_weight=0.1,  # the default of the authors' training script; 2 makes each repeated note 200 nats
    ),
}


def table_one(contents: Array) -> dict[str, float]:
    """Returns the rows of table 1 for finished melodies int [N, 33, 2] (``rules.rule_table``), and what it leaves out.

    ``rules_kept``: see there; ``rule_reward``: mean sum of rule rewards; ``unique``: distinct melodies over N;
    ``diversity``: see there.
    """
    reading = rules.read(np.asarray(contents)[:, 1:, 0] - 1)
    return {
        **rules.rule_table(reading),
        "rules_kept": rules_kept(reading),
        "rule_reward": float(rules.step_rewards(reading).sum(1).mean()),
        "unique": unique(contents),
        "diversity": diversity(reading.events),
    }


def rules_kept(reading: rules.Reading) -> float:
    """Returns the mean over melodies of the share that is kept of the 13 rules (``rules.kept``) that apply to them."""
    pairs = rules.kept(reading).values()
    applies = np.stack([applies for applies, _ in pairs], 1)
    holds = np.stack([holds for _, holds in pairs], 1)
    return float(((applies & holds).sum(1) / applies.sum(1)).mean())


def diversity(events: Array) -> float:
    """Returns the mean share of steps in which two of the melodies int [N, T] differ, 0 for one melody.

    Over all pairs, from counts: for each step 1 - sum_e n_e (n_e - 1) / (N (N - 1)), Simpson's index (Simpson 1949,
    "Measurement of diversity").
    """
    N = len(events)
    if N < 2:
        return 0.0
    alike = [(counts * (counts - 1)).sum() for counts in map(np.bincount, events.T)]
    return float(1 - np.mean(alike) / (N * (N - 1)))


def markdown(columns: Mapping[str, Mapping[str, float]]) -> str:
    """Returns columns of figures as a table; what a column has not got is a dash."""
    names = list(dict.fromkeys(name for column in columns.values() for name in column))
    lines = [" | ".join(["", "", *columns, ""]).strip(), "|---|" + "---:|" * len(columns)]
    for name in names:
        cells = [f"{column[name]:.4g}" if name in column else "-" for column in columns.values()]
        lines.append(" | ".join([f"| {name}", *cells]) + " |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; exit code 2 where a run cannot be measured."""
    parser = argparse.ArgumentParser(prog="python -m musegym.benchmarks.rl_tuner")
    parser.add_argument("runs", type=Path, nargs="*", help=f"folders of finished runs of {ENV_ID}")
    parser.add_argument("--num", type=int, default=NUM, help="melodies of each sampler")
    parser.add_argument("--split", choices=("validation", "test"), default="validation", help="of the real works")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="file for the figures")
    given = parser.parse_args(arguments)
    task = make_task(ENV_ID)
    samplers: dict[str, Sampler] = {"random": RandomPolicy(task)}
    try:
        if given.num < 1:
            raise UsageError(f"--num must be at least 1, not {given.num}")
        read_corpus(task)
        for run in given.runs:
            model = load_model(run, None)
            if type(model.task) is not type(task):
                raise UsageError(f"{run} is no run of {ENV_ID}")
            samplers[shown(run)] = AgentSampler(model)
        if given.json is not None:
            writable(given.json)
    except UsageError as error:
        print(f"{parser.prog}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    measured = {"real": table_one(task.corpus(given.split))}
    measured |= {name: table_one(sampler.sample(None, given.num, given.seed)) for name, sampler in samplers.items()}
    print(markdown({**{f"{name} (paper)": column for name, column in PUBLISHED.items()}, **measured}))
    if given.json is not None:
        result = {"num": given.num, "split": given.split, "seed": given.seed, "columns": measured, **provenance()}
        write_atomically(given.json, json.dumps(result, indent=1, allow_nan=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
