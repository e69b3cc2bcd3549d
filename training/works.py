"""Works as files: in the formats of their medium, as arrays, as text and as one picture; and read back."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..envs.task import Array, Ints, Task
from ..envs.window import tile


def export_all(
    task: Task[Any],
    contents: Array,
    folder: Path,
    stem: str,
    conditions: Ints | None = None,
    actions: Sequence[Ints] | None = None,
) -> list[Path]:
    """Writes contents in their medium's formats and as arrays, their text, and one picture of them all.

    Args:
        task: the task of the contents.
        contents: [N, ...].
        folder: created where it is missing.
        stem: name of the files, which are ``stem-000.mid``, ``stem-000.npz`` ..., ``stem.txt`` and ``stem.png``.
        conditions: int [N, C], where they are known.
        actions: for each content the actions int [L] that built it.

    Returns:
        The files written.
    """
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    N, paths = len(contents), list[Path]()
    conditions_of: Sequence[Ints | None] = [None] * N if conditions is None else list(conditions)
    actions_of: Sequence[Ints | None] = [None] * N if actions is None else actions
    for i in range(N):
        paths += task.export(contents[i], folder / f"{stem}-{i:03d}", conditions_of[i], actions_of[i])
    text, picture = folder / f"{stem}.txt", folder / f"{stem}.png"
    works = list(zip(contents, conditions_of, strict=True))
    texts = (f"{stem}-{i:03d}\n{task.medium.describe(*work)}\n" for i, work in enumerate(works))
    text.write_text("\n".join(texts), encoding="utf-8")
    overview = task.medium.population(contents)
    if overview is None:
        overview = tile([task.medium.render(*work) for work in works])
    Image.fromarray(overview).save(picture)
    return [*paths, text, picture]


def read_arrays(file: Path) -> dict[str, Array]:
    """Returns the arrays of an .npz file by name; reading never runs code.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no .npz of numbers, or damaged; the message says which.
    """
    try:
        with file.open("rb") as stream:
            arrays = np.load(stream, allow_pickle=False)
            if isinstance(arrays, np.ndarray):
                raise ValueError("holds a single array, as .npy files do")
            return {name: arrays[name] for name in arrays.files}
    except (ValueError, KeyError, EOFError, TypeError, AttributeError) as error:
        why = str(error)
        if not why.startswith("holds"):  # numpy takes anything else for a pickle, and advises to load it
            why = (
                "is not an .npz file of numbers"
                if "pickle" in why
                else f"cannot be read as an .npz file of numbers ({error})"
            )
        raise ValueError(why) from None
    except (zipfile.BadZipFile, zlib.error, MemoryError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"is damaged ({error})") from None
