"""Tables of ``musegym/RLTuner-v0``: the published methods, as settings of our agent, beside ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...tables.rows import MLE, RANDOM, Short, Table, unjudged

ID = "musegym/RLTuner-v0"
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
