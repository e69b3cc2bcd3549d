"""The command line: ``musegym list | corpus | train | generate | evaluate | play | bench | report``.

Heavy packages (torch, Stable-Baselines3, pygame) are imported inside the commands that need them, so
that help and mistakes are answered at once. A user's mistake is one line on stderr and exit code 2, a
failed run one line and exit code 1.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import io
import json
import math
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .. import __version__
from ..benchmarks.commands import bench, report
from ..envs.registry import ids, make_task
from ..envs.task import Task
from ..errors import RunError, UsageError, because
from ..training.arguments import Argument
from ..training.files import is_written_in_place, write_atomically
from ..training.folder import MOST_ENVS, Run, Settings
from ..training.loading import (
    discriminator_of,
    env_arguments,
    env_task,
    id_of,
    known_id,
    load_model,
    read_corpus,
    read_report,
)
from ..training.works import export_all
from . import signals
from .options import env_kwargs, first_conditions, free_folder, pairs, read_prefix, read_works, resumed

DEFAULT_SECONDS, DEFAULT_ENVS, DEFAULT_WORKS = 600.0, 1024, 1000
# Typer exports subclasses of Click's ClickException, but no name for it, and has moved it between releases.
_BadCommandLine: type[Exception] = typer.BadParameter.__mro__[2]

MOST_WORKS = 1_000_000
_BROKEN_PIPE = 128 + 13
"""Exit code of a program whose reader has gone, as a shell has it."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
out = Console()
err = Console(stderr=True)


def _finite(value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"give a finite number, not {value}")
    return value


Id = Annotated[
    str, typer.Argument(metavar="ID", help="Environment id, see `musegym list`; MODULE:ID imports MODULE first.")
]
OptionalRun = Annotated[Path | None, typer.Argument(metavar="RUN", help="A run's folder, or a model file.")]
Seed = Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Equal seeds give equal results.")]


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a command and exits.

    Args:
        arguments: those of the command line where None.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever started the program
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):  # names of files may hold what the terminal cannot show
            stream.reconfigure(errors="backslashreplace")
    code = _flushed(_run(arguments))
    signals.finish()
    sys.exit(code)


def _run(arguments: Sequence[str] | None) -> int:
    """Runs a command; returns its exit code."""
    try:
        code = app(args=None if arguments is None else list(arguments), prog_name="musegym", standalone_mode=False)
    except BrokenPipeError:
        return _BROKEN_PIPE
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", 128 + (signals.received or signal.SIGINT))
    except Exception as error:
        if signals.received is not None:  # libraries turn an interruption into errors of their own
            return _fail("interrupted", 128 + signals.received)
        if isinstance(error, UsageError):
            return _fail(str(error), 2)
        if isinstance(error, RunError):
            return _fail(str(error), 1)
        if isinstance(error, _BadCommandLine):
            return _fail(f"{error.format_message()} (musegym --help)", 2)  # type: ignore[attr-defined]
        if isinstance(error, OSError):
            return _fail(f"{error.filename or 'a file'}: {because(error)}", 1)
        if isinstance(error, MemoryError):
            return _fail(f"not enough memory ({error}); ask for fewer works or rows", 1)
        raise
    if signals.received is not None:  # Typer makes an exit code of an interruption, and says nothing
        return _fail("interrupted", 128 + signals.received)
    return int(code or 0)


def _flushed(code: int) -> int:
    """Writes out what was printed; returns the exit code, another one where that fails."""
    try:
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        code = code or _BROKEN_PIPE
    except OSError as error:
        code = code or _fail(f"stdout: {because(error)}", 1)
    with contextlib.suppress(OSError, ValueError):  # else Python tries again as it ends, and says so
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _fail(message: str, code: int) -> int:
    with contextlib.suppress(OSError):  # nobody listens
        print(f"musegym: {' '.join(message.split())}", file=sys.stderr)
    return code


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    """Agents learn to make what a discriminator cannot tell from real."""
    if version:
        print(__version__)
    elif context.invoked_subcommand is None:
        print(context.get_help())
    else:
        return
    raise typer.Exit


@app.command("list")
def list_(
    id: Annotated[str | None, typer.Argument(metavar="[ID]", help="Lists what --set takes for this id.")] = None,
    params: Annotated[bool, typer.Option("--params", help="Lists what --param takes.")] = False,
) -> None:
    """Lists the environment ids, and what is missing to use them; or the arguments of one."""
    if id is not None and params:
        raise UsageError("list takes an ID or --params; the hyperparameters are those of every id")
    if params:
        from ..training.parameters import hyperparameters

        _print_arguments(hyperparameters())
        return
    if id is not None:
        _print_arguments(env_arguments(id))
        return
    table = Table("id", "horizon", "actions", "works", "missing")
    for id in ids():
        try:
            task = make_task(id)
        except ImportError as error:
            table.add_row(id, "", "", "", Text(f"package {error.name or error}"))
            continue
        works, missing = _works(task)
        table.add_row(id, str(task.horizon), str(task.num_actions), works, Text(missing))
    out.print(table)


def _print_arguments(arguments: Mapping[str, Argument]) -> None:
    table = Table("name", "value", "default", "meaning")
    for name, argument in arguments.items():
        table.add_row(*map(Text, (name, argument.wanted, argument.shown, argument.meaning)))
    out.print(table)


def _works(task: Task[Any]) -> tuple[str, str]:
    """Returns the number of training works, and what is missing where they cannot be read."""
    try:
        return f"{len(task.corpus('train')):,}", ""
    except (ImportError, OSError, ValueError) as error:
        return "", task.data_hint or str(error)


@app.command()
def corpus(
    id: Id,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Environment argument, such as corpus=PATH."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write it as JSON instead; - for stdout.")
    ] = None,
) -> None:
    """Says what is read of a corpus and why the rest is not; exit code 1 where no work is read."""
    _refuse_unwritable(file)
    from .corpus import to_json, to_table

    report = read_report(env_task(id, env_kwargs(id, set_)))
    if file is None:
        out.print(to_table(report))
    else:
        _write(file, to_json(report))
    if not report.total:
        why = "see what was left out or skipped" if report.files else "there is no file of its kinds"
        raise RunError(f"no work was read: {why}")


@app.command()
def train(
    id: Id,
    seconds: Annotated[
        float | None, typer.Option(help=f"Wall-clock budget; {DEFAULT_SECONDS:.0f} where nothing is said.")
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(min=1, max=2**63 - 1, help="Budget in environment steps; reproducible to the bit."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**31 - 1, help="Equal seeds give equal results; 0 where nothing is said.")
    ] = None,
    num_envs: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_ENVS, help=f"Works built side by side; {DEFAULT_ENVS} where nothing is said."),
    ] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Environment argument.")] = None,
    param: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="Hyperparameter of the agent.")] = None,
    folder: Annotated[
        Path | None, typer.Option("--out", metavar="RUN", help="Folder of the run; runs/NAME where nothing is said.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out, with its settings.")] = False,
    checkpoint_every: Annotated[
        float, typer.Option(min=0.0, help="Seconds between checkpoints.", callback=_finite)
    ] = 60.0,
    report_every: Annotated[
        float, typer.Option(min=0.0, help="Seconds between lines of metrics.jsonl.", callback=_finite)
    ] = 5.0,
) -> None:
    """Trains an agent and its discriminator; Ctrl-C stops it where --resume goes on."""
    if seconds is not None and steps is not None:
        raise UsageError("--seconds and --steps are two budgets; give one of them")
    if seconds is not None and not 0 < seconds < math.inf:
        raise UsageError("--seconds must be above 0")
    if resume and folder is None:
        raise UsageError("--resume needs --out RUN, the run to go on with")
    run = Run(folder or free_folder(known_id(id)))
    kwargs, texts = env_kwargs(id, set_), pairs(param, "--param")
    if not resume:
        run.refuse_if_taken()
    from ..training.parameters import check, read

    params = read(texts)
    if resume:
        asked = {"seed": seed, "num_envs": num_envs, "env_kwargs": kwargs, "params": params}
        settings = resumed(run, id, asked, (seconds, steps))
        check(settings.params)
    else:
        settings = Settings(
            id=id,
            seconds=DEFAULT_SECONDS if seconds is None and steps is None else seconds,
            steps=steps,
            seed=seed or 0,
            num_envs=num_envs or DEFAULT_ENVS,
            env_kwargs=kwargs,
            params=params,
        )
    task = env_task(id, settings.env_kwargs)
    read_corpus(task)
    from ..training.run import train as train_

    often = {"checkpoint_every": checkpoint_every, "report_every": report_every}
    received = train_(run, settings, resume=resume, console=err, **often)
    if received is not None:
        print(f"musegym: interrupted, nothing is lost; go on with: {run.command(id)}", file=sys.stderr)
        raise typer.Exit(128 + received)
    print(run.model)


@app.command()
def generate(
    run: OptionalRun = None,
    pretrained: Annotated[
        str | None, typer.Option(metavar="ID", help="The model that ships for ID, instead of a RUN.")
    ] = None,
    num: Annotated[int, typer.Option(min=1, max=MOST_WORKS, help="How many works.")] = 16,
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where they go.")] = Path("generated"),
    seed: Seed = 0,
    temperature: Annotated[
        float, typer.Option(min=0.0, help="1 as trained, 0 the likeliest decision each time.", callback=_finite)
    ] = 1.0,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="What starts are drawn by, such as style=minor."),
    ] = None,
    prefix: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Continue this work, a .npy file that `generate` or `play` wrote."),
    ] = None,
    keep: Annotated[int | None, typer.Option(min=1, help="How many decisions of --prefix to keep.")] = None,
) -> None:
    """Writes new works: files of their medium, text, and one picture of them all."""
    if (prefix is None) != (keep is None):
        raise UsageError("--prefix FILE and --keep N go together: the work, and how many of its decisions to keep")
    if prefix is not None and set_:
        raise UsageError("--prefix brings the start of its work; leave out --set")
    model = load_model(run, pretrained)
    from ..agents import generate_episodes

    read_corpus(model.task)
    first = condition = None
    if prefix is not None and keep is not None:
        first, condition = read_prefix(model.task, prefix, keep)
    elif set_:
        task = env_task(id_of(model), {**model.task.kwargs(), **env_kwargs(id_of(model), set_)})
        condition = first_conditions(task, num, seed)
    works = generate_episodes(model, num, seed=seed, temperature=temperature, prefix=first, condition=condition)
    try:
        stem = f"{id_of(model).rpartition('/')[2]}-{seed}"
        export_all(model.task, works.contents, folder, stem, works.decisions())
    except OSError as error:
        failed = RunError if error.errno in (errno.ENOSPC, errno.EDQUOT) else UsageError
        raise failed(f"cannot write to {folder}: {because(error)}") from None
    print(folder)


@app.command()
def evaluate(
    run: OptionalRun = None,
    pretrained: Annotated[
        str | None, typer.Option(metavar="ID", help="The model that ships for ID, instead of a RUN.")
    ] = None,
    works: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Works of any origin: an .npz file that holds `content` [N, ...]."),
    ] = None,
    id: Annotated[str | None, typer.Option(metavar="ID", help="The environment whose works --works holds.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Environment argument, beside --id.")
    ] = None,
    num: Annotated[
        int | None,
        typer.Option(min=2, max=MOST_WORKS, help=f"How many works of a model to judge; by default {DEFAULT_WORKS}."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=5, help="How many judges of each kind.")] = 5,
    file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the numbers; - for stdout.")
    ] = None,
) -> None:
    """Compares new works, of a model or from a file, with the held-out test split."""
    if (works is None) != (id is None) or (set_ and works is None):
        raise UsageError("--works FILE and --id ID go together, and --set with them: the works, and what they are of")
    if works is not None and (run is not None or pretrained is not None or num is not None):
        raise UsageError("--works judges all that its FILE holds: leave out RUN, --pretrained and --num")
    _refuse_unwritable(file)
    if works is not None and id is not None:
        task = env_task(id, env_kwargs(id, set_))
        read_corpus(task)
        from ..benchmarks.suite import evaluate_works

        judge = functools.partial(evaluate_works, task, read_works(task, works), split="test", seeds=seeds)
    else:
        model = load_model(run, pretrained)
        read_corpus(model.task)
        from ..benchmarks.suite import evaluate as evaluate_

        judge = functools.partial(evaluate_, model, DEFAULT_WORKS if num is None else num, split="test", seeds=seeds)
    from ..training.reporting import Stages

    try:
        with Stages(err):
            result = judge()
    except ValueError as error:
        raise RunError(f"cannot evaluate: {error}") from None
    table = Table("", "generated", "real test works")
    for name, generated, real in _rows(result):
        table.add_row(name, _figure(generated), _figure(real))
    (err if str(file) == "-" else out).print(table)
    if file is not None:
        _write(file, json.dumps(result, indent=2, allow_nan=False) + "\n")


def _refuse_unwritable(file: Path | None) -> None:
    """Refuses a file of --json that cannot be written, before any work is done for it."""
    if file is not None and not file.parent.is_dir():
        raise UsageError(f"cannot write {file}: there is no folder {file.parent}; make it, or name another")
    if file is None or str(file) == "-":
        return
    place = file if is_written_in_place(file) else file.parent
    if file.is_dir() or not os.access(place, os.W_OK):
        raise UsageError(f"--json {file}: name a file that can be written")


def _write(file: Path, text: str) -> None:
    """Writes to a file, or to stdout where it is called ``-``."""
    if str(file) == "-":
        sys.stdout.write(text)
        return
    try:
        write_atomically(file, text)
    except OSError as error:  # it took minutes: the text goes where it can
        sys.stdout.write(text)
        raise RunError(f"cannot write {file}: {because(error)}; what it was to hold is on stdout instead") from None


def _rows(result: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yields (name, of generated works, of real ones) for every number of an evaluation."""
    for name, value in result.items():
        real = result.get(f"{name}_real", result.get("frechet_floor") if name == "frechet" else None)
        if isinstance(value, dict) and isinstance(real, dict):
            yield from ((key, value[key], real.get(key)) for key in value)
        elif isinstance(value, int | float) and not name.endswith(("_real", "_floor")):
            yield name, value, real


def _figure(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


@app.command()
def play(
    what: Annotated[str, typer.Argument(metavar="ID|RUN", help="An id to build by hand, a run to watch its agent.")],
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**31 - 1, help="Equal seeds give equal works; fresh ones without.")
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0.01, help="Of watching; 1 is the music's own tempo.", callback=_finite)
    ] = 1.0,
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where works go that you save.")] = Path(),
) -> None:
    """Opens a window: watch the agent build, or build by hand."""
    if Path(what).exists():
        model = load_model(Path(what), None)
        id, task, discriminator = id_of(model), model.task, discriminator_of(Path(what))
    else:
        id, model, task, discriminator = known_id(what), None, env_task(what, {}), None
    read_corpus(task)
    from ..play.session import play as play_

    play_(id, model, seed=seed, speed=speed, folder=folder, task=task, discriminator=discriminator)


app.command()(bench)
app.command()(report)
