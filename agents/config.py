"""The settings of ``AdversarialDQN``, one per field, validated in one place.

The constructor, ``musegym train --param`` and model files share it.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from ..envs.rewards import REWARD_FORMS

LONGEST = 0.7
"""Largest share of the budget for a warm start that validation ends."""
LARGEST = 1e30
"""Largest number: float32 holds it and its products with outputs of networks."""
IN_MEMORY = 1_000_000
"""Largest number of episodes that are in memory at once."""
BOUNDS = {
    **dict.fromkeys(("demonstrations", "replayed"), (0, IN_MEMORY)),
    **dict.fromkeys(("batch_size", "minibatch", "stats_window_size"), (1, IN_MEMORY)),
    **dict.fromkeys(("n_steps", "buffer_size", "target_update_interval", "gradient_steps"), (1, LARGEST)),
    **dict.fromkeys(("warm_start", "lead", "weight_decay", "max_grad_norm", "temperature"), (0, LARGEST)),
    **dict.fromkeys(("cross_entropy", "consistency", "discriminator_weight", "prior_weight"), (0, LARGEST)),
    **dict.fromkeys(("reconstruction", "reconstruction_realism", "generator_weight"), (0, LARGEST)),
    **dict.fromkeys(("alpha", "gamma", "target_share", "augmentation"), (0, 1)),
    "reconstruction_share": (0, 0.9),
}
"""Smallest and largest values."""
ABOVE_ZERO = ("temperature", "target_share")
"""Settings that may not be 0."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DQNConfig:
    """Settings of ``AdversarialDQN``; plain data.

    Raises:
        ValueError: a number is not finite or out of its range, or two settings exclude each other.
    """

    # Learning rates and sizes of an update
    learning_rate: float = 3e-3
    """Learning rate of the rounds; it ramps up at first and falls to zero at the end."""
    minibatch: int | None = None
    """Fresh episodes in an update; a round of more rows has several updates. None: by the horizon (``rounds``)."""
    gradient_steps: int = 1
    """Passes through the fresh episodes of a round."""
    weight_decay: float = 0.1
    """Decoupled weight decay of AdamW."""
    max_grad_norm: float = 1.0
    """Bound of the norm of the policy's gradient, and of the norm of the values' gradient."""

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
    """Updates between two of the target network; None: the target is the policy that built the round's episodes."""
    target_share: float = 1.0
    """Step of the target network towards the network (Polyak averaging); 1 copies."""

    # The reward
    reward_form: str = "auto"
    """Form of D's reward: "log_ratio", "gail" or "bounded" (``envs.rewards.REWARD_FORMS``); "auto" is "gail" where the
    task has no demonstrations, else "log_ratio". The environment uses the same form."""
    discriminator_weight: float = 1.0
    """Weight of D's reward; at 0 the agent learns without a discriminator."""
    dense_rules: bool = False
    """True rewards the task's rules decision by decision (``Task.step_rules``), False in sum at the end."""
    prior_weight: float = 0.0
    """Weight of log p(a|s) in every decision's reward, where p is the policy at the end of the warm start."""
    relative_to_prior: bool = False
    """True: the policy is p times a learned factor, so that learning after the warm start adds to the log of p."""

    # The episodes of an update
    demonstrations: int | None = None
    """Real episodes in an update, none where the task has no demonstrations; None: a quarter of ``minibatch``."""
    replayed: int = 0
    """Past episodes in an update."""
    relabel: bool = True
    """True scores past episodes by the present D; False keeps their first rewards."""
    buffer_size: int = 5_000
    """Capacity of the replay in episodes."""

    # The content generator, where the task has one
    generator_weight: float | None = None
    """Weight of D's score in the loss of the generator G in joint training; at 0 G stays as it is. None: 0.3
    for pictures in grey, 0.1 in colour."""
    reconstruction: int = 3_000
    """Updates by which a fresh G learns to rebuild real works, before all else; one that was given is left as it is."""
    reconstruction_realism: float | None = None
    """Weight of D's score in these updates; at 0 D learns nothing from them. None: 0.3 for pictures in grey, 0 in
    colour."""
    reconstruction_share: float = 0.33
    """Share of the budget for them, below 1. Where time is the budget, it replaces the count."""

    # The phases of training
    warm_start: int | None = None
    """Updates by maximum likelihood before the first round; None: until held-out works become no likelier, at most
    1,000 (``schedule.Plateau``), or 0 where the task has no demonstrations."""
    warm_start_learning_rate: float = 5e-3
    """First learning rate of the warm start; it falls to zero at the end."""
    batch_size: int = 128
    """Real episodes in an update of the warm start."""
    augmentation: float = 0.5
    """Share of augmented works among them, where the task has any (``Task.augmented``)."""
    lead: int | None = None
    """Rounds in which only D learns, before joint training; None: ten, but no more than the share of the steps in
    ``schedule``, and at least one."""
    schedule: tuple[float | None, float] = (None, 0.05)
    """Shares of the budget for warm start and lead, together at most 1; None for the warm start: until held-out works
    become no likelier, at most 0.7. Where time is the budget, they replace the counts."""
    co_training: bool = True
    """True trains D in joint training too; False freezes it at the end of the lead."""
    controller: bool = True
    """True adapts rates, trust in D and temperature, where D is live: see ``Controller``."""

    # The network and its statistics
    policy_kwargs: dict[str, Any] | None = None
    """Arguments of the network: ``hidden``, ``embedding``, ``dropout`` and ``sight``."""
    stats_window_size: int = 100
    """Number of latest episodes in the statistics."""
    seed: int | None = None
    """Seed of everything."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not isinstance(value, int | float):
                continue
            least, most = BOUNDS.get(name, (-LARGEST, LARGEST))
            excluded = name in ABOVE_ZERO and not value
            if excluded or not least <= value <= most:  # NaN, too
                above = "above" if name in ABOVE_ZERO else "at least"
                raise ValueError(f"{name} must be {above} {least:,} and at most {most:,}, not {value}")
        if self.hard and (self.n_steps != 1 or self.alpha):
            raise ValueError(
                f"hard targets need Q-learning: set n_steps=1 and alpha=0, not {self.n_steps} and {self.alpha}"
            )
        warm_start, lead = self.schedule
        longest = LONGEST if warm_start is None else warm_start
        if lead is None or not 0 <= longest + lead <= 1 or min(longest, lead) < 0:
            raise ValueError(
                f"schedule must be the shares of warm start and lead, together at most 1, not {self.schedule}"
            )
        if self.reward_form not in ("auto", *REWARD_FORMS):
            raise ValueError(f"reward_form must be auto or one of {', '.join(REWARD_FORMS)}, not {self.reward_form!r}")


def changed(config: DQNConfig, settings: dict[str, Any]) -> DQNConfig:
    """Returns a configuration with some settings replaced.

    Raises:
        TypeError: a setting is unknown.
        ValueError: a setting, or their combination, is impossible.
    """
    names = [field.name for field in dataclasses.fields(config)]
    unknown = [name for name in settings if name not in names]
    if unknown:
        raise TypeError(f"AdversarialDQN has no setting {', '.join(unknown)}; there are: {', '.join(names)}")
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()
    }
    return dataclasses.replace(config, **given)
