"""Measures and tables of ``musegym/Level-v0``: the share of levels that can be crossed, and their patterns of tiles.

* ``playable``: share of levels that ``envs.media.platformer.playable`` can cross, where the tiles are Mario's.
* ``tpkldiv``: divergence of the patterns of tiles from those of the train split (Lucas & Volz 2019): ``media.tiles``.

Figures of real works are those of as many held-out levels as are measured: TPKLDiv falls with the number of levels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...envs.task import Array, Split, Task
from ..baselines.random_policy import RandomPolicy
from ..measures import Column, Domain
from ..samplers import Sampler
from ..tables.rows import MLE, RANDOM, TEMPERATURES, Row, Table

ID = "musegym/Level-v0"
KEYS = ("playable", "tpkldiv", "tpkldiv_missing", "tpkldiv_novel", "linearity", "leniency", "density", "distinct")


def _figures(task: Task[Any], contents: Array) -> dict[str, Any]:
    """Returns the metrics of levels that this domain reports, and their number."""
    metrics = task.medium.metrics(contents)
    return {"num": len(contents), **{key: metrics[key] for key in KEYS if key in metrics}}


def measure(sampler: Sampler, split: Split = "test", seed: int = 0) -> dict[str, Any]:
    """Measures as many levels of a sampler as there are held-out ones; figures of these are ``real``."""
    task = sampler.task
    real = task.corpus(split)
    return {**_figures(task, sampler.sample(None, len(real), seed)), "real": _figures(task, real)}


def references(task: Task[Any], split: Split = "test", seed: int = 0) -> dict[str, Any]:
    """Returns the figures of held-out levels, as many training levels (``floor``), and levels of random tiles."""
    real, train = task.corpus(split), task.corpus("train")
    rows = np.random.default_rng(seed).permutation(len(train))[: len(real)]
    chance = RandomPolicy(task).sample(None, len(real), seed)
    return {"real": _figures(task, real), "floor": _figures(task, train[rows]), "random": _figures(task, chance)}


LEVEL = Table(
    name="level",
    env_id=ID,
    rows=(
        Row(name="ours", meaning="the recipe as it ships"),
        Row(
            name="mle",
            meaning="maximum likelihood; temperature by validation",
            params={**MLE, "weight_decay": 0.3},
            sweep=TEMPERATURES,
        ),
        RANDOM,
    ),
)
DOMAIN = Domain(
    measure,
    references,
    (
        Column("playable", header="playability", lower_is_better=False),
        Column("tpkldiv", header="TPKLDiv", lower_is_better=True),
    ),
    (LEVEL,),
)
