"""A resumable queue of benchmark runs: ``python -m musegym.benchmarks.run melody --jobs 2``.

Every row and seed of a table becomes one JSON file under ``benchmarks/results/<table>/``. What is finished is skipped;
what was interrupted, by Ctrl-C or ``kill -9`` alike, goes on from its last checkpoint. Each run is a process of its own
with one thread, and holds a lock on its folder, so that a second queue beside the first takes other runs.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import IO, Any

from rich.console import Console
from rich.live import Live
from rich.table import Table as RichTable

from ..runs import Parser
from . import RESULTS
from .own import measure_of
from .rows import Row, Table
from .tables import TABLES

ELSEWHERE = 75  # EX_TEMPFAIL: another process holds the run
WORKER = (sys.executable, "-m", "musegym.benchmarks.work")
ENOUGH, OWN = 0.97, 0.85
"""Shares of the training time asked for, by the clock and of a core, from which a result is not called partial."""
POLL = 0.2
"""Seconds between looks at the running processes."""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


@dataclasses.dataclass
class Job:
    """One row with one seed."""

    row: Row
    seed: int
    result: Path
    run: Path
    seconds: float
    """Of training asked for."""
    own: bool = False
    """Whether the environment's own measures belong to the result."""
    state: str = "waiting"
    note: str = ""
    process: subprocess.Popen[bytes] | None = None
    begun: float = 0.0

    @property
    def name(self) -> str:
        """``<row>-s<seed>``, as its files are called."""
        return self.run.name

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        return finished(self.result, self.seconds, self.row.taught, self.own)

    @property
    def log(self) -> Path:
        """Where the process writes what it would have printed."""
        return beside(self.run, ".log")


def jobs_of(
    table: Table,
    only: Sequence[str],
    results: Path,
    runs: Path,
    seconds: float | None = None,
    seeds: int | None = None,
) -> list[Job]:
    """Lists the jobs of a table, first seeds of all rows first: a table that is cut short has all its rows.

    Args:
        table: the table.
        only: names of the rows that count; all where empty.
        results: folder of result files.
        runs: folder of checkpoints and logs.
        seconds: of training, instead of what the rows ask for.
        seeds: how many of each row's seeds, the first ones; all where None.

    Raises:
        ValueError: a row of ``only`` is not in the table.
    """
    names = [row.name for row in table.rows]
    unknown = [name for name in only if name not in names]
    if unknown:
        raise ValueError(f"table {table.name} has no row {unknown[0]!r}; it has: {', '.join(names)}")
    rows = [row for row in table.rows if not only or row.name in only]
    order = sorted(((i, seed, row) for row in rows for i, seed in enumerate(row.seeds[:seeds])), key=lambda job: job[0])
    jobs = []
    for _, seed, row in order:
        name = f"{row.name}-s{seed}"
        asked = row.seconds if seconds is None else seconds
        result, run = results / table.name / f"{name}.json", runs / table.name / name
        jobs.append(Job(row, seed, result, run, asked, has_own(table, row)))
    return jobs


def has_own(table: Table, row: Row) -> bool:
    """Whether a row is measured by its environment's own measures too."""
    return table.own and measure_of(table.env_id_of(row)) is not None


def finished(path: Path, seconds: float | None = None, taught: bool = False, own: bool = False) -> bool:
    """Whether a result file is there and whole; files are replaced atomically, so a damaged one is somebody's edit.

    Args:
        path: the file.
        seconds: of training asked for; a partial result of less is not finished.
        taught: whether one that taught judges have not seen is unfinished.
        own: whether one without the environment's own measures is.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError(f"it holds no object but {type(found).__name__}")
        enough = seconds is None or not found.get("partial") or not short(found, seconds)
        needed = ["evaluation", *(["taught"] if taught else []), *(["own"] if own else [])]
        return enough and all(key in found for key in needed)
    except FileNotFoundError:
        return False
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"{path} is no result file ({error}): delete it and run again") from None


def short(found: dict[str, Any], seconds: float) -> bool:
    """Whether a result had less training than so many seconds, or shared its core with something else."""
    return bool(found["seconds"] < ENOUGH * seconds or found["cpu_seconds"] < OWN * seconds)


def beside(run: Path, suffix: str) -> Path:
    """Returns the path of a file beside a run's folder; names of runs may hold dots."""
    return run.with_name(run.name + suffix)


@contextlib.contextmanager
def locked(run: Path) -> Iterator[IO[str] | None]:
    """Yields the locked file of a run that is now this process's own, None where another process has it.

    The lock goes with the process, however it ends, and with the children that were handed the file.
    """
    run.parent.mkdir(parents=True, exist_ok=True)
    with beside(run, ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield file


class Queue:
    """Works through jobs, a few processes at a time.

    Args:
        table: of which the jobs are.
        jobs: what is to be done; finished ones are skipped.
        command: arguments that every worker is given beside its row and seed.
        console: where the status goes: a live table on a terminal, a line per change elsewhere.
        worker: the command that does one run.
    """

    def __init__(
        self, table: Table, jobs: list[Job], command: Sequence[str], console: Console, worker: Sequence[str] = WORKER
    ) -> None:
        self.table, self.jobs, self.console = table, jobs, console
        self.command, self.worker = list(command), list(worker)
        self.stopped = 0
        for job in jobs:
            if job.finished:
                job.state = "done"

    def work(self, processes: int) -> int:
        """Runs until nothing waits; returns how many jobs failed or, negative, the signal that stopped it."""
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}
        live = Live(console=self.console, refresh_per_second=1) if self.console.is_terminal else None
        try:
            with live or contextlib.nullcontext():
                while self._advance(processes):
                    if live:
                        live.update(self.status())
                    time.sleep(POLL)
                if live:
                    live.update(self.status())
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        if not live:
            self.console.print(self.status())
        return -self.stopped if self.stopped else sum(job.state == "failed" for job in self.jobs)

    def _advance(self, processes: int) -> bool:
        running = [job for job in self.jobs if job.process is not None]
        for job in running:
            assert job.process is not None
            code = job.process.poll()
            if code is not None:
                self._close(job, code)
        waiting = [job for job in self.jobs if job.state == "waiting"]
        free = processes - sum(job.process is not None for job in self.jobs)
        for job in waiting[: 0 if self.stopped else max(0, free)]:
            self._start(job)
        return any(job.process is not None for job in self.jobs) or bool(waiting and not self.stopped)

    def _start(self, job: Job) -> None:
        job.run.parent.mkdir(parents=True, exist_ok=True)
        command = [*self.worker, self.table.name, job.row.name, str(job.seed)]
        with job.log.open("ab") as log:
            # A session of its own: Ctrl-C reaches the worker once, through _stop, not a second time from the terminal.
            job.process = subprocess.Popen(
                [*command, *self.command], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env={**os.environ, **ONE_THREAD}, start_new_session=True,
            )  # fmt: skip
        self._set(job, "running", time.monotonic())

    def _close(self, job: Job, code: int) -> None:
        job.process = None
        if code == ELSEWHERE:
            self._set(job, "elsewhere", note="another process works on it")
        elif job.finished:
            self._set(job, "done")
        elif self.stopped:
            self._set(job, "stopped", note="goes on when the queue is started again")
        else:
            lines = job.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            self._set(job, "failed", note=f"{lines[-1] if lines else f'exit code {code}'} ({job.log})")

    def _set(self, job: Job, state: str, begun: float | None = None, note: str = "") -> None:
        took = f" after {time.monotonic() - job.begun:.0f} s" if job.state == "running" else ""
        job.state, job.note = state, note
        job.begun = job.begun if begun is None else begun
        if not self.console.is_terminal:
            self.console.print(f"{job.name} {state}{took}{': ' if note else ''}{note}", highlight=False, soft_wrap=True)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.stopped = number
        for job in self.jobs:
            if job.process is not None:
                job.process.terminate()

    def status(self) -> RichTable:
        """Returns the state of every job as a table."""
        table = RichTable("run", "state", "seconds", "C2ST", "Frechet", "NLL", "", title=f"{self.table.name}")
        for job in self.jobs:
            found = json.loads(job.result.read_text(encoding="utf-8")) if job.state == "done" else {}
            figures = found.get("evaluation", {}) | found.get("own", {})
            nll = next((figures[key] for key in ("nll", "nll_test", "nll_test_bound") if key in figures), None)
            seconds = found.get("seconds", time.monotonic() - job.begun if job.state == "running" else None)
            numbers = [_figure(value, digits) for value, digits in ((seconds, 0), (figures.get("c2st"), 3))]
            numbers += [_figure(figures.get("frechet"), 2), _figure(nll, 2)]
            table.add_row(job.name, job.state, *numbers, job.note)
        return table


def _figure(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a table; returns the exit code: 0 all done, 1 some failed, 2 bad usage, 128 + signal when stopped."""
    parser = Parser(prog="musegym bench", description="Runs benchmark tables; picks up where it stopped.")
    parser.add_argument("table", choices=TABLES, help="which table")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time, one core each")
    parser.add_argument("--only", action="append", default=[], metavar="ROW", help="this row alone; may be repeated")
    parser.add_argument("--seconds", type=float, help="less training than the table asks for; such results say partial")
    parser.add_argument("--seeds", type=int, metavar="N", help="the first N seeds of each row alone")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of result files")
    parser.add_argument("--runs", type=Path, default=Path("runs") / "bench", help="folder of checkpoints and logs")
    parser.add_argument("--list", action="store_true", help="show the state of every run and stop")
    given = parser.parse_args(arguments)
    console = Console()
    few = given.seeds is not None and given.seeds < 1
    if given.jobs < 1 or few or (given.seconds is not None and not 0 < given.seconds < math.inf):
        print("musegym bench: --jobs and --seeds must be at least 1 and --seconds above 0, finite", file=sys.stderr)
        return 2
    command = ["--results", str(given.results), "--runs", str(given.runs)]
    command += [] if given.seconds is None else ["--seconds", str(given.seconds)]
    try:
        table = TABLES[given.table]
        jobs = jobs_of(table, given.only, given.results, given.runs, given.seconds, given.seeds)
        queue = Queue(table, jobs, command, console)
    except ValueError as error:
        print(f"musegym bench: {error}", file=sys.stderr)
        return 2
    if given.list:
        console.print(queue.status())
        return 0
    code = queue.work(given.jobs)
    return 128 - code if code < 0 else int(code > 0)


if __name__ == "__main__":
    sys.exit(main())
