"""What the benchmark runs, as data: one ``Table`` per environment, one ``Row`` per method.

A row is measured with every seed of its table. Nothing here is code, so that a row can be read, compared and changed
without looking at how it is run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

SEEDS = (0, 1, 2)
TEMPERATURES = (0.8, 0.9, 1.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """One method, to be run with several seeds."""

    name: str
    says: str
    """What the row shows, for the table's reader."""
    method: Literal["train", "random", "sb3"] = "train"
    """``musegym train``; a random policy; an algorithm of Stable-Baselines3 with ``DiscriminatorCallback``."""
    algorithm: Literal["", "DQN", "PPO"] = ""
    """Of Stable-Baselines3."""
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Hyperparameters: ``--param`` of ``musegym train``, keyword arguments of an SB3 algorithm."""
    env: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Arguments of the environment: ``--set``."""
    num_envs: int = 128
    seconds: float = 600.0
    """Wall clock of training on one core, everything included."""
    seeds: tuple[int, ...] = SEEDS
    sweep: tuple[float, ...] = ()
    """Sampling temperatures of which the validation split chooses one; temperature 1 where empty."""
    split: Literal["validation", "test"] = "test"
    """What the final figures are of: "validation" for rows that choose a setting."""
    judge_seeds: int = 5
    taught: bool = True
    """Whether judges taught by the train split are asked too, for a minute or two: ``taught.judge``."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """Rows over one environment."""

    name: str
    env_id: str
    rows: tuple[Row, ...]


MLE = {"schedule": [0.99, 0.01]}
"""The warm start for the whole time: maximum likelihood with the same network; D is trained beside it at the end."""

MELODY = Table(
    name="melody",
    env_id="musegym/Melody-v0",
    rows=(
        Row(name="ours", says="the recipe as it ships"),
        Row(
            name="mle",
            says="maximum likelihood alone; dropout and weight decay (table melody-mle), temperature by validation",
            params={**MLE, "weight_decay": 0.3},
            sweep=TEMPERATURES,
        ),
        Row(
            name="frozen",
            says="ours, but D learns no more after 450 updates, shortly before the policy begins to move",
            params={"discriminator.max_updates": 450},
        ),
        Row(name="cross-entropy", says="ours, but without L_DQN: the cross-entropy alone", params={"consistency": 0.0}),
        Row(name="scratch", says="ours from scratch: no warm start", params={"schedule": [0.0, 0.05]}),
        Row(name="random", says="uniform among the legal decisions", method="random", seconds=0.0),
        Row(
            name="sb3-dqn",
            says="SB3's DQN with DiscriminatorCallback",
            method="sb3",
            algorithm="DQN",
            params={"exploration_fraction": 1e-4},  # of a billion steps: a hundred thousand
            taught=False,
        ),
        Row(name="ppo", says="SB3's PPO with DiscriminatorCallback", method="sb3", algorithm="PPO", taught=False),
    ),
)

MELODY_MLE = Table(
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
        for dropout in (0.2, 0.3)
        for decay in (0.01, 0.1, 0.3)
    ),
)

TABLES = {table.name: table for table in (MELODY, MELODY_MLE)}
