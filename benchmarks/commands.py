"""The commands ``musegym bench``, ``report`` and ``map``; they import slow packages inside their functions."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError, reason
from ..training.files import write_atomically
from . import RESULTS

Results = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder of result files.", show_default="benchmarks/results")
]


def bench(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A suite (standard), a table or an environment id, in that order.")
    ],
    jobs: Annotated[int, typer.Option(min=1, help="Processes at a time, one core each.")] = 1,
    only: Annotated[list[str] | None, typer.Option(metavar="ROW", help="This row alone; may be repeated.")] = None,
    seconds: Annotated[
        float | None, typer.Option(help="Training time instead of the table's; results of less are marked partial.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, metavar="N", help="The first N seeds of each row alone.")] = None,
    results: Results = None,
    runs: Annotated[Path, typer.Option(metavar="DIR", help="Folder of checkpoints and logs.")] = Path("runs") / "bench",
    list_: Annotated[bool, typer.Option("--list", help="Show the state of every run and stop.")] = False,
) -> None:
    """Runs the rows of benchmark tables that have no result yet, one result file per run; resumes what was stopped."""
    if seconds is not None and not 0 < seconds < math.inf:
        raise UsageError("--seconds must be above 0 and finite")
    from rich.console import Console

    from .runner.job import jobs_of
    from .runner.queue import Queue
    from .tables.find import find

    tables, console = find(name), Console()
    rows = dict.fromkeys(row.name for table in tables for row in table.rows)
    unknown = [row for row in only or () if row not in rows]
    if unknown:
        raise UsageError(f"{name} has no row {unknown[0]!r}; it has: {', '.join(rows)}")
    try:
        queue = Queue(
            [job for table in tables for job in jobs_of(table, only or (), results or RESULTS, runs, seconds, seeds)],
            console,
        )
    except (ImportError, ValueError) as error:
        raise UsageError(str(error)) from None
    if list_:
        console.print(queue.status())
        return
    code = queue.work(jobs)
    if code:
        raise typer.Exit(128 - code if code < 0 else 1)


def report(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="A suite (standard), a table, an environment id, or a folder of result files, in that order.",
        ),
    ],
    results: Results = None,
    against: Annotated[
        str | None, typer.Option(metavar="ROW", help="Add the C2ST difference from this row, with an interval.")
    ] = None,
    columns: Annotated[
        list[str] | None, typer.Option(metavar="NAMES", help="Columns to show: names between commas; may be repeated.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page instead of printing Markdown.")
    ] = None,
) -> None:
    """Shows the results of benchmark tables, as Markdown or as a page of HTML."""
    from .report.layout import markdown, page
    from .report.sections import sections

    names = [key for keys in columns or () for key in keys.split(",") if key]
    try:
        shown = sections(name, results or RESULTS, against, names)
    except (OSError, ValueError) as error:
        raise UsageError(str(error)) from None
    if file is None:
        texts = [markdown(table) for _, table in shown]
        heads = [f"## {title}\n\n" if len(shown) > 1 else "" for title, _ in shown]
        print("\n".join(head + text for head, text in zip(heads, texts, strict=True)), end="")
        return
    try:
        write_atomically(file, page(shown))
    except OSError as error:
        raise UsageError(f"cannot write {file}: {reason(error)}") from None
    print(file)


def map_(
    run: Annotated[Path | None, typer.Argument(metavar="RUN", help="A run's folder, or a model file.")] = None,
    pretrained: Annotated[
        str | None, typer.Option(metavar="ID", help="The model that ships for ID, instead of a RUN.")
    ] = None,
    num: Annotated[int, typer.Option(min=10, max=2000, help="Real works, and works of the agent.")] = 400,
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of map.png and map.html.")] = Path("map"),
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Equal seeds give equal works.")] = 0,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="data=NAME", help="The data of --pretrained, if not the default."),
    ] = None,
) -> None:
    """Draws real works and an agent's on a plane, similar ones together: a picture, and a page to hover over."""
    from ..training import loading

    data, others = loading.shipped_data(set_)
    if others or (data and not pretrained):
        raise UsageError("--set data=NAME goes with --pretrained ID, and names nothing else")
    model = loading.load_model(run, pretrained, data)
    loading.read_corpus(model.task)
    from rich.console import Console

    from ..training.reporting import EvaluationStatus
    from . import atlas

    try:
        folder.mkdir(parents=True, exist_ok=True)  # before the long part
        with EvaluationStatus(Console(stderr=True)):  # it may teach the network that measures, once
            laid_out = atlas.lay_out(model, num, seed)
        atlas.save(laid_out, folder, f"{loading.id_of(model)}, real works and the agent's")
    except ValueError as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {reason(error)}") from None
    print(folder)
