"""Result files as a table, Markdown or a page of HTML: ``musegym report melody --against mle``."""

from __future__ import annotations

import html
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..envs.registry import make_task
from ..errors import Parser
from ..training.files import write_atomically
from . import RESULTS
from .stats import Interval, paired_difference, unpacked
from .tables import TABLES

COLUMNS = (
    "nll",
    "mmd",
    "nll_oracle",
    "self_bleu_4",
    "sure",
    "as_asked",
    "rarest_class",
    "rules_kept",
    "rule_reward",
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
"""What is shown where nothing is said, if it was measured; the first of them are environments' own measures."""
JUDGES: dict[Literal["judged", "taught"], str] = {"judged": "c2st", "taught": "c2st_taught"}
"""Keys of results that hold judgements, and the columns that they decide."""
DIGITS = {"mmd": 5, "frechet": 2, "nll_test": 2, "longest_copy": 2, "cpu_seconds": 0, "precision": 2, "recall": 2}
OWN_DIGITS = {"nll_test": 3}
"""Of environments' own measures that have other units than the general suite: nats per token."""
Result = dict[str, Any]
NEEDED = {"evaluation": dict, "row": str, "table": str, "env_id": str, "seconds": (int, float)}
"""What a report needs of a result file, and of which types."""
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
<p>Means over seeds, the range in brackets.</p>
</html>
"""


def load(folder: Path, needed: Mapping[str, Any] = MappingProxyType({"evaluation": dict})) -> list[Result]:
    """Reads all result files of a folder.

    Args:
        folder: where they are.
        needed: what each must hold, and of which types; files without an evaluation are left out.

    Raises:
        ValueError: there are none, or one is damaged.
    """
    results = []
    for path in sorted(folder.glob("*.json")):
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(found, dict):
                raise ValueError(f"it holds no object but {type(found).__name__}")
            wrong = [key for key, kind in needed.items() if not isinstance(found.get(key), kind)]
            if "evaluation" in found and wrong:
                raise ValueError(f"it has no {' or '.join(wrong)} of the right type")
        except (ValueError, RecursionError) as error:
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
    """Returns the numbers that a result holds, by name: those of ``COLUMNS``, and the medium's metrics.

    Where the environment's own measure and the general suite have a name in common, it is the former's; the latter's
    is then called ``evaluation.NAME``.
    """
    own, taught = found.get("own", {}), found.get("taught", {})
    metrics = {**found["evaluation"].get("metrics", {}), **own.get("metrics", {})}
    other = {"c2st_taught": taught.get("accuracy"), "cpu_seconds": found.get("cpu_seconds")}
    return _numbers({**metrics, **_apart(found["evaluation"], own), **own, **other})


def _apart(general: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Renames figures of the general suite whose names the environment's own measure has too."""
    return {f"evaluation.{name}" if name in own else name: value for name, value in general.items()}


def _numbers(figures: Mapping[str, Any]) -> dict[str, float | None]:
    """Keeps what is a number, or could have been one."""
    return {name: value for name, value in figures.items() if value is None or isinstance(value, int | float)}


def figures_of_real(found: Result) -> Mapping[str, Any]:
    """Returns what real held-out works have under the same names; a perfect model, where works cannot have it."""
    figures: dict[str, Any] = found["evaluation"]
    known = {name.removesuffix("_real"): value for name, value in figures.items() if name.endswith("_real")}
    known |= known.pop("metrics", {})
    known |= {"c2st": 0.5, "c2st_taught": 0.5, "frechet": figures.get("frechet_floor")}
    own = found.get("own", {})
    return _numbers({**_apart(known, own), **own.get("real", {})})


def place(found: Result) -> tuple[str, ...]:
    """Returns what a result was measured against: environment, its arguments, split of the held-out works."""
    env = (f"{name}={value}" for name, value in found.get("env", {}).items())
    return (str(found.get("env_id")), *env, str(found["evaluation"].get("split")))


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
    groups = make_task(first["env_id"], **first.get("env", {})).groups(first["evaluation"]["split"])
    return paired_difference(judged(ours), judged(theirs), groups, np.random.default_rng(0))


def cells(results: Sequence[Result], against: str | None = None, columns: Sequence[str] = COLUMNS) -> list[list[str]]:
    """Returns a head, a line per row (means over seeds, the range in brackets) and one of real works, the floor.

    Where rows were measured against different works there is a line for each of them.

    Args:
        results: as ``load`` reads them; rows come in the order of their table.
        columns: what is shown, where it was measured.
        against: a row; last columns then hold the differences of both C2STs from it with 95% intervals.
    """
    table = TABLES.get(str(results[0].get("table")))
    order = [row.name for row in table.rows] if table else []
    rows: dict[str, list[Result]] = {}
    for found in sorted(results, key=lambda found: order.index(found["row"]) if found["row"] in order else len(order)):
        rows.setdefault(found["row"], []).append(found)
    if against is not None and against not in rows:
        raise ValueError(f"there is no row {against!r}; there are: {', '.join(rows)}")
    names = [name for name in columns if any(figures_of(found).get(name) is not None for found in results)]
    unknown = [name for name in columns if name not in names and name not in COLUMNS]
    if unknown:
        there = sorted({name for found in results for name in figures_of(found)})
        raise ValueError(f"no result says {unknown[0]!r}; there are: {', '.join(there)}")
    compared = [key for key in JUDGES if against and all(found.get(key) for found in rows[against])]
    head = ["method", "seeds", "seconds", *names, *(f"{JUDGES[key]} minus {against}" for key in compared)]
    lines = [head]
    for name, group in rows.items():
        line = [name, str(len(group)), f"{np.mean([found['seconds'] for found in group]):.0f}"]
        line[0] += " (partial)" if any(found["partial"] for found in group) else ""
        line += [_cell([figures_of(found).get(key) for found in group], _digits(key, results)) for key in names]
        if against is not None:
            same = name != against and place(group[0]) == place(rows[against][0])
            judged = [key for key in compared if same and all(found.get(key) for found in group)]
            line += [str(difference(group, rows[against], key)) if key in judged else "" for key in compared]
        lines.append(line)
    real = _real_lines([found for group in rows.values() for found in group], names)
    return lines + [[*line, *[""] * len(compared)] for line in real]


def _real_lines(results: Sequence[Result], names: Sequence[str]) -> list[list[str]]:
    """Returns a line of real works for each place whose works differ in what is shown."""
    places = {place(found): found for found in reversed(results)}
    lines: dict[tuple[str, ...], tuple[str, ...]] = {}
    for at, found in reversed(places.items()):
        real = figures_of_real(found)
        lines.setdefault(tuple(_cell([real.get(key)], _digits(key, results)) for key in names), at)
    plain = len(lines) == 1
    return [["real works" if plain else f"real works: {' '.join(at)}", "", "", *line] for line, at in lines.items()]


def markdown(results: Sequence[Result], against: str | None = None, columns: Sequence[str] = COLUMNS) -> str:
    """Returns ``cells`` as a Markdown table."""
    head, *lines = cells(results, against, columns)
    return "".join(f"| {' | '.join(line)} |\n" for line in (head, ["---"] * len(head), *lines))


def page(results: Sequence[Result], against: str | None = None, columns: Sequence[str] = COLUMNS) -> str:
    """Returns ``cells`` as a page of HTML that needs no other file."""
    head, *lines = cells(results, against, columns)
    rows = [_row("th", head), *(_row("td", line) for line in lines)]
    places = ", ".join(dict.fromkeys(found["env_id"] for found in results))
    title = html.escape(f"{results[0]['table']}: {places}")
    return PAGE.format(title=title, rows="\n".join(rows))


def _row(tag: str, line: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in line) + "</tr>"


def _digits(name: str, results: Sequence[Result]) -> int:
    own = any(name in found.get("own", {}) for found in results)
    return (DIGITS | OWN_DIGITS if own else DIGITS).get(name, 3)


def _cell(values: Sequence[float | None], digits: int) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, mean, high = (f"{value:.{digits}f}" for value in (min(known), np.mean(known), max(known)))
    return mean if low == high else f"{mean} [{low}, {high}]"


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table of a folder of results, or writes the page; exit code 2 where that cannot be."""
    parser = Parser(prog="musegym report", description="Shows what benchmark runs have found.")
    parser.add_argument("table", help=f"a table's name ({', '.join(TABLES)}), or a folder of result files")
    parser.add_argument("--against", metavar="ROW", help="adds the C2ST difference from this row, with an interval")
    parser.add_argument(
        "--columns", metavar="NAME", nargs="+", default=COLUMNS, help="what to show; commas separate too"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page instead of printing Markdown")
    given = parser.parse_args(arguments)
    columns = [name for names in given.columns for name in names.split(",") if name]
    try:
        results = load(folder_of(given.table), NEEDED)
        text = (markdown if given.html is None else page)(results, given.against, columns)
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
