"""Python packages that carry corpora: found without being imported."""

from __future__ import annotations

import importlib.util
from pathlib import Path


class CorpusMissingError(ModuleNotFoundError):
    """A corpus is not on this machine; the message gives the command that brings it.

    Args:
        what: The works.
        command: Brings them.
    """

    def __init__(self, what: str, command: str) -> None:
        super().__init__(f"the {what} are not on this machine; get them with: {command}")
        self.command = command


def site_folder(package: str) -> Path | None:
    """Returns the folder that an installed package lies in, ``.../site-packages`` mostly; None where there is none.

    Args:
        package: The name that it is imported by.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]).parent
