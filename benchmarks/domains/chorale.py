"""Measures and tables of ``musegym/Chorale-v0``: rules of voice leading, grades and copies, held against Bach's own.

* ``crossings``, ``parallels``, ``wide_spacings``, ``out_of_range``, ``triads``: ``envs.media.voiceleading.measure``.
* ``grade``: median grade after Fang et al. 2020, ``envs.media.bachormock``; lower is closer to Bach's chorales.
* ``nearest``: mean likeness of a phrase to the most similar one of the train split, 1 for a copy: the share of its
  eighths whose four notes, the tonic at C, are the same at the same step. That of held-out phrases says how alike
  unrelated phrases are.

Bach writes few parallels, a handful in a split: ``bach`` has the rates of all splits together.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from ...envs.chorale import ChoraleTask
from ...envs.media.voiceleading import measure as rates
from ...envs.task import SPLITS, Array, Ints, Split
from ..baselines.random_policy import RandomPolicy
from ..measures import Column, Domain
from ..samplers import Sampler
from ..tables.rows import RANDOM, Table, pair, unjudged

ID = "musegym/Chorale-v0"
NUM = 1000
KEYS = ("crossings", "parallels", "wide_spacings", "out_of_range", "triads", "steps_per_phrase", "grade")
CHORD = slice(1, 5)  # columns of a content: what the four voices sing


def likeness(first: Array, second: Array) -> Array:
    """Returns the shares of steps that phrases [N, L, 6] and [M, L, 6] have in common, float64 [N, M].

    Counted are the steps of the longer of the two; a step is common where all four voices have the same.
    """
    lengths = [(works[..., 0] > 0).sum(1) for works in (first, second)]
    common = np.zeros((len(first), len(second)))
    for step in range(first.shape[1]):
        one, other = first[:, step, CHORD], second[:, step, CHORD]
        common += (one[:, None] == other).all(2) & (first[:, step, :1] > 0)
    shares: Array = common / np.maximum(lengths[0][:, None], lengths[1])
    return shares


def measure_phrases(task: ChoraleTask, contents: Array, conditions: Ints) -> dict[str, float]:
    """Measures phrases uint8 [N, 32, 6] under conditions [N, 5]."""
    found = task.medium.metrics(contents, conditions)
    nearest = likeness(contents, task.corpus("train")).max(1).mean()
    return {"num": len(contents), **{key: found[key] for key in KEYS}, "nearest": float(nearest)}


def references(task: Any, split: Split = "test", seed: int = 0) -> dict[str, Any]:
    """Returns the figures of held-out phrases, rates of all of Bach's, and figures of ``NUM`` random phrases."""
    real, every = task.works(split), [task.works(each) for each in SPLITS]
    contents, conditions = (
        np.concatenate(own) for own in zip(*((w.contents, w.conditions) for w in every), strict=True)
    )
    bach = rates(task.medium.voicing(contents, conditions))
    asked = np.resize(real.conditions, (NUM, real.conditions.shape[1]))
    chance = RandomPolicy(task).sample(asked, NUM, seed)
    return {
        "real": measure_phrases(task, real.contents, real.conditions),
        "bach": {key: bach[key] for key in KEYS if key in bach},
        "random": measure_phrases(task, chance, asked),
    }


def measure(sampler: Sampler, split: Split = "test", seed: int = 0) -> dict[str, Any]:
    """Measures ``NUM`` unselected phrases of a sampler, under the conditions of held-out ones."""
    task = cast("ChoraleTask", sampler.task)
    styles = task.works(split).conditions
    asked = np.resize(styles, (NUM, styles.shape[1]))
    compared = references(task, split, seed)
    own = measure_phrases(task, sampler.sample(asked, NUM, seed), asked)
    return {**own, "references": compared, "real": compared["real"]}


CHORALE = Table(
    name="chorale",
    env_id=ID,
    rows=(*pair(rules={"parallels": 200.0}), unjudged(RANDOM)),  # about 2 nats for each parallel
)
DOMAIN = Domain(
    measure,
    references,
    (
        Column("crossings", digits=4, lower_is_better=True),
        Column("parallels", digits=4, lower_is_better=True),
        Column("wide_spacings", header="spacings", digits=4, lower_is_better=True),
        Column("out_of_range", digits=4, lower_is_better=True),
        Column("triads"),
        Column("grade", digits=2, lower_is_better=True),
        Column("nearest"),
    ),
    (CHORALE,),
)
