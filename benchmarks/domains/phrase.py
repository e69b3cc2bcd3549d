"""Measures and tables of ``musegym/Phrase-v0``: notes, velocities and tempi of phrases, held against real ones.

* ``velocity_changes``, ``velocity_step``, ``velocity_by_pitch``, ``tempo``: ``envs.media.dynamics.measure``.
* ``overlap_pitch_classes``, ``overlap_onsets``, ``overlap_velocities``, ``overlap_velocity_steps``: areas under two
  densities of distances (Yang & Lerch 2020), ``envs.media.dynamics.compare``; held-out phrases have the bar.
* ``range``, ``leaps``, ``dynamics``: mean shares in which phrases keep the rules; ``kept`` the lowest of the three as a
  share of held-out phrases' own.
* ``nearest``: mean likeness of a phrase to the most similar one of the train split, 1 for a copy: the share of its
  sixteenths in which the same pitch sounds. That of held-out phrases says how alike unrelated phrases are.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ...envs.phrase import LONGEST, TICKS, PhraseTask
from ...envs.task import Array, Ints, Split
from ..baselines.random_policy import RandomPolicy
from ..measures import Column, Domain
from ..samplers import Sampler
from ..tables.rows import RANDOM, Table, pair, unjudged

ID = "musegym/Phrase-v0"
NUM = 1000
STEP = 6  # ticks of a sixteenth
PITCH, DURATION = 2, 3  # columns of a content
OVERLAPS = ("overlap_pitch_classes", "overlap_onsets", "overlap_velocities", "overlap_velocity_steps")
KEYS = ("velocity_changes", "velocity_step", "velocity_by_pitch", "tempo", "notes_per_phrase", *OVERLAPS)


def sounding(contents: Array) -> NDArray[np.uint8]:
    """Returns the pitch index that sounds at each sixteenth of phrases [N, L, 6], uint8 [N, 64]; 0 after the end."""
    ends = np.cumsum(TICKS.take(contents[..., DURATION]), 1)
    pitches = np.pad(contents[..., PITCH], ((0, 0), (0, 1)))
    found = np.zeros((len(contents), LONGEST // STEP), np.uint8)
    for step in range(found.shape[1]):
        note = (ends <= step * STEP).sum(1)
        found[:, step] = pitches[np.arange(len(contents)), note] * (step * STEP < ends[:, -1])
    return found


def likeness(first: Array, second: Array) -> Array:
    """Returns the shares of sixteenths that phrases [N, L, 6] and [M, L, 6] have in common, float64 [N, M].

    Counted are those of the longer of the two.
    """
    one, other = sounding(first), sounding(second)
    common = np.zeros((len(one), len(other)))
    for step in range(one.shape[1]):
        common += (one[:, step, None] == other[:, step]) & (one[:, step, None] > 0)
    lengths = [(each > 0).sum(1) for each in (one, other)]
    shares: Array = common / np.maximum(lengths[0][:, None], lengths[1])
    return shares


def measure_phrases(task: PhraseTask, contents: Array, conditions: Ints) -> dict[str, float]:
    """Measures phrases uint8 [N, 40, 6] under conditions [N, 4]."""
    found = task.medium.metrics(contents, conditions)
    rules = dict(zip(task.rule_names, task.rules(contents, conditions).mean(0).tolist(), strict=True))
    nearest = likeness(contents, task.corpus("train")).max(1).mean()
    return {"num": len(contents), **{key: found[key] for key in KEYS}, **rules, "nearest": float(nearest)}


def references(task: Any, split: Split = "test", seed: int = 0) -> dict[str, Any]:
    """Returns the figures of held-out phrases and of ``NUM`` random ones."""
    real = task.works(split)
    asked = np.resize(real.conditions, (NUM, real.conditions.shape[1]))
    chance = RandomPolicy(task).sample(asked, NUM, seed)
    own = measure_phrases(task, real.contents, real.conditions)
    return {"real": _kept(task, own, own), "random": _kept(task, measure_phrases(task, chance, asked), own)}


def measure(sampler: Sampler, split: Split = "test", seed: int = 0) -> dict[str, Any]:
    """Measures ``NUM`` unselected phrases of a sampler, under the conditions of held-out ones."""
    task = cast("PhraseTask", sampler.task)
    styles = task.works(split).conditions
    asked = np.resize(styles, (NUM, styles.shape[1]))
    compared = references(task, split, seed)
    own = measure_phrases(task, sampler.sample(asked, NUM, seed), asked)
    return {**_kept(task, own, compared["real"]), "references": compared, "real": compared["real"]}


def _kept(task: PhraseTask, own: dict[str, float], real: dict[str, float]) -> dict[str, float]:
    """Returns figures with ``kept``."""
    return own | {"kept": min(own[rule] / max(real[rule], 1e-9) for rule in task.rule_names)}


PHRASE = Table(name="phrase", env_id=ID, rows=(*pair(), unjudged(RANDOM)))
DOMAIN = Domain(
    measure,
    references,
    (
        Column("velocity_changes", header="changes"),
        Column("velocity_step", header="step", digits=2),
        Column("overlap_velocities", header="velocities", lower_is_better=False),
        Column("overlap_velocity_steps", header="steps", lower_is_better=False),
        Column("overlap_onsets", header="onsets", lower_is_better=False),
        Column("overlap_pitch_classes", header="pitches", lower_is_better=False),
        Column("kept", lower_is_better=False),
        Column("nearest"),
    ),
    (PHRASE,),
)
