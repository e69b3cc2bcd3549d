"""What commands that measure runs share: which models they read, and where figures go."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..agents import AdversarialDQN
from ..envs.task import Split
from ..options import load_model, read_corpus
from ..runs import UsageError


def models_of(runs: Sequence[Path], split: Split) -> list[AdversarialDQN]:
    """Loads the models of runs, all of them before any is measured.

    Raises:
        UsageError: one cannot be loaded, or has other held-out works than the first.
    """
    models = [load_model(run, None) for run in runs]
    for run, model in zip(runs, models, strict=True):
        read_corpus(model.task)
        if not np.array_equal(model.task.corpus(split), models[0].task.corpus(split)):
            raise UsageError(f"{run} has other {split} works than {runs[0]}; compare runs of one task")
    return models


def writable(file: Path) -> None:
    """Makes the folder of a file, and raises ``UsageError`` where the file could not be written."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=file.parent):
            pass
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from None
    if file.is_dir():
        raise UsageError(f"cannot write {file}: it is a folder")


def shown(path: Path) -> str:
    """Returns a path as it may be published: relative to the working directory, outside of it the name alone."""
    relative = Path(os.path.relpath(path))
    return path.resolve().name if ".." in relative.parts else relative.as_posix()
