"""A resumable queue of benchmark runs: ``musegym bench melody --jobs 2``.

Every row and seed of a table becomes one JSON file, ``<table>/<row>-s<seed>.json``. Finished runs are skipped;
interrupted ones, by Ctrl-C or ``kill -9`` alike, go on from their last checkpoint. Each run is a process of its own
with one thread, and holds a lock on its folder, so that a second queue does other runs.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType

from rich.console import Console
from rich.live import Live
from rich.table import Table as RichTable

from .job import Job
from .state import ELSEWHERE

WORKER = (sys.executable, "-m", "musegym.benchmarks.runner.worker")
POLL = 0.2
"""Seconds between looks at the running processes."""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


@dataclasses.dataclass
class Entry:
    """A job in the queue."""

    job: Job
    state: str = "waiting"
    note: str = ""
    process: subprocess.Popen[bytes] | None = None
    begun: float = 0.0


class Queue:
    """A queue of jobs, a few processes at a time.

    Args:
        jobs: finished ones are skipped.
        console: shows the status: a live table on a terminal, a line per change elsewhere.
        worker: the command that does one job, which it gets as JSON.

    Raises:
        ValueError: a result file is damaged.
    """

    def __init__(self, jobs: Sequence[Job], console: Console, worker: Sequence[str] = WORKER) -> None:
        self.entries = [Entry(job, "done" if job.finished else "waiting") for job in jobs]
        self.tables = list(dict.fromkeys(job.table for job in jobs))
        self.console, self.worker = console, list(worker)
        self.stopped = 0

    def work(self, processes: int) -> int:
        """Runs all waiting jobs; returns the number that failed or, negative, the signal that stopped the queue."""
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
        return -self.stopped if self.stopped else sum(entry.state == "failed" for entry in self.entries)

    def _advance(self, processes: int) -> bool:
        for entry in self.entries:
            if entry.process is not None and (code := entry.process.poll()) is not None:
                self._close(entry, code)
        waiting = [entry for entry in self.entries if entry.state == "waiting"]
        free = processes - sum(entry.process is not None for entry in self.entries)
        for entry in waiting[: 0 if self.stopped else max(0, free)]:
            self._start(entry)
        return any(entry.process is not None for entry in self.entries) or bool(waiting and not self.stopped)

    def _start(self, entry: Entry) -> None:
        job = entry.job
        job.run.parent.mkdir(parents=True, exist_ok=True)
        with job.log.open("ab") as log:
            # A session of its own: Ctrl-C reaches the worker once, through _stop, not a second time from the terminal.
            entry.process = subprocess.Popen(
                [*self.worker, job.to_json()], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env={**os.environ, **ONE_THREAD}, start_new_session=True,
            )  # fmt: skip
        self._set(entry, "running", time.monotonic())

    def _close(self, entry: Entry, code: int) -> None:
        entry.process, job = None, entry.job
        if code == ELSEWHERE:
            self._set(entry, "elsewhere", note="another process works on it")
        elif job.finished:
            self._set(entry, "done")
        elif code == 0:
            self._set(entry, "partial", note="it shared its core or was cut short; run it again")
        elif self.stopped:
            self._set(entry, "stopped", note="goes on when the queue is started again")
        else:
            lines = job.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            self._set(entry, "failed", note=f"{lines[-1] if lines else f'exit code {code}'} ({job.log})")

    def _set(self, entry: Entry, state: str, begun: float | None = None, note: str = "") -> None:
        took = f" after {time.monotonic() - entry.begun:.0f} s" if entry.state == "running" else ""
        entry.state, entry.note = state, note
        entry.begun = entry.begun if begun is None else begun
        if not self.console.is_terminal:
            line = f"{self._name(entry.job)} {state}{took}{': ' if note else ''}{note}"
            self.console.print(line, highlight=False, soft_wrap=True)

    def _name(self, job: Job) -> str:
        return job.name if len(self.tables) == 1 else f"{job.table}/{job.name}"

    def _stop(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.stopped = number
        for entry in self.entries:
            if entry.process is not None:
                entry.process.terminate()

    def status(self) -> RichTable:
        """Returns the state of every job as a table."""
        table = RichTable("run", "state", "seconds", "C2ST", "Frechet", "NLL", "", title=", ".join(self.tables))
        for entry in self.entries:
            job = entry.job
            result = json.loads(job.result.read_text(encoding="utf-8")) if entry.state in {"done", "partial"} else {}
            figures = result.get("evaluation", {}) | result.get("own", {})
            nll = next((figures[key] for key in ("nll", "nll_test", "nll_test_bound") if key in figures), None)
            seconds = result.get("seconds", time.monotonic() - entry.begun if entry.state == "running" else None)
            shown = ((seconds, 0), (figures.get("c2st"), 3), (figures.get("frechet"), 2), (nll, 2))
            numbers = (
                f"{value:.{digits}f}" if isinstance(value, int | float) else str(value or "") for value, digits in shown
            )
            table.add_row(self._name(job), entry.state, *numbers, entry.note)
        return table
