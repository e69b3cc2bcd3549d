"""Agents as files: one zip of JSON and tensors, replaced as a whole, read without executing anything of it."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import gymnasium as gym
import torch

from ..discriminators import files

FORMAT = "musegym agent 3"
LIMIT = 4 << 30  # bytes: what a member may unpack to
# The environment is made from its id, which may be unknown here, or of a package that is not installed.
UNREADABLE = (*files.UNREADABLE, gym.error.Error, ImportError)


def write(path: Path, config: dict[str, Any], tensors: dict[str, Any]) -> None:
    """Writes ``config`` as JSON and every entry of ``tensors`` (nested plain data and tensors) as a member."""
    members: dict[str, str | bytes] = {"config.json": json.dumps({"format": FORMAT, **config}, indent=1)}
    for name, state in tensors.items():
        buffer = io.BytesIO()
        torch.save(state, buffer)
        members[f"{name}.pt"] = buffer.getvalue()
    files.write_members(path, members, level=1)


def read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Inverts ``write``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, doctored or something else.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no model at {path}: give the file that AdversarialDQN.save wrote")
    try:
        with zipfile.ZipFile(path) as file:
            config = json.loads(files.read_member(file, "config.json", 1_000_000))
            if not isinstance(config, dict) or config.pop("format", None) != FORMAT:
                raise ValueError(f"its format is not {FORMAT!r}: another version of musegym wrote it")
            names = [name for name in file.namelist() if name.endswith(".pt")]
            packed = {name.removesuffix(".pt"): files.read_member(file, name, LIMIT) for name in names}
        return config, {name: files.read_tensors(data, LIMIT) for name, data in packed.items()}
    except UNREADABLE as error:
        raise unusable(path, error) from error


def unusable(path: Path, error: BaseException) -> ValueError:
    """Returns the error that says in one line why a file is refused and what to do."""
    return ValueError(
        f"{path} is not a usable model ({files.reason(error)}): train it again, or restore the file from a copy"
    )
