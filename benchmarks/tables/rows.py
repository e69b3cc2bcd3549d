"""Rows and tables of the benchmark, and the settings that many rows share."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal

SEEDS = (0, 1, 2)
FIVE = tuple(range(5))
TEN = tuple(range(10))
TEMPERATURES = (0.8, 0.9, 1.0)

MLE: Mapping[str, Any] = {"schedule": [0.99, 0.01]}
"""Maximum likelihood with the same network: the warm start takes the whole time; D learns at the end."""
DROPOUTS, DECAYS = (0.2, 0.3), (0.01, 0.1, 0.3)
"""Choices for maximum likelihood."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """One method, to be run with several seeds."""

    name: str
    meaning: str
    """Shown to the table's reader."""
    method: Literal["train", "random", "GAN", "DQN", "PPO"] = "train"
    """``musegym train``; a random policy; a plain GAN of pictures; an algorithm of Stable-Baselines3 with
    ``DiscriminatorCallback``."""
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Hyperparameters: ``--param`` of ``musegym train``, keyword arguments of an SB3 algorithm, settings of a GAN."""
    env_id: str = ""
    """Id of the environment; the table's where empty."""
    env: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Arguments of the environment: ``--set``."""
    num_envs: int | None = None
    """Works built side by side; None: by the task's horizon."""
    seconds: float = 600.0
    """Processor time of training, everything included."""
    seeds: tuple[int, ...] = SEEDS
    sweep: tuple[float, ...] = ()
    """Sampling temperatures of which the validation split chooses one; temperature 1 where empty."""
    split: Literal["validation", "test"] = "test"
    """Held-out works of the final figures: "validation" for rows that choose a setting."""
    judge_seeds: int = 5
    """Seeds of the classifier two-sample test; 0 leaves it out."""
    taught: bool = True
    """True adds judges that learned from the train split, for a minute or two: ``judges.taught``."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """Rows over one environment, or over several.

    Args:
        env_id: the environment of rows that name none.
    """

    name: str
    rows: tuple[Row, ...]
    env_id: dataclasses.InitVar[str] = ""

    def __post_init__(self, env_id: str) -> None:
        rows = tuple(dataclasses.replace(row, env_id=row.env_id or env_id) for row in self.rows)
        object.__setattr__(self, "rows", rows)


Plain = functools.partial(Row, judge_seeds=0, taught=False)
"""A row without judges: the truth is known, or judges would recognise the pen and not the digit."""
Short = functools.partial(Plain, seconds=180.0)
"""A row of a table of many: three minutes."""

RANDOM = Row(name="random", meaning="uniform among the legal decisions", method="random", seconds=0.0)
PPO = Row(name="ppo", meaning="SB3's PPO with DiscriminatorCallback", method="PPO", taught=False)
DQN = dataclasses.replace(
    PPO,
    name="sb3-dqn",
    meaning="SB3's DQN with DiscriminatorCallback",
    method="DQN",
    params={"exploration_fraction": 1e-4},  # of a billion steps: a hundred thousand
)


def unjudged(row: Row, **changes: Any) -> Row:
    """Returns a row without judges, and with other changes."""
    return dataclasses.replace(row, judge_seeds=0, taught=False, **changes)


def ours_and_mle(
    env: Mapping[str, Any] | None = None, params: Mapping[str, Any] | None = None, make: Callable[..., Row] = Row
) -> tuple[Row, Row]:
    """Returns rows of the recipe and of the same network by maximum likelihood.

    Args:
        env: arguments of the environment.
        params: hyperparameters for maximum likelihood, besides ``MLE``.
        make: makes the rows of their fields.
    """
    env = env or {}
    return (
        make(name="ours", meaning="the recipe as it ships", env=env),
        make(
            name="mle",
            meaning="maximum likelihood; temperature by validation",
            env=env,
            params={**MLE, **(params or {})},
            sweep=TEMPERATURES,
        ),
    )


def pair(env: Mapping[str, Any] | None = None, rules: Mapping[str, float] | None = None) -> tuple[Row, ...]:
    """Returns rows of one seed: the recipe, with rewards for rules besides, and the same network by maximum likelihood.

    Taught judges and distances compare them; classifiers that learn from held-out works alone are left out.

    Args:
        env: arguments of the environment.
        rules: weights of its rules; no row where None.
    """
    ours, mle = ours_and_mle(env, make=functools.partial(Row, judge_seeds=0, seeds=(0,)))
    if rules is None:
        return ours, mle
    paid = {**ours.env, "rule_weight": rules}
    return ours, dataclasses.replace(ours, name="ours-rules", meaning="rewards for rules besides", env=paid), mle
