"""Folders of the user, by the conventions of the system."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Literal

NOWHERE = Path(os.devnull) / "musegym"
"""A folder that cannot be."""
LINUX = {"CACHE": ".cache", "DATA": ".local/share"}
MAC = {"CACHE": "Library/Caches", "DATA": "Library/Application Support"}


def user_folder(kind: Literal["CACHE", "DATA"]) -> Path:
    """Returns the folder ``MUSEGYM_{kind}``, or ``musegym`` in the user's folder for caches or data; an absolute path.

    A user without a home has none, nor has a relative path where the current folder is gone: the folder returned then
    is one that cannot be.
    """
    try:
        if own := os.environ.get(f"MUSEGYM_{kind}"):
            return Path(own).expanduser().absolute()
        if xdg := os.environ.get(f"XDG_{kind}_HOME"):
            return Path(xdg).absolute() / "musegym"
        if sys.platform == "win32":
            local = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
            return local / "musegym" / kind.capitalize()
        return Path.home() / (MAC if sys.platform == "darwin" else LINUX)[kind] / "musegym"
    except (RuntimeError, FileNotFoundError):  # of Path: the user has no home, the current folder is gone
        return NOWHERE
