"""Generation of contents by a trained agent."""

from __future__ import annotations

import contextlib
import inspect
import math
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecEnvWrapper, VecNormalize

from ..envs.task import Array, Ints, Task
from . import steering
from .dqn import AdversarialDQN
from .episodes import Episodes, Recorder, play
from .sb3 import task_of

ROWS = 1024
"""Contents built at a time; bounds memory."""
OTHERS_ROWS = 128
"""Contents that other policies of Stable-Baselines3 build at a time, which see observations as one-hot vectors."""


def generate(
    model: BaseAlgorithm,
    num: int,
    seed: int = 0,
    temperature: float = 1.0,
    prefix: Ints | None = None,
    condition: Ints | None = None,
    like: Array | None = None,
    share: float = 0.5,
    between: tuple[Array, Array] | None = None,
) -> Array:
    """Returns the contents [num, ...] of ``generate_episodes``, decoded; or of ``steering.like`` or ``between``.

    Args:
        model: as in ``generate_episodes``; an ``AdversarialDQN`` for ``like`` and ``between``.
        num: number of contents.
        seed: as in ``generate_episodes``.
        temperature: as in ``generate_episodes``; 1 for ``like`` and ``between``.
        prefix: as in ``generate_episodes``; none for ``like`` and ``between``.
        condition: as in ``generate_episodes``; of ``like`` int [C], of ``between`` int [2, C] or none.
        like: a content, some of whose decisions all contents share.
        share: of the decisions of ``like`` that stay, 0 to 1.
        between: two contents; every decision is one of theirs.

    Raises:
        TypeError: as in ``generate_episodes``; ``like`` or ``between`` of another algorithm.
        ValueError: as in ``generate_episodes``; arguments exclude each other.
    """
    if like is not None or between is not None:
        if not isinstance(model, AdversarialDQN):
            raise TypeError(f"like and between need an AdversarialDQN, not a {type(model).__name__}")
        if temperature != 1 or prefix is not None or (like is not None and between is not None):
            raise ValueError("like and between exclude each other, a prefix, and temperatures but 1: leave one out")
        if like is not None:
            return steering.like(model, like, num, share, condition, seed).contents
        assert between is not None
        if not isinstance(between, tuple | list) or len(between) != 2:
            raise ValueError("between takes two works: between=(first, second)")
        return steering.between(model, *between, num, condition, seed).contents
    built = generate_episodes(model, num, seed, temperature, prefix, condition).contents
    return built_by(model).decoded(built, np.random.default_rng(seed))


def generate_episodes(
    model: BaseAlgorithm,
    num: int,
    seed: int = 0,
    temperature: float = 1.0,
    prefix: Ints | None = None,
    condition: Ints | None = None,
) -> Episodes:
    """Builds contents with a model's policy.

    Args:
        model: an ``AdversarialDQN``, for which time per decision does not grow with the length, or any model of
            Stable-Baselines3 that has a musegym environment. Masks are passed to models that accept them; illegal
            actions of others are replaced, as in the environment.
        num: number of contents.
        seed: seed of all draws: the same call gives the same contents.
        temperature: 1 samples the learned distribution, 0 takes the most probable decisions; other values are for
            ``AdversarialDQN`` only.
        prefix: int [P], the first decisions of every content (``task.demonstrations(content)[:P]`` continues
            a given one; pass its condition too). -1 leaves a decision to the policy.
        condition: int [C] or [num, C]; None draws from the distribution of the training works.

    Returns:
        The ``num`` contents with their decisions and conditions; plans where the task decodes them.

    Raises:
        TypeError: the model's environment builds no contents.
        ValueError: ``num`` below 1, a negative temperature, or a prefix or condition that is impossible; the model has
            no environment, or acts through wrappers that change observations or actions.
    """
    if num < 1 or not 0 <= temperature < math.inf:
        raise ValueError(f"num must be at least 1 and temperature finite, at least 0, not {num} and {temperature}")
    ours = isinstance(model, AdversarialDQN)
    if not ours and temperature not in (0, 1):
        raise ValueError(
            f"temperature must be 1 or 0 for a {type(model).__name__}, for samples or the most probable decisions, "
            f"not {temperature}"
        )
    task = built_by(model)
    starts = np.random.default_rng(seed).integers(2**64, size=num, dtype=np.uint64)
    if condition is not None:
        sizes = task.condition_sizes
        width = len(sizes)
        given = np.asarray(condition)
        if given.shape not in ((width,), (num, width)) or given.dtype.kind not in "iu":
            raise ValueError(f"condition must be int [{width}] or [{num}, {width}], not {given.dtype} {given.shape}")
        if (given < 0).any() or (given >= sizes).any():
            raise ValueError(f"condition must be at least 0 and below {list(sizes)}, not {given.tolist()}")
        condition = np.broadcast_to(given, (num, width))
    if prefix is not None:
        prefix = np.asarray(prefix)
        legal = prefix.ndim == 1 and prefix.dtype.kind in "iu" and ((prefix >= -1) & (prefix < task.num_actions)).all()
        if not legal:
            raise ValueError(
                f"prefix must be int [P] of actions 0..{task.num_actions - 1}, or -1, not {prefix.tolist()}"
            )
    parts = []
    with contextlib.nullcontext() if ours else _seeded(model, seed):
        generator = torch.Generator(model.device).manual_seed(seed)
        rows_at_once = ROWS if ours else OTHERS_ROWS
        for first in range(0, num, rows_at_once):
            rows = slice(first, first + rows_at_once)
            state = task.initial(starts[rows], None if condition is None else condition[rows])
            if isinstance(model, AdversarialDQN):
                parts.append(play(model.q_net, task, state, generator, temperature, prefix))
            else:
                parts.append(_play_with(model, task, state, temperature == 0, prefix))
    return Episodes.join(parts)


def built_by(model: BaseAlgorithm) -> Task[Any]:
    """Returns the task of a model.

    Raises:
        TypeError: its environment is none of musegym.
        ValueError: it has no environment.
    """
    if isinstance(task := getattr(model, "task", None), Task):
        return task
    env = model.get_env()
    if env is None:
        name = type(model).__name__
        raise ValueError(f"this {name} has no environment, and so no task: {name}.load(path, make_sb3_env(id, ...))")
    return task_of(env)


def _play_with(model: BaseAlgorithm, task: Task[Any], state: Any, greedy: bool, prefix: Ints | None) -> Episodes:
    """Builds contents by a policy of Stable-Baselines3 from the starts of N episodes; see ``play``."""
    env = model.get_env()
    assert env is not None
    normalise = _normalisation(env, task)
    masked = "action_masks" in inspect.signature(model.predict).parameters
    recorder, memory, begins, step = Recorder(task, state), None, np.ones(len(state), np.bool_), 0
    while not recorder.done.all():
        mask = recorder.look().mask
        given = {"action_masks": mask} if masked else {}
        actions, memory = model.predict(
            normalise(task.observe(recorder.state)), state=memory, episode_start=begins, deterministic=greedy, **given
        )
        if prefix is not None and step < len(prefix) and prefix[step] >= 0:
            actions = np.full(len(begins), prefix[step])
        recorder.act(task.legalise(recorder.state, np.asarray(actions, np.int64)))
        begins, step = np.zeros_like(begins), step + 1
    return recorder.episodes()


def _normalisation(env: VecEnv, task: Task[Any]) -> Callable[[Array], Array]:
    """Returns the function from observations of the task to those of an environment: normalisation, or the identity.

    Raises:
        ValueError: a wrapper changes observations in another way, or changes actions.
    """
    wrappers = list[VecEnvWrapper]()
    while isinstance(env, VecEnvWrapper):
        wrappers.append(env)
        env = env.venv
    row: Any = env.envs[0] if isinstance(env, DummyVecEnv) else None
    changing = list[str]()
    while isinstance(row, gym.Wrapper):
        if (
            isinstance(row, gym.ObservationWrapper | gym.ActionWrapper)
            or row.observation_space != row.env.observation_space
        ):
            changing.append(type(row).__name__)
        row = row.env
    normalising = list[VecNormalize]()
    for wrapper in reversed(wrappers):
        if isinstance(wrapper, VecNormalize):
            normalising.append(wrapper)
        elif wrapper.observation_space != wrapper.venv.observation_space:
            changing.append(type(wrapper).__name__)
    if env.observation_space != task.observation_space and not changing:
        changing.append(type(env).__name__)  # of rows in other processes the wrappers are unknown
    if changing:
        raise ValueError(
            f"this model acts through {', '.join(changing)}, without which it cannot build: step its own environment, "
            "and collect info['content']"
        )

    def normalise(observations: Array) -> Array:
        for wrapper in normalising:
            observations = np.asarray(wrapper.normalize_obs(observations))
        return observations

    return normalise


@contextlib.contextmanager
def _seeded(model: BaseAlgorithm, seed: int) -> Iterator[None]:
    """Seeds the global generators of Stable-Baselines3's policies, and restores their states afterwards."""
    exploring = model.action_space.np_random.bit_generator
    kept, legacy = exploring.state, np.random.get_state()  # noqa: NPY002 - Stable-Baselines3 draws from it
    devices = [model.device] if model.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        exploring.state = np.random.default_rng(seed).bit_generator.state
        try:
            yield
        finally:
            np.random.set_state(legacy)  # noqa: NPY002
            exploring.state = kept
