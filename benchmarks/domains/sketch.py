"""Measures and tables of ``musegym/Sketch-v0``: lines and copies of drawings, held against real ones.

* ``ink``, ``components``, ``holes``, ``ends``, ``junctions``, ``length``, ``curvature``, ``grey_distance``,
  ``direction_distance``: ``musegym.envs.media.sketches.Sketch.metrics``.
* ``nearest``: mean likeness of a drawing to the most similar one of the train split, 1 for a copy: the cosine (Salton &
  McGill 1983) of their blurred ink. That of held-out drawings says how alike different characters are.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ...envs.corpora.drawings import likeness
from ...envs.sketch import SketchTask
from ...envs.task import Array, Split
from ..baselines.random_policy import RandomPolicy
from ..measures import Column, Domain
from ..samplers import Sampler
from ..tables.rows import RANDOM, Table, pair, unjudged

ID = "musegym/Sketch-v0"
NUM = 1000
KEYS = (
    *("ink", "components", "holes", "ends", "junctions", "length", "curvature"),
    *("pixel_distance", "grey_distance", "direction_distance"),
)


def smoothed(contents: Array) -> NDArray[np.float32]:
    """Returns drawings uint8 [N, H, W] blurred by one pixel, float32 [N, H x W]."""
    grey = np.pad(np.asarray(contents, np.float32), ((0, 0), (1, 1), (1, 1)))
    rows = grey[:, :-2] + 2 * grey[:, 1:-1] + grey[:, 2:]
    blurred: NDArray[np.float32] = rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]
    return blurred.reshape(len(contents), -1)


def measure_drawings(task: SketchTask, contents: Array) -> dict[str, float]:
    """Measures drawings uint8 [N, 28, 28]."""
    found = task.medium.metrics(contents)
    inked = contents[contents.any((1, 2))]
    nearest = likeness(smoothed(inked), smoothed(task.corpus("train"))).max(1).mean()
    return {"num": len(contents), **{key: found[key] for key in KEYS}, "nearest": float(nearest)}


def references(task: Any, split: Split = "test", seed: int = 0) -> dict[str, Any]:
    """Returns the figures of held-out drawings and of ``NUM`` random ones."""
    chance = RandomPolicy(task).sample(None, NUM, seed)
    return {"real": measure_drawings(task, task.corpus(split)), "random": measure_drawings(task, chance)}


def measure(sampler: Sampler, split: Split = "test", seed: int = 0) -> dict[str, Any]:
    """Measures ``NUM`` unselected drawings of a sampler, with the numbers of strokes of held-out ones."""
    task = cast("SketchTask", sampler.task)
    styles = task.works(split).conditions
    compared = references(task, split, seed)
    own = measure_drawings(task, sampler.sample(np.resize(styles, (NUM, styles.shape[1])), NUM, seed))
    return {**own, "references": compared, "real": compared["real"]}


SKETCH = Table(
    name="sketch",
    env_id=ID,
    rows=(*pair(), unjudged(RANDOM)),
)
DOMAIN = Domain(
    measure,
    references,
    (
        Column("components"),
        Column("holes"),
        Column("ends"),
        Column("junctions"),
        Column("curvature"),
        Column("direction_distance", lower_is_better=True),
        Column("nearest"),
    ),
    (SKETCH,),
)
