"""Tables and JSON files that commands write."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from ..envs.task import CorpusReport
from ..errors import RunError, reason
from ..training.arguments import Argument
from ..training.files import write_atomically


def arguments_table(arguments: Mapping[str, Argument]) -> Table:
    """Returns a table of arguments: name, accepted values, default, meaning."""
    table = Table("name", "value", "default", "meaning")
    for name, argument in arguments.items():
        table.add_row(*map(Text, (name, argument.expected, argument.default_text, argument.meaning)))
    return table


def corpus_json(report: CorpusReport) -> str:
    """Returns a report as JSON: files, read, works by split, left_out by reason, skipped files with their reasons."""
    found: dict[str, Any] = {
        "files": report.files,
        "read": report.read,
        "works": dict(report.works),
        "left_out": dict(report.left_out),
        "skipped": [{"file": name, "reason": why} for name, why in report.skipped],
    }
    return json.dumps(found, indent=2) + "\n"


def corpus_table(report: CorpusReport) -> Table:
    """Returns a report as a table: numbers of files and works, parts left out by reason, files skipped."""
    groups: dict[str, list[tuple[str, str]]] = {
        "files": [("found", f"{report.files:,}"), ("read", f"{report.read:,}")] if report.files else [],
        "works": [(split, f"{count:,}") for split, count in report.works.items()],
        "left out": [(why, f"{count:,}") for why, count in report.left_out.items()],
        "skipped": [(f"{name}: {why}", "") for name, why in report.skipped],
    }
    table = Table("", "", "count")
    for group, rows in groups.items():
        for index, row in enumerate(rows):
            table.add_row("" if index else group, *map(Text, row))  # Text: names of files are no markup
    return table


def evaluation_table(result: dict[str, Any]) -> Table:
    """Returns the numbers of an evaluation beside those of real test works."""
    table = Table("", "generated", "real test works")
    for name, generated, real in _evaluation_rows(result):
        table.add_row(name, _number(generated), _number(real))
    return table


def _evaluation_rows(result: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yields (name, of generated works, of real works) for every number of an evaluation."""
    for name, value in result.items():
        real = result.get(f"{name}_real", result.get("frechet_floor") if name == "frechet" else None)
        if isinstance(value, dict) and isinstance(real, dict):
            yield from ((key, value[key], real.get(key)) for key in value)
        elif name.endswith("_floor") or (name.endswith("_real") and name.removesuffix("_real") in result):
            continue
        elif isinstance(value, int | float) or (isinstance(value, str) and name.startswith("c2st")):  # "not used: ..."
            yield name, value, real


def _number(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def write(file: Path, text: str) -> None:
    """Writes a text to a file, or to stdout where the file is ``-`` or cannot be written.

    Raises:
        RunError: the file could not be written.
    """
    if str(file) == "-":
        sys.stdout.write(text)
        return
    try:
        write_atomically(file, text)
    except OSError as error:
        sys.stdout.write(text)  # the text took minutes to compute
        raise RunError(f"cannot write {file}: {reason(error)}; its text is on stdout instead") from None
