"""The folder of a training run: what it holds, and how it survives an interruption at any moment.

======================  ====================================================================================
``config.json``         what was asked for; ``--resume`` reads it
``metrics.jsonl``       one line per report of the agent's logger: seconds, steps, losses ...
``checkpoint/``         the whole state of training: networks, optimisers, replay, discriminator, random states
``model.zip``           the policy as of the last checkpoint, or of the end
``samples/``            a few contents now and then, as files and as one picture
``tensorboard/``        the same numbers as ``metrics.jsonl``
``.lock``               locked by the process that trains; empty
======================  ====================================================================================
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .envs.task import Array, Ints, Task
from .envs.window import tile

if sys.platform != "win32":
    import fcntl


class UsageError(Exception):
    """The user asked for something impossible; one line that says what to do. Exit code 2."""


class RunError(Exception):
    """A run failed; one line. Exit code 1."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What a run was asked to do; plain data."""

    id: str
    """Environment id."""
    seconds: float | None
    """Wall-clock budget; None where ``steps`` is given."""
    steps: int | None
    """Budget in environment steps; reproducible to the bit."""
    seed: int
    num_envs: int
    env_kwargs: dict[str, Any]
    params: dict[str, Any]
    """Hyperparameters of the agent."""


class Run:
    """One run's folder.

    Args:
        folder: where it is, or is to be.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model = folder / "model.zip"
        self.metrics = folder / "metrics.jsonl"
        self.samples = folder / "samples"
        self.tensorboard = folder / "tensorboard"
        self._config = folder / "config.json"
        self._checkpoint = folder / "checkpoint"
        self._lock = folder / ".lock"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes from training here; the lock goes with the process, however it ends.

        Raises:
            UsageError: another process trains here, or the folder cannot be made or written to.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = self._lock.open("a")
        except OSError as error:
            raise UsageError(f"cannot write to {self.folder}: {error.strerror}") from None
        with file:
            if sys.platform != "win32":
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise UsageError(
                        f"another process trains in {self.folder}; let it finish or stop it, or choose another --out"
                    ) from None
                except OSError:
                    pass  # some network file systems have no locks
            yield

    def refuse_if_taken(self) -> None:
        """Raises ``UsageError`` if the folder holds something already."""
        if self.folder.exists() and (not self.folder.is_dir() or set(self.folder.iterdir()) - {self._lock}):
            raise UsageError(
                f"{self.folder} exists and is not empty; continue it with --resume, or choose another --out"
            )

    def create(self, settings: Settings) -> None:
        """Makes the folder and writes ``config.json``.

        Raises:
            UsageError: the folder holds something already, or cannot be made.
        """
        self.refuse_if_taken()
        self.amend(settings)

    def settings(self) -> Settings:
        """Reads ``config.json``.

        Raises:
            UsageError: there is none, or it is damaged.
        """
        try:
            return Settings(**json.loads(self._config.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError):
            raise UsageError(f"{self.folder} is not a run: it has no readable config.json") from None
        except (TypeError, ValueError):
            raise UsageError(f"{self._config} is damaged; train again with another --out") from None

    def amend(self, settings: Settings) -> None:
        """Replaces ``config.json``, when a resumed run gets another budget.

        Raises:
            UsageError: it cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self._config, json.dumps(dataclasses.asdict(settings), indent=2) + "\n")
        except OSError as error:
            raise UsageError(f"cannot write to {self.folder}: {error.strerror}") from None

    def save_checkpoint(self, save: Callable[[Path], None], seconds: float) -> None:
        """Replaces the checkpoint; a kill at any moment leaves the old one or the new one, complete.

        Args:
            save: writes the state into the folder it is handed.
            seconds: training time spent so far.
        """
        fresh, old = self._checkpoint.with_suffix(".tmp"), self._checkpoint.with_suffix(".old")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        save(fresh)
        size = self.metrics.stat().st_size if self.metrics.exists() else 0
        (fresh / "run.json").write_text(json.dumps({"seconds": seconds, "metrics_bytes": size}), encoding="utf-8")
        for path in [*fresh.rglob("*"), fresh]:
            _sync(path)
        if self._checkpoint.exists():
            # What lies at .old is older than the checkpoint: latest() prefers the latter.
            shutil.rmtree(old, ignore_errors=True)
            self._checkpoint.rename(old)
        fresh.rename(self._checkpoint)
        _sync(self.folder)
        shutil.rmtree(old, ignore_errors=True)

    def latest(self) -> Path | None:
        """Returns the last complete checkpoint."""
        # Between the two renames of save_checkpoint only .old exists under a final name.
        for folder in (self._checkpoint, self._checkpoint.with_suffix(".old")):
            if (folder / "run.json").exists():
                return folder
        return None

    def rewind(self, checkpoint: Path | None) -> float:
        """Drops the metrics later than a checkpoint, all without one; returns the seconds of training spent up to it.

        Raises:
            UsageError: the checkpoint is damaged.
        """
        seconds, size = 0.0, 0
        if checkpoint is not None:
            try:
                about = json.loads((checkpoint / "run.json").read_text(encoding="utf-8"))
                seconds, size = float(about["seconds"]), int(about["metrics_bytes"])
            except (OSError, ValueError, KeyError, TypeError):
                raise UsageError(f"{checkpoint} is damaged; train again with another --out") from None
        if self.metrics.exists():
            os.truncate(self.metrics, min(size, self.metrics.stat().st_size))
        return seconds

    def save_model(self, save: Callable[[Path], None]) -> None:
        """Replaces ``model.zip``; readers see the old file or the new one."""
        fresh = self.folder / "model.tmp.zip"
        save(fresh)
        _sync(fresh)
        fresh.replace(self.model)

    def report(self, seconds: float, steps: int, values: Mapping[str, float]) -> None:
        """Adds a line to ``metrics.jsonl``; what JSON cannot say (nan, infinity) becomes null."""
        line: dict[str, float | None] = {"time": round(time.time(), 3), "seconds": round(seconds, 3), "steps": steps}
        line |= {key: value if math.isfinite(value) else None for key, value in values.items()}
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def write_atomically(path: Path, text: str) -> None:
    """Writes a file that readers see whole or not at all."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with fresh.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def export(task: Task[Any], content: Array, path: Path, actions: Ints | None = None) -> list[Path]:
    """Writes a content in its medium's formats and as an array; the files, returned, are ``path`` plus suffixes.

    See ``Task.export`` for what the ``actions`` int [L] that built it add.
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
        task: whose contents they are.
        contents: [N, ...].
        folder: is made where it is missing.
        stem: the files are ``stem-000.mid``, ``stem-000.npy`` ..., ``stem.txt`` and ``stem.png``.
        actions: for each content the decisions that built it, int [L].

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
    together = task.medium.population(contents)
    together = tile([task.medium.render(content) for content in contents]) if together is None else together
    Image.fromarray(together).save(picture)
    return [*paths, text, picture]


def _sync(path: Path) -> None:
    """Makes sure that a file or folder outlives a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
