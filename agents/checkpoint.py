"""Saving and loading of agents: one zip of JSON and tensors, replaced as a whole, read without executing any of it."""

from __future__ import annotations

import dataclasses
import io
import json
import logging
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar, cast

import gymnasium as gym
import torch
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


class ForeignError(Exception):
    """A file is of another library."""


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
    made = {"env": described(env), "wrappers": wrappers_of(env), "arguments": dataclasses.asdict(config)}
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
    file_to_blame = True
    try:
        if "task" in config["env"]:
            raise ValueError("it sets 'task', which no saved model does")
        learned_on = config["env"]["env_id"]
        file_to_blame = env is None and not changes
        if env is None:
            if wrappers := config.get("wrappers"):
                names = ", ".join(map(str, wrappers))
                LOG.warning("this model learned under %s, which its file does not hold: pass load(env=...)", names)
            env = make_sb3_env(seed=config["arguments"]["seed"], **config["env"])
        model = make(env, changed(DQNConfig(), config["arguments"]))
        model.load_state_dict(tensors)
    except UNREADABLE as error:
        if file_to_blame:
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
    """Returns the target of writing: an open file unchanged, a path with ``.zip`` where it has no suffix."""
    if isinstance(path, str | os.PathLike):
        named = Path(path)
        return named if named.suffix else named.with_name(f"{named.name}.zip")
    return path


def write(path: Target, config: dict[str, Any], tensors: dict[str, Any]) -> None:
    """Writes ``config`` as JSON and every entry of ``tensors`` (nested plain data and tensors) as a member."""
    members: dict[str, str | bytes] = {"config.json": json.dumps({"format": FORMAT, **config}, indent=1)}
    for name, state in tensors.items():
        buffer = io.BytesIO()
        torch.save(state, buffer)
        members[f"{name}.pt"] = buffer.getvalue()
    files.write_members(place(path), members, level=1)


def read(path: Target) -> tuple[dict[str, Any], dict[str, Any]]:
    """Inverts ``write``; a path may leave out ``.zip``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, doctored or something else.
    """
    source: Path | IO[bytes] = path if not isinstance(path, str | os.PathLike) else Path(path)
    if isinstance(source, Path):
        source = source if source.is_file() else cast("Path", place(source))
        if not source.is_file():
            raise FileNotFoundError(f"there is no model at {path}: give the file that AdversarialDQN.save wrote")
    try:
        with zipfile.ZipFile(source) as file:
            if "_stable_baselines3_version" in file.namelist():
                raise ForeignError
            config = json.loads(files.read_member(file, "config.json", 1_000_000))
            if not isinstance(config, dict) or config.pop("format", None) != FORMAT:
                raise ValueError(f"its format is not {FORMAT!r}: another version of musegym wrote it")
            names = [name for name in file.namelist() if name.endswith(".pt")]
            packed = {name.removesuffix(".pt"): files.read_member(file, name, LIMIT) for name in names}
        return config, {name: files.read_tensors(data, LIMIT) for name, data in packed.items()}
    except ForeignError:
        raise ValueError(
            f"{path} is a model of Stable-Baselines3, a pickle, which runs code when it is read: load it in Python, "
            "and pass it to musegym.agents.generate or musegym.benchmarks.suite.evaluate; or evaluate its works: "
            "musegym evaluate --works FILE.npz --id ID"
        ) from None
    except UNREADABLE as error:
        raise unusable(path, error) from error


def unusable(path: Target, error: BaseException) -> ValueError:
    """Returns the error for a file that cannot be used: one line with the reason and a remedy."""
    name = path if isinstance(path, str | os.PathLike) else "the open file"
    return ValueError(
        f"{name} is not a usable model ({files.reason(error)}): train it again, or restore the file from a copy"
    )
