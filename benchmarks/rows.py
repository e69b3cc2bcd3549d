"""What a table of the benchmark is made of, and the settings that many rows share."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, Literal

SEEDS = (0, 1, 2)
FIVE = tuple(range(5))
TEN = tuple(range(10))
TEMPERATURES = (0.8, 0.9, 1.0)

MELODY: Mapping[str, Any] = {}
"""Hyperparameters of our rows of each environment; what is not said is as it ships."""
DENSITY: Mapping[str, Any] = {"schedule": [0.0, 0.02], "cross_entropy": 0.0, "alpha": 0.98, "temperature": 3.0}
"""Neither warm start nor cross-entropy: D alone is to lead to the density. A high temperature takes D's noise down, and
a little entropy in the objective takes back what noise does to bits that D cannot see: ``docs/algorithm.md``."""
DENSITY_ABLATED: Mapping[str, Any] = {**DENSITY, "alpha": 0.95, "temperature": 1.0}
"""What the table ``density-ablations`` departs from; it led to the temperature, and so to the alpha, of ``DENSITY``."""
DIGIT: Mapping[str, Any] = {}
DIGIT_ABLATED: Mapping[str, Any] = {"reward_form": "log_ratio"}
"""What the table ``digit-ablations`` departs from; it led to the form of the reward that pictures have now."""
ORACLE: Mapping[str, Any] = {"weight_decay": 0.3}
"""As maximum likelihood's there, so that the two differ in no regulariser."""
RL_TUNER: Mapping[str, Any] = {}
RL_TUNER_PSI: Mapping[str, Any] = {
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
RL_TUNER_VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "q": {**RL_TUNER_PSI, "hard": True},
    "psi": RL_TUNER_PSI,
    "g": {**RL_TUNER_PSI, "relative_to_prior": True},
}
"""The published methods as settings of our agent: ``docs/rl_tuner.md``."""
RULE_WEIGHTS = (0.01, 0.03, 0.1, 0.3, 1.0)
"""Of the published methods: their sums are of tens, and count at a discount of a half for each step ahead."""
SUM_WEIGHTS = (0.001, 0.003, 0.01)
"""Of the same sums in ours, which counts them in full."""
KEPT_WEIGHTS = (0.1, 0.3, 1.0, 2.0, 4.0)
"""Nats for each of the 13 rules that a melody keeps."""
KEPT: Mapping[str, Any] = {"counting": "kept"}
COLLAPSE: Mapping[str, Any] = {}
"""Likewise of the table ``collapse``."""

MLE: Mapping[str, Any] = {"schedule": [0.99, 0.01]}
"""The warm start for the whole time: maximum likelihood with the same network; D is trained beside it at the end."""
DROPOUTS, DECAYS = (0.2, 0.3), (0.01, 0.1, 0.3)
"""Of which maximum likelihood's are chosen."""
MELODY_MLE: Mapping[str, Any] = {**MLE, "weight_decay": 0.3}
"""Maximum likelihood as it was chosen."""
ORACLE_MLE: Mapping[str, Any] = {**MLE, "weight_decay": 0.3}
DENSITY_MLE: Mapping[str, Any] = {**MLE, "policy_kwargs": {"dropout": 0.0}}
"""Fresh points need no dropout."""


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
    env_id: str = ""
    """The environment, where it is not the table's."""
    env: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Arguments of the environment: ``--set``."""
    num_envs: int = 1024
    """Works that are built side by side."""
    seconds: float = 600.0
    """Wall clock of training on one core, everything included."""
    seeds: tuple[int, ...] = SEEDS
    sweep: tuple[float, ...] = ()
    """Sampling temperatures of which the validation split chooses one; temperature 1 where empty."""
    split: Literal["validation", "test"] = "test"
    """What the final figures are of: "validation" for rows that choose a setting."""
    judge_seeds: int = 5
    """Of the classifier two-sample test; 0 leaves it out."""
    taught: bool = True
    """Whether judges taught by the train split are asked too, for a minute or two: ``taught.judge``."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """Rows over one environment, or over several."""

    name: str
    rows: tuple[Row, ...]
    env_id: str = ""
    """Of rows that name none."""
    own: bool = True
    """Whether environments that have measures of their own (``own.MEASURES``) are measured by them too."""

    def env_id_of(self, row: Row) -> str:
        """Returns the id of a row's environment."""
        return row.env_id or self.env_id


Plain = functools.partial(Row, judge_seeds=0, taught=False)
"""A row without judges: where the truth is known, or a judge would see the pen and not the digit."""
