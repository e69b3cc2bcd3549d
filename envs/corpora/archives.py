"""Archives of packages, unpacked safely: only files that are asked for, never outside of their folder, bounded in size.

Read are wheels and other zip files, tar files of any compression that Python knows, and Debian's packages.
"""

from __future__ import annotations

import contextlib
import lzma
import os
import re
import shutil
import stat
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple

from .files import printable

MOST_FILES = 100_000
MOST_BYTES = 2 << 30
"""Bytes that are written."""
MOST_READ = 16 << 30
"""Bytes of all members together, also of those passed over."""
CHUNK = 1 << 20
DAMAGES = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError)
"""Errors by which Python's readers say that an archive is damaged, encrypted or of a kind that they do not know."""
AR_MAGIC, AR_HEADER = b"!<arch>\n", 60


class ArchiveError(ValueError):
    """An archive is damaged, too large or unsafe; the message is one line."""


class Member(NamedTuple):
    """A regular file in an archive."""

    path: str
    size: int
    time: int | None
    """Seconds since the epoch; None where the archive does not say."""
    open: Callable[[], IO[bytes] | None]


def unpack(archive: Path, folder: Path, wanted: Callable[[str], bool]) -> int:
    """Writes the wanted files of an archive; returns their number.

    Links and devices are left out: what is written are regular files, each below the folder.

    Args:
        archive: Its name says its kind.
        folder: A new folder.
        wanted: Tells by its path, relative and with slashes, whether a file is written.

    Raises:
        ArchiveError: If the archive is no archive, damaged, too large, or a path in it leads out of it.
        OSError: If a file cannot be written.
    """
    number = written = read = 0
    shown = printable(archive.name)
    try:
        for member in _members(archive):
            path, read = _safe(member.path), read + member.size
            if read > MOST_READ:
                raise ArchiveError(f"it holds more than {MOST_READ >> 30} GB")
            if not wanted(path):
                continue
            number += 1
            if number > MOST_FILES:
                raise ArchiveError(f"it holds more than {MOST_FILES:,} files")
            written += _write(member._replace(path=path), folder / path, MOST_BYTES - written)
    except DAMAGES as error:
        raise ArchiveError(f"{shown} cannot be unpacked: {printable(str(error))}") from None
    except OSError as error:
        if error.errno is not None:  # of the file system
            raise
        raise ArchiveError(f"{shown} cannot be unpacked: {error}") from None  # of a decompressor
    return number


def _safe(path: str) -> str:
    """Returns a member's path without a leading ``./``."""
    path = re.sub(r"^(\./+)+", "", path)
    if path.startswith("/") or "\\" in path or "\0" in path or ".." in path.split("/"):
        raise ArchiveError(f"the path {printable(path)!r} leads out of it")
    return path


def _write(member: Member, file: Path, most: int) -> int:
    """Writes a member to a new file; returns its size, bytes, which is at most ``most``."""
    file.parent.mkdir(parents=True, exist_ok=True)
    size, source = 0, member.open()
    if source is None:
        raise ArchiveError(f"{member.path} cannot be read")
    try:
        with source, file.open("xb") as target:
            while chunk := source.read(CHUNK):  # counted as it comes: headers may understate it
                size += len(chunk)
                if size > most:
                    raise ArchiveError(f"it holds more than {MOST_BYTES >> 30} GB of works")
                target.write(chunk)
    except FileExistsError:
        raise ArchiveError(f"it holds {member.path} twice") from None
    if member.time is not None:
        os.utime(file, (member.time, member.time))
    return size


def _members(archive: Path) -> Iterator[Member]:
    """Yields the regular files of an archive; each is to be read before the next."""
    if archive.suffix in {".whl", ".zip"}:
        with zipfile.ZipFile(archive) as zipped:
            for info in zipped.infolist():
                kind = stat.S_IFMT(info.external_attr >> 16)
                if not info.is_dir() and kind in {0, stat.S_IFREG}:
                    yield Member(info.filename, info.file_size, None, partial(zipped.open, info))
        return
    with _tar_stream(archive) as stream, tarfile.open(fileobj=stream, mode="r|*") as tar:
        for entry in tar:
            if entry.isreg():
                yield Member(entry.name, entry.size, int(entry.mtime), partial(tar.extractfile, entry))


@contextlib.contextmanager
def _tar_stream(archive: Path) -> Iterator[IO[bytes]]:
    """Opens a tar file, or the one with the files of a Debian package."""
    if archive.suffix != ".deb":
        with archive.open("rb") as file:
            yield file
        return
    with archive.open("rb") as file:
        if not _skip_to_data(file).endswith(".zst"):
            yield file  # a tar file ends before what may follow it
            return
    # Ubuntu compresses by Zstandard, which Python reads from 3.14 on.
    if shutil.which("dpkg-deb") is None:
        raise ArchiveError("its compression takes dpkg-deb, which is not on this machine")
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield process.stdout
        finally:
            process.kill()


def _skip_to_data(file: IO[bytes]) -> str:
    """Goes to the beginning of ``data.tar.*`` in a Debian package, an ar archive; returns its name.

    See ``deb(5)`` and ``ar(5)``: each member has a header of 60 bytes and is padded to an even size.
    """
    if file.read(len(AR_MAGIC)) != AR_MAGIC:
        raise ArchiveError("it is no Debian package")
    while len(header := file.read(AR_HEADER)) == AR_HEADER:
        name, digits = header[:16].decode("ascii", "replace").rstrip(" /"), header[48:58].strip()
        if not digits.isdigit() or header[58:] != b"`\n":
            break
        size = int(digits)
        if name.startswith("data.tar"):
            return name
        file.seek(size + size % 2, os.SEEK_CUR)
    raise ArchiveError("it is no whole Debian package")
