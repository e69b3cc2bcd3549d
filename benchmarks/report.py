"""Result files as a table, Markdown or a page of HTML: ``musegym report melody --against mle``."""

from __future__ import annotations

import argparse
import html
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..envs.registry import make_task
from ..runs import write_atomically
from . import RESULTS
from .stats import Interval, paired_difference, unpacked
from .tables import TABLES

COLUMNS = (
    "c2st",
    "c2st_taught",
    "frechet",
    "nll_test",
    "precision",
    "recall",
    "density",
    "coverage",
    "unique",
    "novel",
    "longest_copy",
)
JUDGES: dict[Literal["judged", "taught"], str] = {"judged": "C2ST", "taught": "taught C2ST"}
"""Keys of results that hold judgements, and what they are called."""
DIGITS = {"frechet": 2, "nll_test": 2, "longest_copy": 2}
Result = dict[str, Any]
PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
th, td {{ padding: 0.3em 0.8em; border-bottom: 1px solid #8886; text-align: right; }}
th:first-child, td:first-child {{ text-align: left; }}
</style>
<h1>{title}</h1>
<table>
{rows}
</table>
<p>Means over seeds, the range in brackets. {floors}</p>
</html>
"""


def load(folder: Path) -> list[Result]:
    """Reads all result files of a folder.

    Raises:
        ValueError: there are none, or one is damaged.
    """
    results = []
    for path in sorted(folder.glob("*.json")):
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is no result file ({error}): delete it and run again") from None
        if "evaluation" in found:
            results.append(found)
    if not results:
        first = f": run `musegym bench {folder.name}` first" if folder.name in TABLES else ""
        raise ValueError(f"{folder} holds no results{first}")
    return results


def folder_of(name: str) -> Path:
    """Returns the folder of a table's results, or a folder of result files itself; a table's name comes first.

    Raises:
        ValueError: there is neither.
    """
    folder = RESULTS / name if name in TABLES else Path(name)
    if name not in TABLES and not folder.is_dir():
        raise ValueError(f"{name} is neither a table ({', '.join(TABLES)}) nor a folder of result files")
    return folder


def figures_of(found: Result) -> Mapping[str, Any]:
    """Returns what a result says under the names of ``COLUMNS``."""
    figures: dict[str, Any] = found["evaluation"]
    return figures | {"c2st_taught": found["taught"]["accuracy"] if "taught" in found else None}


def difference(
    ours: Sequence[Result], theirs: Sequence[Result], judges: Literal["judged", "taught"] = "judged"
) -> Interval:
    """C2ST of one row minus another's on the same works, with a paired bootstrap over groups (tunes).

    How often judges are right about real work i and its generated partner is averaged over the seeds of each row first.

    Args:
        ours: the results of one row, a seed each.
        theirs: those of the other.
        judges: whose judgements: those that learned from held-out works, or those that the train split taught.

    Raises:
        ValueError: a row was not judged, or on different works.
    """

    def judged(results: Sequence[Result]) -> NDArray[np.float64]:
        rows = []
        for found in results:
            said = found.get(judges)
            if not said:
                raise ValueError(f"{found['row']} has no judgements to compare")
            n = int(found["evaluation"]["judged"])
            rows.append((unpacked(said["real"], n) * 1.0 + unpacked(said["fake"], n)) / 2)
        mean: NDArray[np.float64] = np.mean(rows, 0)
        return mean

    first = ours[0]
    groups = make_task(first["env_id"]).groups(first["evaluation"]["split"])
    return paired_difference(judged(ours), judged(theirs), groups, np.random.default_rng(0))


def cells(results: Sequence[Result], against: str | None = None) -> list[list[str]]:
    """Returns a head and a line per row: means over seeds, the range in brackets where there are several.

    Args:
        results: as ``load`` reads them.
        against: a row; last columns then hold the differences of both C2STs from it with 95% intervals.
    """
    rows: dict[str, list[Result]] = {}
    for found in results:
        rows.setdefault(found["row"], []).append(found)
    if against is not None and against not in rows:
        raise ValueError(f"there is no row {against!r}; there are: {', '.join(rows)}")
    names = [name for name in COLUMNS if any(figures_of(found).get(name) is not None for found in results)]
    compared = [key for key in JUDGES if against and all(found.get(key) for found in results)]
    head = ["method", "seeds", "seconds", *names, *(f"{JUDGES[key]} minus {against}'s" for key in compared)]
    lines = [head]
    for name, group in rows.items():
        line = [name, str(len(group)), f"{np.mean([found['seconds'] for found in group]):.0f}"]
        line[0] += " (partial)" if any(found["partial"] for found in group) else ""
        line += [_cell([figures_of(found).get(key) for found in group], DIGITS.get(key, 3)) for key in names]
        if against is not None:
            line += ["" if name == against else str(difference(group, rows[against], key)) for key in compared]
        lines.append(line)
    return lines


def markdown(results: Sequence[Result], against: str | None = None) -> str:
    """Returns ``cells`` as a Markdown table."""
    head, *lines = cells(results, against)
    text = "".join(f"| {' | '.join(line)} |\n" for line in (head, ["---"] * len(head), *lines))
    floors = _floors(results[0]["evaluation"])
    return f"{text}\n{floors}\n" if floors else text


def page(results: Sequence[Result], against: str | None = None) -> str:
    """Returns ``cells`` as a page of HTML that needs no other file."""
    head, *lines = cells(results, against)
    rows = [_row("th", head), *(_row("td", line) for line in lines)]
    title = html.escape(f"{results[0]['table']}: {results[0]['env_id']}")
    return PAGE.format(title=title, rows="\n".join(rows), floors=_floors(results[0]["evaluation"]))


def _row(tag: str, line: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in line) + "</tr>"


def _cell(values: Sequence[float | None], digits: int) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return ""
    text = f"{np.mean(known):.{digits}f}"
    return text if len(known) == 1 else f"{text} [{min(known):.{digits}f}, {max(known):.{digits}f}]"


def _floors(figures: Mapping[str, Any]) -> str:
    known = {"Frechet floor": "frechet_floor", "longest copy of real test works": "longest_copy_real"}
    said = [f"{name} {figures[key]:.2f}" for name, key in known.items() if figures.get(key) is not None]
    return f"{'; '.join(said)}." if said else ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table of a folder of results, or writes the page; exit code 2 where that cannot be."""
    parser = argparse.ArgumentParser(prog="musegym report", description="Shows what benchmark runs have found.")
    parser.add_argument("table", help=f"a table's name ({', '.join(TABLES)}), or a folder of result files")
    parser.add_argument("--against", metavar="ROW", help="adds the C2ST difference from this row, with an interval")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page instead of printing Markdown")
    given = parser.parse_args(arguments)
    try:
        results = load(folder_of(given.table))
        text = (markdown if given.html is None else page)(results, given.against)
    except (OSError, ValueError) as error:
        print(f"musegym report: {error}", file=sys.stderr)
        return 2
    if given.html is None:
        print(text, end="")
        return 0
    try:
        write_atomically(given.html, text)
    except OSError as error:
        print(f"musegym report: cannot write {given.html}: {error.strerror}", file=sys.stderr)
        return 2
    print(given.html)
    return 0


if __name__ == "__main__":
    sys.exit(main())
