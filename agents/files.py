"""Agents as files: one zip of JSON and tensors, replaced as a whole, read without executing anything of it."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import torch

FORMAT = "musegym agent 1"
LIMIT = 4 << 30  # bytes: what a member may unpack to
# What reading a damaged or doctored archive, JSON text or weights-only pickle was seen to raise.
UNREADABLE = (
    *(zipfile.BadZipFile, pickle.UnpicklingError, struct.error, json.JSONDecodeError, RecursionError, MemoryError),
    *(RuntimeError, ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError, AssertionError),
    *(OverflowError, NotImplementedError, OSError),
)


def write(path: Path, config: dict[str, Any], tensors: dict[str, Any]) -> None:
    """Writes ``config`` as JSON and every entry of ``tensors`` (nested plain data and tensors) as a member."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        file.writestr("config.json", json.dumps({"format": FORMAT, **config}, indent=1))
        for name, state in tensors.items():
            buffer = io.BytesIO()
            torch.save(state, buffer)
            file.writestr(f"{name}.pt", buffer.getvalue())
    with partial.open("rb+") as file_on_disk:
        os.fsync(file_on_disk.fileno())
    partial.replace(path)


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
            if sum(info.file_size for info in file.infolist()) > LIMIT:
                raise ValueError(f"it unpacks to more than {LIMIT >> 30} GiB")
            config = json.loads(file.read("config.json"))
            if not isinstance(config, dict) or config.pop("format", None) != FORMAT:
                raise ValueError(f"its format is not {FORMAT!r}")
            members = [name for name in file.namelist() if name.endswith(".pt")]
            return config, {name.removesuffix(".pt"): _tensors(file.read(name)) for name in members}
    except UNREADABLE as error:
        raise unusable(path, error) from error


def unusable(path: Path, error: BaseException) -> ValueError:
    """Returns the error that says in one line why a file is refused and what to do."""
    reason = str(error).split("\n")[0].split(". ")[0][:200] or type(error).__name__
    return ValueError(f"{path} is not a usable model ({reason}): train it again, or restore the file from a copy")


def _tensors(data: bytes) -> Any:
    with zipfile.ZipFile(io.BytesIO(data)) as inner:
        if sum(info.file_size for info in inner.infolist()) > LIMIT:
            raise ValueError(f"it unpacks to more than {LIMIT >> 30} GiB")
    return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
