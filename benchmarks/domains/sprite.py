"""Measures and tables of ``musegym/Sprite-v0``: colours, patterns and copies of sprites, held against real ones.

* ``palette_kl``, ``pattern_kl``, ``even``, ``outline``, ``symmetry``: ``musegym.envs.media.sprites.Sprite.metrics``.
* ``nearest``: mean likeness of a sprite to the most similar one of the train split, 1 for a copy: Jaccard 1912's
  coefficient of their pairs of place and colour. That of held-out sprites says how alike unrelated figures are.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from ...envs.corpora.likeness import likeness
from ...envs.sprite import SpriteTask
from ...envs.task import Array, Split
from ..baselines.random_policy import RandomPolicy
from ..measures import Column, Domain
from ..samplers import Sampler
from ..tables.rows import RANDOM, Table, ours_and_mle, unjudged

ID = "musegym/Sprite-v0"
NUM = 1000
KEYS = ("palette_kl", "pattern_kl", "even", "outline", "symmetry")


def measure_sprites(task: SpriteTask, contents: Array) -> dict[str, float]:
    """Measures sprites uint8 [N, 16, 16]."""
    found = task.medium.metrics(contents)
    nearest = likeness(contents, task.corpus("train")).max(1).mean()
    return {"num": len(contents), **{key: found[key] for key in KEYS}, "nearest": float(nearest)}


def references(task: Any, split: Split = "test", seed: int = 0) -> dict[str, Any]:
    """Returns the figures of held-out sprites and of ``NUM`` random ones."""
    chance = RandomPolicy(task).sample(None, NUM, seed)
    return {"real": measure_sprites(task, task.corpus(split)), "random": measure_sprites(task, chance)}


def measure(sampler: Sampler, split: Split = "test", seed: int = 0) -> dict[str, Any]:
    """Measures ``NUM`` unselected sprites of a sampler, in the styles of held-out ones where there are styles."""
    task = cast("SpriteTask", sampler.task)
    styles = task.works(split).conditions
    asked = np.resize(styles, (NUM, styles.shape[1])) if task.conditions else None
    compared = references(task, split, seed)
    own = measure_sprites(task, sampler.sample(asked, NUM, seed))
    return {**own, "references": compared, "real": compared["real"]}


SPRITE = Table(name="sprite", env_id=ID, rows=(*ours_and_mle(), unjudged(RANDOM)))
UNITS = Table(name="sprite-units", env_id=ID, rows=ours_and_mle({"data": "wesnoth-units"}))
DOMAIN = Domain(
    measure,
    references,
    (
        Column("palette_kl", lower_is_better=True),
        Column("pattern_kl", lower_is_better=True),
        Column("even"),
        Column("outline"),
        Column("symmetry"),
        Column("nearest"),
    ),
    (SPRITE, UNITS),
)
