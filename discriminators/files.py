"""Files of networks: one zip of JSON and tensors, replaced as a whole, read without executing any of it."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, TypeVar

import torch

from .architecture import MAX_WEIGHTS, Architecture
from .objectives import Settings

FORMAT = "musegym discriminator 2"
TRAINER_FORMAT = "musegym discriminator trainer 2"
LIMITS = {FORMAT: 4 * MAX_WEIGHTS + 1_000_000, TRAINER_FORMAT: 4 << 30}
"""Largest size in bytes of the tensors of a file, by format; a trainer has moments and past contents, too."""
C = TypeVar("C", Architecture, Settings)
# The errors that damaged or doctored archives, JSON texts and weights-only pickles were seen to raise.
UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, pickle.UnpicklingError, struct.error, json.JSONDecodeError, RecursionError),
    *(RuntimeError, ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError, AssertionError),
    *(MemoryError, OverflowError, NotImplementedError, OSError),
)


def write(target: Path | IO[bytes], config: dict[str, Any], tensors: Mapping[str, Any], level: int = 6) -> None:
    """Writes a file.

    Args:
        target: an open file, or a path, which is replaced as a whole or not at all.
        config: plain data, with its ``"format"``; written as JSON.
        tensors: nested tensors and plain data by name; each becomes a member of the zip.
        level: of compression; 1 is fast, 9 is small.
    """
    members: dict[str, str | bytes] = {"config.json": json.dumps(config, indent=1)}
    for name, state in tensors.items():
        buffer = io.BytesIO()
        torch.save(state, buffer)
        members[f"{name}.pt"] = buffer.getvalue()
    write_members(target, members, level)


def write_members(target: Path | IO[bytes], members: dict[str, str | bytes], level: int = 6) -> None:
    """Writes a zip of members by name into an open file, or replaces a file as a whole or not at all."""
    if not isinstance(target, Path):
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as file:
            for name, data in members.items():
                file.writestr(name, data)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".partial")
    try:
        with partial.open("wb") as stream:
            write_members(stream, members, level)
            stream.flush()
            # Without it a crash of the machine could leave the new name on an empty file.
            os.fsync(stream.fileno())
        partial.replace(target)
    except OSError:
        partial.unlink(missing_ok=True)  # a full disk has more room without it
        raise


def read(source: Path | IO[bytes], limits: Mapping[str, int]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Inverts ``write``.

    Args:
        source: the file.
        limits: largest size in bytes of a member, unpacked, by accepted format.

    Returns:
        The plain data, and the tensors by name.

    Raises:
        Exception: one of ``UNREADABLE``, where the file is damaged, doctored or of another format.
    """
    with zipfile.ZipFile(source) as file:
        config = json.loads(_read_member(file, "config.json", 1_000_000))
        if not isinstance(config, dict) or config.get("format") not in limits:
            formats = " or ".join(map(repr, limits))
            raise ValueError(f"its format is not {formats}: another version of musegym wrote it")
        limit, names = limits[config["format"]], [name for name in file.namelist() if name.endswith(".pt")]
        packed = {name.removesuffix(".pt"): _read_member(file, name, limit) for name in names}
    return config, {name: _read_tensors(data, limit) for name, data in packed.items()}


def read_part(source: Path, name: str, limit: int) -> Any:
    """Returns the tensors of one name in a file of ``write`` of any format; None where it has none of this name.

    Args:
        source: the file.
        name: among those of ``tensors``.
        limit: largest size in bytes, unpacked.

    Raises:
        Exception: one of ``UNREADABLE``, where the file is damaged or doctored.
    """
    with zipfile.ZipFile(source) as file:
        member = f"{name}.pt"
        return _read_tensors(_read_member(file, member, limit), limit) if member in file.namelist() else None


def _read_member(file: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """Reads a member of at most ``limit`` bytes, whatever its directory entry claims."""
    with file.open(name) as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"its {name} is larger than {limit} bytes")
    return data


def _read_tensors(packed: bytes, limit: int) -> Any:
    """Inverts ``torch.save`` for tensors and plain data of at most ``limit`` bytes; executes nothing."""
    with zipfile.ZipFile(io.BytesIO(packed)) as inner:
        if sum(info.file_size for info in inner.infolist()) > limit:
            raise ValueError(f"its tensors unpack to more than {limit} bytes")
    return torch.load(io.BytesIO(packed), map_location="cpu", weights_only=True)


def unusable(
    source: Path | IO[bytes],
    error: BaseException,
    kind: str = "discriminator",
    writer: str = "Discriminator.save",
    remedy: str = "save it anew with Discriminator.save",
) -> FileNotFoundError | ValueError:
    """Returns the error, one line with the reason and a remedy, for a file that is missing or cannot be used."""
    if not isinstance(source, Path):
        source = Path("the open file")
    elif not source.is_file():
        return FileNotFoundError(f"there is no {kind} at {source}: give the file that {writer} wrote")
    return ValueError(f"{source} is not a usable {kind} ({reason(error)}): {remedy}")


def reason(error: BaseException) -> str:
    """Returns the first sentence of an error's message; those of torch have many lines."""
    return str(error).split("\n")[0].split(". ")[0][:200] or type(error).__name__


def plain(config: Architecture | Settings) -> dict[str, Any]:
    """Returns a configuration as plain data, equal to that of its JSON."""
    values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config)))
    return values


def made(cls: type[C], values: dict[str, Any]) -> C:
    """Inverts ``plain``."""
    arguments: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }
    return cls(**arguments)
