"""Arrays kept between runs: plain ``.npz`` files, never pickles, in the user's cache folder."""

from __future__ import annotations

import logging
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .folders import user_folder

Arrays = Mapping[str, NDArray[Any]]
Layout = Mapping[str, tuple[DTypeLike, tuple[int | None, ...]]]
T = TypeVar("T")
Number = TypeVar("Number", bound=np.generic)

logger = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Returns where caches live: ``MUSEGYM_CACHE``, or ``musegym`` in the user's cache folder.

    A user without a home has none: the folder returned then is one that cannot be, as ``save_arrays`` says.
    """
    return user_folder("CACHE")


def cached(path: Path, layout: Layout, build: Callable[[], Arrays], decode: Callable[[Arrays], T]) -> T:
    """Returns the decoded arrays of a file; where it is missing or damaged, they are built and saved.

    Args:
        path: The file.
        layout: See `load_arrays`.
        build: Returns the arrays.
        decode: Returns the value of arrays; raises ValueError, LookupError or TypeError where they are damaged.
    """
    try:
        return decode(load_arrays(path, layout))
    except FileNotFoundError:
        pass
    except (ValueError, LookupError, TypeError) as error:
        logger.warning("rebuilding the damaged cache file %s (%s)", path, error)
    arrays = build()
    save_arrays(path, arrays)
    return decode(arrays)


def apart(array: NDArray[Number], lengths: NDArray[np.integer[Any]], items: str) -> list[NDArray[Number]]:
    """Returns the parts of an array that items have, one after the other.

    Args:
        array: all of them.
        lengths: of each part, one or more.
        items: names the items.

    Raises:
        ValueError: the lengths are not those of this array.
    """
    if (lengths < 1).any() or lengths.sum() != len(array):
        raise ValueError(f"the lengths of the {items} do not add up")
    return np.split(array, np.cumsum(lengths)[:-1]) if len(lengths) else []


def save_arrays(path: Path, arrays: Arrays) -> None:
    """Writes arrays atomically: a reader finds the old file or the new one, never half of one.

    A folder that cannot be written costs the cache, not the run: it is logged.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
            temporary = Path(file.name)
            try:
                np.savez(file, allow_pickle=False, **arrays)
                file.close()
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
    except OSError as error:
        logger.warning("cannot cache %s: %s; set MUSEGYM_CACHE to a folder to start faster", path.name, error)


def load_arrays(path: Path, layout: Layout) -> dict[str, NDArray[Any]]:
    """Returns the arrays of a file.

    Args:
        path: The file.
        layout: For each array its dtype and shape, None where any size goes.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, pickled or laid out otherwise.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as data:  # np.load leaves damaged files open
            if not isinstance(data, np.lib.npyio.NpzFile):
                raise ValueError("not an npz archive")
            arrays = {name: data[name] for name in layout}
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise FileNotFoundError(error.errno, error.strerror, str(path)) from error
    except (KeyError, OSError, EOFError, NotImplementedError, zipfile.BadZipFile) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    for name, (dtype, shape) in layout.items():
        array = arrays[name]
        fits = len(shape) == array.ndim and all(n in (None, m) for n, m in zip(shape, array.shape, strict=True))
        if array.dtype != dtype or not fits:
            raise ValueError(f"array {name!r} is {array.dtype} {array.shape}, not {np.dtype(dtype)} {shape}")
    return arrays
