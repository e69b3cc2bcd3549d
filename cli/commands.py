"""The command line: ``musegym list | data | corpus | train | generate | evaluate | play | bench | report | map``.

Heavy packages (torch, Stable-Baselines3, pygame) are imported inside the commands that need them, so that help and
error messages appear at once. A user's mistake is one line on stderr and exit code 2, a failed run one line and exit
code 1.
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
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .. import __version__
from ..benchmarks.commands import bench, map_, report
from ..envs.corpora.packages import CorpusMissingError
from ..envs.registry import ids, make_task
from ..envs.task import Ints
from ..errors import RunError, UsageError, message_and_code, reason
from ..training import loading
from ..training.files import check_writable
from ..training.folder import MOST_ENVS, Run, Settings
from ..training.loading import env_kwargs, pairs
from ..training.works import export_all
from . import data, signals
from .options import first_conditions, free_folder, read_prefix, read_works, resumed, steered
from .output import arguments_table, corpus_json, corpus_table, evaluation_table, write

DEFAULT_SECONDS, DEFAULT_WORKS = 600.0, 1000
MOST_WORKS = 1_000_000
_BROKEN_PIPE = 128 + 13
"""Exit code of a program whose output pipe is closed, as in a shell."""

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
Pretrained = Annotated[
    str | None,
    typer.Option(
        metavar="ID", help="The model that ships for ID, instead of a RUN; of some ids one for --set data=NAME."
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Environment argument, such as corpus=PATH or style=minor."),
]
Json = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the result as JSON to FILE; - for stdout.")
]
_SEED = typer.Option(min=0, max=2**31 - 1, help="Equal seeds give equal results.")
Seed = Annotated[int, _SEED]
OptionalSeed = Annotated[int | None, _SEED]


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a command and exits; the arguments are those of the process where None."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # the parent process closed it
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):  # names of files may hold what the terminal cannot show
            stream.reconfigure(errors="backslashreplace")
    code = _flushed(_run(arguments))
    signals.finish()
    sys.exit(code)


def _run(arguments: Sequence[str] | None) -> int:
    """Runs a command; returns its exit code."""
    code = None
    try:
        code = app(args=None if arguments is None else list(arguments), prog_name="musegym", standalone_mode=False)
    except BrokenPipeError:
        return _BROKEN_PIPE
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", 128 + (signals.received or signal.SIGINT))
    except Exception as error:
        if signals.received is None:
            return _fail(*message_and_code(error, "musegym"))
    if signals.received is not None:  # libraries turn an interruption into other errors, Typer into an exit code
        return _fail("interrupted", 128 + signals.received)
    return int(code or 0)


def _flushed(code: int) -> int:
    """Flushes stdout; returns the exit code, another one where that fails."""
    try:
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        code = code or _BROKEN_PIPE
    except OSError as error:
        code = code or _fail(f"stdout: {reason(error)}", 1)
    with contextlib.suppress(OSError, ValueError):  # otherwise Python flushes again at its end, and prints the error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _fail(message: str, code: int) -> int:
    with contextlib.suppress(OSError):  # stderr may be closed
        print(f"musegym: {' '.join(message.split())}", file=sys.stderr)
    return code


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    """Trains agents to make works that a discriminator cannot tell from real ones."""
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
    params: Annotated[bool, typer.Option("--params", help="Lists what --param takes, the same for every id.")] = False,
) -> None:
    """Lists the environment ids, and what is missing to use them; or the arguments of one."""
    if id is not None:
        loading.known_id(id)
    if params:
        from ..training.parameters import hyperparameters

        table = arguments_table(hyperparameters())
    elif id is not None:
        table = arguments_table(loading.offered_arguments(id))
    else:
        table = _ids_table()
    out.print(table)


def _ids_table() -> Table:
    table = Table("id", "horizon", "actions", "real works")
    for id in ids():
        try:
            task = make_task(id)
        except CorpusMissingError as error:
            table.add_row(id, "", "", Text(f"sizes follow from the data: {error.command}"))
            continue
        except ImportError as error:
            table.add_row(id, "", "", Text(f"missing: package {error.name or error}"))
            continue
        table.add_row(id, str(task.horizon), str(task.num_actions), Text(data.where(task)))
    return table


@app.command()
def corpus(id: Id, set_: Set = None, file: Json = None) -> None:
    """Shows how much of a corpus is read, and why the rest is not; exit code 1 where no work is read."""
    check_writable(file)
    report = loading.read_report(loading.env_task(id, env_kwargs(id, set_)))
    if file is None:
        out.print(corpus_table(report))
    else:
        write(file, corpus_json(report))
    if not report.total:
        why = "see what was left out or skipped" if report.files else "there is no file of its kinds"
        raise RunError(f"no work was read: {why}")


@app.command()
def train(
    id: Id,
    seconds: Annotated[float | None, typer.Option(help=f"Budget in seconds, by default {DEFAULT_SECONDS:.0f}.")] = None,
    clock: Annotated[
        Literal["wall", "processor"] | None,
        typer.Option(help="Clock of --seconds, by default wall; processor: its time spent on this run alone."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, max=2**63 - 1, help="Budget in environment steps; reproducible to the bit.")
    ] = None,
    seed: OptionalSeed = None,
    num_envs: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_ENVS, help="Works built in parallel, by default 1,024, and fewer of long ones."),
    ] = None,
    set_: Set = None,
    param: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="Hyperparameter of the agent.")] = None,
    folder: Annotated[
        Path | None, typer.Option("--out", metavar="RUN", help="Folder of the run, by default runs/NAME.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume the run in --out, with its settings.")] = False,
    checkpoint_every: Annotated[
        float, typer.Option(min=0.0, help="Seconds between checkpoints.", callback=_finite)
    ] = 60.0,
    report_every: Annotated[
        float, typer.Option(min=0.0, help="Seconds between lines of metrics.jsonl.", callback=_finite)
    ] = 5.0,
) -> None:
    """Trains an agent and its discriminator; Ctrl-C stops a run, --resume continues it."""
    if seconds is not None and steps is not None:
        raise UsageError("--seconds and --steps are two budgets; give one of them")
    if seconds is not None and not 0 < seconds < math.inf:
        raise UsageError("--seconds must be above 0")
    if steps is not None and clock is not None:
        raise UsageError("--clock is that of --seconds, and --steps have none")
    if resume and folder is None:
        raise UsageError("--resume needs --out RUN, the run to go on with")
    run = Run(folder or free_folder(loading.known_id(id)))
    kwargs, texts = env_kwargs(id, set_), pairs(param, "--param")
    if not resume:
        run.refuse_if_taken()
    from ..agents.rounds import round_of
    from ..training.parameters import check, read

    params = read(texts)
    if resume:
        asked = {"seed": seed, "num_envs": num_envs, "clock": clock, "env_kwargs": kwargs, "params": params}
        settings = resumed(run, id, asked, (seconds, steps))
        check(settings.params)
    else:
        settings = Settings(
            id=id,
            seconds=DEFAULT_SECONDS if seconds is None and steps is None else seconds,
            steps=steps,
            seed=seed or 0,
            num_envs=num_envs or round_of(loading.env_task(id, kwargs)).rows,
            env_kwargs=kwargs,
            params=params,
            clock=clock or "wall",
        )
    loading.read_corpus(loading.env_task(id, settings.env_kwargs))
    from ..training.run import train as train_

    received = train_(
        run, settings, resume=resume, checkpoint_every=checkpoint_every, report_every=report_every, console=err
    )
    if received is not None:
        print(f"musegym: interrupted, nothing is lost; go on with: {run.command(id)}", file=sys.stderr)
        raise typer.Exit(128 + received)
    print(run.model)


@app.command()
def generate(
    run: OptionalRun = None,
    pretrained: Pretrained = None,
    num: Annotated[int, typer.Option(min=1, max=MOST_WORKS, help="Number of works.")] = 16,
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the works.")] = Path("generated"),
    seed: Seed = 0,
    temperature: Annotated[
        float, typer.Option(min=0.0, help="1 as trained, 0 always takes the likeliest action.", callback=_finite)
    ] = 1.0,
    set_: Set = None,
    prefix: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Continue this work, an .npz file from `generate` or `play`.")
    ] = None,
    keep: Annotated[int | None, typer.Option(min=1, help="Number of actions of --prefix to keep.")] = None,
    like: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Works that share decisions with this one: an .npz file, or a picture."),
    ] = None,
    share: Annotated[
        float | None,
        typer.Option(
            min=0.0, max=1.0, help="Share of the decisions of --like to keep, by default 0.5: of sequences the first."
        ),
    ] = None,
    between: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="A B", help="Works whose every decision is one of these two's, files as of --like."),
    ] = None,
) -> None:
    """Writes new works: files of their medium, text, and one picture of all."""
    if sum(given is not None for given in (prefix, like, between)) > 1:
        raise UsageError("--prefix, --like and --between exclude each other: give one of them")
    if share is not None and like is None:
        raise UsageError("--share S goes with --like FILE: the work, and how much of it to keep")
    styled = [pair for pair in set_ or () if not (pretrained and pair.startswith("data="))]
    if (like or between) and (styled or temperature != 1.0):
        raise UsageError("--like and --between bring the style of their works, at temperature 1; leave out the others")
    if (prefix is None) != (keep is None):
        raise UsageError("--prefix FILE and --keep N go together: the work, and how many of its decisions to keep")
    if prefix is not None and styled:
        raise UsageError("--prefix brings the start of its work; leave out --set")
    data_name, set_ = loading.shipped_data(set_) if pretrained else ("", set_)
    model = loading.load_model(run, pretrained, data_name)
    id = loading.id_of(model)
    from ..agents import generate_episodes

    loading.read_corpus(model.task)
    first = condition = None
    if prefix is not None and keep is not None:
        first, condition = read_prefix(model.task, prefix, keep)
    elif set_:
        task = loading.env_task(id, {**model.task.kwargs(), **env_kwargs(id, set_)})
        condition = first_conditions(model.task, task, num, seed)
    if like is not None or between is not None:
        decisions: Sequence[Ints]
        contents, conditions, decisions = steered(model, like, between, num, 0.5 if share is None else share, seed)
    else:
        works = generate_episodes(model, num, seed=seed, temperature=temperature, prefix=first, condition=condition)
        contents = model.task.decoded(works.contents, np.random.default_rng(seed))
        conditions, decisions = works.conditions, works.decisions()
    try:
        stem = f"{id.rpartition('/')[2]}-{seed}"
        export_all(model.task, contents, folder, stem, conditions, decisions)
    except OSError as error:
        failed = RunError if error.errno in (errno.ENOSPC, errno.EDQUOT) else UsageError
        raise failed(f"cannot write to {folder}: {reason(error)}") from None
    print(folder)


@app.command()
def evaluate(
    run: OptionalRun = None,
    pretrained: Pretrained = None,
    works: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Works of any origin: an .npz of `content` [N, ...] and, where there are any, `condition` [N, C].",
        ),
    ] = None,
    id: Annotated[str | None, typer.Option(metavar="ID", help="The environment of the works in --works.")] = None,
    set_: Set = None,
    num: Annotated[
        int | None,
        typer.Option(
            min=2,
            max=MOST_WORKS,
            help=f"Number of works of a model for shares and lengths, by default {DEFAULT_WORKS:,}; judges and "
            "distances always take as many as the test split holds.",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=5, help="Number of judges of each kind.")] = 5,
    file: Json = None,
) -> None:
    """Compares new works, of a model or from a file, with the held-out test split."""
    data_name, others = loading.shipped_data(set_) if pretrained else ("", set_)
    if (works is None) != (id is None) or (others and works is None):
        raise UsageError("--works FILE and --id ID go together, and --set with them: the works and their environment")
    if works is not None and (run is not None or pretrained is not None or num is not None):
        raise UsageError("--works judges all that its FILE holds: leave out RUN, --pretrained and --num")
    check_writable(file)
    if works is not None and id is not None:
        task = loading.env_task(id, env_kwargs(id, set_))
        loading.read_corpus(task)
        from ..benchmarks.suite import evaluate_works

        judge = functools.partial(evaluate_works, task, *read_works(task, works), split="test", seeds=seeds)
    else:
        model = loading.load_model(run, pretrained, data_name)
        loading.read_corpus(model.task)
        from ..benchmarks.suite import evaluate as evaluate_

        judge = functools.partial(evaluate_, model, DEFAULT_WORKS if num is None else num, split="test", seeds=seeds)
    from ..training.reporting import EvaluationStatus

    try:
        with EvaluationStatus(err):
            result = judge()
    except ValueError as error:
        raise RunError(f"cannot evaluate: {error}") from None
    (err if str(file) == "-" else out).print(evaluation_table(result))
    if file is not None:
        write(file, json.dumps(result, indent=2, allow_nan=False) + "\n")


@app.command()
def play(
    name: Annotated[str, typer.Argument(metavar="ID|RUN", help="An id to build by hand, or a run to watch its agent.")],
    seed: OptionalSeed = None,
    speed: Annotated[
        float, typer.Option(min=0.01, help="Speed of watching; 1 is the music's own tempo.", callback=_finite)
    ] = 1.0,
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of saved works.")] = Path(),
    build: Annotated[bool, typer.Option("--build", help="Build by hand; the agent of RUN completes works.")] = False,
    inspect: Annotated[
        bool,
        typer.Option(
            "--inspect",
            help="Watch an agent decide: probabilities, Q-values, D's opinion. Of an ID, the model that ships.",
        ),
    ] = False,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write --inspect as a GIF, and open no window.")
    ] = None,
    set_: Set = None,
) -> None:
    """Opens a window to watch an agent build, or to build by hand."""
    if inspect and build:
        raise UsageError("--inspect watches the agent, --build builds by hand: give one of them")
    if save is not None and (not inspect or save.suffix.lower() != ".gif"):
        raise UsageError("--save FILE.gif goes with --inspect, and writes a GIF")
    if inspect and loading.shipped_data(set_)[1]:
        raise UsageError(
            "--inspect shows works of a model, which brings its own arguments; leave out all but --set data="
        )
    if Path(name).exists():
        if set_:
            raise UsageError("--set goes with an ID; a RUN brings the arguments of its own environment")
        model = loading.load_model(Path(name), None)
        id, task = loading.id_of(model), model.task
        discriminator = loading.discriminator_of(Path(name)) or model.discriminator
    else:
        id, model, discriminator = loading.known_id(name), None, None
        task = loading.env_task(name, env_kwargs(name, set_))
    if inspect and model is None:
        model = loading.load_model(None, id, task.data_name)
        task = model.task
    loading.read_corpus(task)
    if save is not None:
        from ..play.session import save_inspection

        try:
            print(save_inspection(id, model, save, seed=seed, discriminator=discriminator))
        except OSError as error:
            raise UsageError(f"--save {save}: {reason(error)}") from None
        return
    from ..play.session import play as play_

    play_(
        id,
        model,
        seed=seed,
        speed=speed,
        folder=folder,
        task=task,
        discriminator=discriminator,
        build=build,
        inspect=inspect,
    )


app.command()(bench)
app.command()(report)
app.command("map")(map_)
app.add_typer(data.app, name="data")
