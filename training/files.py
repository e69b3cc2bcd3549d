"""Files that can be written, and atomic writing."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ..errors import UsageError

if sys.platform != "win32":
    import fcntl


def is_written_in_place(path: Path) -> bool:
    """Returns whether a path is a link, a pipe or a device such as /dev/stdout, which a new file must not replace."""
    return path.is_symlink() or (path.exists() and not path.is_file())


def check_writable(file: Path | None) -> None:
    """Raises ``UsageError`` if the file of ``--json`` cannot be written; None and ``-`` (stdout) pass."""
    if file is not None and not file.parent.is_dir():
        raise UsageError(f"cannot write {file}: there is no folder {file.parent}; make it, or name another")
    if file is None or str(file) == "-":
        return
    place = file if is_written_in_place(file) else file.parent
    if file.is_dir() or not os.access(place, os.W_OK):
        raise UsageError(f"--json {file}: name a file that can be written")


def write_atomically(path: Path, text: str) -> None:
    """Replaces a file in one step, so that readers never see a part; links, pipes and devices are written in place."""
    if is_written_in_place(path):
        path.write_text(text, encoding="utf-8")
        return
    fresh = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with fresh.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Flushes a file or folder to the disk, so that it survives a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[IO[str] | None]:
    """Yields a file that is locked by this process, None where another process has it.

    The lock ends with the process, however that ends, and with the children that got the file.
    """
    with path.open("a") as file:
        lock: IO[str] | None = file
        if sys.platform != "win32":
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock = None
            except OSError:
                pass  # some network file systems have no locks
        yield lock
