"""Rewards of whole episodes: from D's logits, the task's rules, and the wrappers of the environment."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..envs.rewards import RewardSettings, Scorer
from ..envs.task import Array, Ints, Task
from .episodes import Episodes

MOST_RATED = 256
"""Training works whose rules are rated for ``Rewards.usual``."""


@dataclasses.dataclass(frozen=True)
class Rewards:
    """Scores contents and decisions of a task.

    Attributes:
        task: the domain.
        settings: weights and form of the terms of D and the rules.
        dense_rules: True rewards the rules decision by decision (``Task.step_rules``), False at the end.
        rng: draws the noise of ``Task.decoded``.

    Raises:
        ValueError: rules are to be dense, and the task has no ``step_rules``.
    """

    task: Task[Any]
    settings: RewardSettings
    dense_rules: bool = False
    rng: np.random.Generator = dataclasses.field(default_factory=lambda: np.random.default_rng(0))

    def __post_init__(self) -> None:
        if self.dense_rules and type(self.task).step_rules is Task.step_rules:
            raise ValueError(
                f"the rules of {type(self.task).__name__} are of finished works (no step_rules): "
                "leave dense_rules at False"
            )

    @functools.cached_property
    def usual(self) -> float:
        """Mean weighted rules of real works; 0 where they are rewarded by decision, or not at all.

        Subtracted from the reward of every finished work. A constant changes no optimal policy, since an episode ends
        once; but Q-values that lie near 0, as those of the warm start do, need not be learned anew (advantages with a
        constant baseline, Williams 1992, "Simple statistical gradient-following algorithms").
        """
        if not self.settings.rule_weight or self.dense_rules:
            return 0.0
        works = self.task.works("train")
        works = works.take(np.random.default_rng(0).permutation(len(works))[:MOST_RATED])
        return float(self.rules_at_end(works.contents, works.conditions).mean()) if len(works) else 0.0

    def trusting(self, trust: float) -> Rewards:
        """Returns these rewards with D's term weighed by ``RewardSettings.trust``; ``usual`` is not rated anew."""
        changed = dataclasses.replace(self, settings=dataclasses.replace(self.settings, trust=trust))
        if "usual" in vars(self):
            vars(changed)["usual"] = self.usual
        return changed

    def decoded(self, plans: Array) -> Array:
        """Returns the contents of plans [N, ...]: the plans themselves, unless the task decodes them."""
        return self.task.decoded(plans, self.rng)

    def rules_at_end(self, contents: Array, conditions: Ints) -> NDArray[np.float32]:
        """Returns the weighted rules that are rewarded at the end, float32 [N]."""
        if not self.settings.rule_weight or self.dense_rules:
            return np.zeros(len(contents), np.float32)
        rules = self.task.rules(contents, conditions)
        return self.settings.of_rules(rules, self.task.rule_names).astype(np.float32)

    def at_end(self, scorer: Scorer, contents: Array, conditions: Ints) -> NDArray[np.float32]:
        """Returns the rewards of finished contents [N, ...] at the end, by D and the rules, float32 [N]."""
        rewards = self.rules_at_end(contents, conditions)
        if self.settings.discriminator_weight:
            logits = scorer.logits(contents, conditions)
            rewards = self.settings.of_logits(logits).astype(np.float32) + rewards
        return rewards

    def by_decision(self, episodes: Episodes, at_end: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns the reward of each decision, float32 [N, L].

        Args:
            episodes: N episodes; their wrappers' rewards (``Episodes.paid``) are part of the result.
            at_end: float32 [N], added to the reward of the last decision, less ``usual``.
        """
        longest = int(episodes.lengths.max())
        rewards = episodes.paid[:, :longest].copy()
        if self.dense_rules and self.settings.rule_weight:
            rules = self.task.step_rules(self.decoded(episodes.contents), episodes.conditions)  # [N, T, R]
            assert rules is not None
            rewards += self.settings.of_rules(rules[:, :longest], self.task.rule_names).astype(np.float32)
        rewards[np.arange(len(episodes)), episodes.lengths - 1] += at_end - np.float32(self.usual)
        return rewards
