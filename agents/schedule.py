"""Training phases: maximum-likelihood warm start, discriminator lead, joint training; and learning rates over time."""

from __future__ import annotations

import dataclasses
import enum
from typing import Self

from .config import WARM_START, DQNConfig

LEAD = 10
"""Largest number of rounds of the lead by default."""
RAMP = 50
"""Updates over which a learning rate rises."""
COOLING = 0.3
"""Last share of the rounds, over which the learning rate falls to zero."""


class Phase(enum.Enum):
    """A phase of training; its value names what learns."""

    WARM_START = "policy, by maximum likelihood"
    LEAD = "discriminator"
    JOINT = "policy and discriminator"


@dataclasses.dataclass(frozen=True)
class Progress:
    """Progress of a run.

    Attributes:
        spent: spent share of a time budget, 0..1; None where the budget is in steps.
        steps: environment steps so far.
        total_steps: environment steps of the whole run.
        warm_updates: updates of the warm start.
        lead_rounds: rounds of the lead.
        updates: updates of joint training.
    """

    spent: float | None
    steps: int
    total_steps: int
    warm_updates: int
    lead_rounds: int
    updates: int


@dataclasses.dataclass(frozen=True)
class Schedule:
    """Maps progress to a phase and to learning rates.

    Phases have counts of updates and rounds where the budget is in steps, and shares of a time budget.

    Attributes:
        warm_start: updates of the warm start.
        warm_start_rate: first learning rate of the warm start.
        lead: rounds of the lead; None: ``LEAD``, but no more than its share of the steps, and at least one.
        shares: shares of the budget for warm start and lead.
        rewards_by_discriminator: False where the reward has no term of a discriminator; then there is no lead.
    """

    warm_start: int
    warm_start_rate: float
    lead: int | None
    shares: tuple[float, float]
    rewards_by_discriminator: bool = True

    @classmethod
    def of(cls, config: DQNConfig, demonstrated: bool) -> Self:
        """Returns the schedule of an agent.

        Args:
            config: settings of the agent.
            demonstrated: True where the task has demonstrations; else there is no warm start.

        Raises:
            ValueError: the settings ask for a warm start without demonstrations.
        """
        if config.warm_start and not demonstrated:
            raise ValueError("this task has no demonstrations to imitate: leave warm_start at 0")
        default, shares = (WARM_START, config.schedule) if demonstrated else (0, (0.0, config.schedule[1]))
        warm_start = default if config.warm_start is None else config.warm_start
        rate, rewards = config.warm_start_learning_rate, config.discriminator_weight != 0
        return cls(warm_start, rate, config.lead, shares, rewards)

    def phase(self, progress: Progress) -> Phase:
        """Returns the phase of a run."""
        if self._warms_up(progress):
            return Phase.WARM_START
        return Phase.LEAD if self.rewards_by_discriminator and self._leads(progress) else Phase.JOINT

    def _warms_up(self, progress: Progress) -> bool:
        if progress.spent is not None:
            return progress.spent < self.shares[0]
        return progress.warm_updates < self.warm_start

    def _leads(self, progress: Progress) -> bool:
        if progress.spent is not None:
            return progress.spent < sum(self.shares)
        if self.lead is not None:
            return progress.lead_rounds < self.lead
        over = progress.lead_rounds > 0 and progress.steps >= self.shares[1] * progress.total_steps
        return progress.updates == 0 and progress.lead_rounds < LEAD and not over

    def imitation_rate(self, progress: Progress) -> float:
        """Returns the learning rate of the warm start: it ramps up at first, and falls to zero linearly."""
        done = progress.warm_updates / self.warm_start if progress.spent is None else progress.spent / self.shares[0]
        return self.warm_start_rate * max(0.0, 1 - done) * min(1.0, (progress.warm_updates + 1) / RAMP)

    def remaining(self, progress: Progress) -> float:
        """Returns the share of joint training that is left: 1 at first, 0 at the end, below 0 after it."""
        if progress.spent is None:
            return 1.0 - progress.steps / progress.total_steps
        return (1 - progress.spent) / max(1e-9, 1 - sum(self.shares))

    def factor(self, remaining: float, updates: int) -> float:
        """Returns the factor of the learning rate of joint training: it ramps up at first and cools at the end.

        Args:
            remaining: share of joint training that is left.
            updates: updates of joint training so far.
        """
        return min(1.0, (updates + 1) / RAMP, max(0.0, remaining) / COOLING)
