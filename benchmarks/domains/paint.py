"""Measures and tables of ``musegym/Paint-v0``: colours, form and copies of paintings, held against real ones.

* ``colourfulness``, ``edge_density``, ``spectrum_slope``, ``palette_kl``: ``musegym.envs.media.painting.Painting``.
* ``nearest``: mean difference of bytes to the nearest picture of the train split, 0 for a copy. That of held-out
  pictures says how alike unrelated ones are.
* ``frechet``: Frechet distance (Heusel et al. 2017) to as many held-out pictures, in the features of the general suite.
  ``share_of_random``: its ratio to that of random paintings.

References: held-out pictures (``real``, whose Frechet distance is that of training pictures), random paintings, and two
that an agent should beat: the train split's mean picture, repeated (``mean``), and plain pictures, each of a held-out
picture's average colour (``average_colours``).
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from ...envs.corpora.paintings import nearest_distances
from ...envs.paint import PaintTask
from ...envs.task import Array, Split
from ..baselines.random_policy import RandomPolicy
from ..measures import Column, Domain
from ..samplers import Sampler
from ..tables.rows import PPO, RANDOM, Plain, Table, unjudged

ID = "musegym/Paint-v0"
NUM = 1000
KEYS = ("colourfulness", "edge_density", "spectrum_slope", "symmetry", "pixel_distance", "palette_kl")


def measure_paintings(task: PaintTask, contents: Array, split: Split = "test") -> dict[str, float]:
    """Measures paintings uint8 [N, 32, 32, 3] against as many held-out pictures, or all there are."""
    from ..metrics.features import feature_net, frechet

    known, real = task.corpus("train"), _mixed(task.corpus(split))
    net = feature_net(known, task.layout)
    n = min(len(contents), len(real))
    found = task.medium.metrics(contents)
    return {
        "num": len(contents),
        **{key: found[key] for key in KEYS},
        "nearest": float(nearest_distances(contents, known).mean()),
        "frechet": frechet(net(contents[:n]), net(real[:n])),
        "pictures_a_side": n,
    }


def references(task: Any, split: Split = "test", seed: int = 0) -> dict[str, Any]:
    """Returns the figures of held-out pictures, of random paintings, of the mean and of average colours."""
    known, real = task.corpus("train"), task.corpus(split)
    n = min(NUM, len(real))
    mean = np.rint(known.mean(0)).astype(np.uint8)
    plain = np.rint(real.mean((1, 2), keepdims=True)).astype(np.uint8)
    own = measure_paintings(task, real, split)
    floor = measure_paintings(task, _mixed(known)[:n], split)
    return {
        "real": {**own, "frechet": floor["frechet"]},
        "random": measure_paintings(task, RandomPolicy(task).sample(None, NUM, seed), split),
        "mean": measure_paintings(task, np.repeat(mean[None], n, 0), split),
        "average_colours": measure_paintings(task, np.broadcast_to(plain, real.shape).copy(), split),
    }


def measure(sampler: Sampler, split: Split = "test", seed: int = 0) -> dict[str, Any]:
    """Measures ``NUM`` unselected paintings of a sampler, in the styles of held-out pictures where there are styles."""
    task = cast("PaintTask", sampler.task)
    styles = task.works(split).conditions
    asked = np.resize(styles, (NUM, styles.shape[1])) if task.conditions else None
    compared = references(task, split, seed)
    own = measure_paintings(task, sampler.sample(asked, NUM, seed), split)
    share = own["frechet"] / compared["random"]["frechet"]
    return {**own, "share_of_random": share, "references": compared, "real": compared["real"]}


def _mixed(contents: Array) -> Array:
    """Returns works in a fixed random order: they come group by group."""
    return contents[np.random.default_rng(0).permutation(len(contents))]


# No judges: they would recognise the brush, not the picture.
PAINT = Table(
    name="paint",
    env_id=ID,
    rows=(
        Plain(name="ours", meaning="the recipe as it ships"),
        Plain(name="ours-30", meaning="ours, for half an hour", seconds=1800.0),
        unjudged(RANDOM),
        unjudged(PPO, seeds=(0,)),
    ),
)
PORTRAITS = Table(
    name="paint-portraits",
    env_id=ID,
    rows=(Plain(name="ours", meaning="the recipe as it ships", env={"data": "wesnoth-portraits"}),),
)
DOMAIN = Domain(
    measure,
    references,
    (
        Column("share_of_random", lower_is_better=True),
        Column("palette_kl", lower_is_better=True),
        Column("colourfulness", digits=1),
        Column("edge_density"),
        Column("spectrum_slope"),
        Column("nearest", digits=1),
    ),
    (PAINT, PORTRAITS),
)
