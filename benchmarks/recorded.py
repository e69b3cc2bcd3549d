"""Commands that record figures: shared options, loading of models, result files, error messages of one line.

A command is a function with typer's annotations; its module ends with ``sys.exit(run(main))``.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..errors import UsageError, message_and_code
from ..training.files import check_writable, write_atomically
from ..training.loading import id_of, load_model, read_corpus
from .provenance import provenance
from .report.results import Result, load

if TYPE_CHECKING:
    from ..agents import AdversarialDQN


def _checked(file: Path | None) -> Path | None:
    """Makes the folder of a file and returns the file, before anything is measured."""
    if file is not None:
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
    check_writable(file)
    return file


Runs = Annotated[list[Path] | None, typer.Argument(metavar="RUN", help="Folders of finished runs of one task.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="Environment id.")]
HeldOutSplit = Annotated[Literal["validation", "test"], typer.Option("--split", help="Split of the held-out works.")]
Seed = Annotated[int, typer.Option(min=0, help="Equal seeds give equal figures.")]
Seconds = Annotated[float, typer.Option(min=0.001, max=1e6, help="Least length of a measurement.")]
Repeats = Annotated[int, typer.Option(min=1, help="Turns of each contestant.")]
Results = Annotated[Path, typer.Argument(metavar="FOLDER", help="Result files of a table.")]
JsonFile = Annotated[Path | None, typer.Option("--json", callback=_checked, help="File for the figures.")]
"""Options that several commands have; each has a parameter of this name, in lower case."""


def run(command: Callable[..., None], arguments: Sequence[str] | None = None) -> int:
    """Runs a command; errors are reported in one line on stderr.

    Args:
        command: a function with typer's annotations.
        arguments: those of the command line where None.

    Returns:
        The exit code: 0, 2 after a mistake of the user, 1 after a failure, 130 after Ctrl-C.
    """
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command()(command)
    program = f"python -m {getattr(sys.modules[command.__module__].__spec__, 'name', command.__module__)}"
    try:
        # Some releases of Typer return an exit code after Ctrl-C, others raise.
        code = app(args=None if arguments is None else list(arguments), prog_name=program, standalone_mode=False) or 0
        message = "interrupted"
    except (KeyboardInterrupt, typer.Abort):
        message, code = "interrupted", 130
    except Exception as error:
        message, code = message_and_code(error, program)
    if code:
        print(f"{program}: {' '.join(message.split())}", file=sys.stderr)
    return code


def load_models(runs: Sequence[Path] | None, env_id: str) -> list[tuple[str, AdversarialDQN]]:
    """Loads the models of runs, so that mistakes are found before any model is measured.

    Args:
        runs: folders of runs, or model files.
        env_id: of the environment that all were trained on.

    Returns:
        For each run its path (``published_path``) and its model.

    Raises:
        UsageError: one cannot be loaded, or is of another environment.
    """
    models = [(run, load_model(run, None)) for run in runs or []]
    for run, model in models:
        if id_of(model) != env_id:
            raise UsageError(f"{run} is a run of {id_of(model)}, not of {env_id}")
        read_corpus(model.task)
    return [(published_path(run), model) for run, model in models]


def read_results(folder: Path) -> list[Result]:
    """Returns the result files of a table.

    Raises:
        UsageError: there are none, or one is damaged.
    """
    try:
        return load(folder)
    except (OSError, ValueError) as error:
        raise UsageError(str(error)) from None


def print_row(row: dict[str, Any]) -> dict[str, Any]:
    """Prints figures as a line of JSON and returns them."""
    print(json.dumps(row), flush=True)
    return row


def write_result(context: typer.Context, file: Path | None, figures: Mapping[str, Any]) -> None:
    """Writes figures to a file, if one is given, with the command that makes them and their provenance.

    Args:
        context: of the command.
        file: JSON.
        figures: plain data.

    Raises:
        ValueError: a figure is not finite.
    """
    if file is not None:
        result = {"command": command_line(context), **figures, **provenance()}
        write_atomically(file, json.dumps(result, indent=1, allow_nan=False) + "\n")


def command_line(context: typer.Context) -> str:
    """Returns the command line of a context with all its options, defaults included."""
    words = str(context.info_name).split()
    for parameter in context.command.params:
        value = context.params[str(parameter.name)]
        flags = parameter.opts[:1] if parameter.param_type_name == "option" else []
        for item in value if isinstance(value, list | tuple) else [value]:
            if item is True:
                words += flags
            elif item is not None and item is not False:
                words += [*flags, published_path(item) if isinstance(item, Path) else str(item)]
    return shlex.join(words)


def published_path(path: Path) -> str:
    """Returns a path for publication: relative to the working directory; outside of it the name alone."""
    relative = Path(os.path.relpath(path))
    return path.resolve().name if ".." in relative.parts else relative.as_posix()
