"""Where the time of learning goes: ``python -m musegym.benchmarks.loop``.

Measurements of ``AdversarialDQN`` with ``DiscriminatorCallback``, both at their defaults, with one thread and
without warm start, reports and checkpoints:

* the shares of a round's wall time that go into acting, the agent's loss, scores, D's updates and data;
* what a round costs against T, the number of decisions of a content, on the small oracle;
* with ``--stepped``, environment steps learned per second where the environment is stepped, as under wrappers, beside
  one whose task is played directly, in turns;
* with ``--against FOLDER``, environment steps learned per second beside another version of musegym. Each learns in a
  process of its own, and they take turns.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from stable_baselines3.common.vec_env import VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from ..agents import AdversarialDQN, DiscriminatorCallback
from ..agents.demonstrations import Demonstrations
from ..agents.replay import EpisodeBuffer
from ..discriminators import DiscriminatorTrainer
from ..options import env_task, read_corpus
from ..runs import UsageError
from . import turns
from .files import answer, shown, writable, write_result
from .provenance import ROOT, revision
from .turns import ROWS, Rate, learn, learner, one_thread

ORACLE, VOCABULARY = "musegym/Oracle-v0", 50
"""Where the cost against T is measured, for every content has T decisions, and its number of tokens."""
LENGTHS = (16, 64, 256, 1024)
METHODS: tuple[tuple[str, type, str], ...] = (
    ("acting", AdversarialDQN, "collect_rollouts"),
    ("q", AdversarialDQN, "train"),
    ("scoring", AdversarialDQN, "rewards"),
    ("discriminator", DiscriminatorTrainer, "observe"),
    ("data", Demonstrations, "sample"),
    ("data", EpisodeBuffer, "sample"),
    ("data", EpisodeBuffer, "add"),
)
"""Parts of a round, and the methods that they are made of."""
PARTS = tuple(dict.fromkeys(part for part, _, _ in METHODS))
CHILD = "import runpy, sys; runpy.run_path(sys.argv[1], run_name='musegym.benchmarks.turns')['serve'](*sys.argv[2:])"
"""Runs this version's ``turns.py`` as if it were part of the musegym that the process imports."""


@contextlib.contextmanager
def parts_timed() -> Iterator[dict[str, float]]:
    """Yields the seconds spent so far in each of ``PARTS``; what a part calls of another counts there alone.

    Of the processor: what a GPU still has to do when a method returns is found in a later part.
    """
    spent = dict.fromkeys(PARTS, 0.0)
    inside = [0.0]  # of each call under way, the seconds in timed calls that it made

    def timed(part: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            inside.append(0.0)
            start = time.perf_counter()
            try:
                return method(*args, **kwargs)
            finally:
                elapsed = time.perf_counter() - start
                spent[part] += elapsed - inside.pop()
                inside[-1] += elapsed

        return call

    with contextlib.ExitStack() as patches:
        for part, owner, name in METHODS:
            patches.enter_context(mock.patch.object(owner, name, timed(part, getattr(owner, name))))
        yield spent


def profile(
    env_id: str = "musegym/Melody-v0", *, rows: int = ROWS, seconds: float = 10.0, least: int = 3, **kwargs: Any
) -> dict[str, Any]:
    """Measures how long rounds of learning take, and in which parts.

    Args:
        env_id: a registered id.
        rows: contents built in a round.
        seconds: least length of the measurement; a fifth as long, and a round at least, goes before it unmeasured.
        least: fewest rounds.
        **kwargs: arguments of the environment.

    Returns:
        Rounds and decisions that were measured; mean milliseconds per round, microseconds per decision and decisions
        per second; ``shares`` of the wall time by part, ``rest`` among them, in sum 1.
    """
    model, callback = learner(env_id, rows, **kwargs)
    with one_thread():
        learn(model, callback, 1)  # reads the corpus
        _rounds(model, callback, seconds / 5, 0)
        with parts_timed() as spent:
            rounds, decisions, elapsed = _rounds(model, callback, seconds, least)
    shares = {part: taken / elapsed for part, taken in spent.items()}
    return {
        "id": env_id,
        "rows": rows,
        "rounds": rounds,
        "decisions": decisions,
        "ms_per_round": 1e3 * elapsed / rounds,
        "us_per_decision": 1e6 * elapsed / decisions,
        "steps_per_second": decisions / elapsed,
        "shares": shares | {"rest": 1 - sum(shares.values())},
    }


def _rounds(
    model: AdversarialDQN, callback: DiscriminatorCallback, seconds: float, least: int
) -> tuple[int, int, float]:
    """Learns for at least so many seconds and rounds; returns rounds, decisions and seconds."""
    rounds, decisions, start = 0, 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds or rounds < least:
        decisions += learn(model, callback, 1)
        rounds += 1
    return rounds, decisions, elapsed


def cost_against_length(
    lengths: Sequence[int] = LENGTHS, *, vocabulary: int = VOCABULARY, rows: int = ROWS, seconds: float = 10.0
) -> dict[str, Any]:
    """Measures how the time of a round grows with T, the length of the oracle's contents.

    Args:
        lengths: values of T.
        vocabulary: of the oracle.
        rows: contents built in a round.
        seconds: least length of each measurement, which has three rounds at least.

    Returns:
        ``by_length``: ``profile`` for each T; ``exponent`` of a round's time against T, and of each part's;
        ``exponent_from``: that from each T to the next.
    """
    env = {"rows": rows, "vocabulary": vocabulary}
    found = [profile(ORACLE, seconds=seconds, length=length, **env) for length in lengths]
    whole = [row["ms_per_round"] for row in found]
    parts = {part: [row["shares"][part] * row["ms_per_round"] for row in found] for part in PARTS}
    pairs = [slice(i, i + 2) for i in range(len(lengths) - 1)]
    return {
        "vocabulary": vocabulary,
        "by_length": [{"length": length, **row} for length, row in zip(lengths, found, strict=True)],
        "exponent": {"round": exponent(lengths, whole)} | {part: exponent(lengths, ms) for part, ms in parts.items()},
        "exponent_from": {str(lengths[pair][0]): exponent(lengths[pair], whole[pair]) for pair in pairs},
    }


def exponent(lengths: Sequence[float], times: Sequence[float]) -> float | None:
    """Returns p of the power law time = c length^p, by least squares of logarithms; None where there is none to fit."""
    if len(set(lengths)) < 2 or min(times) <= 0:
        return None
    return float(np.polyfit(np.log(lengths), np.log(times), 1)[0])


def against(
    folder: Path,
    env_id: str = "musegym/Melody-v0",
    *,
    rows: int = ROWS,
    other_rows: int = ROWS,
    repeats: int = 5,
    seconds: float = 6.0,
) -> dict[str, Any]:
    """Measures environment steps learned per second beside another version, in turns.

    Args:
        folder: a checkout of the other version.
        env_id: an id that both register.
        rows: contents built in a round.
        other_rows: those that the other version builds.
        repeats: turns of each; the median counts.
        seconds: least length of a turn.

    Returns:
        Of both the commit (None where the folder is not the top of a git checkout), the rows, and medians of steps per
        second and per second of the processor; the ratios of neighbouring turns, ours over the other's, and the
        medians of these (``ratio``) and of those by processor time (``cpu_ratio``).

    Raises:
        UsageError: the folder is no checkout, or a version cannot learn there.
    """
    if not (folder / "agents" / "__init__.py").is_file():
        raise UsageError(f"{folder} is no checkout of musegym: make one with git worktree add")
    with learning(ROOT, env_id, rows) as ours, learning(folder, env_id, other_rows) as theirs:
        for run in (ours, theirs):
            run(seconds / 2)  # reads the corpus
        rates = [(ours(seconds), theirs(seconds)) for _ in range(repeats)]
    ratios = [own.per_second / other.per_second for own, other in rates]
    return {
        "id": env_id,
        "ours": _contestant(ROOT, rows, [own for own, _ in rates]),
        "other": _contestant(folder, other_rows, [other for _, other in rates]),
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "cpu_ratio": statistics.median(own.per_cpu_second / other.per_cpu_second for own, other in rates),
    }


class Watched(VecEnvWrapper):
    """A wrapper that changes nothing: it only makes an agent step its environment."""

    def reset(self) -> VecEnvObs:
        """Starts all rows."""
        return self.venv.reset()

    def step_wait(self) -> VecEnvStepReturn:
        """Passes on what the environment says."""
        return self.venv.step_wait()


def stepped(
    env_id: str = "musegym/Melody-v0", *, rows: int = ROWS, repeats: int = 5, seconds: float = 6.0
) -> dict[str, Any]:
    """Measures environment steps learned per second under a wrapper, beside those without, in turns.

    Args:
        env_id: a registered id.
        rows: contents built in a round.
        repeats: turns of each; the median counts.
        seconds: least length of a turn.

    Returns:
        Medians of steps per second of both; the ratios of neighbouring turns, stepped over played directly, and the
        medians of these (``ratio``) and of those by processor time (``cpu_ratio``).
    """
    learners = learner(env_id, rows, Watched), learner(env_id, rows)
    for model, callback in learners:
        learn(model, callback, 1)  # reads the corpus
    turns_taken = [[turns.turn(*pair, seconds) for pair in learners] for _ in range(repeats)]
    wrapped, bare = zip(*turns_taken, strict=True)
    ratios = [own.per_second / other.per_second for own, other in turns_taken]
    return {
        "id": env_id,
        "rows": rows,
        "stepped_per_second": statistics.median(rate.per_second for rate in wrapped),
        "direct_per_second": statistics.median(rate.per_second for rate in bare),
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "cpu_ratio": statistics.median(own.per_cpu_second / other.per_cpu_second for own, other in turns_taken),
    }


def _contestant(folder: Path, rows: int, rates: Sequence[Rate]) -> dict[str, Any]:
    # Within another repository's folder git would name a commit of that one.
    version = revision(folder) if (folder / ".git").exists() else {"commit": None, "dirty": None}
    return {
        "rows": rows,
        "steps_per_second": statistics.median(rate.per_second for rate in rates),
        "steps_per_cpu_second": statistics.median(rate.per_cpu_second for rate in rates),
        **version,
    }


@contextlib.contextmanager
def learning(folder: Path, env_id: str, rows: int) -> Iterator[Callable[[float], Rate]]:
    """Starts a process whose ``import musegym`` takes a folder; yields ``turns.turn`` of an agent in it.

    Raises:
        UsageError: learning fails there.
    """
    with tempfile.TemporaryDirectory() as name, (Path(name) / "errors").open("w+", encoding="utf-8") as errors:
        (Path(name) / "musegym").symlink_to(folder.resolve(), target_is_directory=True)
        path = os.pathsep.join(filter(None, (name, os.environ.get("PYTHONPATH"))))
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", CHILD, turns.__file__, env_id, str(rows)],
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        asked, answers = process.stdin, process.stdout
        assert asked is not None
        assert answers is not None

        def read() -> Any:
            line = answers.readline()
            if not line:
                errors.seek(0)
                said = errors.read().strip() or "it said nothing"
                raise UsageError(f"learning ended in {folder}: {said.splitlines()[-1]}")
            return json.loads(line)

        def take_turn(seconds: float) -> Rate:
            print(json.dumps(seconds), file=asked, flush=True)
            return Rate(*read())

        with process:  # leaving it closes standard input, which ends the process
            taken = Path(read())
            if not taken.samefile(folder / "agents" / "__init__.py"):
                raise UsageError(f"import musegym takes {taken.parents[1]}, not {folder}")
            yield take_turn


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints what was measured as JSON; exit code 2 where it cannot be."""
    parser = argparse.ArgumentParser(prog="python -m musegym.benchmarks.loop")
    parser.add_argument("--env-id", default="musegym/Melody-v0", help="of the shares, and against another version")
    parser.add_argument("--rows", type=_positive(int), default=ROWS, help="contents built in a round")
    parser.add_argument("--seconds", type=_positive(float), default=6.0, help="least length of a measurement or turn")
    parser.add_argument("--lengths", type=_positive(int), nargs="*", default=LENGTHS, help="of the oracle's contents")
    parser.add_argument("--stepped", action="store_true", help="stepped environments beside tasks played directly")
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="a checkout of another version")
    parser.add_argument("--against-rows", type=_positive(int), default=ROWS, help="contents that it builds in a round")
    parser.add_argument("--repeats", type=_positive(int), default=5, help="turns of both versions")
    parser.add_argument("--json", type=Path, help="file for the figures")
    return answer(parser, arguments, _main)


def _positive(kind: type[int] | type[float]) -> Callable[[str], float]:
    """Returns what reads a number above 0."""

    def number(text: str) -> float:
        value = kind(text)
        if not 0 < value < math.inf:
            raise argparse.ArgumentTypeError(f"{text} is not above 0")
        return value

    return number


def _main(given: argparse.Namespace) -> None:
    writable(given.json)
    read_corpus(env_task(given.env_id, {}))
    for length in given.lengths:
        env_task(ORACLE, {"vocabulary": VOCABULARY, "length": length})
    said = ["--env-id", given.env_id, "--rows", given.rows, "--seconds", given.seconds, "--lengths", *given.lengths]
    said += ["--repeats", given.repeats] if given.against is not None or given.stepped else []
    with one_thread():
        found: dict[str, Any] = {}
        if given.against is not None:
            said += ["--against", shown(given.against), "--against-rows", given.against_rows]
            found["against"] = against(
                given.against,
                given.env_id,
                rows=given.rows,
                other_rows=given.against_rows,
                repeats=given.repeats,
                seconds=given.seconds,
            )
        if given.stepped:
            said += ["--stepped"]
            found["stepped"] = stepped(given.env_id, rows=given.rows, repeats=given.repeats, seconds=given.seconds)
        found["profile"] = profile(given.env_id, rows=given.rows, seconds=given.seconds)
        if given.lengths:
            found["length"] = cost_against_length(given.lengths, rows=given.rows, seconds=given.seconds)
        print(json.dumps(found, indent=1))
        write_result(given.json, "loop", said, found)


if __name__ == "__main__":
    sys.exit(main())
