"""Discriminators as files: one zip of JSON and tensors, read without executing anything of it."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import pickle
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from .architecture import MAX_WEIGHTS, Architecture
from .objectives import Settings

FORMAT = "musegym discriminator 2"
TRAINER_FORMAT = "musegym discriminator trainer 2"
MAX_BYTES = 4 * MAX_WEIGHTS + 1_000_000
MAX_TRAINER_BYTES = 4 << 30
"""Weights, their moments, and past contents."""
C = TypeVar("C", Architecture, Settings)
# What reading a damaged or doctored archive, JSON text or weights-only pickle was seen to raise.
UNREADABLE = (
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
    text = json.dumps(config | {"updates": saved.updates}, indent=1)
    write_members(path, {"config.json": text, "weights.pt": buffer.getvalue()})


def write_members(target: Path | IO[bytes], members: dict[str, str | bytes], level: int = 6) -> None:
    """Writes a zip into an open file, or replaces a file as a whole or not at all.

    Args:
        target: the file.
        members: what it is to hold, by name.
        level: of compression; 1 is fast, 9 is small.
    """
    if isinstance(target, Path):
        _replace(target, members, level)
        return
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as file:
        for name, data in members.items():
            file.writestr(name, data)


def _replace(path: Path, members: dict[str, str | bytes], level: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as stream:
            write_members(stream, members, level)
            stream.flush()
            # Without it a crash of the machine could leave the new name on an empty file.
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)  # a full disk has more room without it
        raise


def read(path: Path) -> Saved:
    """Reads a file.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is not one that ``write`` wrote.
    """
    _require_file(path)
    try:
        with zipfile.ZipFile(path) as file:
            config = json.loads(read_member(file, "config.json", 100_000))
            packed = read_member(file, "weights.pt", MAX_BYTES)
        if not isinstance(config, dict) or config.get("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT!r}")
        architecture, settings = made(Architecture, config["architecture"]), made(Settings, config["settings"])
        return Saved(architecture, settings, int(config["updates"]), read_tensors(packed, MAX_BYTES))
    except UNREADABLE as error:
        raise unusable(path, error) from error


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"there is no discriminator at {path}: give the file that Discriminator.save wrote")


def write_trainer(path: Path, state: dict[str, Any]) -> None:
    """Writes the state of a trainer and its discriminator, replacing what was there as a whole or not at all."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_members(path, {"config.json": json.dumps({"format": TRAINER_FORMAT}), "trainer.pt": buffer.getvalue()}, 1)


def read_trainer(path: Path) -> dict[str, Any] | None:
    """Reads what ``write_trainer`` wrote; None where the file is of a discriminator alone.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is something else.
    """
    _require_file(path)
    try:
        with zipfile.ZipFile(path) as file:
            found = json.loads(read_member(file, "config.json", 100_000))["format"]
            if found == FORMAT:
                return None
            if found != TRAINER_FORMAT:
                raise ValueError(f"its format is not {TRAINER_FORMAT!r}")
            state: dict[str, Any] = read_tensors(read_member(file, "trainer.pt", MAX_TRAINER_BYTES), MAX_TRAINER_BYTES)
        return state
    except UNREADABLE as error:
        raise unusable(path, error) from error


def unusable(path: Path, error: BaseException) -> ValueError:
    """Returns the error that says in one line why a file is refused and what to do."""
    return ValueError(f"{path} is not a usable discriminator ({reason(error)}): save it anew with Discriminator.save")


def reason(error: BaseException) -> str:
    """Returns the first sentence of an error's message: torch's run over many lines."""
    return str(error).split("\n")[0].split(". ")[0][:200] or type(error).__name__


def plain(config: Architecture | Settings) -> dict[str, Any]:
    """Returns a configuration as JSON would give it back."""
    return {
        key: list(value) if isinstance(value, tuple) else value for key, value in dataclasses.asdict(config).items()
    }


def read_member(file: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """Reads a member of at most ``limit`` bytes, whatever its directory entry claims."""
    with file.open(name) as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"its {name} is larger than {limit} bytes")
    return data


def read_tensors(packed: bytes, limit: int) -> Any:
    """Reads what ``torch.save`` wrote of at most ``limit`` bytes: tensors and plain data, nothing executed."""
    with zipfile.ZipFile(io.BytesIO(packed)) as inner:
        if sum(info.file_size for info in inner.infolist()) > limit:
            raise ValueError(f"its tensors unpack to more than {limit} bytes")
    return torch.load(io.BytesIO(packed), map_location="cpu", weights_only=True)


def made(cls: type[C], values: dict[str, Any]) -> C:
    """Inverts ``plain``."""
    arguments: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }
    return cls(**arguments)
