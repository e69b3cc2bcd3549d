"""One benchmark run in a process of its own: train (or go on training), evaluate, write one JSON file.

``python -m musegym.benchmarks.work TABLE ROW SEED``; ``benchmarks.run`` starts it.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, Any

from ..runs import write_atomically
from .own import measure_of
from .provenance import provenance
from .rows import Row, Table
from .run import ELSEWHERE, beside, finished, has_own, locked, short
from .tables import TABLES

if TYPE_CHECKING:
    from .suite import Sampler

POINTS = 200
"""Lines of metrics.jsonl that a result keeps, evenly spread."""


def train_command(table: Table, row: Row, seed: int, seconds: float, run: Path) -> list[str]:
    """Returns the command line that trains a row from the start."""
    env_id = table.env_id_of(row)
    command = ["musegym", "train", env_id, "--seconds", f"{seconds:g}", "--seed", str(seed), "--out", str(run)]
    command += ["--num-envs", str(row.num_envs)]
    for flag, pairs in (("--param", row.params), ("--set", row.env)):
        for name, value in pairs.items():
            command += [flag, f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
    return command


def train(command: Sequence[str], run: Path, seconds: float, lock: IO[str] | None = None) -> None:
    """Trains, or goes on with, a run of ``musegym train``; SIGTERM is handed on to it, so that it saves its state.

    Args:
        command: what ``train_command`` returned.
        run: its folder.
        seconds: of training, all attempts together.
        lock: the run's locked file; training shares it, for where this process is killed it goes on alone.

    Raises:
        RuntimeError: training failed, or was stopped.
    """
    resume = ["train", command[2], "--out", str(run), "--seconds", f"{seconds:g}", "--resume"]
    arguments = resume if (run / "config.json").exists() else command[1:]
    shared = () if lock is None else (lock.fileno(),)
    process = subprocess.Popen([sys.executable, "-m", "musegym", *arguments], pass_fds=shared)

    def hand_on(number: int, frame: FrameType | None) -> None:
        del frame
        process.send_signal(number)

    before = signal.signal(signal.SIGTERM, hand_on)
    try:
        code = process.wait()
    finally:
        signal.signal(signal.SIGTERM, before)
    if code:
        raise RuntimeError(f"training ended with exit code {code}")


def spent(run: Path) -> dict[str, float]:
    """Reads what earlier attempts at a run took: attempts, CPU seconds; an attempt that was killed left no CPU time."""
    try:
        record: dict[str, float] = json.loads(beside(run, ".json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        record = {"attempts": 0, "cpu_seconds": 0.0}
    return record


def history(run: Path) -> list[dict[str, Any]]:
    """Reads ``metrics.jsonl``; a last line that was cut off by a kill is left out."""
    path = run / "metrics.jsonl"
    if not path.exists():
        return []
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            continue
    return lines


def seconds_trained(run: Path, lines: list[dict[str, Any]]) -> float:
    """Returns the training time of a run over all its attempts: its last checkpoint's, or its last report's."""
    checkpoint = run / "checkpoint" / "run.json"
    if checkpoint.exists():
        return float(json.loads(checkpoint.read_text(encoding="utf-8"))["seconds"])
    return float(lines[-1]["seconds"]) if lines else 0.0


def thinned(lines: list[dict[str, Any]], points: int = POINTS) -> list[dict[str, Any]]:
    """Keeps so many lines, evenly spread, the last among them."""
    if len(lines) <= points:
        return lines
    step = (len(lines) - 1) / (points - 1)
    return [lines[round(i * step)] for i in range(points)]


def work(
    table: Table, row: Row, seed: int, result: Path, run: Path, seconds: float, lock: IO[str] | None = None
) -> None:
    """Does one run from wherever it stands, and writes its result.

    First the general suite, then the environment's own measures, then what taught judges say: each is kept once it
    is there.

    Raises:
        RuntimeError: training failed, or was stopped.
    """
    from . import taught
    from .stats import packed
    from .suite import AgentSampler, clean, measure, sweep_temperature

    kept = finished(result, seconds) and (row.method == "random" or run.exists())  # else it is of a model that is gone
    sampler, command = trained(table, row, seed, run, seconds, lock)
    if kept:
        found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    else:
        found = {
            "table": table.name,
            "row": row.name,
            "says": row.says,
            "env_id": table.env_id_of(row),
            "env": dict(row.env),
            "method": row.algorithm or row.method,
            "command": [part.replace(str(run), f"runs/{table.name}/{run.name}") for part in command],
            "seed": seed,
            "seconds_asked": row.seconds,
        }
    if row.sweep:
        assert isinstance(sampler, AgentSampler)
        if "temperature" not in found:
            found["temperature"], found["sweep_on_validation"] = sweep_temperature(sampler.model, row.sweep, seed=seed)
        sampler.temperature = found["temperature"]
    if "evaluation" not in found:
        judge = row.judge_seeds > 0
        evaluation, judged = measure(sampler, split=row.split, seeds=row.judge_seeds, seed=seed, judge=judge)
        lines = history(run)
        found |= {
            "seconds": seconds_trained(run, lines),
            "steps": lines[-1].get("steps") if lines else 0,
            **spent(run),
            **provenance(),
            "evaluation": evaluation,
            "judged": judged and {"real": packed(judged.correct_real), "fake": packed(judged.correct_fake)},
            "history": thinned(lines),
        }
        found["partial"] = row.method != "random" and short(found, row.seconds)
        _write(result, found)
    own = measure_of(table.env_id_of(row)) if table.own else None
    if own is not None and "own" not in found:
        notes: list[str] = []
        figures = clean(own(sampler, row.split, seed), notes)
        found["own"] = figures | {"notes": notes, "commit": provenance()["commit"]}
        _write(result, found)
    if row.taught and "taught" not in found:
        found["taught"] = taught.judge(sampler, row.split, seed) | {"commit": provenance()["commit"]}
        _write(result, found)


def trained(
    table: Table, row: Row, seed: int, run: Path, seconds: float, lock: IO[str] | None = None
) -> tuple[Sampler, list[str]]:
    """Trains a row from wherever it stands; returns what can be measured, and the command that does it from the start.

    Raises:
        RuntimeError: training failed, or was stopped.
    """
    from ..agents import AdversarialDQN
    from ..envs.registry import make_task
    from .baselines import RandomPolicy, train_sb3
    from .suite import AgentSampler

    env_id = table.env_id_of(row)
    before = spent(run)
    before["cpu_seconds"] -= _cpu_seconds()  # what this process used until now was for something else
    command = ["python", "-m", "musegym.benchmarks.run", table.name, "--only", row.name]
    if row.method == "train":
        command = train_command(table, row, seed, seconds, run)
        try:
            train(command, run, seconds, lock)
        finally:
            _note(run, before)
        return AgentSampler(AdversarialDQN.load(str(run / "model.zip"))), command
    if row.method == "random":
        return RandomPolicy(make_task(env_id, **row.env)), command
    assert row.algorithm
    learned = train_sb3(
        row.algorithm, env_id, seconds, seed, run, num_envs=row.num_envs, params=row.params, env=row.env
    )
    _note(run, before)
    return learned, command


def _write(result: Path, found: dict[str, Any]) -> None:
    result.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(result, json.dumps(found, indent=1, allow_nan=False) + "\n")


def _note(run: Path, before: dict[str, float]) -> None:
    """Adds this attempt's CPU time so far, children included, to the run's record."""
    record = {"attempts": before["attempts"] + 1, "cpu_seconds": round(before["cpu_seconds"] + _cpu_seconds(), 1)}
    write_atomically(beside(run, ".json"), json.dumps(record) + "\n")


def _cpu_seconds() -> float:
    """Returns the CPU time of this process and of its children that have ended."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in usage)


def main(arguments: Sequence[str] | None = None) -> int:
    """Does one run; the exit code is 0 where its result is there, 75 where another process is at it."""
    parser = argparse.ArgumentParser(prog="python -m musegym.benchmarks.work")
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("row")
    parser.add_argument("seed", type=int)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--seconds", type=float)
    given = parser.parse_args(arguments)
    table = TABLES[given.table]
    (row,) = [row for row in table.rows if row.name == given.row]
    name = f"{row.name}-s{given.seed}"
    result, run = given.results / table.name / f"{name}.json", given.runs / table.name / name
    seconds = row.seconds if given.seconds is None else given.seconds
    with locked(run) as lock:
        if lock is None:
            return ELSEWHERE
        if not finished(result, seconds, row.taught, has_own(table, row)):
            try:
                work(table, row, given.seed, result, run, seconds, lock)
            except (RuntimeError, ValueError, OSError) as error:
                print(f"{name}: {error}", file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
