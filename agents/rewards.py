"""Rewards of whole episodes: D's opinion of the finished content, the task's rules, and what the environment pays."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..envs.rewards import RewardSettings, Scorer
from ..envs.task import Array, Ints, Task
from .episodes import Episodes


@dataclasses.dataclass(frozen=True)
class Rewards:
    """Scores contents and decisions of a task.

    Attributes:
        task: the domain.
        settings: how the logits of D and the rules add up.
        dense_rules: the rules are paid when they fall due (``Task.step_rules``), and not at the end (``Task.rules``).

    Raises:
        ValueError: the task's rules do not say when they fall due.
    """

    task: Task[Any]
    settings: RewardSettings
    dense_rules: bool = False

    def __post_init__(self) -> None:
        if self.dense_rules and type(self.task).step_rules is Task.step_rules:
            raise ValueError(
                f"the rules of {type(self.task).__name__} are of finished works (no step_rules): "
                "leave dense_rules at False"
            )

    def rules_at_end(self, contents: Array) -> NDArray[np.float32]:
        """Returns weighted rules that are paid at the end, float32 [N]."""
        if not self.settings.rule_weight or self.dense_rules:
            return np.zeros(len(contents), np.float32)
        return self.settings.of_rules(self.task.rules(contents)).astype(np.float32)

    def at_end(self, scorer: Scorer, contents: Array, conditions: Ints) -> NDArray[np.float32]:
        """Returns the reward that finished contents [N, ...] get at the end, of D and of the rules, float32 [N]."""
        rewards = self.rules_at_end(contents)
        if self.settings.discriminator_weight:
            logits = scorer.logits(contents, conditions)
            rewards = self.settings.of_logits(logits).astype(np.float32) + rewards
        return rewards

    def by_decision(self, episodes: Episodes, at_end: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns the reward of each decision, float32 [N, L].

        Args:
            episodes: N of them; what their environment paid beside D and rules is part of the reward.
            at_end: float32 [N], added to the last decision's; dense rules come before.
        """
        longest = int(episodes.lengths.max())
        rewards = episodes.paid[:, :longest].copy()
        if self.dense_rules and self.settings.rule_weight:
            due = self.task.step_rules(episodes.contents)
            assert due is not None
            rewards += self.settings.of_rules(due[:, :longest]).astype(np.float32)
        rewards[np.arange(len(episodes)), episodes.lengths - 1] += at_end
        return rewards
