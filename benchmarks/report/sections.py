"""Sections of a report: the results of each table of a name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...errors import UsageError
from ..tables.find import find, standard_name, tables
from .layout import Cells, cells
from .results import NEEDED, load


def sections(name: str, folder: Path, against: str | None = None, names: Sequence[str] = ()) -> list[tuple[str, Cells]]:
    """Returns a title and the ``cells`` for each table of a suite, a table, an id, or a folder of result files.

    Args:
        name: of any of them; tables of a suite without results are left out. An id need not be registered where it has
            results.
        folder: of the tables' folders.
        against: as in ``cells``.
        names: as in ``cells``.

    Raises:
        UsageError: there is nothing of that name.
        ValueError: there are no results, or as in ``cells``.
    """
    try:
        folders = {folder / table.name: table.rows for table in find(name)}
    except UsageError as error:
        there = [path for path in (Path(name), folder / standard_name(name)) if path.is_dir()]
        if not there:
            raise UsageError(f"{error}, nor a folder of result files") from None
        folders = {there[0]: ()}
    if len(folders) > 1:
        folders = {path: rows for path, rows in folders.items() if path.is_dir()} or folders
    shown = []
    for path, rows in folders.items():
        results = load(path, NEEDED)
        table, places = results[0]["table"], dict.fromkeys(result["env_id"] for result in results)
        if not rows and table in (known := tables()):
            rows = known[table].rows
        title = f"{table}: {', '.join(places)}"
        shown.append((title, cells(results, [row.name for row in rows], against, names)))
    return shown
