"""What episodes are worth to the agent: what D thinks of the finished content, and the task's rules."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..discriminators import Discriminator
from ..discriminators.objectives import REWARD_FORMS, reward
from ..envs.task import Array, Ints, Task
from .episodes import Episodes


@dataclasses.dataclass(frozen=True)
class Rewards:
    """Scores contents and decisions of a task.

    Attributes:
        task: the domain.
        rule_weight: of the task's rules.
        dense_rules: they are paid when they fall due (``Task.step_rules``), and not at the end (``Task.rules``).
        discriminator_weight: of D's reward; at 0 D is not asked.
        form: of ``objectives.REWARD_FORMS``.
        trust: what D's clipped reward is multiplied by, so that it is a log ratio: see ``Controller``.

    Raises:
        ValueError: the form is unknown, or the task's rules do not say when they fall due.
    """

    task: Task[Any]
    rule_weight: float
    dense_rules: bool = False
    discriminator_weight: float = 1.0
    form: str = "log_ratio"
    trust: float = 1.0

    def __post_init__(self) -> None:
        if self.form not in REWARD_FORMS:
            raise ValueError(f"reward_form must be auto or one of {', '.join(REWARD_FORMS)}, not {self.form!r}")
        if self.dense_rules and type(self.task).step_rules is Task.step_rules:
            raise ValueError(
                f"the rules of {type(self.task).__name__} are of finished works (no step_rules): "
                "leave dense_rules at False"
            )

    def rules_at_end(self, contents: Array) -> NDArray[np.float32]:
        """Returns weighted rules that are paid at the end, float32 [N]."""
        if not self.rule_weight or self.dense_rules:
            return np.zeros(len(contents), np.float32)
        return self.rule_weight * self.task.rules(contents).astype(np.float32)

    def at_end(self, discriminator: Discriminator | None, contents: Array, conditions: Ints) -> NDArray[np.float32]:
        """Returns what finished contents [N, ...] get at the end: D's weighted reward and rules, float32 [N]."""
        worth = self.rules_at_end(contents)
        if self.discriminator_weight:
            assert discriminator is not None
            logits = discriminator.logits(contents, conditions)
            worth = self.discriminator_weight * self.trust * reward(logits, form=self.form) + worth
        return worth

    def by_decision(self, episodes: Episodes, at_end: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns what each decision gets, float32 [N, L]: at the end ``at_end`` [N], and dense rules before."""
        longest = int(episodes.lengths.max())
        if self.dense_rules and self.rule_weight:
            due = self.task.step_rules(episodes.contents)
            assert due is not None
            worth = self.rule_weight * due[:, :longest].astype(np.float32)
        else:
            worth = np.zeros((len(episodes), longest), np.float32)
        worth[np.arange(len(episodes)), episodes.lengths - 1] += at_end
        return worth
