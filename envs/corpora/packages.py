"""Corpora that Python packages carry: found without importing the package."""

from __future__ import annotations

import importlib.util
from pathlib import Path


class CorpusMissingError(ModuleNotFoundError):
    """The package that carries a corpus is not installed; the message says how to install it."""


def package_path(package: str, path: str, what: str, install: str) -> Path:
    """Returns a file or folder of an installed package.

    Args:
        package: The name it is imported by.
        path: Of the file or folder, in the package's own.
        what: Names the corpus in errors.
        install: The command that installs the package.

    Raises:
        CorpusMissingError: If the package is not installed, or comes without that path.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise CorpusMissingError(f"{what} come with {package}, which is not installed; get it with: {install}")
    file = Path(spec.submodule_search_locations[0]) / path
    if not file.exists():
        raise CorpusMissingError(f"{package} is installed without {path}, which holds {what}; get it with: {install}")
    return file
