"""New contents from a trained agent."""

from __future__ import annotations

import math

import numpy as np
import torch

from ..envs.task import Array, Ints
from .dqn import AdversarialDQN
from .episodes import Episodes, play

ROWS = 1024
"""Contents built at a time: bounds memory."""


def generate(
    model: AdversarialDQN,
    num: int,
    seed: int = 0,
    temperature: float = 1.0,
    prefix: Ints | None = None,
    condition: Ints | None = None,
) -> Array:
    """Returns contents [num, ...] that the agent's policy builds: those of ``generate_episodes``."""
    return generate_episodes(model, num, seed, temperature, prefix, condition).contents


def generate_episodes(
    model: AdversarialDQN,
    num: int,
    seed: int = 0,
    temperature: float = 1.0,
    prefix: Ints | None = None,
    condition: Ints | None = None,
) -> Episodes:
    """Builds contents with the agent's policy; time per decision does not grow with the length.

    Args:
        model: the agent.
        num: how many.
        seed: of all draws: the same call gives the same contents.
        temperature: 1 is the learned distribution, 0 takes the most probable decisions.
        prefix: int [P], the first decisions of every content (``task.demonstrations(content)[:P]`` continues
            a given one; pass its condition too).
        condition: int [C] or [num, C]; drawn as in the training works where None.

    Returns:
        The ``num`` contents with the decisions that built them.

    Raises:
        ValueError: ``num`` below 1, a negative temperature, or a prefix or condition that is impossible.
    """
    if num < 1 or not 0 <= temperature < math.inf:
        raise ValueError(f"num must be at least 1 and temperature finite, at least 0, not {num} and {temperature}")
    task = model.task
    starts = np.random.default_rng(seed).integers(2**64, size=num, dtype=np.uint64)
    if condition is not None:
        sizes = np.zeros(0, int) if task.condition_space is None else task.condition_space.nvec
        width = len(sizes)
        given = np.asarray(condition)
        if given.shape not in ((width,), (num, width)) or given.dtype.kind not in "iu":
            raise ValueError(f"condition must be int [{width}] or [{num}, {width}], not {given.dtype} {given.shape}")
        if (given < 0).any() or (given >= sizes).any():
            raise ValueError(f"condition must be at least 0 and below {sizes.tolist()}, not {given.tolist()}")
        condition = np.broadcast_to(given, (num, width))
    if prefix is not None:
        prefix = np.asarray(prefix)
        legal = prefix.ndim == 1 and prefix.dtype.kind in "iu" and ((prefix >= 0) & (prefix < task.num_actions)).all()
        if not legal:
            raise ValueError(f"prefix must be int [P] of actions 0..{task.num_actions - 1}, not {prefix.tolist()}")
    generator = torch.Generator(model.device).manual_seed(seed)
    parts = []
    for first in range(0, num, ROWS):
        rows = slice(first, first + ROWS)
        state = task.initial(starts[rows], None if condition is None else condition[rows])
        parts.append(play(model.q_net, task, state, generator, temperature, prefix))
    return Episodes.join(parts)
