"""What a training run says of itself: its clock, its metrics as lines of a file, and what its controller does."""

from __future__ import annotations

import logging
import math
import time
from typing import Any, Self

import numpy as np
from rich.console import Console
from stable_baselines3.common.logger import KVWriter

from .folder import Run

SAID_EVERY = 10.0
"""Seconds between lines where there is no terminal."""


class Lines(KVWriter):
    """Sends what the agent logs to ``metrics.jsonl``.

    Args:
        run: whose file it is.
        watch: the run's clock.
    """

    def __init__(self, run: Run, watch: Watch) -> None:
        self.latest: dict[str, float] = {}
        self._run = run
        self._watch = watch

    def write(self, key_values: dict[str, Any], key_excluded: dict[str, tuple[str, ...]], step: int = 0) -> None:
        """Adds a line."""
        del key_excluded
        numbers = {key: float(value) for key, value in key_values.items() if isinstance(value, int | float | np.number)}
        self.latest = numbers
        self._run.report(self._watch.seconds(), step, numbers)
        lost = [key for key, value in numbers.items() if "loss" in key and not math.isfinite(value)]
        if lost:
            raise FloatingPointError(f"{lost[0]} became {numbers[lost[0]]} at step {step}")

    def close(self) -> None:
        """Does nothing: every line is closed once written."""


class Watch:
    """Counts training time over all parts of an interrupted run.

    Args:
        spent: seconds of the earlier parts.
    """

    def __init__(self, spent: float) -> None:
        self._start = time.monotonic() - spent

    def seconds(self) -> float:
        """Returns the training time so far."""
        return time.monotonic() - self._start


class Stages(logging.Handler):
    """Says on the console, while it is entered, what an evaluation is doing.

    Args:
        console: on a terminal the line changes, and goes in the end; elsewhere there is one now and then.
    """

    def __init__(self, console: Console) -> None:
        super().__init__(logging.INFO)
        self._console, self._watch = console, Watch(0.0)
        self._status = console.status("evaluating")
        self._said: float | None = None
        self._logger = logging.getLogger("musegym.benchmarks")

    def __enter__(self) -> Self:
        self._level = self._logger.level
        self._logger.setLevel(logging.INFO)
        self._logger.addHandler(self)
        if self._console.is_terminal:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)
        self._logger.setLevel(self._level)
        self._status.stop()

    def emit(self, record: logging.LogRecord) -> None:
        """Shows a line."""
        seconds = self._watch.seconds()
        text = f"{seconds:.0f} s  {record.getMessage()}"
        if self._console.is_terminal:
            self._status.update(text)
        elif self._said is None or seconds - self._said >= SAID_EVERY:
            self._said = seconds
            self._console.print(text, soft_wrap=True, markup=False, highlight=False)


class Announcer(logging.Handler):
    """Says on the console, while it is entered, what the agent's controller does.

    Args:
        watch: the run's clock.
        console: above whose bar lines go.
    """

    def __init__(self, watch: Watch, console: Console) -> None:
        super().__init__(logging.INFO)
        self._watch, self._console = watch, console
        self._logger = logging.getLogger("musegym.controller")

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
        text = f"{self._watch.seconds():.0f} s  controller: {record.getMessage()}"
        self._console.print(text, soft_wrap=True, markup=False, highlight=False)
