"""Agents trained against a discriminator, and Stable-Baselines3 adapters."""

from .callbacks import DiscriminatorCallback
from .config import DQNConfig
from .dqn import AdversarialDQN
from .generation import built_by, generate, generate_episodes
from .sb3 import TaskVecEnv, make_sb3_env
from .shipped import pretrained
from .steering import between, constrained, edit, like, nearest, variations

__all__ = [
    "AdversarialDQN",
    "DQNConfig",
    "DiscriminatorCallback",
    "TaskVecEnv",
    "between",
    "built_by",
    "constrained",
    "edit",
    "generate",
    "generate_episodes",
    "like",
    "make_sb3_env",
    "nearest",
    "pretrained",
    "variations",
]
