"""Subfolders of a user's files as their styles."""

from __future__ import annotations

from ..task import Condition
from .files import Found, printable

MOST_FOLDERS = 64


def conditions_of(found: Found) -> tuple[Condition, ...]:
    """Returns the condition "folder" where all files are in subfolders, of which there are several; else none."""
    names = tuple(sorted({folder_of(name) for name in _names(found)}))
    return (Condition("folder", names),) if 1 < len(names) <= MOST_FOLDERS and "" not in names else ()


def folder_of(name: str) -> str:
    """Returns the first folder of a file's name, without spaces; "" where it is in none."""
    first, slash, _ = name.partition("/")
    return "-".join(first.split()) if slash else ""


def _names(found: Found) -> list[str]:
    return [printable(file.relative_to(found.root).as_posix()) for file in found.files]
