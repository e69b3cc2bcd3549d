"""Measures and tables of ``musegym/Scene-v0``: where a walker gets, patterns of cells, and copies.

* ``walkable``, ``connected``, ``open``, ``heights``, ``steps``, ``cliffs``: ``envs.media.walks.walk_measures``;
* ``tpkldiv``: divergence of the patterns of cells from those of the train split (Lucas & Volz 2019): ``media.scenery``;
* ``ground_met``: share of scenes whose commonest material is the one asked for;
* ``nearest``: mean likeness of a scene to the most similar one of the train split, 1 for a copy: ``corpora.likeness``.

``walkable_share`` is ``walkable`` as a share of held-out scenes' own rate. Figures of real works are those of as many
held-out works as are measured: TPKLDiv falls with their number.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...envs.corpora.likeness import likeness
from ...envs.corpora.scenes import ground_of
from ...envs.task import Array, Split, Task
from ..baselines.random_policy import RandomPolicy
from ..measures import Column, Domain, some_works
from ..samplers import Sampler
from ..tables.rows import RANDOM, Table, ours_and_mle, unjudged

ID = "musegym/Scene-v0"
MOST = 500  # works that are measured


def measure_scenes(task: Task[Any], contents: Array, grounds: Array) -> dict[str, Any]:
    """Measures scenes uint8 [N, 16, 16]; ``grounds`` int [N] are the materials asked for."""
    nearest = likeness(contents, task.corpus("train")).max(1).mean()
    met = [ground_of(content) == ground for content, ground in zip(contents, grounds.tolist(), strict=True)]
    measured = {"num": len(contents), **task.medium.metrics(contents)}
    return {**measured, "ground_met": float(np.mean(met)), "nearest": float(nearest)}


def references(task: Task[Any], split: Split = "test", seed: int = 0) -> dict[str, Any]:
    """Returns the figures of held-out scenes, as many training scenes (``floor``), and random cells."""
    real = some_works(task, split, MOST, seed)
    train = some_works(task, "train", len(real), seed)
    chance = RandomPolicy(task).sample(real.conditions, len(real), seed)
    return {
        "real": measure_scenes(task, real.contents, real.conditions[:, -1]),
        "floor": measure_scenes(task, train.contents, train.conditions[:, -1]),
        "random": measure_scenes(task, chance, real.conditions[:, -1]),
    }


def measure(sampler: Sampler, split: Split = "test", seed: int = 0) -> dict[str, Any]:
    """Measures as many scenes of a sampler as are held out, in their styles; figures of these are ``real``."""
    real = some_works(sampler.task, split, MOST, seed)
    styles = real.conditions
    scenes = sampler.sample(styles, len(real), seed)
    found = measure_scenes(sampler.task, scenes, styles[:, -1])
    held_out = measure_scenes(sampler.task, real.contents, styles[:, -1])
    share = found["walkable"] / held_out["walkable"] if held_out["walkable"] else float("nan")
    return {**found, "walkable_share": share, "real": held_out}


SCENE = Table(name="scene", env_id=ID, rows=(*ours_and_mle(), unjudged(RANDOM)))
DEATHMATCH = Table(name="scene-freedm", env_id=ID, rows=ours_and_mle({"data": "freedm"}))
DOMAIN = Domain(
    measure,
    references,
    (
        Column("walkable", header="walkability", lower_is_better=False),
        Column("connected", lower_is_better=False),
        Column("open"),
        Column("heights"),
        Column("cliffs"),
        Column("ground_met", header="ground met", lower_is_better=False),
        Column("tpkldiv", header="TPKLDiv", lower_is_better=True),
        Column("nearest"),
    ),
    (SCENE, DEATHMATCH),
)
