"""A user's files: found, read one by one, and skipped by name where they cannot be.

Nothing is assumed about their contents and names.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

LARGEST = {
    ".abc": 16 << 20,
    ".mid": 1 << 20,
    ".midi": 1 << 20,
    ".mxl": 4 << 20,
    ".musicxml": 16 << 20,
    ".xml": 16 << 20,
    ".png": 4 << 20,
    ".gif": 4 << 20,
    ".jpg": 16 << 20,
    ".jpeg": 16 << 20,
    ".webp": 16 << 20,
    ".sok": 1 << 20,
    ".svg": 1 << 20,
    ".txt": 1 << 20,
}
"""Bytes of a file: the largest tune books and photographs, and more than any other work takes."""
LONGEST_REASON = 200  # characters
ESCAPED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
UNDECODABLE = 0xDC00  # Python adds it to the bytes of a name that it cannot decode
T = TypeVar("T")


@dataclass(frozen=True)
class Found:
    """The files of a folder.

    Attributes:
        root: The folder.
        files: Those to be read, in the order of their names.
        skipped: Reasons not to read others, by name relative to the folder.
        stamps: Of each file its path, size and times of change: they differ whenever a file does.
    """

    root: Path
    files: Sequence[Path]
    skipped: Mapping[str, str]
    stamps: Sequence[tuple[str, int, int, int]] = ()

    def fingerprint(self) -> str:
        """Returns a hash that differs whenever a file does."""
        text = json.dumps([str(self.root), self.stamps, list(self.skipped.items())])
        return hashlib.sha256(text.encode()).hexdigest()[:20]


def absolute(path: str | Path | None) -> str | None:
    """Returns the path of a user's corpus so that it is found from any folder; None stays None.

    Raises:
        TypeError: If it is no path.
        ValueError: If it is empty, or relative to a folder that is gone.
    """
    if path is None:
        return None
    if not isinstance(path, str | Path):
        raise TypeError(f"corpus must be the path of a folder or a file, not {path!r}")
    if not str(path):
        raise ValueError("corpus is empty: give it the path of a folder or a file")
    try:
        # resolve() follows links, and fails in a circle of them.
        return os.path.abspath(Path(path).expanduser())  # noqa: PTH100
    except (RuntimeError, OSError) as error:  # no such user's home; the current folder is gone
        raise ValueError(
            f"corpus {printable(str(path))} is nowhere to be found ({error}): give its whole path"
        ) from None


def _name(file: Path, root: Path) -> str:
    """Returns how a file is called in messages and in the cache."""
    return printable(file.relative_to(root).as_posix())


def find(path: Path, suffixes: Sequence[str]) -> Found:
    """Returns the files with such suffixes of a folder and its subfolders, or the file itself.

    Links to folders are not followed: a corpus is bounded by what is in its folder.

    Args:
        path: A folder or a file.
        suffixes: In lower case; those of files may be in any.

    Raises:
        ValueError: If there is no such folder or file, or the file is of another kind.
    """
    shown = printable(str(path))
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ValueError(f"there is no folder or file {shown} to read works from ({why})") from None
    if stat.S_ISDIR(mode):
        root = path
        candidates, skipped = _walk(root, suffixes)
    elif path.suffix.lower() in suffixes:
        root = path.parent
        candidates, skipped = [path], {}
    else:
        raise ValueError(f"{shown} is no folder, and no file that ends in {', '.join(suffixes)}")
    files, stamps = list[Path](), list[tuple[str, int, int, int]]()
    for file in candidates:
        try:
            known = file.stat()
        except OSError as error:
            skipped[_name(file, root)] = f"cannot be read ({error.strerror})"
            continue
        if reason := _unfit(file, known):
            skipped[_name(file, root)] = reason
        else:
            files.append(file)
            stamps.append((str(file), known.st_size, known.st_mtime_ns, known.st_ctime_ns))
    return Found(root, files, dict(sorted(skipped.items())), stamps)


def _walk(root: Path, suffixes: Sequence[str]) -> tuple[list[Path], dict[str, str]]:
    """Returns the candidates below a folder, sorted, and why folders are passed over."""
    candidates, skipped = list[Path](), dict[str, str]()

    def note(error: OSError) -> None:
        skipped[_name(Path(error.filename), root)] = f"a folder that cannot be read ({error.strerror})"

    for base, folders, names in os.walk(root, onerror=note):
        for folder in folders:
            if (link := Path(base) / folder).is_symlink():
                skipped[_name(link, root)] = "a link to a folder, which is not followed: name that folder itself"
        candidates += [Path(base) / name for name in names if Path(name).suffix.lower() in suffixes]
    return sorted(candidates), skipped


def _unfit(file: Path, known: os.stat_result) -> str:
    """Returns why a file is not even opened, "" if it is to be read."""
    largest = LARGEST[file.suffix.lower()]
    if not stat.S_ISREG(known.st_mode):  # reading a pipe or a device may never end
        return "no regular file"
    if known.st_size > largest:
        return f"larger than {largest >> 20} MB"
    return "" if known.st_size else "empty"


def read_files(found: Found, read: Callable[[bytes, str], Sequence[T]]) -> tuple[list[T], tuple[tuple[str, str], ...]]:
    """Returns the items of all files, and (name, reason) of the files that give none.

    Args:
        found: The files.
        read: Returns the items of a file, from its contents and name; raises where there are none.
    """
    items, skipped = list[T](), dict(found.skipped)
    for file in found.files:
        name = _name(file, found.root)
        try:
            with file.open("rb") as stream:
                data = stream.read(LARGEST[file.suffix.lower()])  # it may have grown since it was found
            items += read(data, name)
        except OSError as error:
            skipped[name] = f"cannot be read ({error.strerror})"
        except ValueError as error:
            skipped[name] = _short(str(error))
        except Exception as error:  # a fault of our parser's, which shall cost this file and not the others
            skipped[name] = _short(f"cannot be parsed ({type(error).__name__}: {error})")
    return items, tuple(sorted(skipped.items()))


def decode(data: bytes) -> str:
    """Returns the text of a file: UTF-8, UTF-16 with a byte order mark, else the Western code page of Windows."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode()
    except UnicodeDecodeError:  # files older than ABC 2.1 are often in an 8-bit code
        return data.decode("cp1252", "replace")


def printable(text: str) -> str:
    """Returns a text with undecodable bytes and control characters written as escapes."""
    return ESCAPED.sub(lambda found: _escape(found[0]), text)


def _escape(character: str) -> str:
    code = ord(character)
    byte = code - UNDECODABLE if UNDECODABLE + 0x80 <= code <= UNDECODABLE + 0xFF else code
    return f"\\x{byte:02x}" if byte < 0x100 else f"\\u{byte:04x}"


def _short(reason: str) -> str:
    reason = printable(" ".join(reason.split()))
    return reason if len(reason) <= LONGEST_REASON else reason[:LONGEST_REASON] + "..."
