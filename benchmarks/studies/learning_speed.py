"""How many environment steps does the agent learn from in a second, compared with a reference?

``AdversarialDQN`` with ``DiscriminatorCallback``, both at their defaults and with one torch thread, takes turns with

* SB3's DQN at its defaults with the same callback (its replay cut from a million to 100,000 steps, for memory, which
  does not slow it), in the same process;
* with ``--against FOLDER``: another version of musegym, each in a process of its own.

The training of the discriminator is included, warm start and the phase in which it leads are not.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from stable_baselines3 import DQN

from ...agents import DiscriminatorCallback, make_sb3_env
from ...errors import UsageError
from ...training.loading import env_task, read_corpus
from ..provenance import ROOT, revision
from ..recorded import Id, JsonFile, Repeats, Seconds, run, write_result
from . import turns
from .turns import ROWS, Contestant, Rate, contest, learner, learning, one_thread

CHILD = "import runpy, sys; runpy.run_path(sys.argv[1], run_name=sys.argv[2])['serve'](*sys.argv[3:])"
"""Runs this version's ``turns.py`` as if it were part of the musegym that the process imports."""


def sb3_dqn(env_id: str, rows: int) -> Contestant:
    """Returns SB3's DQN as a contestant."""
    model = DQN("MlpPolicy", make_sb3_env(env_id, rows, 0), seed=0, buffer_size=100_000)
    return learning(model, DiscriminatorCallback())


@contextlib.contextmanager
def other_version(folder: Path, env_id: str, rows: int) -> Iterator[Contestant]:
    """Yields an agent in a separate process whose ``import musegym`` reads a folder.

    Raises:
        UsageError: the folder is no checkout, or learning fails there.
    """
    if not (folder / "agents" / "__init__.py").is_file():
        raise UsageError(f"{folder} is no checkout of musegym: make one with git worktree add")
    with tempfile.TemporaryDirectory() as name, (Path(name) / "errors").open("w+", encoding="utf-8") as errors:
        (Path(name) / "musegym").symlink_to(folder.resolve(), target_is_directory=True)
        path = os.pathsep.join(filter(None, (name, os.environ.get("PYTHONPATH"))))
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", CHILD, turns.__file__, turns.__name__, env_id, str(rows)],
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        questions, answers = process.stdin, process.stdout
        assert questions is not None
        assert answers is not None

        def read() -> Any:
            line = answers.readline()
            if not line:
                errors.seek(0)
                message = errors.read().strip() or "no message"
                raise UsageError(f"learning ended in {folder}: {message.splitlines()[-1]}")
            return json.loads(line)

        def take_turn(seconds: float) -> Rate:
            print(json.dumps(seconds), file=questions, flush=True)
            return Rate(*read())

        with process:  # leaving it closes standard input, which ends the process
            imported = Path(read())
            if not imported.samefile(folder / "agents" / "__init__.py"):
                raise UsageError(f"import musegym takes {imported.parents[1]}, not {folder}")
            yield take_turn


@one_thread()
def main(
    context: typer.Context,
    env_id: Id = "musegym/Melody-v0",
    against: Annotated[Path | None, typer.Option(metavar="FOLDER", help="A checkout of another version.")] = None,
    rows: Annotated[int, typer.Option(min=1, help="Contents that ours builds in a round.")] = ROWS,
    reference_rows: Annotated[
        int | None, typer.Option(min=1, help="Those of the reference; by default one for SB3's DQN.")
    ] = None,
    repeats: Repeats = 5,
    seconds: Seconds = 6.0,
    json_file: JsonFile = None,
) -> None:
    """Measures how fast the agent learns, compared with SB3's DQN or another reference."""
    read_corpus(env_task(env_id, {}))
    found: dict[str, Any] = {"id": env_id, "rows": rows}
    with contextlib.ExitStack() as stack:
        if against is not None:
            found |= {"reference": "another version", "reference_rows": reference_rows or rows}
            # Within another repository's folder git would name a commit of that one.
            found["reference_commit"] = revision(against)["commit"] if (against / ".git").exists() else None
            reference = stack.enter_context(other_version(against, env_id, reference_rows or rows))
            ours = stack.enter_context(other_version(ROOT, env_id, rows))
        else:
            found |= {"reference": "DQN of Stable-Baselines3", "reference_rows": reference_rows or 1}
            reference = sb3_dqn(env_id, reference_rows or 1)
            ours = learning(*learner(env_id, rows))
        found |= contest(ours, reference, repeats, seconds)
    print(json.dumps(found, indent=1))
    write_result(context, json_file, found)


if __name__ == "__main__":
    sys.exit(run(main))
