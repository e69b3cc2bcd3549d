"""Measures, columns and tables of single domains, found through ``Task.benchmark``.

A task names a module in its ``benchmark``, such as ``"mypackage.benchmark"``, whose ``DOMAIN`` is a ``Domain``;
``"mypackage.benchmark:NAME"`` names another variable. The module is imported on first use.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from ..envs.registry import task_class
from ..envs.task import Split, Task, Works
from .samplers import Sampler
from .tables.rows import Table

Measure = Callable[[Sampler, Split, int], dict[str, Any]]
"""From a sampler, the split of held-out works and a seed to figures, plain data.

Figures of real works, or of a perfect model, stand under the same names in ``real``; figures of the medium in
``metrics``.
"""


References = Callable[[Task[Any], Split, int], dict[str, Any]]
"""From a task, the split of its real works and a seed to figures, plain data."""


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of reports."""

    key: str
    """Name of the figure in result files."""
    header: str = ""
    """Title of the column; ``key`` where empty."""
    digits: int = 3
    """Digits after the point."""
    lower_is_better: bool | None = None
    """None where neither direction is better."""


@dataclasses.dataclass(frozen=True)
class Domain:
    """Additions of one domain to the benchmark."""

    measure: Measure | None = None
    """Measure of the domain; its figures stand under ``own`` in result files."""
    references: References | None = None
    """Figures of real works, chance or a perfect model, for comparison."""
    columns: tuple[Column, ...] = ()
    """Columns of these figures, in the order of reports; they precede those of the general suite."""
    tables: tuple[Table, ...] = ()
    """Its tables. Tables of several domains that have one name are one table."""


def some_works(task: Task[Any], split: Split, most: int, seed: int) -> Works:
    """Returns real works of a split, drawn with a seed: so many, or all where there are fewer."""
    works = task.works(split)
    return works.take(np.random.default_rng(seed).permutation(len(works))[:most])


def domain_of(env_id: str) -> Domain:
    """Returns the ``Domain`` of a registered id's task, an empty one where the task names none.

    Raises:
        gymnasium.error.Error: the id is unknown or not one of musegym.
        ImportError: the module that the task names cannot be imported, or has no ``Domain`` of that name.
    """
    entry_point = task_class(env_id)[0].benchmark
    if not entry_point:
        return Domain()
    module, _, name = entry_point.partition(":")
    found = getattr(importlib.import_module(module), name or "DOMAIN", None)
    if not isinstance(found, Domain):
        raise ImportError(f"{module} has no musegym.benchmarks.measures.Domain named {name or 'DOMAIN'}")
    return found
