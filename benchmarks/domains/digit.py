"""Measures and tables of ``musegym/Digit-v0``: the share of drawings that are digits, by a classifier.

A small classifier, trained once on the train split by a fixed recipe, names the digit of a drawing with a probability.
It never trained an agent. Real test digits and random drawings are measured too, as references.

* ``sure``: share of drawings to which the classifier gives one class a probability of at least 90%.
* ``classes``: share of drawings of each class; ``rarest_class``: the smallest of them, 0.1 where all are equal.
* ``as_asked``: share of drawings of the requested class, where classes are conditions.
* ``frechet``: Frechet distance (Heusel et al. 2017) to as many real held-out pictures in the classifier's last hidden
  layer; ``floor``: of as many training pictures, ``random``: of random drawings.
* ``frechet_dense``: likewise in a dense classifier, which weighs where ink is more than how lines run. For random
  drawings the two differ by far.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ...envs.corpora.cache import cache_folder
from ...envs.digit import CLASSES, DigitTask
from ...envs.registry import make_task
from ...envs.task import Array, Ints, Split, Works
from ..baselines.random_policy import RandomPolicy
from ..measures import Column, Domain
from ..samplers import Sampler
from ..tables.ablations import OF_IMAGES, ablation_table, collapse_table, controller_table
from ..tables.rows import DQN, PPO, RANDOM, Plain, Table, unjudged

if TYPE_CHECKING:
    from ..judges.classifier import Classifier

ID = "musegym/Digit-v0"
SURE = 0.9
NUM = 1000
DISTANCES = ("frechet", "frechet_dense")


@functools.cache
def classifier(task_kwargs: tuple[tuple[str, Any], ...], dense: bool = False) -> Classifier:
    """Returns a classifier of a task's pictures; it is trained on first use, in about a minute, and then kept."""
    from ..judges.classifier import Classifier

    train = labelled(dict(task_kwargs), "train")
    return Classifier(train.contents, train.conditions[:, 0], dense=dense, folder=cache_folder())


def labelled(kwargs: dict[str, Any], split: Split) -> Works:
    """Returns real pictures with their digits as conditions."""
    return make_task(ID, **{**kwargs, "classes": True}).works(split)


def measure_drawings(
    task: DigitTask, contents: Array, requested: Ints | None = None, split: Split = "test"
) -> dict[str, Any]:
    """Measures drawings against as many held-out pictures, or all there are.

    Args:
        task: their task.
        contents: the drawings uint8 [N, H, W].
        requested: int [N], the requested digits.
        split: of the held-out pictures.
    """
    from ..metrics.features import frechet

    key = tuple(sorted({**task.kwargs(), "classes": True}.items()))  # one judge with and without classes
    real = task.corpus(split)
    n = min(len(contents), len(real))
    real = real[np.sort(np.random.default_rng(0).permutation(len(real))[:n])]  # they come class by class
    _, p = classifier(key)(contents)
    named = p.argmax(1)
    classes = [float(share) for share in np.bincount(named, minlength=CLASSES) / len(named)]
    found: dict[str, Any] = {
        "num": len(contents),
        "sure": float((p.max(1) >= SURE).mean()),
        "classes": classes,
        "rarest_class": min(classes),
        "pictures_a_side": n,
    }
    for name, judge in zip(DISTANCES, (classifier(key), classifier(key, dense=True)), strict=True):
        found[name] = frechet(judge(contents[:n])[0], judge(real)[0])
    if requested is not None:
        found["as_asked"] = float((named == requested).mean())
    return found


def references(task: Any, split: Split = "test", seed: int = 0) -> dict[str, Any]:
    """Returns the figures of held-out pictures, training pictures (``floor``) and ``NUM`` random drawings."""
    held_out, train = labelled(dict(task.kwargs()), split), task.corpus("train")
    rows = np.random.default_rng(0).permutation(len(train))[: len(held_out)]
    floor = measure_drawings(task, train[rows], split=split)
    chance = measure_drawings(task, RandomPolicy(task).sample(None, NUM, seed), split=split)
    real = measure_drawings(task, held_out.contents, held_out.conditions[:, 0], split)
    return {"real": real, "floor": floor, "random": chance}


def measure(sampler: Sampler, split: Split = "test", seed: int = 0) -> dict[str, Any]:
    """Measures ``NUM`` unselected drawings of a sampler, equally many of each class where classes are conditions.

    ``references`` are in the result; the Frechet distances of ``real`` are those of training pictures.
    """
    task = cast("DigitTask", sampler.task)
    requested = np.arange(NUM) % CLASSES if task.conditions else None
    contents = sampler.sample(None if requested is None else requested[:, None], NUM, seed)
    compared = references(task, split)
    real = {**compared["real"], **{name: compared["floor"][name] for name in DISTANCES}}
    chance = {f"{name}_random": compared["random"][name] for name in (*DISTANCES, "sure")}
    return {**measure_drawings(task, contents, requested, split), **chance, "references": compared, "real": real}


ABLATED = {"reward_form": "log_ratio"}
"""Settings that the table ``digit-ablations`` varies; it led to the present reward form of pictures."""

# No judges here: they would recognise the pen, not the digit.
DIGIT = Table(
    name="digit",
    env_id=ID,
    rows=(
        Plain(name="ours", meaning="ours"),
        Plain(name="ours-30", meaning="ours, for half an hour", seconds=1800.0),
        Plain(
            name="classes",
            meaning="ours for half an hour, with digits as conditions",
            env={"classes": True},
            seconds=1800.0,
        ),
        unjudged(RANDOM),
        unjudged(PPO),
        unjudged(DQN, params={**DQN.params, "buffer_size": 200_000}),  # a million canvases would take 1.6 GB
    ),
)
FULL_SIZE = Table(
    name="digit-28",
    env_id=ID,
    rows=(
        Plain(name="ours", meaning="ours for an hour, at the full size", env={"side": 28}, seconds=3600.0, seeds=(0,)),
    ),
)
TABLES = (
    DIGIT,
    FULL_SIZE,
    ablation_table("digit", ID, ABLATED, OF_IMAGES, demonstrations=False),
    controller_table("digit", ID, ABLATED),
    collapse_table("digit", ID),
)
DOMAIN = Domain(
    measure,
    references,
    (
        Column("sure", lower_is_better=False),
        Column("as_asked", lower_is_better=False),
        Column("rarest_class", lower_is_better=False),
    ),
    TABLES,
)
