"""Export of works: in the formats of their medium, as arrays, as text and as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..envs.task import Array, Ints, Task
from ..envs.window import tile


def export(task: Task[Any], content: Array, path: Path, actions: Ints | None = None) -> list[Path]:
    """Writes a content in its medium's formats and as an array.

    Args:
        task: the content's task.
        content: the work.
        path: path of the files without suffix.
        actions: the actions int [L] that built the work; see ``Task.export`` for their use.

    Returns:
        The files written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    array = path.with_name(f"{path.name}.npy")
    paths = task.export(content, path, actions)
    np.save(array, content)
    return [*paths, array]


def export_all(
    task: Task[Any], contents: Array, folder: Path, stem: str, actions: Sequence[Ints] | None = None
) -> list[Path]:
    """Writes contents in their medium's formats and as arrays, their text, and one picture of them all.

    Args:
        task: the task of the contents.
        contents: [N, ...].
        folder: created where it is missing.
        stem: name of the files, which are ``stem-000.mid``, ``stem-000.npy`` ..., ``stem.txt`` and ``stem.png``.
        actions: for each content the actions int [L] that built it.

    Returns:
        The files written.
    """
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    paths = list[Path]()
    for i, content in enumerate(contents):
        paths += export(task, content, folder / f"{stem}-{i:03d}", None if actions is None else actions[i])
    text, picture = folder / f"{stem}.txt", folder / f"{stem}.png"
    texts = (f"{stem}-{i:03d}\n{task.medium.describe(content)}\n" for i, content in enumerate(contents))
    text.write_text("\n".join(texts), encoding="utf-8")
    overview = task.medium.population(contents)
    if overview is None:
        overview = tile([task.medium.render(content) for content in contents])
    Image.fromarray(overview).save(picture)
    return [*paths, text, picture]
