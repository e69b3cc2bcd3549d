"""Discriminators as files: one zip of JSON and tensors, read without executing anything of it."""

from __future__ import annotations

import dataclasses
import io
import json
import pickle
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from .networks import MAX_WEIGHTS, Architecture
from .objectives import Settings

FORMAT = "musegym discriminator 1"
MAX_BYTES = 4 * MAX_WEIGHTS + 1_000_000
C = TypeVar("C", Architecture, Settings)
# What reading a damaged or doctored archive, JSON text or weights-only pickle was seen to raise.
_UNREADABLE = (
    *(
        zipfile.BadZipFile,
        zlib.error,
        pickle.UnpicklingError,
        struct.error,
        json.JSONDecodeError,
        RecursionError,
        MemoryError,
    ),
    *(RuntimeError, ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError, AssertionError),
    *(OverflowError, NotImplementedError, OSError),
)


class Saved(NamedTuple):
    """What a file holds; the weights are yet to be held against the architecture."""

    architecture: Architecture
    settings: Settings
    updates: int
    weights: dict[str, Tensor]


def write(path: Path, saved: Saved, half: bool) -> None:
    """Writes a file, replacing what was there as a whole or not at all; ``half`` stores 16-bit weights."""
    buffer = io.BytesIO()
    kind = torch.float16 if half else torch.float32
    torch.save({name: value.detach().to("cpu", kind) for name, value in saved.weights.items()}, buffer)
    config = {"format": FORMAT, "architecture": plain(saved.architecture), "settings": plain(saved.settings)}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("config.json", json.dumps(config | {"updates": saved.updates}, indent=1))
        file.writestr("weights.pt", buffer.getvalue())
    partial.replace(path)


def read(path: Path) -> Saved:
    """Reads a file.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is not one that ``write`` wrote.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no discriminator at {path}: give the file that Discriminator.save wrote")
    try:
        with zipfile.ZipFile(path) as file:
            config = json.loads(_member(file, "config.json", 100_000))
            packed = _member(file, "weights.pt", MAX_BYTES)
        if not isinstance(config, dict) or config.get("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT!r}")
        architecture, settings = made(Architecture, config["architecture"]), made(Settings, config["settings"])
        with zipfile.ZipFile(io.BytesIO(packed)) as inner:
            if sum(info.file_size for info in inner.infolist()) > MAX_BYTES:
                raise ValueError(f"its weights unpack to more than {MAX_BYTES} bytes")
        weights = torch.load(io.BytesIO(packed), map_location="cpu", weights_only=True)
        return Saved(architecture, settings, int(config["updates"]), weights)
    except _UNREADABLE as error:
        raise unusable(path, error) from error


def unusable(path: Path, error: BaseException) -> ValueError:
    """Returns the error that says in one line why a file is refused and what to do."""
    reason = str(error).split("\n")[0].split(". ")[0][:200] or type(error).__name__
    return ValueError(f"{path} is not a usable discriminator ({reason}): save it anew with Discriminator.save")


def plain(config: Architecture | Settings) -> dict[str, Any]:
    """Returns a configuration as JSON would give it back."""
    return {
        key: list(value) if isinstance(value, tuple) else value for key, value in dataclasses.asdict(config).items()
    }


def _member(file: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """Reads a member of at most ``limit`` bytes, whatever its directory entry claims."""
    with file.open(name) as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"its {name} is larger than {limit} bytes")
    return data


def made(cls: type[C], values: dict[str, Any]) -> C:
    """Inverts ``plain``."""
    arguments: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }
    return cls(**arguments)
