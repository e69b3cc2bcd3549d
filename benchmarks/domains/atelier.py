"""Measures and tables of ``musegym/Atelier-v0``: use of codes, what a decision changes, digits, and copies.

* ``codes_in_use``: share of the codes that plans of training pictures hold at least ``OFTEN`` times each hundred
  thousand places, so that none counts which a blemish brought in;
* ``by_decision``, ``by_noise``: mean difference of bytes of a picture from that of the same plan with one other code,
  and from that of the same plan under other noise;
* ``random_plans``: Frechet distance of the generator's pictures of uniformly drawn plans; ``rebuilt``: of its pictures
  of held-out pictures' own plans; ``training_plans``: of its pictures of as many training pictures' plans, which a
  policy that has learned their distribution reaches;
* ``by_classifier``: Frechet distance in the hidden layer of a classifier (``judges.classifier``) of grey pictures of
  ten kinds; ``sure``: share of the pictures of whose kind it is 90% sure;
* ``nearest``: mean distance of a picture from the nearest one of the train split, in the features of the general suite;
  ``copied``: share of three-sample tests that a picture is nearer to the train split than a held-out one is, 0.5 where
  nothing is copied (Meehan et al. 2020, arXiv:2004.05675, section 3: the same comparison, without cells).

The first six are of samplers with plans. Figures of ``real`` are those of held-out pictures, its ``by_classifier``
that of as many training pictures.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from ...envs.corpora.cache import cache_folder
from ...envs.task import Array, Floats, Ints, Split, Task, Works
from ..baselines.random_policy import RandomPolicy
from ..measures import Column, Domain, some_works
from ..metrics.stats import share_above
from ..samplers import Sampler
from ..tables.rows import PPO, TEMPERATURES, Row, Table, unjudged

ID = "musegym/Atelier-v0"
MOST = 1000  # pictures that are measured
TRIED = 200  # plans of which a code is changed
OFTEN = 100
SIDE, KINDS, SURE = 28, 10, 0.9


def measure(sampler: Sampler, split: Split = "test", seed: int = 0) -> dict[str, Any]:
    """Measures as many pictures of a sampler as are held out, in their styles."""
    from ..metrics.features import feature_net, frechet

    task, rng = sampler.task, np.random.default_rng(seed)
    real, known = some_works(task, split, MOST, seed), task.works("train")
    conditions = real.conditions if task.conditions else None
    made = sampler.sample(conditions, len(real), seed)
    net = feature_net(known.contents, task.layout)
    held_out, trained = net(real.contents), net(known.contents)
    theirs = _to_nearest(held_out, trained)
    result: dict[str, Any] = {"num": len(real)} | _copies(net(made), trained, theirs)
    own: dict[str, Any] = {"num": len(real), "nearest": float(theirs.mean()), "copied": 0.5}
    if task.layout.shape == (SIDE, SIDE) and task.condition_sizes == (KINDS,):
        some = known.take(rng.permutation(len(known))[: len(real)]).contents
        classified, classified_real = _classified(known, real.contents, made, some)
        result, own = result | classified, own | classified_real
    if not task.generator.updates:
        return result | {"real": own}
    generator, chance = task.generator, RandomPolicy(task).sample(conditions, len(real), seed)
    plans = generator.plans(known.contents)
    counts = np.bincount(plans.ravel(), minlength=generator.codes)
    by_decision, by_noise = _changes(task, plans[rng.permutation(len(plans))[:TRIED]], rng)
    return result | {
        "codes_in_use": float((counts * 100_000 >= OFTEN * plans.size).mean()),
        "by_decision": by_decision,
        "by_noise": by_noise,
        "random_plans": frechet(net(chance), held_out),
        "rebuilt": frechet(net(task.decoded(generator.plans(real.contents), rng)), held_out),
        "training_plans": frechet(net(task.decoded(plans[rng.permutation(len(plans))[: len(real)]], rng)), held_out),
        "real": own,
        "random": {"num": len(real)} | _copies(net(chance), trained, theirs),
    }


def _classified(known: Works, real: Array, made: Array, some: Array) -> tuple[dict[str, float], dict[str, float]]:
    """Returns the classifier's figures of pictures that were made, and of real ones."""
    from ..judges.classifier import Classifier
    from ..metrics.features import frechet

    classifier = Classifier(known.contents, known.conditions[:, 0], folder=cache_folder())
    (features, kinds), (held_out, real_kinds) = classifier(made), classifier(real)
    return (
        {"by_classifier": frechet(features, held_out), "sure": _sure(kinds)},
        {"by_classifier": frechet(classifier(some)[0], held_out), "sure": _sure(real_kinds)},
    )


def _sure(kinds: Floats) -> float:
    return float((kinds.max(1) > SURE).mean())


def _copies(features: Floats, known: Floats, held_out: Floats) -> dict[str, float]:
    """Returns the figures of copies of pictures by their features [N, D]."""
    distances = _to_nearest(features, known)
    return {"nearest": float(distances.mean()), "copied": share_above(held_out, distances)}


def _to_nearest(features: Floats, known: Floats) -> Floats:
    """Returns the distance of each of features [N, D] from the nearest known ones [M, D], float [N]."""
    distances: Floats = cKDTree(known).query(features)[0]
    return distances


def _changes(task: Task[Any], plans: Ints, rng: np.random.Generator) -> tuple[float, float]:
    """Returns the mean differences of bytes by one other code, and by other noise."""
    generator, (N, n, _) = task.generator, plans.shape
    noise, other = rng.standard_normal((2, N, generator.noise_size), np.float32)
    changed = plans.reshape(N, -1).copy()
    at = rng.integers(n * n, size=N)
    changed[np.arange(N), at] = (changed[np.arange(N), at] + rng.integers(1, generator.codes, size=N)) % generator.codes
    first = generator.pictures(plans, noise).astype(np.int64)
    return (
        float(np.abs(generator.pictures(changed.reshape(plans.shape), noise) - first).mean()),
        float(np.abs(generator.pictures(plans, other) - first).mean()),
    )


def references(task: Task[Any], split: Split = "test", seed: int = 0) -> dict[str, Any]:
    """Returns the figures of random plans, under the task's own generator."""
    return {"random": measure(RandomPolicy(task), split, seed)}


Picture = functools.partial(Row, judge_seeds=0, taught=False, seconds=1200.0)
PLAIN = {"augmentation": 0.0}
FROZEN = {**PLAIN, "generator_weight": 0.0}
GAN_CHOICES = {
    "d-as-ours": {"rate": 5e-4},
    "mild": {"rate": 5e-4, "learning_rate": 5e-4, "r1": 0.2},
    "d-slow": {"rate": 5e-4, "learning_rate": 2e-4, "r1": 1.0},
    "g-slow": {"rate": 2e-4, "learning_rate": 5e-4, "r1": 0.2},
    "g-fast": {"rate": 1e-3},
}
"""Settings of the plain GAN that validation chose among: one seed, four minutes each."""
ATELIER = Table(
    name="atelier",
    env_id=ID,
    rows=(
        Picture(name="ours", meaning="the recipe as it ships"),
        Picture(
            name="plain",
            meaning="nothing augmented, D at its full weight in the generator's loss",
            params={**PLAIN, "generator_weight": 1.0},
        ),
        Picture(name="frozen", meaning="nothing augmented, D's reward, the generator frozen", params=FROZEN),
        Picture(
            name="imitation",
            meaning="nothing augmented, plans by maximum likelihood; temperature by validation",
            params={**FROZEN, "schedule": [0.99, 0.01]},
            sweep=TEMPERATURES,
        ),
        Picture(
            name="openmoji",
            meaning="in colour, nothing augmented",
            env={"data": "openmoji"},
            params=PLAIN,
            seeds=(0,),
        ),
        Picture(
            name="gan",
            meaning="a plain GAN of the same size; settings by validation",
            method="GAN",
            params=GAN_CHOICES["d-as-ours"],
        ),
        unjudged(PPO, seconds=1200.0, seeds=(0,)),
    ),
)
CHOICES = Table(
    name="atelier-gan",
    env_id=ID,
    rows=tuple(
        Picture(
            name=name,
            meaning=f"a plain GAN, {params}",
            method="GAN",
            params=params,
            seconds=240.0,
            seeds=(0,),
            split="validation",
        )
        for name, params in GAN_CHOICES.items()
    ),
)
DOMAIN = Domain(
    measure,
    references,
    (
        Column("by_classifier", header="Frechet, classifier", digits=1),
        Column("sure", lower_is_better=False),
        Column("codes_in_use", header="codes in use", lower_is_better=False),
        Column("by_decision", header="change by a decision", digits=1),
        Column("by_noise", header="by noise", digits=1),
        Column("random_plans", header="random plans", digits=1),
        Column("rebuilt", digits=2),
        Column("training_plans", header="training plans", digits=2),
        Column("nearest"),
        Column("copied"),
    ),
    (ATELIER, CHOICES),
)
