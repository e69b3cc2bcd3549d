"""Sizes of a round by the horizon of a task."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..envs.task import Task


class Round(NamedTuple):
    """Sizes of a round.

    Attributes:
        rows: works built side by side.
        minibatch: fresh episodes in an update.
    """

    rows: int
    minibatch: int


BY_HORIZON: tuple[tuple[float, Round], ...] = (
    (128, Round(1024, 256)),
    (192, Round(512, 128)),
    (384, Round(256, 64)),
    (float("inf"), Round(128, 32)),
)
"""Longest horizon in decisions, and the sizes up to it: an update costs about as much at every horizon."""


def round_of(task: Task[Any]) -> Round:
    """Returns the default sizes of a round for a task."""
    return next(sizes for longest, sizes in BY_HORIZON if task.horizon <= longest)
