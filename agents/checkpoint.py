"""Saving and loading of agents, in files as ``discriminators.files`` writes them."""

from __future__ import annotations

import dataclasses
import logging
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

import gymnasium as gym
from stable_baselines3.common.type_aliases import GymEnv
from stable_baselines3.common.vec_env import VecEnv

from ..discriminators import files
from .config import DQNConfig, changed
from .sb3 import TaskVecEnv, make_sb3_env, wrappers_of

FORMAT = "musegym agent 3"
LIMIT = 4 << 30
"""Largest size of a member of the file, unpacked, in bytes."""
LOG = logging.getLogger(__name__)
Target = str | os.PathLike[str] | IO[bytes]
# The environment is made from its id, which may be unknown here, or of a package that is not installed.
UNREADABLE = (*files.UNREADABLE, gym.error.Error, ImportError)


class Restorable(Protocol):
    """An agent that continues from the tensors of a file."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from the tensors that ``save`` was given."""


M = TypeVar("M", bound=Restorable)


def save(path: Target, env: VecEnv, config: DQNConfig, tensors: dict[str, Any]) -> None:
    """Writes an agent: the arguments that make it, and its tensors.

    Args:
        path: replaced as a whole, or not at all; ``.zip`` is added where it has no suffix. Or an open file.
        env: its environment. The file keeps the id, the arguments and the names of the wrappers.
        config: its settings.
        tensors: nested plain data and tensors.

    Raises:
        ValueError: the environment was not made from a registered id.
    """
    arguments = described(env)
    if "generator" in tensors:  # which the file then holds, as it is now
        arguments.pop("generator", None)
    made = {"env": arguments, "wrappers": wrappers_of(env), "arguments": dataclasses.asdict(config)}
    write(path, made, tensors)


def load(path: Target, make: Callable[[GymEnv, DQNConfig], M], env: GymEnv | None, changes: bool) -> M:
    """Reads what ``save`` wrote.

    Args:
        path: the file, with or without its ``.zip``, or an open one.
        make: returns an agent, given an environment and settings.
        env: the agent's environment; None makes it from the saved id, without wrappers.
        changes: True where ``make`` changes saved arguments.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged or doctored, or the environment or the changes do not fit it.
    """
    config, tensors = read(path)
    env_to_blame = False
    try:
        if "task" in config["env"]:
            raise ValueError("it sets 'task', which no saved model does")
        learned_on = config["env"]["env_id"]
        env_to_blame = changes or env is not None
        if env is None:
            if wrappers := config.get("wrappers"):
                names = ", ".join(map(str, wrappers))
                LOG.warning("this model learned under %s, which its file does not hold: pass load(env=...)", names)
            env = make_sb3_env(seed=config["arguments"]["seed"], **config["env"])
        model = make(env, changed(DQNConfig(), config["arguments"]))
        model.load_state_dict(tensors)
    except UNREADABLE as error:
        if not env_to_blame:
            raise unusable(path, error) from error
        raise ValueError(
            f"a model of {learned_on} cannot be loaded with this environment or these arguments: {files.reason(error)}"
        ) from error
    return model


def described(env: VecEnv) -> dict[str, Any]:
    """Returns the arguments of ``make_sb3_env`` that make the same environment, without its wrappers.

    Raises:
        ValueError: it was not made from a registered id.
    """
    made = env.unwrapped
    if isinstance(made, TaskVecEnv):
        return {"env_id": made.env_id, "num_envs": made.num_envs, **made.env_kwargs}
    spec = made.get_attr("spec")[0]
    if spec is None:
        raise ValueError("only agents whose environment was made from an id can be saved: make_sb3_env(id, ...)")
    kwargs = {name: value for name, value in spec.kwargs.items() if name not in ("task", "render_mode")}
    return {"env_id": spec.id, "num_envs": made.num_envs, **kwargs}


def place(path: Target) -> Path | IO[bytes]:
    """Returns the file that a target names: an open file unchanged, a path with ``.zip`` where it has no suffix."""
    if isinstance(path, str | os.PathLike):
        return Path(path) if Path(path).suffix else Path(path).with_suffix(".zip")
    return path


def write(path: Target, config: dict[str, Any], tensors: dict[str, Any]) -> None:
    """Writes ``config`` as JSON and every entry of ``tensors`` (nested plain data and tensors) as a member."""
    files.write(place(path), {"format": FORMAT, **config}, tensors, level=1)


def read(path: Target) -> tuple[dict[str, Any], dict[str, Any]]:
    """Inverts ``write``; a path may leave out ``.zip``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, doctored or something else.
    """
    source = _found(path)
    try:
        with zipfile.ZipFile(source) as file:
            foreign = "_stable_baselines3_version" in file.namelist()
        if not foreign:
            return files.read(source, {FORMAT: LIMIT})
    except UNREADABLE as error:
        raise unusable(path, error) from error
    raise ValueError(
        f"{path} is a model of Stable-Baselines3, a pickle, which runs code when it is read: load it in Python, "
        "and pass it to musegym.agents.generate or musegym.benchmarks.suite.evaluate; or evaluate its works: "
        "musegym evaluate --works FILE.npz --id ID"
    )


def _found(path: Target) -> Path | IO[bytes]:
    """Returns the file to read: that of the exact path where there is one, else that of ``place``."""
    return Path(path) if isinstance(path, str | os.PathLike) and Path(path).is_file() else place(path)


def unusable(path: Target, error: BaseException) -> FileNotFoundError | ValueError:
    """Returns the error for a file that is missing or cannot be used: one line with the reason and a remedy."""
    remedy = "train it again, or restore the file from a copy"
    return files.unusable(_found(path), error, "model", "AdversarialDQN.save", remedy)
