"""Where does the time of learning go?

Measurements of ``AdversarialDQN`` with ``DiscriminatorCallback``, both at their defaults, with one thread and
without warm start, reports and checkpoints:

* the shares of a round's wall time that go into acting, the agent's loss, scores, D's updates and data;
* with ``--length T``, repeated: the time of a round against T, the number of decisions of a content, on the small
  oracle.
"""

from __future__ import annotations

import contextlib
import functools
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any
from unittest import mock

import numpy as np
import typer

from ...agents import AdversarialDQN, DiscriminatorCallback
from ...agents.demonstrations import Demonstrations
from ...agents.replay import EpisodeBuffer
from ...discriminators import DiscriminatorTrainer
from ...training.loading import env_task, read_corpus
from ..recorded import Id, JsonFile, Seconds, run, write_result
from .turns import ROWS, learn, learner, one_thread

ORACLE, VOCABULARY = "musegym/Oracle-v0", 50
"""The environment of ``cost_against_length``, whose contents all have T decisions, and its number of tokens."""
METHODS: tuple[tuple[str, type, str], ...] = (
    ("acting", AdversarialDQN, "collect_rollouts"),
    ("q", AdversarialDQN, "train"),
    ("scoring", AdversarialDQN, "rewards"),
    ("discriminator", DiscriminatorTrainer, "observe"),
    ("data", Demonstrations, "sample"),
    ("data", EpisodeBuffer, "sample"),
    ("data", EpisodeBuffer, "add"),
)
"""Parts of a round, and their methods."""
PARTS = tuple(dict.fromkeys(part for part, _, _ in METHODS))


@contextlib.contextmanager
def parts_timed() -> Iterator[dict[str, float]]:
    """Yields the seconds spent so far in each of ``PARTS``; a part called by another counts there alone.

    Of the processor: work that a GPU still has to do when a method returns counts for a later part.
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
    """Measures the time of rounds of learning, and its parts.

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
    learn(model, callback, 1)  # reads the corpus
    _rounds(model, callback, seconds / 5, 0)
    with parts_timed() as spent:
        rounds, decisions, elapsed = _rounds(model, callback, seconds, least)
    shares = {part: share / elapsed for part, share in spent.items()}
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
    lengths: Sequence[int], *, vocabulary: int = VOCABULARY, rows: int = ROWS, seconds: float = 10.0
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
    profiles = [profile(ORACLE, seconds=seconds, length=length, **env) for length in lengths]
    whole = [row["ms_per_round"] for row in profiles]
    parts = {part: [row["shares"][part] * row["ms_per_round"] for row in profiles] for part in PARTS}
    pairs = [slice(i, i + 2) for i in range(len(lengths) - 1)]
    return {
        "vocabulary": vocabulary,
        "by_length": [{"length": length, **row} for length, row in zip(lengths, profiles, strict=True)],
        "exponent": {"round": exponent(lengths, whole)} | {part: exponent(lengths, ms) for part, ms in parts.items()},
        "exponent_from": {str(lengths[pair][0]): exponent(lengths[pair], whole[pair]) for pair in pairs},
    }


def exponent(lengths: Sequence[float], times: Sequence[float]) -> float | None:
    """Returns p of the power law time = c length^p, by least squares of logarithms; None where there is none to fit."""
    if len(set(lengths)) < 2 or min(times) <= 0:
        return None
    return float(np.polyfit(np.log(lengths), np.log(times), 1)[0])


@one_thread()
def main(
    context: typer.Context,
    env_id: Id = "musegym/Melody-v0",
    rows: Annotated[int, typer.Option(min=1, help="Contents built in a round.")] = ROWS,
    seconds: Seconds = 6.0,
    length: Annotated[list[int] | None, typer.Option(min=1, help="Decisions of the oracle's contents.")] = None,
    json_file: JsonFile = None,
) -> None:
    """Measures the parts of a round of learning, and its growth with the length of contents."""
    read_corpus(env_task(env_id, {}))
    for decisions in length or ():
        env_task(ORACLE, {"vocabulary": VOCABULARY, "length": decisions})
    found: dict[str, Any] = {"profile": profile(env_id, rows=rows, seconds=seconds)}
    if length:
        found["length"] = cost_against_length(length, rows=rows, seconds=seconds)
    print(json.dumps(found, indent=1))
    write_result(context, json_file, found)


if __name__ == "__main__":
    sys.exit(run(main))
