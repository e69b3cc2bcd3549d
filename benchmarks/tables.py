"""What the benchmark runs, as data: one ``Table`` per question, one ``Row`` per method.

A row is measured with every seed of its table. Nothing here is code, so that a row can be read, compared and changed
without looking at how it is run. What rows share stands in ``rows``; what takes the agent apart in ``ablations``.
"""

from __future__ import annotations

import functools
from typing import Any

from ..envs.corpora.densities import DENSITIES
from .ablations import ABLATIONS
from .rows import (
    DECAYS,
    DENSITY,
    DENSITY_MLE,
    DIGIT,
    DROPOUTS,
    FIVE,
    KEPT,
    KEPT_WEIGHTS,
    MELODY,
    MELODY_MLE,
    MLE,
    ORACLE,
    ORACLE_MLE,
    RL_TUNER,
    RL_TUNER_VARIANTS,
    RULE_WEIGHTS,
    SUM_WEIGHTS,
    TEMPERATURES,
    Plain,
    Row,
    Table,
)

__all__ = ["TABLES", "Row", "Table"]

SB3_DQN = {"exploration_fraction": 1e-4}
"""Of a billion steps: a hundred thousand."""
SB3_ROWS = 128
"""Works that they build side by side."""
Short = functools.partial(Plain, seconds=180.0)
"""A row of a table of many: three minutes."""

MELODY_TABLE = Table(
    name="melody",
    env_id="musegym/Melody-v0",
    rows=(
        Row(name="ours", says="the recipe as it ships", params=MELODY),
        Row(
            name="mle",
            says="maximum likelihood alone; dropout and weight decay (table melody-mle), temperature by validation",
            params=MELODY_MLE,
            sweep=TEMPERATURES,
        ),
        Row(
            name="frozen",
            says="ours, but D learns no more once the policy begins to move",
            params={**MELODY, "co_training": False},
        ),
        Row(
            name="cross-entropy",
            says="ours, but without L_DQN: the cross-entropy alone",
            params={**MELODY, "consistency": 0.0},
        ),
        Row(
            name="scratch",
            says="ours from scratch: no warm start",
            params={**MELODY, "schedule": [0.0, 0.05]},
        ),
        Row(name="random", says="uniform among the legal decisions", method="random", seconds=0.0),
        Row(
            name="sb3-dqn",
            says="SB3's DQN with DiscriminatorCallback",
            method="sb3",
            algorithm="DQN",
            num_envs=SB3_ROWS,
            params=SB3_DQN,
            taught=False,
        ),
        Row(
            name="ppo",
            says="SB3's PPO with DiscriminatorCallback",
            method="sb3",
            algorithm="PPO",
            num_envs=SB3_ROWS,
            taught=False,
        ),
    ),
)

MELODY_MLE_TABLE = Table(
    name="melody-mle",
    env_id="musegym/Melody-v0",
    rows=tuple(
        Row(
            name=f"dropout{dropout}-decay{decay}",
            says="chooses dropout and weight decay of the row mle by validation NLL",
            params={**MLE, "policy_kwargs": {"dropout": dropout}, "weight_decay": decay},
            seeds=(0,),
            split="validation",
            judge_seeds=1,
            taught=False,
        )
        for dropout in DROPOUTS
        for decay in DECAYS
    ),
)

DENSITY_TABLE = Table(
    name="density",
    env_id="musegym/Density-v0",
    rows=(
        *(
            Plain(name=f"ours-{density}", says="ours from scratch", params=DENSITY, env={"density": density})
            for density in DENSITIES
        ),
        *(
            Plain(
                name=f"mle-{density}",
                says="maximum likelihood alone",
                params=DENSITY_MLE,
                env={"density": density},
            )
            for density in DENSITIES
        ),
        Plain(
            name="minute-8gaussians",
            says="ours from scratch, in a minute",
            params=DENSITY,
            env={"density": "8gaussians"},
            seconds=60.0,
        ),
    ),
)

DIGIT_TABLE = Table(
    name="digit",
    env_id="musegym/Digit-v0",
    rows=(
        Plain(name="ours", says="ours", params=DIGIT),
        Plain(name="ours-30", says="ours, for half an hour", params=DIGIT, seconds=1800.0),
        Plain(
            name="classes",
            says="ours for half an hour, with the digit to draw as a condition",
            params=DIGIT,
            env={"classes": True},
            seconds=1800.0,
        ),
        Plain(name="random", says="uniform among the strokes", method="random", seconds=0.0),
        Plain(
            name="ppo", says="SB3's PPO with DiscriminatorCallback", method="sb3", algorithm="PPO", num_envs=SB3_ROWS
        ),
        Plain(
            name="sb3-dqn",
            says="SB3's DQN with DiscriminatorCallback",
            method="sb3",
            algorithm="DQN",
            num_envs=SB3_ROWS,
            params={**SB3_DQN, "buffer_size": 200_000},  # a million canvases would take 1.6 GB
        ),
    ),
)

DIGIT_28 = Table(
    name="digit-28",
    env_id="musegym/Digit-v0",
    rows=(
        Plain(
            name="ours",
            says="ours for an hour, at the full size of MNIST",
            params=DIGIT,
            env={"side": 28},
            seconds=3600.0,
            seeds=(0,),
        ),
    ),
)


def oracle(name: str, env: dict[str, Any]) -> Table:
    """Returns the table of one oracle."""
    choices = (
        Plain(
            name=f"mle-dropout{dropout}-decay{decay}",
            says="chooses dropout and weight decay of the row mle by validation NLL",
            params={**MLE, "policy_kwargs": {"dropout": dropout}, "weight_decay": decay},
            env=env,
            seeds=(0,),
            split="validation",
        )
        for dropout in DROPOUTS
        for decay in DECAYS
    )
    rows = (
        Plain(name="mle", says="maximum likelihood alone", params=ORACLE_MLE, env=env, seeds=FIVE),
        Plain(name="ours", says="ours", params=ORACLE, env=env, seeds=FIVE),
        Plain(name="random", says="uniform among the tokens", method="random", env=env, seconds=0.0),
        *choices,
    )
    return Table(name=name, env_id="musegym/Oracle-v0", rows=rows)


RL_TUNER_TABLE = Table(
    name="rl-tuner",
    env_id="musegym/RLTuner-v0",
    rows=(
        Short(name="note-rnn", says="maximum likelihood alone: the Note RNN", params=MLE),
        *(
            Short(
                name=f"{name}-w{weight}",
                says=f"{says}, rules weighted by {weight}",
                params=params,
                env={"rule_weight": weight, **env},
            )
            for name, says, params, env, weights in (
                ("q", "RL Tuner by Q-learning", RL_TUNER_VARIANTS["q"], {}, RULE_WEIGHTS),
                ("psi", "RL Tuner by Psi-learning", RL_TUNER_VARIANTS["psi"], {}, RULE_WEIGHTS),
                ("g", "RL Tuner by G-learning", RL_TUNER_VARIANTS["g"], {}, RULE_WEIGHTS),
                ("psi-kept", "Psi-learning paid for rules kept, as ours", RL_TUNER_VARIANTS["psi"], KEPT, (1.0,)),
                ("ours-sum", "ours, paid the published sum of the rules", RL_TUNER, {}, SUM_WEIGHTS),
                ("ours", "ours: the discriminator in place of the prior, rules kept", RL_TUNER, KEPT, KEPT_WEIGHTS),
            )
            for weight in weights
        ),
        Short(name="no-rules", says="ours without rules", params=RL_TUNER),
        Plain(name="random", says="uniform among the events", method="random", seconds=0.0),
    ),
)

TABLES = {
    table.name: table
    for table in (
        MELODY_TABLE,
        MELODY_MLE_TABLE,
        DENSITY_TABLE,
        DIGIT_TABLE,
        DIGIT_28,
        oracle("oracle-small", {"vocabulary": 50}),
        oracle("oracle", {}),
        RL_TUNER_TABLE,
        *ABLATIONS,
    )
}
