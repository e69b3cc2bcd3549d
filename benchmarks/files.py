"""What commands that measure runs share: how they answer mistakes, which models they read, where figures go."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..agents import AdversarialDQN
from ..envs.task import Split
from ..options import load_model, read_corpus
from ..runs import UsageError, write_atomically
from .provenance import provenance


def answer(
    parser: argparse.ArgumentParser, arguments: Sequence[str] | None, measure: Callable[[argparse.Namespace], None]
) -> int:
    """Runs a command.

    Args:
        parser: of its arguments.
        arguments: those of the command line where None.
        measure: does what they say.

    Returns:
        The exit code: 0, or 2 after a ``UsageError``, which is printed as one line.
    """
    try:
        measure(parser.parse_args(arguments))
    except UsageError as error:
        print(f"{parser.prog}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


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


def writable(file: Path | None) -> None:
    """Makes the folder of a file, and raises ``UsageError`` where the file could not be written; None is no file."""
    if file is None:
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=file.parent):
            pass
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from None
    if file.is_dir():
        raise UsageError(f"cannot write {file}: it is a folder")


def write_result(file: Path | None, module: str, said: Sequence[object], found: Mapping[str, Any]) -> None:
    """Writes figures with the command that makes them again and where they were made, if a file was named.

    Args:
        file: where they go, JSON.
        module: of ``musegym.benchmarks``, whose command it was.
        said: its arguments, all but ``--json``.
        found: the figures, plain data.
    """
    if file is None:
        return
    command = shlex.join(["python", "-m", f"musegym.benchmarks.{module}", *map(str, said), "--json", shown(file)])
    result = {"command": command, **found, **provenance()}
    write_atomically(file, json.dumps(result, indent=1, allow_nan=False) + "\n")


def shown(path: Path) -> str:
    """Returns a path as it may be published: relative to the working directory, outside of it the name alone."""
    relative = Path(os.path.relpath(path))
    return path.resolve().name if ".." in relative.parts else relative.as_posix()
