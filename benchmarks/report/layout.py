"""Results laid out as a table: in Markdown, or as a page of HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np

from ..measures import Column
from .results import JUDGES, OTHERS, Result, columns_of, difference, figures_of, figures_of_real, place, remark

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
{sections}
<p>Means over seeds, the range in brackets. Lower is better under &darr;, higher under &uarr;.</p>
</html>
"""
SECTION = "<h1>{title}</h1>\n<table>\n{rows}\n</table>"
ARROWS = {True: " ↓", False: " ↑", None: ""}
Cells = list[list[str]]


def cells(
    results: Sequence[Result], order: Sequence[str] = (), against: str | None = None, names: Sequence[str] = ()
) -> Cells:
    """Returns a head, a line per row (means over seeds, the range in brackets) and one of real works, the floor.

    Rows that were measured against different works have a line of real works each.

    Args:
        results: as ``load`` reads them.
        order: names of rows; rows that it lacks come last.
        against: a row; last columns then hold the differences of both C2STs from it with 95% intervals.
        names: of the figures to show; where empty, the columns of the domains and of the general suite.

    Raises:
        ValueError: there is no such row, or no such figure.
    """
    rows: dict[str, list[Result]] = {}
    rank = {name: i for i, name in enumerate(order)}
    for result in sorted(results, key=lambda result: rank.get(result["row"], len(rank))):
        rows.setdefault(result["row"], []).append(result)
    if against is not None and against not in rows:
        raise ValueError(f"there is no row {against!r}; there are: {', '.join(rows)}")
    known = columns_of(results)
    measured = sorted({name for result in results for name, value in figures_of(result).items() if value is not None})
    unknown = [name for name in names if name not in measured and name not in known]
    if unknown:
        raise ValueError(f"no result has {unknown[0]!r}; there are: {', '.join(measured)}")
    others = {column.key: column for column in OTHERS}
    wanted = [known.get(name) or others.get(name) or Column(name) for name in names] or list(known.values())
    columns = [column for column in wanted if column.key in measured or remark(results, column.key)]
    compared = [key for key in JUDGES if against and all(_judged(result, key) for result in rows[against])]
    heads = (f"{column.header or column.key}{ARROWS[column.lower_is_better]}" for column in columns)
    lines = [["method", "seeds", "seconds", *heads, *(f"{JUDGES[key]} minus {against}" for key in compared)]]
    for name, group in rows.items():
        line = [name, str(len(group)), f"{np.mean([result['seconds'] for result in group]):.0f}"]
        line[0] += " (partial)" if any(result["partial"] for result in group) else ""
        line += [
            _cell([figures_of(result).get(column.key) for result in group], column) or remark(group, column.key)
            for column in columns
        ]
        if against is not None:
            same = name != against and place(group[0]) == place(rows[against][0])
            judged = [key for key in compared if same and all(_judged(result, key) for result in group)]
            line += [str(difference(group, rows[against], key)) if key in judged else "" for key in compared]
        lines.append(line)
    real = _real_lines([result for group in rows.values() for result in group], columns)
    return lines + [[*line, *[""] * len(compared)] for line in real]


def _judged(result: Result, key: str) -> bool:
    """Returns whether a result holds judgements of single works."""
    return "real" in (result.get(key) or {})


def _real_lines(results: Sequence[Result], columns: Sequence[Column]) -> Cells:
    """Returns a line of real works for each place whose works differ in the figures shown."""
    places = {place(result): result for result in reversed(results)}
    lines: dict[tuple[str, ...], tuple[str, ...]] = {}
    for at, result in reversed(places.items()):
        real = figures_of_real(result)
        lines.setdefault(tuple(_cell([real.get(column.key)], column) for column in columns), at)
    plain = len(lines) == 1
    return [["real works" if plain else f"real works: {' '.join(at)}", "", "", *line] for line, at in lines.items()]


def _cell(values: Sequence[float | None], column: Column) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, mean, high = (f"{value:.{column.digits}f}" for value in (min(known), np.mean(known), max(known)))
    return mean if low == high else f"{mean} [{low}, {high}]"


def markdown(table: Cells) -> str:
    """Returns ``cells`` as a Markdown table."""
    head, *lines = table
    return "".join(f"| {' | '.join(line)} |\n" for line in (head, ["---"] * len(head), *lines))


def page(tables: Sequence[tuple[str, Cells]]) -> str:
    """Returns titles with their ``cells`` as a page of HTML that needs no other file."""
    shown = [(html.escape(title), _rows(table)) for title, table in tables]
    sections = "\n".join(SECTION.format(title=title, rows=rows) for title, rows in shown)
    return PAGE.format(title=", ".join(title for title, _ in shown), sections=sections)


def _rows(table: Cells) -> str:
    tagged = [("th" if i == 0 else "td", line) for i, line in enumerate(table)]
    return "\n".join(
        "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in line) + "</tr>" for tag, line in tagged
    )
