"""How ``AdversarialDQN`` learns: one setting a field, checked in one place.

The constructor, ``musegym train --param`` and model files share it.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from ..envs.rewards import REWARD_FORMS

WARM_START = 500
"""Updates of the warm start where none are given."""
LEAST = {
    **dict.fromkeys(("demonstrations", "replayed", "cross_entropy", "warm_start", "lead", "weight_decay"), 0),
    **dict.fromkeys(("consistency", "max_grad_norm", "discriminator_weight", "prior_weight"), 0),
    **dict.fromkeys(
        ("n_steps", "buffer_size", "target_update_interval", "batch_size", "gradient_steps", "minibatch"), 1
    ),
    "stats_window_size": 1,
}
"""Smallest values."""
MOST_AT_ONCE = dict.fromkeys(("demonstrations", "replayed", "batch_size", "minibatch", "stats_window_size"), 1_000_000)
"""Largest values of those that are numbers of episodes in memory."""
LARGEST = 1e30
"""Bound of all other numbers: float32 holds them, and their products with what networks make."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DQNConfig:
    """Settings of ``AdversarialDQN``; plain data.

    Raises:
        ValueError: a number is not finite or out of its range, or two settings exclude each other.
    """

    # Learning rates and sizes of an update
    learning_rate: float = 3e-3
    """Learning rate of the rounds; it ramps up at first and falls to zero at the end."""
    minibatch: int = 256
    """Fresh episodes in an update; rounds of more rows take several updates."""
    gradient_steps: int = 1
    """How often a round goes through its fresh episodes."""
    weight_decay: float = 0.1
    """Decoupled weight decay of AdamW."""
    max_grad_norm: float = 1.0
    """Largest norm of the policy's gradient, and of that of the values."""

    # The Q-function and its targets
    temperature: float = 1.0
    """Temperature tau of the policy; the reward is divided by it."""
    alpha: float = 1.0
    """Munchausen weight."""
    n_steps: int | None = None
    """Decisions between a Q-value and its target; None reaches the end of the episode."""
    gamma: float = 1.0
    """Discount of rewards and values."""
    hard: bool = False
    """Targets hold the largest Q-value instead of the soft one: Q-learning, for ``n_steps=1`` and ``alpha=0``."""
    consistency: float = 1.0
    """Weight of L_DQN, which makes Q consistent with its targets; 0 leaves the cross-entropy alone."""
    cross_entropy: float = 1.0
    """Weight of the negative log-likelihood of the real episodes."""
    target_update_interval: int | None = None
    """Updates between those of the target network; None: it is the policy that builds a round's episodes."""
    target_share: float = 1.0
    """Share by which the target network then moves towards the network (Polyak averaging); 1 copies."""

    # The reward
    reward_form: str = "auto"
    """Form of D's reward: "log_ratio", "gail" or "bounded" (``envs.rewards.REWARD_FORMS``); "auto" is "gail" where the
    task has no demonstrations, else "log_ratio". The environment rewards alike."""
    discriminator_weight: float = 1.0
    """Weight of D's reward; at 0 the agent learns without a discriminator."""
    dense_rules: bool = False
    """The task's rules are paid when they fall due (``Task.step_rules``), and not in sum at the end."""
    prior_weight: float = 0.0
    """Weight of log p(a|s) in every decision's reward, where p is the policy at the end of the warm start."""
    relative_to_prior: bool = False
    """Everything learned after the warm start is added to the log of p."""

    # The episodes of an update
    demonstrations: int = 64
    """Real episodes in an update; none where the task has no demonstrations."""
    replayed: int = 0
    """Past episodes in an update."""
    relabel: bool = True
    """Past episodes are scored by D as it is now; False keeps the rewards that they were given at first."""
    buffer_size: int = 5_000
    """Past episodes that are kept, where any are replayed."""

    # The phases of training
    warm_start: int | None = None
    """Updates by maximum likelihood before the first round; None: 500, or 0 where the task has no demonstrations."""
    warm_start_learning_rate: float = 5e-3
    """First learning rate of the warm start; it falls to zero linearly."""
    batch_size: int = 128
    """Real episodes in an update of the warm start."""
    lead: int | None = None
    """Rounds in which only D learns, before the policy moves; None: ten, but no more than the share of the steps that
    ``schedule`` gives, and one at least."""
    schedule: tuple[float, float] = (0.4, 0.05)
    """Shares of the budget for warm start and lead, instead of the counts, where time is the budget."""
    co_training: bool = True
    """D learns on beside the policy; else it stays as it was at the end of the lead."""
    controller: bool = True
    """Rates, trust in D and temperature are adapted beside ``DiscriminatorCallback``: see ``Controller``."""

    # The network and its statistics
    policy_kwargs: dict[str, Any] | None = None
    """Arguments of the network: ``hidden``, ``embedding``, ``dropout`` and ``sight``."""
    stats_window_size: int = 100
    """Episodes over which statistics are taken."""
    seed: int | None = None
    """Seed of everything."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not isinstance(value, int | float):
                continue
            if not math.isfinite(value):
                raise ValueError(f"{name} must be a finite number, not {value}")
            least, most = LEAST.get(name, -LARGEST), MOST_AT_ONCE.get(name, LARGEST)
            if value > most:
                raise ValueError(f"{name} must be at most {most:,}, not {value}")
            if value < least:
                raise ValueError(f"{name} must be at least {least}, not {value}")
        if not self.temperature > 0 or not 0 <= self.alpha <= 1:
            raise ValueError(f"temperature must be above 0 and alpha in 0..1, not {self.temperature} and {self.alpha}")
        if not 0 <= self.gamma <= 1 or not 0 < self.target_share <= 1:
            raise ValueError(
                f"gamma must be in 0..1 and target_share above 0, at most 1, not {self.gamma}, {self.target_share}"
            )
        if self.hard and (self.n_steps != 1 or self.alpha):
            raise ValueError(
                f"hard targets are of Q-learning: set n_steps=1 and alpha=0, not {self.n_steps} and {self.alpha}"
            )
        if not 0 <= sum(self.schedule) <= 1 or min(self.schedule) < 0:
            raise ValueError(
                f"schedule gives the shares of warm start and lead, together at most 1, not {self.schedule}"
            )
        if self.reward_form not in ("auto", *REWARD_FORMS):
            raise ValueError(f"reward_form must be auto or one of {', '.join(REWARD_FORMS)}, not {self.reward_form!r}")


def changed(config: DQNConfig, settings: dict[str, Any]) -> DQNConfig:
    """Returns settings with some replaced.

    Raises:
        TypeError: there is no such setting.
        ValueError: together they are impossible.
    """
    names = [field.name for field in dataclasses.fields(config)]
    unknown = [name for name in settings if name not in names]
    if unknown:
        raise TypeError(f"AdversarialDQN has no setting {', '.join(unknown)}; there are: {', '.join(names)}")
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()
    }
    return dataclasses.replace(config, **given)
