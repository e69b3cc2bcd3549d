"""Measures and tables of ``musegym/Atelier-v0``: use of codes, what a decision changes, and copies.

* ``codes_in_use``: share of the codes that plans of training pictures hold at least ``OFTEN`` times each hundred
  thousand places, so that none counts which a blemish brought in;
* ``by_decision``, ``by_noise``: mean difference of bytes of a picture from that of the same plan with one other code,
  and from that of the same plan under other noise;
* ``random_plans``: Frechet distance of the generator's pictures of uniformly drawn plans; ``rebuilt``: of its pictures
  of held-out pictures' own plans, the best that a policy could reach;
* ``nearest``: mean cosine of a picture with the most similar one of the train split, in the encoder's vectors, 1 for a
  copy; ``copied``: share of three-sample tests that a picture is nearer to the train split than a held-out one is, 0.5
  where nothing is copied (Meehan et al. 2020, arXiv:2004.05675, section 3: the same comparison, without cells).

Figures of ``real`` are those of held-out pictures.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ...envs.task import Array, Floats, Ints, Split, Task
from ..baselines.random_policy import RandomPolicy
from ..measures import Column, Domain, some_works
from ..samplers import Sampler
from ..tables.rows import PPO, TEMPERATURES, Row, Table, unjudged

ID = "musegym/Atelier-v0"
MOST = 1000  # pictures that are measured
TRIED = 200  # plans of which a code is changed
OFTEN = 100


def measure(sampler: Sampler, split: Split = "test", seed: int = 0) -> dict[str, Any]:
    """Measures as many pictures of a sampler as are held out, in their styles."""
    from ..metrics.features import feature_net, frechet

    task, rng = sampler.task, np.random.default_rng(seed)
    real = some_works(task, split, MOST, seed)
    known = task.corpus("train")
    made = sampler.sample(real.conditions if task.conditions else None, len(real), seed)
    net = feature_net(known, task.layout)
    held_out = net(real.contents)
    generator = task.generator
    plans = generator.plans(known)
    counts = np.bincount(plans.ravel(), minlength=generator.codes)
    chance = RandomPolicy(task).sample(real.conditions if task.conditions else None, len(real), seed)
    rebuilt = task.decoded(generator.plans(real.contents), rng)
    ours, theirs, own = (_to_nearest(generator, each, known) for each in (made, real.contents, chance))
    by_decision, by_noise = _changes(task, plans[rng.permutation(len(plans))[:TRIED]], rng)
    return {
        "num": len(real),
        "codes_in_use": float((counts * 100_000 >= OFTEN * plans.size).mean()),
        "by_decision": by_decision,
        "by_noise": by_noise,
        "random_plans": frechet(net(chance), held_out),
        "rebuilt": frechet(net(rebuilt), held_out),
        "nearest": float(ours.mean()),
        "copied": _nearer(ours, theirs),
        "real": {"num": len(real), "nearest": float(theirs.mean()), "copied": 0.5},
        "random": {"num": len(real), "nearest": float(own.mean()), "copied": _nearer(own, theirs)},
    }


def _to_nearest(generator: Any, contents: Array, known: Array) -> Floats:
    """Returns the cosine of each picture with the most similar known one, float [N]."""
    places = generator.grid**2
    vectors, theirs = (generator.features(each) / np.sqrt(places) for each in (contents, known))
    cosines: Floats = np.concatenate(
        [(part @ theirs.T).max(1) for part in np.array_split(vectors, len(vectors) // 100 + 1)]
    )
    return cosines


def _nearer(ours: Floats, theirs: Floats) -> float:
    """Returns the share of pairs in which the first is the larger (Mann & Whitney 1947), ties counted half."""
    above, equal = (ours[:, None] > theirs).mean(), (ours[:, None] == theirs).mean()
    return float(above + equal / 2)


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
FROZEN = {"generator_weight": 0.0}
ATELIER = Table(
    name="atelier",
    env_id=ID,
    rows=(
        Picture(name="ours", meaning="the recipe as it ships"),
        Picture(name="frozen", meaning="D's reward, the generator frozen", params=FROZEN),
        Picture(
            name="imitation",
            meaning="plans by maximum likelihood; temperature by validation",
            params={**FROZEN, "schedule": [0.99, 0.01]},
            sweep=TEMPERATURES,
        ),
        *(
            Picture(name=data, meaning=f"the recipe as it ships, on {data}", env={"data": data}, seeds=(0,))
            for data in ("openmoji", "wesnoth-portraits")
        ),
        unjudged(PPO, seconds=1200.0, seeds=(0,)),
    ),
)
DOMAIN = Domain(
    measure,
    references,
    (
        Column("codes_in_use", header="codes in use", lower_is_better=False),
        Column("by_decision", header="change by a decision", digits=1),
        Column("by_noise", header="by noise", digits=1),
        Column("random_plans", header="random plans", digits=1),
        Column("rebuilt", digits=1),
        Column("nearest"),
        Column("copied"),
    ),
    (ATELIER,),
)
