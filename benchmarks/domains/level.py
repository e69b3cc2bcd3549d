"""Measures and tables of ``musegym/Level-v0``: the share of levels that can be crossed, and their patterns of tiles.

* ``playable``: share of levels that ``envs.media.platformer.playable`` can cross, where the tiles are Mario's.
* ``tpkldiv``: divergence of the patterns of tiles from those of the train split (Lucas & Volz 2019): ``media.tiles``.

Figures of real works are those of as many held-out levels as are measured: TPKLDiv falls with the number of levels.
"""

from __future__ import annotations

from typing import Any

from ...envs.task import Array, Split, Task
from ..baselines.random_policy import RandomPolicy
from ..measures import Column, Domain, some_works
from ..samplers import Sampler
from ..tables.rows import RANDOM, Table, ours_and_mle

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
    real = task.corpus(split)
    floor = some_works(task, "train", len(real), seed).contents
    chance = RandomPolicy(task).sample(None, len(real), seed)
    return {"real": _figures(task, real), "floor": _figures(task, floor), "random": _figures(task, chance)}


LEVEL = Table(
    name="level",
    env_id=ID,
    rows=(*ours_and_mle(params={"weight_decay": 0.3}), RANDOM),
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
