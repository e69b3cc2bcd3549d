"""The folder of a training run, which survives an interruption at any moment.

======================  ====================================================================================
``config.json``         the settings; ``--resume`` reads them
``metrics.jsonl``       one line per report of the agent's logger: seconds, steps, losses ...
``checkpoint/``         the complete state of training: networks, optimisers, replay, discriminator, random states
``model.zip``           the policy at the last checkpoint or at the end
``samples/``            a few works at doubling times, as files and as one picture
``tensorboard/``        the same numbers as ``metrics.jsonl``
``.lock``               locked by the process that trains; empty
======================  ====================================================================================
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
import os
import shlex
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import UsageError, reason
from .files import locked, sync, write_atomically

AGENT = "agent.zip"
"""File of a checkpoint: the agent with its discriminator and complete training state."""
MOST_ENVS = 1_000_000
"""Largest number of rows; more do not fit into any memory."""
CLOCKS: dict[str, Callable[[], float]] = {"wall": time.monotonic, "processor": time.process_time}
"""Clocks of a budget by name, in seconds. That of the processor stands still while other programs run on it; it counts
all threads of this process."""
BUDGET = ("seconds", "steps", "clock")
"""Settings of the budget."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of a run; plain data.

    Raises:
        ValueError: a field has another type or is out of range.
    """

    id: str
    """Environment id."""
    seconds: float | None
    """Budget in seconds of ``clock``; None where ``steps`` is given."""
    steps: int | None
    """Budget in environment steps; reproducible to the bit."""
    seed: int
    num_envs: int
    env_kwargs: dict[str, Any]
    params: dict[str, Any]
    """Hyperparameters of the agent."""
    clock: str = "wall"
    """Clock of ``seconds``: a key of ``CLOCKS``."""

    def __post_init__(self) -> None:
        seconds, steps = self.seconds, self.steps
        if type(self.id) is not str:
            raise ValueError(f"id must be text, not {self.id!r}")
        if (seconds is None) == (steps is None):
            raise ValueError("it takes either seconds or steps")
        if seconds is not None and not (type(seconds) in (int, float) and 0 < seconds < math.inf):
            raise ValueError(f"seconds must be a finite number above 0, not {seconds!r}")
        for name, least, most in (("steps", 1, 2**63 - 1), ("seed", 0, 2**31 - 1), ("num_envs", 1, MOST_ENVS)):
            value = getattr(self, name)
            if not (type(value) is int and least <= value <= most) and (name, value) != ("steps", None):
                raise ValueError(f"{name} must be a whole number from {least} to {most}, not {value!r}")
        if self.clock not in CLOCKS:
            raise ValueError(f"clock must be {' or '.join(CLOCKS)}, not {self.clock!r}")
        for name in ("env_kwargs", "params"):
            if not isinstance(getattr(self, name), dict):
                raise ValueError(f"{name} must be an object, not {getattr(self, name)!r}")
        json.dumps([self.env_kwargs, self.params], allow_nan=False)  # a ValueError where a number is not finite

    def fixed(self) -> dict[str, Any]:
        """Returns the settings that a run never changes, all but the size of the budget, as JSON data."""
        kept = {key: value for key, value in dataclasses.asdict(self).items() if key not in BUDGET}
        seconds = "seconds" if self.clock == "wall" else f"{self.clock} seconds"
        return {"counts": "steps" if self.seconds is None else seconds, **json.loads(json.dumps(kept))}


class Run:
    """One run's folder.

    Args:
        folder: its path; the folder need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model = folder / "model.zip"
        self.metrics = folder / "metrics.jsonl"
        self.samples = folder / "samples"
        self.tensorboard = folder / "tensorboard"
        self._settings: Settings | None = None
        self._config = folder / "config.json"
        self._checkpoint = folder / "checkpoint"
        self._lock = folder / ".lock"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes from training here; the lock ends with the process, however that ends.

        Raises:
            UsageError: another process trains here, or the folder cannot be created or written to.
        """
        with contextlib.ExitStack() as stack:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                lock = stack.enter_context(locked(self._lock))
            except OSError as error:
                raise UsageError(f"cannot write to {self.folder}: {reason(error)}") from None
            if lock is None:
                raise UsageError(
                    f"another process trains in {self.folder}; let it finish or stop it, or choose another --out"
                )
            yield

    def refuse_if_taken(self) -> None:
        """Raises ``UsageError`` if the folder is not empty."""
        if self.folder.exists() and (not self.folder.is_dir() or set(self.folder.iterdir()) - {self._lock}):
            raise UsageError(
                f"{self.folder} exists and is not empty; continue it with --resume, or choose another --out"
            )

    def create(self, settings: Settings) -> None:
        """Creates the folder and writes ``config.json``.

        Raises:
            UsageError: the folder is not empty, or cannot be created.
        """
        self.refuse_if_taken()
        self.write_settings(settings)

    def command(self, id: str) -> str:
        """Returns the command that resumes the run."""
        return shlex.join(["musegym", "train", id, "--out", str(self.folder), "--resume"])

    def settings(self) -> Settings:
        """Reads ``config.json``.

        Raises:
            UsageError: the file is missing or damaged.
        """
        try:
            return Settings(**json.loads(self._config.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError):
            raise UsageError(
                f"{self.folder} is not a run: it has no readable config.json; name a folder of `musegym train`"
            ) from None
        except (TypeError, ValueError, RecursionError) as error:
            raise UsageError(
                f"{self._config} is damaged ({error}); put the original back, or train again with another --out"
            ) from None

    def write_settings(self, settings: Settings) -> None:
        """Replaces ``config.json``, as for a resumed run with another budget.

        Raises:
            UsageError: the file cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self._config, json.dumps(dataclasses.asdict(settings), indent=2) + "\n")
        except OSError as error:
            raise UsageError(f"cannot write to {self.folder}: {reason(error)}") from None
        self._settings = settings

    def save_checkpoint(self, save: Callable[[Path], None], seconds: float) -> None:
        """Replaces the checkpoint; a kill or a full disk at any moment leaves the old one or the new one, complete.

        The file ``run.json`` is added: the run's settings and a digest of every file, by which a damaged or foreign
        checkpoint is recognised.

        Args:
            save: writes the training state into a given folder.
            seconds: training time so far.
        """
        assert self._settings is not None, "create the run or write its settings first"
        fresh, old = self._checkpoint.with_suffix(".tmp"), self._checkpoint.with_suffix(".old")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        try:
            save(fresh)
            about = {
                "seconds": seconds,
                "metrics_bytes": self._metrics_bytes(),
                "settings": self._settings.fixed(),
                "files": _digests(fresh),
            }
            (fresh / "run.json").write_text(json.dumps(about, indent=2), encoding="utf-8")
            for path in [*fresh.rglob("*"), fresh]:
                sync(path)
        except OSError:
            shutil.rmtree(fresh, ignore_errors=True)  # a full disk has more room without it
            raise
        if self._checkpoint.exists():
            # The folder .old is older than the checkpoint: latest() prefers the checkpoint.
            shutil.rmtree(old, ignore_errors=True)
            self._checkpoint.rename(old)
        fresh.rename(self._checkpoint)
        sync(self.folder)
        shutil.rmtree(old, ignore_errors=True)

    def latest(self) -> Path | None:
        """Returns the folder of the last complete checkpoint; None where the run ended before the first one.

        Raises:
            UsageError: the checkpoint is missing although there was one.
        """
        # Between the two renames of save_checkpoint only .old exists under a final name.
        for folder in (self._checkpoint, self._checkpoint.with_suffix(".old")):
            if folder.exists():
                return folder
        if self.model.exists():  # it is written after the first checkpoint
            raise self._damaged(self._checkpoint, "it is missing")
        return None

    def rewind(self, checkpoint: Path | None, settings: Settings) -> float:
        """Removes the metrics written after a checkpoint and returns the training seconds up to it.

        Args:
            checkpoint: the folder from ``latest``; None removes all metrics.
            settings: the settings to resume with.

        Raises:
            UsageError: the checkpoint is damaged or belongs to another run; nothing is removed.
        """
        seconds, size = 0.0, 0
        if checkpoint is not None:
            seconds, size = self._about(checkpoint, settings)
        actual = self._metrics_bytes()
        if actual < size:
            raise self._damaged(self.metrics, "lines that were there at the last checkpoint are missing")
        if actual > size:
            os.truncate(self.metrics, size)
        return seconds

    def _about(self, checkpoint: Path, settings: Settings) -> tuple[float, int]:
        """Checks that a checkpoint is complete and belongs to this run; returns its seconds and metrics bytes."""
        file = checkpoint / "run.json"
        try:
            about = json.loads(file.read_text(encoding="utf-8"))
            seconds, size, stored, digests = (about[key] for key in ("seconds", "metrics_bytes", "settings", "files"))
            if type(seconds) not in (int, float) or not 0 <= seconds < math.inf or type(size) is not int or size < 0:
                raise ValueError("seconds and metrics_bytes must be finite numbers of at least 0")
            expected, actual = dict(digests), _digests(checkpoint)
            ours, theirs = settings.fixed(), dict(stored)
        except FileNotFoundError:
            raise self._damaged(file, "it is missing") from None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise self._damaged(file, f"{type(error).__name__}: {error}") from None
        for name in sorted(ours.keys() | theirs.keys()):
            if ours.get(name) != theirs.get(name):
                raise UsageError(
                    f"{checkpoint} was trained with {name} {json.dumps(theirs.get(name))}, {self._config} asks for "
                    f"{json.dumps(ours.get(name))}: put the run's own files back, or train again with another --out"
                )
        for name in sorted(expected.keys() | actual.keys()):
            if expected.get(name) != actual.get(name):
                why = "it is not the file that was saved" if name in actual else "it is missing"
                raise self._damaged(checkpoint / name, why)
        return float(seconds), size

    def _metrics_bytes(self) -> int:
        return self.metrics.stat().st_size if self.metrics.exists() else 0

    def _damaged(self, path: Path, why: str) -> UsageError:
        return UsageError(
            f"{path} is damaged ({why}): the run cannot go on; put the run's own file back, "
            "or train again with another --out"
        )

    def save_model(self, save: Callable[[Path], None]) -> None:
        """Replaces ``model.zip``; readers see the old file or the new one."""
        fresh = self.folder / "model.tmp.zip"
        try:
            save(fresh)
            sync(fresh)
            fresh.replace(self.model)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise

    def report(self, seconds: float, steps: int, values: Mapping[str, float]) -> None:
        """Adds a line to ``metrics.jsonl``; numbers that are not finite become null."""
        line: dict[str, float | None] = {"time": round(time.time(), 3), "seconds": round(seconds, 3), "steps": steps}
        line |= {key: value if math.isfinite(value) else None for key, value in values.items()}
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _digests(folder: Path) -> dict[str, str]:
    """Returns the SHA-256 of every file below a folder except ``run.json``, by relative path."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path != folder / "run.json":
            with path.open("rb") as file:
                found[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
