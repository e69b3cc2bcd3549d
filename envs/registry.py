"""One row per environment id; command line, docs pages, test ids and sweeps all derive from it.

Everything is registered by string, so that importing musegym loads no domain, no torch and no pygame.
"""

from __future__ import annotations

import dataclasses
import enum
import importlib
import inspect
import json
import os
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec

from .task import Task

BUILT_IN: tuple[tuple[str, str], ...] = (
    ("musegym/Melody-v0", "musegym.envs.melody:MelodyTask"),
    ("musegym/Digit-v0", "musegym.envs.digit:DigitTask"),
    ("musegym/Density-v0", "musegym.envs.density:DensityTask"),
    ("musegym/Oracle-v0", "musegym.envs.oracle:OracleTask"),
    ("musegym/RLTuner-v0", "musegym.envs.rltuner:RLTunerTask"),
    ("musegym/Level-v0", "musegym.envs.level:LevelTask"),
    ("musegym/Sprite-v0", "musegym.envs.sprite:SpriteTask"),
    ("musegym/Verse-v0", "musegym.envs.verse:VerseTask"),
    ("musegym/Paint-v0", "musegym.envs.paint:PaintTask"),
    ("musegym/Chorale-v0", "musegym.envs.chorale:ChoraleTask"),
    ("musegym/Sketch-v0", "musegym.envs.sketch:SketchTask"),
    ("musegym/Poem-v0", "musegym.envs.poem:PoemTask"),
    ("musegym/Dungeon-v0", "musegym.envs.dungeon:DungeonTask"),
    ("musegym/Phrase-v0", "musegym.envs.phrase:PhraseTask"),
    ("musegym/Scene-v0", "musegym.envs.scene:SceneTask"),
    ("musegym/Animation-v0", "musegym.envs.animation:AnimationTask"),
    ("musegym/Atelier-v0", "musegym.envs.atelier:AtelierTask"),
)
"""Rows (id, entry point of the task)."""

SCALAR = "musegym.envs.scalar:TaskEnv"
VECTOR = "musegym.envs.vector:TaskVectorEnv"
_NOT_FOR_TASKS = ("task", "render_mode", "discriminator", "rule_weight", "autoreset_mode")
_OF_GYMNASIUM = ("max_episode_steps", "reward_threshold", "nondeterministic", "order_enforce", "disable_env_checker")


def register(env_id: str, entry_point: str, **kwargs: Any) -> None:
    """Registers a task with Gymnasium: ``gym.make`` and ``gym.make_vec`` then build both environments of it.

    Registering the same row again does nothing; another row under a known id makes Gymnasium warn.

    Args:
        env_id: ``"namespace/Name-v0"``.
        entry_point: ``"package.module:TaskClass"``, a `Task`; imported when the first environment is made.
        **kwargs: default arguments of environment and task, plain data that survives JSON; ``max_episode_steps`` and
            the other arguments of ``gymnasium.register`` go there.

    Raises:
        TypeError: ``entry_point`` is no string, or an argument is not plain data.
        ValueError: ``entry_point`` is not of the form ``"package.module:TaskClass"``.
    """
    _split(entry_point)
    try:
        same = json.loads(json.dumps(kwargs)) == kwargs
    except TypeError:
        same = False
    if not same:
        raise TypeError(
            f"register({env_id!r}): arguments must be plain data (str, number, bool, None, list, dict): {kwargs}"
        )
    theirs = {name: kwargs[name] for name in kwargs if name in _OF_GYMNASIUM}
    ours = {"task": entry_point} | {name: kwargs[name] for name in kwargs if name not in _OF_GYMNASIUM}
    if gym.registry.get(env_id) != EnvSpec(env_id, SCALAR, vector_entry_point=VECTOR, kwargs=ours, **theirs):
        gym.register(env_id, SCALAR, vector_entry_point=VECTOR, kwargs=ours, **theirs)


def register_built_in() -> None:
    """Registers every row of `BUILT_IN`."""
    for env_id, entry_point in BUILT_IN:
        register(env_id, entry_point)


def ids() -> tuple[str, ...]:
    """Returns the ids of all registered tasks, built in or not, in order of registration."""
    return tuple(env_id for env_id, spec in gym.registry.items() if spec.entry_point == SCALAR)


def make_task(env_id: str, **kwargs: Any) -> Task[Any]:
    """Builds the task of a registered id without an environment around it.

    Args:
        env_id: a registered id, ``"module:id"`` (imports the module first, as in ``gym.make``).
        **kwargs: arguments of the task, over the registered ones.

    Raises:
        gymnasium.error.Error: the id is unknown or not one of musegym.
        TypeError: the task does not take an argument.
    """
    spec = _spec(env_id)
    merged = {**spec.kwargs, **kwargs}
    return load_task(spec.kwargs["task"], {key: merged[key] for key in merged if key not in _NOT_FOR_TASKS})


def task_class(env_id: str) -> tuple[type[Task[Any]], dict[str, Any]]:
    """Returns the class of a registered id's task, and the arguments that it is registered with.

    Raises:
        gymnasium.error.Error: the id is unknown or not one of musegym.
        TypeError: what was registered is not a task.
    """
    kwargs = _spec(env_id).kwargs
    return _factory(kwargs["task"]), {key: kwargs[key] for key in kwargs if key != "task"}


def _spec(env_id: str) -> gym.envs.registration.EnvSpec:
    module, _, name = env_id.rpartition(":")
    if module:
        importlib.import_module(module)
    spec = gym.spec(name)
    if spec.entry_point != SCALAR:
        raise gym.error.Error(f"{name} is not a musegym environment; these are: {', '.join(ids())}")
    return spec


def load_task(entry_point: str, kwargs: dict[str, Any]) -> Task[Any]:
    """Imports and builds a task; arguments that are None are left to the task's own defaults.

    Args:
        entry_point: ``"package.module:TaskClass"``.
        kwargs: arguments of the task.

    Raises:
        TypeError: the task does not take an argument, or what was named is not a task.
    """
    factory = _factory(entry_point)
    kwargs = {key: value for key, value in kwargs.items() if value is not None}
    parameters = inspect.signature(factory).parameters
    unknown = [key for key in kwargs if key not in parameters]
    if unknown and not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        takes = ", ".join(parameters) or "nothing"
        raise TypeError(f"{factory.__name__} does not take {', '.join(unknown)}; it takes: {takes}")
    return factory(**kwargs)


def _factory(entry_point: str) -> type[Task[Any]]:
    module, name = _split(entry_point)
    factory = getattr(importlib.import_module(module), name, None)
    if not (isinstance(factory, type) and issubclass(factory, Task)):
        raise TypeError(f"{entry_point} is not a subclass of musegym.envs.Task")
    return factory


def plain_spec(spec: EnvSpec | None) -> EnvSpec | None:
    """Returns a spec with arguments that survive JSON: values for enumerations, text for paths."""
    return None if spec is None else dataclasses.replace(spec, kwargs=_plain(spec.kwargs))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _split(entry_point: str) -> tuple[str, str]:
    if not isinstance(entry_point, str):
        raise TypeError(f"a task is named by a string 'package.module:TaskClass', not by {entry_point!r}")
    module, colon, name = entry_point.partition(":")
    if not (module and colon and name.isidentifier()):
        raise ValueError(f"a task is named as 'package.module:TaskClass', not {entry_point!r}")
    return module, name
