"""Measures and tables of ``musegym/Animation-v0``: how animations change from frame to frame, held against real ones.

* ``changed``, ``held``, ``flicker``, ``unmoved``, ``travel``, ``palette_kl``, ``change_kl``:
  ``musegym.envs.media.animations.Animation.metrics``. ``..._ratio`` divides by the figure of held-out animations.
* ``nearest``: mean likeness of an animation to the most similar one of the train split, 1 for a copy: Jaccard 1912's
  coefficient of their triples of frame, place and colour. That of held-out ones says how alike unrelated units are.

As many animations are measured as are held out: divergences fall with their number.
"""

from __future__ import annotations

from typing import Any

from ...envs.corpora.likeness import likeness
from ...envs.task import Array, Split, Task
from ..baselines.random_policy import RandomPolicy
from ..measures import Column, Domain, some_works
from ..samplers import Sampler
from ..tables.rows import RANDOM, Table, pair, unjudged

ID = "musegym/Animation-v0"
KEYS = ("changed", "held", "flicker", "unmoved", "travel", "swell", "even", "outline", "palette_kl", "change_kl")
RATIOS = ("changed", "flicker", "unmoved", "travel")


def measure_animations(task: Task[Any], contents: Array) -> dict[str, float]:
    """Measures animations uint8 [N, 5, 16, 16]."""
    found = task.medium.metrics(contents)
    nearest = likeness(contents, task.corpus("train")).max(1).mean()
    return {"num": len(contents), **{key: found[key] for key in KEYS}, "nearest": float(nearest)}


def references(task: Task[Any], split: Split = "test", seed: int = 0) -> dict[str, Any]:
    """Returns the figures of held-out animations, as many training ones (``floor``), and random ones."""
    real = task.corpus(split)
    floor = some_works(task, "train", len(real), seed).contents
    chance = RandomPolicy(task).sample(None, len(real), seed)
    named = (("real", real), ("floor", floor), ("random", chance))
    return {name: measure_animations(task, contents) for name, contents in named}


def measure(sampler: Sampler, split: Split = "test", seed: int = 0) -> dict[str, Any]:
    """Measures as many animations of a sampler as are held out, in their styles; figures of these are ``real``."""
    task = sampler.task
    works = task.works(split)
    contents = sampler.sample(works.conditions if task.conditions else None, len(works), seed)
    own, real = measure_animations(task, contents), measure_animations(task, works.contents)
    ratios = {f"{key}_ratio": own[key] / real[key] for key in RATIOS if real[key]}
    return {**own, **ratios, "real": {**real, **dict.fromkeys(ratios, 1.0)}}


ANIMATION = Table(name="animation", env_id=ID, rows=(*pair(), unjudged(RANDOM)))
DOMAIN = Domain(
    measure,
    references,
    (
        Column("change_kl", lower_is_better=True),
        Column("palette_kl", lower_is_better=True),
        Column("changed"),
        Column("flicker"),
        Column("unmoved"),
        Column("travel"),
        Column("nearest"),
    ),
    (ANIMATION,),
)
