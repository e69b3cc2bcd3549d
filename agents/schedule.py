"""Training phases: maximum-likelihood warm start, discriminator lead, joint training; and learning rates over time."""

from __future__ import annotations

import dataclasses
import enum
import math
from typing import Any, Self

import numpy as np

from .config import LONGEST, DQNConfig

LONGEST_UPDATES = 1000
"""Longest warm start by default where the budget is in steps."""
LEAD = 10
"""Largest number of rounds of the lead by default."""
RAMP = 50
"""Updates over which a learning rate rises."""
COOLING = 0.3
"""Last share of the rounds, over which the learning rate falls to zero."""
CHECKS = 20
"""Measurements of the held-out likelihood in the longest warm start, about."""
EARLIEST = 0.25
"""Earliest turn of the warm start, as a share of the longest."""
WINDOW = 3
"""Measurements whose mean is compared with the mean of as many before."""
GAIN = 0.005
"""Relative fall of the mean under which the learning rate turns."""
PATIENCE = 3
"""Measurements without a new best after which the learning rate turns."""
DECAY = 0.25
"""Length of the last part of the warm start, in which its learning rate falls to zero, in units of the first part."""


class Phase(enum.Enum):
    """A phase of training; its value names what learns."""

    RECONSTRUCTION = "generator, by reconstruction"
    WARM_START = "policy, by maximum likelihood"
    LEAD = "discriminator"
    JOINT = "policy and discriminator"


@dataclasses.dataclass
class Plateau:
    """The likelihood of held-out works in the warm start, whose best weights are those that the rounds begin with.

    Where the length of the warm start is not given, validation ends it: the learning rate is constant until the
    likelihood stops improving, or until the rest of the longest warm start is needed for the fall of the rate to zero
    (a trapezoidal schedule: Zhai et al. 2022, arXiv:2106.04560, section 3.5; here validation finds the point of
    turning). Positions are shares of the longest warm start, from 0 to 1.

    Attributes:
        measured: negative log-likelihoods of held-out works, in nats.
        turned: position from which the rate falls; None before.
        over: True from the last measurement on, which is at the end.
    """

    measured: list[float] = dataclasses.field(default_factory=list)
    turned: float | None = None
    over: bool = False

    def due(self, position: float) -> bool:
        """Returns True where a measurement is due: at even distances, and at the end."""
        return position * CHECKS >= len(self.measured) + 1 or position >= self.end

    def measure(self, position: float, nll: float, turns: bool) -> bool:
        """Adds a measurement.

        Args:
            position: of the measurement.
            nll: negative log-likelihood of held-out works, in nats.
            turns: True where the rate begins to fall as soon as the likelihood no longer improves.

        Returns:
            True where the measurement is the best so far.
        """
        self.measured.append(nll)
        best = min(self.measured)
        if turns and self.turned is None and self._flat(position, best):
            self.turned = min(position, 1 / (1 + DECAY))
        self.over = position >= self.end
        return nll == best

    def _flat(self, position: float, best: float) -> bool:
        latest, before = self.measured[-WINDOW:], self.measured[-2 * WINDOW : -WINDOW]
        flat = len(before) == WINDOW and np.mean(before) - np.mean(latest) < GAIN * abs(np.mean(latest))
        flat = flat or min(self.measured[-PATIENCE:]) > best
        return position >= 1 / (1 + DECAY) or (flat and position >= EARLIEST)

    @property
    def end(self) -> float:
        """Position at which the warm start ends, as far as is known."""
        return 1.0 if self.turned is None else (1 + DECAY) * self.turned

    def factor(self, position: float) -> float:
        """Returns the factor of the learning rate where validation ends the warm start: 1, then falling to zero."""
        if self.turned is None or position < self.turned:
            return 1.0
        return max(0.0, self.end - position) / (self.end - self.turned)

    def state_dict(self) -> dict[str, Any]:
        """Returns plain data."""
        return {"measured": list(self.measured), "turned": self.turned, "over": self.over}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from a ``state_dict``."""
        self.measured = [float(nll) for nll in state["measured"]]
        self.turned = None if state["turned"] is None else float(state["turned"])
        self.over = bool(state["over"])


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
        rebuilt: updates of the reconstruction.
    """

    spent: float | None
    steps: int
    total_steps: int
    warm_updates: int
    lead_rounds: int
    updates: int
    rebuilt: int = 0


@dataclasses.dataclass(frozen=True)
class Schedule:
    """Maps progress to a phase and to learning rates.

    Phases have counts of updates and rounds where the budget is in steps, and shares of a time budget. Validation ends
    a warm start of unknown length.

    Attributes:
        warm_start: updates of the warm start; None: by validation.
        warm_start_rate: first learning rate of the warm start.
        lead: rounds of the lead; None: ``LEAD``, but no more than its share of the steps, and at least one.
        shares: shares of the budget for warm start and lead; None for the warm start: by validation.
        rewards_by_discriminator: False where the reward has no term of a discriminator; then there is no lead.
        plateau: the likelihood of held-out works in the warm start.
        reconstruction: updates in which the generator learns to rebuild real works, and their share of a time budget.
    """

    warm_start: int | None
    warm_start_rate: float
    lead: int | None
    shares: tuple[float | None, float]
    rewards_by_discriminator: bool = True
    plateau: Plateau = dataclasses.field(default_factory=Plateau)
    reconstruction: tuple[int, float] = (0, 0.0)

    @classmethod
    def of(cls, config: DQNConfig, demonstrated: bool, rebuilds: bool = False) -> Self:
        """Returns the schedule of an agent.

        Args:
            config: settings of the agent.
            demonstrated: True where the task has demonstrations; else there is no warm start.
            rebuilds: True where the task has a generator that is still to be taught.

        Raises:
            ValueError: the settings ask for a warm start without demonstrations.
        """
        if config.warm_start and not demonstrated:
            raise ValueError("this task has no demonstrations to imitate: leave warm_start at 0")
        warm_start, shares = (config.warm_start, config.schedule) if demonstrated else (0, (0.0, config.schedule[1]))
        rate, rewards = config.warm_start_learning_rate, config.discriminator_weight != 0
        reconstruction = (config.reconstruction, config.reconstruction_share) if rebuilds else (0, 0.0)
        return cls(warm_start, rate, config.lead, shares, rewards, reconstruction=reconstruction)

    def phase(self, progress: Progress) -> Phase:
        """Returns the phase of a run."""
        plateau, (updates, share) = self.plateau, self.reconstruction
        begun = progress.warm_updates or progress.lead_rounds or progress.updates  # plans must not change any more
        if not begun and (progress.rebuilt < updates if progress.spent is None else progress.spent < share):
            return Phase.RECONSTRUCTION
        if self.position(progress) < plateau.end or (plateau.measured and not plateau.over):
            return Phase.WARM_START
        return Phase.LEAD if self.rewards_by_discriminator and self._leads(progress) else Phase.JOINT

    def position(self, progress: Progress) -> float:
        """Returns the position in the longest warm start: 0 at its beginning, 1 or more at its end."""
        if progress.spent is None:
            length = LONGEST_UPDATES if self.warm_start is None else self.warm_start
            return progress.warm_updates / length if length else math.inf
        share = LONGEST if self.shares[0] is None else self.shares[0]
        return self._spent(progress.spent) / share if share else math.inf

    def ends_by_validation(self, progress: Progress) -> bool:
        """Returns True where no length of the warm start is given."""
        return (self.warm_start if progress.spent is None else self.shares[0]) is None

    def _spent(self, spent: float) -> float:
        """Returns the spent share of what reconstruction leaves of a time budget."""
        share = self.reconstruction[1]
        return max(0.0, spent - share) / (1 - share)

    @property
    def _begin(self) -> float:
        """Share of a time budget after which joint training begins."""
        return (LONGEST * self.plateau.end if self.shares[0] is None else self.shares[0]) + self.shares[1]

    def _leads(self, progress: Progress) -> bool:
        if progress.spent is not None:
            return self._spent(progress.spent) < self._begin
        if self.lead is not None:
            return progress.lead_rounds < self.lead
        over = progress.lead_rounds > 0 and progress.steps >= self.shares[1] * progress.total_steps
        return progress.updates == 0 and progress.lead_rounds < LEAD and not over

    def imitation_rate(self, progress: Progress) -> float:
        """Returns the learning rate of the warm start: it ramps up at first, and falls to zero linearly.

        Where validation ends the warm start, the rate is constant in between.
        """
        position = self.position(progress)
        left = self.plateau.factor(position) if self.ends_by_validation(progress) else max(0.0, 1 - position)
        return self.warm_start_rate * left * min(1.0, (progress.warm_updates + 1) / RAMP)

    def remaining(self, progress: Progress) -> float:
        """Returns the share of joint training that is left: 1 at first, 0 at the end, below 0 after it."""
        if progress.spent is None:
            return 1.0 - progress.steps / progress.total_steps
        return (1 - self._spent(progress.spent)) / max(1e-9, 1 - self._begin)

    def factor(self, remaining: float, updates: int) -> float:
        """Returns the factor of the learning rate of joint training: it ramps up at first and cools at the end.

        Args:
            remaining: share of joint training that is left.
            updates: updates of joint training so far.
        """
        return min(1.0, (updates + 1) / RAMP, max(0.0, remaining) / COOLING)
