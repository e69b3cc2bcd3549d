"""Jobs of the queue: one row of a table with one seed each."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from ..measures import domain_of
from ..tables.rows import Row, Table
from .state import finished, sibling


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """One row of a table with one seed; plain data."""

    table: str
    """Name of the table."""
    row: Row
    seed: int
    seconds: float
    """Requested training time by the clock."""
    results: Path
    """Folder of result files."""
    runs: Path
    """Folder of checkpoints and logs."""

    @property
    def name(self) -> str:
        """``<row>-s<seed>``, the name of its files."""
        return f"{self.row.name}-s{self.seed}"

    @property
    def result(self) -> Path:
        """The result file."""
        return self.results / self.table / f"{self.name}.json"

    @property
    def run(self) -> Path:
        """The folder of checkpoints."""
        return self.runs / self.table / self.name

    @property
    def log(self) -> Path:
        """The file with the output of the process."""
        return sibling(self.run, ".log")

    @property
    def finished(self) -> bool:
        """True once its result is complete."""
        return finished(self.result, self.seconds, self.row.taught, domain_of(self.row.env_id).measure is not None)

    def to_json(self) -> str:
        """Returns the job as ``from_json`` reads it."""
        return json.dumps(dataclasses.asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Reads a job; sequences within hyperparameters come back as lists."""
        given: dict[str, Any] = json.loads(text)
        row: dict[str, Any] = given.pop("row")
        row |= {name: tuple(value) for name, value in row.items() if isinstance(value, list)}
        paths = {name: Path(given.pop(name)) for name in ("results", "runs")}
        return cls(row=Row(**row), results=paths["results"], runs=paths["runs"], **given)


def jobs_of(
    table: Table, only: Sequence[str], results: Path, runs: Path, seconds: float | None = None, seeds: int | None = None
) -> list[Job]:
    """Lists the jobs of a table, first seeds of all rows first: a table that is cut short has all its rows.

    Args:
        table: the table.
        only: names of the rows to run; all where empty.
        results: folder of result files.
        runs: folder of checkpoints and logs.
        seconds: of training, instead of the rows' own.
        seeds: how many of each row's seeds, the first ones; all where None.
    """
    rows = [row for row in table.rows if not only or row.name in only]
    order = sorted(((i, seed, row) for row in rows for i, seed in enumerate(row.seeds[:seeds])), key=lambda job: job[0])
    return [
        Job(table=table.name, row=row, seed=seed, seconds=seconds or row.seconds, results=results, runs=runs)
        for _, seed, row in order
    ]
