"""Values of command-line options; each mistake is a `UsageError` of one line."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..envs.task import Array, Ints, Task
from ..errors import UsageError, reason
from ..training.folder import Run, Settings
from ..training.works import read_arrays


def first_conditions(trained: Task[Any], task: Task[Any], num: int, seed: int) -> Ints:
    """Returns the conditions int [num, C] of new works, as a task draws them for its starts.

    Args:
        trained: the task of the model that builds the works.
        task: the same with the arguments of ``--set``.
        num: number of works.
        seed: equal seeds give equal conditions.
    """
    if not trained.conditions:
        raise UsageError(
            "--set chooses the conditions of new works, and works of this model have none: leave it out; other "
            "arguments take effect when a model is trained"
        )
    if task.conditions != trained.conditions:
        raise UsageError("--set: the works would have other conditions than the model learned; leave out all but style")
    draws = np.random.default_rng(seed).integers(2**64, size=num, dtype=np.uint64)
    try:
        return task.condition(task.initial(draws))
    except ValueError as error:
        raise UsageError(f"--set: {error}") from None


def read_given(task: Task[Any], file: Path, option: str) -> tuple[Array, Ints | None, Ints | None]:
    """Returns a work as ``read_work`` does, or one of a file of its medium, whose condition and actions are unknown."""
    if file.suffix.lower() == ".npz" or type(task).read_file is Task.read_file:
        return read_work(task, file, option)
    try:
        content = task.read_file(file)
    except OSError as error:
        raise UsageError(f"{option} {file}: {reason(error)}") from None
    except ValueError as error:
        raise UsageError(f"{option} {file}: {error}; name a picture, or an .npz file of `musegym generate`") from None
    assert content is not None
    return content, None, None


def read_work(task: Task[Any], file: Path, option: str) -> tuple[Array, Ints, Ints]:
    """Returns a work from ``musegym generate`` or ``musegym play``: content, condition int [C], actions int64 [L].

    Args:
        task: the domain.
        file: of the work.
        option: names the file in messages, such as "--prefix".
    """
    from ..agents.episodes import trace
    from ..benchmarks.suite import check_works

    how = "name a .npz file of `musegym generate` or `musegym play`"
    try:
        work = read_arrays(file)
        missing = [name for name in ("content", "condition", "actions") if name not in work]
        if missing:
            raise ValueError(f"holds no {missing[0]}")
        content, condition = check_works(task, work["content"][None], work["condition"][None])
        actions = np.atleast_1d(work["actions"])
        if not len(actions) and not task.has_demonstrations:
            raise ValueError("does not tell how its work was built")
        given = np.pad(actions, (0, task.horizon - len(actions)))[None] if len(actions) else None
        built = trace(task, content, condition, given)
    except OSError as error:
        raise UsageError(f"{option} {file}: {reason(error)}") from None
    except ValueError as error:
        raise UsageError(f"{option} {file}: {error}; {how}") from None
    return content[0], condition[0], built.decisions()[0].astype(np.int64)


def read_prefix(task: Task[Any], file: Path, keep: int) -> tuple[Ints, Ints]:
    """Returns the first actions int [keep] of a work from ``musegym generate``, and its condition int [C]."""
    _, condition, actions = read_work(task, file, "--prefix")
    if keep >= len(actions):
        raise UsageError(f"--keep {keep}: the work has {len(actions)} decisions; keep fewer")
    return actions[:keep], condition


def steered(
    model: Any, like: Path | None, between: tuple[Path, Path] | None, num: int, share: float, seed: int
) -> tuple[Array, Ints, Sequence[Ints]]:
    """Returns works that share decisions with those of files: contents, conditions int [N, C], actions of each."""
    from ..agents import AdversarialDQN, steering

    task = model.task
    if not isinstance(model, AdversarialDQN):
        raise UsageError(f"--like and --between need an AdversarialDQN, not a {type(model).__name__}")
    try:
        if like is not None:
            content, condition, actions = read_given(task, like, "--like")
            built = steering.like(model, content, num, share, condition, seed, actions)
        else:
            assert between is not None
            first, second = (read_given(task, file, "--between") for file in between)
            pairs = (first[1], second[1]), (first[2], second[2])
            built = steering.between(model, first[0], second[0], num, pairs[0], seed, pairs[1])
    except ValueError as error:
        raise UsageError(str(error)) from None
    return built.contents, built.conditions, built.decisions()


def read_works(task: Task[Any], file: Path) -> tuple[Array, Ints]:
    """Returns the contents [N, ...] and conditions int [N, C] of works in a file."""
    from ..benchmarks.suite import check_works

    arrays = "content=contents, condition=conditions" if task.conditions else "content=contents"
    how = f"write it with np.savez(FILE, {arrays})"
    try:
        works = read_arrays(file)
    except FileNotFoundError:
        raise UsageError(f"--works {file} does not exist; {how}") from None
    except OSError as error:
        raise UsageError(f"--works {file}: {reason(error)}; {how}") from None
    except ValueError as error:
        raise UsageError(f"--works {file} {error}; {how}") from None
    contents = works.get("content", works.get("contents"))
    if contents is None:
        raise UsageError(f"--works {file} holds {', '.join(works) or 'nothing'}, no content: {how}")
    try:
        return check_works(task, contents, works.get("condition", works.get("conditions")))
    except ValueError as error:
        raise UsageError(f"--works {file}: {error}; {how}") from None


def free_folder(id: str) -> Path:
    """Returns ``runs/NAME``, or the first of ``runs/NAME-2`` ... that does not exist."""
    folder, number = Path("runs") / id.rpartition("/")[2], 2
    free = folder
    while free.exists():
        free, number = folder.with_name(f"{folder.name}-{number}"), number + 1
    return free


def resumed(run: Run, id: str, asked: Mapping[str, Any], budget: tuple[float | None, int | None]) -> Settings:
    """Returns a run's settings, with the new budget if there is one.

    Args:
        run: the run to resume.
        id: environment id.
        asked: settings from the command line, by the field names of ``Settings``; None and empty keep the run's own.
        budget: seconds and steps; None where not given.

    Raises:
        UsageError: a setting differs from the run's.
    """
    settings = run.settings()
    other = f"leave it out, or train anew with another --out than {run.folder}"
    if id != settings.id:
        raise UsageError(f"{run.folder} was trained with id {settings.id}, not {id}; choose another --out")
    for name, value in asked.items():
        theirs = getattr(settings, name)
        for part, given in value.items() if isinstance(value, dict) else ((name, value),):
            was = theirs.get(part, "the default") if isinstance(theirs, dict) else theirs
            if given is not None and json.dumps(given) != json.dumps(was):
                raise UsageError(f"--resume keeps {name}: {part} was {was}, not {given}; {other}")
    seconds, steps = budget
    if seconds is None and steps is None:
        return settings
    if (steps is None) != (settings.steps is None):
        raise UsageError(
            f"{run.folder} counts {'seconds' if settings.steps is None else 'steps'}; resume it with that budget"
        )
    return dataclasses.replace(settings, seconds=seconds, steps=steps)
