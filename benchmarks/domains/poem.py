"""Measures and tables of ``musegym/Poem-v0``: rules of verse, pairs of characters, and copies.

* ``length``, ``rhyme``, ``alternation``, ``opposition``, ``adhesion``, ``regulated``, ``known_pairs``, ``repeated``,
  ``distinct_2``: ``musegym.envs.media.scroll.Scroll.metrics``. Rules of rhyme and tones are those of quatrains.
* ``copied``: share of poems that are in the train split.

Figures of real works are those of held-out poems; whoever writes as poets did keeps the rules as often, not more often.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from ...envs.poem import PoemTask
from ...envs.task import Array, Ints, Split
from ..baselines.random_policy import RandomPolicy
from ..measures import Column, Domain
from ..metrics.population import novel
from ..samplers import Sampler
from ..tables.rows import RANDOM, Table, pair, unjudged

ID = "musegym/Poem-v0"
NUM = 1000
RULES = ("length", "rhyme", "alternation", "opposition", "adhesion", "regulated")
KEYS = (*RULES, "known_pairs", "repeated", "distinct_2")


def measure_poems(task: PoemTask, contents: Array, conditions: Ints) -> dict[str, float]:
    """Measures poems int [N, T] of forms int [N, C]."""
    found = task.medium.metrics(contents, conditions)
    copied = 1 - novel(contents, task.corpus("train"))
    return {"num": len(contents), **{key: found[key] for key in KEYS if key in found}, "copied": copied}


def _asked(task: PoemTask, split: Split) -> Ints:
    """Returns the forms of ``NUM`` held-out poems, int [NUM, C], each poem as often as the others, about."""
    forms = task.works(split).conditions
    return np.resize(forms, (NUM, forms.shape[1]))


def references(task: Any, split: Split = "test", seed: int = 0) -> dict[str, Any]:
    """Returns the figures of ``NUM`` held-out poems, or all where they are fewer, and of random characters."""
    real, forms = task.works(split), _asked(task, split)
    chosen = real.take(np.random.default_rng(seed).permutation(len(real))[:NUM])
    chance = RandomPolicy(task).sample(forms if task.conditions else None, NUM, seed)
    return {
        "real": measure_poems(task, chosen.contents, chosen.conditions),
        "random": measure_poems(task, chance, forms),
    }


def measure(sampler: Sampler, split: Split = "test", seed: int = 0) -> dict[str, Any]:
    """Measures ``NUM`` unselected poems of a sampler, in the forms of held-out ones.

    ``kept`` holds the rates of the rules over those of real poems.
    """
    task = cast("PoemTask", sampler.task)
    forms, compared = _asked(task, split), references(task, split, seed)
    own = measure_poems(task, sampler.sample(forms if task.conditions else None, NUM, seed), forms)
    kept = {name: own[name] / compared["real"][name] for name in RULES if name in own}
    return {**own, "kept": kept, "references": compared, "real": compared["real"]}


POEM = Table(name="poem", env_id=ID, rows=(*pair(), unjudged(RANDOM)))
TANG = Table(
    name="poem-tang",
    env_id=ID,
    rows=(*pair({"data": "tang"}, rules={"rhyme": 1.0}), unjudged(RANDOM, env={"data": "tang"})),
)
DOMAIN = Domain(
    measure,
    references,
    (
        Column("rhyme", lower_is_better=False),
        Column("alternation", lower_is_better=False),
        Column("opposition", lower_is_better=False),
        Column("adhesion", lower_is_better=False),
        Column("known_pairs"),
        Column("copied", lower_is_better=True),
    ),
    (POEM, TANG),
)
