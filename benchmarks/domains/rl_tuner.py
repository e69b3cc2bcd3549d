"""Measures and tables of ``musegym/RLTuner-v0``: table 1 of RL Tuner (arXiv 1611.02796) for real works and agents.

``docs/studies/rl_tuner.md`` has the published table, and relates the published methods to our agent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...envs.corpora.tunes import load_strains
from ...envs.media import rules
from ...envs.media.steps import TICKS
from ...envs.rltuner import METRES, MODE, RLTunerTask, cut, in_c
from ...envs.task import SPLITS, Array, Split
from ..baselines.random_policy import RandomPolicy
from ..measures import Column, Domain
from ..metrics.population import unique
from ..samplers import Sampler
from ..tables.rows import MLE, RANDOM, Short, Table, unjudged

ID = "musegym/RLTuner-v0"
NUM = 10_000


def table_one(contents: Array) -> dict[str, float]:
    """Returns the rows of table 1 for finished melodies int [N, 32, 2] (``rules.rule_table``), and further figures.

    ``rules_kept`` and ``diversity``: see the functions; ``rule_reward``: mean sum of rule rewards, ``rule_reward_...``:
    of each rule; ``unique``: distinct melodies over N.
    """
    reading = rules.read(np.asarray(contents)[:, :, 0] - 1)
    rewards = {name: float(steps.sum(1).mean()) for name, steps in rules.rewards_by_rule(reading).items()}
    return {
        **rules.rule_table(reading),
        "rules_kept": rules_kept(reading),
        "rule_reward": sum(rewards.values()),
        **{f"rule_reward_{name}": reward for name, reward in rewards.items()},
        "unique": unique(contents),
        "diversity": diversity(reading.events),
    }


def rules_kept(reading: rules.Reading) -> float:
    """Returns the mean over melodies of the share of applicable rules, of 13 (``rules.kept``), that they keep."""
    applies, holds = (np.stack(flags) for flags in zip(*rules.kept(reading).values(), strict=True))  # [R, N]
    return float(((applies & holds).sum(0) / applies.sum(0)).mean())


def diversity(events: Array) -> float:
    """Returns the mean share of steps at which two melodies of int [N, T] differ; 0 for one melody.

    Over all pairs, from counts: for each step 1 - sum_e n_e (n_e - 1) / (N (N - 1)), Simpson's index (Simpson 1949,
    "Measurement of diversity").
    """
    N = len(events)
    if N < 2:
        return 0.0
    alike = [(counts * (counts - 1)).sum() for counts in map(np.bincount, events.T)]
    return float(1 - np.mean(alike) / (N * (N - 1)))


def census(task: RLTunerTask) -> dict[str, int]:
    """Counts the strains in metres of two or four quarters, and the works cut from them.

    Returns:
        ``strains``; ``in_other_modes`` and ``out_of_range`` of them, which are left out; ``windows`` of 32 steps in
        the others, ``windows_said`` of them that events can express; and the works of each split, where a tune's
        repeats count once.
    """
    strains = [strain for strain in load_strains(task.kwargs()["corpus"]) if strain.metre in METRES]
    major = [strain for strain in strains if strain.mode == MODE]
    fitting = [strain for strain in major if in_c(strain) is not None]
    return {
        "strains": len(strains),
        "in_other_modes": len(strains) - len(major),
        "out_of_range": len(major) - len(fitting),
        "windows": sum(int(strain.notes[:, 1].sum()) // (rules.STEPS * TICKS) for strain in fitting),
        "windows_said": sum(len(cut(strain)[0]) for strain in fitting),
        **{split: len(task.corpus(split)) for split in SPLITS},
    }


def measure(sampler: Sampler, split: Split = "test", seed: int = 0) -> dict[str, Any]:
    """Returns ``table_one`` of a sampler, and of real works."""
    return {**table_one(sampler.sample(None, NUM, seed)), "real": table_one(sampler.task.corpus(split))}


def references(task: Any, split: Split, seed: int) -> dict[str, Any]:
    """Returns ``table_one`` of real works and of a random policy, and the ``census`` of the corpus."""
    chance = RandomPolicy(task).sample(None, NUM, seed)
    return {"real": table_one(task.corpus(split)), "random": table_one(chance), "corpus": census(task)}


PSI: Mapping[str, Any] = {
    "schedule": [0.4, 0.0],
    "discriminator_weight": 0.0,
    "prior_weight": 1.0,
    "dense_rules": True,
    "gamma": 0.5,
    "alpha": 0.0,
    "n_steps": 1,
    "demonstrations": 0,
    "cross_entropy": 0.0,
    "replayed": 128,
    "target_update_interval": 1,
    "target_share": 0.01,
}
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "q": {**PSI, "hard": True},
    "psi": PSI,
    "g": {**PSI, "relative_to_prior": True},
}
"""Settings of the published methods: ``docs/studies/rl_tuner.md``."""
RULE_WEIGHTS = (0.01, 0.03, 0.1, 0.3, 1.0)
"""Weights for the published methods: sums of rules are tens, discounted by a half for each step ahead."""
SUM_WEIGHTS = (0.001, 0.003, 0.01)
"""Weights for the same sums in ours, which does not discount them."""
KEPT_WEIGHTS = (0.1, 0.3, 1.0, 2.0, 4.0)
"""Nats for each of the 13 rules that a melody keeps."""
KEPT: Mapping[str, Any] = {"counting": "kept"}

RL_TUNER = Table(
    name="rl-tuner",
    env_id=ID,
    rows=(
        Short(name="note-rnn", meaning="maximum likelihood alone: the Note RNN", params=MLE),
        *(
            Short(
                name=f"{name}-w{weight}",
                meaning=f"{meaning}, rules weighted by {weight}",
                params=params,
                env={"rule_weight": weight, **env},
            )
            for name, meaning, params, env, weights in (
                ("q", "RL Tuner by Q-learning", VARIANTS["q"], {}, RULE_WEIGHTS),
                ("psi", "RL Tuner by Psi-learning", VARIANTS["psi"], {}, RULE_WEIGHTS),
                ("g", "RL Tuner by G-learning", VARIANTS["g"], {}, RULE_WEIGHTS),
                ("psi-kept", "Psi-learning paid for rules kept, as ours", VARIANTS["psi"], KEPT, (1.0,)),
                ("ours-sum", "ours, paid the published sum of the rules", {}, {}, SUM_WEIGHTS),
                ("ours", "ours: the discriminator in place of the prior, rules kept", {}, KEPT, KEPT_WEIGHTS),
            )
            for weight in weights
        ),
        Short(name="no-rules", meaning="ours without rules"),
        unjudged(RANDOM),
    ),
)
TABLES = (RL_TUNER,)
DOMAIN = Domain(
    measure,
    references,
    (Column("rules_kept", lower_is_better=False), Column("rule_reward", lower_is_better=False)),
    TABLES,
)
