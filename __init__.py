"""Reinforcement learning of creative work.

Agents learn to build melodies, drawings, texts and levels that a discriminator, trained at the same
time, cannot tell from real ones. Importing this package registers its environments with Gymnasium
and loads nothing heavy: no torch, no pygame, no Stable-Baselines3.
"""

from .cli import signals

if signals.is_program():
    signals.install()  # before the rest is loaded, which Ctrl-C may interrupt

from .envs.checks import check_task
from .envs.registry import register, register_built_in

__version__ = "0.1.0"
__all__ = ["__version__", "check_task", "register"]

register_built_in()
