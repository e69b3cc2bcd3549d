"""``musegym data``: sources of real works, where they are, and how to get them."""

from __future__ import annotations

from typing import Any

from ..envs.corpora import sources
from ..envs.corpora.packages import CorpusMissingError
from ..envs.task import Task


def where(task: Task[Any]) -> str:
    """Returns the source of a task's works, or the command that brings what is missing; nothing is read for it.

    Works that are from elsewhere, such as a formula or a user's files, give "".
    """
    if not task.data_name:
        return ""
    try:
        sources.find(task.data_name)
    except CorpusMissingError:
        return f"missing: {sources.SOURCES[task.data_name].command}"
    packages = sources.missing_packages(task.data_name)
    return f"missing: pip install {' '.join(packages)}" if packages else task.data_name
