"""Reports of a run: its stopwatch, its metrics as lines of a file, and log messages on the console."""

from __future__ import annotations

import logging
import math
from typing import Any, Self

import numpy as np
from rich.console import Console
from stable_baselines3.common.logger import KVWriter

from .folder import CLOCKS, Run

PLAIN_SECONDS = 10.0
"""Seconds between status lines where there is no terminal."""


class Stopwatch:
    """Counts training time over all parts of an interrupted run.

    Args:
        spent: seconds of the earlier parts.
        clock: a key of ``CLOCKS``.
    """

    def __init__(self, spent: float = 0.0, clock: str = "wall") -> None:
        self._now = CLOCKS[clock]
        self._start = self._now() - spent

    def seconds(self) -> float:
        """Returns the training time so far."""
        return self._now() - self._start


class MetricsWriter(KVWriter):
    """Writes the agent's metrics to ``metrics.jsonl``.

    Args:
        run: folder of the file.
        stopwatch: clock of the run.
    """

    def __init__(self, run: Run, stopwatch: Stopwatch) -> None:
        self.latest: dict[str, float] = {}
        self._run = run
        self._stopwatch = stopwatch

    def write(self, key_values: dict[str, Any], key_excluded: dict[str, tuple[str, ...]], step: int = 0) -> None:
        """Adds a line.

        Raises:
            FloatingPointError: a loss is not finite.
        """
        del key_excluded
        self.latest = {
            key: float(value) for key, value in key_values.items() if isinstance(value, int | float | np.number)
        }
        self._run.report(self._stopwatch.seconds(), step, self.latest)
        for key, value in self.latest.items():
            if "loss" in key and not math.isfinite(value):
                raise FloatingPointError(f"{key} became {value} at step {step}")

    def close(self) -> None:
        """Does nothing: the file is closed after every line."""


class ConsoleLog(logging.Handler):
    """Prints the messages of a logger, with the time, while it is entered.

    Args:
        logger: name of the logger.
        console: where messages go.
        stopwatch: clock of the messages.
    """

    def __init__(self, logger: str, console: Console, stopwatch: Stopwatch) -> None:
        super().__init__(logging.INFO)
        self._logger, self._console, self._stopwatch = logging.getLogger(logger), console, stopwatch

    def __enter__(self) -> Self:
        self._level = self._logger.level
        self._logger.setLevel(logging.INFO)
        self._logger.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)
        self._logger.setLevel(self._level)

    def emit(self, record: logging.LogRecord) -> None:
        """Prints a line."""
        name = self._logger.name.rpartition(".")[2]
        self._print(f"{self._stopwatch.seconds():.0f} s  {name}: {record.getMessage()}")

    def _print(self, text: str) -> None:
        self._console.print(text, soft_wrap=True, markup=False, highlight=False)


class EvaluationStatus(ConsoleLog):
    """Shows the current part of an evaluation: one changing line on a terminal, an occasional line elsewhere."""

    def __init__(self, console: Console) -> None:
        super().__init__("musegym.benchmarks", console, Stopwatch())
        self._status = console.status("evaluating")
        self._printed_at = -math.inf

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._status.start()
        return super().__enter__()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._status.stop()

    def emit(self, record: logging.LogRecord) -> None:
        """Shows a line."""
        seconds = self._stopwatch.seconds()
        text = f"{seconds:.0f} s  {record.getMessage()}"
        if self._console.is_terminal:
            self._status.update(text)
        elif seconds - self._printed_at >= PLAIN_SECONDS:
            self._printed_at = seconds
            self._print(text)
