"""The command ``musegym corpus``: what was read of a corpus, and why the rest was not."""

from __future__ import annotations

import json
from typing import Any

from rich.table import Table
from rich.text import Text

from ..envs.task import CorpusReport


def to_json(report: CorpusReport) -> str:
    """Returns a report as JSON: files, read, works by split, left_out by reason, skipped files with their reasons."""
    found: dict[str, Any] = {
        "files": report.files,
        "read": report.read,
        "works": dict(report.works),
        "left_out": dict(report.left_out),
        "skipped": [{"file": name, "reason": reason} for name, reason in report.skipped],
    }
    return json.dumps(found, indent=2) + "\n"


def to_table(report: CorpusReport) -> Table:
    """Returns a report as a table: counts, then what was left out by reason, then the files that were skipped."""
    table = Table("", "", "count")
    rows: list[tuple[str, str, str]] = []
    if report.files:
        rows += [("files", "found", f"{report.files:,}"), ("", "read", f"{report.read:,}")]
    rows += [("works" if not place else "", split, f"{n:,}") for place, (split, n) in enumerate(report.works.items())]
    rows += [
        ("left out" if not place else "", reason, f"{n:,}") for place, (reason, n) in enumerate(report.left_out.items())
    ]
    rows += [
        ("skipped" if not place else "", f"{name}: {reason}", "") for place, (name, reason) in enumerate(report.skipped)
    ]
    for row in rows:
        table.add_row(*map(Text, row))  # names of files are no markup
    return table
