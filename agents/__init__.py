"""Agents trained against a discriminator, and Stable-Baselines3 adapters."""

from .callbacks import DiscriminatorCallback
from .config import DQNConfig
from .dqn import AdversarialDQN
from .generation import built_by, generate, generate_episodes
from .sb3 import TaskVecEnv, make_sb3_env

__all__ = [
    "AdversarialDQN",
    "DQNConfig",
    "DiscriminatorCallback",
    "TaskVecEnv",
    "built_by",
    "generate",
    "generate_episodes",
    "make_sb3_env",
]
