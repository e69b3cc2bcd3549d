"""Agents as files: one zip of JSON and tensors, replaced as a whole, read without executing anything of it."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path
from typing import IO, Any, cast

import gymnasium as gym
import torch

from ..discriminators import files

FORMAT = "musegym agent 3"
LIMIT = 4 << 30  # bytes: what a member may unpack to
Target = str | os.PathLike[str] | IO[bytes]
# The environment is made from its id, which may be unknown here, or of a package that is not installed.
UNREADABLE = (*files.UNREADABLE, gym.error.Error, ImportError)


class ForeignError(Exception):
    """A file is of another library."""


def place(path: Target) -> Path | IO[bytes]:
    """Returns where a model is written to: an open file as it is, a path with ``.zip`` where it has no suffix."""
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
            f"{path} is a model of Stable-Baselines3, which holds a pickle, code that runs as it is read: load it in "
            "Python, where musegym.agents.generate and musegym.benchmarks.suite.evaluate take it, or evaluate what it "
            "made: musegym evaluate --works FILE.npz --id ID"
        ) from None
    except UNREADABLE as error:
        raise unusable(path, error) from error


def unusable(path: Target, error: BaseException) -> ValueError:
    """Returns the error that says in one line why a file is refused and what to do."""
    name = path if isinstance(path, str | os.PathLike) else "the open file"
    return ValueError(
        f"{name} is not a usable model ({files.reason(error)}): train it again, or restore the file from a copy"
    )
