"""Measures and tables of ``musegym/Dungeon-v0``: what can be reached, walked through or solved, and patterns of tiles.

* of dungeons ``connected``, ``doors``, ``openness``, ``symmetry``: ``envs.media.dungeons.dungeon_measures``;
* of Sokoban ``valid``, ``solvable``, ``given_up``, ``pushes``: ``envs.media.sokoban.sokoban_measures``;
* ``tpkldiv``: divergence of the patterns of tiles from those of the train split (Lucas & Volz 2019): ``media.tiles``;
* ``nearest``: mean likeness of a room to the most similar one of the train split, 1 for a copy: ``corpora.likeness``.

Figures of real works are those of as many held-out works as are measured: TPKLDiv falls with their number.
"""

from __future__ import annotations

from typing import Any

from ...envs.corpora.likeness import likeness
from ...envs.task import Array, Split, Task
from ..baselines.random_policy import RandomPolicy
from ..measures import Column, Domain, some_works
from ..samplers import Sampler
from ..tables.rows import RANDOM, Table, pair, unjudged

ID = "musegym/Dungeon-v0"
MOST = 500  # works that are measured: searching for solutions takes up to a tenth of a second each


def measure_rooms(task: Task[Any], contents: Array) -> dict[str, Any]:
    """Measures rooms uint8 [N, 16, 16]."""
    nearest = likeness(contents, task.corpus("train")).max(1).mean()
    return {"num": len(contents), **task.medium.metrics(contents), "nearest": float(nearest)}


def references(task: Task[Any], split: Split = "test", seed: int = 0) -> dict[str, Any]:
    """Returns the figures of held-out rooms, as many training rooms (``floor``), and random tiles."""
    real = some_works(task, split, MOST, seed).contents
    floor = some_works(task, "train", len(real), seed).contents
    chance = RandomPolicy(task).sample(None, len(real), seed)
    return {name: measure_rooms(task, rooms) for name, rooms in (("real", real), ("floor", floor), ("random", chance))}


def measure(sampler: Sampler, split: Split = "test", seed: int = 0) -> dict[str, Any]:
    """Measures as many rooms of a sampler as are held out, in their styles; figures of these are ``real``."""
    real = some_works(sampler.task, split, MOST, seed)
    rooms = sampler.sample(real.conditions if sampler.task.conditions else None, len(real), seed)
    return {**measure_rooms(sampler.task, rooms), "real": measure_rooms(sampler.task, real.contents)}


DUNGEON = Table(name="dungeon", env_id=ID, rows=(*pair(), unjudged(RANDOM)))
SOKOBAN = Table(name="dungeon-sokoban", env_id=ID, rows=pair({"data": "sokoban"}, rules={"solvable": 4.0}))
DOMAIN = Domain(
    measure,
    references,
    (
        Column("connected", header="connectedness", lower_is_better=False),
        Column("doors", lower_is_better=False),
        Column("solvable", lower_is_better=False),
        Column("given_up", header="given up"),
        Column("pushes_low", header="pushes, 10%"),
        Column("tpkldiv", header="TPKLDiv", lower_is_better=True),
        Column("symmetry"),
        Column("nearest"),
    ),
    (DUNGEON, SOKOBAN),
)
