"""State of one benchmark run on disk: its result file, its folder, its lock."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import IO, Any

from ...training import files

ELSEWHERE = 75  # EX_TEMPFAIL: another process holds the run
POINTS = 200
"""Lines of metrics.jsonl that a result keeps, evenly spread."""
LEAST_TIME, LEAST_CPU = 0.97, 0.85
"""Shares of the requested training time, by the clock and by CPU time, below which a result is called partial."""


def finished(path: Path, seconds: float | None = None, taught: bool = False, measured: bool = False) -> bool:
    """Returns whether a result file exists and is complete; files are replaced atomically.

    Args:
        path: the file.
        seconds: requested training time; a partial result of less is not finished.
        taught: whether a result without taught judges is unfinished.
        measured: whether a result without the domain's measure is unfinished.

    Raises:
        ValueError: the file is damaged.
    """
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(result, dict):
            raise ValueError(f"it holds no object but {type(result).__name__}")
        enough = seconds is None or not result.get("partial") or not short(result, seconds)
        needed = ["evaluation", *(["taught"] if taught else []), *(["own"] if measured else [])]
        return enough and all(key in result for key in needed)
    except FileNotFoundError:
        return False
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"{path} is no result file ({error}): delete it and run again") from None


def short(result: dict[str, Any], seconds: float) -> bool:
    """Returns whether a result had less training than so many seconds, or shared its core with other processes."""
    return bool(result["seconds"] < LEAST_TIME * seconds or result["cpu_seconds"] < LEAST_CPU * seconds)


def sibling(run: Path, suffix: str) -> Path:
    """Returns the path of a file next to a run's folder; names of runs may hold dots."""
    return run.with_name(run.name + suffix)


def locked(run: Path) -> contextlib.AbstractContextManager[IO[str] | None]:
    """Returns a context with the locked file of a run (``files.locked``), None where another process has it."""
    run.parent.mkdir(parents=True, exist_ok=True)
    return files.locked(sibling(run, ".lock"))


def spent(run: Path) -> dict[str, float]:
    """Reads the cost of earlier attempts at a run: attempts, CPU seconds; a killed attempt left no CPU time."""
    try:
        record: dict[str, float] = json.loads(sibling(run, ".json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        record = {"attempts": 0, "cpu_seconds": 0.0}
    return record


def history(run: Path) -> list[dict[str, Any]]:
    """Reads ``metrics.jsonl``; a last line that a kill cut off is left out."""
    path = run / "metrics.jsonl"
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        with contextlib.suppress(ValueError):
            lines.append(json.loads(line))
    return lines


def seconds_trained(run: Path, lines: list[dict[str, Any]]) -> float:
    """Returns the training time of a run over all its attempts: its last checkpoint's, or its last report's."""
    checkpoint = run / "checkpoint" / "run.json"
    if checkpoint.exists():
        return float(json.loads(checkpoint.read_text(encoding="utf-8"))["seconds"])
    return float(lines[-1]["seconds"]) if lines else 0.0


def thinned(lines: list[dict[str, Any]], points: int = POINTS) -> list[dict[str, Any]]:
    """Returns at most so many of the lines, evenly spread, the last among them."""
    if len(lines) <= points:
        return lines
    step = (len(lines) - 1) / (points - 1)
    return [lines[round(i * step)] for i in range(points)]
